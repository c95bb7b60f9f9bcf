"""Where alpha and beta of a DDK layer start."""

from __future__ import annotations

from typing import Any

import numpy as np

from ddkbase.errors import InputError, shorten

__all__ = ["AUTHORS", "broadcast_pair", "start_pair"]

#: range of the authors' start, uniform for alpha and for beta
AUTHORS = (0.001, 1.0)


def broadcast_pair(
    alpha: Any, beta: Any, shape: tuple[int, ...], where: str
) -> tuple[np.ndarray, np.ndarray]:
    """alpha and beta of the shape of a layer's pairs.

    Raises
    ------
    InputError
        One does not fit, or is negative or not finite; ``where`` names the layer.
    """
    values = []
    for key, value in (("alpha", alpha), ("beta", beta)):
        try:
            full = np.broadcast_to(np.asarray(value, float), shape)
        except (TypeError, ValueError):
            problem = f"{key} {shorten(value)} does not fit the shape {shape}"
            raise InputError(problem, where) from None
        if not (np.isfinite(full).all() and (full >= 0).all()):
            raise InputError(f"{key} {shorten(value)} is not a number from 0", where)
        values.append(full)
    return values[0], values[1]


def start_pair(
    alpha: np.ndarray,
    beta: np.ndarray,
    start: str,
    spread: float,
    alike: bool,
    rng: np.random.Generator | None,
    where: str,
) -> tuple[np.ndarray, np.ndarray]:
    """The pairs that training starts from.

    Parameters
    ----------
    alpha, beta : ndarray, shape (banks, ...)
        The given start.
    start : str
        Start of `network.ddk.layer.DDKLayer`.
    spread : float
        Spread of `network.ddk.layer.DDKLayer`.
    alike : bool
        Whether the banks have one pair, and must be parted lest they stay alike.
    rng : numpy.random.Generator or None
        Draws a random start.

    Raises
    ------
    InputError
        A random start without a generator; ``where`` names the layer.
    """
    if start == "authors" or spread > 0:
        if rng is None:
            raise InputError("a random start needs a generator", where, "Pass rng")
        if start == "authors":
            return rng.uniform(*AUTHORS, alpha.shape), rng.uniform(*AUTHORS, alpha.shape)
        one = rng.lognormal(0, spread, alpha.shape)
        return alpha * one, beta * rng.lognormal(0, spread, alpha.shape)
    if alike:
        factor = 2.0 ** np.linspace(-1, 1, len(beta))
        beta = beta * factor.reshape(-1, *(1,) * (beta.ndim - 1))
    return alpha, beta
