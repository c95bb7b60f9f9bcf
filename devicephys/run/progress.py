"""What a solver tells of steps, pulses and voltages: states of a run, and lines of its log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ddkbase.cli.progress import State
from ddkbase.units import format_si
from devicephys.reliability.retention_record import duration_text
from devicephys.run.figure import CELSIUS_ZERO, celsius
from devicephys.simulation.iv_record import ProgressEvent
from devicephys.simulation.schemas import SWITCHED
from devicephys.simulation.switching_time import Results

#: the state at an event, its line in the log, and what the log calls the instant
Description = tuple[State, str, str]


class Recorder:
    """Takes the solver's events: a line of the log for each, and a state for who watches.

    Parameters
    ----------
    describe : callable
        What an event says.
    log : callable
        Called with one line for each event, and one whenever steps were rejected.
    progress : callable or None
        Called with each `State`.
    """

    def __init__(
        self,
        describe: Callable[[Any], Description],
        log: Callable[[str], None],
        progress: Callable[[State], None] | None,
    ) -> None:
        self._describe, self._log, self._progress = describe, log, progress
        self._rejected = 0
        self.idle = True  # nothing was computed yet

    def __call__(self, event: Any) -> None:
        """Take notice of an accepted step, a pulse or a voltage."""
        self.idle = False
        state, line, position = self._describe(event)
        rejected = getattr(event, "rejected", 0)
        if rejected > self._rejected:
            self._log(f"rejected {rejected - self._rejected} step(s) before {position}")
            self._rejected = rejected
        self._log(line)
        if self._progress is not None:
            self._progress(state)


def step_state(event: ProgressEvent) -> Description:
    """An accepted step of a loop."""
    celsius = event.temperature_max - CELSIUS_ZERO
    line = (
        f"t = {format_si(event.time, 's'):>9}  V = {event.voltage:+7.4f} V"
        f"  dt = {format_si(event.step_size, 's', 3):>8}"
        f"  T max = {celsius:6.1f} °C"
        f"  step {event.steps}, rejected {event.rejected}"
    )
    short = (
        f"{format_si(event.time, 's', 3):>8}  {event.voltage:+6.3f} V"
        f"  dt {format_si(event.step_size, 's', 2):>7}"
        f"  {celsius:4.0f} °C"
    )
    share = event.time / event.duration if event.duration > 0 else 1.0
    position = f"t = {format_si(event.time, 's')}; their reasons follow at the end"
    return State(share, line, short), f"accepted  {line}", position


def pulse_state(event: Any) -> Description:
    """A pulse and its read.

    An event has ``pulse`` (from 1 up), ``count``, ``amplitude`` [V], ``conductance`` [S],
    ``temperature_max`` [K], and ``steps`` and ``rejected`` of the train so far; ``preparing`` if
    the pulse brings the cell to its start.
    """
    preparing = bool(getattr(event, "preparing", False))
    count = f" of {event.count}" if event.count else ""
    name = f"{'preparing, ' if preparing else ''}pulse {event.pulse}{count}"
    celsius = event.temperature_max - CELSIUS_ZERO
    line = (
        f"{name:<16}  {event.amplitude:+7.4f} V"
        f"  G = {format_si(event.conductance, 'S'):>8}"
        f"  T max = {celsius:6.1f} °C"
        f"  step {event.steps}, rejected {event.rejected}"
    )
    short = (
        f"{name}  {event.amplitude:+6.3f} V"
        f"  {format_si(event.conductance, 'S', 3):>7}"
        f"  {celsius:4.0f} °C"
    )
    share = 0.0 if preparing or not event.count else event.pulse / event.count
    return State(share, line, short), line, f"the end of {name}"


def read_state(event: Any) -> Description:
    """A read of a bake, a ``BakeEvent``."""
    line = (
        f"{celsius(event.temperature):>7}  {duration_text(event.time):>9}"
        f"  R = {format_si(1.0 / event.conductance, 'ohm'):>10}  step {event.steps}"
    )
    return State(event.read / event.count, line, line), line, duration_text(event.time)


def cycle_state(event: Any) -> Description:
    """A state that was programmed, a ``CycleEvent``."""
    name = f"cycle {event.cycle} of {event.count}"
    line = (
        f"{name:<16}  {event.state:4}  R = {format_si(event.resistance, 'ohm'):>10}"
        f"  {event.pulses} pulse(s)  T max = {celsius(event.temperature_max)}"
    )
    done = event.cycle - (0.5 if event.state == "high" else 0.0)
    return State(done / event.count, line, line), line, name


def voltage_state(results: Results) -> Description:
    """A voltage of a scan that was held, the last of ``results``."""
    point = results.points[-1]
    sign = "-" if point.polarity == "reset" else "+"
    outcome = point.reason or point.status
    if point.status == SWITCHED:
        outcome = f"switched after {format_si(point.switching_time, 's')}"
    count = f"{len(results.points)}/{results.total}"
    voltage = f"{point.polarity.upper():5}  {sign}{point.voltage:.4g} V"
    line = f"{count}  {voltage}  {outcome}  ({point.steps} steps)"
    share = len(results.points) / results.total
    return State(share, line, f"{count}  {voltage}", result=True), line, voltage
