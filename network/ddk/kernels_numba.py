"""The twins of `network.ddk.kernels_numpy`, compiled by Numba; same arguments, same results.

One pass over memory forward and one backward, a row of sequences at a time, one thread. Arrays that
are time-major in memory are worked on where they lie, all others in tiles that are copied into
cache. Compiled code is kept in Numba's cache folder where one can be written.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import types

from network.ddk import kernels_numpy
from network.ddk.compiled import compiled
from network.ddk.kernels_compiled import backward_flat, backward_tiled, forward_flat, forward_tiled

__all__ = ["backward", "forward"]


class _Kernels(NamedTuple):
    """The loops of `network.ddk.kernels_compiled` for one dtype."""

    forward_flat: Callable[..., None]
    forward_tiled: Callable[..., None]
    backward_flat: Callable[..., np.ndarray]
    backward_tiled: Callable[..., None]


@functools.cache
def _kernels(kind: str) -> _Kernels:
    """Compile, or read from Numba's cache, what computes in "float32" or "float64".

    One signature each, whatever the strides and whether arrays may be written to: without it every
    new combination would be compiled anew, for seconds.
    """
    real = getattr(types, kind)

    def array(ndim: int, layout: str = "A", changed: bool = False, of: Any = real) -> Any:
        made: Any = types.Array
        return made(of, ndim, layout, readonly=not changed)

    row, pair = array(1, "C"), (array(2), array(2))
    sums = (array(2, "A", True, types.float64),) * 2
    flat, flat_out = array(2, "C"), array(2, "C", True)
    deep, deep_out = array(3), array(3, "A", True)
    yes = types.boolean
    return _Kernels(
        compiled(forward_flat, types.void(flat, flat_out, *pair, row, yes)),
        compiled(forward_tiled, types.void(deep, deep_out, *pair, array(2), yes)),
        compiled(
            backward_flat,
            array(1, "C", True)(flat, flat, flat, flat_out, *pair, row, *sums, yes, yes),
        ),
        compiled(
            backward_tiled,
            types.void(
                *(deep,) * 3, deep_out, *pair, array(2), *sums, array(2, "A", True), yes, yes
            ),
        ),
    )


def forward(
    x: np.ndarray,
    y: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    start: np.ndarray,
    integrator: str,
) -> None:
    """See `network.ddk.kernels_numpy.forward`; "implicit" and "explicit" only."""
    is_implicit = integrator == "implicit"
    coefficients = a[:, 0], b[:, 0]
    loops = _kernels(x.dtype.name)
    flat = [_time_major(v) for v in (x, y)]
    if flat[0] is not None and flat[1] is not None:
        loops.forward_flat(flat[0], flat[1], *coefficients, start.reshape(-1), is_implicit)
    else:
        loops.forward_tiled(x, y, *coefficients, start, is_implicit)


def backward(
    gradient: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    start: np.ndarray,
    integrator: str,
    by_x: np.ndarray | None,
    by_a: np.ndarray,
    by_b: np.ndarray,
    by_start: np.ndarray,
) -> None:
    """See `network.ddk.kernels_numpy.backward`; "implicit" and "explicit" only."""
    if integrator == "implicit" and not (a > 0).all():  # rare, and needs the states before as well
        kernels_numpy.backward(gradient, x, y, a, b, start, integrator, by_x, by_a, by_b, by_start)
        return
    wanted = by_x is not None
    to = by_x if by_x is not None else np.empty((1, *x.shape[1:]), x.dtype)
    choice = (integrator == "implicit", wanted)
    sums = by_a[:, 0], by_b[:, 0]
    loops = _kernels(x.dtype.name)
    flat = [_time_major(v) for v in (gradient, x, y, to)]
    if all(v is not None for v in flat):
        by_start[...] = loops.backward_flat(
            *flat, a[:, 0], b[:, 0], start.reshape(-1), *sums, *choice
        ).reshape(by_start.shape)
    else:
        loops.backward_tiled(gradient, x, y, to, a[:, 0], b[:, 0], start, *sums, by_start, *choice)


def _time_major(array: np.ndarray) -> np.ndarray | None:
    """(T, N, P) as (T, N P) where that is how it lies in memory."""
    return array.reshape(array.shape[0], -1) if array.flags.c_contiguous else None
