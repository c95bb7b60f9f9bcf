"""The command line ``ddk-compact``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from compact.circuit.export import from_csv, from_json
from compact.cli.commands import app
from compact.table import build as table_build
from compact.table.table import AlphaBetaTable
from tests.compact.table_data import campaign
from tests.compact.trains import falling

ROOT = Path(__file__).resolve().parents[2]


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def error_line(result: Result, code: int) -> str:
    assert result.exit_code == code, result.output
    lines = result.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: "), result.stderr
    return lines[0]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cli") / "table.nc"
    source = campaign(resistances=(6e3, 15e3), cycles=3)
    return AlphaBetaTable.fit(source, integrator="exact").write(path)


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    path = tmp_path / "lab.csv"
    trains = falling(0.02, np.array([0.2, 0.3]))[:, :50] * 1e6
    rows = "\n".join(f"{k},{a:.9f},{b:.9f}" for k, (a, b) in enumerate(trains.T))
    path.write_text("pulse,G1 (uS),G2 (uS)\n" + rows + "\n")
    return path


def test_fit_of_a_store(tmp_path: Path) -> None:
    pytest.importorskip("zarr")
    campaign(cycles=2).to_zarr(tmp_path / "c.zarr", consolidated=False, zarr_format=3)
    result = call("fit", tmp_path / "c.zarr", "--out", tmp_path / "t.nc", "--method", "article")
    assert result.exit_code == 0, result.output
    assert "6 of 6 trains" in result.output
    assert AlphaBetaTable.read(tmp_path / "t.nc").dataset.attrs["method"] == "article"
    line = error_line(call("fit", tmp_path / "c.zarr", "--out", tmp_path / "t.nc"), 4)
    assert "exists already" in line and "--overwrite" in line
    line = error_line(
        call("fit", tmp_path / "c.zarr", "--out", tmp_path / "u.nc", "--units", "uS"), 2
    )
    assert "a store has no columns" in line and "--units" in line


def test_fit_of_a_file(csv: Path, tmp_path: Path) -> None:
    out = tmp_path / "t.nc"
    settings = ("--amplitude", "-2 V", "--width", "100 ns", "--initial-resistance", "5 kohm")
    result = call("fit", csv, "--out", out, "--window", "free", *settings)
    assert result.exit_code == 0, result.output
    found = AlphaBetaTable.read(out)
    np.testing.assert_allclose(found.dataset["beta"].values.ravel(), [0.2, 0.3], rtol=1e-3)
    assert found.lookup(amplitude="-2 V").beta == pytest.approx(0.25, rel=1e-3)
    assert found.dataset.attrs["source"] == str(csv)
    assert "sha256:" in found.provenance()["source_checksum"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("fit", "nothing.csv", "--out", "t.nc"), 4, "no such file or folder"),
        (("fit", "..", "--out", "t.nc"), 4, "no zarr store"),
        (("fit", "lab.csv", "--out", "no/t.nc"), 4, "no such folder"),
        (("fit", "lab.csv", "--out", ""), 2, "name of the file is empty"),
        (("fit", "lab.csv", "--out", "t.nc", "--amplitude", "2 ohm"), 2, "wrong dimension"),
        (("fit", "lab.csv", "--out", "t.nc", "--amplitude", ""), 2, "the value is empty"),
        (("fit", "lab.csv", "--out", "t.nc", "--direction", "up"), 2, "no train goes this way"),
        (("fit", "lab.csv", "--out", "t.nc", "--conductance", "H"), 2, "lab.csv"),
        (("show", "lab.csv"), 4, "not a NetCDF-4 file"),
        (("show", "nothing.nc"), 4, "no such file"),
        (("report", "nothing.nc", "--out", "r.html"), 4, "no such file"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    csv: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple, code: int, words: str
) -> None:
    monkeypatch.chdir(csv.parent)
    assert words in error_line(call(*arguments), code)
    assert [p.name for p in csv.parent.iterdir()] == ["lab.csv"]


def test_long_work_says_how_far_it_is(
    csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("fit", csv, "--out", tmp_path / "t.nc", "--amplitude", "-2 V", "--width", "1 us")
    assert "trains fitted" not in call(*arguments).output
    monkeypatch.setattr("compact.cli.options._LARGE", 10)
    monkeypatch.setattr("compact.cli.fit._LONG", 2)
    result = call(*arguments, "--overwrite")
    assert result.exit_code == 0, result.output
    assert f"reading {csv}" in result.output and "fitting 2 trains of up to" in result.output
    assert "2 of 2 trains fitted" in result.output


def test_no_train_that_could_be_fitted(tmp_path: Path) -> None:
    path = tmp_path / "lab.csv"
    path.write_text("pulse,G (uS)\n" + "".join(f"{k},5.0\n" for k in range(20)))
    line = error_line(call("fit", path, "--out", tmp_path / "t.nc"), 2)
    assert "no train could be fitted: constant" in line


def test_show(table: Path) -> None:
    result = call("show", table)
    assert result.exit_code == 0
    assert "18 of 18 trains" in result.output and "β rising with amplitude: holds" in result.output
    assert "15 kohm" in result.output


def test_lookup(table: Path) -> None:
    setting = ("--amplitude", "-2.2 V", "--initial-resistance", "8 kohm")
    result = call("lookup", table, *setting)
    found = AlphaBetaTable.read(table).lookup(amplitude="-2.2 V", initial_resistance="8 kohm")
    assert result.output.strip() == str(found)
    line = error_line(call("lookup", table, "--amplitude", "-2 V"), 2)
    assert "several values of initial resistance" in line and "6 kohm to 15 kohm" in line


def test_invert(table: Path, tmp_path: Path) -> None:
    wanted = AlphaBetaTable.read(table).lookup(amplitude="-2.2 V", initial_resistance="8 kohm")
    pair = ("--alpha", wanted.alpha, "--beta", wanted.beta)
    result = call("invert", table, *pair, "--picture", tmp_path / "i.png")
    assert result.exit_code == 0 and result.output.startswith("reached: amplitude -")
    assert (tmp_path / "i.png").read_bytes().startswith(b"\x89PNG")
    line = error_line(call("invert", table, "--alpha", "-1", "--beta", "0.3"), 2)
    assert "is no number from 0 (alpha)" in line


def test_export_as_text(table: Path, tmp_path: Path) -> None:
    original = AlphaBetaTable.read(table).dataset
    for form, read in (("csv", from_csv), ("json", from_json)):
        path = tmp_path / f"t.{form}"
        assert call("export", table, "--format", form, "--out", path).exit_code == 0
        np.testing.assert_array_equal(read(path)["alpha"], original["alpha"])
    again = AlphaBetaTable(from_json(tmp_path / "t.json"))
    assert again.means.equals(AlphaBetaTable(original).means)
    line = error_line(
        call("export", table, "--format", "csv", "--out", tmp_path / "u.csv", "--name", "x"), 2
    )
    assert "csv holds the whole table (--name)" in line


@pytest.mark.parametrize(
    ("form", "sign"), [("spice", ".subckt cell7"), ("verilog-a", "module cell7")]
)
def test_export_for_simulators(table: Path, tmp_path: Path, form: str, sign: str) -> None:
    path = tmp_path / "cell.txt"
    rest = ("--format", form, "--out", path, "--name", "cell7")
    assert "Pass --initial-resistance" in error_line(call("export", table, *rest), 2)
    assert not path.exists()
    result = call("export", table, *rest, "--initial-resistance", "15 kohm")
    assert result.exit_code == 0, result.output
    assert sign in path.read_text()


def test_report(table: Path, tmp_path: Path) -> None:
    result = call("report", table, "--out", tmp_path / "r.html")
    assert result.exit_code == 0 and "<img" in (tmp_path / "r.html").read_text("utf-8")
    assert "exists" in error_line(call("report", table, "--out", tmp_path / "r.html"), 4)
    assert call("report", table, "--out", tmp_path / "r.html", "--overwrite").exit_code == 0


def test_the_unexpected_leaves_its_traceback(
    csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("two\nlines")

    monkeypatch.setattr(table_build, "gather", broken)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    line = error_line(call("fit", csv, "--out", tmp_path / "t.nc"), 1)
    assert "unexpected RuntimeError: two lines. The traceback is in" in line
    assert "broken" in Path(line.rsplit(" ", 1)[1]).read_text()


def test_ctrl_c_and_sigterm_end_with_130(csv: Path, tmp_path: Path) -> None:
    code = (
        "import sys, time, compact.cli as c, compact.table.build as b\n"
        "def slow(*a, **k):\n    print('begun', flush=True)\n    time.sleep(3600)\n"
        "b.gather = slow\nsys.argv[0] = 'ddk-compact'\nc.main()\n"
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        job = subprocess.Popen(
            [sys.executable, "-c", code, "fit", str(csv), "--out", str(tmp_path / "t.nc")],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert job.stdout is not None and "begun\n" in iter(job.stdout.readline, "")
        os.kill(job.pid, number)
        begun = time.monotonic()
        _, errors = job.communicate(timeout=300)
        assert job.returncode == 130 and errors == "error: stopped\n"
        assert time.monotonic() - begun < 300  # and not after an hour


def test_ctrl_c_while_the_commands_load_is_one_line() -> None:
    code = (
        "import builtins, sys\nfrom compact.cli import main\n"
        "print([m for m in ('typer', 'numpy', 'devicephys') if m in sys.modules])\n"
        "load = builtins.__import__\n"
        "def stopped(name, *rest):\n"
        "    if name == 'typer':\n        raise KeyboardInterrupt\n    return load(name, *rest)\n"
        "builtins.__import__ = stopped\nmain()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "[]\n"
    assert (done.returncode, done.stderr) == (130, "error: stopped\n")


@pytest.mark.parametrize("arguments", [(), ("fit",), ("nonsense",), ("report", "--out")])
def test_wrong_usage_ends_with_2(arguments: tuple[str, ...]) -> None:
    assert call(*arguments).exit_code == 2


def test_help_names_the_commands_and_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom compact.cli.commands import app\n"
        "print(CliRunner().invoke(app, ['--help']).output)\n"
        "print([m for m in ('xarray', 'scipy.optimize', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    for name in ("fit", "show", "lookup", "invert", "export", "report"):
        assert f" {name} " in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def test_how_a_file_was_read_is_said(csv: Path, tmp_path: Path) -> None:
    result = call("fit", csv, "--out", tmp_path / "t.nc")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("how the file was read:\n  ")
    assert "misfit" in result.stdout and "root mean square" in result.stdout
    quiet = call("fit", csv, "--out", tmp_path / "q.nc", "--quiet")
    assert quiet.stdout == ""


def test_laws_are_held_against_each_other(tmp_path: Path) -> None:
    share = np.exp(-0.05 * np.arange(60))
    noise = 0.002 * np.random.default_rng(1).normal(size=60)
    path = tmp_path / "soft.csv"
    path.write_text("\n".join(f"{v:.6f};{1.5 - v:.6f}" for v in share + noise))
    found = json.loads(call("laws", path, "--json").stdout)
    assert set(found["laws"]) == {"up", "down"}
    assert any("direction 'up'" in line for line in found["assumptions"])
    down = {one["law"]: one["cross_validated_rmse"] for one in found["laws"]["down"]}
    assert down["soft bound"] < down["alpha/beta"] < down["linear"]
    shown = call("laws", path, "--direction", "up").stdout
    assert "up, medians over trains: 1" in shown and "down, medians" not in shown
    path.write_text("1;2\n2;3\n")
    assert "no train could be compared" in error_line(call("laws", path), 2)
