"""Commands of ``ddk-network`` that train nothing: count, features."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

import typer

from ddk import studies
from ddk.cli.options import (
    DataOption,
    FileOption,
    OverwriteOption,
    QuickOption,
    RootOption,
    SeedOption,
    SeriesOptions,
    TableOption,
    app,
    command,
    names_of,
    read_table,
    task_of,
)
from ddkbase.cli.application import examples
from ddkbase.cli.options import free_path, option_groups, path_of
from ddkbase.cli.output import Output
from ddkbase.cli.paper import PaperOptions
from ddkbase.errors import InputError
from ddkbase.picture_names import PICTURES, check_suffix, picture_path

How = Literal["algorithm", "table", "device", "all"]  # by what features are made


@app.command(
    epilog=examples(
        "ddk-network count",
        "ddk-network count --task mnist",
        "ddk-network count --json",
    )
)
@command(answers=True)
def count(
    output: Output,
    task: Annotated[
        str | None,
        typer.Option("--task", metavar="TASK", help="Count this task's networks instead."),
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="As Markdown.")] = False,
) -> None:
    """Count parameters and MACs: the article's figures and ratios, each beside the fair one."""
    heads, rows = _article_rows(output) if task is None else _task_rows(task, output)
    if markdown:
        output.line(f"| {' | '.join(heads)} |")
        output.line("| --- |" + " --- |" * (len(heads) - 1))
        for row in rows:
            output.line(f"| {' | '.join(row)} |")
        return
    output.rows(heads, rows)


def _article_rows(output: Output) -> tuple[list[str], list[list[str]]]:
    from ddk.article.counts import article_table  # start-up

    heads = ["task", "network", "quantity", "given", "computed", "like for like", "", "note"]
    rows, figures = [], []
    for figure in article_table():
        figures.append({**dataclasses.asdict(figure), "reproduced": figure.reproduced})
        numbers = [_number(v, figure.given) for v in (figure.computed, figure.like_for_like)]
        mark = "" if figure.reproduced else "not reproduced"
        source = "" if figure.source == "article" else f" ({figure.source})"
        rows.append(
            [figure.task, figure.network, figure.quantity, figure.given + source, *numbers, mark,
             figure.note]
        )  # fmt: skip
    output.add(figures=figures)
    return heads, rows


def _task_rows(name: str, output: Output) -> tuple[list[str], list[list[str]]]:
    task = studies.get_task(name)
    shape, classes = task.shape, task.classes
    rows, counts = [], []
    for model in studies.LAYERS.values():
        # memories are read once, at the end: no network of a task that reads every state
        if model.data or (model.layer == "memory" and task.ddk.get("readout") != "last"):
            continue
        network = studies.build(task, model, shape, classes, 0)
        total = network.count()
        first = network.layers[0].count(shape)
        share = first.macs / total.macs if total.macs else 0.0
        rows.append(
            [model.name, model.title, f"{total.parameters:,}", f"{total.macs:,}", f"{share:.2%}"]
        )
        counts.append(
            {
                "model": model.name,
                "title": model.title,
                "parameters": total.parameters,
                "macs": total.macs,
                "feature_layer_macs": first.macs,
            }
        )
    output.add(task=task.name, models=counts)
    return ["model", "", "parameters", "MACs of one decision", "of it the feature layer"], rows


def _number(value: float, given: str) -> str:
    if given.rstrip().endswith("%"):
        return f"{100 * value:.2f} %"
    for factor, unit in ((1e9, "G"), (1e6, "M")):
        if given.rstrip().endswith(unit):
            return f"{value / factor:,.4g} {unit}"
    return f"{value:,.0f}" if value >= 1000 else f"{value:,.4g}"


@app.command(
    epilog=examples(
        "ddk-network features --data digits --out maps.png",
        "ddk-network features --data digits --how table --table table.nc --out maps.svg",
        "ddk-network features --data digits --samples 3 --seed 1 --out maps.nc",
        "ddk-network features --data digits --figure-width '85 mm' --panels a,c --out two.pdf",
    )
)
@command
@option_groups
def features(
    output: Output,
    data: DataOption,
    out: FileOption,
    how: Annotated[How, typer.Option("--how", help="By what they are made.")] = "algorithm",
    table: TableOption = None,
    amplitude: Annotated[
        str | None,
        typer.Option(
            "--amplitude",
            metavar="LOW,HIGH",
            help="Pulses at x = 0 and x = 1. Default by finite elements: '-2 V,-3 V', as in the "
            "article; by a table: its ends.",
        ),
    ] = None,
    fits: Annotated[
        str | None,
        typer.Option("--fits", metavar="FILE", help="Draw Eq. (4) fitted to the finite elements."),
    ] = None,
    count: Annotated[int, typer.Option("--samples", min=1, help="How many of each class.")] = 1,
    seed: SeedOption = 0,
    root: RootOption = None,
    quick: QuickOption = False,
    overwrite: OverwriteOption = False,
    *,
    series: SeriesOptions,
    looks: PaperOptions,
) -> None:
    """Write feature maps of samples of each class: a picture or a dataset (.nc).

    The suffix of --out chooses: .png, .svg or .pdf for a picture, .nc for the numbers. Panels of
    the maps are the samples, those of --fits the classes: a is the first.
    """
    check_suffix(path_of(out, "--out"), (*PICTURES, ".nc"))
    path = free_path(out, overwrite)
    drawing = None if fits is None else picture_path(fits, overwrite, option="--fits")
    style = looks.style()
    if style is not None and drawing is None and path.suffix.lower() == ".nc":
        raise InputError("nothing would be drawn", f"--out {out}", "Give .png, .svg or .pdf")
    ends = names_of(amplitude, "--amplitude")
    if ends is not None and len(ends) != 2:
        raise InputError(f"'{amplitude}' are not two amplitudes", "--amplitude", "Write LOW,HIGH")
    if ends is not None and how == "algorithm":
        raise InputError("the algorithm has no pulses", "--amplitude", "Leave it out")
    maps = studies.make_maps(
        task_of(data, quick, series=series),
        how,
        read_table(table) if table is not None else None,
        amplitude=None if ends is None else (ends[0], ends[1]),
        samples=count,
        seed=seed,
        root=root,
        fit=drawing is not None,
        progress=output.say,
    )
    output.file(*studies.write_maps(maps, path, overwrite, style))
    if drawing is not None:
        output.file(*studies.write_fits(maps, drawing, overwrite, style))
