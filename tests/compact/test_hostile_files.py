"""Files that are damaged, ambiguous or no files at all, and outputs that would do harm."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from compact.circuit.export import from_csv, from_json, to_csv, to_json
from compact.measured.read_pulses import read_pulses
from compact.table.table import AlphaBetaTable
from ddkbase.cli import output as command_output
from ddkbase.errors import InputError, StorageError
from tests.compact.table_data import campaign
from tests.compact.test_compact_cli import call, error_line


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hostile") / "table.nc"
    return AlphaBetaTable.fit(campaign(cycles=2)).write(path)


def test_a_damaged_record_leaves_nothing_on_the_error_stream(table: Path, tmp_path: Path) -> None:
    content = bytearray(table.read_bytes())
    place = content.index(b"OHDR")  # the head of the root group
    content[place + 20] ^= 0xFF
    path = tmp_path / "damaged.nc"
    path.write_bytes(content)
    code = (
        "import sys\nfrom ddkbase import records\nfrom ddkbase.errors import StorageError\n"
        "try:\n    records.read(sys.argv[1])\nexcept StorageError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    assert "cut off, or damaged" in done.stdout
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("sign", [",", ";"])
def test_a_comma_before_three_digits_may_be_either(tmp_path: Path, sign: str) -> None:
    path = tmp_path / "a.csv"
    quote = '"' if sign == "," else ""
    rows = "".join(f"{k}{sign}{quote}{200 - 20 * k},000{quote}\n" for k in range(6))
    path.write_text(f"pulse{sign}G (nS)\n{rows}")
    with pytest.raises(InputError, match=r"before three digits.*line 2, column 2.*decimal=','"):
        read_pulses(path)
    read = read_pulses(path, decimal=",")
    np.testing.assert_allclose(read.conductance[0], (180e-9, 160e-9, 140e-9, 120e-9, 100e-9))
    path.write_text(f"pulse{sign}G (nS)\n{rows}6{sign}{quote}50,25{quote}\n")  # this one tells
    assert read_pulses(path).sizes["pulse"] == 6


@pytest.mark.parametrize("cell", ["200'000", "200\u00a0000.5", "200 000.5", "200,000.5"])
def test_signs_between_thousands_that_nothing_else_can_be(tmp_path: Path, cell: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"pulse;G (nS)\n0;{cell}\n1;150\n2;100\n3;50\n", "utf-8")
    np.testing.assert_allclose(read_pulses(path).initial_conductance, 2e-4, rtol=1e-5)


@pytest.mark.parametrize("cell", ["200 000", "2,00,000.5"])
def test_signs_between_thousands_are_named(tmp_path: Path, cell: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"pulse;G (nS)\n0;{cell}\n1;150\n2;100\n3;50\n", "utf-8")
    with pytest.raises(InputError, match=r"line 2, column 2.*without signs between the thousands"):
        read_pulses(path)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="not a regular file"):
        read_pulses(tmp_path / "pipe")
    with pytest.raises(StorageError, match="not a regular file"):
        AlphaBetaTable.read(tmp_path / "pipe")


def test_a_small_file_with_huge_arrays_is_refused(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.nc", "w") as file:
        file.create_dataset("G", shape=(3, 10**9), dtype="f8", chunks=(1, 10**6))
    with pytest.raises(InputError, match="larger than"):
        read_pulses(tmp_path / "a.nc")


def test_a_file_of_matlab_that_is_cut_off(tmp_path: Path) -> None:
    savemat = pytest.importorskip("scipy.io").savemat
    savemat(tmp_path / "a.mat", {"G": np.linspace(2, 1, 20), "other": np.arange(5.0)})
    whole = (tmp_path / "a.mat").read_bytes()
    (tmp_path / "a.mat").write_bytes(whole[: whole.index(b"other") - 45])
    with pytest.raises(InputError, match="cut off"):
        read_pulses(tmp_path / "a.mat", variable="G")


def test_a_damaged_table_is_one_line(
    table: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = bytearray(table.read_bytes())
    place = whole.index(b"_nc3_strict") if b"_nc3_strict" in whole else len(whole) // 2
    for start in (8, 40, place, len(whole) // 3, len(whole) // 2):
        torn = whole.copy()
        torn[start : start + 60] = bytes(60)
        path = tmp_path / "t.nc"
        path.write_bytes(torn)
        try:
            AlphaBetaTable.read(path)
        except StorageError as error:
            assert str(path) in str(error)
    assert capfd.readouterr().err == ""


def test_numbers_too_large_for_their_type(table: Path, tmp_path: Path) -> None:
    original = AlphaBetaTable.read(table)
    document = json.loads(to_json(original, tmp_path / "t.json").read_text("utf-8"))
    document["coords"]["cycle"]["data"][0] = 10**30
    (tmp_path / "t.json").write_text(json.dumps(document), "utf-8")
    with pytest.raises(StorageError, match="damaged"):
        from_json(tmp_path / "t.json")
    lines = to_csv(original, tmp_path / "t.csv").read_text("utf-8").splitlines()
    place = lines[1].split(",").index("cycle [1]")
    cells = lines[2].split(",")
    cells[place] = str(10**30)
    (tmp_path / "t.csv").write_text("\n".join([*lines[:2], ",".join(cells), *lines[3:]]), "utf-8")
    with pytest.raises(StorageError, match="damaged"):
        from_csv(tmp_path / "t.csv")


def test_stores_that_lost_something(tmp_path: Path) -> None:
    pytest.importorskip("zarr")
    source = campaign(cycles=2)
    encoding = {"conductance": {"chunks": (1, 1, 1, 1, 1, 40)}}
    path = tmp_path / "c.zarr"
    source.to_zarr(path, consolidated=False, zarr_format=3, encoding=encoding)
    chunks = sorted(p for p in (path / "conductance" / "c").rglob("*") if p.is_file())
    assert len(chunks) == 6
    kept = chunks[0].read_bytes()
    chunks[0].unlink()
    found = AlphaBetaTable.fit(path)
    assert found.reasons() == [("the store has lost the numbers of this point", 1)]
    chunks[0].write_bytes(kept[: len(kept) // 2])
    with pytest.raises(StorageError, match=r"cannot be read: damaged\?.*c\.zarr"):
        AlphaBetaTable.fit(path)


@pytest.mark.parametrize("command", ["fit", "report", "export", "invert"])
def test_nothing_replaces_what_it_is_made_of(table: Path, tmp_path: Path, command: str) -> None:
    own = tmp_path / "own.png"
    own.write_bytes(table.read_bytes())
    if command == "fit":
        own.write_text("G (uS)\n" + "".join(f"{90 - k}\n" for k in range(20)))
    before = own.read_bytes()
    rest = {
        "fit": ("--out",),
        "report": ("--out",),
        "export": ("--format", "csv", "--out"),
        "invert": ("--alpha", "0.02", "--beta", "0.2", "--picture"),
    }[command]
    line = error_line(call(command, own, *rest, tmp_path / "." / "own.png", "--overwrite"), 4)
    assert "is read from and cannot be replaced" in line
    assert own.read_bytes() == before and os.listdir(tmp_path) == ["own.png"]


def test_only_files_are_replaced(table: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    (tmp_path / "kept").write_text("kept")
    for name, words in (
        ("pipe", "not a regular file"),
        ("link", "is a link"),
        ("new/", "is a folder"),
        ("kept", "exists already"),
    ):
        force = () if name == "kept" else ("--overwrite",)
        out = f"{tmp_path}/{name}"
        assert words in error_line(call("report", table, "--out", out, *force), 4)
    assert (tmp_path / "link").is_symlink() and (tmp_path / "kept").read_text() == "kept"
    line = error_line(
        call("invert", table, "--alpha", "1", "--beta", "1", "--picture", tmp_path / "a.jpg"), 2
    )
    assert ".png" in line
    long = error_line(call("report", table, "--out", tmp_path / ("a" * 300)), 4)
    assert "File name too long" in long


def test_options_of_a_file_reach_its_reader(tmp_path: Path) -> None:
    values = np.linspace(2e-4, 1e-4, 30) + 1e-5 * np.exp(-np.arange(30))
    np.savez(tmp_path / "a.npz", one=values, two=np.arange(30.0) ** 3)
    line = error_line(call("fit", tmp_path / "a.npz", "--out", tmp_path / "t.nc"), 2)
    assert "no heading says which column" in line and "'one'" in line
    chosen = ("--variable", "one", "--units", "S", "--out", tmp_path / "t.nc")
    assert call("fit", tmp_path / "a.npz", *chosen).exit_code == 0
    assert AlphaBetaTable.read(tmp_path / "t.nc").dataset.sizes["sample"] == 30
    (tmp_path / "a.csv").write_text("".join(f"{200 - k},125\n" for k in range(20)))
    text = ("fit", tmp_path / "a.csv", "--out", tmp_path / "u.nc", "--delimiter", "tab")
    assert call(*text, "--decimal", ",").exit_code == 0


def test_a_narrow_terminal_loses_no_number(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(command_output.sys.stdout, "isatty", lambda: True)
    command_output.print_rows(["a long heading", "b", "c"], [["1.2345", "–", "x" * 30]], "Title")
    assert capsys.readouterr().out == f"Title\na long heading 1.2345; c {'x' * 30}\n"
    command_output.print_rows([], [["name", "value"]])
    assert "│ name │ value │" in capsys.readouterr().out


def test_a_lab_s_table_without_settings_says_what_it_lacks(tmp_path: Path) -> None:
    values = 9.0 - np.arange(20.0) + 3 * np.exp(-np.arange(20) / 4)
    np.savetxt(tmp_path / "a.csv", np.column_stack([values, values[::-1]]), delimiter=";")
    fit = ("fit", tmp_path / "a.csv", "--out", tmp_path / "t.nc", "--overwrite")
    assert "--direction down" in error_line(call(*fit), 2)
    fit = (*fit, "--direction", "down")
    assert call(*fit).exit_code == 0
    export = ("export", tmp_path / "t.nc", "--format", "spice", "--out", tmp_path / "c.sub")
    assert "--amplitude" in error_line(call(*export), 2)
    assert call(*fit, "--amplitude", "-2 V").exit_code == 0
    assert "numbers being relative" in error_line(call(*export, "--width", "50 ns"), 2)
    window = ("--conductance-min", "6 uS", "--conductance-max", "90 uS")
    assert "width of the pulses is not known" in error_line(call(*export, *window), 2)
    assert call(*export, *window, "--width", "50 ns").exit_code == 0
    assert "width=5e-08" in (tmp_path / "c.sub").read_text()
