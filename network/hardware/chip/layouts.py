"""Where blocks of cells go: four strategies, which differ in what may share a tile.

============  ==========================  ==============================
strategy      matrices of two layers      DDK cells
============  ==========================  ==============================
separate      never share a tile          tiles of their own, each cell on
                                          its own row and column: all are
                                          pulsed and read at once
packed        share tiles                 as in "separate"
joined        never share a tile          one column beside the first
                                          matrix, read one after the other
compact       share tiles                 as in "joined", in any free place
============  ==========================  ==============================

Matrices of recurrences, which are small and in turn, share tiles among each other in all of them.

They span the two choices behind the four strategies of Fig. S20 of Shi et al., Nat. Commun. 16, 913
(2025), which the article's text does not spell out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ddkbase.errors import InputError, closest

__all__ = ["LAYOUTS", "MATRICES", "Block", "arrange"]

MATRICES = ("matrix", "recurrence")
"""Kinds of blocks whose cells hold weights."""

LAYOUTS = ("separate", "packed", "joined", "compact")
"""The four strategies of the table above."""


@dataclass(frozen=True)
class Block:
    """A rectangle of cells of one layer.

    Attributes
    ----------
    layer : str
        Name of the layer.
    kind : {"matrix", "recurrence", "ddk", "ddk-diagonal"}
        "matrix", "recurrence" (a matrix of a pair that is not pulsed), "ddk" (a column of DDK
        cells) or "ddk-diagonal" (a square, cells on its diagonal).
    height, width : int
        Rows and columns that the block takes.
    inputs : pair of int
        First and last + 1 input (bias last) of a matrix, or cell of a DDK layer.
    columns : pair of int, default (0, 0)
        First and last + 1 physical column of the matrix.
    tile : int, default -1
        Number of the tile; -1 before the block has a place.
    row, column : int, default 0
        First row and column of the block in its tile.
    """

    layer: str
    kind: str
    height: int
    width: int
    inputs: tuple[int, int]
    columns: tuple[int, int] = (0, 0)
    tile: int = -1
    row: int = 0
    column: int = 0

    def overlaps(self, other: Block) -> bool:
        """Whether they share a cell."""
        if self.tile != other.tile:
            return False
        apart = (
            self.row + self.height <= other.row
            or other.row + other.height <= self.row
            or self.column + self.width <= other.column
            or other.column + other.width <= self.column
        )
        return not apart


def arrange(
    blocks: Sequence[Block], layout: str, rows: int, columns: int, tiles: int
) -> list[Block]:
    """Give every block its place.

    Parameters
    ----------
    blocks : sequence of Block
        None higher or wider than a tile; in the order of the layers.
    layout : str
        One of `LAYOUTS`.
    rows, columns, tiles : int
        Rows, columns and tiles of the chip.

    Raises
    ------
    InputError
        No such strategy, or more tiles are needed than the chip has.
    """
    if layout not in LAYOUTS:
        raise InputError(f"there is no layout '{layout}'", "layout", closest(layout, LAYOUTS))
    chip = _Tiles(rows, columns)
    share = layout in ("packed", "compact")
    matrices = [b for b in blocks if b.kind == "matrix"]
    recurrences = [b for b in blocks if b.kind == "recurrence"]
    cells = [b for b in blocks if b.kind not in MATRICES]
    order = sorted(matrices, key=lambda b: -b.height * b.width) if share else matrices
    placed = [chip.put(b, None if share else f"{b.layer} {k}") for k, b in enumerate(order)]
    own: set[int] = set()
    for block in recurrences:
        placed.append(chip.put(block, None, None if share else own))
        own.add(placed[-1].tile)
    first = matrices[0].layer if matrices else ""
    for block in cells:
        if layout in ("separate", "packed"):
            placed.append(chip.put(block, f"{block.layer} {block.inputs}"))
        else:
            near = {b.tile for b in placed if b.layer == first}
            placed.append(chip.put(block, None, None if layout == "compact" else near))
    if chip.number > tiles:
        raise InputError(
            f"the network needs {chip.number} tiles of {rows} x {columns}, the chip has {tiles}",
            layout,
            "Use a larger chip, or the layout 'compact'",
        )
    order_of = {id(b): k for k, b in enumerate(blocks)}
    key = {(b.layer, b.kind, b.inputs, b.columns): order_of[id(b)] for b in blocks}
    return sorted(placed, key=lambda b: key[b.layer, b.kind, b.inputs, b.columns])


class _Tiles:
    """Free rectangles of tiles; a block takes a corner of the one it fits best."""

    def __init__(self, rows: int, columns: int) -> None:
        self.size = (rows, columns)
        self.free: list[list[tuple[int, int, int, int]]] = []
        self.owner: list[str | None] = []

    @property
    def number(self) -> int:
        return len(self.free)

    def put(self, block: Block, owner: str | None, near: set[int] | None = None) -> Block:
        best: tuple[int, int, int] | None = None
        if owner is None:
            for tile, rectangles in enumerate(self.free):
                if near is not None and tile not in near:
                    continue
                if near is None and self.owner[tile] is not None:
                    continue
                for k, (_, _, height, width) in enumerate(rectangles):
                    if height >= block.height and width >= block.width:
                        spare = height * width - block.height * block.width
                        if best is None or spare < best[0]:
                            best = (spare, tile, k)
        if best is None:
            self.free.append([(0, 0, *self.size)])
            self.owner.append(owner)
            best = (0, self.number - 1, 0)
        _, tile, k = best
        row, column, height, width = self.free[tile].pop(k)
        right = (row, column + block.width, block.height, width - block.width)
        below = (row + block.height, column, height - block.height, width)
        if right[3] * height > below[2] * width:  # keep the larger rest whole
            right = (row, column + block.width, height, width - block.width)
            below = (row + block.height, column, height - block.height, block.width)
        self.free[tile] += [r for r in (right, below) if r[2] > 0 and r[3] > 0]
        return replace(block, tile=tile, row=row, column=column)
