"""The exact step and its derivatives against arithmetic of 150 digits, and at its limits."""

from __future__ import annotations

import numpy as np
import pytest

from compact.kinetics.equations import sensitivities
from compact.kinetics.exact import exact_derivatives, exact_step

# y0, a, b -> y and its derivatives by y0, a, b: Lambert's function and the closed forms, mpmath
REFERENCE = (
    (
        (1.0, 0.01, 0.05),
        (0.96020477735783082, 0.98963887090010305, 1.0151461293731892, -0.99474032259472029),
    ),
    (
        (1.0, 1e-12, 0.05),
        (0.95000000000102586, 0.99999999999894737, 1.0258658877499216, -0.99999999999946469),
    ),
    (
        (0.2, 0.05, 0.1),
        (0.29816434245910234, 0.45128503266859154, 2.8042916205019059, -0.72521826124806568),
    ),
    (
        (3.0, 0.001, 3.0),
        (0.0024230724116912042, 0.86252944291177864, 2.1355625973872779, -0.86314546050613975),
    ),
    (
        (1e-07, 1e-12, 0.7),
        (1.4285714285714286e-12, 0.0, 1.4285714285714287, -2.0408163265306125e-12),
    ),
    (
        (1.0, 1e-14, 1e-13),
        (0.99999999999991, 0.99999999999999, 1.00000000000004, -0.999999999999995),
    ),
    (
        (0.3, 0.04, -0.1),
        (0.50094599090793868, 0.77078111692099697, 2.2465682137518405, -0.89986198731492343),
    ),
    (
        (1e-07, 1e-12, -0.7),
        (0.70000010002251625, 0.99998571449183379, 22.516274684032403, -0.99999999996987471),
    ),
    ((0.001, 1e-09, 1.0), (1.0000000000000001e-9, 0.0, 1.0, -1.0000000000000001e-9)),
    (
        (5.0, 0.02, 1e-09),
        (5.0039984002791209, 0.99920095872162985, 0.19984019176430466, -0.9996005325876339),
    ),
    (
        (1.0, 1e-10, 0.001),
        (0.99900000010005003, 0.9999999998998999, 1.0005003334833666, -0.99999999994993326),
    ),
    ((0.5, 0.02, 0.04), (0.5, 0.92311634638663578, 1.9220913403341054, -0.96104567016705271)),
)


@pytest.mark.parametrize(("given", "expected"), REFERENCE)
def test_step_and_derivatives_to_the_last_digits(
    given: tuple[float, ...], expected: tuple[float, ...]
) -> None:
    y0, a, b = (np.array([v]) for v in given)
    y = exact_step(y0, a, b)
    found = [y, *exact_derivatives(y0, y, a, b)]
    np.testing.assert_allclose(np.ravel(found), expected, rtol=3e-13, atol=1e-300)


def test_derivatives_keep_their_digits_where_one_term_outweighs_the_others() -> None:
    # alpha is a 1e-16th of (beta x)^2: fixed point and derivatives are those of y = a/b
    y0, a, b = np.array([1e-4]), np.array([1e-14]), np.array([100.0])
    y = exact_step(y0, a, b)
    by_state, by_a, by_b = exact_derivatives(y0, y, a, b)
    assert by_state[0] == 0
    assert by_a[0] == pytest.approx(1 / b[0], rel=1e-12)
    assert by_b[0] == pytest.approx(-a[0] / b[0] ** 2, rel=1e-12)
    # next to no drift, and a diffusion that is lost in the last digit of y
    y0, a, b = np.array([350.0]), np.array([1e-12]), np.array([-1e-12])
    y = exact_step(y0, a, b)
    by_state, by_a, by_b = exact_derivatives(y0, y, a, b)
    assert by_state[0] == pytest.approx(1, rel=1e-12)
    assert by_a[0] == pytest.approx(1 / 350, rel=1e-12)
    assert by_b[0] == pytest.approx(-1, rel=1e-12)


def test_derivatives_are_continuous_across_the_forms() -> None:
    # through the fixed point, through b = 0, and through the ends of the series
    for given in (
        (np.linspace(0.19, 0.21, 2001), np.full(2001, 0.02), np.full(2001, 0.1)),
        (np.full(2001, 0.3), np.full(2001, 0.02), np.linspace(-0.2, 0.2, 2001)),
        (np.full(2001, 0.3), np.logspace(-4, 0, 2001), np.full(2001, 0.1)),
    ):
        y = exact_step(*given)
        for slope in (y, *exact_derivatives(given[0], y, *given[1:])):
            steps = np.diff(slope)
            wild = np.abs(np.diff(steps)) > 0.02 * np.abs(steps).max()
            assert not wild.any()


def test_a_state_that_drift_alone_brings_to_zero_has_one_sided_derivatives() -> None:
    found = sensitivities("exact", 0.0, 0.4, np.ones(4))
    np.testing.assert_allclose(found.y, [0.6, 0.2, 0, 0], atol=1e-15)
    # for a little diffusion the end is alpha/beta
    np.testing.assert_allclose(found.by_alpha[2:], 2.5)
    np.testing.assert_array_equal(found.by_beta[2:], 0)
    np.testing.assert_array_equal(found.by_y0, [1, 1, 0, 0])
    np.testing.assert_allclose(found.by_beta[:2], [-1, -2])
