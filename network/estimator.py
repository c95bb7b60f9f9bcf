"""Networks with a DDK layer, and its features alone, as scikit-learn estimators.

scikit-learn is needed for this module only; ``pip install 'ddk-toolkit[sklearn]'``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ddkbase.errors import InputError, InstallationError, closest, shorten

try:
    from sklearn.base import (
        BaseEstimator,
        ClassifierMixin,
        ClassNamePrefixFeaturesOutMixin,
        TransformerMixin,
    )
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, check_random_state, validate_data
except ImportError as exc:  # pragma: no cover
    raise InstallationError(
        "scikit-learn is not installed", "network", "Run pip install 'ddk-toolkit[sklearn]'"
    ) from exc

from network.ddk import kinetics as ddk
from network.ddk.layer import DDKLayer
from network.layers.base import Layer
from network.layers.feature_layer import read_steps
from network.model.history import History
from network.model.metrics import softmax
from network.model.network import Network, ddk_network
from network.model.optimisers import Adam
from network.model.trainer import train

__all__ = ["SCALES", "DDKClassifier", "DDKTransformer", "Range"]

SCALES = ("all", "feature", "sample", "none")


@dataclass(frozen=True)
class Range:
    """The range of training samples that becomes [0, 1].

    Parameters
    ----------
    how : {"all", "feature", "sample", "none"}
        "all": one range for everything, so that a series keeps its form; "feature": one for each
        place in a sample; "sample": that of each sample itself, so that loudness does not matter;
        "none": samples are taken as they are.
    low, span : ndarray
        Lowest value of the training samples and width of their range; arrays of one sample's shape
        for "feature". A range of no width maps to 0.
    """

    how: str
    low: np.ndarray
    span: np.ndarray

    @classmethod
    def of(cls, x: np.ndarray, how: str) -> Range:
        """The range of samples (samples, ...); raises InputError on an unknown ``how``."""
        if how not in SCALES:
            raise InputError(f"unknown scale {shorten(how)}", "scale", closest(str(how), SCALES))
        if how == "all":
            low, high = x.min(), x.max()
        elif how == "feature":
            low, high = x.min(0), x.max(0)
        else:
            low, high = np.zeros((), x.dtype), np.ones((), x.dtype)
        return cls(how, np.asarray(low), np.asarray(high) - np.asarray(low))

    def apply(self, x: np.ndarray) -> np.ndarray:
        """Samples in [0, 1]; what lies outside the range is cut off, except for "none"."""
        if self.how == "none":
            return x
        low, span = self.low, self.span
        if self.how == "sample":
            axes = tuple(range(1, x.ndim))
            low = x.min(axes, keepdims=True)
            span = x.max(axes, keepdims=True) - low
        safe = np.where(span > 0, span, 1)
        return np.clip((x - low) / safe, 0, 1).astype(x.dtype, copy=False)


class DDKTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """States of DDK elements with fixed alpha and beta under the series in the rows of X.

    ``X`` is (samples, steps) or `(samples, *channels, steps)`, or flattened with ``sample_shape``
    to say which. It is scaled into [0, 1] inside. What comes out is (samples, features), the states
    of one pair after the other.

    Parameters
    ----------
    alpha : float or array_like, default 0.7
        Diffusion, a number, or a number per bank; every bank reads every series.
    beta : float or array_like, default 1.0
        Drift, likewise.
    integrator : {"implicit", "explicit", "exact"}, default "implicit"
        How the equation is integrated.
    form : {"reset", "set"}, default "reset"
        Whether the drift lowers or raises the state.
    readout : str or int, default "all"
        Which states are read: "all", every n-th, or the "last".
    states : {"after", "before"}, default "after"
        Whether the states are those after each sample, or before it as in the article, where the
        last sample goes unused.
    sample_shape : sequence of int or None, optional
        Shape of one sample where X holds flattened ones.
    scale : {"all", "feature", "sample", "none"}, default "all"
        How samples are scaled, see `network.estimator.Range`.

    Attributes
    ----------
    range_ : Range
        What was scaled to [0, 1].
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray
        Their names, where X has names.
    """

    def __init__(
        self,
        alpha: float | Sequence[float] = 0.7,
        beta: float | Sequence[float] = 1.0,
        integrator: str = "implicit",
        form: str = "reset",
        readout: str | int = "all",
        states: str = "after",
        sample_shape: Sequence[int] | None = None,
        scale: str = "all",
    ) -> None:
        self.alpha = alpha
        self.beta = beta
        self.integrator = integrator
        self.form = form
        self.readout = readout
        self.states = states
        self.sample_shape = sample_shape
        self.scale = scale

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def fit(self, X: Any, y: Any = None) -> Self:
        """Take the range of X; y is not used."""
        X = validate_data(self, X, dtype=[np.float64, np.float32], allow_nd=True)
        X = _shaped(X, self.sample_shape)
        self._shape = X.shape[1:]
        self._pairs()
        self.range_ = Range.of(X, self.scale)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """States (samples, features) in the dtype of X, float32 or float64."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=[np.float64, np.float32], allow_nd=True)
        scaled = self.range_.apply(_shaped(X, self.sample_shape))
        read = read_steps(scaled.shape[-1], self.readout)
        columns = []
        for alpha, beta in zip(*self._pairs(), strict=True):
            states = ddk.forward(
                scaled,
                alpha,
                beta,
                integrator=self.integrator,
                form=self.form,
                states=self.states,
            )
            columns.append(states[..., read].reshape(len(X), -1))
        return np.concatenate(columns, axis=1)

    @property
    def _n_features_out(self) -> int:
        *channels, steps = self._shape
        read = len(range(steps)[read_steps(steps, self.readout)])
        return len(self._pairs()[0]) * int(np.prod(channels, dtype=np.int64)) * read

    def _pairs(self) -> tuple[np.ndarray, np.ndarray]:
        alpha, beta = np.broadcast_arrays(np.atleast_1d(self.alpha), np.atleast_1d(self.beta))
        if alpha.ndim != 1:
            raise InputError("alpha and beta are a number per bank", "DDKTransformer")
        return alpha, beta


class DDKClassifier(ClassifierMixin, BaseEstimator):
    """DDK layer, standardised features, dense layers; trained by back-propagation.

    ``X`` holds series along its last axis: (samples, steps), or `(samples, *channels, steps)` as
    such or flattened with ``sample_shape`` to say which. It is scaled into [0, 1] inside.

    Parameters
    ----------
    hidden : sequence of int, default (48,)
        Widths of the hidden layers.
    activation : {"relu", "sigmoid", "tanh", "identity"}, default "sigmoid"
        Activation after each hidden layer.
    alpha : float or array_like, default 0.7
        Where alpha of the DDK layer starts: a number, or a number a bank.
    beta : float or array_like, default 1.0
        Where beta of the DDK layer starts, likewise.
    integrator : {"implicit", "explicit", "exact"}, default "implicit"
        How the equation is integrated.
    per : {"network", "channel", "step", "channel-step"}, default "network"
        What has a pair of alpha and beta of its own.
    banks : int, default 1
        How many pairs read each series; several that start alike have a ``spread`` of 0.5, for they
        would stay alike else.
    readout : str or int, default "all"
        Which states are read: "all", every n-th, or the "last".
    states : {"after", "before"}, default "after"
        Whether the states are those after each sample, or before it as in the article, where the
        last sample goes unused.
    ddk : mapping or None, optional
        Further arguments of `network.DDKLayer`: form, constraint, spread, initial, dt, ...
    front : {"ddk", "raw"} or list of Layer, default "ddk"
        What stands before the classifier: "raw" leaves the DDK layer out, for comparison; a list of
        layers takes its place.
    standardise : bool, default True
        Whether features are standardised; without it the training may fail.
    sample_shape : sequence of int or None, optional
        Shape of one sample where X holds flattened ones.
    scale : {"all", "feature", "sample", "none"}, default "all"
        How samples are scaled, see `network.estimator.Range`.
    epochs : int, default 100
        Passes through the samples.
    batch_size : int or None, default 128
        Samples per step.
    rate : float, default 0.01
        Learning rate of Adam. The DDK layer learns at a tenth of it.
    validation_fraction : float or None, optional
        Share of the samples held out of each class to validate on; None, or a class with a single
        sample and neither patience nor "best": none are held out.
    training : mapping or None, optional
        Further arguments of `network.train`: schedule (here "cosine" by default), patience,
        restore, smoothing, realise, optimiser (in the place of Adam), progress, ...; and
        weight_decay of Adam, 1e-3 by default.
    dtype : {"float32", "float64"}, default "float32"
        Type of parameters and arithmetic.
    random_state : int, numpy.random.RandomState or None, optional
        Seed of all that is random.

    Attributes
    ----------
    classes_ : ndarray, shape (classes,)
        The labels.
    network_ : Network
        The trained `network.Network`.
    history_ : History
        Course of the training, a `network.History`.
    alpha_, beta_ : ndarray
        Coefficients after training; empty without a DDK layer.
    range_ : Range
        What was scaled to [0, 1].
    loss_ : float
        Loss of the last epoch.
    n_features_in_ : int
        Number of columns of X.
    n_iter_ : int
        Number of iterations of the fit.
    """

    def __init__(
        self,
        hidden: Sequence[int] = (48,),
        activation: str = "sigmoid",
        alpha: Any = 0.7,
        beta: Any = 1.0,
        integrator: str = "implicit",
        per: str = "network",
        banks: int = 1,
        readout: str | int = "all",
        states: str = "after",
        ddk: Mapping[str, Any] | None = None,
        front: str | Sequence[Layer] = "ddk",
        standardise: bool = True,
        sample_shape: Sequence[int] | None = None,
        scale: str = "all",
        epochs: int = 100,
        batch_size: int | None = 128,
        rate: float = 0.01,
        validation_fraction: float | None = None,
        training: Mapping[str, Any] | None = None,
        dtype: str = "float32",
        random_state: Any = None,
    ) -> None:
        self.hidden = hidden
        self.activation = activation
        self.alpha = alpha
        self.beta = beta
        self.integrator = integrator
        self.per = per
        self.banks = banks
        self.readout = readout
        self.states = states
        self.ddk = ddk
        self.front = front
        self.standardise = standardise
        self.sample_shape = sample_shape
        self.scale = scale
        self.epochs = epochs
        self.batch_size = batch_size
        self.rate = rate
        self.validation_fraction = validation_fraction
        self.training = training
        self.dtype = dtype
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def fit(self, X: Any, y: Any) -> Self:
        """Train on X (samples, steps) or `(samples, *channels, steps)` and labels y (samples,)."""
        X, y = validate_data(self, X, y, dtype=[np.float64, np.float32], allow_nd=True)
        check_classification_targets(y)
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        self.classes_, labels = np.unique(y, return_inverse=True)
        X = _shaped(X, self.sample_shape)
        self.range_ = Range.of(X, self.scale)
        self.network_ = self._network(X.shape[1:], len(self.classes_), seed)
        options = self._training_options()
        share = self.validation_fraction
        if share is not None and "patience" not in options and options.get("restore") != "best":
            share = share if np.bincount(labels).min() > 1 else None
        self.history_: History = train(
            self.network_,
            self.range_.apply(X).astype(self.network_.dtype, copy=False),
            labels,
            validation=share,
            epochs=self.epochs,
            batch_size=self.batch_size,
            seed=seed,
            **options,
        )
        pairs = list(self.network_.kinetics().values())
        self.alpha_ = np.concatenate([np.ravel(a) for a, _ in pairs]) if pairs else np.empty(0)
        self.beta_ = np.concatenate([np.ravel(b) for _, b in pairs]) if pairs else np.empty(0)
        self.n_iter_ = self.history_.epochs
        self.loss_ = self.history_.at("loss", self.n_iter_)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities (samples, classes), in the order of `classes_`."""
        return softmax(self._logits(X))

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Logarithm of the probabilities (samples, classes)."""
        logits = self._logits(X)
        shifted = logits - logits.max(1, keepdims=True)
        return np.asarray(shifted - np.log(np.exp(shifted).sum(1, keepdims=True)))

    def predict(self, X: Any) -> np.ndarray:
        """The class of each sample, (samples,)."""
        logits = self._logits(X)
        return np.asarray(self.classes_[logits.argmax(1)])

    def _logits(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=[np.float64, np.float32], allow_nd=True)
        scaled = self.range_.apply(_shaped(X, self.sample_shape))
        return self.network_.logits(scaled).astype(np.float64)

    def _training_options(self) -> dict[str, Any]:
        options = {"schedule": "cosine", **(self.training or {})}
        own = ("network", "x", "y", "validation", "epochs", "batch_size", "seed")
        _check_names(options, train, own, "training", "weight_decay")
        weight_decay = options.pop("weight_decay", 1e-3)
        options.setdefault("optimiser", Adam(rate=self.rate, weight_decay=weight_decay))
        return options

    def _network(self, shape: tuple[int, ...], classes: int, seed: int) -> Network:
        own = ("self", "steps", "channels", "rng", "name")
        _check_names(self.ddk or {}, DDKLayer.__init__, own, "ddk")
        front: Sequence[Layer] | None = ()
        if isinstance(self.front, str):
            if self.front not in ("ddk", "raw"):
                raise InputError(f"unknown front {self.front!r}", "front", "ddk, raw, or layers")
            front = None if self.front == "raw" else ()
        else:
            front = [type(layer)(**layer.config()) for layer in self.front] or None
        alike = np.size(self.alpha) == 1 and np.size(self.beta) == 1
        return ddk_network(
            shape,
            list(self.hidden),
            classes,
            activation=self.activation,
            ddk={
                "alpha": self.alpha,
                "beta": self.beta,
                "integrator": self.integrator,
                "per": self.per,
                "banks": self.banks,
                "readout": self.readout,
                "states": self.states,
                "spread": 0.5 if self.banks > 1 and alike else 0.0,
                **(self.ddk or {}),
            },
            standardise=self.standardise,
            front=front,
            seed=seed,
            dtype=self.dtype,
        )


def _shaped(X: np.ndarray, sample_shape: Sequence[int] | None) -> np.ndarray:
    """Samples as `(samples, *channels, steps)`, of flattened ones by ``sample_shape``."""
    if sample_shape is None:
        return X
    shape = tuple(int(n) for n in sample_shape)
    if np.prod(shape, dtype=np.int64) != np.prod(X.shape[1:], dtype=np.int64):
        raise InputError(f"samples of shape {X.shape[1:]}", "sample_shape", f"not {shape}")
    return X.reshape(-1, *shape)


def _check_names(
    options: Mapping[str, Any],
    function: Callable[..., Any],
    excluded: Sequence[str],
    where: str,
    *more: str,
) -> None:
    """Raise InputError where ``function`` has no such argument, or it is set elsewhere."""
    allowed = [n for n in (*inspect.signature(function).parameters, *more) if n not in excluded]
    for name in options:
        if name not in allowed:
            raise InputError(f"unknown option {shorten(name)}", where, closest(str(name), allowed))
