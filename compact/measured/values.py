"""Which columns hold the values, reads after pulses: by headings and units, else by numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from compact.measured.checks import (
    BEFORE,
    plain_numbers,
    refuse_single_values,
    refuse_states,
    refuse_trains_in_rows,
    titles_of,
)
from compact.measured.headings import QUANTITY, VALUES, direction_in, without_number
from compact.measured.roles import Roles
from ddkbase.errors import InputError
from ddkbase.tables.table import Column, Table, is_empty, looks_numeric
from ddkbase.tables.units import LOGARITHM, is_relative, quantity_of

__all__ = ["choose_values"]

_ALIKE = 30  # times by which columns of one kind may differ in size
_ALMOST = 0.3  # of a step, by which an axis that was read off a figure may be uneven
_EVEN = 1e-6  # of a step, by which an axis may be uneven
#: words of values that were computed; beside measured ones they are no train
_COMPUTED = {
    "simulated", "simulation", "sim", "calculated", "calc", "computed", "theory", "theoretical",
    "predicted", "prediction", "modelled", "modeled", "ideal",
}  # fmt: skip
#: in headings of values that were divided by one of them
_NORMALISED = re.compile(r"(?i)/|%|(?<![a-z])(norm|rel)")
_CHAINED = 4  # rows from which reads before pulses are those after the pulses before
_SHOWN = 8  # columns that a message names


def choose_values(
    table: Table,
    roles: Roles,
    candidates: dict[str, list[Column]],
    others: list[Column],
    wide: bool | None,
    quantity: str | None,
) -> list[Column]:
    """Set ``roles.kind`` and ``roles.values``; return the columns that have no part."""
    named = {kind: bool(group) for kind, group in candidates.items()}
    for column in others:
        measured = quantity_of(column.unit) if column.unit else None
        for kind in VALUES:
            # beside headings that name a quantity, a unit alone does not make a train
            if measured == QUANTITY[kind] and not named[kind]:
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
    said = [bool(direction_in(c.name)) for c in roles.values]
    if wide is None and roles.train and roles.pulse is None:
        refuse_single_values(table, roles.train)
    if len(roles.values) > 1 and (
        wide is False or roles.train or (wide is None and any(said) and not all(said))
    ):
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
    columns = _followed(_varying(columns))
    means = [c for c in columns if re.search(r"(?i)mean|avg|average", c.name)]
    if len(means) == 1 and len(columns) > 1:
        columns = means
    return sorted(columns, key=lambda c: c.number)


def _varying(columns: list[Column]) -> list[Column]:
    """Those whose values change, and those of the same name with another number: a limit or a
    reference beside the values stays where it is."""
    arrays = [plain_numbers(c) for c in columns]
    same = [a.size > 1 and bool((a == a[0]).all()) for a in arrays]
    bases = {
        without_number(c.name)
        for c, flat in zip(columns, same, strict=True)
        if not flat and (without_number(c.name) != c.name or not c.name)
    }
    return [
        c
        for c, flat in zip(columns, same, strict=True)
        if not flat or without_number(c.name) in bases
    ] or columns


def _followed(columns: list[Column]) -> list[Column]:
    """Of two columns of which one holds, a row earlier, what the other does, the other: reads
    before each pulse and after it."""
    bases = {without_number(c.name) for c in columns}
    if len(columns) != 2 or (len(bases) == 1 and columns[0].name not in bases):  # "G1", "G2"
        return columns
    first, second = (plain_numbers(c) for c in columns)
    for before, after, column in ((first, second, columns[1]), (second, first, columns[0])):
        now, earlier = before[1:], after[:-1]
        both = np.isfinite(now) & np.isfinite(earlier)
        if both.sum() >= _CHAINED and np.ptp(now[both]) > 0 and (now == earlier)[both].all():
            return [column]
    return columns


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
            "no column with conductance, resistance or current is found among "
            + titles_of(table.columns),
            table.path,
            hint,
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
