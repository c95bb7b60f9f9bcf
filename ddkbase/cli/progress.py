"""How far long work is, and how that is shown: a bar on a terminal, a few lines elsewhere."""

from __future__ import annotations

import dataclasses
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

__all__ = ["Display", "State"]

_PLAIN_LINES = 16  # what is printed where there is no terminal, first and last besides


@dataclasses.dataclass(frozen=True)
class State:
    """How far the work is.

    Parameters
    ----------
    share : float
        How much of it is done, 0 to 1.
    line : str
        One line on what was done last.
    short : str
        The same before a bar.
    result : bool, default False
        Whether the line is a result, to be shown in any case.
    """

    share: float
    line: str
    short: str
    result: bool = False


class Display:
    """Shows how far the work is; call it with each `State`, use it as a context.

    Parameters
    ----------
    console : rich.console.Console
        Where to show it; a bar if that is a terminal, else results and at most about 20 lines.
    waiting : str
        What stands before the bar until there is a first state.
    """

    def __init__(self, console: Console, waiting: str) -> None:
        self._console, self._waiting = console, waiting
        self._next_share = 0.0
        self._last: State | None = None
        self._shown: State | None = None
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
            # without a total the bar pulses
            self._task = self._bar.add_task("", total=None, where=self._waiting)
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

    def __call__(self, state: State) -> None:
        """Take notice of how far the work is."""
        self._last = state
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, total=1.0, completed=state.share, where=state.short)
        if state.result:
            self._print(state)
        elif self._bar is None and state.share >= self._next_share:
            self._print(state)
            self._next_share = (int(state.share * _PLAIN_LINES) + 1) / _PLAIN_LINES

    def _print(self, state: State) -> None:
        self._shown = state
        text = state.line
        if not state.result:
            elapsed = time.monotonic() - self._started
            text = f"{100 * state.share:3.0f} %  {text}  ({elapsed:.1f} s)"
        self._console.print(text, soft_wrap=True, highlight=False, markup=False)
