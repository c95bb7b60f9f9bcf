"""Training the networks of PyTorch on one thread, within a limit of time; what comes of it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from ddkbase.errors import InputError, Interrupted, SolverError
from network.baselines.networks import arrange, build, sizes_for
from network.baselines.pytorch import count_model, nn, torch
from network.counting.count import Count
from network.model.history import by_epoch
from network.model.trainer import EpochEvent, split_off

_BATCH = 256  # samples that are computed at once where nothing is trained


@dataclass(frozen=True)
class _Scale:
    """(x - mean) / deviation, once for a training.

    Parameters
    ----------
    mean : float or ndarray, default 0.0
        What is taken off, a number, or an array over the last axis of a sample.
    deviation : float or ndarray, default 1.0
        What is divided by, likewise.
    """

    mean: Any = 0.0
    deviation: Any = 1.0

    @classmethod
    def of(cls, name: str, x: np.ndarray) -> _Scale:
        """From the training samples of a network; for texts each dimension has its own numbers."""
        axes = tuple(range(x.ndim - 1)) if name in ("lstm", "transformer") else None
        mean = x.mean(axis=axes, dtype=np.float64)
        # A dimension that never changes stays what it is: zero.
        deviation = x.std(axis=axes, dtype=np.float64)
        deviation = np.where(deviation > 1e-12, deviation, 1.0)
        return cls(np.asarray(mean, np.float32), np.asarray(deviation, np.float32))

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """x, shifted and scaled; a new array of float32."""
        return np.asarray((x - self.mean) / self.deviation, np.float32)


@dataclass(frozen=True)
class Trained:
    """What `network.baselines.train` returns.

    Attributes
    ----------
    name : str
        Name of the network.
    model : torch.nn.Module
        The network as it is after the last step.
    sizes : mapping
        Sizes of its structure.
    history : xarray.Dataset
        Figures over ``epoch``: loss, accuracy, and validation_loss and validation_accuracy where
        there was a validation set, rate, seconds. Loss and accuracy are means over the batches of
        an epoch, while the network learns. Never a figure of a test set.
    epochs : float
        Whole epochs that were trained, and what was done of the next one (2.5: half of it).
    stopped : {"epochs", "time limit"}
        What ended the training.
    seconds : float, s
        Duration of the training.
    count : Count
        Parameters and MACs of one sample; a batch norm is folded into the layer before it.
    classes : int
        Number of classes.
    scale : callable, optional
        What is done to samples first.
    """

    name: str
    model: Any
    sizes: Mapping[str, Any]
    history: xr.Dataset
    epochs: float
    stopped: str
    seconds: float
    count: Count
    classes: int
    scale: _Scale = field(default_factory=_Scale, repr=False)
    threads: int = field(default=1, repr=False)

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        """Probabilities of the classes.

        Parameters
        ----------
        x : ndarray, shape `(batch, *sample)`
            The samples, with the axes that the network takes.

        Returns
        -------
        ndarray of float32, shape (batch, classes)
            Probabilities of the classes.
        """
        with _on_threads(self.threads):
            shares = torch.softmax(
                _logits(self.model, self.scale(np.asarray(x, np.float32))), dim=1
            )
        return np.asarray(shares.numpy())

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Classes, integers (batch,)."""
        return np.asarray(self.predict_proba(x).argmax(axis=1))

    def accuracy(self, x: np.ndarray, y: np.ndarray) -> float:
        """Share of samples whose class is found.

        Parameters
        ----------
        x : ndarray, shape `(batch, *sample)`
            The samples.
        y : ndarray, shape (batch,)
            Classes of the samples.
        """
        return float(np.mean(self.predict(x) == np.asarray(y)))


@contextlib.contextmanager
def _on_threads(threads: int) -> Iterator[None]:
    """PyTorch on so many threads within the block, and as before after it."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _logits(model: Any, x: np.ndarray) -> Any:
    """Outputs (samples, classes) of a model that is not training."""
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            batches = [
                model(torch.from_numpy(np.require(x[start : start + _BATCH], None, ["C", "W"])))
                for start in range(0, len(x), _BATCH)
            ]
    finally:
        model.train(training)
    return torch.cat(batches)


def train(
    name: str,
    x: np.ndarray,
    y: np.ndarray,
    *,
    validation: float | tuple[np.ndarray, np.ndarray] | None = None,
    classes: int | None = None,
    epochs: int = 20,
    time_limit: float | None = None,
    batch_size: int = 64,
    rate: float = 1e-3,
    weight_decay: float = 0.0,
    schedule: str | None = "cosine",
    seed: int = 0,
    standardise: bool = True,
    threads: int = 1,
    word_axis: int = 1,
    progress: Callable[[EpochEvent], Any] | None = None,
    **sizes: Any,
) -> Trained:
    """Train a network by Adam on the cross-entropy; what is kept is the last epoch.

    Parameters
    ----------
    name : str
        One of `baselines.NAMES`.
    x : ndarray, shape `(samples, *sample)`
        The samples, as the table in `network.baselines` says.
    y : ndarray, shape (samples,)
        Classes of the samples as integers from 0 to classes - 1.
    validation : float, pair of ndarray or None, optional
        Samples that are not trained on: (x, y), or a share of each class drawn from x.
    classes : int or None, optional
        Number of classes; by default the largest label plus one.
    epochs : int, default 20
        Passes through the samples.
    time_limit : float or None, s, optional
        Seconds after which no further batch is begun; None for no limit. The learning rate follows
        the share of the epochs or of the limit that is over, whichever is larger.
    batch_size : int, default 64
        Samples per step; the batches of an epoch differ by at most one sample.
    rate : float, default 1e-3
        Learning rate of Adam.
    weight_decay : float, default 0.0
        Weight decay of Adam, apart from the gradient (AdamW).
    schedule : {"cosine"} or None, default "cosine"
        How the learning rate falls: as a cosine down to zero, or not at all.
    seed : int, default 0
        Seed of the weights, the order of samples and dropout.
    standardise : bool, default True
        Whether samples are shifted and scaled to mean 0 and variance 1 of the training samples, for
        texts each dimension of the words, else all numbers together. Nothing is learnt by it, and
        samples from 0 to 1 train badly without.
    threads : int, default 1
        Number of threads of PyTorch, set back afterwards.
    word_axis : int, default 1
        Axis of the words in x, for texts.
    progress : callable or None, optional
        Called after each epoch; a true answer ends the training.
    **sizes : dict, optional
        Sizes of the structure, over those that follow from the shape of x.

    Raises
    ------
    InputError
        No such network, or shapes, labels or settings that do not fit.
    InstallationError
        PyTorch is not installed.
    SolverError
        The loss stopped being finite; its `partial` holds the history so far.
    Interrupted
        Ctrl-C; `partial` likewise.
    """
    x, y = _checked(name, x, y, "x", word_axis)
    rng = np.random.default_rng(seed)
    held = None
    if isinstance(validation, tuple):
        held = _checked(name, *validation, "validation", word_axis)
    elif validation is not None:
        trained_on, out = split_off(y, float(validation), rng)
        held, x, y = (x[out], y[out]), x[trained_on], y[trained_on]
    if epochs < 1 or batch_size < 1 or (time_limit is not None and not time_limit > 0):
        raise InputError(
            f"{epochs} epochs, batch size {batch_size}, time limit {time_limit} s", name
        )
    if schedule not in (None, "cosine"):
        raise InputError(f"schedule {schedule!r} is not known", name, "None or 'cosine'")
    number = int(y.max()) + 1 if classes is None else int(classes)
    if y.min() < 0 or y.max() >= number or (held is not None and held[1].max() >= number):
        raise InputError(f"labels are not all within 0..{number - 1}", "y")
    scale = _Scale.of(name, x) if standardise else _Scale()
    x = scale(x)
    held = None if held is None else (scale(held[0]), held[1])
    all_sizes = {**sizes_for(name, x.shape[1:], number), **sizes}
    with _on_threads(threads), torch.random.fork_rng(devices=[]):
        model = build(name, seed=seed, **all_sizes)
        torch.manual_seed(seed)
        run = _Run(model, x, y, held, rng, batch_size, rate, weight_decay, schedule == "cosine")
        done, stopped = _go(run, name, epochs, time_limit, progress)
        count = count_model(model, x.shape[1:])
    return Trained(
        name=name,
        model=model,
        sizes=all_sizes,
        history=run.history(),
        epochs=done,
        stopped=stopped,
        seconds=run.seconds,
        count=count,
        classes=number,
        scale=scale,
        threads=threads,
    )


def _go(
    run: _Run,
    name: str,
    epochs: int,
    limit: float | None,
    progress: Callable[[EpochEvent], Any] | None,
) -> tuple[float, str]:
    # How many epochs were trained, and why no more.
    for epoch in range(1, epochs + 1):
        try:
            row = run.epoch(epoch, epochs, limit)
        except KeyboardInterrupt:
            raise Interrupted(
                f"stopped in epoch {epoch} of {epochs}", name, partial=run.history()
            ) from None
        if row is None:
            return float(epoch - 1), "time limit"
        if not np.isfinite(row["loss"]):
            raise SolverError(
                f"the loss is {row['loss']} in epoch {epoch}",
                name,
                "Try a smaller rate",
                partial=run.history(),
            )
        if progress is not None and progress(EpochEvent(epoch, epochs, row)):
            return float(epoch), "progress"
        if row["share"] < 1.0:
            return epoch - 1 + row["share"], "time limit"
    return float(epochs), "epochs"


class _Run:
    """One training run: what it needs in each epoch."""

    def __init__(
        self,
        model: Any,
        x: np.ndarray,
        y: np.ndarray,
        held: tuple[np.ndarray, np.ndarray] | None,
        rng: np.random.Generator,
        batch_size: int,
        rate: float,
        weight_decay: float,
        cosine: bool,
    ) -> None:
        self.model, self.held, self.rng = model, held, rng
        self.x, self.y = torch.from_numpy(x), torch.from_numpy(y)
        self.batches = -(-len(x) // batch_size)
        self.rate, self.cosine = rate, cosine
        self.optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=weight_decay)
        self.rows: list[dict[str, float]] = []
        self.start = time.perf_counter()

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.start

    def epoch(self, epoch: int, epochs: int, limit: float | None) -> dict[str, float] | None:
        """One pass, or what the limit leaves of it; None if not even a batch."""
        self.model.train()
        seen, loss_sum, hits, rate = 0, 0.0, 0, self.rate
        order = np.array_split(self.rng.permutation(len(self.x)), self.batches)
        for number, batch in enumerate(order):
            spent = 0.0 if limit is None else self.seconds / limit
            if spent >= 1.0 and (self.rows or number):
                break
            if self.cosine:
                over = max((epoch - 1 + number / self.batches) / epochs, min(spent, 1.0))
                rate = self.rate * 0.5 * (1.0 + np.cos(np.pi * over))
                for group in self.optimiser.param_groups:
                    group["lr"] = rate
            indices = torch.from_numpy(batch)
            target = self.y[indices]
            self.optimiser.zero_grad(set_to_none=True)
            scores = self.model(self.x[indices])
            loss = nn.functional.cross_entropy(scores, target)
            loss.backward()
            self.optimiser.step()
            seen += len(batch)
            loss_sum += float(loss.detach()) * len(batch)
            hits += int((scores.detach().argmax(dim=1) == target).sum())
        if not seen:
            return None
        row = {"loss": loss_sum / seen, "accuracy": hits / seen}
        if self.held is not None:
            scores = _logits(self.model, self.held[0])
            target = torch.from_numpy(self.held[1])
            row["validation_loss"] = float(nn.functional.cross_entropy(scores, target))
            row["validation_accuracy"] = float((scores.argmax(dim=1) == target).double().mean())
        row |= {"rate": float(rate), "share": seen / len(self.x), "seconds": self.seconds}
        self.rows.append(row)
        return row

    def history(self) -> xr.Dataset:
        """What was gathered so far."""
        return by_epoch(self.rows).assign_attrs(samples=len(self.x))


def _checked(
    name: str, x: np.ndarray, y: np.ndarray, where: str, word_axis: int
) -> tuple[np.ndarray, np.ndarray]:
    samples = arrange(name, np.asarray(x), word_axis=word_axis)
    labels = np.asarray(y)
    if labels.ndim != 1 or len(labels) != len(samples) or not len(labels):
        raise InputError(f"{samples.shape} samples and {labels.shape} labels do not fit", where)
    if labels.dtype.kind not in "iu":
        raise InputError(f"labels are {labels.dtype}, not whole numbers", where)
    samples = np.require(samples, np.float32, ["C", "W"])  # as PyTorch shares the memory
    if not np.isfinite(samples).all():
        raise InputError("a sample holds a number that is not finite", where)
    return samples, labels.astype(np.int64)
