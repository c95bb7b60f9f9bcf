"""One run of a campaign: points go out to workers, results come back into the store."""

from __future__ import annotations

import dataclasses
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddkbase.errors import InputError, InstallationError, Interrupted, shorten
from ddkbase.files import deferred
from devicephys.campaign.description import Campaign, Point
from devicephys.campaign.store import CampaignStore
from devicephys.campaign.worker import Simulate, compute, task, warm_up
from devicephys.installation import require_solver

if TYPE_CHECKING:
    from devicephys.campaign.cluster import Cluster


@dataclasses.dataclass(frozen=True)
class CampaignState:
    """How far a campaign is, for a display of its progress.

    Of ``size`` points ``done``, ``failed`` and ``left``; ``computed`` of them in this run, for
    ``elapsed`` s so far; ``workers`` compute at a time, none yet while it is ``starting``.
    """

    size: int
    done: int
    failed: int
    left: int
    computed: int
    elapsed: float
    workers: int
    starting: bool

    @property
    def seconds_left(self) -> float | None:
        """Time to go at the rate of this run [s]; None until a point has come."""
        return self.left * self.elapsed / self.computed if self.computed else None


@dataclasses.dataclass(frozen=True)
class CampaignResult:
    """What a run left in ``store``: points done, failed and missing; ``reasons`` of the failed
    with how often each, the most frequent first; ``computed`` points in this run in ``seconds``."""

    store: Path
    done: int
    failed: int
    missing: int
    reasons: tuple[tuple[str, int], ...]
    computed: int
    seconds: float


class _Run:
    """Computes ``points`` into the store; ``progress`` is called with how far it is."""

    def __init__(
        self,
        store: CampaignStore,
        points: Sequence[Point],
        progress: Callable[[CampaignState], None] | None,
        simulate: Simulate | None,
    ) -> None:
        self._store, self._points = store, points
        self._progress, self._simulate = progress, simulate
        self._computed, self._workers = 0, 0
        self._begun = self._working = time.monotonic()

    def compute_on(self, cluster: Cluster) -> None:
        """Hand out the points, a bounded number at a time, and keep what comes back.

        Raises InstallationError: a worker cannot compute at all; StorageError: the store cannot be
        written; DDKError: the scheduler was lost, or the workers do not know the toolkit.
        """
        if self._simulate is None:
            self._warm_up(cluster)
        self._working = time.monotonic()
        self._look(cluster)
        for answered in cluster.compute(
            compute,
            self._points,
            lambda point: (task(self._store.campaign, point), self._simulate),
            lambda point: "-".join(["point", *map(str, point)]),
        ):
            if answered is not None:
                self._keep(*answered)
            self._look(cluster)

    def _look(self, cluster: Cluster, starting: bool = False) -> None:
        self._workers = cluster.threads()
        self.report(starting)

    def _keep(self, point: Point, answer: Mapping[str, Any]) -> None:
        if "refused" in answer:
            raise InstallationError(f"a worker cannot compute: {answer['refused']}")
        if "arrays" in answer:
            with deferred():  # what is computed is not thrown away
                self._store.write(point, answer["arrays"])
        else:
            self._store.fail(point, answer["failed"])
        self._computed += 1

    def _warm_up(self, cluster: Cluster) -> None:
        answer: Mapping[str, Any] = {}
        for answered in cluster.compute(
            warm_up,
            self._points[:1],
            lambda point: (task(self._store.campaign, point),),
            lambda point: "warm-up",
        ):
            if answered is not None:
                answer = answered[1]
                break
            self._look(cluster, starting=True)  # a cluster may take hours to give the first worker
        if "refused" in answer:
            raise InstallationError(f"a worker cannot compute: {answer['refused']}")
        began, now = self._store.versions, answer["versions"]
        differ = [
            f"{name} {version}, not {began.get(name, 'any')}"
            for name, version in now.items()
            if version != began.get(name)
        ]
        if differ:
            logging.getLogger(__name__).warning(
                "warning: this is computed by other versions than the store began with: %s",
                "; ".join(differ),
            )

    def report(self, starting: bool = False) -> None:
        """Report how far the campaign is."""
        if self._progress is None:
            return
        done, failed, _ = self._store.counts()
        left = len(self._points) - self._computed
        since = self._begun if starting else self._working
        self._progress(
            CampaignState(
                self._store.campaign.size,
                done,
                failed,
                left,
                self._computed,
                time.monotonic() - since,
                self._workers,
                starting,
            )
        )

    def outcome(self) -> CampaignResult:
        """What the store holds now."""
        done, failed, missing = self._store.counts()
        seconds = time.monotonic() - self._begun
        reasons = tuple(self._store.reasons())
        return CampaignResult(
            self._store.path, done, failed, missing, reasons, self._computed, seconds
        )


def run(
    campaign: Campaign,
    store: str | os.PathLike[str],
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    retry_failed: bool = False,
    progress: Callable[[CampaignState], None] | None = None,
    simulate: Simulate | None = None,
) -> CampaignResult:
    """Compute every point of a campaign that its store does not hold yet.

    A point that fails is noted with its reason, and the others go on.

    Parameters
    ----------
    campaign : Campaign
        The campaign, from ``Campaign.from_file``.
    store : str or Path
        Folder of the zarr store; made if there is none, taken up again otherwise.
    workers : int or None, optional
        Processes on this machine; by default one for each physical core.
    scheduler : str or None, optional
        Address of a Dask scheduler whose workers are to compute instead.
    retry_failed : bool, default False
        Compute points that failed in an earlier run again.
    progress : callable or None, optional
        Called with a ``CampaignState`` after each point, and about every second.
    simulate : callable or None, optional
        A function of a module, in place of ``simulate_pulses``.

    Raises
    ------
    InputError
        The store belongs to another campaign (the key that differs is named), or no scheduler
        answers.
    StorageError
        The store cannot be written, or another campaign works on it.
    InstallationError
        No solver or no compiler, here or on a worker.
    Interrupted
        Ctrl-C; every finished point is kept.
    DDKError
        The scheduler was lost.
    """
    # Dask takes a moment to import, and most who read a table never need it
    from devicephys.campaign.cluster import (
        check_workers,
        local_cluster,
        physical_cores,
        remote_cluster,
    )

    if not isinstance(campaign, Campaign):
        raise InputError(f"{shorten(campaign)} is no campaign", "run", "Use Campaign.from_file")
    check_workers(workers)
    if simulate is None and scheduler is None:
        require_solver()
    with CampaignStore.open(store, campaign) as opened:
        points = opened.missing(retry_failed)
        this = _Run(opened, points, progress, simulate)
        try:
            if points:
                this.report(starting=True)
                count = min(workers or physical_cores(), len(points))
                with remote_cluster(scheduler) if scheduler else local_cluster(count) as cluster:
                    this.compute_on(cluster)
        except KeyboardInterrupt:
            done, failed, _ = opened.counts()
            raise Interrupted(
                f"stopped, {done + failed} of {campaign.size} points are finished",
                str(opened.path),
                "The same command goes on from here",
            ) from None
        return this.outcome()
