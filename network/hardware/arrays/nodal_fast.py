"""Currents of an array with line resistance, approximately and fast, with the error stated.

With all columns grounded the rows do not know of each other, and with all rows held the columns
do not: voltages along a line then follow from one tridiagonal system. The product of the two
shares attenuates each cell on its own (``local``). What is left is that rows feed each other
through the columns. It is almost of rank one, since what one column lifts is nearly the same for
all rows, and a Nystroem step from two exact solutions of the whole array, all rows driven and all
columns driven, takes it in::

    T = L + c d' / sum(c),    c = (T - L) 1,   d = (T - L)' 1,    L = w o G' o a.

Error, largest over columns relative to the largest current, uniform conductances of 6-202 uS and
1 ohm a segment, by `tests.benchmarks.array_solver`: see `approximate_transfer`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ddkbase.errors import InputError
from network.hardware.arrays.lines import LineResistance, line_shares
from network.hardware.arrays.nodal import checked_conductance, solve_array

__all__ = ["Approximation", "approximate_transfer", "attenuation", "local_transfer"]


@dataclass(frozen=True)
class Approximation:
    """An approximate transfer matrix [S], (columns, rows), and what it misses.

    Attributes
    ----------
    error : float
        Largest deviation of a column's current from the exact one over ``tested`` inputs, relative
        to the largest exact current of that input.
    attenuation : ndarray, shape (rows, columns)
        Share of its ideal current that each cell delivers locally; with it changes of cells are
        followed without another solution.
    """

    matrix: np.ndarray
    error: float
    tested: int
    attenuation: np.ndarray


def attenuation(conductance: Any, lines: LineResistance) -> np.ndarray:
    """Share of the ideal current of each cell that reaches the end of its column when the other
    lines are held, (rows, columns). Raises InputError."""
    cells = checked_conductance(conductance)
    along_row = line_shares(cells.T, lines.row, lines.driver).T
    along_column = line_shares(cells[::-1], lines.column, lines.sense)[::-1]
    return along_row * along_column


def local_transfer(conductance: Any, lines: LineResistance) -> np.ndarray:
    """The transfer matrix [S], (columns, rows), from `attenuation` alone: two sweeps, no solution
    of the whole. Raises InputError."""
    cells = checked_conductance(conductance)
    return np.asarray((cells * attenuation(cells, lines)).T)


def approximate_transfer(
    conductance: Any,
    lines: LineResistance,
    *,
    rng: np.random.Generator,
    tests: int = 2,
) -> Approximation:
    """The transfer matrix with the rank-one correction, and its error against the exact solution.

    Measured with 1 ohm a segment and cells uniform in 6-202 uS: error 1e-4 at 32 x 32, 4e-4 at
    64 x 64, 4e-3 at 128 x 128, 3e-3 at 256 x 256, for inputs of either sign (ideal lines are off by
    9, 32, 100 and 240 %; the local part alone by 0.2, 2, 11 and 21 %). For inputs of one sign it is
    ten times less.

    Parameters
    ----------
    conductance : array_like, shape (rows, columns), S
        Conductances of the cells.
    lines : LineResistance
        Resistances.
    rng : numpy.random.Generator
        Draws the normal inputs, of both signs, on which the error is measured.
    tests : int, default 2
        How many of them; 0 leaves the error NaN and saves the time.

    Raises
    ------
    InputError
        Numbers that make no sense.
    SolverError
        As `solve_array`.
    """
    cells = checked_conductance(conductance)
    if tests < 0:
        raise InputError(f"{tests} is negative", "tests")
    share = attenuation(cells, lines)
    matrix = np.asarray((cells * share).T)
    if lines.ideal:
        return Approximation(matrix, 0.0, 0, share)
    inputs = np.ones((len(cells), 1 + tests))
    inputs[:, 1:] = rng.standard_normal((len(cells), tests))
    exact = solve_array(cells, inputs, lines).currents
    driven = np.ones(cells.shape[1])
    back = solve_array(cells[::-1, ::-1].T, driven, lines.mirrored()).currents[::-1]
    by_column = exact[:, 0] - matrix.sum(1)
    by_row = back - matrix.sum(0)
    total = by_column.sum()
    if total != 0:
        matrix = matrix + np.outer(by_column, by_row / total)
    error = np.nan
    if tests:
        largest = np.abs(exact[:, 1:]).max(0)
        off = np.abs(matrix @ inputs[:, 1:] - exact[:, 1:]).max(0)
        error = float(np.max(off / np.where(largest > 0, largest, 1.0)))
    return Approximation(matrix, error, tests, share)
