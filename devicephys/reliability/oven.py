"""The oven of bakes: a programmed cell, a hotter twin of it for each temperature, and reads."""

from __future__ import annotations

import dataclasses
import time as clock
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from ddkbase.errors import InputError, SolverError, StorageError
from ddkbase.units import exact_text
from devicephys.device import Device
from devicephys.fem.assembly import prepare
from devicephys.fem.grid_fields import (
    collect_cells,
    collect_state,
    end_fields,
    spread_cells,
    spread_state,
    started_state,
)
from devicephys.fem.stepper import Position
from devicephys.fem.sweep_checkpoint import load
from devicephys.protocol.bake import Bake
from devicephys.protocol.switching_scan import SwitchingScan
from devicephys.protocol.waveform import Waveform
from devicephys.reliability.retention_record import COMPUTED, NOT_COMPUTED, BakeEvent, bake_dataset
from devicephys.simulation.settings import Settings
from devicephys.simulation.switching_bench import SolverBench

if TYPE_CHECKING:
    from devicephys.simulation.checkpoint import Checkpoint

__all__ = ["Oven"]

#: first time step as a share of the time to the first read
FIRST_STEP = 1e-2
#: the two states of a cell must differ by this factor, or there is no window to lose
SMALLEST_WINDOW = 1.05


class Oven:
    """The reads so far, and how to go on."""

    def __init__(
        self,
        device: Device,
        bake: Bake,
        settings: Settings,
        progress: Callable[[BakeEvent], None] | None,
        comm: Any,
        start: xr.Dataset | None,
    ) -> None:
        self.device, self.bake, self.settings = device, bake, settings
        self.progress, self.comm, self.start = progress, comm, start
        scan = SwitchingScan(read_voltage=exact_text(bake.read_voltage, "V"))
        self.bench = SolverBench(device, settings, scan, comm)
        shape = len(bake.temperatures), len(bake.read_times)
        self.conductance, self.gap = np.full(shape, np.nan), np.full(shape, np.nan)
        self.steps = np.zeros(shape[0], dtype=int)
        self.status = np.full(shape[0], NOT_COMPUTED, dtype=object)
        self.window = (np.nan, np.nan)
        self.ends: list[Any] = []
        self.row = self.reads = self.every = 0
        self.initial = np.empty(0)
        self.fingerprint = ""
        self._saved: dict[str, Any] | None = None  # of a bake that is taken up in the middle

    def where(self) -> str:
        """Which bake is at work."""
        row = min(self.row, len(self.bake.temperatures) - 1)
        return f"bake at {self.bake.temperatures[row] - 273.15:.0f} degC"

    def begin(self, checkpoint: Checkpoint | None) -> None:
        """Make the programmed state, or take up what a checkpoint holds."""
        problem = self.bench.problem
        saved = load(checkpoint, problem.comm, self.fingerprint)
        self.every = checkpoint.every if checkpoint is not None else 0
        if problem.comm.size > 1:
            self.every = problem.comm.bcast(self.every)
        if saved is not None:
            self._resume(saved)
            return
        low, high = self.bench.start("reset"), self.bench.start("set")
        self.window = self.bench.read(high), self.bench.read(low)
        if not self.window[1] > SMALLEST_WINDOW * self.window[0]:
            raise InputError(
                f"the RESET half of the device's sweep takes the conductance from"
                f" {self.window[1]:.3g} to {self.window[0]:.3g} S only: there is no window",
                "retention",
                "Choose a larger sweep.reset_voltage",
            )
        begin = {"high": high, "low": low}[self.bake.state]
        if self.start is not None:
            begin = started_state(problem, self.start)
        self.initial = collect_cells(problem, begin.n)

    def next(self, checkpoint: Checkpoint | None) -> None:
        """Bake at the next temperature."""
        bake, row = self.bake, self.row
        kelvin = bake.temperatures[row]
        hot = self.device.with_({"ambient_temperature": exact_text(kelvin, "K")})
        problem, stepper, state = prepare(hot, self.settings, self.comm)
        times = bake.read_times
        level = bake.stress_voltage
        waveform = Waveform.from_si(times.tolist(), [0.0, *[level] * (len(times) - 1)])
        state.n[:] = spread_cells(problem, self.initial)
        position, past = Position(1, FIRST_STEP * float(times[1]), 0), [(0.0, state)]
        if self._saved is None:
            self._read(row, 0, state)
        else:
            position, past = self._taken_up(problem, stepper)
        latest = list(past)
        self.status[row] = COMPUTED
        try:
            for step in stepper.resume(past, position, waveform.voltage, waveform.corners):
                latest = [(step.time, step.state), *latest[:2]]
                state = step.state
                self.steps[row] = stepper.statistics.steps
                index = int(np.searchsorted(times, step.time))
                if times[index] == step.time:
                    self._read(row, index, state)
                    if self.every and self.reads % self.every == 0:
                        self._save(checkpoint, problem, stepper, latest)
        except SolverError as error:
            self.status[row] = f"solver failure: {error}"
        self.ends.append(end_fields(problem, state))
        self.row += 1

    def _read(self, row: int, index: int, state: Any) -> None:
        """Read the cold cell."""
        self.conductance[row, index] = self.bench.read(state)
        self.gap[row, index] = self.bench.gap(state)
        self.reads += 1
        if self.progress is not None:
            bake, count = self.bake, self.conductance.size
            self.progress(
                BakeEvent(
                    bake.temperatures[row],
                    float(bake.read_times[index]),
                    bake.duration,
                    float(self.conductance[row, index]),
                    row * len(bake.read_times) + index + 1,
                    count,
                    int(self.steps.sum()),
                )
            )

    # -- checkpoints ------------------------------------------------------------------------

    def _save(self, checkpoint: Checkpoint | None, problem: Any, stepper: Any, past: Any) -> None:
        arrays = {"conductance": self.conductance, "gap": self.gap, "steps": self.steps}
        arrays |= {"window": np.array(self.window), "initial": self.initial}
        arrays["position"] = np.array(dataclasses.astuple(stepper.position))
        arrays["past_times"] = np.array([time for time, _ in past])
        for k, (_, state) in enumerate(past):
            arrays |= collect_state(problem, state, f"past{k}_")
        arrays |= collect_state(self.bench.problem, self.bench.latest, "read_")
        for k, end in enumerate(self.ends):
            arrays[f"end{k}"] = end["end_concentration"]
        arrays["status"] = self.status.astype(str)
        if checkpoint is not None and problem.comm.rank == 0:
            meta = {"fingerprint": self.fingerprint, "row": self.row, "reads": self.reads}
            checkpoint.save(arrays, meta)

    def _resume(self, saved: dict[str, Any]) -> None:
        try:
            if saved["conductance"].shape != self.conductance.shape:
                raise ValueError(f"reads of shape {saved['conductance'].shape}")
            self.conductance[:], self.gap[:] = saved["conductance"], saved["gap"]
            self.steps[:], self.initial = saved["steps"], saved["initial"]
            self.status[:] = saved["status"].astype(object)
            self.window = float(saved["window"][0]), float(saved["window"][1])
            self.row, self.reads = int(saved["row"]), int(saved["reads"])
            self.bench.latest = spread_state(self.bench.problem, saved, "read_")
            grid = self.bench.problem.grid
            lines = {"r": grid.r_centre, "z": grid.z_centre, "r_node": grid.r, "z_node": grid.z}
            for k in range(self.row):
                self.ends.append({**lines, "end_concentration": saved[f"end{k}"]})
        except (KeyError, IndexError, ValueError) as error:
            raise StorageError(
                f"the checkpoint does not fit this run [{error}]", hint="Start the run anew"
            ) from error
        self._saved = saved

    def _taken_up(self, problem: Any, stepper: Any) -> tuple[Any, list[Any]]:
        """Position and last states of the bake that the checkpoint is of."""
        assert self._saved is not None
        saved, self._saved = self._saved, None
        corner, step, caution = saved["position"]
        past = [
            (float(time), spread_state(problem, saved, f"past{k}_"))
            for k, time in enumerate(saved["past_times"])
        ]
        stepper.statistics.steps = int(self.steps[self.row])
        return Position(int(corner), float(step), int(caution)), past

    # -- result -----------------------------------------------------------------------------

    def dataset(self, started: float, complete: bool) -> xr.Dataset | None:
        """The ``Retention`` of what was read; None before the programmed state was made."""
        if not np.isfinite(self.window[0]):
            return None
        table = {
            "conductance": self.conductance,
            "filament_gap": self.gap,
            "steps": self.steps,
            "status": self.status,
        }
        return bake_dataset(
            self.device,
            self.bake,
            self.settings,
            table,
            self.window,
            self.ends,
            ranks=self.bench.ranks,
            seconds={"solving": clock.perf_counter() - started},
            complete=complete,
        )
