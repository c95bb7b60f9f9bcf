"""Recordings of pulse trains: voltage and current over time, with writes and reads in them.

An oscilloscope or a pulse unit writes every sample. What is fitted are the reads: plateaus at the
smallest voltage that comes again and again, each behind the pulses that brought the cell there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from compact.measured.checks import plain_numbers
from compact.measured.headings import QUANTITY, role_of
from compact.measured.roles import Roles
from ddkbase.tables.table import Column, Table
from ddkbase.tables.units import is_relative, unit_factor
from ddkbase.units import format_si

__all__ = ["keep_plateaus"]

_FEWEST = 3  # reads behind pulses, from which a file is a recording of them
_NOISE = 4.0  # standard deviations of a voltage by which samples of one level may differ
_LEAST = 0.005  # share of the largest voltage by which they may differ in any case
_WIDEST = 6.0  # times that difference that a level may be wide; wider is a ramp
_NO_VOLTAGE = 0.01  # share of the largest voltage below which nothing is applied
_WRITES = 1.5  # times the voltage of a read from which a voltage writes
_FEW = 8  # voltages that a list of writes and reads has at most, of one row each
_APART = 3.0  # times the voltage of a read from which one of such a list writes
_FLAT = 0.5  # share of the samples on the levels of a train of pulses; a sweep has fewer
_LARGER = 1.3  # times the current of the reads that the pulses must carry
_RESTS = 0.1  # share of the samples without a voltage in a recording of resistances
_ALIKE = 0.05  # share by which widths of equal pulses may differ


@dataclass
class _Pulses:
    """Pulses in the order of time: first sample, the one behind the last, amplitude, width."""

    starts: np.ndarray
    stops: np.ndarray
    amplitude: np.ndarray  # as the voltage
    width: np.ndarray  # as the time; NaN without one


def keep_plateaus(table: Table, roles: Roles, told: bool) -> None:
    """Leave the reads of a table that holds every sample of a recording.

    Each read becomes a row: of the values, the mean over the second half of its plateau, so that
    what follows an edge does not count. Of several reads between two pulses the last counts. Rows
    get the number of the pulses before them, their amplitude and, with a time, their width at half
    height. A table that is no such recording stays as it is.

    Parameters
    ----------
    table : Table
        All columns; cells and lines are replaced.
    roles : Roles
        Which column is what; pulse, amplitude and width are replaced.
    told : bool
        Whether the user said which column counts the pulses.
    """
    volts = roles.voltage if isinstance(roles.voltage, Column) else roles.amplitude
    if told or roles.direction is not None or not _counts_rows(roles.pulse):
        return
    # a column of amplitudes is of a list of pulses, a row each
    if volts is None or role_of(volts.name) == "amplitude" or roles.amplitude not in (None, volts):
        return
    v = plain_numbers(volts)
    if v.size < 4 * _FEWEST or not np.isfinite(v).all():
        return
    time = None if roles.time is None else plain_numbers(roles.time)
    level, runs, tolerance = _reads(v)
    if not runs:
        return
    pulses = _pulses(v, max(_WRITES * abs(level), abs(level) + 3 * tolerance), tolerance, time)
    flat = sum(stop - start for start, stop in runs) + int(np.sum(np.abs(v) <= 2 * tolerance))
    flat += sum(
        int(np.sum(np.abs(v[a:b] - high) <= 2 * tolerance))
        for a, b, high in zip(pulses.starts, pulses.stops, pulses.amplitude, strict=True)
    )
    before = np.searchsorted(pulses.stops, [start for start, _ in runs], side="right")
    last = [k for k, n in enumerate(before) if k + 1 == len(before) or before[k + 1] != n]
    if flat < _FLAT * v.size or sum(before[k] > 0 for k in last) < _FEWEST:
        return
    if not _follows(roles, v, runs, pulses, 2 * tolerance):
        return
    _replace(table, roles, volts, [runs[k] for k in last], before[last], pulses)
    volt = unit_factor(volts.unit or "1", "V", table.where(volts))
    at = f"{level:.3g}" if volt is None else format_si(level * volt, "V", 3)
    table.assume(
        f"{volts.title}: a recording of {pulses.starts.size} pulses; the {len(last)} reads at {at} "
        "between them are fitted, each the mean over the second half of its plateau"
    )


def _follows(
    roles: Roles, v: np.ndarray, runs: list[tuple[int, int]], pulses: _Pulses, nothing: float
) -> bool:
    """Whether the values are of every sample: a current is larger in a pulse than in a read. Of
    resistances only a time tells, and samples without a voltage."""
    if roles.kind != "current":
        return roles.time is not None and float(np.mean(np.abs(v) <= nothing)) >= _RESTS
    size = np.abs(plain_numbers(roles.values[0]))

    def usual(edges: Iterable[tuple[int, int]], missing: float) -> float:
        inside = np.concatenate([size[start:stop] for start, stop in edges])
        inside = inside[np.isfinite(inside)]
        return float(np.median(inside)) if inside.size else missing

    # a pulse whose current is out of the range of the instrument is large
    written = usual(zip(pulses.starts, pulses.stops, strict=True), np.inf)
    return written > _LARGER * usual(runs, np.inf)


def _counts_rows(column: Column | None) -> bool:
    """Whether there is no column of pulse numbers, or one that counts the rows."""
    return column is None or bool((np.diff(plain_numbers(column)) == 1).all())


def _reads(v: np.ndarray) -> tuple[float, list[tuple[int, int]], float]:
    """Voltage of the reads, first sample of each and the one behind its last, and by how much
    samples of one level differ; no reads where no level may be theirs."""
    largest = float(np.abs(v).max())
    tolerance = _LEAST * largest
    levels = _levels(v, tolerance)
    steps = np.abs(np.diff(v))
    if len(levels) <= _FEW and np.median(steps) > tolerance:  # a row for each write and read
        level, runs = _lowest(v, levels, tolerance, largest / _APART, 1)
        if runs:
            return level, runs, tolerance
    noise = float(np.median(steps)) / 0.954  # of a difference of two normal numbers
    tolerance = max(_NOISE * noise, tolerance)
    flat = v[1:-1][(steps[1:] <= tolerance) & (steps[:-1] <= tolerance)]
    return *_lowest(v, _levels(flat, tolerance), tolerance, largest / _WRITES, 2), tolerance


def _levels(v: np.ndarray, tolerance: float) -> list[np.ndarray]:
    """Samples by their level, sorted: what differs by more than ``tolerance`` is another."""
    ordered = np.sort(v)
    return np.split(ordered, np.flatnonzero(np.diff(ordered) > tolerance) + 1)


def _lowest(
    v: np.ndarray, levels: list[np.ndarray], tolerance: float, most: float, shortest: int
) -> tuple[float, list[tuple[int, int]]]:
    """The smallest voltage up to ``most`` that comes again and again, and where it holds for
    ``shortest`` samples."""
    best: tuple[float, list[tuple[int, int]]] = (0.0, [])
    least = max(2 * tolerance, _NO_VOLTAGE * float(np.abs(v).max()))
    for samples in levels:
        if samples.size < _FEWEST or np.ptp(samples) > _WIDEST * tolerance:
            continue
        level = float(np.median(samples))
        if not least < abs(level) <= most or (best[1] and abs(level) >= abs(best[0])):
            continue
        runs = _runs((v >= samples[0] - tolerance / 2) & (v <= samples[-1] + tolerance / 2))
        runs = [(start, stop) for start, stop in runs if stop - start >= shortest]
        if len(runs) >= _FEWEST:
            best = (level, runs)
    return best


def _runs(inside: np.ndarray) -> list[tuple[int, int]]:
    """Where something holds without a break: first place, and the one behind the last."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], inside.astype(np.int8), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _pulses(v: np.ndarray, threshold: float, apart: float, time: np.ndarray | None) -> _Pulses:
    """Where the voltage is larger than ``threshold``; each sign makes a pulse of its own.

    Amplitudes that differ by less than ``apart`` are of equal pulses.
    """
    runs = sorted(_runs(v > threshold) + _runs(v < -threshold))
    amplitude, width = [], []
    for start, stop in runs:
        inside = v[start:stop]
        top = inside[np.argmax(np.abs(inside))]
        amplitude.append(float(np.median(inside[np.abs(inside) >= 0.9 * abs(top)])))
        width.append(np.nan if time is None else _width(v, time, start, stop, amplitude[-1] / 2))
    starts, stops = (np.array([run[k] for run in runs], int) for k in (0, 1))
    amplitudes, widths = np.array(amplitude), np.array(width)
    if time is not None and runs:
        widths = _equal(widths, max(_ALIKE * float(np.median(widths)), float(np.diff(time).max())))
    return _Pulses(starts, stops, _equal(amplitudes, apart), widths)


def _width(v: np.ndarray, time: np.ndarray, start: int, stop: int, half: float) -> float:
    """How long a pulse is beyond half its height."""
    sign = np.sign(half)

    def crossing(outside: int, inside: int) -> float:
        if not 0 <= outside < v.size:
            return float(time[inside])
        share = (half - v[outside]) / (v[inside] - v[outside])
        return float(time[outside] + share * (time[inside] - time[outside]))

    beyond = start + np.flatnonzero(sign * v[start:stop] >= sign * half)
    first, last = int(beyond[0]), int(beyond[-1])
    return crossing(last + 1, last) - crossing(first - 1, first)


def _equal(values: np.ndarray, apart: float) -> np.ndarray:
    """Values to three digits; those that differ by less than ``apart``, by noise, are one."""
    out = np.array([float(f"{value:.3g}") for value in values])
    order = np.argsort(values)
    for group in np.split(order, np.flatnonzero(np.diff(values[order]) > apart) + 1):
        if group.size and np.ptp(values[group]) <= 2 * apart:  # else they rise by small steps
            out[group] = float(f"{np.median(values[group]):.3g}")
    return out


def _replace(
    table: Table,
    roles: Roles,
    volts: Column,
    runs: list[tuple[int, int]],
    before: np.ndarray,
    pulses: _Pulses,
) -> None:
    """Replace the rows of a table by one for each read, and the columns of the pulses."""
    rows = [start for start, _ in runs]
    read = [slice((start + stop) // 2, stop) for start, stop in runs]
    of_time = roles.time
    for column in table.columns:
        if column in roles.values or column is volts:
            numbers = plain_numbers(column)
            column.cells = np.array([numbers[inside].mean() for inside in read])
        else:
            column.cells = [column.cells[row] for row in rows]
    table.lines = [table.lines[row] for row in rows]
    latest = np.maximum(before - 1, 0)
    number = max(c.number for c in table.columns)

    def added(name: str, unit: str, values: np.ndarray) -> Column:
        nonlocal number
        number += 1
        # where nothing was applied yet there is no pulse to speak of
        return Column(name, unit, np.where(before > 0, values, np.nan), number)

    roles.pulse = added("pulses before the read", "", before.astype(float))
    roles.pulse.cells = before.astype(float)
    roles.amplitude = added("amplitude of the pulses", volts.unit, pulses.amplitude[latest])
    if of_time is not None and not is_relative(of_time.unit or "1"):
        unit_factor(of_time.unit, QUANTITY["time"], table.where(of_time))
        roles.width = added("width of the pulses", of_time.unit, pulses.width[latest])
    if roles.voltage is None:
        roles.voltage = volts
