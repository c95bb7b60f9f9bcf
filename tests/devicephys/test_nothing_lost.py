"""Whatever stops a campaign or a run while it writes: what was computed before is there."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from ddkbase import records
from ddkbase.errors import StorageError
from ddkbase.files import write_bytes
from ddkbase.folders import at_work
from devicephys import PulseTrain, Settings, installation, load_device, run
from devicephys.campaign.description import Campaign
from devicephys.campaign.layout import VARIABLES
from devicephys.campaign.store import DONE, CampaignStore
from devicephys.fitting import fit_device
from devicephys.run import execution
from tests.cli_tools import call, error_line
from tests.devicephys.test_fit import HIGH, described, write_loop
from tests.faults import at_every_operation

BOTH = pytest.mark.parametrize("kill", [True, False], ids=["killed", "error of the disk"])
PULSES = 2


@pytest.fixture(autouse=True)
def without_the_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "versions", lambda: {"numpy": "of these tests"})


def values(value: float) -> dict[str, np.ndarray]:
    return {
        name: np.full(PULSES, value) if v.per_pulse else np.array(value)
        for name, v in VARIABLES.items()
    }


@pytest.mark.slow
@BOTH
def test_a_campaign_keeps_every_point_it_has(tmp_path: Path, kill: bool) -> None:
    campaign = Campaign.from_mapping(
        {"name": "c", "pulses": {"count": PULSES}, "grid": {"amplitude": ["-2 V", "-3 V"]},
         "preset": "quick"}
    )  # fmt: skip
    first, second = campaign.points()
    old, place = tmp_path / "old" / "c.zarr", tmp_path / "p" / "c.zarr"
    with CampaignStore.open(old, campaign) as store:
        store.write(first, values(1.0))

    def fresh() -> None:
        shutil.rmtree(place.parent, ignore_errors=True)
        shutil.copytree(old, place)

    def work() -> None:
        with CampaignStore.open(place, campaign) as store:
            store.write(second, values(2.0))

    def nothing_is_lost(where: str) -> None:
        with CampaignStore.open(place, campaign) as store:
            assert store.status[first] == DONE, where
            for name in ("conductance", "energy"):
                stored = store._arrays[name]
                assert np.all(np.asarray(stored[first]) == 1.0), (where, name)
                if store.status[second] == DONE:
                    assert np.all(np.asarray(stored[second]) == 2.0), (where, name)

    assert at_every_operation(place.parent, work, nothing_is_lost, kill=kill, prepare=fresh) > 50


@pytest.mark.slow
@BOTH
def test_a_campaign_that_only_begins_can_begin_again(tmp_path: Path, kill: bool) -> None:
    campaign = Campaign.from_mapping({"name": "c", "pulses": {"count": PULSES}, "preset": "quick"})
    place = tmp_path / "p" / "c.zarr"

    def begin() -> None:
        with CampaignStore.open(place, campaign):
            pass

    def again(where: str) -> None:
        begin()
        assert place.is_dir(), where

    tried = at_every_operation(
        place.parent,
        begin,
        again,
        kill=kill,
        prepare=lambda: shutil.rmtree(place.parent, ignore_errors=True),
        step=5,
    )
    assert tried > 10


@pytest.mark.slow
@BOTH
@pytest.mark.usefixtures("settled")
def test_a_run_folder_goes_on_wherever_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kill: bool
) -> None:
    def drawn(folder: Path, ds: Any, *, overwrite: bool = False, pictures: str = "") -> list[Path]:
        return [write_bytes(folder / "pulses.png", b"picture", overwrite)]

    monkeypatch.setattr(execution, "draw", drawn)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    place = tmp_path / "runs"
    asked = run.Request(
        load_device("tin-taox-hfox-tin"), PulseTrain(count=3), Settings.preset("quick")
    )

    def fresh() -> None:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()

    def goes_on(where: str) -> None:
        record = place / "run" / "pulses.nc"
        had = record.exists()
        if had:
            assert records.read(record, "PulseTrace").attrs["complete"] == 1, where
        if not kill and not had:  # the process lived on
            kept = list(tmp_path.glob("ddk-device-*/pulses.nc"))
            for path in kept:
                assert records.read(path).attrs["complete"] == 1, where
                shutil.rmtree(path.parent)
        try:
            outcome = run.resume(place / "run")
        except StorageError as error:  # nothing was computed, or it never began
            assert not had, (where, error)
            free = place / "run"
            if (free / "run.log").exists():  # claimed, and nothing else: the message names another
                with pytest.raises(StorageError, match="run-2"):
                    run.start(free, asked)
                free = place / "run-2"
            outcome = run.start(free, asked)
        assert outcome.computed is not had, where
        assert records.read(outcome.record).sizes["pulse"] == 3, where

    tried = at_every_operation(
        place, lambda: run.start(place / "run", asked), goes_on, kill=kill, prepare=fresh
    )
    assert tried > 8


def test_a_fit_has_its_folder_for_itself_and_takes_no_other(tmp_path: Path, settled: None) -> None:
    given = described(write_loop(tmp_path / "l.csv", 0.02, 1), HIGH)
    with at_work(tmp_path / "fit"), pytest.raises(StorageError, match="still at work"):
        fit_device(given, folder=tmp_path / "fit")
    mine = tmp_path / "mine" / "device.yaml"
    mine.parent.mkdir()
    mine.write_text("mine")
    (tmp_path / "fit.yaml").write_text(yaml.safe_dump(given))
    told = error_line(call("fit", tmp_path / "fit.yaml", "--out", mine.parent, "--resume"), 4)
    assert "not of a fit" in told and mine.read_text() == "mine"
