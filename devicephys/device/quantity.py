"""Fields that take text with a unit, keep an SI float, and remember where the value came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    ModelWrapValidatorHandler,
    PrivateAttr,
    ValidationError,
    model_validator,
)
from pydantic_core import CoreSchema, core_schema

from ddkbase.errors import InputError, closest, one_line, shorten
from ddkbase.units import exact_text, to_si

Mark = Literal["literature", "assumed", "calibrated", "article"]
MARKS: tuple[str, ...] = get_args(Mark)
_PROVENANCE_KEYS = ("value", "mark", "source")


@dataclass(frozen=True)
class Provenance:
    """Where the value of a parameter comes from.

    Attributes
    ----------
    value_text : str
        The value as it was given.
    unit : str
        Unit of the float in the model; "" for a choice or a switch.
    mark : {"literature", "assumed", "calibrated", "article"}, default "assumed"
        How the value is known.
    source : str, default ""
        Source in words; may be empty.
    """

    value_text: str
    unit: str
    mark: str = "assumed"
    source: str = ""


@dataclass(frozen=True)
class Parameter:
    """Marks a field as a parameter of the device; gives its unit and its bounds.

    `unit` is "" for choices, switches and counts, which pydantic checks by their type.
    """

    unit: str = ""
    above: float | None = None
    at_least: float | None = None

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        schema = handler(source)
        if not self.unit:
            return schema
        return core_schema.no_info_before_validator_function(self.convert, schema)

    def convert(self, value: object) -> float:
        """Float in `unit` of a text or pint quantity; InputError if it is out of bounds."""
        number = to_si(value, self.unit)
        if self.above is not None and not number > self.above:
            raise InputError(f"{shorten(value)} is too small", hint=f"Must be > {self.above:g}")
        if self.at_least is not None and not number >= self.at_least:
            raise InputError(f"{shorten(value)} is too small", hint=f"Must be >= {self.at_least:g}")
        return number


Length = Annotated[float, Parameter("m", above=0)]
NonNegativeLength = Annotated[float, Parameter("m", at_least=0)]
Temperature = Annotated[float, Parameter("K", above=0)]
Concentration = Annotated[float, Parameter("1/m^3", above=0)]
Conductivity = Annotated[float, Parameter("S/m", above=0)]
ThermalConductivity = Annotated[float, Parameter("W/m/K", above=0)]
HeatCapacity = Annotated[float, Parameter("J/m^3/K", above=0)]
Energy = Annotated[float, Parameter("eV")]
NonNegativeEnergy = Annotated[float, Parameter("eV", at_least=0)]
Diffusivity = Annotated[float, Parameter("m^2/s", above=0)]
TemperatureCoefficient = Annotated[float, Parameter("1/K", at_least=0)]
Voltage = Annotated[float, Parameter("V")]
Resistance = Annotated[float, Parameter("ohm", above=0)]
Transconductance = Annotated[float, Parameter("A/V^2", above=0)]
Rate = Annotated[float, Parameter("V/s", above=0)]
Number = Annotated[float, Parameter("1", above=0)]
Switch = Annotated[bool, Parameter()]


class Description(BaseModel):
    """Base of everything that describes a cell: frozen, strict about keys, compared by value.

    A parameter is given as text ("9 nm"), as a pint quantity, or as a mapping
    `{value: "9 nm", mark: literature, source: "..."}`; the attribute holds the SI float.
    Two descriptions are equal if a simulation cannot tell them apart: how the value was written
    and where it came from do not count.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    _provenance: dict[str, Provenance] = PrivateAttr(default_factory=dict)

    def __init__(self, **data: Any) -> None:
        try:
            super().__init__(**data)
        except ValidationError as error:
            raise as_input_error(error, data) from None

    # pydantic calls an overridden __init__ for nested models too, which would lose the path of
    # the key that is wrong; this attribute tells it that the base behaviour is kept.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    def __setattr__(self, name: str, value: Any) -> None:
        if name in type(self).model_fields:
            raise InputError(
                "a description cannot be changed", name, "Make a changed copy with device.with_()"
            )
        super().__setattr__(name, value)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in type(self).model_fields)

    def __hash__(self) -> int:
        return hash(tuple(getattr(self, name) for name in type(self).model_fields))

    @classmethod
    def from_mapping(cls, data: object) -> Self:
        """Build from nested mappings as read from YAML.

        Raises
        ------
        InputError
            One line that names the key, however deep it sits.
        """
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise as_input_error(error, data) from None

    @classmethod
    def parameters(cls) -> dict[str, Parameter]:
        """The fields that are parameters, in order, with unit and bounds."""
        return {
            name: marker
            for name, field in cls.model_fields.items()
            for marker in field.metadata
            if isinstance(marker, Parameter)
        }

    @model_validator(mode="wrap")
    @classmethod
    def _separate_provenance(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(data, Mapping):
            return handler(data)
        for key in data:
            if key not in cls.model_fields:
                hint = closest(str(key), cls.model_fields)
                raise InputError(f"unknown key {shorten(key)}", hint=hint)
        values = dict(data)
        origin: dict[str, tuple[str, str]] = {}
        for name in cls.parameters():
            if name in values and isinstance(values[name], Mapping):
                values[name], mark, source = _split(values[name], name)
                origin[name] = (mark, source)
        model = handler(values)
        for name, parameter in cls.parameters().items():
            if name in values:
                text = _value_text(values[name], getattr(model, name), parameter.unit)
                mark, source = origin.get(name, ("assumed", "user"))
            else:
                text = _value_text(None, getattr(model, name), parameter.unit)
                mark, source = ("assumed", "default of the model")
            model._provenance[name] = Provenance(text, parameter.unit, mark, source)
        return model


def _split(entry: Mapping[str, Any], name: str) -> tuple[Any, str, str]:
    for key in entry:
        if key not in _PROVENANCE_KEYS:
            hint = closest(str(key), _PROVENANCE_KEYS)
            raise InputError(f"unknown key {shorten(key)}", name, hint)
    if "value" not in entry:
        raise InputError("key 'value' is missing", name, "Write e.g. {value: '9 nm', mark: ...}")
    mark, source = entry.get("mark", "assumed"), entry.get("source", "")
    if not isinstance(mark, str) or mark not in MARKS:
        raise InputError(f"unknown mark {shorten(mark)}", name, "Use one of " + ", ".join(MARKS))
    if not isinstance(source, str):
        raise InputError(f"source {shorten(source)} is not text", name)
    return entry["value"], mark, one_line(source)


def _value_text(given: object, number: Any, unit: str) -> str:
    if isinstance(given, str) and unit:
        return one_line(given)
    if unit:
        return exact_text(number, unit)
    return str(number).lower() if isinstance(number, bool) else str(number)


def as_input_error(error: ValidationError, data: object) -> InputError:
    """One-line InputError for what pydantic found, with at most the first three problems."""
    problems = [_problem(details, data) for details in error.errors(include_url=False)]
    if len(problems) == 1:
        return problems[0]
    shown = [f"{p.what} ({p.where})" if p.where else p.what for p in problems[:3]]
    if len(problems) > len(shown):
        shown.append(f"and {len(problems) - len(shown)} more")
    return InputError("; ".join(shown), hint=problems[0].hint)


def _problem(details: Any, data: object) -> InputError:
    where = _dotted(details["loc"], data)
    kind, given = details["type"], details["input"]
    cause = details.get("ctx", {}).get("error")
    if isinstance(cause, InputError):
        where = ".".join(part for part in (where, cause.where) if part)
        return InputError(cause.what, where, cause.hint)
    if kind == "missing":
        parent, _, key = where.rpartition(".")
        return InputError(f"key '{key}' is missing", parent, "Add it")
    if kind in ("model_type", "model_attributes_type", "dict_type", "mapping_type"):
        return InputError(f"{shorten(given)} is not a mapping", where, "Write 'key: value' pairs")
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        return InputError("key 'kind' is missing or unknown", where, details["msg"])
    return InputError(f"{shorten(given)} is not valid", where, details["msg"])


def _dotted(location: tuple[int | str, ...], data: object) -> str:
    """Path of a key as a user writes it: layers by name, without pydantic's union tags."""
    parts: list[str] = []
    here: Any = data
    for step in location:
        if isinstance(here, Mapping) and step not in here and step == here.get("kind"):
            continue
        try:
            here = here[step]
        except (KeyError, IndexError, TypeError):
            here = getattr(here, str(step), None)
        name = here.get("name") if isinstance(step, int) and isinstance(here, Mapping) else None
        parts.append(str(name or step))
    return ".".join(parts)
