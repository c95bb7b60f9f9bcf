"""The command line: exit codes, one line per error, nothing lost, nothing half written.

A drawn loop stands in for the solver (`tests.fake_solver`).
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from devicephys import installation, records, runfolder
from devicephys.cli import app
from devicephys.device import load_device
from devicephys.errors import InstallationError, StorageError
from devicephys.progress import Reporter, headline_rows
from tests import fake_solver
from tests.synthetic import iv_trace

ROOT = Path(__file__).resolve().parent.parent
ALL_FILES = set(runfolder.RUN_FILES)


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests neither need the finite-element stack nor change what other tests see."""
    monkeypatch.setitem(sys.modules, "devicephys.simulation", fake_solver.module("done"))
    monkeypatch.setattr(installation, "require_solver", lambda: None)
    monkeypatch.setenv("PETSC_OPTIONS", "")
    monkeypatch.setenv("COLUMNS", "120")


def call(*arguments: object, behaviour: str = "done") -> Result:
    sys.modules["devicephys.simulation"] = fake_solver.module(behaviour)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def process(*arguments: object, behaviour: str = "done", **more: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.fake_solver", behaviour, *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more
    )


def error_line(result: Result, code: int) -> str:
    """The one line on the error stream that begins with "error:"."""
    assert result.exit_code == code, result.output
    lines = [line for line in result.stderr.splitlines() if not line.lstrip()[:1].isdigit()]
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("error: ")
    assert "Traceback" not in result.output
    return lines[0]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


# what a run leaves behind


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


def test_on_a_terminal_progress_is_a_bar() -> None:
    import io

    from rich.console import Console

    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=120)
    logged: list[str] = []
    with Reporter(console, logged.append) as reporter:
        fake_solver.tell(reporter, 30)
    assert "preparing the solver" in stream.getvalue()
    assert len(logged) == 30


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


# bad input


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--rate", "100"], "'100' has no unit"),
        (["--rate", "100 V"], "wrong dimension"),
        (["--rate", "nan V/s"], "not a finite number"),
        (["--rate", "0 V/s"], "rate"),
        (["--reset-voltage", "1 V"], "RESET is negative"),
        (["--set-voltage", "-1 V"], "SET is positive"),
        (["--set", "filament.radus=8 nm"], "Did you mean 'filament.radius'?"),
        (["--set", "filament.radius"], "is not KEY=VALUE"),
        (["--set", "=8 nm"], "is not KEY=VALUE"),
        (["--set", "filament.radius=8"], "has no unit"),
        (["--set", "filament.radius=inf nm"], "not a finite number"),
        (["--set", "filament.radius=80 nm"], "wider than the cell"),
        (["--set", "layers.TaOx.thickness=-1 nm"], "layers.TaOx.thickness"),
        (["--set", "outer_radius=40 nm", "--set", "outer_radius=50 nm"], "is set twice"),
        (["--device", "tin-taox"], "Did you mean 'tin-taox-hfox-tin'?"),
        (["--device", "missing.yaml"], "no such file"),
    ],
)
def test_bad_input_is_one_line_and_touches_nothing(
    arguments: list[str], complaint: str, tmp_path: Path
) -> None:
    line = error_line(call("iv", "--out", tmp_path / "run", *arguments), 2)
    assert complaint in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["iv"],
        ["iv", "--out", "x", "--loops", "0"],
        ["iv", "--out", "x", "--preset", "fast"],
        ["no"],
    ],
)
def test_wrong_usage_is_code_2(arguments: list[str]) -> None:
    assert call(*arguments).exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--out", ""], "empty (--out)"),
        (["--rate", ""], "empty (--rate)"),
        (["--set", "sweep.reset_voltage=-1 V", "--reset-voltage", "-1 V"], "set twice"),
        (["--set", "sweep.loops=2", "--loops", "2"], "set twice"),
    ],
)
def test_empty_and_double_options_are_code_2(
    arguments: list[str], complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert complaint in error_line(call("iv", "--out", "run", *arguments), 2)
    assert list(tmp_path.iterdir()) == []


# the installation


def test_forms_whose_compilation_was_killed_are_removed(tmp_path: Path) -> None:
    for name in ("libffcx_forms_a.c", "libffcx_forms_a.o", "libffcx_forms_b.c"):
        (tmp_path / name).write_text("")
        os.utime(tmp_path / name, (1e9, 1e9))
    (tmp_path / "libffcx_forms_b.c.cached").write_text("")
    installation.remove_forsaken(tmp_path)
    assert names(tmp_path) == {
        "libffcx_forms_b.c",
        "libffcx_forms_b.c.cached",
        "ddk-device.lock",
    }


@pytest.mark.fem
def test_a_missing_compiler_is_said_before_anything_is_written(tmp_path: Path) -> None:
    environment = {"PATH": str(tmp_path / "empty"), "HOME": os.environ.get("HOME", "/")}
    for extra, complaint in (
        ({}, "error: no C compiler was found"),
        ({"CC": "nicc -O2"}, "error: the C compiler 'nicc', which the variable CC names"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "devicephys.cli", "iv", "--out", str(tmp_path / "run")],
            cwd=ROOT,
            env={**environment, **extra},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 2
        stderr = done.stderr
        assert stderr.startswith(complaint)
        assert len(stderr.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_a_missing_finite_element_stack_names_the_way_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(installation, "_is_installed", lambda package: False)
    result = call("iv", "--out", tmp_path / "run")
    line = error_line(result, 2)
    assert "dolfinx" in line and "environment.yml" in line
    assert list(tmp_path.iterdir()) == []


def test_a_compiler_that_is_there_replaces_one_that_built_python_and_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("CC", "")
    monkeypatch.setattr(installation, "_is_installed", lambda package: True)
    monkeypatch.setattr(installation, "_compiler_of_python", lambda: ["/gone/clang"])
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/gcc" if name == "gcc" else None)
    monkeypatch.setattr(installation, "_prepare_cache", lambda: None)
    installation.require_solver()
    assert os.environ["CC"] == "/usr/bin/gcc"


def test_info_names_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> str:
        raise InstallationError("no C compiler was found", hint="Install one.")

    monkeypatch.setattr(installation, "find_compiler", fail)
    result = call("info")
    assert result.exit_code == 2
    assert "error: C compiler: no C compiler was found. Install one." in result.stderr
    for text in ("numpy", "h5netcdf", "dolfinx", "PETSc", "MPI", "python"):
        assert text in result.stdout


@pytest.mark.fem
def test_info_finds_this_installation_well() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "devicephys.cli", "info"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "written and read back" in done.stdout


# the folder


@pytest.mark.parametrize("name", sorted(ALL_FILES))
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


def test_of_many_claims_on_one_folder_one_succeeds(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "from devicephys.errors import StorageError\n"
        "from devicephys.runfolder import RunFolder\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "for k in range(40):\n"
        "    try:\n"
        "        RunFolder.claim(pathlib.Path(sys.argv[1]) / str(k)); print(k)\n"
        "    except StorageError: pass\n"
    )
    jobs = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for job in jobs:
        assert job.stdout is not None
        assert job.stdout.readline() == "ready\n"
    won: list[str] = []
    for job in jobs:
        assert job.stdin is not None
        job.stdin.write("go\n")
        job.stdin.flush()
    for job in jobs:
        won += job.communicate(timeout=60)[0].split()
        assert job.returncode == 0
    assert sorted(won, key=int) == [str(k) for k in range(40)]


def test_of_two_runs_into_one_folder_one_succeeds(tmp_path: Path) -> None:
    out = tmp_path / "run"
    jobs = [process("iv", "--out", out) for _ in range(2)]
    ends = [(job.communicate(timeout=120)[1], job.returncode) for job in jobs]
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
    _, stderr = job.communicate(timeout=120)
    assert job.returncode == 4
    last = stderr.splitlines()[-1]
    assert last.startswith("error: the file cannot be written: File too large")
    assert names(tmp_path / "run") == {"device.yaml", "run.log"}


def test_a_log_that_cannot_be_written_does_not_cost_the_result(tmp_path: Path) -> None:
    # device.yaml still fits, the log, which repeats it, does not
    limit = len(load_device("tin-taox-hfox-tin").to_yaml().encode()) + 50
    job = process(
        "iv",
        "--out",
        tmp_path / "run",
        behaviour="gives-up-at-once",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    _, stderr = job.communicate(timeout=120)
    assert job.returncode == 3  # the solver's own end, not that of the log
    assert stderr.count("run.log cannot be written") == 1


def test_a_folder_that_vanished_does_not_cost_the_result(tmp_path: Path) -> None:
    with runfolder.RunFolder.claim(tmp_path / "run") as folder:
        shutil.rmtree(tmp_path / "run")
        with pytest.raises(StorageError, match="The result was kept in") as info:
            folder.save(iv_trace(fine=4, frames=3))
    spare = Path(str(info.value).split("kept in ")[1].removesuffix(" instead."))
    assert records.read(spare).sizes["frame"] == 3
    shutil.rmtree(spare.parent)


# the solver gives up, the user stops, something unexpected


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
    assert names(tmp_path / "run") == {"device.yaml", "run.log"}


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


def test_outside_a_run_the_traceback_goes_to_a_temporary_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("devicephys.device.load_device", fail)
    line = error_line(call("show-device"), 1)
    kept = Path(line.split("The traceback is in ")[1])
    assert "RuntimeError: broken" in kept.read_text()
    kept.unlink()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_keep_what_was_computed(number: int, tmp_path: Path) -> None:
    out = tmp_path / "run"
    job = process("iv", "--out", out, behaviour="slow")
    assert job.stdout is not None
    assert job.stdout.readline() == "started\n"
    job.send_signal(number)
    _, stderr = job.communicate(timeout=60)
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
    _, stderr = job.communicate(timeout=60)
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


def test_other_ranks_of_a_parallel_run_write_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PMI_RANK", "1")
    for first, code in ((("", 0), 0), (("occupied", 4), 4)):
        world = types.SimpleNamespace(rank=1, size=2, allgather=lambda own, f=first: [f, own])
        monkeypatch.setattr(installation, "world", lambda w=world: w)
        result = call("iv", "--out", tmp_path / "run")
        assert (result.exit_code, result.output) == (code, "")
    assert list(tmp_path.iterdir()) == []


def test_what_one_rank_alone_meets_ends_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[int] = []
    world = types.SimpleNamespace(
        rank=1, size=2, allgather=lambda own: [("", 0), own], Abort=ended.append
    )
    monkeypatch.setattr(installation, "world", lambda: world)
    result = call("iv", "--out", tmp_path / "run", behaviour="crash")
    assert ended == [1]
    assert result.stderr.startswith("error: unexpected ZeroDivisionError: no such thing")
    Path(result.stderr.split("The traceback is in ")[1].strip()).unlink()


# devices, verification, start-up


def test_show_device_prints_every_parameter(tmp_path: Path) -> None:
    result = call("show-device")
    assert result.exit_code == 0
    for text in ("filament.radius", "9 nm", "article", "Voltages are those of the 1T1R cell"):
        assert text in result.stdout
    changed = call("show-device", "larentis-stack", "--yaml", "--set", "filament.radius=8 nm")
    (tmp_path / "mine.yaml").write_text(changed.stdout)
    again = call("show-device", tmp_path / "mine.yaml", "--yaml")
    assert again.stdout == changed.stdout
    assert "8 nm" in again.stdout
    assert "unknown device" in error_line(call("show-device", "nothing"), 2)


def test_square_brackets_of_a_device_are_printed_as_they_are(tmp_path: Path) -> None:
    text = load_device("tin-taox-hfox-tin").to_yaml()
    line = next(line for line in text.splitlines() if line.startswith("outer_radius:"))
    changed = "outer_radius: {value: 40 nm, mark: assumed, source: '[/nope] [bold]x'}"
    (tmp_path / "mine.yaml").write_text(text.replace(line, changed))
    result = call("show-device", tmp_path / "mine.yaml")
    assert result.exit_code == 0, result.output
    assert "[/nope] [bold]x" in result.stdout


def test_list_devices() -> None:
    listed = call("list-devices").stdout.split()
    assert {"tin-taox-hfox-tin", "larentis-stack", "kim-stack"} <= set(listed)


@pytest.mark.parametrize("passed", [True, False])
def test_verify_prints_its_rows_and_fails_with_code_3(
    passed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [("slab", "heat", "0.5 %", 0.123456, True), ("coax", "heat", "0.5 %", "2 %", passed)]
    asked: list[bool] = []

    def run(quick: bool) -> list[tuple[Any, ...]]:
        asked.append(quick)
        return rows

    verification: Any = types.ModuleType("devicephys.verification")
    verification.run = run
    monkeypatch.setitem(sys.modules, "devicephys.verification", verification)
    monkeypatch.setattr("devicephys.verification", verification, raising=False)
    result = call("verify", "--quick")
    assert asked == [True]
    assert "0.1235" in result.stdout and "2 %" in result.stdout
    if passed:
        assert result.exit_code == 0
    else:
        assert "1 verification(s) failed: coax, heat" in error_line(result, 3)


def test_headline_rows_say_what_was_not_reached() -> None:
    rows = headline_rows({"set_voltage": None, "high_resistance": float("nan"), "mine": 3})
    assert rows == [("SET", "not reached"), ("High resistance", "not reached"), ("mine", "3")]
    json.dumps(rows)


def test_headline_rows_put_loops_and_seconds_into_words() -> None:
    loops = [
        {"reset_onset_voltage": -1.25, "set_voltage": 1.42},
        {"reset_onset_voltage": -1.234, "set_voltage": None},
    ]
    seconds = {"jacobian": 0.8, "factorisation": 1.5, "rest": 0.01, "solving": 2.31, "setup": 0.2}
    figures = {"cells": 550, "unknowns": 1782, "steps": 173, "loops": loops, "seconds": seconds}
    assert headline_rows(figures) == [
        ("Accepted steps", "173"),
        ("Cells of the mesh", "550"),
        ("Unknowns", "1782"),
        ("RESET onset, loops", "-1.25, -1.23 V"),
        ("SET, loops", "+1.42, not reached"),
        ("Time", "2.5 s (factorisation 1.5, Jacobian 0.8, setup 0.2)"),
    ]
    assert headline_rows({"loops": loops[:1], "mine": {}, "seconds": {}}) == []


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from devicephys.cli import app\n"
        "heavy = {'matplotlib', 'xarray', 'pandas', 'dolfinx', 'petsc4py', 'mpi4py'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
