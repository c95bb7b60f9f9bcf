"""Times of measured loops, and how fast their voltage was swept."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ddkbase.errors import InputError
from ddkbase.units import format_si
from devicephys.measured.ramps import turning_points

__all__ = ["joined_times", "times_and_rate"]

#: shares of a ramp between which its rate is taken, as a voltage may be held at its ends
LEVELS = np.linspace(0.1, 0.9, 9)
#: share by which the rates of ramps may differ
_ALIKE = 0.25


def joined_times(time: np.ndarray, remarks: list[str]) -> np.ndarray:
    """Times that begin anew with each sweep, one behind the other; others as they are.

    Parameters
    ----------
    time : ndarray of float, s
        Time of each sample.
    remarks : list of str
        Gets how often the times begin anew.
    """
    steps = np.diff(time)
    usual = float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0
    back = np.flatnonzero(steps < 0) + 1
    if not back.size or (time[back] > time[0] + 2 * usual).any():
        return time
    out = time.copy()
    for k in back:
        out[k:] += out[k - 1] - out[k] + usual
    remarks.append(f"the time begins anew {len(back)} times: one sweep follows the other")
    return out


def times_and_rate(
    v: np.ndarray,
    loop: np.ndarray,
    time: np.ndarray | None,
    rate: float | None,
    where: str,
    remarks: list[str],
) -> tuple[np.ndarray | None, float | None]:
    """Time in each loop [s], and the sweep rate [V/s], where they are known.

    Parameters
    ----------
    v : ndarray of float, V
        Voltage of each sample.
    loop : ndarray of int
        Number of the loop of each sample.
    time : ndarray of float or None, s
        What a column says.
    rate : float or None, V/s
        What the user says.
    where : str
        The file, for errors.
    remarks : list of str
        Gets that no rate is known, or that ramps differ.

    Raises
    ------
    InputError
        A time that does not increase.
    """
    loops = [np.flatnonzero(loop == k) for k in np.unique(loop)]
    times = np.empty(len(v))
    if rate is not None:
        for own in loops:
            way = np.abs(np.diff(v[own]))
            times[own] = np.concatenate([[0.0], np.cumsum(way)]) / rate
        return times, rate
    if time is None:
        remarks.append("no time and no rate: the sweep rate is not known")
        return None, None
    for own in loops:
        moments = time[own]
        if not np.all(np.diff(moments) > 0):
            late = own[1:][np.diff(moments) <= 0][0]
            raise InputError(
                f"the time does not increase in loop {loop[late]}",
                f"{where}, sample {late + 1}",
                "Name another column with time=..., or give the rate",
            )
        times[own] = moments - moments[0]
    rates, ways = _rates(v, time)
    if not rates.size:
        return times, None
    usual = float(ways.sum() / (ways / rates).sum())
    if rates.max() > (1 + _ALIKE) * rates.min():
        low, high = (format_si(float(x), "V/s", 3) for x in (rates.min(), rates.max()))
        remarks.append(
            f"the sweep rate differs from ramp to ramp, from {low} to {high}: "
            f"{format_si(usual, 'V/s', 3)} is taken"
        )
    return times, usual


def _rates(v: np.ndarray, time: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sweep rate [V/s] and way [V] of each ramp between two turns.

    The rate is the median over parts of the way, so that a voltage which is held meanwhile does not
    count.
    """
    rates, ways = [], []
    for a, b in pairwise(turning_points(v)):
        share, moments = (v[a : b + 1] - v[a]) / (v[b] - v[a]), time[a : b + 1]
        # the first samples that reach each level: stairs have several samples at a voltage
        first = np.unique(np.searchsorted(np.maximum.accumulate(share), LEVELS))
        with np.errstate(all="ignore"):
            parts = np.abs(np.diff(v[a + first])) / np.diff(moments[first])
        if parts.size and np.median(parts) > 0:
            rates.append(float(np.median(parts)))
            ways.append(float(abs(v[b] - v[a])))
    return np.array(rates), np.array(ways)
