"""What stands in series with the cell: current against voltage, and its slope.

Each law is written for complex arguments, so that a step along the imaginary axis gives its slope
to rounding.
"""

from __future__ import annotations

import cmath

from devicephys import Device
from tests.verification.finite_volume.cell import KB

_OUTPUT_RESISTANCE = 10.0
_ROUNDING = 1e-3


def _transistor(element, v: complex, applied: float, ambient: float, pulses: bool) -> complex:
    """EKV or square law of an NMOS; its far end is grounded, or the source line that drives."""
    gate, far = element.gate_voltage, 0.0
    if pulses and applied < 0.0:
        gate = element.reset_gate_voltage or gate
        far = -applied if element.reset_drive == "source-line" else 0.0
    near, phi = far + v, KB * ambient
    size = cmath.sqrt(v * v + _ROUNDING**2) - _ROUNDING
    pinch = (gate - element.threshold_voltage + element.dibl * size) / element.slope_factor

    def inversion(u: complex) -> complex:
        if element.law == "square":
            return (u / 2.0) ** 2 if u.real > 0.0 else 0.0
        half = u / 2.0
        # ln(1 + e^h), of a large h without overflow
        return (half + cmath.log(1.0 + cmath.exp(-half)) if half.real > 0.0
                else cmath.log(1.0 + cmath.exp(half))) ** 2  # fmt: skip

    charge = inversion((pinch - far) / phi) - inversion((pinch - near) / phi)
    scale = 2.0 * element.slope_factor * element.transconductance * phi**2
    return scale * charge * (1.0 + element.channel_modulation * size)


def _compliance(element, v: complex) -> complex:
    limit = element.compliance if v.real >= 0.0 else element.reset_compliance
    share = 0.0 if limit is None else v / limit
    return v / cmath.sqrt(_OUTPUT_RESISTANCE**2 + share * share)


def series_current(
    device: Device, v: float, applied: float, pulses: bool = False
) -> tuple[float, float]:
    """Current [A] at a voltage across the series element, and its slope [S].

    ``pulses`` drives a transistor as RESET pulses do.
    """
    element = device.series
    step = 1e-20

    def law(at: complex) -> complex:
        if element.kind == "transistor":
            if element.line_resistance or element.capacitance:
                raise NotImplementedError("an access line")
            return _transistor(element, at, applied, device.ambient_temperature, pulses)
        if element.kind == "compliance":
            return _compliance(element, at)
        return at / element.resistance

    value = law(complex(v, step))
    return value.real, value.imag / step
