"""The command ``ddk-device switching-time``."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from typing import Annotated

import typer

import devicephys
from ddkbase.cli.application import command, examples
from ddkbase.cli.options import option_groups
from ddkbase.cli.output import Output
from ddkbase.picture_names import Pictures
from devicephys.cli.options import (
    CellOptions,
    OutOption,
    PicturesOption,
    app,
    changed_device,
    output_folder,
)
from devicephys.cli.runs import carry_out


class Polarity(StrEnum):
    """Which switching is timed."""

    reset = "reset"
    set = "set"
    both = "both"


class Criterion(StrEnum):
    """When the cell counts as switched."""

    read = "read"
    applied = "applied"


@app.command(
    "switching-time",
    epilog=examples(
        "ddk-device switching-time --out runs/kinetics",
        "ddk-device switching-time --polarity set --voltages '1 V:1.6 V:7' --out runs/set",
        "ddk-device switching-time --preset quick --voltages '1 V, 1.4 V' --out runs/two --json",
    ),
)
@command
@option_groups
def switching_time(
    *,
    output: Output,
    out: OutOption,
    cell: CellOptions,
    polarity: Annotated[
        Polarity, typer.Option("--polarity", help="Which switching is timed.")
    ] = Polarity.both,
    voltages: Annotated[
        str,
        typer.Option(
            "--voltages",
            metavar="RANGE|LIST",
            help="Sizes of the held voltages: 'from:to:count', e.g. '0.8 V:2 V:13', or a list,"
            " e.g. '0.8 V, 1 V, 1.2 V'.",
        ),
    ] = "0.8 V:2 V:13",
    criterion: Annotated[
        Criterion,
        typer.Option(
            "--criterion",
            help="read: a read of the cold cell finds half the conductance (RESET), or the"
            " geometric mean of both states' (SET). applied: the conductance at the applied"
            " voltage is halved (RESET), or ten times what a read of the start finds (SET).",
        ),
    ] = Criterion.read,
    limit: Annotated[
        str, typer.Option("--limit", metavar="TIME", help="Longest hold of a voltage.")
    ] = "10 s",
    rise: Annotated[
        str, typer.Option("--rise", metavar="TIME", help="Rise of a voltage.")
    ] = "0.1 ns",
    loops_before: Annotated[
        int, typer.Option("--loops-before", min=0, help="Loops the cell runs before.")
    ] = 0,
    pictures: PicturesOption = Pictures.png,
) -> None:
    """Measure how long constant voltages take to switch a cell.

    RESET starts from the cell as formed, SET from the state after the RESET half of its own
    sweep. The folder gets kinetics.nc, kinetics.png, report.html, device.yaml,
    request.json and run.log.
    """
    scan = devicephys.SwitchingScan(
        voltages, polarity.value, criterion.value, limit, rise, loops_before=loops_before
    )
    request = devicephys.run.Request(
        changed_device(cell.device, cell.changes),
        scan,
        devicephys.Settings.preset(cell.preset.value),
    )
    path = output_folder(out, "--out")
    carry_out(partial(devicephys.run.start, path, request), output, pictures)
