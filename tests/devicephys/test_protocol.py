"""Waveforms: corners, continuity, and what is no protocol."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pint
import pytest
from hypothesis import given
from hypothesis import strategies as st

import devicephys
from ddkbase.errors import InputError
from devicephys.protocol.stored import protocol_from_dict
from devicephys.protocol.waveform import IVSweep, Waveform

volts = st.floats(0.01, 10.0)
sweeps = st.builds(
    lambda reset, set_, rate, loops, first: IVSweep(
        f"{-reset!r} V", f"{set_!r} V", f"{rate!r} V/s", loops, first
    ),
    volts,
    volts,
    st.floats(1e-3, 1e9),
    st.integers(1, 12),
    st.sampled_from(["reset", "set"]),
)


def test_corners_of_the_default_sweep() -> None:
    sweep = IVSweep(loops=2)
    np.testing.assert_allclose(sweep.corners, np.arange(9) * 1.7, rtol=1e-14)
    np.testing.assert_array_equal(sweep.corner_voltages, [0, -1.7, 0, 1.7, 0, -1.7, 0, 1.7, 0])
    assert sweep.slope_limit == 1.0
    assert IVSweep(first="set").corner_voltages[1] == 1.7


@given(sweep=sweeps)
def test_sweep_hits_its_corners_exactly(sweep: IVSweep) -> None:
    for time, voltage in zip(sweep.corners, sweep.corner_voltages, strict=True):
        assert sweep.voltage(time) == voltage
    assert sweep.corners[0] == 0
    assert sweep.corners[-1] == sweep.duration
    assert np.all(np.diff(sweep.corners) > 0)


@given(sweep=sweeps, place=st.floats(0, 1), step=st.floats(0, 0.01))
def test_sweep_is_continuous_with_its_rate_as_slope(
    sweep: IVSweep, place: float, step: float
) -> None:
    start = place * sweep.duration
    end = min(start + step * sweep.duration, sweep.duration)
    change = abs(sweep.voltage(end) - sweep.voltage(start))
    rounding = 1e-12 * sweep.rate * sweep.duration
    assert change <= sweep.rate * (end - start) + rounding
    assert sweep.reset_voltage <= sweep.voltage(start) <= sweep.set_voltage


@given(sweep=sweeps)
def test_loops_follow_each_other_and_are_alike(sweep: IVSweep) -> None:
    bounds = [sweep.loop_times(i) for i in range(sweep.loops)]
    assert bounds[0][0] == 0
    assert bounds[-1][1] == sweep.duration
    for (_, end), (start, _) in itertools.pairwise(bounds):
        assert end == start
    np.testing.assert_allclose([b - a for a, b in bounds], bounds[0][1], rtol=1e-9)
    for outside in (-1, sweep.loops):
        with pytest.raises(InputError):
            sweep.loop_times(outside)


@given(sweep=sweeps)
def test_sweep_survives_being_written_down(sweep: IVSweep) -> None:
    assert protocol_from_dict(sweep.to_dict()) == sweep
    assert hash(protocol_from_dict(sweep.to_dict())) == hash(sweep)


def test_waveform_survives_being_written_down() -> None:
    wave = Waveform(["0 s", "1 ms", "4 ms"], ["0 V", "1 V", "-0.3 V"])
    assert protocol_from_dict(wave.to_dict()) == wave
    assert Waveform.from_si([0, 1e-3, 4e-3], [0, 1, -0.3]) == wave
    assert wave.slope_limit == pytest.approx(1000)
    assert wave.voltage(0.5e-3) == 0.5
    assert wave.voltage(1) == -0.3
    registry = pint.UnitRegistry()
    assert Waveform([0, 1, 4] * registry.ms, [0, 1, -0.3] * registry.V) == wave


def test_protocols_are_frozen_and_told_apart() -> None:
    with pytest.raises(AttributeError):
        IVSweep().rate = 3.0  # type: ignore[misc]
    assert IVSweep() != IVSweep(rate="50 V/s")
    assert IVSweep() == IVSweep(rate="1 mV/ms")


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        ({"reset_voltage": -1.7}, "reset_voltage"),
        ({"reset_voltage": "1.7 V"}, "reset_voltage"),
        ({"reset_voltage": "0 V"}, "reset_voltage"),
        ({"set_voltage": "-1 V"}, "set_voltage"),
        ({"set_voltage": "1 A"}, "set_voltage"),
        ({"set_voltage": "nan V"}, "set_voltage"),
        ({"rate": "0 V/s"}, "rate"),
        ({"rate": "-100 V/s"}, "rate"),
        ({"rate": "100 V"}, "rate"),
        ({"loops": 0}, "loops"),
        ({"loops": 1.5}, "loops"),
        ({"loops": True}, "loops"),
        ({"loops": 10**9}, "loops"),
        ({"first": "both"}, "first"),
        ({"first": np.array([1, 2])}, "first"),
        ({"first": []}, "first"),
        ({"reset_voltage": "0 V", "set_voltage": "0 V"}, "zero length"),
        ({"rate": "1e-320 V/s"}, "not a finite number"),
    ],
)
def test_no_sweep(arguments: dict[str, object], where: str) -> None:
    with pytest.raises(InputError) as caught:
        IVSweep(**arguments)  # type: ignore[arg-type]
    assert where in str(caught.value)


@pytest.mark.parametrize(
    ("times", "voltages", "what"),
    [
        ([], [], "zero length"),
        (["0 s"], ["0 V"], "zero length"),
        (["0 s", "0 s"], ["0 V", "1 V"], "zero length"),
        (["0 s", "2 s", "1 s"], ["0 V"] * 3, r"times\[2\]"),
        (["0 s", "1 s", "1 s"], ["0 V"] * 3, r"times\[2\]"),
        (["1 s", "2 s"], ["0 V", "1 V"], "Start at 0"),
        (["0 s", "1 s"], ["0 V"], "2 times for 1 voltages"),
        ([0, 1], ["0 V", "1 V"], "has no unit"),
    ],
)
def test_no_waveform(times: list[object], voltages: list[object], what: str) -> None:
    with pytest.raises(InputError, match=what):
        Waveform(times, voltages)


def test_nothing_infinite_in_a_waveform() -> None:
    with pytest.raises(InputError, match="finite"):
        Waveform.from_si([0, math.inf], [0, 1])
    with pytest.raises(InputError, match="finite"):
        Waveform.from_si([0, 1], [0, math.nan])
    with pytest.raises(InputError, match="finite"):
        IVSweep().voltage(math.nan)


@pytest.mark.parametrize(
    "data",
    [
        None,
        5,
        {},
        {"kind": []},
        {"kind": "Square"},
        {"kind": "IVSweep", "speed": "1 V/s"},
        {"kind": "IVSweep", 5: 1},
        {"kind": "Waveform"},
    ],
)
def test_no_stored_protocol(data: object) -> None:
    with pytest.raises(InputError):
        protocol_from_dict(data)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", devicephys.list_devices())
def test_sweep_of_a_device(name: str) -> None:
    device = devicephys.load_device(name)
    sweep = IVSweep.from_device(device)
    assert sweep.corner_voltages.min() == device.sweep.reset_voltage
    assert sweep.corner_voltages.max() == device.sweep.set_voltage
    assert (sweep.slope_limit, sweep.loops) == (device.sweep.rate, device.sweep.loops)
