"""The networks by name: built, sized, counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ddkbase.errors import InputError, closest
from network.counting.architectures import ARCHITECTURES, architecture
from network.counting.count import Count

#: Names of all networks.
NAMES: tuple[str, ...] = tuple(ARCHITECTURES)


def build(name: str, *, seed: int = 0, **sizes: Any) -> Any:
    """A network of PyTorch, its weights drawn from the seed.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    seed : int, default 0
        Seed of the weights; the global generator of PyTorch is left as it was.
    **sizes : dict, optional
        Sizes of the structure, those of the architecture in `network.counting.architectures`, and
        `dropout` where the network has one.

    Returns
    -------
    torch.nn.Module
        The network, which maps `(batch, *sample)` to logits (batch, classes).

    Raises
    ------
    InputError
        No network has that name, or it has no such size.
    InstallationError
        PyTorch is not installed.
    """
    _check_name(name)
    kind = _classes()[name]
    # optional: PyTorch
    from network.baselines.pytorch import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            return kind(**sizes)
        except TypeError as error:
            raise InputError(str(error), name) from error


def _classes() -> dict[str, Any]:
    """The networks' classes by name; a new network has its line here and in `ARCHITECTURES`."""
    # optional: their modules need PyTorch, whose base class they inherit
    from network.baselines.modules import C3D, BiLSTMRCNN, LeNet5, SampleCNN, Transformer, VoxNet

    return {
        "samplecnn": SampleCNN,
        "lenet5": LeNet5,
        "lstm": BiLSTMRCNN,
        "transformer": Transformer,
        "c3d": C3D,
        "voxnet": VoxNet,
    }


def sizes_for(name: str, shape: Sequence[int], classes: int) -> dict[str, Any]:
    """The sizes of a network that fit samples of a shape.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    shape : sequence of int
        Shape of one sample, as in the table above; a channel axis of 1 before it is allowed.
    classes : int
        Number of outputs.

    Raises
    ------
    InputError
        The shape has the wrong axes for that network.
    """
    _check_name(name)
    shape = tuple(int(size) for size in shape)
    axes = {"samplecnn": 1, "lenet5": 2, "lstm": 2, "transformer": 2, "c3d": 3, "voxnet": 3}[name]
    channels = 1
    if len(shape) == axes + 1 and (name == "c3d" or shape[0] == 1):
        channels, *rest = shape
        shape = tuple(rest)
    edges = {"lenet5": shape, "c3d": shape[1:], "voxnet": shape}.get(name, ())
    if len(shape) != axes or len(set(edges)) > 1:
        raise InputError(
            f"samples of shape {shape} do not fit", name, "See the table in network.baselines"
        )
    if name == "samplecnn":
        return {"samples": shape[0], "classes": classes}
    if name in ("lstm", "transformer"):
        return {"words": shape[0], "dimension": shape[1], "classes": classes}
    if name == "c3d":
        return {"frames": shape[0], "size": shape[1], "channels": channels, "classes": classes}
    return {"size": shape[0], "classes": classes}


def count(name: str, *, batch_norm: int = 0, **sizes: Any) -> Count:
    """Parameters and MACs of a network from its structure; PyTorch is not needed.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    batch_norm : int, default 0
        Operations for an element of a batch norm; see `Architecture.count`.
    **sizes : dict, optional
        Sizes of the structure.

    Raises
    ------
    InputError
        No network has that name, or it has no such size.
    """
    _check_name(name)
    return architecture(name, **sizes).count(batch_norm=batch_norm)


def arrange(name: str, x: np.ndarray, *, word_axis: int = 1) -> np.ndarray:
    """Samples with the axes in the order that a network takes.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    x : ndarray, shape `(batch, *sample)`
        The samples.
    word_axis : int, default 1
        Axis of the words, for texts.
    """
    _check_name(name)
    if name in ("lstm", "transformer") and word_axis != 1:
        return np.moveaxis(x, word_axis, 1)
    return x


def _check_name(name: str) -> None:
    if name not in NAMES:
        raise InputError("there is no such network", str(name), closest(str(name), NAMES))


#: Sizes with which a network can be trained on one core of a computer without accelerator; what
#: they change is said wherever a result is reported.
SMALL: Mapping[str, Mapping[str, Any]] = {
    "c3d": {"width": 8, "dense": 128},
    "lstm": {"hidden": 64, "dense": 64},
    "transformer": {"layers": 2, "hidden": 128},
}
