"""The commands of ``ddk-compact``: from pulse trains to tables, and from tables to settings.

What all commands share is in `compact.cli.options`; `compact.cli` starts them. Public names of
`compact` are loaded on first use, so that ``--help`` is quick.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Annotated, Any

import typer

import compact
from compact.cli.options import (
    AmplitudeOption,
    Format,
    OutOption,
    OverwriteOption,
    ResistanceOption,
    TableArgument,
    WidthOption,
    app,
    read_table,
)
from ddkbase import paper
from ddkbase.cli.application import command, examples
from ddkbase.cli.options import free_path, given, option_groups, path_of
from ddkbase.cli.output import Output
from ddkbase.cli.paper import PaperOptions, PictureOptions
from ddkbase.errors import InputError
from ddkbase.picture_names import PAPER, picture_path


@app.command(epilog=examples("ddk-compact show table.nc", "ddk-compact show table.nc --json"))
@command(answers=True)
def show(output: Output, table: TableArgument) -> None:
    """Print what a table holds, its means with 95 % bands, and the article's trends."""
    read = read_table(table)
    if output.as_json:
        output.add(
            **compact.table.table_entries(read.dataset),
            units=compact.table.setting_units(read.dataset),
            means=compact.table.mean_entries(read.means),
            trends=compact.table.trend_entries(read.trends()),
        )
        return
    output.pairs(read.figures())
    for note, count in read.notes():
        output.line(f"not determined: {count} trains: {note}")
    for reason, count in read.reasons():
        output.line(f"not valid: {count} trains: {reason}")
    heads, rows = compact.table.mean_rows(read.means)
    output.rows(heads, rows, "Means and halves of the 95 % bands")
    for trend in read.trends():
        output.line(str(trend))


@app.command(
    epilog=examples(
        "ddk-compact lookup table.nc --amplitude '-2.3 V'",
        "ddk-compact lookup table.nc --amplitude '-2 V' --initial-resistance '8 kohm' --json",
    )
)
@command(answers=True)
def lookup(
    output: Output,
    table: TableArgument,
    amplitude: AmplitudeOption = None,
    width: WidthOption = None,
    initial_resistance: ResistanceOption = None,
) -> None:
    """Print alpha and beta at a pulse setting, interpolated within the table's range."""
    setting = given(amplitude=amplitude, width=width, initial_resistance=initial_resistance)
    read = read_table(table)
    answer = read.lookup(**setting)
    output.line(str(answer))
    output.add(**dataclasses.asdict(answer), units=compact.table.setting_units(read.dataset))


@app.command(
    epilog=examples(
        "ddk-compact invert table.nc --alpha 0.002 --beta 0.3",
        "ddk-compact invert table.nc --alpha 0.002 --beta 0.3 --picture pair.svg",
        "ddk-compact invert table.nc --alpha 0.002 --beta 0.3 --json",
    )
)
@command(answers=True)
@option_groups
def invert(
    output: Output,
    table: TableArgument,
    alpha: Annotated[float, typer.Option("--alpha", help="Wanted alpha.")],
    beta: Annotated[float, typer.Option("--beta", help="Wanted beta.")],
    picture: Annotated[
        str | None,
        typer.Option("--picture", metavar="FILE", help="Draw it into this .png, .svg or .pdf."),
    ] = None,
    overwrite: OverwriteOption = False,
    *,
    looks: PaperOptions,
) -> None:
    """Print the pulse setting that comes closest to a wanted pair, and the error that remains."""
    path, style = None, looks.style()
    if picture is not None:
        path = picture_path(picture, overwrite, table, option="--picture")
    elif style is not None:
        raise InputError("no picture is drawn", "--picture", "Name a file for it")
    read = read_table(table)
    inversion = read.invert(alpha=alpha, beta=beta)
    output.line(str(inversion))
    output.add(**dataclasses.asdict(inversion), units=compact.table.setting_units(read.dataset))
    if path is not None:
        figure = partial(compact.plots.region_figure, read, inversion)
        output.file(*paper.save_picture(figure, path, style, overwrite))


@app.command(
    epilog=examples(
        "ddk-compact intervals table.nc", "ddk-compact intervals table.nc --level 0.68 --json"
    )
)
@command(answers=True)
def intervals(
    output: Output,
    table: TableArgument,
    level: Annotated[float, typer.Option("--level", help="Of the intervals, 0 to 1.")] = 0.95,
) -> None:
    """Print alpha and beta of every train with their profile-likelihood intervals.

    An interval that a bound ends is open there: the train does not determine the number.
    """
    read = read_table(table)
    found = read.intervals(level)
    heads, rows, entries = compact.table.interval_rows(read.dataset, found)
    output.rows(heads, rows, f"Intervals at the level {level:g}")
    output.add(level=level, trains=entries)


@app.command(
    epilog=examples(
        "ddk-compact export table.nc --format spice --out cell.sub",
        "ddk-compact export table.nc --format verilog-a --initial-resistance '6 kohm' --out c.va",
        "ddk-compact export table.nc --format csv --out table.csv",
        "ddk-compact export table.nc --format neurosim --amplitude '-2 V' --out cell.txt",
        "ddk-compact export down.nc --opposite up.nc --format crosssim --out folder",
    )
)
@command
def export(
    output: Output,
    table: TableArgument,
    form: Annotated[Format, typer.Option("--format", help="What to write.")],
    out: OutOption,
    width: WidthOption = None,
    initial_resistance: ResistanceOption = None,
    conductance_min: Annotated[
        str | None, typer.Option("--conductance-min", metavar="CONDUCTANCE", help="E.g. '6 uS'.")
    ] = None,
    conductance_max: Annotated[
        str | None, typer.Option("--conductance-max", metavar="CONDUCTANCE", help="E.g. '200 uS'.")
    ] = None,
    threshold: Annotated[
        str | None, typer.Option("--threshold", metavar="VOLTAGE", help="From which a pulse is on.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Of the module or subcircuit; ddk_cell.")
    ] = None,
    opposite: Annotated[
        str | None, typer.Option("--opposite", metavar="TABLE", help="Table of the other polarity.")
    ] = None,
    amplitude: AmplitudeOption = None,
    opposite_amplitude: Annotated[
        str | None, typer.Option("--opposite-amplitude", metavar="VOLTAGE", help="Of --opposite.")
    ] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Write a table for simulators of circuits or of arrays, or as CSV or JSON.

    Width and initial resistance choose a slice of the table, for circuits and arrays. Those of
    arrays take one amplitude of each polarity. That for crosssim is a folder.
    """
    options = given(
        width=width, initial_resistance=initial_resistance,
        conductance_min=conductance_min, conductance_max=conductance_max, threshold=threshold,
        name=name, amplitude=amplitude, opposite_amplitude=opposite_amplitude,
    )  # fmt: skip
    if form in ("aihwkit", "crosssim", "neurosim"):
        _refuse(form, options, ("threshold", "name"), "has no such")
        _export_steps(output, form, table, out, opposite, overwrite, options)
        return
    path = free_path(out, overwrite, table, *([opposite] if opposite else []))
    read = read_table(table)
    if form in ("csv", "json"):
        if opposite is not None:
            options["opposite"] = opposite
        _refuse(form, options, tuple(options), "holds the whole table")
        to_text = compact.circuit.to_csv if form == "csv" else compact.circuit.to_json
        output.file(to_text(read, path, overwrite=overwrite))
        return
    _refuse(form, options, ("amplitude", "opposite_amplitude"), "holds all amplitudes")
    to_cell = compact.circuit.to_spice if form == "spice" else compact.circuit.to_verilog_a
    other = read_table(opposite) if opposite is not None else None
    cell = compact.circuit.cell_of(read, other, **options)
    output.file(to_cell(read, path, other, overwrite=overwrite, **options))
    for text in cell.notes:
        output.note(f"note: {text}")
    if form == "spice":
        output.note(
            f"X1 top bottom state {cell.name} y0=1    (a deck that runs: docs/howto_spice.md)"
        )


def _refuse(form: Format, options: dict[str, Any], unused: tuple[str, ...], why: str) -> None:
    where = ", ".join(f"--{n.replace('_', '-')}" for n in options if n in unused)
    if where:
        raise InputError(f"{form} {why}", where, "Leave it out")


def _export_steps(
    output: Output,
    form: Format,
    table: str,
    out: str,
    opposite: str | None,
    overwrite: bool,
    options: dict[str, Any],
) -> None:
    """What one pulse does, for a simulator of arrays."""
    if form == "crosssim":
        path = path_of(out, "--out", "folder")
    else:
        path = free_path(out, overwrite, table, *([opposite] if opposite else []))
    read, other = read_table(table), read_table(opposite) if opposite is not None else None
    write = {
        "aihwkit": compact.simulators.to_aihwkit,
        "crosssim": compact.simulators.to_crosssim,
        "neurosim": compact.simulators.to_neurosim,
    }[form]
    output.file(write(read, path, other, overwrite=overwrite, **options))
    steps = compact.simulators.pulse_steps(read, other, **options)
    for text in steps.notes:
        output.note(f"note: {text}")
    output.note("how far a step of the tool differs from one of the fit stands in its heading")


@app.command(
    epilog=examples(
        "ddk-compact report table.nc --out report.html",
        "ddk-compact report down.nc up.nc --out both.html --overwrite",
        "ddk-compact report table.nc --out report.html --figure-width '85 mm' --pictures pdf",
    )
)
@command
@option_groups
def report(
    output: Output,
    tables: Annotated[list[str], typer.Argument(metavar="TABLE...", help="One table or several.")],
    out: OutOption,
    overwrite: OverwriteOption = False,
    *,
    looks: PictureOptions,
) -> None:
    """Write one HTML file with figures, the article's trends and pictures.

    With --pictures or an option for papers, the pictures are files, too, in a folder beside it.
    """
    path = free_path(out, overwrite, *tables)
    style, pictures = looks.style(), looks.format()
    read = [read_table(t) for t in tables]
    output.file(compact.write_report(read, path, overwrite=overwrite))
    if pictures is not None:
        folder = path.with_name(f"{path.stem}-{PAPER}")
        output.file(*paper.save_pictures(compact.report_pictures(read), folder, pictures, style))
