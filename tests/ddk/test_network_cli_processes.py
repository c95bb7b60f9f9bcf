"""``ddk-network`` as a process: killed, stopped, started again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ddk.studies.comparison import read_comparison

ROOT = Path(__file__).resolve().parents[2]


def start(
    folder: Path, *more: str, seeds: int = 4, new_group: bool = False
) -> subprocess.Popen[str]:
    command = [
        sys.executable, "-m", "ddk.cli", "compare", "--task", "digits", "--quick",
        "--models", "raw,sum", "--seeds", str(seeds), "--out", str(folder), *more,
    ]  # fmt: skip
    return subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=new_group,
    )


def wait_for_runs(job: subprocess.Popen[str], count: int) -> None:
    assert job.stdout is not None
    for line in job.stdout:
        if line.startswith(f"[{count}/"):
            return
    raise AssertionError(job.communicate()[1])


@pytest.mark.slow
@pytest.mark.parametrize("processes", ["1", "2"])
def test_killed_and_started_again_it_goes_on(tmp_path: Path, processes: str) -> None:
    folder = tmp_path / "c"
    job = start(folder, "--processes", processes)
    wait_for_runs(job, 2)
    job.kill()
    job.communicate()
    kept = {path: path.read_bytes() for path in (folder / "runs").glob("*.json")}
    assert 2 <= len(kept) < 8
    assert all(json.loads(content)["confusion"] for content in kept.values())
    assert not (folder / "comparison.nc").exists()
    again = start(folder)
    output, errors = again.communicate(timeout=300)
    assert again.returncode == 0, errors
    assert f"{len(kept)} of 8 runs are there already" in output
    for path, content in kept.items():
        assert path.read_bytes() == content
    whole = start(tmp_path / "w")
    assert whole.communicate(timeout=300) and whole.returncode == 0
    one, other = (read_comparison(f / "comparison.nc") for f in (folder, tmp_path / "w"))
    np.testing.assert_array_equal(one["accuracy"], other["accuracy"])
    np.testing.assert_array_equal(one["cross_entropy"], other["cross_entropy"])


@pytest.mark.slow
def test_stopped_by_a_signal_it_says_so(tmp_path: Path) -> None:
    job = start(tmp_path / "c", seeds=2000)
    wait_for_runs(job, 1)
    second = start(tmp_path / "c")
    assert "another process is at work" in second.communicate(timeout=300)[1]
    assert second.returncode == 4
    job.send_signal(signal.SIGTERM)
    _, errors = job.communicate(timeout=300)
    assert job.returncode == 130
    (line,) = errors.splitlines()
    assert line.startswith("error: ") and "stopped" in line


def test_ctrl_c_while_the_commands_load_is_one_line() -> None:
    code = (
        "import builtins, sys\nfrom ddk.cli import main\n"
        "print([m for m in ('typer', 'numpy', 'devicephys') if m in sys.modules])\n"
        "load = builtins.__import__\n"
        "def stopped(name, *rest):\n"
        "    if name == 'typer':\n        raise KeyboardInterrupt\n    return load(name, *rest)\n"
        "builtins.__import__ = stopped\nmain()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "[]\n"
    assert (done.returncode, done.stderr) == (130, "error: stopped\n")


@pytest.mark.slow
def test_workers_end_with_a_killed_parent(tmp_path: Path) -> None:
    job = start(tmp_path / "c", "--processes", "2", "--epochs", "100000")
    children = Path(f"/proc/{job.pid}/task/{job.pid}/children")
    if not children.exists():
        job.kill()
        pytest.skip("the kernel does not tell of children")
    deadline = time.monotonic() + 120
    found: list[int] = []
    while len(found) < 3 and time.monotonic() < deadline:  # two workers and a resource tracker
        time.sleep(0.2)
        found = [int(pid) for pid in children.read_text().split()]
    assert len(found) >= 3
    time.sleep(3)
    job.kill()
    job.communicate()
    deadline = time.monotonic() + 60
    while any(_alive(pid) for pid in found) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not any(_alive(pid) for pid in found)


@pytest.mark.slow
def test_two_workers_end_at_once_when_all_are_interrupted(tmp_path: Path) -> None:
    """As a terminal does it: Ctrl-C goes to all processes, in the middle of a long run."""
    job = start(tmp_path / "c", "--processes", "2", "--epochs", "100000", new_group=True)
    workers = _workers(job)
    time.sleep(3)
    os.killpg(job.pid, signal.SIGINT)
    _, errors = job.communicate(timeout=300)
    assert (job.returncode, errors) == (130, "error: stopped\n")
    assert not any(_alive(pid) for pid in workers)
    assert not (tmp_path / "c").exists()  # made for nothing: no run was finished


@pytest.mark.slow
def test_a_killed_worker_ends_the_command_with_one_line(tmp_path: Path) -> None:
    job = start(tmp_path / "c", "--processes", "2", "--epochs", "100000")
    workers = _workers(job)
    time.sleep(3)
    os.kill(workers[0], signal.SIGKILL)
    _, errors = job.communicate(timeout=300)
    assert job.returncode == 2 and errors.count("\n") == 1
    assert errors.startswith("error: a worker process ended")


def _workers(job: subprocess.Popen[str]) -> list[int]:
    children = Path(f"/proc/{job.pid}/task/{job.pid}/children")
    if not children.exists():
        job.kill()
        pytest.skip("the kernel does not tell of children")
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        time.sleep(0.2)
        found = [
            int(pid)
            for pid in children.read_text().split()
            if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()
        ]
        if len(found) == 2:
            return found
    raise AssertionError("there are no two workers")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "zombie" not in Path(f"/proc/{pid}/status").read_text()
