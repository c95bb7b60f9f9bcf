"""Whatever stands in a file, reading it ends in a dataset or in one clear error."""

from __future__ import annotations

import io
import string
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compact.measured.read_pulses import read_pulses
from ddkbase.errors import DDKError, InputError

quick = settings(
    max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)

MAGIC = [b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", b"CDF\x01", b"MATLAB 5.0 ", b"\x93NUMPY\x01\0"]
HEADINGS = [
    "pulse", "G (uS)", "R [kOhm]", "Conductance/S", "I (nA)", "V_read (V)", "cycle", "direction",
    "G1", "G up", "", "1", "T (K)", "log R", "G", "amplitude (V)", "width", "µ", '"', "device",
]  # fmt: skip
CELLS = [
    "", "1", "2", "3", "0", "-1", "1,5", "1.5", "2e-6", "nan", "n/a", "inf", "1e400", "9.9e37",
    "up", "RESET", "12 uS", "3 kohm", "1,000.5", "abc", '"1"', '"', "#", "−2", "1_000", "0x10",
    "１", "²", "1e-320", "5 degC", "1 uS uS", "True", "2026-11-24", "\t", ";", "1d5",
]  # fmt: skip
cells = st.one_of(
    st.sampled_from(CELLS),
    st.integers(-3, 30).map(str),
    st.floats(0, 100).map(repr),
    st.text(string.printable + "µΩ€", max_size=6),
)
words: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.sampled_from([*HEADINGS, "0.1 V", "uS", "normalised"]), st.integers(-1, 5)
)
told = st.fixed_dictionaries(
    {},
    optional={
        "conductance": st.one_of(words, st.lists(words, max_size=2)),
        "resistance": words,
        "current": words,
        "voltage": words,
        "pulse": words,
        "train": st.one_of(words, st.lists(words, max_size=2)),
        "direction": st.sampled_from(
            [None, "up", "down", "split", "direction", ["up"], {"G": "up"}]
        ),
        "units": st.sampled_from(
            [None, "uS", "kohm", "normalised", "x", {"G": "uS"}, {"pulse": "s"}]
        ),
        "wide": st.sampled_from([None, True, False]),
        "decimal": st.sampled_from([None, ",", "."]),
        "delimiter": st.sampled_from([None, ",", ";", "\t", " ", "|"]),
        "variable": st.sampled_from([None, "G", "x"]),
    },
)


def judge(path: Path, arguments: dict[str, Any]) -> None:
    """A dataset that keeps its promises, or an error of one line that names what it concerns."""
    try:
        ds = read_pulses(path, **arguments)
    except DDKError as error:
        assert "\n" not in str(error) and len(str(error)) < 900
        assert isinstance(error, InputError)
        assert error.where or arguments
        return
    values = ds.conductance.values
    assert ds.conductance.dims == ("train", "pulse")
    assert not np.isinf(values).any()
    assert ds.conductance.attrs["units"] in ("S", "1")
    if ds.conductance.attrs["units"] == "S":
        assert not (values < 0).any()
    assert set(ds.direction.values.tolist()) <= {"up", "down", "unknown"}
    assert len(set(ds.train.values.tolist())) == ds.sizes["train"]
    for row, length in zip(values, ds.length.values, strict=True):
        assert np.isfinite(row[length - 1]) and np.isnan(row[length:]).all()
    ds.to_netcdf(engine="h5netcdf")


@quick
@given(st.data())
def test_tables_of_random_cells(tmp_path: Path, data: st.DataObject) -> None:
    width = data.draw(st.integers(1, 4))
    sign = data.draw(st.sampled_from([",", ";", "\t", " ", "|"]))
    rows = data.draw(st.lists(st.lists(cells, min_size=1, max_size=width + 1), max_size=8))
    head = data.draw(st.lists(st.sampled_from(HEADINGS), max_size=width))
    text = "\n".join(sign.join(row) for row in ([head] if head else []) + rows)
    path = tmp_path / "a.csv"
    encoding = data.draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
    path.write_bytes(text.encode(encoding, errors="replace"))
    judge(path, data.draw(told))


@quick
@given(
    values=st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=12),
    spoil=st.lists(st.tuples(st.integers(0, 11), st.sampled_from(CELLS)), max_size=2),
    head=st.sampled_from(["G (uS)", "R (kOhm)", "G", "resistance"]),
    sign=st.sampled_from([",", ";", "\t"]),
    arguments=told,
)
def test_good_tables_with_a_spoiled_cell(
    tmp_path: Path,
    values: list[float],
    spoil: list[tuple[int, str]],
    head: str,
    sign: str,
    arguments: dict[str, Any],
) -> None:
    column = [repr(v) for v in values]
    for at, text in spoil:
        column[at % len(column)] = text
    lines = [f"pulse{sign}{head}", *(f"{k}{sign}{c}" for k, c in enumerate(column, 1))]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    judge(path, arguments)
    judge(path, {})


@quick
@given(
    content=st.one_of(
        st.binary(max_size=300),
        st.text(max_size=200).map(lambda t: t.encode("utf-8", "replace")),
        st.tuples(
            st.sampled_from(
                [
                    b"PK\x03\x04",
                    b"\x89HDF\r\n\x1a\n",
                    b"CDF\x01",
                    b"MATLAB 5.0 ",
                    b"\x93NUMPY\x01\x00",
                ]
            ),
            st.binary(max_size=200),
        ).map(b"".join),
    ),
    suffix=st.sampled_from([".csv", ".txt", ".xlsx", ".mat", ".nc", ".npz", ""]),
)
def test_random_bytes(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    judge(path, {})


@pytest.fixture(scope="module")
def samples() -> dict[str, bytes]:
    mat, npz = io.BytesIO(), io.BytesIO()
    scipy.io.savemat(mat, {"G": np.arange(1.0, 9), "pulse": np.arange(1, 9)})
    np.savez(npz, G=np.arange(1.0, 9))
    ds = xr.Dataset({"G": ("pulse", np.arange(1.0, 9), {"units": "uS"})})
    return {
        ".mat": mat.getvalue(),
        ".npz": npz.getvalue(),
        ".nc": bytes(ds.to_netcdf(engine="h5netcdf")),
        ".cdf": bytes(ds.to_netcdf(engine="scipy")),
    }


@settings(quick, max_examples=60)
@given(data=st.data())
def test_damaged_files(tmp_path: Path, samples: dict[str, bytes], data: st.DataObject) -> None:
    suffix = data.draw(st.sampled_from(sorted(samples)))
    content = bytearray(samples[suffix])
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content)))]
    for at in data.draw(st.lists(st.integers(0, max(len(content) - 1, 0)), max_size=3)):
        if content:
            content[at] = data.draw(st.integers(0, 255))
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    judge(path, {})
