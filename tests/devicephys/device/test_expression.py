"""A conductivity of one's own: what is let in, what is refused with its place, units, changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pint
import pytest

from ddkbase.errors import InputError
from ddkbase.units import base_factor, base_text, dimension, unit_of
from devicephys.device import Device, load_device
from devicephys.device.entries import device_entries, parameter_value
from devicephys.device.expression import CONSTANTS, FUNCTIONS, Expression
from devicephys.device.materials import EIGHT, Oxide, conductivity_values

DEVICE = load_device("tin-taox-hfox-tin")
OXIDE = "materials.HfOx."
LAW = "s_0*exp(-E_A/(k_B*T))"
CONSTANTS_OF_IT = {"s_0": "3e4 S/m", "E_A": "0.1 eV"}


def own(law: str = LAW, constants: dict[str, Any] | None = None, **more: Any) -> Device:
    given = CONSTANTS_OF_IT if constants is None else constants
    named = {f"{OXIDE}constants.{name}": value for name, value in given.items()}
    return DEVICE.with_({f"{OXIDE}conductivity": law, **named, **more})


def oxide(device: Device) -> Oxide:
    material = device.materials["HfOx"]
    assert isinstance(material, Oxide)
    return material


def message(law: str = LAW, constants: dict[str, Any] | None = None, **more: Any) -> str:
    with pytest.raises(InputError) as error:
        own(law, constants, **more)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("law", "parts"),
    [
        ("s_0*exp(-E_A/(k_B*t))", ["'t' is unknown, at character 19", "Give it in 'constants'"]),
        ("s_0*exp(-E_B/(k_B*T))", ["'E_B' is unknown, at character 10"]),
        ("s_0*exp(-E_A/k_B)", ["argument or exponent is in K", "at character 5"]),
        ("s_0*exp(-E_A)", ["is in kg*m^2/s^2"]),
        ("s_0*E_A", ["its value is in A^2*s/m, not in S/m"]),
        ("exp(-E_A/(k_B*T))", ["its value is a plain number, not in S/m"]),
        ("s_0 + E_A", ["what is in A^2*s^3/kg/m^3 meets what is in kg*m^2/s^2"]),
        ("maximum(s_0, E_A)", ["meets what is in"]),
        ("s_0*(E_A/(k_B*T))**T", ["argument or exponent is in K"]),
        ("s_0*E_A**(k_B*T/E_A)", ["the exponent of what has a unit is no number"]),
        ("0*E_A", ["its value is nothing but 0"]),
        ("s_0*E_A^2", ["is not let in, at character 1", "Write ** for a power"]),
        ("s_0*", ["is no expression", "Write e.g. 's"]),
        ("3e4 S/m", ["is no expression, at character 5"]),
        ("", ["is no expression"]),
        ("s_0*exp(E_A, 2)", ["'exp' takes 1 argument, at character 5"]),
        ("s_0*minimum(E_A)", ["'minimum' takes 2 arguments"]),
        ("s_0*expp(E_A)", ["'expp' is no function", "Did you mean 'exp'"]),
        ("s_0*exp", ["'exp' is a function", "Write exp(...)"]),
        ("s_0*1e999", ["a number that is not finite, at character 5"]),
        ("σ_0*E_A", ["'σ' is no ASCII, at character 1"]),
        ("(" * 300 + "s_0" + ")" * 300, ["is no expression"]),
        ("-" * 900 + "s_0", ["more than 60 operations within each other"]),
        ("s_0" + "+s_0" * 400, ["is longer than 1000 characters"]),
        ("-s_0*exp(-E_A/(k_B*T))", ["is -", "at n = 0 1/m^3, T = 150 K"]),
        ("s_0*exp(E_A/(k_B*T)*1e3)", ["is inf S/m", "minimum(...)"]),
        ("s_0*9**9**9**9*E_A/E_A", ["cannot be computed"]),
        ("s_0*E_A/E_A/(1-1)", ["is inf S/m"]),
        ("s_0*(1/0)*E_A/E_A", ["a division by 0, at character 6"]),
        ("s_0*E_A/E_A*(-8)**0.5", ["cannot be computed"]),
    ],
)
def test_wrong_expressions_are_refused_with_their_place(law: str, parts: list[str]) -> None:
    said = message(law)
    assert "(materials.HfOx.conductivity)" in said
    assert [part for part in parts if part not in said] == [], said


@pytest.mark.parametrize(
    "law",
    [
        "__import__('os').system('true')",
        "().__class__.__bases__[0].__subclasses__()",
        "s_0.real",
        "E_A[0]",
        "lambda: s_0",
        "[s_0 for x in E_A]",
        "s_0 if n else E_A",
        "f'{s_0}'",
        "s_0*'a'",
        "s_0*True",
        "s_0*1j",
        "s_0 < E_A",
        "s_0 and E_A",
        "(s_0, E_A)",
        "s_0 @ E_A",
        "s_0 % E_A",
        "exp(*s_0)",
        "exp(s_0=E_A)",
        "(x := s_0)",
        "await s_0",
        "not s_0",
        "~s_0",
        "...",
        "print(s_0)",
        "eval(s_0)",
    ],
)
def test_nothing_but_arithmetic_is_let_in(law: str) -> None:
    with pytest.raises(InputError, match=r"is not let in|is no expression|is no function"):
        Expression(law)


def test_values_are_those_of_python() -> None:
    names = {"a": 2.5, "b": -0.4, "n": 3.0}
    text = "-a*b**2 + exp(b)/sqrt(n) - +log(a)*sinh(b) - cosh(b)*tanh(n)"
    text += " + minimum(a, n)**maximum(b, 1)"
    value = Expression(text).evaluate(names, {name: getattr(np, name) for name in FUNCTIONS})
    functions = {"minimum": min, "maximum": max} | {
        name: getattr(np, name) for name in FUNCTIONS if name not in ("minimum", "maximum")
    }
    a, b, n = names.values()
    expected = (
        -a * b**2 + functions["exp"](b) / np.sqrt(n) - np.log(a) * np.sinh(b)
        - np.cosh(b) * np.tanh(n) + min(a, n) ** max(b, 1)
    )  # fmt: skip
    assert value == pytest.approx(expected, rel=1e-14)


def test_a_law_in_other_units_is_the_same_law() -> None:
    one = own()
    other = own(constants={"s_0": "300 S/cm", "E_A": 100 * pint.UnitRegistry().meV})
    assert other == one and hash(other.materials) == hash(one.materials)
    assert own(constants={"s_0": "3e4 S/m", "E_A": "0.2 eV"}) != one
    at = np.array(1e27), np.array(400.0), np.array(0.0)
    expected = 3e4 * np.exp(-0.1 / (8.617333262145179e-5 * 400.0))
    assert conductivity_values(oxide(other), *at) == pytest.approx(expected, rel=1e-12)


def test_a_new_law_drops_the_old_one_and_what_it_has_no_use_for() -> None:
    device = own()
    assert all(getattr(oxide(device), name) is None for name in EIGHT)
    assert not [path for path in device.provenance if "HfOx.conduct" in path and "low" in path]
    twice = device.with_({f"{OXIDE}conductivity": f"2*{LAW}"})
    assert oxide(twice).constants == oxide(device).constants
    less = device.with_({f"{OXIDE}conductivity": "s_0"})
    assert dict(oxide(less).constants) == {"s_0": 3e4}


def test_constants_are_numbers_of_the_device() -> None:
    path = f"{OXIDE}constants.E_A"
    entry = {"value": "100 meV", "mark": "literature", "source": "somebody"}
    device = own(constants={"s_0": "3e4 S/m", "E_A": entry})
    origin = device.provenance[path]
    assert (origin.value_text, origin.unit, origin.mark) == ("100 meV", "meV", "literature")
    assert parameter_value(device, path) == pytest.approx(100.0)
    assert device_entries(device)["parameters"][path]["value"] == pytest.approx(100.0)
    assert Device.from_mapping(device.to_tree()) == device
    changed = device.with_({path: "0.2 eV"})
    assert parameter_value(changed, path) == pytest.approx(0.2)
    assert "constants" not in DEVICE.to_yaml() and "conductivity:" not in DEVICE.to_yaml().replace(
        "thermal_conductivity:", ""
    ).replace("electrical_conductivity:", "")


@pytest.mark.parametrize(
    ("constants", "part", "where"),
    [
        ({**CONSTANTS_OF_IT, "k_B": "1 eV"}, "'k_B' is taken", "constants.k_B"),
        ({**CONSTANTS_OF_IT, "if": "1"}, "'if' is taken", "constants.if"),
        ({**CONSTANTS_OF_IT, "spare": "1"}, "is not in the expression", "constants.spare"),
        ({**CONSTANTS_OF_IT, "a b": "1"}, "'a b' is no name", "constants"),
        ({"s_0": "3e4 S/m", "E_A": "20 degC"}, "'degC' has an offset", "constants.E_A"),
        ({"s_0": "3e4 S/m", "E_A": "much"}, "does not start with a number", "constants.E_A"),
        ({"s_0": "3e4 S/m", "E_A": "1 foo"}, "'foo' is not a unit", "constants.E_A"),
        ({"s_0": "3e4 S/m", "E_A": "0.1 V"}, "argument or exponent", "conductivity"),
        ({"s_0": "3e4", "E_A": "0.1 eV"}, "a plain number, not in S/m", "conductivity"),
    ],
)
def test_wrong_constants(constants: dict[str, Any], part: str, where: str) -> None:
    said = message(constants=constants)
    assert part in said and f"(materials.HfOx.{where})" in said


def test_both_laws_at_once_are_refused() -> None:
    assert "has no effect beside 'conductivity' (materials.HfOx.conductivity_low)" in message(
        **{f"{OXIDE}conductivity_low": "1 S/m"}
    )
    tree = DEVICE.to_tree()
    tree["materials"]["HfOx"]["constants"] = {"a": "1"}
    with pytest.raises(InputError, match="nothing uses them"):
        Device.from_mapping(tree)
    tree["materials"]["HfOx"]["constants"] = 3
    with pytest.raises(InputError, match="3 is not a mapping"):
        Device.from_mapping(tree)
    del tree["materials"]["HfOx"]["constants"], tree["materials"]["HfOx"]["conductivity_high"]
    with pytest.raises(InputError, match=r"key 'conductivity_high' is missing \(materials\.HfOx"):
        Device.from_mapping(tree)


def test_units_and_dimensions() -> None:
    assert unit_of("5e-9 m^2*K/W") == "m^2*K/W" and unit_of("3") == "1" == unit_of(3.0)
    assert unit_of(2 * pint.UnitRegistry().dimensionless) == "1"
    assert base_text(dimension("eV")) == base_text(dimension("J")) == "kg*m^2/s^2"
    assert base_text(dimension("1")) == "1" and base_text(dimension("1/s")) == "1/s"
    assert base_factor("eV") == CONSTANTS["q_e"][0] and base_factor("S/cm") == 100.0
    assert base_factor("1") == 1.0
    with pytest.raises(InputError, match="has an offset"):
        base_factor("degC")
