"""Endurance: a cell is programmed to a high and a low resistance, again and again."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import Any

from ddkbase.errors import InputError, shorten
from ddkbase.units import exact_text, to_si
from devicephys.protocol.pulse_train import PulseTrain

__all__ = ["EnduranceTest"]

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
