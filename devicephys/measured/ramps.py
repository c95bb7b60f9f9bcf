"""Ramps of loops on common voltages: a band over many loops, a misfit, a waveform to simulate."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import xarray as xr

from ddkbase.errors import InputError
from devicephys.measured.checks import signs
from devicephys.protocol.waveform import Waveform

__all__ = [
    "POINTS",
    "RAMPS",
    "band_of",
    "log_misfit",
    "ramp_parts",
    "ramps_of",
    "turning_points",
    "waveform_of",
]

#: the four ramps of a loop, by the sign of the voltage and whether its size grows
RAMPS = ("negative out", "negative back", "positive out", "positive back")
#: voltages of a ramp at which loops are compared, and the share of the stop where they begin
POINTS, FIRST = 60, 0.05
#: share of the range of voltages that a turn must exceed to be one
TURN = 0.05


def turning_points(v: np.ndarray) -> np.ndarray:
    """Indices of the first and last sample and of each turn of a swept voltage, in order."""
    least, kept, extreme, rising = TURN * np.ptp(v), [0], 0, 0
    for k in range(1, len(v)):
        if (rising >= 0 and v[k] > v[extreme]) or (rising <= 0 and v[k] < v[extreme]):
            rising = rising or int(np.sign(v[k] - v[extreme]))
            extreme = k
        elif rising and rising * (v[extreme] - v[k]) > least:
            kept.append(extreme)
            extreme, rising = k, -rising
    return np.array([*kept, len(v) - 1]) if kept[-1] != len(v) - 1 else np.array(kept)


def ramp_parts(v: np.ndarray) -> dict[str, slice]:
    """Samples of each ramp of one loop, in the order in which the loop has them.

    A ramp that passes 0 V is cut there; where a loop has a ramp twice the first counts.
    """
    corners = turning_points(v)
    # the stops of a loop are turns; so is each passage of 0 V
    cuts = {*corners.tolist()}
    cuts |= set(np.flatnonzero(np.diff(np.sign(v)) != 0).tolist())
    found: dict[str, slice] = {}
    ordered = sorted(cuts)
    for a, b in pairwise(ordered):
        part = slice(a, b + 1)
        middle = v[(a + b + 1) // 2]
        if b - a < 3 or middle == 0.0:
            continue
        side = "positive" if middle > 0 else "negative"
        out = abs(v[b]) > abs(v[a])
        found.setdefault(f"{side} {'out' if out else 'back'}", part)
    return found


def ramps_of(v: np.ndarray, i: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Size of voltage [V] and of current [A] along each ramp of one loop, outwards from 0 V."""
    found = {}
    for name, part in ramp_parts(v).items():
        size, flow = np.abs(v[part]), np.abs(i[part])
        order = np.argsort(size, kind="stable")
        found[name] = size[order], flow[order]
    return found


def _on(grid: np.ndarray, ramp: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """log10 of a current on voltages, by its conductance, which varies less; NaN outside."""
    size, flow = ramp
    good = (flow > 0) & (size > 0)
    if good.sum() < 2:
        return np.full(len(grid), np.nan)
    conductance = np.interp(
        grid, size[good], np.log10(flow[good] / size[good]), left=np.nan, right=np.nan
    )
    return conductance + np.log10(grid)


def band_of(loops: Sequence[tuple[np.ndarray, np.ndarray]]) -> xr.Dataset:
    """Median and spread of several loops.

    Parameters
    ----------
    loops : sequence of tuple of ndarray
        Voltage [V] and current [A] of each loop, as measured.

    Returns
    -------
    xarray.Dataset
        On (ramp, point) the voltage [V], signed, and the size of the current [A]: ``current``, the
        median, and ``current_low`` and ``current_high``, the 16 and 84 % quantiles; NaN where fewer
        than half of the loops go.
    """
    ramps = [ramps_of(v, i) for v, i in loops]
    voltage = np.full((len(RAMPS), POINTS), np.nan)
    quantiles = np.full((3, len(RAMPS), POINTS), np.nan)
    for k, name in enumerate(RAMPS):
        own = [ramp[name] for ramp in ramps if name in ramp]
        if not own:
            continue
        stop = float(np.median([size[-1] for size, _ in own]))
        grid = np.linspace(FIRST * stop, stop, POINTS)
        logs = np.array([_on(grid, ramp) for ramp in own])
        enough = np.isfinite(logs).sum(0) * 2 >= len(loops)
        voltage[k] = grid * (1 if name.startswith("positive") else -1)
        quantiles[:, k, enough] = 10 ** np.nanquantile(logs[:, enough], (0.5, 0.16, 0.84), axis=0)
    dims = ("ramp", "point")
    variables = {
        name: (dims, values, {"units": unit, "long_name": text})
        for name, values, unit, text in (
            ("voltage", voltage, "V", "Voltage"),
            ("current", quantiles[0], "A", "Median of the current"),
            ("current_low", quantiles[1], "A", "16 % quantile of the current"),
            ("current_high", quantiles[2], "A", "84 % quantile of the current"),
        )
    }
    return xr.Dataset(variables, {"ramp": list(RAMPS)})


def log_misfit(band: xr.Dataset, v: np.ndarray, i: np.ndarray) -> dict[str, float]:
    """Root mean square of log10 of the current of one loop over the median, by ramp and in all.

    Parameters
    ----------
    band : xarray.Dataset
        What `band_of` gives.
    v, i : ndarray of float, V and A
        Voltage and current of the loop.

    Returns
    -------
    dict
        Decades by the name of the ramp, and under "all"; NaN where the two have no voltage in
        common.
    """
    ramps = ramps_of(v, i)
    squares: dict[str, np.ndarray] = {}
    for name in RAMPS:
        if name not in ramps:
            continue
        there = band.sel(ramp=name)
        grid, median = np.abs(there["voltage"].values), there["current"].values
        if not np.isfinite(grid).all():
            continue
        difference = _on(grid, ramps[name]) - np.log10(median)
        squares[name] = difference[np.isfinite(difference)] ** 2
    squares["all"] = np.concatenate([*squares.values(), np.empty(0)])
    return {
        name: float(np.sqrt(part.mean())) if part.size else float("nan")
        for name, part in squares.items()
    }


def _first_reset(v: np.ndarray) -> int:
    """Index in a loop at which its negative half begins, wherever the loop does."""
    side = signs(v)
    told = np.flatnonzero(side)
    if side[told[0]] < 0 and abs(v[0]) < 0.1 * np.abs(v).max():
        return 0
    for before, after in pairwise(told):
        if side[before] > 0 > side[after]:
            return int(before + np.argmin(np.abs(v[before : after + 1])))
    return 0


def waveform_of(measured: xr.Dataset, loop: int = 1) -> tuple[Waveform, np.ndarray, np.ndarray]:
    """What was applied in a measured loop, from its first RESET half on.

    A simulated cell starts in its low state, just after forming. A loop that does not begin with
    RESET is taken from its negative half on; what was measured before that half is taken from the
    next loop or, where there is none, from this one.

    Parameters
    ----------
    measured : xarray.Dataset
        What ``read_loop`` gives, with a sweep rate.
    loop : int, default 1
        Number of the loop.

    Returns
    -------
    waveform : Waveform
        Straight lines through 0 V and the turns.
    samples : ndarray of int
        Which samples of the record it covers, in order.
    times : ndarray of float, s
        When the waveform has the voltage of each of them.

    Raises
    ------
    InputError
        No such loop, or the sweep rate is not known.
    """
    where, loops = str(measured.attrs.get("path", "loop")), measured["loop"].values
    if loop not in loops:
        raise InputError(f"there is no loop {loop}", where, f"Loops 1 to {loops.max()}")
    if "rate" not in measured.attrs:
        raise InputError(
            "the sweep rate is not known", where, "Give a column of times, or rate='1 V/s'"
        )
    v = measured["voltage"].values
    own = np.flatnonzero(loops == loop)
    begin = _first_reset(v[own])
    following = np.flatnonzero(loops == loop + 1)
    rest = own[:begin] if not len(following) else following[: _first_reset(v[following])]
    samples = np.concatenate([own[begin:], rest])
    path = v[samples]
    corners = turning_points(path)
    voltages = path[corners].astype(float)
    voltages[0] = 0.0
    travelled = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(voltages)))])
    moments = travelled / measured.attrs["rate"]
    times = np.empty(len(path))
    for k, (a, b) in enumerate(pairwise(corners)):
        way = (path[a : b + 1] - voltages[k]) / (voltages[k + 1] - voltages[k])
        times[a : b + 1] = moments[k] + np.clip(way, 0.0, 1.0) * (moments[k + 1] - moments[k])
    return Waveform.from_si(moments, voltages), samples, times
