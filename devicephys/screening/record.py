"""The record of a screening, ``Screening`` version 1, and its tables."""

from __future__ import annotations

import csv
import datetime
import io
import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from ddkbase.cli.output import plain
from ddkbase.schemas import ANYWHERE, INT, NEVER, TEXT, Schema, VariableSpec, label, labelled
from devicephys.installation import versions
from devicephys.parameter_sweep.record import FAILED, MISSING, figure_names
from devicephys.run.figure import Table
from devicephys.screening.description import Screening
from devicephys.screening.morris import STATISTICS, effect_statistics, effects_of

__all__ = [
    "SCREENING",
    "by_importance",
    "direction",
    "figure_label",
    "main_figures",
    "screening_csv",
    "screening_dataset",
    "screening_entries",
    "screening_tables",
    "shown_unit",
]

_LOGARITHM = "log10"
#: of loops, what a table and the picture show
_OF_LOOPS = (
    "reset_onset_voltage",
    "set_voltage",
    "temperature_reset_edge",
    "low_resistance_before",
    "high_resistance",
    "low_resistance_after",
)
#: figures without a unit that change by factors, as resistances do
_RATIOS = ("resistance_ratio", "return_ratio")
_ONE_WAY = 0.9  # share of mu* from which on the effects are said to have one direction
_COLUMNS = 3  # figures beside each other in a printed table


def _check(ds: xr.Dataset) -> str | None:
    names = [str(name) for name in ds["statistic"].values]
    return None if names == list(STATISTICS) else f"'statistic' is {names}"


SCREENING = Schema(
    name="Screening",
    version=1,
    variables={
        "effects": VariableSpec(
            ("figure", "parameter"), "1", INT, NEVER, "Elementary effects that are there"
        ),
        "range": VariableSpec(("parameter",), "1", TEXT, NEVER, "Range of the parameter"),
        "point": VariableSpec(
            ("trajectory", "stop"), "1", INT, NEVER, "Point of the sweep at each stop, from 0"
        ),
        "moved": VariableSpec(
            ("trajectory", "move"), "1", INT, NEVER, "Parameter that the next step moves, from 0"
        ),
        "parameter": VariableSpec(("parameter",), "1", TEXT, NEVER, "Dotted path"),
        "figure": VariableSpec(("figure",), "1", TEXT, NEVER, "Key of the figure of merit"),
        "statistic": VariableSpec(("statistic",), "1", TEXT, NEVER, "Statistic of the effects"),
    },
    attrs=(
        *("title", "device_yaml", "created", "run", "complete"),
        *("points", "points_failed", "points_missing"),
    ),
    json_attrs=("screening_json", "settings_json", "versions_json"),
    check=_check,
    others=ANYWHERE,
)


def screening_dataset(screening: Screening, sweep: xr.Dataset) -> xr.Dataset:
    """The record of a screening.

    Returns
    -------
    xarray.Dataset
        A Screening v1: for each figure of merit a variable on (statistic, parameter) under its
        key, in its own unit; of resistances and their ratios the unit is decades.
    """
    keys = list(screening.intervals)
    figures = figure_names(sweep)
    variables: dict[str, xr.Variable] = {}
    counts = np.zeros((len(figures), len(keys)), dtype=int)
    for row, name in enumerate(figures):
        array = sweep[name]
        unit, long_name = str(array.attrs["units"]), str(array.attrs["long_name"])
        values = array.values.astype(float)
        scale = "linear"
        if unit in ("ohm", "S") or name in _RATIOS:
            values = np.log10(np.where(values > 0, values, math.nan))
            scale, unit, long_name = _LOGARITHM, "1", f"{long_name} (decades)"
        effects = effects_of(values[screening.stops], screening.trajectories)
        statistics = effect_statistics(effects)
        counts[row] = statistics["count"]
        rows = np.array([statistics[statistic] for statistic in STATISTICS])
        variables[name] = label(rows, ("statistic", "parameter"), unit, long_name)
        variables[name].attrs["scale"] = scale
    status = [str(s) for s in sweep["status"].values]
    arrays = {
        "effects": counts,
        "range": [interval.text for interval in screening.intervals.values()],
        "point": screening.stops,
        "moved": screening.trajectories.moved,
    }
    texts = {"parameter": keys, "figure": figures, "statistic": list(STATISTICS)}
    coords = labelled(SCREENING, texts)
    attrs = {
        "schema": SCREENING.name,
        "schema_version": SCREENING.version,
        "title": f"What moves the {screening.sweep.run} of {screening.sweep.device.name}",
        **{key: sweep.attrs[key] for key in ("device_yaml", "run", "complete", "settings_json")},
        "points": len(status),
        "points_failed": status.count(FAILED),
        "points_missing": status.count(MISSING),
        "screening_json": json.dumps(screening.asked()),
        "versions_json": json.dumps(versions()),
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    return xr.Dataset({**labelled(SCREENING, arrays), **variables}, coords, attrs)


def main_figures(ds: xr.Dataset) -> list[str]:
    """The figures of merit that a table and the picture show.

    Of loops they are six; of other runs all that any parameter moves, not the number of pulses.
    """
    names = [str(name) for name in ds["figure"].values]
    main = [name for name in _OF_LOOPS if name in names]
    if ds.attrs["run"] == "loops" and main:
        return main
    largest = {name: np.nanmax(ds[name].values[0], initial=0.0) for name in names}
    return [name for name in names if largest[name] > 0]


def by_importance(ds: xr.Dataset, figures: Sequence[str]) -> list[int]:
    """Numbers of the parameters, first the one that matters most for any of the figures."""
    largest = np.zeros(ds.sizes["parameter"])
    for name in figures:
        sizes = np.nan_to_num(ds[name].sel(statistic="mu_star").values)
        if sizes.max(initial=0.0) > 0:
            largest += sizes / sizes.max()
    return [int(k) for k in np.argsort(-largest, kind="stable")]


def screening_entries(ds: xr.Dataset) -> list[dict[str, Any]]:
    """The statistics of a Screening for scripts, in SI units, and decades of resistances.

    Parameters
    ----------
    ds : xarray.Dataset
        A Screening v1.

    Returns
    -------
    list of dict
        For each figure and parameter ``figure``, ``parameter``, ``range``, ``unit``, ``scale``,
        the statistics, ``effects`` (how many there are) and ``trajectories``.
    """
    entries = []
    for row, figure in enumerate(str(name) for name in ds["figure"].values):
        array = ds[figure]
        for k, parameter in enumerate(str(name) for name in ds["parameter"].values):
            numbers = {s: plain(array.values[j, k]) for j, s in enumerate(STATISTICS)}
            entries.append(
                {
                    "figure": figure,
                    "parameter": parameter,
                    "range": str(ds["range"].values[k]),
                    "unit": str(array.attrs["units"]),
                    "scale": str(array.attrs["scale"]),
                    **numbers,
                    "effects": int(ds["effects"].values[row, k]),
                    "trajectories": ds.sizes["trajectory"],
                }
            )
    return entries


def screening_csv(ds: xr.Dataset) -> str:
    """A Screening as CSV, one line for each figure and parameter; empty where nothing is."""
    text = io.StringIO()
    heads = ("figure", "parameter", "range", "unit", "scale", *STATISTICS)
    writer = csv.DictWriter(text, (*heads, "effects", "trajectories"), lineterminator="\n")
    writer.writeheader()
    for entry in screening_entries(ds):
        writer.writerow({name: _cell(value) for name, value in entry.items()})
    return text.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:.9g}" if math.isfinite(value) else ""
    return "" if value is None else value


def screening_tables(ds: xr.Dataset) -> list[Table]:
    """A Screening for people: the ranges; mu* with its standard error, a row for each parameter.

    mu* has a minus sign where the parameter lowers the figure and stands between bars where it does
    either; "(of 5)" says that only five effects are there.

    Parameters
    ----------
    ds : xarray.Dataset
        A Screening v1.

    Returns
    -------
    list of Table
        The ranges, then three figures each, the parameters in the order of `by_importance`.
    """
    shown = main_figures(ds)
    order = by_importance(ds, shown)
    ranges = [[str(ds[name].values[k]) for name in ("parameter", "range")] for k in order]
    tables = [Table(("Parameter", "Range"), ranges)]
    return tables + [
        _table(ds, shown[k : k + _COLUMNS], order) for k in range(0, len(shown), _COLUMNS)
    ]


def _table(ds: xr.Dataset, figures: Sequence[str], order: Sequence[int]) -> Table:
    columns = [_column(ds, name) for name in figures]
    rows = [[str(ds["parameter"].values[k]), *(column[k] for column in columns)] for k in order]
    heads = ("Parameter", *(figure_label(ds[name]) for name in figures))
    return Table(heads, rows, range(1, len(heads)))


def _column(ds: xr.Dataset, name: str) -> list[str]:
    """Of each parameter mu* with its error and direction, and how many effects if not all."""
    factor, _ = shown_unit(ds[name])
    rows = dict(zip(STATISTICS, factor * ds[name].values, strict=True))
    largest = float(np.nanmax(rows["mu_star"], initial=0.0))
    # a thousandth of the largest effect is not worth a digit
    finest = max(0, 2 - math.floor(math.log10(largest))) if largest > 0 else 0
    count = ds["effects"].sel(figure=name).values
    texts = []
    for k in range(ds.sizes["parameter"]):
        mu_star, error, mu = (float(rows[key][k]) for key in ("mu_star", "mu_star_error", "mu"))
        if not math.isfinite(mu_star):
            texts.append("–")
            continue
        digits = finest
        if error > 0:
            digits = min(finest, max(0, 1 - math.floor(math.log10(error))))
        text = f"{mu_star:.{digits}f}"
        if float(text) > 0:
            way = direction(mu, mu_star)
            text = {1: text, -1: f"-{text}", 0: f"|{text}|"}[way]
        if math.isfinite(error):
            text += f" ± {error:.{digits}f}"
        whole = int(count[k]) == ds.sizes["trajectory"]
        texts.append(text if whole else f"{text} (of {int(count[k])})")
    return texts


_UNITS = {
    "V": (1e3, "mV"),
    "m": (1e9, "nm"),
    "A": (1e6, "µA"),
    "V/m": (1e-9, "V/nm"),
    "J": (1e9, "nJ"),
}


def shown_unit(array: xr.DataArray) -> tuple[float, str]:
    """Factor and unit in which people are shown the effects on a figure; "" of a pure number."""
    unit = str(array.attrs["units"])
    return _UNITS.get(unit, (1.0, "" if unit == "1" else unit))


def figure_label(array: xr.DataArray) -> str:
    """Name of a figure with the unit of `shown_unit`, e.g. "SET (mV)"."""
    unit = shown_unit(array)[1]
    return f"{array.attrs['long_name']}" + (f" ({unit})" if unit else "")


def direction(mu: float, mu_star: float) -> int:
    """1 or -1 if a parameter raises or lowers a figure nearly everywhere, 0 if neither."""
    return int(np.sign(mu)) if abs(mu) > _ONE_WAY * mu_star else 0
