"""The reverse sweep against complex-step derivatives of the kinetics written out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ddkbase.errors import InputError
from network.ddk import kinetics as ddk
from tests.network.ddk_reference import complex_step, states

SHAPES: dict[str, tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]] = {
    "numbers": ((2, 3, 5), (), ()),
    "channel": ((2, 3, 5), (3, 1), (3, 1)),
    "step": ((2, 3, 5), (5,), (5,)),
    "channel and step": ((2, 3, 5), (3, 5), (3, 1)),
    "sample": ((2, 3, 5), (2, 1, 5), (1, 3, 1)),
    "all": ((2, 5), (2, 5), (2, 5)),
    "banks": ((2, 1, 5), (4, 1), (4, 5)),
    "one sequence": ((7,), (7,), ()),
    "one step": ((3, 1), (), (1,)),
}


def check(
    shapes: tuple[tuple[int, ...], ...], beta_max: float, rtol: float, **options: Any
) -> None:
    rng = np.random.default_rng(3)
    x = rng.random(shapes[0])
    alpha, beta = rng.uniform(0.3, 1, shapes[1]), rng.uniform(0.1, beta_max, shapes[2])
    dynamics = {k: v for k, v in options.items() if k != "backend"}
    shape = np.broadcast_shapes(*shapes)
    initial = rng.uniform(0.8, 1.5, shape[:-1])
    y = ddk.forward(x, alpha, beta, initial=initial, **options)
    gradient = rng.standard_normal(shape)
    found = ddk.backward(gradient, x, y, alpha, beta, initial=initial, **options)

    def loss(*arguments: Any) -> Any:
        return (gradient * states(*arguments, **dynamics)).sum()

    wanted = {
        "x": complex_step(lambda v: loss(v, alpha, beta, initial), x),
        "alpha": complex_step(lambda v: loss(x, v, beta, initial), alpha),
        "beta": complex_step(lambda v: loss(x, alpha, v, initial), beta),
        "initial": complex_step(lambda v: loss(x, alpha, beta, v), initial),
    }
    for name, expected in wanted.items():
        actual = getattr(found, name)
        assert actual.shape == expected.shape
        scale = np.abs(expected).max()
        np.testing.assert_allclose(actual, expected, rtol=rtol, atol=rtol * scale, err_msg=name)


@pytest.mark.parametrize("integrator", ["implicit", "explicit", "exact"])
@pytest.mark.parametrize("form", ["reset", "set"])
@pytest.mark.parametrize("convention", ["before", "after"])
@pytest.mark.parametrize("shapes", SHAPES.values(), ids=SHAPES)
def test_gradients(
    integrator: str, form: str, convention: str, shapes: tuple[tuple[int, ...], ...]
) -> None:
    check(
        shapes,
        0.9,
        1e-9 if integrator == "exact" else 1e-11,
        integrator=integrator,
        form=form,
        states=convention,
        dt=0.8,
        backend="numpy",
    )


@pytest.mark.parametrize("integrator", ["implicit", "exact"])
@pytest.mark.parametrize("backend", ["numpy", "auto"])
def test_gradients_where_the_state_is_driven_near_zero(integrator: str, backend: str) -> None:
    check(SHAPES["channel"], 20.0, 1e-8, integrator=integrator, states="after", backend=backend)


def test_time_first_and_long_sequences(rng_seed: int = 2) -> None:
    rng = np.random.default_rng(rng_seed)
    x, g = rng.random((600, 5)), rng.standard_normal((600, 5))
    beta = rng.uniform(0.5, 1, 5)
    for backend in ("numpy", "auto"):
        first = ddk.forward(x, 0.7, beta, axis=0, backend=backend)
        last = ddk.forward(x.T.copy(), 0.7, beta[:, None], backend=backend)
        np.testing.assert_array_equal(first, last.T)
        one = ddk.backward(g, x, first, 0.7, beta, axis=0, backend=backend)
        two = ddk.backward(g.T.copy(), x.T.copy(), last, 0.7, beta[:, None], backend=backend)
        np.testing.assert_allclose(one.x, two.x.T, rtol=1e-13)
        np.testing.assert_allclose(one.beta, two.beta[:, 0], rtol=1e-12)
        np.testing.assert_allclose(one.alpha, two.alpha, rtol=1e-12)


def test_float32_agrees_with_float64() -> None:
    rng = np.random.default_rng(4)
    x, g = rng.random((20, 2000)), rng.random((20, 2000))
    single = [v.astype(np.float32) for v in (x, g)]
    for backend in ("numpy", "auto"):
        found = ddk.backward(
            single[1],
            single[0],
            ddk.forward(single[0], 0.7, 1.0, backend=backend),
            0.7,
            1.0,
            backend=backend,
        )
        wanted = ddk.backward(g, x, ddk.forward(x, 0.7, 1.0), 0.7, 1.0)
        assert found.x is not None
        assert found.x.dtype == np.float32
        np.testing.assert_allclose(found.alpha, wanted.alpha, rtol=2e-6)
        np.testing.assert_allclose(found.beta, wanted.beta, rtol=2e-6)
        np.testing.assert_allclose(found.x, wanted.x, rtol=1e-4, atol=1e-5)


def test_the_derivative_by_x_is_optional_and_may_be_written_to_a_view() -> None:
    rng = np.random.default_rng(6)
    x, g = rng.random((4, 3, 9)), rng.random((4, 3, 9))
    y = ddk.forward(x, 0.7, 1.0)
    whole = ddk.backward(g, x, y, 0.7, 1.0)
    less = ddk.backward(g, x, y, 0.7, 1.0, by_x=False)
    assert less.x is None
    assert less.alpha == whole.alpha
    assert less.beta == whole.beta
    out = np.zeros((4, 2, 3, 9))
    ddk.backward(g, x, y, 0.7, 1.0, out=out[:, 1])
    np.testing.assert_array_equal(out[:, 1], whole.x)


def test_other_shapes_are_refused() -> None:
    x = np.ones((2, 5))
    with pytest.raises(InputError, match="the states have"):
        ddk.backward(np.ones((2, 4)), x, x, 0.7, 1.0)
    with pytest.raises(InputError, match="the states have"):
        ddk.backward(x, x, np.ones((3, 5)), 0.7, 1.0)


@pytest.mark.parametrize("backend", ["numpy", "auto"])
def test_without_diffusion_the_gradient_is_that_of_a_state_that_stops_at_zero(
    backend: str,
) -> None:
    x = np.array([[0.5, 0.25, 0.75, 1.0, 0.5]])
    options: dict[str, Any] = {"states": "after", "backend": backend}
    y = ddk.forward(x, 0.0, 1.0, **options)
    np.testing.assert_allclose(y, [[0.5, 0.25, 0.0, 0.0, 0.0]], atol=1e-15)
    found = ddk.backward(np.ones_like(y), x, y, 0.0, 1.0, **options)
    h = 1e-7  # only forward: alpha has no other side
    by_alpha = (ddk.forward(x, h, 1.0, **options) - y).sum() / h
    by_beta = (ddk.forward(x, 0.0, 1 + h, **options) - y).sum() / h
    np.testing.assert_allclose(found.alpha, by_alpha, rtol=1e-5)
    np.testing.assert_allclose(found.beta, by_beta, rtol=1e-5)
    np.testing.assert_allclose(found.x, [[-2.0, -1.0, 0.0, 0.0, 0.0]], atol=1e-12)
