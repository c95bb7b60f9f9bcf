"""Fits and tables for others: circuit simulators (Verilog-A, ngspice), CSV and JSON.

A function ``to_*`` writes one file, whole or not at all, and returns its path. See docs/export.md.
JSON holds everything: dimensions, coordinates, variables with units, attributes. CSV holds a row
for each place of the table, and a first line behind ``#`` with what is needed to read it back;
variables with further dimensions (covariances, whole trains) do not fit and are named there.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from compact.circuit.cell import cell_of
from compact.circuit.spice import spice_text
from compact.circuit.verilog_a import verilog_text
from ddkbase.errors import InputError, StorageError, shorten, similar_file
from ddkbase.files import write_bytes

PathLike = str | os.PathLike[str]


def to_spice(
    source: Any, path: PathLike, opposite: Any = None, *, overwrite: bool = False, **cell: Any
) -> Path:
    """An ngspice subcircuit ``name te be y`` of a fitted cell.

    Parameters
    ----------
    source : AlphaBetaFit or AlphaBetaTable
        The fit or table.
    path : str or Path
        The file to make.
    opposite : AlphaBetaFit, AlphaBetaTable or None, optional
        The fit or table of the other polarity.
    overwrite : bool, default False
        Replace an existing file.
    **cell : dict, optional
        Arguments of `compact.circuit.cell.cell_of`: width, amplitude, initial_resistance,
        conductance_min, ...

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        No cell can be made of it.
    StorageError
        The file exists or cannot be written.
    """
    return _write(spice_text(cell_of(source, opposite, **cell)), path, overwrite)


def to_verilog_a(
    source: Any, path: PathLike, opposite: Any = None, *, overwrite: bool = False, **cell: Any
) -> Path:
    """A Verilog-A module ``name(te, be, y)`` of a fitted cell, not compiled; as `to_spice`."""
    return _write(verilog_text(cell_of(source, opposite, **cell)), path, overwrite)


def to_csv(source: Any, path: PathLike, *, overwrite: bool = False) -> Path:
    """A fit or table as CSV, one row for each place; `from_csv` reads the same numbers back.

    Parameters
    ----------
    source : AlphaBetaFit, AlphaBetaTable or xarray.Dataset
        What to write.
    path : str or Path
        The file to make.
    overwrite : bool, default False
        Replace an existing file.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        ``source`` is neither a fit, a table nor a dataset.
    StorageError
        The file exists or cannot be written.
    """
    return _write(csv_text(source), path, overwrite)


def to_json(source: Any, path: PathLike, *, overwrite: bool = False) -> Path:
    """A fit or table as JSON; `from_json` reads the same dataset back; as `to_csv`."""
    return _write(json_text(source), path, overwrite)


def from_csv(path: PathLike) -> xr.Dataset:
    """The dataset of a file of `to_csv`, without what did not fit into it.

    Parameters
    ----------
    path : str or Path
        The file.

    Raises
    ------
    StorageError
        No such file, not one of `to_csv`, or damaged.
    """
    return dataset_of_csv(text_of(Path(path)), str(path))


def from_json(path: PathLike) -> xr.Dataset:
    """The dataset of a file of `to_json`; as `from_csv`."""
    return dataset_of_json(text_of(Path(path)), str(path))


def _write(text: str, path: PathLike, overwrite: bool) -> Path:
    return write_bytes(path, text.encode("utf-8"), overwrite)


_FORMAT = "ddk-toolkit dataset"
_VERSION = 1
_KINDS = "fiubU"


def as_dataset(source: Any) -> xr.Dataset:
    """A fit, table or dataset as a dataset; numbers and texts only.

    Raises InputError: something else, or a variable that is neither number nor text.
    """
    table = source if isinstance(source, xr.Dataset) else getattr(source, "dataset", None)
    if not isinstance(table, xr.Dataset):
        if not is_dataclass(source) or isinstance(source, type) or not hasattr(source, "alpha"):
            raise InputError(f"{shorten(source)} is neither a fit, a table nor a dataset", "source")
        table = _of_fit(source)
    out = {}
    for name, variable in table.variables.items():
        values = np.asarray(variable.values)
        if values.dtype.kind in "OST":
            values = np.asarray(values, dtype=str)
        if values.dtype.kind not in _KINDS:
            raise InputError(f"variable '{name}' holds {values.dtype}", "source")
        out[str(name)] = (variable.dims, values, dict(variable.attrs))
    coords = {n: v for n, v in out.items() if n in table.coords}
    rest = {n: v for n, v in out.items() if n not in table.coords}
    return xr.Dataset(rest, coords, dict(table.attrs))


def _of_fit(fit: Any) -> xr.Dataset:
    units = str(getattr(fit, "units", "S"))
    data: dict[str, Any] = {}
    for item in fields(fit):
        value = getattr(fit, item.name)
        in_unit = item.name.startswith("conductance") or item.name == "fitted"
        attrs = {"units": units if in_unit else "1", "long_name": item.name.replace("_", " ")}
        if isinstance(value, Mapping):
            data[item.name] = ("parameter", np.array(list(value.values())), attrs)
        else:
            array = np.asarray(value)
            dims = {1: ("sample",), 2: ("parameter", "parameter_2")}.get(array.ndim, ())
            data[item.name] = (dims, array, attrs)
    return xr.Dataset(data, attrs={"title": "fit of alpha and beta"})


def json_text(source: Any) -> str:
    """The whole dataset as JSON; NaN is null, infinities are texts."""
    ds = as_dataset(source)

    def variable(name: Any) -> dict[str, Any]:
        array = ds.variables[name]
        return {
            "dims": [str(d) for d in array.dims],
            "dtype": array.dtype.str,
            "attrs": _plain(array.attrs, f"attributes of '{name}'"),
            "data": _nested(array.values.tolist()),
        }

    document = {
        "format": _FORMAT,
        "version": _VERSION,
        "attrs": _plain(ds.attrs, "attributes"),
        "coords": {str(n): variable(n) for n in ds.coords},
        "data_vars": {str(n): variable(n) for n in ds.data_vars},
    }
    return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def dataset_of_json(text: str, path: str) -> xr.Dataset:
    """What `json_text` wrote.

    Raises StorageError: something else, or damaged.
    """
    document = _json(text, path)

    def variable(entry: Mapping[str, Any]) -> tuple[list[str], np.ndarray, dict[str, Any]]:
        dtype = np.dtype(entry["dtype"])
        if dtype.kind not in _KINDS:
            raise ValueError(f"type {dtype}")
        data = np.array(
            _numbers(entry["data"]) if dtype.kind == "f" else entry["data"], dtype=dtype
        )
        return entry["dims"], data, entry["attrs"]

    try:
        return xr.Dataset(
            {n: variable(v) for n, v in document["data_vars"].items()},
            {n: variable(v) for n, v in document["coords"].items()},
            document["attrs"],
        )
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise _damaged(path, error) from error


def csv_text(source: Any) -> str:
    """One row for each place of the table."""
    ds = as_dataset(source)
    main = ds["alpha"] if "alpha" in ds else ds[max(ds.data_vars, key=lambda n: ds[n].ndim)]
    dims = [str(d) for d in main.dims]
    names = [str(n) for n in dims if n in ds.coords]
    names += [str(n) for n in (*ds.coords, *ds.data_vars) if str(n) not in names]
    held = [n for n in names if set(map(str, ds[n].dims)) <= set(dims)]
    meta = {
        "format": _FORMAT,
        "version": _VERSION,
        "dims": dims,
        "sizes": [ds.sizes[d] for d in dims],
        "coords": [n for n in held if n in ds.coords],
        "variables": {
            n: {
                "dims": [str(d) for d in ds[n].dims],
                "dtype": ds[n].dtype.str,
                "attrs": _plain(ds[n].attrs, f"attributes of '{n}'"),
            }
            for n in held
        },
        "attrs": _plain(ds.attrs, "attributes"),
        "left_out": [n for n in names if n not in held],
    }
    out = io.StringIO()
    out.write("# " + json.dumps(meta, ensure_ascii=False, allow_nan=False) + "\n")
    csv.writer(out, lineterminator="\n").writerow(
        [_heading(n, str(ds[n].attrs.get("units", "1"))) for n in held]
    )
    columns = [_spread(ds[n], dims, ds) for n in held]
    # floats are written by repr, the shortest text that reads back to the same number
    writer = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_STRINGS)
    writer.writerows(zip(*columns, strict=True))
    return out.getvalue()


def dataset_of_csv(text: str, path: str) -> xr.Dataset:
    """What `csv_text` wrote; numbers changed by hand count.

    Raises StorageError: something else, or damaged.
    """
    first, _, rest = text.partition("\n")
    if not first.startswith("# {"):
        raise StorageError("is no CSV file of the toolkit", path, "read_pulses reads other files")
    meta = _json(first[2:], path)
    try:
        rows = list(csv.reader(io.StringIO(rest), strict=True))[1:]
        dims, sizes = list(meta["dims"]), [int(n) for n in meta["sizes"]]
        if len(rows) != math.prod(sizes):
            raise ValueError(f"{len(rows)} rows instead of {math.prod(sizes)}")
        variables = {}
        columns = list(zip(*rows, strict=True)) or [()] * len(meta["variables"])
        for (name, entry), cells in zip(meta["variables"].items(), columns, strict=True):
            dtype = np.dtype(entry["dtype"])
            if dtype.kind == "b":
                values = np.array([{"True": True, "False": False}[c] for c in cells], dtype=dtype)
            else:
                values = np.array(cells).astype(dtype)
            keep = tuple(slice(None) if d in entry["dims"] else 0 for d in dims)
            array = xr.Variable(
                [d for d in dims if d in entry["dims"]], values.reshape(sizes)[keep], entry["attrs"]
            )
            variables[name] = array.transpose(*entry["dims"])
        coords = {n: variables.pop(n) for n in meta["coords"]}
        return xr.Dataset(variables, coords, meta["attrs"])
    except (KeyError, TypeError, ValueError, OverflowError, IndexError, csv.Error) as error:
        raise _damaged(path, error) from error


def text_of(path: Path) -> str:
    """A file's text.

    Raises StorageError: it is not there, cannot be read or is no text.
    """
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise StorageError("there is no such file", str(path), similar_file(path)) from None
    except UnicodeDecodeError:
        raise StorageError("is not text in UTF-8", str(path)) from None
    except OSError as error:
        raise StorageError(error.strerror or "cannot be read", str(path)) from error


def _spread(array: xr.DataArray, dims: list[str], ds: xr.Dataset) -> list[Any]:
    sizes = {d: ds.sizes[d] for d in dims}
    values = array.variable.set_dims(sizes).transpose(*dims).values
    return list(values.ravel().tolist())


def _heading(name: str, unit: str) -> str:
    return f"{name} [{unit}]"


def _json(text: str, path: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, error) from error
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise StorageError("is no file of the toolkit", path)
    if document.get("version") != _VERSION:
        raise StorageError(
            f"is of version {shorten(document.get('version'))}, {_VERSION} is known", path
        )
    return document


def _damaged(path: str, error: BaseException) -> StorageError:
    return StorageError(f"is damaged: {shorten(str(error), 120)}", path)


def _nested(data: Any) -> Any:
    """Lists of JSON values: NaN as null, infinities as texts."""
    if isinstance(data, list):
        return [_nested(v) for v in data]
    if isinstance(data, float) and not math.isfinite(data):
        return None if math.isnan(data) else "inf" if data > 0 else "-inf"
    return data


def _numbers(data: Any) -> Any:
    if isinstance(data, list):
        return [_numbers(v) for v in data]
    return math.nan if data is None else float(data)


def _plain(attrs: Mapping[Any, Any], where: str) -> dict[str, Any]:
    """Attributes as JSON holds them.

    Raises InputError: one that is neither number nor text, nor a list of them.
    """
    out = {}
    for key, value in attrs.items():
        if isinstance(value, np.generic | np.ndarray):
            value = value.tolist()
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError):
            raise InputError(f"'{key}' is {shorten(value)}", where, "JSON holds no such") from None
        out[str(key)] = value
    return out
