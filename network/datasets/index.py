"""A table beside samples that says the class of each: ESC-50's meta/esc50.csv, a labels.csv."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ddkbase.errors import StorageError, shorten
from network.datasets.files import reading
from network.datasets.folders import below, listed

__all__ = ["Index", "find_index", "recurring_folders"]

#: headings of a column of classes, those of names before those of numbers
_CLASSES = (
    "category", "class_name", "classname", "class_label", "label_name", "label", "labels", "class",
    "species", "primary_label", "genre", "emotion", "word", "command", "target", "classid",
    "class_id", "label_id",
)  # fmt: skip
#: headings of a column of what must not be parted, the finest first
_GROUPS = (
    "fsid", "src_file", "speaker", "speaker_id", "subject", "subject_id", "client_id", "patient",
    "patient_id", "recording", "recording_id", "source", "group", "fold",
)  # fmt: skip
_PARTS = ("split", "subset", "set", "part", "partition", "usage")
_SIDES = {"train": "train", "training": "train", "test": "test", "testing": "test"}
#: names of folders that count within a class
_COUNTED = re.compile(r"(?i)(ch|chapter|session|take|set|part|disc|day|run|video|clip)?[ _-]?\d+")
_ENDINGS = (".csv", ".tsv", ".txt")
_LARGEST, _LOOKED_AT = 50_000_000, 200
#: share of the rows, of those that are looked at, which must name a file that is there
_NAMED = 0.9


@dataclass(frozen=True)
class Index:
    """Samples that a table lists.

    Attributes
    ----------
    files : list of Path
        The files, in the order of the table.
    labels : list of str
        Class of each.
    groups : list of str or None
        What must not be parted, of each; None where the table does not say.
    fold : list of str
        "train" or "test" of each; empty where the table does not say.
    notes : tuple of str
        What was taken for what.
    """

    files: list[Path]
    labels: list[str]
    groups: list[str] | None
    fold: list[str]
    notes: tuple[str, ...]


def find_index(path: Path, endings: Sequence[str]) -> Index | None:
    """What a table in a folder, or in a folder of it, says of the samples below.

    Parameters
    ----------
    path : Path
        The folder.
    endings : sequence of str
        Endings of the samples.

    Returns
    -------
    Index or None
        None where no table has a column of the files' names and one whose heading is that of
        classes.

    Raises
    ------
    StorageError
        Two tables do, or one names a file that is not there, or twice with two classes.
    """
    tables = [
        table
        for folder in (path, *(entry for entry in listed(path) if entry.is_dir()))
        for table in listed(folder)
        if table.suffix.lower() in _ENDINGS and table.is_file()
        if table.stat().st_size < _LARGEST
    ]
    if not tables:
        return None
    by_name: dict[str, list[Path]] = {}
    for file in below(path, endings):
        for name in {file.name.lower(), file.stem.lower()}:
            by_name.setdefault(name, []).append(file)
    found = [
        (table, index) for table in tables if (index := _of_table(table, path, by_name)) is not None
    ]
    if len(found) > 1:
        names = " and ".join(str(table.relative_to(path)) for table, _ in found[:3])
        raise StorageError(f"{names} both list its files", str(path), "Take all but one away")
    return found[0][1] if found else None


def recurring_folders(names: Sequence[str]) -> list[str] | None:
    """The folder within its class of each sample, where such folders recur in several classes.

    So do those of speakers ("yes/anna/1.wav", "no/anna/1.wav"), and not those of chapters.

    Parameters
    ----------
    names : sequence of str
        Paths of the samples, that of the class first.
    """
    parts = [name.split("/") for name in names]
    if any(len(part) < 3 for part in parts):
        return None
    classes: dict[str, set[str]] = {}
    for part in parts:
        classes.setdefault(part[1], set()).add(part[0])
    if all(_COUNTED.fullmatch(name) for name in classes):
        return None  # each class may count its own
    recurring = sum(len(of) > 1 for of in classes.values())
    return [part[1] for part in parts] if 2 * recurring > len(classes) > 1 else None


def _of_table(table: Path, path: Path, by_name: dict[str, list[Path]]) -> Index | None:
    text = reading(
        table, "a list of files", "", lambda: table.read_text("utf-8-sig", errors="replace")
    )
    first = text.partition("\n")[0]
    comma = max(",;\t", key=first.count)
    try:
        rows = [row for row in csv.reader(io.StringIO(text), delimiter=comma) if any(row)]
    except csv.Error:
        return None
    if len(rows) < 3 or len(rows[0]) < 2:
        return None
    heads = [re.sub(r"[\s-]+", "_", head.strip().lower()) for head in rows[0]]
    body = [row for row in rows[1:] if len(row) == len(heads)]
    column = _files_in(heads, body, by_name)
    labelled = next((heads.index(name) for name in _CLASSES if name in heads), None)
    if column is None or labelled is None or labelled == column:
        return None
    if len(body) < len(rows) - 1:
        raise StorageError(f"has rows that are not of {len(heads)} columns", str(table))
    grouped = next((heads.index(n) for n in _GROUPS if n in heads[:] and n != heads[column]), None)
    parted = next((heads.index(name) for name in _PARTS if name in heads), None)
    fold = [] if parted is None else [_SIDES.get(r[parted].strip().lower(), "") for r in body]
    fold = fold if fold and all(fold) and len(set(fold)) == 2 else []
    files, seen = [], dict[Path, str]()
    for number, row in enumerate(body, 2):
        file = _file(row[column], path, by_name)
        if file is None:
            what = f"row {number} names {shorten(row[column])}, which is not there once"
            raise StorageError(what, str(table), "Put the file there, or take the row away")
        if seen.setdefault(file, row[labelled]) != row[labelled]:
            raise StorageError(f"{file.name} is of two classes", str(table))
        files.append(file)
    if len(seen) < len(files):
        raise StorageError("names a file twice", str(table), "Take one of the rows away")
    unlisted = sum(1 for _ in {f for same in by_name.values() for f in same} - set(files))
    notes = [f"classes are the column '{rows[0][labelled]}' of {table.relative_to(path)}"]
    if grouped is not None:
        notes.append(f"what has one '{rows[0][grouped]}' is not parted")
    if unlisted:
        notes.append(f"{unlisted:,} of its files are not in the list, and not read")
    groups = None if grouped is None else [row[grouped].strip() for row in body]
    return Index(files, [row[labelled].strip() for row in body], groups, fold, tuple(notes))


def _files_in(
    heads: list[str], body: list[list[str]], by_name: dict[str, list[Path]]
) -> int | None:
    """The column that names files which are there."""
    shown = body[:_LOOKED_AT]
    for column in range(len(heads)):
        named = sum(Path(row[column].strip()).name.lower() in by_name for row in shown)
        if shown and named >= _NAMED * len(shown):
            return column
    return None


def _file(cell: str, path: Path, by_name: dict[str, list[Path]]) -> Path | None:
    """The one file that a cell names, by its path where names recur."""
    name = Path(cell.strip().replace("\\", "/"))
    same = by_name.get(name.name.lower(), [])
    if len(same) > 1:
        ending = name.as_posix().lower()
        same = [
            file
            for file in same
            if f"/{file.relative_to(path).as_posix()}".lower().endswith(f"/{ending}")
        ]
    return same[0] if len(same) == 1 else None
