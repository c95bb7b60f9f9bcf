"""The command ``ddk-device screen``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import devicephys
from ddkbase.cli.application import command, examples
from ddkbase.cli.output import Output
from ddkbase.errors import InputError
from ddkbase.picture_names import Pictures
from devicephys.cli.batch.sweep import (
    FollowOption,
    RetryOption,
    RunKind,
    RunOption,
    WorkersOption,
    end_if_failed,
    parse_follow,
)
from devicephys.cli.options import (
    DEFAULT_DEVICE,
    CheckpointOption,
    DeviceOption,
    NoMotionOption,
    OutOption,
    PicturesOption,
    Preset,
    PresetOption,
    SetOption,
    app,
    output_folder,
    parse_changes,
)


@app.command(
    epilog=examples(
        "ddk-device screen --vary filament.radius --vary series.transconductance --within '20 %'"
        " --preset quick --out runs/screen",
        "ddk-device screen --vary materials.HfOx.diffusion_activation='1.5 eV, 1.7 eV'"
        " --vary filament.radius='10 %' --trajectories 20 --preset quick --out runs/two",
        "ddk-device screen --trajectories 4 --preset quick --out runs/all",
    )
)
@command
def screen(
    output: Output,
    out: OutOption,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            "--vary",
            metavar="KEY[=RANGE]",
            help="A parameter, with both ends of its range ('8 nm, 10 nm') or a share around its"
            " value ('5 %'). May be repeated. Default: all numbers of the cell in docs/ranges.md.",
        ),
    ] = None,
    within: Annotated[
        str | None,
        typer.Option(
            "--within",
            metavar="SHARE",
            help="Share around the cell's own values, e.g. '20 %', for parameters without a range;"
            " default: the ranges of docs/ranges.md.",
        ),
    ] = None,
    trajectories: Annotated[
        int,
        typer.Option(
            "--trajectories", min=2, help="Each is one run more than there are parameters."
        ),
    ] = 10,
    levels: Annotated[
        int, typer.Option("--levels", min=2, help="Levels of each parameter, an even number.")
    ] = 4,
    seed: Annotated[
        int, typer.Option("--seed", min=0, max=2**32 - 1, help="Seed of the trajectories.")
    ] = 0,
    follow: FollowOption = None,
    run: RunOption = RunKind.loops,
    device: DeviceOption = DEFAULT_DEVICE,
    preset: PresetOption = Preset.default,
    changes: SetOption = None,
    no_motion: NoMotionOption = False,
    workers: WorkersOption = None,
    retry_failed: RetryOption = False,
    checkpoint_every: CheckpointOption = None,
    pictures: PicturesOption = Pictures.png,
) -> None:
    """Find which parameters matter for which figure of merit (Morris' elementary effects).

    Printed is mu*, the mean change of a figure over the whole range of a parameter, with its
    standard error; "-": it falls, "|...|": it rises or falls with the other parameters. The folder
    gets screening.csv, .nc and .png, and the runs as of 'sweep'. Started again, also with more
    trajectories, it computes what is missing.
    """
    path = output_folder(out, "--out")
    plan = devicephys.screening.plan_screening(
        _ranges(vary),
        device,
        run.value,
        within=within,
        trajectories=trajectories,
        levels=levels,
        seed=seed,
        changes=parse_changes(changes or []),
        follow=parse_follow(follow),
        preset=preset.value,
        motion=not no_motion,
        checkpoint_every=checkpoint_every,
    )
    for text in plan.remarks:
        sys.stderr.write(f"note: {text}\n")
    with devicephys.run.Display(output.console(), "preparing the solver") as display:
        outcome = devicephys.screening.run_screening(
            path,
            plan,
            workers=workers,
            retry_failed=retry_failed,
            pictures=pictures.value,
            progress=display,
        )
    _tell(outcome, output)


def _ranges(vary: list[str] | None) -> dict[str, str | None] | None:
    """Parameter and range of each ``--vary``."""
    if not vary:
        return None
    parsed: dict[str, str | None] = {}
    for text in vary:
        alone = "=" not in text and bool(text.strip())
        ranges = {} if alone else parse_changes([text], "--vary", "filament.radius='8 nm, 10 nm'")
        for key in [text.strip()] if alone else list(ranges):
            if key in parsed:
                raise InputError(f"'{key}' is named twice", "--vary", "Name it once")
            parsed[key] = ranges.get(key)
    return parsed


def _tell(outcome: devicephys.screening.ScreeningOutcome, output: Output) -> None:
    """Print tables and files; end with the code of a solver that gave up if a point failed."""
    ds = outcome.dataset
    for table in devicephys.screening.screening_tables(ds):
        output.rows(table.heads, table.rows, right=table.right)
    if not outcome.computed:
        output.note("nothing to do: every point is finished")
    output.add(
        folder=outcome.folder,
        computed=outcome.computed,
        points=ds.attrs["points"],
        failed=ds.attrs["points_failed"],
        effects=devicephys.screening.screening_entries(ds),
    )
    output.file(*outcome.files)
    end_if_failed(outcome.sweep, outcome.files[1], output)
