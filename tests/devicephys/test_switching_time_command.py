"""The command ``switching-time``: its folder, what stops it, what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import xarray as xr
from typer.testing import CliRunner, Result

from ddkbase import records
from ddkbase.errors import Interrupted, SolverError, StorageError
from devicephys import installation
from devicephys.cli.commands import app
from devicephys.run import kinds
from devicephys.simulation.schemas import FAILED, SWITCHED
from devicephys.simulation.switching_time import Results, dataset, measure
from tests.fake_switching import Relaxation


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line with a drawn relaxation in place of the solver."""

    def stand_in(device: Any, scan: Any, settings: Any, progress: Any = None) -> xr.Dataset:
        results = Results(len(scan.voltages) * len(scan.polarities))
        try:
            measure(Relaxation(scan, failing=1.3, stopping=1.9), scan, results, progress)
        except KeyboardInterrupt:
            ds = dataset(device, scan, settings, results.points, 1, False)
            raise Interrupted("interrupted", partial=ds) from None
        ds = dataset(device, scan, settings, results.points, 1, True)
        if all(point.status == FAILED for point in results.points):
            raise SolverError("no voltage could be computed", partial=ds)
        return ds

    monkeypatch.setattr(kinds, "simulate_switching_times", stand_in)
    monkeypatch.setattr(installation, "require_solver", lambda: None)
    monkeypatch.setattr(installation, "world", lambda: None)
    monkeypatch.setenv("PETSC_OPTIONS", "")
    monkeypatch.setenv("COLUMNS", "120")


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["switching-time", *map(str, arguments)])


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


FILES = {
    "kinetics.nc", "kinetics.png", "report.html", "device.yaml", "request.json", "run.log",
}  # fmt: skip


@pytest.mark.usefixtures("drawn")
def test_the_command_fills_its_folder(tmp_path: Path) -> None:
    out = tmp_path / "new" / "run"
    result = call("--out", out, "--voltages", "0.9 V:1.5 V:7", "--set", "filament.radius=8 nm")
    assert result.exit_code == 0, result.output
    assert names(out) == FILES
    ds = records.read(out / "kinetics.nc", "SwitchingTime")
    assert "8 nm" in ds.attrs["device_yaml"]
    for text in ("RESET: 6 of 7", "mV per decade", FAILED, str(out / "kinetics.png")):
        assert text in result.stdout
    assert "switched after" in (out / "run.log").read_text()


@pytest.mark.usefixtures("drawn")
def test_a_stopped_scan_keeps_what_it_has(tmp_path: Path) -> None:
    result = call("--out", tmp_path / "run", "--voltages", "1.7 V:2.1 V:5", "--rise", "1 fs")
    assert result.exit_code == 130
    assert "What was measured is in" in result.stderr
    ds = records.read(tmp_path / "run" / "kinetics.nc")
    assert ds.attrs["complete"] == 0
    assert int((ds["status"] == SWITCHED).sum()) == 2
    assert names(tmp_path / "run") == FILES


@pytest.mark.usefixtures("drawn")
def test_a_scan_stopped_at_once_gives_its_folder_back(tmp_path: Path) -> None:
    result = call("--out", tmp_path / "run", "--voltages", "1.9 V")
    assert result.exit_code == 130
    assert "Nothing was measured" in result.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("drawn")
def test_if_every_voltage_fails_the_solver_gave_up(tmp_path: Path) -> None:
    result = call("--out", tmp_path / "run", "--voltages", "1.3 V", "--polarity", "reset")
    assert result.exit_code == 3
    assert result.stderr.count("error:") == 1
    assert records.read(tmp_path / "run" / "kinetics.nc").status.values.tolist() == [[FAILED]]


@pytest.mark.usefixtures("drawn")
@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--voltages", "0.8:1.2:3"), 2, "has no unit"),
        (("--voltages", "0.8 V:1.2 V"), 2, "neither a range nor a list"),
        (("--limit", "soon"), 2, "does not start with a number"),
        (("--device", "no-such-device"), 2, "no-such-device"),
        (("--set", "filament.radius"), 2, "is not KEY=VALUE"),
        (("--polarity", "up"), 2, "polarity"),
    ],
)
def test_bad_input_is_one_line_and_leaves_no_folder(
    tmp_path: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    result = call("--out", tmp_path / "run", *arguments)
    assert result.exit_code == code
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("drawn")
def test_a_folder_with_a_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kinetics.nc").write_text("mine")
    result = call("--out", tmp_path)
    assert result.exit_code == 4
    assert "already holds a run: kinetics.nc exists" in result.stderr
    assert names(tmp_path) == {"kinetics.nc"}


@pytest.mark.usefixtures("drawn")
def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> Path:
        raise StorageError("the file cannot be written: No space left on device", "kinetics.nc")

    monkeypatch.setattr(records, "write", full)
    result = call("--out", tmp_path / "run", "--voltages", "1 V")
    assert result.exit_code == 4
    assert "No space left" in result.stderr
