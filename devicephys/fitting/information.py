"""What data determine of parameters: Fisher information, its directions, intervals.

Near the best fit the logarithm of the likelihood is a parabola whose curvature is J^T J, with J the
derivatives of the residuals by the logarithms of the parameters (Laplace's approximation). Its
eigenvectors are products of powers of the parameters: that of the largest eigenvalue is what the
data know best, that of the smallest what they hardly know. All errors are multiplied with what the
residuals say of the errors that were stated: the root of the reduced sum of squares, and for a
robust loss that of the variance of its estimator, mean psi^2 / (mean psi')^2 with psi half the
derivative of the loss by the residual (Huber, Robust Statistics, 1981, chapter 7).

A valley may be bent, or there may be two, so ends of several searches are compared. They count as
one where Laplace's intervals of the best hold the other; of the rest those are told whose
likelihood is not much lower.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from ddkbase.units import format_si

__all__ = [
    "OPEN",
    "Information",
    "alternative_texts",
    "alternatives",
    "direction_text",
    "information",
    "losses",
    "starts",
]


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


#: standard deviation of the logarithm of each parameter where a further search begins, and the
#: share of the way to a bound that it keeps
SCATTER, INSIDE = 0.2, 0.9
#: standard deviations of Laplace within which two ends are one, and by how much the logarithm of
#: the likelihood of another may be lower: 3 standard deviations
SAME, LOWER = 3.0, 4.5


def starts(bounds: tuple[np.ndarray, np.ndarray], count: int) -> Iterator[np.ndarray]:
    """Where searches begin: the given cell, then cells drawn around it, always the same ones.

    Parameters
    ----------
    bounds : tuple of ndarray
        Least and largest logarithms over the values at the start, shape (parameters,).
    count : int
        How many.
    """
    low, high = bounds
    yield np.zeros(len(low))
    rng = np.random.default_rng(0)
    for _ in range(count - 1):
        yield np.clip(rng.normal(scale=SCATTER, size=len(low)), INSIDE * low, INSIDE * high)


def alternatives(
    best: np.ndarray,
    known: Information,
    ends: Sequence[tuple[float, np.ndarray]],
    start: np.ndarray,
    names: Sequence[str],
) -> xr.Dataset | None:
    """Other ends that fit about as well as the best.

    Parameters
    ----------
    best : ndarray
        Logarithms of the parameters over their values at the start, shape (parameters,).
    known : Information
        What the data say there.
    ends : sequence of tuple
        How much more each costs than the best, and its logarithms.
    start : ndarray
        Values of the parameters at the start.
    names : sequence of str
        Their names.

    Returns
    -------
    xarray.Dataset or None
        On ``optimum``, the likeliest first: ``loss``, by how much its log likelihood is lower [1],
        and ``value`` on (optimum, parameter); None if there is no other.
    """
    metric = np.linalg.pinv(known.covariance, hermitian=True)
    kept: list[tuple[float, np.ndarray]] = []
    for more, logs in sorted(ends, key=lambda end: end[0]):
        loss = more / known.dispersion
        apart = [logs - other for other in (best, *(one for _, one in kept))]
        near = min(float(way @ metric @ way) for way in apart) < SAME**2
        if loss < LOWER and not near:
            kept.append((loss, logs))
    if not kept:
        return None
    return xr.Dataset(
        {
            "loss": ("optimum", [loss for loss, _ in kept], {"units": "1"}),
            "value": (("optimum", "parameter"), [start * np.exp(logs) for _, logs in kept]),
        },
        coords={"parameter": list(names)},
    )


def alternative_texts(parameters: xr.Dataset, others: xr.Dataset | None) -> list[str]:
    """Each other cell in a line.

    Parameters
    ----------
    parameters : xarray.Dataset
        ``FitResult.parameters``.
    others : xarray.Dataset or None
        ``FitResult.alternatives``.
    """
    lines = []
    for k in range(0 if others is None else others.sizes["optimum"]):
        one = others.isel(optimum=k)  # type: ignore[union-attr]
        values = ", ".join(
            f"{name} {format_si(float(one['value'].sel(parameter=name)), str(unit), 4)}"
            for name, unit in zip(
                parameters["parameter"].values, parameters["unit"].values, strict=True
            )
        )
        lines.append(
            "another cell fits as well (log likelihood lower by "
            f"{float(one['loss']):.2g}): {values}"
        )
    return lines
