"""The commands compile, simulate, cost, harden: files whole or not at all, one line for errors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ddk.cli.commands import app
from ddk.studies.hardware import HARDWARE_KINDS, hardware_rows, hardware_study
from ddk.studies.tasks import SplitPlan, Task, Training, get_task
from network.hardware.training import Tuning


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def error_line(result: Result, code: int) -> str:
    assert result.exit_code == code, result.output
    lines = result.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: "), result.stderr
    return lines[0]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hardware") / "run"
    result = call("train", "--data", "digits", "--epochs", "2", "--out", path)
    assert result.exit_code == 0, result.output
    return path


def test_compile_then_simulate_from_the_file(trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "chip"
    result = call("compile", trained, "--chip", "180nm", "--layout", "compact", "--out", out)
    assert result.exit_code == 0, result.output
    assert {p.name for p in out.iterdir()} == {"placement.json", "placement.png", "pulses.csv"}
    assert "TOPS/W" in result.output and "tiles" in result.output
    shown = call("simulate", out / "placement.json", "--model", trained, "--chips", 1)
    assert shown.exit_code == 0, shown.output
    metrics = json.loads((trained / "metrics.json").read_text())
    assert f"{100 * metrics['test']['accuracy']:.2f} %" in shown.output
    number = sum(map(sum, metrics["confusion"]))
    assert f"{number} of {number}" in shown.output
    assert "already" in error_line(call("compile", trained, "--out", out), 4)
    assert call("compile", trained, "--out", out, "--overwrite").exit_code == 0
    looks = ("--figure-width", "85 mm", "--pictures", "svg", "--panels", "a,d")
    assert call("compile", trained, "--out", out, "--overwrite", *looks).exit_code == 0
    drawn = (out / "paper" / "placement.svg").read_text(encoding="utf-8")
    words = ("tile 0", "tile 1", "time of one inference")
    assert [word in drawn for word in words] == [True, False, True]
    assert call("compile", trained, "--out", out, "--overwrite").exit_code == 0
    assert not (out / "paper").exists()  # the folder of pictures is part of a result
    bare = tmp_path / "bare"
    assert call("compile", trained, "--out", bare, "--pictures", "none").exit_code == 0
    assert bare.is_dir() and not list(bare.glob("*.png"))


def test_pairs_without_a_pulse_go_to_arrays_where_that_is_asked_for(
    trained: Path, tmp_path: Path
) -> None:
    out, table = tmp_path / "mixed", ("--table", "tin-taox-hfox-tin")
    assert "--unreachable arrays" in error_line(call("compile", trained, *table, "--out", out), 2)
    asked = ("compile", trained, "--unreachable", "arrays", "--pictures", "none", "--out", out)
    assert "without a table" in error_line(call(*asked), 2)
    assert not out.exists()
    result = call(*asked, *table, "--hinges", 16, "--json")
    assert result.exit_code == 0, result.output
    pair = json.loads(result.stdout)["pairs"]
    assert [(p["layer"], p["pair"], p["way"]) for p in pair] == [("ddk", 0, "arrays")]
    assert 0 < pair[0]["error_exact_products"] < 0.01 * pair[0]["spread"]
    shown = call("simulate", out / "placement.json", "--model", trained, "--chips", 0, "--json")
    assert shown.exit_code == 0, shown.output
    said = json.loads(shown.stdout)
    assert said["same_predictions"] > 0.97 * said["samples"]


def test_cost_of_a_model_and_of_a_compared_network(trained: Path) -> None:
    shown = call("cost", trained, "--chip", "32nm")
    assert shown.exit_code == 0 and "whole inference" in shown.output
    assert call("cost", "lenet5").exit_code == 0
    cepstra = json.loads(call("cost", "mfcc", "--json").stdout)
    assert [x["layer"] for x in cepstra["layers"]][-2:] == ["cepstrum", "readout"]
    sources = call("cost", "--show")
    assert sources.exit_code == 0 and "adc_energy" in sources.output
    judged = call("cost", "--article")
    assert judged.exit_code == 0 and "236.68 pJ" in judged.output


def test_errors_are_one_line(trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "x"
    assert "no chip" in error_line(call("compile", trained, "--chip", "5nm", "--out", out), 2)
    assert "no layout" in error_line(call("compile", trained, "--layout", "a", "--out", out), 2)
    assert "window" in error_line(
        call("compile", trained, "--largest-weight", "0.001", "--out", out), 2
    )
    error_line(call("compile", tmp_path / "none", "--out", out), 4)
    error_line(call("simulate", tmp_path / "none.json"), 4)
    assert "nothing is asked" in error_line(call("cost"), 2)
    assert "--kind" in error_line(
        call("harden", "--task", "digits", "--kind", "x", "--out", out), 2
    )
    assert "no parameter" in error_line(
        call("study", "thicknes", "9 nm", "--task", "digits", "--out", out), 2
    )
    assert not out.exists()


def small() -> Task:
    return Task(
        name="digits",
        title="digits",
        dataset="digits",
        split=SplitPlan("random"),
        hidden=(8,),
        training=Training(epochs=2, batch_size=256),
        protocol="",
    )


def test_runs_go_on_where_they_stopped(tmp_path: Path) -> None:
    told: list[str] = []
    how = Tuning(epochs=1, batch_size=512)
    first = hardware_study("modes", small(), [0], tmp_path / "r", tuning=how, only=["imprecise"])
    assert set(first) == {"imprecise", "imprecise+statistics"}
    both = hardware_study("modes", small(), [0], tmp_path / "r", tuning=how, progress=told.append)
    assert len(both) == 9 and len(told) == 7
    assert both["imprecise"] == first["imprecise"]
    told.clear()
    again = hardware_study("modes", small(), [0], tmp_path / "r", tuning=how, progress=told.append)
    assert again == both and not told
    heads, rows = hardware_rows(both)
    assert {len(r) for r in rows} == {len(heads)} and rows[0][2] == "-"


@pytest.mark.parametrize(
    ("kind", "only"),
    [
        ("noise", ["cycle-0.5.hybrid", "synapse-2.5.imprecise"]),
        ("quantisation", ["float", "after-4", "longer-4.weights", "aware-4.activations"]),
        ("stuck", ["20."]),
    ],
)
def test_every_kind_runs(kind: str, only: list[str], tmp_path: Path) -> None:
    assert kind in HARDWARE_KINDS
    found = hardware_study(
        kind, small(), [1], tmp_path / "r", tuning=Tuning(epochs=1, batch_size=512), only=only
    )
    assert found and all(0 <= v <= 1 for by_seed in found.values() for v in by_seed.values())


def test_harden_command_writes_table_and_picture(tmp_path: Path) -> None:
    out = tmp_path / "bars"
    result = call(
        "harden", "--task", "digits", "--quick", "--seeds", "1", "--cases", "software", "--out", out
    )
    assert result.exit_code == 0, result.output
    assert json.loads((out / "table.json").read_text())["rows"][0][0] == "software"
    assert (out / "bars.png").is_file()
    assert get_task("digits").name in result.output
