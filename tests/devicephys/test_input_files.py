"""Heights of pulses and spreads of cells from files; what is wrong is told with its line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ddkbase.errors import InputError
from devicephys.cli.pulses import read_amplitudes, read_spreads
from devicephys.population.variability import Variability
from devicephys.protocol.pulse_train import PulseTrain


@pytest.mark.parametrize(
    "text",
    [
        "-2 V\n1.5 V\n0 V\n",
        "-2 V\r\n1500 mV\r\n0 V",
        "# a waveform\n\n-2V  # deep\n\n  1.5 V\n0 uV\n\n",
        "amplitude [V]\n-2\n1.5\n0\n",
        "amplitude (mV)\n-2000\n1.5e3\n0.0\n",
        "\ufeffwrite voltage [V]\n\N{MINUS SIGN}2\n+1.5\n0 mV\n",
        '"amplitude [V]"\n"-2"\n"1.5"\n"0"\n',
    ],
    ids=["units", "windows", "comments", "header", "millivolts", "signs", "quotes"],
)
def test_heights_are_read(text: str, tmp_path: Path) -> None:
    file = tmp_path / "heights.csv"
    file.write_text(text, encoding="utf-8", newline="")
    train = PulseTrain(amplitude=read_amplitudes(file))
    assert train.amplitudes.tolist() == [-2.0, 1.5, 0.0]


@pytest.mark.parametrize(
    ("text", "line", "complaint"),
    [
        ("-2 V\n1.5\n", 2, "'1.5' has no unit"),
        ("-2 V\n\n1.5 A\n", 3, "wrong dimension"),
        ("amplitude\n-2\n", 1, "does not start with a number"),
        ("amplitude [s]\n-2\n", 1, "wrong dimension"),
        ("amplitude [furlongs]\n-2\n", 1, "furlong"),
        ("amplitude [V]\n-2\nx\n", 3, "does not start with a number"),
        ("amplitude [V]\n-2\nnan\n", 3, "not a finite number"),
        ("amplitude [V]\n-2\namplitude [V]\n", 3, "does not start with a number"),
        ("-2 V, 100 ns\n", 1, "more than one column"),
        ("-1,5 V\n", 1, "more than one column"),
        ("amplitude [V];width [s]\n-2;1\n", 1, "more than one column"),
    ],
)
def test_a_bad_line_is_told(text: str, line: int, complaint: str, tmp_path: Path) -> None:
    file = tmp_path / "heights.csv"
    file.write_text(text)
    with pytest.raises(InputError) as info:
        read_amplitudes(file)
    assert complaint in info.value.what
    assert info.value.where == f"{file}, line {line}"


def test_what_holds_no_heights_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("# nothing\n\n")
    (tmp_path / "header").write_text("amplitude [V]\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    os.mkfifo(tmp_path / "pipe")
    for name, complaint in (
        ("empty", "holds no value"),
        ("header", "holds no value"),
        ("binary", "is not text"),
        ("pipe", "not a regular file"),
        (".", "not a regular file"),
        ("none", "no such file"),
        ("a\0b", "not a path"),
    ):
        with pytest.raises(InputError, match=complaint):
            read_amplitudes(tmp_path / name)


def test_many_heights_are_read(tmp_path: Path) -> None:
    (tmp_path / "many").write_text("amplitude [V]\n" + "-1.25\n" * 20_000)
    assert read_amplitudes(tmp_path / "many") == ["-1.25 V"] * 20_000


def test_spreads_are_read_and_checked(tmp_path: Path) -> None:
    file = tmp_path / "spreads.yaml"
    file.write_text("filament_radius: 0.02\n")
    spreads = read_spreads(file)
    assert Variability.from_mapping(spreads) == Variability(filament_radius=0.02)
    for text, complaint in (
        ("filament_radus: 0.02\n", "Did you mean 'filament_radius'?"),
        ("filament_radius: 0.02\nfilament_radius: 0.03\n", "is given twice"),
        ("a: &x 1\nb: *x\n", "anchors"),
        ("- 1\n", "is not a mapping"),
        ("filament_radius: [\n", "not valid YAML"),
    ):
        file.write_text(text)
        with pytest.raises(InputError) as info:
            read_spreads(file)
        assert complaint in str(info.value)
        assert str(file) in info.value.where
