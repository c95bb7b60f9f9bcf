"""Fields that take text with a unit, keep an SI float, and remember where the value came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

import yaml
from pydantic import ModelWrapValidatorHandler, PrivateAttr, model_validator

from ddkbase import descriptions
from ddkbase.descriptions import Parameter
from ddkbase.errors import InputError, closest, one_line, shorten
from ddkbase.units import exact_text

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


#: beyond which a number has a unit of another size: 9 m for 9 nm, 300 kK, 1 J for 1 eV
_LARGEST_LENGTH, _LARGEST_TEMPERATURE, _LARGEST_ENERGY = 1e-3, 1e4, 100.0
Length = Annotated[float, Parameter("m", above=0, at_most=_LARGEST_LENGTH)]
NonNegativeLength = Annotated[float, Parameter("m", at_least=0, at_most=_LARGEST_LENGTH)]
Temperature = Annotated[float, Parameter("K", above=0, at_most=_LARGEST_TEMPERATURE)]
Concentration = Annotated[float, Parameter("1/m^3", above=0)]
Conductivity = Annotated[float, Parameter("S/m", above=0)]
ThermalConductivity = Annotated[float, Parameter("W/m/K", above=0)]
BoundaryResistance = Annotated[float, Parameter("m^2*K/W", at_least=0, optional=True)]
HeatCapacity = Annotated[float, Parameter("J/m^3/K", above=0)]
Energy = Annotated[float, Parameter("eV", at_most=_LARGEST_ENERGY)]
NonNegativeEnergy = Annotated[float, Parameter("eV", at_least=0, at_most=_LARGEST_ENERGY)]
Diffusivity = Annotated[float, Parameter("m^2/s", above=0)]
TemperatureCoefficient = Annotated[float, Parameter("1/K", at_least=0)]
Voltage = Annotated[float, Parameter("V")]
Resistance = Annotated[float, Parameter("ohm", above=0)]
Current = Annotated[float, Parameter("A", above=0)]
Transconductance = Annotated[float, Parameter("A/V^2", above=0)]
Rate = Annotated[float, Parameter("V/s", above=0)]
Number = Annotated[float, Parameter("1", above=0)]
Switch = Annotated[bool, Parameter()]
OptionalSwitch = Annotated[bool, Parameter(optional=True)]


class Description(descriptions.Description):
    """Base of everything that describes a cell; it remembers where each value came from.

    A parameter is given as text ("9 nm"), as a pint quantity, or as a mapping
    `{value: "9 nm", mark: literature, source: "..."}`; the attribute holds the SI float.
    Two descriptions are equal if a simulation cannot tell them apart: how the value was written
    and where it came from do not count.
    """

    _change_hint: ClassVar[str] = "Make a changed copy with device.with_()"

    _provenance: dict[str, Provenance] = PrivateAttr(default_factory=dict)

    @model_validator(mode="wrap")
    @classmethod
    def _separate_provenance(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(data, Mapping):
            return handler(data)
        values = dict(data)
        origin: dict[str, tuple[str, str]] = {}
        for name in cls.parameters():
            if name in values and isinstance(values[name], Mapping):
                values[name], mark, source = split_entry(values[name], name)
                origin[name] = (mark, source)
        model = handler(values)
        for name, parameter in cls.parameters().items():
            if name not in values and parameter.optional:
                continue
            if name in values:
                text = _value_text(values[name], getattr(model, name), parameter.unit)
                mark, source = origin.get(name, ("assumed", "user"))
            else:
                text = _value_text(None, getattr(model, name), parameter.unit)
                mark, source = ("assumed", "default of the model")
            model._provenance[name] = Provenance(text, parameter.unit, mark, source)
        return model

    def to_tree(self) -> dict[str, Any]:
        """Nested plain mappings and lists, every parameter with value, mark and source.

        ``from_mapping`` makes an equal description from it.
        """
        left_out = self.parameters().keys() - self._provenance.keys()
        names = (name for name in type(self).model_fields if name not in left_out)
        return {name: self._entry(name) for name in names}

    def _entry(self, name: str) -> Any:
        value = getattr(self, name)
        if name in self._provenance:
            origin = self._provenance[name]
            plain = origin.value_text if origin.unit else value
            return FlowMapping(value=plain, mark=origin.mark, source=origin.source)
        if hasattr(value, "to_tree"):  # a part, or the constants of a law
            return value.to_tree()
        if isinstance(value, tuple):
            return [item.to_tree() for item in value]
        if isinstance(value, Mapping):
            return {key: item.to_tree() for key, item in value.items()}
        return value

    def to_yaml(self) -> str:
        """YAML text of ``to_tree``; one line per parameter."""
        return yaml.dump(
            self.to_tree(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000
        )


class FlowMapping(dict[str, Any]):
    """A mapping that YAML writes on one line."""


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """libyaml's where PyYAML was built with it: the same text in a quarter of the time."""


def _represent_flow(dumper: yaml.SafeDumper, data: FlowMapping) -> yaml.MappingNode:
    return dumper.represent_mapping("tag:yaml.org,2002:map", data.items(), flow_style=True)


_Dumper.add_representer(FlowMapping, _represent_flow)


def split_entry(entry: Mapping[str, Any], name: str) -> tuple[Any, str, str]:
    """Value, mark and source of an entry that is written as a mapping."""
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
