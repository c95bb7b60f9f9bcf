"""How the tests of the command line call it: in this process, or as a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from devicephys.cli.commands import app
from tests import fake_solver

ROOT = Path(__file__).resolve().parent.parent


def call(*arguments: object, behaviour: str = "done") -> Result:
    """The command in this process; the fixture ``settled`` puts things back."""
    fake_solver.install(behaviour)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def process(*arguments: object, behaviour: str = "done", **more: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.fake_solver", behaviour, *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more
    )


def wait_for(job: subprocess.Popen[str], step: int) -> None:
    """Return when the slow or steady solver of ``job`` is at ``step``."""
    assert job.stdout is not None
    for line in job.stdout:
        if line == f"at {step}\n":
            return
    raise AssertionError(job.communicate()[1])


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
