"""One run: a task, a model, a seed; trained to the last epoch, then tested once.

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

from ddk.studies.folds import Fold, Material, Part
from ddk.studies.models import Model, build, get_model
from ddk.studies.result import Result, Trained
from ddk.studies.task import Task
from ddk.studies.tasks import get_task
from ddkbase.errors import InputError, SolverError
from network.model import metrics

__all__ = ["Result", "Trained", "run", "train_fold"]

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
            progress(f"{fold.held_out} held out: {folds[-1].words()}")
    return _together(task, model, seed, folds, time.perf_counter() - start)


def train_fold(
    task: Task, model: Model, fold: Fold, seed: int, progress: Progress | None = None
) -> Trained:
    """Train a model on one division of the data; the test part is not looked at.

    Raises
    ------
    SolverError
        The loss is not finite.
    """
    if not model.trains_here:
        from ddk.studies.methods import train_method

        return train_method(task, model, fold, seed, progress)
    from network.model.optimisers import Adam
    from network.model.trainer import train

    network = build(task, model, fold.shape, len(fold.classes), seed)
    told = task.training
    history = train(
        network,
        fold.train.x,
        fold.train.y,
        validation=(fold.validation.x, fold.validation.y),
        epochs=told.epochs,
        batch_size=told.batch_size,
        optimiser=Adam(rate=told.rate, weight_decay=told.weight_decay),
        schedule=told.schedule,
        seed=seed,
        progress=None,
    )
    count = network.count()
    features = int(np.prod(network.layers[0].output_shape(fold.shape)))
    return Trained(
        predict=network.predict_proba,
        parameters=count.parameters,
        macs=count.macs,
        features=features,
        epochs=told.epochs,
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
        answers = [trained.predict(part.x) for part in (fold.test, fold.validation, fold.train)]
        if not all(np.isfinite(answer).all() for answer in answers):
            raise SolverError(
                "the training ended in numbers that are not finite",
                task.name,
                "Use the implicit step, or a smaller learning rate",
            )
        reached = metrics.accuracy(fold.train.y, answers[2].argmax(axis=1))
        return cls(trained, fold, answers[0], answers[1], reached)

    def words(self) -> str:
        return f"{100 * metrics.accuracy(self.fold.test.y, self.test.argmax(axis=1)):.1f} %"


def _together(task: Task, model: Model, seed: int, folds: list[_Tested], seconds: float) -> Result:
    """The predictions of all folds as those of one test part."""

    def joined(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        parts: list[Part] = [getattr(f.fold, name) for f in folds]
        # a validation sample may be in several folds, with a network of its own in each
        ids = np.concatenate([p.item.astype(np.int64) + k * 10**9 for k, p in enumerate(parts)])
        y = np.concatenate([p.y for p in parts])
        return np.concatenate([getattr(f, name) for f in folds]), y, ids

    classes = folds[0].fold.classes
    found: dict[str, Any] = {}
    for name in ("test", "validation"):
        q, y, ids = joined(name)
        found[name] = metrics.scores(y, q)
        found[f"{name}_vote"] = {}
        if task.vote:
            voted, true, _ = metrics.vote(q, y, ids)
            found[f"{name}_vote"] = metrics.scores(true, voted)
            if task.headline == "vote":
                q, y = voted, true
        if name == "test":
            table = metrics.confusion(y, q.argmax(axis=1), classes)
    last = folds[-1]
    alpha, beta, r, words = _kinetics(folds)
    return Result(
        task=task.name,
        model=model.name,
        seed=seed,
        settings={"task": task.settings(), "model": model.settings()},
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
        r_words=words,
        epochs=last.trained.epochs,
        samples=len(last.fold.train),
        seconds=round(seconds, 3),
        held_out=last.fold.held_out if len(folds) == 1 else f"{len(folds)} groups, each in turn",
        network=last.trained.network,
        history=last.trained.history,
        fold=last.fold,
        **found,
    )


def _kinetics(
    folds: list[_Tested],
) -> tuple[tuple[float, ...], tuple[float, ...], float | None, str]:
    """Ranges of alpha and beta over all folds, the smallest r, and what it means."""
    alphas, betas = [], []
    smallest, words = None, ""
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
                smallest, words = r, str(report)
    if not alphas:
        return (), (), None, ""
    a, b = np.concatenate(alphas), np.concatenate(betas)
    return (float(a.min()), float(a.max())), (float(b.min()), float(b.max())), smallest, words
