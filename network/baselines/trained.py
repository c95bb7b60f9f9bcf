"""A trained network of PyTorch with what its training was like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from network.baselines.pytorch import torch
from network.counting.count import Count

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Scale", "Threads", "Trained", "logits"]


@dataclass(frozen=True)
class Scale:
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
    def of(cls, name: str, x: np.ndarray) -> Scale:
        """From the training samples of a network.

        Parameters
        ----------
        name : str
            One of `baselines.NAMES`; for texts each dimension has its own numbers.
        x : ndarray, shape `(samples, *sample)`
            The samples.
        """
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
    scale : Scale, optional
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
    scale: Scale = field(default_factory=Scale, repr=False)
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
        with Threads(self.threads):
            found = torch.softmax(logits(self.model, self.scale(np.asarray(x, np.float32))), dim=1)
        return np.asarray(found.numpy())

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


class Threads:
    """PyTorch on so many threads within the block, and as before after it.

    Parameters
    ----------
    threads : int
        Number of threads of the operations.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads

    def __enter__(self) -> None:
        self.before = torch.get_num_threads()
        torch.set_num_threads(self.threads)

    def __exit__(self, *error: object) -> None:
        torch.set_num_threads(self.before)


def logits(model: Any, x: np.ndarray, batch: int = 256) -> Any:
    """Outputs of a model that is not training.

    Parameters
    ----------
    model : torch.nn.Module
        A ``torch.nn.Module``.
    x : ndarray, shape `(samples, *sample)`
        The samples as float32.
    batch : int, default 256
        Samples that are computed at once.

    Returns
    -------
    torch.Tensor, shape (samples, classes)
        Logits of the samples.
    """
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            parts = [
                model(torch.from_numpy(np.require(x[start : start + batch], None, ["C", "W"])))
                for start in range(0, len(x), batch)
            ]
    finally:
        model.train(training)
    return torch.cat(parts)
