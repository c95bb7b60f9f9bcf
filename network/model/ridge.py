"""The last dense layer in closed form: ridge regression on what comes to it.

Nothing else is trained, no batch and no learning rate decides, and two feature layers before it are
compared by what a linear read-out finds in them. The regression is on targets of 0 and 1, one a
class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ddkbase.errors import InputError, SolverError
from network.layers.plain import Dense
from network.model.network import Network

STRENGTHS = tuple(float(s) for s in 10.0 ** np.arange(-3, 5))
"""What is tried of the strength, in samples: it is added to the squared features' sum, whose
features have variance 1."""


@dataclass(frozen=True)
class Readout:
    """A linear read-out and how good it is.

    Attributes
    ----------
    weight : ndarray, shape (features, classes)
        Weights.
    bias : ndarray, shape (classes,)
        Offset of each class.
    strength : float
        The strength of those tried that did best on the validation part.
    accuracy : float
        Share of the validation part that is told rightly.
    error : float
        Mean squared error on the validation part.
    """

    weight: np.ndarray
    bias: np.ndarray
    strength: float
    accuracy: float
    error: float

    @property
    def score(self) -> tuple[float, float]:
        """Larger is better: the accuracy, and of equal accuracies the smaller error."""
        return self.accuracy, -self.error


def solve_ridge(
    features: Any,
    labels: np.ndarray,
    validation: tuple[Any, np.ndarray],
    classes: int,
    strengths: tuple[float, ...] = STRENGTHS,
) -> Readout:
    """The read-out of features whose strength does best on a validation part.

    Parameters
    ----------
    features : array_like, shape (samples, features)
        Of the training part.
    labels : ndarray, shape (samples,)
        Its classes as integers from 0.
    validation : tuple of (array_like, ndarray)
        Features and classes of the validation part, on which the strength is chosen.
    classes : int
        Number of classes.
    strengths : tuple of float, optional
        What is tried.

    Raises
    ------
    InputError
        There are no samples in a part.
    SolverError
        A feature is not finite.
    """
    x, held = (np.asarray(f, float) for f in (features, validation[0]))
    if not len(x) or not len(held):
        raise InputError("there are no samples to fit, or none to validate on", "ridge")
    if not (np.isfinite(x).all() and np.isfinite(held).all()):
        raise SolverError("a feature is not finite", "ridge", "Use the implicit step")
    target = np.eye(classes)[labels]
    wanted, truth = np.eye(classes)[validation[1]], validation[1]
    mean, offset = x.mean(axis=0), target.mean(axis=0)
    deviation = x.std(axis=0)
    scale = np.where(deviation > 0, 1 / np.where(deviation > 0, deviation, 1), 0.0)
    z = (x - mean) * scale
    # the eigenvectors once, for all strengths
    values, vectors = np.linalg.eigh(z.T @ z)
    projected = vectors.T @ (z.T @ (target - offset))
    best: Readout | None = None
    for strength in strengths:
        inner = vectors @ (projected / (np.maximum(values, 0) + strength)[:, None])
        weight = scale[:, None] * inner
        bias = offset - mean @ weight
        said = held @ weight + bias
        accuracy = float(np.mean(said.argmax(axis=1) == truth))
        tried = Readout(weight, bias, strength, accuracy, float(np.mean((said - wanted) ** 2)))
        if best is None or tried.score > best.score:
            best = tried
    assert best is not None
    return best


def fit_ridge(
    network: Network,
    x: np.ndarray,
    y: np.ndarray,
    validation: tuple[np.ndarray, np.ndarray],
) -> Readout:
    """Solve for the last layer of a network, which stays as it is in all others.

    Statistics of `Standardise` layers are taken anew from x first.

    Parameters
    ----------
    network : Network
        Ends with a `Dense` layer with bias, which is changed in place.
    x : ndarray, shape `(samples, *input_shape)`
        Samples of the training part.
    y : ndarray, shape (samples,)
        Their classes.
    validation : tuple of ndarray
        Samples and classes on which the strength is chosen.

    Raises
    ------
    InputError
        The last layer is no dense one with a bias.
    SolverError
        A feature is not finite.
    """
    last = network.layers[-1]
    if not isinstance(last, Dense) or not last.bias:
        raise InputError("the last layer is not dense with a bias", "ridge", "Add Dense(classes)")
    network.reestimate(x)
    found = solve_ridge(
        network.before_last(x),
        y,
        (network.before_last(validation[0]), validation[1]),
        network.classes,
    )
    last.parameters["weight"][...] = found.weight
    last.parameters["bias"][...] = found.bias
    return found
