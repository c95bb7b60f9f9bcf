"""What the columns of a measured table are: as the user says, else by their headings.

A new spelling of a heading goes into `HEADINGS`, one of a direction into `UP` or `DOWN`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from ddkbase.errors import InputError, closest, shorten
from ddkbase.tables.table import Cell, Column, Table, is_empty, looks_numeric
from ddkbase.tables.units import is_relative, quantity_of, split_unit

__all__ = [
    "QUANTITY",
    "VALUES",
    "Roles",
    "assign",
    "direction_in",
    "direction_of",
    "find_column",
    "is_known",
    "is_value",
    "role_of",
]

QUANTITY = {
    "conductance": "S",
    "resistance": "ohm",
    "current": "A",
    "voltage": "V",
    "amplitude": "V",
    "width": "s",
}
VALUES = ("conductance", "resistance", "current")
HEADINGS: dict[str, set[str]] = {
    "conductance": {"g", "cond", "conductance", "gread", "conductivity", "g read", "read g"},
    "resistance": {"r", "res", "resistance", "rread", "r read", "read r"},
    "current": {"i", "current", "iread", "i read", "read i"},
    "voltage": {"v", "u", "voltage", "vread", "v read", "read v"},
    "amplitude": {
        "amplitude", "amp", "pulse amplitude", "pulse voltage", "pulse height", "write voltage",
        "v pulse", "vpulse", "v write", "vwrite", "v p", "voltage amplitude", "v amp",
    },
    "width": {
        "width", "pulse width", "duration", "pulse duration", "pulse length", "t pulse", "pw",
        "t width", "write width",
    },
    "pulse": {
        "pulse", "pulses", "pulse number", "pulse no", "pulse no.", "pulse nr", "pulse index",
        "pulse count", "pulse id", "n", "no", "no.", "nr", "nr.", "#", "number", "index", "idx",
        "n pulse", "n pulses", "number of pulses", "pulse #", "#pulse", "step", "pulsenumber",
    },
    "train": {
        "train", "cycle", "device", "cell", "run", "sweep", "trace", "series", "sample", "loop",
        "train number", "cycle number", "device number", "dev", "cycle no", "device id", "cell id",
        "cycle index", "utterance",
    },
    "direction": {
        "direction", "dir", "polarity", "operation", "op", "up/down", "set/reset", "mode", "ltp/ltd"
    },
}  # fmt: skip
UP = {"up", "set", "pot", "potentiation", "ltp", "increase", "+", "+1", "1", "p"}
DOWN = {"down", "reset", "dep", "depression", "ltd", "decrease", "-", "-1", "d"}
_LOGARITHM = re.compile(r"(?i)\b(log(10)?|ln|lg|db)\b|^log")


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
    spelling = split_unit(key)[0].lower()
    hits = [c for c in table.columns if key.strip() == c.name]
    hits = hits or [c for c in table.columns if c.name and c.name.lower() == spelling]
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


def assign(table: Table, given: Mapping[str, Any], wide: bool | None) -> Roles:
    """The role of each column.

    Parameters
    ----------
    given : mapping
        What the user said of conductance, resistance, current, voltage (a column or volts), pulse,
        train, direction (a column): a key for `find_column`, a list of keys, or None.
    wide : bool or None
        Whether each value column is a train; None: find out.

    Raises
    ------
    InputError
        It is not clear which columns hold the values.
    """
    roles, taken = _as_given(table, given)
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
    if given.get("train") is not None:
        unused += [c for c in roles.train if c.number not in taken]
        roles.train = [c for c in roles.train if c.number in taken]
    if roles.values:
        unused += others + [c for group in candidates.values() for c in group]
    else:
        unused += _choose_values(table, roles, candidates, others, wide)
    _note(table, roles, unused)
    return roles


def _as_given(table: Table, given: Mapping[str, Any]) -> tuple[Roles, set[int]]:
    roles = Roles()
    taken: set[int] = set()

    def columns(name: str) -> list[Column]:
        keys = given.get(name)
        if keys is None:
            return []
        matches = [
            find_column(table, key, name)
            for key in (keys if isinstance(keys, list | tuple) else [keys])
        ]
        for column in matches:
            if column.number in taken:
                raise InputError(f"{column.title} is named for two things", table.path)
            taken.add(column.number)
        return matches

    kinds = [kind for kind in VALUES if given.get(kind) is not None]
    if len(kinds) > 1:
        raise InputError(
            f"both {kinds[0]} and {kinds[1]} are named", table.path, "Give only one of them"
        )
    for kind in kinds:
        roles.kind, roles.values = kind, columns(kind)
    voltage = given.get("voltage")
    if isinstance(voltage, float):
        roles.voltage = voltage
    elif voltage is not None:
        roles.voltage = columns("voltage")[0]
    for name in ("pulse", "direction"):
        matches = columns(name)
        if len(matches) > 1:
            raise InputError("is named as several columns", f"{table.path}, {name}")
        setattr(roles, name, matches[0] if matches else None)
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
        if _LOGARITHM.search(column.name):
            raise InputError(
                "holds logarithms", table.where(column), "Convert them to plain values first"
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
        base = _without_number(column.name)
        role = role_of(base)
        if role is None and direction_in(base):
            bare = re.sub(r"(?i)[_\s-]*\b(up|down|set|reset|pot|dep|ltp|ltd)\b[_\s-]*", " ", base)
            role = role_of(_without_number(re.sub(r"(?i)_(up|down|set|reset)", " ", bare)))
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


def role_of(heading: str) -> str | None:
    """The role that a heading without its unit names; None if it is not known."""
    text = re.sub(r"[_\s]+", " ", heading.strip().lower()).strip(" :")
    for role, spellings in HEADINGS.items():
        if text in spellings:
            return role
    if text.startswith("read ") or text.endswith(" read"):
        return role_of(text.removeprefix("read ").removesuffix(" read"))
    return None


def direction_in(heading: str) -> str | None:
    """The direction that a word of a heading names: "up", "down" or None."""
    tokens = set(re.split(r"[_\s,;:()-]+", heading.strip().lower())) - {""}
    longer = {w for w in tokens if len(w) > 1 and not w.lstrip("+-").isdigit()}
    up, down = bool(longer & UP), bool(longer & DOWN)
    return None if up == down else "up" if up else "down"


def direction_of(cell: Cell) -> str | None:
    """The direction that a cell names ("up", "RESET", "-1"); None if it names none."""
    if isinstance(cell, float):
        cell = f"{cell:g}"
    text = str(cell or "").strip().lower()
    text = text.removesuffix(".0")
    return "up" if text in UP else "down" if text in DOWN else None


def is_known(name: str) -> bool:
    """Whether a heading without its unit has a role or names a direction."""
    return bool(role_of(_without_number(name)) or direction_in(name))


def is_value(name: str) -> bool:
    """Whether a heading without its unit names conductance, resistance or current."""
    return role_of(name) in VALUES


def _without_number(name: str) -> str:
    """A heading without the number behind it: "G" for "G 12"."""
    return re.sub(r"[\s_.#-]*\d+$", "", name)
