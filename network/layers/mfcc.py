"""Mel-frequency cepstral coefficients as a layer: what the article compares the DDK layer with."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from ddkbase.errors import InputError, InstallationError
from network.counting.count import Count
from network.features.cepstrum import mfcc
from network.layers.plain import BaseLayer
from network.layers.realisation import RNG, Realise

Array = np.ndarray[Any, np.dtype[Any]]

__all__ = ["MFCC"]


class MFCC(BaseLayer):
    """Coefficients of a waveform, averaged over equal stretches of time; nothing is trained.

    Input (batch, samples) or (batch, utterances, samples), output (batch, [utterances,]
    coefficients x segments): with 16 coefficients and 8 segments the 128 features that the
    article's network for speakers has. Takes librosa (``pip install 'ddk-toolkit[audio]'``). It is
    slow beside the dense layers, so compute it once (`forward`) where a network trains for many
    epochs, and train the rest on the result.

    Parameters
    ----------
    rate : float, Hz
        Samples a second.
    coefficients : int, default 16
        Number of coefficients of a window.
    segments : int, default 8
        Stretches of time over which windows are averaged.
    window : int or None, optional
        Samples of a window; by default about 32 ms and at most what gives as many windows as
        segments; windows overlap by half.
    bands : int, default 40
        Mel bands.
    name : str, default ""
        Name in its network.
    """

    kind = "mfcc"

    def __init__(
        self,
        rate: float,
        *,
        coefficients: int = 16,
        segments: int = 8,
        window: int | None = None,
        bands: int = 40,
        name: str = "",
    ) -> None:
        super().__init__(name)
        if not rate > 0 or segments < 1 or not 1 <= coefficients <= bands:
            raise InputError(
                f"{coefficients} coefficients of {bands} bands in {segments} segments at {rate} Hz",
                self.kind,
            )
        self.rate, self.coefficients, self.segments = float(rate), int(coefficients), int(segments)
        self.window, self.bands = window, int(bands)

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """([utterances,] coefficients x segments). Raises InputError if the waveform is short."""
        if not 1 <= len(input_shape) <= 2:
            raise InputError(f"samples of shape {input_shape} are no waveforms", self.kind)
        self._windows(input_shape[-1])
        return (*input_shape[:-1], self.coefficients * self.segments)

    def forward(
        self, x: Array, *, training: bool = False, rng: RNG = None, realise: Realise = None
    ) -> Array:
        """The coefficients, (batch, [utterances,] features), of the type of x.

        Raises
        ------
        InstallationError
            librosa is not installed.
        """
        shape = self.output_shape(x.shape[1:])
        size, _ = self._windows(x.shape[-1])
        values = mfcc(x, self.rate, coefficients=self.coefficients, window=size, bands=self.bands)
        edges = np.linspace(0, values.shape[-1], self.segments + 1).round().astype(int)
        means = np.add.reduceat(values, edges[:-1], axis=-1) / np.diff(edges)
        return means.reshape(len(x), *shape).astype(x.dtype)

    def backward(self, gradient: Array) -> None:
        """None: no gradient goes through it.

        Raises
        ------
        InputError
            A layer before it would need one.
        """
        if not self.first:
            raise InputError("no gradient goes through MFCC", self.name or self.kind)

    def config(self) -> dict[str, Any]:
        """See `Layer.config`."""
        names = ("rate", "coefficients", "segments", "window", "bands", "name")
        return {name: getattr(self, name) for name in names}

    def count(self, input_shape: tuple[int, ...]) -> Count:
        """No parameters; products of window, Fourier transform, power, mel bands and cosines.

        A real transform of n samples takes n log2(n) products (half of the radix-2 complex one).

        Raises
        ------
        InstallationError
            librosa is not installed.
        """
        self.output_shape(input_shape)
        size, number = self._windows(input_shape[-1])
        try:
            filters = importlib.import_module("librosa").filters
        except ImportError as error:
            raise InstallationError(
                "librosa is not installed", self.kind, "Run pip install 'ddk-toolkit[audio]'"
            ) from error
        bands = filters.mel(sr=self.rate, n_fft=size, n_mels=self.bands)
        transform = round(size * np.log2(size))
        power = 2 * (size // 2 + 1)
        cosines = self.coefficients * self.bands
        products = size + transform + power + int(np.count_nonzero(bands)) + cosines
        utterances = input_shape[0] if len(input_shape) == 2 else 1
        return Count(0, utterances * number * products)

    def _windows(self, samples: int) -> tuple[int, int]:
        # Size and number of the windows.
        size = self.window
        if size is None:
            longest = 2 * samples // (self.segments + 1)
            size = min(1 << max(4, round(np.log2(0.032 * self.rate))), longest)
        hop = max(1, size // 2)
        number = 1 + (samples - size) // hop
        if size < 2 or number < self.segments:
            raise InputError(
                f"{samples} samples are too few for {self.segments} segments of {size} samples",
                self.name or self.kind,
            )
        return int(size), int(number)
