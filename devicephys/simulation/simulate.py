"""A device and a protocol become a dataset."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import xarray as xr

from ddkbase.errors import InputError, Interrupted, SolverError
from ddkbase.records import fingerprint
from devicephys.device import Device
from devicephys.device.entries import checked_parameters
from devicephys.installation import require_solver
from devicephys.population.variability import Variability
from devicephys.protocol.bake import Bake, EnduranceTest
from devicephys.protocol.pulse_train import PulseTrain
from devicephys.protocol.stored import Protocol
from devicephys.protocol.switching_scan import SwitchingScan
from devicephys.protocol.waveform import IVSweep, Waveform
from devicephys.reliability.endurance import simulate_endurance
from devicephys.reliability.retention import simulate_bake
from devicephys.simulation.checkpoint import Checkpoint
from devicephys.simulation.iv_record import Trace
from devicephys.simulation.pulses import check_start, digest_of, simulate_pulses
from devicephys.simulation.settings import Settings, check_arguments
from devicephys.simulation.switching_time import simulate_switching_times

__all__ = [
    "simulate",
    "simulate_bake",
    "simulate_endurance",
    "simulate_pulses",
    "simulate_switching_times",
]

#: length of the first time step as a share of the protocol, if nothing moves faster
FIRST_STEP = 1e-3
_PROTOCOLS = (
    "Give an IVSweep, a Waveform, a PulseTrain, a SwitchingScan, a Bake or an EnduranceTest"
)


def simulate(
    device: Device,
    protocol: Protocol | None = None,
    settings: Settings | None = None,
    progress: Callable[[Any], None] | None = None,
    comm: Any = None,
    checkpoint: Checkpoint | None = None,
    *,
    initial_resistance: object = None,
    initial_tolerance: float | None = None,
    variability: Variability | None = None,
    seed: int | None = None,
    cycle: int = 0,
    device_number: int = 0,
    start: xr.Dataset | None = None,
    sensitivities: Sequence[str] = (),
) -> xr.Dataset:
    """Simulate what a protocol does to a device, with the finite-element solver.

    Parameters
    ----------
    device : Device
        The cell, from ``load_device``.
    protocol : Waveform, IVSweep, PulseTrain, SwitchingScan, Bake, EnduranceTest or None, optional
        What is done to it; by default the I-V sweep the device is meant for.
    settings : Settings or None, optional
        How it is solved; by default the preset "default".
    progress : callable or None, optional
        Called with an event after each accepted step of a waveform, each pulse, each voltage of a
        scan.
    comm : mpi4py.MPI.Comm or None, optional
        mpi4py communicator, by default all ranks; every rank receives the whole dataset.
    checkpoint : Checkpoint or None, optional
        Where the run is put away every so many steps or pulses, and from where it goes on. That of
        a waveform holds all steps so far (35 kB each at the preset "default"); a scan has none.
    initial_resistance : str or Quantity, or None, optional
        Of a pulse train: see ``simulate_pulses``.
    initial_tolerance : float or None, optional
        Of a pulse train: how near to it the cell is brought [1]; by default 0.02.
    variability : Variability or None, optional
        Of a pulse train: the spreads of the population of which the cell is one.
    seed : int or None, optional
        Of a pulse train: with a seed the cell is drawn from a population.
    cycle, device_number : int, default 0
        Of a pulse train: which cell of the population, and which cycle of it.
    start : xarray.Dataset or None, optional
        Record of an earlier waveform, sweep, train or bake on the same mesh: the cell begins with
        the vacancies that this one ended with, at rest; by default as the device describes it.
    sensitivities : sequence of str, optional
        Dotted paths of numbers of the device, e.g. "filament.radius". The record of a waveform or a
        train then says how its current or conductance follows each of them, d ln I / d ln p [1], by
        tangents of the discrete solution on its own time steps (``devicephys.fem.tangents``).

    Returns
    -------
    xarray.Dataset
        Of a waveform or sweep: schema ``IVTrace`` version 1, on ``time`` the voltage [V], current
        [A], resistance [ohm], peak temperature [K], balances [1] and step figures; fields on the
        r-z grid at the points A-H (``loop_figures``) and on up to 60 frames. Of a train:
        ``PulseTrace``, see ``simulate_pulses``. Of a scan: ``SwitchingTime``, see
        ``simulate_switching_times``. Of a bake: ``Retention``, see ``simulate_bake``; of cycles:
        ``Endurance``, see ``simulate_endurance``.
        Equations: Shi et al., Nat. Commun. 16, 913 (2025),
        Eqs. (5)-(11).

    Raises
    ------
    InputError
        An argument of the wrong kind, or one that this protocol does not have; a waveform that
        does not start at 0 V, or settings that do not fit the device.
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
    cell: dict[str, Any] = {
        "initial_resistance": initial_resistance,
        "variability": variability,
        "seed": seed,
        "cycle": cycle,
        "device_number": device_number,
    }
    if isinstance(protocol, PulseTrain):
        more: dict[str, Any] = {"progress": progress, "comm": comm, "checkpoint": checkpoint}
        if start is not None:
            more["start"] = start
        if sensitivities:
            more["sensitivities"] = sensitivities
        if initial_tolerance is not None:
            more["initial_tolerance"] = initial_tolerance
        return simulate_pulses(device, protocol, settings, **cell, **more)
    cell["initial_tolerance"] = initial_tolerance
    only_trains = [name for name, value in cell.items() if value not in (None, 0)]
    if only_trains:
        raise InputError(
            f"only a train of pulses has {only_trains[0].replace('_', ' ')}",
            f"simulate, {only_trains[0]}",
            "Leave it out, or give a PulseTrain",
        )
    check_start(start)
    if sensitivities and (start is not None or not isinstance(protocol, Waveform | None)):
        raise InputError(
            "sensitivities are those of a waveform or a train that begins as the device describes",
            "simulate, sensitivities",
            "Leave them out, or give such a run",
        )
    if isinstance(protocol, EnduranceTest):
        return simulate_endurance(device, protocol, settings, progress, comm, checkpoint, start)
    if isinstance(protocol, Bake):
        return simulate_bake(device, protocol, settings, progress, comm, checkpoint, start)
    if isinstance(protocol, SwitchingScan):
        if start is not None:
            raise InputError(
                "a scan of switching times makes its own start states",
                "simulate, start",
                "Leave it out",
            )
        if checkpoint is not None:
            raise InputError(
                "a scan of switching times keeps no checkpoint",
                "simulate, checkpoint",
                "Leave it out; what was measured before Ctrl-C is in the error's 'partial'",
            )
        return simulate_switching_times(device, protocol, settings, progress, comm)
    return _simulate_waveform(
        device, protocol, settings, progress, comm, checkpoint, start, sensitivities
    )


def _simulate_waveform(
    device: Device,
    protocol: Waveform | None,
    settings: Settings | None,
    progress: Callable[[Any], None] | None,
    comm: Any,
    checkpoint: Checkpoint | None,
    start: xr.Dataset | None,
    sensitivities: Sequence[str],
) -> xr.Dataset:
    started = time.perf_counter()
    _check(device, protocol, settings, progress, comm)
    sensitivities = checked_parameters(device, sensitivities, "sensitivities")
    if sensitivities and checkpoint is not None:
        raise InputError(
            "a checkpoint does not hold sensitivities",
            "simulate, checkpoint",
            "Leave out the checkpoint or the sensitivities",
        )
    require_solver()
    # start-up: the finite-element stack takes seconds, and is not on every machine
    from devicephys.fem.assembly import follow_tangents, prepare
    from devicephys.fem.grid_fields import started_state
    from devicephys.fem.observables import Observer
    from devicephys.fem.sweep_checkpoint import SweepCheckpoint

    settings = settings if settings is not None else Settings.preset()
    protocol = protocol if protocol is not None else IVSweep.from_device(device)
    problem, stepper, initial = prepare(device, settings, comm)
    initial = initial if start is None else started_state(problem, start)
    observer = Observer(problem, initial)
    tangents = follow_tangents(stepper, settings, sensitivities) if sensitivities else None
    trace = Trace(device, protocol, settings, problem, observer, started, tangents)
    trace.start(initial)
    described = fingerprint(
        device.to_yaml(), protocol.to_dict(), settings.to_dict(), *digest_of(start)
    )
    saved = SweepCheckpoint(checkpoint, described, trace)
    restored = saved.restore(stepper)
    ramp = np.diff(protocol.corners).min()
    first_step = FIRST_STEP * min(protocol.duration, ramp)
    try:
        for step in (
            stepper.run(initial, protocol.voltage, protocol.corners, first_step)
            if restored is None
            else stepper.resume(*restored, protocol.voltage, protocol.corners)
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
    check_arguments(
        "simulate",
        device,
        settings,
        protocol=(protocol, isinstance(protocol, Waveform | None), _PROTOCOLS),
        progress=(
            progress,
            progress is None or callable(progress),
            "Give a function of one ProgressEvent",
        ),
        comm=(
            comm,
            comm is None or callable(getattr(comm, "Get_size", None)),
            "Give an mpi4py communicator",
        ),
    )
    if isinstance(protocol, Waveform) and protocol.voltage(0.0) != 0:
        # The initial state is the cell at rest, of which any other first row would be untrue.
        raise InputError(
            f"starts at {protocol.voltage(0.0):g} V, but the cell starts at rest at 0 V",
            "simulate, protocol",
            "Start the waveform at 0 V",
        )
