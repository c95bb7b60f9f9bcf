"""How far the linear theory behind standard errors can be trusted: curvature and bias of a fit.

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
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from compact.fitting.model import TrainModel

__all__ = ["Curvature", "curvature"]

_STEP = 1e-3  # standard errors, for second derivatives
_LEVEL = 0.95


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
    found = Curvature(
        np.full(number, np.nan), np.full(number, np.nan), np.full(theta.shape, np.nan)
    )
    for pattern in np.unique(free, axis=0):
        index = np.flatnonzero((free == pattern).all(1))
        columns = np.flatnonzero(pattern)
        if columns.size > 1:
            with np.errstate(all="ignore"):
                _fill(found, model, theta, index, columns)
    return found


def _fill(
    found: Curvature, model: TrainModel, theta: np.ndarray, index: np.ndarray, columns: np.ndarray
) -> None:
    from scipy.stats import f

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
    scale = np.sqrt(p * f.ppf(_LEVEL, p, np.where(sound, freedom, np.nan)))
    for name, part in (("parameter_effects", inside), ("intrinsic", outside)):
        trace = np.einsum("nmjj->nm", part)
        total = 2 * (part**2).sum((1, 2, 3)) + (trace**2).sum(1)
        values = scale * np.sqrt(total / (p * (p + 2)))
        getattr(found, name)[index] = np.where(sound, values, np.nan)
    shift = -0.5 * np.einsum("nij,nj->ni", unit, np.einsum("nijj->ni", inside))
    errors = np.sqrt((unit**2).sum(2))
    found.bias[index[:, None], columns] = np.where(sound[:, None], shift / errors, np.nan)
