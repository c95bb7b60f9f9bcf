"""The article's statements on alpha and beta, held against a table (its Figs. 2b-d and S8).

A cycle of a device is the same cell at every setting, so each cell gets a slope of its own and the
band is that of the mean of these slopes: 95 %, Student's, over devices if the table has several,
else over cycles. What else varies is averaged over. A setting at which fewer than half of the cells
are valid is left out, and then a cell that is not valid at all the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from compact.table_schema import AXES, UNITS, words
from compact.table_statistics import half_width
from devicephys.units import format_si

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["SATURATION", "Trend", "choice", "statement", "trends"]

SATURATION = 15e3  # ohm, from which the article sees beta saturate
_SAME = 0.2  # of the slope below: what the article calls almost constant
_PER = {"amplitude": "V", "width": "decade", "initial_resistance": "kohm"}
_GREEK = {"alpha": "α", "beta": "β"}


@dataclass(frozen=True)
class Trend:
    """One statement.

    Attributes
    ----------
    parameter, axis, claim : "alpha" or "beta"; the axis; "flat", "rising" or "saturating".
    slope, low, high : mean slope and its 95 % band, per V, per decade of width, per kohm.
    change : of the mean from one end of the axis to the other, over the larger of the two.
    cells : over how many cells.
    holds : whether the statement holds; None: the table cannot say.
    reason : in words.
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
        return f"1/{_PER[self.axis]}"

    def __str__(self) -> str:
        word = {True: "holds", False: "does not hold", None: "cannot be told"}[self.holds]
        claim = f"{_GREEK[self.parameter]} {self.claim} with {words(self.axis)}"
        return f"{claim}: {word}. {self.reason}"


def trends(ds: xr.Dataset) -> list[Trend]:
    """The statements on every axis of a table's dataset that has at least two values."""
    found = []
    for axis in AXES:
        if ds.sizes[axis] < 2:
            continue
        for parameter, claim in (("alpha", "flat"), ("beta", "rising")):
            found.append(_along(ds, parameter, axis, claim))
        if axis == "initial_resistance":
            found.append(_saturating(ds))
    return found


def choice(tables: Sequence[Any]) -> dict[str, Any]:
    """Which of several tables speaks of an axis: one in which nothing else varies, if there is one,
    and of these the one with the most cells."""
    found: dict[str, Any] = {}
    for axis in AXES:
        best = (-len(AXES) - 1, -1)
        for table in tables:
            ds = getattr(table, "dataset", table)
            if ds.sizes[axis] < 2:
                continue
            rank = -sum(ds.sizes[a] > 1 for a in AXES), _along(ds, "beta", axis, "rising").cells
            if rank > best:
                best, found[axis] = rank, table
    return found


def statement(tables: Sequence[Any]) -> list[Trend]:
    """The statements of several tables, on each axis those of the table that `choice` takes."""
    chosen = [
        trend
        for axis, table in choice(tables).items()
        for trend in trends(getattr(table, "dataset", table))
        if trend.axis == axis
    ]
    order = {axis: k for k, axis in enumerate(AXES)}
    return sorted(chosen, key=lambda t: (t.parameter, order[t.axis], t.claim == "saturating"))


@dataclass(frozen=True)
class _Slopes:
    """Slope of each cell [1/unit of the axis], the mean at each place that counts (if nothing else
    varies), which places these are, relative change, what was left out in words."""

    slopes: np.ndarray
    means: np.ndarray
    places: np.ndarray
    change: float
    left_out: str


def _slopes(ds: xr.Dataset, parameter: str, axis: str, part: np.ndarray) -> _Slopes:
    """Slopes along the places ``part`` of an axis, which are in order."""
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
        return _Slopes(nothing, nothing, np.array([], int), np.nan, left_out)
    each, changes = [], []
    for k, places in rows:
        centred = x[places] - x[places].mean()
        each.append(centred @ values[places, k] / (centred @ centred))  # NaN: not valid at all
        ends = np.nanmean(values[places[[0, -1]], k], axis=1)
        changes.append((ends[1] - ends[0]) / np.abs(ends).max() if ends.any() else 0.0)
    slopes = np.mean(each, axis=0).reshape(cells)
    if cells[1] > 1:
        count = np.isfinite(slopes).sum(0)
        with np.errstate(all="ignore"):
            slopes = np.where(count > 0, np.nansum(slopes, axis=0) / count, np.nan)
    slopes = slopes.ravel()
    single = len(rows) == 1
    means = np.nanmean(values[rows[0][1], rows[0][0]], axis=1) if single else np.array([])
    return _Slopes(
        slopes[np.isfinite(slopes)], means, part[rows[0][1]], float(np.mean(changes)), left_out
    )


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


def _band(slopes: np.ndarray) -> tuple[float, float, float]:
    mean = float(slopes.mean()) if slopes.size else np.nan
    if slopes.size < 2:
        return mean, np.nan, np.nan
    half = float(half_width(np.array(slopes.std(ddof=1)), np.array(slopes.size), True))
    return mean, mean - half, mean + half


def _along(ds: xr.Dataset, parameter: str, axis: str, claim: str) -> Trend:
    order = np.argsort(np.abs(ds[axis].values))
    found = _slopes(ds, parameter, axis, order)
    slope, low, high = _band(found.slopes)
    cells, holds = found.slopes.size, None
    if not np.isfinite(low):
        reason = f"{cells} cells are valid at two settings or more, two cells are needed"
    elif claim == "flat":
        holds = low <= 0 <= high
        reason = f"zero lies {'within' if holds else 'outside'} the band"
    else:
        holds = low > 0
        reason = f"the band lies {'above zero' if holds else 'not above zero'}"
        falls = np.flatnonzero(np.diff(found.means) < 0)
        if holds and falls.size:
            k = int(falls[0])
            a, b = (
                format_si(abs(ds[axis].values[p]), UNITS[axis]) for p in found.places[k : k + 2]
            )
            reason += f", though the mean falls from {a} to {b}"
    if holds is not None:
        text = f"slope {_band_text(slope, low, high)} per {_PER[axis]}"
        reason = f"{text}: {reason}; {found.change:+.0%} from end to end, {cells} cells"
    reason += found.left_out
    return Trend(parameter, axis, claim, slope, low, high, found.change, cells, holds, reason)


def _saturating(ds: xr.Dataset) -> Trend:
    axis, ohms = "initial_resistance", ds["initial_resistance"].values
    upper = np.flatnonzero(ohms >= SATURATION * (1 - 1e-9))
    lower = np.flatnonzero(ohms <= SATURATION * (1 + 1e-9))
    if upper.size < 2 or lower.size < 2:
        text = "it takes two initial resistances up to 15 kohm and two from there"
        nan = np.nan
        return Trend("beta", axis, "saturating", nan, nan, nan, nan, 0, None, text)
    found = _slopes(ds, "beta", axis, upper)
    slope, low, high = _band(found.slopes)
    below = _band(_slopes(ds, "beta", axis, lower).slopes)
    text = (
        f"slope from 15 kohm {_band_text(slope, low, high)} per kohm, below "
        f"{_band_text(*below)}; {found.change:+.0%} from 15 kohm to the end, "
        f"{found.slopes.size} cells{found.left_out}"
    )
    holds = None
    if np.isfinite([low, below[1]]).all():
        holds = bool(below[1] > 0 and (low <= 0 <= high or abs(slope) <= _SAME * below[0]))
        if below[1] <= 0:
            text += "; beta does not rise below, so there is nothing to saturate"
    return Trend(
        "beta", axis, "saturating", slope, low, high, found.change, found.slopes.size, holds, text
    )


def _band_text(mean: float, low: float, high: float) -> str:
    return f"{mean:.3g} [{low:.3g}, {high:.3g}]"
