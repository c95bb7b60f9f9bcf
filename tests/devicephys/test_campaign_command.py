"""``ddk-device campaign`` as a process: exit codes, signals, and what survives a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import xarray as xr
from typer.testing import CliRunner

from devicephys.campaign.execution import CampaignState
from devicephys.campaign.layout import open_store
from devicephys.cli.campaign_progress import duration, line
from devicephys.cli.commands import app

ROOT = Path(__file__).resolve().parents[2]
#: after which something hangs, however busy the machine is [s]
PATIENCE = 300.0
FILE = """
name: trial
pulses: {count: 6}
grid:
  amplitude: [-2 V, -3 V]
  initial_resistance: [5 kohm, 9 kohm]
cycles: 6
preset: quick
seed: 5
"""


@pytest.fixture
def held(tmp_path: Path) -> Path:
    """As long as it is there, points wait in processes that are given it as ``FAKE_HOLD``."""
    path = tmp_path / "held"
    path.touch()
    return path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "c.yaml"
    path.write_text(FILE)
    return path


def process(*arguments: object, sleep: float = 0.0, **more: object) -> subprocess.Popen[str]:
    said = {"FAKE_SLEEP": sleep, "COLUMNS": 160, **more}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.fake_pulses", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, **{name: str(value) for name, value in said.items()}},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a process group of its own, to be killed as a whole
    )


def finish(running: subprocess.Popen[str]) -> tuple[int, str, str]:
    output, errors = running.communicate(timeout=PATIENCE)
    return running.returncode, output, errors


def points_in(store: Path) -> int:
    """How many points are written; a file that is being written has a temporary name."""
    names = [entry.name for entry in (store / "status").glob("c.*")]
    return sum(not name.endswith(".partial") for name in names)


def wait_until(condition: Callable[[], bool], running: subprocess.Popen[str]) -> None:
    """Until the condition holds, while the process goes on."""
    give_up = time.monotonic() + PATIENCE
    while not condition():
        assert running.poll() is None and time.monotonic() < give_up
        time.sleep(0.02)


def wait_for_points(store: Path, number: int, running: subprocess.Popen[str]) -> None:
    """Until so many points are finished."""
    wait_until(lambda: points_in(store) >= number, running)


def begun(log: Path) -> int:
    """How many points were begun by processes that were given the file as ``FAKE_LOG``."""
    return log.stat().st_size if log.exists() else 0


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    def is_alive(one: psutil.Process) -> bool:
        try:
            return one.is_running() and one.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    return [one for one in processes if is_alive(one)]


def are_gone(processes: list[psutil.Process]) -> bool:
    """Whether all of them end."""
    give_up = time.monotonic() + PATIENCE
    while alive(processes) and time.monotonic() < give_up:
        time.sleep(0.05)
    return not alive(processes)


def bits(store: Path) -> dict[str, bytes]:
    """Every array of a store as bytes, so that NaN compares equal to itself."""
    ds = open_store(store).load()
    return {str(name): np.ascontiguousarray(v.values).tobytes() for name, v in ds.variables.items()}


# how a campaign ends


def test_done(source: Path, tmp_path: Path) -> None:
    code, output, errors = finish(process("campaign", source, "--out", tmp_path / "c.zarr"))
    assert (code, errors) == (0, "")
    assert "24 of 24 points done, 0 left" in output
    assert str(tmp_path / "c.zarr") in output
    assert (open_store(tmp_path / "c.zarr")["status"] == 1).all()


@pytest.mark.slow
def test_some_points_failed(source: Path, tmp_path: Path) -> None:
    source.write_text(FILE.replace("-3 V", "-7 V"))
    arguments = ("campaign", source, "--out", tmp_path / "c.zarr")
    code, output, errors = finish(process(*arguments))
    assert code == 3
    assert errors.startswith("error: 12 of 24 points failed, 12 of them: SolverError: the temp")
    assert errors.count("\n") == 1 and "Traceback" not in errors
    code, output, errors = finish(process(*arguments))
    assert code == 3 and "0 in " in output  # nothing was computed again
    code, output, errors = finish(process(*arguments, "--retry-failed"))
    assert code == 3 and "12 in " in output


def test_another_campaign_is_refused(source: Path, tmp_path: Path) -> None:
    assert finish(process("campaign", source, "--out", tmp_path / "c.zarr"))[0] == 0
    source.write_text(FILE.replace("cycles: 6", "cycles: 7"))
    code, _, errors = finish(process("campaign", source, "--out", tmp_path / "c.zarr"))
    assert code == 2
    assert errors.startswith("error: 'cycles' is 7 here, but 6 in the store")


def test_two_at_once(source: Path, tmp_path: Path, held: Path) -> None:
    store, log = tmp_path / "c.zarr", tmp_path / "begun"
    first = process("campaign", source, "--out", store, FAKE_HOLD=held, FAKE_LOG=log)
    wait_until(lambda: begun(log) > 0, first)  # from then on it is at work until it may go on
    code, _, errors = finish(process("campaign", source, "--out", store))
    assert code == 4 and "another campaign is working on this store" in errors
    held.unlink()
    assert finish(first)[0] == 0
    assert not list(tmp_path.glob(".*"))  # the lock is gone


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "whole_group"),
    [(signal.SIGINT, True), (signal.SIGINT, False), (signal.SIGTERM, False)],
)
def test_stopped(source: Path, tmp_path: Path, held: Path, number: int, whole_group: bool) -> None:
    store, log = tmp_path / "c.zarr", tmp_path / "begun"
    running = process(
        *("campaign", source, "--out", store, "--workers", 2),
        FAKE_HOLD=held,
        FAKE_HOLD_FROM=10,
        FAKE_LOG=log,
        sleep=0.3,
    )
    wait_for_points(store, 3, running)
    children = psutil.Process(running.pid).children(recursive=True)
    (os.killpg if whole_group else os.kill)(running.pid, number)
    code, _, errors = finish(running)
    assert code == 130
    assert errors.startswith("error: stopped, ") and errors.count("\n") == 1
    finished = int((open_store(store)["status"] == 1).sum())
    assert 3 <= finished < 24 and f"{finished} of 24 points" in errors
    assert are_gone(children)
    code, output, _ = finish(process("campaign", source, "--out", store))
    assert code == 0 and f"{24 - finished} in " in output


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_within_long_points(source: Path, tmp_path: Path, held: Path, number: int) -> None:
    log = tmp_path / "begun"
    command = ("campaign", source, "--out", tmp_path / "c.zarr", "--workers", 2)
    running = process(*command, FAKE_HOLD=held, FAKE_LOG=log)  # points that never end
    wait_until(lambda: begun(log) >= 2, running)
    children = psutil.Process(running.pid).children(recursive=True)
    os.killpg(running.pid, number)
    code, _, errors = finish(running)
    assert code == 130
    assert errors.startswith("error: stopped, 0 of 24") and errors.count("\n") == 1
    assert are_gone(children)


# what a kill leaves behind


@pytest.mark.slow
def test_killed_at_random_moments(source: Path, tmp_path: Path, held: Path) -> None:
    whole, store = tmp_path / "whole.zarr", tmp_path / "c.zarr"
    source.write_text(FILE.replace("-3 V]", "-3 V, -7 V]"))  # some points fail
    assert finish(process("campaign", source, "--out", whole, "--workers", 1))[0] == 3
    random = np.random.default_rng(20)
    log = tmp_path / "begun"
    killed = 0
    while killed < 6:
        command = ("campaign", source, "--out", store, "--workers", 2)
        last = begun(log) + 5  # beyond, points wait: it cannot be through before it is killed
        held_from = {"FAKE_HOLD": held, "FAKE_HOLD_FROM": last, "FAKE_LOG": log}
        running = process(*command, sleep=0.4, **held_from)
        if killed % 2:  # among finished points, else anywhere
            wait_for_points(store, points_in(store) + 1, running)
            time.sleep(random.uniform(0.0, 0.6))
        else:
            time.sleep(random.uniform(0.5, 4.0))
        assert running.poll() is None
        os.killpg(running.pid, signal.SIGKILL)
        running.communicate()
        killed += 1
    before = points_in(store)
    assert 0 < before < 36
    begun_before = begun(log)
    running = process("campaign", source, "--out", store, FAKE_LOG=log)
    assert finish(running)[0] == 3
    assert begun(log) - begun_before == 36 - before  # only what was missing
    assert bits(store) == bits(whole)
    assert open_store(store).attrs == open_store(whole).attrs
    assert {path.name for path in tmp_path.glob("*.zarr")} == {"whole.zarr", "c.zarr"}
    assert not list(tmp_path.glob(".*")) and not list(store.rglob("*.partial"))


@pytest.mark.slow
def test_killed_while_the_store_is_made(source: Path, tmp_path: Path, held: Path) -> None:
    store = tmp_path / "c.zarr"
    running = process("campaign", source, "--out", store, FAKE_HOLD=held, FAKE_HOLD_STORE="yes")
    wait_until(lambda: bool(list(tmp_path.glob(".c.zarr.*.part"))), running)
    os.killpg(running.pid, signal.SIGKILL)
    running.communicate()
    assert list(tmp_path.glob(".c.zarr.*.part")) and not store.exists()
    assert finish(process("campaign", source, "--out", store))[0] == 0
    assert not list(tmp_path.glob(".*"))


@pytest.mark.slow
@pytest.mark.parametrize("first_held", [20, 0])
def test_workers_do_not_outlive_their_master(
    source: Path, tmp_path: Path, held: Path, first_held: int
) -> None:
    """Killed between points, or within points that never end."""
    log = tmp_path / "begun"
    running = process(
        *("campaign", source, "--out", tmp_path / "c.zarr", "--workers", 2),
        FAKE_HOLD=held,
        FAKE_HOLD_FROM=first_held,
        FAKE_LOG=log,
        sleep=0.3,
    )
    wait_until(lambda: begun(log) >= 2, running)
    children = psutil.Process(running.pid).children(recursive=True)
    assert len(children) >= 2
    os.kill(running.pid, signal.SIGKILL)  # the master alone
    running.communicate()
    assert are_gone(children)


# commands that compute nothing


def call(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_dry_run(source: Path, tmp_path: Path) -> None:
    result = call("campaign", source, "--dry-run", "--workers", 3)
    assert result.exit_code == 0, result.output
    for text in ("amplitude", "-2 V, -3 V", "5 kohm, 9 kohm", "24", "6 pulses each", "3 worker(s)"):
        assert text in result.output
    assert list(tmp_path.iterdir()) == [source]
    source.write_text(FILE + "variability: none\n")
    assert "all cycles and devices give the same" in call("campaign", source, "--dry-run").output


def test_list_campaigns() -> None:
    result = call("list-campaigns")
    assert result.exit_code == 0
    assert "fig2b-small" in result.output and "s8" in result.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fig2"], "Did you mean 'fig2"),
        (["fig2b"], "no store is named (--out)"),
        (["fig2b", "--out", " "], "empty"),
        (["fig2b", "--out", "x", "--workers", "2", "--scheduler", "tcp://a:1"], "one of the two"),
    ],
)
def test_what_is_refused(arguments: list[str], words: str) -> None:
    result = call("campaign", *arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ") and words in result.stderr


def test_words_for_the_progress() -> None:
    state = CampaignState(24, 3, 1, 20, 4, 40.0, 2, False)
    assert line(state) == "3 of 24 points done, 1 failed, 20 left, to go: 3 min"
    assert state.seconds_left == 200
    assert "to go: unknown" in line(CampaignState(24, 0, 0, 24, 0, 1.0, 2, False))
    assert "waiting for a worker" in line(CampaignState(24, 0, 0, 24, 0, 1.0, 0, False))
    assert "starting the workers" in line(CampaignState(24, 0, 0, 24, 0, 1.0, 0, True))
    times = (40, 600, 12_000, 3e5)
    assert [duration(t) for t in times] == ["40 s", "10 min", "3 h 20 min", "3 days 11 h"]


@pytest.mark.slow
def test_stores_are_equal_to_the_last_bit_or_not(tmp_path: Path, source: Path) -> None:
    """The comparison above does see a difference in one bit."""
    store = tmp_path / "c.zarr"
    assert finish(process("campaign", source, "--out", store))[0] == 0
    before = bits(store)
    import zarr

    array: Any = zarr.open_group(store, mode="r+")["energy"]
    array[1, 0, 1, 3, 0, 2] = np.nextafter(array[1, 0, 1, 3, 0, 2], 1.0)
    after = bits(store)
    assert {name for name in before if before[name] != after[name]} == {"energy"}
    assert isinstance(open_store(store), xr.Dataset)
