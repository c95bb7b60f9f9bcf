"""NetCDF files as long tables; records of the toolkit (PulseTrace) are recognised."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import xarray as xr

from compact.measured.headings import QUANTITY, VALUES, role_of
from ddkbase.errors import InputError, closest, shorten
from ddkbase.records import check_hdf5, validate
from ddkbase.tables.binary import attempt, read_hdf5, which_variable
from ddkbase.tables.table import LARGEST, Column, FileOptions, Table
from ddkbase.tables.units import LOGARITHM, quantity_of, split_unit

__all__ = ["read_netcdf"]


def read_netcdf(content: bytes, path: str, options: FileOptions) -> Table:
    """A NetCDF file as a long table: its dimensions but that of pulses tell the trains apart.

    ``initial_conductance`` of the file becomes pulse 0.

    Raises
    ------
    InputError
        No NetCDF file, no such variable or dimension, or several and none named.
    StorageError
        A record of the toolkit that is not valid.
    """
    pulse = options.dimension
    engine = "scipy" if content[:3] == b"CDF" else "h5netcdf"

    def load() -> xr.Dataset:
        if engine == "h5netcdf":
            check_hdf5(io.BytesIO(content), path)
        backend: dict[str, Any] = {} if engine == "scipy" else {"phony_dims": "access"}
        with xr.open_dataset(
            io.BytesIO(content), engine=engine, decode_times=False, **backend
        ) as ds:
            if ds.nbytes > 5 * LARGEST:
                raise ValueError(f"it unpacks to more than {5 * LARGEST} bytes")
            return ds.load()

    ds = attempt(load, path, "a NetCDF file")
    if ds.attrs.get("schema") == "PulseTrace":
        validate(ds, "PulseTrace", where=path)
    plain = any(v.ndim and v.dtype.names is None for v in ds.data_vars.values())
    if engine == "h5netcdf" and not plain:
        return read_hdf5(content, path, options)  # what it holds lies in groups, or in records
    variable = _variable(ds, options.variable, path)
    main = ds[variable]
    kind, notes = _kind(main, options.variable is not None, path), list[str]()
    dims = [str(d) for d in main.dims]
    axis = pulse if pulse in dims else next((d for d in dims if role_of(d) == "pulse"), "")
    if not axis:
        if len(dims) > 1 or pulse is not None:
            raise InputError(
                f"none of the dimensions {', '.join(dims)} is called {shorten(pulse or 'pulse')}",
                f"{path}, {variable}",
                "Pass pulse='...': the dimension along which pulses are counted",
            )
        axis = dims[0]
        notes.append(f"dimension '{axis}' taken as that of the pulses")
        if role_of(axis) == "time":
            notes.append("reads over time (retention) are no reads after pulses")
    counts = ds[axis].values if axis in ds.coords else np.arange(1, main.sizes[axis] + 1)
    if counts.dtype.kind not in "fiu":
        raise InputError("is no array of numbers", f"{path}, {axis}")
    others = [d for d in dims if d != axis]
    frame = main.transpose(*others, axis)
    columns = {kind: (frame.values.astype(float), _unit(main))}
    for name in (*ds.data_vars, *ds.coords):
        role, array = role_of(str(name)), ds[name]
        usable = array.dtype.kind in "fiu" and set(array.dims) <= set(dims) and role not in columns
        if role in ("amplitude", "width", "voltage") and name != variable and usable:
            spread = array.broadcast_like(main).transpose(*others, axis)
            columns[role] = (spread.values.astype(float), _unit(array))
    columns["pulse"] = (np.broadcast_to(counts.astype(float), frame.shape), "")
    if "conductance" in columns and counts.size and counts.min() == 1:
        initial = _initial(ds, main, others, frame)
        if initial is not None:
            notes.append("initial_conductance of the file taken as the reading before pulse 1")
            for name, (array, unit) in columns.items():
                first = initial if name == "conductance" else 0.0 if name == "pulse" else np.nan
                before = np.broadcast_to(first, (*array.shape[:-1], 1))
                columns[name] = (np.concatenate([before, array], axis=-1), unit)
    shape = columns["pulse"][0].shape
    size = int(np.prod(shape))
    table = Table(f"{path}, variable '{variable}'", [], range(1, size + 1), "value", False, notes)
    for name, (array, unit) in columns.items():
        table.columns.append(Column(name, unit, array.ravel(), len(table.columns) + 1))
    for k, dim in enumerate(others):
        values = ds[dim].values if dim in ds.coords else np.arange(1, main.sizes[dim] + 1)
        texts = [f"{v:.10g}" if values.dtype.kind in "fiu" else str(v) for v in values]
        along = np.array(texts, dtype=object).reshape(
            [-1 if i == k else 1 for i in range(len(shape))]
        )
        cells = list(np.broadcast_to(along, shape).ravel())
        table.columns.append(Column(dim, "", cells, len(table.columns) + 1))
    return table


def _variable(ds: xr.Dataset, given: str | None, path: str) -> str:
    numeric = [str(n) for n, v in ds.data_vars.items() if v.ndim and v.dtype.kind in "fiu"]
    if given is None:
        for kind in VALUES:
            matches = [n for n in numeric if role_of(n) == kind]
            if len(matches) == 1:
                return matches[0]
            if matches:
                raise which_variable(matches, path)
        if len(numeric) == 1:
            return numeric[0]
        raise which_variable(numeric, path)
    if given not in ds.variables:
        hint = closest(given, map(str, ds.variables))
        raise InputError(f"there is no variable {shorten(given)}", path, hint)
    if ds[given].dtype.kind not in "fiu" or not ds[given].size or not ds[given].ndim:
        raise InputError(f"variable {shorten(given)} is no array of numbers", path)
    return given


def _kind(main: xr.DataArray, told: bool, path: str) -> str:
    """Whether a variable holds conductances, resistances or currents, by its name or unit."""
    name = str(main.name)
    if LOGARITHM.search(name):
        raise InputError(
            "holds logarithms", f"{path}, {name}", "Convert them to plain values first"
        )
    measured = quantity_of(_unit(main)) if _unit(main) else None
    kind = role_of(name) or next((k for k in VALUES if QUANTITY[k] == measured), "")
    if kind in VALUES:
        return kind
    if not told:
        raise InputError(
            f"neither name nor unit says that variable {shorten(name)} holds conductances, "
            "resistances or currents",
            path,
            f"Pass variable='{name}' if these are conductances",
        )
    return "conductance"


def _initial(
    ds: xr.Dataset, main: xr.DataArray, others: list[str], frame: xr.DataArray
) -> np.ndarray | None:
    """``initial_conductance`` (..., 1) in the unit of the conductance, None if there is none."""
    if "initial_conductance" not in ds or not set(ds["initial_conductance"].dims) <= set(others):
        return None
    array = ds["initial_conductance"]
    if array.dtype.kind not in "fiu" or _unit(array) != _unit(main):
        return None
    return array.broadcast_like(frame.isel({frame.dims[-1]: 0}, drop=True)).values[..., None]


def _unit(array: xr.DataArray) -> str:
    keys = ("units", "unit", "Units", "Unit", "UNITS", "UNIT")
    return str(
        next((array.attrs[k] for k in keys if k in array.attrs), split_unit(_name(array))[1])
    )


def _name(array: xr.DataArray) -> str:
    return str(array.name or "")
