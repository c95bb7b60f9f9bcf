"""``ddk-device pulses``, ``iv`` and ``resume`` as a person runs them: real solver, real kills."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

pytest.importorskip("mpi4py.MPI")  # before dolfinx
pytest.importorskip("dolfinx")

from ddkbase import records
from devicephys.run import folder as runfolder
from devicephys.verification.balances import find_mpiexec

pytestmark = [pytest.mark.fem, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "devicephys.cli"]
SEARCH = os.pathsep.join(p for p in (str(ROOT), os.environ.get("PYTHONPATH", "")) if p)
ENVIRONMENT = {**os.environ, "PYTHONPATH": SEARCH, "OMP_NUM_THREADS": "1", "COLUMNS": "120"}
TRAIN = (
    "pulses",
    "--every-pulse",
    "--preset",
    "quick",
    "--count",
    "12",
    "--seed",
    "3",
    "--device-number",
    "1",
)


def start(*arguments: object, ranks: int = 1) -> subprocess.Popen[str]:
    launcher = [] if ranks == 1 else [find_mpiexec() or "", "-n", str(ranks)]
    return subprocess.Popen(
        [*launcher, *COMMAND, *map(str, arguments)],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(job: subprocess.Popen[str]) -> str:
    stdout, stderr = job.communicate(timeout=300)
    assert job.returncode == 0, stderr
    return stdout


def pulses_in(out: Path) -> int:
    """The last pulse that the log tells of, once there is a checkpoint; else 0."""
    if not (out / runfolder.CHECKPOINT).exists():
        return 0
    found = re.findall(r"^pulse (\d+) of", (out / runfolder.LOG).read_text(), re.MULTILINE)
    return int(found[-1])


def kill_after(job: subprocess.Popen[str], out: Path, pulses: int) -> None:
    deadline = time.monotonic() + 200
    while pulses_in(out) < pulses:
        assert job.poll() is None, job.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    job.send_signal(signal.SIGKILL)
    job.communicate(timeout=300)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> xr.Dataset:
    out = tmp_path_factory.mktemp("train") / "run"
    finish(start(*TRAIN, "--out", out))
    assert {path.name for path in out.iterdir()} == set(runfolder.PULSE_FILES)
    return records.read(out / runfolder.PULSE_RECORD, "PulseTrace")


def test_a_train_killed_three_times_is_the_same_to_the_last_bit(
    undisturbed: xr.Dataset, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    job = start(*TRAIN, "--out", out, "--checkpoint-every", 1)
    for pulses in (2, 5, 9):
        kill_after(job, out, pulses)
        job = start("resume", out)
    finish(job)
    log = (out / runfolder.LOG).read_text()
    assert log.count(": from its checkpoint\n") == 3
    assert {path.name for path in out.iterdir()} == set(runfolder.PULSE_FILES)
    xr.testing.assert_equal(records.read(out / runfolder.PULSE_RECORD), undisturbed)
    assert "nothing to do" in finish(start("resume", out))


@pytest.mark.skipif(find_mpiexec() is None, reason="no mpiexec")
def test_a_killed_train_goes_on_with_two_ranks(undisturbed: xr.Dataset, tmp_path: Path) -> None:
    out = tmp_path / "run"
    job = start(*TRAIN, "--out", out, "--checkpoint-every", 2)
    kill_after(job, out, 4)
    finish(start("resume", out, ranks=2))
    found = records.read(out / runfolder.PULSE_RECORD, "PulseTrace")
    assert found.attrs["ranks"] == 2
    for name in ("conductance", "current", "temperature_max", "energy"):
        np.testing.assert_allclose(found[name].values, undisturbed[name].values, rtol=1e-6)


def test_a_stopped_train_keeps_its_part_and_goes_on(
    undisturbed: xr.Dataset, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    job = start(*TRAIN, "--out", out, "--checkpoint-every", 1)
    while pulses_in(out) < 3:
        assert job.poll() is None, job.communicate()[1]
        time.sleep(0.01)
    job.send_signal(signal.SIGTERM)
    _, stderr = job.communicate(timeout=300)
    assert job.returncode == 130, stderr
    part = records.read(out / runfolder.PULSE_RECORD, "PulseTrace")
    assert part.attrs["complete"] == 0
    assert part.sizes["pulse"] >= 3
    same = undisturbed.isel(pulse=slice(0, part.sizes["pulse"]))
    end = "end_concentration"  # of another pulse
    xr.testing.assert_equal(part.drop_vars(end), same.drop_vars(end))
    finish(start("resume", out))
    xr.testing.assert_equal(records.read(out / runfolder.PULSE_RECORD), undisturbed)


def test_a_killed_loop_is_the_same_to_the_last_bit(tmp_path: Path) -> None:
    loop = ("iv", "--preset", "quick")
    finish(start(*loop, "--out", tmp_path / "whole"))
    out = tmp_path / "killed"
    job = start(*loop, "--out", out, "--checkpoint-every", 10)
    while not (out / runfolder.CHECKPOINT).exists():
        assert job.poll() is None, job.communicate()[1]
        time.sleep(0.01)
    job.send_signal(signal.SIGKILL)
    job.communicate(timeout=300)
    assert not (out / runfolder.RECORD).exists()
    finish(start("resume", out))
    assert ": from its checkpoint\n" in (out / runfolder.LOG).read_text()
    assert {path.name for path in out.iterdir()} == set(runfolder.LOOP_FILES)
    whole, killed = (
        records.read(folder / runfolder.RECORD, "IVTrace") for folder in (tmp_path / "whole", out)
    )
    xr.testing.assert_equal(killed, whole)
