"""The command line ``ddk-device``: simulate a loop, draw it, verify, look at devices.

Exit codes: 0 done, 2 bad input or incomplete installation, 3 the solver gave up or a verification
failed, 4 files, 130 stopped by Ctrl-C or SIGTERM, 1 anything unexpected.  Every error is one line
on the error stream.

Whatever takes time to import is imported inside the commands, so that ``--help`` is quick.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from devicephys.errors import DDKError, InputError, InstallationError, SolverError

app = typer.Typer(
    name="ddk-device",
    help="Simulate filamentary memristor cells: heat, current and vacancies, fully coupled.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


class Preset(StrEnum):
    """How finely mesh and time are resolved."""

    quick = "quick"
    default = "default"
    fine = "fine"


class Scheme(StrEnum):
    """How the three fields are coupled in one time step."""

    monolithic = "monolithic"
    staggered = "staggered"
    one_pass = "one-pass"


DEFAULT_DEVICE = "tin-taox-hfox-tin"
DeviceOption = Annotated[
    str, typer.Option("--device", metavar="NAME|FILE", help="Library device, or a YAML file.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change one parameter, e.g. --set 'filament.radius=8 nm'. May be repeated.",
    ),
]


def main() -> None:
    """Entry point of the console script."""
    app()


def _command[**P](function: Callable[P, None]) -> Callable[P, None]:
    """Turn the ways in which a command can end into one line and an exit code."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        # PETSc would take SIGTERM for itself and abort; it is to end like Ctrl-C.
        options = os.environ.get("PETSC_OPTIONS", "")
        os.environ["PETSC_OPTIONS"] = f"{options} -no_signal_handler".strip()
        previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            function(*args, **kwargs)
        except DDKError as exc:
            _end(str(exc), exc.exit_code)
        except KeyboardInterrupt:
            _end("stopped", 130)
        except (typer.Exit, typer.Abort, BrokenPipeError):  # typer ends quietly on these
            raise
        except Exception as exc:
            where = _keep_traceback(exc)
            _end(f"{_in_one_line(exc)}. The traceback is in {where}", DDKError.exit_code)
        finally:
            signal.signal(signal.SIGTERM, previous)

    return run


def _end(message: str, code: int) -> NoReturn:
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(code)


def _in_one_line(exc: BaseException) -> str:
    """Return kind and message of an exception that nobody expected, in one line."""
    return f"unexpected {type(exc).__name__}: {' '.join(str(exc).split())}".rstrip(": ")


def _keep_traceback(exc: BaseException) -> Path:
    handle, name = tempfile.mkstemp(prefix="ddk-device-", suffix=".log")
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        traceback.print_exception(exc, file=stream)
    return Path(name)


@app.command()
@_command
def iv(
    out: Annotated[Path, typer.Option("--out", help="Folder to make for the results.")],
    device: DeviceOption = DEFAULT_DEVICE,
    preset: Annotated[
        Preset, typer.Option("--preset", help="How finely mesh and time are resolved.")
    ] = Preset.default,
    changes: SetOption = None,
    scheme: Annotated[
        Scheme, typer.Option("--scheme", help="Coupling of the fields; one-pass is inaccurate.")
    ] = Scheme.monolithic,
    loops: Annotated[
        int | None, typer.Option("--loops", min=1, help="How many loops; default: the device's.")
    ] = None,
    reset_voltage: Annotated[
        str | None,
        typer.Option("--reset-voltage", metavar="VOLTAGE", help="Negative end, e.g. '-1.7 V'."),
    ] = None,
    set_voltage: Annotated[
        str | None,
        typer.Option("--set-voltage", metavar="VOLTAGE", help="Positive end, e.g. '1.7 V'."),
    ] = None,
    rate: Annotated[
        str | None, typer.Option("--rate", metavar="RATE", help="Sweep rate, e.g. '100 V/s'.")
    ] = None,
) -> None:
    """Simulate the current-voltage loop of a cell and draw it.

    The folder gets iv.nc, three pictures, a ParaView file, device.yaml and run.log.
    """
    from devicephys import installation
    from devicephys.device import load_device
    from devicephys.loop_run import run_loop
    from devicephys.protocol import IVSweep
    from devicephys.runfolder import RunFolder

    sweep = {"reset_voltage": reset_voltage, "set_voltage": set_voltage, "rate": rate}
    given: dict[str, Any] = {f"sweep.{key}": text for key, text in sweep.items() if text}
    if loops is not None:
        given["sweep.loops"] = loops
    cell = load_device(device).with_({**_parse_changes(changes or []), **given})
    protocol = IVSweep.from_device(cell)
    installation.require_solver()

    from devicephys.settings import Settings

    settings = Settings.preset(preset.value, scheme=scheme.value)
    if installation.parallel_rank() > 0:  # started by mpiexec: this rank only computes
        from devicephys.simulation import simulate

        simulate(cell, protocol, settings)
        return
    with RunFolder.claim(out) as folder:
        run_loop(folder, cell, protocol, settings)


@app.command()
@_command
def plot(folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a run.")]) -> None:
    """Draw the pictures of a run again, from its iv.nc."""
    from devicephys import records
    from devicephys.loop_run import draw_all
    from devicephys.runfolder import RECORD

    ds = records.read(folder / RECORD, "IVTrace")
    for path in draw_all(folder, ds, overwrite=True):
        typer.echo(str(path))


@app.command()
@_command
def verify(
    quick: Annotated[bool, typer.Option("--quick", help="Coarser meshes, in a minute.")] = False,
) -> None:
    """Compare the solver with manufactured and closed-form solutions; exit code 3 if one fails."""
    from rich.console import Console
    from rich.table import Table

    from devicephys import installation

    installation.require_solver()
    from devicephys import verification

    table = Table(title="Verification")
    for column in ("Test", "Quantity", "Target", "Measured", ""):
        table.add_column(column)
    failed = []
    for name, quantity, target, measured, passed in verification.run(quick=quick):
        shown = f"{measured:.4g}" if isinstance(measured, float) else str(measured)
        mark = "[green]passed[/green]" if passed else "[bold red]FAILED[/bold red]"
        table.add_row(name, quantity, target, shown, mark)
        if not passed:
            failed.append(f"{name}, {quantity}")
    _wide_console(Console).print(table)
    if failed:
        _end(f"{len(failed)} verification(s) failed: {'; '.join(failed)}", SolverError.exit_code)


@app.command()
@_command
def calibrate(
    out: Annotated[Path, typer.Option("--out", help="Folder for the outcome.")] = Path(
        "calibration"
    ),
) -> None:
    """Fit the free parameters of the shipped device to its targets again."""
    from devicephys import installation

    installation.require_solver()
    from devicephys import calibration

    calibration.main(out)


@app.command()
@_command
def info() -> None:
    """Print versions and the health of the installation; exit code 2 if something is missing."""
    from rich.console import Console
    from rich.table import Table

    from devicephys import installation

    checks = list(installation.health())
    console = _wide_console(Console)
    table = Table("Component", "Version")
    for name, version in installation.versions().items():
        table.add_row(name, version)
    console.print(table)
    table = Table("Health", "", "Found")
    for check in checks:
        mark = "[green]ok[/green]" if check.passed else "[bold red]missing[/bold red]"
        table.add_row(check.name, mark, check.detail)
    console.print(table)
    for check in checks:
        if not check.passed:
            raise InstallationError(f"{check.name}: {check.detail}", hint=check.remedy)


@app.command("show-device")
@_command
def show_device(
    device: Annotated[str, typer.Argument(metavar="[NAME|FILE]")] = DEFAULT_DEVICE,
    as_yaml: Annotated[bool, typer.Option("--yaml", help="Print it as a YAML file.")] = False,
    changes: SetOption = None,
) -> None:
    """Print every parameter of a device with value, unit, mark and source."""
    from rich.console import Console
    from rich.table import Table

    from devicephys.device import load_device

    cell = load_device(device).with_(_parse_changes(changes or []))
    if as_yaml:
        typer.echo(cell.to_yaml(), nl=False)
        return
    console = _wide_console(Console)
    table = Table("Parameter", "Value", "Unit inside", "Mark", "Source", title=cell.name)
    for row in cell.table():
        table.add_row(*map(str, row))
    console.print(table)
    console.print(f"Voltages are those of the {cell.voltage_reference}.", highlight=False)
    if cell.description:
        console.print(cell.description, highlight=False, markup=False)


@app.command("list-devices")
@_command
def list_devices() -> None:
    """Print the names of the devices that ship with the toolkit."""
    from devicephys.device import list_devices as names

    for name in names():
        typer.echo(name)


def _wide_console(kind: Any) -> Any:
    """A console that does not fold tables to 80 columns when its output goes to a file."""
    return kind() if sys.stdout.isatty() else kind(width=160)


def _parse_changes(changes: list[str]) -> dict[str, str]:
    """Split each KEY=VALUE.

    Raises
    ------
    InputError : no "=", an empty key, or a key given twice.
    """
    parsed: dict[str, str] = {}
    for text in changes:
        key, equals, value = text.partition("=")
        key, value = key.strip(), value.strip()
        if not equals or not key or not value:
            raise InputError(
                f"'{text}' is not KEY=VALUE", "--set", "Write e.g. --set 'filament.radius=8 nm'"
            )
        if key in parsed:
            raise InputError(f"'{key}' is set twice", "--set", "Give it once")
        parsed[key] = value
    return parsed


if __name__ == "__main__":
    main()
