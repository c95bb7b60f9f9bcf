"""Matrices in cells, and pairs of alpha and beta that are matrices because no pulse gives them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ddkbase.errors import InputError, shorten
from network.ddk.array_layer import ArrayDDKLayer, array_name
from network.ddk.layer import DDKLayer
from network.ddk.piecewise import PiecewiseLinearDDK, typical
from network.hardware.arrays.crossbar import layout_of
from network.hardware.cells import conductance
from network.hardware.chip.chip import Chip
from network.hardware.chip.layouts import Block
from network.hardware.realisation import HardwareRealisation

__all__ = [
    "FITTED",
    "PlacedMatrix",
    "matrix_entries",
    "place_matrix",
    "place_recurrence",
    "read_recurrences",
    "recurrence_of",
]

FITTED = 256
"""Samples of the data, at most, that a recurrence is fitted to."""


@dataclass(frozen=True)
class PlacedMatrix:
    """A matrix as cells, before its blocks have places.

    Attributes
    ----------
    name : str
        Name of the layer or of the array.
    cells : ndarray, S
        Conductances (inputs, physical columns).
    entry : dict
        What a placement needs to read them: inputs, columns, scale [S per unit of weight],
        positive, negative.
    blocks : list of Block
        A block for each tile.
    """

    name: str
    cells: np.ndarray
    entry: dict[str, Any]
    blocks: list[Block]


def place_matrix(
    name: str, matrix: np.ndarray, mapping: conductance.Mapping, tile: tuple[int, int], kind: str
) -> PlacedMatrix:
    """Cells and blocks of a matrix (inputs, outputs), its bias, if any, the last input.

    Parameters
    ----------
    name : str
        Name of the layer or of the array.
    matrix : ndarray, shape (inputs, outputs)
        The weights.
    mapping : Mapping
        From weights to conductances.
    tile : pair of int
        Rows and columns of a tile.
    kind : {"matrix", "recurrence"}
        Kind of the blocks.

    Raises
    ------
    InputError
        Weights beyond the window.
    """
    try:
        # cells go by output, the network's matrices are (inputs, outputs)
        positive, negative = mapping.cells(matrix.T)
    except InputError as error:
        hint = "Raise the limit (--largest-weight), or leave it out"
        raise InputError(error.what, name, hint) from None
    plan = layout_of(matrix.T.shape, tile, mapping)
    entry = {
        "inputs": len(matrix),
        "columns": plan.columns,
        "scale": mapping.scale(matrix),
        "positive": plan.positive.tolist(),
        "negative": plan.negative.tolist(),
    }
    blocks = [
        Block(
            name,
            kind,
            r.stop - r.start,
            c.stop - c.start,
            (r.start, r.stop),
            (c.start, c.stop),
        )
        for r in plan.row_tiles
        for c in plan.column_tiles
    ]
    return PlacedMatrix(name, plan.columns_of(positive, negative).T, entry, blocks)


def recurrence_of(
    layer: DDKLayer, pair: int, hinges: int, samples: np.ndarray | None
) -> tuple[PiecewiseLinearDDK, np.ndarray]:
    """The recurrence of one pair of a layer, and the sequences that it was fitted to.

    Parameters
    ----------
    layer : DDKLayer
        The trained layer.
    pair : int
        Number of the pair, banks first.
    hinges : int
        As for `PiecewiseLinearDDK.fitted`.
    samples : ndarray or None, shape (samples, channels, ..., steps)
        Inputs of the layer, of which the first 256 are used; None takes those of `typical`.
    """
    if samples is None:
        x = typical(layer.steps)
    else:
        _, *inner, _ = np.unravel_index(pair, layer.pair_shape)
        place = tuple(
            slice(None) if size == 1 else int(i)
            for i, size in zip(inner, layer.pair_shape[1:-1], strict=True)
        )
        x = samples[(slice(0, FITTED), *place)].reshape(-1, layer.steps)
    how = {k: layer.config()[k] for k in ("integrator", "form", "initial", "dt")}
    alpha, beta = (float(v.ravel()[pair]) for v in (layer.alpha, layer.beta))
    try:
        recurrence = PiecewiseLinearDDK.fitted(alpha, beta, hinges=hinges, samples=x, **how)
    except InputError as error:
        raise InputError(error.what, layer.name, error.hint or "") from None
    return recurrence, x


def place_recurrence(
    layer: DDKLayer,
    pair: int,
    recurrence: PiecewiseLinearDDK,
    x: np.ndarray,
    chip: Chip,
    miss: float,
) -> tuple[dict[str, Any], list[PlacedMatrix]]:
    """Entry of a placement, with the errors of the states, and the matrices of a recurrence.

    Parameters
    ----------
    layer : DDKLayer
        Its layer.
    pair : int
        Number of the pair.
    recurrence : PiecewiseLinearDDK
        What is placed.
    x : ndarray, shape (sequences, steps)
        Inputs that errors are stated for.
    chip : Chip
        Description of the chip.
    miss : float
        How far the pulses of the table are from the pair, as a share.
    """
    name = array_name(layer.name, pair)
    tile = chip.count("rows"), chip.count("columns")
    parts = [("update", recurrence.update_weight, recurrence.update_bias)]
    if recurrence.hinges:
        parts.insert(0, ("hinges", recurrence.hinge_weight, recurrence.hinge_bias))
    placed = [
        place_matrix(
            f"{name} {what}", np.concatenate([weight, bias[None]]), chip.mapping, tile, "recurrence"
        )
        for what, weight, bias in parts
    ]
    bits = {"dac_bits": chip.count("input_bits"), "adc_bits": chip.count("adc_bits")}
    imprecise = HardwareRealisation(chip.hardware(arrays=True, **bits), seed=0)
    entry = {
        "pair": pair,
        "y_scale": recurrence.y_scale,
        "x_scale": recurrence.x_scale,
        "table_miss": float(miss),
        "error": asdict(recurrence.error(x)),
        "error_on_chip_0": asdict(recurrence.error(x, realise=imprecise, name=name)),
        "matrices": [{"name": m.name, **m.entry} for m in placed],
    }
    return entry, placed


def matrix_entries(layers: Any) -> dict[str, Mapping[str, Any]]:
    """All matrices of the entries of a placement's layers, by name.

    Raises
    ------
    ValueError
        Two have one name, or one that of a layer.
    """
    entries = {x["name"]: x for x in layers if "scale" in x}
    names = {x["name"] for x in layers}
    for layer in layers:
        for recurrence in layer.get("recurrences", ()):
            for matrix in recurrence["matrices"]:
                if matrix["name"] in names:
                    raise ValueError(f"two matrices are called {shorten(matrix['name'])}")
                names.add(matrix["name"])
                entries[matrix["name"]] = matrix
    return entries


def read_recurrences(
    layer: ArrayDDKLayer, entry: Mapping[str, Any], weights: Any
) -> dict[int, PiecewiseLinearDDK]:
    """The recurrences of a layer from its entry; ``weights`` gives a matrix by its name.

    Raises
    ------
    ValueError
        They do not fit together.
    """
    how = {k: layer.config()[k] for k in ("integrator", "form", "initial", "dt")}
    pairs = layer.alpha.ravel(), layer.beta.ravel()
    recurrences: dict[int, PiecewiseLinearDDK] = {}
    for item in entry["recurrences"]:
        pair = item["pair"]
        if type(pair) is not int or not 0 <= pair < layer.pairs or pair in recurrences:
            raise ValueError(f"a recurrence of pair {shorten(pair)} of {layer.name}")
        scales = [float(item[key]) for key in ("y_scale", "x_scale")]
        if not (np.isfinite(scales).all() and min(scales) > 0):
            raise ValueError(f"the scales of {array_name(layer.name, pair)} are {scales}")
        matrices = [weights(x["name"]) for x in item["matrices"]]
        if len(matrices) == 1:
            matrices.insert(0, np.empty((3, 0)))
        hinges, update = matrices
        if len(hinges) != 3 or update.shape != (hinges.shape[1] + 3, 1):
            raise ValueError(f"the matrices of {array_name(layer.name, pair)} do not fit")
        recurrences[pair] = PiecewiseLinearDDK(
            alpha=float(pairs[0][pair]),
            beta=float(pairs[1][pair]),
            **how,
            y_scale=scales[0],
            x_scale=scales[1],
            hinge_weight=hinges[:-1],
            hinge_bias=hinges[-1],
            update_weight=update[:-1],
            update_bias=update[-1],
        )
    return recurrences
