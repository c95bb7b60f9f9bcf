"""How a run is started, or taken up again, on one rank or on many."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from ddkbase import installation, records
from ddkbase.cli.application import end, message_and_code
from ddkbase.cli.output import Output
from ddkbase.errors import StorageError
from devicephys.cli.options import aborting
from devicephys.run import folder as runfolder
from devicephys.run.folder import RunFolder
from devicephys.run.loop import LoopRun
from devicephys.run.pulses import PulseRun
from devicephys.run.request import Request
from devicephys.run.run import Run, begin, carry_out, log_versions
from devicephys.simulation.checkpoint import Checkpoint


def run_of(request: Request, pictures: str = "png") -> Run:
    """The kind of run that a request asks for, and the format of its pictures."""
    kind = PulseRun if request.kind == "pulses" else LoopRun
    return kind(request, pictures)


def start(out: Path, request: Request, output: Output, pictures: str = "png") -> None:
    """Claim a folder and carry out a run in it; tell ``output`` about it.

    Raises what `devicephys.run.run.carry_out`, `RunFolder.claim` and `installation.require_solver`
    do.
    """

    def prepare() -> tuple[RunFolder, Request]:
        folder = RunFolder.claim(out)
        begin(folder, request)
        return folder, request

    _go(out, prepare, output, pictures, solver_first=True)


def resume(path: Path, output: Output, pictures: str = "png") -> None:
    """Go on with the run in a folder, from its checkpoint, or from the start if there is none.

    A run that is complete only gets what is missing of its pictures.

    Raises
    ------
    StorageError
        No run in the folder, another process at work in it, a damaged checkpoint or request; the
        rest as `start`.
    """
    _go(path, lambda: _take_up(path, output, pictures), output, pictures, solver_first=False)


def _go(
    path: Path,
    prepare: Callable[[], tuple[RunFolder, Request] | None],
    output: Output,
    pictures: str,
    *,
    solver_first: bool,
) -> None:
    """Carry out what ``prepare`` makes of the folder on rank 0; None means nothing to do."""
    world = installation.world()
    prepared, message, code = None, "", 0
    try:
        if solver_first:  # before anything is written
            installation.require_solver()
        if world is None or world.rank == 0:
            prepared = prepare()
        if not solver_first and (prepared is not None or world is not None):
            installation.require_solver()
    except (Exception, KeyboardInterrupt) as exc:
        if prepared is not None:
            prepared[0].release()
            prepared = None
        if world is None:
            raise
        message, code = message_and_code(exc)
    if world is None:
        if prepared is not None:
            with prepared[0] as folder:
                carry_out(folder, run_of(prepared[1], pictures), output)
        return
    # Who computes without the others would wait for them for ever.
    text = prepared[1].to_json() if prepared is not None else ""
    told = world.allgather((message, code, text))
    failed = [one for one in told if one[1]]
    if failed:
        if prepared is not None:
            prepared[0].release()
        end(*failed[0][:2])
    if not told[0][2]:
        return
    with aborting(world):
        if prepared is not None:
            with prepared[0] as folder:
                carry_out(folder, run_of(prepared[1], pictures), output)
        else:
            _help(path, Request.from_json(told[0][2], runfolder.REQUEST))


def _help(path: Path, request: Request) -> None:
    """Compute with rank 0, which alone has the folder."""
    every = request.checkpoint_every
    checkpoint = None if every is None else Checkpoint(path, every)
    run_of(request).simulate(None, checkpoint)


def _take_up(path: Path, output: Output, pictures: str) -> tuple[RunFolder, Request] | None:
    """The folder and the request of a run that is not complete, else None."""
    folder = RunFolder.reopen(path)
    try:
        request = Request.read(path / runfolder.REQUEST)
        run = run_of(request, pictures)
        checkpoint = Checkpoint(path, request.checkpoint_every or 1)
        if _is_complete(path / run.record, run.schema):
            checkpoint.remove()
            _draw_missing(folder, run, output)
            folder.release()
            return None
        found = checkpoint.load() is not None if request.checkpoint_every else False
        words = "from its checkpoint" if found else "from the start: there is no checkpoint"
        if not output.quiet:
            sys.stderr.write(f"{path}: the {run.noun} goes on {words}\n")
        folder.log()
        folder.log(f"{installation.command_line()}: {words}", stamp=True)
        log_versions(folder)
        if not (path / runfolder.DEVICE).exists():
            records.write_bytes(path / runfolder.DEVICE, request.device.to_yaml().encode())
    except BaseException:
        folder.release()
        raise
    return folder, request


def _is_complete(record: Path, schema: str) -> bool:
    if not record.exists():
        return False
    try:
        return bool(records.read(record, schema).attrs.get("complete"))
    except StorageError as exc:
        raise StorageError(
            exc.what, exc.where, "Move this file away to go on with the run."
        ) from exc


def _draw_missing(folder: RunFolder, run: Run, output: Output) -> None:
    """Make what a process that was killed while it drew left out, and say what was done."""
    path = folder.path
    ds = records.read(path / run.record, run.schema)
    output.add(**run.entries(ds), folder=path, record=path / run.record)
    if all((path / name).exists() for name in run.files):
        output.note(f"nothing to do: the {run.noun} in {path / run.record} is complete")
        return
    if not (path / runfolder.DEVICE).exists():
        records.write_bytes(path / runfolder.DEVICE, run.request.device.to_yaml().encode())
    folder.log(f"{installation.command_line()}: draws what was missing", stamp=True)
    output.file(*run.draw(path, ds, overwrite=True))
    folder.log("done", stamp=True)
