"""One simulated loop and its folder: whatever happens on the way, the folder tells it.

This is the body of ``ddk-device iv``: simulate, write iv.nc, draw, print; keep what was computed
if the user or the solver stops; give the folder back if nothing was computed.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from devicephys import installation, records, runfolder
from devicephys.errors import DDKError, Interrupted, SolverError
from devicephys.progress import Reporter, headline_rows
from devicephys.runfolder import RunFolder

if TYPE_CHECKING:
    import xarray as xr

    from devicephys.device import Device
    from devicephys.protocol import Waveform
    from devicephys.settings import Settings


def run_loop(folder: RunFolder, device: Device, protocol: Waveform, settings: Settings) -> None:
    """Simulate into a folder after `begin` and print the headline figures and the pictures' paths.

    Raises
    ------
    SolverError, Interrupted : what was computed is in iv.nc with the attribute ``complete`` 0.
    StorageError : a file could not be written; the message says where the result went.
    InputError, InstallationError : nothing was computed, the folder is given back.
    DDKError : something unexpected; its traceback is in run.log, or, if nothing was computed and
        the folder is given back, in a temporary file.
    """
    reporter = Reporter(Console(stderr=True), folder.log)
    try:
        ds = _simulate(device, protocol, settings, reporter)
    except (SolverError, Interrupted) as exc:
        _keep_partial(folder, exc)
        raise
    except KeyboardInterrupt:
        folder.release()
        raise Interrupted(
            "stopped before the first time step", hint="Nothing was computed; the folder is free."
        ) from None
    except DDKError:
        folder.release()
        raise
    except Exception as exc:
        if error := installation.compilation_error(exc):
            folder.release()
            raise error from exc
        raise _unexpected(folder, exc, idle=reporter.idle) from exc
    try:
        with _undisturbed():
            folder.save(ds)
        _log_outcome(folder, ds)
        pictures = draw_all(folder.path, ds, overwrite=False)
    except KeyboardInterrupt:
        raise Interrupted(
            "stopped while the pictures were drawn; the loop itself is complete",
            where=str(folder.path / runfolder.RECORD),
            hint=f"'ddk-device plot {folder.path}' draws them.",
        ) from None
    except DDKError as exc:
        folder.log(f"error: {exc}", stamp=True)
        raise
    except Exception as exc:
        raise _unexpected(folder, exc) from exc
    folder.log("done", stamp=True)
    _print_summary(ds, pictures)


def begin(folder: RunFolder, device: Device, protocol: Waveform, settings: Settings) -> None:
    """Write device.yaml and the head of run.log; if that fails, give the folder back."""
    try:
        records.write_bytes(folder.path / runfolder.DEVICE, device.to_yaml().encode())
        folder.log(installation.command_line(), stamp=True)
        folder.log(f"protocol: {json.dumps(protocol.to_dict())}")
        folder.log(f"settings: {json.dumps(settings.to_dict())}")
        for name, version in installation.versions().items():
            folder.log(f"  {name}: {version}")
        folder.log(f"device:\n{device.to_yaml()}")
    except BaseException:
        folder.release()
        raise


def _simulate(
    device: Device, protocol: Waveform, settings: Settings, reporter: Reporter
) -> xr.Dataset:
    from devicephys.simulation import simulate

    with reporter:
        ds = simulate(device, protocol, settings, progress=reporter)
    return ds.assign_attrs(complete=ds.attrs.get("complete", 1))


def _unexpected(folder: RunFolder, exc: Exception, *, idle: bool = False) -> DDKError:
    """Put the traceback into run.log, and say so; if ``idle``, give the folder back instead."""
    where = folder.path / runfolder.LOG
    if idle:
        where = runfolder.keep_traceback(exc)
        folder.release()
    else:
        folder.log_traceback(exc)
    text = " ".join(str(exc).split())
    return DDKError(f"unexpected {type(exc).__name__}: {text}", hint=f"The traceback is in {where}")


def _keep_partial(folder: RunFolder, exc: SolverError | Interrupted) -> None:
    """Write what was computed before ``exc``, marked as not complete, with its pictures."""
    folder.log(f"error: {exc}", stamp=True)
    if isinstance(exc, SolverError):
        for name, value in exc.diagnosis.items():
            folder.log(f"  {name}: {value}")
    if exc.partial is None or exc.partial.sizes["time"] == 0:
        if isinstance(exc, Interrupted):
            folder.release()
            exc.hint = "Nothing was computed yet; the folder is free."
        return
    ds = exc.partial.assign_attrs(complete=0)
    with _undisturbed():
        folder.save(ds)
    _log_outcome(folder, ds)
    end = f"{1e3 * float(ds['time'].values[-1]):.4g} ms, {float(ds['voltage'].values[-1]):+.3f} V"
    kept = f"Kept up to {end} in {folder.path / runfolder.RECORD}"
    exc.hint = f"{exc.hint.rstrip('.')}. {kept}" if exc.hint else kept
    try:
        draw_all(folder.path, ds, overwrite=False)
    except Exception as problem:  # a stump of a loop may lack what a picture needs
        folder.log_traceback(problem)
        reason = problem.what if isinstance(problem, DDKError) else type(problem).__name__
        sys.stderr.write(f"warning: not every picture could be drawn: {reason}\n")


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Ignore Ctrl-C and SIGTERM while the result is written."""
    signals = (signal.SIGINT, signal.SIGTERM)
    previous = [signal.signal(number, signal.SIG_IGN) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, previous, strict=True):
            signal.signal(number, handler)


def draw_all(folder: Path, ds: xr.Dataset, *, overwrite: bool) -> list[Path]:
    """Make all pictures and the ParaView file of a record in ``folder``; return their paths.

    Raises
    ------
    StorageError, InputError : the first that failed; the others were made nevertheless.
    """
    from devicephys import paraview, plots

    def png(make: Callable[[Any], Any]) -> Callable[[Path], Path]:
        return lambda path: plots.save_figure(make(ds), path, overwrite=overwrite)

    jobs: list[tuple[str, Callable[[Path], Path]]] = [
        (runfolder.CURVES, png(plots.iv_figure)),
        (runfolder.MAPS, png(plots.fields_figure)),
        (runfolder.FILM, lambda path: plots.loop_animation(ds, path, overwrite=overwrite)),
        (runfolder.PARAVIEW, lambda path: paraview.write_vtkhdf(ds, path, overwrite=overwrite)),
    ]
    paths, errors = [], []
    for name, make in jobs:
        try:
            paths.append(make(folder / name))
        except Exception as exc:
            errors.append(exc)
    if errors:
        raise errors[0]
    return paths


def _log_outcome(folder: RunFolder, ds: xr.Dataset) -> None:
    for time, size, reason in zip(
        ds["rejected_time"].values,
        ds["rejected_step_size"].values,
        ds["rejected_reason"].values,
        strict=True,
    ):
        folder.log(f"rejected  t = {time:.9g} s  dt = {size:.4g} s  {reason}")
    for name, text in headline_rows(json.loads(ds.attrs["headline_json"])):
        folder.log(f"{name}: {text}")
    if ds.attrs.get("warning"):
        folder.log(f"warning: {ds.attrs['warning']}")


def _print_summary(ds: xr.Dataset, pictures: list[Path]) -> None:
    console = Console()
    title = Text(f"{ds.attrs['voltage_reference']}, {ds.attrs['method']} solution")
    table = Table(title=title)
    table.add_column("Quantity")
    table.add_column("Value", justify="right")
    for name, text in headline_rows(json.loads(ds.attrs["headline_json"])):
        table.add_row(Text(name), Text(text))
    console.print(table)
    if ds.attrs.get("warning"):
        sys.stderr.write(f"warning: {ds.attrs['warning']}\n")
    for path in pictures:
        sys.stdout.write(f"{path}\n")
