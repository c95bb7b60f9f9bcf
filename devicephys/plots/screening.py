"""The picture of a screening: how much each parameter moves each figure of merit."""

from __future__ import annotations

import math
import textwrap
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from ddkbase.pictures import GREY, SMALL
from devicephys.plots import style
from devicephys.screening.record import (
    by_importance,
    direction,
    figure_label,
    main_figures,
    shown_unit,
)

__all__ = ["screening_figure"]

_COLUMNS = 3
_COLOURS = {1: style.VERMILLION, -1: style.BLUE, 0: GREY}
_MEANING = {1: "mu*: raises the figure", -1: "mu*: lowers it", 0: "mu*: in either direction"}


def screening_figure(ds: xr.Dataset) -> Figure:
    """Draw a screening: a panel for each figure of merit, a bar for each parameter.

    A bar is mu* with its standard error, the mean change of the figure over the whole range of
    the parameter; its colour says whether the parameter raises or lowers the figure, the diamond
    is sigma, and "5/8" says that only five of eight effects are there. The parameters are in the
    same order in all panels, first those that matter most. Of loops six figures are drawn, of other
    runs all that any parameter moves.

    Parameters
    ----------
    ds : xarray.Dataset
        A Screening v1.

    Returns
    -------
    matplotlib.figure.Figure
        The picture, 11 inches wide.
    """
    names = main_figures(ds)
    order = by_importance(ds, names)
    columns = min(_COLUMNS, max(1, len(names)))
    rows = max(1, math.ceil(len(names) / columns))
    figure = style.new_figure(11, 1.1 + rows * (1.0 + 0.2 * len(order)))
    shared: Axes | None = None
    for k, name in enumerate(names):
        ax = figure.add_subplot(rows, columns, k + 1, sharey=shared)
        shared = shared or ax
        _draw_bars(ax, ds, name, order, chr(ord("a") + k % 26))
        if k % columns == 0:
            ax.set_yticks(range(len(order)), ds["parameter"].values[order], fontsize=SMALL)
        ax.tick_params(axis="y", labelleft=k % columns == 0, right=False, left=False)
    if names:
        handles = [Patch(color=_COLOURS[way], label=text) for way, text in _MEANING.items()]
        diamond = Line2D([], [], linestyle="", marker="D", markerfacecolor="white", color="black")
        labels = [*_MEANING.values(), "sigma: how it varies within the ranges"]
        whole = ds.sizes["trajectory"]
        if (ds["effects"].values < whole).any():
            handles.append(Patch(visible=False))
            labels.insert(3, f"n/{whole}: effects that are there")
        figure.legend(
            [*handles, diamond],
            labels,
            loc="outside lower center",
            ncols=5,
            fontsize=SMALL,
            frameon=False,
        )
    style.add_heading(figure, ds, title=_title(ds))
    return figure


def _title(ds: xr.Dataset) -> str:
    """What is shown, of how many runs."""
    points, failed = int(ds.attrs["points"]), int(ds.attrs["points_failed"])
    text = f"{ds.attrs['title']}: change over the whole range of a parameter, {points} runs"
    return text + (f", {failed} of them failed" if failed else "")


def _draw_bars(ax: Axes, ds: xr.Dataset, name: str, order: list[int], tag: str) -> None:
    """One figure of merit: mu* of all parameters, in the order given from the top."""
    array = ds[name]
    factor, _ = shown_unit(array)
    rows = {str(s): factor * array.sel(statistic=s).values[order] for s in ds["statistic"].values}
    mu_star, mu = rows["mu_star"], rows["mu"]
    at = np.arange(len(order))
    colours = [_COLOURS[direction(m, s)] for m, s in zip(mu, mu_star, strict=True)]
    ax.barh(at, np.nan_to_num(mu_star), height=0.65, color=colours)
    ax.errorbar(mu_star, at, xerr=rows["mu_star_error"], fmt="none", ecolor="black", elinewidth=1)
    marks: dict[str, Any] = {"linestyle": "", "color": "black"}
    ax.plot(mu_star, at, **marks, marker="|", markersize=5, label="mu*")
    marks |= {"marker": "D", "markersize": 4, "markerfacecolor": "white", "zorder": 3}
    ax.plot(rows["sigma"], at, **marks, clip_on=False, label="sigma")
    ax.set_ylim(len(order) - 0.4, -0.6)
    ax.margins(x=0.14)
    ax.set_xlim(left=0)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=4))
    whole, count = ds.sizes["trajectory"], ds["effects"].sel(figure=name).values[order]
    for k in np.flatnonzero(count < whole):
        place: dict[str, Any] = {
            "xycoords": ("axes fraction", "data"),
            "ha": "right",
            "va": "center",
        }
        ax.annotate(f"{count[k]}/{whole}", (0.99, at[k]), **place, fontsize=SMALL - 2, color=GREY)
    style.style_axes(ax, textwrap.fill(f"mu* of {figure_label(array)}", 24), "", tag)
