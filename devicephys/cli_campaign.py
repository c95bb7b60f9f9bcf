"""The commands ``campaign`` and ``list-campaigns``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from devicephys.cli_base import app, command, end, output_folder, wide_console
from devicephys.errors import InputError, SolverError

if TYPE_CHECKING:
    from rich.console import Console

    from devicephys.campaign.description import Campaign


@app.command()
@command
def campaign(
    source: Annotated[
        str,
        typer.Argument(metavar="NAME|FILE", help="Shipped campaign, or a YAML file."),
    ],
    out: Annotated[
        str | None, typer.Option("--out", metavar="STORE", help="Folder of the zarr store.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, help="Processes; default: one for each physical core."),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option("--scheduler", metavar="ADDRESS", help="Compute on this Dask scheduler."),
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
    from rich.console import Console

    from devicephys import installation
    from devicephys.campaign import progress as campaign_progress
    from devicephys.campaign.description import Campaign

    planned = Campaign.from_file(source)
    console = wide_console(Console)
    if workers is not None and scheduler is not None:
        raise InputError(
            "a scheduler has its own workers", "--workers and --scheduler", "Give one of the two"
        )
    if dry_run:
        _plan(planned, workers, console)
        return
    if out is None:
        raise InputError("no store is named", "--out", "Give e.g. --out runs/campaign.zarr")
    path = output_folder(out, "--out")
    if installation.world() is not None:
        raise InputError(
            "a campaign is one process that starts its own workers", "mpirun", "Start it without"
        )
    from devicephys import campaign as campaigns

    with campaign_progress.Display(console) as display:
        outcome = campaigns.run(
            planned,
            path,
            workers=workers,
            scheduler=scheduler,
            retry_failed=retry_failed,
            progress=display,
        )
    console.print(campaign_progress.outcome_table(outcome))
    if outcome.failed:
        reason, count = outcome.reasons[0]
        end(
            f"{outcome.failed} of {planned.size} points failed, {count} of them: {reason}. "
            f"See 'reason' in {outcome.store}; --retry-failed computes them again",
            SolverError.exit_code,
        )


def _plan(planned: Campaign, workers: int | None, console: Console) -> None:
    """Print the grid and what it will cost."""
    from devicephys.campaign import progress as campaign_progress
    from devicephys.campaign.cluster import physical_cores
    from devicephys.campaign.layout import point_variables

    count = workers or physical_cores()
    time = campaign_progress.duration(planned.seconds(planned.size, count))
    console.print(campaign_progress.grid_table(planned))
    lines = [f"About {time} on {count} worker(s), preset {planned.settings.name}."]
    lines.append(f"The store will have {planned.size * len(point_variables())} files.")
    if planned.variability is None and planned.cycles * planned.devices > 1:
        lines.append("Without variability all cycles and devices give the same.")
    for text in lines:
        typer.echo(text)


@app.command("list-campaigns")
@command
def list_campaigns() -> None:
    """Print the campaigns that ship with the toolkit, their points and what they are for."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from devicephys.campaign.description import Campaign
    from devicephys.campaign.file import list_campaigns as names

    table = Table("Campaign", "Points", "Pulses", "Preset", "For")
    for name in names():
        one = Campaign.from_file(name)
        row = (name, str(one.size), str(one.pulse_count), one.settings.name, one.description)
        table.add_row(*map(Text, row))
    wide_console(Console).print(table)
