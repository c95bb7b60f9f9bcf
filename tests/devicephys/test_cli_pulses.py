"""``ddk-device pulses``: what a train leaves, bad input, the ways it can end.

A drawn train stands in for the solver (`tests.fake_solver`).
"""

from __future__ import annotations

import json
import signal
import types
from pathlib import Path

import pytest

from ddkbase import records
from devicephys import installation
from devicephys.device import load_device
from devicephys.population.variability import Variability
from devicephys.protocol.pulse_train import PulseTrain
from devicephys.run import folder as runfolder
from devicephys.run.request import Request
from devicephys.simulation.settings import Settings
from tests.cli_tools import call, error_line, names, process, wait_for

pytestmark = pytest.mark.usefixtures("settled")
ALL_FILES = set(runfolder.PULSE_FILES)
OPTIONS = ("--amplitude", "-1.5 V", "--width", "50 ns", "--count", "40", "--period", "2 us")
MORE = ("--rise", "2 ns", "--fall", "3 ns", "--read-voltage", "0.2 V")


def test_a_train_fills_its_folder(tmp_path: Path) -> None:
    out = tmp_path / "new" / "run"
    asked = ("--initial-resistance", "5 kohm", "--set", "filament.radius=8 nm")
    result = call("pulses", "--out", out, *OPTIONS, *MORE, *asked, "--preset", "quick")
    assert result.exit_code == 0, result.output
    assert names(out) == ALL_FILES
    ds = records.read(out / "pulses.nc", "PulseTrace")
    assert (ds.attrs["complete"], ds.sizes["pulse"]) == (1, 40)
    for text in (
        "Conductance, start",
        "200 uS (5 kohm)",
        "5 kohm asked, 7 pulse(s)",
        "Window",
        "°C (pulse 1)",
        "Newton iterations a pulse",
        "90.0",
        "2.5 s (rest 2.0, setup 0.5)",
        str(out / "pulses.png"),
    ):
        assert text in result.stdout
    log = (out / "run.log").read_text()
    assert log.count("\npulse ") == 40
    for text in ("50 ns", "preparing, pulse 3", "rejected 1 step(s)", "Window: ", "8 nm"):
        assert text in log
    request = Request.read(out / "request.json")
    assert request.protocol == PulseTrain(
        "-1.5 V", "50 ns", 40, "2 ns", "3 ns", "2 us", read_voltage="0.2 V"
    )
    assert (request.initial_resistance, request.seed, request.variability) == ("5 kohm", None, None)
    assert request.settings == Settings.preset("quick")


def test_without_options_it_is_the_train_of_the_toolkit(tmp_path: Path) -> None:
    assert call("pulses", "--out", tmp_path / "run").exit_code == 0
    assert Request.read(tmp_path / "run" / "request.json").protocol == PulseTrain()


def test_a_seed_draws_a_cell_of_a_population(tmp_path: Path) -> None:
    file = tmp_path / "spreads.yaml"
    file.write_text("filament_radius: 0.02\n")
    given = ("--seed", "7", "--cycle", "3", "--device-number", "12", "--count", "2")
    for name, more, spreads in (
        ("usual", (), Variability()),
        ("mine", ("--variability", file), Variability(filament_radius=0.02)),
    ):
        result = call("pulses", "--out", tmp_path / name, *given, *more)
        assert result.exit_code == 0, result.output
        attrs = records.read(tmp_path / name / "pulses.nc").attrs
        assert (attrs["seed"], attrs["cycle"], attrs["device_number"]) == (7, 3, 12)
        assert attrs["spreads"] == str(spreads)
    assert call("pulses", "--out", tmp_path / "none", "--count", "2").exit_code == 0
    assert records.read(tmp_path / "none" / "pulses.nc").attrs["spreads"] == "None"


def test_heights_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "heights.csv"
    file.write_text("amplitude [V]\n-2\n1.5\n0\n")
    assert call("pulses", "--out", tmp_path / "run", "--amplitudes", file).exit_code == 0
    ds = records.read(tmp_path / "run" / "pulses.nc")
    assert ds["amplitude"].values.tolist() == [-2.0, 1.5, 0.0]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--amplitude", "-2"], "'-2' has no unit (--amplitude)"),
        (["--amplitude", ""], "the value is empty (--amplitude)"),
        (["--width", "100 V"], "wrong dimension (--width)"),
        (["--width", "0 s"], "0 s is not positive (--width)"),
        (["--drive", "word-line"], "--drive"),
        (["--gate-voltage", "1 V"], "--gate-voltage"),
        (["--drive", "bit-line", "--set", "series.kind=none"], "--drive"),
        (["--period", "100 ns"], "too short for pulse and read"),
        (["--read-voltage", "0 V"], "measures nothing (--read-voltage)"),
        (["--initial-resistance", "5"], "'5' has no unit (--initial-resistance)"),
        (["--initial-resistance", "-5 kohm"], "is not positive (--initial-resistance)"),
        (["--amplitudes", "{file}", "--amplitude", "1 V"], "heights are given twice"),
        (["--amplitudes", "{file}", "--count", "4"], "3 values for 4 pulses (--amplitudes)"),
        (["--amplitudes", "none.csv"], "no such file (none.csv)"),
        (["--cycle", "1"], "nothing is drawn without a seed (--cycle)"),
        (["--device-number", "0"], "nothing is drawn without a seed (--device-number)"),
        (["--variability", "{file}"], "nothing is drawn without a seed (--variability)"),
        (["--seed", "1", "--variability", "{file}"], "is not a mapping"),
        (["--set", "filament.radus=8 nm"], "Did you mean 'filament.radius'?"),
        (["--out", ""], "empty (--out)"),
    ],
)
def test_bad_input_is_one_line_and_touches_nothing(
    arguments: list[str], complaint: str, tmp_path: Path
) -> None:
    file = tmp_path / "heights"
    file.write_text("-2 V\n1.5 V\n0 V\n")
    given = [argument.format(file=file) for argument in arguments]
    line = error_line(call("pulses", "--out", tmp_path / "run", *given), 2)
    assert complaint in line
    assert names(tmp_path) == {"heights"}


@pytest.mark.parametrize(
    "arguments",
    [["--count", "0"], ["--seed", "-1"], ["--checkpoint-every", "0"], ["--preset", "fast"]],
)
def test_wrong_usage_is_code_2(arguments: list[str], tmp_path: Path) -> None:
    assert call("pulses", "--out", tmp_path / "run", *arguments).exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_plot_draws_a_train_again(tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert call("pulses", "--out", out, "--count", "3").exit_code == 0
    (out / "pulses.png").write_bytes(b"old")
    result = call("plot", out)
    assert result.stdout.splitlines() == [str(out / "pulses.png"), str(out / "report.html")]
    assert (out / "pulses.png").stat().st_size > 1000


def test_when_the_solver_gives_up_its_part_is_kept(tmp_path: Path) -> None:
    out = tmp_path / "run"
    line = error_line(call("pulses", "--out", out, *OPTIONS, behaviour="gives-up"), 3)
    assert f"Try --preset fine. Kept 16 pulses in {out / 'pulses.nc'}" in line
    assert records.read(out / "pulses.nc", "PulseTrace").attrs["complete"] == 0
    assert names(out) == ALL_FILES
    assert "residual: 3.0" in (out / "run.log").read_text()


def test_an_unexpected_exception_is_one_line(tmp_path: Path) -> None:
    line = error_line(call("pulses", "--out", tmp_path / "run", behaviour="crash"), 1)
    assert line.startswith("error: unexpected ZeroDivisionError: no such thing. The traceback is")
    Path(line.split("The traceback is in ")[1]).unlink()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_keep_what_was_computed(number: int, tmp_path: Path) -> None:
    out = tmp_path / "run"
    job = process("pulses", "--out", out, *OPTIONS, behaviour="slow")
    wait_for(job, 2)
    job.send_signal(number)
    _, stderr = job.communicate(timeout=300)
    assert job.returncode == 130, stderr
    last = stderr.splitlines()[-1]
    assert last == f"error: stopped by the user. Kept 16 pulses in {out / 'pulses.nc'}"
    assert names(out) == ALL_FILES
    assert "Traceback" not in stderr


def test_ctrl_c_before_the_first_pulse_gives_the_folder_back(tmp_path: Path) -> None:
    job = process("pulses", "--out", tmp_path / "a" / "run", behaviour="slow-start")
    assert job.stdout is not None
    assert job.stdout.readline() == "started\n"
    job.send_signal(signal.SIGINT)
    _, stderr = job.communicate(timeout=300)
    assert job.returncode == 130
    assert stderr.splitlines()[-1].startswith("error: stopped before the first time step")
    assert list(tmp_path.iterdir()) == []


def test_other_ranks_of_a_parallel_train_write_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = load_device("tin-taox-hfox-tin")
    asked = Request(cell, PulseTrain(count=3), Settings.preset("quick"), 2).to_json()
    monkeypatch.setenv("PMI_RANK", "1")
    for first, code in ((("", 0, asked), 0), (("occupied", 4, ""), 4)):
        world = types.SimpleNamespace(rank=1, size=2, allgather=lambda own, f=first: [f, own])
        monkeypatch.setattr(installation, "world", lambda w=world: w)
        for command in (("pulses", "--count", "3", "--out"), ("resume",)):
            for more in ((), ("--json",)):
                result = call(*command, tmp_path / "run", *more)
                assert (result.exit_code, result.output) == (code, "")
    assert list(tmp_path.iterdir()) == []


def test_the_request_tells_what_a_command_line_asks_for(tmp_path: Path) -> None:
    assert call("pulses", "--out", tmp_path, "--checkpoint-every", "7").exit_code == 0
    plain = json.loads((tmp_path / "request.json").read_text())
    assert (plain["kind"], plain["checkpoint_every"]) == ("pulses", 7)
    assert not (tmp_path / runfolder.CHECKPOINT).exists()  # the train is complete
