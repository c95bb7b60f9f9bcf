"""Cells drawn from a table: a cycle, a device, or both, with the correlations that were measured.

A cycle of a device is one cell at all settings, so its deviations from the mean are correlated
over settings as well as between alpha, beta and the window. A draw is the mean plus a random
combination of the measured deviations with normal weights: its covariances over everything are
those of the sample, without a matrix of them. Nothing is drawn below 0.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from compact.table.schema import VALUES
from ddkbase.errors import InputError

__all__ = ["KINDS", "deviations", "drawn"]

KINDS = ("cycle", "device", "cell")


def deviations(ds: xr.Dataset, kind: str) -> np.ndarray:
    """Deviations (draws, settings, 4) of cycles from their device's mean, or of devices' means
    from the mean of all, scaled so that the sum of squares over draws is the variance.

    Settings at which no entry is valid are NaN. Cells that are not valid at all the others are
    left out.

    Raises
    ------
    InputError
        Fewer than two cycles or devices.
    """
    values = np.stack([np.where(ds["valid"].values, ds[n].values, np.nan) for n in VALUES], -1)
    values = values.reshape(-1, *values.shape[3:])  # (settings, cycle, device, 4)
    settings = np.isfinite(values).all(-1).any((1, 2))
    if not settings.any():
        raise InputError("the table has no valid entry", "table")
    whole = np.isfinite(values[settings]).all((0, 3))  # (cycle, device)
    count = whole.sum(0)
    inner = np.where(whole[None, :, :, None], values, 0.0)
    with np.errstate(all="ignore"):
        means = inner.sum(1) / count[None, :, None]  # (settings, device, 4)
    if kind == "cycle":
        freedom = int((count[count > 0] - 1).sum())
        off = (inner - means[:, None]).transpose(1, 2, 0, 3)[whole]
    else:
        freedom = int((count > 0).sum()) - 1
        devices = means[:, count > 0]
        off = (devices - devices.mean(1, keepdims=True)).transpose(1, 0, 2)
    if freedom < 1:
        raise InputError(
            f"fewer than two {kind}s are valid at all settings", "table", "Nothing can be drawn"
        )
    # now the sum of outer products over draws is the covariance, with its degrees of freedom
    off = off / np.sqrt(freedom)
    off[:, ~settings] = np.nan
    return np.asarray(off)


def drawn(ds: xr.Dataset, means: xr.Dataset, rng: np.random.Generator, kind: str) -> np.ndarray:
    """One draw of alpha, beta, conductance_min, conductance_max, (amplitude, width,
    initial_resistance, 4).

    ``kind``: "cycle", a cycle of the average device; "device", the mean of a device (with few
    cycles a device this holds part of the scatter of cycles); "cell", a cycle of a drawn device.

    Raises
    ------
    InputError
        Another kind, or too few of it.
    """
    if kind not in KINDS:
        raise InputError(f"unknown kind '{kind}'", "kind", f"Use {', '.join(KINDS)}")
    if not isinstance(rng, np.random.Generator):
        raise InputError("is no generator of random numbers", "rng", "numpy.random.default_rng(1)")
    shape = ds["alpha"].shape[:3]
    mean = np.stack([means[n].values for n in VALUES], -1)
    for level in ("device", "cycle") if kind == "cell" else (kind,):
        off = deviations(ds, level)
        # a normal combination of the deviations: its covariance is theirs, over all settings
        weights = rng.standard_normal(len(off))
        mean = mean + np.tensordot(weights, off, 1).reshape(*shape, len(VALUES))
    # the normal tail may cross zero, or the window turn over: cut off, not drawn anew
    mean = np.maximum(mean, 0.0)
    mean[..., 3] = np.maximum(mean[..., 3], mean[..., 2])
    return mean
