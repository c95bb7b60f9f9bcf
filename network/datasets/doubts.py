"""What is odd about samples of others: nothing in them, copies, files that are left out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ddkbase.errors import StorageError
from network.datasets.dataset import DataSet, Rows
from network.datasets.folders import below, given_parts, holds, listed

__all__ = ["not_listed", "passed_over", "remarked"]

_MOST = 1 << 29  # values that are compared with each other
_COUNTED, _FIRST = 8, 64  # samples that a value may count, and values that are looked at for it
_TOLD, _CLASSES = 4, 100  # samples of each class, and classes, of which one value may tell
_LOOKED_AT = 256  # samples at once
_SHOWN = 3  # names in a note


def remarked(data: DataSet, where: str, more: Sequence[str] = ()) -> DataSet:
    """A data set with notes on what is odd about its samples and classes.

    Parameters
    ----------
    data : DataSet
        Samples from a folder or file of somebody.
    where : str
        Its path, for errors.
    more : sequence of str, default ()
        Further notes.

    Returns
    -------
    DataSet
        The same samples.

    Raises
    ------
    StorageError
        All values are the same.
    """
    notes = list(more)
    x = data.x
    if not isinstance(x, Rows) and x.size and 0 < x.size <= _MOST:
        if x.min() == x.max():
            raise StorageError(
                f"all values of all {len(x)} samples are the same, {float(x.flat[0]):g}", where
            )
        rows = np.ascontiguousarray(x).reshape(len(x), -1)
        notes += _of_twins(rows, data.y, data.fold)
        notes += _of_places(rows, data.y)
    notes += _of_classes(data.classes)
    return replace(data, notes=(*data.notes, *notes)) if notes else data


def _of_twins(rows: np.ndarray, y: np.ndarray, fold: np.ndarray) -> list[str]:
    """Notes on samples that are there several times."""
    parts = fold.tolist() if len(fold) == len(y) else [""] * len(y)
    classes: dict[bytes, set[int]] = {}
    trained: set[bytes] = set()
    keys = [hashlib.blake2b(row, digest_size=16).digest() for row in rows]
    for key, label, part in zip(keys, y.tolist(), parts, strict=True):
        classes.setdefault(key, set()).add(label)
        if part == "train":
            trained.add(key)
    copies, torn = len(keys) - len(classes), sum(len(found) > 1 for found in classes.values())
    both = sum(part == "test" and key in trained for key, part in zip(keys, parts, strict=True))
    notes = []
    if both:
        notes.append(f"{both} of {parts.count('test')} test samples are in the training part, too")
    elif copies:
        notes.append(
            f"{copies} of {len(keys)} samples are copies of others: a split may put them on both "
            "sides"
        )
    if torn:
        notes.append(f"{torn} samples are there under two classes or more, exactly alike")
    return notes


def _of_places(rows: np.ndarray, y: np.ndarray) -> list[str]:
    """Notes on values that count the samples, or have one value for each class."""
    notes = []
    steps = np.diff(rows[:, :_FIRST], axis=0)
    if len(rows) >= _COUNTED:
        even = (np.ptp(steps, axis=0) <= 1e-5 * np.abs(steps[0])) & (steps[0] != 0)
        notes += [
            f"value {k + 1} of each sample rises evenly from sample to sample: an index?"
            for k in np.flatnonzero(even)[:_SHOWN]
        ]
    numbers, count = np.unique(y, return_counts=True)
    if 1 < len(numbers) <= _CLASSES and count.min() >= _TOLD:
        members = [np.flatnonzero(y == k) for k in numbers]
        first = rows[[index[0] for index in members]]
        alike = np.ones(rows.shape[1], bool)
        for index, values in zip(members, first, strict=True):
            for start in range(0, len(index), _LOOKED_AT):  # in blocks, to save memory
                alike &= (rows[index[start : start + _LOOKED_AT]] == values).all(axis=0)
        for k in np.flatnonzero(alike):
            if len(np.unique(first[:, k])) == len(numbers):
                notes.append(f"value {k + 1} of each sample is one for each class, and tells it")
                break
    return notes


def _of_classes(classes: tuple[str, ...]) -> list[str]:
    """A note on classes whose names differ in case or blanks alone, letters aside."""
    seen: dict[str, str] = {}
    for name in classes:
        plain = " ".join(name.split()).lower()
        other = seen.setdefault(plain, name)
        if other != name and len(plain) > 1:
            return [f"classes '{other}' and '{name}' differ in capitals or blanks alone"]
    return []


def passed_over(path: Path, endings: Sequence[str]) -> list[str]:
    """Notes on folders of a folder by class that hold no sample, and on samples beside them.

    Parameters
    ----------
    path : Path
        The folder, or one of a training and a test part.
    endings : sequence of str
        Endings of the samples.

    Returns
    -------
    list of str
        At most two notes.
    """
    folders = [path, *given_parts(path, endings).values()]
    empty = [e.name for f in folders for e in listed(f) if e.is_dir() and not holds(e, endings)]
    loose = [e.name for f in folders for e in listed(f) if e.is_file()
             and e.suffix.lower() in endings]  # fmt: skip
    notes = []
    for names, what in (
        (empty, "without a sample that is read, and no class"),
        (loose, "outside of a class, and not read"),
    ):
        if names:
            shown = ", ".join(f"'{n}'" for n in names[:_SHOWN])
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            notes.append(f"{shown}{more}: {what}")
    return notes


def not_listed(path: Path, names: Sequence[str], endings: Sequence[str]) -> list[str]:
    """A note on samples of a folder that its list does not name.

    Parameters
    ----------
    path : Path
        The folder.
    names : sequence of str
        Samples that are read: their paths in the folder, without ending.
    endings : sequence of str
        Endings of the samples.

    Returns
    -------
    list of str
        At most one note.
    """
    files = (file.relative_to(path).with_suffix("").as_posix() for file in below(path, endings))
    others = sorted(set(files) - set(names))
    if not others:
        return []
    verb = "are" if len(others) > 1 else "is"
    return [f"{len(others):,} of its files, '{others[0]}' first, {verb} not in the list, and not "
            "read"]  # fmt: skip
