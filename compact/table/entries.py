"""What a table holds as names and numbers, for scripts."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from compact.table.schema import AXES, UNITS
from compact.table.table import AlphaBetaTable

__all__ = ["mean_entries", "setting_units", "table_entries", "trend_entries"]

#: of the means: what a reader of numbers needs, without the bands of cycles and devices
_MEANS = ("alpha", "beta", "conductance_min", "conductance_max")


def setting_units(table: AlphaBetaTable) -> dict[str, str]:
    """Unit symbols of the entries of this module: V, s, ohm, and S or 1 for conductances."""
    conductance = str(table.dataset["conductance_min"].attrs["units"])
    return {**UNITS, "conductance_min": conductance, "conductance_max": conductance}


def table_entries(table: AlphaBetaTable) -> dict[str, Any]:
    """What there is to know at a glance: how many trains, how they were fitted, the axes.

    Returns
    -------
    dict
        ``title``, the axes ``amplitude`` [V], ``width`` [s], ``initial_resistance`` [ohm] (NaN
        where not known), ``cycles``, ``devices``, ``trains``, ``valid``, ``determined``,
        ``method``, ``integrator``, ``window``, ``direction``, ``residual_median``,
        ``residual_largest`` and ``not_valid``, the reasons with how many trains each.
    """
    ds = table.dataset
    valid = ds["valid"].values
    computed = ds["reason"].values.astype(str) != "the point was not computed"
    residual = ds["residual"].values[valid]
    known = residual[np.isfinite(residual)]
    return {
        "title": str(ds.attrs["title"]),
        **{axis: ds[axis].values for axis in AXES},
        "cycles": ds.sizes["cycle"],
        "devices": ds.sizes["device"],
        "trains": int(computed.sum()),
        "valid": int(valid.sum()),
        "determined": int(ds["determined"].values[valid].sum()),
        **{key: ds.attrs.get(key) for key in ("method", "integrator", "window", "direction")},
        "residual_median": float(np.median(known)) if known.size else None,
        "residual_largest": float(known.max()) if known.size else None,
        "not_valid": [{"reason": text, "trains": count} for text, count in table.reasons()],
    }


def mean_entries(table: AlphaBetaTable) -> list[dict[str, Any]]:
    """One mapping for each setting: where it is, how many valid trains, means, 95 % bands."""
    means = table.means
    found = []
    for at in np.ndindex(*means["alpha"].shape):
        one: dict[str, Any] = {
            axis: means[axis].values[i] for axis, i in zip(AXES, at, strict=True)
        }
        one["trains"] = int(means["count"].values[at])
        for name in _MEANS:
            one[name] = float(means[name].values[at])
        for name in _MEANS[:2]:
            for band in ("mean", "cycle", "device"):
                one[f"{name}_{band}_band"] = float(means[f"{name}_{band}_band"].values[at])
        found.append(one)
    return found


def trend_entries(table: AlphaBetaTable) -> list[dict[str, Any]]:
    """The article's statements: axis, claim, whether it holds (None: cannot be said), slope."""
    return [
        {**dataclasses.asdict(trend), "slope_unit": trend.unit, "verdict": trend.verdict}
        for trend in table.trends()
    ]
