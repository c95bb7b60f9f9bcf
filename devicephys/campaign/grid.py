"""The grid of a campaign: amplitudes, widths and initial resistances from a YAML file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ddkbase.errors import InputError, closest, shorten
from ddkbase.units import to_si

#: Most values of one axis, and most points of a campaign; beyond, a number is mistyped.
MOST_VALUES, MOST_POINTS = 10_000, 1_000_000
_DIGITS = 12  # of a value between the ends: 2.1 V, not 2.1000000000000001 V


class Axis(NamedTuple):
    """An axis of the grid: its name, unit and what it is called in a table."""

    name: str
    unit: str
    long_name: str


AXES = (
    Axis("amplitude", "V", "height of the write pulses"),
    Axis("width", "s", "flat top of the write pulses"),
    Axis("initial_resistance", "ohm", "resistance wanted before the first pulse"),
)


def axis_values(given: object, axis: Axis, where: str) -> tuple[float, ...]:
    """Values of an axis in SI, in the order given.

    Parameters
    ----------
    given : str, sequence of str or mapping
        A list of texts with units, one text, or a mapping ``{from, to, steps}`` that stands for
        ``steps`` values at equal distances, both ends among them.
    where : str
        What an error calls the place.

    Raises
    ------
    InputError
        Not one of the three, a value without unit, given twice or not positive.
    """
    if isinstance(given, Mapping):
        values = _range(given, axis, where)
    elif isinstance(given, str):
        values = [to_si(given, axis.unit, where)]
    elif isinstance(given, Sequence) and given:
        if len(given) > MOST_VALUES:
            raise InputError(f"{len(given)} values", where, f"Give at most {MOST_VALUES}")
        values = [to_si(one, axis.unit, f"{where}[{i}]") for i, one in enumerate(given)]
    else:
        raise InputError(
            f"{shorten(given)} is no list of values",
            where,
            "Write e.g. ['-2 V', '-3 V'] or {from: -2 V, to: -3 V, steps: 5}"
            if axis.unit == "V"
            else "Give a list of values with units, or {from: ..., to: ..., steps: ...}",
        )
    if len(set(values)) < len(values):
        raise InputError("a value is given twice", where, "Give each value once")
    for value in values:
        if axis.unit != "V" and not value > 0:
            raise InputError(f"{value:g} {axis.unit} is not positive", where, "Give it above zero")
    return tuple(values)


def _range(given: Mapping[Any, Any], axis: Axis, where: str) -> list[float]:
    known = ("from", "to", "steps")
    for key in given:
        if key not in known:
            raise InputError(f"unknown key {shorten(key)}", where, closest(str(key), known))
    for key in known:
        if key not in given:
            raise InputError(f"'{key}' is missing", where, "Give from, to and steps")
    first, last = (to_si(given[key], axis.unit, f"{where}.{key}") for key in ("from", "to"))
    steps = whole_number(given["steps"], f"{where}.steps", 2, MOST_VALUES)
    values = np.linspace(first, last, steps).tolist()
    return [first, *(float(f"{value:.{_DIGITS}g}") for value in values[1:-1]), last]


def whole_number(value: object, where: str, lowest: int, highest: int) -> int:
    """``value`` if it is a whole number between the bounds.

    Raises
    ------
    InputError
        The value is not such a number.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
        raise InputError(
            f"{shorten(value)} does not fit", where, f"Give a whole number from {lowest} up"
        )
    return value


def same(one: float | None, other: float | None) -> bool:
    """Whether two values of an axis are the same; None and NaN stand for "as it is"."""
    return _plain(one) == _plain(other)


def _plain(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value
