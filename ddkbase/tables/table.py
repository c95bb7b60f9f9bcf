"""A table as someone wrote it: named columns of cells, each with its place in the file.

Also what a comma or a point between its digits is, or that nothing tells.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise

import numpy as np

from ddkbase.errors import InputError, shorten
from ddkbase.tables.units import is_unit, spelled, unit_factor

#: bytes of a file, and cells of a table, beyond which nothing is read
LARGEST = 200_000_000

Cell = str | float | None

_EMPTY = {
    "", "nan", "n/a", "na", "n.a.", "n.a", "n. a.", "#n/a", "#na", "null", "none", "-", "--", "---",
    "#div/0!", "#value!", "#ref!", "#num!", "#name?", "#null!",
    "missing", "nil", "k.a.", "k. a.", "n.d.", "\u2013", "\u2014",
}  # fmt: skip
#: what instruments write for a reading out of their range
_OVERFLOWS = {
    "overflow", "ovrflw", "ovrflow", "ovflw", "ovr",
    "ovfl", "ovld", "ovl", "ol", "o.l", "o.l.", "overload", "over", "overrange",
    "over range", "over-range", "+overflow", "-overflow", "+ovld", "-ovld", "+ol", "-ol", "+over",
    "-over", "out of range", "compliance", "cmpl", "compl", "****", "*****",
}  # fmt: skip
_OVERFLOW = 9.9e37  # what instruments that speak SCPI write for "overflow" and "no reading"
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][+-]?\d+)?")
_COMMA_NUMBER = re.compile(r"[+-]?(?:\d+,\d*|,\d+)(?:[eEdD][+-]?\d+)?")
_BARE = b"0123456789+-.eE"  # of which alone float() takes just what _NUMBER does
_GAPS = frozenset({None, "", "nan", "NaN", "NA"})  # the empty cells that many files are full of
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:[\s'\u2019]\d{3})+(?:[.,]\d*)?")
#: "11,045.4", "11'045", "11 045,4": groups of three digits that nothing else can be
_THOUSANDS = re.compile(
    r"[+-]?\d{1,3}(?P<sign>[,.'\u2019\u00a0\u2009\u202f ])\d{3}(?:(?P=sign)\d{3})*"
    r"(?:(?P<point>[.,])\d+)?"
)


def _nothing(name: str) -> bool:
    return False


def _none(cells: list[str]) -> bool:
    return False


@dataclass(frozen=True)
class FileOptions:
    """What is known of a file that its content leaves open; a reader takes what concerns it.

    Attributes
    ----------
    sheet : str, int or None
        Sheet of a workbook, its name or its number from 1.
    variable : str or None
        Variable of a file of arrays.
    dimension : str or None
        Dimension of an array along which rows are counted.
    delimiter, decimal, encoding : str or None
        Delimiter, decimal sign and coding of a text.
    known : callable
        Whether a name without its unit is one that the caller knows as a heading.
    wanted : callable
        Whether it names what the caller is looking for.
    heads : callable
        Whether these cells of the first row of a text are headings, whatever they look like; the
        rows below are then all the table, the sign that parts these cells parts them all, and
        headings are names as they stand, without units.
    """

    sheet: str | int | None = None
    variable: str | None = None
    dimension: str | None = None
    delimiter: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    known: Callable[[str], bool] = _nothing
    wanted: Callable[[str], bool] = _nothing
    heads: Callable[[list[str]], bool] = _none


@dataclass(eq=False)  # compared by identity: the cells may be an array
class Column:
    """One column: its heading, the unit of it ("1" is relative, "" not said), its cells."""

    name: str
    unit: str
    cells: Sequence[Cell] | np.ndarray
    number: int  # counted from 1, as a person counts
    heading: str = ""  # as it stands in the file, with all its rows

    def __post_init__(self) -> None:
        self.name = printable(self.name)

    @property
    def title(self) -> str:
        heading = f" '{self.name}'" if self.name else ""
        return f"column {self.number}{heading}"


@dataclass
class Table:
    """Columns of one length and where their rows stand in the file."""

    path: str
    columns: list[Column]
    lines: Sequence[int]  # the number of each row in the file
    row: str = "line"  # what the file calls a row
    decimal_comma: bool | None = None  # None: not known yet
    assumptions: list[str] = field(default_factory=list)
    alike: dict[str, list[str]] = field(default_factory=dict)  # one note on many trains
    remarks: list[str] = field(
        default_factory=list
    )  # what stands before the headings, and comments

    def __post_init__(self) -> None:
        # names of variables and sheets are part of it, and a damaged file has odd ones
        self.path = "".join(c if c.isprintable() else "?" for c in self.path)
        self.assumptions = [printable(note, 400) for note in self.assumptions]

    def where(self, column: Column | None = None, row: int | None = None) -> str:
        """Where a cell is, for an error: file, line, column."""
        fields = [self.path]
        if row is not None:
            fields.append(f"{self.row} {self.lines[row]}")
        if column is not None:
            fields.append(column.title)
        return ", ".join(fields)

    def assume(self, text: str) -> None:
        """Note what was taken for what."""
        text = printable(text, 400)
        if text not in self.assumptions:
            self.assumptions.append(text)

    def assume_of(self, train: str, text: str) -> None:
        """Note what was taken for what in one train; the same of many trains makes one note."""
        self.alike.setdefault(printable(text, 400), []).append(train)

    def all_assumptions(self) -> str:
        """All notes, one a line."""
        lines = list(self.assumptions)
        for text, trains in self.alike.items():
            named = ", ".join(f"'{t}'" for t in trains[:5])
            more = f" and {len(trains) - 5} more" if len(trains) > 5 else ""
            lines.append(f"train{'s' * (len(trains) > 1)} {named}{more}: {text}")
        return "\n".join(lines)


def printable(text: str, length: int = 80) -> str:
    """The text on one line and without control signs, at most ``length`` long."""
    text = text[: 4 * length]
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:length]


def numbers(table: Table, column: Column, quantity: str, unit: str | None = None) -> np.ndarray:
    """The cells as numbers, NaN where empty.

    Parameters
    ----------
    quantity : str
        The unit asked for: "S", "ohm", "A", "V", "s"; "1" for plain numbers.
    unit : str or None, optional
        Unit of the numbers; None: the column's.

    Returns
    -------
    ndarray
        One number a row, in ``quantity``, or as they stand if the column is relative.

    Raises
    ------
    InputError
        A cell that is neither empty nor a finite number (it says where), mixed units.
    """
    where = table.where(column)
    unit = column.unit if unit is None else unit
    factor = unit_factor(unit, quantity, where)
    plain = factor is None
    bare = bare_numbers(column.cells, bool(table.decimal_comma))
    if bare is not None and not (np.abs(bare) >= _OVERFLOW).any():
        return bare if factor is None else bare * factor
    values = np.full(len(column.cells), np.nan)
    overflow = sum(isinstance(c, str) and c.strip().lower() in _OVERFLOWS for c in column.cells)
    groups = sign_of_groups(column.cells)
    for row, cell in enumerate(column.cells):
        value, own = _number(table, column, row, cell, groups)
        if own:
            if plain and quantity != "1" and _has_bare(column.cells):
                raise InputError(
                    "some cells of the column have a unit and some have none",
                    table.where(column, row),
                    "Pass units='...' for those that have none",
                )
            value *= unit_factor(own, quantity, table.where(column, row)) or 1.0
        elif value == value and abs(value) >= _OVERFLOW:
            value, overflow = np.nan, overflow + 1
        elif factor is not None:
            value *= factor
        values[row] = value
    if overflow:
        table.assume(
            f"{column.title}: {overflow} readings beyond the range (overflow) taken as gaps"
        )
    return values


def has_units_in_cells(column: Column) -> bool:
    """Whether a cell brings a unit of its own ("12.5 uS")."""
    if bare_numbers(column.cells, comma=True) is not None:
        return False
    for cell in column.cells:
        if isinstance(cell, str):
            match = _NUMBER.match(cell.strip().replace(",", "."))
            if match and is_unit(cell.strip()[match.end() :].strip()):
                return True
    return False


def is_empty(cell: Cell) -> bool:
    """Whether a cell says that there is no value."""
    if isinstance(cell, str):
        text = cell.strip().lower()
        return text in _EMPTY or text in _OVERFLOWS
    return cell is None or cell != cell


def looks_numeric(cell: Cell) -> bool:
    """Whether a cell may be a number, with a point or with a comma, with or without a unit."""
    if not isinstance(cell, str):
        return cell is not None
    text = cell.strip().replace("\N{MINUS SIGN}", "-")
    if _in_groups(text):
        return True
    for pattern in (_NUMBER, _COMMA_NUMBER):
        match = pattern.match(text)
        if match and (match.end() == len(text) or is_unit(text[match.end() :].strip())):
            return True
    return False


def uses_comma(cell: Cell) -> bool | None:
    """True for "0,5", False for "0.5", None where neither stands."""
    if not isinstance(cell, str):
        return None
    text = cell.strip().replace("\N{MINUS SIGN}", "-")
    groups = _in_groups(text)
    if groups:
        return groups["point"] == "," if groups["point"] else None
    if _COMMA_NUMBER.match(text) and "." not in text:
        return True
    match = _NUMBER.match(text) if "." in text else None
    # "01.03.2025 12:00" is a date
    return False if match and not re.match(r"[.:]\d", text[match.end() :]) else None


def bare_numbers(cells: Sequence[Cell] | np.ndarray, comma: bool) -> np.ndarray | None:
    """All cells at once, where they are bare numbers and gaps: a file has a million of them.

    Parameters
    ----------
    cells : sequence of Cell or ndarray
        The cells.
    comma : bool
        Whether a comma is the decimal sign; a point is, too, where no cell has a comma.

    Returns
    -------
    ndarray or None
        One number a cell, NaN in a gap. None: some cell is something else, or infinite, and all are
        to be looked at one by one.
    """
    if isinstance(cells, np.ndarray):
        return None if np.isinf(cells).any() else np.asarray(cells, float)
    there = np.fromiter((cell not in _GAPS for cell in cells), bool, len(cells))
    whole = bool(there.all())
    filled = cells if whole else [cell for cell in cells if cell not in _GAPS]
    try:
        text = "".join(filled)  # type: ignore[arg-type]  # a cell that is no text ends it
    except TypeError:
        return None
    commas = comma and "," in text
    if not text.isascii() or (commas and "." in text):
        return None
    if text.encode("ascii").translate(None, _BARE + b"," * commas):
        return None
    try:
        if commas:
            numbers_ = [float(str(cell).replace(",", ".")) for cell in filled]
        else:
            numbers_ = list(map(float, filled))  # type: ignore[arg-type]
    except ValueError:
        return None
    values = np.full(len(cells), np.nan)
    values[there] = numbers_
    return None if np.isinf(values).any() else values


def _has_bare(cells: Sequence[Cell] | np.ndarray) -> bool:
    return any(
        (isinstance(c, float) and c == c)
        or (isinstance(c, str) and _NUMBER.fullmatch(c.strip()) is not None)
        for c in cells
    )


def _in_groups(text: str) -> re.Match[str] | None:
    """Whether a text is a number whose digits signs part in groups of three, and no other one:
    a comma, a point and a blank may be something else unless another decimal sign follows."""
    match = _THOUSANDS.fullmatch(text)
    if match is None or (match["sign"] in ",. " and match["point"] in (None, match["sign"])):
        return None
    return match


def sign_of_groups(cells: Sequence[Cell] | np.ndarray) -> str:
    """The comma or point that parts groups of three digits in a column, so that it does in all its
    cells; empty where none does."""
    for cell in cells:
        match = _in_groups(cell.strip()) if isinstance(cell, str) and len(cell) > 5 else None
        if match and match["sign"] in ",.":
            return match["sign"]
    return ""


def _number(
    table: Table, column: Column, row: int, cell: Cell, groups: str = ""
) -> tuple[float, str]:
    """The number of a cell and the unit written behind it; ``groups`` is the sign that parts
    groups of digits."""
    if is_empty(cell):
        return float("nan"), ""
    if not isinstance(cell, str):
        value = float(cell)  # type: ignore[arg-type]  # None is empty
        if not np.isfinite(value):
            raise _not_a_number(table, column, row, cell)
        return value, ""
    text = cell.strip().replace("\N{MINUS SIGN}", "-")
    match = _in_groups(text)
    if match:
        text = text.replace(match["sign"], "").replace(",", ".")
    elif groups and groups in text:
        if not re.fullmatch(rf"[+-]?\d{{1,3}}(?:\{groups}\d{{3}})+", text):
            raise _not_a_number(table, column, row, cell)
        text = text.replace(groups, "")
    elif table.decimal_comma and _COMMA_NUMBER.match(text) and "." not in text:
        text = text.replace(",", ".", 1)
    match = _NUMBER.match(text)
    if match is None:
        raise _not_a_number(table, column, row, cell)
    value, rest = float(re.sub("[dD]", "e", match.group())), text[match.end() :].strip()
    if not np.isfinite(value) or (rest and not is_unit(rest)):
        raise _not_a_number(table, column, row, cell)
    return value, rest


def _not_a_number(table: Table, column: Column, row: int, cell: Cell) -> InputError:
    hint = "Correct the cell, or leave it empty for a missing value"
    if isinstance(cell, str) and (("," in cell and "." in cell) or _GROUPED.fullmatch(cell)):
        hint = "Write numbers without signs between the thousands"
    elif isinstance(cell, str) and "," in cell:
        hint = "Pass decimal=',' if it is a decimal comma"
    return InputError(f"{shorten(cell)} is not a finite number", table.where(column, row), hint)


# "1,000" and "-12,500,000" (with "uS" behind), not "0,125", "1,25" or "1,000e3"
_COMMA_GROUPS = re.compile(r"\s*[+-]?[1-9]\d{0,2}(?:,\d{3})+(?![\d,eEdD])")
_POINTS = re.compile(r"[+-]?[1-9]\d{0,2}\.\d{3}")


def refuse_ambiguous_comma(sample: list[tuple[int, str]], path: str) -> None:
    """ "0,5" may be one number or two: refused where nothing tells."""
    pairs = []
    for number, line in sample:
        cells = line.strip().split(",")
        if len(cells) != 2 or "." in line:
            if any(looks_numeric(c) for c in cells) or ("," in line and len(cells) == 2):
                return
            continue
        if not any(looks_numeric(c) for c in cells):
            return  # two headings
        if all(c.strip().isdigit() or (c[:1] in "+-" and c[1:].isdigit()) for c in cells):
            pairs.append((number, line.strip(), cells))
    if not pairs or any(" " in line for _, line, _ in pairs):
        return
    firsts = [int(cells[0]) for _, _, cells in pairs]
    if len(firsts) > 1 and all(b > a for a, b in pairwise(firsts)):
        return  # counts upwards: a column of pulse numbers
    number, line, _ = pairs[0]
    raise InputError(
        f"{shorten(line)} may be one number with a decimal comma or two numbers",
        f"{path}, line {number}",
        "Pass decimal=',' or delimiter=','",
    )


def settle_decimal(table: Table, decimal: str | None) -> None:
    if decimal is not None:
        table.decimal_comma = decimal == ","
        return
    seen: dict[bool, str] = {}
    thousands = True  # all commas may stand between thousands
    commas = any(isinstance(c, str) and "," in c for col in table.columns for c in col.cells)
    for column in table.columns if commas else []:
        cells = column.cells
        rows: Iterable[int] = range(len(cells))
        if bare_numbers(cells, comma=True) is not None:  # all have the sign of the first with one
            rows = islice((k for k in rows if {",", "."} & set(str(cells[k]))), 1)
            thousands = thousands and all(
                _COMMA_GROUPS.match(c) for c in map(str, cells) if "," in c
            )
        groups = sign_of_groups(cells)
        for row in rows:
            cell = cells[row]
            comma = groups == "." if groups and groups in str(cell) else uses_comma(cell)
            if comma is not None and comma not in seen:
                seen[comma] = table.where(column, row)
            thousands = thousands and (not comma or _COMMA_GROUPS.match(str(cell)) is not None)
        thousands = thousands and groups != "."  # a comma is the decimal sign then
    if len(seen) == 2:
        raise InputError(
            "numbers with decimal points and with decimal commas in one file",
            seen[True],
            f"A point stands at {seen[False].split(', ', 1)[-1]}; pass decimal='.' or decimal=','",
        )
    if True in seen and thousands:
        raise InputError(
            "every comma stands before three digits: a decimal comma, or one between thousands",
            seen[True],
            "Pass decimal=',' if it is a decimal comma; else write the numbers without",
        )
    table.decimal_comma = True in seen
    if table.decimal_comma:
        table.assume("numbers have a decimal comma")


def refuse_ambiguous_point(table: Table) -> None:
    """Refuse ohms as "11.045" in a file whose cells semicolons part: eleven, or eleven thousand.

    Spreadsheets that part cells by semicolons have decimal commas, and points between thousands. Of
    bare ohms eleven thousand are more likely than eleven.

    Raises InputError: every point in a column of ohms stands before three digits.
    """
    for column in table.columns:
        points = [(k, c) for k, c in enumerate(column.cells) if isinstance(c, str) and "." in c]
        if (
            spelled(column.unit) == "ohm"
            and points
            and all(_POINTS.fullmatch(c) for _, c in points)
        ):
            raise InputError(
                "every point stands before three digits: a decimal point, or one between thousands",
                table.where(column, points[0][0]),
                "Pass decimal='.' if it is a decimal point; else write the numbers without",
            )
