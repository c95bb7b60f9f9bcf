"""Which texts of a picture for a paper lie over each other, or are cut off."""

from __future__ import annotations

from itertools import combinations

from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

_TOUCH = 3.0  # pixels by which boxes may overlap: a box is taller than its letters


def shown_texts(figure: Figure) -> list[Text]:
    """Every text that is drawn: titles, names of axes and ticks, legends, notes."""
    figure.draw_without_rendering()
    texts = list(figure.texts)
    legends = list(figure.legends)
    for ax in figure.axes:
        texts += [ax.title, ax._left_title, ax._right_title, *ax.texts]
        texts += [ax.xaxis.label, ax.yaxis.label]
        for axis in (ax.xaxis, ax.yaxis):
            for tick in axis._update_ticks():
                texts += [label for label in (tick.label1, tick.label2) if label.get_visible()]
        legends += [legend] if (legend := ax.get_legend()) else []
    for legend in legends:
        texts += legend.get_texts()
    return [text for text in texts if text.get_visible() and text.get_text().strip()]


def misplaced(figure: Figure) -> list[str]:
    """Pairs of texts that overlap, and texts that the edge of the figure cuts off."""
    boxes = [(text, text.get_window_extent()) for text in shown_texts(figure)]
    whole = figure.bbox
    cut = [
        f"'{text.get_text()}' is cut off"
        for text, box in boxes
        if min(box.x0 - whole.x0, whole.x1 - box.x1, box.y0 - whole.y0, whole.y1 - box.y1) < -_TOUCH
    ]
    over = [
        f"'{a.get_text()}' lies over '{b.get_text()}'"
        for (a, first), (b, second) in combinations(boxes, 2)
        if _overlap(first, second)
    ]
    return cut + over


def _overlap(first: Bbox, second: Bbox) -> bool:
    shared = Bbox.intersection(first, second)
    return shared is not None and min(shared.width, shared.height) > _TOUCH
