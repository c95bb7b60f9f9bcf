"""``ddk-device resume``: a run that was killed or stopped goes on, whatever was left of it.

A drawn result stands in for the solver (`tests.fake_solver`); the processes are real, and so are
the signals that end them.
"""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import time
from pathlib import Path

import pytest

from ddkbase import records
from ddkbase.errors import Interrupted
from devicephys.run import folder as runfolder
from devicephys.simulation.checkpoint import Checkpoint
from tests import fake_solver
from tests.cli_tools import call, error_line, names, process, wait_for
from tests.synthetic import pulse_trace

pytestmark = pytest.mark.usefixtures("settled")
KINDS = {
    "iv": (("iv",), "iv.nc", set(runfolder.LOOP_FILES), "loop"),
    "pulses": (("pulses", "--count", "20"), "pulses.nc", set(runfolder.PULSE_FILES), "train"),
}
kinds = pytest.mark.parametrize("kind", KINDS)


def kill(job: subprocess.Popen[str]) -> None:
    job.send_signal(signal.SIGKILL)
    job.communicate(timeout=300)
    assert job.returncode == -signal.SIGKILL


def killed(kind: str, out: Path, at: int, *more: object) -> None:
    """Start a run and kill it when its solver is at a step."""
    job = process(*KINDS[kind][0], "--out", out, *more, behaviour="slow")
    wait_for(job, at)
    kill(job)


@kinds
def test_a_killed_run_goes_on_from_its_checkpoint(kind: str, tmp_path: Path) -> None:
    _, record, files, noun = KINDS[kind]
    killed(kind, tmp_path / "run", 12, "--checkpoint-every", 5)
    kept = {"checkpoint.npz", "request.json", "device.yaml", "run.log"}
    assert names(tmp_path / "run") == kept
    (tmp_path / "run" / ".checkpoint.npz.0123456789ab.part").write_text("half")
    result = call("resume", tmp_path / "run", behaviour="steady")
    assert result.exit_code == 0, result.output
    assert f"the {noun} goes on from its checkpoint" in result.stderr
    assert names(tmp_path / "run") == files
    attrs = records.read(tmp_path / "run" / record).attrs
    assert (attrs["complete"], attrs["started"]) == (1, 10)
    log = (tmp_path / "run" / "run.log").read_text()
    assert ": from its checkpoint\n" in log
    assert log.startswith("2") and log.rstrip().endswith("done")
    again = call("resume", tmp_path / "run", behaviour="crash")
    assert (again.exit_code, again.stderr) == (0, "")
    assert again.stdout == f"nothing to do: the {noun} in {tmp_path / 'run' / record} is complete\n"


@kinds
@pytest.mark.parametrize("more", [(), ("--checkpoint-every", 50)], ids=["none", "too late"])
def test_a_run_without_checkpoint_goes_on_from_the_start(
    kind: str, more: tuple[object, ...], tmp_path: Path
) -> None:
    _, record, files, _ = KINDS[kind]
    killed(kind, tmp_path / "run", 3, *more)
    result = call("resume", tmp_path / "run", behaviour="steady")
    assert result.exit_code == 0, result.output
    assert "from the start: there is no checkpoint" in result.stderr
    assert names(tmp_path / "run") == files
    assert records.read(tmp_path / "run" / record).attrs["started"] == 0


@pytest.mark.slow
@kinds
def test_a_stopped_run_goes_on_and_its_part_is_replaced(kind: str, tmp_path: Path) -> None:
    arguments, record, files, _ = KINDS[kind]
    out = tmp_path / "run"
    job = process(*arguments, "--out", out, "--checkpoint-every", 2, behaviour="slow")
    wait_for(job, 6)
    job.send_signal(signal.SIGINT)
    _, stderr = job.communicate(timeout=300)
    assert job.returncode == 130, stderr
    assert stderr.rstrip().endswith(f"'ddk-device resume {out}' goes on from the checkpoint")
    assert names(out) == files | {"checkpoint.npz"}
    assert records.read(out / record).attrs["complete"] == 0
    pictures = {path: path.stat().st_mtime_ns for path in out.glob("*.png")}

    job = process("resume", out, behaviour="slow")  # stopped once more
    wait_for(job, 9)
    job.send_signal(signal.SIGTERM)
    job.communicate(timeout=300)
    assert job.returncode == 130
    assert records.read(out / record).attrs["complete"] == 0

    assert call("resume", out, behaviour="steady").exit_code == 0
    attrs = records.read(out / record).attrs
    assert attrs["complete"] == 1
    assert attrs["started"] >= 6
    assert names(out) == files
    assert all(path.stat().st_mtime_ns > before for path, before in pictures.items())


def test_a_part_that_reaches_further_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call("pulses", "--out", tmp_path, "--count", 20, behaviour="gives-up").exit_code == 3
    before = (tmp_path / "pulses.nc").read_bytes()

    def stop(*_: object, **__: object) -> None:
        raise Interrupted("stopped by the user", partial=pulse_trace(count=3))

    monkeypatch.setattr(fake_solver.PulseSimulator, "__call__", stop)
    result = call("resume", tmp_path)
    assert result.exit_code == 130
    assert (
        f"stopped by the user. {tmp_path / 'pulses.nc'} stays as it was: 8 pulses" in result.stderr
    )
    assert (tmp_path / "pulses.nc").read_bytes() == before


@pytest.mark.parametrize("behaviour", ["slow-start", "crash", "gives-up-at-once"])
def test_what_was_there_stays_if_the_restart_fails(behaviour: str, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert call("pulses", "--out", out, "--count", 20, behaviour="gives-up").exit_code == 3
    Checkpoint(out, 1).save({}, {})
    before = {path.name: path.read_bytes() for path in out.iterdir() if path.name != "run.log"}
    job = process("resume", out, behaviour=behaviour)
    if behaviour == "slow-start":
        assert job.stdout is not None
        assert job.stdout.readline() == "started\n"
        job.send_signal(signal.SIGINT)
    _, stderr = job.communicate(timeout=300)
    code, end = {
        "slow-start": (130, f"'ddk-device resume {out}' goes on."),
        "crash": (1, f"The traceback is in {out / 'run.log'}"),
        "gives-up-at-once": (3, "Try --preset fine"),
    }[behaviour]
    assert job.returncode == code
    assert stderr.rstrip().endswith(end)
    after = {path.name: path.read_bytes() for path in out.iterdir() if path.name != "run.log"}
    assert after == before


def test_a_run_killed_while_it_drew_gets_what_is_missing(tmp_path: Path) -> None:
    assert call("iv", "--out", tmp_path, "--checkpoint-every", 5).exit_code == 0
    record = (tmp_path / "iv.nc").read_bytes()
    for name in ("fields.png", "loop.gif"):
        (tmp_path / name).unlink()
    Checkpoint(tmp_path, 5).save({}, {})
    result = call("resume", tmp_path, behaviour="crash")
    assert result.exit_code == 0
    assert str(tmp_path / "fields.png") in result.stdout
    assert names(tmp_path) == set(runfolder.LOOP_FILES)
    assert (tmp_path / "iv.nc").read_bytes() == record


def test_what_cannot_go_on_is_one_line(tmp_path: Path) -> None:
    assert "no such folder" in error_line(call("resume", tmp_path / "none"), 4)
    assert "request.json is missing" in error_line(call("resume", tmp_path), 4)
    assert "empty (DIR)" in error_line(call("resume", ""), 2)
    assert list(tmp_path.iterdir()) == []
    out = tmp_path / "run"
    killed("pulses", out, 4, "--checkpoint-every", 2)
    content = (out / "checkpoint.npz").read_bytes()
    (out / "checkpoint.npz").write_bytes(content[:-100])
    line = error_line(call("resume", out), 4)
    assert "the checkpoint cannot be used: cut off, damaged" in line
    assert str(out / "checkpoint.npz") in line
    (out / "checkpoint.npz").write_bytes(content)
    (out / "pulses.nc").write_bytes(b"damaged")
    assert "Move this file away" in error_line(call("resume", out), 4)
    (out / "pulses.nc").unlink()
    request = (out / "request.json").read_text()
    (out / "request.json").write_text(request[:-9])
    assert "holds no request of a run" in error_line(call("resume", out), 4)
    (out / "request.json").write_text(request)
    assert call("resume", out, behaviour="steady").exit_code == 0


def test_of_two_processes_one_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "run"
    job = process("pulses", "--out", out, "--checkpoint-every", 1, behaviour="slow")
    wait_for(job, 3)
    assert "another process is still at work" in error_line(call("resume", out), 4)
    line = error_line(call("pulses", "--out", out), 4)
    assert "exists" in line and f"or 'ddk-device resume {out}' to go on" in line
    kill(job)
    first, second = (process("resume", out, behaviour="steady") for _ in range(2))
    ends = [(job.communicate(timeout=300)[1], job.returncode) for job in (first, second)]
    # who comes first goes on; the other one is refused, or finds nothing left to do
    codes = sorted(code for _, code in ends)
    assert codes in ([0, 4], [0, 0])
    assert all(code == 0 or "another process is still at work" in text for text, code in ends)
    assert records.read(out / "pulses.nc").attrs["complete"] == 1


@pytest.mark.slow
@kinds
def test_a_run_killed_again_and_again_comes_to_its_end(kind: str, tmp_path: Path) -> None:
    arguments, record, files, _ = KINDS[kind]
    out, rng = tmp_path / "run", random.Random(2)
    # no process gets further than ten steps, however late it is killed
    env = {**os.environ, "FAKE_STEPS": "10"}
    job = process(*arguments, "--out", out, "--checkpoint-every", 1, behaviour="steady", env=env)
    reached = 0
    for kills in range(1, 7):
        wait_for(job, reached + 1)
        time.sleep(rng.uniform(0.0, 0.15))
        kill(job)
        found = Checkpoint(out, 1).load()
        assert found is not None or reached == 0
        reached = int(found[0]["k"]) if found is not None else 0
        job = process("resume", out, behaviour="steady", env=env if kills < 6 else None)
    _, stderr = job.communicate(timeout=300)
    assert job.returncode == 0, stderr
    assert names(out) == files
    attrs = records.read(out / record).attrs
    assert (attrs["complete"], attrs["started"]) == (1, reached)


def test_a_disk_too_full_for_checkpoints_does_not_cost_the_run(tmp_path: Path) -> None:
    job = process(
        "pulses",
        "--out",
        tmp_path / "run",
        "--count",
        20,
        "--checkpoint-every",
        5,
        behaviour="steady",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000)),
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    _, stderr = job.communicate(timeout=300)
    assert stderr.count("warning: no checkpoint could be written") == 1, stderr
    assert job.returncode == 0, stderr
    assert names(tmp_path / "run") == set(runfolder.PULSE_FILES)
