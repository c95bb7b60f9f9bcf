"""Which column of a table plays which part, and the columns that a user names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from compact.measured.headings import VALUES
from ddkbase.errors import InputError, closest, shorten
from ddkbase.tables.table import Column, Table
from ddkbase.tables.units import split_unit

__all__ = ["Roles", "as_given", "find_column"]


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
    spread: list[Column] = field(default_factory=list)  # standard deviations beside the values
    time: Column | None = None
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
    hits = hits or [c for c in table.columns if c.heading and c.heading == key.strip()]
    if not hits and key.strip().isdigit():
        return find_column(table, int(key), name)
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


def as_given(table: Table, given: Mapping[str, Any]) -> tuple[Roles, set[int]]:
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
