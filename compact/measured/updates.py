"""Single pulses from files: the conductance before and after each, its amplitude and width."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import xarray as xr

from compact.measured.headings import QUANTITY, VALUES, is_known, is_value, role_of
from compact.measured.read_pulses import read_pulses
from compact.measured.roles import find_column
from ddkbase.errors import InputError
from ddkbase.records import label
from ddkbase.tables.reading import file_content, table_of
from ddkbase.tables.table import Column, FileOptions, Table, numbers
from ddkbase.tables.units import quantity_of

__all__ = ["read_updates"]

Key = str | int
_WORDS = {
    "before": {"before", "initial", "init", "pre", "start", "previous", "prev"},
    "after": {"after", "final", "post", "end", "next"},
}


def read_updates(
    path: str | os.PathLike[str],
    *,
    before: Key | None = None,
    after: Key | None = None,
    amplitude: Key | None = None,
    width: Key | None = None,
    units: str | None = None,
    amplitude_units: str | None = None,
    width_units: str | None = None,
    **reading: Any,
) -> xr.Dataset:
    """Read before, read after, amplitude and width of single pulses.

    Parameters
    ----------
    path : str or Path
        A file in which a row is a pulse, with a column of reads before and one of reads after; or a
        file of `compact.read_pulses`, of which each pulse with the read before it is a pair.
    before, after : str, int or None, optional
        Their columns, a heading or a number from 1. None: by their headings, such as "R before".
    amplitude, width : str, int or None, optional
        Columns of the settings. None: by their headings.
    units : str or None, optional
        Unit of both reads, where the headings do not say it: "uS", "kohm".
    amplitude_units, width_units : str or None, optional
        Units of the settings, likewise.
    **reading : dict, optional
        Other arguments of `compact.read_pulses`: sheet, delimiter, decimal, encoding; for a file of
        trains all of them.

    Returns
    -------
    xarray.Dataset
        Dataset on ``update``: ``before`` and ``after`` [S], ``amplitude`` [V] and ``width`` [s] if
        known. Attributes: ``source_file``, ``assumptions``.

    Raises
    ------
    InputError
        Whatever cannot be understood; reads without a unit.
    """
    plain = {k: reading[k] for k in ("sheet", "variable", "delimiter", "decimal", "encoding")
             if k in reading}  # fmt: skip
    table = table_of(
        file_content(path), str(path), FileOptions(**plain, known=is_known, wanted=is_value)
    )
    pair = [_column(table, name, key) for name, key in (("before", before), ("after", after))]
    if pair[0] is None or pair[1] is None:
        if before is not None or after is not None:
            raise InputError("name both columns, of the reads before and after", str(path))
        return _of_trains(read_pulses(path, units=units, **reading))
    data = {}
    for name, column in zip(("before", "after"), pair, strict=True):
        assert column is not None
        data[name] = label(_siemens(table, column, units), "update", "S", f"conductance {name}")
    for name, key, unit in (
        ("amplitude", amplitude, amplitude_units),
        ("width", width, width_units),
    ):
        setting = _setting(table, name, key)
        if setting is not None:
            values = numbers(table, setting, QUANTITY[name], unit or None)
            if not (unit or setting.unit):
                raise InputError("has no unit", table.where(setting), f"Pass {name}_units='...'")
            data[name] = label(values, "update", QUANTITY[name], f"pulse {name}")
    attrs = {"source_file": str(path), "assumptions": table.all_assumptions()}
    return xr.Dataset(data, attrs=attrs)


def _column(table: Table, name: str, key: Key | None) -> Column | None:
    if key is not None:
        return find_column(table, key, name)
    hits = [
        c
        for c in table.columns
        if set(c.name.lower().replace("_", " ").split()) & _WORDS[name]
        and (role_of(c.name) in VALUES or quantity_of(c.unit or "-") in ("S", "ohm"))
    ]
    return hits[0] if len(hits) == 1 else None


def _setting(table: Table, name: str, key: Key | None) -> Column | None:
    if key is not None:
        return find_column(table, key, name)
    hits = [c for c in table.columns if role_of(c.name) == name]
    return hits[0] if len(hits) == 1 else None


def _siemens(table: Table, column: Column, units: str | None) -> np.ndarray:
    unit = units or column.unit
    quantity = quantity_of(unit) if unit else None
    if quantity not in ("S", "ohm"):
        raise InputError(
            "has no unit of conductance or resistance", table.where(column), "Pass units='kohm'"
        )
    values = numbers(table, column, quantity, unit)
    with np.errstate(divide="ignore"):
        return np.asarray(1 / values if quantity == "ohm" else values)


def _of_trains(ds: xr.Dataset) -> xr.Dataset:
    """Each pulse of trains with the read before it."""
    if ds["conductance"].attrs["units"] != "S":
        raise InputError("has no unit", str(ds.attrs["source_file"]), "Pass units='uS'")
    after = ds["conductance"].values
    before = np.concatenate([ds["initial_conductance"].values[:, None], after[:, :-1]], axis=1)
    whole = np.isfinite(before) & np.isfinite(after)
    data = {
        "before": label(before[whole], "update", "S", "conductance before"),
        "after": label(after[whole], "update", "S", "conductance after"),
    }
    for name in ("amplitude", "width"):
        if name in ds:
            values = ds[name].values[whole]
            data[name] = label(values, "update", QUANTITY[name], f"pulse {name}")
    attrs = {key: ds.attrs[key] for key in ("source_file", "assumptions")}
    return xr.Dataset(data, attrs=attrs)
