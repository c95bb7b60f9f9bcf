"""Series in tables with headings: a row a sample, or a row a step of a sample.

Wide: each row is a sample; one column names its class, one may name its group, one its part, and
all others are its values in order. Long: a column names the sample, one the time, one the class;
each other column is a channel. In Parquet and Feather files a cell may hold a whole series: each
column of lists is a channel.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ddkbase.errors import InputError, closest, shorten
from ddkbase.files import too_large, unpacked_limit
from ddkbase.tables.columnar import SIGNATURES, list_columns
from ddkbase.tables.reading import table_of
from ddkbase.tables.table import (
    LARGEST,
    Cell,
    Column,
    FileOptions,
    Table,
    is_empty,
    looks_numeric,
    numbers,
)
from ddkbase.tables.units import split_unit
from network.datasets.files import TIMES_TEXT, open_bytes
from network.datasets.series.samples import Series, class_names

__all__ = ["read_table"]

_LABELS = (
    "y", "label", "class", "target", "labels", "classes", "category", "klasse", "classe", "clase",
)  # fmt: skip
_GROUPS = (
    "group", "subject", "speaker", "group_id", "subject_id", "speaker_id", "patient", "patient_id",
    "participant", "participant_id", "person", "person_id", "user", "user_id",
)  # fmt: skip
_SAMPLES = (
    "sample", "sample_id", "series", "series_id", "case", "case_id", "id", "index", "idx", "no",
    "no.", "nr", "nr.", "#", "row", "row_id", "file", "filename", "file_name", "path",
)  # fmt: skip
_TIMES = ("time", "t", "step", "timestamp")
_PARTS = ("fold", "split", "part", "partition", "subset", "is_train", "is_test")
_TOLD = 4  # rows of each class from which it is no chance that they share a value
_COUNTED = 8  # rows from which a column that counts them is no value
_UNEVEN = 0.01  # of a step


@dataclass(frozen=True)
class _Roles:
    """Numbers of the columns from 0, by what they are; None where there is no such column.

    Of ``left`` it is not known what they are to be beside the columns that were asked for.
    """

    label: int
    group: int | None
    part: int | None
    sample: int | None
    time: int | None
    values: tuple[int, ...]
    left: tuple[int, ...]


def read_table(
    path: Path,
    label: str | None = None,
    group: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
) -> Series:
    """The series of a table.

    Parameters
    ----------
    path : Path
        A file that `ddkbase.tables` reads, or one packed by gzip.
    label : str or None, optional
        Heading of the column of the class, or its number from 1 where there are no headings;
        default: that called "label", "class", "category", "target" or "y".
    group : str or None, optional
        The same of what must not be parted; default: that called "group", "subject" or "speaker",
        if there is one.
    decimal : {".", ","} or None, optional
        Decimal sign of a text; default: found out, and said in the notes.
    encoding : str or None, optional
        Coding of a text; default: found out, and said in the notes.

    Returns
    -------
    Series
        The series.

    Raises
    ------
    InputError
        No column of the class, headings that are missing or stand twice, text among the values,
        rows of unequal length, samples of two classes, steps of time that stand twice.
    InstallationError
        A package is missing; its extra is named.
    """
    limit = unpacked_limit(path.stat().st_size, LARGEST, TIMES_TEXT)
    with open_bytes(path) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise too_large(str(path), limit)
    if content.startswith(SIGNATURES):
        lists = list_columns(content, str(path))
        if lists:
            return _nested(lists, str(path), label, group)
    asked = {name.strip().lower() for name in (label, group) if name is not None}

    def heads(cells: list[str]) -> bool:
        names = {cell.strip().lower() for cell in cells}
        # "--label 1" of a table without headings: its first row may hold a 1 as well
        return bool(names & set(_LABELS) or (names & asked and not all(map(looks_numeric, cells))))

    name = str(path)  # whose suffix may say the kind of the file
    name = name[:-3] if name.lower().endswith(".gz") else name
    table = table_of(content, name, FileOptions(decimal=decimal, encoding=encoding, heads=heads))
    _leave_out_index(table)
    titles = [column.heading or column.name for column in table.columns]
    _check_headings(titles, table, asked)
    names = [(title.lower(), _without_unit(title)) for title in titles]
    roles = _roles(titles, names, table.path, label, group)
    series = (_wide if roles.time is None else _long)(table, roles)
    notes = (*table.assumptions, *series.notes, *_unread(titles, roles))
    return dataclasses.replace(series, path=str(path), notes=notes)


def _leave_out_index(table: Table) -> None:
    """Leave out what a program adds without a heading: a first column that counts, an empty one."""
    if not any(column.heading for column in table.columns):
        return
    for column in list(table.columns):
        if column.heading and not column.heading.startswith("Unnamed:"):
            continue
        cells = [_text(cell) for cell in column.cells]
        start = int(cells[0]) if cells and cells[0] in ("0", "1") else None
        if all(map(is_empty, column.cells)):
            table.columns.remove(column)
        elif column is table.columns[0] and start is not None and len(cells) > 1 and cells == [
            str(k) for k in range(start, start + len(cells))
        ]:  # fmt: skip
            table.columns.remove(column)
            table.assume("column 1 has no heading and counts the rows: it is not read")


def _unread(titles: Sequence[str], roles: _Roles) -> tuple[str, ...]:
    names = ", ".join(f"'{titles[k]}'" for k in roles.left)
    return (f"not read, beside what was asked for: {names}",) if names else ()


def _without_unit(title: str) -> str:
    """ "time" of "time (s)"; looked at only where it begins so, for there may be many columns."""
    lower = title.lower()
    return split_unit(title)[0].lower() if lower.startswith(_TIMES) else lower


def _check_headings(titles: Sequence[str], table: Table, asked: set[str]) -> None:
    """InputError where a column has no heading, or two have the same."""
    path = table.path
    if not any(titles):
        first = [_text(column.cells[0]) for column in table.columns]
        if first in ([str(k + start) for k in range(len(first))] for start in (0, 1)):
            raise InputError(
                "the first line counts its cells and may be one of headings", path,
                "Give the column of the class a name that is no number",
            )  # fmt: skip
        if all(name.isdigit() for name in asked) and asked:
            return
        raise InputError(
            "has no headings, or none that names the class", path,
            "Write a first line of headings, one of them 'label', or pass label='COLUMN'; of a "
            "table without headings its number, label='1'",
        )  # fmt: skip
    seen: dict[str, int] = {}
    for number, title in enumerate(titles, start=1):
        if not title or title.startswith("Unnamed:"):
            raise InputError(
                f"column {number} has no heading", path, "Give it one, or leave the column out"
            )
        if title in seen:
            raise InputError(
                f"columns {seen[title]} and {number} are both called {shorten(title)}",
                path,
                "Give each column a heading of its own",
            )
        seen[title] = number


def _roles(
    titles: Sequence[str],
    names: Sequence[tuple[str, str]],
    path: str,
    label: str | None,
    group: str | None,
) -> _Roles:
    """Which column is what, by its heading."""

    def called(known: Sequence[str]) -> list[int]:
        return [k for k, both in enumerate(names) if set(both) & set(known)]

    at = _single(called(_LABELS), titles, path, "label", label, "the class")
    if at is None:
        shown = ", ".join(titles[:8]) + (", ..." if len(titles) > 8 else "")
        raise InputError(
            f"no column names the class, its columns are {shown}",
            path,
            "Call it 'label', or pass label='COLUMN'",
        )
    others = [k for k in called(_GROUPS) if k != at]
    grouped = _single(others, titles, path, "group", group, "the group")
    used = {at, grouped}
    part, sample, time = (
        _single([k for k in called(known) if k not in used], titles, path, "", None, what)
        for known, what in ((_PARTS, "the part"), (_SAMPLES, "the sample"), (_TIMES, "the time"))
    )
    if time is not None and sample is None:
        raise InputError(
            f"column '{titles[time]}' is of time, and no column names the sample",
            path,
            "Add a column 'sample'; of a table with a row a sample, call the column otherwise",
        )
    used |= {part, sample, time}
    # a second class among the values would tell the first
    left = {k for k in called((*_LABELS, *_GROUPS)) if titles[k].lower() != "y"} - used
    values = tuple(k for k in range(len(titles)) if k not in used | left)
    if not values:
        raise InputError("holds no column of values", path)
    return _Roles(at, grouped, part, sample, time, values, tuple(sorted(left)))


def _single(
    places: list[int],
    titles: Sequence[str],
    path: str,
    option: str,
    asked: str | None,
    what: str,
) -> int | None:
    """The column that was asked for, else the one that is called so; None if there is none."""
    if asked is not None:
        same = [k for k, title in enumerate(titles) if title == asked.strip()]
        same = same or [k for k, t in enumerate(titles) if t.lower() == asked.strip().lower()]
        if not same and not any(titles) and asked.isdigit() and 0 < int(asked) <= len(titles):
            same = [int(asked) - 1]
        if not same:
            raise InputError(f"there is no column '{asked}'", path, closest(asked, titles))
        return same[0]
    if len(places) > 1 and what == "the class":  # beside another, y is a channel
        places = [k for k in places if titles[k].lower() != "y"]
    if len(places) > 1:
        shown = " and ".join(f"'{titles[k]}'" for k in places[:3])
        hint = f"Pass {option}='COLUMN'" if option else "Drop one"
        raise InputError(f"columns {shown} may name {what}", path, hint)
    return places[0] if places else None


def _texts(table: Table, column: int) -> list[str]:
    """Cells of a column as texts. InputError where one is empty."""
    texts = []
    cells = table.columns[column]
    for row, cell in enumerate(cells.cells):
        if is_empty(cell):
            what = f"{shorten(cell)} counts as an empty cell" if cell else "the cell is empty"
            raise InputError(what, table.where(cells, row))
        texts.append(_text(cell))
    return texts


def _text(cell: Cell) -> str:
    if isinstance(cell, str):
        return cell.strip()
    value = float("nan") if cell is None else float(cell)
    return str(int(value)) if value == value and value == int(value) else f"{value:.17g}"


def _values(table: Table, columns: Sequence[int]) -> np.ndarray:
    """float64 (columns, rows), NaN where a cell is empty."""
    out = np.empty((len(columns), len(table.lines)))
    for k, column in enumerate(columns):
        out[k] = numbers(table, table.columns[column], "1", "1")
    return out


def _parts(texts: Sequence[str], place: Callable[[int], str]) -> list[str]:
    for number, text in enumerate(texts):
        if text.lower() not in ("train", "test"):
            raise InputError(f"the part is {shorten(text)}", place(number), "train or test")
    parts = [text.lower() for text in texts]
    if len(set(parts)) < 2:
        raise InputError(f"all samples are of the part '{parts[0]}'", place(0), "Drop the column")
    return parts


def _counts(values: np.ndarray) -> bool:
    """Whether a column counts the rows, from whatever number on."""
    return bool((np.diff(values) == 1).all())


def _refuse_second_label(
    table: Table, roles: _Roles, values: np.ndarray, labels: Sequence[str]
) -> None:
    """Refuse a column of values that has one value for each class: it would tell the class.

    Raises
    ------
    InputError
        There is one.
    """
    names, code, count = np.unique(np.array(labels), return_inverse=True, return_counts=True)
    if len(names) < 2 or count.min() < _TOLD:
        return
    first = np.array([int((code == k).argmax()) for k in range(len(names))])
    for row, role in zip(values, roles.values, strict=True):
        of_class = row[first]
        if len(np.unique(of_class)) == len(names) and (row == of_class[code]).all():
            raise InputError(
                f"column '{table.columns[role].heading}' has one value for each class: it tells "
                "the class",
                table.path,
                "Leave it out",
            )


def _wide(table: Table, roles: _Roles) -> Series:
    column: Callable[[int], Column] = table.columns.__getitem__
    notes = []
    if roles.sample is not None:
        names = _texts(table, roles.sample)
        if len(set(names)) < len(names):
            raise InputError(
                f"samples have several rows (column '{column(roles.sample).heading}'), and no "
                "column is of time",
                table.path,
                "Add a column 'time'",
            )
        notes.append(f"column '{column(roles.sample).heading}' counts the samples and is not read")
    label, group, part = roles.label, roles.group, roles.part
    values = _values(table, roles.values)
    counts = [k for k, row in enumerate(values) if len(row) >= _COUNTED and _counts(row)]
    if counts and len(counts) < len(values):
        titles = ", ".join(f"'{column(roles.values[k]).heading}'" for k in counts)
        notes.append(f"column {titles} counts the rows and is not read")
        roles = dataclasses.replace(
            roles, values=tuple(v for k, v in enumerate(roles.values) if k not in counts)
        )
        values = np.delete(values, counts, axis=0)
    _refuse_second_label(table, roles, values, _texts(table, label))
    labels = class_names(_texts(table, label), lambda k: table.where(column(label), k))
    return Series(
        table.path,
        [row[None] for row in np.ascontiguousarray(values.T)],
        labels,
        [f"{table.row} {number}" for number in table.lines],
        groups=[] if group is None else _texts(table, group),
        parts=[]
        if part is None
        else _parts(_texts(table, part), lambda k: table.where(column(part), k)),
        notes=tuple(notes),
    )


def _long(table: Table, roles: _Roles) -> Series:
    assert roles.sample is not None and roles.time is not None
    texts = np.array(_texts(table, roles.sample))
    names, first, number = np.unique(texts, return_index=True, return_inverse=True)
    order = np.argsort(first)  # samples as they stand there
    rank = np.empty(len(names), dtype=np.int64)
    rank[order] = np.arange(len(names))
    time = numbers(table, table.columns[roles.time], "1", "1")
    if np.isnan(time).any():
        row = int(np.isnan(time).argmax())
        raise InputError("the cell is empty", table.where(table.columns[roles.time], row))
    rows = np.lexsort((time, rank[number]))
    starts = np.searchsorted(rank[number][rows], np.arange(len(names) + 1))
    steps = np.diff(time[rows])
    inside = np.diff(rank[number][rows]) == 0
    if (inside & (steps == 0)).any():
        row = int(rows[int((inside & (steps == 0)).argmax()) + 1])
        raise InputError(
            f"a time of sample {shorten(str(texts[row]))} stands there twice",
            table.where(table.columns[roles.time], row),
        )
    notes = []
    within = steps[inside]
    if within.size and within.max() - within.min() > _UNEVEN * within.min():
        notes.append(f"steps of time are {within.min():g} to {within.max():g} and taken as equal")
    values = _values(table, roles.values)
    _refuse_second_label(table, roles, values, _texts(table, roles.label))
    values = values[:, rows]
    heads = rows[starts[:-1]]

    def of_samples(role: int | None) -> list[str]:
        if role is None:
            return []
        cells = np.array(_texts(table, role))
        alike = cells == cells[heads[rank[number]]]
        if not alike.all():
            row = int(np.flatnonzero(~alike)[0])
            raise InputError(
                f"sample {shorten(str(texts[row]))} has two values of it",
                table.where(table.columns[role], row),
            )
        return [str(c) for c in cells[heads]]

    def place(sample: int) -> str:
        return f"{table.path}, sample {shorten(str(texts[heads[sample]]))}"

    part = of_samples(roles.part)
    return Series(
        table.path,
        [values[:, a:b] for a, b in itertools.pairwise(starts)],
        class_names(of_samples(roles.label), place),
        [f"sample {shorten(str(texts[row]))}" for row in heads],
        channels=tuple(table.columns[k].heading for k in roles.values)
        if len(roles.values) > 1
        else (),
        groups=of_samples(roles.group),
        parts=_parts(part, place) if part else [],
        notes=tuple(notes),
    )


def _nested(columns: dict[str, Any], path: str, label: str | None, group: str | None) -> Series:
    """Series from columns of lists, a channel each."""
    titles = list(columns)
    roles = _roles(titles, [(t.lower(), t.lower()) for t in titles], path, label, group)
    channels = [columns[titles[k]] for k in roles.values]
    for k, values in zip(roles.values, channels, strict=True):
        if not isinstance(values[0], np.ndarray):
            raise InputError(
                f"column '{titles[k]}' holds no lists, others do", path, "Leave it out"
            )
    series = []
    for number, sample in enumerate(zip(*channels, strict=True), start=1):
        lengths = {len(channel) for channel in sample}
        if len(lengths) > 1 or 0 in lengths:
            shown = ", ".join(str(len(channel)) for channel in sample)
            raise InputError(f"lists of {shown} values", f"{path}, row {number}")
        series.append(np.stack(sample))

    def texts(role: int | None) -> list[str]:
        if role is None:
            return []
        out = [_text(cell) for cell in columns[titles[role]]]
        if "" in out or "nan" in out:
            row = next(k for k, text in enumerate(out) if text in ("", "nan"))
            raise InputError("the cell is empty", f"{path}, row {row + 1}, '{titles[role]}'")
        return out

    part = texts(roles.part)
    return Series(
        path,
        series,
        class_names(texts(roles.label), lambda k: f"{path}, row {k + 1}, '{titles[roles.label]}'"),
        [f"row {k}" for k in range(1, len(series) + 1)],
        channels=tuple(titles[k] for k in roles.values) if len(channels) > 1 else (),
        groups=texts(roles.group),
        parts=_parts(part, lambda k: f"{path}, row {k + 1}") if part else [],
        notes=_unread(titles, roles),
    )
