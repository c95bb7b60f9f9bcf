"""From series of any length, with gaps, to samples of one shape."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ddkbase.errors import InputError, closest, shorten
from network.datasets.dataset import DataSet
from network.datasets.files import LARGEST

__all__ = ["LENGTHS", "MISSING", "Series", "class_names", "data_set", "joined"]

MISSING = ("refuse", "interpolate")
"""What may become of missing values."""
LENGTHS = ("pad", "stretch")
"""What may become of series of unequal length."""

_WHOLE = re.compile(r"[+-]?\d+(?:\.0*)?(?:[eE][+-]?\d+)?")


@dataclass(frozen=True)
class Series:
    """Labelled series as they stand in a file.

    Attributes
    ----------
    path : str
        The file.
    values : list of ndarray of float64
        The series, shape (channels, steps) each; NaN where a value is missing.
    labels : list of str
        Class of each.
    places : sequence of str
        Where each stands in the file, as "line 14".
    classes : tuple of str, default ()
        Names and order of the classes where the file states them; else they are sorted.
    channels : tuple of str, default ()
        Names of the channels, where they have any.
    groups : list of str, optional
        What must not be parted; empty where nothing is said of it.
    parts : list of str, optional
        "train" or "test" of each; empty where nothing is said of it.
    notes : tuple of str, default ()
        What was taken for what.
    """

    path: str
    values: list[np.ndarray]
    labels: list[str]
    places: Sequence[str]
    classes: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    groups: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    notes: tuple[str, ...] = ()


def class_names(labels: Sequence[str], place: Callable[[int], str]) -> list[str]:
    """Labels as names of classes: numbers that are whole in one spelling, all else as it is.

    Parameters
    ----------
    labels : sequence of str
        Label of each sample.
    place : callable
        Where the label of a number stands, for errors.

    Returns
    -------
    list of str
        A name a sample.

    Raises
    ------
    InputError
        A label is empty, or numbers are not whole: targets of a regression.
    """
    unlike: dict[str, str] = {}
    for number, label in enumerate(labels):
        if label in unlike:
            continue
        if not label or label.lower() in ("nan", "?"):
            raise InputError("the class is missing", place(number))
        unlike[label] = label
    numbers = {label: _as_number(label) for label in unlike}
    if any(value is None for value in numbers.values()):
        return list(labels)
    if any(value != int(value) for value in numbers.values() if value is not None):
        first = next(n for n, x in enumerate(labels) if numbers[x] != int(numbers[x] or 0))
        raise InputError(
            f"the class {shorten(labels[first])} is a number that is not whole",
            place(first),
            "Targets of a regression are not learnt; name classes by whole numbers or words",
        )
    return [str(int(numbers[label] or 0)) for label in labels]


def _as_number(label: str) -> float | None:
    try:
        value = float(label)
    except ValueError:
        return None
    return value if np.isfinite(value) and "_" not in label else None


def data_set(series: Series, name: str, missing: str = "refuse", lengths: str = "pad") -> DataSet:
    """Samples of one shape, scaled to 0 to 1.

    Parameters
    ----------
    series : Series
        The series.
    name : str
        Name of the set.
    missing : {"refuse", "interpolate"}, default "refuse"
        What becomes of missing values: an error that counts them, or the straight line between
        their neighbours (at the ends of a series the nearest value).
    lengths : {"pad", "stretch"}, default "pad"
        What becomes of series of unequal length: a shorter one keeps its last value to the length
        of the longest, or is stretched to it by straight lines.

    Returns
    -------
    DataSet
        float32 (samples, steps) or (samples, channels, steps), each channel from 0 to 1 over the
        training samples (over all where no part is given); what was done is in its notes.

    Raises
    ------
    InputError
        An unknown way, missing values that are not to be interpolated, a single class, a class of
        the test part that the training part lacks, values beyond what can be scaled.
    """
    for option, value, ways in (("missing", missing, MISSING), ("lengths", lengths, LENGTHS)):
        if value not in ways:
            raise InputError(f"unknown way '{value}'", option, closest(str(value), ways))
    if not series.values:
        raise InputError("holds no sample", series.path)
    parts = np.array(series.parts or [""] * len(series.values))
    classes, y, about = _classes(series, parts)
    values, gaps = _without_gaps(series, missing)
    values, uneven = _of_one_length(series.path, values, lengths)
    x, scaled = _scaled(series, values, parts != "test")
    several = x.shape[1] > 1
    shared = set(np.array(series.groups)[parts == "train"]) if series.groups else set()
    shared &= set(np.array(series.groups)[parts == "test"]) if series.groups else set()
    if shared:
        about = (*about, f"{len(shared)} groups are in the source's training and test part")
    return DataSet(
        name,
        x if several else x[:, 0],
        y,
        classes,
        ("channel", "step") if several else ("step",),
        Path(series.path).name,
        "not stated",
        groups=np.array(series.groups) if series.groups else np.empty(0),
        fold=parts,
        notes=(*series.notes, *gaps, *uneven, *about, *scaled),
        scaled_by="channel" if scaled else "",
    )


def _classes(
    series: Series, parts: np.ndarray
) -> tuple[tuple[str, ...], np.ndarray, tuple[str, ...]]:
    """Names of the classes, the number of each sample's, and what is to be said of them."""
    trained = {x for x, part in zip(series.labels, parts, strict=True) if part != "test"}
    for label, part, place in zip(series.labels, parts, series.places, strict=True):
        if part == "test" and label not in trained:
            raise InputError(
                f"class '{label}' is in the test part only",
                f"{series.path}, {place}",
                "It cannot be learnt; leave it out, or add training samples",
            )
    names = [c for c in series.classes if c in trained] or _sorted(trained)
    if len(names) < 2:
        raise InputError(
            f"holds a single class, '{names[0]}'", series.path, "There is nothing to tell apart"
        )
    numbers = {label: k for k, label in enumerate(names)}
    notes = []
    absent = [c for c in series.classes if c not in trained]
    if absent:
        notes.append(f"no sample is of class {_listed(absent)}, which the file names")
    counts = Counter(x for x, part in zip(series.labels, parts, strict=True) if part != "test")
    single = [label for label in names if counts[label] == 1]
    if len(single) == len(names):
        raise InputError(
            f"names {len(names)} classes for as many samples", series.path,
            "Classes have several samples; is it the right column?",
        )  # fmt: skip
    if single and (parts == "test").any():
        notes.append(f"a single training sample is of class {_listed(single)}; it trains, and none "
                     "of that class validates")  # fmt: skip
    return tuple(names), np.array([numbers[label] for label in series.labels]), tuple(notes)


def _sorted(labels: set[str]) -> list[str]:
    if all(_WHOLE.fullmatch(label) for label in labels):
        return sorted(labels, key=float)
    return sorted(labels)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(f"'{n}'" for n in names[:5]) + more


def _without_gaps(series: Series, missing: str) -> tuple[list[np.ndarray], tuple[str, ...]]:
    """The series without missing values. InputError where they are not to be interpolated."""
    holed = [k for k, v in enumerate(series.values) if np.isnan(v).any()]
    if not holed:
        return series.values, ()
    count = sum(int(np.isnan(series.values[k]).sum()) for k in holed)
    said = (
        f"{count:,} value{'s' * (count != 1)} in {len(holed):,} of {len(series.values):,} series "
        f"{'are' if count != 1 else 'is'} missing"
    )
    if missing == "refuse":
        raise InputError(
            said,
            f"{series.path}, first in {series.places[holed[0]]}",
            "Pass missing='interpolate', or leave them out",
        )
    values = list(series.values)
    for k in holed:
        whole = values[k].copy()
        for channel in whole:
            gap = np.isnan(channel)
            if gap.all():
                raise InputError("no value is there", f"{series.path}, {series.places[k]}")
            at = np.arange(len(channel))
            channel[gap] = np.interp(at[gap], at[~gap], channel[~gap])
        values[k] = whole
    return values, (f"{said} and interpolated by straight lines",)


def _of_one_length(
    path: str, values: list[np.ndarray], lengths: str
) -> tuple[list[np.ndarray], tuple[str, ...]]:
    steps = np.array([v.shape[1] for v in values])
    longest = int(steps.max())
    if 4 * longest * values[0].shape[0] * len(values) > LARGEST:
        raise InputError(
            f"{len(values):,} series of up to {longest:,} steps are too large",
            path,
            "Leave out the longest",
        )
    short = np.flatnonzero(steps < longest)
    if not short.size:
        return values, ("a series is a single value",) if longest == 1 else ()
    values = list(values)
    for k in short:
        if lengths == "pad":
            values[k] = np.pad(values[k], ((0, 0), (0, longest - steps[k])), mode="edge")
        else:
            at = np.linspace(0, steps[k] - 1, longest)
            values[k] = np.stack([np.interp(at, np.arange(steps[k]), c) for c in values[k]])
    became = (
        "keep their last value to the end, so that their length is told"
        if lengths == "pad"
        else "are stretched to that length by straight lines, so that their pace is changed"
    )
    return values, (
        f"{short.size:,} of {len(values):,} series are shorter than {longest:,} steps (the "
        f"shortest has {int(steps.min()):,}) and {became}",
    )


def _scaled(
    series: Series, values: list[np.ndarray], of: np.ndarray
) -> tuple[np.ndarray, tuple[str, ...]]:
    """All series as one array, each channel 0 to 1 over the samples ``of``."""
    within = [v for v, counts in zip(values, of, strict=True) if counts]
    low = np.min([v.min(axis=1) for v in within], axis=0)
    high = np.max([v.max(axis=1) for v in within], axis=0)
    if (low == high).all():
        raise InputError("all values are the same", series.path, "There is nothing to tell apart")
    with np.errstate(over="ignore"):
        span = np.where(high > low, high - low, 1.0)
    largest = max(float(np.abs(v).max()) for v in values)
    if not (np.isfinite(span).all() and largest < 1e30 * float(span.min())):
        raise InputError(f"values up to {largest:g} cannot be scaled", series.path)
    x = np.empty((len(values), *values[0].shape), dtype=np.float32)
    if (low >= 0).all() and (high <= 1).all():
        for k, v in enumerate(values):
            x[k] = v
        return x, ()
    for k, v in enumerate(values):
        x[k] = (v - low[:, None]) / span[:, None]
    if len(low) == 1:
        return x, (f"values are {low[0]:g} to {high[0]:g} and scaled to 0 to 1, by the range of "
                   "what is trained on",)  # fmt: skip
    ranges = ", ".join(f"{a:g} to {b:g}" for a, b in list(zip(low, high, strict=True))[:3])
    more = ", ..." if len(low) > 3 else ""
    note = f"channels are {ranges}{more}, each scaled to 0 to 1 by its range in what is trained on"
    return x, (note,)


def joined(parts: Mapping[str, Series], path: str) -> Series:
    """A training and a test part of one set.

    Raises
    ------
    InputError
        They have channels of their own each.
    """
    train, test = parts["train"], parts["test"]
    ends = [s.values[0].shape[0] if s.values else 0 for s in (train, test)]
    if train.values and test.values and (ends[0] != ends[1] or train.channels != test.channels):
        raise InputError(
            f"has {ends[1]} channels ({_listed(test.channels) or 'without names'}), its training "
            f"part {ends[0]} ({_listed(train.channels) or 'without names'})",
            test.path,
        )
    for part, series in parts.items():
        if not series.values:
            raise InputError(f"the {part} part holds no sample", series.path)
    names = {part: Path(series.path).name for part, series in parts.items()}
    return Series(
        path,
        [*train.values, *test.values],
        [*train.labels, *test.labels],
        [f"{names[part]}, {place}" for part in parts for place in parts[part].places],
        tuple(dict.fromkeys([*train.classes, *test.classes])),
        train.channels,
        [*train.groups, *test.groups] if train.groups and test.groups else [],
        ["train"] * len(train.values) + ["test"] * len(test.values),
        tuple(dict.fromkeys([*train.notes, *test.notes])),
    )
