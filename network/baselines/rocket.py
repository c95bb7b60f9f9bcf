"""MiniRocket with a linear classifier: the strong simple method for series, from sktime.

Dempster, Schmidt, Webb, KDD 2021: 84 fixed kernels of nine taps at several dilations; a feature is
the share of a convolved series above a threshold. Only the classifier is trained.
"""

from __future__ import annotations

import importlib
from typing import Any, Self

import numpy as np

from ddkbase.errors import InputError, InstallationError
from network.counting.count import Count
from network.layers.plain import Dense, Layer
from network.layers.standardise import Standardise
from network.model.network import Network
from network.model.optimisers import Adam
from network.model.trainer import train

Array = np.ndarray[Any, np.dtype[Any]]

#: Kernels of MiniRocket; a number of features is a multiple of it.
KERNELS = 84
_SHORTEST = 9  # taps of a kernel
_MEMORY = 1 << 30  # bytes that the features of the training samples may take
_RIDGE_SAMPLES = 10_000


class MiniRocket:
    """MiniRocket and a linear classifier.

    Parameters
    ----------
    features : int or None, optional
        Number of features, rounded down to a multiple of 84. By default 9,996, or what keeps those
        of the training samples within 1 GiB. Give the DDK layer's number for a control of its size.
    classifier : {"ridge", "softmax", "auto"}, default "auto"
        "ridge" (scikit-learn, the strength chosen by leave-one-out), "softmax" (one dense layer
        trained by `network.model.trainer`), or "auto": ridge up to 10,000 training samples.
    seed : int, default 0
        Seed of the thresholds, the choice of channels and the softmax layer.

    Attributes
    ----------
    count : Count
        Parameters of the classifier, and MACs of one sample; an addition of the transformation,
        which needs no products but by 2, counts as one MAC.
    """

    def __init__(
        self, features: int | None = None, *, classifier: str = "auto", seed: int = 0
    ) -> None:
        if features is not None and features < KERNELS:
            raise InputError(f"{features} features are fewer than {KERNELS} kernels", "MiniRocket")
        if classifier not in ("auto", "ridge", "softmax"):
            raise InputError(f"classifier {classifier!r}", "MiniRocket", "auto, ridge or softmax")
        self._number, self.classifier, self.seed = features, classifier, int(seed)
        self.features = 0
        self.count = Count()
        self._classes = 0
        self._model: Any = None

    def fit(self, x: Array, y: Array, *, classes: int | None = None) -> Self:
        """Choose the thresholds and train the classifier.

        Parameters
        ----------
        x : ndarray, shape `(samples, *channels, steps)`
            Samples; a series of fewer than 9 steps is continued by its last.
        y : ndarray, shape (samples,)
            Classes of the samples as integers from 0 to classes - 1.
        classes : int or None, optional
            Number of classes; by default the largest label plus one.

        Raises
        ------
        InputError
            x and y do not fit, or there are fewer than two classes.
        InstallationError
            sktime or scikit-learn is not installed.
        """
        series, labels = _series(x), np.asarray(y)
        if labels.shape != (len(series),) or labels.dtype.kind not in "iu":
            raise InputError(f"labels of shape {labels.shape}, {labels.dtype} do not fit", "y")
        self._classes = int(labels.max()) + 1 if classes is None else int(classes)
        if len(np.unique(labels)) < 2 or labels.min() < 0 or labels.max() >= self._classes:
            raise InputError(f"labels are not of two or more of {self._classes} classes", "y")
        number = self._number
        if number is None:
            number = min(9_996, max(KERNELS, _MEMORY // (4 * len(series))))
        _, channels, steps = series.shape
        self._shape = (channels, steps)
        self._transformer = _transformer(channels, number, self.seed)
        # sktime draws from NumPy's global generator; it is left as it was.
        state = np.random.get_state()  # noqa: NPY002
        try:
            self._transformer.fit(series)
        finally:
            np.random.set_state(state)  # noqa: NPY002
        features = self._transform(series)
        self.features = features.shape[1]
        self._train(features, labels)
        transformation = _additions(self._transformer.parameters, channels, steps)
        dense = Count((self.features + 1) * self._classes, self.features * self._classes)
        self.count = dense + Count(0, transformation)
        return self

    def predict_proba(self, x: Array) -> Array:
        """Probabilities (samples, classes) of samples (samples, ..., steps); for a ridge the
        softmax of its distances.

        Raises InputError: nothing was trained, or x has other channels or steps.
        """
        if self._model is None:
            raise InputError("it is not trained", "MiniRocket", "Call fit first")
        series = _series(x)
        if series.shape[1:] != self._shape:
            raise InputError(f"series of shape {series.shape[1:]} came for {self._shape}", "x")
        batches = [
            self._probabilities(self._transform(series[start : start + 2048]))
            for start in range(0, len(series), 2048)
        ]
        return np.concatenate(batches)

    def predict(self, x: Array) -> Array:
        """Classes, integers (samples,)."""
        return np.asarray(self.predict_proba(x).argmax(axis=1))

    def _transform(self, series: Array) -> Array:
        return np.asarray(self._transformer.transform(series), np.float32)

    def _train(self, features: Array, labels: Array) -> None:
        ridge = self.classifier == "ridge" or (
            self.classifier == "auto" and len(features) <= _RIDGE_SAMPLES
        )
        if ridge:
            try:
                linear_model = importlib.import_module("sklearn.linear_model")
            except ImportError as error:
                raise InstallationError(
                    "scikit-learn is not installed",
                    "MiniRocket",
                    "Run pip install 'ddk-toolkit[sklearn]'",
                ) from error
            self._mean, self._deviation = features.mean(axis=0), features.std(axis=0) + 1e-6
            self._model = linear_model.RidgeClassifierCV(alphas=np.logspace(-3, 4, 15))
            self._model.fit((features - self._mean) / self._deviation, labels)
            return
        layers: list[Layer] = [Standardise(), Dense(self._classes)]
        self._model = Network(layers, (features.shape[1],), self._classes, seed=self.seed)
        train(
            self._model,
            features,
            labels,
            epochs=20,
            batch_size=256,
            optimiser=Adam(rate=1e-3, weight_decay=1e-3),
            schedule="cosine",
            seed=self.seed,
        )

    def _probabilities(self, features: Array) -> Array:
        if not hasattr(self._model, "decision_function"):
            return np.asarray(self._model.predict_proba(features))
        distance = self._model.decision_function((features - self._mean) / self._deviation)
        if distance.ndim == 1:
            distance = np.stack([-distance, distance], axis=1)
        # A class that no training sample has is never chosen.
        logits = np.full((len(features), self._classes), -np.inf)
        logits[:, self._model.classes_] = distance
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def _series(x: Array) -> Array:
    series = np.asarray(x, np.float32)
    if series.ndim < 2 or not series.size:
        raise InputError(f"samples of shape {series.shape} are no series", "x")
    series = series.reshape(len(series), -1, series.shape[-1])
    missing = _SHORTEST - series.shape[-1]
    if missing > 0:
        series = np.pad(series, ((0, 0), (0, 0), (0, missing)), mode="edge")
    return np.ascontiguousarray(series)


def _transformer(channels: int, features: int, seed: int) -> Any:
    try:
        rocket = importlib.import_module("sktime.transformations.rocket")
        importlib.import_module("numba")
    except ImportError as error:
        raise InstallationError(
            "sktime or numba is not installed",
            "MiniRocket",
            "Run pip install 'ddk-toolkit[timeseries]'",
        ) from error
    kind = rocket.MiniRocket if channels == 1 else rocket.MiniRocketMultivariate
    return kind(num_kernels=features, n_jobs=1, random_state=seed)


def _additions(parameters: tuple[Array, ...], channels: int, steps: int) -> int:
    # Nine shifted series are summed once for each dilation and channel; each kernel adds three more
    # of them for each of its channels, and sums over these.
    if channels == 1:
        dilations = len(parameters[0])
        used = KERNELS * dilations
        summed = 0
    else:
        dilations = len(parameters[2])
        used = int(parameters[0].sum())
        summed = used - KERNELS * dilations
    return steps * (8 * channels * dilations + 3 * used + summed)
