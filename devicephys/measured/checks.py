"""What a table of voltages and currents must be to count as loops, and what it says of itself."""

from __future__ import annotations

import numpy as np

from ddkbase.errors import InputError
from ddkbase.units import format_si

__all__ = ["FEWEST", "check_loops", "loop_numbers", "number_halves", "signs", "signs_of_current"]

#: samples of a loop
FEWEST = 8
#: a filament of some nanometres that carries more is no filament: the unit is another one (A)
LARGEST_CURRENT = 0.02
#: voltages that no generator of such sweeps reaches (V)
LARGEST_VOLTAGE = 50.0
#: voltages below which no cell of this kind switches (V)
SMALLEST_VOLTAGE = 0.02
#: share of the largest voltage below which its sign says nothing
NOISE = 0.02
#: share of the range of voltages beyond which there is much of it
HALF = 0.3


def check_loops(
    v: np.ndarray,
    i: np.ndarray,
    where: str,
    trust_unit: bool,
    trust_voltage: bool = False,
    trust_columns: bool = False,
) -> list[str]:
    """Refuse what is no loop of a cell, in one line.

    Parameters
    ----------
    v, i : ndarray of float, V and A
        Voltage and current of each sample.
    where : str
        The file, for errors.
    trust_unit : bool
        Whether the user said the unit of the current.
    trust_voltage : bool, default False
        Whether the user said the unit of the voltage.
    trust_columns : bool, default False
        Whether the user said which columns hold voltage and current.

    Returns
    -------
    list of str
        Remarks on what is odd, and taken because the user says so.

    Raises
    ------
    InputError
        Too few samples, a line that is flat, columns that seem swapped, a unit that seems wrong.
    """
    if len(v) < FEWEST:
        raise InputError(f"holds {len(v)} samples, too few for a loop", where)
    largest = float(np.abs(i).max())
    even = _stepped(i) > 0.9 and _stepped(v) < _stepped(i) - 0.15
    small = 0 < np.abs(v).max() < LARGEST_CURRENT
    if not trust_columns and (even or (largest > 5 * LARGEST_CURRENT and small)):
        why = "goes up and down in equal steps" if even else "is larger than the voltage"
        raise InputError(
            f"the current {why}: the two columns seem swapped",
            where,
            "Pass voltage=... and current=...",
        )
    if np.ptp(v) < 1e-3:
        raise InputError(
            f"the voltage does not change: it stays at {format_si(float(v[0]), 'V', 3)}",
            where,
            "Is it the column of the read voltage? Pass voltage=...",
        )
    if not np.ptp(i) > 1e-3 * np.abs(i).max() or np.abs(i).max() == 0.0:
        raise InputError(
            f"the current does not change: it stays at {format_si(float(i[0]), 'A', 3)}",
            where,
            "Is the cell connected, and the range of the instrument right?",
        )
    size, none, much = np.abs(i), np.abs(v) < NOISE * np.abs(v).max(), np.abs(v) > HALF * np.ptp(v)
    if none.sum() > 1 and much.any() and np.median(size[none]) > np.median(size[much]):
        raise InputError(
            "the current is largest where there is no voltage: logarithms, or another column",
            where,
            "Convert logarithms to plain values, or pass current=...",
        )
    if np.abs(v).max() < SMALLEST_VOLTAGE and not trust_voltage:
        raise InputError(
            f"the voltage stays below {format_si(float(np.abs(v).max()), 'V', 3)}: its unit seems "
            "another one",
            where,
            "Pass units={'voltage': 'V'} if these are volts, or 'mV' if it is right",
        )
    if np.abs(v).max() > LARGEST_VOLTAGE:
        raise InputError(
            f"the voltage reaches {format_si(float(np.abs(v).max()), 'V', 3)}: its unit seems "
            "another one",
            where,
            "Pass units={'voltage': 'mV'} if these are millivolts",
        )
    if largest <= LARGEST_CURRENT:
        return []
    what = f"the current reaches {format_si(largest, 'A', 3)}, more than a filament carries"
    if trust_unit:
        return [f"{what}: taken in the unit that was said"]
    raise InputError(
        f"{what}: its unit seems another one",
        where,
        "Pass units={'current': 'mA'}, 'uA' or, if it is right, 'A'",
    )


def signs_of_current(v: np.ndarray, i: np.ndarray) -> str:
    """What is odd about the signs of a current, in one line; empty if nothing is.

    Parameters
    ----------
    v, i : ndarray of float, V and A
        Voltage and current of each sample.

    Returns
    -------
    str
        A remark.
    """
    plain = signs(v) * np.where(np.abs(i) > NOISE * np.abs(i).max(), np.sign(i), 0)
    plain, below = plain[plain != 0], signs(v)[plain != 0] < 0
    if not plain.size or not below.any() or below.all():
        return ""
    if (plain < 0).mean() > 0.9:
        return "the current runs against the voltage throughout: it gets the sign of the voltage"
    if (plain[below] < 0).mean() > 0.9 and (plain[~below] > 0).mean() > 0.9:
        return "the current has one sign at both voltages: it gets the sign of the voltage"
    return ""


def _stepped(x: np.ndarray) -> float:
    """Share of the samples whose change is the usual one in size: near 1 for a swept quantity."""
    change = np.abs(np.diff(x))
    usual = np.median(change)
    return float(np.mean(np.abs(change - usual) <= 0.2 * usual)) if usual > 0 else 0.0


def signs(v: np.ndarray) -> np.ndarray:
    """-1, 0 or 1 for each sample; 0 near no voltage."""
    return np.where(np.abs(v) < NOISE * np.abs(v).max(), 0, np.sign(v)).astype(int)


def number_halves(v: np.ndarray, given: np.ndarray) -> bool:
    """Whether a column gives a number of its own to each sweep of one sign, up and back.

    Parameters
    ----------
    v : ndarray of float, V
        Voltage of each sample.
    given : ndarray of float
        What the column says.
    """
    halves = [set(signs(v)[given == number].tolist()) - {0} for number in np.unique(given)]
    return len(halves) > 1 and set().union(*halves) == {-1, 1} and max(map(len, halves)) == 1


def loop_numbers(v: np.ndarray, given: np.ndarray | None, where: str, partial: bool) -> np.ndarray:
    """Number of the loop of each sample, from 1.

    Parameters
    ----------
    v : ndarray of float, V
        Voltage of each sample, in the order of measurement.
    given : ndarray of float or None
        What a column says, if there is one.
    where : str
        The file, for errors.
    partial : bool
        Whether a loop with one half only is accepted.

    Returns
    -------
    ndarray of int
        Shape (samples,).

    Raises
    ------
    InputError
        A loop that is only half there, or loops that are not numbered in whole numbers.
    """
    if given is not None:
        if not np.all(np.isfinite(given)) or np.any(np.diff(given) < 0):
            raise InputError(
                "the numbers of the loops do not go up", where, "Name another column with loop=..."
            )
        loop = np.cumsum(np.concatenate([[0], np.diff(given) > 0])) + 1
    else:
        loop = _split(v)
    for number in np.unique(loop) if not partial else ():
        inside = v[loop == number]
        halves = set(signs(inside)) - {0}
        missing = "negative" if -1 not in halves else "positive" if 1 not in halves else ""
        if missing or abs(inside[0] - inside[-1]) > 0.25 * np.ptp(inside):
            what = f"has no {missing} half" if missing else "does not come back to where it began"
            raise InputError(
                f"loop {number} is only half there: it {what} (from {inside.min():.3g} to "
                f"{inside.max():.3g} V)",
                where,
                "Leave out its rows, or pass partial=True (compare --partial)",
            )
    return loop.astype(int)


def _split(v: np.ndarray) -> np.ndarray:
    """Loops told apart by the voltage: one begins where the phase of the first sample returns."""
    whole = np.ptp(v)
    moved = np.flatnonzero(np.abs(v - v[0]) > 0.1 * whole)
    way = 1.0 if v[moved[0]] > v[0] else -1.0
    # inside the stops, so that a sweep that begins at one is seen to come back to it
    level = np.clip(v[0], v.min() + 0.1 * whole, v.max() - 0.1 * whole)
    ahead = way * (v - level)
    loop, below, number = np.ones(len(v), dtype=int), False, 1
    for k in range(int(moved[0]), len(v)):
        # noise about the level is no passage
        if ahead[k] < -0.05 * whole:
            below = True
        elif below and ahead[k] >= 0.0:
            below, number = False, number + 1
        loop[k] = number
    # what little follows the return of the last loop belongs to it, and so does a rest there
    last = loop == number
    if last.sum() < 0.1 * len(v) / number or np.ptp(v[last]) < 0.1 * whole:
        loop[loop == number] = max(number - 1, 1)
    return loop
