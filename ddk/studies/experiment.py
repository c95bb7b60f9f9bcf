"""One run: a task, a model, a seed; trained to the last epoch, then tested once.

`run` trains in floating point, `run_in_mode` for imprecise hardware.

>>> result, lines = run_in_mode(task, "ddk", seed=0, mode="hybrid")
>>> result.network.save("model.npz")

What is reported is the last epoch, never the best one on the test part, and the validation part
stands apart from it. (The article's code reports the best epoch on the test part.)
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from compact.table.table import AlphaBetaTable
from ddk.studies.few_reads.starts import chosen
from ddk.studies.folds import Fold, Material, Part
from ddk.studies.models import Model, build, get_model, train_method
from ddk.studies.result import Result, Trained
from ddk.studies.result_store import identity
from ddk.studies.tasks import Task, get_task
from ddkbase.errors import InputError, SolverError, closest, shorten
from network.hardware.chip.chip import load_chip
from network.hardware.settings import Hardware, article
from network.hardware.training import MODES, harden
from network.model import metrics
from network.model.files import copy_network
from network.model.history import History
from network.model.network import Network
from network.model.optimisers import Adam
from network.model.ridge import fit_ridge
from network.model.trainer import train

__all__ = ["Result", "Trained", "check_mode", "hardware_of", "run", "run_in_mode", "train_fold"]

Progress = Callable[[str], None]
Trainer = Callable[[Task, Model, Fold, int, Progress | None], Trained]


def run(
    task: Task | str,
    model: Model | str = "ddk",
    seed: int = 0,
    *,
    material: Material | None = None,
    root: str | None = None,
    options: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    trainer: Trainer | None = None,
) -> Result:
    """Train a model on a task and test it.

    Parameters
    ----------
    task : Task or str
        The task itself, or its name.
    model : Model or str, default "ddk"
        The model itself, or its name.
    seed : int, default 0
        Seed of the split, the start and the batches.
    material : Material or None, optional
        The task's data, where it was read before.
    root : str or None, optional
        Folder of the data; None takes that of DDK_DATA.
    options : mapping or None, optional
        Options of the DDK layer, over those of task and model.
    progress : callable or None, optional
        Called with a line of text now and then.
    trainer : callable or None, optional
        Trains each fold, called as `train_fold`, which is the default.

    Raises
    ------
    InputError
        No such task or model, or options that do not fit.
    StorageError
        Files of the data are missing or damaged.
    SolverError
        The training ended in numbers that are not finite.
    """
    task = get_task(task) if isinstance(task, str) else task
    model = get_model(model) if isinstance(model, str) else model
    if options:
        model = dataclasses.replace(model, options={**model.options, **options})
    if seed < 0:
        raise InputError(f"a seed of {seed}", "seed", "Use 0 or more")
    material = Material(task, root) if material is None else material
    start = time.perf_counter()
    folds: list[_Tested] = []
    for fold in material.folds(seed, model.data, model.cut):
        trained = (trainer or train_fold)(task, model, fold, seed, progress)
        folds.append(_Tested.of(trained, fold, task))
        if progress is not None and task.split.by == "leave-one-out":
            progress(f"{fold.held_out} held out: {folds[-1].accuracy_text()}")
    return _together(task, model, seed, folds, time.perf_counter() - start)


def train_fold(
    task: Task, model: Model, fold: Fold, seed: int, progress: Progress | None = None
) -> Trained:
    """Train a model on one division of the data; the test part is not looked at.

    Raises SolverError: the loss is not finite.
    """
    if not model.trains_here:
        return train_method(task, model, fold, seed, progress)
    started = chosen(task, model, fold, seed)
    network = build(task, started, fold.shape, len(fold.classes), seed)
    held = fold.validation.x, fold.validation.y
    history = None
    if task.training.solver == "ridge":
        fit_ridge(network, fold.train.x, fold.train.y, held)
    else:
        history = train(
            network,
            fold.train.x,
            fold.train.y,
            validation=held,
            progress=None,
            **training_options(task, seed),
        )
    trained = _trained(task, network, fold, history)
    start = {k: v for k, v in started.options.items() if model.options.get(k) != v}
    return dataclasses.replace(trained, start=start)


def training_options(task: Task, seed: int) -> dict[str, Any]:
    """Arguments with which a network of a task is trained off the chip."""
    training = task.training
    return {
        "epochs": training.epochs,
        "batch_size": training.batch_size,
        "optimiser": Adam(rate=training.rate, weight_decay=training.weight_decay),
        "schedule": training.schedule,
        "seed": seed,
    }


def _trained(task: Task, network: Network, fold: Fold, history: History | None) -> Trained:
    count = network.count()
    return Trained(
        predict=network.predict_proba,
        parameters=count.parameters,
        macs=count.macs,
        features=int(np.prod(network.layers[0].output_shape(fold.shape))),
        epochs=task.training.epochs,
        network=network,
        history=history,
    )


@dataclass(frozen=True)
class _Tested:
    """Predictions of one fold."""

    trained: Trained
    fold: Fold
    test: np.ndarray
    validation: np.ndarray
    train_accuracy: float

    @classmethod
    def of(cls, trained: Trained, fold: Fold, task: Task) -> _Tested:
        answers = [trained.predict(x) for x in (fold.test.x, fold.validation.x, fold.train.x)]
        if not all(np.isfinite(answer).all() for answer in answers):
            raise SolverError(
                "the training ended in numbers that are not finite",
                task.name,
                "Use the implicit step, or a smaller learning rate",
            )
        reached = metrics.accuracy(fold.train.y, answers[2].argmax(axis=1))
        return cls(trained, fold, answers[0], answers[1], reached)

    def accuracy_text(self) -> str:
        return f"{100 * metrics.accuracy(self.fold.test.y, self.test.argmax(axis=1)):.1f} %"


def _together(task: Task, model: Model, seed: int, folds: list[_Tested], seconds: float) -> Result:
    """The predictions of all folds as those of one test part."""

    def joined(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        held: list[Part] = [getattr(f.fold, name) for f in folds]
        # a validation sample may be in several folds, with a network of its own in each
        ids = np.concatenate([p.item.astype(np.int64) + k * 10**9 for k, p in enumerate(held)])
        y = np.concatenate([p.y for p in held])
        return np.concatenate([getattr(f, name) for f in folds]), y, ids

    classes = folds[0].fold.classes
    scores: dict[str, Any] = {}
    for name in ("test", "validation"):
        q, y, ids = joined(name)
        scores[name] = metrics.scores(y, q)
        scores[f"{name}_vote"] = {}
        if task.vote:
            voted, true, _ = metrics.vote(q, y, ids)
            scores[f"{name}_vote"] = metrics.scores(true, voted)
            if task.headline == "vote":
                q, y = voted, true
        if name == "test":
            said = q.argmax(axis=1)
            table = metrics.confusion(y, said, classes)
            right = "".join("01"[int(hit)] for hit in said == y)
    last = folds[-1]
    alpha, beta, r, meaning = _kinetics(folds)
    return Result(
        task=task.name,
        model=model.name,
        seed=seed,
        settings={"task": task.settings(), "model": model.settings(), **_started(folds)},
        train_accuracy=float(np.mean([f.train_accuracy for f in folds])),
        confusion=table.values.tolist(),
        classes=classes,
        vote=task.vote,
        headline=task.headline,
        parameters=last.trained.parameters,
        macs=last.trained.macs,
        features=last.trained.features,
        alpha=alpha,
        beta=beta,
        r=r,
        r_words=meaning,
        epochs=last.trained.epochs,
        samples=len(last.fold.train),
        seconds=round(seconds, 3),
        held_out=last.fold.held_out if len(folds) == 1 else f"{len(folds)} groups, each in turn",
        right=right,
        network=last.trained.network,
        history=last.trained.history,
        fold=last.fold,
        **scores,
    )


def _started(folds: list[_Tested]) -> dict[str, Any]:
    """The start of the layer, where it was chosen on the validation part: of the last fold."""
    start = folds[-1].trained.start
    return {"start": dict(start)} if start else {}


def _kinetics(
    folds: list[_Tested],
) -> tuple[tuple[float, ...], tuple[float, ...], float | None, str]:
    """Ranges of alpha and beta over all folds, the smallest r, and what it means."""
    alphas, betas = [], []
    smallest, meaning = None, ""
    for tested in folds:
        network = tested.trained.network
        if network is None:
            continue
        for alpha, beta in network.kinetics().values():
            alphas.append(np.asarray(alpha, dtype=float).ravel())
            betas.append(np.asarray(beta, dtype=float).ravel())
        for report in network.stability(tested.fold.train.x).values():
            r = float(np.min(report.r))
            if np.isfinite(r) and (smallest is None or r < smallest):
                smallest, meaning = r, str(report)
    if not alphas:
        return (), (), None, ""
    a, b = np.concatenate(alphas), np.concatenate(betas)
    return (float(a.min()), float(a.max())), (float(b.min()), float(b.max())), smallest, meaning


def check_mode(mode: str, model: str) -> None:
    """Refuse a mode or a model that this cannot train, before any data are read.

    Raises
    ------
    InputError
        No such mode, or a model that is not trained in NumPy.
    """
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
    hardware = article() if chip is None else load_chip(chip).hardware()
    return hardware if table is None else dataclasses.replace(hardware, kinetics=None)


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
    """Train a network in one of the modes of `network.hardware.MODES`, test it, and keep it.

    Parameters
    ----------
    task : Task
        As in `run`.
    model : str
        As in `run`.
    seed : int
        As in `run`; it draws the chip as well.
    mode : str
        One of `network.hardware.MODES`.
    hardware : Hardware or None, optional
        What the chip is like; default: the article's.
    table : AlphaBetaTable or None, optional
        An `AlphaBetaTable` to whose pulses alpha and beta are confined.
    root : str or None, optional
        As in `run`.
    options : mapping or None, optional
        As in `run`.
    progress : callable or None, optional
        As in `run`.

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
        As `run` and `network.hardware.harden`.
    StorageError
        As `run` and `network.hardware.harden`.
    SolverError
        As `run` and `network.hardware.harden`.
    """
    check_mode(mode, model)
    hardware = hardware_of(None, table) if hardware is None else hardware
    on_chip: list[tuple[float, float]] = []

    def trainer(
        task: Task, model: Model, fold: Fold, seed: int, progress: Progress | None
    ) -> Trained:
        trained, accuracies = _train_in_mode(
            task, model, fold, seed, mode, hardware, table, progress
        )
        on_chip.append(accuracies)
        return trained

    result = run(task, model, seed, root=root, options=options, progress=progress, trainer=trainer)
    lines = {"trained for hardware": mode}
    purpose: dict[str, Any] = {"mode": mode, "hardware": identity(hardware)}
    if mode != "software":
        plain, anew = np.mean(on_chip, axis=0)
        purpose |= {"chip": seed, "accuracy_on_chip": plain, "accuracy_statistics_anew": anew}
        lines[f"on chip {seed}, single decisions"] = f"{100 * plain:.2f} %"
        lines["with statistics taken anew"] = f"{100 * anew:.2f} %"
    return dataclasses.replace(result, settings={**result.settings, "trained_for": purpose}), lines


def _train_in_mode(
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
    network = build(task, model, fold.shape, len(fold.classes), seed)

    def report(what: str, event: Any) -> None:
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
        progress=report,
        **training_options(task, seed),
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
    return _trained(task, network, fold, outcome.history), (plain, anew)
