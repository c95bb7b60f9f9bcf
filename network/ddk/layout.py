"""How the arrays of a call become the (time, rows, columns) arrays of the kernels, and back."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ddkbase.errors import InputError, shorten

__all__ = ["Layout", "numbers", "reduce_to"]


def numbers(value: Any, name: str) -> np.ndarray:
    """An array of real numbers, or an InputError about ``name``."""
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise InputError(f"{shorten(value)} is no array of real numbers", name)
    return array


@dataclass(frozen=True)
class Layout:
    """Shapes of one call: of the result, of the time axis in it, and how leading axes merge.

    Attributes
    ----------
    shape : tuple of int
        Shape of the result, axes in the caller's order.
    axis : int
        The time axis in it, negative.
    shared : int
        How many leading axes (time taken out) alpha and beta do not vary along.
    dtype : numpy.dtype
        float32 or float64.
    """

    shape: tuple[int, ...]
    axis: int
    shared: int
    dtype: np.dtype

    @classmethod
    def of(cls, x: np.ndarray, alpha: np.ndarray, beta: np.ndarray, axis: int) -> Layout:
        """Check the shapes against each other. Raises InputError."""
        return _layout(x.shape, x.dtype, alpha.shape, beta.shape, axis)

    @functools.cached_property
    def lead(self) -> tuple[int, ...]:
        """Shape of the result without time."""
        return _lead(self.shape, len(self.shape), self.axis)

    def full(self, array: np.ndarray) -> np.ndarray:
        """An array of the result's shape."""
        return array if array.shape == self.shape else np.broadcast_to(array, self.shape)

    def time_first(self, array: np.ndarray) -> np.ndarray:
        """A view with the time axis first."""
        axes = [*range(array.ndim)]
        return array.transpose(axes.pop(self.axis), *axes)

    def time_back(self, array: np.ndarray) -> np.ndarray:
        """A view with the first axis where time belongs."""
        axes = [*range(1, array.ndim)]
        axes.insert(array.ndim + self.axis, 0)
        return array.transpose(axes)

    def split(self, arrays: Sequence[np.ndarray]) -> int:
        """How many leading axes become rows so that all `arrays` can be seen without a copy."""
        moved = [self.time_first(a) for a in arrays]
        for k in range(self.shared, -1, -1):
            if all(_merges(a, 1, 1 + k) and _merges(a, 1 + k, a.ndim) for a in moved):
                return k
        return self.shared

    def sequences(self, array: np.ndarray, split: int) -> np.ndarray:
        """An array of the full shape as (T, N, P); a view where its memory allows."""
        lead = self.lead
        shape = (self.shape[self.axis], math.prod(lead[:split]), math.prod(lead[split:]))
        return self.time_first(array).reshape(shape)

    def coefficient(self, array: np.ndarray, split: int) -> np.ndarray:
        """alpha or beta as (T or 1, 1, P or 1), contiguous, of the layout's dtype."""
        if array.size == 1:
            return array.reshape(1, 1, 1).astype(self.dtype)
        full = array.reshape((1,) * (len(self.shape) - array.ndim) + array.shape)
        moved = self.time_first(full)
        lead = (1,) if max(moved.shape[1:], default=1) == 1 else self.lead[split:]
        if lead != (1,):
            varied = moved.reshape(moved.shape[0], *moved.shape[1 + split :])
            moved = np.broadcast_to(varied, (moved.shape[0], *self.lead[split:]))
        return np.ascontiguousarray(moved.reshape(moved.shape[0], 1, -1), self.dtype)

    def start(self, initial: np.ndarray, split: int) -> np.ndarray:
        """The first state as (N, P); broadcasts against the result without its time axis."""
        lead = self.lead
        rows, columns = math.prod(lead[:split]), math.prod(lead[split:])
        if not initial.ndim:
            return np.full((rows, columns), initial, self.dtype)
        try:
            full = np.broadcast_to(initial, lead)
        except ValueError:
            raise InputError(
                f"shape {initial.shape} does not fit {lead}",
                "initial",
                "It broadcasts against x without the time axis",
            ) from None
        return np.ascontiguousarray(full.reshape(rows, columns), self.dtype)

    def empty_like(self, array: np.ndarray) -> np.ndarray:
        """A new array of the result's shape, time-major in memory where `array` is."""
        moved = self.time_first(array)
        if array.shape == self.shape and moved.flags.c_contiguous:
            return self.time_back(np.empty(moved.shape, self.dtype))
        return np.empty(self.shape, self.dtype)

    def coefficient_gradient(self, total: np.ndarray, shape: tuple[int, ...], split: int) -> Any:
        """The kernels' sums (T or 1, 1, P or 1) as an array of the caller's shape."""
        if total.size == 1 == math.prod(shape):
            return total.reshape(shape)
        lead = (1,) if total.shape[2] == 1 else self.lead[split:]
        full = total.reshape(total.shape[0], *(1,) * (len(self.lead) - len(lead)), *lead)
        return reduce_to(self.time_back(full), shape)


@functools.lru_cache(maxsize=64)  # a training asks for the same few thousands of times
def _layout(
    of_x: tuple[int, ...],
    dtype: np.dtype,
    of_alpha: tuple[int, ...],
    of_beta: tuple[int, ...],
    axis: int,
) -> Layout:
    """See `Layout.of`; only shapes and the dtype of x count."""
    ndim = len(of_x)
    if ndim == 0:
        raise InputError("needs an axis of time steps", "x", "Give at least [x]")
    if not -ndim <= axis < ndim:
        raise InputError(f"axis {axis} does not exist in an array {of_x}", "axis")
    axis = axis if axis < 0 else axis - ndim
    try:
        shape = np.broadcast_shapes(of_x, of_alpha, of_beta)
    except ValueError:
        shape = ()
    if not shape or shape[axis] != of_x[axis]:
        raise InputError(
            f"shapes {of_x}, {of_alpha} and {of_beta} do not match",
            "x, alpha, beta",
            "alpha and beta broadcast against x; their time axis has one value or one a step",
        )
    leads = [_lead(v, len(shape), axis) for v in (of_alpha, of_beta)]
    varied = [i for lead in leads for i, n in enumerate(lead) if n > 1]
    small = np.dtype(np.float32 if dtype in (np.float16, np.float32) else np.float64)
    return Layout(shape, axis, min(varied, default=len(shape) - 1), small)


def reduce_to(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Sum an array over the axes along which one of ``shape`` was broadcast to it."""
    extra = array.ndim - len(shape)
    if extra > 0:
        array = array.sum(axis=tuple(range(extra)))
    wide = tuple(i for i, n in enumerate(shape) if n == 1 and array.shape[i] > 1)
    return array.sum(axis=wide, keepdims=True) if wide else array


def _lead(shape: tuple[int, ...], ndim: int, axis: int) -> tuple[int, ...]:
    full = [1] * (ndim - len(shape)) + list(shape)
    del full[axis]
    return tuple(full)


def _merges(array: np.ndarray, first: int, last: int) -> bool:
    """Whether the axes first..last-1 can be seen as one without a copy."""
    axes = [i for i in range(first, last) if array.shape[i] > 1]
    return all(
        array.strides[i] == array.strides[j] * array.shape[j] for i, j in itertools.pairwise(axes)
    )
