"""Units as laboratories write them, in headings and cells."""

from __future__ import annotations

import functools
import re

from ddkbase.errors import InputError, shorten
from ddkbase.units import to_si

__all__ = ["is_relative", "is_unit", "quantity_of", "spelled", "split_unit", "unit_factor"]

_RELATIVE = {
    "", "1", "a.u.", "a.u", "au", "arb", "arb.", "arb. u.", "arb. units", "arb.u.", "norm",
    "norm.", "normalised", "normalized", "relative", "rel", "-", "dimensionless",
}  # fmt: skip
_SPELLINGS = (
    (re.compile(r"(?i)ohms?\b"), "ohm"),
    (re.compile(r"[\u03a9\u2126]"), "ohm"),
    (re.compile(r"(?i)\bsiemens\b"), "S"),
    (re.compile(r"(?i)\bvolts?\b"), "V"),
    (re.compile(r"(?i)\bamp(?:ere)?s?\b"), "A"),
    (re.compile(r"(?i)\bsec(?:onds?)?\b"), "s"),
    (re.compile("[\u00b5\u03bc]"), "u"),
)
_PREFIXED = re.compile(
    r"(?:[kMGmu\u00b5\u03bcnpf]?(?:[Oo]hms?|[\u03a9\u2126])|[kMGmu\u00b5\u03bcnpf][SAVs])"
)
_BRACKETED = re.compile(r"^(?P<name>.*?)\s*[\[({]\s*(?P<unit>[^\[\](){}]*?)\s*[\])}]\s*$")
_QUANTITIES = ("S", "ohm", "A", "V", "s")


def unit_factor(text: str, quantity: str, where: str) -> float | None:
    """Factor from a unit as a laboratory writes it to ``quantity`` ("S", "ohm", ...).

    None if the unit says that the numbers are relative ("a.u.", "normalised", "%").

    Raises
    ------
    InputError
        Not a unit, or not one of this quantity.
    """
    if is_relative(text):
        return None
    if quantity == "1":
        raise InputError(f"has the unit {shorten(text)}, a plain number is expected", where)
    try:
        return to_si(f"1 {spelled(text)}", quantity)
    except InputError:
        kind = next((q for q in (*_QUANTITIES, "K", "m", "J") if _fits(text, q)), None)
        what = "is not a unit" if kind is None else f"is no unit of {_KINDS[quantity]}"
        raise InputError(
            f"{shorten(text)} {what}", where, f"Pass units='...', e.g. '{_UNITS[quantity]}'"
        ) from None


_KINDS = {"S": "conductance", "ohm": "resistance", "A": "current", "V": "voltage", "s": "time"}
_UNITS = {"S": "uS", "ohm": "kohm", "A": "nA", "V": "V", "s": "ns"}


def is_relative(text: str) -> bool:
    """Whether a unit says that the numbers have a scale of their own."""
    return text.strip().lower() in _RELATIVE or text.strip() == "%"


def spelled(text: str) -> str:
    """A unit in the spelling of `ddkbase.units`."""
    text = text.strip()
    for pattern, word in _SPELLINGS:
        text = pattern.sub(word, text)
    return re.sub(r"^([kMGmunp])\s+(?=(ohm|S|A|V|s)$)", r"\1", text)


@functools.lru_cache(maxsize=512)
def quantity_of(unit: str) -> str | None:
    """Which quantity a unit measures: "S", "ohm", "A", "V", "s"; None if none of them."""
    return next((q for q in _QUANTITIES if _fits(unit, q)), None)


def _fits(text: str, quantity: str) -> bool:
    try:
        to_si(f"1 {spelled(text)}", quantity)
    except InputError:
        return False
    return not is_relative(text)


def split_unit(heading: str) -> tuple[str, str]:
    """Name and unit of a heading such as "G (uS)", "R [kOhm]", "Conductance/S", "I_nA"."""
    heading = " ".join(heading.strip().split())
    match = _BRACKETED.match(heading)
    if match and (is_relative(match["unit"]) or is_unit(match["unit"])):
        return match["name"].strip(), match["unit"] or "1"
    for sign in ("/", " in ", ",", "_", " "):
        name, separator, unit = heading.rpartition(sign)
        unit = unit.strip()
        # "R_min" is no resistance in minutes, "I_V" no current in volts: elsewhere than after a
        # stroke only a prefixed unit counts
        counts = is_unit(unit) if sign in ("/", " in ") else _PREFIXED.fullmatch(unit)
        if separator and name.strip() and counts:
            return name.strip(), unit
    return heading, ""


def is_unit(text: str) -> bool:
    return bool(text) and len(text) <= 20 and quantity_of(text) is not None
