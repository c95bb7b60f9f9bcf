"""Tuning a classifier on the chip that it is to run on, with the layers before it left alone.

Every forward pass goes through the chip's own arrays; the gradient is taken at what they hold and
stops at the first dense layer; the new weights are written before the next pass.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ddkbase.errors import InputError
from network.hardware.cells.programming import Programming
from network.hardware.realisation import HardwareRealisation
from network.hardware.settings import Hardware
from network.layers.base import RNG, BaseLayer, Ideal, Layer, Realisation, Realise
from network.layers.plain import Dense
from network.model.history import History
from network.model.network import Network
from network.model.optimisers import Adam, Schedule
from network.model.trainer import EpochEvent, train

__all__ = ["Frozen", "PinnedChip", "Tuning", "before_classifier", "tune"]


@dataclass(frozen=True)
class Tuning:
    """How a classifier is tuned in situ.

    Attributes
    ----------
    epochs : int, default 60
        As in training.
    batch_size : int or None, optional
        As in training.
    rate : float, default 0.005
        As in training.
    weight_decay : float, default 1e-4
        As in training.
    schedule : str, callable or None, default "cosine"
        As in training.
    samples : int or None, optional
        How many samples are used, drawn by the seed; None takes all.
    headroom : float, default 1.25
        Largest weight that the window is set up for, in units of the largest that was written
        before tuning. What grows beyond it is clipped.
    """

    epochs: int = 60
    batch_size: int | None = None
    rate: float = 0.005
    weight_decay: float = 1e-4
    schedule: Schedule = "cosine"
    samples: int | None = None
    headroom: float = 1.25

    def __post_init__(self) -> None:
        if self.epochs < 1 or not self.rate > 0 or not self.headroom >= 1:
            raise InputError(
                f"{self.epochs} epochs, rate {self.rate}, headroom {self.headroom}",
                "tuning",
                "At least 1 epoch, a positive rate, a headroom from 1",
            )


class Frozen(BaseLayer):
    """A layer that works as it is and does not learn; its statistics stay too."""

    kind = "frozen"

    def __init__(self, layer: Layer) -> None:
        super().__init__(layer.name)
        self.layer = layer

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """That of the layer."""
        return self.layer.output_shape(input_shape)

    def forward(
        self, x: np.ndarray, *, training: bool = False, rng: RNG = None, realise: Realise = None
    ) -> np.ndarray:
        """The layer's answer as at inference."""
        return self.layer.forward(x, rng=rng, realise=realise)

    def backward(self, gradient: np.ndarray) -> np.ndarray | None:
        """None: the gradient stops here."""
        return None


class PinnedChip(Ideal):
    """A chip whose dense layers have each a fixed largest weight, so that tuning moves few cells.

    Without it every change of the largest weight would move all cells of a layer.

    Parameters
    ----------
    hardware : Hardware
        What the chip is like.
    limits : dict of str to float
        Largest size of a weight or bias by layer; larger ones are clipped.
    seed : int
        Seed of the chip.
    """

    def __init__(self, hardware: Hardware, limits: dict[str, float], *, seed: int) -> None:
        self.hardware, self.seed, self.limits = hardware, seed, dict(limits)
        self._rest = HardwareRealisation(hardware, seed=seed)
        self._of = {
            name: HardwareRealisation(
                replace(hardware, mapping=replace(hardware.mapping, limit=limit, beyond="clip")),
                seed=seed,
            )
            for name, limit in limits.items()
        }

    @classmethod
    def of(cls, network: Network, hardware: Hardware, *, seed: int, headroom: float = 1.0) -> Any:
        """Limits from the weights of a network, times ``headroom``."""
        limits = {
            layer.name: headroom * max(float(np.abs(v).max()) for v in layer.parameters.values())
            for layer in network.layers
            if isinstance(layer, Dense)
        }
        return cls(hardware, {k: v or 1.0 for k, v in limits.items()}, seed=seed)

    def at(self, layer_name: str) -> HardwareRealisation:
        """The chip as one layer sees it."""
        return self._of.get(layer_name, self._rest)

    @property
    def programmed(self) -> dict[str, Programming]:
        """By layer, the last write, where cells are written by pulses."""
        return {k: p for of in self._of.values() for k, p in of.programmed.items()}

    def weights(
        self, layer_name: str, weight: np.ndarray, rng: np.random.Generator | None
    ) -> np.ndarray:
        """See `HardwareRealisation.weights`."""
        return self.at(layer_name).weights(layer_name, weight, rng)

    def kinetics(
        self, layer_name: str, alpha: np.ndarray, beta: np.ndarray, shape: tuple[int, ...], rng: RNG
    ) -> tuple[np.ndarray, np.ndarray]:
        """See `HardwareRealisation.kinetics`."""
        return self.at(layer_name).kinetics(layer_name, alpha, beta, shape, rng)

    def product(
        self, layer_name: str, x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, rng: RNG
    ) -> np.ndarray | None:
        """See `HardwareRealisation.product`."""
        return self.at(layer_name).product(layer_name, x, weight, bias, rng)

    def outputs(
        self, layer_name: str, z: np.ndarray, rng: np.random.Generator | None
    ) -> np.ndarray:
        """See `HardwareRealisation.outputs`."""
        return self.at(layer_name).outputs(layer_name, z, rng)


def before_classifier(network: Network) -> int:
    """Index of the first dense layer; everything before it makes the features.

    Raises
    ------
    InputError
        The network has no dense layer.
    """
    for index, layer in enumerate(network.layers):
        if isinstance(layer, Dense):
            return index
    raise InputError("there is no classifier to tune", "network", "It needs a dense layer")


def tune(
    network: Network,
    x: np.ndarray,
    y: np.ndarray,
    chip: Realisation,
    *,
    tuning: Tuning | None = None,
    seed: int = 0,
    progress: Callable[[EpochEvent], Any] | None = None,
) -> History:
    """Tune the dense layers of a network in place, on one chip.

    Parameters
    ----------
    network : Network
        The trained network; layers before the first dense one stay as they are.
    x : ndarray, shape `(samples, *input_shape)`
        Samples.
    y : ndarray, shape (samples,)
        Their labels.
    chip : Realisation
        The hardware that every forward pass runs on.
    tuning : Tuning or None, optional
        How the network is tuned.
    seed : int, default 0
        Seed of the order of samples and of everything that changes from pass to pass.
    progress : callable or None, optional
        As for `network.model.trainer.train`.

    Raises
    ------
    InputError
        No dense layer, or samples that do not fit.
    """
    how = tuning or Tuning()
    first = before_classifier(network)
    layers = list(network.layers)
    if how.samples is not None and how.samples < len(x):
        subset = np.sort(np.random.default_rng([seed, 11]).permutation(len(x))[: how.samples])
        x, y = x[subset], y[subset]
    frozen: list[Layer] = [Frozen(layer) for layer in layers[:first]]
    network.replace_layers(frozen + layers[first:])
    try:
        return train(
            network,
            x,
            y,
            epochs=how.epochs,
            batch_size=how.batch_size,
            optimiser=Adam(rate=how.rate, weight_decay=how.weight_decay),
            schedule=how.schedule,
            reestimate=False,
            realise=chip,
            seed=seed,
            progress=progress,
        )
    finally:
        network.replace_layers(layers)
