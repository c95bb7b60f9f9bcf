"""The record of a parameter sweep, ``ParameterSweep`` version 1, and its tables."""

from __future__ import annotations

import csv
import datetime
import io
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from ddkbase.cli.output import plain
from ddkbase.schemas import ANYWHERE, NEVER, TEXT, Schema, VariableSpec, label, labelled
from ddkbase.units import format_si
from devicephys.installation import versions
from devicephys.parameter_sweep.description import ParameterSweep
from devicephys.run.figure import Table, celsius
from devicephys.run.figures import figures_of

__all__ = [
    "DONE",
    "FAILED",
    "MISSING",
    "PARAMETER_SWEEP",
    "axis_names",
    "figure_names",
    "figures_at",
    "sweep_csv",
    "sweep_dataset",
    "sweep_entries",
    "sweep_tables",
]

DONE, FAILED, MISSING = "done", "failed", "missing"
_POINT = ("point",)
_COLUMNS = 8  # points beside each other in a printed table
_OF_THE_MESH = ("localisation_cells",)


def _check(ds: xr.Dataset) -> str | None:
    strange = {str(s) for s in ds["status"].values} - {DONE, FAILED, MISSING}
    return f"'status' is {strange.pop()}" if strange else None


PARAMETER_SWEEP = Schema(
    name="ParameterSweep",
    version=1,
    variables={
        "status": VariableSpec(_POINT, "1", TEXT, NEVER, "Done, failed or missing"),
        "reason": VariableSpec(_POINT, "1", TEXT, NEVER, "Why a point has failed"),
        "folder": VariableSpec(_POINT, "1", TEXT, NEVER, "Folder of the run"),
    },
    attrs=("title", "device_yaml", "created", "run", "complete"),
    json_attrs=("sweep_json", "settings_json", "versions_json"),
    check=_check,
    others=ANYWHERE,
)

#: name, unit and value of each figure of one run, by its key
PointFigures = dict[str, tuple[str, str, float]]


def figures_at(ds: xr.Dataset) -> PointFigures:
    """The figures of merit of the record of one run that are numbers.

    Returns
    -------
    dict
        Name for people, SI unit ("1" for a pure number) and value by key; NaN for what the run
        did not reach.
    """
    figures: PointFigures = {}
    for figure in figures_of(ds):
        if figure.numerical:
            continue
        numbers = {
            key: math.nan if value is None else float(value)
            for key, value in figure.values.items()
            if (value is None or (isinstance(value, int | float) and not isinstance(value, bool)))
            and key not in _OF_THE_MESH
        }
        for key, value in numbers.items():
            plain = key.replace("_", " ").capitalize()
            name = figure.name if figure.name and len(numbers) == 1 else plain
            number = value if math.isfinite(value) else math.nan
            figures[key] = name, figure.units.get(key, "1"), number
    return figures


def sweep_dataset(
    plan: ParameterSweep, figures: Mapping[str, PointFigures], failed: Mapping[str, str]
) -> xr.Dataset:
    """The record of a sweep.

    Parameters
    ----------
    plan : ParameterSweep
        The sweep.
    figures : mapping of str to dict
        Of each point that is done, by its name, what `figures_at` gives.
    failed : mapping of str to str
        Why the points of these names have failed.

    Returns
    -------
    xarray.Dataset
        A ParameterSweep v1: a variable for each figure on ``point``, and a coordinate for each
        key that varies, under its dotted path.
    """
    names = [point.name for point in plan.points]
    status = [DONE if n in figures else FAILED if n in failed else MISSING for n in names]
    arrays = {
        "status": status,
        "reason": [failed.get(n, "") if n not in figures else "" for n in names],
        "folder": [f"runs/{n}" for n in names],
    }
    variables = labelled(PARAMETER_SWEEP, arrays)
    kinds = {key: kind for point in figures.values() for key, kind in point.items()}
    for key, (name, unit, _) in kinds.items():
        values = [figures.get(n, {}).get(key, ("", "", math.nan))[2] for n in names]
        if np.isfinite(values).any():
            variables[key] = label(np.array(values, dtype=float), _POINT, unit, name)
    coords = {}
    for k, axis in enumerate(plan.axes):
        column = [point.values[k] for point in plan.points]
        text = any(isinstance(value, str) for value in column)
        values_ = np.array([str(v) for v in column], dtype=object) if text else np.array(column)
        coords[axis.key] = label(values_, _POINT, axis.unit or "1", axis.key)
    attrs = {
        "schema": PARAMETER_SWEEP.name,
        "schema_version": PARAMETER_SWEEP.version,
        "title": f"{plan.run.capitalize()} of {plan.device.name} over {', '.join(coords)}",
        "device_yaml": plan.device.to_yaml(),
        "run": plan.run,
        "sweep_json": json.dumps(plan.asked()),
        "settings_json": json.dumps(plan.points[0].request.settings.to_dict()),
        "versions_json": json.dumps(versions()),
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "complete": int(MISSING not in status),
    }
    return xr.Dataset(variables, coords, attrs)


def axis_names(ds: xr.Dataset) -> list[str]:
    """The keys that vary in a ParameterSweep."""
    return [str(name) for name in ds.coords]


def figure_names(ds: xr.Dataset) -> list[str]:
    """The figures of merit of a ParameterSweep, by key."""
    return [str(name) for name in ds.data_vars if name not in PARAMETER_SWEEP.variables]


def sweep_entries(ds: xr.Dataset) -> list[dict[str, Any]]:
    """The points of a ParameterSweep for scripts, in SI units.

    Parameters
    ----------
    ds : xarray.Dataset
        A ParameterSweep v1.

    Returns
    -------
    list of dict
        For each point the value of each key and figure, ``status``, ``reason`` and ``folder``.
    """
    names = [*axis_names(ds), *figure_names(ds), *PARAMETER_SWEEP.variables]
    return [{name: plain(ds[name].values[k]) for name in names} for k in range(ds.sizes["point"])]


def sweep_csv(ds: xr.Dataset) -> str:
    """A ParameterSweep as CSV in SI units, one line for each point; empty where nothing is."""
    names = [*axis_names(ds), *figure_names(ds)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    units = [str(ds[name].attrs["units"]) for name in names]
    heads = [n if u == "1" else f"{n} [{u}]" for n, u in zip(names, units, strict=True)]
    writer.writerow([*heads, *PARAMETER_SWEEP.variables])
    for k in range(ds.sizes["point"]):
        row = [_cell(ds[name].values[k]) for name in names]
        writer.writerow([*row, *(str(ds[name].values[k]) for name in PARAMETER_SWEEP.variables)])
    return text.getvalue()


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    return f"{float(value):.9g}" if math.isfinite(float(value)) else ""


def sweep_tables(ds: xr.Dataset) -> list[Table]:
    """A ParameterSweep for people: a column for each point, a row for each figure.

    Parameters
    ----------
    ds : xarray.Dataset
        A ParameterSweep v1.

    Returns
    -------
    list of Table
        Eight points each.
    """
    count = ds.sizes["point"]
    return [_table(ds, range(k, min(k + _COLUMNS, count))) for k in range(0, count, _COLUMNS)]


def _table(ds: xr.Dataset, points: Sequence[int]) -> Table:
    first, *others = axis_names(ds)
    rows = [[name, *(_text(ds[name], k) for k in points)] for name in others]
    if set(ds["status"].values) != {DONE}:
        rows.append(["status", *(str(ds["status"].values[k]) for k in points)])
    for name in figure_names(ds):
        long_name = str(ds[name].attrs["long_name"])
        rows.append([long_name, *(_text(ds[name], k) for k in points)])
    notes = [
        f"{', '.join(_text(ds[name], k) for name in (first, *others))}: {ds['reason'].values[k]}"
        for k in points
        if str(ds["status"].values[k]) == FAILED
    ]
    heads = (first, *(_text(ds[first], k) for k in points))
    return Table(heads, rows, range(1, len(heads)), notes)


def _text(array: xr.DataArray, k: int) -> str:
    """One value with its unit, as people read it."""
    value, unit = array.values[k], str(array.attrs["units"])
    if isinstance(value, str):
        return value
    if not math.isfinite(value):
        return "–"
    if unit == "V":  # a row of millivolts and volts is hard to read
        # a span has no sign
        return f"{value:{'+' if str(array.name).endswith('_voltage') else ''}.3f} V"
    if unit == "V/m":  # as the table of a single run has it
        return f"{1e-9 * value:.3g} V/nm"
    return celsius(float(value)) if unit == "K" else format_si(float(value), unit)
