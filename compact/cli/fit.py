"""The command ``ddk-compact fit``: from pulse trains to a table."""

from __future__ import annotations

from typing import Annotated

import typer

from compact.cli.options import (
    AmplitudeOption,
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
from compact.cli.source import (
    ConductanceColumn,
    CurrentColumn,
    DecimalOption,
    DelimiterOption,
    DirectionOption,
    PulseColumn,
    ResistanceColumn,
    SheetOption,
    SourceArgument,
    SplitOption,
    TrainColumns,
    UnitsOption,
    VariableOption,
    VoltageColumn,
    WideOption,
    open_trains,
)
from ddkbase.cli.application import command, end, examples
from ddkbase.cli.options import free_path, given
from ddkbase.cli.output import Output
from ddkbase.errors import InputError


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
    source: SourceArgument,
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
    direction: DirectionOption = None,
    mirror: Annotated[
        bool, typer.Option("--mirror", help="Fit up trains as mirror images of down trains.")
    ] = False,
    skip_missing: Annotated[
        bool, typer.Option("--skip-missing", help="Gaps within a train are no error.")
    ] = False,
    amplitude: AmplitudeOption = None,
    width: WidthOption = None,
    initial_resistance: ResistanceOption = None,
    conductance: ConductanceColumn = None,
    resistance: ResistanceColumn = None,
    current: CurrentColumn = None,
    voltage: VoltageColumn = None,
    pulse: PulseColumn = None,
    train: TrainColumns = None,
    units: UnitsOption = None,
    split: SplitOption = False,
    wide: WideOption = None,
    sheet: SheetOption = None,
    variable: VariableOption = None,
    delimiter: DelimiterOption = None,
    decimal: DecimalOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Fit all pulse trains of a campaign or of a file; write the table.

    Amplitude, width and initial resistance are for files that do not say them.
    """
    from compact.table.table import AlphaBetaTable

    path = free_path(out, overwrite, source)
    trains = open_trains(
        output, source, conductance=conductance, resistance=resistance, current=current,
        voltage=voltage, pulse=pulse, train=train, units=units, split=split, wide=wide,
        sheet=sheet, variable=variable, delimiter=delimiter, decimal=decimal,
    )  # fmt: skip
    told = given(
        amplitude=amplitude, width=width, initial_resistance=initial_resistance,
        direction=direction, integrator=integrator,
    )  # fmt: skip
    table = AlphaBetaTable.fit(
        trains,
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
        from compact.table.entries import setting_units, table_entries

        output.add(table=path, **table_entries(table), units=setting_units(table))
    if not table.dataset["valid"].values.any():
        output.finish()
        end(f"no train could be fitted: {table.reasons()[0][0]} ({path})", InputError.exit_code)
