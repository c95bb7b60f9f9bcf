"""Maps of vacancies and temperature for one column of a paper: chosen points, two colour bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import xarray as xr
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from ddkbase.errors import InputError
from devicephys.plots import style
from devicephys.plots.fields import VACANCY_UNIT, Maps, draw_geometry, finish_panel

__all__ = ["paper_fields_figure"]

_INCH = 0.0254  # m
_NARROWEST_MAP = 0.018  # m
_FONT = 7.0  # points
_LINE = 1.2  # height of a line over the size of its letters


def paper_fields_figure(
    ds: xr.Dataset, width: float = 0.085, points: Sequence[str] = (), fontsize: float = _FONT
) -> Figure:
    """Draw the maps at some of the marked points, in the width of a paper's column.

    A row of vacancy maps above one of temperature maps, mirrored at the axis, with the letter of
    the point and the applied voltage above each; one linear colour scale for each quantity, below.

    Parameters
    ----------
    ds : xarray.Dataset
        An IVTrace v1.
    width : float, default 0.085
        Width of the figure [m].
    points : sequence of str, default ()
        Letters of the points; empty: all that the record has.
    fontsize : float, default 7
        Size of its texts [points].

    Returns
    -------
    matplotlib.figure.Figure
        The picture.

    Raises
    ------
    InputError
        A point that the record does not have, or none at all.
    """
    labels = [str(p) for p in ds["point"].values]
    for point in points:
        if point not in labels:
            hint = f"It has {', '.join(labels)}" if labels else "The run stopped before the first"
            raise InputError(f"fields.png has no panel {point}", "--panels", hint)
    names = list(points or labels)
    if not names:
        raise InputError("the record has no marked point to draw", hint="Let the run go further.")
    columns = max(1, min(len(names), 4, int(width / _NARROWEST_MAP)))
    rows = [names[k : k + columns] for k in range(0, len(names), columns)]
    maps = Maps(ds)
    window, wide = maps.window, width / _INCH
    shape = (window.top - window.bottom) / (window.right - window.left)
    each = (wide - 0.45) / columns * shape + 0.16
    figure = style.new_figure(wide, len(rows) * (2 * each + 0.2) + 1.0)
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.set(w_pad=0.02, h_pad=0.02, wspace=0.0, hspace=0.0)
    room = 72 * (wide - 0.45) / columns  # points that a name has
    bands = [
        band if 0.58 * (fontsize - 1) * len(band.name) < room else replace(band, name="")
        for band in maps.bands
    ]
    grid = figure.add_gridspec(2 * len(rows), columns)
    panels, images = [], {}
    for number, row in enumerate(rows):
        for column, name in enumerate(row):
            for below in (False, True):
                ax = figure.add_subplot(grid[2 * number + below, column])
                images[below] = maps.draw(ax, maps.point(name), window, temperature=below)
                draw_geometry(
                    ax,
                    bands,
                    maps.outline,
                    window,
                    names=number == column == 0,
                    light=below,
                    fontsize=fontsize - 1,
                    thinnest=_LINE * fontsize / 72 / (each - 0.16),
                )
                last = below and number == len(rows) - 1
                finish_panel(ax, first=column == 0, last_row=last, fontsize=fontsize, ticks=3)
                if not below:
                    volts = float(ds["voltage"].values[maps.step(name)])
                    title = f"{name}  {style.minus(f'{volts:+.2f} V')}"
                    ax.set_title(title, fontsize=fontsize, pad=2)
                panels.append(ax)
    # the first stands lowest
    for below, text in ((True, "T (°C)"), (False, f"n ({VACANCY_UNIT})")):
        bar = figure.colorbar(images[below], ax=panels, location="bottom", aspect=40, pad=0.01)
        bar.set_label(text, fontsize=fontsize, labelpad=1)
        bar.ax.tick_params(labelsize=fontsize - 1, length=2, pad=1)
    return figure
