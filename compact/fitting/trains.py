"""Pulse trains at the door of the fit: taken apart, checked, brought to a common scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ddkbase.errors import InputError, closest, shorten

__all__ = ["DIRECTIONS", "Trains", "change", "prepare", "read_trains"]

DIRECTIONS = ("down", "up")
_SMALLEST = 3  # pulses
_SPARSE = 0.5  # share of the pulses after which there is a read, up to which none was missed
_ENDS = 0.1  # share of a train whose mean counts as its beginning, and as its end


@dataclass(frozen=True)
class Trains:
    """Trains on a common scale, time-major, n states of N trains.

    Attributes
    ----------
    values : ndarray, shape (n, N)
        Conductance from 0 (smallest of the train) to 1 (largest); 0 where missing.
    weights : ndarray, shape (n, N)
        Weight of each, 1 where there is a value.
    x : ndarray, shape (n - 1, 1) or (n - 1, N)
        Inputs.
    low, span : ndarray, shape (N,)
        Smallest conductance and difference to the largest.
    lengths : ndarray, shape (N,)
        Number of pulses.
    up : ndarray, shape (N,)
        Whether the train rises.
    physical : bool
        Whether a negative conductance is impossible.
    reasons : ndarray, shape (N,)
        Why a train cannot be fitted; empty where it can.
    """

    values: np.ndarray
    weights: np.ndarray
    x: np.ndarray
    low: np.ndarray
    span: np.ndarray
    lengths: np.ndarray
    up: np.ndarray
    physical: bool
    reasons: np.ndarray

    @property
    def usable(self) -> np.ndarray:
        return np.flatnonzero(self.reasons == "")

    def part(self, index: np.ndarray) -> Trains:
        """The trains of these numbers."""
        return Trains(
            self.values[:, index],
            self.weights[:, index],
            self.x if self.x.shape[1] == 1 else self.x[:, index],
            self.low[index],
            self.span[index],
            self.lengths[index],
            self.up[index],
            self.physical,
            self.reasons[index],
        )

    def oriented(self, up: bool, mirror: bool) -> tuple[Trains, int]:
        """The trains as they are fitted, and the sign of their equation: -1 for Eq. (4)."""
        if up and mirror:
            return self.mirrored(), -1
        return self, 1 if up else -1

    def mirrored(self) -> Trains:
        """The trains upside down, so that what rises falls by Eq. (4).

        G_min takes the place of G_max, and there is no bound at zero conductance for it.
        """
        return replace(self, values=self.weights * (1 - self.values), physical=False)


def read_trains(train: Any, normalised: bool | None) -> tuple[np.ndarray, bool, Any]:
    """Conductances (N, n), whether they are normalised, and the directions if the data say.

    A ``PulseTrace`` brings its conductance before the first pulse; an array begins with it.
    A dataset on (train, pulse) is taken as it is, ``length`` cutting off its padding.
    """
    directions = None
    data = train
    if hasattr(train, "data_vars"):
        if "conductance" not in train.data_vars:
            raise InputError("the dataset has no variable 'conductance'", "train")
        data = train["conductance"]
        if "direction" in train.variables:
            directions = [str(d) for d in np.atleast_1d(train["direction"].values)]
    units = str(getattr(data, "attrs", {}).get("units", ""))
    if units not in ("", "1", "S"):
        raise InputError(
            f"conductance is in '{units}'", "train", "Convert it to S, or to a pure number"
        )
    if normalised is None:
        normalised = units == "1"
    if hasattr(data, "dims") and "pulse" in data.dims:
        data = data.transpose(..., "pulse")
    try:
        values = np.array(getattr(data, "values", data), dtype=float)
    except (TypeError, ValueError):
        raise InputError(f"{shorten(train)} is no array of numbers", "train") from None
    if values.ndim == 0:
        raise InputError("a single number is no pulse train", "train")
    values = np.atleast_2d(values)
    if values.ndim != 2:
        raise InputError(
            f"conductance has shape {values.shape}", "train", "Give (pulses) or (trains, pulses)"
        )
    if hasattr(train, "data_vars"):
        if "length" in train.variables:
            lengths = np.atleast_1d(train["length"].values)
            for row, length in zip(values, lengths, strict=True):
                row[int(length) :] = np.nan
        if "initial_conductance" in train.variables:
            first = np.broadcast_to(train["initial_conductance"].values, values.shape[:1])
            values = _with_first(np.asarray(first, dtype=float), values)
    return values, normalised, directions


def _with_first(first: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Put the read before the first pulse in front, where there was one (NaN: there was none).

    Where there was none the first read that there is takes its place.
    """
    known = ~np.isnan(first)
    for row in np.flatnonzero(~known & np.isnan(values[:, :1]).all(1)):
        begin = int(np.argmax(np.isfinite(values[row])))
        values[row] = np.concatenate([values[row, begin:], np.full(begin, np.nan)])
    if not known.any():
        return values
    padded = np.concatenate([values, np.full((len(values), 1), np.nan)], axis=1)
    padded[known] = np.concatenate([first[known, None], values[known]], axis=1)
    return padded


def prepare(
    values: np.ndarray,
    normalised: bool,
    x: Any = None,
    direction: str | Sequence[str] | None = None,
    skip_missing: bool = False,
) -> Trains:
    """Check trains and scale them.

    Parameters
    ----------
    values : ndarray, shape (N, n)
        The trains; NaN at the end of a row is padding.
    normalised : bool
        The numbers are in a unit of their own, and may be negative.
    x : array_like, shape (n - 1,) or (N, n - 1), optional
        Inputs of the pulses; 1 by default.
    direction : {"down", "up"}, sequence of str or None, optional
        "down", "up", one of them per train, or None: what the train does.
    skip_missing : bool, default False
        NaN within a train is a read that was not made, not an error. Where at most half of the
        pulses have a read it is that in any case.

    Raises
    ------
    InputError
        What concerns the whole call; what concerns one train is in ``reasons``.
    """
    number, size = values.shape
    ways = _directions(direction, number)
    there = ~np.isnan(values)
    last = np.where(there.any(1), size - there[:, ::-1].argmax(1), 0)
    reasons = np.full(number, "", dtype=object)

    def refuse(bad: np.ndarray, reason: str) -> None:
        reasons[bad & (reasons == "")] = reason

    inside = np.arange(size)[None, :] < last[:, None]
    holes = (inside & ~there).any(1)
    pulses = np.maximum(last - 1, 0)
    reads = there.sum(1) - 1
    refuse(pulses < _SMALLEST, f"fewer than {_SMALLEST} pulses")
    refuse(np.isinf(values).any(1), "holds infinity")
    if skip_missing:
        refuse(~there[:, 0], "the first read is missing")
        refuse(reads < _SMALLEST, f"fewer than {_SMALLEST} reads")
    else:
        refuse(holes & (reads > _SPARSE * pulses), "holds NaN")
        refuse(holes & (~there[:, 0] | (reads < _SMALLEST)), f"fewer than {_SMALLEST} reads")
    if not normalised:
        refuse((values < 0).any(1), "negative conductance")
    with np.errstate(all="ignore"):
        low = np.min(np.where(there, values, np.inf), axis=1, initial=np.inf)
        span = np.max(np.where(there, values, -np.inf), axis=1, initial=-np.inf) - low
        refuse(~(span > 1e-12 * np.maximum(np.abs(low), np.abs(low + span))), "constant")
    usable = reasons == ""
    low, span = np.where(usable, low, 0.0), np.where(usable, span, 1.0)
    scaled = np.where(there & usable[:, None], (values - low[:, None]) / span[:, None], 0.0)
    rise = change(scaled, there, last)
    up = np.array([word == "up" if word else c > 0 for word, c in zip(ways, rise, strict=True)])
    stated = np.array([word is not None for word in ways])
    refuse(stated & ~up & (rise >= 0), "does not fall: the wrong way for RESET, Eq. (4)")
    refuse(stated & up & (rise <= 0), "does not rise: the wrong way for SET, Eq. (3)")
    return Trains(
        np.ascontiguousarray(scaled.T),
        np.ascontiguousarray((there & inside).T.astype(float)),
        _inputs(x, number, size - 1),
        low,
        span,
        pulses,
        up,
        not normalised,
        reasons,
    )


def _directions(direction: str | Sequence[str] | None, number: int) -> list[str | None]:
    """Direction of each train, None where none is stated; InputError for one that is unknown."""
    if direction is None or isinstance(direction, str):
        directions: list[str | None] = [direction] * number
    else:
        directions = list(direction)
    if len(directions) != number:
        raise InputError(f"{len(directions)} directions for {number} trains", "direction")
    for index, word in enumerate(directions):
        if word == "unknown":  # what `read_pulses` says of a train that goes neither way
            raise InputError(
                f"it is not known which way train {index} goes",
                "direction",
                'Give direction="down" or direction="up", or leave the train out',
            )
        if word is not None and word not in DIRECTIONS:
            raise InputError(
                f"unknown direction {shorten(word)}", "direction", closest(str(word), DIRECTIONS)
            )
    return directions


def change(scaled: np.ndarray, there: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Mean of the last tenth minus mean of the first tenth; the first value alone if short."""
    share = np.maximum((_ENDS * last).astype(int), 1)[:, None]
    position = np.arange(scaled.shape[1])[None, :]
    first = there & (position < share)
    final = there & (position >= last[:, None] - share) & (position < last[:, None])
    return (scaled * final).sum(1) / np.maximum(final.sum(1), 1) - (scaled * first).sum(
        1
    ) / np.maximum(first.sum(1), 1)


def _inputs(x: Any, number: int, pulses: int) -> np.ndarray:
    if x is None:
        return np.ones((pulses, 1))
    try:
        inputs = np.asarray(x, float)
    except (TypeError, ValueError):
        raise InputError(f"{shorten(x)} is no array of numbers", "x") from None
    if inputs.shape not in ((pulses,), (number, pulses)):
        raise InputError(
            f"x has shape {inputs.shape}",
            "x",
            f"Give one input a pulse: ({pulses},) or ({number}, {pulses})",
        )
    if not (np.isfinite(inputs).all() and (inputs >= 0).all() and (inputs <= 1).all()):
        raise InputError("an input is not between 0 and 1", "x")
    return inputs.reshape(1, -1).T if inputs.ndim == 1 else np.ascontiguousarray(inputs.T)
