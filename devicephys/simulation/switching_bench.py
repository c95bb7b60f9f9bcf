"""The bench that measures switching times, and the solver as one: start states, reads, holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy.optimize import brentq

from ddkbase.errors import SolverError
from devicephys.device import Device
from devicephys.device.series import NoSeries
from devicephys.protocol.switching_scan import SwitchingScan
from devicephys.protocol.waveform import IVSweep, Waveform
from devicephys.simulation.settings import Settings

#: length of a read, s: far below the thermal time of a cell, so that it is read at the ambient
#: temperature, and long enough for the heat balance to hold to rounding
READ_STEP = 1e-13
#: first time step as a share of the rise of a hold, and of the ramp of a sweep
FIRST_STEP = 1e-2


@dataclass(frozen=True)
class Moment:
    """An accepted step of a hold: time since the rise began [s], applied voltage [V], its current
    [A] and peak temperature [K], and the state, whatever the bench reads."""

    time: float
    voltage: float
    current: float
    temperature: float
    state: Any


class Bench(Protocol):
    """What carries out a scan: the solver, or a stand-in in tests."""

    def start(self, polarity: str) -> Any:
        """The state RESET or SET starts from."""

    def read(self, state: Any) -> float:
        """Conductance [S] that a read of the cold cell in this state finds."""

    def hold(self, state: Any, voltage: float) -> Iterator[Moment]:
        """The steps of a rise to and a hold of a voltage [V], from ``rise`` on to ``limit``."""

    def counts(self) -> tuple[int, int]:
        """Accepted steps and Newton iterations so far."""


class SolverBench(Bench):
    """One cell on one mesh, brought to its start states and held at voltages.

    ``ranks`` is the number of processes that compute.
    """

    def __init__(
        self, device: Device, settings: Settings, scan: SwitchingScan, comm: Any = None
    ) -> None:
        # start-up: the finite-element stack takes seconds, and is not on every machine
        from devicephys.fem.assembly import prepare
        from devicephys.fem.observables import Observer

        self.device, self.scan = device, scan
        self.problem, self.stepper, self._formed = prepare(device, settings, comm)
        self._observer = Observer(self.problem, self._formed)
        self._states: dict[str, Any] = {}
        #: fields of the latest read, from which the next one starts
        self.latest = self._formed.copy()
        self.ranks = self.problem.comm.size

    def start(self, polarity: str) -> Any:
        """The state RESET ("reset") or SET starts from, simulated when first asked for.

        Raises
        ------
        SolverError
            The sweep that makes it cannot be computed.
        """
        if "reset" not in self._states:
            state = self._formed
            if self.scan.loops_before:
                own = IVSweep.from_device(self.device.with_({"sweep.loops": 1}))
                for _ in range(self.scan.loops_before):
                    state = self._swept(state, own)
            self._states["reset"] = state
        if polarity not in self._states:
            sweep = self.device.sweep
            ramp = abs(sweep.reset_voltage) / sweep.rate
            half = Waveform.from_si([0.0, ramp, 2 * ramp], [0.0, sweep.reset_voltage, 0.0])
            self._states[polarity] = self._swept(self._states["reset"], half)
        return self._states[polarity]

    def _swept(self, state: Any, waveform: Waveform) -> Any:
        self.problem.series = self.device.series.swept()
        first = 1e-3 * float(np.diff(waveform.corners).min())
        for step in self.stepper.run(state, waveform.voltage, waveform.corners, first):
            last = step.state
        # cooled down: what the cell is like long after the sweep
        rest = last.copy()
        rest.u[0::2], rest.u[1::2], rest.contact = 0.0, self.device.ambient_temperature, 0.0
        return rest

    def read(self, state: Any) -> float:
        """Conductance [S] of cell and series element at the read voltage, the cell at ambient
        temperature and its vacancies where ``state`` has them. Collective.

        Raises
        ------
        SolverError
            Newton's method does not converge.
        """
        problem, voltage = self.problem, self.scan.read_voltage
        cold = self.latest
        cold.n = state.n.copy()
        cold.u[1::2] = self.device.ambient_temperature
        problem.load_history(cold.u.copy(), cold.n.copy(), READ_STEP)
        driven, problem.series = problem.series, problem.series.charged()
        try:
            if driven.kind == "compliance":
                self._held(cold, voltage)
            report = self.stepper.solver.solve(cold, voltage)
        finally:
            problem.series = driven
        if not report.converged:
            self.latest = self._formed.copy()
            raise SolverError(f"the read does not converge: {report.reason}")
        return problem.current(cold.u) / voltage

    def _held(self, cold: Any, voltage: float) -> None:
        """Begin a read of a cell under a current limit near what it ends with. Collective.

        Newton's method jumps to and fro over the edge of the limit. In a read the cell is a
        resistor, and a resistor on that line is a root within an interval.
        """
        problem, instrument = self.problem, self.problem.series
        problem.series = NoSeries()
        try:
            self.stepper.solver.solve(cold, voltage)
        finally:
            problem.series = instrument
        slope = problem.current(cold.u) / voltage

        def excess(contact: float) -> float:
            return problem.load_line(voltage, contact)[0] - slope * contact

        cold.contact = brentq(excess, 0.0, voltage) if slope > 0.0 else voltage
        cold.u[0::2] *= cold.contact / voltage

    def gap(self, state: Any) -> float:
        """Filament gap [m] of a state. Collective."""
        return self._observer.gap(state)

    def hold(self, state: Any, voltage: float) -> Iterator[Moment]:
        """The accepted steps from the end of the rise on; see ``Bench``.

        Raises
        ------
        SolverError
            No time step succeeds.
        """
        # a held voltage is one long pulse, and driven as pulses are
        self.problem.series = self.device.series.pulsed()
        rise = self.scan.rise
        waveform = Waveform.from_si([0.0, rise, rise + self.scan.limit], [0.0, voltage, voltage])
        for step in self.stepper.run(state, waveform.voltage, waveform.corners, FIRST_STEP * rise):
            if step.time >= rise:
                seen = self._observer.observe(step)
                yield Moment(
                    seen.time, seen.voltage, seen.current, seen.temperature_max, step.state
                )

    def counts(self) -> tuple[int, int]:
        """Accepted steps and Newton iterations so far, those of reads left out."""
        statistics = self.stepper.statistics
        return statistics.steps, statistics.newton_iterations
