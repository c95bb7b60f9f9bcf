"""The command ``ddk-network fit-model``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from ddk.cli.commands import app


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["fit-model", *map(str, arguments)])


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, str]:
    time = np.linspace(0, 1, 101)
    rows = [
        f"{k},{t:.4f},{v:.6f},{v / 900 * (1 + 0.3 * v * v):.9e}"
        for k in (1, 2)
        for t, v in zip(time, np.sin(2 * np.pi * time), strict=True)
    ]
    loops = tmp_path / "loops.csv"
    loops.write_text("Loop,Time (s),Voltage (V),Current (A)\n" + "\n".join(rows) + "\n")
    own = tmp_path / "own.py"
    own.write_text("def i(t, v, r=2e3, b=0.5):\n    return v / r * (1 + b * v**2)\n")
    return loops, f"{own}:i"


def test_fit(files: tuple[Path, str]) -> None:
    loops, model = files
    result = call(loops, "--model", model, "--free", "r,b", "--json")
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert answer["values"]["r"] == pytest.approx(900, rel=1e-4)
    assert answer["values"]["b"] == pytest.approx(0.3, rel=1e-3)
    assert answer["low"]["r"] < 900 < answer["high"]["r"] and answer["held_out_error"] < 1e-4
    result = call(loops, "--model", model, "--free", "r", "--start", "b=0.3", "--held-out", 0)
    assert result.exit_code == 0 and "misfit" in result.output and "900" in result.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--free", "q"), "no parameter 'q'"),
        (("--free", "r", "--start", "r"), "is no NAME=VALUE"),
        (("--free", "r", "--start", "r=x"), "is no number"),
        (("--free", "r", "--bounds", "r=1"), "is no LOW:HIGH"),
        (("--free", "r", "--bounds", "r=1:2"), "not within 1 to 2"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    files: tuple[Path, str], arguments: tuple[str, ...], words: str
) -> None:
    loops, model = files
    result = call(loops, "--model", model, *arguments)
    assert result.exit_code == 2 and words in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.fixture
def pulses(tmp_path: Path) -> tuple[Path, str]:
    """A train that half approaches 1 mS, its rate 2e4 a volt-second, and the law that does."""
    reads = 1e-3 * (1 - np.exp(-2e4 * 1.5e-6 * np.arange(31)))
    path, law = tmp_path / "train.csv", tmp_path / "law.py"
    rows = [f"{k},{g:.9e},1.5,1000" for k, g in enumerate(reads)]
    path.write_text("pulse,conductance (S),amplitude (V),width (ns)\n" + "\n".join(rows) + "\n")
    law.write_text(
        "import numpy as np\n"
        "def i(t, v, rate=1e4):\n"
        "    high = np.where(v[1:] + v[:-1] > 1.0, (v[1:] + v[:-1]) / 2, 0)\n"
        "    moved = np.append(0, np.cumsum(high * np.diff(t)))\n"
        "    return v * 1e-3 * (1 - np.exp(-rate * moved))\n"
    )
    return path, f"{law}:i"


def test_trains(pulses: tuple[Path, str]) -> None:
    path, law = pulses
    arguments = ("--trains", path, "--model", law, "--free", "rate")
    result = call(*arguments, "--profile", "--json")
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    # a read between half and full height of an edge counts, too
    assert answer["values"]["rate"] == pytest.approx(2e4, rel=0.01) and answer["samples"] == 31
    assert answer["profile_low"]["rate"] < answer["values"]["rate"] < answer["profile_high"]["rate"]
    table = call(*arguments, "--profile", "--read-voltage", "0.2 V")
    assert table.exit_code == 0 and "by profile" in table.output


def test_trains_and_loops(files: tuple[Path, str], pulses: tuple[Path, str]) -> None:
    loops, _ = files
    path, law = pulses
    result = call(loops, "--trains", path, "--model", law, "--free", "rate", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["samples"] == 101 + 31


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "nothing to fit"),
        (("--trains", "{file}", "--amplitude", "2 V"), "the data say the amplitude themselves"),
        (("{file}", "--amplitude", "2 V"), "no trains given"),
        (("{file}", "--units", "uS"), "say how trains are read"),
        (("--trains", "absent.csv"), "no such file"),
    ],
)
def test_what_trains_lack_is_one_line(
    files: tuple[Path, str], pulses: tuple[Path, str], arguments: tuple[str, ...], words: str
) -> None:
    path, law = pulses
    path = path if "--trains" in arguments else files[0]
    given = [a.replace("{file}", str(path)) for a in arguments]
    result = call(*given, "--model", law, "--free", "rate")
    assert result.exit_code in (2, 4) and words in result.stderr
    assert len(result.stderr.splitlines()) == 1
