"""`Placement`: a network on a chip, cell by cell, in one readable file.

>>> placement = read_placement("placement.json")
>>> placement.network().predict(x)                    # from the conductances in the file alone
>>> placement.network().predict(x, realise=placement.realise(seed=1))    # as the chip does it
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from ddkbase.documents import read_json, write_json
from ddkbase.errors import InputError, StorageError, shorten
from network.ddk.array_layer import ArrayDDKLayer
from network.hardware.chip.chip import Chip
from network.hardware.chip.layouts import LAYOUTS, MATRICES, Block
from network.hardware.chip.recurrences import matrix_entries, read_recurrences
from network.hardware.realisation import HardwareRealisation
from network.layers.base import Layer
from network.layers.plain import Dense
from network.model.files import LAYER_MODULES, build_layer, check_config
from network.model.network import Network

__all__ = ["FORMAT", "Placement", "pair_rows", "read_placement"]


FORMAT, VERSION = "ddk-placement", 1
WITH_RECURRENCES = 2
"""Version of files in which some pairs are recurrences; all others are written as `VERSION`."""

_KINDS = (*MATRICES, "ddk", "ddk-diagonal")
_ROUNDING = 1e-6  # of the window: conductances are written with ten digits


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
        unit of weight] in the place of weights, and a DDK layer its ``recurrences``, if there are
        any: pairs that are matrices on arrays, each with name, scale and errors.
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
        """The matrix (inputs, outputs) that the cells of a dense layer, or of one array of a
        recurrence, hold; bias row last.

        Raises
        ------
        InputError
            No such layer, or cells of it are missing.
        """
        entry = matrix_entries(self.layers).get(layer)
        if entry is None:
            raise InputError(f"no matrix is called '{layer}'", "placement")
        inputs, columns = int(entry["inputs"]), int(entry["columns"])
        whole = np.full((inputs, columns), np.nan)
        for block, cells in zip(self.blocks, self.cells, strict=True):
            if block.layer == layer and cells is not None:
                whole[slice(*block.inputs), slice(*block.columns)] = cells
        if np.isnan(whole).any():
            raise InputError("cells are missing", f"placement, {layer}", "The file is not whole")
        positive, negative = entry["positive"], entry["negative"]
        return (whole[:, positive] - whole[:, negative]) / float(entry["scale"])

    def network(self) -> Network:
        """The network that the cells and pulses make, in float32.

        Raises
        ------
        InputError
            Cells are missing, or a layer is not known.
        """
        layers = [_layer(entry) for entry in self.layers]
        network = Network(layers, self.input_shape, self.classes)
        for layer, entry in zip(network.layers, self.layers, strict=True):
            if isinstance(layer, Dense):
                matrix = self.weights(layer.name)
                if layer.bias:
                    layer.parameters["bias"][...] = matrix[-1]
                    matrix = matrix[:-1]
                layer.parameters["weight"][...] = matrix
            elif "alpha" in entry:
                shape = layer.pair_shape  # type: ignore[attr-defined]
                pair = [np.reshape(entry[key], shape) for key in ("alpha", "beta")]
                layer.set_pair(*pair)  # type: ignore[attr-defined]
                if isinstance(layer, ArrayDDKLayer):
                    layer.recurrences = read_recurrences(layer, entry, self.weights)
            else:
                _fill(layer, entry.get("arrays", {}))
        network.notes = dict(self.notes)
        return network

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
            entry: dict[str, Any] = {
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
                entry["conductance_uS"] = [[float(f"{g:.10g}") for g in r] for r in cells * 1e6]
            blocks.append(entry)
        content = {
            "format": FORMAT,
            "version": WITH_RECURRENCES
            if any("recurrences" in x for x in self.layers)
            else VERSION,
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
    content = read_json(path, "Name the placement.json of 'ddk-network compile'")
    versions = (VERSION, WITH_RECURRENCES)
    if content.get("format") != FORMAT or content.get("version") not in versions:
        raise StorageError("is no placement of this version", str(path), "Compile the model anew")
    try:
        if content["version"] != _version(content["layers"]):
            raise ValueError(f"version {content['version']} does not have these layers")
        read = [_block(entry) for entry in content["blocks"]]
        if content["layout"] not in LAYOUTS:
            raise ValueError(f"layout {content['layout']}")
        network = content["network"]
        placement = Placement(
            str(content["layout"]),
            Chip.from_mapping(content["chip"], f"{path}, chip"),
            tuple(int(n) for n in network["input_shape"]),
            int(network["classes"]),
            dict(network["notes"]),
            tuple(content["layers"]),
            tuple(block for block, _ in read),
            tuple(cells for _, cells in read),
            dict(content["pulses"]),
            tuple(content["schedule"]),
        )
        _check(placement)
        for layer in placement.network().layers:
            if isinstance(layer, ArrayDDKLayer):
                _check_sequences(placement, layer)
    except (AttributeError, IndexError, KeyError, MemoryError, TypeError, ValueError) as error:
        raise StorageError(
            f"the file is damaged [{getattr(error, 'what', error)}]", str(path), "Compile anew"
        ) from error
    return placement


def _version(layers: Iterable[Mapping[str, Any]]) -> int:
    return WITH_RECURRENCES if any("recurrences" in x for x in layers) else VERSION


def _block(entry: Mapping[str, Any]) -> tuple[Block, np.ndarray | None]:
    inputs, columns = ((int(entry[k][0]), int(entry[k][1])) for k in ("inputs", "columns"))
    numbers = [entry[k] for k in ("tile", "row", "column")]
    for key in ("tile", "row", "column", "height", "width"):
        if type(entry[key]) is not int:
            raise ValueError(f"{key} of a block of {entry['layer']} is {entry[key]!r}")
    size = entry["height"], entry["width"]
    block = Block(str(entry["layer"]), str(entry["kind"]), *size, inputs, columns, *numbers)
    if block.kind not in MATRICES:
        return block, None
    cells = np.array(entry["conductance_uS"], float) * 1e-6
    if cells.shape != size:
        raise ValueError(f"a block of {block.layer} has other cells than its size")
    return block, cells


def _fill(layer: Layer, entry: Mapping[str, Any]) -> None:
    arrays = {**layer.parameters, **layer.buffers}
    if arrays.keys() != entry.keys():
        raise InputError("its arrays are not those of the layer", f"placement, {layer.name}")
    for key, array in arrays.items():
        values = np.asarray(entry[key], float)
        fits = values.shape == array.shape and np.isfinite(values).all()
        if not fits or (key == "variance" and (values < 0).any()):
            raise InputError(f"'{key}' is damaged", f"placement, {layer.name}")
        array[...] = values


def _layer(entry: Mapping[str, Any]) -> Layer:
    kind = str(entry.get("class"))
    if kind not in LAYER_MODULES:
        raise InputError(f"there is no layer '{kind}'", "placement")
    try:
        if kind == "DDKLayer" and "recurrences" in entry:
            return ArrayDDKLayer(**entry["config"])
        return build_layer(kind, entry["config"])
    except (TypeError, KeyError) as error:
        raise InputError(f"its layers are damaged [{error}]", "placement") from error


def _check(placement: Placement) -> None:
    """Raise ValueError, which says what and where, unless every cell is there once, on the chip and
    in its window, and all else fits together."""
    layers: dict[str, Mapping[str, Any]] = {}
    for entry in placement.layers:
        name = entry["name"]
        if not isinstance(name, str) or name in layers:
            raise ValueError(f"a layer is called {shorten(name)}")
        if entry["class"] not in LAYER_MODULES:
            raise ValueError(f"there is no layer {shorten(entry['class'])}")
        check_config(entry["config"])
        layers[name] = entry
    matrices = matrix_entries(placement.layers)
    _check_blocks(placement, {*layers, *matrices})
    for name, entry in matrices.items():
        if name not in layers:  # of a recurrence, whose weights say whether sizes fit
            _check_matrix(placement, name, entry, len(entry["positive"]))
    for name, entry in layers.items():
        if entry["class"] == "Dense":
            _check_matrix(placement, name, entry, entry["config"]["outputs"])
        elif entry["class"] == "DDKLayer":
            for key in ("alpha", "beta"):
                values = np.asarray(entry[key], float)
                if not (np.isfinite(values).all() and (values >= 0).all()):
                    raise ValueError(f"{key} of {name} is not a number from 0")
            if not isinstance(placement.pulses.get(name), Mapping):
                raise ValueError(f"there are no pulses for {name}")
    if not isinstance(placement.notes.get("seed", 0), int) or placement.notes.get("seed", 0) < 0:
        raise ValueError(f"a seed of {shorten(placement.notes['seed'])}")


def _check_sequences(placement: Placement, layer: ArrayDDKLayer) -> None:
    """Each sequence whose pair is pulsed has a cell, and no other."""
    cells = sum(b.height for b in placement.blocks if b.layer == layer.name)
    pulsed = layer.pulsed
    expected = {"all": layer.sequences, "pulsed": pulsed}
    if placement.pulses[layer.name]["sequences"] != expected or cells != len(pulsed):
        raise ValueError(f"the sequences of {layer.name} that are pulsed are not its {cells} cells")


def _check_blocks(placement: Placement, names: set[str]) -> None:
    chip = placement.chip
    size = chip.count("rows"), chip.count("columns")
    by_tile: dict[int, list[Block]] = defaultdict(list)
    for block, cells in zip(placement.blocks, placement.cells, strict=True):
        where = f"a block of {block.layer}"
        if block.kind not in _KINDS or block.layer not in names:
            raise ValueError(f"{where} is of kind {shorten(block.kind)}")
        if not 0 <= block.tile < chip.count("tiles"):
            raise ValueError(f"{where} is on tile {block.tile} of {chip.count('tiles')}")
        inside = (
            min(block.row, block.column) >= 0
            and min(block.height, block.width) >= 1
            and block.row + block.height <= size[0]
            and block.column + block.width <= size[1]
        )
        if not inside:
            raise ValueError(f"{where} lies beyond its tile of {size[0]} x {size[1]}")
        if cells is not None:
            _check_cells(placement, where, cells)
        by_tile[block.tile].append(block)
    for tile, blocks in by_tile.items():
        for first, second in combinations(blocks, 2):
            if first.overlaps(second):
                raise ValueError(f"two blocks share cells of tile {tile}")


def _check_cells(placement: Placement, where: str, cells: np.ndarray) -> None:
    low, high = (placement.chip.value(f"conductance_{end}") for end in ("low", "high"))
    if not np.isfinite(cells).all():
        raise ValueError(f"a conductance of {where} is not finite")
    slack = _ROUNDING * (high - low)
    if cells.min() < low - slack or cells.max() > high + slack:
        odd = cells.min() if cells.min() < low - slack else cells.max()
        raise ValueError(
            f"{where} has a conductance of {1e6 * odd:.4g} uS, the window is {1e6 * low:g} to "
            f"{1e6 * high:g} uS"
        )


def _check_matrix(placement: Placement, name: str, entry: Mapping[str, Any], outputs: int) -> None:
    inputs, columns, scale = entry["inputs"], entry["columns"], entry["scale"]
    blocks = [b for b in placement.blocks if b.layer == name and b.kind in MATRICES]
    if sum(b.height * b.width for b in blocks) != inputs * columns:
        raise ValueError(f"cells are missing, or too many, in {name}")
    count = np.zeros((inputs, columns), dtype=np.int8)
    for b in blocks:
        if (b.inputs[1] - b.inputs[0], b.columns[1] - b.columns[0]) != (b.height, b.width):
            raise ValueError(f"a block of {name} has another size than its place in the matrix")
        if min(*b.inputs, *b.columns) < 0:
            raise ValueError(f"a block of {name} lies outside of the matrix")
        count[slice(*b.inputs), slice(*b.columns)] += 1
    if not (count == 1).all():
        raise ValueError(f"cells are missing, or twice, in {name}")
    if not (np.isfinite(float(scale)) and float(scale) > 0):
        raise ValueError(f"the scale of {name} is {shorten(scale)}")
    for key in ("positive", "negative"):
        numbers = np.asarray(entry[key])
        if numbers.dtype.kind not in "iu" or numbers.ndim != 1:
            raise ValueError(f"'{key}' of {name} are no columns")
        if len(numbers) != outputs or numbers.min() < 0 or numbers.max() >= columns:
            raise ValueError(f"'{key}' of {name} are not the columns of its outputs")


def pair_rows(placement: Placement) -> tuple[list[str], list[list[Any]]]:
    """Which pair of alpha and beta went which way, a row a pair.

    Parameters
    ----------
    placement : Placement
        What `network.hardware.compile_network` or `read_placement` gives.

    Returns
    -------
    heads : list of str
        Names of the columns.
    rows : list of list
        Layer, number of the pair, alpha, beta, "pulses" or "arrays", by what share the pulses of
        the table miss the pair (None without a table), and for a pair on arrays the error of its
        states after the last sample: of exact products, of those of one imprecise chip, and beside
        them the spread of the states.
    """
    heads = ["layer", "pair", "alpha", "beta", "way", "pulses miss by"]
    heads += ["error, exact products", "error, a chip", "spread of states"]
    rows: list[list[Any]] = []
    for entry in placement.layers:
        if "alpha" not in entry:
            continue
        settings = placement.pulses[entry["name"]]["settings"]
        by_pair = {x["pair"]: x for x in entry.get("recurrences", ())}
        for pair, values in enumerate(zip(entry["alpha"], entry["beta"], strict=True)):
            row = [entry["name"], pair, *values]
            if pair in by_pair:
                x = by_pair[pair]
                exact, chip = x["error"], x["error_on_chip_0"]
                row += ["arrays", x["table_miss"], exact["last"], chip["last"], exact["spread"]]
            else:
                setting = settings[pair if len(settings) > 1 else 0] or {}
                row += ["pulses", setting.get("miss"), None, None, None]
            rows.append(row)
    return heads, rows
