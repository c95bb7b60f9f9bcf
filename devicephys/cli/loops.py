"""The commands of ``ddk-device``: simulate a loop, draw it, verify, look at devices.

What all commands share is in `devicephys.cli.options`; `devicephys.cli` starts them. Whatever
takes time to import is imported inside the commands, so that ``--help`` is quick.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ddkbase.cli.application import command, end, examples
from ddkbase.cli.options import given
from ddkbase.cli.output import Output
from ddkbase.errors import InputError, InstallationError, SolverError
from ddkbase.picture_names import Pictures
from devicephys.cli.options import (
    DEFAULT_DEVICE,
    CheckpointOption,
    DeviceOption,
    OutOption,
    PicturesOption,
    Preset,
    PresetOption,
    Scheme,
    SetOption,
    app,
    output_folder,
    parse_changes,
)

__all__ = ["app"]


@app.command(
    epilog=examples(
        "ddk-device iv --out runs/first",
        "ddk-device iv --preset quick --set 'filament.radius=8 nm' --out runs/narrow",
        "ddk-device iv --device my-cell.yaml --loops 3 --pictures svg --out runs/three",
        "ddk-device iv --preset quick --out runs/quick --json > quick.json",
    )
)
@command
def iv(
    output: Output,
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
    pictures: PicturesOption = Pictures.png,
) -> None:
    """Simulate the current-voltage loop of a cell and draw it.

    The folder gets iv.nc, three pictures, a ParaView file, report.html, device.yaml, request.json
    and run.log.
    """
    from devicephys.device import load_device
    from devicephys.protocol.waveform import IVSweep
    from devicephys.run.launch import start
    from devicephys.run.request import Request
    from devicephys.simulation.settings import Settings

    path = output_folder(out, "--out")
    parsed: dict[str, Any] = dict(parse_changes(changes or []))
    sweep = given(reset_voltage=reset_voltage, set_voltage=set_voltage, rate=rate, loops=loops)
    for name, value in sweep.items():
        key, option = f"sweep.{name}", f"--{name.replace('_', '-')}"
        if key in parsed:
            raise InputError(f"'{key}' is set twice", f"--set and {option}", "Give it once")
        parsed[key] = value
    cell = load_device(device).with_(parsed)
    settings = Settings.preset(preset.value, scheme=scheme.value)
    request = Request(cell, IVSweep.from_device(cell), settings, checkpoint_every)
    start(path, request, output, pictures.value)


@app.command(
    epilog=examples("ddk-device plot runs/first", "ddk-device plot runs/first --pictures pdf")
)
@command
def plot(
    output: Output,
    folder: Annotated[str, typer.Argument(metavar="DIR", help="Folder of a run.")],
    pictures: PicturesOption = Pictures.png,
) -> None:
    """Make pictures and report of a run again, from its iv.nc, pulses.nc or kinetics.nc."""
    from devicephys.run.redraw import draw_again

    output.file(*draw_again(output_folder(folder, "DIR"), pictures.value))


@app.command(
    epilog=examples(
        "ddk-device compare runs/first runs/narrow",
        "ddk-device compare runs/first runs/narrow --json > both.json",
    )
)
@command(answers=True)
def compare(
    output: Output,
    folders: Annotated[
        list[str], typer.Argument(metavar="DIR...", help="Folders of loops, or of trains.")
    ],
) -> None:
    """Print the figures of several runs side by side, and in what they were asked to differ."""
    from devicephys.run.comparison import compare_runs

    asked, figures, entries = compare_runs([output_folder(text, "DIR") for text in folders])
    columns = range(1, 1 + len(folders))
    if asked:
        output.rows(["Parameter", *folders], asked, "What differs", right=columns)
    elif len(folders) > 1:
        output.note("The same cell, protocol and preset.")
    output.rows(["Quantity", *folders], figures, "What came out", right=columns)
    runs = [{"folder": f, **e} for f, e in zip(folders, entries, strict=True)]
    output.add(runs=runs, different={row[0]: row[1:] for row in asked})


@app.command(epilog=examples("ddk-device verify --quick", "ddk-device verify --json"))
@command
def verify(
    output: Output,
    quick: Annotated[bool, typer.Option("--quick", help="Coarser meshes, in a minute.")] = False,
) -> None:
    """Compare the solver with manufactured and closed-form solutions; exit code 3 if one fails."""
    from ddkbase import installation

    installation.require_solver()
    from devicephys import verification

    names = ("test", "quantity", "target", "measured", "passed")
    found: list[dict[str, Any]] = [
        dict(zip(names, row, strict=True)) for row in verification.run(quick=quick)
    ]
    rows = []
    for one in found:
        measured = one["measured"]
        shown = f"{measured:.4g}" if isinstance(measured, float) else str(measured)
        mark = "passed" if one["passed"] else "FAILED"
        rows.append([one["test"], one["quantity"], one["target"], shown, mark])
    output.rows(["Test", "Quantity", "Target", "Measured", ""], rows, "Verification")
    failed = [f"{one['test']}, {one['quantity']}" for one in found if not one["passed"]]
    output.add(passed=not failed, tests=found)
    if failed:
        output.finish()
        end(f"{len(failed)} verification(s) failed: {'; '.join(failed)}", SolverError.exit_code)


@app.command(epilog=examples("ddk-device calibrate --out runs/calibration"))
@command
def calibrate(
    output: Output,
    out: Annotated[
        str, typer.Option("--out", metavar="DIR", help="Folder for the outcome.")
    ] = "calibration",
) -> None:
    """Fit the free parameters of the shipped device to its targets again."""
    from ddkbase import installation

    folder = output_folder(out, "--out")
    installation.require_solver()
    from devicephys import calibration

    device = calibration.main(folder, report=output.say)
    output.add(folder=folder, device=device.name)


@app.command(epilog=examples("ddk-device info", "ddk-device info --json"))
@command
def info(output: Output) -> None:
    """Print versions and the health of the installation; exit code 2 if something is missing."""
    import dataclasses

    from ddkbase import installation

    checks, versions = list(installation.health()), installation.versions()
    output.rows(["Component", "Version"], [[*pair] for pair in versions.items()])
    rows = [[c.name, "ok" if c.passed else "missing", c.detail] for c in checks]
    output.rows(["Health", "", "Found"], rows)
    output.add(versions=versions, health=[dataclasses.asdict(check) for check in checks])
    for check in checks:
        if not check.passed:
            output.finish()
            raise InstallationError(f"{check.name}: {check.detail}", hint=check.remedy)


@app.command(
    "show-device",
    epilog=examples(
        "ddk-device show-device",
        "ddk-device show-device kim-stack --yaml > my-cell.yaml",
        "ddk-device show-device my-cell.yaml --set 'layers.HfOx.thickness=6 nm' --json",
    ),
)
@command(answers=True)
def show_device(
    output: Output,
    device: Annotated[
        str, typer.Argument(metavar="[NAME|FILE]", help="Library device, or a YAML file.")
    ] = DEFAULT_DEVICE,
    as_yaml: Annotated[bool, typer.Option("--yaml", help="Print it as a YAML file.")] = False,
    changes: SetOption = None,
) -> None:
    """Print every parameter of a device with value, unit, mark and source."""
    from devicephys.device import load_device

    cell = load_device(device).with_(parse_changes(changes or []))
    if as_yaml and output.as_json:
        raise InputError("two formats are asked for", "--yaml, --json", "Leave one out")
    if as_yaml:
        output.line(cell.to_yaml(), end="")
        return
    if output.as_json:
        from devicephys.device.entries import device_entries

        output.add(**device_entries(cell))
        return
    heads = ["Parameter", "Value", "Unit inside", "Mark", "Source"]
    output.rows(heads, [[*map(str, row)] for row in cell.table()], cell.name)
    output.note(f"Voltages are those of the {cell.voltage_reference}.")
    if cell.description:
        output.note(cell.description)


@app.command("list-devices", epilog=examples("ddk-device list-devices"))
@command(answers=True)
def list_devices(output: Output) -> None:
    """Print the names of the devices that ship with the toolkit."""
    from devicephys.device import list_devices as names

    for name in names():
        output.line(name)
    output.add(devices=list(names()))
