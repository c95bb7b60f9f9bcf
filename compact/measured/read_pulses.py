"""Pulse trains that someone else measured or simulated: `read_pulses` takes the file as it is.

What it had to assume stands in ``attrs["assumptions"]`` of the result, one line each; what it
cannot understand it refuses with the file, the line and the column. See docs/foreign_data.md.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from compact.measured.columns import assign
from compact.measured.directions import DIRECTIONS, directed, refuse_loops, refuse_negative
from compact.measured.headings import QUANTITY, VALUES, is_known, is_value
from compact.measured.merge import side_by_side
from compact.measured.netcdf import read_netcdf
from compact.measured.roles import find_column
from compact.measured.trains import Train, build
from compact.measured.writes import keep_reads
from ddkbase.errors import InputError, shorten
from ddkbase.records import label
from ddkbase.tables.archives import files_of_zip, is_plain_zip
from ddkbase.tables.reading import FORMATS, Format, file_content, table_of
from ddkbase.tables.table import LARGEST, Column, FileOptions, Table
from ddkbase.tables.units import quantity_of
from ddkbase.units import to_si

__all__ = ["read_pulses", "tables_in"]

Key = str | int


NETCDF = Format(
    read_netcdf, (b"\x89HDF", b"CDF\x01", b"CDF\x02", b"CDF\x05"), (".nc", ".nc4", ".h5", ".hdf5")
)
_TEXTS = (".csv", ".tsv", ".txt", ".dat", ".asc", ".prn", ".lvm", ".itx", ".xls")  # or a workbook
_SUFFIXES = (*_TEXTS, *(suffix for format_ in (*FORMATS, NETCDF) for suffix in format_.suffixes))


def read_pulses(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    conductance: Key | Sequence[Key] | None = None,
    resistance: Key | Sequence[Key] | None = None,
    current: Key | Sequence[Key] | None = None,
    voltage: Key | None = None,
    pulse: Key | None = None,
    train: Key | Sequence[Key] | None = None,
    direction: str | Sequence[str] | Mapping[str, str] | None = None,
    units: str | Mapping[str, str] | None = None,
    wide: bool | None = None,
    sheet: str | int | None = None,
    variable: str | None = None,
    delimiter: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
) -> xr.Dataset:
    """Pulse trains from a file of a laboratory, or from several.

    Parameters
    ----------
    path : str, Path, or sequence of str or Path
        CSV, TSV or other text, XLSX, XLS, Parquet, Feather, MAT, NPZ/NPY or NetCDF; the content
        decides. A folder, or a ZIP of one, stands for the files of these kinds in it, in the order
        of their names.
    conductance, resistance, current : str, int, sequence of str or int, or None, optional
        The column that holds the values, a heading or a number from 1; several columns are as many
        trains.
    voltage : str, int or None, optional
        With a current, its read voltage: a text with a unit ("0.1 V") or a column.
    pulse : str, int or None, optional
        The column (NetCDF: dimension) of pulse numbers.
    train : str, int, sequence of str or int, or None, optional
        The column, or columns, that tell trains apart: cycle, device.
    direction : str, sequence of str, mapping of str to str or None, optional
        "up" or "down" for all trains; one for each, in order or by name; the column that tells;
        "split" cuts a train where it turns. None: by the headings, else by the values.
    units : str, mapping of str to str or None, optional
        Unit of the values ("uS"; "normalised" if they have a scale of their own), or units by
        column or kind ({"current": "nA", "voltage": "V"}).
    wide : bool or None, optional
        True: each column of values is a train. False: one column holds all trains.
    sheet : str, int or None, optional
        Sheet of a workbook, its name or its number from 1.
    variable : str or None, optional
        Variable of MAT, NPZ or NetCDF.
    delimiter, decimal : str or None, optional
        Delimiter and decimal of text, where the text does not show them.
    encoding : str or None, optional
        Coding of text that is neither UTF-8 nor Windows-1252: "gb18030", "shift_jis", ...

    Returns
    -------
    xarray.Dataset
        Dataset with dimensions ``train`` and ``pulse``: ``conductance`` [S, or 1 if relative], NaN
        where a pulse is missing and behind the end of shorter trains; ``length`` (train), number of
        the last pulse; ``direction`` (train), "up", "down" or "unknown"; ``initial_conductance``
        (train), before the first pulse, NaN if not known; ``source`` (train); ``amplitude`` [V] and
        ``width`` [s] (train, pulse) if the file has them with units; ``cycle`` and ``device``
        (train) if its columns number them; ``varied`` (train), which setting of the pulses is not
        the same throughout the train, empty if none. Attributes: ``assumptions``, ``source_file``,
        ``source_checksum``.

    Raises
    ------
    InputError
        Whatever of the file or of the arguments cannot be understood.
    StorageError
        The file cannot be read.
    """
    told: dict[str, Any] = {
        "conductance": conductance, "resistance": resistance, "current": current,
        "voltage": voltage, "pulse": pulse, "train": train, "direction": direction,
        "units": units, "wide": wide, "sheet": sheet, "variable": variable,
        "delimiter": delimiter, "decimal": decimal, "encoding": encoding,
    }  # fmt: skip
    several = _several(path)
    if several is not None:
        return side_by_side([read_pulses(file, **told) for file in several], str(path))
    assert isinstance(path, str | os.PathLike)
    content = file_content(path)
    if is_plain_zip(content) and Path(path).suffix.lower() == ".zip":
        tables, deeper = files_of_zip(content, str(path), _SUFFIXES)
        files = [_of_content(data, f"{path}/{name}", told) for name, data in tables.items()]
        ds = side_by_side(files, str(path))
        if deeper:
            ds.attrs["assumptions"] += (
                f"\n{len(deeper)} tables in folders below are not read, the first being {deeper[0]}"
            )
        return ds
    return _of_content(content, str(path), told)


def _of_content(content: bytes, name: str, told: Mapping[str, Any]) -> xr.Dataset:
    """The trains of one file, with the arguments of `read_pulses`."""
    pulse, direction, units, wide = (told[k] for k in ("pulse", "direction", "units", "wide"))
    given = {k: told[k] for k in (*VALUES, "pulse", "train")}
    options = FileOptions(
        told["sheet"], told["variable"], str(pulse) if pulse else None, told["delimiter"],
        told["decimal"], told["encoding"], is_known, is_value,
    )  # fmt: skip
    table = table_of(content, name, options, (*FORMATS, NETCDF))
    if table.row == "value":  # NetCDF: the dimensions say what `pulse` and `train` would
        given["pulse"] = "pulse"
        given["train"] = [c.number for c in table.columns[_position(table) + 1 :]] or None
    given["voltage"] = _voltage(table, told["voltage"])
    if isinstance(direction, str) and direction not in (*DIRECTIONS, "split"):
        given["direction"] = direction
    values = next((told[kind] for kind in VALUES if told[kind]), None)
    if wide is False and isinstance(values, list | tuple) and len(values) > 1:
        raise InputError("several columns of values are named, and wide=False", name)
    quantity = quantity_of(units) if isinstance(units, str) and units else None
    roles = assign(table, given, wide, quantity)
    keep_reads(table, roles)
    trains, unit = build(table, roles, _units(table, units, roles.kind, roles.values))
    if roles.guessed and unit == "1":
        if direction is None or direction == "split":
            refuse_loops(table, trains, split=direction == "split")
        refuse_negative(table, trains)
    trains = directed(table, trains, direction)
    return _dataset(table, trains, unit, content)


def _several(path: Any) -> list[Path] | None:
    """The files of a folder or of a list; None for one file."""
    if isinstance(path, Sequence) and not isinstance(path, str | bytes):
        if not path:
            raise InputError("no file is named", "path")
        return [f for one in path for f in (_several(one) or [Path(one)])]
    if not (isinstance(path, str | os.PathLike) and Path(path).is_dir()):
        return None
    files = tables_in(path)
    if not files:
        raise InputError(
            "is a folder, and no file in it is a table", str(path), "Known: " + ", ".join(_SUFFIXES)
        )
    return files


def tables_in(folder: str | os.PathLike[str]) -> list[Path]:
    """The files of a folder whose suffix is that of a table, by name; not those that are hidden,
    or that a spreadsheet keeps of an open file."""
    files = sorted(f for f in Path(folder).iterdir() if not f.name.startswith((".", "~$")))
    return [f for f in files if f.suffix.lower() in _SUFFIXES and f.is_file()]


def _position(table: Table) -> int:
    return next(i for i, c in enumerate(table.columns) if c.name == "pulse")


def _voltage(table: Table, voltage: Key | None) -> Key | float | None:
    """Volts, if that is what the argument says, else the key of a column."""
    if isinstance(voltage, str) and all(c.name != voltage.strip() for c in table.columns):
        try:
            value = to_si(voltage, "V", "voltage")
        except InputError:
            if voltage.strip()[:1] in "+-.0123456789":
                raise
            return voltage
        if value == 0:
            raise InputError("a read voltage of zero gives no current", "voltage")
        return value
    if isinstance(voltage, float):
        raise InputError(f"{voltage!r} has no unit", "voltage", "Write e.g. voltage='0.1 V'")
    return voltage


def _units(
    table: Table, units: str | Mapping[str, str] | None, kind: str, values: list[Column]
) -> dict[str, str]:
    """Units by column name and by kind."""
    if units is None:
        return {}
    if isinstance(units, str):
        return {kind: units, **{c.name: units for c in values if c.name}}
    if not isinstance(units, Mapping):
        raise InputError(f"{shorten(units)} is neither a unit nor units by column", "units")
    by_name = {}
    for key, unit in units.items():
        if not isinstance(unit, str):
            raise InputError(f"{shorten(unit)} is no unit", f"units['{key}']")
        if key in QUANTITY:
            by_name[key] = unit
        else:
            column = find_column(table, key, "units")
            column.unit = unit
            by_name[column.name or str(column.number)] = unit
    if kind in by_name:  # a word for all columns counts more than their headings
        by_name |= {c.name: by_name[kind] for c in values if c.name and c.name not in by_name}
    return by_name


def _dataset(table: Table, trains: list[Train], unit: str, content: bytes) -> xr.Dataset:
    count = max(t.values.size for t in trains)
    if count * len(trains) > LARGEST // 8:
        raise InputError(f"{len(trains)} trains of up to {count} pulses are too many", table.path)

    def padded(arrays: list[np.ndarray]) -> np.ndarray:
        out = np.full((len(trains), count), np.nan)
        for row, array in zip(out, arrays, strict=True):
            row[: array.size] = array
        return out

    both = ("train", "pulse")
    data = {
        "conductance": label(padded([t.values for t in trains]), both, unit, "conductance"),
        "length": label([t.values.size for t in trains], "train", "1", "number of the last pulse"),
        "direction": label([t.direction for t in trains], "train", "1", "direction of the train"),
        "initial_conductance": label(
            [t.initial for t in trains], "train", unit, "conductance before the first pulse"
        ),
        "source": label([t.source for t in trains], "train", "1", "where the train stands"),
    }
    for name, long_name in (("amplitude", "pulse amplitude"), ("width", "pulse width")):
        if name in trains[0].extra:
            data[name] = label(
                padded([t.extra[name] for t in trains]), both, QUANTITY[name], long_name
            )
    if all(t.cycle is not None for t in trains):
        data["cycle"] = label([t.cycle or 0 for t in trains], "train", "1", "cycle")
    if all(t.device for t in trains):
        data["device"] = label([t.device for t in trains], "train", "1", "device")
    data["varied"] = label(
        [t.varied for t in trains], "train", "1", "setting that is not the same throughout"
    )
    coordinates = {
        "train": label([t.label for t in trains], "train", "1", "train"),
        "pulse": label(np.arange(1, count + 1), "pulse", "1", "pulse number"),
    }
    attrs = {
        "title": f"pulse trains of {Path(table.path.split(', ')[0]).name}",
        "assumptions": table.all_assumptions(),
        "source_file": table.path,
        "source_checksum": f"sha256:{hashlib.sha256(content).hexdigest()}",
    }
    return xr.Dataset(data, coordinates, attrs)
