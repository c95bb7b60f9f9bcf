"""Ctrl-C and SIGTERM at moments when they would do harm: ignored, put off, or kept from others."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from multiprocessing import resource_tracker
from typing import Any

__all__ = ["children_without_ctrl_c", "deferred", "undisturbed"]


@contextlib.contextmanager
def _handled_by(handler: Callable[[int, Any], Any] | signal.Handlers) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM go to ``handler``; only the main thread gets them.

    To put a signal off, a handler of Python's must be there; what is left to the system, or is
    ignored, stays so then.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {
        number: before
        for number in (signal.SIGINT, signal.SIGTERM)
        if callable(before := signal.getsignal(number))
        or (handler is signal.SIG_IGN and before is not None)
    }
    for number in previous:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, before in previous.items():
            signal.signal(number, before)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Ignore Ctrl-C and SIGTERM while a result is written, which takes a moment."""
    with _handled_by(signal.SIG_IGN):
        yield


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """Let the first Ctrl-C or SIGTERM wait until the context is closed; a second does not wait.

    Raises
    ------
    KeyboardInterrupt
        When the context is closed, if a signal came.
    """
    received: list[int] = []

    def note(number: int, frame: Any) -> None:
        received.append(number)
        if len(received) > 1:
            raise KeyboardInterrupt

    with _handled_by(note):
        yield
    if received:
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
