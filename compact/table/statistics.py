"""Means of a table over its cycles and devices, and how far single ones and the means may be off.

All bands are 95 % and Student's: mean -+ t s/sqrt(n) for the mean, mean -+ t s sqrt(1 + 1/n) for
one more cycle or device, which is a prediction interval: the mean of n is itself known to s/sqrt(n)
only. A cycle of a device is the same cell at every setting of a campaign.

Cells are drawn from a table with the correlations that were measured (`drawn`): a cycle, a device,
or both. A cycle of a device is one cell at all settings, so its deviations from the mean are
correlated over settings as well as between alpha, beta and the window. A draw is the mean plus a
random combination of the measured deviations with normal weights: its covariances over everything
are those of the sample, without a matrix of them. Nothing is drawn below 0.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy.stats import t as student_t

from compact.table.schema import AXES, VALUES, VARIABLES
from ddkbase.errors import InputError
from ddkbase.records import label

LEVEL = 0.95


def half_width(
    deviation: np.ndarray, count: np.ndarray, mean: bool, averaged: np.ndarray | None = None
) -> np.ndarray:
    """Half the 95 % band of the mean, or of one more value, from a standard deviation; NaN for
    fewer than two.

    ``count`` is the degrees of freedom of the deviation, plus one, ``averaged`` how many values the
    mean is of, if not so many (several means share a deviation).
    """
    number = np.asarray(count, float)
    of = number if averaged is None else np.asarray(averaged, float)
    with np.errstate(all="ignore"):
        factor = student_t.ppf(0.5 + LEVEL / 2, np.where(number > 1, number - 1, np.nan))
        return factor * deviation * np.sqrt(1 / of if mean else 1 + 1 / of)


def summary(ds: xr.Dataset) -> xr.Dataset:
    """Statistics of a table's dataset on (amplitude, width, initial_resistance).

    Parameters
    ----------
    ds : xarray.Dataset
        Dataset of a table.

    Returns
    -------
    xarray.Dataset
        See below; NaN where there are too few entries.

    Notes
    -----
    For each of alpha, beta, conductance_min, conductance_max, over valid entries: ``NAME``, the
    mean over devices of the means over cycles; ``NAME_mean_band``, half the 95 % band of this mean
    (over devices if there are several, else over cycles); ``NAME_cycle_band`` and
    ``NAME_device_band``, half the 95 % band in which one more cycle of a device falls about the
    mean of its cycles, and the mean of one more device about the mean of all; ``NAME_spread``, the
    standard deviation of all.
    ``count`` and ``share`` of valid entries.
    """
    valid = ds["valid"].values
    shape = valid.shape[:3]
    data: dict[str, xr.Variable] = {}
    for name in VALUES:
        values = np.where(valid, ds[name].values, np.nan)  # (a, w, r, cycle, device)
        units, text = str(ds[name].attrs["units"]), VARIABLES[name].long_name
        # of a parameter that stands at its bound in all trains nothing tells how far it scatters
        stuck = (ds["at_bound"].sel(parameter=name).values | ~valid).all((3, 4))
        for key, (number, meaning) in _statistics(values).items():
            if key:
                number = np.where(stuck.reshape(number.shape), np.nan, number)
            data[name + key] = label(
                number.reshape(shape), AXES, units, f"{meaning} {text}".strip()
            )
    data["count"] = label(valid.sum((3, 4)), AXES, "1", "number of valid trains")
    data["share"] = label(valid.mean((3, 4)), AXES, "1", "share of valid trains")
    return xr.Dataset(data, {axis: ds[axis] for axis in AXES}, {"level": LEVEL})


def _statistics(values: np.ndarray) -> dict[str, tuple[np.ndarray, str]]:
    """Keys behind the name, numbers (a, w, r) and their meaning, of values (a, w, r, c, d)."""
    there = np.isfinite(values)
    filled = np.where(there, values, 0.0)
    with np.errstate(all="ignore"):
        per_device = there.sum(3)
        device_mean = np.where(per_device > 0, filled.sum(3) / per_device, np.nan)
        devices = (per_device > 0).sum(3)
        mean = np.where(devices > 0, np.nansum(device_mean, axis=3) / devices, np.nan)
        inner = np.where(there, values - device_mean[:, :, :, None, :], 0.0)
        freedom = there.sum((3, 4)) - devices
        cycle_sd = np.sqrt((inner**2).sum((3, 4)) / np.where(freedom > 0, freedom, np.nan))
        outer = np.where(per_device > 0, device_mean - mean[..., None], 0.0)
        device_sd = np.sqrt((outer**2).sum(3) / np.where(devices > 1, devices - 1, np.nan))
        total = there.sum((3, 4))
        every = np.where(there, values - mean[..., None, None], 0.0)
        spread = np.sqrt((every**2).sum((3, 4)) / np.where(total > 1, total - 1, np.nan))
    # freedom + 1 stands for the number of cycles where several devices share one deviation
    of_mean = np.where(
        devices > 1, half_width(device_sd, devices, True), half_width(cycle_sd, freedom + 1, True)
    )
    with np.errstate(all="ignore"):
        cycles = np.where(devices > 0, total / devices, np.nan)  # of a device
    return {
        "": (mean, ""),
        "_mean_band": (of_mean, "half the 95 % band of the mean of"),
        "_cycle_band": (
            half_width(cycle_sd, freedom + 1, False, cycles),
            "half the 95 % band of one more cycle's",
        ),
        "_device_band": (
            half_width(device_sd, devices, False),
            "half the 95 % band of one more device's",
        ),
        "_spread": (spread, "standard deviation of"),
    }


def misfit(ds: xr.Dataset) -> np.ndarray:
    """Root mean square distance of the reads from their curve, a share of what each train spans.

    Of a table's dataset with ``conductance`` and ``fitted``, on its five axes; NaN where there is
    no train.
    """
    read, curve = (ds[name].values for name in ("conductance", "fitted"))
    both = np.isfinite(read) & np.isfinite(curve)
    squares = np.where(both, (read - curve) ** 2, 0.0).sum(-1) / np.maximum(both.sum(-1), 1)
    span = np.where(both, read, -np.inf).max(-1) - np.where(both, read, np.inf).min(-1)
    out = np.full(span.shape, np.nan)
    return np.divide(np.sqrt(squares), span, out=out, where=np.isfinite(span) & (span > 0))


def misfit_text(shares: np.ndarray) -> str:
    """Median and largest of what `misfit` gives, as a text."""
    middle, largest = 100 * np.median(shares), 100 * shares.max()
    how = "root mean square, of what the train spans"
    return f"median {middle:.2f} %, largest {largest:.2f} % ({how})"


KINDS = ("cycle", "device", "cell")


def deviations(ds: xr.Dataset, kind: str) -> np.ndarray:
    """Deviations (draws, settings, 4) of cycles from their device's mean, or of devices' means
    from the mean of all, scaled so that the sum of squares over draws is the variance.

    Settings at which no entry is valid are NaN. Cells that are not valid at all the others are
    left out.

    Raises InputError: fewer than two cycles or devices.
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

    Raises InputError: another kind, or too few of it.
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
