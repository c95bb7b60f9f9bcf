"""What the schemas ask for: each thing that is wrong with a record is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from ddkbase import records
from ddkbase.errors import StorageError
from tests.synthetic import iv_trace, pulse_trace

SMALL: dict[str, Any] = {"fine": 4, "frames": 4, "steps": 80}


def with_value(name: str, index: tuple[int, ...], value: float) -> Callable[[xr.Dataset], Any]:
    def change(ds: xr.Dataset) -> xr.Dataset:
        values = ds[name].values.copy()
        values[index] = value
        return ds.assign({name: (ds[name].dims, values, ds[name].attrs)})

    return change


def with_units(name: str, units: str) -> Callable[[xr.Dataset], Any]:
    return lambda ds: ds.assign({name: ds[name].assign_attrs(units=units)})


def without_attr(name: str) -> Callable[[xr.Dataset], Any]:
    return lambda ds: ds.drop_attrs(deep=False).assign_attrs(
        {key: value for key, value in ds.attrs.items() if key != name}
    )


OXIDE, LATE = (0, 8, 2), (30,)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda ds: ds.drop_vars("current"), "variable 'current' is missing"),
        (lambda ds: ds.drop_vars("time_point"), "'time_point' is missing"),
        (with_units("current", "mA"), "variable 'current' is in 'mA', 'A' expected"),
        (with_units("temperature", ""), "variable 'temperature' has no units"),
        (
            lambda ds: ds.assign(voltage=ds["voltage"].assign_attrs(long_name="")),
            "variable 'voltage' has no long_name",
        ),
        (with_value("voltage", LATE, np.nan), "variable 'voltage' holds NaN"),
        (with_value("voltage", LATE, np.inf), "variable 'voltage' holds infinity"),
        (with_value("resistance", LATE, np.nan), "NaN where |voltage| >="),
        (with_value("temperature", OXIDE, np.nan), "'temperature' holds NaN"),
        (with_value("vacancy_concentration", OXIDE, np.nan), "outside the electrodes"),
        (with_value("vacancy_concentration_frame", (), np.nan), "outside the electrodes"),
        (lambda ds: ds.transpose("r", "z", ...), "has dimensions"),
        (lambda ds: ds.isel(z=slice(1, None)), "cells along 'z' need"),
        (lambda ds: ds.assign_coords(r=ds["r"] * 2), "'r' lies outside its two nodes"),
        (with_value("r", (0,), 25e-9), "'r' does not increase strictly"),
        (with_value("z_node", (1,), 29.99e-9), "'z' lies outside its two nodes"),
        (lambda ds: ds.isel(time=slice(None, None, -1)), "'time' does not increase"),
        (lambda ds: ds.isel(point=slice(None, None, -1)), "marked points"),
        (lambda ds: ds.isel(time=slice(0, 0)), "no time step"),
        (with_value("loop", LATE, -1), "'loop' goes down, or is negative"),
        (lambda ds: ds.assign(loop=ds["loop"].astype(float)), "holds values of type float64"),
        (lambda ds: ds.assign(mine=("time", ds["voltage"].values)), "'mine' has no units"),
        (without_attr("device_yaml"), "attribute 'device_yaml' is missing"),
        (without_attr("schema"), "names no schema"),
        (lambda ds: ds.assign_attrs(headline_json="{"), "'headline_json' is not a JSON object"),
        (lambda ds: ds.assign_attrs(headline_json="[1]"), "'headline_json' is not a JSON object"),
        (lambda ds: ds.assign_attrs(schema="PulseTrain"), "unknown record 'PulseTrain'"),
        (lambda ds: ds.assign_attrs(schema_version=2), "newer version"),
        (lambda ds: ds.assign_attrs(schema_version="one"), "unknown record"),
    ],
)
def test_what_is_wrong_with_a_loop_is_said(
    change: Callable[[xr.Dataset], xr.Dataset], complaint: str, tmp_path: Path
) -> None:
    is_refused(change(iv_trace(**SMALL)), complaint, tmp_path)


def is_refused(ds: xr.Dataset, complaint: str, tmp_path: Path) -> None:
    path = tmp_path / "iv.nc"
    with pytest.raises(StorageError) as info:
        records.write(ds, path)
    assert complaint in str(info.value)
    assert str(path) in str(info.value)
    assert not path.exists()


@pytest.mark.parametrize(
    "ds",
    [
        pulse_trace(),
        pulse_trace(count=1),
        pulse_trace(np.tile([-2.0, 2.0, 0.0], 10).tolist(), wanted_resistance=5e3),
        pulse_trace(complete=False, warning="hot"),
    ],
    ids=["train", "one pulse", "prepared, mixed", "incomplete"],
)
def test_a_train_is_written_and_read_back(ds: xr.Dataset, tmp_path: Path) -> None:
    path = records.write(ds, tmp_path / "pulses.nc")
    xr.testing.assert_identical(records.read(path, "PulseTrace"), ds)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda ds: ds.drop_vars("conductance"), "variable 'conductance' is missing"),
        (lambda ds: ds.drop_vars("pulse"), "variable 'pulse' is missing"),
        (lambda ds: ds.drop_vars("initial_resistance"), "'initial_resistance' is missing"),
        (with_units("conductance", "uS"), "variable 'conductance' is in 'uS', 'S' expected"),
        (with_value("conductance", LATE, np.nan), "variable 'conductance' holds NaN"),
        (with_value("energy", LATE, np.inf), "variable 'energy' holds infinity"),
        (with_value("wanted_resistance", (), np.inf), "'wanted_resistance' holds infinity"),
        (with_value("initial_resistance", (), np.nan), "'initial_resistance' holds NaN"),
        (with_value("width", LATE, 0.0), "a 'width' is not positive"),
        (lambda ds: ds.isel(pulse=slice(0, 0)), "there is no pulse in it"),
        (lambda ds: ds.isel(pulse=slice(1, None)), "'pulse' does not count from 1 to 99"),
        (lambda ds: ds.assign(newton_iterations=ds["energy"]), "is in 'J', '1' expected"),
        (lambda ds: ds.assign(accepted_steps=ds["accepted_steps"] * 1.0), "type float64"),
        (lambda ds: ds.expand_dims("run"), "has dimensions ('run', 'pulse')"),
        *(
            (without_attr(name), f"attribute '{name}' is missing")
            for name in ("seed", "cycle", "device_number", "complete", "source_checksum", "title")
        ),
        (lambda ds: ds.assign_attrs(protocol_json="none"), "'protocol_json' is not a JSON object"),
    ],
)
def test_what_is_wrong_with_a_train_is_said(
    change: Callable[[xr.Dataset], xr.Dataset], complaint: str, tmp_path: Path
) -> None:
    is_refused(change(pulse_trace()), complaint, tmp_path)
