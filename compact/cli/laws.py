"""The command ``ddk-compact laws``: would another update law describe the trains better?"""

from __future__ import annotations

from typing import Any

import compact
from compact.cli.options import DirectionOption, ReadingOptions, SourceArgument, app, open_trains
from ddkbase.cli.application import command, end, examples
from ddkbase.cli.options import option_groups
from ddkbase.cli.output import Output, entries_of
from ddkbase.errors import InputError

_HEADS = ("law", "parameters", "misfit (%)", "held out (%)", "forecast (%)", "AIC", "best in")


@app.command(
    epilog=examples("ddk-compact laws lab.csv", "ddk-compact laws lab.csv --direction up --json")
)
@command(answers=True)
@option_groups
def laws(
    *,
    output: Output,
    source: SourceArgument,
    direction: DirectionOption = None,
    reading: ReadingOptions,
) -> None:
    """Hold alpha/beta against other update laws on the trains of a file.

    Errors are shares of what a train spans: of the fit, of stretches held out of it, of stretches
    foretold from the pulses before. Each direction has a table of its own, the best law first.
    """
    trains = open_trains(output, source, reading)
    if "pulse" not in trains.dims or "conductance" not in trains or "train" not in trains.dims:
        raise InputError(
            "it holds no trains side by side", ", ".join(source), "Give a file of a lab"
        )
    directions = trains["direction"].values.astype(str)
    entries: dict[str, Any] = {}
    for way in ("down", "up") if direction is None else (direction.value,):
        if not (directions == way).any():
            continue
        ds = compact.compare_laws(trains.isel(train=directions == way))
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
        entries[way] = entries_of(ds[[n for n in ds.data_vars if ds[n].dims == ("train", "law")]])
    if not entries:
        end(f"no train could be compared ({', '.join(source)})", InputError.exit_code)
    if "up" in entries:
        output.note(
            "Up trains stand upside down, for all laws: alpha/beta is Eq. (4) then, as in "
            "'fit --mirror'. Without it 'fit' and 'export' take Eq. (3), which has no ceiling."
        )
    output.note(
        "All fit the window too, as 'fit' does. held out: the error that counts, of reads "
        "that the fit had not seen. AIC: less the smallest; it takes misfits for noise."
    )
    output.add(laws=entries)


def law_rows(ds: Any) -> list[list[str]]:
    """Rows of texts, the law with the smallest held-out error first.

    Parameters
    ----------
    ds : xarray.Dataset
        Dataset of `compact.compare_laws`; medians are taken over its valid trains.
    """
    valid = ds.isel(train=ds["valid"].values)
    held = valid["cross_validated_rmse"]
    best = held.values.argmin(axis=1)
    rows = []
    for k in held.median("train").values.argsort():
        law = valid.isel(law=int(k))
        errors = [law[n].median() for n in ("rmse", "cross_validated_rmse", "forecast_rmse")]
        rows.append(
            [
                str(law["law"].item()),
                str(int(law["parameters"])),
                *(f"{100 * float(error):.2f}" for error in errors),
                f"{float(law['aic'].median()):.0f}",
                f"{(best == k).sum()} of {len(best)}",
            ]
        )
    return rows
