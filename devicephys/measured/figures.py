"""Figures of merit of measured loops, by the definitions that serve simulated ones.

`devicephys.simulation.figures_of_merit` takes branches of a loop as a solver gives them: in order,
without noise. What a laboratory measured is brought to that: each ramp is averaged over intervals
of voltage, as short as its noise allows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from ddkbase.units import format_si
from devicephys.device import Compliance, Device
from devicephys.measured.loops import single_loops
from devicephys.measured.ramps import ramp_parts
from devicephys.simulation.figures_of_merit import (
    ONSET_LOSS,
    READ_VOLTAGE,
    SET_RISE,
    reset_onset,
    resistance_at,
    steepest_rise,
    trend_end,
    undetermined,
)

__all__ = [
    "MeasuredFigures",
    "figures_of_measured",
    "limit_remark",
    "measured_entries",
    "measured_rows",
]

#: name of each figure for people, and its unit; the keys are those of a simulated loop
FIGURES = {
    "reset_onset_voltage": ("RESET onset", "V"),
    "set_voltage": ("SET", "V"),
    "low_resistance_before": ("Low resistance, before", "ohm"),
    "high_resistance": ("High resistance", "ohm"),
    "low_resistance_after": ("Low resistance, after", "ohm"),
}
#: intervals of voltage over which samples are averaged, the shortest that will do (V)
INTERVALS = (0.0, 0.005, 0.01, 0.02, 0.04, 0.08)
#: interval around the read voltage (V)
READ_INTERVAL = 0.01
#: standard deviations of the noise that the loss of an onset, or the rise of a SET, has to exceed
CLEAR_LOSS, CLEAR_RISE = 4.0, 8.0
#: factor between two limits of the current beyond which they are not the same one
OTHER_LIMIT = 1.1
#: share of an onset by which every other sample may give another one
UNSURE = 0.1
#: the way of a ramp, in words
_WAYS = {"out": "away from 0 V", "back": "back to 0 V"}
#: median of the size of normal noise, in standard deviations
MEDIAN_SIZE = 0.6745

Ramp = tuple[np.ndarray, np.ndarray]
#: a figure, the interval of voltage averaged over [V], or why it is not determined
Found = tuple[float, float, str]


@dataclass(frozen=True)
class MeasuredFigures:
    """Figures of merit of one measured loop.

    Attributes
    ----------
    values : mapping of str to float
        ``reset_onset_voltage`` and ``set_voltage`` [V], ``low_resistance_before``,
        ``high_resistance`` and ``low_resistance_after`` [ohm, read at 0.1 V]; NaN where the data
        do not give it.
    intervals : mapping of str to float
        Intervals of voltage over which samples were averaged for it [V], by the same names.
    undetermined : mapping of str to str
        Why a figure is not determined, by the same names.
    """

    values: Mapping[str, float]
    intervals: Mapping[str, float]
    undetermined: Mapping[str, str]


def _averaged(ramp: Ramp, width: float) -> Ramp:
    """Mean voltage and current of the samples in each interval of voltage, outwards from 0 V."""
    size, flow = ramp
    number = np.floor(size / width) if width else size
    _, where = np.unique(number, return_inverse=True)
    count = np.bincount(where)
    return np.bincount(where, size) / count, np.bincount(where, flow) / count


def _scatter(y: np.ndarray) -> float:
    """Standard deviation of the noise of a smooth series, from its second differences."""
    if len(y) < 5:
        return 0.0
    return float(np.median(np.abs(np.diff(y, 2))) / MEDIAN_SIZE / np.sqrt(6.0))


def _conductance(ramp: Ramp) -> np.ndarray:
    size, flow = ramp
    use = size > READ_VOLTAGE
    return flow[use] / size[use]


def _onset(out: Ramp) -> Found:
    """Onset of RESET [V] on the ramp to the reset voltage."""
    nothing, noise = float("nan"), 0.0
    if not out[0].max() > READ_VOLTAGE:
        return nothing, 0.0, f"the ramp does not pass {-READ_VOLTAGE:g} V"
    for width in INTERVALS:
        size, flow = _averaged(out, width)
        # beyond, the fall itself would pass for noise
        before = size <= max(trend_end(size, flow), 2 * READ_VOLTAGE)
        conductance = _conductance((size[before], flow[before]))
        if not len(conductance) or not np.median(conductance) > 0:
            return nothing, 0.0, f"no current in the sense of the voltage above {READ_VOLTAGE:g} V"
        noise = _scatter(conductance) / float(np.median(conductance))
        if CLEAR_LOSS * noise < ONSET_LOSS:
            onset = reset_onset(-size, -flow)
            # noise in the trend, which is extrapolated, moves an onset by more than it is wide
            ends = [onset] + [
                reset_onset(*(-x for x in _averaged((out[0][k::2], out[1][k::2]), width)))
                for k in (0, 1)
                if width
            ]
            if np.ptp(ends) > UNSURE * abs(onset):
                text = " and ".join(f"{x:.2f}" for x in (max(ends), min(ends)))
                return nothing, 0.0, f"noise of {100 * noise:.2g} % leaves it between {text} V"
            return onset, width, undetermined(-size, -flow)
    return nothing, 0.0, f"noise of {100 * noise:.2g} % hides a loss of {100 * ONSET_LOSS:.0f} %"


def _set(out: Ramp) -> Found:
    """SET voltage [V] on the ramp to the set voltage."""
    nothing = float("nan")
    for width in INTERVALS:
        ramp = _averaged(out, width)
        conductance = _conductance(ramp)
        if len(conductance) < 3:
            return nothing, 0.0, f"the ramp has too few samples above {READ_VOLTAGE:g} V"
        noise = CLEAR_RISE * _scatter(conductance)
        if not np.ptp(conductance) > noise:
            continue
        voltage, step = steepest_rise(*ramp)
        if not np.isfinite(voltage):
            return nothing, 0.0, f"the conductance never rises by a factor {SET_RISE:g}"
        # the steepest step of finely sampled noise is one of the noise
        if ramp[1][step] / ramp[0][step] - ramp[1][step - 1] / ramp[0][step - 1] > noise:
            return voltage, width, ""
    return nothing, 0.0, "no rise stands out of the noise"


def _read(ramp: Ramp) -> Found:
    """Resistance [ohm] at the read voltage."""
    width = READ_INTERVAL if _scatter(ramp[1]) else 0.0
    size, flow = _averaged(ramp, width)
    nothing = float("nan")
    if not size.min() <= READ_VOLTAGE <= size.max():
        return nothing, 0.0, f"no samples on both sides of {READ_VOLTAGE:g} V"
    resistance = resistance_at(size, flow, READ_VOLTAGE)
    near = np.abs(ramp[0] - READ_VOLTAGE) < 0.5 * READ_VOLTAGE
    if not 0 < resistance < np.inf:
        return nothing, 0.0, f"the current at {READ_VOLTAGE:g} V is an offset or noise"
    if _scatter(ramp[1][near]) > 0.5 * READ_VOLTAGE / resistance:
        return nothing, 0.0, f"noise hides the current at {READ_VOLTAGE:g} V"
    return resistance, width, ""


def figures_of_loop(voltage: np.ndarray, current: np.ndarray) -> MeasuredFigures:
    """Figures of merit of one measured loop.

    Parameters
    ----------
    voltage, current : ndarray of shape (samples,), V and A
        The loop as measured; it may begin anywhere.

    Returns
    -------
    MeasuredFigures
        The figures, by the definitions of `devicephys.simulation.figures_of_merit.LoopFigures`: the
        high resistance is read on the way up or, of a loop whose SET comes first, on the way back
        from RESET.
    """
    ramps = dict[str, Ramp]()
    for name, part in ramp_parts(voltage).items():
        side = 1.0 if name.startswith("positive") else -1.0
        order = np.argsort(np.abs(voltage[part]), kind="stable")
        ramps[name] = np.abs(voltage[part])[order], (side * current[part])[order]
    set_first = next(iter(ramps), "") == "positive out"
    reads = {
        "low_resistance_before": "negative out",
        "high_resistance": "negative back" if set_first else "positive out",
        "low_resistance_after": "positive back",
    }
    values, intervals, why = dict[str, float](), dict[str, float](), dict[str, str]()
    for name in FIGURES:
        ramp = reads.get(name, "negative out" if name == "reset_onset_voltage" else "positive out")
        if ramp not in ramps:
            half, way = ramp.split()
            values[name], intervals[name] = float("nan"), 0.0
            why[name] = f"the loop has no ramp at {half} voltage {_WAYS[way]}"
            continue
        find = _read if name in reads else _onset if ramp == "negative out" else _set
        values[name], intervals[name], why[name] = find(ramps[ramp])
    if why["set_voltage"] and "negative out" in ramps and not _set(ramps["negative out"])[2]:
        why["set_voltage"] += "; it does at negative voltage, where a simulated cell has its RESET"
    return MeasuredFigures(values, intervals, {name: text for name, text in why.items() if text})


def figures_of_measured(measured: xr.Dataset) -> list[MeasuredFigures]:
    """Figures of merit of each measured loop.

    Parameters
    ----------
    measured : xarray.Dataset
        What ``read_loop`` gives.

    Returns
    -------
    list of MeasuredFigures
        Those of loop 1, 2, ...
    """
    return [figures_of_loop(v, i) for v, i in single_loops(measured)]


def _text(name: str, value: float) -> str:
    return f"{value:+.3f} V" if FIGURES[name][1] == "V" else format_si(value, "ohm", 3)


def measured_rows(
    loops: Sequence[MeasuredFigures], runs: Sequence[Mapping[str, Any]]
) -> list[list[str]]:
    """Rows of a table: figures of measured loops, and those of the first loop of each run.

    Parameters
    ----------
    loops : sequence of MeasuredFigures
        What `figures_of_measured` gives.
    runs : sequence of mapping of str to object
        Figures of the first loop of each run, by name [V, ohm].

    Returns
    -------
    list of list of str
        Name; median of the loops and, of several, their extremes and how many give it, or why none
        does; then the value of each run.
    """
    rows = []
    for name, (title, _) in FIGURES.items():
        values = np.array([loop.values[name] for loop in loops])
        good = values[np.isfinite(values)]
        if good.size:
            text = _text(name, float(np.median(good)))
            if good.size > 1:
                text += f" ({_text(name, good.min())} to {_text(name, good.max())})"
            width = max(loop.intervals[name] for loop in loops)
            if width > 2 * READ_INTERVAL:
                text += f", averaged over {1e3 * width:.0f} mV"
            if good.size < len(loops):
                text += f", {good.size} of {len(loops)} loops"
        else:
            text = f"not determined: {loops[0].undetermined[name]}"
        given = [run.get(name) for run in runs]
        rows.append([title, text, *("–" if x is None else _text(name, x) for x in given)])
    return rows


def measured_entries(loops: Sequence[MeasuredFigures]) -> dict[str, Any]:
    """The same for scripts.

    Parameters
    ----------
    loops : sequence of MeasuredFigures
        What `figures_of_measured` gives.

    Returns
    -------
    dict
        ``loops``, a list of figures by name, without those that are not determined;
        ``intervals``, a list of the intervals of voltage averaged over; ``undetermined``, a list
        of why not; ``units``; ``median``, over the loops that give it [V, ohm].
    """
    given = [{name: x for name, x in loop.values.items() if np.isfinite(x)} for loop in loops]
    medians = {
        name: float(np.median([loop[name] for loop in given if name in loop]))
        for name in FIGURES
        if any(name in loop for loop in given)
    }
    return {
        "median": medians,
        "units": {name: unit for name, (_, unit) in FIGURES.items()},
        "loops": given,
        "intervals": [dict(loop.intervals) for loop in loops],
        "undetermined": [dict(loop.undetermined) for loop in loops],
    }


def limit_remark(measured: xr.Dataset, device: Device) -> str:
    """That the current was limited otherwise in the measurement than in a simulated cell.

    Parameters
    ----------
    measured : xarray.Dataset
        What ``read_loop`` gives.
    device : Device
        The cell.

    Returns
    -------
    str
        One line; empty if the limits agree, or one of the two is not known.
    """
    limit, series = measured.attrs.get("compliance_positive"), device.series
    if limit is None or not isinstance(series, Compliance):
        return ""
    if abs(np.log(limit / series.compliance)) < np.log(OTHER_LIMIT):
        return ""
    texts = [format_si(x, "A", 3) for x in (limit, series.compliance)]
    return (
        f"the measured current is limited at {texts[0]}, that of {device.name} at {texts[1]}: set "
        f'series.compliance to "{texts[0]}" to hold the two against each other'
    )
