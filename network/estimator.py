"""`DDKClassifier`, a network with a DDK layer as a scikit-learn estimator.

`DDKTransformer`, its features alone, is in `network.transformer`. scikit-learn is needed for these
two modules only; ``pip install 'ddk-toolkit[sklearn]'``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np

from ddkbase.errors import InputError, InstallationError

try:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, check_random_state, validate_data
except ImportError as exc:  # pragma: no cover
    raise InstallationError(
        "scikit-learn is not installed", "DDKClassifier", "pip install 'ddk-toolkit[sklearn]'"
    ) from exc

from network.layers.plain import Layer, Realisation
from network.model.ddk_network import Network, ddk_network
from network.model.history import History
from network.model.losses import softmax
from network.model.optimisers import Adam, Schedule
from network.model.trainer import EpochEvent, train
from network.scaling import Range
from network.transformer import DDKTransformer

__all__ = ["DDKClassifier", "DDKTransformer"]


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
        Where alpha of the DDK layer starts.
    beta : float or array_like, default 1.0
        Where beta of the DDK layer starts.
    per : {"network", "channel", "step", "channel-step"}, default "network"
        What has a pair of alpha and beta of its own.
    banks : int, default 1
        How many pairs read each series.
    spread : float or None, optional
        Spread of the random start of the pairs about alpha and beta; None: 0 for one bank, 0.5 for
        several, which would be all alike else.
    integrator : {"implicit", "explicit", "exact"}, default "implicit"
        How the equation is integrated.
    form : {"reset", "set"}, default "reset"
        Whether the drift lowers or raises the state.
    readout : str or int, default "all"
        Which states are read: "all", every n-th, or the "last".
    states : {"after", "before"}, default "after"
        Whether the states are those after each sample, or before it as in the article, where the
        last sample goes unused.
    constraint : str, default "positive"
        Constraint of alpha and beta, see `network.DDKLayer`.
    front : {"ddk", "raw"} or list of Layer, default "ddk"
        What stands before the classifier: "raw" leaves the DDK layer out, for comparison; a list of
        layers takes its place.
    standardise : bool, default True
        Whether features are standardised; without it the training may fail.
    sample_shape : sequence of int or None, optional
        Shape of one sample where X holds flattened ones.
    scale : {"all", "feature", "sample", "none"}, default "all"
        How samples are scaled, see `network.scaling.Range`.
    epochs : int, default 100
        Passes through the samples, see `network.train`.
    batch_size : int or None, default 128
        Samples per step.
    rate : float, default 0.01
        Learning rate of Adam. The DDK layer learns at a tenth of it.
    weight_decay : float, default 1e-3
        Weight decay of Adam.
    schedule : str, callable or None, default "cosine"
        Schedule of the learning rate, see `network.train`.
    smoothing : float, default 0.0
        Smoothing of the labels.
    validation_fraction : float or None, optional
        Share of the samples held out of each class to validate on; None, or a class with a single
        sample and neither patience nor "best": none are held out.
    patience : int or None, optional
        Epochs without a better validation loss after which training stops; None: never.
    restore : {"last", "best"}, default "last"
        Which epoch is kept.
    realise : Realisation or None, optional
        Imprecise hardware in the forward passes, see `network.Realisation`.
    dtype : {"float32", "float64"}, default "float32"
        Type of parameters and arithmetic.
    random_state : int, numpy.random.RandomState or None, optional
        Seed of all that is random.
    progress : callable or None, optional
        Called after each epoch with an `EpochEvent`.

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
        alpha: float = 0.7,
        beta: float = 1.0,
        per: str = "network",
        banks: int = 1,
        spread: float | None = None,
        integrator: str = "implicit",
        form: str = "reset",
        readout: str | int = "all",
        states: str = "after",
        constraint: Any = "positive",
        front: str | Sequence[Layer] = "ddk",
        standardise: bool = True,
        sample_shape: Sequence[int] | None = None,
        scale: str = "all",
        epochs: int = 100,
        batch_size: int | None = 128,
        rate: float = 0.01,
        weight_decay: float = 1e-3,
        schedule: Schedule = "cosine",
        smoothing: float = 0.0,
        validation_fraction: float | None = None,
        patience: int | None = None,
        restore: str = "last",
        realise: Realisation | None = None,
        dtype: str = "float32",
        random_state: Any = None,
        progress: Callable[[EpochEvent], Any] | None = None,
    ) -> None:
        self.hidden = hidden
        self.activation = activation
        self.alpha = alpha
        self.beta = beta
        self.per = per
        self.banks = banks
        self.spread = spread
        self.integrator = integrator
        self.form = form
        self.readout = readout
        self.states = states
        self.constraint = constraint
        self.front = front
        self.standardise = standardise
        self.sample_shape = sample_shape
        self.scale = scale
        self.epochs = epochs
        self.batch_size = batch_size
        self.rate = rate
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.smoothing = smoothing
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.restore = restore
        self.realise = realise
        self.dtype = dtype
        self.random_state = random_state
        self.progress = progress

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
        X = self._shaped(X)
        self.range_ = Range.of(X, self.scale)
        self.network_ = self._network(X.shape[1:], len(self.classes_), seed)
        share = self.validation_fraction
        if share is not None and self.patience is None and self.restore == "last":
            share = share if np.bincount(labels).min() > 1 else None
        self.history_: History = train(
            self.network_,
            self.range_.apply(X).astype(self.network_.dtype, copy=False),
            labels,
            validation=share,
            epochs=self.epochs,
            batch_size=self.batch_size,
            optimiser=Adam(rate=self.rate, weight_decay=self.weight_decay),
            schedule=self.schedule,
            patience=self.patience,
            restore=self.restore,
            smoothing=self.smoothing,
            realise=self.realise,
            seed=seed,
            progress=self.progress,
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
        scaled = self.range_.apply(self._shaped(X))
        return self.network_.logits(scaled).astype(np.float64)

    def _shaped(self, X: np.ndarray) -> np.ndarray:
        if self.sample_shape is None:
            return X
        shape = tuple(int(n) for n in self.sample_shape)
        if np.prod(shape, dtype=np.int64) != np.prod(X.shape[1:], dtype=np.int64):
            raise InputError(f"samples of shape {X.shape[1:]}", "sample_shape", f"not {shape}")
        return X.reshape(-1, *shape)

    def _network(self, shape: tuple[int, ...], classes: int, seed: int) -> Network:
        spread = self.spread
        if spread is None:
            spread = 0.0 if self.banks == 1 else 0.5
        front: Sequence[Layer] | None = ()
        if isinstance(self.front, str):
            if self.front not in ("ddk", "raw"):
                raise InputError(f"unknown front {self.front!r}", "front", "ddk, raw, or layers")
            front = None if self.front == "raw" else ()
        else:
            front = [type(layer)(**layer.config()) for layer in self.front] or None
        return ddk_network(
            shape,
            list(self.hidden),
            classes,
            activation=self.activation,
            ddk={
                "alpha": self.alpha,
                "beta": self.beta,
                "per": self.per,
                "banks": self.banks,
                "spread": spread,
                "integrator": self.integrator,
                "form": self.form,
                "readout": self.readout,
                "states": self.states,
                "constraint": self.constraint,
            },
            standardise=self.standardise,
            front=front,
            seed=seed,
            dtype=self.dtype,
        )
