"""Commands of ``ddk-network`` that study hardware: harden, study."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Annotated, Any, Literal

import typer

from ddk import studies
from ddk.cli.options import (
    FolderOption,
    PicturesOption,
    QuickOption,
    RootOption,
    SeedsOption,
    StatesOption,
    TaskOption,
    TaskOptions,
    app,
    command,
    folder_to_make,
    names_of,
    seeds_of,
    task_of,
)
from ddkbase import paper
from ddkbase.cli.application import end, examples
from ddkbase.cli.options import option_groups
from ddkbase.cli.output import Output, entries_of, units_of
from ddkbase.cli.paper import PaperOptions
from ddkbase.errors import InputError, SolverError, closest
from ddkbase.picture_names import PAPER, Pictures, in_formats
from network import hardware

Preset = Literal["quick", "default", "fine"]  # how finely the cell's mesh and time are resolved
# from what to what alpha and beta scatter as a chip's description says
Scatter = Literal["train", "device"]


#: kinds whose cells scatter as the chip says; others state their own scatter, or have none
_SCATTERED = ("modes", "stuck")


@app.command(
    epilog=examples(
        "ddk-network harden --task digits --kind modes --quick --seeds 2 --out runs/modes",
        "ddk-network harden --task speakers --kind modes --scatter device --out runs/chips",
        "ddk-network harden --task digits-spoken --kind few-reads --seeds 3 --out runs/broken",
        "ddk-network harden --task mine.ts --kind few-reads --readout last --seeds 3 --out runs/m",
        "ddk-network harden --task speakers --kind noise --chip 130nm --out runs/noise",
    )
)
@command
@option_groups
def harden(
    output: Output,
    task: TaskOption,
    out: FolderOption,
    kind: Annotated[
        str,
        typer.Option(
            "--kind", help="modes, noise, quantisation, stuck, accumulation or few-reads."
        ),
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
    scatter: Annotated[
        Scatter, typer.Option("--scatter", help="Of alpha and beta: a pair a train, or a chip.")
    ] = "train",
    pictures: PicturesOption = Pictures.png,
    *,
    data: TaskOptions,
    looks: PaperOptions,
) -> None:
    """Train for imprecise hardware by every mode, over noise, bits or failed cells.

    Every finished number is kept in DIR. Started again with the same DIR, only what is missing is
    run. The kinds modes and few-reads have a picture; with an option for papers, it is drawn so
    into DIR/paper.
    """
    from ddk.cli.entries import spread  # start-up
    from ddkbase.documents import write_json
    from network.plots.hardware import bars_figure, few_reads_figure, save

    folder, style = folder_to_make(out), looks.style(pictures)
    if kind not in studies.HARDWARE_KINDS:
        raise InputError(
            f"there is nothing called '{kind}'", "--kind", closest(kind, studies.HARDWARE_KINDS)
        )
    drawings = {
        "few-reads": ("few_reads.png", few_reads_figure),
        "modes": ("bars.png", bars_figure),
    }
    if style is not None and kind not in drawings:
        hint = f"Leave the options for papers out, or take {' or '.join(drawings)}"
        raise InputError(f"no picture is drawn of '{kind}'", "--kind", hint)
    if scatter == "device" and kind not in _SCATTERED:
        hint = f"It is for {' and '.join(_SCATTERED)}"
        raise InputError(f"'{kind}' has a scatter of its own", "--scatter", hint)
    described = data.task(task, output)
    imprecise = None if chip is None else hardware.load_chip(chip).hardware()
    if scatter == "device":
        imprecise = _a_pair_a_chip(imprecise or hardware.article())
    accuracies = studies.hardware_study(
        kind,
        described,
        seeds_of(seeds),
        folder,
        model=model,
        hardware=imprecise,
        root=data.root,
        only=names_of(cases, "--cases"),
        progress=output.say,
    )
    heads, rows = studies.hardware_rows(accuracies)
    output.rows(heads, rows, f"{task}, {kind}")
    table: dict[str, Any] = {"heads": heads, "rows": rows}
    write_json(table, folder / "table.json", overwrite=True)
    output.add(
        task=task,
        kind=kind,
        cases={name: spread(list(by_seed.values())) for name, by_seed in accuracies.items()},
        folder=folder,
    )
    output.file(folder / "table.json")
    if kind in drawings:
        picture, make = drawings[kind]
        for name in in_formats(picture, pictures.value):
            output.file(save(make(accuracies), folder / name, True))
        if style is not None:
            makes = {picture: partial(make, accuracies)}
            output.file(*paper.save_pictures(makes, folder / PAPER, pictures.value, style))


def _a_pair_a_chip(imprecise: hardware.Hardware) -> hardware.Hardware:
    """The same with all scatter of alpha and beta from one chip to the next."""
    kinetics = imprecise.kinetics
    if not isinstance(kinetics, hardware.KineticsNoise):
        raise InputError("the chip states no scatter of alpha and beta", "--chip, --scatter")
    return dataclasses.replace(imprecise, kinetics=kinetics.of_devices())


@app.command(
    epilog=examples(
        "ddk-network study thickness '7 nm,9 nm,11 nm' --task digits --quick --out runs/study",
        "ddk-network study pulse-width '20 ns,100 ns' --task digits --devices 2 --out runs/width",
    )
)
@command
@option_groups
def study(
    output: Output,
    parameter: Annotated[
        str,
        typer.Argument(
            metavar="PARAMETER",
            help="thickness, activation-energy, filament-radius, pulse-width, or a dotted path.",
        ),
    ],
    values: Annotated[str, typer.Argument(metavar="VALUES", help="Of it, e.g. '7 nm,9 nm,11 nm'.")],
    task: TaskOption,
    out: FolderOption,
    seeds: SeedsOption = "1",
    devices: Annotated[int, typer.Option("--devices", min=1, help="Cells drawn a value.")] = 4,
    pulses: Annotated[int, typer.Option("--pulses", min=2, help="Of each train.")] = 50,
    resistance: Annotated[
        str, typer.Option("--initial-resistance", help="That trains start from.")
    ] = "10 kohm",
    preset: Annotated[
        Preset, typer.Option("--preset", help="How finely mesh and time are resolved.")
    ] = "quick",
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes; default: one a core.")
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option("--scheduler", help="A Dask scheduler; who reaches it can run code as you."),
    ] = None,
    root: RootOption = None,
    states: StatesOption = "after",
    quick: QuickOption = False,
    pictures: PicturesOption = Pictures.png,
    *,
    looks: PaperOptions,
) -> None:
    """Vary a parameter of the simulated cell and draw accuracy, energy and yield against it.

    Pulse trains are simulated by finite elements on Dask, alpha and beta fitted, and a network is
    trained where that cell can put it. Goes on where it was stopped. With an option for papers, the
    picture is drawn so into DIR/paper.
    """
    from ddkbase.files import write_bytes  # start-up
    from network.plots.hardware import save, study_figure

    folder, style = folder_to_make(out), looks.style(pictures)
    ds = studies.device_study(
        parameter,
        names_of(values, "VALUES") or [],
        task_of(task, quick, states),
        folder,
        seeds=seeds_of(seeds),
        plan=studies.DevicePlan(
            devices=devices, pulses=pulses, preset=preset, initial_resistance=resistance
        ),
        root=root,
        workers=workers,
        scheduler=scheduler,
        progress=output.say,
    )
    frame = ds.drop_vars(["text", "reason"]).to_dataframe()
    output.file(write_bytes(folder / "study.csv", frame.to_csv().encode("utf-8"), True))
    numbers = ds.drop_vars([n for n in ds.data_vars if ds[n].dims != ("value", "seed")])
    output.add(parameter=parameter, points=entries_of(numbers), folder=folder)
    output.add(reasons=ds["reason"].values, units=units_of(numbers))
    for name in in_formats("study.png", pictures.value):
        output.file(save(study_figure(ds), folder / name, True))
    if style is not None:
        makes = {"study.png": partial(study_figure, ds)}
        output.file(*paper.save_pictures(makes, folder / PAPER, pictures.value, style))
    reasons = [str(text) for text in ds["reason"].values if str(text)]
    if len(reasons) == ds.sizes["value"]:  # nothing came of it
        output.finish()
        end(f"no value gave a network: {reasons[0]}", SolverError.exit_code)
