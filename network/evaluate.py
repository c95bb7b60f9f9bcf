"""A trained network tested again: as it is, and on devices that scatter as a table's cells do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from devicephys.errors import InputError, StorageError
from network import metrics
from network.realisation import Ideal

if TYPE_CHECKING:
    from compact.table import AlphaBetaTable
    from network.folds import Fold
    from network.hardware.kinetics_noise import TableKinetics
    from network.model import Network
    from network.result_folder import Trained
    from network.task import Task

__all__ = ["DrawnDevices", "on_devices", "once_more"]


class DrawnDevices(Ideal):
    """Devices of a table: each channel and bank has one, drawn once; each sample is a cycle anew.

    Parameters
    ----------
    kinetics : what the table says of settings and scatter.
    seed : of the devices.
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
        from network.hardware.kinetics_noise import positive

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


def once_more(trained: Trained, root: str | None = None) -> tuple[dict[str, str], Fold]:
    """Test on the held-out part again and say whether the same comes out.

    Returns
    -------
    Lines for a table, and the data.

    Raises
    ------
    StorageError : the data are missing, or are others than those of the training.
    """
    from network.contenders import get_model
    from network.folds import Material

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
    out = {
        "task": task.title,
        "model": f"{result.model}, seed {result.seed}",
        "test part": fold.held_out,
        f"test accuracy{_votes(task)}": f"{100 * reached:.2f} %",
    }
    if len(folds) == 1:
        same = abs(reached - result.accuracy) < 1e-9
        out["as trained"] = "the same" if same else f"no, it was {100 * result.accuracy:.2f} %"
    return out, fold


def on_devices(
    trained: Trained, fold: Fold, table: AlphaBetaTable, draws: int, seed: int
) -> dict[str, str]:
    """Test on drawn devices, as trained and with statistics taken anew on each, without labels.

    Parameters
    ----------
    draws : how many chips are drawn.
    seed : of the devices and cycles.

    Raises
    ------
    InputError : the network has no DDK layer.
    """
    from network.hardware.kinetics_noise import TableKinetics
    from network.persistence import copy_network

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
    return {
        "table": f"wanted alpha and beta are missed by at most {missed:.1%}",
        "devices drawn": str(draws),
        f"on devices{_votes(trained.task)}": _spread(plain),
        "with statistics taken anew": _spread(anew),
    }


def _accuracy(
    network: Network, fold: Fold, task: Task, realise: Any = None, rng: Any = None
) -> float:
    q = network.predict_proba(fold.test.x, realise=realise, rng=rng)
    y = fold.test.y
    if task.vote and task.headline == "vote":
        q, y, _ = metrics.vote(q, y, fold.test.item)
    return metrics.accuracy(y, q.argmax(axis=1))


def _votes(task: Task) -> str:
    return f", {task.vote}s" if task.vote and task.headline == "vote" else ""


def _spread(values: list[float]) -> str:
    reached = 100 * np.array(values)
    if reached.size == 1:
        return f"{reached.item():.1f} %"
    return f"{reached.mean():.1f} ± {reached.std(ddof=1):.1f} %, worst {reached.min():.1f} %"
