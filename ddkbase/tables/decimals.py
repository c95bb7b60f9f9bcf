"""Decimal signs of texts: what a comma or a point between digits is, or that nothing tells."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice, pairwise

from ddkbase.errors import InputError, shorten
from ddkbase.tables.table import Table, bare_numbers, looks_numeric, sign_of_groups, uses_comma
from ddkbase.tables.units import spelled

__all__ = ["refuse_ambiguous_comma", "refuse_ambiguous_point", "settle_decimal"]

# "1,000" and "-12,500,000" (with "uS" behind), not "0,125", "1,25" or "1,000e3"
_THOUSANDS = re.compile(r"\s*[+-]?[1-9]\d{0,2}(?:,\d{3})+(?![\d,eEdD])")
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
            thousands = thousands and all(_THOUSANDS.match(c) for c in map(str, cells) if "," in c)
        groups = sign_of_groups(cells)
        for row in rows:
            cell = cells[row]
            comma = groups == "." if groups and groups in str(cell) else uses_comma(cell)
            if comma is not None and comma not in seen:
                seen[comma] = table.where(column, row)
            thousands = thousands and (not comma or _THOUSANDS.match(str(cell)) is not None)
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

    Raises
    ------
    InputError
        Every point in a column of ohms stands before three digits.
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
