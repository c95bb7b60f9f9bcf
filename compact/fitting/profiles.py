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

The profile of one parameter is computed for all trains at once: with it held, the others are fitted
anew (the window always by elimination), and the end of the interval is where the square root of the
excess of S over its minimum, in units of the noise, reaches q. That root is linear in t where the
model is, so that a secant method needs few steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from scipy.special import stdtrit

from compact.fitting.diagnostics import curvature
from compact.fitting.least_squares import solve
from compact.fitting.model import PARAMETERS, ReducedModel, TrainModel, eliminate
from compact.fitting.trains import prepare
from ddkbase.errors import InputError, closest, shorten
from ddkbase.records import label

__all__ = ["profile_intervals"]

_DOUBLINGS, _ROOT_STEPS, _CLOSE = 30, 30, 1e-4
#: held values (N',), which trains (N',), starts of the others -> sums of squares, the others
_Profile = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


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
        `compact.fitting.diagnostics.curvature`).

    Raises
    ------
    InputError
        Another kind of fit, a level or parameter that does not exist.
    """
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
        trains = _group(fits.isel(train=index), rising)
        for column, name in enumerate(parameters):
            position = trains.order[PARAMETERS.index(name)]
            ends, bounded = trains.interval(position, level)
            if trains.flipped and position > 1:
                ends, bounded = ends[::-1], bounded[::-1]
            unit = (lambda v: v) if position < 2 else trains.in_units
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
    inherited = {name: attrs[name] for name in ("method", "integrator", "window") if name in attrs}
    return xr.Dataset(data, coords, {"level": level, **inherited})


def _check(fits: Any, level: float, parameters: Sequence[str]) -> None:
    attrs = getattr(fits, "attrs", {})
    if not {"conductance", "x"} <= set(getattr(fits, "data_vars", {})) or "limit" not in attrs:
        raise InputError(f"{shorten(fits)} is no dataset of fit_many", "fits")
    if attrs["method"] != "better" or attrs["loss"] != "linear" or attrs["pooled"]:
        raise InputError(
            "intervals are of fits by method 'better' with squared residuals, train by train",
            "fits",
        )
    if attrs.get("thinned", 1) != 1:
        raise InputError(
            "of these trains some reads only were fitted", "fits", "Fit every n-th read yourself"
        )
    if not (np.isfinite(level) and 0 < level < 1):
        raise InputError(f"{shorten(level)} is no level", "level", "Use e.g. 0.95")
    for name in parameters:
        if name not in PARAMETERS:
            raise InputError(
                f"unknown parameter {shorten(name)}", "parameters", closest(str(name), PARAMETERS)
            )


@dataclass(frozen=True)
class _Group:
    """Trains that go one way: their model, optima and bounds on the scale of the train."""

    model: TrainModel
    theta: np.ndarray
    errors: np.ndarray
    free: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    flipped: bool

    @property
    def order(self) -> list[int]:
        """Where alpha, beta, conductance_min and conductance_max are."""
        return [0, 1, 3, 2] if self.flipped else [0, 1, 2, 3]

    def in_units(self, values: np.ndarray) -> np.ndarray:
        """Conductances of numbers on the scale of the train."""
        trains = self.model.trains
        return np.asarray(trains.low + trains.span * (1 - values if self.flipped else values))

    def distances(self) -> np.ndarray:
        """To the nearest bound, in standard errors; 0 at a bound, NaN for fixed parameters."""
        room = np.minimum(self.theta - self.lower, self.upper - self.theta)
        with np.errstate(all="ignore"):
            distance = np.where(self.free, room / self.errors, 0.0)
        return np.where(self.lower == self.upper, np.nan, distance)

    def interval(self, position: int, level: float) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Lower and upper ends of a parameter, and whether they are at a bound."""
        best = self.theta[:, position]
        number = best.size
        if (self.lower[:, position] == self.upper[:, position]).all():
            return [np.full(number, np.nan)] * 2, [np.zeros(number, bool)] * 2
        profile, start = _profile(self, position)
        everyone = np.arange(number)
        smallest, start = profile(best, everyone, start)
        freedom = self.model.trains.weights.sum(0) - self.free.sum(1)
        with np.errstate(all="ignore"):
            reach = stdtrit(np.where(freedom > 0, freedom, np.nan), 0.5 + level / 2)  # Student's t
            noise = np.sqrt(smallest / np.where(freedom > 0, freedom, np.nan))

        def excess(
            value: np.ndarray, index: np.ndarray, others: np.ndarray
        ) -> tuple[np.ndarray, np.ndarray]:
            squares, others = profile(value, index, others)
            with np.errstate(all="ignore"):
                root = np.sqrt(np.maximum(squares - smallest[index], 0)) / noise[index]
            return root - reach[index], others

        step = np.where(np.isfinite(self.errors[:, position]), self.errors[:, position], 0.0)
        step = np.maximum(reach * step, 1e-3 * np.maximum(np.abs(best), 1e-3))
        ends, bounded = [], []
        for sign, bound in ((-1, self.lower[:, position]), (1, self.upper[:, position])):
            end, stopped = _end(excess, best, sign * step, bound, start, -reach)
            ends.append(end)
            bounded.append(stopped)
        return ends, bounded


def _end(
    excess: _Profile,
    best: np.ndarray,
    step: np.ndarray,
    bound: np.ndarray,
    others: np.ndarray,
    at_best: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Where ``excess`` becomes zero beyond ``best``, or the bound, and whether it is that.

    The root of the excess in squares is nearly linear, which the Illinois method likes.
    """

    def between(value: np.ndarray) -> np.ndarray:
        return np.clip(value, np.minimum(best, bound), np.maximum(best, bound))

    inner, inner_value = best.copy(), at_best.copy()
    outer = between(best + step)
    outer_value, others = excess(outer, np.arange(best.size), others)
    for _ in range(_DOUBLINGS):
        more = np.flatnonzero((outer_value < 0) & (outer != bound))
        if not more.size:
            break
        inner[more], inner_value[more] = outer[more], outer_value[more]
        step[more] *= 2
        outer[more] = between(best + step)[more]
        outer_value[more], others[more] = excess(outer[more], more, others[more])
    stopped = (outer_value < 0) & (outer == bound)
    end = np.where(stopped, bound, outer)
    active = np.flatnonzero(~stopped & (outer_value >= 0) & np.isfinite(outer_value))
    end[~np.isfinite(at_best) | ((outer_value < 0) & ~stopped)] = np.nan
    side = np.zeros(best.size)
    for _ in range(_ROOT_STEPS):
        if not active.size:
            break
        a, b = inner[active], outer[active]
        fa, fb = inner_value[active], outer_value[active]
        with np.errstate(all="ignore"):
            new = np.where(fb == fa, 0.5 * (a + b), b - fb * (b - a) / (fb - fa))
        value, others[active] = excess(new, active, others[active])
        end[active] = new
        out = value >= 0
        # Illinois: an end that stays twice counts half
        repeated = np.where(out, 1, -1) == side[active]
        side[active] = np.where(out, 1, -1)
        inner_value[active] = np.where(out, np.where(repeated, fa / 2, fa), value)
        outer_value[active] = np.where(out, value, np.where(repeated, fb / 2, fb))
        inner[active], outer[active] = np.where(out, a, new), np.where(out, new, b)
        active = active[~(np.abs(value) < _CLOSE)]
    return end, stopped


def _profile(trains: _Group, position: int) -> tuple[_Profile, np.ndarray]:
    """Sum of squares over what is left when one parameter is held, and starts for the rest."""
    model, lower, upper = trains.model, trains.lower, trains.upper
    if position > 1:  # A or B held: alpha and beta are left, the other one is eliminated
        reduced = ReducedModel(model, lower, upper)

        def windows(
            value: np.ndarray, index: np.ndarray, start: np.ndarray
        ) -> tuple[np.ndarray, np.ndarray]:
            low, high = lower[index].copy(), upper[index].copy()
            low[:, position] = high[:, position] = value
            held = ReducedModel(model.part(index), low, high)
            best = solve(held, start, *held.bounds())
            return 2 * best.cost, best.x

        return windows, reduced.reduce(trains.theta)

    falling = model.sign < 0

    def kinetics(
        value: np.ndarray, index: np.ndarray, start: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        subset = model.part(index)
        other = 1 - position
        floor, ceiling = lower[index, other][:, None], upper[index, other][:, None]
        if falling:  # the fixed point alpha/beta is within the window, as in the fit
            if position == 0:
                floor = np.maximum(floor, value[:, None])
            else:
                ceiling = np.minimum(ceiling, value[:, None])

        def held(v: np.ndarray, k: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            alpha, beta = (value[k], v[:, 0]) if position == 0 else (v[:, 0], value[k])
            y, slopes = subset.states(alpha, beta, k, "ba"[position])
            jacobian = np.array(slopes)
            _, _, residual = eliminate(
                y, jacobian, subset.trains, k, lower[index[k]], upper[index[k]]
            )
            return residual, jacobian

        best = solve(held, start, floor, np.maximum(floor, ceiling))
        return 2 * best.cost, best.x

    return kinetics, trains.theta[:, 1 - position, None]


def _group(fits: xr.Dataset, rising: bool) -> _Group:
    """The trains of a dataset of `compact.fit_many`, all rising or all falling."""
    attrs = fits.attrs
    trains = prepare(
        fits["conductance"].values,
        bool(attrs["normalised"]),
        fits["x"].values,
        "up" if rising else "down",
        skip_missing=True,
    )
    flipped = rising and bool(attrs["mirror"])
    theta = np.stack([fits[name].values for name in PARAMETERS], axis=1)
    theta[:, 2:] = (theta[:, 2:] - trains.low[:, None]) / trains.span[:, None]
    errors = np.stack([fits[f"{name}_stderr"].values for name in PARAMETERS], axis=1)
    errors[:, 2:] /= trains.span[:, None]
    at_bound = fits["at_bound"].values
    if flipped:
        trains = trains.mirrored()
        theta[:, 2:] = 1 - theta[:, 2:]
        theta, errors, at_bound = (v[:, [0, 1, 3, 2]] for v in (theta, errors, at_bound))
    model = TrainModel(trains, attrs["integrator"], 1 if rising and not flipped else -1)
    lower, upper = model.bounds(attrs["window"], float(attrs["limit"]))
    theta = np.clip(theta, lower, upper)
    return _Group(model, theta, errors, (lower < upper) & ~at_bound, lower, upper, flipped)
