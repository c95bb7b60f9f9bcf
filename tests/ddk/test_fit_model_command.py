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
