"""A device and a train of pulses become a dataset."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from ddkbase.errors import InputError, Interrupted, SolverError, StorageError, shorten
from ddkbase.records import fingerprint
from ddkbase.schemas import label
from ddkbase.units import format_si, to_si
from devicephys.device import Device
from devicephys.device.entries import checked_parameters
from devicephys.installation import require_solver
from devicephys.population.variability import Variability, draw_cell
from devicephys.protocol.pulse_train import PulseTrain
from devicephys.simulation.iv_record import sensitivity_variables
from devicephys.simulation.preparation import TOLERANCE, near_as_formed, program_and_verify
from devicephys.simulation.pulse_record import COLUMNS, CONTROL_COLUMNS, Origin, pulse_dataset
from devicephys.simulation.settings import PREPARING, Settings, check_arguments

if TYPE_CHECKING:
    from devicephys.fem.pulses.runner import PulseFigures, PulseRunner
    from devicephys.fem.pulses.stress import StressTrain
    from devicephys.simulation.checkpoint import Checkpoint

#: equal pulses below which merging them gains nothing
FEWEST_MERGED = 8
#: after a control that missed, merging is tried again when the logarithm of the conductance has
#: moved by this
AGAIN = 0.5


@dataclasses.dataclass(frozen=True)
class PulseEvent:
    """A pulse that was just read: number (from 1), of how many, V, S, K, counts of the train.

    ``preparing``: the pulse brings the cell to its initial resistance; ``count`` is 0 then.
    """

    pulse: int
    count: int
    amplitude: float
    conductance: float
    temperature_max: float
    steps: int
    rejected: int
    preparing: bool = False


def simulate_pulses(
    device: Device,
    train: PulseTrain,
    settings: Settings | None = None,
    *,
    initial_resistance: object = None,
    initial_tolerance: float = TOLERANCE,
    variability: Variability | None = None,
    seed: int | None = None,
    cycle: int = 0,
    device_number: int = 0,
    progress: Callable[[PulseEvent], None] | None = None,
    comm: Any = None,
    checkpoint: Checkpoint | None = None,
    start: xr.Dataset | None = None,
    sensitivities: Sequence[str] = (),
) -> xr.Dataset:
    """Simulate a train of pulses, a read after each, on a device.

    Parameters
    ----------
    device : Device
        The cell, from ``load_device``.
    train : PulseTrain
        The pulses and their reads.
    settings : Settings or None, optional
        How it is solved; by default the preset "default".
    initial_resistance : str or Quantity, or None, optional
        What the cell is brought to first, by pulses ("5 kohm"); by default it stays as the device
        describes it, and also where that lies at most 5 % above the resistance: SET pulses without
        a gap would only crowd the filament.
    initial_tolerance : float, default 0.02
        How near to it the cell is brought [1], 5e-4 to 0.5; pulses are too coarse for less.
    variability : Variability or None, optional
        The spreads with which a cell is drawn where there is a seed; by default those of
        ``Variability()``.
    seed : int or None, optional
        With a seed the cell is one of a population: its device and its initial occupation are drawn
        (``draw_cell``). The same numbers give the same cell, to the last bit.
    cycle, device_number : int, default 0
        Which cell of the population, and which cycle of it.
    progress : callable or None, optional
        Called after each pulse with a ``PulseEvent``.
    comm : mpi4py.MPI.Comm or None, optional
        mpi4py communicator, by default all ranks; every rank receives the whole dataset.
    checkpoint : Checkpoint or None, optional
        Where the run is put away every so many pulses, and from where it goes on.
    start : xarray.Dataset or None, optional
        Record of an earlier run on the same mesh, whose vacancies at its end the cell begins with;
        by default it is as the device describes it.
    sensitivities : sequence of str, optional
        Dotted paths of numbers of the device; see ``simulate``. Not with a cell that is drawn or
        brought to a resistance first, nor with a checkpoint.

    Returns
    -------
    xarray.Dataset
        Dataset of schema ``PulseTrace`` version 1, on ``pulse``: conductance [S] of the read,
        voltage [V] and current [A] at the end of the flat top, peak temperature [K], energy [J],
        filament gap [m], steps, iterations and balances [1]; with ``sensitivities``, also on
        ``parameter``, d ln G / d ln p [1] of each read and of the one before the train.

    Raises
    ------
    InputError
        An argument of the wrong kind, or the cell cannot be brought to the resistance.
    SolverError
        No time step succeeds; ``partial`` holds the pulses before, if any.
    StorageError
        The checkpoint is damaged, belongs to another run, or cannot be written.
    Interrupted
        Ctrl-C; ``partial`` as above.
    InstallationError
        No finite-element stack or no C compiler.
    """
    started = time.perf_counter()
    settings = settings if settings is not None else Settings.preset()
    variability = _check(device, train, settings, variability, seed, (cycle, device_number))
    device.series.pulsed(train.drive, train.gate_voltage)  # refused before the solver loads
    target = _target_resistance(initial_resistance)
    if not 5e-4 <= initial_tolerance <= 0.5:
        raise InputError(
            f"{shorten(initial_tolerance)} is no share from 5e-4 to 0.5",
            "simulate_pulses, initial_tolerance",
            "Give e.g. 0.02",
        )
    if target is not None:
        settings.needs_motion(PREPARING)
    sensitivities = checked_parameters(device, sensitivities, "sensitivities")
    if sensitivities:
        _check_alone(target=target, seed=seed, checkpoint=checkpoint, start=start)
    drawn, noise = device, None
    if variability is not None and seed is not None:
        drawn, noise = draw_cell(device, variability, seed, cycle, device_number)
    check_start(start, seed)
    require_solver()
    from devicephys.fem.pulses.runner import PulseRunner  # optional: the finite-element stack

    runner = PulseRunner(drawn, settings, comm, noise, start, sensitivities)
    # the tangents follow every step of every pulse; where nothing moves stress tells nothing
    every_pulse = settings.every_pulse or bool(sensitivities) or not settings.motion
    run = _Run(runner, train, target, progress, started, every_pulse)
    spreads = variability.to_dict() if variability is not None else None
    origin = Origin(drawn, settings, seed, cycle, device_number, spreads)
    run.fingerprint = fingerprint(
        drawn.to_yaml(),
        train.to_dict(),
        settings.to_dict(),
        origin.numbers(),
        target,
        spreads,
        # a run of earlier versions goes on
        *([] if initial_tolerance == TOLERANCE else [float(initial_tolerance)]),
        *digest_of(start),
    )
    try:
        run.begin(checkpoint, start is None, float(initial_tolerance))
        while run.done < train.count:
            run.next(checkpoint)
    except KeyboardInterrupt:
        raise Interrupted(
            "interrupted",
            where=f"pulse {run.done + 1} of {train.count}",
            partial=run.dataset(origin, complete=False) if run.done else None,
        ) from None
    except SolverError as error:
        error.where = f"pulse {run.done + 1} of {train.count}, {error.where}"
        error.partial = run.dataset(origin, complete=False) if run.done else None
        raise
    return run.dataset(origin, complete=True)


class _Run:
    """The pulses done so far, and how to go on."""

    def __init__(
        self,
        runner: PulseRunner,
        train: PulseTrain,
        target_resistance: float | None,
        progress: Callable[[PulseEvent], None] | None,
        started: float,
        every_pulse: bool,
    ) -> None:
        self.runner, self.train, self.target_resistance = runner, train, target_resistance
        self.every_pulse = every_pulse
        self.progress, self.started = progress, started
        self.ready = time.perf_counter()
        # one array for all: ten thousand objects of floats would be felt
        self.figures = np.empty((train.count, len(COLUMNS)))
        self.sensitivities: list[np.ndarray] = []  # of the read before the train and of each pulse
        self.done = 0
        self.initial_conductance = 0.0
        self.preparation_pulses = 0
        self.fingerprint = ""
        self.every = 0
        #: numbers of the pulses that differ from the one before, and the end of the train
        differs = (np.diff(train.amplitudes) != 0) | (np.diff(train.widths) != 0)
        self.changes = np.append(np.flatnonzero(differs) + 1, train.count)
        #: the stretch of equal pulses that is being computed in stress time
        self.stretch: StressTrain | None = None
        #: what the controls of all stretches said; the conductance at the last that missed
        self.controls: list[tuple[float, ...]] = []
        self.missed_at = 0.0

    def begin(self, checkpoint: Checkpoint | None, formed: bool, tolerance: float) -> None:
        """Go on from a checkpoint, or read the cell and bring it near its initial resistance.

        ``formed``: the cell is as its device describes it, nothing was done to it.
        """
        from devicephys.fem.sweep_checkpoint import load  # optional: the finite-element stack

        comm = self.runner.problem.comm
        saved = load(checkpoint, comm, self.fingerprint)
        self.every = checkpoint.every if checkpoint is not None else 0
        if comm.size > 1:
            self.every = comm.bcast(self.every)
        if saved is not None:
            self._resume(saved)
            return
        conductance = self.runner.read(self.train)
        target = self.target_resistance
        if target is not None and not (formed and near_as_formed(conductance, target)):
            conductance, self.preparation_pulses = program_and_verify(
                self.runner, conductance, target, self.train, self._tell_preparation, tolerance
            )
            self.runner.forget()
        self.initial_conductance = conductance
        self.sensitivities.append(self.runner.sensitivity)

    def next(self, checkpoint: Checkpoint | None) -> None:
        """Apply the next pulse, or the next stretch of equal pulses up to a control."""
        before = self.done
        if self.stretch is None:
            self._begin_stretch()
        if self.stretch is None:
            self._keep([self.runner.pulse(self.train, self.done)])
            self.sensitivities.append(self.runner.sensitivity)
        else:
            self._go_on(self.stretch)
        if self.every and self.done // self.every > before // self.every:
            self._save(checkpoint)

    def _keep(self, rows: Sequence[PulseFigures]) -> None:
        for row in rows:
            self.figures[self.done] = [getattr(row, name) for name in COLUMNS]
            self.done += 1
            if self.progress is not None:
                self._tell(self.done, self.train.count, row, preparing=False)

    # -- stretches of equal pulses -----------------------------------------------------------

    def _begin_stretch(self) -> None:
        """Begin to merge pulses, if there are enough equal ones and their control holds."""
        first = self.done
        length = int(self.changes[np.searchsorted(self.changes, first, side="right")]) - first
        if self.every_pulse or length < FEWEST_MERGED or self.train.amplitudes[first] == 0.0:
            return
        present = self.figures[first - 1, 0] if first else self.initial_conductance
        if self.missed_at and abs(math.log(present / self.missed_at)) < AGAIN:
            return
        stretch = self.runner.merged(self.train, first, length)
        try:
            stretch.begin(self.runner.state)
        except SolverError:  # a pulse that fails will say so when it is simulated on its own
            self.missed_at = present
            self.runner.forget()
            return
        self._note(stretch)
        if stretch.ended:
            self.missed_at = present
            self.runner.forget()
        else:
            self.stretch = stretch

    def _go_on(self, stretch: StressTrain) -> None:
        """Add what the next segment of the stretch did."""
        done = stretch.done
        try:
            stretch.segment()
            self._note(stretch)
        except SolverError:
            # back to where the segment began, on whole pulses
            stretch.give_up()
        self._keep(self.runner.merged_figures(stretch, done, stretch.done))
        self.runner.stepper.statistics.rejections.clear()
        assert stretch.whole is not None
        self.runner.state, self.runner.written = stretch.whole, stretch.written
        if stretch.ended:
            if stretch.done < stretch.count:
                self.missed_at = (
                    float(self.figures[self.done - 1, 0]) if self.done else self.initial_conductance
                )
            self.stretch = None
            self.runner.forget()

    def _note(self, stretch: StressTrain) -> None:
        control = stretch.controls[-1]
        position = stretch.first + control.position
        self.controls.append((position, *dataclasses.astuple(control)[1:]))

    def _tell_preparation(self, number: int, height: float, figures: Any) -> None:
        if self.progress is not None:
            self._tell(number, 0, figures, preparing=True)

    def _tell(self, number: int, count: int, row: PulseFigures, preparing: bool) -> None:
        statistics = self.runner.stepper.statistics
        assert self.progress is not None
        self.progress(
            PulseEvent(
                number,
                count,
                row.amplitude,
                row.conductance,
                row.temperature_max,
                statistics.steps,
                statistics.rejected,
                preparing,
            )
        )

    # -- checkpoints ------------------------------------------------------------------------

    def _save(self, checkpoint: Checkpoint | None) -> None:
        arrays = self.runner.arrays()
        if self.stretch is not None:
            arrays |= self.stretch.arrays()
        if checkpoint is not None and self.runner.problem.comm.rank == 0:
            arrays["figures"] = self.figures[: self.done]
            arrays["controls"] = np.array(self.controls)
            checkpoint.save(
                arrays,
                {
                    "fingerprint": self.fingerprint,
                    "initial_conductance": self.initial_conductance.hex(),
                    "preparation_pulses": self.preparation_pulses,
                    "missed_at": self.missed_at.hex(),
                },
            )

    def _resume(self, saved: dict[str, Any]) -> None:
        self.runner.restore(saved)
        figures = saved.get("figures", np.empty(0))
        self.done = len(figures)
        if figures.shape[1:] != self.figures.shape[1:] or self.done > self.train.count:
            raise StorageError(
                f"the checkpoint does not fit this run [figures of shape {figures.shape}]",
                hint="Start the run anew",
            )
        self.figures[: self.done] = figures
        self.initial_conductance = float.fromhex(saved["initial_conductance"])
        self.preparation_pulses = int(saved["preparation_pulses"])
        self.controls = [tuple(map(float, row)) for row in saved.get("controls", ())]
        self.missed_at = float.fromhex(saved.get("missed_at", "0x0p0"))
        if "stress_stretch" in saved:
            first, count = map(int, saved["stress_stretch"])
            stretch = self.runner.merged(self.train, first, count)
            try:
                stretch.restore(saved)
            except (KeyError, IndexError, ValueError, TypeError) as error:
                raise StorageError(
                    f"the checkpoint does not fit this run [{error}]", hint="Start the run anew"
                ) from error
            self.stretch = stretch

    # -- result -----------------------------------------------------------------------------

    def dataset(self, origin: Origin, complete: bool) -> xr.Dataset:
        """The ``PulseTrace`` of the pulses done."""
        solving = time.perf_counter() - self.ready
        problem = self.runner.problem
        seconds = dict(problem.watch.seconds)
        seconds |= {"rest": solving - sum(seconds.values()), "solving": solving}
        seconds["setup"] = self.ready - self.started
        ds = pulse_dataset(
            self.figures[: self.done],
            self.train,
            origin,
            initial_conductance=self.initial_conductance,
            wanted_resistance=self.target_resistance,
            preparation_pulses=self.preparation_pulses,
            counts={"unknowns": problem.unknowns, "ranks": problem.comm.size},
            seconds=seconds,
            complete=complete,
            fall=self.runner.localisation(),
            end=self.runner.end_fields(),
            controls=np.array(self.controls).reshape(-1, len(CONTROL_COLUMNS)),
        )
        if self.runner.tangents is None:
            return ds
        parameters = self.runner.tangents.parameters
        shares = np.array(self.sensitivities[: self.done + 1])
        first = label(shares[0], "parameter", "1", "Relative sensitivity before the train")
        return ds.assign(
            sensitivity_variables("conductance", "pulse", shares[1:], parameters)
            | {"initial_conductance_sensitivity": first}
        )


def _check_alone(**others: object) -> None:
    """InputError for what sensitivities do not go with: pulses that prepare, and what is drawn,
    would have to follow the parameters, too."""
    names = {"target": "an initial resistance", "seed": "a seed", "checkpoint": "a checkpoint"}
    for name, value in others.items():
        if value is not None:
            raise InputError(
                f"sensitivities are not known of a train with {names.get(name, 'a start')}",
                "simulate_pulses, sensitivities",
                "Leave out one of them",
            )


def check_start(start: object, seed: int | None = None) -> None:
    """InputError for a ``start`` that is no record, or that a drawn cell cannot have."""
    if start is not None and not isinstance(start, xr.Dataset):
        raise InputError(
            f"{shorten(start)} is no record of a run", "simulate, start", "Give an xarray.Dataset"
        )
    if start is not None and seed is not None:
        raise InputError(
            "a cell that is drawn begins with the vacancies that were drawn",
            "simulate, start",
            "Leave out the seed, or the start",
        )


def digest_of(start: xr.Dataset | None) -> list[str]:
    """What a run's fingerprint has of its start: nothing, or one text."""
    if start is None or "end_concentration" not in start:
        return []
    return [hashlib.sha256(start["end_concentration"].values.tobytes()).hexdigest()]


def _check(
    device: object,
    train: object,
    settings: object,
    variability: object,
    seed: object,
    numbers: tuple[object, object],
) -> Variability | None:
    """InputError for an argument of the wrong kind; the variability that applies."""
    kind = isinstance(train, PulseTrain), "Give a PulseTrain"
    check_arguments("simulate_pulses", device, settings, train=(train, *kind))
    named = {"seed": seed, "cycle": numbers[0], "device_number": numbers[1]}
    for name, number in named.items():
        if name == "seed" and number is None:
            continue
        if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < 0:
            raise InputError(
                f"{shorten(number)} is no number to count with",
                f"simulate_pulses, {name}",
                "Give a whole number from 0 up",
            )
    if variability is not None and not isinstance(variability, Variability):
        raise InputError(
            f"{shorten(variability)} is no variability",
            "simulate_pulses, variability",
            "Give a Variability",
        )
    if seed is None:
        if variability is not None:
            raise InputError(
                "a variability needs a seed to be drawn from",
                "simulate_pulses, seed",
                "Give a seed",
            )
        return None
    return variability if variability is not None else Variability()


def _target_resistance(initial_resistance: object) -> float | None:
    if initial_resistance is None:
        return None
    target = to_si(initial_resistance, "ohm", "initial_resistance")
    if not target > 0:
        raise InputError(
            f"{format_si(target, 'ohm')} is not positive", "initial_resistance", "Give e.g. 5 kohm"
        )
    return target
