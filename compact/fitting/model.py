"""Model of a train for the fit: G = G_min + (G_max - G_min) y, y by Eq. (3) or (4), and starts.

Parameters, in this order: alpha, beta, A, B; A and B are G_min and G_max on the scale of the
train, where its smallest value is 0 and its largest 1. RESET starts at y = 1, that is at G_max. SET
starts at y = 0; there the equation keeps its form when y is stretched (alpha by the square), so
the scale must be chosen: B = 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from compact.fitting.trains import Trains
from compact.fitting.windows import projected, shared_sums, windows
from compact.kinetics.equations import march

__all__ = ["PARAMETERS", "TrainModel", "candidates", "costs", "screen"]

PARAMETERS = ("alpha", "beta", "conductance_min", "conductance_max")
# How far G_min and G_max may lie outside the train, in units of its span. Conductances that cannot
# be negative bound G_min by themselves; for others only the rate of an exponential is known anyway
# when G_min is that far away.
_REACH_DOWN, _REACH_UP = 10.0, 1.0


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
        return 1.0 if self.sign < 0 else 0.0

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

    def states(self, pairs: np.ndarray) -> np.ndarray:
        """States (n, N) of alpha and beta, (N, 2)."""
        alpha, beta = pairs.T
        return march(self.integrator, alpha, beta, self.trains.x, self.y0, sign=self.sign)[0]

    def __call__(self, theta: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Residuals (n, N') and Jacobian (4, n, N') of the trains ``index``."""
        x = self.trains.x if self.trains.x.shape[1] == 1 else self.trains.x[:, index]
        alpha, beta, low, high = theta.T
        y, (by_alpha, by_beta) = march(
            self.integrator, alpha, beta, x, self.y0, sign=self.sign, derivatives="ab"
        )
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
    chosen = np.empty((starts, len(cost), 4))
    for s, group in enumerate(np.array_split(np.arange(len(pairs)), starts)):
        best = group[np.argmin(cost[:, group], axis=1)]
        chosen[s] = np.stack([*pairs[best].T, low[rows, best], high[rows, best]], axis=1)
    return chosen


def costs(
    model: TrainModel, pairs: np.ndarray, lower: np.ndarray, upper: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A, B and the sum of squares of each train with each of M pairs, (N, M).

    With common inputs all trains share the pairs' curves, and A and B follow from 2 x 2 normal
    equations, whose sums over the pulses are matrix products.
    """
    trains = model.trains
    if trains.x.shape[1] == 1:
        y, _ = march(
            model.integrator, pairs[:, 0], pairs[:, 1], trains.x, model.y0, sign=model.sign
        )
        sound = np.isfinite(y).all(0) & (np.abs(y).max(0) < 1e3)
        low, high, cost = windows(shared_sums(np.where(sound, y, 0.0), trains), lower, upper)
        return low, high, np.where(sound, cost, np.inf)
    number = trains.low.size
    columns = []
    for pair in pairs:
        alpha, beta = np.full((2, number), pair[:, None])
        y, _ = march(model.integrator, alpha, beta, trains.x, model.y0, sign=model.sign)
        columns.append(projected(y, trains, lower, upper))
    low, high, cost = (np.concatenate(parts, axis=1) for parts in zip(*columns, strict=True))
    return low, high, cost
