"""What a network asks of a chip: matrices with their number of uses, DDK cells, digital work.

Of networks of this package from their layers, of the networks they are compared with from the
closed forms of their architectures; the MACs are those of `network.counting.count`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from ddkbase.errors import InputError, closest
from network.counting.count import MACS_PER_DDK_STEP
from network.layers.plain import Activation, Dense
from network.layers.standardise import Standardise
from network.model.network import Network

__all__ = ["COMPARED", "Load", "compared_loads", "network_loads"]


@dataclass(frozen=True)
class Load:
    """One layer's work for one inference.

    Attributes
    ----------
    name : str
        Name of the layer.
    kind : {"matrix", "ddk", "digital"}
        "matrix" (weights in cells), "ddk" (cells that pulses change), or "digital".
    inputs, outputs : int, default 0
        Inputs and outputs of a matrix, the bias being one more input where there is one.
    uses : int, default 1
        Vectors that the matrix multiplies in one inference.
    cells, steps : int, default 0
        Cells and steps of a DDK layer: how many sequences at once, and pulses to each.
    macs : int, default 0
        As counted; a DDK step counts as 2.
    activations : int, default 0
        Activation functions computed after it.
    share : float, default 0.15
        Mean conductance of its cells as a share of the window.
    stage : {"features", "classifier"}, default "classifier"
        Which part it belongs to.
    """

    name: str
    kind: str
    inputs: int = 0
    outputs: int = 0
    uses: int = 1
    cells: int = 0
    steps: int = 0
    macs: int = 0
    activations: int = 0
    share: float = 0.15
    stage: str = "classifier"


def network_loads(network: Network) -> list[Load]:
    """The work of one inference of a network of this package.

    Raises
    ------
    InputError
        A layer that arrays cannot hold, e.g. a control that is not the DDK layer.
    """
    from network.ddk.layer import DDKLayer

    found: list[Load] = []
    for layer, shape in zip(network.layers, network.shapes(), strict=False):
        size = int(prod(shape))
        if isinstance(layer, DDKLayer):
            cells = layer.banks * prod(layer.channels)
            macs = MACS_PER_DDK_STEP * cells * layer.steps
            found.append(
                Load(layer.name, "ddk", cells=cells, steps=layer.steps, macs=macs, stage="features")
            )
        elif isinstance(layer, Dense):
            weight = np.abs(layer.parameters["weight"])
            uses = size // shape[-1]
            share = float(weight.mean() / weight.max()) / 2 if weight.any() else 0.0
            found.append(
                Load(
                    layer.name,
                    "matrix",
                    shape[-1] + int(layer.bias),
                    layer.outputs,
                    uses,
                    macs=shape[-1] * layer.outputs * uses,
                    share=share,
                )
            )
        elif isinstance(layer, Standardise):
            found.append(Load(layer.name, "digital", uses=size, stage="features"))
        elif isinstance(layer, Activation):
            found.append(Load(layer.name, "digital", activations=size))
        elif layer.count(shape).macs or layer.parameters:
            raise InputError(
                "arrays cannot hold this layer", layer.name, "Use DDK and dense layers"
            )
    return found


def compared_loads(name: str) -> list[Load]:
    """The work of one inference of a network of the article's comparison, by `COMPARED` name.

    Convolutions reuse one matrix (kernel x inputs by outputs) at every place. Products of two
    activations (attention) are digital.

    Raises
    ------
    InputError
        No such network.
    """
    if name not in COMPARED:
        raise InputError(f"there is no network '{name}'", "compared", closest(name, COMPARED))
    return _MAKERS[name]()


def _conv(name: str, inputs: int, outputs: int, kernel: int, places: int, bias: bool) -> Load:
    rows = inputs * kernel
    return Load(
        name,
        "matrix",
        rows + int(bias),
        outputs,
        places,
        macs=rows * outputs * places,
        activations=outputs * places,
        stage="features",
    )


def _dense(widths: Sequence[int], bias: bool, stage: str = "classifier") -> list[Load]:
    return [
        Load(
            f"dense {k + 1}",
            "matrix",
            a + int(bias),
            b,
            macs=a * b,
            activations=b if k + 2 < len(widths) else 0,
            stage=stage,
        )
        for k, (a, b) in enumerate(itertools.pairwise(widths))
    ]


def _sample_cnn() -> list[Load]:
    found, before, length = [], 1, (1600 - 1) // 3 + 1
    for k, after in enumerate((128, 128, 128, 256, 256)):
        found.append(_conv(f"convolution {k + 1}", before, after, 3, length, False))
        before, length = after, length // 3
    return found + _dense([before * length, 512, 10], bias=False)


def _lenet5() -> list[Load]:
    first, second = 26, 11
    return [
        _conv("convolution 1", 1, 6, 9, first**2, True),
        _conv("convolution 2", 6, 16, 9, second**2, True),
        *_dense([16 * 25, 120, 84, 10], bias=True),
    ]


def _voxnet() -> list[Load]:
    return [
        _conv("convolution 1", 1, 32, 125, 14**3, True),
        _conv("convolution 2", 32, 32, 27, 12**3, True),
        *_dense([32 * 6**3, 128, 10], bias=True),
    ]


def _c3d() -> list[Load]:
    from network.counting.architectures import c3d_plan

    found, before, depth, edge = [], 3, 16, 112
    plan = c3d_plan(64)
    for stage, (outputs, number) in enumerate(plan):
        for k in range(number):
            name = f"convolution {stage + 1}{'ab'[k] if number > 1 else ''}"
            found.append(_conv(name, before, outputs, 27, depth * edge**2, True))
            before = outputs
        depth = depth if stage == 0 else depth // 2
        edge = (edge + 2 * (stage == len(plan) - 1)) // 2
    return found + _dense([before * depth * edge**2, 4096, 4096, 10], bias=True)


def _bilstm() -> list[Load]:
    words, hidden, size = 64, 512, 300
    gates = Load(
        "LSTM",
        "matrix",
        size + hidden + 1,
        4 * hidden,
        words,
        macs=4 * hidden * (size + hidden) * words,
        activations=5 * hidden * words,
        stage="features",
    )
    every = _conv("dense, every word", 2 * hidden + size, 512, 1, words, True)
    return [gates, gates, every, *_dense([512, 4], bias=True)]


def _transformer() -> list[Load]:
    words, size, wide = 64, 300, 1024
    found: list[Load] = []
    for k in range(6):
        for part in ("query", "key", "value", "output"):
            found.append(_conv(f"{part} {k + 1}", size, size, 1, words, True))
        scores = 2 * words * words * size
        found.append(Load(f"attention {k + 1}", "digital", macs=scores, stage="features"))
        found.append(_conv(f"wide {k + 1}", size, wide, 1, words, True))
        found.append(_conv(f"narrow {k + 1}", wide, size, 1, words, True))
    return found + _dense([words * size, 4], bias=True)


_MAKERS: dict[str, Any] = {
    "samplecnn": _sample_cnn,
    "lenet5": _lenet5,
    "bilstm": _bilstm,
    "transformer": _transformer,
    "c3d": _c3d,
    "voxnet": _voxnet,
}
COMPARED = tuple(_MAKERS)
"""Networks of the article's comparison."""
