"""A run whose network is trained for imprecise hardware, and kept: `network.hardware.harden` on a
task.

>>> result, words = run_in_mode(task, "ddk", seed=0, mode="hybrid")
>>> result.network.save("model.npz")
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ddkbase.errors import InputError, closest, shorten

if TYPE_CHECKING:
    from compact.table.table import AlphaBetaTable
    from ddk.studies.folds import Fold
    from ddk.studies.models import Model
    from ddk.studies.result import Result, Trained
    from ddk.studies.task import Task
    from network.hardware.settings import Hardware

__all__ = ["check_mode", "hardware_of", "run_in_mode"]

Progress = Callable[[str], None]


def check_mode(mode: str, model: str) -> None:
    """Refuse a mode or a model that this cannot train, before any data are read.

    Raises
    ------
    InputError
        No such mode, or a model that is not trained in NumPy.
    """
    from ddk.studies.models import get_model
    from network.hardware.harden import MODES

    if mode not in MODES:
        raise InputError(f"unknown mode {shorten(mode)}", "--mode", closest(str(mode), MODES))
    if not get_model(model).trains_here:
        raise InputError(
            f"model '{model}' is not trained here", "--mode", "Take ddk, or a control such as raw"
        )


def hardware_of(chip: str | None, table: AlphaBetaTable | None) -> Hardware:
    """What the chip is like: of a preset or a file, else the article's; with a table, alpha and
    beta scatter as its cells do.

    Raises
    ------
    InputError
        As `network.hardware.chip.chip.load_chip`.
    StorageError
        As `network.hardware.chip.chip.load_chip`.
    """
    from network.hardware.chip.chip import load_chip
    from network.hardware.settings import article

    found = article() if chip is None else load_chip(chip).hardware()
    return found if table is None else dataclasses.replace(found, kinetics=None)


def run_in_mode(
    task: Task,
    model: str,
    seed: int,
    mode: str,
    *,
    hardware: Hardware | None = None,
    table: AlphaBetaTable | None = None,
    root: str | None = None,
    options: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> tuple[Result, dict[str, str]]:
    """Train a network in one of the modes of `network.hardware.harden`, test it, and keep it.

    Parameters
    ----------
    task : Task
        As in `ddk.studies.experiment.run`; the seed draws.
    model : str
        As in `ddk.studies.experiment.run`; the seed draws.
    seed : int
        As in `ddk.studies.experiment.run`; the seed draws.
    root : str or None, optional
        As in `ddk.studies.experiment.run`; the seed draws.
    options : mapping or None, optional
        As in `ddk.studies.experiment.run`; the seed draws.
    progress : callable or None, optional
        As in `ddk.studies.experiment.run`; the seed draws the chip
        as well.
    mode : str
        One of `network.hardware.harden.MODES`.
    hardware : Hardware or None, optional
        What the chip is like; default: the article's.
    table : AlphaBetaTable or None, optional
        An `AlphaBetaTable` to whose pulses alpha and beta are confined.

    Returns
    -------
    result : Result
        The result, whose accuracies are those of the weights that are wanted, in floating point, as
        `ddk-network evaluate` finds them again.
    lines : dict of str to str
        Lines that say what the chip makes of them.

    Raises
    ------
    InputError
        As `ddk.studies.experiment.run` and `network.hardware.harden.harden`.
    StorageError
        As `ddk.studies.experiment.run` and `network.hardware.harden.harden`.
    SolverError
        As `ddk.studies.experiment.run` and `network.hardware.harden.harden`.
    """
    from ddk.studies.experiment import run

    check_mode(mode, model)
    h = hardware_of(None, table) if hardware is None else hardware
    on_chip: list[tuple[float, float]] = []

    def trained(task: Task, model: Model, fold: Fold, seed: int, progress: Any) -> Trained:
        made, reached = _train(task, model, fold, seed, mode, h, table, progress)
        on_chip.append(reached)
        return made

    result = run(task, model, seed, root=root, options=options, progress=progress, trainer=trained)
    words = {"trained for hardware": mode}
    told: dict[str, Any] = {"mode": mode, "hardware": repr(h)}
    if mode != "software":
        plain, anew = np.mean(on_chip, axis=0)
        told |= {"chip": seed, "accuracy_on_chip": plain, "accuracy_statistics_anew": anew}
        words[f"on chip {seed}, single decisions"] = f"{100 * plain:.2f} %"
        words["with statistics taken anew"] = f"{100 * anew:.2f} %"
    return dataclasses.replace(result, settings={**result.settings, "trained_for": told}), words


def _train(
    task: Task,
    model: Model,
    fold: Fold,
    seed: int,
    mode: str,
    hardware: Hardware,
    table: AlphaBetaTable | None,
    progress: Progress | None,
) -> tuple[Trained, tuple[float, float]]:
    """The trained network of a fold; its accuracy on the chip, and with statistics of the chip."""
    from ddk.studies.models import build
    from ddk.studies.result import Trained
    from network.hardware.harden import harden
    from network.model.files import copy_network
    from network.model.optimisers import Adam

    network = build(task, model, fold.shape, len(fold.classes), seed)
    told = task.training

    def tell(what: str, event: Any) -> None:
        if progress is not None and event.epoch == event.epochs:
            progress(f"{what}: {event.epochs} epochs, loss {event.figures['loss']:.4g}")

    outcome = harden(
        network,
        fold.train.x,
        fold.train.y,
        mode=mode,
        hardware=hardware,
        chip=seed,
        table=table if network.kinetics() else None,
        epochs=told.epochs,
        batch_size=told.batch_size,
        optimiser=Adam(rate=told.rate, weight_decay=told.weight_decay),
        schedule=told.schedule,
        seed=seed,
        progress=tell,
    )
    x, y = fold.test.x, fold.test.y
    plain = outcome.accuracy(x, y, np.random.default_rng([seed, 5]))
    anew = plain
    if outcome.realise is not None:
        other = copy_network(network)
        rng = np.random.default_rng([seed, 6])
        some = np.sort(rng.permutation(len(fold.train))[:8192])
        other.reestimate(fold.train.x[some], realise=outcome.realise, rng=rng)
        answers = other.predict(x, realise=outcome.realise, rng=np.random.default_rng([seed, 5]))
        anew = float(np.mean(answers == y))
    network.release()
    count = network.count()
    made = Trained(
        predict=network.predict_proba,
        parameters=count.parameters,
        macs=count.macs,
        features=int(np.prod(network.layers[0].output_shape(fold.shape))),
        epochs=told.epochs,
        network=network,
        history=outcome.history,
    )
    return made, (plain, anew)
