"""``ddk-device iv``: bad input, and what the ranks of a parallel run agree on."""

from __future__ import annotations

import types
from pathlib import Path

import pytest

from devicephys import installation
from devicephys.device import load_device
from devicephys.protocol.waveform import IVSweep
from devicephys.run.request import Request
from devicephys.simulation.settings import Settings
from tests.cli_tools import call, error_line

pytestmark = pytest.mark.usefixtures("settled")


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


def test_other_ranks_of_a_parallel_run_write_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PMI_RANK", "1")
    cell = load_device("tin-taox-hfox-tin")
    asked = Request(cell, IVSweep.from_device(cell), Settings.preset("quick")).to_json()
    for first, code in ((("", 0, asked), 0), (("occupied", 4, ""), 4)):
        world = types.SimpleNamespace(rank=1, size=2, allgather=lambda own, f=first: [f, own])
        monkeypatch.setattr(installation, "world", lambda w=world: w)
        result = call("iv", "--out", tmp_path / "run")
        assert (result.exit_code, result.output) == (code, "")
    assert list(tmp_path.iterdir()) == []


def test_what_one_rank_alone_meets_ends_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[int] = []
    cell = load_device("tin-taox-hfox-tin")
    asked = Request(cell, IVSweep.from_device(cell), Settings.preset("quick")).to_json()
    world = types.SimpleNamespace(
        rank=1, size=2, allgather=lambda own: [("", 0, asked), own], Abort=ended.append
    )
    monkeypatch.setattr(installation, "world", lambda: world)
    result = call("iv", "--out", tmp_path / "run", behaviour="crash")
    assert ended == [1]
    assert result.stderr.startswith("error: unexpected ZeroDivisionError: no such thing")
    Path(result.stderr.split("The traceback is in ")[1].strip()).unlink()
