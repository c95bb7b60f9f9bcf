"""Measured loops as laboratories keep them: forming in front, pauses, blocks, several of all."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import xarray as xr

import devicephys
from devicephys import InputError
from tests.devicephys.test_read_loop import RAW, current, triangle, write

HEADS = "V (V),I (A)"


def sweep(*stops: float, rest: int = 0) -> np.ndarray:
    """Voltages from 0 V to each stop, in steps of 20 mV, with ``rest`` samples more at each."""
    parts, at = [np.zeros(1)], 0.0
    for stop in stops:
        count = round(abs(stop - at) / 0.02)
        parts += [np.linspace(at, stop, count + 1)[1:], np.full(rest, stop)]
        at = stop
    return np.concatenate(parts)


def flow(v: np.ndarray, limit: float = 1e-4, forms_at: float = 0.0) -> np.ndarray:
    """Current of a cell that is formed at a voltage, SET at 0.9 V and RESET at -0.8 V."""
    formed, low, out = forms_at == 0.0, False, []
    for volt in v:
        low = (formed and volt > 0.9) or volt > forms_at > 0.0 or (low and volt > -0.8)
        formed = formed or low
        out.append(volt / (3e3 if low else 6e4 if formed else 1e8))
    return np.clip(out, None, limit)


def text(*columns: Sequence[float] | np.ndarray, heads: str = HEADS, sign: str = ",") -> str:
    rows = [sign.join(f"{x:.8g}" for x in row) for row in zip(*columns, strict=True)]
    return "\n".join([heads, *rows]) + "\n"


def read(tmp_path: Path, content: str, suffix: str = "csv", **options: object) -> xr.Dataset:
    path = tmp_path / f"loops.{suffix}"
    path.write_text(content)
    return devicephys.read_loop(path, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "loops"),
    [
        ((3, 0), (1.2, 0, -1.5, 0)),
        ((3, 0, -1.5, 0), (1.2, 0, -1.5, 0)),
        ((3, 0), (-1.5, 0, 1.2, 0)),
        ((2, 0, 2.5, 0, 3, 0), (-1.5, 0, 1.2, 0)),
        ((-0.5, 0, 3, 0), (-1.5, 0, 1.2, 0)),
    ],
)
@pytest.mark.parametrize("count", [1, 4])
def test_forming_in_front_of_the_loops_is_left_out(tmp_path: Path, before, loops, count) -> None:
    v = sweep(*before, *loops * count)
    i = flow(v, forms_at=2.8)
    ds = read(tmp_path, text(v, i))
    alone = sweep(*loops * count)
    assert ds.attrs["loops"] == count and "taken as forming" in ds.attrs["remarks"]
    np.testing.assert_allclose(ds["voltage"], alone, atol=1e-12)
    np.testing.assert_allclose(ds["current"], i[-len(alone) :], rtol=1e-6, atol=1e-12)
    if loops[0] > 0 and len(before) == 4:
        assert read(tmp_path, text(v, i), forming=True).attrs["loops"] == count + 1


def test_forming_of_the_other_polarity_and_with_a_number_of_its_own(tmp_path: Path) -> None:
    v = sweep(-3, 0, *(1.5, 0, -1.2, 0) * 3)
    ds = read(tmp_path, text(v, -flow(-v, forms_at=2.4)))
    assert ds.attrs["loops"] == 3 and ds["voltage"].min() == pytest.approx(-1.2)
    v = sweep(3, 0, *(1.2, 0, -1.5, 0) * 3)
    number = np.concatenate([np.zeros(301), np.repeat([1, 2, 3], (len(v) - 301) // 3)])
    ds = read(tmp_path, text(number, v, flow(v, forms_at=2.4), heads=f"cycle,{HEADS}"))
    assert ds.attrs["loops"] == 3


@pytest.mark.parametrize(
    "stops",
    [
        (1.2, 0, -1.5, 0, 1.4, 0, -1.5, 0, 1.6, 0, -1.5, 0),
        (2.0, 0, -1.5, 0, 1.5, 0, -1.5, 0, 1.1, 0, -1.5, 0),
        (1.3, 0, -1.5, 0, *(1.2, 0, -1.5, 0) * 2),
        (1.2, 0, -2.5, 0, *(1.2, 0, -1.5, 0) * 2),
        (1.6, 0, -1.5, 0, 1.2, 0, -1.5, 0),
    ],
)
def test_stops_that_differ_are_no_forming(tmp_path: Path, stops) -> None:
    v = sweep(*stops)
    ds = read(tmp_path, text(v, flow(v)))
    assert ds.attrs["loops"] == len(stops) // 4 and ds.sizes["sample"] == len(v)
    assert "forming" not in ds.attrs["remarks"]


@pytest.mark.parametrize("kind", ["start", "end", "stops"])
def test_pauses_count_neither_as_loops_nor_for_the_rate(tmp_path: Path, kind: str) -> None:
    v = sweep(*(1.2, 0, -1.5, 0) * 3, rest=100 if kind == "stops" else 0)
    still = np.zeros(400)
    v = np.concatenate([still[: 400 * (kind == "start")], v, still[: 400 * (kind == "end")]])
    t = 0.01 * np.arange(len(v))
    ds = read(tmp_path, text(t, v, flow(v), heads=f"time (s),{HEADS}"))
    assert ds.attrs["loops"] == 3
    assert ds.attrs["rate"] == pytest.approx(2.0, rel=1e-3)


def test_rates_that_differ_are_said_and_stairs_have_one(tmp_path: Path) -> None:
    v = sweep(*(1.2, 0, -1.5, 0) * 2)
    t = np.concatenate([[0.0], np.cumsum(np.where(v[1:] < 0, 0.1, 0.01))])
    ds = read(tmp_path, text(t, v, flow(v), heads=f"time (s),{HEADS}"))
    assert "differs from ramp to ramp, from 0.2 V/s to 2 V/s" in ds.attrs["remarks"]
    assert 0.2 < ds.attrs["rate"] < 2.0
    stairs = np.repeat(v, 5)
    t = 0.002 * np.arange(len(stairs))
    ds = read(tmp_path, text(t, stairs, flow(stairs), heads=f"time (s),{HEADS}"))
    assert ds.attrs["rate"] == pytest.approx(2.0, rel=0.02)
    assert "differs" not in ds.attrs["remarks"]


def test_times_that_begin_anew_with_each_sweep(tmp_path: Path) -> None:
    v = sweep(1.2, 0, -1.5, 0)
    t = 0.01 * np.arange(len(v))
    ds = read(tmp_path, text(np.tile(t, 3), np.tile(v, 3), np.tile(flow(v), 3),
                             heads=f"time (s),{HEADS}"))  # fmt: skip
    assert ds.attrs["loops"] == 3 and ds.attrs["rate"] == pytest.approx(2.0, rel=1e-3)
    assert "begins anew 2 times" in ds.attrs["remarks"]


def test_limits_that_differ_from_loop_to_loop_are_none(tmp_path: Path) -> None:
    v = sweep(1.2, 0, -1.5, 0)
    i = np.concatenate([flow(v, limit) for limit in (5e-5, 1e-4, 2e-4)])
    ds = read(tmp_path, text(np.tile(v, 3), i))
    assert "compliance_positive" not in ds.attrs
    assert "differs from loop to loop, from 50 uA to 200 uA" in ds.attrs["remarks"]


def test_what_is_not_used_and_what_tells_loops_apart_is_said(tmp_path: Path) -> None:
    v = sweep(*(1.2, 0, -1.5, 0) * 2)
    hot = np.repeat([300, 320], len(v))
    width = np.full(2 * len(v), 0.01)
    ds = read(tmp_path, text(hot, np.tile(v, 2), np.tile(flow(v), 2), width,
                             heads=f"T (K),{HEADS},pulse width (s)"))  # fmt: skip
    remarks = ds.attrs["remarks"]
    assert "goes from '300' to '320': loops of several devices or conditions" in remarks
    assert "it is no time" in remarks and "time" not in ds


@pytest.mark.parametrize("kind", ["titles", "lines", "labview", "qcodes", "comma", "dates"])
def test_tables_parted_and_headed_in_other_ways(tmp_path: Path, kind: str) -> None:
    v = sweep(1.2, 0, -1.5, 0)
    t, i = 0.01 * np.arange(len(v)), flow(v)
    block = text(v, i).split("\n", 1)[1]
    if kind == "titles":
        content = HEADS + "\n" + "".join(f"Sweep #{k}\n{block}" for k in (1, 2, 3))
    elif kind == "lines":
        content = HEADS + "\n" + "-----\n".join([block] * 3)
    elif kind == "labview":
        head = "Channels\t2\nX_Dimension\tTime\tTime\n***End_of_Header***\n"
        table = text(t, v, i, heads="X_Value\tV (V)\tI (A)\tComment", sign="\t")
        content = "LabVIEW Measurement\nSeparator\tTab\n***End_of_Header***\n"
        content += (head + table) * 3
    elif kind == "qcodes":
        heads = f'# "v"\t"i"\n# "V (V)"\t"I (A)"\n# {3 * len(v)}'
        content = text(np.tile(v, 3), np.tile(i, 3), heads=heads, sign="\t")
    elif kind == "comma":
        content = text(np.tile(v, 3), 1e3 * np.tile(i, 3), heads="U, В;Ток, мА", sign=";")
    else:
        samples = enumerate(zip(np.tile(v, 3), np.tile(i, 3), strict=True))
        lines = [
            f"01.03.2025 12:{k // 60:02d}:{k % 60:02d};" + f"{a:.8g};{b:.8g}".replace(".", ",")
            for k, (a, b) in samples
        ]
        content = "\n".join(["Zeit;U (V);I (A)", *lines])
    ds = read(tmp_path, content)
    assert ds.attrs["loops"] == 3 and ds.sizes["sample"] == 3 * len(v)
    np.testing.assert_allclose(ds["current"], np.tile(i, 3), rtol=1e-6, atol=1e-12)


def test_a_binary_file_with_many_zeros_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "scope.bin"
    path.write_bytes(b"AG10" + bytes(300))
    with pytest.raises(InputError, match="is not text"):
        devicephys.read_loop(path)


def easy_expert(v: np.ndarray, i: np.ndarray, names: str) -> str:
    rows = [
        f"DataValue, {0.1 * k:.2f}, {a:.8g}, {b:.8g}"
        for k, (a, b) in enumerate(zip(v, i, strict=True))
    ]
    settings = [
        "SetupTitle, I/V Sweep",
        "TestParameter, Channel.UnitType, SMU, SMU",
        "Dimension1, 5",
    ]
    return "\n".join([*settings, f"DataName, {names}", *rows, "AnalysisSetup, Title, x"]) + "\n"


@pytest.mark.parametrize("names", ["Time, V1, I1", "Time, Vd, Id", "Time, DrainV, DrainI"])
def test_easyexpert_needs_no_units(tmp_path: Path, names: str) -> None:
    v = sweep(1.2, 0, -1.5, 0)
    i = flow(v)
    ds = read(tmp_path, easy_expert(v, i, names))
    np.testing.assert_allclose(ds["current"], i, rtol=1e-6, atol=1e-15)
    np.testing.assert_allclose(ds["voltage"], v, atol=1e-7)
    assert "EasyEXPERT: V... taken as volts" in ds.attrs["remarks"]
    assert ds.attrs["rate"] == pytest.approx(0.2, rel=1e-3, abs=0)


@pytest.mark.parametrize("names", ["Time, Index, Value", "Time, absI, V1"])
def test_easyexpert_with_names_that_say_less_is_refused(tmp_path: Path, names: str) -> None:
    v = sweep(1.2, 0, -1.5, 0)
    with pytest.raises(InputError, match="column of"):
        read(tmp_path, easy_expert(v, flow(v), names))


def test_quick_iv_names_channels_and_needs_no_units(tmp_path: Path) -> None:
    v = sweep(1.2, 0, -1.5, 0)
    i = flow(v)
    heads = "Item,Smu1.Time[1][1],Smu1.V[1][1],Smu1.I[1][1],Smu1.R[1][1]"
    with np.errstate(divide="ignore", invalid="ignore"):
        content = text(np.arange(len(v)), 0.1 * np.arange(len(v)), v, i, v / i, heads=heads)
    ds = read(tmp_path, content.replace("nan", "").replace("\n", ",\n"))
    np.testing.assert_allclose(ds["current"], i, rtol=1e-6, atol=1e-15)
    assert "Quick IV" in ds.attrs["remarks"]


@pytest.mark.parametrize(("load", "right"), [(10.0, True), (2e3, False)])
def test_voltages_as_set_and_as_measured(tmp_path: Path, load: float, right: bool) -> None:
    v = sweep(1.2, 0, -1.5, 0)
    i = flow(v)
    heads = "Potential applied (V);Time (s);WE(1).Current (A);WE(1).Potential (V);Index"
    count = np.arange(len(v))
    content = text(v, 0.1 * count, i, v - load * i, count, heads=heads, sign=";")
    if not right:  # a resistor took a part: which voltage is meant has to be said
        with pytest.raises(InputError, match="2 columns of voltage"):
            read(tmp_path, content)
        return
    ds = read(tmp_path, content.replace(".", ",").replace("WE(1),", "WE(1)."))
    np.testing.assert_allclose(ds["voltage"], v, atol=1e-7)
    assert "agree within" in ds.attrs["remarks"]


def test_a_comma_behind_a_heading_is_no_part_of_it(tmp_path: Path) -> None:
    v = sweep(1.2, 0, -1.5, 0)
    heads = "Time (s),\tVoltage (V),\tCurrent (A)"
    ds = read(tmp_path, text(0.1 * np.arange(len(v)), v, flow(v), heads=heads, sign="\t"))
    assert ds.attrs["rate"] == pytest.approx(0.2, rel=1e-3, abs=0)


@pytest.mark.parametrize("names", ["V1,I1,absI", "V2,Time,absI2,I2"])
def test_easyexpert_saved_without_its_settings(tmp_path: Path, names: str) -> None:
    v = sweep(1.2, 0, -1.5, 0)
    i = flow(v)
    given = {"V": v, "I": i, "T": 0.1 * np.arange(len(v)), "a": np.abs(i)}
    content = text(*(given[name[0]] for name in names.split(",")), heads=names)
    ds = read(tmp_path, content)
    np.testing.assert_allclose(ds["current"], i, rtol=1e-6, atol=1e-15)
    assert "EasyEXPERT" in ds.attrs["remarks"]


@pytest.mark.parametrize("names", ["V1,I1", "V1,I1,area", "absV,absI"])
def test_such_names_alone_still_need_units(tmp_path: Path, names: str) -> None:
    v = sweep(1.2, 0, -1.5, 0)
    columns = [v, flow(v), np.abs(flow(v))][: names.count(",") + 1]
    with pytest.raises(InputError, match=r"no unit|column of"):
        read(tmp_path, text(*columns, heads=names))


def test_a_loop_of_xyce(tmp_path: Path) -> None:
    v = sweep(1.2, 0, -1.5, 0)
    i = flow(v)
    heads = "Index  TIME  V(N1,N2)  I(YMEMRISTOR!MR1)"
    count = np.arange(len(v))
    content = text(count, 1e-3 * count, v, i, heads=heads, sign=" ").rstrip("\n")
    ds = read(tmp_path, content + "\nEnd of Xyce(TM) Simulation\n")
    np.testing.assert_allclose(ds["current"], i, rtol=1e-6, atol=1e-15)
    np.testing.assert_allclose(ds["voltage"], v, atol=1e-7)


@pytest.mark.parametrize("kind", ["ngspice", "LTspice", "double", "fastaccess"])
def test_binary_raw_files_give_the_same_loop(tmp_path: Path, kind: str) -> None:
    t, v = triangle()
    i = current(v)
    path = tmp_path / "a.raw"
    head = RAW.replace("Values:", "Binary:").replace("Flags", f"No. Points: {len(v)}\nFlags")
    kinds = ["<f8", "<f8", "<f8"] if kind in ("ngspice", "double") else ["<f8", "<f4", "<f4"]
    signed = t if kind == "ngspice" else np.where(np.arange(len(t)) % 3, t, -t)
    columns = [values.astype(k) for values, k in zip((signed, v, i), kinds, strict=True)]
    if kind == "fastaccess":
        data = b"".join(c.tobytes() for c in columns)
    else:
        data = b"".join(b"".join(x.tobytes() for x in row) for row in zip(*columns, strict=True))
    flags = f"real forward {kind if kind in ('double', 'fastaccess') else ''}"
    coding = "ascii" if kind == "ngspice" else "utf-16-le"
    path.write_bytes(head.replace("real", flags).encode(coding) + data)
    loop = devicephys.read_loop(path)
    np.testing.assert_allclose(loop["time"], t, rtol=1e-12)
    np.testing.assert_allclose(loop["current"], i, rtol=1e-6)


@pytest.mark.skipif(shutil.which("ngspice") is None, reason="ngspice is not installed")
def test_what_ngspice_itself_writes_is_read(tmp_path: Path) -> None:
    deck = "a\nv1 a 0 sin(0 1.5 1)\nr1 a 0 5k\n.tran 10m 1 0 10m\n.end\n"
    (tmp_path / "a.cir").write_text(deck)
    subprocess.run(
        ["ngspice", "-b", "-r", "a.raw", "a.cir"], cwd=tmp_path, check=True, capture_output=True
    )
    loop = devicephys.read_loop(tmp_path / "a.raw")
    np.testing.assert_allclose(loop["current"], loop["voltage"] / 5e3, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(loop["voltage"], 1.5 * np.sin(2 * np.pi * loop["time"]), atol=1e-3)


def test_scans_of_autolab_are_loops_and_no_devices(tmp_path: Path) -> None:
    t, v = triangle(3)
    scan = np.minimum(np.arange(len(v)) // 240 + 1, 3)
    heads = "Potential applied (V),Time (s),WE(1).Current (A),WE(1).Potential (V),Scan,Index"
    columns = (v, t, current(v), v + 1e-4, scan, np.arange(len(v)))
    loop = devicephys.read_loop(write(tmp_path / "a.csv", heads, *columns))
    assert loop.attrs["loops"] == 3 and "loop from column 5 'Scan'" in loop.attrs["remarks"]
    assert "devices" not in loop.attrs["remarks"]
    # a number for each half is none of loops
    halves = np.minimum(np.arange(len(v)) // 120 + 1, 6)
    loop = devicephys.read_loop(write(tmp_path / "b.csv", heads, *columns[:4], halves, columns[5]))
    assert loop.attrs["loops"] == 3 and "numbers halves of them" in loop.attrs["remarks"]
    with pytest.raises(InputError, match="only half there"):
        devicephys.read_loop(tmp_path / "b.csv", loop="Scan")


def test_what_the_user_says_of_a_current_counts_and_is_remarked(tmp_path: Path) -> None:
    _, v = triangle()
    file = write(tmp_path / "a.csv", "V (V),I (A)", v, 1e3 * current(v))
    loop = devicephys.read_loop(file, units={"current": "A"})
    assert "the current reaches 195 mA, more than a filament carries" in loop.attrs["remarks"]
    # a current that is swept in steps, and a voltage that follows
    file = write(tmp_path / "b.csv", "V (V),I (A)", v * np.abs(v), 1e-4 * v)
    with pytest.raises(InputError, match="seem swapped"):
        devicephys.read_loop(file)
    loop = devicephys.read_loop(file, voltage="V", current="I")
    np.testing.assert_allclose(loop["current"], 1e-4 * v, rtol=1e-6, atol=1e-14)


V = sweep(1.4, 0, -1.4, 0, 1.4, 0, -1.4, 0)
FLOW = flow(V)
SECONDS = np.arange(len(V)) * 0.02


def lines(*columns: Sequence[object] | np.ndarray, heads: str = "", sign: str = ",") -> str:
    return "\n".join([heads, *(sign.join(map(str, row)) for row in zip(*columns, strict=True))])


OK = ["..C"] * len(V)
LABVIEW_OF_MANY_TIMES = (
    "LabVIEW Measurement\nX_Columns\tMulti\n***End_of_Header***\n\nChannels\t2\n"
    "Y_Unit_Label\tVolts\tAmps\nX_Dimension\tTime\tTime\n***End_of_Header***\n"
)
GAMRY = "EXPLAIN\nTAG\tCV\nSCANRATE\tQUANT\t1.0\tScan Rate (mV/s)\nCURVE1\tTABLE\t280\n"
BUFFER = "Keithley Instruments,Model 2450,04412345\nBuffer Name,defbuffer1\nCount,280\n\n"
LAYOUTS = {
    "tabs, a status in words": lines(V, FLOW, OK, heads="V (V)\tI (A)\tStatus", sign="\t"),
    "blanks, a status in words": lines(V, FLOW, OK, heads="V(V)  I(A)  Status", sign="  "),
    "TeX": lines(V, 1e6 * FLOW, heads="$V$ (V),$I$ ($\\mu$A)"),
    "UTF-8 read as Windows-1252": lines(V, 1e6 * FLOW, heads="V (V),I (\u00c2\u00b5A)"),
    "LabVIEW, a time a channel": LABVIEW_OF_MANY_TIMES
    + lines(SECONDS, V, SECONDS, FLOW, heads="X_Value\tVoltage\tX_Value\tCurrent", sign="\t"),
    "Gamry": GAMRY
    + "\tPt\tT\tVf\tIm\tVu\tOver\n"
    + lines(
        [""] * len(V), range(len(V)), SECONDS, V, FLOW, 0 * V, ["...."] * len(V),
        heads="\t#\ts\tV vs. Ref.\tA\tV\tbits", sign="\t",
    ),
    "buffer of a Keithley 2450": BUFFER
    + lines(
        range(len(V)), FLOW, ["Amp DC"] * len(V), V, ["Volt DC"] * len(V), OK,
        heads="Index,Reading,Unit,Value,Unit,Terminal",
    ),
}  # fmt: skip


@pytest.mark.parametrize("content", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_layouts_of_programs_and_instruments(tmp_path: Path, content: str) -> None:
    loop = read(tmp_path, content)
    np.testing.assert_allclose(loop["voltage"], V)
    np.testing.assert_allclose(loop["current"], FLOW, atol=1e-15)


def test_sweeps_of_a_keithley_4200_beside_each_other_are_not_taken_in_part(tmp_path: Path) -> None:
    xlwt = pytest.importorskip("xlwt")
    book = xlwt.Workbook()
    data, beside = book.add_sheet("Data"), book.add_sheet("Settings")
    for k, row in enumerate(
        [["AI(1)", "AV(1)", "AI(2)", "AV(2)"], *zip(FLOW, V, FLOW, V, strict=True)]
    ):
        for place, cell in enumerate(row):
            data.write(k, place, cell if isinstance(cell, str) else float(cell))
        beside.write(k, 0, 1.0)
    book.save(tmp_path / "a.xls")
    with pytest.raises(InputError, match=r"2 columns hold a current: column 1 'AI\(1\)', column 3"):
        devicephys.read_loop(tmp_path / "a.xls")
    loop = devicephys.read_loop(tmp_path / "a.xls", current="AI(2)", voltage="AV(2)")
    np.testing.assert_allclose(loop["current"], FLOW)


def test_arrays_of_three_dimensions_are_no_loop(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "a.mat", {"V": np.ones((2, 3, 4)), "I": np.ones((2, 3, 4))})
    with pytest.raises(InputError, match=r"'V' has 3 dimensions, of 2, 3 and 4.*of loops save col"):
        devicephys.read_loop(tmp_path / "a.mat")
