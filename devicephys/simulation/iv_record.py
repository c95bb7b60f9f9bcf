"""The accepted steps of a run, collected and turned into an ``IVTrace`` dataset."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from ddkbase.schemas import label, labelled
from ddkbase.units import format_si
from devicephys.device import Device
from devicephys.protocol.waveform import IVSweep, Waveform
from devicephys.simulation import figures_of_merit as analysis
from devicephys.simulation.localisation import Localisation, limits_of, localisation
from devicephys.simulation.provenance import HELD, provenance, warning_of
from devicephys.simulation.schemas import IV_TRACE, POINTS, RESISTANCE_VOLTAGE_FLOOR, end_variable
from devicephys.simulation.settings import Settings

if TYPE_CHECKING:
    from devicephys.fem.equations import CellProblem, State
    from devicephys.fem.observables import Observation, Observer
    from devicephys.fem.stepper import Statistics, Step
    from devicephys.fem.tangents import Tangents

#: most instants kept for the animation
FRAMES = 60

ONE_PASS_WARNING = (
    "one-pass staggering: the fields of a step do not agree with each other; "
    "temperatures and switching voltages are wrong. For teaching only."
)

Columns = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class ProgressEvent:
    """State of a run after an accepted step: s, s, V, s, K, counts."""

    time: float
    duration: float
    voltage: float
    step_size: float
    temperature_max: float
    steps: int
    rejected: int


class Trace:
    """Collects the accepted steps of a run and turns them into a dataset."""

    def __init__(
        self,
        device: Device,
        protocol: Waveform,
        settings: Settings,
        problem: CellProblem,
        observer: Observer,
        started: float,
        tangents: Tangents | None = None,
    ) -> None:
        self.started = started
        self.tangents, self.slopes = tangents, list[np.ndarray]()
        self.problem_ready = time.perf_counter()
        self.device, self.protocol, self.settings = device, protocol, settings
        self.problem, self.observer = problem, observer
        self.rows: list[Observation] = []
        self.states: list[State] = []

    def start(self, initial: State) -> None:
        """Record the initial state: no voltage, no current, ambient temperature."""
        from devicephys.fem.observables import Observation  # optional: the finite-element stack

        self.states.append(initial)
        if self.tangents is not None:
            self.tangents.start(initial)
            self.slopes.append(np.zeros(len(self.tangents.parameters)))
        self.rows.append(
            Observation(
                time=float(self.protocol.corners[0]),
                step_size=0.0,
                voltage=0.0,
                device_voltage=0.0,
                current=0.0,
                temperature_max=self.device.ambient_temperature,
                joule_power=0.0,
                vacancy_total=self.observer.inventory,
                vacancy_imbalance=0.0,
                current_imbalance=0.0,
                energy_imbalance=0.0,
                filament_gap=self.observer.gap(initial),
                newton_iterations=0,
            )
        )

    def append(self, step: Step) -> None:
        """Record an accepted step."""
        row = self.observer.observe(step)
        # Ctrl-C may come between them: then a state too many does no harm, a row would
        self.states.append(step.state)
        if self.tangents is not None:
            self.slopes.append(self.tangents.follow(step))
        self.rows.append(row)

    def event(self, rejected: int) -> ProgressEvent:
        """Progress after the last recorded step."""
        last = self.rows[-1]
        return ProgressEvent(
            last.time,
            self.protocol.duration,
            last.voltage,
            last.step_size,
            last.temperature_max,
            len(self.rows) - 1,
            rejected,
        )

    def dataset(self, statistics: Statistics, complete: bool) -> xr.Dataset:
        """The IVTrace of what was recorded so far. Collective."""
        self.solved = time.perf_counter()
        rows, grid = self.rows, self.problem.grid
        column = {
            f.name: np.array([getattr(row, f.name) for row in rows])
            for f in dataclasses.fields(rows[0])
        }
        loop, figures, points = self._loops(column)
        series_voltage = column["voltage"] - column["device_voltage"]
        if self.device.series.kind == "compliance":
            # the instrument reports what it applies; where it wanted to be places the branches
            column["voltage"] = column["device_voltage"]
        voltage, current = column["voltage"], column["current"]
        with np.errstate(divide="ignore", invalid="ignore"):
            resistance = np.where(
                np.abs(voltage) >= RESISTANCE_VOLTAGE_FLOOR, voltage / current, np.nan
            )
        rejections = statistics.rejections
        arrays: dict[str, Any] = {
            **{name: column[name] for name in column if name != "time"},
            "series_voltage": series_voltage,
            "resistance": resistance,
            "loop": loop,
            "rejected_time": np.array([r.time for r in rejections]),
            "rejected_step_size": np.array([r.step_size for r in rejections]),
            "rejected_reason": np.array([r.reason for r in rejections], dtype=object),
        }
        frames = _frames(column)
        end = self.observer.end(self.states[len(rows) - 1])
        arrays |= self._fields(points, "")
        arrays |= self._fields(frames, "_frame")
        coords = {
            "time": column["time"],
            "r": grid.r_centre,
            "z": grid.z_centre,
            "r_node": grid.r,
            "z_node": grid.z,
            "point": np.array(POINTS[: len(points)], dtype=object),
            "time_point": column["time"][points],
            "time_frame": column["time"][frames],
        }
        ds = xr.Dataset(
            labelled(IV_TRACE, arrays) | {"end_concentration": end_variable(end)},
            labelled(IV_TRACE, coords),
            self._attrs(statistics, column, figures, complete),
        )
        if self.tangents is None:
            return ds
        # at no voltage the limit of small ones: between the steps around it
        flows = np.abs(voltage) >= RESISTANCE_VOLTAGE_FLOOR
        at, slopes = column["time"], np.array(self.slopes[: len(rows)])
        shares = np.zeros_like(slopes)
        if flows.any():
            ratios = slopes[flows] / current[flows, None]
            shares = np.column_stack([np.interp(at, at[flows], ratio) for ratio in ratios.T])
        return ds.assign(sensitivity_variables("current", "time", shares, self.tangents.parameters))

    def _loops(self, column: Columns) -> tuple[np.ndarray, list[analysis.LoopFigures], np.ndarray]:
        """Loop number of each step, figures of each complete loop, indices of A-H of the first.

        Of a first loop that was not finished A-D are marked if its RESET ramp was, else only A;
        of one that starts with SET and was not finished A alone, and of no sweep A alone, where
        the cell is hottest.
        """
        time = column["time"]
        if not isinstance(self.protocol, IVSweep):
            hottest = np.argmax(column["temperature_max"])
            return np.zeros(len(time), dtype=int), [], np.array([hottest])
        loop = np.zeros(len(time), dtype=int)
        figures, points = [], None
        for i in range(self.protocol.loops):
            start, end = self.protocol.loop_times(i)
            slack = 1e-9 * (end - start)
            inside = np.flatnonzero((time >= start - slack) & (time <= end + slack))
            loop[(time > start + slack) & (time <= end + slack)] = i
            if not len(inside) or time[-1] < end - slack:
                break
            v, c, t = (column[k][inside] for k in ("voltage", "current", "temperature_max"))
            result, marked = analysis.loop_figures(v, c, t, self.protocol.first)
            figures.append(result if self.settings.motion else analysis.without_motion(result))
            points = inside[0] + marked if points is None else points
        if points is None:
            stop = self.protocol.corners[1] * (1 + 1e-9)
            ramp = np.flatnonzero(time <= stop)
            points = np.array([ramp[-1] // 2])
            if self.protocol.first == "reset" and time[-1] >= self.protocol.corners[1]:
                points = analysis.reset_points(column["voltage"][ramp], column["current"][ramp])
        return loop, figures, points

    def _fields(self, indices: np.ndarray, suffix: str) -> dict[str, np.ndarray]:
        """The maps at some steps, by name; of the frames, which are many, in single precision."""
        fields = [self.observer.fields(self.states[k]) for k in indices]
        names = ("vacancy_concentration", "temperature", "potential")
        kind = np.float32 if suffix else np.float64
        return {
            name + suffix: np.array(field).astype(kind)
            for name, field in zip(names, zip(*fields, strict=True), strict=True)
        }

    def _attrs(
        self,
        statistics: Statistics,
        column: Columns,
        figures: list[analysis.LoopFigures],
        complete: bool,
    ) -> dict[str, Any]:
        headline: dict[str, Any] = {}
        fall = self._localisation(column)
        if figures:
            headline |= _finite(dataclasses.asdict(figures[0]))
            headline["undetermined"] = self._undetermined(column)
            headline["loops"] = [_finite(dataclasses.asdict(f)) for f in figures]
        if not isinstance(self.protocol, IVSweep):
            names = ("time", "voltage", "current", "temperature_max")
            headline |= _finite(analysis.waveform_figures(*(column[name] for name in names)))
        if fall is not None:
            headline |= dataclasses.asdict(fall)
        headline |= {
            "steps": statistics.steps,
            "newton_iterations": statistics.newton_iterations,
            "factorisations": statistics.factorisations,
            "rejected_steps": len(statistics.rejections),
            "unknowns": self.problem.unknowns,
            "cells": self.problem.grid.cell_count,
            "seconds": self._seconds(),
        }
        kind = "Current-voltage loop" if isinstance(self.protocol, IVSweep) else "Waveform"
        attrs = provenance(
            IV_TRACE,
            f"{kind} of {self.device.name}",
            self.device,
            self.settings,
            self.protocol.to_dict(),
            headline,
            ranks=self.problem.comm.size,
            complete=complete,
        )
        attrs["loops"] = int(getattr(self.protocol, "loops", 0))
        if self.settings.scheme == "one-pass":
            return attrs | {"warning": ONE_PASS_WARNING}
        hottest = float(column["temperature_max"].max())
        largest = {"device_voltage_max": float(np.abs(column["device_voltage"]).max())}
        said = [*limits_of(self.device, largest)]
        if fall is not None:
            said.append(fall.warning())
        if figures and figures[0].return_ratio > analysis.NO_RETURN:
            said.append(
                "the cell did not return:"
                f" {format_si(figures[0].low_resistance_after, 'ohm', 3)} after SET,"
                f" {format_si(figures[0].low_resistance_before, 'ohm', 3)} before RESET"
            )
        return attrs | warning_of(hottest, *said)

    def _undetermined(self, column: Columns) -> dict[str, str]:
        """Why a figure of the first loop has no value, by its name."""
        assert isinstance(self.protocol, IVSweep)
        if not self.settings.motion:
            return dict.fromkeys(analysis.OF_MOTION, HELD)
        start, end = self.protocol.loop_times(0)
        inside = (column["time"] >= start) & (column["time"] <= end * (1 + 1e-9))
        voltage, current = column["voltage"][inside], column["current"][inside]
        why = analysis.undetermined_of_loop(voltage, current, self.protocol.first)
        return {name: reason for name, reason in why.items() if reason}

    def _localisation(self, column: Columns) -> Localisation | None:
        """Where the voltage falls at the most negative voltage, the end of RESET; of a waveform
        without a negative part at the largest one."""
        voltage = column["device_voltage"]
        k = int(np.argmin(voltage) if voltage.min() < 0 else np.argmax(voltage))
        concentration, _, potential = self.observer.fields(self.states[k])
        grid = self.problem.grid
        return localisation(self.device, potential, concentration, grid.z, grid.r)

    def _seconds(self) -> dict[str, float]:
        """Wall-clock seconds by part of the run; "solving" is all of the time stepping."""
        solving = self.solved - self.problem_ready
        shares = dict(self.problem.watch.seconds)
        rest = solving - sum(shares.values())
        shares |= {"rest": rest, "solving": solving, "setup": self.problem_ready - self.started}
        return {name: round(seconds, 4) for name, seconds in shares.items()}


def is_sweep(ds: xr.Dataset) -> bool:
    """Whether an IVTrace is of an I-V sweep, not of another waveform."""
    return bool(json.loads(ds.attrs.get("protocol_json", "{}")).get("kind") != "Waveform")


def sensitivity_variables(
    what: str, dim: str, shares: np.ndarray, parameters: Sequence[str]
) -> dict[str, xr.Variable]:
    """Variables of a record for d ln ``what`` / d ln p [1], shape (steps or pulses, parameters)."""
    paths = np.array(parameters, dtype=object)
    return {
        f"{what}_sensitivity": label(
            shares, (dim, "parameter"), "1", f"Relative sensitivity of the {what}"
        ),
        "parameter": label(paths, "parameter", "1", "Parameter of the device"),
    }


def _frames(column: Columns) -> np.ndarray:
    """Up to ``FRAMES`` steps, evenly spread along the path of voltage, current and temperature."""
    size = np.log10(np.maximum(np.abs(column["current"]), 1e-7))
    pace = (
        np.abs(np.diff(column["voltage"])) / 0.05
        + np.abs(np.diff(size)) / 0.1
        + np.abs(np.diff(column["temperature_max"])) / 20.0
    )
    path = np.concatenate([[0.0], np.cumsum(pace)])
    positions = np.linspace(0.0, path[-1], FRAMES)
    return np.unique(np.clip(np.searchsorted(path, positions), 0, len(path) - 1))


def _finite(figures: dict[str, float]) -> dict[str, float | None]:
    """NaN as null: JSON knows no NaN."""
    return {k: (v if np.isfinite(v) else None) for k, v in figures.items()}
