"""Which sign separates the cells of a text table, and which the decimals."""

from __future__ import annotations

import csv
import re
from collections import Counter
from itertools import pairwise

from compact.measured.table import Cell, Table, is_empty, looks_numeric, uses_comma
from ddkbase.errors import InputError, shorten

__all__ = ["DELIMITERS", "delimiter_of", "settle_decimal", "split"]

DELIMITERS = {"\t": "tab", ";": "semicolon", ",": "comma", "|": "bar", " ": "space"}
# "1,000" and "-12,500,000" (with "uS" behind), not "0,125", "1,25" or "1,000e3"
_THOUSANDS = re.compile(r"\s*[+-]?[1-9]\d{0,2}(?:,\d{3})+(?![\d,eEdD])")


def split(line: str, delimiter: str, place: str) -> list[Cell]:
    """The cells of a line; of one that cannot be split an error at ``place``, or none if that is
    empty."""
    if delimiter == " ":
        return list(line.split())
    if '"' not in line:
        return [cell.strip() for cell in line.split(delimiter)]
    try:
        rows = list(csv.reader([line], delimiter=delimiter, skipinitialspace=True, strict=True))
    except csv.Error as error:
        if not place:
            return []
        hint = "Is a quotation mark closed on its line?"
        raise InputError(f"cannot be split into cells: {error}", place, hint) from None
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
                seen[comma] = table.place(column, row)
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
