"""Bakes with the solver: the programmed cell, hotter surroundings, reads as time goes on.

The vacancies move by diffusion, drift in the voltage that is held (none, in a retention test) and
the Soret term of what heat that makes, by the same equations and time steps as in a sweep; steps
grow over as many decades as the bake has. Each read finds the cell at the device's own ambient
temperature and moves nothing.
"""

from __future__ import annotations

import time as clock
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import xarray as xr

from ddkbase.errors import Interrupted, SolverError
from ddkbase.records import fingerprint
from devicephys.device import Device
from devicephys.installation import require_solver
from devicephys.protocol.bake import Bake
from devicephys.reliability.retention_record import COMPUTED, BakeEvent
from devicephys.simulation.pulses import check_start, digest_of
from devicephys.simulation.settings import Settings, check_arguments

if TYPE_CHECKING:
    from devicephys.simulation.checkpoint import Checkpoint

__all__ = ["BakeEvent", "simulate_bake"]


def simulate_bake(
    device: Device,
    bake: Bake | None = None,
    settings: Settings | None = None,
    progress: Callable[[BakeEvent], None] | None = None,
    comm: Any = None,
    checkpoint: Checkpoint | None = None,
    start: xr.Dataset | None = None,
) -> xr.Dataset:
    """Bake a programmed cell at one or several ambient temperatures, and read it.

    Parameters
    ----------
    device : Device
        The cell, from ``load_device``.
    bake : Bake or None, optional
        Temperatures, length, reads; by default ten years at 85, 125, 200 and 250 degC from the
        high-resistance state.
    settings : Settings or None, optional
        How it is solved; by default the preset "default".
    progress : callable or None, optional
        Called after each read with a ``BakeEvent``.
    comm : mpi4py.MPI.Comm or None, optional
        mpi4py communicator, by default all ranks; every rank receives the dataset.
    checkpoint : Checkpoint or None, optional
        Where the run is put away every so many reads, and from where it goes on.
    start : xarray.Dataset or None, optional
        Record of an earlier run on the same mesh, with whose last vacancies each bake begins; by
        default the state that the bake names.

    Returns
    -------
    xarray.Dataset
        Dataset of schema ``Retention`` version 1, on (temperature, time): conductance [S] of the
        reads; on temperature the times [s] to the geometric mean and to the middle of the window
        between the cell's two states, NaN where the bake ended before. A temperature at which the
        solver gives up is in it with its reason.

    Raises
    ------
    InputError
        An argument of the wrong kind, or a cell without two states.
    SolverError
        The programmed state cannot be made, or no temperature could be computed; ``partial`` holds
        what was.
    StorageError
        The checkpoint is damaged, belongs to another run, or cannot be written.
    Interrupted
        Ctrl-C; ``partial`` as above.
    InstallationError
        No finite-element stack or no C compiler.
    """
    started = clock.perf_counter()
    bake = bake if bake is not None else Bake()
    settings = settings if settings is not None else Settings.preset()
    kind = isinstance(bake, Bake), "Give a Bake"
    check_arguments("simulate", device, settings, bake=(bake, *kind))
    settings.needs_motion("a bake")
    check_start(start)
    require_solver()
    from devicephys.reliability.oven import Oven  # optional: the finite-element stack

    run = Oven(device, bake, settings, progress, comm, start)
    described = (device.to_yaml(), bake.to_dict(), settings.to_dict(), *digest_of(start))
    run.fingerprint = fingerprint(*described)
    try:
        run.begin(checkpoint)
        while run.row < len(bake.temperatures):
            run.next(checkpoint)
    except KeyboardInterrupt:
        partial = run.dataset(started, complete=False)
        raise Interrupted("interrupted", run.where(), partial=partial) from None
    except SolverError as error:
        error.partial = run.dataset(started, complete=False)
        raise
    ds = run.dataset(started, complete=True)
    assert ds is not None  # the programmed state is there
    if not (run.status == COMPUTED).any():
        raise SolverError(
            f"no temperature could be computed: {run.status[-1]}",
            hint="Try a finer preset",
            partial=ds,
        )
    return ds
