"""One simulated run and its folder: whatever happens on the way, the folder tells it.

`carry_out` is the body of ``ddk-device iv``, ``pulses`` and ``resume``: simulate, write the
record, draw, print; keep what was computed if the user or the solver stops; give the folder back
if nothing was computed.  What a loop and a train have of their own is in `devicephys.run.loop` and
`devicephys.run.pulses`.
"""

from __future__ import annotations

import abc
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console

from ddkbase import installation, records
from ddkbase.cli.output import Output
from ddkbase.errors import DDKError, Interrupted, SolverError, StorageError
from ddkbase.files import keep_traceback
from ddkbase.signals import undisturbed
from devicephys.run import folder as runfolder
from devicephys.run.folder import RunFolder
from devicephys.run.progress import Reporter
from devicephys.run.request import Request
from devicephys.simulation.checkpoint import Checkpoint

if TYPE_CHECKING:
    import xarray as xr


class Run(abc.ABC):
    """What `carry_out` has to know of a kind of run."""

    record: str  # name of the file with the record
    schema: str
    files: tuple[str, ...]  # what a finished run leaves
    noun: str

    def __init__(self, request: Request, pictures: str = "png") -> None:
        self.request = request
        self.pictures = pictures  # svg or pdf: vector pictures beside the PNG files

    @abc.abstractmethod
    def simulate(self, progress: Any, checkpoint: Checkpoint | None) -> xr.Dataset:
        """Compute the record; ``progress`` and ``checkpoint`` may be None."""

    @abc.abstractmethod
    def reporter(self, console: Console, log: Callable[[str], None]) -> Reporter:
        """What shows the progress."""

    @abc.abstractmethod
    def reach(self, ds: xr.Dataset) -> tuple[float, str]:
        """How far a part of the record goes: a number that grows with it, and words."""

    @abc.abstractmethod
    def draw(self, folder: Path, ds: xr.Dataset, *, overwrite: bool) -> list[Path]:
        """Make all pictures; if some fail, raise the first error after making the others."""

    @abc.abstractmethod
    def rows(self, ds: xr.Dataset) -> list[tuple[str, str]]:
        """Name and text of the figures that are printed at the end."""

    @abc.abstractmethod
    def entries(self, ds: xr.Dataset) -> dict[str, Any]:
        """The same as names and numbers in SI units, and ``units``."""

    def details(self, ds: xr.Dataset) -> Iterator[str]:
        """Lines for the log that are not printed."""
        yield from ()

    def partial(self, ds: xr.Dataset | None) -> xr.Dataset | None:
        """The part of a record that was computed, or None if that is nothing."""
        return ds if ds is not None and all(ds.sizes.get(d, 1) for d in ("time", "pulse")) else None


class _RunCheckpoint(Checkpoint):
    """A checkpoint that does not cost the run: if it cannot be written, that is said once."""

    def __init__(self, folder: RunFolder, every: int) -> None:
        super().__init__(folder.path, every)
        self._folder = folder
        self._failed = False

    def save(self, arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> None:
        try:
            super().save(arrays, meta)
        except StorageError as exc:
            if not self._failed:
                self._failed = True
                self._folder.log(f"warning: no checkpoint: {exc}", stamp=True)
                sys.stderr.write(f"warning: no checkpoint could be written: {exc}\n")


def begin(folder: RunFolder, request: Request) -> None:
    """Write request.json, device.yaml and the head of run.log, or give the folder back."""
    try:
        records.write_bytes(folder.path / runfolder.REQUEST, request.to_json().encode())
        records.write_bytes(folder.path / runfolder.DEVICE, request.device.to_yaml().encode())
        folder.log(installation.command_line(), stamp=True)
        folder.log(f"protocol: {json.dumps(request.protocol.to_dict())}")
        folder.log(f"settings: {json.dumps(request.settings.to_dict())}")
        for name in ("initial_resistance", "seed", "cycle", "device_number", "variability"):
            value = getattr(request, name)
            if value:
                folder.log(f"{name}: {json.dumps(value)}")
        log_versions(folder)
        folder.log(f"device:\n{request.device.to_yaml()}")
    except BaseException:
        folder.release()
        raise


def log_versions(folder: RunFolder) -> None:
    """Write to run.log what computes."""
    for name, version in installation.versions().items():
        folder.log(f"  {name}: {version}")


def carry_out(folder: RunFolder, run: Run, output: Output) -> None:
    """Simulate into a folder after `begin`; tell the headline figures and the pictures' paths.

    In a folder that was reopened the run goes on from its checkpoint, and what is there already
    is replaced when there is more.

    Raises
    ------
    SolverError
        What was computed is in the record with the attribute ``complete`` 0.
    Interrupted
        What was computed is in the record with the attribute ``complete`` 0.
    StorageError
        A file could not be written; the message says where the result went.
    InputError
        Nothing was computed, the folder is given back.
    InstallationError
        Nothing was computed, the folder is given back.
    DDKError
        Something unexpected; its traceback is in run.log, or, if nothing was computed and the
        folder is given back, in a temporary file.
    """
    every = run.request.checkpoint_every
    checkpoint = None if every is None else _RunCheckpoint(folder, every)
    reporter = run.reporter(output.console(), folder.log)
    try:
        with reporter:
            ds = run.simulate(reporter, checkpoint)
    except (SolverError, Interrupted) as exc:
        _keep_partial(folder, run, exc)
        raise
    except KeyboardInterrupt:
        raise _nothing_computed(folder, Interrupted("stopped before the first time step")) from None
    except DDKError as exc:
        folder.log(f"error: {exc}", stamp=True)
        folder.release()
        raise
    except Exception as exc:
        if error := installation.compilation_error(exc):
            folder.release()
            raise error from exc
        raise _unexpected(folder, exc, idle=reporter.idle) from exc
    ds = ds.assign_attrs(complete=ds.attrs.get("complete", 1))
    try:
        with undisturbed():
            folder.save(ds, run.record, overwrite=folder.reopened)
            if checkpoint is not None and ds.attrs["complete"]:
                checkpoint.remove()
        _log_outcome(folder, run, ds)
        pictures = run.draw(folder.path, ds, overwrite=folder.reopened)
    except KeyboardInterrupt:
        raise Interrupted(
            f"stopped while the pictures were drawn; the {run.noun} itself is complete",
            where=str(folder.path / run.record),
            hint=f"'ddk-device plot {folder.path}' draws them.",
        ) from None
    except DDKError as exc:
        folder.log(f"error: {exc}", stamp=True)
        raise
    except Exception as exc:
        raise _unexpected(folder, exc) from exc
    folder.log("done", stamp=True)
    _tell_summary(folder, run, ds, pictures, output)


def _unexpected(folder: RunFolder, exc: Exception, *, idle: bool = False) -> DDKError:
    """Put the traceback into run.log, and say so; if ``idle``, give the folder back instead."""
    where = folder.path / runfolder.LOG
    if idle and not folder.reopened:
        where = keep_traceback(exc, "ddk-device")
        folder.release()
    else:
        folder.log_traceback(exc)
    text = " ".join(str(exc).split())
    return DDKError(f"unexpected {type(exc).__name__}: {text}", hint=f"The traceback is in {where}")


def _nothing_computed(folder: RunFolder, exc: Interrupted) -> Interrupted:
    """Give the folder back; if the run stays there all the same, say how it goes on."""
    folder.log(f"error: {exc}", stamp=True)
    folder.release()
    if (folder.path / runfolder.REQUEST).exists():
        exc.hint = f"'ddk-device resume {folder.path}' goes on."
    else:
        exc.hint = "Nothing was computed yet; the folder is free."
    return exc


def _keep_partial(folder: RunFolder, run: Run, exc: SolverError | Interrupted) -> None:
    """Write what was computed before ``exc``, marked as not complete, with its pictures."""
    ds = run.partial(exc.partial)
    if isinstance(exc, SolverError):
        folder.log(f"error: {exc}", stamp=True)
        for name, value in exc.diagnosis.items():
            folder.log(f"  {name}: {value}")
        if ds is None:
            return
    elif ds is None:
        _nothing_computed(folder, exc)
        return
    else:
        folder.log(f"error: {exc}", stamp=True)
    kept = _kept_before(folder, run)
    if kept is not None and run.reach(kept)[0] > run.reach(ds)[0]:
        # not computed as far as before the restart
        words = f"{folder.path / run.record} stays as it was: {run.reach(kept)[1]}"
        exc.hint = _sentences(exc.hint, words, _way_on(folder))
        return
    ds = ds.assign_attrs(complete=0)
    with undisturbed():
        folder.save(ds, run.record, overwrite=folder.reopened)
    _log_outcome(folder, run, ds)
    words = f"Kept {run.reach(ds)[1]} in {folder.path / run.record}"
    exc.hint = _sentences(exc.hint, words, _way_on(folder))
    try:
        run.draw(folder.path, ds, overwrite=folder.reopened)
    except Exception as problem:  # a stump of a loop may lack what a picture needs
        folder.log_traceback(problem)
        reason = problem.what if isinstance(problem, DDKError) else type(problem).__name__
        sys.stderr.write(f"warning: not every picture could be drawn: {reason}\n")


def _kept_before(folder: RunFolder, run: Run) -> xr.Dataset | None:
    """The part that an earlier process left in a folder that was reopened."""
    if not folder.reopened:
        return None
    try:
        return records.read(folder.path / run.record, run.schema)
    except StorageError:  # there is none, or it is of no use
        return None


def _way_on(folder: RunFolder) -> str:
    there = (folder.path / runfolder.CHECKPOINT).exists()
    return f"'ddk-device resume {folder.path}' goes on from the checkpoint" if there else ""


def _sentences(*parts: str) -> str:
    return ". ".join(part.rstrip(".") for part in parts if part)


def _log_outcome(folder: RunFolder, run: Run, ds: xr.Dataset) -> None:
    for line in run.details(ds):
        folder.log(line)
    for name, text in run.rows(ds):
        folder.log(f"{name}: {text}")
    if ds.attrs.get("warning"):
        folder.log(f"warning: {ds.attrs['warning']}")


def _tell_summary(
    folder: RunFolder, run: Run, ds: xr.Dataset, pictures: list[Path], output: Output
) -> None:
    title = f"{ds.attrs['voltage_reference']}, {ds.attrs['method']} solution"
    output.rows(["Quantity", "Value"], run.rows(ds), title, right=(1,))
    output.add(folder=folder.path, record=folder.path / run.record, **run.entries(ds))
    if ds.attrs.get("warning"):
        sys.stderr.write(f"warning: {ds.attrs['warning']}\n")
    output.file(*pictures)
