"""The article's structure: a DDK layer, then a classifier of dense layers.

>>> network = ddk_network((28, 28), [48], 10, seed=0)   # 784-48-10 after one DDK layer
>>> network.count().parameters
38172
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from network.layers.plain import Activation, Dense, Flatten, Layer, Mean
from network.layers.standardise import Standardise
from network.model.network import Network as Network
from network.model.network import Pass as Pass

__all__ = ["Network", "Pass", "ddk_network"]


def ddk_network(
    input_shape: Sequence[int],
    hidden: Sequence[int],
    classes: int,
    *,
    activation: str = "sigmoid",
    ddk: dict[str, Any] | None = None,
    standardise: bool | dict[str, Any] = True,
    front: Sequence[Layer] | None = (),
    flatten: int = 1,
    mean: int | None = None,
    seed: int | np.random.Generator = 0,
    dtype: str = "float32",
) -> Network:
    """The article's structure: DDK, Flatten, Standardise, then Dense and Activation in turn.

    Parameters
    ----------
    input_shape : (*channels, steps) of one sample; time is the last axis.
    hidden : widths of the hidden layers.
    classes : how many there are.
    activation : after each hidden layer.
    ddk : arguments of `network.ddk.layer.DDKLayer`.
    standardise : whether features are standardised before the classifier; arguments of
        `network.layers.standardise.Standardise` in a dict.
    front : layers in the place of the DDK layer (a control); none given: the DDK layer; None:
        nothing, the classifier sees the raw samples.
    flatten : first axis that is flattened, the batch being 0; 2 keeps e.g. words apart.
    mean : axis over which the logits are averaged at the end, e.g. 1 for words.
    seed : of the start.
    dtype : "float32" or "float64".
    """
    shape = tuple(int(n) for n in input_shape)
    rng = np.random.default_rng(seed)
    layers: list[Layer] = list(front or ())
    if front is not None and not layers:
        from network.ddk.layer import DDKLayer

        arguments: dict[str, Any] = {"rng": rng, **(ddk or {})}
        layers.append(DDKLayer(shape[-1], shape[:-1] or None, **arguments))
    layers.append(Flatten(flatten))
    if standardise is not False:
        layers.append(Standardise(**(standardise if isinstance(standardise, dict) else {})))
    gain = float(np.sqrt(2)) if activation == "relu" else 1.0
    for width in hidden:
        layers += [Dense(width, gain=gain), Activation(activation)]
    layers.append(Dense(classes))
    if mean is not None:
        layers.append(Mean(mean))
    return Network(layers, shape, classes, rng, dtype=dtype)
