"""What a campaign is: a device, a pulse train, a grid of settings, cycles and devices."""

from __future__ import annotations

import functools
import hashlib
import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Self

import numpy as np
from pydantic import (
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    PlainValidator,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import CoreSchema, core_schema

from ddkbase.descriptions import Description, as_input_error
from ddkbase.documents import Library, located, looks_like_path, parse_yaml
from ddkbase.errors import InputError, closest, shorten
from ddkbase.units import exact_text, to_si
from devicephys.device import Device, list_devices, load_device
from devicephys.device.quantity import Resistance
from devicephys.population.listed import ListedDevices
from devicephys.population.variability import Variability
from devicephys.protocol.pulse_train import PulseTrain
from devicephys.simulation.settings import PRESETS, Settings

#: Most values of one axis, and most points of a campaign; beyond, a number is mistyped.
MOST_VALUES, MOST_POINTS = 10_000, 1_000_000
#: Wall time of one pulse with its read on one core, by preset [s]; measured, for the estimate.
SECONDS_A_PULSE = {"quick": 0.01, "default": 0.03, "fine": 0.3}
_DIGITS = 12  # of a value between the ends: 2.1 V, not 2.1000000000000001 V
_LIBRARY = Library("devicephys.campaign", "campaign")


def list_campaigns() -> list[str]:
    """Names of the campaigns that ship with the toolkit, sorted."""
    return _LIBRARY.names()


@dataclass(frozen=True)
class Whole:
    """Marks a field as a whole number between two bounds."""

    lowest: int
    highest: int

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.check)

    def check(self, value: object, where: str = "") -> int:
        """The value, if it is such a number, else InputError."""
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not whole or not self.lowest <= value <= self.highest:  # type: ignore[operator]
            hint = f"Give a whole number from {self.lowest} up"
            raise InputError(f"{shorten(value)} does not fit", where, hint)
        return value  # type: ignore[return-value]


@dataclass(frozen=True)
class Axis:
    """Marks a field as an axis of the grid: its name, unit and what it is called in a table.

    It is given as a list of texts with units, as one text, or as a mapping ``{from, to, steps}``
    that stands for ``steps`` values at equal distances, both ends among them.
    """

    name: str
    unit: str
    long_name: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.values)

    def values(self, given: object) -> tuple[float, ...]:
        """Values in SI, in the order given; InputError for one without unit or not positive."""
        if isinstance(given, Mapping):
            values = self._range(given)
        elif isinstance(given, str):
            values = [to_si(given, self.unit)]
        elif isinstance(given, Sequence) and given:
            if len(given) > MOST_VALUES:
                raise InputError(f"{len(given)} values", hint=f"Give at most {MOST_VALUES}")
            values = [to_si(value, self.unit, f"[{i}]") for i, value in enumerate(given)]
        else:
            raise InputError(
                f"{shorten(given)} is no list of values",
                hint="Write e.g. ['-2 V', '-3 V'] or {from: -2 V, to: -3 V, steps: 5}"
                if self.unit == "V"
                else "Give a list of values with units, or {from: ..., to: ..., steps: ...}",
            )
        if len(set(values)) < len(values):
            raise InputError("a value is given twice", hint="Give each value once")
        for value in values:
            if self.unit != "V" and not value > 0:
                hint = "Give it above zero"
                raise InputError(f"{value:g} {self.unit} is not positive", hint=hint)
        return tuple(values)

    def _range(self, given: Mapping[Any, Any]) -> list[float]:
        keys = ("from", "to", "steps")
        for key in given:
            if key not in keys:
                raise InputError(f"unknown key {shorten(key)}", hint=closest(str(key), keys))
        for key in keys:
            if key not in given:
                raise InputError(f"'{key}' is missing", hint="Give from, to and steps")
        first, last = (to_si(given[key], self.unit, key) for key in ("from", "to"))
        steps = Whole(2, MOST_VALUES).check(given["steps"], "steps")
        values = np.linspace(first, last, steps).tolist()
        return [first, *(float(f"{value:.{_DIGITS}g}") for value in values[1:-1]), last]

    def text(self, value: float | None) -> str | None:
        """A value with its unit; None where there is none."""
        return None if value is None else exact_text(value, self.unit)


AMPLITUDE = Axis("amplitude", "V", "height of the write pulses")
WIDTH = Axis("width", "s", "flat top of the write pulses")
INITIAL_RESISTANCE = Axis("initial_resistance", "ohm", "resistance wanted before the first pulse")
AXES = (AMPLITUDE, WIDTH, INITIAL_RESISTANCE)


class Grid(Description):
    """The axes that a campaign varies."""

    amplitude: Annotated[tuple[float, ...], AMPLITUDE] | None = None
    width: Annotated[tuple[float, ...], WIDTH] | None = None
    initial_resistance: Annotated[tuple[float, ...], INITIAL_RESISTANCE] | None = None


class Pulses(Description):
    """Arguments of ``PulseTrain`` that all points share; it checks them itself."""

    amplitude: Any = None
    width: Any = None
    count: Any = None
    rise: Any = None
    fall: Any = None
    period: Any = None
    read_voltage: Any = None
    read_width: Any = None
    read_edge: Any = None
    drive: Any = None
    gate_voltage: Any = None

    def train(self, **changes: object) -> PulseTrain:
        """The train with these arguments, but for the changes."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        try:
            return PulseTrain(**{**given, **changes})
        except InputError as error:
            raise InputError(error.what, f"pulses.{error.where}", error.hint) from None

    def single(self, name: str) -> float | None:
        """The value of an axis that is not on the grid; None for a list, one for each pulse."""
        given = getattr(self, name)
        if isinstance(given, list):
            return None
        alone = Pulses() if given is None else Pulses(**{name: given})
        return float(getattr(alone.train(), f"{name}s")[0])


class Point(NamedTuple):
    """Place of one simulation in a campaign: its index along each of the five axes."""

    amplitude: int
    width: int
    initial_resistance: int
    cycle: int
    device: int


def _text(given: object, info: ValidationInfo) -> str:
    if not isinstance(given, str) or not given.strip():
        raise InputError(f"{shorten(given)} is no text", hint=f"Write '{info.field_name}: ...'")
    return " ".join(given.split())


def _device(given: object, info: ValidationInfo) -> Device:
    if isinstance(given, Device):
        return given
    if not isinstance(given, str) or not given.strip():
        hint = "Name a library device or a YAML file"
        raise InputError(f"{shorten(given)} is no name of a device", hint=hint)
    folder = (info.context or {}).get("folder")
    beside = given not in list_devices() and looks_like_path(given)
    try:
        return load_device(Path(folder) / given if folder is not None and beside else given)
    except InputError as error:  # after the file comes the key in it
        raise InputError(error.what, error.where and f": {error.where}", error.hint) from None


def _settings(given: object) -> Settings:
    if isinstance(given, Settings):
        return given
    if not isinstance(given, str) or given not in PRESETS:
        raise InputError(f"unknown preset {shorten(given)}", hint=closest(str(given), PRESETS))
    return Settings.preset(given)


def _variability(given: object) -> object:
    if given is None or isinstance(given, Variability):
        return given
    if isinstance(given, str) and given in ("none", "default"):
        return None if given == "none" else Variability()
    if not isinstance(given, Mapping):
        hint = "Write 'none', 'default' or a mapping of spreads"
        raise InputError(f"{shorten(given)} is no variability", hint=hint)
    return given


class Campaign(Description):
    """Many pulse trains on one kind of cell; made by ``from_file`` or ``from_mapping``.

    Parameters
    ----------
    name : str
        What the campaign is called.
    description : str, default ""
        What the campaign is for.
    device : Device or str, default "tin-taox-hfox-tin"
        The cell; a library device or a YAML file. The attribute has the changes of ``set``.
    changes : mapping, optional
        Changes of the device by dotted path; ``set`` in a file.
    settings : Settings or str, default "default"
        How every point is solved; ``preset`` in a file.
    pulses : Pulses or mapping, optional
        Arguments of ``PulseTrain`` that are the same at every point.
    grid : Grid or mapping, optional
        The axes ``amplitude`` [V], ``width`` [s] and ``initial_resistance`` [ohm] that are varied.
    initial_resistance : str or Quantity, or None, optional
        The same for all points; by default the cell is taken as it is.
    cycles, devices : int, default 1
        How often each place of the grid is simulated, and on how many devices.
    seed : int, default 0
        Where all draws come from; one for all points, so that a cycle of a device is the same cell
        all over the grid.
    variability : Variability, mapping or {"default", "none"}, default "default"
        The spreads; the attribute is None for none at all.
    population : ListedDevices or str, or None, optional
        Table of devices, a row each (``ListedDevices.from_file``); as many are simulated unless
        ``devices`` says fewer, and only the spreads from cycle to cycle are drawn.
    """

    name: Annotated[str, PlainValidator(_text)]
    description: Annotated[str, PlainValidator(_text)] = ""
    device: Annotated[Device, PlainValidator(_device)] = Field(
        default="tin-taox-hfox-tin", validate_default=True
    )
    changes: Mapping[str, Any] = Field(default_factory=dict, alias="set")
    settings: Annotated[Settings, PlainValidator(_settings)] = Field(
        default_factory=Settings.preset, alias="preset"
    )
    pulses: Pulses = Pulses()
    grid: Grid = Grid()
    initial_resistance: Resistance | None = None
    cycles: Annotated[int, Whole(1, MOST_POINTS)] = 1
    devices: Annotated[int, Whole(1, MOST_POINTS)] = 1
    seed: Annotated[int, Whole(0, 2**32 - 1)] = 0
    variability: Annotated[Variability | None, BeforeValidator(_variability)] = Variability()
    population: ListedDevices | None = None

    _source_checksum: str = PrivateAttr("")

    @classmethod
    def from_file(cls, name_or_path: str | os.PathLike[str]) -> Self:
        """A campaign that ships with the toolkit by its name, or one from a YAML file.

        Parameters
        ----------
        name_or_path : str or Path
            Name of a campaign of the toolkit, or path of a YAML file.

        Returns
        -------
        Campaign
            The campaign.

        Raises
        ------
        InputError
            No such campaign or file, a YAML error, or no valid campaign; the key is named, and for
            an unknown one the closest that is known.
        StorageError
            The file exists but cannot be read.
        """
        source = _LIBRARY.read(name_or_path)
        try:
            campaign = cls.from_mapping(parse_yaml(source.text), source.folder)
        except InputError as error:
            raise located(error, source.where) from None
        campaign._source_checksum = hashlib.sha256(source.text.encode()).hexdigest()
        return campaign

    @classmethod
    def from_mapping(cls, data: object, folder: str | os.PathLike[str] | None = None) -> Self:
        """A campaign from the keys of a YAML file; the path of a device is meant from ``folder``.

        Parameters
        ----------
        data : mapping
            The keys and values of the file; ``name`` must be among them.
        folder : str, Path or None, optional
            Folder from which the path of a device file is meant; ``None`` is the working directory.

        Returns
        -------
        Campaign
            The campaign.

        Raises
        ------
        InputError
            An unknown key (the closest is named), or a value that does not fit.
        """
        if not isinstance(data, Mapping):
            hint = "Write 'name: ...' and the other keys"
            raise InputError(f"holds no campaign but {shorten(data)}", "", hint)
        if "name" not in data:
            raise InputError("there is none", "name", "Write 'name: ...'")
        try:
            return cls.model_validate(dict(data), context={"folder": folder})
        except ValidationError as error:
            raise as_input_error(error, data) from None

    @model_validator(mode="after")
    def _change_device(self) -> Self:
        if self.changes:
            try:
                device = self.device.with_(self.changes)
            except InputError as error:
                raise located(error, "set") from None
            object.__setattr__(self, "device", device)
        return self

    @field_validator("population", mode="plain")
    @classmethod
    def _read_population(cls, given: object, info: ValidationInfo) -> ListedDevices | None:
        if given is None or isinstance(given, ListedDevices):
            return given
        if not isinstance(given, str) or not given.strip():
            raise InputError(f"{shorten(given)} is no table of devices", hint="Name a CSV file")
        folder = (info.context or {}).get("folder") or ""
        return ListedDevices.from_file(Path(folder) / given)

    @model_validator(mode="after")
    def _list_devices(self) -> Self:
        if (listed := self.population) is None:
            return self
        listed.check(self.device)
        if "devices" not in self.model_fields_set:
            object.__setattr__(self, "devices", len(listed))
        if self.devices > len(listed):
            hint = f"Ask for at most {len(listed)}"
            raise InputError(f"{len(listed)} are listed in population", "devices", hint)
        if self.variability is not None:
            object.__setattr__(self, "variability", self.variability.of_cycles())
        return self

    @model_validator(mode="after")
    def _check_points(self) -> Self:
        for axis in AXES:
            below = self if axis is INITIAL_RESISTANCE else self.pulses
            if getattr(self.grid, axis.name) and getattr(below, axis.name) is not None:
                where = axis.name if below is self else f"pulses.{axis.name}"
                hint = f"Give it here, or as grid.{axis.name}"
                raise InputError("is on the grid already", where, hint)
        # Every train must be one; whether it is depends on the longest and the highest.
        for height, length in itertools.product(_ends(self.amplitudes), _ends(self.widths)):
            train = self._train(height, length)
        try:
            self.device.series.pulsed(train.drive, train.gate_voltage)
        except InputError as error:
            raise InputError(error.what, f"pulses.{error.where}", error.hint) from None
        if self.size > MOST_POINTS:
            raise InputError(
                f"{self.size} points are too many",
                "grid, cycles, devices",
                f"Make several campaigns of at most {MOST_POINTS} points",
            )
        return self

    @property
    def source_checksum(self) -> str:
        """SHA-256 of the YAML file; empty if there was none."""
        return self._source_checksum

    @functools.cached_property
    def amplitudes(self) -> tuple[float | None, ...]:
        """The grid [V]; ``(None,)`` where ``pulses`` holds a list, one value for each pulse."""
        return self.grid.amplitude or (self.pulses.single("amplitude"),)

    @functools.cached_property
    def widths(self) -> tuple[float | None, ...]:
        """The grid [s]; ``(None,)`` where ``pulses`` holds a list, one value for each pulse."""
        return self.grid.width or (self.pulses.single("width"),)

    @property
    def initial_resistances(self) -> tuple[float | None, ...]:
        """The grid [ohm]; ``(None,)`` if the cell is taken as it is."""
        return self.grid.initial_resistance or (self.initial_resistance,)

    @property
    def shape(self) -> Point:
        """Number of places along each axis."""
        return Point(
            len(self.amplitudes),
            len(self.widths),
            len(self.initial_resistances),
            self.cycles,
            self.devices,
        )

    @property
    def size(self) -> int:
        """Number of points."""
        return int(np.prod(self.shape, dtype=np.int64))

    @functools.cached_property
    def pulse_count(self) -> int:
        """Pulses of each train."""
        return self.train(0, 0).count

    def points(self) -> Iterator[Point]:
        """All points in the order in which they are simulated.

        The whole grid comes before the next cycle and the next device, so that a campaign that is
        stopped early has something everywhere.
        """
        a, w, r = (range(n) for n in self.shape[:3])
        grid = list(itertools.product(a, w, r))
        for cycle, device in itertools.product(range(self.cycles), range(self.devices)):
            for indices in grid:
                yield Point(*indices, cycle, device)

    def train(self, amplitude: int, width: int) -> PulseTrain:
        """The pulse train at two indices of the grid."""
        return self._train(self.amplitudes[amplitude], self.widths[width])

    def _train(self, height: float | None, length: float | None) -> PulseTrain:
        given = {"amplitude": AMPLITUDE.text(height), "width": WIDTH.text(length)}
        return self.pulses.train(**{k: v for k, v in given.items() if v is not None})

    def target_resistance(self, index: int) -> str | None:
        """Initial resistance at an index of the grid, as text; None for the cell as it is."""
        return INITIAL_RESISTANCE.text(self.initial_resistances[index])

    def to_dict(self) -> dict[str, Any]:
        """Plain mapping of everything but the device and the numbers of the settings."""
        values = (self.amplitudes, self.widths, self.initial_resistances)
        grid = {
            axis.name: [axis.text(value) for value in axis_values]
            for axis, axis_values in zip(AXES, values, strict=True)
        }
        train = self.train(0, 0).to_dict()
        for name in ("amplitude", "width"):
            if grid[name] != [None]:
                del train[name]
        if "period" not in self.pulses.model_fields_set:  # then it follows from each width
            del train["period"]
        del train["kind"]
        listed = {} if self.population is None else {"population": self.population.to_dict()}
        return {
            "name": self.name,
            "description": self.description,
            "preset": self.settings.name,
            "pulses": train,
            "grid": grid,
            "cycles": self.cycles,
            "devices": self.devices,
            "seed": self.seed,
            "variability": "none" if self.variability is None else self.variability.to_dict(),
            **listed,
        }

    def seconds(self, points: int, workers: int) -> float:
        """Rough wall time of so many points on so many workers [s]."""
        each = SECONDS_A_PULSE.get(self.settings.name, SECONDS_A_PULSE["default"])
        return points * self.pulse_count * each / max(workers, 1)


def _ends(values: tuple[float | None, ...]) -> list[float | None]:
    numbers = [value for value in values if value is not None]
    return [min(numbers), max(numbers)] if numbers else [None]
