"""From a device and settings to a problem, a solver and a stepper."""

from __future__ import annotations

import numpy as np
from mpi4py import MPI

from devicephys.device import Device
from devicephys.fem.equations import CellProblem, State
from devicephys.fem.mesh import make_grid
from devicephys.fem.newton import NewtonSolver
from devicephys.fem.staggered import StaggeredSolver
from devicephys.fem.stepper import StepLimits, Stepper
from devicephys.settings import Settings

#: the one-pass scheme gives up below this step, s
ONE_PASS_SHORTEST = 1e-10


def prepare(
    device: Device, settings: Settings, comm: MPI.Intracomm | None = None
) -> tuple[CellProblem, Stepper, State]:
    """Problem, stepper and initial state for a device and settings."""
    grid = make_grid(
        device,
        settings.cell_size,
        settings.cell_growth,
        split=settings.mesh_split,
        coarseness=settings.coarseness,
    )
    problem = CellProblem(device, grid, comm if comm is not None else MPI.COMM_WORLD)
    solver: NewtonSolver | StaggeredSolver
    if settings.scheme == "monolithic":
        solver = NewtonSolver(problem, settings.newton_tolerance, settings.newton_iterations)
    else:
        solver = StaggeredSolver(
            problem, settings.newton_tolerance, one_pass=settings.scheme == "one-pass"
        )
    limits = StepLimits(
        concentration=settings.concentration_tolerance,
        # the lag of a one-pass temperature does not shrink with the step: no use in judging it
        temperature=settings.temperature_tolerance if settings.scheme != "one-pass" else np.inf,
        voltage=settings.voltage_step,
        # one pass can crawl where its fields disagree: better to say so than to go on for hours
        shortest=max(settings.shortest_step, ONE_PASS_SHORTEST)
        if settings.scheme == "one-pass"
        else settings.shortest_step,
    )
    return problem, Stepper(problem, solver, limits), problem.initial_state()
