"""Files of a million rows through `ddk-compact fit`: time, and the largest memory, of each kind.

    python tests/benchmarks/long_files.py            all kinds, one after the other
    python tests/benchmarks/long_files.py --profile  and where the time of each goes

One train of a million pulses; the same with semicolons and decimal commas; a thousand trains of a
thousand pulses, told apart by a column; as many, up and down, told apart by amplitude and width.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

ROWS, TRAINS = 1_000_000, 1_000
PULSES = ROWS // TRAINS
LOW, HIGH = 1e-6, 1e-4  # S
SEED = 0


def train(rng: np.random.Generator, pulses: int, rate: float, noise: float) -> np.ndarray:
    """Conductances [S] that settle, with noise that is a share of each."""
    rise = LOW + (HIGH - LOW) * (1 - np.exp(-rate * np.arange(1, pulses + 1)))
    return np.asarray(rise * (1 + noise * rng.standard_normal(pulses)))


def one_train(rng: np.random.Generator) -> Iterator[str]:
    """Lines of one train of all rows."""
    yield "pulse,conductance (S)"
    for k, g in enumerate(train(rng, ROWS, 3 / ROWS, 1e-3).tolist(), start=1):
        yield f"{k},{g:.6e}"


def decimal_commas(rng: np.random.Generator) -> Iterator[str]:
    """The same as a German spreadsheet writes it."""
    yield "pulse;conductance (uS)"
    for k, g in enumerate(train(rng, ROWS, 3 / ROWS, 1e-3).tolist(), start=1):
        yield f"{k};{1e6 * g:.5f}".replace(".", ",")


def many_trains(rng: np.random.Generator) -> Iterator[str]:
    """Lines of many trains and the column that tells them apart."""
    yield "train,pulse,conductance (S)"
    for number in range(1, TRAINS + 1):
        rate = 3 / PULSES * (1 + 0.3 * rng.uniform(-1, 1))
        for k, g in enumerate(train(rng, PULSES, rate, 1e-2).tolist(), start=1):
            yield f"{number},{k},{g:.6e}"


def amplitudes(rng: np.random.Generator) -> Iterator[str]:
    """Lines of trains up and down, which their amplitudes and pulse numbers tell apart."""
    yield "pulse,amplitude (V),width (s),conductance (S)"
    for number in range(TRAINS):
        values = train(rng, PULSES, 4 / PULSES, 1e-2).tolist()
        volts = -1.5 if number % 2 else 1.5
        for k, g in enumerate(values[::-1] if number % 2 else values, start=1):
            yield f"{k},{volts},1e-6,{g:.6e}"


KINDS = {
    "one train": one_train,
    "semicolons, decimal commas": decimal_commas,
    "1,000 trains by a column": many_trains,
    "1,000 trains by amplitude": amplitudes,
}


def fitted(file: Path, settings: list[str], profiled: bool) -> tuple[float, float]:
    """Seconds of the whole command and of the processor."""
    profile = ["-m", "cProfile", "-s", "cumtime"] if profiled else []
    command = [
        sys.executable, *profile, "-m", "compact.cli", "fit", str(file), *settings,
        "--out", str(file.with_suffix(".nc")),
    ]  # fmt: skip
    env = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if profiled:
        lines = done.stdout[done.stdout.index("Ordered by") :].splitlines()
        print("\n".join(lines[:40]))
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", action="store_true", help="print where the time goes")
    profiled = parser.parse_args().profile
    print("| file of 1,000,000 rows | size (MB) | time (s) | processor (s) | memory so far (MB) |")
    print("|---|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        for name, lines in KINDS.items():
            file = Path(folder) / "long.csv"
            with file.open("w", encoding="utf-8") as stream:
                stream.writelines(f"{line}\n" for line in lines(np.random.default_rng(SEED)))
            named = lines is amplitudes
            settings = [] if named else ["--amplitude", "1 V", "--width", "1 us"]
            size = file.stat().st_size / 1e6
            wall, processor = fitted(file, [*settings, "--overwrite"], profiled)
            memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
            print(f"| {name} | {size:.0f} | {wall:.0f} | {processor:.0f} | {memory:.0f} |")
