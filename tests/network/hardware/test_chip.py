"""Chip descriptions: every number with unit and source, and one line for what is wrong."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from ddkbase.errors import InputError, StorageError
from network.hardware.chip.chip import FIELDS, Chip, load_chip, presets


def mapping(**changes: Any) -> dict[str, Any]:
    told = copy.deepcopy(load_chip("180nm").to_mapping())
    for key, value in changes.items():
        told["values"][key]["value"] = value
    return told


@pytest.mark.parametrize("name", ["130nm", "180nm", "32nm"])
def test_presets_give_every_number_a_source_that_says_its_kind(name: str) -> None:
    assert name in presets()
    chip = load_chip(name)
    assert set(chip.values) == set(FIELDS)
    kinds = ("article", "published", "scaled", "derived", "assumed")
    for key in FIELDS:
        assert chip.source(key).startswith(kinds), key
        assert len(chip.source(key)) > 10 or chip.source(key) == "assumed", key


def test_published_energies_of_a_conversion() -> None:
    assert load_chip("32nm").value("adc_energy") == pytest.approx(16e-3 / 9.6e9, rel=1e-3)
    assert load_chip("130nm").value("adc_energy") == pytest.approx(1.2e-12)
    assert load_chip("180nm").value("adc_energy") == pytest.approx(2.47e-6 / 200e3)


def test_a_file_round_trips(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(mapping(tiles=3)), encoding="utf-8")
    chip = load_chip(path)
    assert chip.count("tiles") == 3
    assert Chip.from_mapping(chip.to_mapping()).values == chip.values


def test_hardware_has_the_chip_s_imprecision() -> None:
    hardware = load_chip("180nm").hardware()
    assert hardware.write.deviation == pytest.approx(1.147e-6)  # type: ignore[union-attr]
    assert hardware.tile == (128, 128) and hardware.read is None
    assert load_chip("180nm").hardware(arrays=True, adc_bits=6).adc_bits == 6


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"adc_energy": "12 pA"}, "adc_energy"),
        ({"adc_energy": 12}, "adc_energy"),
        ({"cell_area": "1 um"}, "cell_area"),
        ({"adc_bits": 0}, "0 bits"),
        ({"rows": 0}, "rows"),
        ({"rows": 1.5}, "rows"),
        ({"tiles": True}, "tiles"),
        ({"read_voltage": "0 V"}, "zero"),
        ({"conductance_low": "300 uS"}, "no window"),
        ({"alpha_noise": -1}, "negative"),
    ],
)
def test_wrong_values_are_one_line_with_their_place(changes: dict, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        Chip.from_mapping(mapping(**changes), "mine.yaml")
    assert "\n" not in str(caught.value)


def test_wrong_entries_are_named() -> None:
    told = mapping()
    del told["values"]["adc_energy"]
    with pytest.raises(InputError, match="'adc_energy' is missing"):
        Chip.from_mapping(told)
    told = mapping()
    told["values"]["adc_enrgy"] = told["values"]["adc_energy"]
    with pytest.raises(InputError, match="adc_energy"):
        Chip.from_mapping(told)
    told = mapping()
    told["values"]["adc_time"] = "5 ns"
    with pytest.raises(InputError, match="a value and a source"):
        Chip.from_mapping(told)
    told = mapping()
    told["values"]["adc_time"]["source"] = " "
    with pytest.raises(InputError, match="source is empty"):
        Chip.from_mapping(told)
    for bad in ([], {"scheme": "odd"}, {"name": "x"}, {"nodes": 1}):
        with pytest.raises(InputError):
            Chip.from_mapping(bad)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="180nm"):
        load_chip("181nm")
    with pytest.raises(StorageError):
        load_chip(tmp_path / "no.yaml")
    with pytest.raises(InputError, match="no entry"):
        load_chip("180nm").value("adc")
