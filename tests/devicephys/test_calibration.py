"""What the shipped cells were calibrated to, and that they are what a calibration writes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from ddkbase.errors import InputError, StorageError
from devicephys import calibration, load_device
from devicephys.calibration import GOALS, Target


def test_misfits_are_counted_in_tolerances() -> None:
    figures = {"a": 12.0, "b": None}
    assert Target("a", 10.0, 4.0).residual(figures) == 0.5
    assert Target("a", 10.0, 4.0, "at least").residual(figures) == 0.0
    assert Target("a", 14.0, 4.0, "at least").residual(figures) == -0.5
    assert Target("a", 10.0, 4.0, "at most").residual(figures) == 0.5
    assert Target("a", 14.0, 4.0, "at most").residual(figures) == 0.0
    # an event that a loop does not show is worse than a figure that is off
    assert Target("b", 10.0, 4.0).residual(figures) == 5.0
    assert Target("c", 10.0, 4.0).residual(figures) == 5.0


@pytest.mark.parametrize("name", GOALS)
def test_goals_name_parameters_of_their_starts(name: str) -> None:
    start = load_device(GOALS[name].start)
    for knob in GOALS[name].knobs:
        for path in knob.paths:
            assert path in start.provenance, path


def test_the_shipped_cell_is_its_start_but_for_what_was_calibrated() -> None:
    goal = GOALS["tin-taox-hfox-tin"]
    moved = {path for knob in goal.knobs for path in knob.paths}
    start, shipped = load_device(goal.start), load_device("tin-taox-hfox-tin")
    before = {row.path: row.value for row in start.table()}
    after = {row.path: row.value for row in shipped.table()}
    assert before.keys() == after.keys()
    differ = {path for path in before if before[path] != after[path]}
    assert differ - {"name", "description"} <= moved
    # to the four digits that a calibration writes
    for path in moved:
        value = float(shipped.provenance[path].value_text.split()[0])
        assert float(f"{value:.4g}") == value, path


def test_what_was_not_calibrated_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="larentis-stack"):
        calibration.main(tmp_path / "out", "larentis-stack")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("file", ["calibration.log", "tin-taox-hfox-tin.yaml"])
def test_a_folder_with_a_calibration_is_left_alone(tmp_path: Path, file: str) -> None:
    (tmp_path / file).write_text("an earlier one\n")
    with pytest.raises(StorageError, match="holds a calibration already"):
        calibration.main(tmp_path)
    assert [*tmp_path.iterdir()] == [tmp_path / file]
    assert (tmp_path / file).read_text() == "an earlier one\n"


def test_a_search_keeps_its_best(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # a formula in the solver's place, in this process: the misfit of one knob
    def evaluate(search: calibration.Calibration, _: object, points: list) -> list:
        devices = [search.device(point) for point in points]
        return [{"low_resistance_before": 0.3 * d.series.transconductance * 1e6} for d in devices]

    goal = GOALS["tin-taox-hfox-tin"]
    targets = [Target("low_resistance_before", 5000.0, 100.0)]
    monkeypatch.setitem(GOALS, "tin-taox-hfox-tin", dataclasses.replace(goal, targets=targets))
    monkeypatch.setattr(calibration.Calibration, "_evaluate", evaluate)
    device = calibration.main(tmp_path, report=lambda _: None, iterations=6)
    assert 0.3 * device.series.transconductance * 1e6 == pytest.approx(5000.0, abs=100.0)
    assert load_device(tmp_path / "tin-taox-hfox-tin.yaml") == device
    assert "iteration 0" in (tmp_path / "calibration.log").read_text()
