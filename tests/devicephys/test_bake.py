"""Bakes: what is asked for, what is read off the reads, and the solver against Arrhenius's law."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import devicephys
from ddkbase import records
from ddkbase.errors import InputError
from devicephys import Bake, Settings, protocol_from_dict
from devicephys.plots import retention_figure
from devicephys.reliability.retention_record import (
    BOLTZMANN_EV,
    COMPUTED,
    arrhenius,
    bake_dataset,
    crossing_time,
    duration_text,
)
from devicephys.run import entries, table
from devicephys.simulation.checkpoint import Checkpoint
from tests.cli_tools import call, error_line

CELL = devicephys.load_device("tin-taox-hfox-tin")
LOW, HIGH = 1e-5, 2e-4


def law(kelvin: float, energy: float = 1.1, prefactor: float = 1e-12) -> float:
    return prefactor * math.exp(energy / (BOLTZMANN_EV * kelvin))


def drawn(bake: Bake, energy: float = 1.1) -> xr.Dataset:
    """A Retention whose conductance, a power of time, passes the geometric mean by the law."""
    mean = math.sqrt(LOW * HIGH)
    time = bake.read_times
    rows = [
        np.minimum(HIGH, np.where(time == 0, LOW, np.maximum(LOW, mean * (time / law(t)) ** 0.2)))
        for t in bake.temperatures
    ]
    shape = len(bake.temperatures)
    table_ = {
        "conductance": np.array(rows),
        "filament_gap": np.zeros((shape, len(time))),
        "steps": np.ones(shape, dtype=int),
        "status": np.full(shape, COMPUTED, dtype=object),
    }
    return bake_dataset(
        CELL, bake, Settings(), table_, (LOW, HIGH), [], ranks=1, seconds={}, complete=True
    )


def test_a_bake_is_what_it_is_asked_to_be() -> None:
    bake = Bake("250 degC, 85 degC", "1 year", reads_per_decade=2, first_read="1 s")
    assert bake.temperatures == (358.15, 523.15)
    times = bake.read_times
    assert times[0] == 0 and times[1] == 1.0 and times[-1] == bake.duration
    assert np.diff(np.log10(times[1:])).max() <= 0.5 + 1e-9
    assert protocol_from_dict(bake.to_dict()) == bake
    assert Bake(["300 K", "300 K"]).temperatures == (300.0,)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"temperatures": "-300 degC"}, "below absolute zero"),
        ({"temperatures": "85"}, "no unit"),
        ({"temperatures": 85}, "no unit"),
        ({"temperatures": "3000 degC"}, "melt"),
        ({"temperatures": "1 V"}, "wrong dimension"),
        ({"temperatures": []}, "0 temperatures"),
        ({"duration": "-1 h"}, "not positive"),
        ({"duration": "1 ns"}, "not within"),
        ({"state": "middle"}, "no state"),
        ({"reads_per_decade": 0}, "no number of reads"),
        ({"reads_per_decade": True}, "no number of reads"),
        ({"stress_voltage": "30 V"}, "stands"),
        ({"read_voltage": "0 V"}, "not positive"),
    ],
)
def test_what_is_no_bake_is_refused(arguments: dict, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        Bake(**arguments)


@pytest.mark.usefixtures("settled")
def test_the_command_names_the_option(tmp_path: Path) -> None:
    result = call("retention", "--temperatures", "-300 degC", "--out", tmp_path / "run")
    assert "'-300 degC' lies below absolute zero (--temperatures)" in error_line(result, 2)
    assert not (tmp_path / "run").exists()


@given(power=st.floats(-3.0, 3.0), target=st.floats(1.5, 900.0))
def test_a_power_law_crosses_where_it_does(power: float, target: float) -> None:
    if abs(power) < 0.2:
        return
    time = np.concatenate([[0.0], np.geomspace(1e-3, 1e6, 40)])
    value = np.append((1e-4) ** power, time[1:] ** power)
    wanted = target ** (1.0 / power)
    found = crossing_time(time, value, target)
    if not 2e-3 < wanted < 1e6:
        return
    assert found == pytest.approx(wanted, rel=1e-9)


def test_what_does_not_cross_has_no_time() -> None:
    time = np.array([0.0, 1.0, 2.0])
    assert math.isnan(crossing_time(time, np.array([1.0, 2.0, 3.0]), 4.0))
    assert math.isnan(crossing_time(time, np.array([1.0, np.nan, np.nan]), 1.5))
    assert crossing_time(time, np.array([1.0, 2.0, 3.0]), 1.5) == 1.0
    assert crossing_time(time, np.array([3.0, 3.0, 1.0]), 2.0) > 1.0


def test_arrhenius_law_of_times() -> None:
    kelvin = np.array([358.15, 398.15, 473.15])
    found = arrhenius(kelvin, np.array([law(t) for t in kelvin]))
    assert found == pytest.approx((1.1, 1e-12))
    assert arrhenius(kelvin, np.array([np.nan, np.nan, 1.0])) is None


def test_what_was_simulated_and_what_was_extrapolated_is_said() -> None:
    whole = drawn(Bake("85 degC, 125 degC, 200 degC"))
    records.validate(whole, "Retention")
    figures = json.loads(whole.attrs["headline_json"])
    assert figures["use_time_origin"] == "simulated"
    assert figures["use_time"] == pytest.approx(law(358.15), rel=1e-6)
    assert figures["activation_energy_ev"] == pytest.approx(1.1, rel=1e-6)
    # the middle of the window is reached by the same power of time, later
    later = (0.5 * (LOW + HIGH) / math.sqrt(LOW * HIGH)) ** 5
    np.testing.assert_allclose(whole["time_half"], later * whole["time_geometric"], rtol=1e-6)
    hot = drawn(Bake("125 degC, 200 degC"))
    figures = json.loads(hot.attrs["headline_json"])
    assert figures["use_time_origin"] == "extrapolated from 2 temperatures"
    assert figures["use_time"] == pytest.approx(law(358.15), rel=1e-6)
    assert law(figures["ten_years_temperature"]) == pytest.approx(315576000.0, rel=1e-6)
    assert "extrapolated from 2 temperatures" in " ".join(table(hot).notes)
    short = drawn(Bake("20 degC", "1 min"))
    assert "Nothing is extrapolated" in " ".join(table(short).notes)
    assert table(short).rows[0][3] == "beyond 60 s"
    assert entries(short)["points"][0]["time_geometric"] is None
    retention_figure(whole)
    retention_figure(short)


def test_times_as_people_say_them() -> None:
    texts = [duration_text(t) for t in (0.0, 2e-6, 90.0, 7200.0, 129600.0, 86400.0 * 3, 3.15576e8)]
    assert texts == ["0 s", "2 us", "90 s", "2 h", "36 h", "3 days", "10 years"]


# with the solver


@pytest.fixture(scope="module")
def solver() -> None:
    pytest.importorskip("mpi4py.MPI")  # before dolfinx
    pytest.importorskip("dolfinx")


@pytest.mark.fem
@pytest.mark.usefixtures("solver")
def test_a_bake_has_the_activation_energy_of_its_oxide() -> None:
    # one energy in both oxides, no other temperature in the law: the whole course scales
    cell = CELL.with_(
        {f"materials.{name}.diffusion_activation": "1 eV" for name in ("HfOx", "TaOx")}
    )
    bake = Bake("150 degC, 250 degC", "1 h", reads_per_decade=3, first_read="0.1 ms")
    ds = devicephys.simulate(cell, bake, Settings.preset("quick"))
    records.validate(ds, "Retention")
    times = ds.time_geometric.values
    assert np.isfinite(times).all()
    energy = np.log(times[0] / times[1]) * BOLTZMANN_EV / (1 / 423.15 - 1 / 523.15)
    assert energy == pytest.approx(1.0, abs=0.02)
    # the read at the start is that of the window, and reads leave no trace
    assert ds.conductance.values[:, 0] == pytest.approx([float(ds.low_conductance)] * 2, rel=1e-5)


@pytest.mark.fem
@pytest.mark.usefixtures("solver")
def test_a_bake_that_was_stopped_goes_on_as_it_would_have(tmp_path: Path) -> None:
    bake = Bake("150 degC, 200 degC", "1 s", reads_per_decade=1, first_read="1 ms", state="low")
    quick = Settings.preset("quick")
    whole = devicephys.simulate(CELL, bake, quick)
    seen = []

    def stop(event: devicephys.reliability.retention.BakeEvent) -> None:
        seen.append(event)
        if len(seen) == 8:
            raise KeyboardInterrupt

    checkpoint = Checkpoint(tmp_path, 3)
    with pytest.raises(devicephys.Interrupted) as caught:
        devicephys.simulate(CELL, bake, quick, progress=stop, checkpoint=checkpoint)
    partial = caught.value.partial
    assert partial is not None and int(partial.conductance.notnull().sum()) >= 7
    again = devicephys.simulate(CELL, bake, quick, checkpoint=checkpoint)
    np.testing.assert_array_equal(again.conductance, whole.conductance)
    np.testing.assert_array_equal(again.steps, whole.steps)
