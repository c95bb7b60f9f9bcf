"""Commands that fit: trains to a table, other update laws, single pulses of many settings."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

import compact
from compact.cli.options import (
    AmplitudeOption,
    DirectionOption,
    Loss,
    Method,
    OutOption,
    OverwriteOption,
    ReadingOptions,
    ResistanceOption,
    Scheme,
    SourceArgument,
    WidthOption,
    Window,
    app,
    open_trains,
)
from ddkbase.cli.application import command, end, examples
from ddkbase.cli.options import free_path, given, option_groups, path_of
from ddkbase.cli.output import Output, entries_of
from ddkbase.cli.progress import Display, State
from ddkbase.errors import InputError
from ddkbase.files import write_bytes

if TYPE_CHECKING:
    import xarray as xr


_LONG = 200_000  # reads from which it is said how far a fit is


@app.command(
    epilog=examples(
        "ddk-compact fit runs/campaign.zarr --out table.nc",
        "ddk-compact fit lab.csv --direction down --amplitude '-2 V' --out down.nc",
        "ddk-compact fit lab.xlsx --sheet 2 --pulse N --conductance G --units uS --out lab.nc",
        "ddk-compact fit runs/campaign.zarr --out table.nc --json",
    )
)
@command
@option_groups
def fit(
    *,
    output: Output,
    source: SourceArgument,
    out: OutOption,
    method: Annotated[Method, typer.Option("--method", help="How to fit.")] = "better",
    integrator: Annotated[
        Scheme | None,
        typer.Option("--integrator", help="Default: implicit; of the article: explicit."),
    ] = None,
    window: Annotated[
        Window,
        typer.Option(
            "--window", help="free: fitted, too; data: each train spans 0 to 1, as in the article."
        ),
    ] = "free",
    loss: Annotated[Loss, typer.Option("--loss", help="The last two forgive outliers.")] = (
        "linear"
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
    reading: ReadingOptions,
    overwrite: OverwriteOption = False,
) -> None:
    """Fit all pulse trains of a campaign or of a file; write the table.

    Amplitude, width and initial resistance are for files that do not say them.
    """
    path = free_path(out, overwrite, *source)
    trains = open_trains(output, source, reading)
    setting = given(
        amplitude=amplitude, width=width, initial_resistance=initial_resistance,
        direction=direction, integrator=integrator,
    )  # fmt: skip
    with _shown(output, trains) as progress:
        table = compact.AlphaBetaTable.fit(
            trains,
            progress=progress,
            method=method,
            window=window,
            loss=loss,
            seed=seed,
            mirror=mirror,
            skip_missing=skip_missing,
            **setting,
        )
    table.write(path, overwrite=overwrite)
    for text, count in table.notes():
        if text.startswith("it saturates"):
            output.note(
                f"{count} of {int(table.dataset['valid'].sum())} trains that go up saturate, which "
                "Eq. (3) cannot follow: --mirror fits the mirrored law, Eq. (4) upside down"
            )
    output.pairs({**table.figures(), "table": str(path)})
    output.rows(
        *compact.table.mean_rows(table.means),
        "alpha and beta: means and halves of the 95 % bands",
    )
    for text, count in table.notes():
        output.line(f"not determined: {count} trains: {text}")
    for text, count in table.reasons():
        output.line(f"not valid: {count} trains: {text}")
    if output.as_json:
        output.add(
            table=path,
            **compact.table.table_entries(table.dataset),
            units=compact.table.setting_units(table.dataset),
        )
    if not table.dataset["valid"].values.any():
        output.finish()
        end(f"no train could be fitted: {table.reasons()[0][0]} ({path})", InputError.exit_code)


@contextlib.contextmanager
def _shown(output: Output, trains: xr.Dataset) -> Iterator[Callable[[int, int], None] | None]:
    """What shows how far a fit is that takes more than a few seconds."""
    reads = trains["conductance"].size
    if reads < _LONG:
        yield None
        return
    length = trains.sizes["pulse"]
    output.say(f"fitting {reads // length} trains of up to {length} pulses")
    with Display(output.console(), "fitting") as display:

        def progress(done: int, number: int) -> None:
            said = f"{done} of {number} trains fitted"
            display(State(done / number, said, said))

        yield progress


_LAW_HEADS = ("law", "parameters", "misfit (%)", "held out (%)", "forecast (%)", "AIC", "best in")


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
    for way in ("down", "up") if direction is None else (direction,):
        if not (directions == way).any():
            continue
        ds = compact.compare_laws(trains.isel(train=directions == way))
        valid = ds["valid"].values
        for reason in ds["reason"].values[~valid]:
            output.note(f"{way}, not compared: {reason}")
        if not valid.any():
            continue
        output.rows(
            _LAW_HEADS,
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


_Key = typer.Option(metavar="COLUMN", help="Its heading or number.")
_SETTING_HEADS = (
    "amplitude", "width", "pulses", "way", "alpha", "+-", "beta", "+-", "explained (%)", "note",
)  # fmt: skip


@app.command(
    epilog=examples(
        "ddk-compact updates staircase.csv",
        "ddk-compact updates pulses.txt --before 5 --after 6 --amplitude 3 --width 2 --units ohm"
        " --amplitude-units V --width-units ns --out updates.csv",
    )
)
@command(answers=True)
def updates(
    output: Output,
    source: Annotated[str, typer.Argument(metavar="FILE", help="A row a pulse, or trains.")],
    before: Annotated[str | None, _Key] = None,
    after: Annotated[str | None, _Key] = None,
    amplitude: Annotated[str | None, _Key] = None,
    width: Annotated[str | None, _Key] = None,
    units: Annotated[
        str | None, typer.Option(metavar="UNIT", help="Of the reads: 'uS', 'kohm'.")
    ] = None,
    amplitude_units: Annotated[str | None, typer.Option(metavar="UNIT", help="E.g. 'V'.")] = None,
    width_units: Annotated[str | None, typer.Option(metavar="UNIT", help="E.g. 'ns'.")] = None,
    conductance_min: Annotated[
        str | None, typer.Option(metavar="CONDUCTANCE", help="Of the window; else fitted.")
    ] = None,
    conductance_max: Annotated[
        str | None, typer.Option(metavar="CONDUCTANCE", help="Of the window; else the largest.")
    ] = None,
    amplitude_step: Annotated[
        str | None, typer.Option(metavar="VOLTAGE", help="Pool amplitudes by steps of this.")
    ] = None,
    encoding: Annotated[str | None, typer.Option(metavar="NAME", help="Of a text.")] = None,
    out: Annotated[str | None, typer.Option(metavar="FILE", help="CSV file to make.")] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Fit alpha and beta of single pulses whose amplitude and width may differ.

    Pairs of reads before and after each pulse, by columns or from pulse to pulse of a train.
    """
    path = None if out is None else free_path(out, overwrite, source)
    pairs = compact.read_updates(
        path_of(source, "FILE"),
        **given(
            before=before,
            after=after,
            amplitude=amplitude,
            width=width,
            units=units,
            amplitude_units=amplitude_units,
            width_units=width_units,
            encoding=encoding,
        ),
    )
    for line in pairs.attrs["assumptions"].splitlines():
        output.note(line)
    window = given(conductance_min=conductance_min, conductance_max=conductance_max)
    fitted = compact.fit_updates(pairs, **window, **given(amplitude_step=amplitude_step))
    rows, entries = compact.table.update_rows(fitted)
    low, high = (1e6 * float(fitted.attrs[f"conductance_{end}"]) for end in ("min", "max"))
    output.rows(
        _SETTING_HEADS, rows, f"window {low:.4g} to {high:.4g} uS ({fitted.attrs['window']})"
    )
    output.add(
        settings=entries,
        conductance_min=float(fitted.attrs["conductance_min"]),
        conductance_max=float(fitted.attrs["conductance_max"]),
    )
    if path is not None:
        _write(entries, path, overwrite)
        output.file(path)
    if not fitted["determined"].values.any():
        output.finish()
        end(f"no setting determines alpha and beta ({source})", InputError.exit_code)


def _write(entries: list[dict[str, Any]], path: Any, overwrite: bool) -> None:
    lines = [",".join(entries[0])]
    for entry in entries:
        values = (f'"{v}"' if isinstance(v, str) else repr(v) for v in entry.values())
        lines.append(",".join(values))
    write_bytes(path, ("\n".join(lines) + "\n").encode(), overwrite)
