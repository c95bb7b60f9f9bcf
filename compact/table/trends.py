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
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from compact.table.schema import AXES, UNITS, words
from compact.table.slopes import Slopes, band, slopes, spread
from ddkbase.units import format_si

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["SATURATION", "Trend", "choice", "statement", "trends"]

SATURATION = 15e3  # ohm, from which the article sees beta saturate
_SAME = 0.2  # of the slope below: what the article calls almost constant
_LEVEL = 0.05  # of the F-test
_FEW = 3  # cells, below which a verdict is weak
_PER = {"amplitude": "V", "width": "decade", "initial_resistance": "kohm"}
_GREEK = {"alpha": "α", "beta": "β"}


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
    weak : bool
        Whether the verdict rests on fewer than three cells.
    verdict : str
        The verdict in words: "holds", "does not hold (weak)" and the like.
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

    @property
    def weak(self) -> bool:
        return self.holds is not None and self.cells < _FEW

    @property
    def verdict(self) -> str:
        word = {True: "holds", False: "does not hold", None: "cannot be told"}[self.holds]
        return f"{word} (weak)" if self.weak else word

    def __str__(self) -> str:
        claim = f"{_GREEK[self.parameter]} {self.claim} with {words(self.axis)}"
        return f"{claim}: {self.verdict}. {self.reason}"


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


def _along(ds: xr.Dataset, parameter: str, axis: str, claim: str) -> Trend:
    part = np.argsort(np.abs(ds[axis].values))
    if claim == "rising" and axis == "initial_resistance":  # beyond, saturation is claimed
        part = part[ds[axis].values[part] <= SATURATION * (1 + 1e-9)]
        if part.size < 2:
            return _untold(parameter, axis, claim, "it takes two initial resistances up to 15 kohm")
    found = slopes(ds, parameter, axis, part)
    slope, low, high = band(found.slopes)
    cells = found.slopes.size
    if not np.isfinite(low):
        text = f"{cells} cells are valid at two settings or more, two cells are needed"
        return _untold(parameter, axis, claim, text + found.left_out, cells)
    if claim == "flat":
        holds = low <= 0 <= high
        reason = f"zero lies {'within' if holds else 'outside'} the band"
        differ, text = _differ(ds, axis, found)
        if holds and differ:
            holds, text = False, f"but the means differ, {text}"
        reason += f", {text}" if text else ""
    else:
        holds = low > 0
        reason = f"the band {'lies' if holds else 'does not lie'} above zero"
        falls = np.flatnonzero(np.diff(found.means) < 0)
        if holds and falls.size:
            k = int(falls[0])
            a, b = (_text(ds, axis, p) for p in found.places[k : k + 2])
            reason += f", though the mean falls from {a} to {b}"
    whole = part.size == ds.sizes[axis]
    end = "end to end" if whole else f"{_text(ds, axis, part[0])} to {_text(ds, axis, part[-1])}"
    reason = (
        f"slope {_band_text(slope, low, high)} per {_PER[axis]}: {reason}; "
        f"{found.change:+.0%} from {end}, {cells} cells{found.left_out}"
    )
    return Trend(parameter, axis, claim, slope, low, high, found.change, cells, holds, reason)


def _differ(ds: xr.Dataset, axis: str, found: Slopes) -> tuple[bool, str]:
    """Whether the means differ between the places, and in words."""
    test, means = spread(found.curves), found.means
    if test is None:
        return False, ""
    k, m = int(means.argmin()), int(means.argmax())
    text = (
        f"{means[k]:.2g} at {_text(ds, axis, found.places[k])} and {means[m]:.2g} at "
        f"{_text(ds, axis, found.places[m])}, F({test.between}, {test.within}) = {test.f:.3g}, "
        f"p = {test.p:.2g}"
    )
    return test.p < _LEVEL, text


def _untold(parameter: str, axis: str, claim: str, reason: str, cells: int = 0) -> Trend:
    nan = float("nan")
    return Trend(parameter, axis, claim, nan, nan, nan, nan, cells, None, reason)


def _text(ds: xr.Dataset, axis: str, place: int) -> str:
    return format_si(abs(ds[axis].values[place]), UNITS[axis])


def _saturating(ds: xr.Dataset) -> Trend:
    axis, ohms = "initial_resistance", ds["initial_resistance"].values
    upper = np.flatnonzero(ohms >= SATURATION * (1 - 1e-9))
    lower = np.flatnonzero(ohms <= SATURATION * (1 + 1e-9))
    if upper.size < 2 or lower.size < 2:
        text = "it takes two initial resistances up to 15 kohm and two from there"
        return _untold("beta", axis, "saturating", text)
    found = slopes(ds, "beta", axis, upper)
    slope, low, high = band(found.slopes)
    below = band(slopes(ds, "beta", axis, lower).slopes)
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
