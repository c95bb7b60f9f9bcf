"""Several cells that fit as well, and errors: of the estimator, of a switching's voltage."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy.optimize import least_squares

import devicephys
from devicephys import Device
from devicephys.device.entries import parameter_value
from devicephys.fitting import alternative_texts, fit_device
from devicephys.fitting import data as fit_data
from devicephys.fitting.description import LoopSource
from devicephys.fitting.information import information, starts

HIGH, SERIES = "materials.HfOx.conductivity_high", "series.transconductance"
CELL = devicephys.load_device("tin-taox-hfox-tin")
WAVEFORM = devicephys.Waveform.from_si([0.0, 0.015, 0.045, 0.06], [0.0, -1.5, 1.5, 0.0])
TRUTH = 0.2
#: logarithm of the first parameter in the better of two basins
FAR = 0.5


def folded(
    device: Device, protocol: Any, settings: Any, *, sensitivities: Sequence[str] = ()
) -> xr.Dataset:
    """Currents that depend on the square of the logarithm of one parameter."""
    x, y = (np.log(parameter_value(device, p) / parameter_value(CELL, p)) for p in (HIGH, SERIES))
    time = np.unique(np.concatenate([protocol.corners, np.linspace(0, 0.06, 241)]))
    v = np.array([protocol.voltage(t) for t in time])
    logs = 4.0 * x**2 * (1.0 + 0.3 * v) + 0.3 * v**2 * y
    slopes = {HIGH: 8.0 * x * (1.0 + 0.3 * v), SERIES: 0.3 * v**2}
    columns = {"time": time, "voltage": v, "current": 2e-4 * v * np.exp(logs)}
    shares = np.column_stack([slopes[path] for path in sensitivities])
    return xr.Dataset(
        {name: ("time", column) for name, column in columns.items()}
        | {"current_sensitivity": (("time", "parameter"), shares)}
    )


class Basins:
    """Currents with two basins along the valley of two parameters that make up for each other."""

    def __init__(self, height: float) -> None:
        self.height = height

    def __call__(
        self, device: Device, protocol: Any, settings: Any, *, sensitivities: Sequence[str] = ()
    ) -> xr.Dataset:
        x, y = (
            np.log(parameter_value(device, p) / parameter_value(CELL, p)) for p in (HIGH, SERIES)
        )
        time = np.unique(np.concatenate([protocol.corners, np.linspace(0, 0.06, 241)]))
        v = np.array([protocol.voltage(t) for t in time])
        far, near = (x - FAR) ** 2, x**2 + 0.002
        sum_of_both, wells = 1.0 + 0.3 * v, self.height * v**2
        logs = (x + y) * sum_of_both + wells * far * near
        rise = wells * (2.0 * (x - FAR) * near + 2.0 * x * far)
        slopes = {HIGH: sum_of_both + rise, SERIES: sum_of_both}
        columns = {"time": time, "voltage": v, "current": 2e-4 * v * np.exp(logs)}
        shares = np.column_stack([slopes[path] for path in sensitivities])
        return xr.Dataset(
            {name: ("time", column) for name, column in columns.items()}
            | {"current_sensitivity": (("time", "parameter"), shares)}
        )


def described(
    folder: Path, simulate: Any, truth: dict[str, float], begin: dict[str, float], seed: int
) -> dict[str, Any]:
    """A fit of both parameters to a noisy loop, from one pair of logarithms to the true one."""
    units = {path: CELL.provenance[path].unit for path in (HIGH, SERIES)}
    values = {path: parameter_value(CELL, path) for path in units}

    def moved(logs: dict[str, float]) -> Device:
        return CELL.with_(
            {p: f"{values[p] * np.exp(log):.9g} {units[p]}" for p, log in logs.items()}
        )

    ds = simulate(moved(truth), WAVEFORM, None, sensitivities=[HIGH])
    noise = np.exp(0.02 * np.random.default_rng(seed).normal(size=ds.sizes["time"]))
    columns = [ds["time"], ds["voltage"], ds["current"] * noise]
    head = "time (s),voltage (V),current (A)"
    np.savetxt(folder / "l.csv", np.column_stack(columns), "%.9g", ",", header=head, comments="")
    (folder / "start.yaml").write_text(moved(begin).to_yaml())
    free = {
        path: {"lower": f"{values[path] / 3:.9g} {unit}", "upper": f"{values[path] * 3:.9g} {unit}"}
        for path, unit in units.items()
    }
    loop = {"loop": str(folder / "l.csv"), "error": 0.02, "voltage_error": "0 V"}
    return {"name": "two", "device": str(folder / "start.yaml"), "data": [loop], "free": free}


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A loop of a cell that another one is as like as its mirror image."""
    monkeypatch.setattr(fit_data, "simulate", folded)
    return described(tmp_path, folded, {HIGH: TRUTH}, {HIGH: 0.1}, 0)


@pytest.mark.parametrize(("height", "seed"), [(100.0, 3), (30.0, 2)])
def test_samples_look_into_the_next_basin(
    height: float, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("emcee")
    basins = Basins(height)
    monkeypatch.setattr(fit_data, "simulate", basins)
    fit = described(tmp_path, basins, {HIGH: FAR, SERIES: -FAR}, {HIGH: 0.0}, seed)
    at = [
        np.log(result.parameters["value"].sel(parameter=HIGH).item() / parameter_value(CELL, HIGH))
        for result in (fit_device(fit), fit_device(fit | {"posterior": 200}))
    ]
    assert at == pytest.approx([0.0, FAR], abs=0.03)  # a search alone ends in the near one


def test_another_cell_that_fits_as_well_is_told(given: dict[str, Any]) -> None:
    assert fit_device(given).alternatives is None  # one search sees one
    result = fit_device(given | {"starts": 6})
    found = result.alternatives
    assert found is not None and found.sizes["optimum"] == 1
    both = [
        np.log(float(value) / parameter_value(CELL, HIGH))
        for value in (
            result.parameters["value"].sel(parameter=HIGH),
            found["value"].sel(parameter=HIGH)[0],
        )
    ]
    assert sorted(both) == pytest.approx([-TRUTH, TRUTH], abs=0.02)
    assert abs(found["loss"].item()) < 0.01
    (text,) = alternative_texts(result.parameters, found)
    assert text.startswith("another cell fits as well") and HIGH in text


def test_samples_are_drawn_around_both(given: dict[str, Any]) -> None:
    pytest.importorskip("emcee")
    result = fit_device(given | {"starts": 6, "posterior": 1000})
    assert result.posterior is not None
    logs = np.log(result.posterior["value"].sel(parameter=HIGH) / parameter_value(CELL, HIGH))
    assert 0.1 < float((logs > 0).mean()) < 0.9


def test_searches_begin_with_the_cell_and_then_around_it() -> None:
    bounds = (np.array([-0.1, -2.0]), np.array([0.3, 2.0]))
    drawn = np.array(list(starts(bounds, 200)))
    assert not drawn[0].any() and len(np.unique(drawn, axis=0)) == 200
    assert np.all(drawn >= 0.9 * bounds[0]) and np.all(drawn <= 0.9 * bounds[1])
    assert drawn[:, 1].std() == pytest.approx(0.2, rel=0.15)
    np.testing.assert_array_equal(list(starts(bounds, 3)), drawn[:3])


@pytest.mark.parametrize("loss", ["linear", "soft_l1"])
def test_intervals_are_as_wide_as_what_was_made_small_scatters(loss: str) -> None:
    rng = np.random.default_rng(4)
    jacobian = rng.normal(size=(150, 2)) / 0.02
    values, claims = [], []
    for _ in range(300):
        noise = 1.5 * rng.normal(size=150)  # larger than was stated
        end = least_squares(lambda p, e=noise: jacobian @ p + e, [0.0, 0.0], loss=loss)
        values.append(end.x)
        claims.append(np.diag(information(end.fun, jacobian, [None, None], loss).covariance))
    assert np.std(values) == pytest.approx(np.sqrt(np.mean(claims)), rel=0.06)


def test_a_snap_counts_by_the_shift_of_its_voltage_however_it_is_sampled(tmp_path: Path) -> None:
    errors = []
    for dense in (False, True):
        time = np.linspace(0.0, 0.06, 1201)
        if dense:  # as a solver writes it
            time = np.union1d(time, np.linspace(0.03951, 0.04049, 301)).round(8)
            time = np.unique(time)
        v = np.array([WAVEFORM.voltage(t) for t in time])
        i = 2e-4 * v * np.exp(np.arctan((v - 1.0) / 0.01) * (time < 0.045))
        path = tmp_path / f"{dense}.csv"
        np.savetxt(path, np.column_stack([time, v, i]), "%.12g", ",",
                   header="time (s),voltage (V),current (A)", comments="")  # fmt: skip
        source = LoopSource(loop=str(path), error=0.02, voltage_error="5 mV", samples=2000)
        data = fit_data.LoopData(source, None)
        errors.append(np.interp(0.04, data.times, data.error))
        assert data.error[np.abs(data.times - 0.02) < 0.005] == pytest.approx(0.02, rel=1e-6)
    # 5 mV to each side of the steepest point: arctan(0.5), less what an ohmic current would do
    assert errors[1] == pytest.approx(np.hypot(0.02, np.arctan(0.5)), rel=0.01)
    assert errors[0] == pytest.approx(errors[1], rel=0.15)
