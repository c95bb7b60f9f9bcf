"""The series element: current, its derivative, its symmetry."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddkbase.errors import InputError
from devicephys.device import NoSeries, Resistor, Transistor

GATE, THRESHOLD, K = 1.5, 0.5, 4e-4
TRANSISTOR = Transistor(
    gate_voltage="1.5 V", threshold_voltage="0.5 V", transconductance="4e-4 A/V^2"
)
voltages = st.floats(-3, 3)


def square_law(v: float) -> float:
    """NMOS with its source at the lower of its two terminals, the textbook way."""
    source, drain = min(0.0, v), max(0.0, v)
    overdrive = GATE - source - THRESHOLD
    v_ds = drain - source
    v_ds = min(v_ds, overdrive)
    size = K * (overdrive * v_ds - v_ds**2 / 2)
    return size if v >= 0 else -size


@given(v=voltages)
def test_transistor_is_the_square_law_from_either_terminal(v: float) -> None:
    assert TRANSISTOR.current(v) == pytest.approx(square_law(v), rel=1e-12, abs=1e-18)


@given(v=voltages)
def test_conductance_is_the_derivative_of_the_current(v: float) -> None:
    h = 1e-6
    for element in (TRANSISTOR, Resistor(resistance="2 kohm")):
        slope = (element.current(v + h) - element.current(v - h)) / (2 * h)
        assert element.conductance(v) == pytest.approx(slope, rel=1e-5, abs=1e-9)


def test_transistor_limits_set_but_not_reset() -> None:
    assert TRANSISTOR.current(1.0) == TRANSISTOR.current(5.0) == pytest.approx(2e-4)
    assert TRANSISTOR.current(-1.0) == pytest.approx(-6e-4)
    assert TRANSISTOR.conductance(5.0) == 0


def test_resistor_is_ohmic() -> None:
    resistor = Resistor(resistance="2 kohm")
    assert resistor.current(-1.0) == -5e-4
    assert resistor.conductance(0.3) == 5e-4


def test_a_gate_below_threshold_never_conducts() -> None:
    with pytest.raises(InputError, match="never conducts"):
        Transistor(gate_voltage="0.5 V", threshold_voltage="0.5 V", transconductance="1 A/V^2")


def test_a_short_has_no_law() -> None:
    with pytest.raises(InputError, match="no series element"):
        NoSeries().current(1.0)
