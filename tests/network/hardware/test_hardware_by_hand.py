"""What a description of hardware does, part by part, against numbers worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from network.hardware import (
    ConductanceWindow,
    Endurance,
    Faults,
    Hardware,
    HardwareRealisation,
    KineticCells,
    Mapping,
    ReadNoise,
    Retention,
    TelegraphNoise,
    Tuning,
    WriteError,
    article,
    harden,
)
from network.hardware.cells.cells import Polarity
from network.hardware.cells.kinetics_noise import Spread
from network.hardware.training import _for_training
from network.layers.plain import Dense
from network.model.network import ddk_network
from tests.network.hardware.cell_data import WINDOW


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def some_cells(device: np.ndarray, window: ConductanceWindow = WINDOW) -> KineticCells:
    """Cells of one pulse, whose alpha and beta have that factor of the scatter of devices."""
    spread = Spread(device=device, cycle=np.zeros((2, 2)))
    pulse = Polarity(np.array([1.0]), np.array([0.1]), np.array([0.2]), (spread,))
    return KineticCells(window, pulse, pulse, 1e-7)


def test_what_was_never_good_stays_as_it_was_when_others_wear_out() -> None:
    faults = Faults(stuck_low=0.1, stuck_high=0.2, open=0.05)
    worn = Endurance(lifetime=1e6, shape=2.0)
    hardware = Hardware(faults=faults, endurance=worn, cycles=1e6)
    shape = (200, 300)
    built = faults.draw(shape, rng(1))
    failed = hardware.failed(shape, rng(1), rng(2))
    assert failed is not None
    assert (failed[built > 0] == built[built > 0]).all()
    later = worn.failed(1e6).draw(shape, rng(2))
    assert (failed[built == 0] == later[built == 0]).all()
    assert (later > 0).mean() == pytest.approx(1 - np.exp(-1), abs=0.01)
    counts = [(built == kind).mean() for kind in (1, 2, 3)]  # stuck low, stuck high, open
    assert counts == pytest.approx([0.1, 0.2, 0.05], abs=0.005)
    assert Hardware().failed(shape, rng(1), rng(2)) is None


@pytest.mark.parametrize(
    "more",
    [
        {"faults": Faults(stuck_low=0.1)},
        {"telegraph": TelegraphNoise(0.1)},
        {"retention": Retention.of("1 eV", "1 year", "10 uS"), "age": "1 day"},
        {"temperature": "85 degC"},
        {"endurance": Endurance()},
        {"mapping": Mapping("reference")},  # the error of a reference is shared by a tile
        {"write": None, "cells": some_cells(np.zeros((2, 2)))},
    ],
)
def test_only_a_write_error_of_pairs_is_drawn_without_its_cells(more: dict) -> None:
    assert article().only_write_error
    assert not replace(article(), **more).only_write_error
    assert Hardware(mapping=Mapping("reference")).only_write_error  # without any error


def test_what_training_takes_for_cells_that_are_written_is_what_verifying_leaves() -> None:
    # evenly from minus to plus the tolerance: its width over the root of twelve
    cells = some_cells(np.zeros((2, 2)))
    for options, tolerance in (((), 2e-6), ((("tolerance", "3 uS"),), 3e-6)):
        seen = _for_training(Hardware(cells=cells, programming=options))
        assert seen.cells is None and seen.write is not None
        even = np.linspace(-tolerance, tolerance, 100_001)
        assert seen.write.deviation == pytest.approx(even.std(), rel=1e-4)
        assert seen.write.mean == 0.0
    own = WriteError(1e-6, 2e-6)
    assert _for_training(Hardware(write=own)).write == own
    assert _for_training(Hardware()).write is None


@pytest.mark.parametrize(
    ("noise", "deviation"),
    [
        (ReadNoise(absolute=2e-6), 2.0 / 180.0),
        (ReadNoise(relative=0.05), 0.05 * (20.0 + 0.25 * 180.0) / 180.0),  # of the conductance
    ],
)
def test_reads_of_states_scatter_as_shares_of_the_window(
    noise: ReadNoise, deviation: float
) -> None:
    chip = HardwareRealisation(Hardware(mapping=Mapping(window=WINDOW), read=noise), seed=3)
    states = np.full((1, 40_000), 0.25)
    assert (chip.outputs("ddk", states, rng()) == states).all()  # not known to be states of cells
    pair = np.ones((1, 1))
    chip.kinetics("ddk", pair, pair, (1, 1), rng())
    seen = chip.outputs("ddk", states, rng())
    assert seen.std() == pytest.approx(deviation, rel=0.02)
    assert seen.mean() == pytest.approx(0.25, abs=4 * deviation / 200)


def test_only_what_is_tuned_has_room_for_larger_weights() -> None:
    x = rng(1).random((30, 12)).astype(np.float32)
    y = np.arange(30) % 3
    tuning = Tuning(epochs=1, rate=1e-9, headroom=1.5)
    for mode, room in (("imprecise", 1.0), ("hybrid", 1.5)):
        network = ddk_network((12,), [5], 3, seed=0)
        largest = {
            layer.name: max(float(np.abs(v).max()) for v in layer.parameters.values())
            for layer in network.layers
            if isinstance(layer, Dense)
        }
        outcome = harden(network, x, y, mode=mode, hardware=article(), trained=True, tuning=tuning)
        expected = {name: room * size for name, size in largest.items()}
        assert outcome.realise.limits == pytest.approx(expected)  # type: ignore[union-attr]


def test_a_device_keeps_its_own_deviation_whichever_cells_are_pulsed() -> None:
    cells = some_cells(np.array([[0.02, 0.0], [0.03, 0.01]]), ConductanceWindow(0.0, 1e-4))
    devices = np.array(
        [[1.0, -1.0, 0.5], [2.0, 0.0, -1.0]]
    )  # standard normal, alpha and beta's own
    state = np.full(3, 0.5)
    one = np.ones(1, np.int8)
    for device in range(3):
        for sign in (-1, 1):
            after = cells.pulsed(
                1e-4 * state[:1], sign * one, 0 * one, devices, np.array([device]), rng()
            )
            alpha = 0.1 + 0.02 * devices[0, device]
            beta = 0.2 + 0.03 * devices[0, device] + 0.01 * devices[1, device]
            middle = 0.5 + sign * beta
            y = (middle + np.sqrt(middle**2 + 4 * alpha)) / 2  # one implicit step
            assert after[0] == pytest.approx(1e-4 * min(y, 1.0))
