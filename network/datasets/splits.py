"""Training, validation and test parts between which nothing leaks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ddkbase.errors import InputError, closest
from network.datasets.dataset import DataSet

__all__ = ["Split", "leave_one_out", "shared_groups", "split"]

_SLACK = 1e-6  # s: neighbours that touch do not overlap
_WAYS = ("auto", "group", "test-group", "fold", "block", "random")


@dataclass(frozen=True)
class Split:
    """Numbers of the samples of each part, int64, rising; the parts share none.

    ``left_out`` are samples in no part: neighbours of a held-out block (see `split`).
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    left_out: np.ndarray

    def __str__(self) -> str:
        sizes = f"{len(self.train)} train, {len(self.validation)} validation, {len(self.test)} test"
        return sizes + (f", {len(self.left_out)} left out" if len(self.left_out) else "")


def split(
    dataset: DataSet,
    test: float = 0.2,
    validation: float = 0.1,
    seed: int | np.random.Generator = 0,
    by: str = "auto",
    gap: float | None = None,
) -> Split:
    """Part a data set.

    Parameters
    ----------
    dataset : DataSet
        What is parted.
    test : float, default 0.2
        Share of the whole that is held out to test; 0 for no such part. With ``by="fold"`` the test
        part is the source's.
    validation : float, default 0.1
        Share of the whole that is held out to validate; 0 for no such part. With ``by="fold"`` it
        is a share of the source's training part.
    seed : int or numpy.random.Generator, default 0
        What decides who goes where.
    by : {"auto", "fold", "group", "test-group", "block", "random"}, default "auto"
        How samples are parted. "auto" is "fold" where the source prescribes a test part, else
        "group". "group" keeps recordings, utterances or persons whole; if every group is of one
        class each class gives its share of groups. "test-group" does so for the test part and draws
        the validation part from single samples of the rest, for sets with few groups of which
        nothing is chosen by validation. "fold" takes the source's own test part, and
        whole groups of the rest to validate (a stretch of each recording where a class has too
        few; where samples are no stretches such a class trains, and none of it validates).
        "block" holds out one stretch of every recording, for sets with a single recording a
        class. "random" ignores groups: utterances cut from one recording end up on both sides, and
        accuracies come out too high.
    gap : float or None, optional
        For "block": samples that overlap a held-out stretch, or lie closer to the test stretch than
        this [s], are left out. Default: the length of a sample.

    Raises
    ------
    InputError
        Shares out of range, an unknown way, or too few groups.
    """
    if by == "auto":
        by = "fold" if {"train", "test"} <= set(np.unique(dataset.fold).tolist()) else "group"
    if by not in _WAYS:
        raise InputError(f"unknown way to split '{by}'", "by", closest(str(by), _WAYS))
    for name, share in (("test", test), ("validation", validation)):
        if not 0 <= share < 1:
            raise InputError(f"share {share} is not in [0, 1)", name)
    if by != "fold" and test + validation >= 1:
        raise InputError("nothing is left to train with", "test, validation")
    if not len(dataset):
        raise InputError("the data set is empty", dataset.name)
    rng = np.random.default_rng(seed)
    everything = np.arange(len(dataset))
    if by == "block":
        samples = _by_block(dataset, everything, test, validation, rng, gap)
        return _split_of(dataset, *samples)
    if by == "random":
        single = everything.astype(np.int64)
        samples = _by_group(dataset, everything, single, (test, validation), rng)
        return _split_of(dataset, *samples)
    if by == "test-group":
        rest, _, tested = _by_group(dataset, everything, dataset.groups, (test, 0.0), rng)
        share = validation * len(dataset) / len(rest)
        train, _, held = _by_group(dataset, rest, everything, (share, 0.0), rng)
        return _split_of(dataset, train, held, tested)
    if by == "group":
        samples = _by_group(dataset, everything, dataset.groups, (test, validation), rng)
        return _split_of(dataset, *samples)
    if not (dataset.fold == "test").any() or not (dataset.fold == "train").any():
        raise InputError(
            "the source prescribes no training and test part",
            dataset.name,
            'Give it folders "train" and "test", or use by="group"',
        )
    rest = np.flatnonzero(dataset.fold == "train")
    train, held = _validation(dataset, rest, validation, rng)
    return _split_of(dataset, train, held, np.flatnonzero(dataset.fold == "test"))


def leave_one_out(
    dataset: DataSet,
    by: str = "group",
    validation: float = 0.1,
    seed: int | np.random.Generator = 0,
) -> Iterator[tuple[str, Split]]:
    """Each group (person, recording) or fold in turn as the test part.

    Parameters
    ----------
    dataset : DataSet
        What is parted.
    by : {"group", "fold"}, default "group"
        What is held out.
    validation : float, default 0.1
        Share of the rest.
    seed : int or numpy.random.Generator, default 0
        What decides which groups validate.

    Yields
    ------
    name : str
        Name of what is held out.
    split : Split
        The split; the validation part is of whole groups of the rest.

    Raises
    ------
    InputError
        Fewer than two groups, or an unknown way.
    """
    if by not in ("group", "fold"):
        raise InputError(f"unknown way '{by}'", "by", 'Use "group" or "fold"')
    labels = dataset.groups if by == "group" else dataset.fold
    names = np.unique(labels)
    if len(names) < 2:
        raise InputError(f"there is one {by} only", dataset.name, "Two or more are needed")
    rng = np.random.default_rng(seed)
    for name in names:
        rest = np.flatnonzero(labels != name)
        train, held = _validation(dataset, rest, validation, rng)
        yield str(name), _split_of(dataset, train, held, np.flatnonzero(labels == name))


def shared_groups(dataset: DataSet, one: np.ndarray, other: np.ndarray) -> list[str]:
    """Groups of ``dataset`` with samples in both parts; empty if nothing leaks.

    ``one`` and ``other`` are numbers of samples, as the parts of a `Split`.
    """
    both = np.intersect1d(dataset.groups[one], dataset.groups[other])
    return [str(group) for group in both]


def _split_of(
    dataset: DataSet, train: np.ndarray, validation: np.ndarray, test: np.ndarray
) -> Split:
    samples = [np.sort(p).astype(np.int64) for p in (train, validation, test)]
    if not len(samples[0]):
        raise InputError("nothing is left to train with", dataset.name, "Ask for smaller shares")
    used = np.zeros(len(dataset), dtype=bool)
    used[np.concatenate(samples)] = True
    return Split(samples[0], samples[1], samples[2], np.flatnonzero(~used))


def _validation(
    dataset: DataSet, among: np.ndarray, share: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """What trains and what validates of ``among``: whole groups if there are enough."""
    try:
        train, _, held = _by_group(dataset, among, dataset.groups, (share, 0.0), rng)
    except InputError:
        if not np.isfinite(dataset.span).all():
            train, _, held = _by_group(
                dataset, among, dataset.groups, (share, 0.0), rng, spare_small=True
            )
            return train, held
        train, _, held = _by_block(dataset, among, share, 0.0, rng, None)
    return train, held


def _by_group(
    dataset: DataSet,
    among: np.ndarray,
    labels: np.ndarray,
    shares: tuple[float, float],
    rng: np.random.Generator,
    spare_small: bool = False,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Train, validation, test of the samples ``among``; shares are (test, validation).

    A class with too few groups trains whole with ``spare_small``, if another is held out.
    """
    names, number = np.unique(labels[among], return_inverse=True)
    y = dataset.y[among]
    first = np.zeros(len(names), dtype=np.int64)
    first[number] = y  # a class of each group: the last written
    role = np.zeros(len(names), dtype=np.int8)
    if (first[number] == y).all():
        pools = [np.flatnonzero(first == c) for c in np.unique(y)]
        descriptions = [f"class '{dataset.classes[c]}'" for c in np.unique(y)]
    else:
        pools, descriptions = [np.arange(len(names))], ["the set"]
    largest = max(len(pool) for pool in pools)
    for pool, description in zip(pools, descriptions, strict=True):
        order = rng.permutation(pool)
        counts = [max(1, round(share * len(pool))) if share else 0 for share in shares]
        if sum(counts) >= len(pool):
            if spare_small and largest > sum(counts):
                continue
            raise InputError(
                f"{description} has {len(pool)} group{'s' if len(pool) != 1 else ''}, too few for "
                f"{1 + sum(share > 0 for share in shares)} parts",
                dataset.name,
                "A group is a recording, a person, or a sample that stands alone; add some, ask "
                'for smaller shares, or hold out a stretch of each recording (by="block")',
            )
        role[order[: counts[0]]] = 2
        role[order[counts[0] : sum(counts)]] = 1
    roles = role[number]
    return among[roles == 0], among[roles == 1], among[roles == 2]


def _by_block(
    dataset: DataSet,
    among: np.ndarray,
    test: float,
    validation: float,
    rng: np.random.Generator,
    gap: float | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Train, validation, test of the samples ``among``; one stretch of each recording is held out.

    Order in a recording: training, validation, gap, test, gap, training, or the mirror image.
    """
    span = dataset.span
    if not np.isfinite(span[among]).all():
        raise InputError(
            "its samples are not cut out of recordings", dataset.name, 'Use by="group"'
        )
    distance = (dataset.seconds or 0.0) if gap is None else gap
    if not distance >= 0:
        raise InputError(f"a gap of {distance} s is negative", "gap")
    selected: tuple[list[np.ndarray], ...] = ([], [], [])
    for group in np.unique(dataset.groups[among]):
        index = among[dataset.groups[among] == group]
        index = index[np.argsort(span[index, 0], kind="stable")]
        count = len(index)
        long = max(1, round(test * count)) if test and count > 1 else 0
        short = max(1, round(validation * count)) if validation and count > 3 else 0
        if rng.random() < 0.5:
            span_ = -span[:, ::-1]  # the same, time running backwards
            index = index[::-1]
        else:
            span_ = span
        first = count
        if long:
            # the validation stretch, which ends where the gap begins, must have room before it
            ends, starts = span_[index, 1] + distance, span_[index[: count - long + 1], 0]
            room = np.searchsorted(ends, starts + _SLACK, side="right")
            allowed = np.flatnonzero(room >= short)
            if not len(allowed):
                short, allowed = 0, np.arange(len(starts))
            first = int(rng.choice(allowed))
        tested = index[first : first + long]
        rest = index[_apart(span_, index, tested, distance)]
        before = rest[span_[rest, 0] < span_[tested[0], 0]] if long else rest
        held = before[len(before) - short :] if short else rest[:0]
        selected[2].append(tested)
        selected[1].append(held)
        selected[0].append(np.setdiff1d(rest[_apart(span_, rest, held, 0.0)], held))
    train, held, tested = (np.concatenate(pieces) for pieces in selected)
    for share, samples, name in ((test, tested, "test"), (validation, held, "validation")):
        if share and not len(samples):
            raise InputError(
                f"the recordings are too short for a {name} part",
                dataset.name,
                "Cut them into shorter utterances, or add recordings",
            )
    return train, held, tested


def _apart(span: np.ndarray, mine: np.ndarray, others: np.ndarray, gap: float) -> np.ndarray:
    """Which of ``mine`` end a gap before, or start a gap after, all of the others."""
    if not len(mine) or not len(others):
        return np.ones(len(mine), dtype=bool)
    begin, end = span[others, 0].min(), span[others, 1].max()
    before, after = span[mine, 1] + gap <= begin + _SLACK, span[mine, 0] >= end + gap - _SLACK
    return np.asarray(before | after)
