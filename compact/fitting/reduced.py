"""The model of a train with G_min and G_max eliminated, for the fit of many trains at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from compact.fitting.model import TrainModel
from compact.fitting.windows import eliminate
from compact.kinetics.equations import march

__all__ = ["ReducedModel"]


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
        full, reset = self.full, self.full.sign < 0
        trains = full.trains
        x = trains.x if trains.x.shape[1] == 1 else trains.x[:, index]
        alpha, beta = (pair[:, 0] * pair[:, 1], pair[:, 0]) if reset else pair.T
        y, (by_alpha, by_beta) = march(
            full.integrator, alpha, beta, x, full.y0, sign=full.sign, derivatives="ab"
        )
        jacobian = np.empty((2, *y.shape))
        if reset:
            np.multiply(by_alpha, pair[:, 1], out=jacobian[0])
            jacobian[0] += by_beta
            np.multiply(by_alpha, beta, out=jacobian[1])
        else:
            jacobian[0], jacobian[1] = by_alpha, by_beta
        low, high, residual = eliminate(
            y, jacobian, trains, index, self.lower[index], self.upper[index]
        )
        return np.stack([alpha, beta, low, high], axis=1), residual, jacobian
