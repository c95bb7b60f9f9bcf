"""Commands of ``ddk-network`` that train nothing: count, features."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from devicephys.errors import InputError
from network.cli_base import (
    DataOption,
    FileOption,
    OverwriteOption,
    QuickOption,
    RootOption,
    SeedOption,
    TableOption,
    app,
    command,
    free_path,
    names_of,
    print_rows,
    read_table,
    task_of,
)


class How(StrEnum):
    """By what features are made."""

    algorithm = "algorithm"
    table = "table"
    device = "device"


@app.command()
@command
def count(
    task: Annotated[
        str | None,
        typer.Option("--task", metavar="TASK", help="Count this task's networks instead."),
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="As Markdown.")] = False,
) -> None:
    """Count parameters and MACs: the article's figures and ratios, each beside the fair one."""
    heads, rows = _article_rows() if task is None else _task_rows(task)
    if markdown:
        typer.echo(f"| {' | '.join(heads)} |")
        typer.echo("| --- |" + " --- |" * (len(heads) - 1))
        for row in rows:
            typer.echo(f"| {' | '.join(row)} |")
        return
    print_rows(heads, rows)


def _article_rows() -> tuple[list[str], list[list[str]]]:
    from network.count_article import article_table

    heads = ["task", "network", "quantity", "given", "computed", "like for like", "", "note"]
    rows = []
    for figure in article_table():
        told = [_number(v, figure.given) for v in (figure.computed, figure.like_for_like)]
        mark = "" if figure.reproduced else "not reproduced"
        source = "" if figure.source == "article" else f" ({figure.source})"
        rows.append(
            [figure.task, figure.network, figure.quantity, figure.given + source, *told, mark,
             figure.note]
        )  # fmt: skip
    return heads, rows


def _task_rows(name: str) -> tuple[list[str], list[list[str]]]:
    from network.contenders import LAYERS, build
    from network.tasks import get_task

    task = get_task(name)
    shape, classes = task.shape, task.classes
    rows = []
    for model in LAYERS.values():
        if model.data:
            continue
        network = build(task, model, shape, classes, 0)
        found = network.count()
        first = network.layers[0].count(shape)
        share = first.macs / found.macs if found.macs else 0.0
        rows.append(
            [model.name, model.title, f"{found.parameters:,}", f"{found.macs:,}", f"{share:.2%}"]
        )
    return ["model", "", "parameters", "MACs of one decision", "of it the feature layer"], rows


def _number(value: float, given: str) -> str:
    if given.rstrip().endswith("%"):
        return f"{100 * value:.2f} %"
    for factor, unit in ((1e9, "G"), (1e6, "M")):
        if given.rstrip().endswith(unit):
            return f"{value / factor:,.4g} {unit}"
    return f"{value:,.0f}" if value >= 1000 else f"{value:,.4g}"


@app.command()
@command
def features(
    data: DataOption,
    out: FileOption,
    how: Annotated[How, typer.Option("--how", help="By what they are made.")] = How.algorithm,
    table: TableOption = None,
    amplitude: Annotated[
        str | None,
        typer.Option(
            "--amplitude",
            metavar="LOW,HIGH",
            help="Pulses at x = 0 and x = 1. Default by finite elements: '-1.6 V,-2.2 V'; the "
            "article's '-2 V,-3 V' finish the simulated cell with the first pulse. Default by a "
            "table: its ends.",
        ),
    ] = None,
    count: Annotated[int, typer.Option("--samples", min=1, help="How many of each class.")] = 1,
    seed: SeedOption = 0,
    root: RootOption = None,
    quick: QuickOption = False,
    overwrite: OverwriteOption = False,
) -> None:
    """Write feature maps of samples of each class: a picture (.png) or a dataset (.nc)."""
    from network.feature_maps import make_maps, write_maps

    path = free_path(out, overwrite)
    if path.suffix not in (".png", ".nc"):
        raise InputError(f"'{path.suffix}' is no kind of map", "--out", "Use .png or .nc")
    ends = names_of(amplitude, "--amplitude")
    if ends is not None and len(ends) != 2:
        raise InputError(f"'{amplitude}' are not two amplitudes", "--amplitude", "Write LOW,HIGH")
    if ends is not None and how is How.algorithm:
        raise InputError("the algorithm has no pulses", "--amplitude", "Leave it out")
    maps = make_maps(
        task_of(data, quick),
        how.value,
        read_table(table) if table is not None else None,
        amplitude=None if ends is None else (ends[0], ends[1]),
        samples=count,
        seed=seed,
        root=root,
    )
    typer.echo(str(write_maps(maps, path, overwrite)))
