"""Ctrl-C and SIGTERM at moments when they would leave half-started processes behind."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from multiprocessing import resource_tracker
from typing import Any


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """Let the first Ctrl-C or SIGTERM wait until the context is closed; a second does not wait.

    Signals that the program leaves to the system or ignores stay as they are.

    Raises
    ------
    KeyboardInterrupt
        When the context is closed, if a signal came.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread gets signals
        return
    came: list[int] = []

    def note(number: int, frame: Any) -> None:
        came.append(number)
        if len(came) > 1:
            raise KeyboardInterrupt

    previous = {
        number: handler
        for number in (signal.SIGINT, signal.SIGTERM)
        if callable(handler := signal.getsignal(number))
    }
    for number in previous:
        signal.signal(number, note)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    if came:
        raise KeyboardInterrupt


@contextlib.contextmanager
def children_without_ctrl_c() -> Iterator[None]:
    """Processes and threads started in the context never see Ctrl-C, nor do theirs.

    A terminal sends it to all of them at once, but it is for the main process to end the others.
    """
    # Started later, it would be in one of these threads, and take the mask off that thread again.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
