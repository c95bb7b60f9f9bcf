"""How the commands of ``ddk-compact`` read pulse trains: file, columns, what was assumed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from compact.cli.options import Direction
from ddkbase.cli.options import given, path_of
from ddkbase.errors import InputError, StorageError, similar_file

if TYPE_CHECKING:
    import xarray as xr

    from ddkbase.cli.output import Output

SourceArgument = Annotated[
    str,
    typer.Argument(
        metavar="STORE|FILE",
        help="A campaign's zarr store, pulses.nc, or a CSV, XLSX, MAT or NetCDF file.",
    ),
]
DirectionOption = Annotated[
    Direction | None, typer.Option("--direction", help="Take only these trains.")
]
ConductanceColumn = Annotated[
    str | None, typer.Option("--conductance", metavar="COLUMN", help="Of a file.")
]
ResistanceColumn = Annotated[
    str | None, typer.Option("--resistance", metavar="COLUMN", help="Of a file.")
]
CurrentColumn = Annotated[
    str | None, typer.Option("--current", metavar="COLUMN", help="Of a file.")
]
VoltageColumn = Annotated[
    str | None,
    typer.Option("--voltage", metavar="COLUMN|VOLTAGE", help="Of the read, with --current."),
]
PulseColumn = Annotated[
    str | None, typer.Option("--pulse", metavar="COLUMN", help="Pulse numbers of a file.")
]
TrainColumns = Annotated[
    list[str] | None,
    typer.Option("--train", metavar="COLUMN", help="Tells trains of a file apart. Repeatable."),
]
UnitsOption = Annotated[
    str | None,
    typer.Option("--units", metavar="UNIT", help="Of the values: 'uS', 'kohm', 'normalised'."),
]
SplitOption = Annotated[bool, typer.Option("--split", help="Cut trains of a file where they turn.")]
WideOption = Annotated[
    bool | None, typer.Option("--wide/--long", help="Each column is a train, or one holds all.")
]
SheetOption = Annotated[
    str | None, typer.Option("--sheet", metavar="NAME|NUMBER", help="Of an XLSX file.")
]
VariableOption = Annotated[
    str | None, typer.Option("--variable", metavar="NAME", help="Of a MAT, NPZ or NetCDF file.")
]
DelimiterOption = Annotated[
    str | None, typer.Option("--delimiter", metavar="SIGN", help="Between the cells of a text.")
]
DecimalOption = Annotated[
    str | None, typer.Option("--decimal", metavar="SIGN", help="Of the numbers of a text.")
]

_SHOWN = 12  # assumptions on the screen; all of them are in the document


def open_trains(
    output: Output,
    source: str,
    *,
    train: list[str] | None = None,
    split: bool = False,
    sheet: str | None = None,
    delimiter: str | None = None,
    **columns: Any,
) -> xr.Dataset:
    """Open a source, and tell what was taken for what in a file.

    Parameters
    ----------
    output : Output
        Gets the assumptions.
    source : str
        A campaign's store, or a file.
    train : list of str or None, optional
        As for the options.
    split : bool, default False
        As for the options.
    sheet, delimiter : str or None, optional
        As for the options.
    **columns : dict, optional
        The other options; those that are None are left out.

    Raises
    ------
    InputError
        As `compact.table.source.open_source`.
    StorageError
        As `compact.table.source.open_source`.
    """
    from compact.table.source import open_source

    chosen = given(**columns)
    if sheet is not None:
        chosen["sheet"] = int(sheet) if sheet.isdigit() else sheet
    if delimiter is not None:
        chosen["delimiter"] = {"\\t": "\t", "tab": "\t"}.get(delimiter, delimiter)
    if train:
        chosen["train"] = train
    if split:
        chosen["direction"] = "split"
    where = path_of(source, "STORE|FILE")
    if not where.exists():
        raise StorageError("there is no such file or folder", str(where), similar_file(where))
    if where.is_dir() and chosen:
        raise InputError("a store has no columns to choose", ", ".join(f"--{c}" for c in chosen))
    trains = open_source(where, **chosen)
    assumed = str(trains.attrs.get("assumptions", "")).splitlines()
    if assumed:
        output.note("how the file was read:")
    for line in assumed[:_SHOWN]:
        output.note("  " + line.replace("pass units='uS'", "pass --units uS"))
    if len(assumed) > _SHOWN:
        output.note(f"  and {len(assumed) - _SHOWN} more, see --json")
    output.add(assumptions=assumed)
    return trains
