"""Tests of reliability: bakes, and cycles between a high and a low resistance."""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass
from typing import Any

import numpy as np

from ddkbase.errors import InputError, closest, shorten
from ddkbase.units import exact_text, to_si
from devicephys.protocol.pulse_train import PulseTrain

__all__ = ["BAKED_STATES", "Bake", "EnduranceTest"]

#: from which state a bake starts: after the RESET half of the device's sweep, or as formed
BAKED_STATES = ("high", "low")
DEFAULT_TEMPERATURES = "85 degC, 125 degC, 200 degC, 250 degC"
_MOST_TEMPERATURES = 100
_MOST_READS = 100
#: the oxides melt below this, K
_HOTTEST = 2000.0
_LARGEST_STRESS = 20.0  # V


@dataclass(frozen=True, init=False)
class Bake:
    """What is done in a retention or read-disturb test; compared by value.

    Parameters
    ----------
    temperatures : str or Quantity, or sequence of these, default 85, 125, 200 and 250 degC
        Ambient temperatures of the bakes, each from the same state; a text may hold several with
        commas between.
    duration : str or Quantity, default "10 year"
        Length of each bake.
    state : {"high", "low"}, default "high"
        The programmed state: the high-resistance one that the RESET half of the device's own sweep
        makes, or the low-resistance one as formed. A bake that begins with the end of another run
        takes that state.
    stress_voltage : str or Quantity, default "0 V"
        Voltage that is held across cell and series element all the time, for read disturb.
    first_read : str or Quantity, default "1 us"
        Time of the first read after the start.
    reads_per_decade : int, default 4
        Reads in each decade of time.
    read_voltage : str or Quantity, default "0.1 V"
        Voltage of the reads, which are made at the device's own ambient temperature.

    Raises
    ------
    InputError
        No unit, wrong dimension, a temperature at or below absolute zero, times that are not
        positive or a first read after the end, or an unknown word.

    Notes
    -----
    Attributes hold plain numbers in K, s and V; ``temperatures`` is increasing.
    """

    temperatures: tuple[float, ...]
    duration: float
    state: str
    stress_voltage: float
    first_read: float
    reads_per_decade: int
    read_voltage: float

    def __init__(
        self,
        temperatures: object = DEFAULT_TEMPERATURES,
        duration: object = "10 year",
        state: str = "high",
        stress_voltage: object = "0 V",
        first_read: object = "1 us",
        reads_per_decade: int = 4,
        read_voltage: object = "0.1 V",
    ) -> None:
        if not isinstance(state, str) or state not in BAKED_STATES:
            hint = closest(str(state), BAKED_STATES)
            raise InputError(f"{shorten(state)} is no state of a cell", "state", hint)
        whole = isinstance(reads_per_decade, numbers.Integral)
        if not whole or isinstance(reads_per_decade, bool) or not 1 <= reads_per_decade <= 100:
            raise InputError(
                f"{shorten(reads_per_decade)} is no number of reads",
                "reads_per_decade",
                f"Give 1 to {_MOST_READS}",
            )
        values: dict[str, Any] = {
            "temperatures": _temperatures(temperatures),
            "duration": _positive(duration, "s", "duration"),
            "state": state,
            "stress_voltage": to_si(stress_voltage, "V", "stress_voltage"),
            "first_read": _positive(first_read, "s", "first_read"),
            "reads_per_decade": int(reads_per_decade),
            "read_voltage": _positive(read_voltage, "V", "read_voltage"),
        }
        if not values["first_read"] < values["duration"]:
            raise InputError(
                f"the first read after {values['first_read']:g} s is not within the"
                f" {values['duration']:g} s of the bake",
                "first_read",
                "Give a shorter time",
            )
        if abs(values["stress_voltage"]) > _LARGEST_STRESS:
            raise InputError(
                f"{values['stress_voltage']:g} V is more than any cell stands", "stress_voltage"
            )
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def read_times(self) -> np.ndarray:
        """Times of the reads [s], shape (reads,): 0, then evenly on a log scale to the end."""
        decades = math.log10(self.duration / self.first_read)
        count = max(2, math.ceil(decades * self.reads_per_decade - 1e-9) + 1)
        times = np.geomspace(self.first_read, self.duration, count)
        times[-1] = self.duration
        return np.concatenate([[0.0], times])

    def to_dict(self) -> dict[str, Any]:
        """Plain mapping with texts, from which ``protocol_from_dict`` makes an equal bake."""
        return {
            "kind": "Bake",
            "temperatures": [exact_text(t, "K") for t in self.temperatures],
            "duration": exact_text(self.duration, "s"),
            "state": self.state,
            "stress_voltage": exact_text(self.stress_voltage, "V"),
            "first_read": exact_text(self.first_read, "s"),
            "reads_per_decade": self.reads_per_decade,
            "read_voltage": exact_text(self.read_voltage, "V"),
        }


def _temperatures(given: object) -> tuple[float, ...]:
    texts: Any = given.split(",") if isinstance(given, str) else given
    if not isinstance(texts, list | tuple):
        texts = [texts]
    found = set()
    for text in texts:
        kelvin = to_si(text.strip() if isinstance(text, str) else text, "K", "temperatures")
        if not kelvin > 0:
            raise InputError(f"{shorten(text)} lies below absolute zero", "temperatures")
        if kelvin > _HOTTEST:
            raise InputError(
                f"{shorten(text)}: there the oxides melt", "temperatures", "Give at most 2000 K"
            )
        found.add(kelvin)
    if not 1 <= len(found) <= _MOST_TEMPERATURES:
        raise InputError(
            f"{len(found)} temperatures", "temperatures", f"Give 1 to {_MOST_TEMPERATURES}"
        )
    return tuple(sorted(found))


def _positive(value: object, unit: str, name: str) -> float:
    number = to_si(value, unit, name)
    if not number > 0:
        raise InputError(f"{number:g} {unit} is not positive", name, "Give a value above zero")
    return number


_MOST_CYCLES = 1_000_000


@dataclass(frozen=True, init=False)
class EnduranceTest:
    """Program-and-verify cycles; compared by value.

    Each cycle brings the cell to the high, then to the low resistance, by pulses whose height
    follows from what the last one did, with a read after each, until the read is within 2 %.

    Parameters
    ----------
    high_resistance : str or Quantity, default "20 kohm"
        What RESET pulses bring the cell to.
    low_resistance : str or Quantity, default "8 kohm"
        What SET pulses bring it back to.
    cycles : int, default 10
        How often.
    width : str or Quantity, default "100 ns"
        Flat top of the pulses, at most 100 ns.
    read_voltage : str or Quantity, default "0.1 V"
        Voltage of the reads.

    Raises
    ------
    InputError
        No unit, wrong dimension, values that are not positive, a high resistance that is not well
        above the low one, or no number of cycles.

    Notes
    -----
    Attributes hold plain numbers in ohm, s and V.
    """

    high_resistance: float
    low_resistance: float
    cycles: int
    width: float
    read_voltage: float

    def __init__(
        self,
        high_resistance: object = "20 kohm",
        low_resistance: object = "8 kohm",
        cycles: int = 10,
        width: object = "100 ns",
        read_voltage: object = "0.1 V",
    ) -> None:
        whole = isinstance(cycles, numbers.Integral) and not isinstance(cycles, bool)
        if not whole or not 1 <= cycles <= _MOST_CYCLES:
            raise InputError(
                f"{shorten(cycles)} is no number of cycles", "cycles", "Give 1, 2, 3 ..."
            )
        given = {
            "high_resistance": (high_resistance, "ohm"),
            "low_resistance": (low_resistance, "ohm"),
            "width": (width, "s"),
            "read_voltage": (read_voltage, "V"),
        }
        values: dict[str, Any] = {name: to_si(v, unit, name) for name, (v, unit) in given.items()}
        for name, value in values.items():
            if not value > 0:
                raise InputError(f"{value:g} {given[name][1]} is not positive", name)
        if values["width"] > 100e-9:
            raise InputError(f"{values['width']:g} s is too wide", "width", "Give at most 100 ns")
        if not values["high_resistance"] > 1.1 * values["low_resistance"]:
            raise InputError(
                f"{values['high_resistance']:g} ohm is not above the low resistance of"
                f" {values['low_resistance']:g} ohm by a tenth",
                "high_resistance",
                "Give two resistances that 2 % keep apart",
            )
        for name, value in {**values, "cycles": int(cycles)}.items():
            object.__setattr__(self, name, value)

    @property
    def train(self) -> PulseTrain:
        """A train of one pulse, with the width and the read of all."""
        return PulseTrain(
            width=exact_text(self.width, "s"),
            count=1,
            read_voltage=exact_text(self.read_voltage, "V"),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain mapping with texts, from which ``protocol_from_dict`` makes an equal protocol."""
        return {
            "kind": "EnduranceTest",
            "high_resistance": exact_text(self.high_resistance, "ohm"),
            "low_resistance": exact_text(self.low_resistance, "ohm"),
            "cycles": self.cycles,
            "width": exact_text(self.width, "s"),
            "read_voltage": exact_text(self.read_voltage, "V"),
        }
