"""Figures of runs, of screenings and of calibrations, against numbers worked out by hand."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import xarray as xr

import devicephys
from devicephys import Bake, InputError, PulseTrain, SwitchingScan, calibration
from devicephys.calibration import GOALS, Calibration, Knob, Target, pulse_figures
from devicephys.device.entries import parameter_value
from devicephys.parameter_sweep.keys import Keys
from devicephys.screening.description import Interval, interval_of
from devicephys.screening.record import by_importance, direction
from devicephys.sequence.execution import _resistances
from devicephys.simulation.figures_of_merit import loop_figures, waveform_figures
from devicephys.simulation.localisation import localisation
from devicephys.simulation.preparation import LIMIT, program_and_verify
from devicephys.simulation.schemas import SWITCHED
from devicephys.simulation.switching_bench import Moment
from devicephys.simulation.switching_time import Results, measure

CELL = devicephys.load_device("tin-taox-hfox-tin")

# -- protocols ----------------------------------------------------------------------------------


def test_a_read_stands_in_the_middle_of_what_a_period_leaves_free() -> None:
    train = PulseTrain(
        "-2 V", "100 ns", 3, rise="5 ns", fall="15 ns", period="1 us",
        read_voltage="0.1 V", read_width="200 ns", read_edge="10 ns",
    )  # fmt: skip
    # busy: 5 + 100 + 15 + 10 + 200 + 10 = 340 ns, so 330 ns on either side of the read
    nanoseconds = [0, 5, 105, 120, 450, 460, 660, 670, 1000]
    np.testing.assert_allclose(train.pulse(0).corners, 1e-9 * np.array(nanoseconds))
    volts = [0, -2, -2, 0, 0, 0.1, 0.1, 0, 0]
    assert train.pulse(0).corner_voltages.tolist() == volts
    assert train.read_time(0) == pytest.approx(660e-9)  # the end of its flat top
    assert train.duration == pytest.approx(3e-6)


@pytest.mark.parametrize(("duration", "reads"), [("1 ms", 13), ("5 ms", 16), ("2 us", 3)])
def test_reads_of_a_bake_are_no_fewer_a_decade_than_asked(duration: str, reads: int) -> None:
    times = Bake(duration=duration, first_read="1 us").read_times
    assert times[0] == 0.0 and times[1] == pytest.approx(1e-6)
    assert len(times) == 1 + reads  # four a decade, both ends; at least two steps
    steps = np.diff(np.log10(times[1:]))
    np.testing.assert_allclose(steps, steps[0])
    assert steps[0] <= 0.25 + 1e-9


# -- program and verify -------------------------------------------------------------------------


class Reluctant:
    """A cell that only every third pulse of the largest height moves, down to a tenth."""

    def __init__(self, every: int) -> None:
        self.conductance, self.every, self.pulses = 1e-4, every, 0

    def pulse(self, train: PulseTrain, index: int) -> Any:
        if abs(float(train.amplitudes[index])) >= LIMIT:
            self.pulses += 1
            if self.pulses % self.every == 0:
                self.conductance *= 0.9
        return SimpleNamespace(conductance=self.conductance, temperature_max=300.0)


def test_pulses_that_do_nothing_count_in_a_row() -> None:
    reached, _ = program_and_verify(Reluctant(3), 1e-4, 1 / 2.1e-5, PulseTrain(), tolerance=0.06)
    assert reached == pytest.approx(2.1e-5, rel=0.06)  # some ten pulses in vain, never five on end
    with pytest.raises(InputError, match="cannot be brought"):
        program_and_verify(Reluctant(7), 1e-4, 1 / 2.1e-5, PulseTrain(), tolerance=0.06)


# -- where the voltage falls, how long a cell takes ---------------------------------------------


def test_the_cells_of_the_largest_field_are_taken_first() -> None:
    heights, fields = np.array([1e-9, 0.2e-9, 5e-9]), np.array([1e9, 5e8, 4e8])
    z = np.concatenate([[0.0], np.cumsum(heights)])
    v = np.concatenate([[0.0], np.cumsum(heights * fields)])  # 1 V, 0.1 V and 2 V
    found = localisation(CELL, v, np.full((3, 2), 1e27), z, np.array([0.0, 1e-9, 2e-9]))
    assert found is not None
    # 90 % of 3.1 V is reached by the last one only, though it has most of the voltage
    assert found.localisation_cells == 3
    assert found.localisation_thickness == pytest.approx(6.2e-9)
    assert found.field_max == pytest.approx(1e9)
    filament = np.pi * (2e-9) ** 2 * 6.2e-9
    assert found.localisation_vacancies == pytest.approx(1e27 * filament)


class PowerLaw:
    """A bench whose conductance falls with the fourth root of the time since half of the rise."""

    first = 0.5e-9

    def start(self, polarity: str) -> float:
        return 1e-4

    def read(self, state: float) -> float:
        return state

    def counts(self) -> tuple[int, int]:
        return 0, 0

    def hold(self, state: float, voltage: float) -> Iterator[Moment]:
        for since in self.first * 1.7 ** np.arange(8):
            value = state * (since / self.first) ** -0.25
            kelvin = 300 + 50 * math.log(since / 1e-9)
            yield Moment(since + 0.5e-9, voltage, voltage * value, kelvin, value)


@pytest.mark.parametrize("criterion", ["read", "applied"])
def test_switching_is_timed_from_half_of_the_rise(criterion: str) -> None:
    scan = SwitchingScan("1 V", "reset", criterion, rise="1 ns", limit="1 s")
    results = Results(1)
    measure(PowerLaw(), scan, results)  # type: ignore[arg-type]
    (point,) = results.points
    assert point.status == SWITCHED
    # half of the conductance is left after 2^4 times the first 0.5 ns
    assert point.switching_time == pytest.approx(8e-9, rel=1e-9)
    assert point.temperature_half == pytest.approx(300 + 50 * math.log(4))  # at half of that time


# -- screening ----------------------------------------------------------------------------------


def test_ends_of_a_share_are_in_order_also_below_zero() -> None:
    key = "sweep.reset_voltage"
    value = parameter_value(CELL, key)
    assert value < 0
    found = interval_of(key, "20 %", None, CELL, Keys(CELL, "loops"))
    assert (found.lower, found.upper) == pytest.approx((1.2 * value, 0.8 * value))
    assert found.scale == "linear"


def test_the_way_through_an_interval_is_linear_or_logarithmic() -> None:
    line, log = (Interval("x", "m", 2.0, 50.0, scale) for scale in ("linear", "log"))
    assert [line.at(s) for s in (0.0, 0.25, 1.0)] == pytest.approx([2.0, 14.0, 50.0])
    assert [log.at(s) for s in (0.0, 0.5, 1.0)] == pytest.approx([2.0, 10.0, 50.0])


def test_each_figure_counts_alike_for_the_order_of_parameters() -> None:
    statistics = ["mu_star", "mu"]

    def figure(sizes: list[float]) -> xr.DataArray:
        return xr.DataArray([sizes, sizes], dims=("statistic", "parameter"))

    ds = xr.Dataset(
        {"volts": figure([10.0, 9.0, 1.0]), "decades": figure([0.1, 0.9, np.nan])},
        coords={"statistic": statistics},
    ).assign_coords(parameter=["a", "b", "c"])
    # shares of the largest: 1 + 0.11, 0.9 + 1, 0.1
    assert by_importance(ds, ["volts", "decades"]) == [1, 0, 2]
    assert by_importance(ds, ["volts"]) == [0, 1, 2]


def test_effects_of_one_sign_have_its_direction() -> None:
    assert [direction(mu, 2.0) for mu in (1.9, -1.9, 1.7, -1.7, 0.0)] == [1, -1, 0, 0, 0]


# -- a sequence ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("first", "ends"), [("reset", (5e3, 6.2e3)), ("set", (math.nan, 5.5e4))])
def test_resistances_of_a_loop_are_those_of_its_ends(first: str, ends: tuple) -> None:
    names = ("low_resistance_before", "high_resistance", "low_resistance_after")
    loops = [dict(zip(names, row, strict=True)) for row in ((5e3, 5e4, 6e3), (6e3, 5.5e4, 6.2e3))]
    attrs = {
        "schema": "IVTrace",
        "headline_json": json.dumps({"loops": loops}),
        "protocol_json": json.dumps({"first": first}),
    }
    found = _resistances(SimpleNamespace(attrs=attrs))  # type: ignore[arg-type]
    np.testing.assert_allclose(found, ends)


# -- calibration --------------------------------------------------------------------------------


def test_figures_of_trains_are_those_of_an_exponential(monkeypatch: pytest.MonkeyPatch) -> None:
    first, last, decay = 2e-4, 2e-5, 10.0

    def train(device: Any, protocol: PulseTrain, settings: Any) -> Any:
        assert float(protocol.amplitudes[0]) in (-2.0, -3.0) and protocol.count == 100
        k = np.arange(1, 101)
        reads = last + (first - last) * np.exp(-k / decay)
        return SimpleNamespace(
            initial_conductance=first, conductance=xr.DataArray(reads, dims="pulse")
        )

    monkeypatch.setattr(calibration, "simulate", train)
    monkeypatch.setattr(calibration, "loop_figures", lambda device, settings: {"set_voltage": 1.4})
    figures = pulse_figures(CELL, devicephys.Settings.preset("quick"))
    assert figures["set_voltage"] == 1.4
    for volts in (2, 3):
        # between reads the conductance is taken as linear, which moves these by some thousandths
        assert figures[f"shape_{volts}V"] == pytest.approx(math.log(1.25) / math.log(2), rel=5e-3)
        assert figures[f"largest_pulse_{volts}V"] == pytest.approx(-math.expm1(-0.1), rel=1e-4)
        half = decay * math.log((first - last) / (first / 2 - last))
        assert figures[f"pulses_to_half_{volts}V"] == pytest.approx(half, rel=3e-3)
        assert figures[f"conductance_end_{volts}V"] == pytest.approx(last, rel=1e-3)


def test_a_search_ends_where_misfits_and_the_way_from_the_start_balance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = "tin-taox-hfox-tin"
    paths = ("series.transconductance", "vacancy.site_limit")
    start = devicephys.load_device(GOALS[name].start)
    knobs = []
    for path in paths:
        unit, value = start.provenance[path].unit, parameter_value(start, path)
        knobs.append(Knob(path, (path,), f"{value / 30:.9g} {unit}", f"{value * 30:.9g} {unit}"))
    goal = dataclasses.replace(
        GOALS[name], targets=[Target("a", 6.0, 1.0), Target("b", 12.0, 2.0)], knobs=knobs
    )
    monkeypatch.setitem(GOALS, name, goal)
    search = Calibration(name, devicephys.Settings.preset("quick"), report=lambda _: None)
    origin = np.array([search._magnitude(knob) for knob in knobs])

    def evaluate(_: Any, points: list[np.ndarray]) -> list[dict[str, float]]:
        return [dict(zip("ab", (3, 2) * (p - origin), strict=True)) for p in points]

    monkeypatch.setattr(search, "_evaluate", evaluate)
    device, _ = search.run(iterations=40, ridge=2.0)
    # (3 x - 6)^2 + 4 x^2 and (y - 6)^2 + 4 y^2 are least there
    ways = [np.log(parameter_value(device, p) / parameter_value(start, p)) for p in paths]
    assert ways == pytest.approx([18 / 13, 6 / 5], abs=0.02)


@pytest.mark.parametrize("first", ["reset", "set"])
def test_resistances_of_a_loop_are_those_of_their_branches(first: str) -> None:
    sign = -1.0 if first == "reset" else 1.0
    ramp = np.linspace(0.0, 1.0, 41)
    quarters = [sign * ramp, sign * ramp[::-1], -sign * ramp, -sign * ramp[::-1]]
    ohms = (1e3, 2e4, 3e4, 2e3) if first == "reset" else (3e4, 2e3, 1e3, 2e4)
    current = np.concatenate([v / r for v, r in zip(quarters, ohms, strict=True)])
    volts, heat = np.concatenate(quarters), np.linspace(300.0, 400.0, 164)
    heat[:41] += 500.0  # the first quarter is the hottest
    figures, _ = loop_figures(volts, current, heat, first)
    assert figures.low_resistance_before == pytest.approx(1e3)  # at -0.1 V on the way down
    assert figures.low_resistance_after == pytest.approx(2e3)
    # after RESET: where SET comes next, at 0.1 V before it; else at -0.1 V on the way back
    high = 3e4 if first == "reset" else 2e4
    assert figures.high_resistance == pytest.approx(high)
    assert figures.resistance_ratio == pytest.approx(high / 1e3)
    returned = 2.0 if first == "reset" else float("nan")
    assert figures.return_ratio == pytest.approx(returned, nan_ok=True)
    assert figures.temperature_max == heat.max()


def test_temperatures_of_set_are_those_of_its_ramp() -> None:
    ramp = np.linspace(0.0, 1.0, 41)
    volts = np.concatenate([-ramp, -ramp[::-1], ramp, ramp[::-1]])
    ohms = np.concatenate([np.full(82, 3e4), np.where(ramp < 0.71, 3e4, 2e3), np.full(41, 2e3)])
    heat = np.full(164, 900.0)  # hotter in RESET, and on the way back
    heat[82:123] = 300.0 + 100.0 * ramp + 50.0 * (ramp > 0.71)
    heat[81] = 300.0  # at 0 V, before the ramp
    figures, points = loop_figures(volts, volts / ohms, heat)
    assert 0.7 < figures.set_voltage < 0.725
    assert figures.temperature_set_max == pytest.approx(450.0)
    assert figures.temperature_set_edge == pytest.approx(
        np.interp(figures.set_voltage, ramp, heat[82:123])
    )
    # the largest current of the ramp is 0.5 mA; half of it is passed within the jump
    assert figures.set_current == pytest.approx(2.5e-4)
    assert 370.0 < figures.temperature_set_current < 423.0
    assert figures.temperature_max == 900.0
    assert (np.diff(points) >= 0).all() and 82 < points[4] < points[5] <= points[6] < 123


def test_the_instant_after_set_is_where_most_of_the_rise_is_done() -> None:
    ramp = np.linspace(0.0, 1.0, 41)
    share = np.where(ramp > 0.51, 0.4, 0.0)  # four tenths in a jump, the others one by one
    first = int(np.flatnonzero(share)[0])
    share[first + 1 : first + 13] = 0.4 + 0.05 * np.arange(1, 13)
    share[first + 13 :] = 1.0
    siemens = 1e-5 + 4e-4 * share
    volts = np.concatenate([-ramp, -ramp[::-1], ramp, ramp[::-1]])
    current = volts * np.concatenate([np.full(82, 1e-5), siemens, np.full(41, 4.1e-4)])
    _, points = loop_figures(volts, current, np.full(164, 300.0))
    f, g = points[5] - 82, points[6] - 82
    assert f in (first - 1, first)
    # 80 % of what is left from F on
    left = 1.0 - share[f]
    assert share[g] >= share[f] + 0.8 * left - 1e-9 > share[g - 1]
    assert points[4] == 82 + f // 2  # E at half of its voltage


def test_the_energy_of_a_waveform_is_over_its_time() -> None:
    time = np.array([0.0, 1e-6, 5e-6, 6e-6])
    voltage, current = np.array([0.0, 2.0, 2.0, 0.0]), np.array([0.0, 1e-4, 2e-4, 0.0])
    found = waveform_figures(time, voltage, current, np.full(4, 300.0))
    # trapezia of the power: 0 to 0.2 mW in 1 us, 0.2 to 0.4 mW in 4 us, and back in 1 us
    assert found["energy"] == pytest.approx(0.1e-9 + 1.2e-9 + 0.2e-9)
