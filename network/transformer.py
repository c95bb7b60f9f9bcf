"""`DDKTransformer`: series to DDK features, in scikit-learn pipelines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from ddkbase.errors import InputError, InstallationError

try:
    from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as exc:  # pragma: no cover
    raise InstallationError(
        "scikit-learn is not installed", "DDKTransformer", "pip install 'ddk-toolkit[sklearn]'"
    ) from exc

from network.ddk import kinetics as ddk
from network.scaling import Range

__all__ = ["DDKTransformer"]


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
        How samples are scaled, see `network.scaling.Range`.

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
        X = self._shaped(validate_data(self, X, dtype=[np.float64, np.float32], allow_nd=True))
        self._pairs()
        self.range_ = Range.of(X, self.scale)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """States (samples, features) in the dtype of X, float32 or float64."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=[np.float64, np.float32], allow_nd=True)
        scaled = self.range_.apply(self._shaped(X))
        taken = self._taken(scaled.shape[-1])
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
            columns.append(states[..., taken].reshape(len(X), -1))
        return np.concatenate(columns, axis=1)

    @property
    def _n_features_out(self) -> int:
        shape = self.sample_shape if self.sample_shape is not None else self._shape
        taken = len(range(shape[-1])[self._taken(shape[-1])])
        return len(self._pairs()[0]) * int(np.prod(shape[:-1], dtype=np.int64)) * taken

    def _pairs(self) -> tuple[np.ndarray, np.ndarray]:
        alpha, beta = np.broadcast_arrays(np.atleast_1d(self.alpha), np.atleast_1d(self.beta))
        if alpha.ndim != 1:
            raise InputError("alpha and beta are a number per bank", "DDKTransformer")
        return alpha, beta

    def _taken(self, steps: int) -> slice:
        if self.readout == "all":
            return slice(None)
        if self.readout == "last":
            return slice(steps - 1, None)
        if isinstance(self.readout, str) or not 1 <= self.readout <= steps:
            raise InputError(f"readout {self.readout!r}", "readout", f"all, last, or 1 to {steps}")
        return slice(self.readout - 1, None, self.readout)

    def _shaped(self, X: np.ndarray) -> np.ndarray:
        if self.sample_shape is not None:
            shape = tuple(int(n) for n in self.sample_shape)
            if np.prod(shape, dtype=np.int64) != np.prod(X.shape[1:], dtype=np.int64):
                raise InputError(f"samples of shape {X.shape[1:]}", "sample_shape", f"not {shape}")
            X = X.reshape(-1, *shape)
        if not hasattr(self, "range_"):
            self._shape = X.shape[1:]
        return X
