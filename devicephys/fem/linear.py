"""Linear systems of Newton's method: the Jacobian of the forms and its sparse LU factors."""

from __future__ import annotations

from typing import Any

import numpy as np
from dolfinx.fem import petsc as fem_petsc
from petsc4py import PETSc

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
