"""The description of a cell: values, provenance, changes, and what is no cell."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pint
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddkbase.errors import InputError
from devicephys.device import Device, Filament, Resistor, load_device
from devicephys.device.library import device_from_yaml

# the literature set: its values do not move with a calibration
DEVICE = load_device("larentis-stack").with_(
    series={
        "kind": "transistor",
        "gate_voltage": "1.5 V",
        "threshold_voltage": "0.5 V",
        "transconductance": "4e-4 A/V^2",
    }
)
BARE = load_device("larentis-stack")
PATHS = list(DEVICE.provenance)


def message(changes: dict[str, Any], device: Device = DEVICE) -> str:
    with pytest.raises(InputError) as caught:
        device.with_(changes)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_fields_hold_si_floats_and_remember_their_text() -> None:
    assert DEVICE.filament.radius == 9e-9
    assert DEVICE.filament.concentration == 1e27
    assert DEVICE.materials["HfOx"].diffusion_activation == 1.0  # type: ignore[union-attr]
    assert DEVICE.height == pytest.approx(114e-9)
    assert DEVICE.filament_layer.thickness == 9e-9
    origin = DEVICE.provenance["filament.radius"]
    assert (origin.value_text, origin.unit, origin.mark) == ("9 nm", "m", "article")


def test_paths_are_those_of_the_command_line() -> None:
    for path in (
        "filament.radius",
        "layers.HfOx.thickness",
        "materials.HfOx.diffusion_activation",
        "series.threshold_voltage",
        "vacancy.soret",
        "sweep.rate",
        "outer_radius",
    ):
        assert path in PATHS


def test_with_changes_one_value_and_says_who_did() -> None:
    changed = DEVICE.with_(**{"filament.radius": "8 nm"})
    assert changed.filament.radius == 8e-9
    assert DEVICE.filament.radius == 9e-9
    origin = changed.provenance["filament.radius"]
    assert (origin.value_text, origin.mark, origin.source) == ("8 nm", "assumed", "set by user")
    others = {path: p for path, p in changed.provenance.items() if path != "filament.radius"}
    assert others == {p: o for p, o in DEVICE.provenance.items() if p != "filament.radius"}


def test_with_takes_quantities_and_provenance() -> None:
    registry = pint.UnitRegistry()
    assert DEVICE.with_({"filament.radius": 8 * registry.nm}).filament.radius == 8e-9
    entry = {"value": "8 nm", "mark": "calibrated", "source": "least squares"}
    origin = DEVICE.with_({"filament.radius": entry}).provenance["filament.radius"]
    assert (origin.mark, origin.source) == ("calibrated", "least squares")


def test_with_takes_choices_switches_and_counts_as_text() -> None:
    changed = DEVICE.with_(
        {"vacancy.soret": "off", "vacancy.site_exclusion": "false", "sweep.loops": "3"}
    )
    assert changed.vacancy.soret == "off"
    assert changed.vacancy.site_exclusion is False
    assert changed.sweep.loops == 3


def test_series_element_can_be_exchanged() -> None:
    assert DEVICE.with_({"series.kind": "none"}).series.kind == "none"
    assert DEVICE.with_(series="none").series.kind == "none"
    expected = Resistor(resistance="1 kohm")
    by_key = DEVICE.with_({"series.resistance": "1 kohm", "series.kind": "resistor"})
    assert by_key.series == DEVICE.with_(series=expected).series == expected
    assert "key 'resistance' is missing (series)" in message({"series.kind": "resistor"})
    assert "series.gate_voltage" in message({"series.gate_voltage": "2 V"}, BARE)


@pytest.mark.parametrize(
    ("given_key", "meant"),
    [
        ("filament.radus", "filament.radius"),
        ("radius", "filament.radius"),
        ("layers.HfOx.thicknes", "layers.HfOx.thickness"),
        ("materials.HfO.diffusion_activation", "materials.HfOx.diffusion_activation"),
        ("Filament.radius", "filament.radius"),
        ("sweep.rates", "sweep.rate"),
    ],
)
def test_unknown_key_names_the_closest(given_key: str, meant: str) -> None:
    assert f"Did you mean '{meant}'?" in message({given_key: "8 nm"})


@given(path=st.sampled_from(PATHS), place=st.integers(0, 80), letter=st.sampled_from("aeiouxyz_"))
def test_any_single_typo_is_led_back(path: str, place: int, letter: str) -> None:
    place = min(place, len(path))
    typo = path[:place] + letter + path[place:]
    if typo not in PATHS:
        assert "Did you mean '" in message({typo: "1"})


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"filament.radius": 8}, ["8 has no unit", "filament.radius", "5 nm"]),
        ({"outer_radius": "30 m"}, ["'30 m' is too large", "outer_radius", "is the unit right?"]),
        ({"ambient_temperature": "300 kK"}, ["too large", "ambient_temperature", "<= 10000 K"]),
        ({"materials.HfOx.diffusion_activation": "1 J"}, ["too large", "<= 100 eV"]),
        ({"filament.radius": "8"}, ["has no unit", "filament.radius"]),
        ({"filament.radius": "8 V"}, ["wrong dimension", "filament.radius"]),
        ({"filament.radius": "nan nm"}, ["finite", "filament.radius"]),
        ({"filament.radius": "-5 nm"}, ["-5 nm", "filament.radius", "> 0"]),
        ({"filament.radius": "30 nm"}, ["wider than the cell", "filament.radius"]),
        ({"filament.height": "10 nm"}, ["taller", "filament.height"]),
        ({"filament.wall_width": "10 nm"}, ["wall", "filament.wall_width"]),
        ({"filament.layer": "top_electrode"}, ["Oxide layers: HfOx, TaOx", "filament.layer"]),
        ({"filament.layer": "SiO2"}, ["Oxide layers: HfOx, TaOx", "filament.layer"]),
        ({"layers.HfOx.thickness": "-9 nm"}, ["-9 nm", "layers.HfOx.thickness"]),
        ({"layers.HfOx.thickness": "0 nm"}, ["0 nm", "layers.HfOx.thickness"]),
        ({"layers.HfOx.material": "TiN"}, ["'HfOx' is not an oxide", "filament.layer", "TaOx"]),
        (
            {"layers.HfOx.material": "TiN", "layers.TaOx.material": "TiN"},
            ["no layer is an oxide", "(layers)", "kind 'oxide'"],
        ),
        (
            {"materials.TiN.interface_exchange_prefactor": "1 m/s"},
            ["'interface_exchange_activation' is missing", "materials.TiN.interface_exchange_act"],
        ),
        (
            {
                "materials.TiN.interface_exchange_prefactor": "1 m/s",
                "materials.TiN.interface_exchange_activation": "1 eV",
            },
            ["'interface_exchange_concentration' is missing"],
        ),
        (
            {"materials.TiN.interface_exchange_concentration": "2e21 cm^-3"},
            ["site_limit", "materials.TiN.interface_exchange_concentration"],
        ),
        ({"materials.TiN.interface_exchange_prefactor": "1 1/s"}, ["wrong dimension", "TiN"]),
        ({"materials.TiN.interface_exchange_prefactor": "-1 m/s"}, ["-1 m/s", ">= 0"]),
        ({"materials.TiN.electrical_temperature_coefficient": "-1 1/K"}, ["-1 1/K", ">= 0"]),
        ({"layers.top_electrode.material": "TaOx"}, ["must be an electrode"]),
        ({"layers.HfOx.material": "SiO2"}, ["not described", "Known: TiN, HfOx, TaOx"]),
        ({"filament.concentration": "2e21 cm^-3"}, ["site_limit", "filament.concentration"]),
        ({"materials.TaOx.initial_concentration": "2e21 cm^-3"}, ["site_limit", "TaOx"]),
        ({"materials.HfOx.diffusion_activation": "-1 eV"}, ["diffusion_activation", ">= 0"]),
        ({"series.gate_voltage": "0.1 V"}, ["never conducts", "series.gate_voltage"]),
        ({"series.kind": "diode"}, ["'diode'", "series.kind"]),
        ({"series.kind": []}, ["[]", "series.kind"]),
        ({"series": {"kind": []}}, ["series"]),
        ({"series": 3, "series.resistance": "1 ohm"}, ["3 is not a mapping", "series"]),
        ({5: 1}, ["5 is not a key"]),
        (5, ["5 is not a mapping"]),
        ({"filament.radius": "5 m*9**9**9**9"}, ["is not a unit", "filament.radius"]),
        ({"filament.radius": {"value": "8 nm", "mark": []}}, ["unknown mark []"]),
        ({"series": 3}, ["3 is not a mapping", "series"]),
        ({"vacancy.soret": "warm"}, ["'warm'", "vacancy.soret", "'hot', 'cold' or 'off'"]),
        ({"vacancy.charge_number": "0"}, ["vacancy.charge_number"]),
        ({"sweep.reset_voltage": "1 V"}, ["not negative", "sweep.reset_voltage"]),
        ({"sweep.set_voltage": "-1 V"}, ["not positive", "sweep.set_voltage"]),
        ({"sweep.rate": "0 V/s"}, ["sweep.rate"]),
        ({"sweep.loops": "1.5"}, ["sweep.loops"]),
        ({"sweep.loops": 0}, ["sweep.loops"]),
        ({"side_wall": "open"}, ["'open'", "side_wall"]),
        ({"ambient_temperature": "-300 degC"}, ["ambient_temperature"]),
        ({"filament.radius": {"value": "8 nm", "mark": "sure"}}, ["'sure'", "filament.radius"]),
        ({"filament.radius": {"val": "8 nm"}}, ["Did you mean 'value'?", "filament.radius"]),
        ({"filament.radius": {"mark": "assumed"}}, ["'value' is missing", "filament.radius"]),
    ],
)
def test_no_cell(changes: dict[str, Any], parts: list[str]) -> None:
    text = message(changes)
    for part in parts:
        assert part in text


def test_a_metal_may_lie_between_the_electrodes() -> None:
    tree = DEVICE.to_tree()
    del tree["materials"]["TaOx"]
    tree["materials"]["Ti"] = tree["materials"]["TiN"]
    bottom, oxide, other, top = tree["layers"]
    metal = other | {"name": "Ti", "material": "Ti"}
    for layers in ([bottom, oxide, metal, top], [bottom, metal, oxide, top]):
        device = Device.from_mapping(tree | {"layers": layers})
        assert [layer.name for layer in device.oxide_layers] == ["HfOx"]
        assert device_from_yaml(device.to_yaml()) == device
    # what is off is not written, and not in the table
    assert not any(
        "interface" in path or "coefficient" in path for path in device.provenance if "Ti" in path
    )
    wider = device.with_({"layers.Ti.thickness": "7 nm"})
    assert wider.layers[1].thickness == 7e-9
    given = {
        "materials.Ti.interface_exchange_prefactor": "2 cm/s",
        "materials.Ti.interface_exchange_activation": "1.1 eV",
        "materials.Ti.interface_exchange_concentration": "5e20 cm^-3",
    }
    on = device.with_(given)
    assert on.materials["Ti"].interface_exchange_prefactor == 0.02  # type: ignore[union-attr]
    assert on.materials["TiN"].interface_exchange_prefactor == 0.0  # type: ignore[union-attr]
    rows = {row.path: row for row in on.table()}
    assert [rows[path].value for path in given] == list(given.values())
    assert device_from_yaml(on.to_yaml()) == on


def test_more_vacancies_than_sites_are_allowed_without_exclusion() -> None:
    changed = DEVICE.with_(
        {"filament.concentration": "2e21 cm^-3", "vacancy.site_exclusion": False}
    )
    assert changed.filament.concentration == 2e27


def test_several_problems_are_still_one_line() -> None:
    text = message({"filament.radius": 8, "filament.height": 9, "sweep.loops": 0, "side_wall": "x"})
    assert "filament.radius" in text
    assert "and 1 more" in text


def test_direct_construction_gives_the_same_errors() -> None:
    with pytest.raises(InputError, match=r"9 has no unit \(radius\)"):
        Filament(layer="HfOx", radius=9, height="9 nm", concentration="1e21 cm^-3")
    with pytest.raises(InputError, match=r"unknown key 'radus'.*Did you mean 'radius'"):
        Filament(layer="HfOx", radus="9 nm", height="9 nm", concentration="1e21 cm^-3")


def test_a_description_cannot_be_changed_in_place() -> None:
    with pytest.raises(InputError, match=r"with_\(\)"):
        DEVICE.filament.radius = 8e-9  # type: ignore[misc]
    with pytest.raises(TypeError):
        DEVICE.materials["SiO2"] = DEVICE.materials["HfOx"]  # type: ignore[index]


def test_compared_by_value_not_by_wording() -> None:
    same = DEVICE.with_({"filament.radius": "0.009 um"})
    other = DEVICE.with_({"materials.HfOx.thermal_conductivity_low": "0.3 W/m/K"})
    assert same == DEVICE
    assert hash(same) == hash(DEVICE)
    assert other != DEVICE
    assert {DEVICE: 1}[same] == 1


def test_copies_are_equal() -> None:
    for twin in (copy.copy(DEVICE), copy.deepcopy(DEVICE), pickle.loads(pickle.dumps(DEVICE))):
        assert twin == DEVICE
        assert twin.provenance == DEVICE.provenance


lengths = st.floats(0.1, 29.0)


@given(
    radius=lengths,
    wall=st.floats(0, 1),
    limit=st.floats(1.0, 9.0),
    soret=st.sampled_from(["hot", "cold", "off"]),
    switch=st.booleans(),
    series=st.sampled_from(
        [{"kind": "none"}, {"kind": "resistor", "resistance": "1.3 kohm"}, DEVICE.series]
    ),
    source=st.text(max_size=30),
)
def test_yaml_gives_back_the_device(
    radius: float, wall: float, limit: float, soret: str, switch: bool, series: Any, source: str
) -> None:
    device = DEVICE.with_(
        {
            "filament.radius": {"value": f"{radius!r} nm", "mark": "calibrated", "source": source},
            "filament.wall_width": f"{radius * wall * 0.999} nm",
            "vacancy.site_limit": f"{limit!r}e21 cm^-3",
            "vacancy.soret": soret,
            "vacancy.field_enhanced_drift": switch,
            "series": series,
        }
    )
    back = device_from_yaml(device.to_yaml())
    assert back == device
    assert back.provenance == device.provenance


def test_table_lists_every_parameter_once() -> None:
    rows = DEVICE.table()
    assert [row.path for row in rows] == PATHS
    assert len(set(PATHS)) == len(PATHS)
    row = next(row for row in rows if row.path == "vacancy.site_limit")
    assert (row.value, row.unit) == ("1.2e21 cm^-3", "1/m^3")
