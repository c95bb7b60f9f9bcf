"""What a screening is: parameters with their ranges, trajectories through them, their runs."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ddkbase.errors import InputError, closest, shorten
from ddkbase.units import exact_text, format_si, to_si
from devicephys.device import Device, load_device
from devicephys.device.entries import parameter_value
from devicephys.device.range_table import Range
from devicephys.device.ranges import ranges_of
from devicephys.parameter_sweep.description import ParameterSweep, plan_points, values_of
from devicephys.parameter_sweep.keys import PROTOCOL, RUNS, Keys
from devicephys.screening.morris import Trajectories, draw_trajectories

__all__ = ["Interval", "Screening", "plan_screening"]


_EXAMPLE = "Write e.g. '8 nm, 10 nm' or '20 %'"


@dataclasses.dataclass(frozen=True)
class Interval:
    """The range of one parameter.

    Parameters
    ----------
    key : str
        Dotted path of the device, or "protocol." and an argument of the protocol.
    unit : str
        Unit of the parameter; "1" of a pure number.
    lower, upper : float
        Its ends, in that unit; with ``of`` as a share of that parameter.
    scale : {"linear", "log"}
        Whether values or their logarithms are equally far apart.
    of : str, default ""
        Parameter that it is a share of.
    below : str, default ""
        Parameter that it does not exceed.
    share_unit : str, default ""
        Unit of the ends of a share.
    """

    key: str
    unit: str
    lower: float
    upper: float
    scale: str
    of: str = ""
    below: str = ""
    share_unit: str = ""

    def at(self, share: float) -> float:
        """The value, or share of ``of``, at a share of the way from the lower to the upper end."""
        if self.scale == "log":
            return math.exp(math.log(self.lower) * (1 - share) + math.log(self.upper) * share)
        return self.lower * (1 - share) + self.upper * share

    @property
    def text(self) -> str:
        """The ends as people read them, e.g. "8 nm to 10 nm"."""
        unit = self.share_unit if self.of else self.unit
        low, high = (_shown(value, unit) for value in (self.lower, self.upper))
        return f"{low} to {high} of {self.of}" if self.of else f"{low} to {high}"


def _shown(value: float, unit: str) -> str:
    return f"{value:.4g}" if unit == "1" else format_si(value, unit, 4)


def interval_of(
    key: str, given: object, within: float | None, device: Device, keys: Keys
) -> Interval:
    """The range of a parameter.

    Parameters
    ----------
    key : str
        Which parameter.
    given : str, sequence of str or None
        Both ends, a share around the value that the cell has, or None.
    within : float or None
        The share where none is given; None: the range of docs/ranges.md.
    device : Device
        The cell.
    keys : Keys
        What may vary.

    Raises
    ------
    InputError
        An unknown key, one that takes no number, ends that are none, no share, or a share of zero.
    """
    unit = keys.exact_unit(key)
    if not unit:
        raise InputError(f"'{key}' takes no number with a unit", "--vary", "Leave it out")
    documented = ranges_of(device).get(key)
    ends = _ends(key, given, unit)
    if len(ends) == 2:
        lower, upper = ends
    elif ends or within is not None:
        share = ends[0] if ends else within or 0.0
        if not 0 < share < 1:
            raise InputError(f"{share:g} is no share between 0 and 1", key, "Write e.g. '20 %'")
        if key.startswith(PROTOCOL):
            raise InputError(f"the cell has no '{key}'", "--vary", "Give both ends")
        value = parameter_value(device, key)
        if value == 0:
            hint = "Give both ends, or leave it out"
            raise InputError("it is 0, of which a share is nothing", f"--vary {key}", hint)
        lower, upper = sorted((value * (1 - share), value * (1 + share)))
    elif documented is None:
        raise InputError("it has no range in docs/ranges.md", f"--vary {key}", _EXAMPLE)
    else:
        return _documented(documented, unit)
    if not lower < upper:
        raise InputError(f"{shorten(given)} are not two ends, the lower first", key, _EXAMPLE)
    logarithmic = documented is not None and documented.scale == "log" and lower > 0
    return Interval(key, unit, lower, upper, "log" if logarithmic else "linear")


def _ends(key: str, given: object, unit: str) -> list[float]:
    """Two ends, a share alone, or nothing."""
    if given is None:
        return []
    texts: Sequence[object] = values_of(given, key) if isinstance(given, str) else [given]
    if isinstance(given, Sequence) and not isinstance(given, str):
        texts = given
    if len(texts) == 1:
        try:
            return [to_si(texts[0], "1", key)]
        except InputError:
            raise InputError(f"{shorten(texts[0])} is no share", key, _EXAMPLE) from None
    if len(texts) != 2:
        raise InputError(f"{len(texts)} values are not two ends", key, _EXAMPLE)
    return [to_si(text, unit, key) for text in texts]


def _documented(entry: Range, unit: str) -> Interval:
    """The range of docs/ranges.md."""
    return Interval(
        entry.path, unit, entry.lower, entry.upper, entry.scale, entry.of, entry.below, entry.unit
    )


def values_at(
    intervals: Mapping[str, Interval], shares: Mapping[str, float], device: Device
) -> dict[str, str]:
    """The values of all parameters at a point of the unit cube.

    Parameters
    ----------
    intervals : mapping of str to Interval
        Range of each parameter.
    shares : mapping of str to float
        How far each is on its way, from 0 to 1.
    device : Device
        The cell; for what a parameter is a share of and does not vary.

    Returns
    -------
    dict of str
        Text of each value, with its unit.
    """
    values: dict[str, float] = {}

    def value(key: str) -> float:
        """The value of a parameter, after that of the one it is a share of."""
        if key not in intervals:
            return parameter_value(device, key)
        if key not in values:
            interval = intervals[key]
            number = interval.at(shares[key]) * (value(interval.of) if interval.of else 1.0)
            values[key] = min(number, value(interval.below)) if interval.below else number
        return values[key]

    return {key: exact_text(value(key), interval.unit) for key, interval in intervals.items()}


_MOST_POINTS = 100_000


@dataclasses.dataclass(frozen=True)
class Screening:
    """A screening that is checked.

    Parameters
    ----------
    intervals : mapping of str to Interval
        The parameters and their ranges.
    trajectories : Trajectories
        The walks through the unit cube of the ranges.
    stops : numpy.ndarray of int, shape (trajectory, stop)
        Which point of the sweep each stop is; walks that meet share it.
    sweep : ParameterSweep
        The runs.
    levels, seed : int
        How the trajectories were drawn.
    remarks : tuple of str, default ()
        What is allowed and may not be meant.
    """

    intervals: Mapping[str, Interval]
    trajectories: Trajectories
    stops: np.ndarray
    sweep: ParameterSweep
    levels: int
    seed: int
    remarks: tuple[str, ...] = ()

    def asked(self) -> dict[str, Any]:
        """Plain mapping of what varies and how it was drawn, for files."""
        return {
            "levels": self.levels,
            "seed": self.seed,
            "follow": dict(self.sweep.follow),
            "ranges": {key: dataclasses.asdict(i) for key, i in self.intervals.items()},
        }


def plan_screening(
    vary: Mapping[str, Any] | Sequence[str] | None = None,
    device: str | Device = "tin-taox-hfox-tin",
    run: str = "loops",
    *,
    within: object = None,
    trajectories: int = 10,
    levels: int = 4,
    seed: int = 0,
    changes: Mapping[str, Any] | None = None,
    follow: Mapping[str, str] | None = None,
    preset: str = "default",
    checkpoint_every: int | None = None,
    motion: bool = True,
) -> Screening:
    """Check a screening: every cell of it is made before the first is simulated.

    Parameters
    ----------
    vary : mapping, sequence of str or None, optional
        As for `devicephys.screen`.
    device : str or Device, default "tin-taox-hfox-tin"
        The cell.
    run : {"loops", "pulses", "retention", "endurance"}, default "loops"
        What is done with each cell.
    within : str, float or None, optional
        As for `devicephys.screen`.
    trajectories : int, default 10
        How many trajectories.
    levels : int, default 4
        Levels of each parameter; even.
    seed : int, default 0
        Seed of the trajectories.
    changes : mapping or None, optional
        As for `devicephys.sweep`.
    follow : mapping of str to str or None, optional
        As for `devicephys.sweep`.
    preset : str, default "default"
        How finely mesh and time are resolved.
    checkpoint_every : int or None, optional
        As of `devicephys.run.Request`.
    motion : bool, default True
        As for `devicephys.sweep`.

    Returns
    -------
    Screening
        The points and what they run.

    Raises
    ------
    InputError
        Nothing that varies, an unknown key or run, a range that is none, no whole number, or a
        point that is no valid cell or protocol; the point is named.
    """
    if run not in RUNS:
        raise InputError(f"unknown run {shorten(run)}", "run", closest(str(run), RUNS))
    cell = load_device(device) if isinstance(device, str) else device
    set_keys = {k: str(v) for k, v in (changes or {}).items() if not k.startswith(PROTOCOL)}
    cell = cell.with_(set_keys)
    keys = Keys(cell, run)
    share = None if within is None else to_si(within, "1", "--within")
    given = _given(vary, cell, {*(changes or {}), *(follow or {})})
    zero = [k for k in given if vary is None and share and parameter_value(cell, k) == 0]
    given = {key: text for key, text in given.items() if key not in zero}
    intervals = {key: interval_of(key, text, share, cell, keys) for key, text in given.items()}
    walks = draw_trajectories(len(intervals), trajectories, levels=levels, seed=seed)
    if walks.coordinates.shape[0] * walks.coordinates.shape[1] > _MOST_POINTS:
        raise InputError(f"more than {_MOST_POINTS} points", "--trajectories", "Give fewer")
    numbers: dict[tuple[str, ...], int] = {}
    names: list[str] = []
    stops = np.empty(walks.coordinates.shape[:2], dtype=int)
    for t, s in np.ndindex(*stops.shape):
        shares = dict(zip(intervals, walks.coordinates[t, s].tolist(), strict=True))
        texts = tuple(values_at(intervals, shares, cell).values())
        if texts not in numbers:
            numbers[texts] = len(names)
            names.append(f"trajectory-{t + 1:02d}-stop-{s:02d}")
        stops[t, s] = numbers[texts]
    try:
        sweep = plan_points(
            {key: (interval.text,) for key, interval in intervals.items()},
            numbers,
            device,
            run,
            names=names,
            changes=changes,
            follow=follow,
            preset=preset,
            checkpoint_every=checkpoint_every,
            motion=motion,
        )
    except InputError as error:
        bad = error.where.partition(" at ")[0]
        if bad not in intervals:
            raise
        hint = f"{error.hint.rstrip('.')}, or narrow its range, e.g. --vary {bad}='2 %'"
        raise InputError(error.what, error.where, hint) from None
    remarks = sweep.remarks
    if zero:
        remarks += (f"left out, as a share of 0 is nothing: {', '.join(zero)}",)
    return Screening(intervals, walks, stops, sweep, levels, seed, remarks)


def _given(
    vary: Mapping[str, Any] | Sequence[str] | None, device: Device, taken: set[str]
) -> dict[str, Any]:
    """The parameters, and what was said of the range of each; by default all documented ones."""
    if vary is None:
        return {key: None for key in ranges_of(device) if key not in taken}
    if isinstance(vary, Mapping):
        given = {str(key): value for key, value in vary.items()}
    elif isinstance(vary, str) or not isinstance(vary, Sequence):
        hint = "Write e.g. ['filament.radius']"
        raise InputError(f"{shorten(vary)} is no list of parameters", "--vary", hint)
    else:
        given = {str(key): None for key in vary}
        if len(given) < len(vary):
            raise InputError("a parameter is named twice", "--vary", "Name it once")
    if not given:
        raise InputError("nothing varies", "--vary", "Name a parameter, e.g. filament.radius")
    return given
