"""Batch statistics and Adam compiled: the same numbers as by NumPy."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from network.layers import standardise
from network.layers.base import compiled_kernels
from network.layers.standardise import Standardise
from network.model import optimisers
from network.model.optimisers import Adam


@pytest.fixture
def numba_there() -> None:
    pytest.importorskip("numba")


def without(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (standardise, optimisers):
        monkeypatch.setattr(module, "compiled_kernels", lambda: None)


def passes(x: np.ndarray, slope: np.ndarray) -> list[np.ndarray]:
    layer = Standardise(momentum=1.0)
    layer.build(x.shape[1:], np.random.default_rng(0))
    y = layer.forward(x, training=True).copy()
    back = layer.backward(slope)
    assert back is not None
    return [y, back, layer.buffers["mean"], layer.buffers["variance"]]


@pytest.mark.usefixtures("numba_there")
@pytest.mark.parametrize("shape", [(1, 3), (7, 1), (600, 9), (5, 4, 70)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_statistics(shape: tuple[int, ...], dtype: type, monkeypatch: pytest.MonkeyPatch) -> None:
    assert compiled_kernels() is not None
    rng = np.random.default_rng(1)
    x, slope = (rng.standard_normal(shape).astype(dtype) + 2 for _ in range(2))
    compiled = passes(x, slope)
    without(monkeypatch)
    for one, other in zip(compiled, passes(x, slope), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=2e-5)


@pytest.mark.usefixtures("numba_there")
def test_a_large_batch_is_summed_exactly_enough() -> None:
    x = np.full((200_000, 1), 0.1, np.float32)
    x[::2] += np.float32(1e-2)
    mean = passes(x, np.ones_like(x))[2]
    np.testing.assert_allclose(mean, x.astype(float).mean(0), rtol=1e-6)


def steps(adam: Adam, dtype: type, turned: bool) -> np.ndarray:
    rng = np.random.default_rng(2)
    value = rng.standard_normal((6, 5)).astype(dtype)
    value = np.asfortranarray(value) if turned else value
    layer: Any = SimpleNamespace(
        parameters={"w": value}, gradients={}, rates={"w": 0.5}, decays={"w": True}
    )
    stepper = adam.start([layer])
    for k in range(5):
        layer.gradients["w"] = rng.standard_normal((6, 5)).astype(dtype)
        stepper.step(1 - 0.1 * k)
    return value


@pytest.mark.usefixtures("numba_there")
@pytest.mark.parametrize("decoupled", [False, True])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_adam(decoupled: bool, turned: bool, dtype: type, monkeypatch: pytest.MonkeyPatch) -> None:
    adam = Adam(rate=0.1, weight_decay=0.2, decoupled=decoupled)
    compiled = steps(adam, dtype, turned)
    start = np.random.default_rng(2).standard_normal((6, 5))
    assert np.abs(compiled - start).max() > 0.05
    without(monkeypatch)
    np.testing.assert_allclose(compiled, steps(adam, dtype, turned), rtol=1e-5, atol=1e-6)
