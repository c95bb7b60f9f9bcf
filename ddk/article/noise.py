"""The noise of the authors' code as that code applies it, which is not what the article states.

What is written here are facts read from the public code of Shi et al. (github.com/gllspeed/DDK, the
SITW network's simulation): each call draws one alpha and one beta for the whole network, normal
about what the network holds and drawn again until positive, and adds a normal error to the cell of
each weight; both write into the network's parameters. Nothing puts these back, and the test calls
it anew each time: the errors of all calls add up.
"""

from __future__ import annotations

import numpy as np

from network.ddk.layer import DDKLayer
from network.hardware.cells.conductance import ConductanceWindow
from network.hardware.cells.kinetics_noise import ARTICLE_KINETICS_NOISE
from network.hardware.cells.noise import ARTICLE_WRITE_ERROR
from network.layers.plain import Dense
from network.model.files import copy_network
from network.model.network import Network

CODE_WINDOW = ConductanceWindow(40e-6, 300e-6)
"""Conductances [S] that the code maps weights to; one cell a weight, zero in the middle."""

CALLS = 50
"""Tests of one training in the code: every tenth of 500 epochs."""


def apply_noise(network: Network, rng: np.random.Generator) -> None:
    """Write one call's noise into the parameters of a network.

    Its DDK layers get other pairs, its dense layers other weights; offsets stay.
    """
    for layer in network.layers:
        if isinstance(layer, DDKLayer):
            deviations = ARTICLE_KINETICS_NOISE.alpha, ARTICLE_KINETICS_NOISE.beta
            pairs = zip((layer.alpha, layer.beta), deviations, strict=True)
            layer.set_pair(*(_positive(mean, deviation, rng) for mean, deviation in pairs))
        elif isinstance(layer, Dense):
            weight = layer.parameters["weight"]
            weight[...] = _rewritten(weight, rng)


def accuracies_of_calls(
    network: Network,
    x: np.ndarray,
    y: np.ndarray,
    rng: np.random.Generator,
    *,
    restored: bool = False,
) -> np.ndarray:
    """Accuracy after each of `CALLS` calls of the noise, shape (calls,), shares of 1.

    The network stays as it is. If ``restored``, each call begins from the trained parameters,
    instead of from what the call before it left, as in the code.
    """
    used, reached = copy_network(network), []
    for _ in range(CALLS):
        if restored:
            used = copy_network(network)
        apply_noise(used, rng)
        with np.errstate(all="ignore"):  # an explicit step that diverges answers wrongly
            reached.append(float(np.mean(used.predict(x) == y)))
    return np.array(reached)


def _positive(mean: np.ndarray, deviation: float, rng: np.random.Generator) -> np.ndarray:
    drawn = rng.normal(mean, deviation)
    while (drawn <= 0).any():
        drawn = np.where(drawn > 0, drawn, rng.normal(mean, deviation))
    return np.asarray(drawn)


def _rewritten(weight: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Weights within -1 to 1 as one cell each, its error, and back."""
    held = np.clip(weight.astype(float), -1, 1)
    largest = float(np.abs(held).max())
    if not largest > 0:
        return held
    middle = (CODE_WINDOW.low + CODE_WINDOW.high) / 2
    scale = (CODE_WINDOW.high - middle) / largest
    cells = ARTICLE_WRITE_ERROR.written(middle + scale * held, rng)
    return np.asarray((np.clip(cells, CODE_WINDOW.low, CODE_WINDOW.high) - middle) / scale)
