"""A device and a protocol become a dataset."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from devicephys.device import Device
from devicephys.errors import InputError, Interrupted, SolverError
from devicephys.installation import require_solver
from devicephys.protocol import IVSweep, Waveform
from devicephys.settings import Settings
from devicephys.trace import ProgressEvent, Trace

if TYPE_CHECKING:
    from mpi4py import MPI

    from devicephys.fem.equations import CellProblem, State
    from devicephys.fem.stepper import Stepper

#: length of the first time step as a share of the protocol, if nothing moves faster
FIRST_STEP = 1e-5


def simulate(
    device: Device,
    protocol: Waveform | None = None,
    settings: Settings | None = None,
    progress: Callable[[ProgressEvent], None] | None = None,
    comm: MPI.Intracomm | None = None,
) -> xr.Dataset:
    """Simulate a protocol on a device with the finite-element solver.

    Parameters
    ----------
    device : the cell, from ``load_device``.
    protocol : what is done to it; by default the I-V sweep the device is meant for.
    settings : how it is solved; by default the preset "default".
    progress : called after each accepted step with a ``ProgressEvent``.
    comm : MPI communicator, by default all ranks; every rank receives the whole dataset.

    Returns
    -------
    Dataset of schema ``IVTrace`` version 1: on ``time`` the voltage [V], current [A], resistance
    [ohm], peak temperature [K], balances [1] and step figures; fields on the r-z grid at the
    points A-H (``analysis.loop_figures``) and on up to 60 frames. Equations: Shi et al., Nat.
    Commun. 16, 913 (2025), Eqs. (5)-(11).

    Raises
    ------
    InputError : the settings do not fit the device.
    SolverError : no time step succeeds; ``partial`` holds the dataset up to the last good state,
        ``diagnosis`` the field, place and time.
    Interrupted : Ctrl-C; ``partial`` as above.
    InstallationError : no finite-element stack or no C compiler.
    """
    started = time.perf_counter()
    require_solver()
    from devicephys.fem.observables import Observer

    settings = settings or Settings.preset()
    protocol = protocol if protocol is not None else IVSweep.from_device(device)
    if not isinstance(protocol, Waveform):
        raise InputError(f"{type(protocol).__name__} is no protocol", "simulate", "Give an IVSweep")
    problem, stepper, initial = _prepare(device, settings, comm)
    observer = Observer(problem, initial)
    trace = Trace(device, protocol, settings, problem, observer, started)
    trace.start(initial)
    ramp = np.diff(protocol.corners).min()
    try:
        for step in stepper.run(
            initial, protocol.voltage, protocol.corners, FIRST_STEP * min(protocol.duration, ramp)
        ):
            trace.append(step)
            if progress is not None:
                progress(trace.event(len(stepper.statistics.rejections)))
    except KeyboardInterrupt:
        partial = trace.dataset(stepper.statistics, complete=False)
        raise Interrupted(
            "interrupted", where=f"t = {trace.rows[-1].time:.6g} s", partial=partial
        ) from None
    except SolverError as error:
        error.partial = trace.dataset(stepper.statistics, complete=False)
        raise
    return trace.dataset(stepper.statistics, complete=True)


def _prepare(
    device: Device, settings: Settings, comm: MPI.Intracomm | None
) -> tuple[CellProblem, Stepper, State]:
    """Problem, stepper and initial state for a device and settings."""
    from mpi4py import MPI

    from devicephys.fem.equations import CellProblem
    from devicephys.fem.mesh import make_grid
    from devicephys.fem.newton import NewtonSolver
    from devicephys.fem.staggered import StaggeredSolver
    from devicephys.fem.stepper import StepLimits, Stepper

    grid = make_grid(
        device,
        settings.cell_size,
        settings.cell_growth,
        split=settings.mesh_split,
        radial_scale=settings.radial_scale,
    )
    problem = CellProblem(device, grid, comm if comm is not None else MPI.COMM_WORLD)
    solver: Any
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
        shortest=settings.shortest_step,
    )
    return problem, Stepper(problem, solver, limits), problem.initial_state()
