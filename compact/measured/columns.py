"""What the columns of a measured table are: as the user says, else by their headings.

A column is taken as conductance if its heading says so by name or unit. Without any heading it is,
if nothing else can be meant; a heading that is there and not understood is not guessed at.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from compact.measured.checks import (
    plain_numbers,
    refuse_another_axis,
    refuse_frequencies,
    refuse_gates,
    refuse_other_tables,
    titles_of,
)
from compact.measured.headings import (
    BESIDE,
    QUANTITY,
    VALUES,
    direction_in,
    direction_of,
    role_of,
    without_number,
)
from compact.measured.recordings import keep_plateaus
from compact.measured.roles import Roles, as_given
from compact.measured.values import choose_values
from ddkbase.errors import InputError
from ddkbase.tables.table import Column, Table, is_empty
from ddkbase.tables.units import is_relative, quantity_of

__all__ = ["assign"]

_SINGLE_UNIT = re.compile(r"(?P<name>.+?)[_\s](?P<unit>[SAVs])")
_PREFIX = re.compile(r"(?P<name>.+?)(?:\s*[(\[]\s*|\s*/\s*)(?P<prefix>[kKM])\s*[)\]]?")
#: of what a heading with per cent says: by how much, not of what
_CHANGES = {"increase", "decrease", "potentiation", "depression", "increased", "decreased"}
_VARIES = 0.01  # share by which a voltage of equal pulses may vary
_ADDRESS = {"row", "col", "column", "wl", "bl", "wordline", "bitline", "address", "addr"}
_SHOWN = 8  # columns that a message names


def assign(
    table: Table, given: Mapping[str, Any], wide: bool | None, quantity: str | None = None
) -> Roles:
    """The role of each column.

    Parameters
    ----------
    given : mapping
        What the user said of conductance, resistance, current, voltage (a column or volts), pulse,
        train, direction (a column): a key for `find_column`, a list of keys, or None.
    wide : bool or None
        Whether each value column is a train; None: find out.
    quantity : str or None, optional
        What the values measure by the unit that the user gave: "S", "ohm" or "A".

    Raises
    ------
    InputError
        It is not clear which columns hold the values.
    """
    for column in table.columns:
        _single_unit(column)
        _prefix_alone(table, column)
    roles, taken = as_given(table, given)
    unused: list[Column] = []
    beside: list[Column] = []
    candidates: dict[str, list[Column]] = {kind: [] for kind in VALUES}
    others: list[Column] = []
    empty: list[Column] = []
    written: Column | None = None  # a voltage beside that of the reads
    for column in table.columns:
        role = _role(table, column)
        if column.number in taken:
            continue
        if all(is_empty(c) for c in column.cells):
            if role in VALUES:
                empty.append(column)
            continue
        if role in ("pulse", "direction", "amplitude", "width", "voltage", "time"):
            if role == "pulse" and given.get("pulse") is None and _says_more(column, roles.pulse):
                unused += [roles.pulse] if roles.pulse else []
                roles.pulse = column
            elif (
                role == "voltage"
                and given.get("voltage") is None
                and isinstance(roles.voltage, Column)
                and _of_read(column) > _of_read(roles.voltage)
            ):
                written, roles.voltage = roles.voltage, column
            elif getattr(roles, role) is None and _suits(column, role):
                setattr(roles, role, column)
            else:
                unused.append(column)
        elif role == "train":
            roles.train.append(column)
        elif role in VALUES:
            candidates[role].append(column)
        elif role in BESIDE:
            (roles.spread if role == "spread" else beside).append(column)
        else:
            others.append(column)
    for column in roles.train:  # what tells trains apart may be a setting, too
        role = role_of(column.name)
        if role in ("amplitude", "width") and getattr(roles, role) is None:
            setattr(roles, role, column)
    if given.get("train") is not None:
        unused += [c for c in roles.train if c.number not in taken]
        roles.train = [c for c in roles.train if c.number in taken]
    if roles.values:
        unused += others + [c for group in candidates.values() for c in group]
    else:
        if empty and not any(candidates.values()):
            raise InputError(
                f"{titles_of(empty)} holds no value", table.path, "A column of numbers is expected"
            )
        unused += choose_values(table, roles, candidates, others, wide, quantity)
        if not wide:
            told = given.get("pulse") is not None
            refuse_other_tables(table, roles.values, roles.pulse, roles.train, told)
            if not told:
                refuse_frequencies(table, [*unused, *beside])
            _refuse_axes(table, roles, [*unused, *beside])
    if not _write_voltage(roles, written) and written is not None:
        unused.append(written)
    if not wide:
        keep_plateaus(table, roles, told=given.get("pulse") is not None)
    _note(table, roles, unused + beside)
    return roles


def _role(table: Table, column: Column) -> str | None:
    """The role of a column by its heading, its unit, and what its cells tell of addresses."""
    role = None  # of a heading that is a unit and nothing else
    if column.name != column.unit or not column.name:
        role = role_of(column.name) or _by_number(table, column)
    measures = quantity_of(column.unit) if column.unit else None
    words = set(re.split(r"[\W_]+", column.name.lower()))
    if role in (*VALUES, None) and column.unit.strip() == "%" and words & _CHANGES:
        return "derived"
    if role is None and measures is None and _says_directions(column):
        return "direction"
    if role is None or (role == "other" and measures in ("S", "ohm")):
        role = {"V": "voltage", "s": "time"}.get(measures or "", role)
    return "train" if role in ("other", None) and _addresses(column) else role


def _refuse_axes(table: Table, roles: Roles, beside: list[Column]) -> None:
    """Refuse values over a voltage, an interval or the like, where no column counts pulses."""
    if roles.pulse is not None:
        return
    refuse_gates(table, beside)
    if isinstance(roles.voltage, Column) and roles.kind != "current":
        beside = [*beside, roles.voltage]
    refuse_another_axis(table, beside if roles.time is None else [*beside, roles.time])


def _of_read(column: Column) -> bool:
    """Whether a heading says that a voltage is that of the reads."""
    return bool(re.search(r"(?i)read|(?<![a-z])v_?rd?(?![a-z])", column.name))


def _write_voltage(roles: Roles, written: Column | None) -> bool:
    """Take a voltage that varies beside conductances, resistances, or the voltage of the reads, as
    that of the pulses; whether there is one."""
    volts = roles.voltage if written is None else written
    if not isinstance(volts, Column) or roles.amplitude is not None:
        return False
    if written is None and (roles.kind == "current" or "read" in volts.name.lower()):
        return False
    values = plain_numbers(volts)
    values = values[np.isfinite(values)]
    if not values.size or not np.ptp(values) > _VARIES * np.abs(values).max():
        return False
    roles.amplitude = volts
    if written is None:
        roles.voltage = None
    return True


def _prefix_alone(table: Table, column: Column) -> None:
    """The unit of "R (k)": kilo-ohms, of a heading that names a resistance."""
    match = _PREFIX.fullmatch(column.name)
    if match and not column.unit and role_of(match["name"]) == "resistance":
        column.unit = f"{match['prefix'].replace('K', 'k')}ohm"
        table.assume(f"{column.title} taken as {column.unit}")
        column.name = match["name"].strip()


def _single_unit(column: Column) -> None:
    """The unit of "Id_mean_A" or "Vd_read_V", if what stands before measures just that."""
    match = _SINGLE_UNIT.fullmatch(column.name)
    if match and not column.unit:
        role = role_of(match["name"]) or ""
        if QUANTITY.get(role) == match["unit"] and len(match["name"]) > 1:
            column.name, column.unit = match["name"], match["unit"]


def _says_directions(column: Column) -> bool:
    """Whether each cell names a direction in a word, whatever the heading, and both are named."""
    cells = column.cells
    if isinstance(cells, np.ndarray) or not isinstance(cells[0], str):
        return False
    ways = {str(cell).strip().lower() for cell in set(cells)}
    return all(len(way) > 1 and way.isalpha() for way in ways) and {
        direction_of(way) for way in ways
    } == {"up", "down"}


def _addresses(column: Column) -> bool:
    """Whether a column says of each row which cell of an array it is, of several."""
    words = set(re.split(r"[\W_]+", column.name.lower()))
    if not words & _ADDRESS:
        return False
    count = len(set(map(str, column.cells)))
    return 1 < count <= max(1, len(column.cells) // 2)


def _says_more(column: Column, before: Column | None) -> bool:
    """Whether a heading speaks of pulses where the one before only says "no." or "index"."""
    return "puls" in column.name.lower() and (before is None or "puls" not in before.name.lower())


def _suits(column: Column, role: str) -> bool:
    quantity = QUANTITY.get(role)
    if quantity is None or not column.unit:
        return True
    return quantity_of(column.unit) == quantity or is_relative(column.unit)


def _by_number(table: Table, column: Column) -> str | None:
    """Role of a heading with a number behind it ("G1", "cycle 2"), or of an unnamed first column
    that counts."""
    if column.name:
        base = without_number(column.name)
        role = role_of(base)
        if role is None and direction_in(base):
            bare = re.sub(r"(?i)[_\s-]*\b(up|down|set|reset|pot|dep|ltp|ltd)\b[_\s-]*", " ", base)
            role = role_of(without_number(re.sub(r"(?i)_(up|down|set|reset)", " ", bare)))
        return role if role in VALUES else None
    if column.number != 1 or len(table.columns) == 1 or any(c.name for c in table.columns):
        return None
    try:
        counted = [float(str(c)) for c in column.cells]
    except ValueError:
        return None
    counts = counted[:1] in ([0.0], [1.0]) and all(b - a == 1 for a, b in pairwise(counted))
    if not counts or len(counted) < 2:
        return None
    table.assume("column 1 counts upwards by one: taken as pulse numbers")
    return "pulse"


def _note(table: Table, roles: Roles, unused: list[Column]) -> None:
    if roles.kind != "current" and isinstance(roles.voltage, Column):
        unused.append(roles.voltage)
    if roles.time is not None:
        unused.append(roles.time)
        if roles.pulse is None:
            table.assume(
                f"no column counts pulses, but {roles.time.title} is a time: reads over time "
                "(retention) are no reads after pulses"
            )
    if unused:
        titles = ", ".join(c.title for c in sorted(unused, key=lambda c: c.number)[:_SHOWN])
        table.assume(f"not used: {titles}" + (", ..." if len(unused) > _SHOWN else ""))
    if roles.spread:
        table.assume(f"{titles_of(roles.spread)}: spread of the values, no train; not used")
