"""What a table holds at a glance: one list of entries, as numbers for scripts and texts for people.

All functions take the dataset of a table or its means: ``table.dataset``, ``table.means``.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr

from compact.table.schema import AXES, UNITS, axis_text
from compact.table.statistics import misfit, misfit_text
from compact.table.trends import Trend
from ddkbase.units import format_si

#: of the means: what a reader of numbers needs
_MEANS = ("alpha", "beta", "conductance_min", "conductance_max")
_NONE = 1e-6  # of the upper end of a window: a lower end below that is zero
_BANDS = ("mean", "cycle", "device")
_TRAINS = 200  # trains in the table of intervals for people
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
        ``residual_largest``, ``not_valid``, the reasons with how many trains each, and
        ``not_determined``, likewise.
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
        "not_determined": [{"note": text, "trains": count} for text, count in notes(ds)],
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
    every = int(json.loads(str(ds.attrs["fit_json"])).get("thinned", 1))
    if every > 1:
        out["fit"] += f", every {every}th read"
    if of["residual_median"] is not None:
        out["residual R"] = (
            f"median {of['residual_median']:.3g}, largest {of['residual_largest']:.3g}"
        )
        out["misfit"] = misfit_text(misfit(ds)[ds["valid"].values])
    return out


def reasons(ds: xr.Dataset) -> list[tuple[str, int]]:
    """Why trains are not valid, and how many each, the most frequent first."""
    return _counted(ds["reason"].values[~ds["valid"].values])


def notes(ds: xr.Dataset) -> list[tuple[str, int]]:
    """Why valid trains do not determine alpha and beta, and how many each, the most frequent
    first."""
    of_valid = ds["note"].values[ds["valid"].values].astype(str)
    return _counted(of_valid[of_valid != ""])


def _counted(texts: np.ndarray) -> list[tuple[str, int]]:
    text, count = np.unique(texts.astype(str), return_counts=True)
    return sorted(zip(text.tolist(), count.tolist(), strict=True), key=lambda p: -p[1])


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
            elif key in _MEANS[2:]:
                # a window that reaches to its bound is one to zero
                empty = abs(value) < _NONE * abs(entry["conductance_max"])
                row.append(_number(0.0 if empty else value * factor))
            else:
                row.append(_number(value))
        rows.append(row)
    heads = list(columns.values())
    shown = [k for k, h in enumerate(heads) if h[:2] != "+-" or any(row[k] != "–" for row in rows)]
    return [heads[k] for k in shown], [[row[k] for k in shown] for row in rows]


def interval_rows(
    ds: xr.Dataset, found: xr.Dataset
) -> tuple[list[str], list[list[str]], list[dict[str, Any]]]:
    """Alpha and beta of each valid train with their intervals: headings, rows, entries.

    Parameters
    ----------
    ds : xarray.Dataset
        Dataset of a table.
    found : xarray.Dataset
        Its `compact.AlphaBetaTable.intervals`.

    Returns
    -------
    tuple of (list of str, list of list of str, list of dict)
        Headings and rows for people, at most two hundred; and all trains as numbers.
    """
    axes = [a for a in (*AXES, "cycle", "device") if ds.sizes[a] > 1] or ["cycle"]
    rows, entries = [], []
    for at in np.argwhere(ds["valid"].values):
        place = dict(zip((*AXES, "cycle", "device"), at.tolist(), strict=True))
        entry: dict[str, Any] = {a: ds[a].values[place[a]].item() for a in place}
        row = [format_si(entry[a], UNITS[a]) if a in UNITS else str(entry[a]) for a in axes]
        for name in _MEANS[:2]:
            one = found.isel(place).sel(parameter=name)
            value = float(ds[name].isel(place))
            lower, upper = float(one["lower"]), float(one["upper"])
            bounded = bool(one["lower_open"]), bool(one["upper_open"])
            entry |= {name: value, f"{name}_lower": lower, f"{name}_upper": upper}
            entry |= {f"{name}_lower_open": bounded[0], f"{name}_upper_open": bounded[1]}
            ends = [
                f"{v:.3g}" + " (bound)" * b for v, b in zip((lower, upper), bounded, strict=True)
            ]
            row += [f"{value:.4g}", " to ".join(ends)]
        note = str(ds["note"].isel(place).item())
        rows.append([*row, note])
        entries.append({**entry, "note": note})
    heads = [*(axis_text(a) for a in axes), "alpha", "interval", "beta", "interval", "note"]
    return heads, rows[:_TRAINS], entries


def update_rows(ds: xr.Dataset) -> tuple[list[list[str]], list[dict[str, Any]]]:
    """Alpha and beta of each setting of single pulses, as texts and as numbers.

    Parameters
    ----------
    ds : xarray.Dataset
        Dataset of `compact.fit_updates`.

    Returns
    -------
    tuple of (list of list of str, list of dict)
        Rows (amplitude, width, pulses, direction, alpha, its error, beta, its error, explained
        share in %, note) and entries of the settings that have pulses.
    """
    rows, entries = [], []
    for i, j in np.argwhere(ds["count"].values > 0).tolist():
        one = ds.isel(amplitude=i, width=j)
        entry = {name: one[name].item() for name in ("amplitude", "width", "count", "direction")}
        for name in ("alpha", "alpha_stderr", "beta", "beta_stderr", "explained", "note"):
            entry[name] = one[name].item()
        settings = [
            format_si(entry[a], UNITS[a]) if np.isfinite(entry[a]) else "?" for a in AXES[:2]
        ]
        numbers = [_number(entry[n]) for n in ("alpha", "alpha_stderr", "beta", "beta_stderr")]
        explained = _number(100 * entry["explained"])
        rows.append(
            [*settings, str(entry["count"]), entry["direction"], *numbers, explained, entry["note"]]
        )
        entries.append(entry)
    return rows, entries


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
