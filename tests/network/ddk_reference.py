"""The kinetics step by step, for arrays that may be complex: what the kernels must equal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from compact.kinetics.steps import INTEGRATORS


def states(
    x: np.ndarray,
    alpha: Any,
    beta: Any,
    initial: Any = 1.0,
    *,
    integrator: str = "implicit",
    form: str = "reset",
    dt: float = 1.0,
    states: str = "after",
) -> np.ndarray:
    """States, time last, of double or complex double arrays."""
    kind = np.result_type(x, alpha, beta, initial, float)
    full = np.broadcast_shapes(np.shape(x), np.shape(alpha), np.shape(beta))
    inputs, a, b = (np.broadcast_to(np.asarray(v, kind), full) for v in (x, alpha, beta))
    sign = 1 if form == "reset" else -1
    y = np.empty((*full[:-1], full[-1] + 1), kind)
    y[..., 0] = initial
    for k in range(full[-1]):
        after = np.empty((*full[:-1], 1), kind)
        INTEGRATORS[integrator].step(
            y[..., k, None],
            a[..., k, None] * dt,
            sign * dt * b[..., k, None] * inputs[..., k, None],
            after,
        )
        y[..., k + 1] = after[..., 0]
    return y[..., :-1] if states == "before" else y[..., 1:]


def complex_step(function: Callable[[np.ndarray], Any], at: np.ndarray) -> np.ndarray:
    """Derivatives of a real function of an array, exact to rounding."""
    at = np.asarray(at)
    slopes = np.empty(at.shape)
    for index in np.ndindex(at.shape):
        moved = at.astype(complex)
        moved[index] += 1e-30j
        slopes[index] = function(moved).imag / 1e-30
    return slopes
