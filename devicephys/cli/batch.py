"""Commands that carry out many runs: ``ddk-device sweep`` and ``ddk-device screen``."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

import devicephys
from ddkbase.cli.application import command, end, examples
from ddkbase.cli.options import option_groups
from ddkbase.cli.output import Output, error_line, units_of
from ddkbase.errors import InputError, SolverError
from ddkbase.picture_names import Pictures
from devicephys.cli.options import (
    CellOptions,
    CheckpointOption,
    NoMotionOption,
    OutOption,
    PicturesOption,
    WorkersOption,
    app,
    output_folder,
    parse_changes,
)

if TYPE_CHECKING:
    import xarray as xr


# what is done with each cell of a sweep
RunKind = Literal["loops", "pulses", "retention", "endurance"]


@dataclasses.dataclass(frozen=True)
class BatchOptions(CellOptions):
    """Which runs of which cells, and how they are carried out."""

    follow: Annotated[
        list[str] | None,
        typer.Option(
            "--follow",
            metavar="KEY=KEY",
            help="Tie a key to one that varies, e.g. --follow filament.height=layers.HfOx.thickness"
            " or =0.5*layers.HfOx.thickness.",
        ),
    ] = None
    run: Annotated[RunKind, typer.Option("--run", help="What is done with each cell.")] = "loops"
    no_motion: NoMotionOption = False
    workers: WorkersOption = None
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Compute points that failed once more.")
    ] = False
    checkpoint_every: CheckpointOption = None
    pictures: PicturesOption = Pictures.png

    def planned(self) -> dict[str, Any]:
        """What a plan is made of, as arguments of `devicephys.parameter_sweep.plan_sweep`.

        Raises InputError: as `parse_changes`.
        """
        return {
            "device": self.device,
            "run": self.run,
            "changes": parse_changes(self.changes or []),
            "follow": parse_changes(
                self.follow or [], "--follow", "filament.height=layers.HfOx.thickness"
            ),
            "preset": self.preset,
            "motion": not self.no_motion,
            "checkpoint_every": self.checkpoint_every,
        }

    def carry_out[Outcome](
        self,
        path: Path,
        plan: devicephys.parameter_sweep.ParameterSweep | devicephys.screening.Screening,
        action: Callable[..., Outcome],
        output: Output,
    ) -> Outcome:
        """Carry out a plan in a folder, its remarks first, its progress shown."""
        for text in plan.remarks:
            error_line(f"note: {text}")
        with devicephys.run.Display(output.console(), "preparing the solver") as display:
            return action(
                path,
                plan,
                workers=self.workers,
                retry_failed=self.retry_failed,
                pictures=self.pictures.value,
                progress=display,
            )


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
@option_groups
def sweep(
    *,
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
    batch: BatchOptions,
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
        **batch.planned(),
    )
    outcome = batch.carry_out(path, plan, devicephys.parameter_sweep.run_sweep, output)
    _show_sweep(outcome, output)


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
@option_groups
def screen(
    *,
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
    batch: BatchOptions,
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
        within=within,
        trajectories=trajectories,
        levels=levels,
        seed=seed,
        **batch.planned(),
    )
    outcome = batch.carry_out(path, plan, devicephys.screening.run_screening, output)
    _show_screening(outcome, output)


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


def _show_screening(outcome: devicephys.screening.ScreeningOutcome, output: Output) -> None:
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
    _end_if_failed(outcome.sweep, outcome.files[1], output)


def _end_if_failed(sweep: xr.Dataset, where: object, output: Output) -> None:
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


def _show_sweep(outcome: devicephys.parameter_sweep.SweepOutcome, output: Output) -> None:
    """Print table and files; end with the code of a solver that gave up if a point failed."""
    ds = outcome.dataset
    for table in devicephys.parameter_sweep.sweep_tables(ds):
        output.rows(table.heads, table.rows, right=table.right)
        for line in table.notes:
            output.line(line)
    if not outcome.computed:
        output.note("nothing to do: every point is finished")
    points = devicephys.parameter_sweep.sweep_entries(ds)
    output.add(folder=outcome.folder, computed=outcome.computed, points=points, units=units_of(ds))
    output.file(*outcome.files)
    _end_if_failed(ds, outcome.files[1], output)
