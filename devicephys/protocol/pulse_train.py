"""Pulse trains: write pulses of chosen height and width, each followed by a read.

One period of a train, voltage at the terminals of the cell::

    write: 0 -> amplitude (rise), flat (width), -> 0 (fall)
    rest
    read:  0 -> read_voltage (read_edge), flat (read_width), -> 0 (read_edge)
    rest until the period is over

A negative amplitude drives RESET, a positive one SET: the bottom side is grounded. Where a
transistor is driven from its source line, the sign is still that of the voltage on the cell.
"""

from __future__ import annotations

import dataclasses
import numbers
from typing import Any

import numpy as np

from ddkbase.errors import InputError, closest, shorten
from ddkbase.units import exact_text, format_si, to_si, to_si_array
from devicephys.protocol.waveform import Waveform

#: lines that may drive RESET pulses
DRIVES = ("bit-line", "source-line")
_MOST_PULSES = 10_000_000


@dataclasses.dataclass(frozen=True, init=False)
class PulseTrain:
    """A train of voltage pulses across the cell, a read after each; compared by value.

    Parameters
    ----------
    amplitude : str or Quantity, or sequence of these, default "-2 V"
        Height of the flat top; negative for RESET, positive for SET. A sequence gives every pulse
        its own height, e.g. a waveform mapped to pulses; a pulse of 0 V is a pause with a read.
    width : str or Quantity, or sequence of these, default "100 ns"
        Length of the flat top; a sequence gives every pulse its own.
    count : int or None, optional
        Number of pulses; with a sequence it may be left out, and must agree if given. Without
        either the train has 100 pulses.
    rise, fall : str or Quantity, default "5 ns"
        Lengths of the two flanks of a pulse.
    period : str or Quantity, or None, optional
        Time from the start of one pulse to the start of the next; by default 1 us, or where that is
        too short the next of 2, 5, 10 us ... that leaves half of it to rest.
    read_voltage : str or Quantity, default "0.1 V"
        Height of the read.
    read_width : str or Quantity, default "100 ns"
        Flat top of the read.
    read_edge : str or Quantity, default "5 ns"
        Length of both flanks of the read.
    drive : {"bit-line", "source-line"} or None, optional
        Which line of a cell with transistor drives RESET pulses; by default as its device says.
        Amplitudes keep the sign that they have on the cell: negative for RESET.
    gate_voltage : str or Quantity, or None, optional
        Gate voltage of RESET pulses; by default as the device says.

    Raises
    ------
    InputError
        No unit, wrong dimension, lengths that differ, a time that is not positive, a period too
        short for pulse and read, or a read of 0 V.

    Notes
    -----
    Attributes hold plain numbers in V and s: ``amplitudes``, ``widths`` with shape (count,), the
    others as floats.
    """

    _amplitudes: tuple[float, ...] = dataclasses.field(repr=False)
    _widths: tuple[float, ...] = dataclasses.field(repr=False)
    count: int
    rise: float
    fall: float
    period: float
    read_voltage: float
    read_width: float
    read_edge: float
    drive: str | None
    gate_voltage: float | None

    def __init__(
        self,
        amplitude: object = "-2 V",
        width: object = "100 ns",
        count: int | None = None,
        rise: object = "5 ns",
        fall: object = "5 ns",
        period: object = None,
        read_voltage: object = "0.1 V",
        read_width: object = "100 ns",
        read_edge: object = "5 ns",
        drive: str | None = None,
        gate_voltage: object = None,
    ) -> None:
        if drive is not None and (not isinstance(drive, str) or drive not in DRIVES):
            raise InputError(
                f"unknown drive {shorten(drive)}", "drive", closest(str(drive), DRIVES)
            )
        heights = _one_or_many(amplitude, "V", "amplitude")
        lengths = _one_or_many(width, "s", "width")
        number = _count(count, _lengths_given(amplitude, heights, width, lengths))
        times = {"rise": rise, "fall": fall, "read_width": read_width, "read_edge": read_edge}
        values: dict[str, Any] = {
            name: _positive_time(to_si(given, "s", name), name) for name, given in times.items()
        }
        values["read_voltage"] = to_si(read_voltage, "V", "read_voltage")
        if values["read_voltage"] == 0:
            raise InputError(
                "a read at 0 V measures nothing", "read_voltage", "Give e.g. read_voltage='0.1 V'"
            )
        for length in lengths:
            _positive_time(float(length), "width")
        busy = values["rise"] + float(lengths.max()) + values["fall"]
        busy += values["read_width"] + 2 * values["read_edge"]
        values["period"] = (
            _roomy_period(busy)
            if period is None
            else _positive_time(to_si(period, "s", "period"), "period")
        )
        if not values["period"] > busy * (1 + 1e-9):
            raise InputError(
                f"a period of {format_si(values['period'], 's')} is too short for pulse and read, "
                f"which take {format_si(busy, 's')}",
                "period",
                "Lengthen the period, or shorten pulse or read",
            )
        values["drive"] = drive
        values["gate_voltage"] = (
            None if gate_voltage is None else to_si(gate_voltage, "V", "gate_voltage")
        )
        values["count"] = number
        values["_amplitudes"] = tuple(np.broadcast_to(heights, number).tolist())
        values["_widths"] = tuple(np.broadcast_to(lengths, number).tolist())
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __hash__(self) -> int:
        return hash((self._amplitudes, self._widths, self.period, self.read_voltage))

    @property
    def amplitudes(self) -> np.ndarray:
        """Height of each pulse [V], shape (count,)."""
        return np.array(self._amplitudes)

    @property
    def widths(self) -> np.ndarray:
        """Flat top of each pulse [s], shape (count,)."""
        return np.array(self._widths)

    @property
    def duration(self) -> float:
        """Length of the whole train [s]."""
        return self.count * self.period

    def read_time(self, index: int) -> float:
        """End of the read's flat top of pulse ``index`` [s after the start of its period]."""
        return self._corners(index)[5]

    def pulse(self, index: int) -> Waveform:
        """Voltage of one period, write and read; its times start at 0.

        Parameters
        ----------
        index : int
            Number of the pulse, from 0.

        Raises
        ------
        InputError
            There is no such pulse.
        """
        if not 0 <= index < self.count:
            raise InputError(f"no pulse {index}", "pulse", f"Pulses run from 0 to {self.count - 1}")
        height, read = self._amplitudes[index], self.read_voltage
        times = [0.0, *self._corners(index), self.period]
        return Waveform.from_si(times, [0.0, height, height, 0.0, 0.0, read, read, 0.0, 0.0])

    def _corners(self, index: int) -> list[float]:
        """Corners of a period between 0 and its end [s]: write flanks, then read flanks."""
        end = self.rise + self._widths[index] + self.fall
        free = self.period - end - self.read_width - 2 * self.read_edge
        read = end + 0.5 * free
        return [
            self.rise,
            self.rise + self._widths[index],
            end,
            read,
            read + self.read_edge,
            read + self.read_edge + self.read_width,
            read + 2 * self.read_edge + self.read_width,
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain mapping with texts, from which ``protocol_from_dict`` makes an equal train."""
        seconds = ("rise", "fall", "period", "read_width", "read_edge")
        return {
            "kind": "PulseTrain",
            "amplitude": _texts(self._amplitudes, "V"),
            "width": _texts(self._widths, "s"),
            "count": self.count,
            **{name: exact_text(getattr(self, name), "s") for name in seconds},
            "read_voltage": exact_text(self.read_voltage, "V"),
            **self.driving(),
        }

    def driving(self) -> dict[str, str]:
        """``drive`` and ``gate_voltage`` as texts, those of them that were given."""
        given = {} if self.drive is None else {"drive": self.drive}
        if self.gate_voltage is not None:
            given["gate_voltage"] = exact_text(self.gate_voltage, "V")
        return given


def _texts(values: tuple[float, ...], unit: str) -> str | list[str]:
    """One text if all values are equal, else one each."""
    if len(set(values)) == 1:
        return exact_text(values[0], unit)
    return [exact_text(value, unit) for value in values]


def _is_single(value: object) -> bool:
    """Whether a quantity is one text or one scalar quantity, no sequence."""
    return isinstance(value, str) or (
        np.ndim(getattr(value, "magnitude", 0)) == 0
        and not (isinstance(value, list | tuple | np.ndarray))
    )


def _one_or_many(value: object, unit: str, name: str) -> np.ndarray:
    """Array of shape (1,) for one quantity, (n,) for a sequence or a quantity array."""
    if _is_single(value):
        return np.array([to_si(value, unit, name)])
    values = np.atleast_1d(to_si_array(value, unit, name))
    if values.ndim != 1 or values.size == 0:
        raise InputError("one value a pulse is expected", name, "Give a list, or a single value")
    if not np.isfinite(values).all():
        raise InputError("a value is not a finite number", name)
    return values


def _lengths_given(
    amplitude: object, heights: np.ndarray, width: object, lengths: np.ndarray
) -> dict[str, int]:
    """How many values each sequence among the two arguments holds."""
    pairs = {"amplitude": (amplitude, heights), "width": (width, lengths)}
    return {name: values.size for name, (given, values) in pairs.items() if not _is_single(given)}


def _count(count: object, many: dict[str, int]) -> int:
    """Number of pulses that agrees with all that was given."""
    if count is None:
        count = next(iter(many.values())) if many else 100
    if isinstance(count, bool) or not isinstance(count, numbers.Integral):
        raise InputError(f"{shorten(count)} is no number of pulses", "count", "Give a whole number")
    if not 1 <= int(count) <= _MOST_PULSES:
        raise InputError(
            f"{shorten(count)} is no number of pulses", "count", f"Give 1 to {_MOST_PULSES}"
        )
    for name, size in many.items():
        if size != count:
            raise InputError(
                f"{size} values for {count} pulses", name, "Give one value, or one for each pulse"
            )
    return int(count)


def _roomy_period(busy: float) -> float:
    """1 us, 2 us, 5 us, 10 us ...: the first that is at least twice as long as what happens."""
    decade = 1e-6
    while True:
        for step in (1.0, 2.0, 5.0):
            if step * decade >= 2 * busy:
                return float(f"{step * decade:.0e}")
        decade *= 10.0


def _positive_time(value: float, name: str) -> float:
    if not value > 0:
        raise InputError(f"{value:g} s is not positive", name, "Give a time above zero")
    return value
