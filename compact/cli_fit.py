"""The command ``ddk-compact fit``: from pulse trains to a table."""

from __future__ import annotations

from typing import Annotated

import typer

from compact.cli_base import (
    AmplitudeOption,
    Direction,
    Loss,
    Method,
    OutOption,
    OverwriteOption,
    ResistanceOption,
    Scheme,
    WidthOption,
    Window,
    app,
)
from devicephys.command_line import command, end, examples
from devicephys.command_options import free_path, given, path_of
from devicephys.command_output import Output
from devicephys.errors import InputError, StorageError, similar_file


@app.command(
    epilog=examples(
        "ddk-compact fit runs/campaign.zarr --out table.nc",
        "ddk-compact fit lab.csv --direction down --amplitude '-2 V' --out down.nc",
        "ddk-compact fit lab.xlsx --sheet 2 --pulse N --conductance G --units uS --out lab.nc",
        "ddk-compact fit runs/campaign.zarr --out table.nc --json",
    )
)
@command
def fit(
    output: Output,
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
        raise StorageError("there is no such file or folder", str(where), similar_file(where))
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
    output.pairs({**table.figures(), "table": str(path)})
    if output.as_json:
        from compact.table_entries import setting_units, table_entries

        output.add(table=path, **table_entries(table), units=setting_units(table))
    if not table.dataset["valid"].values.any():
        output.finish()
        end(f"no train could be fitted: {table.reasons()[0][0]} ({path})", InputError.exit_code)
