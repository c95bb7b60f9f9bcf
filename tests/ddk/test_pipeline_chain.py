"""The whole chain with the real solver on coarse meshes: stopped, killed, changed."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
FILE = """
preset: quick
loop: {}
pulses: {amplitude: -2 V, count: 6, initial_resistance: 5 kohm}
campaign:
  pulses: {count: 12}
  grid: {amplitude: [-2 V, -2.5 V, -3 V]}
  initial_resistance: 6 kohm
  cycles: 2
  seed: 1
fit: {}
network: {task: digits, quick: true, epochs: EPOCHS, draws: 2}
controls: {seeds: 1, models: [ddk-table, raw]}
hardware: {seeds: 1}
compile: {layout: compact}
"""
SIMULATED = ("loop", "pulses", "campaign")


def start(source: Path, out: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "ddk.cli", "pipeline", str(source), "--out", str(out)]
    return subprocess.Popen(
        [*command, "--workers", "1"],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait(job: subprocess.Popen[str], there: Callable[[], bool], seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not there():
        assert job.poll() is None, job.communicate()
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.02)


def to_the_end(source: Path, out: Path) -> str:
    job = start(source, out)
    output, errors = job.communicate(timeout=500)
    assert job.returncode == 0, errors
    return output


def points(out: Path) -> dict[Path, bytes]:
    """Finished points of the campaign: the chunks of their conductance."""
    store = out / "campaign" / "trains.zarr"
    done = [p.name for p in (store / "status").glob("c.*") if not p.name.endswith(".partial")]
    return {store / "conductance" / f"{name}.0": _chunk(store, name) for name in done}


def _chunk(store: Path, name: str) -> bytes:
    return (store / "conductance" / f"{name}.0").read_bytes()


@pytest.mark.fem
@pytest.mark.slow
def test_stopped_killed_and_changed_it_does_what_is_missing(tmp_path: Path) -> None:
    for module in ("dolfinx", "sklearn"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    source, out = tmp_path / "mine.yaml", tmp_path / "out"
    source.write_text(FILE.replace("EPOCHS", "1"))

    job = start(source, out)
    wait(job, lambda: (out / "loop" / "checkpoint.npz").exists())
    job.send_signal(signal.SIGTERM)
    _, errors = job.communicate(timeout=300)
    assert job.returncode == 130, errors
    last = errors.splitlines()[-1]
    assert last.startswith("error: step 'loop': interrupted") and "The same command goes on" in last

    job = start(source, out)
    wait(job, lambda: len(points(out)) >= 2)
    job.kill()
    assert "goes on from its checkpoint" in job.communicate()[1]
    kept = points(out)
    assert 0 < len(kept) < 6
    loop = (out / "loop" / "iv.nc").read_bytes()
    assert not (out / "fit").exists()
    time.sleep(3)  # the workers end with the process that started them

    output = to_the_end(source, out)
    assert "loop: kept" in output and "pulses: kept" in output and "campaign: goes on" in output
    assert (out / "loop" / "iv.nc").read_bytes() == loop
    whole = points(out)
    assert len(whole) == 6
    assert all(whole[path] == content for path, content in kept.items())
    text = (out / "report.html").read_text()
    for words in ("RESET onset", "R²", "hybrid", "TOPS/W", "ddk-table"):
        assert words in text
    for step in ("loop", "pulses", "fit", "network/ddk", "controls/comparison"):
        file = f"{step}/report.html"
        assert (out / file).is_file() and f'href="{file}"' in text
    one = _numbers(out)

    source.write_text(FILE.replace("EPOCHS", "2"))
    output = to_the_end(source, out)
    for step in (*SIMULATED, "fit"):
        assert f"{step}: kept" in output
    for step in ("network", "controls", "hardware"):
        assert f"{step}: to do again, changed: task.training.epochs" in output
    assert (out / "loop" / "iv.nc").read_bytes() == loop and points(out) == whole
    np.testing.assert_array_equal(_numbers(out), one)


def _numbers(out: Path) -> np.ndarray:
    from compact.table.table import AlphaBetaTable

    return np.asarray(AlphaBetaTable.read(out / "fit" / "table.nc").dataset["alpha"].values)
