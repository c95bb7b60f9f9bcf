"""Nodal analysis line by line: conjugate gradients with whole rows as the preconditioner."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ddkbase.errors import SolverError
from network.hardware.arrays.lines import LineResistance, Tridiagonal, line_matrix

__all__ = ["solve_by_lines"]

_TOLERANCE = 1e-14  # of the energy norm
_ITERATIONS = 2000


def solve_by_lines(
    cells: np.ndarray, inputs: np.ndarray, lines: LineResistance
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, columns and currents by conjugate gradients on the rows' Schur complement."""
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
