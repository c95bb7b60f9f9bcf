"""Pictures of pulses: conductance against pulse number, and times and slopes of switching."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from ddkbase.units import format_si, to_si
from devicephys.device.library import device_of
from devicephys.plots import style
from devicephys.simulation.schemas import FAILED, NOT_SWITCHED

MICROSIEMENS = 1e6  # S -> uS
_LOG_FROM = 8.0  # ratio of largest to smallest conductance from which the axis is logarithmic
_MANY = 600  # pulses from which the line between them is thin
_PAUSE_COLOUR = "0.35"


def pulses_figure(ds: xr.Dataset) -> Figure:
    """Draw a pulse train: the conductance above, temperature, current and pulses below.

    (a) conductance read after each pulse in uS over the pulse number, the value before the first
    pulse at 0; on a log scale if it spans a factor of eight or more. Pulses with a negative
    amplitude (RESET) are blue triangles that point down, with a positive one (SET) vermillion
    triangles that point up, pauses of 0 V grey squares. Below, of each pulse: the peak temperature
    and the current at its end, the amplitude if it is not always the same, and so the width.

    Parameters
    ----------
    ds : xarray.Dataset
        A PulseTrace v1.

    Returns
    -------
    Figure
        A matplotlib figure, 9 inches wide; `devicephys.plots.style.save_figure` writes it.

    Raises
    ------
    InputError
        The device kept in the record cannot be read.
    """
    pulse = ds["pulse"].values
    current = ds["current"].values * style.MICROAMPERE
    celsius = ds["temperature_max"].values - style.CELSIUS_ZERO
    lower: list[tuple[np.ndarray, str, bool]] = [
        (celsius, "Peak temperature\n(°C)", False),
        (current, "Current at end of\npulse (µA)", True),
    ]
    if _varies(ds["amplitude"].values):
        lower.append((ds["amplitude"].values, "Amplitude (V)", True))
    if _varies(ds["width"].values):
        scale, unit = _time_unit(float(ds["width"].values.max()))
        lower.append((ds["width"].values * scale, f"Width ({unit})", True))

    figure = style.new_figure(9, 4.4 + 1.6 * len(lower))
    axes = figure.subplots(
        1 + len(lower), 1, sharex=True, height_ratios=[2.6] + [1.0] * len(lower), squeeze=False
    )[:, 0]
    _draw_conductance(axes[0], ds)
    for number, (ax, (values, name, from_zero)) in enumerate(
        zip(axes[1:], lower, strict=True), start=1
    ):
        _draw_values(ax, pulse, values, ds["amplitude"].values)
        if from_zero:
            ax.axhline(0, color="0.5", linewidth=0.7, zorder=1)
        _roomy(ax, values, from_zero=from_zero)
        style.style_axes(ax, "", name, "bcde"[number - 1])
    axes[-1].set_xlabel("Pulse number", fontsize=10)
    axes[-1].xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True, steps=[1, 2, 5, 10]))
    axes[-1].xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
    margin = max(0.02 * pulse.size, 0.15)
    axes[-1].set_xlim(-margin, pulse.size + margin)
    figure.align_ylabels(axes)
    figure.legend(
        handles=list(_handles(ds)),
        loc="outside lower center",
        ncols=5,
        fontsize=9,
        frameon=False,
    )
    style.add_heading(figure, ds, title=_title(ds))
    return figure


def _draw_conductance(ax: Axes, ds: xr.Dataset) -> None:
    start = float(ds["initial_conductance"]) * MICROSIEMENS
    values = ds["conductance"].values * MICROSIEMENS
    pulse, amplitude = ds["pulse"].values, ds["amplitude"].values
    everything = np.concatenate([[start], values])
    ax.plot(
        np.concatenate([[0], pulse]),
        everything,
        color="0.6",
        linewidth=_line_width(pulse),
        zorder=2,
    )
    _draw_marks(ax, pulse, values, amplitude)
    ax.plot(
        0,
        start,
        marker="o",
        markersize=9,
        markerfacecolor="white",
        markeredgecolor="black",
        markeredgewidth=1.5,
        linestyle="none",
        zorder=6,
        clip_on=False,
    )
    style.style_axes(ax, "", f"Conductance at {_volts(ds)} (µS)", "a")
    if everything.min() > 0 and everything.max() / everything.min() >= _LOG_FROM:
        _log_axis(ax, everything)
    else:
        _roomy(ax, everything, from_zero=False)
    target = float(ds["wanted_resistance"])
    if target > 0 and np.isfinite(target):
        ax.axhline(MICROSIEMENS / target, color="0.3", linewidth=1.0, linestyle=(0, (1, 2)))
    ax.set_title(_ends(start, float(values[-1]), everything), loc="right", fontsize=9)


def _volts(ds: xr.Dataset) -> str:
    """The read voltage, as far as the record tells it."""
    text = json.loads(ds.attrs["protocol_json"]).get("read_voltage")
    return style.minus(f"{to_si(text, 'V'):.3g} V") if isinstance(text, str) else "the read"


def _ends(start: float, end: float, everything: np.ndarray) -> str:
    """Start, end and window of the conductance, in one line above the panel."""
    texts = [f"start {_both(start)}", f"end {_both(end)}"]
    low, high = float(everything.min()), float(everything.max())
    if low > 0 and high / low >= 1.005:
        texts.append(f"largest / smallest {high / low:.3g}")
    return ",  ".join(texts)


def _both(microsiemens: float) -> str:
    """A conductance and its resistance, e.g. "198 µS (5.0 kΩ)"."""
    text = f"{microsiemens:.4g} µS"
    if microsiemens > 0:
        text += f" ({style.resistance_text(MICROSIEMENS / microsiemens)})"
    return style.minus(text)


def _draw_values(ax: Axes, pulse: np.ndarray, values: np.ndarray, amplitude: np.ndarray) -> None:
    ax.plot(pulse, values, color="0.6", linewidth=_line_width(pulse), zorder=2)
    _draw_marks(ax, pulse, values, amplitude)


def _draw_marks(ax: Axes, pulse: np.ndarray, values: np.ndarray, amplitude: np.ndarray) -> None:
    size = float(np.clip(550 / pulse.size, 1.6, 7.0))  # points; the panel is about 500 wide
    for _, marker, colour, subset in _polarities(amplitude):
        ax.plot(
            pulse[subset],
            values[subset],
            marker=marker,
            markersize=size,
            markeredgewidth=0.4 if size > 4 else 0.0,
            markeredgecolor="white",
            markerfacecolor=colour,
            linestyle="none",
            zorder=3,
        )


def _polarities(amplitude: np.ndarray) -> Iterator[tuple[str, str, str, np.ndarray]]:
    """Name, marker, colour and pulses of each polarity that occurs."""
    kinds = (
        ("RESET pulse", "v", style.RESET_COLOUR, amplitude < 0),
        ("SET pulse", "^", style.SET_COLOUR, amplitude > 0),
        ("pause (0 V)", "s", _PAUSE_COLOUR, amplitude == 0),
    )
    yield from (kind for kind in kinds if kind[3].any())


def _line_width(pulse: np.ndarray) -> float:
    return 1.2 if pulse.size <= _MANY else 0.5


def _varies(values: np.ndarray) -> bool:
    return bool(np.ptp(values) > 1e-9 * np.abs(values).max())


def _roomy(ax: Axes, values: np.ndarray, *, from_zero: bool) -> None:
    """Linear axis with room around the values, also if they are all the same."""
    low, high = float(values.min()), float(values.max())
    if from_zero:
        low, high = min(low, 0.0), max(high, 0.0)
    middle = (low + high) / 2
    # what does not change by 2 % is shown as constant, not blown up to noise
    reach = max(0.56 * (high - low), 0.02 * abs(middle), 1e-12)
    ax.set_ylim(middle - reach, middle + reach)
    ax.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: style.minus(f"{value:.6g}")))


def _log_axis(ax: Axes, values: np.ndarray) -> None:
    ax.set_yscale("log")
    low, high = float(values.min()), float(values.max())
    ax.set_ylim(low / 1.3, high * 1.3)
    subs = (1.0, 2.0, 5.0) if high / low < 100 else (1.0,)
    ax.yaxis.set_major_locator(LogLocator(subs=subs))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())


def _time_unit(largest: float) -> tuple[float, str]:
    """Factor and name of the unit that suits times up to ``largest`` [s]."""
    for scale, unit in ((1.0, "s"), (1e3, "ms"), (1e6, "µs")):
        if largest * scale >= 1:
            return scale, unit
    return 1e9, "ns"


def _title(ds: xr.Dataset) -> str:
    count = int(ds.sizes["pulse"])
    settings = []
    for name, unit in (("amplitude", "V"), ("width", "s")):
        values = ds[name].values
        ends = (values.min(), values.max()) if _varies(values) else values[:1]
        text = " to ".join(format_si(float(value), unit) for value in ends)
        settings.append(style.minus(text).replace(" us", " µs"))
    pulses = "one pulse" if count == 1 else f"{count} pulses"
    name, reference = device_of(ds).name, ds.attrs["voltage_reference"]
    return f"{name}: {pulses} of {', '.join(settings)} across the {reference}"


def _handles(ds: xr.Dataset) -> Iterator[Line2D]:
    yield Line2D(
        [],
        [],
        marker="o",
        linestyle="none",
        markersize=8,
        markerfacecolor="white",
        markeredgecolor="black",
        markeredgewidth=1.5,
        label="before the first pulse",
    )
    for name, marker, colour, _ in _polarities(ds["amplitude"].values):
        yield Line2D(
            [], [], marker=marker, linestyle="none", markersize=7, color=colour, label=name
        )
    if float(ds["wanted_resistance"]) > 0:
        yield Line2D(
            [], [], color="0.3", linewidth=1.0, linestyle=(0, (1, 2)), label="wanted at the start"
        )


#: slope of switching time against voltage of filamentary HfOx and TaOx cells in mV per decade,
#: rounded; recalled, not re-read: Menzel et al., Adv. Funct. Mater. 25, 6306 (2015); Ielmini, Nardi
#: and Balatti, IEEE Trans. Electron Devices 59, 2049 (2012); see docs/switching_time.md
LITERATURE_MV = (50.0, 200.0)
#: highest mean slope that leaves room for the 16 decades between 1e5 s and 10 ps below 3 V of the
#: TaOx cells of Boettger et al., Sci. Rep. 10, 16391 (2020), mV per decade
LITERATURE_MEAN_MV = 3e3 / 16

NAMES = {"reset": "RESET", "set": "SET"}
COLOURS = {"reset": style.RESET_COLOUR, "set": style.SET_COLOUR}
MARKERS = {"reset": "o", "set": "s"}


def switching_figure(ds: xr.Dataset) -> Figure:
    """Draw switching times in three panels.

    (a) switching time over the size of the voltage on a log scale, arrows where the cell did not
    switch within the limit, (b) the slope between neighbouring voltages in mV per decade of time
    with the range of the literature, (c) the time over 1/T at half of it, with the activation
    energy of a straight line.

    Parameters
    ----------
    ds : xarray.Dataset
        A SwitchingTime v1.

    Returns
    -------
    Figure
        A matplotlib figure of 13 x 5 inches; `plots_style.save_figure` writes it.
    """
    figure = style.new_figure(13, 5)
    times, slopes, arrhenius = figure.subplots(1, 3)
    figures: dict[str, Any] = json.loads(ds.attrs["headline_json"])
    voltage = ds["voltage"].values
    limit = json.loads(ds.attrs["protocol_json"])["limit"]
    for i, polarity in enumerate(str(p) for p in ds["polarity"].values):
        row = ds.isel(polarity=i)
        look: dict[str, Any] = {
            "color": COLOURS[polarity],
            "marker": MARKERS[polarity],
            "markersize": 5,
            "linewidth": 1.6,
        }
        time = row["switching_time"].values
        total = figures[polarity]
        name = NAMES[polarity]
        times.plot(voltage, time, label=_time_label(name, total), **look)
        _mark_unswitched(times, row, COLOURS[polarity], limit)
        middle, pieces = _pieces(voltage, time)
        slopes.plot(middle, pieces, label=name, **look)
        energy = total.get("activation_energy_ev")
        text = name if energy is None else f"{name}: {energy:.2f} eV"
        arrhenius.plot(1e3 / row["temperature_half"].values, time, label=text, **look)
    slopes.axhspan(
        *LITERATURE_MV,
        color="0.88",
        zorder=0,
        label=f"HfOx and TaOx cells, {LITERATURE_MV[0]:.0f}–{LITERATURE_MV[1]:.0f} (recalled:\n"
        "Menzel 2015, Ielmini 2012)",
    )
    slopes.axhline(
        LITERATURE_MEAN_MV,
        color="0.45",
        linestyle=(0, (4, 2)),
        linewidth=1.1,
        zorder=1,
        label="TaOx, mean over 16 decades is below\n(Böttger 2020)",
    )
    x_label = f"Size of the voltage across the {ds.attrs['voltage_reference']} (V)"
    for ax, x, y, tag in (
        (times, x_label, "Switching time (s)", "a"),
        (slopes, x_label, "Slope (mV per decade of time)", "b"),
        (arrhenius, "1000 K / peak temperature at half time", "Switching time (s)", "c"),
    ):
        style.style_axes(ax, x, y, tag)
        ax.set_yscale("log")
        ax.legend(fontsize=8, frameon=False)
    slopes.set_ylim(20, 2000)
    ticks = (20, 50, 100, 200, 500, 1000, 2000)
    slopes.set_yticks(ticks, labels=[f"{tick}" for tick in ticks])
    slopes.minorticks_off()
    figure.suptitle(f"{ds.attrs['title']}\n{ds.attrs['criterion']}", fontsize=10)
    banner = style.banner_text(ds)
    if banner:
        figure.supxlabel(banner, fontsize=9, color="#8A2B00")
    return figure


def _time_label(name: str, figures: dict[str, Any]) -> str:
    """Legend of a curve, e.g. "RESET: 7.1 decades in 1.20 V = 5.9 decades/V = 170 mV/decade"."""
    if figures.get("mv_per_decade") is None:
        return f"{name}: {figures['switched']} of {figures['voltages']} voltages switched"
    slope = figures["mv_per_decade"]
    return (
        f"{name}: {figures['decades']:.1f} decades in {figures['span_volts']:.2f} V,\n"
        f"{1e3 / slope:.1f} decades/V = {slope:.0f} mV/decade"
    )


def _pieces(voltage: np.ndarray, time: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Middles of neighbouring switched voltages [V] and the mV per decade between them; where the
    time does not fall with the voltage, NaN."""
    switched = np.flatnonzero(np.isfinite(time))
    volts, decades = np.diff(voltage[switched]), -np.diff(np.log10(time[switched]))
    slope = np.full(len(volts), np.nan)
    np.divide(1e3 * volts, decades, out=slope, where=decades > 0)
    return 0.5 * (voltage[switched][1:] + voltage[switched][:-1]), slope


def _mark_unswitched(ax: Axes, row: xr.Dataset, colour: str, limit: str) -> None:
    """Arrows at the limit where a voltage was too low, crosses where the solver gave up."""
    status = row["status"].values.astype(str)
    longest = to_si(limit, "s", "limit")
    for outcome, marker in ((NOT_SWITCHED, "^"), (FAILED, "x")):
        where = np.flatnonzero(status == outcome)
        if len(where):
            ax.plot(
                row["voltage"].values[where],
                np.full(len(where), longest),
                linestyle="none",
                marker=marker,
                color=colour,
                markerfacecolor="white",
                label=outcome,
            )
