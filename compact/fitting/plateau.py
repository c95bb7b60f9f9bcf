"""Where a train tells only the ratio alpha/beta, and how a fit gets away from there.

A falling state that comes to its fixed point alpha/(beta x) within every pulse knows beta from
below only. With exact integration that is so from a beta of about 1.2 on, if the inputs are 1: the
sum of squares is level there, and a search that has stepped onto this plateau stays, even where a
smaller beta describes the train better. Eq. (3) has no fixed point, and explicit Euler does not
stay at its own for large beta: neither has a plateau.
"""

from __future__ import annotations

import numpy as np

from compact.fitting.least_squares import solve
from compact.fitting.model import TrainModel
from compact.fitting.reduced import ReducedModel
from compact.fitting.trains import FIRST

__all__ = ["PLATEAU", "leave_plateau", "on_plateau", "same_curve"]

PLATEAU = "the fitted curve is that of any larger beta: beta is known from below only"
_SLOWEST = 0.5  # beta x below which a train takes several pulses, for sure
_STARTS = (0.6, 0.75, 0.9)  # of the beta that falls from 1 to 0 in one pulse
_STEPS = 60
_BETTER = 1e-9  # relative gain of the sum of squares that counts


def same_curve(curve: np.ndarray, faster: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Which fitted curves do not change if alpha and beta are doubled.

    Parameters
    ----------
    curve, faster : ndarray, shape (n, N)
        States with alpha and beta as fitted, and with both doubled.
    weights : ndarray, shape (n, N)
        Weights, 1 where there is a read; other places do not count.

    Returns
    -------
    ndarray, shape (N,)
        True where the two differ by less than 1 - `FIRST` of the curve's own range.
    """
    there = weights > 0
    range_of = np.where(there, curve, -np.inf).max(0) - np.where(there, curve, np.inf).min(0)
    apart = np.where(there, np.abs(faster - curve), 0.0).max(0)
    return np.asarray(apart < (1 - FIRST) * range_of)


def on_plateau(model: TrainModel, pairs: np.ndarray) -> np.ndarray:
    """Which trains (N,) of a model, with alpha and beta (N, 2), are on the plateau."""
    same = np.zeros(len(pairs), bool)
    if model.sign > 0 or model.integrator == "explicit":
        return same
    fast = np.flatnonzero(pairs[:, 1] * model.trains.x.max(initial=0.0) > _SLOWEST)
    part, pairs = model.trains.part(fast), pairs[fast]
    model = TrainModel(part, model.integrator, model.sign)
    same[fast] = same_curve(model.states(pairs), model.states(2 * pairs), part.weights)
    return same


def leave_plateau(
    model: TrainModel, lower: np.ndarray, upper: np.ndarray, pair: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Look below the plateau for something better, where a search has ended on it.

    Parameters
    ----------
    lower, upper : ndarray, shape (N, 4)
        Bounds of the model.
    pair : ndarray, shape (N, 2)
        Where the search ended, as `compact.fitting.reduced.ReducedModel` has it.

    Returns
    -------
    index : ndarray, shape (N',)
        The trains with a better optimum.
    pair : ndarray, shape (N', 2)
        That optimum.
    """
    stuck = np.flatnonzero(on_plateau(model, np.stack([pair[:, 0] * pair[:, 1], pair[:, 0]], 1)))
    if not stuck.size:
        return stuck, pair[stuck]
    part = TrainModel(model.trains.part(stuck), model.integrator, model.sign)
    reduced = ReducedModel(part, lower[stuck], upper[stuck])
    low, high = reduced.bounds()
    top = high.copy()
    top[:, 0] = np.minimum(top[:, 0], 1 / part.trains.x.max(0))
    number, starts = stuck.size, len(_STARTS)
    first = np.concatenate([np.stack([s * top[:, 0], pair[stuck, 1]], axis=1) for s in _STARTS])
    found = solve(
        lambda p, k: reduced(p, k % number),
        first,
        np.tile(low, (starts, 1)),
        np.tile(top, (starts, 1)),
        steps=_STEPS,
    )
    best = found.cost.reshape(starts, number).argmin(0) * number + np.arange(number)
    last = solve(reduced, found.x[best], low, high, steps=_STEPS)
    before = (reduced(pair[stuck], np.arange(number))[0] ** 2).sum(0)
    better = last.converged & (2 * last.cost < (1 - _BETTER) * before)
    return stuck[better], last.x[better]
