"""What a table holds at a glance: one list of entries, as numbers for scripts and texts for people.

All functions take the dataset of a table or its means: ``table.dataset``, ``table.means``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr

from compact.table.schema import AXES, UNITS, axis_text
from compact.table.statistics import misfit, misfit_text
from compact.table.trends import Trend
from ddkbase.units import format_si

__all__ = [
    "mean_entries",
    "mean_rows",
    "reasons",
    "setting_units",
    "table_entries",
    "texts",
    "trend_entries",
]

#: of the means: what a reader of numbers needs
_MEANS = ("alpha", "beta", "conductance_min", "conductance_max")
_BANDS = ("mean", "cycle", "device")
_ROWS = 60  # settings in the table of means for people


def setting_units(ds: xr.Dataset) -> dict[str, str]:
    """Unit symbols of the entries of this module: V, s, ohm, and S or 1 for conductances.

    Parameters
    ----------
    ds : xarray.Dataset
        Dataset of a table, or its means.
    """
    conductance = str(ds["conductance_min"].attrs["units"])
    return {**UNITS, "conductance_min": conductance, "conductance_max": conductance}


def table_entries(ds: xr.Dataset) -> dict[str, Any]:
    """What there is to know at a glance: how many trains, how they were fitted, the axes.

    Parameters
    ----------
    ds : xarray.Dataset
        Dataset of a table.

    Returns
    -------
    dict
        ``title``, the axes ``amplitude`` [V], ``width`` [s], ``initial_resistance`` [ohm] (NaN
        where not known), ``cycles``, ``devices``, ``trains``, ``valid``, ``determined``,
        ``method``, ``integrator``, ``window``, ``direction``, ``residual_median``,
        ``residual_largest`` and ``not_valid``, the reasons with how many trains each.
    """
    valid = ds["valid"].values
    computed = ds["reason"].values.astype(str) != "the point was not computed"
    residual = ds["residual"].values[valid]
    residual = residual[np.isfinite(residual)]  # NaN in a draw
    return {
        "title": str(ds.attrs["title"]),
        **{axis: ds[axis].values for axis in AXES},
        "cycles": ds.sizes["cycle"],
        "devices": ds.sizes["device"],
        "trains": int(computed.sum()),
        "valid": int(valid.sum()),
        "determined": int(ds["determined"].values[valid].sum()),
        **{key: ds.attrs.get(key) for key in ("method", "integrator", "window", "direction")},
        "residual_median": float(np.median(residual)) if residual.size else None,
        "residual_largest": float(residual.max()) if residual.size else None,
        "not_valid": [{"reason": text, "trains": count} for text, count in reasons(ds)],
    }


def texts(ds: xr.Dataset) -> dict[str, str]:
    """The `table_entries` as texts with units, and how far the reads lie from their curves."""
    of = table_entries(ds)
    out = {"title": of["title"]}
    for axis in AXES:
        values = [format_si(v, UNITS[axis]) for v in of[axis] if np.isfinite(v)]
        if len(values) > 6:
            values = [f"{len(values)} from {values[0]} to {values[-1]}"]
        out[axis_text(axis)] = ", ".join(values) or "not known"
    out |= {"cycles": str(of["cycles"]), "devices": str(of["devices"])}
    out["valid"] = f"{of['valid']} of {of['trains']} trains"
    if of["trains"] < ds["valid"].size:
        out["valid"] += f" ({ds['valid'].size - of['trains']} not computed)"
    out["alpha and beta both determined"] = f"{of['determined']} of {of['valid']}"
    out["fit"] = (
        f"method {of['method']}, {of['integrator']} integrator, "
        f"window {of['window'] or '?'}, direction {of['direction']}"
    )
    if of["residual_median"] is not None:
        out["residual R"] = (
            f"median {of['residual_median']:.3g}, largest {of['residual_largest']:.3g}"
        )
        out["misfit"] = misfit_text(misfit(ds)[ds["valid"].values])
    return out


def reasons(ds: xr.Dataset) -> list[tuple[str, int]]:
    """Why trains are not valid, and how many each, the most frequent first."""
    reason, count = np.unique(
        ds["reason"].values[~ds["valid"].values].astype(str), return_counts=True
    )
    return sorted(zip(reason.tolist(), count.tolist(), strict=True), key=lambda p: -p[1])


def mean_entries(means: xr.Dataset) -> list[dict[str, Any]]:
    """One mapping for each setting: where it is, how many valid trains, means, 95 % bands.

    Parameters
    ----------
    means : xarray.Dataset
        Means of a table.
    """
    out = []
    for at in np.ndindex(*means["alpha"].shape):
        entry: dict[str, Any] = {
            axis: means[axis].values[i] for axis, i in zip(AXES, at, strict=True)
        }
        entry["trains"] = int(means["count"].values[at])
        for name in _MEANS:
            entry[name] = float(means[name].values[at])
        for name in _MEANS[:2]:
            for band in _BANDS:
                entry[f"{name}_{band}_band"] = float(means[f"{name}_{band}_band"].values[at])
        out.append(entry)
    return out


def mean_rows(means: xr.Dataset) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of texts of the first sixty `mean_entries`, for people.

    Bands that nothing has are left out: those of cycles or devices if there is one of them only.

    Parameters
    ----------
    means : xarray.Dataset
        Means of a table.

    Returns
    -------
    tuple of (list of str, list of list of str)
        Headings, and a row for each setting.
    """
    relative = means["conductance_min"].attrs["units"] == "1"
    factor, unit = (1.0, "") if relative else (1e6, " (uS)")
    columns = {axis: axis_text(axis) for axis in AXES} | {"trains": "valid"}
    for name in _MEANS[:2]:
        columns[name] = name
        columns |= {f"{name}_{band}_band": f"+- {band}" for band in _BANDS}
    columns |= {"conductance_min": f"G_min{unit}", "conductance_max": f"G_max{unit}"}
    rows = []
    for entry in mean_entries(means)[:_ROWS]:
        row = []
        for key in columns:
            value = entry[key]
            if key in UNITS:
                row.append(format_si(value, UNITS[key]) if np.isfinite(value) else "?")
            elif key == "trains":
                row.append(str(value))
            else:
                row.append(_number(value * factor if key in _MEANS[2:] else value))
        rows.append(row)
    heads = list(columns.values())
    shown = [k for k, h in enumerate(heads) if h[:2] != "+-" or any(row[k] != "–" for row in rows)]
    return [heads[k] for k in shown], [[row[k] for k in shown] for row in rows]


def _number(value: float) -> str:
    return f"{value:.3g}" if np.isfinite(value) else "–"


def trend_entries(trends: Iterable[Trend]) -> list[dict[str, Any]]:
    """The article's statements: axis, claim, whether it holds (None: cannot be said), slope.

    Parameters
    ----------
    trends : iterable of Trend
        As `compact.AlphaBetaTable.trends` returns them.
    """
    return [
        {**dataclasses.asdict(trend), "slope_unit": trend.unit, "verdict": trend.verdict}
        for trend in trends
    ]
