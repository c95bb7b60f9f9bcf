"""Profile-likelihood intervals of fitted trains, and whether standard errors would have done.

The interval of a parameter holds the values t for which the best fit with the parameter held at t
has a sum of squares S(t) of at most

::

    S + s^2 q^2,    s^2 = S/(n - p),    q = Student's t of n - p at the level,

S being that of the optimum: the inverted F test (Bates and Watts, Nonlinear Regression Analysis,
1988, section 6.1). Where the model is linear in the parameter this is estimate -+ q standard
errors; where it is not, the interval follows the sum of squares, ends where a bound of the
parameter ends it, and is the same for a parameter and a function of it. It exists at a bound, too,
where there is no standard error. As all intervals of least squares it takes the noise for
independent and normal and the model for true: residuals that are alike from pulse to pulse make it
too narrow, and so does ``window="data"``, which takes the two reads that set the window for exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from compact.fitting.curvature import curvature
from compact.fitting.model import PARAMETERS
from compact.fitting.profiles import group
from ddkbase.errors import InputError, closest, shorten

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["profile_intervals"]


def profile_intervals(
    fits: xr.Dataset,
    *,
    level: float = 0.95,
    parameters: Sequence[str] = ("alpha", "beta"),
) -> xr.Dataset:
    """Profile-likelihood intervals of all trains of `compact.fit_many`.

    Parameters
    ----------
    fits : xarray.Dataset
        What ``fit_many`` returned, method "better", squared residuals, trains not pooled.
    level : float, default 0.95
        Level of the intervals, above 0 and below 1.
    parameters : sequence of str, default ("alpha", "beta")
        Which parameters are wanted, of alpha, beta, conductance_min, conductance_max.

    Returns
    -------
    xarray.Dataset
        Dataset on ``train`` and ``parameter``: ``lower`` and ``upper``, in SI units (NaN: not
        fitted), ``lower_open`` and ``upper_open``, whether a bound of the parameter ends it there;
        ``bias`` by Box's formula and ``bound_distance``, the distance of the estimate from its
        nearest bound, both in standard errors, for all four parameters on ``fitted_parameter``. On
        ``train``: ``curvature_parameter_effects`` and ``curvature_intrinsic`` (see
        `compact.fitting.curvature`).

    Raises
    ------
    InputError
        Another kind of fit, a level or parameter that does not exist.
    """
    import xarray as xr

    from ddkbase.records import label

    _check(fits, level, parameters)
    number, attrs = fits.sizes["train"], fits.attrs
    low, high = np.full((2, number, len(parameters)), np.nan)
    open_low, open_high = np.zeros((2, number, len(parameters)), bool)
    bias, distance = np.full((2, number, 4), np.nan)
    effects, intrinsic = np.full((2, number), np.nan)
    up = fits["direction"].values == "up"
    for rising in (False, True):
        index = np.flatnonzero(fits["valid"].values & (up == rising))
        if not index.size:
            continue
        trains = group(fits.isel(train=index), rising)
        for column, name in enumerate(parameters):
            place = trains.order[PARAMETERS.index(name)]
            ends, bounded = trains.interval(place, level)
            if trains.flipped and place > 1:
                ends, bounded = ends[::-1], bounded[::-1]
            unit = (lambda v: v) if place < 2 else trains.in_units
            low[index, column], high[index, column] = unit(ends[0]), unit(ends[1])
            open_low[index, column], open_high[index, column] = bounded
        bent = curvature(trains.model, trains.theta, trains.free)
        sign = np.where(trains.flipped & (np.arange(4) > 1), -1.0, 1.0)
        bias[index] = (sign * bent.bias)[:, trains.order]
        distance[index] = trains.distances()[:, trains.order]
        effects[index], intrinsic[index] = bent.parameter_effects, bent.intrinsic
    both, four = ("train", "parameter"), ("train", "fitted_parameter")
    data = {
        "lower": label(low, both, "1", "lower end, in SI units"),
        "upper": label(high, both, "1", "upper end, in SI units"),
        "lower_open": label(open_low, both, "1", "whether a bound ends it below"),
        "upper_open": label(open_high, both, "1", "whether a bound ends it above"),
        "bias": label(bias, four, "1", "bias of the estimate, in standard errors"),
        "bound_distance": label(distance, four, "1", "to the nearest bound, in standard errors"),
        "curvature_parameter_effects": label(
            effects, "train", "1", "relative curvature by parameter effects"
        ),
        "curvature_intrinsic": label(intrinsic, "train", "1", "relative intrinsic curvature"),
    }
    coords = {
        "parameter": label(np.array(list(parameters)), "parameter", "1", "parameter"),
        "fitted_parameter": label(np.array(PARAMETERS), "fitted_parameter", "1", "parameter"),
    }
    kept = {name: attrs[name] for name in ("method", "integrator", "window") if name in attrs}
    return xr.Dataset(data, coords, {"level": level, **kept})


def _check(fits: Any, level: float, parameters: Sequence[str]) -> None:
    attrs = getattr(fits, "attrs", {})
    if not {"conductance", "x"} <= set(getattr(fits, "data_vars", {})) or "limit" not in attrs:
        raise InputError(f"{shorten(fits)} is no dataset of fit_many", "fits")
    if attrs["method"] != "better" or attrs["loss"] != "linear" or attrs["pooled"]:
        raise InputError(
            "intervals are of fits by method 'better' with squared residuals, train by train",
            "fits",
        )
    if not (np.isfinite(level) and 0 < level < 1):
        raise InputError(f"{shorten(level)} is no level", "level", "Use e.g. 0.95")
    for name in parameters:
        if name not in PARAMETERS:
            raise InputError(
                f"unknown parameter {shorten(name)}", "parameters", closest(str(name), PARAMETERS)
            )
