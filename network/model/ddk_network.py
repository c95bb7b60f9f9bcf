"""The article's structure: a DDK layer, then a classifier of dense layers.

>>> network = ddk_network((28, 28), [48], 10, seed=0)   # 784-48-10 after one DDK layer
>>> network.count().parameters
38172
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from network.ddk.layer import DDKLayer
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
    input_shape : sequence of int
        Shape of one sample, `(*channels, steps)`; time is the last axis.
    hidden : sequence of int
        Widths of the hidden layers.
    classes : int
        Number of classes.
    activation : str, default "sigmoid"
        Activation after each hidden layer.
    ddk : dict or None, optional
        Arguments of `network.ddk.layer.DDKLayer`.
    standardise : bool or dict, default True
        Whether features are standardised before the classifier; arguments of
        `network.layers.standardise.Standardise` in a dict.
    front : sequence of Layer or None, default ()
        Layers in the place of the DDK layer (a control); none given: the DDK layer; None: nothing,
        the classifier sees the raw samples.
    flatten : int, default 1
        First axis that is flattened, the batch being 0; 2 keeps e.g. words apart.
    mean : int or None, optional
        Axis over which the logits are averaged at the end, e.g. 1 for words.
    seed : int or numpy.random.Generator, default 0
        Seed of the start.
    dtype : {"float32", "float64"}, default "float32"
        Type of parameters and arithmetic.
    """
    shape = tuple(int(n) for n in input_shape)
    rng = np.random.default_rng(seed)
    layers: list[Layer] = list(front or ())
    if front is not None and not layers:
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
