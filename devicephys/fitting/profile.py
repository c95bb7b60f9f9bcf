"""Profile likelihood: how much worse the best fit becomes where one parameter is held.

Laplace's interval is a parabola's; a profile follows what the model does. One parameter at a time
is moved away from its best value and held while the others are fitted anew, until the logarithm of
the likelihood has fallen by half the quantile of chi-squared of one degree of freedom. An end that
is not reached within the bounds is open (Raue et al., Bioinformatics 25, 1923, 2009).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

__all__ = ["LEVELS", "Profile", "Residuals", "profile"]

#: signed roots of twice the loss of log likelihood at which the 68 and 95 % intervals end
LEVELS = {"68": 1.0, "95": 1.96}
#: first move, in standard deviations of Laplace, and the largest growth from move to move
FIRST, GROWTH = 1.0, 2.5
#: moves on one side, and solves with which the others are fitted anew at each
MOVES, ADAPTED = 8, 4
#: the last point may lie this much beyond the 95 % level
BEYOND = 1.15


@dataclass(frozen=True)
class Residuals:
    """What is made small, as functions of the logarithms of the parameters.

    Attributes
    ----------
    residual, jacobian : callable
        As `scipy.optimize.least_squares` asks for them.
    cost : callable
        What it makes small, robust loss included; NaN where the solver gives up.
    bounds : tuple of ndarray
        Least and largest logarithms.
    loss : str
        As of `scipy.optimize.least_squares`.
    """

    residual: Callable[[np.ndarray], np.ndarray]
    jacobian: Callable[[np.ndarray], np.ndarray]
    cost: Callable[[np.ndarray], float]
    bounds: tuple[np.ndarray, np.ndarray]
    loss: str


@dataclass(frozen=True)
class Profile:
    """The profile of one parameter.

    Attributes
    ----------
    logs : ndarray
        Logarithms of the parameter over its value at the start, rising, shape (points,).
    root : ndarray
        Signed root of twice the loss of the logarithm of the likelihood, shape (points,).
    """

    logs: np.ndarray
    root: np.ndarray

    def end(self, level: float) -> float:
        """Where the root passes a level (signed); NaN if it does not within the bounds."""
        order = np.argsort(self.root)
        if not self.root[order[0]] <= level <= self.root[order[-1]]:
            return float("nan")
        return float(np.interp(level, self.root[order], self.logs[order]))


def profile(
    problem: Residuals,
    best: np.ndarray,
    covariance: np.ndarray,
    dispersion: float,
    number: int,
) -> Profile:
    """Walk away from the best fit on both sides along one parameter.

    Parameters
    ----------
    problem : Residuals
        What is made small.
    best : ndarray
        Logarithms at the best fit, shape (parameters,).
    covariance : ndarray
        Laplace's, of the logarithms: it says how far to go and how the others follow.
    dispersion : float
        What the cost is divided by to become a logarithm of likelihood.
    number : int
        Which parameter.
    """
    least = problem.cost(best)
    low, high = problem.bounds
    deviation = float(np.sqrt(covariance[number, number]))
    deviation = min(deviation, 0.25 * float(high[number] - low[number]))
    ridge = covariance[number] / covariance[number, number]
    logs, roots = [float(best[number])], [0.0]
    for sign, edge in ((-1.0, low[number]), (1.0, high[number])):
        point, reached, move = best.copy(), 0.0, FIRST * deviation
        for _ in range(MOVES):
            target = point[number] + sign * move
            ended = sign * (target - edge) >= 0.0
            step = (edge if ended else target) - point[number]
            if step == 0.0:
                break
            point = _adapted(problem, np.clip(point + ridge * step, low, high), number)
            gained = 2.0 * (problem.cost(point) - least) / dispersion
            if not np.isfinite(gained):
                break
            before, reached = reached, float(np.sqrt(max(gained, 0.0)))
            logs.append(float(point[number]))
            roots.append(sign * reached)
            if reached >= LEVELS["95"] or ended:
                break
            # the next point is to lie just beyond the level
            slope = max((reached - before) / abs(step), 1e-12)
            wanted = (BEYOND * LEVELS["95"] - reached) / slope
            move = float(np.clip(wanted, 0.3 * abs(step), GROWTH * abs(step)))
    order = np.argsort(logs)
    return Profile(np.array(logs)[order], np.array(roots)[order])


def _adapted(problem: Residuals, point: np.ndarray, number: int) -> np.ndarray:
    """The point with the other parameters fitted anew."""
    others = np.arange(len(point)) != number
    if not others.any():
        return point

    def whole(free: np.ndarray) -> np.ndarray:
        full = point.copy()
        full[others] = free
        return full

    low, high = (bound[others] for bound in problem.bounds)
    found = least_squares(
        lambda free: problem.residual(whole(free)),
        np.clip(point[others], low, high),
        lambda free: problem.jacobian(whole(free))[:, others],
        bounds=(low, high),
        loss=problem.loss,
        x_scale="jac",
        ftol=1e-3,
        xtol=1e-3,
        max_nfev=ADAPTED,
    )
    return whole(found.x)
