"""Measured loops and pulse trains as runs of a model: a voltage over time, and what to compare.

A train says amplitudes, widths and the reads after its pulses, not the voltage between them. Its
run has trapezoids with edges of `EDGE` of a width, as long at half height as the pulse, one after
the other by way of the read voltage, at which the conductance is current over voltage. So a state
has no time to relax between pulses, nor do reads move it longer than an edge takes.

Profile-likelihood intervals of its parameters come from fits anew, as in
`compact.fitting.profiles`: the values of a parameter at which the best fit of the others has at
most S + s^2 q^2 for its sum of squares, S being that of the optimum, s^2 = S/(n - p) and q
Student's t of n - p (Bates and Watts, Nonlinear Regression Analysis, 1988, section 6.1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import xarray as xr
from scipy.optimize import brentq, least_squares

from ddkbase.errors import InputError
from ddkbase.units import to_si

__all__ = ["EDGE", "Run", "ends_of", "loop_runs", "split_off", "train_runs"]


EDGE = 0.01  # of the width of a pulse
_FLAT = 2  # steps of the flat part of a pulse


@dataclass(frozen=True)
class Run:
    """One voltage over time and what was measured along it.

    Attributes
    ----------
    kind : {"loop", "train"}
        Runs of one kind share the scale of their misfits.
    times, voltages : ndarray, shape (n,), s and V
        What the model is given.
    measured : ndarray, shape (m,), A or S
        Currents of a loop, conductances of a train.
    at : ndarray of int, shape (m,)
        The samples at which it was measured.
    divisor : float, 1 or V
        Of the model's current, which gives what was measured.
    limits : tuple of float, A
        Between which the measured current was held.
    """

    kind: str
    times: np.ndarray
    voltages: np.ndarray
    measured: np.ndarray
    at: np.ndarray
    divisor: float = 1.0
    limits: tuple[float, float] = (-np.inf, np.inf)

    def compared(self, currents: np.ndarray) -> np.ndarray:
        """What the model's currents [A], (n,), say in place of the measured values, (m,)."""
        return np.asarray(np.clip(currents, *self.limits)[self.at] / self.divisor)


def split_off(runs: list[Run], last: int) -> tuple[list[Run], list[Run]]:
    """The runs to fit, and the last ones to predict, none where there are no more than these."""
    keep = len(runs) - last if 0 < last < len(runs) else len(runs)
    return runs[:keep], runs[keep:]


def loop_runs(loops: xr.Dataset) -> list[Run]:
    """A run for each loop.

    Raises
    ------
    InputError
        No time, a gap, times that do not increase.
    """
    missing = [n for n in ("voltage", "current", "time", "loop") if n not in loops.variables]
    if missing:
        hint = "Give the sweep rate" if missing == ["time"] else ""
        raise InputError(f"the loops have no {', '.join(missing)}", "loops", hint)
    columns = [np.asarray(loops[n].values, float) for n in ("time", "voltage", "current")]
    numbers = np.asarray(loops["loop"].values)
    high = float(loops.attrs.get("compliance_positive", np.inf))
    low = float(loops.attrs.get("compliance_negative", np.inf))
    runs = []
    for number in np.unique(numbers):
        t, v, i = (column[numbers == number] for column in columns)
        if not np.isfinite([t, v, i]).all() or t.size < 3 or (np.diff(t) <= 0).any():
            raise InputError(
                f"loop {number}: fewer than 3 samples, a gap, or times that do not increase",
                "loops",
            )
        runs.append(Run("loop", t, v, i, np.arange(t.size), limits=(-abs(low), abs(high))))
    return runs


def train_runs(
    trains: xr.Dataset, amplitude: str | None, width: str | None, read_voltage: str
) -> list[Run]:
    """A run for each train, or for several of which each goes on from the last read of another.

    Parameters
    ----------
    trains : xarray.Dataset
        As `compact.read_pulses` returns it, with a unit.
    amplitude, width : str or None
        Of all pulses, as text, where the data do not say them.
    read_voltage : str
        Voltage of the reads, as text.

    Raises
    ------
    InputError
        Conductances without a unit; an amplitude or width that is missing, or given twice; one
        amplitude for trains both ways.
    """
    where = str(trains.attrs.get("source_file", "trains"))
    if "conductance" not in trains or set(trains["conductance"].dims) != {"train", "pulse"}:
        raise InputError("holds no conductance by train and pulse", where)
    if trains["conductance"].attrs.get("units") != "S":
        raise InputError("the conductances have no unit", where, "Give it, e.g. --units uS")
    volts = to_si(read_voltage, "V", "read_voltage")
    if volts == 0:
        raise InputError("a read voltage of zero gives no current", "read_voltage")
    ways = set(map(str, np.atleast_1d(trains["direction"].values))) if "direction" in trains else {}
    if amplitude is not None and {"up", "down"} <= set(ways):
        raise InputError(
            "one amplitude for trains that go up and trains that go down",
            "amplitude",
            "Give a column of amplitudes, or the trains of one direction",
        )
    values = trains["conductance"].transpose("train", "pulse").values.astype(float)
    settings = [
        _setting(trains, name, text, values.shape, where)
        for name, text in (("amplitude", amplitude), ("width", width))
    ]
    pieces: list[list[np.ndarray]] = []
    latest: tuple[float, str] = (np.nan, "")
    for k, row in enumerate(values):
        length = int(trains["length"].values[k]) if "length" in trains else row.size
        first = float(trains["initial_conductance"].values[k]) if (
            "initial_conductance" in trains) else np.nan  # fmt: skip
        device = str(trains["device"].values[k]) if "device" in trains else ""
        each = [_filled(s[k, :length], name, k, where) for s, name in zip(
            settings, ("amplitude", "width"), strict=True)]  # fmt: skip
        if (each[1] <= 0).any():
            raise InputError(f"train {k + 1} has a pulse without a width above 0", where)
        if first == latest[0] and device == latest[1]:
            pieces[-1] = [np.append(a, b) for a, b in zip(
                pieces[-1], (row[:length], *each), strict=True)]  # fmt: skip
        else:
            pieces.append([np.append(first, row[:length]), *each])
        latest = (float(row[length - 1]), device)
    return [_run_of(piece, volts, where) for piece in pieces]


def _setting(
    trains: xr.Dataset, name: str, text: str | None, shape: tuple[int, ...], where: str
) -> np.ndarray:
    """Amplitude or width of each pulse, (trains, pulses)."""
    if text is not None:
        if name in trains:
            raise InputError(f"the data say the {name} themselves", name)
        return np.full(shape, to_si(text, {"amplitude": "V", "width": "s"}[name], name))
    if name not in trains:
        example = {"amplitude": "--amplitude '-1.5 V'", "width": "--width '100 ns'"}[name]
        raise InputError(f"the file does not say the {name} of its pulses", where, example)
    array = trains[name]
    array = array if "pulse" in array.dims else array.expand_dims(pulse=shape[1], axis=-1)
    return np.asarray(array.transpose("train", "pulse").values, float)


def _filled(values: np.ndarray, name: str, number: int, where: str) -> np.ndarray:
    """Settings of a train, also of pulses that were not read, if all are the same."""
    there = np.isfinite(values)
    if there.all():
        return values
    if not there.any() or np.ptp(values[there]) != 0:
        raise InputError(
            f"train {number + 1}: pulse {int(np.flatnonzero(~there)[0]) + 1} has no {name}", where
        )
    return np.full(values.shape, values[there][0])


def _run_of(piece: list[np.ndarray], volts: float, where: str) -> Run:
    """The run of n + 1 reads, the first before all pulses, of n amplitudes and n widths."""
    reads, amplitudes, widths = piece
    edge = EDGE * widths
    flat = (widths - edge) / _FLAT
    steps = np.column_stack([edge, *[flat] * _FLAT, edge])
    levels = np.column_stack([*[amplitudes] * (_FLAT + 1), np.full(amplitudes.size, volts)])
    times = np.append(0.0, np.cumsum(steps))
    at = np.arange(reads.size) * steps.shape[1]
    there = np.isfinite(reads)
    if np.count_nonzero(there) < 3:
        raise InputError("a train with fewer than 3 reads", where)
    voltages = np.append(volts, levels)
    return Run("train", times, voltages, reads[there], at[there], divisor=volts)


_DOUBLINGS, _CLOSE, _STEPS = 20, 1e-3, 15
_FIRST = 0.05  # of the way to the bound, where there is no standard error to begin with


@dataclass
class _Profile:
    """The fits with one coordinate held, the others starting where the last fit has ended."""

    residuals: Callable[[np.ndarray], np.ndarray]
    best: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    position: int
    step: float
    others: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.others = np.delete(self.best, self.position)

    def squares(self, value: float) -> float:
        """The least sum of squares with the coordinate held."""

        def held(others: np.ndarray) -> np.ndarray:
            return self.residuals(np.insert(others, self.position, value))

        if not self.others.size:
            return float((held(self.others) ** 2).sum())
        low, high = (np.delete(b, self.position) for b in (self.lower, self.upper))
        edge = 1e-9 * (high - low)
        end = least_squares(
            held, np.clip(self.others, low + edge, high - edge), bounds=(low, high), x_scale="jac",
            diff_step=self.step, max_nfev=_STEPS,
        )  # fmt: skip
        self.others = end.x
        return float(2 * end.cost)


def ends_of(
    residuals: Callable[[np.ndarray], np.ndarray],
    best: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    half: np.ndarray,
    reach: float,
    step: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the interval of each coordinate, (p, 2), and whether a bound ends it there, (p, 2).

    Parameters
    ----------
    residuals : callable
        Coordinates (p,) to residuals (n,).
    best, lower, upper : ndarray, shape (p,)
        The optimum and the bounds.
    half : ndarray, shape (p,)
        Half of the linearised interval, from which the search begins; NaN: there is none.
    reach : float
        Student's t at the level.
    step : float
        Relative step of finite differences.
    """
    least = float((residuals(best) ** 2).sum())
    free = max(residuals(best).size - best.size, 1)
    noise = max(least / free, 1e-24)
    ends, bounded = np.full((best.size, 2), np.nan), np.zeros((best.size, 2), bool)
    for k in range(best.size):
        for side, bound in enumerate((lower[k], upper[k])):
            profile = _Profile(residuals, best, lower, upper, k, step)

            def excess(value: float, profile: _Profile = profile) -> float:
                over = max(profile.squares(value) - least, 0.0)
                return float(np.sqrt(over / noise)) - reach

            ends[k, side], bounded[k, side] = _end(excess, best[k], bound, half[k])
    return ends, bounded


def _end(
    excess: Callable[[float], float], best: float, bound: float, half: float
) -> tuple[float, bool]:
    """Where the excess is zero between the optimum and a bound; the bound if it is not."""
    way = bound - best
    if way == 0:
        return bound, True
    share = min(half / abs(way), 1.0) if np.isfinite(half) and half > 0 else _FIRST
    inside = 0.0
    for _ in range(_DOUBLINGS):
        if excess(best + share * way) >= 0:
            root = brentq(
                lambda s: excess(best + s * way), inside, share, xtol=_CLOSE * share, rtol=_CLOSE
            )
            return best + root * way, False
        if share >= 1.0:
            return bound, True
        inside, share = share, min(2 * share, 1.0)
    return bound, True
