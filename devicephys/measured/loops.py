"""The door for measured current-voltage loops: a file of a laboratory becomes a dataset.

Simulated loops stand beside measured ones with the figures of the misfit.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ddkbase import records
from ddkbase.errors import InputError, closest, shorten
from ddkbase.schemas import label
from ddkbase.tables.binary import read_hdf5
from ddkbase.tables.reading import FORMATS, Format, file_content, table_of
from ddkbase.tables.table import (
    Column,
    FileOptions,
    Table,
    has_units_in_cells,
    is_empty,
    looks_numeric,
    numbers,
)
from ddkbase.tables.units import LOGARITHM, quantity_of, split_unit
from ddkbase.units import format_si, to_si
from devicephys.measured.checks import (
    FEWEST,
    check_loops,
    loop_numbers,
    number_halves,
    signs_of_current,
)
from devicephys.measured.forming import forming_end
from devicephys.measured.limits import limits_of_loops
from devicephys.measured.ramps import RAMPS, band_of, log_misfit
from devicephys.measured.rates import joined_times, times_and_rate

__all__ = ["measured_band", "misfit_rows", "read_loop", "single_loops"]


_UNITS = {"voltage": "V", "current": "A", "time": "s", "loop": "1"}
_NAMES = {
    "voltage": {"v", "u", "voltage", "bias", "potential", "vapp", "applied voltage", "v applied",
                "av", "vd", "vf", "v te", "v1", "voltage 1", "vdata", "spannung"},
    "current": {"i", "current", "ai", "id", "im", "i te", "i1", "current 1", "idata", "strom"},
    "time": {"t", "time", "elapsed time", "timestamp", "zeit"},
    "loop": {"loop", "cycle", "sweep", "run", "scan", "scan number", "loop number", "cycle number",
             "cycle no", "repeat", "zyklus", "durchlauf"},
}  # fmt: skip

#: what columns of one voltage may differ by, of their span: without a load, set and measured agree
_APART = 0.02
#: columns that a remark names
_SHOWN = 6
_HDF5 = Format(read_hdf5, (b"\x89HDF",), (".h5", ".hdf5"))


def read_loop(
    path: str | os.PathLike[str],
    *,
    voltage: str | int | None = None,
    current: str | int | None = None,
    time: str | int | None = None,
    loop: str | int | None = None,
    units: Mapping[str, str] | None = None,
    rate: object = None,
    compliance: object = None,
    partial: bool = False,
    forming: bool = False,
    sheet: str | int | None = None,
    variable: str | None = None,
    delimiter: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
) -> xr.Dataset:
    """Read measured current-voltage loops.

    Parameters
    ----------
    path : str or Path
        A text with columns (CSV, TSV, of SPICE, ...), XLSX, XLS, MAT, NPZ, NPY, HDF5, Parquet,
        Feather, or an ``IVTrace`` of the toolkit (.nc).
    voltage, current, time, loop : str, int or None, optional
        The columns, by heading or by number from 1, where the headings do not tell. Without a
        column of loops they are told apart by the voltage.
    units : mapping of str to str or None, optional
        Units of columns whose heading says none, or other ones: ``{"current": "uA"}``.
    rate : str or Quantity, or None, optional
        Sweep rate, "1 V/s", where there is no time.
    compliance : str or Quantity, or None, optional
        The limit of the current that was set, "100 uA"; by default a plateau of the current tells.
    partial : bool, default False
        Accept loops with one half only.
    forming : bool, default False
        Leave a forming sweep, which goes further than the loops behind it, in the first loop.
    sheet : str, int or None, optional
        Sheet of a workbook, its name or its number from 1.
    variable, delimiter, decimal, encoding : str or None, optional
        Variable of a file of arrays; delimiter, decimal sign and coding of a text.

    Returns
    -------
    xarray.Dataset
        On ``sample`` voltage [V] and current [A] as measured (with the sign of the voltage, where
        sizes were written, or a current out of the cell), ``loop`` (from 1) and, if known,
        ``time`` [s] from the start of each loop. Attributes: ``compliance_positive`` and
        ``compliance_negative`` [A] where the current was limited, ``rate`` [V/s] if known,
        ``loops``, and ``remarks``, one a line, on what was taken for what.

    Raises
    ------
    InputError
        No such file; a column or its unit that is not clear; columns that seem swapped; a current
        of another unit than said; a voltage or current that does not change; half a loop; a
        compliance that is never reached.
    StorageError
        The file cannot be read, or is a damaged record.
    """
    given = {"voltage": voltage, "current": current, "time": time, "loop": loop}
    where, remarks = str(path), list[str]()
    if Path(path).suffix.lower() == ".nc":
        columns = _of_record(path)
    else:
        options = FileOptions(
            sheet=sheet,
            variable=variable,
            delimiter=delimiter,
            decimal=decimal,
            encoding=encoding,
            known=lambda name: _role(name) is not None,
            wanted=lambda name: _role(name) in ("voltage", "current"),
        )
        table = table_of(file_content(path), where, options, (*FORMATS, _HDF5))
        columns = _of_table(table, given, dict(units or {}))
        remarks += table.assumptions
    v, i = columns["voltage"], columns["current"]
    whole = np.isfinite(v) & np.isfinite(i)
    if not whole.all():
        remarks.append(f"{(~whole).sum()} rows without a voltage or a current are left out")
    columns = {name: values[whole] for name, values in columns.items()}
    v, i = columns["voltage"], columns["current"]
    told = units or {}
    begin = 0 if forming or len(v) < FEWEST else forming_end(v, i, columns.get("loop"))
    if begin:
        remarks.append(
            f"the first sweep goes to {format_si(_furthest(v[:begin]), 'V', 3)}, the later ones to "
            f"{format_si(_furthest(v[begin:], v[:begin]), 'V', 3)}: taken as forming, {begin} "
            "samples are left out (forming=True keeps them)"
        )
        columns = {name: values[begin:] for name, values in columns.items()}
        v, i = columns["voltage"], columns["current"]
    named = voltage is not None and current is not None
    remarks += check_loops(v, i, where, "current" in told, "voltage" in told, named)
    odd = signs_of_current(v, i)
    if odd:
        remarks.append(odd)
        i = np.where(v == 0, i, np.abs(i) * np.sign(v))
    if loop is None and "loop" in columns and number_halves(v, columns["loop"]):
        remarks.append("the column of loops numbers halves of them: it is not used")
        del columns["loop"]
    numbered = loop_numbers(v, columns.get("loop"), where, partial)
    attrs: dict[str, Any] = {"title": f"Measured loops of {Path(path).name}", "path": where}
    attrs["loops"] = int(numbered.max())
    if attrs["loops"] > 1 and "loop" not in columns:
        remarks.append(f"{attrs['loops']} loops, told apart by the voltage")
    limits = _si(compliance, "A", "compliance")
    for name, limit in limits_of_loops(v, i, numbered, limits, where, remarks).items():
        attrs[f"compliance_{name}"] = limit
        remarks.append(f"{name} current limited at {format_si(limit, 'A', 3)}")
    moments, given_rate = columns.get("time"), _si(rate, "V/s", "rate")
    if moments is not None and given_rate is None:
        moments = joined_times(moments, remarks)
    times, sweep_rate = times_and_rate(v, numbered, moments, given_rate, where, remarks)
    if sweep_rate is not None:
        attrs["rate"] = sweep_rate
    attrs["remarks"] = "\n".join(remarks)
    variables = {
        "voltage": label(v, "sample", "V", "Applied voltage"),
        "current": label(i, "sample", "A", "Measured current"),
        "loop": label(numbered, "sample", "1", "Loop"),
    }
    if times is not None:
        variables["time"] = label(times, "sample", "s", "Time in the loop")
    return xr.Dataset(variables, attrs=attrs)


def _furthest(v: np.ndarray, like: np.ndarray | None = None) -> float:
    """The voltage furthest from 0; with ``like`` of the sign of its furthest."""
    if like is not None:
        v = v[np.sign(v) == np.sign(_furthest(like))]
    return float(v[np.argmax(np.abs(v))])


def _si(value: object, unit: str, name: str) -> float | None:
    if value is None:
        return None
    number = abs(to_si(value, unit, f"read_loop, {name}"))
    if not number > 0:
        raise InputError("must not be zero", f"read_loop, {name}")
    return number


def _role(name: str) -> str | None:
    """What a heading without its unit names."""
    plain = " ".join(name.lower().replace("_", " ").split())
    return next((role for role, names in _NAMES.items() if plain in names), None)


def _words(name: str) -> list[str]:
    """The words of a heading, those of "OuterVoltage" too."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|[_\W]+", " ", name).lower().split()


def _of_record(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Columns of a simulated loop, which is a measurement of another solver here."""
    ds = records.read(Path(path), "IVTrace")
    names = {"voltage": "voltage", "current": "current", "time": "time", "loop": "loop"}
    return {name: ds[source].values.astype(float) for name, source in names.items()}


def _of_table(
    table: Table, given: Mapping[str, str | int | None], units: dict[str, str]
) -> dict[str, np.ndarray]:
    for name in units:
        if name not in _UNITS:
            raise InputError(
                f"unknown column {shorten(name)}", "read_loop, units", closest(str(name), _UNITS)
            )
    chosen = {name: _column(table, name, key) for name, key in given.items()}
    if given["current"] is None:
        _refuse_side_by_side(table, chosen)
    columns = {}
    for name, column in chosen.items():
        if column is None:
            continue
        unit = units.get(name, column.unit)
        if LOGARITHM.search(column.heading or column.name):
            raise InputError(
                "holds logarithms", table.where(column), "Convert them to plain values first"
            )
        if name == "time" and given["time"] is None and _clock(column):
            table.assume(f"{column.title} holds times of a clock, which are not read")
            continue
        if not unit and _UNITS[name] != "1" and not has_units_in_cells(column):
            raise InputError(
                f"the {name} has no unit",
                table.where(column),
                f"Write it in the heading, '{name} ({_UNITS[name]})', or pass "
                f"units={{'{name}': '...'}}",
            )
        if name == "loop":
            unit = "1"
        columns[name] = numbers(table, column, _UNITS[name], unit)
        if name == "time" and given["time"] is None and not (np.diff(columns[name]) > 0).any():
            table.assume(f"{column.title} does not rise: it is no time")
            del columns[name]
    _note(table, chosen)
    taken = [f"{name} from {c.title}" for name, c in chosen.items() if c and name in columns]
    table.assume(", ".join(taken))
    return columns


def _note(table: Table, chosen: Mapping[str, Column | None]) -> None:
    """Say which columns have no part, and which of them tell loops apart."""
    unused = [c for c in table.columns if c not in chosen.values()]
    unused = [c for c in unused if not all(map(is_empty, c.cells))]
    if not unused:
        return
    titles = ", ".join(c.title for c in unused[:_SHOWN])
    table.assume(f"not used: {titles}" + (", ..." if len(unused) > _SHOWN else ""))
    for column in unused:
        cells = list(map(str, column.cells))
        changes = sum(a != b for a, b in pairwise(cells))
        # names and settings stay for many samples
        if 0 < changes == len(set(cells)) - 1 and changes < len(cells) // FEWEST:
            table.assume(
                f"{column.title} goes from {shorten(cells[0])} to {shorten(cells[-1])}: loops of "
                "several devices or conditions are taken together"
            )


def _clock(column: Column) -> bool:
    """Whether a column holds times of day or dates, "12:05:07"."""
    cell = next((str(c) for c in column.cells if c is not None), "")
    return not looks_numeric(cell) and bool(re.search(r"\d[:.-]\d\d[:.-]\d", cell))


def _column(table: Table, name: str, key: str | int | None) -> Column | None:
    """The column of a quantity; of time and loop None where there is none."""
    if key is not None:
        fits = [
            c
            for c in table.columns
            if (c.number == key if isinstance(key, int) else key in (c.name, split_unit(c.name)[0]))
        ]
    else:
        unit = _UNITS[name]
        measured = [
            c for c in table.columns if c.unit and unit != "1" and quantity_of(c.unit) == unit
        ]
        named = [c for c in table.columns if _role(split_unit(c.name)[0]) == name]
        # "T (K)" is no time
        named = [c for c in named if not c.unit or unit == "1" or c in measured]
        said = [c for c in table.columns if not c.unit and unit in "VA" and name in _words(c.name)]
        fits = named or measured or said
    if len(fits) == 1 or (fits and name == "voltage" and key is None and _agree(table, fits)):
        return fits[0]
    if not fits and key is None and name in ("time", "loop"):
        return None
    headings = ", ".join(c.title for c in table.columns[:8])
    what = f"no column of {name}" if not fits else f"{len(fits)} columns of {name}"
    raise InputError(
        f"has {what} among {headings}", table.path, f"Pass {name}=..., a heading or a number from 1"
    )


def _agree(table: Table, columns: list[Column]) -> bool:
    """Whether voltages with units, as set and as measured, agree within `_APART` of their span."""
    if not all(c.unit for c in columns):
        return False
    first, *others = (numbers(table, c, "V", c.unit) for c in columns)
    span = np.nanmax(first) - np.nanmin(first)
    apart = max(float(np.nanmax(np.abs(first - other))) for other in others)
    if not apart <= _APART * span:
        return False
    titles = ", ".join(c.title for c in columns[:_SHOWN])
    table.assume(f"{titles} agree within {100 * apart / span:.2g} %: the first is taken")
    return True


def _refuse_side_by_side(table: Table, chosen: Mapping[str, Column | None]) -> None:
    """Refuse loops in columns beside each other, of which the first alone would be taken.

    A second current of the other sign is the other electrode's, and no loop of its own.
    """
    first = chosen["current"]
    assert first is not None
    alike_names = rf"I[\s_]?\d+|{re.escape(re.sub(r'[(]\d+[)]$', '', first.name))}[(]\d+[)]"
    beside = [c for c in table.columns if c is not first and re.fullmatch(alike_names, c.name)]
    told = numbers(table, first, "A", first.unit or "A")
    alike = [
        c
        for c in beside
        if np.nanmean(np.sign(told) * np.sign(numbers(table, c, "A", c.unit or "A"))) > 0.5
    ]
    if alike:
        titles = ", ".join(c.title for c in [first, *alike][:4])
        raise InputError(
            f"{len(alike) + 1} columns hold a current: {titles}",
            table.path,
            "Pass current=... (and voltage=...) for one loop; put several below each other",
        )


def single_loops(ds: xr.Dataset) -> list[tuple[np.ndarray, np.ndarray]]:
    """Voltage [V] and current [A] of each loop, of a measured or a simulated record.

    Parameters
    ----------
    ds : xarray.Dataset
        What ``read_loop`` gives, or an ``IVTrace``.
    """
    number, v, i = (ds[name].values for name in ("loop", "voltage", "current"))
    return [(v[number == k], i[number == k]) for k in np.unique(number)]


def measured_band(measured: xr.Dataset) -> xr.Dataset:
    """Median and spread of measured loops; see `devicephys.measured.ramps.band_of`."""
    return band_of(single_loops(measured))


def misfit_rows(measured: xr.Dataset, runs: Mapping[str, xr.Dataset]) -> list[list[str]]:
    """Rows of a table: how far the first loop of each run is from the median of the measured ones.

    Parameters
    ----------
    measured : xarray.Dataset
        What ``read_loop`` gives.
    runs : mapping of str to xarray.Dataset
        Records of loops by the name of the run.

    Returns
    -------
    list of list of str
        Ramp, then for each run the root mean square of log10 of the current over the median, in
        decades; the last row is over all ramps.

    Raises
    ------
    InputError
        A record that is no loop.
    """
    band, found = measured_band(measured), []
    for name, ds in runs.items():
        if ds.attrs.get("schema") != "IVTrace" or not ds.attrs.get("loops", 0):
            raise InputError("is no current-voltage loop", name, "Name runs of 'ddk-device iv'")
        found.append(log_misfit(band, *single_loops(ds)[0]))
    rows = []
    for ramp in (*RAMPS, "all"):
        values = [misfit.get(ramp, float("nan")) for misfit in found]
        rows.append([ramp, *(f"{x:.3f}" if np.isfinite(x) else "–" for x in values)])
    return rows
