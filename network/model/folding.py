"""Statistics that go into the weights of the dense layer behind them, as they do on hardware."""

from __future__ import annotations

from ddkbase.errors import InputError
from network.layers.base import Layer
from network.layers.plain import Dense
from network.layers.standardise import Standardise
from network.model.files import copy_network
from network.model.network import Network

__all__ = ["folded"]


def folded(network: Network) -> Network:
    """A copy without the `Standardise` layers that a dense one follows directly; same answers.

    Raises InputError where such a dense layer has no bias to take the shift.
    """
    layers: list[Layer] = []
    waiting: Standardise | None = None
    result = copy_network(network)
    for layer in result.layers:
        if waiting is not None:
            if isinstance(layer, Dense):
                _fold(waiting, layer)
            else:
                layers.append(waiting)
            waiting = None
        if isinstance(layer, Standardise):
            waiting = layer
        else:
            layers.append(layer)
    result.replace_layers(layers)
    return result


def _fold(standardise: Standardise, dense: Dense) -> None:
    scale, shift = standardise.affine_map()
    weight = dense.parameters["weight"]
    if not dense.bias:
        raise InputError("a shift needs a bias to go to", dense.name, "Build it with a bias.")
    dense.parameters["bias"] += (shift @ weight).astype(weight.dtype)
    weight *= scale[:, None].astype(weight.dtype)
