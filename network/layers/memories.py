"""Memories read once, at the end of a sequence: what a DDK bank of few reads is held against.

`Memory` gives each series as many numbers as there are banks, as a `DDKLayer` with
``readout="last"`` does. But for "saturating" and "squares" these are weighted sums of the samples,
so that a kernel is the whole of the layer:

=============  =====================================================================
`kernel`       what is read
=============  =====================================================================
"leaky"        y[k] = d y[k-1] + (1 - d) x[k], d = exp(-1/time constant)
"saturating"   y[k] = tanh(d y[k-1] + drive x[k])
"squares"      half of the banks leaky of x, the others of x^2
"diagonal"     real and imaginary part of z[k] = exp(-1/slowest + i w) z[k-1] + x[k], as
               the states of diagonal state-space models (S4D: Gu et al., NeurIPS 2022;
               LRU: Orvieto et al., ICML 2023), w odd multiples of pi/period
"segments"     means over equal segments
"taps"         samples at equal distances, the last one among them
"cosine"       the first terms of the discrete cosine transform over time
"weights"      sums with weights that are given
=============  =====================================================================

Time constants are log-spaced from `fastest` to `slowest`, in steps. "segments", "cosine" and
"weights" need more than one state a number while the sequence lasts, or a buffer of all of it; they
say what a linear memory could reach at best, and not what a device costs.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from ddkbase.errors import InputError, closest
from network.layers.feature_layer import FeatureLayer

Array = np.ndarray[Any, np.dtype[Any]]

__all__ = ["KERNELS", "Memory"]

KERNELS = (
    "leaky",
    "saturating",
    "squares",
    "diagonal",
    "segments",
    "taps",
    "cosine",
    "weights",
)

#: multiply-accumulate operations of a step and bank, as a recursion in time
_MACS = {"leaky": 2, "saturating": 2, "squares": 2, "diagonal": 3, "segments": 1, "taps": 0}


class Memory(FeatureLayer):
    """As many numbers of each series as there are banks, read at its end; see the module.

    Parameters
    ----------
    steps : int
        Samples along the time axis, the last one.
    channels : int, sequence of int or None, optional
        The axes before the time axis.
    kernel : str, default "leaky"
        What is read, one of `KERNELS`.
    fastest : float, default 2.0
        Shortest time constant, in steps, > 0.
    slowest : float or None, optional
        Longest time constant, in steps; by default the number of steps. A single bank has it.
    period : float or None, optional
        Of "diagonal": steps of a turn of the slowest mode; by default twice the steps.
    drive : float, default 0.3
        Of "saturating": what a sample adds before the saturation, > 0.
    weights : array_like, shape (banks, steps), or None, optional
        Of "weights": what each sample counts.
    banks : int, default 1
        How many numbers are read of a series.
    readout : {"last"}, default "last"
        Other readouts are refused.
    **options : object
        Further parameters of `FeatureLayer`.

    Raises
    ------
    InputError
        An unknown kernel, a number out of range, or a readout other than "last".
    """

    kind = "memory"

    def __init__(
        self,
        steps: int,
        channels: int | Sequence[int] | None = None,
        *,
        kernel: str = "leaky",
        fastest: float = 2.0,
        slowest: float | None = None,
        period: float | None = None,
        drive: float = 0.3,
        weights: Any = None,
        banks: int = 1,
        readout: Any = "last",
        **options: Any,
    ) -> None:
        super().__init__(steps, channels, banks=banks, readout=readout, **options)
        if kernel not in KERNELS:
            raise InputError(f"unknown kernel '{kernel}'", "memory", closest(str(kernel), KERNELS))
        if readout != "last":
            raise InputError("it is read once, at the end", "readout", "Use 'last'")
        slowest = float(steps) if slowest is None else float(slowest)
        period = 2.0 * steps if period is None else float(period)
        if not (0 < fastest <= slowest and np.isfinite(slowest) and period > 0 and drive > 0):
            raise InputError(
                f"time constants {fastest} to {slowest}, period {period}, drive {drive}",
                "memory",
                "Use 0 < fastest <= slowest, and a period and a drive above 0",
            )
        if kernel in ("segments", "taps", "cosine") and banks > steps:
            raise InputError(f"{banks} banks of {steps} steps", "memory", "Use fewer banks")
        self.kernel, self.drive = kernel, float(drive)
        given = None if weights is None else np.asarray(weights, float)
        if (kernel == "weights") != (given is not None):
            raise InputError("weights belong to the kernel 'weights'", "memory")
        if given is not None and given.shape != (self.banks, self.steps):
            raise InputError(f"weights of shape {given.shape}", "memory", "(banks, steps)")
        self._options |= {"kernel": kernel, "fastest": float(fastest), "slowest": slowest}
        self._options |= {"period": period, "drive": self.drive}
        self._options["weights"] = None if given is None else given.tolist()
        self._keep = _keep(self.banks, float(fastest), slowest)
        self._weights = self._kernel(given, slowest, period)

    def _kernel(self, given: Array | None, slowest: float, period: float) -> Array | None:
        """What each sample counts, (banks, steps); None of "saturating"."""
        if given is not None:
            return given
        past = np.arange(self.steps)[::-1].astype(float)
        numbers = np.arange(self.banks)
        if self.kernel == "saturating":
            return None
        if self.kernel == "squares":
            half = -(-self.banks // 2)
            keep = _keep(half, self._options["fastest"], slowest)
            keep = np.concatenate([keep, keep])[: self.banks, None]
            return np.asarray((1 - keep) * keep**past)
        if self.kernel == "leaky":
            return np.asarray((1 - self._keep[:, None]) * self._keep[:, None] ** past)
        if self.kernel == "diagonal":
            turn = np.pi * (2 * (numbers // 2) + 1)[:, None] / period
            wave = np.where(numbers[:, None] % 2, np.sin(turn * past), np.cos(turn * past))
            return np.asarray(wave * np.exp(-past / slowest) / slowest)
        if self.kernel == "cosine":
            at = (np.arange(self.steps) + 0.5) / self.steps
            return np.asarray(np.cos(np.pi * numbers[:, None] * at) / self.steps)
        weights = np.zeros((self.banks, self.steps))
        edges = np.linspace(0, self.steps, self.banks + 1).round().astype(int)
        for bank, (begin, end) in enumerate(itertools.pairwise(edges)):
            if self.kernel == "segments":
                weights[bank, begin:end] = 1 / (end - begin)
            else:
                weights[bank, end - 1] = 1
        return weights

    @property
    def _squared(self) -> slice:
        """The banks that read x^2."""
        return slice(-(-self.banks // 2), self.banks) if self.kernel == "squares" else slice(0, 0)

    def _series(self, x: Array, rng: np.random.Generator | None, realise: Any) -> Array:
        if self._weights is None:
            read = self._saturated(x)
        else:
            weights = self._weights.astype(x.dtype)
            read = np.moveaxis(x @ weights.T, -1, 1)
            squared = self._squared
            if squared.start < squared.stop:
                read[:, squared] = np.moveaxis((x * x) @ weights[squared].T, -1, 1)
            self._kept = x
        # the base takes the last step, so every step may show what is read there
        return np.broadcast_to(read[..., None], (*read.shape, self.steps))

    def _saturated(self, x: Array) -> Array:
        shape = (1, self.banks, *(1,) * len(self.channels))
        keep = self._keep.astype(x.dtype).reshape(shape)
        states = np.zeros((self.steps + 1, len(x), self.banks, *self.channels), x.dtype)
        samples = np.ascontiguousarray(np.moveaxis(x, -1, 0))[:, :, None]
        for k in range(self.steps):
            np.multiply(states[k], keep, out=states[k + 1])
            states[k + 1] += x.dtype.type(self.drive) * samples[k]
            np.tanh(states[k + 1], out=states[k + 1])
        self._kept = states
        return states[-1]

    def _transposed(self, gradient: Array) -> Array:
        by_read = gradient[..., -1]
        if self._weights is None:
            return self._through_saturation(by_read)
        x, weights = self._recall(), self._weights.astype(gradient.dtype)
        squared = self._squared
        linear = np.ones(self.banks, bool)
        linear[squared] = False
        by_x = np.moveaxis(by_read[:, linear], 1, -1) @ weights[linear]
        if not linear.all():
            by_x += 2 * x * (np.moveaxis(by_read[:, squared], 1, -1) @ weights[squared])
        return np.asarray(by_x)

    def _through_saturation(self, by_read: Array) -> Array:
        states = self._recall()
        keep = self._keep.astype(by_read.dtype).reshape(1, self.banks, *(1,) * len(self.channels))
        by_x = np.empty((self.steps, len(by_read), *self.channels), by_read.dtype)
        adjoint = by_read
        for k in range(self.steps - 1, -1, -1):
            inner = adjoint * (1 - states[k + 1] ** 2)
            by_x[k] = by_read.dtype.type(self.drive) * inner.sum(axis=1)
            adjoint = inner * keep
        return np.moveaxis(by_x, 0, -1)

    def _macs(self) -> int:
        each = _MACS.get(self.kernel, 1)
        return each * self.steps * self.banks * self._channel_count


def _keep(banks: int, fastest: float, slowest: float) -> Array:
    """exp(-1/time constant) of log-spaced ones; of a single bank the slowest."""
    constants = np.geomspace(fastest, slowest, banks) if banks > 1 else np.array([slowest])
    return np.asarray(np.exp(-1 / constants))
