"""Program and verify on cells made of one formula."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devicephys import InputError, PulseTrain
from devicephys.simulation.preparation import (
    MOST_PULSES,
    TOLERANCE,
    near_as_formed,
    program_and_verify,
)


class FormulaCell:
    """Conductance between two ends; a pulse goes a share of the way that grows with its height."""

    def __init__(self, conductance: float, low: float, high: float, start: float, steep: float):
        self.conductance, self.low, self.high = conductance, low, high
        self.start, self.steep = start, steep
        self.heights: list[float] = []

    def pulse(self, train: PulseTrain, index: int) -> SimpleNamespace:
        height = float(train.amplitudes[index])
        self.heights.append(height)
        share = -math.expm1(-math.exp(min(self.steep * (abs(height) - self.start), 50.0)))
        end = self.low if height < 0 else self.high
        self.conductance *= (end / self.conductance) ** share
        return SimpleNamespace(conductance=self.conductance, temperature_max=300.0)


@settings(deadline=None)
@given(
    st.floats(6e-6, 190e-6),
    st.floats(6e-6, 190e-6),
    st.floats(1.5, 4.0),
    st.floats(3.0, 25.0),
)
def test_any_resistance_within_the_window(
    first: float, wanted: float, start: float, steep: float
) -> None:
    cell = FormulaCell(first, 5e-6, 200e-6, start, steep)
    reached, count = program_and_verify(cell, first, 1.0 / wanted, PulseTrain())
    assert abs(reached * (1.0 / wanted) - 1.0) <= TOLERANCE * 1.0001 or (
        abs(wanted / reached - 1.0) <= TOLERANCE
    )
    assert reached == cell.conductance
    assert count == len(cell.heights) <= MOST_PULSES


@settings(deadline=None)
@given(st.floats(6e-6, 190e-6), st.floats(6e-6, 190e-6), st.floats(5e-4, 0.2))
def test_as_near_as_asked_for(first: float, wanted: float, tolerance: float) -> None:
    cell = FormulaCell(first, 5e-6, 200e-6, 2.0, 15.0)
    reached, _ = program_and_verify(cell, first, 1.0 / wanted, PulseTrain(), tolerance=tolerance)
    assert abs(wanted / reached - 1.0) <= tolerance * (1 + 1e-9)


def test_nothing_is_done_to_a_cell_that_is_there() -> None:
    cell = FormulaCell(200e-6, 5e-6, 200e-6, 2.0, 15.0)
    assert program_and_verify(cell, 200e-6, 5050.0, PulseTrain()) == (200e-6, 0)
    assert not cell.heights


@pytest.mark.parametrize(
    ("reads", "wanted", "stays"),
    [(5.10e3, 5e3, True), (5.24e3, 5e3, True), (5.26e3, 5e3, False), (4.99e3, 5e3, False)],
)
def test_a_formed_cell_a_little_above_stays(reads: float, wanted: float, stays: bool) -> None:
    # RESET pulses can raise the resistance; SET pulses cannot lower it where there is no gap
    assert near_as_formed(1.0 / reads, wanted) is stays


def test_reset_is_negative_and_set_positive() -> None:
    down = FormulaCell(200e-6, 5e-6, 200e-6, 2.0, 10.0)
    program_and_verify(down, 200e-6, 2e4, PulseTrain())
    assert down.heights[0] < 0
    up = FormulaCell(10e-6, 5e-6, 200e-6, 2.0, 10.0)
    program_and_verify(up, 10e-6, 1e4, PulseTrain())
    assert up.heights[0] > 0


@pytest.mark.parametrize("wanted", [1e3, 1e6])
def test_out_of_reach_is_refused_and_says_how_far_it_got(wanted: float) -> None:
    cell = FormulaCell(100e-6, 5e-6, 200e-6, 2.0, 15.0)
    with pytest.raises(InputError) as caught:
        program_and_verify(cell, 100e-6, wanted, PulseTrain())
    text = str(caught.value)
    assert "cannot be brought to" in text
    assert "initial_resistance" in text
    assert ("5 kohm" if wanted < 5e3 else "200 kohm") in text


def test_pulses_are_told_and_look_like_the_train() -> None:
    told: list[tuple[int, float]] = []
    cell = FormulaCell(200e-6, 5e-6, 200e-6, 2.0, 10.0)
    train = PulseTrain(width="30 ns", rise="2 ns", read_voltage="0.2 V")
    seen: list[PulseTrain] = []
    plain = cell.pulse
    cell.pulse = lambda one, index: (seen.append(one), plain(one, index))[1]  # type: ignore
    _, count = program_and_verify(
        cell, 200e-6, 1e4, train, lambda number, height, _: told.append((number, height))
    )
    assert [number for number, _ in told] == list(range(1, count + 1))
    assert {one.widths[0] for one in seen} == {30e-9}
    assert {(one.rise, one.read_voltage) for one in seen} == {(2e-9, 0.2)}


def test_the_cell_is_prepared_with_the_drive_of_the_train() -> None:
    seen: list[PulseTrain] = []

    class Watched(FormulaCell):
        def pulse(self, train: PulseTrain, index: int) -> SimpleNamespace:
            seen.append(train)
            return super().pulse(train, index)

    cell = Watched(200e-6, 5e-6, 200e-6, 2.0, 15.0)
    program_and_verify(cell, 200e-6, 2e4, PulseTrain(drive="source-line", gate_voltage="3 V"))
    assert {(train.drive, train.gate_voltage) for train in seen} == {("source-line", 3.0)}
