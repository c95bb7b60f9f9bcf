"""Files that a command reads besides a device: heights of pulses, spreads of cells.

Whatever is wrong in such a file is told with its line.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import devicephys
from ddkbase.documents import parse_yaml, read_text
from ddkbase.errors import InputError, shorten
from ddkbase.units import to_si

_LARGEST = 200_000_000  # bytes; ten million heights take less
_LARGEST_YAML = 100_000
_HEADER = re.compile(r"^[^\W\d][\w .-]*?\s*[\[(]\s*(?P<unit>[^\])]+?)\s*[\])]$")
_NUMBER = re.compile(r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")
_HINT = "Write one value with its unit a line, e.g. '-2 V', or a first line such as 'amplitude [V]'"


def read_amplitudes(path: Path) -> list[str]:
    """Heights of pulses from a text or CSV file with one column, as texts with units.

    Each line holds a value with its unit, or the first line names it ("amplitude [V]") and the
    others hold numbers. Empty lines and what follows a ``#`` count for nothing.

    Raises
    ------
    InputError
        No such file, no text, no value, or a line that is no voltage (its number is told).
    StorageError
        It cannot be read.
    """
    unit, first, texts = "", True, []
    for number, raw in enumerate(read_text(path, _LARGEST).splitlines(), start=1):
        line = raw.split("#", 1)[0].strip().replace("\N{MINUS SIGN}", "-")
        if len(line) > 1 and line[0] == line[-1] and line[0] in "\"'":
            line = line[1:-1].strip()
        if not line:
            continue
        where = f"{path}, line {number}"
        if any(separator in line for separator in ",;\t"):
            raise InputError(f"{shorten(line)} is more than one column", where, _HINT)
        header = _HEADER.match(line) if first else None
        first = False
        if header is not None:
            unit = header["unit"]
            to_si(f"1 {unit}", "V", where)
            continue
        text = f"{line} {unit}" if unit and _NUMBER.match(line) else line
        to_si(text, "V", where)
        texts.append(text)
    if not texts:
        raise InputError("holds no value", str(path), _HINT)
    return texts


def read_spreads(path: Path) -> dict[str, Any]:
    """Spreads of a population of cells from a YAML file, checked.

    Raises
    ------
    InputError
        No such file, not YAML, or spreads that make no sense.
    StorageError
        It cannot be read.
    """
    data: Any = parse_yaml(read_text(path, _LARGEST_YAML), str(path))
    try:
        return devicephys.Variability.from_mapping(data).to_dict()
    except InputError as error:
        where = f"{path}: {error.where}" if error.where else str(path)
        raise InputError(error.what, where, error.hint) from None
