"""The command ``ddk lab``: from a file of measured pulse trains to accuracies in one report."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Annotated, Literal

import typer

from compact.cli.options import ReadingOptions, SourceArgument, open_trains
from ddk import studies
from ddk.cli.options import (
    FolderOption,
    OverwriteOption,
    ProcessesOption,
    QuickOption,
    RootOption,
    SeedsOption,
    app,
    command,
    folder_to_make,
    seeds_of,
    task_of,
)
from ddkbase import paper
from ddkbase.cli.application import examples
from ddkbase.cli.options import option_groups
from ddkbase.cli.output import Output
from ddkbase.cli.paper import PictureOptions
from ddkbase.errors import InputError
from ddkbase.folders import claimed
from ddkbase.picture_names import PAPER, Pictures
from network import hardware

UpdateLaw = Literal["exponential", "alpha-beta", "best"]  # by which law pulses move the cells
Inputs = Literal["binary", "grey"]  # how pictures enter
Rounding = Literal["stochastic", "nearest"]  # how an update becomes a whole number of pulses


@dataclasses.dataclass(frozen=True)
class LearningOptions:
    """How the perceptrons of `lab` learn."""

    data: Annotated[
        str,
        typer.Option("--data", metavar="TASK|FOLDER", help="Pictures: digits, mnist, fashion, ..."),
    ] = "digits"
    root: RootOption = None
    seeds: SeedsOption = "3"
    law: Annotated[UpdateLaw, typer.Option("--law", help="best: that with the smaller misfit.")] = (
        "exponential"
    )
    epochs: Annotated[
        int | None,
        typer.Option("--epochs", min=1, help="Default: 20; of more than 10,000 samples 3."),
    ] = None
    hidden: Annotated[int, typer.Option("--hidden", min=1, help="Hidden units.")] = 100
    batch: Annotated[int, typer.Option("--batch", min=1, help="Samples of an update.")] = 10
    rate: Annotated[float, typer.Option("--rate", help="Of learning; it falls to 0.")] = 0.05
    rounding: Annotated[
        Rounding, typer.Option("--rounding", help="Of an update to whole pulses.")
    ] = "stochastic"
    pairs: Annotated[
        bool, typer.Option("--pairs", help="Two cells a weight, not one and a reference.")
    ] = False
    inputs: Annotated[
        Inputs | None,
        typer.Option("--inputs", help="Default: binary for 28 x 28 pixels, else grey."),
    ] = None
    whole: Annotated[
        bool, typer.Option("--whole", help="Cut no border: 784 inputs instead of 400.")
    ] = False
    tolerance: Annotated[
        float, typer.Option("--tolerance", help="Of write-and-verify, a share of the window.")
    ] = 0.01
    processes: ProcessesOption = 2
    quick: QuickOption = False


@dataclasses.dataclass(frozen=True)
class PulseOptions:
    """What the file does not say of its pulses, for the energy."""

    up_amplitude: Annotated[
        str | None, typer.Option("--up-amplitude", metavar="VOLTAGE", help="Of the up pulses.")
    ] = None
    down_amplitude: Annotated[
        str | None, typer.Option("--down-amplitude", metavar="VOLTAGE", help="Of the down pulses.")
    ] = None
    width: Annotated[str | None, typer.Option("--width", metavar="TIME", help="Of the pulses.")] = (
        None
    )
    chip: Annotated[
        str, typer.Option("--chip", metavar="NAME|FILE", help="That prices an inference.")
    ] = "180nm"


@app.command(
    epilog=examples(
        "ddk-network lab trains.csv --out runs/lab",
        "ddk-network lab ltp.csv ltd.csv --units uS --out runs/both",
        "ddk-network lab trains.xlsx --data mnist --root ~/data --out runs/mnist --json",
    )
)
@command
@option_groups
def lab(
    *,
    output: Output,
    source: SourceArgument,
    out: FolderOption,
    learning: LearningOptions,
    pulses: PulseOptions,
    reading: ReadingOptions,
    looks: PictureOptions,
    overwrite: OverwriteOption = False,
) -> None:
    """Measured up and down trains in, accuracy of a perceptron on such cells out: one report.

    Both branches are fitted; a perceptron learns on chip by bare pulses, on ideal cells, and as
    numbers that are then written and verified. Trains are cut where they turn.
    """
    path = folder_to_make(out)
    pictures, style = looks.format(), looks.style(looks.pictures or Pictures.png)
    with claimed(path):
        studies.check_lab_free(path, overwrite)
        settings = _settings(learning, pulses)
        chip = hardware.load_chip(pulses.chip)
        trains = open_trains(output, source, dataclasses.replace(reading, split=True))
        if "train" not in trains.dims or "direction" not in trains:
            raise InputError(
                "it holds no trains with directions", ", ".join(source), "Give a file of a lab"
            )
        result = studies.lab_study(trains, settings, chip=chip, progress=output.say)
        output.pairs(result.cell_texts())
        output.rows(*result.accuracy_rows(), result.pictures, right=(1, 2, 3, 4))
        for note in result.notes:
            output.line(note)
        written = studies.write_lab(result, trains, path, overwrite=overwrite)
        output.add(**studies.lab_entries(result), folder=written)
        output.note(str(written / "report.html"))
        if pictures is not None:
            makes = {"lab.png": partial(studies.lab_figure, result)}
            output.file(*paper.save_pictures(makes, written / PAPER, pictures, style))


def _settings(learning: LearningOptions, pulses: PulseOptions) -> studies.LabSettings:
    inputs = learning.inputs
    task = task_of(learning.data, learning.quick)
    data = studies.LabData(task, learning.root, inputs, learning.whole)
    training = hardware.OnChipTraining(
        hidden=learning.hidden,
        batch=learning.batch,
        rate=learning.rate,
        scheme="pairs" if learning.pairs else "reference",
        rounding=learning.rounding,
    )
    return studies.LabSettings(
        data,
        tuple(seeds_of(learning.seeds)),
        learning.law.replace("-", "/"),
        training,
        learning.epochs,
        learning.tolerance,
        pulses.up_amplitude,
        pulses.down_amplitude,
        pulses.width,
        learning.processes,
    )
