"""From a device and settings to a problem, a solver and a stepper.

The stepper of pulses with moving vacancies judges a temperature by what it moves. Where nothing
moves (`HeatStepper`) the temperature is what is asked for, and is followed as in a sweep: BDF2 that
hits every corner, its local error held below the tolerance of the temperature, a limit on the
change of the voltage.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from mpi4py import MPI

from ddkbase.errors import InputError
from devicephys.device import Device
from devicephys.fem.equations import CellProblem, State, Terms
from devicephys.fem.mesh import Grid, make_grid
from devicephys.fem.newton import POWER_FLOOR, NewtonReport, NewtonSolver
from devicephys.fem.pulses.stepper import Memory, PulseStepper
from devicephys.fem.staggered import StaggeredSolver
from devicephys.fem.stepper import Step, StepLimits, Stepper
from devicephys.fem.tangents import Tangents
from devicephys.protocol.waveform import Waveform
from devicephys.simulation.settings import Settings

#: the one-pass scheme gives up below this step, s
ONE_PASS_SHORTEST = 1e-10
#: Newton's tolerance of pulses relative to that of sweeps: still a thirtieth of their time error,
#: and the balances do not depend on it (docs/performance.md)
PULSE_NEWTON = 5.0
#: share of a sweep's allowed error of the concentration that is allowed where none is left: halves
#: the time error of the high resistance for a quarter more steps (docs/performance.md)
EMPTY = 0.03


def prepare(
    device: Device, settings: Settings, comm: MPI.Intracomm | None = None
) -> tuple[CellProblem, Stepper, State]:
    """Problem, stepper and initial state for a device and settings."""
    problem = _problem(device, settings, comm)
    solver: NewtonSolver | StaggeredSolver
    if settings.scheme == "monolithic":
        solver = NewtonSolver(problem, settings.newton_tolerance, settings.newton_iterations)
    else:
        solver = StaggeredSolver(
            problem, settings.newton_tolerance, one_pass=settings.scheme == "one-pass"
        )
    limits = StepLimits(
        concentration=settings.concentration_tolerance,
        empty=EMPTY,
        # the lag of a one-pass temperature does not shrink with the step: no use in judging it
        temperature=settings.temperature_tolerance if settings.scheme != "one-pass" else np.inf,
        voltage=settings.voltage_step,
        # one pass can crawl where its fields disagree: better to say so than to go on for hours
        shortest=max(settings.shortest_step, ONE_PASS_SHORTEST)
        if settings.scheme == "one-pass"
        else settings.shortest_step,
    )
    return problem, Stepper(problem, solver, limits), problem.initial_state()


def prepare_pulses(
    device: Device, settings: Settings, comm: MPI.Intracomm | None = None
) -> tuple[CellProblem, PulseStepper | HeatStepper]:
    """Problem and pulse stepper for a device and settings.

    Raises
    ------
    InputError
        A scheme other than the monolithic one.
    """
    if settings.scheme != "monolithic":
        raise InputError(
            f"pulses are not solved with the scheme '{settings.scheme}'",
            "settings.scheme",
            "Use 'monolithic'",
        )
    problem = _problem(device, settings, comm)
    problem.series = device.series.pulsed()
    if not settings.motion:
        solver = NewtonSolver(problem, settings.newton_tolerance, settings.newton_iterations)
        limits = StepLimits(
            temperature=settings.temperature_tolerance,
            voltage=settings.voltage_step,
            shortest=settings.shortest_step,
        )
        return problem, HeatStepper(problem, solver, limits)
    solver = NewtonSolver(
        problem, PULSE_NEWTON * settings.newton_tolerance, settings.newton_iterations, frugal=True
    )
    limits = StepLimits(concentration=settings.pulse_tolerance, shortest=settings.shortest_step)
    return problem, PulseStepper(problem, solver, limits)


def follow_tangents(stepper: Stepper, settings: Settings, parameters: Sequence[str]) -> Tangents:
    """What carries the derivatives of a run with respect to parameters of its device.

    Raises
    ------
    InputError
        No such parameter, or a scheme other than the monolithic one.
    """
    if settings.scheme != "monolithic":
        raise InputError(
            f"the scheme '{settings.scheme}' has no Jacobian to take sensitivities from",
            "settings.scheme",
            "Use 'monolithic'",
        )
    # a mesh that followed a length by jumps would have no derivative
    settings = settings.with_(mesh_of=settings.mesh_of or stepper.problem.device)
    tangents = Tangents(stepper, parameters, lambda device: _grid(device, settings))
    if isinstance(stepper, PulseStepper | HeatStepper):
        tangents.drive(lambda device: device.series.pulsed())
    return tangents


def _grid(device: Device, settings: Settings) -> Grid:
    sizes = settings.cell_size, settings.cell_growth, settings.mesh_split, settings.coarseness
    like = None if settings.mesh_of is None else make_grid(settings.mesh_of, *sizes)
    return make_grid(device, *sizes, like=like)


def _problem(device: Device, settings: Settings, comm: MPI.Intracomm | None) -> CellProblem:
    grid = _grid(device, settings)
    comm = comm if comm is not None else MPI.COMM_WORLD
    return CellProblem(device, grid, comm, Terms(motion=settings.motion), kernel=settings.kernel)


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
