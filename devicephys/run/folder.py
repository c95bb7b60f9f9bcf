"""The folder of one run: claimed by one process, filled whole or not at all, with a log.

``run.log`` is made with "create, or fail if it exists", which the file system does in one step:
of two processes that want the same folder exactly one gets it.  As long as the process lives it
holds a lock on ``run.log``, which goes with it however it ends; who wants to go on with a run
tries that lock first.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import re
import sys
import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self, TextIO

from ddkbase.errors import StorageError, similar_file

if TYPE_CHECKING:
    import xarray as xr

LOG, DEVICE, REQUEST, CHECKPOINT = "run.log", "device.yaml", "request.json", "checkpoint.npz"
RECORD, CURVES, MAPS, FILM, PARAVIEW = "iv.nc", "iv.png", "fields.png", "loop.gif", "fields.vtkhdf"
PULSE_RECORD, PULSE_CURVES = "pulses.nc", "pulses.png"
REPORT = "report.html"
#: what a finished loop and a finished train leave; a checkpoint is there while they are at work
LOOP_FILES = (RECORD, CURVES, MAPS, FILM, PARAVIEW, REPORT, DEVICE, REQUEST, LOG)
PULSE_FILES = (PULSE_RECORD, PULSE_CURVES, REPORT, DEVICE, REQUEST, LOG)
RUN_FILES = tuple(dict.fromkeys((*LOOP_FILES, *PULSE_FILES, CHECKPOINT)))

#: a file system without locks: that ``run.log`` is made by one process has to do there
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)
_LEFT_BEHIND = re.compile(r"\..+\.[0-9a-f]{12}\.part")  # what `records.write_bytes` was killed at


def keep_traceback(exc: BaseException, program: str = "ddk-device") -> Path:
    """Write the traceback of ``exc`` to a temporary file named after ``program``; its path."""
    handle, name = tempfile.mkstemp(prefix=f"{program}-", suffix=".log")
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        traceback.print_exception(exc, file=stream)
    return Path(name)


class RunFolder:
    """A folder that this process has for itself; from `claim` or `reopen`, then a context manager.

    Lines of the loggers below ``devicephys`` go to the log as well while it is open.
    """

    def __init__(self, path: Path, log: TextIO, lock: int, made: list[Path] | None) -> None:
        self.path = path
        self._log: TextIO | None = log
        self._lock: int | None = lock
        self._made = made  # folders that were not there before; None: the run was there already
        self._handler = logging.StreamHandler(_LineWriter(self))
        self._handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    @property
    def reopened(self) -> bool:
        """Whether the folder held this run before."""
        return self._made is None

    @classmethod
    def claim(cls, path: Path) -> Self:
        """Make the folder and claim it for this process.

        Raises
        ------
        StorageError
            It cannot be made or written, it already holds a run (the file is named and another name
            suggested), or another process was faster.
        """
        try:
            for name in RUN_FILES:
                if (path / name).exists():
                    raise _occupied(path, name)
            made = [p for p in (path, *path.parents) if not p.exists()]
            path.mkdir(parents=True, exist_ok=True)
            log = (path / LOG).open("x", encoding="utf-8", buffering=1)
            lock = _lock(path, wait=True)
        except FileExistsError:
            if path.is_dir():
                raise _occupied(path, LOG) from None
            raise StorageError(
                "there is a file of that name, not a folder",
                where=str(path),
                hint="Choose another name after --out.",
            ) from None
        except StorageError:
            raise
        except OSError as exc:
            raise StorageError(
                f"the output folder cannot be made or written: {exc.strerror or exc}",
                where=str(path),
                hint="Choose a folder you may write to after --out.",
            ) from exc
        return cls(path, log, lock, made)

    @classmethod
    def reopen(cls, path: Path) -> Self:
        """Take over the folder of a run that ended before it was complete, or was killed.

        The log goes on where it ended; half-written files are removed.

        Raises
        ------
        StorageError
            No such folder, no ``request.json`` in it, another process still at work there, or no
            permission to write.
        """
        if not path.is_dir():
            hint = similar_file(path, "Name the folder that followed --out")
            raise StorageError("there is no such folder", str(path), hint)
        try:
            _ask_for_request(path)
            log = (path / LOG).open("a", encoding="utf-8", buffering=1)
            try:
                lock = _lock(path, wait=False)
                _ask_for_request(path)  # the other process may have given the folder back
            except BaseException:
                log.close()
                raise
            for file in path.iterdir():
                if _LEFT_BEHIND.fullmatch(file.name):
                    file.unlink(missing_ok=True)
        except BlockingIOError:
            raise StorageError(
                "another process is still at work in this folder",
                where=str(path),
                hint="Wait for its end, or stop it.",
            ) from None
        except StorageError:
            raise
        except OSError as exc:
            raise StorageError(
                f"the folder cannot be written: {exc.strerror or exc}", where=str(path)
            ) from exc
        return cls(path, log, lock, None)

    def __enter__(self) -> Self:
        logger = logging.getLogger("devicephys")
        logger.addHandler(self._handler)
        self._level = logger.level
        if logger.getEffectiveLevel() > logging.INFO:
            logger.setLevel(logging.INFO)
        return self

    def __exit__(self, *_: object) -> None:
        logger = logging.getLogger("devicephys")
        logger.removeHandler(self._handler)
        logger.setLevel(self._level)
        self._close()

    def _close(self) -> None:
        if self._log is not None:
            with contextlib.suppress(OSError):  # a full disk was already reported by `log`
                self._log.close()
            self._log = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def log(self, text: str = "", *, stamp: bool = False) -> None:
        """Write ``text`` to run.log, with date and time in front if ``stamp``.

        If the disk is full, this says so once on the error stream and goes on: the computed
        result is worth more than its log.
        """
        if self._log is None:
            return
        if stamp:
            text = f"{datetime.now(UTC).isoformat(timespec='seconds')}  {text}"
        try:
            self._log.write(text + "\n")
            self._log.flush()
        except OSError as exc:
            self._log = None
            sys.stderr.write(f"warning: {self.path / LOG} cannot be written: {exc.strerror}\n")

    def log_traceback(self, exc: BaseException) -> None:
        """Write the whole traceback of ``exc`` to run.log."""
        self.log("".join(traceback.format_exception(exc)))

    def release(self) -> None:
        """Give the folder back as it was found: nothing was computed, the name stays free.

        Files of others are left alone, and so is a run that was there before or has a checkpoint.
        """
        if self._made is not None and not (self.path / CHECKPOINT).exists():
            # before the lock goes: whoever waits for it must find that nothing is here any more
            for name in (REQUEST, DEVICE, LOG):
                (self.path / name).unlink(missing_ok=True)
            for folder in self._made:
                with contextlib.suppress(OSError):  # somebody put something into it meanwhile
                    folder.rmdir()
        self._close()

    def save(self, ds: xr.Dataset, name: str = RECORD, *, overwrite: bool = False) -> Path:
        """Write the dataset under ``name``; if the folder fails, into a temporary folder instead.


        Raises
        ------
        StorageError
            The folder cannot be written; the message says where the dataset went.
        """
        from ddkbase import records

        try:
            return records.write(ds, self.path / name, overwrite=overwrite)
        except StorageError as exc:
            try:
                spare = Path(tempfile.mkdtemp(prefix="ddk-device-")) / name
            except OSError:
                raise exc from None
            try:
                records.write(ds, spare)
            except StorageError:
                spare.parent.rmdir()
                raise exc from None
            raise StorageError(
                exc.what, where=exc.where, hint=f"The result was kept in {spare} instead."
            ) from exc


def _lock(path: Path, *, wait: bool) -> int:
    """Lock run.log for this process and return the handle that holds the lock.

    Raises
    ------
    BlockingIOError
        Another process holds it, or just removed the file.
    """
    # not the handle of the log: that one is given up when the disk is full
    handle = os.open(path / LOG, os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        if not os.path.samestat((path / LOG).stat(), os.fstat(handle)):
            raise BlockingIOError
    except FileNotFoundError:
        os.close(handle)
        raise BlockingIOError from None
    except OSError as exc:
        if exc.errno not in _NO_LOCKS:
            os.close(handle)
            raise
    return handle


def _ask_for_request(path: Path) -> None:
    if not (path / REQUEST).exists():
        raise StorageError(
            f"it holds no run that could go on: {REQUEST} is missing",
            where=str(path),
            hint="Start the run with 'ddk-device iv' or 'ddk-device pulses'.",
        )


class _LineWriter:
    """Lets a logging handler write to the run's log."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder

    def write(self, text: str) -> None:
        if text.strip():
            self._folder.log(text.rstrip("\n"), stamp=True)

    def flush(self) -> None:
        """Nothing to do: every line is flushed when it is written."""


def _occupied(path: Path, name: str) -> StorageError:
    number = 2
    while os.path.lexists(f"{path}-{number}"):
        number += 1
    hint = f"Try --out {path}-{number}"
    if (path / REQUEST).exists():
        hint += f", or 'ddk-device resume {path}' to go on with that run"
    return StorageError(
        f"the folder already holds a run: {name} exists", where=str(path), hint=f"{hint}."
    )
