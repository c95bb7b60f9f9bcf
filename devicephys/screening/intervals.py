"""Between which values a screening varies a parameter, and the value at a share of the way."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

from ddkbase.errors import InputError, shorten
from ddkbase.units import exact_text, format_si, to_si
from devicephys.device import Device
from devicephys.device.entries import parameter_value
from devicephys.device.range_table import Range
from devicephys.device.ranges import ranges_of
from devicephys.parameter_sweep.description import values_of
from devicephys.parameter_sweep.keys import PROTOCOL, Keys

__all__ = ["Interval", "interval_of", "values_at"]

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
