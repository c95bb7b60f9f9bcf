"""Models of a cell fitted to loops: what made them comes back; the modules follow their laws."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy import constants
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

from compact.fitting.models import LIBRARY, fit_model, load_model
from ddkbase.errors import InputError, SolverError, StorageError

needs_compiler = pytest.mark.skipif(
    find_spec("openvaf_py") is None, reason="the extra verilog-a is not installed"
)

PYTHON = """
import numpy as np

def current(time, voltage, r=2.0e3, bend=0.5):
    return voltage / r * (1 + bend * voltage**2)
"""


def loops(model: str | Path, count: int = 3, noise: float = 0.0, **parameters: float) -> xr.Dataset:
    """Loops of growing amplitude that a model makes."""
    predict, defaults = load_model(model)
    generator = np.random.default_rng(5)
    time = np.linspace(0.0, 1.0, 41)
    rows = []
    for k in range(count):
        voltage = (0.7 + 0.1 * k) * np.sin(2 * np.pi * time)
        current = predict(time, voltage, {**defaults, **parameters})
        current = current + noise * np.abs(current).max() * generator.normal(size=time.size)
        rows.append(np.column_stack([time, voltage, current, np.full(time.size, k + 1)]))
    columns = zip(("time", "voltage", "current", "loop"), np.concatenate(rows).T, strict=True)
    return xr.Dataset({name: ("sample", values) for name, values in columns})


@pytest.fixture
def python(tmp_path: Path) -> str:
    path = tmp_path / "own.py"
    path.write_text(PYTHON, encoding="utf-8")
    return f"{path}:current"


# -- Python functions


def test_a_function_comes_back_with_its_error(python: str) -> None:
    covered = {"r": 0, "bend": 0}
    truth = {"r": 900.0, "bend": 1.2}
    clean = loops(python, **truth)
    size = np.abs(clean["current"].values).max() * 0.02
    for seed in range(20):
        noise = size * np.random.default_rng(seed).normal(size=clean.sizes["sample"])
        fit = fit_model(clean.assign(current=clean["current"] + noise), python, ["r", "bend"])
        for name, value in truth.items():
            covered[name] += fit.low[name] <= value <= fit.high[name]
        assert 1.5 < fit.durbin_watson < 2.5 and not any(fit.at_bound.values())
        rms = np.sqrt((clean["current"] ** 2).mean())
        assert fit.held_out_error == pytest.approx(float(size / rms), rel=0.5)
    # of 20 intervals of 95 %: fewer than 16 have a chance of 0.3 %
    assert min(covered.values()) >= 16
    assert fit.high["r"] / fit.low["r"] < 1.5  # an interval that holds everything would pass, too


def test_one_free_parameter_and_bounds(python: str) -> None:
    ds = loops(python, r=900.0)
    fit = fit_model(ds, python, ["r"])
    assert fit.values == {"r": pytest.approx(900.0, rel=1e-6), "bend": 0.5}
    assert fit.error < 1e-6 and fit.samples == 2 * 41
    fit = fit_model(ds, python, ["r"], bounds={"r": (1000.0, 5000.0)})
    assert fit.at_bound["r"] and np.isnan(fit.low["r"]) and fit.error > 0.05
    fit = fit_model(ds.sel(sample=ds["loop"] == 1), python, ["r"])
    assert np.isnan(fit.held_out_error)


def test_the_current_of_the_model_is_limited_as_the_measured_one(python: str) -> None:
    ds = loops(python, r=900.0)
    limited = ds.assign(current=ds["current"].clip(-np.inf, 5e-4))
    assert fit_model(limited, python, ["r"]).error > 0.05
    limited.attrs["compliance_positive"] = 5e-4
    fit = fit_model(limited, python, ["r"])
    assert fit.values["r"] == pytest.approx(900.0, rel=1e-5)


# -- Verilog-A


@needs_compiler
@pytest.mark.parametrize(
    ("law", "truth"),
    [
        ("alpha_beta", {"beta": 0.5, "v0": 0.25}),
        ("linear_ion_drift", {"rate": 3e5, "r_on": 2e3}),
        ("vteam", {"k_off": 10.0, "r_on": 2e3}),
        ("yakopcic", {"ap": 20.0, "a1": 5e-4}),
        ("stanford", {"i0": 2e-3, "g0": 0.3}),
        # its loops switch within a sample, which takes many short steps
        pytest.param("jart_vcm", {"r_oxide": 900.0, "n_plug": 10.0}, marks=pytest.mark.slow),
    ],
)
def test_a_shipped_module_comes_back(law: str, truth: dict[str, float]) -> None:
    fit = fit_model(loops(law, count=2, **truth), law, list(truth))
    for name, value in truth.items():
        assert fit.values[name] == pytest.approx(value, rel=1e-3)
    assert fit.error < 1e-3 and fit.held_out_error < 1e-3 and fit.failures == 0


@needs_compiler
def test_a_file_of_ones_own_is_the_same_model(tmp_path: Path) -> None:
    path = tmp_path / "mine.va"
    path.write_text((LIBRARY / "alpha_beta.va").read_text("utf-8"), encoding="utf-8")
    assert load_model(path)[1] == load_model("alpha_beta")[1]


def vteam(t: float, w: float, v: float) -> float:
    p = {"k": 1e2, "v": 0.3, "a": 3.0}
    bend = 2 * min(max(w, 0), 1) - 1
    window = 1e-3 + 1 - (bend**2) ** 2
    if v < -p["v"]:
        return float(p["k"] * (-v / p["v"] - 1) ** p["a"] * window)
    return float(-p["k"] * (v / p["v"] - 1) ** p["a"] * window) if v > p["v"] else 0.0


def drift(t: float, x: float, v: float) -> float:
    current = v / (1e3 * x + 1e5 * (1 - x))
    return float(1e5 * current * (1e-3 + 1 - (2 * x - 1) ** 4))


def alpha_beta(t: float, y: float, v: float) -> float:
    s = np.sinh(v / 0.2)
    return float(1.0 * s + 0.1 * s * np.tanh(s) / y)


def yakopcic(t: float, x: float, v: float) -> float:
    up = 10.0 * (np.exp(v) - np.exp(0.3)) if v > 0.3 else 0.0
    down = -10.0 * (np.exp(-v) - np.exp(0.3)) if v < -0.3 else 0.0
    if up > 0:
        return float(up * (np.exp(-(x - 0.3)) * ((0.3 - x) / 0.7 + 1) if x > 0.3 else 1.0))
    return float(down * (np.exp(5 * (x - 0.5)) * x / 0.5 if x < 0.5 else 1.0))


def stanford(t: float, g: float, v: float) -> float:
    kt = 8.617333262e-5 * (298.0 + 2.1e3 * v * 1e-3 * np.exp(-g / 0.25) * np.sinh(v / 0.25))
    field = (16.0 - 0.8 * g**3) * 0.25 / 12.0 * v
    return float(-1e10 * np.exp(-0.6 / kt) * np.sinh(field / kt))


def jart(n: float, v: float) -> tuple[float, float]:
    """Current [A] and dn/dt of JART v1b, n being the concentration over 0.008e26 per m^3."""
    e, k, h = constants.e, constants.k, constants.h
    many, area = 0.008e26 * n, np.pi * 45e-9**2
    disc, plug = 0.4e-9 / (2 * e * many * 4e-6 * area), 2.6e-9 / (2 * e * 20e26 * 4e-6 * area)

    def below(i: float) -> float:  # the voltage at the barrier
        line = 719.2437 * (1 + 719.2437 * 3.92e-3 * i**2 * 90471.47)
        return v - i * (disc + plug + 650 + line)

    def thermal(i: float) -> float:
        power = i * (below(i) + i * (disc + plug))
        return k * (293 + power * 15.72e6 * (0.27 if v > 0 else 1))

    def barrier(i: float) -> float:
        vs, kt = below(i), thermal(i)
        lowered = (
            e**3 * 2 * many * max(0.08 - vs, 0) / (8 * np.pi**2 * (5.5 * constants.epsilon_0) ** 3)
        )
        phi = e * max(0.18 - lowered**0.25, 0)
        if vs >= 0:
            return float(area * 6.01e5 * (kt / k) ** 2 * np.exp(-phi / kt) * np.expm1(e * vs / kt))
        a = e * h / (4 * np.pi) * np.sqrt(2 * many / (constants.m_e * 17 * constants.epsilon_0))
        b = a / kt
        front = area * 6.01e5 * kt / k**2 * np.sqrt(np.pi * a * (-e * vs + phi / np.cosh(b) ** 2))
        emitted = np.exp(-phi * np.tanh(b) / a) * np.expm1(-e * vs * (b - np.tanh(b)) / a)
        return float(-front * emitted)

    ends = sorted((0.0, v / (disc + plug + 650 + 719.2437)))  # all of it at the barrier, or none
    i = brentq(lambda i: barrier(i) - i, *ends, xtol=1e-18, rtol=1e-12)
    across = below(i) + i * (disc + plug)
    field = across / 3e-9 if v > 0 else i * disc / 0.4e-9
    g = 2 * field * 0.25e-9 / (np.pi * 1.35)
    base, kt = np.sqrt(1 - g * g) + g * np.arcsin(g), thermal(i) / e
    ways = (np.exp(-1.35 / kt * (base + sign * g * np.pi / 2)) for sign in (-1, 1))
    limit = 1 - n**-10.0 if v > 0 else 1 - (many / 20e26) ** 10
    flow = (20e26 + many) / 2 * 0.25e-9 * 2e13 * (next(ways) - next(ways)) * limit
    return i, float(-flow / 0.4e-9 / 0.008e26)


@needs_compiler
@pytest.mark.parametrize(
    ("law", "slope", "first", "conductance"),
    [
        ("vteam", vteam, 0.99, lambda w, v: 1 / (1e3 + 9.9e4 * w)),
        ("linear_ion_drift", drift, 0.1, lambda x, v: 1 / (1e3 * x + 1e5 * (1 - x))),
        ("alpha_beta", alpha_beta, 0.1, lambda y, v: 1e-5 + 9.9e-4 * y),
        ("yakopcic", yakopcic, 0.11, lambda x, v: 1e-3 * x * np.sinh(v) / v),
        ("stanford", stanford, 1.0, lambda g, v: 1e-3 * np.exp(-g / 0.25) * np.sinh(v / 0.25) / v),
        (
            "jart_vcm",
            lambda t, n, v: jart(n, v)[1] if v else 0.0,
            1.0,
            lambda n, v: np.array([jart(*pair)[0] for pair in zip(n, v, strict=True)]) / v,
        ),
    ],
)
def test_the_modules_follow_their_equations(law, slope, first, conductance) -> None:  # type: ignore[no-untyped-def]
    """Against scipy's integrator, on weak triangles that stay between the walls."""
    top = {"vteam": 0.5, "linear_ion_drift": 0.8, "alpha_beta": 0.2, "yakopcic": 0.5,
           "stanford": 0.2, "jart_vcm": 0.6}[law]  # fmt: skip
    time = np.linspace(0.0, 0.4, 201)
    volts = top * np.where(time < 0.1, time / 0.1, np.where(time < 0.3, 2 - time / 0.1, 0))
    volts = np.where(time >= 0.3, top * (time / 0.1 - 4), volts)

    def rhs(t: float, x: np.ndarray) -> list[float]:
        return [slope(t, x[0], float(np.interp(t, time, volts)))]

    done = solve_ivp(rhs, (0, 0.4), [first], "LSODA", time, rtol=1e-9, atol=1e-11, max_step=1e-3)
    state = done.y[0]
    assert np.ptp(state) > 0.01 and state.min() > 0 and state.max() < 1.5
    predict, defaults = load_model(law)
    current = predict(time, volts, defaults)
    on = np.abs(volts) > 0.01
    expected = conductance(state[on], volts[on]) * volts[on]
    np.testing.assert_allclose(current[on], expected, rtol=2e-4)


# -- what is refused


def test_what_is_refused(tmp_path: Path, python: str) -> None:
    ds = loops(python)
    for text, expected in (
        ("vteem", "neither a .va file"),
        (python.replace(":current", ":other"), "holds no function"),
    ):
        with pytest.raises(InputError, match=expected):
            load_model(text)
    with pytest.raises(StorageError, match="no such file"):
        load_model(tmp_path / "absent.py:f")
    for source, expected in (
        ("def f(t, v, r): return v", "need numbers as defaults"),
        ("1/0", "does not run: ZeroDivisionError"),
    ):
        (tmp_path / "bad.py").write_text(source)
        with pytest.raises(InputError, match=expected):
            load_model(f"{tmp_path / 'bad.py'}:f")
    cases = [
        ({"free": ["q"]}, "no parameter 'q'"),
        ({"free": []}, "names no parameter"),
        ({"free": ["r"], "start": {"r": -1.0}}, "Give its bounds"),
        ({"free": ["r"], "bounds": {"r": (1.0, 2.0)}}, "not within 1 to 2"),
        ({"free": ["r"], "starts": 0}, "too small"),
    ]
    for arguments, expected in cases:
        with pytest.raises(InputError, match=expected):
            fit_model(ds, python, **arguments)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"no time.*sweep rate"):
        fit_model(ds.drop_vars("time"), python, ["r"])
    with pytest.raises(InputError, match="times that do not increase"):
        fit_model(ds.assign(time=0 * ds["time"]), python, ["r"])
    (tmp_path / "nan.py").write_text("def f(t, v, r=1.0): return v * float('nan')")
    with pytest.raises(SolverError, match="cannot be integrated at its start"):
        fit_model(ds, f"{tmp_path / 'nan.py'}:f", ["r"])
