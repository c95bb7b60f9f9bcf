"""The compiled kernels against their NumPy twins."""

from __future__ import annotations

import signal
import sys
from typing import Any

import numpy as np
import pytest

from compact.kinetics import kernels_numpy
from ddkbase.errors import InstallationError
from ddkbase.files import deferred
from network.ddk import kinetics as ddk

SHAPES: list[tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], int]] = [
    ((3, 4, 9), (), (), -1),
    ((70, 2, 150), (2, 1), (150,), -1),
    ((3, 4, 40), (40,), (4, 40), -1),
    ((300, 3, 30), (300, 1, 1), (30,), 0),
    ((70, 30, 150), (), (30, 150), 0),
    ((3, 1, 4, 9), (2, 1, 1), (2, 4, 9), -1),
    ((30, 5000), (30, 1), (5000,), 0),
    ((3, 9), (3, 9), (3, 1), -1),
    ((20,), (1,), (20,), 0),
    ((5, 1), (), (), -1),
]


@pytest.fixture
def numba_there() -> None:
    pytest.importorskip("numba")


@pytest.mark.usefixtures("numba_there")
@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("integrator", ["implicit", "explicit"])
@pytest.mark.parametrize("form", ["reset", "set"])
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize("beta_max", [0.9, 6.0])
def test_twins(kind: type, integrator: str, form: str, shapes: Any, beta_max: float) -> None:
    if integrator == "explicit" and beta_max > 1:
        beta_max = 0.3  # beyond that chaos would part any two roundings
    rng = np.random.default_rng(8)
    shape, of_alpha, of_beta, axis = shapes
    x = rng.random(shape).astype(kind)
    alpha, beta = rng.uniform(0.3, 1, of_alpha), rng.uniform(0.1, beta_max, of_beta)
    options: dict[str, Any] = {"integrator": integrator, "form": form, "axis": axis, "dt": 0.9}
    tolerance = 100 * np.finfo(kind).eps
    for convention in ("before", "after"):
        options["states"] = convention
        one = ddk.forward(x, alpha, beta, backend="numpy", **options)
        two = ddk.forward(x, alpha, beta, backend="numba", **options)
        assert two.dtype == kind
        np.testing.assert_allclose(two, one, rtol=tolerance)
        # of one sign, so that no sum cancels and hides or magnifies a rounding
        g = rng.uniform(0.5, 1, one.shape).astype(kind)
        if integrator == "explicit":
            g *= rng.uniform(0.5, 1, one.shape).astype(kind)
        a = ddk.backward(g, x, one, alpha, beta, backend="numpy", **options)
        b = ddk.backward(g, x, one, alpha, beta, backend="numba", **options)
        for name in ("x", "alpha", "beta", "initial"):
            left, right = getattr(a, name), getattr(b, name)
            np.testing.assert_allclose(
                right, left, rtol=tolerance, atol=tolerance * np.abs(left).max(), err_msg=name
            )
        no_x = ddk.backward(g, x, one, alpha, beta, backend="numba", by_x=False, **options)
        np.testing.assert_array_equal(no_x.beta, b.beta)


@pytest.mark.usefixtures("numba_there")
def test_explicit_is_bit_equal_in_both() -> None:
    x = np.random.default_rng(1).random((70, 300), dtype=np.float32)
    for array, axis in ((x, -1), (np.ascontiguousarray(x.T), 0)):
        both = [
            ddk.forward(array, 0.7, 0.6, integrator="explicit", axis=axis, backend=backend)
            for backend in ("numpy", "numba")
        ]
        np.testing.assert_array_equal(*both)


@pytest.mark.usefixtures("numba_there")
def test_implicit_is_bit_equal_where_nothing_cancels() -> None:
    x = np.random.default_rng(1).random((70, 300), dtype=np.float32)
    both = [ddk.forward(x, 0.7, 1.0, backend=backend) for backend in ("numpy", "numba")]
    np.testing.assert_array_equal(*both)


@pytest.mark.usefixtures("numba_there")
def test_a_small_state_keeps_its_digits_in_float32() -> None:
    x = np.ones((1, 30), np.float32)
    one = ddk.forward(x, 1e-4, 40.0, backend="numba")
    two = ddk.forward(x.astype(float), np.float64(np.float32(1e-4)), 40.0, backend="numpy")
    np.testing.assert_allclose(one, two, rtol=1e-6)


def test_without_numba_auto_is_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "compact.kinetics.kernels_numba", raising=False)
    monkeypatch.delattr("compact.kinetics.kernels_numba", raising=False)
    monkeypatch.setitem(sys.modules, "numba", None)
    assert ddk.kernels("auto", "implicit") is kernels_numpy
    with pytest.raises(InstallationError, match="fast"):
        ddk.forward([1.0, 2.0], 0.7, 1.0, backend="numba")


def test_exact_is_always_numpy() -> None:
    assert ddk.kernels("numba", "exact") is kernels_numpy


@pytest.mark.usefixtures("numba_there")
def test_a_folder_that_cannot_be_written_to_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    import numba

    from compact.kinetics import kernels_numba as compiling

    plain = numba.njit

    def refusing(*args: Any, cache: bool = False, **options: Any) -> Any:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return plain(*args, **options)

    monkeypatch.setattr(numba, "njit", refusing)
    assert compiling.compiled(lambda v: v + 1)(1) == 2


def test_ctrl_c_while_functions_are_compiled_is_not_lost() -> None:
    reached = []
    with pytest.raises(KeyboardInterrupt), deferred():
        signal.raise_signal(signal.SIGINT)
        reached.append("the end of the block")
    assert reached == ["the end of the block"]
    with deferred():
        pass
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
