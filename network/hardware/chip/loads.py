"""What a network asks of a chip: matrices with their number of uses, DDK cells, digital work.

Of networks of this package from their layers, of the networks they are compared with from the
closed forms of their architectures; the MACs are those of `network.counting.count`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from ddkbase.errors import InputError, closest
from network.counting.architectures import architecture
from network.counting.count import MACS_PER_DDK_STEP
from network.counting.front_end import FrontEnd
from network.ddk.array_layer import ArrayDDKLayer, array_name
from network.ddk.layer import DDKLayer
from network.layers.baselines import Raw
from network.layers.feature_layer import FeatureLayer
from network.layers.memories import Memory
from network.layers.plain import Activation, Dense
from network.layers.random_baselines import EchoState
from network.layers.standardise import Standardise
from network.model.network import Network

__all__ = [
    "COMPARED",
    "Load",
    "array_layer_loads",
    "compared_loads",
    "front_end_loads",
    "network_loads",
]

COMPARED = ("samplecnn", "lenet5", "bilstm", "transformer", "c3d", "voxnet")
"""Networks of the article's comparison."""


@dataclass(frozen=True)
class Load:
    """One layer's work for one inference.

    Attributes
    ----------
    name : str
        Name of the layer.
    kind : {"matrix", "ddk", "capacitor", "digital"}
        "matrix" (weights in cells), "ddk" (cells that pulses change), "capacitor" (charges that
        leak), or "digital".
    inputs, outputs : int, default 0
        Inputs and outputs of a matrix, the bias being one more input where there is one.
    uses : int, default 1
        Vectors that the matrix multiplies in one inference.
    cells, steps : int, default 0
        Cells and steps of a DDK layer, or capacitors and their steps: how many sequences at once,
        and pulses to each.
    reads : int or None, optional
        How many of the steps are read and converted; None is all of them.
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
    reads: int | None = None
    macs: int = 0
    activations: int = 0
    share: float = 0.15
    stage: str = "classifier"


def network_loads(network: Network) -> list[Load]:
    """The work of one inference of a network of this package.

    Raises
    ------
    InputError
        A layer that this chip has nothing for, e.g. a running sum.
    """
    loads: list[Load] = []
    for layer, shape in zip(network.layers, network.shapes(), strict=False):
        size = int(prod(shape))
        if isinstance(layer, ArrayDDKLayer):
            loads += array_layer_loads(layer)
        elif isinstance(layer, DDKLayer):
            cells = layer.banks * prod(layer.channels)
            macs = MACS_PER_DDK_STEP * cells * layer.steps
            loads.append(_states(layer.name, "ddk", cells, layer, macs))
        elif isinstance(layer, FeatureLayer) and _kernel(layer) in ("leaky", "segments"):
            cells = layer.banks * prod(layer.channels)
            loads.append(_states(layer.name, "capacitor", cells, layer, layer.count(shape).macs))
        elif isinstance(layer, EchoState):
            inputs = layer.units + prod(layer.channels) + 1  # the states, the samples, and 1
            loads.append(
                Load(
                    layer.name,
                    "matrix",
                    inputs,
                    layer.units,
                    layer.steps,
                    macs=layer.count(shape).macs,
                    activations=layer.units * layer.steps,
                    stage="features",
                )
            )
        elif isinstance(layer, Raw):
            continue  # its gain folds into the next matrix, whose inputs the samples are
        elif isinstance(layer, Dense):
            weight = np.abs(layer.parameters["weight"])
            uses = size // shape[-1]
            share = float(weight.mean() / weight.max()) / 2 if weight.any() else 0.0
            loads.append(
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
            loads.append(Load(layer.name, "digital", uses=size, stage="features"))
        elif isinstance(layer, Activation):
            loads.append(Load(layer.name, "digital", activations=size))
        elif layer.count(shape).macs or layer.parameters:
            raise InputError(
                "arrays cannot hold this layer",
                layer.name,
                "DDK and dense layers, leaky integrators, echo states and raw samples are priced",
            )
    return loads


def array_layer_loads(layer: ArrayDDKLayer) -> list[Load]:
    """The work of a DDK layer some of whose pairs are recurrences on arrays.

    Each of these has its matrices once; the sequences that a pair reads use them in turn, each in
    every step, whether the state is read or not. A register adds the increment.
    """
    cells = len(layer.pulsed)
    loads = []
    if cells:
        macs = MACS_PER_DDK_STEP * cells * layer.steps
        loads.append(_states(layer.name, "ddk", cells, layer, macs))
    uses = layer.sequences_of_pair * layer.steps
    for pair, recurrence in sorted(layer.recurrences.items()):
        name = array_name(layer.name, pair)
        matrices = [("update", recurrence.update_weight, recurrence.update_bias, 0)]
        if recurrence.hinges:
            weights = recurrence.hinge_weight, recurrence.hinge_bias
            matrices.insert(0, ("hinges", *weights, recurrence.hinges))
        for what, weight, bias, rectifiers in matrices:
            whole = np.abs(np.concatenate([weight, bias[None]]))
            inputs, outputs = whole.shape
            loads.append(
                Load(
                    f"{name} {what}",
                    "matrix",
                    inputs,
                    outputs,
                    uses,
                    macs=(inputs - 1) * outputs * uses,
                    activations=rectifiers * uses,
                    share=float(whole.mean() / whole.max()) / 2 if whole.any() else 0.0,
                    stage="features",
                )
            )
        loads.append(Load(f"{name} register", "digital", uses=uses, stage="features"))
    return loads


def front_end_loads(front: FrontEnd, classes: int = 0) -> list[Load]:
    """The digital work of a front end and, if there are ``classes``, a linear read-out in cells.

    A logarithm is priced as an activation. The read-out sees all numbers of all frames, and a bias.

    Parameters
    ----------
    front : FrontEnd
        Mel bands, with cepstral coefficients or without.
    classes : int, default 0
        Outputs of the read-out; 0 is the front end alone.
    """
    loads = [Load(k, "digital", macs=n, stage="features") for k, n in front.macs.items()]
    loads.insert(4, Load("logarithm", "digital", activations=front.logarithms, stage="features"))
    if classes:
        values = front.frames * (front.coefficients or front.bands)
        loads.append(Load("readout", "matrix", values + 1, classes, macs=values * classes))
    return loads


def _states(name: str, kind: str, cells: int, layer: DDKLayer | FeatureLayer, macs: int) -> Load:
    return Load(
        name,
        kind,
        cells=cells,
        steps=layer.steps,
        reads=layer.steps_read,
        macs=macs,
        stage="features",
    )


def _kernel(layer: FeatureLayer) -> str:
    """What a layer keeps between the steps."""
    return layer.kernel if isinstance(layer, Memory) else layer.kind


def compared_loads(name: str) -> list[Load]:
    """The work of one inference of a network of the article's comparison, by `COMPARED` name.

    Convolutions reuse one matrix (kernel x inputs by outputs) at every position. Products of two
    activations (attention) are digital.

    Raises
    ------
    InputError
        No such network.
    """
    if name not in COMPARED:
        raise InputError(f"there is no network '{name}'", "compared", closest(name, COMPARED))
    return [
        Load(
            layer.name,
            "matrix" if layer.inputs else "digital",
            layer.inputs,
            layer.outputs,
            layer.uses,
            macs=layer.size.macs,
            activations=layer.activations,
            stage=layer.stage,
        )
        for layer in architecture("lstm" if name == "bilstm" else name).layers
        if layer.size.macs
    ]
