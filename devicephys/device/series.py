"""What sits in series with the memristor: a transistor, a resistor, or nothing.

The element lies between the bottom electrode and ground; `v` is the voltage of the bottom
electrode against ground, and a positive current flows from there to ground.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from ddkbase.errors import InputError
from devicephys.device.quantity import Description, Resistance, Transconductance, Voltage


class Transistor(Description):
    """Long-channel NMOS transistor, square law, source line grounded, gate against ground.

    It conducts both ways. For v > 0 (SET) the grounded terminal is the source and the current
    saturates at K Vov^2 / 2; for v < 0 (RESET) the node of the cell is the source, the gate
    overdrive grows with `|v|`, and the current never saturates. Both are one formula::

        I = K (Vov v - v^2 / 2)   for v < Vov,     K Vov^2 / 2   above;     Vov = Vg - Vth
    """

    kind: Literal["transistor"] = "transistor"
    gate_voltage: Voltage
    threshold_voltage: Voltage
    transconductance: Transconductance

    @model_validator(mode="after")
    def _conducts(self) -> Self:
        if not self.overdrive > 0:
            raise InputError(
                f"gate voltage {self.gate_voltage:g} V does not exceed the threshold voltage "
                f"{self.threshold_voltage:g} V, so the cell never conducts",
                "gate_voltage",
                "Raise the gate voltage",
            )
        return self

    @property
    def overdrive(self) -> float:
        """Gate voltage above threshold, Vg - Vth [V]."""
        return self.gate_voltage - self.threshold_voltage

    def current(self, v: float) -> float:
        """Current [A] at the voltage `v` [V] across the transistor."""
        v = min(v, self.overdrive)
        return self.transconductance * (self.overdrive * v - 0.5 * v * v)

    def conductance(self, v: float) -> float:
        """dI/dv [S] at the voltage `v` [V] across the transistor."""
        return self.transconductance * (self.overdrive - min(v, self.overdrive))


class Resistor(Description):
    """Ohmic resistor."""

    kind: Literal["resistor"] = "resistor"
    resistance: Resistance

    def current(self, v: float) -> float:
        """Current [A] at the voltage `v` [V] across the resistor."""
        return v / self.resistance

    def conductance(self, v: float) -> float:
        """dI/dv [S]; the same at every `v`."""
        return 1.0 / self.resistance


class NoSeries(Description):
    """The memristor alone: its bottom electrode is grounded, the voltage is imposed on it.

    A short has no current-voltage law, so asking for its current is an error.
    """

    kind: Literal["none"] = "none"

    def current(self, v: float) -> float:
        """Not defined for a short; raises InputError."""
        raise _no_law()

    def conductance(self, v: float) -> float:
        """Not defined for a short; raises InputError."""
        raise _no_law()


Series = Transistor | Resistor | NoSeries


def _no_law() -> InputError:
    return InputError(
        "there is no series element", "series", "Take the current from the memristor itself"
    )
