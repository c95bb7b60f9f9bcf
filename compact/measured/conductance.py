"""Conductance from what was measured: itself, a resistance, or a current and its read voltage."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from compact.measured.columns import QUANTITY, Roles
from compact.measured.table import Column, Table, has_units_in_cells, numbers
from compact.measured.units import is_relative
from ddkbase.errors import InputError, shorten

__all__ = ["conductance_of", "has_unit"]


def has_unit(table: Table, column: Column, name: str, units: Mapping[str, str]) -> bool:
    """Whether the numbers of a column have a unit; noted if not."""
    if column.unit or units.get(name) or has_units_in_cells(column):
        return True
    table.assume(f"{column.title} has no unit: not used")
    return False


def conductance_of(
    table: Table, roles: Roles, column: Column, units: Mapping[str, str]
) -> tuple[np.ndarray, bool]:
    """Conductance of each row, NaN where empty, and whether it is relative.

    Raises
    ------
    InputError
        A cell that is no number, a conductance that cannot be; its place is told.
    """
    kind = roles.kind
    unit = units.get(column.name) or units.get(kind) or column.unit
    values = numbers(table, column, QUANTITY[kind], unit)
    relative = is_relative(unit) and not has_units_in_cells(column)
    if not unit and relative:
        table.assume(
            f"{column.title} has no unit: taken as relative, on a scale of its own "
            "(pass units='uS' or the like if it has one)"
        )
    if kind == "conductance":
        _check(table, column, values, (values < 0) & (not relative), "a negative conductance")
        return values, relative
    if kind == "resistance":
        _check(table, column, values, values <= 0, "a resistance that is not positive")
        table.assume(f"{column.title}: conductance = 1/resistance")
        with np.errstate(over="ignore"):
            inverse = 1 / values
        _check(table, column, values, np.isinf(inverse), "a resistance too close to zero")
        return inverse, relative
    voltage = _read_voltage(table, roles, column, units)
    if isinstance(roles.voltage, Column):
        plain = is_relative(units.get("voltage") or roles.voltage.unit)
        relative = relative or (plain and not has_units_in_cells(roles.voltage))
    with np.errstate(all="ignore"):
        conductance = values / voltage
    _check(table, column, values, ~np.isfinite(conductance) & np.isfinite(values), "a current that "
           "has no read voltage, or one of zero")  # fmt: skip
    _check(
        table, column, values, conductance < 0, "a current against its read voltage", "Check signs"
    )
    table.assume(f"{column.title}: conductance = current/read voltage")
    return conductance, relative


def _read_voltage(
    table: Table, roles: Roles, column: Column, units: Mapping[str, str]
) -> np.ndarray | float:
    if roles.voltage is None:
        raise InputError(
            "a current says nothing without its read voltage",
            table.place(column),
            "Pass voltage='0.1 V', or the column that holds it",
        )
    if not isinstance(roles.voltage, Column):
        return roles.voltage
    voltage = numbers(table, roles.voltage, "V", units.get("voltage"))
    known = voltage[np.isfinite(voltage)]
    if known.size and known.min() < 0 < known.max():
        raise InputError(
            "the voltage goes through zero: a current-voltage loop, not reads after pulses",
            table.place(roles.voltage, int(np.flatnonzero(voltage < 0)[0])),
            "read_pulses wants one read at one voltage after each pulse",
        )
    if known.size and np.ptp(known) > 0.5 * np.abs(known).max():
        table.assume(
            f"{roles.voltage.title}: the read voltage varies from {known.min():g} to "
            f"{known.max():g}; each current divided by its own"
        )
    return voltage


def _check(
    table: Table, column: Column, values: np.ndarray, bad: np.ndarray, what: str, hint: str = ""
) -> None:
    rows = np.flatnonzero(bad)
    if rows.size:
        cell = column.cells[int(rows[0])]
        raise InputError(
            f"{shorten(cell)} is {what}",
            table.place(column, int(rows[0])),
            hint
            or "Correct it, or pass units='normalised' if the numbers have a scale of their own"
            if "negative" in what
            else hint or "Correct it, or leave the cell empty for a missing value",
        )
