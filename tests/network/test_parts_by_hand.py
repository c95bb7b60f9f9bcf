"""Parts of layers, features and readouts against numbers worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from network.ddk.piecewise import PiecewiseLinearDDK
from network.features.spectral import log_bands, mel_filters
from network.features.table_map import _walk
from network.layers.memories import Memory
from network.layers.standardise import Moments
from network.model.ridge import STRENGTHS, solve_ridge


class Off(PiecewiseLinearDDK):
    """A recurrence that misses each step by a given amount."""

    misses = np.array([0.3, 0.0, -0.1])

    def forward(self, x: Any, **options: Any) -> np.ndarray:
        return self.exact(x) + self.misses


def test_errors_of_a_recurrence_are_of_all_steps_and_of_the_last() -> None:
    fitted = PiecewiseLinearDDK.fitted(0.3, 0.5, hinges=4, steps=3)
    x = np.array([[0.2, 0.9, 0.1], [1.0, 0.5, 0.8]])
    error = Off(**vars(fitted)).error(x)
    assert error.rms == pytest.approx(np.sqrt((0.09 + 0.01) / 3))
    assert (error.worst, error.last) == pytest.approx((0.3, 0.1))
    assert error.spread == pytest.approx(fitted.exact(x)[:, -1].std())


def test_bands_stand_evenly_on_the_mel_scale_up_to_half_of_the_rate() -> None:
    rate, window, bands = 16_000, 4096, 40
    filters = mel_filters(rate, window, bands, lowest=50.0)
    np.testing.assert_allclose(filters.sum(axis=1), 1.0, rtol=1e-5)

    def mel(hertz: Any) -> Any:
        return 2595 * np.log10(1 + np.asarray(hertz) / 700)

    lines = np.arange(window // 2 + 1) * rate / window
    middles = mel(50.0) + (mel(rate / 2) - mel(50.0)) * np.arange(1, bands + 1) / (bands + 1)
    peaks = lines[filters.argmax(axis=1)]
    assert np.abs(peaks - 700 * (10 ** (middles / 2595) - 1)).max() <= rate / window
    # the last band falls to nothing at half of the rate, the first one begins at the lowest
    assert lines[filters[-1] > 0].max() > rate / 2 - 3 * rate / window
    assert lines[filters[0] > 0].min() > 50.0 - 2 * rate / window
    # each begins where the one before it is highest
    assert (filters[2] > 0).argmax() == pytest.approx(filters[1].argmax() + 1, abs=1)


def test_a_tone_is_loudest_in_the_band_that_holds_it_and_counts_its_power() -> None:
    rate = 8000.0
    t = np.arange(8000) / rate
    for hertz in (300.0, 1200.0):
        tone = np.sin(2 * np.pi * hertz * t)
        one, twice = (log_bands(a * tone, rate, bands=20) for a in (1.0, 2.0))
        filters = mel_filters(rate, 512, 20)
        held = filters[:, round(hertz * 512 / rate)].argmax()
        assert one.argmax() == held
        assert twice[held] - one[held] == pytest.approx(np.log(4), rel=1e-4)


def test_moments_of_batches_are_those_of_all_samples() -> None:
    x = np.random.default_rng(0).normal(3.0, 2.0, (100, 4)) * np.array([1, 10, 0.1, 1])
    x[60:] += 5.0  # batches differ in their means
    moments = Moments(4)
    for first, last in ((0, 7), (7, 60), (60, 60), (60, 100)):
        moments.add(x[first:last])
    np.testing.assert_allclose(moments.mean, x.mean(0))
    np.testing.assert_allclose(moments.variance, x.var(0))


def test_a_diagonal_memory_is_damped_waves_in_pairs_of_cosine_and_sine() -> None:
    steps, banks, slowest, period = 30, 6, 12.0, 40.0
    layer = Memory(steps, kernel="diagonal", banks=banks, slowest=slowest, period=period)
    impulse = np.eye(steps)  # a one at each step, read at the end
    read = layer._series(impulse, None, None)[..., -1]
    past = steps - 1 - np.arange(steps)
    for pair in range(banks // 2):
        turn = np.pi * (2 * pair + 1) / period
        envelope = np.exp(-past / slowest) / slowest
        np.testing.assert_allclose(read[:, 2 * pair], np.cos(turn * past) * envelope)
        np.testing.assert_allclose(read[:, 2 * pair + 1], np.sin(turn * past) * envelope)


@pytest.mark.parametrize("kernel", ["leaky", "squares"])
def test_a_leaky_memory_keeps_a_share_from_step_to_step(kernel: str) -> None:
    layer = Memory(25, kernel=kernel, banks=4, fastest=2.0, slowest=50.0)
    x = np.random.default_rng(1).random((3, 25))
    read = layer._series(x, None, None)[..., -1]
    constants = np.geomspace(2.0, 50.0, 4 if kernel == "leaky" else 2)
    for bank in range(4):
        keep = np.exp(-1 / constants[bank % len(constants)])
        state = np.zeros(3)
        for k in range(25):
            drive = x[:, k] ** 2 if kernel == "squares" and bank > 1 else x[:, k]
            state = keep * state + (1 - keep) * drive
        np.testing.assert_allclose(read[:, bank], state)


def test_a_readout_is_chosen_by_samples_that_it_was_not_fitted_to() -> None:
    rng = np.random.default_rng(2)
    labels, others = (np.arange(n) % 3 for n in (40, 200))
    features, held = rng.normal(size=(40, 60)), rng.normal(size=(200, 60))
    features[:, :3] += np.eye(3)[labels]
    held[:, :3] += np.eye(3)[others]
    readout = solve_ridge(features, labels, (held, others), 3)
    said = held @ readout.weight + readout.bias
    assert readout.accuracy == pytest.approx(np.mean(said.argmax(1) == others))
    assert readout.error == pytest.approx(np.mean((said - np.eye(3)[others]) ** 2))
    fitted = np.mean((features @ readout.weight + readout.bias).argmax(1) == labels)
    assert fitted > readout.accuracy + 0.2  # with more features than samples anything is fitted
    each = [solve_ridge(features, labels, (held, others), 3, (s,)).score for s in STRENGTHS]
    assert readout.score == max(each) and readout.strength == STRENGTHS[each.index(max(each))]
    # of one strength it is the closed form of ridge regression on standardised features
    z = (features - features.mean(0)) / features.std(0)
    target = np.eye(3)[labels]
    inner = np.linalg.solve(
        z.T @ z + readout.strength * np.eye(60), z.T @ (target - target.mean(0))
    )
    np.testing.assert_allclose(readout.weight, inner / features.std(0)[:, None])


@pytest.mark.parametrize("sign", [-1, 1])
def test_each_pulse_of_a_map_acts_in_the_window_of_its_own_setting(sign: int) -> None:
    alpha, beta = np.array([[0.01, 0.02, 0.015]]), np.array([[0.2, 0.1, 0.3]])
    low, high = np.array([[10e-6, 20e-6, 15e-6]]), np.array([[100e-6, 110e-6, 90e-6]])
    now, expected = 80e-6 if sign < 0 else 30e-6, []
    found = _walk(alpha, beta, low, high, np.array([now]), "implicit", sign)
    for k in range(3):
        span = high[0, k] - low[0, k]
        moved = (now - low[0, k]) / span + sign * beta[0, k]
        state = (moved + np.sqrt(moved**2 + 4 * alpha[0, k])) / 2  # one implicit step
        after = low[0, k] + span * state
        # RESET never raises a conductance, SET never lowers one or goes beyond the window
        now = min(after, now) if sign < 0 else max(min(after, high[0, k]), now)
        expected.append(now)
    np.testing.assert_allclose(found[0], expected)
    assert (np.sign(np.diff(found[0])) == sign).any()
