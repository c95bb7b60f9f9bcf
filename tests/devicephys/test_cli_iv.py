"""``ddk-device iv``: exit codes, one line per error, nothing lost, nothing half written.

A drawn loop stands in for the solver (`tests.fake_solver`).
"""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path

import pytest

from ddkbase import records
from devicephys.device import load_device
from devicephys.protocol.waveform import IVSweep
from devicephys.run import folder as runfolder
from devicephys.run.request import Request
from devicephys.simulation.settings import Settings
from tests import fake_solver
from tests.cli_tools import call, error_line, names, process
from tests.synthetic import iv_trace

pytestmark = pytest.mark.usefixtures("settled")
ALL_FILES = set(runfolder.LOOP_FILES)


def test_a_run_fills_its_folder(tmp_path: Path) -> None:
    out = tmp_path / "new" / "run"
    result = call("iv", "--out", out, "--rate", "50 V/s", "--set", "filament.radius=8 nm")
    assert result.exit_code == 0, result.output
    assert names(out) == ALL_FILES
    assert records.read(out / "iv.nc", "IVTrace").attrs["complete"] == 1
    for text in ("RESET onset", "-1.250 V", "420 °C", str(out / "iv.png"), str(out / "loop.gif")):
        assert text in result.stdout
    log = (out / "run.log").read_text()
    assert log.count("\naccepted ") == 200
    for text in (
        "50 V/s",
        "numpy: ",
        "rejected 1 step",
        "Newton did not converge",
        "SET: +1.400 V",
    ):
        assert text in log
    device = (out / "device.yaml").read_text()
    assert "8 nm" in device and "50 V/s" in device


def test_without_a_terminal_progress_is_a_few_lines(tmp_path: Path) -> None:
    result = call("iv", "--out", tmp_path / "run")
    lines = result.stderr.splitlines()
    assert 5 <= len(lines) <= 20
    assert lines[-1].startswith("100 %")
    for text in ("t =", "V =", "dt =", "T max ="):
        assert text in lines[3]


def test_a_warning_of_the_scheme_is_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ds = iv_trace(fine=4, frames=3, warning="one-pass is inaccurate")
    monkeypatch.setattr(fake_solver.Simulator, "__call__", lambda *_, **__: ds)
    result = call("iv", "--scheme", "one-pass", "--out", tmp_path / "run")
    assert "warning: one-pass is inaccurate" in result.stderr
    assert "warning: one-pass is inaccurate" in (tmp_path / "run" / "run.log").read_text()


def test_plot_draws_again(tmp_path: Path) -> None:
    assert call("iv", "--out", tmp_path / "run").exit_code == 0
    (tmp_path / "run" / "iv.png").write_bytes(b"old")
    (tmp_path / "run" / "loop.gif").unlink()
    assert call("plot", tmp_path / "run").exit_code == 0
    assert names(tmp_path / "run") == ALL_FILES
    assert (tmp_path / "run" / "iv.png").stat().st_size > 1000
    assert "no such file" in error_line(call("plot", tmp_path), 4)


@pytest.mark.parametrize("name", sorted(runfolder.RUN_FILES))
def test_a_folder_that_holds_a_run_is_left_alone(name: str, tmp_path: Path) -> None:
    out = tmp_path / "run"
    out.mkdir()
    (out / name).write_text("precious")
    (tmp_path / "run-2").mkdir()
    line = error_line(call("iv", "--out", out), 4)
    assert f"{name} exists" in line
    assert f"Try --out {out}-3" in line
    assert (out / name).read_text() == "precious"
    assert names(out) == {name}


def test_a_folder_with_other_things_in_it_will_do(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert call("iv", "--out", tmp_path).exit_code == 0
    assert names(tmp_path) == ALL_FILES | {"notes.txt"}


def test_a_folder_that_cannot_be_is_code_4(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "run", tmp_path / ("x" * 300)):
        error_line(call("iv", "--out", out), 4)
    assert names(tmp_path) == {"file"}


def test_of_two_runs_into_one_folder_one_succeeds(tmp_path: Path) -> None:
    out = tmp_path / "run"
    jobs = [process("iv", "--out", out) for _ in range(2)]
    ends = [(job.communicate(timeout=300)[1], job.returncode) for job in jobs]
    assert sorted(code for _, code in ends) == [0, 4]
    loser = next(stderr for stderr, code in ends if code == 4)
    assert loser.startswith("error: the folder already holds a run")
    assert len(loser.splitlines()) == 1
    assert names(out) == ALL_FILES
    records.read(out / "iv.nc", "IVTrace")


def test_a_full_disk_is_code_4_and_leaves_no_half_file(tmp_path: Path) -> None:
    job = process(
        "iv",
        "--out",
        tmp_path / "run",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000)),
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    _, stderr = job.communicate(timeout=300)
    assert job.returncode == 4
    last = stderr.splitlines()[-1]
    assert last.startswith("error: the file cannot be written: File too large")
    assert names(tmp_path / "run") == {"device.yaml", "request.json", "run.log"}


def test_a_log_that_cannot_be_written_does_not_cost_the_result(tmp_path: Path) -> None:
    # request.json still fits; the log, which repeats it and a long command line, does not
    cell = load_device("tin-taox-hfox-tin")
    request = Request(cell, IVSweep.from_device(cell), Settings.preset("default"))
    limit = len(request.to_json().encode()) + 50
    job = process(
        "iv",
        "--out",
        tmp_path / ("x" * 200) / ("y" * 200) / "run",
        behaviour="gives-up-at-once",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    _, stderr = job.communicate(timeout=300)
    assert job.returncode == 3  # the solver's own end, not that of the log
    assert stderr.count("run.log cannot be written") == 1


def test_when_the_solver_gives_up_its_part_is_kept(tmp_path: Path) -> None:
    line = error_line(call("iv", "--out", tmp_path / "run", behaviour="gives-up"), 3)
    assert "the vacancy concentration did not converge (t = 0.02 s, r = 1 nm, z = 31 nm)" in line
    assert "Try --preset fine. Kept up to 40.8 ms, +0.680 V in" in line
    ds = records.read(tmp_path / "run" / "iv.nc", "IVTrace")
    assert ds.attrs["complete"] == 0
    assert names(tmp_path / "run") == ALL_FILES
    assert "residual: 3.0" in (tmp_path / "run" / "run.log").read_text()


def test_when_the_solver_gives_up_at_once_the_log_stays(tmp_path: Path) -> None:
    line = error_line(call("iv", "--out", tmp_path / "run", behaviour="gives-up-at-once"), 3)
    assert line.endswith("Try --preset fine")
    assert names(tmp_path / "run") == {"device.yaml", "request.json", "run.log"}


def test_a_part_that_cannot_be_drawn_is_kept_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("nothing to see")

    monkeypatch.setattr("devicephys.plots.fields_figure", fail)
    result = call("iv", "--out", tmp_path / "run", behaviour="gives-up")
    assert result.exit_code == 3
    assert "warning: not every picture could be drawn: ValueError" in result.stderr
    assert names(tmp_path / "run") == ALL_FILES - {"fields.png"}
    assert "nothing to see" in (tmp_path / "run" / "run.log").read_text()


def test_an_unexpected_exception_is_one_line_and_its_traceback_is_kept(tmp_path: Path) -> None:
    line = error_line(call("iv", "--out", tmp_path / "run", behaviour="crash"), 1)
    start, log = line.split(". The traceback is in ")
    assert start == "error: unexpected ZeroDivisionError: no such thing"
    assert "Traceback (most recent call last)" in Path(log).read_text()
    assert list(tmp_path.iterdir()) == []  # nothing was computed
    Path(log).unlink()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_keep_what_was_computed(number: int, tmp_path: Path) -> None:
    out = tmp_path / "run"
    job = process("iv", "--out", out, behaviour="slow")
    assert job.stdout is not None
    assert job.stdout.readline() == "at 1\n"
    job.send_signal(number)
    _, stderr = job.communicate(timeout=300)
    assert job.returncode == 130, stderr
    last = stderr.splitlines()[-1]
    assert last == f"error: stopped by the user. Kept up to 40.8 ms, +0.680 V in {out / 'iv.nc'}"
    assert records.read(out / "iv.nc", "IVTrace").attrs["complete"] == 0
    assert names(out) == ALL_FILES
    assert "Traceback" not in stderr


def test_ctrl_c_before_the_first_step_gives_the_folder_back(tmp_path: Path) -> None:
    out = tmp_path / "a" / "run"
    job = process("iv", "--out", out, behaviour="slow-start")
    assert job.stdout is not None
    assert job.stdout.readline() == "started\n"
    job.send_signal(signal.SIGINT)
    _, stderr = job.communicate(timeout=300)
    assert job.returncode == 130
    assert stderr.splitlines()[-1].startswith("error: stopped before the first time step")
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_while_drawing_says_how_to_draw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("devicephys.plots.iv_figure", stop)
    line = error_line(call("iv", "--out", tmp_path / "run"), 130)
    assert f"'ddk-device plot {tmp_path / 'run'}' draws them" in line
    assert records.read(tmp_path / "run" / "iv.nc").attrs["complete"] == 1


def test_pictures_for_a_paper_lie_beside_those_of_the_run(tmp_path: Path) -> None:
    out = tmp_path / "run"
    call("iv", "--out", out, "--pictures", "none")
    before = names(out)
    asked = ("--figure-width", "85 mm", "--panels", "a,d", "--pictures", "pdf", "--picture-data")
    result = call("plot", out, *asked)
    assert result.exit_code == 0, result.output
    assert names(out) == {*before, "paper"}
    assert names(out / "paper") == {"iv.pdf", "iv.csv"}
    result = call("plot", out, "--panels", "B,C", "--font", "DejaVu Serif")
    assert names(out / "paper") == {"iv.pdf", "iv.csv", "fields.png"}
    line = error_line(call("plot", out, "--panels", "z"), 2)
    assert "iv.png has no panel z (--panels). It has a, b, c, d" in line
    assert "--font" in error_line(call("plot", out, "--font", "Ariel Narrow Bold"), 2)
