"""A pair as a piecewise linear recurrence: what its matrices say, and how near it is."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from ddkbase.errors import InputError
from network.ddk.piecewise import PiecewiseLinearDDK, typical
from network.hardware import Hardware, HardwareRealisation, WriteError
from network.layers.base import Ideal
from tests.network.ddk_reference import states

X = np.random.default_rng(4).random((30, 20))
WRITE = WriteError(0.2e-6, 1.1e-6)


@pytest.mark.parametrize("integrator", ["implicit", "explicit"])
@pytest.mark.parametrize("form", ["reset", "set"])
@pytest.mark.parametrize(("initial", "dt"), [(1.0, 1.0), (0.6, 0.5)])
def test_more_hinges_come_nearer_to_the_exact_states(
    integrator: str, form: str, initial: float, dt: float
) -> None:
    how: dict[str, Any] = {"integrator": integrator, "form": form, "initial": initial, "dt": dt}
    exact = np.stack([states(x, 0.5, 0.9, **how) for x in X])
    misses = []
    for hinges in (0, 4, 16, 64):
        recurrence = PiecewiseLinearDDK.fitted(0.5, 0.9, hinges=hinges, samples=X, **how)
        misses.append(float(np.abs(recurrence.forward(X) - exact).max()))
    assert all(fewer > 2 * more for fewer, more in itertools.pairwise(misses))
    assert misses[-1] < 1e-3 * np.ptp(exact)


def test_the_matrices_say_all() -> None:
    recurrence = PiecewiseLinearDDK.fitted(0.3, 0.5, hinges=5, samples=X)
    assert recurrence.hinges == 5 and recurrence.products == 2
    y = np.full(len(X), recurrence.initial)
    for x in X.T:
        rows = np.stack([y / recurrence.y_scale, x / recurrence.x_scale, np.ones_like(x)])
        first = np.concatenate([recurrence.hinge_weight, recurrence.hinge_bias[None]])
        rectified = np.maximum(first.T @ rows, 0)
        second = np.concatenate([recurrence.update_weight, recurrence.update_bias[None]])
        y = y + (second.T @ np.concatenate([rectified, rows]))[0]
    assert recurrence.forward(X)[:, -1] == pytest.approx(y, rel=1e-10)


def test_without_hinges_the_states_are_linear_in_the_samples() -> None:
    recurrence = PiecewiseLinearDDK.fitted(0.3, 0.5, hinges=0, samples=X)
    assert recurrence.products == 1
    middle = recurrence.forward((X[:15] + X[15:]) / 2)
    mean = (recurrence.forward(X[:15]) + recurrence.forward(X[15:])) / 2
    assert middle == pytest.approx(mean, rel=1e-10)
    bent = PiecewiseLinearDDK.fitted(0.3, 0.5, hinges=2, samples=X)
    assert np.abs(bent.forward(X[:15]) - mean).max() > 1e-3


@pytest.mark.parametrize("hinges", [0, 3])
def test_a_step_errs_by_nothing_in_the_mean(hinges: int) -> None:
    first = X[:, :1]
    recurrence = PiecewiseLinearDDK.fitted(0.4, 0.8, hinges=hinges, samples=first)
    error = recurrence.forward(first) - recurrence.exact(first)
    assert abs(error.mean()) < 1e-12 < np.abs(error).max()


def test_axes_and_types_are_those_of_the_samples() -> None:
    recurrence = PiecewiseLinearDDK.fitted(0.3, 0.5, samples=X)
    y = recurrence.forward(X.reshape(5, 6, 20).astype(np.float32))
    assert y.dtype == np.float32 and y.shape == (5, 6, 20)
    assert y.reshape(X.shape) == pytest.approx(recurrence.forward(X), rel=1e-5)
    assert recurrence.forward(np.ones(4, int)).dtype == np.float64
    assert recurrence.forward(np.ones((0, 4))).shape == (0, 4)


def test_errors_are_those_of_the_states() -> None:
    recurrence = PiecewiseLinearDDK.fitted(0.3, 0.5, hinges=3, samples=X)
    miss = recurrence.forward(X) - recurrence.exact(X)
    error = recurrence.error(X)
    assert error.rms == pytest.approx(np.sqrt((miss**2).mean()), rel=1e-12)
    assert error.worst == pytest.approx(np.abs(miss).max(), rel=1e-12)
    assert error.last == pytest.approx(np.sqrt((miss[:, -1] ** 2).mean()), rel=1e-12)
    assert error.spread == pytest.approx(recurrence.exact(X)[:, -1].std(), rel=1e-12)


def test_converters_and_written_cells_have_their_errors() -> None:
    recurrence = PiecewiseLinearDDK.fitted(0.3, 0.5, samples=X)
    assert np.array_equal(recurrence.forward(X, realise=Ideal()), recurrence.forward(X))

    def error(seed: int = 0, bits: int | None = None, write: WriteError | None = None) -> float:
        chip = Hardware(arrays=True, dac_bits=bits, adc_bits=bits, write=write)
        return recurrence.error(X, realise=HardwareRealisation(chip, seed=seed)).rms

    plain = recurrence.error(X).rms
    assert error() == pytest.approx(plain, rel=1e-6)
    assert error(bits=6) > 2 * error(bits=9) > 2 * plain
    assert error(1, write=WRITE) == error(1, write=WRITE) != error(2, write=WRITE)
    assert error(1, write=WRITE) > 2 * plain


def test_converters_see_the_whole_course_before_the_first_step() -> None:
    # first states are alike and first samples zero: a range of these alone would clip all others
    rising = np.random.default_rng(0).random((30, 40)) * (np.arange(40) > 0)
    recurrence = PiecewiseLinearDDK.fitted(2.0, 0.3, samples=rising)
    chip = HardwareRealisation(Hardware(arrays=True, dac_bits=12, adc_bits=12), seed=0)
    assert recurrence.error(rising, realise=chip).rms < 0.02 * recurrence.exact(rising).std()


def test_typical_inputs_hold_the_ends_and_repeat() -> None:
    x = typical(7)
    assert x.shape == (84, 7) and x.min() == 0 and x.max() == 1
    assert np.array_equal(x, typical(7))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"integrator": "exact"}, "no function of one number"),
        ({"hinges": -1}, "-1 hinges"),
        ({"hinges": 1000}, "1000 hinges"),
        ({"hinges": True}, "no number of hinges"),
        ({"hinges": 2.5}, "no number of hinges"),
        ({"alpha": 0.0}, "are no pair"),
        ({"beta": float("nan")}, "are no pair"),
        ({"samples": [[np.nan, 1.0]]}, "no finite sequences"),
        ({"samples": np.empty((0, 3))}, "no finite sequences"),
        ({"steps": 0}, "0 steps"),
        ({"form": "up"}, "up"),
        ({"integrator": "explicit", "alpha": 0.01}, "may leave y > 0"),
    ],
)
def test_what_makes_no_sense_is_one_line(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        PiecewiseLinearDDK.fitted(**{"alpha": 0.5, "beta": 0.5, "steps": 8, **change})
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="axis of time"):
        PiecewiseLinearDDK.fitted(0.5, 0.5).forward(1.0)
