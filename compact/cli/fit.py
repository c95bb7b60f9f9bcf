"""The command ``ddk-compact fit``: from pulse trains to a table."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated

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
from ddkbase.cli.options import free_path, given, option_groups
from ddkbase.cli.output import Output
from ddkbase.cli.progress import Display, State
from ddkbase.errors import InputError

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
    method: Annotated[Method, typer.Option("--method", help="How to fit.")] = Method.better,
    integrator: Annotated[
        Scheme | None,
        typer.Option("--integrator", help="Default: implicit; of the article: explicit."),
    ] = None,
    window: Annotated[
        Window,
        typer.Option(
            "--window", help="free: fitted, too; data: each train spans 0 to 1, as in the article."
        ),
    ] = Window.free,
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
            method=method.value,
            window=window.value,
            loss=loss.value,
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
