"""A figure that was drawn for the screen, made fit for a column of a paper.

Legends and notes go where they cover no curve.
"""

from __future__ import annotations

import itertools
import math
import re
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.path import Path
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Bbox

from ddkbase.errors import InputError
from ddkbase.paper.request import PaperStyle
from ddkbase.pictures import INCH, LABEL, SERIES, TITLE_TEXT

_BASE = 7.0  # points of labels at a given width, as journals ask
_COLUMN = 0.12  # m, up to which panels stand below each other
_SHAPE = 0.62  # height of a panel over the width of its column
_ROW = 0.7  # inches of a row of axes without letters at least, and of what is around them
_STACKED = 4  # panels that stand below each other at most
_SMALLEST = 5.0  # points
_TAG = re.compile(r"([a-z]{1,2})(?:\s.*)?", re.DOTALL)


def panel_of(ax: Axes) -> str:
    """The letter of a panel, that its left title begins with; empty for axes without one."""
    match = _TAG.fullmatch(ax.get_title(loc="left"))
    return match[1] if match else ""


def fit_figure(figure: Figure, paper: PaperStyle, name: str = "the picture") -> Figure:
    """Leave the panels that are asked for, and bring width, texts and lines to a paper's measure.

    Parameters
    ----------
    figure : Figure
        What a function of ``plots`` made, within the settings of ``paper``.
    paper : PaperStyle
        What is asked.
    name : str, default "the picture"
        What messages call it.

    Returns
    -------
    Figure
        The same figure, changed.

    Raises
    ------
    InputError
        It does not have a panel that is asked for; its panels are named.
    """
    panels = [ax for ax in figure.axes if panel_of(ax)]
    panels.sort(key=lambda ax: (len(panel_of(ax)), panel_of(ax)))
    letters = [panel_of(ax) for ax in panels]
    missing = [letter for letter in paper.panels if letter not in letters]
    if missing:
        known = f"It has {', '.join(letters)}" if letters else "It has one panel without a letter"
        raise InputError(f"{name} has no panel {missing[0]}", "--panels", known)
    if paper.width is not None:
        _drop_title(figure)
    width, height = figure.get_size_inches()
    wide = width if paper.width is None else paper.width / INCH
    scale = _text_scale(paper)
    if letters and (paper.panels or (paper.width or 1.0) <= _COLUMN):
        height = _rearrange(figure, panels, paper, wide)
    else:
        height *= wide / width
        if paper.width is not None and paper.width <= _COLUMN:
            # texts do not shrink as the figure does
            height = max(height, _SHAPE * wide, _ROW * (_rows(figure) + 1))
            height += _straighten(figure, scale)
    figure.set_size_inches(wide, height)
    _scale(figure, scale)
    _restyle(figure, paper)
    _fit_texts(figure, wide)
    if paper.width is not None and paper.width <= _COLUMN:
        uncover_curves(figure)
    return figure


def _rows(figure: Figure) -> int:
    """Rows of axes."""
    specs = [spec for ax in figure.axes if (spec := ax.get_subplotspec()) is not None]
    return max((spec.get_gridspec().nrows for spec in specs), default=1)


def _straighten(figure: Figure, scale: float) -> float:
    """Let slanted names of ticks stand upright, of which more fit; return their height [inches]."""
    tallest = 0.0
    for ax in figure.axes:
        for text in ax.get_xticklabels():
            if text.get_rotation() % 90:
                text.set(rotation=90, ha="center", rotation_mode="default")
                longest = max(map(len, text.get_text().split("\n")))
                tallest = max(tallest, longest * LETTER * text_size(text) * scale / 72)
    return tallest


def _text_scale(paper: PaperStyle) -> float:
    """How much larger texts become: to the size of a style, or to what journals ask."""
    if "font.size" in paper.settings:
        return float(paper.settings["font.size"]) / LABEL
    return 1.0 if paper.width is None else _BASE / LABEL


def _drop_title(figure: Figure) -> None:
    """Take the title away, which a caption says; a warning stays."""
    for text in list(figure.texts):
        if text.get_gid() == TITLE_TEXT:
            text.remove()
            if text is figure._suptitle:  # type: ignore[attr-defined]
                figure._suptitle = None  # type: ignore[attr-defined]


def _rearrange(figure: Figure, panels: Sequence[Axes], paper: PaperStyle, wide: float) -> float:
    """Put the chosen panels into a grid of their own; return the height of the figure [inches]."""
    chosen = [ax for ax in panels if not paper.panels or panel_of(ax) in paper.panels]
    heights = [ax.get_position(original=True).height for ax in chosen]
    narrow = paper.width is not None and paper.width <= _COLUMN
    columns = 1 if len(chosen) == 1 or (narrow and len(chosen) <= _STACKED) else 2
    rows = math.ceil(len(chosen) / columns)
    column = wide / columns
    tallest = max(heights)
    ratios = [h / tallest for h in heights] if columns == 1 else [1.0] * rows
    # a flat panel still needs room for its axis
    ratios = [max(ratio, 0.5) for ratio in ratios]
    grid = figure.add_gridspec(rows, columns, height_ratios=ratios)
    for number, ax in enumerate(chosen):
        ax.set_subplotspec(grid[number // columns, number % columns])
        ax.tick_params(labelbottom=True)
    _label_shared_axes(chosen, columns)
    for upper, lower in zip(chosen, chosen[columns:], strict=False):
        if columns > 1 and upper.get_xlabel() == lower.get_xlabel():
            upper.set_xlabel("")  # the panel below says it
    for ax in panels:
        if ax not in chosen:  # no sooner: what is removed shares no names
            ax.remove()
    beside = [ax for ax in figure.axes if ax not in chosen and not panel_of(ax)]
    if any(ax.get_subplotspec() is not None for ax in beside):
        for ax in beside:  # what belongs to no panel, as the map of a whole cell
            if not hasattr(ax, "_colorbar"):
                ax.remove()
    return column * _SHAPE * sum(ratios) + 0.35


def _label_shared_axes(panels: Sequence[Axes], columns: int) -> None:
    """Name the axes of panels that shared the name of the lowest one, or of the first in a row."""
    for number, ax in enumerate(panels):
        siblings = ax.get_shared_y_axes().get_siblings(ax)
        if number % columns == 0 and len(siblings) > 1:
            ax.tick_params(labelleft=True)
            names = filter(None, (other.get_ylabel() for other in (ax, *siblings)))
            ax.set_ylabel(next(names, ""))
    named = [ax for ax in panels if ax.get_xlabel()]
    for ax in panels:
        if not ax.get_xlabel():
            shared = list(ax.get_shared_x_axes().get_siblings(ax))
            label = next((o.xaxis.label for o in (*shared, *named) if o.get_xlabel()), None)
            if label is not None:
                ax.set_xlabel(label.get_text(), fontsize=text_size(label))


def _scale(figure: Figure, scale: float) -> None:
    """Scale texts, marks and their distances; lines and axes less."""
    if scale == 1.0:
        return
    for text in figure.findobj(Text):
        text.set_fontsize(max(text_size(text) * scale, _SMALLEST))
        if isinstance(text, Annotation) and text.anncoords == "offset points":
            across, up = text.xyann
            text.xyann = scale * across, scale * up
    thin = max(scale, 0.6)
    for line in figure.findobj(Line2D):
        line.set_linewidth(line.get_linewidth() * thin)
        line.set_markersize(line.get_markersize() * scale)
        line.set_markeredgewidth(line.get_markeredgewidth() * thin)
    for bars in figure.findobj(LineCollection):
        bars.set_linewidth([float(width) * thin for width in np.atleast_1d(bars.get_linewidth())])
    for ax in figure.axes:
        ax.tick_params(which="both", labelsize=max(_tick_size(ax) * scale, _SMALLEST))
        ax.tick_params(which="major", length=3.5 * thin, width=0.8 * thin, pad=2.5)
        ax.tick_params(which="minor", length=2.0 * thin, width=0.6 * thin)
        for spine in ax.spines.values():
            spine.set_linewidth(spine.get_linewidth() * thin)


def _tick_size(ax: Axes) -> float:
    params: dict[str, Any] = ax.xaxis.get_tick_params()
    size = params.get("labelsize", rcParams["xtick.labelsize"])
    return float(size) if isinstance(size, int | float) else 9.0


def _restyle(figure: Figure, paper: PaperStyle) -> None:
    """What a style file says of things that the figure sets itself: colours and widths."""
    settings = paper.settings
    if "axes.prop_cycle" in settings:
        cycle = [to_hex(c) for c in settings["axes.prop_cycle"].by_key().get("color", ())]
        colours = {to_hex(ours): theirs for ours, theirs in zip(SERIES, cycle, strict=False)}
        for line in figure.findobj(Line2D):
            for get, put in (
                (line.get_color, line.set_color),
                (line.get_markerfacecolor, line.set_markerfacecolor),
                (line.get_markeredgecolor, line.set_markeredgecolor),
            ):
                colour = get()
                if colour != "none" and to_hex(colour) in colours:
                    put(colours[to_hex(colour)])
        for text in figure.findobj(Text):
            text.set_color(colours.get(to_hex(text.get_color()), text.get_color()))
            patches = (text.get_bbox_patch(), getattr(text, "arrow_patch", None))
            for patch in (patch for patch in patches if patch is not None):
                edge, face = to_hex(patch.get_edgecolor()), to_hex(patch.get_facecolor())
                patch.set_edgecolor(colours.get(edge, patch.get_edgecolor()))
                patch.set_facecolor(colours.get(face, patch.get_facecolor()))
    for ax in figure.axes:
        if "axes.linewidth" in settings:
            for spine in ax.spines.values():
                spine.set_linewidth(settings["axes.linewidth"])
        if "axes.grid" in settings:
            ax.grid(bool(settings["axes.grid"]))
        for side in ("top", "right"):
            if f"axes.spines.{side}" in settings:
                ax.spines[side].set_visible(bool(settings[f"axes.spines.{side}"]))
    if "lines.linewidth" in settings:
        for ax in figure.axes:
            for line in ax.lines:
                if line.get_linestyle() != "None":
                    line.set_linewidth(settings["lines.linewidth"])


def _fit_texts(figure: Figure, wide: float) -> None:
    """Break what is wider than there is room for: titles, legends, the warning."""
    columns = max(
        (spec.get_gridspec().ncols for ax in figure.axes if (spec := ax.get_subplotspec())),
        default=1,
    )
    height = figure.get_figheight()
    for ax in figure.axes:
        spec = ax.get_subplotspec()
        if spec is not None and not hasattr(ax, "_colorbar"):
            grid = spec.get_gridspec()
            ratios: Any = grid.get_height_ratios() or [1.0] * grid.nrows
            mine = ratios[spec.rowspan.start] / sum(ratios)
            _wrap(ax.yaxis.label, 0.72 * mine * height)
            _wrap(ax.xaxis.label, 0.75 * wide / grid.ncols)
        for text in (ax._right_title, ax._left_title):  # type: ignore[attr-defined]
            share = 0.86 if text is ax._right_title else 0.95  # type: ignore[attr-defined]
            _wrap(text, share * 0.82 * wide / columns)
    rows = sum(_refold(figure, legend, wide) for legend in list(figure.legends))
    for text in figure.texts:
        if text.get_gid() != TITLE_TEXT and text not in _laid_out(figure):
            _wrap(text, 0.92 * wide)
            rows += (text.get_text().count("\n") + 1.9) * 1.25 * text_size(text) / 72
    if wide <= _COLUMN / INCH:  # panels keep their heights
        figure.set_figheight(height + rows)
    lines = 0.0
    for text in figure.texts:
        if text in _laid_out(figure):
            continue
        if text.get_gid() == TITLE_TEXT:
            lines += 1.4 * text_size(text)
        else:
            text.set_y(1 - (lines + 0.4 * text_size(text)) / 72 / figure.get_figheight())
            lines += (text.get_text().count("\n") + 1.9) * 1.25 * text_size(text)
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.set(rect=(0, 0, 1, 1 - lines / 72 / figure.get_figheight()))


def _laid_out(figure: Figure) -> list[Text | None]:
    """Texts of a figure that stand where the layout puts them."""
    return [getattr(figure, f"_{name}") for name in ("suptitle", "supxlabel", "supylabel")]


def _wrap(text: Text, inches: float) -> None:
    content = text.get_text()
    letters = int(72 * inches / (LETTER * text_size(text)))
    if content and "$" not in content and max(map(len, content.split("\n"))) > letters:
        flat = " ".join(content.split())
        text.set_text(textwrap.fill(flat, max(letters, 8)))


def _refold(figure: Figure, legend: Legend, wide: float) -> float:
    """The legend of a figure in as many columns as fit; return its height [inches]."""
    if not legend.get_texts():
        return 0.0
    return refolded(figure, legend, figure, 0.97 * wide, loc="outside lower center")


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
        _wrap_cut_label(figure, ax)
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


def _wrap_cut_label(figure: Figure, ax: Axes) -> None:
    """Break the name of a horizontal axis that ends beyond the figure: layouts ignore its width."""
    label = ax.xaxis.label
    box = label.get_window_extent()
    if label.get_text() and (box.x0 < figure.bbox.x0 or box.x1 > figure.bbox.x1):
        _wrap(label, ax.bbox.width / figure.dpi)


def covers_curves(ax: Axes, box: Bbox) -> bool:
    """Whether a box, in pixels, lies over a line or a point of a panel."""
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
    letter = text_size(ax._left_title) / 72 if panel_of(ax) else 0.0  # type: ignore[attr-defined]
    wide = 0.92 * ax.bbox.width / figure.dpi - letter
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
