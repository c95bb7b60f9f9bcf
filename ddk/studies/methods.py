"""Methods of their own size and training: the article's networks in PyTorch, and MiniRocket."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ddk.studies.result import Trained
from ddkbase.errors import InputError, closest

if TYPE_CHECKING:
    from ddk.studies.folds import Fold
    from ddk.studies.models import Model
    from ddk.studies.task import Task

__all__ = ["train_method"]


def train_method(
    task: Task,
    model: Model,
    fold: Fold,
    seed: int,
    progress: Callable[[str], None] | None = None,
) -> Trained:
    """Train a method on one division of the data; the test part is not looked at.

    Raises
    ------
    InputError
        No such method, or the samples do not fit it.
    InstallationError
        Its package is not installed.
    SolverError
        The loss is not finite.
    """
    from network import baselines

    if model.layer == "minirocket":
        return _rocket(fold, seed)
    if model.layer not in baselines.NAMES:
        raise InputError(f"there is no method '{model.layer}'", "model",
                         closest(model.layer, baselines.NAMES))  # fmt: skip
    epochs = int(model.options["epochs"])
    options = {k: v for k, v in model.options.items() if k != "epochs"}
    found = baselines.train(
        model.layer,
        fold.train.x,
        fold.train.y,
        validation=(fold.validation.x, fold.validation.y),
        classes=len(fold.classes),
        epochs=epochs,
        seed=seed,
        progress=None if progress is None else lambda event: _tell(progress, model.name, event),
        **options,
    )
    return Trained(
        predict=found.predict_proba,
        parameters=found.count.parameters,
        macs=found.count.macs,
        features=0,
        epochs=int(found.epochs),
    )


def _tell(progress: Callable[[str], None], name: str, event: object) -> None:
    epoch, epochs = getattr(event, "epoch", 0), getattr(event, "epochs", 0)
    figures = getattr(event, "figures", {})
    if "validation_accuracy" in figures:
        reached = f"{100 * figures['validation_accuracy']:.1f} %"
        progress(f"{name}, epoch {epoch} of {epochs}: validation {reached}")


def _rocket(fold: Fold, seed: int) -> Trained:
    from network.baselines.rocket import MiniRocket

    found = MiniRocket(seed=seed).fit(fold.train.x, fold.train.y, classes=len(fold.classes))
    return Trained(
        predict=found.predict_proba,
        parameters=found.count.parameters,
        macs=found.count.macs,
        features=found.features,
        epochs=1,
    )
