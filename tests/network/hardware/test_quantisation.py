"""Quantisation: levels, ranges, after training and within it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ddkbase.errors import InputError
from network.hardware import Converter, Quantisation, fake_quantise, post_training
from network.model.network import Network, ddk_network
from network.model.trainer import train

arrays = hnp.arrays(
    float,
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    elements=st.floats(-100, 100, allow_subnormal=False),
)


@given(values=arrays, bits=st.integers(2, 8), axis=st.sampled_from([None, -1, 0]))
@settings(max_examples=80, deadline=None)
def test_values_go_to_the_nearest_of_few_levels(
    values: np.ndarray, bits: int, axis: int | None
) -> None:
    out = fake_quantise(values, bits, axis=axis)
    over = None if axis is None else (1 - axis % 2,)
    top = np.abs(values).max(axis=over, keepdims=True)
    levels = 2 ** (bits - 1) - 1
    normal = levels * np.finfo(float).tiny
    assert (
        np.abs(out - values) <= np.where(top < normal, normal, top / levels / 2) * (1 + 1e-9)
    ).all()
    assert len(np.unique((out / np.where(top > 0, top, 1) * levels).round(6))) <= 2**bits - 1
    assert np.allclose(fake_quantise(out, bits, axis=axis), out, rtol=1e-12, atol=1e-300)
    assert np.array_equal(fake_quantise(-values, bits, axis=axis), -out)
    assert not out[values == 0].any()


def test_a_range_too_small_for_a_step_is_zero() -> None:
    assert not fake_quantise(np.array([[5e-324, -1e-310]]), 3).any()
    assert fake_quantise(np.array([[1e-300]]), 3)[0, 0] == 1e-300


def test_the_range_of_least_error_beats_the_largest_value() -> None:
    values = np.random.default_rng(0).standard_normal((200, 50))
    for bits in (2, 3, 4):
        errors = [
            np.mean((fake_quantise(values, bits, method=m) - values) ** 2)
            for m in ("mse", "max", "percentile")
        ]
        assert errors[0] < errors[1] and errors[0] <= errors[2]
    scaled = values * np.logspace(0, 2, 50)
    both = [np.mean(((fake_quantise(scaled, 4, axis=a) - scaled) / np.logspace(0, 2, 50)) ** 2)
            for a in (-1, None)]  # fmt: skip
    assert both[0] < 0.1 * both[1]
    assert fake_quantise(values.astype(np.float32), 4, method="mse").dtype == np.float32


@pytest.fixture(scope="module")
def task() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 8, 600)
    centres = rng.random((8, 3, 12))
    x = np.clip(centres[y] + 0.35 * rng.standard_normal((600, 3, 12)), 0, 1)
    return x.astype(np.float32), y


@pytest.fixture(scope="module")
def network(task: tuple[np.ndarray, np.ndarray]) -> Network:
    found = ddk_network((3, 12), [12], 8, seed=0)
    train(found, *task, epochs=40, batch_size=64, seed=0)
    return found


def accuracy(
    network: Network, task: tuple[np.ndarray, np.ndarray], realise: object = None
) -> float:
    return float(np.mean(network.predict(task[0], realise=realise) == task[1]))  # type: ignore[arg-type]


def test_post_training_comes_back_to_the_exact_network(
    network: Network, task: tuple[np.ndarray, np.ndarray]
) -> None:
    exact = network.logits(task[0])
    errors = []
    for bits in (4, 6, 8, 12):
        chip = post_training(network, bits, task[0], activations=True)
        assert chip.ranges.keys() == {"ddk", "dense", "dense_2"} or len(chip.ranges) == 3
        errors.append(np.std(network.logits(task[0], realise=chip) - exact) / np.std(exact))
    assert (np.diff(errors) < 0).all()
    assert errors[-1] < 2e-3
    assert accuracy(network, task, post_training(network, 8)) > accuracy(network, task) - 0.01


def test_activations_of_few_bits_take_few_values(
    network: Network, task: tuple[np.ndarray, np.ndarray]
) -> None:
    chip = post_training(network, 3, task[0], activations=True)
    assert len(np.unique(network.logits(task[0], realise=chip))) <= 7


def test_aware_training_mends_few_bits(
    network: Network, task: tuple[np.ndarray, np.ndarray]
) -> None:
    def aware(bits: int, activation_bits: int | None) -> tuple[Network, float]:
        found = ddk_network((3, 12), [12], 8, seed=0)
        chip = Quantisation(bits, activation_bits, track=True)
        train(found, *task, epochs=40, batch_size=64, seed=0, realise=chip)
        chip.track = False
        return found, accuracy(found, task, chip)

    two, within = aware(2, None)
    assert within > accuracy(network, task, post_training(network, 2)) + 0.03
    # gradients went to nominal weights, which are not on the levels
    weight = two.parameters[next(k for k in two.parameters if k.endswith("weight"))]
    assert len(np.unique(weight)) > 50
    assert aware(4, 4)[1] > accuracy(network, task) - 0.036


def test_tracked_ranges_follow_slowly_and_take_signs() -> None:
    chip = Quantisation(None, 4, track=True)
    chip.outputs("a", np.array([0.0, 1.0]), None)
    assert chip.ranges["a"] == Converter(4, 0.0, 1.0)
    chip.outputs("a", np.array([-11.0, 2.0]), None)
    assert chip.ranges["a"] == Converter(4, -2.0, 2.0)
    w = np.ones((2, 2))
    assert chip.weights("a", w, None) is w
    z = np.ones(3)
    assert Quantisation(4).outputs("a", z, None) is z


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda n: Quantisation(0), "0 bits"),
        (lambda n: Quantisation(1), "cannot hold a sign"),
        (lambda n: Quantisation(8, 25), "25 bits"),
        (lambda n: Quantisation(8, method="guess"), "unknown method"),
        (lambda n: fake_quantise(np.array([np.nan]), 4), "NaN"),
        (lambda n: post_training(n, 4, activations=True), "need samples"),
        (lambda n: Quantisation(4).calibrate(n, np.zeros((2, 3, 12))), "not quantised"),
        (lambda n: n.logits(np.zeros((2, 3, 12)), realise=Quantisation(4, 4)), "not known"),
    ],
)
def test_bad_input_is_one_line(network: Network, call: object, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        call(network)  # type: ignore[operator]
    assert "\n" not in str(caught.value)
