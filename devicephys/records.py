"""The named, versioned datasets: write them, read them, check them.

A record is an ``xarray.Dataset`` in a NetCDF-4 file.  Every variable carries ``units`` and
``long_name``; every file carries ``schema`` and ``schema_version`` and whatever else its schema
asks for (the resolved device, the settings, the versions of what computed it).

Schemas known here: ``IVTrace`` version 1, one or several current-voltage loops of one cell.

Where NaN may stand, everything else being finite:

* the vacancy fields in the electrodes (the same whole rows ``z`` in every map), because a metal
  holds no oxygen vacancies;
* ``resistance`` where ``|voltage| < 1 mV``, because 0 V / 0 A says nothing.

This module does not need the finite-element stack.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from devicephys.errors import StorageError

POINTS = ("A", "B", "C", "D", "E", "F", "G", "H")
"""Marked points of one loop: before, at the edge of, during, after RESET (A-D) and SET (E-H)."""

RESISTANCE_VOLTAGE_FLOOR = 1e-3
"""Voltage [V] below which ``resistance`` may be NaN."""

_NEVER, _ELECTRODES, _NEAR_ZERO_VOLT = "never", "electrodes", "near 0 V"
_FLOAT, _INT, _TEXT = "f", "iu", "OUT"  # NumPy dtype kinds


@dataclass(frozen=True)
class VariableSpec:
    """What a schema asks of one variable: dimensions, units, kind of number, where NaN may be."""

    dims: tuple[str, ...]
    units: str
    kind: str = _FLOAT
    nan: str = _NEVER


@dataclass(frozen=True)
class Schema:
    """Name, version, variables and attributes of one kind of record.

    ``json_attrs`` are attributes that must parse as JSON objects; ``attrs`` must only be there;
    ``check`` looks at what the table of variables cannot say and returns a complaint or ``None``.
    """

    name: str
    version: int
    variables: Mapping[str, VariableSpec]
    attrs: tuple[str, ...] = ()
    json_attrs: tuple[str, ...] = ()
    check: Callable[[xr.Dataset], str | None] = field(default=lambda ds: None)


def label(array: Any, dims: str | tuple[str, ...], units: str, long_name: str) -> xr.Variable:
    """Return ``array`` as a variable with dimensions, units and a name for axes.

    Parameters
    ----------
    array : anything NumPy turns into an array with ``len(dims)`` axes.
    dims : dimension names; a single text names one dimension.
    units : SI unit as text ("V", "1/m^3"); "1" for a pure number or for text.
    long_name : what a plot writes on its axis, without the unit.

    Raises
    ------
    ValueError : if the number of dimensions differs, or a text is empty.
    """
    if not units or not long_name:
        raise ValueError("a variable needs both units and a long name")
    return xr.Variable(dims, np.asarray(array), {"units": units, "long_name": long_name})


def _iv_trace_schema() -> Schema:
    node_map = ("z_node", "r_node")
    cell_map = ("z", "r")
    v = VariableSpec
    per_step = {
        "voltage": "V",
        "device_voltage": "V",
        "series_voltage": "V",
        "current": "A",
        "temperature_max": "K",
        "filament_gap": "m",
        "vacancy_total": "1",
        "vacancy_imbalance": "1",
        "current_imbalance": "1",
        "energy_imbalance": "1",
        "step_size": "s",
        "joule_power": "W",
    }
    variables = {name: v(("time",), units) for name, units in per_step.items()}
    variables |= {
        "time": v(("time",), "s"),
        "r": v(("r",), "m"),
        "z": v(("z",), "m"),
        "r_node": v(("r_node",), "m"),
        "z_node": v(("z_node",), "m"),
        "point": v(("point",), "1", _TEXT),
        "time_point": v(("point",), "s"),
        "time_frame": v(("frame",), "s"),
        "resistance": v(("time",), "ohm", nan=_NEAR_ZERO_VOLT),
        "newton_iterations": v(("time",), "1", _INT),
        "loop": v(("time",), "1", _INT),
        "rejected_time": v(("rejected",), "s"),
        "rejected_step_size": v(("rejected",), "s"),
        "rejected_reason": v(("rejected",), "1", _TEXT),
        "vacancy_concentration": v(("point", *cell_map), "1/m^3", nan=_ELECTRODES),
        "temperature": v(("point", *node_map), "K"),
        "potential": v(("point", *node_map), "V"),
        "vacancy_concentration_frame": v(("frame", *cell_map), "1/m^3", nan=_ELECTRODES),
        "temperature_frame": v(("frame", *node_map), "K"),
        "potential_frame": v(("frame", *node_map), "V"),
    }
    return Schema(
        name="IVTrace",
        version=1,
        variables=variables,
        attrs=("device_yaml", "created", "voltage_reference", "method", "loops"),
        json_attrs=("settings_json", "protocol_json", "versions_json", "headline_json"),
        check=_check_iv_trace,
    )


def _check_iv_trace(ds: xr.Dataset) -> str | None:
    """Return what is wrong with the axes of an IVTrace, or ``None``."""
    if ds.sizes["time"] == 0:
        return "there is no time step in it"
    for name in ("time", "r", "z", "r_node", "z_node"):
        if np.any(np.diff(ds[name].values) <= 0):
            return f"'{name}' does not increase strictly"
    for axis in ("r", "z"):
        nodes, centres = ds[f"{axis}_node"].values, ds[axis].values
        if nodes.size != centres.size + 1:
            return f"{centres.size} cells along '{axis}' need {centres.size + 1} nodes"
        if np.any(centres <= nodes[:-1]) or np.any(centres >= nodes[1:]):
            return f"a cell centre '{axis}' lies outside its two nodes"
    labels = [str(p) for p in ds["point"].values]
    if labels != [p for p in POINTS if p in labels]:
        return f"the marked points must be among {POINTS[0]} to {POINTS[-1]}, in order"
    return None


SCHEMAS: dict[tuple[str, int], Schema] = {("IVTrace", 1): _iv_trace_schema()}
"""Every schema this version reads and writes, by name and version."""


def validate(ds: xr.Dataset, schema: str | None = None, *, where: str = "dataset") -> None:
    """Check a dataset against the schema it names.

    Parameters
    ----------
    ds : the dataset; ``ds.attrs`` names ``schema`` and ``schema_version``.
    schema : the schema that is expected, e.g. "IVTrace"; ``None`` accepts any known one.
    where : what the message calls the dataset, usually the file's path.

    Raises
    ------
    StorageError : the first thing that is wrong: an unknown or unexpected schema, a missing
        variable or attribute, wrong dimensions, wrong or missing ``units``, a missing
        ``long_name``, infinity, or NaN where none may be (see the head of this module).
    """
    found = ds.attrs.get("schema")
    version = ds.attrs.get("schema_version")
    if found is None or version is None:
        raise StorageError("it names no schema and version", where=where)
    if schema is not None and found != schema:
        raise StorageError(f"a record '{schema}' was expected, it is a '{found}'", where=where)
    known = SCHEMAS.get((str(found), int(version) if str(version).isdigit() else -1))
    if known is None:
        names = ", ".join(f"{name} v{number}" for name, number in SCHEMAS)
        raise StorageError(
            f"unknown record '{found}' version {version}",
            where=where,
            hint=f"This version reads {names}; a newer version of the toolkit may read it.",
        )
    complaint = _complaint(ds, known)
    if complaint is not None:
        raise StorageError(f"not a valid {found} v{version}: {complaint}", where=where)


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
        problem = _variable_complaint(ds, variable, spec)
        if problem is not None:
            return f"variable '{name}' {problem}"
    return schema.check(ds)


def _variable_complaint(
    ds: xr.Dataset, variable: xr.Variable, spec: VariableSpec | None
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
    policy = spec.nan if spec is not None else _NEVER
    if policy == _NEVER:
        return "holds NaN"
    if policy == _NEAR_ZERO_VOLT:
        if np.any(np.abs(ds["voltage"].values[nan]) >= RESISTANCE_VOLTAGE_FLOOR):
            return f"holds NaN where |voltage| >= {RESISTANCE_VOLTAGE_FLOOR:g} V"
        return None
    rows = nan.all(axis=(0, 2))
    if not np.array_equal(nan, np.broadcast_to(rows[None, :, None], nan.shape)) or rows.all():
        return "holds NaN outside the electrodes"
    return None


def write(ds: xr.Dataset, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Write a dataset to a NetCDF-4 file, whole or not at all.

    The file is built in memory, written beside its destination under a temporary name, synced to
    the disk and then moved, so a reader never sees half a file.

    Parameters
    ----------
    ds : a dataset that passes `validate`.
    path : the file to make.
    overwrite : replace an existing file.

    Returns
    -------
    The path written.

    Raises
    ------
    StorageError : ``ds`` is not valid; the file exists and ``overwrite`` is false; the disk is
        full, the folder is missing or may not be written.  No file is left behind.
    """
    path = Path(path)
    validate(ds, where=str(path))
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


def read(path: str | os.PathLike[str], schema: str | None = None) -> xr.Dataset:
    """Read a record into memory and check it.

    Parameters
    ----------
    path : a file made by `write`.
    schema : the schema that is expected, e.g. "IVTrace"; ``None`` accepts any known one.

    Returns
    -------
    The dataset, loaded; the file is closed again.

    Raises
    ------
    StorageError : no such file, not a NetCDF-4 file, cut off or damaged, or not valid.
    """
    path = Path(path)
    if not path.is_file():
        raise StorageError("there is no such file", where=str(path))
    try:
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


def write_bytes(
    path: str | os.PathLike[str], content: bytes | bytearray | memoryview, overwrite: bool = False
) -> Path:
    """Write ``content`` to ``path``, whole or not at all; `write` says how, and what it raises."""
    path = Path(path)
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
    created = False
    try:
        # os.open instead of tempfile: the file then gets the permissions the user's umask asks for
        handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        created = True
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        if overwrite:
            scratch.replace(path)
        else:
            _move_to_free_name(scratch, path)
    except StorageError:
        raise
    except OSError as exc:
        raise StorageError(
            f"the file cannot be written: {_first_line(exc)}",
            where=str(path),
            hint="Choose a folder you may write to, on a disk with room.",
        ) from exc
    finally:
        if created:
            scratch.unlink(missing_ok=True)
    return path


def _move_to_free_name(scratch: Path, path: Path) -> None:
    """Move ``scratch`` to ``path`` unless something is there, without a moment between the two."""
    try:
        os.link(scratch, path)
    except FileExistsError:
        raise _exists(path) from None
    except OSError:  # a file system without hard links: ask first, then move
        if path.exists():
            raise _exists(path) from None
        scratch.replace(path)


def _exists(path: Path) -> StorageError:
    return StorageError(
        "the file exists already", where=str(path), hint="Choose another name, or remove it first."
    )


def _first_line(exc: BaseException) -> str:
    text = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
    return text.splitlines()[0] if text else type(exc).__name__
