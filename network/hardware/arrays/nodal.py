"""Exact currents of an array with line resistance: nodal analysis.

Two methods give the same numbers. ``direct`` factorises the sparse matrix of all nodes once for
any number of inputs. ``lines`` eliminates the columns and solves for the rows by conjugate
gradients, both line by line: one row or column is a tridiagonal system. The preconditioner holds
all of the rows, so the number of iterations grows with the ratio of cell to line conductance
only, and memory with the number of cells; it is ten to forty times faster, and taken wherever rows
and columns both have a resistance.

`approximate_transfer` gives the currents approximately and fast, with the error stated.
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

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ddkbase.errors import InputError, SolverError, shorten
from network.hardware.arrays.lines import LineResistance, Tridiagonal, line_matrix, line_shares

__all__ = [
    "ArrayVoltages",
    "approximate_transfer",
    "local_transfer",
    "solve_array",
    "transfer_matrix",
]


METHODS = ("auto", "direct", "lines")
_CHUNK = 500_000  # numbers in a right side solved at once
_TOLERANCE = 1e-14  # of the energy norm: currents then agree with the direct method to 1e-12
_ITERATIONS = 2000


@dataclass(frozen=True)
class ArrayVoltages:
    """Voltages [V] of the row and column nodes, (rows, columns, inputs), and currents [A] out of
    the columns, (columns, inputs)."""

    rows: np.ndarray
    columns: np.ndarray
    currents: np.ndarray


def checked_conductance(conductance: Any) -> np.ndarray:
    """The cells of an array as floats (rows, columns). Raises InputError."""
    try:
        cells = np.asarray(conductance, float)
    except (TypeError, ValueError):
        raise InputError(f"{shorten(conductance)} is no array of numbers", "conductance") from None
    if cells.ndim != 2 or not cells.size:
        raise InputError(f"shape {cells.shape}, not (rows, columns)", "conductance")
    if not np.isfinite(cells).all():
        raise InputError("holds NaN or infinity", "conductance")
    if (cells < 0).any():
        raise InputError("holds a negative conductance", "conductance")
    return cells


def solve_array(
    conductance: Any,
    voltages: Any,
    lines: LineResistance,
    method: str = "auto",
) -> ArrayVoltages:
    """Voltages at all nodes and the currents out of the columns.

    Parameters
    ----------
    conductance : array_like, shape (rows, columns), S
        Conductances of the cells, >= 0; 0 is an open cell.
    voltages : array_like, shape (rows,) or (rows, inputs), V
        Voltages at the left ends of the rows.
    lines : LineResistance
        Resistances; all may be 0.
    method : {"auto", "direct", "lines"}, default "auto"
        "lines" needs row and column segments above 0; "auto" is the faster that is possible.

    Raises
    ------
    InputError
        Shapes, numbers or a method that make no sense.
    SolverError
        The iterations do not converge.
    """
    cells = checked_conductance(conductance)
    try:
        inputs = np.asarray(voltages, float)
    except (TypeError, ValueError):
        raise InputError(f"{shorten(voltages)} is no array of numbers", "voltages") from None
    if inputs.ndim not in (1, 2) or inputs.shape[0] != cells.shape[0]:
        raise InputError(f"shape {inputs.shape} for {cells.shape[0]} rows", "voltages")
    if not np.isfinite(inputs).all():
        raise InputError("holds NaN or infinity", "voltages")
    single = inputs.ndim == 1
    inputs = inputs.reshape(len(inputs), -1)
    if _method(method, lines) == "lines":
        rows, columns, currents = _solve_by_lines(cells, inputs, lines)
    else:
        rows, columns, currents = _Network(cells, lines).solve(inputs)
    if single:
        return ArrayVoltages(rows[..., 0], columns[..., 0], currents[..., 0])
    return ArrayVoltages(rows, columns, currents)


def transfer_matrix(conductance: Any, lines: LineResistance, method: str = "auto") -> np.ndarray:
    """The matrix T [S], (columns, rows), with column currents = T @ row voltages, exactly.

    The array is a linear network, so T holds all of its line resistance, and a product with it
    costs no more than an ideal one. With ideal lines it is the transpose of the cells.

    Raises
    ------
    InputError
        As `solve_array`.
    SolverError
        As `solve_array`.
    """
    cells = checked_conductance(conductance)
    if lines.ideal:
        return cells.T.copy()
    if cells.shape[1] < cells.shape[0]:  # by reciprocity, with the columns driven: fewer inputs
        return transfer_matrix(cells[::-1, ::-1].T, lines.mirrored(), method)[::-1, ::-1].T.copy()
    units = np.eye(len(cells))
    if _method(method, lines) == "direct":
        return _Network(cells, lines).currents(units)
    each = max(1, _CHUNK // cells.size)
    currents = [
        _solve_by_lines(cells, units[:, k : k + each], lines)[2] for k in range(0, len(units), each)
    ]
    return np.concatenate(currents, axis=1)


def _method(method: str, lines: LineResistance) -> str:
    if method not in METHODS:
        raise InputError(f"unknown method {shorten(method)}", "method", f"Use {', '.join(METHODS)}")
    possible = lines.row > 0 and lines.column > 0
    if method == "lines" and not possible:
        raise InputError(
            "needs row and column segments above 0 ohm", "method 'lines'", "Use method='direct'"
        )
    if method == "auto":
        return "lines" if possible else "direct"
    return method


class _Network:
    """The sparse equations of all nodes; nodes that nothing parts are one.

    Kirchhoff's current law at every node whose voltage is not held: G v = D u, with G the
    conductances between nodes, u the voltages at the rows' ends, and D what ties nodes to them.
    """

    def __init__(self, cells: np.ndarray, lines: LineResistance) -> None:
        m, n = cells.shape
        self.cells, self.lines = cells, lines
        first, last = lines.row + lines.driver, lines.column + lines.sense
        row = np.arange(m * n).reshape(m, n)
        column = row + m * n
        # A line without resistance is one node: its cells share the number of the end of the line.
        if lines.row == 0:
            row = np.broadcast_to(row[:, :1], (m, n))
        if lines.column == 0:
            column = np.broadcast_to(column[-1:], (m, n))
        # nodes without a resistance to what holds them have a given voltage; they get no number
        held = np.zeros(2 * m * n, bool)
        if first == 0:
            held[row[:, 0]] = True
        if last == 0:
            held[column[-1]] = True
        used = np.zeros(2 * m * n, bool)
        used[row], used[column] = True, True
        number = np.full(2 * m * n, -1)
        unknown = used & ~held
        number[unknown] = np.arange(np.count_nonzero(unknown))
        self.row, self.column = number[row], number[column]
        self.first, self.last = first, last
        # where first is 0 and segments are not, cell 0 of each row is held at the input
        self.source = np.full(2 * m * n, -1)
        if first == 0:
            self.source[row[:, 0]] = np.arange(m)
        self.row_source, self.column_source = self.source[row], self.source[column]
        self._assemble(int(np.count_nonzero(unknown)))

    def _assemble(self, size: int) -> None:
        # start-up: a chip without lines, or with them solved line by line, needs no SciPy
        from scipy import sparse
        from scipy.sparse.linalg import splu

        m = len(self.cells)
        # Every resistor twice, once from each end: the node it leaves, the node it reaches (-1: a
        # given voltage), the input that gives that voltage (-1: ground), its conductance.
        resistors: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = []

        def join(a: np.ndarray, b: np.ndarray, of_a: np.ndarray, of_b: np.ndarray, g: Any) -> None:
            conductance = np.broadcast_to(g, a.shape).ravel()
            resistors.append((a.ravel(), b.ravel(), of_b.ravel(), conductance))
            resistors.append((b.ravel(), a.ravel(), of_a.ravel(), conductance))

        join(self.row, self.column, self.row_source, self.column_source, self.cells)
        if self.lines.row > 0:
            pairs = (self.row[:, :-1], self.row[:, 1:])
            of = (self.row_source[:, :-1], self.row_source[:, 1:])
            join(*pairs, *of, 1 / self.lines.row)
        if self.lines.column > 0:
            pairs = (self.column[:-1], self.column[1:])
            of = (self.column_source[:-1], self.column_source[1:])
            join(*pairs, *of, 1 / self.lines.column)
        start, end, source, g = (np.concatenate(x) for x in zip(*resistors, strict=True))
        unknown = start >= 0
        both = unknown & (end >= 0)
        # What a resistor adds to the diagonal, and to the entry between two unknown nodes; equal
        # places are summed where the sparse matrix is made.
        entries = [(start[unknown], start[unknown], g[unknown]), (start[both], end[both], -g[both])]
        driven = unknown & (source >= 0)
        drive = [(start[driven], source[driven], g[driven])]
        if self.first > 0:
            first, g_first = self.row[:, 0], np.full(m, 1 / self.first)
            entries.append((first, first, g_first))
            drive.append((first, np.arange(m), g_first))
        if self.last > 0:
            last = self.column[-1]
            entries.append((last, last, np.full(last.size, 1 / self.last)))
        node, source, g = (np.concatenate(x) for x in zip(*drive, strict=True))
        self.drive = sparse.csr_matrix((g, (node, source)), (size, m))
        self.factors = None
        if size:
            row, column, g = (np.concatenate(x) for x in zip(*entries, strict=True))
            matrix = sparse.csc_matrix((g, (row, column)), (size, size))
            # Symmetric and diagonally dominant: the diagonal is a safe pivot, so the order may be
            # chosen for little fill-in alone (minimum degree of A + A', a grid of two layers).
            self.factors = splu(
                matrix,
                permc_spec="MMD_AT_PLUS_A",
                diag_pivot_thresh=0.0,
                options={"SymmetricMode": True},
            )

    def solve(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        unknown = np.zeros((0, inputs.shape[1]))
        if self.factors is not None:
            unknown = self.factors.solve(np.asarray(self.drive @ inputs))
        # one table of all voltages: solved ones, those held at an input, ground
        table = np.concatenate([unknown, inputs, np.zeros((1, inputs.shape[1]))])
        rows = table[np.where(self.row >= 0, self.row, len(unknown) + self.row_source)]
        columns = table[np.where(self.column >= 0, self.column, len(table) - 1)]
        if self.last > 0:
            return rows, columns, columns[-1] / self.last
        # without a last segment the column itself is ground
        return rows, columns, (self.cells[..., None] * (rows - columns)).sum(0)

    def currents(self, inputs: np.ndarray) -> np.ndarray:
        each = max(1, _CHUNK // self.cells.size)
        chunks = [self.solve(inputs[:, k : k + each])[2] for k in range(0, inputs.shape[1], each)]
        return np.concatenate(chunks, axis=1)


def _solve_by_lines(
    cells: np.ndarray, inputs: np.ndarray, lines: LineResistance
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, columns and currents by conjugate gradients on the rows' Schur complement.

    With R and C the matrices of the rows and of the columns and G the cells between them, columns
    are C^-1 G' v for rows v, and what is left to solve is (R - G C^-1 G') v = drive. R and C fall
    apart into one tridiagonal system a line, so neither is ever assembled.
    """
    g_row = np.ascontiguousarray(cells.T)  # (columns, rows): along the rows
    g_column = cells[::-1].copy()  # (rows, columns), from the sensed end on
    rows = line_matrix(g_row, lines.row, lines.driver)
    columns = line_matrix(g_column, lines.column, lines.sense)
    apply_row = _Multiply(g_row, lines.row, lines.driver)

    def to_column(v: np.ndarray) -> np.ndarray:
        """Column voltages (rows, columns, k), sensed end first, of row voltages."""
        return columns.solve(g_column[..., None] * v.transpose(1, 0, 2)[::-1])

    def schur(v: np.ndarray) -> np.ndarray:
        return apply_row(v) - g_row[..., None] * to_column(v)[::-1].transpose(1, 0, 2)

    # only the first node of a row is tied to a voltage, through driver and first segment
    right = np.zeros((*g_row.shape, inputs.shape[1]))
    right[0] = inputs / (lines.row + lines.driver)
    v = _conjugate_gradients(schur, rows, right)
    at_column = to_column(v)
    currents = at_column[0] / (lines.column + lines.sense)
    return v.transpose(1, 0, 2), at_column[::-1], currents


class _Multiply:
    """The product with the matrix that `line_matrix` factorises."""

    def __init__(self, loads: np.ndarray, segment: float, end: float) -> None:
        self.coupling = 1 / segment
        self.diagonal = loads + 2 * self.coupling
        self.diagonal[-1] -= self.coupling
        self.diagonal[0] += 1 / (segment + end) - self.coupling
        self.diagonal = self.diagonal[..., None]

    def __call__(self, v: np.ndarray) -> np.ndarray:
        out = self.diagonal * v
        out[1:] -= self.coupling * v[:-1]
        out[:-1] -= self.coupling * v[1:]
        return out


def _conjugate_gradients(
    matrix: Callable[[np.ndarray], np.ndarray], preconditioner: Tridiagonal, right: np.ndarray
) -> np.ndarray:
    """Solution for all right sides (..., k) side by side; each has its own step lengths."""
    axes = (0, 1)
    # The rows alone are already close: a cell conducts far less than a segment of a line.
    x = preconditioner.solve(right)
    residual = right - matrix(x)
    z = preconditioner.solve(residual)
    direction = z.copy()
    energy = (residual * z).sum(axes)
    limit = _TOLERANCE**2 * (right * x).sum(axes)
    for _ in range(_ITERATIONS):
        if (energy <= limit).all():
            return x
        product = matrix(direction)
        # a right side that has converged (or is zero) keeps its solution: step 0, no division by 0
        curvature = (direction * product).sum(axes)
        step = np.where(energy > limit, energy / np.where(curvature > 0, curvature, 1.0), 0.0)
        x += step * direction
        residual -= step * product
        z = preconditioner.solve(residual)
        new = (residual * z).sum(axes)
        direction *= np.where(energy > limit, new / np.where(energy > 0, energy, 1.0), 0.0)
        direction += z
        energy = new
    raise SolverError(
        f"the currents of the array do not converge in {_ITERATIONS} iterations",
        "nodal analysis",
        "Use method='direct'",
    )


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
