"""Files of strangers: what would be read as something else in silence, and whose layout is odd."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from compact.measured.headings import role_of
from compact.measured.read_pulses import read_pulses
from ddkbase.errors import InputError, StorageError

N = np.arange(1, 31)
UP = np.round(10 + 90 * (1 - np.exp(-N / 9)), 4)  # uS
DOWN = np.round(10 + 90 * np.exp(-N / 9), 4)
OHM = np.round(1e6 / DOWN, 3)


def read(folder: Path, text: str | bytes, name: str = "lab.csv", **told: Any) -> xr.Dataset:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_pulses(path, **told)


def rows(heads: str, *columns: Sequence[Any] | np.ndarray, sign: str = ",") -> str:
    lines = [sign.join(str(v) for v in row) for row in zip(*columns, strict=True)]
    return "\n".join([heads, *lines] if heads else lines) + "\n"


def table_in_rows(first: str, names: Sequence[str], heads: Sequence[Any]) -> str:
    lines = [",".join([first, *map(str, heads)])]
    return "\n".join([*lines, *(",".join([n, *map(str, DOWN)]) for n in names)]) + "\n"


SHUFFLED = np.random.default_rng(0).permutation(DOWN)
OTHER_TABLES = {
    "changes": (rows("pulse,\u0394G (uS)", N, DOWN), "no column with"),
    "changes, the other sign": (rows("pulse,\u2206G (uS)", N, DOWN), "no column with"),
    "trains in rows": (table_in_rows("pulse", ["G1 (uS)", "G2 (uS)"], N), "stand in rows"),
    "cycles in rows": (table_in_rows("cycle", ["1", "2", "3"], N), "stand in rows"),
    "rows, G of each pulse": (
        table_in_rows("device", ["A", "B"], [f"G{n} (uS)" for n in N]),
        "stand in rows",
    ),
    "endurance": (rows("cycle,HRS (ohm),LRS (ohm)", N, 1e5 + N, 1e4 + N), "two states of a cell"),
    "endurance behind a sign": (rows("# cycles,Roff,Ron", N, 1e5 + N, 1e4 + N), "two states"),
    "one state a cycle": (rows("cycle,R (ohm)", N, OHM), "another in each line.*pulse='cycle'"),
    "of each device": (rows("device,mean G (uS),std", N, DOWN, DOWN / 50), "another in each"),
    "quantiles": (rows("quantile,G (uS)", N / 30, UP), "of a distribution"),
    "probability": (rows("cumulative probability,R (ohm)", N / 30, OHM), "of a distribution"),
    "F of x": (rows("F,R (ohm)", N / 30, OHM), "of a distribution"),
    "histogram": (rows("G (uS),counts", N, N[::-1]), "of a distribution"),
    "single pulses": (rows("G before (uS),G after (uS)", DOWN, DOWN * 0.6), "single pulses"),
    "single pulses, any order": (
        rows("G before (uS),G after (uS)", SHUFFLED, SHUFFLED * 0.95),
        "updates",
    ),
    "pulses apart": (
        rows("pulse,G (uS),pulse,G (uS)", N, DOWN, N + 100, UP),
        "number the pulses differently",
    ),
    "half a sweep": (rows("V (V),I (A)", N / 20, N * 1e-6), "a sweep"),
    "treated": (rows("pulse,R raw (ohm),R corrected (ohm)", N, OHM + 500, OHM), "two ways"),
    "probes": (rows("pulse,R 2-wire (ohm),R 4-wire (ohm)", N, OHM + 500, OHM), "two ways"),
    "thousands of German": (
        rows("Puls;Widerstand (Ohm)", N, [f"{v:,.0f}".replace(",", ".") for v in OHM], sign=";"),
        "every point stands before three digits",
    ),
    "a unit of another kind": (rows("pulse,R (e3 Ohm)", N, OHM / 1e3), "'e3 Ohm' is not under"),
    "sheet resistance": (rows("pulse,sheet resistance (Ohm/sq)", N, OHM), "not understood"),
    "a factor": (rows("pulse,R x 1e-3 (Ohm)", N, OHM / 1e3), "has a factor"),
    "a density": (rows("pulse,Current (A/cm2),V (V)", N, DOWN, 0.1 + 0 * N), "not understood"),
    "headings that blanks part": (
        rows("pulse G read current", N, DOWN, sign=" "),
        "2 columns, but there are 4 headings",
    ),
    "over a voltage": (rows("V (V),G (uS)", N / 20, UP), "values are over it"),
    "over a temperature": (rows("T (K),G (uS)", 300 + N, UP), "'T \\(K\\)' goes from 301 to 330"),
    "over a length": (rows("thickness (nm),R (ohm)", N, OHM), "values are over it"),
    "over a compliance": (rows("Icc (A),R_LRS (ohm)", N * 1e-6, OHM), "values are over it"),
    "over frequencies": (rows("f_x,G (uS)", 10.0 ** (N / 9), UP), "values are over it"),
    "pulses of which every tenth was read": (
        rows("Pulses so far,G (uS)", N * 10, DOWN),
        "'Pulses so far' goes from 10 to 300",
    ),
    "read off a figure": (
        rows("", np.round(N + 0.1 * np.sin(7 * N), 3), DOWN),
        "rises almost evenly.*conductance=2",
    ),
    "over intervals": (rows("interval (ms),G (uS)", N, UP), "values are over it"),
    "a map of an array": (
        rows("wordline,bitline,G (uS)", np.repeat(range(6), 5), [*range(5)] * 6, UP),
        "another in each line",
    ),
    "trains below each other": (rows("G (uS)", [*DOWN, *DOWN]), "same way again after pulse 30"),
    "with a heading that names the direction": (
        rows("G LTD (uS)", [*DOWN, *DOWN, *DOWN]),
        "pulse 30 and 1 times more",
    ),
    "over the value": (rows("pulse,G0/G", N, 100 / DOWN), "no column with"),
    "inverse": (rows("pulse,Inverse resistance", N, DOWN), "no column with"),
    "decibels": (rows("pulse,R (dBohm)", N, 20 * np.log10(OHM)), "logarithms"),
    "a factor before": (rows("pulse,10*G (uS)", N, DOWN), "has a factor"),
    "two units": ("pulse,R (Ohm)\n,kOhm\n" + rows("", N, OHM), "heading says 'Ohm', the row below"),
    "two reads of each pulse": (
        rows("pulse,I (nA) @ 0.1 V,I (nA) @ 0.2 V", N, DOWN * 100, DOWN * 200),
        "reads of the same pulses, at 0.1 V and 0.2 V",
    ),
    "over delays of spikes": (rows("Delta t (ms),G (uS)", N - 15.5, UP), "values are over it"),
    "over targets": (rows("target (uS),attempts,G (uS)", UP, N, UP), "values are over it"),
    "a list of Python": (str(DOWN.tolist()), "list as a program prints it"),
    "an array of NumPy": (str(DOWN), "list as a program prints it"),
    "a vector of R": ("[1] 10.5 11.5 12.5\n[4] 13.5 14.5 15.5\n", "list as a program prints it"),
    "a vector of MATLAB": ("G = [10.5 11.5 12.5];\n", "list as a program prints it"),
    "a list of YAML": ("pulse: [1, 2, 3]\nG: [4, 5, 6]\n", "list as a program prints it"),
    "no value": (rows("pulse,G (uS)", N, ["NaN"] * 30), "'G' holds no value"),
    "by how much it rose": (rows("pulse,G increase (%)", N, DOWN), "no column with"),
    "what a pulse adds": (rows("pulse,G step (uS)", N, DOWN), "no column with"),
    "a shift": (rows("pulse,Resistance shift (ohm)", N, DOWN), "no column with"),
    "logarithms behind": (rows("pulse,G_log10", N, DOWN), "logarithms"),
    "logarithms, glued": (rows("pulse,lgR", N, DOWN), "logarithms"),
    "logarithms of a unit": (rows("pulse,R (log\u03a9)", N, DOWN), "logarithms"),
    "a node of a circuit": (rows("/R0/PLUS X,/R0/PLUS Y", N * 1e-9, DOWN), "no heading says"),
    "ten thousands of ohms": (rows("脉冲数,电阻(万欧)", N, DOWN), "not understood"),
    "pulses of down counted back": (
        rows("pulse,G LTD (uS)", N[::-1], DOWN),
        "fall from 30 to 1.*does not go down",
    ),
    "runs of a .step": (
        "time\tV(a)\tI(R1)\nStep Information: R=1K  (Run: 1/2)\n" + rows("", N, N, N, sign="\t"),
        r"runs of a .step .*line 2",
    ),
    "a cell missing between blanks": (
        rows("pulse G(uS) T(K)", N, DOWN, 300 + 0 * N, sign=" ").replace(f"\n7 {DOWN[6]} ", "\n7 "),
        "nothing says which is missing .*line 8",
    ),
    "two read voltages above": (
        "Vread = 0.1 V\nVread = 0.2 V\n" + rows("pulse,I (nA)", N, DOWN),
        "without its read voltage",
    ),
    "the voltage of the pulses above": (
        "Vpulse = 1.5 V\n" + rows("pulse,I (nA)", N, DOWN),
        "without its read voltage",
    ),
    "groups of two digits": (rows("pulse;R (ohm)", N, ["1,10,450.4"] * 30, sign=";"), "line 2"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "words"), OTHER_TABLES.values(), ids=OTHER_TABLES.keys())
def test_what_is_no_table_of_trains_says_what_it_is(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_what_the_user_says_counts_more(tmp_path: Path) -> None:
    endurance = OTHER_TABLES["endurance"][0]
    assert read(tmp_path, endurance, resistance="HRS", pulse="cycle").sizes["train"] == 1
    several = read(tmp_path, "R_on,R_off\n" + rows("", N, N * 1e3), wide=True)
    assert several.sizes["train"] == 2
    wide = read(tmp_path, OTHER_TABLES["trains in rows"][0], wide=True)
    assert wide.sizes["train"] == 30
    of_cycles = read(tmp_path, OTHER_TABLES["one state a cycle"][0], pulse="cycle")
    np.testing.assert_allclose(of_cycles.conductance[0], 1 / OHM)
    german = OTHER_TABLES["thousands of German"][0]
    assert read(tmp_path, german, decimal=".").conductance.max() > 0.05
    factor = OTHER_TABLES["a factor"][0]
    np.testing.assert_allclose(read(tmp_path, factor, units="kohm").conductance[0], 1 / OHM)
    shares = read(tmp_path, OTHER_TABLES["quantiles"][0], conductance="G")
    assert shares.direction.item() == "up"


LABVIEW = """LabVIEW Measurement\t
Separator\tTab
Time\t12:14:55.123
***End_of_Header***\t
\t\t
Channels\t1\t
Samples\t30\t
Y_Unit_Label\tOhm\t
X0\t0.0\t
***End_of_Header***\t\t
X_Value\tUntitled\tComment
"""
EASY = """SetupTitle, IV-t Sampling
TestParameter, Channel.Unit, SMU1:HR, SMU2:HR
TestParameter, Channel.IName, Iread, I2
TestParameter, Measurement.Sampling.Count, 30
Dimension1, 30, 30, 30
DataName, Index, G (uS), Vread
"""
IGOR = 'IGOR\nWAVES/D\tpulse\tG\nBEGIN\n{}END\nX SetScale/P x 0,1,"", G; SetScale d 0,0,"uS", G\n'
FRENCH = str.maketrans("._", ",\u202f")
READ_AS_DOWN = {
    "LabVIEW": LABVIEW + rows("", N - 1.0, OHM, sign="\t"),
    "EasyEXPERT": EASY + rows("", ["DataValue"] * 30, N, DOWN, 0.1 + 0 * N, sign=", "),
    "Igor": IGOR.format(rows("", N, DOWN, sign="\t")),
    "heading over two lines": 'pulse,"G\n(uS)"\n' + rows("", N, DOWN),
    "headings by blanks, a unit apart": rows("pulse G uS", N, DOWN, sign=" "),
    "notes before, semicolons": "Device: 7\nArea: 25 um2\nDate: 12.3.2024\nVread: 0.1 V\n\n"
    + rows("pulse;G (uS)", N, DOWN, sign=";"),
    "gaps in words": rows("pulse,G (uS)", [*N, 31, 32], [*DOWN, "n.a.", "OVRFLW"]),
    "read voltage named": rows("pulse,Iread (nA) Vread=0.1V", N, DOWN * 100),
    "read voltage in brackets": rows("pulse,Current (Vread = 100 mV) [nA]", N, DOWN * 100),
    "devices by a letter": rows("pulse,D1 (uS)", N, DOWN),
    "units in brackets below": "pulse,R\n(),(kOhm)\n" + rows("", N, OHM / 1e3),
    "k-ohm": rows("pulse,R (k-ohm)", N, OHM / 1e3),
    "gate current beside": rows(
        "pulse,Ids (A),Vds (V),Igs (A),Vgs (V)",
        N, DOWN * 1e-7, 0.1 + 0 * N, 1e-12 + 0 * N, 1 + 0 * N,
    ),
    "Keithley": rows("Pulse,AV (V),AI (A)", N, 0.1 + 0 * N, DOWN * 1e-7),
    "settings in brackets": "[Header]\nVread: 0.2\n[Data]\n" + rows("pulse,G (uS)", N, DOWN),
    "normalised beside": rows("pulse,G (uS),G/Gmax", N, DOWN, DOWN / 100),
    "a sum beside": rows("pulse,cumulative charge (nC),G (uS)", N, N * 0.1, DOWN),
    "a sign behind each row": rows("pulse,G (uS)", N, DOWN, [""] * 30),
    "a table of R": '"pulse" "G_uS"\n' + rows("", [f'"{k}"' for k in N], N, DOWN, sign=" "),
    "simulated beside": rows("pulse,G measured (uS),G simulated (uS)", N, DOWN, DOWN + 1),
    "Keithley 4200": rows("Index,Time,DrainI (A),DrainV (V)", N, N / 10, DOWN * 1e-7, 0.1 + 0 * N),
    "KickStart": "Project,LTP\nInstrument,2450,04312\nStart,03/01/2024 12:00\n,\n"
    + rows("Index,SMU-1 Voltage (V),SMU-1 Current (A)", N, 0.1 + 0 * N, DOWN * 1e-7),
    "Russian": rows("Номер импульса;Сопротивление (кОм)", N, OHM / 1e3, sign=";"),
    "Russian currents": rows(
        "Импульс №;Ток (нА);Напряжение чтения (В)", N, DOWN * 100, 0.1 + 0 * N, sign=";"
    ),
    "Italian": rows("Numero di impulsi;Resistenza (kOhm)", N, OHM / 1e3, sign=";"),
    "Chinese in wide brackets": rows(
        "\u8109\u51b2\u6570,\u7535\u963b\uff08\u5343\u6b27\uff09", N, OHM / 1e3
    ),
    "kilo alone": rows("pulse,R (k)", N, OHM / 1e3),
    "read voltage above": "Device 7\nRead voltage: 100 mV\n" + rows("pulse,I (nA)", N, DOWN * 100),
    "read voltage in a comment": "# V_READ=0.1V; T=300K\n" + rows("pulse,I (nA)", N, DOWN * 100),
    "read voltage in cells above": "Vread (V),0.1\n" + rows("pulse,I (nA)", N, DOWN * 100),
    "thousands, English": rows("pulse,R (ohm)", N, [f'"{v:,.3f}"' for v in OHM]),
    "thousands, French": rows(
        "Impulsion;R (ohm)", N, [f"{v:_.3f}".translate(FRENCH) for v in OHM], sign=";"
    ),
    "thousands, Swiss": rows(
        "Puls;R (ohm)", N, [f"{v:_.3f}".replace("_", "'") for v in OHM], sign=";"
    ),
    "before and after by the values": rows(
        "n,G(n) (uS),G(n+1) (uS)", N, [110, *DOWN[:-1]], DOWN
    ),
    "old and new": rows("n,G_old (uS),G_new (uS)", N, [110, *(DOWN[:-1] + 1)], DOWN),
    "errors of a spreadsheet": rows("pulse,G (uS)", [*N, 31, 32], [*DOWN, "#DIV/0!", "#REF!"]),
    "number of pulses beside an index": rows(
        "No.,Number of voltage pulses,G (uS)", N + 500, N, DOWN
    ),
}  # fmt: skip


@pytest.mark.parametrize("text", READ_AS_DOWN.values(), ids=READ_AS_DOWN.keys())
def test_layouts_of_instruments_and_programs(tmp_path: Path, text: str) -> None:
    ds = read(tmp_path, text)
    assert ds.sizes["train"] == 1 and ds.direction.item() == "down"
    np.testing.assert_allclose(ds.conductance[0, :30], DOWN * 1e-6, rtol=1e-5)
    assert ds.conductance.attrs["units"] == "S"


def test_a_name_that_stands_once_counts_for_the_rows_below(tmp_path: Path) -> None:
    names = ["D1", *[""] * 29, "D2", *[""] * 29]
    ds = read(tmp_path, rows("Device,pulse,G (uS)", names, [*N, *N], [*DOWN, *(2 * DOWN)]))
    assert ds.train.values.tolist() == ["Device D1", "Device D2"]
    assert ds.length.values.tolist() == [30, 30]
    assert "taken as the one above" in ds.attrs["assumptions"]


def test_columns_of_one_name_are_told_apart_by_their_headings(tmp_path: Path) -> None:
    ds = read(tmp_path, rows("pulse,G @ -1.5 V (uS),G @ -1.8 V (uS)", N, DOWN, DOWN * 0.9))
    assert ds.train.values.tolist() == ["G @ -1.5 V (uS)", "G @ -1.8 V (uS)"]


@pytest.mark.parametrize("heads", ["Phase,pulse,G (uS)", "State,pulse,G (uS)"])
def test_a_column_of_nothing_but_directions_tells_them(tmp_path: Path, heads: str) -> None:
    ways = ["Potentiation"] * 30 + ["Depression"] * 30
    ds = read(tmp_path, rows(heads, ways, [*N, *N], [*UP, *DOWN]))
    assert ds.direction.values.tolist() == ["up", "down"]
    np.testing.assert_allclose(ds.conductance[1], DOWN * 1e-6)
    odd = rows(heads, [*ways[:-1], "read twice"], [*N, *N], [*UP, *DOWN])
    assert "direction" not in str(read(tmp_path, odd).train.values)


def test_points_between_thousands_count_in_the_whole_column(tmp_path: Path) -> None:
    ohm = np.array([12345.5, 11000.0, 9876.5, 845.5])
    german = ["12.345,5", "11.000", "9.876,5", "845,5"]
    ds = read(tmp_path, rows("Puls;R (ohm)", range(1, 5), german, sign=";"))
    np.testing.assert_allclose(1 / ds.conductance[0], ohm)
    with pytest.raises(InputError, match=r"'845\.5' is not a finite number"):
        read(
            tmp_path,
            rows("Puls;R (ohm)", range(1, 5), [*german[:3], "845.5"], sign=";"),
            decimal=",",
        )


def test_columns_of_fixed_width_have_their_gaps_where_they_are(tmp_path: Path) -> None:
    heads = f"{'pulse':>8}{'LTP (uS)':>12}{'LTD (uS)':>12}\n"
    lines = [
        f"{n:8d}" + (f"{up:12.4f}" if n < 20 else " " * 12) + f"{down:12.4f}\n"
        for n, up, down in zip(N, UP, DOWN, strict=True)
    ]
    ds = read(tmp_path, heads + "".join(lines))
    assert ds.length.values.tolist() == [19, 30]
    np.testing.assert_allclose(ds.conductance[1], DOWN * 1e-6)


def test_columns_that_pandas_named_anew_keep_their_unit(tmp_path: Path) -> None:
    ds = read(tmp_path, rows("pulse,G_uS,pulse.1,G_uS.1", N, UP, N, DOWN))
    assert ds.direction.values.tolist() == ["up", "down"]
    assert ds.conductance.attrs["units"] == "S"


def test_arrays_without_a_name_and_dates_beside_the_values(tmp_path: Path) -> None:
    np.save(tmp_path / "lab.npy", DOWN)
    np.testing.assert_allclose(read_pulses(tmp_path / "lab.npy").conductance[0], DOWN)
    for odd, words in ((DOWN + 1j, "complex"), (DOWN > 50, "true or false")):
        np.save(tmp_path / "lab.npy", odd)
        with pytest.raises(InputError, match=f"'array' is {words}"):
            read_pulses(tmp_path / "lab.npy")
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    when = pandas.date_range("2024-03-01", periods=30, freq="s")
    frame = pandas.DataFrame({"when": when, "pulse": N, "G (uS)": DOWN})
    frame.to_parquet(tmp_path / "lab.parquet")
    np.testing.assert_allclose(read_pulses(tmp_path / "lab.parquet").conductance[0], DOWN * 1e-6)


def test_trains_by_direction_and_number(tmp_path: Path) -> None:
    ds = read(tmp_path, rows("LTP1,LTD1,LTP2,LTD2", UP, DOWN, UP * 2, DOWN * 2))
    assert ds.direction.values.tolist() == ["up", "down"] * 2


def test_a_resistance_that_is_not_the_inverse_is_said(tmp_path: Path) -> None:
    for ohm, said in ((OHM, False), (OHM[::-1], True)):
        ds = read(tmp_path, rows("pulse,R (ohm),G (uS)", N, ohm, DOWN))
        assert ("column 2 'R' is not the inverse" in ds.attrs["assumptions"]) == said


@pytest.mark.parametrize("kind", ["npy", "h5"])
def test_records_of_numpy_and_hdf5_are_columns(tmp_path: Path, kind: str) -> None:
    records = np.array(list(zip(N, DOWN, strict=True)), dtype=[("pulse", int), ("G_uS", float)])
    path = tmp_path / f"lab.{kind}"
    if kind == "npy":
        np.save(path, records)
    else:
        h5py = pytest.importorskip("h5py")
        with h5py.File(path, "w") as file:
            file["run"] = records
    ds = read_pulses(path)
    np.testing.assert_allclose(ds.conductance[0], DOWN * 1e-6)


def test_waves_of_several_lengths_are_refused(tmp_path: Path) -> None:
    blocks = "IGOR\nWAVES/D a\nBEGIN\n1\n2\nEND\nWAVES/D b\nBEGIN\n1\nEND\n"
    with pytest.raises(InputError, match="differ in length"):
        read(tmp_path, blocks, "lab.itx")
    with pytest.raises(InputError, match="does not end"):
        read(tmp_path, "IGOR\nWAVES/D a\nBEGIN\n1\n2\n", "lab.itx")


def zipped(name: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, "pulse,G (uS)\n1,10\n2,9\n")
    return buffer.getvalue()


NO_TEXTS: dict[str, tuple[bytes, str]] = {
    "lab.csv": (zipped("lab.csv"), "is an archive.*Unpack"),
    "lab.zip": (zipped("lab.exe"), "no file in it is a table.*csv"),
    "lab.ods": (
        b"PK\3\4" + bytes(26) + b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet",
        "OpenDocument table",
    ),
    "lab.csv.gz": (gzip.compress(b"pulse,G\n1,2\n"), "is compressed.*Unpack"),
    "lab.tdms": (b"TDSm\x0e\0\0\0" + bytes(99), "is a TDMS file"),
    "lab.xls": (b"<html><table><tr><td>pulse</td></tr></table></html>", "is HTML or XML"),
    "lab2.xls": (b'<?xml version="1.0"?><Workbook></Workbook>', "is HTML or XML"),
    "lab.json": (b'{"pulse": [1, 2], "G": [3, 4]}', "is JSON"),
    "lab.txt": ("pulse,G (uS)\n1,10\n2,9\n".encode("utf-16-le"), "encoding='utf-16-le'"),
    "lab.opj": (b"CPYA 4.2673 552#\n" + bytes(99), "is an Origin project"),
    "lab.pkl": (b"\x80\x04\x95" + bytes(99), "is a pickle"),
}


@pytest.mark.parametrize("name", NO_TEXTS)
def test_what_is_no_text_is_named(tmp_path: Path, name: str) -> None:
    content, words = NO_TEXTS[name]
    with pytest.raises(InputError, match=words):
        read(tmp_path, content, name)


@pytest.mark.parametrize("name", ["lab.xlsx", "lab.csv", "lab.h5"])
def test_a_pointer_of_git_lfs_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(StorageError, match="git lfs pull"):
        read(tmp_path, b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", name)


def test_an_index_of_pandas_that_has_a_name_counts(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = pandas.DataFrame({"G (uS)": DOWN}, index=pandas.RangeIndex(10, 310, 10, name="pulse"))
    frame.to_parquet(tmp_path / "lab.parquet")
    ds = read_pulses(tmp_path / "lab.parquet")
    assert ds.length.item() == 300 and np.isfinite(ds.conductance.values[0, 9::10]).all()
    frame.rename_axis(None).to_parquet(tmp_path / "plain.parquet")
    assert read_pulses(tmp_path / "plain.parquet").length.item() == 30


@pytest.mark.parametrize(
    ("heading", "role"),
    {
        "D1": None, "\u0394G": "derived", "\u2206R": "derived", "Igs": "other", "I_G": "other",
        "V_G": "other", "Number of voltage pulses": "pulse", "Pulse Pot": "pulse",
        "CDF": "statistic",
        "SET pulse amplitude": "amplitude", "Pulse counts": "pulse", "# cycles": "train",
    }.items(),
)  # fmt: skip
def test_roles_of_headings(heading: str, role: str | None) -> None:
    assert role_of(heading) == role


@pytest.mark.parametrize("name", ["Impulsion", "Pulso", "Impulso", "Cumulative pulses"])
def test_every_tenth_pulse_in_other_words(tmp_path: Path, name: str) -> None:
    ds = read(tmp_path, rows(f"{name},G (uS)", N * 10, DOWN))
    assert ds.length.item() == 300


def test_a_voltage_that_varies_beside_resistances_is_that_of_the_pulses(tmp_path: Path) -> None:
    staircase = read(tmp_path, rows("step,voltage (V),R (ohm)", N, -0.5 - N / 50, OHM))
    assert staircase.varied.item().startswith("amplitude from")
    for heads in ("step,voltage (V),R (ohm)", "step,read voltage (V),R (ohm)"):
        volts = 0.1 + 0 * N if "read" not in heads else 0.1 + N / 100
        assert read(tmp_path, rows(heads, N, volts, OHM)).varied.item() == ""


def test_trains_below_each_other_are_cut_when_told(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).standard_normal(90)
    ds = read(tmp_path, rows("G (uS)", np.tile(DOWN, 3) + noise), direction="split")
    assert ds.length.values.tolist() == [30, 30, 30]
    assert ds.direction.values.tolist() == ["down"] * 3
    assert np.isnan(ds.initial_conductance).all()  # what brought it back is not in the file
    whole = read(tmp_path, rows("G (uS)", np.tile(DOWN, 3)), direction="down")
    assert whole.length.values.tolist() == [90]


def test_cells_below_each_other_are_told_apart_by_their_addresses(tmp_path: Path) -> None:
    text = rows("WL,BL,G (uS)", [1] * 60, [4] * 30 + [5] * 30, [*DOWN, *(DOWN / 5)])
    ds = read(tmp_path, text)
    assert ds.train.values.tolist() == ["BL 4", "BL 5"] and ds.length.values.tolist() == [30, 30]


@pytest.mark.parametrize("name", ["Index", "X_Value", "Unnamed: 0", "Normalized pulse number"])
def test_a_column_that_counts_rows_or_speaks_of_pulses_is_no_other_axis(
    tmp_path: Path, name: str
) -> None:
    values = N / 30 if "pulse" in name else N - 1
    assert read(tmp_path, rows(f"{name},G (uS)", values, DOWN)).sizes["train"] == 1


def test_sheets_that_are_no_tables_and_what_is_hidden(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in [["pulse", "G (uS)", "G old (uS)"], *zip(N.tolist(), DOWN, UP, strict=True)]:
        book.active.append([float(c) if not isinstance(c, str) else c for c in row])
    notes = book.create_sheet("Notes")
    notes["A1"], notes["A2"] = "measured by me", 2024
    book.save(tmp_path / "lab.xlsx")
    assert "hidden" not in read_pulses(tmp_path / "lab.xlsx").attrs["assumptions"]
    book.active.column_dimensions["C"].hidden = True
    book.active.row_dimensions[5].hidden = True
    book.save(tmp_path / "lab.xlsx")
    said = read_pulses(tmp_path / "lab.xlsx").attrs["assumptions"]
    assert "columns C are hidden" in said and "rows 5 are hidden" in said


def test_variables_of_netcdf_that_are_something_else(tmp_path: Path) -> None:
    def written(name: str, dim: str = "pulse", **attrs: str) -> Path:
        array = xr.DataArray(DOWN, dims=dim, attrs=attrs)
        xr.Dataset({name: array}).to_netcdf(tmp_path / "lab.nc", engine="h5netcdf")
        return tmp_path / "lab.nc"

    with pytest.raises(InputError, match="logarithms"):
        read_pulses(written("log10_G"))
    for name in ("foo", "temperature"):
        with pytest.raises(InputError, match=f"neither name nor unit says.*'{name}'.*variable="):
            read_pulses(written(name))
    assert read_pulses(written("foo"), variable="foo").direction.item() == "down"
    assert read_pulses(written("foo", units="kohm")).direction.item() == "up"
    assert read_pulses(written("G", unit="uS")).conductance.attrs["units"] == "S"
    assert "retention" in read_pulses(written("G", "time", units="uS")).attrs["assumptions"]
    assert "dimension 'x'" in read_pulses(written("G", "x", units="uS")).attrs["assumptions"]
