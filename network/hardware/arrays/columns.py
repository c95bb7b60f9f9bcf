"""Which cells of which tile hold which weight."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from ddkbase.errors import InputError, shorten
from network.hardware.cells.conductance import Mapping

__all__ = ["Layout", "layout_of"]


@dataclass(frozen=True)
class Layout:
    """Physical columns of a matrix (outputs, inputs), all of its column tiles side by side.

    Attributes
    ----------
    positive, negative : ndarray
        For each output, the column that carries it and the one subtracted.
    column_tiles, row_tiles : tuple of slice
        Slices of columns and of inputs that belong to one tile.
    columns : int
        Number of columns.
    """

    positive: np.ndarray
    negative: np.ndarray
    column_tiles: tuple[slice, ...]
    row_tiles: tuple[slice, ...]
    columns: int

    def columns_of(self, positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
        """Cells by column (columns, inputs), of those by weight (outputs, inputs)."""
        out = np.empty((self.columns, positive.shape[1]))
        out[self.negative] = negative
        out[self.positive] = positive
        return out

    def differences(self, columns: np.ndarray) -> np.ndarray:
        """What each output is read as, (outputs, ...), of values by column (columns, ...)."""
        return np.asarray(columns[self.positive] - columns[self.negative])

    def sums(self, columns: np.ndarray) -> np.ndarray:
        """Sums of the two columns of each output."""
        return np.asarray(columns[self.positive] + columns[self.negative])


def layout_of(shape: tuple[int, ...], tile: Any, mapping: Mapping) -> Layout:
    """Place a matrix on tiles of ``tile`` = (rows, columns): inputs along the rows.

    Differential pairs are neighbours in one tile. With a reference column it is the last of each
    tile.

    Raises
    ------
    InputError
        A tile that holds no weight.
    """
    outputs, inputs = shape
    try:
        rows, columns = (int(n) for n in tile)
        whole = all(float(n).is_integer() for n in tile)
    except (TypeError, ValueError):
        raise InputError(f"{shorten(tile)} is not (rows, columns)", "tile") from None
    if not whole or rows < 1 or columns < 2:
        raise InputError(
            f"{rows} x {columns} cells hold no weight", "tile", "At least 1 row and 2 columns"
        )
    row_tiles = tuple(slice(k, min(k + rows, inputs)) for k in range(0, inputs, rows))
    index = np.arange(outputs)
    if mapping.scheme == "differential":
        each = columns // 2
        edges = [2 * k for k in range(0, outputs, each)] + [2 * outputs]
        positive, negative = 2 * index, 2 * index + 1
    else:
        each = columns - 1
        number = index // each
        positive = index + number
        last = np.minimum((number + 1) * each, outputs) + number
        negative = last
        edges = [k + k // each for k in range(0, outputs, each)]
        edges.append(outputs + (outputs + each - 1) // each)
    tiles = tuple(slice(a, b) for a, b in itertools.pairwise(edges))
    return Layout(positive, negative, tiles, row_tiles, edges[-1])
