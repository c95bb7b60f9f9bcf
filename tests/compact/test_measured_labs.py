"""Files as laboratories and simulators leave them; each is made here, layout for layout."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr

from compact.measured.headings import role_of
from compact.measured.read_pulses import read_pulses
from ddkbase.errors import InputError

N = np.arange(1, 31)
UP = np.round(10 + 90 * (1 - np.exp(-N / 9)), 4)  # uS
DOWN = np.round(10 + 90 * np.exp(-N / 9), 4)


def read(folder: Path, text: str | bytes, name: str = "lab.csv", **given: Any) -> xr.Dataset:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_pulses(path, **given)


def rows(heads: str, *columns: Any, sign: str = ",", end: str = "") -> str:
    lines = [sign.join(map(str, row)) + end for row in zip(*columns, strict=True)]
    return "\n".join([heads, *lines] if heads else lines) + "\n"


@pytest.mark.parametrize("end", ["", "\t", "\t\t"])
def test_a_delimiter_behind_each_row_leaves_all_columns(tmp_path: Path, end: str) -> None:
    many = [UP + k for k in range(5)]
    ds = read(tmp_path, rows("", *many, sign="\t", end=end))
    assert ds.sizes["train"] == 5
    np.testing.assert_allclose(ds["conductance"], many)


def test_an_empty_column_under_a_heading_stays(tmp_path: Path) -> None:
    ds = read(tmp_path, rows("pulse,G (uS),note", N, DOWN, end=","))
    np.testing.assert_allclose(ds["conductance"][0], DOWN * 1e-6)


@pytest.mark.parametrize("values", [-UP * 1e-8, -DOWN * 1e-8], ids=["grows", "shrinks"])
def test_bare_negative_numbers_are_currents(tmp_path: Path, values: np.ndarray) -> None:
    text = rows("", values)
    with pytest.raises(InputError, match="negative, which no conductance is"):
        read(tmp_path, text)
    ds = read(tmp_path, text, current=1, voltage="-0.1 V")
    np.testing.assert_allclose(ds["conductance"][0], np.abs(values) / 0.1)
    assert ds["direction"].item() == ("up" if abs(values[-1]) > abs(values[0]) else "down")


def test_bare_numbers_of_both_signs_may_be_weights_and_that_is_said(tmp_path: Path) -> None:
    fall = np.linspace(0.3, -0.2, 30)
    ds = read(tmp_path, rows("", fall))
    assert ds["direction"].item() == "down"
    assert "both signs" in ds.attrs["assumptions"]
    assert "both signs" not in read(tmp_path, rows("", fall + 1)).attrs["assumptions"]


def test_noise_below_zero_is_no_current(tmp_path: Path) -> None:
    noisy = np.where(N == 1, -0.5, UP)
    assert read(tmp_path, rows("", noisy))["direction"].item() == "up"


@pytest.mark.parametrize("heading", ["R_ext", "R ext", "external resistance", "Rext_ohm"])
def test_a_resistor_of_the_circuit_is_no_memristor(heading: str) -> None:
    assert role_of(heading) not in ("resistance", "conductance", "current")


@pytest.mark.parametrize("heading", ["Vg_read_V", "Vg (V)", "VGS", "V_gate"])
def test_values_at_several_gate_voltages_are_no_train(tmp_path: Path, heading: str) -> None:
    gate = np.tile([-1.0, -0.7, -0.4], 10)
    heads = f"device_id,{heading},Vd_read_V,Id_mean_A"
    with pytest.raises(InputError, match="several voltages of a gate"):
        read(tmp_path, rows(heads, ["A"] * 30, gate, [0.05] * 30, DOWN * 1e-9))


def test_a_gate_that_writes_and_erases_leaves_trains(tmp_path: Path) -> None:
    gate = np.repeat([3.0, -3.0], 30)
    text = rows("pulse,polarity,Vg (V),G (uS)", [*N, *N], np.sign(gate).astype(int), gate,
                [*UP, *DOWN])  # fmt: skip
    assert read(tmp_path, text)["direction"].values.tolist() == ["up", "down"]
    counted = rows("pulse,Vg (V),G (uS)", N, np.linspace(1, 3, 30), DOWN)
    assert read(tmp_path, counted)["direction"].item() == "down"


def xyce(end: str) -> str:
    heads = "Index      TIME         V(READ)       I(YMEMRISTOR!MR1)"
    lines = [
        f"{k:<4} {1e-6 * k:.8e}   1.00000000e-01   {1e-7 * g:.8e}"
        for k, g in zip(N - 1, DOWN, strict=True)
    ]
    return "\n".join([heads, *lines, end]) + "\n"


def test_the_last_line_of_xyce_is_no_number(tmp_path: Path) -> None:
    ds = read(tmp_path, xyce("End of Xyce(TM) Simulation"), "cell.cir.prn")
    np.testing.assert_allclose(
        [ds["initial_conductance"].item(), *ds["conductance"].values[0]], DOWN * 1e-6
    )


def test_steps_of_xyce_are_not_read_as_one_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"runs of a \.STEP of Xyce"):
        read(tmp_path, xyce("End of Xyce(TM) Parameter Sweep"), "cell.cir.prn")


def packed(path: Path, files: dict[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


TRAIN = rows("pulse,G (uS)", N, DOWN)


def test_an_archive_is_read_as_the_folder_that_it_holds(tmp_path: Path) -> None:
    files = {"day/b.csv": rows("pulse,G (uS)", N, UP), "day/a.csv": TRAIN}
    beside = {
        "day/readme.md": "x", "__MACOSX/day/._a.csv": b"\0\5\x16\7", "day/.b.csv": "x",
        "day/old/c.csv": TRAIN,
    }  # fmt: skip
    ds = read_pulses(packed(tmp_path / "day.zip", {**files, **beside}))
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    folder = read_pulses(tmp_path / "day")
    assert ds["train"].values.tolist() == folder["train"].values.tolist() == ["a: G", "b: G"]
    np.testing.assert_array_equal(ds["conductance"], folder["conductance"])
    assert (
        "1 tables in folders below are not read, the first being day/old/c.csv"
        in (ds.attrs["assumptions"])
    )


def test_what_is_wrong_in_an_archive_is_said_of_the_file_in_it(tmp_path: Path) -> None:
    path = packed(tmp_path / "day.zip", {"a.csv": TRAIN, "b.csv": TRAIN.replace("4,", "4,x")})
    with pytest.raises(InputError, match=r"day\.zip/b\.csv, line 5"):
        read_pulses(path)


def test_archives_that_are_no_folder_of_tables(tmp_path: Path) -> None:
    path = packed(tmp_path / "none.zip", {"a.py": "x", "b/c.md": "x"})
    with pytest.raises(InputError, match="no file in it is a table"):
        read_pulses(path)
    whole = packed(tmp_path / "whole.zip", {"a.csv": TRAIN}).read_bytes()
    for k in (30, len(whole) // 2, len(whole) - 10):
        (tmp_path / "cut.zip").write_bytes(whole[:k])
        with pytest.raises(InputError, match="archive"):
            read_pulses(tmp_path / "cut.zip")
    secret = bytearray(whole)
    secret[6] |= 1
    secret[whole.index(b"PK\1\2") + 8] |= 1
    (tmp_path / "secret.zip").write_bytes(secret)
    with pytest.raises(InputError, match="encrypted"):
        read_pulses(tmp_path / "secret.zip")


def test_an_archive_does_not_unpack_to_more_than_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = packed(tmp_path / "bomb.zip", {"a.csv": "0" * 200_000, "b.csv": TRAIN})
    monkeypatch.setenv("DDK_READ_LIMIT", "100000")
    with pytest.raises(InputError, match="larger than 100,000 bytes"):
        read_pulses(path)
    lying = path.read_bytes().replace((200_000).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    (tmp_path / "lying.zip").write_bytes(lying)
    with pytest.raises(InputError, match=r"archive|larger|number"):
        read_pulses(tmp_path / "lying.zip")


@pytest.mark.parametrize("heading", ["FREQ", "frequency (Hz)", "f (kHz)"])
def test_values_over_a_frequency_are_no_train(tmp_path: Path, heading: str) -> None:
    text = rows(f"Index,{heading},R (kohm)", N - 1, 100 * 2.0**N, DOWN)
    with pytest.raises(InputError, match="over a frequency"):
        read(tmp_path, text)
    assert read(tmp_path, text, pulse="Index")["direction"].item() == "up"
    constant = rows(f"pulse,{heading},R (kohm)", N, [10] * 30, DOWN)
    assert read(tmp_path, constant)["direction"].item() == "up"


def test_one_or_two_values_of_each_device_are_no_trains(tmp_path: Path) -> None:
    names = ["D10", "D10", "D59", "D65", "D65", "D70"]
    with pytest.raises(InputError, match="no more than 2 lines each"):
        read(tmp_path, rows("device_number,average_resistance (ohm)", names, 1e4 * N[:6]))
    three = read(tmp_path, rows("device_number,resistance (ohm)", np.repeat(["A", "B"], 3), N[:6]))
    assert three.sizes == {"train": 2, "pulse": 3}


READS = 0.1 + 0 * N
TWICE = np.r_[N, N]
WAYS = ["pot"] * 30 + ["dep"] * 30
BUFFER = "Keithley Instruments,Model 2450,04412345\nBuffer Name,defbuffer1\nCount,30\n\n"
#: both trains, up and down, as programs and instruments write them
BOTH = {
    "tabs, words between": rows("Pulse\tType\tG (uS)", TWICE, WAYS, np.r_[UP, DOWN], sign="\t"),
    "blanks, words between": rows("Pulse Type G(uS)", TWICE, WAYS, np.r_[UP, DOWN], sign=" "),
    "headings above headings": "Pulse,G (\u00b5S),\n,LTP,LTD\n" + rows("", N, UP, DOWN),
    "a write voltage beside that of the reads": rows(
        "No,V (V),I (A),Vread (V)",
        np.arange(1, 61), np.repeat([1.5, -1.2], 30), np.r_[UP, DOWN] * 1e-7, np.r_[READS, READS],
    ),
}  # fmt: skip
ONE = {
    "micro in a word": rows("pulse,Conductance (microSiemens)", N, UP),
    "an inverted ohm": rows("pulse,G (\u00b5\u2127)", N, UP),
    "JSON": rows("pulse,G (\\u03BCS)", N, UP),
    "TeX": rows("pulse,$G$ ($\\mu$S)", N, UP),
    "TeX throughout": rows("pulse,$G$ ($\\mathrm{\\mu S}$)", N, UP),
    "raised": rows("pulse,G (10\u207b\u2076 S)", N, UP),
    "Origin": "Pulse\tR\n#\tk\\g(W)\n\tcell 3\n" + rows("", N, 1e3 / UP, sign="\t"),
    "R": rows('"","pulse","G..uS."', [f'"{n}"' for n in N], N, UP),
    "micro, UTF-8 as Windows-1252": rows("pulse,G (\u00c2\u00b5S)", N, UP),
    "mu, UTF-8 as Windows-1252": rows("pulse,G (\u00ce\u00bcS)", N, UP),
    "ohm, UTF-8 as Windows-1252": rows("pulse,R (k\u00ce\u00a9)", N, 1e3 / UP),
    "a decimal comma where it was read": rows(
        "Puls;I (\u00b5A) bei 0,1 V", N, [f"{v:.7f}".replace(".", ",") for v in UP / 10], sign=";"
    ),
    "conditions in brackets": rows("pulse,G (uS) (T=300K)", N, UP),
    "units above the headings": "[#],[\u00b5S]\nPulse,G\n" + rows("", N, UP),
    "units of Origin": "Long Name\tPulse\tG\nUnits\t\t\\g(m)S\n"
    + rows("", range(30), N, UP, sign="\t"),
    "a base and an amplitude": rows(
        "Pulse,V_Base (V),V_Amp (V),PW (s),V_Read (V),I_Read (A)",
        N, 0 * N, 1.2 + 0 * N, 1e-6 + 0 * N, READS, UP * 1e-7,
    ),
    "buffer of a Keithley 2450": BUFFER
    + rows(
        "Index,Reading,Unit,Value,Unit,Terminal",
        N, UP * 1e-7, ["Amp DC"] * 30, READS, ["Volt DC"] * 30, ["Front"] * 30,
    ),
    "pandas prints": rows("   pulse   G (uS)", range(30), N, UP, sign="  "),
    "pandas prints, a unit in the name": rows("   pulse   G_uS", range(30), N, UP, sign="  "),
    "a status in words": rows("Pulse\tG (uS)\tStatus", N, UP, ["OK"] * 30, sign="\t"),
}  # fmt: skip


@pytest.mark.parametrize("text", BOTH.values(), ids=BOTH.keys())
def test_layouts_of_two_trains(tmp_path: Path, text: str) -> None:
    ds = read(tmp_path, text)
    assert ds["direction"].values.tolist() == ["up", "down"]
    for train, values in zip(ds["conductance"].values, (UP, DOWN), strict=True):
        np.testing.assert_allclose(train[np.isfinite(train)], values * 1e-6, rtol=1e-6)


@pytest.mark.parametrize("text", ONE.values(), ids=ONE.keys())
def test_layouts_of_one_train(tmp_path: Path, text: str) -> None:
    ds = read(tmp_path, text)
    assert ds["conductance"].attrs["units"] == "S" and ds["direction"].item() == "up"
    np.testing.assert_allclose(ds["conductance"][0], UP * 1e-6, rtol=1e-5)


VALUES = {"pulse": [1, 2, 3], "G": [1.0, 2.0, 3.0]}
REFUSED: dict[str, tuple[str | bytes, str]] = {
    "a lost ohm": (rows("pulse,R (k?)", N, UP), "unit 'k[?]' is not understood"),
    "a lost sign": (rows("pulse,R [k\ufffd]", N, UP), "is not understood"),
    "capitals": (rows("pulse,G (US)", N, UP), "unit 'US' is not understood"),
    "quanta": (rows("pulse,G (G0)", N, UP), "unit 'G0' is not understood"),
    "quanta in full": (rows("pulse,G (2e2/h)", N, UP), "is not understood"),
    "states of a Keithley 4200": (
        rows("Iteration,resetV,setV,resetR,setR", N, -1.2 + 0 * N, 1.1 + 0 * N, 1e5 + N, 5e3 + N),
        "two states of a cell",
    ),
    "levels": (
        rows("Level,G (uS)", np.repeat(range(8), 20), np.repeat(np.arange(8) * 5, 20) + 10.01),
        "'Level' goes through 8 states",
    ),
    "a factor in the name": (rows("pulse,G \u00d710\u207b\u2076 (S)", N, UP), "among.*column 2 'G"),
    "a pickle of before": (pickle.dumps(VALUES, 2), "is a pickle"),
    "a pickle of text": (pickle.dumps(VALUES, 0), "is a pickle"),
}


@pytest.mark.parametrize(("text", "why"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_not_understood_is_refused_by_its_name(
    tmp_path: Path, text: str | bytes, why: str
) -> None:
    with pytest.raises(InputError, match=why):
        read(tmp_path, text)


def test_of_one_of_its_kind_is_relative(tmp_path: Path) -> None:
    for heads in ("pulse,G/G0", "pulse,G (device 3)", "pulse,Conductance (LTP)"):
        ds = read(tmp_path, rows(heads, N, UP))
        assert ds["conductance"].attrs["units"] == "1"


def test_the_user_s_voltage_counts_more_than_one_that_is_called_so(tmp_path: Path) -> None:
    text = rows("Pulse,V (V),Vread (V),I (A)", N, 0.2 + 0 * N, READS, UP * 1e-7)
    np.testing.assert_allclose(read(tmp_path, text)["conductance"][0], UP * 1e-6)
    ds = read(tmp_path, text, voltage="V")
    np.testing.assert_allclose(ds["conductance"][0], UP * 5e-7)


def test_steps_that_are_taken_anew_for_each_target_are_no_equal_pulses(tmp_path: Path) -> None:
    heads = "Step,Target (uS),V (V),G (uS)"
    steps, volts = np.tile(np.arange(1, 11), 3), np.tile(0.5 + 0.05 * np.arange(10), 3)
    ds = read(tmp_path, rows(heads, steps, np.repeat([20, 30, 40], 10), volts, UP))
    assert ds.sizes == {"train": 3, "pulse": 10}
    assert all("amplitude from 500 mV" in varied for varied in ds["varied"].values)


def test_a_unit_in_the_name_of_an_hdf5_array_counts(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["G_uS"] = UP
    np.testing.assert_allclose(read_pulses(tmp_path / "a.h5")["conductance"][0], UP * 1e-6)
