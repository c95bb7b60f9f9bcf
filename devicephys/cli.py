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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from devicephys.errors import DDKError, InputError, InstallationError, SolverError

if TYPE_CHECKING:
    from devicephys.device import Device
    from devicephys.protocol import Waveform
    from devicephys.settings import Settings

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
            _end(*_message_and_code(exc))
        finally:
            signal.signal(signal.SIGTERM, previous)

    return run


def _end(message: str, code: int) -> NoReturn:
    from devicephys import installation

    if installation.parallel_rank() == 0:  # of many ranks one speaks
        typer.echo(f"error: {message}", err=True)
    raise typer.Exit(code)


def _message_and_code(exc: BaseException) -> tuple[str, int]:
    """Return what to say of an exception, whatever it is, and the exit code."""
    from devicephys import installation, runfolder

    if isinstance(exc, DDKError):
        return str(exc), exc.exit_code
    if isinstance(exc, KeyboardInterrupt):
        return "stopped", 130
    if error := installation.compilation_error(exc):
        return str(error), error.exit_code
    where = runfolder.keep_traceback(exc)
    return f"{_in_one_line(exc)}. The traceback is in {where}", DDKError.exit_code


def _in_one_line(exc: BaseException) -> str:
    """Return kind and message of an exception that nobody expected, in one line."""
    return f"unexpected {type(exc).__name__}: {' '.join(str(exc).split())}".rstrip(": ")


@app.command()
@_command
def iv(
    out: Annotated[
        str, typer.Option("--out", metavar="DIR", help="Folder to make for the results.")
    ],
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
    from devicephys.protocol import IVSweep
    from devicephys.settings import Settings

    path = _folder(out, "--out")
    parsed: dict[str, Any] = dict(_parse_changes(changes or []))
    sweep = {
        "reset_voltage": reset_voltage,
        "set_voltage": set_voltage,
        "rate": rate,
        "loops": loops,
    }
    for name, value in sweep.items():
        key, option = f"sweep.{name}", f"--{name.replace('_', '-')}"
        if value is None:
            continue
        if isinstance(value, str) and not value.strip():
            raise InputError("the value is empty", option, "Give it a value, or leave it out")
        if key in parsed:
            raise InputError(f"'{key}' is set twice", f"--set and {option}", "Give it once")
        parsed[key] = value
    cell = load_device(device).with_(parsed)
    protocol = IVSweep.from_device(cell)
    settings = Settings.preset(preset.value, scheme=scheme.value)
    world = installation.world()
    if world is None:
        _run(path, cell, protocol, settings)
    else:
        _run_in_parallel(world, path, cell, protocol, settings)


def _run(out: Path, cell: Device, protocol: Waveform, settings: Settings) -> None:
    from devicephys import installation
    from devicephys.loop_run import begin, run_loop
    from devicephys.runfolder import RunFolder

    installation.require_solver()
    with RunFolder.claim(out) as folder:
        begin(folder, cell, protocol, settings)
        run_loop(folder, cell, protocol, settings)


def _run_in_parallel(
    world: Any, out: Path, cell: Device, protocol: Waveform, settings: Settings
) -> None:
    """Compute on all ranks if all are ready; rank 0 alone has the folder."""
    from devicephys import installation
    from devicephys.loop_run import begin, run_loop
    from devicephys.runfolder import RunFolder

    folder, message, code = None, "", 0
    try:
        installation.require_solver()
        if world.rank == 0:
            folder = RunFolder.claim(out)
            begin(folder, cell, protocol, settings)
    except (Exception, KeyboardInterrupt) as exc:
        message, code = _message_and_code(exc)
    # Who computes without the others would wait for them for ever.
    failed = [end for end in world.allgather((message, code)) if end[1]]
    if failed:
        if folder is not None:
            folder.release()
        _end(*failed[0])
    with _aborting(world):
        if folder is None:
            from devicephys.simulation import simulate

            simulate(cell, protocol, settings)
        else:
            with folder:
                run_loop(folder, cell, protocol, settings)


@contextmanager
def _aborting(world: Any) -> Iterator[None]:
    """End all ranks if one meets what the others do not: an exception that nobody expected."""
    try:
        yield
    except Exception as exc:
        from devicephys import installation

        common = isinstance(exc, DDKError) and type(exc) is not DDKError
        if common or installation.compilation_error(exc):
            raise
        message, code = _message_and_code(exc)
        sys.stderr.write(f"error: {message}\n")
        sys.stderr.flush()
        world.Abort(code)


def _folder(text: str, where: str) -> Path:
    if not text.strip():
        raise InputError("the name of the folder is empty", where, "Write '.' for this folder")
    return Path(text)


@app.command()
@_command
def plot(folder: Annotated[str, typer.Argument(metavar="DIR", help="Folder of a run.")]) -> None:
    """Draw the pictures of a run again, from its iv.nc."""
    from devicephys import records
    from devicephys.loop_run import draw_all
    from devicephys.runfolder import RECORD

    home = _folder(folder, "DIR")
    ds = records.read(home / RECORD, "IVTrace")
    for path in draw_all(home, ds, overwrite=True):
        typer.echo(str(path))


@app.command()
@_command
def verify(
    quick: Annotated[bool, typer.Option("--quick", help="Coarser meshes, in a minute.")] = False,
) -> None:
    """Compare the solver with manufactured and closed-form solutions; exit code 3 if one fails."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from devicephys import installation

    installation.require_solver()
    from devicephys import verification

    table = Table(title="Verification")
    for column in ("Test", "Quantity", "Target", "Measured", ""):
        table.add_column(column)
    failed = []
    for name, quantity, target, measured, passed in verification.run(quick=quick):
        shown = f"{measured:.4g}" if isinstance(measured, float) else str(measured)
        mark = Text("passed", "green") if passed else Text("FAILED", "bold red")
        table.add_row(*map(Text, (name, quantity, target, shown)), mark)
        if not passed:
            failed.append(f"{name}, {quantity}")
    _wide_console(Console).print(table)
    if failed:
        _end(f"{len(failed)} verification(s) failed: {'; '.join(failed)}", SolverError.exit_code)


@app.command()
@_command
def calibrate(
    out: Annotated[
        str, typer.Option("--out", metavar="DIR", help="Folder for the outcome.")
    ] = "calibration",
) -> None:
    """Fit the free parameters of the shipped device to its targets again."""
    from devicephys import installation

    folder = _folder(out, "--out")
    installation.require_solver()
    from devicephys import calibration

    calibration.main(folder)


@app.command()
@_command
def info() -> None:
    """Print versions and the health of the installation; exit code 2 if something is missing."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from devicephys import installation

    checks = list(installation.health())
    console = _wide_console(Console)
    table = Table("Component", "Version")
    for name, version in installation.versions().items():
        table.add_row(Text(name), Text(version))
    console.print(table)
    table = Table("Health", "", "Found")
    for check in checks:
        mark = Text("ok", "green") if check.passed else Text("missing", "bold red")
        table.add_row(Text(check.name), mark, Text(check.detail))
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
    from rich.text import Text

    from devicephys.device import load_device

    cell = load_device(device).with_(_parse_changes(changes or []))
    if as_yaml:
        typer.echo(cell.to_yaml(), nl=False)
        return
    console = _wide_console(Console)
    table = Table("Parameter", "Value", "Unit inside", "Mark", "Source", title=Text(cell.name))
    for row in cell.table():
        table.add_row(*(Text(str(value)) for value in row))
    console.print(table)
    console.print(Text(f"Voltages are those of the {cell.voltage_reference}."))
    if cell.description:
        console.print(Text(cell.description))


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
