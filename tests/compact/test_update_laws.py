"""Other update laws: their derivatives, and that each wins on the trains that it makes."""

from __future__ import annotations

import numpy as np
import pytest

from compact.fitting.trains import prepare
from compact.laws.update_laws import LAWS, _held_out, compare_laws, laws_table
from ddkbase.errors import InputError
from tests.compact.trains import falling

K = np.arange(81.0)[:, None]
TRUE = {
    "linear": (),
    "soft bound": (np.log(0.06),),
    "power law": (np.log(0.3), np.log(0.8)),
    "sinh rate": (np.log(0.02), np.log(12.0)),
    "alpha/beta": (np.log(0.04), 0.1),
}


@pytest.mark.parametrize("name", sorted(LAWS))
def test_curves_start_at_one_fall_and_differentiate(name: str) -> None:
    law = LAWS[name]
    low, high = (np.array(bound, float) for bound in law.bounds(80))
    theta = low + (high - low) * np.random.default_rng(0).uniform(0.1, 0.9, (30, low.size))
    if not low.size:
        theta = np.zeros((1, 0))
    phi, slopes = law.curve(K, theta)
    np.testing.assert_allclose(phi[0], 1, rtol=1e-12)
    assert (np.diff(phi, axis=0) <= 1e-13).all()
    for i in range(low.size):
        h = np.zeros_like(theta)
        h[:, i] = 1e-5
        wide = (law.curve(K, theta + h)[0] - law.curve(K, theta - h)[0]) / 2e-5
        np.testing.assert_allclose(slopes[i], wide, atol=1e-7)


def test_the_sinh_law_solves_its_equation() -> None:
    log_rate, log_s = np.log(0.05), np.log(6.0)
    k = np.linspace(0, 60, 60_001)[:, None]
    phi = LAWS["sinh rate"].curve(k, np.array([[log_rate, log_s]]))[0][:, 0]
    slope = np.gradient(phi, k[:, 0])[1:-1]
    np.testing.assert_allclose(slope, -0.05 / 6 * np.sinh(6 * phi[1:-1]), rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("name", sorted(LAWS))
def test_each_law_wins_on_its_own_trains(name: str) -> None:
    phi = LAWS[name].curve(K, np.array([TRUE[name]]))[0][:, 0]
    rng = np.random.default_rng(1)
    trains = 2e-5 + 1.8e-4 * (phi + 0.005 * rng.standard_normal((6, 81)))
    ds = compare_laws(trains, direction="down")
    best = int(np.argmin(ds["bic"].median("train").values))
    assert str(ds["law"][best].values) == name
    held = ds["cross_validated_rmse"].median("train").sel(law=name)
    assert held < 1.2 * ds["cross_validated_rmse"].median("train").min()
    # the noise is 0.5 % of a window that the train may not use up
    span = np.ptp(trains, axis=1) / 1.8e-4
    np.testing.assert_allclose(ds["rmse"].sel(law=name) * span, 0.005, rtol=0.3)


def test_held_out_blocks_do_not_help_the_fit() -> None:
    data = falling(0.01, 0.05, 0.01, seed=2)
    one = compare_laws(data, direction="down")
    assert (one["cross_validated_rmse"] >= 0.999 * one["rmse"]).all()
    spoilt = data.copy()
    spoilt[60:70] += 1e-4  # one block off: held out, it is predicted as if it were not
    ds = compare_laws(spoilt, direction="down")
    assert ds["cross_validated_rmse"].sel(law="alpha/beta") > ds["rmse"].sel(law="alpha/beta")


def test_the_forecast_knows_nothing_of_what_comes_after() -> None:
    data = falling(0.01, 0.05, 0.01, seed=2)
    changed = data.copy()
    changed[91:] += 2e-5  # the last of ten blocks
    errors = [
        _held_out(LAWS["alpha/beta"], prepare(np.array([v]), False), range(5, 9), 10, forecast)
        * np.ptp(v)
        for forecast in (True, False)
        for v in (data, changed)
    ]
    assert errors[1] == pytest.approx(errors[0], rel=1e-6)
    assert abs(errors[3] / errors[2] - 1) > 1e-3  # interpolation does know
    one = compare_laws(data, direction="down")
    # a straight line does not foresee that the train saturates
    linear, own = (one.sel(law=name) for name in ("linear", "alpha/beta"))
    assert linear["forecast_rmse"] > 5 * own["forecast_rmse"]
    assert own["forecast_rmse"] < 2 * own["rmse"]


def test_mirror_images_compare_alike() -> None:
    data = falling(0.01, 0.05, 0.01, seed=2)
    ds = compare_laws(np.stack([data, 1 - data]), normalised=True)
    assert ds["direction"].values.tolist() == ["down", "up"]
    np.testing.assert_allclose(ds["rmse"][0], ds["rmse"][1], rtol=1e-6)


def test_bad_trains_are_marked_and_tables_leave_them_out() -> None:
    trains = np.stack([falling(0.01, 0.05, 0.01), np.full(101, 1e-4)])
    ds = compare_laws(trains)
    assert ds["valid"].values.tolist() == [True, False]
    assert np.isnan(ds["rmse"][1]).all()
    table = laws_table(ds)
    assert "| alpha/beta | 4 |" in table
    assert table.count("of 1 |") == len(LAWS)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"laws": ["lineer"]}, "Did you mean 'linear'?"),
        ({"blocks": 1}, "Use 2 to 50"),
        ({"blocks": 90}, "90 blocks of 100 pulses"),
    ],
)
def test_bad_arguments_are_named(change: dict[str, object], said: str) -> None:
    with pytest.raises(InputError) as caught:
        compare_laws(falling(0.01, 0.05), **change)  # type: ignore[arg-type]
    assert said in str(caught.value)


def test_a_forecast_knows_nothing_of_what_comes_after() -> None:
    # a line that breaks in the middle: the first half foretells another second half
    k = np.arange(41.0)
    train = 1 - 0.005 * k - 0.015 * np.maximum(k - 20, 0)
    ds = compare_laws(train, laws=["linear"], blocks=4, normalised=True)
    forecast, both = [], []
    for first in (1, 11, 21, 31):  # blocks of ten pulses
        block = np.arange(first, first + 10)
        for known, squares in ((k < first, forecast), (~np.isin(k, block), both)):
            if squares is both or first > 20:  # the later half of the blocks
                line = np.polyfit(k[known], train[known], 1)
                squares.append(np.mean((np.polyval(line, k[block]) - train[block]) ** 2))
    span = np.ptp(train)
    found = ds.isel(train=0, law=0)
    assert float(found["forecast_rmse"]) == pytest.approx(np.sqrt(np.mean(forecast)) / span)
    assert float(found["cross_validated_rmse"]) == pytest.approx(np.sqrt(np.mean(both)) / span)
    assert found["forecast_rmse"] > 1.2 * found["cross_validated_rmse"]
