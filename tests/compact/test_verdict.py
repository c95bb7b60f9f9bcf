"""What a fit says of itself: noise, straight lines, bounds, trains that saturate, long trains."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import compact
from compact.fitting.diagnostics import LINE, NOISE, SATURATES, judged
from compact.kinetics.exact import exact_step
from ddkbase.errors import InputError
from tests.compact.test_compact_cli import call
from tests.compact.trains import falling


@pytest.mark.parametrize("size", [10, 60])
def test_noise_is_not_valid(size: int) -> None:
    rng = np.random.default_rng(size)
    fits = compact.fit_many(1e-6 * (50 + 5 * rng.standard_normal((40, size))), starts=2)
    assert fits["valid"].sum() <= 2 and fits["determined"].sum() <= 2
    assert (fits["reason"] == NOISE).sum() > 30
    assert fits["alpha"].where(~fits["valid"]).isnull().all()


def test_a_straight_line_is_no_alpha_and_beta() -> None:
    rng = np.random.default_rng(1)
    line = np.linspace(1, 0.4, 60) + 0.01 * rng.standard_normal((20, 60))
    fits = compact.fit_many(1e-4 * line, starts=2)
    assert fits["valid"].all() and not fits["determined"].any()
    assert (fits["note"] == LINE).sum() > 15


def test_a_curve_above_its_noise_is_neither() -> None:
    rng = np.random.default_rng(2)
    curve = falling(0.01, 0.1, pulses=60)
    fits = compact.fit_many(curve + 4e-7 * rng.standard_normal((10, curve.size)))
    assert fits["valid"].all() and fits["determined"].all()


def test_a_line_passes_for_a_curve_as_rarely_as_the_level_says() -> None:
    # two parameters more than a line has, of which the fit is linear: F with 2 degrees of freedom
    rng = np.random.default_rng(5)
    x = np.linspace(-1, 1, 30)
    lines = (-5 * x + rng.standard_normal((20_000, x.size))).T
    basis = np.linalg.qr(np.stack([x**k for k in range(4)], axis=1))[0]
    residual = lines - basis @ (basis.T @ lines)
    verdicts = judged(lines, np.ones_like(lines), (residual**2).sum(0), 4)
    assert np.mean(verdicts != LINE) == pytest.approx(0.01, rel=0.25)


def test_what_stands_at_a_bound_is_not_determined() -> None:
    rng = np.random.default_rng(3)
    drift = 50 - 0.15 * np.arange(60) + 5 * rng.standard_normal((40, 60))
    fits = compact.fit_many(1e-6 * drift, direction=None, starts=2)
    bound = fits["at_bound"].sel(parameter=["alpha", "beta"]).any("parameter") & fits["valid"]
    assert bound.any() and not fits["determined"].where(bound, False).any()
    assert fits["determined"].sum() <= 2


def saturating(cycles: int = 3) -> np.ndarray:
    rng = np.random.default_rng(4)
    rise = 1 - np.exp(-np.arange(1, 65) / 12)
    return 1e-6 * (20 + 80 * rise + 0.3 * rng.standard_normal((cycles, 64)))


def test_a_train_that_saturates_is_told_the_mirrored_law(tmp_path: Path) -> None:
    fits = compact.fit_many(saturating())
    assert (fits["note"] == SATURATES).all() and not fits["determined"].any()
    mirrored = compact.fit_many(saturating(), mirror=True)
    assert (mirrored["note"] != SATURATES).all() and (mirrored["beta"] > 0.01).all()
    table = compact.AlphaBetaTable.fit(_dataset(tmp_path, saturating()))
    assert np.isnan(table.means["beta_mean_band"]).all()  # three zeros are no narrow band
    assert np.isfinite(table.means["alpha_mean_band"]).all()
    assert table.notes() == [(SATURATES, 3)]
    result = call("fit", tmp_path / "lab.csv", "--out", tmp_path / "t.nc", "--units", "uS")
    assert "3 of 3 trains that go up saturate" in result.output
    assert "--mirror" in result.output and "alpha and beta: means" in result.output


def _dataset(folder: Path, values: np.ndarray) -> object:
    lines = ["pulse," + ",".join(f"cycle {k}" for k in range(1, len(values) + 1))]
    lines += [
        f"{n}," + ",".join(f"{1e6 * v:.5f}" for v in row) for n, row in enumerate(values.T, 1)
    ]
    (folder / "lab.csv").write_text("\n".join(lines))
    return compact.read_pulses(folder / "lab.csv", units="uS")


def test_intervals_of_a_table(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    curve = falling(0.01, 0.1, pulses=60)
    values = curve + 4e-7 * rng.standard_normal((3, curve.size))
    table = compact.AlphaBetaTable.fit(_dataset(tmp_path, values))
    found = table.intervals()
    lower, upper = (found[end].squeeze().values for end in ("lower", "upper"))
    fitted = np.stack([table.dataset[n].squeeze().values for n in ("alpha", "beta")], axis=1)
    assert (lower < fitted).all() and (fitted < upper).all()
    assert (lower[:, 1] < 0.1).all() and (upper[:, 1] > 0.1).all()
    narrow = table.intervals(0.5)["upper"].squeeze().values
    assert (narrow < upper).all()
    result = call("intervals", table.write(tmp_path / "t.nc"))
    assert result.exit_code == 0 and " to " in result.output
    with pytest.raises(InputError, match="is no level"):
        table.intervals(2)


def test_a_long_train_is_thinned_and_says_so() -> None:
    pulses = np.arange(30_001.0)
    alpha, beta = 2e-6, 2e-4
    curve = exact_step(np.ones_like(pulses), alpha * pulses, beta * pulses)
    noise = 1e-3 * np.random.default_rng(6).standard_normal(pulses.size)
    fits = compact.fit_many(1e-6 * (20 + 80 * (curve + noise)), starts=2)
    assert fits.attrs["thinned"] > 1 and fits.attrs["integrator"] == "exact"
    for name, truth in (("alpha", alpha), ("beta", beta)):
        assert abs(fits[name].item() - truth) < 4 * fits[f"{name}_stderr"].item() < truth
    assert fits["sample"][1] == fits.attrs["thinned"] and fits["n_pulses"].item() > 29_000
    one = compact.AlphaBetaFit.from_dataset(fits)
    assert one.conductance.size == one.fitted.size == fits.sizes["sample"]
    with pytest.raises(InputError, match="some reads only"):
        compact.profile_intervals(fits)


def test_intervals_of_thinned_trains_are_per_pulse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compact.fitting.fit._LONGEST", 400)  # pulses, and reads that are left
    monkeypatch.setattr("compact.fitting.fit._THINNED", 100)
    pulses = np.arange(601.0)
    alpha, beta = 1e-4, 1e-2
    curve = exact_step(np.ones_like(pulses), alpha * pulses, beta * pulses)
    noise = 1e-3 * np.random.default_rng(7).standard_normal(pulses.size)
    reads = 1e-6 * (20 + 80 * (curve + noise))
    data = {"conductance": (("train", "pulse"), reads[None, 1:], {"units": "S"})}
    data["initial_conductance"] = ("train", reads[:1], {"units": "S"})
    table = compact.AlphaBetaTable.fit(xr.Dataset(data), amplitude="-2 V", starts=2)
    assert json.loads(table.dataset.attrs["fit_json"])["thinned"] == 7
    found = table.intervals().squeeze()
    for name, truth in (("alpha", alpha), ("beta", beta)):
        fitted, error = (table.dataset[n].item() for n in (name, f"{name}_stderr"))
        ends = [float(found[end].sel(parameter=name)) for end in ("lower", "upper")]
        assert ends[0] < truth < ends[1]
        # with so many reads they are those of the standard error, per pulse like it
        np.testing.assert_allclose(ends, [fitted - 1.96 * error, fitted + 1.96 * error], rtol=0.05)


def test_windows_that_differ_are_said_on_the_screen(tmp_path: Path) -> None:
    curve = 1e6 * falling(0.01, 0.1, pulses=40)
    for name, low, values in (("down", 0, curve), ("up", 90, curve[::-1])):
        rows = "\n".join(f"{n},{low + v:.5f}" for n, v in enumerate(values))
        (tmp_path / f"{name}.csv").write_text("pulse,G (uS)\n" + rows)
        sign = "-" if name == "down" else ""
        setting = ("--amplitude", f"{sign}2 V", "--width", "100 ns", "--integrator", "exact")
        out = ("--out", tmp_path / f"{name}.nc")
        assert call("fit", tmp_path / f"{name}.csv", *setting, *out).exit_code == 0
    files = (tmp_path / "down.nc", "--opposite", tmp_path / "up.nc")
    result = call("export", *files, "--format", "spice", "--out", tmp_path / "c.sub")
    assert "windows of the two polarities differ" in result.output


@pytest.mark.parametrize("reads", [8, 12, 30])
@pytest.mark.parametrize("noise", [0.0, 0.8])
def test_few_reads_that_come_to_rest_are_no_noise(reads: int, noise: float) -> None:
    rng = np.random.default_rng(reads)
    rise = 80 * (1 - np.exp(-np.arange(1, reads + 1) / 2))
    trains = 1e-6 * (20 + rise + noise * rng.standard_normal((5, reads)))
    fits = compact.fit_many(trains, starts=2)
    assert fits["valid"].all() and (fits["note"] == SATURATES).all()
    fits = compact.fit_many(trains, starts=2, mirror=True)
    assert fits["valid"].all() and (fits["note"] != SATURATES).all()


def test_reads_apart_come_to_rest_as_dense_ones_do() -> None:
    rise = 1 - np.exp(-np.arange(1, 9) / 2.0)
    dense = (rise - rise[0]) / np.ptp(rise)
    apart, weights = np.zeros((57, 1)), np.zeros((57, 1))
    apart[::8, 0], weights[::8] = dense, 1
    bad_fit = np.array([8 * np.var(dense)])  # as far away as a constant
    assert judged(apart, weights, bad_fit, 4)[0] == LINE
    assert judged(dense[:, None], np.ones((8, 1)), bad_fit, 4)[0] == LINE


@pytest.mark.parametrize("reads", [8, 12, 30])
def test_noise_passes_for_rest_as_rarely_as_the_level_says(reads: int) -> None:
    rng = np.random.default_rng(reads)
    noise = rng.standard_normal((reads, 20_000))
    squares = noise.var(0) * reads
    assert np.mean(judged(noise, np.ones_like(noise), squares, 4) != NOISE) < 5e-4
