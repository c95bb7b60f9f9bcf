"""Banks of pairs over one batch of samples, there and back: the arithmetic of a DDK layer.

`network.DDKLayer` and `network.pytorch.DDKModule` both run on it, so that their states and
gradients are the same numbers.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from network.ddk import kinetics as ddk
from network.ddk.layout import reduce_to

__all__ = ["Banks", "Trace"]


@dataclass(frozen=True)
class Trace:
    """What the way back needs of the way there.

    Attributes
    ----------
    series : ndarray
        The samples as the kernels read them; the samples themselves where they need no turning.
    states : list of ndarray
        All states of each bank, axes as those of ``series``.
    pairs : list of (ndarray, ndarray)
        alpha and beta of each bank, broadcasting against ``series``.
    """

    series: np.ndarray
    states: list[np.ndarray]
    pairs: list[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Banks:
    """Shapes and options of a DDK layer, and what it does with samples and pairs.

    Attributes
    ----------
    steps : int
        Samples along the time axis, the last one.
    channels : tuple of int
        The axes between batch and time.
    pair_shape : tuple of int
        ``(banks, *channels or 1, steps or 1)``, the shape of alpha and of beta.
    read : slice
        The steps that are read.
    dynamics : mapping
        Options of `network.ddk.forward`: integrator, form, initial, dt, states, backend.
    """

    steps: int
    channels: tuple[int, ...]
    pair_shape: tuple[int, ...]
    read: slice
    dynamics: Mapping[str, Any]

    @functools.cached_property
    def steps_read(self) -> int:
        """How many steps are read."""
        return len(range(*self.read.indices(self.steps)))

    def forward(self, x: np.ndarray, alpha: Any, beta: Any) -> tuple[np.ndarray, Trace]:
        """States at the read steps, and what `backward` needs.

        Parameters
        ----------
        x : ndarray, shape `(batch, *channels, steps)`
            Samples.
        alpha, beta : ndarray
            The pairs, of ``pair_shape`` or with the batch before it.

        Returns
        -------
        y : ndarray, shape `(batch, [banks,] *channels, steps_read)`
            The states; may share memory with those of the trace.
        trace : Trace
            For `backward`.
        """
        series = self._turned(x)  # once for all banks, and for the way back
        banks = range(self.pair_shape[0])
        pairs = [(self._of_bank(alpha, k), self._of_bank(beta, k)) for k in banks]
        states = [ddk.forward(series, *pair, axis=self._axis, **self.dynamics) for pair in pairs]
        read = [self._time_last(y)[..., self.read] for y in states]
        y = read[0] if len(read) == 1 else np.stack(read, axis=1)
        return y, Trace(series, states, pairs)

    def backward(
        self, gradient: np.ndarray, trace: Trace, *, by_x: bool = True
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Derivatives of sum(gradient * y).

        Parameters
        ----------
        gradient : ndarray, shape `(batch, [banks,] *channels, steps_read)`
            Gradient of the loss by the states.
        trace : Trace
            What `forward` returned.
        by_x : bool, default True
            Whether the derivative by the samples is needed.

        Returns
        -------
        by_pair : ndarray, shape `(2, *pair_shape)`
            By alpha and by beta, float64.
        by_samples : ndarray or None
            By x, of its shape and dtype, contiguous; None where it was not asked for.
        """
        by_pair = np.zeros((2, *self.pair_shape))
        total: np.ndarray | None = None
        for bank, (y, (alpha, beta)) in enumerate(zip(trace.states, trace.pairs, strict=True)):
            of_bank = gradient[:, bank] if self.pair_shape[0] > 1 else gradient
            if self.steps_read < self.steps:
                whole = np.zeros_like(y)
                self._time_last(whole)[..., self.read] = of_bank
                of_bank = whole
            slopes = ddk.backward(
                of_bank,
                trace.series,
                y,
                alpha,
                beta,
                axis=self._axis,
                by_x=by_x,
                **self.dynamics,
            )
            for target, by_value in zip(by_pair, (slopes.alpha, slopes.beta), strict=True):
                by_value = self._time_last(by_value)
                target[bank] = reduce_to(by_value, (1, *self.pair_shape[1:]))[0]
            if slopes.x is not None:
                total = slopes.x if total is None else total + slopes.x
        if total is not None:
            total = np.ascontiguousarray(self._time_last(total))
        return by_pair, total

    @property
    def _axis(self) -> int:
        """The time axis of what the kernels see.

        They are fastest where it comes first, at the price of turning samples, states and gradients
        round: that pays where most states are not read.
        """
        return 0 if 4 * self.steps_read <= self.steps else -1

    def _turned(self, x: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(np.moveaxis(x, -1, self._axis)) if self._axis == 0 else x

    def _of_bank(self, value: Any, bank: int) -> np.ndarray:
        """alpha or beta of one bank, broadcasting against samples as `_turned` lays them."""
        ndim = 3 + len(self.channels)
        full = np.asarray(value)
        full = full.reshape((1,) * (ndim - full.ndim) + full.shape)
        of_bank = full[:, bank if full.shape[1] > 1 else 0]
        return np.moveaxis(of_bank, -1, 0) if self._axis == 0 else of_bank

    def _time_last(self, array: np.ndarray) -> np.ndarray:
        """What the kernels see with time as the last axis; a call for nothing is not for nothing
        where samples are short."""
        return np.moveaxis(array, 0, -1) if self._axis == 0 else array
