"""Units as laboratories write them, in headings and cells."""

from __future__ import annotations

import functools
import re
from typing import Any

from ddkbase.errors import InputError, shorten
from ddkbase.units import to_si

#: of a heading whose values are logarithms
LOGARITHM = re.compile(r"(?<![A-Za-z])(?:(?:(?i:log)|lg|[lL]n|db)(?![a-z])|dB)|^(?i:log)(?!ged)")
_RELATIVE = {
    "", "1", "a.u.", "a.u", "au", "arb", "arb.", "arb. u.", "arb. units", "arb.u.", "norm",
    "norm.", "normalised", "normalized", "relative", "rel", "-", "dimensionless", "#", "count",
    "counts", "\u5f52\u4e00\u5316", "\u043e\u0442\u043d. \u0435\u0434.", "\u4efb\u610f",
}  # fmt: skip
_SPELLINGS = (
    (re.compile(r"(?i)\bmicro[\s-]?(?=siemens|ohm|volt|amp|sec)"), "u"),
    (re.compile(r"(?i)\bnano[\s-]?(?=siemens|ohm|volt|amp|sec)"), "n"),
    (re.compile(r"(?i)\bpico[\s-]?(?=siemens|ohm|volt|amp|sec)"), "p"),
    (re.compile(r"(?i)\bmilli[\s-]?(?=siemens|ohm|volt|amp|sec)"), "m"),
    (re.compile(r"(?i)\bk(?:ilo?)?[\s-]?ohms?\b"), "kohm"),
    (re.compile(r"(?i)\bmeg(?:a[\s-]?)?[\s-]?ohms?\b"), "Mohm"),
    (re.compile(r"(?i)ohms?\b"), "ohm"),
    (re.compile(r"[\u03a9\u2126]"), "ohm"),
    (re.compile(r"(?i)(?:\b|(?<=\b[munp]))siemens\b|\u2127"), "S"),
    (re.compile(r"(?i)(?:\b|(?<=\b[munp]))volts?\b(?:\s+[DA]C)?"), "V"),
    (re.compile(r"(?i)(?:\b|(?<=\b[munp]))amp(?:ere)?s?\b(?:\s+[DA]C)?"), "A"),
    (re.compile(r"(?i)(?:\b|(?<=\b[munp]))sec(?:onds?)?\b"), "s"),
    (re.compile("[\u00b5\u03bc]"), "u"),
    (re.compile(r"^K(?=(?:ohm|V|S)$)"), "k"),  # no kelvin stands before these
)
#: units in other scripts, the whole of it: what stands before it, and what it is
_PREFIXES = {
    "": "", "\u043a": "k", "\u041c": "M", "\u0413": "G", "\u043c": "m", "\u043c\u043a": "u",
    "\u043d": "n", "\u043f": "p", "\u5343": "k", "\u5146": "M", "\u6beb": "m", "\u5fae": "u",
    "\u7eb3": "n", "\u76ae": "p",
}  # fmt: skip
_FOREIGN = {
    "\u041e\u043c": "ohm", "\u043e\u043c": "ohm", "\u0421\u043c": "S", "\u0410": "A",
    "\u0412": "V", "\u0441": "s", "\u6b27": "ohm", "\u6b27\u59c6": "ohm", "\u897f": "S",
    "\u897f\u95e8\u5b50": "S", "\u5b89": "A", "\u5b89\u57f9": "A", "\u4f0f": "V",
    "\u4f0f\u7279": "V", "\u79d2": "s", "\u30aa\u30fc\u30e0": "ohm",
}  # fmt: skip
_IN_OTHER_SCRIPTS = {
    prefix + unit: latin + plain
    for prefix, latin in _PREFIXES.items()
    for unit, plain in _FOREIGN.items()
}
_OHM = r"(?:[Oo]hms?|OHMS?|[\u03a9\u2126])"
_PREFIXED = re.compile(
    rf"[kKMGmu\u00b5\u03bcnpf]?{_OHM}|(?i:kilo?ohms?|mega?ohms?)|[kMGmu\u00b5\u03bcnpf][SAVs]"
)
_BRACKETED = re.compile(r"\s*[\[({\uff08]\s*(?P<unit>[^\[\](){}\uff08\uff09]*?)\s*[\])}\uff09]")
# "RkOhm", "GuS", "InA": a unit that nothing parts from its name
_GLUED = re.compile(
    rf"(?P<name>[A-Za-z][A-Za-z_]*?)(?P<unit>[kKMGmu\u00b5\u03bcnp]{_OHM})"
    r"|(?P<symbol>[GIRVU][a-z]{0,5}?)(?P<short>[mu\u00b5\u03bcnpk][SAV])"
)
# "voltage_V", "time s": a unit of one letter behind a word that it measures
_NAMED = re.compile(
    r"(?P<name>.*?(?:(?P<V>voltage|bias|potential|spannung|amplitude)|(?P<A>current|strom)"
    r"|(?P<s>time|zeit|width|duration)|(?P<S>conductance|leitwert)))[\s_](?P<unit>(?-i:[VAsS]))",
    re.IGNORECASE,
)
#: what says where it was read: "@ 0.1 V" behind a unit, "(Vread = 100 mV)"
_VOLTS = r"(?P<volts>[+-]?\d+(?:[.,]\d*)?\s*[mu\u00b5\u03bc]?V)\b"
_READ = r"V[\s_]?(?:r|rd|read)\s*[=:]\s*"
_READ_AT = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\s*(?:@|\b(?:at|bei)\b)\s*(?:V\w*\s*=\s*)?{_VOLTS}",
        rf"\s*[(\[]\s*{_READ}{_VOLTS}\s*[)\]]",
        rf"[\s,;_]*(?<![^\W_]){_READ}{_VOLTS}",
    )
)
#: "V vs. Ag/AgCl": which electrode counts as zero
_VERSUS = re.compile(r"(?<=V)\s+vs\.?\s+[^()\[\],;]*")
_SCALED = re.compile(
    r"[x\u00d7*]?\s*(?:1[eE]|10\s*(?:\^|\*\*)\s*)([+-]?\d{1,2})\s*[*\u00b7\u00d7]?\s*(.+)"
)
_QUANTITIES = ("S", "ohm", "A", "V", "s")


_SMALL = "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u207a\u207b"
_RAISED = str.maketrans(_SMALL, "0123456789+-")
#: signs as other programs write them: TeX, Origin, JSON, and UTF-8 that was read as Windows-1252
_SIGNS: tuple[tuple[re.Pattern[str], Any], ...] = (
    (re.compile(r"\\g\((?:W|m)\)"), lambda m: "\u03a9" if "W" in m[0] else "\u00b5"),
    (re.compile(r"\\[biuv+=-]\(([^()]*)\)"), r"\1"),
    (re.compile(r"\\mu(?![a-z])\s*"), "\u00b5"),
    (re.compile(r"\\Omega(?![a-z])\s*"), "\u03a9"),
    (re.compile(r"\\(?:mathrm|mathit|text|rm)\s*\{([^{}]*)\}"), r"\1"),
    (re.compile(r"\\u([0-9a-fA-F]{4})"), lambda m: chr(int(m[1], 16))),
    (re.compile(r"\$"), ""),
    (re.compile("\u00c2(?=[\u00b5\u00b0])"), ""),
    (re.compile("\u00ce\u00bc"), "\u00b5"),
    (re.compile("\u00ce\u00a9|\u00e2\u201e\u00a6"), "\u03a9"),
    (re.compile(f"[{_SMALL}]+"), lambda m: "^" + m[0].translate(_RAISED)),
)  # fmt: skip
#: "G..uS.": brackets and blanks that R makes points of
_OF_R = re.compile(r"(?P<name>[^.].*?)\.\.(?P<unit>[^.]+)\.")


def plain_signs(text: str) -> str:
    """A text with the signs that TeX, Origin and others write in their own way as they are."""
    if text.isascii() and not set("\\$") & set(text):
        return text
    for pattern, sign in _SIGNS:
        text = pattern.sub(sign, text)
    return text


def unit_factor(text: str, quantity: str, where: str) -> float | None:
    """Factor from a unit as a laboratory writes it to ``quantity`` ("S", "ohm", ...).

    None if the unit says that the numbers are relative ("a.u.", "normalised", "%").

    Raises InputError: not a unit, or not one of this quantity.
    """
    if is_relative(text):
        return None
    scaled = _SCALED.fullmatch(text.strip())
    if scaled and is_unit(scaled[2]):
        factor = unit_factor(scaled[2], quantity, where)
        return None if factor is None else factor * 10.0 ** int(scaled[1])
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
    text = _IN_OTHER_SCRIPTS.get(text, text)
    for pattern, word in _SPELLINGS:
        text = pattern.sub(word, text)
    return re.sub(r"^([kMGmunp])\s+(?=(ohm|S|A|V|s)$)", r"\1", text)


@functools.lru_cache(maxsize=512)
def quantity_of(unit: str) -> str | None:
    """Which quantity a unit measures: "S", "ohm", "A", "V", "s"; None if none of them."""
    scaled = _SCALED.fullmatch(unit.strip())
    unit = scaled[2] if scaled else unit
    return next((q for q in _QUANTITIES if _fits(unit, q)), None)


def read_voltage(heading: str) -> str:
    """The voltage of "I (nA) @ 0.1 V", as a text with its unit; empty if none is named."""
    matches = filter(None, (pattern.search(heading) for pattern in _READ_AT))
    return next((match["volts"].replace(",", ".") for match in matches), "")


def _without_read(heading: str) -> str:
    for pattern in (*_READ_AT, _VERSUS):
        heading = pattern.sub("", heading)
    return heading.strip()


def _fits(text: str, quantity: str) -> bool:
    try:
        to_si(f"1 {spelled(text)}", quantity)
    except InputError:
        return False
    return not is_relative(text)


def split_unit(heading: str) -> tuple[str, str]:
    """Name and unit of a heading such as "G (uS)", "R [kOhm] mean", "Conductance/S", "I_nA".

    Where it was read ("@ 0.1 V") belongs to neither; `read_voltage` finds it.
    """
    heading = " ".join(plain_signs(heading).split()).rstrip(",;: ")
    plain = _without_read(heading)
    for match in reversed(list(_BRACKETED.finditer(plain))):
        unit = match["unit"].split(",")[0].split(";")[0].strip()
        if is_relative(unit) or is_unit(unit):
            rest = [plain[: match.start()].strip(), plain[match.end() :].strip(" _")]
            return " ".join(r for r in rest if r), unit or "1"
    for sign in ("/", " in ", ",", "_", " ", "-", ":", "."):
        name, separator, unit = plain.rpartition(sign)
        unit = unit.strip()
        # "R_min" is no resistance in minutes, "I_V" no current in volts: elsewhere than after a
        # stroke only a prefixed unit counts, after a comma any but minutes, hours and days
        counts: object = _PREFIXED.fullmatch(unit)
        if sign in ("/", " in "):
            counts = is_unit(unit)
        elif sign == ",":
            counts = counts or (
                is_unit(unit) and (quantity_of(unit) != "s" or spelled(unit) == "s")
            )
        if separator and name.strip() and counts:
            return name.strip(), unit
    named = _NAMED.fullmatch(plain)
    if named and named[named["unit"]]:
        return named["name"], named["unit"]
    words = re.split(r"([\s_,;-]+)", plain)
    for k in range(2, len(words) - 1, 2):  # "R_kOhm_mean"
        if _PREFIXED.fullmatch(words[k]):
            return "".join(words[: k - 1] + words[k + 1 :]), words[k]
    of_r = _OF_R.fullmatch(plain)
    if of_r and is_unit(of_r["unit"]):
        return of_r["name"], of_r["unit"]
    glued = _GLUED.fullmatch(plain)
    if glued:
        name, unit = glued["name"] or glued["symbol"], glued["unit"] or glued["short"]
        return name.strip("_ "), unit
    return plain, plain if _PREFIXED.fullmatch(plain) else ""


def unit_alone(cell: str) -> str:
    """The unit that a cell is, as in "(uA @ 0.2 V)" or "-"; empty if it is none, or is empty."""
    text = _without_read(plain_signs(cell).strip().strip("[](){}").strip())
    return text if text and (is_relative(text) or is_unit(text)) else ""


def is_unit(text: str) -> bool:
    return bool(text) and len(text) <= 20 and quantity_of(text) is not None
