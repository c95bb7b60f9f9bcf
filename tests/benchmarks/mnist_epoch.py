"""An epoch of MNIST, with the DDK layer and without, beside scikit-learn's MLP of the same size.

``python -m tests.benchmarks.mnist_epoch [--root FOLDER] [--numpy]`` prints a table for
``docs/performance.md``: processor seconds of one pass over the training part in batches of 256 by
Adam, the least of the repeats, all sides in turn in one process. 784-48-10; ours with its feature
layer and the batch statistics behind it, "dense" without either. What either side does once a
training (checks of the samples, one-hot labels, statistics at the end) is left out: the first epoch
is not counted. Set ``OPENBLAS_NUM_THREADS=1``.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
import warnings
from collections.abc import Callable

import numpy as np

from ddk.studies.folds import Fold, Material, Part
from ddk.studies.models import build, get_model
from ddk.studies.tasks import Task, get_task
from network.layers import standardise
from network.layers.plain import Activation, Dense, Flatten, Layer
from network.model import optimisers
from network.model.network import Network
from network.model.optimisers import Adam
from network.model.trainer import train

#: as the project's aim has it
REFERENCE = "scikit-learn's MLP"
EPOCHS = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--samples", type=int, help="that many of the training part only")
    parser.add_argument("--numpy", action="store_true", help="batch statistics and Adam by NumPy")
    arguments = parser.parse_args()
    task = get_task("mnist")
    fold = next(iter(Material(task, arguments.root).folds(0)))
    if arguments.samples:
        part = Part(*(getattr(fold.train, n)[: arguments.samples] for n in ("x", "y", "item")))
        fold = dataclasses.replace(fold, train=part)
    if arguments.numpy:
        for module in (standardise, optimisers):
            setattr(module, "compiled_kernels", lambda: None)  # noqa: B010 - not its own name
    sides: dict[str, Callable[[], float]] = {
        REFERENCE: lambda: theirs(task, fold),
        "dense": lambda: ours(task, fold, dense(task, fold)),
    }
    for name in ("raw", "leaky", "ddk"):
        model = get_model(name)
        sides[name] = lambda model=model: ours(  # type: ignore[misc]
            task, fold, build(task, model, fold.shape, len(fold.classes), 0)
        )
    seconds = dict.fromkeys(sides, np.inf)
    for _ in range(arguments.repeats):
        for name, epoch in sides.items():
            seconds[name] = min(seconds[name], epoch())
    print(f"| an epoch of {len(fold.train):,} samples | processor [s] | times {REFERENCE} |")
    print("| --- | ---: | ---: |")
    for name, least in seconds.items():
        print(f"| {name} | {least:.3f} | {least / seconds[REFERENCE]:.2f} |")


def dense(task: Task, fold: Fold) -> Network:
    """The classifier alone."""
    layers: list[Layer] = [Flatten(), Dense(*task.hidden), Activation(task.activation), Dense(10)]
    return Network(layers, fold.shape, len(fold.classes))


def ours(task: Task, fold: Fold, network: Network) -> float:
    """Least processor seconds of an epoch but the first."""
    ends: list[float] = []
    train(
        network,
        fold.train.x,
        fold.train.y,
        epochs=EPOCHS,
        batch_size=task.training.batch_size,
        optimiser=Adam(rate=task.training.rate, weight_decay=task.training.weight_decay),
        reestimate=False,
        progress=lambda _: ends.append(time.process_time()),
    )
    return float(np.diff(ends).min())


def theirs(task: Task, fold: Fold) -> float:
    """The same of scikit-learn's."""
    from sklearn.neural_network import MLPClassifier

    ends: list[float] = []

    class Watched(MLPClassifier):
        def _update_no_improvement_count(self, *given: object) -> None:
            ends.append(time.process_time())  # once an epoch
            super()._update_no_improvement_count(*given)

    mlp = Watched(
        task.hidden,
        activation=task.activation,
        batch_size=task.training.batch_size,
        learning_rate_init=task.training.rate,
        alpha=task.training.weight_decay,
        max_iter=EPOCHS,
        tol=0.0,
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that so few epochs are not the optimum
        mlp.fit(fold.train.x.reshape(len(fold.train), -1), fold.train.y)
    return float(np.diff(ends).min())


if __name__ == "__main__":
    main()
