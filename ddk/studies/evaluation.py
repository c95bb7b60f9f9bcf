"""A trained network tested again: as it is, and on cells of a table.

Cells scatter as those of a table do (`DrawnDevices`), or all are the same one
(`share_of_good_cells`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from compact.table.table import AlphaBetaTable
from ddk.studies.folds import Fold, Material
from ddk.studies.models import get_model
from ddk.studies.result import Result, StoredRun
from ddk.studies.tasks import Task
from ddkbase.errors import InputError, SolverError, StorageError
from network.hardware.cells.kinetics_noise import TableKinetics, positive, single_cells
from network.layers.base import RNG, Ideal
from network.model import metrics
from network.model.files import copy_network
from network.model.network import Network


class DrawnDevices(Ideal):
    """Devices of a table: each channel and bank has one, drawn once; each sample is a cycle anew.

    Parameters
    ----------
    kinetics : TableKinetics
        What the table says of settings and scatter.
    seed : int
        Seed of the devices.
    """

    def __init__(self, kinetics: TableKinetics, seed: int) -> None:
        self._kinetics, self._seed = kinetics, seed
        self._drawn: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = {}

    def kinetics(
        self, layer_name: str, alpha: np.ndarray, beta: np.ndarray, shape: tuple[int, ...], rng: RNG
    ) -> tuple[np.ndarray, np.ndarray]:
        """alpha and beta of the drawn devices, cycle by cycle.

        Parameters
        ----------
        layer_name : str
            Name of the layer; its devices are drawn once and kept under it.
        alpha, beta : ndarray
            The wanted alpha and beta, which broadcast to ``shape``.
        shape : tuple of int
            Shape of all states, (batch, banks, ..., steps).
        rng : numpy.random.Generator or None
            Draws the cycles; None draws them from the seed of the devices.

        Returns
        -------
        alpha, beta : ndarray
            What the devices have in each cycle, which broadcasts to ``shape``.
        """
        pair = np.asarray(alpha, float)[None], np.asarray(beta, float)[None]
        if layer_name not in self._drawn:
            drawn = np.random.default_rng([self._seed, len(self._drawn)])
            device = (1, *shape[1:-1], 1)
            nominal = self._kinetics.nominal(*pair)
            fixed = self._kinetics.deviations(*pair, "device", _fit(device, pair[0]), drawn)
            self._drawn[layer_name] = (*nominal, *fixed)
        a, b, da, db = self._drawn[layer_name]
        cycle = (shape[0], *shape[1:-1], 1)
        generator = np.random.default_rng(self._seed) if rng is None else rng
        ca, cb = self._kinetics.deviations(*pair, "cycle", _fit(cycle, pair[0]), generator)
        return positive(a + da + ca), positive(b + db + cb)


def _fit(shape: tuple[int, ...], pair: np.ndarray) -> tuple[int, ...]:
    """The shape of deviations, with the steps of the pair where it has them."""
    return (*shape[:-1], pair.shape[-1])


@dataclass(frozen=True)
class Evaluation:
    """A trained network tested once more.

    Attributes
    ----------
    accuracy : float
        The accuracy now, a share of 1.
    before : float or None
        The accuracy after the training, where the test part is one part; None of several folds.
    fold : Fold
        The data.
    """

    trained: StoredRun
    accuracy: float
    before: float | None
    fold: Fold

    @property
    def same(self) -> bool | None:
        """Whether the same comes out; None of several folds."""
        return None if self.before is None else abs(self.accuracy - self.before) < 1e-9

    def texts(self) -> dict[str, str]:
        """Lines for a table."""
        result, task = self.trained.result, self.trained.task
        out = {
            "task": task.title,
            "model": f"{result.model}, seed {result.seed}",
            "test part": self.fold.held_out,
            f"test accuracy{_votes(task)}": f"{100 * self.accuracy:.2f} %",
        }
        if self.before is not None:
            before = f"no, it was {100 * self.before:.2f} %"
            out["as trained"] = "the same" if self.same else before
        return out


def evaluate(trained: StoredRun, root: str | None = None) -> Evaluation:
    """Test on the held-out part again and say whether the same comes out.

    Parameters
    ----------
    trained : StoredRun
        The run, as `ddk.studies.result.read_run` gives it.
    root : str or None, optional
        Folder of the data; None takes that of DDK_DATA.

    Returns
    -------
    Evaluation
        The accuracy now and after the training, and the data of the last fold.

    Raises
    ------
    StorageError
        The data are missing, or are others than those of the training.
    """
    result, task = trained.result, trained.task
    model = get_model(result.model)
    folds = list(Material(task, root).folds(result.seed, model.data, model.cut))
    fold = folds[-1]
    if fold.classes != result.classes or fold.shape != trained.network.input_shape:
        raise StorageError(
            f"the data have {len(fold.classes)} classes and samples of shape {fold.shape}",
            task.name,
            "They are not those that the network was trained on",
        )
    reached = _accuracy(trained.network, fold, task)
    return Evaluation(trained, reached, result.accuracy if len(folds) == 1 else None, fold)


@dataclass(frozen=True)
class DeviceEvaluation:
    """A trained network on drawn devices.

    Attributes
    ----------
    task : Task
        The task that the network was trained on.
    plain : tuple of float
        Accuracy on each chip, as trained, shares of 1.
    anew : tuple of float
        The same with the statistics of the features taken anew on each chip.
    missed : float
        By how much wanted alpha and beta are missed at most, relative.
    """

    task: Task
    plain: tuple[float, ...]
    anew: tuple[float, ...]
    missed: float

    def texts(self) -> dict[str, str]:
        """Lines for a table."""
        return {
            "table": f"wanted alpha and beta are missed by at most {self.missed:.1%}",
            "devices drawn": str(len(self.plain)),
            f"on devices{_votes(self.task)}": _spread(self.plain),
            "with statistics taken anew": _spread(self.anew),
        }


def evaluate_on_devices(
    trained: StoredRun, fold: Fold, table: AlphaBetaTable, draws: int, seed: int
) -> DeviceEvaluation:
    """Test on drawn devices, as trained and with statistics taken anew on each, without labels.

    Parameters
    ----------
    trained : StoredRun
        The run, as `ddk.studies.result.read_run` gives it.
    fold : Fold
        The data: statistics are taken from the training part, the test part is scored.
    table : AlphaBetaTable
        Table of the devices, with their scatter.
    draws : int
        How many chips are drawn.
    seed : int
        Seed of the devices and cycles.

    Returns
    -------
    DeviceEvaluation
        The accuracies on every chip, and what the table misses by.

    Raises
    ------
    InputError
        The network has no DDK layer.
    """
    if not trained.network.kinetics():
        raise InputError("the network has no DDK layer", "--table", "Leave it out")
    kinetics = TableKinetics(table)
    plain, anew = [], []
    for draw in range(draws):
        devices = DrawnDevices(kinetics, seed + draw)
        rng = np.random.default_rng([seed + draw, 1])
        plain.append(_accuracy(trained.network, fold, trained.task, devices, rng))
        network = copy_network(trained.network)
        network.reestimate(fold.train.x, realise=devices, rng=rng)
        anew.append(_accuracy(network, fold, trained.task, devices, rng))
    missed = max(inversion.distance for inversion in kinetics.settings())
    return DeviceEvaluation(trained.task, tuple(plain), tuple(anew), missed)


def _accuracy(
    network: Network, fold: Fold, task: Task, realise: Any = None, rng: Any = None
) -> float:
    with np.errstate(over="ignore", invalid="ignore"):  # found by what it leads to
        q = network.predict_proba(fold.test.x, realise=realise, rng=rng)
    if not np.isfinite(q).all():
        raise SolverError(
            "the network answers with numbers that are not finite",
            task.name,
            "Its weights are damaged; train it again",
        )
    y = fold.test.y
    if task.vote and task.headline == "vote":
        q, y, _ = metrics.vote(q, y, fold.test.item)
    return metrics.accuracy(y, q.argmax(axis=1))


def _votes(task: Task) -> str:
    return f", {task.vote}s" if task.vote and task.headline == "vote" else ""


def _spread(values: Sequence[float]) -> str:
    reached = 100 * np.array(values)
    if reached.size == 1:
        return f"{reached.item():.1f} %"
    return f"{reached.mean():.1f} ± {reached.std(ddof=1):.1f} %, worst {reached.min():.1f} %"


def pulse_settings(table: AlphaBetaTable, result: Result) -> dict[str, str]:
    """The pulse settings that realise the alpha and beta of a network, as texts.

    One line for one pair; the range of settings, and of what they miss by, for several.

    Parameters
    ----------
    table : AlphaBetaTable
        Table of alpha and beta over the pulse settings of a device.
    result : Result
        Result of a training; one without a network has no settings.

    Returns
    -------
    dict of str to str
        A text for each DDK layer, under a heading that names the layer.
    """
    if result.network is None:
        return {}
    out: dict[str, str] = {}
    for name, (alpha, beta) in result.network.kinetics().items():
        pairs = np.unique(np.stack([np.ravel(alpha), np.ravel(beta)], axis=1), axis=0)
        inverted = [table.invert(alpha=float(a), beta=float(b)) for a, b in pairs]
        if len(inverted) == 1:
            out[f"pulses of layer {name}"] = str(inverted[0])
            continue
        amplitude = [f.at.amplitude for f in inverted]
        width = [f.at.width for f in inverted]
        worst = max(f.distance for f in inverted)
        out[f"pulses of layer {name}"] = (
            f"{len(inverted)} settings, {min(amplitude):.4g} to {max(amplitude):.4g} V, "
            f"{1e9 * min(width):.4g} to {1e9 * max(width):.4g} ns; misses by at most {worst:.1%}"
        )
    return out


def share_of_good_cells(
    network: Network,
    fold: Fold,
    table: AlphaBetaTable,
    at: Any,
    least: float,
    rng: np.random.Generator,
) -> float:
    """Share of a table's single cells on which a network, with statistics of its own, is good.

    That is an accuracy of at least ``least`` under pulses of the setting ``at``. The network is not
    changed; NaN of a table without cells.
    """
    units = {"amplitude": "V", "width": "s", "initial_resistance": "ohm"}
    setting = {
        name: f"{getattr(at, name)!r} {unit}"
        for name, unit in units.items()
        if np.isfinite(getattr(at, name))
    }
    good = number = 0
    for cycles in single_cells(table):
        for cell in cycles:
            number += 1
            try:
                pair = cell.lookup(**setting)
            except InputError:
                continue  # no valid train: a cell that failed
            own = copy_network(network)
            realise = _OneCell(float(pair.alpha), float(pair.beta))
            own.reestimate(fold.train.x[:4096], realise=realise, rng=rng)
            right = np.mean(own.predict(fold.test.x, realise=realise, rng=rng) == fold.test.y)
            good += bool(right >= least)
    return good / number if number else float("nan")


class _OneCell(Ideal):
    """Every DDK cell is this one."""

    def __init__(self, alpha: float, beta: float) -> None:
        self.pair = alpha, beta

    def kinetics(
        self, layer_name: str, alpha: np.ndarray, beta: np.ndarray, shape: tuple[int, ...], rng: RNG
    ) -> tuple[np.ndarray, np.ndarray]:
        """Its pair."""
        return np.full_like(alpha, self.pair[0]), np.full_like(beta, self.pair[1])
