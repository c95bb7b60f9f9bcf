"""The folder of one run: claimed by one process, filled whole or not at all, with a log.

``run.log`` is made with "create, or fail if it exists", which the file system does in one step:
of two processes that want the same folder exactly one gets it.  As long as the process lives it
holds a lock on ``run.log``, which goes with it however it ends; who wants to go on with a run
tries that lock first.
"""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self, TextIO

from ddkbase import records
from ddkbase.errors import StorageError, similar_file
from ddkbase.files import storage_errors, sweep
from ddkbase.folders import ClaimedFolder, Lock, lock, make_folders
from devicephys.simulation.checkpoint import CHECKPOINT

if TYPE_CHECKING:
    import xarray as xr

LOG, DEVICE, REQUEST = "run.log", "device.yaml", "request.json"
RECORD, CURVES, MAPS, FILM, PARAVIEW = "iv.nc", "iv.png", "fields.png", "loop.gif", "fields.vtkhdf"
TIME_CURVES = "time.png"
PULSE_RECORD, PULSE_CURVES = "pulses.nc", "pulses.png"
SCAN_RECORD, SCAN_CURVES = "kinetics.nc", "kinetics.png"
BAKE_RECORD, BAKE_CURVES = "retention.nc", "retention.png"
CYCLE_RECORD, CYCLE_CURVES = "endurance.nc", "endurance.png"
REPORT = "report.html"
#: what a finished run leaves; a checkpoint is there while it is at work
LOOP_FILES: tuple[str, ...] = (RECORD, CURVES, MAPS, FILM, PARAVIEW, REPORT, DEVICE, REQUEST, LOG)
WAVEFORM_FILES = (*LOOP_FILES[:2], TIME_CURVES, *LOOP_FILES[2:])
PULSE_FILES = (PULSE_RECORD, PULSE_CURVES, REPORT, DEVICE, REQUEST, LOG)
SCAN_FILES = (SCAN_RECORD, SCAN_CURVES, REPORT, DEVICE, REQUEST, LOG)
BAKE_FILES = (BAKE_RECORD, BAKE_CURVES, REPORT, DEVICE, REQUEST, LOG)
CYCLE_FILES = (CYCLE_RECORD, CYCLE_CURVES, REPORT, DEVICE, REQUEST, LOG)
RUN_FILES = tuple(
    dict.fromkeys(
        (*WAVEFORM_FILES, *PULSE_FILES, *SCAN_FILES, *BAKE_FILES, *CYCLE_FILES, CHECKPOINT)
    )
)


class RunFolder(ClaimedFolder):
    """A folder that this process has for itself; from `claim` or `reopen`, then a context manager.

    Lines of the loggers below ``devicephys`` go to the log as well while it is open.
    """

    def __init__(self, path: Path, lock: Lock, created: list[Path] | None, log: TextIO) -> None:
        super().__init__(path, lock, created)
        self._log: TextIO | None = log
        self.warn: Callable[[str], None] = lambda text: None  #: told what the log cannot say
        self._handler = logging.StreamHandler(_LineWriter(self))
        self._handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    @classmethod
    def claim(cls, path: Path) -> Self:
        """Make the folder and claim it for this process.

        Raises StorageError: it cannot be made or written, it already holds a run (the file is named
        and another name suggested), or another process was faster.
        """
        message = "the output folder cannot be made or written"
        with storage_errors(message, path, "Choose a folder you may write to after --out."):
            try:
                for name in RUN_FILES:
                    if (path / name).exists():
                        raise _occupied(path, name)
                created = make_folders(path)
                log = (path / LOG).open("x", encoding="utf-8", buffering=1)
            except FileExistsError:
                if path.is_dir():
                    raise _occupied(path, LOG) from None
                raise StorageError(
                    "there is a file of that name, not a folder",
                    where=str(path),
                    hint="Choose another name after --out.",
                ) from None
            # not the handle of the log: that one is given up when the disk is full
            return cls(path, lock(path / LOG, _busy(path), wait=True), created, log)

    @classmethod
    def reopen(cls, path: Path) -> Self:
        """Take over the folder of a run that ended before it was complete, or was killed.

        The log goes on where it ended; half-written files are removed.

        Raises StorageError: no such folder, no ``request.json`` in it, another process still at
        work there, or no permission to write.
        """
        if not path.is_dir():
            hint = similar_file(path, "Name the folder that followed --out")
            raise StorageError("there is no such folder", str(path), hint)
        with storage_errors("the folder cannot be written", path), contextlib.ExitStack() as stack:
            _ask_for_request(path)
            log = stack.enter_context((path / LOG).open("a", encoding="utf-8", buffering=1))
            lock_ = stack.enter_context(lock(path / LOG, _busy(path)))
            _ask_for_request(path)  # the other process may have given the folder back
            sweep(path)
            stack.pop_all()
        return cls(path, lock_, None, log)

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
        self.close()

    def close(self) -> None:
        """Close the log and let other processes have the folder."""
        if self._log is not None:
            with contextlib.suppress(OSError):  # a full disk was already reported by `log`
                self._log.close()
            self._log = None
        super().close()

    def log(self, text: str = "", *, stamp: bool = False) -> None:
        """Write ``text`` to run.log, with date and time in front if ``stamp``.

        If the disk is full, this says so once by `warn` and goes on: the computed result is worth
        more than its log.
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
            self.warn(f"{self.path / LOG} cannot be written: {exc.strerror}")

    def log_traceback(self, exc: BaseException) -> None:
        """Write the whole traceback of ``exc`` to run.log."""
        self.log("".join(traceback.format_exception(exc)))

    def release(self) -> None:
        """Give the folder back as it was found: nothing was computed, the name stays free.

        Files of others are left alone, and so is a run that was there before or has a checkpoint.
        """
        if not self.reopened and not (self.path / CHECKPOINT).exists():
            self.give_back((REQUEST, DEVICE, LOG))
        self.close()

    def save(self, ds: xr.Dataset, name: str = RECORD, *, overwrite: bool = False) -> Path:
        """Write the dataset under ``name``; if the folder fails, into a temporary folder instead.

        Raises StorageError: the folder cannot be written; the message says where the dataset went.
        """
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


def _busy(path: Path) -> StorageError:
    return StorageError(
        "another process is still at work in this folder",
        where=str(path),
        hint="Wait for its end, or stop it.",
    )


def _ask_for_request(path: Path) -> None:
    if not (path / REQUEST).exists():
        raise StorageError(
            f"it holds no run that could go on: {REQUEST} is missing",
            where=str(path),
            hint="Start a run with 'ddk-device iv', 'pulses', 'waveform', 'retention' or others.",
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
