"""Training: batches, schedule, validation, early stopping, statistics taken anew at the end."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ddkbase.errors import InputError, Interrupted, SolverError
from network.layers.plain import Realisation
from network.layers.standardise import Standardise
from network.model.history import History, Recorder
from network.model.metrics import accuracy, cross_entropy
from network.model.network import Network
from network.model.optimisers import Adam, Optimiser, Schedule, schedule_factor

_SHORT = 4096  # samples for the statistics that the validation of one epoch uses


@dataclass(frozen=True)
class EpochEvent:
    """What `train` reports after each epoch.

    Attributes
    ----------
    epoch, epochs : int
        Number of the epoch, counted from 1, and of how many.
    figures : dict of str to float
        Figures by the names of the variables of `History.dataset`.
    """

    epoch: int
    epochs: int
    figures: dict[str, float]


def train(
    network: Network,
    x: np.ndarray,
    y: np.ndarray,
    *,
    validation: float | tuple[np.ndarray, np.ndarray] | None = None,
    epochs: int = 100,
    batch_size: int | None = None,
    optimiser: Optimiser | None = None,
    schedule: Schedule = None,
    patience: int | None = None,
    restore: str = "last",
    reestimate: bool = True,
    smoothing: float = 0.0,
    realise: Realisation | None = None,
    seed: int | np.random.Generator = 0,
    progress: Callable[[EpochEvent], Any] | None = None,
) -> History:
    """Train a network in place by back-propagation of the cross-entropy.

    Parameters
    ----------
    network : Network
        What learns; calling again goes on from where it is, with a new optimiser.
    x : ndarray, shape `(samples, *input_shape)`
        Samples.
    y : ndarray, shape (samples,)
        Classes of the samples as integers from 0 to classes - 1.
    validation : float, pair of ndarray or None, optional
        Samples that are not trained on: (x, y), or a share of each class that is drawn from x. A
        share knows no recordings or persons; where samples belong together, pass (x, y).
    epochs : int, default 100
        Passes through the samples.
    batch_size : int or None, optional
        Samples per step, None for all; the batches of an epoch differ by at most one sample.
    optimiser : Optimiser or None, optional
        The optimiser; by default ``Adam(rate=0.01, weight_decay=1e-3)``.
    schedule : {"cosine", "linear"}, callable or None, optional
        Schedule of the learning rate over the training.
    patience : int or None, optional
        Stop after so many epochs without a smaller validation loss.
    restore : {"last", "best"}, default "last"
        Parameters to end with: of the last epoch, or of the best by validation loss.
    reestimate : bool, default True
        Take the statistics of the `Standardise` layers anew from all training samples at the end,
        and from 4,096 of them before each validation.
    smoothing : float, default 0.0
        Smoothing of the labels.
    realise : Realisation or None, optional
        Imprecise hardware that the forward passes run through, validation as well.
    seed : int or numpy.random.Generator, default 0
        Seed of the order of samples and of everything drawn.
    progress : callable or None, optional
        Called after each epoch; a true answer ends the training.

    Returns
    -------
    History
        The history. No test set is looked at.

    Raises
    ------
    InputError
        Shapes, labels or settings that do not fit.
    SolverError
        Loss or parameters stopped being finite; its ``partial`` holds the history so far.
    Interrupted
        Ctrl-C; ``partial`` likewise. The network is as after the last whole step.
    """
    rng = np.random.default_rng(seed)
    x, y = _checked(network, x, y, "x")
    if isinstance(validation, tuple):
        held = _checked(network, *validation, "validation")
    elif validation is not None:
        trained, out = split_off(y, float(validation), rng)
        held = x[out], y[out]
        x, y = x[trained], y[trained]
    else:
        held = None
    if restore not in ("last", "best"):
        raise InputError(f"restore {restore!r}", "restore", "last or best")
    if held is None and (patience is not None or restore == "best"):
        raise InputError("there is no validation set", "validation", "patience and best need one")
    if epochs < 1 or (batch_size is not None and batch_size < 1) or not len(x):
        raise InputError(
            f"{epochs} epochs, batch size {batch_size}, {len(x)} samples", "train", "At least 1"
        )
    schedule_factor(schedule, 0.0)
    run = _Run(network, x, y, held, optimiser or Adam(), schedule, batch_size, epochs, rng)
    run.options(smoothing, realise, reestimate and _standardises(network))
    best, best_epoch, best_state, epoch = np.inf, None, None, 0
    attributes = {"samples": len(x), "batch_size": batch_size or len(x), "restore": restore}
    try:
        for epoch in range(1, epochs + 1):
            with np.errstate(over="ignore", invalid="ignore"):  # found by what it leads to
                figures = run.epoch(epoch)
            if held is not None and figures["validation_loss"] < best:
                best, best_epoch = figures["validation_loss"], epoch
                if restore == "best":
                    best_state = _state(network)
            stop = progress(EpochEvent(epoch, epochs, figures)) if progress else None
            if stop or (patience is not None and epoch - (best_epoch or 0) >= patience):
                break
    except KeyboardInterrupt:
        partial = run.recorder.dataset(attributes)
        raise Interrupted("training was stopped", f"epoch {epoch}", partial=partial) from None
    except SolverError as exc:
        exc.partial = run.recorder.dataset(attributes)
        raise
    restored = epoch
    if best_state is not None and best_epoch is not None:
        _put_back(network, best_state)
        restored = best_epoch
    network.release()
    if reestimate:
        network.reestimate(x, realise=realise, rng=rng)
    stability = network.stability(x)
    return History(run.recorder.dataset(attributes), best_epoch, restored, stability)


def split_off(
    y: np.ndarray, share: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Indices of what stays and of a share that is held out of each class, both sorted.

    A class of two samples or more keeps at least one and gives at least one.
    """
    if not 0 < share < 1:
        raise InputError(f"a share of {share}", "validation", "Above 0 and below 1")
    out = []
    for label in np.unique(y):
        members = rng.permutation(np.flatnonzero(y == label))
        number = min(max(round(share * len(members)), 1), len(members) - 1)
        out.append(members[:number])
    held = np.sort(np.concatenate(out))
    rest = np.setdiff1d(np.arange(len(y)), held)
    if not held.size:
        raise InputError("every class has one sample", "validation", "None can be held out")
    return rest, held


class _Run:
    """One training run: what it needs in each epoch."""

    def __init__(
        self,
        network: Network,
        x: np.ndarray,
        y: np.ndarray,
        held: tuple[np.ndarray, np.ndarray] | None,
        optimiser: Optimiser,
        schedule: Schedule,
        batch_size: int | None,
        epochs: int,
        rng: np.random.Generator,
    ) -> None:
        self._network, self._x, self._y, self._held = network, x, y, held
        self._rate, self._schedule, self._rng = optimiser.rate, schedule, rng
        self._batches = 1 if batch_size is None else -(-len(x) // batch_size)
        self._steps = epochs * self._batches
        self._stepper = optimiser.start(network.layers)
        self._started = time.perf_counter()
        self.recorder = Recorder(network)

    def options(self, smoothing: float, realise: Realisation | None, reestimate: bool) -> None:
        self._smoothing, self._realise, self._reestimate = smoothing, realise, reestimate
        if reestimate and self._held is not None:
            drawn = self._rng.permutation(len(self._x))[:_SHORT]
            self._sample = self._x[np.sort(drawn)]

    def epoch(self, epoch: int) -> dict[str, float]:
        """Train one epoch, validate, record; return its figures."""
        loss = right = factor = 0.0
        done = (epoch - 1) * self._batches
        for index, (x, y) in enumerate(self._shuffled()):
            factor = schedule_factor(self._schedule, (done + index) / self._steps)
            result = self._network.loss_and_gradients(
                x, y, self._rng, self._realise, smoothing=self._smoothing
            )
            if not np.isfinite(result.loss):
                raise SolverError(
                    f"the loss became {result.loss}",
                    f"epoch {epoch}, batch {index + 1}",
                    "Lower the learning rate, or integrate the DDK layer implicitly.",
                )
            self._stepper.step(factor)
            self._finite(epoch)
            loss += result.loss * len(y)
            right += np.count_nonzero(result.logits.argmax(1) == y)
        figures = {"loss": loss / len(self._y), "accuracy": right / len(self._y)}
        if self._held is not None:
            if self._reestimate:
                self._network.reestimate(self._sample, realise=self._realise, rng=self._rng)
            logits = self._network.logits(self._held[0], rng=self._rng, realise=self._realise)
            figures["validation_loss"] = cross_entropy(logits, self._held[1])[0]
            figures["validation_accuracy"] = accuracy(self._held[1], logits.argmax(1))
        figures["rate"] = self._rate * factor
        figures["seconds"] = time.perf_counter() - self._started
        self.recorder.add(figures)
        return figures

    def _shuffled(self) -> Any:
        if self._batches == 1:
            yield self._x, self._y
            return
        for batch in np.array_split(self._rng.permutation(len(self._x)), self._batches):
            yield self._x[batch], self._y[batch]

    def _finite(self, epoch: int) -> None:
        for name, value in self._network.parameters.items():
            if not np.isfinite(value).all():
                raise SolverError(
                    "a parameter is no longer finite", f"{name}, epoch {epoch}", "Lower the rate."
                )


def _checked(
    network: Network, x: np.ndarray, y: np.ndarray, where: str
) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.asarray(x, network.dtype), np.asarray(y)
    if x.shape[1:] != network.input_shape:
        raise InputError(
            f"samples of shape {x.shape[1:]}", where, f"The network takes {network.input_shape}."
        )
    if y.shape != x.shape[:1] or y.dtype.kind not in "iu":
        raise InputError(
            f"labels of shape {y.shape} and type {y.dtype}", where, f"{len(x)} integers are needed"
        )
    if y.size and not 0 <= y.min() <= y.max() < network.classes:
        raise InputError(
            f"labels from {y.min()} to {y.max()}", where, f"0 to {network.classes - 1} are known"
        )
    for start in range(0, len(x), 4096):
        if not np.isfinite(x[start : start + 4096]).all():
            raise InputError("NaN or infinity", where, "Leave such samples out, or fill them.")
    return x, y


def _standardises(network: Network) -> bool:
    return any(isinstance(layer, Standardise) for layer in network.layers)


def _state(network: Network) -> list[dict[str, np.ndarray]]:
    return [
        {key: value.copy() for key, value in arrays.items()}
        for layer in network.layers
        for arrays in (layer.parameters, layer.buffers)
    ]


def _put_back(network: Network, state: list[dict[str, np.ndarray]]) -> None:
    stored = iter(state)
    for layer in network.layers:
        for arrays in (layer.parameters, layer.buffers):
            for key, value in next(stored).items():
                arrays[key][...] = value
