"""The words that laboratories use in headings."""

from __future__ import annotations

import re
from collections.abc import Sequence

from compact.measured.table import Cell
from compact.measured.units import split_unit

__all__ = ["LOGARITHM", "direction_in", "direction_of", "is_known", "role_of", "without_number"]

_WORDS: dict[str, set[str]] = {
    "conductance": {"g", "cond", "conductance", "gread", "conductivity", "g read", "read g"},
    "resistance": {"r", "res", "resistance", "rread", "r read", "read r"},
    "current": {"i", "current", "iread", "i read", "read i"},
    "voltage": {"v", "u", "voltage", "vread", "v read", "read v"},
    "amplitude": {
        "amplitude", "amp", "pulse amplitude", "pulse voltage", "pulse height", "write voltage",
        "v pulse", "vpulse", "v write", "vwrite", "v p", "voltage amplitude", "v amp",
    },
    "width": {
        "width", "pulse width", "duration", "pulse duration", "pulse length", "t pulse", "pw",
        "t width", "write width",
    },
    "pulse": {
        "pulse", "pulses", "pulse number", "pulse no", "pulse no.", "pulse nr", "pulse index",
        "pulse count", "pulse id", "n", "no", "no.", "nr", "nr.", "#", "number", "index", "idx",
        "n pulse", "n pulses", "number of pulses", "pulse #", "#pulse", "step", "pulsenumber",
    },
    "train": {
        "train", "cycle", "device", "cell", "run", "sweep", "trace", "series", "sample", "loop",
        "train number", "cycle number", "device number", "dev", "cycle no", "device id", "cell id",
        "cycle index", "utterance",
    },
    "direction": {
        "direction", "dir", "polarity", "operation", "op", "up/down", "set/reset", "mode", "ltp/ltd"
    },
}  # fmt: skip
_UP = {"up", "set", "pot", "potentiation", "ltp", "increase", "+", "+1", "1", "p"}
_DOWN = {"down", "reset", "dep", "depression", "ltd", "decrease", "-", "-1", "d"}
LOGARITHM = re.compile(r"(?i)\b(log(10)?|ln|lg|db)\b|^log")


def role_of(heading: str) -> str | None:
    """The role that a heading without its unit names; None if it is not known."""
    text = re.sub(r"[_\s]+", " ", heading.strip().lower()).strip(" :")
    for role, words in _WORDS.items():
        if text in words:
            return role
    if text.startswith("read ") or text.endswith(" read"):
        return role_of(text.removeprefix("read ").removesuffix(" read"))
    return None


def direction_in(heading: str) -> str | None:
    """The direction that a word of a heading names: "up", "down" or None."""
    words = set(re.split(r"[_\s,;:()-]+", heading.strip().lower())) - {""}
    longer = {w for w in words if len(w) > 1 and not w.lstrip("+-").isdigit()}
    up, down = bool(longer & _UP), bool(longer & _DOWN)
    return None if up == down else "up" if up else "down"


def direction_of(cell: Cell) -> str | None:
    """The direction that a cell names ("up", "RESET", "-1"); None if it names none."""
    if isinstance(cell, float):
        cell = f"{cell:g}"
    text = str(cell or "").strip().lower()
    text = text.removesuffix(".0")
    return "up" if text in _UP else "down" if text in _DOWN else None


def is_known(cells: Sequence[Cell]) -> bool:
    """Whether a row has a heading whose name or unit is known."""
    for cell in cells:
        name, unit = split_unit(str(cell or ""))
        if unit or role_of(without_number(name)) or direction_in(name):
            return True
    return False


def without_number(name: str) -> str:
    """A heading without the number behind it: "G" for "G 12"."""
    return re.sub(r"[\s_.#-]*\d+$", "", name)
