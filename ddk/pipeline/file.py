"""Pipeline files: found by name or path, read safely, their keys and values checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import BeforeValidator, Field, model_validator

from ddkbase.descriptions import Description
from ddkbase.documents import description_text, located, parse_yaml
from ddkbase.errors import InputError, closest, shorten
from ddkbase.units import to_si

EXAMPLE = "example"
_LARGEST = 10**9


# kinds of values, each with an error that says what is to be written


def _one_of(*options: str) -> BeforeValidator:
    """A text that is one of some; the error names the closest."""

    def check(value: object) -> object:
        if not isinstance(value, str) or value not in options:
            raise InputError(f"{shorten(value)} is no choice", hint=closest(str(value), options))
        return value

    return BeforeValidator(check)


def _quantity(unit: str) -> BeforeValidator:
    """A text with a unit, which stays a text."""

    def check(value: object) -> object:
        to_si(value, unit)
        return _text(value)

    return BeforeValidator(check)


def _text(value: object) -> object:
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{shorten(value)} is no text", hint="Write it after the key")
    return " ".join(value.split())


def _whole(least: int) -> BeforeValidator:
    def check(value: object) -> object:
        if type(value) is not int or not least <= value <= _LARGEST:
            hint = f"Write a whole number from {least} on"
            raise InputError(f"{shorten(value)} is no such number", hint=hint)
        return value

    return BeforeValidator(check)


def _number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e30:
        raise InputError(f"{shorten(value)} is no positive number")
    return float(value)


def _flag(value: object) -> object:
    if not isinstance(value, bool):
        raise InputError(f"{shorten(value)} is no switch", hint="Write 'true' or 'false'")
    return value


def _names(value: object) -> object:
    """Different texts, a list or a single one."""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not names:
        raise InputError(f"{shorten(value)} is no list", hint="Write e.g. [a, b]")
    for name in names:
        if not isinstance(name, str) or not name.strip():
            raise InputError(f"{shorten(name)} is no name")
        if names.count(name) > 1:
            raise InputError(f"{shorten(name)} is there twice", hint="Give it once")
    return tuple(name.strip() for name in names)


def _widths(value: object) -> object:
    """A list of whole numbers from 1 on, or a single one."""
    numbers = value if isinstance(value, list) else [value]
    if not numbers or any(type(n) is not int or not 1 <= n <= 99_999 for n in numbers):
        raise InputError(f"{shorten(value)} are no such numbers", hint="Write e.g. [128, 64]")
    return tuple(numbers)


def _seeds(value: object) -> object:
    """How many seeds, or a list of them."""
    if type(value) is int and 1 <= value <= 10_000:
        return tuple(range(value))
    if (
        not isinstance(value, list)
        or not 0 < len(value) <= 10_000
        or any(type(s) is not int or not 0 <= s <= _LARGEST for s in value)
    ):
        hint = "Write how many, e.g. 3, or which, e.g. [0, 5, 8]"
        raise InputError(f"{shorten(value)} names no seeds", hint=hint)
    if len(set(value)) < len(value):
        raise InputError("a seed is there twice", hint="Give it once")
    return tuple(value)


def _readout(value: object) -> object:
    if value in ("all", "last"):
        return value
    if isinstance(value, str):
        hint = closest(value, ("all", "last"))
        raise InputError(f"{shorten(value)} is no choice", hint=hint)
    if type(value) is not int or not 1 <= value <= _LARGEST:
        hint = "Write a whole number from 1 on"
        raise InputError(f"{shorten(value)} is no such number", hint=hint)
    return value


def _mapping(value: object) -> object:
    value = {} if value is None else value
    if not isinstance(value, Mapping) or any(not isinstance(key, str) for key in value):
        raise InputError(f"{shorten(value)} is not a mapping", hint="Write keys below it")
    return dict(value)


Text = Annotated[str, BeforeValidator(_text)]
Whole = Annotated[int, _whole(0)]
Count = Annotated[int, _whole(1)]
Number = Annotated[float, BeforeValidator(_number)]
Flag = Annotated[bool, BeforeValidator(_flag)]
Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
Widths = Annotated[tuple[int, ...], BeforeValidator(_widths)]
Seeds = Annotated[tuple[int, ...], BeforeValidator(_seeds)]
Entries = Annotated[dict[str, Any], BeforeValidator(_mapping)]
Preset = Annotated[str, _one_of("quick", "default", "fine")]
Voltage = Annotated[str, _quantity("V")]
Time = Annotated[str, _quantity("s")]
Resistance = Annotated[str, _quantity("ohm")]
Integrator = Annotated[str, _one_of("implicit", "explicit", "exact")]


# the steps, in the order in which they are done


class Simulation(Description):
    """Keys of every step that simulates; they go over those at the top."""

    device: Text | None = None
    set: Entries = Field(default_factory=dict)
    preset: Preset | None = None


class LoopStep(Simulation):
    """The current-voltage loop of the device."""

    loops: Count | None = None
    reset_voltage: Voltage | None = None
    set_voltage: Voltage | None = None
    rate: Annotated[str, _quantity("V/s")] | None = None


class PulsesStep(Simulation):
    """One train of pulses."""

    amplitude: Voltage | None = None
    width: Time | None = None
    count: Count | None = None
    rise: Time | None = None
    fall: Time | None = None
    period: Time | None = None
    read_voltage: Voltage | None = None
    read_width: Time | None = None
    read_edge: Time | None = None
    drive: Annotated[str, _one_of("bit-line", "source-line")] | None = None
    gate_voltage: Voltage | None = None
    initial_resistance: Resistance | None = None


class CampaignStep(Simulation):
    """Trains on a grid of settings; what stands in a campaign's own file is checked with it."""

    source: Text | None = Field(None, alias="from")
    pulses: Any = None
    grid: Any = None
    initial_resistance: Any = None
    cycles: Count | None = None
    devices: Count | None = None
    seed: Whole | None = None
    variability: Any = None


class Columns(Description):
    """Which columns of a file of measured trains hold what; see `compact.read_pulses`."""

    conductance: Any = None
    resistance: Any = None
    current: Any = None
    voltage: Any = None
    pulse: Any = None
    train: Any = None
    units: Any = None
    wide: Any = None
    sheet: Any = None
    variable: Any = None
    delimiter: Any = None
    decimal: Any = None
    direction: Any = None


class FitStep(Description):
    """alpha and beta of the trains."""

    method: Annotated[str, _one_of("better", "article")] | None = None
    integrator: Integrator | None = None
    window: Annotated[str, _one_of("free", "data")] | None = None
    loss: Annotated[str, _one_of("linear", "soft_l1", "huber")] | None = None
    direction: Annotated[str, _one_of("down", "up")] | None = None
    seed: Whole | None = None
    mirror: Flag | None = None
    skip_missing: Flag | None = None
    amplitude: Voltage | None = None
    width: Time | None = None
    initial_resistance: Resistance | None = None
    columns: Columns = Columns()


class NetworkStep(Description):
    """Networks that keep alpha and beta where the table's pulses can put them."""

    task: Text = "digits"
    models: Names = ("ddk",)
    seed: Whole = 0
    epochs: Count | None = None
    quick: Flag = False
    hidden: Widths | None = None
    integrator: Integrator | None = None
    per: Annotated[str, _one_of("network", "channel", "step", "channel-step")] | None = None
    banks: Count | None = None
    readout: Annotated[int | str, BeforeValidator(_readout)] | None = None
    states: Annotated[str, _one_of("after", "before")] | None = None
    draws: Count = 10


class ControlsStep(Description):
    """The same task and splits with other layers; what is left out is as in the step "network"."""

    task: Text | None = None
    models: Names | None = None
    seeds: Seeds = (0, 1, 2)
    epochs: Count | None = None
    quick: Flag | None = None


class HardwareStep(Description):
    """Training for imprecise chips."""

    model: Text | None = None
    seeds: Seeds = (0, 1, 2)
    noise: Annotated[str, _one_of("table", "article")] | None = None
    chip: Text | None = None
    cases: Names | None = None


class CompileStep(Description):
    """The network on a chip."""

    model: Text | None = None
    chip: Text = "180nm"
    layout: Annotated[str, _one_of("separate", "packed", "joined", "compact")] = "separate"
    largest_weight: Number | None = None


class PipelineFile(Description):
    """All keys of a file; a step that is not there is None."""

    name: Text | None = None
    description: Text = ""
    device: Text | None = None
    set: Entries = Field(default_factory=dict)
    preset: Preset | None = None
    trains: Text | None = None
    table: Text | None = None
    root: Text | None = None
    loop: LoopStep | None = None
    pulses: PulsesStep | None = None
    campaign: CampaignStep | None = None
    fit: FitStep | None = None
    network: NetworkStep | None = None
    controls: ControlsStep | None = None
    hardware: HardwareStep | None = None
    compile: CompileStep | None = None

    @model_validator(mode="before")
    @classmethod
    def _empty_steps(cls, data: Any) -> Any:
        """A step without keys is a step."""
        if not isinstance(data, Mapping):
            return data
        return {k: {} if k in STEPS and v is None else v for k, v in data.items()}


STEPS: dict[str, tuple[str, ...]] = {
    step: tuple(field.alias or name for name, field in keys.model_fields.items())
    for step, entry in PipelineFile.model_fields.items()
    for keys in get_args(entry.annotation)
    if isinstance(keys, type) and issubclass(keys, Description)
}
"""Keys of each step, in the order in which steps are done."""


@dataclass(frozen=True)
class Chain:
    """A pipeline file, checked.

    Attributes
    ----------
    name : str
        Name of the pipeline.
    text : str
        Text of the file.
    folder : Path or None
        Folder from which its paths are meant; None: the working folder.
    file : PipelineFile
        What it says.
    """

    name: str
    text: str
    folder: Path | None
    file: PipelineFile

    @property
    def description(self) -> str:
        """Description of the pipeline."""
        return self.file.description

    @property
    def steps(self) -> list[str]:
        """Names of the steps that it has, in the order in which they are done."""
        return [name for name in STEPS if getattr(self.file, name) is not None]

    def beside(self, text: str) -> Path:
        """The path that a text names, from the folder of the file."""
        path = Path(text).expanduser()
        return path if self.folder is None or path.is_absolute() else self.folder / path


def list_pipelines() -> list[str]:
    """Names of the pipelines that ship with the toolkit, sorted."""
    names = (e.name for e in _shipped().iterdir() if e.name.endswith(".yaml"))
    return sorted(n.removesuffix(".yaml") for n in names if n != f"{EXAMPLE}.yaml")


def example_text() -> str:
    """A pipeline file with every step and a comment on every key, to start from."""
    return str((_shipped() / f"{EXAMPLE}.yaml").read_text(encoding="utf-8"))


def read_chain(name_or_path: str) -> Chain:
    """A pipeline of the toolkit by its name, or of a YAML file.

    Raises InputError: no such pipeline or file, no valid YAML, or a key that is not known (the
    closest is named); StorageError: the file cannot be read.
    """
    if not name_or_path.strip():
        raise InputError("the name is empty", "FILE", closest("", list_pipelines()))
    if name_or_path in list_pipelines():
        text = (_shipped() / f"{name_or_path}.yaml").read_text(encoding="utf-8")
        return parse_chain(text, name_or_path, None, name_or_path)
    path = Path(name_or_path)
    text = description_text(path, "pipeline", closest(name_or_path, list_pipelines()))
    return parse_chain(text, str(path), path.absolute().parent, path.stem)


def parse_chain(text: str, where: str, folder: Path | None, name: str) -> Chain:
    """The pipeline of a YAML text, called ``name`` if it says none itself.

    Its paths are meant from ``folder``, None is the working folder; ``where``, the file, is for
    errors. Raises InputError: no valid YAML, a key that is not known, no step.
    """
    data = parse_yaml(text, where)
    try:
        if data is None:
            raise InputError("it is empty", "", "'ddk-network pipeline --example' prints one")
        chain = Chain(name, text, folder, PipelineFile.from_mapping(data))
        if not chain.steps:
            raise InputError("it has no step", "", f"Write one of {', '.join(STEPS)}")
        return replace(chain, name=chain.file.name or name)
    except InputError as error:
        raise located(error, where) from None


def _shipped() -> Any:
    return resources.files("ddk.pipeline") / "library"


def in_file[T](make: Callable[[], T], where: str) -> T:
    """What ``make`` gives; its errors say where in the file."""
    try:
        return make()
    except InputError as error:
        raise located(error, where) from None
