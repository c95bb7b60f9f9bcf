"""CSV and JSON: every number comes back as it was."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compact.circuit.export import from_csv, from_json, to_csv, to_json
from ddkbase.errors import InputError, StorageError

any_float = st.floats(allow_nan=True, allow_infinity=True)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


@st.composite
def tables(draw: st.DrawFn) -> xr.Dataset:
    sizes = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    dims = ("amplitude", "width")

    def array(elements: st.SearchStrategy[object], shape: tuple[int, ...]) -> np.ndarray:
        n = math.prod(shape)
        return np.array(draw(st.lists(elements, min_size=n, max_size=n))).reshape(shape)

    return xr.Dataset(
        {
            "alpha": (dims, array(any_float, sizes), {"units": "1", "long_name": "alpha"}),
            "beta": (dims[::-1], array(any_float, sizes[::-1]), {"units": "1"}),
            "valid": (dims, array(st.booleans(), sizes), {"units": "1"}),
            "count": (dims, array(st.integers(-(2**62), 2**62), sizes), {"units": "1"}),
            "reason": (dims, array(texts, sizes), {"units": "1"}),
            "per_width": ("width", array(any_float, sizes[1:]), {"units": "S"}),
        },
        {
            "amplitude": ("amplitude", array(any_float, sizes[:1]), {"units": "V"}),
            "width": ("width", array(any_float, sizes[1:]), {"units": "s"}),
            "initial_resistance": ((), draw(any_float), {"units": "ohm"}),
        },
        {"title": draw(texts), "seed": 3, "list": [1.5, 2.5]},
    )


def assert_same(got: xr.Dataset, wanted: xr.Dataset) -> None:
    xr.testing.assert_identical(got, wanted)
    for name in wanted.variables:
        assert got[name].dtype.kind == wanted[name].dtype.kind
        if wanted[name].dtype.kind == "f":
            assert got[name].values.tobytes() == _canonical(wanted[name].values).tobytes()


def _canonical(values: np.ndarray) -> np.ndarray:
    """NaN has many bit patterns, of which the text keeps one."""
    return np.where(np.isnan(values), np.nan, values)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(ds=tables())
def test_round_trip(tmp_path: Path, ds: xr.Dataset) -> None:
    path = to_json(ds, tmp_path / "a.json", overwrite=True)
    json.loads(path.read_text(encoding="utf-8"), parse_constant=lambda c: pytest.fail(c))
    assert_same(from_json(path), ds)
    assert_same(from_csv(to_csv(ds, tmp_path / "a.csv", overwrite=True)), ds)


@dataclass(frozen=True)
class Fit:
    alpha: float = 1 / 3
    beta: float = math.pi
    conductance_min: float = 6.1e-6
    alpha_stderr: float = math.nan
    covariance: np.ndarray = field(default_factory=lambda: np.diag([1.0, math.inf]))
    at_bound: dict[str, bool] = field(default_factory=lambda: {"alpha": True, "beta": False})
    valid: bool = True
    n_pulses: int = 100
    direction: str = "down"
    units: str = "S"
    conductance: np.ndarray = field(default_factory=lambda: np.linspace(1e-6, 2e-6, 5))


def test_a_fit(tmp_path: Path) -> None:
    ds = from_json(to_json(Fit(), tmp_path / "a.json"))
    assert ds.alpha.item() == 1 / 3 and ds.beta.item() == math.pi
    assert ds.direction.item() == "down" and bool(ds.valid) and int(ds.n_pulses) == 100
    np.testing.assert_array_equal(ds.conductance, Fit().conductance)
    np.testing.assert_array_equal(ds.covariance, Fit().covariance)
    assert ds.conductance_min.attrs["units"] == "S"
    path = to_csv(Fit(), tmp_path / "a.csv")
    row = from_csv(path)
    assert row.alpha.item() == 1 / 3 and "covariance" not in row
    lines = path.read_text(encoding="utf-8").splitlines()
    assert "covariance" in json.loads(lines[0][2:])["left_out"]
    assert lines[1].startswith("alpha [1],beta [1],conductance_min [S]") and len(lines) == 3


def test_what_is_no_file_of_these(tmp_path: Path) -> None:
    ds = xr.Dataset({"alpha": ("k", [1.0, 2.0])})
    csv, js = to_csv(ds, tmp_path / "a.csv"), to_json(ds, tmp_path / "a.json")
    for read, path in ((from_csv, csv), (from_json, js)):
        with pytest.raises(StorageError, match="no such file"):
            read(tmp_path / "absent")
        text = path.read_text(encoding="utf-8")
        bad = {
            "toolkit": '# {"format": "x"}\n' if read is from_csv else "{}",
            "version": text.replace('"version": 1', '"version": 9'),
            "damaged": text[: len(text) - 4],
        }
        for expected, content in bad.items():
            path.write_text(content, encoding="utf-8")
            with pytest.raises(StorageError, match=expected):
                read(path)
        path.write_text(text.replace("2.0", "x"), encoding="utf-8")
        with pytest.raises(StorageError, match="damaged"):
            read(path)
    csv.write_text("alpha\n1\n", encoding="utf-8")
    with pytest.raises(StorageError, match="read_pulses"):
        from_csv(csv)
    with pytest.raises(InputError, match="neither a fit"):
        to_json({"alpha": 1}, tmp_path / "b.json")
    with pytest.raises(InputError, match="holds complex"):
        to_csv(xr.Dataset({"alpha": 1j}), tmp_path / "b.csv")
    with pytest.raises(InputError, match="'a' is"):
        to_json(xr.Dataset(attrs={"a": object()}), tmp_path / "b.json")
