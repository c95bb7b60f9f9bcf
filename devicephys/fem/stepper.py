"""Adaptive BDF2 time stepping of the cell along a voltage waveform.

Variable-step BDF2 (L-stable, second order) with the first step by implicit Euler. The local error
of the vacancy concentration and of the temperature is estimated from the distance between the
solution and a polynomial extrapolated from earlier steps; a step whose error is too large, whose
Newton iteration fails or that leaves the range of the concentration is rejected, recorded with its
reason and repeated with a shorter step. Every corner of the waveform is hit exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from ddkbase.errors import SolverError
from devicephys.device.model import Vacancy
from devicephys.fem.equations import CellProblem, State
from devicephys.fem.fluxes import CONCENTRATION
from devicephys.fem.newton import NewtonReport

#: after a failed Newton iteration, the number of steps that grow by at most the factor
CAUTION, CAUTIOUS_GROWTH = 8, 1.25
#: share of a step's error the controller aims at, and the largest growth of a step
SAFETY, LARGEST_GROWTH = 0.8, 2.0
#: local error allowed of the voltage of a line that is charged, as a share of it, and at least (V)
CHARGING, LEAST = 3e-3, 1e-4
#: concentrations (1e21 cm^-3) down to minus this in the history of BDF2 are filled up
FILL = 1e-5


@dataclass(frozen=True)
class Rejection:
    """A step that was not accepted: when it started [s], its length [s] and the reason."""

    time: float
    step_size: float
    reason: str


@dataclass
class Step:
    """An accepted step: state and figures at its end.

    ``past`` are the states before it with their times, the latest first, and ``share`` is that of
    BDF2 in the time formula.
    """

    time: float
    step_size: float
    applied: float
    state: State
    report: NewtonReport
    order: int
    error: float
    gamma_dt: float
    u_hist: np.ndarray
    n_hist: np.ndarray
    past: list[tuple[float, State]]
    share: float


@dataclass(frozen=True)
class StepLimits:
    """Tolerances and limits of the stepper.

    ``concentration`` (units of 1e21 cm^-3) and ``temperature`` (K) are the local errors allowed
    in a step, ``empty`` the share of ``concentration`` that is allowed in a cell without vacancies
    (it grows with what the cell holds, to all of it), ``voltage`` the largest change of the applied
    voltage in a step (V), ``shortest`` the step below which the stepper gives up (s); ``fixed``
    steps all alike (s), without control.
    """

    concentration: float = 1e-2
    empty: float = 1.0
    temperature: float = 5.0
    voltage: float = 0.08
    shortest: float = 1e-16
    fixed: float | None = None


def top_of(vacancy: Vacancy) -> float:
    """Largest concentration that a cell may hold (1e21 cm^-3)."""
    return vacancy.site_limit / CONCENTRATION if vacancy.site_exclusion else np.inf


def reach_of(n: np.ndarray, trend: np.ndarray, vacancy: Vacancy) -> np.ndarray:
    """Share of a trend after which each cell is empty or full, but for ``FILL``."""
    room = top_of(vacancy) - n
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(trend < 0, (n + FILL) / -trend, (room + FILL) / trend)


@dataclass(frozen=True)
class Position:
    """Where a run stands after an accepted step: the corner it is on the way to, the length of the
    next step (s), and the number of steps that are still to grow carefully."""

    corner: int
    step: float
    caution: int


@dataclass
class Statistics:
    """Counts over a run."""

    steps: int = 0
    newton_iterations: int = 0
    factorisations: int = 0
    rejected: int = 0
    rejections: list[Rejection] = field(default_factory=list)

    def reject(self, rejection: Rejection) -> None:
        """Count a rejected step and keep why."""
        self.rejected += 1
        self.rejections.append(rejection)


class Stepper:
    """Runs a problem along a waveform; one object holds the changing state of a simulation."""

    def __init__(self, problem: CellProblem, solver, limits: StepLimits):
        self.problem, self.solver, self.limits = problem, solver, limits
        self.statistics = Statistics()
        self.position: Position | None = None

    def run(
        self,
        state: State,
        voltage: Callable[[float], float],
        corners: np.ndarray,
        first_step: float,
    ) -> Iterator[Step]:
        """Yield each accepted step from corners[0] to corners[-1].

        Raises as ``resume`` does.
        """
        past: list[tuple[float, State]] = [(float(corners[0]), state.copy())]
        step = first_step if self.limits.fixed is None else self.limits.fixed
        return self.resume(past, Position(1, step, 0), voltage, corners)

    def resume(
        self,
        past: list[tuple[float, State]],
        position: Position,
        voltage: Callable[[float], float],
        corners: np.ndarray,
    ) -> Iterator[Step]:
        """Yield each accepted step from a ``position`` on.

        ``past`` holds the last states with their times, the latest first, up to three. Whoever
        continues from them and from ``position`` repeats the arithmetic of an undisturbed run.

        Raises SolverError, with a diagnosis of field, place, time and what to try, when no step
        of at least ``limits.shortest`` succeeds.
        """
        limits, step, caution = self.limits, position.step, position.caution
        for number in range(position.corner, len(corners)):
            corner = corners[number]
            kink = past[0][0] <= corners[number - 1]
            if kink:
                caution = 0
            while past[0][0] < corner:
                time = past[0][0]
                remaining = corner - time
                step = min(step, self._voltage_limit(voltage, time, corner))
                if remaining <= step * (1 + 1e-9):
                    end, planned = float(corner), step
                # two equal steps to the corner instead of a full one and a crumb: BDF2 dislikes
                # steps that change suddenly
                elif limits.fixed is None and remaining < 2 * step:
                    end, planned = time + remaining / 2, step
                else:
                    end, planned = time + step, step
                result = self._attempt(past, end, voltage, kink)
                if isinstance(result, Step):
                    past = [(result.time, result.state), *past[:2]]
                    kink = False
                    self.statistics.steps += 1
                    caution = max(0, caution - 1)
                    grown = self._next_size(result.error, result.order, result.report)
                    if caution:
                        grown = min(grown, CAUTIOUS_GROWTH)
                    # a step cut short by the corner does not shorten the next
                    step = (
                        max(planned, (end - time) * grown) if grown >= 1 else (end - time) * grown
                    )
                    if limits.fixed is not None:
                        step = limits.fixed
                    self.position = Position(number, step, caution)
                    yield result
                    continue
                factor, rejection, report = result
                # where Newton failed, steps grow slowly for a while, or it fails at every other
                if not report.converged:
                    caution = CAUTION
                self.statistics.reject(rejection)
                step = rejection.step_size * factor
                if step < limits.shortest or limits.fixed is not None:
                    raise self._give_up(rejection, report, past[0][1])

    def _error_power(self, past, kink: bool) -> int:
        """Power of a step's length that its estimated error goes with."""
        # without a history the estimate is what moves
        return 1 if len(past) == 1 else 3

    def _voltage_limit(self, voltage, time: float, corner: float) -> float:
        """Longest step that changes the (piecewise linear) applied voltage by at most the limit."""
        slope = abs(voltage(corner) - voltage(time)) / (corner - time)
        return self.limits.voltage / slope if slope > 0 else np.inf

    def _history(self, past, h: float) -> tuple[float, np.ndarray, np.ndarray, float]:
        """g, (V, T)_h and n_h of the time formula, and the share of BDF2 in it. Collective.

        BDF2 extrapolates the past, n_h = n1 + b (n1 - n0), and may leave 0 <= n <= n_max where a
        cell empties or fills within a step. The face fluxes keep the bounds of n_h, so n_h is kept
        inside: b is scaled down (towards implicit Euler, in all cells alike, which conserves the
        inventory), and what is left below zero, at most ``FILL``, is filled up from all cells.
        """
        start, old = past[0]
        if len(past) == 1:
            return h, old.u, old.n, 0.0
        # BDF2 on unequal steps, w = h/h1: u_h = u1 + b (u1 - u0) and g = h - b h1 with
        # b = w^2/(1 + 2 w). Every share of b gives a formula that is exact for linear u.
        h1 = start - past[1][0]
        ratio = h / h1
        b = ratio**2 / (1 + 2 * ratio)
        trend = b * (old.n - past[1][1].n)
        reach = reach_of(old.n, trend, self.problem.device.vacancy)
        # the smallest reach of all cells, on all ranks, is the share that all of them take
        reach = reach[np.isfinite(reach)]
        (negative,) = self.problem.maximum(-reach.min() if reach.size else -1.0)
        share = float(np.clip(-negative, 0.0, 1.0))
        n_hist = old.n + share * trend
        n_hist = self._inside(n_hist)
        u_hist = old.u + share * b * (old.u - past[1][1].u)
        return h - share * b * h1, u_hist, n_hist, share

    def _inside(self, n: np.ndarray) -> np.ndarray:
        """``n`` cut to 0 ... n_max, what that adds taken from all cells alike. Collective."""
        top, volume = top_of(self.problem.device.vacancy), self.problem.cell_volume
        # One factor for all cells: at most FILL is filled up, and that in a few cells of many, so
        # the others lose far less than the time error, and the inventory stays exact.
        cut = np.clip(n, 0.0, top)
        added, total = self.problem.sum(volume @ (cut - n), volume @ cut)
        return cut * (1.0 - added / total) if added else cut

    def _attempt(self, past, end: float, voltage, kink: bool):
        """One step; a Step, or (factor for the next try, Rejection, NewtonReport)."""
        problem = self.problem
        start, old = past[0]
        h = end - start
        order = 1 if len(past) == 1 else 2
        gamma_dt, u_hist, n_hist, share = self._history(past, h)
        applied_old, applied = voltage(start), voltage(end)
        predicted, error_constant = self._predict(past, end)
        if not problem.terms.motion:  # an extrapolation of what stays would round
            predicted.n = old.n.copy()
        guess = self._guess(past, predicted.copy(), (applied_old, applied), end, kink)
        np.clip(guess.n, 0.0, None, out=guess.n)
        problem.load_history(u_hist, n_hist, gamma_dt, end)
        report = self._solve(guess, applied)
        statistics = self.statistics
        statistics.newton_iterations += report.iterations
        statistics.factorisations += report.factorisations
        if not report.converged:
            reason = f"{report.reason} ({report.field})" if report.field else report.reason
            return 0.25, Rejection(start, h, reason), report
        (lowest,) = problem.maximum(-guess.n.min() if guess.n.size else 0.0)
        if lowest > FILL:
            return 0.5, Rejection(start, h, "the concentration became negative"), report
        guess.n = self._inside(guess.n)
        error = 0.0
        if error_constant:
            # a gap's resistance goes with the relative error of the little that is left in it
            weight = 1.0 / np.minimum(1.0, self.limits.empty + guess.n)
            missed = weight * np.abs(guess.n - predicted.n)
            difference_n = missed.max() if guess.n.size else 0.0
            difference_t = np.abs((guess.u - predicted.u)[1::2]).max() if guess.u.size else 0.0
            difference_n, difference_t = problem.maximum(difference_n, difference_t)
            if order == 2 and share < 1.0:
                # what is missing to BDF2 is made by implicit Euler, with its error h^2 n''/2
                bend = guess.n - old.n - h / (start - past[1][0]) * (old.n - past[1][1].n)
                (largest,) = problem.maximum((weight * np.abs(bend)).max() if bend.size else 0.0)
                difference_n += 0.5 * (1.0 - share) * largest
            parts = {
                "vacancy concentration": error_constant * difference_n / self.limits.concentration,
                "temperature": self._temperature_error(
                    error_constant * difference_t, past, guess, (applied_old, applied), h, kink
                ),
            }
            # how a line is charged counts, how it is emptied does not: that end is known
            if problem.series.capacitance and applied:
                allowed = max(CHARGING * abs(guess.contact), LEAST)
                parts["potential"] = (
                    error_constant * abs(guess.contact - predicted.contact) / allowed
                )
            error = max(parts.values())
            if error > 1.0 and self.limits.fixed is None:
                which = max(parts, key=lambda name: parts[name])
                power = self._error_power(past, kink)
                factor = max(0.1 if power > 1 else 0.02, SAFETY * error ** (-1.0 / power))
                report.field = which
                change = State(guess.u - predicted.u, guess.n - predicted.n, 0.0)
                report.position = problem.place_of_largest(change, which)
                return factor, Rejection(start, h, f"time error too large ({which})"), report
        return Step(
            time=end,
            step_size=h,
            applied=applied,
            state=guess,
            report=report,
            order=order,
            error=error,
            gamma_dt=gamma_dt,
            u_hist=u_hist,
            n_hist=n_hist,
            past=past,
            share=share,
        )

    def _guess(
        self, past, predicted: State, applied: tuple[float, float], end: float, kink: bool
    ) -> State:
        """Where the iteration starts; changes ``predicted``. ``applied``: before and after (V)."""
        old = past[0][1]
        if not self.solver.extrapolates:
            return State(old.u.copy(), predicted.n, old.contact)
        if kink:
            # Behind a corner the slope of V is another one: V follows the applied voltage, and T,
            # whose rate is not known yet, stays.
            scale = applied[1] / applied[0] if applied[0] else 0.0
            predicted.u[0::2] = old.u[0::2] * scale
            predicted.contact = old.contact * scale
            predicted.u[1::2] = old.u[1::2]
        return predicted

    def _solve(self, guess: State, applied: float) -> NewtonReport:
        """Solve the step from a guess, which is overwritten. Collective."""
        return self.solver.solve(guess, applied)

    def _temperature_error(
        self, error: float, past, new: State, applied: tuple[float, float], h: float, kink: bool
    ) -> float:
        """Estimated error of the temperature (K) in units of what is allowed. Collective."""
        # behind a corner the extrapolated temperature is no prediction to compare with
        return 0.0 if kink else error / self.limits.temperature

    def _predict(self, past, end: float) -> tuple[State, float]:
        """Extrapolated state and the share of (solution - prediction) that is local error."""
        start, old = past[0]
        h = end - start
        if len(past) == 1:
            return old.copy(), 0.5
        # Milne's device: prediction and solution miss the true value on opposite sides by known
        # multiples of one derivative, so their distance tells the share that the solution misses.
        h1 = start - past[1][0]
        if len(past) == 2:
            x = h / h1
            weights = (1 + x, -x)
            # h (h + h1)/2 u'' against h^2/2 u'': exact for Euler, a safe over-estimate for BDF2
            constant = h / (2 * h + h1)
        else:
            h2 = past[1][0] - past[2][0]
            t = (0.0, -h1, -h1 - h2)
            weights = tuple(
                np.prod([(h - t[j]) / (t[i] - t[j]) for j in range(3) if j != i]) for i in range(3)
            )
            # h (h + h1) (h + h1 + h2)/6 u''' of the parabola against c h (h + h1)/6 u''' of BDF2
            c = h * (h + h1) / (2 * h + h1)
            constant = c / (h + h1 + h2 + c)
        states = [entry[1] for entry in past[: len(weights)]]
        return (
            State(
                sum(w * s.u for w, s in zip(weights, states, strict=True)),
                sum(w * s.n for w, s in zip(weights, states, strict=True)),
                float(sum(w * s.contact for w, s in zip(weights, states, strict=True))),
            ),
            float(constant),
        )

    def _next_size(self, error: float, order: int, report: NewtonReport) -> float:
        grown = LARGEST_GROWTH if error == 0.0 else SAFETY * error ** (-1.0 / (order + 1))
        # many iterations announce that the next longer step would fail
        if report.iterations > 6:
            grown = min(grown, 1.0)
        return float(np.clip(grown, 0.3, LARGEST_GROWTH))

    def _give_up(self, rejection: Rejection, report: NewtonReport, state: State) -> SolverError:
        (hottest,) = self.problem.maximum(state.u[1::2].max() if state.u.size else 0.0)
        where = f"t = {rejection.time:.6g} s, step {rejection.step_size:.3g} s"
        if report.position is not None:
            r, z = (1e9 * x for x in report.position)
            where += f", {report.field} at r = {r:.2f} nm, z = {z:.2f} nm"
        return SolverError(
            f"no time step succeeds: {rejection.reason}",
            where=f"{where}, peak temperature {hottest:.0f} K",
            hint="Try a lower voltage, a slower sweep, a finer mesh or a larger series resistance",
            diagnosis={
                "field": report.field,
                "place": report.position,
                "time": rejection.time,
                "step_size": rejection.step_size,
                "reason": rejection.reason,
                "temperature_max": hottest,
            },
        )
