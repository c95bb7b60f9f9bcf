"""Keys of a parameter sweep: which may vary, their units, and keys that follow others."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ddkbase.errors import InputError, closest, shorten
from ddkbase.units import exact_text, to_si
from devicephys.device import Device

__all__ = ["COUNTS", "PROTOCOL", "RUNS", "Keys", "Tie", "ties_of"]

#: kinds of run and the arguments of their protocols, with units; "" where there is none
RUNS: dict[str, dict[str, str]] = {
    "loops": {},
    "pulses": {
        "amplitude": "V",
        "width": "s",
        "count": "",
        "rise": "s",
        "fall": "s",
        "period": "s",
        "read_voltage": "V",
        "read_width": "s",
        "read_edge": "s",
        "drive": "",
        "gate_voltage": "V",
        "initial_resistance": "ohm",
    },
    "retention": {
        "temperatures": "K",
        "duration": "s",
        "state": "",
        "stress_voltage": "V",
        "first_read": "s",
        "reads_per_decade": "",
        "read_voltage": "V",
    },
    "endurance": {
        "high_resistance": "ohm",
        "low_resistance": "ohm",
        "cycles": "",
        "width": "s",
        "read_voltage": "V",
    },
}
#: arguments that are whole numbers
COUNTS = ("count", "reads_per_decade", "cycles")
#: what keys of a protocol begin with
PROTOCOL = "protocol."
_FACTOR = re.compile(r"\s*(?P<factor>[0-9.eE+-]+)\s*\*\s*(?P<key>\S+)\s*")


class Keys:
    """Which keys may vary, and their units."""

    def __init__(self, device: Device, run: str) -> None:
        self.device, self._run = device, run
        self._units = {
            prefix + name: parameter.unit
            for prefix, description in device.parts()
            for name, parameter in description.parameters().items()
        }
        self._units |= {f"layers.{layer.name}.material": "" for layer in device.layers}
        self._units |= {"series.kind": "", "voltage_reference": "", "filament.layer": ""}
        self._units |= {f"{PROTOCOL}{name}": unit for name, unit in RUNS[run].items()}

    def unit(self, key: str, where: str = "") -> str:
        """Unit of a key; InputError for one that nobody knows."""
        # parameters of another series element are known once its kind is set
        if key not in self._units and not key.startswith("series."):
            if key.startswith(PROTOCOL) and self._run == "loops":
                hint = "Of loops, name sweep.rate, sweep.reset_voltage ... of the device"
            else:
                ends = sorted(path for path in self._units if path.endswith(f".{key}"))
                hint = f"Did you mean '{ends[0]}'?" if ends else closest(key, self._units)
            raise InputError(f"unknown key '{key}'", where or self.device.name, hint)
        return "" if self._units.get(key, "") in ("", "1") else self._units[key]

    def exact_unit(self, key: str) -> str:
        """Unit of a key, "1" of a pure number, "" where it takes none; InputError as `unit`."""
        self.unit(key)
        return self._units.get(key, "")


Tie = Callable[[Mapping[str, str]], str]


def ties_of(
    follow: Mapping[str, str], listed: Mapping[str, Any], fixed: Mapping[str, Any], keys: Keys
) -> dict[str, Tie]:
    """What makes the text of each tied key from those that vary."""
    ties: dict[str, Tie] = {}
    for key, said in follow.items():
        match = _FACTOR.fullmatch(said)
        source = match["key"] if match else said.strip()
        unit = keys.unit(key, "--follow")
        if key in listed or key in fixed:
            raise InputError(f"'{key}' has values of its own", "--follow", "Leave one of both out")
        if source not in listed:
            raise InputError(
                f"'{key}' follows '{source}', which does not vary",
                "--follow",
                f"Follow one of: {', '.join(listed)}",
            )
        if unit != keys.unit(source):
            raise InputError(
                f"'{key}' is in {unit or 'no unit'}, '{source}' in {keys.unit(source) or 'none'}",
                "--follow",
                "Tie keys of the same unit",
            )
        factor = 1.0
        if match:
            try:
                factor = float(match["factor"])
            except ValueError:
                hint = "Write e.g. 0.5*layers.HfOx.thickness"
                raise InputError(f"{shorten(said)} is no factor", "--follow", hint) from None
            if not unit:
                raise InputError(f"'{key}' has no unit to scale", "--follow", "Leave the factor")
        ties[key] = _tie(source, factor, unit)
    return ties


def _tie(source: str, factor: float, unit: str) -> Tie:
    def text(given: Mapping[str, str]) -> str:
        if factor == 1.0:
            return given[source]
        return exact_text(factor * to_si(given[source], unit, source), unit)

    return text
