"""Solution of a step in parts: the fields in turn instead of all at once.

For teaching and for cross-checking the monolithic solver. The converged scheme goes
to and fro between (potential, temperature) and the vacancies until nothing changes any more, and
must then agree with the monolithic result. The one-pass scheme solves potential, temperature and
vacancies once each, as many published codes do: it keeps the vacancy inventory and is wrong by
several kelvin.
"""

from __future__ import annotations

import numpy as np
from dolfinx.fem import petsc as fem_petsc
from petsc4py import PETSc

from ddkbase.errors import SolverError
from devicephys.fem.equations import CellProblem, State
from devicephys.fem.linear import LinearSolver, linear_system_of
from devicephys.fem.newton import CONCENTRATION_UNIT, FAST, POTENTIAL_UNIT, NewtonReport

#: units of the convergence test: V, K, 1e21 cm^-3
UNITS = (POTENTIAL_UNIT, 1e-3, CONCENTRATION_UNIT)

#: a time (s) so long that heat is steady, and the tolerance of what is solved for it
STEADY, STEADY_TOLERANCE = 1e6, 1.0

#: what is solved together, in order: (field name, slice of the (V, T) pairs or None for n)
ONE_PASS = (("potential", (0, 2)), ("temperature", (1, 2)), ("vacancy concentration", None))
CONVERGED = (("potential and temperature", (0, 1)), ("vacancy concentration", None))


class _FormBlock:
    """The linear system of a block: its part of what the forms assemble, and factors of that."""

    def __init__(self, pairs: tuple[int, int] | None, where: np.ndarray, problem: CellProblem):
        self.pairs, self.where, self.problem = pairs, where, problem
        self.form = problem.jacobian_forms[1][1] if pairs is None else problem.jacobian_forms[0][0]
        self.matrix = fem_petsc.create_matrix(self.form)
        self.index: PETSc.IS | None = None
        self.linear: LinearSolver | None = None

    def renew(self) -> None:
        """Assemble and factorise at the loaded state. Collective."""
        watch = self.problem.watch
        with watch.part("jacobian"):
            self.matrix.zeroEntries()
            fem_petsc.assemble_matrix(self.matrix, self.form)
            self.matrix.assemble()
            if self.pairs is not None:
                self.matrix.zeroRowsLocal(self.problem.fixed, 1.0)
        # (V, T) and n are matrices of their own; V alone and T alone are cut out of the first
        if self.pairs in (None, (0, 1)):
            if self.linear is None:
                self.linear = LinearSolver(self.matrix)
        else:
            if self.linear is None:
                start = self.matrix.getOwnershipRange()[0]
                rows = (self.where + start).astype(np.int32)
                self.index = PETSc.IS().createGeneral(rows, comm=self.matrix.comm)
                self.linear = LinearSolver(self.matrix.createSubMatrix(self.index, self.index))
            else:
                self.matrix.createSubMatrix(self.index, self.index, self.linear.matrix)
        with watch.part("factorisation"):
            self.linear.factorise()

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Solve with the factors at hand. Collective."""
        assert self.linear is not None
        with self.problem.watch.part("back-substitution"):
            return self.linear.solve(right)

    def reset(self) -> None:
        """Throw the factors away."""
        if self.linear is not None:
            self.linear.reset()


class _Block:
    """Unknowns solved together, and their linear system.

    ``pairs`` is (offset, stride) into the interleaved (V, T) values, None for the vacancies.
    """

    def __init__(self, name: str, pairs: tuple[int, int] | None, problem: CellProblem):
        self.name, self.pairs = name, pairs
        nu, nc = problem.nu, problem.nc
        self.where = np.arange(nu, nu + nc) if pairs is None else np.arange(pairs[0], nu, pairs[1])
        units = np.concatenate([np.tile(UNITS[:2], nu // 2), np.full(nc, UNITS[2])])
        self.units = units[self.where]

        def forms() -> _FormBlock:
            return _FormBlock(pairs, self.where, problem)

        self.linear = linear_system_of(problem, self.where, forms)


class StaggeredSolver:
    """Same interface as ``NewtonSolver``; each linear solve of a block counts as an iteration.

    ``tolerance`` as for ``NewtonSolver``; ``one_pass`` ends after one round; ``rounds`` is the
    largest number of rounds of the converged scheme.
    """

    def __init__(
        self,
        problem: CellProblem,
        tolerance: float = 3.0,
        one_pass: bool = False,
        rounds: int = 60,
        inner: int = 12,
    ):
        self.problem, self.tolerance, self.one_pass = problem, tolerance, one_pass
        self.rounds, self.inner = rounds, inner
        #: whether the factors of a block's first iteration serve the further ones while these
        #: converge fast
        self.frugal = False
        # One pass from extrapolated fields amplifies the lag between them until it oscillates.
        self.extrapolates = not one_pass
        groups = ONE_PASS if one_pass else CONVERGED
        self.blocks = [_Block(name, pairs, problem) for name, pairs in groups]

    def solve(self, state: State, applied: float) -> NewtonReport:
        """Solve the step from and into ``state``; see ``NewtonSolver.solve``."""
        report = NewtonReport()
        if self.problem.series.kind == "none":
            state.contact = applied
        try:
            previous = np.inf
            for _ in range(1 if self.one_pass else self.rounds):
                before = state.copy()
                for block in self.blocks:
                    if not self._solve_block(block, state, applied, report):
                        report.field = block.name
                        return self._failed(report, "Newton's method of one field failed")
                change = self._change(before, state)
                # Rounds converge linearly. What is left is a geometric series,
                # change rate/(1 - rate), of which one lucky round takes off nine tenths at most.
                rate = min(change / previous, 0.95) if np.isfinite(previous) else 0.5
                previous = change
                if self.one_pass or change * max(rate / (1 - rate), 0.1) <= self.tolerance:
                    break
            else:
                return self._failed(report, "the rounds over the fields do not converge")
            self.problem.load(state)
            report.raw = self.problem.raw_residual()
            report.converged, report.reason = True, "converged"
            return report
        except (PETSc.Error, ArithmeticError):
            return self._failed(report, "the factorisation failed")

    def _solve_block(
        self, block: _Block, state: State, applied: float, report: NewtonReport
    ) -> bool:
        """Newton's method for one block, the rest held; False where it does not converge."""
        problem = self.problem
        holds_potential = block.pairs is not None and block.pairs[0] == 0
        holds_potential &= problem.series.kind != "none"
        sizes: list[float] = []
        renew, lift = True, np.empty(0)
        for _ in range(self.inner):
            problem.load(state)
            right = -problem.constrain(problem.raw_residual(), state)[block.where]
            if renew:
                block.linear.renew()
                report.factorisations += 1
                if holds_potential:
                    lift = block.linear.solve(problem.top_indicator[block.where])
            report.iterations += 1
            increment = block.linear.solve(right)
            # The load line closes with the block that holds V; heat and vacancies answer later.
            if holds_potential:
                increment = increment + lift * self._contact(block, state, increment, lift, applied)
            if block.pairs is None:
                state.n += increment
            else:
                state.u[block.where] += increment
            worst = np.abs(increment / block.units).max() if increment.size else 0.0
            size = problem.maximum(worst)[0]
            sizes.append(size)
            if not np.isfinite(size):
                return False
            # what is left: with old factors a geometric series, with new ones a square
            ratio = size / sizes[-2] if len(sizes) > 1 else 1.0
            left = ratio**2 if renew else 2.0 * ratio if ratio < FAST else 1.0
            if size * min(1.0, left) <= self.tolerance:
                return True
            renew = not self.frugal or (len(sizes) > 1 and ratio > FAST)
        return False

    def _contact(
        self, block: _Block, state: State, along: np.ndarray, lift: np.ndarray, applied: float
    ) -> float:
        """Step of the contact voltage on the load line; moves ``state.contact`` by it."""
        problem = self.problem
        weights = problem.current_vector[block.where]
        flow, particular, across = problem.sum(
            problem.current_vector @ state.u, weights @ along, weights @ lift
        )
        current, conductance = problem.load_line(applied, state.contact)
        step = (current - flow - particular) / (across + conductance)
        state.contact += step
        return float(step)

    def _change(self, before: State, after: State) -> float:
        def largest(values: np.ndarray) -> float:
            return float(np.abs(values).max()) if values.size else 0.0

        difference = after.u - before.u
        return max(
            self.problem.maximum(
                largest(difference[0::2]) / UNITS[0],
                largest(difference[1::2]) / UNITS[1],
                largest(after.n - before.n) / UNITS[2],
            )
        )

    def _failed(self, report: NewtonReport, reason: str) -> NewtonReport:
        for block in self.blocks:
            block.linear.reset()
        report.converged, report.reason = False, reason
        return report


class SteadyFields(StaggeredSolver):
    """Potential and temperature at a voltage with the vacancies held, as the steady state."""

    def __init__(self, problem: CellProblem):
        super().__init__(problem, STEADY_TOLERANCE)
        self.blocks = self.blocks[:1]  # (V, T) without the vacancies
        self.frugal = True

    def find(self, state: State, applied: float) -> NewtonReport:
        """Solve from and into ``state``. Collective.

        Raises
        ------
        SolverError
            Newton's method does not converge.
        """
        self.problem.load_history(state.u, state.n, STEADY)
        if self.problem.series.kind == "none":
            state.contact = applied
        report = NewtonReport()
        if not self._solve_block(self.blocks[0], state, applied, report):
            self.blocks[0].linear.reset()  # a NaN in the factors would outlive a retry
            raise SolverError(
                "the fields of a cell at rest cannot be found",
                where=f"{applied:g} V with the vacancies held",
                hint="Try a lower voltage, or every pulse on its own",
            )
        self.problem.load(state)
        return report
