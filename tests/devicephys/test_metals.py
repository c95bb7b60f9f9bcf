"""A cell with a metal between its electrodes, from the library to records, and its tangents."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("mpi4py.MPI")  # before dolfinx
pytest.importorskip("dolfinx")

import devicephys
from ddkbase import records
from devicephys import Bake, Device, PulseTrain, Settings, Waveform
from devicephys.device.entries import parameter_value
from devicephys.fem.assembly import follow_tangents, prepare
from devicephys.fem.mesh import initial_concentration, make_grid
from devicephys.plots.style import stack
from devicephys.verification import balances
from tests.devicephys import test_sensitivities as whole_runs

pytestmark = pytest.mark.fem
QUICK = Settings.preset("quick")
CELL = devicephys.load_device("hfo2-ti")
SURFACE = "materials.Ti.interface_exchange_"
#: warm, so that vacancies cross within the millisecond of a short run
BUSY = CELL.with_({"ambient_temperature": "500 K", "series": {"kind": "none"}})


@pytest.fixture(scope="module")
def loop():
    return devicephys.simulate(CELL, None, QUICK)


def test_the_cell_resets_sets_and_returns(loop) -> None:
    headline = json.loads(loop.attrs["headline_json"])
    assert headline["resistance_ratio"] > 5
    assert float(loop.current.max()) == pytest.approx(100e-6, rel=1e-3)
    assert np.isfinite(loop.temperature).all()


def test_the_balance_counts_what_crossed(loop) -> None:
    total = loop.vacancy_total.values
    assert np.abs(total / total[0] - 1.0).max() > 1e-3
    # to what the iteration leaves over, as for the exchange of an oxide
    assert float(loop.vacancy_imbalance.max()) < 1e-6


def test_records_and_pictures_know_the_metal(loop, tmp_path) -> None:
    bands, outline = stack(loop)
    assert [band.is_metal for band in bands] == [True, False, True, True]
    assert outline.bottom == pytest.approx(30.0)
    z = loop["z"].values
    in_oxide = (z > 30e-9) & (z < 35e-9)
    assert np.isfinite(loop.vacancy_concentration.values[0][in_oxide]).all()
    assert np.isnan(loop.vacancy_concentration.values[0][~in_oxide]).all()
    assert (loop.end_concentration.values[~in_oxide] == 0).all()
    records.write(loop, tmp_path / "iv.nc")
    assert records.read(tmp_path / "iv.nc").attrs["device_yaml"] == loop.attrs["device_yaml"]


def test_pulses_bakes_and_waveforms_follow_a_loop(loop) -> None:
    train = devicephys.simulate(CELL, PulseTrain("-1 V", "100 ns", 2), QUICK, start=loop)
    assert (train.conductance > 0).all()
    wave = Waveform.from_si([0.0, 1e-3, 2e-3], [0.0, 0.3, 0.0])
    driven = devicephys.simulate(CELL, wave, QUICK, start=train)
    assert float(driven.vacancy_imbalance.max()) < 1e-6
    bake = devicephys.simulate(CELL, Bake("85 degC", "1 s"), QUICK, start=loop)
    assert np.isfinite(bake["conductance"].values).any()


def test_a_read_meets_the_limit_of_the_current() -> None:
    bake = Bake("85 degC", "1 ms", state="low", read_voltage="0.4 V")
    run = devicephys.simulate(CELL, bake, QUICK)
    # the low state would carry more than the instrument lets through
    assert run["conductance"].values == pytest.approx(100e-6 / 0.4, rel=1e-3)


def test_the_mesh_of_a_metal_over_the_oxide_is_that_of_an_electrode() -> None:
    grid = make_grid(CELL, 0.25e-9, 0.15)
    heights = np.diff(grid.z)
    assert heights[grid.layer == 1].max() < 0.7e-9
    assert heights[grid.layer == 2].max() > 1.5e-9
    assert (initial_concentration(CELL, grid)[grid.layer != 1] == 0).all()


def between_two_oxides() -> Device:
    tree = CELL.to_tree()
    bottom, oxide, metal, top = tree["layers"]
    tree["layers"] = [bottom, oxide, metal, oxide | {"name": "upper"}, top]
    return Device.from_mapping(tree)


def test_a_metal_between_two_oxides_exchanges_with_both() -> None:
    device = between_two_oxides().with_({"ambient_temperature": "500 K"})
    wave = Waveform.from_si([0.0, 1e-4, 2e-4], [0.0, -0.2, 0.0])
    run = devicephys.simulate(device, wave, QUICK)
    assert float(run.vacancy_imbalance.max()) < 1e-7
    n = run.vacancy_concentration.values[-1]
    z, away = run["z"].values, -1  # at the side, far from the filament
    lower, upper = (z > 30e-9) & (z < 35e-9), (z > 45e-9) & (z < 50e-9)
    # both were nearly empty; the metal in between has filled what lies next to it
    assert n[lower, away][-1] > 2 * n[lower, away][0]
    assert n[upper, away][0] > 2 * n[upper, away][-1]


@pytest.mark.slow
def test_tangents_of_a_metal_are_the_differences_of_two_runs() -> None:
    paths = [f"{SURFACE}{name}" for name in ("prefactor", "activation", "concentration")]
    paths += ["materials.Ti.electrical_temperature_coefficient", "layers.Ti.thickness"]
    wave = Waveform.from_si([0.0, 1e-4, 2e-4], [0.0, -0.3, -0.2])
    _, stepper, initial = prepare(BUSY, whole_runs.TIGHT)
    tangents = follow_tangents(stepper, whole_runs.TIGHT, paths)
    tangents.start(initial)
    steps = stepper.run(initial, wave.voltage, wave.corners, 1e-6)
    here, _ = whole_runs.record(stepper, tangents, steps)
    for k, path in enumerate(paths):
        sides, value = [], parameter_value(BUSY, path)
        step = 1e-3 if "coefficient" in path or "thickness" in path else 1e-5
        for sign in (1.0, -1.0):
            text = f"{value * np.exp(sign * step)!r} {BUSY.provenance[path].unit}"
            other = BUSY.with_({path: text.replace("np.float64(", "").replace(")", "")})
            _, again, start = prepare(other, whole_runs.TIGHT)
            sides.append(whole_runs.again(again, start, wave, here.ends)[0])
        expected = here.slopes[:, k]
        difference = (sides[0] - sides[1]) / (2 * step)
        assert np.abs(expected).max() > 0
        atol = 1e-4 * np.abs(expected).max()
        np.testing.assert_allclose(difference, expected, rtol=0, atol=atol, err_msg=path)


@pytest.mark.slow
def test_one_rank_equals_two() -> None:
    if balances.find_mpiexec() is None:
        pytest.skip("no mpiexec")
    found = balances.ranks("hfo2-ti")
    # its gap lies on three cells and blows rounding up, whose order varies from run to run on two
    # ranks: 0.7e-9 to 1.3e-8 in a dozen runs
    assert max(found.values()) < 10 * balances.RANKS, found
