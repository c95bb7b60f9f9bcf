"""Waveforms from files: headings, units, signs, and what is wrong told with its line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

import devicephys
from ddkbase.errors import InputError
from devicephys import Waveform
from devicephys.cli.commands import app
from tests.cli_tools import call, error_line, names

WANTED = Waveform(["0 s", "1 ms", "4 ms"], ["0 V", "-0.3 V", "1.5 V"])


SCOPE = "Record Length,3,,\nSample Interval,0.001\nVertical Units,V,\nHorizontal Units,s,\n"
OLD_SCOPE = """Record Length,3,,0,0,
Sample Interval,1e-3,,0.001,-0.3,
Vertical Units,V,,0.004,1.5,
Horizontal Units,s,,0.005,0,
"""
OTHERS = {
    "blanks": "time(s)  voltage(V)\n0  0\n0.001  -0.3\n0.004  1.5\n",
    "behind a sign": "% of the generator\n% Time (ms)   V (V)\n0   0\n1   -0.3\n4   1.5\n",
    "oscilloscope": SCOPE + "TIME,CH1\n0,0\n0.001,-0.3\n0.004,1.5\n",
    "a temperature beside": "T (K),t (s),V (V)\n300,0,0\n300,1e-3,-0.3\n301,4e-3,1.5\n",
    "units alone": "x-axis,1\nsecond,Volt\n0,0\n0.001,-0.3\n0.004,1.5\n",
    "SPICE": "time\tV(in)\tI(R1)\n0\t0\t0\n1e-3\t-0.3\t1e-6\n4e-3\t1.5\t1e-6\n",
    "raw file": "Title: a\nFlags: real\nVariables:\n0 time time\n1 v(in) voltage\nValues:\n"
    " 0\t0\n\t0\n\n 1\t1e-3\n\t-0.3\n\n 2\t4e-3\n\t1.5\n",
    "in the cells": "time,voltage\n0 ms,0 V\n1 ms,-0.3 V\n4 ms,1.5 V\n",
    "sign between": "sep=;\nZeit (ms);Spannung (V)\n0;0\n1;-0,3\n4;1,5\n",
    "settings": "Instrument,AFG\nSample Rate,1000\n\nTime_s,Voltage_V\n0,0\n1e-3,-0.3\n4e-3,1.5\n",
}


@pytest.mark.parametrize("text", OTHERS.values(), ids=OTHERS.keys())
def test_waveforms_of_instruments_and_programs(text: str, tmp_path: Path) -> None:
    (tmp_path / "wave.txt").write_text(text)
    assert devicephys.read_waveform(tmp_path / "wave.txt") == WANTED


@pytest.mark.parametrize("coding", ["utf-16", "cp1252"])
def test_other_codings_and_kinds_of_files(coding: str, tmp_path: Path) -> None:
    text = "Zeit (\u00b5s);Spannung (V)\n0;0\n1000;-0,3\n4000;1,5\n"
    (tmp_path / "wave.csv").write_bytes(text.encode(coding))
    assert devicephys.read_waveform(tmp_path / "wave.csv") == WANTED
    np.savez(tmp_path / "wave.npz", time_s=WANTED.corners, voltage_V=WANTED.corner_voltages)
    assert devicephys.read_waveform(tmp_path / "wave.npz") == WANTED


def test_settings_beside_the_samples_and_two_channels(tmp_path: Path) -> None:
    file = tmp_path / "wave.csv"
    file.write_text(OLD_SCOPE)
    assert devicephys.read_waveform(file).corner_voltages.tolist() == [0, -0.3, 1.5, 0]
    file.write_text(SCOPE + "TIME,CH1,CH2\n0,0,0\n0.001,-0.3,1\n")
    with pytest.raises(InputError, match="2 columns of voltage among column 1 'TIME'"):
        devicephys.read_waveform(file)
    file.write_text(SCOPE.replace("Horizontal Units,s,\n", "") + "TIME,CH1\n0,0\n0.001,-0.3\n")
    with pytest.raises(InputError, match="says no unit of time"):
        devicephys.read_waveform(file)


@pytest.mark.parametrize(
    "text",
    [
        "time (s),voltage (V)\n0,0\n0.001,-0.3\n4e-3,1.5\n",
        "# a generator\nt (ms),V (mV)\n0,0\n1,-300\n\n4,1500\n",
        "Time [ms]\tVoltage [V]\r\n0\t0\r\n1\t-0,3\r\n4\t1,5\r\n",
        "t/ms;U/V\n0;0\n1;-0,3\n4;1,5\n",
        "time, ms, voltage, V\n0,0\n1,-0.3\n4,1.5\n",
        "Time\tVoltage\n(ms)\t(V)\n0\t0\n1\t\N{MINUS SIGN}0.3\n4\t1.5\n",
        "\ufeffIndex,time_ms,voltage_mV,Current (A)\n1,0,0,0\n2,1,-300,1e-6\n3,4,1500,nan\n",
        '"voltage (V)","time (us)"\n"0","0"\n-0.3,1000\n1.5,4000\n',
    ],
    ids=["plain", "milli", "tabs", "semicolons", "commas", "rows", "others", "swapped"],
)
def test_a_waveform_is_read(text: str, tmp_path: Path) -> None:
    file = tmp_path / "wave.csv"
    file.write_text(text, encoding="utf-8", newline="")
    assert devicephys.read_waveform(file) == WANTED


HEAD = "time (s),voltage (V)\n"


@pytest.mark.parametrize(
    ("text", "line", "complaint"),
    [
        (HEAD + "0,0\n1,nan\n", 3, "'nan' is not a finite number"),
        (HEAD + "0,0\ninf,1\n", 3, "'inf' is not a finite number"),
        (HEAD + "0,0\n1,\n", 3, "a value is missing"),
        (HEAD + "0,0\n1\n2,1\n", 3, "a value is missing"),
        (HEAD + "0,0\n1,1\n1,2\n", 4, "repeats"),
        (HEAD + "0,0\n2,1\n1,2\n", 4, "comes before"),
        (HEAD + "0,0\n1,200\n", 3, "more than any cell stands"),
        (HEAD + "0,0\n1,1e400\n", 3, "not a finite number"),
        (HEAD, 0, "no row of numbers"),
        (HEAD + "0,0\n", 0, "zero length"),
        (HEAD + "1,0\n2,1\n", 0, "starts at 1 s"),
        ("time,voltage\n0,0\n1,1\n", 0, "'time' says no unit"),
        ("time (V),voltage (V)\n0,0\n1,1\n", 0, "'V' is no unit of time"),
        ("time (s),voltage (furlong)\n0,0\n1,1\n", 0, "(furlong)' says no unit of voltage"),
        ("time (s),current (A)\n0,0\n1,1\n", 0, "no column of voltage"),
        ("time (s),V1 (V),V2 (V)\n0,0,0\n1,1,1\n", 0, "2 columns of voltage"),
        ("time (s),V a (V),V b (V)\n0,0,0\n1,1,1\n", 0, "2 columns of voltage"),
        ("rise time (s),voltage (V)\n0,0\n1,1\n", 0, "lengths of segments"),
        ("time increment (s),voltage (V)\n0,0\n1,1\n", 0, "lengths of segments"),
        ("log time (s),voltage (V)\n0,0\n1,1\n", 0, "logarithms"),
        ("time (s),voltage (%)\n0,0\n1,1\n", 0, "says no unit of voltage"),
        ("0,0\n1,1\n", 1, "no headings"),
        ("voltage (V)\n0\n1\n", 0, "one column only"),
        ("t/ms;U/V\n0;0\n1;1,234\n", 3, "between thousands"),
        ("t/ms;U/V\n0;0.1\n1;1,5\n", 3, "decimal points and with decimal commas"),
        ("", 0, "empty"),
    ],
)
def test_what_is_no_waveform_is_refused(
    text: str, line: int, complaint: str, tmp_path: Path
) -> None:
    file = tmp_path / "wave.csv"
    file.write_text(text)
    with pytest.raises(InputError) as info:
        devicephys.read_waveform(file)
    assert complaint in info.value.what
    where = info.value.where.split(", column")[0]
    assert where == (f"{file}, line {line}" if line else str(file))
    assert "Pass " not in info.value.hint  # there is no such argument here


@given(
    steps=st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=20),
    separator=st.sampled_from([(",", "."), (";", "."), (";", ","), ("\t", ","), ("\t", ".")]),
)
def test_numbers_survive_the_file(
    steps: list[float], separator: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    times = [float(f"{t:.9g}") for t in np.cumsum([0.0, *steps])]
    volts = [float(f"{np.sin(t):.9g}") if t else 0.0 for t in times]
    part, point = separator
    rows = [f"{t!r}{part}{v!r}".replace(".", point) for t, v in zip(times, volts, strict=True)]
    file = tmp_path_factory.mktemp("waves") / "wave.txt"
    file.write_text("\n".join([f"time (s){part}voltage (V)", *rows]))
    if len(set(times)) == len(times):
        assert devicephys.read_waveform(file) == Waveform.from_si(times, volts)


def test_numbers_with_one_unit() -> None:
    t, v = np.array([0.0, 1.0, 4.0]), [0, -300, 1500]
    assert Waveform((t, "ms"), (v, "mV")) == WANTED
    for bad, complaint in (
        ((t, "V"), "wrong dimension"),
        ((t, "furlong/s"), "wrong dimension"),
        (t, "no unit"),
        ((t[None], "ms"), "shape"),
        ((["x"], "ms"), "no number"),
        (([0, np.nan, 1], "ms"), "finite"),
    ):
        with pytest.raises(InputError, match=complaint):
            Waveform(bad, (v, "mV"))
    # a pair of texts is two quantities, as it was
    assert Waveform(("0 s", "1 ms"), ("0 V", "1 V")).duration == 1e-3


@pytest.mark.usefixtures("settled")
def test_the_command_refuses_before_it_starts(tmp_path: Path) -> None:
    file, out = tmp_path / "wave.csv", tmp_path / "run"
    file.write_text("time (s),voltage (V)\n0,0.1\n1,1\n")
    assert "starts at 0.1 V" in error_line(call("waveform", file, "--out", out), 2)
    assert "no such file" in error_line(call("waveform", tmp_path / "wav.csv", "--out", out), 2)
    file.write_text("time\tV(in)\n0\t0.1\n1\t1\n")
    done = call("waveform", file, "--out", out)
    assert "headings as of SPICE: V(...) taken as volts" in done.stderr + done.stdout
    assert not out.exists()


def invoke(*arguments: object) -> Result:
    """The command in this process, with the solver itself."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.fem
def test_the_command_runs_a_waveform(tmp_path: Path) -> None:
    pytest.importorskip("mpi4py.MPI")  # before dolfinx
    pytest.importorskip("dolfinx")
    file, out = tmp_path / "wave.csv", tmp_path / "run"
    file.write_text("time (ms);voltage (V)\n0;0\n2;-0,2\n4;0\n")
    result = invoke("waveform", file, "--preset", "quick", "--out", out)
    assert result.exit_code == 0, result.output
    assert {"iv.nc", "time.png", "iv.png", "report.html", "request.json"} <= set(names(out))
    assert "Resistance, last read at 0.1 V" in result.stdout
    assert invoke("resume", out).exit_code == 0
