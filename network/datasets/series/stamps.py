"""Values with time stamps, as .ts files have them: ``(0,1.2),(1,1.3)`` or dates for times."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from ddkbase.errors import InputError, shorten
from network.datasets.series.lines import series_of

__all__ = ["UNEVEN", "check_same_times", "parted", "step_of", "values_and_times"]

#: share of a step by which steps may differ
UNEVEN = 0.01
_PAIR = re.compile(r"\s*\(\s*([^(),]+?)\s*,\s*([^(),]*?)\s*\)\s*(,|$)")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")


def parted(line: str) -> list[str]:
    """Channels and class of a line; the ':' within a date parts nothing."""
    return re.split(r"(?<=\))\s*:\s*", line)


def values_and_times(text: str, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Values of a channel, and when they were.

    Parameters
    ----------
    text : str
        Pairs ``(time,value)``, parted by commas; times are numbers, or dates as
        "2020-01-01 00:00:00".
    where : str
        File, line and channel, for errors.

    Returns
    -------
    values : ndarray of float64, shape (steps,)
        NaN for "?" and "NaN".
    times : ndarray of float64, shape (steps,)
        In the unit of the file, or in seconds from the first date.

    Raises
    ------
    InputError
        Something else than pairs; a time that is neither a number nor a date, or is not later than
        the one before; steps of time that differ by more than 1 %.
    """
    stamps: list[str] = []
    values: list[str] = []
    at = 0
    while at < len(text) or not stamps:
        match = _PAIR.match(text, at)
        if match is None or (match[3] and match.end() == len(text)):
            raise InputError(
                f"{shorten(text[at : at + 40])} is no pair",
                f"{where}, value {len(stamps) + 1}",
                "With @timeStamps true each value is written as (time,value)",
            )
        stamps.append(match[1])
        values.append(match[2])
        at = match.end()
    times = _times(stamps, where)
    steps = np.diff(times)
    if (steps <= 0).any():
        k = int((steps <= 0).argmax())
        raise InputError(
            f"time {shorten(stamps[k + 1])} is not later than {shorten(stamps[k])} before it",
            f"{where}, value {k + 2}",
            "Sort the series by time, and write each time once",
        )
    uneven = np.abs(steps - steps[:1]) > UNEVEN * steps[:1]
    if uneven.any():
        k = int(uneven.argmax())
        raise InputError(
            f"the step from {shorten(stamps[k])} to {shorten(stamps[k + 1])} is {steps[k]:.6g}, "
            f"the first {steps[0]:.6g}",
            f"{where}, value {k + 2}",
            "Series at equal steps are read: resample it, or write '?' where a value is missing",
        )
    return series_of(",".join(values), where), times


def _times(stamps: Sequence[str], where: str) -> np.ndarray:
    """Numbers as they are, dates as seconds from the first."""
    odd = next((k for k, stamp in enumerate(stamps) if not _NUMBER.fullmatch(stamp)), None)
    if odd is None:
        return np.array(stamps, dtype=float)
    if odd:
        raise InputError(
            f"time {shorten(stamps[odd])} is no number, the first is", f"{where}, value {odd + 1}"
        )
    dates = []
    for number, stamp in enumerate(stamps, start=1):
        try:
            date = datetime.fromisoformat(stamp)
        except ValueError:
            other = bool(_NUMBER.fullmatch(stamp))  # not the first, which is a date then
            what = "is a number, the first a date" if other else "is neither a number nor a date"
            raise InputError(
                f"time {shorten(stamp)} {what}",
                f"{where}, value {number}",
                "Dates are written as 2020-01-31 12:00:00",
            ) from None
        dates.append(date if date.tzinfo is not None else date.replace(tzinfo=UTC))
    return np.array([(date - dates[0]).total_seconds() for date in dates])


def step_of(times: np.ndarray) -> float:
    """Mean step of times, NaN of a single one."""
    return float(times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else float("nan")


def check_same_times(times: Sequence[np.ndarray], where: str) -> None:
    """InputError where a channel, of as many values as the first, is not at its steps."""
    for number, other in enumerate(times[1:], start=2):
        one, two = step_of(times[0]), step_of(other)
        if abs(one - two) > UNEVEN * one:
            raise InputError(
                f"channel {number} has steps of {two:.6g}, the first of {one:.6g}", where
            )
