"""From a task to arrays: what is trained on, what validates, what is tested, and nothing else.

The split is drawn over the samples of the data set (utterances, frames, bodies) and keeps groups
whole; only then is a sample cut into the sequences that a network decides on, so that all of them
are on one side.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from ddk.studies.tasks import Task
from ddkbase.errors import InputError, closest
from network import datasets
from network.datasets import DataSet, splits
from network.datasets.splits import Split

Cut = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Part:
    """Samples of one part.

    Attributes
    ----------
    x : ndarray of float32, shape `(samples, *shape)`
        The samples, time last.
    y : ndarray, shape (samples,)
        Classes of the samples.
    item : ndarray
        The object (clip, recording, body) each belongs to, on which they decide together.
    """

    x: np.ndarray
    y: np.ndarray
    item: np.ndarray

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True)
class Fold:
    """One division of a task's data.

    Attributes
    ----------
    train, validation, test : Part
        The parts; no group of the data set is in two of them, but where the task says that it
        splits at random.
    classes : tuple of str
        Names of the classes.
    held_out : str
        What the test part is, in words.
    rate : float or None, Hz, optional
        Samples a second along the last axis, where there is one.
    """

    train: Part
    validation: Part
    test: Part
    classes: tuple[str, ...]
    held_out: str
    rate: float | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample, time last."""
        return tuple(self.train.x.shape[1:])


class Material:
    """The data of one task, read once for any number of seeds and models.

    Parameters
    ----------
    task : Task
        What is to be done.
    root : str, Path or None, optional
        The folder of the data; None takes that of DDK_DATA.
    dataset : DataSet or None, optional
        The data itself, where it is at hand already.
    """

    def __init__(
        self,
        task: Task,
        root: str | os.PathLike[str] | None = None,
        dataset: DataSet | None = None,
    ) -> None:
        self.task = task
        self._root = root
        self._read: dict[tuple[tuple[str, str], ...], DataSet] = {}
        if dataset is not None:
            self._read[_key({})] = dataset

    def dataset(self, options: Mapping[str, Any] | None = None) -> DataSet:
        """The data set, read on first use.

        Parameters
        ----------
        options : mapping or None, optional
            Options of `network.datasets.load`, over those of the task.

        Raises
        ------
        StorageError
            Its files are missing or damaged.
        """
        options = dict(options or {})
        key = _key(options)
        if key not in self._read:
            merged = {**self.task.options, **options}
            self._read[key] = datasets.load(self.task.dataset, root=self._root, **merged)
        return self._read[key]

    def folds(
        self, seed: int, options: Mapping[str, Any] | None = None, cut: str = ""
    ) -> Iterator[Fold]:
        """Every division of the data for one seed: one, or one for each group that is left out.

        Parameters
        ----------
        seed : int
            Seed of the split.
        options : mapping or None, optional
            Options of the data set, over the task's, e.g. another front end; the split is over the
            same groups.
        cut : str, default ""
            Another way from samples to sequences than the task's.

        Raises
        ------
        InputError
            A part is empty, the groups are too few, or the training part holds one class.
        StorageError
            Files of the data are missing or damaged.
        """
        data = self.dataset(options)
        how = get_cut(cut or self.task.cut)
        for split, held_out in self._splits(data, seed):
            ranged = data.in_range_of(split.train)
            samples = {
                name: self._part(ranged, np.asarray(getattr(split, name)), name, how, seed)
                for name in ("train", "validation", "test")
            }
            present = np.unique(samples["train"].y)
            if present.size < 2:
                raise InputError(
                    f"the training part holds a single class, '{data.classes[present[0]]}'",
                    self.task.name,
                    "There is nothing to tell apart",
                )
            yield Fold(classes=tuple(data.classes), held_out=held_out, rate=data.rate, **samples)

    def _splits(self, data: DataSet, seed: int) -> Iterator[tuple[Split, str]]:
        plan = self.task.split
        if plan.by == "leave-one-out":
            each = splits.leave_one_out(data, validation=plan.validation, seed=seed)
            yield from ((split, name) for name, split in each)
            return
        split = splits.split(
            data, test=plan.test, validation=plan.validation, seed=seed, by=plan.by
        )
        held_out = {
            "fold": "the source's own test part",
            "group": "whole groups",
            "block": "one stretch of every recording",
        }
        yield split, held_out.get(plan.by, "samples drawn at random")

    def _part(self, data: DataSet, index: np.ndarray, name: str, cut: Cut, seed: int) -> Part:
        limit = self.task.limits.get(name)
        if limit is not None and limit < index.size:
            index = np.sort(np.random.default_rng([seed, 7]).permutation(index)[:limit])
        if not index.size:
            raise InputError(f"the {name} part is empty", self.task.name, "It needs more samples")
        whole = data.x[index]
        x = np.ascontiguousarray(cut(whole), dtype=np.float32)
        pieces = len(x) // index.size
        y, item = (np.repeat(np.asarray(v)[index], pieces) for v in (data.y, data.items))
        return Part(x, y, item)


def get_cut(name: str) -> Cut:
    """How a sample is cut into sequences. Raises InputError: no such way."""
    if name not in CUTS:
        raise InputError(f"there is no cut '{name}'", "cut", closest(name, CUTS))
    return CUTS[name]


def _whole(x: np.ndarray) -> np.ndarray:
    return x


def _slices(x: np.ndarray) -> np.ndarray:
    """Bodies (samples, n, rows, columns) to n slices each, all of one body in a row."""
    return x.reshape(-1, *x.shape[2:])


def _time_last(x: np.ndarray) -> np.ndarray:
    """Texts (samples, words, features) to (samples, features, words)."""
    return x.swapaxes(1, 2)


def _steps_last(x: np.ndarray) -> np.ndarray:
    """Pictures (samples, rows, columns) with the rows as steps: (samples, columns, rows)."""
    return x.swapaxes(-2, -1)


CUTS: Mapping[str, Cut] = MappingProxyType(
    {"whole": _whole, "slices": _slices, "words": _time_last, "rows": _steps_last}
)
"""Ways from samples (samples, ...) to sequences (samples times pieces, *channels, steps)."""


def _key(options: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Options as a key of the data that were read with them, for as long as this process lives."""
    return tuple(sorted((name, str(value)) for name, value in options.items()))
