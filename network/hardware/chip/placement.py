"""`Placement`: a network on a chip, cell by cell, in one readable file.

>>> placement = read_placement("placement.json")
>>> placement.network().predict(x)                    # from the conductances in the file alone
>>> placement.network().predict(x, realise=placement.realise(seed=1))    # as the chip does it
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ddkbase.documents import read_json, write_json
from ddkbase.errors import InputError, StorageError
from network.hardware.chip.chip import Chip
from network.hardware.chip.layouts import LAYOUTS, Block
from network.hardware.chip.placement_check import check_placement
from network.hardware.realisation import HardwareRealisation
from network.layers.base import Layer
from network.layers.plain import Dense
from network.model.files import LAYER_MODULES
from network.model.network import Network

__all__ = ["FORMAT", "Placement", "read_placement"]

FORMAT, VERSION = "ddk-placement", 1


@dataclass(frozen=True)
class Placement:
    """A network on a chip.

    Attributes
    ----------
    layout : str
        One of `LAYOUTS`.
    chip : Chip
        Description of the chip.
    input_shape : tuple of int
        Shape of one sample of the network.
    classes : int
        Number of classes.
    notes : mapping
        Notes of the network, which may name its classes.
    layers : tuple of mapping
        Its layers in order, as class, configuration and arrays; a dense one has its scale [S per
        unit of weight] in the place of weights.
    blocks : tuple of Block
        Places of its cells.
    cells : tuple of ndarray or None, S
        Conductances (height, width) of the matrix blocks, None for DDK cells.
    pulses : mapping of str to mapping
        By DDK layer, what its pulses are like.
    schedule : tuple of mapping
        What happens when in one inference: layer, start and end [s], tiles.
    """

    layout: str
    chip: Chip
    input_shape: tuple[int, ...]
    classes: int
    notes: Mapping[str, Any]
    layers: tuple[Mapping[str, Any], ...]
    blocks: tuple[Block, ...]
    cells: tuple[np.ndarray | None, ...]
    pulses: Mapping[str, Mapping[str, Any]]
    schedule: tuple[Mapping[str, Any], ...]

    @property
    def tiles(self) -> int:
        """How many are in use."""
        return 1 + max((block.tile for block in self.blocks), default=-1)

    def weights(self, layer: str) -> np.ndarray:
        """The matrix (inputs, outputs) that the cells of a dense layer hold, bias row last.

        Raises
        ------
        InputError
            No such layer, or cells of it are missing.
        """
        told = next((x for x in self.layers if x["name"] == layer and "scale" in x), None)
        if told is None:
            raise InputError(f"no matrix is called '{layer}'", "placement")
        inputs, columns = int(told["inputs"]), int(told["columns"])
        whole = np.full((inputs, columns), np.nan)
        for block, cells in zip(self.blocks, self.cells, strict=True):
            if block.layer == layer and cells is not None:
                whole[slice(*block.inputs), slice(*block.columns)] = cells
        if np.isnan(whole).any():
            raise InputError("cells are missing", f"placement, {layer}", "The file is not whole")
        positive, negative = told["positive"], told["negative"]
        return (whole[:, positive] - whole[:, negative]) / float(told["scale"])

    def network(self) -> Network:
        """The network that the cells and pulses make, in float32.

        Raises
        ------
        InputError
            Cells are missing, or a layer is not known.
        """
        layers = [_layer(told) for told in self.layers]
        made = Network(layers, self.input_shape, self.classes)
        for layer, told in zip(made.layers, self.layers, strict=True):
            if isinstance(layer, Dense):
                matrix = self.weights(layer.name)
                if layer.bias:
                    layer.parameters["bias"][...] = matrix[-1]
                    matrix = matrix[:-1]
                layer.parameters["weight"][...] = matrix
            elif "alpha" in told:
                shape = layer.pair_shape  # type: ignore[attr-defined]
                pair = [np.reshape(told[key], shape) for key in ("alpha", "beta")]
                layer.set_pair(*pair)  # type: ignore[attr-defined]
            else:
                _fill(layer, told.get("arrays", {}))
        made.notes = dict(self.notes)
        return made

    def realise(self, seed: int, **changes: Any) -> HardwareRealisation:
        """A chip of this description, drawn by ``seed``; ``changes`` are fields of `Hardware`."""
        return HardwareRealisation(self.chip.hardware(**changes), seed=seed)

    def write(self, path: str | os.PathLike[str], overwrite: bool = False) -> Path:
        """Write the file at ``path``, whole or not at all.

        Parameters
        ----------
        path : str or Path
            Path of the file to make.
        overwrite : bool, default False
            Replace an existing file.

        Returns
        -------
        Path
            The path.

        Raises
        ------
        StorageError
            The file exists, or cannot be written.
        """
        blocks = []
        for block, cells in zip(self.blocks, self.cells, strict=True):
            told: dict[str, Any] = {
                "layer": block.layer,
                "kind": block.kind,
                "tile": block.tile,
                "row": block.row,
                "column": block.column,
                "height": block.height,
                "width": block.width,
                "inputs": list(block.inputs),
                "columns": list(block.columns),
            }
            if cells is not None:
                told["conductance_uS"] = [[float(f"{g:.10g}") for g in r] for r in cells * 1e6]
            blocks.append(told)
        content = {
            "format": FORMAT,
            "version": VERSION,
            "layout": self.layout,
            "tiles": self.tiles,
            "network": {
                "input_shape": list(self.input_shape),
                "classes": self.classes,
                "notes": dict(self.notes),
            },
            "layers": [dict(x) for x in self.layers],
            "pulses": {k: dict(v) for k, v in self.pulses.items()},
            "schedule": [dict(x) for x in self.schedule],
            "blocks": blocks,
            "chip": self.chip.to_mapping(),
        }
        return write_json(content, Path(path), overwrite)


def read_placement(path: str | os.PathLike[str]) -> Placement:
    """Read the file at ``path`` that `Placement.write` made.

    Returns
    -------
    Placement
        The placement; every cell is there once, on the chip and within its window.

    Raises
    ------
    StorageError
        No such file, not a placement, or damaged.
    """
    path = Path(path)
    found = read_json(path, "Name the placement.json of 'ddk-network compile'")
    if found.get("format") != FORMAT or found.get("version") != VERSION:
        raise StorageError("is no placement of this version", str(path), "Compile the model anew")
    try:
        read = [_block(told) for told in found["blocks"]]
        if found["layout"] not in LAYOUTS:
            raise ValueError(f"layout {found['layout']}")
        network = found["network"]
        made = Placement(
            str(found["layout"]),
            Chip.from_mapping(found["chip"], f"{path}, chip"),
            tuple(int(n) for n in network["input_shape"]),
            int(network["classes"]),
            dict(network["notes"]),
            tuple(found["layers"]),
            tuple(block for block, _ in read),
            tuple(cells for _, cells in read),
            dict(found["pulses"]),
            tuple(found["schedule"]),
        )
        check_placement(made)
        made.network()
    except (AttributeError, IndexError, KeyError, MemoryError, TypeError, ValueError) as error:
        raise StorageError(
            f"the file is damaged [{getattr(error, 'what', error)}]", str(path), "Compile anew"
        ) from error
    return made


def _block(told: Mapping[str, Any]) -> tuple[Block, np.ndarray | None]:
    inputs, columns = ((int(told[k][0]), int(told[k][1])) for k in ("inputs", "columns"))
    numbers = [told[k] for k in ("tile", "row", "column")]
    for key in ("tile", "row", "column", "height", "width"):
        if type(told[key]) is not int:
            raise ValueError(f"{key} of a block of {told['layer']} is {told[key]!r}")
    size = told["height"], told["width"]
    block = Block(str(told["layer"]), str(told["kind"]), *size, inputs, columns, *numbers)
    if block.kind != "matrix":
        return block, None
    cells = np.array(told["conductance_uS"], float) * 1e-6
    if cells.shape != size:
        raise ValueError(f"a block of {block.layer} has other cells than its size")
    return block, cells


def _fill(layer: Layer, told: Mapping[str, Any]) -> None:
    arrays = {**layer.parameters, **layer.buffers}
    if arrays.keys() != told.keys():
        raise InputError("its arrays are not those of the layer", f"placement, {layer.name}")
    for key, array in arrays.items():
        values = np.asarray(told[key], float)
        fits = values.shape == array.shape and np.isfinite(values).all()
        if not fits or (key == "variance" and (values < 0).any()):
            raise InputError(f"'{key}' is damaged", f"placement, {layer.name}")
        array[...] = values


def _layer(told: Mapping[str, Any]) -> Layer:
    import importlib

    kind = str(told.get("class"))
    if kind not in LAYER_MODULES:
        raise InputError(f"there is no layer '{kind}'", "placement")
    made = getattr(importlib.import_module(LAYER_MODULES[kind]), kind)
    try:
        layer: Layer = made(**told["config"])
    except (TypeError, KeyError) as error:
        raise InputError(f"its layers are damaged [{error}]", "placement") from error
    return layer
