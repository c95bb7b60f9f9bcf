"""Pictures of a parameter sweep and of a screening.

Of a sweep: the curves laid over each other, each figure of merit. Of a screening: how much each
parameter moves each figure of merit.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from ddkbase.pictures import GREY, SEQUENTIAL, SERIES, SMALL
from ddkbase.units import format_si
from devicephys.plots import style
from devicephys.screening.record import (
    by_importance,
    direction,
    figure_label,
    main_figures,
    shown_unit,
)

_COLUMNS = 3
_SAME = 1e-6  # relative differences that are those of a solver
_PREFIXES = {-15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G"}
_PREFIXED = {"V": "V", "A": "A", "s": "s", "m": "m", "ohm": "Ω", "S": "S", "J": "J", "W": "W"}
_MOST_CURVES = 12  # that a legend names
#: first parts of keys that their names do without
_GROUPS = ("layers", "materials", "protocol")
#: variables that every ParameterSweep has besides its figures
_NOT_FIGURES = ("status", "reason", "folder")
#: figures of loops that have a panel; all of them are in the record and its CSV
_OF_LOOPS = (
    "reset_onset_voltage",
    "set_voltage",
    "temperature_reset_edge",
    "temperature_set_edge",
    "low_resistance_before",
    "high_resistance",
    "low_resistance_after",
    "resistance_ratio",
)


def sweep_figure(ds: xr.Dataset, traces: Mapping[str, xr.Dataset] | None = None) -> Figure:
    """Draw a parameter sweep: all curves in one panel, each figure of merit in one of its own.

    Panel (a) shows the size of the current over the voltage of the first loop of each point, the
    conductance after each pulse, or the resistance in the hottest bake; the others a figure of
    merit over the first key that varies by numbers, with a line for each value of the other keys.
    One that is the same at all points has no panel. Of loops at most eight are drawn: switching
    voltages and their temperatures, resistances and their ratio.

    Parameters
    ----------
    ds : xarray.Dataset
        A ParameterSweep v1.
    traces : mapping of str to xarray.Dataset or None, optional
        The record of each point that is done, by the name of its folder.

    Returns
    -------
    matplotlib.figure.Figure
        The picture, 11 inches wide.
    """
    keys = [str(name) for name in ds.coords]
    numeric = [key for key in keys if ds[key].dtype.kind in "fiu"]
    across = (numeric or keys)[0]
    others = [key for key in keys if key != across]
    names = [str(n) for n in ds.data_vars if n not in _NOT_FIGURES]
    if ds.attrs["run"] == "loops":
        names = [name for name in _OF_LOOPS if name in names] or names
    names = [name for name in names if not _is_constant(ds[name].values)] or names
    curves = {k: v for k, v in (traces or {}).items() if _kind(v)}
    panels = len(names) + bool(curves)
    rows = max(1, math.ceil(panels / _COLUMNS))
    figure = style.new_figure(11, 0.9 + 2.7 * rows)
    axes = [figure.add_subplot(rows, min(_COLUMNS, max(panels, 1)), k + 1) for k in range(panels)]
    if curves:
        _draw_curves(axes[0], ds, curves, keys)
    tags = [_tag(k) for k in range(panels)]
    for ax, name, tag in zip(axes[bool(curves) :], names, tags[bool(curves) :], strict=True):
        _draw_figure(ax, ds, name, across, others, tag)
    if others and names:
        handles, texts = axes[-1].get_legend_handles_labels()
        figure.legend(
            handles, texts, loc="outside lower center", ncols=4, fontsize=SMALL, frameon=False
        )
    style.add_heading(figure, ds, title=str(ds.attrs["title"]))
    return figure


def _is_constant(values: np.ndarray) -> bool:
    """Whether a figure is the same at all points, as one that only repeats what was asked for."""
    finite = values[np.isfinite(values)]
    return finite.size > 1 and bool(np.ptp(finite) <= _SAME * np.abs(finite).max())


def _tag(number: int) -> str:
    letters = "abcdefghijklmnopqrstuvwxyz"
    return letters[number] if number < 26 else letters[number // 26 - 1] + letters[number % 26]


def _kind(trace: xr.Dataset) -> str:
    """What the curve of a record is: of a "loop", "pulses", a "bake"; empty if it has none."""
    if "loop" in trace:
        return "loop"
    if "conductance" in trace:
        dims = tuple(map(str, trace["conductance"].dims))
        return {("pulse",): "pulses", ("temperature", "time"): "bake"}.get(dims, "")
    return ""


def _label(ds: xr.Dataset, key: str, k: int) -> str:
    value = ds[key].values[k]
    if isinstance(value, str):
        return value
    unit = str(ds[key].attrs["units"])
    if unit == "K":
        return f"{value - style.CELSIUS_ZERO:.4g} °C"
    text = format_si(float(value), unit)
    return style.minus(text.replace(" u", " µ").replace("ohm", "Ω"))


def _draw_curves(
    ax: Axes, ds: xr.Dataset, curves: Mapping[str, xr.Dataset], keys: list[str]
) -> None:
    """The curve of each point, from dark to light in the order of the points."""
    folders = [str(text).rpartition("/")[2] for text in ds["folder"].values]
    shown = [k for k, name in enumerate(folders) if name in curves]
    colours = colormaps[SEQUENTIAL](np.linspace(0.0, 0.85, max(len(shown), 2)))
    kind = _kind(curves[folders[shown[0]]])
    for colour, k in zip(colours, shown, strict=False):
        label = ", ".join(_label(ds, key, k) for key in keys)
        ax.plot(*_curve(curves[folders[k]], kind), color=colour, linewidth=1.3, label=label)
    if kind == "loop":
        ax.set_yscale("log")
        style.style_axes(ax, "Voltage (V)", "|Current| (µA)", "a")
    elif kind == "pulses":
        style.style_axes(ax, "Pulse number", "Conductance (µS)", "a")
    else:
        ax.set_xscale("log")
        style.style_axes(ax, "Time at the hottest ambient (s)", "Resistance (kΩ)", "a")
    if len(shown) <= _MOST_CURVES:
        # the key itself stands on the axes of the other panels
        ax.legend(fontsize=SMALL - 2, frameon=False, handlelength=1.2, ncols=1 + len(shown) // 7)


def _curve(trace: xr.Dataset, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """What is drawn of the record of one point."""
    if kind == "loop":
        first = trace["loop"].values == trace["loop"].values[0]
        current = np.abs(trace["current"].values[first]) * style.MICROAMPERE
        voltage = trace["voltage"].values[first]
        driven = np.abs(voltage) > 0.01
        return voltage, np.where(driven & (current > 0), current, np.nan)
    if kind == "pulses":
        return trace["pulse"].values, 1e6 * trace["conductance"].values
    return trace["time"].values[1:], style.KILOOHM / trace["conductance"].values[-1, 1:]


def _draw_figure(
    ax: Axes, ds: xr.Dataset, name: str, across: str, others: list[str], tag: str
) -> None:
    """One figure of merit over a key, a line for each combination of the other keys."""
    values, unit = _scaled(ds[name])
    groups: dict[tuple[str, ...], list[int]] = {}
    for k in range(ds.sizes["point"]):
        groups.setdefault(tuple(_label(ds, key, k) for key in others), []).append(k)
    if ds[across].dtype.kind in "fiu":
        x, x_unit = _scaled(ds[across])
    else:
        texts = list(dict.fromkeys(str(v) for v in ds[across].values))
        x, x_unit = np.array([texts.index(str(v)) for v in ds[across].values], dtype=float), ""
        ax.set_xticks(range(len(texts)), texts)
    for number, (label, points) in enumerate(groups.items()):
        order = sorted(points, key=lambda k: float(x[k]))
        colour = SERIES[number % len(SERIES)]
        marker = "os^Dv<>"[number // len(SERIES) % 7]
        ax.plot(
            x[order],
            values[order],
            marker=marker,
            markersize=4.5,
            linewidth=1.2,
            color=colour,
            label=", ".join(label),
        )
    finite = values[np.isfinite(values)]
    if finite.size and np.ptp(finite) < 0.02 * abs(finite.mean()):
        # what does not change by 2 % is shown as constant, not blown up to noise
        reach = 0.05 * max(abs(float(finite.mean())), 1e-12)
        ax.set_ylim(finite.mean() - reach, finite.mean() + reach)
    ax.yaxis.set_major_locator(MaxNLocator(nbins=5))
    long_name = textwrap.fill(str(ds[name].attrs["long_name"]), 26)
    style.style_axes(
        ax,
        _key_name(across) + (f" ({x_unit})" * bool(x_unit)),
        long_name + (f" ({unit})" * bool(unit)),
        tag,
    )


def _key_name(key: str) -> str:
    """A key as a reader of the picture says it: "HfOx thickness" for "layers.HfOx.thickness"."""
    first, dot, rest = key.partition(".")
    return (rest if dot and first in _GROUPS else key).replace(".", " ").replace("_", " ")


def _scaled(array: xr.DataArray) -> tuple[np.ndarray, str]:
    """Values in the unit that suits them, and that unit; °C for temperatures."""
    values, unit = array.values.astype(float), str(array.attrs["units"])
    if unit == "K":
        return values - style.CELSIUS_ZERO, "°C"
    if unit == "V/m":  # fields of a cell are of the order of a volt a nanometre
        return 1e-9 * values, "V/nm"
    if unit not in _PREFIXED:
        return values, "" if unit == "1" else unit
    largest = float(np.nanmax(np.abs(values))) if np.isfinite(values).any() else 0.0
    power = 3 * math.floor(math.log10(largest) / 3) if largest > 0 else 0
    power = min(max(power, min(_PREFIXES)), max(_PREFIXES))
    return values / 10.0**power, f"{_PREFIXES[power]}{_PREFIXED[unit]}"


_PANEL_COLUMNS = 3
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
    columns = min(_PANEL_COLUMNS, max(1, len(names)))
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
