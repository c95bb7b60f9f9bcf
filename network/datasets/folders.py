"""Which files there are, and of which class: by a folder for each class, or by a list."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ddkbase.errors import StorageError
from network.datasets.files import reading

__all__ = [
    "OTHER_PICTURES",
    "OTHER_SOUNDS",
    "SOUNDS",
    "below",
    "check_classes",
    "check_name",
    "check_pictures",
    "check_sounds",
    "class_files",
    "from_labels",
    "from_meta",
    "given_parts",
    "holds",
    "listed",
]

_Identity = tuple[int, int]  # device and number of a file

#: endings of sound files
SOUNDS = (
    ".wav", ".flac", ".ogg", ".opus", ".aiff", ".aif", ".mp3", ".au", ".wave", ".aifc", ".oga",
    ".w64", ".rf64", ".snd", ".sph",
)  # fmt: skip
#: endings of sound files that are not read, which to pass over would make a class smaller unseen
OTHER_SOUNDS = (
    ".m4a", ".aac", ".wma", ".amr", ".ape", ".mka", ".caf", ".wv", ".tta", ".ac3", ".dsf", ".spx",
    ".voc", ".3gp", ".weba",
)  # fmt: skip
#: endings of pictures that are not read
OTHER_PICTURES = (".heic", ".heif", ".avif", ".svg", ".jp2", ".psd", ".cr2", ".nef", ".dng")


#: names of folders that say a part, and which
_PARTS = {"train": "train", "training": "train", "test": "test", "testing": "test"}
#: names of folders that number parts, as UrbanSound8K's
_NUMBERED = re.compile(r"(?i)(fold|split|part|batch|chunk|disk|disc|session)[ _-]?\d+")
_PARTS |= dict.fromkeys(("val", "valid", "validation", "dev", "eval"), "validation")


def class_files(
    path: Path, endings: Sequence[str], what: str, whence: str
) -> tuple[list[Path], np.ndarray, tuple[str, ...]]:
    """Files, class numbers and names of classes, in the order of their names.

    Hidden files and folders are passed over, and so are folders without such files. What links
    lead to again is read once, so that no file is on both sides of a split.

    Raises
    ------
    StorageError
        No such folder, no file, files outside of a class, a single class, a file of two classes, or
        a class whose name is not UTF-8.
    """
    if not path.is_dir():
        raise StorageError("there is no such folder", str(path), whence)
    files: list[Path] = []
    y: list[int] = []
    classes: list[str] = []
    owner: dict[_Identity, Path] = {}
    seen = {_identity(path)}
    for entry in listed(path):
        if not entry.is_dir():
            continue
        members = _once(_below(entry, endings, seen), entry, owner)
        if members:
            check_name(entry, "class")
            files += members
            y += [len(classes)] * len(members)
            classes.append(entry.name)
    if not files:
        loose = any(p.suffix.lower() in endings for p in listed(path) if p.is_file())
        hint = "Put the files of each class into a folder of its own" if loose else whence
        raise StorageError(f"holds no folders with {what}", str(path), hint)
    names = [c.lower() for c in classes]
    if "images" in names and {"masks", "annotations"}.intersection(names):
        raise StorageError(
            f"holds the folders {', '.join(classes)}, which are no classes",
            str(path),
            f"Name {path / classes[names.index('images')]} instead, if its folders are the classes",
        )
    if len(classes) == 1:
        inner = [e for e in listed(path / classes[0]) if e.is_dir() and holds(e, endings)]
        raise StorageError(
            f"holds a single class, '{classes[0]}'",
            str(path),
            f"If the {len(inner)} folders in it are the classes, name {path / classes[0]} instead"
            if len(inner) > 1
            else "Two or more folders, one a class, are needed",
        )
    return files, np.array(y, dtype=np.int64), tuple(classes)


def given_parts(path: Path, endings: Sequence[str]) -> dict[str, Path]:
    """The folders of a training and of a test part, where a folder holds these and nothing else.

    Returns
    -------
    dict of str to Path
        Under "train" and "test"; empty where the folders are those of classes.

    Raises
    ------
    StorageError
        There is a part without the other, or one more than these two.
    """
    names = {e.name.lower(): e for e in listed(path) if e.is_dir() and holds(e, endings)}
    parts = {name: part for name in names if (part := _PARTS.get(name))}
    if len(parts) < len(names) or "train" not in parts.values():
        return {}
    if sorted(parts.values()) != ["test", "train"]:
        raise StorageError(
            f"holds the folders {', '.join(sorted(parts))}",
            str(path),
            "Give it one of a training part and one of a test part, with a folder a class in each; "
            "samples to validate on are drawn from the training part",
        )
    return {part: names[name] for name, part in parts.items()}


def holds(path: Path, endings: Sequence[str]) -> bool:
    """Whether a file with one of these endings is anywhere below, links followed."""
    return next(below(path, endings), None) is not None


def below(path: Path, endings: Sequence[str]) -> Iterator[Path]:
    """Files with one of these endings, anywhere below, links followed; no folder twice."""
    return _below(path, endings, set())


def check_sounds(path: Path) -> None:
    """StorageError where sounds are below that are not read: how many, and one of them."""
    _check(path, OTHER_SOUNDS, "sound", "Convert to WAV or FLAC, e.g. by ffmpeg -i a.m4a a.flac")


def check_pictures(path: Path) -> None:
    """StorageError where pictures are below that are not read: how many, and one of them."""
    _check(path, OTHER_PICTURES, "picture", "Convert to PNG, e.g. by magick a.heic a.png")


def _check(path: Path, endings: Sequence[str], what: str, hint: str) -> None:
    others = list(below(path, endings))
    if others:
        raise StorageError(
            f"{len(others)} {what}{'s' * (len(others) > 1)} in {others[0].suffix} "
            f"{'are' if len(others) > 1 else 'is'} not read",
            str(others[0]),
            f"{hint}, or take them away",
        )


def check_classes(path: Path, classes: Sequence[str]) -> None:
    """StorageError where the folders are numbered parts of a set, and so no classes."""
    if all(_NUMBERED.fullmatch(name) for name in classes):
        raise StorageError(
            f"holds the folders {', '.join(classes[:3])}, ..., which are no classes",
            str(path),
            "Put a table beside them with a column of the files' names and one 'label' (CSV), or "
            "give it a folder for each class",
        )


def check_name(path: Path, what: str) -> None:
    """StorageError if a name cannot be written into a report; ``what`` it names is said."""
    try:
        path.name.encode("utf-8")
    except UnicodeEncodeError:
        shown = os.fsencode(path).decode("utf-8", "backslashreplace")
        raise StorageError(f"the name of the {what} is not UTF-8", shown, "Rename it") from None


def listed(path: Path) -> list[Path]:
    """What is in a folder, by name; without what is hidden and what macOS packs beside it.

    Raises
    ------
    StorageError
        It may not be read.
    """
    try:
        return sorted(
            p for p in path.iterdir() if not p.name.startswith(".") and p.name != "__MACOSX"
        )
    except PermissionError:
        raise StorageError("may not be read", str(path), "Change its permissions") from None


def _below(path: Path, endings: Sequence[str], seen: set[_Identity]) -> Iterator[Path]:
    if (identity := _identity(path)) in seen:
        return  # a link leads to where the walk is, or was
    seen.add(identity)
    for entry in listed(path):
        if entry.is_dir():
            yield from _below(entry, endings, seen)
        elif entry.suffix.lower() in endings:
            yield entry


def _once(files: Iterator[Path], folder: Path, owner: dict[_Identity, Path]) -> list[Path]:
    """Files of a class, each once; StorageError if one is in two classes."""
    unique = []
    for file in files:
        try:
            identity = _identity(file)
        except OSError:  # a link to nowhere, an error once the file is read
            unique.append(file)
            continue
        if identity not in owner:
            owner[identity] = folder
            unique.append(file)
        elif owner[identity] is not folder:
            raise StorageError(
                f"is the same file as one of class '{owner[identity].name}'",
                str(file),
                "Leave one out",
            )
    return unique


def _identity(path: Path) -> _Identity:
    status = path.stat()
    return status.st_dev, status.st_ino


def from_meta(path: Path, listing: Path) -> tuple[list[Path], list[str]]:
    """Speakers in the Wild: the first two columns are the file and the speaker."""
    rows = [(n, line.split()) for n, line in _lines(listing)]
    files, labels = [], []
    for number, columns in rows:
        if len(columns) < 2:
            raise StorageError(f"line {number} has {len(columns)} columns, two or more are needed",
                               str(listing))  # fmt: skip
        name = columns[0] if "." in Path(columns[0]).name else f"{columns[0]}.flac"
        file = path / name
        file = file if file.exists() else path / "audio" / Path(name).name
        files.append(_within(file, path, listing, number))
        labels.append(columns[1])
    return _unique(files, labels, listing)


def from_labels(path: Path, listing: Path) -> tuple[list[Path], list[str]]:
    """Lines ``file,class``; a heading is passed over, files outside of the folder are refused."""
    files, labels = [], []
    for number, line in _lines(listing):
        columns = [w.strip() for w in next(csv.reader([line], skipinitialspace=True))]
        if number == 1 and Path(columns[0]).suffix.lower() not in SOUNDS:
            continue  # a heading
        if len(columns) != 2 or not all(columns):
            raise StorageError(
                f"line {number} has {len(columns)} columns", str(listing), "Lines are file,class"
            )
        files.append(_within(path / columns[0], path, listing, number))
        labels.append(columns[1])
    return _unique(files, labels, listing)


def _within(file: Path, path: Path, listing: Path, number: int) -> Path:
    if not file.resolve().is_relative_to(path.resolve()):
        raise StorageError(f"line {number} names a file outside of the folder", str(listing))
    return file


def _unique(files: list[Path], labels: list[str], listing: Path) -> tuple[list[Path], list[str]]:
    """Each file once; StorageError if it is of two classes."""
    classes: dict[Path, str] = {}
    for file, label in zip(files, labels, strict=True):
        if classes.setdefault(file, label) != label:
            raise StorageError(
                f"{file.name} is of class '{classes[file]}' and of class '{label}'", str(listing)
            )
    return list(classes), list(classes.values())


def _lines(listing: Path) -> list[tuple[int, str]]:
    text = reading(listing, "a list of files", "", lambda: listing.read_text(encoding="utf-8-sig"))
    numbered = [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not numbered:
        raise StorageError("names no file", str(listing))
    return numbered
