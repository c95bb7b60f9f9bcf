"""A waveform from the file of a generator or a recorder: a time and a voltage column."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ddkbase.errors import InputError, shorten
from ddkbase.tables.reading import file_content, table_of
from ddkbase.tables.table import Column, FileOptions, Table, has_units_in_cells, numbers
from ddkbase.tables.units import is_relative, quantity_of
from devicephys.protocol.waveform import Waveform

__all__ = ["read_waveform"]

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
_LOGARITHM = re.compile(r"(?i)(?<![a-z])(log(10)?|ln|lg)(?![a-z])")
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
    if _LOGARITHM.search(heading):
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
