"""Commands for devices: the parameters of one, the names of all, one drawn at random."""

from __future__ import annotations

from typing import Annotated

import typer

import devicephys
from ddkbase.cli.application import command, examples
from ddkbase.cli.options import free_path
from ddkbase.cli.output import Output
from ddkbase.errors import InputError
from ddkbase.files import write_bytes
from devicephys.cli.options import DEFAULT_DEVICE, DeviceOption, SetOption, app, changed_device


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
    cell = changed_device(device, changes)
    if as_yaml and output.as_json:
        raise InputError("two formats are asked for", "--yaml, --json", "Leave one out")
    if as_yaml:
        output.line(cell.to_yaml(), end="")
        return
    if output.as_json:
        from devicephys.device.entries import device_entries  # start-up: it needs units

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
    names = list(devicephys.list_devices())
    for name in names:
        output.line(name)
    output.add(devices=names)


@app.command(
    "random-device",
    epilog=examples(
        "ddk-device random-device --seed 1 > drawn.yaml",
        "ddk-device random-device --seed 7 --device kim-stack --out drawn.yaml",
    ),
)
@command
def random_device(
    seed: Annotated[
        int,
        typer.Option("--seed", min=0, max=2**32 - 1, help="The same seed gives the same device."),
    ],
    device: DeviceOption = DEFAULT_DEVICE,
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="FILE", help="File to write instead of printing."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing file.")
    ] = False,
) -> None:
    """Print a device drawn from the ranges of docs/ranges.md as a YAML file.

    Layers and materials are those of --device; all numbers and choices are drawn.
    """
    import numpy as np  # start-up

    path = None if out is None else free_path(out, overwrite)
    drawn = devicephys.random_device(np.random.default_rng(seed), devicephys.load_device(device))
    text = drawn.with_({"name": f"random-{seed}"}).to_yaml()
    if path is None:
        typer.echo(text, nl=False)
        return
    write_bytes(path, text.encode(), overwrite)
