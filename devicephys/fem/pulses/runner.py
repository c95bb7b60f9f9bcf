"""One cell under pulses: the object that holds its changing state."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from mpi4py import MPI

from ddkbase.errors import StorageError
from devicephys.device import Device
from devicephys.fem.assembly import follow_tangents, prepare_pulses
from devicephys.fem.equations import State
from devicephys.fem.grid_fields import (
    collect_nodes,
    collect_state,
    end_fields,
    spread_nodes,
    spread_state,
    started_state,
)
from devicephys.fem.newton import POWER_FLOOR
from devicephys.fem.observables import Observation, Observer, electric_work, gather_fields
from devicephys.fem.pulses.stepper import Landmark, Memory, PulseStepper
from devicephys.fem.pulses.stress import StressTrain
from devicephys.fem.tangents import Tangents
from devicephys.population.variability import OccupationNoise
from devicephys.protocol.pulse_train import PulseTrain
from devicephys.protocol.waveform import Waveform
from devicephys.simulation.localisation import Localisation, localisation
from devicephys.simulation.settings import Settings


@dataclasses.dataclass(frozen=True)
class PulseFigures:
    """What one pulse did, SI units; names and units as in the dataset ``PulseTrace``."""

    conductance: float
    read_current: float
    voltage: float
    device_voltage: float
    current: float
    temperature_max: float
    filament_gap: float
    energy: float
    amplitude: float
    width: float
    accepted_steps: int
    rejected_steps: int
    newton_iterations: int
    factorisations: int
    vacancy_imbalance: float
    current_imbalance: float
    energy_imbalance: float


class PulseRunner:
    """Applies pulses to a cell, one after the other.

    With ``sensitivities``, dotted paths of parameters, their tangents are carried along.

    Raises
    ------
    InputError
        Settings that do not fit the device, or a record ``start`` without a state on its mesh.
    """

    def __init__(
        self,
        device: Device,
        settings: Settings,
        comm: MPI.Intracomm | None = None,
        noise: OccupationNoise | None = None,
        start: xr.Dataset | None = None,
        sensitivities: Sequence[str] = (),
    ):
        self.problem, self.stepper = prepare_pulses(device, settings, comm)
        self.state: State = (
            self.problem.initial_state(noise)
            if start is None
            else started_state(self.problem, start)
        )
        #: state at the end of the flat top of the latest pulse
        self.written: State | None = None
        self.tangents: Tangents | None = None
        #: d ln G / d ln p of the last read, shape (parameters,)
        self.sensitivity = np.empty(0)
        if sensitivities:
            self.tangents = follow_tangents(self.stepper, settings, sensitivities)
            self.tangents.start(self.state)
        self.observer = Observer(self.problem, self.state)

    def pulse(self, train: PulseTrain, index: int) -> PulseFigures:
        """Apply pulse ``index`` of a train with its read, and rest until the period is over.

        Raises SolverError; the state is then that before the pulse. Collective.
        """
        problem = self.problem
        problem.series = problem.device.series.pulsed(train.drive, train.gate_voltage)
        if self.tangents is not None:
            self.tangents.drive(lambda d: d.series.pulsed(train.drive, train.gate_voltage))
        statistics = self.stepper.statistics
        before = dataclasses.replace(statistics, rejections=[])
        waveform = train.pulse(index)
        corners = waveform.corners
        state, write, read, all_seen = self.state, None, None, []
        written = None
        energy, last, peak = 0.0, 0.0, POWER_FLOOR
        driven = (0.0, 0.0)  # voltage and current
        # the edges of the read may be stepped over; write flanks, both tops and the rests not
        for step in self.stepper.run_pulse(state, waveform, soft=(corners[5], corners[7])):
            # after the pulse heat decays without power: its balance is relative to what went in
            floor = peak if step.applied == 0.0 else POWER_FLOOR
            seen = self.observer.observe(step, floor)
            if problem.series.kind == "compliance":  # the instrument reports what it then applies
                seen = dataclasses.replace(seen, voltage=seen.device_voltage)
            all_seen.append(seen)
            state = step.state
            if self.tangents is not None:
                slopes = self.tangents.follow(step)
                if step.time == corners[6]:
                    self.sensitivity = slopes / seen.current
            peak = max(peak, abs(seen.voltage * seen.current))
            if step.time <= corners[3]:  # up to the end of the write pulse
                now = (seen.voltage, seen.current)
                energy += electric_work(driven, now, step.time - last)
                driven, last = now, step.time
            if step.time == corners[2]:
                write, written = seen, step.state
            if step.time == corners[6]:
                read = seen
        assert write is not None and read is not None  # both are corners that are hit
        self.state, self.written = state, written
        statistics.rejections.clear()  # a long train is not to keep the reasons of all its pulses
        return PulseFigures(
            conductance=read.current / read.voltage,
            read_current=read.current,
            voltage=write.voltage,
            device_voltage=write.device_voltage,
            current=write.current,
            temperature_max=_largest(all_seen, "temperature_max"),
            filament_gap=all_seen[-1].filament_gap,
            energy=energy,
            amplitude=float(train.amplitudes[index]),
            width=float(train.widths[index]),
            accepted_steps=statistics.steps - before.steps,
            rejected_steps=statistics.rejected - before.rejected,
            newton_iterations=statistics.newton_iterations - before.newton_iterations,
            factorisations=statistics.factorisations - before.factorisations,
            vacancy_imbalance=_largest(all_seen, "vacancy_imbalance"),
            current_imbalance=_largest(all_seen, "current_imbalance"),
            energy_imbalance=_largest(all_seen, "energy_imbalance"),
        )

    def read(self, train: PulseTrain) -> float:
        """Conductance [S] as a read of ``train`` measures it, without a pulse. Collective."""
        edge, width, height = train.read_edge, train.read_width, train.read_voltage
        times = [0.0, edge, edge + width, 2 * edge + width, 20 * edge + 2 * width]
        # The read leaves no trace in the memory: it is no step of the train.
        waveform = Waveform.from_si(times, [0.0, height, height, 0.0, 0.0])
        memory, self.stepper.memory = self.stepper.memory, Memory()
        conductance, state = 0.0, self.state
        for step in self.stepper.run_pulse(self.state, waveform, soft=(times[1], times[3])):
            state = step.state
            if step.time == times[2]:
                conductance = self.observer.observe(step).current / height
            if self.tangents is not None:
                slopes = self.tangents.follow(step)
                if step.time == times[2]:
                    self.sensitivity = slopes / (conductance * height)
        self.state, self.stepper.memory = state, memory
        return conductance

    def localisation(self) -> Localisation | None:
        """Where the voltage falls at the end of the latest pulse's flat top. Collective."""
        if self.written is None:
            return None
        problem, grid = self.problem, self.problem.grid
        concentration, _, potential = gather_fields(problem, self.written)
        return localisation(problem.device, potential, concentration, grid.z, grid.r)

    def end_fields(self) -> dict[str, np.ndarray]:
        """What a record keeps of the state. Collective."""
        return end_fields(self.problem, self.state)

    def merged(self, train: PulseTrain, first: int, count: int) -> StressTrain:
        """A stretch of equal pulses of a train to be computed in stress time, from the state."""
        assert isinstance(self.stepper, PulseStepper)  # where nothing moves no pulse is merged
        return StressTrain(self.problem, self.stepper, self.observer, train, first, count)

    def merged_figures(self, stretch: StressTrain, first: int, last: int) -> list[PulseFigures]:
        """What pulses ``first`` to ``last`` (from 0, that not included) of a stretch did."""
        voltage = stretch.train.read_voltage
        return [
            PulseFigures(
                read_current=row["conductance"] * voltage,
                voltage=(
                    row["device_voltage"]
                    if self.problem.series.kind == "compliance"
                    else stretch.amplitude
                ),
                amplitude=stretch.amplitude,
                width=stretch.width,
                **row,
            )
            for row in stretch.figures(first, last)
        ]

    def forget(self) -> None:
        """Start a new train: nothing of earlier pulses is remembered but the state."""
        self.stepper.memory = Memory()

    # -- checkpoints ------------------------------------------------------------------------

    def arrays(self) -> dict[str, np.ndarray]:
        """State and memory as plain arrays, the same on every rank. Collective."""
        problem = self.problem
        arrays = collect_state(problem, self.state, "state_")
        if self.written is not None:
            arrays |= collect_state(problem, self.written, "written_")
        memory = self.stepper.memory
        arrays["curvature"] = np.array(memory.curvature)
        arrays["moved"] = np.array([memory.moved, memory.largest])
        arrays["inventory"] = np.array(self.observer.inventory)
        landmarks = memory.landmarks
        arrays["landmark_keys"] = np.array(list(landmarks), dtype=int).reshape(-1, 2)
        arrays["landmark_figures"] = np.array(
            [
                [m.end, m.length, m.limit, m.applied, m.contact, m.contact_change]
                for m in landmarks.values()
            ]
        ).reshape(-1, 6)
        for k, mark in enumerate(landmarks.values()):
            arrays[f"landmark_u_{k}"] = collect_nodes(problem, mark.u)
            arrays[f"landmark_change_{k}"] = collect_nodes(problem, mark.u_change)
        return arrays

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Go back to what ``arrays`` put away.

        Raises
        ------
        StorageError
            The arrays are incomplete or of another mesh.
        """
        problem = self.problem
        try:
            state = spread_state(problem, arrays, "state_")
            if "written_u" in arrays:
                self.written = spread_state(problem, arrays, "written_")
            landmarks = {}
            for k, (key, figures) in enumerate(
                zip(arrays["landmark_keys"], arrays["landmark_figures"], strict=True)
            ):
                end, length, limit, applied, contact, change = map(float, figures)
                landmarks[int(key[0]), int(key[1])] = Landmark(
                    end=end,
                    length=length,
                    limit=limit,
                    applied=applied,
                    u=spread_nodes(problem, arrays[f"landmark_u_{k}"]),
                    contact=contact,
                    u_change=spread_nodes(problem, arrays[f"landmark_change_{k}"]),
                    contact_change=change,
                )
            inventory, curvature = float(arrays["inventory"]), float(arrays["curvature"])
            # checkpoints of earlier versions do not hold it
            moved, largest = map(float, arrays.get("moved", (np.inf, 0.0)))
        except (KeyError, IndexError, ValueError) as error:
            raise StorageError(
                f"the checkpoint does not fit this run [{error}]", hint="Start the run anew"
            ) from error
        self.state = state
        self.observer.resume(inventory, state)
        self.stepper.memory = Memory(landmarks, curvature, moved, largest)


def _largest(seen: list[Observation], name: str) -> Any:
    return max(getattr(observation, name) for observation in seen)
