"""The command ``ddk-device sweep``."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

import devicephys
from ddkbase.cli.application import command, end, examples
from ddkbase.cli.output import Output
from ddkbase.errors import InputError, SolverError
from ddkbase.picture_names import Pictures
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

if TYPE_CHECKING:
    import xarray as xr


class RunKind(StrEnum):
    """What is done with each cell of a sweep."""

    loops = "loops"
    pulses = "pulses"
    retention = "retention"
    endurance = "endurance"


RunOption = Annotated[RunKind, typer.Option("--run", help="What is done with each cell.")]
FollowOption = Annotated[
    list[str] | None,
    typer.Option(
        "--follow",
        metavar="KEY=KEY",
        help="Tie a key to one that varies, e.g. --follow filament.height=layers.HfOx.thickness"
        " or =0.5*layers.HfOx.thickness.",
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option("--workers", min=1, help="Processes; default: one for each physical core."),
]
RetryOption = Annotated[
    bool, typer.Option("--retry-failed", help="Compute points that failed once more.")
]


@app.command(
    epilog=examples(
        "ddk-device sweep --vary layers.HfOx.thickness='8 nm, 9 nm, 10 nm'"
        " --follow filament.height=layers.HfOx.thickness --out runs/thickness",
        "ddk-device sweep --vary filament.radius='8 nm, 10 nm' --vary sweep.rate='1 V/s, 10 V/s'"
        " --preset quick --out runs/grid",
        "ddk-device sweep --run pulses --vary protocol.amplitude='-2 V, -2.5 V, -3 V'"
        " --set protocol.count=20 --preset quick --out runs/heights",
    )
)
@command
def sweep(
    output: Output,
    out: OutOption,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            "--vary",
            metavar="KEY=VALUES",
            help="Values of one key with commas between. May be repeated: all combinations.",
        ),
    ] = None,
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
    """Simulate a cell for each value of a parameter; one table and one picture of what changes.

    A key is a dotted path as for --set, or "protocol." and an argument of the pulses, bake or
    cycles, as protocol.width. The folder gets sweep.csv, sweep.nc, sweep.png and in runs/ a folder
    for each point. Started again, also with more values, it computes what is missing.
    """
    if not vary:
        hint = "Write e.g. --vary filament.radius='8 nm, 9 nm'"
        raise InputError("nothing varies", "--vary", hint)
    path = output_folder(out, "--out")
    plan = devicephys.parameter_sweep.plan_sweep(
        parse_changes(vary, "--vary", "filament.radius='8 nm, 9 nm'"),
        device,
        run.value,
        changes=parse_changes(changes or []),
        follow=parse_follow(follow),
        preset=preset.value,
        motion=not no_motion,
        checkpoint_every=checkpoint_every,
    )
    for text in plan.remarks:
        sys.stderr.write(f"note: {text}\n")
    with devicephys.run.Display(output.console(), "preparing the solver") as display:
        outcome = devicephys.parameter_sweep.run_sweep(
            path,
            plan,
            workers=workers,
            retry_failed=retry_failed,
            pictures=pictures.value,
            progress=display,
        )
    _tell(outcome, output)


def parse_follow(follow: list[str] | None) -> dict[str, str]:
    """Split each KEY=KEY of ``--follow``; InputError as `parse_changes`."""
    return parse_changes(follow or [], "--follow", "filament.height=layers.HfOx.thickness")


def end_if_failed(sweep: xr.Dataset, where: object, output: Output) -> None:
    """End with the code of a solver that gave up if a point of a ParameterSweep failed."""
    reasons = sweep["reason"].values[sweep["status"].values == "failed"]
    if reasons.size:
        output.finish()
        end(
            f"{reasons.size} of {sweep.sizes['point']} points failed, the first of them: "
            f"{reasons[0]}."
            f" See 'reason' in {where}; --retry-failed computes them again",
            SolverError.exit_code,
        )


def _tell(outcome: devicephys.parameter_sweep.SweepOutcome, output: Output) -> None:
    """Print table and files; end with the code of a solver that gave up if a point failed."""
    ds = outcome.dataset
    for table in devicephys.parameter_sweep.sweep_tables(ds):
        output.rows(table.heads, table.rows, right=table.right)
        for line in table.notes:
            output.line(line)
    if not outcome.computed:
        output.note("nothing to do: every point is finished")
    points = devicephys.parameter_sweep.sweep_entries(ds)
    units = {str(name): str(v.attrs["units"]) for name, v in ds.variables.items()}
    output.add(
        folder=outcome.folder,
        computed=outcome.computed,
        points=points,
        units={name: unit for name, unit in units.items() if unit != "1"},
    )
    output.file(*outcome.files)
    end_if_failed(ds, outcome.files[1], output)
