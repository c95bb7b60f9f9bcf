"""Two methods without features of their own, which any other is to be held against.

Logistic regression on the samples, and the class of the nearest training sample. Both are called as
`network.baselines.rocket.MiniRocket` is.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from scipy.optimize import minimize

from ddkbase.errors import InputError, SolverError
from network.counting.count import Count
from network.model.metrics import softmax

Array = np.ndarray[Any, np.dtype[Any]]


class LogisticRegression:
    """Multinomial logistic regression, solved to its optimum by L-BFGS.

    Parameters
    ----------
    penalty : float, default 1.0
        Factor on half the squared weights, which are added to the sum of all samples' losses.

    Attributes
    ----------
    count : Count
        Weights and offsets, and MACs of one sample.
    """

    def __init__(self, penalty: float = 1.0) -> None:
        if not (np.isfinite(penalty) and penalty > 0):
            raise InputError(f"a penalty of {penalty}", "LogisticRegression", "Above 0")
        self.penalty = float(penalty)
        self.count = Count()
        self._weight: Array | None = None

    def fit(self, x: Array, y: Array, *, classes: int | None = None) -> Self:
        """Solve for the weights.

        Parameters
        ----------
        x : ndarray, shape `(samples, ...)`
            Samples; their values are the features.
        y : ndarray, shape (samples,)
            Classes of the samples as integers from 0 to classes - 1.
        classes : int or None, optional
            Number of classes; by default the largest label plus one.

        Raises
        ------
        InputError
            x and y do not fit.
        SolverError
            The optimum was not reached.
        """
        rows, labels, number = _checked(x, y, classes)
        rows = np.concatenate([rows, np.ones((len(rows), 1))], axis=1)
        targets = np.eye(number)[labels]
        decaying = np.full(rows.shape[1], self.penalty)[:, None]
        decaying[-1] = 0  # offsets are free

        def loss(flat: Array) -> tuple[float, Array]:
            weight = flat.reshape(rows.shape[1], number)
            z = rows @ weight
            z -= z.max(axis=1, keepdims=True)
            spread = np.log(np.exp(z).sum(axis=1))
            value = spread.sum() - (z * targets).sum() + 0.5 * (decaying * weight**2).sum()
            by_weight = rows.T @ (np.exp(z - spread[:, None]) - targets) + decaying * weight
            return float(value), by_weight.ravel()

        start = np.zeros(rows.shape[1] * number)
        options = {"maxiter": 5000, "gtol": 1e-4}
        found = minimize(loss, start, jac=True, method="L-BFGS-B", options=options)
        if not found.success:
            raise SolverError(f"no optimum [{found.message}]", "LogisticRegression")
        self._weight = found.x.reshape(rows.shape[1], number)
        self.count = Count(self._weight.size, (rows.shape[1] - 1) * number)
        return self

    def predict_proba(self, x: Array) -> Array:
        """Probabilities (samples, classes) of samples (samples, ...).

        Raises InputError: nothing was trained, or x has other features.
        """
        if self._weight is None:
            raise InputError("it is not trained", "LogisticRegression", "Call fit first")
        rows = _rows(x, len(self._weight) - 1)
        return softmax(rows @ self._weight[:-1] + self._weight[-1])


class NearestSample:
    """The class of the training sample at the least Euclidean distance.

    Attributes
    ----------
    count : Count
        Numbers that are stored, and MACs of one sample.
    """

    def __init__(self) -> None:
        self.count = Count()
        self._stored: Array | None = None

    def fit(self, x: Array, y: Array, *, classes: int | None = None) -> Self:
        """Keep the samples; arguments and InputError as of `LogisticRegression.fit`."""
        self._stored, self._labels, self._classes = _checked(x, y, classes)
        self._squares = np.einsum("ij,ij->i", self._stored, self._stored)
        self.count = Count(self._stored.size, self._stored.size)
        return self

    def predict_proba(self, x: Array) -> Array:
        """One for the class that is told, zero for the others; as
        `LogisticRegression.predict_proba`.
        """
        if self._stored is None:
            raise InputError("it is not trained", "NearestSample", "Call fit first")
        rows = _rows(x, self._stored.shape[1])
        # the square of x itself is the same for all stored samples, and is left out
        nearest = (self._squares - 2 * rows @ self._stored.T).argmin(axis=1)
        return np.eye(self._classes)[self._labels[nearest]]


def _rows(x: Array, features: int) -> Array:
    """Samples as rows of so many features. Raises InputError."""
    rows = np.asarray(x, float).reshape(len(x), -1)
    if rows.shape[1] != features:
        raise InputError(f"{rows.shape[1]} features came for {features}", "x")
    return rows


def _checked(x: Array, y: Array, classes: int | None) -> tuple[Array, Array, int]:
    """Samples as rows, labels, number of classes. Raises InputError."""
    rows, labels = np.asarray(x, float), np.asarray(y)
    if labels.shape != rows.shape[:1] or labels.dtype.kind not in "iu" or not labels.size:
        raise InputError(f"labels of shape {labels.shape}, {labels.dtype} do not fit", "y")
    number = int(labels.max()) + 1 if classes is None else int(classes)
    if labels.min() < 0 or labels.max() >= number:
        raise InputError(f"labels from {labels.min()} to {labels.max()}", "y", f"0 to {number - 1}")
    return rows.reshape(len(rows), -1), labels, number
