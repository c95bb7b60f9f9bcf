"""The commands ``ddk-device retention`` and ``ddk-device endurance``."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

import typer

import devicephys
from ddkbase.cli.application import command, examples
from ddkbase.cli.options import option_groups
from ddkbase.cli.output import Output
from devicephys.cli.options import (
    OutOption,
    RunOptions,
    app,
    output_folder,
    start_folder,
)
from devicephys.cli.runs import carry_out

Programmed = Literal["high", "low"]  # state of a cell before a bake


@app.command(
    epilog=examples(
        "ddk-device retention --out runs/bake",
        "ddk-device retention --temperatures '85 degC' --from runs/train --out runs/after",
        "ddk-device retention --temperatures '20 degC' --stress-voltage '0.1 V' --out runs/disturb",
    )
)
@command
@option_groups
def retention(
    *,
    output: Output,
    out: OutOption,
    temperatures: Annotated[
        str,
        typer.Option("--temperatures", metavar="LIST", help="Ambient temperatures of the bakes."),
    ] = "85 degC, 125 degC, 200 degC, 250 degC",
    duration: Annotated[
        str, typer.Option("--duration", metavar="TIME", help="Length of each bake.")
    ] = "10 year",
    state: Annotated[
        Programmed,
        typer.Option(
            "--state",
            help="high: after the RESET half of the cell's own sweep. low: as formed."
            " Of no account with --from.",
        ),
    ] = "high",
    stress_voltage: Annotated[
        str,
        typer.Option(
            "--stress-voltage", metavar="VOLTAGE", help="Held all the time: read disturb."
        ),
    ] = "0 V",
    first_read: Annotated[
        str, typer.Option("--first-read", metavar="TIME", help="Time of the first read.")
    ] = "1 us",
    reads_per_decade: Annotated[
        int, typer.Option("--reads-per-decade", min=1, max=100, help="Reads a decade of time.")
    ] = 4,
    read_voltage: Annotated[
        str, typer.Option("--read-voltage", metavar="VOLTAGE", help="Voltage of the reads.")
    ] = "0.1 V",
    run: RunOptions,
) -> None:
    """Bake a programmed cell at several ambient temperatures, and read it as time goes on.

    The folder gets retention.nc, retention.png, report.html, device.yaml, request.json and run.log.
    """
    path = output_folder(out, "--out")
    start = start_folder(run.start)
    bake = devicephys.Bake(
        temperatures,
        duration,
        state,
        stress_voltage,
        first_read,
        reads_per_decade,
        read_voltage,
    )
    action = partial(devicephys.run.start, path, run.request(bake, start))
    carry_out(action, output, run.pictures)


@app.command(
    epilog=examples(
        "ddk-device endurance --cycles 20 --checkpoint-every 1 --out runs/cycles",
        "ddk-device endurance --high-resistance '30 kohm' --preset quick --out runs/quick",
    )
)
@command
@option_groups
def endurance(
    *,
    output: Output,
    out: OutOption,
    high_resistance: Annotated[
        str, typer.Option("--high-resistance", metavar="OHM", help="Where RESET pulses lead.")
    ] = "20 kohm",
    low_resistance: Annotated[
        str, typer.Option("--low-resistance", metavar="OHM", help="Where SET pulses lead.")
    ] = "8 kohm",
    cycles: Annotated[int, typer.Option("--cycles", min=1, help="How often.")] = 10,
    width: Annotated[
        str, typer.Option("--width", metavar="TIME", help="Flat top of the pulses.")
    ] = "100 ns",
    read_voltage: Annotated[
        str, typer.Option("--read-voltage", metavar="VOLTAGE", help="Voltage of the reads.")
    ] = "0.1 V",
    run: RunOptions,
) -> None:
    """Program a cell to a high and a low resistance again and again, each verified by reads.

    A state that cannot be reached ends the cycles. The folder gets endurance.nc, endurance.png,
    report.html, device.yaml, request.json and run.log.
    """
    path = output_folder(out, "--out")
    start = start_folder(run.start)
    protocol = devicephys.EnduranceTest(
        high_resistance, low_resistance, cycles, width, read_voltage
    )
    action = partial(devicephys.run.start, path, run.request(protocol, start))
    carry_out(action, output, run.pictures)
