"""The article's statements on alpha and beta, held against a table (its Figs. 2b-d and S8).

A cycle of a device is the same cell at every setting, so each cell gets a slope of its own and the
band is that of the mean of these slopes: 95 %, Student's, over devices if the table has several,
else over cycles. Only cells that are valid along the whole axis count.
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

__all__ = ["SATURATION", "Trend", "statement", "trends"]

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
    change : of the mean from one end of the axis to the other, over its average.
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
    """The statements on every axis of a table's dataset that has at least three values."""
    found = []
    for axis in AXES:
        if ds.sizes[axis] < 2:
            continue
        for parameter, claim in (("alpha", "flat"), ("beta", "rising")):
            found.append(_along(ds, parameter, axis, claim))
        if axis == "initial_resistance":
            found.append(_saturating(ds, found[-1]))
    return found


def statement(tables: Sequence[Any]) -> list[Trend]:
    """The statements of several tables; of two on the same axis, that of the table with only this
    axis counts, then that with more cells."""
    best: dict[tuple[str, str, str], tuple[tuple[int, int], Trend]] = {}
    for table in tables:
        ds = getattr(table, "dataset", table)
        axes = sum(ds.sizes[a] > 1 for a in AXES)
        for trend in trends(ds):
            key = trend.axis, trend.parameter, trend.claim
            rank = (-axes, trend.cells)
            if key not in best or rank > best[key][0]:
                best[key] = rank, trend
    order = {axis: k for k, axis in enumerate(AXES)}
    chosen = [pair[1] for pair in best.values()]
    return sorted(chosen, key=lambda t: (t.parameter, order[t.axis], t.claim == "saturating"))


def _slopes(
    ds: xr.Dataset, parameter: str, axis: str, part: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Slope of each cell along part of the axis, averaged over the other axes, and the values,
    (places, cells): of each cell, or device if there are several. NaN: not valid all along."""
    values = np.where(ds["valid"].values, ds[parameter].values, np.nan)
    values = np.moveaxis(values, AXES.index(axis), 0)[part]
    x = _position(ds, axis)[part]
    values = values.mean((1, 2))  # other axes; (places, cycle, device)
    if values.shape[2] > 1:
        kept = np.isfinite(values).all(0)
        count = kept.sum(0)
        with np.errstate(all="ignore"):
            values = np.where(kept, values, 0.0).sum(1) / np.where(count > 0, count, np.nan)
    values = values.reshape(len(x), -1)
    values = values[:, np.isfinite(values).all(0)]
    centred = x - x.mean()
    return centred @ values / (centred @ centred), values


def _position(ds: xr.Dataset, axis: str) -> np.ndarray:
    values = np.abs(ds[axis].values)
    return {"amplitude": values, "width": np.log10(values)}.get(axis, values / 1e3)


def _band(slopes: np.ndarray) -> tuple[float, float, float]:
    if slopes.size < 2:
        mean = float(slopes.mean()) if slopes.size else np.nan
        return mean, np.nan, np.nan
    half = float(half_width(np.array(slopes.std(ddof=1)), np.array(slopes.size), True))
    mean = float(slopes.mean())
    return mean, mean - half, mean + half


def _along(ds: xr.Dataset, parameter: str, axis: str, claim: str) -> Trend:
    order = np.argsort(np.abs(ds[axis].values))
    slopes, values = _slopes(ds, parameter, axis, order)
    slope, low, high = _band(slopes)
    means = values.mean(1) if values.size else np.full(2, np.nan)
    average = means.mean()
    change = float((means[-1] - means[0]) / average) if average else np.nan
    where = f"slope {_band_text(slope, low, high)} per {_PER[axis]}"
    if not np.isfinite(low):
        return Trend(
            parameter, axis, claim, slope, low, high, change, slopes.size, None,
            f"{slopes.size} cells are valid along the whole axis, two are needed",
        )  # fmt: skip
    if claim == "flat":
        holds = low <= 0 <= high
        reason = f"{where}: zero lies {'within' if holds else 'outside'} the band"
    else:
        holds = low > 0
        reason = f"{where}: the band lies {'above zero' if holds else 'not above zero'}"
        falls = np.flatnonzero(np.diff(means) < 0)
        if holds and falls.size:
            k = int(falls[0])
            a, b = (format_si(abs(ds[axis].values[order[i]]), UNITS[axis]) for i in (k, k + 1))
            reason += f", though the mean falls from {a} to {b}"
    reason += f"; {change:+.0%} from end to end, {slopes.size} cells"
    return Trend(parameter, axis, claim, slope, low, high, change, slopes.size, bool(holds), reason)


def _saturating(ds: xr.Dataset, rising: Trend) -> Trend:
    axis = "initial_resistance"
    ohms = ds[axis].values
    upper, lower = (
        np.flatnonzero(ohms >= SATURATION * (1 - 1e-9)),
        np.flatnonzero(ohms <= SATURATION),
    )
    nothing = (np.nan, np.nan, np.nan, np.nan, 0)
    if upper.size < 2 or lower.size < 2:
        return Trend(
            "beta", axis, "saturating", *nothing, None,
            "it takes two initial resistances up to 15 kohm and two from there",
        )  # fmt: skip
    slopes, values = _slopes(ds, "beta", axis, upper)
    slope, low, high = _band(slopes)
    below = _band(_slopes(ds, "beta", axis, lower)[0])
    change = (
        float((values[-1].mean() - values[0].mean()) / values.mean()) if values.size else np.nan
    )
    text = (
        f"slope from 15 kohm {_band_text(slope, low, high)} per kohm, below "
        f"{_band_text(*below)}; {change:+.0%} from 15 kohm to the end, {slopes.size} cells"
    )
    if not np.isfinite([low, below[1]]).all():
        return Trend("beta", axis, "saturating", slope, low, high, change, slopes.size, None, text)
    if below[1] <= 0:
        text += "; beta does not rise below, so there is nothing to saturate"
    holds = below[1] > 0 and (low <= 0 <= high or abs(slope) <= _SAME * below[0])
    return Trend(
        "beta", axis, "saturating", slope, low, high, change, slopes.size, bool(holds), text
    )


def _band_text(mean: float, low: float, high: float) -> str:
    return f"{mean:.3g} [{low:.3g}, {high:.3g}]"
