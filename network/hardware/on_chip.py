"""A perceptron that learns on the chip, each update by equal pulses that nobody verifies.

The network has one hidden layer and no biases, sigmoids behind both layers, weights from -1 to 1
and is trained by plain gradient descent, as the field's benchmark of synaptic devices has it. An
update becomes a whole number of SET or RESET pulses, as if all steps were alike; the cells move
by the laws of their branches. Beside it: the same training with numbers that follow exactly, and
trained weights that are written and verified.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ddkbase.errors import InputError, shorten
from network.hardware.cells.programming import Programming, write_and_verify
from network.hardware.cells.synaptic_cells import SynapticCells

__all__ = ["OnChipResult", "OnChipTraining", "train_on_chip", "write_trained"]

SCHEMES, ROUNDINGS = ("reference", "pairs"), ("stochastic", "nearest")


@dataclass(frozen=True)
class OnChipTraining:
    """How a perceptron is trained.

    Attributes
    ----------
    hidden : int, default 100
        Width of the hidden layer.
    epochs : int, default 20
        Passes over the training part.
    samples : int or None, optional
        Samples of a pass, drawn anew for each; None takes all.
    batch : int, default 10
        Samples whose gradients are added up before the cells are pulsed.
    rate : float, default 0.05
        Factor of the added gradients; it falls to 0 in a straight line, epoch by epoch.
    scheme : {"reference", "pairs"}, default "reference"
        "reference": one cell a weight, w = 2 g - 1, less a reference that is exact. "pairs": two
        cells, w = g+ - g-; an update pulses both, in opposite senses.
    rounding : {"stochastic", "nearest"}, default "stochastic"
        How an update becomes a whole number of pulses: with the probability of its fraction, or the
        nearest, so that updates below half a pulse are lost.
    """

    hidden: int = 100
    epochs: int = 20
    samples: int | None = None
    batch: int = 10
    rate: float = 0.05
    scheme: str = "reference"
    rounding: str = "stochastic"

    def __post_init__(self) -> None:
        counts = {"hidden": self.hidden, "epochs": self.epochs, "batch": self.batch}
        counts |= {} if self.samples is None else {"samples": self.samples}
        for name, value in counts.items():
            if isinstance(value, bool) or int(value) != value or value < 1:
                raise InputError(f"{shorten(value)} is no whole number from 1", name)
        if not (np.isfinite(self.rate) and self.rate > 0):
            raise InputError(f"{self.rate!r} is no positive number", "rate")
        for name, word, known in (
            ("scheme", self.scheme, SCHEMES),
            ("rounding", self.rounding, ROUNDINGS),
        ):
            if word not in known:
                raise InputError(f"unknown {name} {shorten(word)}", name, " or ".join(known))


@dataclass(frozen=True)
class OnChipResult:
    """What a training left.

    Attributes
    ----------
    weights : tuple of ndarray
        Matrices (inputs, outputs) of both layers.
    states : tuple of ndarray, shape (cells per weight, inputs, outputs)
        Places of the cells in their window; empty of a training without cells.
    accuracy : ndarray, shape (epochs,)
        On the test part after each epoch; the last one counts.
    up_pulses, down_pulses : int
        Numbers of pulses that all cells got.
    energy : float, J
        Energy of these pulses in the cells; NaN if not known, 0 without cells.
    """

    weights: tuple[np.ndarray, ...]
    states: tuple[np.ndarray, ...]
    accuracy: np.ndarray
    up_pulses: int = 0
    down_pulses: int = 0
    energy: float = 0.0

    @property
    def cells(self) -> int:
        """Number of cells."""
        return sum(state.size for state in self.states)


def train_on_chip(
    cells: SynapticCells | None,
    x: np.ndarray,
    y: np.ndarray,
    *,
    test: tuple[np.ndarray, np.ndarray],
    classes: int,
    seed: int,
    training: OnChipTraining | None = None,
    progress: Callable[[int, float], Any] | None = None,
) -> OnChipResult:
    """Train a perceptron.

    Parameters
    ----------
    cells : SynapticCells or None
        What holds the weights; None: numbers, which follow every update exactly and stay between
        -1 and 1.
    x : ndarray, shape (samples, inputs)
        Samples, from 0 to 1.
    y : ndarray, shape (samples,)
        Their classes, from 0.
    test : tuple of ndarray
        Samples and classes of the test part.
    classes : int
        Number of classes.
    seed : int
        Seed of the start, the order of samples, and of what pulses and rounding draw.
    training : OnChipTraining or None, optional
        How it is trained.
    progress : callable or None, optional
        Called with the epoch, from 1, and the accuracy on the test part.

    Returns
    -------
    OnChipResult
        Weights, cells, accuracies, pulses and energy.

    Raises
    ------
    InputError
        Samples and classes that do not fit.
    """
    how = training or OnChipTraining()
    x, y = _checked(x, y, classes, "training")
    test_x, test_y = _checked(*test, classes, "test")
    if test_x.shape[1] != x.shape[1]:
        raise InputError(f"{test_x.shape[1]} inputs for {x.shape[1]}", "test")
    # three streams: the order of samples is the same whatever the cells draw
    start, order, draws = (np.random.default_rng([seed, k]) for k in range(3))
    layers = [_Layer(shape, cells, how, start, draws) for shape in
              ((x.shape[1], how.hidden), (how.hidden, classes))]  # fmt: skip
    targets = np.eye(classes, dtype=np.float32)[y]
    course = np.empty(how.epochs)
    for epoch in range(how.epochs):
        rate = how.rate * (1 - epoch / how.epochs)
        chosen = order.permutation(len(x))[: how.samples]
        for first in range(0, len(chosen), how.batch):
            batch = chosen[first : first + how.batch]
            _step(layers, x[batch], targets[batch], rate)
        course[epoch] = float(np.mean(_predicted([q.weight for q in layers], test_x) == test_y))
        if progress is not None:
            progress(epoch + 1, float(course[epoch]))
    return OnChipResult(
        tuple(q.weight for q in layers),
        tuple(q.state for q in layers) if cells is not None else (),
        course,
        sum(q.pulses[0] for q in layers),
        sum(q.pulses[1] for q in layers),
        sum(q.energy for q in layers),
    )


@dataclass
class _Layer:
    """A matrix of weights and the cells that hold it."""

    shape: tuple[int, int]
    cells: SynapticCells | None
    how: OnChipTraining
    start: np.random.Generator
    draws: np.random.Generator
    pulses: list[int] = field(default_factory=lambda: [0, 0])
    energy: float = 0.0

    def __post_init__(self) -> None:
        largest = 1 / np.sqrt(self.shape[0])
        self.weight = self.start.uniform(-largest, largest, self.shape).astype(np.float32)
        ends = (1 + self.weight) / 2
        # of a pair both begin around the middle, so that each has room both ways
        self.state = np.stack([ends, 1 - ends] if self.how.scheme == "pairs" else [ends])

    def add(self, rows: np.ndarray, change: np.ndarray) -> None:
        """Add a change (rows, outputs) to the rows of these numbers."""
        if self.cells is None:
            self.weight[rows] = np.clip(self.weight[rows] + change, -1, 1)
            return
        number = self.cells.pulses_for(change / 2)
        if self.how.rounding == "nearest":
            number = np.rint(number)
        else:
            number = np.floor(number + self.draws.random(number.shape, dtype=np.float32))
        flat = np.flatnonzero(number)  # on one axis: several times as fast as on two
        if not flat.size:
            return
        width = self.shape[1]
        row, column = np.divmod(flat, width)
        place, number = rows[row] * width + column, number.ravel()[flat]
        states = self.state.reshape(len(self.state), -1)
        for cell, sense in zip(states, (1, -1), strict=False):
            before = cell[place]
            after = self.cells.moved(before, sense * number, self.draws)
            cell[place] = after
            self._count(before, after, sense * number)
        both = states[:, place]
        weight = both[0] - both[1] if len(both) == 2 else 2 * both[0] - 1
        self.weight.reshape(-1)[place] = weight

    def _count(self, before: np.ndarray, after: np.ndarray, number: np.ndarray) -> None:
        assert self.cells is not None
        self.pulses[0] += int(number[number > 0].sum())
        self.pulses[1] += int(-number[number < 0].sum())
        if np.isfinite(self.energy):
            self.energy += self.cells.energy(before, after, number)


def _step(layers: list[_Layer], x: np.ndarray, target: np.ndarray, rate: float) -> None:
    """One update: the errors are those of cross-entropy behind sigmoids."""
    first, second = layers
    hidden = _sigmoid(x @ first.weight)
    error = target - _sigmoid(hidden @ second.weight)
    back = (error @ second.weight.T) * hidden * (1 - hidden)
    rows = np.flatnonzero(x.any(axis=0))  # dark pixels change nothing
    first.add(rows, rate * (x[:, rows].T @ back))
    second.add(np.arange(len(second.weight)), rate * (hidden.T @ error))


def _sigmoid(z: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-np.clip(z, -60, 60))))


def _predicted(weights: list[np.ndarray], x: np.ndarray) -> np.ndarray:
    """Classes of samples."""
    return np.argmax(_sigmoid(x @ weights[0]) @ weights[1], axis=1)


def _checked(
    x: np.ndarray, y: np.ndarray, classes: int, where: str
) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.asarray(x, np.float32), np.asarray(y)
    if x.ndim != 2 or y.shape != x.shape[:1] or not x.size or not np.isfinite(x).all():
        raise InputError(f"samples {x.shape} and classes {y.shape}", where, "One class a sample")
    if y.min() < 0 or y.max() >= classes:
        raise InputError(f"classes from {y.min()} to {y.max()}", where, f"0 to {classes - 1}")
    return x, y


def write_trained(
    cells: SynapticCells,
    weights: tuple[np.ndarray, ...],
    *,
    test: tuple[np.ndarray, np.ndarray],
    seed: int,
    tolerance: float = 0.01,
    max_pulses: int = 1000,
) -> tuple[float, list[Programming]]:
    """Write trained weights, one cell each, pulse by pulse until a read finds them right.

    Parameters
    ----------
    cells : SynapticCells
        What holds the weights.
    weights : tuple of ndarray
        Matrices of `train_on_chip`, from -1 to 1.
    test : tuple of ndarray
        Samples and classes of the test part.
    seed : int
        Seed of the scatter of steps.
    tolerance : float, default 0.01
        Largest error of a cell that is done, as a share of the window.
    max_pulses : int, default 1000
        Pulses after which a cell is given up.

    Returns
    -------
    accuracy : float
        On the test part, of the weights as the cells hold them.
    programming : list of Programming
        How both layers were written; cells begin at the low end.

    Raises
    ------
    InputError
        A tolerance that is none; what `write_and_verify` refuses.
    """
    if not 0 < tolerance < 1:
        raise InputError(f"{tolerance:g} is no share of the window", "tolerance", "Above 0")
    window, rng = cells.window, np.random.default_rng([seed, 3])
    limit = f"{tolerance * window.span!r} S"
    written, held = [], []
    for weight in weights:
        target = window.low + window.span * (1 + np.asarray(weight, float)) / 2
        done = write_and_verify(
            cells, np.clip(target, window.low, window.high), rng=rng, tolerance=limit,
            max_pulses=max_pulses, traced=0,
        )  # fmt: skip
        written.append(done)
        held.append((2 * (done.conductance - window.low) / window.span - 1).astype(np.float32))
    x, y = np.asarray(test[0], np.float32), np.asarray(test[1])
    return float(np.mean(_predicted(held, x) == y)), written
