"""Campaign files: every key is checked, the grid is what one wrote, the shipped ones are valid."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ddkbase.errors import InputError
from ddkbase.units import to_si
from devicephys.campaign import list_campaigns
from devicephys.campaign.description import Campaign
from devicephys.device import load_device
from devicephys.population.variability import Variability

GRID = {"amplitude": ["-2 V", "-3 V"], "width": ["50 ns", "100 ns", "1 us"]}


def made(**changes: Any) -> Campaign:
    return Campaign.from_mapping({"name": "trial", **changes})


def complaint(**changes: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        made(**changes)
    return caught.value


# what a file says


def test_the_grid_in_si_and_the_order_of_the_points() -> None:
    campaign = made(grid=GRID, initial_resistance="5 kohm", cycles=2, devices=3)
    assert campaign.amplitudes == (-2.0, -3.0)
    assert campaign.widths == (5e-8, 1e-7, 1e-6)
    assert campaign.initial_resistances == (5000.0,)
    assert campaign.shape == (2, 3, 1, 2, 3) and campaign.size == 36
    points = list(campaign.points())
    assert len(set(points)) == 36
    # the whole grid before the next device, all devices before the next cycle
    assert {point[3:] for point in points[:6]} == {(0, 0)}
    assert {point[3:] for point in points[6:12]} == {(0, 1)}
    assert {point.cycle for point in points[:18]} == {0}


def test_a_range_holds_both_ends_and_round_values_between() -> None:
    campaign = made(grid={"amplitude": {"from": "-2 V", "to": "-3 V", "steps": 11}})
    assert campaign.amplitudes == tuple(-2 - i / 10 for i in range(11))


def test_the_train_of_a_place_of_the_grid() -> None:
    campaign = made(pulses={"count": 7, "read_voltage": "0.2 V"}, grid=GRID)
    train = campaign.train(1, 2)
    assert train.count == 7 and train.read_voltage == 0.2
    assert set(train.amplitudes) == {-3.0} and set(train.widths) == {1e-6}


def test_the_drive_of_its_pulses() -> None:
    campaign = made(pulses={"drive": "source-line", "gate_voltage": "3 V"})
    assert (campaign.train(0, 0).drive, campaign.train(0, 0).gate_voltage) == ("source-line", 3.0)
    assert campaign.to_dict()["pulses"]["drive"] == "source-line"
    error = complaint(pulses={"gate_voltage": "3 V"}, set={"series.kind": "none"})
    assert error.where == "pulses.gate_voltage"
    assert "no transistor" in error.what


def test_what_is_left_out() -> None:
    campaign = made()
    assert campaign.amplitudes == (-2.0,) and campaign.widths == (1e-7,)
    assert campaign.initial_resistances == (None,) and campaign.pulse_count == 100
    assert campaign.variability == Variability() and campaign.settings.name == "default"
    assert campaign.target_resistance(0) is None


def test_a_list_of_heights_is_one_train() -> None:
    campaign = made(pulses={"amplitude": ["-2 V", "-2.5 V", "-3 V"]}, grid={"width": ["50 ns"]})
    assert campaign.amplitudes == (None,) and campaign.pulse_count == 3
    assert campaign.train(0, 0).amplitudes.tolist() == [-2.0, -2.5, -3.0]
    assert campaign.to_dict()["pulses"]["amplitude"] == ["-2 V", "-2.5 V", "-3 V"]


def test_variability() -> None:
    assert made(variability="none").variability is None
    assert made(variability={"occupation": 2}).variability == Variability(occupation=2)
    assert "variability" in str(complaint(variability={"ocupation": 2}))
    assert "'occupation'" in str(complaint(variability={"ocupation": 2}))


def test_set_changes_the_device() -> None:
    campaign = made(set={"filament.radius": "8 nm"})
    assert campaign.device.filament.radius == pytest.approx(8e-9)
    assert load_device("tin-taox-hfox-tin").filament.radius != pytest.approx(8e-9)


def test_equal_texts_make_equal_descriptions() -> None:
    one = made(pulses={"period": "2 us"}, initial_resistance="5 kohm")
    other = made(pulses={"period": "2000 ns"}, initial_resistance="5000 ohm")
    assert one.to_dict() == other.to_dict()
    assert made(pulses={"period": "3 us"}).to_dict() != one.to_dict()


# what is refused, and with which words


@pytest.mark.parametrize(
    ("changes", "where", "words"),
    [
        ({"cycels": 3}, "", "'cycles'"),
        ({"pulses": {"amplitud": "-2 V"}}, "pulses", "'amplitude'"),
        ({"grid": {"widht": ["5 ns"]}}, "grid", "'width'"),
        ({"grid": {"width": {"form": "5 ns", "to": "1 us", "steps": 3}}}, "grid.width", "'from'"),
        ({"grid": {"width": {"from": "5 ns", "to": "1 us"}}}, "grid.width", "'steps' is missing"),
        (
            {"grid": {"width": {"from": "5 ns", "to": "1 us", "steps": 1}}},
            "grid.width.steps",
            "from 2 up",
        ),
        ({"grid": {"width": ["5 ns", 7]}}, "grid.width[1]", "has no unit"),
        ({"grid": {"width": ["5 ns", "5 V"]}}, "grid.width[1]", "wrong dimension"),
        ({"grid": {"width": ["-5 ns"]}}, "grid.width", "not positive"),
        ({"grid": {"width": ["5 ns", "0.005 us"]}}, "grid.width", "given twice"),
        ({"grid": {"width": []}}, "grid.width", "list of values"),
        ({"grid": {"width": 5}}, "grid.width", "list of values"),
        ({"grid": ["5 ns"]}, "grid", "not a mapping"),
        ({"grid": GRID, "pulses": {"width": "5 ns"}}, "pulses.width", "on the grid already"),
        (
            {"grid": {"initial_resistance": ["5 kohm"]}, "initial_resistance": "5 kohm"},
            "initial_resistance",
            "on the grid already",
        ),
        ({"initial_resistance": 5000}, "initial_resistance", "'5 kohm'"),
        ({"initial_resistance": "5 V"}, "initial_resistance", "wrong dimension"),
        ({"pulses": {"count": 0}}, "pulses.count", "1 to"),
        ({"pulses": {"period": "200 ns"}, "grid": GRID}, "pulses.period", "too short"),
        ({"pulses": {"amplitude": ["-2 V", "-3 V"], "count": 3}}, "pulses.amplitude", "2 values"),
        ({"cycles": 0}, "cycles", "from 1 up"),
        ({"cycles": 2.0}, "cycles", "whole number"),
        ({"cycles": True}, "cycles", "whole number"),
        ({"cycles": 10_000, "devices": 10_000}, "grid, cycles, devices", "too many"),
        ({"seed": -1}, "seed", "from 0 up"),
        ({"seed": 2**32}, "seed", "whole number"),
        ({"preset": "quik"}, "preset", "'quick'"),
        ({"device": "tin-taox-hfox-tn"}, "device", "'tin-taox-hfox-tin'"),
        ({"device": 3}, "device", "no name of a device"),
        ({"set": {"radius": "8 nm"}}, "set: tin-taox-hfox-tin", "'filament.radius'"),
        ({"variability": "some"}, "variability", "'none'"),
        ({"name": None}, "name", "no text"),
    ],
)
def test_a_complaint_names_the_key(changes: dict[str, Any], where: str, words: str) -> None:
    error = complaint(**changes)
    assert error.where == where
    assert words in str(error)


def test_something_else_than_a_mapping() -> None:
    with pytest.raises(InputError, match="holds no campaign"):
        Campaign.from_mapping(["name"])
    with pytest.raises(InputError, match=r"there is none \(name\)"):
        Campaign.from_mapping({"cycles": 3})


# files


def test_a_file_with_a_device_beside_it(tmp_path: Path) -> None:
    device = load_device("tin-taox-hfox-tin").with_({"filament.radius": "8 nm"})
    (tmp_path / "cell.yaml").write_text(device.to_yaml(), encoding="utf-8")
    path = tmp_path / "c.yaml"
    path.write_text("name: trial\ndevice: cell.yaml\nset: {filament.wall_width: 1 nm}\n")
    campaign = Campaign.from_file(path)
    assert campaign.device.filament.radius == device.filament.radius
    assert campaign.device.filament.wall_width == pytest.approx(1e-9)
    assert len(campaign.source_checksum) == 64
    path.write_text(path.read_text() + "# a remark\n")
    assert Campaign.from_file(path).source_checksum != campaign.source_checksum


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: [", "not valid YAML"),
        ("name: a\nname: b\n", "given twice"),
        ("name: &a b\ndescription: *a\n", "anchors"),
        ("name: a\ncycles: 0\n", "cycles"),
        ("name: a\n" + "#" * 200_000, "too large"),
    ],
)
def test_a_complaint_names_the_file(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=words) as caught:
        Campaign.from_file(path)
    assert str(path) in str(caught.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        Campaign.from_file(tmp_path / "absent.yaml")
    with pytest.raises(InputError, match="folder"):
        Campaign.from_file(tmp_path)
    (tmp_path / "c.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not text"):
        Campaign.from_file(tmp_path / "c.yaml")
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(InputError, match="regular file"):
        Campaign.from_file(tmp_path / "pipe.yaml")
    with pytest.raises(InputError, match="'fig2b'"):
        Campaign.from_file("fig2bb")
    with pytest.raises(InputError, match="no campaign"):
        Campaign.from_file(" ")


# what ships


def test_the_shipped_campaigns() -> None:
    names = list_campaigns()
    assert set(names) == {
        *(f"{n}{s}" for n in ("fig2b", "fig2c", "fig2d", "s8") for s in ("", "-small")),
        "fig2b-gradual",
        "table-small",
        "demo",
    }
    for name in names:
        campaign = Campaign.from_file(name)
        assert campaign.name == name and campaign.description
        assert campaign.pulse_count == 100
        assert all(v is not None and v < 0 for v in campaign.amplitudes)  # RESET
        if name == "demo" or name.endswith(("-small", "-gradual")):
            assert campaign.settings.name == "quick"
            minutes = {"table-small": 15, "demo": 1}.get(name, 10)
            assert campaign.seconds(campaign.size, 2) < 60 * minutes
        else:
            assert campaign.cycles * campaign.devices == 100


def test_the_grids_of_the_article() -> None:
    heights = np.array(Campaign.from_file("fig2b").amplitudes)
    assert (np.abs(heights).min(), np.abs(heights).max()) == (2.0, 3.0)
    resistances = Campaign.from_file("fig2d").initial_resistances
    assert to_si("15 kohm", "ohm") in resistances
    assert max(r for r in resistances if r is not None) > 15e3
    devices = Campaign.from_file("s8")
    assert devices.devices == 100 and min(devices.shape[:3]) > 1
