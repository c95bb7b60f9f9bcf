"""The command ``ddk``, which has those of the three; files that take a package's name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main
from typer.testing import CliRunner

import compact
import ddkbase
import devicephys
from compact.cli.commands import app as compact_app
from ddk.cli.commands import app as network_app
from ddk.cli.root import app
from devicephys.cli.commands import app as device_app
from devicephys.fitting.description import read_description

ROOT = Path(__file__).parents[2]
APPS = {"device": device_app, "compact": compact_app, "network": network_app}


def commands(application: typer.Typer) -> list[str]:
    group = typer.main.get_command(application)
    return list(group.commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", APPS)
def test_every_command_is_reached_under_one_name(name: str) -> None:
    listed = commands(APPS[name])
    assert len(listed) > 3
    for command in listed:
        result = CliRunner().invoke(app, [name, command, "--help"])
        assert result.exit_code == 0, result.output
        assert f"{name} {command}" in result.output.replace("\n", " ")


def test_lab_and_pipeline_are_there_without_the_word_network() -> None:
    assert set(commands(app)) == {*APPS, "lab", "pipeline", "examples"}
    result = CliRunner().invoke(app, ["pipeline", "--example"])
    assert result.exit_code == 0 and "network:" in result.stdout


def test_the_version_is_told_by_each_command() -> None:
    for application in (app, *APPS.values()):
        result = CliRunner().invoke(application, ["--version"])
        assert (result.exit_code, result.stdout) == (0, f"ddk-toolkit {ddkbase.__version__}\n")


def test_samples_are_written_once_and_can_be_read(tmp_path: Path) -> None:
    folder = tmp_path / "samples"
    assert CliRunner().invoke(app, ["examples", str(folder)]).exit_code == 0
    again = CliRunner().invoke(app, ["examples", str(folder)])
    assert again.exit_code == 4 and "not empty" in again.stderr
    trains = compact.read_pulses(folder / "lab.csv")
    assert trains.sizes["train"] == 8
    assert sorted(set(trains.direction.values)) == ["down", "up"]
    loops = devicephys.read_loop(folder / "loops.csv")
    assert loops.attrs["loops"] == 3 and loops.attrs["rate"] == pytest.approx(1.0, rel=0.01)
    assert len(devicephys.read_waveform(folder / "generator.csv").corners) > 40
    assert len(devicephys.read_waveform(folder / "triangles.csv").corners) == 7
    assert len(devicephys.read_sequence(folder / "steps.yaml").steps) == 5
    assert len(read_description(folder / "what.yaml")[0].free) == 2


def test_what_is_mistyped_is_said_in_one_line() -> None:
    for arguments in (["netwrk"], ["network", "trian"], ["network", "train"]):
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 2
        (line,) = result.stderr.splitlines()
        assert line.startswith("error: ")


@pytest.mark.parametrize("file", ["network.py", "compact.py", "devicephys.py"])
def test_a_file_that_takes_a_package_s_name_is_named(tmp_path: Path, file: str) -> None:
    (tmp_path / file).write_text("x = 1\n")

    def lines(*arguments: str) -> tuple[int, list[str]]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": ""}
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        return done.returncode, done.stderr.splitlines()

    code, said = lines("-m", "ddk.cli", "train", "--help")
    assert code != 0 and len(said) == 1
    assert file in said[0] and "not the toolkit's package" in said[0]
    code, said = lines("-c", "import ddk")
    assert code != 0 and file in said[-1] and "Rename it" in said[-1]
    code, said = lines("-c", "print('fine')")
    assert code == 0
