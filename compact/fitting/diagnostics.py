"""How far a fit can be trusted: errors, correlation, condition, bounds, residuals, for batches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Diagnosis", "autocorrelation", "diagnose", "durbin_watson"]

_WORST_CONDITION = 1e7  # of the Jacobian with columns of unit length; its square is 1/rounding


@dataclass(frozen=True)
class Diagnosis:
    """N fits of p parameters.

    Attributes
    ----------
    covariance : ndarray, shape (N, p, p)
        Covariances of the parameters; NaN at a bound or where fixed, where there is no error.
    errors : ndarray, shape (N, p)
        Standard errors; NaN likewise.
    correlation : ndarray, shape (N, p, p)
        Correlations of the parameters; NaN likewise.
    condition : ndarray, shape (N,)
        Condition of the Jacobian in the free parameters, columns of unit length.
    at_bound : ndarray, shape (N, p)
        Which parameters are at a bound; fixed ones do not count.
    free : ndarray, shape (N, p)
        Which parameters are neither fixed nor at a bound.
    notes : ndarray, shape (N,)
        Why alpha and beta are not both determined; empty if they are.
    """

    covariance: np.ndarray
    errors: np.ndarray
    correlation: np.ndarray
    condition: np.ndarray
    at_bound: np.ndarray
    free: np.ndarray
    notes: np.ndarray


def diagnose(
    x: np.ndarray,
    hessian: np.ndarray,
    squares: np.ndarray,
    samples: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
) -> Diagnosis:
    """Errors of least squares from J^T J (N, p, p), sums of squares (N,), numbers of samples (N,).

    The variance of the noise is the sum of squares over samples less free parameters. Columns are
    brought to unit length before the inverse, so that scales do not matter.
    """
    width = np.where(np.isfinite(upper - lower), upper - lower, np.maximum(np.abs(x), 1.0))
    fixed = lower == upper
    near = 1e-9 * width
    at_bound = ~fixed & ((x <= lower + near) | (x >= upper - near))
    free = ~fixed & ~at_bound
    p = x.shape[1]
    both = free[:, :, None] & free[:, None, :]
    identity = np.eye(p)
    size = np.sqrt(np.einsum("nii->ni", hessian))
    size = np.where(size > 0, size, 1.0)
    unit = hessian / (size[:, :, None] * size[:, None, :])
    unit = np.where(both, unit, identity)
    values, vectors = np.linalg.eigh(unit)
    # directions that the data say nothing about get an infinite, not a negative variance
    with np.errstate(all="ignore"):
        smallest = np.maximum(values[:, 0], 0)
        condition = np.sqrt(values[:, -1] / smallest)
        inverse = np.einsum("nij,nj,nkj->nik", vectors, 1 / np.maximum(values, 1e-16), vectors)
        freedom = samples - free.sum(1)
        variance = np.where(freedom > 0, squares / np.maximum(freedom, 1), np.nan)
        covariance = variance[:, None, None] * inverse / (size[:, :, None] * size[:, None, :])
        covariance = np.where(both, covariance, np.nan)
        errors = np.sqrt(np.einsum("nii->ni", covariance))
        correlation = covariance / (errors[:, :, None] * errors[:, None, :])
    return Diagnosis(
        covariance,
        errors,
        correlation,
        condition,
        at_bound,
        free,
        _notes(x, errors, condition, at_bound),
    )


def _notes(
    x: np.ndarray, errors: np.ndarray, condition: np.ndarray, at_bound: np.ndarray
) -> np.ndarray:
    notes = np.full(len(x), "", dtype=object)
    with np.errstate(invalid="ignore"):
        loose_alpha, loose_beta = errors[:, 0] > x[:, 0], errors[:, 1] > x[:, 1]
    if x.shape[1] > 2:
        notes[at_bound[:, 2:].any(1)] = (
            "conductance_min or conductance_max is at its bound: alpha and beta hold with it only"
        )
    blind = ~(condition < _WORST_CONDITION)
    notes[loose_alpha & ~loose_beta] = "alpha is not determined: its error exceeds it"
    notes[loose_beta & ~loose_alpha] = "beta is not determined: its error exceeds it"
    notes[(loose_alpha & loose_beta) | blind] = (
        "alpha and beta cannot both be determined from this train"
    )
    return notes


def autocorrelation(residual: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Autocorrelation of the residuals (n, N) from one pulse to the next, (N,)."""
    pairs = weights[1:] * weights[:-1]
    with np.errstate(all="ignore"):
        return (pairs * residual[1:] * residual[:-1]).sum(0) / (weights * residual**2).sum(0)


def durbin_watson(residual: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Statistic of Durbin and Watson (1950) of residuals (n, N), (N,): 2 if they are independent,
    towards 0 if neighbours are alike."""
    pairs = weights[1:] * weights[:-1]
    with np.errstate(all="ignore"):
        steps = (pairs * (residual[1:] - residual[:-1]) ** 2).sum(0)
        return steps / (weights * residual**2).sum(0)
