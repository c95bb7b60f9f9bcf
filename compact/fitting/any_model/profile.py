"""Profile-likelihood intervals of the parameters of any model, by fits anew.

As in `compact.fitting.profiles`: the values of a parameter at which the best fit of the others has
at most S + s^2 q^2 for its sum of squares, S being that of the optimum, s^2 = S/(n - p) and q
Student's t of n - p (Bates and Watts, Nonlinear Regression Analysis, 1988, section 6.1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import brentq, least_squares

__all__ = ["ends_of"]

_DOUBLINGS, _CLOSE, _STEPS = 20, 1e-3, 15
_FIRST = 0.05  # of the way to the bound, where there is no standard error to begin with


@dataclass
class _Profile:
    """The fits with one coordinate held, the others starting where the last fit has ended."""

    residuals: Callable[[np.ndarray], np.ndarray]
    best: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    position: int
    step: float
    others: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.others = np.delete(self.best, self.position)

    def squares(self, value: float) -> float:
        """The least sum of squares with the coordinate held."""

        def held(others: np.ndarray) -> np.ndarray:
            return self.residuals(np.insert(others, self.position, value))

        if not self.others.size:
            return float((held(self.others) ** 2).sum())
        low, high = (np.delete(b, self.position) for b in (self.lower, self.upper))
        edge = 1e-9 * (high - low)
        end = least_squares(
            held, np.clip(self.others, low + edge, high - edge), bounds=(low, high), x_scale="jac",
            diff_step=self.step, max_nfev=_STEPS,
        )  # fmt: skip
        self.others = end.x
        return float(2 * end.cost)


def ends_of(
    residuals: Callable[[np.ndarray], np.ndarray],
    best: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    half: np.ndarray,
    reach: float,
    step: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the interval of each coordinate, (p, 2), and whether a bound ends it there, (p, 2).

    Parameters
    ----------
    residuals : callable
        Coordinates (p,) to residuals (n,).
    best, lower, upper : ndarray, shape (p,)
        The optimum and the bounds.
    half : ndarray, shape (p,)
        Half of the linearised interval, from which the search begins; NaN: there is none.
    reach : float
        Student's t at the level.
    step : float
        Relative step of finite differences.
    """
    least = float((residuals(best) ** 2).sum())
    free = max(residuals(best).size - best.size, 1)
    noise = max(least / free, 1e-24)
    ends, bounded = np.full((best.size, 2), np.nan), np.zeros((best.size, 2), bool)
    for k in range(best.size):
        for side, bound in enumerate((lower[k], upper[k])):
            profile = _Profile(residuals, best, lower, upper, k, step)

            def excess(value: float, profile: _Profile = profile) -> float:
                over = max(profile.squares(value) - least, 0.0)
                return float(np.sqrt(over / noise)) - reach

            ends[k, side], bounded[k, side] = _end(excess, best[k], bound, half[k])
    return ends, bounded


def _end(
    excess: Callable[[float], float], best: float, bound: float, half: float
) -> tuple[float, bool]:
    """Where the excess is zero between the optimum and a bound; the bound if it is not."""
    way = bound - best
    if way == 0:
        return bound, True
    share = min(half / abs(way), 1.0) if np.isfinite(half) and half > 0 else _FIRST
    inside = 0.0
    for _ in range(_DOUBLINGS):
        if excess(best + share * way) >= 0:
            root = brentq(
                lambda s: excess(best + s * way), inside, share, xtol=_CLOSE * share, rtol=_CLOSE
            )
            return best + root * way, False
        if share >= 1.0:
            return bound, True
        inside, share = share, min(2 * share, 1.0)
    return bound, True
