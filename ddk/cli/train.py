"""The commands of ``ddk-network``: train, evaluate, and those that other modules add.

What all commands share is in `ddk.cli.options`. Whatever takes time to import is imported inside
the commands, so that ``--help`` is quick.
"""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

import network.ddk
from ddk import studies
from ddk.cli.options import (
    BanksOption,
    Constraint,
    DataOption,
    FolderOption,
    Integrator,
    OverwriteOption,
    Per,
    QuickOption,
    ReadoutOption,
    RootOption,
    SeedOption,
    SeriesOptions,
    StatesOption,
    TableOption,
    app,
    command,
    folder_to_make,
    names_of,
    read_table,
    readout_of,
    task_of,
)
from ddkbase import paper
from ddkbase.cli.application import examples
from ddkbase.cli.options import given, option_groups, path_of
from ddkbase.cli.output import Output
from ddkbase.cli.paper import PictureOptions
from ddkbase.errors import InputError
from ddkbase.folders import claimed
from ddkbase.picture_names import PAPER

__all__ = ["app"]


@app.command(
    epilog=examples(
        "ddk-network train --data digits --out runs/net",
        "ddk-network train --data digits --table table.nc --seed 3 --out runs/cell",
        "ddk-network train --data mine.csv --label species --group plant --out runs/mine",
        "ddk-network train --data mnist --root ~/data --model raw --out runs/raw",
        "ddk-network train --data digits --quick --out runs/quick --json > quick.json",
        "ddk-network train --data digits --out runs/column --figure-width '85 mm' --pictures pdf",
    )
)
@command
@option_groups
def train(
    output: Output,
    data: DataOption,
    out: FolderOption,
    model: Annotated[
        str, typer.Option("--model", help="ddk, a control (raw, leaky, ...) or a baseline.")
    ] = "ddk",
    seed: SeedOption = 0,
    root: RootOption = None,
    table: TableOption = None,
    device: Annotated[
        str | None,
        typer.Option(
            "--device",
            metavar="simulated",
            help="Simulate pulse trains of the shipped cell and fit the table from them.",
        ),
    ] = None,
    integrator: Annotated[
        Integrator | None, typer.Option("--integrator", help="Default: implicit.")
    ] = None,
    constraint: Annotated[
        Constraint | None, typer.Option("--constraint", help="Default: positive.")
    ] = None,
    per: Annotated[Per | None, typer.Option("--per", help="What has a pair of its own.")] = None,
    banks: BanksOption = None,
    readout: ReadoutOption = None,
    states: StatesOption = "after",
    hidden: Annotated[
        str | None, typer.Option("--hidden", metavar="LIST", help="Widths, e.g. '48' or '128,128'.")
    ] = None,
    epochs: Annotated[int | None, typer.Option("--epochs", help="Passes; the last counts.")] = None,
    mode: Annotated[
        str | None,
        typer.Option("--mode", help="For hardware: imprecision-based, hybrid, hybrid-arrays, ..."),
    ] = None,
    chip: Annotated[
        str | None,
        typer.Option("--chip", metavar="NAME|FILE", help="Of --mode; default: the article's."),
    ] = None,
    quick: QuickOption = False,
    overwrite: OverwriteOption = False,
    *,
    series: SeriesOptions,
    looks: PictureOptions,
) -> None:
    """Train one network, test it after the last epoch, write model, metrics and report.

    With a table, alpha and beta are kept where pulses of its cell can put them. With a mode, the
    network is trained for imprecise hardware; what the chip makes of it is said besides. With
    --pictures or an option for papers, the pictures of the report are files, too, in DIR/paper.
    """
    from ddk.cli.entries import result_entries  # start-up

    path = folder_to_make(out)
    style, pictures = looks.style(), looks.format()
    with claimed(path):
        studies.check_free(path, overwrite)
        options = given(integrator=integrator, constraint=constraint, per=per, banks=banks)
        if readout is not None:
            options["readout"] = readout_of(readout)
        _check_device(device, table, model, options)
        if mode is not None:
            studies.check_mode(mode, model)
        elif chip is not None:
            raise InputError("a chip is for training in a mode", "--chip", "Give --mode as well")
        cells = read_table(table) if table is not None else None
        # what needs gradients keeps the classifier that has them
        by_ridge = epochs is None and hidden is None and mode is None
        task = task_of(data, quick, states, once=by_ridge and readout == "last", series=series)
        if epochs is not None:
            task = task.with_epochs(epochs)
        if hidden is not None:
            task = dataclasses.replace(task, hidden=_widths(hidden))
        _check_layer_options(model, options)
        if task.name not in studies.TASKS:
            output.say(task.protocol)
        if device is not None:
            cells = studies.simulated_table(progress=output.say)
        more: dict[str, str] = {}
        if cells is not None:
            options["constraint"] = network.ddk.Reachable(cells)
        if mode is None:
            result = studies.run(task, model, seed, root=root, options=options, progress=output.say)
        else:
            result, more = studies.run_in_mode(
                task,
                model,
                seed,
                mode,
                hardware=studies.hardware_of(chip, cells),
                table=cells,
                root=root,
                options=options,
                progress=output.say,
            )
        if cells is not None:
            more |= studies.pulse_settings(cells, result)
        output.pairs({**result.texts(), **more})
        written = studies.write_run(
            task, result, path, overwrite=overwrite, more=more, table=cells if device else None
        )
        output.add(**result_entries(result), folder=written, units={"seconds": "s"})
        output.note(str(written))
        if pictures is not None:
            makes = studies.run_pictures(result)
            output.file(*paper.save_pictures(makes, written / PAPER, pictures, style))


@app.command(
    epilog=examples(
        "ddk-network evaluate runs/net",
        "ddk-network evaluate runs/net --table table.nc --draws 20 --json",
    )
)
@command(answers=True)
def evaluate(
    output: Output,
    model: Annotated[str, typer.Argument(metavar="DIR", help="Folder of 'train'.")],
    root: RootOption = None,
    table: TableOption = None,
    draws: Annotated[
        int, typer.Option("--draws", min=1, help="Devices drawn from the table.")
    ] = 10,
    seed: SeedOption = 0,
) -> None:
    """Test a trained network again; with a table, on devices that scatter as its cells do.

    On devices it is tested as it is, and with the statistics of its features taken anew on each
    device, which needs no labels.
    """
    from ddk.cli.entries import device_entries  # start-up

    stored = studies.read_run(path_of(model, "DIR", "folder"))
    cells = read_table(table) if table is not None else None
    evaluation = studies.evaluate(stored, root)
    pairs = evaluation.texts()
    output.add(
        task=stored.task.name,
        model=stored.result.model,
        seed=stored.result.seed,
        accuracy=evaluation.accuracy,
        as_trained=evaluation.same,
        held_out=evaluation.fold.held_out,
    )
    if cells is not None:
        drawn = studies.evaluate_on_devices(stored, evaluation.fold, cells, draws, seed)
        pairs |= drawn.texts()
        output.add(on_devices=device_entries(drawn))
    output.pairs(pairs)


def _check_device(
    device: str | None, table: str | None, model: str, options: dict[str, object]
) -> None:
    if device is not None and device != "simulated":
        raise InputError(f"there is no device '{device}'", "--device", "Write 'simulated'")
    if device is not None and table is not None:
        raise InputError("a table is given already", "--device, --table", "Leave one out")
    if device is None and table is None:
        return
    where = "--table" if table is not None else "--device"
    if not model.startswith("ddk"):
        raise InputError(f"model '{model}' has no DDK layer", where, "Leave it out")
    if "constraint" in options:
        raise InputError(
            "the table says what is allowed", f"{where}, --constraint", "Leave one out"
        )


#: options that baselines of the same size have as well
_OF_CONTROLS = ("per", "banks", "readout")


def _check_layer_options(model: str, options: dict[str, object]) -> None:
    if model.startswith("ddk"):
        return
    of_ddk = [name for name in options if name not in _OF_CONTROLS]
    if of_ddk:
        names = ", ".join(f"--{n}" for n in of_ddk)
        raise InputError(f"model '{model}' has no DDK layer", names, "Leave it out")
    if options and not studies.get_model(model).trains_here:
        names = ", ".join(f"--{n}" for n in options)
        raise InputError(f"model '{model}' has a structure of its own", names, "Leave it out")


def _widths(text: str) -> tuple[int, ...]:
    widths = []
    for name in names_of(text, "--hidden") or []:
        if not (name.isascii() and name.isdigit() and 0 < len(name) < 6 and int(name)):
            raise InputError(f"'{name}' is no width", "--hidden", "Write e.g. '48' or '128,128'")
        widths.append(int(name))
    return tuple(widths)
