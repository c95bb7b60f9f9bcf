"""The flat top of pulses: a place on it, and steps along it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from devicephys.fem.equations import CellProblem, State
from devicephys.fem.pulses.stepper import highest_activation, moved_by_heat
from devicephys.fem.stepper import Step, StepLimits, Stepper


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
