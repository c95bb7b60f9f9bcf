"""The door: which file of series is read how, and which two are the parts of one set."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from ddkbase.errors import InputError, StorageError, shorten
from ddkbase.tables.columnar import SUFFIXES
from network.datasets.dataset import DataSet
from network.datasets.files import reading
from network.datasets.series.arff import read_arff
from network.datasets.series.lines import first_line
from network.datasets.series.plain import is_plain, read_plain
from network.datasets.series.samples import Series, data_set, joined
from network.datasets.series.tables import read_table
from network.datasets.series.ts import read_ts

__all__ = ["ENDINGS", "files_of", "is_series", "load_series", "series_in"]

_TEXTS = (".csv", ".tsv", ".txt", ".dat")
#: endings of names, the one before others of the same name that are in a folder
ENDINGS = (".ts", ".arff", ".tsv", ".csv", *SUFFIXES, ".txt", ".dat", ".xlsx")
_PARTS = ("train", "test")


def is_series(path: Path) -> bool:
    """Whether a file is read here, by its name: an ending, or NAME_TRAIN without one."""
    ending, part = _ending(path), _named(path)[1]
    return ending in ENDINGS or (not ending and bool(part))


def files_of(path: Path) -> list[Path]:
    """The files that are read where this one is named: it alone, or the two of a pair."""
    pair = _pair(path) if is_series(path) and _named(path)[1] else {}
    return sorted(pair.values()) if len(pair) == 2 else [path]


def load_series(
    path: str | os.PathLike[str],
    *,
    label: str | None = None,
    group: str | None = None,
    missing: str = "refuse",
    lengths: str = "pad",
    decimal: str | None = None,
    encoding: str | None = None,
) -> DataSet:
    """Series of a file: .ts, .arff, tables; NAME_TRAIN and NAME_TEST beside each other are a set.

    So are ``train`` and ``test`` with an ending, as train.csv and test.csv.

    Parameters
    ----------
    path : str or Path
        The file, or one of the two.
    label, group : str or None, optional
        Of a table with headings: the columns of the class and of what must not be parted; see
        `network.datasets.series.tables.read_table`.
    missing : {"refuse", "interpolate"}, default "refuse"
        What becomes of missing values.
    lengths : {"pad", "stretch"}, default "pad"
        What becomes of series of unequal length; see `network.datasets.series.samples.data_set`.
    decimal : {".", ","} or None, optional
        Decimal sign of a text; default: found out of tables with headings, else the point.
    encoding : str or None, optional
        Coding of a text, e.g. "latin-1" or "utf-16"; default: found out.

    Returns
    -------
    DataSet
        The series, each channel from 0 to 1 over the training samples; `DataSet.notes` say what
        was done.

    Raises
    ------
    InputError
        What is not understood, in one line that says where it stands.
    StorageError
        The file cannot be read, or is damaged.
    InstallationError
        A package is missing; its extra is named.
    """
    if decimal not in (".", ",", None):
        raise InputError(f"{shorten(decimal)} is no decimal", "decimal", "Known: '.', ','")
    path = Path(path)
    asked = _Asked(label, group, decimal, encoding)
    stem, part = _named(path)
    pair = _pair(path) if part else {}
    if len(pair) == 2:
        series = joined({p: _read(pair[p], asked) for p in _PARTS}, str(path.with_name(stem)))
        return data_set(series, stem, missing, lengths)
    series = _read(path, asked)
    return data_set(series, _stem(path), missing, lengths)


def series_in(path: Path) -> Path | None:
    """The file of series of a folder, where it holds one, or one pair; None where it holds none.

    Raises
    ------
    StorageError
        It holds several.
    """
    files = [p for p in sorted(path.iterdir()) if p.is_file() and not p.name.startswith(".")]
    files = [p for p in files if is_series(p)]
    pairs = [p for p in files if _named(p)[1] == "train" and len(_pair(p)) == 2]
    single = [p for p in files if _ending(p) not in ("", ".txt", ".dat")]  # these may be words
    for among in (pairs, single):
        names = sorted({_named(p)[0] for p in among})
        # the archives put files of single channels, and a description, beside a set
        whole = [n for n in names if not any(n != o and n.startswith(o) for o in names)]
        if len(whole) > 1:
            raise StorageError(
                f"holds several sets: {', '.join(whole[:5])}{', ...' if len(whole) > 5 else ''}",
                str(path),
                "Name the file of one",
            )
        if whole:
            of_it = [p for p in among if _named(p)[0] == whole[0]]
            return min(of_it, key=lambda p: ENDINGS.index(_ending(p) or ".txt"))
    return None


class _Asked(NamedTuple):
    """What was said of a file; None of what was not."""

    label: str | None
    group: str | None
    decimal: str | None
    encoding: str | None


def _read(path: Path, asked: _Asked) -> Series:
    ending = _ending(path)

    def work() -> Series:
        if ending == ".ts":
            return read_ts(path, asked.encoding)
        if ending == ".arff":
            return read_arff(path, asked.encoding)
        if (
            (_named(path)[1] or not ending)
            and ending in ("", *_TEXTS)
            and is_plain(first_line(path, asked.encoding), asked.decimal)
        ):
            return read_plain(path, asked.decimal, asked.encoding)
        return read_table(path, *asked)

    if ending in (".ts", ".arff") and asked.decimal == ",":
        raise InputError(f"a {ending} file has decimal points", "decimal", "Leave it out")
    if ending in (".ts", ".arff") and (asked.label is not None or asked.group is not None):
        option = "label" if asked.label is not None else "group"
        raise InputError(f"a {ending} file says itself what its class is", option, "Leave it out")
    return reading(path, f"a file of series ({ending or 'text'})", "", work)


def _ending(path: Path) -> str:
    suffixes = [s.lower() for s in path.suffixes[-2:]]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def _stem(path: Path) -> str:
    name = path.name[:-3] if path.name.lower().endswith(".gz") else path.name
    ending = _ending(path)
    return name[: -len(ending)] if ending else name


def _named(path: Path) -> tuple[str, str]:
    """Name of the set and part ("train", "test" or "") of a file, by its name."""
    stem = _stem(path)
    if stem.lower() in _PARTS and _ending(path):  # train.csv and test.csv of a folder
        return path.absolute().parent.name, stem.lower()
    for part in _PARTS:
        if stem.lower().endswith(f"_{part}"):
            return stem[: -len(part) - 1], part
    return stem, ""


def _pair(path: Path) -> dict[str, Path]:
    """The files of both parts that are there, by part."""
    stem, _ = _named(path)
    beside = [p for p in sorted(path.parent.iterdir()) if p.is_file()]
    pair: dict[str, Path] = {}
    for other in beside:
        name, part = _named(other)
        if part and name == stem and _ending(other) == _ending(path):
            pair.setdefault(part, other)
    pair[_named(path)[1]] = path
    return pair
