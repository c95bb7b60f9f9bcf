"""Text tables, CSV and its relatives: which sign separates, where the headings and numbers stand.

Comments, a preamble of an instrument, a row of units, a byte-order mark and decimal commas are
understood. What was taken for what stands in `Table.assumptions`.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable

import numpy as np

from ddkbase.errors import InputError, shorten
from ddkbase.tables.codings import decoded
from ddkbase.tables.instruments import igor_lines, simulated_lines
from ddkbase.tables.rows import Row, from_rows, is_counted, is_data
from ddkbase.tables.table import (
    Cell,
    Column,
    FileOptions,
    Table,
    is_empty,
    looks_numeric,
    refuse_ambiguous_comma,
    refuse_ambiguous_point,
    settle_decimal,
)
from ddkbase.tables.units import unit_alone

_SAMPLE = 1000  # rows of which the places of cells are compared
_HEADS, _LONGEST = 40, 6  # lines that may hold headings, and lines of one heading
DELIMITERS = {"\t": "tab", ";": "semicolon", ",": "comma", "|": "bar", " ": "space"}
_COMMENTS = ("#", "%", "//", "!")
_COUNT = re.compile(r"\s*#\s*[,;\t|]")  # a first cell "#": it counts, and is no comment
_BEGINS = frozenset("0123456789+-.")  # of a line: it is a row, no comment and not empty


def read_text(content: bytes, path: str, options: FileOptions) -> Table:
    """The table of a text file.

    Raises InputError: not text, no numbers, rows that do not fit their headings.
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
    text = decoded(content, path, options.encoding, assumptions)
    lines, comments = [], {}
    for number, line in _lines(text):
        line = line.rstrip("\0")
        if line[:1] in _BEGINS:
            lines.append((number, line))
        elif line.lstrip().startswith(_COMMENTS) and not _COUNT.match(line):
            comments[number] = line.strip().lstrip("#%/! ")
        elif number == 1 and line[:4].lower() == "sep=" and len(line.strip()) == 5:
            delimiter = delimiter or line.strip()[4]
            if delimiter not in DELIMITERS:
                raise InputError(f"{shorten(line)} names no delimiter", f"{path}, line 1")
        elif line.strip():
            lines.append((number, line))
    if not lines:
        raise InputError("holds no value", path, "A table of numbers is expected")
    if lines[0][1].strip() == "IGOR":
        lines = igor_lines(lines, path)
    lines = simulated_lines(lines, path)
    heads = _delimiter_of_headings(lines[0][1], delimiter, options)
    if heads is not None and delimiter is None and heads != ",":
        assumptions.append(f"cells separated by a {DELIMITERS[heads]}")
    delimiter = delimiter or heads
    if delimiter is None:
        delimiter = delimiter_of(lines, path, decimal, assumptions)
    rows = _split_all(lines, delimiter, path)
    if heads is not None:
        below = sum(number > lines[0][0] for number in comments)
        if below:
            assumptions.append(f"{below} lines that begin with a comment sign are not read")
        return _under_headings(rows, path, assumptions, options)
    if delimiter == " ":
        rows = _in_columns(rows, dict(lines), path)
    commented = [(n, split(line, delimiter, "")) for n, line in comments.items() if line]
    _realign(rows, commented, {**dict(lines), **comments}, delimiter)
    table = from_rows(rows, path, "line", assumptions, options, commented, delimiter == " ")
    if delimiter == ";" and decimal is None and not table.decimal_comma:
        refuse_ambiguous_point(table)
    return table


def _lines(text: str) -> Iterable[tuple[int, str]]:
    """Lines and their numbers; headings in quotation marks that go over several make one."""
    numbered = enumerate(text.splitlines(), start=1)
    if '"' not in text:
        return numbered
    lines = list(numbered)
    for k, (number, line) in enumerate(lines[:_HEADS]):
        joined = line
        for more in range(1, _LONGEST) if line.count('"') % 2 else ():
            if k + more >= len(lines):
                break
            joined += " " + lines[k + more][1]
            if lines[k + more][1].count('"') % 2:
                if not any(map(looks_numeric, re.split(r'[,;\t"]+', joined))):
                    lines[k : k + more + 1] = [(number, joined)]
                break
    return lines


def _delimiter_of_headings(line: str, delimiter: str | None, options: FileOptions) -> str | None:
    """The sign that parts a first row into headings; None where it does not hold headings."""
    for sign in DELIMITERS if delimiter is None else (delimiter,):
        cells = [str(cell or "") for cell in split(line, sign, "")]
        if len(cells) > 1 and options.heads(cells):
            return sign
    return None


def _under_headings(
    rows: list[Row], path: str, assumptions: list[str], options: FileOptions
) -> Table:
    """The table below a first row that holds the headings, of which no unit is taken."""
    names = rows[0][1]
    if is_counted(rows[1:], len(names)):
        names = ["", *names]
    if len(rows) < 2:
        raise InputError("holds headings and no row", path, "A table of numbers is expected")
    for number, cells in rows[1:]:
        if len(cells) != len(names):
            raise InputError(
                f"has {len(cells)} cells, there are {len(names)} headings",
                f"{path}, line {number}",
                "Give each column one heading, and each row a cell of each column",
            )
    table = Table(path, [], [number for number, _ in rows[1:]], "line", None, assumptions)
    below = zip(*(cells for _, cells in rows[1:]), strict=True)
    for k, (heading, column) in enumerate(zip(names, below, strict=True), start=1):
        title = str(heading or "").strip()
        table.columns.append(Column(title, "", list(column), k, title))
    settle_decimal(table, options.decimal)
    return table


#: what may part headings; the blank before a bracket belongs to a unit
_HEADING_SIGNS = ("\t", ";", "|", r"\s{2,}", ",", r"\s+(?![(\[])", r"\s+")


def _realign(rows: list[Row], commented: list[Row], lines: dict[int, str], delimiter: str) -> None:
    """Split headings that are parted by another sign than the numbers below them."""
    first = next((i for i in range(len(rows)) if is_data(rows, i)), 0)
    width = len(rows[first][1]) if rows else 0
    for group, end in ((rows, first), (commented, len(commented))):
        for i in range(end):
            number, cells = group[i]
            if delimiter == " " and any(str(cell)[:1] in "([" for cell in cells if cell):
                words = _with_units(cells)
                if len(words) in (width, width - 1):  # one less: the rows have names, too
                    group[i] = (number, words)
                    continue
            if len(cells) == width or width < 2:
                continue
            names, units = cells[::2], [str(cell or "") for cell in cells[1::2]]
            if len(units) == width and all(map(unit_alone, units)):  # "time, ms, voltage, V"
                joined = zip(names, units, strict=True)
                group[i] = (number, [f"{name} ({unit})" for name, unit in joined])
                continue
            if delimiter == " " and (words := _with_units(cells)) and len(words) == width:
                group[i] = (number, words)
                continue
            for sign in _HEADING_SIGNS:
                if sign == delimiter:
                    continue
                pattern = re.escape(sign) if len(sign) == 1 else sign
                parts = [p.strip().strip('"') for p in re.split(pattern, lines[number].strip())]
                if len(parts) == width and all(parts) and not any(map(looks_numeric, parts)):
                    group[i] = (number, list(parts))
                    break


def _in_columns(rows: list[Row], lines: dict[int, str], path: str) -> list[Row]:
    """Rows of a text in which blanks part the cells, with the missing ones of short rows where
    they are missing: by the places of cells in the line, below those of full rows.

    Raises InputError: a row is short, others follow that are not, and nothing tells which cell is
    missing.
    """
    numeric = [k for k, (_, cells) in enumerate(rows) if cells and all(map(looks_numeric, cells))]
    width = max((len(rows[k][1]) for k in numeric), default=0)
    full = [k for k in numeric if len(rows[k][1]) == width]
    short = [k for k in numeric if len(rows[k][1]) < width and k > full[0]] if width > 1 else []
    if not short:
        return rows
    spans = np.array([_places(lines[rows[k][0]]) for k in full[:_SAMPLE]])
    # one blank between cells leaves no hole where one of them is missing
    fixed = bool((spans[:, 1:, 0] - spans[:, :-1, 1]).min() > 1)
    edges = [[set(spans[:, column, side]) for side in (0, 1)] for column in range(width)]
    out = list(rows)
    for k in short:
        number, cells = rows[k]
        at = [
            [c for c in range(width) if any(edges[c][side] == {place[side]} for side in (0, 1))]
            for place in _places(lines[number])
        ]
        if fixed and all(len(hits) == 1 for hits in at):
            below: list[Cell] = [""] * width
            for cell, (column,) in zip(cells, at, strict=True):
                below[column] = cell
            out[k] = (number, below)
        elif k < full[-1]:
            raise InputError(
                f"has {len(cells)} cells, others have {width}: nothing says which is missing",
                f"{path}, line {number}",
                "Write nan for a missing value, or part the cells by commas or tabs",
            )
    return out


def _places(line: str) -> list[tuple[int, int]]:
    """First character of each cell of a line, and the one behind its last."""
    return [match.span() for match in re.finditer(r"\S+", line)]


def _with_units(cells: list[Cell]) -> list[Cell]:
    """Words of headings, each unit behind its name: of "pulse G uS" two."""
    words: list[str] = []
    for cell in map(str, cells):
        if words and (cell[:1] in "([" or (len(cell) > 1 and unit_alone(cell))):
            words[-1] += f" ({cell.strip('()[]')})"
        else:
            words.append(cell)
    return list(words)


def _split_all(lines: list[tuple[int, str]], delimiter: str, path: str) -> list[Row]:
    """The cells of all lines; `split`, without its call where a line has no quotation mark."""
    if delimiter == " " and not any('"' in line for _, line in lines):
        return [(number, list(line.split())) for number, line in lines]
    return [
        (number, split(line, delimiter, f"{path}, line {number}"))
        if '"' in line or delimiter == " "
        else (number, list(map(str.strip, line.split(delimiter))))
        for number, line in lines
    ]


def split(line: str, delimiter: str, where: str) -> list[Cell]:
    """The cells of a line; of one that cannot be split an error at ``where``, or none if that is
    empty."""
    if '"' not in line:
        return [cell.strip() for cell in line.split(None if delimiter == " " else delimiter)]
    try:
        rows = list(
            csv.reader([line.strip()], delimiter=delimiter, skipinitialspace=True, strict=True)
        )
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
    mixed, most = "", 0.45
    for sign in DELIMITERS:
        if sign == "," and decimal == "," and not any('"' in line for _, line in sample):
            continue
        counts: Counter[int] = Counter()
        words: Counter[int] = Counter()  # beside numbers
        for _, line in sample:
            try:
                cells = split(line, sign, "x")
            except InputError:
                continue
            numeric = sum(looks_numeric(c) or is_empty(c) for c in cells)
            if 1 < len(cells) == numeric:
                counts[len(cells)] += 1
            elif len(cells) > 1 and any(map(looks_numeric, cells)):
                words[len(cells)] += 1
        reached = max(counts.values(), default=0) / len(sample)
        if reached > score + 0.05:
            best, score = sign, reached
        reached = max(words.values(), default=0) / len(sample)
        if reached > most + 0.05:
            mixed, most = sign, reached
    if best == "," and decimal is None:
        refuse_ambiguous_comma(sample, path)
    if best:
        if best != ",":
            assumptions.append(f"cells separated by a {DELIMITERS[best]}")
        return best
    if mixed:
        if mixed != ",":
            assumptions.append(f"cells separated by a {DELIMITERS[mixed]}")
        return mixed
    return ";" if any(";" in line for _, line in sample) else "\t" if decimal == "," else ","
