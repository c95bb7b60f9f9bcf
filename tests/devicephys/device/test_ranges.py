"""The documented ranges of a device's numbers, and devices drawn from them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from ddkbase.errors import InputError
from devicephys.cli.commands import app
from devicephys.device import Device, list_devices, load_device
from devicephys.device.library import device_from_yaml
from devicephys.device.range_table import USUAL_SHARE
from devicephys.device.ranges import (
    CHOICES,
    RANGES,
    bounds,
    markdown,
    outside,
    random_device,
    ranges_of,
)

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = load_device("tin-taox-hfox-tin")
seeds = st.integers(0, 2**32 - 1)


def drawn(seed: int, base: Device | None = None) -> Device:
    return random_device(np.random.default_rng(seed), base)


@pytest.mark.parametrize("name", list_devices())
@pytest.mark.parametrize(
    "series",
    [
        {"kind": "none"},
        {"kind": "resistor", "resistance": "1 kohm"},
        {
            "kind": "transistor",
            "gate_voltage": "1.5 V",
            "threshold_voltage": "0.5 V",
            "transconductance": "1e-3 A/V^2",
        },
        {"kind": "compliance", "compliance": "1 mA", "reset_compliance": "2 mA"},
    ],
)
def test_every_number_of_a_device_has_a_range(name: str, series: dict[str, str]) -> None:
    device = load_device(name).with_(series=series)
    numbers = {path for path, origin in device.provenance.items() if origin.unit}
    assert set(ranges_of(device)) == numbers


def test_every_choice_of_a_device_has_its_probabilities() -> None:
    choices = {
        path
        for name in list_devices()
        for path, origin in load_device(name).provenance.items()
        if not origin.unit
    }
    assert choices | {"series.kind"} == {*CHOICES, "sweep.loops"}
    for odds in CHOICES.values():
        assert sum(odds.values()) == pytest.approx(1)


@pytest.mark.parametrize("name", list_devices())
def test_the_devices_of_the_library_lie_within_the_ranges(name: str) -> None:
    assert outside(load_device(name)) == []


def test_what_lies_outside_is_named() -> None:
    far = SHIPPED.with_({"filament.radius": "1 nm", "sweep.rate": "1e9 V/s"})
    assert set(outside(far)) >= {"filament.radius", "sweep.rate"}


def test_ranges_are_in_order_and_say_why() -> None:
    for entry in RANGES:
        assert entry.lower < entry.upper, entry.path
        assert entry.scale == "linear" or entry.lower > 0, entry.path
        assert entry.why


def test_units_of_the_ranges_are_those_of_the_parameters() -> None:
    origin = SHIPPED.provenance
    for path, entry in ranges_of(SHIPPED).items():
        if not entry.of:
            assert entry.unit == origin[path].unit, path
        elif entry.unit == "1":
            assert origin[path].unit == origin[entry.of].unit, path


@settings(max_examples=50)
@given(seed=seeds)
def test_a_random_device_is_valid_and_within_its_ranges(seed: int) -> None:
    device = drawn(seed)
    assert device_from_yaml(device.to_yaml()) == device
    assert outside(device) == []
    assert all("drawn" in origin.source for origin in device.provenance.values())


@settings(max_examples=20)
@given(seed=seeds, base=st.sampled_from(list_devices()))
def test_one_seed_gives_one_device(seed: int, base: str) -> None:
    assert drawn(seed, load_device(base)).to_yaml() == drawn(seed, load_device(base)).to_yaml()
    assert drawn(seed) != drawn(seed + 1)


def test_the_numbers_of_the_base_do_not_matter() -> None:
    odd = SHIPPED.with_({"filament.radius": "3 nm", "outer_radius": "90 nm"})
    assert drawn(5, odd) == drawn(5)


def test_layers_and_materials_are_those_of_the_base() -> None:
    tree = SHIPPED.to_tree()
    extra = {**tree["layers"][2], "name": "upper"}
    tree["layers"].insert(3, extra)
    base = Device.from_mapping(tree)
    device = drawn(1, base)
    assert [layer.name for layer in device.layers] == [layer.name for layer in base.layers]
    assert device.layers[2].thickness != device.layers[3].thickness
    assert outside(device) == []


def test_a_material_that_both_oxide_layers_share_is_drawn_once() -> None:
    tree = SHIPPED.to_tree()
    tree["layers"][2]["material"] = "HfOx"
    del tree["materials"]["TaOx"]
    device = drawn(1, Device.from_mapping(tree))
    assert set(device.materials) == {"TiN", "HfOx"}
    numbers = {path for path, origin in device.provenance.items() if origin.unit}
    assert set(bounds(device)) == numbers


@pytest.mark.parametrize("base", list_devices())
def test_terms_that_the_base_leaves_out_are_drawn(base: str) -> None:
    devices = [drawn(seed, load_device(base)) for seed in range(30)]
    assert {device.series.kind for device in devices} == set(CHOICES["series.kind"])
    for device in devices:
        absent = {
            prefix + name
            for prefix, part in device.parts()
            for name, marker in part.parameters().items()
            if marker.optional and marker.unit and prefix + name not in device.provenance
        }
        # below the stack there is nothing
        assert absent == {f"layers.{device.layers[0].name}.thermal_boundary_resistance_below"}
    layer = devices[0].layers[1].name
    path = f"layers.{layer}.thermal_boundary_resistance_below"
    assert 0.0 < np.mean([_number(device, path) > 0.0 for device in devices]) < 0.6


def test_an_expression_of_the_base_is_kept() -> None:
    law = {"materials.HfOx.conductivity": "s", "materials.HfOx.constants.s": "1e4 S/m"}
    device = drawn(2, SHIPPED.with_(law))
    assert device.materials["HfOx"].conductivity == "s"
    assert device.provenance["materials.HfOx.thermal_coefficient_low"].unit == "1/K"


def test_draws_fill_the_ranges() -> None:
    sample = [drawn(seed) for seed in range(200)]
    for path, entry in ranges_of(SHIPPED).items():
        if entry.of or path.startswith("series.") or entry.usual is not None:
            continue
        low, high = bounds(SHIPPED)[path]
        values = np.array([_number(device, path) for device in sample])
        place = (values - low) / (high - low)
        if entry.scale == "log":
            place = np.log(values / low) / np.log(high / low)
        # the mean of 200 uniform numbers has a standard deviation of 0.02
        assert abs(place.mean() - 0.5) < 0.1, path
        assert place.min() < 0.1, path
        assert place.max() > 0.9, path
    sharp = np.mean([device.filament.wall_width == 0 for device in sample])
    assert abs(sharp - USUAL_SHARE) < 0.12
    through = np.mean(
        [device.filament.height == device.filament_layer.thickness for device in sample]
    )
    assert abs(through - USUAL_SHARE) < 0.12
    for path, odds in CHOICES.items():
        texts = [text for device in sample if (text := _text(device, path)) is not None]
        for name, share in odds.items():
            found = np.mean([text == name for text in texts])
            assert abs(found - share) < 0.15, (path, name)


def _number(device: Device, path: str) -> float:
    *parents, key = path.split(".")
    part = dict(device.parts())["".join(f"{name}." for name in parents)]
    return float(getattr(part, key))


def _text(device: Device, path: str) -> str | None:
    """The choice a device has; None where it has none to make."""
    if path == "series.kind":
        return device.series.kind
    origin = device.provenance.get(path)
    return origin.value_text if origin is not None else None


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(InputError, match="no random generator"):
        random_device(3)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no device"):
        random_device(np.random.default_rng(0), "tin-taox-hfox-tin")  # type: ignore[arg-type]


def test_the_document_is_up_to_date() -> None:
    text = (ROOT / "docs" / "ranges.md").read_text(encoding="utf-8")
    assert text == markdown(), "write docs/ranges.md anew with ranges.markdown()"
    for entry in RANGES:
        assert f"| `{entry.path}`" in text
    assert not re.search(r"\| +\|", text), "an empty entry"


# -- the command --------------------------------------------------------------------------------


def test_the_command_prints_a_device(tmp_path: Path) -> None:
    printed = CliRunner().invoke(app, ["random-device", "--seed", "7"])
    assert printed.exit_code == 0, printed.output
    device = device_from_yaml(printed.stdout)
    assert device == drawn(7).with_({"name": "random-7"})
    path = tmp_path / "cell.yaml"
    written = CliRunner().invoke(app, ["random-device", "--seed", "7", "--out", str(path)])
    assert (written.exit_code, written.stdout) == (0, "")
    assert path.read_text(encoding="utf-8") == printed.stdout
    assert load_device(path) == device


def test_the_command_draws_on_the_layers_of_another_device() -> None:
    printed = CliRunner().invoke(app, ["random-device", "--seed", "7", "--device", "kim-stack"])
    assert device_from_yaml(printed.stdout).description.endswith("as in kim-stack.")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--seed", "7", "--device", "kim-stak"], 2, "Did you mean 'kim-stack'"),
        (["--seed", "7", "--out", " "], 2, "is empty"),
        (["--seed", "7", "--out", "{full}"], 4, "full"),
        (["--seed", "-1"], 2, "--seed"),
        ([], 2, "--seed"),
    ],
)
def test_the_command_refuses_in_a_line(
    arguments: list[str], code: int, message: str, tmp_path: Path
) -> None:
    full = tmp_path / "full"
    full.write_text("kept", encoding="utf-8")
    words = ["random-device", *(word.format(full=full) for word in arguments)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == code, result.output
    assert message in result.stderr
    assert result.stdout == ""
    assert full.read_text(encoding="utf-8") == "kept"
