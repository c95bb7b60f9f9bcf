"""``ddk lab``: a file of up and down trains in, one folder with accuracies out."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from compact.laws.pulse_steps import curvature_of, saturation
from ddk.cli.commands import app
from ddk.cli.root import app as ddk_app
from tests.network.data_files import mnist_like

FILES = {"metrics.json", "lab.png", "report.html"}
QUICK = ("--seeds", "1", "--epochs", "2", "--processes", "1", "--hidden", "12")


def call(*arguments: object, group: object = app) -> Result:
    return CliRunner().invoke(group, [str(a) for a in arguments])  # type: ignore[arg-type]


def error_line(result: Result, code: int) -> str:
    assert result.exit_code == code, result.output
    lines = result.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: "), result.stderr
    return lines[0]


@pytest.fixture(scope="module")
def trains(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three cycles of LTP and LTD in one column, labels 2 and -4, with noise of reads."""
    x = np.linspace(0, 1, 41)
    rise, fall = saturation(x, curvature_of(2)), 1 - saturation(x, curvature_of(4))
    rng = np.random.default_rng(0)
    lines = ["cycle,pulse,conductance (uS)"]
    for cycle in range(3):
        both = 5 + 45 * np.concatenate([rise, fall[1:]]) + 0.1 * rng.standard_normal(81)
        lines += [f"{cycle},{k},{g:.6f}" for k, g in enumerate(both)]
    path = tmp_path_factory.mktemp("lab") / "trains.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def study(trains: Path) -> tuple[Path, Result]:
    pytest.importorskip("sklearn")
    out = trains.parent / "runs" / "lab"
    result = call(
        "lab", trains, *QUICK, "--up-amplitude", "1.5 V", "--down-amplitude", "-1.2 V",
        "--width", "100 ns", "--out", out, "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    return out, result


def test_one_folder_and_one_document(study: tuple[Path, Result]) -> None:
    out, result = study
    assert {p.name for p in out.iterdir()} == FILES
    assert {p.name for p in out.parent.iterdir()} == {"lab"}
    found, kept = json.loads(result.stdout), json.loads((out / "metrics.json").read_text())
    assert found["command"] == "ddk-network lab" and kept["schema"] == "LabResult"
    assert kept["cell"] == found["cell"] and kept["accuracy"] == found["accuracy"]
    cell = found["cell"]
    assert cell["up"]["nonlinearity"] == pytest.approx(2, abs=0.15)
    assert cell["down"]["nonlinearity"] == pytest.approx(-4, abs=0.15)
    assert cell["on_off"] == pytest.approx(10, rel=0.02)
    assert set(found["accuracy"]) == {"numbers", "ideal", "pulses", "written"}
    assert found["layers"] == [64, 12, 10]
    for way, one in found["accuracy"].items():
        assert 0.1 < one["mean"] <= 1 and len(one["each"]) == 1
        assert (one["course"] is None) == (way == "written")
    assert found["accuracy"]["pulses"]["energy"][0] > 0
    assert found["inference"]["energy"] > 0
    assert "[3/3]" in result.stderr and found["folder"] == str(out)


def test_the_report_stands_alone(study: tuple[Path, Result]) -> None:
    report = (study[0] / "report.html").read_text()
    for text in ("NeuroSim", "these cells, bare pulses", "What was assumed", "64-12-10",
                 "cut after pulses", "A (pulses)"):  # fmt: skip
        assert text in report
    assert report.count("data:image/png;base64,") == 1 and "://" not in report


def test_an_earlier_study_is_replaced_only_when_told(
    study: tuple[Path, Result], trains: Path, tmp_path: Path
) -> None:
    line = error_line(call("lab", trains, *QUICK, "--out", study[0]), 4)
    assert "holds a result already" in line and "--overwrite" in line
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    line = error_line(call("lab", trains, "--out", tmp_path / "other", "--overwrite"), 4)
    assert "something else" in line


def test_the_picture_is_drawn_for_a_paper(trains: Path, tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    out = tmp_path / "lab"
    looks = ("--figure-width", "85 mm", "--pictures", "svg", "--panels", "b", "--picture-data")
    done = call("lab", trains, *QUICK, "--quick", *looks, "--out", out)
    assert done.exit_code == 0, done.output
    assert {p.name for p in (out / "paper").iterdir()} == {"lab.svg", "lab.csv"}
    rows = list(csv.DictReader((out / "paper" / "lab.csv").open(encoding="utf-8")))
    assert {row["panel"] for row in rows} == {"b"}
    assert call("lab", trains, *QUICK, "--quick", "--out", out, "--overwrite").exit_code == 0
    assert not (out / "paper").exists()
    refused = error_line(call("lab", trains, "--font", "No Such", "--out", tmp_path / "o"), 2)
    assert "is not installed" in refused and not (tmp_path / "o").exists()


def test_two_files_and_few_options_under_the_short_name(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    x = saturation(np.linspace(0, 1, 31), 1.5)
    for name, values in (("ltp", 1 + 9 * x), ("ltd", 10 - 9 * x)):
        text = "\n".join(f"{v:.5f}" for v in values)
        (tmp_path / f"{name}.csv").write_text(f"conductance (nS)\n{text}\n")
    out = tmp_path / "out"
    arguments = ("lab", tmp_path / "ltp.csv", tmp_path / "ltd.csv", *QUICK, "--law", "alpha-beta",
                 "--pairs", "--rounding", "nearest", "--out", out, "--quiet")  # fmt: skip
    result = call(*arguments, group=ddk_app)
    assert result.exit_code == 0 and result.output == "", result.output
    kept = json.loads((out / "metrics.json").read_text())
    assert kept["law"] == "alpha/beta" and kept["settings"]["training"]["scheme"] == "pairs"
    assert any("--up-amplitude" in note for note in kept["notes"])


def test_the_border_is_cut_and_pixels_are_parted(trains: Path, tmp_path: Path) -> None:
    mnist_like(tmp_path / "mnist", train=60, test=20, side=28)
    known = ("--data", "mnist", "--root", tmp_path, *QUICK, "--json")
    for more, size, colour in (((), 400, "black and white"), (("--whole", "--inputs", "grey"), 784,
                               "grey")):  # fmt: skip
        result = call("lab", trains, *known, *more, "--out", tmp_path / f"o{size}")
        assert result.exit_code == 0, result.output
        found = json.loads(result.stdout)
        assert found["layers"][0] == size and colour in found["pictures"]


def one_branch(folder: Path) -> Path:
    path = folder / "up.csv"
    text = "\n".join(f"{v:.4f}" for v in 5 + saturation(np.linspace(0, 1, 30), 2.0))
    path.write_text(f"conductance (uS)\n{text}\n")
    return path


def test_what_cannot_be_is_one_line_and_leaves_nothing(trains: Path, tmp_path: Path) -> None:
    out = tmp_path / "o"
    cases = [
        ((one_branch(tmp_path),), "the down branch is missing", 2),
        ((trains, "--data", "nowhere"), "nowhere", 2),
        ((trains, "--data", "voices"), "are no pictures", 2),
        ((trains, "--whole"), "28 x 28", 2),
        ((trains, "--tolerance", "0"), "no share of the window", 2),
        ((trains, "--rate", "-1"), "rate", 2),
        ((trains, "--width", "100"), "unit", 2),
        ((trains, "--chip", "90nm"), "no chip", 2),
        ((trains, "--seeds", "1,1"), "seeds", 2),
        ((tmp_path / "none.csv",), "no such file", 4),
        ((trains, "--data", "mnist", "--root", tmp_path / "empty"), "", 4),
    ]
    for arguments, words, code in cases:
        result = call("lab", *arguments, "--quiet", "--out", out)
        assert words in error_line(result, code)
        assert not out.exists() and not list(tmp_path.glob(".*"))


@pytest.mark.slow
def test_processes_give_the_same(trains: Path, tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    documents = []
    for number in ("1", "2"):
        result = call(
            "lab", trains, "--seeds", "3,", "--epochs", "1", "--hidden", "8", "--processes", number,
            "--out", tmp_path / number, "--json",
        )  # fmt: skip
        assert result.exit_code == 0, result.output
        documents.append(json.loads(result.stdout)["accuracy"])
    for way in documents[0]:
        assert documents[0][way]["each"] == documents[1][way]["each"]


@pytest.mark.slow
def test_ctrl_c_ends_all_processes_and_leaves_nothing(trains: Path, tmp_path: Path) -> None:
    arguments = ("lab", trains, "--epochs", "100000", "--processes", "2", "--out", tmp_path / "o")
    job = subprocess.Popen(
        [sys.executable, "-m", "ddk.cli", *map(str, arguments)],
        cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert job.stdout is not None
    for line in job.stdout:
        if line.startswith("fitted: "):
            break
    job.send_signal(signal.SIGINT)
    _, errors = job.communicate(timeout=120)
    assert (job.returncode, errors) == (130, "error: stopped\n")
    assert list(tmp_path.iterdir()) == []
