"""MiniRocket through sktime: learns, is reproducible, counts what it does."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from ddkbase.errors import InputError, InstallationError
from network.baselines.rocket import KERNELS, MiniRocket


@pytest.fixture
def sktime():
    pytest.importorskip("sktime", reason="sktime is not installed")
    pytest.importorskip("numba", reason="numba is not installed")


def waves(channels=(), samples=60, steps=40, classes=3):
    """Sines of random phase; the class is their frequency, so no sample alone tells it."""
    rng = np.random.default_rng(8)
    y = np.arange(samples) % classes
    phase = rng.uniform(0, 2 * np.pi, (samples, *(1 for _ in channels), 1))
    rate = (0.2 + 0.3 * y).reshape(-1, *[1] * (len(channels) + 1))
    x = np.sin(rate * np.arange(steps) + phase) + np.zeros((1, *channels, 1))
    return (x + 0.05 * rng.standard_normal(x.shape)).astype(np.float32), y


@pytest.mark.parametrize("channels", [(), (2,), (2, 3)])
@pytest.mark.parametrize("classifier", ["ridge", "softmax"])
def test_it_learns_frequencies(sktime, channels, classifier):
    x, y = waves(channels)
    found = MiniRocket(KERNELS * 4, classifier=classifier, seed=1).fit(x[:30], y[:30])
    assert np.mean(found.predict(x[30:]) == y[30:]) > 0.9
    odds = found.predict_proba(x[30:])
    assert odds.shape == (30, 3)
    np.testing.assert_allclose(odds.sum(axis=1), 1.0, rtol=1e-5)
    assert found.features == 4 * KERNELS
    assert found.count.parameters == (4 * KERNELS + 1) * 3


def test_additions_of_one_channel(sktime):
    x, y = waves(steps=40)
    found = MiniRocket(KERNELS).fit(x, y)  # one dilation
    assert found.count.macs == 40 * (8 + 3 * KERNELS) + 3 * KERNELS


@pytest.mark.parametrize("channels", [(), (3,)])
def test_the_seed_decides_and_the_global_generator_is_left_alone(sktime, channels):
    x, y = waves(channels)
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first, second = (MiniRocket(420, seed=5).fit(x, y).predict_proba(x) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_short_series_and_classes_without_samples(sktime):
    x, y = waves(steps=40)
    found = MiniRocket(KERNELS).fit(x[:, :8], np.where(y == 2, 3, y), classes=5)
    odds = found.predict_proba(x[:, :8])
    assert odds.shape == (60, 5)
    assert not odds[:, [2, 4]].any()
    two = MiniRocket(KERNELS).fit(x[y < 2], y[y < 2])
    assert np.mean(two.predict(x[y < 2]) == y[y < 2]) > 0.9


def test_wrong_input(sktime):
    x, y = waves()
    with pytest.raises(InputError, match="84"):
        MiniRocket(10)
    with pytest.raises(InputError, match="classifier"):
        MiniRocket(classifier="svm")
    with pytest.raises(InputError, match="not trained"):
        MiniRocket().predict(x)
    with pytest.raises(InputError, match="do not fit"):
        MiniRocket().fit(x, y[:3])
    with pytest.raises(InputError, match="two or more"):
        MiniRocket().fit(x, np.zeros(60, int))
    with pytest.raises(InputError, match="came for"):
        MiniRocket(KERNELS).fit(x, y).predict(x[:, :20])


def test_without_sktime_the_extra_is_named(monkeypatch):
    x, y = waves()
    monkeypatch.setitem(sys.modules, "sktime.transformations.rocket", None)
    with pytest.raises(InstallationError, match="timeseries"):
        MiniRocket().fit(x, y)
