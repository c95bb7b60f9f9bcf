"""Commands of ``ddk-network`` that run many seeds: compare, search."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from ddk import studies
from ddk.cli.options import (
    FolderOption,
    PicturesOption,
    ProcessesOption,
    SeedsOption,
    TableOption,
    TaskOption,
    TaskOptions,
    app,
    command,
    folder_to_make,
    names_of,
    read_table,
    seeds_of,
)
from ddkbase import paper
from ddkbase.cli.application import examples
from ddkbase.cli.options import option_groups
from ddkbase.cli.output import Output
from ddkbase.cli.paper import PaperOptions
from ddkbase.picture_names import PAPER, Pictures

EpochsOption = Annotated[
    int | None, typer.Option("--epochs", help="Other than the task's; the last one counts.")
]


#: numbers of a series below which a comparison of memories says little
_FEW = 8


@app.command(
    epilog=examples(
        "ddk-network compare --task digits --out runs/compare",
        "ddk-network compare --task digits --models ddk,raw,leaky --seeds 0-4 --quick --out runs/c",
        "ddk-network compare --task digits --quick --seeds 2 --out runs/d --quiet --json",
        "ddk-network compare --task digits-spoken --readout last --banks 4 --out runs/few",
        "ddk-network compare --task digits-spoken --table tin-taox-hfox-tin --out runs/reach",
        "ddk-network compare --task digits --out runs/c --figure-width '85 mm' --pictures pdf",
        "ddk-network compare --task mine.ts --readout last --banks 4 --seeds 3 --out runs/mine",
    )
)
@command
@option_groups
def compare(
    output: Output,
    task: TaskOption,
    out: FolderOption,
    models: Annotated[
        str | None, typer.Option("--models", metavar="LIST", help="E.g. 'ddk,raw,leaky'.")
    ] = None,
    seeds: SeedsOption = "10",
    table: TableOption = None,
    processes: ProcessesOption = 1,
    epochs: EpochsOption = None,
    pictures: PicturesOption = Pictures.png,
    *,
    data: TaskOptions,
    looks: PaperOptions,
) -> None:
    """Train models on one task with several seeds; print mean, deviation, worst, differences.

    Every finished run is kept in DIR. Started again with the same DIR, only what is missing is run;
    more models and seeds may be asked for. With a table, alpha and beta of the DDK models are kept
    where pulses of its cell can put them. With an option for papers, the picture is drawn so into
    DIR/paper.
    """
    from ddk.cli.entries import comparison_entries  # start-up

    folder, style = folder_to_make(out), looks.style(pictures)
    numbers, names = seeds_of(seeds), names_of(models, "--models")
    described = data.task(task, output, epochs)
    compared: list[str] | list[studies.Model] | None = names
    if table is not None:
        compared = studies.within_reach(names or described.models, read_table(table))
    comparison = studies.compare(
        described,
        compared,
        numbers,
        folder=folder,
        root=data.root,
        processes=processes,
        progress=output.say,
    )
    files = studies.write_comparison(comparison, folder, pictures.value)
    output.rows(*studies.comparison_rows(comparison), str(comparison.attrs["title"]))
    if "ddk" in comparison["model"].values:
        output.line(studies.difference_note(comparison))
        few = int(comparison["features"].sel(model="ddk").max())
        if few < _FEW and described.ddk.get("readout") == "last":
            output.note(
                f"Numbers of the ddk layer a series (--banks times channels): {few}; with so few, "
                "look at more of them before you conclude anything, e.g. --banks 8"
            )
    output.add(**comparison_entries(comparison), folder=folder)
    output.file(*(path for path in files if path.name == "report.html"))
    if style is not None:
        makes = {"comparison.png": partial(studies.comparison_figure, comparison)}
        output.file(*paper.save_pictures(makes, folder / PAPER, pictures.value, style))


@app.command(
    epilog=examples(
        "ddk-network search --task digits --quick --out runs/search",
        "ddk-network search --task digits --seeds 5 --confirm 20 --processes 2 --out runs/long",
    )
)
@command
@option_groups
def search(
    output: Output,
    task: TaskOption,
    out: FolderOption,
    seeds: SeedsOption = "3",
    confirm: Annotated[
        int, typer.Option("--confirm", min=2, help="Fresh seeds on which the two best meet.")
    ] = 10,
    processes: ProcessesOption = 1,
    epochs: EpochsOption = None,
    *,
    data: TaskOptions,
) -> None:
    """Look for an arrangement of the DDK layer that gains over every control, and say if none does.

    All are ranked by the validation part; the two best meet on fresh seeds. Goes on as 'compare'.
    """
    from ddk.cli.entries import search_entries  # start-up

    folder = folder_to_make(out)
    described = data.task(task, output, epochs)
    result = studies.search(
        described,
        seeds=seeds_of(seeds),
        confirm=confirm,
        folder=folder,
        root=data.root,
        processes=processes,
        progress=output.say,
    )
    files = studies.write_search(result, folder)
    output.rows(*studies.search_rows(result), str(result.selection.attrs["title"]))
    for line in result.finding:
        output.line(line)
    output.add(**search_entries(result), folder=folder)
    output.file(*(path for path in files if path.name == "report.html"))
