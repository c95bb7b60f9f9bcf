"""A device and a protocol become a dataset."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from devicephys.device import Device
from devicephys.errors import InputError, Interrupted, SolverError
from devicephys.installation import require_solver
from devicephys.protocol import IVSweep, Waveform
from devicephys.settings import Settings
from devicephys.trace import ProgressEvent, Trace

#: length of the first time step as a share of the protocol, if nothing moves faster
FIRST_STEP = 1e-3


def simulate(
    device: Device,
    protocol: Waveform | None = None,
    settings: Settings | None = None,
    progress: Callable[[ProgressEvent], None] | None = None,
    comm: Any = None,
) -> xr.Dataset:
    """Simulate a protocol on a device with the finite-element solver.

    Parameters
    ----------
    device : the cell, from ``load_device``.
    protocol : what is done to it; by default the I-V sweep the device is meant for.
    settings : how it is solved; by default the preset "default".
    progress : called after each accepted step with a ``ProgressEvent``.
    comm : mpi4py communicator, by default all ranks; every rank receives the whole dataset.

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
    from devicephys.fem.assembly import prepare
    from devicephys.fem.observables import Observer

    settings = settings or Settings.preset()
    protocol = protocol if protocol is not None else IVSweep.from_device(device)
    if not isinstance(protocol, Waveform):
        raise InputError(f"{type(protocol).__name__} is no protocol", "simulate", "Give an IVSweep")
    problem, stepper, initial = prepare(device, settings, comm)
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
