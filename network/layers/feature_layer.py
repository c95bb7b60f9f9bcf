"""What the baselines of the same size share: shapes, readout, and a learnt gain and offset."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, ClassVar, Literal

import numpy as np

from ddkbase.errors import InputError, closest
from network.counting.count import Count
from network.layers.base import RNG
from network.layers.plain import BaseLayer

Array = np.ndarray[Any, np.dtype[Any]]
Per = Literal["network", "channel", "step", "channel-step"]
Readout = int | Literal["all", "last"]

_PER = ("network", "channel", "step", "channel-step")


def read_steps(steps: int, readout: int | str) -> slice:
    """The steps that a readout takes: every one, every n-th (the last of each n), or the last.

    Parameters
    ----------
    steps : int
        Samples along the time axis.
    readout : int or {"all", "last"}
        Which states are read: "all", the "last", or every n-th.

    Raises
    ------
    InputError
        n is no step.
    """
    if readout == "all":
        return slice(0, steps)
    if readout == "last":
        return slice(steps - 1, steps)
    if isinstance(readout, str) or not 1 <= int(readout) <= steps:
        raise InputError(f"readout {readout!r} is not 'all', 'last' or 1..{steps}", "readout")
    return slice(int(readout) - 1, steps, int(readout))


class FeatureLayer(BaseLayer):
    """A layer of features with the shapes of `DDKLayer`; meets the protocol `network.Layer`.

    Input `(batch, *channels, steps)`, output `(batch, [banks,] *channels, steps_read)`: the axis of
    the banks is there if there are more than one.

    Parameters
    ----------
    steps : int
        Samples along the time axis, the last one.
    channels : int, sequence of int or None, optional
        The axes before the time axis: None, a number or several.
    per : str or tuple of str, default "network"
        For what gain and offset are learnt apart: the "network", each "channel", each "step" or
        both, and each bank, as alpha and beta of `DDKLayer`.
    banks : int, default 1
        How many series of features.
    readout : int or {"all", "last"}, default "all"
        Which steps are read: "all", every n-th, or the "last".
    affine : bool, default True
        Whether gain and offset are there.
    rate : float, default 0.1
        Factor on the learning rate of what the layer learns.
    rng : numpy.random.Generator or None, optional
        Draws what is random when the layer is built, in place of the network's generator.
    name : str, default ""
        Name in its network.
    """

    kind: ClassVar[str] = "features"

    def __init__(
        self,
        steps: int,
        channels: int | Sequence[int] | None = None,
        *,
        per: Per = "network",
        banks: int = 1,
        readout: Readout = "all",
        affine: bool = True,
        rate: float = 0.1,
        rng: np.random.Generator | None = None,
        name: str = "",
    ) -> None:
        super().__init__(name)
        if steps < 1 or banks < 1:
            raise InputError(f"{steps} steps and {banks} banks are not both positive", self.kind)
        if per not in _PER:
            raise InputError(f"per {per!r} is not known", self.kind, closest(str(per), _PER))
        self.steps = int(steps)
        self.channels: tuple[int, ...] = (
            ()
            if channels is None
            else (int(channels),)
            if isinstance(channels, int | np.integer)
            else tuple(int(size) for size in channels)
        )
        self.banks, self.per, self.readout = int(banks), per, readout
        self.affine, self.rate = bool(affine), float(rate)
        self._read = read_steps(self.steps, readout)
        self.steps_read = len(range(*self._read.indices(self.steps)))
        self._channel_count = prod(self.channels)
        self.pair_shape: tuple[int, ...] = (
            self.banks,
            *(size if "channel" in per else 1 for size in self.channels),
            self.steps if "step" in per else 1,
        )
        self._rng = rng
        self._plain: Array | None = None
        self._options: dict[str, Any] = {
            "per": per,
            "banks": self.banks,
            "readout": readout,
            "affine": self.affine,
            "rate": self.rate,
        }
        if self.affine:
            self._learn("gain", "offset")

    def _learn(self, *keys: str) -> None:
        for key in keys:
            self.rates[key] = self.rate
            # Drawn towards zero they would erase the features instead of keeping them simple.
            self.decays[key] = False

    # What a kind of control defines -------------------------------------------------------------

    def _series(self, x: Array, rng: np.random.Generator | None, realise: Any) -> Array:
        """Features at every step, `(batch, banks, *channels, steps)`, of x `(batch, *channels,
        steps)`.

        May be a view that is not to be written to.
        """
        raise NotImplementedError

    def _transposed(self, gradient: Array) -> Array | None:
        """Gradient by x of the gradient by the features; fills the gradients of own parameters."""
        raise NotImplementedError

    def _macs(self) -> int:
        """MACs of `_series` for one sample."""
        return 0

    # The protocol -------------------------------------------------------------------------------

    def build(self, input_shape: tuple[int, ...], rng: np.random.Generator) -> None:
        """Make gain and offset, 1 and 0; the layers with random dynamics draw them here.

        Parameters
        ----------
        input_shape : tuple of int
            Shape of one sample, `(*channels, steps)`.
        rng : numpy.random.Generator
            Draws what is random.

        Raises
        ------
        InputError
            The layer was made for another shape.
        """
        self.output_shape(input_shape)
        if self.affine:
            self.parameters["gain"] = np.ones(self.pair_shape)
            self.parameters["offset"] = np.zeros(self.pair_shape)

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of the features of one sample: `([banks,] *channels, steps_read)`.

        Parameters
        ----------
        input_shape : tuple of int
            Shape of one sample, `(*channels, steps)`.
        """
        self._check(input_shape)
        banks = (self.banks,) if self.banks > 1 else ()
        return (*banks, *self.channels, self.steps_read)

    def forward(
        self, x: Array, *, training: bool = False, rng: RNG = None, realise: Any = None
    ) -> Array:
        """Features of samples.

        Parameters
        ----------
        x : ndarray, shape `(batch, *channels, steps)`
            Samples.
        training : bool, default False
            Whether to keep what `backward` needs.
        rng : numpy.random.Generator or None, optional
            What draws for imprecise hardware; for `RandomDDK` only.
        realise : Realisation or None, optional
            What models imprecise hardware; for `RandomDDK` only.

        Returns
        -------
        ndarray, shape `(batch, [banks,] *channels, steps_read)`
            The features, of the type of x.
        """
        self._check(x.shape[1:])
        features = self._series(x, rng, realise)[..., self._read]
        self._plain = features if training else None
        if self.affine:
            features = self._at_read("gain", x.dtype) * features
            features += self._at_read("offset", x.dtype)
        if not training:
            self._kept = None
        return features[:, 0] if self.banks == 1 else features

    def backward(self, gradient: Array) -> Array | None:
        """Gradient by the samples, None if the layer is `first`; fills `gradients`.

        Parameters
        ----------
        gradient : ndarray
            Derivative by the features of the last forward pass, of their shape.

        Raises
        ------
        InputError
            There was no forward pass with ``training``.
        """
        if self._plain is None:
            raise InputError("backward needs a forward pass before it", self.name or self.kind)
        by_features = gradient[:, None] if self.banks == 1 else gradient
        if self.affine:
            self._gather("offset", by_features)
            self._gather("gain", by_features * self._plain)
            if self.first:
                return None
            by_features = by_features * self._at_read("gain", gradient.dtype)
        series = np.zeros((*by_features.shape[:-1], self.steps), gradient.dtype)
        series[..., self._read] = by_features
        return self._transposed(series)

    def release(self) -> None:
        """Forget what was kept for `backward`."""
        super().release()
        self._plain = None

    def config(self) -> dict[str, Any]:
        """Arguments, as JSON can hold them, that make the layer anew."""
        channels = list(self.channels) or None
        return {"steps": self.steps, "channels": channels, **self._options, "name": self.name}

    def count(self, input_shape: tuple[int, ...]) -> Count:
        """Trained parameters, and MACs of one sample (one a feature for the gain).

        Parameters
        ----------
        input_shape : tuple of int
            Shape of one sample, `(*channels, steps)`.
        """
        self._check(input_shape)
        scaled = self.banks * self._channel_count * self.steps_read if self.affine else 0
        return Count(len(self.rates) * prod(self.pair_shape), self._macs() + scaled)

    def _check(self, input_shape: Sequence[int]) -> None:
        expected = (*self.channels, self.steps)
        if tuple(input_shape) != expected:
            raise InputError(
                f"samples of shape {tuple(input_shape)} came to a layer for {expected}",
                self.name or self.kind,
            )

    # Helpers ------------------------------------------------------------------------------------

    def _over_banks(self, x: Array) -> Array:
        return np.broadcast_to(x[:, None], (len(x), self.banks, *x.shape[1:]))

    def _at_read(self, key: str, dtype: Any) -> Array:
        pair = self.parameters[key]
        return (pair[..., self._read] if pair.shape[-1] > 1 else pair).astype(dtype)

    def _gather(self, key: str, by_feature: Array) -> None:
        # Sums (batch, banks, *channels, steps_read) onto the shape of the parameter.
        summed = by_feature.sum(axis=0, dtype=np.float64)
        axes = tuple(axis for axis, size in enumerate(self.pair_shape) if size == 1)
        total = summed.sum(axis=axes, keepdims=True)
        if self.pair_shape[-1] > 1:
            self.gradients[key] = np.zeros(self.pair_shape, by_feature.dtype)
            self.gradients[key][..., self._read] = total
        else:
            self.gradients[key] = total.astype(by_feature.dtype)
