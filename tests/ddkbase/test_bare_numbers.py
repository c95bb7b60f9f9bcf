"""Columns read at once give what their cells give one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ddkbase.tables.table as decimals
import ddkbase.tables.table as tables
from ddkbase.errors import InputError
from ddkbase.tables.table import Cell, Column, Table, bare_numbers, numbers, settle_decimal

CELLS = st.one_of(
    st.sampled_from(
        ["1", "-2.5", "+.5", "5.", "1e-6", "1E+3", "0,5", ",5", "1,000", "-12,500", "1e400",
         "9.9e37", "", "nan", "NaN", "n/a", "NA", "-", "inf", "1_000", "1d3", "1.5 uS",
         "0,5 uS", "1.2.3", "1,2,3", "1,2.3", ".", "e5", "\N{MINUS SIGN}3", "\u0661", "word",
         "OVLD", " 1"]
    ),
    st.text("0123456789+-.,eE", max_size=6),
    st.none(),
    st.floats(-10, 10),
)  # fmt: skip


def said(cells: list[Cell]) -> object:
    """Decimal sign and numbers of a column, or the error."""
    table = Table("lab.csv", [], range(1, len(cells) + 1))
    table.columns = [Column("g", "uS", list(cells), 1)]
    try:
        settle_decimal(table, None)
        return table.decimal_comma, numbers(table, table.columns[0], "S").tolist()
    except InputError as error:
        return str(error)


@given(st.one_of(st.lists(CELLS, min_size=1, max_size=8), st.lists(st.sampled_from(
    ["0,5", "12,25", "1,000", "3", ""]), min_size=1, max_size=8)))  # fmt: skip
def test_a_column_at_once_is_its_cells_one_by_one(cells: list[Cell]) -> None:
    at_once = said(cells)
    with pytest.MonkeyPatch.context() as patch:
        for module in (tables, decimals):
            patch.setattr(module, "bare_numbers", lambda cells, comma: None)
        singly = said(cells)
    if isinstance(at_once, tuple) and isinstance(singly, tuple):
        assert at_once[0] == singly[0]
        # a gap is a gap, and a number the same to the last bit
        np.testing.assert_array_equal(at_once[1], singly[1])
    else:
        assert at_once == singly


def test_what_is_read_at_once() -> None:
    values = bare_numbers(["1", "", "2.5e-6"], comma=False)
    assert values is not None
    np.testing.assert_array_equal(values, [1, np.nan, 2.5e-6])
    commas = bare_numbers(["0,5", "NaN", "2"], comma=True)
    assert commas is not None
    np.testing.assert_array_equal(commas, [0.5, np.nan, 2])
    assert bare_numbers(["0,5", "2"], comma=False) is None
    assert bare_numbers(["0,5", "2.5"], comma=True) is None
