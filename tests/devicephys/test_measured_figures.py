"""RESET, SET and resistances of measured loops, by the definitions of simulated ones."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import devicephys
from devicephys.measured.figures import (
    figures_of_loop,
    figures_of_measured,
    limit_remark,
    measured_entries,
    measured_rows,
)
from devicephys.run.figures import table
from devicephys.simulation.figures_of_merit import loop_figures

SET, RESET, LOW, HIGH = 0.9, -0.6, 3e3, 6e4
LIMIT = 1e-4


def loop(first: float = -1.0, step: float = 0.01) -> tuple[np.ndarray, np.ndarray]:
    """A cell that falls from LOW to HIGH over 0.5 V beyond RESET, and jumps back at SET."""
    corners = np.array([0.0, first * 1.5, 0.0, -first * 1.5, 0.0])
    v = np.concatenate(
        [[0.0], *(np.arange(a, b, np.sign(b - a) * step) for a, b in pairwise(corners))]
    )
    state, flow = (0.0 if first < 0 else 1.0), []
    for volt in v:
        state = max(state, np.clip((RESET - volt) / 0.5, 0.0, 1.0)) if volt < SET else 0.0
        flow.append(volt / (LOW * (HIGH / LOW) ** state))
    return v, np.clip(flow, None, LIMIT)


def test_the_figures_are_those_of_the_definitions_for_simulated_loops() -> None:
    v, i = loop()
    expected, _ = loop_figures(v, i, np.full_like(v, 300.0))
    found = figures_of_loop(v, i)
    assert not found.undetermined
    for name, value in found.values.items():
        assert value == pytest.approx(getattr(expected, name), rel=1e-6, abs=0), name
    assert found.values["set_voltage"] == pytest.approx(SET, abs=0.01)
    assert found.values["low_resistance_before"] == pytest.approx(LOW, rel=1e-3, abs=0)
    assert found.values["high_resistance"] == pytest.approx(HIGH, rel=1e-3, abs=0)


def test_a_loop_that_begins_with_set_reads_its_high_state_after_reset() -> None:
    found = figures_of_loop(*loop(first=1.0)).values
    assert found["high_resistance"] == pytest.approx(HIGH, rel=1e-3, abs=0)
    assert found["low_resistance_after"] == pytest.approx(LOW, rel=1e-3, abs=0)
    assert found["set_voltage"] == pytest.approx(SET, abs=0.01)
    assert found["reset_onset_voltage"] < RESET


@pytest.mark.parametrize("noise", [0.003, 0.02])
def test_noise_hardly_moves_them(noise: float) -> None:
    v, i = loop(step=0.004)
    exact = figures_of_loop(v, i).values
    random = np.random.default_rng(3)
    found = figures_of_loop(v, i * (1 + noise * random.standard_normal(len(v))))
    for name, value in found.values.items():
        if name in found.undetermined:
            assert name == "reset_onset_voltage" and noise > 0.01
            assert "noise" in found.undetermined[name]
        else:
            assert value == pytest.approx(exact[name], rel=0.06, abs=0), name


def test_what_the_data_do_not_give_is_said_with_its_reason() -> None:
    v, i = loop(step=0.02)
    random = np.random.default_rng(1)
    loud = figures_of_loop(v, i * (1 + 0.3 * random.standard_normal(len(v))))
    assert "noise" in loud.undetermined["reset_onset_voltage"]
    assert np.isnan(loud.values["reset_onset_voltage"])
    ohmic = figures_of_loop(v, v / LOW)
    assert "never falls 5 %" in ohmic.undetermined["reset_onset_voltage"]
    assert "factor 2" in ohmic.undetermined["set_voltage"]
    half = figures_of_loop(v[v <= 0], i[v <= 0])
    assert (
        half.undetermined["set_voltage"] == "the loop has no ramp at positive voltage away from 0 V"
    )
    offset = figures_of_loop(v, np.where(np.abs(v) < 0.3, -1e-7 * np.sign(v), i))
    assert "offset or noise" in offset.undetermined["high_resistance"]
    wide = np.abs(v) > 0.25
    assert "0.1 V" in figures_of_loop(v[wide], i[wide]).undetermined["low_resistance_before"]


def test_the_other_polarity_is_recognised() -> None:
    v, i = loop()
    assert "negative voltage" in figures_of_loop(-v, -i).undetermined["set_voltage"]


def measured(tmp_path: Path, count: int = 2) -> xr.Dataset:
    v, i = loop()
    file = tmp_path / "loops.csv"
    times = np.arange(count * len(v)) * 0.01
    rows = zip(times, np.tile(v, count), np.tile(i, count) * 1e6, strict=True)
    text = "\n".join(f"{t:.3f},{x:.5f},{y:.6g}" for t, x, y in rows)
    file.write_text(f"time (s),voltage (V),current (uA)\n{text}\n")
    return devicephys.read_loop(file)


def test_rows_and_entries_have_the_median_and_the_runs(tmp_path: Path) -> None:
    shown = figures_of_measured(measured(tmp_path))
    assert len(shown) == 2
    rows = {row[0]: row[1:] for row in measured_rows(shown, [{"set_voltage": 0.75}, {}])}
    assert rows["SET"][1:] == ["+0.750 V", "–"]
    assert "kohm" in rows["High resistance"][0]
    entries = measured_entries(shown)
    assert entries["units"]["set_voltage"] == "V"
    assert entries["median"]["high_resistance"] == pytest.approx(HIGH, rel=0.01, abs=0)
    v, _ = loop()
    open_rows = measured_rows([figures_of_loop(v, v / LOW)], [])
    assert open_rows[1][1].startswith("not determined: the conductance never rises")
    assert "set_voltage" not in measured_entries([figures_of_loop(v, v / LOW)])["median"]


def test_a_filament_that_ends_within_its_layer_is_named_where_nothing_switches() -> None:
    def notes(height: str, **headline: object) -> list[str]:
        cell = devicephys.load_device("hfo2-ti").with_({"filament.height": height})
        attrs = {"schema": "IVTrace", "headline_json": json.dumps(headline)}
        return list(table(xr.Dataset(attrs=attrs | {"device_yaml": cell.to_yaml()})).notes)

    why = {"set_voltage": "the conductance never rises by a factor 2"}
    assert "4 nm" in notes("4 nm", undetermined=why)[0]
    assert not notes("5 nm", undetermined=why)
    assert not notes("4 nm", set_voltage=0.9)


def test_another_limit_of_the_current_is_said(tmp_path: Path) -> None:
    loops = measured(tmp_path)
    cell = devicephys.load_device("hfo2-ti")
    assert limit_remark(loops, cell) == ""
    other = limit_remark(loops, cell.with_({"series.compliance": "300 uA"}))
    assert "100 uA" in other and "300 uA" in other and "series.compliance" in other
    assert limit_remark(loops, devicephys.load_device("tin-taox-hfox-tin")) == ""


def test_a_fit_is_warned_of_it_before_its_first_solve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured(tmp_path)
    cell = devicephys.load_device("hfo2-ti").with_({"series.compliance": "300 uA"})
    (tmp_path / "cell.yaml").write_text(cell.to_yaml())
    what = {
        "name": "f",
        "device": str(tmp_path / "cell.yaml"),
        "preset": "quick",
        "data": [{"loop": str(tmp_path / "loops.csv"), "number": 1, "error": 0.05}],
        "free": {"filament.radius": {"lower": "3 nm", "upper": "8 nm"}},
    }

    def stop(self: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("devicephys.fitting.search.Search.all_starts", stop)
    lines: list[str] = []
    with pytest.raises(devicephys.fitting.FitInterrupted):
        devicephys.fit_device(what, warn=lines.append)
    assert len(lines) == 1 and "300 uA" in lines[0]
