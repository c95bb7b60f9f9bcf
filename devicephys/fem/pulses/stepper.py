"""Time stepping of pulses: long steps where nothing moves, short ones where something does.

What differs from a sweep:

* The error of the temperature counts by what it does to the vacancies, not in kelvin. Heating and
  cooling of a cell in which nothing moves then cost a step each; the formula is L-stable, so the
  temperature at the end of a long step is right although the way there is not resolved.
* A cold cell restarts the time formula, and the rest after a pulse is one step if nothing moves
  in it.
* Corners marked ``soft``, the edges of a read, are stepped over as long as steps succeed.
* A step starts from the fields that the same step of the previous pulse ended with, and from how
  they changed from the pulse before that. This memory belongs to the state of a run.

Nothing is carried from pulse to pulse but the state and that memory, so a run that is continued
from both repeats the same arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ddkbase.errors import SolverError
from devicephys.device import Oxide
from devicephys.fem.equations import CellProblem, State
from devicephys.fem.fluxes import KB_EV, exchanging
from devicephys.fem.newton import POWER_FLOOR, NewtonReport, NewtonSolver
from devicephys.fem.stepper import SAFETY, Rejection, Step, StepLimits, Stepper
from devicephys.protocol.waveform import Waveform

#: largest growth of a step, that after a failed Newton iteration, for so many steps, and none
GROWTH, CAUTIOUS, CAUTION, UNLIMITED = 3.0, 2.0, 4, 1e6
#: with a peak temperature that close to ambient (K) a cell counts as cold
COLD_RISE = 50.0
#: share of a flank or flat top that is tried first where nothing is known
FIRST_SHARE = 0.2
#: a step whose error is this small says nothing about the next: that may be as long as it likes
NO_ERROR = 1e-4
#: what implicit Euler misses of the movement, as a share of that: while the cell cools, and while
#: it heats (the true share depends on the flank; these are estimates from above)
COOLING, HEATING = 0.4, 0.5
#: growth, from pulse to pulse, of the limit that a rejection sets on the length of a step
RELAX = 1.2
#: steps after a corner in which remembered fields are better than extrapolated ones
EARLY = 3
#: steps and rejected steps of one period: a hundred times what a hard pulse takes
MOST_ATTEMPTS = 5000
#: a pulse that moves no concentration this far (1e21 cm^-3) has its temperature followed more
#: closely, in proportion, down to this movement, or this share of what an earlier pulse moved
FAR, NEAR, LITTLE = 1 / 3, 1e-3, 0.2
#: voltages may differ by this factor for fields to be scaled from one to the other
SIMILAR = 1.5


@dataclass
class Landmark:
    """One step of the previous pulse: its end (s), what length fits a first step next time, what
    length a later one had better not exceed, voltage (V), fields at its end, and how these had
    changed from the pulse before (0: not known)."""

    end: float
    length: float
    limit: float
    applied: float
    u: np.ndarray
    contact: float
    u_change: np.ndarray
    contact_change: float


@dataclass
class Memory:
    """Landmarks by number of the corner a step leads to and number of the step before it, the
    curvature that Newton's method met (``NewtonSolver.curvature``), and the largest change of a
    concentration (1e21 cm^-3) in the latest pulse, at least `NEAR` and the share `LITTLE` of the
    ``largest`` so far."""

    landmarks: dict[tuple[int, int], Landmark] = field(default_factory=dict)
    curvature: float = 0.0
    moved: float = np.inf
    largest: float = 0.0

    def saw(self, moved: float) -> None:
        """Take note of what a pulse moved (1e21 cm^-3)."""
        self.largest = max(self.largest, moved)
        self.moved = max(moved, LITTLE * self.largest, NEAR)

    def near(self, corner: int, since: int, end: float, step: float) -> Landmark | None:
        """The first step towards a corner, or the later one that ended where this one is to end."""
        if since == 0:
            return self.landmarks.get((corner, 0))
        for (towards, _), mark in self.landmarks.items():
            if towards == corner and abs(mark.end - end) < 1e-3 * step:
                return mark
        return None

    def forget_after(self, corner: int, since: int) -> None:
        """Drop steps towards a corner that were not made this time."""
        for key in [k for k in self.landmarks if k[0] == corner and k[1] >= since]:
            del self.landmarks[key]


def highest_activation(problem: CellProblem) -> float:
    """Largest barrier of what vacancies do [eV]: that reacts most to a wrong temperature."""
    materials = list(problem.device.materials.values())
    barriers = [m.diffusion_activation for m in materials if isinstance(m, Oxide)]
    barriers += [m.interface_exchange_activation or 0.0 for m in materials if exchanging(m)]
    return max(barriers)


def moved_by_heat(error: float, activation: float, hottest: float, moved: float) -> float:
    """What an error of the temperature [K] does to a movement, in units of that movement.

    D depends on the temperature as exp(-Ea/kB T): an error dT changes the movement by the share
    Ea dT/(kB T^2), half of that on average over the step.
    """
    return 0.5 * error * activation / (KB_EV * hottest**2) * moved


class PulseStepper(Stepper):
    """Steps one period of a train at a time; see the module's text."""

    solver: NewtonSolver

    def __init__(self, problem: CellProblem, solver: NewtonSolver, limits: StepLimits):
        super().__init__(problem, solver, limits)
        self.memory = Memory()
        self._activation = highest_activation(problem)
        self._corner = self._since = 0
        self._use_memory = self._cold = True
        self._applied = 0.0
        self._peak_power = 0.0

    def run_pulse(
        self, state: State, waveform: Waveform, soft: Sequence[float] = ()
    ) -> Iterator[Step]:
        """Yield each accepted step of a waveform, every corner hit but those in ``soft``.

        Raises SolverError as ``Stepper.run`` does.
        """
        # Factors are not carried over, so that a run continued from a checkpoint is the same run.
        self.solver.forget()
        self.solver.curvature = self.memory.curvature
        corners = waveform.corners
        self._cold, self._peak_power = True, 0.0
        past: list[tuple[float, State]] = [(float(corners[0]), state.copy())]
        ahead = [float(corner) for corner in corners[1:] if corner not in soft]
        optional = [float(corner) for corner in soft]
        step, attempts, resting = 0.0, 0, False
        while ahead:
            self._corner = int(np.searchsorted(corners, ahead[0]))
            self._since, self._use_memory = 0, True
            step = self._first_step(ahead[0] - past[0][0], step)
            caution = 0
            while past[0][0] < ahead[0]:
                attempts += 1
                if attempts > MOST_ATTEMPTS:
                    raise self._crawling(past[0][0], past[0][1])
                end = self._end(past[0][0], step, ahead[0])
                result = self._attempt(past, end, waveform.voltage, self._since == 0)
                if isinstance(result, Step):
                    growth = self._growth(result, caution)
                    self._remember(result, whole=end == ahead[0])
                    past = self._accepted(past, result)
                    # a step cut short by a corner does not shorten those after it
                    step = (
                        max(step, result.step_size * growth)
                        if growth >= 1
                        else (result.step_size * growth)
                    )
                    caution = max(0, caution - 1)
                    yield result
                    continue
                factor, rejection, report = result
                # what the pulse before did is no guide any more, and corners stepped over count
                self.statistics.reject(rejection)
                self._use_memory = False
                inside = [t for t in optional if past[0][0] < t < ahead[0]]
                if inside:
                    ahead, optional = inside + ahead, []
                    step = ahead[0] - past[0][0]
                    self._corner = int(np.searchsorted(corners, ahead[0]))
                    continue
                caution = caution if report.converged else CAUTION
                step = rejection.step_size * factor
                self._check(step, rejection, report, past[0][1])
            self.memory.forget_after(self._corner, self._since)
            del ahead[0]
            if self._applied == 0.0 and not resting:  # the rest may be long: it is no pulse
                resting = True
                (moved,) = self.problem.maximum(np.abs(past[0][1].n - state.n).max(initial=0.0))
                self.memory.saw(moved)
        self.memory.curvature = self.solver.curvature

    def _check(self, step: float, rejection: Rejection, report: NewtonReport, state: State) -> None:
        if step < self.limits.shortest:
            raise self._give_up(rejection, report, state)

    def _crawling(self, time: float, state: State) -> SolverError:
        (hottest,) = self.problem.maximum(state.u[1::2].max(initial=0.0))
        return SolverError(
            f"the pulse is not over after {MOST_ATTEMPTS} time steps",
            where=f"t = {time:.6g} s, peak temperature {hottest:.0f} K",
            hint="Try a lower voltage, a finer mesh or a larger series resistance",
            diagnosis={"time": time, "reason": "too many steps", "temperature_max": hottest},
        )

    def _first_step(self, length: float, before: float) -> float:
        """Length of the first step towards a corner that lies ``length`` ahead (s)."""
        mark = self.memory.landmarks.get((self._corner, 0))
        if mark is not None:
            return mark.length
        # a cold cell at no voltage: nothing happens until the next corner
        if self._cold and self._applied == 0.0 and before:
            return length
        return before or FIRST_SHARE * length

    def _end(self, time: float, step: float, corner: float) -> float:
        mark = self.memory.landmarks.get((self._corner, self._since))
        if mark is not None and self._since:
            step = min(step, mark.limit)
        remaining = corner - time
        if remaining <= step * (1 + 1e-9):
            return corner
        return time + (remaining / 2 if remaining < 2 * step else step)

    def _error_power(self, past, kink: bool) -> int:
        return 1 if kink else super()._error_power(past, kink)

    def _growth(self, result: Step, caution: int) -> float:
        if self._cold and result.applied == 0.0 and not caution:
            return UNLIMITED
        most = CAUTIOUS if caution else GROWTH
        if result.error < NO_ERROR:
            return most if caution else UNLIMITED
        grown = SAFETY * result.error ** (-1.0 / (result.order + 1))
        return float(np.clip(grown, 0.3, most))

    def _accepted(self, past, result: Step):
        """The history after a step; of a cold cell it starts anew, but where a line is charged.

        Collective.
        """
        problem = self.problem
        self.statistics.steps += 1
        self._since += 1
        self._use_memory = True
        self._applied = result.applied
        hottest, power = problem.maximum(
            result.state.u[1::2].max(initial=0.0),
            abs(result.applied * problem.current(result.state.u)),
        )
        self._peak_power = max(self._peak_power, power)
        self._cold = hottest - problem.device.ambient_temperature < COLD_RISE
        anew = self._cold and not problem.series.capacitance
        return [(result.time, result.state), *([] if anew else past[:2])]

    def _remember(self, result: Step, whole: bool) -> None:
        """Keep a step for the next pulse; the first towards a corner even where V = 0."""
        key = self._corner, self._since
        if result.applied == 0.0 and self._since:
            return
        before = self.memory.landmarks.get(key)
        alike = before and before.end == result.time and before.applied == result.applied
        u, contact = result.state.u, result.state.contact
        # the error of a first step, an Euler step, is proportional to its length
        fits = float(np.clip(SAFETY / max(result.error, NO_ERROR), 0.3, 1.0 if whole else 1.2))
        self.memory.landmarks[key] = Landmark(
            end=result.time,
            length=result.step_size * fits,
            limit=RELAX * (before.limit if before and self._use_memory else result.step_size)
            if before or not self._use_memory
            else np.inf,
            applied=result.applied,
            u=u,
            contact=contact,
            u_change=u - before.u if before and alike else np.zeros_like(u),
            contact_change=contact - before.contact if before and alike else 0.0,
        )

    # -- what a step is made of -------------------------------------------------------------

    def _history(self, past, h: float) -> tuple[float, np.ndarray, np.ndarray, float]:
        """As in a sweep, but implicit Euler after a corner, where the temperature has a kink."""
        if self._since == 0:
            return h, past[0][1].u, past[0][1].n, 0.0
        return super()._history(past, h)

    def _guess(
        self, past, predicted: State, applied: tuple[float, float], end: float, kink: bool
    ) -> State:
        old = past[0][1]
        mark = self.memory.near(self._corner, self._since, end, end - past[0][0])
        # without a voltage the potential is known exactly
        if applied[1] == 0.0:
            predicted.u[0::2], predicted.contact = 0.0, 0.0
            predicted.u[1::2] = old.u[1::2]
        elif mark is not None and self._fits(mark, applied[1]):
            ratio = applied[1] / mark.applied
            trend = 1.0 if mark.end == end else 0.0
            ambient = self.problem.device.ambient_temperature
            u = mark.u + trend * mark.u_change
            # V scales with the applied voltage and, at a fixed resistance, dT with its square
            predicted.u[0::2] = u[0::2] * ratio
            predicted.u[1::2] = ambient + (u[1::2] - ambient) * ratio**2
            predicted.contact = (mark.contact + trend * mark.contact_change) * ratio
        elif kink or len(past) == 1:
            ratio = applied[1] / applied[0] if applied[0] else 0.0
            predicted.u[0::2], predicted.contact = old.u[0::2] * ratio, old.contact * ratio
            predicted.u[1::2] = old.u[1::2]
        elif len(past) > 1 and self._since < EARLY:
            # the fields of before the corner say nothing about those after it
            share = (end - past[0][0]) / (past[0][0] - past[1][0])
            share = min(share, 0.5) if self._since == 1 else share
            older = past[1][1]
            predicted.u = old.u + share * (old.u - older.u)
            predicted.contact = old.contact + share * (old.contact - older.contact)
        return predicted

    def _fits(self, mark: Landmark, applied: float) -> bool:
        """Whether a remembered step is like the one to be made, and better than extrapolation."""
        # along a flat top the history predicts better, but for its first steps
        if not self._use_memory or mark.applied == 0.0 or self._since >= EARLY:
            return False
        return 1 / SIMILAR < applied / mark.applied < SIMILAR

    def _solve(self, guess: State, applied: float) -> NewtonReport:
        if applied == 0.0:
            # what decays is small against the heat of the pulse
            floor = max(POWER_FLOOR, self._peak_power)
            return self.solver.solve(guess, applied, reuse=self._cold, power_floor=floor)
        return self.solver.solve(guess, applied)

    def _temperature_error(
        self, error: float, past, new: State, applied: tuple[float, float], h: float, kink: bool
    ) -> float:
        """Movement of vacancies due to a wrong temperature, in units of what is allowed.

        The first step after a corner is implicit Euler, which takes all of the step to be as hot
        as its end; for the others see `moved_by_heat`.
        """
        problem, old = self.problem, past[0][1]
        hottest, moved, before = problem.maximum(
            max(new.u[1::2].max(initial=0.0), old.u[1::2].max(initial=0.0)),
            np.abs(new.n - old.n).max(initial=0.0),
            np.abs(old.n - past[1][1].n).max(initial=0.0) if len(past) > 1 else 0.0,
        )
        # flanks of equal pulses are wrong in the same sense, so that errors of a train add up
        allowed = self.limits.concentration * min(1.0, self.memory.moved / FAR)
        if not kink:
            return moved_by_heat(error, self._activation, hottest, moved) / allowed
        if len(past) > 1 and abs(applied[1]) < abs(applied[0]):
            return COOLING * before * h / (past[0][0] - past[1][0]) / allowed
        return HEATING * moved / allowed if len(past) > 1 else 0.0


@dataclass(frozen=True)
class FlatTop:
    """A place on the flat top: its last states with their times [s], the latest first, up to three,
    and the length of the next step [s]."""

    past: list[tuple[float, State]]
    step: float

    @property
    def hot(self) -> State:
        """The latest state."""
        return self.past[0][1]

    def after(self, step: Step, following: float) -> FlatTop:
        """The place that a step leads to."""
        return FlatTop([(step.time, step.state), *step.past[:2]], following)


class FlatTopStepper(Stepper):
    """BDF2 along a constant voltage; the temperature's error counts by what it moves."""

    def __init__(self, problem: CellProblem, solver: Any, limits: StepLimits):
        super().__init__(problem, solver, limits)
        self._activation = highest_activation(problem)

    def _guess(
        self, past, predicted: State, applied: tuple[float, float], end: float, kink: bool
    ) -> State:
        return predicted  # the voltage is the same before and after every corner

    def _temperature_error(
        self, error: float, past, new: State, applied: tuple[float, float], h: float, kink: bool
    ) -> float:
        problem = self.problem
        hottest, moved = problem.maximum(
            new.u[1::2].max(initial=0.0), np.abs(new.n - past[0][1].n).max(initial=0.0)
        )
        moved = moved_by_heat(error, self._activation, hottest, moved)
        return moved / self.limits.concentration
