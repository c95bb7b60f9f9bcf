"""Word and bit lines of an array: their resistances, and systems with one line after the other.

A word line (row) is driven at its left end, a bit line (column) is read at its bottom end, as in
badcrossbar (Joksas and Mehonic, SoftwareX 12, 100617, 2020): one segment lies between the driver
and the first cell, one between neighbours, one between the last cell and the virtual ground.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ddkbase.errors import InputError, shorten
from ddkbase.units import to_si

__all__ = ["LineResistance", "Tridiagonal", "line_matrix", "line_shares"]


@dataclass(frozen=True)
class LineResistance:
    """Resistances [ohm]: of a segment of a row and of a column, of a driver, of a sense amplifier.

    ``driver`` and ``sense`` come on top of the first and the last segment.
    """

    row: float = 0.0
    column: float = 0.0
    driver: float = 0.0
    sense: float = 0.0

    def __post_init__(self) -> None:
        for name in ("row", "column", "driver", "sense"):
            value = getattr(self, name)
            if not (isinstance(value, int | float | np.number) and np.isfinite(value)):
                raise InputError(f"{shorten(value)} is no resistance", name)
            if value < 0:
                raise InputError(f"{value:g} ohm is negative", name)

    @classmethod
    def of(
        cls,
        segment: Any = "0 ohm",
        *,
        column: Any = None,
        driver: Any = "0 ohm",
        sense: Any = "0 ohm",
    ) -> Self:
        """From texts with units; ``column`` is as ``segment`` if left out.

        Raises
        ------
        InputError
            No unit, a wrong one, or a negative resistance.
        """
        row = to_si(segment, "ohm", "segment")
        return cls(
            row,
            row if column is None else to_si(column, "ohm", "column"),
            to_si(driver, "ohm", "driver"),
            to_si(sense, "ohm", "sense"),
        )

    @property
    def ideal(self) -> bool:
        """Whether nothing drops along any line."""
        return not (self.row or self.column or self.driver or self.sense)

    def mirrored(self) -> LineResistance:
        """The same array with its columns driven and its rows read."""
        return LineResistance(self.column, self.row, self.sense, self.driver)


class Tridiagonal:
    """Systems of symmetric tridiagonal matrices with one constant off-diagonal, solved at once.

    Parameters
    ----------
    diagonal : ndarray, shape (n, lines)
        The first axis along the line; every matrix diagonally dominant.
    coupling : float
        Conductance of a segment; the off-diagonal is its negative.
    """

    def __init__(self, diagonal: np.ndarray, coupling: float) -> None:
        pivots = diagonal.copy()
        for k in range(1, len(pivots)):
            pivots[k] -= coupling * coupling / pivots[k - 1]
        self.inverse = 1 / pivots
        self.factor = coupling * self.inverse

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Solutions (n, lines, k) for right sides (n, lines, k)."""
        x = right.copy()
        factor, inverse = self.factor[..., None], self.inverse[..., None]
        for k in range(1, len(x)):
            x[k] += factor[k - 1] * x[k - 1]
        x[-1] *= inverse[-1]
        for k in range(len(x) - 2, -1, -1):
            x[k] *= inverse[k]
            x[k] += factor[k] * x[k + 1]
        return x


def line_matrix(loads: np.ndarray, segment: float, end: float) -> Tridiagonal:
    """Lines with conductances ``loads`` [S], (n, lines), from their nodes to ground.

    ``segment`` > 0 is the resistance between neighbours [ohm], ``end`` the one on top of it
    between node 0 and what holds the line.
    """
    coupling = 1 / segment
    diagonal = loads + 2 * coupling
    diagonal[-1] -= coupling
    diagonal[0] += 1 / (segment + end) - coupling
    return Tridiagonal(diagonal, coupling)


def line_shares(loads: np.ndarray, segment: float, end: float) -> np.ndarray:
    """Voltages (n, lines) along lines whose end before node 0 is held at 1 V, all else grounded.

    By reciprocity also the share of a current into a node that leaves through that end, if the end
    is grounded. ``loads`` and resistances as in `line_matrix`; ``segment`` may be 0.
    """
    if segment == 0:
        total = loads.sum(0)
        return np.broadcast_to(1 / (1 + end * total), loads.shape).copy()
    right = np.zeros((*loads.shape, 1))
    right[0] = 1 / (segment + end)
    return line_matrix(loads, segment, end).solve(right)[..., 0]
