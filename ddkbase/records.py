"""The named, versioned datasets: write them, read them, check them.

A record is an ``xarray.Dataset`` in a NetCDF-4 file.  Every variable carries ``units`` and
``long_name``; every file carries ``schema`` and ``schema_version`` and whatever else its schema
asks for (the resolved device, the settings, the versions of what computed it).

`ddkbase.schemas` knows where the schema of each record stands, so that any record can be read
without importing the package that writes it.

This module does not need the finite-element stack.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr

from ddkbase.documents import read_json
from ddkbase.errors import DDKError, StorageError, first_line, shorten, similar_file
from ddkbase.files import read_limit, storage_errors, too_large, unpacked_limit, write_bytes
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
    "check_hdf5",
    "check_zarr",
    "fingerprint",
    "label",
    "labelled",
    "of_record",
    "read",
    "validate",
    "write",
    "write_bytes",
]

_CHUNK = 2000  # bytes of memory that HDF5 takes for each chunk of a dataset that is read
_ENTRIES, _DEPTH = 10_000, 64  # of an HDF5 file: libraries take milliseconds for each


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
    if not isinstance(name, str) or not isinstance(version, str | int | np.integer):
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
    for key, value in ds.attrs.items():
        if not isinstance(value, str | int | float | np.number | np.bool_):
            return f"attribute '{key}' is neither a text nor a number"
        if isinstance(value, float | np.floating) and not np.isfinite(value):
            return f"attribute '{key}' is not finite"
    for key in schema.json_attrs:
        try:
            parsed = json.loads(str(ds.attrs[key]))
        except (ValueError, RecursionError):
            parsed = None
        if not isinstance(parsed, dict):
            return f"attribute '{key}' is not a JSON object"
    for required in schema.variables:
        if required not in ds.variables:
            return f"variable '{required}' is missing"
    # all dimensions before any value: where NaN may stand depends on the values of others
    for complaint in (_kind_complaint, _value_complaint):
        for name, variable in ds.variables.items():
            spec = schema.variables.get(str(name))
            problem = complaint(ds, variable, spec, schema)
            if problem is not None:
                return f"variable '{name}' {problem}"
    return schema.check(ds)


def _kind_complaint(
    ds: xr.Dataset, variable: xr.Variable, spec: VariableSpec | None, schema: Schema
) -> str | None:
    """Return what is wrong with the attributes, dimensions or type of one variable; a variable the
    schema does not list needs units and a long name."""
    units = variable.attrs.get("units")
    for key in ("units", "long_name"):
        text = variable.attrs.get(key)
        if not isinstance(text, str) or not text:
            return f"has no {key}"
    if spec is not None:
        if variable.dims != spec.dims:
            return f"has dimensions {variable.dims}, {spec.dims} expected"
        if units != spec.units:
            return f"is in '{units}', '{spec.units}' expected"
        if variable.dtype.kind not in spec.kind:
            return f"holds values of type {variable.dtype}"
    return None


def _value_complaint(
    ds: xr.Dataset, variable: xr.Variable, spec: VariableSpec | None, schema: Schema
) -> str | None:
    """Return what is wrong with the values of one variable; a variable the schema does not list
    needs finite ones unless ``others`` says otherwise."""
    if variable.dtype.kind != "f":
        return None
    values = variable.values
    if np.isinf(values).any():
        return "holds infinity"
    nan = np.isnan(values)
    if not nan.any():
        return None
    policy = spec.nan if spec is not None else schema.others
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
        check_hdf5(path, str(path))
        with warnings.catch_warnings():  # what is odd is refused below, in one line
            warnings.simplefilter("ignore")
            with xr.open_dataset(
                path, engine="h5netcdf", decode_times=False, phony_dims="access"
            ) as handle:
                ds = handle.load()
    except StorageError:
        raise
    except Exception as exc:  # HDF5, h5netcdf and xarray each have their own family of errors
        raise StorageError(
            f"it cannot be read: not a NetCDF-4 file, cut off, or damaged [{first_line(exc)}]",
            where=str(path),
        ) from exc
    ds = ds.drop_encoding()
    validate(ds, schema, where=str(path))
    return ds


@contextlib.contextmanager
def of_record(where: str = "record") -> Iterator[None]:
    """Use what a record of a stranger holds beyond its schema; also a decorator.

    Parameters
    ----------
    where : str, default "record"
        What errors call it.

    Raises
    ------
    StorageError
        In the place of what Python raises where a value is missing or of another kind.
    """
    try:
        yield
    except DDKError:
        raise
    except (
        ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError,
    ) as error:  # fmt: skip
        reason = shorten(f"{type(error).__name__}: {error}", 120)
        raise StorageError(f"it does not hold what a record should [{reason}]", where) from error


def check_hdf5(file: Any, where: str) -> None:
    """Look at what an HDF5 file would read, before any of it is read.

    HDF5 lets a file name others from which its values come. A file of a stranger could so show
    what is in any file of the reader, so nothing of the kind is followed.

    Parameters
    ----------
    file : str, Path or file-like
        The file.
    where : str
        What errors call it.

    Raises
    ------
    StorageError
        A dataset with external storage, a virtual one, or a link to another file, which is named;
        more content than `ddkbase.files.unpacked_limit`, more entries or deeper groups than any
        record has.
    OSError
        No HDF5 file, or damaged; h5py has other errors besides.
    """
    size, seen = 0, set()
    with h5py.File(file, "r") as handle:
        # h5netcdf reads this attribute first; an object of it that fails there prints a traceback
        # when it is thrown away
        handle.attrs.get("_nc3_strict")
        limit = unpacked_limit(handle.id.get_filesize(), read_limit())
        groups = [handle["/"]]
        count = 0
        for group in groups:
            count += len(group)
            if count > _ENTRIES or group.name.count("/") > _DEPTH:
                what = f"it holds more than {_ENTRIES} entries, or groups deeper than {_DEPTH}"
                raise StorageError(what, where, "Write the arrays that are meant to a file alone")
            for name in group:
                link = group.get(name, getlink=True)
                place = f"{group.name.rstrip('/')}/{name}"
                if isinstance(link, h5py.ExternalLink):
                    raise _elsewhere(f"'{place}' is a link to another file", where)
                if isinstance(link, h5py.SoftLink):  # what it leads to has a link of its own
                    continue
                item = group[name]
                if isinstance(item, h5py.Group):
                    address = h5py.h5o.get_info(item.id).addr
                    if address not in seen:  # a group may hold itself
                        seen.add(address)
                        groups.append(item)
                elif isinstance(item, h5py.Dataset):
                    if item.is_virtual or item.external:
                        kind = "is a virtual dataset" if item.is_virtual else "is stored elsewhere"
                        raise _elsewhere(f"'{place}' {kind}, in another file", where)
                    # a text without a fixed length is an object in memory
                    each = 64 if item.dtype.kind == "O" else item.dtype.itemsize
                    size += (item.size or 0) * each
                    if item.chunks:  # HDF5 itself keeps notes on each chunk that it reads
                        counts = (-(-n // c) for n, c in zip(item.shape, item.chunks, strict=True))
                        size += math.prod(counts) * _CHUNK
                    if size > limit:
                        raise too_large(where, limit)


def check_zarr(path: Path) -> None:
    """Look at a zarr store, before any of it is read: what its chunks unpack to, and its files.

    Parameters
    ----------
    path : Path
        The folder of the store, whose arrays lie in folders of their names.

    Raises
    ------
    StorageError
        A description is damaged, a chunk is larger than `ddkbase.files.read_limit`, or an entry is
        neither a file nor a folder.
    """
    with storage_errors("the store cannot be read", path):
        folders = [path, *(p for p in sorted(path.iterdir()) if p.is_dir())]
        for folder in folders:
            for entry in os.scandir(folder):
                if not (entry.is_file() or entry.is_dir()):  # a pipe would block
                    raise StorageError("the store is damaged: no regular file", entry.path)
            described = folder / "zarr.json"
            if folder != path and described.is_file():
                _check_chunk(described)


def _check_chunk(described: Path) -> None:
    found = read_json(described)
    if found.get("node_type") != "array":
        return
    try:
        shape = [int(n) for n in found["chunk_grid"]["configuration"]["chunk_shape"]]
        kind = found["data_type"]
        each = int(kind["configuration"]["length_bytes"]) if isinstance(kind, dict) else 16
    except (KeyError, TypeError, ValueError) as error:
        raise StorageError(
            f"the store is damaged [{type(error).__name__}: {error}]", str(described)
        ) from error
    if math.prod(shape) * max(each, 1) > read_limit() or min(shape, default=1) < 1:
        raise StorageError(f"the store is damaged: a chunk of {shorten(shape)}", str(described))


def _elsewhere(what: str, where: str) -> StorageError:
    return StorageError(
        f"{what}, which is not followed", where, "Copy the values into one file, e.g. with h5repack"
    )
