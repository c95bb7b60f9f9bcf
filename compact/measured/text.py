"""Text tables, CSV and its relatives: which sign separates, where the headings and numbers stand.

Comments, a preamble of an instrument, a row of units, a byte-order mark and decimal commas are
understood. What was taken for what stands in `Table.assumptions`.
"""

from __future__ import annotations

import codecs

from compact.measured.headings import is_known
from compact.measured.signs import DELIMITERS, delimiter_of, settle_decimal, split
from compact.measured.table import Cell, Column, Table, is_empty, looks_numeric
from compact.measured.units import is_relative, quantity_of, split_unit
from ddkbase.errors import InputError, shorten

__all__ = ["from_rows", "read_text"]

_COMMENTS = ("#", "%", "//", "!")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

Row = tuple[int, list[Cell]]  # number of the line and its cells


def read_text(content: bytes, path: str, delimiter: str | None, decimal: str | None) -> Table:
    """The table of a text file.

    Raises
    ------
    InputError
        Not text, no numbers, rows that do not fit their headings.
    """
    for name, value, known in (
        ("delimiter", delimiter, (*DELIMITERS, None)),
        ("decimal", decimal, (".", ",", None)),
    ):
        if value not in known:
            raise InputError(
                f"{shorten(value)} is no {name}",
                name,
                "Known: " + ", ".join(repr(k) for k in known if k),
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
    return from_rows(rows, path, "line", assumptions, commented, decimal)


def from_rows(
    rows: list[Row],
    path: str,
    word: str,
    assumptions: list[str],
    commented: list[Row] | None = None,
    decimal: str | None = None,
) -> Table:
    """A table from rows of cells: finds headings, units and preamble.

    Parameters
    ----------
    rows : list of Row
        Number of the line and cells of each row that is not blank.
    word : str
        What the file calls a row.
    commented : list of Row or None, optional
        Rows that stood behind a comment sign; the last before the numbers may be the headings.
    """
    first = next((i for i, (_, cells) in enumerate(rows) if _is_data(rows, i)), None)
    if first is None:
        raise InputError("holds no row of numbers", path, "A table of numbers is expected")
    first, units, names, head = _headings(rows, first)
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
            assumptions.append(f"the comment before {word} {rows[first][0]} holds the headings")
    if head > 0:
        skipped = ", ".join(str(number) for number, _ in rows[:head][:5])
        more = ", ..." if head > 5 else ""
        assumptions.append(f"{word}s {skipped}{more} before the table not read")
    if names and len(names) < width:
        number = next(n for n, cells in rows[first:] if len(cells) > len(names))
        raise InputError(
            f"has {width} columns, but there are {len(names)} headings",
            f"{path}, {word} {number}",
            "Give each column one heading",
        )
    width = max(width, _filled(names))
    table = Table(path, [], [number for number, _ in rows[first:]], word, None, assumptions)
    short = [number for number, cells in rows[first:] if len(cells) < width]
    if short:
        table.assume(
            f"{len(short)} {word}s, the first being {word} {short[0]}, have less than {width} "
            "columns; the missing cells taken as empty"
        )
    for k in range(width):
        heading = str(names[k] or "").strip() if k < len(names) else ""
        name, unit = split_unit(heading)
        if k < len(units) and not unit and not is_empty(units[k]):
            unit = str(units[k]).strip("[]() ") or "1"
        column = [cells[k] if k < len(cells) else None for _, cells in rows[first:]]
        table.columns.append(Column(name, unit, column, k + 1))
    settle_decimal(table, decimal)
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


def _headings(rows: list[Row], first: int) -> tuple[int, list[Cell], list[Cell], int]:
    """First row of numbers, cells with units, cells with names, rows before these.

    A row of words directly before the numbers holds the headings, unless one further up has words
    or units that are known: what follows that one belongs to the table, however odd.
    """
    width = len(rows[first][1])
    words = [i for i in range(first) if _are_names(rows[i][1], width)]
    units = [i for i in words if _are_units(rows[i][1])]
    known = [i for i in words if i not in units and is_known(rows[i][1])]
    plain = [i for i in words if i not in units]
    if known:
        at = known[-1]
    elif plain and plain[-1] >= first - 1 - (first - 1 in units):
        at = plain[-1]
    elif first - 1 in units:
        return first, rows[first - 1][1], [], first - 1
    else:
        return first, [], [], first
    has_units = at + 1 in units
    return at + 1 + has_units, rows[at + 1][1] if has_units else [], rows[at][1], at


def _are_units(cells: list[Cell]) -> bool:
    filled = [str(c).strip("[]() ") for c in cells if not is_empty(c)]
    return bool(filled) and all(quantity_of(c) or is_relative(c) for c in filled)


def _are_names(cells: list[Cell], width: int) -> bool:
    filled = [c for c in cells if not is_empty(c)]
    return bool(filled) and len(cells) >= min(width, 2) and not all(map(looks_numeric, filled))


def _filled(cells: list[Cell]) -> int:
    return max((k + 1 for k, c in enumerate(cells) if not is_empty(c)), default=0)
