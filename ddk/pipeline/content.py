"""Checksums of what a pipeline reads: of files, of folders of data, of data sets by name."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ddkbase.errors import StorageError

if TYPE_CHECKING:
    from ddk.studies.task import Task

__all__ = ["of_data", "of_path", "of_tree"]

_PIECE = 1 << 20


def of_file(path: Path) -> str:
    """SHA-256 of a file. Raises StorageError if it cannot be read."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
    except OSError as error:
        raise StorageError(error.strerror or "cannot be read", str(path)) from error
    return digest.hexdigest()


def files(folder: Path) -> Iterator[Path]:
    """All files below a folder, sorted; what a killed writer left (.NAME.part) is passed over."""
    for above, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if not (name.startswith(".") and name.endswith((".part", ".lock"))):
                yield Path(above) / name


def of_tree(folder: Path) -> str:
    """SHA-256 of names and contents of all files below a folder.

    Raises
    ------
    StorageError
        One cannot be read.
    """
    digest = hashlib.sha256()
    for path in files(folder):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{of_file(path)}\0".encode())
    return digest.hexdigest()


def of_path(path: Path) -> str:
    """SHA-256 of a file or of all of a folder. Raises StorageError: there is none."""
    if path.is_dir():
        return of_tree(path)
    if not path.exists():
        raise StorageError("there is no such file or folder", str(path))
    return of_file(path)


def of_data(task: Task, root: str | None) -> str:
    """SHA-256 of the data of a task; empty where the toolkit makes them itself.

    Of a folder of the user's the files are taken, of a set that is known by name the samples, for
    it may lie in a folder with other things.

    Raises
    ------
    StorageError
        Files are missing or damaged.
    """
    import numpy as np

    from ddk.studies.folds import Material
    from network import datasets

    if task.dataset in ("digits", "voices"):
        return ""
    if task.dataset not in datasets.NAMES:
        return of_tree(Path(task.dataset))
    data = Material(task, root).dataset()
    digest = hashlib.sha256()
    for first in range(0, len(data), 1024):
        piece = np.ascontiguousarray(data.x[np.arange(first, min(first + 1024, len(data)))])
        digest.update(piece.tobytes())
    digest.update(data.y.tobytes())
    digest.update("\0".join([*data.groups.astype(str), *data.fold.astype(str)]).encode())
    return digest.hexdigest()
