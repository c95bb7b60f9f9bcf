"""The commands ``campaign`` and ``list-campaigns``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ddkbase.cli.application import command, end, examples
from ddkbase.cli.output import Output
from ddkbase.errors import InputError, SolverError
from devicephys import campaign as campaigns
from devicephys.cli.options import WorkersOption, app, output_folder

if TYPE_CHECKING:
    from devicephys.campaign.description import Campaign


@app.command(
    epilog=examples(
        "ddk-device campaign fig2b-small --dry-run",
        "ddk-device campaign fig2b-small --out fig2b.zarr --workers 2",
        "ddk-device campaign mine.yaml --out mine.zarr --retry-failed --json",
    )
)
@command
def campaign(
    output: Output,
    source: Annotated[
        str,
        typer.Argument(metavar="NAME|FILE", help="Shipped campaign, or a YAML file."),
    ],
    out: Annotated[
        str | None, typer.Option("--out", metavar="STORE", help="Folder of the zarr store.")
    ] = None,
    workers: WorkersOption = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            "--scheduler",
            metavar="ADDRESS",
            help="Compute on this Dask scheduler; who reaches it can run code as you.",
        ),
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Compute failed points again.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the grid and an estimate of the time, end.")
    ] = False,
) -> None:
    """Simulate pulse trains on a grid of settings, cycles and devices, on many processes.

    Started again with the same --out, it computes what is missing.
    """
    # start-up: what a campaign and its display need is loaded when one is asked for
    from devicephys import installation
    from devicephys.cli import campaign_progress

    planned = campaigns.Campaign.from_file(source)
    if workers is not None and scheduler is not None:
        raise InputError(
            "a scheduler has its own workers", "--workers and --scheduler", "Give one of the two"
        )
    if dry_run:
        _plan(planned, workers, output)
        return
    if out is None:
        raise InputError("no store is named", "--out", "Give e.g. --out runs/campaign.zarr")
    path = output_folder(out, "--out")
    if installation.world() is not None:
        raise InputError(
            "a campaign is one process that starts its own workers", "mpirun", "Start it without"
        )
    with campaign_progress.Display(output.console(errors=False)) as display:
        outcome = campaigns.run(
            planned,
            path,
            workers=workers,
            scheduler=scheduler,
            retry_failed=retry_failed,
            progress=display,
        )
    output.rows(["Campaign", ""], campaign_progress.outcome_rows(outcome))
    output.add(
        store=outcome.store,
        points={"done": outcome.done, "failed": outcome.failed, "missing": outcome.missing},
        reasons=[{"reason": text, "points": count} for text, count in outcome.reasons],
        computed=outcome.computed,
        seconds=outcome.seconds,
        units={"seconds": "s"},
    )
    if outcome.failed:
        reason, count = outcome.reasons[0]
        output.finish()
        end(
            f"{outcome.failed} of {planned.size} points failed, {count} of them: {reason}. "
            f"See 'reason' in {outcome.store}; --retry-failed computes them again",
            SolverError.exit_code,
        )


def _plan(planned: Campaign, workers: int | None, output: Output) -> None:
    """Tell the grid and what it will cost."""
    # start-up
    from devicephys.campaign.cluster import physical_cores
    from devicephys.campaign.layout import point_variables
    from devicephys.cli import campaign_progress

    count = workers or physical_cores()
    seconds = planned.seconds(planned.size, count)
    time = campaign_progress.duration(seconds)
    files = planned.size * len(point_variables())
    output.rows(["Axis", "Values", ""], campaign_progress.grid_rows(planned), planned.name)
    lines = [f"About {time} on {count} worker(s), preset {planned.settings.name}."]
    lines.append(f"The store will have {files} files.")
    if planned.variability is None and planned.cycles * planned.devices > 1:
        lines.append("Without variability all cycles and devices give the same.")
    for text in lines:
        output.line(text)
    output.add(
        name=planned.name,
        amplitude=planned.amplitudes,
        width=planned.widths,
        initial_resistance=planned.initial_resistances,
        cycles=planned.cycles,
        devices=planned.devices,
        points=planned.size,
        pulses=planned.pulse_count,
        workers=count,
        seconds=seconds,
        store_files=files,
        units={"amplitude": "V", "width": "s", "initial_resistance": "ohm", "seconds": "s"},
    )


@app.command("list-campaigns", epilog=examples("ddk-device list-campaigns"))
@command(answers=True)
def list_campaigns(output: Output) -> None:
    """Print the campaigns that ship with the toolkit, their points and what they are for."""
    shipped = []
    for name in campaigns.list_campaigns():
        described = campaigns.Campaign.from_file(name)
        shipped.append(
            {
                "name": name,
                "points": described.size,
                "pulses": described.pulse_count,
                "preset": described.settings.name,
                "description": described.description,
            }
        )
    heads = ["Campaign", "Points", "Pulses", "Preset", "For"]
    output.rows(heads, [[*map(str, entry.values())] for entry in shipped])
    output.add(campaigns=shipped)
