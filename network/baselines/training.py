"""Training the networks of PyTorch on one thread, within a limit of time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ddkbase.errors import InputError, Interrupted, SolverError
from network import baselines
from network.baselines.pytorch import nn, torch
from network.baselines.trained import Scale, Threads, Trained, logits

if TYPE_CHECKING:
    import xarray as xr

    from network.model.trainer import EpochEvent

__all__ = ["train"]

_NAMES = {
    "loss": ("nat", "cross-entropy of the training batches"),
    "accuracy": ("1", "accuracy on the training batches"),
    "validation_loss": ("nat", "cross-entropy of the validation set"),
    "validation_accuracy": ("1", "accuracy on the validation set"),
    "rate": ("1", "learning rate"),
    "share": ("1", "share of the samples that the epoch saw"),
    "seconds": ("s", "time since the start of training"),
}


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
        from network.model.trainer import split_off

        kept, out = split_off(y, float(validation), rng)
        held, x, y = (x[out], y[out]), x[kept], y[kept]
    if epochs < 1 or batch_size < 1 or (time_limit is not None and not time_limit > 0):
        raise InputError(
            f"{epochs} epochs, batch size {batch_size}, time limit {time_limit} s", name
        )
    if schedule not in (None, "cosine"):
        raise InputError(f"schedule {schedule!r} is not known", name, "None or 'cosine'")
    number = int(y.max()) + 1 if classes is None else int(classes)
    if y.min() < 0 or y.max() >= number or (held is not None and held[1].max() >= number):
        raise InputError(f"labels are not all within 0..{number - 1}", "y")
    scale = Scale.of(name, x) if standardise else Scale()
    x = scale(x)
    held = None if held is None else (scale(held[0]), held[1])
    all_sizes = {**baselines.sizes_for(name, x.shape[1:], number), **sizes}
    with Threads(threads), torch.random.fork_rng(devices=[]):
        model = baselines.build(name, seed=seed, **all_sizes)
        torch.manual_seed(seed)
        run = _Run(model, x, y, held, rng, batch_size, rate, weight_decay, schedule == "cosine")
        done, stopped = _go(run, name, epochs, time_limit, progress)
        count = baselines.count_model(model, x.shape[1:])
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
    from network.model.trainer import EpochEvent

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
            found = self.model(self.x[indices])
            loss = nn.functional.cross_entropy(found, target)
            loss.backward()
            self.optimiser.step()
            seen += len(batch)
            loss_sum += float(loss.detach()) * len(batch)
            hits += int((found.detach().argmax(dim=1) == target).sum())
        if not seen:
            return None
        row = {"loss": loss_sum / seen, "accuracy": hits / seen}
        if self.held is not None:
            found = logits(self.model, self.held[0])
            target = torch.from_numpy(self.held[1])
            row["validation_loss"] = float(nn.functional.cross_entropy(found, target))
            row["validation_accuracy"] = float((found.argmax(dim=1) == target).double().mean())
        row |= {"rate": float(rate), "share": seen / len(self.x), "seconds": self.seconds}
        self.rows.append(row)
        return row

    def history(self) -> xr.Dataset:
        """What was gathered so far."""
        import xarray as xr

        from ddkbase.records import label

        variables = {
            name: label([row[name] for row in self.rows], "epoch", *words)
            for name, words in _NAMES.items()
            if self.rows and name in self.rows[0]
        }
        numbers = label(np.arange(1, len(self.rows) + 1), "epoch", "1", "epoch")
        return xr.Dataset(variables, {"epoch": numbers}, {"samples": len(self.x)})


def _checked(
    name: str, x: np.ndarray, y: np.ndarray, where: str, word_axis: int
) -> tuple[np.ndarray, np.ndarray]:
    found = baselines.arrange(name, np.asarray(x), word_axis=word_axis)
    labels = np.asarray(y)
    if labels.ndim != 1 or len(labels) != len(found) or not len(labels):
        raise InputError(f"{found.shape} samples and {labels.shape} labels do not fit", where)
    if labels.dtype.kind not in "iu":
        raise InputError(f"labels are {labels.dtype}, not whole numbers", where)
    found = np.require(found, np.float32, ["C", "W"])  # as PyTorch shares the memory
    if not np.isfinite(found).all():
        raise InputError("a sample holds a number that is not finite", where)
    return found, labels.astype(np.int64)
