"""`Chip`: what a chip is made of, read from a YAML file in which every number has its source.

>>> chip = load_chip("180nm")            # one of `presets()`, or the path of a file
>>> chip.value("adc_energy"), chip.source("adc_energy")
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self, cast

from pydantic import BeforeValidator, Field, model_validator

from ddkbase.descriptions import Description, Parameter
from ddkbase.documents import parse_yaml
from ddkbase.errors import InputError, StorageError, closest, shorten, similar_file
from ddkbase.units import format_si
from network.hardware.arrays.converters import checked_bits
from network.hardware.cells.conductance import ConductanceWindow
from network.hardware.cells.conductance import Mapping as CellMapping
from network.hardware.cells.kinetics_noise import KineticsNoise
from network.hardware.cells.noise import ReadNoise, WriteError
from network.hardware.settings import Hardware

__all__ = ["FIELDS", "Chip", "ChipEntries", "Entry", "load_chip", "presets"]

_LARGEST = 200_000  # bytes


def _whole(value: object) -> int:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or value != int(value) or value < 1:  # type: ignore[operator, call-overload]
        raise InputError(f"{shorten(value)} is no whole number from 1")
    return int(value)  # type: ignore[call-overload]


def _source(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InputError("the source is empty", hint="Say where the value is from")
    return value.strip()


Length = Annotated[float, Parameter("m", above=0)]
Conductance = Annotated[float, Parameter("S", at_least=0)]
CellArea = Annotated[float, Parameter("m^2", above=0)]
Area = Annotated[float, Parameter("m^2", at_least=0)]
Voltage = Annotated[float, Parameter("V", above=0)]
VoltageFromZero = Annotated[float, Parameter("V", at_least=0)]
Time = Annotated[float, Parameter("s", above=0)]
Resistance = Annotated[float, Parameter("ohm", above=0)]
ConversionEnergy = Annotated[float, Parameter("J", above=0)]
Energy = Annotated[float, Parameter("J", at_least=0)]
Share = Annotated[float, Parameter("1", at_least=0)]
Count = Annotated[int, BeforeValidator(_whole), Parameter()]
Bits = Annotated[int, BeforeValidator(lambda value: checked_bits(value, "")), Parameter()]


class Entry[Value](Description):
    """A number of a chip and where it is from."""

    value: Value
    source: Annotated[str, BeforeValidator(_source)]

    @model_validator(mode="before")
    @classmethod
    def _check_both(cls, data: Any) -> Any:
        if not isinstance(data, Mapping) or set(data) != {"value", "source"}:
            raise InputError("needs a value and a source", hint="Write value: and source:")
        return data


class ChipEntries(Description):
    """The numbers of a chip, each an `Entry`; the descriptions say what they are."""

    node: Entry[Length] = Field(description="technology node")
    rows: Entry[Count] = Field(description="rows of a tile")
    columns: Entry[Count] = Field(description="columns of a tile")
    tiles: Entry[Count] = Field(description="tiles on the chip")
    conductance_low: Entry[Conductance] = Field(description="low end of the window of a cell")
    conductance_high: Entry[Conductance] = Field(description="high end")
    cell_area: Entry[CellArea] = Field(description="area of a cell with its transistor")
    read_voltage: Entry[Voltage] = Field(description="largest voltage of a read")
    read_time: Entry[Time] = Field(description="time of a read before the conversion")
    write_voltage: Entry[Voltage] = Field(description="amplitude of a write pulse")
    write_time: Entry[Time] = Field(description="width of a write pulse")
    write_tolerance: Entry[Conductance] = Field(
        description="largest error that write-and-verify leaves"
    )
    write_pulses: Entry[Share] = Field(description="mean pulses to write a cell")
    pulse_voltage: Entry[Voltage] = Field(
        description="amplitude of a pulse of the DDK layer for x = 1"
    )
    pulse_start: Entry[VoltageFromZero] = Field(description="its amplitude for x = 0")
    pulse_time: Entry[Time] = Field(description="its width")
    pulse_resistance: Entry[Resistance] = Field(
        description="resistance of a DDK cell that its energy is taken at"
    )
    adc_bits: Entry[Bits] = Field(description="bits of an ADC")
    adc_energy: Entry[ConversionEnergy] = Field(description="energy of one conversion")
    adc_time: Entry[Time] = Field(description="time of one conversion")
    adc_area: Entry[Area] = Field(description="area of an ADC")
    adcs_per_tile: Entry[Count] = Field(
        description="ADCs of a tile, each shared by columns in turn"
    )
    input_bits: Entry[Bits] = Field(description="bits of an input")
    dac_bits: Entry[Bits] = Field(
        description="bits of a DAC; fewer than input_bits: inputs come in slices"
    )
    dac_energy: Entry[Energy] = Field(description="energy to drive one row once")
    dac_area: Entry[Area] = Field(description="area of a DAC")
    driver_energy: Entry[Energy] = Field(
        description="energy of the line driver for one pulse, without the cell"
    )
    driver_area: Entry[Area] = Field(description="area of a pulse driver, one a row")
    driver_time: Entry[Time] = Field(description="time to set a pulse up")
    hold_energy: Entry[Energy] = Field(description="sample-and-hold, one sample")
    hold_area: Entry[Area] = Field(description="its area, one a column")
    shift_add_energy: Entry[Energy] = Field(description="shift-and-add, one value")
    shift_add_area: Entry[Area] = Field(description="its area, one an ADC")
    buffer_energy: Entry[Energy] = Field(description="one byte to or from a buffer")
    buffer_area: Entry[Area] = Field(description="buffers of a tile")
    activation_energy: Entry[Energy] = Field(description="one activation function")
    activation_area: Entry[Area] = Field(description="its unit, one a tile")
    mac_energy: Entry[Energy] = Field(description="a digital multiplication and addition of 8 bits")
    write_error: Entry[Conductance] = Field(
        description="standard deviation of a written conductance"
    )
    write_bias: Entry[Conductance] = Field(description="its mean error")
    read_noise: Entry[Share] = Field(description="standard deviation of a read, as a share")
    alpha_noise: Entry[Share] = Field(description="standard deviation of alpha from train to train")
    beta_noise: Entry[Share] = Field(description="of beta")

    @model_validator(mode="after")
    def _check_window(self) -> Self:
        ConductanceWindow(self.conductance_low.value, self.conductance_high.value)
        return self


def _unit(name: str) -> str:
    entry = cast("type[Description]", ChipEntries.model_fields[name].annotation)
    return entry.parameters()["value"].unit


FIELDS: Mapping[str, tuple[str, str]] = {
    name: (_unit(name), str(field.description)) for name, field in ChipEntries.model_fields.items()
}
"""Entries of a chip file: unit (empty for a whole number), and what it is."""


class Chip(Description):
    """A chip; make it by `load_chip` or `Chip.from_mapping`.

    Attributes
    ----------
    name, title : str
        Name and title of the description.
    scheme : {"differential", "reference"}
        How weights become cells.
    entries : ChipEntries
        Its numbers with their sources, ``values`` in a file.
    """

    name: str
    title: str = ""
    scheme: Literal["differential", "reference"] = "differential"
    entries: ChipEntries = Field(alias="values")

    @classmethod
    def from_mapping(cls, data: object, where: str = "chip") -> Self:
        """From what a file holds.

        Parameters
        ----------
        data : mapping
            A mapping of name, title, scheme, and values with sources.
        where : str, default "chip"
            What errors say of its origin; the name of a chip without one.

        Raises
        ------
        InputError
            An entry is missing, unknown, without source, or of the wrong unit or size.
        """
        try:
            return super().from_mapping(
                {"name": where, **data} if isinstance(data, Mapping) else data
            )
        except InputError as error:
            path = ", ".join(x for x in (where, error.where) if x)
            raise InputError(error.what, path, error.hint) from None

    @property
    def values(self) -> dict[str, float]:
        """SI floats by the names of `FIELDS`."""
        return {name: self.value(name) for name in FIELDS}

    @property
    def sources(self) -> dict[str, str]:
        """Where each number comes from, by the names of `FIELDS`."""
        return {name: self.source(name) for name in FIELDS}

    def entry(self, name: str) -> Entry[Any]:
        """A number with its source. Raises InputError: no such entry."""
        if name not in FIELDS:
            raise InputError(f"there is no entry '{name}'", self.name, closest(name, FIELDS))
        return cast("Entry[Any]", getattr(self.entries, name))

    def value(self, name: str) -> float:
        """A number in SI units. Raises InputError: no such entry."""
        return float(self.entry(name).value)

    def count(self, name: str) -> int:
        """A whole number. Raises InputError: no such entry."""
        return int(self.entry(name).value)

    def source(self, name: str) -> str:
        """Where a number comes from. Raises InputError: no such entry."""
        return self.entry(name).source

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
        """Its imprecision, for `HardwareRealisation` and `network.hardware.harden`.

        Write error, scatter of alpha and beta, read noise; converters and lines come with
        ``arrays=True`` (`network.hardware.on_arrays`). ``changes`` are fields of `Hardware`.
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
        rows = []
        for name, (unit, meaning) in FIELDS.items():
            value = self.value(name)
            if unit in ("", "1"):
                text = f"{value:g}"
            else:
                text = f"{value * 1e12:.4g} um^2" if unit == "m^2" else format_si(value, unit, 4)
            rows.append([name, text, meaning, self.source(name)])
        return rows

    def to_mapping(self) -> dict[str, Any]:
        """What `from_mapping` takes."""
        values: dict[str, Any] = {}
        for name, (unit, _) in FIELDS.items():
            value = self.entry(name).value
            text = value if unit in ("", "1") else f"{value!r} {unit}"
            values[name] = {"value": text, "source": self.source(name)}
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
