"""A trained network tested again: as it is, and on devices that scatter as a table's cells do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ddkbase.errors import InputError, SolverError, StorageError
from network.layers.realisation import Ideal
from network.model import metrics

if TYPE_CHECKING:
    from compact.table.table import AlphaBetaTable
    from ddk.studies.folds import Fold
    from ddk.studies.result_folder import Trained
    from ddk.studies.task import Task
    from network.hardware.cells.kinetics_noise import TableKinetics
    from network.model.ddk_network import Network

__all__ = ["Again", "DrawnDevices", "OnDevices", "on_devices", "once_more"]


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
        self._kept: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = {}

    def kinetics(
        self,
        layer_name: str,
        alpha: np.ndarray,
        beta: np.ndarray,
        shape: tuple[int, ...],
        rng: np.random.Generator | None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """alpha and beta of the drawn devices, cycle by cycle."""
        from network.hardware.cells.kinetics_noise import positive

        wanted = np.asarray(alpha, float)[None], np.asarray(beta, float)[None]
        if layer_name not in self._kept:
            drawn = np.random.default_rng([self._seed, len(self._kept)])
            device = (1, *shape[1:-1], 1)
            nominal = self._kinetics.nominal(*wanted)
            fixed = self._kinetics.deviations(*wanted, "device", _fit(device, wanted[0]), drawn)
            self._kept[layer_name] = (*nominal, *fixed)
        a, b, da, db = self._kept[layer_name]
        cycle = (shape[0], *shape[1:-1], 1)
        generator = np.random.default_rng(self._seed) if rng is None else rng
        ca, cb = self._kinetics.deviations(*wanted, "cycle", _fit(cycle, wanted[0]), generator)
        return positive(a + da + ca), positive(b + db + cb)


def _fit(shape: tuple[int, ...], pair: np.ndarray) -> tuple[int, ...]:
    """The shape of deviations, with the steps of the pair where it has them."""
    return (*shape[:-1], pair.shape[-1])


@dataclass(frozen=True)
class Again:
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

    trained: Trained
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
            told = "the same" if self.same else f"no, it was {100 * self.before:.2f} %"
            out["as trained"] = told
        return out


def once_more(trained: Trained, root: str | None = None) -> Again:
    """Test on the held-out part again and say whether the same comes out.

    Raises
    ------
    StorageError
        The data are missing, or are others than those of the training.
    """
    from ddk.studies.folds import Material
    from ddk.studies.models import get_model

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
    return Again(trained, reached, result.accuracy if len(folds) == 1 else None, fold)


@dataclass(frozen=True)
class OnDevices:
    """A trained network on drawn devices.

    Attributes
    ----------
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


def on_devices(
    trained: Trained, fold: Fold, table: AlphaBetaTable, draws: int, seed: int
) -> OnDevices:
    """Test on drawn devices, as trained and with statistics taken anew on each, without labels.

    Parameters
    ----------
    draws : int
        How many chips are drawn.
    seed : int
        Seed of the devices and cycles.

    Raises
    ------
    InputError
        The network has no DDK layer.
    """
    from network.hardware.cells.kinetics_noise import TableKinetics
    from network.model.files import copy_network

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
    missed = max(found.distance for found in kinetics.settings())
    return OnDevices(trained.task, tuple(plain), tuple(anew), missed)


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
