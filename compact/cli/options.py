"""What the commands of ``ddk-compact`` share: the application and options.

What they share with the other command lines (ways to end, ``--quiet`` and ``--json``, paths) is in
`ddkbase.cli.application`, `ddkbase.cli.output` and `ddkbase.cli.options`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

import compact
from ddkbase.cli.application import application
from ddkbase.cli.options import given, path_of
from ddkbase.errors import InputError, StorageError, similar_file

if TYPE_CHECKING:
    import xarray as xr

    from ddkbase.cli.output import Output

app = application(
    "ddk-compact",
    "Fit the compact kinetics alpha/beta to pulse trains, and use the tables.",
    "ddk-compact fit runs/campaign.zarr --out table.nc",
    "ddk-compact show table.nc",
    "ddk-compact invert table.nc --alpha 0.002 --beta 0.3",
)


Method = Literal["better", "article"]  # how a train is fitted
Scheme = Literal["explicit", "implicit", "exact"]  # how the equation is integrated
Window = Literal["data", "free"]  # where the conductance window comes from
Loss = Literal["linear", "soft_l1", "huber"]  # how residuals count
Direction = Literal["down", "up"]  # which trains are taken
# what a table is exported to
Format = Literal["verilog-a", "spice", "csv", "json", "aihwkit", "crosssim", "neurosim"]


TableArgument = Annotated[
    str, typer.Argument(metavar="TABLE", help="File of 'fit', e.g. table.nc.")
]
OutOption = Annotated[str, typer.Option("--out", metavar="FILE", help="File to make.")]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")]
AmplitudeOption = Annotated[
    str | None, typer.Option("--amplitude", metavar="VOLTAGE", help="Of the pulses, e.g. '-2 V'.")
]
WidthOption = Annotated[
    str | None, typer.Option("--width", metavar="TIME", help="Of the pulses, e.g. '100 ns'.")
]
ResistanceOption = Annotated[
    str | None,
    typer.Option(
        "--initial-resistance", metavar="RESISTANCE", help="Before the first, e.g. '6 kohm'."
    ),
]


SourceArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="STORE|FILE...",
        help="A campaign's zarr store, pulses.nc, or CSV, XLSX, MAT or NetCDF files, or a folder.",
    ),
]
DirectionOption = Annotated[
    Direction | None, typer.Option("--direction", help="Take only these trains.")
]

_SHOWN = 12  # assumptions on the screen; all of them are in the document
_LARGE = 5_000_000  # bytes from which it is said that a file is being read


@dataclasses.dataclass(frozen=True)
class ReadingOptions:
    """How a file of a laboratory is read: the options of every command that opens pulse trains.

    They are the arguments of the same names of `compact.read_pulses`.
    """

    conductance: Annotated[
        str | None, typer.Option("--conductance", metavar="COLUMN", help="Of a file.")
    ] = None
    resistance: Annotated[
        str | None, typer.Option("--resistance", metavar="COLUMN", help="Of a file.")
    ] = None
    current: Annotated[
        str | None, typer.Option("--current", metavar="COLUMN", help="Of a file.")
    ] = None
    voltage: Annotated[
        str | None,
        typer.Option("--voltage", metavar="COLUMN|VOLTAGE", help="Of the read, with --current."),
    ] = None
    pulse: Annotated[
        str | None, typer.Option("--pulse", metavar="COLUMN", help="Pulse numbers of a file.")
    ] = None
    train: Annotated[
        list[str] | None,
        typer.Option("--train", metavar="COLUMN", help="Tells trains of a file apart. Repeatable."),
    ] = None
    units: Annotated[
        str | None,
        typer.Option("--units", metavar="UNIT", help="Of the values: 'uS', 'kohm', 'normalised'."),
    ] = None
    split: Annotated[
        bool, typer.Option("--split", help="Cut trains of a file where they turn.")
    ] = False
    wide: Annotated[
        bool | None,
        typer.Option("--wide/--long", help="Each column is a train, or one holds all."),
    ] = None
    sheet: Annotated[
        str | None, typer.Option("--sheet", metavar="NAME|NUMBER", help="Of a workbook.")
    ] = None
    variable: Annotated[
        str | None,
        typer.Option("--variable", metavar="NAME", help="Of a MAT, NPZ or NetCDF file."),
    ] = None
    delimiter: Annotated[
        str | None,
        typer.Option("--delimiter", metavar="SIGN", help="Between the cells of a text."),
    ] = None
    decimal: Annotated[
        str | None, typer.Option("--decimal", metavar="SIGN", help="Of the numbers of a text.")
    ] = None
    encoding: Annotated[
        str | None,
        typer.Option("--encoding", metavar="NAME", help="Of a text, e.g. gb18030 or shift_jis."),
    ] = None

    def arguments(self) -> dict[str, Any]:
        """Those that were given, as arguments of `compact.read_pulses`.

        Raises InputError: an empty text.
        """
        values = dataclasses.asdict(self)
        train, split = values.pop("train"), values.pop("split")
        sheet, delimiter = values.pop("sheet"), values.pop("delimiter")
        options = given(**values)
        if sheet is not None:
            options["sheet"] = int(sheet) if sheet.isdigit() else sheet
        if delimiter is not None:
            options["delimiter"] = {"\\t": "\t", "tab": "\t"}.get(delimiter, delimiter)
        if train:
            options["train"] = train
        if split:
            options["direction"] = "split"
        return options


def open_trains(output: Output, source: Sequence[str], reading: ReadingOptions) -> xr.Dataset:
    """Open a campaign's store, a folder or files, and print what was taken for what in it.

    Raises InputError and StorageError as `compact.table.open_source`.
    """
    options = reading.arguments()
    places = [path_of(one, "STORE|FILE") for one in source]
    for where in places:
        if not where.exists():
            raise StorageError("there is no such file or folder", str(where), similar_file(where))
    if (places[0] / "zarr.json").exists() and options:
        raise InputError("a store has no columns to choose", ", ".join(f"--{c}" for c in options))
    size = sum(where.stat().st_size for where in places if where.is_file())
    if size > _LARGE:
        output.say(f"reading {', '.join(map(str, places))} ({size / 1e6:.0f} MB)")
    trains = compact.table.open_source(places, **options)
    assumptions = str(trains.attrs.get("assumptions", "")).splitlines()
    if assumptions:
        output.note("how the file was read:")
    for line in assumptions[:_SHOWN]:
        output.note("  " + _in_options(line))
    if len(assumptions) > _SHOWN:
        output.note(f"  and {len(assumptions) - _SHOWN} more, see --json")
    output.add(assumptions=assumptions)
    return trains


def _in_options(line: str) -> str:
    """A remark of `compact.read_pulses` in the words of the command line."""
    line = re.sub(r"pass (\w+)='([^']*)'", r"pass --\1 '\2'", line)
    return re.sub(r"pass (\w+)=\.\.\.", r"pass --\1", line)


def read_table(text: str) -> compact.AlphaBetaTable:
    """The table of a file or of the library. Raises InputError and StorageError."""
    return compact.load_table(str(path_of(text, "TABLE")))
