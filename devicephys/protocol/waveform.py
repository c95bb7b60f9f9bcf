"""What is done to a cell: the voltage applied at its terminals as a function of time, from a
description or from the file of a generator or recorder.

The terminals are the top electrode and the far end of the series element; the bottom side is
grounded. Waveforms are piecewise linear, and time stepping has to hit every corner.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np

from ddkbase.errors import InputError, shorten
from ddkbase.tables.reading import file_content, table_of
from ddkbase.tables.table import Column, FileOptions, Table, has_units_in_cells, numbers
from ddkbase.tables.units import LOGARITHM, is_relative, quantity_of
from ddkbase.units import exact_text, to_si, to_si_array
from devicephys.device import Device

_MOST_LOOPS = 100_000


@dataclasses.dataclass(frozen=True, init=False)
class Waveform:
    """Piecewise linear voltage through the corners (times, voltages); compared by value.

    Parameters
    ----------
    times, voltages : Quantity array, pair of array and str, or sequence of str or Quantity
        Texts with units, pint quantity arrays, or numbers with their one unit, of equal length;
        e.g. `Waveform(["0 s", "1 ms"], ["0 V", "1 V"])` or `Waveform((t, "ms"), (v, "V"))`. The
        first time is 0.

    Raises
    ------
    InputError
        Zero length, times that do not increase, unequal lengths, NaN or infinite.
    """

    _times: tuple[float, ...] = dataclasses.field(repr=False)
    _voltages: tuple[float, ...] = dataclasses.field(repr=False)

    def __init__(self, times: object, voltages: object) -> None:
        self._keep(to_si_array(times, "s", "times"), to_si_array(voltages, "V", "voltages"))

    @classmethod
    def from_si(cls, times: Sequence[float], voltages: Sequence[float]) -> Waveform:
        """Waveform from plain numbers, times in s and voltages in V; for use inside the toolkit."""
        waveform = Waveform.__new__(Waveform)
        waveform._keep(np.asarray(times, dtype=float), np.asarray(voltages, dtype=float))
        return waveform

    def _keep(self, times: np.ndarray, voltages: np.ndarray) -> None:
        if times.ndim != 1 or times.shape != voltages.shape:
            raise InputError(
                f"{times.size} times for {voltages.size} voltages", "waveform", "Give one for one"
            )
        if not (np.all(np.isfinite(times)) and np.all(np.isfinite(voltages))):
            raise InputError("a corner is not a finite number", "waveform")
        if times.size < 2 or times[-1] <= times[0]:
            raise InputError(
                "the protocol has zero length", "waveform", "Give two corners at different times"
            )
        if times[0] != 0:
            raise InputError(f"starts at {times[0]:g} s", "times[0]", "Start at 0 s")
        late = np.flatnonzero(np.diff(times) <= 0)
        if late.size:
            raise InputError(
                "times do not increase", f"times[{late[0] + 1}]", "Each must exceed the one before"
            )
        object.__setattr__(self, "_times", tuple(times.tolist()))
        object.__setattr__(self, "_voltages", tuple(voltages.tolist()))

    @property
    def corners(self) -> np.ndarray:
        """Times [s] of all corners, shape (corners,), from 0 to the end, increasing."""
        return np.array(self._times)

    @property
    def corner_voltages(self) -> np.ndarray:
        """Voltages [V] at the corners, shape (corners,)."""
        return np.array(self._voltages)

    @property
    def duration(self) -> float:
        """Time of the last corner [s]."""
        return self._times[-1]

    @property
    def slope_limit(self) -> float:
        """Largest `|dV/dt|` of any segment [V/s]."""
        return float(np.max(np.abs(np.diff(self._voltages) / np.diff(self._times))))

    def voltage(self, t: float) -> float:
        """Voltage [V] at the terminals of the cell at time `t` [s].

        Exactly the corner value at a corner; the first and last value are held outside.
        """
        if not math.isfinite(t):
            raise InputError(f"time {t} is not a finite number", "waveform")
        return float(np.interp(t, self._times, self._voltages))

    def to_dict(self) -> dict[str, Any]:
        """Plain mapping with texts, from which ``protocol_from_dict`` makes an equal waveform."""
        return {
            "kind": "Waveform",
            "times": [exact_text(t, "s") for t in self._times],
            "voltages": [exact_text(v, "V") for v in self._voltages],
        }


@dataclasses.dataclass(frozen=True, init=False)
class IVSweep(Waveform):
    """Triangular current-voltage sweep: 0, one stop, 0, the other stop, 0, as often as `loops`.

    Parameters
    ----------
    reset_voltage : str or Quantity, default "-1.7 V"
        Negative stop, text or pint quantity.
    set_voltage : str or Quantity, default "1.7 V"
        Positive stop.
    rate : str or Quantity, default "1 V/s"
        Voltage per time, the same on every flank.
    loops : int, default 1
        How often the loop is run.
    first : {"reset", "set"}, default "reset"
        Which half comes first.

    Raises
    ------
    InputError
        No unit, wrong dimension, a stop of the wrong sign, zero length.

    Notes
    -----
    Attributes hold plain numbers in V and V/s.
    """

    reset_voltage: float
    set_voltage: float
    rate: float
    loops: int
    first: Literal["reset", "set"]

    def __init__(
        self,
        reset_voltage: object = "-1.7 V",
        set_voltage: object = "1.7 V",
        rate: object = "1 V/s",
        loops: int = 1,
        first: Literal["reset", "set"] = "reset",
    ) -> None:
        reset = to_si(reset_voltage, "V", "reset_voltage")
        set_ = to_si(set_voltage, "V", "set_voltage")
        slope = to_si(rate, "V/s", "rate")
        if reset == 0 and set_ == 0:
            raise InputError("the protocol has zero length", "IVSweep", "Both stops are 0 V")
        if not reset < 0:
            raise InputError(f"{reset:g} V is not negative", "reset_voltage", "RESET is negative")
        if not set_ > 0:
            raise InputError(f"{set_:g} V is not positive", "set_voltage", "SET is positive")
        if not slope > 0:
            raise InputError(f"{slope:g} V/s is not positive", "rate", "Give the size of the slope")
        if isinstance(loops, bool) or not isinstance(loops, int) or not 1 <= loops <= _MOST_LOOPS:
            raise InputError(
                f"{shorten(loops)} is no number of loops", "loops", "Give a whole number from 1 up"
            )
        if not isinstance(first, str) or first not in ("reset", "set"):
            raise InputError(f"{shorten(first)} is no half", "first", "Give 'reset' or 'set'")
        values = {"reset_voltage": reset, "set_voltage": set_, "rate": slope}
        for name, value in {**values, "loops": loops, "first": first}.items():
            object.__setattr__(self, name, value)

        stops = (reset, set_) if first == "reset" else (set_, reset)
        loop = [0.0, stops[0], 0.0, stops[1]]
        # Every corner is reckoned from the voltage travelled up to it, so that rounding does not
        # add up from loop to loop.
        first_way, second_way = abs(stops[0]), abs(stops[1])
        period = 2 * first_way + 2 * second_way
        ways = np.array([0.0, first_way, 2 * first_way, 2 * first_way + second_way])
        travelled = np.array([*np.add.outer(np.arange(loops) * period, ways).flat, loops * period])
        with np.errstate(over="ignore"):  # an absurd rate gives an infinite time, refused below
            times = travelled / slope
        self._keep(times, np.array([*(loop * loops), 0.0]))

    @property
    def slope_limit(self) -> float:
        """`|dV/dt|` [V/s], the same on every flank."""
        return self.rate

    @classmethod
    def from_device(cls, device: Device) -> Self:
        """The sweep that the device is meant for."""
        sweep = device.sweep
        return cls(
            exact_text(sweep.reset_voltage, "V"),
            exact_text(sweep.set_voltage, "V"),
            exact_text(sweep.rate, "V/s"),
            sweep.loops,
            sweep.first,
        )

    def loop_times(self, i: int) -> tuple[float, float]:
        """Start and end [s] of loop `i`, counted from 0.

        Raises
        ------
        InputError
            There is no such loop.
        """
        if not 0 <= i < self.loops:
            raise InputError(f"no loop {i}", "loop_times", f"Loops run from 0 to {self.loops - 1}")
        return self._times[4 * i], self._times[4 * i + 4]

    def to_dict(self) -> dict[str, Any]:
        """Plain mapping with texts, from which ``protocol_from_dict`` makes an equal sweep."""
        return {
            "kind": "IVSweep",
            "reset_voltage": exact_text(self.reset_voltage, "V"),
            "set_voltage": exact_text(self.set_voltage, "V"),
            "rate": exact_text(self.rate, "V/s"),
            "loops": self.loops,
            "first": self.first,
        }


#: no cell of this kind stands more: a larger number was written in mV, V
_MOST_VOLTS = 20.0
_NAMES = {
    "time": re.compile(r"(time|zeit|temps)\b.*|t", re.IGNORECASE),  # "T (K)" is none
    "voltage": re.compile(
        r"(voltage|volt|v|u|vapp|bias|spannung|tension|potential|amplitude)\b.*", re.IGNORECASE
    ),
}
_UNITS = {"time": "s", "voltage": "V"}
#: of a heading whose times are lengths of segments, or whose values are logarithms
_LENGTHS = re.compile(
    r"(?i)(?<![a-z])(increments?|delta|segments?|rise|fall|durations?|width|dwell|hold|step)(?![a-z])"
)
_HINT = "Write text in UTF-8, its first line 'time (ms),voltage (V)', then one corner a line"


def read_waveform(path: str | Path, note: Callable[[str], object] | None = None) -> Waveform:
    """The waveform in a file with a time and a voltage column.

    The columns are those whose headings name them, else the only one in volts and the only one in
    seconds; units stand in the headings, "time (ms)", "voltage [V]", in a row below or in the
    cells. Other columns count for nothing.

    Parameters
    ----------
    path : str or Path
        The file: a text (what parts the columns, the coding and the decimal sign are found out;
        comments, the settings of an oscilloscope and headings of SPICE are understood), XLSX, MAT,
        NPZ, Parquet or Feather.
    note : callable or None, optional
        Gets what was taken for what, a line each.

    Returns
    -------
    Waveform
        Piecewise linear through the rows.

    Raises
    ------
    InputError
        No such file, no table, one column only, a heading without a unit, a value that is no finite
        number, times that do not increase or do not begin at 0, or more than 20 V; with the line.
    StorageError
        The file cannot be read.
    """
    where = str(path)
    content = file_content(path)
    if not content.strip():
        raise InputError("holds no waveform: it is empty", where, _HINT)
    try:
        table = table_of(content, where, FileOptions(known=_known, wanted=_known))
        times, voltages = _of_table(table)
    except InputError as error:  # the hints on arguments are of readers that have more of these
        hint = _HINT if error.hint.startswith("Pass ") else error.hint
        raise InputError(error.what, error.where, hint) from None
    if note is not None:
        for line in table.assumptions:
            note(line)
    try:
        return Waveform.from_si(times.tolist(), voltages.tolist())
    except InputError as error:
        raise InputError(error.what, where, error.hint) from None


def _of_table(table: Table) -> tuple[np.ndarray, np.ndarray]:
    """Times [s] and voltages [V] of a table, checked."""
    if len(table.columns) < 2:
        raise InputError(
            "has one column only, a waveform needs a time and a voltage", table.path, _HINT
        )
    if not any(column.heading or column.name for column in table.columns):
        raise InputError("has no headings", table.where(None, 0), _HINT)
    times, voltages = (_values(table, _column(table, kind), kind) for kind in _UNITS)
    _check(table, times, voltages)
    return times, voltages


def _known(name: str) -> bool:
    return any(names.fullmatch(name.replace("_", " ")) for names in _NAMES.values())


def _column(table: Table, kind: str) -> Column:
    """The only column that a heading names, else the only one with such a unit."""
    measured = [c for c in table.columns if quantity_of(c.unit) == _UNITS[kind]]
    named = [c for c in table.columns if _NAMES[kind].fullmatch(c.name.replace("_", " "))]
    fits = named or measured
    if len(fits) == 1:
        return fits[0]
    headings = ", ".join(c.title for c in table.columns[:8])
    what = f"{len(fits)} columns" if fits else "no column"
    raise InputError(f"has {what} of {kind} among {headings}", table.path, _HINT)


def _values(table: Table, column: Column, kind: str) -> np.ndarray:
    """The numbers of a column, in SI units."""
    heading = column.heading or column.name
    if kind == "time" and _LENGTHS.search(heading):
        raise InputError(
            f"{shorten(heading)} holds lengths of segments, it seems, no times from the start",
            table.where(column),
            "Add them up to times, and call the column 'time (ms)'",
        )
    if LOGARITHM.search(heading):
        raise InputError(
            "holds logarithms", table.where(column), "Convert them to plain values first"
        )
    unit = "" if is_relative(column.unit) else column.unit
    if not unit and not has_units_in_cells(column):
        raise InputError(
            f"{shorten(column.heading or column.name)} says no unit of {kind}",
            table.where(column),
            f"Write e.g. '{kind} (m{_UNITS[kind]})'",
        )
    values = numbers(table, column, _UNITS[kind], unit)
    gaps = np.flatnonzero(np.isnan(values))
    if gaps.size:
        row = int(gaps[0])
        cell = column.cells[row]
        what = "a value is missing" if cell in (None, "") else f"{cell!r} is not a finite number"
        raise InputError(what, table.where(column, row), _HINT)
    # "0.3" ms is 0.0003 s, not 0.00029999999999999997 s
    return np.array([float(f"{value:.15g}") for value in values])


def _check(table: Table, times: np.ndarray, voltages: np.ndarray) -> None:
    late = np.flatnonzero(np.diff(times) <= 0)
    if late.size:
        k = int(late[0]) + 1
        word = "repeats" if times[k] == times[k - 1] else "comes before"
        raise InputError(
            f"the time {times[k]:.6g} s {word} that of the row before, {times[k - 1]:.6g} s",
            table.where(None, k),
            "Times must increase",
        )
    largest = int(np.abs(voltages).argmax())
    if abs(voltages[largest]) > _MOST_VOLTS:
        raise InputError(
            f"{voltages[largest]:g} V is more than any cell stands",
            table.where(None, largest),
            "If the column is in millivolts, write 'voltage (mV)'",
        )
