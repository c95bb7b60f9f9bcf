"""What the columns of a measured table are: as the user says, else by their headings.

A column is taken as conductance if its heading says so by name or unit. Without any heading it is,
if nothing else can be meant; a heading that is there and not understood is not guessed at.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from compact.measured.checks import (
    BEFORE,
    plain_numbers,
    refuse_another_axis,
    refuse_other_tables,
    refuse_states,
    refuse_trains_in_rows,
    titles_of,
)
from compact.measured.headings import (
    BESIDE,
    LOGARITHM,
    QUANTITY,
    VALUES,
    direction_in,
    role_of,
    without_number,
)
from ddkbase.errors import InputError, closest, shorten
from ddkbase.tables.table import Column, Table, is_empty, looks_numeric
from ddkbase.tables.units import is_relative, quantity_of, split_unit

__all__ = ["Roles", "assign", "find_column"]

_SINGLE_UNIT = re.compile(r"(?P<name>.+?)[_\s](?P<unit>[SAVs])")
_ALIKE = 30  # times by which columns of one kind may differ in size
_VARIES = 0.01  # share by which a voltage of equal pulses may vary
_ALMOST = 0.3  # of a step, by which an axis that was read off a figure may be uneven
_EVEN = 1e-6  # of a step, by which an axis may be uneven
#: words of values that were computed; beside measured ones they are no train
_COMPUTED = {
    "simulated", "simulation", "sim", "calculated", "calc", "computed", "theory", "theoretical",
    "predicted", "prediction", "modelled", "modeled", "ideal",
}  # fmt: skip
#: in headings of values that were divided by one of them
_NORMALISED = re.compile(r"(?i)/|%|(?<![a-z])(norm|rel)")
_ADDRESS = {"row", "col", "column", "wl", "bl", "wordline", "bitline", "address", "addr"}
_SHOWN = 8  # columns that a message names


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
    roles, taken = _as_given(table, given)
    unused: list[Column] = []
    beside: list[Column] = []
    candidates: dict[str, list[Column]] = {kind: [] for kind in VALUES}
    others: list[Column] = []
    empty: list[Column] = []
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
        unused += _choose_values(table, roles, candidates, others, wide, quantity)
        if not wide:
            told = given.get("pulse") is not None
            refuse_other_tables(table, roles.values, roles.pulse, roles.train, told)
            _refuse_axes(table, roles, [*unused, *beside])
    _write_voltage(roles)
    _note(table, roles, unused + beside)
    return roles


def _role(table: Table, column: Column) -> str | None:
    """The role of a column by its heading, its unit, and what its cells tell of addresses."""
    role = None  # of a heading that is a unit and nothing else
    if column.name != column.unit or not column.name:
        role = role_of(column.name) or _by_number(table, column)
    measures = quantity_of(column.unit) if column.unit else None
    if role is None or (role == "other" and measures in ("S", "ohm")):
        role = {"V": "voltage", "s": "time"}.get(measures or "", role)
    return "train" if role in ("other", None) and _addresses(column) else role


def _refuse_axes(table: Table, roles: Roles, beside: list[Column]) -> None:
    """Refuse values over a voltage, an interval or the like, where no column counts pulses."""
    if roles.pulse is not None:
        return
    if isinstance(roles.voltage, Column) and roles.kind != "current":
        beside = [*beside, roles.voltage]
    refuse_another_axis(table, beside if roles.time is None else [*beside, roles.time])


def _write_voltage(roles: Roles) -> None:
    """Take a voltage that varies beside conductances or resistances as that of the pulses."""
    volts = roles.voltage
    if roles.kind == "current" or roles.amplitude is not None or not isinstance(volts, Column):
        return
    values = plain_numbers(volts)
    values = values[np.isfinite(values)]
    if "read" not in volts.name.lower() and values.size and np.ptp(values) > _VARIES * np.abs(
        values
    ).max():  # fmt: skip
        roles.amplitude, roles.voltage = volts, None


def _single_unit(column: Column) -> None:
    """The unit of "Id_mean_A" or "Vd_read_V", if what stands before measures just that."""
    match = _SINGLE_UNIT.fullmatch(column.name)
    if match and not column.unit:
        role = role_of(match["name"]) or ""
        if QUANTITY.get(role) == match["unit"] and len(match["name"]) > 1:
            column.name, column.unit = match["name"], match["unit"]


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
    quantity: str | None,
) -> list[Column]:
    """Set ``roles.kind`` and ``roles.values``; return the columns that have no part."""
    for column in others:
        measured = quantity_of(column.unit) if column.unit else None
        for kind in VALUES:
            if measured == QUANTITY[kind]:
                candidates[kind].append(column)
    others = [c for c in others if not any(c in group for group in candidates.values())]
    plain = [
        c
        for c in others
        if (not c.unit or is_relative(c.unit))
        and all(is_empty(x) or looks_numeric(x) for x in c.cells)
    ]
    refuse_trains_in_rows(table, [*plain, *(c for g in candidates.values() for c in g)], wide)
    for kind in VALUES:
        if candidates[kind]:
            roles.kind, roles.values = kind, _of_reads(candidates[kind])
            break
    else:
        _without_names(table, roles, plain, quantity, wide)
    for column in roles.values:
        if LOGARITHM.search(column.name):
            raise InputError(
                "holds logarithms", table.where(column), "Convert them to plain values first"
            )
    if wide is None:
        refuse_states(table, roles.values)
    if len(roles.values) > 1 and (wide is False or roles.train):
        raise InputError(
            f"several columns may hold the {roles.kind}: {titles_of(roles.values)}",
            table.path,
            f"Pass {roles.kind}='...', or wide=True if each is a train",
        )
    return [
        c for c in [*others, *(c for g in candidates.values() for c in g)] if c not in roles.values
    ]


def _of_reads(columns: list[Column]) -> list[Column]:
    """Those that hold reads after pulses: after goes before "before", a mean before its parts."""

    def without(words: set[str], only: set[str] | None = None) -> list[Column]:
        split = {c.number: set(re.split(r"[\W_]+", c.name.lower())) for c in columns}
        if only is not None and not any(split[c.number] & only for c in columns):
            return columns
        return [c for c in columns if not split[c.number] & words] or columns

    measured = [c for c in columns if c.unit and not is_relative(c.unit)]
    if all(c in measured or _NORMALISED.search(c.heading or c.name) for c in columns):
        columns = measured or columns
    columns = without(BEFORE)
    columns = without(_COMPUTED)
    columns = without({"median"}, {"mean", "avg", "average"})
    means = [c for c in columns if re.search(r"(?i)mean|avg|average", c.name)]
    if len(means) == 1 and len(columns) > 1:
        columns = means
    return sorted(columns, key=lambda c: c.number)


def _without_names(
    table: Table, roles: Roles, plain: list[Column], quantity: str | None, wide: bool | None
) -> None:
    """Values in columns whose headings name no quantity, or that have none."""
    logarithms = next((c for c in plain if LOGARITHM.search(c.name)), None)
    if logarithms is not None:
        raise InputError(
            "holds logarithms", table.where(logarithms), "Convert them to plain values first"
        )
    told = next((kind for kind in VALUES if QUANTITY[kind] == quantity), None)
    bare = [c for c in plain if not c.name]
    named = [c for c in plain if c.name]
    if not named and len(bare) > 1 and _is_axis(bare[0]):
        table.assume(f"{bare[0].title} rises evenly: taken as an axis, no train")
        bare = bare[1:]
    elif not named and len(bare) > 1 and not wide and _is_axis(bare[0], _ALMOST):
        raise InputError(
            f"{bare[0].title} rises almost evenly: an axis that was read off a figure, or a train",
            table.path,
            f"Pass conductance={bare[1].number} (or resistance, current), or wide=True if each "
            "column is a train",
        )
    ways = [direction_in(without_number(c.name)) for c in named]
    # "LTP", "LTD": they speak of conductance, if the values do as they say
    follow = all(ways) and all(_goes(c) == way for c, way in zip(named, ways, strict=True))
    if named and not bare and (told or follow):
        series = all(ways) or len({without_number(c.name).lower() for c in named}) == 1
        if len(named) == 1 or series:
            roles.kind, roles.values = told or "conductance", named
            said = f"by its unit taken as {told}" if told else "taken as conductance"
            table.assume(f"{titles_of(named)} {said}")
            return
    if not named and bare and (len(bare) == 1 or _alike(bare) or all(map(_swings, bare))):
        roles.kind, roles.values = told or "conductance", bare
        roles.guessed = told is None
        table.assume(f"{titles_of(bare)} taken as {roles.kind}")
        if roles.guessed:
            table.assume(
                "nothing says that these are conductances: if they are resistances, "
                "pass resistance=..., for all directions are the other way round"
            )
        return
    hint = "Pass conductance='...', resistance='...' or current='...': a heading or a number"
    if not plain:
        raise InputError(
            "no column with conductance, resistance or current is found", table.path, hint
        )
    if not named:
        raise InputError(
            f"{len(bare)} columns without headings differ in kind: it is not said which holds "
            "the values",
            table.path,
            hint,
        )
    raise InputError(
        "no heading says which column holds conductance, resistance or current: "
        + ", ".join(c.title for c in table.columns[:_SHOWN])
        + (", ..." if len(table.columns) > _SHOWN else ""),
        table.path,
        hint,
    )


def _is_axis(column: Column, uneven: float = _EVEN) -> bool:
    """Whether a column rises by steps that are equal to a share ``uneven`` of the mean one."""
    steps = np.diff(plain_numbers(column))
    if steps.size < 4 or not (steps > 0).all():
        return False
    return bool(np.ptp(steps) <= uneven * max(float(steps.mean()), 1e-300) + 1e-9)


def _alike(columns: Sequence[Column]) -> bool:
    """Whether columns may be trains of one quantity: of one size, none constant, none an axis."""
    arrays = [plain_numbers(c) for c in columns]
    arrays = [a[np.isfinite(a)] for a in arrays]
    if any(a.size < 2 or np.ptp(a) == 0 for a in arrays) or any(map(_is_axis, columns[1:])):
        return False
    sizes = np.array([np.abs(a).max() for a in arrays])
    return bool(sizes.min() > 0 and sizes.max() < _ALIKE * sizes.min())


def _swings(column: Column) -> bool:
    """Whether there are numbers of both signs: what a loop has (`directions.refuse_loops`)."""
    values = plain_numbers(column)
    return bool((values < 0).any() and (values > 0).any())


def _goes(column: Column) -> str | None:
    values = plain_numbers(column)
    values = values[np.isfinite(values)]
    if values.size < 2:
        return None
    tenth = max(values.size // 10, 1)
    ends = values[-tenth:].mean() - values[:tenth].mean()
    return "up" if ends > 0 else "down" if ends < 0 else None


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
