"""Pictures of tables: alpha and beta against the pulse setting (Figs. 2b-d, S8), the reachable
region, and fitted trains."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_lowercase
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter

from compact.table.grid import Inversion, Tabulated
from compact.table.schema import AXES, UNITS, axis_text
from compact.table.trends import SATURATION, Trend, choice, statement
from ddkbase.errors import InputError
from ddkbase.html import signs
from ddkbase.pictures import (
    BLUE,
    ORANGE,
    SERIES,
    SKY,
    TITLE,
    VERMILLION,
    new_figure,
    shared_legend,
    style_ticks,
)
from ddkbase.units import format_si

# alpha orange and beta blue as in the article
_COLOUR = {"alpha": ORANGE, "beta": BLUE}
_MARKERS = "osD^vP"
_BARRED = 8  # lines up to which bars can be told apart
_FEW = 5  # cycles or devices of which no band can be told: they are drawn themselves
_GREEK = {"alpha": "α", "beta": "β"}
_SCALE = {"amplitude": (1.0, "V"), "width": (1e9, "ns"), "initial_resistance": (1e-3, "kΩ")}


def trends_figure(tables: Sequence[Tabulated]) -> Figure:
    """Draw alpha (above) and beta against amplitude, width and initial resistance, as Fig. 2b-d.

    An axis is that of the table which `compact.table.trends.choice` takes; what else varies is
    averaged.
    Dark: 95 % band of the mean, light: of one more cycle (dotted: of one more device). Fewer than
    five devices or cycles are dots in place of bands. A cross: no cell is valid.

    Parameters
    ----------
    tables : sequence of AlphaBetaTable
        The tables.

    Returns
    -------
    Figure
        The picture.

    Raises
    ------
    InputError
        Nothing varies in any of the tables.
    """
    speakers = choice(tables)
    if not speakers:
        raise InputError("nothing varies in this table: there is one setting", "table")
    statements = {(t.axis, t.parameter, t.claim): t for t in statement(tables)}
    figure = new_figure(1.2 + 3.3 * len(speakers), 5.6)
    grid = figure.subplots(2, len(speakers), squeeze=False, sharex="col")
    for column, (axis, table) in enumerate(speakers.items()):
        for row, name in enumerate(("alpha", "beta")):
            ax = grid[row, column]
            _bands(ax, table, name, axis)
            claim = "flat" if name == "alpha" else "rising"
            _mark(ax, statements.get((axis, name, claim)))
            ax.set_ylim(bottom=0)
            _axis_label(ax, axis, row == 1)
            ax.set_ylabel(_GREEK[name], fontsize=12)
            tag = "abcdef"[2 * column + row]
            ax.set_title(tag, loc="left", fontsize=TITLE, weight="bold")
    if "initial_resistance" in speakers:
        column = list(speakers).index("initial_resistance")
        for ax in grid[:, column]:
            ax.axvline(SATURATION / 1e3, color="0.6", linewidth=0.8, linestyle=":")
    shared_legend(figure, grid[1], 5, 8.5)
    return figure


def _bands(ax: Axes, table: Tabulated, name: str, axis: str) -> None:
    means = table.means
    other = [a for a in AXES if a != axis]
    ds = means.mean(other, skipna=True) if table.varied != (axis,) else means.squeeze(other)
    x = np.abs(ds[axis].values) * _SCALE[axis][0]
    order = np.argsort(x)
    x = x[order]
    mean = ds[name].values[order]
    colour = _COLOUR[name]

    kind, number = _repeated(table)
    if number < _FEW:
        singles = _singles(table)[name].mean(other, skipna=True).transpose(axis, "single")
        look: dict[str, Any] = {"color": colour, "markersize": 5, "alpha": 0.6}
        lines = ax.plot(x, singles.values[order], ".", **look)
        lines[0].set_label(f"single {kind}s")
    else:
        _fill(ax, x, ds, name, order)
    marker: dict[str, Any] = {"marker": "o", "markersize": 4, "color": colour, "linewidth": 1.5}
    ax.plot(x, mean, label="mean", **marker)
    gone = x[np.isnan(mean)]
    if gone.size:
        cross: dict[str, Any] = {"marker": "x", "ls": "none", "color": "0.35", "clip_on": False}
        ax.plot(gone, np.zeros(gone.size), label="no valid cell", zorder=5, **cross)
    if axis == "width":
        ax.set_xscale("log")
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.set_xticks(x, _log_labels(x))
        ax.set_xticks([], minor=True)
    style_ticks(ax)


def _fill(ax: Axes, x: np.ndarray, ds: xr.Dataset, name: str, order: np.ndarray) -> None:
    """Bands of one more cycle, of one more device and of the mean, as far as there are."""
    colour, mean = _COLOUR[name], ds[name].values[order]

    def about(key: str) -> tuple[np.ndarray, np.ndarray]:
        half = ds[f"{name}_{key}"].values[order]
        return np.maximum(mean - half, 0.0), mean + half

    cycles = about("cycle_band")
    if np.isfinite(cycles[0]).any():
        ax.fill_between(x, *cycles, color=colour, alpha=0.18, lw=0, label="95 %: one more cycle")
    devices = about("device_band")
    if np.isfinite(devices[0]).any():
        for k, edge in enumerate(devices):
            style: dict[str, Any] = {"color": colour, "linestyle": ":", "linewidth": 1.2}
            ax.plot(x, edge, label="95 %: one more device" if k == 0 else None, **style)
    low, high = about("mean_band")
    ax.fill_between(x, low, high, color=colour, alpha=0.45, lw=0, label="95 %: of the mean")


def _repeated(table: Tabulated) -> tuple[str, int]:
    """What was repeated at every setting, device or cycle, and how often."""
    kind = "device" if table.dataset.sizes["device"] > 1 else "cycle"
    return kind, table.dataset.sizes[kind]


def _singles(table: Tabulated) -> xr.Dataset:
    """Alpha and beta of every valid train, cycles and devices along ``single``."""
    valid = table.dataset[["alpha", "beta"]].where(table.dataset["valid"])
    return valid.stack(single=("cycle", "device"))


def _log_labels(x: np.ndarray) -> list[str]:
    """Labels of ticks x in increasing order on a logarithmic axis; none where they would touch."""
    labels, last = [""] * len(x), np.inf
    for k in reversed(range(len(x))):
        if np.log(last / x[k]) > 0.11 * np.log(x[-1] / x[0]):
            labels[k], last = f"{x[k]:g}", x[k]
    return labels


def _mark(ax: Axes, trend: Trend | None) -> None:
    """Write on the panel whether the article's statement holds."""
    if trend is None:
        return
    word = {True: "yes", False: "no", None: "cannot be told"}[trend.holds]
    word += " (weak)" if trend.weak else ""
    ax.set_title(f"{trend.claim}: {word}", loc="right", fontsize=9, color="0.25")


def _axis_label(ax: Axes, axis: str, labelled: bool) -> None:
    if labelled:
        ax.set_xlabel(f"{axis_text(axis).capitalize()} ({_SCALE[axis][1]})", fontsize=10)


def by_setting_figure(table: Tabulated) -> Figure:
    """Draw alpha and beta of every setting, up to eight lines with 95 % bars, as Fig. S8: of single
    devices if there are several, else of single cycles; a line for each combination of the other
    axes that has valid cells, along the axis that has most. Fewer than five devices or cycles are
    dots in place of bars, which would be of the order of the quantile and not of the scatter.

    Parameters
    ----------
    table : AlphaBetaTable
        The table.

    Returns
    -------
    Figure
        The picture.

    Raises
    ------
    InputError
        Nothing varies.
    """
    if not table.varied:
        raise InputError("nothing varies in this table: there is one setting", "table")
    valid = table.means["alpha"].notnull()

    def places_of(axis: str) -> int:
        return int(valid.any([a for a in AXES if a != axis]).sum())

    first = max(table.varied, key=places_of)
    rest = [a for a in AXES if a != first]
    kind, number = _repeated(table)
    means = table.means.transpose(first, *rest)
    singles = _singles(table).transpose(first, *rest, "single")
    figure = new_figure(9.5, 4.4)
    axes = figure.subplots(1, 2)
    x = np.abs(means[first].values) * _SCALE[first][0]
    order = np.argsort(x)
    every = np.ndindex(*(means.sizes[a] for a in rest))
    places = [p for p in every if means["alpha"][(slice(None), *p)].notnull().any()]
    for ax, tag, name in zip(axes, "ab", ("alpha", "beta"), strict=True):
        ax.set_title(tag, loc="left", fontsize=TITLE, weight="bold")
        for k, index in enumerate(places):
            line = means.isel(dict(zip(rest, index, strict=True)))
            # bars side by side, all near their place
            aside = (k - (len(places) - 1) / 2) * min(0.012, 0.05 / len(places))
            if first == "width":
                beside = x[order] * (x.max() / x.min()) ** aside
            else:
                beside = x[order] + aside * np.ptp(x)
            barred = len(places) <= _BARRED and number >= _FEW
            bars = line[f"{name}_{kind}_band"].values[order] if barred else None
            if number < _FEW:
                dots = singles[name].isel(dict(zip(rest, index, strict=True))).values[order]
                colour = SERIES[k % len(SERIES)]
                ax.plot(beside, dots, ".", color=colour, markersize=4, alpha=0.5)
            setting = (format_si(float(line[a]), UNITS[a]) for a in rest if a in table.varied)
            text = signs(", ".join(setting))
            ax.errorbar(
                beside,
                line[name].values[order],
                bars,
                color=SERIES[k % len(SERIES)],
                marker=_MARKERS[k % len(_MARKERS)],
                linestyle=("-", "--", "-.", ":")[(k // len(SERIES)) % 4],
                markersize=4.5,
                capsize=3,
                linewidth=1.2,
                label=text or "mean",
            )
        scatter = f"dots: {number} single {kind}s" if number < _FEW else f"single {kind}, 95 %"
        if number < _FEW or len(places) <= _BARRED:
            ax.set_title(scatter, loc="right", fontsize=9, color="0.25")
        _axis_label(ax, first, True)
        ax.set_ylabel(_GREEK[name], fontsize=12)
        ax.margins(x=0.08)
        ax.set_ylim(bottom=0)
        if first == "width":
            ax.set_xscale("log")
            ax.xaxis.set_minor_formatter(NullFormatter())
        ax.set_xticks(x[order], [f"{v:g}" for v in x[order]])
        style_ticks(ax)
    shared_legend(figure, axes[:1], 4, 8.5)
    return figure


def region_figure(table: Tabulated, inversion: Inversion | None = None) -> Figure:
    """Draw the pairs that the means reach (blue), their convex hull (dashed), single cells (dots),
    and a wanted pair with the one that comes closest to it.

    Parameters
    ----------
    table : AlphaBetaTable
        The table.
    inversion : Inversion or None, optional
        What `compact.AlphaBetaTable.invert` answered.

    Returns
    -------
    Figure
        The picture.
    """
    region = table.reachable()
    figure = new_figure(6.2, 4.8)
    ax = figure.subplots()
    _sheets(ax, region.sheets)
    if len(region.hull) > 2:  # of one setting or two there is no area
        hull = np.concatenate([region.hull, region.hull[:1]])
        ax.plot(*hull.T, color="0.35", linestyle="--", linewidth=1, label="convex hull")
    ds = table.dataset
    valid = ds["valid"].values
    dots: dict[str, Any] = {"marker": "o", "ms": 2.5, "ls": "none", "color": "0.45", "alpha": 0.6}
    ax.plot(ds["alpha"].values[valid], ds["beta"].values[valid], label="single cells", **dots)
    means = table.means
    style: dict[str, Any] = {"marker": "s", "ms": 5, "ls": "none", "color": BLUE}
    ax.plot(means["alpha"].values.ravel(), means["beta"].values.ravel(), label="means", **style)
    if inversion is not None:
        target = inversion.alpha_wanted, inversion.beta_wanted
        reached = inversion.at.alpha, inversion.at.beta
        ax.plot(
            *target, marker="x", markersize=10, mew=2, ls="none", color=VERMILLION, label="wanted"
        )
        ax.plot(
            *reached, marker="o", markersize=10, mfc="none", mew=2, ls="none", color=VERMILLION,
            label="closest",
        )  # fmt: skip
        ax.plot(*np.transpose([target, reached]), color=VERMILLION, linewidth=1)
    ax.set_xlabel("α", fontsize=12)
    ax.set_ylabel("β", fontsize=12)
    # from zero on, with room beyond the last of pairs that may all lie close together
    ax.set_xlim(0, 1.06 * ax.dataLim.x1)
    ax.set_ylim(0, 1.06 * ax.dataLim.y1)
    ax.xaxis.set_major_locator(MaxNLocator(6, steps=(1, 2, 5, 10)))
    style_ticks(ax)
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=8.5)
    return figure


def _sheets(ax: Axes, sheets: Sequence[np.ndarray]) -> None:
    quads = []
    for k, sheet in enumerate(sheets):
        sheet = sheet.reshape(sheet.shape[0], -1, 2) if sheet.ndim == 3 else sheet.squeeze()
        if min(sheet.shape[:2]) < 2:
            line = sheet.reshape(-1, 2)
            if len(line) < 2:
                continue
            text = "reached by the means" if k == 0 else None
            ax.plot(*line.T, color=SKY, linewidth=2.5, label=text)
            continue
        corners = sheet[:-1, :-1], sheet[1:, :-1], sheet[1:, 1:], sheet[:-1, 1:]
        quads.append(np.stack(corners, axis=2).reshape(-1, 4, 2))
    if quads:
        every = np.concatenate(quads)
        every = every[np.isfinite(every).all((1, 2))]
        colour: dict[str, Any] = {"facecolor": "#CDE7F7", "edgecolor": "#CDE7F7", "linewidth": 0.5}
        ax.add_collection(PolyCollection(list(every), label="reached by the means", **colour))
        ax.autoscale_view()


def trains_figure(table: Tabulated, count: int = 6) -> Figure:
    """Draw trains with their fits, ``count`` valid ones between the best and the worst residual.

    Parameters
    ----------
    table : AlphaBetaTable
        The table.
    count : int, default 6
        How many trains.

    Returns
    -------
    Figure
        The picture.

    Raises
    ------
    InputError
        No train is valid, or the table is a draw and has no trains.
    """
    ds = table.dataset
    residual = np.where(ds["valid"].values, ds["residual"].values, np.nan).ravel()
    sizes = int(np.isfinite(residual).sum())
    if not sizes:
        raise InputError("the table holds no fitted train", "table")
    order = np.argsort(residual)[:sizes]
    picked = order[np.unique(np.linspace(0, sizes - 1, min(count, sizes)).round().astype(int))]
    relative = ds["conductance"].attrs["units"] == "1"
    factor, unit = (1.0, "normalised") if relative else (1e6, "µS")
    rows = -(-len(picked) // 3)
    figure = new_figure(10, 0.6 + 2.6 * rows)
    grid = np.atleast_1d(figure.subplots(rows, min(3, len(picked)), squeeze=False)).ravel()
    sample = ds["sample"].values
    for number, (ax, k) in enumerate(zip(grid, picked, strict=False)):
        tag = ascii_lowercase[number] if number < len(ascii_lowercase) else ""
        at = np.unravel_index(int(k), ds["alpha"].shape)
        ax.plot(sample, ds["conductance"].values[at] * factor, "o", ms=2.2, color=BLUE)
        ax.plot(sample, ds["fitted"].values[at] * factor, color=VERMILLION, linewidth=1.5)
        setting = ", ".join(
            format_si(ds[a].values[i], UNITS[a])
            for a, i in zip(AXES, at, strict=False)
            if np.isfinite(ds[a].values[i])
        )
        text = f"{tag}   {signs(setting)}\n" if setting else f"{tag}   "
        text += (
            f"α {ds['alpha'].values[at]:.3g}, β {ds['beta'].values[at]:.3g}, R {residual[k]:.2g}"
        )
        ax.set_title(text, loc="left", fontsize=8.5)
        style_ticks(ax)
        ax.tick_params(labelsize=8)
        ax.set_ylim(bottom=min(0.0, ax.get_ylim()[0]))
    for ax in grid[len(picked) :]:
        ax.remove()
    figure.supxlabel("Pulses applied", fontsize=10)
    figure.supylabel(f"Conductance ({unit})", fontsize=10)
    return figure
