"""Pictures of a current-voltage loop: the curves, the maps at the marked points, the animation.

`iv_figure`, `time_figure` and, over the band of measured loops, `measured_figure` are here;
`fields_figure` and `loop_animation` come from `devicephys.plots.fields` and
`devicephys.plots.film`. None of them touches the global state of matplotlib.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from ddkbase.pictures import GREY, SERIES, SMALL
from devicephys.measured.loops import measured_band, single_loops
from devicephys.plots import style
from devicephys.plots.fields import fields_figure
from devicephys.plots.film import loop_animation
from devicephys.plots.style import MICROAMPERE, new_figure, save_figure, style_axes

__all__ = [
    "fields_figure",
    "iv_figure",
    "loop_animation",
    "measured_figure",
    "save_figure",
    "time_figure",
]


#: width and height of a panel, and what a lettered disc takes [points]
_PANEL, _DISC = np.array([330.0, 230.0]), 15.0
#: share of the largest voltage below which a logarithm of the current is not drawn
_NEAR_ZERO = 0.03


def iv_figure(ds: xr.Dataset) -> Figure:
    """Draw the loop in four panels over the applied voltage.

    (a) magnitude of the current on a log scale with the marked points and the direction of the
    sweep, (b) the current, (c) the resistance, (d) the peak temperature.  Away from zero the
    line is solid, back to zero dashed; RESET is blue, SET vermillion, so that the halves are told
    apart in grey by their side of the axis.  Loops after the first are thinner and lighter.

    Parameters
    ----------
    ds : xarray.Dataset
        An IVTrace v1.

    Returns
    -------
    Figure
        A matplotlib figure of 11 x 8 inches; `save_figure` writes it.

    Raises
    ------
    InputError
        The device kept in the record cannot be read.
    """
    figure = style.new_figure(11, 8)
    axes = figure.subplots(2, 2, sharex=True)
    voltage = ds["voltage"].values
    current = ds["current"].values * style.MICROAMPERE
    # towards 0 V the logarithm falls without end: the line begins and ends before
    driven = np.abs(voltage) > _NEAR_ZERO * np.abs(voltage).max()
    magnitude = np.where(driven & (current != 0), np.abs(current), np.nan)
    resistance = ds["resistance"].values * style.KILOOHM
    celsius = ds["temperature_max"].values - style.CELSIUS_ZERO
    x_label = style.voltage_label(ds)

    panels = (
        (axes[0, 0], magnitude, "Magnitude of current (µA)", "a"),
        (axes[0, 1], current, "Current (µA)", "b"),
        (axes[1, 0], resistance, "Resistance (kΩ)", "c"),
        (axes[1, 1], celsius, "Peak temperature (°C)", "d"),
    )
    for ax, values, name, tag in panels:
        _draw_branches(ax, ds, values)
        style.style_axes(ax, x_label, name, tag)
        ax.xaxis.set_tick_params(labelbottom=True)
    for ax, values in ((axes[0, 0], magnitude), (axes[1, 0], resistance)):
        _log_axis(ax, values)
    # room above the curve for the two temperatures that are written there
    axes[1, 1].set_ylim(top=1.45 * max(float(celsius.max()), 25.0))
    axes[0, 1].axhline(0, color="0.5", linewidth=0.7, zorder=1)
    limit = 1.09 * max(float(np.abs(voltage).max()), 0.1)
    axes[0, 0].set_xlim(-limit, limit)

    for ax, values, _, _ in panels:
        _draw_points(ax, ds, values, letters=ax is not axes[0, 1])
    _draw_arrows(axes[0, 0], ds, magnitude)
    _annotate(axes, style.headline(ds))
    figure.legend(
        handles=_legend_handles(int(ds["loop"].values.max()) > 0),
        loc="outside lower center",
        ncols=6,
        fontsize=9,
        frameon=False,
    )
    style.add_heading(figure, ds)
    return figure


def _draw_branches(ax: Axes, ds: xr.Dataset, values: np.ndarray) -> None:
    voltage = ds["voltage"].values
    for loop, negative, outward, steps in style.branches(ds):
        colour = style.RESET_COLOUR if negative else style.SET_COLOUR
        first = loop == 0
        ax.plot(
            voltage[steps],
            values[steps],
            color=colour if first else style.lighter(colour, 0.55),
            linestyle="-" if outward else (0, (4, 1.6)),
            linewidth=2.0 if first else 1.0,
            zorder=3 if first else 2,
            solid_capstyle="round",
        )


def _log_axis(ax: Axes, values: np.ndarray) -> None:
    """Log scale over what the sweep shows, without the last decades on the way to 0 V."""
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return
    ax.set_yscale("log")
    top = float(finite.max())
    bottom = max(float(finite.min()), top * 1e-4)
    ax.set_ylim(bottom * 0.6, top * 2.2)
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    # within one decade the marks between would be labelled, over the others
    ax.yaxis.set_minor_formatter(NullFormatter())
    if np.log10(top / bottom) < 1.5:
        ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))


def _draw_points(ax: Axes, ds: xr.Dataset, values: np.ndarray, *, letters: bool) -> None:
    """Mark the points A-H: rings, and beside those that would overlap lettered discs."""
    index = style.index_at(ds, ds["time_point"].values)
    voltage = ds["voltage"].values
    shown: list[tuple[str, int]] = []
    for name, exact in zip(ds["point"].values, index, strict=True):
        # at exactly 0 V there is no resistance and no logarithm: the step before stands for it
        first = max(int(exact) - 3, 0)
        near = np.flatnonzero(np.isfinite(values[first : exact + 1]))
        if near.size:
            shown.append((str(name), first + int(near[-1])))
    steps = [i for _, i in shown]
    at = ax.transLimits.transform(ax.transScale.transform(np.c_[voltage[steps], values[steps]]))
    shifts = apart(at * _PANEL, _DISC) if letters and shown else np.zeros((len(shown), 2))
    for (name, i), shift in zip(shown, shifts, strict=True):
        colour = style.RESET_COLOUR if name in "ABCD" else style.SET_COLOUR
        moved = float(np.hypot(*shift)) > 1.0
        if not letters or moved:
            ax.plot(
                voltage[i],
                values[i],
                marker="o",
                markersize=5,
                markerfacecolor="white",
                markeredgecolor=colour,
                markeredgewidth=1.3,
                zorder=6,
            )
        if letters:
            ax.annotate(
                name,
                (voltage[i], values[i]),
                xytext=tuple(shift),
                textcoords="offset points",
                ha="center",
                va="center",
                fontsize=8,
                fontweight="bold",
                bbox={"boxstyle": "circle,pad=0.2", "facecolor": "white", "edgecolor": colour},
                arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.8}
                if moved
                else None,
                zorder=7,
            )


def apart(places: np.ndarray, least: float) -> np.ndarray:
    """Shifts (n, 2) that bring places (n, 2) which are closer than ``least`` apart, in points.

    Zero where there is room.
    """
    moved = places.astype(float).copy()
    for _ in range(200):
        change = np.zeros_like(moved)
        for k in range(len(moved)):
            for j in range(k):
                gap = moved[k] - moved[j]
                distance = float(np.hypot(*gap))
                if distance < least:
                    side = gap / distance if distance > 1e-9 else np.array([1.0, 0.0])
                    change[k] += 0.5 * (least - distance) * side
                    change[j] -= 0.5 * (least - distance) * side
        if not change.any():
            break
        moved += 0.5 * change
    return moved - places


def _draw_arrows(ax: Axes, ds: xr.Dataset, values: np.ndarray) -> None:
    """Put one arrow head on each branch of the first loop, in the direction of the sweep."""
    voltage = ds["voltage"].values
    marked = voltage[style.index_at(ds, ds["time_point"].values)]
    for loop, negative, _, steps in style.branches(ds):
        if loop > 0:
            continue
        index = np.arange(steps.start, steps.stop)
        index = index[np.isfinite(values[index])]
        if index.size < 3:
            continue
        # as far from the lettered discs as the middle of the branch allows
        reach = np.abs(voltage[index]).max()
        places = np.sign(voltage[index[1]]) * reach * np.linspace(0.25, 0.75, 11)
        room = np.abs(places[:, None] - marked[None, :]).min(axis=1) if marked.size else places
        target = places[room.argmax()]
        at = int(np.clip(np.abs(voltage[index] - target).argmin(), 1, index.size - 2))
        before, after = index[at - 1], index[at + 1]
        ax.annotate(
            "",
            (voltage[after], values[after]),
            (voltage[before], values[before]),
            arrowprops={
                "arrowstyle": "-|>,head_width=0.28,head_length=0.55",
                "color": style.RESET_COLOUR if negative else style.SET_COLOUR,
                "shrinkA": 0,
                "shrinkB": 0,
            },
            zorder=5,
        )


def _annotate(axes: np.ndarray, figures: dict[str, float]) -> None:
    """Write the headline figures where they can be read off the curves."""
    for key, word, colour in (
        ("reset_onset_voltage", "RESET onset", style.RESET_COLOUR),
        ("set_voltage", "SET", style.SET_COLOUR),
    ):
        if key not in figures:
            continue
        value = figures[key]
        for ax in axes.flat:
            ax.axvline(value, color=colour, linestyle=":", linewidth=1.1, zorder=1)
        axes[0, 0].annotate(
            style.minus(f"{word}\n{value:+.2f} V"),
            (value, 0.03),
            xycoords=("data", "axes fraction"),
            xytext=(5 if value < 0 else -5, 0),
            textcoords="offset points",
            ha="left" if value < 0 else "right",
            va="bottom",
            fontsize=9,
            color=colour,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
            zorder=8,
        )
    lines = [
        f"{word}: {style.resistance_text(figures[key])}"
        for key, word in (
            ("low_resistance_before", "low, before"),
            ("high_resistance", "high"),
            ("low_resistance_after", "low, after"),
        )
        if key in figures
    ]
    if "resistance_ratio" in figures:
        lines.append(f"ratio: {figures['resistance_ratio']:.1f}")
    if lines:
        _note(axes[1, 0], "\n".join(lines), 0.5, 0.42, "center", "center")
    for key, word, x, side in (
        ("temperature_reset_edge", "edge of RESET", 0.03, "left"),
        ("temperature_set_edge", "edge of SET", 0.97, "right"),
    ):
        if key in figures:
            celsius = figures[key] - style.CELSIUS_ZERO
            _note(axes[1, 1], f"{word}\n{celsius:.0f} °C", x, 0.975, side, "top")


def _note(ax: Axes, text: str, x: float, y: float, side: str, level: str) -> None:
    ax.text(
        x,
        y,
        text,
        transform=ax.transAxes,
        ha=side,
        va=level,
        fontsize=9,
        linespacing=1.35,
        bbox={"facecolor": "white", "edgecolor": "0.8", "boxstyle": "round,pad=0.3"},
        zorder=8,
    )


def _legend_handles(several_loops: bool) -> list[Line2D]:
    handles = [
        Line2D([], [], color=style.RESET_COLOUR, linewidth=2, label="RESET half"),
        Line2D([], [], color=style.SET_COLOUR, linewidth=2, label="SET half"),
        Line2D([], [], color="0.25", linewidth=2, label="away from 0 V"),
        Line2D([], [], color="0.25", linewidth=2, linestyle=(0, (4, 1.6)), label="back to 0 V"),
    ]
    if several_loops:
        handles.append(Line2D([], [], color="0.65", linewidth=1, label="later loops"))
    handles.append(
        Line2D(
            [],
            [],
            marker="o",
            linestyle="none",
            markersize=9,
            markerfacecolor="white",
            markeredgecolor="0.25",
            label="A–H: points with a map",
        )
    )
    return handles


def time_figure(ds: xr.Dataset) -> Figure:
    """Draw a waveform in four panels over time.

    (a) the applied voltage and that across the memristor, (b) the current, (c) the resistance
    where at least 10 mV are applied, on a log scale, (d) the peak temperature.

    Parameters
    ----------
    ds : xarray.Dataset
        An IVTrace v1.

    Returns
    -------
    Figure
        A matplotlib figure of 11 x 8 inches; `save_figure` writes it.
    """
    figure = style.new_figure(11, 8)
    axes = figure.subplots(2, 2, sharex=True)
    end = float(ds["time"].values[-1])
    power = min(max(3 * int(np.floor(np.log10(end) / 3)), -12), 0) if end > 0 else 0
    time = ds["time"].values / 10.0**power
    unit = {0: "s", -3: "ms", -6: "µs", -9: "ns", -12: "ps"}[power]
    voltage = ds["voltage"].values
    axes[0, 0].plot(time, voltage, color="0.2", label="applied")
    device = ds["device_voltage"].values
    if not np.allclose(device, voltage, rtol=0.0, atol=1e-3 * np.abs(voltage).max()):
        axes[0, 0].plot(time, device, color=style.RESET_COLOUR, label="memristor")
        axes[0, 0].legend(frameon=False)
    axes[0, 1].plot(time, ds["current"].values * style.MICROAMPERE, color="0.2")
    resistance = ds["resistance"].values * style.KILOOHM
    read = np.where(np.abs(voltage) >= 0.01, resistance, np.nan)
    axes[1, 0].plot(time, read, color="0.2")
    if np.isfinite(read).any():
        _log_axis(axes[1, 0], read)
    axes[1, 1].plot(time, ds["temperature_max"].values - style.CELSIUS_ZERO, color=style.SET_COLOUR)
    names = ("Voltage (V)", "Current (µA)", "Resistance (kΩ)", "Peak temperature (°C)")
    for ax, name, tag in zip(axes.flat, names, "abcd", strict=True):
        style.style_axes(ax, f"Time ({unit})", name, tag)
        ax.xaxis.set_tick_params(labelbottom=True)
    return figure


def measured_figure(measured: xr.Dataset, runs: Mapping[str, xr.Dataset]) -> Figure:
    """Draw simulated loops over measured ones, linear and logarithmic.

    Parameters
    ----------
    measured : xarray.Dataset
        What ``read_loop`` gives.
    runs : mapping of str to xarray.Dataset
        Records of loops by the name of the run; the first loop of each is drawn.

    Returns
    -------
    matplotlib.figure.Figure
        Current over voltage, and the logarithm of its size; grey is the band of the measured loops.
    """
    band = measured_band(measured)
    count = int(measured.attrs["loops"])
    figure = new_figure(10.0, 4.4)
    for number, tag in enumerate("ab"):
        ax = figure.add_subplot(1, 2, number + 1)
        logarithmic = tag == "b"
        for k in range(band.sizes["ramp"]):
            ramp = band.isel(ramp=k)
            v = ramp["voltage"].values
            side = 1.0 if logarithmic else np.sign(v)
            low, middle, high = (
                MICROAMPERE * side * ramp[name].values
                for name in ("current_low", "current", "current_high")
            )
            ax.fill_between(v, low, high, color="0.82", linewidth=0)
            loops = f"{count} loops:\nmedian, 16 to 84 %" if count > 1 else "one loop"
            label = f"measured, {loops}" if k == 0 else None
            ax.plot(v, middle, color=GREY, linewidth=1.0, label=label)
        for k, (name, ds) in enumerate(runs.items()):
            v, i = single_loops(ds)[0]
            # on the way to 0 V the logarithm would fall without end
            size = np.where(np.abs(v) < _NEAR_ZERO * np.abs(v).max(), np.nan, np.abs(i))
            flow = MICROAMPERE * (size if logarithmic else i)
            label = f"simulated, {Path(name).name}"
            ax.plot(v, flow, color=SERIES[k % len(SERIES)], linewidth=1.3, label=label)
        style_axes(ax, "Voltage (V)", "|Current| (µA)" if logarithmic else "Current (µA)", tag)
        if logarithmic:
            ax.set_yscale("log")
        else:
            ax.legend(fontsize=SMALL, frameon=False)
    return figure
