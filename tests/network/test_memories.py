"""`Memory`: each kernel against its recursion, its gradient, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddkbase.errors import InputError, SolverError
from network.layers.baselines import LeakyIntegrator
from network.layers.memories import KERNELS, Memory
from network.layers.plain import Activation, Dense, Flatten
from network.layers.standardise import Standardise
from network.model.files import load_network
from network.model.network import Network
from network.model.ridge import STRENGTHS, fit_ridge, solve_ridge

STEPS, CHANNELS, BANKS = 9, 3, 4


def built(kernel: str, **options: Any) -> tuple[Memory, np.ndarray]:
    if kernel == "weights":
        options["weights"] = np.random.default_rng(2).standard_normal((BANKS, STEPS))
    layer = Memory(STEPS, CHANNELS, kernel=kernel, banks=BANKS, **options)
    layer.build((CHANNELS, STEPS), np.random.default_rng(0))
    return layer, np.random.default_rng(1).random((5, CHANNELS, STEPS))


def test_leaky_is_the_recursion_and_a_leaky_integrator() -> None:
    layer, x = built("leaky", fastest=1.5, slowest=20.0)
    read = layer.forward(x)
    assert read.shape == (5, BANKS, CHANNELS, 1)
    keep = np.exp(-1 / np.geomspace(1.5, 20.0, BANKS))
    for bank, d in enumerate(keep):
        y = np.zeros((5, CHANNELS))
        for k in range(STEPS):
            y = d * y + (1 - d) * x[..., k]
        np.testing.assert_allclose(read[:, bank, :, 0], y)
    other = LeakyIntegrator(
        STEPS, CHANNELS, leak=(1 - keep).tolist(), drive=1.0, banks=BANKS, readout="last"
    )
    other.build((CHANNELS, STEPS), np.random.default_rng(0))
    scaled = other.forward(x) * (1 - keep).reshape(-1, 1, 1)
    np.testing.assert_allclose(scaled, read)


def test_the_diagonal_states_are_a_complex_recursion() -> None:
    layer, x = built("diagonal", slowest=6.0, period=10.0)
    read = layer.forward(x)[..., 0]
    for mode in range(BANKS // 2):
        z = np.zeros((5, CHANNELS), complex)
        for k in range(STEPS):
            z = np.exp(-1 / 6.0 + 1j * np.pi * (2 * mode + 1) / 10.0) * z + x[..., k]
        np.testing.assert_allclose(read[:, 2 * mode], z.real / 6)
        np.testing.assert_allclose(read[:, 2 * mode + 1], z.imag / 6)


def test_the_others_by_hand() -> None:
    layer, x = built("saturating", fastest=2.0, slowest=8.0, drive=0.7)
    y, keep = np.zeros((5, BANKS, CHANNELS)), np.exp(-1 / np.geomspace(2.0, 8.0, BANKS))
    for k in range(STEPS):
        y = np.tanh(keep.reshape(1, -1, 1) * y + 0.7 * x[:, None, :, k])
    np.testing.assert_allclose(layer.forward(x)[..., 0], y)
    squares = built("squares", slowest=8.0)[0].forward(x)
    half = Memory(STEPS, CHANNELS, banks=2, slowest=8.0)
    half.build((CHANNELS, STEPS), np.random.default_rng(0))
    np.testing.assert_allclose(squares[:, :2], half.forward(x))
    np.testing.assert_allclose(squares[:, 2:], half.forward(x * x))
    segments = built("segments")[0].forward(x)[:, 0, :, 0]
    np.testing.assert_allclose(segments, x[..., :2].mean(-1))
    taps = built("taps")[0].forward(x)[..., 0]
    np.testing.assert_array_equal(taps, np.moveaxis(x[..., [1, 3, 6, 8]], -1, 1))
    np.testing.assert_allclose(built("cosine")[0].forward(x)[:, 0, :, 0], x.mean(-1))


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_gradient_is_that_of_finite_differences(kernel: str) -> None:
    layer, x = built(kernel)
    layer.parameters["gain"] *= 1.3
    rng = np.random.default_rng(3)
    weight = rng.standard_normal(layer.forward(x).shape)
    layer.forward(x, training=True)
    by_x = layer.backward(weight)
    assert by_x is not None
    for _ in range(6):
        at = tuple(int(rng.integers(n)) for n in x.shape)
        ends = []
        for step in (1e-6, -1e-6):
            moved = x.copy()
            moved[at] += step
            ends.append(float((layer.forward(moved) * weight).sum()))
        assert by_x[at] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5, abs=1e-8)


def test_a_memory_survives_its_file(tmp_path: Any) -> None:
    layer, x = built("weights")
    network = Network([layer, Flatten(), Dense(2)], (CHANNELS, STEPS), 2, dtype="float64")
    again = load_network(network.save(tmp_path / "m.npz"))
    np.testing.assert_array_equal(again.logits(x), network.logits(x))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernel": "leeky"}, "Did you mean 'leaky'"),
        ({"readout": "all"}, "read once"),
        ({"fastest": 9.0, "slowest": 2.0}, "time constants"),
        ({"kernel": "taps", "banks": 10}, "10 banks of 9 steps"),
        ({"kernel": "weights"}, "weights belong"),
        ({"weights": [[1.0] * 9]}, "weights belong"),
        ({"kernel": "weights", "weights": [[1.0]]}, "weights of shape"),
        ({"kernel": "saturating", "drive": 0.0}, "drive 0"),
    ],
)
def test_what_makes_no_memory(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Memory(STEPS, **options)


@given(st.integers(0, 10_000))
def test_ridge_is_the_minimum_of_its_sum(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((30, 4)) * [1, 10, 0.1, 1] + 3, rng.integers(0, 3, 30)
    found = solve_ridge(x, y, (x, y), 3, (2.0,))
    z, target = (x - x.mean(0)) / x.std(0), np.eye(3)[y]

    def loss(weight: np.ndarray, bias: np.ndarray) -> float:
        inner = weight * x.std(0)[:, None]
        return float(((x @ weight + bias - target) ** 2).sum() + 2.0 * (inner**2).sum())

    least = loss(found.weight, found.bias)
    for _ in range(5):
        moved = found.weight + 1e-3 * rng.standard_normal(found.weight.shape)
        assert loss(moved, found.bias) > least
    np.testing.assert_allclose((z @ (found.weight * x.std(0)[:, None])).mean(0), 0, atol=1e-9)


def test_a_solved_network_answers_as_its_read_out() -> None:
    rng = np.random.default_rng(0)
    x = rng.random((60, 2, 6))
    y = (x[:, 0].sum(1) > x[:, 1].sum(1)).astype(int)
    layers = [Memory(6, 2, kernel="segments", banks=2), Flatten(), Standardise(eps=1e-12), Dense(2)]
    network = Network(layers, (2, 6), 2, dtype="float64")
    found = fit_ridge(network, x[:40], y[:40], (x[40:], y[40:]))
    assert found.strength in STRENGTHS
    assert np.mean(network.predict(x[40:]) == y[40:]) == found.accuracy >= 0.8
    with pytest.raises(InputError, match="not dense"):
        fit_ridge(Network([Dense(2), Activation("relu")], (3,), 2), x, y, (x, y))
    with pytest.raises(SolverError, match="not finite"):
        solve_ridge([[np.nan]], y[:1], ([[1.0]], y[:1]), 2)
