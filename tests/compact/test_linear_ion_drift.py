"""The simplified model's sweeps and the alpha/beta curves: what each picture is there to show."""

from __future__ import annotations

import numpy as np
import pytest

from compact.kinetics.equations import exact_step
from compact.laws.linear_ion_drift import (
    SimplifiedMemristor,
    abrupt_switching,
    alpha_beta_curves,
    hysteresis,
    negative_differential_resistance,
    steepest_step,
    voltage_falls_while_current_rises,
)
from ddkbase.errors import InputError


def test_one_step_in_units_of_the_film_is_eq_4() -> None:
    cell = SimplifiedMemristor()
    found = cell.respond(np.array([0.0, 0.01]), np.array([-0.7, -0.7]), 0.8)
    square = 60e-9**2
    expected = exact_step(3.2e-15 / square, 3.2e-14 / square, [0.7], 0.8, dt=0.01)
    assert found["state"][-1] == pytest.approx(expected[0], rel=1e-12)
    up = cell.respond(np.array([0.0, 0.01]), np.array([0.7, 0.7]), 0.8)
    expected = exact_step(3.2e-15 / square, 3.2e-14 / square, [0.7], 0.8, dt=0.01, sign=1)
    assert up["state"][-1] == pytest.approx(expected[0], rel=1e-12)


def test_current_is_eq_1() -> None:
    loop = hysteresis()
    share = loop["state"].values
    expected = loop["voltage"].values / (100 * share + 2000 * (1 - share))
    np.testing.assert_allclose(loop["current"], expected, rtol=1e-12)


def test_reset_ends_where_drift_and_diffusion_balance() -> None:
    cell = SimplifiedMemristor()
    found = cell.respond(np.linspace(0, 5, 500), np.full(500, -1.0))
    assert found["state"][-1] == pytest.approx(0.1, rel=1e-9)


def test_the_loop_is_pinched_and_hysteretic() -> None:
    loop = hysteresis(periods=3).isel(time=slice(2000, None))
    voltage, current = loop["voltage"].values, loop["current"].values
    assert np.abs(current[np.abs(voltage) < 1e-9]).max() < 1e-9
    rising = (np.diff(voltage) > 0) & (voltage[1:] > 0.3) & (voltage[1:] < 0.7)
    falling = (np.diff(voltage) < 0) & (voltage[1:] > 0.3) & (voltage[1:] < 0.7)
    assert current[1:][falling].min() > 2 * current[1:][rising].mean()
    assert 0 < loop["state"].min() < 0.2
    assert loop["state"].max() == 1.0


def test_switching_is_abrupt_and_the_resistance_negative_where_the_pictures_say() -> None:
    assert steepest_step(abrupt_switching()) > 2 * steepest_step(hysteresis())
    loop = negative_differential_resistance()
    negative = voltage_falls_while_current_rises(loop)
    assert negative.mean() > 0.05
    voltage, speed = loop["voltage"].values[1:], np.diff(np.abs(loop["voltage"].values))
    outward = negative & (speed > 0)
    assert (voltage[outward] < 0).all()  # RESET: |i| falls while |v| rises
    assert outward.sum() > 50
    assert outward.sum() == negative.sum()  # and nowhere else


def test_abrupt_means_a_tenth_of_the_resistance_within_25_millivolts() -> None:
    loop = abrupt_switching()
    state, voltage, ohms = (loop[name].values for name in ("state", "voltage", "resistance"))
    closing = np.flatnonzero((state[:-1] < 1) & (state[1:] == 1))
    assert closing.size == 2
    for k in closing:
        before = np.flatnonzero(ohms[: k + 1] > 10 * ohms[k + 1])[-1]
        assert 0 < voltage[k + 1] - voltage[before] < 0.025


def test_a_constant_resistance_shows_neither() -> None:
    still = SimplifiedMemristor(mobility="1e-30 m^2/V/s", diffusion="1e-40 m^2/s")
    loop = negative_differential_resistance(still)
    assert not voltage_falls_while_current_rises(loop).any()
    assert steepest_step(loop) < 1e-9


def test_alpha_sets_the_end_and_beta_the_speed() -> None:
    curves = alpha_beta_curves()["state"]
    assert (curves.isel(pulse=0) == 1).all()
    end = curves.isel(pulse=-1, beta=2)
    assert (end.diff("alpha") > 0).all()
    np.testing.assert_allclose(end, curves["alpha"] / curves["beta"][2], rtol=1e-3)
    assert (curves.isel(pulse=1, alpha=0).diff("beta") < 0).all()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"length": "60"}, "60"),
        ({"length": "60 V"}, "length"),
        ({"diffusion": "0 m^2/s"}, "is not positive (diffusion)"),
        ({"off_ratio": 1.0}, "not above 1"),
    ],
)
def test_bad_cells_are_named(change: dict[str, object], said: str) -> None:
    with pytest.raises(InputError) as caught:
        SimplifiedMemristor(**change)  # type: ignore[arg-type]
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("time", "voltage", "start"),
    [
        ([0, 1], [1], 0.5),
        ([0, 0], [1, 1], 0.5),
        ([0, 1], [1, np.nan], 0.5),
        ([0, 1], [1, 1], 0.0),
        ([0, 1], [1, 1], 1.1),
    ],
)
def test_bad_sweeps_are_errors(time: list[float], voltage: list[float], start: float) -> None:
    with pytest.raises(InputError):
        SimplifiedMemristor().respond(np.array(time), np.array(voltage), start)


def test_a_ramp_moves_the_state_by_the_mean_of_its_ends() -> None:
    cell = SimplifiedMemristor(diffusion="1e-40 m^2/s")
    time = np.array([0.0, 1e-3, 4e-3, 5e-3])
    voltage = np.array([0.0, 2.0, -1.0, -1.0])
    found = cell.respond(time, voltage, 0.5)
    travelled = np.cumsum([0.0, 1e-3 * 1.0, 3e-3 * 0.5, 1e-3 * -1.0])  # V s
    drift = 3.2e-14 / 60e-9**2
    np.testing.assert_allclose(found["state"], 0.5 + drift * travelled, rtol=1e-9)
    ohms = 100 * (found["state"] + 20 * (1 - found["state"]))
    np.testing.assert_allclose(found["resistance"], ohms)
    np.testing.assert_allclose(found["current"], voltage / ohms)
