"""The series element: current, its derivative, its symmetry."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from ddkbase.errors import InputError
from devicephys.device import Compliance, NoSeries, Resistor, Transistor

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


# -- short channels, both drives, weak inversion ------------------------------------------------

PHI = 1.380649e-23 * 293.15 / 1.602176634e-19
SHORT = {"law": "ekv", "slope_factor": "1.3", "dibl": "0.15", "channel_modulation": "0.05 1/V"}


def ekv(gate: float, threshold: float, node: float, far: float) -> float:
    """Current from node to far end as the EKV model has it, without any care for digits."""
    n, size = 1.3, np.hypot(node - far, 1e-3) - 1e-3
    pinch = (gate - threshold + 0.15 * size) / n
    ends = [np.logaddexp(0.0, (pinch - end) / (2 * PHI)) ** 2 for end in (far, node)]
    return float(2 * n * K * PHI**2 * (ends[0] - ends[1]) * (1 + 0.05 * size))


@pytest.mark.parametrize("drive", ["bit-line", "source-line"])
@given(v=voltages, applied=voltages)
def test_ekv_transistor_is_its_closed_form(drive: str, v: float, applied: float) -> None:
    element = TRANSISTOR.model_validate(
        {**TRANSISTOR.to_tree(), **SHORT, "reset_drive": drive, "reset_gate_voltage": "3 V"}
    )
    reset = applied < 0
    far = -applied if reset and drive == "source-line" else 0.0
    expected = ekv(3.0 if reset else GATE, THRESHOLD, far + v, far)
    assert element.current(v, applied) == pytest.approx(expected, rel=1e-9, abs=1e-15)


def build(**keys: str) -> Transistor:
    return Transistor.from_mapping({**TRANSISTOR.to_tree(), **keys})


elements = st.builds(
    build,
    law=st.sampled_from(["square", "ekv"]),
    slope_factor=st.sampled_from(["1", "1.4"]),
    dibl=st.sampled_from(["0", "0.15"]),
    channel_modulation=st.sampled_from(["0 1/V", "0.1 1/V"]),
    reset_drive=st.sampled_from(["bit-line", "source-line"]),
    reset_gate_voltage=st.sampled_from(["1.5 V", "3.4 V"]),
    line_resistance=st.sampled_from(["0 ohm", "2 kohm"]),
)


@given(element=elements, v=voltages, applied=voltages)
def test_conductance_is_the_derivative_whatever_the_keys(
    element: Transistor, v: float, applied: float
) -> None:
    h = 1e-6
    above, below = element.current(v + h, applied), element.current(v - h, applied)
    slope = (above - below) / (2 * h)
    # where the square law has its kink the difference quotient averages over it
    assert element.conductance(v, applied) == pytest.approx(slope, rel=2e-4, abs=2e-9)


@given(element=elements, v=voltages, applied=voltages)
def test_current_rises_with_the_voltage_across(
    element: Transistor, v: float, applied: float
) -> None:
    assert element.conductance(v, applied) >= 0
    assert element.current(0.0, applied) == 0
    assert element.current(v, applied) * v >= 0


@given(v=voltages, far=st.floats(0, 3))
def test_source_and_drain_may_be_exchanged(v: float, far: float) -> None:
    element = build(**SHORT, reset_drive="source-line")
    if not 0 <= far + v <= 3 or far == 0 or far + v <= 0:
        return
    there, back = element.current(v, -far), element.current(-v, -(far + v))
    assert there == pytest.approx(-back, rel=1e-9, abs=1e-18)


@given(v=st.floats(-2, 2))
def test_far_above_threshold_the_ekv_law_is_the_square_law(v: float) -> None:
    keys = {"gate_voltage": "5 V", "threshold_voltage": "0.5 V"}
    square, smooth = build(**keys), build(**keys, law="ekv")
    assert smooth.current(v) == pytest.approx(square.current(v), rel=1e-9, abs=1e-15)


def test_weak_inversion_falls_by_a_decade_in_slope_factor_times_sixty_millivolts() -> None:
    low = build(law="ekv", slope_factor="1.5", gate_voltage="0.501 V", reset_drive="source-line")
    currents = [low.current(-1.0, -far) for far in (1.4, 1.4 + PHI * np.log(10.0))]
    # the source of the channel is the node, 1 V below the far end
    assert currents[1] / currents[0] == pytest.approx(0.1, rel=0.01)


def test_a_line_takes_its_share_of_the_voltage() -> None:
    element = build(line_resistance="5 kohm", law="ekv")
    current = element.current(0.8)
    bare = build(law="ekv").current(0.8 - 5e3 * current)
    assert current == pytest.approx(bare, rel=1e-12)


def test_a_source_follower_holds_a_resistor_near_gate_less_threshold() -> None:
    """A cell of 5 kohm: the node follows the gate, whatever the source line does above it."""
    element = build(reset_drive="source-line", reset_gate_voltage="2 V", law="ekv")
    element = element.model_copy(update={"transconductance": 1e-2})

    def cell(applied: float) -> float:
        def excess(contact: float) -> float:
            return contact / 5e3 - element.current(applied - contact, applied)

        return float(brentq(excess, applied, 0.0, xtol=1e-14))

    held = [cell(applied) for applied in (-2.0, -3.0, -4.0)]
    # saturated: K/2 (Vg - Vth - U)^2 = U/R
    exact = brentq(lambda u: 0.5e-2 * (1.5 - u) ** 2 - u / 5e3, 0.0, 1.5)
    assert held == pytest.approx([-exact] * 3, abs=5e-3)
    assert cell(-0.3) == pytest.approx(-0.3, abs=0.02)


def test_sweeps_are_driven_from_the_bit_line_and_pulses_as_the_device_says() -> None:
    element = build(reset_drive="source-line", reset_gate_voltage="3 V")
    assert element.swept().current(-0.4, -1.0) == TRANSISTOR.current(-0.4)
    assert element.pulsed() == element
    changed = element.pulsed("bit-line", 2.0)
    assert (changed.reset_drive, changed.reset_gate_voltage) == ("bit-line", 2.0)
    assert Resistor(resistance="1 kohm").pulsed().swept() == Resistor(resistance="1 kohm")


@pytest.mark.parametrize("keys", [{"drive": "bit-line"}, {"gate_voltage": 2.0}])
def test_only_a_transistor_is_driven(keys: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="no transistor"):
        Resistor(resistance="1 kohm").pulsed(**keys)


def test_a_gate_of_pulses_below_threshold_is_refused() -> None:
    with pytest.raises(InputError, match=r"reset gate voltage 0\.4 V does"):
        TRANSISTOR.pulsed(gate_voltage=0.4)


def test_what_is_not_given_is_not_written() -> None:
    assert "reset_gate_voltage" not in TRANSISTOR.to_tree()
    again = Transistor.from_mapping(build(reset_gate_voltage="3 V").to_tree())
    assert again.reset_gate_voltage == 3.0


# -- an instrument's current limit ----------------------------------------------------------------


@given(v=voltages)
def test_a_current_limit_is_never_exceeded(v: float) -> None:
    both = Compliance(compliance="100 uA", reset_compliance="1 mA")
    assert -1e-3 <= both.current(v) <= 1e-4
    h = 1e-6
    slope = (both.current(v + h) - both.current(v - h)) / (2 * h)
    assert both.conductance(v) == pytest.approx(slope, rel=1e-3, abs=1e-9)


def test_without_a_limit_in_reset_the_instrument_is_ten_ohms() -> None:
    assert Compliance(compliance="100 uA").current(-0.5) == pytest.approx(-0.05)
