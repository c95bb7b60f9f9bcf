"""Eqs. (3) and (4) marched over inputs by three integrators; the package's text explains them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from compact.kinetics.steps import INTEGRATORS
from ddkbase.errors import InputError, closest, shorten

__all__ = [
    "INTEGRATORS",
    "STATES",
    "Sensitivities",
    "exact_step",
    "explicit_euler",
    "implicit_euler",
    "integrate",
    "march",
    "sensitivities",
]


#: which state belongs to which sample: that after it, or that before it as the authors have it
STATES = ("after", "before")


@dataclass(frozen=True)
class Sensitivities:
    """States ``y`` and their derivatives ``by_alpha``, ``by_beta``, ``by_y0``, each (..., n)."""

    y: np.ndarray
    by_alpha: np.ndarray
    by_beta: np.ndarray
    by_y0: np.ndarray


def explicit_euler(
    alpha: ArrayLike,
    beta: ArrayLike,
    x: ArrayLike,
    y0: ArrayLike = 1.0,
    dt: float = 1.0,
    sign: int = -1,
    *,
    states: str = "after",
    authors: bool | None = None,
) -> np.ndarray:
    """States by explicit Euler; as `integrate`. They may turn negative, infinite or NaN."""
    return integrate("explicit", alpha, beta, x, y0, dt, sign, states=states, authors=authors)


def implicit_euler(
    alpha: ArrayLike,
    beta: ArrayLike,
    x: ArrayLike,
    y0: ArrayLike = 1.0,
    dt: float = 1.0,
    sign: int = -1,
    *,
    states: str = "after",
    authors: bool | None = None,
) -> np.ndarray:
    """States by implicit Euler; as `integrate`."""
    return integrate("implicit", alpha, beta, x, y0, dt, sign, states=states, authors=authors)


def exact_step(
    alpha: ArrayLike,
    beta: ArrayLike,
    x: ArrayLike,
    y0: ArrayLike = 1.0,
    dt: float = 1.0,
    sign: int = -1,
    *,
    states: str = "after",
    authors: bool | None = None,
) -> np.ndarray:
    """States of the equation itself, x being constant within each ``dt``; as `integrate`."""
    return integrate("exact", alpha, beta, x, y0, dt, sign, states=states, authors=authors)


def integrate(
    integrator: str,
    alpha: ArrayLike,
    beta: ArrayLike,
    x: ArrayLike,
    y0: ArrayLike = 1.0,
    dt: float = 1.0,
    sign: int = -1,
    *,
    states: str = "after",
    authors: bool | None = None,
) -> np.ndarray:
    """States of Eq. (3) or (4) under the inputs ``x``.

    Parameters
    ----------
    integrator : {"explicit", "implicit", "exact"}
        How the equation is integrated.
    alpha, beta : array_like, shape (...)
        Coefficients, >= 0.
    y0 : array_like, shape (...), default 1.0
        First state.
    x : array_like, shape (..., n)
        Inputs, >= 0.
    dt : float, default 1.0
        Time of one input, > 0, in the unit in which alpha and beta count it.
    sign : int, default -1
        -1 for RESET, Eq. (4); +1 for SET, Eq. (3).
    states : {"after", "before"}, default "after"
        Whether sample k is the state after input k, or before it as the authors have it; see the
        text of `compact.kinetics`.
    authors : bool or None, optional
        Deprecated: True is ``states="before"``, False ``states="after"``.

    Returns
    -------
    ndarray, shape (..., n)
        States.

    Raises
    ------
    InputError
        An unknown integrator or word for the states, a number out of its range, shapes that do not
        match.
    """
    alpha, beta, x, y0 = _checked(integrator, alpha, beta, x, y0, dt, sign)
    samples = _samples(states, authors)
    y, _ = march(integrator, alpha, beta, np.moveaxis(x, -1, 0), y0, dt, sign)
    return np.moveaxis(y[samples], 0, -1)


def sensitivities(
    integrator: str,
    alpha: ArrayLike,
    beta: ArrayLike,
    x: ArrayLike,
    y0: ArrayLike = 1.0,
    dt: float = 1.0,
    sign: int = -1,
    *,
    states: str = "after",
    authors: bool | None = None,
) -> Sensitivities:
    """States and their exact derivatives, carried forward with the states; as `integrate`."""
    alpha, beta, x, y0 = _checked(integrator, alpha, beta, x, y0, dt, sign)
    samples = _samples(states, authors)
    y, slopes = march(
        integrator, alpha, beta, np.moveaxis(x, -1, 0), y0, dt, sign, derivatives="aby"
    )
    arrays = (np.moveaxis(v[samples], 0, -1) for v in (y, *slopes))
    return Sensitivities(*arrays)


def march(
    integrator: str,
    alpha: np.ndarray,
    beta: np.ndarray,
    x: np.ndarray,
    y0: ArrayLike,
    dt: float = 1.0,
    sign: int = -1,
    derivatives: str = "",
) -> tuple[np.ndarray, list[np.ndarray]]:
    """The loop over time itself, on time-major arrays and without checks.

    Parameters
    ----------
    integrator : str
        As in `integrate`.
    dt : float, default 1.0
        As in `integrate`.
    sign : int, default -1
        As in `integrate`.
    alpha, beta : ndarray, shape (...)
        Coefficients.
    y0 : array_like, shape (...)
        First state.
    x : ndarray, shape (n, ...)
        Inputs, the rest broadcasting against (...).
    derivatives : str, default ""
        Which derivatives are wanted, letters of "aby": by alpha, beta, y0.

    Returns
    -------
    states : ndarray, shape (n + 1, ...)
        States, the first being ``y0``.
    derivatives : list of ndarray
        The wanted derivatives, of the same shape.
    """
    method = INTEGRATORS[integrator]
    shape = np.broadcast_shapes(np.shape(alpha), np.shape(beta), x.shape[1:], np.shape(y0))
    dtype = np.result_type(alpha, beta, x, y0, np.float64)
    y = np.empty((x.shape[0] + 1, *(shape or (1,))), dtype)
    y[0] = y0
    slopes = [np.zeros_like(y) for _ in derivatives]
    if "y" in derivatives:
        slopes[derivatives.index("y")][0] = 1
    a, factor = alpha * dt, -sign * dt
    slopes_of = method.slopes_for(a)
    # explicit states may turn infinite or NaN, which is what the equation then gives
    with np.errstate(all="ignore"):
        for k in range(x.shape[0]):
            shift = factor * x[k]
            b = beta * shift
            method.step(y[k], a, b, y[k + 1])
            if not derivatives:
                continue
            by_state, by_a, by_c = slopes_of(y[k], y[k + 1], a, b, (None, None))
            for name, slope in zip(derivatives, slopes, strict=True):
                np.multiply(by_state, slope[k], out=slope[k + 1])
                if name == "a":
                    slope[k + 1] += by_a if dt == 1 else by_a * dt
                elif name == "b":
                    slope[k + 1] -= by_c * shift
    full = (x.shape[0] + 1, *shape)
    return y.reshape(full), [slope.reshape(full) for slope in slopes]


def _samples(states: str, authors: bool | None) -> slice:
    """Which of the n + 1 states, the first before any input, are those of the n samples."""
    if authors is not None:
        warnings.warn(
            "authors=True is now states='before'; authors=False, states='after', is the default",
            DeprecationWarning,
            stacklevel=3,
        )
        states = "before" if authors else "after"
    if states not in STATES:
        raise InputError(
            f"unknown states {shorten(states)}", "states", closest(str(states), STATES)
        )
    return slice(None, -1) if states == "before" else slice(1, None)


def _checked(
    integrator: str, alpha: Any, beta: Any, x: Any, y0: Any, dt: float, sign: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    if integrator not in INTEGRATORS:
        raise InputError(
            f"unknown integrator {shorten(integrator)}",
            "integrator",
            closest(str(integrator), INTEGRATORS),
        )
    if sign not in (-1, 1):
        raise InputError(f"sign {shorten(sign)} is neither -1 (RESET) nor +1 (SET)", "sign")
    if not (np.isfinite(dt) and dt > 0):
        raise InputError(f"dt {shorten(dt)} is not a positive time", "dt")
    arrays = []
    for name, value in (("alpha", alpha), ("beta", beta), ("x", x), ("y0", y0)):
        try:
            array = np.asarray(value)
            array = array.astype(complex if array.dtype.kind == "c" else float, copy=False)
        except (TypeError, ValueError):
            raise InputError(f"{shorten(value)} is no array of numbers", name) from None
        if not np.isfinite(array).all():
            raise InputError("holds NaN or infinity", name)
        if (array.real < 0).any():
            raise InputError("holds a negative number", name, "Values >= 0 are expected")
        arrays.append(array)
    alpha, beta, x, y0 = arrays
    if x.ndim == 0:
        raise InputError("needs an axis of samples", "x", "Give at least [x]")
    if (y0.real == 0).any() and integrator == "explicit":
        raise InputError("is zero, where alpha/y is infinite", "y0", "Use implicit or exact")
    try:
        np.broadcast_shapes(alpha.shape, beta.shape, x.shape[:-1], y0.shape)
    except ValueError:
        raise InputError(
            f"shapes {alpha.shape}, {beta.shape}, {x.shape[:-1]} and {y0.shape} do not match",
            "leading dimensions of alpha, beta, x, y0",
        ) from None
    return alpha, beta, x, y0
