"""Measured loops as laboratories keep them: forming in front, pauses, blocks, several of all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import devicephys
from devicephys import InputError

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
