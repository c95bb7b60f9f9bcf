"""Measured loops: read from files of many makes, or refused in one line."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import devicephys
from devicephys import InputError
from devicephys.cli.commands import app
from devicephys.measured.checks import loop_numbers
from devicephys.measured.limits import compliance_of
from devicephys.measured.ramps import RAMPS, band_of, log_misfit, turning_points, waveform_of

RATE = 2.0


def triangle(loops: int = 1, stop: float = 1.5, first: float = 1.0, points: int = 60):
    """Times [s] and voltages [V] of a triangular sweep."""
    corners = np.array([0.0, *([first * stop, 0.0, -first * stop, 0.0] * loops)])
    times = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(corners)))]) / RATE
    at = np.linspace(0.0, times[-1], 4 * points * loops + 1)
    return at, np.interp(at, times, corners)


def current(v: np.ndarray, limit: float = 1e-4) -> np.ndarray:
    """A switching cell behind a limit: low after +1 V, high after -1 V [A]."""
    low, flow = False, []
    for volt in v:
        low = volt > 1.0 or (low and volt > -1.0)
        flow.append(volt / (5e3 if low else 5e4))
    return np.clip(flow, None, limit)


def write(path: Path, heads: str, *columns: np.ndarray, sign: str = ",") -> Path:
    rows = [sign.join(f"{x:.8g}" for x in row) for row in zip(*columns, strict=True)]
    path.write_text("\n".join([heads, *rows]) + "\n")
    return path


def test_columns_units_time_and_limit_are_read(tmp_path: Path) -> None:
    t, v = triangle(3)
    i = current(v)
    file = write(
        tmp_path / "a.csv", "Time (ms),Voltage (mV),Current (uA)", 1e3 * t, 1e3 * v, 1e6 * i
    )
    loop = devicephys.read_loop(file)
    np.testing.assert_allclose(loop["voltage"], v, atol=1e-7)
    np.testing.assert_allclose(loop["current"], i, rtol=1e-6, atol=1e-14)
    assert loop["voltage"].attrs["units"] == "V" and loop["current"].attrs["units"] == "A"
    assert loop.attrs["loops"] == 3
    assert loop.attrs["rate"] == pytest.approx(RATE, rel=1e-6)
    assert loop.attrs["compliance_positive"] == pytest.approx(1e-4, rel=1e-3)
    assert "compliance_negative" not in loop.attrs
    np.testing.assert_array_equal(np.bincount(loop["loop"])[1:], [240, 240, 241])
    remarks = loop.attrs["remarks"].splitlines()
    assert "3 loops, told apart by the voltage" in remarks
    assert any("voltage from" in line and "current from" in line for line in remarks)


def test_a_column_of_loops_has_a_german_name_too(tmp_path: Path) -> None:
    t, v = triangle(2)
    number = 1.0 + (np.arange(len(v)) > len(v) // 2)
    file = write(tmp_path / "a.csv", "Zyklus,t (s),V (V),I (A)", number, t, v, current(v))
    loop = devicephys.read_loop(file)
    np.testing.assert_array_equal(loop["loop"], number)
    assert "loop from" in loop.attrs["remarks"] and "told apart" not in loop.attrs["remarks"]


def test_headings_that_do_not_tell_are_told(tmp_path: Path) -> None:
    _, v = triangle()
    file = write(tmp_path / "a.tsv", "smu1\tsmu2", v, 1e3 * current(v), sign="\t")
    with pytest.raises(InputError, match=r"no column of voltage.*Pass voltage="):
        devicephys.read_loop(file)
    with pytest.raises(InputError, match="voltage has no unit"):
        devicephys.read_loop(file, voltage="smu1", current=2)
    units = {"voltage": "V", "current": "mA"}
    loop = devicephys.read_loop(file, voltage="smu1", current=2, units=units, rate="2 V/s")
    np.testing.assert_allclose(loop["current"], current(v), rtol=1e-6, atol=1e-14)
    assert loop.attrs["rate"] == RATE
    np.testing.assert_allclose(loop["time"][-1], 6.0 / RATE, rtol=1e-6)


@pytest.mark.parametrize("kind", ["xlsx", "xls", "mat", "npz"])
def test_other_formats_give_the_same_loop(tmp_path: Path, kind: str) -> None:
    _, v = triangle()
    i = current(v)
    path = tmp_path / f"a.{kind}"
    options: dict = {"units": {"voltage": "V", "current": "A"}}
    if kind == "xlsx":
        openpyxl = pytest.importorskip("openpyxl")
        book = openpyxl.Workbook()
        for row in [["V (V)", "I (A)"], *zip(v.tolist(), i.tolist(), strict=True)]:
            book.active.append(row)
        book.save(path)
        options = {}
    elif kind == "xls":  # as a Keithley 4200 writes it
        xlwt = pytest.importorskip("xlwt")
        book = xlwt.Workbook()
        data, beside = book.add_sheet("Data"), book.add_sheet("Settings")
        for k, row in enumerate([["AV", "AI"], *zip(v.tolist(), i.tolist(), strict=True)]):
            for place, cell in enumerate(row):
                data.write(k, place, cell)
            beside.write(k, 1, 0.5)
        book.save(path)
        options = {}
    elif kind == "mat":
        scipy_io = pytest.importorskip("scipy.io")
        scipy_io.savemat(path, {"loop": np.column_stack([v, i])})
        options |= {"voltage": 1, "current": 2}
    else:
        np.savez(path, loop=np.column_stack([v, i]))
        options |= {"voltage": 1, "current": 2}
    loop = devicephys.read_loop(path, **options)
    np.testing.assert_allclose(loop["current"], i, rtol=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v, i: (i, v), "seem swapped"),
        (lambda v, i: (v, 1e3 * i), "more than a filament carries"),
        (lambda v, i: (v[v >= 0], i[v >= 0]), "only half there.*no negative half"),
        (lambda v, i: (v[:180], i[:180]), "only half there.*does not come back"),
        (lambda v, i: (v, np.full_like(i, 1e-9)), "current does not change"),
        (lambda v, i: (np.full_like(v, 0.1), i), "voltage does not change: it stays at 100 mV"),
        (lambda v, i: (1e3 * v, i), "its unit seems another one"),
        (lambda v, i: (v[:5], i[:5]), "5 samples, too few"),
    ],
)
def test_what_is_no_loop_is_one_line(tmp_path: Path, change, message: str) -> None:
    _, v = triangle()
    file = write(tmp_path / "a.csv", "V (V),I (A)", *change(v, current(v)))
    with pytest.raises(InputError, match=message) as caught:
        devicephys.read_loop(file)
    assert "\n" not in str(caught.value)


def test_millivolts_that_are_volts_are_refused_and_believed_when_told(tmp_path: Path) -> None:
    _, v = triangle()
    file = write(tmp_path / "a.csv", "V (mV),I (A)", v, current(v))
    with pytest.raises(InputError, match=r"stays below 1\.5 mV: its unit seems another one"):
        devicephys.read_loop(file)
    assert devicephys.read_loop(file, units={"voltage": "V"})["voltage"].max() == 1.5
    assert devicephys.read_loop(file, units={"voltage": "mV"})["voltage"].max() < 0.002


@pytest.mark.parametrize("heads", ["V (V),I1 (A),I2 (A)", "V1 (V),I1 (A),V2 (V),I2 (A)"])
def test_loops_side_by_side_are_refused_the_other_electrode_is_not(
    tmp_path: Path, heads: str
) -> None:
    _, v = triangle()
    i = current(v)
    both = (v, i, v, i) if "V2" in heads else (v, i, i)
    with pytest.raises(InputError, match="2 columns hold a current: column 2 'I1'"):
        devicephys.read_loop(write(tmp_path / "a.csv", heads, *both))
    other = (v, i, 0 * v, -i) if "V2" in heads else (v, i, -i)
    told = {"voltage": "V1"} if "V2" in heads else {}
    loop = devicephys.read_loop(write(tmp_path / "b.csv", heads, *other), **told)
    np.testing.assert_allclose(loop["current"], i, atol=1e-12)


def test_odd_signs_of_the_current_are_remarked(tmp_path: Path) -> None:
    _, v = triangle()
    for change, words in ((np.abs, "one sign at both"), (np.negative, "against the voltage")):
        loop = devicephys.read_loop(write(tmp_path / "a.csv", "V (V),I (A)", v, change(current(v))))
        assert words in loop.attrs["remarks"]
        np.testing.assert_allclose(loop["current"], current(v), atol=1e-12)


def test_a_limit_that_is_never_reached_is_told(tmp_path: Path) -> None:
    _, v = triangle()
    file = write(tmp_path / "a.csv", "V (V),I (A)", v, current(v))
    with pytest.raises(InputError, match=r"compliance of 1 mA is never reached"):
        devicephys.read_loop(file, compliance="1 mA")
    loop = devicephys.read_loop(file, compliance="100 uA")
    assert loop.attrs["compliance_positive"] == 1e-4


def test_time_that_runs_backwards_is_refused(tmp_path: Path) -> None:
    t, v = triangle()
    t[100] = t[98]
    file = write(tmp_path / "a.csv", "t (s),V (V),I (A)", t, v, current(v))
    with pytest.raises(InputError, match="time does not increase in loop 1"):
        devicephys.read_loop(file)


@given(
    start=st.integers(0, 239),
    loops=st.integers(1, 4),
    stop=st.floats(0.1, 5.0),
    first=st.sampled_from([1.0, -1.0]),
)
def test_loops_are_told_apart_wherever_the_first_begins(start, loops, stop, first) -> None:
    _, v = triangle(loops + 1, stop, first)
    part = v[start : start + 240 * loops + 1]
    number = loop_numbers(part, None, "x", partial=False)
    assert number.max() == loops
    counts = np.bincount(number)[1:]
    assert np.abs(counts - 240).max() <= 25  # a stop is no phase: the loop turns a little later


def test_turns_are_found_in_spite_of_noise() -> None:
    _, v = triangle(2)
    noisy = v + np.random.default_rng(1).normal(0, 5e-3, len(v))
    np.testing.assert_allclose(
        np.abs(v[turning_points(noisy)]), [0, 1.5, 1.5, 1.5, 1.5, 0], atol=0.05
    )


def test_a_compliance_may_be_reached_at_either_voltage() -> None:
    v = np.concatenate([np.linspace(a, b, 41) for a, b in ((0, -2), (-2, 0), (0, 0.5), (0.5, 0))])
    i = np.clip(v / 1e4, -1e-4, 1.0)  # limited at the negative voltage alone
    for sign, side in ((1, "negative"), (-1, "positive")):
        assert compliance_of(sign * v, sign * i, None, "x") == {side: pytest.approx(1e-4)}
        assert compliance_of(sign * v, sign * i, 1e-4, "x") == {side: 1e-4}
        with pytest.raises(InputError, match=r"never reached: the current stays below 100 uA"):
            compliance_of(sign * v, sign * i, 2e-4, "x")


def test_the_band_of_a_resistor_is_its_current() -> None:
    v = np.concatenate([np.linspace(a, b, 41) for a, b in ((0, -2), (-2, 0), (0, 1.5), (1.5, 0))])
    loops = [(v, v / ohms) for ohms in (4e3, 5e3, 6e3)]
    band = band_of(loops)
    assert np.isfinite(band["current"]).all()
    np.testing.assert_allclose(band["current"], np.abs(band["voltage"]) / 5e3, rtol=1e-9)
    assert (band["current_low"] < band["current"]).all()
    assert (band["current"] < band["current_high"]).all()
    ends = band["voltage"].isel(point=-1)
    assert ends.values.tolist() == [-2.0, -2.0, 1.5, 1.5]
    assert log_misfit(band, v, v / 50e3)["positive out"] == pytest.approx(1.0)  # a decade


def test_band_holds_the_loops_and_a_loop_fits_its_own_band() -> None:
    _, v = triangle()
    i = current(v)
    loops = [(v, scale * i) for scale in (0.8, 0.9, 1.0, 1.1, 1.25)]
    band = band_of(loops)
    np.testing.assert_allclose(band["current"] / band["current_low"], 1 / 0.864, rtol=0.02)
    assert log_misfit(band, v, i)["all"] == pytest.approx(0.0, abs=1e-9)
    misfit = log_misfit(band, v, 10 * i)
    assert misfit["all"] == pytest.approx(1.0) and set(misfit) == {*RAMPS, "all"}


def test_waveform_begins_with_the_first_reset(tmp_path: Path) -> None:
    t, v = triangle(2)
    file = write(tmp_path / "a.csv", "t (s),V (V),I (A)", t, v, current(v))
    waveform, samples, times = waveform_of(devicephys.read_loop(file))
    np.testing.assert_allclose(waveform.corner_voltages, [0.0, -1.5, 1.5, 0.0], atol=0.03)
    np.testing.assert_allclose(v[samples], [waveform.voltage(x) for x in times], atol=0.03)
    assert np.all(np.diff(times) >= 0)


@pytest.mark.parametrize("start", [0, 30, 90, 150, 210])
def test_waveform_of_a_loop_that_begins_anywhere(tmp_path: Path, start: int) -> None:
    _, v = triangle(2)
    part = slice(start, start + 241)
    file = write(tmp_path / "a.csv", "V (V),I (A)", v[part], current(v)[part])
    waveform, samples, times = waveform_of(devicephys.read_loop(file, rate="2 V/s"))
    np.testing.assert_allclose(waveform.corner_voltages, [0.0, -1.5, 1.5, 0.0], atol=0.06)
    assert waveform.duration == pytest.approx(3.0, abs=0.06)
    np.testing.assert_allclose(v[part][samples], [waveform.voltage(x) for x in times], atol=0.06)


def test_a_simulated_record_is_a_measurement_too() -> None:
    record = next((Path(__file__).parents[1] / "records").rglob("iv.nc"), None)
    if record is None:
        pytest.skip("no record of a loop among the old records")
    loop = devicephys.read_loop(record)
    assert loop.attrs["loops"] >= 1 and loop.attrs["rate"] > 0


def test_made_up_loops_of_the_shared_cases() -> None:
    data = os.environ.get("DDK_DATA")
    if data is None:
        pytest.skip("DDK_DATA names no folder of data")
    file = Path(data).parent / "cases" / "device" / "made-up-loops-100uA.csv"
    if not file.is_file():
        pytest.skip(f"{file} is not there")
    loop = devicephys.read_loop(file)
    assert loop.attrs["loops"] == 5 and loop.attrs["rate"] == pytest.approx(1.0)
    assert loop.attrs["compliance_positive"] == pytest.approx(1e-4, rel=0.01)


def test_compare_lays_a_run_over_measured_loops(tmp_path: Path) -> None:
    record = next((Path(__file__).parents[1] / "records").rglob("iv.nc"), None)
    if record is None:
        pytest.skip("no record of a loop among the old records")
    simulated = devicephys.read_loop(record)
    v, i = simulated["voltage"].values, simulated["current"].values
    file = write(tmp_path / "m.csv", "V,I (uA)", v, 1.1e6 * i)
    run = tmp_path / "run"
    shutil.copytree(record.parent, run)
    line = ["compare", str(run), "--measured", str(file), "--picture", str(tmp_path / "over.png")]
    runner = CliRunner()
    refused = runner.invoke(app, line)
    assert refused.exit_code == 2 and "voltage has no unit" in refused.output
    answer = runner.invoke(app, [*line, "--unit", "voltage=V", "--json"])
    assert answer.exit_code == 0, answer.output
    document = json.loads(answer.stdout)
    shown, simulated_ones = document["measured_figures"], document["runs"][0]["figures"]
    assert shown["median"]["set_voltage"] == pytest.approx(simulated_ones["set_voltage"], abs=0.02)
    assert shown["median"]["high_resistance"] == pytest.approx(
        simulated_ones["high_resistance"] / 1.1, rel=0.01, abs=0
    )
    found = document["measured"]
    assert float(found["all"][0]) == pytest.approx(np.log10(1.1), abs=2e-3)
    assert (tmp_path / "over.png").stat().st_size > 10_000
    alone = runner.invoke(app, ["compare", str(run), "--picture", "x.png"])
    assert alone.exit_code == 2 and "--measured" in alone.output
    half = len(v) // 2
    file = write(tmp_path / "half.csv", "V (V),I (uA)", v[:half], 1e6 * i[:half])
    line = ["compare", str(run), "--measured", str(file)]
    refused = runner.invoke(app, line)
    assert refused.exit_code == 2 and "only half there" in refused.output
    assert runner.invoke(app, [*line, "--partial"]).exit_code == 0


def test_a_sheet_is_chosen_where_several_hold_loops(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.title = "mine"
    book.create_sheet("yours")
    for sheet in book.worksheets:
        for row in [("V (V)", "I (uA)"), *((0.1 * k, 20.0 * k) for k in range(5))]:
            sheet.append(row)
    book.save(tmp_path / "m.xlsx")
    line = ["compare", str(tmp_path), "--measured", str(tmp_path / "m.xlsx")]
    refused = CliRunner().invoke(app, line)
    assert refused.exit_code == 2 and "Pass --sheet ...: mine, yours" in refused.output
    for sheet in ("2", "yours"):
        chosen = CliRunner().invoke(app, [*line, "--sheet", sheet])
        assert "too few for a loop" in chosen.output  # it was read
    assert "there is no sheet" in CliRunner().invoke(app, [*line, "--sheet", "3"]).output
    alone = CliRunner().invoke(app, ["compare", str(tmp_path), "--sheet", "2"])
    assert alone.exit_code == 2 and "--measured" in alone.output


def test_the_command_says_with_which_option_columns_and_units_are_named(tmp_path: Path) -> None:
    _, v = triangle()
    for heads, hint in {
        "V,I": "pass --unit voltage=...",
        "x,y": "Pass --column voltage=...",
        "V (V),I (A)": "Pass --unit current=mA",
    }.items():
        file = write(tmp_path / "m.csv", heads, v, 1e3 * current(v))
        said = CliRunner().invoke(app, ["compare", str(tmp_path), "--measured", str(file)])
        assert said.exit_code == 2 and hint in said.output.replace("\n", " ")


def solver_tables() -> dict[str, str]:
    """The same loop as tables of other solvers have it, with their headings."""
    v = np.concatenate(
        [np.linspace(0, -1, 41), np.linspace(-0.95, 1, 40), np.linspace(0.95, 0, 20)]
    )
    t, i = 0.05 * np.arange(len(v)), v / 5e3
    blanks = [f"{a:<24.6E}{b:<24.6E}{c:<24.6E}" for a, b, c in zip(t, v, i, strict=True)]
    hot = [f"{line}{300 + 1e3 * abs(c):.6E}" for line, c in zip(blanks, v, strict=True)]
    comsol = "% Model:              cell.mph\n% Table:              Table 1\n"
    return {
        "padded": comsol + "% t (s)                  V_app (V)               I_cell (A)\n"
        + "\n".join(blanks),
        "temperature": comsol + "% t (s)   V_app (V)   I_cell (A)   T (K)\n" + "\n".join(hot),
        "one blank": "# t (s) V_app (V) I_cell (A)\n" + "\n".join(blanks),
        "joined words": "top OuterVoltage,top TotalCurrent,time\n"
        + "\n".join(f"{b:.9g},{c:.9g},{a:.9g}" for a, b, c in zip(t, v, i, strict=True)),
    }  # fmt: skip


@pytest.mark.parametrize("kind", list(solver_tables()))
def test_tables_of_other_solvers(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "table.txt"
    path.write_text(solver_tables()[kind] + "\n")
    units = {"voltage": "V", "current": "A", "time": "s"} if kind == "joined words" else {}
    loops = devicephys.read_loop(path, units=units)
    np.testing.assert_allclose(loops["current"], loops["voltage"] / 5e3, atol=1e-9)
    assert loops.sizes["sample"] == 101 and loops.attrs["rate"] == pytest.approx(0.8, rel=0.05)
    if kind == "joined words":
        with pytest.raises(devicephys.InputError, match="has no unit"):
            devicephys.read_loop(path)


RAW = """Title: cell
Flags: real
Variables:
\t0\ttime\ttime
\t1\tv(te)\tvoltage
\t2\ti(v1)\tcurrent
Values:
"""
ISE = """DF-ISE text
Info {
  datasets = [ "time (s)" "TE OuterVoltage (V)" "TE TotalCurrent (A)" ]
}
Data {
"""
LABVIEW = """LabVIEW Measurement
***End_of_Header***
X_Dimension\tTime\tTime
***End_of_Header***
X_Value\tVoltage (V)\tCurrent (A)
"""


def lines_of(*columns: np.ndarray, between: str = "\t") -> str:
    return "".join(
        between.join(f"{x:.9g}" for x in row) + "\n" for row in zip(*columns, strict=True)
    )


@pytest.mark.parametrize("kind", ["SPICE", "raw", "DF-ISE", "LabVIEW", "cells", "names", "records"])
def test_simulators_and_instruments_give_the_same_loop(tmp_path: Path, kind: str) -> None:
    t, v = triangle()
    i, path = current(v), tmp_path / "a.txt"
    if kind == "SPICE":  # the current of a source runs out of the cell
        path.write_text("time\tV(te)\tI(V1)\n" + lines_of(t, v, -i))
    elif kind == "raw":
        rows = enumerate(zip(t, v, i, strict=True))
        path.write_text(
            RAW + "".join(f"{k}\t{a:.9g}\n\t{b:.9g}\n\t{c:.9g}\n\n" for k, (a, b, c) in rows)
        )
    elif kind == "DF-ISE":
        path.write_text(ISE + lines_of(t, v, i, between="   ") + "}\n")
    elif kind == "LabVIEW":
        path.write_text(LABVIEW + lines_of(t, v, i))
    elif kind == "cells":
        cells = (f"{a:.9g} s,{b:.9g} V,{1e6 * c:.9g} uA\n" for a, b, c in zip(t, v, i, strict=True))
        path.write_text("time,V,I\n" + "".join(cells))
    elif kind == "names":
        path = tmp_path / "a.npz"
        np.savez(path, voltage_V=v, current_uA=1e6 * i, time_s=t)
    else:
        path = tmp_path / "a.npy"
        kinds = [("time_s", float), ("voltage_V", float), ("current_A", float)]
        np.save(path, np.array(list(zip(t, v, i, strict=True)), dtype=kinds))
    loop = devicephys.read_loop(path)
    np.testing.assert_allclose(loop["voltage"], v, atol=1e-7)
    np.testing.assert_allclose(loop["current"], i, rtol=1e-6, atol=1e-14)
    assert loop.attrs["rate"] == pytest.approx(RATE, rel=1e-6)


def test_hdf5_and_times_of_a_clock(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    _, v = triangle()
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, values, unit in (("voltage", v, "V"), ("current", current(v), "A")):
            file.create_dataset(f"sweep/{name}", data=values).attrs["units"] = unit
    assert devicephys.read_loop(tmp_path / "a.h5").attrs["loops"] == 1
    rows = [
        f"12:{k // 60:02d}:{k % 60:02d},{a:.9g},{b:.9g}"
        for k, (a, b) in enumerate(zip(v, current(v), strict=True))
    ]
    (tmp_path / "a.csv").write_text("\n".join(["time,V (V),I (A)", *rows]))
    loop = devicephys.read_loop(tmp_path / "a.csv")
    assert (
        "rate" not in loop.attrs and "times of a clock, which are not read" in loop.attrs["remarks"]
    )


@pytest.mark.parametrize("heads", ["V (V),log10(|I|) (uA)", "V (V),ln I (A)", "V (V),I (uA)"])
def test_logarithms_are_no_currents(tmp_path: Path, heads: str) -> None:
    _, v = triangle()
    logs = np.log10(np.abs(current(v)) + 1e-12)
    file = write(tmp_path / "a.csv", heads, v, logs)
    with pytest.raises(InputError, match=r"holds logarithms|largest where there is no voltage"):
        devicephys.read_loop(file, units={"current": "uA"})


@pytest.mark.parametrize(
    ("text", "complaint"),
    {
        RAW.replace("real", "complex") + "0 1,2\n": "holds complex numbers",
        RAW.replace("Values:", "Binary:") + "0\0\n": "do not fill rows.*cut off",
        RAW.replace("Values:", "Binary:").replace("real", "real stepped")
        + "0": r"runs of a \.step",
        RAW.replace("Values:", "Binary:").replace("real", "complex") + "0": "complex numbers",
        RAW.replace("Values:", "Binary:") + "0" * 24 + "Plotname: b": "several plots",
        RAW.replace("Values:", "Points:") + "0\n": "without values in ASCII",
        "\0".join(RAW): "Pass encoding='utf-16-le'",
        RAW + "0 1\n1\n2\n\n1 1\n": "do not fill rows",
        RAW + "0 1\n" * 3: "do not fill rows",
        ISE + "1 2 3\n4 5\n}": "do not fill rows",
        ISE.replace("Data", "Nothing") + "1 2 3\n}": "no plot with its values",
    }.items(),
)
def test_damaged_files_of_simulators(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(InputError, match=complaint):
        devicephys.read_loop(tmp_path / "a.txt")
