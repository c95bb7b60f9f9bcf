"""What sits in series with the memristor: a transistor, a resistor, a current limit, or nothing.

The element lies between the bottom electrode and ground. A law takes `v`, the voltage across the
element (bottom electrode against its far end), and the voltage applied to cell and element; a
positive current flows from the cell to the far end. A line capacitance lies across the cell: it is
charged through the element, and feeds the cell when that switches.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import model_validator

from ddkbase.descriptions import Parameter
from ddkbase.errors import InputError
from devicephys.device.quantity import (
    Current,
    Description,
    Resistance,
    Transconductance,
    Voltage,
)

#: a capacitance that may be left out
Capacitance = Annotated[float, Parameter("F", at_least=0, optional=True)]
#: Boltzmann constant over elementary charge, V/K (CODATA 2018, exact)
KB_OVER_E = 8.617333262145179e-5
#: ambient temperature of the laws where none is given, K
AMBIENT = 293.15
#: rounding of `|v|` in short-channel effects, V: far below any voltage that matters, and smooth
ROUNDING = 1e-3
#: resistance of an instrument below its current limit, ohm: a few millivolts at most
OUTPUT_RESISTANCE = 10.0
#: steps of the search for the voltage across transistor alone where a line lies in series
_MOST_STEPS = 100


class SeriesElement(Description):
    """Base of what may stand in series; what is done to the cell may drive it differently."""

    kind: str

    @property
    def capacitance(self) -> float:
        """Capacitance across the cell [F]."""
        return float(getattr(self, "line_capacitance", 0.0))

    def current(self, v: float, applied: float = 0.0, ambient: float = AMBIENT) -> float:
        """Current [A] at a voltage across the element; see the classes. A short has none.

        Raises
        ------
        InputError
            There is no series element.
        """
        raise _no_law()

    def conductance(self, v: float, applied: float = 0.0, ambient: float = AMBIENT) -> float:
        """Differential conductance [S] at a voltage across the element; see the classes. A short
        has none.

        Raises
        ------
        InputError
            There is no series element.
        """
        raise _no_law()

    def swept(self) -> Self:
        """The element as a sweep sees it."""
        return self

    def charged(self) -> Self:
        """The element once the line is charged: without its capacitance."""
        return self.model_copy(update={"line_capacitance": 0.0}) if self.capacitance else self

    def pulsed(self, drive: str | None = None, gate_voltage: float | None = None) -> Self:
        """The element as pulses see it.

        Parameters
        ----------
        drive : {"bit-line", "source-line"} or None, optional
            Which line drives RESET; by default as the device says.
        gate_voltage : float or None, V, optional
            Gate voltage of RESET pulses; by default as the device says.

        Returns
        -------
        SeriesElement
            The element driven so.

        Raises
        ------
        InputError
            There is no transistor to be driven, or its gate would stay below the threshold.
        """
        for name, value in (("drive", drive), ("gate_voltage", gate_voltage)):
            if value is not None:
                raise InputError(
                    "the cell has no transistor in series",
                    name,
                    "Leave it out, or set series.kind=transistor",
                )
        return self


class Transistor(SeriesElement):
    """NMOS transistor with its access line, smooth and the same in both directions.

    In SET the source line is grounded and the bit line positive; the grounded terminal is the
    source, and the current saturates. A negative voltage on the bit line ("bit-line" drive, the
    sweeps) makes the node of the cell the source: the overdrive grows with `|v|` and nothing
    limits. With "source-line" drive, as arrays are RESET, the bit line is grounded and the source
    line positive: the transistor is a source follower, and the voltage of the cell saturates near
    `reset_gate_voltage - threshold_voltage`. Voltages keep the sign that they have on the cell.
    With far end b and node a of the cell, both against the grounded line (EKV model, Enz,
    Krummenacher and Vittoz 1995)::

        I  = 2 n K phi^2 [F((Vp - b)/phi) - F((Vp - a)/phi)] (1 + channel_modulation |v|)
        Vp = (Vg - Vth + dibl |v|)/n,   v = a - b,   phi = kB T/e
        F(u) = ln^2(1 + exp(u/2))         law "ekv"
        F(u) = max(u, 0)^2/4              law "square", the limit far above threshold

    Parameters
    ----------
    kind : {"transistor"}, default "transistor"
        Tells a transistor from the other series elements.
    gate_voltage : float, V
        Voltage Vg of the gate against ground in SET, in reads and in sweeps; above the threshold.
    threshold_voltage : float, V
        Threshold voltage Vth.
    transconductance : float, A/V^2
        Transconductance parameter K of the square law.
    law : {"square", "ekv"}, default "square"
        With a sharp threshold, or with weak inversion below it.
    slope_factor : float, default 1.0
        Slope factor n; above 1 by the share of the depletion capacitance.
    dibl : float, V/V, default 0.0
        Lowering of the threshold by the drain (drain-induced barrier lowering).
    channel_modulation : float, 1/V, default 0.0
        Channel-length modulation, the inverse of the Early voltage.
    reset_drive : {"bit-line", "source-line"}, default "bit-line"
        Which line drives RESET pulses. Sweeps are always driven from the bit line.
    reset_gate_voltage : float or None, V, optional
        Voltage of the gate in RESET pulses; by default `gate_voltage`.
    line_resistance : float, ohm, default 0.0
        Resistance of the access line between cell and generator.
    line_capacitance : float, F, default 0.0
        Capacitance of line and electrodes across the cell.
    """

    kind: Literal["transistor"] = "transistor"
    gate_voltage: Voltage
    threshold_voltage: Voltage
    transconductance: Transconductance
    law: Annotated[Literal["square", "ekv"], Parameter(optional=True)] = "square"
    slope_factor: Annotated[float, Parameter("1", above=0, optional=True)] = 1.0
    dibl: Annotated[float, Parameter("1", at_least=0, optional=True)] = 0.0
    channel_modulation: Annotated[float, Parameter("1/V", at_least=0, optional=True)] = 0.0
    reset_drive: Annotated[Literal["bit-line", "source-line"], Parameter(optional=True)] = (
        "bit-line"
    )
    reset_gate_voltage: Annotated[float | None, Parameter("V", optional=True)] = None
    line_resistance: Annotated[float, Parameter("ohm", at_least=0, optional=True)] = 0.0
    line_capacitance: Capacitance = 0.0

    @model_validator(mode="after")
    def _conducts(self) -> Self:
        self._check_gates()
        return self

    def _check_gates(self) -> None:
        """InputError where a gate never opens the channel."""
        for name in ("gate_voltage", "reset_gate_voltage"):
            gate = getattr(self, name)
            if gate is not None and not gate > self.threshold_voltage:
                raise InputError(
                    f"{name.replace('_', ' ')} {gate:g} V does not exceed the threshold voltage "
                    f"{self.threshold_voltage:g} V, so the cell never conducts",
                    name,
                    "Raise the gate voltage",
                )

    @property
    def overdrive(self) -> float:
        """Gate voltage above threshold, Vg - Vth [V]."""
        return self.gate_voltage - self.threshold_voltage

    def swept(self) -> Self:
        """The transistor as a sweep sees it: driven from the bit line, one gate voltage."""
        return self.model_copy(update={"reset_drive": "bit-line", "reset_gate_voltage": None})

    def pulsed(self, drive: str | None = None, gate_voltage: float | None = None) -> Self:
        """The transistor under pulses; see ``SeriesElement.pulsed``."""
        changes: dict[str, object] = {}
        if drive is not None:
            changes["reset_drive"] = drive
        if gate_voltage is not None:
            changes["reset_gate_voltage"] = gate_voltage
        driven = self.model_copy(update=changes)
        try:
            driven._check_gates()
        except InputError as error:
            raise InputError(error.what, "gate_voltage", error.hint) from None
        return driven

    def current(self, v: float, applied: float = 0.0, ambient: float = AMBIENT) -> float:
        """Current at a voltage across transistor and access line.

        Parameters
        ----------
        v : float, V
            Voltage across transistor and line.
        applied : float, V, default 0.0
            Voltage applied to cell, transistor and line; its sign tells SET from RESET, and in
            source-line drive its size is the voltage of the source line.
        ambient : float, K, default 293.15
            Temperature of the transistor.

        Returns
        -------
        float
            The current [A], positive from the cell to the far end.
        """
        return self._answer(v, applied, ambient)[0]

    def conductance(self, v: float, applied: float = 0.0, ambient: float = AMBIENT) -> float:
        """Differential conductance dI/dv at a voltage across transistor and access line.

        Parameters
        ----------
        v : float, V
            Voltage across transistor and line.
        applied : float, V, default 0.0
            Voltage applied to cell, transistor and line.
        ambient : float, K, default 293.15
            Temperature of the transistor.

        Returns
        -------
        float
            The conductance [S].
        """
        return self._answer(v, applied, ambient)[1]

    def _answer(self, v: float, applied: float, ambient: float) -> tuple[float, float]:
        """Current [A] and dI/dv [S] of transistor and line."""
        resistance = self.line_resistance
        if not resistance:
            return self._channel(v, applied, ambient)
        # u + R I(u) = v for the voltage u across the channel, between 0 and v: the left side
        # rises, so Newton's method with bisection where it leaves the bracket always ends.
        low, high, u = min(v, 0.0), max(v, 0.0), 0.0
        for _ in range(_MOST_STEPS):
            current, slope = self._channel(u, applied, ambient)
            excess = u + resistance * current - v
            low, high = (u, high) if excess < 0 else (low, u)
            after = u - excess / (1.0 + resistance * slope)
            if not low <= after <= high:
                after = 0.5 * (low + high)
            if abs(after - u) <= 1e-15 * max(abs(v), ROUNDING):
                break
            u = after
        return current, slope / (1.0 + resistance * slope)

    def _channel(self, v: float, applied: float, ambient: float) -> tuple[float, float]:
        """Current [A] and dI/dv [S] of the transistor alone."""
        gate, far = self.gate_voltage, 0.0
        if applied < 0.0:
            if self.reset_gate_voltage is not None:
                gate = self.reset_gate_voltage
            if self.reset_drive == "source-line":
                far = -applied
        n, phi = self.slope_factor, KB_OVER_E * ambient
        root = math.hypot(v, ROUNDING)
        size, size_slope = root - ROUNDING, v / root
        pinch = (gate - self.threshold_voltage + self.dibl * size) / n
        pinch_slope = self.dibl * size_slope / n
        law = _square if self.law == "square" else _ekv
        # x^2 - y^2 of the two ends, as (x - y)(x + y): no digits are lost at small v
        x, y, difference, x_slope, y_slope = law(pinch - far, v, phi)
        factor = 0.5 * n * self.transconductance
        plain = factor * difference * (x + y)
        # dx = x' dVp, dy = y' (dVp - dv)
        plain_slope = 2.0 * factor * (x * x_slope * pinch_slope - y * y_slope * (pinch_slope - 1.0))
        longer = 1.0 + self.channel_modulation * size
        slope = plain_slope * longer + plain * self.channel_modulation * size_slope
        return plain * longer, slope


def _square(height: float, v: float, phi: float) -> tuple[float, float, float, float, float]:
    """Ends x and y of the channel [V], x - y [V], and slopes with their heights: square law.

    ``height`` is Vp - b, and Vp - a lies ``v`` below it.
    """
    x, y = max(height, 0.0), max(height - v, 0.0)
    difference = v if x > 0.0 and y > 0.0 else x - y
    return x, y, difference, float(x > 0.0), float(y > 0.0)


def _ekv(height: float, v: float, phi: float) -> tuple[float, float, float, float, float]:
    """The same for the EKV law: x = 2 phi ln(1 + exp(height/(2 phi)))."""
    two = 2.0 * phi
    x, y = two * _softplus(height / two), two * _softplus((height - v) / two)
    above, below = _logistic(height / two), _logistic((height - v) / two)
    # ln((1 + e^p)/(1 + e^q)) = ln(1 + (e^(p-q) - 1) s(q)) for p > q keeps its digits at p near q
    gap = abs(v) / two
    difference = x - y
    if gap < 30.0:
        difference = two * math.log1p(math.expm1(gap) * (below if v > 0.0 else above))
        difference = math.copysign(difference, v)
    return x, y, difference, above, below


def _softplus(p: float) -> float:
    """ln(1 + exp(p)) without overflow."""
    return max(p, 0.0) + math.log1p(math.exp(-abs(p)))


def _logistic(p: float) -> float:
    """1/(1 + exp(-p)) without overflow."""
    small = math.exp(-abs(p))
    return 1.0 / (1.0 + small) if p >= 0.0 else small / (1.0 + small)


class Resistor(SeriesElement):
    """Ohmic resistor.

    Parameters
    ----------
    kind : {"resistor"}, default "resistor"
        Tells a resistor from the other series elements.
    resistance : float, ohm
        Its resistance.
    line_capacitance : float, F, default 0.0
        Capacitance of line and electrodes across the cell.
    """

    kind: Literal["resistor"] = "resistor"
    resistance: Resistance
    line_capacitance: Capacitance = 0.0

    def current(self, v: float, applied: float = 0.0, ambient: float = AMBIENT) -> float:
        """Current at a voltage across the resistor.

        Parameters
        ----------
        v : float, V
            Voltage across the resistor.
        applied : float, V, default 0.0
            Voltage applied to cell and resistor; it does not matter.
        ambient : float, K, default 293.15
            Temperature; it does not matter.

        Returns
        -------
        float
            The current [A], positive towards ground.
        """
        return v / self.resistance

    def conductance(self, v: float, applied: float = 0.0, ambient: float = AMBIENT) -> float:
        """Differential conductance dI/dv, the same at every voltage.

        Parameters
        ----------
        v : float, V
            Voltage across the resistor.
        applied : float, V, default 0.0
            Voltage applied to cell and resistor; it does not matter.
        ambient : float, K, default 293.15
            Temperature; it does not matter.

        Returns
        -------
        float
            The conductance [S].
        """
        return 1.0 / self.resistance


class Compliance(SeriesElement):
    """Current limit of an instrument (compliance): it lowers its voltage so as not to exceed it.

    `v` is the voltage that the instrument takes back. Voltages in the results are what it then
    applies, those of the bare cell::

        I = v/sqrt(R^2 + (v/Ic)^2),   R = 10 ohm

    Parameters
    ----------
    kind : {"compliance"}, default "compliance"
        Tells a current limit from the other series elements.
    compliance : float, A
        Largest current Ic at positive voltage (SET).
    reset_compliance : float or None, A, optional
        Largest current at negative voltage (RESET); by default there is none.
    line_capacitance : float, F, default 0.0
        Capacitance of cable and electrodes across the cell: what it holds is not limited, and
        flows through the cell at SET.
    """

    kind: Literal["compliance"] = "compliance"
    compliance: Current
    reset_compliance: Annotated[float | None, Parameter("A", above=0, optional=True)] = None
    line_capacitance: Capacitance = 0.0

    def current(self, v: float, applied: float = 0.0, ambient: float = AMBIENT) -> float:
        """Current at a voltage that the instrument takes back.

        Parameters
        ----------
        v : float, V
            Programmed voltage less the voltage of the cell.
        applied : float, V, default 0.0
            Programmed voltage; it does not matter.
        ambient : float, K, default 293.15
            Temperature; it does not matter.

        Returns
        -------
        float
            The current [A], of the sign of ``v``.
        """
        return v / math.hypot(OUTPUT_RESISTANCE, v * self._inverse(v))

    def conductance(self, v: float, applied: float = 0.0, ambient: float = AMBIENT) -> float:
        """Differential conductance dI/dv at a voltage that the instrument takes back.

        Parameters
        ----------
        v : float, V
            Programmed voltage less the voltage of the cell.
        applied : float, V, default 0.0
            Programmed voltage; it does not matter.
        ambient : float, K, default 293.15
            Temperature; it does not matter.

        Returns
        -------
        float
            The conductance [S].
        """
        return OUTPUT_RESISTANCE**2 / math.hypot(OUTPUT_RESISTANCE, v * self._inverse(v)) ** 3

    def _inverse(self, v: float) -> float:
        """Inverse of the limit [1/A] on the side of ``v``; 0 where there is none."""
        limit = self.compliance if v >= 0.0 else self.reset_compliance
        return 0.0 if limit is None else 1.0 / limit


class NoSeries(SeriesElement):
    """The memristor alone: its bottom electrode is grounded, the voltage is imposed on it.

    A short has no current-voltage law, so asking for its current is an error.

    Parameters
    ----------
    kind : {"none"}, default "none"
        Tells the absence of an element from the series elements.
    """

    kind: Literal["none"] = "none"


Series = Transistor | Resistor | Compliance | NoSeries


def _no_law() -> InputError:
    return InputError(
        "there is no series element", "series", "Take the current from the memristor itself"
    )
