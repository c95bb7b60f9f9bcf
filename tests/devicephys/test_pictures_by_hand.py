"""Numbers that pictures of devices show, against those of their records in the unit that they name.

A factor of a thousand, or a curve of another column, looks as good as the right one.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

import devicephys
from devicephys import Bake, EnduranceTest, Settings, SwitchingScan
from devicephys.plots import endurance_figure, retention_figure
from devicephys.plots.iv import iv_figure, measured_figure, time_figure
from devicephys.plots.pulses import pulses_figure, switching_figure
from devicephys.plots.style import RESET_COLOUR, SET_COLOUR
from devicephys.plots.sweep import _curve, _scaled
from devicephys.reliability.endurance import endurance_dataset
from devicephys.reliability.retention_record import COMPUTED, bake_dataset
from tests.fake_switching import record, scanned
from tests.synthetic import iv_trace, pulse_trace

CELL = devicephys.load_device("tin-taox-hfox-tin")
SMALL: dict[str, Any] = {"fine": 4, "frames": 5, "steps": 80}


def numbers(line: Line2D) -> tuple[np.ndarray, np.ndarray]:
    return np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)


def called(ax: Axes, start: str) -> Line2D:
    (line,) = [line for line in ax.lines if str(line.get_label()).startswith(start)]
    return line


def bakes(conductance: list[list[float]]) -> xr.Dataset:
    """Bakes at 85 and 125 degC, read at 0, 1, 10, 100 s; the window is 10 to 160 uS."""
    bake = Bake("85 degC, 125 degC", "100 s", reads_per_decade=1, first_read="1 s")
    np.testing.assert_allclose(bake.read_times, [0, 1, 10, 100])
    table = {
        "conductance": np.array(conductance),
        "filament_gap": np.zeros((2, 4)),
        "steps": np.ones(2, dtype=int),
        "status": np.full(2, COMPUTED, dtype=object),
    }
    return bake_dataset(
        CELL, bake, Settings(), table, (1e-5, 1.6e-4), [], ranks=1, seconds={}, complete=True
    )


def test_bakes_are_drawn_in_kilohms_and_their_law_in_electronvolts() -> None:
    # of the warm cell a power law: 40 uS, the geometric mean, after 100 s, of the hot after 10 s
    warm, hot = [1e-5, 1e-5, 2e-5, 4e-5], [1e-5, 2e-5, 4e-5, 1.6e-4]
    left, right = retention_figure(bakes([warm, hot])).axes
    assert left.get_ylabel() == "Resistance (kΩ)" and right.get_xlabel() == "1/kT (1/eV)"
    for label, row in (("85 °C", warm), ("125 °C", hot)):
        time, kilohm = numbers(called(left, label))
        assert time.tolist() == pytest.approx([1, 10, 100])
        np.testing.assert_allclose(kilohm, 1e-3 / np.array(row[1:]))
    (mean,) = [line for line in left.lines if len(numbers(line)[1]) == 2]
    np.testing.assert_allclose(numbers(mean)[1], 25.0)
    inverse = 1 / (8.617333262e-5 * np.array([358.15, 398.15]))
    x, y = numbers(called(right, "geometric mean"))
    np.testing.assert_allclose(x, inverse)
    np.testing.assert_allclose(y, [100.0, 10.0])
    # the middle, 85 uS, is passed by the hot one alone, on its last straight piece
    middle = 10.0 ** (1 + math.log(85 / 40) / math.log(4))
    np.testing.assert_allclose(numbers(called(right, "middle"))[1], [np.nan, middle])
    energy = math.log(10.0) / (inverse[0] - inverse[1])
    x, y = numbers(called(right, f"{energy:.2f} eV"))
    np.testing.assert_allclose(x, inverse[::-1])
    np.testing.assert_allclose(y, [10.0, 100.0])
    x, y = numbers(called(right, "extrapolated"))
    np.testing.assert_allclose(np.log(y / 100.0), energy * (x - inverse[0]), atol=1e-9)
    assert x[1] > x[0] == pytest.approx(inverse[0])
    assert 10 * 365.25 * 86400 in [numbers(line)[1][0] for line in right.lines]


def test_a_window_lost_from_the_low_state_has_its_time() -> None:
    down = [1.6e-4, 8e-5, 4e-5, 2e-5]  # a factor 2 a decade: the mean after 10 s, the middle before
    ds = bakes([down, down])
    np.testing.assert_allclose(ds["time_geometric"], 10.0)
    np.testing.assert_allclose(ds["time_half"], 1.0)  # passed before the first read after the start


def test_cycles_are_drawn_state_by_state_with_the_size_of_their_pulses() -> None:
    rows = [[[2e4, 5, -1.7, 600.0], [8e3, 3, 1.2, 500.0]], [[3e4, 7, -1.9, 610.0], [np.nan] * 4]]
    end = {"r": np.ones(1), "z": np.ones(1), "r_node": np.arange(2.0), "z_node": np.arange(2.0)}
    end["end_concentration"] = np.zeros((1, 1))
    ds = endurance_dataset(
        CELL, EnduranceTest(), Settings(), np.array(rows), 5e3, "ended", end,
        ranks=1, seconds={}, complete=True,
    )  # fmt: skip
    axes = endurance_figure(ds).axes
    assert [ax.get_ylabel() for ax in axes] == ["Resistance (kΩ)", "Pulses", "Largest height (V)"]
    expected = {
        "high, by RESET": ([1, 2], [20, 30], [5, 7], [1.7, 1.9]),
        "low, by SET": ([1], [8], [3], [1.2]),  # what was not reached is not there
    }
    for label, (cycles, *columns) in expected.items():
        for ax, column in zip(axes, columns, strict=True):
            x, y = numbers(called(ax, label))
            assert x.tolist() == cycles
            np.testing.assert_allclose(y, column)
    assert called(axes[0], "high").get_color() == RESET_COLOUR
    assert called(axes[0], "low").get_color() == SET_COLOUR


def test_slopes_of_switching_are_millivolts_a_decade() -> None:
    # the bench gains seven decades a volt
    scan = SwitchingScan("0.9 V:1.5 V:7", limit="1 s")
    ds = record(scan, scanned(scan).points)
    times, slopes, arrhenius = switching_figure(ds).axes
    x, y = numbers(called(slopes, "RESET"))
    np.testing.assert_allclose(x, [0.95, 1.05, 1.15, 1.25, 1.35, 1.45])
    np.testing.assert_allclose(y[:-1], 1e3 / 7, rtol=0.02)
    x, y = numbers(called(times, "SET"))
    np.testing.assert_allclose(x, np.linspace(0.9, 1.5, 7))
    np.testing.assert_allclose(y, ds["switching_time"].sel(polarity="set"))
    x, y = numbers(called(arrhenius, "SET"))
    np.testing.assert_allclose(x, 1000 / ds["temperature_half"].sel(polarity="set"))
    assert x[0] == pytest.approx(1000 / (300.0 + 100.0 * 0.9), rel=1e-3)  # the bench's temperature


def test_panels_of_a_train_have_the_units_that_they_name() -> None:
    ds = pulse_trace([-2.0, -2.0, 1.8], wanted_resistance=5e3)
    ds["width"].values[:] = [1e-7, 2e-7, 4e-7]
    top, *lower = pulses_figure(ds).axes
    expected = {
        "Peak temperature\n(°C)": ds["temperature_max"].values - 273.15,
        "Current at end of\npulse (µA)": 1e6 * ds["current"].values,
        "Amplitude (V)": ds["amplitude"].values,
        "Width (ns)": [100, 200, 400],
    }
    assert [ax.get_ylabel() for ax in lower] == list(expected)
    for ax, values in zip(lower, expected.values(), strict=True):
        x, y = numbers(ax.lines[0])
        assert x.tolist() == [1, 2, 3]
        np.testing.assert_allclose(y, values)
    (reset,) = [line for line in top.lines if line.get_marker() == "v"]
    (rise,) = [line for line in top.lines if line.get_marker() == "^"]
    assert [numbers(line)[0].tolist() for line in (reset, rise)] == [[1, 2], [3]]
    assert reset.get_markerfacecolor() == RESET_COLOUR
    assert rise.get_markerfacecolor() == SET_COLOUR
    (wanted,) = [line for line in top.lines if numbers(line)[0].tolist() == [0, 1]]  # across it
    np.testing.assert_allclose(numbers(wanted)[1], 200.0)  # uS of 5 kohm


@pytest.mark.parametrize(
    ("longest", "shown", "unit"),
    [(2.0, 2, "s"), (0.5, 500, "ms"), (2e-3, 2, "ms"), (3e-4, 300, "µs"), (4e-7, 400, "ns")],
)
def test_widths_of_pulses_are_drawn_in_their_unit(longest: float, shown: float, unit: str) -> None:
    ds = pulse_trace(count=2)
    ds["width"].values[:] = [longest / 2, longest]
    ax = pulses_figure(ds).axes[-1]
    assert ax.get_ylabel() == f"Width ({unit})"
    np.testing.assert_allclose(numbers(ax.lines[0])[1], [shown / 2, shown])


@pytest.mark.parametrize(
    ("end", "unit", "factor"), [(2.0, "s", 1), (2e-3, "ms", 1e3), (5e-8, "ns", 1e9)]
)
def test_a_waveform_is_drawn_over_its_time(end: float, unit: str, factor: float) -> None:
    ds = iv_trace(**SMALL)
    scale = end / float(ds["time"].values[-1])
    ds = ds.assign_coords(time=ds["time"] * scale)
    axes = time_figure(ds).axes
    assert {ax.get_xlabel() for ax in axes} == {f"Time ({unit})"}
    time = factor * ds["time"].values
    for label, name in (("applied", "voltage"), ("memristor", "device_voltage")):
        x, y = numbers(called(axes[0], label))
        np.testing.assert_allclose(x, time)
        np.testing.assert_array_equal(y, ds[name])
    np.testing.assert_allclose(numbers(axes[1].lines[0])[1], 1e6 * ds["current"])
    ohms = np.where(np.abs(ds["voltage"]) >= 0.01, ds["resistance"], np.nan)
    np.testing.assert_allclose(numbers(axes[2].lines[0])[1], 1e-3 * ohms)
    np.testing.assert_allclose(numbers(axes[3].lines[0])[1], ds["temperature_max"] - 273.15)


def test_panels_of_a_loop_have_the_units_that_they_name() -> None:
    ds = iv_trace(**SMALL)
    current = 1e6 * ds["current"].values
    magnitude, signed, ohms, heat = iv_figure(ds).axes
    shown = {
        magnitude: np.abs(current),
        signed: current,
        ohms: 1e-3 * ds["resistance"].values,
        heat: ds["temperature_max"].values - 273.15,
    }
    for ax, values in shown.items():
        first = max(ax.lines, key=lambda line: len(line.get_xdata()))
        x, y = numbers(first)
        begin = int(np.flatnonzero(ds["voltage"].values == x[0])[0])
        drawn = np.isfinite(y)
        assert drawn.sum() > 5
        np.testing.assert_allclose(y[drawn], values[begin : begin + len(x)][drawn])


def test_measured_loops_are_drawn_in_microamperes_with_their_sign() -> None:
    ds = iv_trace(**SMALL)
    v = 1.5 * np.concatenate([-np.linspace(0, 1, 40), -np.linspace(1, 0, 40)[1:]])
    v = np.concatenate([v, -v[1:]])
    i = 2e-4 * v
    measured = xr.Dataset(
        {"voltage": ("sample", v), "current": ("sample", i)},
        {"loop": ("sample", np.ones(len(v), int))},
        {"loops": 1, "path": "lab.csv"},
    )
    linear, logarithmic = measured_figure(measured, {"runs/mine": ds}).axes
    for ax, signed in ((linear, True), (logarithmic, False)):
        band = [line for line in ax.lines if not str(line.get_label()).startswith("simulated")]
        assert len(band) == 4
        for line in band:
            x, y = numbers(line)
            np.testing.assert_allclose(y, 200 * (x if signed else np.abs(x)), rtol=1e-6)
        x, y = numbers(called(ax, "simulated, mine"))
        at = [int(np.abs(ds["voltage"].values[: len(x)] - value).argmin()) for value in x[:3]]
        assert at[0] == 0
        drawn = np.isfinite(y)
        full = 1e6 * ds["current"].values[: len(x)]
        np.testing.assert_allclose(y[drawn], (full if signed else np.abs(full))[drawn])


def test_curves_of_a_sweep_are_of_the_first_loop_and_of_the_hottest_bake() -> None:
    loops = iv_trace(loops=2, **SMALL)
    first = loops["loop"].values == 0
    x, y = _curve(loops, "loop")
    np.testing.assert_array_equal(x, loops["voltage"].values[first])
    seen = np.isfinite(y)
    np.testing.assert_allclose(y[seen], 1e6 * np.abs(loops["current"].values[first][seen]))
    assert seen.sum() > 0.8 * len(y)
    x, y = _curve(pulse_trace(count=4), "pulses")
    assert x.tolist() == [1, 2, 3, 4] and y.max() < 1e6 * 200e-6
    x, y = _curve(bakes([[1e-5, 1e-5, 2e-5, 4e-5], [1e-5, 2e-5, 4e-5, 1.6e-4]]), "bake")
    assert x.tolist() == pytest.approx([1, 10, 100])
    np.testing.assert_allclose(y, [50.0, 25.0, 6.25])


@pytest.mark.parametrize(
    ("unit", "values", "shown", "name"),
    [
        ("ohm", [4.2e3, 9.1e4], [4.2, 91], "kΩ"),
        ("m", [8e-9, 1.2e-8], [8, 12], "nm"),
        ("s", [1e-3, 2e-3], [1, 2], "ms"),
        ("K", [273.15, 373.15], [0, 100], "°C"),
        ("V/m", [1e9, 2.5e9], [1, 2.5], "V/nm"),
        ("1", [3.0, np.nan], [3.0, np.nan], ""),
    ],
)
def test_an_axis_has_the_prefix_of_its_largest_value(
    unit: str, values: list[float], shown: list[float], name: str
) -> None:
    found, text = _scaled(xr.DataArray(values, dims="point", attrs={"units": unit}))
    np.testing.assert_allclose(found, shown)
    assert text == name


def test_what_a_record_of_bakes_says_is_what_its_picture_draws() -> None:
    warm, hot = [1e-5, 1e-5, 2e-5, 4e-5], [1e-5, 2e-5, 4e-5, 1.6e-4]
    figures = json.loads(bakes([warm, hot]).attrs["headline_json"])
    inverse = 1 / (8.617333262e-5 * np.array([358.15, 398.15]))
    energy = math.log(10.0) / (inverse[0] - inverse[1])
    assert figures["activation_energy_ev"] == pytest.approx(energy)
    assert figures["use_time"] == pytest.approx(100.0)  # simulated at 85 degC
    prefactor = 100.0 / math.exp(energy * inverse[0])
    cooler = energy / (8.617333262e-5 * math.log(315576000.0 / prefactor))
    assert figures["ten_years_temperature"] == pytest.approx(cooler)
