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

    Parameters
    ----------
    kind : {"transistor"}, default "transistor"
        Tells a transistor from the other series elements.
    gate_voltage : float, V
        Voltage Vg of the gate against ground; above the threshold.
    threshold_voltage : float, V
        Threshold voltage Vth.
    transconductance : float, A/V^2
        Transconductance parameter K of the square law.
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
        """Current at a voltage across the transistor.

        Parameters
        ----------
        v : float, V
            Voltage across the transistor.

        Returns
        -------
        float
            The current [A], positive towards ground.
        """
        v = min(v, self.overdrive)
        return self.transconductance * (self.overdrive * v - 0.5 * v * v)

    def conductance(self, v: float) -> float:
        """Differential conductance dI/dv at a voltage across the transistor.

        Parameters
        ----------
        v : float, V
            Voltage across the transistor.

        Returns
        -------
        float
            The conductance [S].
        """
        return self.transconductance * (self.overdrive - min(v, self.overdrive))


class Resistor(Description):
    """Ohmic resistor.

    Parameters
    ----------
    kind : {"resistor"}, default "resistor"
        Tells a resistor from the other series elements.
    resistance : float, ohm
        Its resistance.
    """

    kind: Literal["resistor"] = "resistor"
    resistance: Resistance

    def current(self, v: float) -> float:
        """Current at a voltage across the resistor.

        Parameters
        ----------
        v : float, V
            Voltage across the resistor.

        Returns
        -------
        float
            The current [A], positive towards ground.
        """
        return v / self.resistance

    def conductance(self, v: float) -> float:
        """Differential conductance dI/dv, the same at every voltage.

        Parameters
        ----------
        v : float, V
            Voltage across the resistor.

        Returns
        -------
        float
            The conductance [S].
        """
        return 1.0 / self.resistance


class NoSeries(Description):
    """The memristor alone: its bottom electrode is grounded, the voltage is imposed on it.

    A short has no current-voltage law, so asking for its current is an error.

    Parameters
    ----------
    kind : {"none"}, default "none"
        Tells the absence of an element from the series elements.
    """

    kind: Literal["none"] = "none"

    def current(self, v: float) -> float:
        """Not defined for a short.

        Parameters
        ----------
        v : float, V
            Voltage; it is not looked at.

        Returns
        -------
        float
            Nothing ever comes back.

        Raises
        ------
        InputError
            Always: there is no series element.
        """
        raise _no_law()

    def conductance(self, v: float) -> float:
        """Not defined for a short.

        Parameters
        ----------
        v : float, V
            Voltage; it is not looked at.

        Returns
        -------
        float
            Nothing ever comes back.

        Raises
        ------
        InputError
            Always: there is no series element.
        """
        raise _no_law()


Series = Transistor | Resistor | NoSeries


def _no_law() -> InputError:
    return InputError(
        "there is no series element", "series", "Take the current from the memristor itself"
    )
