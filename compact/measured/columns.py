"""What the columns of a foreign table are: by the user's word, else by their headings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from compact.measured.headings import LOGARITHM, direction_in, role_of, without_number
from compact.measured.table import Column, Table, is_empty, looks_numeric
from compact.measured.units import is_relative, quantity_of, split_unit
from ddkbase.errors import InputError, closest, shorten

__all__ = ["QUANTITY", "VALUES", "Roles", "assign", "find_column"]

QUANTITY = {
    "conductance": "S",
    "resistance": "ohm",
    "current": "A",
    "voltage": "V",
    "amplitude": "V",
    "width": "s",
}
VALUES = ("conductance", "resistance", "current")


@dataclass
class Roles:
    """Which column plays which part; ``values`` share one quantity, a key of `QUANTITY`."""

    kind: str = ""
    values: list[Column] = field(default_factory=list)
    voltage: Column | float | None = None  # a column, or volts
    pulse: Column | None = None
    amplitude: Column | None = None
    width: Column | None = None
    train: list[Column] = field(default_factory=list)
    direction: Column | None = None
    guessed: bool = False  # nobody called the values conductances


def find_column(table: Table, key: object, name: str) -> Column:
    """The column that ``key`` names: its heading, or its number counted from 1.

    Raises
    ------
    InputError
        There is none, or several.
    """
    if isinstance(key, int) and not isinstance(key, bool):
        if 1 <= key <= len(table.columns):
            return table.columns[key - 1]
        raise InputError(
            f"there is no column {key}",
            f"{table.path}, {name}",
            f"Columns 1 to {len(table.columns)}",
        )
    if not isinstance(key, str):
        raise InputError(
            f"{shorten(key)} names no column", name, "Give a heading, or a number from 1"
        )
    wanted = split_unit(key)[0].lower()
    hits = [c for c in table.columns if key.strip() == c.name]
    hits = hits or [c for c in table.columns if c.name and c.name.lower() == wanted]
    if len(hits) == 1:
        return hits[0]
    if hits:
        numbers = ", ".join(str(c.number) for c in hits)
        raise InputError(
            f"columns {numbers} are all called {shorten(key)}",
            f"{table.path}, {name}",
            "Give the number of the column",
        )
    headings = [c.name for c in table.columns if c.name]
    hint = closest(key, headings) if headings else "It has no headings: give the number"
    raise InputError(f"there is no column {shorten(key)}", f"{table.path}, {name}", hint)


def assign(table: Table, told: Mapping[str, Any], wide: bool | None) -> Roles:
    """The role of each column.

    Parameters
    ----------
    told : mapping
        What the user said of conductance, resistance, current, voltage (a column or volts), pulse,
        train, direction (a column): a key for `find_column`, a list of keys, or None.
    wide : bool or None
        Whether each value column is a train; None: find out.

    Raises
    ------
    InputError
        It cannot be told which columns hold the values.
    """
    roles, taken = _as_told(table, told)
    unused: list[Column] = []
    candidates: dict[str, list[Column]] = {kind: [] for kind in VALUES}
    others: list[Column] = []
    for column in table.columns:
        if column.number in taken or all(is_empty(c) for c in column.cells):
            continue
        role = role_of(column.name) or _by_number(table, column)
        if role in ("pulse", "direction", "amplitude", "width", "voltage"):
            if getattr(roles, role) is None and _suits(column, role):
                setattr(roles, role, column)
            else:
                unused.append(column)
        elif role == "train":
            roles.train.append(column)
        elif role in VALUES:
            candidates[role].append(column)
        else:
            others.append(column)
    if told.get("train") is not None:
        unused += [c for c in roles.train if c.number not in taken]
        roles.train = [c for c in roles.train if c.number in taken]
    if roles.values:
        unused += others + [c for group in candidates.values() for c in group]
    else:
        unused += _choose_values(table, roles, candidates, others, wide)
    _note(table, roles, unused)
    return roles


def _as_told(table: Table, told: Mapping[str, Any]) -> tuple[Roles, set[int]]:
    roles = Roles()
    taken: set[int] = set()

    def columns(name: str) -> list[Column]:
        keys = told.get(name)
        if keys is None:
            return []
        found = [
            find_column(table, key, name)
            for key in (keys if isinstance(keys, list | tuple) else [keys])
        ]
        for column in found:
            if column.number in taken:
                raise InputError(f"{column.title} is told to be two things", table.path)
            taken.add(column.number)
        return found

    kinds = [kind for kind in VALUES if told.get(kind) is not None]
    if len(kinds) > 1:
        raise InputError(
            f"both {kinds[0]} and {kinds[1]} are told", table.path, "Give only one of them"
        )
    for kind in kinds:
        roles.kind, roles.values = kind, columns(kind)
    voltage = told.get("voltage")
    if isinstance(voltage, float):
        roles.voltage = voltage
    elif voltage is not None:
        roles.voltage = columns("voltage")[0]
    for name in ("pulse", "direction"):
        found = columns(name)
        if len(found) > 1:
            raise InputError("is told to be several columns", f"{table.path}, {name}")
        setattr(roles, name, found[0] if found else None)
    roles.train = columns("train")
    return roles, taken


def _choose_values(
    table: Table,
    roles: Roles,
    candidates: dict[str, list[Column]],
    others: list[Column],
    wide: bool | None,
) -> list[Column]:
    """Set ``roles.kind`` and ``roles.values``; return the columns that have no part."""
    for column in others:
        quantity = quantity_of(column.unit) if column.unit else None
        for kind in VALUES:
            if quantity == QUANTITY[kind]:
                candidates[kind].append(column)
    others = [c for c in others if not any(c in group for group in candidates.values())]
    plain = [
        c
        for c in others
        if (not c.unit or is_relative(c.unit))
        and all(is_empty(x) or looks_numeric(x) for x in c.cells)
    ]
    for kind in VALUES:
        if candidates[kind]:
            roles.kind, roles.values = kind, sorted(candidates[kind], key=lambda c: c.number)
            break
    else:
        if not plain:
            raise InputError(
                "no column with conductance, resistance or current is found",
                table.path,
                "Pass conductance='...', resistance='...' or current='...': a heading or a number",
            )
        roles.kind, roles.values, roles.guessed = "conductance", plain, True
        table.assume(
            ", ".join(c.title for c in plain[:4])
            + (", ..." if len(plain) > 4 else "")
            + " taken as conductance"
        )
    for column in roles.values:
        if LOGARITHM.search(column.name):
            raise InputError(
                "holds logarithms", table.place(column), "Convert them to plain values first"
            )
    if len(roles.values) > 1 and (wide is False or roles.train):
        titles = ", ".join(c.title for c in roles.values)
        raise InputError(
            f"several columns may hold the {roles.kind}: {titles}",
            table.path,
            f"Pass {roles.kind}='...', or wide=True if each is a train",
        )
    return [
        c for c in [*others, *(c for g in candidates.values() for c in g)] if c not in roles.values
    ]


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
    if unused:
        titles = ", ".join(c.title for c in sorted(unused, key=lambda c: c.number)[:8])
        table.assume(f"not used: {titles}" + (", ..." if len(unused) > 8 else ""))
