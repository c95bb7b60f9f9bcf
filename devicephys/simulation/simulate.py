"""A device and a protocol become a dataset."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from ddkbase.errors import InputError, Interrupted, SolverError, shorten
from ddkbase.installation import require_solver
from ddkbase.records import fingerprint
from devicephys.device import Device
from devicephys.protocol.waveform import IVSweep, Waveform
from devicephys.simulation.iv_record import ProgressEvent, Trace
from devicephys.simulation.pulses import simulate_pulses
from devicephys.simulation.settings import Settings

if TYPE_CHECKING:
    from devicephys.simulation.checkpoint import Checkpoint

__all__ = ["simulate", "simulate_pulses"]

#: length of the first time step as a share of the protocol, if nothing moves faster
FIRST_STEP = 1e-3


def simulate(
    device: Device,
    protocol: Waveform | None = None,
    settings: Settings | None = None,
    progress: Callable[[ProgressEvent], None] | None = None,
    comm: Any = None,
    checkpoint: Checkpoint | None = None,
) -> xr.Dataset:
    """Simulate a protocol on a device with the finite-element solver.

    Parameters
    ----------
    device : Device
        The cell, from ``load_device``.
    protocol : Waveform or None, optional
        What is done to it; by default the I-V sweep the device is meant for.
    settings : Settings or None, optional
        How it is solved; by default the preset "default".
    progress : callable or None, optional
        Called after each accepted step with a ``ProgressEvent``.
    comm : mpi4py.MPI.Comm or None, optional
        mpi4py communicator, by default all ranks; every rank receives the whole dataset.
    checkpoint : Checkpoint or None, optional
        Where the run is put away every so many steps, and from where it goes on. It holds all steps
        so far (35 kB each at the preset "default").

    Returns
    -------
    xarray.Dataset
        Dataset of schema ``IVTrace`` version 1: on ``time`` the voltage [V], current [A],
        resistance [ohm], peak temperature [K], balances [1] and step figures; fields on the r-z
        grid at the points A-H (``analysis.loop_figures``) and on up to 60 frames. Equations: Shi et
        al., Nat. Commun. 16, 913 (2025), Eqs. (5)-(11).

    Raises
    ------
    InputError
        An argument of the wrong kind, a protocol that does not start at 0 V, or settings that do
        not fit the device.
    StorageError
        The checkpoint is damaged, of another run, or cannot be written.
    SolverError
        No time step succeeds; ``partial`` holds the dataset up to the last good state,
        ``diagnosis`` the field, place and time.
    Interrupted
        Ctrl-C; ``partial`` as above.
    InstallationError
        No finite-element stack or no C compiler.
    """
    started = time.perf_counter()
    _check(device, protocol, settings, progress, comm)
    require_solver()
    from devicephys.fem.assembly import prepare
    from devicephys.fem.observables import Observer
    from devicephys.fem.sweep_checkpoint import SweepCheckpoint

    settings = settings if settings is not None else Settings.preset()
    protocol = protocol if protocol is not None else IVSweep.from_device(device)
    problem, stepper, initial = prepare(device, settings, comm)
    observer = Observer(problem, initial)
    trace = Trace(device, protocol, settings, problem, observer, started)
    trace.start(initial)
    described = fingerprint(device.to_yaml(), protocol.to_dict(), settings.to_dict())
    saved = SweepCheckpoint(checkpoint, described, trace)
    found = saved.restore(stepper)
    ramp = np.diff(protocol.corners).min()
    first_step = FIRST_STEP * min(protocol.duration, ramp)
    try:
        for step in (
            stepper.run(initial, protocol.voltage, protocol.corners, first_step)
            if found is None
            else stepper.resume(*found, protocol.voltage, protocol.corners)
        ):
            trace.append(step)
            saved.after_step(stepper)
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


def _check(device: object, protocol: object, settings: object, progress: object, comm: Any) -> None:
    """InputError for an argument of ``simulate`` that is of the wrong kind."""
    for value, fits, what, hint in (
        (device, isinstance(device, Device), "device", "Give a Device, from load_device(...)"),
        (protocol, isinstance(protocol, Waveform), "protocol", "Give an IVSweep or a Waveform"),
        (settings, isinstance(settings, Settings), "settings", 'Give Settings.preset("quick")'),
        (progress, callable(progress), "progress", "Give a function of one ProgressEvent"),
        (comm, callable(getattr(comm, "Get_size", None)), "comm", "Give an mpi4py communicator"),
    ):
        if not fits and (value is not None or what == "device"):
            raise InputError(f"{shorten(value)} is no {what}", f"simulate, {what}", hint)
    if isinstance(protocol, Waveform) and protocol.voltage(0.0) != 0:
        # The initial state is the cell at rest, of which any other first row would be untrue.
        raise InputError(
            f"starts at {protocol.voltage(0.0):g} V, but the cell starts at rest at 0 V",
            "simulate, protocol",
            "Start the waveform at 0 V",
        )
