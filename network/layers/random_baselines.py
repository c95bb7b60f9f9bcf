"""Baselines with fixed random dynamics: the DDK layer untrained, and an echo-state reservoir."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ddkbase.errors import InputError
from network.ddk.layer import DDKLayer
from network.layers.feature_layer import FeatureLayer, Readout

Array = np.ndarray[Any, np.dtype[Any]]

__all__ = ["EchoState", "RandomDDK"]


class RandomDDK(FeatureLayer):
    """The DDK layer with alpha and beta drawn once from the authors' start, and never trained.

    What it lacks against `DDKLayer` is what starting from chosen numbers and training them is worth
    together; training alone is told by a `DDKLayer` with ``rate=0``, which keeps its start.

    Parameters
    ----------
    steps : int
        Samples along the time axis, the last one.
    channels : int, sequence of int or None, optional
        The axes before the time axis.
    ddk : dict or None, optional
        Further options of `DDKLayer` (integrator, form, states, ...).
    per : str, default "network"
        What has a pair of its own, and a gain and an offset.
    banks : int, default 1
        How many pairs read each series.
    readout : int or {"all", "last"}, default "all"
        Which steps are read.
    affine : bool, default True
        Whether gain and offset are there.
    rate : float, default 0.1
        Factor on the learning rate of gain and offset.
    rng : numpy.random.Generator or None, optional
        Draws what is random when the layer is built, in place of the network's generator.
    name : str, default ""
        Name in its network.
    """

    kind = "random"

    def __init__(
        self,
        steps: int,
        channels: int | Sequence[int] | None = None,
        *,
        ddk: dict[str, Any] | None = None,
        per: Any = "network",
        banks: int = 1,
        readout: Readout = "all",
        affine: bool = True,
        rate: float = 0.1,
        rng: np.random.Generator | None = None,
        name: str = "",
    ) -> None:
        super().__init__(
            steps,
            channels,
            per=per,
            banks=banks,
            readout=readout,
            affine=affine,
            rate=rate,
            rng=rng,
            name=name,
        )
        self._options["ddk"] = {"states": "after", **(ddk or {})}
        dynamics = {"start": "authors", **self._options["ddk"]}
        shape = list(self.channels) or None
        self.inner = DDKLayer(steps, shape, per=per, banks=banks, readout="all", **dynamics)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> RandomDDK:
        """The layer of a file.

        Parameters
        ----------
        config : dict
            What `config` gave. One that does not say which states are read is of a version that
            read those before each sample.
        """
        return cls(**{**config, "ddk": {"states": "before", **(config.get("ddk") or {})}})

    def build(self, input_shape: tuple[int, ...], rng: np.random.Generator) -> None:
        """Draw alpha and beta; see `FeatureLayer.build`."""
        super().build(input_shape, rng)
        self.inner.build(input_shape, rng if self._rng is None else self._rng)
        self.buffers = dict(self.inner.parameters)

    @property
    def alpha(self) -> Array:
        """What was drawn for alpha, of the shape that `DDKLayer` gives it."""
        return np.asarray(self.inner.alpha)

    @property
    def beta(self) -> Array:
        """What was drawn for beta, of the shape that `DDKLayer` gives it."""
        return np.asarray(self.inner.beta)

    def _series(self, x: Array, rng: np.random.Generator | None, realise: Any) -> Array:
        self.inner.name = self.name  # by which imprecise hardware knows it
        self.inner.parameters.update(self.buffers)
        y = self.inner.forward(x, training=True, rng=rng, realise=realise)
        return y[:, None] if self.banks == 1 else y

    def _transposed(self, gradient: Array) -> Array:
        by_x = self.inner.backward(gradient[:, 0] if self.banks == 1 else gradient)
        return np.asarray(by_x)

    def release(self) -> None:
        """Forget what was kept for `backward`, in the layer inside as well."""
        super().release()
        self.inner.release()

    def _macs(self) -> int:
        return int(self.inner.count((*self.channels, self.steps)).macs)


class EchoState(FeatureLayer):
    """A reservoir s[k] = (1 - leak) s[k-1] + leak tanh(W s[k-1] + V x[k] + b), fixed and random.

    All channels enter at once. Its units are read at evenly spaced steps, the last one among them,
    as often as it takes to give as many features as the DDK layer of the same `banks`, `channels`
    and `readout`; what is too many of the first read is left out.

    Parameters
    ----------
    steps : int
        Samples along the time axis, the last one.
    channels : int, sequence of int or None, optional
        The axes before the time axis.
    units : int or None, optional
        States of the reservoir; by default as many as the DDK layer has (banks times channels), but
        not fewer than 32 or all features.
    radius : float, default 0.9
        Spectral radius of W, whose entries are uniform.
    leak : float, default 0.3
        What a step replaces of the state, in (0, 1].
    scale : float, default 1.0
        Largest weight of V times the square root of the number of channels.
    bias : float, default 0.1
        Largest bias.
    banks : int, default 1
        How many series of features.
    readout : int or {"all", "last"}, default "all"
        Which steps are read.
    affine : bool, default True
        Whether gain and offset are there.
    rate : float, default 0.1
        Factor on the learning rate of gain and offset.
    rng : numpy.random.Generator or None, optional
        Draws what is random when the layer is built, in place of the network's generator.
    name : str, default ""
        Name in its network.

    Raises
    ------
    InputError
        A number is out of its range, or `per` is not "network".
    """

    kind = "echo"

    def __init__(
        self,
        steps: int,
        channels: int | Sequence[int] | None = None,
        *,
        units: int | None = None,
        radius: float = 0.9,
        leak: float = 0.3,
        scale: float = 1.0,
        bias: float = 0.1,
        banks: int = 1,
        readout: Readout = "all",
        affine: bool = True,
        rate: float = 0.1,
        rng: np.random.Generator | None = None,
        name: str = "",
    ) -> None:
        super().__init__(
            steps,
            channels,
            banks=banks,
            readout=readout,
            affine=affine,
            rate=rate,
            rng=rng,
            name=name,
        )
        features = self.banks * self._channel_count * self.steps_read
        if units is None:
            units = min(max(self.banks * self._channel_count, 32), features)
        if units < 1 or radius <= 0.0 or not 0.0 < leak <= 1.0:
            raise InputError(f"{units} units, radius {radius} or leak {leak} is impossible", "echo")
        reads = -(-features // units)
        if reads > steps:
            raise InputError(
                f"{units} units cannot give {features} features in {steps} steps",
                "echo",
                f"Give at least {-(-features // steps)} units",
            )
        self.units, self.radius, self.leak = int(units), float(radius), float(leak)
        self._instants = np.linspace(steps / reads, steps, reads).round().astype(int) - 1
        self._surplus = reads * self.units - features
        self._options |= {"units": self.units, "radius": radius, "leak": leak, "scale": scale}
        self._options |= {"bias": bias}
        del self._options["per"]

    def build(self, input_shape: tuple[int, ...], rng: np.random.Generator) -> None:
        """Draw the reservoir; see `FeatureLayer.build`."""
        super().build(input_shape, rng)
        rng = rng if self._rng is None else self._rng
        inner = rng.uniform(-1.0, 1.0, (self.units, self.units))
        largest = np.abs(np.linalg.eigvals(inner)).max()
        inputs = rng.uniform(-1.0, 1.0, (self.units, self._channel_count))
        bias = self._options["bias"]
        self.buffers = {
            "reservoir": inner * (self.radius / largest if largest > 0.0 else 0.0),
            "input": inputs * self._options["scale"] / np.sqrt(self._channel_count),
            "bias": rng.uniform(-bias, bias, self.units),
        }

    def _series(self, x: Array, rng: np.random.Generator | None, realise: Any) -> Array:
        batch = len(x)
        weights = {key: array.astype(x.dtype) for key, array in self.buffers.items()}
        samples = np.moveaxis(x.reshape(batch, self._channel_count, self.steps), -1, 0)
        drive = samples @ weights["input"].T + weights["bias"]
        states = np.zeros((self.steps + 1, batch, self.units), x.dtype)
        for k in range(self.steps):
            drive[k] += states[k] @ weights["reservoir"].T
            np.tanh(drive[k], out=drive[k])
            states[k + 1] = (1.0 - self.leak) * states[k] + self.leak * drive[k]
        self._kept = (drive, weights)
        read_states = np.moveaxis(states[self._instants + 1], 0, 1).reshape(batch, -1)
        features = read_states[:, self._surplus :].reshape(
            batch, self.banks, *self.channels, self.steps_read
        )
        return self._spread(features)

    def _spread(self, features: Array) -> Array:
        # The base takes the read steps out of all; only those have a value here.
        series = np.zeros((*features.shape[:-1], self.steps), features.dtype)
        series[..., self._read] = features
        return series

    def _transposed(self, gradient: Array) -> Array:
        activity, weights = self._recall()
        batch = len(gradient)
        by_state = np.zeros((self.steps, batch, self.units), gradient.dtype)
        read_states = np.zeros((batch, len(self._instants) * self.units), gradient.dtype)
        read_states[:, self._surplus :] = gradient[..., self._read].reshape(batch, -1)
        by_state[self._instants] = np.moveaxis(
            read_states.reshape(batch, len(self._instants), self.units), 1, 0
        )
        by_x = np.empty((self.steps, batch, self._channel_count), gradient.dtype)
        for k in range(self.steps - 1, -1, -1):
            by_drive = self.leak * by_state[k] * (1.0 - activity[k] ** 2)
            by_x[k] = by_drive @ weights["input"]
            if k:
                by_state[k - 1] += (1.0 - self.leak) * by_state[k]
                by_state[k - 1] += by_drive @ weights["reservoir"]
        return np.moveaxis(by_x, 0, -1).reshape(batch, *self.channels, self.steps)

    def _macs(self) -> int:
        return self.steps * self.units * (self.units + self._channel_count + 2)
