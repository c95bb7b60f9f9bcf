"""The n-th operation on files ends the process, or fails: for tests that try every n.

What is tried runs in a fork of the test's process, so that a kill is one: nothing of the process
is left, neither ``finally`` nor a lock. An error of the disk comes once.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import signal
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["at_every_operation", "with_fault"]

_CALLS = ("rename", "replace", "link", "unlink", "remove", "rmdir", "mkdir", "fsync", "truncate")
_LONGEST = 120.0  # s; what hangs is a failure


class _Count:
    def __init__(self, root: Path, at: int, kill: bool, told: int) -> None:
        self.root, self.at, self.kill, self.told = str(root), at, kill, told
        self.number = 0

    def meets(self, what: str, path: Any, relative: bool) -> None:
        """Count an operation below the folder; end or fail if it is its turn."""
        if isinstance(path, int):
            with contextlib.suppress(OSError):
                path = os.readlink(f"/proc/self/fd/{path}")
        if not relative and not str(path).startswith(self.root):
            return
        self.number += 1
        if self.number == self.at:
            os.write(self.told, f"{what} {path}"[-4000:].encode())
            if self.kill:
                os.kill(os.getpid(), signal.SIGKILL)
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))


def _install(count: _Count) -> None:
    """Replace the calls of this process, which is a fork and ends soon."""

    def counted(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            count.meets(name, args[0], kwargs.get("dir_fd") is not None)
            return call(*args, **kwargs)

        return wrapped

    def opened(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(file: Any, mode: Any = "r", *args: Any, **kwargs: Any) -> Any:
            if isinstance(mode, str) and set(mode) & set("wax+") and not isinstance(file, int):
                count.meets(f"open {mode}", file, False)
            return call(file, mode, *args, **kwargs)

        return wrapped

    real = os.open

    def low(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            count.meets("os.open", path, False)
        return real(path, flags, *args, **kwargs)

    import builtins

    for name in _CALLS:
        setattr(os, name, counted(name, getattr(os, name)))
    os.open = low
    builtins.open, io.open = opened(builtins.open), opened(io.open)  # type: ignore[misc]


def with_fault(root: Path, at: int, act: Callable[[], object], *, kill: bool) -> str:
    """Call ``act`` in a fork in which the ``at``-th change below ``root``, from 1 on, goes wrong.

    Returns the operation, or "" if there are fewer. An error of ``act`` is taken as its answer.
    """
    reads, writes = os.pipe()
    child = os.fork()
    if not child:
        code = 0
        try:
            os.close(reads)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            _install(_Count(root, at, kill, writes))
            act()
        except BaseException:
            traceback.print_exc()
            code = 1
        os._exit(code)
    os.close(writes)
    deadline = time.monotonic() + _LONGEST
    while not os.waitpid(child, os.WNOHANG)[0]:
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise AssertionError(f"it hangs after operation {at}")
        time.sleep(0.005)
    with os.fdopen(reads, "rb") as stream:
        return stream.read().decode(errors="replace")


def at_every_operation(
    root: Path,
    act: Callable[[], object],
    then: Callable[[str], None],
    *,
    kill: bool,
    prepare: Callable[[], None] = lambda: None,
    step: int = 1,
    most: int = 2000,
) -> int:
    """Call ``act`` with a fault at each operation, and ``then`` with its name after each.

    Returns the number of faults: those until ``act`` came to its end without meeting one.
    """
    for tried, at in enumerate(range(1, most, step)):
        prepare()
        what = with_fault(root, at, act, kill=kill)
        if not what:
            return tried
        then(f"{at}: {what}")
    raise AssertionError(f"more than {most} operations")
