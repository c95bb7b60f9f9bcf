"""Runs without a command line: `devicephys.run` starts, resumes and redraws, and prints nothing.

Drawn results stand in for the solver (`tests.fake_solver`).
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import xarray as xr

from ddkbase.errors import DDKError, Interrupted, SolverError, StorageError
from devicephys import IVSweep, PulseTrain, Settings, SwitchingScan, installation, load_device, run
from devicephys.run import kinds
from devicephys.simulation.switching_time import Point, Results, dataset
from tests import fake_solver
from tests.cli_tools import ROOT, names

pytestmark = pytest.mark.usefixtures("settled")
CELL = load_device("tin-taox-hfox-tin")


def request(protocol: Any, **more: Any) -> run.Request:
    return run.Request(CELL, protocol, Settings.preset("quick"), **more)


def scanned(device: Any, scan: Any, settings: Any, progress: Any = None) -> xr.Dataset:
    """Like ``simulate_switching_times``, with one formula for all voltages."""
    points = []
    for polarity in scan.polarities:
        for voltage in scan.voltages:
            conductances = {"start_conductance": 2e-4, "target_conductance": 1e-4}
            points.append(
                Point(
                    polarity, voltage, "switched", switching_time=1e-6 / voltage,
                    temperature_half=400.0, end_conductance=1e-4, steps=9, **conductances,
                )
            )  # fmt: skip
            if progress is not None:
                progress(Results(len(scan.polarities) * len(scan.voltages), points))
    return dataset(device, scan, settings, points, 1, True)


@pytest.mark.parametrize(
    ("protocol", "noun", "files"),
    [
        (IVSweep.from_device(CELL), "loop", kinds.LoopRun.files),
        (PulseTrain(count=4), "train", kinds.PulseRun.files),
        (SwitchingScan("1 V:1.4 V:3", "reset"), "scan", kinds.ScanRun.files),
    ],
)
def test_a_run_needs_no_command_line(
    protocol: Any,
    noun: str,
    files: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(kinds, "simulate_switching_times", scanned)
    states: list[run.State] = []
    outcome = run.start(tmp_path / "run", request(protocol), progress=states.append)
    assert (outcome.noun, outcome.computed, outcome.warnings) == (noun, True, [])
    assert names(tmp_path / "run") == set(files)
    assert states[-1].share == 1.0 and states[-1].line
    assert outcome.dataset.attrs["complete"] == 1
    assert {path.name for path in outcome.pictures} <= set(files)
    rows = run.table(outcome.dataset).rows
    assert rows and all(isinstance(text, str) for row in rows for text in row)
    json.dumps(run.entries(outcome.dataset))
    resumed = run.resume(tmp_path / "run")
    assert not resumed.computed and resumed.pictures == []
    assert resumed.dataset.sizes == outcome.dataset.sizes
    (outcome.pictures[0]).unlink()
    assert outcome.pictures[0] in run.redraw(tmp_path / "run")
    bare = run.start(tmp_path / "bare", request(protocol), pictures="none")
    assert bare.pictures == []
    assert names(tmp_path / "bare") == set(files) - {path.name for path in outcome.pictures}
    assert run.resume(tmp_path / "bare", pictures="none").pictures == []
    drawn = run.resume(tmp_path / "bare").pictures
    assert {path.name for path in drawn} == {path.name for path in outcome.pictures}
    with pytest.raises(StorageError, match="already holds a run"):
        run.start(tmp_path / "run", request(protocol))
    assert capsys.readouterr() == ("", "")


def test_what_stops_a_run_is_raised_and_its_part_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_solver.install("gives-up")
    train = request(PulseTrain(count=20), checkpoint_every=5)
    with pytest.raises(SolverError, match="Kept 8 pulses"):
        run.start(tmp_path / "run", train)
    remarks: list[str] = []
    fake_solver.install("steady")
    outcome = run.resume(tmp_path / "run", progress=lambda state: None, remark=remarks.append)
    assert outcome.dataset.attrs["complete"] == 1
    assert remarks == [
        f"{tmp_path / 'run'}: the train goes on from the start: there is no checkpoint"
    ]
    assert "warning" not in capsys.readouterr().out


def test_warnings_are_told_and_collected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ds = fake_solver.iv_trace(fine=4, frames=3, warning="one-pass is inaccurate")
    monkeypatch.setattr(kinds, "simulate", lambda *_, **__: ds)
    sentences: list[str] = []
    outcome = run.start(tmp_path / "run", request(IVSweep.from_device(CELL)), warn=sentences.append)
    assert sentences == outcome.warnings == ["one-pass is inaccurate"]


def test_a_scan_that_was_stopped_is_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = SwitchingScan("1 V:1.4 V:3", "reset")

    def stopped(device: Any, scan: Any, settings: Any, progress: Any = None) -> xr.Dataset:
        whole = scanned(device, SwitchingScan("1.4 V", "reset"), settings)
        point = Point(
            "reset", 1.4, "switched", switching_time=float(whole["switching_time"].values[0, 0]),
            temperature_half=400.0, start_conductance=2e-4, target_conductance=1e-4,
            end_conductance=1e-4, steps=9,
        )  # fmt: skip
        raise Interrupted("interrupted", partial=dataset(device, scan, settings, [point], 1, False))

    monkeypatch.setattr(kinds, "simulate_switching_times", stopped)
    with pytest.raises(Interrupted, match="What was measured is in"):
        run.start(tmp_path / "run", request(scan))
    assert run.Request.read(tmp_path / "run" / "request.json").protocol == scan
    monkeypatch.setattr(kinds, "simulate_switching_times", scanned)
    outcome = run.resume(tmp_path / "run")
    assert outcome.computed and (outcome.dataset["status"] == "switched").all()
    assert names(tmp_path / "run") == set(kinds.ScanRun.files)


def test_an_error_of_one_rank_ends_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class World:
        rank, size = 0, 2

        def allgather(self, own: Any) -> list[Any]:
            return [own, ("no C compiler", 2, "")]

    monkeypatch.setattr(installation, "world", World)
    with pytest.raises(DDKError, match="no C compiler") as info:
        run.start(tmp_path / "run", request(PulseTrain(count=2)))
    assert info.value.exit_code == 2
    assert not (tmp_path / "run").exists()


def test_no_module_of_a_run_needs_typer() -> None:
    code = (
        "import sys\n"
        "import devicephys.run.execution, devicephys.report.report\n"
        "print(sorted(m for m in sys.modules if m == 'typer' or m == 'ddkbase.cli.output'))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_units_of_figures_are_those_of_the_record() -> None:
    ds = fake_solver.iv_trace(fine=4, frames=3)
    headline = json.loads(ds.attrs["headline_json"]) | {"voltage_ratio": 3.0, "range_of_kings": 1.0}
    entries = run.entries(ds.assign_attrs(headline_json=json.dumps(headline)))
    assert entries["figures"]["voltage_ratio"] == 3.0
    # a name that sounds like a voltage is none
    assert not {"voltage_ratio", "range_of_kings"} & entries["units"].keys()
    assert entries["units"]["reset_gradual_range"] == "V"


def test_scans_are_compared_as_loops_and_trains_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kinds, "simulate_switching_times", scanned)
    for name, voltages in (("a", "1 V:1.4 V:3"), ("b", "1 V, 1.2 V")):
        run.start(tmp_path / name, request(SwitchingScan(voltages, "reset")))
    differences, figures, documents = run.compare_runs([tmp_path / "a", tmp_path / "b"])
    assert [row[0] for row in differences] == ["protocol.voltages"]
    assert ["RESET, switched", "3 of 3 voltages", "2 of 2 voltages"] in figures
    assert ["Switching time at -1 V", "1 us", "1 us"] in figures
    assert ["Switching time at -1.4 V", "714.3 ns", "–"] in figures
    assert [len(document["points"]) for document in documents] == [3, 2]
