"""Profiles of the sum of squares of fitted trains, for `compact.fitting.intervals`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from compact.fitting.least_squares import solve
from compact.fitting.model import PARAMETERS, TrainModel
from compact.fitting.reduced import ReducedModel
from compact.fitting.trains import Trains, prepare
from compact.fitting.windows import eliminate
from compact.kinetics.equations import march

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["TrainGroup", "group"]

_DOUBLINGS, _ROOT_STEPS, _CLOSE = 30, 30, 1e-4
#: held values (N',), which trains (N',), starts of the others -> sums of squares, the others
_Profile = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class TrainGroup:
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
            found = np.where(self.free, room / self.errors, 0.0)
        return np.where(self.lower == self.upper, np.nan, found)

    def interval(self, place: int, level: float) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Lower and upper ends of a parameter, and whether they are at a bound."""
        from scipy.stats import t

        best = self.theta[:, place]
        number = best.size
        if (self.lower[:, place] == self.upper[:, place]).all():
            return [np.full(number, np.nan)] * 2, [np.zeros(number, bool)] * 2
        profile, start = _profile(self, place)
        everyone = np.arange(number)
        smallest, start = profile(best, everyone, start)
        freedom = self.model.trains.weights.sum(0) - self.free.sum(1)
        with np.errstate(all="ignore"):
            reach = t.ppf(0.5 + level / 2, np.where(freedom > 0, freedom, np.nan))
            noise = np.sqrt(smallest / np.where(freedom > 0, freedom, np.nan))

        def excess(
            value: np.ndarray, index: np.ndarray, others: np.ndarray
        ) -> tuple[np.ndarray, np.ndarray]:
            squares, others = profile(value, index, others)
            with np.errstate(all="ignore"):
                root = np.sqrt(np.maximum(squares - smallest[index], 0)) / noise[index]
            return root - reach[index], others

        step = np.where(np.isfinite(self.errors[:, place]), self.errors[:, place], 0.0)
        step = np.maximum(reach * step, 1e-3 * np.maximum(np.abs(best), 1e-3))
        ends, bounded = [], []
        for sign, bound in ((-1, self.lower[:, place]), (1, self.upper[:, place])):
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


def _profile(trains: TrainGroup, place: int) -> tuple[_Profile, np.ndarray]:
    """Sum of squares over what is left when one parameter is held, and starts for the rest."""
    model, lower, upper = trains.model, trains.lower, trains.upper
    if place > 1:  # A or B held: alpha and beta are left, the other one is eliminated
        reduced = ReducedModel(model, lower, upper)

        def windows(
            value: np.ndarray, index: np.ndarray, start: np.ndarray
        ) -> tuple[np.ndarray, np.ndarray]:
            low, high = lower[index].copy(), upper[index].copy()
            low[:, place] = high[:, place] = value
            part = replace(model, trains=model.trains.part(index))
            held = ReducedModel(part, low, high)
            found = solve(held, start, *held.bounds())
            return 2 * found.cost, found.x

        return windows, reduced.reduce(trains.theta)

    falling = model.sign < 0

    def kinetics(
        value: np.ndarray, index: np.ndarray, start: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        part = model.trains.part(index)
        other = 1 - place
        floor, ceiling = lower[index, other][:, None], upper[index, other][:, None]
        if falling:  # the fixed point alpha/beta is within the window, as in the fit
            if place == 0:
                floor = np.maximum(floor, value[:, None])
            else:
                ceiling = np.minimum(ceiling, value[:, None])

        def held(v: np.ndarray, k: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            alpha, beta = (value[k], v[:, 0]) if place == 0 else (v[:, 0], value[k])
            x = part.x if part.x.shape[1] == 1 else part.x[:, k]
            y, slopes = march(
                model.integrator,
                alpha,
                beta,
                x,
                model.y0,
                sign=model.sign,
                derivatives="ba"[place],
            )
            jacobian = np.array(slopes)
            _, _, residual = eliminate(y, jacobian, part, k, lower[index[k]], upper[index[k]])
            return residual, jacobian

        found = solve(held, start, floor, np.maximum(floor, ceiling))
        return 2 * found.cost, found.x

    return kinetics, trains.theta[:, 1 - place, None]


def group(fits: xr.Dataset, rising: bool) -> TrainGroup:
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
        trains = _mirrored(trains)
        theta[:, 2:] = 1 - theta[:, 2:]
        theta, errors, at_bound = (v[:, [0, 1, 3, 2]] for v in (theta, errors, at_bound))
    model = TrainModel(trains, attrs["integrator"], 1 if rising and not flipped else -1)
    lower, upper = model.bounds(attrs["window"], float(attrs["limit"]))
    theta = np.clip(theta, lower, upper)
    return TrainGroup(model, theta, errors, (lower < upper) & ~at_bound, lower, upper, flipped)


def _mirrored(trains: Trains) -> Trains:
    return replace(trains, values=trains.weights * (1 - trains.values), physical=False)
