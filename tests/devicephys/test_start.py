"""A run that begins with the end of another: the state is that one, and nothing else is taken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

pytest.importorskip("mpi4py.MPI")  # before dolfinx
pytest.importorskip("dolfinx")

import devicephys
from ddkbase.errors import InputError, StorageError
from devicephys import IVSweep, PulseTrain, Settings, SwitchingScan, Waveform
from devicephys.run import Request, end_of, start
from tests.cli_tools import error_line
from tests.devicephys.test_waveform_file import invoke

pytestmark = pytest.mark.fem

QUICK = Settings.preset("quick")
PULSE = {"amplitude": "-3 V", "width": "100 ns"}


@pytest.fixture(scope="module")
def cell() -> devicephys.Device:
    return devicephys.load_device("tin-taox-hfox-tin")


@pytest.fixture(scope="module")
def four(cell: devicephys.Device) -> xr.Dataset:
    return devicephys.simulate(cell, PulseTrain(**PULSE, count=4), QUICK)


@pytest.fixture(scope="module")
def two(cell: devicephys.Device) -> xr.Dataset:
    return devicephys.simulate(cell, PulseTrain(**PULSE, count=2), QUICK)


def test_two_trains_are_one(cell: devicephys.Device, four: xr.Dataset, two: xr.Dataset) -> None:
    rest = devicephys.simulate(cell, PulseTrain(**PULSE, count=2), QUICK, start=two)
    # the steps in time are others, their errors are allowed to be
    np.testing.assert_allclose(
        np.append(two.conductance, rest.conductance), four.conductance, rtol=0.02
    )
    assert float(rest.initial_conductance) == pytest.approx(float(two.conductance[-1]), rel=1e-3)
    inventory = [float((ds.end_concentration.values[0:]).sum()) for ds in (four, rest)]
    assert inventory[0] == pytest.approx(inventory[1], rel=0.05)


def test_a_waveform_goes_on_from_a_train(cell: devicephys.Device, four: xr.Dataset) -> None:
    ramp = Waveform.from_si([0.0, 2e-3, 4e-3], [0.0, 0.2, 0.0])
    trace = devicephys.simulate(cell, ramp, QUICK, start=four)
    fresh = devicephys.simulate(cell, ramp, QUICK)
    read = 1 / float(four.conductance[-1])
    assert float(trace.resistance[-2]) == pytest.approx(read, rel=0.02)
    assert float(fresh.resistance[-2]) < 0.9 * read
    again = devicephys.simulate(cell, ramp, QUICK, start=trace)
    assert float(again.vacancy_total[0]) == pytest.approx(float(trace.vacancy_total[-1]))


def test_what_cannot_be_a_start_is_refused(cell: devicephys.Device, four: xr.Dataset) -> None:
    ramp = Waveform.from_si([0.0, 2e-3], [0.0, 0.2])
    for bad, complaint in (
        (four.drop_vars("end_concentration"), "holds no state to start from"),
        ("runs/first", "is no record"),
    ):
        with pytest.raises(InputError, match=complaint):
            devicephys.simulate(cell, ramp, QUICK, start=bad)
    with pytest.raises(InputError, match="of another mesh"):
        devicephys.simulate(cell, ramp, start=four)
    with pytest.raises(InputError, match="makes its own start"):
        devicephys.simulate(cell, SwitchingScan("1 V, 1.2 V"), QUICK, start=four)
    with pytest.raises(InputError, match="drawn"):
        devicephys.simulate(cell, PulseTrain(count=1), QUICK, seed=1, start=four)


@pytest.mark.parametrize("axis", ["r_node", "z_node"])
def test_each_axis_of_the_mesh_has_to_be_that_of_the_run(
    cell: devicephys.Device, two: xr.Dataset, axis: str
) -> None:
    moved = two[axis].values.copy()
    moved[1] *= 1 + 1e-6
    other = two.assign_coords({axis: two[axis].copy(data=moved)})
    with pytest.raises(InputError, match="of another mesh"):
        devicephys.simulate(cell, PulseTrain(**PULSE, count=1), QUICK, start=other)


def test_a_folder_may_begin_with_the_end_of_another(
    cell: devicephys.Device, tmp_path: Path
) -> None:
    train = PulseTrain(**PULSE, count=1)
    start(tmp_path / "one", Request(cell, train, QUICK))
    result = invoke(
        "pulses",
        "--from",
        tmp_path / "one",
        "--preset",
        "quick",
        "--count",
        1,
        "--out",
        tmp_path / "two",
    )
    assert result.exit_code == 0, result.output
    second = end_of(tmp_path / "two")
    assert second.attrs["started_from"] == str(tmp_path / "one")
    first = end_of(tmp_path / "one")
    assert float(second.initial_conductance) == pytest.approx(
        float(first.conductance[-1]), rel=1e-3
    )
    assert str(tmp_path / "one") in (tmp_path / "two" / "report.html").read_text()
    assert "--from=" in (tmp_path / "two" / "report.html").read_text()
    other = invoke("iv", "--from", tmp_path / "one", "--out", tmp_path / "three")
    assert "of another mesh" in error_line(other, 2)
    assert not (tmp_path / "three").exists()
    with pytest.raises(StorageError, match="no record of a run"):
        end_of(tmp_path)


def test_a_loop_may_begin_with_set(cell: devicephys.Device) -> None:
    first = cell.with_({"sweep.first": "set"})
    assert IVSweep.from_device(first).first == "set"
    sweep = IVSweep("-0.3 V", "0.3 V", first="set")
    trace = devicephys.simulate(cell, sweep, QUICK)
    assert list(trace.point.values) == list("ABCDEFGH")
    assert float(trace.voltage[1]) > 0
