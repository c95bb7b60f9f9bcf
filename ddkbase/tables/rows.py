"""From rows of cells to a table: where headings, units and numbers stand, whatever the file."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise

from ddkbase.errors import InputError, shorten
from ddkbase.tables.instruments import keysight_units, spice_units, without_preamble
from ddkbase.tables.table import (
    Cell,
    Column,
    FileOptions,
    Table,
    is_empty,
    looks_numeric,
    settle_decimal,
)
from ddkbase.tables.units import is_relative, quantity_of, spelled, split_unit, unit_alone

Row = tuple[int, list[Cell]]  # number of the line and its cells
_REMARKS = 1000  # lines before a table that may say something of it
_RULE = re.compile(r"[-=_*~\u2013\u2014]{3,}")  # a line across the page
_AGAIN = re.compile(r"(?P<heading>.+)\.\d{1,2}")  # "G (uS).1", as pandas writes a second "G (uS)"


def from_rows(
    rows: list[Row],
    path: str,
    row: str,
    assumptions: list[str],
    options: FileOptions,
    commented: list[Row] | None = None,
    parted: bool = False,
) -> Table:
    """A table from rows of cells: finds headings, units and preamble.

    A row is its number in the file, which calls it ``row``, and its cells. Of ``commented``, rows
    that stood behind a comment sign, the last before the numbers may be the headings; ``parted``:
    blanks part the cells, so that none can be empty. ``assumptions`` gets what was taken for what.
    """
    every = rows
    rows = without_preamble(rows, assumptions)
    first = next((i for i, (_, cells) in enumerate(rows) if is_data(rows, i)), None)
    if first is None:
        raise InputError("holds no row of numbers", path, "A table of numbers is expected")
    first = _behind_settings(rows, first, options.known)
    first, units, names, unread = _headings(rows, first, options.known)
    rows, blocks = _blocks(rows, first, names, row, assumptions)
    width = max(len(cells) for _, cells in rows[first:])
    while width > 1 and all(
        is_empty(cells[width - 1]) for _, cells in rows[first:] if len(cells) >= width
    ):
        if any(len(c) == width and not is_empty(c[width - 1]) for _, c in rows[:first]):
            break
        width -= 1  # a delimiter at the end of each line
    below = str(len(rows) - first - 1)
    counts = [str(cell) for cell in rows[first][1]]
    if (
        not names
        and len(rows) - first > 2
        and width > 1
        and counts in ([below], [below, str(width)])
    ):
        assumptions.append(f"{row} {rows[first][0]} says how many follow: not read")
        first += 1
    if not unread and not names and commented:
        before = [cells for number, cells in commented if number < rows[first][0]]
        while len(before) > 1 and all(map(looks_numeric, before[-1])):  # how many rows there are
            before.pop()
        if before and _are_names(before[-1], width):
            names = before[-1]
            assumptions.append(f"the comment before {row} {rows[first][0]} holds the headings")
    if unread:
        skipped = ", ".join(str(rows[i][0]) for i in unread[:5])
        more = ", ..." if len(unread) > 5 else ""
        assumptions.append(f"{row}s {skipped}{more} before the table not read")
    if names and is_counted(rows[first:], len(names), parted):
        names, units = ["", *names], ["", *units] if units else []
    if names and len(names) < width:
        number = next(n for n, cells in rows[first:] if len(cells) > len(names))
        raise InputError(
            f"has {width} columns, but there are {len(names)} headings",
            f"{path}, {row} {number}",
            "Give each column one heading",
        )
    if parted and _filled(names) > width:
        raise InputError(
            f"has {width} columns, but there are {_filled(names)} headings",
            f"{path}, {row} {rows[first][0]}",
            "Part headings and cells by tabs or commas, or give each column one heading",
        )
    width = max(width, _filled(names))
    rows = rows[first:]
    table = Table(path, [], [number for number, _ in rows], row, None, assumptions)
    table.remarks = [
        " ".join(str(cell) for cell in cells if not is_empty(cell))
        for number, cells in [*every[:_REMARKS], *(commented or [])[:_REMARKS]]
        if number < rows[0][0]
    ]
    names, units = _without_labels(names, units)
    short = [number for number, cells in rows if len(cells) < width]
    if short:
        table.assume(
            f"{len(short)} {row}s, the first being {row} {short[0]}, have less than {width} "
            "columns; the missing cells taken as empty"
        )
    for k in range(width):
        heading = str(names[k] or "").strip() if k < len(names) else ""
        again = _AGAIN.fullmatch(heading)
        if again and again["heading"] in [str(name or "").strip() for name in names[:k]]:
            heading = again["heading"]
        name, unit = split_unit(heading)
        below = str(units[k] or "") if k < len(units) else ""
        below = below if below.strip(" ()[]{}") else ""
        other = unit_alone(below)
        if unit and other and not is_relative(other) and spelled(unit) != spelled(other):
            raise InputError(
                f"its heading says {shorten(unit)}, the row below {shorten(other)}",
                f"{path}, column {k + 1} {shorten(name)}",
                "Leave one of them, or pass units='...' with a file that has none",
            )
        if not unit and not is_empty(below):
            unit = other or "1"
        if short:
            column = [cells[k] if k < len(cells) else None for _, cells in rows]
        else:
            column = [cells[k] for _, cells in rows]
        table.columns.append(Column(name, unit, column, k + 1, f"{heading} {below}".strip()))
    if blocks is not None:
        title, cells = blocks
        table.columns.append(Column(title, "", cells, len(table.columns) + 1, title))
    _units_beside(table)
    spice_units(table)
    keysight_units(table)
    settle_decimal(table, options.decimal)
    return table


def _units_beside(table: Table) -> None:
    """Give columns the unit that the cells of the next one, called "Unit", all say."""
    for column, beside in pairwise(table.columns):
        if column.unit or beside.name.lower() not in ("unit", "units"):
            continue
        said = {str(cell or "").strip() for cell in beside.cells} - {""}
        unit = spelled(said.pop()) if len(said) == 1 else ""
        if unit and quantity_of(unit) is not None:
            column.unit = unit
            table.assume(f"{column.title} in {unit}, by the column beside it")


def _behind_settings(rows: list[Row], first: int, known: Callable[[str], bool]) -> int:
    """Where the numbers begin, behind lines of settings such as "Points,40" and headings."""
    if any(_known_cells(cells, known) for _, cells in rows[:first]) or all(
        looks_numeric(c) for c in rows[first][1] if not is_empty(c)
    ):
        return first
    for i in range(first + 1, min(first + _REMARKS, len(rows) - 1)):
        cells, below = rows[i][1], [c for c in rows[i + 1][1] if not is_empty(c)]
        found = 0 if any(map(looks_numeric, cells)) else _known_cells(cells, known)
        if len(cells) < 2 or not found or len(rows[i + 1][1]) < len(cells):
            continue
        numeric = sum(map(looks_numeric, below))
        if numeric == len(below) or (found > 1 and 2 * numeric > len(below)):
            return i + 1
    return first


def is_data(rows: list[Row], i: int) -> bool:
    """Whether the numbers begin here: a row of numbers, followed by another or the last one."""
    cells = rows[i][1]
    filled = [c for c in cells if not is_empty(c)]
    if not filled or not any(looks_numeric(c) for c in filled):
        return False
    numeric = sum(looks_numeric(c) for c in filled)
    following = [c for _, cells in rows[i + 1 : i + 4] for c in cells if not is_empty(c)]
    usual = max((len(cells) for _, cells in rows[i : i + 20]), default=0)
    later = sum(looks_numeric(c) for c in following) / len(following) if following else 1.0
    share = numeric / len(filled)
    # headings such as "1, 2, 3" are rare; instruments' preambles ("Points,100") are not, but have
    # fewer cells than the table
    below = next((c for _, c in rows[i + 1 :] if not all(map(is_empty, c))), None)
    words = below is not None and not any(looks_numeric(c) for c in below if not is_empty(c))
    if words and numeric < len(filled):
        return False  # "Instrument,2450,04312": a setting
    return share >= min(0.99, 0.8 * later) and (2 * len(filled) > usual or len(cells) == usual)


def _headings(
    rows: list[Row], first: int, known: Callable[[str], bool]
) -> tuple[int, list[Cell], list[Cell], list[int]]:
    """First row of the table, cells with units, cells with names, rows that are none of these.

    Of the rows of words before the numbers the one holds the headings that has the most names and
    units which are known, the one above a row of units before others, the last before others: what
    follows it belongs to the table, however odd. Where none is known it is the row directly before
    the numbers.
    """
    width = len(rows[first][1])
    named = [i for i in range(first) if _are_names(rows[i][1], width) or _label(rows[i][1])]
    units = [i for i in named if _are_units(rows[i][1])]
    plain = [i for i in named if i not in units and _label(rows[i][1]) not in ("units", "comments")]
    scores = {i: _known_cells(rows[i][1], known) for i in plain}
    long_names = [i for i in plain if _label(rows[i][1]) == "long name"]
    if long_names:
        at = long_names[-1]
    elif any(scores.values()):
        over_units = {i for i in plain if i + 1 in units}
        at = max(plain, key=lambda i: (scores[i] and (i in over_units), scores[i], i))
    elif plain and plain[-1] >= first - 1 - (first - 1 in units):
        at = plain[-1]
    elif units:
        return first, rows[units[-1]][1], [], [i for i in range(first) if i != units[-1]]
    else:
        return first, [], [], list(range(first))
    names, groups = rows[at][1], at - 1
    if groups in plain and (
        (_repeated(names) and len(rows[groups][1]) >= len(names) - 1)
        or _named_above(rows[groups][1], names, known)
    ):
        names = _joined(rows[groups][1], names)
    else:
        groups = at
    below = next((i for i in units if i > at), at)
    if below == at and groups == at and at - 1 in units and len(rows[at - 1][1]) == len(names):
        below = at - 1
    words = [
        i
        for i in range(at + 1, first)
        if len(rows[i][1]) > 1 and not any(map(looks_numeric, rows[i][1]))
    ]
    start = next((i for i in range(at + 1, first) if i not in words), first)
    unread = [i for i in (*range(groups), *range(at + 1, start)) if i != below]
    return start, rows[below][1] if below != at else [], names, unread


def _named_above(groups: list[Cell], names: list[Cell], known: Callable[[str], bool]) -> bool:
    """Whether a row names what the row of names below it leaves empty, as merged cells do."""
    return any(
        is_empty(name) and not is_empty(group) and known(split_unit(str(group))[0])
        for name, group in zip(names, groups, strict=False)
    )


def _repeated(names: list[Cell]) -> bool:
    filled = [str(n).strip() for n in names if not is_empty(n)]
    return len(set(filled)) < len(filled)


def _joined(groups: list[Cell], names: list[Cell]) -> list[Cell]:
    """Headings of two rows: the upper one names groups, each from its cell to the next."""
    out, group = [], ""
    for k, name in enumerate(names):
        if k < len(groups) and not is_empty(groups[k]):
            group = str(groups[k]).strip()
        out.append(f"{name or ''} {group}".strip())
    return list(out)


_LABELS = {
    "long name": "long name", "longname": "long name", "name": "long name", "units": "units",
    "unit": "units", "comments": "comments", "comment": "comments", "f(x)=": "comments",
    "f(x)": "comments", "sparklines": "comments", "designation": "comments",
    "sampling interval": "comments", "filter": "comments", "notes": "comments",
}  # fmt: skip


def _label(cells: list[Cell]) -> str:
    """What a row is whose first cell says so, as in Origin: "long name", "units", "comments"."""
    return _LABELS.get(str(cells[0] or "").strip().lower().rstrip(":"), "") if cells else ""


def _without_labels(names: list[Cell], units: list[Cell]) -> tuple[list[Cell], list[Cell]]:
    """Headings and units without the words in the first column that say which row is which."""
    if names and _label(names) == "long name" and (not units or _label(units) == "units"):
        return ["row label", *names[1:]], ["", *units[1:]]
    if units and _label(units) == "units":
        return names, ["", *units[1:]]
    return names, units


def _known_cells(cells: list[Cell], known: Callable[[str], bool]) -> int:
    split = (split_unit(str(c or "")) for c in cells)
    return sum(bool((unit and quantity_of(unit)) or known(name)) for name, unit in split)


def _blocks(
    rows: list[Row], first: int, names: list[Cell], row: str, assumptions: list[str]
) -> tuple[list[Row], tuple[str, list[Cell]] | None]:
    """Rows without headings that are repeated, and which block each row of numbers belongs to."""
    again = [i for i in range(first, len(rows)) if names and rows[i][1] == names]
    if not again:
        return _titled(rows, first, names, row, assumptions)
    edges = [first, *again, len(rows)]
    kept, labels = rows[:first], []
    for k, (start, stop) in enumerate(pairwise(edges)):
        inside = [i for i in range(start, stop) if any(map(looks_numeric, rows[i][1]))]
        title = _block_title(rows[inside[0] - 2][1] if inside and inside[0] > 1 else [])
        numeric = [i for i in inside if len(rows[i][1]) > 1 or len(names) == 1]
        kept += [rows[i] for i in numeric]
        labels += [title or ("", str(k + 1))] * len(numeric)
    said = {name for name, _ in labels if name}
    same = len(said) == 1 and all(name for name, _ in labels)
    assumptions.append(f"the headings stand {len(again) + 1} times: as many blocks of {row}s")
    return kept, (said.pop() if same else "block", [number for _, number in labels])


def _titled(
    rows: list[Row], first: int, names: list[Cell], row: str, assumptions: list[str]
) -> tuple[list[Row], tuple[str, list[Cell]] | None]:
    """Rows without those that only part the table ("-----") or say what follows ("Cycle 2")."""
    if len(names) < 2:
        return rows, None
    alone = [
        i
        for i in range(first, len(rows))
        if (len(rows[i][1]) == 1 or not rows[i][1][1])
        and _filled(rows[i][1]) == 1
        and not looks_numeric(rows[i][1][0])
    ]
    rules = {i for i in alone if _RULE.fullmatch(str(rows[i][1][0]).strip())}
    titles = {i: title for i in alone if (title := _block_title(rows[i][1])) is not None}
    inside = [i for i in alone if i not in rules]
    kinds = {kind for kind, _ in titles.values()}
    parts = bool(inside) and len(kinds) == 1 and all(i in titles for i in inside)
    if not rules and not parts:
        return rows, None
    if rules:
        assumptions.append(f"{len(rules)} {row}s of signs only are not read")
    kept, labels = rows[:first], list[Cell]()
    before = _block_title(rows[first - 1][1]) if first else None
    label = before[1] if before is not None and before[0] in kinds else ""
    for i in range(first, len(rows)):
        if parts and i in titles:
            label = titles[i][1]
        elif i not in rules:
            kept.append(rows[i])
            labels.append(label)
    if not parts:
        return kept, None
    kind = kinds.pop()
    assumptions.append(f"{len(inside)} {row}s within the table say which {kind} follows")
    return kept, (kind, labels)


def _block_title(cells: list[Cell]) -> tuple[str, str] | None:
    """ "Cycle 3" above a block as what it counts and its number."""
    filled = [str(c).strip() for c in cells if not is_empty(c)]
    match = re.fullmatch(r"([^\W\d]+)\s*[:=#]?\s*(\d+)", " ".join(filled))
    return (match[1].lower(), match[2]) if match else None


def _are_units(cells: list[Cell]) -> bool:
    filled = [str(c) for c in cells[_label(cells) == "units" :] if str(c or "").strip(" ()[]{}")]
    known = sum(bool(unit_alone(c)) for c in filled)
    return bool(filled) and (known == len(filled) or (known > 3 and known >= 0.75 * len(filled)))


def _are_names(cells: list[Cell], width: int) -> bool:
    filled = [c for c in cells if not is_empty(c)]
    return bool(filled) and len(cells) >= min(width, 2) and not all(map(looks_numeric, filled))


def is_counted(rows: list[Row], names: int, parted: bool = False) -> bool:
    """Whether cells that count the rows from 1 stand before as many others as there are names: the
    names of rows that R writes, and pandas prints from 0 where blanks part the cells."""
    start = 0 if parted and rows[0][1][0] == "0" else 1
    return not all(is_empty(cells[-1]) for _, cells in rows) and all(  # no sign behind each row
        len(cells) == names + 1 and cells[0] == str(k)
        for k, (_, cells) in enumerate(rows, start=start)
    )


def _filled(cells: list[Cell]) -> int:
    return max((k + 1 for k, c in enumerate(cells) if not is_empty(c)), default=0)
