"""The command ``ddk-compact updates``: alpha and beta of single pulses of many settings."""

from __future__ import annotations

from typing import Annotated, Any

import typer

import compact
from compact.cli.options import OverwriteOption, app
from ddkbase.cli.application import command, end, examples
from ddkbase.cli.options import free_path, given, path_of
from ddkbase.cli.output import Output
from ddkbase.errors import InputError
from ddkbase.files import write_bytes

_Key = typer.Option(metavar="COLUMN", help="Its heading or number.")
_HEADS = (
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
    output.rows(_HEADS, rows, f"window {low:.4g} to {high:.4g} uS ({fitted.attrs['window']})")
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
