"""A waveform from the text file of a generator or a recorder: a time and a voltage column."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ddkbase.documents import read_text
from ddkbase.errors import InputError, shorten
from ddkbase.units import to_si
from devicephys.protocol.waveform import Waveform

__all__ = ["read_waveform"]

_LARGEST = 200_000_000  # bytes; five million rows take less
#: no cell of this kind stands more: a larger number was written in mV, V
_MOST_VOLTS = 20.0
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
#: "time (ms)", "t [ms]", "Time / s", "voltage, V", "voltage_mV"
_HEADING = re.compile(
    r"(?P<name>[^\W\d][^()\[\]/,]*?)\s*[(\[/,_]\s*(?P<unit>[^()\[\],_]+?)\s*[)\]]?"
)
_NAMES = {
    "time": re.compile(r"(time|t|zeit)\b.*", re.IGNORECASE),
    "voltage": re.compile(r"(voltage|volt|v|u|vapp|bias|spannung|potential)\b.*", re.IGNORECASE),
}
_UNITS = {"time": "s", "voltage": "V"}
_HINT = "Write a first line such as 'time (ms),voltage (V)', then one corner a line"


def read_waveform(path: str | Path) -> Waveform:
    """The waveform in a text file with a time and a voltage column.

    Columns are parted by commas, semicolons or tabs; the first line names them with their units,
    "time (ms)", "voltage [V]", or a second line holds the units. Decimal commas are read where the
    comma does not part columns. Lines that begin with ``#`` count for nothing, and neither do other
    columns.

    Parameters
    ----------
    path : str or Path
        The file, text in UTF-8.

    Returns
    -------
    Waveform
        Piecewise linear through the rows.

    Raises
    ------
    InputError
        No such file, no text, one column only, a heading without a unit, a value that is no finite
        number, times that do not increase or do not begin at 0, or more than 20 V; with the line.
    StorageError
        The file cannot be read.
    """
    file = Path(path)
    lines = [
        (number, line)
        for number, raw in enumerate(read_text(file, _LARGEST).splitlines(), start=1)
        if (line := raw.replace("\N{MINUS SIGN}", "-").strip(" \r")).strip()
        and not line.lstrip().startswith("#")
    ]
    if not lines:
        raise InputError("holds no waveform: it is empty", str(file), _HINT)
    separator = _separator([line for _, line in lines])
    if separator is None:
        raise InputError(
            "has one column only, a waveform needs a time and a voltage", str(file), _HINT
        )
    rows = [(number, [_bare(cell) for cell in line.split(separator)]) for number, line in lines]
    if separator == ",":  # "voltage, V" is one heading: commas part the numbers
        rows[0] = rows[0][0], _headings(lines[0][1], len(rows[-1][1]))
    columns, first = _columns(rows, str(file))
    if not rows[first:]:
        raise InputError("holds headings without rows", str(file), _HINT)
    _check_decimals([cell for _, row in rows[first:] for cell in row], separator, str(file))
    times, voltages = (
        _values(rows[first:], *columns[kind], unit, str(file)) for kind, unit in _UNITS.items()
    )
    _check(rows[first:], times, voltages, str(file))
    try:
        return Waveform.from_si(times.tolist(), voltages.tolist())
    except InputError as error:
        raise InputError(error.what, str(file), error.hint) from None


def _separator(lines: list[str]) -> str | None:
    """What parts the columns of the numbers; None if there is one column."""
    numbers = [line for line in lines if not re.search(r"[^\W\deE]", line)] or lines
    for separator in ("\t", ";"):
        if all(separator in line for line in numbers):
            return separator
    # one comma a line is a decimal comma if no heading has a comma outside a unit
    return "," if all("," in line for line in numbers) and "," in lines[0] else None


def _bare(cell: str) -> str:
    cell = cell.strip()
    return (
        cell[1:-1].strip() if len(cell) > 1 and cell[0] == cell[-1] and cell[0] in "\"'" else cell
    )


def _headings(line: str, count: int) -> list[str]:
    """Headings of a line that commas part, where a heading may hold one, e.g. "voltage, V"."""
    cells = line.split(",")
    if len(cells) == 2 * count:
        cells = [", ".join(cells[k : k + 2]) for k in range(0, len(cells), 2)]
    return [_bare(cell) for cell in cells]


def _columns(
    rows: list[tuple[int, list[str]]], where: str
) -> tuple[dict[str, tuple[int, str]], int]:
    """Index and unit of the time and the voltage column, and the first row of numbers."""
    heads = rows[0][1]
    if all(_NUMBER.fullmatch(head) for head in heads if head):
        raise InputError("has no headings", f"{where}, line {rows[0][0]}", _HINT)
    below, first = [""] * len(heads), 1
    number = re.compile(r"[-+.,\d].*|nan|inf", re.IGNORECASE)
    if len(rows) > 1 and not any(number.fullmatch(cell) for cell in rows[1][1]):
        below, first = [cell.strip("()[]") for cell in rows[1][1]], 2
    found: dict[str, tuple[int, str]] = {}
    for kind, names in _NAMES.items():
        fits = []
        for index, head in enumerate(heads):
            match = _HEADING.fullmatch(head)
            name = match["name"] if match else head
            if names.fullmatch(name.replace("_", " ")):
                fits.append((index, match["unit"] if match else below[index : index + 1]))
        if len(fits) != 1:
            what = "no column" if not fits else f"{len(fits)} columns"
            raise InputError(f"has {what} of {kind}", f"{where}, line {rows[0][0]}", _HINT)
        index, unit = fits[0]
        unit = "".join(unit)
        if not unit:
            raise InputError(
                f"the column {shorten(heads[index])} says no unit",
                f"{where}, line {rows[0][0]}",
                f"Write e.g. '{kind} (m{_UNITS[kind]})'",
            )
        to_si(f"1 {unit}", _UNITS[kind], f"{where}, line {rows[0][0]}")
        found[kind] = index, unit
    return found, first


def _check_decimals(cells: list[str], separator: str, where: str) -> None:
    commas = [cell for cell in cells if "," in cell]
    if not commas or separator == ",":
        return
    if any("." in cell for cell in cells):
        raise InputError("has numbers with decimal points and with decimal commas", where)
    if all(_GROUPED.fullmatch(cell) for cell in commas):
        raise InputError(
            f"a comma as in {commas[0]} may be a decimal comma or part thousands",
            where,
            "Write decimal points",
        )


def _values(
    rows: list[tuple[int, list[str]]], index: int, unit: str, inside: str, where: str
) -> np.ndarray:
    """A column, converted from its ``unit`` to that used ``inside``."""
    factor = to_si(f"1 {unit}", inside)
    values = np.empty(len(rows))
    for k, (number, row) in enumerate(rows):
        cell = row[index] if index < len(row) else ""
        if not _NUMBER.fullmatch(cell):
            what = f"{shorten(cell)} is not a finite number" if cell else "a value is missing"
            raise InputError(what, f"{where}, line {number}", _HINT)
        values[k] = float(cell.replace(",", ".")) * factor
    # "0.3" ms is 0.0003 s, not 0.00029999999999999997 s
    return np.array([float(f"{value:.15g}") for value in values])


def _check(
    rows: list[tuple[int, list[str]]], times: np.ndarray, voltages: np.ndarray, where: str
) -> None:
    for values in (times, voltages):
        beyond = np.flatnonzero(~np.isfinite(values))
        if beyond.size:
            raise InputError("a value is too large", f"{where}, line {rows[beyond[0]][0]}")
    late = np.flatnonzero(np.diff(times) <= 0)
    if late.size:
        k = int(late[0]) + 1
        word = "repeats" if times[k] == times[k - 1] else "comes before"
        raise InputError(
            f"the time {times[k]:.6g} s {word} that of the line before, {times[k - 1]:.6g} s",
            f"{where}, line {rows[k][0]}",
            "Times must increase",
        )
    largest = int(np.abs(voltages).argmax())
    if abs(voltages[largest]) > _MOST_VOLTS:
        raise InputError(
            f"{voltages[largest]:g} V is more than any cell stands",
            f"{where}, line {rows[largest][0]}",
            "If the column is in millivolts, write 'voltage (mV)'",
        )
