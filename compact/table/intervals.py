"""Profile-likelihood intervals of the trains of a table."""

from __future__ import annotations

import json

import numpy as np
import xarray as xr

from compact.fitting.fit import fit_many
from compact.fitting.profiles import profile_intervals
from compact.table.schema import POINT
from ddkbase.errors import InputError
from ddkbase.records import label

__all__ = ["intervals"]

_OF_FIT = ("method", "integrator", "loss", "window", "starts", "seed", "limit")


def intervals(ds: xr.Dataset, level: float = 0.95) -> xr.Dataset:
    """Intervals of alpha and beta of each train, the trains being fitted once more.

    Parameters
    ----------
    ds : xarray.Dataset
        Dataset of a table.
    level : float, default 0.95
        Level of the intervals, above 0 and below 1.

    Returns
    -------
    xarray.Dataset
        See `compact.AlphaBetaTable.intervals`.

    Raises
    ------
    InputError
        A table of another method than "better" with squared residuals, trains that were not
        fitted, or another level.
    """
    used = json.loads(str(ds.attrs["fit_json"]))
    reads = ds["conductance"].values
    flat = reads.reshape(-1, reads.shape[-1])
    there = np.flatnonzero(ds["valid"].values.ravel() & np.isfinite(flat).any(-1))
    if not there.size:
        raise InputError("no train was fitted", "table")
    fits = fit_many(
        flat[there],
        direction=ds["direction"].values.ravel()[there].astype(str).tolist(),
        normalised=str(ds["conductance_min"].attrs["units"]) == "1",
        mirror=bool(used.get("mirror", 0)),
        skip_missing=True,
        **{key: used[key] for key in _OF_FIT if key in used},
    )
    found = profile_intervals(fits, level=level)
    shape, every = ds["valid"].shape, int(used.get("thinned", 1))
    data = {}
    for name in ("lower", "upper", "lower_open", "upper_open"):
        values = found[name].values
        fill: float | bool = np.nan if values.dtype.kind == "f" else False
        out = np.full((int(np.prod(shape)), values.shape[1]), fill, dtype=values.dtype)
        out[there] = values / every if values.dtype.kind == "f" else values
        data[name] = label(
            out.reshape(*shape, -1), (*POINT, "parameter"), "1", found[name].attrs["long_name"]
        )
    coords = {name: ds[name] for name in POINT} | {"parameter": found["parameter"]}
    return xr.Dataset(data, coords, {"level": level})
