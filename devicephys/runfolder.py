"""The folder of one run: claimed by one process, filled whole or not at all, with a log.

``run.log`` is made with "create, or fail if it exists", which the file system does in one step:
of two processes that want the same folder exactly one gets it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self, TextIO

from devicephys.errors import StorageError

if TYPE_CHECKING:
    import xarray as xr

LOG, RECORD, DEVICE = "run.log", "iv.nc", "device.yaml"
CURVES, MAPS, FILM, PARAVIEW = "iv.png", "fields.png", "loop.gif", "fields.vtkhdf"
RUN_FILES = (RECORD, CURVES, MAPS, FILM, PARAVIEW, DEVICE, LOG)


def keep_traceback(exc: BaseException) -> Path:
    """Write the traceback of ``exc`` to a temporary file and return its path."""
    handle, name = tempfile.mkstemp(prefix="ddk-device-", suffix=".log")
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        traceback.print_exception(exc, file=stream)
    return Path(name)


class RunFolder:
    """A claimed folder; use `RunFolder.claim`, then as a context manager.

    Lines of the loggers below ``devicephys`` go to the log as well while it is open.
    """

    def __init__(self, path: Path, log: TextIO, made: list[Path]) -> None:
        self.path = path
        self._log: TextIO | None = log
        self._made = made  # folders that were not there before
        self._handler = logging.StreamHandler(_LineWriter(self))
        self._handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    @classmethod
    def claim(cls, path: Path) -> Self:
        """Make the folder and claim it for this process.

        Raises
        ------
        StorageError : it cannot be made or written, it already holds a run (the file is named and
            another name suggested), or another process was faster.
        """
        try:
            for name in RUN_FILES:
                if (path / name).exists():
                    raise _occupied(path, name)
            made = [p for p in (path, *path.parents) if not p.exists()]
            path.mkdir(parents=True, exist_ok=True)
            log = (path / LOG).open("x", encoding="utf-8", buffering=1)
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
        return cls(path, log, made)

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
        if self._log is not None:
            with contextlib.suppress(OSError):  # a full disk was already reported by `log`
                self._log.close()

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

        Files of others are left alone.
        """
        if self._log is not None:
            self._log.close()
            self._log = None
        for name in (DEVICE, LOG):
            (self.path / name).unlink(missing_ok=True)
        for folder in self._made:
            with contextlib.suppress(OSError):  # somebody put something into it meanwhile
                folder.rmdir()

    def save(self, ds: xr.Dataset) -> Path:
        """Write the dataset as iv.nc; if the folder fails, into a temporary folder instead.

        Raises
        ------
        StorageError : the folder cannot be written; the message says where the dataset went.
        """
        from devicephys import records

        try:
            return records.write(ds, self.path / RECORD)
        except StorageError as exc:
            try:
                spare = Path(tempfile.mkdtemp(prefix="ddk-device-")) / RECORD
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
    return StorageError(
        f"the folder already holds a run: {name} exists",
        where=str(path),
        hint=f"Try --out {path}-{number}.",
    )
