"""Series in .ts files, the format of the UCR and UEA archives.

A heading of lines ``@key value`` ends with ``@data``; each line after it is a sample: its channels
parted by ':', the values of a channel by ',', the class last. With ``@timeStamps true`` each value
is a pair (time,value), at equal steps (`network.datasets.series.stamps`). See A. Bagnall et al.,
*The UEA multivariate time series classification archive*, arXiv:1811.00075 (2018).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ddkbase.errors import InputError, closest, shorten
from network.datasets.series.lines import numbered_lines, series_of
from network.datasets.series.samples import Series
from network.datasets.series.stamps import (
    UNEVEN,
    check_same_times,
    parted,
    step_of,
    values_and_times,
)

__all__ = ["read_ts"]

_SWITCHES = ("timestamps", "missing", "univariate", "equallength")
_COUNTS = ("dimensions", "dimension", "serieslength")
_KEYS = (*_SWITCHES, *_COUNTS, "problemname", "classlabel", "targetlabel", "data")


@dataclass(frozen=True)
class _Heading:
    """What stands before the data; None where nothing is said of it."""

    classes: tuple[str, ...]
    channels: int | None
    steps: int | None
    equal: bool | None
    stamped: bool


def read_ts(path: Path, encoding: str | None = None) -> Series:
    """The series of a .ts file.

    Parameters
    ----------
    path : Path
        The file, of one or several channels ("dimensions").
    encoding : str or None, optional
        Its coding; default: UTF-8, or UTF-16 where it begins with the mark of that.

    Returns
    -------
    Series
        Its series, the classes in the order of the heading.

    Raises
    ------
    InputError
        What is not understood, with its line; targets of a regression; time stamps at unequal
        steps.
    """
    lines = numbered_lines(
        path, comments="#%", encoding=encoding
    )  # files of the archive have either
    heading = _heading(lines, path)
    values: list[np.ndarray] = []
    labels, places, steps = [], [], []
    for number, line in lines:
        where = f"{path}, line {number}"
        *channels, label = parted(line) if heading.stamped else line.split(":")
        if not channels:
            pair = "pair (time,value) with a " if heading.stamped else ""
            raise InputError(f"holds no {pair}':' before a class", where)
        label = label.strip()
        if label not in heading.classes:
            hint = closest(label, heading.classes)
            raise InputError(f"{shorten(label)} is no class of the heading", where, hint)
        if heading.stamped:
            where += f", series {len(values) + 1}"
        sample, step = _sample(channels, heading, where)
        values.append(sample)
        steps.append(step)
        labels.append(label)
        places.append(f"line {number}")
        _check_alike(values, heading, where)
    notes = _on_steps(np.array(steps)) if heading.stamped and values else ()
    return Series(str(path), values, labels, places, heading.classes, notes=notes)


def _on_steps(steps: np.ndarray) -> tuple[str, ...]:
    """What is to be said of the steps of time of all series, NaN of one without any."""
    steps = steps[~np.isnan(steps)]
    if not steps.size:
        return ()
    least, most = f"{steps.min():.6g}", f"{steps.max():.6g}"
    if steps.max() - steps.min() <= UNEVEN * steps.min():
        return (f"time stamps are at equal steps of {least}, and not kept",)
    return (f"steps of time are {least} to {most} and taken as equal",)


def _heading(lines: Iterator[tuple[int, str]], path: Path) -> _Heading:
    """The heading, read up to its line @data."""
    read: dict[str, str] = {}
    for number, line in lines:
        where = f"{path}, line {number}"
        if not line.startswith("@"):
            raise InputError("a line @key or @data is expected", where, "It is no .ts file")
        key, _, value = line[1:].partition(" ")
        key = key.strip().lower()
        if key not in _KEYS:
            raise InputError(f"unknown key {shorten('@' + key)}", where, closest(key, _KEYS))
        if read.get(key, value.strip()) != value.strip() and key != "problemname":
            raise InputError(f"@{key} stands there twice and differs", where)
        read[key] = value.strip()
        _check(key, read[key], where)
        if key == "data":
            break
    else:
        raise InputError("holds no line @data", str(path), "It is no .ts file, or is cut off")
    return _meaning(read, path)


def _check(key: str, value: str, where: str) -> None:
    """InputError for a line of the heading that makes no sense, or that is not read."""
    if key in _SWITCHES and value.lower() not in ("true", "false"):
        raise InputError(f"@{key} is {shorten(value)}", where, "true or false")
    if key in _COUNTS and not (value.isascii() and value.isdigit() and int(value[:12]) > 0):
        raise InputError(f"@{key} is {shorten(value)}", where, "A whole number is expected")
    if key == "targetlabel" and value.lower() != "false":
        raise InputError(
            "targets of a regression are not learnt", where, "Series with classes are expected"
        )
    if key == "data" and value:
        raise InputError(f"{shorten(value)} stands behind @data", where)


def _meaning(read: dict[str, str], path: Path) -> _Heading:
    switch, *classes = read.get("classlabel", "").split()
    if switch.lower() != "true":
        raise InputError(
            "its heading names no classes", str(path), "A line '@classLabel true a b' is expected"
        )
    if len(set(classes)) < len(classes):
        twice = next(c for c in classes if classes.count(c) > 1)
        raise InputError(f"class '{twice}' stands twice in @classLabel", str(path))
    said = read.get("dimensions", read.get("dimension"))
    channels = None if said is None else int(said)
    if read.get("univariate", "").lower() == "true":
        if channels not in (None, 1):
            raise InputError(f"@univariate is true, @dimensions {channels}", str(path))
        channels = 1
    steps = read.get("serieslength")
    equal = read.get("equallength")
    return _Heading(
        tuple(classes),
        channels,
        None if steps is None else int(steps),
        None if equal is None else equal.lower() == "true",
        read.get("timestamps", "").lower() == "true",
    )


def _sample(channels: list[str], heading: _Heading, where: str) -> tuple[np.ndarray, float]:
    """The channels of a line, (channels, steps), and the step of time, NaN where none is said."""
    if heading.channels not in (None, len(channels)):
        raise InputError(
            f"has {len(channels)} channels, the heading says {heading.channels}", where,
            "Channels are parted by ':', the class stands behind the last",
        )  # fmt: skip
    several = len(channels) > 1
    rows, times = [], []
    for k, text in enumerate(channels, start=1):
        place = f"{where}, channel {k}" if several else where
        if heading.stamped:
            row, at = values_and_times(text, place)
            times.append(at)
        elif text.lstrip().startswith("("):
            raise InputError("holds pairs, and the heading no '@timeStamps true'", place)
        else:
            row = series_of(text, place)
        rows.append(row)
    lengths = {len(row) for row in rows}
    if len(lengths) > 1:
        first = next(k for k, row in enumerate(rows) if len(row) != len(rows[0]))
        raise InputError(
            f"channel {first + 1} has {len(rows[first])} values, the first {len(rows[0])}", where
        )
    if heading.stamped:
        check_same_times(times, where)
    return np.stack(rows), step_of(times[0]) if heading.stamped else float("nan")


def _check_alike(values: list[np.ndarray], heading: _Heading, where: str) -> None:
    """InputError where the last series is not as the others, or as the heading says."""
    channels, steps = values[-1].shape
    if channels != values[0].shape[0]:
        raise InputError(f"has {channels} channels, the first {values[0].shape[0]}", where)
    if heading.equal is False:
        return
    stated = heading.steps if heading.steps is not None else values[0].shape[1]
    if steps != stated and (heading.equal or heading.steps is not None):
        of = "the heading says" if heading.steps is not None else "the first has"
        raise InputError(
            f"has {steps} values, {of} {stated}", where,
            "If series are of unequal length, write @equalLength false and no @seriesLength",
        )  # fmt: skip
