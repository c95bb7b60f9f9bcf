"""The fit as the article states it (Shi et al., "Curve fitting").

The conductance is normalised to [0, 1]; Eq. (4) by explicit Euler with dt = 1 starts at y(0) = 1;
alpha and beta stay in [0, 1] and start at random there; the trust-region-reflective method
minimises R, the sum of squared residuals. The derivatives are finite differences, as is usual with
that method where none are given. SciPy's implementation is called once a train and start.

Beyond its edge of stability explicit Euler cycles, first between two states, then between more,
then chaos follows (`compact.kinetics.stability`), and R is as rough: on a train that falls fast,
most starts end in some local minimum there. So several starts are followed and the best that
converged is kept; with one start the result is a matter of luck.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import least_squares

from compact.fitting.batch import Fitted
from compact.fitting.diagnostics import diagnose
from compact.fitting.model import TrainModel
from compact.fitting.trains import Trains

__all__ = ["authors_curve", "fit_article"]

_CLIP = 1e3  # stands for states that explicit Euler sends to infinity


def authors_curve(alpha: float, beta: float, x: list[float]) -> list[float]:
    """The authors' recurrence, y[0] = 1 and then one state per input; ends early, filled with NaN,
    where a state is zero."""
    y = 1.0
    curve = [y]
    for value in x:
        if y == 0:
            return curve + [float("nan")] * (len(x) + 1 - len(curve))
        y = y + alpha / y - beta * value
        curve.append(y)
    return curve


def fit_article(trains: Trains, seed: int, starts: int) -> Fitted:
    """Fit falling (or mirrored) trains one by one; the best of ``starts`` random starts each."""
    number = trains.low.size
    theta = np.zeros((number, 4))
    theta[:, 3] = 1.0
    converged, steps = np.zeros(number, bool), np.zeros(number, int)
    for k in range(number):
        there = trains.weights[:, k] > 0
        data = trains.values[there, k]
        x = trains.x[:, k if trains.x.shape[1] > 1 else 0].tolist()

        def residual(
            pair: np.ndarray,
            data: np.ndarray = data,
            there: np.ndarray = there,
            x: list[float] = x,
        ) -> np.ndarray:
            curve = np.array(authors_curve(float(pair[0]), float(pair[1]), x))
            return np.clip(np.nan_to_num(curve, nan=_CLIP), -_CLIP, _CLIP)[there] - data

        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(k,)))
        best = (False, -np.inf)
        for _ in range(starts):
            start = rng.uniform(size=2)
            end = least_squares(residual, start, bounds=([0, 0], [1, 1]), max_nfev=400)
            steps[k] += end.nfev
            done = end.status > 0  # the others got stuck where the curve is chaotic
            if (done, -end.cost) > best:
                best, theta[k, :2], converged[k] = (done, -end.cost), end.x, done
    model = TrainModel(trains, "explicit", -1)
    lower, upper = model.bounds("data", 1.0)
    with np.errstate(all="ignore"):
        residual_sum, jacobian = model(theta, np.arange(number))
        residual_sum = np.clip(np.nan_to_num(residual_sum, nan=_CLIP), -_CLIP, _CLIP)
        hessian = np.einsum("pmn,qmn->npq", jacobian, jacobian)
    hessian = np.where(np.isfinite(hessian), hessian, 0.0)
    squares = (residual_sum**2).sum(0)
    near = 1e-6  # the method stays strictly inside: this close is at the bound
    snapped = theta.copy()
    snapped[:, :2] = np.where(theta[:, :2] < near, 0, theta[:, :2])
    snapped[:, :2] = np.where(theta[:, :2] > 1 - near, 1, snapped[:, :2])
    diagnosis = diagnose(snapped, hessian, squares, trains.weights.sum(0), lower, upper)
    curve = residual_sum + trains.values
    return Fitted(theta, diagnosis, curve, residual_sum, squares, converged, steps)
