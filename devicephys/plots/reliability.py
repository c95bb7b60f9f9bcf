"""Pictures of bakes and of program-and-verify cycles.

Of bakes: the resistance over time at each temperature, and the Arrhenius law. Of cycles:
resistances, pulses and heights over the cycle.
"""

from __future__ import annotations

import json
import math

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from devicephys.plots import style
from devicephys.reliability.retention_record import BOLTZMANN_EV, TEN_YEARS, arrhenius

_COLOURS = ("#0072B2", "#009E73", "#E69F00", "#D55E00", "#CC79A7", "#56B4E9")


def retention_figure(ds: xr.Dataset) -> Figure:
    """Draw bakes in two panels.

    (a) the resistance of the reads over time, a line for each ambient temperature, with the
    geometric mean of the window; (b) the times to the geometric mean (discs) and to the middle of
    the window (rings) over 1/kT, with the straight line through the former, dashed where it is
    extrapolated.

    Parameters
    ----------
    ds : xarray.Dataset
        A Retention v1.

    Returns
    -------
    Figure
        A matplotlib figure of 11 x 4.6 inches; `save_figure` writes it.
    """
    figure = style.new_figure(11, 4.6)
    left, right = figure.subplots(1, 2)
    time, temperature = ds["time"].values[1:], ds["temperature"].values
    for k, kelvin in enumerate(temperature):
        resistance = style.KILOOHM / ds["conductance"].values[k, 1:]
        label = f"{kelvin - style.CELSIUS_ZERO:.0f} °C"
        left.plot(time, resistance, color=_COLOURS[k % len(_COLOURS)], label=label)
    mean = style.KILOOHM / math.sqrt(float(ds["low_conductance"]) * float(ds["high_conductance"]))
    left.axhline(mean, color="0.5", linewidth=0.8, linestyle=":")
    left.annotate(
        "geometric mean", (time[0], mean), (2, 3), textcoords="offset points", color="0.35"
    )
    left.set_xscale("log")
    left.set_yscale("log")
    left.legend(frameon=False)
    style.style_axes(left, "Time (s)", "Resistance (kΩ)", "a")
    inverse = 1.0 / (BOLTZMANN_EV * temperature)
    for name, filled in (("time_geometric", True), ("time_half", False)):
        right.plot(
            inverse,
            ds[name].values,
            "o",
            color=style.RESET_COLOUR,
            markerfacecolor=style.RESET_COLOUR if filled else "white",
            label="geometric mean" if filled else "middle",
        )
    _draw_law(right, ds, inverse)
    right.axhline(TEN_YEARS, color="0.5", linewidth=0.8, linestyle=":")
    right.annotate(
        "10 years", (inverse.min(), TEN_YEARS), (2, -3), textcoords="offset points", va="top"
    )
    right.set_yscale("log")
    right.legend(frameon=False, loc="lower right")
    style.style_axes(right, "1/kT (1/eV)", "Time to lose the window (s)", "b")
    return figure


def _draw_law(ax: Axes, ds: xr.Dataset, inverse: np.ndarray) -> None:
    """The line through the times to the geometric mean: solid between them, dashed beyond."""
    times = ds["time_geometric"].values
    found = arrhenius(ds["temperature"].values, times)
    if found is None or json.loads(ds.attrs["headline_json"])["activation_energy_ev"] is None:
        return
    energy, prefactor = found
    known = inverse[np.isfinite(times)]
    inside = np.array([known.min(), known.max()])
    beyond = np.array([known.max(), max(inverse.max(), 1.15 * known.max())])
    for span, line in ((inside, "-"), (beyond, "--")):
        label = f"{energy:.2f} eV" if line == "-" else "extrapolated"
        ax.plot(span, prefactor * np.exp(energy * span), line, color="0.3", label=label)


def endurance_figure(ds: xr.Dataset) -> Figure:
    """Draw cycles in three panels over their number.

    (a) the resistances that were reached, (b) the pulses that each took, (c) the size of the
    largest of them.

    Parameters
    ----------
    ds : xarray.Dataset
        An Endurance v1.

    Returns
    -------
    Figure
        A matplotlib figure of 11 x 4 inches; `save_figure` writes it.
    """
    figure = style.new_figure(11, 4)
    axes = figure.subplots(1, 3)
    panels = (
        ("resistance", "Resistance (kΩ)", style.KILOOHM),
        ("pulses", "Pulses", 1.0),
        ("amplitude_largest", "Largest height (V)", 1.0),
    )
    reached = ds["resistance"].notnull().values
    for ax, (name, text, scale), tag in zip(axes, panels, "abc", strict=True):
        for k, (state, colour) in enumerate(
            (("high, by RESET", style.RESET_COLOUR), ("low, by SET", style.SET_COLOUR))
        ):
            use = reached[:, k]
            values = abs(ds[name].values[use, k]) * scale
            ax.plot(ds["cycle"].values[use], values, "o-", color=colour, markersize=4, label=state)
        style.style_axes(ax, "Cycle", text, tag)
    axes[0].set_yscale("log")
    axes[0].legend(frameon=False)
    return figure
