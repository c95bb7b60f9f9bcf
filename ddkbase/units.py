"""Numbers with units at the door, plain SI floats inside; the only module that touches pint.

Inside the toolkit every quantity is a float in coherent SI units (m, s, V, A, ohm, S/m, W/m/K,
J/m^3/K, m^2/s, 1/m^3, K), with one exception: energies are kept in eV, the unit in which
activation energies are quoted and compared.
"""

from __future__ import annotations

import functools
import math
import numbers
import re
import sys
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ddkbase.errors import InputError, shorten

if TYPE_CHECKING:
    import pint  # start-up: a quarter of a second

#: 0 °C, K
CELSIUS_ZERO = 273.15
_NUMBER = re.compile(r"^\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(.*)$", re.DOTALL)
_NOT_FINITE = re.compile(r"^\s*[+-]?(nan|inf|infinity)\b", re.IGNORECASE)
# pint evaluates what it is given, and 9**9**9**9 takes for ever: only names with a short exponent
# get to it, no power of a power, of a number or of a bracket.
_LONGEST = 60
_SUPER = "⁰¹²³⁴-⁹"
_UNIT_TEXT = re.compile(
    rf"""(?: [^\W\d{_SUPER}][^\W{_SUPER}]*+              # a name, and maybe its power:
              (?: \s*(?:\*\*|\^)\s*
                      (?: [+-]?\d{{1,2}}(?:\.\d{{1,2}})?(?![\w.])
                        | \(\s*[+-]?\d{{1,2}}\s*\) )
                | [⁺⁻]?[{_SUPER}]{{1,2}} )?+
           | [°%] | \d++\.?(?:\d++)? | [\s/()] | \*(?!\*) )*+""",
    re.VERBOSE,
)
_POWER_WORD = re.compile(r"(?:cubed|squared|cubic|square|sq)\b")
_EXAMPLES = {
    "m": "5 nm",
    "s": "100 ns",
    "V": "1.5 V",
    "A": "50 uA",
    "ohm": "5 kohm",
    "S": "200 uS",
    "W": "10 uW",
    "K": "293.15 K",
    "eV": "1.0 eV",
    "V/s": "100 V/s",
    "S/m": "1e4 S/m",
    "A/V^2": "4e-4 A/V^2",
    "W/m/K": "0.5 W/m/K",
    "J/m^3/K": "2.8e6 J/m^3/K",
    "m^2/s": "1e-7 m^2/s",
    "1/m^3": "1e21 cm^-3",
    "1/K": "0.01 1/K",
}
_PREFIXES = {-18: "a", -15: "f", -12: "p", -9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M", 9: "G"}
_PREFIXED_UNITS = frozenset({"m", "s", "V", "A", "ohm", "S", "W", "J", "Hz"})
# Conversion factors are powers of ten or defined constants of at most 15 digits; what a binary
# float adds beyond that is noise, which would make "9 nm" differ from 9e-9.
_DIGITS = 15


def to_si(value: object, unit: str, name: str = "", difference: bool = False) -> float:
    """Convert text such as "5 nm", or a pint quantity, to a float in `unit`.

    Parameters
    ----------
    value : str or Quantity
        Text with a unit, or a scalar pint quantity; a bare number only if `unit` is "1".
    unit : str
        The unit used inside: a coherent SI unit, "eV" for energies, "1" if dimensionless.
    name : str, default ""
        What the value is, for the error message.
    difference : bool, default False
        Whether it is a difference, for which a unit with an offset (degC) is wrong.

    Raises
    ------
    InputError
        No unit, wrong dimension, unknown unit, not a number, NaN or infinite.
    """
    if isinstance(value, str):
        return _parse(value, unit, name, difference)
    if _is_quantity(value):
        if difference and not cast(Any, value)._is_multiplicative:
            raise _no_difference(str(value), unit, name)
        return _from_quantity(value, unit, name)
    if isinstance(value, numbers.Real) and not isinstance(value, bool | np.bool_):
        if unit != "1":
            raise _no_unit(value, unit, name)
        try:
            return _finite(float(value), value, name)
        except OverflowError:
            raise InputError(f"{shorten(value)} is not a finite number", name) from None
    raise InputError(f"{shorten(value)} is not a quantity", name, _expected(unit))


#: powers of the base quantities, by the names that pint has for them
Dimension = dict[str, float]

_BASE = {
    "[length]": "m",
    "[mass]": "kg",
    "[time]": "s",
    "[current]": "A",
    "[temperature]": "K",
    "[substance]": "mol",
    "[luminosity]": "cd",
}


def unit_of(value: object, name: str = "") -> str:
    """The unit of a text such as "5 nm" or of a pint quantity; "1" if it has none.

    Parameters
    ----------
    value : str, Quantity or float
        What was given.
    name : str, default ""
        What the value is, for the error message.

    Raises
    ------
    InputError
        What does not start with a number, or an unknown unit.
    """
    if _is_quantity(value):
        text = str(cast(Any, value).units)
        return "1" if text == "dimensionless" else text
    if not isinstance(value, str):
        return "1"
    match = _NUMBER.match(value)
    if match is None:
        raise InputError(f"{shorten(value)} does not start with a number", name)
    unit = match.group(2).strip()
    try:
        _unit(unit)
    except InputError as error:
        raise InputError(error.what, name, error.hint) from None
    return unit or "1"


def dimension(unit: str) -> Dimension:
    """Powers of length, mass, time ... of a unit; InputError for an unknown one."""
    return {str(k): float(power) for k, power in _unit(unit).dimensionality.items() if power}


def base_text(given: Dimension) -> str:
    """A dimension in SI base units, e.g. "kg*m^2/s^3"; "1" if it has none."""
    parts = [(_BASE.get(name, name), power) for name, power in given.items()]
    over = [f"{u}^{p:g}" if p != 1 else u for u, p in parts if p > 0]
    under = [f"{u}^{-p:g}" if p != -1 else u for u, p in parts if p < 0]
    return "/".join(["*".join(over) or "1", *under])


def base_factor(unit: str, name: str = "") -> float:
    """What a number in a unit is multiplied with to be in SI base units (joules, too).

    Parameters
    ----------
    unit : str
        The unit.
    name : str, default ""
        What has it, for the error message.

    Raises
    ------
    InputError
        Unknown, or with an offset, as degC.
    """
    factor = _factor(unit, _registry().get_base_units(_unit(unit))[1])
    if factor is None:
        raise InputError(f"'{unit}' has an offset", name, "Write it in K")
    return float(factor)


def to_si_array(values: object, unit: str, name: str = "") -> np.ndarray:
    """Convert values with units to a 1-d float array in `unit`.

    Parameters
    ----------
    values : Quantity, pair or sequence
        A pint quantity array; numbers and their one unit, e.g. ``(array, "ms")``; or a sequence of
        texts or quantities.
    unit : str
        The unit used inside, as for `to_si`.
    name : str, default ""
        What the values are, for the error message.

    Raises
    ------
    InputError
        As `to_si`, for the first offending entry.
    """
    if _is_quantity(values):
        import pint  # start-up: a quarter of a second

        given = cast(Any, values)
        entries: Sequence[Any] = [
            pint.Quantity(x, given.units) for x in np.atleast_1d(given.magnitude)
        ]
        return np.array([_from_quantity(x, unit, name) for x in entries], dtype=float)
    if isinstance(values, tuple) and [isinstance(x, str) for x in values] == [False, True]:
        return _from_pair(values[0], values[1], unit, name)
    array = isinstance(values, np.ndarray) and values.ndim > 0
    if array and cast(Any, values).dtype.kind in "iuf" and unit != "1":
        raise InputError("the numbers have no unit", name, f"Give (array, '{unit}')")
    if isinstance(values, str) or not (array or isinstance(values, Sequence)):
        raise InputError(f"{shorten(values)} is not a sequence of values", name, _expected(unit))
    return np.array(
        [
            to_si(x, unit, f"{name}[{i}]" if name else "")
            for i, x in enumerate(cast(Sequence[Any], values))
        ],
        dtype=float,
    )


def _from_pair(numbers_: Any, given: str, unit: str, name: str) -> np.ndarray:
    """Numbers in the unit ``given``, in ``unit``."""
    try:
        values = np.atleast_1d(np.asarray(numbers_, dtype=float))
    except (TypeError, ValueError) as error:
        raise InputError(f"{shorten(numbers_)} holds what is no number", name) from error
    beyond = np.flatnonzero(~np.isfinite(values))
    if values.ndim != 1:
        raise InputError(f"an array of shape {values.shape}", name, "Give one dimension")
    if beyond.size:
        where = f"{name}[{beyond[0]}]" if name else ""
        raise InputError(f"{values[beyond[0]]} is not a finite number", where)
    one = to_si(f"1 {given}", unit, name)
    if _factor(given, _unit(unit)) is None:  # an offset, as of degC
        return np.array([to_si(f"{value!r} {given}", unit, name) for value in values.tolist()])
    return np.array([_rounded(value * one) for value in values.tolist()])


def from_si(value: float, unit: str) -> float:
    """Convert an internal value (SI; eV for energies) to `unit`, for display.

    `from_si(9e-9, "nm")` is 9.0, `from_si(693.15, "degC")` is 420.0.

    Raises InputError: unknown unit.
    """
    target = _unit(unit)
    factor = _factor(unit, _internal_unit(target))
    if factor is None:
        inside = _registry().Quantity(value, _internal_unit(target))
        return _rounded(float(inside.to(target).magnitude))
    if not math.isfinite(value):
        return value / float(factor)
    return float(Decimal(repr(float(value))) / factor)


def format_si(value: float, unit: str, digits: int = 4) -> str:
    """Text of an internal value with its unit, e.g. "9 nm" for 9e-9 m.

    Plain units get an SI prefix, compound ones none; `to_si` reads the text back, to `digits`
    significant digits.
    """
    value = float(value)
    if unit == "1":
        return f"{value:.{digits}g}"
    if unit not in _PREFIXED_UNITS or value == 0 or not math.isfinite(value):
        return f"{value:.{digits}g} {unit}"
    # The exponent is that of the rounded value: 999.96 nm is 1 um at four digits.
    exponent = int(f"{value:.{digits - 1}e}".split("e")[1])
    power = min(max(3 * (exponent // 3), min(_PREFIXES)), max(_PREFIXES))
    scaled = float(Decimal(repr(value)).scaleb(-power))
    return f"{scaled:.{digits}g} {_PREFIXES[power]}{unit}"


def exact_text(value: float, unit: str) -> str:
    """Shortest text with a unit that `to_si` reads back to exactly `value`."""
    # Rounding up the largest floats would overflow; they are written out.
    for digits in (6, 15) if abs(value) < 1e300 else ():
        text = format_si(value, unit, digits)
        if to_si(text, unit) == value:
            return text
    return repr(float(value)) if unit == "1" else f"{float(value)!r} {unit}"


def _is_quantity(value: object) -> bool:
    """Whether it is a pint quantity. Who passes one has imported pint, which takes its time."""
    pint = sys.modules.get("pint")
    return pint is not None and isinstance(value, pint.Quantity)


@functools.cache
def _registry() -> pint.UnitRegistry[Any]:
    import pint  # start-up: a quarter of a second

    return pint.UnitRegistry()


@functools.lru_cache(maxsize=512)
def _unit(text: str) -> Any:
    text = text.strip()
    if text in ("", "1"):
        return _registry().dimensionless
    if len(text) > _LONGEST or not _UNIT_TEXT.fullmatch(text) or len(_POWER_WORD.findall(text)) > 1:
        raise InputError(f"{shorten(text)} is not a unit", hint="Write e.g. '5 nm'")
    try:
        return _registry().parse_units(text)
    # pint answers malformed text with whatever its tokenizer trips over; to the user all of it
    # means the same: this is not a unit.
    except Exception as error:
        raise InputError(f"{shorten(text)} is not a unit", hint="Write e.g. '5 nm'") from error


def _internal_unit(unit: Any) -> Any:
    energy = _unit("eV")
    if unit.dimensionality == energy.dimensionality:
        return energy
    return _registry().get_base_units(unit)[1]


def _is_offset(unit: Any) -> bool:
    return not _registry().Quantity(1.0, unit)._is_multiplicative


@functools.lru_cache(maxsize=512)
def _factor(source: str, target: Any) -> Decimal | None:
    """Factor from `source` to `target`; None where there is an offset (degC)."""
    unit = _unit(source)
    if _is_offset(unit) or _is_offset(target):
        return None
    return Decimal(f"{_registry().convert(1.0, unit, target):.{_DIGITS}g}")


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


def _parse(text: str, unit: str, name: str, difference: bool = False) -> float:
    import pint  # start-up: a quarter of a second

    text = text.strip()
    if len(text) > _LONGEST:
        raise InputError(f"{shorten(text)} is too long for a quantity", name, _expected(unit))
    if _NOT_FINITE.match(text):
        raise InputError(f"{shorten(text)} is not a finite number", name, _expected(unit))
    match = _NUMBER.match(text)
    if match is None:
        raise InputError(f"{shorten(text)} does not start with a number", name, _expected(unit))
    number, rest = match.group(1), match.group(2).strip()
    _finite(float(number), text, name)
    if not rest and unit != "1":
        raise _no_unit(text, unit, name)
    try:
        source = _unit(rest)
        if source.dimensionality != _unit(unit).dimensionality:
            raise InputError(f"{shorten(text)} has the wrong dimension", name, _expected(unit))
        if difference and _is_offset(source):
            raise _no_difference(text, unit, name)
        factor = _factor(rest, _unit(unit))
        if factor is not None:
            return _finite(float(Decimal(number) * factor), text, name)
        quantity = _registry().Quantity(float(number), source)
        return _finite(_rounded(float(quantity.to(_unit(unit)).magnitude)), text, name)
    except InputError as error:
        if error.where == name:
            raise
        raise InputError(f"{error.what} in {shorten(text)}", name, _expected(unit)) from error
    except pint.errors.PintError as error:
        raise InputError(f"{shorten(text)} cannot be converted", name, _expected(unit)) from error


def _from_quantity(value: Any, unit: str, name: str) -> float:
    import pint  # start-up: a quarter of a second

    try:
        number = float(value.to("" if unit == "1" else unit).magnitude)
    except pint.errors.DimensionalityError as error:
        raise InputError(f"'{value}' has the wrong dimension", name, _expected(unit)) from error
    except (TypeError, ValueError, pint.errors.PintError) as error:
        raise InputError(f"'{value}' is not one quantity", name, _expected(unit)) from error
    return _finite(_rounded(number) if math.isfinite(number) else number, value, name)


def _finite(number: float, given: object, name: str) -> float:
    if not math.isfinite(number):
        raise InputError(f"{shorten(given)} is not a finite number", name)
    return number


def _no_difference(text: str, unit: str, name: str) -> InputError:
    return InputError(
        f"{shorten(text)} is no difference, its unit has an offset", name, _expected(unit)
    )


def _no_unit(value: object, unit: str, name: str) -> InputError:
    return InputError(f"{shorten(value)} has no unit", name, _expected(unit))


def _expected(unit: str) -> str:
    if unit == "1":
        return "Expected a plain number"
    example = _EXAMPLES.get(unit, f"1 {unit}")
    return f"Expected text with a unit that converts to {unit}, e.g. '{example}'"
