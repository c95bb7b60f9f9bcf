"""The compiled residual and Jacobian of one problem, and the memory that they read."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from ddkbase.errors import InputError
from devicephys.fem.kernel.band import Band, Coupling, band_of, face_tags
from devicephys.fem.kernel.integrands import Equations, Unsupported
from devicephys.fem.kernel.source import library, signature, source
from devicephys.fem.mesh import LENGTH, Grid

#: why the kernel does not serve equations that it has met, by their signature
_REFUSED: dict[str, str] = {}

#: a pivot below this share of the entry it began as has lost too many digits
SMALLEST_PIVOT = 1e-9
#: numbers in a line of the processor's memory
ALIGNMENT = 8


class CellKernel:
    """Residual and Jacobian of a problem on one rank, compiled.

    It reads the very arrays that the forms read (fields, history, constants, cell-wise values), so
    whatever is put into these counts here, too. ``problem`` is a ``CellProblem`` whose equations
    are written. With ``fields_only`` n is held, and the Jacobian is a narrower band.

    Raises
    ------
    Unsupported
        The equations, or the ranks, are not what the kernel is written for.
    """

    def __init__(self, problem: Any, fields_only: bool = False) -> None:
        if problem.comm.size > 1:
            raise Unsupported("more than one rank")
        layers = len(problem.device.layers)
        equations = Equations.of(problem.written[:2], (problem.u, problem.n), layers)
        self._library = _library_of(equations)
        self.lib, self.ffi = self._library.lib, self._library.ffi
        self._equations = equations  # its functions own the memory that is read
        # views of the solver's own numbers, which may change
        self._parameters = [constant.value for constant in equations.constants]
        self._grid_struct = self.ffi.new("ddk_grid *")
        self._memory: dict[str, Any] = {}
        self._lines: Grid | None = None
        self.nu, self.nc = problem.nu, problem.nc
        self.band = self._arrange(problem, fields_only)
        self._constants = np.empty(len(self._parameters))
        self._point(p=self._constants)
        arrays = [self._view(f.x.array) for f in equations.coefficients]
        self._memory["f"] = self.ffi.new("const double *[]", arrays)
        self._grid_struct.f = self._memory["f"]

    def _view(self, array: np.ndarray) -> Any:
        kind = "double *" if array.dtype == float else "int *"
        assert array.flags.c_contiguous and array.dtype in (np.float64, np.int32)
        return self.ffi.cast(kind, array.ctypes.data)

    def _point(self, **arrays: np.ndarray) -> None:
        """Let the library read arrays, which are kept alive."""
        for name, array in arrays.items():
            self._memory[name] = array
            setattr(self._grid_struct, name, self._view(array))

    def _arrange(self, problem: Any, fields_only: bool) -> Band:
        """Where nodes and cells of the grid are among the unknowns, and these in the band."""
        grid: Grid = problem.grid
        nz, nr = len(grid.z) - 1, len(grid.r) - 1
        node, cell = np.empty((nz + 1, nr + 1), np.int32), np.empty((nz, nr), np.int32)
        node[problem.node_index] = np.arange(self.nu // 2)
        cell[problem.cell_index] = np.arange(self.nc)
        tag_r, tag_z = face_tags(problem.oxide_rows, problem.metal_rows)
        if fields_only or not problem.terms.motion:  # then nothing crosses a face
            tag_r[:], tag_z[:] = 0, 0
        coupled = np.array([bool(self.lib.ddk_coupled(int(i))) for i in grid.layer])
        coupled &= not fields_only
        band = band_of(grid, Coupling(coupled, tag_r != 0, tag_z != 0))
        self._grid_struct.nr, self._grid_struct.nz = nr, nz
        self._grid_struct.fields_only = fields_only
        row_u, row_n = np.empty(self.nu // 2, np.int32), np.empty(self.nc, np.int32)
        row_u[node] = band.node
        row_n[cell] = band.cell
        self._point(
            layer=grid.layer.astype(np.int32), tag_r=tag_r, tag_z=tag_z, node=node, cell=cell,
            row_u=row_u, row_n=row_n,
        )  # fmt: skip
        #: row of the band of each unknown, shape (nu + nc,)
        self.rows = np.concatenate([np.repeat(row_u, 2), row_n])
        self.rows[1 : self.nu : 2] += 1
        return band

    def _refresh(self, grid: Grid) -> None:
        """Read the constants anew, and the lines where they have moved."""
        for number, value in enumerate(self._parameters):
            self._constants[number] = value
        if self._lines is not grid:
            self._point(r=grid.r / LENGTH, z=grid.z / LENGTH)
            self._lines = grid

    def residual(self, grid: Grid) -> np.ndarray:
        """Residual of the loaded state without boundary rows, shape (nu + nc,)."""
        self._refresh(grid)
        out = np.empty(self.nu + self.nc)
        values = self._view(out)
        self.lib.ddk_residual(self._grid_struct, values, values + self.nu)
        return out

    def jacobian(self, grid: Grid, matrix: BandMatrix, identity: np.ndarray) -> None:
        """Jacobian of the loaded state; the rows ``identity`` of the band are unit rows."""
        self._refresh(grid)
        matrix.clear()
        self.lib.ddk_jacobian(self._grid_struct, matrix.origin, matrix.stride)
        matrix.set_identity(identity)


class BandMatrix:
    """A matrix in the envelope of a band, and its LU factors in the same memory."""

    def __init__(self, kernel: CellKernel) -> None:
        self.kernel, self.band = kernel, kernel.band
        width = self.band.width
        self.stride = 2 * width
        # all rows of a column lie alike against the width of the machine's instructions
        count = self.band.size * (self.stride + 1)
        memory = np.zeros(count + ALIGNMENT)
        start = -(memory.ctypes.data // memory.itemsize + width) % ALIGNMENT
        self.values = memory[start : start + count]
        self.inverse = np.empty(self.band.size)
        #: entry of row i and column j is at i stride + j from here
        self.origin = kernel._view(self.values) + width
        self._reach, self._lead = kernel._view(self.band.reach), kernel._view(self.band.lead)
        self._padding = np.arange(kernel.nu + kernel.nc, self.band.size, dtype=np.int32)

    def clear(self) -> None:
        """Zeros everywhere."""
        self.kernel.lib.ddk_clear(self.band.size, self.origin, self.stride, self._lead, self._reach)

    def set_identity(self, rows: np.ndarray) -> None:
        """Make rows, and those that only fill the last panel, those of an identity."""
        both = np.concatenate([rows, self._padding]).astype(np.int32)
        self.kernel.lib.ddk_identity(
            len(both), self.kernel._view(both), self.origin, self.stride, self._lead, self._reach
        )

    def dense(self) -> np.ndarray:
        """The matrix in the order of the solver's unknowns, for tests: shape (nu + nc,) twice."""
        band, count = self.band, self.kernel.nu + self.kernel.nc
        full = np.zeros((band.size, band.size))
        for row in range(band.size):
            columns = np.arange(band.lead[row], band.reach[row] + 1)
            full[row, columns] = self.values[band.width + row * self.stride + columns]
        return full[np.ix_(self.kernel.rows, self.kernel.rows)][:count, :count]

    def factorise(self) -> float | None:
        """Replace the matrix by its factors.

        None, or the pivot at which that ended: one that lost its digits, or is no number.
        """
        row = self.kernel.lib.ddk_factorise(
            self.band.size, self.origin, self.stride, self._reach, SMALLEST_PIVOT,
            self.kernel._view(self.inverse),
        )  # fmt: skip
        return None if row < 0 else float(self.values[self.band.width + row * (self.stride + 1)])

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Solve with the factors; values in the order of the solver's unknowns."""
        x = np.zeros(self.band.size)
        x[self.kernel.rows] = right
        self.kernel.lib.ddk_solve(
            self.band.size, self.origin, self.stride, self._lead, self._reach,
            self.kernel._view(self.inverse), self.kernel._view(x),
        )  # fmt: skip
        return x[self.kernel.rows]


def _library_of(equations: Equations) -> Any:
    key = signature(equations)
    if key in _REFUSED:
        raise Unsupported(_REFUSED[key])
    try:
        return library(key, lambda: source(equations))
    except Unsupported as reason:
        _REFUSED[key] = str(reason)
        logging.getLogger(__name__).warning(
            "the compiled kernel does not know %s; the forms serve instead, at twice the time",
            reason,
        )
        raise


def compiled_kernel(problem: Any, choice: str) -> CellKernel | None:
    """What assembles a problem, None for its forms.

    Parameters
    ----------
    problem : CellProblem
        A problem whose equations are written.
    choice : {"auto", "compiled", "forms"}
        "auto" takes the kernel where it knows the equations and there is one rank, "compiled"
        refuses the rest.

    Raises
    ------
    InputError
        "compiled" is asked for, and the kernel does not serve.
    """
    if choice == "forms":
        return None
    try:
        return CellKernel(problem)
    except Unsupported as reason:
        if choice == "compiled":
            raise InputError(
                f"the compiled kernel does not know {reason}",
                "settings.kernel",
                "Use 'auto' or 'forms'",
            ) from reason
        return None
