"""Trains that tell beta from below only, and how a fit gets away from where it seems so.

Two kinds of trains are faster than a fit can say:

* the first pulse does over 99 % of the change: any beta above 1 gives this curve;
* a falling state comes to its fixed point alpha/(beta x) within every pulse. With exact
  integration that is so from a beta of about 1.2 on, if the inputs are 1: the sum of squares is
  level there, and a search that has stepped onto this plateau stays, even where a smaller beta
  describes the train better. Eq. (3) has no fixed point, and explicit Euler does not stay at its
  own for large beta: neither has a plateau.
"""

from __future__ import annotations

import numpy as np

from compact.fitting.least_squares import solve
from compact.fitting.model import ReducedModel, TrainModel

__all__ = ["ONE_PULSE", "PLATEAU", "first_does_all", "leave_plateau", "on_plateau", "same_curve"]

ONE_PULSE = "the first pulse does over 99 % of the change: beta is known from below only"
PLATEAU = "the fitted curve is that of any larger beta: beta is known from below only"
_FIRST = 0.99  # share of the whole change; what is left is no more than the noise of a read
_SLOWEST = 0.5  # beta x below which a train takes several pulses, for sure
_STARTS = (0.6, 0.75, 0.9)  # of the beta that falls from 1 to 0 in one pulse
_STEPS = 60
_BETTER = 1e-9  # relative gain of the sum of squares that counts


def first_does_all(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Which trains end with their first pulse, so that any beta above 1 gives the same curve.

    Parameters
    ----------
    values, weights : ndarray
        As in `compact.fitting.trains.Trains`; the first row is the state before the first pulse.
        Where the read after the first pulse is missing, the next one counts.

    Returns
    -------
    ndarray, shape (N,)
        True where the first read is more than 99 % of the train's span away from the start.
    """
    there = weights[1:] > 0
    row = there.argmax(0)
    first = np.take_along_axis(values[1:], row[None], axis=0)[0]
    return np.asarray(there.any(0) & (np.abs(first - values[0]) > _FIRST))


def same_curve(curve: np.ndarray, faster: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Which fitted curves do not change if alpha and beta are doubled.

    Parameters
    ----------
    curve, faster : ndarray, shape (n, N)
        States with alpha and beta as fitted, and with both doubled.
    weights : ndarray, shape (n, N)
        Weights, 1 where there is a read; other rows do not count.

    Returns
    -------
    ndarray, shape (N,)
        True where the two differ by less than 1 % of the curve's own range.
    """
    there = weights > 0
    extent = np.where(there, curve, -np.inf).max(0) - np.where(there, curve, np.inf).min(0)
    apart = np.where(there, np.abs(faster - curve), 0.0).max(0)
    return np.asarray(apart < (1 - _FIRST) * extent)


def on_plateau(model: TrainModel, pairs: np.ndarray) -> np.ndarray:
    """Which trains (N,) of a model, with alpha and beta (N, 2), are on the plateau."""
    same = np.zeros(len(pairs), bool)
    if model.sign > 0 or model.integrator == "explicit":
        return same
    fast = np.flatnonzero(pairs[:, 1] > _SLOWEST * model.fastest.min(initial=np.inf))
    part, pairs = model.part(fast), pairs[fast]
    curve, faster = (part.states(*(k * pairs.T))[0] for k in (1, 2))
    same[fast] = same_curve(curve, faster, part.trains.weights)
    return same


def leave_plateau(reduced: ReducedModel, pair: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Look below the plateau for something better, where a search has ended on it.

    Parameters
    ----------
    reduced : ReducedModel
        The model that was searched, of falling trains if there is to be a plateau.
    pair : ndarray, shape (N, 2)
        Where the search ended: beta and alpha/beta.

    Returns
    -------
    index : ndarray, shape (N',)
        The trains with a better optimum.
    pair : ndarray, shape (N', 2)
        That optimum.
    """
    stuck = np.flatnonzero(
        on_plateau(reduced.full, np.stack([pair[:, 0] * pair[:, 1], pair[:, 0]], axis=1))
    )
    if not stuck.size:
        return stuck, pair[stuck]
    part = reduced.part(stuck)
    low, high = part.bounds()
    top = high.copy()
    # First with beta held where a pulse cannot take the state from 1 to 0, off the plateau, ...
    top[:, 0] = np.minimum(top[:, 0], part.full.fastest)
    number, starts = stuck.size, len(_STARTS)
    first = np.concatenate([np.stack([s * top[:, 0], pair[stuck, 1]], axis=1) for s in _STARTS])
    below = solve(
        lambda p, k: part(p, k % number),
        first,
        np.tile(low, (starts, 1)),
        np.tile(top, (starts, 1)),
        steps=_STEPS,
    )
    best = below.cost.reshape(starts, number).argmin(0) * number + np.arange(number)
    # ... then free from there: an optimum counts only if it is one without that fence, too.
    last = solve(part, below.x[best], low, high, steps=_STEPS)
    before = (part(pair[stuck], np.arange(number))[0] ** 2).sum(0)
    better = last.converged & (2 * last.cost < (1 - _BETTER) * before)
    return stuck[better], last.x[better]
