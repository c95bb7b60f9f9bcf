"""Write-and-verify: bring every cell of an array to its target by pulses and reads.

Each round reads all cells that are not done, and gives each a pulse towards its target. The first
pulse of a polarity is the weakest; it grows by one strength whenever the last one brought the cell
less than a quarter of its remaining way, and starts anew when the polarity changes. A cell is done
when a read finds it within the tolerance, and given up after a number of pulses, or when the
strongest pulses do not move it. Nothing loops for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ddkbase.errors import InputError
from ddkbase.units import format_si, to_si
from network.hardware.cells.cells import CellModel
from network.hardware.cells.noise import ReadNoise, generator, with_faults

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Programming", "write_and_verify"]

WRITTEN, EXHAUSTED, UNMOVED, OUTSIDE = 0, 1, 2, 3
REASONS = ("", "too many pulses", "does not move", "target outside of the window")
_UNMOVED = 8  # strongest pulses in a row that move a cell by less than a tenth of the tolerance


@dataclass(frozen=True)
class Programming:
    """How an array was written.

    ``dataset`` holds, for every cell: target, conductance, error [S], pulses, set_pulses, energy
    [J] of pulses and reads, time [s], outcome (0 written; else see ``reasons``); and for some
    cells the conductances read, ``trace`` on (traced, round), NaN after the last.
    """

    dataset: xr.Dataset
    tolerance: float

    @property
    def conductance(self) -> np.ndarray:
        """Conductances [S] after writing, in the shape of the targets."""
        return np.asarray(self.dataset["conductance"].values)

    @property
    def written(self) -> np.ndarray:
        """Which cells are done, in the shape of the targets."""
        return np.asarray(self.dataset["outcome"].values == WRITTEN)

    def figures(self) -> dict[str, str]:
        """What there is to know at a glance, as texts."""
        ds, done = self.dataset, self.written
        out = {"cells": f"{done.size}", "failed": f"{np.count_nonzero(~done)}"}
        out["failed"] += f" ({100 * np.mean(~done):.2g} %)"
        for code, reason in enumerate(REASONS[1:], 1):
            number = int(np.count_nonzero(ds["outcome"].values == code))
            if number:
                out[reason] = str(number)
        pulsed = done & (ds["pulses"].values > 0)
        error = ds["error"].values[pulsed]
        if error.size:
            mean, deviation = format_si(error.mean(), "S", 3), format_si(error.std(), "S", 3)
            out["error of cells written by pulses"] = f"mean {mean}, deviation {deviation}"
        for name, unit in (("pulses", "1"), ("energy", "J"), ("time", "s")):
            values = ds[name].values
            median, most = np.median(values), np.percentile(values, 99)
            out[name] = (
                f"median {format_si(median, unit, 3)}, 99 % below {format_si(most, unit, 3)}"
            )
        out["energy of the array"] = format_si(ds["energy"].values.sum(), "J", 3)
        out["time, cell by cell"] = format_si(ds["time"].values.sum(), "s", 3)
        rows = ds["time"].values.reshape(ds["time"].shape[0], -1)
        out["time, row by row"] = format_si(rows.max(1).sum(), "s", 3)
        return out

    def __repr__(self) -> str:
        return "\n  ".join(["Programming", *(f"{k}: {v}" for k, v in self.figures().items())])


def write_and_verify(
    cells: CellModel,
    target: Any,
    *,
    rng: np.random.Generator,
    tolerance: Any = "2 uS",
    max_pulses: int = 200,
    start: Any = None,
    read: ReadNoise | None = None,
    reads: int = 1,
    read_voltage: Any = "0.1 V",
    read_time: Any = "100 ns",
    failed: np.ndarray | None = None,
    outside: str = "fail",
    traced: int = 8,
) -> Programming:
    """Write an array.

    Parameters
    ----------
    cells : CellModel
        How cells answer to pulses: `KineticCells`, `MeasuredCells` or another `CellModel`.
    target : array_like, S
        Conductances to reach, of any shape.
    rng : numpy.random.Generator
        Draws devices, cycles and read noise.
    tolerance : str or Quantity, default "2 uS"
        Largest error that a read may find in a cell that is done.
    max_pulses : int, default 200
        Pulses after which a cell is given up.
    start : array_like, S, optional
        Conductances before; the low end of the window if None.
    read : ReadNoise or None, optional
        Noise of a read.
    reads : int, default 1
        How many reads each verification averages. With noise beyond the tolerance, single reads
        pass cells that are only found to be right.
    read_voltage : str or Quantity, default "0.1 V"
        Voltage of one read.
    read_time : str or Quantity, default "100 ns"
        Duration of one read.
    failed : ndarray or None, optional
        Map of failed cells as of `Faults.draw`, which pulses do not move.
    outside : {"fail", "clip"}, default "fail"
        What becomes of targets outside of the window by more than the tolerance.
    traced : int, default 8
        Number of cells that have some way to go of which the course is kept.

    Returns
    -------
    Programming
        What was written, and how. Energy of a pulse: V^2 G t with the conductance before it,
        transistor and cell taken as one.

    Raises
    ------
    InputError
        Numbers or shapes that make no sense.
    """
    goal = _checked_target(target)
    rng = generator(rng, "write-and-verify")
    limit = to_si(tolerance, "S", "tolerance")
    if limit <= 0:
        raise InputError("is not positive", "tolerance")
    if isinstance(max_pulses, bool) or int(max_pulses) != max_pulses or max_pulses < 1:
        raise InputError(f"{max_pulses!r} is no number of pulses", "max_pulses")
    if outside not in ("fail", "clip"):
        raise InputError(f"{outside!r}", "outside", "Use 'fail' or 'clip'")
    window = cells.window
    flat = goal.ravel()
    # a target further outside than the tolerance can never be verified
    far = (flat < window.low - limit) | (flat > window.high + limit)
    if outside == "clip":
        flat, far = np.clip(flat, window.low, window.high), np.zeros_like(far)
    g = np.full(flat.size, window.low)
    if start is not None:
        g = np.broadcast_to(np.asarray(start, float), goal.shape).ravel().copy()
    stuck = np.zeros(flat.size, bool)
    if failed is not None:
        if failed.shape != goal.shape:
            raise InputError(f"shape {failed.shape} for {goal.shape} cells", "failed")
        stuck = failed.ravel() != 0
        g = with_faults(g, failed.ravel(), window)
    way = np.flatnonzero((np.abs(flat - g) > limit) & ~far)
    course = _Course(flat.size, way, int(traced), int(max_pulses))
    if isinstance(reads, bool) or int(reads) != reads or reads < 1:
        raise InputError(f"{reads!r} is no number of reads", "reads")
    read_seconds = reads * to_si(read_time, "s", "read_time")
    read_energy = to_si(read_voltage, "V", "read_voltage") ** 2 * read_seconds
    if read is not None:  # the mean of n reads has 1/n of their variance
        read = ReadNoise(read.relative / np.sqrt(reads), read.absolute / np.sqrt(reads))
    devices = cells.devices(goal.shape, rng)
    top = {sign: cells.strengths(sign) - 1 for sign in (-1, 1)}
    outcome = np.where(far, OUTSIDE, EXHAUSTED).astype(np.int8)
    active = np.flatnonzero(~far)
    last_read = np.full(flat.size, np.nan)
    polarity = np.zeros(flat.size, np.int8)
    strength = np.zeros(flat.size, np.int64)
    unmoved = np.zeros(flat.size, np.int64)
    for turn in range(int(max_pulses) + 1):
        seen = g[active] if read is None else read.read(g[active], rng)
        course.reads[active] += 1
        course.energy[active] += read_energy * g[active]
        course.keep(turn, active, seen)
        miss = flat[active] - seen
        good = np.abs(miss) <= limit
        outcome[active[good]] = WRITTEN
        new = np.where(miss > 0, 1, -1).astype(np.int8)
        moved = np.abs(seen - last_read[active])  # NaN in the first round: compares as False
        at_top = strength[active] == np.where(new > 0, top[1], top[-1])
        # At full strength a cell that moves less than the tolerance can notice is counted out; a
        # change of polarity starts the count anew, since noise of reading turns it at the target.
        still = (moved < 0.1 * limit) & at_top & (new == polarity[active])
        unmoved[active] = np.where(still, unmoved[active] + 1, 0)
        lost = ~good & (unmoved[active] >= _UNMOVED)
        outcome[active[lost]] = UNMOVED
        go = ~good & ~lost
        same = new == polarity[active]
        # less than a quarter of the way that is left: the next pulse of this polarity is stronger
        weak = moved < 0.25 * np.abs(miss)
        rise = np.where(same, strength[active] + (same & weak), 0)
        strength[active] = np.minimum(rise, np.where(new > 0, top[1], top[-1]))
        polarity[active], last_read[active] = new, seen
        active = active[go]
        if not active.size or turn == max_pulses:
            break
        d, s = polarity[active], strength[active]
        course.energy[active] += cells.voltage(d, s) ** 2 * g[active] * cells.width
        course.pulses[active] += 1
        course.set_pulses[active] += d > 0
        moving = active[~stuck[active]]  # failed cells get pulses, and pay for them, in vain
        if moving.size:
            g[moving] = cells.pulsed(
                g[moving], polarity[moving], strength[moving], devices, moving, rng
            )
    seconds = course.pulses * cells.width + course.reads * read_seconds
    return Programming(_dataset(goal, g, outcome, course, seconds), limit)


def _checked_target(target: Any) -> np.ndarray:
    try:
        goal = np.asarray(target, float)
    except (TypeError, ValueError):
        raise InputError("is no array of conductances", "target") from None
    if not goal.size or not np.isfinite(goal).all() or (goal < 0).any():
        raise InputError("holds NaN, infinity, a negative number, or nothing", "target")
    return np.atleast_1d(goal)


class _Course:
    """Counters of all cells, and the reads of some."""

    def __init__(self, size: int, way: np.ndarray, traced: int, rounds: int) -> None:
        self.pulses = np.zeros(size, np.int64)
        self.set_pulses = np.zeros(size, np.int64)
        self.reads = np.zeros(size, np.int64)
        self.energy = np.zeros(size)
        # spread over the cells that have some way to go
        traced = max(min(traced, way.size), 0)
        self.which = way[np.linspace(0, max(way.size - 1, 0), traced).astype(int)]
        self.row = np.full(size, -1)
        self.row[self.which] = np.arange(traced)
        self.trace = np.full((traced, rounds + 1), np.nan)

    def keep(self, turn: int, active: np.ndarray, seen: np.ndarray) -> None:
        rows = self.row[active]
        on = rows >= 0
        self.trace[rows[on], turn] = seen[on]


def _dataset(
    goal: np.ndarray, g: np.ndarray, outcome: np.ndarray, course: _Course, seconds: np.ndarray
) -> xr.Dataset:
    # start-up: a chip that writes nothing by pulses needs no xarray
    import xarray as xr

    from ddkbase.records import label

    dims = {1: ("cell",), 2: ("row", "column")}.get(
        goal.ndim, tuple(f"axis_{k}" for k in range(goal.ndim))
    )
    reached = g.reshape(goal.shape)
    data = {
        "target": label(goal, dims, "S", "conductance wanted"),
        "conductance": label(reached, dims, "S", "conductance after writing"),
        "error": label(reached - goal, dims, "S", "conductance less target"),
        "pulses": label(course.pulses.reshape(goal.shape), dims, "1", "number of pulses"),
        "set_pulses": label(course.set_pulses.reshape(goal.shape), dims, "1", "of them SET"),
        "energy": label(course.energy.reshape(goal.shape), dims, "J", "energy of pulses and reads"),
        "time": label(seconds.reshape(goal.shape), dims, "s", "time of pulses and reads"),
        "outcome": label(
            outcome.reshape(goal.shape), dims, "1", "0 written, else why not (see reasons)"
        ),
    }
    used = np.isfinite(course.trace).any(0)
    trace = course.trace[:, : int(used.sum())]
    data["trace"] = label(trace, ("traced", "round"), "S", "conductance read in each round")
    coords = {
        "traced": label(course.which, "traced", "1", "number of the cell, row by row"),
        "round": label(np.arange(trace.shape[1]), "round", "1", "pulses before the read"),
    }
    attrs = {"reasons": "; ".join(f"{k}: {t}" for k, t in enumerate(REASONS) if t)}
    return xr.Dataset(data, coords, attrs)
