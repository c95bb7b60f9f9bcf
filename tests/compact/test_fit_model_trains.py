"""Models of a cell fitted to pulse trains: what made them comes back, within its intervals."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import compact
from compact.fitting.any_model import EDGE, train_runs
from compact.fitting.models import fit_model, load_model
from ddkbase.errors import InputError

needs_compiler = pytest.mark.skipif(
    find_spec("openvaf_py") is None, reason="the extra verilog-a is not installed"
)

#: conductance that every volt-second moves towards a ceiling of 1 mS, as a function of time
PYTHON = """
import numpy as np

def current(time, voltage, rate=1e6, g0=1e-5):
    middle = (voltage[1:] + voltage[:-1]) / 2
    moved = np.append(0.0, np.cumsum(np.where(np.abs(middle) > 0.6, middle, 0) * np.diff(time)))
    return voltage * (g0 + (1e-3 - g0) * (1 - np.exp(-rate * moved)))
"""


@pytest.fixture
def python(tmp_path: Path) -> str:
    path = tmp_path / "own.py"
    path.write_text(PYTHON, encoding="utf-8")
    return f"{path}:current"


def trains(conductance: np.ndarray, first: float, volts: float, width: float) -> xr.Dataset:
    """One train, as `compact.read_pulses` gives it."""
    one = np.atleast_2d(conductance)
    data = {
        "conductance": (("train", "pulse"), one, {"units": "S"}),
        "amplitude": (("train", "pulse"), np.full(one.shape, volts)),
        "width": (("train", "pulse"), np.full(one.shape, width)),
        "initial_conductance": ("train", np.full(len(one), first)),
        "length": ("train", np.full(len(one), one.shape[1])),
        "direction": ("train", ["up" if volts > 0 else "down"] * len(one)),
    }
    return xr.Dataset(data)


def simulated(
    model: str, truth: Mapping[str, float], count: int, volts: float, width: float
) -> xr.Dataset:
    """A train of a model, through the door of a fit and read as one is."""
    predict, defaults = load_model(model)
    (run,) = train_runs(trains(np.ones(count), 1.0, volts, width), None, None, "0.1 V")
    reads = run.compared(predict(run.times, run.voltages, {**defaults, **truth}))
    return trains(reads[1:], reads[0], volts, width)


def noisy(clean: xr.Dataset, share: float, seed: int) -> xr.Dataset:
    """Reads that scatter by a share of the largest."""
    rng = np.random.default_rng(seed)
    size = share * float(clean["conductance"].max())
    out = clean.copy(deep=True)
    for name in ("conductance", "initial_conductance"):
        out[name] = out[name] + size * rng.standard_normal(out[name].shape)
        out[name].attrs["units"] = "S"
    return out


def test_the_run_of_a_train_is_as_long_as_its_pulses() -> None:
    (run,) = train_runs(trains(np.ones(3), 1.0, -1.5, 1e-6), None, None, "0.2 V")
    assert (np.diff(run.times) > 0).all() and (run.voltages[run.at] == 0.2).all()
    assert run.divisor == 0.2 and run.at.size == 4
    above = np.interp(np.linspace(0, run.times[-1], 30001), run.times, run.voltages) < -0.65
    assert above.mean() * run.times[-1] == pytest.approx(3e-6, rel=1e-3)
    assert run.times[-1] == pytest.approx(3 * (1 + EDGE) * 1e-6)


def test_a_function_comes_back_within_both_intervals(python: str) -> None:
    truth = {"rate": 2e4, "g0": 4e-5}
    clean = simulated(python, truth, 30, 1.5, 1e-6)
    inside = {name: np.zeros(2, int) for name in truth}
    for seed in range(20):
        ds = noisy(clean, 0.01, seed)
        fit = fit_model(None, python, list(truth), trains=ds, start={"rate": 1e4}, profile=True)
        assert 1.2 < fit.durbin_watson < 2.8 and fit.samples == 31
        assert np.isnan(fit.held_out_error)
        for name, value in truth.items():
            inside[name] += (
                fit.low[name] <= value <= fit.high[name],
                fit.profile_low[name] <= value <= fit.profile_high[name],
            )
            assert not any(fit.profile_open[name])
            assert fit.profile_high[name] / fit.profile_low[name] < 1.5
    # of 20 intervals of 95 %: fewer than 16 have a chance of 0.3 %
    assert min(min(pair) for pair in inside.values()) >= 16


def test_profile_and_linear_intervals_agree_where_the_model_is_linear(tmp_path: Path) -> None:
    (tmp_path / "line.py").write_text("def f(t, v, a=1.0, b=1.0): return v * (a + b * t * 1e5)")
    model = f"{tmp_path / 'line.py'}:f"
    bounds = {"a": (-10.0, 10.0), "b": (-10.0, 10.0)}
    ds = noisy(simulated(model, {"a": 2.0, "b": 0.5}, 20, 1.0, 1e-6), 0.02, 1)
    fit = fit_model(None, model, ["a", "b"], trains=ds, bounds=bounds, profile=True)
    for name in bounds:
        half = (fit.high[name] - fit.low[name]) / 2
        assert fit.profile_low[name] == pytest.approx(fit.low[name], abs=0.01 * half)
        assert fit.profile_high[name] == pytest.approx(fit.high[name], abs=0.01 * half)
    tight = {**bounds, "b": (fit.values["b"] - half / 4, 10.0)}
    fit = fit_model(None, model, ["a", "b"], trains=ds, bounds=tight, profile=True)
    assert fit.profile_open["b"] == (True, False)
    assert fit.profile_low["b"] == pytest.approx(tight["b"][0])


def test_loops_and_trains_together(python: str) -> None:
    truth = {"rate": 2e4, "g0": 4e-5}
    predict, defaults = load_model(python)
    time = np.linspace(0.0, 2e-5, 41)
    voltage = np.sin(2 * np.pi * time / 2e-5)
    current = predict(time, voltage, {**defaults, **truth})
    columns = {"time": time, "voltage": voltage, "current": current, "loop": np.ones(41)}
    loop = xr.Dataset({name: ("sample", values) for name, values in columns.items()})
    train = simulated(python, truth, 10, 1.5, 1e-6)
    fit = fit_model(loop, python, list(truth), trains=train, start={"rate": 1e4})
    assert fit.samples == 41 + 11 and fit.error < 1e-6
    for name, value in truth.items():
        assert fit.values[name] == pytest.approx(value, rel=1e-4)


def test_a_train_goes_on_from_the_last_read_of_another(python: str) -> None:
    whole = simulated(python, {"rate": 2e4}, 20, 1.5, 1e-6)
    g = whole["conductance"].values[0]
    parts = trains(g.reshape(2, 10), np.nan, 1.5, 1e-6)
    parts["initial_conductance"] = ("train", [float(whole["initial_conductance"][0]), g[9]])
    (run,) = train_runs(parts, None, None, "0.1 V")
    assert run.measured.size == 21
    assert fit_model(None, python, ["rate"], trains=parts).values["rate"] == pytest.approx(2e4)
    # reads that another file holds begin at the model's own start; the last one is predicted
    parts["initial_conductance"] = ("train", [float(whole["initial_conductance"][0]), np.nan])
    assert len(train_runs(parts, None, None, "0.1 V")) == 2
    fit = fit_model(None, python, ["rate"], trains=parts)
    assert fit.samples == 11 and fit.error < 1e-6 and fit.held_out_error > 0.05


@needs_compiler
def test_a_shipped_module_comes_back_from_a_train() -> None:
    truth = {"k_on": 3e5, "r_on": 2e3}
    ds = noisy(simulated("vteam", truth, 25, 0.8, 1e-7), 0.003, 3)
    fit = fit_model(None, "vteam", list(truth), trains=ds, start={"k_on": 1e5})
    for name, value in truth.items():
        assert fit.low[name] <= value <= fit.high[name]
        assert fit.high[name] / fit.low[name] < 1.5
    assert fit.error < 0.01 and not any(fit.at_bound.values())


@needs_compiler
def test_a_train_of_the_shipped_table() -> None:
    table = compact.load_table("tin-taox-hfox-tin")
    one = table.dataset.isel(cycle=0, device=0)
    at = dict.fromkeys(("amplitude", "width", "initial_resistance"), 0)
    picked = one.isel(at)
    alpha, beta = float(picked["alpha"]), float(picked["beta"])
    low, high = float(picked["conductance_min"]), float(picked["conductance_max"])
    volts, width = float(picked["amplitude"]), float(picked["width"])
    y = compact.kinetics.exact_step(alpha, beta, np.ones(30), 1.0, sign=-1)
    g = low + (high - low) * np.append(1.0, y)
    drift = np.sinh(abs(volts) / 0.2)
    window = {"gmin": low, "gmax": high, "y0": 0.9999, "v0": 0.2}
    start = {"beta": 2 * beta / (width * drift), "alpha": 2 * alpha / (width * drift), **window}
    fit = fit_model(
        None, "alpha_beta", ["alpha", "beta"], trains=trains(g[1:], g[0], volts, width), start=start
    )
    # the ramps of the pulses are not those of the law that made the train
    assert fit.error < 0.01
    assert fit.values["beta"] * width * drift == pytest.approx(beta, rel=0.02)
    assert fit.values["alpha"] * width * drift == pytest.approx(alpha, rel=0.02)


def test_what_cannot_be_done(python: str) -> None:
    ds = trains(np.linspace(1e-5, 1e-4, 9), 1e-5, 1.5, 1e-6)
    bare = ds.drop_vars(["amplitude", "width"])
    relative = ds.copy()
    relative["conductance"] = relative["conductance"].assign_attrs(units="1")
    holes = ds.copy(deep=True)
    holes["amplitude"][0, 3:] = [1.5, np.nan, 1.6, 1.7, 1.8, 1.9]
    both = xr.concat([bare, bare.assign(direction=("train", ["down"]))], "train")
    cases: list[tuple[xr.Dataset | None, dict[str, str], str]] = [
        (None, {}, "neither loops nor trains"),
        (bare, {"width": "1 us"}, "does not say the amplitude"),
        (bare, {"amplitude": "1 V"}, "does not say the width"),
        (ds, {"amplitude": "1 V"}, "say the amplitude themselves"),
        (both, {"amplitude": "1 V", "width": "1 us"}, "one amplitude for trains that go up and"),
        (relative, {}, "have no unit"),
        (ds, {"read_voltage": "0 V"}, "read voltage of zero"),
        (holes, {}, "pulse 5 has no amplitude"),
    ]
    for data, options, words in cases:
        with pytest.raises(InputError, match=words):
            fit_model(None, python, ["rate"], trains=data, **options)  # type: ignore[arg-type]
