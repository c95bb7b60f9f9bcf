"""The command ``ddk-network pipeline``: the whole chain from one file."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from ddk import pipeline as chain
from ddk.cli.options import app, command
from ddkbase.cli.application import examples
from ddkbase.cli.options import path_of
from ddkbase.cli.output import Output
from ddkbase.errors import InputError


@app.command(
    epilog=examples(
        "ddk-network pipeline demo --out runs/demo",
        "ddk-network pipeline --example > mine.yaml",
        "ddk-network pipeline mine.yaml --dry-run",
        "ddk-network pipeline mine.yaml --out runs/mine --workers 4",
    )
)
@command
def pipeline(
    output: Output,
    source: Annotated[
        str | None,
        typer.Argument(metavar="[FILE|NAME]", help="A pipeline's YAML file, or 'demo'."),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="DIR", help="Folder of the results; default: the name."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, help="Processes of campaign and controls."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the file, print what would be done, end.")
    ] = False,
    example: Annotated[
        bool, typer.Option("--example", help="Print a file with comments to start from, end.")
    ] = False,
) -> None:
    """Loop, pulse trains, table, network, controls, hardware, chip: the whole chain from one file.

    Started again with the same DIR, it computes what is missing and what a change of the file
    touches, and keeps the rest.
    """
    if example:
        if source is not None:
            raise InputError("an example is no run", "--example", "Leave the file out")
        output.add(text=chain.example_text())
        output.line(chain.example_text(), end="")
        return
    if source is None:
        names = ", ".join(chain.list_pipelines())
        hint = f"Name a YAML file (--example prints one), or one of the toolkit: {names}"
        raise InputError("no pipeline is named", "FILE", hint)
    folder = Path(Path(source).stem) if out is None else path_of(out, "--out", "folder")
    output.add(folder=folder)
    if dry_run:
        planned = chain.plan(source, folder)
        output.rows(["step", f"in {folder}"], [list(row) for row in planned])
        output.add(steps=[{"step": name, "state": state} for name, state in planned])
        return
    outcomes = chain.run(
        source,
        folder,
        workers=workers,
        command=shlex.join(["ddk-network", *sys.argv[1:]]),
        progress=None if output.quiet else output.say,
        quiet=output.quiet or output.as_json,
    )
    output.add(steps=[outcome.entries() for outcome in outcomes], units={"seconds": "s"})
    output.file(folder / "report.html")
