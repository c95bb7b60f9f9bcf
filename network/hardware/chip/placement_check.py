"""Whether a placement that was read hangs together: every cell once, on the chip, in its window."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from ddkbase.errors import shorten
from network.model.files import LAYER_MODULES, check_config

if TYPE_CHECKING:
    from network.hardware.chip.layouts import Block
    from network.hardware.chip.placement import Placement

__all__ = ["check_placement"]

_KINDS = ("matrix", "ddk", "ddk-diagonal")
_ROUNDING = 1e-6  # of the window: conductances are written with ten digits


def check_placement(placement: Placement) -> None:
    """Raise ValueError, which says what and where, unless all parts of a placement fit together."""
    layers: dict[str, Mapping[str, Any]] = {}
    for told in placement.layers:
        name = told["name"]
        if not isinstance(name, str) or name in layers:
            raise ValueError(f"a layer is called {shorten(name)}")
        if told["class"] not in LAYER_MODULES:
            raise ValueError(f"there is no layer {shorten(told['class'])}")
        check_config(told["config"])
        layers[name] = told
    _check_places(placement, layers)
    for name, told in layers.items():
        if told["class"] == "Dense":
            _check_matrix(placement, name, told)
        elif told["class"] == "DDKLayer":
            for key in ("alpha", "beta"):
                values = np.asarray(told[key], float)
                if not (np.isfinite(values).all() and (values >= 0).all()):
                    raise ValueError(f"{key} of {name} is not a number from 0")
            if not isinstance(placement.pulses.get(name), Mapping):
                raise ValueError(f"there are no pulses for {name}")
    if not isinstance(placement.notes.get("seed", 0), int) or placement.notes.get("seed", 0) < 0:
        raise ValueError(f"a seed of {shorten(placement.notes['seed'])}")


def _check_places(placement: Placement, layers: Mapping[str, Any]) -> None:
    chip = placement.chip
    size = chip.count("rows"), chip.count("columns")
    by_tile: dict[int, list[Block]] = defaultdict(list)
    for block, cells in zip(placement.blocks, placement.cells, strict=True):
        where = f"a block of {block.layer}"
        if block.kind not in _KINDS or block.layer not in layers:
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
        for one, other in combinations(blocks, 2):
            if one.overlaps(other):
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


def _check_matrix(placement: Placement, name: str, told: Mapping[str, Any]) -> None:
    inputs, columns, scale = told["inputs"], told["columns"], told["scale"]
    blocks = [b for b in placement.blocks if b.layer == name and b.kind == "matrix"]
    if sum(b.height * b.width for b in blocks) != inputs * columns:
        raise ValueError(f"cells are missing, or too many, in {name}")
    count = np.zeros((inputs, columns), dtype=np.int8)
    for b in blocks:
        if (b.inputs[1] - b.inputs[0], b.columns[1] - b.columns[0]) != (b.height, b.width):
            raise ValueError(f"a block of {name} has another size than its part of the matrix")
        if min(*b.inputs, *b.columns) < 0:
            raise ValueError(f"a block of {name} is no part of the matrix")
        count[slice(*b.inputs), slice(*b.columns)] += 1
    if not (count == 1).all():
        raise ValueError(f"cells are missing, or twice, in {name}")
    if not (np.isfinite(float(scale)) and float(scale) > 0):
        raise ValueError(f"the scale of {name} is {shorten(scale)}")
    for key in ("positive", "negative"):
        found = np.asarray(told[key])
        if found.dtype.kind not in "iu" or found.ndim != 1:
            raise ValueError(f"'{key}' of {name} are no columns")
        if len(found) != told["config"]["outputs"] or found.min() < 0 or found.max() >= columns:
            raise ValueError(f"'{key}' of {name} are not the columns of its outputs")
