"""Simulators of arrays: their published formulas, evaluated on the files, against the fit."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm
from typer.testing import CliRunner

from compact.cli.commands import app
from compact.laws.pulse_steps import curvature_of, nonlinearity_label, saturation
from compact.simulators.aihwkit import aihwkit_text, to_aihwkit
from compact.simulators.crosssim import lookup_tables, to_crosssim
from compact.simulators.neurosim import curve_after, neurosim_text, to_neurosim
from compact.simulators.steps import PulseSteps, pulse_steps
from compact.table.table import AlphaBetaTable
from ddkbase.errors import InputError, StorageError
from tests.compact.table_data import campaign
from tests.compact.test_export import BOTH, HIGH, LOW, RESET, SET, Fit, table

WITHIN = 0.01  # of the mean step

CELLS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "pair": (RESET, SET, BOTH),
    "one": (Fit(0.001, 0.02), None, BOTH),
    "straight": (Fit(0.0, 0.01), None, BOTH),
    "table": (table(), None, {"width": "100 ns", "amplitude": "2.25 V"}),
}


def grid(steps: PulseSteps) -> np.ndarray:
    return np.random.default_rng(1).uniform(steps.low, steps.high, 2000)


def stated(text: str) -> dict[int, float]:
    """The largest differences that the heading states."""
    line = " ".join(re.sub(r"^(//|#)", "", one).strip() for one in text.splitlines())
    match = re.search(r"mean step: RESET (\S+) %, SET (\S+) %", line)
    assert match
    return {-1: float(match[1]) / 100, 1: float(match[2]) / 100}


def held(steps: PulseSteps, moved: np.ndarray, at: np.ndarray, sign: int) -> float:
    own = np.abs(steps.step(np.linspace(steps.low, steps.high, 4001), sign)).mean()
    return float(np.abs(moved - steps.after(at, sign)).max() / own)


# -- the steps


def test_the_trains_run_from_end_to_end() -> None:
    steps = pulse_steps(RESET, SET, **BOTH)
    fixed = 0.05 / 0.12
    assert steps.high == HIGH and steps.fall[0] == HIGH and steps.rise[-1] == HIGH
    y = (steps.fall - LOW) / (HIGH - LOW)
    assert y[-1] <= fixed + 0.01 * (1 - fixed) < y[-2]
    for train, sign in ((steps.fall, -1), (steps.rise, 1)):
        np.testing.assert_allclose(steps.after(train[:-1], sign), train[1:], rtol=1e-12)
    assert any("not all of the window" in note for note in steps.notes)
    assert np.isnan(steps.rise_spread)


def test_the_spread_is_that_of_the_cycles() -> None:
    steps = pulse_steps(table(), width="100 ns", amplitude="2 V")
    at = np.linspace(steps.low, steps.high, 101)
    singles = [
        pulse_steps(Fit(0.05, b), amplitude="2 V", width="100 ns").step(at, -1)
        for b in (0.09, 0.11)
    ]
    assert steps.fall_spread == pytest.approx(np.std(singles, axis=0, ddof=1).mean(), rel=1e-9)


REFUSED: dict[str, tuple[Any, dict[str, Any], str]] = {
    "several amplitudes": (table(), {"width": "100 ns"}, "Choose one: 2 V, 2.5 V, 3 V"),
    "beyond": (table(), {"width": "100 ns", "amplitude": "4 V"}, "not within 2 to 3 V"),
    "no RESET": (Fit(0.2, 0.1), BOTH, "do not lower the conductance"),
    "still": (Fit(0.0, 1e-7), BOTH, "needs more than"),
}


@pytest.mark.parametrize(("source", "options", "expected"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_refused(source: Any, options: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        pulse_steps(source, **options)


# -- NeuroSim


@pytest.mark.parametrize(
    ("label", "parameter"),
    [(0.01, 126.268958), (0.02, 63.134314), (0.5, 2.519877), (1.0, 1.251653), (9.0, 0.02281)],
)
def test_labels_are_those_that_neurosim_tabulates(label: float, parameter: float) -> None:
    assert 1 / curvature_of(label) == pytest.approx(parameter, rel=2e-5)
    assert nonlinearity_label(-1 / parameter) == pytest.approx(-label, rel=2e-5)


def test_the_label_is_a_distance_from_the_line() -> None:
    share = np.linspace(0, 1, 100_001)
    for parameter in (-0.1, 0.3, 5.0, 1e6):
        height = np.abs(saturation(share, 1 / parameter) - share).max()
        expected = np.copysign(height / np.sqrt(2) / 0.07, parameter)
        assert nonlinearity_label(1 / parameter) == pytest.approx(expected, rel=1e-6)
    assert saturation(np.array(0.5), 0.0) == 0.5
    assert nonlinearity_label(0.0) == curvature_of(0.0) == 0.0
    for bad in (9.01, np.nan):
        with pytest.raises(InputError):
            curvature_of(bad)


@pytest.mark.parametrize("name", CELLS)
def test_neurosim(tmp_path: Path, name: str) -> None:
    source, opposite, options = CELLS[name]
    text = to_neurosim(source, tmp_path / "cell.txt", opposite, **options).read_text("utf-8")
    values = dict(re.findall(r"^(\w+) = ([^;]+);", text, re.M))
    low, high = float(values["minConductance"]), float(values["maxConductance"])
    steps = pulse_steps(source, opposite, **options)
    assert (low, high) == (steps.low, steps.high)
    at = grid(steps)
    differences = {}
    for sign, kind in ((1, "LTP"), (-1, "LTD")):
        count = int(values[f"maxNumLevel{kind}"])
        a = count / curvature_of(float(values[f"NL_{kind}"]))
        b = (high - low) / (1 - np.exp(-count / a))
        pulse = -a * np.log(1 - (at - low) / b)
        moved = np.clip(b * (1 - np.exp(-(pulse + sign) / a)) + low, low, high)
        differences[sign] = held(steps, moved, at, sign)
        assert differences[sign] <= 1.01 * stated(text)[sign]  # which is rounded
    if name == "straight":
        assert max(differences.values()) < WITHIN
        assert (values["maxNumLevelLTD"], abs(float(values["NL_LTD"]))) == ("99", 0.01)
    else:
        assert max(differences.values()) > WITHIN  # which no label helps, and the heading says
    share = float(values["sigmaCtoC"].split("*")[0])
    mean = np.mean([steps.rise_spread, steps.fall_spread]) / (high - low)
    assert share == (pytest.approx(mean, rel=1e-5) if name == "table" else 0.0)


# -- CrossSim


@pytest.mark.parametrize("name", CELLS)
def test_crosssim(tmp_path: Path, name: str) -> None:
    source, opposite, options = CELLS[name]
    folder = to_crosssim(source, tmp_path / "lut", opposite, **options)
    assert sorted(p.name for p in folder.iterdir()) == [
        "README.txt", "dG_decreasing.txt", "dG_increasing.txt",
    ]  # fmt: skip
    steps, text = pulse_steps(source, opposite, **options), (folder / "README.txt").read_text()
    for sign, file in ((1, "dG_increasing.txt"), (-1, "dG_decreasing.txt")):
        path = folder / file
        g = np.genfromtxt(path, delimiter=",", skip_header=1, max_rows=1)
        cdf = np.genfromtxt(path, delimiter=",", skip_header=2, max_rows=1)
        matrix = np.genfromtxt(path, delimiter=",", skip_header=3)
        assert matrix.shape == (cdf.size, g.size) and (cdf[0], cdf[-1]) == (0, 1)
        assert np.ptp(np.diff(g)) < 1e-4 * np.diff(g).max()  # what makes it index, not search
        at, draws = grid(steps), np.random.default_rng(2).uniform(size=(400, 2000))
        row, column = (cdf[1] - cdf[0]), g[1] - g[0]
        entry = ((at - (g[0] - column / 2)) / column).astype(int)
        moved = matrix[((draws + row / 2) / row).astype(int), entry]
        mean = (matrix[1:-1].sum(0) + 0.5 * (matrix[0] + matrix[-1])) / (cdf.size - 1)
        difference = held(steps, np.clip(at + mean[entry], steps.low, steps.high), at, sign)
        assert difference < WITHIN and difference <= 1.01 * stated(text)[sign] + 1e-12
        spread = steps.rise_spread if sign > 0 else steps.fall_spread
        if name == "table":
            assert moved.std(axis=0).mean() == pytest.approx(spread, rel=0.02)
        else:
            assert np.isnan(spread) and np.ptp(matrix, axis=0).max() == 0
    with pytest.raises(StorageError):
        to_crosssim(source, folder, opposite, **options)
    to_crosssim(source, folder, opposite, overwrite=True, **options)
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(StorageError, match="something else"):
        to_crosssim(source, folder, opposite, overwrite=True, **options)
    assert (folder / "mine.txt").read_text() == "mine"


# -- aihwkit


@pytest.mark.parametrize("name", CELLS)
def test_aihwkit(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source, opposite, options = CELLS[name]
    text = to_aihwkit(source, tmp_path / "preset.py", opposite, **options).read_text("utf-8")
    configs, devices = ModuleType("configs"), ModuleType("devices")
    configs.SingleRPUConfig = SimpleNamespace  # type: ignore[attr-defined]
    devices.PiecewiseStepDevice = SimpleNamespace  # type: ignore[attr-defined]
    for path, module in (
        ("aihwkit", ModuleType("aihwkit")), ("aihwkit.simulator", ModuleType("simulator")),
        ("aihwkit.simulator.configs", configs), ("aihwkit.simulator.configs.devices", devices),
    ):  # fmt: skip
        monkeypatch.setitem(sys.modules, path, module)
    names: dict[str, Any] = {}
    exec(compile(text, "preset.py", "exec"), names)
    device = names["rpu_config"]().device
    steps = pulse_steps(source, opposite, **options)
    at = grid(steps)
    weight = (at - steps.low) / (steps.high - steps.low) * 2 - 1
    for sign, factors in ((1, device.piecewise_up), (-1, device.piecewise_down)):
        sections = len(factors) - 1
        scaled = (weight - device.w_min) / (device.w_max - device.w_min) * sections
        index = np.minimum(np.floor(scaled).astype(int), sections - 1)
        t, node = scaled - index, np.array(factors)
        factor = (1 - t) * node[index] + t * node[index + 1]
        new = np.clip(weight + sign * device.dw_min * factor, device.w_min, device.w_max)
        moved = (new + 1) / 2 * (steps.high - steps.low) + steps.low
        difference = held(steps, moved, at, sign)
        # rounding of the texts, where the form is exact
        assert difference < WITHIN and difference <= 1.01 * stated(text)[sign] + 1e-7
    assert len(device.piecewise_up) == len(device.piecewise_down)
    assert (device.dw_min_std > 0) == (name == "table")
    assert "Does not carry over" in text


# -- the command


def test_the_command(tmp_path: Path) -> None:
    path = tmp_path / "table.nc"
    AlphaBetaTable.fit(campaign(cycles=3), integrator="exact").write(path)

    def call(*arguments: object) -> Any:
        start = ["export", str(path), "--amplitude", "-2.2 V"]
        return CliRunner().invoke(app, [*start, *map(str, arguments)])

    for form, out in (("neurosim", "n.txt"), ("aihwkit", "a.py"), ("crosssim", "lut")):
        result = call("--format", form, "--out", tmp_path / out)
        assert result.exit_code == 0, result.output
        assert (tmp_path / out).exists()
        result = call("--format", form, "--out", tmp_path / out)
        assert result.exit_code == 4 and "already" in result.stderr
        result = call("--format", form, "--out", tmp_path / "x", "--name", "cell")
        assert result.exit_code == 2 and "(--name)" in result.stderr
        assert not (tmp_path / "x").exists()
    for form in ("spice", "csv"):
        result = call("--format", form, "--out", tmp_path / "x")
        assert result.exit_code == 2 and "(--amplitude)" in result.stderr


@pytest.mark.parametrize("name", ["pair", "one"])
def test_neurosim_s_curves_run_along_the_trains(name: str) -> None:
    source, opposite, options = CELLS[name]
    steps = pulse_steps(source, opposite, **options)
    labels = {k: float(v) for k, v in re.findall(r"NL_(\w+) = ([^;]+);", neurosim_text(steps))}
    for sign, kind, train in ((1, "LTP", steps.rise), (-1, "LTD", steps.fall)):
        count, walked = train.size - 1, [float(train[0])]
        for _ in range(count):
            ends = steps.low, steps.high
            walked.append(float(curve_after(walked[-1], sign, labels[kind], count, ends)))
        assert walked[-1] == pytest.approx(train[-1], abs=0.01 * (steps.high - steps.low))
        line = np.linspace(train[0], train[-1], train.size)
        # nearer than the straight line, beyond which a label of the wrong sign is
        assert np.abs(walked - train).max() < np.abs(line - train).max()


def test_aihwkit_s_scatter_is_a_share_of_the_steps_that_scatter() -> None:
    plain = pulse_steps(RESET, SET, **BOTH)
    rise, fall = (plain.mean_step(sign) for sign in (1, -1))
    assert rise != pytest.approx(fall, rel=0.1)
    for shares in ((0.1, 0.3), (0.1, np.nan), (np.nan, 0.3)):
        steps = replace(plain, rise_spread=shares[0] * rise, fall_spread=shares[1] * fall)
        found = re.search(r"dw_min_std=([^,]+),", aihwkit_text(steps))
        assert found and float(found[1]) == pytest.approx(np.nanmean(shares))


def test_neurosim_gets_the_pulses_of_each_direction() -> None:
    steps = pulse_steps(RESET, SET, **BOTH)
    values = dict(re.findall(r"^(\w+) = ([^;]+);", neurosim_text(steps), re.M))
    assert float(values["writeVoltageLTP"]) == 1.5 and float(values["writeVoltageLTD"]) == 2.0
    for kind, train in (("LTP", steps.rise), ("LTD", steps.fall)):
        assert float(values[f"writePulseWidth{kind}"]) == 1e-7
        assert int(values[f"maxNumLevel{kind}"]) == train.size - 1
    # SET scatters by 2 uS a step, RESET by 4: their mean, as a share of the window
    noisy = replace(steps, rise_spread=2e-6, fall_spread=4e-6)
    share = re.search(r"sigmaCtoC = (\S+) ", neurosim_text(noisy))
    assert share and float(share[1]) == pytest.approx(3e-6 / (steps.high - steps.low), rel=1e-5)


def test_crosssim_s_rows_are_quantiles_of_the_spread_of_their_direction() -> None:
    plain = pulse_steps(RESET, SET, **BOTH)
    steps = replace(plain, rise_spread=2e-6, fall_spread=5e-6)
    tables, _ = lookup_tables(steps)
    for sign, spread in ((1, 2e-6), (-1, 5e-6)):
        rows = [np.array(line.split(","), float) for line in tables[sign].splitlines()[1:]]
        grid_, cdf, matrix = rows[0], rows[1], np.array(rows[2:])
        assert (np.diff(matrix, axis=0) > 0).all()  # a larger share, a larger step
        mean = steps.step(grid_, sign)
        inner = slice(1, -1)
        expected = mean + spread * norm.ppf(cdf[inner])[:, None]
        np.testing.assert_allclose(matrix[inner], expected, rtol=1e-9, atol=1e-15)
        # the outermost stand for half a step of the distribution each
        ends = norm.ppf([0.5 / (cdf.size - 1), 1 - 0.5 / (cdf.size - 1)])
        np.testing.assert_allclose(
            matrix[[0, -1]] - mean, np.tile(spread * ends[:, None], mean.size)
        )


def test_a_set_train_begins_where_reset_ends() -> None:
    steps = pulse_steps(RESET, SET, **BOTH)
    assert steps.rise[0] == steps.fall[-1] == steps.low > LOW
    assert (np.diff(steps.rise) > 0).all() and (np.diff(steps.fall) < 0).all()
    table_ = pulse_steps(
        table(), SET, width="100 ns", amplitude="2.25 V", opposite_amplitude="1.5 V"
    )
    assert table_.cell.reset.amplitudes == (2.25,) and table_.cell.set.amplitudes == (1.5,)
    assert table_.cell.reset.alpha[0] == pytest.approx(0.0525)  # between 2 and 2.5 V
