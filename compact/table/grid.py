"""A table between its settings: interpolation, inversion and the reachable region.

Interpolation is linear in amplitude and initial resistance and in the logarithm of the width,
between the means of neighbouring settings; never outside of them, nor from RESET to SET.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import xarray as xr
from scipy.spatial import ConvexHull, QhullError

from compact.table.schema import AXES, UNITS, VALUES, axis_text
from ddkbase.errors import InputError
from ddkbase.units import format_si, to_si

_FINE = 25  # places along an axis, at least, in the search for an inversion and in the region
_LOW_WEIGHT = 1e-3  # of the wanted value against the largest of the table, below it counts as that
_ROUNDS = 40  # of the search around a start: each moves to a better setting or halves the step
_BEST = 24  # places of the lattice that the search starts from


@dataclass(frozen=True)
class Lookup:
    """What a table says at one setting; NaN for a setting or a spread that is not known.

    Attributes
    ----------
    amplitude : float, V
        Pulse amplitude.
    width : float, s
        Pulse width.
    initial_resistance : float, ohm
        Initial resistance, as wanted.
    alpha, beta : float
        Means over cells, per pulse.
    conductance_min, conductance_max : float, S, or 1 of a relative table
        Means over cells, at y = 0 and y = 1.
    alpha_spread, beta_spread : float
        Standard deviation of single cells.
    """

    amplitude: float
    width: float
    initial_resistance: float
    alpha: float
    beta: float
    conductance_min: float
    conductance_max: float
    alpha_spread: float
    beta_spread: float

    def setting(self) -> str:
        """The setting in words."""
        texts = [
            f"{axis_text(a)} {format_si(getattr(self, a), UNITS[a])}"
            for a in AXES
            if np.isfinite(getattr(self, a))
        ]
        return ", ".join(texts) or "the table's only setting"

    def __str__(self) -> str:
        return (
            f"{self.setting()}: alpha {self.alpha:.4g} (spread {_spread(self.alpha_spread)}), "
            f"beta {self.beta:.4g} (spread {_spread(self.beta_spread)})"
        )


def _spread(value: float) -> str:
    """A spread as text; one cell has none."""
    return "unknown, one cell" if math.isnan(value) else f"{value:.2g}"


@dataclass(frozen=True)
class Inversion:
    """The setting that comes closest to a wanted pair, and by how much it misses.

    Attributes
    ----------
    at : Lookup
        The setting, and what the table says there; the spread of single cells comes on top.
    alpha_wanted, beta_wanted : float
        The pair.
    alpha_error, beta_error : float
        What the setting gives less what was wanted.
    distance : float
        Root of the squares of these errors, relative to the pair.
    reached : bool
        Whether the distance is below 0.1 %.
    """

    at: Lookup
    alpha_wanted: float
    beta_wanted: float
    alpha_error: float
    beta_error: float
    distance: float
    reached: bool

    def __str__(self) -> str:
        word = "reached" if self.reached else "not within reach; closest"
        return (
            f"{word}: {self.at.setting()}; alpha {self.at.alpha:.4g} (error "
            f"{self.alpha_error:+.2g}, spread of cells {_spread(self.at.alpha_spread)}), beta "
            f"{self.at.beta:.4g} (error {self.beta_error:+.2g}, "
            f"spread {_spread(self.at.beta_spread)})"
        )


@dataclass(frozen=True)
class Region:
    """Pairs that the means of a table reach.

    Attributes
    ----------
    points : ndarray, shape (N, 2)
        Alpha and beta at finely divided settings.
    sheets : tuple of ndarray
        The same on surfaces (or lines) of neighbouring settings, each (m, n, 2).
    hull : ndarray, shape (k, 2)
        Corners of the convex polygon around all, first not repeated; two for a line.
    """

    points: np.ndarray
    sheets: tuple[np.ndarray, ...]
    hull: np.ndarray


class Tabulated(Protocol):
    """What pictures need of a table; `compact.AlphaBetaTable` is one."""

    @property
    def dataset(self) -> xr.Dataset: ...
    @property
    def means(self) -> xr.Dataset: ...
    @property
    def varied(self) -> tuple[str, ...]: ...
    def reachable(self) -> Region: ...


class Grid:
    """The means of a table, ready for interpolation."""

    def __init__(self, ds: xr.Dataset, means: xr.Dataset) -> None:
        self.axes = tuple(np.asarray(ds[a].values, float) for a in AXES)
        names = [*VALUES, "alpha_spread", "beta_spread"]
        self.values = np.stack([means[n].values for n in names], axis=-1)
        self.names = tuple(names)

    def setting(self, given: dict[str, Any]) -> np.ndarray:
        """The setting as numbers, (3,); NaN along an axis of unknown value.

        Raises InputError: no unit, outside of the table's range (which is named), or left out.
        """
        numbers = np.full(3, np.nan)
        for k, axis in enumerate(AXES):
            values, text = self.axes[k], given.get(axis)
            if text is None:
                if values.size > 1:
                    raise InputError(
                        f"the table has several values of {axis_text(axis)}", axis, self.range_of(k)
                    )
                numbers[k] = values[0]
                continue
            number = to_si(text, UNITS[axis], axis)
            if np.isnan(values).any():
                raise InputError(
                    f"the {axis_text(axis)} of these trains is not known",
                    axis,
                    "Leave it out, or fit anew and say it there",
                )
            slack = 1e-9 * max(abs(values[0]), abs(values[-1]))
            gap = self._gap(k)
            between = gap is not None and gap[0] + slack < number < gap[1] - slack
            if number < values[0] - slack or number > values[-1] + slack or between:
                raise InputError(
                    f"{format_si(number, UNITS[axis])} is outside of the table", axis,
                    self.range_of(k),
                )  # fmt: skip
            numbers[k] = min(max(number, values[0]), values[-1])
        return numbers

    def _gap(self, k: int) -> tuple[float, float] | None:
        """Largest negative and smallest positive amplitude, if there are both."""
        values = self.axes[k]
        if AXES[k] != "amplitude" or not (values[0] < 0 < values[-1]):
            return None
        return float(values[values < 0].max()), float(values[values > 0].min())

    def range_of(self, k: int) -> str:
        """The range of an axis, as a hint."""
        unit, values = UNITS[AXES[k]], self.axes[k]
        if values.size == 1:
            return f"It has {format_si(values[0], unit)} only"
        ends: list[float] = [values[0], values[-1]]
        gap = self._gap(k)
        if gap:
            ends = [values[0], *gap, values[-1]]
        texts = [format_si(v, unit) for v in ends]
        pairs = [f"{a} to {b}" for a, b in zip(texts[::2], texts[1::2], strict=True)]
        return f"It has {' and '.join(pairs)}"

    def at(self, settings: np.ndarray) -> np.ndarray:
        """Interpolated values (..., 6) at settings (..., 3) within the range; NaN where one of the
        neighbours has no valid entry."""
        lows, shares = [], []
        for k, values in enumerate(self.axes):
            x = settings[..., k]
            if values.size == 1:
                lows.append(np.zeros(x.shape, int))
                shares.append(np.zeros(x.shape))
                continue
            low = np.clip(np.searchsorted(values, x, side="right") - 1, 0, values.size - 2)
            scale = np.log if AXES[k] == "width" else np.asarray
            left, right = scale(values[low]), scale(values[low + 1])
            lows.append(low)
            shares.append(np.clip((scale(x) - left) / (right - left), 0.0, 1.0))
        out = np.zeros((*settings.shape[:-1], len(self.names)))
        for corner in itertools.product((0, 1), repeat=3):
            weight = np.ones(settings.shape[:-1])
            index = []
            for k, side in enumerate(corner):
                weight = weight * (shares[k] if side else 1 - shares[k])
                index.append(np.minimum(lows[k] + side, self.axes[k].size - 1))
            # a neighbour of no weight may be missing
            neighbour = self.values[tuple(index)]
            out += np.where(weight[..., None] > 0, weight[..., None] * neighbour, 0.0)
        return out

    def lookup(self, given: dict[str, Any]) -> Lookup:
        """Raises InputError as `setting`, and where a neighbour has no valid entry."""
        numbers = self.setting(given)
        answer = self._lookup(numbers)
        if not np.isfinite([answer.alpha, answer.beta]).all():
            raise InputError(f"no train is valid next to {answer.setting()}", "table")
        return answer

    def _lookup(self, setting: np.ndarray) -> Lookup:
        numbers = dict(zip(self.names, map(float, self.at(setting)), strict=True))
        return Lookup(*map(float, setting), **numbers)

    def _cells(self) -> list[list[tuple[float, float]]]:
        """Along each axis the intervals between neighbours, or the one value."""
        intervals = []
        for k, values in enumerate(self.axes):
            if values.size == 1:
                intervals.append([(float(values[0]), float(values[0]))])
                continue
            gap = self._gap(k)
            pairs = itertools.pairwise(map(float, values))
            # without a partner the last amplitude before the gap still belongs to an interval
            intervals.append([p for p in pairs if gap is None or p != gap])
            if gap is not None:
                ends = {v for p in intervals[-1] for v in p}
                intervals[-1] += [(v, v) for v in gap if v not in ends]
        return intervals

    def _fine(self, k: int) -> np.ndarray:
        """Places along an axis, its values among them, none between RESET and SET."""
        pieces = []
        intervals = self._cells()[k]
        each = max(3, _FINE // len(intervals) + 1)
        for low, high in intervals:
            # a coordinate that is not known is one NaN, which linspace would not keep
            if low == high or not np.isfinite(low):
                pieces.append(np.array([low]))
            elif AXES[k] == "width":
                pieces.append(np.geomspace(low, high, each))
            else:
                pieces.append(np.linspace(low, high, each))
        return np.unique(np.concatenate(pieces))

    def _lattice(self) -> np.ndarray:
        """Settings that divide the table finely, (amplitude, width, initial_resistance, 3)."""
        fine = [self._fine(k) for k in range(len(self.axes))]
        return np.stack(np.meshgrid(*fine, indexing="ij"), axis=-1)

    def invert(self, alpha: float, beta: float) -> Inversion:
        """The setting whose means come closest to a pair; of several, that with the least spread.

        Raises InputError: a wanted value is negative or no number; the table has no valid entry.
        """
        for name, value in (("alpha", alpha), ("beta", beta)):
            if not (
                isinstance(value, int | float | np.number) and np.isfinite(value) and value >= 0
            ):
                raise InputError(f"{value!r} is no number from 0", name, "Use 0 or more")
        target = np.array([float(alpha), float(beta)])
        largest = np.nanmax(self.values[..., :2], axis=(0, 1, 2), initial=0.0)
        # errors are relative to the target, but a target of 0 must not make all others worthless
        scale = np.maximum(target, np.maximum(_LOW_WEIGHT * largest, 1e-12))

        def misses(settings: np.ndarray) -> np.ndarray:
            off = (self.at(settings)[..., :2] - target) / scale
            return np.where(np.isfinite(off).all(-1), np.sqrt((off**2).sum(-1)), np.inf)

        # multilinear means are not convex: a lattice finds the valleys, the search their bottoms
        grid = self._lattice().reshape(-1, 3)
        first = misses(grid)
        if not np.isfinite(first).any():
            raise InputError("the table has no valid entry", "table")
        best = grid[np.argsort(first)[:_BEST]]
        best = best[np.isfinite(misses(best))]
        best = np.array([self._refined(start, misses) for start in best])
        distance = misses(best)
        # two equations in up to three unknowns: many settings may give the pair equally well
        close = np.flatnonzero(distance <= distance.min() + 1e-6)
        spread = self.at(best[close])[:, 4:6] / scale
        index = close[int(np.argmin(np.nan_to_num((spread**2).sum(-1), nan=np.inf)))]
        at = self._lookup(best[index])
        return Inversion(
            at,
            float(alpha),
            float(beta),
            at.alpha - float(alpha),
            at.beta - float(beta),
            float(distance[index]),
            bool(distance[index] < 1e-3),
        )

    def _refined(self, start: np.ndarray, misses: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Search on a star of settings around the best, which shrinks.

        Without derivatives: the interpolation has kinks at the settings of the table.
        """
        low = np.array([v[0] for v in self.axes])
        high = np.array([v[-1] for v in self.axes])
        free = np.flatnonzero(high > low)
        moves = np.array(list(itertools.product((-1.0, 0.0, 1.0), repeat=free.size)))
        step = np.zeros((len(moves), 3))
        step[:, free] = moves
        step *= np.where(high > low, (high - low) / 24, 0.0)
        here, value = start, float(misses(start))
        for _ in range(_ROUNDS):
            trial = np.where(high > low, np.clip(here + step, low, high), here)
            trial = trial[[self._allowed(t) for t in trial]]
            scores = misses(trial)
            k = int(np.argmin(scores))
            if scores[k] < value:
                here, value = trial[k], float(scores[k])
            else:
                step /= 2
        return here

    def _allowed(self, setting: np.ndarray) -> bool:
        gap = self._gap(0)
        return gap is None or not gap[0] < setting[0] < gap[1]

    def region(self) -> Region:
        """What the means reach.

        Raises InputError: the table has no valid entry.
        """
        settings = self._lattice()
        pairs = self.at(settings)[..., :2]
        gap = self._gap(0)
        groups = [slice(None)]
        if gap is not None:
            cut = int(np.searchsorted(settings[:, 0, 0, 0], 0.0))
            groups = [slice(0, cut), slice(cut, None)]
        sheets = []
        for group in groups:
            block = pairs[group]
            # surfaces across each axis of three, else the one surface or line that there is
            wide = [k for k in range(3) if block.shape[k] > 1]
            across = wide if len(wide) == 3 else [k for k in range(3) if k not in wide][:1]
            for k in across:
                sheets += [np.take(block, i, axis=k) for i in range(block.shape[k])]
        points = pairs.reshape(-1, 2)
        points = points[np.isfinite(points).all(1)]
        if not len(points):
            raise InputError("the table has no valid entry", "table")
        flat = tuple(s for s in sheets if np.isfinite(s).all(-1).any())
        return Region(points, flat, _hull(points))


def _hull(points: np.ndarray) -> np.ndarray:
    different = np.unique(points, axis=0)
    if len(different) < 3:
        return different
    try:
        return np.asarray(different[ConvexHull(different).vertices])
    except QhullError:  # all on one line: its two ends
        order = np.argsort(different @ np.ptp(different, axis=0))
        return different[[order[0], order[-1]]]
