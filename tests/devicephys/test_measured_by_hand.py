"""Measured loops: bands, misfits, waveforms and checks against numbers worked out by hand."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import xarray as xr

from devicephys import InputError
from devicephys.measured.checks import check_loops, loop_numbers, signs
from devicephys.measured.limits import compliance_of
from devicephys.measured.ramps import FIRST, POINTS, band_of, log_misfit, ramps_of, waveform_of


def swept(*corners: float, points: int = 40) -> np.ndarray:
    """Voltages along straight lines through corners, so many on each line."""
    lines = [np.linspace(a, b, points + 1)[1:] for a, b in pairwise(corners)]
    return np.concatenate([corners[:1], *lines])


def measured(v: np.ndarray, loop: np.ndarray, rate: float) -> xr.Dataset:
    return xr.Dataset(
        {"voltage": ("sample", v), "current": ("sample", v / 1e4)},
        {"loop": ("sample", loop)},
        {"rate": rate, "path": "lab.csv"},
    )


def test_a_band_is_the_median_and_the_quantiles_at_16_and_84_per_cent() -> None:
    v = swept(0, 1, 0, -1, 0)
    factors = np.linspace(1.0, 3.0, 101)
    band = band_of([(v, factor * v / 1e4) for factor in factors])
    volts = np.abs(band["voltage"].values)
    np.testing.assert_allclose(band["current"], 2.0 * volts / 1e4, rtol=1e-9)
    np.testing.assert_allclose(band["current_low"], 1.32 * volts / 1e4, rtol=1e-9)
    np.testing.assert_allclose(band["current_high"], 2.68 * volts / 1e4, rtol=1e-9)
    for name, sign in (("positive out", 1), ("negative back", -1)):
        np.testing.assert_allclose(
            band["voltage"].sel(ramp=name), sign * np.linspace(FIRST, 1.0, POINTS)
        )


def test_a_band_ends_where_fewer_than_half_of_the_loops_go() -> None:
    # stops of 1, 1, 1, 2 and 3 V: the median is 1 V, and of five loops three begin at 0.5 V
    loops = []
    for k, stop in enumerate((1.0, 1.0, 1.0, 2.0, 3.0)):
        v = swept(0, stop, 0, -stop, 0)
        use = (np.abs(v) >= 0.5) | (k < 2) | (v < 0)
        loops.append((v[use], 1e-4 * v[use]))
    band = band_of(loops).sel(ramp="positive out")
    assert float(band["voltage"].max()) == pytest.approx(1.0)
    there = np.isfinite(band["current"].values)
    assert (there == (band["voltage"].values >= 0.5 - 1e-9)).all() and not there.all()


def test_a_misfit_is_a_root_mean_square_of_decades() -> None:
    v = swept(0, 1, 0, -1, 0)
    band = band_of([(v, v / 1e4)])
    grid = np.abs(band["voltage"].sel(ramp="positive out").values)
    # ten times as much below half of the stop on the way out, a hundredth at negative voltages
    out = np.arange(len(v)) <= 40
    i = v / 1e4 * np.where(out & (v < 0.5), 10.0, np.where(v < 0, 0.01, 1.0))
    found = log_misfit(band, v, i)
    for name in ("negative out", "negative back"):
        assert found[name] == pytest.approx(2.0, rel=1e-6)
    assert found["positive back"] == pytest.approx(0.0, abs=1e-9)
    low = (grid < 0.475).sum()  # between two samples the conductance changes over
    high = (grid < 0.5).sum()
    assert np.sqrt(low / POINTS) < found["positive out"] < np.sqrt(high / POINTS)
    squares = found["positive out"] ** 2 + 4.0 + 4.0
    assert found["all"] == pytest.approx(np.sqrt(squares / 4))  # four ramps of as many points


def test_of_a_ramp_that_comes_twice_the_first_counts() -> None:
    v = swept(0, 1, 0, 1, 0, -1, 0)
    i = v / 1e4
    i[81:] *= 5  # from the second rise on
    ramps = ramps_of(v, i)
    assert set(ramps) == {"positive out", "positive back", "negative out", "negative back"}
    for name, factor in (("positive out", 1), ("positive back", 1), ("negative out", 5)):
        size, flow = ramps[name]
        assert (np.diff(size) >= 0).all() and size[-1] == pytest.approx(1.0)
        np.testing.assert_allclose(flow, factor * size / 1e4, atol=1e-12)


def test_a_waveform_takes_what_is_before_the_first_reset_from_the_next_loop() -> None:
    one = swept(0, 1.2, 0, -1.0, 0)
    v = np.concatenate([one, one[1:]])
    loop = np.repeat([1, 2], [len(one), len(one) - 1])
    waveform, samples, times = waveform_of(measured(v, loop, 4.0), 1)
    # the negative half of the first loop, then the positive half of the second
    assert samples[0] == 80 and (np.diff(samples) == 1).all() and samples[-1] >= 160 + 79
    np.testing.assert_allclose(v[samples].min(), -1.0)
    assert waveform.duration == pytest.approx((1.0 + 1.0 + 1.2 + 1.2) / 4.0, rel=0.02)
    np.testing.assert_allclose([waveform.voltage(t) for t in times], v[samples], atol=1.2 / 40)
    assert waveform.voltage(0.0) == 0.0 and (np.diff(times) >= 0).all()
    # of the last loop there is no next one: its own positive half
    _, last, _ = waveform_of(measured(v, loop, 4.0), 2)
    assert last.min() >= len(one) and set(last) == set(np.flatnonzero(loop == 2))
    assert v[last[0]] == pytest.approx(0.0, abs=0.03)


def test_a_waveform_begins_at_no_voltage_and_ends_where_the_loop_does() -> None:
    v = swept(-0.04, -1.0, 0, 0.9, 0.07)  # the first sample is not at 0 V, nor is the last
    waveform, samples, times = waveform_of(measured(v, np.ones(len(v), int), 2.0))
    assert samples.tolist() == list(range(len(v)))
    np.testing.assert_allclose(waveform.corner_voltages, [0.0, -1.0, 0.9, 0.07])
    np.testing.assert_allclose(waveform.corners, np.cumsum([0.0, 0.5, 0.95, 0.415]))
    inside = slice(41, None)  # the first line begins at 0 V instead of -0.04
    shown = [waveform.voltage(t) for t in times[inside]]
    np.testing.assert_allclose(shown, v[inside], atol=1e-9)


@pytest.mark.parametrize("sign", [1, -1])
def test_voltages_beyond_any_generator_are_refused_on_either_side(sign: int) -> None:
    v = sign * np.concatenate([swept(0, 60, 0), swept(0, -1, 0)])
    with pytest.raises(InputError, match="reaches 60 V"):
        check_loops(v, v / 1e7, "lab.csv", trust_unit=True)
    check_loops(0.8 * v, v / 1e7, "lab.csv", trust_unit=True)


def test_what_is_near_no_voltage_has_no_sign() -> None:
    v = np.array([-1.0, -0.019, 0.0, 0.019, 0.021, 0.5])
    assert signs(v).tolist() == [-1, 0, 0, 0, 1, 1]


def test_a_limit_is_a_plateau_and_a_resistor_is_none() -> None:
    v = swept(0, 1.5, 0, -1.5, 0, points=100)
    assert compliance_of(v, v / 1e4, None, "lab.csv") == {}
    steep = np.clip(v / 2e3, -4e-4, 1e-4)
    found = compliance_of(v, steep, None, "lab.csv")
    assert found == pytest.approx({"positive": 1e-4, "negative": 4e-4})
    # rising by 8 % over a fifth of the voltages it is a resistance, though nearly flat
    rising = np.where(v > 0.9, 1e-4 * (1 + 0.08 * (v - 0.9) / 0.6), v / 9e3)
    assert "positive" not in compliance_of(v, rising, None, "lab.csv")
    # a limit that holds at the stop alone is no wider than a turn
    late = np.where(v > 1.4, 1.4 / 1e4, v / 1e4)
    assert compliance_of(v, late, None, "lab.csv") == {}


def test_loops_keep_their_order_whatever_their_numbers() -> None:
    v = np.tile(swept(0, 1, 0, -1, 0), 3)
    given = np.repeat([2.0, 5.0, 6.0], len(v) // 3)
    found = loop_numbers(v, given, "lab.csv", False)
    np.testing.assert_array_equal(found, np.repeat([1, 2, 3], len(v) // 3))


def test_what_follows_the_last_return_belongs_to_the_last_loop() -> None:
    v = np.concatenate([swept(0, 1, 0, -1, 0), swept(0, 1, 0, -1, 0)[1:], [0.01, 0.02, 0.03]])
    found = loop_numbers(v, None, "lab.csv", False)
    assert found.max() == 2 and (found[-3:] == 2).all()
    assert abs(int((found == 1).sum()) - 161) <= 1


@pytest.mark.parametrize(("sign", "missing"), [(1, "negative"), (-1, "positive")])
def test_the_half_that_is_missing_is_named(sign: int, missing: str) -> None:
    v = sign * swept(0, 1, 0)
    with pytest.raises(InputError, match=f"has no {missing} half"):
        loop_numbers(v, None, "lab.csv", False)
