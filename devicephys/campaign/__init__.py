"""Many pulse trains: a campaign is run on many processes into one zarr store, and taken up again.

>>> from devicephys import campaign
>>> outcome = campaign.run(campaign.Campaign.from_file("fig2b-small"), "fig2b.zarr", workers=2)
>>> table = campaign.open_store("fig2b.zarr")

A script that calls ``run`` needs ``if __name__ == "__main__":``, because every worker process
reads the script again. File format, layout and restarts: ``docs/campaigns.md``.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from ..errors import InputError, Interrupted, shorten
from ..installation import require_solver
from .description import Campaign, Point
from .file import list_campaigns
from .layout import open_store
from .run import Outcome, Run, State
from .store import CampaignStore
from .worker import Simulate

__all__ = ["Campaign", "Outcome", "Point", "State", "list_campaigns", "open_store", "run"]


def run(
    campaign: Campaign,
    store: str | os.PathLike[str],
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    retry_failed: bool = False,
    progress: Callable[[State], None] | None = None,
    simulate: Simulate | None = None,
) -> Outcome:
    """Compute every point of a campaign that its store does not hold yet.

    A point that fails is noted with its reason, and the others go on.

    Parameters
    ----------
    campaign : from ``Campaign.from_file``.
    store : folder of the zarr store; made if there is none, taken up again otherwise.
    workers : processes on this machine; by default one for each physical core.
    scheduler : address of a Dask scheduler whose workers are to compute instead.
    retry_failed : compute points that failed in an earlier run again.
    progress : called with a ``State`` after each point, and about every second.
    simulate : a function of a module, in place of ``simulate_pulses``.

    Raises
    ------
    InputError : the store belongs to another campaign (the key that differs is named), or no
        scheduler answers.
    StorageError : the store cannot be written, or another campaign works on it.
    InstallationError : no solver or no compiler, here or on a worker.
    Interrupted : Ctrl-C; every finished point is kept.
    DDKError : the scheduler was lost.
    """
    # Dask takes a moment to import, and most who read a table never need it
    from .cluster import check_workers, local_cluster, physical_cores, remote_cluster

    if not isinstance(campaign, Campaign):
        raise InputError(f"{shorten(campaign)} is no campaign", "run", "Use Campaign.from_file")
    check_workers(workers)
    if simulate is None and scheduler is None:
        require_solver()
    with CampaignStore.open(store, campaign) as home:
        points = home.missing(retry_failed)
        this = Run(home, points, progress, simulate)
        try:
            if points:
                this.tell(starting=True)
                count = min(workers or physical_cores(), len(points))
                with remote_cluster(scheduler) if scheduler else local_cluster(count) as cluster:
                    this.compute_on(cluster)
        except KeyboardInterrupt:
            done, failed, _ = home.counts()
            raise Interrupted(
                f"stopped, {done + failed} of {campaign.size} points are finished",
                str(home.path),
                "The same command goes on from here",
            ) from None
        return this.outcome()
