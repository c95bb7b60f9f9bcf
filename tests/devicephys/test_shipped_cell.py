"""The shipped cell, calibrated to loop, pulses, years and cycles at once, against their aims."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("mpi4py.MPI")  # before dolfinx
pytest.importorskip("dolfinx")

from devicephys import PulseTrain, Settings, load_device, simulate

pytestmark = pytest.mark.fem
CELL = load_device("tin-taox-hfox-tin")
CELSIUS = 273.15


def test_a_pulse_of_3_volts_leaves_the_cell_below_2_volts_and_1200_degrees() -> None:
    trace = simulate(CELL, PulseTrain("-3 V", count=2), Settings.preset("quick"))
    assert -2.1 < float(trace.device_voltage.min()) < -1.8
    assert float(trace.temperature_max.max()) - CELSIUS < 1200
    assert 188e-6 < float(trace.initial_conductance) < 208e-6


@pytest.mark.slow
def test_two_loops_meet_the_aims() -> None:
    trace = simulate(CELL.with_({"sweep.loops": "2"}))
    for loop in json.loads(trace.attrs["headline_json"])["loops"]:
        assert loop["reset_onset_voltage"] == pytest.approx(-1.25, abs=0.03)
        assert loop["temperature_reset_edge"] - CELSIUS == pytest.approx(420, abs=10)
        assert loop["set_voltage"] == pytest.approx(1.40, abs=0.05)
        assert loop["low_resistance_before"] == pytest.approx(5e3, rel=0.1)
        assert loop["low_resistance_after"] == pytest.approx(5e3, rel=0.1)
        assert loop["resistance_ratio"] > 8


@pytest.mark.slow
def test_pulses_of_3_volts_reset_it_step_by_step() -> None:
    trace = simulate(CELL, PulseTrain("-3 V", count=12))
    conductance = np.concatenate([[float(trace.initial_conductance)], trace.conductance.values])
    falls = -np.diff(conductance)
    assert (falls > 0).all()
    assert falls.max() < 0.2 * conductance[0]
    half = np.interp(-0.5 * conductance[0], -conductance, np.arange(len(conductance)))
    assert 3 < half < 8
    assert float(trace.temperature_max.max()) - CELSIUS < 1200


def test_the_spread_of_hops_makes_the_high_state_independent_of_the_mesh() -> None:
    settings = Settings.preset("quick")
    finer = settings.with_(mesh_split=2)
    high = [
        json.loads(simulate(CELL, settings=each).attrs["headline_json"])["high_resistance"]
        for each in (settings, finer)
    ]
    assert high[1] == pytest.approx(high[0], rel=0.03)
