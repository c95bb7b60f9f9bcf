"""Commands of ``ddk-network`` for hardware: compile, simulate, cost, harden, study."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from devicephys.errors import InputError
from network.cli_base import (
    FolderOption,
    OverwriteOption,
    QuickOption,
    RootOption,
    SeedsOption,
    TableOption,
    app,
    command,
    names_of,
    path_of,
    print_pairs,
    print_rows,
    read_table,
    say,
    seeds_of,
    task_of,
)

if TYPE_CHECKING:
    from network.model import Network

ModelArgument = Annotated[
    str, typer.Argument(metavar="MODEL", help="Folder of 'train', or a model.npz.")
]
ChipOption = Annotated[
    str, typer.Option("--chip", metavar="NAME|FILE", help="180nm, 130nm, 32nm, or a YAML file.")
]
LayoutOption = Annotated[str, typer.Option("--layout", help="separate, packed, joined or compact.")]
TaskOption = Annotated[str, typer.Option("--task", metavar="TASK|FOLDER", help="A named task.")]


@app.command("compile")
@command
def compile_(
    model: ModelArgument,
    out: FolderOption,
    chip: ChipOption = "180nm",
    layout: LayoutOption = "separate",
    table: TableOption = None,
    largest_weight: Annotated[
        float | None, typer.Option("--largest-weight", help="Weight at the end of the window.")
    ] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Place a trained network on a chip: placement.json, placement.png, pulses.csv in DIR."""
    from network.hardware.chip import load_chip
    from network.hardware.compiler import compile_network, placement_cost
    from network.hardware.cost import cost_rows, writing
    from network.hardware.loads import network_loads
    from network.hardware.placement_folder import check_free, write_folder

    path = path_of(out, "--out")
    check_free(path, overwrite)
    network = _network(model)
    found = compile_network(
        network,
        load_chip(chip),
        layout=layout,
        largest_weight=largest_weight,
        table=None if table is None else read_table(table),
    )
    whole = placement_cost(found)
    print_rows(*cost_rows(whole), title=f"{found.chip.title}, layout '{layout}'")
    energy, seconds = writing(network_loads(network), found.chip)
    from devicephys.units import format_si

    print_pairs(
        {
            "tiles": f"{found.tiles} of {found.chip.count('tiles')}",
            "writing once": f"{format_si(energy, 'J', 3)}, {format_si(seconds, 's', 3)} row by row",
        }
    )
    typer.echo(str(write_folder(found, path, overwrite)))


@app.command()
@command
def simulate(
    placement: Annotated[str, typer.Argument(metavar="FILE", help="placement.json of 'compile'.")],
    root: RootOption = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Compare with the network it came from.")
    ] = None,
    chips: Annotated[
        int, typer.Option("--chips", min=0, help="Imprecise chips to run it on as well.")
    ] = 3,
) -> None:
    """Run a compiled network from its placement file alone, on the test part of its task."""
    import numpy as np

    from network.folds import Material
    from network.hardware.placement import read_placement

    found = read_placement(path_of(placement, "FILE"))
    network = found.network()
    task, seed = found.notes.get("task"), int(found.notes.get("seed", 0))
    if not isinstance(task, str):
        raise InputError("it does not say of which task it is", placement, "Train by 'train'")
    fold = next(iter(Material(task_of(task, False), root).folds(seed)))
    x, y = fold.test.x, fold.test.y
    answers = network.predict(x)
    pairs = {"accuracy, from the cells": f"{100 * np.mean(answers == y):.2f} % of {len(y)}"}
    if model is not None:
        same = answers == _network(model).predict(x)
        pairs["same predictions as the model"] = f"{int(same.sum())} of {len(y)}"
    if chips:
        right = []
        for number in range(chips):
            rng = np.random.default_rng([number, 5])
            chip = found.realise(number)
            right.append(100 * float(np.mean(network.predict(x, realise=chip, rng=rng) == y)))
        pairs[f"accuracy on {chips} imprecise chips"] = f"{np.mean(right):.2f} %"
    print_pairs(pairs)


@app.command()
@command
def cost(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL", help="Folder of 'train', model.npz, or samplecnn, lenet5, c3d, ..."
        ),
    ] = None,
    chip: ChipOption = "180nm",
    layout: LayoutOption = "separate",
    show: Annotated[
        bool, typer.Option("--show", help="Print every number of the chip with its source.")
    ] = False,
    article: Annotated[
        bool, typer.Option("--article", help="Print the article's figures beside this chip's.")
    ] = False,
) -> None:
    """Energy, latency, area and TOPS/W of one inference on a chip."""
    from network.hardware.article_figures import article_figures, ratio_rows
    from network.hardware.chip import load_chip
    from network.hardware.cost import cost as cost_of
    from network.hardware.cost import cost_rows
    from network.hardware.loads import COMPARED, compared_loads, network_loads

    described = load_chip(chip)
    if model is None and not show and not article:
        raise InputError("nothing is asked for", "MODEL", "Name a model, or --show, or --article")
    if show:
        print_rows(["entry", "value", "what it is", "source"], described.rows(), described.title)
    if article:
        rows = [
            [f.what, f.of, f.article, f.here, f.follows, f.because]
            for f in article_figures(described)
        ]
        heads = ["figure", "of one", "article", "here", "follows", "what decides it"]
        print_rows(heads, rows, described.title)
        print_rows(*ratio_rows(described), title="Whole inferences on the same chip")
    if model is not None:
        loads = compared_loads(model) if model in COMPARED else network_loads(_network(model))
        found = cost_of(loads, described, layout=layout)
        print_rows(*cost_rows(found), title=f"{described.title}, layout '{layout}'")


@app.command()
@command
def harden(
    task: TaskOption,
    out: FolderOption,
    kind: Annotated[
        str, typer.Option("--kind", help="modes, noise, quantisation or stuck.")
    ] = "modes",
    seeds: SeedsOption = "10",
    cases: Annotated[
        str | None, typer.Option("--cases", metavar="LIST", help="Those that begin so only.")
    ] = None,
    model: Annotated[str, typer.Option("--model", help="Of 'compare'.")] = "ddk",
    chip: Annotated[
        str | None,
        typer.Option("--chip", metavar="NAME|FILE", help="Its imprecision; default: the article's"),
    ] = None,
    root: RootOption = None,
    quick: QuickOption = False,
) -> None:
    """Train for imprecise hardware by every mode, over noise, bits or failed cells.

    Every finished number is kept in DIR. Started again with the same DIR, only what is missing is
    run.
    """
    from network.hardware.chip import load_chip
    from network.hardware_runs import KINDS, run, table_rows
    from network.plots_hardware import bars_figure, save
    from network.result_store import write_json

    folder = path_of(out, "--out")
    if kind not in KINDS:
        raise InputError(f"there is nothing called '{kind}'", "--kind", f"Use {', '.join(KINDS)}")
    found = run(
        kind,
        task_of(task, quick),
        seeds_of(seeds),
        folder,
        model=model,
        hardware=None if chip is None else load_chip(chip).hardware(),
        root=root,
        only=names_of(cases, "--cases"),
        progress=say,
    )
    heads, rows = table_rows(found)
    print_rows(heads, rows, f"{task}, {kind}")
    table: dict[str, Any] = {"heads": heads, "rows": rows}
    write_json(table, folder / "table.json", overwrite=True)
    if kind == "modes":
        save(bars_figure(found), folder / "bars.png", True)


@app.command()
@command
def study(
    parameter: Annotated[
        str,
        typer.Argument(
            metavar="PARAMETER",
            help="thickness, activation-energy, filament-radius, pulse-width, or a dotted path.",
        ),
    ],
    values: Annotated[str, typer.Argument(metavar="VALUES", help="E.g. '7 nm,9 nm,11 nm'.")],
    task: TaskOption,
    out: FolderOption,
    seeds: SeedsOption = "1",
    devices: Annotated[int, typer.Option("--devices", min=1, help="Cells drawn a value.")] = 4,
    pulses: Annotated[int, typer.Option("--pulses", min=2, help="Of each train.")] = 50,
    resistance: Annotated[
        str, typer.Option("--initial-resistance", help="That trains start from.")
    ] = "10 kohm",
    preset: Annotated[str, typer.Option("--preset", help="quick, default or fine.")] = "quick",
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes; default: one a core.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option("--scheduler", help="Address of a Dask scheduler instead.")
    ] = None,
    root: RootOption = None,
    quick: QuickOption = False,
) -> None:
    """Vary a parameter of the simulated cell and draw accuracy, energy and yield against it.

    Pulse trains are simulated by finite elements on Dask, alpha and beta fitted, and a network is
    trained where that cell can put it. Goes on where it was stopped.
    """
    from devicephys.records import write_bytes
    from network.device_study import Plan
    from network.device_study import study as run
    from network.plots_hardware import save, study_figure

    folder = path_of(out, "--out")
    found = run(
        parameter,
        names_of(values, "VALUES") or [],
        task_of(task, quick),
        folder,
        seeds=seeds_of(seeds),
        plan=Plan(devices=devices, pulses=pulses, preset=preset, initial_resistance=resistance),
        root=root,
        workers=workers,
        scheduler=scheduler,
        progress=say,
    )
    frame = found.drop_vars(["text", "reason"]).to_dataframe()
    write_bytes(folder / "study.csv", frame.to_csv().encode("utf-8"), True)
    typer.echo(str(save(study_figure(found), folder / "study.png", True)))


def _network(text: str) -> Network:
    """The network of a folder of 'train' or of a file, with its notes."""
    from network.persistence import load_network
    from network.result_folder import MODEL

    path = path_of(text, "MODEL")
    return load_network(path / MODEL if Path(path).is_dir() else path)
