"""Devices of a campaign that are listed in a table instead of drawn."""

from __future__ import annotations

from pathlib import Path

import pytest

import devicephys
from devicephys import InputError, ListedDevices
from devicephys.campaign import Campaign
from devicephys.campaign.description import Point
from devicephys.campaign.worker import task
from devicephys.device.entries import parameter_value
from devicephys.device.library import device_from_yaml
from devicephys.population.variability import SPREADS

CELL = devicephys.load_device("tin-taox-hfox-tin")
TEXT = """filament.radius (nm),materials.HfOx.diffusion_activation [eV]
8.5,1.42
9.5,1.41
9.1,1.40
"""


def campaign(folder: Path, **more: object) -> Campaign:
    (folder / "cells.csv").write_text(TEXT)
    given = {"name": "listed", "preset": "quick", "population": "cells.csv", "pulses": {"count": 3}}
    return Campaign.from_mapping({**given, **more}, folder)


def test_each_device_of_a_campaign_is_a_row(tmp_path: Path) -> None:
    plan = campaign(tmp_path, cycles=2)
    assert plan.devices == 3 and plan.size == 6
    for number, (radius, barrier) in enumerate([(8.5e-9, 1.42), (9.5e-9, 1.41), (9.1e-9, 1.40)]):
        given = task(plan, Point(0, 0, 0, 1, number))
        cell = device_from_yaml(given["device_yaml"])
        assert cell.filament.radius == pytest.approx(radius, rel=1e-12)
        path = "materials.HfOx.diffusion_activation"
        assert parameter_value(cell, path) == pytest.approx(barrier, rel=1e-12)
        assert cell.provenance[path].source == f"listed: cells.csv, device {number}"
    assert campaign(tmp_path, devices=2).size == 2


def test_only_spreads_from_cycle_to_cycle_are_drawn(tmp_path: Path) -> None:
    plan = campaign(tmp_path)
    assert plan.variability is not None
    for name, spread in SPREADS.items():
        left = getattr(plan.variability, name)
        assert left == (0.0 if spread.level == "device" else spread.default)
    assert campaign(tmp_path, variability="none").variability is None
    kept = campaign(tmp_path, variability={"occupation": 2})
    assert kept.variability is not None and kept.variability.occupation == 2
    with pytest.raises(InputError, match=r"listed.*variability\.filament_radius"):
        campaign(tmp_path, variability={"filament_radius": 0.1})


def test_another_table_is_another_campaign(tmp_path: Path) -> None:
    plain = campaign(tmp_path).to_dict()
    assert ListedDevices.from_dict(plain["population"]) == campaign(tmp_path).population
    assert "population" not in Campaign(name="drawn").to_dict()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("filament.radus (nm)\n8\n", "no parameter"),
        ("filament.radius\n8\n", "unit"),
        ("filament.radius (eV)\n8\n", "eV"),
        ("filament.radius (nm)\n8\nwide\n", "wide"),
        ("filament.radius (nm),series.transconductance (A/V^2)\n8,\n9,1e-3\n", "empty"),
        ("filament.radius (nm)\n8\n-9\n", "device 2"),
        ("filament.radius (nm),filament.radius (nm)\n8,9\n", "two columns"),
    ],
)
def test_a_table_that_is_not_clear_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(InputError) as caught:
        Campaign.from_mapping({"name": "bad", "population": "bad.csv"}, tmp_path)
    assert said in str(caught.value) and "bad.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_more_devices_than_rows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="3 are listed"):
        campaign(tmp_path, devices=4)


def test_a_list_comes_back_from_its_file(tmp_path: Path) -> None:
    listed = campaign(tmp_path).population
    (tmp_path / "again.csv").write_text(listed.to_csv())
    read = ListedDevices.from_file(tmp_path / "again.csv")
    read.check(CELL)
    assert (read.paths, read.units, read.values) == (listed.paths, listed.units, listed.values)
