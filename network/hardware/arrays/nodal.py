"""Exact currents of an array with line resistance: nodal analysis.

Two methods give the same numbers. ``direct`` factorises the sparse matrix of all nodes once for
any number of inputs. ``lines`` eliminates the columns and solves for the rows by conjugate
gradients, both line by line: one row or column is a tridiagonal system. The preconditioner holds
all of the rows, so the number of iterations grows with the ratio of cell to line conductance
only, and memory with the number of cells; it is ten to forty times faster, and taken wherever rows
and columns both have a resistance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ddkbase.errors import InputError, shorten
from network.hardware.arrays.lines import LineResistance
from network.hardware.arrays.nodal_lines import solve_by_lines

__all__ = ["ArrayVoltages", "solve_array", "transfer_matrix"]

METHODS = ("auto", "direct", "lines")
_CHUNK = 500_000  # numbers in a right side solved at once


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
    one = inputs.ndim == 1
    inputs = inputs.reshape(len(inputs), -1)
    if _method(method, lines) == "lines":
        rows, columns, currents = solve_by_lines(cells, inputs, lines)
    else:
        rows, columns, currents = _Network(cells, lines).solve(inputs)
    if one:
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
    parts = [
        solve_by_lines(cells, units[:, k : k + each], lines)[2] for k in range(0, len(units), each)
    ]
    return np.concatenate(parts, axis=1)


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
    """The sparse equations of all nodes; nodes that nothing parts are one."""

    def __init__(self, cells: np.ndarray, lines: LineResistance) -> None:
        m, n = cells.shape
        self.cells, self.lines = cells, lines
        first, last = lines.row + lines.driver, lines.column + lines.sense
        row = np.arange(m * n).reshape(m, n)
        column = row + m * n
        if lines.row == 0:
            row = np.broadcast_to(row[:, :1], (m, n))
        if lines.column == 0:
            column = np.broadcast_to(column[-1:], (m, n))
        # nodes without a resistance to what holds them are known; they get no number
        known = np.zeros(2 * m * n, bool)
        if first == 0:
            known[row[:, 0]] = True
        if last == 0:
            known[column[-1]] = True
        used = np.zeros(2 * m * n, bool)
        used[row], used[column] = True, True
        number = np.full(2 * m * n, -1)
        number[used & ~known] = np.arange(np.count_nonzero(used & ~known))
        self.row, self.column = number[row], number[column]
        self.first, self.last = first, last
        # where first is 0 and segments are not, cell 0 of each row is held at the input
        self.source = np.full(2 * m * n, -1)
        if first == 0:
            self.source[row[:, 0]] = np.arange(m)
        self.row_source, self.column_source = self.source[row], self.source[column]
        self._assemble(int(np.count_nonzero(used & ~known)))

    def _assemble(self, size: int) -> None:
        from scipy import sparse
        from scipy.sparse.linalg import splu

        m = len(self.cells)
        ends: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = []

        def join(a: np.ndarray, b: np.ndarray, of_a: np.ndarray, of_b: np.ndarray, g: Any) -> None:
            weights = np.broadcast_to(g, a.shape).ravel()
            entries = (a.ravel(), b.ravel(), of_a.ravel(), of_b.ravel())
            for p, q, _, from_q in (entries, (entries[1], entries[0], entries[3], entries[2])):
                ends.append((p, q, from_q, weights))

        join(self.row, self.column, self.row_source, self.column_source, self.cells)
        if self.lines.row > 0:
            pairs = (self.row[:, :-1], self.row[:, 1:])
            of = (self.row_source[:, :-1], self.row_source[:, 1:])
            join(*pairs, *of, 1 / self.lines.row)
        if self.lines.column > 0:
            pairs = (self.column[:-1], self.column[1:])
            of = (self.column_source[:-1], self.column_source[1:])
            join(*pairs, *of, 1 / self.lines.column)
        here = np.concatenate([p for p, _, _, _ in ends])
        there = np.concatenate([q for _, q, _, _ in ends])
        origin = np.concatenate([s for _, _, s, _ in ends])
        weight = np.concatenate([w for _, _, _, w in ends])
        on = here >= 0
        both = on & (there >= 0)
        entries = [(here[on], here[on], weight[on]), (here[both], there[both], -weight[both])]
        driven = on & (origin >= 0)
        held = [(here[driven], origin[driven], weight[driven])]
        if self.first > 0:
            start, g = self.row[:, 0], np.full(m, 1 / self.first)
            entries.append((start, start, g))
            held.append((start, np.arange(m), g))
        if self.last > 0:
            end = self.column[-1]
            entries.append((end, end, np.full(end.size, 1 / self.last)))
        parts = [np.concatenate(part) for part in zip(*held, strict=True)]
        self.drive = sparse.csr_matrix((parts[2], (parts[0], parts[1])), (size, m))
        self.factors = None
        if size:
            at, by, g = (np.concatenate(part) for part in zip(*entries, strict=True))
            matrix = sparse.csc_matrix((g, (at, by)), (size, size))
            # symmetric and diagonally dominant: the diagonal is a safe pivot
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
        table = np.concatenate([unknown, inputs, np.zeros((1, inputs.shape[1]))])
        place = {
            "row": np.where(self.row >= 0, self.row, len(unknown) + self.row_source),
            "column": np.where(self.column >= 0, self.column, len(table) - 1),
        }
        rows, columns = table[place["row"]], table[place["column"]]
        if self.last > 0:
            return rows, columns, columns[-1] / self.last
        flow = self.cells[..., None] * (rows - columns)
        if self.lines.column == 0:
            return rows, columns, flow.sum(0)
        # the last node is ground: what comes down the column and through the last cell
        above = (columns[-2] / self.lines.column) if len(columns) > 1 else 0.0
        return rows, columns, above + flow[-1]

    def currents(self, inputs: np.ndarray) -> np.ndarray:
        each = max(1, _CHUNK // self.cells.size)
        parts = [self.solve(inputs[:, k : k + each])[2] for k in range(0, inputs.shape[1], each)]
        return np.concatenate(parts, axis=1)
