"""The commands of ``ddk-compact``: from pulse trains to tables, and from tables to settings.

What all commands share is in `compact.cli_base`; `compact.cli` starts them. Whatever takes time to
import is imported inside the commands, so that ``--help`` is quick.
"""

from __future__ import annotations

from typing import Annotated

import typer

from compact.cli_base import (
    AmplitudeOption,
    Direction,
    Format,
    Loss,
    Method,
    OutOption,
    OverwriteOption,
    ResistanceOption,
    Scheme,
    TableArgument,
    WidthOption,
    Window,
    app,
    command,
    end,
    free_path,
    given,
    path_of,
    print_pairs,
    print_rows,
    read_table,
)
from devicephys.errors import InputError, StorageError

__all__ = ["app"]


@app.command()
@command
def fit(
    source: Annotated[
        str,
        typer.Argument(
            metavar="STORE|FILE",
            help="A campaign's zarr store, pulses.nc, or a CSV, XLSX, MAT or NetCDF file.",
        ),
    ],
    out: OutOption,
    method: Annotated[Method, typer.Option("--method", help="How to fit.")] = Method.better,
    integrator: Annotated[
        Scheme | None,
        typer.Option("--integrator", help="Default: implicit; of the article: explicit."),
    ] = None,
    window: Annotated[
        Window,
        typer.Option(
            "--window", help="data: each train spans 0 to 1, as in the article; free: fitted, too."
        ),
    ] = Window.data,
    loss: Annotated[Loss, typer.Option("--loss", help="The last two forgive outliers.")] = (
        Loss.linear
    ),
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the starts.")] = 0,
    direction: Annotated[
        Direction | None, typer.Option("--direction", help="Take only these trains.")
    ] = None,
    mirror: Annotated[
        bool, typer.Option("--mirror", help="Fit up trains as mirror images of down trains.")
    ] = False,
    skip_missing: Annotated[
        bool, typer.Option("--skip-missing", help="Gaps within a train are no error.")
    ] = False,
    amplitude: AmplitudeOption = None,
    width: WidthOption = None,
    initial_resistance: ResistanceOption = None,
    conductance: Annotated[
        str | None, typer.Option("--conductance", metavar="COLUMN", help="Of a file.")
    ] = None,
    resistance: Annotated[
        str | None, typer.Option("--resistance", metavar="COLUMN", help="Of a file.")
    ] = None,
    current: Annotated[
        str | None, typer.Option("--current", metavar="COLUMN", help="Of a file.")
    ] = None,
    voltage: Annotated[
        str | None,
        typer.Option("--voltage", metavar="COLUMN|VOLTAGE", help="Of the read, with --current."),
    ] = None,
    pulse: Annotated[
        str | None, typer.Option("--pulse", metavar="COLUMN", help="Pulse numbers of a file.")
    ] = None,
    train: Annotated[
        list[str] | None,
        typer.Option("--train", metavar="COLUMN", help="Tells trains of a file apart. Repeatable."),
    ] = None,
    units: Annotated[
        str | None,
        typer.Option("--units", metavar="UNIT", help="Of the values: 'uS', 'kohm', 'normalised'."),
    ] = None,
    split: Annotated[
        bool, typer.Option("--split", help="Cut trains of a file where they turn.")
    ] = False,
    wide: Annotated[
        bool | None, typer.Option("--wide/--long", help="Each column is a train, or one holds all.")
    ] = None,
    sheet: Annotated[
        str | None, typer.Option("--sheet", metavar="NAME|NUMBER", help="Of an XLSX file.")
    ] = None,
    variable: Annotated[
        str | None, typer.Option("--variable", metavar="NAME", help="Of a MAT, NPZ or NetCDF file.")
    ] = None,
    delimiter: Annotated[
        str | None, typer.Option("--delimiter", metavar="SIGN", help="Between the cells of a text.")
    ] = None,
    decimal: Annotated[
        str | None, typer.Option("--decimal", metavar="SIGN", help="Of the numbers of a text.")
    ] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Fit all pulse trains of a campaign or of a file; write the table.

    Amplitude, width and initial resistance are for files that do not say them.
    """
    from compact.table import AlphaBetaTable
    from compact.table_source import open_source

    path = free_path(out, overwrite, source)
    columns = given(
        conductance=conductance, resistance=resistance, current=current, voltage=voltage,
        pulse=pulse, units=units, wide=wide, variable=variable, decimal=decimal,
    )  # fmt: skip
    if sheet is not None:
        columns["sheet"] = int(sheet) if sheet.isdigit() else sheet
    if delimiter is not None:
        columns["delimiter"] = {"\\t": "\t", "tab": "\t"}.get(delimiter, delimiter)
    if train:
        columns["train"] = train
    if split:
        columns["direction"] = "split"
    where = path_of(source, "STORE|FILE")
    if not where.exists():
        raise StorageError("there is no such file or folder", str(where))
    if where.is_dir() and columns:
        raise InputError("a store has no columns to choose", ", ".join(f"--{c}" for c in columns))
    told = given(
        amplitude=amplitude, width=width, initial_resistance=initial_resistance,
        direction=direction, integrator=integrator,
    )  # fmt: skip
    table = AlphaBetaTable.fit(
        open_source(where, **columns),
        method=method.value,
        window=window.value,
        loss=loss.value,
        seed=seed,
        mirror=mirror,
        skip_missing=skip_missing,
        **told,
    )
    table.write(path, overwrite=overwrite)
    print_pairs({**table.figures(), "table": str(path)})
    if not table.dataset["valid"].values.any():
        end(f"no train could be fitted: {table.reasons()[0][0]} ({path})", InputError.exit_code)


@app.command()
@command
def show(table: TableArgument) -> None:
    """Print what a table holds, its means with 95 % bands, and the article's trends."""
    found = read_table(table)
    print_pairs(found.figures())
    for reason, count in found.reasons():
        typer.echo(f"not valid: {count} trains: {reason}")
    from compact.report import means_rows

    heads, rows = means_rows(found)
    print_rows(heads, rows, "Means and halves of the 95 % bands")
    for trend in found.trends():
        typer.echo(str(trend))


@app.command()
@command
def lookup(
    table: TableArgument,
    amplitude: AmplitudeOption = None,
    width: WidthOption = None,
    initial_resistance: ResistanceOption = None,
) -> None:
    """Print alpha and beta at a pulse setting, interpolated within the table's range."""
    setting = given(amplitude=amplitude, width=width, initial_resistance=initial_resistance)
    typer.echo(str(read_table(table).lookup(**setting)))


@app.command()
@command
def invert(
    table: TableArgument,
    alpha: Annotated[float, typer.Option("--alpha", help="Wanted alpha.")],
    beta: Annotated[float, typer.Option("--beta", help="Wanted beta.")],
    picture: Annotated[
        str | None, typer.Option("--picture", metavar="PNG", help="Draw it into this file.")
    ] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Print the pulse setting that comes closest to a wanted pair, and the error that remains."""
    path = None
    if picture is not None:
        if not picture.lower().endswith(".png"):
            raise InputError("the picture is a PNG file", "--picture", "Let its name end in .png")
        path = free_path(picture, overwrite, table, option="--picture")
    found = read_table(table)
    inversion = found.invert(alpha=alpha, beta=beta)
    typer.echo(str(inversion))
    if path is not None:
        from compact.plots_style import save
        from compact.plots_table import region_figure

        typer.echo(str(save(region_figure(found, inversion), path, overwrite)))


@app.command()
@command
def export(
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
    overwrite: OverwriteOption = False,
) -> None:
    """Write a table for circuit simulators, or as CSV or JSON.

    Width and initial resistance choose a slice of the table, for circuit simulators.
    """
    from compact import export as exports

    path = free_path(out, overwrite, table, *([opposite] if opposite else []))
    options = given(
        width=width, initial_resistance=initial_resistance,
        conductance_min=conductance_min, conductance_max=conductance_max, threshold=threshold,
        name=name,
    )  # fmt: skip
    found = read_table(table)
    if form in (Format.csv, Format.json):
        if opposite is not None:
            options["opposite"] = opposite
        if options:
            where = ", ".join(f"--{n.replace('_', '-')}" for n in options)
            raise InputError(f"{form.value} holds the whole table", where, "Leave it out")
        to_text = exports.to_csv if form is Format.csv else exports.to_json
        typer.echo(str(to_text(found, path, overwrite=overwrite)))
        return
    to_cell = exports.to_spice if form is Format.spice else exports.to_verilog_a
    other = read_table(opposite) if opposite is not None else None
    typer.echo(str(to_cell(found, path, other, overwrite=overwrite, **options)))


@app.command()
@command
def report(
    tables: Annotated[list[str], typer.Argument(metavar="TABLE...", help="One table or several.")],
    out: OutOption,
    overwrite: OverwriteOption = False,
) -> None:
    """Write one HTML file with figures, the article's trends and pictures."""
    from compact.report import write_report

    path = free_path(out, overwrite, *tables)
    typer.echo(str(write_report([read_table(t) for t in tables], path, overwrite=overwrite)))
