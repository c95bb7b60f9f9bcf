"""The trainings of a laboratory study: data, single runs, and their spread over processes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ddk.studies.folds import Material
from ddk.studies.runs import on_processes
from ddk.studies.tasks import Task
from ddkbase.errors import InputError
from network.hardware.cells.programming import Programming
from network.hardware.cells.synaptic_cells import SynapticCells
from network.hardware.on_chip import OnChipResult, OnChipTraining, train_on_chip, write_trained

NUMBERS, WRITTEN, IDEAL, PULSES = "numbers", "written", "ideal", "pulses"
_FIELD = (28, 28)  # of which the field's benchmark cuts a border
_BORDER = 4  # pixels on each side
_DARK = 0.5  # threshold of black and white
CHANCES = 1000
"""Pulses after which write-and-verify gives a cell up."""


@dataclass(frozen=True)
class LabData:
    """What a perceptron of the study is shown.

    Attributes
    ----------
    task : Task
        The pictures and their division into a training and a test part.
    root : str or None, optional
        Folder of the data.
    inputs : {"binary", "grey"} or None, optional
        Black and white, parted at a half, or as they are; None: binary where pictures have 28 x 28
        pixels, as in the field's benchmark, else grey.
    whole : bool, default False
        Leave pictures of 28 x 28 pixels whole; otherwise 4 pixels are cut off on each side, which
        leaves 400.
    """

    task: Task
    root: str | None = None
    inputs: str | None = None
    whole: bool = False

    def __post_init__(self) -> None:
        if self.inputs not in (None, "binary", "grey"):
            raise InputError(f"'{self.inputs}'", "inputs", "Use 'binary' or 'grey'")


@dataclass(frozen=True)
class Pictures:
    """Pictures as rows of pixels.

    Attributes
    ----------
    x, test_x : ndarray of float32, shape (samples, pixels)
        Training part, the validation samples of the task among them, and test part.
    y, test_y : ndarray, shape (samples,)
        Their classes.
    classes : tuple of str
        Names of the classes.
    text : str
        What they are, in words.
    """

    x: np.ndarray
    y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray
    classes: tuple[str, ...]
    text: str

    @classmethod
    def of(cls, data: LabData, material: Material, seed: int) -> Pictures:
        """Pictures of ``data``, read by ``material``, divided by ``seed``.

        Raises InputError: the samples are no pictures, or have no border to leave.
        """
        fold = next(iter(material.folds(seed)))
        if len(fold.shape) != 2:
            raise InputError(
                f"samples of {' x '.join(map(str, fold.shape))} are no pictures",
                data.task.name,
                "Use 'digits', 'mnist', 'fashion', or a folder of pictures",
            )
        if data.whole and fold.shape != _FIELD:
            raise InputError("only pictures of 28 x 28 pixels are cut", "whole", "Leave it out")
        crop = fold.shape == _FIELD and not data.whole
        how = data.inputs or ("binary" if fold.shape == _FIELD else "grey")

        def rows(x: np.ndarray) -> np.ndarray:
            x = x[:, _BORDER:-_BORDER, _BORDER:-_BORDER] if crop else x
            x = x.reshape(len(x), -1)
            return np.asarray(x > _DARK if how == "binary" else x, np.float32)

        learnt = np.concatenate([fold.train.x, fold.validation.x])
        y = np.concatenate([fold.train.y, fold.validation.y])
        size = [n - 2 * _BORDER * crop for n in fold.shape]
        colour = "black and white" if how == "binary" else "grey"
        text = (
            f"{size[0]} x {size[1]} pixels, {colour}; {len(y)} to learn, {len(fold.test)} to test"
        )
        return cls(rows(learnt), y, rows(fold.test.x), fold.test.y, fold.classes, text)


@dataclass(frozen=True)
class LabRun:
    """One training, or two that belong together.

    Attributes
    ----------
    way : {"numbers", "ideal", "pulses"}
        What holds the weights: numbers, which are then written to cells; ideal cells; the cells.
    seed : int
        Seed of division, start, order and scatter.
    course : ndarray, shape (epochs,)
        Accuracies on the test part.
    pulses : int
        Number of pulses of the training.
    cells : int
        Number of cells.
    energy : float, J
        Energy of these pulses; NaN if not known.
    share : float
        Mean place of the cells in the window.
    seconds : float, s
        Duration.
    written : float
        Accuracy of the numbers written to cells; NaN of other ways.
    failed : float
        Share of cells that could not be written; NaN of other ways.
    writing_pulses, writing_energy : float, 1 and J
        Mean pulses of a cell that is written, and energy of all; NaN of other ways or if not known.
    """

    way: str
    seed: int
    course: np.ndarray
    pulses: int
    cells: int
    energy: float
    share: float
    seconds: float
    written: float = float("nan")
    failed: float = float("nan")
    writing_pulses: float = float("nan")
    writing_energy: float = float("nan")


def run_all(
    cells: SynapticCells,
    data: LabData,
    seeds: Sequence[int],
    training: OnChipTraining,
    *,
    tolerance: float = 0.01,
    processes: int = 1,
    progress: Callable[[str], None] | None = None,
) -> list[LabRun]:
    """Run all trainings of all seeds: for each seed numbers, ideal cells and the cells.

    ``tolerance`` is that of write-and-verify, a share of the window. Raises InputError: what
    `Pictures.of` and `network.hardware.train_on_chip` refuse.
    """
    job = _Job(cells, data, training, tolerance)
    asked = [(way, int(seed)) for seed in seeds for way in (NUMBERS, IDEAL, PULSES)]
    say = progress or (lambda _: None)
    finished: dict[tuple[str, int], LabRun] = {}
    source = _spread(job, asked, processes) if processes > 1 else _in_turn(job, asked)
    for run in source:
        finished[run.way, run.seed] = run
        say(f"[{len(finished)}/{len(asked)}] {_line(run)}")
    return [finished[key] for key in asked]


def _line(run: LabRun) -> str:
    titles = {NUMBERS: "numbers", IDEAL: "ideal cells", PULSES: "the cells, bare pulses"}
    text = f"{titles[run.way]}, seed {run.seed}: {100 * run.course[-1]:.2f} %"
    if np.isfinite(run.written):
        text += f", written and verified {100 * run.written:.2f} %"
    return f"{text}, {run.seconds:.1f} s"


@dataclass(frozen=True)
class _Job:
    """What all runs have in common."""

    cells: SynapticCells
    data: LabData
    training: OnChipTraining
    tolerance: float

    def run(self, way: str, seed: int, material: Material) -> LabRun:
        began = time.monotonic()
        pictures = Pictures.of(self.data, material, seed)
        test = (pictures.test_x, pictures.test_y)
        cells = {NUMBERS: None, IDEAL: self.cells.ideal, PULSES: self.cells}[way]
        result = train_on_chip(
            cells, pictures.x, pictures.y, test=test, classes=len(pictures.classes), seed=seed,
            training=self.training,
        )  # fmt: skip
        more = self._written(result, test, seed) if way == NUMBERS else {}
        places = [q.ravel() for q in result.states]
        return LabRun(
            way,
            seed,
            result.accuracy,
            result.up_pulses + result.down_pulses,
            result.cells,
            result.energy,
            float(np.concatenate(places).mean()) if places else float("nan"),
            time.monotonic() - began,
            **more,
        )

    def _written(self, result: OnChipResult, test: Any, seed: int) -> dict[str, float]:
        accuracy, layers = write_trained(
            self.cells, result.weights, test=test, seed=seed, tolerance=self.tolerance,
            max_pulses=CHANCES,
        )  # fmt: skip
        done = np.concatenate([q.written.ravel() for q in layers])
        pulses = _all(layers, "pulses")[done]
        return {
            "written": accuracy,
            "failed": float(1 - done.mean()),
            "writing_pulses": float(pulses.mean()) if pulses.size else float("nan"),
            "writing_energy": float(_all(layers, "energy").sum()),
        }


def _all(layers: list[Programming], name: str) -> np.ndarray:
    return np.concatenate([np.ravel(q.dataset[name].values) for q in layers])


def _in_turn(job: _Job, asked: list[tuple[str, int]]) -> Iterator[LabRun]:
    material = Material(job.data.task, job.data.root)
    for way, seed in asked:
        yield job.run(way, seed, material)


class _Worker:
    """What one worker process keeps between its runs."""

    job: _Job | None = None
    material: Material | None = None


def _spread(job: _Job, asked: list[tuple[str, int]], processes: int) -> Iterator[LabRun]:
    # those that take longest first, so that no process waits at the end
    jobs = sorted(asked, key=lambda a: a[0] == NUMBERS)
    count = min(processes, len(asked))
    for _, run in on_processes(_work, jobs, count, _start, (job,), ["lab"] * len(jobs)):
        yield run


def _start(job: _Job) -> None:
    _Worker.job, _Worker.material = job, Material(job.data.task, job.data.root)


def _work(way: str, seed: int) -> LabRun:
    assert _Worker.job is not None and _Worker.material is not None
    return _Worker.job.run(way, seed, _Worker.material)
