"""The named, versioned datasets: write them, read them, check them.

A record is an ``xarray.Dataset`` in a NetCDF-4 file.  Every variable carries ``units`` and
``long_name``; every file carries ``schema`` and ``schema_version`` and whatever else its schema
asks for (the resolved device, the settings, the versions of what computed it).

`ddkbase.schemas` knows where the schema of each record stands, so that any record can be read
without importing the package that writes it.

This module does not need the finite-element stack.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr

from ddkbase.errors import StorageError, similar_file
from ddkbase.files import write_bytes
from ddkbase.schemas import (
    ANYWHERE,
    NEVER,
    SCHEMAS,
    Schema,
    VariableSpec,
    find_schema,
    label,
    labelled,
)

__all__ = [
    "Schema",
    "VariableSpec",
    "fingerprint",
    "label",
    "labelled",
    "read",
    "validate",
    "write",
    "write_bytes",
]


def fingerprint(*described: Any) -> str:
    """SHA-256, as hexadecimal digits, of what describes a run.

    Parameters
    ----------
    *described : str, float, list, dict or None
        What the run depends on, as values that JSON can hold; their order counts, that of the keys
        of a mapping does not.

    Returns
    -------
    str
        The 64 hexadecimal digits.
    """
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()


def validate(ds: xr.Dataset, schema: str | Schema | None = None, *, where: str = "dataset") -> None:
    """Check a dataset against the schema it names.

    Parameters
    ----------
    ds : xarray.Dataset
        The dataset; ``ds.attrs`` names ``schema`` and ``schema_version``.
    schema : str, Schema or None, optional
        The schema that is expected, e.g. "IVTrace", or one of your own; ``None`` accepts any that
        `ddkbase.schemas.find_schema` knows.
    where : str, default "dataset"
        What the message calls the dataset, usually the file's path.

    Raises
    ------
    StorageError
        The first thing that is wrong: an unknown or unexpected schema, a missing variable or
        attribute, wrong dimensions, wrong or missing ``units``, a missing ``long_name``, infinity,
        or NaN where none may be (see the head of this module).
    """
    name, version = ds.attrs.get("schema"), ds.attrs.get("schema_version")
    if name is None or version is None:
        raise StorageError(
            "it names no schema and version", where, "Name a file that this toolkit wrote"
        )
    expected = schema.name if isinstance(schema, Schema) else schema
    if expected is not None and name != expected:
        raise StorageError(f"a record '{expected}' was expected, it is a '{name}'", where=where)
    if isinstance(schema, Schema) and str(schema.version) == str(version):
        rules: Schema | None = schema
    else:
        rules = find_schema(str(name), version)
    if rules is None:
        names = ", ".join(f"{known} v{number}" for known, number in SCHEMAS)
        raise StorageError(
            f"unknown record '{name}' version {version}",
            where=where,
            hint=f"This version reads {names}; a newer version of the toolkit may read it.",
        )
    complaint = _complaint(ds, rules)
    if complaint is not None:
        raise StorageError(f"not a valid {name} v{version}: {complaint}", where=where)


def _complaint(ds: xr.Dataset, schema: Schema) -> str | None:
    for key in (*schema.attrs, *schema.json_attrs):
        if key not in ds.attrs:
            return f"attribute '{key}' is missing"
    for key in schema.json_attrs:
        try:
            parsed = json.loads(ds.attrs[key])
        except (TypeError, ValueError):
            parsed = None
        if not isinstance(parsed, dict):
            return f"attribute '{key}' is not a JSON object"
    for required in schema.variables:
        if required not in ds.variables:
            return f"variable '{required}' is missing"
    for name, variable in ds.variables.items():
        spec = schema.variables.get(str(name))
        problem = _variable_complaint(ds, variable, spec, schema)
        if problem is not None:
            return f"variable '{name}' {problem}"
    return schema.check(ds)


def _variable_complaint(
    ds: xr.Dataset, variable: xr.Variable, spec: VariableSpec | None, schema: Schema
) -> str | None:
    """Return what is wrong with one variable; a variable the schema does not list needs units,
    a long name and finite values."""
    units = variable.attrs.get("units")
    if not units:
        return "has no units"
    if not variable.attrs.get("long_name"):
        return "has no long_name"
    if spec is not None:
        if variable.dims != spec.dims:
            return f"has dimensions {variable.dims}, {spec.dims} expected"
        if units != spec.units:
            return f"is in '{units}', '{spec.units}' expected"
        if variable.dtype.kind not in spec.kind:
            return f"holds values of type {variable.dtype}"
    if variable.dtype.kind != "f":
        return None
    values = variable.values
    if np.isinf(values).any():
        return "holds infinity"
    nan = np.isnan(values)
    if not nan.any():
        return None
    policy = spec.nan if spec is not None else NEVER
    if policy == NEVER:
        return "holds NaN"
    if policy == ANYWHERE:
        return None
    return schema.nan_rules[policy](ds, nan)


def write(
    ds: xr.Dataset,
    path: str | os.PathLike[str],
    *,
    schema: Schema | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a dataset to a NetCDF-4 file, whole or not at all.

    The file is built in memory, written beside its destination under a temporary name, synced to
    the disk and then moved, so a reader never sees half a file.

    Parameters
    ----------
    ds : xarray.Dataset
        A dataset that passes `validate`.
    path : str or Path
        The file to make.
    schema : Schema or None, optional
        The schema of a record of your own.
    overwrite : bool, default False
        Replace an existing file.

    Returns
    -------
    Path
        The path written.

    Raises
    ------
    StorageError
        ``ds`` is not valid; the file exists and ``overwrite`` is false; the disk is full, the
        folder is missing or may not be written. No file is left behind.
    """
    path = Path(path)
    validate(ds, schema, where=str(path))
    encoding: dict[str, dict[str, Any]] = {}
    for name, variable in ds.variables.items():
        if variable.ndim >= 3 and variable.size and variable.dtype.kind == "f":
            encoding[str(name)] = {
                "zlib": True,
                "complevel": 4,
                "shuffle": True,
                "fletcher32": True,
                "chunksizes": (1, *variable.shape[1:]),
            }
    clean = ds.drop_encoding()
    for name, variable in clean.variables.items():
        if variable.dtype == object and not variable.size:  # would be stored as numbers
            clean[name] = variable.astype("U1")
    return write_bytes(path, clean.to_netcdf(engine="h5netcdf", encoding=encoding), overwrite)


def read(path: str | os.PathLike[str], schema: str | Schema | None = None) -> xr.Dataset:
    """Read a record into memory and check it.

    Parameters
    ----------
    path : str or Path
        A file made by `write`.
    schema : str, Schema or None, optional
        The schema that is expected, e.g. "IVTrace", or one of your own; ``None`` accepts any that
        `ddkbase.schemas.find_schema` knows.

    Returns
    -------
    xarray.Dataset
        The dataset, loaded; the file is closed again.

    Raises
    ------
    StorageError
        No such file, not a NetCDF-4 file, cut off or damaged, or not valid.
    """
    path = Path(path)
    if not path.is_file():
        raise StorageError("there is no such file", str(path), similar_file(path))
    try:
        # h5netcdf reads this attribute first; an object of it that fails there prints a traceback
        # when it is thrown away
        with h5py.File(path, "r") as raw:
            raw.attrs.get("_nc3_strict")
        with xr.open_dataset(
            path, engine="h5netcdf", decode_times=False, phony_dims="access"
        ) as handle:
            ds = handle.load()
    except Exception as exc:  # HDF5, h5netcdf and xarray each have their own family of errors
        raise StorageError(
            f"it cannot be read: not a NetCDF-4 file, cut off, or damaged [{_first_line(exc)}]",
            where=str(path),
        ) from exc
    ds = ds.drop_encoding()
    validate(ds, schema, where=str(path))
    return ds


def _first_line(exc: BaseException) -> str:
    text = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
    return text.splitlines()[0] if text else type(exc).__name__
