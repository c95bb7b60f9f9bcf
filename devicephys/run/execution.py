"""A run is carried out in a folder: simulate, write the record, draw; keep what was computed.

`start` and `resume` need no command line: they take functions that are told how the run goes, and
return what came out. If the user or the solver stops, what was computed is kept; if that is
nothing, the folder is given back. Under an MPI launcher every rank calls the same function; rank 0
alone has the folder.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ddkbase import records
from ddkbase.cli.progress import State
from ddkbase.errors import DDKError, Interrupted, SolverError, StorageError
from ddkbase.files import keep_traceback, undisturbed, write_bytes
from ddkbase.installation import command_line
from devicephys import installation
from devicephys.run import folder as names
from devicephys.run.figures import table
from devicephys.run.folder import RunFolder
from devicephys.run.kinds import Run, run_of
from devicephys.run.pictures import draw, read_records
from devicephys.run.progress import Recorder
from devicephys.run.request import PLAIN, Request
from devicephys.simulation.checkpoint import CHECKPOINT, Checkpoint


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a run left.

    Attributes
    ----------
    folder : Path
        Folder of the run.
    record : Path
        File with the record.
    dataset : xarray.Dataset
        The record; `devicephys.run.table` and `devicephys.run.entries` give its figures.
    noun : str
        What the run is called: "loop", "train" or "scan".
    pictures : list of Path
        Pictures and report that were made; none on ranks other than 0.
    warnings : list of str
        What went wrong without ending the run.
    computed : bool
        Whether anything was computed; a run that was complete is not computed again.
    """

    folder: Path
    record: Path
    dataset: xr.Dataset
    noun: str
    pictures: list[Path] = dataclasses.field(default_factory=list)
    warnings: list[str] = dataclasses.field(default_factory=list)
    computed: bool = True


class _Listener:
    """Who is told how a run goes; also collects the warnings."""

    def __init__(
        self,
        progress: Callable[[State], None] | None,
        remark: Callable[[str], None] | None,
        warn: Callable[[str], None] | None,
    ) -> None:
        self.progress, self._remark, self._warn = progress, remark, warn
        self.warnings: list[str] = []

    def remark(self, text: str) -> None:
        if self._remark is not None:
            self._remark(text)

    def warn(self, text: str) -> None:
        self.warnings.append(text)
        if self._warn is not None:
            self._warn(text)


def start(
    folder: str | Path,
    request: Request,
    *,
    progress: Callable[[State], None] | None = None,
    warn: Callable[[str], None] | None = None,
    pictures: str = "png",
) -> Outcome:
    """Make a folder and carry out a run in it.

    Parameters
    ----------
    folder : str or Path
        Folder to make; it must not hold a run.
    request : Request
        Device, protocol, settings.
    progress : callable or None, optional
        Called with a ``State`` after each step, pulse or voltage.
    warn : callable or None, optional
        Called with one sentence on each thing that goes wrong without ending the run.
    pictures : {"png", "svg", "pdf", "none"}, default "png"
        Format of the pictures; "svg" and "pdf" are drawn besides "png". "none" leaves pictures,
        film, ParaView file and report away; `redraw` makes them.

    Returns
    -------
    Outcome
        The record, the figures and the files.

    Raises
    ------
    SolverError
        What was computed is in the record with the attribute ``complete`` 0.
    Interrupted
        Ctrl-C; as above, or, if nothing was computed, the folder is given back.
    StorageError
        The folder holds a run, or a file cannot be written; the message says where the result
        went.
    InputError
        Nothing was computed, the folder is given back.
    InstallationError
        No finite-element stack or no C compiler; the folder is given back.
    DDKError
        Something unexpected; its traceback is in run.log, or, if nothing was computed and the
        folder is given back, in a temporary file.
    """
    path = Path(folder)

    def prepare() -> tuple[RunFolder, Request]:
        claimed = RunFolder.claim(path)
        claimed.warn = listener.warn
        _begin(claimed, request)
        return claimed, request

    listener = _Listener(progress, None, warn)
    return _on_all_ranks(path, prepare, listener, pictures, solver_first=True)


def resume(
    folder: str | Path,
    *,
    progress: Callable[[State], None] | None = None,
    remark: Callable[[str], None] | None = None,
    warn: Callable[[str], None] | None = None,
    pictures: str = "png",
) -> Outcome:
    """Go on with a run that was stopped or killed, from its checkpoint if there is one.

    A run that is complete only gets what is missing of its pictures.

    Parameters
    ----------
    folder : str or Path
        Folder of the run.
    progress : callable or None, optional
        As for `start`.
    remark : callable or None, optional
        Called with one sentence on where the run goes on.
    warn : callable or None, optional
        As for `start`.
    pictures : {"png", "svg", "pdf"}, default "png"
        As for `start`.

    Returns
    -------
    Outcome
        As from `start`; ``computed`` is false if the run was complete.

    Raises
    ------
    StorageError
        No run in the folder, another process at work in it, a damaged checkpoint or request; the
        rest as `start`.
    """
    path, listener = Path(folder), _Listener(progress, remark, warn)
    return _on_all_ranks(
        path, lambda: _take_up(path, listener, pictures), listener, pictures, solver_first=False
    )


def _on_all_ranks(
    path: Path,
    prepare: Callable[[], tuple[RunFolder, Request] | Outcome],
    listener: _Listener,
    pictures: str,
    *,
    solver_first: bool,
) -> Outcome:
    """Carry out what ``prepare`` makes of the folder on rank 0; an Outcome leaves nothing to do.

    The other ranks get the request from rank 0, as a text that is empty if nothing is to do.
    """
    world = installation.world()
    prepared: tuple[RunFolder, Request] | Outcome | None = None
    error: BaseException | None = None
    try:
        if solver_first:  # before anything is written
            installation.require_solver()
        if world is None or world.rank == 0:
            prepared = prepare()
        if not solver_first and (world is not None or not isinstance(prepared, Outcome)):
            installation.require_solver()
    except (Exception, KeyboardInterrupt) as exc:
        _give_back(prepared)
        if world is None:
            raise
        error, prepared = exc, None
    if world is not None:
        text = prepared[1].to_json() if isinstance(prepared, tuple) else ""
        try:
            text = installation.agree(world, text, error)
        except DDKError:
            _give_back(prepared)
            raise
        if prepared is None:
            return _assist(path, text)
    if isinstance(prepared, Outcome):
        return prepared
    assert prepared is not None
    with prepared[0] as folder:
        return _carry_out(folder, run_of(prepared[1]), listener, pictures)


def _give_back(prepared: tuple[RunFolder, Request] | Outcome | None) -> None:
    if isinstance(prepared, tuple):
        prepared[0].release()


def _assist(path: Path, text: str) -> Outcome:
    """Compute with rank 0, which alone has the folder."""
    if not text:
        ds = read_records(path)[0]
        run = run_of(Request.read(path / names.REQUEST))
        return Outcome(path, path / run.record, ds, run.noun, computed=False)
    run = run_of(Request.from_json(text, names.REQUEST))
    every = run.request.checkpoint_every
    ds = run.simulate(None, None if every is None else Checkpoint(path, every))
    return Outcome(path, path / run.record, ds, run.noun)


def _begin(folder: RunFolder, request: Request) -> None:
    """Write request.json, device.yaml and the head of run.log, or give the folder back."""
    try:
        write_bytes(folder.path / names.REQUEST, request.to_json().encode())
        write_bytes(folder.path / names.DEVICE, request.device.to_yaml().encode())
        folder.log(command_line(), stamp=True)
        folder.log(f"protocol: {json.dumps(request.protocol.to_dict())}")
        folder.log(f"settings: {json.dumps(request.settings.to_dict())}")
        for name in (*PLAIN[1:], "variability", "start"):
            if value := getattr(request, name):
                folder.log(f"{name}: {json.dumps(value)}")
        _log_versions(folder)
        folder.log(f"device:\n{request.device.to_yaml()}")
    except BaseException:
        folder.release()
        raise


def _log_versions(folder: RunFolder) -> None:
    """Write to run.log what computes."""
    for name, version in installation.versions().items():
        folder.log(f"  {name}: {version}")


def _take_up(path: Path, listener: _Listener, pictures: str) -> tuple[RunFolder, Request] | Outcome:
    """The folder and the request of a run that is not complete, otherwise what it left."""
    folder = RunFolder.reopen(path)
    folder.warn = listener.warn
    try:
        request = Request.read(path / names.REQUEST)
        run = run_of(request)
        checkpoint = Checkpoint(path, request.checkpoint_every or 1)
        ds = _complete_record(path / run.record, run.schema)
        if ds is not None:
            checkpoint.remove()
            missing = _draw_missing(folder, run, ds, pictures)
            folder.release()
            record = path / run.record
            return Outcome(path, record, ds, run.noun, missing, listener.warnings, computed=False)
        resumed = request.checkpoint_every is not None and checkpoint.load() is not None
        where = "from its checkpoint" if resumed else "from the start: there is no checkpoint"
        listener.remark(f"{path}: the {run.noun} goes on {where}")
        folder.log()
        folder.log(f"{command_line()}: {where}", stamp=True)
        _log_versions(folder)
        _write_device(folder, request)
    except BaseException:
        folder.release()
        raise
    return folder, request


def _complete_record(path: Path, schema: str) -> xr.Dataset | None:
    """The record of a run that is complete, else None."""
    if not path.exists():
        return None
    try:
        ds = records.read(path, schema)
    except StorageError as exc:
        raise StorageError(
            exc.what, exc.where, "Move this file away to go on with the run."
        ) from exc
    return ds if ds.attrs.get("complete") else None


def _write_device(folder: RunFolder, request: Request) -> None:
    """Write device.yaml if the run was killed before it was there."""
    if not (folder.path / names.DEVICE).exists():
        write_bytes(folder.path / names.DEVICE, request.device.to_yaml().encode())


def _draw_missing(folder: RunFolder, run: Run, ds: xr.Dataset, pictures: str) -> list[Path]:
    """Make what a process that was killed while it drew left out."""
    path = folder.path
    if pictures == "none" or all((path / name).exists() for name in run.files):
        return []
    _write_device(folder, run.request)
    folder.log(f"{command_line()}: draws what was missing", stamp=True)
    paths = draw(path, ds, overwrite=True, pictures=pictures)
    folder.log("done", stamp=True)
    return paths


class _RunCheckpoint(Checkpoint):
    """A checkpoint that does not cost the run: if it cannot be written, that is said once."""

    def __init__(self, folder: RunFolder, every: int, warn: Callable[[str], None]) -> None:
        super().__init__(folder.path, every)
        self._folder, self._warn = folder, warn
        self._failed = False

    def save(self, arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> None:
        try:
            super().save(arrays, meta)
        except StorageError as exc:
            if not self._failed:
                self._failed = True
                self._folder.log(f"warning: no checkpoint: {exc}", stamp=True)
                self._warn(f"no checkpoint could be written: {exc}")


def _carry_out(folder: RunFolder, run: Run, listener: _Listener, pictures: str) -> Outcome:
    """Simulate into a folder that is prepared; write the record and draw it.

    In a folder that was reopened the run goes on from its checkpoint, and what is there already
    is replaced when there is more. Raises what `start` does.
    """
    folder.warn = listener.warn
    every = run.request.checkpoint_every
    checkpoint = None if every is None else _RunCheckpoint(folder, every, listener.warn)
    recorder = Recorder(
        run.describe, lambda line: folder.log(line, stamp=run.stamped), listener.progress
    )
    try:
        ds = run.simulate(recorder, checkpoint)
    except (SolverError, Interrupted) as exc:
        _keep_partial(folder, run, exc, listener, pictures)
        raise
    except KeyboardInterrupt:
        error = Interrupted(f"stopped before the first {run.first}")
        raise _nothing_computed(folder, run, error) from None
    except DDKError as exc:
        folder.log(f"error: {exc}", stamp=True)
        folder.release()
        raise
    except Exception as exc:
        raise _unexpected(folder, exc, idle=recorder.idle) from exc
    ds = ds.assign_attrs(complete=ds.attrs.get("complete", 1), **run.origin())
    try:
        with undisturbed():
            record = folder.save(ds, run.record, overwrite=folder.reopened)
            if checkpoint is not None and ds.attrs["complete"]:
                checkpoint.remove()
        _log_outcome(folder, run, ds)
        paths = draw(folder.path, ds, overwrite=folder.reopened, pictures=pictures)
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
    if ds.attrs.get("warning"):
        listener.warn(str(ds.attrs["warning"]))
    return Outcome(folder.path, record, ds, run.noun, paths, listener.warnings)


def _unexpected(folder: RunFolder, exc: Exception, *, idle: bool = False) -> DDKError:
    """Put the traceback into run.log, and say so; if ``idle``, give the folder back instead."""
    where = folder.path / names.LOG
    if idle and not folder.reopened:
        where = keep_traceback(exc, "ddk-device")
        folder.release()
    else:
        folder.log_traceback(exc)
    text = " ".join(str(exc).split())
    return DDKError(f"unexpected {type(exc).__name__}: {text}", hint=f"The traceback is in {where}")


def _nothing_computed(folder: RunFolder, run: Run, exc: Interrupted) -> Interrupted:
    """Give the folder back; if the run stays there all the same, say how it goes on."""
    folder.log(f"error: {exc}", stamp=True)
    folder.release()
    if (folder.path / names.REQUEST).exists():
        exc.hint = f"'ddk-device resume {folder.path}' goes on."
    else:
        exc.hint = f"Nothing was {run.verb} yet; the folder is free."
    return exc


def _keep_partial(
    folder: RunFolder,
    run: Run,
    exc: SolverError | Interrupted,
    listener: _Listener,
    pictures: str,
) -> None:
    """Write what was computed before ``exc``, marked as not complete, with its pictures."""
    ds = exc.partial
    if ds is None or run.is_empty(ds):
        if isinstance(exc, Interrupted):
            _nothing_computed(folder, run, exc)
        else:
            _log_error(folder, exc)
        return
    _log_error(folder, exc)
    record = folder.path / run.record
    previous = _previous(folder, run)
    if previous is not None and run.reach(previous)[0] > run.reach(ds)[0]:
        # not computed as far as before the restart
        sentence = f"{record} stays as it was: {run.reach(previous)[1]}"
        exc.hint = _sentences(exc.hint, sentence, _way_on(folder))
        return
    ds = ds.assign_attrs(complete=0, **run.origin())
    with undisturbed():
        folder.save(ds, run.record, overwrite=folder.reopened)
    _log_outcome(folder, run, ds)
    exc.hint = _sentences(exc.hint, run.kept(ds, str(record)), _way_on(folder))
    try:
        draw(folder.path, ds, overwrite=folder.reopened, pictures=pictures)
    except Exception as problem:  # a stump of a loop may lack what a picture needs
        folder.log_traceback(problem)
        reason = problem.what if isinstance(problem, DDKError) else type(problem).__name__
        listener.warn(f"not every picture could be drawn: {reason}")


def _log_error(folder: RunFolder, exc: SolverError | Interrupted) -> None:
    folder.log(f"error: {exc}", stamp=True)
    if isinstance(exc, SolverError):
        for name, value in exc.diagnosis.items():
            folder.log(f"  {name}: {value}")


def _previous(folder: RunFolder, run: Run) -> xr.Dataset | None:
    """The part that an earlier process left in a folder that was reopened."""
    if not folder.reopened:
        return None
    try:
        return records.read(folder.path / run.record, run.schema)
    except StorageError:  # there is none, or it is of no use
        return None


def _way_on(folder: RunFolder) -> str:
    there = (folder.path / CHECKPOINT).exists()
    return f"'ddk-device resume {folder.path}' goes on from the checkpoint" if there else ""


def _sentences(*sentences: str) -> str:
    return ". ".join(sentence.rstrip(".") for sentence in sentences if sentence)


def _log_outcome(folder: RunFolder, run: Run, ds: xr.Dataset) -> None:
    for line in run.details(ds):
        folder.log(line)
    shown = table(ds)
    for line in (": ".join(row) for row in shown.rows) if len(shown.heads) == 2 else shown.notes:
        folder.log(line)
    if ds.attrs.get("warning"):
        folder.log(f"warning: {ds.attrs['warning']}")
