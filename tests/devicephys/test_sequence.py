"""Sequences: each bad step is named; each step begins with the end of the one before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import devicephys
from ddkbase.errors import InputError, StorageError
from ddkbase.files import temporary_path
from ddkbase.folders import at_work
from devicephys import Bake, IVSweep, PulseTrain, Sequence, read_sequence, run_sequence
from tests.cli_tools import call, error_line

GOOD = """\
preset: quick
set: {filament.radius: 8 nm}
steps:
  - {name: cycle, kind: loop, first: set, rate: 1 V/s}
  - {name: down, kind: pulses, amplitude: -2 V, count: 3, initial_resistance: 5 kohm}
  - {name: own, kind: waveform, file: wave.csv}
  - {name: oven, kind: bake, temperature: 125 degC, duration: 1 h}
  - {name: look, kind: read}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "wave.csv").write_text("time (ms),voltage (V)\n0,0\n1,-0.2\n2,0\n")
    (tmp_path / "late.csv").write_text("time (ms),voltage (V)\n0,0.1\n1,-0.2\n")
    return tmp_path / "steps.yaml"


def test_steps_become_runs(file: Path, tmp_path: Path) -> None:
    file.write_text(GOOD)
    sequence = read_sequence(file)
    loop, pulses, own, bake, read = (step.request for step in sequence.steps)
    assert isinstance(loop.protocol, IVSweep) and loop.protocol.first == "set"
    assert loop.device.sweep.rate == 1.0 and loop.device.filament.radius == 8e-9
    assert isinstance(pulses.protocol, PulseTrain) and pulses.initial_resistance == "5 kohm"
    assert pulses.protocol.count == 3 and own.protocol.duration == 2e-3
    assert isinstance(bake.protocol, Bake) and bake.protocol.temperatures == (398.15,)
    assert isinstance(read.protocol, PulseTrain) and read.protocol.amplitudes.tolist() == [0.0]
    assert {step.request.settings.name for step in sequence.steps} == {"quick"}
    assert sequence.folder_of(2) == "03-own"
    (tmp_path / "kept.json").write_text(json.dumps(sequence.to_dict()))
    assert Sequence.read(tmp_path / "kept.json").to_dict() == sequence.to_dict()


@pytest.mark.parametrize(
    ("step", "complaint"),
    [
        ("{name: oven, kind: bake, temperature: -300 degC, duration: 1 h}", "below absolute zero"),
        ("{name: oven, kind: bake, temperature: 85 degC}", "needs its duration"),
        ("{name: oven, kind: bake, duration: 1 h}", "needs its temperature"),
        ("{name: oven, kind: cook}", "unknown kind 'cook'"),
        ("{name: oven, kind: pulses, amplitude: -2}", "has no unit"),
        ("{name: oven, kind: pulses, initial_resistance: 5000}", "has no unit"),
        ("{name: oven, kind: pulses, hight: -2 V}", "unknown key 'hight'"),
        ("{name: oven, kind: loop, loops: 0}", "loops"),
        ("{name: oven, kind: loop, reset_voltage: 1 V}", "not negative"),
        ("{name: oven, kind: loop, first: both}", "both"),
        ("{name: oven, kind: waveform, file: wav.csv}", "no such file"),
        ("{name: oven, kind: waveform, file: late.csv}", "starts at 0.1 V"),
        ("{name: oven, kind: waveform}", "names no file"),
        ("{name: oven, kind: read, voltage: 0 V}", "measures nothing"),
        ("{name: cycle, kind: read}", "given twice"),
    ],
)
def test_a_bad_step_is_named(step: str, complaint: str, file: Path) -> None:
    file.write_text(f"steps:\n  - {{name: cycle, kind: loop}}\n  - {step}\n")
    with pytest.raises(InputError) as caught:
        read_sequence(file)
    message = str(caught.value)
    assert complaint in message
    assert f"{file}, step 2 '" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "holds no sequence"),
        ("steps: []", "no list of steps"),
        ("steps: 3", "no list of steps"),
        ("- 3", "holds no sequence"),
        ("stepz: []\nsteps: []", "unknown key 'stepz'"),
        ("preset: rough\nsteps: []", "unknown preset"),
        ("device: nothing\nsteps: []", "nothing"),
        ("set: {filament.radius: 8}\nsteps: []", "no unit"),
        ("checkpoint_every: 0\nsteps: []", "checkpoint_every"),
        ("steps: [3]", "is no step"),
        ("steps: [{kind: read}]", "is no name"),
        ("steps: [{name: a/b, kind: read}]", "is no name"),
        ("steps: [", "not valid YAML"),
    ],
)
def test_what_is_no_sequence_is_refused(text: str, complaint: str, file: Path) -> None:
    file.write_text(text)
    with pytest.raises(InputError, match=complaint):
        read_sequence(file)


@pytest.mark.usefixtures("settled")
def test_the_command_takes_no_strange_folder(file: Path, tmp_path: Path) -> None:
    file.write_text("steps:\n  - {name: cycle, kind: loop}\n  - {name: b, kind: bake}\n")
    assert "step 2 'b'" in error_line(call("sequence", file, "--out", tmp_path / "run"), 2)
    file.write_text("steps:\n  - {name: cycle, kind: loop}\n")
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").write_text("mine")
    assert "not empty" in error_line(call("sequence", file, "--out", full), 4)
    assert "no such file" in error_line(call("sequence", tmp_path / "x", "--out", full), 2)


@pytest.mark.usefixtures("settled")
def test_a_sequence_goes_on_and_is_one_sequence(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    file.write_text("steps:\n  - {name: cycle, kind: loop}\n")
    assert call("sequence", file, "--out", out).exit_code == 0
    record = (out / "01-cycle" / "iv.nc").stat().st_mtime_ns
    result = call("resume", out)
    assert result.exit_code == 0, result.output
    assert "cycle" in result.stdout
    assert (out / "01-cycle" / "iv.nc").stat().st_mtime_ns == record, "not computed again"
    assert "01-cycle/report.html" in (out / "report.html").read_text()
    file.write_text("steps:\n  - {name: other, kind: loop}\n")
    assert "another sequence" in error_line(call("sequence", file, "--out", out), 4)
    (out / "sequence.json").write_text('{"format": 1, "steps": [{}]}')
    with pytest.raises(StorageError, match="damaged"):
        Sequence.read(out / "sequence.json")


@pytest.mark.usefixtures("settled")
def test_a_second_process_is_told_and_a_kill_at_the_start_is_no_end(
    file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    file.write_text("steps:\n  - {name: cycle, kind: loop}\n")
    with at_work(out):
        told = error_line(call("sequence", file, "--out", out), 4)
    assert "another process is still at work in this folder" in told and not [*out.iterdir()]
    temporary_path(out / "sequence.json").write_text("{")  # killed while it was written
    assert call("sequence", file, "--out", out).exit_code == 0
    assert {path.name for path in out.iterdir()} == {"01-cycle", "report.html", "sequence.json"}
    with at_work(out):
        assert "still at work" in error_line(call("resume", out), 4)


@pytest.mark.fem
def test_the_state_is_handed_on(file: Path, tmp_path: Path) -> None:
    pytest.importorskip("mpi4py.MPI")  # before dolfinx
    pytest.importorskip("dolfinx")
    file.write_text(
        "preset: quick\nsteps:\n"
        "  - {name: down, kind: pulses, amplitude: -3 V, count: 4}\n"
        "  - {name: look, kind: read}\n"
        "  - {name: oven, kind: bake, temperature: 20 degC, duration: 1 us, first_read: 0.1 us}\n"
    )
    sequence = read_sequence(file)
    down, look, oven = run_sequence(tmp_path / "run", sequence)
    after = float(down.conductance[-1])
    assert after < 0.8 * float(down.initial_conductance)
    assert float(look.initial_conductance) == pytest.approx(after, rel=2e-3)
    assert float(oven.conductance[0, -1]) == pytest.approx(after, rel=1e-2)
    rows = devicephys.sequence_entries(sequence, [down, look, oven])
    assert rows[1]["resistance_before"] == pytest.approx(1 / after, rel=2e-3)
    assert look.attrs["started_from"] == str(tmp_path / "run" / "01-down")
