"""Legends and notes of a picture for a paper, placed where they cover no curve."""

from __future__ import annotations

import itertools
import math
from typing import Any

from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.transforms import Bbox

__all__ = ["LETTER", "covers_curves", "refolded", "text_size", "uncover_curves"]

LETTER = 0.52  # mean width of a letter over its size
_SIGN = 3.2  # width of a sign of a legend over the size of its text
_LINE = 1.45  # height of a row of a legend over the size of its text
_PLACES = [x / 20 for x in range(1, 20)]  # where notes are tried, shares of the axes


def text_size(text: Text) -> float:
    """Size of a text in points; matplotlib has it as a number once it is set."""
    return float(text.get_fontsize())


def uncover_curves(figure: Figure) -> None:
    """Move what lies over curves: notes to a free place nearby, legends above their panels.

    Parameters
    ----------
    figure : Figure
        A figure whose size and texts are final; it becomes as much taller as legends need.
    """
    figure.draw_without_rendering()  # what has a place of its own has it now
    rows = 0.0
    for ax in figure.axes:
        for note in ax.texts:
            if note.get_bbox_patch() is not None and note.get_transform() == ax.transAxes:
                _move_note(ax, note)
        legend = ax.get_legend()
        if legend is not None and legend.get_texts():
            alone = not ax.get_title() and not ax.get_title(loc="right")
            if alone and covers_curves(ax, legend.get_window_extent()):
                rows += _lift(figure, ax, legend)
    if rows:
        figure.set_figheight(figure.get_figheight() + rows)


def covers_curves(ax: Axes, box: Bbox) -> bool:
    """Whether a box, in pixels, lies over a line or a point of a panel.

    Parameters
    ----------
    ax : Axes
        The panel.
    box : Bbox
        The box.
    """
    for line in ax.lines:
        if line.get_transform() != ax.transData or not line.get_visible():
            continue
        path = line.get_path().transformed(line.get_transform())
        if line.get_linestyle() in ("None", ""):
            if box.count_contains(path.vertices):
                return True
        elif Path(path.vertices).intersects_bbox(box, filled=False):
            return True
    return False


def _move_note(ax: Axes, note: Text) -> None:
    """Bring a note to the free place that is nearest, if there is one."""
    patch = note.get_bbox_patch()
    box = note.get_window_extent() if patch is None else patch.get_window_extent()
    others = [text.get_window_extent() for text in ax.texts if text is not note]

    def is_free(box: Bbox) -> bool:
        inside = ax.bbox.x0 <= box.x0 and box.x1 <= ax.bbox.x1
        inside = inside and ax.bbox.y0 <= box.y0 and box.y1 <= ax.bbox.y1
        return inside and not box.count_overlaps(others) and not covers_curves(ax, box)

    if is_free(box):
        return
    centre = ((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2)
    start = ax.transAxes.inverted().transform(centre)
    places = itertools.product(_PLACES, _PLACES)
    for place in sorted(places, key=lambda p: math.hypot(p[0] - start[0], p[1] - start[1])):
        across, up = ax.transAxes.transform(place) - centre
        if is_free(box.translated(across, up)):
            note.set(position=place, ha="center", va="center")
            return


def _lift(figure: Figure, ax: Axes, legend: Legend) -> float:
    """A legend of a panel above it, on the right; return the height of its rows [inches]."""
    wide = 0.92 * ax.bbox.width / figure.dpi
    return refolded(
        figure, legend, ax, wide, loc="lower right", bbox_to_anchor=(1.0, 1.0), borderpad=0.1,
        borderaxespad=0.2,
    )  # fmt: skip


def refolded(
    figure: Figure, legend: Legend, parent: Figure | Axes, wide: float, **place: Any
) -> float:
    """Put a legend anew, in as many columns as fit; return the height of its rows [inches].

    Parameters
    ----------
    figure : Figure
        The figure.
    legend : Legend
        A legend with at least one text; it goes.
    parent : Figure or Axes
        What gets the new one.
    wide : float
        Width that there is [inches].
    **place : dict, optional
        Where it goes, as ``legend`` of the parent takes it.
    """
    texts = legend.get_texts()
    size = text_size(texts[0])
    widest = max(len(text.get_text()) for text in texts) * LETTER * size + _SIGN * size
    columns = max(1, min(len(texts), int(72 * wide / widest)))
    columns = math.ceil(len(texts) / math.ceil(len(texts) / columns))  # rows that are even
    # the sign of an error bar in a legend has lost its marker
    bars = {
        str(bar.get_label()): bar
        for ax in figure.axes
        for bar in ax.containers
        if isinstance(bar, ErrorbarContainer)
    }
    labels = [text.get_text() for text in texts]
    handles = [bars.get(t, sign) for t, sign in zip(labels, legend.legend_handles, strict=True)]
    legend.remove()
    parent.legend(
        handles=handles,
        labels=labels,
        ncols=columns,
        fontsize=size,
        frameon=False,
        columnspacing=1.0,
        handlelength=1.6,
        **place,
    )
    return math.ceil(len(texts) / columns) * _LINE * size / 72
