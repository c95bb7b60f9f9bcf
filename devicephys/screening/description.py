"""What a screening is: parameters with their ranges, trajectories through them, their runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ddkbase.errors import InputError, closest, shorten
from ddkbase.units import to_si
from devicephys.device import Device, load_device
from devicephys.device.entries import parameter_value
from devicephys.device.ranges import ranges_of
from devicephys.parameter_sweep.description import ParameterSweep, plan_points
from devicephys.parameter_sweep.keys import PROTOCOL, RUNS, Keys
from devicephys.screening.intervals import Interval, interval_of, values_at
from devicephys.screening.morris import Trajectories, draw_trajectories

__all__ = ["Screening", "plan_screening"]

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
