"""What a fit makes of a finer mesh, and of residuals that go together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from devicephys import Device, Settings, SolverError
from devicephys.device.entries import parameter_value
from devicephys.fitting import FitEvent, FitInterrupted, fit_device, refined_text
from devicephys.fitting import data as fit_data
from devicephys.fitting.information import information
from tests.devicephys.test_fit import CELL, HIGH, SERIES, Fake, described, write_loop


class Coarse(Fake):
    """Its mesh of preset "quick" sees currents 12 % too large, the more the larger the current."""

    finer = 0

    def __call__(
        self,
        device: Device,
        protocol: Any,
        settings: Settings,
        *,
        sensitivities: Sequence[str] = (),
        **prepared: Any,
    ) -> xr.Dataset:
        ds = super().__call__(device, protocol, settings, sensitivities=sensitivities, **prepared)
        if settings.name != "quick":
            self.finer += 1
            return ds
        log = np.log(parameter_value(device, HIGH) / parameter_value(CELL, HIGH))
        slope = xr.zeros_like(ds["current_sensitivity"])
        slope[:, list(sensitivities).index(HIGH)] = 0.2
        return ds.assign(
            current=ds["current"] * np.exp(0.12 + 0.2 * log),
            current_sensitivity=ds["current_sensitivity"] + slope,
        )


def off(result: Any, name: str) -> float:
    found = result.parameters.sel(parameter=name)
    return abs(np.log(float(found["value"]) / parameter_value(CELL, name))) / float(
        np.log(found["high68"] / found["value"])
    )


def test_a_fit_ends_on_the_finer_mesh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    coarse = Coarse()
    monkeypatch.setattr(fit_data, "simulate", coarse)
    given = described(write_loop(tmp_path / "l.csv", 0.02, 1), HIGH, SERIES)
    plain = fit_device(given | {"refine": "none"})
    assert off(plain, HIGH) > 10 and coarse.finer == 0 and not refined_text(plain.parameters)
    told: list[FitEvent] = []
    result = fit_device(given, progress=told.append)
    assert [event.finer for event in told].count(True) == coarse.finer
    assert off(result, HIGH) < 2 and off(result, SERIES) < 2
    assert 1 <= coarse.finer <= 3 and result.solves == coarse.calls - plain.solves
    moved = np.log(
        float(result.parameters["value"].sel(parameter=HIGH) / plain.parameters["value"][0])
    )
    assert float(result.parameters["refined"].sel(parameter=HIGH)) == pytest.approx(moved, rel=1e-6)
    text = refined_text(result.parameters)
    assert text.startswith("the mesh of preset default has moved") and HIGH in text
    # the curves are those of the finer mesh, where residuals are noise
    assert result.misfit == pytest.approx(1.0, abs=0.15)
    # nothing to refine where the fit has that mesh already
    assert fit_device(given | {"preset": "default"}).parameters.get("refined") is None


def test_its_solves_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = described(write_loop(tmp_path / "l.csv", 0.02, 1), HIGH, SERIES)

    class Stops(Coarse):
        def __call__(self, *given: Any, **more: Any) -> xr.Dataset:
            if self.finer == 1:
                raise KeyboardInterrupt
            return super().__call__(*given, **more)

    monkeypatch.setattr(fit_data, "simulate", Stops())
    with pytest.raises(FitInterrupted):
        fit_device(given, folder=tmp_path / "fit")
    whole, again = Coarse(), Coarse()
    monkeypatch.setattr(fit_data, "simulate", whole)
    result = fit_device(given)
    monkeypatch.setattr(fit_data, "simulate", again)
    resumed = fit_device(given, folder=tmp_path / "fit")
    assert again.finer == whole.finer - 1
    np.testing.assert_array_equal(resumed.parameters["value"], result.parameters["value"])


def test_where_the_finer_mesh_fails_the_fit_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Fails(Coarse):
        def __call__(self, device: Device, protocol: Any, settings: Any, **more: Any) -> xr.Dataset:
            if settings.name != "quick":
                raise SolverError("no time step succeeds")
            return super().__call__(device, protocol, settings, **more)

    monkeypatch.setattr(fit_data, "simulate", Fails())
    given = described(write_loop(tmp_path / "l.csv", 0.02, 1), HIGH)
    result = fit_device(given)
    assert result.failures == ["the finer mesh is not taken further: no time step succeeds"]
    assert "refined" not in result.parameters


def wandering(rng: np.random.Generator, size: int) -> np.ndarray:
    """A first-order process, of which 1 + 2 * 0.6 / (1 - 0.6) = 4 samples count as one."""
    noise = rng.normal(size=size)
    for k in range(1, size):
        noise[k] = 0.6 * noise[k - 1] + 0.8 * noise[k]
    return noise


def test_residuals_that_go_together_count_as_fewer() -> None:
    rng = np.random.default_rng(0)
    ones, means, claims, times = np.ones((400, 1)), [], [], []
    for _ in range(200):
        noise = wandering(rng, 400)
        found = information(noise - noise.mean(), ones, [None])
        means.append(noise.mean())
        claims.append(found.covariance[0, 0])
        times.append(found.together)
    assert np.mean(times) == pytest.approx(4.0, rel=0.15)
    assert np.std(means) == pytest.approx(np.sqrt(np.mean(claims)), rel=0.15)
    white = [information(rng.normal(size=400), ones, [None]).together for _ in range(200)]
    assert np.mean(white) < 1.02
    both = [
        information(np.r_[rng.normal(size=200), wandering(rng, 200)], ones, [None], sizes=[200] * 2)
        for _ in range(100)
    ]
    assert np.mean([one.together for one in both]) == pytest.approx(2.5, rel=0.15)
