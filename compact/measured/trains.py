"""From columns with known roles to trains: conductances, groups, order, gaps."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from compact.measured.checks import refuse_unread_unit
from compact.measured.groups import Settings, group_rows, labels_of, read_settings
from compact.measured.headings import QUANTITY, direction_in, direction_of, without_number
from compact.measured.roles import Roles
from ddkbase.errors import InputError, shorten
from ddkbase.tables.table import (
    Cell,
    Column,
    Table,
    has_units_in_cells,
    is_empty,
    numbers,
    printable,
)
from ddkbase.tables.units import is_relative, read_voltage
from ddkbase.units import to_si

__all__ = ["Train", "build"]

_RANGE = (1e-15, 1.0)  # S, of memristors
_OHMS = 100.0  # from which bare numbers are more likely resistances than conductances
_CYCLES = ("cycle", "zyklus", "run", "sweep", "loop")
_DEVICES = ("device", "dev", "cell", "die", "chip", "sample")
#: what speaks of a unit in a heading
#: "Vread = 0.1 V", "Read voltage (V): 0.1" among lines before a table
_NOTED = re.compile(
    r"(?<![A-Za-z])(?:V[\s_]?(?:r|rd|read)|read(?:ing|out)?[\s_-]*(?:voltage|bias|pulse|at|V))\b"
    r"\s*(?:[(\[]\s*(?P<before>[m\u00b5\u03bcu]?V)\s*[)\]])?[\s=:,]*"
    r"(?P<value>[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\d.])\s*(?P<unit>[m\u00b5\u03bcu]?V\b)?",
    re.IGNORECASE,
)
_UNEQUAL = 0.5  # share of the largest by which read voltages may differ
_FEW = 5  # pulses from which numbers that fall may be counted backwards
_WHOLE = 1e-6  # how far from a whole number a pulse number may lie


@dataclass
class Train:
    """One train: values (n,) after pulses 1 to n, NaN where missing."""

    label: str
    source: str
    values: np.ndarray = field(default_factory=lambda: np.empty(0))
    direction: str = ""
    initial: float = np.nan
    extra: dict[str, np.ndarray] = field(default_factory=dict)
    order: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))  # numbers in the file
    cycle: int | None = None
    device: str = ""
    varied: str = ""  # which setting of the pulses is not the same throughout
    cell: tuple[str, ...] = ()  # column and labels: trains that share them are of one cell
    rows: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))  # of the table


def build(table: Table, roles: Roles, units: Mapping[str, str]) -> tuple[list[Train], str]:
    """All trains of a table and the unit of their conductance, "S" or "1".

    Raises
    ------
    InputError
        A cell that is no number, a pulse that stands twice, a conductance that cannot be.
    """
    settings = read_settings(table, roles, dict(units))
    pulses = None if roles.pulse is None else _pulse_numbers(table, roles.pulse)
    if pulses is None:
        table.assume(f"pulses counted from 1 in the order of the {table.row}s")
    keys = [labels_of(_filled_down(table, column)) for column in roles.train]
    if roles.direction is not None:
        keys.append(_directions(table, roles.direction))
    trains: list[Train] = []
    relative: set[bool] = set()
    groups = group_rows(table, keys, pulses, settings, len(table.lines))
    for column in roles.values:
        values, plain = _conductance(table, roles, column, units)
        relative.add(plain)
        if len(relative) > 1:
            raise InputError("has no unit where others have one", table.where(column))
        for group, more, rows in groups:
            train = _train(table, roles, column, group, more, rows, values, pulses, settings)
            if train is not None:
                trains.append(train)
    if not trains:
        raise InputError("holds no reading after a pulse", table.path)
    if pulses is None:
        _turned(table, trains, settings)
    _at_pulse_numbers(table, trains)
    _unique_labels(trains)
    _remark(table, trains, relative == {True})
    return trains, "1" if relative == {True} else "S"


def _filled_down(table: Table, column: Column) -> Sequence[Cell] | np.ndarray:
    """The cells of a column of names, where a name that stands once counts for the rows below."""
    cells = column.cells
    if isinstance(cells, np.ndarray) or is_empty(cells[0]) or not any(map(is_empty, cells)):
        return cells
    filled: list[Cell] = []
    for cell in cells:
        filled.append(filled[-1] if is_empty(cell) else cell)
    table.assume(f"{column.title}: empty cells taken as the one above them")
    return filled


def _remark(table: Table, trains: list[Train], relative: bool) -> None:
    """Say what is odd about the values: no memristor has them, or the pulses differ."""
    values = np.concatenate([t.values for t in trains])
    values = values[np.isfinite(values)]
    outside = (values < _RANGE[0]) | (values > _RANGE[1])
    if not relative and outside.any():
        table.assume(
            f"conductances from {values.min():.3g} to {values.max():.3g} S: no memristor lies "
            f"outside of {_RANGE[0]:g} to {_RANGE[1]:g} S. Is the unit right? (mohm is milliohm)"
        )
    if relative and values.size and np.median(np.abs(values)) > _OHMS:
        table.assume(
            f"values from {values.min():.4g} to {values.max():.4g} without a unit look like ohms: "
            "if they are, pass resistance=..., for all directions are the other way round"
        )
    for train in trains:
        reads = int(np.isfinite(train.values).sum())
        if 2 * reads <= train.values.size:
            table.assume_of(
                train.label, f"{reads} reads after {train.values.size} pulses: not each was read"
            )
        if train.varied:
            table.assume_of(
                train.label, f"{train.varied}: not equal pulses, which alpha and beta are of"
            )


def _train(
    table: Table,
    roles: Roles,
    column: Column,
    group: tuple[str, ...],
    more: str,
    rows: np.ndarray,
    values: np.ndarray,
    pulses: np.ndarray | None,
    settings: Settings,
) -> Train | None:
    """One group of rows as a train, sorted by pulse number, gaps not open yet; None if empty."""
    direction = ""
    if roles.direction is not None:
        direction, group = group[-1], group[:-1]
    elif roles.kind == "conductance" or len(roles.values) > 1:
        direction = direction_in(column.name) or ""
        if direction:
            table.assume(f"{column.title}: direction '{direction}' by its heading")
    name = column.name or f"column {column.number}"
    if sum(other.name == column.name for other in roles.values) > 1 and column.heading:
        name = printable(column.heading)
    group_text = ", ".join(
        f"{c.name or c.title} {label}" for c, label in zip(roles.train, group, strict=True)
    )
    group_text = ", ".join(t for t in (group_text, more) if t)
    label = group_text or name
    if group_text and len(roles.values) > 1:
        label = f"{name}, {group_text}"
    if roles.direction is not None and direction:
        label += f", {direction}"
    order = pulses[rows] if pulses is not None else _counted(rows, settings)
    if not np.isfinite(values[rows]).any():
        table.assume_of(label, "empty, left out")
        return None
    ranks = np.argsort(order, kind="stable")
    if (np.diff(order) < 0).any():
        _refuse_backwards(table, roles, label, direction, order, values[rows])
        table.assume_of(label, "pulses sorted")
    order, rows = order[ranks], rows[ranks]
    twice = np.flatnonzero(np.diff(order) == 0)
    if twice.size:
        first, second = sorted(table.lines[r] for r in rows[twice[0] : twice[0] + 2])
        raise InputError(
            f"pulse {order[twice[0]]} of train '{label}' stands twice, in {table.row}s {first} "
            f"and {second}",
            table.where(roles.pulse),
            "Remove one of them, or name the column that tells trains apart with train='...'",
        )
    first, last = int(order[0]), int(order[-1])
    if last - first > 1000 + 100 * order.size:
        raise InputError(
            f"train '{label}' has {order.size} values, but pulse numbers from {first} to {last}",
            table.where(roles.pulse),
            "Is that the column of pulse numbers? Pass pulse='...'",
        )
    train = Train(
        label, f"{table.path}, {column.title}" + (f", {group_text}" if group_text else "")
    )
    train.direction = direction
    for c, text in zip(roles.train, group, strict=True):
        role = without_number(c.name.strip().lower()).split(" ")[0]
        if role in _CYCLES and text.isdigit():
            train.cycle = int(text)
        elif role in _DEVICES:
            train.device = text
    train.varied = settings.varied(rows)
    if first == 0:
        table.assume("pulse 0 taken as the reading before the first pulse")
        train.initial = float(values[rows[0]])
        order, rows = order[1:], rows[1:]
    train.order, train.values, train.rows = order, values[rows], rows
    train.cell = (str(column.number), *group)
    train.extra = {name: array[rows] for name, array in settings.known.items()}
    if not np.isfinite(train.values).any():
        table.assume_of(label, "empty, left out")
        return None
    return train


def _counted(rows: np.ndarray, settings: Settings) -> np.ndarray:
    """Numbers of pulses in the order of rows; a first row of none, or of 0 V, before others: 0."""
    amplitude = settings.all.get("amplitude")
    before = 0
    if amplitude is not None and rows.size > 1:
        applied = np.isfinite(amplitude[rows]) & (amplitude[rows] != 0)
        before = int(not applied[0] and applied[1:].all())
    return np.arange(1 - before, rows.size + 1 - before)


def _refuse_backwards(
    table: Table,
    roles: Roles,
    label: str,
    direction: str,
    order: np.ndarray,
    values: np.ndarray,
) -> None:
    """Refuse numbers that fall from row to row, if the values go as is said in the order of rows:
    plots of up and down count the pulses of down backwards."""
    finite = values[np.isfinite(values)]
    if not direction or finite.size < _FEW or not (np.diff(order) < 0).all():
        return
    if (finite[-1] > finite[0]) == (direction == "up"):
        raise InputError(
            f"the pulse numbers of train '{label}' fall from {order[0]} to {order[-1]}: in their "
            f"order it does not go {direction}, as is said, but in that of the {table.row}s",
            table.where(roles.pulse),
            "Count the pulses in the order in which they were applied, or leave the column out",
        )


def _turned(table: Table, trains: list[Train], settings: Settings) -> None:
    """Give a train in rows without pulse numbers the read of the row before it.

    That row is of the same cell and of pulses of the other polarity: what one train has done the
    next undoes. At one polarity the cell may have been brought back in between, unseen.
    """
    amplitude = settings.all.get("amplitude")
    if amplitude is None:
        return
    last = {(train.cell, int(train.rows[-1])): train for train in trains}
    for train in trains:
        row = int(train.rows[0])
        before = last.get((train.cell, row - 1))
        if before is None or not amplitude[row - 1] * amplitude[row] < 0:
            continue
        if np.isfinite(before.values[-1]) and np.isnan(train.initial):
            train.initial = float(before.values[-1])
            table.assume_of(
                train.label,
                "follows pulses of the other polarity, their last read taken as the reading before "
                "the first pulse",
            )


def _at_pulse_numbers(table: Table, trains: list[Train]) -> None:
    """Put pulse k at index k - 1, NaN between.

    A train whose numbers go on from the last of another, or begin far from 1, is counted from 1.
    Where that other is of the same cell, its last read is the one before the first pulse.
    """
    ends = {int(train.order[-1]) for train in trains}
    reads: dict[tuple[tuple[str, ...], int], list[float]] = {}
    for train in trains:
        reads.setdefault((train.cell, int(train.order[-1])), []).append(float(train.values[-1]))
    for train in trains:
        first, offset = int(train.order[0]), 0
        # pulses from read to read; a first read behind as many of them is one of pulse 1 on
        step = int(np.median(np.diff(train.order))) if train.order.size > 1 else 1
        if first > step and first - step in ends:
            offset = first - step
            said = f"goes on at pulse {first} where another ends, counted from 1"
            last = reads.get((train.cell, offset), [])
            if len(last) == 1 and np.isfinite(last[0]):
                train.initial = last[0]
                said += ", the last read of that one taken as the reading before the first pulse"
            table.assume_of(train.label, said)
        elif first > max(train.order.size, 2 * step):
            offset = first - 1
            table.assume_of(
                train.label,
                f"begins at pulse {first}, counted from 1 as if nothing had come before",
            )
        filled = np.flatnonzero(np.isfinite(train.values))
        index = (train.order - offset - 1).astype(int)[: filled[-1] + 1]

        def at_index(array: np.ndarray, index: np.ndarray = index) -> np.ndarray:
            out = np.full(index[-1] + 1, np.nan)
            out[index] = array[: index.size]
            return out

        train.values = at_index(train.values)
        train.extra = {name: at_index(array) for name, array in train.extra.items()}


def _unique_labels(trains: list[Train]) -> None:
    seen: dict[str, int] = {}
    for train in trains:
        seen[train.label] = seen.get(train.label, 0) + 1
        if seen[train.label] > 1:
            train.label += f" ({seen[train.label]})"


def _pulse_numbers(table: Table, column: Column) -> np.ndarray:
    values = numbers(table, column, "1", "")
    with np.errstate(invalid="ignore"):
        odd = ~(np.isfinite(values) & (np.abs(values - np.rint(values)) <= _WHOLE))
        odd |= (values < 0) | (values > 1e15)
    for row in np.flatnonzero(odd).tolist():
        value = values[row]
        if not np.isfinite(value):
            filled = any(not is_empty(c.cells[row]) for c in table.columns if c is not column)
            if not filled:
                continue
            raise InputError(
                "a value without its pulse number",
                table.where(column, row),
                "Give the number, or remove the row",
            )
        raise InputError(
            f"{value:g} is not a pulse number",
            table.where(column, row),
            "Whole numbers from 0 or 1 are expected; pass pulse='...' if another column counts",
        )
    # a row with nothing in it takes a number of its own behind all others
    missing = ~np.isfinite(values)
    if missing.any():
        values[missing] = np.arange(1, missing.sum() + 1) + np.nanmax(values, initial=0)
    return np.rint(values).astype(np.int64)


def _directions(table: Table, column: Column) -> list[str]:
    directions = []
    for row, cell in enumerate(column.cells):
        direction = direction_of(cell)
        if direction is None:
            raise InputError(
                f"{shorten(cell)} is not a direction",
                table.where(column, row),
                "Write up or down (or set and reset, 1 and -1); read for what only reads",
            )
        directions.append(direction)
    return directions


def _conductance(
    table: Table, roles: Roles, column: Column, units: Mapping[str, str]
) -> tuple[np.ndarray, bool]:
    """Conductance of each row, NaN where empty, and whether it is relative.

    Raises
    ------
    InputError
        A cell that is no number, a conductance that cannot be; it says where.
    """
    kind = roles.kind
    unit = units.get(column.name) or units.get(kind) or column.unit
    values = numbers(table, column, QUANTITY[kind], unit)
    relative = is_relative(unit) and not has_units_in_cells(column)
    if not (units.get(column.name) or units.get(kind)):
        refuse_unread_unit(table, column)
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
    if roles.voltage is None and read_voltage(column.heading):
        table.assume(f"{column.title}: read at {read_voltage(column.heading)}, by its heading")
        return to_si(read_voltage(column.heading), "V", table.where(column))
    if roles.voltage is None and (noted := _noted_voltage(table)):
        table.assume(f"{column.title}: read at {noted}, by what stands before the table")
        return to_si(noted, "V", table.where(column))
    if roles.voltage is None:
        raise InputError(
            "a current says nothing without its read voltage",
            table.where(column),
            "Pass voltage='0.1 V', or the column that holds it",
        )
    if not isinstance(roles.voltage, Column):
        return roles.voltage
    voltage = numbers(table, roles.voltage, "V", units.get("voltage"))
    readings = voltage[np.isfinite(voltage)]
    if readings.size and readings.min() < 0 < readings.max():
        raise InputError(
            "the voltage goes through zero: a current-voltage loop, not reads after pulses",
            table.where(roles.voltage, int(np.flatnonzero(voltage < 0)[0])),
            "read_pulses wants one read at one voltage after each pulse",
        )
    readings = readings[readings != 0]
    if readings.size and np.ptp(readings) > _UNEQUAL * np.abs(readings).max():
        raise InputError(
            f"the voltage goes from {readings.min():g} to {readings.max():g} V: a sweep, or writes "
            "and reads in one column, not reads after pulses",
            table.where(roles.voltage),
            "Leave the reads alone, or tell them apart by a column of SET, RESET and READ",
        )
    return voltage


def _noted_voltage(table: Table) -> str:
    """The read voltage that lines before the table name, all alike; empty if none or several do."""
    said = set()
    for remark in table.remarks:
        for match in _NOTED.finditer(remark):
            unit = match["unit"] or match["before"] or ""
            value = float(match["value"])
            if unit.lstrip("mu\u00b5\u03bc") == "V" and value:
                said.add(f"{value:g} {unit.replace(chr(0x3BC), 'u').replace(chr(0xB5), 'u')}")
    return said.pop() if len(said) == 1 else ""


def _check(
    table: Table, column: Column, values: np.ndarray, bad: np.ndarray, what: str, hint: str = ""
) -> None:
    rows = np.flatnonzero(bad)
    if rows.size:
        cell = column.cells[int(rows[0])]
        raise InputError(
            f"{shorten(cell)} is {what}",
            table.where(column, int(rows[0])),
            hint
            or "Correct it, or pass units='normalised' if the numbers have a scale of their own"
            if "negative" in what
            else hint or "Correct it, or leave the cell empty for a missing value",
        )
