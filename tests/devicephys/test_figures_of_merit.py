"""Headline figures on loops drawn by formula, whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddkbase.errors import InputError
from devicephys.simulation.figures_of_merit import (
    NO_RETURN,
    gradual_range,
    loop_figures,
    reset_onset,
    reset_trend,
    steepest_rise,
    trend_end,
    undetermined,
    undetermined_of_loop,
    waveform_figures,
)
from devicephys.simulation.schemas import POINTS

STOP = 1.6
#: conductance without RESET: ohmic, self-heating, series element (S, S/V, S/V^2)
TREND = (2e-4, -3e-5, -1e-5)


def trend(magnitude: np.ndarray) -> np.ndarray:
    return np.polynomial.Polynomial(TREND)(magnitude)


def falling(
    points: int = 161, begin: float = 1.2, loss: float = 1.0, share_left: float = 0.06
) -> tuple[np.ndarray, np.ndarray]:
    """Branch 0 -> -STOP: from ``begin`` the conductance loses ``loss`` of its trend per volt."""
    voltage = -np.linspace(0.0, STOP, points)
    magnitude = np.abs(voltage)
    share = np.clip(1.0 - loss * (magnitude - begin), share_left, 1.0)
    return voltage, voltage * trend(magnitude) * share


def rising(
    points: int = 161, at: float = 1.395, low: float = 1e-5, high: float = 2e-4, width: float = 5e-3
) -> tuple[np.ndarray, np.ndarray]:
    """Branch 0 -> +STOP: logistic rise of the conductance from low to high."""
    voltage = np.linspace(0.0, STOP, points)
    with np.errstate(over="ignore"):
        conductance = low + (high - low) / (1.0 + np.exp(-(voltage - at) / width))
    return voltage, voltage * conductance


def loop(begin: float = 1.2, at: float = 1.395, loss: float = 2.0) -> tuple[np.ndarray, ...]:
    """Whole loop: voltage, current, and a temperature that is a line in |V|."""
    v1, i1 = falling(begin=begin, loss=loss)
    g_high = i1[-1] / v1[-1]
    v3, i3 = rising(at=at, low=g_high, high=2e-4)
    g_low = i3[-1] / v3[-1]
    voltage = np.concatenate([v1, v1[-2::-1], v3[1:], v3[-2::-1]])
    current = np.concatenate([i1, v1[-2::-1] * g_high, i3[1:], v3[-2::-1] * g_low])
    return voltage, current, 293.15 + 300.0 * np.abs(voltage)


# the onset of RESET


@given(
    begin=st.floats(1.0, 1.25),
    loss=st.floats(0.5, 5.0),
    points=st.integers(40, 400),
)
def test_onset_is_where_five_per_cent_of_the_trend_are_lost(
    begin: float, loss: float, points: int
) -> None:
    voltage, current = falling(points, begin, loss)
    wanted = begin + 0.05 / loss
    step = STOP / (points - 1)
    found = reset_onset(voltage, current)
    assert abs(found + wanted) <= step
    # Between two points of the straight part the interpolation is exact.
    if begin < wanted - step and 1.0 - loss * (wanted + step - begin) > 0.06:
        assert found == pytest.approx(-wanted, abs=1e-9)


def test_onset_of_a_ramp_that_comes_back_is_that_of_the_way_there() -> None:
    voltage, current = falling(161, 1.1, 2.0)
    low = current[-1] / voltage[-1]
    back = voltage[-2::-1]
    there_and_back = np.concatenate([voltage, back]), np.concatenate([current, low * back])
    assert reset_onset(*there_and_back) == reset_onset(voltage, current)
    assert np.isnan(reset_onset(np.empty(0), np.empty(0)))


def test_trend_extrapolates_the_part_before_reset() -> None:
    voltage, current = falling()
    assert reset_trend(voltage, current) == pytest.approx(trend(np.abs(voltage)), rel=1e-10)


@given(scale=st.floats(1e-6, 1e6))
def test_scaling_the_current_leaves_the_voltages(scale: float) -> None:
    voltage, current = falling()
    onset = reset_onset(voltage, current)
    assert reset_onset(voltage, scale * current) == pytest.approx(onset, abs=1e-12)
    assert gradual_range(voltage, scale * current, onset) == gradual_range(voltage, current, onset)
    voltage, current = rising()
    assert steepest_rise(voltage, scale * current) == steepest_rise(voltage, current)


@given(every=st.integers(1, 8), begin=st.floats(1.0, 1.25), loss=st.floats(0.5, 5.0))
def test_subsampling_moves_the_events_by_at_most_a_step(
    every: int, begin: float, loss: float
) -> None:
    fine_step = STOP / 160
    voltage, current = falling(161, begin, loss)
    onset = reset_onset(voltage, current)
    coarse = reset_onset(voltage[::every], current[::every])
    assert abs(coarse - onset) <= every * fine_step
    voltage, current = rising(at=begin)
    assert abs(steepest_rise(voltage[::every], current[::every])[0] - begin) <= every * fine_step


def test_onset_bears_the_noise_of_a_measurement() -> None:
    """0.1 % noise of the current moves an onset of 1 / V steepness by 3 mV (standard deviation).

    The noise at the crossing and that of the extrapolated trend add up; ten times the noise makes
    ten times the scatter.
    """
    voltage, current = falling(321, begin=1.1, loss=1.0)
    rng = np.random.default_rng(1)
    for noise, scatter in ((1e-4, 0.4e-3), (1e-3, 4e-3)):
        found = [
            reset_onset(voltage, current * (1 + noise * rng.standard_normal(voltage.size)))
            for _ in range(200)
        ]
        assert np.std(found) < scatter
        assert abs(np.mean(found) + 1.15) < scatter / 2


def test_onset_is_nan_without_reset() -> None:
    voltage, current = falling(loss=0.0)
    assert np.isnan(reset_onset(voltage, current))
    assert np.isnan(gradual_range(voltage, current, float("nan")))
    assert np.isnan(reset_onset(voltage, 0.0 * current))


def test_a_loss_of_less_than_five_per_cent_is_no_reset() -> None:
    for left, seen in ((0.951, False), (0.949, True)):
        voltage, current = falling(loss=5.0, share_left=left)
        assert np.isfinite(reset_onset(voltage, current)) == seen


# gradual RESET


def test_gradual_range_is_from_the_lowest_resistance_to_the_end_of_the_rise() -> None:
    voltage = -np.linspace(0.0, STOP, 161)
    magnitude = np.abs(voltage)
    # falls to 1.0 V, rises to 1.4 V, falls again: 5000 ohm at the lowest
    resistance = 5e3 + np.where(
        magnitude < 1.4, 1e4 * (magnitude - 1.0) ** 2, 1.6e3 - 1e4 * (magnitude - 1.4)
    )
    current = voltage / resistance
    assert gradual_range(voltage, current, -1.2) == pytest.approx(0.4, abs=1e-12)
    # whatever instant of the rise is called its onset
    assert gradual_range(voltage, current, -1.0051) == pytest.approx(0.4, abs=1e-12)
    # an onset where the resistance falls is no gradual RESET
    assert gradual_range(voltage, current, -0.7) == 0.0
    assert gradual_range(voltage, current, -1.5) == 0.0


def test_one_fall_of_the_resistance_ends_the_gradual_range() -> None:
    voltage = -np.linspace(0.0, 1.6, 17)
    resistance = 5e3 + 1e3 * np.abs(voltage)
    resistance[13] = resistance[12]  # at -1.3 V it stands still
    current = voltage / resistance
    assert gradual_range(voltage, current, -1.15) == pytest.approx(1.1)  # 0.1 to 1.2 V
    assert gradual_range(voltage, current, -1.45) == pytest.approx(0.3)  # 1.3 to 1.6 V


# SET


@given(at=st.floats(0.5, 1.5), points=st.integers(33, 400))
def test_set_lies_in_the_step_of_the_jump(at: float, points: int) -> None:
    voltage, current = rising(points, at, width=1e-9)
    found, index = steepest_rise(voltage, current)
    assert voltage[index - 1] <= at <= voltage[index]
    assert voltage[index - 1] <= found <= voltage[index]


def test_set_is_the_middle_of_a_smooth_jump() -> None:
    # steps of 10 mV through a jump 30 mV wide: the place is known better than the step
    voltage, current = rising(171, 1.234, width=0.03)
    assert steepest_rise(voltage, current)[0] == pytest.approx(1.234, abs=1.5e-3)


def test_steepness_is_per_volt_and_not_per_step() -> None:
    voltage = np.array([0.0, 0.2, 0.4, 0.6, 1.0, 1.01, 1.02])
    conductance = 1e-5 * np.array([1.0, 1.0, 1.0, 1.0, 2.0, 3.0, 3.0])
    found, index = steepest_rise(voltage, voltage * conductance)
    assert index == 5
    assert 1.0 <= found <= 1.01


def test_no_set_where_nothing_switches() -> None:
    voltage = np.linspace(0.0, STOP, 161)
    for conductance in (
        np.full(161, 2e-4),  # a resistor
        trend(voltage),  # a cell that heats
        2e-4 * (1.0 + 0.4 * (voltage / STOP) ** 2),  # one that conducts better when hot
    ):
        found, index = steepest_rise(voltage, voltage * conductance)
        assert np.isnan(found)
        assert index == -1


# whole loops


def test_figures_of_a_loop() -> None:
    voltage, current, temperature = loop()
    figures, points = loop_figures(voltage, current, temperature)
    assert figures.reset_onset_voltage == pytest.approx(-1.225, abs=1e-9)
    assert figures.set_voltage == pytest.approx(1.395, abs=1e-9)
    # V/I rises from 0.1 V on, as the trend of this cell falls, to the stop
    assert figures.reset_gradual_range == pytest.approx(1.5, abs=1e-9)
    assert figures.temperature_reset_edge == pytest.approx(293.15 + 300 * 1.225)
    assert figures.temperature_set_edge == pytest.approx(293.15 + 300 * 1.395)
    assert figures.temperature_max == pytest.approx(293.15 + 300 * STOP)
    assert figures.low_resistance_before == pytest.approx(1 / trend(np.array(0.1)))
    share = 1.0 - 2.0 * (STOP - 1.2)
    assert figures.high_resistance == pytest.approx(1 / (share * trend(np.array(STOP))))
    assert figures.low_resistance_after == pytest.approx(5e3, rel=1e-9)
    assert figures.resistance_ratio == pytest.approx(
        figures.high_resistance / figures.low_resistance_before
    )
    marked = dict(zip(POINTS, voltage[points], strict=True))
    step = STOP / 160
    wanted = {"A": -0.61, "B": -1.225, "D": -1.6, "E": 0.7, "F": 1.4, "H": 0.0}
    for name, value in wanted.items():
        assert abs(marked[name] - value) <= step, name
    resistance = voltage[points] / np.where(current[points] == 0, np.nan, current[points])
    assert resistance[2] == pytest.approx(np.sqrt(resistance[1] * resistance[3]), rel=0.1)
    assert 1.4 <= marked["G"] <= 1.41


@given(
    begin=st.floats(1.0, 1.25),
    at=st.floats(0.5, 1.5),
    loss=st.floats(0.8, 2.5),
)
def test_points_follow_each_other_in_time(begin: float, at: float, loss: float) -> None:
    voltage, current, temperature = loop(begin, at, loss)
    figures, points = loop_figures(voltage, current, temperature)
    assert points.shape == (8,)
    assert np.all(np.diff(points) >= 0)
    assert points[-1] == len(voltage) - 1
    assert np.all(voltage[points[:4]] < 0)
    assert np.all(voltage[points[4:7]] > 0)
    assert np.isfinite(figures.set_voltage)


def test_a_loop_of_a_resistor_has_resistances_and_no_events() -> None:
    voltage, _, temperature = loop()
    figures, points = loop_figures(voltage, voltage / 5e3, temperature)
    for resistance in (
        figures.low_resistance_before,
        figures.high_resistance,
        figures.low_resistance_after,
    ):
        assert resistance == pytest.approx(5e3)
    assert figures.resistance_ratio == pytest.approx(1.0)
    for missing in (
        figures.reset_onset_voltage,
        figures.reset_gradual_range,
        figures.set_voltage,
        figures.temperature_reset_edge,
        figures.temperature_set_edge,
    ):
        assert np.isnan(missing)
    assert np.all(np.diff(points) >= 0)


@pytest.mark.parametrize(
    "voltage",
    [
        [0.0, -1.0, 1.0],
        [0.0, -1.0, 0.0, 1.0, 0.0],
        [0.0, -0.05, 0.0, 0.05, 0.0],  # never reaches the read voltage
        [0.0, 0.0, 0.0],
        [0.0],
    ],
)
def test_few_points_give_nan(voltage: list[float]) -> None:
    v = np.array(voltage)
    figures, points = loop_figures(v, v / 5e3, np.full(v.shape, 293.15))
    assert np.isnan(figures.reset_onset_voltage)
    assert np.isnan(figures.set_voltage)
    assert points.min() >= 0
    assert points.max() == len(v) - 1


def test_a_loop_without_current_gives_no_exception() -> None:
    voltage, current, temperature = loop()
    figures, _ = loop_figures(voltage, 0.0 * current, temperature)
    assert np.isnan(figures.reset_onset_voltage)
    assert np.isnan(figures.set_voltage)
    assert not np.isfinite(figures.low_resistance_before)


def test_a_loop_that_begins_with_set_is_refused() -> None:
    voltage, current, temperature = loop()
    with pytest.raises(InputError, match="RESET half"):
        loop_figures(-voltage, -current, temperature)


def test_an_empty_loop_and_unequal_lengths_are_refused() -> None:
    voltage, current, temperature = loop()
    with pytest.raises(InputError, match="no points"):
        loop_figures(voltage[:0], current[:0], temperature[:0])
    with pytest.raises(InputError, match="length"):
        loop_figures(voltage, current[:-1], temperature)


# few steps, reasons, the other half first


@pytest.mark.parametrize("points", [7, 9])
def test_onset_needs_no_four_steps_in_its_window(points: int) -> None:
    dense_v, dense_i = falling(points=2001, begin=1.0, loss=3.0)
    use = np.linspace(0, 2000, points).round().astype(int)
    sparse = dense_v[use], dense_i[use]
    window = (np.abs(sparse[0]) >= 0.1) & (np.abs(sparse[0]) <= trend_end(*sparse))
    assert window.sum() < 4, "the point of this test"
    step = STOP / (points - 1)
    assert abs(reset_onset(*sparse) - reset_onset(dense_v, dense_i)) < step


def test_what_has_no_onset_says_why() -> None:
    v = -np.linspace(0.0, STOP, 50)
    assert undetermined(*falling(begin=1.0)) == ""
    assert "never falls 5 % below" in undetermined(v, v * trend(np.abs(v)))
    assert "does not pass 0.1 V" in undetermined(v * 0.05, v)
    assert "steps, too few" in undetermined(np.array([0.0, -0.5, -1.0]), np.array([0, -5, -9e-6]))
    collapsed = np.where(np.abs(v) < 0.15, v * 1e-4, v * 1e-6)
    assert "falls from below" in undetermined(v, collapsed)


def test_reasons_of_a_loop_stand_by_its_figures() -> None:
    voltage = np.concatenate([np.linspace(a, b, 40)[:-1] for a, b in ((0, -1), (-1, 1), (1, 0))])
    why = undetermined_of_loop(voltage, voltage * 1e-4)
    assert "never falls" in why["reset_onset_voltage"]
    assert "never rises by a factor 2" in why["set_voltage"]
    assert undetermined_of_loop(*loop()[:2]) == {"reset_onset_voltage": "", "set_voltage": ""}


def test_temperature_of_set_at_half_the_limit_and_at_its_hottest() -> None:
    voltage, current, temperature = loop(at=1.395)
    figures, _ = loop_figures(voltage, current, temperature)
    up = slice(320, 481)
    assert figures.set_current == pytest.approx(0.5 * current[up].max())
    # the temperature is a line in the voltage, which tells where the current was passed
    passed = (figures.temperature_set_current - 293.15) / 300.0
    k = int(np.argmax(current[up] >= figures.set_current))
    assert voltage[up][k - 1] <= passed <= voltage[up][k]
    assert figures.temperature_set_max == pytest.approx(293.15 + 300.0 * STOP)
    none, _ = loop_figures(voltage, voltage * 1e-4, temperature)
    assert np.isnan(
        [none.set_current, none.temperature_set_current, none.temperature_set_max]
    ).all()


def test_a_loop_that_does_not_return_has_its_ratio() -> None:
    voltage, current, temperature = loop()
    back = np.arange(len(voltage)) > np.argmax(voltage)
    figures, _ = loop_figures(voltage, np.where(back, current / 20, current), temperature)
    assert figures.return_ratio == pytest.approx(
        figures.low_resistance_after / figures.low_resistance_before
    )
    assert (
        figures.return_ratio
        > NO_RETURN
        > loop_figures(voltage, current, temperature)[0].return_ratio
    )


def test_ripples_are_maxima_after_the_first() -> None:
    voltage, current, temperature = loop()
    assert loop_figures(voltage, current, temperature)[0].reset_ripples == 0
    wave = np.where(voltage < -1.3, 1 + 0.3 * np.sin(60 * voltage), 1.0)
    down = np.arange(len(voltage)) <= np.argmin(voltage)
    rippled = np.where(down, current * wave, current)
    assert loop_figures(voltage, rippled, temperature)[0].reset_ripples >= 2


def test_a_loop_may_begin_with_set() -> None:
    voltage, current, temperature = loop()
    whole, marked = loop_figures(voltage, current, temperature)
    # the same two halves, the other first
    half = len(voltage) // 2
    order = np.r_[half : len(voltage), 1 : half + 1]
    turned, points = loop_figures(voltage[order], current[order], temperature[order], "set")
    for name in ("reset_onset_voltage", "set_voltage", "high_resistance", "low_resistance_after"):
        assert getattr(turned, name) == pytest.approx(getattr(whole, name)), name
    assert np.isnan(turned.return_ratio)
    np.testing.assert_array_equal(voltage[order][points[:7]], voltage[marked[:7]])
    with pytest.raises(InputError, match="does not start with its SET half"):
        loop_figures(voltage, current, temperature, "set")


@pytest.mark.parametrize(("at", "wanted"), [(1.392, 1.39), (1.398, 1.4)])
def test_the_edge_of_set_is_the_step_nearest_to_the_rise(at: float, wanted: float) -> None:
    voltage, current, temperature = loop(at=at)
    _, points = loop_figures(voltage, current, temperature)
    f = dict(zip(POINTS, points, strict=True))["F"]
    assert voltage[f] == pytest.approx(wanted, abs=1e-9)
    assert voltage[f - 1] < voltage[f] < voltage[f + 1]  # on the way up, not on the way back


def test_figures_of_a_waveform_by_hand() -> None:
    time = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    voltage = np.array([0.0, 0.2, -1.0, -0.2, 0.0])
    current = np.array([0.0, 4e-5, -3e-4, -2e-5, 0.0])
    found = waveform_figures(time, voltage, current, np.array([300.0, 310, 700, 320, 300]))
    assert found["current_largest"] == -3e-4  # the largest by size, with its sign
    assert found["energy"] == pytest.approx(0.2 * 4e-5 + 1.0 * 3e-4 + 0.2 * 2e-5)
    # at 0.1 V on the way up and on the way back, halfway between the moments beside it
    assert found["resistance_first"] == pytest.approx(0.1 / 2e-5)
    assert found["resistance_last"] == pytest.approx(0.1 / 1e-5)
    assert found["temperature_max"] == 700.0
