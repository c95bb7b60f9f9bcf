"""Text tables, CSV and its relatives: which sign separates, where the headings and numbers stand.

Comments, a preamble of an instrument, a row of units, a byte-order mark and decimal commas are
understood. What was taken for what stands in `Table.assumptions`.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Callable
from itertools import pairwise

from ddkbase.errors import InputError, shorten
from ddkbase.tables.table import (
    Cell,
    Column,
    FileOptions,
    Table,
    is_empty,
    looks_numeric,
    uses_comma,
)
from ddkbase.tables.units import is_relative, quantity_of, split_unit

__all__ = ["from_rows", "read_text"]

DELIMITERS = {"\t": "tab", ";": "semicolon", ",": "comma", "|": "bar", " ": "space"}
# "1,000" and "-12,500,000" (with "uS" behind), not "0,125", "1,25" or "1,000e3"
_THOUSANDS = re.compile(r"\s*[+-]?[1-9]\d{0,2}(?:,\d{3})+(?![\d,eEdD])")
_COMMENTS = ("#", "%", "//", "!")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

Row = tuple[int, list[Cell]]  # number of the line and its cells


def read_text(content: bytes, path: str, options: FileOptions) -> Table:
    """The table of a text file.

    Raises
    ------
    InputError
        Not text, no numbers, rows that do not fit their headings.
    """
    delimiter, decimal = options.delimiter, options.decimal
    for name, value, allowed in (
        ("delimiter", delimiter, (*DELIMITERS, None)),
        ("decimal", decimal, (".", ",", None)),
    ):
        if value not in allowed:
            raise InputError(
                f"{shorten(value)} is no {name}",
                name,
                "Known: " + ", ".join(repr(k) for k in allowed if k),
            )
    if delimiter == "," and decimal == ",":
        raise InputError("the comma cannot be both delimiter and decimal sign", "delimiter")
    assumptions: list[str] = []
    text = _decode(content, path, assumptions)
    lines, comments = [], {}
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.rstrip("\0")
        if line.lstrip().startswith(_COMMENTS):
            comments[number] = line.strip().lstrip("#%/! ")
        elif number == 1 and line[:4].lower() == "sep=" and len(line.strip()) == 5:
            delimiter = delimiter or line.strip()[4]
            if delimiter not in DELIMITERS:
                raise InputError(f"{shorten(line)} names no delimiter", f"{path}, line 1")
        elif line.strip():
            lines.append((number, line))
    if not lines:
        raise InputError("holds no value", path, "A table of numbers is expected")
    if delimiter is None:
        delimiter = delimiter_of(lines, path, decimal, assumptions)
    rows = [(number, split(line, delimiter, f"{path}, line {number}")) for number, line in lines]
    commented = [(n, split(line, delimiter, "")) for n, line in comments.items() if line]
    return from_rows(rows, path, "line", assumptions, options, commented)


def from_rows(
    rows: list[Row],
    path: str,
    row: str,
    assumptions: list[str],
    options: FileOptions,
    commented: list[Row] | None = None,
) -> Table:
    """A table from rows of cells: finds headings, units and preamble.

    Parameters
    ----------
    rows : list of Row
        Number of the line and cells of each row that is not blank.
    row : str
        What the file calls a row.
    assumptions : list of str
        Gets what was taken for what.
    options : FileOptions
        Its decimal sign and the headings that are known.
    commented : list of Row or None, optional
        Rows that stood behind a comment sign; the last before the numbers may be the headings.
    """
    first = next((i for i, (_, cells) in enumerate(rows) if _is_data(rows, i)), None)
    if first is None:
        raise InputError("holds no row of numbers", path, "A table of numbers is expected")
    first, units, names, head = _headings(rows, first, options.known)
    width = max(len(cells) for _, cells in rows[first:])
    while width > 1 and all(
        is_empty(cells[width - 1]) for _, cells in rows[first:] if len(cells) == width
    ):
        if any(len(cells) == width and not is_empty(cells[-1]) for _, cells in rows[:first]):
            break
        width -= 1  # a delimiter at the end of each line
    if head == 0 and not names and commented:
        before = [cells for number, cells in commented if number < rows[first][0]]
        if before and _are_names(before[-1], width):
            names = before[-1]
            assumptions.append(f"the comment before {row} {rows[first][0]} holds the headings")
    if head > 0:
        skipped = ", ".join(str(number) for number, _ in rows[:head][:5])
        more = ", ..." if head > 5 else ""
        assumptions.append(f"{row}s {skipped}{more} before the table not read")
    if names and len(names) < width:
        number = next(n for n, cells in rows[first:] if len(cells) > len(names))
        raise InputError(
            f"has {width} columns, but there are {len(names)} headings",
            f"{path}, {row} {number}",
            "Give each column one heading",
        )
    width = max(width, _filled(names))
    table = Table(path, [], [number for number, _ in rows[first:]], row, None, assumptions)
    short = [number for number, cells in rows[first:] if len(cells) < width]
    if short:
        table.assume(
            f"{len(short)} {row}s, the first being {row} {short[0]}, have less than {width} "
            "columns; the missing cells taken as empty"
        )
    for k in range(width):
        heading = str(names[k] or "").strip() if k < len(names) else ""
        name, unit = split_unit(heading)
        if k < len(units) and not unit and not is_empty(units[k]):
            unit = str(units[k]).strip("[]() ") or "1"
        column = [cells[k] if k < len(cells) else None for _, cells in rows[first:]]
        table.columns.append(Column(name, unit, column, k + 1))
    settle_decimal(table, options.decimal)
    return table


def _decode(content: bytes, path: str, assumptions: list[str]) -> str:
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            try:
                return content.decode(encoding)
            except UnicodeError:
                raise InputError(f"is not text in {encoding}", path) from None
    if b"\0" in content:
        raise InputError("is not text", path, "CSV, TSV, XLSX, MAT, NPZ or NetCDF is expected")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        assumptions.append("text taken as Windows-1252, it is not UTF-8")
        return content.decode("cp1252", errors="replace")


def _is_data(rows: list[Row], i: int) -> bool:
    """Whether the numbers begin here: a row of numbers, followed by another or the last one."""
    cells = rows[i][1]
    filled = [c for c in cells if not is_empty(c)]
    if not filled or not any(looks_numeric(c) for c in filled):
        return False
    numeric = sum(looks_numeric(c) for c in filled)
    following = [c for _, cells in rows[i + 1 : i + 4] for c in cells if not is_empty(c)]
    usual = max((len(cells) for _, cells in rows[i : i + 20]), default=0)
    later = sum(looks_numeric(c) for c in following) / len(following) if following else 1.0
    share = numeric / len(filled)
    # headings such as "1, 2, 3" are rare; instruments' preambles ("Points,100") are not, but have
    # fewer cells than the table
    return share >= min(0.99, 0.8 * later) and (2 * len(filled) > usual or len(cells) == usual)


def _headings(
    rows: list[Row], first: int, known: Callable[[str], bool]
) -> tuple[int, list[Cell], list[Cell], int]:
    """First row of numbers, cells with units, cells with names, rows before these.

    A row of words directly before the numbers holds the headings, unless one further up has words
    or units that are known: what follows that one belongs to the table, however odd.
    """
    width = len(rows[first][1])
    named = [i for i in range(first) if _are_names(rows[i][1], width)]
    units = [i for i in named if _are_units(rows[i][1])]
    recognised = [i for i in named if i not in units and _is_known(rows[i][1], known)]
    plain = [i for i in named if i not in units]
    if recognised:
        at = recognised[-1]
    elif plain and plain[-1] >= first - 1 - (first - 1 in units):
        at = plain[-1]
    elif first - 1 in units:
        return first, rows[first - 1][1], [], first - 1
    else:
        return first, [], [], first
    has_units = at + 1 in units
    return at + 1 + has_units, rows[at + 1][1] if has_units else [], rows[at][1], at


def _is_known(cells: list[Cell], known: Callable[[str], bool]) -> bool:
    """Whether a row has a heading whose name or unit is known."""
    return any(unit or known(name) for name, unit in (split_unit(str(c or "")) for c in cells))


def _are_units(cells: list[Cell]) -> bool:
    filled = [str(c).strip("[]() ") for c in cells if not is_empty(c)]
    return bool(filled) and all(quantity_of(c) or is_relative(c) for c in filled)


def _are_names(cells: list[Cell], width: int) -> bool:
    filled = [c for c in cells if not is_empty(c)]
    return bool(filled) and len(cells) >= min(width, 2) and not all(map(looks_numeric, filled))


def _filled(cells: list[Cell]) -> int:
    return max((k + 1 for k, c in enumerate(cells) if not is_empty(c)), default=0)


def split(line: str, delimiter: str, where: str) -> list[Cell]:
    """The cells of a line; of one that cannot be split an error at ``where``, or none if that is
    empty."""
    if delimiter == " ":
        return list(line.split())
    if '"' not in line:
        return [cell.strip() for cell in line.split(delimiter)]
    try:
        rows = list(csv.reader([line], delimiter=delimiter, skipinitialspace=True, strict=True))
    except csv.Error as error:
        if not where:
            return []
        hint = "Is a quotation mark closed on its line?"
        raise InputError(f"cannot be split into cells: {error}", where, hint) from None
    return [cell.strip() for cell in rows[0]] if rows else []


def delimiter_of(
    lines: list[tuple[int, str]], path: str, decimal: str | None, assumptions: list[str]
) -> str:
    """The sign between the cells: the one that splits most lines into the same count of numbers."""
    sample = [lines[i] for i in range(0, len(lines), max(1, len(lines) // 200))]
    best, score = "", 0.0
    for sign in DELIMITERS:
        if sign == "," and decimal == "," and not any('"' in line for _, line in sample):
            continue
        counts: Counter[int] = Counter()
        for _, line in sample:
            try:
                cells = split(line, sign, "x")
            except InputError:
                continue
            if len(cells) > 1 and all(looks_numeric(c) or is_empty(c) for c in cells):
                counts[len(cells)] += 1
        reached = max(counts.values(), default=0) / len(sample)
        if reached > score + 0.05:
            best, score = sign, reached
    if best == "," and decimal is None:
        _refuse_ambiguous_comma(sample, path)
    if best:
        if best != ",":
            assumptions.append(f"cells separated by a {DELIMITERS[best]}")
        return best
    return ";" if any(";" in line for _, line in sample) else "\t" if decimal == "," else ","


def _refuse_ambiguous_comma(sample: list[tuple[int, str]], path: str) -> None:
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
    for column in table.columns:
        if not any(isinstance(c, str) and "," in c for other in table.columns for c in other.cells):
            break
        for row, cell in enumerate(column.cells):
            comma = uses_comma(cell)
            if comma is not None and comma not in seen:
                seen[comma] = table.where(column, row)
            thousands = thousands and (not comma or _THOUSANDS.match(str(cell)) is not None)
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
