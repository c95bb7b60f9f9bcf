"""Campaigns on real worker processes, with a formula in place of the solver (`fake_pulses`)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import xarray as xr

from ddkbase.errors import DDKError, InputError, InstallationError, Interrupted
from ddkbase.files import deferred
from devicephys import campaign as campaigns
from devicephys import installation
from devicephys.campaign import Campaign, CampaignResult, CampaignState, open_store
from devicephys.campaign import cluster as campaign_cluster
from devicephys.campaign.cluster import physical_cores
from devicephys.campaign.worker import KILLED, arrays_of, compute, task
from tests import fake_pulses

ROOT = Path(__file__).resolve().parents[2]
PULSES = 6


@pytest.fixture(autouse=True)
def without_the_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "versions", lambda: {"numpy": "of these tests"})


def described(**changes: Any) -> Campaign:
    base = {
        "name": "trial",
        "pulses": {"count": PULSES},
        "grid": {"amplitude": ["-2 V", "-3 V"], "initial_resistance": ["5 kohm", "9 kohm"]},
        "cycles": 2,
        "devices": 2,
        "preset": "quick",
        "seed": 5,
    }
    return Campaign.from_mapping({**base, **changes})


def run(campaign: Campaign, store: Path, **more: Any) -> CampaignResult:
    return campaigns.run(campaign, store, simulate=fake_pulses.simulate, **more)


def begun(folder: Path) -> int:
    log = folder / "begun"
    return log.stat().st_size if log.exists() else 0


# what a worker does


def test_a_point_has_its_own_settings_and_draw() -> None:
    campaign = described()
    direct = fake_pulses.simulate(
        campaign.device,
        campaign.train(1, 0),
        campaign.settings,
        initial_resistance="9 kohm",
        variability=campaign.variability,
        seed=5,
        cycle=1,
        device_number=0,
    )
    found = compute(task(campaign, campaigns.Point(1, 0, 1, 1, 0)), fake_pulses.simulate)
    for name, array in arrays_of(direct).items():
        np.testing.assert_array_equal(found["arrays"][name], array)
    others = [
        compute(task(campaign, campaigns.Point(*place)), fake_pulses.simulate)["arrays"]
        for place in ((0, 0, 1, 1, 0), (1, 0, 0, 1, 0), (1, 0, 1, 0, 0), (1, 0, 1, 1, 1))
    ]
    conductances = [other["conductance"].tobytes() for other in [found["arrays"], *others]]
    assert len(set(conductances)) == 5


def test_without_variability_no_seed_is_used() -> None:
    given: dict[str, Any] = {}

    def simulate(*arguments: Any, **named: Any) -> xr.Dataset:
        given.update(named)
        return fake_pulses.simulate(*arguments, **named)

    campaign = described(variability="none")
    compute(task(campaign, campaigns.Point(0, 0, 0, 0, 0)), simulate)
    assert "seed" not in given and "variability" not in given


def test_a_worker_of_another_version_refuses() -> None:
    asked = {**task(described(), campaigns.Point(0, 0, 0, 0, 0)), "version": "0.0.1"}
    assert "0.0.1" in compute(asked, fake_pulses.simulate)["refused"]


# runs


def test_a_campaign_and_its_continuation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_LOG", str(tmp_path / "begun"))
    campaign, store = described(), tmp_path / "c.zarr"
    states: list[CampaignState] = []
    outcome = run(campaign, store, workers=2, progress=states.append)
    assert (outcome.done, outcome.failed, outcome.missing, outcome.computed) == (16, 0, 0, 16)
    assert begun(tmp_path) == 16
    ds = open_store(store).load()
    assert (ds["status"] == 1).all()
    for point in campaign.points():
        expected = compute(task(campaign, point), fake_pulses.simulate)["arrays"]
        for name, array in expected.items():
            np.testing.assert_array_equal(ds[name].values[point], array)
    assert states[0].starting and states[-1].left == 0 and states[-1].done == 16
    assert {state.workers for state in states if not state.starting} == {2}
    assert states[-1].seconds_left == 0
    # nothing is left to do, and then three points
    count = begun(tmp_path)
    assert run(campaign, store, workers=1).computed == 0 and begun(tmp_path) == count
    for chunk in ("c.0.0.0.0.0", "c.0.0.1.1.0", "c.1.0.1.1.1"):
        (store / "status" / chunk).unlink()
    assert run(campaign, store, workers=1).computed == 3 and begun(tmp_path) == count + 3
    xr.testing.assert_identical(ds, open_store(store).load())


@pytest.mark.slow
def test_points_that_fail_do_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_LOG", str(tmp_path / "begun"))
    grid = {"amplitude": ["-2 V", "-7 V", "-8 V", "-9 V"]}
    campaign, store = described(grid=grid, cycles=2, devices=1), tmp_path / "c.zarr"
    outcome = run(campaign, store, workers=2)
    assert (outcome.done, outcome.failed) == (2, 6)
    reasons = dict(outcome.reasons)
    assert set(reasons.values()) == {2}
    assert "SolverError: the temperature did not converge (t = 3 ns). Try --preset fine" in reasons
    assert "ZeroDivisionError: no such thing" in reasons
    assert KILLED in reasons
    ds = open_store(store).load()
    assert ds["status"].values[:, 0, 0, :, 0].tolist() == [[1, 1], [2, 2], [2, 2], [2, 2]]
    assert not np.isnan(ds["conductance"].isel(amplitude=0)).any()
    assert np.isnan(ds["conductance"].isel(amplitude=slice(1, None))).all()
    # failed points are left alone, unless one asks
    count = begun(tmp_path)
    assert run(campaign, store, workers=1).computed == 0 and begun(tmp_path) == count
    assert run(campaign, store, workers=2, retry_failed=True).computed == 6
    xr.testing.assert_identical(ds, open_store(store).load())


@pytest.mark.slow
def test_a_point_that_takes_all_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = 600e6 / min(campaign_cluster.MEMORY_LIMIT, psutil.virtual_memory().available)
    monkeypatch.setattr(campaign_cluster, "_MEMORY_SHARE", limit)
    campaign = described(grid={"amplitude": ["-11 V", "-2 V"]}, cycles=1)
    outcome = run(campaign, tmp_path / "c.zarr", workers=1)
    assert (outcome.done, outcome.failed) == (2, 2)
    assert dict(outcome.reasons) == {KILLED: 2}


@pytest.mark.slow
def test_a_worker_that_does_not_come_back_is_started_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign_cluster, "_LOOK", 0.1)
    monkeypatch.setattr(campaign_cluster, "_ABSENT", 0.5)
    with campaign_cluster.local_cluster(2) as cluster:

        async def lose() -> None:
            for nanny in cluster._cluster.workers.values():
                await nanny.close(timeout=0.1)

        cluster._cluster.sync(lose)
        future = cluster.client.submit(abs, -3, pure=False)
        deadline = time.monotonic() + 300
        while not future.done():
            assert cluster.threads() == 2
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert future.result() == 3
        # and where none starts any more, that is said
        monkeypatch.setattr(campaign_cluster, "_start_missing", nothing)
        cluster._cluster.sync(lose)
        with pytest.raises(DDKError, match="end as soon as they start"):
            while time.monotonic() < deadline:
                cluster.threads()
                time.sleep(0.05)


async def nothing(cluster: object) -> None:
    """Start no worker."""


def test_what_is_wrong_with_the_installation_stops_the_campaign(tmp_path: Path) -> None:
    campaign = described(grid={"amplitude": ["-2 V", "-10 V"]})
    with pytest.raises(InstallationError, match="no C compiler"):
        run(campaign, tmp_path / "c.zarr", workers=1)
    status = open_store(tmp_path / "c.zarr")["status"].values
    assert not (status == 2).any()  # the points are not to blame


def test_a_function_that_workers_cannot_find(tmp_path: Path) -> None:
    class Unpicklable:
        def __call__(self, *_: Any, **__: Any) -> xr.Dataset:
            raise AssertionError

        def __reduce__(self) -> Any:
            return (exec, ("raise ImportError('no such module')",))

    with pytest.raises(DDKError, match="workers cannot compute"):
        campaigns.run(described(), tmp_path / "c.zarr", workers=1, simulate=Unpicklable())
    assert not (open_store(tmp_path / "c.zarr")["status"].values == 2).any()


def test_arguments_that_make_no_sense(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no number of workers"):
        run(described(), tmp_path / "c.zarr", workers=0)
    with pytest.raises(InputError, match="no campaign"):
        run("fig2b", tmp_path / "c.zarr")  # type: ignore[arg-type]
    assert 1 <= physical_cores() <= (os.cpu_count() or 1)


def test_an_interrupt_keeps_what_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_SLEEP", "0.3")

    def stop_after_three(state: CampaignState) -> None:
        if state.computed == 3:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="3 of 16 points are finished"):
        run(described(), tmp_path / "c.zarr", workers=2, progress=stop_after_three)
    assert (open_store(tmp_path / "c.zarr")["status"].values == 1).sum() == 3
    monkeypatch.setenv("FAKE_SLEEP", "0")
    assert run(described(), tmp_path / "c.zarr", workers=1).computed == 13


def test_a_signal_waits_until_the_workers_are_up() -> None:
    seen = []
    with pytest.raises(KeyboardInterrupt), deferred():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.05)
        seen.append("went on")
    assert seen == ["went on"]
    with pytest.raises(KeyboardInterrupt), deferred():  # who insists is heard
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.05)
        seen.append("not reached")
    assert seen == ["went on"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_in_another_thread_signals_are_left_alone() -> None:
    done = []

    def work() -> None:
        with deferred():
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]


# a scheduler elsewhere


class Elsewhere:
    """A scheduler with workers in processes of its own."""

    def __init__(self, threads: int = 1, workers: int = 2) -> None:
        code = (
            "import sys\nfrom distributed import LocalCluster\n"
            "if __name__ == '__main__':\n"
            f"    c = LocalCluster(n_workers={workers}, threads_per_worker={threads},"
            ' dashboard_address="127.0.0.1:0")\n'
            "    print(c.scheduler_address, flush=True); sys.stdin.read()\n"
        )
        self.process = subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()

    def __enter__(self) -> Elsewhere:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


def test_on_a_scheduler(tmp_path: Path) -> None:
    campaign = described()
    with Elsewhere() as other:
        assert run(campaign, tmp_path / "c.zarr", scheduler=other.address).done == 16
    run(campaign, tmp_path / "d.zarr", workers=1)
    one, two = (open_store(tmp_path / name).load() for name in ("c.zarr", "d.zarr"))
    xr.testing.assert_identical(one, two)


def test_workers_with_several_threads_are_refused(tmp_path: Path) -> None:
    with (
        Elsewhere(threads=2, workers=1) as other,
        pytest.raises(InputError, match="--nthreads 1"),
    ):
        run(described(), tmp_path / "c.zarr", scheduler=other.address)


def test_no_scheduler_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devicephys.campaign.cluster._START_TIMEOUT", 1.0)
    for address in ("tcp://127.0.0.1:9", "nonsense://x", "127.0.0.1"):
        with pytest.raises(InputError, match="no Dask scheduler"):
            run(described(), tmp_path / "c.zarr", scheduler=address)


def test_a_scheduler_that_is_lost(tmp_path: Path) -> None:
    with Elsewhere() as other:

        def stop(state: CampaignState) -> None:
            if state.computed == 2:
                other.process.kill()

        with pytest.raises(DDKError, match="connection to the Dask scheduler was lost"):
            run(described(cycles=200), tmp_path / "c.zarr", scheduler=other.address, progress=stop)
    assert (open_store(tmp_path / "c.zarr")["status"].values == 1).sum() >= 2
