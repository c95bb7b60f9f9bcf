"""What the commands of ``ddk-compact`` share: the application and options.

What they share with the other command lines (ways to end, ``--quiet`` and ``--json``, paths) is in
`ddkbase.cli.application`, `ddkbase.cli.output` and `ddkbase.cli.options`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from ddkbase.cli.application import application
from ddkbase.cli.options import path_of

if TYPE_CHECKING:
    from compact.table.table import AlphaBetaTable

app = application(
    "ddk-compact",
    "Fit the compact kinetics alpha/beta to pulse trains, and use the tables.",
    "ddk-compact fit runs/campaign.zarr --out table.nc",
    "ddk-compact show table.nc",
    "ddk-compact invert table.nc --alpha 0.002 --beta 0.3",
)


class Method(StrEnum):
    """How a train is fitted."""

    better = "better"
    article = "article"


class Scheme(StrEnum):
    """How the equation is integrated."""

    explicit = "explicit"
    implicit = "implicit"
    exact = "exact"


class Window(StrEnum):
    """Where the conductance window comes from."""

    data = "data"
    free = "free"


class Loss(StrEnum):
    """How residuals count."""

    linear = "linear"
    soft_l1 = "soft_l1"
    huber = "huber"


class Direction(StrEnum):
    """Which trains are taken."""

    down = "down"
    up = "up"


class Format(StrEnum):
    """What a table is exported to."""

    verilog_a = "verilog-a"
    spice = "spice"
    csv = "csv"
    json = "json"


TableArgument = Annotated[
    str, typer.Argument(metavar="TABLE", help="File of 'fit', e.g. table.nc.")
]
OutOption = Annotated[str, typer.Option("--out", metavar="FILE", help="File to make.")]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")]
AmplitudeOption = Annotated[
    str | None, typer.Option("--amplitude", metavar="VOLTAGE", help="E.g. '-2 V'.")
]
WidthOption = Annotated[str | None, typer.Option("--width", metavar="TIME", help="E.g. '100 ns'.")]
ResistanceOption = Annotated[
    str | None, typer.Option("--initial-resistance", metavar="RESISTANCE", help="E.g. '6 kohm'.")
]


def read_table(text: str) -> AlphaBetaTable:
    """The table of a file. Raises InputError and StorageError."""
    from compact.table.table import AlphaBetaTable

    return AlphaBetaTable.read(path_of(text, "TABLE"))
