"""Files of laboratories by their kinds: what a heading says, and what never becomes a train."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import compact
from compact.measured.headings import role_of
from compact.measured.read_pulses import read_pulses
from ddkbase.errors import InputError
from ddkbase.tables.units import read_voltage, split_unit

R = np.round(10 + np.cumsum(np.linspace(1, 1.5, 12)), 3)  # kohm, a RESET train
G = 1e-3 / R


def read(folder: Path, text: str, encoding: str = "utf-8", **told: Any) -> xr.Dataset:
    path = folder / "lab.csv"
    path.write_bytes(text.encode(encoding))
    return read_pulses(path, **told)


def column(heading: str, values: np.ndarray = R) -> str:
    quoted = f'"{heading}"' if "," in heading else heading
    return f"pulse,{quoted}\n" + "\n".join(f"{k},{v:g}" for k, v in enumerate(values, 1))


NAMES = (
    "R", "Resistance", "R_HRS", "RLRS", "Mean resistance", "Rmem", "R_after", "Read resistance",
    "Device resistance", "R DUT", "median_R", "R 3", "Widerstand", "\u7535\u963b",
)  # fmt: skip
UNITS = {
    "": 1.0, " (Kohm)": 1e3, " (KOhms)": 1e3, " [k\u03a9]": 1e3, "(K\u03a9)": 1e3, "/kOhm": 1e3,
    " (kOhm) @ 0.1 V": 1e3, " @ 0.1 V (kOhm)": 1e3, "_kOhm": 1e3, " in kohm": 1e3, ", kOhm": 1e3,
    " (MOhm)": 1e6, " (Megohm)": 1e6, " (ohm, mean)": 1.0, " (10^3 ohm)": 1e3,
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("unit", UNITS)
def test_a_resistance_is_none_less_for_its_spelling(tmp_path: Path, name: str, unit: str) -> None:
    ds = read(tmp_path, column(name + unit))
    assert ds.sizes["train"] == 1 and ds.direction.item() == "down"
    np.testing.assert_allclose(1 / ds.conductance.values[0], R * UNITS[unit])
    assert ds.conductance.attrs["units"] == ("S" if unit else "1")


@pytest.mark.parametrize("coding", ["gb18030", "shift_jis", "mac_roman", "cp437"])
def test_other_codings_are_named_not_guessed(tmp_path: Path, coding: str) -> None:
    text = column("R (k\u03a9)")
    with pytest.raises(InputError, match=f"not UTF-8.*{coding}.*encoding="):
        read(tmp_path, text, coding)
    ds = read_pulses(tmp_path / "lab.csv", encoding=coding)
    np.testing.assert_allclose(ds.conductance[0], G)
    with pytest.raises(InputError, match="unknown coding"):
        read_pulses(tmp_path / "lab.csv", encoding="klingon")
    with pytest.raises(InputError, match="is not text in ascii"):
        read_pulses(tmp_path / "lab.csv", encoding="ascii")


@pytest.mark.parametrize(
    ("heading", "parts"),
    {
        "Time[ns]_LTP": ("Time LTP", "ns"),
        "RkOhm": ("R", "kOhm"),
        "GuS": ("G", "uS"),
        "R_kOhm_mean": ("R_mean", "kOhm"),
        "I (nA) @ 0.1 V": ("I", "nA"),
        "R_min": ("R_min", ""),
        "I_V": ("I_V", ""),
        "alpha": ("alpha", ""),
        "R (HRS)": ("R (HRS)", ""),
    }.items(),
)
def test_name_and_unit(heading: str, parts: tuple[str, str]) -> None:
    assert split_unit(heading) == parts


def test_where_it_was_read() -> None:
    assert read_voltage("(uA @ 0.2 V)") == "0.2 V"
    assert read_voltage("I at 100mV") == "100mV"
    assert read_voltage("I (nA)") == ""


@pytest.mark.parametrize(
    ("heading", "role"),
    {
        "G_std": "spread", "Gmax": "extreme", "delta G": "derived", "dR/R": "derived",
        "current compliance": "derived", "pulse current": "other", "V gate": "other",
        "flag": "other", "address": "other", "Elapsed time": "time", "Pulse width": "width",
        "Programming voltage": "amplitude", "Number of pulses applied": "pulse", "foo": None,
        "Weight": None, "Impedance": None,
    }.items(),
)  # fmt: skip
def test_what_stands_beside_the_values(heading: str, role: str | None) -> None:
    assert role_of(heading) == role


def rows(heads: str, *columns: Any, sign: str = ",") -> str:
    lines = [sign.join(str(v) for v in row) for row in zip(*columns, strict=True)]
    return "\n".join([heads, *lines] if heads else lines)


N = np.arange(1, 13)
UP = np.round(100 * (1 - np.exp(-N / 4)), 4)
DOWN = np.round(100 * np.exp(-N / 4), 4)
ONE = {
    "standard deviation beside": rows("pulse,G_mean (uS),G_std (uS)", N, DOWN, DOWN / 50),
    "extremes beside": rows("n,G_min (uS),G_mean (uS),G_max (uS)", N, DOWN - 1, DOWN, DOWN + 1),
    "time and temperature": rows("pulse,time (s),T (K),G (uS)", N, N / 10, 300 + 0 * N, DOWN),
    "voltage by its suffix": rows("pulse,Id_mean_A,Vd_read_V", N, DOWN * 1e-7, 0.1 + 0 * N),
    "voltage in the heading": rows("pulse,I (uA) @ 0.1 V", N, DOWN / 10),
    "before and after": rows("pulse,G before (uS),G after (uS)", N, [99, *DOWN[:-1]], DOWN),
    "flags and addresses": rows("address,flag,n,G (uS)", 17 + 0 * N, 0 * N, N, DOWN),
    "Origin, three rows": "Pulse\tConductance\n\tuS\ncell 3\tRESET\n"
    + rows("", N, DOWN, sign="\t"),
    "Origin, labels": "Long Name\tPulse\tConductance\nUnits\t\tuS\nComments\t\tcell A3\nF(x)=\t\t\n"
    + rows("", N, N, DOWN, sign="\t"),
    "two rows of headings": "Pulse,Read\nnumber,conductance\n#,(uS)\n" + rows("", N, DOWN),
    "EasyEXPERT": "SetupTitle,Pulse train\nTestParameter,Count,12\nDataName, Pulse, G (uS)\n"
    + rows("", ["DataValue"] * 12, N, DOWN),
    "headings by blanks, rows by tabs": "Pulse G(uS) Time\n" + rows("", N, DOWN, N / 10, sign="\t"),
    "two blanks": " Pulse No    Conductance (uS)\n" + rows("", N, DOWN, sign="       "),
    "overflow words": rows("pulse,G (uS)", [*N, 13], [*DOWN, "OVERFLOW"]),
    "unit as heading": rows("pulse,uS", N, DOWN),
}  # fmt: skip


@pytest.mark.parametrize("text", ONE.values(), ids=ONE.keys())
def test_one_column_is_the_train(tmp_path: Path, text: str) -> None:
    ds = read(tmp_path, text)
    assert ds.sizes["train"] == 1
    np.testing.assert_allclose(ds.conductance[0, :12], DOWN * 1e-6, rtol=1e-9)
    assert ds.conductance.attrs["units"] == "S" and ds.direction.item() == "down"


def test_a_spread_is_named(tmp_path: Path) -> None:
    assert (
        "'G_std': spread of the values"
        in read(tmp_path, ONE["standard deviation beside"]).attrs["assumptions"]
    )


def test_ltp_and_ltd_with_their_times(tmp_path: Path) -> None:
    heads = "Time[ns]_LTP\tConductance_LTP (uS)\tTime[ns]_LTD\tConductance_LTD (uS)"
    ds = read(tmp_path, rows(heads, N * 0.9, UP, N * 0.9, DOWN, sign="\t"))
    assert ds.direction.values.tolist() == ["up", "down"]
    np.testing.assert_allclose(ds.conductance, np.stack([UP, DOWN]) * 1e-6)
    # without a quantity the values must go as the heading says
    assert read(tmp_path, rows("LTP,LTD", UP, DOWN)).direction.values.tolist() == ["up", "down"]
    with pytest.raises(InputError, match="no heading says"):
        read(tmp_path, rows("LTP,LTD", 1e3 / UP, 1e3 / DOWN))


NOT_TOLD = {
    "unknown heading": (rows("n,foo", N, R), "no heading says.*'foo'"),
    "unknown headings": (rows("foo,bar", R, R), "column 1 'foo', column 2 'bar'"),
    "weight": (rows("pulse,Weight", N, R), "no heading says"),
    "unlike columns": (rows("", 1450 + 0 * N, N / 10, R - 1, R), "4 columns without.*differ"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "words"), NOT_TOLD.values(), ids=NOT_TOLD.keys())
def test_what_is_not_understood_stops_the_reading(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read(tmp_path, text)
    assert read(tmp_path, text, resistance=len(text.splitlines()[0].split(","))).direction == "down"


def test_a_unit_that_is_told_says_the_quantity(tmp_path: Path) -> None:
    assert read(tmp_path, rows("n,foo", N, R), units="kohm").direction.item() == "down"
    assert read(tmp_path, rows("n,foo", N, R), units="uS").direction.item() == "up"


REMARKS: dict[str, tuple[str, str]] = {
    "milliohm": (column("R (mohm)"), "no memristor lies outside"),
    "bare ohms": ("\n".join(f"{1000 * v:g}" for v in R), "look like ohms"),
    "bare numbers": ("\n".join(f"{v:g}" for v in R), "if they are resistances"),
    "retention": (rows("# resistance (ohm),time (s)", R * 1e3, N * 30.0), "retention"),
    "an axis": (rows("", N / 10, UP, sign=" "), "rises evenly: taken as an axis"),
    "a staircase": (rows("pulse,V_pulse (V),G (uS)", N, -0.5 - N / 20, DOWN), "not equal pulses"),
    "widths": (rows("n,width,G (uS)", N, 100 * 2**N, DOWN), "width from 200 to"),
}


@pytest.mark.parametrize(("text", "words"), REMARKS.values(), ids=REMARKS.keys())
def test_what_is_odd_is_remarked(tmp_path: Path, text: str, words: str) -> None:
    ds = read(tmp_path, text)
    assert ds.sizes["train"] == 1
    assert words in ds.attrs["assumptions"]


def test_pulse_numbers_that_begin_anew(tmp_path: Path) -> None:
    ds = read(tmp_path, rows("pulse,G (uS)", [*N, *N, *N], [*UP, *DOWN, *UP]))
    assert ds.direction.values.tolist() == ["up", "down", "up"]
    np.testing.assert_allclose(ds.conductance[1], DOWN * 1e-6)
    with pytest.raises(InputError, match="stands twice"):
        read(tmp_path, "pulse,G (uS)\n1,5\n2,4\n2,3\n3,2\n")


def test_headings_that_are_repeated(tmp_path: Path) -> None:
    block = "Cycle {}\n" + rows("pulse,G (uS)", N, DOWN) + "\n"
    ds = read(tmp_path, block.format(7) + block.format(9))
    assert ds.cycle.values.tolist() == [7, 9]
    np.testing.assert_allclose(ds.conductance[1], DOWN * 1e-6)
    plain = rows("G (uS)", DOWN) + "\n" + rows("G (uS)", UP)
    assert read(tmp_path, plain).direction.values.tolist() == ["down", "up"]


def settings(amplitudes: list[float], cycles: int) -> str:
    lines = ["amplitude (V),width (ns),cycle,pulse,G (uS)"]
    for volts in amplitudes:
        for cycle in range(1, cycles + 1):
            lines += [f"{volts},100,{cycle},{n},{v}" for n, v in zip(N, DOWN, strict=True)]
    return "\n".join(lines)


def test_a_setting_that_tells_trains_apart(tmp_path: Path) -> None:
    ds = read(tmp_path, settings([-1.0, -1.2], 3))
    assert ds.sizes["train"] == 6
    assert sorted(ds.cycle.values.tolist()) == [1, 1, 2, 2, 3, 3]
    assert set(ds.amplitude[:, 0].values.tolist()) == {-1.0, -1.2}
    named = read_pulses(tmp_path / "lab.csv", train="amplitude (V)")
    assert named.sizes["train"] == 6 and "amplitude" in named
    table = compact.AlphaBetaTable.fit(ds, starts=1).dataset
    assert table.sizes["amplitude"] == 2 and table["cycle"].values.tolist() == [1, 2, 3]
    np.testing.assert_allclose(table["width"], [1e-7])


def test_cycles_keep_their_numbers_up_and_down(tmp_path: Path) -> None:
    lines = ["cycle,polarity,pulse,G (uS)"]
    for cycle in (4, 5, 6):
        for word, values in (("potentiation", UP), ("depression", DOWN)):
            lines += [f"{cycle},{word},{n},{v}" for n, v in zip(N, values, strict=True)]
    ds = read(tmp_path, "\n".join(lines))
    for way in ("up", "down"):
        table = compact.AlphaBetaTable.fit(ds, direction=way, starts=1, integrator="implicit")
        assert table.dataset["cycle"].values.tolist() == [4, 5, 6]


def test_unequal_pulses_are_no_train_for_a_fit(tmp_path: Path) -> None:
    ds = read(tmp_path, REMARKS["a staircase"][0])
    with pytest.raises(InputError, match=r"not equal \(amplitude from -550 mV to -1.1 V\)"):
        compact.AlphaBetaTable.fit(ds)
    with pytest.raises(InputError, match="not equal"):
        compact.AlphaBetaTable.fit(ds, amplitude="-2 V")


def test_several_files_and_a_folder(tmp_path: Path) -> None:
    for name, values in (("b", UP), ("a", DOWN[:9])):
        (tmp_path / f"{name}.csv").write_text(column("G (uS)", values))
    (tmp_path / "notes.md").write_text("no table")
    ds = read_pulses(tmp_path)
    assert ds.train.values.tolist() == ["a: G", "b: G"]
    assert ds.device.values.tolist() == ["a", "b"]
    assert ds.direction.values.tolist() == ["down", "up"]
    assert ds.length.values.tolist() == [9, 12]
    listed = read_pulses([tmp_path / "b.csv", tmp_path / "a.csv"])
    np.testing.assert_allclose(listed.conductance[0], UP * 1e-6)
    (tmp_path / "c.csv").write_text(column("G", UP))
    with pytest.raises(InputError, match=r"has no unit where other files have one \(.*c.csv"):
        read_pulses(tmp_path)


def test_columns_by_number_as_text(tmp_path: Path) -> None:
    ds = read(tmp_path, rows("", N, DOWN, 5 + 0 * N), pulse="1", conductance="2", units="uS")
    np.testing.assert_allclose(ds.conductance, DOWN[None] * 1e-6)


def test_a_table_is_no_train(tmp_path: Path) -> None:
    table = compact.AlphaBetaTable.fit(read(tmp_path, column("R (kOhm)")), starts=1)
    path = table.write(tmp_path / "table.nc")
    with pytest.raises(InputError, match="is a table of alpha and beta already"):
        compact.AlphaBetaTable.fit(path)


def cases() -> Path:
    folder = Path(__file__).parents[2].parent / "shared" / "cases" / "measured_files"
    if not folder.is_dir():
        pytest.skip("the collected cases are not there")
    return folder


def _down(ds: xr.Dataset) -> bool:
    return ds.sizes["train"] == 1 and ds.direction.item() == "down"


CASES: dict[str, Callable[[xr.Dataset], bool]] = {
    "01-kohm-capital.csv": lambda ds: _down(ds) and bool(np.isclose(ds.conductance[0, 0], 1e-4)),
    "05-headerless-time-value.txt": lambda ds: ds.direction.values.tolist() == ["up"],
    "08-std-column.csv": _down,
    "09-origin-3-header-rows.txt": _down,
    "10-origin-longname-units.txt": _down,
    "12-restart-per-cycle.csv": lambda ds: ds.direction.values.tolist() == ["up", "down"] * 2,
    "14-ltp-ltd-time.tsv": lambda ds: ds.direction.values.tolist() == ["up", "down"],
    "15-blank-heads-tab-rows.txt": _down,
    "17-two-blanks-heads.txt": _down,
    "18-milliohm.csv": lambda ds: "no memristor" in ds.attrs["assumptions"],
    "20-voltage-and-std-as-trains.csv": _down,
    "22-repeated-header.csv": lambda ds: ds.cycle.values.tolist() == [1, 2],
    "23-retention.csv": lambda ds: "retention" in ds.attrs["assumptions"],
    "25-bare-resistances.txt": lambda ds: "look like ohms" in ds.attrs["assumptions"],
    "40-three-amplitudes.csv": lambda ds: ds.sizes["train"] == 18 and "cycle" in ds,
    "41-two-heading-rows.xlsx": lambda ds: ds.cycle.max() == 50 and ds.sizes["train"] == 100,
}


@pytest.mark.parametrize("name", CASES)
def test_collected_cases(name: str) -> None:
    if name.endswith("xlsx"):
        pytest.importorskip("openpyxl", reason="openpyxl is not installed")
    assert CASES[name](read_pulses(cases() / name))


@pytest.mark.parametrize("name", ["03-gbk-ohm.csv", "04-headerless-6-columns.txt"])
def test_collected_cases_that_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"gb18030|differ in kind"):
        read_pulses(cases() / name)


def test_a_log_of_writes_and_reads(tmp_path: Path) -> None:
    up, down = np.linspace(10, 60, 6), np.linspace(55, 20, 5)
    lines, step = ["Step,Operation,V (V),I (A),width (ns)", "1,READ,0.1,8e-7,"], 1
    for operation, volts, values in (("SET", 1.2, up), ("RESET", -1.4, down)):
        for k, g in enumerate(values):
            step += 2
            lines.append(f"{step - 1},{operation},{volts},{1e-6 * g * volts:.6e},100")
            if k == 2:  # read twice with no pulse between
                lines.append(f"{step},read,0.1,{3e-8 * g:.6e},")
            if k != 1:  # not read after every pulse
                lines.append(f"{step},read,0.1,{1e-7 * g:.6e},")
    path = tmp_path / "log.csv"
    path.write_text("\n".join(lines) + "\n")
    trains = read_pulses(path)
    assert list(trains["direction"].values) == ["up", "down"]
    np.testing.assert_allclose(trains["initial_conductance"], [8e-6, 60e-6], rtol=1e-6)
    missing = np.where(np.arange(6) == 1, np.nan, 1.0)
    np.testing.assert_allclose(trains["conductance"][0], 1e-6 * up * missing, rtol=1e-6)
    np.testing.assert_allclose(trains["conductance"][1, :5], 1e-6 * down * missing[:5], rtol=1e-6)
    assert np.nanmax(trains["amplitude"][0]) == 1.2 and np.nanmin(trains["amplitude"][1]) == -1.4
    assert np.nanmax(trains["width"]) == pytest.approx(1e-7)
    assert "the reads are fitted" in trains.attrs["assumptions"]
    path.write_text("\n".join(lines).replace("RESET", "ERASE2") + "\n")
    with pytest.raises(InputError, match="neither a direction nor a read"):
        read_pulses(path)


def test_a_table_of_another_solver(tmp_path: Path) -> None:
    path = tmp_path / "table.txt"
    rows = "\n".join(f"{k}     {100 * 0.9**k:.6E}" for k in range(20))
    path.write_text(f"% Model: cell.mph\n% Pulse                 G (uS)\n{rows}\n")
    trains = read_pulses(path)
    np.testing.assert_allclose(trains["conductance"][0], 1e-4 * 0.9 ** np.arange(1, 20), rtol=1e-6)


@pytest.mark.parametrize("step", [5, 10, 25])
def test_pulse_numbers_stay_where_not_each_pulse_was_read(tmp_path: Path, step: int) -> None:
    numbers = step * np.arange(1, 9)
    value = np.linspace(20, 80, 8)
    rows = [f"{n},{g}" for n, g in zip(numbers, value, strict=True)]
    ds = read(tmp_path, "\n".join(["pulse,G (uS)", *rows]))
    assert ds.length.item() == numbers[-1]
    np.testing.assert_allclose(ds.conductance.values[0][numbers - 1], 1e-6 * value)
    assert np.isfinite(ds.conductance.values).sum() == 8
    assert f"8 reads after {numbers[-1]} pulses" in ds.attrs["assumptions"]


@pytest.mark.parametrize("nothing", ["0", ""])
def test_a_first_row_of_no_pulse_is_the_read_before(tmp_path: Path, nothing: str) -> None:
    lines = [f"{r},{volt},1e-6" for r, volt in zip(1e3 * R, [nothing] + ["1.5"] * 11, strict=True)]
    ds = read(tmp_path, "\n".join(["Resistance (ohm),Amplitude (V),Pulse width (s)", *lines]))
    assert ds.initial_conductance.item() == pytest.approx(G[0])
    np.testing.assert_allclose(ds.conductance.values[0], G[1:])


def test_titles_within_a_table_part_its_trains(tmp_path: Path) -> None:
    head, block = column("R (kohm)").split("\n", 1)
    ds = read(tmp_path, f"{head}\nCycle 1\n{block}\nCycle 2\n{block}\n-----\n")
    assert ds["cycle"].values.tolist() == [1, 2]
    np.testing.assert_allclose(ds.conductance.values[1], G)


def test_a_folder_with_files_of_the_system_and_a_copy(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text(column("R (kohm)"))
    for name in ("._a.csv", "~$b.xlsx"):
        (tmp_path / name).write_bytes(b"\0\5\x16\7" + bytes(60))
    ds = read_pulses(tmp_path)
    assert ds.sizes["train"] == 2
    assert "b: the same file as a" in ds.attrs["assumptions"]


def test_a_change_in_per_cent_is_no_conductance(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        read(tmp_path, column("Potentiation (%)"))
    heading = "\u0421\u043e\u043f\u0440\u043e\u0442\u0438\u0432\u043b\u0435\u043d\u0438\u0435"
    ds = read(tmp_path, column(f"{heading}, \u043a\u041e\u043c"))
    np.testing.assert_allclose(ds.conductance.values[0], G)
