"""Is a fit worth more than a straight line, or than a constant?

The sum of squares of a fit is held against those of the two curves that any train has. The extra
parameters have to pay: F = (S_0 - S)/(p - p_0) / (S/(n - p)) of a fit of p parameters against one
of p_0 must exceed what noise alone reaches (Draper and Smith, Applied Regression Analysis, chapter
1). The models are not linear and choose among many curves, so the level against a constant is
strict: of trains of pure noise one in hundreds passes.
"""

from __future__ import annotations

import numpy as np
from scipy.special import fdtrc

__all__ = ["LINE", "NOISE", "SATURATES", "judged"]

NOISE = "no better than a constant: the reads are noise"
LINE = "no better than a straight line: it has a slope, not an alpha and a beta"
SATURATES = (
    "it saturates, which Eq. (3) cannot (beta is 0): take the mirrored law, Eq. (4) upside down"
)
_NOISE_LEVEL, _LINE_LEVEL = 1e-4, 0.01
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
    out = np.full(samples.size, "", dtype=object)
    out[test & (beyond > _LINE_LEVEL)] = LINE
    out[test & noise] = NOISE
    return out


def _chance(before: np.ndarray, after: np.ndarray, more: int, freedom: np.ndarray) -> np.ndarray:
    """How likely noise reduces a sum of squares as much, by ``more`` parameters."""
    gain = np.maximum(before - after, 0) / more / (after / freedom)
    return np.asarray(fdtrc(more, np.maximum(freedom, 1), gain))
