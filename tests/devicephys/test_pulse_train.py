"""``PulseTrain``: where its corners lie, what it refuses, and that its text form is exact."""

from __future__ import annotations

import numpy as np
import pint
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devicephys import InputError, PulseTrain
from devicephys.protocol.stored import protocol_from_dict

times = st.floats(1e-10, 1e-3)
heights = st.lists(st.floats(-5.0, 5.0), min_size=1, max_size=6)


@given(heights, times, times, times, times)
def test_corners_of_every_period(
    amplitudes: list[float], width: float, rise: float, fall: float, read_width: float
) -> None:
    train = PulseTrain(
        [f"{a!r} V" for a in amplitudes],
        f"{width!r} s",
        rise=f"{rise!r} s",
        fall=f"{fall!r} s",
        read_width=f"{read_width!r} s",
    )
    assert train.count == len(amplitudes)
    for index, height in enumerate(amplitudes):
        pulse = train.pulse(index)
        assert pulse.corners[0] == 0.0
        assert pulse.corners[-1] == train.period
        assert np.all(np.diff(pulse.corners) > 0)
        assert pulse.voltage(train.read_time(index)) == train.read_voltage
        assert pulse.voltage(rise) == height
        flat = pulse.corners[2] - pulse.corners[1]
        assert flat == pytest.approx(width, rel=1e-9)
    busy = rise + width + fall + read_width + 2 * train.read_edge
    assert train.period >= 2 * busy * (1 - 1e-9)


@given(heights, times)
def test_text_form_is_exact(amplitudes: list[float], width: float) -> None:
    train = PulseTrain([f"{a!r} V" for a in amplitudes], f"{width!r} s")
    again = protocol_from_dict(train.to_dict())
    assert again == train
    assert hash(again) == hash(train)


def test_one_amplitude_for_all() -> None:
    train = PulseTrain("-2 V", count=3)
    assert train.amplitudes.tolist() == [-2.0, -2.0, -2.0]
    assert train.duration == pytest.approx(3e-6)
    assert train != PulseTrain("-2 V", count=4)
    assert PulseTrain().count == 100


def test_quantity_arrays_are_welcome() -> None:
    volt = pint.UnitRegistry().volt
    train = PulseTrain(np.linspace(-2.0, -3.0, 5) * volt)
    assert train.count == 5
    assert train.amplitudes[-1] == -3.0
    assert PulseTrain(-2.0 * volt, count=2).amplitudes.tolist() == [-2.0, -2.0]


def test_widths_pulse_by_pulse() -> None:
    train = PulseTrain("-2 V", ["10 ns", "1 us"])
    assert train.widths.tolist() == [1e-8, 1e-6]
    assert train.period == pytest.approx(5e-6)
    assert train.pulse(0).corners[2] == pytest.approx(15e-9)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"amplitude": -2}, "-2 has no unit (amplitude)"),
        ({"amplitude": "2 ohm"}, "amplitude"),
        ({"amplitude": []}, "one value a pulse is expected (amplitude)"),
        ({"amplitude": ["-1 V", "-2 V"], "count": 3}, "2 values for 3 pulses (amplitude)"),
        ({"amplitude": ["-1 V", 2]}, "(amplitude[1])"),
        ({"amplitude": ["-1 V"] * 2, "width": ["1 ns"] * 3}, "3 values for 2 pulses (width)"),
        ({"width": "0 s"}, "not positive (width)"),
        ({"rise": "-1 ns"}, "not positive (rise)"),
        ({"count": 0}, "0 is no number of pulses (count)"),
        ({"count": 2.5}, "2.5 is no number of pulses (count)"),
        ({"count": True}, "no number of pulses (count)"),
        ({"period": "100 ns"}, "too short for pulse and read"),
        ({"read_voltage": "0 V"}, "a read at 0 V measures nothing"),
        ({"amplitude": "nan V"}, "amplitude"),
    ],
)
def test_bad_input_is_one_line(arguments: dict, words: str) -> None:
    with pytest.raises(InputError) as caught:
        PulseTrain(**arguments)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_there_is_no_such_pulse() -> None:
    with pytest.raises(InputError, match="no pulse 3"):
        PulseTrain(count=3).pulse(3)


def test_the_drive_is_kept_only_if_it_is_given() -> None:
    assert not {"drive", "gate_voltage"} & PulseTrain().to_dict().keys()
    train = PulseTrain(drive="source-line", gate_voltage="3.3 V")
    assert (train.drive, train.gate_voltage) == ("source-line", 3.3)
    assert protocol_from_dict(train.to_dict()) == train != PulseTrain()


def test_an_unknown_line_is_refused() -> None:
    with pytest.raises(InputError, match="unknown drive 'word-line'"):
        PulseTrain(drive="word-line")
