"""Tables without headings, as the UCR archive has them: a line a series, its class first."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from ddkbase.errors import InputError
from network.datasets.series.lines import numbered_lines, series_of
from network.datasets.series.samples import Series, class_names

__all__ = ["is_plain", "read_plain"]


def is_plain(line: str, decimal: str | None = None) -> bool:
    """Whether a first line holds two numbers or more and no words: no headings."""
    try:
        return len(_numbers(line, "", _delimiter(line, decimal), decimal)) > 1
    except InputError:
        return False


def read_plain(path: Path, decimal: str | None = None, encoding: str | None = None) -> Series:
    """The series of a table without headings, parted by tabs, semicolons, commas or blanks.

    Missing values at the end of a series are the end of it: this is how the archive fills lines up
    where series are of unequal length (H. A. Dau et al., *The UCR Time Series Archive*,
    arXiv:1810.07758).

    Parameters
    ----------
    path : Path
        The file.
    decimal : {".", ","} or None, optional
        Its decimal sign; default: the point.
    encoding : str or None, optional
        Its coding; default: UTF-8, or UTF-16 where it begins with the mark of that.

    Raises
    ------
    InputError
        Something else than numbers, a class that is not whole or seems to stand last.
    """
    values: list[np.ndarray] = []
    firsts, places, filled = [], [], 0
    delimiter: str | None = None
    for number, line in numbered_lines(path, encoding=encoding):
        where = f"{path}, line {number}"
        if not values:
            delimiter = _delimiter(line, decimal)
        cells = _numbers(line, where, delimiter, decimal)
        row = cells[1:]
        there = np.flatnonzero(~np.isnan(row))
        if not there.size:
            raise InputError("holds no value behind the class", where)
        filled += there[-1] + 1 < len(row)
        values.append(row[None, : there[-1] + 1])
        firsts.append("" if np.isnan(cells[0]) else f"{cells[0]:.17g}")
        places.append(f"line {number}")
    if not values:
        raise InputError("holds no sample", str(path))
    lasts = [f"{row[0, -1]:.17g}" for row in values]
    if _may_be_classes(lasts) and not _may_be_classes(firsts):
        raise InputError(
            "the last value of each line looks like its class, the first does not",
            str(path),
            "Put the class first, or write a first line of headings, one of them 'label'",
        )
    notes = (
        (f"{filled:,} lines of {len(values):,} end in missing values, which are taken as the end "
         "of their series",)
        if filled
        else ()
    )  # fmt: skip
    labels = class_names(firsts, lambda k: f"{path}, {places[k]}, value 1")
    return Series(str(path), values, labels, places, notes=notes)


def _may_be_classes(texts: list[str]) -> bool:
    """Whether numbers may be those of classes: whole, several, and each there more than once."""
    counts = Counter(texts)
    return len(counts) > 1 and min(counts.values()) > 1 and all(t.isdigit() for t in counts)


def _delimiter(line: str, decimal: str | None) -> str | None:
    signs = ("\t", ";") if decimal == "," else ("\t", ";", ",")
    return next((sign for sign in signs if sign in line), None)


def _numbers(line: str, where: str, delimiter: str | None, decimal: str | None) -> np.ndarray:
    return series_of(line.replace(",", ".") if decimal == "," else line, where, delimiter)
