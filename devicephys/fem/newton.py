"""Newton's method for one implicit step: all fields and the load line at once, or field by field.

The contact voltage of a cell with a series element is one more unknown. It is eliminated by hand:
with A dx = -F + e dVc (e marks the top electrode's rows) the increment is p + s dVc, and the load
line I(V) = I_series(V_applied - Vc) fixes dVc. That is Newton's method for the bordered system,
at the price of one more back-substitution.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as with_default

import numpy as np
from petsc4py import PETSc

from devicephys.fem.equations import SIGMA_SCALE, CellProblem, State
from devicephys.fem.linear import linear_system
from devicephys.fem.mesh import LENGTH

#: what counts as one unit of the convergence test: a potential in V, a concentration in
#: 1e21 cm^-3, and a share of the peak rise of temperature (at least SMALLEST_RISE, K), because the
#: energy balance of a barely warm cell is relative to a small power
POTENTIAL_UNIT, CONCENTRATION_UNIT, RISE_SHARE, SMALLEST_RISE = 1e-5, 1e-5, 1e-5, 1e-6


#: largest imbalance of power and heat in an accepted solution, relative to the power, and the
#: power (W) below which it is relative to that: at the zero of the voltage there is none
BALANCE, POWER_FLOOR = 3e-5, 3e-9

#: of the frugal iteration: SMALLEST_RISE; the ratio of increments up to which old factors are
#: kept; the size of an increment (units of the convergence test) above which they are not
FRUGAL_RISE, FAST, NEAR = 1e-3, 0.3, 5000.0


@dataclass
class NewtonReport:
    """What one nonlinear solve did: iterations, factorisations, why it ended.

    ``field`` and ``position`` (r, z in m) say where a failed solve's last increment was largest.
    """

    converged: bool = False
    iterations: int = 0
    factorisations: int = 0
    reason: str = ""
    field: str = ""
    position: tuple[float, float] | None = None
    increments: list[float] = with_default(default_factory=list)
    raw: np.ndarray | None = None
    reused: bool = False


class NewtonSolver:
    """Monolithic Newton with the load line; see the module's text.

    ``frugal`` is Newton's method for many similar solves (pulses): the factors of a step's first
    Jacobian serve its further iterations as long as they converge fast, factors of an earlier step
    serve on request, and where the observed curvature says that the first increment already lands
    within the tolerance no second one is made.
    """

    #: whether the stepper may start an iteration from extrapolated fields
    extrapolates = True

    def __init__(
        self,
        problem: CellProblem,
        tolerance: float = 3.0,
        max_iterations: int = 12,
        frugal: bool = False,
    ):
        self.problem, self.tolerance = problem, tolerance
        self.max_iterations, self.frugal = max_iterations, frugal
        self.linear = linear_system(problem)
        self.smallest_rise = FRUGAL_RISE if frugal else SMALLEST_RISE
        #: e in |second increment| = e |first|^2, in units of the convergence test; 0: not known
        self.curvature = 0.0
        self._sensitivity: np.ndarray | None = None

    def forget(self) -> None:
        """Drop factors and experience, so that the next solve depends on its state alone."""
        self.linear.forget()
        self.curvature = 0.0

    def solve(
        self, state: State, applied: float, reuse: bool = False, power_floor: float = POWER_FLOOR
    ) -> NewtonReport:
        """Solve the step for the applied voltage, starting from and updating ``state``.

        The history of the step has been set by ``problem.load_history``. On failure ``state`` is
        left as the last iterate; the caller restores its own copy. ``reuse`` begins with the
        factors of an earlier solve; ``power_floor`` (W) is the least power that the heat balance
        is relative to.
        """
        problem, report = self.problem, NewtonReport()
        if problem.series.kind == "none":
            state.contact = applied
        problem.load(state)
        # The residual after an increment is needed for the balance, and is the right-hand side of
        # the next one: one residual an iteration. There is no line search: a time step in which
        # full increments do not converge is repeated, four times shorter, which is cheaper.
        raw = problem.raw_residual()
        increment = None
        name = ""
        report.reused = self.frugal and reuse and self.linear.ready
        renew = not report.reused
        try:
            while True:
                if renew:
                    self._factorise(report)
                increment = self._increment(state, raw, applied)
                report.iterations += 1
                size, name = self._measure(increment, state)
                report.increments.append(size)
                if not np.isfinite(size):
                    return self._failed(report, "the Newton increment is not finite", name)
                state.u += increment.u
                state.n += increment.n
                state.contact += increment.contact
                problem.load(state)
                raw = problem.raw_residual()
                finite = problem.maximum(float(not np.isfinite(raw).all()))[0] == 0.0
                if not finite:
                    return self._failed(report, "the residual is not finite", name, increment)
                # Two witnesses: the fields hardly move any more, and the power that goes in comes
                # out as heat. The second costs two dot products; users are shown this balance.
                small = self._expected_error(report, renew) <= self.tolerance
                if small and self._balanced(raw, state, power_floor):
                    report.converged, report.reason = True, "converged"
                    report.raw = raw
                    return report
                if report.iterations >= self.max_iterations:
                    return self._failed(report, "too many Newton iterations", name, increment)
                slow = report.iterations > 1 and size > FAST * report.increments[-2]
                # With fresh factors increments shrink fast or not at all.
                if renew and report.iterations > 2 and size > 0.8 * report.increments[-2]:
                    return self._failed(report, "Newton's method diverges", name, increment)
                renew = not self.frugal or slow or size > NEAR
        except (PETSc.Error, ArithmeticError):
            return self._failed(report, "the factorisation failed", name, increment)

    def _factorise(self, report: NewtonReport) -> None:
        self.linear.renew()
        report.factorisations += 1
        self._sensitivity = None

    def _balanced(self, raw: np.ndarray, state: State, power_floor: float) -> bool:
        """Whether the heat equation, summed over the cell, holds to ``BALANCE``. Collective."""
        # The sum of the heat rows is the test with s = 1: conduction drops out but for the flux
        # through the boundary, which is the residual of the rows held at T0. Testing the potential
        # rows with V gives the Joule heat, less the power that enters at the contacts.
        problem = self.problem
        potential = raw[0 : problem.nu : 2] @ state.u[0::2]
        at_contacts = raw[problem.top_v] @ state.u[problem.top_v]
        missing, current = problem.sum(
            raw[1 : problem.nu : 2].sum()
            - raw[problem.cold_t].sum()
            # Joule heat less electric power, from the potential equation tested with V
            + SIGMA_SCALE * float(potential - at_contacts),
            float(problem.current_vector @ state.u),
        )
        power = max(abs(current * state.contact), power_floor)
        return bool(abs(missing) * 2 * np.pi * LENGTH <= BALANCE * power)

    def _expected_error(self, report: NewtonReport, renewed: bool) -> float:
        """Estimated error after the last increment, in units of the convergence test."""
        size = report.increments[-1]
        if report.iterations == 1:
            # twice the prediction, because the curvature was met in another step
            if self.frugal and renewed and self.curvature > 0.0:
                return min(size, 2.0 * self.curvature * size**2)
            return size
        ratio = size / report.increments[-2] if report.increments[-2] else 0.0
        if self.frugal and report.iterations == 2 and not report.reused and size > 0.1:
            self.curvature = max(0.5 * self.curvature, ratio / report.increments[0])
        if renewed:  # quadratic convergence
            return min(size, size * ratio**2)
        # with old factors it is linear: what is left is a geometric series, size ratio/(1 - ratio)
        return 2.0 * size * ratio if ratio < FAST else size

    def _increment(self, state: State, raw: np.ndarray, applied: float) -> State:
        problem = self.problem
        right = -problem.constrain(raw, state)
        particular = self.linear.solve(right)
        d_contact = 0.0
        if problem.series.kind != "none":
            nu = problem.nu
            if self._sensitivity is None:
                self._sensitivity = self.linear.solve(problem.top_indicator)
            sensitivity = self._sensitivity
            flow, along, across = problem.sum(
                float(problem.current_vector @ state.u),
                problem.current_vector @ particular[:nu],
                problem.current_vector @ sensitivity[:nu],
            )
            # Newton on I_cell(Vc) = I_series(V - Vc); how the whole cell answers to its contact,
            # heat and vacancies included, is in ``sensitivity``
            current, conductance = problem.load_line(applied, state.contact)
            d_contact = (current - flow - along) / (across + conductance)
            particular = particular + sensitivity * d_contact
        # Both back-substitutions have the same factors, so the load line costs no second LU.
        return State(particular[: problem.nu], particular[problem.nu :], d_contact)

    def _measure(self, increment: State, state: State) -> tuple[float, str]:
        """Largest increment in units of the convergence test, and its field. Collective."""

        def largest(values):
            return float(np.abs(values).max()) if values.size else 0.0

        ambient = self.problem.device.ambient_temperature
        volts, kelvins, filling, rise = self.problem.maximum(
            max(largest(increment.u[0::2]), abs(increment.contact)),
            largest(increment.u[1::2]),
            largest(increment.n),
            largest(state.u[1::2] + increment.u[1::2] - ambient),
        )
        kelvin = max(RISE_SHARE * rise, self.smallest_rise)
        sizes = volts / POTENTIAL_UNIT, kelvins / kelvin, filling / CONCENTRATION_UNIT
        worst = int(np.argmax(sizes))
        return max(sizes), ("potential", "temperature", "vacancy concentration")[worst]

    def _failed(
        self, report: NewtonReport, reason: str, name: str, increment: State | None = None
    ) -> NewtonReport:
        self.linear.reset()  # a NaN in the factors would outlive a retry
        report.converged, report.reason, report.field = False, reason, name
        if increment is not None and name:
            report.position = self.problem.place_of_largest(increment, name)
        return report
