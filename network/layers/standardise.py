"""Standardising features by the statistics of a batch, and by re-estimated ones afterwards."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from ddkbase.errors import InputError
from network.counting.count import Count
from network.layers.base import BaseLayer, Realisation, compiled_kernels

__all__ = ["Moments", "Standardise"]


class Moments:
    """Mean and variance per feature, gathered over any number of batches in float64."""

    def __init__(self, features: int) -> None:
        self.count = 0
        self.mean = np.zeros(features)
        self._squares = np.zeros(features)

    def add(self, x: np.ndarray) -> None:
        """Add rows; the last axis of x holds the features (Chan, Golub, LeVeque 1983)."""
        rows = x.reshape(-1, x.shape[-1])
        if not rows.shape[0]:
            return
        mean = rows.mean(0, dtype=np.float64)
        deviation = rows - mean.astype(rows.dtype)
        # the second term takes out what rounding the mean to the dtype of x has put in
        squares = np.einsum("ij,ij->j", deviation, deviation).astype(np.float64)
        squares -= rows.shape[0] * (mean - mean.astype(rows.dtype)) ** 2
        total = self.count + rows.shape[0]
        step = mean - self.mean
        self.mean += step * (rows.shape[0] / total)
        self._squares += np.maximum(squares, 0)
        self._squares += step**2 * (self.count * rows.shape[0] / total)
        self.count = total

    @property
    def variance(self) -> np.ndarray:
        """Of the population, (features,)."""
        return self._squares / max(self.count, 1)


class Standardise(BaseLayer):
    """``(x - mean) / sqrt(variance + eps)`` for each feature, i.e. each place on the last axis.

    In training the statistics are those of the batch (all axes but the last); a running mean of
    them serves afterwards, until `reestimate` or `Network.reestimate` replaces it by the
    statistics of a whole set. That matters after training, while the features have moved, and on a
    device whose alpha and beta differ from the trained ones; it needs no labels.

    At inference the statistics fold into the dense layer that follows (`Network.folded`), so they
    count as no parameter and no operation.

    Parameters
    ----------
    eps : float, default 1e-3
        Added to the variance; keeps features that hardly vary from being blown up.
    affine : bool, default False
        Whether a gain and an offset per feature are trained; they count as parameters.
    momentum : float, default 0.1
        Share of the running statistics that a batch replaces.
    name : str, default ""
        Name in its network.
    """

    kind = "standardise"

    def __init__(
        self,
        *,
        eps: float = 1e-3,
        affine: bool = False,
        momentum: float = 0.1,
        name: str = "",
    ) -> None:
        super().__init__(name)
        if not eps > 0 or not 0 < momentum <= 1:
            raise InputError(
                f"eps {eps}, momentum {momentum}", name or self.kind, "eps > 0, 0 < momentum <= 1"
            )
        self.eps, self.affine, self.momentum = float(eps), bool(affine), float(momentum)

    def build(self, input_shape: tuple[int, ...], rng: np.random.Generator) -> None:
        """Mean 0, variance 1, and where asked for gain 1, offset 0; nothing is drawn.

        Raises
        ------
        InputError
            ``input_shape`` has no axis of features.
        """
        if not input_shape:
            raise InputError("there is no axis of features", self.name or self.kind)
        features = input_shape[-1]
        self.buffers["mean"], self.buffers["variance"] = np.zeros(features), np.ones(features)
        if self.affine:
            self.parameters["gain"] = np.ones(features)
            self.parameters["offset"] = np.zeros(features)

    def forward(
        self,
        x: np.ndarray,
        *,
        training: bool = False,
        rng: np.random.Generator | None = None,
        realise: Realisation | None = None,
    ) -> np.ndarray:
        """x standardised; in training by its own statistics, which also move the running ones."""
        if training:
            rows = x.reshape(-1, x.shape[-1])
            kernels = _kernels(rows)
            if kernels is None:
                mean = rows.mean(0)
                y = rows - mean
                variance = np.einsum("ij,ij->j", y, y) / x.dtype.type(rows.shape[0])
                scale = 1 / np.sqrt(variance + x.dtype.type(self.eps))
                y *= scale
            else:
                y = np.empty_like(rows)
                mean, variance, scale = (np.empty(rows.shape[1], rows.dtype) for _ in range(3))
                kernels.standardise(rows, self.eps, y, mean, variance, scale)
            self._follow(mean, variance)
            self._kept = y, scale
            y = y.reshape(x.shape)
        else:
            scale = 1 / np.sqrt(self.buffers["variance"] + self.eps)
            shift = -self.buffers["mean"] * scale
            y = x * scale.astype(x.dtype)
            y += shift.astype(x.dtype)
        if self.affine:
            y = y * self.parameters["gain"] + self.parameters["offset"]
        return y

    def backward(self, gradient: np.ndarray) -> np.ndarray | None:
        """Through the statistics of the batch as well (Ioffe and Szegedy, ICML 2015)."""
        y, scale = self._recall()
        rows = gradient.reshape(y.shape)
        if self.affine:
            self.gradients["gain"] = np.einsum("ij,ij->j", rows, y)
            self.gradients["offset"] = rows.sum(0)
            rows = rows * self.parameters["gain"]
        if self.first:
            return None
        kernels = _kernels(rows, y)
        if kernels is not None:
            result = np.empty_like(y)
            kernels.standardise_back(rows, y, scale, result)
            return result.reshape(gradient.shape)
        n = y.dtype.type(1 / y.shape[0])
        along = np.einsum("ij,ij->j", rows, y) * n
        across = rows.mean(0)
        result = y * (-along)
        result += rows
        result -= across
        result *= scale
        return result.reshape(gradient.shape)

    def reestimate(self, x: np.ndarray) -> None:
        """Take the statistics of ``x`` (samples, ..., features) for the running ones."""
        moments = Moments(x.shape[-1])
        moments.add(x)
        self.set_statistics(moments)

    def set_statistics(self, moments: Moments) -> None:
        """Take gathered statistics for the running ones; ``moments`` of no rows change nothing."""
        if moments.count:
            self.buffers["mean"][...] = moments.mean
            self.buffers["variance"][...] = moments.variance

    def affine_map(self) -> tuple[np.ndarray, np.ndarray]:
        """Factor and shift per feature, float64, that the layer amounts to at inference."""
        scale = 1 / np.sqrt(self.buffers["variance"].astype(float) + self.eps)
        shift = -self.buffers["mean"].astype(float) * scale
        if self.affine:
            gain = self.parameters["gain"].astype(float)
            scale, shift = scale * gain, shift * gain + self.parameters["offset"]
        return scale, shift

    def config(self) -> dict[str, Any]:
        """See `Layer.config`."""
        return {
            "eps": self.eps,
            "affine": self.affine,
            "momentum": self.momentum,
            "name": self.name,
        }

    def count(self, input_shape: tuple[int, ...]) -> Count:
        """None without `affine`: the statistics fold into the next dense layer."""
        return Count(2 * input_shape[-1] if self.affine else 0, 0)

    def _follow(self, mean: np.ndarray, variance: np.ndarray) -> None:
        for key, new in (("mean", mean), ("variance", variance)):
            old = self.buffers[key]
            old += self.momentum * (new - old)


def _kernels(*arrays: np.ndarray) -> ModuleType | None:
    """The compiled loops, where they are there and take such arrays."""
    of = arrays[0].dtype
    taken = all(v.flags.c_contiguous and v.size and v.dtype == of for v in arrays)
    return compiled_kernels() if taken and of in (np.float32, np.float64) else None
