"""Linear systems of Newton's method: a band where a compiled kernel serves, sparse LU elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from dolfinx.fem import petsc as fem_petsc
from petsc4py import PETSc

from devicephys.fem.kernel.cell_kernel import BandMatrix, CellKernel

#: MUMPS: METIS ordering (its own choice, minimum fill, needs three times the operations on these
#: meshes), no permutation and no scaling (the equations are scaled already; docs/performance.md)
MUMPS_OPTIONS = {7: 5, 6: 0, 8: 0}


class LinearSolver:
    """Sparse LU of the Jacobian; the ordering is kept, the factors are renewed on request."""

    def __init__(self, matrix: PETSc.Mat, name: str = "mumps"):
        self.matrix, self.name = matrix, name
        self.rhs, self.solution = matrix.createVecRight(), matrix.createVecRight()
        self.ksp: PETSc.KSP | None = None
        self.ready = False  # whether there are factors to solve with

    def _build(self) -> PETSc.KSP:
        ksp = PETSc.KSP().create(self.matrix.comm)
        ksp.setOperators(self.matrix)
        ksp.setType("preonly")
        pc = ksp.getPC()
        pc.setType("lu")
        pc.setFactorSolverType(self.name)
        if self.name == "mumps":
            pc.setFactorSetUpSolverType()
            for option, value in MUMPS_OPTIONS.items():
                pc.getFactorMatrix().setMumpsIcntl(option, value)
        return ksp

    def factorise(self) -> None:
        """Factorise the present matrix; raises PETSc.Error or ArithmeticError on failure."""
        self.ready = False
        if self.ksp is None:
            self.ksp = self._build()
        self.ksp.setOperators(self.matrix)
        self.ksp.setUp()
        if self.ksp.getPC().getFailedReason() != 0:
            raise ArithmeticError("factorisation failed")
        self.ready = True

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Solve with the factors at hand; owned values in, owned values out."""
        assert self.ksp is not None
        self.rhs.setArray(right)
        self.ksp.solve(self.rhs, self.solution)
        return self.solution.getArray().copy()

    def reset(self) -> None:
        """Throw the factors away. After a NaN a MUMPS instance stays broken."""
        if self.ksp is not None:
            self.ksp.destroy()
            self.ksp = None
        self.ready = False


class FormSystem:
    """Jacobian of the loaded state of a ``CellProblem``, as its forms give it, and its factors.

    ``matrix`` is where it is assembled, by default what all such systems of the problem share.
    """

    def __init__(self, problem: Any, matrix: PETSc.Mat | None = None):
        self.problem, self.matrix = problem, problem.matrix if matrix is None else matrix
        self.linear = LinearSolver(self.matrix)

    @classmethod
    def apart(cls, problem: Any) -> FormSystem:
        """One with a matrix of its own."""
        return cls(problem, fem_petsc.create_matrix(problem.jacobian_forms, kind="mpi"))

    @property
    def ready(self) -> bool:
        """Whether there are factors to solve with."""
        return self.linear.ready

    def renew(self) -> None:
        """Assemble and factorise; raises PETSc.Error or ArithmeticError on failure. Collective."""
        self.problem.assemble_jacobian(self.matrix)
        with self.problem.watch.part("factorisation"):
            self.linear.factorise()

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Solve with the factors at hand; owned values in, owned values out. Collective."""
        with self.problem.watch.part("back-substitution"):
            return self.linear.solve(right)

    def forget(self) -> None:
        """The factors at hand no longer count."""
        self.linear.ready = False

    def reset(self) -> None:
        """Throw the factors away."""
        self.linear.reset()


#: multiplications beyond which a band is not filled: it takes 0.2 GB there, its lead over sparse
#: factors shrinks, and nothing larger was measured (docs/performance.md)
LARGEST_WORK = 2e9


class BandSystem:
    """Jacobian of the loaded state of a ``CellProblem`` with a kernel, and its factors in a band.

    Where the factors of the band are of no use, ``otherwise`` makes the system that serves for as
    long as they would have; ``failures`` counts that. With ``unknowns``, indices into (V, T) pairs
    and n, the system is that of these alone, the others held.
    """

    def __init__(
        self, problem: Any, otherwise: Callable[[], Any], unknowns: np.ndarray | None = None
    ):
        self.problem, self.kernel = problem, problem.kernel
        if unknowns is not None and unknowns.max() < problem.nu:  # n is held: a narrower band
            self.kernel = CellKernel(problem, fields_only=True)
        self.matrix = BandMatrix(self.kernel)
        self.failures, self.ready = 0, False
        self._otherwise = otherwise
        self._other: Any = None
        self._serves = False  # whether the other system does
        self.unknowns = unknowns
        held = np.zeros(problem.nu + problem.nc, dtype=bool)
        if unknowns is not None:
            held[:] = True
            held[unknowns] = False
        held[problem.fixed] = True
        self._identity = self.kernel.rows[held]

    def renew(self) -> None:
        """Assemble and factorise; raises ArithmeticError where there are no factors."""
        watch = self.problem.watch
        self.forget()
        with watch.part("jacobian"):
            self.kernel.jacobian(self.problem.grid, self.matrix, self._identity)
        with watch.part("factorisation"):
            failed = self.matrix.factorise()
        self._serves = failed is not None
        if failed is not None:
            if not np.isfinite(failed):
                raise ArithmeticError("factorisation failed")
            self.failures += 1
            if self._other is None:
                self._other = self._otherwise()
            self._other.renew()
        self.ready = True

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Solve with the factors at hand; values of the system's unknowns in and out."""
        if self._serves:
            return self._other.solve(right)
        with self.problem.watch.part("back-substitution"):
            if self.unknowns is None:
                return self.matrix.solve(right)
            every = np.zeros(len(self.kernel.rows))
            every[self.unknowns] = right
            return self.matrix.solve(every)[self.unknowns]

    def forget(self) -> None:
        """The factors at hand no longer count."""
        self.ready = False

    def reset(self) -> None:
        """Throw the factors away."""
        self.forget()
        if self._other is not None:
            self._other.reset()


def linear_system(problem: Any, apart: bool = False) -> BandSystem | FormSystem:
    """The linear system of all unknowns of a problem.

    Parameters
    ----------
    problem : CellProblem
        The problem.
    apart : bool, default False
        Whether it is kept beside another one that goes on.

    Returns
    -------
    BandSystem or FormSystem
        A band where the kernel serves and the grid is not too large for it.
    """

    def forms() -> FormSystem:
        return FormSystem.apart(problem) if apart else FormSystem(problem)

    return BandSystem(problem, forms) if _has_band(problem) else forms()


def linear_system_of(problem: Any, unknowns: np.ndarray, forms: Callable[[], Any]) -> Any:
    """The linear system of some unknowns, the others held.

    Parameters
    ----------
    problem : CellProblem
        The problem.
    unknowns : numpy.ndarray
        Their indices into (V, T) pairs and n, shape (count,).
    forms : callable
        Makes the system that the forms assemble.
    """
    return BandSystem(problem, forms, unknowns) if _has_band(problem) else forms()


def _has_band(problem: Any) -> bool:
    return problem.kernel is not None and problem.kernel.band.work <= LARGEST_WORK
