"""Time stepping of pulses while the vacancies are held: heat and current alone.

The stepper of moving vacancies judges a temperature by what it moves. Where nothing moves the
temperature is what is asked for, and is followed as in a sweep: BDF2 that hits every corner, its
local error held below the tolerance of the temperature, a limit on the change of the voltage.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from devicephys.fem.equations import CellProblem, State
from devicephys.fem.newton import POWER_FLOOR, NewtonReport, NewtonSolver
from devicephys.fem.pulses.stepper import Memory
from devicephys.fem.stepper import Step, StepLimits, Stepper
from devicephys.protocol.waveform import Waveform

#: length of the first step, as a share of the shortest part of a pulse
FIRST_SHARE = 0.01


class HeatStepper(Stepper):
    """Steps one period of a train at a time; ``memory`` stays empty: no pulse guides the next."""

    solver: NewtonSolver

    def __init__(self, problem: CellProblem, solver: NewtonSolver, limits: StepLimits):
        super().__init__(problem, solver, limits)
        self.memory = Memory()
        self._peak_power = POWER_FLOOR

    def run_pulse(
        self, state: State, waveform: Waveform, soft: Sequence[float] = ()
    ) -> Iterator[Step]:
        """Yield each accepted step of a waveform, every corner hit, also those in ``soft``.

        Raises SolverError as ``Stepper.run`` does.
        """
        # Factors are not carried over, so that a run continued from a checkpoint is the same run.
        self.solver.forget()
        self._peak_power = POWER_FLOOR
        corners = waveform.corners
        first = FIRST_SHARE * float(np.diff(corners).min())
        for step in self.run(state, waveform.voltage, corners, first):
            power = abs(step.applied * self.problem.current(step.state.u))
            self._peak_power = max(self._peak_power, power)
            yield step

    def _solve(self, guess: State, applied: float) -> NewtonReport:
        # without a voltage what decays is small against the heat of the pulse
        floor = self._peak_power if applied == 0.0 else POWER_FLOOR
        return self.solver.solve(guess, applied, power_floor=floor)
