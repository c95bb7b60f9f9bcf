"""Writing networks: one .npz with the arrays and a JSON text that says how to build the layers.

Nothing is pickled: the file is a zip of .npy files. The JSON is kept as bytes in the array
``network.json``; layers are named by class, and only classes that are known here are written and
built. `network.model.files` reads what is written here.
"""

from __future__ import annotations

import importlib
import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ddkbase.errors import InputError
from ddkbase.files import write_bytes
from network.layers.base import Layer

FORMAT, VERSION = "ddk-network", 1
TEXT = "network.json"

LAYER_MODULES = {
    "Activation": "network.layers.plain",
    "AveragePooling": "network.layers.baselines",
    "DDKLayer": "network.ddk.layer",
    "Dense": "network.layers.plain",
    "Dropout": "network.layers.plain",
    "EchoState": "network.layers.random_baselines",
    "Flatten": "network.layers.plain",
    "LeakyIntegrator": "network.layers.baselines",
    "MFCC": "network.layers.baselines",
    "Mean": "network.layers.plain",
    "Memory": "network.layers.memories",
    "RandomDDK": "network.layers.random_baselines",
    "Raw": "network.layers.baselines",
    "RunningSum": "network.layers.baselines",
    "Standardise": "network.layers.standardise",
    "Transpose": "network.layers.plain",
}
"""Where each class of layer is found that a file may name."""


def save_network(
    network: _Layers,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    notes: Mapping[str, Any] | None = None,
) -> Path:
    """Write a network to one .npz file, whole or not at all.

    Parameters
    ----------
    network : Network
        What to write.
    path : str or Path
        The file to make; its name is taken as it is.
    overwrite : bool, default False
        Replace an existing file.
    notes : mapping or None, optional
        What else belongs to it (class names, task, seed), as JSON can hold it.

    Raises
    ------
    StorageError
        The file exists, or cannot be written.
    InputError
        A layer that files do not know, or notes that JSON cannot hold.
    """
    arrays, described = describe(network)
    try:
        text = json.dumps({**described, "notes": dict(notes or {})}, allow_nan=False)
    except (TypeError, ValueError) as exc:
        raise InputError(f"JSON cannot hold it [{exc}]", "network.save") from exc
    stream = io.BytesIO()
    members: dict[str, Any] = {TEXT: np.frombuffer(text.encode("utf-8"), np.uint8), **arrays}
    np.savez_compressed(stream, **members)
    return write_bytes(path, stream.getbuffer(), overwrite)


class _Layers(Protocol):
    """What of a network is written."""

    @property
    def layers(self) -> Sequence[Layer]: ...
    @property
    def input_shape(self) -> tuple[int, ...]: ...
    @property
    def classes(self) -> int: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...


def describe(network: _Layers) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays of a network by their names in a file, and what builds its layers, for JSON.

    Raises InputError: a layer that files do not know.
    """
    layers = []
    arrays: dict[str, np.ndarray] = {}
    for layer in network.layers:
        kind = type(layer).__name__
        if LAYER_MODULES.get(kind) != type(layer).__module__ and not _same(kind, type(layer)):
            raise InputError(f"files know no layer {kind}", layer.name, "See LAYER_MODULES")
        layers.append({"class": kind, "config": layer.config()})
        for group, held in (("parameter", layer.parameters), ("buffer", layer.buffers)):
            arrays.update({f"{group}/{layer.name}/{key}": held[key] for key in held})
    described = {
        "format": FORMAT,
        "version": VERSION,
        "input_shape": list(network.input_shape),
        "classes": network.classes,
        "dtype": network.dtype.name,
        "layers": layers,
    }
    return arrays, described


def _same(kind: str, layer_class: type) -> bool:
    """Whether the class is the one that a file's name for it leads to."""
    module = LAYER_MODULES.get(kind)
    return (
        module is not None and getattr(importlib.import_module(module), kind, None) is layer_class
    )
