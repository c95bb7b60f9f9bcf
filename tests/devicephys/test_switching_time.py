"""Switching times: the crossing, the scan, what is recorded, the command line, the solver."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner, Result

from ddkbase import records
from ddkbase.errors import InputError, Interrupted, SolverError, StorageError
from devicephys import installation
from devicephys.cli.commands import app
from devicephys.device import load_device
from devicephys.plots.switching_time import switching_figure
from devicephys.protocol.switching_scan import SwitchingScan, parse_voltages
from devicephys.run import kinds
from devicephys.simulation import switching_time
from devicephys.simulation.schemas import (
    FAILED,
    NOT_COMPUTED,
    NOT_SWITCHED,
    SWITCHED,
    TOO_FAST,
)
from devicephys.simulation.settings import Settings
from devicephys.simulation.switching_bench import Moment
from devicephys.simulation.switching_record import (
    Point,
    Results,
    activation_energy,
    dataset,
    local_slope,
    slope_figures,
)
from devicephys.simulation.switching_time import crossing, measure

LOW, HIGH = 200e-6, 10e-6  # conductances of the two states, S
BASE, SLOPE = 1e-3, 7.0  # time constant at 1 V [s] and decades won per volt


class Relaxation:
    """A bench on which the conductance goes over exponentially from one state to the other.

    The time constant falls by ``SLOPE`` decades per volt; steps grow by a twentieth each. At
    ``failing`` volts the solver gives up, at ``stopping`` volts the user interrupts.
    """

    def __init__(self, scan: SwitchingScan, failing: float = 0.0, stopping: float = 0.0) -> None:
        self.scan, self.failing, self.stopping = scan, failing, stopping
        self.steps = 0

    def start(self, polarity: str) -> float:
        return LOW if polarity == "reset" else HIGH

    def read(self, state: float) -> float:
        return state

    def counts(self) -> tuple[int, int]:
        return self.steps, 3 * self.steps

    def hold(self, state: float, voltage: float) -> Iterator[Moment]:
        if abs(voltage) == self.stopping:
            raise KeyboardInterrupt
        tau = time_constant(abs(voltage))
        end = HIGH if voltage < 0 else LOW
        time = self.scan.rise
        while time < self.scan.limit:
            if abs(voltage) == self.failing and time > 0.1 * tau:
                raise SolverError("no time step succeeds", "t = 1 s")
            self.steps += 1
            now = end * (state / end) ** math.exp(-(time - 0.5 * self.scan.rise) / tau)
            yield Moment(time, voltage, now * voltage, 300.0 + 100.0 * abs(voltage), now)
            time *= 1.05


def time_constant(voltage: float) -> float:
    return BASE * 10 ** (-SLOPE * (voltage - 1.0))


def expected(voltage: float, polarity: str) -> float:
    """Time at which log conductance has gone the wanted share of its way, s."""
    whole = math.log(LOW / HIGH)
    share = math.log(2.0) / whole if polarity == "reset" else 0.5
    return -time_constant(voltage) * math.log(1.0 - share)


def scanned(scan: SwitchingScan, **bench: float) -> Results:
    results = Results(len(scan.voltages) * len(scan.polarities))
    measure(Relaxation(scan, **bench), scan, results)
    return results


def record(scan: SwitchingScan, points: list[Point], complete: bool = True) -> xr.Dataset:
    device = load_device("tin-taox-hfox-tin")
    return dataset(device, scan, Settings.preset("quick"), points, 1, complete)


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


# the command line


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line with a drawn relaxation in place of the solver."""

    def stand_in(device: Any, scan: Any, settings: Any, progress: Any = None) -> xr.Dataset:
        results = Results(len(scan.voltages) * len(scan.polarities))
        try:
            measure(Relaxation(scan, failing=1.3, stopping=1.9), scan, results, progress)
        except KeyboardInterrupt:
            ds = dataset(device, scan, settings, results.points, 1, False)
            raise Interrupted("interrupted", partial=ds) from None
        ds = dataset(device, scan, settings, results.points, 1, True)
        if all(point.status == FAILED for point in results.points):
            raise SolverError("no voltage could be computed", partial=ds)
        return ds

    monkeypatch.setattr(kinds, "simulate_switching_times", stand_in)
    monkeypatch.setattr(installation, "require_solver", lambda: None)
    monkeypatch.setattr(installation, "world", lambda: None)
    monkeypatch.setenv("PETSC_OPTIONS", "")
    monkeypatch.setenv("COLUMNS", "120")


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["switching-time", *map(str, arguments)])


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


FILES = {
    "kinetics.nc", "kinetics.png", "report.html", "device.yaml", "request.json", "run.log",
}  # fmt: skip


@pytest.mark.usefixtures("drawn")
def test_the_command_fills_its_folder(tmp_path: Path) -> None:
    out = tmp_path / "new" / "run"
    result = call("--out", out, "--voltages", "0.9 V:1.5 V:7", "--set", "filament.radius=8 nm")
    assert result.exit_code == 0, result.output
    assert names(out) == FILES
    ds = records.read(out / "kinetics.nc", "SwitchingTime")
    assert "8 nm" in ds.attrs["device_yaml"]
    for text in ("RESET: 6 of 7", "mV per decade", FAILED, str(out / "kinetics.png")):
        assert text in result.stdout
    assert "switched after" in (out / "run.log").read_text()


@pytest.mark.usefixtures("drawn")
def test_a_stopped_scan_keeps_what_it_has(tmp_path: Path) -> None:
    result = call("--out", tmp_path / "run", "--voltages", "1.7 V:2.1 V:5", "--rise", "1 fs")
    assert result.exit_code == 130
    assert "What was measured is in" in result.stderr
    ds = records.read(tmp_path / "run" / "kinetics.nc")
    assert ds.attrs["complete"] == 0
    assert int((ds["status"] == SWITCHED).sum()) == 2
    assert names(tmp_path / "run") == FILES


@pytest.mark.usefixtures("drawn")
def test_a_scan_stopped_at_once_gives_its_folder_back(tmp_path: Path) -> None:
    result = call("--out", tmp_path / "run", "--voltages", "1.9 V")
    assert result.exit_code == 130
    assert "Nothing was measured" in result.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("drawn")
def test_if_every_voltage_fails_the_solver_gave_up(tmp_path: Path) -> None:
    result = call("--out", tmp_path / "run", "--voltages", "1.3 V", "--polarity", "reset")
    assert result.exit_code == 3
    assert result.stderr.count("error:") == 1
    assert records.read(tmp_path / "run" / "kinetics.nc").status.values.tolist() == [[FAILED]]


@pytest.mark.usefixtures("drawn")
@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--voltages", "0.8:1.2:3"), 2, "has no unit"),
        (("--voltages", "0.8 V:1.2 V"), 2, "neither a range nor a list"),
        (("--limit", "soon"), 2, "does not start with a number"),
        (("--device", "no-such-device"), 2, "no-such-device"),
        (("--set", "filament.radius"), 2, "is not KEY=VALUE"),
        (("--polarity", "up"), 2, "polarity"),
    ],
)
def test_bad_input_is_one_line_and_leaves_no_folder(
    tmp_path: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    result = call("--out", tmp_path / "run", *arguments)
    assert result.exit_code == code
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("drawn")
def test_a_folder_with_a_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kinetics.nc").write_text("mine")
    result = call("--out", tmp_path)
    assert result.exit_code == 4
    assert "already holds a run: kinetics.nc exists" in result.stderr
    assert names(tmp_path) == {"kinetics.nc"}


@pytest.mark.usefixtures("drawn")
def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> Path:
        raise StorageError("the file cannot be written: No space left on device", "kinetics.nc")

    monkeypatch.setattr(records, "write", full)
    result = call("--out", tmp_path / "run", "--voltages", "1 V")
    assert result.exit_code == 4
    assert "No space left" in result.stderr


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
