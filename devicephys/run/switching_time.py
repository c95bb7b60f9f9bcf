"""Switching times in a folder: measure, write kinetics.nc, draw kinetics.png, print a table.

This is the body of ``ddk-device switching-time``. What was measured when the user or the solver
stops is kept; if nothing was, the folder is given back.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ddkbase import installation, records
from ddkbase.cli.output import Output
from ddkbase.errors import DDKError, Interrupted, SolverError, StorageError
from ddkbase.picture_names import as_format
from ddkbase.signals import undisturbed
from ddkbase.units import format_si
from devicephys.run import folder as runfolder
from devicephys.run.summary import switching_entries
from devicephys.simulation.switching_schema import SWITCHED

if TYPE_CHECKING:
    import xarray as xr

    from devicephys.device import Device
    from devicephys.protocol.switching_scan import SwitchingScan
    from devicephys.run.folder import RunFolder
    from devicephys.simulation.settings import Settings
    from devicephys.simulation.switching_time import Results

RECORD, CURVES = "kinetics.nc", "kinetics.png"


def begin(folder: RunFolder, device: Device, scan: SwitchingScan, settings: Settings) -> None:
    """Write device.yaml and the head of run.log; if that fails, give the folder back."""
    try:
        for name in (RECORD, CURVES):
            if (folder.path / name).exists():
                raise StorageError(
                    f"the folder already holds a run: {name} exists",
                    str(folder.path),
                    "Choose another folder after --out",
                )
        records.write_bytes(folder.path / runfolder.DEVICE, device.to_yaml().encode())
        folder.log(installation.command_line(), stamp=True)
        folder.log(f"scan: {json.dumps(scan.to_dict())}")
        folder.log(f"settings: {json.dumps(settings.to_dict())}")
        for name, version in installation.versions().items():
            folder.log(f"  {name}: {version}")
        folder.log(f"device:\n{device.to_yaml()}")
    except BaseException:
        folder.release()
        raise


def run_scan(
    folder: RunFolder,
    device: Device,
    scan: SwitchingScan,
    settings: Settings,
    output: Output,
    pictures: str = "png",
) -> None:
    """Measure into a folder after `begin`; tell ``output`` the times and the paths.

    Raises
    ------
    SolverError
        What was measured is in kinetics.nc with the attribute ``complete`` 0; if that is nothing,
        the folder is given back.
    Interrupted
        What was measured is in kinetics.nc with the attribute ``complete`` 0; if that is nothing,
        the folder is given back.
    StorageError
        A file could not be written.
    InputError
        Nothing was measured, the folder is given back.
    InstallationError
        Nothing was measured, the folder is given back.
    DDKError
        Something unexpected; its traceback is in run.log.
    """
    from devicephys.simulation.switching_time import simulate_switching_times

    console = output.console()

    def tell(results: Results) -> None:
        line = _line(results)
        folder.log(line, stamp=True)
        console.print(line, soft_wrap=True, highlight=False, markup=False)

    try:
        ds = simulate_switching_times(device, scan, settings, progress=tell)
    except (SolverError, Interrupted) as exc:
        _keep(folder, exc)
        raise
    except KeyboardInterrupt:
        folder.release()
        raise Interrupted(
            "stopped before the first voltage", hint="Nothing was computed; the folder is free."
        ) from None
    except DDKError:
        folder.release()
        raise
    except Exception as exc:
        if error := installation.compilation_error(exc):
            folder.release()
            raise error from exc
        raise _unexpected(folder, exc) from exc
    try:
        with undisturbed():
            records.write(ds, folder.path / RECORD)
        drawn = draw(folder.path, ds, pictures=pictures)
    except DDKError as exc:
        folder.log(f"error: {exc}", stamp=True)
        raise
    except Exception as exc:
        raise _unexpected(folder, exc) from exc
    for line in summary(ds):
        folder.log(line)
    folder.log("done", stamp=True)
    _tell(ds, output)
    output.add(folder=folder.path, record=folder.path / RECORD, **switching_entries(ds))
    output.file(folder.path / RECORD, *drawn)


def draw(
    folder: Path, ds: xr.Dataset, *, overwrite: bool = False, pictures: str = "png"
) -> list[Path]:
    """Make the picture of a record in ``folder``, as PNG and as ``pictures``, and its report;
    return the paths.

    Raises
    ------
    StorageError
        A file cannot be written.
    InputError
        The device cannot be read.
    """
    from devicephys.plots.style import save_figure
    from devicephys.plots.switching_time import switching_figure
    from devicephys.report.report import write_report

    names = dict.fromkeys((CURVES, as_format(CURVES, pictures)))
    drawn = [save_figure(switching_figure(ds), folder / name, overwrite) for name in names]
    return [*drawn, write_report(folder, ds, drawn, overwrite=overwrite)]


def summary(ds: xr.Dataset) -> list[str]:
    """One line a polarity: decades, volts, slope."""
    lines = []
    for polarity, found in json.loads(ds.attrs["headline_json"]).items():
        line = f"{polarity.upper()}: {found['switched']} of {found['voltages']} voltages switched"
        if found.get("mv_per_decade") is not None:
            slope = found["mv_per_decade"]
            line += (
                f", {found['decades']:.2f} decades of time in {found['span_volts']:.3g} V,"
                f" {1e3 / slope:.2f} decades/V, {slope:.0f} mV per decade"
            )
        if found.get("activation_energy_ev") is not None:
            line += f", activation energy {found['activation_energy_ev']:.2f} eV"
        lines.append(line)
    return lines


def _line(results: Results) -> str:
    point = results.points[-1]
    sign = "-" if point.polarity == "reset" else "+"
    outcome = point.reason or point.status
    if point.status == SWITCHED:
        outcome = f"switched after {format_si(point.switching_time, 's')}"
    return (
        f"{len(results.points)}/{results.wanted}  {point.polarity.upper():5}  "
        f"{sign}{point.voltage:.4g} V  {outcome}  ({point.steps} steps)"
    )


def rows(ds: xr.Dataset) -> tuple[list[str], list[list[str]]]:
    """Headings and texts of a table of the measured times, a row each; in the last column, why
    there is no time."""
    heads = ["Voltage", "Switching time", "T at half time", "Decades/V", "Steps", ""]
    texts = []
    for i in range(ds.sizes["polarity"]):
        for k in range(ds.sizes["voltage"]):
            point = ds.isel(polarity=i, voltage=k)
            done = str(point["status"].values) == SWITCHED
            slope = float(point["local_slope"])
            texts.append(
                [
                    f"{float(point['applied_voltage']):+.4g} V",
                    format_si(float(point["switching_time"]), "s") if done else "–",
                    f"{float(point['temperature_half']) - 273.15:.0f} °C" if done else "–",
                    f"{slope:.1f}" if slope == slope else "–",
                    str(int(point["steps"])),
                    "" if done else str(point["status"].values),
                ]
            )
    return heads, texts


def _tell(ds: xr.Dataset, output: Output) -> None:
    title = f"{ds.attrs['voltage_reference']}, {ds.attrs['method']} solution"
    output.rows(*rows(ds), title, right=range(5))
    for line in summary(ds):
        output.line(line)


def _keep(folder: RunFolder, exc: SolverError | Interrupted) -> None:
    """Write what was measured before ``exc``; if nothing was, give the folder back."""
    folder.log(f"error: {exc}", stamp=True)
    ds = exc.partial
    if ds is None or not (ds["steps"].values > 0).any():
        folder.release()
        exc.hint = f"{exc.hint.rstrip('.')}. Nothing was measured; the folder is free".lstrip(". ")
        return
    with undisturbed():
        records.write(ds, folder.path / RECORD)
    kept = f"What was measured is in {folder.path / RECORD}"
    exc.hint = f"{exc.hint.rstrip('.')}. {kept}" if exc.hint else kept
    try:
        draw(folder.path, ds)
    except Exception as problem:  # a stump may lack what the picture needs
        folder.log_traceback(problem)
        reason = problem.what if isinstance(problem, DDKError) else type(problem).__name__
        sys.stderr.write(f"warning: the picture could not be drawn: {reason}\n")


def _unexpected(folder: RunFolder, exc: Exception) -> DDKError:
    folder.log_traceback(exc)
    text = " ".join(str(exc).split())
    return DDKError(
        f"unexpected {type(exc).__name__}: {text}",
        hint=f"The traceback is in {folder.path / runfolder.LOG}",
    )
