"""What a network reaches on one simulated cell: accuracy, energy of the pulses, yield."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ddk.studies.folds import Fold
from ddk.studies.models import build, get_model
from ddk.studies.task import Task
from ddkbase.errors import InputError
from network.hardware.cells.kinetics_noise import TableKinetics, single_cells
from network.hardware.harden import Tuning, harden
from network.hardware.settings import Hardware
from network.layers.realisation import Ideal
from network.model.files import copy_network
from network.model.optimisers import Adam

if TYPE_CHECKING:
    import xarray as xr

    from compact.table.table import AlphaBetaTable
    from network.model.ddk_network import Network

__all__ = ["figures"]


def figures(
    task: Task,
    fold: Fold,
    table: AlphaBetaTable,
    energies: xr.DataArray,
    hardware: Hardware,
    margin: float,
    seed: int,
) -> dict[str, Any]:
    """Figures of one cell on one task: trained where it can be put, tuned on a chip of such cells.


    Parameters
    ----------
    task : Task
        What is learnt.
    fold : Fold
        One division of its data.
    table : AlphaBetaTable
        Alpha and beta of the simulated cells.
    energies : xarray.DataArray, J
        Energies of a pulse on (amplitude, width).
    hardware : Hardware
        Hardware of the classifier.
    margin : float
        A cell is good if its accuracy is at most so much below that in software.
    seed : int
        Seed of start and chip.
    """
    network = build(task, get_model("ddk"), fold.shape, len(fold.classes), seed)
    t, x, y = task.training, fold.train.x, fold.train.y
    off_chip: dict[str, Any] = {
        "epochs": t.epochs,
        "batch_size": t.batch_size,
        "optimiser": Adam(rate=t.rate, weight_decay=t.weight_decay),
        "schedule": t.schedule,
        "seed": seed,
        "table": table,
    }
    plain = harden(network, x, y, mode="software", **off_chip)
    rng = np.random.default_rng([seed, 5])
    software = plain.accuracy(fold.test.x, fold.test.y, rng)
    chip = harden(
        copy_network(network),
        x,
        y,
        mode="hybrid",
        hardware=hardware,
        chip=seed,
        reestimate=True,
        trained=True,
        tuning=Tuning(samples=4096),
        **off_chip,
    )
    alpha, beta = (float(np.mean(v)) for v in next(iter(network.kinetics().values())))
    kinetics = TableKinetics(table)
    at = kinetics.setting(alpha, beta)[0].at
    nearest = energies.sel(amplitude=at.amplitude, width=at.width, method="nearest")
    steps = int(np.prod(fold.shape))
    return {
        "software": software,
        "chip": chip.accuracy(fold.test.x, fold.test.y, rng),
        "energy": steps * float(nearest.squeeze()),
        "yielded": _yield(network, fold, table, at, software - margin, rng),
        "alpha": alpha,
        "beta": beta,
    }


def _yield(
    network: Network, fold: Fold, table: AlphaBetaTable, at: Any, least: float, rng: Any
) -> float:
    """Share of single cells on which the network, with statistics of its own, is good enough."""
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
                here = cell.lookup(**setting)
            except InputError:
                continue  # no valid train: a cell that failed
            own = copy_network(network)
            realise = _OneCell(float(here.alpha), float(here.beta))
            own.reestimate(fold.train.x[:4096], realise=realise, rng=rng)
            right = np.mean(own.predict(fold.test.x, realise=realise, rng=rng) == fold.test.y)
            good += bool(right >= least)
    return good / number if number else float("nan")


class _OneCell(Ideal):
    """Every DDK cell is this one."""

    def __init__(self, alpha: float, beta: float) -> None:
        self.pair = alpha, beta

    def kinetics(
        self,
        layer_name: str,
        alpha: np.ndarray,
        beta: np.ndarray,
        shape: tuple[int, ...],
        rng: np.random.Generator | None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Its pair."""
        return np.full_like(alpha, self.pair[0]), np.full_like(beta, self.pair[1])
