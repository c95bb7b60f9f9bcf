"""What many cores make of a campaign: a schedule simulated from measured durations.

``python tests/benchmarks/campaign_schedule.py`` computes points drawn from the shipped campaigns as
a worker does, writes them into a store, and measures processor seconds of each point and the time
of writing it. A list schedule hands all points of the four campaigns, with durations drawn from
these, to 2, 8, 64 and 512 workers, which start first; what comes back is written by one process, as
in a campaign. Printed as a Markdown table.
"""

from __future__ import annotations

import argparse
import heapq
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from devicephys import Settings
from devicephys.campaign import Campaign
from devicephys.campaign.store import CampaignStore
from devicephys.campaign.worker import compute, task, warm_up

CAMPAIGNS = ("fig2b", "fig2c", "fig2d", "s8")
WORKERS = (2, 8, 64, 512)


def measured(name: str, preset: str, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Processor seconds of drawn points of a campaign, and of writing each."""
    settings = Settings.preset(preset)
    campaign = Campaign.from_file(name).model_copy(update={"settings": settings})
    rng = np.random.default_rng(seed)
    computing, writing = [], []
    with (
        tempfile.TemporaryDirectory() as folder,
        CampaignStore.open(Path(folder) / "points.zarr", campaign) as store,
    ):
        points = store.missing(retry_failed=False)
        warm_up(task(campaign, points[0]))
        for index in rng.choice(len(points), count, replace=False):
            begin = time.process_time()
            answer = compute(task(campaign, points[index]))
            computing.append(time.process_time() - begin)
            if "arrays" not in answer:
                raise SystemExit(f"{name}: {answer}")
            begin = time.perf_counter()  # waits for the disk, too
            store.write(points[index], answer["arrays"])
            writing.append(time.perf_counter() - begin)
    return np.array(computing), np.array(writing)


def makespan(durations: np.ndarray, workers: int, start: float, write: float) -> float:
    """Wall time of a list schedule with one writer [s].

    Each worker begins after ``start``; a result is written for ``write`` when its turn comes, while
    its worker goes on.
    """
    free = [start] * min(workers, len(durations))
    heapq.heapify(free)
    ends = sorted(heapq.heapreplace(free, free[0] + each) + each for each in durations)
    written = 0.0
    for end in ends:
        written = max(written, end) + write
    return written


def duration(seconds: float) -> str:
    """A wall time as one reads it."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def main() -> None:
    """Measure, schedule, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--preset", nargs="+", default=["quick", "default"])
    parser.add_argument("--points", type=int, default=12, help="points measured of each campaign")
    parser.add_argument("--start", type=float, default=8.0, help="start of a worker (s)")
    options = parser.parse_args()
    print("| preset | a point (s) | writing it (ms) |", end="")
    print("".join(f" {n} workers |" for n in WORKERS) + f" share of {WORKERS[-2]} that computes |")
    print("| --- |" + " ---: |" * (3 + len(WORKERS)))
    for preset in options.preset:
        rng = np.random.default_rng(1)
        drawn, writing = [], []
        for name in CAMPAIGNS:
            seconds, writes = measured(name, preset, options.points, 1)
            drawn.append(rng.choice(seconds, Campaign.from_file(name).size))
            writing.append(writes)
        all_points = rng.permutation(np.concatenate(drawn))
        write = float(np.median(np.concatenate(writing)))
        spans = [makespan(all_points, n, options.start, write) for n in WORKERS]
        share = all_points.sum() / (WORKERS[-2] * spans[-2])
        cells = [preset, f"{all_points.mean():.2f}", f"{1e3 * write:.0f}", *map(duration, spans)]
        print("| " + " | ".join([*cells, f"{share:.0%}"]) + " |", flush=True)


if __name__ == "__main__":
    main()
