"""Program-and-verify cycles with the solver, and their record, ``Endurance`` version 1."""

from __future__ import annotations

import dataclasses
import time as clock
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from ddkbase.errors import InputError, Interrupted, SolverError, StorageError
from ddkbase.records import fingerprint
from ddkbase.schemas import ANYWHERE, FLOAT, INT, NEVER, TEXT, Schema, VariableSpec, labelled
from devicephys.device import Device
from devicephys.installation import require_solver
from devicephys.protocol.bake import EnduranceTest
from devicephys.simulation.preparation import program_and_verify
from devicephys.simulation.provenance import provenance, warning_of
from devicephys.simulation.pulses import check_start, digest_of
from devicephys.simulation.schemas import end_variables
from devicephys.simulation.settings import Settings, check_arguments

if TYPE_CHECKING:
    from devicephys.fem.pulses.runner import PulseRunner
    from devicephys.simulation.checkpoint import Checkpoint

__all__ = ["COLUMNS", "ENDURANCE", "CycleEvent", "endurance_dataset", "simulate_endurance"]


STATES = ("high", "low")
#: variables on (cycle, state) in the order in which they are collected
COLUMNS = ("resistance", "pulses", "amplitude_largest", "temperature_max")
_GRID = ("cycle", "state")


def _check(ds: xr.Dataset) -> str | None:
    if not len(ds["cycle"]) or np.any(np.diff(ds["cycle"].values) != 1) or ds["cycle"][0] != 1:
        return "'cycle' must count from 1"
    if [str(state) for state in ds["state"].values] != list(STATES):
        return f"'state' must be {' and '.join(STATES)}"
    return None


ENDURANCE = Schema(
    name="Endurance",
    version=1,
    variables={
        "resistance": VariableSpec(_GRID, "ohm", FLOAT, ANYWHERE, "Resistance that was reached"),
        "pulses": VariableSpec(_GRID, "1", INT, NEVER, "Pulses that it took"),
        "amplitude_largest": VariableSpec(
            _GRID, "V", FLOAT, ANYWHERE, "Height of the largest pulse, with its sign"
        ),
        "temperature_max": VariableSpec(_GRID, "K", FLOAT, ANYWHERE, "Peak temperature"),
        "initial_resistance": VariableSpec((), "ohm", FLOAT, NEVER, "Resistance at the start"),
        "cycle": VariableSpec(("cycle",), "1", INT, NEVER, "Cycle"),
        "state": VariableSpec(("state",), "1", TEXT, NEVER, "State that was programmed"),
    },
    attrs=(
        "title",
        "device_yaml",
        "created",
        "voltage_reference",
        "method",
        "outcome",
        "ranks",
        "seed",
        "complete",
        "source_checksum",
    ),
    json_attrs=("settings_json", "protocol_json", "versions_json", "headline_json"),
    check=_check,
)


def endurance_dataset(
    device: Device,
    protocol: EnduranceTest,
    settings: Settings,
    table: np.ndarray,
    initial_resistance: float,
    outcome: str,
    end: Mapping[str, np.ndarray],
    *,
    ranks: int,
    seconds: Mapping[str, float],
    complete: bool,
) -> xr.Dataset:
    """The Endurance of the cycles done so far.

    ``table`` has shape (cycles, 2, len(COLUMNS)), NaN where a state was not reached; ``outcome``
    says why the cycles ended; ``end`` is the last state, as
    `devicephys.fem.grid_fields.end_fields` gives it.
    """
    arrays: dict[str, Any] = {name: table[..., k] for k, name in enumerate(COLUMNS)}
    arrays["pulses"] = np.nan_to_num(arrays["pulses"]).astype(int)
    arrays["initial_resistance"] = initial_resistance
    hottest = float(np.nanmax(table[..., COLUMNS.index("temperature_max")], initial=0.0))
    attrs = provenance(
        ENDURANCE,
        f"Endurance of {device.name}",
        device,
        settings,
        protocol.to_dict(),
        {"seconds": {name: round(spent, 4) for name, spent in seconds.items()}},
        ranks=ranks,
        complete=complete,
    )
    attrs |= {"outcome": outcome, **warning_of(hottest)}
    coords = labelled(
        ENDURANCE,
        {"cycle": np.arange(1, len(table) + 1), "state": np.array(STATES, dtype=object)},
    )
    return xr.Dataset(labelled(ENDURANCE, arrays), coords, attrs).assign(end_variables(end))


@dataclasses.dataclass(frozen=True)
class CycleEvent:
    """A state that was programmed: cycle (from 1), of how many, which state, ohm, pulses, K."""

    cycle: int
    count: int
    state: str
    resistance: float
    pulses: int
    temperature_max: float


def simulate_endurance(
    device: Device,
    protocol: EnduranceTest | None = None,
    settings: Settings | None = None,
    progress: Callable[[CycleEvent], None] | None = None,
    comm: Any = None,
    checkpoint: Checkpoint | None = None,
    start: xr.Dataset | None = None,
) -> xr.Dataset:
    """Program a cell to a high and to a low resistance, as often as asked.

    Parameters
    ----------
    device : Device
        The cell, from ``load_device``.
    protocol : EnduranceTest or None, optional
        Resistances, cycles and pulses; by default ten cycles between 20 and 8 kohm.
    settings : Settings or None, optional
        How it is solved; by default the preset "default".
    progress : callable or None, optional
        Called after each programming with a ``CycleEvent``.
    comm : mpi4py.MPI.Comm or None, optional
        mpi4py communicator, by default all ranks; every rank receives the dataset.
    checkpoint : Checkpoint or None, optional
        Where the run is put away every so many cycles, and from where it goes on.
    start : xarray.Dataset or None, optional
        Record of an earlier run on the same mesh, with whose last vacancies the cell begins.

    Returns
    -------
    xarray.Dataset
        Dataset of schema ``Endurance`` version 1, on (cycle, state): resistance [ohm], number of
        pulses, largest height [V] and peak temperature [K]. A state that cannot be reached ends
        the cycles; the attribute ``outcome`` says so.

    Raises
    ------
    InputError
        An argument of the wrong kind.
    SolverError
        No time step succeeds; ``partial`` holds the cycles before, if any.
    StorageError
        The checkpoint is damaged, belongs to another run, or cannot be written.
    Interrupted
        Ctrl-C; ``partial`` as above.
    InstallationError
        No finite-element stack or no C compiler.
    """
    started = clock.perf_counter()
    protocol = protocol if protocol is not None else EnduranceTest()
    settings = settings if settings is not None else Settings.preset()
    kind = isinstance(protocol, EnduranceTest), "Give an EnduranceTest"
    check_arguments("simulate", device, settings, protocol=(protocol, *kind))
    settings.needs_motion("a series of cycles")
    check_start(start)
    require_solver()
    from devicephys.fem.pulses.runner import PulseRunner  # optional: the finite-element stack

    run = _Run(PulseRunner(device, settings, comm, None, start), protocol, progress)
    run.fingerprint = fingerprint(
        device.to_yaml(), protocol.to_dict(), settings.to_dict(), *digest_of(start)
    )

    def dataset(complete: bool) -> xr.Dataset | None:
        if not run.rows:
            return None
        return endurance_dataset(
            device,
            protocol,
            settings,
            np.array(run.rows),
            run.initial_resistance,
            run.outcome,
            run.runner.end_fields(),
            ranks=run.runner.problem.comm.size,
            seconds={"solving": clock.perf_counter() - started},
            complete=complete,
        )

    where = f"cycle {len(run.rows) + 1} of {protocol.cycles}"
    try:
        run.begin(checkpoint)
        while len(run.rows) < protocol.cycles and not run.outcome:
            where = f"cycle {len(run.rows) + 1} of {protocol.cycles}"
            run.next(checkpoint)
    except KeyboardInterrupt:
        raise Interrupted("interrupted", where, partial=dataset(False)) from None
    except SolverError as error:
        error.where, error.partial = f"{where}, {error.where}", dataset(False)
        raise
    run.outcome = run.outcome or "all cycles done"
    ds = dataset(complete=True)
    assert ds is not None  # there is at least one cycle
    return ds


class _Run:
    """The cycles so far, and how to go on."""

    def __init__(
        self,
        runner: PulseRunner,
        protocol: EnduranceTest,
        progress: Callable[[CycleEvent], None] | None,
    ) -> None:
        self.runner, self.protocol, self.progress = runner, protocol, progress
        self.rows: list[np.ndarray] = []
        self.conductance = self.initial_resistance = 0.0
        self.outcome = self.fingerprint = ""
        self.every = 0

    def begin(self, checkpoint: Checkpoint | None) -> None:
        """Go on from a checkpoint, or read the cell."""
        from devicephys.fem.sweep_checkpoint import load  # optional: the finite-element stack

        comm = self.runner.problem.comm
        saved = load(checkpoint, comm, self.fingerprint)
        self.every = checkpoint.every if checkpoint is not None else 0
        if comm.size > 1:
            self.every = comm.bcast(self.every)
        if saved is None:
            self.conductance = self.runner.read(self.protocol.train)
            self.initial_resistance = 1.0 / self.conductance
            return
        self.runner.restore(saved)
        try:
            self.rows = list(saved["rows"])
            self.conductance = float.fromhex(saved["conductance"])
            self.initial_resistance = float.fromhex(saved["initial_resistance"])
        except (KeyError, TypeError, ValueError) as error:
            raise StorageError(
                f"the checkpoint does not fit this run [{error}]", hint="Start the run anew"
            ) from error

    def next(self, checkpoint: Checkpoint | None) -> None:
        """One cycle, unless a state cannot be reached."""
        row = np.full((len(STATES), len(COLUMNS)), np.nan)
        targets = (self.protocol.high_resistance, self.protocol.low_resistance)
        for k, (state, target) in enumerate(zip(STATES, targets, strict=True)):
            heights, hottest = [0.0], [0.0]

            def tell(
                _number: int,
                _height: float,
                figures: Any,
                heights: list[float] = heights,
                hottest: list[float] = hottest,
            ) -> None:
                heights.append(float(figures.amplitude))
                hottest.append(figures.temperature_max)

            try:
                self.conductance, pulses = program_and_verify(
                    self.runner, self.conductance, target, self.protocol.train, tell
                )
            except InputError as error:
                self.outcome = f"ended in cycle {len(self.rows) + 1}: {error.what}"
                break
            self.runner.forget()
            peak = max(hottest) or self.runner.problem.device.ambient_temperature
            row[k] = 1.0 / self.conductance, pulses, max(heights, key=abs), peak
            if self.progress is not None:
                self.progress(
                    CycleEvent(
                        len(self.rows) + 1,
                        self.protocol.cycles,
                        state,
                        1.0 / self.conductance,
                        pulses,
                        peak,
                    )
                )
        self.rows.append(row)
        if self.every and len(self.rows) % self.every == 0 and not self.outcome:
            arrays = self.runner.arrays()
            if checkpoint is not None and self.runner.problem.comm.rank == 0:
                meta = {
                    "fingerprint": self.fingerprint,
                    "conductance": self.conductance.hex(),
                    "initial_resistance": self.initial_resistance.hex(),
                }
                checkpoint.save({**arrays, "rows": np.array(self.rows)}, meta)
