"""The n-th operation on files ends the process, or fails: for tests that try every n.

A process that is killed does nothing more, so every later operation fails as well, also those of
``finally`` and ``except``. An error of the disk comes once.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

__all__ = ["Killed", "at_every_operation", "fault"]

_CALLS = ("rename", "replace", "link", "unlink", "remove", "rmdir", "mkdir", "fsync", "truncate")


class Killed(BaseException):
    """The process has ended."""


class _Count:
    def __init__(self, root: Path, at: int, kill: bool) -> None:
        self.root, self.at, self.kill = str(root), at, kill
        self.number, self.off = 0, False
        self.what = ""

    def meets(self, what: str, path: Any, relative: bool) -> None:
        """Count an operation below the folder; raise if it is its turn, or the process is gone."""
        if self.off:
            return
        if isinstance(path, int):
            with contextlib.suppress(OSError):
                path = os.readlink(f"/proc/self/fd/{path}")
        if not relative and not str(path).startswith(self.root):
            return
        self.number += 1
        if self.number == self.at or (self.kill and self.number > self.at):
            self.what = self.what or f"{what} {path}"
            if self.kill:
                raise Killed(self.what)
            raise OSError(errno.EIO, "Input/output error", str(path))


@contextlib.contextmanager
def fault(root: Path, at: int, *, kill: bool) -> Iterator[_Count]:
    """Let the ``at``-th operation that changes something below ``root`` fail, from 1 on."""
    count = _Count(root, at, kill)

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

    def low(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            count.meets("os.open", path, False)
        return real(path, flags, *args, **kwargs)

    real = os.open
    with pytest.MonkeyPatch.context() as patch:
        for name in _CALLS:
            patch.setattr(os, name, counted(name, getattr(os, name)))
        patch.setattr(os, "open", low)
        patch.setattr("builtins.open", opened(open))
        patch.setattr(io, "open", opened(io.open))
        try:
            yield count
        finally:
            count.off = True


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

    Returns the number of faults: those until ``act`` came to its end without meeting one. An error
    of ``act`` itself is taken as its answer to the fault.
    """
    tried = 0
    for at in range(1, most, step):
        prepare()
        with fault(root, at, kill=kill) as count, contextlib.suppress(Killed, Exception):
            act()
        if not count.what:
            return tried
        tried += 1
        then(f"{at}: {count.what}")
    raise AssertionError(f"more than {most} operations")
