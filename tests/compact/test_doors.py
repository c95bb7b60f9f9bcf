"""One default for one question: the same train gives the same numbers by every door."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

import compact
from compact.cli.commands import app
from tests.compact.trains import falling, pulse_trace, rising

PARAMETERS = ("alpha", "beta", "conductance_min", "conductance_max")
DOWN = falling(0.01, 0.05, 0.01, seed=3, pulses=60)
UP = rising(0.001, 0.004, 0.005)
#: trains that end in the middle of the window, whose window is theirs by no means
TRAINS = pytest.mark.parametrize("train", [DOWN, UP], ids=["down", "up"])


def numbers(train: np.ndarray, **options: object) -> dict[str, float]:
    """What `fit_many`, the door all others are compared with, says of a train."""
    fits = compact.fit_many(train, **options).isel(train=0)  # type: ignore[arg-type]
    assert fits["valid"].item()
    names = [*PARAMETERS, *(f"{name}_stderr" for name in PARAMETERS)]
    return {name: float(fits[name]) for name in names}


def entry(table: xr.Dataset) -> dict[str, float]:
    """The only entry of a table."""
    point = table.isel(amplitude=0, width=0, initial_resistance=0, cycle=0, device=0)
    names = [*PARAMETERS, *(f"{name}_stderr" for name in PARAMETERS)]
    return {name: float(point[name]) for name in names}


@TRAINS
def test_one_train_and_many(train: np.ndarray) -> None:
    single = compact.fit(train)
    expected = numbers(train)
    values = {name: getattr(single, name) for name in expected}
    assert values == pytest.approx(expected, rel=0, abs=0, nan_ok=True)


@TRAINS
def test_a_table_and_fit_many(train: np.ndarray) -> None:
    table = compact.AlphaBetaTable.fit(pulse_trace(train))
    assert entry(table.dataset) == pytest.approx(numbers(train), rel=1e-12, nan_ok=True)
    assert table.dataset.attrs["window"] == compact.fit_many(train).attrs["window"]


@TRAINS
def test_the_command_and_fit_many(train: np.ndarray, tmp_path: Path) -> None:
    source, out = tmp_path / "lab.csv", tmp_path / "t.nc"
    np.savetxt(source, train, header="conductance (S)", comments="")
    result = CliRunner().invoke(app, ["fit", str(source), "--out", str(out)])
    assert result.exit_code == 0, result.output
    expected = numbers(np.loadtxt(source, skiprows=1))
    values = entry(compact.AlphaBetaTable.read(out).dataset)
    assert values == pytest.approx(expected, rel=1e-12, nan_ok=True)


@pytest.mark.parametrize(
    "options",
    [{}, {"window": "data"}, {"integrator": "exact"}, {"loss": "huber"}, {"starts": 2}],
    ids=str,
)
@TRAINS
def test_the_estimator_and_fit_many(train: np.ndarray, options: dict[str, object]) -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    pulses = np.arange(float(train.size))[:, None]
    result = compact.AlphaBetaRegressor(**options).fit(pulses, train)  # type: ignore[arg-type]
    expected = numbers(train, **options)
    for name in (*PARAMETERS, "alpha_stderr", "beta_stderr"):
        assert getattr(result, f"{name}_") == pytest.approx(expected[name], rel=1e-12, nan_ok=True)
    fitted = compact.fit_many(train, **options)["fitted"].values[0]  # type: ignore[arg-type]
    np.testing.assert_allclose(result.predict(pulses), fitted, rtol=1e-9)


def test_the_estimator_and_gaps_in_a_train() -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    read = np.flatnonzero(np.arange(DOWN.size) % 3 == 0)
    gaps = np.full(DOWN.size, np.nan)
    gaps[read] = DOWN[read]
    for loss in ("linear", "huber"):
        result = compact.AlphaBetaRegressor(loss=loss).fit(read[:, None], DOWN[read])
        expected = compact.fit_many(gaps, skip_missing=True, loss=loss).isel(train=0)
        assert result.alpha_ == pytest.approx(float(expected["alpha"]), rel=1e-12)
        assert result.beta_ == pytest.approx(float(expected["beta"]), rel=1e-12)


def test_the_default_finds_what_a_known_cell_is_and_the_other_window_does_not() -> None:
    """Why the window is fitted by default: alpha of a cell in which it is flat, beta rising."""
    betas = np.geomspace(0.03, 0.3, 5)
    trains = falling(np.full(5, 0.004), betas, 0.002)
    fits = compact.fit_many(trains, direction="down")
    np.testing.assert_allclose(fits["alpha"], 0.004, rtol=0.15)
    np.testing.assert_allclose(fits["beta"], betas, rtol=0.01)
    stretched = compact.fit_many(trains, direction="down", window="data")
    assert stretched["alpha"].max() > 3 * stretched["alpha"].min()
