"""The command ``ddk-compact laws``: would another update law describe the trains better?"""

from __future__ import annotations

from typing import Any

from compact.cli.options import app
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
from ddkbase.cli.output import Output
from ddkbase.errors import InputError

_HEADS = ("law", "parameters", "misfit (%)", "held out (%)", "forecast (%)", "AIC", "best in")


@app.command(
    epilog=examples("ddk-compact laws lab.csv", "ddk-compact laws lab.csv --direction up --json")
)
@command(answers=True)
def laws(
    output: Output,
    source: SourceArgument,
    direction: DirectionOption = None,
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
) -> None:
    """Hold alpha/beta against other update laws on the trains of a file.

    Errors are shares of what a train spans: of the fit, of stretches held out of it, of stretches
    foretold from the pulses before. Each direction has a table of its own, the best law first.
    """
    import numpy as np

    from compact.laws.update_laws import compare_laws
    from ddkbase.cli.output import entries_of

    trains = open_trains(
        output, source, conductance=conductance, resistance=resistance, current=current,
        voltage=voltage, pulse=pulse, train=train, units=units, split=split, wide=wide,
        sheet=sheet, variable=variable, delimiter=delimiter, decimal=decimal,
    )  # fmt: skip
    if "pulse" not in trains.dims or "conductance" not in trains or "train" not in trains.dims:
        raise InputError("it holds no trains side by side", source, "Give a file of a lab")
    said = trains["direction"].values.astype(str)
    found: dict[str, Any] = {}
    for way in ("down", "up") if direction is None else (direction.value,):
        chosen = trains.isel(train=np.flatnonzero(said == way))
        if not chosen.sizes["train"]:
            continue
        ds = compare_laws(chosen)
        valid = ds["valid"].values
        for reason in ds["reason"].values[~valid]:
            output.note(f"{way}, not compared: {reason}")
        if not valid.any():
            continue
        output.rows(
            _HEADS,
            law_rows(ds),
            f"{way}, medians over trains: {int(valid.sum())}",
            right=(1, 2, 3, 4, 5),
        )
        found[way] = entries_of(ds[[n for n in ds.data_vars if ds[n].dims == ("train", "law")]])
    if not found:
        end(f"no train could be compared ({source})", InputError.exit_code)
    output.note(
        "All fit the window too, as 'fit --window free'. held out: the error that counts, of reads "
        "that the fit had not seen. AIC: less the smallest; it takes misfits for noise."
    )
    output.add(laws=found)


def law_rows(ds: Any) -> list[list[str]]:
    """Rows of texts, the law with the smallest held-out error first.

    Parameters
    ----------
    ds : xarray.Dataset
        Dataset of `compact.compare_laws`; medians are taken over its valid trains.
    """
    import numpy as np

    chosen = ds.isel(train=np.flatnonzero(ds["valid"].values))
    held = chosen["cross_validated_rmse"]
    best = held.values.argmin(axis=1)
    rows = []
    for k in np.argsort(held.median("train").values):
        one = chosen.isel(law=int(k))
        errors = [one[n].median() for n in ("rmse", "cross_validated_rmse", "forecast_rmse")]
        rows.append(
            [
                str(one["law"].item()),
                str(int(one["parameters"])),
                *(f"{100 * float(error):.2f}" for error in errors),
                f"{float(one['aic'].median()):.0f}",
                f"{np.count_nonzero(best == k)} of {len(best)}",
            ]
        )
    return rows
