"""Picture of switching times: time and slope against voltage, time against temperature."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ddkbase.units import to_si
from devicephys.plots import style
from devicephys.simulation.schemas import FAILED, NOT_SWITCHED

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
