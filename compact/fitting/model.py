"""Model of a train for the fit: G = G_min + (G_max - G_min) y, y by Eq. (3) or (4), and starts.

Parameters, in this order: alpha, beta, A, B; A and B are G_min and G_max on the scale of the
train, where its smallest value is 0 and its largest 1. RESET starts at y = 1, that is at G_max. SET
starts at y = 0; there the equation keeps its form when y is stretched (alpha by the square), so
the scale must be chosen: B = 1.

For a given curve y the model is linear in A and B, d = A (1 - y) + B y. `windows` solves that
bounded regression for many curves at once, and `ReducedModel` is the model with A and B eliminated
by it (variable projection), in which the search runs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from compact.fitting.trains import Trains
from compact.kinetics.equations import march

__all__ = [
    "PARAMETERS",
    "ReducedModel",
    "TrainModel",
    "candidates",
    "costs",
    "eliminate",
    "screen",
    "shared_sums",
    "windows",
]

PARAMETERS = ("alpha", "beta", "conductance_min", "conductance_max")
# How far G_min and G_max may lie outside the train, in units of its span. Conductances that cannot
# be negative bound G_min by themselves; for others only the rate of an exponential is known anyway
# when G_min is that far away.
_REACH_DOWN, _REACH_UP = 10.0, 1.0
_RUNAWAY = 1e3  # a state beyond it is one that explicit Euler has sent away: no curve to compare


@dataclass(frozen=True)
class TrainModel:
    """The model of a batch of trains, all RESET (or mirrored) or all SET.

    Attributes
    ----------
    trains : Trains
        What is fitted; mirrored trains are mirrored already.
    integrator : {"explicit", "implicit", "exact"}
        How the equation is integrated.
    sign : int
        -1 for Eq. (4), +1 for Eq. (3).
    """

    trains: Trains
    integrator: str
    sign: int

    @property
    def y0(self) -> float:
        """The state at which trains begin."""
        return 1.0 if self.sign < 0 else 0.0

    @property
    def pulses(self) -> int:
        """How many pulses the trains have, for the range of the starts."""
        return len(self.trains.x)

    @property
    def fastest(self) -> np.ndarray:
        """The beta, (N,) or (1,), that takes a falling state from 1 to 0 between two reads."""
        return np.asarray(1 / self.trains.x.max(0))

    def part(self, index: np.ndarray) -> Self:
        """The model of the trains of these numbers."""
        return replace(self, trains=self.trains.part(index))

    def bounds(self, window: str, limit: float) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper bounds, (N, 4). ``limit`` is that of alpha and beta."""
        number = self.trains.low.size
        lower, upper = np.zeros((number, 4)), np.full((number, 4), limit)
        if window == "data":
            lower[:, 2:] = upper[:, 2:] = (0, 1)
            return lower, upper
        lower[:, 2], upper[:, 2] = -_REACH_DOWN, 1.0
        lower[:, 3], upper[:, 3] = 0.0, 1 + _REACH_UP
        if self.trains.physical:  # G_min >= 0
            lower[:, 2] = -self.trains.low / self.trains.span
        if self.sign > 0:
            lower[:, 3] = upper[:, 3] = 1.0
        return lower, upper

    def states(
        self,
        alpha: np.ndarray,
        beta: np.ndarray,
        index: np.ndarray | None = None,
        derivatives: str = "",
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """States (n, N') of alpha and beta, (N',), and their derivatives, letters of "ab".

        ``index`` says which trains these are, whose inputs count; None: all, or any where all
        trains have the same inputs.
        """
        x = self.trains.x
        if index is not None and x.shape[1] > 1:
            x = x[:, index]
        return march(
            self.integrator, alpha, beta, x, self.y0, sign=self.sign, derivatives=derivatives
        )

    def __call__(self, theta: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Residuals (n, N') and Jacobian (4, n, N') of the trains ``index``."""
        alpha, beta, low, high = theta.T
        y, (by_alpha, by_beta) = self.states(alpha, beta, index, "ab")
        weights = self.trains.weights[:, index]
        depth = high - low
        jacobian = np.empty((4, *y.shape))
        np.multiply(by_alpha, depth, out=jacobian[0])
        np.multiply(by_beta, depth, out=jacobian[1])
        np.subtract(1, y, out=jacobian[2])
        jacobian[3] = y
        residual = low + depth * y - self.trains.values[:, index]
        if not weights.all():
            residual *= weights
            jacobian *= weights
        return residual, jacobian


@dataclass(frozen=True)
class ReducedModel:
    """The same model with A and B eliminated, in two parameters that the data see apart.

    For RESET they are beta and the fixed point s = alpha/beta, for SET alpha and beta. A and B are
    linear and follow by regression within their bounds (variable projection; the Jacobian is
    Kaufman's). When s comes near 1 the curve is an exponential of rate beta/s, whatever s, and A
    runs away as 1/(1 - s): with A a parameter, that valley is bent and takes hundreds of steps.
    """

    full: TrainModel
    lower: np.ndarray
    upper: np.ndarray

    def part(self, index: np.ndarray) -> ReducedModel:
        """The model of the trains of these numbers."""
        return ReducedModel(self.full.part(index), self.lower[index], self.upper[index])

    def reduce(self, theta: np.ndarray) -> np.ndarray:
        """The two parameters (N, 2) of four (N, 4)."""
        alpha, beta = theta[:, 0], theta[:, 1]
        if self.full.sign > 0:
            return theta[:, :2].copy()
        with np.errstate(all="ignore"):
            return np.stack([beta, np.where(beta > 0, alpha / beta, 0.0)], axis=1)

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Bounds of the two, (N, 2)."""
        if self.full.sign > 0:
            return self.lower[:, :2], self.upper[:, :2]
        zero = np.zeros_like(self.lower[:, :2])
        # a train that falls has its fixed point below where it starts, at 1
        return zero, np.stack([self.upper[:, 1], np.full(len(zero), 1.0)], axis=1)

    def expand(self, pair: np.ndarray, index: np.ndarray) -> np.ndarray:
        """All four parameters (N', 4) of two."""
        return self._evaluate(pair, index)[0]

    def __call__(self, pair: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Residuals (n, N') and Jacobian (2, n, N') of the trains ``index``."""
        return self._evaluate(pair, index)[1:]

    def _evaluate(
        self, pair: np.ndarray, index: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        reset = self.full.sign < 0
        alpha, beta = (pair[:, 0] * pair[:, 1], pair[:, 0]) if reset else pair.T
        y, (by_alpha, by_beta) = self.full.states(alpha, beta, index, "ab")
        jacobian = np.empty((2, *y.shape))
        if reset:  # alpha = beta s: by the chain rule, d/dbeta = s d/dalpha + d/dbeta
            np.multiply(by_alpha, pair[:, 1], out=jacobian[0])
            jacobian[0] += by_beta
            np.multiply(by_alpha, beta, out=jacobian[1])
        else:
            jacobian[0], jacobian[1] = by_alpha, by_beta
        low, high, residual = eliminate(
            y, jacobian, self.full.trains, index, self.lower[index], self.upper[index]
        )
        return np.stack([alpha, beta, low, high], axis=1), residual, jacobian


def eliminate(
    y: np.ndarray,
    jacobian: np.ndarray,
    trains: Trains,
    index: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Best A and B for curves y and what is left of a Jacobian beside them.

    Variable projection (Golub and Pereyra 1973) with Kaufman's Jacobian (1975): the derivatives of
    B - A times y, less their part in the space of 1 - y and y. What lies in that space A and B make
    up for, so it is no direction in which the sum of squares can fall. A or B at a bound is held
    there and takes no part.

    Parameters
    ----------
    y : ndarray, shape (n, N')
        The curves.
    jacobian : ndarray, shape (q, n, N')
        Their derivatives; overwritten by the projected ones.
    trains : Trains
        The data.
    index : ndarray
        Which of the trains the N' curves belong to.
    lower, upper : ndarray, shape (N', 4)
        Bounds of alpha, beta, A, B.

    Returns
    -------
    a, b : ndarray, shape (N',)
        The optimal A and B.
    residuals : ndarray, shape (n, N')
        Residuals with them.
    """
    weights, values = trains.weights[:, index], trains.values[:, index]
    constant: np.ndarray | float = 1.0
    if not weights.all():  # rows of reads that were not made are zero, in data, y and 1 alike
        constant, y = weights, y * weights
        jacobian *= weights
    sums = (
        weights.sum(0),
        y.sum(0),
        np.einsum("mn,mn->n", y, y),
        values.sum(0),
        np.einsum("mn,mn->n", y, values),
        np.einsum("mn,mn->n", values, values),
    )
    low, high, _ = (v[:, 0] for v in windows(tuple(s[:, None] for s in sums), lower, upper))
    depth = high - low
    jacobian *= depth
    # the normal matrix of the basis p = 1 - y, q = y
    pp, pq, qq = sums[0] - 2 * sums[1] + sums[2], sums[1] - sums[2], sums[2]
    free_low = (low > lower[:, 2]) & (low < upper[:, 2])
    free_high = (high > lower[:, 3]) & (high < upper[:, 3])
    both = free_low & free_high
    determinant = pp * qq - pq * pq
    for column in jacobian:
        cq = np.einsum("mn,mn->n", column, y)
        cp = column.sum(0) - cq
        with np.errstate(all="ignore"):
            u = np.where(both, (qq * cp - pq * cq) / determinant, free_low * cp / pp)
            v = np.where(both, (pp * cq - pq * cp) / determinant, free_high * cq / qq)
        u, v = np.nan_to_num(u), np.nan_to_num(v)
        column -= u * constant + (v - u) * y
    return low, high, low * constant + depth * y - values


def _projected(
    y: np.ndarray, trains: Trains, lower: np.ndarray, upper: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A and B within their bounds that suit states (n, N) best, and the sum of squares, (N, 1)."""
    sound = _sound(y)
    y = np.where(sound, y, 0.0)
    w, d = trains.weights, trains.weights * trains.values
    terms = (w, w * y, w * y * y, d, d * y, d * trains.values)
    low, high, cost = windows(tuple(term.sum(0)[:, None] for term in terms), lower, upper)
    return low, high, np.where(sound[:, None], cost, np.inf)


def shared_sums(y: np.ndarray, trains: Trains) -> tuple[np.ndarray, ...]:
    """What `windows` takes, for every train (N) with every one of M common curves (n, M)."""
    w, d = trains.weights.T, (trains.weights * trains.values).T
    return (
        w.sum(1)[:, None],
        w @ y,
        w @ (y * y),
        d.sum(1)[:, None],
        d @ y,
        (d * trains.values.T).sum(1)[:, None],
    )


def windows(
    sums: tuple[np.ndarray, ...], lower: np.ndarray, upper: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bounded linear regression d = A (1 - y) + B y from sums over the pulses.

    Parameters
    ----------
    sums : tuple of ndarray
        Sums of 1, y, y^2, d, y d and d^2, each (N, M) or (N, 1) in shape.
    lower, upper : ndarray, shape (N, 4)
        Bounds of alpha, beta, A, B.

    Returns
    -------
    a, b : ndarray, shape (N, M)
        The optimal A and B.
    squares : ndarray, shape (N, M)
        Sum of the squared residuals.
    """
    s, sy, syy, sd, syd, sdd = sums
    pp, pq, qq = s - 2 * sy + syy, sy - syy, syy
    pd, qd = sd - syd, syd
    a_low, a_high, b_low, b_high = (v[:, i : i + 1] for i in (2, 3) for v in (lower, upper))
    # Two unknowns in a box: B of the free solution, clipped; the best A beside it, clipped; the
    # best B beside that. The sum of squares being convex this is the optimum, unless both were
    # clipped and one would have come free again.
    with np.errstate(all="ignore"):
        b = (pp * qd - pq * pd) / (pp * qq - pq * pq)
        b = np.clip(np.where(np.isfinite(b), b, 1.0), b_low, b_high)
        a = (pd - b * pq) / pp
        a = np.clip(np.where(np.isfinite(a), a, 0.0), a_low, a_high)
        b = (qd - a * pq) / qq
        b = np.clip(np.where(np.isfinite(b), b, 1.0), b_low, b_high)
    cost = sdd - 2 * a * pd - 2 * b * qd + a * a * pp + 2 * a * b * pq + b * b * qq
    return a, b, np.maximum(cost, 0)


def candidates(sign: int, pulses: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Pairs (alpha, beta), shape (count, 2), that spread over the curves a train can have.

    RESET: beta from a tenth of the window in all pulses to three windows a pulse, on a log scale,
    fixed point alpha/beta over the window. SET: reaching 1 within a third of the train or never,
    by diffusion and by drift. Latin hypercube.
    """
    strata = np.stack([rng.permutation(count), rng.permutation(count)])
    u, v = (strata + rng.uniform(size=(2, count))) / count
    if sign < 0:
        beta = np.exp(np.log(0.1 / pulses) + u * np.log(30 * pulses))
        return np.stack([beta * v, beta], axis=1)
    speed = np.exp(np.log(0.3) + u * np.log(30)) / pulses
    return np.stack([0.5 * speed * (1 - v) ** 2, speed * v], axis=1)


def screen(
    model: TrainModel,
    pairs: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    starts: int,
) -> np.ndarray:
    """Best ``starts`` starts of each train, (starts, N, 4): one from each part of ``pairs``."""
    low, high, cost = costs(model, pairs, lower, upper)
    rows = np.arange(len(cost))
    starting = np.empty((starts, len(cost), 4))
    for s, group in enumerate(np.array_split(np.arange(len(pairs)), starts)):
        best = group[np.argmin(cost[:, group], axis=1)]
        starting[s] = np.stack([*pairs[best].T, low[rows, best], high[rows, best]], axis=1)
    return starting


def costs(
    model: TrainModel, pairs: np.ndarray, lower: np.ndarray, upper: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A, B and the sum of squares of each train with each of M pairs, (N, M).

    With common inputs all trains share the pairs' curves, and A and B follow from 2 x 2 normal
    equations, whose sums over the pulses are matrix products.
    """
    trains = model.trains
    if trains.x.shape[1] == 1:
        y, _ = model.states(*pairs.T)
        sound = _sound(y)
        low, high, cost = windows(shared_sums(np.where(sound, y, 0.0), trains), lower, upper)
        return low, high, np.where(sound, cost, np.inf)
    number = trains.low.size
    columns = []
    for pair in pairs:
        alpha, beta = np.full((2, number), pair[:, None])
        columns.append(_projected(model.states(alpha, beta)[0], trains, lower, upper))
    low, high, cost = (np.concatenate(column, axis=1) for column in zip(*columns, strict=True))
    return low, high, cost


def _sound(y: np.ndarray) -> np.ndarray:
    """Which curves, (M,), of states (n, M) are finite and stay in reach."""
    return np.asarray(np.isfinite(y).all(0) & (np.abs(y).max(0) < _RUNAWAY))
