"""Reading networks that `network.model.saving` wrote, and copying them by the same description.

A file is not trusted: nothing is unpickled, only layers of known classes are built, and what asks
for arrays that no network has, or holds numbers that are not finite, is refused.
"""

from __future__ import annotations

import importlib
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from ddkbase.errors import StorageError, shorten, similar_file
from ddkbase.files import read_limit, too_large, unpacked_limit
from network.layers.base import Layer
from network.model.network import Network
from network.model.saving import FORMAT, TEXT, VERSION, describe
from network.model.saving import LAYER_MODULES as LAYER_MODULES
from network.model.saving import save_network as save_network

__all__ = [
    "LAYER_MODULES",
    "build_layer",
    "check_config",
    "copy_network",
    "load_network",
    "save_network",
]

_SPARE = 10**7  # numbers that layers may make besides those in the file
_WIDEST = 10**6  # a number in the description of a layer, from which arrays are made


def load_network(path: str | os.PathLike[str]) -> Network:
    """Read a network that `save_network` wrote.

    Parameters
    ----------
    path : str or Path
        Path of the file, e.g. ``model.npz``.

    Returns
    -------
    Network
        The network with its parameters and statistics; its `notes` hold what was saved beside it.

    Raises
    ------
    StorageError
        No such file, or it is damaged, foreign, or of a newer version.
    """
    path = Path(path)
    if not path.is_file():
        hint = similar_file(path, "Name a folder that 'ddk-network train' made")
        raise StorageError("there is no such file", str(path), hint)
    try:
        arrays = _read_arrays(path)
        text = bytes(arrays.pop(TEXT)).decode("utf-8")
        described = json.loads(text)
        if described["format"] != FORMAT:
            raise ValueError(f"format {shorten(described['format'])}")
    except StorageError:
        raise
    except Exception as exc:  # zip, zlib, NumPy and JSON each have errors of their own
        raise StorageError(
            f"it holds no network, or is damaged [{_said(exc)}]",
            str(path),
            "Give a model.npz that ddk-network wrote.",
        ) from exc
    if described.get("version") != VERSION:
        raise StorageError(
            f"it is of version {shorten(described.get('version'))}", str(path), f"Not {VERSION}"
        )
    try:
        return _build(described, arrays)
    except Exception as exc:  # whatever a layer says to arguments that do not fit
        raise StorageError(f"the network in it cannot be built [{_said(exc)}]", str(path)) from exc


def copy_network(network: Network) -> Network:
    """A network like this one that shares no array with it."""
    arrays, described = describe(network)
    return _build(json.loads(json.dumps({**described, "notes": network.notes})), arrays)


def _build(described: dict[str, Any], arrays: dict[str, np.ndarray]) -> Network:
    for entry in described["layers"]:
        check_config(entry["config"])
    if np.prod(described["input_shape"], dtype=object) > _WIDEST * 100:
        raise ValueError(f"samples of shape {described['input_shape']}")
    layers = [build_layer(entry["class"], entry["config"]) for entry in described["layers"]]
    _check_size(layers, tuple(int(n) for n in described["input_shape"]), arrays)
    network = Network(
        layers, described["input_shape"], described["classes"], dtype=described["dtype"]
    )
    left = set(arrays)
    for layer in network.layers:
        for group, held in (("parameter", layer.parameters), ("buffer", layer.buffers)):
            for key, value in held.items():
                name = f"{group}/{layer.name}/{key}"
                stored = arrays[name]
                if stored.shape != value.shape or stored.dtype != value.dtype:
                    raise ValueError(f"{name} is {stored.dtype} {stored.shape}")
                if not np.isfinite(stored).all():
                    raise ValueError(f"{name} is not finite")
                if key == "variance" and (stored < 0).any():
                    raise ValueError(f"{name} is negative")
                value[...] = stored
                left.discard(name)
    if left:
        raise ValueError(f"{min(left)} belongs to no layer")
    network.notes = dict(described.get("notes", {}))
    return network


def _check_size(layers: list[Layer], shape: tuple[int, ...], arrays: dict[str, np.ndarray]) -> None:
    """Raise ValueError, before any array is made, if layers ask for far more than the file has."""
    room = sum(array.size for array in arrays.values()) + _SPARE
    for layer in layers:
        asked = layer.count(shape).parameters
        drawn = getattr(layer, "units", None)  # a matrix that is drawn by a seed, not stored
        if isinstance(drawn, int):
            asked = max(asked, drawn * drawn)
        if asked > room:
            raise ValueError(f"{asked} parameters are asked for, the file holds {room - _SPARE}")
        shape = layer.output_shape(shape)


def check_config(config: Any, key: str = "") -> None:
    """Raise ValueError if a damaged description asks for arrays that no network here has.

    ``config`` are the arguments of a layer as JSON gives them, ``key`` what they are called.
    """
    if isinstance(config, dict):
        for name, value in config.items():
            check_config(value, str(name))
    elif isinstance(config, list):
        for value in config:
            check_config(value, key)
    elif isinstance(config, int) and abs(config) > _WIDEST and "seed" not in key:
        raise ValueError(f"{key} is {shorten(config)}")


def build_layer(kind: str, config: dict[str, Any]) -> Layer:
    """A layer of a class of `LAYER_MODULES` from its configuration.

    Raises ValueError: there is no such class.
    """
    if kind not in LAYER_MODULES:
        raise ValueError(f"unknown layer {shorten(kind)}")
    layer_class = getattr(importlib.import_module(LAYER_MODULES[kind]), kind)
    from_config = getattr(layer_class, "from_config", None)
    layer: Layer = from_config(config) if from_config is not None else layer_class(**config)
    return layer


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(path) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
        limit = unpacked_limit(path.stat().st_size, read_limit())
        if size > limit:
            raise too_large(str(path), limit)
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _said(exc: BaseException) -> str:
    return shorten(f"{type(exc).__name__}: {exc}".splitlines()[0], 100)
