"""Kill a campaign with the real solver at random moments; its table must not show it.

The whole process group gets SIGKILL: while Python starts, while the store is made, while the
workers start, while points are computed and written. In the end the table has to equal that of a
campaign that nobody disturbed, to the last bit. Prints what happened; exit code 1 if they differ.

    python tests/benchmarks/kill_campaign.py [--kills 20] [--workers 2] [--keep DIR]
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from devicephys.campaign import open_store

FILE = """
name: kill
pulses: {count: 4}
grid:
  amplitude: [-2 V, -2.2 V, -2.4 V]
  width: [50 ns, 100 ns]
cycles: 3
devices: 2
preset: quick
seed: 7
"""


def start(source: Path, store: Path, workers: int) -> subprocess.Popen[bytes]:
    """The command in a process group of its own."""
    command = [
        sys.executable,
        "-m",
        "devicephys.cli",
        "campaign",
        str(source),
        "--out",
        str(store),
    ]
    return subprocess.Popen(
        [*command, "--workers", str(workers)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def to_the_end(source: Path, store: Path, workers: int) -> float:
    """Seconds that the command takes."""
    begun = time.monotonic()
    running = start(source, store, workers)
    _, errors = running.communicate()
    if running.returncode:
        sys.exit(f"exit code {running.returncode}: {errors.decode()}")
    return time.monotonic() - begun


def finished(store: Path) -> int:
    """Number of points whose status is written."""
    names = [entry.name for entry in (store / "status").glob("c.*")]
    return sum(not name.endswith(".partial") for name in names)


def kill_once(source: Path, store: Path, workers: int, random: np.random.Generator) -> float:
    """Start the campaign and kill it; returns after how many seconds.

    Half of the kills come at any moment of the start, half while points are computed.
    """
    before, begun = finished(store), time.monotonic()
    running = start(source, store, workers)
    if random.random() < 0.5:
        time.sleep(random.uniform(0.3, 12.0))
    else:
        while finished(store) == before and running.poll() is None:
            time.sleep(0.01)
        time.sleep(random.uniform(0.0, 2.0))
    if running.poll() is not None:
        sys.exit("the campaign ended before it was killed: ask for fewer kills")
    os.killpg(running.pid, signal.SIGKILL)
    running.communicate()
    return time.monotonic() - begun


def compare(one: Path, other: Path) -> list[str]:
    """Names of the arrays that differ in any bit."""
    first, second = open_store(one).load(), open_store(other).load()
    return [
        str(name)
        for name in first.variables
        if first[name].values.tobytes() != second[name].values.tobytes()
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder for both stores")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        source = folder / "kill.yaml"
        source.write_text(FILE, encoding="utf-8")
        whole, store = folder / "whole.zarr", folder / "killed.zarr"
        seconds = to_the_end(source, whole, options.workers)
        print(f"undisturbed: {finished(whole)} points in {seconds:.0f} s", flush=True)
        random = np.random.default_rng(options.seed)
        for number in range(1, options.kills + 1):
            after = kill_once(source, store, options.workers, random)
            made = f"{finished(store)} points" if store.exists() else "no store yet"
            print(f"kill {number:2d} after {after:5.1f} s: {made}", flush=True)
        left = finished(whole) - finished(store)
        seconds = to_the_end(source, store, options.workers)
        print(f"to the end: {left} points in {seconds:.0f} s", flush=True)
        different = compare(whole, store)
        print(f"arrays that differ: {', '.join(different) or 'none'}")
    return bool(different)


if __name__ == "__main__":
    sys.exit(main())
