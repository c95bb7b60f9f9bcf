"""The command ``ddk-device sequence``, and how a sequence that was stopped goes on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

import devicephys
from ddkbase.cli.application import command, examples
from ddkbase.cli.output import Output
from ddkbase.picture_names import Pictures
from devicephys.cli.options import OutOption, PicturesOption, app, output_folder

__all__ = ["go_on"]


@app.command(
    epilog=examples(
        "ddk-device sequence steps.yaml --out runs/steps",
    )
)
@command
def sequence(
    output: Output,
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help="YAML with steps, see docs/howto_drive.md."),
    ],
    out: OutOption,
    pictures: PicturesOption = Pictures.png,
) -> None:
    """Carry out loops, pulses, waveforms, bakes and reads on one cell, one after the other.

    Each step begins with the state at the end of the one before. The folder gets a folder for each
    step, sequence.json and report.html. Started again, it goes on where it was stopped.
    """
    path = output_folder(out, "--out")
    go_on(path, output, pictures, devicephys.read_sequence(Path(file)))


def go_on(
    path: Path, output: Output, pictures: Pictures, steps: devicephys.Sequence | None = None
) -> None:
    """Carry out a sequence, or that of a folder, and print its table."""

    def remark(text: str) -> None:
        if not output.quiet:
            sys.stderr.write(f"{text}\n")

    def warn(text: str) -> None:
        sys.stderr.write(f"warning: {text}\n")

    with devicephys.run.Display(output.console(), "preparing the solver") as display:
        records = devicephys.run_sequence(
            path, steps, progress=display, remark=remark, warn=warn, pictures=pictures.value
        )
    kept = steps if steps is not None else devicephys.Sequence.read(path / "sequence.json")
    table = devicephys.sequence_table(kept, records)
    output.rows(table.heads, table.rows, right=table.right)
    output.add(folder=path, steps=devicephys.sequence_entries(kept, records))
    output.file(path / "report.html")
