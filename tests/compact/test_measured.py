"""Foreign pulse trains: what laboratories write is read, what cannot be understood is refused."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from compact.measured.read_pulses import read_pulses
from ddkbase.errors import InputError

US = 1e-6


def data_folder(name: str) -> Path:
    root = os.environ.get("DDK_DATA") or Path(__file__).parents[2].parent / "shared" / "data"
    folder = Path(root) / name
    if not folder.is_dir():
        pytest.skip(f"{name} is not there: set DDK_DATA to the folder with the measured data")
    return folder


def write(folder: Path, text: str, name: str = "lab.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def read(folder: Path, text: str, encoding: str = "utf-8", **told: object) -> xr.Dataset:
    return read_pulses(write(folder, text, encoding=encoding), **told)  # type: ignore[arg-type]


def assumptions(ds: xr.Dataset) -> str:
    return ds.attrs["assumptions"]


MESSES = {
    "plain": "pulse,G (uS)\n1,10\n2,8\n3,5\n",
    "square brackets, tabs": "Pulse #\tConductance [uS]\n1\t10\n2\t8\n3\t5\n",
    "stroke": "pulse;Conductance/µS\n1;10\n2;8\n3;5\n",
    "name with unit": "n,G_uS\n1,10\n2,8\n3,5\n",
    "greek mu": "n,G (μS)\n1,10\n2,8\n3,5\n",
    "blank lines and comments": "# made by hand\n\npulse,G (uS)\n1,10\n\n# a break\n2,8\n3,5\n\n",
    "semicolon, decimal comma": "pulse;G (uS)\n1;10,0\n2;8,0\n3;5,0\n",
    "preamble": "Instrument,K4200\nPoints,3\n\npulse,G (uS)\n1,10\n2,8\n3,5\n",
    "row of units": "pulse,G\n-,uS\n1,10\n2,8\n3,5\n",
    "headings behind a comment sign": "# pulse G(uS)\n1 10\n2 8\n3 5\n",
    "spaces": "pulse   G(uS)\n 1    10\n 2     8\n 3     5\n",
    "unsorted": "pulse,G (uS)\n3,5\n1,10\n2,8\n",
    "units in the cells": "pulse,G\n1,10 uS\n2,8 uS\n3,0.005 mS\n",
    "scientific, quoted": 'pulse,"G (S)"\n1,"1.0E-05"\n2,8e-6\n3,5.0e-06\n',
    "resistance": "pulse,R (kOhm)\n1,100\n2,125\n3,200\n",
    "resistance, Ω": "pulse,R (kΩ)\n1,100\n2,125\n3,200\n",
    "current and read voltage": "pulse,I (nA),V_read (mV)\n1,1000,100\n2,800,100\n3,500,100\n",
    "negative read voltage": "pulse,I (nA),V (V)\n1,-1000,-0.1\n2,-800,-0.1\n3,-500,-0.1\n",
    "delimiter at the end of lines": "pulse,G (uS),\n1,10,\n2,8,\n3,5,\n",
    "carriage returns": "pulse,G (uS)\r\n1,10\r\n2,8\r\n3,5\r\n",
    "told by sep=": "sep=;\npulse;G (uS)\n1;10\n2;8\n3;5\n",
    "no pulse column": "G (uS)\n10\n8\n5\n",
    "minus sign, unused column": "pulse,T (degC),G (uS)\n1,\N{MINUS SIGN}5,10\n2,21,8\n3,22,5\n",
    "Fortran exponent": "pulse,G (S)\n1,1.0D-5\n2,8D-6\n3,5.0d-06\n",
}


@pytest.mark.parametrize("text", MESSES.values(), ids=MESSES.keys())
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_one_train_in_many_spellings(tmp_path: Path, text: str, encoding: str) -> None:
    ds = read(tmp_path, text, encoding)
    assert ds.conductance.dims == ("train", "pulse")
    np.testing.assert_allclose(ds.conductance.values, [[10 * US, 8 * US, 5 * US]], rtol=1e-14)
    assert ds.conductance.attrs["units"] == "S"
    assert ds.direction.values.tolist() == ["down"]
    assert ds.length.values.tolist() == [3]
    for variable in ds.variables.values():
        assert variable.attrs["units"] and variable.attrs["long_name"]


def test_the_numbers_are_exact(tmp_path: Path) -> None:
    values = np.random.default_rng(3).random(50)
    text = "G (S)\n" + "\n".join(repr(float(v)) for v in values)
    assert np.array_equal(read(tmp_path, text, direction="up").conductance.values[0], values)


def test_windows_1252(tmp_path: Path) -> None:
    ds = read(tmp_path, "pulse;G (µS)\n1;10\n2;8\n", "cp1252")
    np.testing.assert_allclose(ds.conductance.values, [[10 * US, 8 * US]])
    assert "Windows-1252" in assumptions(ds)


def test_a_gap_stays_a_gap_and_the_end_is_the_last_value(tmp_path: Path) -> None:
    ds = read(tmp_path, "pulse,G (uS)\n1,10\n2,n/a\n4,5\n5,4\n6,\n")
    np.testing.assert_allclose(ds.conductance[0] / US, [10, np.nan, np.nan, 5, 4])
    assert ds.length.item() == 5


def test_overflow_of_the_instrument_is_a_gap(tmp_path: Path) -> None:
    ds = read(tmp_path, "pulse,R (ohm)\n1,100\n2,9.91E+37\n3,300\n")
    assert np.isnan(ds.conductance.values[0, 1])
    assert "overflow" in assumptions(ds)


def test_wide_trains_of_different_length(tmp_path: Path) -> None:
    ds = read(tmp_path, "pulse,cycle 1,cycle 2,cycle 3\n1,1,5,9\n2,2,4,8\n3,3,,7\n", units="uS")
    assert ds.train.values.tolist() == ["cycle 1", "cycle 2", "cycle 3"]
    assert ds.direction.values.tolist() == ["up", "down", "down"]
    assert ds.length.values.tolist() == [3, 2, 3]
    np.testing.assert_allclose(ds.conductance[1] / US, [5, 4, np.nan])


def test_headings_that_name_the_direction(tmp_path: Path) -> None:
    ds = read(tmp_path, "G_up (uS),G_down (uS)\n1,9\n3,7\n2,8\n")
    assert ds.direction.values.tolist() == ["up", "down"]
    assert "by its heading" in assumptions(ds)


def test_long_with_cycle_device_and_direction(tmp_path: Path) -> None:
    lines = ["device,cycle,op,pulse,R (kOhm),V_pulse (V),width (ns)"]
    for device in "AB":
        for cycle in (1, 2):
            for k in range(1, 5):
                lines.append(f"{device},{cycle},SET,{k},{100 / k},1.5,100")
            for k in range(5, 9):
                lines.append(f"{device},{cycle},RESET,{k},{100 * (k - 3)},-2,100")
    ds = read(tmp_path, "\n".join(lines))
    assert ds.sizes == {"train": 8, "pulse": 4}
    assert ds.direction.values.tolist() == ["up", "down"] * 4
    assert ds.train.values[1] == "device A, cycle 1, down"
    np.testing.assert_allclose(ds.conductance[0] / US, [10, 20, 30, 40])
    np.testing.assert_allclose(ds.amplitude[1], -2)
    np.testing.assert_allclose(ds.width, 1e-7)
    assert ds.amplitude.attrs["units"] == "V"
    assert "goes on at pulse 5" in assumptions(ds)


def test_pulse_zero_is_the_reading_before(tmp_path: Path) -> None:
    ds = read(tmp_path, "pulse,G (uS)\n0,12\n1,10\n2,8\n")
    np.testing.assert_allclose(ds.conductance[0] / US, [10, 8])
    np.testing.assert_allclose(ds.initial_conductance / US, [12])
    assert "pulse 0" in assumptions(ds)


def test_what_the_user_tells_counts(tmp_path: Path) -> None:
    text = "a,b,c,d\n1,x,0.1,7\n2,x,0.2,8\n1,y,0.4,9\n2,y,0.3,9\n"
    ds = read(tmp_path, text, conductance="c", pulse="a", train="b", units="mS")
    np.testing.assert_allclose(ds.conductance * 1e3, [[0.1, 0.2], [0.4, 0.3]])
    by_number = read(tmp_path, text, conductance=3, pulse=1, train=2, units={"conductance": "mS"})
    np.testing.assert_array_equal(by_number.conductance, ds.conductance)
    both = {"c": "mS", "d": "mS"}
    several = read(tmp_path, text, conductance=["c", "d"], pulse="a", train="b", units=both)
    assert several.sizes["train"] == 4
    fixed = read(tmp_path, text, current="c", voltage="0.1 V", units="uA", pulse="a", train="b")
    np.testing.assert_allclose(fixed.conductance / US, [[1, 2], [4, 3]])


def test_no_unit_is_relative_and_said(tmp_path: Path) -> None:
    ds = read(tmp_path, "1,0.5\n2,0.2\n3,-0.1\n")
    assert ds.conductance.attrs["units"] == "1"
    assert ds.conductance.values.tolist() == [[0.5, 0.2, -0.1]]
    assert "taken as pulse numbers" in assumptions(ds)
    assert "taken as relative" in assumptions(ds)


TRIANGLE = [*range(1, 11), *range(9, 0, -1)]


def test_a_train_that_turns_is_refused_and_cut_when_told(tmp_path: Path) -> None:
    text = "G (uS)\n" + "\n".join(map(str, TRIANGLE))
    with pytest.raises(InputError, match=r"turns after pulse 10.*direction='split'"):
        read(tmp_path, text)
    ds = read(tmp_path, text, direction="split")
    assert ds.direction.values.tolist() == ["up", "down"]
    assert ds.length.values.tolist() == [10, 9]
    np.testing.assert_allclose(ds.conductance[1, :9] / US, range(9, 0, -1))
    np.testing.assert_allclose(ds.initial_conductance[1] / US, 10)
    assert read(tmp_path, text, direction="up").sizes["train"] == 1


def test_noisy_cycles_are_cut_at_their_turns(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    up = 1 - np.exp(-np.arange(100) / 30)
    cycles = np.concatenate([up, up[::-1], up, up[::-1]]) + 0.03 * rng.standard_normal(400)
    ds = read(tmp_path, "G (uS)\n" + "\n".join(f"{v + 1:.6f}" for v in cycles), direction="split")
    assert ds.direction.values.tolist() == ["up", "down", "up", "down"]
    assert np.abs(ds.length.values - 100).max() <= 12


def test_direction_told_for_each(tmp_path: Path) -> None:
    text = "a,b\n1,1\n2,2\n3,3\n"
    both = read(tmp_path, text, conductance=["a", "b"], direction=["up", "down"])
    assert both.direction.values.tolist() == ["up", "down"]
    ds = read(tmp_path, text, conductance=["a", "b"], direction={"b": "down"})
    assert ds.direction.values.tolist() == ["up", "down"]
    assert "though it goes up" in assumptions(ds)


def test_neither_way_is_unknown(tmp_path: Path) -> None:
    ds = read(tmp_path, "G (uS)\n5\n5\n5\n5\n")
    assert ds.direction.values.tolist() == ["unknown"]


REFUSED = {
    "not a number": ("pulse,G (uS)\n1,10\n2,oops\n3,5\n", {}, "line 3, column 2 'G'"),
    "first number is wrong": ("pulse,G (uS)\n1,abc\n2,8\n3,5\n", {}, "line 2, column 2 'G'"),
    "first of one column is wrong": ("G (uS)\nabc\n5\n6\n", {}, "line 2, column 1 'G'"),
    "pulse twice": ("pulse,G (uS)\n1,10\n2,8\n2,5\n", {}, "lines 3 and 4"),
    "no whole pulse": ("pulse,G (uS)\n1,10\n2.5,8\n", {}, "line 3, column 1 'pulse'"),
    "no pulse number": ("pulse,G (uS)\n1,10\n,8\n", {}, "line 3, column 1 'pulse'"),
    "pulse far away": ("pulse,G (uS)\n1,10\n2000000,8\n", {}, "column 1 'pulse'"),
    "negative": ("pulse,G (uS)\n1,10\n2,-8\n", {}, "line 3, column 2 'G'"),
    "zero resistance": ("pulse,R (ohm)\n1,10\n2,0\n", {}, "line 3, column 2 'R'"),
    "wrong unit": ("pulse,G (kOhm)\n1,10\n2,8\n", {}, "column 2 'G'"),
    "wrong unit told": ("pulse,G\n1,10\n2,8\n", {"units": "us"}, "no unit of conductance"),
    "mixed units": ("pulse,G\n1,10 uS\n2,8\n", {}, "line 3|line 2"),
    "mixed dimensions": ("pulse,G (uS)\n1,10\n2,8 kohm\n", {}, "line 3, column 2 'G'"),
    "current alone": ("pulse,I (nA)\n1,10\n2,8\n", {}, "voltage='0.1 V'"),
    "bare voltage": ("pulse,I (nA)\n1,10\n2,8\n", {"voltage": 0.1}, "has no unit"),
    "zero voltage": ("I (nA),V (V)\n1,0.1\n2,0\n", {}, "line 3, column 1 'I'"),
    "loop": ("V (V),I (uA)\n0.1,1\n0.2,2\n-0.1,-1\n", {}, "line 4, column 1 'V'"),
    "wrong sign": ("V (V),I (uA)\n0.1,1\n0.1,-2\n", {}, "line 3, column 2 'I'"),
    "ambiguous comma": ("0,5\n0,4\n0,3\n", {}, "line 1.*decimal=','"),
    "point and comma": ("a;b\n1,5;2\n1.5;2\n", {}, "line 2, column 1 'a'"),
    "thousands": ('pulse;G (uS)\n1;"1,00,000.5"\n2;8\n', {}, "line 2"),
    "too many columns": ("pulse,G (uS)\n1,10\n2,8,7\n", {}, "line 3"),
    "no column": ("pulse,G (uS)\n1,10\n", {"conductance": "H"}, "no column 'H'"),
    "no column number": ("pulse,G (uS)\n1,10\n", {"conductance": 3}, "no column 3"),
    "two columns of a name": ("G,G\n1,10\n2,4\n", {"conductance": "G"}, "columns 1, 2"),
    "which column": ("cycle,G1 (uS),G2 (uS)\n1,1,2\n1,2,3\n", {}, "wide=True"),
    "logarithm": ("pulse,log10(R/Ohm)\n1,4.5\n2,4.6\n", {}, "logarithms"),
    "infinite": ("pulse,G (uS)\n1,10\n2,inf\n", {}, "line 3, column 2 'G'"),
    "direction": ("dir,G (uS)\nup,10\nsideways,8\n", {}, "line 3, column 1 'dir'"),
    "directions": ("G (uS)\n10\n8\n", {"direction": ["up", "up"]}, "2 directions for 1 train"),
    "direction of whom": ("G (uS)\n10\n8\n", {"direction": {"x": "up"}}, "no train 'x'"),
    "open quote": ('pulse,G (uS)\n1,"10\n2,8\n', {}, "line 2"),
    "empty": ("", {}, "holds no value"),
    "only text": ("hello\nworld\n", {}, "no row of numbers"),
    "only gaps": ("pulse,G (uS)\n1,\n2,n/a\n", {}, "no column with|holds no value"),
    "delimiter": ("1,2\n", {"delimiter": "x"}, "no delimiter"),
    "unit": ("G\n1\n2\n", {"units": "bananas"}, "not a unit"),
    "footer": ("pulse,G (uS)\n1,10\n2,8\nend of file,\n", {}, "line 4, column 1 'pulse'"),
    "told twice": ("a,b\n1,2\n2,3\n", {"conductance": "a", "resistance": "b"}, "both conductance"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "told", "expected"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_refused_names_the_place(
    tmp_path: Path, text: str, told: dict[str, object], expected: str
) -> None:
    with pytest.raises(InputError, match=expected) as caught:
        read(tmp_path, text, **told)
    assert "\n" not in str(caught.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_pulses(tmp_path / "absent.csv")
    with pytest.raises(InputError, match="folder"):
        read_pulses(tmp_path)
    with pytest.raises(InputError, match="not text"):
        read_pulses(write(tmp_path, "1\0,2"))
    for name in ("a.xlsx", "a.nc", "a.mat", "a.npz"):
        with pytest.raises(InputError, match="damaged"):
            read_pulses(write(tmp_path, "1,2\n", name))


def test_gong_up_and_down() -> None:
    ds = read_pulses(data_folder("reram_gong_aihwkit") / "gong_et_al.csv")
    assert ds.sizes == {"train": 2, "pulse": 1000}
    assert ds.direction.values.tolist() == ["up", "down"]
    assert ds.conductance.attrs["units"] == "1"
    assert ds.conductance.values[0, 0] == -0.84444
    assert ds.conductance.values[1, 3] == 1.0556
    assert not ds.conductance.isnull().any()
    assert "taken as relative" in assumptions(ds)


def test_loops_of_knowm_are_no_trains() -> None:
    path = data_folder("memristor_knowm_sdc") / "knowm_sdc_iv.npz"
    with pytest.raises(InputError, match=r"variable=.*vi"):
        read_pulses(path)
    with pytest.raises(InputError, match="current-voltage loop"):
        units = {"voltage": "V", "current": "uA"}
        read_pulses(path, variable="vi", voltage=1, current=2, units=units)
    for split in (None, "split"):
        with pytest.raises(InputError, match="'column 1' and 'column 2' go through zero together"):
            read_pulses(path, variable="vi", direction=split)
    current = read_pulses(path, variable="vi", conductance=2)  # as the user wants
    assert current.direction.values.tolist() == ["unknown"]


def test_loops_without_headings_are_no_trains(tmp_path: Path) -> None:
    phase = np.linspace(0, 6 * np.pi, 300)
    volts = np.sin(phase)
    amps = 3e-5 * volts * (1 + 0.5 * np.cos(phase))
    file = tmp_path / "loop.csv"
    np.savetxt(file, np.column_stack([volts, amps]), delimiter=";")
    with pytest.raises(InputError, match="current-voltage loop"):
        read_pulses(file)
    np.savetxt(file, amps)
    with pytest.raises(InputError, match="neither up nor down"):
        read_pulses(file)
    assert read_pulses(file, direction="up").sizes["train"] == 1
    # relative numbers that lead somewhere, or turn once, are trains
    rise = np.linspace(-1, 1, 50) + 0.2 * np.random.default_rng(1).standard_normal(50)
    np.savetxt(file, np.column_stack([rise, rise[::-1]]), delimiter=";")
    assert read_pulses(file).direction.values.tolist() == ["up", "down"]
    np.savetxt(file, np.concatenate([rise, rise[::-1]]))
    assert read_pulses(file, direction="split").direction.values.tolist() == ["up", "down"]
