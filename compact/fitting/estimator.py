"""`AlphaBetaRegressor`: the fit of one train as a scikit-learn estimator.

scikit-learn is needed for this module only; ``pip install scikit-learn``.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from ddkbase.errors import InputError, InstallationError, closest, shorten

try:
    from sklearn.base import BaseEstimator, RegressorMixin
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as exc:  # pragma: no cover
    raise InstallationError(
        "scikit-learn is not installed", "AlphaBetaRegressor", "pip install scikit-learn"
    ) from exc

from compact.fitting.diagnostics import diagnose
from compact.fitting.least_squares import solve
from compact.fitting.model import candidates, windows
from compact.fitting.plateau import ONE_PULSE, PLATEAU, first_does_all, same_curve
from compact.kinetics.exact import exact_derivatives, exact_step

__all__ = ["AlphaBetaRegressor"]


class AlphaBetaRegressor(RegressorMixin, BaseEstimator):
    """Conductance against the number of pulses applied, by the exact solution of Eq. (4).

    A row of ``X`` is one read of the cell, its column ``column`` the number of equal pulses applied
    before it (in any order, not necessarily whole: time in pulse widths will do); the other columns
    are not used. ``y`` is the conductance in any unit; it is scaled inside. The smallest number
    seen in `fit` is where the train begins, y = 1; what lies before it is predicted as the
    beginning. A train that rises is fitted as the mirror image of one that falls.

    Parameters
    ----------
    column : int, default 0
        Which column of X counts the pulses.
    direction : {"down", "up"} or None, optional
        What the conductance does.
    loss : {"linear", "soft_l1", "huber"}, default "linear"
        What a residual costs; the latter two forgive outliers.
    starts : int, default 3
        How many starts are followed.
    limit : float, default 10.0
        Upper bound of alpha and beta per unit of X, or per span of X if that is shorter.
    random_state : int or None, optional
        Seed of the starts, or None for 0.

    Attributes
    ----------
    alpha_, beta_ : float
        Alpha and beta per unit of X.
    conductance_min_, conductance_max_ : float
        Ends of the window in the unit of y.
    alpha_stderr_, beta_stderr_ : float
        Standard errors of alpha and beta.
    covariance_ : ndarray, shape (4, 4)
        Covariance of the parameters in the order alpha, beta, minimum and maximum.
    at_bound_ : ndarray, shape (4,)
        Which parameters are at a bound.
    determined_ : bool
        Whether the reads determine `alpha_` and `beta_`. Where the first pulse does over 99 % of
        the change, they describe the reads, but the errors are NaN.
    note_ : str
        Why not; empty if they do.
    origin_ : float
        Number of pulses at which the train begins.
    n_features_in_ : int
        Number of columns of X.
    n_iter_ : int
        Number of iterations of the fit.
    """

    def __init__(
        self,
        column: int = 0,
        direction: str | None = None,
        loss: str = "linear",
        starts: int = 3,
        limit: float = 10.0,
        random_state: int | None = None,
    ) -> None:
        self.column = column
        self.direction = direction
        self.loss = loss
        self.starts = starts
        self.limit = limit
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        # one curve of one column cannot follow data that depend on several
        tags.regressor_tags.poor_score = True
        return tags

    def fit(self, X: Any, y: Any) -> Self:
        """Fit; X of shape (n, features), y of shape (n,), n at least 3.

        Raises
        ------
        InputError
            An unknown direction, a column that X does not have, fewer than 3 reads.
        """
        X, y = validate_data(self, X, y, y_numeric=True, dtype=float)
        if self.direction not in (None, "down", "up"):
            raise InputError(
                f"unknown direction {shorten(self.direction)}",
                "direction",
                closest(str(self.direction), ("down", "up")),
            )
        if len(y) < 3:
            samples = "n_samples = 1" if len(y) == 1 else f"{len(y)} samples"
            raise InputError(f"{samples}: at least 3 are needed", "AlphaBetaRegressor.fit")
        count = self._pulses(X)
        low, span = float(y.min()), float(np.ptp(y)) or 1.0
        self.origin_ = float(count.min())
        reach = float(np.ptp(count)) or 1.0
        time = (count - self.origin_) / reach  # the train lasts from 0 to 1
        up = self.direction == "up"
        if self.direction is None:
            up = float(np.dot(time - time.mean(), y - y.mean())) > 0
        scaled = (y - low) / span
        values = (1 - scaled if up else scaled)[:, None]

        def model(theta: np.ndarray, _: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return _residuals(theta, time, values)

        limits = self.limit * max(reach, 1.0)
        lower, upper = np.array([0, 0, -10.0, 0.0]), np.array([limits, limits, 1.0, 2.0])
        rng = np.random.default_rng(0 if self.random_state is None else self.random_state)
        first = _starts(time, values, lower, upper, self.starts, rng)
        scale = max(1.345 * 1.4826 * float(np.median(np.abs(np.diff(values[:, 0])))), 1e-4)
        found = [
            solve(model, start, lower, upper, loss=self.loss, scale=scale, steps=300)
            for start in first
        ]
        best = min(found, key=lambda one: float(one.cost[0]))
        theta = best.x
        residual, _ = model(theta, np.arange(1))
        squares = (residual**2).sum(0)
        bounds = np.atleast_2d(lower), np.atleast_2d(upper)
        diagnosis = diagnose(theta, best.hessian, squares, np.array([len(y)]), *bounds)
        factor = np.array([1 / reach, 1 / reach, span, span])
        order = [0, 1, 2, 3]
        window = low + span * theta[0, 2:]
        if up:
            window = low + span * (1 - theta[0, :1:-1])
            factor[2:], order = -span, [0, 1, 3, 2]
        self.alpha_, self.beta_ = (theta[0, :2] / reach).tolist()
        self.conductance_min_, self.conductance_max_ = window.tolist()
        self.rising_ = bool(up)
        covariance = diagnosis.covariance[0] * np.outer(factor, factor)
        self.covariance_ = covariance[np.ix_(order, order)]
        self.alpha_stderr_, self.beta_stderr_ = np.sqrt(np.diag(self.covariance_))[:2].tolist()
        self.at_bound_ = diagnosis.at_bound[0][order]
        self.note_ = str(diagnosis.notes[0])
        below = ONE_PULSE if _first_does_all(count, scaled) else ""
        if _on_plateau(theta[0], time):
            below = below or PLATEAU
        if below:
            self.note_ = below
            self.covariance_ = np.full((4, 4), np.nan)
            self.alpha_stderr_ = self.beta_stderr_ = np.nan
        self.determined_ = not self.note_
        self.n_iter_ = int(best.steps[0])
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Conductance after the numbers of pulses in X, shape (n,)."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=float)
        time = np.maximum(self._pulses(X) - self.origin_, 0)
        state = exact_step(np.ones_like(time), self.alpha_ * time, self.beta_ * time)
        share = 1 - state if self.rising_ else state
        span = self.conductance_max_ - self.conductance_min_
        return np.asarray(self.conductance_min_ + span * share)

    def _pulses(self, X: np.ndarray) -> np.ndarray:
        if not 0 <= self.column < X.shape[1]:
            raise InputError(f"X has no column {self.column}", "column", f"It has {X.shape[1]}")
        return np.asarray(X[:, self.column])


def _first_does_all(count: np.ndarray, scaled: np.ndarray) -> bool:
    """As `trains.first_does_all`, of the mean of the reads after each number of pulses."""
    numbers, place = np.unique(count, return_inverse=True)
    if numbers.size < 2:
        return False
    means = np.bincount(place, scaled) / np.bincount(place)
    return bool(first_does_all(means[:, None], np.ones((means.size, 1)))[0])


def _on_plateau(theta: np.ndarray, time: np.ndarray) -> bool:
    """Whether the times were read at which a larger beta would show."""
    curve, faster = (
        exact_step(np.ones_like(time), k * theta[0] * time, k * theta[1] * time) for k in (1, 2)
    )
    return bool(same_curve(curve[:, None], faster[:, None], np.ones((time.size, 1)))[0])


def _residuals(
    theta: np.ndarray, time: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    alpha, beta, low, high = theta.T
    a, b = time[:, None] * alpha, time[:, None] * beta
    one = np.ones_like(a)
    y = exact_step(one, a, b)
    _, by_a, by_b = exact_derivatives(one, y, a, b)
    begun = time[:, None] > 0
    by_alpha = np.where(begun, by_a * time[:, None], 0)
    by_beta = np.where(begun, by_b * time[:, None], 0)
    depth = high - low
    return low + depth * y - values, np.stack([depth * by_alpha, depth * by_beta, 1 - y, y])


def _starts(
    time: np.ndarray,
    values: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    starts: int,
    rng: np.random.Generator,
) -> list[np.ndarray]:
    """The best of each of ``starts`` groups of 60 pairs, with the A and B that suit them."""
    pairs = candidates(-1, 1, 60 * starts, rng) * 30  # up to 90 windows in the train
    a, b = time[:, None] * pairs[:, 0], time[:, None] * pairs[:, 1]
    y = exact_step(np.ones_like(a), a, b)
    n = np.full((1, 1), float(len(time)))
    sums = (
        n,
        y.sum(0)[None],
        (y * y).sum(0)[None],
        values.sum(0)[None],
        (y * values).sum(0)[None],
        (values**2).sum(0)[None],
    )
    low, high, cost = windows(sums, lower[None], upper[None])
    chosen = []
    for group in np.array_split(np.arange(len(pairs)), starts):
        k = group[np.argmin(cost[0, group])]
        chosen.append(np.array([[*pairs[k], low[0, k], high[0, k]]]))
    return chosen
