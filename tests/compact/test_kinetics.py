"""The three integrators: what they must equal, what must hold always, their derivatives."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from compact.kinetics.equations import (
    INTEGRATORS,
    exact_step,
    explicit_euler,
    implicit_euler,
    integrate,
    sensitivities,
)
from compact.kinetics.stability_report import fixed_point, stability
from ddkbase.errors import InputError

coefficient = st.floats(1e-6, 3.0)
inputs = st.lists(st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1.0])), min_size=1, max_size=12)
start = st.floats(1e-3, 10.0)
signs = st.sampled_from([-1, 1])
names = st.sampled_from(sorted(INTEGRATORS))


def plain_loop(alpha: float, beta: float, x: list[float]) -> list[float]:
    """The authors' recurrence, as it stands in the notes on their code."""
    y = [1.0]
    for k in range(1, len(x)):
        y.append(y[k - 1] + alpha / y[k - 1] - beta * x[k - 1])
    return y


@given(coefficient, coefficient, inputs)
def test_explicit_is_the_authors_recurrence_to_the_last_bit(
    alpha: float, beta: float, x: list[float]
) -> None:
    try:
        expected = plain_loop(alpha, beta, x)
    except ZeroDivisionError:
        return
    found = explicit_euler(alpha, beta, x, states="before")
    assert found.tolist() == pytest.approx(expected, rel=0, abs=0, nan_ok=True)


@given(names, coefficient, coefficient, inputs, signs)
def test_the_two_conventions_are_one_input_apart(
    name: str, alpha: float, beta: float, x: list[float], sign: int
) -> None:
    after = integrate(name, alpha, beta, x, sign=sign)
    before = integrate(name, alpha, beta, x, sign=sign, states="before")
    assert before[0] == 1.0
    np.testing.assert_array_equal(before[1:], after[:-1])


@given(coefficient, coefficient, inputs, start, signs)
def test_implicit_is_positive_and_solves_its_equation(
    alpha: float, beta: float, x: list[float], y0: float, sign: int
) -> None:
    y = implicit_euler(alpha, beta, x, y0, sign=sign)
    assert (y > 0).all()
    before = np.concatenate([[y0], y[:-1]])
    # multiplied by y: y^2 - c y - alpha = 0, which has no pole
    c = before + sign * beta * np.array(x)
    np.testing.assert_allclose(
        y * y, c * y + alpha, rtol=1e-12, atol=1e-12 * float(np.abs(c).max())
    )


@given(st.floats(1e-300, 1e-12), st.floats(0.5, 1e6))
def test_implicit_keeps_its_digits_where_the_root_cancels(alpha: float, beta: float) -> None:
    y = implicit_euler(alpha, beta, [1.0], 0.25)
    assert y[0] == pytest.approx(alpha / (beta - 0.25), rel=1e-9)


@given(
    st.floats(-5, 0.5),
    st.floats(-5, 0.5),
    st.floats(-3, 1),
    st.sampled_from([0, 1e-9, 0.3, 1]),
    signs,
)
def test_exact_step_equals_an_integration_of_the_equation(
    log_alpha: float, log_beta: float, log_y0: float, x: float, sign: int
) -> None:
    alpha, beta, y0 = 10**log_alpha, 10**log_beta, 10**log_y0
    solved = solve_ivp(
        lambda _, y: alpha / y + sign * beta * x,
        (0, 1),
        [y0],
        method="Radau",
        rtol=1e-12,
        atol=1e-15,
    )
    found = exact_step(alpha, beta, [x], y0, sign=sign)
    assert found[0] == pytest.approx(solved.y[0, -1], rel=1e-9)


@pytest.mark.parametrize("sign", [-1, 1])
def test_exact_step_may_be_cut_into_pieces(sign: int) -> None:
    rng = np.random.default_rng(0)
    alpha, beta = 10 ** rng.uniform(-8, 1, (2, 2000))
    y0 = 10 ** rng.uniform(-6, 2, 2000)
    whole = exact_step(alpha, beta, [1.0], y0, dt=1.0, sign=sign)[:, 0]
    parts = exact_step(alpha, beta, np.ones(4), y0, dt=0.25, sign=sign)[:, -1]
    np.testing.assert_allclose(parts, whole, rtol=2e-11)


@given(coefficient, start, st.floats(0, 1e-14))
def test_exact_step_without_drift_is_the_square_root(alpha: float, y0: float, x: float) -> None:
    found = exact_step(alpha, 1.0, [x], y0)
    assert found[0] == pytest.approx(np.sqrt(y0**2 + 2 * alpha), rel=1e-11)


def test_exact_step_without_diffusion_is_drift_down_to_zero() -> None:
    np.testing.assert_allclose(exact_step(0.0, 0.3, np.ones(5)), [0.7, 0.4, 0.1, 0, 0], atol=1e-15)
    np.testing.assert_allclose(exact_step(0.0, 0.3, np.ones(2), sign=1), [1.3, 1.6])


@pytest.mark.parametrize("y0", [1e-8, 1.0, 1e8])
def test_exact_step_neither_overflows_nor_leaves_its_fixed_point(y0: float) -> None:
    alpha = np.array([1e-300, 1e-30, 1e-10, 1.0, 1e10])
    y = exact_step(alpha, 1.0, np.ones(3), y0)
    assert np.isfinite(y).all()
    assert (y > 0).all()
    at = fixed_point(alpha, 1.0)
    np.testing.assert_allclose(exact_step(alpha, 1.0, np.ones(3), at).T, np.tile(at, (3, 1)))


@given(names, coefficient, coefficient, st.floats(0.01, 1.0))
def test_the_fixed_point_is_one(name: str, alpha: float, beta: float, x: float) -> None:
    at = fixed_point(alpha, beta, x)
    drift = beta * x
    after = integrate(name, alpha, beta, [x], at)
    assert after[0] == pytest.approx(float(at), rel=1e-9, abs=1e-9 * drift)


@pytest.mark.parametrize("name", ["implicit", "exact"])
@given(alpha=coefficient, beta=coefficient, y0=start)
def test_stable_integrators_approach_the_fixed_point_monotonically(
    name: str, alpha: float, beta: float, y0: float
) -> None:
    y = np.concatenate([[y0], integrate(name, alpha, beta, np.ones(30), y0)])
    distance = y - fixed_point(alpha, beta)
    slack = 1e-12 * max(y0, float(fixed_point(alpha, beta)))
    assert (np.abs(distance[1:]) <= np.abs(distance[:-1]) + slack).all()
    assert (distance * distance[0] >= -slack * abs(distance[0])).all()


@pytest.mark.parametrize(
    ("ratio", "kind"),
    [(0.5, "monotone"), (0.95, "monotone"), (1.2, "oscillating"), (1.9, "oscillating")],
)
def test_explicit_converges_as_the_ratio_says(ratio: float, kind: str) -> None:
    alpha = 0.04
    beta = np.sqrt(ratio * alpha)
    facts = stability(alpha, beta)
    assert facts.kind == kind
    at = float(fixed_point(alpha, beta))
    distance = explicit_euler(alpha, beta, np.ones(400), at * 1.001) - at
    steps = distance[1:6] / distance[:5]
    np.testing.assert_allclose(steps, facts.multiplier, atol=0.02)
    assert abs(distance[-1]) < 1e-6 * at
    assert (np.sign(steps) == (1 if kind == "monotone" else -1)).all()


@pytest.mark.parametrize("ratio", [2.1, 3.0, 3.9])
def test_explicit_does_not_converge_beyond_twice_alpha(ratio: float) -> None:
    alpha = 0.04
    beta = np.sqrt(ratio * alpha)
    assert stability(alpha, beta).kind == "unstable"
    y = explicit_euler(alpha, beta, np.ones(3000), 1.01 * alpha / beta)
    assert np.abs(y[-100:] - fixed_point(alpha, beta)).max() > 0.05 * fixed_point(alpha, beta)


def test_explicit_is_chaotic_far_beyond() -> None:
    beta = np.sqrt(3.9 * 0.04)
    one, other = (explicit_euler(0.04, beta, np.ones(200), y0) for y0 in (0.1, 0.1 + 1e-12))
    assert np.abs(one - other).max() > 1e-2  # a billion times the difference at the start


@given(st.floats(1e-4, 2.0), st.floats(0.01, 0.999), inputs)
def test_explicit_stays_positive_where_stability_says_so(
    alpha: float, share: float, x: list[float]
) -> None:
    beta = share * 2 * np.sqrt(alpha)
    assert stability(alpha, beta).positive
    assert (explicit_euler(alpha, beta, x) > 0).all()


def test_explicit_turns_negative_beyond_that() -> None:
    alpha = 0.04
    assert not stability(alpha, 0.41).positive
    assert explicit_euler(alpha, 0.41, [1.0], np.sqrt(alpha))[0] < 0


@pytest.mark.parametrize("name", sorted(INTEGRATORS))
@pytest.mark.parametrize("sign", [-1, 1])
def test_sensitivities_against_complex_step_and_differences(name: str, sign: int) -> None:
    rng = np.random.default_rng(3)
    number = 60
    alpha = 10 ** rng.uniform(-3, 0, number)
    beta = 10 ** rng.uniform(-3, 0, number)
    if name == "explicit":  # beyond the edge of stability derivatives grow without limit
        beta = np.minimum(beta, np.sqrt(alpha))
    y0 = 10 ** rng.uniform(-0.5, 0.5, number)
    x = rng.uniform(size=(number, 15)) * (rng.uniform(size=(number, 15)) > 0.2)
    given_ = {"alpha": alpha, "beta": beta, "y0": y0}
    found = sensitivities(name, **given_, x=x, dt=0.8, sign=sign)
    slopes = {"alpha": found.by_alpha, "beta": found.by_beta, "y0": found.by_y0}
    for key, slope in slopes.items():

        def run(shift: complex, key: str = key) -> np.ndarray:
            moved = {**given_, key: given_[key] + shift}
            return integrate(name, **moved, x=x, dt=0.8, sign=sign)

        size = np.abs(slope).max(axis=1, keepdims=True)
        complex_step = run(1e-30j).imag / 1e-30
        assert (np.abs(complex_step - slope) / size).max() < 1e-7
        # Richardson's central difference; a step in proportion to the parameter
        h = 1e-3 * given_[key]
        wide, narrow = ((run(f * h) - run(-f * h)) / (2 * f * h)[:, None] for f in (1.0, 0.5))
        wide2, narrow2 = narrow, (run(0.25 * h) - run(-0.25 * h)) / (0.5 * h)[:, None]
        first, second = (4 * narrow - wide) / 3, (4 * narrow2 - wide2) / 3
        difference = (16 * second - first) / 15
        assert (np.abs(difference - slope) / size).max() < 1e-7, key
    np.testing.assert_array_equal(found.y, run(0.0))


def test_set_may_start_at_zero() -> None:
    for name in ("implicit", "exact"):
        found = sensitivities(name, 0.02, 0.1, np.ones(5), 0.0, sign=1)
        for key, slope in (("alpha", found.by_alpha), ("beta", found.by_beta)):
            at = {"alpha": 0.02, "beta": 0.1}
            at[key] += 1e-30j  # type: ignore[assignment]
            moved = integrate(name, at["alpha"], at["beta"], np.ones(5), 0.0, sign=1)
            np.testing.assert_allclose(slope, moved.imag / 1e-30, rtol=1e-7)


def test_leading_dimensions_broadcast_and_do_not_mix() -> None:
    rng = np.random.default_rng(5)
    alpha, beta = rng.uniform(0.01, 0.1, (3, 1)), rng.uniform(0.01, 0.1, (1, 4))
    x, y0 = rng.uniform(size=(3, 4, 7)), rng.uniform(0.5, 2, (4,))
    for name in INTEGRATORS:
        together = integrate(name, alpha, beta, x, y0)
        assert together.shape == (3, 4, 7)
        for i in range(3):
            for j in range(4):
                alone = integrate(name, alpha[i, 0], beta[0, j], x[i, j], y0[j])
                np.testing.assert_allclose(together[i, j], alone, rtol=1e-14)


def test_integrators_agree_as_the_time_step_shrinks() -> None:
    exact = exact_step(0.02, 0.1, [1.0], dt=1.0)[0]
    for name in ("explicit", "implicit"):
        errors = [
            abs(integrate(name, 0.02, 0.1, np.ones(n), dt=1 / n)[-1] - exact) for n in (50, 100)
        ]
        assert errors[0] / errors[1] == pytest.approx(2, rel=0.05)  # first order


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"alpha": -0.1}, "negative number (alpha)"),
        ({"beta": np.nan}, "NaN or infinity (beta)"),
        ({"x": [-1.0]}, "negative number (x)"),
        ({"x": 1.0}, "axis of samples (x)"),
        ({"x": ["a"]}, "no array of numbers (x)"),
        ({"y0": 0.0}, "alpha/y is infinite (y0)"),
        ({"dt": 0.0}, "not a positive time"),
        ({"sign": 0}, "neither -1 (RESET) nor +1 (SET)"),
        ({"alpha": [0.1, 0.2], "beta": [0.1, 0.2, 0.3]}, "do not match"),
        ({"integrator": "implict"}, "Did you mean 'implicit'?"),
    ],
)
def test_bad_input_is_named(change: dict[str, object], said: str) -> None:
    arguments = {"integrator": "explicit", "alpha": 0.1, "beta": 0.1, "x": [1.0], **change}
    with pytest.raises(InputError) as caught:
        integrate(**arguments)  # type: ignore[arg-type]
    assert said in str(caught.value)


def test_fixed_point_without_drift_is_infinite() -> None:
    assert fixed_point(0.1, 0.0) == np.inf
    assert stability(0.1, 0.0).kind == "monotone"


def test_public_functions_are_no_modules_whatever_was_imported_first() -> None:
    code = (
        "import pkgutil, importlib, compact.kinetics as k\n"
        "for m in pkgutil.iter_modules(k.__path__):\n"
        "    if m.name != 'kernels_numba': importlib.import_module('compact.kinetics.' + m.name)\n"
        "print([n for n in k.__all__ if type(getattr(k, n)).__name__ == 'module'])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"
