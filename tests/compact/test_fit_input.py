"""Bad trains: one clear error for one, a reason beside each in a batch, never a silent number."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from compact.fitting.fit import fit, fit_many
from compact.fitting.result import AlphaBetaFit
from compact.fitting.trains import read_trains
from ddkbase.errors import InputError
from tests.compact.trains import falling, pulse_trace

GOOD = falling(0.01, 0.05, 0.005, seed=1)


def spoilt(position: int, value: float) -> np.ndarray:
    out = GOOD.copy()
    out[position] = value
    return out


BAD = {
    "fewer than 3 pulses": GOOD[:3],
    "constant": np.full(50, 1e-4),
    "holds NaN": spoilt(40, np.nan),
    "holds infinity": spoilt(40, np.inf),
    "negative conductance": spoilt(40, -1e-9),
    "the wrong way for RESET": GOOD[::-1],
}


@pytest.mark.parametrize("reason", sorted(BAD))
@pytest.mark.parametrize("method", ["better", "article"])
def test_one_bad_train_is_an_error(reason: str, method: str) -> None:
    with pytest.raises(InputError) as caught:
        fit(BAD[reason], method=method, direction="down")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("method", ["better", "article"])
def test_in_a_batch_the_others_are_fitted(method: str) -> None:
    rows = [GOOD, *BAD.values(), GOOD]
    trains = np.full((len(rows), 101), np.nan)
    for row, data in zip(trains, rows, strict=True):
        row[: len(data)] = data
    ds = fit_many(trains, method=method, direction="down", starts=4)
    assert ds["valid"].values.tolist() == [True] + [False] * len(BAD) + [True]
    for k, reason in enumerate(BAD, start=1):
        assert reason in str(ds["reason"].values[k])
        assert np.isnan(ds["alpha"].values[k])
        assert np.isnan(ds["fitted"].values[k]).all()
        assert "not valid" in repr(AlphaBetaFit.from_dataset(ds, k))
    assert ds["alpha"].values[0] == pytest.approx(ds["alpha"].values[-1], rel=1e-3)


def test_an_up_train_that_falls() -> None:
    with pytest.raises(InputError, match=r"the wrong way for SET, Eq. \(3\)"):
        fit(GOOD, direction="up")


def test_normalised_trains_may_be_negative() -> None:
    shifted = (GOOD - GOOD.mean()) / np.ptp(GOOD)
    with pytest.raises(InputError, match="negative conductance"):
        fit(shifted)
    assert fit(shifted, normalised=True).valid


def test_an_empty_batch_and_a_wholly_bad_one() -> None:
    ds = fit_many(np.full((3, 20), np.nan))
    assert not ds["valid"].any()
    assert (ds["reason"] == "fewer than 3 pulses").all()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"method": "articel"}, "Did you mean 'article'?"),
        ({"integrator": "rk4"}, "unknown integrator 'rk4'"),
        ({"loss": "cauchy"}, "unknown loss"),
        ({"window": "fixed"}, "unknown window"),
        ({"direction": "dwn"}, "Did you mean 'down'?"),
        ({"direction": ["unknown"]}, 'Give direction="down" or direction="up"'),
        ({"direction": ["down", "up"]}, "2 directions for 1 trains"),
        ({"starts": 0}, "no number of starts"),
        ({"seed": -1}, "is no seed"),
        ({"limit": np.inf}, "no upper bound"),
        ({"x": np.ones(7)}, "Give one input a pulse"),
        ({"x": np.full(100, 1.5)}, "not between 0 and 1"),
        ({"x": ["a"] * 100}, "no array of numbers"),
        ({"method": "article", "integrator": "exact"}, "explicit Euler, squared residuals"),
        ({"method": "article", "loss": "huber"}, "explicit Euler, squared residuals"),
    ],
)
def test_bad_arguments_are_named(change: dict[str, object], said: str) -> None:
    with pytest.raises(InputError) as caught:
        fit_many(GOOD, **change)  # type: ignore[arg-type]
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (3.0, "single number"),
        (["a", "b"], "no array of numbers"),
        (np.ones((2, 3, 4)), "shape (2, 3, 4)"),
        (pulse_trace(GOOD).drop_vars("conductance"), "no variable 'conductance'"),
    ],
)
def test_data_of_the_wrong_shape(data: object, said: str) -> None:
    with pytest.raises(InputError) as caught:
        fit_many(data)
    assert said in str(caught.value)


def test_explicit_cannot_start_at_zero() -> None:
    with pytest.raises(InputError, match="mirror=True"):
        fit(GOOD[::-1], integrator="explicit", direction="up")


def test_pooling_refuses_what_does_not_fit_together() -> None:
    both = np.stack([GOOD, GOOD[::-1]])
    with pytest.raises(InputError, match="up and down"):
        fit_many(both, pooled=True)
    with pytest.raises(InputError, match=r"constant \(train 1\)"):
        fit_many(np.stack([GOOD, np.full_like(GOOD, 1e-4)]), pooled=True)
    with pytest.raises(InputError, match="squared residuals"):
        fit_many(GOOD, pooled=True, loss="huber")
    with pytest.raises(InputError, match="Use fit_many"):
        fit(np.stack([GOOD, GOOD]))


def test_a_first_read_that_was_not_made_is_no_nan() -> None:
    """Of files that do not say what was read before the first pulse."""
    falling = np.linspace(1.0, 0.2, 9)
    ds = xr.Dataset(
        {
            "conductance": (
                ("train", "pulse"),
                np.array([falling[1:], falling[1:]]),
                {"units": "1"},
            ),
            "initial_conductance": ("train", [np.nan, 1.0], {"units": "1"}),
            "length": ("train", [8, 7]),
        }
    )
    values, normalised, _ = read_trains(ds, None)
    assert normalised
    assert values.shape == (2, 9)
    np.testing.assert_array_equal(values[0], [*falling[1:], np.nan])
    np.testing.assert_array_equal(values[1], [*falling[:8], np.nan])
    none = ds.assign(initial_conductance=("train", [np.nan, np.nan]))
    assert read_trains(none, None)[0].shape == (2, 8)


@pytest.mark.parametrize(
    "numbers", [range(0, 101, 5), range(5, 101, 5), [1, 2, 5, 10, 20, 50, 100]]
)
def test_reads_after_several_pulses_are_no_missing_ones(numbers) -> None:
    reads = np.full(101, np.nan)
    exact = falling(0.01, 0.05, 0.0, seed=1)
    reads[list(numbers)] = exact[list(numbers)]
    ds = xr.Dataset(
        {
            "conductance": (("train", "pulse"), reads[None, 1:], {"units": "S"}),
            "initial_conductance": ("train", reads[:1]),
        }
    )
    whole, sparse = fit(exact[numbers[0] :], direction="down"), fit(ds, direction="down")
    assert sparse.beta == pytest.approx(whole.beta, rel=0.02)
    more = exact.copy()
    more[1:40] = np.nan
    with pytest.raises(InputError, match="holds NaN"):
        fit(more, direction="down")
