"""The DDK kinetics as a function: what its states must equal, and what must hold always."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from compact.kinetics import kernels_numpy
from compact.kinetics.equations import integrate
from compact.kinetics.stability_report import CONTRACTIVE, stability
from ddkbase.errors import InputError
from network.ddk import kinetics as ddk
from tests.network.ddk_reference import states

inputs = st.lists(st.floats(0, 1, width=32), min_size=1, max_size=40)
coefficient = st.floats(1e-3, 3.0)
integrators = st.sampled_from(["implicit", "explicit", "exact"])


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def authors_loop(alpha: Any, beta: Any, x: np.ndarray) -> np.ndarray:
    """The authors' layer, literally: explicit, y[0] = 1, the last sample never used."""
    y = np.ones_like(x)
    for k in range(1, x.shape[-1]):
        y[..., k] = y[..., k - 1] + alpha / y[..., k - 1] - beta * x[..., k - 1]
    return y


@given(coefficient, coefficient, inputs, st.sampled_from([np.float32, np.float64]))
def test_explicit_is_the_authors_loop_to_the_last_bit(
    alpha: float, beta: float, x: list[float], kind: type
) -> None:
    array = np.array(x, kind)
    with np.errstate(all="ignore"):
        wanted = authors_loop(kind(alpha), kind(beta), array)
    found = ddk.forward(array, alpha, beta, integrator="explicit", states="before", backend="numpy")
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("integrator", ["implicit", "explicit", "exact"])
@pytest.mark.parametrize("form", ["reset", "set"])
@pytest.mark.parametrize("convention", ["before", "after"])
def test_states_are_those_of_the_compact_model(
    integrator: str, form: str, convention: str, rng: np.random.Generator
) -> None:
    x = rng.random((3, 4, 50))
    alpha, beta = rng.uniform(0.3, 1, (4,)), rng.uniform(0.1, 0.9, (3, 4))
    options = {"y0": 1.3, "dt": 0.7, "sign": -1 if form == "reset" else 1}
    wanted = integrate(integrator, alpha, beta, x, **options, states=convention)
    found = ddk.forward(
        x,
        alpha[:, None],
        beta[..., None],
        integrator=integrator,
        form=form,
        initial=1.3,
        dt=0.7,
        states=convention,
        backend="numpy",
    )
    np.testing.assert_allclose(found, wanted, rtol=2e-15 if integrator != "exact" else 1e-13)


@pytest.mark.parametrize("steps", [1, 2, 15, 16, 17, 31, 33, 100, 700])
@pytest.mark.parametrize("beta", [0.5, 8.0])
def test_blocks_leave_no_seam(steps: int, beta: float, rng: np.random.Generator) -> None:
    x = rng.random((3, steps))
    for integrator in ("implicit", "exact"):
        found = ddk.forward(x, 0.6, beta, integrator=integrator, states="after", backend="numpy")
        wanted = states(x, 0.6, beta, integrator=integrator, states="after")
        np.testing.assert_allclose(found, wanted, rtol=1e-13)


@pytest.mark.parametrize("columns", [1, 5000])
def test_many_sequences_are_cut_into_blocks(columns: int, rng: np.random.Generator) -> None:
    x = rng.random((3000 // columns + 2, columns, 20))
    alpha = rng.uniform(0.5, 1, (columns, 20))
    found = ddk.forward(x, alpha, 0.8, backend="numpy")
    np.testing.assert_allclose(found, states(x, alpha, 0.8), rtol=1e-14)


def test_a_small_state_keeps_its_digits_in_float32() -> None:
    # c = y - beta x is far below zero: (c + sqrt(c^2 + 4 alpha))/2 alone would give 0
    y = ddk.forward(np.ones((1, 30), np.float32), 1e-4, 40.0, states="after", backend="numpy")
    wanted = states(np.ones((1, 30)), np.float64(np.float32(1e-4)), 40.0, states="after")
    np.testing.assert_allclose(y, wanted, rtol=1e-6)


def test_time_may_be_any_axis_and_memory_follows(rng: np.random.Generator) -> None:
    x = rng.random((30, 4, 5))
    wanted = np.moveaxis(ddk.forward(np.moveaxis(x, 0, -1), 0.7, 1.0), -1, 0)
    found = ddk.forward(x, 0.7, 1.0, axis=0)
    np.testing.assert_array_equal(found, wanted)
    assert found.flags.c_contiguous
    seen = ddk.forward(x.transpose(1, 2, 0), 0.7, 1.0)
    assert seen.transpose(2, 0, 1).flags.c_contiguous
    np.testing.assert_array_equal(
        ddk.forward(x.transpose(1, 0, 2), 0.7, 1.0, axis=1), wanted.transpose(1, 0, 2)
    )


def test_out_may_be_any_view(rng: np.random.Generator) -> None:
    x = rng.random((6, 3, 9))
    wanted = ddk.forward(x, 0.7, 1.0)
    for whole in (np.zeros((6, 2, 3, 9)), np.zeros((6, 2, 9, 3)).transpose(0, 1, 3, 2)):
        assert ddk.forward(x, 0.7, 1.0, out=whole[:, 1]) is not None
        np.testing.assert_array_equal(whole[:, 1], wanted)
        assert not whole[:, 0].any()
    reversed_rows = np.zeros((6, 3, 9))[::-1, ::-1]
    ddk.forward(x, 0.7, 1.0, out=reversed_rows)
    np.testing.assert_array_equal(reversed_rows, wanted)
    with pytest.raises(InputError, match="float32"):
        ddk.forward(x, 0.7, 1.0, out=np.empty((6, 3, 9), np.float32))


def test_dtype_is_kept() -> None:
    for given_, found in (
        (np.float32, np.float32),
        (np.float64, np.float64),
        (np.float16, np.float32),
        (np.int64, np.float64),
    ):
        x = np.ones((2, 3), given_)
        assert ddk.forward(x, np.float64(0.7), 1.0).dtype == found
        assert ddk.backward(np.ones((2, 3)), x, np.ones((2, 3)), 0.7, 1.0).x.dtype == found


def test_banks_come_by_broadcasting(rng: np.random.Generator) -> None:
    x = rng.random((5, 1, 3, 8))
    alpha, beta = rng.uniform(0.3, 1, (2, 1, 1)), rng.uniform(0.3, 1, (2, 3, 8))
    y = ddk.forward(x, alpha, beta)
    assert y.shape == (5, 2, 3, 8)
    for bank in range(2):
        np.testing.assert_array_equal(y[:, bank], ddk.forward(x[:, 0], alpha[bank], beta[bank]))


@given(coefficient, coefficient, inputs, integrators, st.sampled_from(["reset", "set"]))
def test_positive_always_but_for_explicit(
    alpha: float, beta: float, x: list[float], integrator: str, form: str
) -> None:
    y = ddk.forward(x, alpha, beta, integrator=integrator, form=form, states="after")
    if (
        integrator != "explicit"
        or stability(alpha, beta, integrator="explicit", form=form).positive.all()
    ):
        assert (y > 0).all()


@given(st.floats(0.01, 0.2499), st.floats(0.1, 3))
def test_below_a_quarter_some_input_turns_the_explicit_state_negative(
    r: float, beta: float
) -> None:
    # from anywhere, no input lets y rise or fall to sqrt(alpha); from there one full input is fatal
    alpha = r * beta**2
    start = float(np.sqrt(alpha))
    y = ddk.forward([1.0], alpha, beta, integrator="explicit", initial=start, states="after")
    assert y[0] <= 1e-12


@given(st.floats(CONTRACTIVE, 3.0), st.floats(0.1, 2), inputs)
def test_explicit_gradients_do_not_grow_from_0_598(r: float, beta: float, x: list[float]) -> None:
    alpha = r * beta**2
    start = max(1.0, float(np.sqrt(alpha / 2)))
    array = np.array(x)
    y = ddk.forward(array, alpha, beta, integrator="explicit", initial=start, states="after")
    before = np.concatenate([[start], y[:-1]])
    assert (np.abs(1 - alpha / before**2) <= 1 + 1e-9).all()


def test_just_below_0_598_an_explicit_gradient_grows() -> None:
    alpha = 0.99 * CONTRACTIVE
    y = ddk.forward(
        [1.0, 0.0],
        alpha,
        1.0,
        integrator="explicit",
        initial=np.sqrt(alpha),
        states="after",
        backend="numpy",
    )
    assert abs(1 - alpha / y[0] ** 2) > 1


@given(coefficient, coefficient, inputs, st.floats(0.1, 5), st.floats(0.1, 5))
def test_implicit_states_come_together(
    alpha: float, beta: float, x: list[float], one: float, two: float
) -> None:
    y = [ddk.forward(x, alpha, beta, initial=v, states="after") for v in (one, two)]
    far = np.abs(y[0] - y[1])
    assert (np.diff(np.concatenate([[abs(one - two)], far])) <= 1e-12).all()


def test_nan_in_x_stays_with_its_sequence() -> None:
    x = np.full((2, 5), 0.5)
    x[1, 2] = np.nan
    y = ddk.forward(x, 0.7, 1.0, states="after", backend="numpy")
    assert np.isfinite(y[0]).all()
    assert np.isfinite(y[1, :2]).all()
    assert np.isnan(y[1, 2:]).all()


def test_labelled_arrays_by_name(rng: np.random.Generator) -> None:
    x = xr.DataArray(
        rng.random((4, 9, 3)), {"utterance": [3, 1, 4, 7]}, ("utterance", "time", "channel")
    )
    alpha = xr.DataArray(rng.uniform(0.3, 1, (3, 2)), dims=("channel", "bank"))
    beta = xr.DataArray(rng.uniform(0.3, 1, 9), dims="time")
    y = ddk.forward(x, alpha, beta, dim="time")
    assert y.dims == ("bank", "utterance", "time", "channel")
    assert y.attrs["units"] == "1"
    assert y.attrs["long_name"]
    np.testing.assert_array_equal(y["utterance"], x["utterance"])
    one = ddk.forward(x.values[2, :, 1], alpha.values[1, 0], beta.values)
    np.testing.assert_allclose(y.values[0, 2, :, 1], one, rtol=1e-15)
    with pytest.raises(InputError, match="no dimension"):
        ddk.forward(x, 0.7, 1.0, dim="steps")
    with pytest.raises(InputError, match="coordinates do not match"):
        ddk.forward(x, alpha.rename(channel="utterance").isel(utterance=[0, 1, 2]), 1.0, dim="time")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"integrator": "implizit"}, "Did you mean 'implicit'"),
        ({"form": "up"}, "unknown form"),
        ({"states": "now"}, "unknown states"),
        ({"backend": "cuda"}, "unknown backend"),
        ({"dt": 0.0}, "not a positive time"),
        ({"alpha": -0.1}, "constrain it"),
        ({"alpha": np.nan}, "NaN"),
        ({"beta": [1.0, 2.0]}, "do not match"),
        ({"beta": "much"}, "no array of real numbers"),
        ({"initial": 0.0}, "not positive"),
        ({"initial": [1.0, 2.0, 3.0]}, "does not fit"),
        ({"axis": 2}, "does not exist"),
        ({"x": 3.0}, "axis of time"),
        ({"x": np.ones((2, 1)), "beta": [1.0, 2.0, 3.0]}, "do not match"),
    ],
)
def test_what_makes_no_sense_is_said_in_one_line(change: dict[str, Any], words: str) -> None:
    arguments = {"x": np.ones((2, 5)), "alpha": 0.7, "beta": 1.0} | change
    with pytest.raises(InputError, match=words) as error:
        ddk.forward(**arguments)
    assert "\n" not in str(error.value)


def test_nothing_is_nothing() -> None:
    for shape in ((0, 5), (2, 0, 5), (0,)):
        x = np.ones(shape)
        y = ddk.forward(x, 0.7, 1.0, states="after")
        assert y.shape == shape
        assert ddk.backward(y, x, y, 0.7, 1.0, states="after").alpha == 0


def test_the_plain_root_is_taken_only_where_it_is_good() -> None:
    run = kernels_numpy._Forward(16, (1, 1), np.dtype(float), "implicit")
    one = np.ones((1, 1, 1))
    assert run._plain(one, 0.25 * one, one)
    assert not run._plain(one, 0.249 * one, one)
    assert run._plain(one, 0 * one, -one)
    assert not run._plain(-one, 0.1 * one, -one)


def test_import_needs_neither_numba_nor_torch_nor_dolfinx() -> None:
    code = (
        "import sys, network.ddk, network.ddk.layer, network.ddk.constraints;"
        "print([m for m in ('numba', 'torch', 'dolfinx', 'sklearn', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
