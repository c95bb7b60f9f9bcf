"""The command line ``ddk-device``: simulate a loop, draw it, verify, look at devices.

What all commands share (options, exit codes, ways to end) is in `devicephys.cli_base`.  Whatever
takes time to import is imported inside the commands, so that ``--help`` is quick.
"""

from __future__ import annotations

import sys
from typing import Annotated, Any

try:
    import typer

    from devicephys import (  # noqa: F401  (they add commands)
        cli_campaign,
        cli_kinetics,
        cli_pulses,
        cli_random,
    )
    from devicephys.cli_base import (
        DEFAULT_DEVICE,
        CheckpointOption,
        DeviceOption,
        OutOption,
        Preset,
        PresetOption,
        Scheme,
        SetOption,
        app,
        command,
        end,
        given,
        output_folder,
        parse_changes,
        wide_console,
    )
    from devicephys.errors import InputError, InstallationError, SolverError
except KeyboardInterrupt:  # while modules load, which takes a second on a busy machine
    sys.stderr.write("error: stopped\n")
    sys.exit(130)


def main() -> None:
    """Entry point of the console script."""
    app()


@app.command()
@command
def iv(
    out: OutOption,
    device: DeviceOption = DEFAULT_DEVICE,
    preset: PresetOption = Preset.default,
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
    checkpoint_every: CheckpointOption = None,
) -> None:
    """Simulate the current-voltage loop of a cell and draw it.

    The folder gets iv.nc, three pictures, a ParaView file, device.yaml, request.json and run.log.
    """
    from devicephys.device import load_device
    from devicephys.launch import start
    from devicephys.protocol import IVSweep
    from devicephys.request import Request
    from devicephys.settings import Settings

    path = output_folder(out, "--out")
    parsed: dict[str, Any] = dict(parse_changes(changes or []))
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
        if isinstance(value, str):
            given(option, value)
        if key in parsed:
            raise InputError(f"'{key}' is set twice", f"--set and {option}", "Give it once")
        parsed[key] = value
    cell = load_device(device).with_(parsed)
    settings = Settings.preset(preset.value, scheme=scheme.value)
    start(path, Request(cell, IVSweep.from_device(cell), settings, checkpoint_every))


@app.command()
@command
def plot(folder: Annotated[str, typer.Argument(metavar="DIR", help="Folder of a run.")]) -> None:
    """Draw the pictures of a run again, from its iv.nc or pulses.nc."""
    from devicephys import records
    from devicephys.errors import StorageError
    from devicephys.loop_run import draw_loop
    from devicephys.pulse_run import draw_train
    from devicephys.runfolder import PULSE_RECORD, RECORD

    home = output_folder(folder, "DIR")
    kinds = {RECORD: ("IVTrace", draw_loop), PULSE_RECORD: ("PulseTrace", draw_train)}
    found = [name for name in kinds if (home / name).exists()]
    if not found:
        raise StorageError(f"there is no such file: {' or '.join(kinds)}", str(home))
    for name in found:
        schema, draw = kinds[name]
        for path in draw(home, records.read(home / name, schema), overwrite=True):
            typer.echo(str(path))


@app.command()
@command
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
    wide_console(Console).print(table)
    if failed:
        end(f"{len(failed)} verification(s) failed: {'; '.join(failed)}", SolverError.exit_code)


@app.command()
@command
def calibrate(
    out: Annotated[
        str, typer.Option("--out", metavar="DIR", help="Folder for the outcome.")
    ] = "calibration",
) -> None:
    """Fit the free parameters of the shipped device to its targets again."""
    from devicephys import installation

    folder = output_folder(out, "--out")
    installation.require_solver()
    from devicephys import calibration

    calibration.main(folder)


@app.command()
@command
def info() -> None:
    """Print versions and the health of the installation; exit code 2 if something is missing."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from devicephys import installation

    checks = list(installation.health())
    console = wide_console(Console)
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
@command
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

    cell = load_device(device).with_(parse_changes(changes or []))
    if as_yaml:
        typer.echo(cell.to_yaml(), nl=False)
        return
    console = wide_console(Console)
    table = Table("Parameter", "Value", "Unit inside", "Mark", "Source", title=Text(cell.name))
    for row in cell.table():
        table.add_row(*(Text(str(value)) for value in row))
    console.print(table)
    console.print(Text(f"Voltages are those of the {cell.voltage_reference}."))
    if cell.description:
        console.print(Text(cell.description))


@app.command("list-devices")
@command
def list_devices() -> None:
    """Print the names of the devices that ship with the toolkit."""
    from devicephys.device import list_devices as names

    for name in names():
        typer.echo(name)


if __name__ == "__main__":
    main()
