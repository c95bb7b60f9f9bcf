"""What data determine of parameters: Fisher information, its directions, intervals.

Near the best fit the logarithm of the likelihood is a parabola whose curvature is J^T J, with J the
derivatives of the residuals by the logarithms of the parameters (Laplace's approximation). Its
eigenvectors are products of powers of the parameters: that of the largest eigenvalue is what the
data know best, that of the smallest what they hardly know. All errors are multiplied with what the
residuals say of the errors that were stated: the root of the reduced sum of squares, and for a
robust loss that of the variance of its estimator, mean psi^2 / (mean psi')^2 with psi half the
derivative of the loss by the residual (Huber, Robust Statistics, 1981, chapter 7).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

__all__ = ["OPEN", "Information", "direction_text", "information", "losses"]

#: a product of powers of parameters that is known to no better than this share is open
OPEN = 0.25
#: exponents below this are left out of a direction
SMALL = 0.02


@dataclass(frozen=True)
class Information:
    """What data say of the logarithms of parameters.

    Attributes
    ----------
    covariance : ndarray
        Of the logarithms, prior included, shape (parameters, parameters).
    spread : ndarray
        Standard deviation of each direction by the data alone, falling, shape (parameters,);
        infinite where they say nothing.
    directions : ndarray
        Exponents of each direction, one a row, of unit length.
    inflation : float
        What the stated errors were multiplied with.
    dispersion : float
        What the cost is divided by to become a logarithm of likelihood that has this covariance.
    """

    covariance: np.ndarray
    spread: np.ndarray
    directions: np.ndarray
    inflation: float
    dispersion: float

    @property
    def open_directions(self) -> np.ndarray:
        """Indices of the directions that the data leave open."""
        return np.flatnonzero(self.spread > OPEN)


def information(
    residual: np.ndarray,
    jacobian: np.ndarray,
    priors: Sequence[float | None],
    loss: str = "linear",
) -> Information:
    """What residuals at the best fit say of the parameters.

    Parameters
    ----------
    residual : ndarray
        In standard deviations, shape (samples,).
    jacobian : ndarray
        Derivatives by the logarithms of the parameters, shape (samples, parameters).
    priors : sequence of float or None
        Relative standard deviations known before.
    loss : {"linear", "soft_l1"}, default "linear"
        What was made small, as of `scipy.optimize.least_squares`.
    """
    count = jacobian.shape[1]
    share = len(residual) / max(len(residual) - count, 1)
    root = np.sqrt(1.0 + residual**2) if loss == "soft_l1" else np.ones(len(residual))
    # samples far off, at a snap, bend a robust loss no more and are not to widen everything
    bend = float(np.mean(root**-3))  # mean psi'
    inflation = max(1.0, math.sqrt(share * np.mean((residual / root) ** 2)) / bend)
    fisher = jacobian.T @ jacobian / inflation**2
    values, vectors = np.linalg.eigh(fisher)
    least = np.finfo(float).eps * max(float(values[-1]), 1e-300) * count
    with np.errstate(divide="ignore"):
        spread = np.where(values > least, 1.0 / np.sqrt(np.maximum(values, 1e-300)), np.inf)
    known = np.array([0.0 if p is None else 1.0 / np.log1p(p) ** 2 for p in priors])
    covariance = np.linalg.pinv(fisher + np.diag(known), rcond=1e-14, hermitian=True)
    # a direction of which nothing is known has no variance in a pseudo-inverse: it is infinite
    blind = vectors[:, ~(values > least)]
    covariance = covariance + (1e6 * blind @ blind.T if not known.any() else 0.0)
    return Information(covariance, spread, vectors.T, inflation, inflation**2 * bend)


def losses(residual: np.ndarray, loss: str) -> np.ndarray:
    """What each residual counts, twice its share of the cost of `scipy.optimize.least_squares`.

    Parameters
    ----------
    residual : ndarray
        In standard deviations, of any shape.
    loss : {"soft_l1", "linear"}
        As of `scipy.optimize.least_squares`.
    """
    squares = residual**2
    return 2 * (np.sqrt(1 + squares) - 1) if loss == "soft_l1" else squares


def direction_text(names: Sequence[str], exponents: np.ndarray) -> str:
    """A product of powers, the largest exponent first and positive, e.g. "D0 * Ea^0.05"."""
    exponents = exponents / exponents[np.argmax(np.abs(exponents))]
    order = np.argsort(-np.abs(exponents))
    parts = [
        names[k] if exponents[k] == 1.0 else f"{names[k]}^{exponents[k]:.2f}"
        for k in order
        if abs(exponents[k]) >= SMALL
    ]
    return " * ".join(parts)


def correlation(found: Information, names: Sequence[str]) -> xr.DataArray:
    """Correlation of the logarithms of the parameters [1]."""
    spread = np.sqrt(np.diag(found.covariance))
    return xr.DataArray(
        found.covariance / np.outer(spread, spread),
        dims=("parameter", "other"),
        coords={"parameter": list(names), "other": list(names)},
        attrs={"units": "1"},
    )
