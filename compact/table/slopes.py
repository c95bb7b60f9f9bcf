"""Slopes and means of a table along one axis, cell by cell, for `compact.table.trends`.

A *cell* is a device, or where there is one device a cycle of it: the same thing at all settings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from compact.table.schema import AXES, UNITS
from compact.table.statistics import half_width
from ddkbase.units import format_si

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Slopes", "Spread", "band", "slopes", "spread"]

_EQUAL = 1e-6  # of the largest mean: below that means are the same but for rounding


@dataclass(frozen=True)
class Slopes:
    """What there is along an axis.

    Attributes
    ----------
    slopes : ndarray, shape (cells,)
        Slopes of each cell, per unit of the axis.
    places : ndarray
        Which values of the axis count, in order.
    curves : ndarray, shape (places, cells)
        Each cell at these places, averaged over what else varies; no places if no setting of the
        other axes has all of them.
    change : float
        Change of the mean from one end to the other, over the larger of the two.
    left_out : str
        What was left out, in words.
    """

    slopes: np.ndarray
    places: np.ndarray
    curves: np.ndarray
    change: float
    left_out: str

    @property
    def means(self) -> np.ndarray:
        """Over the cells, (places,)."""
        return self.curves.mean(1) if self.curves.size else np.array([])


@dataclass(frozen=True)
class Spread:
    """Whether means differ: F, its degrees of freedom, and the probability of a larger one."""

    f: float
    between: int
    within: int
    p: float


def slopes(ds: xr.Dataset, parameter: str, axis: str, part: np.ndarray) -> Slopes:
    """Slopes and means along the places ``part`` of an axis, which are in order."""
    number = AXES.index(axis)
    values = np.where(ds["valid"].values, ds[parameter].values, np.nan)
    values = np.moveaxis(values, number, 0)[part]
    cells = values.shape[3:]
    values = values.reshape(part.size, -1, int(np.prod(cells)))  # (places, rest, cells)
    x = _position(ds, axis)[part]
    used = np.isfinite(values).mean(2) >= 0.5
    rows = [(k, np.flatnonzero(used[:, k])) for k in range(used.shape[1]) if used[:, k].sum() > 1]
    left_out = _left_out(ds, axis, part, used, {k for k, _ in rows})
    if not rows:
        nothing = np.array([])
        return Slopes(nothing, np.array([], int), nothing, np.nan, left_out)
    each, changes = [], []
    for k, places in rows:
        centred = x[places] - x[places].mean()
        each.append(centred @ values[places, k] / (centred @ centred))  # NaN: not valid at all
        ends = np.nanmean(values[places[[0, -1]], k], axis=1)
        changes.append((ends[1] - ends[0]) / np.abs(ends).max() if ends.any() else 0.0)
    counting = np.flatnonzero(used[:, [k for k, _ in rows]].any(1))
    whole = [k for k, places in rows if places.size == counting.size]
    curves = values[counting][:, whole].mean(1) if whole else values[:0, 0]
    curves = _of_cells(curves, cells)
    single = _of_cells(np.mean(each, axis=0)[None], cells)[0]
    return Slopes(
        single[np.isfinite(single)],
        part[counting],
        curves[:, np.isfinite(curves).all(0)],
        float(np.mean(changes)),
        left_out,
    )


def _of_cells(values: np.ndarray, cells: tuple[int, ...]) -> np.ndarray:
    """Of (places, cycles x devices) the devices' means over cycles, if there are several devices;
    a cycle with NaN at a place does not count."""
    if cells[1] == 1:
        return values
    values = values.reshape(len(values), *cells)
    there = np.isfinite(values).all(0)
    count = there.sum(0)
    with np.errstate(all="ignore"):
        return np.where(count > 0, np.where(there, values, 0.0).sum(1) / count, np.nan)


def spread(curves: np.ndarray) -> Spread | None:
    """F-test of whether the means of cells (places, cells) differ between the places.

    Each cell has a level of its own (analysis of variance with repeated measures); its scatter
    about level and mean is taken to be the same, and independent, at all places. None: fewer than
    two places or cells.
    """
    from scipy.stats import f

    if curves.ndim < 2 or min(curves.shape) < 2:
        return None
    places, cells = curves.shape
    means = curves.mean(1)
    rest = curves - means[:, None] - curves.mean(0) + curves.mean()
    between, within = places - 1, (places - 1) * (cells - 1)
    if np.ptp(means) <= _EQUAL * np.abs(means).max():
        return Spread(0.0, between, within, 1.0)
    effect = cells * ((means - means.mean()) ** 2).sum() / between
    with np.errstate(divide="ignore"):
        ratio = float(np.divide(effect, (rest**2).sum() / within))
    return Spread(ratio, between, within, float(f.sf(ratio, between, within)))


def band(values: np.ndarray) -> tuple[float, float, float]:
    """Mean of the cells and the ends of its 95 % band; NaN for ends that there are not."""
    mean = float(values.mean()) if values.size else np.nan
    if values.size < 2:
        return mean, np.nan, np.nan
    half = float(half_width(np.array(values.std(ddof=1)), np.array(values.size), True))
    return mean, mean - half, mean + half


def _left_out(ds: xr.Dataset, axis: str, part: np.ndarray, used: np.ndarray, rest: set[int]) -> str:
    """In words, settings that do not count."""
    if used.shape[1] == 1:
        gone = [format_si(ds[axis].values[p], UNITS[axis]) for p in part[~used[:, 0]]]
        return f"; left out, most cells not being valid: {', '.join(gone)}" if gone else ""
    kept = int(sum(used[:, k].sum() for k in rest))
    if kept == used.size:
        return ""
    return f"; {used.size - kept} of {used.size} settings left out, most cells not being valid"


def _position(ds: xr.Dataset, axis: str) -> np.ndarray:
    values = np.abs(ds[axis].values)
    return {"amplitude": values, "width": np.log10(values)}.get(axis, values / 1e3)
