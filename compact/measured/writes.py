"""Records of programming: rows that write and rows that read, told apart by a column of operations.

An instrument's log has a row for every pulse ("SET", "RESET") and one for every read ("READ")
between them. What is fitted are the reads; which pulse came before a read says its direction, its
number, and the amplitude and width that brought the cell there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from compact.measured.headings import direction_of
from compact.measured.roles import Roles
from ddkbase.errors import InputError, shorten
from ddkbase.tables.table import Cell, Column, Table, is_empty

__all__ = ["keep_reads"]

_READS = {"read", "verify", "reading", "read-out", "readout", "measure", "sense", "rd", "r"}


def keep_reads(table: Table, roles: Roles) -> None:
    """Leave the reads of a table whose column of directions names reads, too.

    Each read gets the direction of the pulses before it and their number since the direction
    changed; the read before a change is the one before the first pulse of the next direction, too.
    A table without such rows stays as it is.

    Raises
    ------
    InputError
        An operation that is neither a direction nor a read, or no pulse at all.
    """
    column = roles.direction
    if column is None:
        return
    operations = [str(cell or "").strip().lower() for cell in column.cells]
    if not any(o in _READS for o in operations):
        return
    rows, directions, counts, writes = _reads(table, column, operations)
    if not rows:
        raise InputError("holds no read after a pulse", table.where(column))
    written: dict[str, Column | None] = {"amplitude": roles.amplitude, "width": roles.width}
    volts = roles.voltage
    if roles.amplitude is None and isinstance(volts, Column):
        written["amplitude"] = volts
    settings = []
    for name, source in written.items():
        cells = [] if source is None else [source.cells[w] for w in writes]
        if source is not None and not all(map(is_empty, cells)):
            setattr(roles, name, dataclasses.replace(source, cells=cells))
            settings.append(name)
    for c in table.columns:
        c.cells = [c.cells[row] for row in rows]
    table.lines = [table.lines[row] for row in rows]
    column.cells = directions
    number: list[Cell] = [str(count) for count in counts]
    heading = roles.pulse.name if roles.pulse is not None else "pulses since the turn"
    last = max(c.number for c in table.columns)
    roles.pulse = Column(heading, "", number, last + 1)
    table.assume(
        f"{column.title}: the reads are fitted; direction, number"
        f"{''.join(', ' + name for name in settings)} are those of the pulses before them"
    )


def _reads(
    table: Table, column: Column, operations: Sequence[str]
) -> tuple[list[int], list[Cell], list[int], list[int]]:
    """Rows of the reads, their directions, pulses since the turn, and the rows of these pulses."""
    rows: list[int] = []
    directions: list[Cell] = []
    counts: list[int] = []
    writes: list[int] = []
    direction, count, before, latest = "", 0, -1, -1
    for row, operation in enumerate(operations):
        if operation in _READS:
            if count and rows and rows[-1] == before and counts[-1] == count:
                # read again with no pulse between: the last one counts
                rows[-1], before = row, row
                continue
            before = row
            if direction:
                rows.append(row)
                directions.append(direction)
                counts.append(count)
                writes.append(latest)
            continue
        said = direction_of(column.cells[row])
        if said is None:
            if not operation:
                continue
            raise InputError(
                f"{shorten(column.cells[row])} is neither a direction nor a read",
                table.where(column, row),
                "Write set or reset (up, down) and read",
            )
        if said != direction:
            direction, count = said, 0
            if before >= 0:
                rows.append(before)
                directions.append(direction)
                counts.append(0)
                writes.append(row)
        count, latest = count + 1, row
    return rows, directions, counts, writes
