"""The command ``ddk-device waveform``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

import devicephys
from ddkbase.cli.application import command, examples
from ddkbase.cli.options import option_groups
from ddkbase.cli.output import Output
from ddkbase.errors import InputError
from devicephys.cli.options import (
    NoMotionOption,
    OutOption,
    RunOptions,
    app,
    output_folder,
    start_folder,
)
from devicephys.cli.runs import carry_out


@app.command(
    epilog=examples(
        "ddk-device waveform generator.csv --out runs/generator",
        "ddk-device waveform generator.csv --preset quick --checkpoint-every 100 --out runs/long",
    )
)
@command
@option_groups
def waveform(
    *,
    output: Output,
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="Text with a time and a voltage column, their units in the headings:"
            " 'time (ms),voltage (V)'.",
        ),
    ],
    out: OutOption,
    no_motion: NoMotionOption = False,
    run: RunOptions,
) -> None:
    """Apply the waveform of a file to a cell and draw what it does.

    Piecewise linear through the rows of the file, from 0 V at 0 s on. The folder gets iv.nc,
    pictures over voltage and over time, a ParaView file, report.html, device.yaml, request.json
    and run.log.
    """
    path = output_folder(out, "--out")
    start = start_folder(run.start)
    applied = devicephys.read_waveform(Path(file), output.note)
    if applied.voltage(0.0) != 0:
        raise InputError(
            f"starts at {applied.voltage(0.0):g} V, but the cell starts at rest at 0 V",
            file,
            "Begin with a row of 0 s and 0 V",
        )
    request = run.request(applied, start, motion=not no_motion)
    carry_out(partial(devicephys.run.start, path, request), output, run.pictures)
