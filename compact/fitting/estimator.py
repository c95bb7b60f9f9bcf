"""`AlphaBetaRegressor`: the fit of one train as a scikit-learn estimator.

scikit-learn is needed for this module only; ``pip install 'ddk-toolkit[sklearn]'``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ddkbase.errors import InputError, InstallationError, closest, shorten

try:
    from sklearn.base import BaseEstimator, RegressorMixin
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as exc:  # pragma: no cover
    raise InstallationError(
        "scikit-learn is not installed",
        "AlphaBetaRegressor",
        "Run pip install 'ddk-toolkit[sklearn]'",
    ) from exc

from compact.fitting.batch import (
    ONE_PULSE,
    PLATEAU,
    STARTS,
    Options,
    first_does_all,
    fit_model,
    on_plateau,
)
from compact.fitting.fit import check_options, refuse_explicit_set
from compact.fitting.model import TrainModel
from compact.fitting.result import Columns
from compact.fitting.trains import DIRECTIONS, Trains, change
from compact.kinetics.equations import march
from compact.kinetics.exact import exact_derivatives, exact_step

__all__ = ["AlphaBetaRegressor"]

_LONGEST = 100_000  # pulses of a train that is followed pulse by pulse; more are read as times
_FARTHEST = 10_000_000  # pulses that a prediction follows
_READS = 4  # a train has three pulses at least; what was not read has no weight


class AlphaBetaRegressor(RegressorMixin, BaseEstimator):
    """Conductance against the number of pulses applied, by Eq. (4), or Eq. (3) where it rises.

    A row of ``X`` is one read of the cell, its column ``column`` the number of equal pulses applied
    before it, in any order; the other columns are not used. ``y`` is the conductance in any unit.
    The smallest number seen in `fit` is where the train begins; what lies before it is predicted as
    the beginning. Of several reads at one number their mean counts.

    Where the numbers are whole this is `compact.fit` of the train, with the same defaults and the
    same alpha and beta; pulses after which nothing was read are gaps in it. Numbers need not be
    whole: time in pulse widths, or in any other unit, will do. Pulses cannot be told apart then,
    and the equation itself is fitted (``integrator="exact"``).

    Parameters
    ----------
    column : int, default 0
        Which column of X counts the pulses.
    direction : {"down", "up"} or None, optional
        What the conductance does; None: what the reads do.
    integrator : {"implicit", "exact", "explicit"} or None, optional
        How the equation is integrated. None: "implicit", as in `compact.fit`, where X counts whole
        pulses (up to 100,000 of them), else "exact", which knows no pulses.
    window : {"free", "data"}, default "free"
        As in `compact.fit_many`.
    loss : {"linear", "soft_l1", "huber"}, default "linear"
        What a residual costs; the latter two forgive outliers.
    starts : int, default 8
        How many starts are followed.
    limit : float, default 10.0
        Upper bound of alpha and beta per unit of X, or per span of X if that is shorter.
    mirror : bool, default False
        Fit a train that rises as the mirror image of one that falls.
    normalised : bool or None, optional
        y is no conductance but a number that may be negative. None: if one of them is.
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
    integrator_ : {"implicit", "exact", "explicit"}
        How the equation was integrated.
    rising_ : bool
        Whether the train rises.
    origin_ : float
        Number of pulses at which the train begins.
    n_features_in_ : int
        Number of columns of X.
    n_iter_ : int
        Number of evaluations of the model.
    """

    def __init__(
        self,
        column: int = 0,
        direction: str | None = None,
        integrator: str | None = None,
        window: str = "free",
        loss: str = "linear",
        starts: int = STARTS,
        limit: float = 10.0,
        mirror: bool = False,
        normalised: bool | None = None,
        random_state: int | None = None,
    ) -> None:
        self.column = column
        self.direction = direction
        self.integrator = integrator
        self.window = window
        self.loss = loss
        self.starts = starts
        self.limit = limit
        self.mirror = mirror
        self.normalised = normalised
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
            An unknown option or direction, a column that X does not have, fewer than 3 reads,
            numbers of pulses that are not whole with an integrator that needs pulses.
        """
        X, y = validate_data(self, X, y, y_numeric=True, dtype=float)
        if self.direction not in (None, *DIRECTIONS):
            raise InputError(
                f"unknown direction {shorten(self.direction)}",
                "direction",
                closest(str(self.direction), DIRECTIONS),
            )
        if len(y) < 3:
            samples = "n_samples = 1" if len(y) == 1 else f"{len(y)} samples"
            raise InputError(f"{samples}: at least 3 are needed", "AlphaBetaRegressor.fit")
        count, reads = _means(self._pulses(X), y)
        self.origin_ = float(count[0])
        count = count - self.origin_
        whole = bool((count == np.round(count)).all() and count[-1] <= _LONGEST)
        self.integrator_ = self.integrator or ("implicit" if whole else "exact")
        if self.integrator_ != "exact" and not whole:
            raise InputError(
                "X does not count whole pulses", "integrator", "Use integrator='exact'"
            )
        # A train of times lasts as long as one of 30 pulses, whatever the unit of X is.
        reach = float(count[-1])
        unit = 1.0 if whole else reach / _TimedModel.pulses
        limit = self.limit * (1.0 if whole else max(reach, 1.0) / _TimedModel.pulses)
        seed = 0 if self.random_state is None else self.random_state
        options = Options(self.integrator_, self.loss, self.window, self.starts, seed, limit)
        check_options("better", options)
        time = None if whole else count / unit
        self._fit_train(self._train(count, reads, whole), time, unit, options)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Conductance after the numbers of pulses in X, shape (n,).

        Between two pulses the integrator takes a step that is a part of a pulse.

        Raises
        ------
        InputError
            More than 10,000,000 pulses, unless the integrator is "exact".
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=float)
        time = np.maximum(self._pulses(X) - self.origin_, 0)
        state = self._state(time)
        share = 1 - state if self._mirrored else state
        span = self.conductance_max_ - self.conductance_min_
        return np.asarray(self.conductance_min_ + span * share)

    def _pulses(self, X: np.ndarray) -> np.ndarray:
        if not 0 <= self.column < X.shape[1]:
            raise InputError(f"X has no column {self.column}", "column", f"It has {X.shape[1]}")
        return np.asarray(X[:, self.column])

    def _train(self, count: np.ndarray, reads: np.ndarray, whole: bool) -> Trains:
        """The reads as one train, a row for each pulse if they count pulses, else for each read."""
        rows = count.astype(int) if whole else np.arange(count.size)
        values = np.zeros((max(int(rows[-1]) + 1, _READS), 1))
        weights = np.zeros_like(values)
        low, span = reads.min(), np.ptp(reads) or 1.0
        values[rows, 0], weights[rows, 0] = (reads - low) / span, 1.0
        up = np.array([self.direction == "up"])
        if self.direction is None:
            up = change(values.T, weights.T > 0, np.array([int(rows[-1]) + 1])) > 0
        normalised = bool((reads < 0).any()) if self.normalised is None else self.normalised
        return Trains(
            values,
            weights,
            np.ones((len(values) - 1, 1)),
            np.array([low]),
            np.array([span]),
            rows[-1:],
            up,
            not normalised,
            np.array([""], dtype=object),
        )

    def _fit_train(
        self, train: Trains, time: np.ndarray | None, unit: float, options: Options
    ) -> None:
        """Fit one train, read at ``time`` [``unit`` of X] or after each pulse."""
        self.rising_ = bool(train.up[0])
        self._mirrored = self.rising_ and self.mirror
        oriented, self._sign = train.oriented(self.rising_, self.mirror)
        refuse_explicit_set(options.integrator, self._sign)
        model = TrainModel(oriented, options.integrator, self._sign)
        if time is not None:
            rows = len(oriented.values) - time.size
            time = np.pad(time, (0, rows), mode="edge")  # rows that no read has
            model = _TimedModel(oriented, options.integrator, self._sign, time)
        fits = fit_model(model, options)
        columns = Columns(train, options.integrator)
        columns.put(np.array([0]), oriented, fits, self._mirrored)
        self.alpha_, self.beta_ = (columns.theta[0, :2] / unit).tolist()
        self.conductance_min_, self.conductance_max_ = columns.theta[0, 2:].tolist()
        per_unit = np.array([1 / unit, 1 / unit, 1.0, 1.0])
        self.covariance_ = columns.covariance[0] * np.outer(per_unit, per_unit)
        self.at_bound_ = columns.at_bound[0]
        self.n_iter_ = int(columns.steps[0])
        self.note_ = str(columns.notes[0] or columns.reasons[0])
        below = PLATEAU if on_plateau(model, fits.theta[:, :2])[0] else ""
        if first_does_all(oriented.values, oriented.weights)[0]:
            below = ONE_PULSE
        if below:
            self.note_ = below
            self.covariance_ = np.full((4, 4), np.nan)
        self.alpha_stderr_, self.beta_stderr_ = np.sqrt(np.diag(self.covariance_))[:2].tolist()
        self.determined_ = not self.note_

    def _state(self, time: np.ndarray) -> np.ndarray:
        """The state y after a time in units of X."""
        start = np.full_like(time, 1.0 if self._sign < 0 else 0.0)
        if self.integrator_ == "exact":
            return exact_step(start, self.alpha_ * time, -self._sign * self.beta_ * time)
        if time.max(initial=0.0) > _FARTHEST:
            raise InputError(f"more than {_FARTHEST:,} pulses", "X", "Use integrator='exact'")
        pulses = np.floor(time).astype(int)
        alpha, beta = np.array([self.alpha_]), np.array([self.beta_])
        inputs = np.ones((int(pulses.max(initial=0)), 1))
        whole, _ = march(self.integrator_, alpha, beta, inputs, start[:1], sign=self._sign)
        state, part = whole[pulses, 0], time - pulses
        between = part > 0
        if between.any():
            part = part[between]
            ahead, _ = march(
                self.integrator_,
                alpha * part,
                beta * part,
                np.ones((1, 1)),
                state[between],
                sign=self._sign,
            )
            state[between] = ahead[1]
        return np.asarray(state)


@dataclass(frozen=True)
class _TimedModel(TrainModel):
    """The model of one train by the equation itself, read at ``time`` (n,), from 0, increasing."""

    time: np.ndarray
    pulses = 30  # the time that the train lasts; its starts are up to 90 windows of drift

    @property
    def fastest(self) -> np.ndarray:
        return 1 / self.time[1:2]

    def states(
        self,
        alpha: np.ndarray,
        beta: np.ndarray,
        index: np.ndarray | None = None,
        derivatives: str = "",
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        time = self.time[:, None]
        a, b = alpha * time, -self.sign * beta * time
        start = np.full_like(a, self.y0)
        y = exact_step(start, a, b)
        if not derivatives:
            return y, []
        with np.errstate(all="ignore"):
            _, by_a, by_b = exact_derivatives(start, y, a, b)
            slopes = {"a": by_a * time, "b": -self.sign * by_b * time}
        # at time 0 the state is the start, whatever alpha and beta are
        return y, [np.where(time > 0, slopes[letter], 0.0) for letter in derivatives]


def _means(count: np.ndarray, reads: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The different numbers of pulses, increasing, and the mean of the reads at each."""
    numbers, group = np.unique(count, return_inverse=True)
    return numbers, np.bincount(group, reads) / np.bincount(group)
