"""The article's statements on alpha and beta, held against a table (its Figs. 2b-d and S8).

A cycle of a device is the same cell at every setting, so each cell gets a slope of its own and the
band is that of the mean of these slopes: 95 %, Student's, over devices if the table has several,
else over cycles. What else varies is averaged over. A setting at which fewer than half of the cells
are valid is left out, and then a cell that is not valid at all the others.

Alpha is *flat* if zero lies within the band of its slope and the means do not differ by the F-test
(analysis of variance, 5 %): a straight line through a hump is level, too. Beta is *rising* if the
band of its slope lies above zero; against initial resistance up to 15 kohm, from where the article
has it *saturating*: there its slope has zero in its band, or is below a fifth of the one before.
A verdict on fewer than three cells is *weak*: Student's t of two is 12.7, so that nearly anything
passes as flat.

A *cell* is a device, or where there is one device a cycle of it: the same thing at all settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from scipy.stats import f as f_distribution

from compact.table.schema import AXES, UNITS, axis_text
from compact.table.statistics import half_width
from ddkbase.units import format_si

SATURATION = 15e3  # ohm, from which the article sees beta saturate
_SAME = 0.2  # of the slope below: what the article calls almost constant
_LEVEL = 0.05  # of the F-test
_FEW = 3  # cells, below which a verdict is weak
_PER = {"amplitude": "V", "width": "decade", "initial_resistance": "kohm"}
_GREEK = {"alpha": "α", "beta": "β"}
_EQUAL = 1e-6  # of the largest mean: below that means are the same but for rounding


@dataclass(frozen=True)
class Trend:
    """One statement.

    Attributes
    ----------
    parameter : {"alpha", "beta"}
        What varies.
    axis : str
        Axis along which it varies.
    claim : {"flat", "rising", "saturating"}
        What is claimed of it.
    slope, low, high : float
        Mean slope and its 95 % band, per V, per decade of width, per kohm.
    change : float
        Change of the mean from one end of the axis to the other, over the larger of the two.
    cells : int
        Number of cells that the mean is over.
    holds : bool or None
        Whether the statement holds; None: the table cannot say.
    reason : str
        Why, in words.
    """

    parameter: str
    axis: str
    claim: str
    slope: float
    low: float
    high: float
    change: float
    cells: int
    holds: bool | None
    reason: str

    @property
    def unit(self) -> str:
        """Unit of the slope."""
        return f"1/{_PER[self.axis]}"

    @property
    def weak(self) -> bool:
        """Whether the verdict rests on fewer than three cells."""
        return self.holds is not None and self.cells < _FEW

    @property
    def verdict(self) -> str:
        """The verdict in words: "holds", "does not hold (weak)" and the like."""
        word = {True: "holds", False: "does not hold", None: "cannot be told"}[self.holds]
        return f"{word} (weak)" if self.weak else word

    def __str__(self) -> str:
        claim = f"{_GREEK[self.parameter]} {self.claim} with {axis_text(self.axis)}"
        return f"{claim}: {self.verdict}. {self.reason}"


def trends(ds: xr.Dataset) -> list[Trend]:
    """The statements on every axis of a table's dataset that has at least two values."""
    statements = []
    for axis in AXES:
        if ds.sizes[axis] < 2:
            continue
        for parameter, claim in (("alpha", "flat"), ("beta", "rising")):
            statements.append(_along(ds, parameter, axis, claim))
        if axis == "initial_resistance":
            statements.append(_saturating(ds))
    return statements


def choice(tables: Sequence[Any]) -> dict[str, Any]:
    """Which of several tables speaks of an axis: one in which nothing else varies, if there is one,
    and of these the one with the most cells."""
    speakers: dict[str, Any] = {}
    for axis in AXES:
        best = (-len(AXES) - 1, -1)
        for table in tables:
            ds = getattr(table, "dataset", table)
            if ds.sizes[axis] < 2:
                continue
            rank = -sum(ds.sizes[a] > 1 for a in AXES), _along(ds, "beta", axis, "rising").cells
            if rank > best:
                best, speakers[axis] = rank, table
    return speakers


def statement(tables: Sequence[Any]) -> list[Trend]:
    """The statements of several tables, on each axis those of the table that `choice` takes."""
    statements = [
        trend
        for axis, table in choice(tables).items()
        for trend in trends(getattr(table, "dataset", table))
        if trend.axis == axis
    ]
    order = {axis: k for k, axis in enumerate(AXES)}
    return sorted(statements, key=lambda t: (t.parameter, order[t.axis], t.claim == "saturating"))


def _along(ds: xr.Dataset, parameter: str, axis: str, claim: str) -> Trend:
    index = np.argsort(np.abs(ds[axis].values))
    if claim == "rising" and axis == "initial_resistance":  # beyond, saturation is claimed
        index = index[ds[axis].values[index] <= SATURATION * (1 + 1e-9)]
        if index.size < 2:
            return _unanswered(
                parameter, axis, claim, "it takes two initial resistances up to 15 kohm"
            )
    result = slopes(ds, parameter, axis, index)
    slope, low, high = band(result.slopes)
    cells = result.slopes.size
    if not np.isfinite(low):
        text = f"{cells} cells are valid at two settings or more, two cells are needed"
        return _unanswered(parameter, axis, claim, text + result.left_out, cells)
    if claim == "flat":
        holds = low <= 0 <= high
        reason = f"zero lies {'within' if holds else 'outside'} the band"
        differ, text = _differ(ds, axis, result)
        if holds and differ:
            holds, text = False, f"but the means differ, {text}"
        reason += f", {text}" if text else ""
    else:
        holds = low > 0
        reason = f"the band {'lies' if holds else 'does not lie'} above zero"
        falls = np.flatnonzero(np.diff(result.means) < 0)
        if holds and falls.size:
            k = int(falls[0])
            a, b = (_text(ds, axis, p) for p in result.places[k : k + 2])
            reason += f", though the mean falls from {a} to {b}"
    whole = index.size == ds.sizes[axis]
    end = "end to end" if whole else f"{_text(ds, axis, index[0])} to {_text(ds, axis, index[-1])}"
    reason = (
        f"slope {_band_text(slope, low, high)} per {_PER[axis]}: {reason}; "
        f"{result.change:+.0%} from {end}, {cells} cells{result.left_out}"
    )
    return Trend(parameter, axis, claim, slope, low, high, result.change, cells, holds, reason)


def _differ(ds: xr.Dataset, axis: str, result: Slopes) -> tuple[bool, str]:
    """Whether the means differ between the places, and in words."""
    test, means = spread(result.curves), result.means
    if test is None:
        return False, ""
    k, m = int(means.argmin()), int(means.argmax())
    text = (
        f"{means[k]:.2g} at {_text(ds, axis, result.places[k])} and {means[m]:.2g} at "
        f"{_text(ds, axis, result.places[m])}, F({test.between}, {test.within}) = {test.f:.3g}, "
        f"p = {test.p:.2g}"
    )
    return test.p < _LEVEL, text


def _unanswered(parameter: str, axis: str, claim: str, reason: str, cells: int = 0) -> Trend:
    nan = float("nan")
    return Trend(parameter, axis, claim, nan, nan, nan, nan, cells, None, reason)


def _text(ds: xr.Dataset, axis: str, index: int) -> str:
    return format_si(abs(ds[axis].values[index]), UNITS[axis])


def _saturating(ds: xr.Dataset) -> Trend:
    axis, ohms = "initial_resistance", ds["initial_resistance"].values
    upper = np.flatnonzero(ohms >= SATURATION * (1 - 1e-9))
    lower = np.flatnonzero(ohms <= SATURATION * (1 + 1e-9))
    if upper.size < 2 or lower.size < 2:
        text = "it takes two initial resistances up to 15 kohm and two from there"
        return _unanswered("beta", axis, "saturating", text)
    result = slopes(ds, "beta", axis, upper)
    slope, low, high = band(result.slopes)
    below = band(slopes(ds, "beta", axis, lower).slopes)
    text = (
        f"slope from 15 kohm {_band_text(slope, low, high)} per kohm, below "
        f"{_band_text(*below)}; {result.change:+.0%} from 15 kohm to the end, "
        f"{result.slopes.size} cells{result.left_out}"
    )
    holds = None
    if np.isfinite([low, below[1]]).all():
        holds = bool(below[1] > 0 and (low <= 0 <= high or abs(slope) <= _SAME * below[0]))
        if below[1] <= 0:
            text += "; beta does not rise below, so there is nothing to saturate"
    return Trend(
        "beta", axis, "saturating", slope, low, high, result.change, result.slopes.size, holds, text
    )


def _band_text(mean: float, low: float, high: float) -> str:
    return f"{mean:.3g} [{low:.3g}, {high:.3g}]"


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


def slopes(ds: xr.Dataset, parameter: str, axis: str, index: np.ndarray) -> Slopes:
    """Slopes and means along the places ``index`` of an axis, which are in order."""
    number = AXES.index(axis)
    values = np.where(ds["valid"].values, ds[parameter].values, np.nan)
    values = np.moveaxis(values, number, 0)[index]
    cells = values.shape[3:]
    values = values.reshape(index.size, -1, int(np.prod(cells)))  # (places, rest, cells)
    x = _position(ds, axis)[index]
    used = np.isfinite(values).mean(2) >= 0.5
    rows = [(k, np.flatnonzero(used[:, k])) for k in range(used.shape[1]) if used[:, k].sum() > 1]
    left_out = _left_out(ds, axis, index, used, {k for k, _ in rows})
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
        index[counting],
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
    if curves.ndim < 2 or min(curves.shape) < 2:
        return None
    places, cells = curves.shape
    means = curves.mean(1)
    # what is left of each read of a cell after the place's mean and the cell's own level
    rest = curves - means[:, None] - curves.mean(0) + curves.mean()
    between, within = places - 1, (places - 1) * (cells - 1)
    # without scatter the ratio of rounding errors would be a verdict
    if np.ptp(means) <= _EQUAL * np.abs(means).max():
        return Spread(0.0, between, within, 1.0)
    effect = cells * ((means - means.mean()) ** 2).sum() / between
    with np.errstate(divide="ignore"):
        ratio = float(np.divide(effect, (rest**2).sum() / within))
    return Spread(ratio, between, within, float(f_distribution.sf(ratio, between, within)))


def band(values: np.ndarray) -> tuple[float, float, float]:
    """Mean of the cells and the ends of its 95 % band; NaN for ends that there are not."""
    mean = float(values.mean()) if values.size else np.nan
    if values.size < 2:
        return mean, np.nan, np.nan
    half = float(half_width(np.array(values.std(ddof=1)), np.array(values.size), True))
    return mean, mean - half, mean + half


def _left_out(
    ds: xr.Dataset, axis: str, index: np.ndarray, used: np.ndarray, rest: set[int]
) -> str:
    """In words, settings that do not count."""
    if used.shape[1] == 1:
        gone = [format_si(ds[axis].values[p], UNITS[axis]) for p in index[~used[:, 0]]]
        return f"; left out, most cells not being valid: {', '.join(gone)}" if gone else ""
    count = int(sum(used[:, k].sum() for k in rest))
    if count == used.size:
        return ""
    return f"; {used.size - count} of {used.size} settings left out, most cells not being valid"


def _position(ds: xr.Dataset, axis: str) -> np.ndarray:
    values = np.abs(ds[axis].values)
    return {"amplitude": values, "width": np.log10(values)}.get(axis, values / 1e3)
