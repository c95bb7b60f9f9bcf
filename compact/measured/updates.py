"""Single pulses from files: the conductance before and after each, its amplitude and width."""

from __future__ import annotations

import os
import re
from typing import Any

import numpy as np
import xarray as xr

from compact.measured.checks import AFTER, BEFORE
from compact.measured.headings import (
    QUANTITY,
    VALUES,
    direction_of,
    is_known,
    is_value,
    role_of,
)
from compact.measured.read_pulses import read_pulses
from compact.measured.roles import find_column
from ddkbase.errors import InputError, shorten
from ddkbase.records import label
from ddkbase.tables.reading import file_content, table_of
from ddkbase.tables.table import Column, FileOptions, Table, numbers
from ddkbase.tables.units import LOGARITHM, quantity_of

__all__ = ["read_updates"]

Key = str | int
_WORDS = {"before": BEFORE, "after": AFTER}
#: what stands behind a symbol: "G_i" and "G_f", "Gn" and "Gn+1", "G(t)" and "G(t+1)"
_SUFFIXES = {
    "before": re.compile(r"[GRgr][\s_(]*(?:i|ini|init|0|n|k|t)\)?"),
    "after": re.compile(r"[GRgr][\s_(]*(?:f|fin|final|1|[nkt]\s*\+\s*1)\)?"),
}
#: the words of a heading, those of "GBefore" too
_TOKENS = re.compile(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+(?![a-z])|[^\W_]")
_SHOWN = 6  # columns that a remark names
_OFTEN = 0.3  # share of steps against the way of a train from which it has none


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
        Whatever cannot be understood; reads without a unit; reads before the pulses without those
        after them.
    """
    plain = {k: reading[k] for k in ("sheet", "variable", "delimiter", "decimal", "encoding")
             if k in reading}  # fmt: skip
    table = table_of(
        file_content(path), str(path), FileOptions(**plain, known=is_known, wanted=is_value)
    )
    pair = _pair(table, before, after)
    if pair is None:
        return _of_trains(table, read_pulses(path, units=units, **reading), reading.get("wide"))
    data = {}
    for name, column in zip(("before", "after"), pair, strict=True):
        data[name] = label(_siemens(table, column, units), "update", "S", f"conductance {name}")
    used = list(pair)
    for name, key, unit in (
        ("amplitude", amplitude, amplitude_units),
        ("width", width, width_units),
    ):
        setting = _setting(table, name, key)
        if setting is not None:
            used.append(setting)
            values = _settings(table, name, setting, unit)
            if name == "amplitude":
                values = _signed(table, values, used)
            data[name] = label(values, "update", QUANTITY[name], f"pulse {name}")
    unused = [c.title for c in table.columns if c not in used]
    if unused:
        more = ", ..." if len(unused) > _SHOWN else ""
        table.assume(f"not used: {', '.join(unused[:_SHOWN])}{more}")
    attrs = {"source_file": str(path), "assumptions": table.all_assumptions()}
    return xr.Dataset(data, attrs=attrs)


def _pair(table: Table, before: Key | None, after: Key | None) -> tuple[Column, Column] | None:
    """The columns of the reads before and after; None if no heading speaks of either.

    Raises
    ------
    InputError
        Only one of them is named, or found.
    """
    if before is not None or after is not None:
        if before is None or after is None:
            raise InputError("name both columns, of the reads before and after", table.path)
        return find_column(table, before, "before"), find_column(table, after, "after")
    reads = [
        c
        for c in table.columns
        if role_of(c.name) in VALUES or quantity_of(c.unit or "-") in ("S", "ohm")
    ]
    by_word = {
        name: [c for c in reads if {t.lower() for t in _TOKENS.findall(c.name)} & words]
        for name, words in _WORDS.items()
    }
    if not any(by_word.values()):
        by_word = {
            name: [c for c in reads if pattern.fullmatch(c.name.strip())]
            for name, pattern in _SUFFIXES.items()
        }
        if len(reads) != 2 or {len(hits) for hits in by_word.values()} != {1}:
            return None
    first, last = by_word["before"], by_word["after"]
    if len(first) == 1 and len(last) == 1 and first[0] is not last[0]:
        return first[0], last[0]
    if not first and len(last) <= 1:  # reads after each pulse of a train
        return None
    titles = ", ".join(c.title for c in [*first, *last][:_SHOWN])
    raise InputError(
        f"{titles}: which holds the reads before, and which those after the pulses?",
        table.path,
        "Pass before=... and after=..., headings or numbers from 1",
    )


def _setting(table: Table, name: str, key: Key | None) -> Column | None:
    if key is not None:
        return find_column(table, key, name)
    hits = [
        c for c in table.columns if role_of(re.sub(r"(?i)^log(10)?[\s_(]*", "", c.name)) == name
    ]
    return hits[0] if len(hits) == 1 else None


def _settings(table: Table, name: str, column: Column, unit: str | None) -> np.ndarray:
    """Amplitudes [V] or widths [s] of a column."""
    if LOGARITHM.search(column.heading or column.name):
        raise InputError(
            "holds logarithms", table.where(column), "Convert them to plain values first"
        )
    if not (unit or column.unit):
        raise InputError("has no unit", table.where(column), f"Pass {name}_units='...'")
    values = numbers(table, column, QUANTITY[name], unit or None)
    if name == "width" and (values <= 0).any():
        row = int(np.argmax(values <= 0))
        raise InputError(
            f"{shorten(column.cells[row])} is no width of a pulse", table.where(column, row)
        )
    return values


def _signed(table: Table, amplitude: np.ndarray, used: list[Column]) -> np.ndarray:
    """Amplitudes with a sign, where a column says the polarity of their sizes."""
    column = next((c for c in table.columns if role_of(c.name) == "direction"), None)
    if column is None or column in used or (amplitude < 0).any():
        return amplitude
    ways = [direction_of(cell) for cell in column.cells]
    if set(ways) != {"up", "down"}:
        return amplitude
    used.append(column)
    table.assume(f"{column.title}: pulses that lower the conductance get a negative amplitude")
    return np.where([way == "down" for way in ways], -amplitude, amplitude)


def _siemens(table: Table, column: Column, units: str | None) -> np.ndarray:
    unit = units or column.unit
    quantity = quantity_of(unit) if unit else None
    if quantity not in ("S", "ohm"):
        raise InputError(
            "has no unit of conductance or resistance", table.where(column), "Pass units='kohm'"
        )
    values = numbers(table, column, quantity, unit)
    bad = values < 0 if quantity == "S" else values <= 0
    if bad.any():
        row = int(np.argmax(bad))
        what = "conductance" if quantity == "S" else "resistance"
        raise InputError(
            f"{shorten(column.cells[row])} is no {what}",
            table.where(column, row),
            "Correct it, or leave the cell empty for a missing value",
        )
    with np.errstate(divide="ignore"):
        return np.asarray(1 / values if quantity == "ohm" else values)


def _of_trains(table: Table, ds: xr.Dataset, wide: bool | None) -> xr.Dataset:
    """Each pulse of trains with the read before it.

    Raises
    ------
    InputError
        No unit; two columns of reads that go to and fro over pulses that differ: they are the reads
        before and after.
    """
    reads = {str(source).rsplit(", column", 1)[-1] for source in ds["source"].values}
    differ = bool((ds["varied"].values != "").all()) and all(map(_to_and_fro, ds["conductance"]))
    if len(reads) == 2 and ds.sizes["train"] == 2 and differ and wide is None:
        raise InputError(
            f"has two columns of reads, {' and '.join(map(str, ds['train'].values))}: those before "
            "and after single pulses, it seems",
            table.path,
            "Pass before=... and after=..., or wide=True if each is a train",
        )
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


def _to_and_fro(reads: xr.DataArray) -> bool:
    """Whether a train goes up about as often as down, as single pulses at random do."""
    steps = np.diff(reads.values[np.isfinite(reads.values)])
    return bool(min(np.sum(steps > 0), np.sum(steps < 0)) > _OFTEN * steps.size)
