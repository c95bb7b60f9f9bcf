"""Descriptions that a person writes: keys that are checked, numbers with units, one-line errors.

A class of `Description` lists its keys as fields; a number with a unit is a float marked by a
`Parameter`, given as text ("9 nm") or as a pint quantity and held in SI.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import CoreSchema, core_schema

from ddkbase.errors import InputError, closest, shorten
from ddkbase.units import to_si


@dataclass(frozen=True)
class Parameter:
    """Marks a field as a parameter of the description; gives its unit and its bounds.

    `unit` is "" for choices, switches and counts, which pydantic checks by their type. A parameter
    that is `optional` belongs to a part of the model that is off unless it is given: what leaves
    it out does not write it either.
    """

    unit: str = ""
    above: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    optional: bool = False

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
            raise _too_small(value, number, f"Must be > {self.above:g}")
        if self.at_least is not None and not number >= self.at_least:
            raise _too_small(value, number, f"Must be >= {self.at_least:g}")
        if self.at_most is not None and number > self.at_most:
            raise InputError(
                f"{shorten(value)} is too large",
                hint=f"Must be <= {self.at_most:g} {self.unit}: is the unit right?",
            )
        return number


def _too_small(value: object, number: float, hint: str) -> InputError:
    problem = "negative" if number < 0 else "zero" if number == 0 else "too small"
    return InputError(f"{shorten(value)} is {problem}", hint=hint)


class Description(BaseModel):
    """Base of what a person describes: frozen, strict about keys, compared by value."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    #: What an error says to who would change a description in place.
    _change_hint: ClassVar[str] = "Make a changed copy"

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
            raise InputError("a description cannot be changed", name, self._change_hint)
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

        Raises InputError: one line that names the key, however deep it sits.
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

    @model_validator(mode="before")
    @classmethod
    def _check_keys(cls, data: Any) -> Any:
        if isinstance(data, Mapping):
            keys = [field.alias or name for name, field in cls.model_fields.items()]
            for key in data:
                if key not in keys:
                    raise InputError(f"unknown key {shorten(key)}", hint=closest(str(key), keys))
            for key, field in zip(keys, cls.model_fields.values(), strict=True):
                if key not in data and field.is_required() and field.description:
                    raise InputError(f"'{key}' is missing", hint=f"Add it: {field.description}")
        return data


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
        dot = "" if not where or cause.where.startswith(("[", ":")) else "."
        where = f"{where}{dot}{cause.where}" if cause.where else where
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
    steps: list[str] = []
    value: Any = data
    for step in location:
        if isinstance(value, Mapping) and step not in value and step == value.get("kind"):
            continue
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            value = getattr(value, str(step), None)
        name = value.get("name") if isinstance(step, int) and isinstance(value, Mapping) else None
        steps.append(str(name or step))
    return ".".join(steps)
