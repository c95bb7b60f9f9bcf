"""Equal pulses merged in stress time, against the same pulses one by one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

pytest.importorskip("mpi4py.MPI")  # before dolfinx
pytest.importorskip("dolfinx")

import devicephys
from devicephys import PulseTrain, Settings, records, simulate_pulses
from devicephys.fem.pulses import stress
from devicephys.report import repeat
from devicephys.simulation.checkpoint import Checkpoint

pytestmark = pytest.mark.fem

QUICK = Settings.preset("quick")
EVERY = Settings.preset("quick", every_pulse=True)
#: fine enough in time to be a reference
FINE = Settings.preset("quick", every_pulse=True, pulse_tolerance=QUICK.pulse_tolerance / 16)
DEVICE = devicephys.load_device("tin-taox-hfox-tin")
TRAIN = PulseTrain("-2.7 V", count=16)


@pytest.fixture(scope="module")
def merged() -> xr.Dataset:
    return simulate_pulses(DEVICE, TRAIN, QUICK)


@pytest.fixture(scope="module")
def fine() -> xr.Dataset:
    return simulate_pulses(DEVICE, TRAIN, FINE)


def test_merged_pulses_agree_with_pulses_one_by_one(merged: xr.Dataset, fine: xr.Dataset) -> None:
    off = merged["conductance"].values / fine["conductance"].values - 1
    assert np.abs(off).max() < 0.012  # of the reference itself: 0.003
    assert np.sqrt((off**2).mean()) < 0.008
    for name in ("device_voltage", "current"):
        np.testing.assert_allclose(merged[name], fine[name], rtol=0.02)
    rise = merged["temperature_max"] - 293.15, fine["temperature_max"] - 293.15
    np.testing.assert_allclose(*rise, rtol=0.02)
    np.testing.assert_allclose(merged["energy"], fine["energy"], rtol=0.03)
    assert merged["vacancy_imbalance"].max() < 1e-8  # what is exchanged, counted
    # a period has at least nine corners, so pulse by pulse there are nine steps a pulse and more
    assert merged["accepted_steps"].sum() < 9 * TRAIN.count


def test_the_record_says_what_was_controlled(merged: xr.Dataset, tmp_path: Path) -> None:
    path = records.write(merged, tmp_path / "pulses.nc")
    read = records.read(path, "PulseTrace")
    position = read["control_pulse"].values
    assert position[0] == 0.0 and position[-1] >= TRAIN.count and (np.diff(position) > 0).all()
    assert (np.abs(read["control_read_miss"]) <= stress.LARGEST_READ_MISS).all()
    assert (read["control_miss"] <= stress.LARGEST_MISS).all()
    # flanks of 5 ns are worth something, but less than their length
    assert (np.abs(read["control_credit"]) < 10e-9).all()
    assert read["control_credit"].attrs["units"] == "s"


def test_pulses_that_differ_are_not_merged() -> None:
    train = PulseTrain(["-1.7 V", "-1.75 V"] * 5)
    one, other = (simulate_pulses(DEVICE, train, settings) for settings in (QUICK, EVERY))
    assert "control" not in one.sizes
    np.testing.assert_array_equal(one["conductance"], other["conductance"])


def test_stretches_of_equal_pulses_are_merged_each() -> None:
    train = PulseTrain(["-1.7 V"] * 10 + ["0.9 V"] + ["-1.75 V"] * 10)
    ds = simulate_pulses(DEVICE, train, QUICK)
    starts = ds["control_pulse"].values
    assert 0.0 in starts and 11.0 in starts
    # what is exchanged between the end of a stretch and the whole pulse before it is taken back
    assert ds["vacancy_imbalance"].max() < 1e-8
    fine = simulate_pulses(DEVICE, train, FINE)
    np.testing.assert_allclose(ds["conductance"], fine["conductance"], rtol=0.01)


def test_without_a_control_that_holds_it_is_pulse_by_pulse(monkeypatch: pytest.MonkeyPatch) -> None:
    train = PulseTrain("-1.8 V", count=9)
    single = simulate_pulses(DEVICE, train, EVERY)
    monkeypatch.setattr(stress, "LARGEST_MISS", 0.0)
    ds = simulate_pulses(DEVICE, train, QUICK)
    assert ds.sizes["control"] == 1
    np.testing.assert_array_equal(ds["conductance"], single["conductance"])


def test_a_later_miss_goes_back_to_a_whole_pulse(
    monkeypatch: pytest.MonkeyPatch, fine: xr.Dataset
) -> None:
    holds = iter([True, True, False, False])
    monkeypatch.setattr(stress.Control, "holds", property(lambda _: next(holds, False)))
    monkeypatch.setattr(stress, "CONTROL", 1.2)
    ds = simulate_pulses(DEVICE, TRAIN, QUICK)
    assert ds.sizes["pulse"] == TRAIN.count
    np.testing.assert_allclose(ds["conductance"], fine["conductance"], rtol=0.03)


class Stopped(Exception):
    """Stands for the end of a process."""


def test_it_goes_on_in_the_middle_of_a_merged_stretch(merged: xr.Dataset, tmp_path: Path) -> None:
    last = int(merged["control_pulse"].values[1]) + 1  # in the second segment

    def stop(event: devicephys.PulseEvent) -> None:
        if event.pulse == last:
            raise Stopped

    with pytest.raises(Stopped):
        simulate_pulses(DEVICE, TRAIN, QUICK, checkpoint=Checkpoint(tmp_path, 2), progress=stop)
    seen: list[int] = []
    resumed = simulate_pulses(
        DEVICE,
        TRAIN,
        QUICK,
        checkpoint=Checkpoint(tmp_path, 2),
        progress=lambda event: seen.append(event.pulse),
    )
    assert seen[0] == last  # the first segment was kept
    xr.testing.assert_identical(resumed.drop_attrs(), merged.drop_attrs())


def test_the_command_to_repeat_says_every_pulse(merged: xr.Dataset) -> None:
    command = repeat.command(merged, DEVICE)
    assert command is not None and "--every-pulse" not in command
    old = merged.drop_dims("control")  # as trains were before pulses were merged
    assert "--every-pulse" in str(repeat.command(old, DEVICE))
