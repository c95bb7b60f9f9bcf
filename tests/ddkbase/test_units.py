"""Units at the door: text and pint quantities in, SI floats inside."""

from __future__ import annotations

import math
import time

import numpy as np
import pint
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddkbase.errors import InputError
from ddkbase.units import exact_text, format_si, from_si, to_si, to_si_array

UNITS = ["m", "s", "V", "A", "ohm", "S/m", "W/m/K", "J/m^3/K", "m^2/s", "1/m^3", "K", "eV", "1"]
finite = st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False)


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("9 nm", "m", 9e-9),
        ("9nm", "m", 9e-9),
        ("1e21 cm^-3", "1/m^3", 1e27),
        ("100 V/s", "V/s", 100.0),
        ("0.5 W/m/K", "W/m/K", 0.5),
        ("5 kohm", "ohm", 5e3),
        ("5 kΩ", "ohm", 5e3),
        ("1.0 eV", "eV", 1.0),
        ("25 degC", "K", 298.15),
        ("-1.7 V", "V", -1.7),
        ("0.1 1/K", "1/K", 0.1),
        ("4e-4 A/V^2", "A/V^2", 4e-4),
        ("2", "1", 2.0),
        (2, "1", 2.0),
    ],
)
def test_text_becomes_exactly_the_si_number(text: object, unit: str, expected: float) -> None:
    assert to_si(text, unit) == expected


def test_energies_are_kept_in_electronvolts() -> None:
    assert to_si("1.602176634e-19 J", "eV") == pytest.approx(1.0, rel=1e-14)
    assert from_si(1.0, "J") == pytest.approx(1.602176634e-19, rel=1e-14)


def test_quantities_of_any_registry_are_taken() -> None:
    foreign = pint.UnitRegistry()
    assert to_si(foreign.Quantity(9, "nanometer"), "m") == 9e-9
    assert to_si(foreign.Quantity(20, "degC"), "K") == 293.15


@pytest.mark.parametrize(
    "value", [5, 5.0, np.float64(5), "5", "5e-9", True, None, [5], "", "nm", "5 foo", "5 @", "5 )("]
)
def test_no_length_names_the_expected_unit_in_one_line(value: object) -> None:
    with pytest.raises(InputError) as caught:
        to_si(value, "m", "filament.radius")
    message = str(caught.value)
    assert "(filament.radius)" in message
    assert "converts to m, e.g. '5 nm'" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("value", "unit"),
    [("5 V", "m"), ("5 nm^2", "m"), ("1 eV", "V"), (pint.UnitRegistry()("3 s"), "m"), ("1 s", "1")],
)
def test_wrong_dimension_is_refused(value: object, unit: str) -> None:
    with pytest.raises(InputError, match="wrong dimension"):
        to_si(value, unit)


@pytest.mark.parametrize(
    "unit",
    [
        "m*9**9**9**9",
        "m^9^9^9^9",
        "m**(9**9**9)",
        "(((9**9)**9)**9)**9 m",
        "9⁹⁹⁹⁹⁹⁹⁹⁹⁹ m",
        "m⁹**9**9**9",
        "m*9*,*9*,*9*,*9",
        "9 cubed cubed cubed cubed cubed m",
        "9 ^ 999999999 m",
        "m^999999999",
        "m^9e9999",
        "m" + "*m" * 40,
        "m" * 10_000_000,
    ],
    ids=lambda unit: unit[:20],
)
def test_no_power_tower_gets_to_pint(unit: str) -> None:
    started = time.perf_counter()
    with pytest.raises(InputError) as caught:
        to_si(f"5 {unit}", "m", "filament.radius")
    assert "filament.radius" in str(caught.value)
    assert len(str(caught.value)) < 300
    with pytest.raises(InputError):
        from_si(5.0, unit)
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("1.2e+21 cm^-3", "1/m^3", 1.2e27),
        ("1e21 1 / cm ** 3", "1/m^3", 1e27),
        ("1e21 cm^(-3)", "1/m^3", 1e27),
        ("1e21 cm⁻³", "1/m^3", 1e27),
        ("2 J/m^3/K", "J/m^3/K", 2.0),
        ("2 W/(m K)", "W/m/K", 2.0),
        ("2 W m^-1 K^-1", "W/m/K", 2.0),
        ("2.0 joule / kelvin / meter ** 3", "J/m^3/K", 2.0),
        ("20 °C", "K", 293.15),
        ("50 %", "1", 0.5),
    ],
)
def test_units_as_people_write_them(text: str, unit: str, expected: float) -> None:
    assert to_si(text, unit) == pytest.approx(expected, rel=1e-14)


def test_a_difference_has_no_offset() -> None:
    registry = pint.UnitRegistry()
    assert to_si("5 K", "K", difference=True) == 5.0
    assert to_si(registry.Quantity(5, "K"), "K", difference=True) == 5.0
    for value in ("5 degC", registry.Quantity(5, "degC")):
        with pytest.raises(InputError, match="no difference"):
            to_si(value, "K", difference=True)


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        (10**400, "1"),
        ("nan nm", "m"),
        ("inf V", "V"),
        ("-Infinity V", "V"),
        ("1e999 m", "m"),
        ("1e99999999999999999999 m", "m"),
        ("1e308 km", "m"),
        (math.nan, "1"),
        (pint.UnitRegistry().Quantity(math.inf, "m"), "m"),
    ],
)
def test_nothing_infinite_gets_in(value: object, unit: str) -> None:
    with pytest.raises(InputError, match="finite"):
        to_si(value, unit)


@given(value=finite, unit=st.sampled_from(UNITS))
def test_exact_text_is_read_back_to_the_same_float(value: float, unit: str) -> None:
    assert to_si(exact_text(value, unit), unit) == value


@given(
    value=st.floats(min_value=-1e20, max_value=1e20).filter(lambda x: x == 0 or abs(x) > 1e-20),
    unit=st.sampled_from(UNITS),
    digits=st.integers(1, 12),
)
def test_formatted_text_is_read_back_to_its_digits(value: float, unit: str, digits: int) -> None:
    assert to_si(format_si(value, unit, digits), unit) == pytest.approx(
        value, rel=0.5001 * 10 ** (1 - digits), abs=0
    )


@given(value=st.floats(min_value=-1e12, max_value=1e12))
def test_display_units_undo_what_the_door_did(value: float) -> None:
    for unit, inside in [("nm", "m"), ("kohm", "ohm"), ("cm^-3", "1/m^3"), ("eV", "eV")]:
        assert from_si(to_si(f"{value!r} {unit}", inside), unit) == pytest.approx(
            value, rel=1e-14, abs=1e-300
        )  # below, numbers have no 14 digits


def test_display_values() -> None:
    assert from_si(9e-9, "nm") == 9.0
    assert from_si(693.15, "degC") == 420.0
    assert from_si(1.0, "eV") == 1.0
    assert math.isnan(from_si(math.nan, "nm"))
    assert format_si(999.96e-9, "m") == "1 um"
    assert format_si(-1.25, "V") == "-1.25 V"
    assert format_si(1e27, "1/m^3") == "1e+27 1/m^3"


def test_arrays_name_the_entry_that_is_wrong() -> None:
    registry = pint.UnitRegistry()
    np.testing.assert_array_equal(to_si_array(["1 ms", "2 ms"], "s"), [1e-3, 2e-3])
    np.testing.assert_array_equal(to_si_array([1, 2] * registry.ms, "s"), [1e-3, 2e-3])
    with pytest.raises(InputError, match=r"times\[1\]"):
        to_si_array(["1 ms", "2 V"], "s", "times")
    for value in ("1 ms", np.array(1.0), 5, None):
        with pytest.raises(InputError, match="not a sequence"):
            to_si_array(value, "s")
