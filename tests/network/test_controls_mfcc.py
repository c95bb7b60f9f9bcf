"""MFCC as a layer of a network, through librosa."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from ddkbase.errors import InputError, InstallationError
from network.layers.baselines import MFCC
from network.layers.plain import Layer


@pytest.fixture
def librosa():
    return pytest.importorskip("librosa", reason="librosa is not installed")


def test_coefficients_are_means_of_those_of_librosa(librosa):
    x = np.random.default_rng(0).standard_normal((3, 2000)).astype(np.float32)
    layer = MFCC(8000, coefficients=5, segments=3, window=256, bands=20)
    found = layer.forward(x)
    plain = librosa.feature.mfcc(
        y=x[1], sr=8000, n_mfcc=5, n_fft=256, hop_length=128, n_mels=20, center=False
    )
    assert plain.shape == (5, 14)
    expected = [plain[:, a:b].mean(axis=1) for a, b in ((0, 5), (5, 9), (9, 14))]
    np.testing.assert_allclose(
        found[1].reshape(5, 3), np.stack(expected, axis=1), rtol=1e-4, atol=1e-3
    )
    assert found.dtype == x.dtype
    assert isinstance(layer, Layer)


def test_shapes_with_utterances(librosa):
    layer = MFCC(8000)
    x = np.random.default_rng(1).standard_normal((2, 4, 1600)).astype(np.float32)
    assert layer.forward(x).shape == (2, *layer.output_shape((4, 1600))) == (2, 4, 128)
    assert MFCC(**layer.config()).config() == layer.config()


def test_products(librosa):
    layer = MFCC(8000, coefficients=5, segments=3, window=256, bands=20)
    bands = np.count_nonzero(librosa.filters.mel(sr=8000, n_fft=256, n_mels=20))
    window = 256 + 256 * 8 + 2 * 129 + bands + 5 * 20
    assert layer.count((2000,)).macs == 14 * window
    assert layer.count((3, 2000)).macs == 3 * 14 * window
    assert layer.count((2000,)).parameters == 0


def test_a_network_learns_tones_behind_it(librosa):
    from network.layers.plain import Dense
    from network.layers.standardise import Standardise
    from network.model.network import Network
    from network.model.trainer import train

    rng = np.random.default_rng(2)
    y = np.arange(40) % 2
    phase = rng.uniform(0, 6, (40, 1))
    x = np.sin(np.arange(1024) * (0.2 + 0.4 * y[:, None]) + phase).astype(np.float32)
    layers = [MFCC(8000, coefficients=8, segments=4), Standardise(), Dense(2)]
    network = Network(layers, (1024,), 2, seed=0)
    train(network, x[:20], y[:20], epochs=20, seed=0)
    assert np.mean(network.predict(x[20:]) == y[20:]) == 1.0


def test_wrong_input():
    with pytest.raises(InputError, match="coefficients"):
        MFCC(8000, coefficients=50, bands=40)
    with pytest.raises(InputError, match="too few"):
        MFCC(8000, window=512).output_shape((600,))
    with pytest.raises(InputError, match="no waveforms"):
        MFCC(8000).output_shape((2, 2, 600))
    with pytest.raises(InputError, match="gradient"):
        MFCC(8000).backward(np.zeros((1, 128)))


def test_without_librosa_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "librosa", None)
    with pytest.raises(InstallationError, match=r"\[audio\]"):
        MFCC(8000).count((2000,))
    with pytest.raises(InstallationError, match=r"\[audio\]"):
        MFCC(8000).forward(np.zeros((1, 2000), np.float32))
