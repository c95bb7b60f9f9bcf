"""How far long work is, and how that is shown: a bar on a terminal, a few lines elsewhere."""

from __future__ import annotations

import dataclasses
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from ddkbase.errors import visible

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


class Bar:
    """A bar on a terminal, and nothing elsewhere; use it as a context.

    Parameters
    ----------
    console : rich.console.Console
        Where it is shown.
    waiting : str
        What stands before it until there is a first state; it pulses so long.
    """

    def __init__(self, console: Console, waiting: str) -> None:
        self._waiting = waiting
        self._task: TaskID | None = None
        self._progress = Progress(
            TextColumn("{task.fields[where]}"),
            BarColumn(bar_width=None),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Self:
        if not self._progress.disable:
            self._progress.start()
            self._task = self._progress.add_task("", total=None, where=self._waiting)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def _show(self, completed: float, total: float | None, where: str) -> bool:
        """Show how far the work is; whether there is a bar to show it."""
        if self._task is not None:
            self._progress.update(self._task, total=total, completed=completed, where=where)
        return self._task is not None


class Display(Bar):
    """Shows how far the work is; call it with each `State`, use it as a context.

    Parameters
    ----------
    console : rich.console.Console
        Where to show it; a bar if that is a terminal, else results and at most about 20 lines.
    waiting : str
        What stands before the bar until there is a first state.
    """

    def __init__(self, console: Console, waiting: str) -> None:
        super().__init__(console, waiting)
        self._console = console
        self._next_share = 0.0
        self._last: State | None = None
        self._shown: State | None = None
        self._started = time.monotonic()

    def __enter__(self) -> Self:
        self._started = time.monotonic()
        return super().__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        super().__exit__(kind, value, trace)
        if self._task is None and self._last is not None and self._last is not self._shown:
            self._print(self._last)

    def __call__(self, state: State) -> None:
        """Take notice of how far the work is."""
        self._last = state
        bar = self._show(state.share, 1.0, state.short)
        if state.result:
            self._print(state)
        elif not bar and state.share >= self._next_share:
            self._print(state)
            self._next_share = (int(state.share * _PLAIN_LINES) + 1) / _PLAIN_LINES

    def _print(self, state: State) -> None:
        self._shown = state
        text = state.line
        if not state.result:
            elapsed = time.monotonic() - self._started
            text = f"{100 * state.share:3.0f} %  {text}  ({elapsed:.1f} s)"
        self._console.print(visible(text), soft_wrap=True, highlight=False, markup=False)
