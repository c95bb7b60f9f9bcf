"""Lists that tell the class of sound files which do not lie in a folder of their class."""

from __future__ import annotations

import csv
from pathlib import Path

from ddkbase.errors import StorageError
from network.datasets.files import reading
from network.datasets.folders import SOUNDS

__all__ = ["from_labels", "from_meta"]


def from_meta(path: Path, listing: Path) -> tuple[list[Path], list[str]]:
    """Speakers in the Wild: the first two columns are the file and the speaker."""
    rows = [(n, line.split()) for n, line in _lines(listing)]
    files, labels = [], []
    for number, words in rows:
        if len(words) < 2:
            raise StorageError(f"line {number} has {len(words)} columns, two or more are needed",
                               str(listing))  # fmt: skip
        name = words[0] if "." in Path(words[0]).name else f"{words[0]}.flac"
        file = path / name
        file = file if file.exists() else path / "audio" / Path(name).name
        files.append(_within(file, path, listing, number))
        labels.append(words[1])
    return _once(files, labels, listing)


def from_labels(path: Path, listing: Path) -> tuple[list[Path], list[str]]:
    """Lines ``file,class``; a heading is passed over, files outside of the folder are refused."""
    files, labels = [], []
    for number, line in _lines(listing):
        words = [w.strip() for w in next(csv.reader([line], skipinitialspace=True))]
        if number == 1 and Path(words[0]).suffix.lower() not in SOUNDS:
            continue  # a heading
        if len(words) != 2 or not all(words):
            raise StorageError(
                f"line {number} has {len(words)} columns", str(listing), "Lines are file,class"
            )
        files.append(_within(path / words[0], path, listing, number))
        labels.append(words[1])
    return _once(files, labels, listing)


def _within(file: Path, path: Path, listing: Path, number: int) -> Path:
    if not file.resolve().is_relative_to(path.resolve()):
        raise StorageError(f"line {number} names a file outside of the folder", str(listing))
    return file


def _once(files: list[Path], labels: list[str], listing: Path) -> tuple[list[Path], list[str]]:
    """Each file once; StorageError if it is of two classes."""
    known: dict[Path, str] = {}
    for file, label in zip(files, labels, strict=True):
        if known.setdefault(file, label) != label:
            raise StorageError(
                f"{file.name} is of class '{known[file]}' and of class '{label}'", str(listing)
            )
    return list(known), list(known.values())


def _lines(listing: Path) -> list[tuple[int, str]]:
    text = reading(listing, "a list of files", "", lambda: listing.read_text(encoding="utf-8-sig"))
    found = [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not found:
        raise StorageError("names no file", str(listing))
    return found
