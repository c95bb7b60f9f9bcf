"""Linear systems of a problem: a band where its kernel serves, sparse matrices elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from devicephys.fem.kernel.cell_kernel import BandMatrix, CellKernel
from devicephys.fem.linear import FormSystem

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

    Returns
    -------
    BandSystem or what ``forms`` makes
        As in ``linear_system``.
    """
    return BandSystem(problem, forms, unknowns) if _has_band(problem) else forms()


def _has_band(problem: Any) -> bool:
    return problem.kernel is not None and problem.kernel.band.work <= LARGEST_WORK
