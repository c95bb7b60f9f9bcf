"""Explicit Euler beyond its edge of stability: cycles, doublings, chaos, states below zero."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compact.kinetics.equations import explicit_euler
from compact.kinetics.stability_report import fixed_point, stability

ALPHA = 0.04


def late(ratio: float, number: int = 64, before: int = 20_000) -> np.ndarray:
    """The last states, in units of the fixed point, at (beta x)^2/alpha = ratio."""
    beta = np.sqrt(ratio * ALPHA)
    y = explicit_euler(ALPHA, beta, np.ones(before), 1.01 * ALPHA / beta)
    return np.asarray(y[-number:] / fixed_point(ALPHA, beta))


@pytest.mark.parametrize("ratio", [2.05, 2.2, 2.45])
def test_between_2_and_2_5_alpha_it_ends_in_a_cycle_of_two(ratio: float) -> None:
    root = np.sqrt(1 - 2 / ratio)
    expected = 0.5 * ratio * np.array([1 - root, 1 + root])
    np.testing.assert_allclose(np.sort(late(ratio, 2)), expected, rtol=1e-9)


@pytest.mark.parametrize(("ratio", "period"), [(2.45, 2), (2.55, 4), (2.63, 8), (2.645, 16)])
def test_then_the_cycles_double(ratio: float, period: int) -> None:
    u = late(ratio, 256)
    np.testing.assert_allclose(u[period:], u[:-period], rtol=1e-9)
    assert np.abs(u[period // 2 :] - u[: -period // 2]).max() > 1e-3


def exponent(ratio: float) -> float:
    """Lyapunov exponent: mean logarithm of the slope of the map."""
    return float(np.log(np.abs(1 - ratio / late(ratio, 15_000) ** 2)).mean())


@pytest.mark.parametrize("ratio", [2.1, 2.55, 2.64])
def test_a_cycle_is_no_chaos(ratio: float) -> None:
    assert exponent(ratio) < -0.01


@pytest.mark.parametrize("ratio", [2.66, 2.8, 3.2, 3.5, 3.9, 3.99])
def test_beyond_2_65_alpha_small_differences_grow(ratio: float) -> None:
    assert exponent(ratio) > 0.02


def test_up_to_4_alpha_no_state_is_below_zero() -> None:
    assert 0 < late(3.9999, 15_000).min() < 1e-3  # u+ = (u - 2)^2/u at 4


def test_chaos_has_windows() -> None:
    u = late(3.005, 60)
    np.testing.assert_allclose(u[3:], u[:-3], rtol=1e-6)
    assert np.ptp(u[:3]) > 0.1


@given(st.floats(1e-3, 2.0), st.floats(1.001, 5.0))
def test_beyond_4_alpha_some_inputs_bring_it_below_zero_for_ever(
    alpha: float, share: float
) -> None:
    beta = share * 2 * np.sqrt(alpha)
    assert not stability(alpha, beta).positive
    # silence until above the minimum, then down to it, then the full input
    y, inputs = 1.0, []
    lowest = np.sqrt(alpha)
    if y < lowest:
        y += alpha / y
        inputs.append(0.0)
    while y > lowest:
        x = min(1.0, (y + alpha / y - lowest) / beta)
        inputs.append(x)
        y += alpha / y - beta * x
        if y <= lowest * (1 + 1e-9):
            break
    states = explicit_euler(alpha, beta, [*inputs, 1.0, *[0.0] * 20])
    below = states[len(inputs) :]
    assert (below < 0).all()
    assert (np.diff(below) < 0).all()


def test_positive_is_the_ratio_below_4() -> None:
    ratio = np.array([0.9, 1.1, 3.99, 4.01, 9.0])
    facts = stability(ALPHA, np.sqrt(ratio * ALPHA))
    assert facts.positive.tolist() == [True, True, True, False, False]
    assert facts.kind.tolist() == ["monotone", "oscillating", *["unstable"] * 3]
    # the time of an input counts with both coefficients
    np.testing.assert_allclose(stability(ALPHA, 0.2, dt=0.5).ratio, 0.5)
