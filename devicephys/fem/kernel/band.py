"""Order of the unknowns in which their matrix is a narrow band, and how far each pivot reaches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from devicephys.fem.mesh import BETWEEN_OXIDES, OXIDE_AGAINST_METAL, Grid

#: pivots that are eliminated together; as PANEL in band.c
PANEL = 4


@dataclass(frozen=True)
class Coupling:
    """Which unknowns of a grid depend on each other.

    ``n_with_fields`` (shape (nz,)) says of each row of cells whether n and the other fields depend
    on each other within a cell; ``across_r`` (nz,) and ``across_z`` (nz - 1,) whether vacancies
    cross the faces inside a row, and those to the row above.
    """

    n_with_fields: np.ndarray
    across_r: np.ndarray
    across_z: np.ndarray

    @property
    def in_band(self) -> np.ndarray:
        """Rows of cells whose n has its place among the other fields, shape (nz,)."""
        inside = self.n_with_fields | self.across_r
        inside[1:] |= self.across_z
        inside[:-1] |= self.across_z
        return inside


@dataclass(frozen=True)
class Band:
    """Places of the unknowns, padded to whole panels, and the envelope of matrix and factors.

    ``node`` (shape (nz + 1, nr + 1)) is the row of V at a node, that of T is the next; ``cell``
    (nz, nr) that of n; ``reach`` is the last column that each pivot touches, ``lead`` the first
    column of each row; ``width`` is the largest distance from the diagonal.
    """

    node: np.ndarray
    cell: np.ndarray
    reach: np.ndarray
    lead: np.ndarray

    @property
    def size(self) -> int:
        """Rows, with those that fill the last panel."""
        return len(self.reach)

    @property
    def width(self) -> int:
        """Largest distance of an entry from the diagonal, in whole panels."""
        rows = np.arange(self.size)
        width = int(max((self.reach - rows).max(), (rows - self.lead).max()))
        return -(-width // PANEL) * PANEL

    @property
    def work(self) -> float:
        """Multiplications of a factorisation."""
        return float(((self.reach - np.arange(self.size)).astype(float) ** 2).sum())


def band_of(grid: Grid, coupling: Coupling) -> Band:
    """The cheaper of the orders along z and along r."""
    return min((_ordered(grid, coupling, along) for along in (0, 1)), key=lambda band: band.work)


def _ordered(grid: Grid, coupling: Coupling, along: int) -> Band:
    """Line after line: V and T of its nodes, then n of the cells behind it; idle n at the end."""
    nz, nr = len(grid.z) - 1, len(grid.r) - 1
    inside = np.broadcast_to(coupling.in_band[:, None], (nz, nr))
    node, cell = np.empty((nz + 1, nr + 1), dtype=np.int32), np.empty((nz, nr), dtype=np.int32)
    node_lines, cell_lines, inside_lines = (
        (node, cell, inside) if along == 0 else (node.T, cell.T, inside.T)
    )
    count = 0
    for line, nodes in enumerate(node_lines):
        nodes[:] = count + 2 * np.arange(len(nodes))
        count += 2 * len(nodes)
        if line < len(cell_lines):
            busy = inside_lines[line]
            cell_lines[line][busy] = count + np.arange(busy.sum())
            count += int(busy.sum())
    cell[~inside] = count + np.arange((~inside).sum())
    reach = _reach(grid, coupling, node, cell, count + int((~inside).sum()))
    return Band(node, cell, reach, _lead(reach))


def _reach(
    grid: Grid, coupling: Coupling, node: np.ndarray, cell: np.ndarray, count: int
) -> np.ndarray:
    """Last row and column of each pivot.

    The fields of a cell's nodes depend on each other, and n of a cell and of its neighbours on all
    fields of both.
    """
    padded = -(-count // PANEL) * PANEL
    reach = np.arange(padded)
    nodes = [node[:-1, :-1], node[:-1, 1:], node[1:, :-1], node[1:, 1:]]
    corners = np.stack([*nodes, *(potential + 1 for potential in nodes)])
    busy = coupling.n_with_fields
    everything = [(corners, corners), (corners[:, busy], cell[busy][None])]
    before, behind = np.s_[..., :-1], np.s_[..., 1:]
    lower, upper = np.s_[..., :-1, :], np.s_[..., 1:, :]
    for crossing, first, second in (
        (coupling.across_r, before, behind),
        (coupling.across_z, lower, upper),
    ):
        cells = np.stack([cell[first], cell[second]])
        others = np.concatenate([corners[first], corners[second], cells])
        everything.append((others[:, crossing], cells[:, crossing]))
    for others, own in everything:
        for a in others:
            for b in own:
                np.maximum.at(reach, np.minimum(a, b), np.maximum(a, b))
    # the pivots of a panel are eliminated together, and rows end with whole panels: loops over
    # them then have no remainder
    panels = np.maximum.accumulate(reach).reshape(-1, PANEL).max(axis=1)
    return np.repeat((panels // PANEL + 1) * PANEL - 1, PANEL).astype(np.int32)


def _lead(reach: np.ndarray) -> np.ndarray:
    """First column of each row: the first pivot that reaches it."""
    return np.searchsorted(reach, np.arange(len(reach))).astype(np.int32)


def face_tags(rows: np.ndarray, metal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tags of the faces inside each row of cells and above it, as ``tagged_faces`` gives them.

    ``rows`` and ``metal``, shape (nz,), say of each row of cells whether vacancies fill it, and
    whether it is of a metal that gives and takes them.
    """
    inside = np.where(rows, BETWEEN_OXIDES, 0)
    above = np.where(rows[1:] & rows[:-1], BETWEEN_OXIDES, 0)
    mixed = (rows[1:] & metal[:-1]) | (rows[:-1] & metal[1:])
    above = np.where(mixed, OXIDE_AGAINST_METAL, above)
    return inside.astype(np.int32), above.astype(np.int32)
