"""Parameter sweeps: what varies and what follows, runs that are kept, tables and the picture.

Drawn loops stand in for the solver (`tests.fake_sweep`); one sweep is simulated.
"""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import devicephys
from ddkbase import records
from ddkbase.errors import InputError, Interrupted, StorageError
from ddkbase.files import temporary_path
from ddkbase.folders import lock
from devicephys import installation
from devicephys.parameter_sweep.description import ParameterSweep, plan_sweep
from devicephys.parameter_sweep.execution import SweepOutcome, run_sweep
from devicephys.parameter_sweep.record import (
    DONE,
    FAILED,
    MISSING,
    sweep_csv,
    sweep_dataset,
    sweep_tables,
)
from devicephys.plots.sweep import sweep_figure
from devicephys.run import kinds
from devicephys.run.request import Request
from tests import fake_sweep
from tests.cli_tools import call, error_line

ROOT = Path(__file__).resolve().parents[2]
THICKNESS, HEIGHT = "layers.HfOx.thickness", "filament.height"


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ``fake_sweep.solve`` changes is put back."""
    monkeypatch.setattr(kinds, "simulate", kinds.simulate)
    monkeypatch.setattr(installation, "require_solver", lambda: None)
    monkeypatch.setattr(installation, "versions", lambda: {"numpy": "of these tests"})


def radii(*values: str) -> ParameterSweep:
    return plan_sweep({"filament.radius": values}, preset="quick")


def run(plan: ParameterSweep, folder: Path, **more: Any) -> SweepOutcome:
    more = {"workers": 1, "pictures": "none", **more}
    return run_sweep(folder, plan, solve=fake_sweep.solve, **more)


# what varies


def test_each_point_is_a_cell_with_its_own_value() -> None:
    plan = plan_sweep({THICKNESS: "8 nm, 9 nm"}, follow={HEIGHT: THICKNESS})
    for point, thickness in zip(plan.points, (8e-9, 9e-9), strict=True):
        assert point.values == (pytest.approx(thickness),)
        cell = point.request.device
        assert cell.filament_layer.thickness == pytest.approx(thickness)
        assert cell.filament.height == pytest.approx(thickness)
    assert [point.name for point in plan.points] == ["8-nm", "9-nm"]
    assert plan.axes[0].unit == "m"


def test_a_factor_scales_what_follows() -> None:
    plan = plan_sweep({THICKNESS: ["8 nm", "9 nm"]}, follow={HEIGHT: f"0.5*{THICKNESS}"})
    heights = [point.request.device.filament.height for point in plan.points]
    assert heights == pytest.approx([4e-9, 4.5e-9])


def test_several_keys_are_a_grid_the_last_fastest() -> None:
    plan = plan_sweep({"filament.radius": "8 nm, 9 nm", "vacancy.soret": "hot, off"})
    assert [point.texts for point in plan.points] == [
        ("8 nm", "hot"),
        ("8 nm", "off"),
        ("9 nm", "hot"),
        ("9 nm", "off"),
    ]
    assert [p.request.device.vacancy.soret for p in plan.points] == ["hot", "off"] * 2


def test_the_protocol_may_vary_as_well() -> None:
    fixed = {"protocol.count": "5", "filament.radius": "8 nm"}
    plan = plan_sweep({"protocol.width": "50 ns, 100 ns"}, run="pulses", changes=fixed)
    trains = [point.request.protocol for point in plan.points]
    assert [train.widths[0] for train in trains] == pytest.approx([50e-9, 100e-9])
    assert [train.count for train in trains] == [5, 5]
    plan = plan_sweep({"protocol.initial_resistance": "5 kohm, 9 kohm"}, run="pulses")
    assert [p.request.initial_resistance for p in plan.points] == ["5 kohm", "9 kohm"]
    plan = plan_sweep({"protocol.temperatures": "85 degC, 125 degC"}, run="retention")
    assert [p.values[0] for p in plan.points] == pytest.approx([358.15, 398.15])
    assert plan_sweep({"protocol.cycles": "2, 3"}, run="endurance").points[1].values == (3.0,)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"vary": {}}, "nothing varies"),
        ({"vary": {"filament.radus": "8 nm"}}, "Did you mean 'filament.radius'"),
        ({"vary": {"filament.radius": "8 nm, 8 nm"}}, "twice"),
        ({"vary": {"filament.radius": "8 nm, 8.0 nm"}}, "the same point"),
        ({"vary": {"filament.radius": "8 nm,"}}, "is empty"),
        ({"vary": {"filament.radius": "8"}}, "filament.radius = 8"),
        ({"vary": {"protocol.width": "50 ns"}}, "sweep.rate"),
        ({"vary": {"protocol.count": "5, x"}, "run": "pulses"}, "no whole number"),
        ({"run": "loop"}, "Did you mean 'loops'"),
        ({"changes": {"filament.radius": "7 nm"}}, "varies and is set"),
        ({"follow": {HEIGHT: THICKNESS}}, "does not vary"),
        ({"follow": {"filament.radius": "filament.radius"}}, "values of its own"),
        ({"follow": {"sweep.rate": "filament.radius"}}, "Tie keys of the same unit"),
        ({"follow": {HEIGHT: "1e*filament.radius"}}, "is no factor"),
    ],
)
def test_what_makes_no_sense_is_one_line(more: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as caught:
        plan_sweep(**{"vary": {"filament.radius": "8 nm"}, **more})
    assert words in str(caught.value)


def test_a_filament_that_does_not_fit_names_the_option() -> None:
    with pytest.raises(InputError, match=f"--follow {HEIGHT}={THICKNESS}") as caught:
        plan_sweep({THICKNESS: "8 nm, 9 nm"})
    assert f"{HEIGHT} at {THICKNESS} = 8 nm" in str(caught.value)


def test_a_filament_that_stays_short_is_remarked() -> None:
    (remark,) = plan_sweep({THICKNESS: "9 nm, 10 nm"}).remarks
    assert "stays 9 nm" in remark and f"--follow {HEIGHT}={THICKNESS}" in remark
    assert plan_sweep({THICKNESS: "9 nm, 10 nm"}, follow={HEIGHT: THICKNESS}).remarks == ()


# what comes out


@pytest.mark.usefixtures("drawn")
def test_the_folder_holds_record_table_and_picture(tmp_path: Path) -> None:
    outcome = run(radii("8 nm", "9 nm"), tmp_path / "sweep", pictures="svg")
    assert {path.name for path in (tmp_path / "sweep").iterdir()} == {
        *("runs", "sweep.csv", "sweep.json", "sweep.log", "sweep.nc", "sweep.png", "sweep.svg"),
    }
    ds = records.read(tmp_path / "sweep" / "sweep.nc", "ParameterSweep")
    assert ds.identical(outcome.dataset.drop_encoding())
    assert ds["filament.radius"].values == pytest.approx([8e-9, 9e-9])
    assert ds["filament.radius"].attrs["units"] == "m"
    assert ds["set_voltage"].values == pytest.approx([1.08, 1.09])
    assert ds["set_voltage"].attrs["units"] == "V"
    assert "steps" not in ds  # of the calculation, not of the cell
    with (tmp_path / "sweep" / "sweep.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["filament.radius [m]"]) for row in rows] == pytest.approx([8e-9, 9e-9])
    assert [float(row["set_voltage [V]"]) for row in rows] == pytest.approx([1.08, 1.09])
    assert [row["folder"] for row in rows] == ["runs/8-nm", "runs/9-nm"]
    kept = records.read(tmp_path / "sweep" / "runs" / "9-nm" / "iv.nc", "IVTrace")
    assert json.loads(kept.attrs["headline_json"])["set_voltage"] == pytest.approx(1.09)


@pytest.mark.usefixtures("drawn")
def test_fields_are_given_as_in_the_table_of_a_run(tmp_path: Path) -> None:
    ds = run(radii("8 nm", "9 nm"), tmp_path / "sweep").dataset
    field = records.label(np.array([6.1e8, 5e8]), "point", "V/m", "End of RESET, largest field")
    span = records.label(np.array([0.29, 1.2]), "point", "V", "RESET is gradual over")
    onset = records.label(np.array([-0.48, -1.2]), "point", "V", "Onset")
    more = {"reset_gradual_range": span, "onset_voltage": onset}
    (table,) = sweep_tables(ds.assign(end_field=field, **more))
    assert ["Onset", "-0.480 V", "-1.200 V"] in table.rows
    assert ["RESET is gradual over", "0.290 V", "1.200 V"] in table.rows
    assert ["End of RESET, largest field", "0.61 V/nm", "0.5 V/nm"] in table.rows


def test_a_table_of_points_keeps_the_digits_of_each_key_and_figure() -> None:
    plan = plan_sweep({"filament.radius": "8.12345 nm, 9 nm", "outer_radius": "28 nm, 31 nm"})
    names = [point.name for point in plan.points]
    done = {
        names[0]: {"set": ("SET", "V", 1.23456789), "hot": ("Hottest", "K", 700.0)},
        names[3]: {"set": ("SET", "V", -2.5e-7), "hot": ("Hottest", "K", np.nan)},
    }
    ds = sweep_dataset(plan, done, {names[1]: "no step succeeds"})
    heads, *rows = csv.reader(sweep_csv(ds).splitlines())
    assert heads == ["filament.radius [m]", "outer_radius [m]", "set [V]", "hot [K]",
                     "status", "reason", "folder"]  # fmt: skip
    keys = [(float(row[0]), float(row[1])) for row in rows]
    assert keys == [(8.12345e-9, 28e-9), (8.12345e-9, 31e-9), (9e-9, 28e-9), (9e-9, 31e-9)]
    assert [row[2] for row in rows] == ["1.23456789", "", "", "-2.5e-07"]
    assert [row[3] for row in rows] == ["700", "", "", ""]
    assert [row[4] for row in rows] == [DONE, FAILED, MISSING, DONE]
    assert [row[5] for row in rows] == ["", "no step succeeds", "", ""]
    assert ds.attrs["complete"] == 0
    assert sweep_dataset(plan, done, dict.fromkeys(names[1:3], "gave up")).attrs["complete"] == 1


@pytest.mark.usefixtures("drawn")
def test_a_failure_is_a_row_and_not_the_end(tmp_path: Path) -> None:
    plan = radii("8 nm", "13 nm", "13.5 nm", "9 nm")
    ds = run(plan, tmp_path).dataset
    assert list(ds["status"].values) == [DONE, FAILED, FAILED, DONE]
    assert ds["reason"].values[1] == "the temperature did not converge (t = 1 ms)"
    assert "ZeroDivisionError" in ds["reason"].values[2]
    assert np.isnan(ds["set_voltage"].values[1])
    assert ds.attrs["complete"] == 1
    assert run(plan, tmp_path).computed == 0
    assert run(plan, tmp_path, retry_failed=True).computed == 2


@pytest.mark.usefixtures("drawn")
def test_what_is_done_is_not_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_LOG", str(tmp_path / "log"))
    out = tmp_path / "sweep"
    assert run(radii("8 nm", "9 nm"), out).computed == 2
    assert run(radii("8 nm", "9 nm"), out).computed == 0
    more = run(radii("8 nm", "9 nm", "10 nm"), out)
    assert (more.computed, more.dataset.sizes["point"]) == (1, 3)
    assert (tmp_path / "log").read_text() == "8\n9\n10\n"


@pytest.mark.usefixtures("drawn")
def test_an_unchanged_request_is_not_checked_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(radii("8 nm"), tmp_path / "sweep")

    def refuse(path: Path) -> None:
        raise AssertionError(path)

    monkeypatch.setattr(Request, "read", refuse)
    assert run(radii("8 nm"), tmp_path / "sweep").computed == 0
    with pytest.raises(AssertionError, match=r"request\.json"):
        run(plan_sweep({"filament.radius": "8 nm"}, preset="fine"), tmp_path / "sweep")


@pytest.mark.usefixtures("drawn")
def test_another_sweep_or_a_strange_folder_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "sweep"
    run(radii("8 nm"), out)
    with pytest.raises(StorageError, match="another sweep"):
        run(plan_sweep({"filament.radius": "8 nm"}, preset="fine"), out)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").touch()
    with pytest.raises(StorageError, match="not empty"):
        run(radii("8 nm"), tmp_path / "full")
    (out / "sweep.json").write_text("[]")
    with pytest.raises(StorageError):
        run(radii("8 nm"), out)


@pytest.mark.usefixtures("drawn")
def test_a_sweep_that_was_killed_at_its_start_begins_again(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "sweep.log").touch()
    temporary_path(tmp_path / "sweep.json").write_text("{")
    busy = StorageError("busy")
    with lock(tmp_path / "sweep.log", busy), pytest.raises(StorageError, match="still at work"):
        run(radii("8 nm"), tmp_path)
    assert run(radii("8 nm"), tmp_path).computed == 1


@pytest.mark.usefixtures("drawn")
def test_ctrl_c_keeps_what_is_finished(tmp_path: Path) -> None:
    def stopped(folder: Path, request: Any, progress: Any = None) -> None:
        if folder.name == "9-nm":
            raise KeyboardInterrupt
        fake_sweep.solve(folder, request, progress)

    plan = radii("8 nm", "9 nm", "10 nm")
    with pytest.raises(Interrupted, match="1 of 3 points are finished"):
        run_sweep(tmp_path, plan, workers=1, solve=stopped)
    ds = records.read(tmp_path / "sweep.nc", "ParameterSweep")
    assert list(ds["status"].values) == [DONE, MISSING, MISSING]
    assert ds.attrs["complete"] == 0
    assert run(plan, tmp_path).computed == 2


@pytest.mark.usefixtures("drawn")
def test_the_picture_has_a_panel_for_each_figure_that_varies(tmp_path: Path) -> None:
    plan = plan_sweep({"filament.radius": "8 nm, 9 nm", "vacancy.soret": "hot, off"})
    ds = run(plan, tmp_path).dataset
    assert not (tmp_path / "sweep.png").exists()
    trace = records.read(tmp_path / "runs" / "8-nm_hot" / "iv.nc")
    curves, *panels = sweep_figure(ds, {"8-nm_hot": trace}).axes
    assert len(curves.lines) == 1
    labels = [ax.get_ylabel() for ax in panels]
    # what is the same at all points has no panel
    assert "SET (V)" in labels and "High resistance (kΩ)" not in labels
    at = panels[labels.index("SET (V)")]
    assert at.get_xlabel() == "filament radius (nm)"
    assert [line.get_label() for line in at.lines] == ["hot", "off"]
    assert at.lines[0].get_xdata() == pytest.approx([8, 9])
    assert at.lines[0].get_ydata() == pytest.approx([1.08, 1.09])
    same = ds["high_resistance"] * 0.0 + 5e-5 * np.array([1.0, 1.0, 1.0 + 1e-8, 1.0])
    same.attrs = {"units": "A", "long_name": "Half the limit"}
    again = sweep_figure(ds.assign(half=same), {"8-nm_hot": trace})
    assert [ax.get_ylabel() for ax in again.axes[1:]] == labels


@pytest.mark.usefixtures("drawn")
def test_the_picture_of_loops_has_no_panel_of_their_lesser_figures(tmp_path: Path) -> None:
    ds = run(radii("8 nm", "9 nm"), tmp_path).dataset
    lesser = ds["set_voltage"].copy(data=[1.0, 2.0]).assign_attrs(long_name="Lesser", units="1")
    more = ds.assign(localisation_vacancies=lesser)
    assert "Lesser" not in [ax.get_ylabel() for ax in sweep_figure(more).axes]
    other = sweep_figure(more.assign_attrs(run="pulses"))
    assert "Lesser" in [ax.get_ylabel() for ax in other.axes]


# processes


@pytest.mark.slow
def test_worker_processes_give_the_same(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from tests.devicephys.test_parameter_sweep import radii, run\n"
        "if __name__ == '__main__':\n"
        "    from devicephys import installation\n"
        "    installation.versions = lambda: {'numpy': 'of these tests'}\n"
        "    run(radii('8 nm', '9 nm', '13 nm'), Path(sys.argv[1]), workers=2)\n"
    )
    command = [sys.executable, "-c", code]
    subprocess.run([*command, str(tmp_path / "two")], check=True, cwd=ROOT)
    two = records.read(tmp_path / "two" / "sweep.nc", "ParameterSweep")
    assert list(two["status"].values) == [DONE, DONE, FAILED]
    assert two["set_voltage"].values[:2] == pytest.approx([1.08, 1.09])
    # Ctrl-C while a worker stands still: the other point is kept, no worker stays
    hold = {**os.environ, "FAKE_HOLD": "9", "FAKE_LOG": str(tmp_path / "log")}
    out = tmp_path / "stopped"
    job = subprocess.Popen(
        [*command, str(out)], cwd=ROOT, env=hold, stderr=subprocess.PIPE, text=True
    )
    while not (out / "runs" / "8-nm" / "iv.nc").exists() or not (
        (out / "sweep.log").exists() and "13-nm" in (out / "sweep.log").read_text()
    ):
        assert job.poll() is None, job.communicate()[1]
    job.send_signal(signal.SIGINT)
    assert "2 of 3 points are finished" in job.communicate(timeout=120)[1]
    ds = records.read(out / "sweep.nc", "ParameterSweep")
    assert list(ds["status"].values) == [DONE, MISSING, FAILED]


# the command


@pytest.mark.usefixtures("settled")
def test_the_command_prints_a_table_and_files(tmp_path: Path) -> None:
    out = tmp_path / "sweep"
    vary = ("--vary", f"{THICKNESS}=8 nm,9 nm", "--follow", f"{HEIGHT}={THICKNESS}")
    result = call("sweep", *vary, "--workers", 1, "--out", out)
    assert result.exit_code == 0, result.output
    for text in (THICKNESS, "8 nm", "RESET onset", "-1.250 V", str(out / "sweep.csv")):
        assert text in result.stdout
    result = call("sweep", *vary, "--workers", 1, "--out", out, "--json")
    document = json.loads(result.stdout)
    assert document["computed"] == 0
    assert [point[THICKNESS] for point in document["points"]] == pytest.approx([8e-9, 9e-9])
    assert document["units"]["set_voltage"] == "V"


@pytest.mark.usefixtures("settled")
def test_trains_are_swept_and_drawn_as_well(tmp_path: Path) -> None:
    vary = ("--run", "pulses", "--vary", "protocol.amplitude=-2 V, -3 V")
    more = ("--set", "protocol.count=4", "--workers", 1, "--pictures", "svg")
    result = call("sweep", *vary, *more, "--out", tmp_path / "trains")
    assert result.exit_code == 0, result.output
    ds = records.read(tmp_path / "trains" / "sweep.nc", "ParameterSweep")
    assert ds["protocol.amplitude"].values == pytest.approx([-2, -3])
    assert "conductance_end" in ds
    drawing = (tmp_path / "trains" / "sweep.svg").read_text("utf-8")
    assert "Conductance (µS)" in drawing and "Pulse number" in drawing
    result = call("plot", tmp_path / "trains", "--panels", "a", "--picture-data")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "trains" / "paper" / "sweep.csv").is_file()


@pytest.mark.usefixtures("settled")
def test_the_command_ends_with_one_line(tmp_path: Path) -> None:
    out = ("--out", tmp_path / "sweep")
    line = error_line(call("sweep", "--vary", f"{THICKNESS}=8 nm", *out), 2)
    assert f"--follow {HEIGHT}={THICKNESS}" in line
    assert not (tmp_path / "sweep").exists()
    assert "--vary" in error_line(call("sweep", *out), 2)
    assert "twice" in error_line(call("sweep", *["--vary", "filament.radius=8 nm"] * 2, *out), 2)
    bad = ("--vary", "filament.radius=8 nm, 9 nm", "--workers", 1, *out)
    result = call("sweep", *bad, behaviour="gives-up")
    assert result.exit_code == 3
    assert "2 of 2 points failed" in result.stderr.splitlines()[-1]


@pytest.mark.fem
@pytest.mark.slow
def test_a_real_sweep(tmp_path: Path) -> None:
    ds = devicephys.sweep(
        tmp_path,
        {"filament.radius": "8 nm, 10 nm"},
        preset="quick",
        workers=1,
    )
    assert list(ds["status"].values) == [DONE, DONE]
    low = ds["low_resistance_before"].values
    # a cylinder's conductance goes with its section; the electrodes, the oxide around it and the
    # transistor in series make it less than that
    assert 1.05 < low[0] / low[1] < (10 / 8) ** 2
