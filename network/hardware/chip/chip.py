"""`Chip`: what a chip is made of, read from a YAML file in which every number has its source.

>>> chip = load_chip("180nm")            # one of `presets()`, or the path of a file
>>> chip.value("adc_energy"), chip.source("adc_energy")
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from ddkbase.documents import parse_yaml
from ddkbase.errors import InputError, StorageError, closest, shorten, similar_file
from ddkbase.units import format_si, to_si
from network.hardware.arrays.converters import checked_bits
from network.hardware.cells.conductance import SCHEMES, ConductanceWindow
from network.hardware.cells.conductance import Mapping as CellMapping
from network.hardware.cells.kinetics_noise import KineticsNoise
from network.hardware.cells.noise import ReadNoise, WriteError
from network.hardware.settings import Hardware

__all__ = ["FIELDS", "Chip", "load_chip", "presets"]

_LARGEST = 200_000  # bytes

COUNTS = ("rows", "columns", "tiles", "adcs_per_tile", "adc_bits", "dac_bits", "input_bits")

FIELDS: Mapping[str, tuple[str, str]] = {
    "node": ("m", "technology node"),
    "rows": ("", "rows of a tile"),
    "columns": ("", "columns of a tile"),
    "tiles": ("", "tiles on the chip"),
    "conductance_low": ("S", "low end of the window of a cell"),
    "conductance_high": ("S", "high end"),
    "cell_area": ("m^2", "area of a cell with its transistor"),
    "read_voltage": ("V", "largest voltage of a read"),
    "read_time": ("s", "time of a read before the conversion"),
    "write_voltage": ("V", "amplitude of a write pulse"),
    "write_time": ("s", "width of a write pulse"),
    "write_tolerance": ("S", "largest error that write-and-verify leaves"),
    "write_pulses": ("1", "mean pulses to write a cell"),
    "pulse_voltage": ("V", "amplitude of a pulse of the DDK layer for x = 1"),
    "pulse_start": ("V", "its amplitude for x = 0"),
    "pulse_time": ("s", "its width"),
    "pulse_resistance": ("ohm", "resistance of a DDK cell that its energy is taken at"),
    "adc_bits": ("", "bits of an ADC"),
    "adc_energy": ("J", "energy of one conversion"),
    "adc_time": ("s", "time of one conversion"),
    "adc_area": ("m^2", "area of an ADC"),
    "adcs_per_tile": ("", "ADCs of a tile, each shared by columns in turn"),
    "input_bits": ("", "bits of an input"),
    "dac_bits": ("", "bits of a DAC; fewer than input_bits: inputs come in slices"),
    "dac_energy": ("J", "energy to drive one row once"),
    "dac_area": ("m^2", "area of a DAC"),
    "driver_energy": ("J", "energy of the line driver for one pulse, without the cell"),
    "driver_area": ("m^2", "area of a pulse driver, one a row"),
    "driver_time": ("s", "time to set a pulse up"),
    "hold_energy": ("J", "sample-and-hold, one sample"),
    "hold_area": ("m^2", "its area, one a column"),
    "shift_add_energy": ("J", "shift-and-add, one value"),
    "shift_add_area": ("m^2", "its area, one an ADC"),
    "buffer_energy": ("J", "one byte to or from a buffer"),
    "buffer_area": ("m^2", "buffers of a tile"),
    "activation_energy": ("J", "one activation function"),
    "activation_area": ("m^2", "its unit, one a tile"),
    "mac_energy": ("J", "a digital multiplication and addition of 8 bits"),
    "write_error": ("S", "standard deviation of a written conductance"),
    "write_bias": ("S", "its mean error"),
    "read_noise": ("1", "standard deviation of a read, as a share"),
    "alpha_noise": ("1", "standard deviation of alpha from train to train"),
    "beta_noise": ("1", "of beta"),
}
"""Entries of a chip file: unit (empty for a whole number), and what it is."""


@dataclass(frozen=True)
class Chip:
    """A chip; make it by `load_chip` or `Chip.from_mapping`.

    Attributes
    ----------
    name, title : str
        Name and title of the description.
    scheme : {"differential", "reference"}
        How weights become cells.
    values : mapping of str to float
        SI floats by the names of `FIELDS`.
    sources : mapping of str to str
        Where each comes from.
    """

    name: str
    title: str
    scheme: str
    values: Mapping[str, float]
    sources: Mapping[str, str]

    @classmethod
    def from_mapping(cls, data: Any, where: str = "chip") -> Chip:
        """From what a file holds.

        Parameters
        ----------
        data : mapping
            A mapping of name, title, scheme, and values with sources.
        where : str, default "chip"
            What errors say of its origin.

        Raises
        ------
        InputError
            An entry is missing, unknown, without source, or of the wrong unit or size.
        """
        if not isinstance(data, dict):
            raise InputError("is no description of a chip", where, "Give name, scheme and values")
        extra = sorted(set(data) - {"name", "title", "scheme", "values"})
        if extra:
            raise InputError(f"unknown entry {shorten(extra[0])}", where, "name, title, scheme")
        scheme, given = data.get("scheme", "differential"), data.get("values")
        if scheme not in SCHEMES:
            raise InputError(f"unknown scheme {shorten(scheme)}", where, " or ".join(SCHEMES))
        if not isinstance(given, dict):
            raise InputError("has no values", where, "See 'ddk-network cost --show'")
        for key in given:
            if key not in FIELDS:
                raise InputError(f"unknown entry {shorten(key)}", where, closest(str(key), FIELDS))
        values, sources = {}, {}
        for key, (unit, words) in FIELDS.items():
            if key not in given:
                raise InputError(f"'{key}' is missing", where, f"It is the {words}")
            entry = given[key]
            if not isinstance(entry, dict) or set(entry) != {"value", "source"}:
                raise InputError("needs a value and a source", f"{where}, {key}", "value:, source:")
            if not isinstance(entry["source"], str) or not entry["source"].strip():
                raise InputError("the source is empty", f"{where}, {key}", "Say where it is from")
            values[key] = _value(key, entry["value"], unit, f"{where}, {key}")
            sources[key] = entry["source"].strip()
        ConductanceWindow(values["conductance_low"], values["conductance_high"])
        name, title = data.get("name", where), data.get("title", "")
        if not (isinstance(name, str) and isinstance(title, str)):
            raise InputError("name and title are not both texts", where)
        return cls(name, title, scheme, values, sources)

    def value(self, name: str) -> float:
        """A number in SI units. Raises InputError: no such entry."""
        if name not in self.values:
            raise InputError(f"there is no entry '{name}'", self.name, closest(name, FIELDS))
        return self.values[name]

    def count(self, name: str) -> int:
        """A whole number."""
        return int(self.value(name))

    def source(self, name: str) -> str:
        """Where a number comes from."""
        self.value(name)
        return self.sources[name]

    @property
    def slices(self) -> int:
        """In how many reads an input is presented."""
        return -(-self.count("input_bits") // self.count("dac_bits"))

    @property
    def mapping(self) -> CellMapping:
        """How weights become cells."""
        window = ConductanceWindow(self.value("conductance_low"), self.value("conductance_high"))
        return CellMapping(scheme=self.scheme, window=window)

    def hardware(self, **changes: Any) -> Hardware:
        """Its imprecision, for `HardwareRealisation` and `network.hardware.harden.harden`.

        Write error, scatter of alpha and beta, read noise; converters and lines come with
        ``arrays=True`` (`network.hardware.harden.on_arrays`). ``changes`` are fields of `Hardware`.
        """
        read = self.value("read_noise")
        fields: dict[str, Any] = {
            "mapping": self.mapping,
            "tile": (self.count("rows"), self.count("columns")),
            "write": WriteError(self.value("write_bias"), self.value("write_error")),
            "kinetics": KineticsNoise(self.value("alpha_noise"), self.value("beta_noise")),
            "read": ReadNoise(relative=read) if read else None,
        }
        return Hardware(**{**fields, **changes})

    def rows(self) -> list[list[str]]:
        """Name, value, meaning and source of every entry, as texts."""
        found = []
        for key, (unit, words) in FIELDS.items():
            value = self.values[key]
            text = f"{value * 1e12:.4g} um^2" if unit == "m^2" else format_si(value, unit or "1", 4)
            found.append([key, text if unit not in ("", "1") else f"{value:g}", words])
            found[-1].append(self.sources[key])
        return found

    def to_mapping(self) -> dict[str, Any]:
        """What `from_mapping` takes."""
        values: dict[str, Any] = {}
        for key, (unit, _) in FIELDS.items():
            value: Any = self.values[key]
            value = int(value) if unit == "" else value if unit == "1" else f"{value!r} {unit}"
            values[key] = {"value": value, "source": self.sources[key]}
        return {"name": self.name, "title": self.title, "scheme": self.scheme, "values": values}


def presets() -> tuple[str, ...]:
    """Names of the chips that come with the package."""
    folder = resources.files("network.hardware.chip") / "library"
    return tuple(sorted(p.name[:-5] for p in folder.iterdir() if p.name.endswith(".yaml")))


def load_chip(name: str | os.PathLike[str]) -> Chip:
    """A chip of `presets()` or of a YAML file.

    Parameters
    ----------
    name : str or Path
        Name of the preset, or path of the file.

    Raises
    ------
    InputError
        No such preset; the file is no YAML or describes no chip.
    StorageError
        There is no such file, or it cannot be read.
    """
    text = os.fspath(name)
    if text in presets():
        return _preset(text)
    path = Path(text)
    if path.suffix not in (".yaml", ".yml") and not path.is_file():
        hint = closest(text, presets())
        hint += f"{'' if hint.endswith('?') else '.'} A YAML file may be named as well"
        raise InputError(f"there is no chip {shorten(text)}", "chip", hint)
    return Chip.from_mapping(parse_yaml(_read(path), str(path)), str(path))


@lru_cache(maxsize=8)
def _preset(name: str) -> Chip:
    text = (resources.files("network.hardware.chip") / "library" / f"{name}.yaml").read_text(
        "utf-8"
    )
    return Chip.from_mapping(parse_yaml(text, name), name)


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST:
            raise StorageError("the file is too long for a chip", str(path))
    except FileNotFoundError:
        raise StorageError("there is no such file", str(path), similar_file(path)) from None
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(f"the file cannot be read: {error}", str(path)) from error


def _value(key: str, given: Any, unit: str, where: str) -> float:
    if unit not in ("", "1"):
        value = to_si(given, unit, where)
    elif isinstance(given, bool) or not isinstance(given, int | float):
        raise InputError(f"{shorten(given)} is no number", where)
    else:
        value = float(given)
    if key.endswith("_bits"):
        return float(checked_bits(given, where))
    if unit == "" and (value != int(value) or value < 1):
        raise InputError(f"{shorten(given)} is no whole number from 1", where)
    if not 0 <= value < float("inf"):
        raise InputError(f"{shorten(given)} is negative or not finite", where)
    positive = ("voltage", "time", "resistance", "node", "cell_area", "adc_energy")
    if value == 0 and any(key.endswith(p) for p in positive):
        raise InputError("is zero", where)
    return value
