"""How functions are compiled by Numba here; importing this module needs Numba."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numba

__all__ = ["compiled"]


def compiled(function: Callable[..., Any], *signature: Any) -> Any:
    """`numba.njit`, with the result kept on disk where there is a folder for it."""
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "boundscheck": False}
    jit: Any = numba.njit
    with _signals_wait():
        try:
            return jit(*signature, cache=True, **options)(function)
        except RuntimeError:  # no folder that a cache could be written to
            return jit(*signature, **options)(function)


@contextmanager
def _signals_wait() -> Iterator[None]:
    """Ctrl-C and SIGTERM take effect at the end of the block: LLVM calls back into Python, where a
    KeyboardInterrupt is printed and lost, and the program would go on."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals go to the main thread
        return
    caught: list[int] = []
    before = {
        number: signal.signal(number, lambda n, _: caught.append(n))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        if caught:
            signal.raise_signal(caught[0])
