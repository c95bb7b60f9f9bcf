"""Switching times: the crossing, the scan, what is recorded, the solver."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from ddkbase import records
from ddkbase.errors import InputError, StorageError
from devicephys.device import load_device
from devicephys.plots.pulses import switching_figure
from devicephys.protocol.switching_scan import SwitchingScan, parse_voltages
from devicephys.simulation import switching_time
from devicephys.simulation.schemas import FAILED, NOT_COMPUTED, NOT_SWITCHED, SWITCHED, TOO_FAST
from devicephys.simulation.settings import Settings
from devicephys.simulation.switching_time import (
    Results,
    activation_energy,
    crossing,
    local_slope,
    measure,
    slope_figures,
)
from tests.fake_switching import HIGH, LOW, Relaxation, expected, record, scanned, time_constant

# the instant of switching


@pytest.mark.parametrize("power", [-0.7, -3.0, 0.4, 6.0])
def test_the_crossing_of_a_power_law_is_exact(power: float) -> None:
    time = np.geomspace(1e-9, 10.0, 12)
    value = 2e-4 * (time / 1e-9) ** power
    wanted = 3.3e-5  # s, between two samples
    target = float(2e-4 * (wanted / 1e-9) ** power)
    assert crossing(time, value, target) == pytest.approx(wanted, rel=1e-12)


def test_the_crossing_of_an_exponential_in_log_time_is_exact() -> None:
    # G = G0 exp(-c ln(t/t0)): exponential in the logarithm of time, sampled three times a decade
    time = np.geomspace(1e-8, 1.0, 25)
    value = 1e-4 * np.exp(-0.3 * np.log(time / 1e-8))
    assert crossing(time, value, 0.5e-4) == pytest.approx(1e-8 * math.exp(math.log(2) / 0.3), 1e-12)


def test_the_crossing_of_an_exponential_decay_converges_with_the_square_of_the_step() -> None:
    errors = []
    for count in (101, 201, 401):
        time = np.geomspace(1e-6, 1.0, count)
        found = crossing(time, np.exp(-time / 1e-3), 0.5)
        errors.append(abs(found / (1e-3 * math.log(2)) - 1))
    assert errors[0] < 0.02
    assert errors[2] < errors[0] / 8


def test_the_first_crossing_counts() -> None:
    time = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    assert 1.0 < crossing(time, np.array([4.0, 1.0, 4.0, 1.0, 1.0]), 2.0) < 2.0


def test_without_a_crossing_there_is_no_time() -> None:
    time = np.array([1.0, 2.0, 3.0])
    assert math.isnan(crossing(time, np.array([4.0, 3.5, 3.1]), 3.0))
    assert math.isnan(crossing(time, np.array([1.0, 1.5, 1.9]), 2.0))


# the scan


def test_times_follow_from_the_time_constants_from_high_to_low_voltage() -> None:
    scan = SwitchingScan("0.8 V:1.6 V:5", limit="1 s")
    points = scanned(scan).points
    assert [p.voltage for p in points[:5]] == [1.6, 1.4, 1.2, 1.0, 0.8]
    assert [p.polarity for p in points] == ["reset"] * 5 + ["set"] * 5
    for point in points:
        assert point.status == SWITCHED
        wanted = expected(point.voltage, point.polarity)
        assert point.switching_time == pytest.approx(wanted, rel=2e-3)
        assert point.temperature_half == pytest.approx(300 + 100 * point.voltage)
        assert point.newton_iterations == 3 * point.steps > 0
    assert points[0].target_conductance == pytest.approx(LOW / 2)
    assert points[5].target_conductance == pytest.approx(math.sqrt(LOW * HIGH))


def test_the_hold_ends_when_the_cell_has_switched() -> None:
    scan = SwitchingScan("1 V, 1.5 V", "reset", limit="1000 s")
    for point in scanned(scan).points:
        assert 0.9 * point.target_conductance < point.end_conductance <= point.target_conductance


def test_the_applied_criterion_needs_ten_times_the_start_for_set() -> None:
    scan = SwitchingScan("1 V, 1.2 V", criterion="applied")
    points = scanned(scan).points
    assert points[2].target_conductance == pytest.approx(10 * HIGH)
    assert points[0].target_conductance == pytest.approx(LOW / 2, rel=1e-5)
    share = math.log(10.0) / math.log(LOW / HIGH)
    wanted = -time_constant(1.2) * math.log(1 - share)
    assert points[2].switching_time == pytest.approx(wanted, rel=2e-3)


def test_what_does_not_switch_in_time_is_recorded_with_its_reason() -> None:
    scan = SwitchingScan("0.4 V, 1 V", "reset", limit="1 s")
    high, low = scanned(scan).points
    assert (high.status, high.reason) == (SWITCHED, "")
    assert low.status == NOT_SWITCHED
    assert math.isnan(low.switching_time)
    assert "after 1 s" in low.reason
    ds = record(scan, [high, low])
    records.validate(ds, "SwitchingTime")
    assert np.isnan(ds["switching_time"].sel(polarity="reset", voltage=0.4))
    assert str(ds["status"].sel(polarity="reset", voltage=0.4).values) == NOT_SWITCHED


def test_what_is_faster_than_the_rise_has_no_time() -> None:
    (point,) = scanned(SwitchingScan("2 V", "set", rise="5 ns")).points
    assert point.status == TOO_FAST
    assert math.isnan(point.switching_time)
    assert "5e-09 s" in point.reason


def test_a_failing_solver_costs_its_voltage_only() -> None:
    points = scanned(SwitchingScan("1 V:1.4 V:3", "reset"), failing=1.2).points
    assert [p.status for p in points] == [SWITCHED, FAILED, SWITCHED]
    assert points[1].reason == "no time step succeeds (t = 1 s)"


def test_without_two_states_there_is_no_set_to_time() -> None:
    class Stuck(Relaxation):
        def start(self, polarity: str) -> float:
            return LOW if polarity == "reset" else 0.9 * LOW

    scan = SwitchingScan("1 V", "set")
    with pytest.raises(InputError, match=r"there is no SET to time.*sweep\.reset_voltage"):
        measure(Stuck(scan), scan, Results(1))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("0.8 V:1.2 V:3", (0.8, 1.0, 1.2)),
        ("1200 mV : 0.8 V : 3", (0.8, 1.0, 1.2)),
        ("1 V", (1.0,)),
        ("1.2 V, 800 mV, 1.2 V", (0.8, 1.2)),
        (["1 V", "900 mV"], (0.9, 1.0)),
    ],
)
def test_voltages_are_a_range_or_a_list(text: object, wanted: tuple[float, ...]) -> None:
    assert parse_voltages(text) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0.8:1.2:3", "has no unit"),
        ("0.8 V:1.2 V", "neither a range nor a list"),
        ("0.8 V:1.2 V:3:4", "neither a range nor a list"),
        ("0.8 V:1.2 V:1", "a range of 1 voltages"),
        ("0.8 V:1.2 V:99999999999", "a range of 999999999 voltages"),
        ("0.8 V:1.2 V:many", "'many' is no number of voltages"),
        ("1 V:1 V:3", "both ends of the range are the same"),
        ("-1 V, 1 V", "-1 V is not positive"),
        ("0 V:1 V:3", "0 V is not positive"),
        ("1 nm", "wrong dimension"),
        ("", "does not start with a number"),
        (1.0, "no list of voltages"),
        ([], "0 voltages"),
    ],
)
def test_bad_voltages_are_refused(text: object, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        parse_voltages(text)
    assert caught.value.where == "voltages"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"polarity": "resett"}, "unknown polarity 'resett'.*Did you mean 'reset'"),
        ({"criterion": "half"}, "unknown criterion"),
        ({"limit": "0 s"}, "0 s is not positive"),
        ({"limit": "10"}, "has no unit"),
        ({"rise": "1 s", "limit": "10 s"}, "is not short against a limit"),
        ({"read_voltage": "-0.1 V"}, "is not positive"),
        ({"loops_before": -1}, "no number of loops"),
        ({"loops_before": True}, "no number of loops"),
    ],
)
def test_bad_scans_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SwitchingScan(**changes)


def test_a_scan_comes_back_from_its_mapping() -> None:
    scan = SwitchingScan("0.7 V:1.3 V:7", "set", "applied", "3 s", "0.2 ns", "0.05 V", 2)
    stored = scan.to_dict()
    assert stored.pop("kind") == "SwitchingScan"
    assert SwitchingScan(**json.loads(json.dumps(stored))) == scan


# slopes and the record


def test_slopes_of_a_straight_line() -> None:
    voltage = np.array([0.8, 1.0, 1.1, 1.4])
    time = 10 ** (-7.0 * voltage)
    assert local_slope(voltage, time) == pytest.approx(np.full(4, 7.0))
    figures = slope_figures(voltage, time)
    assert figures["decades"] == pytest.approx(4.2)
    assert figures["span_volts"] == pytest.approx(0.6)
    assert figures["mv_per_decade"] == pytest.approx(1e3 / 7.0)
    assert figures["steepest_mv"] == pytest.approx(figures["flattest_mv"])


def test_slopes_leave_out_what_did_not_switch() -> None:
    voltage = np.array([0.8, 0.9, 1.0, 1.1])
    time = np.array([np.nan, np.nan, 1e-3, 1e-4])
    slope = local_slope(voltage, time)
    assert np.isnan(slope[:2]).all()
    assert slope[2:] == pytest.approx([10.0, 10.0])
    assert slope_figures(voltage, time)["switched"] == 2
    assert slope_figures(voltage, np.full(4, np.nan))["mv_per_decade"] is None


def test_the_activation_energy_of_an_arrhenius_law_comes_back() -> None:
    temperature = np.array([400.0, 500.0, 700.0, np.nan])
    time = 1e-13 * np.exp(0.93 / (8.617333262e-5 * temperature))
    assert activation_energy(temperature, time) == pytest.approx(0.93, rel=1e-9)
    assert activation_energy(temperature[:2], time[:2]) is None


def test_the_record_is_written_and_read(tmp_path: Path) -> None:
    scan = SwitchingScan("0.4 V:1.4 V:6", limit="1 s")
    ds = record(scan, scanned(scan, failing=1.2).points)
    read = records.read(records.write(ds, tmp_path / "kinetics.nc"), "SwitchingTime")
    xr.testing.assert_identical(
        read.drop_vars(["status", "reason"]), ds.drop_vars(["status", "reason"])
    )
    assert (read["status"].values == ds["status"].values).all()
    assert (read["applied_voltage"].sel(polarity="reset") < 0).all()
    assert (read["applied_voltage"].sel(polarity="set") > 0).all()
    assert json.loads(read.attrs["protocol_json"])["criterion"] == "read"
    with pytest.raises(StorageError, match="must be there exactly where the cell switched"):
        records.validate(ds.assign(switching_time=ds["switching_time"].fillna(1.0)))


def test_what_was_not_measured_reads_so() -> None:
    scan = SwitchingScan("1 V:1.4 V:3", limit="1 s")
    ds = record(scan, scanned(SwitchingScan("1 V:1.4 V:3", "reset", limit="1 s")).points, False)
    records.validate(ds)
    assert (ds["status"].sel(polarity="set") == NOT_COMPUTED).all()
    assert ds.attrs["complete"] == 0


def test_the_picture_shows_both_polarities_and_the_slope() -> None:
    scan = SwitchingScan("0.4 V:1.6 V:7", limit="1 s")
    figure = switching_figure(record(scan, scanned(scan, failing=1.2).points))
    texts = [t.get_text() for ax in figure.axes for t in ax.get_legend().get_texts()]
    assert any("RESET" in text and "mV/decade" in text for text in texts)
    assert any("SET" in text and "decades/V" in text for text in texts)
    assert {NOT_SWITCHED, FAILED} <= set(texts)
    assert any("recalled" in text for text in texts)


# the solver


@pytest.mark.fem
@pytest.mark.parametrize("polarity", ["reset", "set"])
def test_a_higher_voltage_switches_the_cell_sooner(polarity: str) -> None:
    scan = SwitchingScan("1.3 V:1.7 V:3", polarity)
    ds = switching_time.simulate_switching_times(
        load_device("tin-taox-hfox-tin"), scan, Settings.preset("quick")
    )
    records.validate(ds, "SwitchingTime")
    assert (ds["status"] == SWITCHED).all()
    time = ds["switching_time"].values[0]
    # 250 mV per decade here, or steeper, but no jump
    gained = -np.diff(np.log10(time))
    assert (gained > 0.8).all()
    assert (gained < 6.0).all()
    # hotter at half time the higher the voltage
    assert (np.diff(ds["temperature_half"].values[0]) > 0).all()
    start, end = ds["start_conductance"].values[0], ds["end_conductance"].values[0]
    assert (end < start / 2).all() if polarity == "reset" else (end > 3 * start).all()
    # a hold over ten decades of time takes some tens of steps
    assert (ds["steps"] < 150).all()


@pytest.mark.fem
def test_a_voltage_too_low_is_held_to_the_limit_in_few_steps() -> None:
    scan = SwitchingScan("0.3 V", "reset", limit="10 s")
    seen: list[Results] = []
    ds = switching_time.simulate_switching_times(
        load_device("tin-taox-hfox-tin"), scan, Settings.preset("quick"), progress=seen.append
    )
    assert ds["status"].values.tolist() == [[NOT_SWITCHED]]
    assert len(seen) == 1
    assert int(ds["steps"].values[0, 0]) < 100
    assert float(ds["end_conductance"].values[0, 0]) == pytest.approx(
        float(ds["start_conductance"].values[0, 0]), rel=1e-3
    )


@pytest.mark.fem
def test_a_read_finds_the_conductance_of_the_loop_and_changes_nothing() -> None:
    from devicephys.simulation.switching_bench import SolverBench

    scan = SwitchingScan("1 V", "reset")
    bench = SolverBench(load_device("tin-taox-hfox-tin"), Settings.preset("quick"), scan)
    state = bench.start("reset")
    before = state.copy()
    first = bench.read(state)
    assert bench.read(state) == pytest.approx(first, rel=1e-6)
    assert 1 / 5.5e3 < first < 1 / 4.5e3  # the cell as formed, 5 kohm
    assert np.array_equal(state.n, before.n)
    assert np.array_equal(state.u, before.u)
