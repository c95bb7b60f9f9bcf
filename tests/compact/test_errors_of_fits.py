"""Errors that a fit gives: of the noise, of a robust fit, of many short trains; ties of a table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from compact.fitting import batch
from compact.fitting.batch import noise_of
from compact.fitting.fit import fit_many
from compact.fitting.model import Trains
from compact.fitting.result import Columns
from compact.fitting.trains import prepare
from compact.kinetics.equations import implicit_euler
from compact.table.table import AlphaBetaTable
from tests.compact.table_data import campaign
from tests.compact.trains import HIGH, LOW, falling


@pytest.mark.parametrize("alpha", [1e-300, 1e-20, 1e-14])
def test_the_root_that_cancels_keeps_its_digits(alpha: float) -> None:
    """y (y - c) = alpha with c = -0.75: y is alpha/0.75 to first order, far below 1e-12."""
    y = implicit_euler(alpha, 1.0, [1.0], 0.25)
    assert y[0] == pytest.approx(alpha / 0.75, rel=1e-12, abs=0)


def test_the_noise_of_a_train_is_found() -> None:
    sigma = np.array([1e-3, 5e-3, 2e-2])
    values = 0.5 + sigma * np.random.default_rng(0).standard_normal((20_001, 3))
    weights = np.ones_like(values)
    weights[5::7] = 0.0  # gaps
    trains = object.__new__(Trains)
    object.__setattr__(trains, "values", values)
    object.__setattr__(trains, "weights", weights)
    np.testing.assert_allclose(noise_of(trains), sigma, rtol=0.03)


@pytest.mark.parametrize("loss", ["linear", "huber"])
def test_errors_cover_the_truth_as_often_as_they_should(loss: str) -> None:
    """200 trains with noise of known size; of errors too small by sqrt 2, 52 % would hold."""
    draws = np.random.default_rng(2).standard_normal((200, 101))
    data = falling(0.05, 0.1) + 0.003 * (HIGH - LOW) * draws
    fits = fit_many(data, direction="down", normalised=True, loss=loss)
    z = (fits["alpha"].values - 0.05) / fits["alpha_stderr"].values
    assert 0.60 < (np.abs(z) < 1).mean() < 0.76
    assert 0.87 < np.std(z) < 1.15


def test_errors_of_many_short_trains_count_their_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 8 reads a train two are spent on its window: 30 trains leave 180 for alpha and beta."""
    told: list[float] = []
    diagnose = batch.diagnose

    def watched(theta: Any, hessian: Any, squares: Any, samples: Any, *more: Any) -> Any:
        told.append(float(np.ravel(samples)[0]))
        return diagnose(theta, hessian, squares, samples, *more)

    monkeypatch.setattr(batch, "diagnose", watched)
    noise = np.random.default_rng(3).standard_normal((30, 8))
    data = falling(0.05, 0.4, pulses=7) + 0.004 * (HIGH - LOW) * noise
    fit_many(data, direction="down", normalised=True, pooled=True)
    assert told == [240.0 - 2 * 30]


def test_of_two_settings_of_equal_means_the_one_of_less_spread_is_taken() -> None:
    for narrow, wide in ((-2.0, -3.0), (-3.0, -2.0)):
        table = AlphaBetaTable.fit(campaign(amplitudes=(-3.0, -2.5, -2.0), cycles=4))
        grid = table._grid
        at = {float(a): i for i, a in enumerate(grid.axes[0])}
        grid.values[:, 0, 0, 0] = 0.02  # alpha: the same everywhere
        grid.values[:, 0, 0, 1] = 0.2 + 0.1 * np.abs(np.asarray(grid.axes[0]) + 2.5)
        grid.values[:, 0, 0, 4:6] = 0.01
        grid.values[at[wide], 0, 0, 4:6] = 0.05
        found = grid.invert(alpha=0.02, beta=0.25)
        assert found.distance < 1e-6
        assert found.at.amplitude == pytest.approx(narrow)


def test_of_every_tenth_read_all_errors_are_per_pulse() -> None:
    trains = prepare(falling(0.01, 0.1)[None], False, None, "down")
    columns = Columns(trains, "exact")
    columns.theta[:] = [0.2, 0.5, 1e-5, 2e-4]
    columns.errors[:] = [0.01, 0.02, 1e-6, 2e-6]
    half = 0.5 + 0.5 * np.eye(4)
    columns.covariance[:] = columns.errors[:, :, None] * columns.errors[:, None, :] * half
    columns.per_pulse(10)
    assert columns.theta[0].tolist() == pytest.approx([0.02, 0.05, 1e-5, 2e-4])
    assert columns.errors[0].tolist() == pytest.approx([0.001, 0.002, 1e-6, 2e-6])
    expected = columns.errors[0][:, None] * columns.errors[0] * half
    np.testing.assert_allclose(columns.covariance[0], expected)
