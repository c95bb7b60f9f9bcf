"""Devices from YAML: the library that ships, and files that hold no device."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ddkbase.errors import InputError
from devicephys.device import Conductor, Oxide, Transistor, list_devices, load_device
from devicephys.device.library import device_from_yaml
from devicephys.device.quantity import MARKS

#: every line ten times the one before
BOMB = "a0: &a0 [x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10)
)
GOOD = load_device("tin-taox-hfox-tin").to_yaml()


def message(text: str) -> str:
    with pytest.raises(InputError) as caught:
        device_from_yaml(text, "mine.yaml")
    line = str(caught.value)
    assert "\n" not in line
    assert "mine.yaml" in line
    return line


def test_library_holds_its_devices() -> None:
    known = ["calibration-start", "calibration-start-pulses", "hfo2-ti", "kim-stack"]
    known += ["larentis-stack", "taox-ta", "tin-taox-hfox-tin", "tin-taox-hfox-tin-v1"]
    assert list_devices() == known


@pytest.mark.parametrize("name", list_devices())
def test_every_shipped_parameter_has_a_mark_and_a_source(name: str) -> None:
    device = load_device(name)
    assert device.name == name
    assert device.description
    for row in device.table():
        assert row.mark in MARKS
        assert row.source not in ("", "user", "default of the model"), row.path


def test_larentis_stack_is_the_published_starting_point() -> None:
    device = load_device("larentis-stack")
    tin, hfox, taox = (device.materials[name] for name in ("TiN", "HfOx", "TaOx"))
    assert isinstance(tin, Conductor)
    assert isinstance(hfox, Oxide)
    assert isinstance(taox, Oxide)
    assert [layer.thickness for layer in device.layers] == [30e-9, 9e-9, 45e-9, 30e-9]
    assert (hfox.conductivity_low, hfox.conductivity_high) == (10, 3.33e4)
    assert (hfox.thermal_conductivity_low, hfox.thermal_conductivity_high) == (0.5, 23)
    assert (hfox.diffusion_prefactor, hfox.diffusion_activation) == (1e-7, 1.0)
    assert (hfox.initial_concentration, taox.initial_concentration) == (1e24, 1e27)
    assert tin.volumetric_heat_capacity == pytest.approx(545 * 5220)
    assert device.series.kind == "none"
    assert device.voltage_reference == "bare cell"


def test_shipped_cell_has_the_transistor_its_voltages_refer_to() -> None:
    device = load_device("tin-taox-hfox-tin")
    assert isinstance(device.series, Transistor)
    assert device.series.gate_voltage == 1.5
    assert device.voltage_reference == "1T1R cell"


def test_file_gives_the_same_device(tmp_path: Path) -> None:
    path = tmp_path / "cell.yaml"
    path.write_text(GOOD, encoding="utf-8")
    assert load_device(path) == load_device(str(path)) == device_from_yaml(GOOD)


def test_bare_text_is_a_value_assumed_by_the_user() -> None:
    radius = "radius: {value: 9 nm, mark: article, source: 'Shi et al. 2025, Device modeling'}"
    assert radius in GOOD
    device = device_from_yaml(GOOD.replace(radius, "radius: 8 nm"))
    assert device.filament.radius == 8e-9
    origin = device.provenance["filament.radius"]
    assert (origin.mark, origin.source) == ("assumed", "user")


def test_off_is_a_choice_not_a_switch() -> None:
    device = device_from_yaml(GOOD.replace("soret: {value: cold", "soret: {value: off"))
    assert device.vacancy.soret == "off"


def test_what_is_left_out_has_its_default() -> None:
    lines = [line for line in GOOD.splitlines() if not line.startswith("outer_radius")]
    device = device_from_yaml("\n".join(lines))
    assert device.outer_radius == 30e-9
    assert device.provenance["outer_radius"].source == "default of the model"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("name: [1", ["line 1"]),
        (GOOD + "\nname: other\n", ["'name' is given twice"]),
        (GOOD.replace("  height:", "  radius: 3 nm\n  height:"), ["'radius' is given twice"]),
        ("", ["holds no device"]),
        ("- a\n- b\n", ["holds no device"]),
        ("just text", ["holds no device"]),
        ("\x00\x01", ["not valid YAML"]),
        ("[" * 5000, ["not valid YAML"]),
        ("!!python/object/apply:os.system ['true']", ["not valid YAML"]),
        ("? [a, b]\n: 1\n", ["not valid YAML"]),
        ("name: &x [*x]\n", ["anchors", "line 1"]),
        (BOMB, ["anchors (&) and aliases (*) are not taken", "line 1"]),
        ("name: x\nlayers: *x\n", ["anchors", "line 2"]),
        (GOOD.replace("kind: oxide", "kind: [oxide]", 1), ["materials.HfOx"]),
        ("name: x\n", ["'voltage_reference' is missing", "more"]),
        (GOOD.replace("outer_radius", "outer_radus"), ["Did you mean 'outer_radius'?"]),
        (GOOD.replace("value: 45 nm", "value: 45"), ["45 has no unit", "layers.TaOx.thickness"]),
        (GOOD.replace("value: 45 nm", "value: .inf"), ["layers.TaOx.thickness"]),
        (GOOD.replace("value: 45 nm", "value: [45 nm]"), ["layers.TaOx.thickness"]),
        (GOOD.replace("mark: article", "mark: guess", 1), ["'guess'", "literature"]),
        (GOOD.replace("kind: oxide", "kind: oxyde", 1), ["materials.HfOx", "oxyde"]),
        (GOOD.replace("- name: TaOx", "- name: HfOx"), ["'HfOx' occurs twice"]),
        (GOOD.replace("material: TaOx", "material: HfOx"), ["materials.TaOx", "Remove it"]),
        (GOOD.split("layers:")[0] + "layers: 3\n", ["layers"]),
        (GOOD.split("filament:")[0] + "filament: 3\n", ["3 is not a mapping", "filament"]),
    ],
)
def test_no_device_in_the_text(text: str, parts: list[str]) -> None:
    line = message(text)
    for part in parts:
        assert part in line


def test_no_such_device_names_the_closest() -> None:
    with pytest.raises(InputError, match="Did you mean 'larentis-stack'"):
        load_device("larentis-stak")
    with pytest.raises(InputError, match="no such file"):
        load_device("missing.yaml")
    with pytest.raises(InputError, match="is not a device"):
        load_device("")


def test_what_is_no_text_file(tmp_path: Path) -> None:
    garbage = tmp_path / "garbage.yaml"
    garbage.write_bytes(bytes(range(256)) * 4)
    with pytest.raises(InputError, match="is not text"):
        load_device(garbage)
    with pytest.raises(InputError, match="is a folder"):
        load_device(tmp_path)
    huge = tmp_path / "huge.yaml"
    huge.write_text("a" * 2_000_000, encoding="utf-8")
    with pytest.raises(InputError, match="too large"):
        load_device(huge)


def test_what_is_no_regular_file_is_not_opened(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero"), "/dev/null"):
        with pytest.raises(InputError, match="is not a regular file"):
            load_device(path)


@pytest.mark.parametrize("value", [None, 5, [], b"x", load_device("larentis-stack")])
def test_what_names_no_device(value: object) -> None:
    with pytest.raises(InputError, match=r"is (neither name nor path of|not) a device"):
        load_device(value)  # type: ignore[arg-type]
