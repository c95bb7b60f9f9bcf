"""Every part of energy, time and area, by hand, on a chip of which all numbers differ."""

from __future__ import annotations

import numpy as np
import pytest

from network.hardware import load_chip
from network.hardware.chip.chip import Chip
from network.hardware.chip.cost import capacitance, cost, ddk_step, tile_area, writing
from network.hardware.chip.loads import Load

#: what the chip is told, and what it is in SI: each prime turns up where it is counted
TOLD = {
    "rows": 7, "columns": 10, "adcs_per_tile": 3, "adc_bits": 11, "input_bits": 9, "dac_bits": 4,
    "conductance_low": "2 uS", "conductance_high": "12 uS", "cell_area": "2 um^2",
    "read_voltage": "0.3 V", "read_time": "10 ns", "write_voltage": "3 V", "write_time": "200 ns",
    "write_pulses": 13, "pulse_voltage": "5 V", "pulse_time": "70 ns",
    "pulse_resistance": "40 kohm", "adc_energy": "1.1 pJ", "adc_time": "17 ns",
    "adc_area": "300 um^2", "dac_energy": "0.19 pJ", "dac_area": "23 um^2",
    "driver_energy": "2.9 pJ", "driver_area": "31 um^2", "driver_time": "4 ns",
    "hold_energy": "0.037 pJ", "hold_area": "41 um^2", "shift_add_energy": "0.43 pJ",
    "shift_add_area": "47 um^2", "buffer_energy": "0.53 pJ", "buffer_area": "590 um^2",
    "activation_energy": "0.61 pJ", "activation_area": "67 um^2", "mac_energy": "0.71 pJ",
}  # fmt: skip


def chip(**changes: object) -> Chip:
    described = load_chip("180nm").to_mapping()
    described["scheme"] = changes.pop("scheme", "differential")
    for name, value in {**TOLD, **changes}.items():
        described["values"][name]["value"] = value
    return Chip.from_mapping(described)


PICO, NANO, MICRO2 = 1e-12, 1e-9, 1e-12


def test_the_area_of_a_tile() -> None:
    expected = {
        "cells": 7 * 10 * 2, "ADCs": 3 * 300, "DACs": 7 * 23, "drivers": 7 * 31,
        "sample-and-hold": 10 * 41, "shift-and-add": 3 * 47, "buffers": 590, "activation": 67,
    }  # fmt: skip
    found = tile_area(chip())
    assert found.pop("tile") == pytest.approx(sum(expected.values()) * MICRO2)
    assert found == pytest.approx({name: area * MICRO2 for name, area in expected.items()})


def test_a_step_of_the_ddk_layer() -> None:
    step = ddk_step(chip())
    assert step["pulse"] == pytest.approx((25 / 40e3 * 70 * NANO, 70 * NANO))
    assert step["driver"] == pytest.approx(((2.9 + 0.19) * PICO, 4 * NANO))
    assert step["read"] == pytest.approx((0.09 / 40e3 * 10 * NANO, 10 * NANO))
    assert step["sample-and-hold"] == (pytest.approx(0.037 * PICO), 0.0)
    assert step["ADC"] == pytest.approx((1.1 * PICO, 17 * NANO))
    assert step["buffer"] == (pytest.approx(2 * 0.53 * PICO), 0.0)  # eleven bits are two bytes


@pytest.mark.parametrize(("scheme", "each"), [("differential", 2), ("reference", 1)])
def test_writing_a_network(scheme: str, each: int) -> None:
    loads = [
        Load("a", "matrix", 9, 8, uses=5, macs=72),  # how often it is used does not count
        Load("ddk", "ddk", cells=100, steps=20),
        Load("b", "matrix", 4, 3, macs=12),
    ]
    energy, seconds = writing(loads, chip(scheme=scheme))
    middle = 7e-6  # S
    pulse = 9 * middle * 200 * NANO + 2.9 * PICO
    verify = 0.09 * middle * 10 * NANO + 1.1 * PICO + 0.037 * PICO
    assert energy == pytest.approx(84 * each * 13 * (pulse + verify))
    rows = np.ceil(84 * each / 10)  # a row of cells at once
    assert seconds == pytest.approx(rows * 13 * (200 + 10 + 17) * NANO)


def test_a_matrix_of_several_tiles() -> None:
    load = Load("m", "matrix", 16, 11, uses=2, macs=352, share=0.3, activations=22)
    (found,) = cost([load], chip()).layers
    slices = 3  # nine bits in pieces of four
    reads, row_tiles, column_tiles = 2 * slices, 3, 3  # of 7 rows, of 5 pairs
    assert (found.tiles, found.devices) == (9, 22 * 16)
    conversions = 22 * row_tiles * reads
    assert found.conversions == conversions
    mean = 2e-6 + 0.3 * 10e-6
    assert found.energy == pytest.approx(
        {
            "array": 22 * 16 * mean * 0.09 / 3 * 10 * NANO * reads,
            "DAC": 16 * column_tiles * 0.19 * PICO * reads,
            "sample-and-hold": conversions * 0.037 * PICO,
            "ADC": conversions * 1.1 * PICO,
            "shift-and-add": conversions * 0.43 * PICO,
            "buffer": (16 + 11) * 2 * 2 * 0.53 * PICO,
            "activation": 22 * 0.61 * PICO,
        }
    )
    # ten columns of a tile take turns at three converters
    assert found.latency == pytest.approx(reads * (10 + 4 * 17) * NANO)
    (narrow,) = cost([Load("n", "matrix", 16, 2, macs=32)], chip()).layers
    assert narrow.latency == pytest.approx(slices * (10 + 2 * 17) * NANO)


def test_a_matrix_with_reference_columns() -> None:
    (found,) = cost([Load("m", "matrix", 8, 10, macs=80)], chip(scheme="reference")).layers
    # nine columns and a reference on each of the two column tiles, two row tiles
    assert (found.tiles, found.devices, found.conversions) == (4, 12 * 8, 12 * 2 * 3)


@pytest.mark.parametrize("reads", [None, 4])
@pytest.mark.parametrize("layout", ["separate", "compact"])
def test_a_ddk_layer(layout: str, reads: int | None) -> None:
    load = Load("d", "ddk", cells=15, steps=20, reads=reads, macs=600)
    (found,) = cost([load], chip(), layout=layout).layers
    read = 20 if reads is None else reads
    assert found.energy == pytest.approx(
        {
            "DDK pulses": 15 * 20 * 25 / 40e3 * 70 * NANO,
            "driver": 15 * 20 * 3.09 * PICO,
            "array": 15 * read * 0.09 / 40e3 * 10 * NANO,
            "sample-and-hold": 15 * read * 0.037 * PICO,
            "ADC": 15 * read * 1.1 * PICO,
            "buffer": 15 * read * 2 * 0.53 * PICO,
        }
    )
    assert (found.devices, found.conversions) == (15, 15 * read)
    own = layout == "separate"  # on the diagonal of tiles of seven: three tiles, three turns
    assert found.tiles == (3 if own else 0)
    each = 10 + 3 * 17 if own else 15 * (10 + 17)
    assert found.latency == pytest.approx((20 * (4 + 70) + read * each) * NANO)


def test_capacitors_and_digital_units() -> None:
    load = Load("c", "capacitor", cells=8, steps=20, reads=2)
    (found,) = cost([load], chip()).layers
    step = 0.3 / 2**11
    farad = 12 * 1.380649e-23 * 300 / step**2  # noise below a twelfth of a squared step
    assert capacitance(chip()) == pytest.approx(farad)
    assert found.energy == pytest.approx(
        {
            "capacitors": 8 * 20 * farad * 0.09,
            "driver": 8 * 20 * 3.09 * PICO,
            "sample-and-hold": 8 * 2 * 0.037 * PICO,
            "ADC": 8 * 2 * 1.1 * PICO,
            "buffer": 8 * 2 * 2 * 0.53 * PICO,
        }
    )
    assert found.latency == pytest.approx((20 * 74 + 2 * 3 * 17) * NANO)  # eight in turn: three
    (digital,) = cost([Load("x", "digital", macs=50, activations=6)], chip()).layers
    assert digital.energy == pytest.approx({"digital": 50 * 0.71e-12, "activation": 6 * 0.61e-12})


def test_what_a_whole_network_comes_to() -> None:
    loads = [
        Load("d", "ddk", cells=15, steps=20, macs=600, stage="features"),
        Load("m", "matrix", 16, 11, macs=176),
    ]
    found = cost(loads, chip())
    one, other = found.layers
    energy, seconds = sum(one.energy.values()), one.latency + other.latency
    assert found.of("features") == pytest.approx(energy)
    energy += sum(other.energy.values())
    assert found.energy == pytest.approx(energy) and found.latency == pytest.approx(seconds)
    assert (found.macs, found.tiles) == (776, 3 + 9)
    assert found.tops_per_watt == pytest.approx(2 * 776 / energy / 1e12)  # a MAC is two operations
    assert found.tops == pytest.approx(2 * 776 / seconds / 1e12)
    assert found.area == pytest.approx(12 * tile_area(chip())["tile"])
    assert cost(loads, chip(), tiles=20).area == pytest.approx(20 * tile_area(chip())["tile"])
