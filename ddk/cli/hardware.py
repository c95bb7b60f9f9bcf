"""Commands of ``ddk-network`` for chips: compile, simulate, cost."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ddk import article as article_data
from ddk import studies
from ddk.cli.options import (
    FolderOption,
    OverwriteOption,
    PicturesOption,
    RootOption,
    TableOption,
    app,
    command,
    folder_to_make,
    read_table,
    task_of,
)
from ddkbase import paper
from ddkbase.cli.application import examples
from ddkbase.cli.options import option_groups, path_of
from ddkbase.cli.output import Output
from ddkbase.cli.paper import PaperOptions
from ddkbase.errors import InputError, StorageError, closest
from ddkbase.folders import claimed
from ddkbase.picture_names import PAPER, Pictures
from network import hardware, plots

FIGURE_KEYS = ("figure", "of_one", "article", "here", "follows", "because")
PAIR_KEYS = (
    *("layer", "pair", "alpha", "beta", "way", "miss"),
    *("error_exact_products", "error_chip", "spread"),
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ddk.studies.folds import Fold
    from network.hardware.chip.placement import Placement
    from network.model.network import Network

ModelArgument = Annotated[
    str, typer.Argument(metavar="MODEL", help="Folder of 'train', or a model.npz.")
]
ChipOption = Annotated[
    str, typer.Option("--chip", metavar="NAME|FILE", help="180nm, 130nm, 32nm, or a YAML file.")
]


# what becomes of pairs of alpha and beta that no pulse of a table gives
Unreachable = Literal["refuse", "arrays"]


LayoutOption = Annotated[str, typer.Option("--layout", help="separate, packed, joined or compact.")]


@app.command(
    "compile",
    epilog=examples(
        "ddk-network compile runs/net --out runs/chip",
        "ddk-network compile runs/net --chip 130nm --layout packed --table table.nc --out runs/c",
        "ddk-network compile runs/net --table table.nc --unreachable arrays --out runs/mixed",
    ),
)
@command
@option_groups
def compile_(
    output: Output,
    model: ModelArgument,
    out: FolderOption,
    chip: ChipOption = "180nm",
    layout: LayoutOption = "separate",
    table: TableOption = None,
    largest_weight: Annotated[
        float | None, typer.Option("--largest-weight", help="Weight at the end of the window.")
    ] = None,
    unreachable: Annotated[
        Unreachable,
        typer.Option("--unreachable", help="Pairs that no pulse of the table gives."),
    ] = "refuse",
    hinges: Annotated[
        int | None,
        typer.Option("--hinges", min=0, help="Of a pair on arrays, default 8; 0: a linearisation."),
    ] = None,
    root: RootOption = None,
    overwrite: OverwriteOption = False,
    pictures: PicturesOption = Pictures.png,
    *,
    looks: PaperOptions,
) -> None:
    """Place a trained network on a chip: placement.json, placement.png, pulses.csv in DIR.

    With an option for papers, the picture is drawn so into DIR/paper.
    """
    from ddk.cli.entries import cost_entries  # start-up
    from ddkbase.units import format_si
    from network.hardware.chip.folder import PICTURE, check_free, write_folder

    path, style = folder_to_make(out), looks.style(pictures)
    with claimed(path):
        check_free(path, overwrite)
        network = _network(model)
        split = unreachable == "arrays"
        placement = hardware.compile_network(
            network,
            hardware.load_chip(chip),
            layout=layout,
            largest_weight=largest_weight,
            table=None if table is None else read_table(table),
            unreachable=unreachable,
            **({} if hinges is None else {"hinges": hinges}),
            samples=_fold(network.notes, model, root).train.x if split else None,
        )
        whole = hardware.placement_cost(placement)
        output.rows(*hardware.cost_rows(whole), title=f"{placement.chip.title}, layout '{layout}'")
        if split:
            _say_ways(output, placement)
        loads = hardware.network_loads(placement.network() if split else network)
        energy, seconds = hardware.writing(loads, placement.chip)
        output.pairs(
            {
                "tiles": f"{placement.tiles} of {placement.chip.count('tiles')}",
                "writing once": f"{format_si(energy, 'J', 3)}, "
                f"{format_si(seconds, 's', 3)} row by row",
            }
        )
        written = write_folder(placement, path, overwrite, pictures.value)
        output.add(
            **cost_entries(whole),
            tiles_of_chip=placement.chip.count("tiles"),
            writing={"energy": energy, "latency": seconds},
            layout=layout,
            folder=written,
        )
        output.note(str(written))
        if style is not None:
            makes = {PICTURE: partial(plots.placement_figure, placement)}
            output.file(*paper.save_pictures(makes, written / PAPER, pictures.value, style))


@app.command(
    epilog=examples(
        "ddk-network simulate runs/chip/placement.json",
        "ddk-network simulate runs/chip/placement.json --model runs/net --chips 10 --json",
    )
)
@command(answers=True)
def simulate(
    output: Output,
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
    import numpy as np  # start-up

    compiled = hardware.read_placement(path_of(placement, "FILE"))
    network = compiled.network()
    fold = _fold(compiled.notes, placement, root)
    task, seed = compiled.notes["task"], int(compiled.notes.get("seed", 0))
    x, y = fold.test.x, fold.test.y
    answers = network.predict(x)
    pairs = {"accuracy, from the cells": f"{100 * np.mean(answers == y):.2f} % of {len(y)}"}
    output.add(task=task, seed=seed, samples=len(y), accuracy=np.mean(answers == y))
    if model is not None:
        same = answers == _network(model).predict(x)
        pairs["same predictions as the model"] = f"{int(same.sum())} of {len(y)}"
        output.add(same_predictions=int(same.sum()))
    if chips:
        right = []
        for number in range(chips):
            rng = np.random.default_rng([number, 5])
            chip = compiled.realise(number)
            right.append(100 * float(np.mean(network.predict(x, realise=chip, rng=rng) == y)))
        pairs[f"accuracy on {chips} imprecise chips"] = f"{np.mean(right):.2f} %"
        output.add(imprecise_chips=[share / 100 for share in right])
    output.pairs(pairs)


@app.command(
    epilog=examples(
        "ddk-network cost runs/net",
        "ddk-network cost lenet5 --chip 32nm --json",
        "ddk-network cost --article --show",
    )
)
@command(answers=True)
def cost(
    output: Output,
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL", help="Folder of 'train', model.npz, or samplecnn, c3d, mfcc, ..."
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
    from ddk.cli.entries import cost_entries  # start-up

    described = hardware.load_chip(chip)
    if model is None and not show and not article:
        raise InputError("nothing is asked for", "MODEL", "Name a model, or --show, or --article")
    if show:
        output.rows(["entry", "value", "what it is", "source"], described.rows(), described.title)
        output.add(chip_values=described.values)
    if article:
        rows = [
            [f.what, f.of, f.article, f.here, f.follows, f.because]
            for f in article_data.article_figures(described)
        ]
        heads = ["figure", "of one", "article", "here", "follows", "what decides it"]
        output.rows(heads, rows, described.title)
        output.rows(*article_data.ratio_rows(described), title="Whole inferences on the same chip")
        output.add(article=[dict(zip(FIGURE_KEYS, row, strict=True)) for row in rows])
    if model is not None:
        if model in hardware.COMPARED:
            loads = hardware.compared_loads(model)
        elif model == "mfcc":
            from network.counting.front_end import FrontEnd  # start-up: reads NumPy

            loads = hardware.front_end_loads(FrontEnd(coefficients=20), classes=10)
        else:
            loads = hardware.network_loads(_network(model))
        total = hardware.cost(loads, described, layout=layout)
        output.add(**cost_entries(total), layout=layout)
        output.rows(*hardware.cost_rows(total), title=f"{described.title}, layout '{layout}'")


def _fold(notes: Mapping[str, Any], where: str, root: str | None) -> Fold:
    """The parts of the data that a network of these notes was trained and is tested on."""
    task = notes.get("task")
    if not isinstance(task, str):
        raise InputError("it does not say of which task it is", where, "Train by 'train'")
    return next(iter(studies.Material(task_of(task, False), root).folds(int(notes.get("seed", 0)))))


def _say_ways(output: Output, placement: Placement) -> None:
    """Which pairs are pulsed and which are products on arrays, and how exact these are."""
    heads, rows = hardware.pair_rows(placement)
    on_arrays = [row for row in rows if row[4] == "arrays"]
    output.pairs(
        {
            "pairs by pulses": f"{len(rows) - len(on_arrays)} of {len(rows)}",
            "pairs on arrays": f"{len(on_arrays)} of {len(rows)}",
        }
    )
    texts = [
        [row[0], str(row[1]), *(f"{v:.4g}" for v in row[2:4]), row[4], f"{100 * row[5]:.0f} %"]
        + [f"{v:.2g}" for v in row[6:]]
        for row in on_arrays
    ]
    if texts:
        output.rows(heads, texts, title="Pairs that no pulse of the table gives")
    output.add(pairs=[dict(zip(PAIR_KEYS, row, strict=True)) for row in rows])


def _network(text: str) -> Network:
    """The network of a folder of 'train' or of a file, with its notes."""
    from ddk.studies.result import MODEL  # start-up
    from network import load_network

    path = path_of(text, "MODEL")
    if not path.exists():
        hint = f"Name a folder of 'train'. {closest(text, hardware.COMPARED)}"
        raise StorageError("there is no such file or folder", text, hint)
    return load_network(path / MODEL if Path(path).is_dir() else path)
