"""Folders with one folder a class, at any depth below it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from devicephys.errors import StorageError

__all__ = ["SOUNDS", "class_files", "holds"]

#: endings of sound files
SOUNDS = (".wav", ".flac", ".ogg", ".aiff", ".aif", ".mp3", ".au")


def class_files(
    path: Path, endings: Sequence[str], what: str, whence: str
) -> tuple[list[Path], np.ndarray, tuple[str, ...]]:
    """Files, class numbers and names of classes, in the order of their names.

    Hidden files and folders are passed over, and so are folders without such files.

    Raises
    ------
    StorageError : no such folder, no file, files outside of a class, or a single class.
    """
    if not path.is_dir():
        raise StorageError("there is no such folder", str(path), whence)
    files: list[Path] = []
    y: list[int] = []
    classes: list[str] = []
    for entry in _listed(path):
        if not entry.is_dir():
            continue
        found = _below(entry, endings)
        if found:
            files += found
            y += [len(classes)] * len(found)
            classes.append(entry.name)
    if not files:
        loose = any(p.suffix.lower() in endings for p in _listed(path) if p.is_file())
        hint = "Put the files of each class into a folder of its own" if loose else whence
        raise StorageError(f"holds no folders with {what}", str(path), hint)
    if len(classes) == 1:
        raise StorageError(
            f"holds a single class, '{classes[0]}'",
            str(path),
            "Two or more folders, one a class, are needed",
        )
    return files, np.array(y, dtype=np.int64), tuple(classes)


def holds(path: Path, endings: Sequence[str]) -> bool:
    """Whether a file with one of these endings is anywhere below."""
    for _, folders, names in os.walk(path):
        folders[:] = [f for f in folders if not f.startswith(".")]
        if any(Path(n).suffix.lower() in endings for n in names if not n.startswith(".")):
            return True
    return False


def _listed(path: Path) -> list[Path]:
    try:
        return sorted(p for p in path.iterdir() if not p.name.startswith("."))
    except PermissionError:
        raise StorageError("may not be read", str(path), "Change its permissions") from None


def _below(path: Path, endings: Sequence[str]) -> list[Path]:
    found: list[Path] = []
    for entry in _listed(path):
        if entry.is_dir():
            found += _below(entry, endings)
        elif entry.suffix.lower() in endings:
            found.append(entry)
    return found
