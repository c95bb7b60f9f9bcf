"""How far a fit can be trusted: errors, condition, residuals, curvature and bias, for batches.

Standard errors replace the model near its optimum by its tangent plane. Two published measures say
what that leaves out, both from second derivatives of the model, here differences of its analytic
Jacobian:

* the bias of least squares after Box (J. R. Stat. Soc. B 33, 171 (1971)), in standard errors: how
  lopsided the distribution of a parameter is;
* relative curvatures of Bates and Watts (J. R. Stat. Soc. B 42, 1 (1980)), root mean squares over
  all directions, times sqrt(F(p, n - p; 0.95)): the share by which the model's surface (intrinsic)
  and the grid of parameters on it (parameter effects) bend within the 95 % region. 0 is a linear
  model. Parameter effects above 1 forbid an ellipse as joint region of all parameters. They do not
  forbid intervals of single ones: along the valley in which alpha makes up for G_min the grid is
  bent, and as long as it is bent alike on both sides the interval feels nothing of it.

Is a fit worth more than a straight line, or than a constant (`judged`)? The sum of squares of a fit
is held against those of the two curves that any train has. The extra
parameters have to pay: F = (S_0 - S)/(p - p_0) / (S/(n - p)) of a fit of p parameters against one
of p_0 must exceed what noise alone reaches (Draper and Smith, Applied Regression Analysis, chapter
1). The models are not linear and choose among many curves, so the level against a constant is
strict: of trains of pure noise one in hundreds passes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import fdtrc, fdtri

from compact.fitting.model import TrainModel

__all__ = [
    "LINE",
    "NOISE",
    "SATURATES",
    "Curvature",
    "Diagnosis",
    "autocorrelation",
    "curvature",
    "diagnose",
    "durbin_watson",
    "judged",
]


_WORST_CONDITION = 1e7  # of the Jacobian with columns of unit length; its square is 1/rounding
_STEP = 1e-3  # standard errors, for second derivatives
_LEVEL = 0.95


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
    for k, name in enumerate(("alpha", "beta")):
        notes[at_bound[:, k]] = f"{name} is not determined: it stands at its bound"
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


@dataclass(frozen=True)
class Curvature:
    """Of N fits: relative curvatures (N,), and bias in standard errors, (N, p)."""

    intrinsic: np.ndarray
    parameter_effects: np.ndarray
    bias: np.ndarray


def curvature(model: TrainModel, theta: np.ndarray, free: np.ndarray) -> Curvature:
    """Curvature and bias at the optimum.

    Parameters
    ----------
    model : TrainModel
        Model of N trains.
    theta : ndarray, shape (N, p)
        Their optima, as in `compact.fitting.model`.
    free : ndarray, shape (N, p)
        Parameters that are neither fixed nor at a bound; the others are held. NaN where fewer than
        two are free or the train has no samples to spare.
    """
    number = len(theta)
    curved = Curvature(
        np.full(number, np.nan), np.full(number, np.nan), np.full(theta.shape, np.nan)
    )
    for pattern in np.unique(free, axis=0):
        index = np.flatnonzero((free == pattern).all(1))
        columns = np.flatnonzero(pattern)
        if columns.size > 1:
            with np.errstate(all="ignore"):
                _fill(curved, model, theta, index, columns)
    return curved


def _fill(
    curved: Curvature, model: TrainModel, theta: np.ndarray, index: np.ndarray, columns: np.ndarray
) -> None:
    p = columns.size
    residual, jacobian = model(theta[index], index)
    tangent = jacobian[columns].transpose(2, 1, 0)  # (N', n, p)
    freedom = model.trains.weights[:, index].sum(0) - p
    sound = (freedom > 0) & np.isfinite(tangent).all((1, 2))
    noise = np.sqrt((residual**2).sum(0) / np.where(sound, freedom, np.nan))
    size = np.sqrt((tangent**2).sum(1))
    sound &= (size > 0).all(1) & (noise > 0)
    q, r = np.linalg.qr(np.where(sound[:, None, None], tangent / size[:, None, :], 0))
    sound &= np.abs(np.einsum("nii->ni", r)).min(1) > 1e-7
    r = np.where(sound[:, None, None], r, np.eye(p))
    # columns of `unit`: steps that move the curve by the noise, in perpendicular directions
    unit = noise[:, None, None] * np.linalg.inv(r) / size[:, :, None]
    second = np.empty((*tangent.shape, p))
    for k in range(p):
        ends = []
        for sign in (1, -1):
            moved = theta[index].copy()
            moved[:, columns] += sign * _STEP * unit[:, :, k]
            ends.append(model(moved, index)[1][columns].transpose(2, 1, 0))
        second[..., k] = np.einsum("nmi,nij->nmj", ends[0] - ends[1], unit) / (2 * _STEP)
    second /= noise[:, None, None, None]
    inside = np.einsum("nmi,nmjk->nijk", q, second)
    outside = second - np.einsum("nmi,nijk->nmjk", q, inside)
    scale = np.sqrt(p * fdtri(p, np.where(sound, freedom, np.nan), _LEVEL))
    for name, component in (("parameter_effects", inside), ("intrinsic", outside)):
        trace = np.einsum("nmjj->nm", component)
        total = 2 * (component**2).sum((1, 2, 3)) + (trace**2).sum(1)
        values = scale * np.sqrt(total / (p * (p + 2)))
        getattr(curved, name)[index] = np.where(sound, values, np.nan)
    shift = -0.5 * np.einsum("nij,nj->ni", unit, np.einsum("nijj->ni", inside))
    errors = np.sqrt((unit**2).sum(2))
    curved.bias[index[:, None], columns] = np.where(sound[:, None], shift / errors, np.nan)


NOISE = "no better than a constant: the reads are noise"
LINE = "no better than a straight line: it has a slope, not an alpha and a beta"
SATURATES = (
    "it saturates, which Eq. (3) cannot (beta is 0): take the mirrored law, Eq. (4) upside down"
)
_NOISE_LEVEL, _LINE_LEVEL = 1e-4, 0.01
#: reads within which a train may come to rest; a first read that stands apart is not one of them
_RESTS = (2.0, 4.0, 8.0, 16.0)
_SPARE = 3  # samples beyond the parameters from which there is something to test
_ROUNDING = 1e-20  # sum of squares of a train without noise, on the scale where it spans 0 to 1


def judged(
    values: np.ndarray, weights: np.ndarray, squares: np.ndarray, parameters: int
) -> np.ndarray:
    """What is wrong with each fit.

    Parameters
    ----------
    values, weights : ndarray, shape (n, N)
        Trains on the scale where each spans 0 to 1, and 1 where there is a read.
    squares : ndarray, shape (N,)
        Sums of squares of the fits on that scale.
    parameters : int
        Number of fitted parameters: 4, or 2 with a fixed window.

    Returns
    -------
    ndarray of object, shape (N,)
        `NOISE`, `LINE`, or empty where the fit is better than both. A window that is fixed by two
        reads is not called noise: such a fit may lie further from the reads than a constant does.
        Nor is a train that comes to rest as an exponential does, however badly the law follows it.
    """
    samples = weights.sum(0)
    row = np.arange(len(values), dtype=float)[:, None]
    with np.errstate(all="ignore"):
        mean = (weights * values).sum(0) / samples
        at = weights * (row - (weights * row).sum(0) / samples)
        deviation = weights * (values - mean)
        constant = (deviation**2).sum(0)
        line = constant - (at * deviation).sum(0) ** 2 / (at**2).sum(0)
        line, squares = np.maximum(line, _ROUNDING), np.maximum(squares, _ROUNDING)
        freedom = samples - parameters
        test = freedom >= _SPARE
        by_line = _chance(constant, line, 1, samples - 2)
        by_fit = _chance(constant, squares, parameters - 1, freedom)
        beyond = (
            _chance(line, squares, parameters - 2, freedom)
            if parameters > 2
            else (squares >= line).astype(float)
        )
        noise = (by_line > _NOISE_LEVEL) & (by_fit > _NOISE_LEVEL) & (parameters > 2)
        of_noise = (a[..., noise] for a in (deviation, weights, constant, samples))
        noise[noise] = ~(_chance_of_rest(row, *of_noise) <= _NOISE_LEVEL)
    out = np.full(samples.size, "", dtype=object)
    out[test & (beyond > _LINE_LEVEL)] = LINE
    out[test & noise] = NOISE
    return out


def _chance_of_rest(
    row: np.ndarray,
    deviation: np.ndarray,
    weights: np.ndarray,
    constant: np.ndarray,
    samples: np.ndarray,
) -> np.ndarray:
    """How likely noise goes as the best of the exponentials of `_RESTS` does, (N,)."""
    reads = weights > 0
    first = np.where(reads, row, np.inf).min(0)
    spacing = (np.where(reads, row, -np.inf).max(0) - first) / (samples - 1)
    best = np.ones(samples.size)
    for rest in _RESTS:
        curve = np.exp(-(row - first) / (rest * spacing))
        curve = weights * (curve - (weights * curve).sum(0) / samples)
        left = constant - (curve * deviation).sum(0) ** 2 / (curve**2).sum(0)
        left = np.maximum(left, _ROUNDING)
        best = np.fmin(best, _chance(constant, left, 1, samples - 2))
    return len(_RESTS) * best


def _chance(before: np.ndarray, after: np.ndarray, more: int, freedom: np.ndarray) -> np.ndarray:
    """How likely noise reduces a sum of squares as much, by ``more`` parameters."""
    gain = np.maximum(before - after, 0) / more / (after / freedom)
    return np.asarray(fdtrc(more, np.maximum(freedom, 1), gain))
