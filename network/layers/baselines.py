"""Baselines of the same size: layers that take the DDK layer's place, to measure any claim against.

Commands and options call them controls. A new one is a `FeatureLayer` with a ``kind``, here or in a
module beside this one, and is entered in `CONTROLS` and in `network.model.saving.LAYER_MODULES`.
Methods of a size and training of their own are in `network.baselines`.

Each has the input, the output shape and, unless told otherwise, the number of trained parameters
of a `DDKLayer` with the same `banks`, `readout` and `per`, so that the classifier behind it is the
same too. None models a device.

=================  ===============================================================
`Raw`              the samples themselves
`LeakyIntegrator`  y[k] = (1 - leak) y[k-1] + drive x[k], both numbers trained
`RunningSum`       the sum of all samples so far, over their whole number
`AveragePooling`   the mean of a window of samples
`RandomDDK`        the DDK layer with alpha and beta drawn once and never trained
`EchoState`        a random reservoir of tanh units, never trained
=================  ===============================================================

`MFCC` stands beside them for sounds, what the article compares the DDK layer with: it takes the
waveform itself. What is read once only, at the end, is held against the layers of
`network.layers.memories`.

The layers that learn nothing themselves learn a gain and an offset (one of each for every pair of
alpha and beta the DDK layer would have). A dense layer absorbs both, so they give no advantage;
they make the counts equal. ``affine=False`` leaves them out.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from ddkbase.errors import InputError, InstallationError, closest
from network.counting.count import Count
from network.features.spectral import mfcc
from network.layers.base import RNG, Realise
from network.layers.feature_layer import FeatureLayer, Per, Readout
from network.layers.plain import BaseLayer
from network.layers.random_baselines import EchoState, RandomDDK

__all__ = [
    "CONTROLS",
    "MFCC",
    "AveragePooling",
    "EchoState",
    "FeatureLayer",
    "LeakyIntegrator",
    "RandomDDK",
    "Raw",
    "RunningSum",
    "make_control",
]

Array = np.ndarray[Any, np.dtype[Any]]


class Raw(FeatureLayer):
    """The samples themselves; with several banks, as many copies of them.

    The parameters are those of `FeatureLayer`.
    """

    kind = "raw"

    def _series(self, x: Array, rng: np.random.Generator | None, realise: Any) -> Array:
        return self._over_banks(x)

    def _transposed(self, gradient: Array) -> Array:
        return gradient.sum(axis=1)


class RunningSum(FeatureLayer):
    """The sum of all samples so far divided by the number of steps: a DDK without its diffusion.

    The parameters are those of `FeatureLayer`.
    """

    kind = "sum"

    def _series(self, x: Array, rng: np.random.Generator | None, realise: Any) -> Array:
        # Summed in double precision: a single-precision sum of thousands of samples would drift.
        sums = np.cumsum(x, axis=-1, dtype=np.float64) / self.steps
        return self._over_banks(sums.astype(x.dtype))

    def _transposed(self, gradient: Array) -> Array:
        summed = gradient.sum(axis=1)[..., ::-1]
        back = np.cumsum(summed, axis=-1, dtype=np.float64)[..., ::-1] / self.steps
        return back.astype(gradient.dtype)


class AveragePooling(FeatureLayer):
    """The mean of the last `size` samples, at every step that is read.

    With ``readout=n`` this is average pooling, n samples to one. With ``readout="all"`` it is a
    moving average; at the start the window holds the samples that there are. Of several banks each
    has a window twice as long as the one before it.

    Parameters
    ----------
    steps : int
        Samples along the time axis, the last one.
    channels : int, sequence of int or None, optional
        The axes before the time axis.
    size : int or None, optional
        Samples of the (first) window; by default n of the readout, all for "last", 4 for "all".
    **options : object
        Further parameters of `FeatureLayer`.
    """

    kind = "pooling"

    def __init__(
        self,
        steps: int,
        channels: int | Sequence[int] | None = None,
        *,
        size: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(steps, channels, **options)
        if size is None:
            usual = {"all": min(4, steps), "last": steps}
            size = usual.get(str(self.readout)) or int(self.readout)
        if not 1 <= size <= steps:
            raise InputError(f"a window of {size} samples does not fit into {steps}", "size")
        self._options["size"] = int(size)
        self.sizes = [min(int(size) << bank, steps) for bank in range(self.banks)]

    def _series(self, x: Array, rng: np.random.Generator | None, realise: Any) -> Array:
        sums = np.cumsum(x, axis=-1, dtype=np.float64)
        means = np.empty((len(x), self.banks, *x.shape[1:]), x.dtype)
        for bank, size in enumerate(self.sizes):
            means[:, bank] = _window_sums(sums, size) / self._lengths(size)
        return means

    def _transposed(self, gradient: Array) -> Array:
        by_x = np.zeros((len(gradient), *gradient.shape[2:]))
        for bank, size in enumerate(self.sizes):
            weighted = (gradient[:, bank] / self._lengths(size))[..., ::-1]
            by_x += _window_sums(np.cumsum(weighted, axis=-1, dtype=np.float64), size)[..., ::-1]
        return by_x.astype(gradient.dtype)

    def _lengths(self, size: int) -> Array:
        return np.minimum(np.arange(1, self.steps + 1), size)


def _window_sums(sums: Array, size: int) -> Array:
    # Of running sums, what the last `size` terms contribute.
    windows = sums.copy()
    windows[..., size:] -= sums[..., :-size]
    return windows


class LeakyIntegrator(FeatureLayer):
    """y[k] = (1 - leak) y[k-1] + drive x[k] from rest: the linear layer with as many parameters.

    leak, between 0 and 1, is a sigmoid of the trained number; drive, positive, its softplus.

    leak and drive take the place of gain and offset.

    Parameters
    ----------
    steps : int
        Samples along the time axis, the last one.
    channels : int, sequence of int or None, optional
        The axes before the time axis.
    leak : float or sequence of float, default 0.3
        Where it starts; of several banks each has half the leak of the one before it, or a number
        of its own.
    drive : float, default 0.3
        Where it starts.
    per : str, default "network"
        For what leak and drive are learnt apart; as for `FeatureLayer`.
    banks : int, default 1
        How many series of features.
    readout : int or {"all", "last"}, default "all"
        Which steps are read.
    rate : float, default 0.1
        Factor on the learning rate of leak and drive.
    spread : float, default 0.0
        Standard deviation of a random start about that, of the trained numbers.
    rng : numpy.random.Generator or None, optional
        Draws the start when the layer is built, in place of the network's generator.
    name : str, default ""
        Name in its network.
    """

    kind = "leaky"

    def __init__(
        self,
        steps: int,
        channels: int | Sequence[int] | None = None,
        *,
        leak: float | Sequence[float] = 0.3,
        drive: float = 0.3,
        per: Per = "network",
        banks: int = 1,
        readout: Readout = "all",
        rate: float = 0.1,
        spread: float = 0.0,
        rng: np.random.Generator | None = None,
        name: str = "",
    ) -> None:
        super().__init__(
            steps,
            channels,
            per=per,
            banks=banks,
            readout=readout,
            affine=False,
            rate=rate,
            rng=rng,
            name=name,
        )
        leaks = np.atleast_1d(np.asarray(leak, float))
        if not ((leaks > 0.0) & (leaks < 1.0)).all() or not drive > 0.0:
            raise InputError(f"leak {leak} is not in (0, 1) or drive {drive} not positive", "leaky")
        if leaks.shape not in ((1,), (self.banks,)):
            raise InputError(f"{leaks.size} leaks for {self.banks} banks", "leaky")
        # Equal banks would stay equal for ever: their leaks start a factor of 2 apart.
        each = leaks * 0.5 ** np.arange(self.banks) if leaks.size == 1 else leaks
        self._start = each, drive, spread
        leak = leaks.tolist() if np.ndim(leak) else float(leaks[0])
        self._options = {"leak": leak, "drive": drive, "per": per, "banks": banks}
        self._options |= {"readout": readout, "rate": rate, "spread": spread}
        self._learn("leak", "drive")

    def build(self, input_shape: tuple[int, ...], rng: np.random.Generator) -> None:
        """Set leak and drive to where they start; see `FeatureLayer.build`."""
        super().build(input_shape, rng)
        generator = rng if self._rng is None else self._rng
        each, drive, spread = self._start
        leaks = each.reshape(-1, *[1] * (len(self.pair_shape) - 1))
        starts = {"leak": np.log(leaks / (1.0 - leaks)), "drive": np.log(np.expm1(drive))}
        for key, start in starts.items():
            raw = np.broadcast_to(start, self.pair_shape).copy()
            if spread:
                raw += spread * generator.standard_normal(self.pair_shape)
            self.parameters[key] = raw

    @property
    def leak(self) -> Array:
        """What is lost of the state in a step, shape `(banks, *channels or 1, steps or 1)`."""
        return np.asarray(0.5 * (1.0 + np.tanh(0.5 * self.parameters["leak"])))

    @property
    def drive(self) -> Array:
        """What a sample adds to the state, shape `(banks, *channels or 1, steps or 1)`."""
        return np.logaddexp(0.0, self.parameters["drive"])

    def _time_first(self, pair: Array, dtype: Any) -> Array:
        # (banks, *channels, steps) -> (steps, 1, banks, *channels), the batch being the axis of 1.
        moved = np.moveaxis(pair, -1, 0)[:, None].astype(dtype)
        return np.broadcast_to(moved, (self.steps, *moved.shape[1:]))

    def _series(self, x: Array, rng: np.random.Generator | None, realise: Any) -> Array:
        samples = np.ascontiguousarray(np.moveaxis(x, -1, 0))[:, :, None]
        keep = self._time_first(1.0 - self.leak, x.dtype)
        states = samples * self._time_first(self.drive, x.dtype)
        scratch = np.empty_like(states[0])
        for k in range(1, self.steps):
            np.multiply(keep[k], states[k - 1], out=scratch)
            states[k] += scratch
        self._kept = (samples, states, keep)
        return np.moveaxis(states, 0, -1)

    def _transposed(self, gradient: Array) -> Array | None:
        samples, states, keep = self._recall()
        adjoint = np.array(np.moveaxis(gradient, -1, 0))
        scratch = np.empty_like(adjoint[0])
        for k in range(self.steps - 2, -1, -1):
            np.multiply(keep[k + 1], adjoint[k + 1], out=scratch)
            adjoint[k] += scratch
        by_keep = np.zeros_like(adjoint)
        np.multiply(adjoint[1:], states[:-1], out=by_keep[1:])
        leak, drive = self.leak, self.drive
        by_leak = -self._onto_pair(by_keep) * leak * (1.0 - leak)
        # The second factor is the slope of the softplus, in terms of its value.
        by_drive = -self._onto_pair(adjoint * samples) * np.expm1(-drive)
        self.gradients["leak"] = by_leak.astype(gradient.dtype)
        self.gradients["drive"] = by_drive.astype(gradient.dtype)
        if self.first:
            return None
        by_x = (adjoint * self._time_first(drive, gradient.dtype)).sum(axis=2)
        return np.moveaxis(by_x, 0, -1)

    def _onto_pair(self, by_step: Array) -> Array:
        # (steps, batch, banks, *channels) summed onto (banks, *channels or 1, steps or 1).
        by_step = np.moveaxis(by_step.sum(axis=1, dtype=np.float64), 0, -1)
        axes = tuple(
            axis
            for axis, size in enumerate(self.pair_shape)
            if size == 1 and by_step.shape[axis] > 1
        )
        return by_step.sum(axis=axes, keepdims=True)

    def _macs(self) -> int:
        return 2 * self.steps * self.banks * self._channel_count


#: The controls by the names under which `make_control` knows them; each is the `kind` of its layer.
CONTROLS: dict[str, type[FeatureLayer]] = {
    layer.kind: layer
    for layer in (Raw, LeakyIntegrator, RunningSum, AveragePooling, RandomDDK, EchoState)
}


def make_control(
    name: str, /, steps: int, channels: int | Sequence[int] | None = None, **options: Any
) -> FeatureLayer:
    """A control by its short name.

    Parameters
    ----------
    name : str
        A key of `CONTROLS`: "raw", "leaky", "sum", "pooling", "random" or "echo".
    steps : int
        Samples along the time axis, the last one.
    channels : int, sequence of int or None, optional
        The axes before the time axis, as for `DDKLayer`.
    **options : dict, optional
        Options of the layer, its `name` among them.

    Raises
    ------
    InputError
        No control has that name, or it cannot have these options' values.
    """
    if name not in CONTROLS:
        raise InputError("there is no such control", name, closest(name, CONTROLS))
    return CONTROLS[name](steps, channels, **options)


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
