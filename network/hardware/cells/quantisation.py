"""Few bits: quantised weights and activations, after training or within it.

Weights are symmetric about 0, by layer or by output. The range of an activation comes from data:
of a DDK layer its states, of a dense layer its sums before the activation function, which is where
an array has its converters. `Quantisation` is a realisation
(`network.layers.base.Realisation`):
passed to a trained network it is post-training quantisation, passed to the trainer quantisation-
aware training, since layers give the gradient at quantised values to the nominal parameters.
Biases stay as they are: they are added behind the converters.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from ddkbase.errors import InputError, shorten
from network.hardware.arrays.converters import Converter, checked_bits
from network.layers.base import Ideal

__all__ = ["Quantisation", "fake_quantise", "post_training"]

METHODS = ("max", "percentile", "mse")
_KEPT = 200_000  # values of an activation that are kept to calibrate with
_TRIALS = np.linspace(0.3, 1.0, 36)  # shares of the largest value tried as range by "mse"


class _Runs(Protocol):
    def logits(self, x: np.ndarray, *, realise: Any = None) -> np.ndarray: ...


def fake_quantise(
    values: np.ndarray, bits: int, *, axis: int | None = None, method: str = "max"
) -> np.ndarray:
    """Values at the nearest of 2**bits - 1 levels symmetric about 0.

    Parameters
    ----------
    values : ndarray
        What is quantised, of any shape; the dtype is kept.
    bits : int
        Number of bits, 2 to 24.
    axis : int or None, optional
        Axis along which each entry has its own range, e.g. -1 for the outputs of a weight; None for
        one range.
    method : {"max", "percentile", "mse"}, default "max"
        How the range is found: by the maximum, the 99.9 % percentile, or the least square error.

    Raises
    ------
    InputError
        Bits or method out of range, NaN.
    """
    if checked_bits(bits, "bits") < 2:
        raise InputError("one bit cannot hold a sign", "bits", "Use 2 bits or more")
    if method not in METHODS:
        raise InputError(f"unknown method {shorten(method)}", "method", f"Use {', '.join(METHODS)}")
    if not np.isfinite(values).all():
        raise InputError("holds NaN or infinity", "values")
    if not values.size:
        return values
    over = None if axis is None else tuple(k for k in range(values.ndim) if k != axis % values.ndim)
    size = np.abs(values)
    if method == "percentile":
        top = np.percentile(size, 99.9, axis=over, keepdims=True)
    else:
        top = size.max(axis=over, keepdims=True)
    levels = 2 ** (bits - 1) - 1
    # A range whose step is below the smallest normal number is none: all of it is 0.
    top = np.where(top >= levels * np.finfo(values.dtype).tiny, top, 1.0).astype(values.dtype)
    if method != "mse":
        return _rounded(values, top, levels)
    best, error = _rounded(values, top, levels), None
    # From the full range down: a smaller one clips the largest values and resolves the others
    # better; the first of equal errors, hence the larger range, stays.
    for share in _TRIALS[::-1]:
        trial = _rounded(values, top * values.dtype.type(share), levels)
        off = ((trial - values) ** 2).sum(axis=over, keepdims=True)
        if error is None:
            best, error = trial, off
        else:
            better = off < error
            best, error = np.where(better, trial, best), np.minimum(off, error)
    return best


def _rounded(values: np.ndarray, top: np.ndarray, levels: int) -> np.ndarray:
    step = top / levels
    out = np.rint(values / step)
    np.clip(out, -levels, levels, out=out)
    out *= step
    return np.asarray(out)


class Quantisation(Ideal):
    """Weights of so many bits, and activations where their ranges are known or tracked.

    Parameters
    ----------
    bits : int or None
        Bits of the weights, 2 to 24; None leaves them.
    activation_bits : int or None, optional
        Bits of the outputs of DDK and dense layers; None leaves them.
    per_output : bool, default False
        Whether there is one range of weights for each output instead of one for each layer.
    method : {"max", "percentile", "mse"}, default "max"
        How weights' ranges are found.
    track : bool, default False
        Whether ranges of activations follow the data that pass through (for training); each batch
        moves them by a tenth.
    ranges : dict of str to Converter or None, optional
        Converters of activations by layer name, as `calibrate` finds them.

    Raises
    ------
    InputError
        Bits or a method out of range.
    """

    def __init__(
        self,
        bits: int | None,
        activation_bits: int | None = None,
        *,
        per_output: bool = False,
        method: str = "max",
        track: bool = False,
        ranges: dict[str, Converter] | None = None,
    ) -> None:
        for name, value in (("bits", bits), ("activation_bits", activation_bits)):
            if value is not None and checked_bits(value, name) < 2:
                raise InputError("one bit cannot hold a sign", name, "Use 2 bits or more")
        if method not in METHODS:
            raise InputError(f"unknown method {shorten(method)}", "method", ", ".join(METHODS))
        self.bits, self.activation_bits = bits, activation_bits
        self.per_output, self.method, self.track = bool(per_output), method, bool(track)
        self.ranges = dict(ranges or {})

    def weights(
        self, layer_name: str, weight: np.ndarray, rng: np.random.Generator | None
    ) -> np.ndarray:
        """The quantised weights."""
        if self.bits is None:
            return weight
        axis = -1 if self.per_output else None
        return fake_quantise(weight, self.bits, axis=axis, method=self.method)

    def outputs(
        self, layer_name: str, z: np.ndarray, rng: np.random.Generator | None
    ) -> np.ndarray:
        """The quantised outputs."""
        if self.activation_bits is None:
            return z
        if self.track:
            self._follow(layer_name, z)
        converter = self.ranges.get(layer_name)
        if converter is None:
            raise InputError(
                "the range of its outputs is not known",
                layer_name,
                "Call calibrate(network, x) first, or pass track=True to train",
            )
        return converter.convert(z)

    def _follow(self, layer_name: str, z: np.ndarray) -> None:
        assert self.activation_bits is not None
        new = Converter.fitted(self.activation_bits, z)
        old = self.ranges.get(layer_name)
        if old is not None:  # a moving average: one odd batch does not set the range
            high = old.high + 0.1 * (new.high - old.high)
            low = -high if new.low < 0 or old.low < 0 else 0.0
            new = Converter(self.activation_bits, low, high)
        self.ranges[layer_name] = new

    def calibrate(
        self, network: _Runs, x: np.ndarray, percentile: float | None = None
    ) -> dict[str, Converter]:
        """Find the ranges of the activations on data (no labels needed), with quantised weights.

        Parameters
        ----------
        network : _Runs
            What has ``logits(x, realise=...)``.
        x : ndarray
            The samples.
        percentile : float or None, optional
            Share of the sizes that the range holds, in %; None chooses it for each layer, as
            `Converter.fitted`.

        Returns
        -------
        dict of str to Converter
            The converters by layer name, which are kept in ``ranges`` too.

        Raises
        ------
        InputError
            No activation bits, or NaN among the outputs.
        """
        if self.activation_bits is None:
            raise InputError("activations are not quantised", "activation_bits", "Give their bits")
        observer = _Observer(self)
        network.logits(x, realise=observer)
        for name, samples in observer.seen.items():
            values = np.concatenate(samples)
            self.ranges[name] = (
                Converter.fitted(self.activation_bits, values)
                if percentile is None
                else Converter.calibrated(self.activation_bits, values, percentile)
            )
        return self.ranges


class _Observer(Ideal):
    """Keeps outputs as they pass, every so many if there are many."""

    def __init__(self, of: Quantisation) -> None:
        self.of = of
        self.seen: dict[str, list[np.ndarray]] = {}

    def weights(
        self, layer_name: str, weight: np.ndarray, rng: np.random.Generator | None
    ) -> np.ndarray:
        return self.of.weights(layer_name, weight, rng)

    def outputs(
        self, layer_name: str, z: np.ndarray, rng: np.random.Generator | None
    ) -> np.ndarray:
        flat = z.ravel()
        # every so many, and both ends, so that method "max" sees the true range
        sample = flat[:: max(1, flat.size // _KEPT)].copy()
        ends = np.array([flat.min(), flat.max()], flat.dtype) if flat.size else flat
        self.seen.setdefault(layer_name, []).append(np.concatenate([sample, ends]))
        return z


def post_training(
    network: _Runs,
    bits: int,
    x: np.ndarray | None = None,
    *,
    activations: bool = False,
    per_output: bool = False,
    method: str = "max",
    percentile: float | None = None,
) -> Quantisation:
    """Quantisation of a trained network; pass it on as ``realise``.

    Parameters
    ----------
    network : _Runs
        The trained network.
    bits : int
        Bits of weights, and of activations where asked for.
    x : ndarray or None, optional
        Samples to calibrate activations with; needs no labels.
    activations : bool, default False
        Whether they are quantised too.
    per_output : bool, default False
        As for `Quantisation`.
    method : str, default "max"
        As for `Quantisation`.
    percentile : float or None, optional
        As for `Quantisation.calibrate`.

    Raises
    ------
    InputError
        As `Quantisation` and `Quantisation.calibrate`.
    """
    quantisation = Quantisation(
        bits, bits if activations else None, per_output=per_output, method=method
    )
    if activations:
        if x is None:
            raise InputError("activations need samples to find their ranges", "x")
        quantisation.calibrate(network, x, percentile)
    return quantisation
