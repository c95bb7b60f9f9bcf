"""The store of a campaign: whole points only, one process at a time, one campaign only."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr

from ddkbase.errors import InputError, StorageError
from devicephys import installation
from devicephys.campaign.description import Campaign, Point
from devicephys.campaign.layout import POINT_DIMS, VARIABLES, check, open_store, point_variables
from devicephys.campaign.store import CampaignStore, locked
from devicephys.simulation.schemas import PULSE_TRACE

ROOT = Path(__file__).resolve().parents[2]
PULSES = 5


@pytest.fixture(autouse=True)
def without_the_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "versions", lambda: {"numpy": "of these tests"})


def described(**changes: Any) -> Campaign:
    base = {
        "name": "trial",
        "description": "for a test",
        "pulses": {"count": PULSES},
        "grid": {"amplitude": ["-2 V", "-3 V"], "width": ["50 ns", "100 ns"]},
        "cycles": 3,
        "preset": "quick",
    }
    return Campaign.from_mapping({**base, **changes})


def result(value: float) -> dict[str, np.ndarray]:
    return {
        name: np.full(PULSES, value) if v.per_pulse else np.array(value)
        for name, v in VARIABLES.items()
    }


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "runs" / "c.zarr"


def fill(path: Path, campaign: Campaign) -> list[Point]:
    """All points done but the last two, of which one failed."""
    points = list(campaign.points())
    with CampaignStore.open(path, campaign) as store:
        for i, point in enumerate(points[:-2]):
            store.write(point, result(float(i)))
        store.fail(points[-2], "SolverError: no time\nstep " + "x" * 500)
    return points


def test_units_are_those_of_the_pulse_trace() -> None:
    schema = PULSE_TRACE.variables
    for name, variable in VARIABLES.items():
        known = schema[variable.source or name]
        assert variable.units == known.units, name
        assert known.dims == (("pulse",) if variable.per_pulse else ()), name
    kept = {variable.source or name for name, variable in VARIABLES.items()}
    # what is left out is the reciprocal of one that is kept, and a coordinate
    assert set(schema) - kept == {"pulse", "initial_conductance", "wanted_resistance"}


def test_what_is_written_is_read_back(path: Path) -> None:
    campaign = described()
    points = fill(path, campaign)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ds = xr.open_zarr(path).load()  # as anybody would
    xr.testing.assert_identical(ds, open_store(path).load())
    assert ds.sizes == {
        "amplitude": 2, "width": 2, "initial_resistance": 1, "cycle": 3, "device": 1, "pulse": 5
    }  # fmt: skip
    assert ds["amplitude"].values.tolist() == [-2.0, -3.0]
    assert np.isnan(ds["initial_resistance"].values).all()  # the cell as it is
    assert ds["pulse"].values.tolist() == [1, 2, 3, 4, 5]
    for i, point in enumerate(points[:-2]):
        place = dict(zip(POINT_DIMS, point, strict=True))
        assert (ds["conductance"].isel(place) == i).all()
        assert ds["measured_initial_resistance"].isel(place) == i
        assert ds["status"].isel(place) == 1 and str(ds["reason"].isel(place).values) == ""
    failed, missing = (ds.isel(dict(zip(POINT_DIMS, p, strict=True))) for p in points[-2:])
    assert failed["status"] == 2 and missing["status"] == 0
    assert str(failed["reason"].values).startswith("SolverError: no time step xxx")
    for place in (failed, missing):
        assert all(np.isnan(place[name].values).all() for name in VARIABLES)
    for name, variable in ds.variables.items():
        assert variable.attrs["units"] and variable.attrs["long_name"], name
    assert ds.attrs["schema"] == "PulseCampaign" and ds.attrs["schema_version"] == 1
    assert json.loads(ds.attrs["campaign_json"])["cycles"] == 3
    assert "filament" in ds.attrs["device_yaml"]


def test_a_point_is_one_chunk_file_of_every_variable(path: Path) -> None:
    campaign = described()
    with CampaignStore.open(path, campaign) as store:
        before = {p for p in path.rglob("*") if p.is_file()}
        # zarr would leave out the chunk of a variable that is nothing but its fill value
        store.write(next(campaign.points()), result(np.nan))
        new = {p for p in path.rglob("*") if p.is_file()} - before
    assert sorted(p.parent.name for p in new) == sorted(point_variables())


def test_taken_up_again(path: Path) -> None:
    campaign = described()
    points = fill(path, campaign)
    with CampaignStore.open(path, campaign) as store:
        assert store.counts() == (10, 1, 1)
        assert store.missing(False) == points[-1:]
        assert store.missing(True) == points[-2:]
        (reason, count) = store.reasons()[0]
        assert count == 1 and reason.startswith("SolverError")
        store.write(points[-2], result(7.0))
        assert store.counts() == (11, 0, 1) and store.reasons() == []
    ds = open_store(path)
    assert str(ds["reason"].isel(dict(zip(POINT_DIMS, points[-2], strict=True))).values) == ""


@pytest.mark.parametrize("gone", ["deleted", "emptied"])
def test_a_point_with_a_chunk_gone_is_missing(path: Path, gone: str) -> None:
    campaign = described()
    points = fill(path, campaign)
    chunk = path / "energy" / "c.0.1.0.1.0.0"
    if gone == "deleted":
        chunk.unlink()
    else:
        chunk.write_bytes(b"")
    with CampaignStore.open(path, campaign) as store:
        assert store.missing(False) == [Point(0, 1, 0, 1, 0), points[-1]]
    assert open_store(path)["status"].values[0, 1, 0, 1, 0] == 0


def test_a_failed_point_that_is_tried_again_is_missing_meanwhile(path: Path) -> None:
    campaign = described()
    points = fill(path, campaign)
    with CampaignStore.open(path, campaign) as store, pytest.raises(KeyError):
        store.write(points[-2], {"conductance": np.ones(PULSES)})  # ends after one variable
    with CampaignStore.open(path, campaign) as store:
        assert store.missing(False) == points[-2:]


def test_remains_of_killed_processes_are_removed(path: Path) -> None:
    campaign = described()
    fill(path, campaign)
    half = path.with_name(".c.zarr.0123456789ab.part")
    (half / "energy").mkdir(parents=True)
    partial = path / "energy" / "c.0.0.0.0.0.0123.partial"
    partial.write_bytes(b"half a chunk")
    other = path.with_name(".d.zarr.0123456789ab.part")
    other.mkdir()
    with CampaignStore.open(path, campaign):
        assert not half.exists() and not partial.exists() and other.exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cycles": 4}, "'cycles' is 4 here, but 3 in the store"),
        ({"seed": 9}, "'seed' is 9 here, but 0 in the store"),
        ({"pulses": {"count": 6}}, "'pulses.count' is 6 here"),
        ({"pulses": {"count": 5, "period": "3 us"}}, "'pulses.period' is '3 us' here, but absent"),
        ({"grid": {"amplitude": ["-2 V", "-2.5 V"], "width": ["50 ns", "100 ns"]}},
         "'grid.amplitude[1]' is '-2.5 V' here, but '-3 V' in"),
        ({"grid": {"amplitude": ["-2 V"], "width": ["50 ns", "100 ns"]}}, "'grid.amplitude' is"),
        ({"initial_resistance": "5 kohm"}, "'grid.initial_resistance[0]' is '5 kohm' here"),
        ({"variability": "none"}, "'variability' is 'none' here"),
        ({"variability": {"occupation": 2}}, "'variability.occupation' is '2' here"),
        ({"preset": "fine"}, "'preset' is 'fine' here"),
        ({"set": {"filament.radius": "3.25 nm"}}, "'device.filament.radius.value' is '3.25 nm'"),
    ],
)  # fmt: skip
def test_another_campaign_is_refused(path: Path, changes: dict[str, Any], words: str) -> None:
    with CampaignStore.open(path, described()):
        pass
    with (
        pytest.raises(InputError) as caught,
        CampaignStore.open(path, described(**changes)),
    ):
        pass
    assert words in str(caught.value)
    assert str(path) in str(caught.value)


def test_other_words_for_it_are_taken(path: Path) -> None:
    with CampaignStore.open(path, described()):
        pass
    with CampaignStore.open(path, described(description="in other words")) as store:
        assert store.counts() == (0, 0, 12)


def test_two_campaigns_on_one_store(path: Path) -> None:
    campaign = described()
    code = (
        "import sys, pathlib\n"
        "from devicephys.campaign.store import locked\n"
        "with locked(pathlib.Path(sys.argv[1])):\n"
        "    print('held', flush=True); sys.stdin.read()\n"
    )
    path.parent.mkdir()
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdout is not None and other.stdout.readline() == "held\n"
    with (
        pytest.raises(StorageError, match="another campaign is working"),
        CampaignStore.open(path, campaign),
    ):
        pass
    assert not path.exists()
    other.kill()  # no lock outlives its process
    other.wait()
    other.stdin.close()  # type: ignore[union-attr]
    other.stdout.close()
    with CampaignStore.open(path, campaign):
        pass
    assert [p.name for p in path.parent.iterdir()] == ["c.zarr"]


def test_a_lock_file_that_was_removed_meanwhile_does_not_count(tmp_path: Path) -> None:
    store = tmp_path / "c.zarr"
    with locked(store):
        (tmp_path / ".c.zarr.lock").unlink()
        with locked(store):  # a file of the same name, but another one
            pass


def test_folders_that_are_no_store(tmp_path: Path) -> None:
    campaign = described()
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    zarr.open_group(tmp_path / "other", mode="w", zarr_format=3)
    for name, words in (
        ("folder", "something else"), ("file", "something else"), ("other", "not the store")
    ):  # fmt: skip
        with (
            pytest.raises(StorageError, match=words),
            CampaignStore.open(tmp_path / name, campaign),
        ):
            pass
    for name, words in (
        ("folder", "no zarr store"), ("absent", "no zarr store"), ("other", "not the store")
    ):  # fmt: skip
        with pytest.raises(StorageError, match=words):
            open_store(tmp_path / name)


def test_damaged_stores(path: Path) -> None:
    fill(path, described())
    whole = open_store(path).load()
    for change, words in (
        ({"schema_version": 2}, "version 2"),
        ({"schema": "IVTrace"}, "not the store"),
    ):
        with pytest.raises(StorageError, match=words):
            check(whole.assign_attrs(change), "here")
    with pytest.raises(StorageError, match="'energy' is missing"):
        check(whole.drop_vars("energy"), "here")
    with pytest.raises(StorageError, match="'energy' is in 'eV'"):
        wrong = whole.copy()
        wrong["energy"].attrs["units"] = "eV"
        check(wrong, "here")
    with pytest.raises(StorageError, match="'energy' has dimensions"):
        check(whole.assign(energy=whole["energy"].isel(device=0)), "here")
    (path / "energy" / "zarr.json").write_text("{")
    with pytest.raises(StorageError, match="damaged"):
        open_store(path)
    (path / "zarr.json").write_text("{")
    with pytest.raises(StorageError, match="damaged"), CampaignStore.open(path, described()):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_one_may_not_write_to(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o500)
    with (
        pytest.raises(StorageError, match="cannot be written"),
        CampaignStore.open(folder / "c.zarr", described()),
    ):
        pass


def test_a_disk_that_is_full(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = described()
    with CampaignStore.open(path, campaign) as store:
        points = list(campaign.points())
        store.write(points[0], result(1.0))

        def full(handle: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(StorageError, match="No space left"):
            store.write(points[1], result(2.0))
        monkeypatch.undo()
        assert store.counts() == (1, 0, 11)
