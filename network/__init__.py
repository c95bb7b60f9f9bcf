"""What a table of alpha and beta can learn: networks with a layer of dynamical memristors.

The DDK layer of Shi et al., Nat. Commun. 16, 913 (2025), in networks that train on real data.

>>> import network
>>> net = network.ddk_network((28, 28), [48], 10, seed=0)
>>> history = network.train(net, x, y, validation=0.1, epochs=30, batch_size=128)
>>> network.DDKClassifier(hidden=(16,)).fit(X, y).score(X, y)

Everything here is loaded on first use: the package needs no finite-element stack and no PyTorch,
and its import takes no time.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from network import datasets as datasets
    from network import ddk as ddk
    from network import features as features
    from network import hardware as hardware
    from network import pipeline as pipeline
    from network.count import Count as Count
    from network.ddk_layer import DDKLayer as DDKLayer
    from network.estimator import DDKClassifier as DDKClassifier
    from network.history import History as History
    from network.history import read_history as read_history
    from network.layers import Activation as Activation
    from network.layers import Dense as Dense
    from network.layers import Dropout as Dropout
    from network.layers import Flatten as Flatten
    from network.layers import Layer as Layer
    from network.layers import Mean as Mean
    from network.model import Network as Network
    from network.model import ddk_network as ddk_network
    from network.optimisers import SGD as SGD
    from network.optimisers import Adam as Adam
    from network.persistence import load_network as load_network
    from network.realisation import Ideal as Ideal
    from network.realisation import Realisation as Realisation
    from network.standardise import Standardise as Standardise
    from network.trainer import train as train
    from network.transformer import DDKTransformer as DDKTransformer

_MODULES = ("datasets", "ddk", "features", "hardware", "pipeline")
_NAMES = {
    "Activation": "network.layers",
    "Adam": "network.optimisers",
    "Count": "network.count",
    "DDKClassifier": "network.estimator",
    "DDKLayer": "network.ddk_layer",
    "DDKTransformer": "network.transformer",
    "Dense": "network.layers",
    "Dropout": "network.layers",
    "Flatten": "network.layers",
    "History": "network.history",
    "Ideal": "network.realisation",
    "Layer": "network.layers",
    "Mean": "network.layers",
    "Network": "network.model",
    "Realisation": "network.realisation",
    "SGD": "network.optimisers",
    "Standardise": "network.standardise",
    "ddk_network": "network.model",
    "load_network": "network.persistence",
    "read_history": "network.history",
    "train": "network.trainer",
}

__all__ = [
    "SGD",
    "Activation",
    "Adam",
    "Count",
    "DDKClassifier",
    "DDKLayer",
    "DDKTransformer",
    "Dense",
    "Dropout",
    "Flatten",
    "History",
    "Ideal",
    "Layer",
    "Mean",
    "Network",
    "Realisation",
    "Standardise",
    "datasets",
    "ddk",
    "ddk_network",
    "features",
    "hardware",
    "load_network",
    "pipeline",
    "read_history",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"network.{name}")
    if name in _NAMES:
        value = getattr(importlib.import_module(_NAMES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
