"""How a running simulation shows itself: a bar on a terminal, a few lines elsewhere, a log."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from ddkbase.units import format_si

if TYPE_CHECKING:
    from devicephys.simulation.iv_record import ProgressEvent

CELSIUS_ZERO = 273.15  # K
_PLAIN_LINES = 16  # what is printed per run where there is no terminal, first and last besides


def step_line(event: ProgressEvent) -> str:
    """Return one line on a step, for the log and for output without a terminal."""
    return (
        f"t = {format_si(event.time, 's'):>9}  V = {event.voltage:+7.4f} V"
        f"  dt = {format_si(event.step_size, 's', 3):>8}"
        f"  T max = {event.temperature_max - CELSIUS_ZERO:6.1f} °C"
        f"  step {event.steps}, rejected {event.rejected}"
    )


def pulse_line(event: Any) -> str:
    """Return one line on a pulse, for the log and for output without a terminal."""
    return (
        f"{_pulse_name(event):<16}  {event.amplitude:+7.4f} V"
        f"  G = {format_si(event.conductance, 'S'):>8}"
        f"  T max = {event.temperature_max - CELSIUS_ZERO:6.1f} °C"
        f"  step {event.steps}, rejected {event.rejected}"
    )


def _pulse_name(event: Any) -> str:
    count = f" of {event.count}" if event.count else ""
    return f"{'preparing, ' if _preparing(event) else ''}pulse {event.pulse}{count}"


def _preparing(event: Any) -> bool:
    """Whether a pulse belongs to bringing the cell to its start, not yet to the train."""
    return bool(getattr(event, "preparing", False))


class Reporter:
    """Shows the progress of one loop; call it with each `ProgressEvent`, use it as a context.

    Parameters
    ----------
    console : Console
        Where to show it; a bar if that is a terminal, else at most about 20 lines.
    log : callable
        Called with one line per event, and one whenever steps were rejected.
    """

    def __init__(self, console: Console, log: Callable[[str], None]) -> None:
        self._console = console
        self._log = log
        self._rejected = 0
        self._next_line = 0.0
        self._last: Any = None  # None: nothing was computed yet
        self._shown: Any = None
        self._started = time.monotonic()
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._started = time.monotonic()
        if self._console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.fields[where]}"),
                BarColumn(bar_width=None),
                TextColumn("{task.percentage:>3.0f} %"),
                TimeElapsedColumn(),
                console=self._console,
                transient=True,
            )
            self._bar.start()
            # No total yet: the bar pulses while the forms are compiled.
            self._task = self._bar.add_task("", total=None, where="preparing the solver")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        elif self._last is not None and self._last is not self._shown:
            self._print(self._last)

    def __call__(self, event: Any) -> None:
        """Take notice of an accepted step, or of a pulse."""
        if event.rejected > self._rejected:
            count = event.rejected - self._rejected
            self._log(f"rejected {count} step(s) before {self._where(event)}")
            self._rejected = event.rejected
        self._log(self._line(event, log=True))
        self._last = event
        share = self._share(event)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, total=1.0, completed=share, where=self._short(event))
        elif share >= self._next_line:
            self._print(event)
            self._next_line = (int(share * _PLAIN_LINES) + 1) / _PLAIN_LINES

    @property
    def idle(self) -> bool:
        """Whether no step was accepted yet."""
        return self._last is None

    def _print(self, event: Any) -> None:
        self._shown = event
        elapsed = time.monotonic() - self._started
        self._console.print(
            f"{100 * self._share(event):3.0f} %  {self._line(event)}  ({elapsed:.1f} s)",
            soft_wrap=True,
            highlight=False,
            markup=False,
        )

    def _share(self, event: Any) -> float:
        """How much of the run is done, 0 to 1."""
        return event.time / event.duration if event.duration > 0 else 1.0

    def _where(self, event: Any) -> str:
        return f"t = {format_si(event.time, 's')}; their reasons follow at the end"

    def _line(self, event: Any, *, log: bool = False) -> str:
        return ("accepted  " if log else "") + step_line(event)

    def _short(self, event: Any) -> str:
        """What stands before the bar."""
        return (
            f"{format_si(event.time, 's', 3):>8}  {event.voltage:+6.3f} V"
            f"  dt {format_si(event.step_size, 's', 2):>7}"
            f"  {event.temperature_max - CELSIUS_ZERO:4.0f} °C"
        )


class PulseReporter(Reporter):
    """Shows the progress of a pulse train: an event is a pulse and its read.

    An event tells ``pulse`` (from 1 up), ``count``, ``amplitude`` [V], ``conductance`` [S],
    ``temperature_max`` [K], and ``steps`` and ``rejected`` of the train so far.
    """

    def _share(self, event: Any) -> float:
        return 0.0 if _preparing(event) or not event.count else event.pulse / event.count

    def _where(self, event: Any) -> str:
        return f"the end of {_pulse_name(event)}"

    def _line(self, event: Any, *, log: bool = False) -> str:
        return pulse_line(event)

    def _short(self, event: Any) -> str:
        return (
            f"{_pulse_name(event)}  {event.amplitude:+6.3f} V"
            f"  {format_si(event.conductance, 'S', 3):>7}"
            f"  {event.temperature_max - CELSIUS_ZERO:4.0f} °C"
        )


_FIGURES: dict[str, tuple[str, Callable[[Any], str]]] = {
    "reset_onset_voltage": ("RESET onset", lambda v: f"{v:+.3f} V"),
    "reset_gradual_range": ("RESET is gradual over", lambda v: f"{v:.3f} V"),
    "set_voltage": ("SET", lambda v: f"{v:+.3f} V"),
    "temperature_reset_edge": ("Peak temperature, edge of RESET", lambda t: celsius(t)),
    "temperature_set_edge": ("Peak temperature, edge of SET", lambda t: celsius(t)),
    "temperature_max": ("Peak temperature of the loop", lambda t: celsius(t)),
    "low_resistance_before": ("Low resistance, before", lambda r: format_si(r, "ohm", 3)),
    "high_resistance": ("High resistance", lambda r: format_si(r, "ohm", 3)),
    "low_resistance_after": ("Low resistance, after", lambda r: format_si(r, "ohm", 3)),
    "resistance_ratio": ("High / low resistance", lambda x: f"{x:.1f}"),
    "steps": ("Accepted steps", lambda n: f"{n:.0f}"),
    "rejected_steps": ("Rejected steps", lambda n: f"{n:.0f}"),
    "newton_iterations": ("Newton iterations", lambda n: f"{n:.0f}"),
    "factorisations": ("Factorisations", lambda n: f"{n:.0f}"),
    "cells": ("Cells of the mesh", lambda n: f"{n:.0f}"),
    "unknowns": ("Unknowns", lambda n: f"{n:.0f}"),
}
#: Figures whose values in the single loops stand in a row of their own.
_PER_LOOP = {
    "reset_onset_voltage": "RESET onset, loops",
    "set_voltage": "SET, loops",
}
_TIME_NAMES = {"jacobian": "Jacobian"}


def celsius(kelvin: float) -> str:
    """Return a temperature as text in whole °C."""
    return f"{kelvin - CELSIUS_ZERO:.0f} °C"


def headline_rows(figures: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the headline figures of a record as pairs of name and text with unit.

    A figure that the run did not reach (absent, ``None`` or NaN) reads "not reached"; a figure
    that is not known here is shown under its own name if it is a number or a text.  Of the list
    ``loops`` the voltages are shown if it has more than one loop; the mapping ``seconds`` becomes
    the row "Time", its largest part first.
    """
    rows = []
    for key, (name, text) in _FIGURES.items():
        value = figures.get(key)
        if key in figures:
            rows.append((name, "not reached" if _missing(value) else text(value)))
    rows += [
        (key, str(value))
        for key, value in figures.items()
        if key not in _FIGURES and not isinstance(value, dict | list)
    ]
    loops = figures.get("loops")
    if isinstance(loops, list) and len(loops) > 1:
        for key, name in _PER_LOOP.items():
            values = [loop.get(key) for loop in loops]
            texts = ["not reached" if _missing(v) else f"{v:+.2f}" for v in values]
            rows.append((name, ", ".join(texts) + ("" if _missing(values[-1]) else " V")))
    seconds = figures.get("seconds")
    if isinstance(seconds, dict) and seconds:
        rows.append(("Time", time_text(seconds)))
    return rows


def _missing(value: Any) -> bool:
    return not isinstance(value, int | float) or value != value


def time_text(seconds: dict[str, float]) -> str:
    """Return e.g. "3.3 s (factorisation 1.5, Jacobian 0.8, setup 0.2)": the total, its parts."""
    # "solving" is the sum of all others but "setup"
    parts = {key: value for key, value in seconds.items() if key != "solving"}
    largest = sorted(parts.items(), key=lambda item: -item[1])
    named = [f"{_TIME_NAMES.get(key, key)} {value:.1f}" for key, value in largest if value >= 0.05]
    return f"{sum(parts.values()):.1f} s" + (f" ({', '.join(named)})" if named else "")
