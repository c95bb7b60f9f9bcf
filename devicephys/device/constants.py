"""Named numbers of a user's own law, each with a unit and where it came from."""

from __future__ import annotations

import keyword
from collections.abc import Iterator, Mapping
from typing import Any, Self

from ddkbase.descriptions import Parameter
from ddkbase.errors import InputError, shorten
from ddkbase.units import base_factor, exact_text, to_si, unit_of
from devicephys.device import expression
from devicephys.device.quantity import FlowMapping, Provenance, split_entry

__all__ = ["Constants"]

#: as many as one can look through
_MOST = 40


class Constants(Mapping[str, float]):
    """Constants by name, each in the unit that it was given in; compared by value in SI.

    Parameters
    ----------
    given : mapping of str to object
        Texts with units, pint quantities, or mappings with value, mark and source.

    Raises
    ------
    InputError
        A name that no expression could use, or what is no quantity.
    """

    def __init__(self, given: Mapping[str, Any] | None = None) -> None:
        self._values: dict[str, float] = {}
        self._provenance: dict[str, Provenance] = {}
        if given is not None and len(given) > _MOST:
            raise InputError(f"{len(given)} constants, more than {_MOST}", hint="Leave some out")
        for name, entry in (given or {}).items():
            self._add(name, entry)

    @classmethod
    def of(cls, given: object) -> Self:
        """Those of what stands in a file; InputError for what is no mapping."""
        if not isinstance(given, Mapping):
            raise InputError(f"{shorten(given)} is not a mapping", hint="Write 'E_A: 0.1 eV'")
        return cls(given)

    def _add(self, name: object, entry: Any) -> None:
        if not isinstance(name, str) or not expression.NAME.fullmatch(name):
            raise InputError(f"{shorten(name)} is no name", hint="Use letters, digits and '_'")
        taken = {**expression.VARIABLES, **expression.CONSTANTS, **expression.FUNCTIONS}
        if name in taken or keyword.iskeyword(name):
            raise InputError(f"'{name}' is taken", name, "Give the constant another name")
        value, mark, source = entry, "assumed", "user"
        if isinstance(entry, Mapping):
            value, mark, source = split_entry(entry, name)
        unit = unit_of(value, name)
        number = to_si(value, unit, name)
        base_factor(unit, name)  # refuses what has an offset
        text = " ".join(value.split()) if isinstance(value, str) else exact_text(number, unit)
        self._values[name] = number
        self._provenance[name] = Provenance(text, unit, mark, source)

    def __getitem__(self, name: str) -> float:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        return self.in_base() == other.in_base() if isinstance(other, Constants) else NotImplemented

    def __hash__(self) -> int:
        return hash(frozenset(self.in_base().items()))

    def __repr__(self) -> str:
        return f"Constants({self._values!r})"

    @property
    def units(self) -> dict[str, str]:
        """Unit of each constant, as it was given."""
        return {name: origin.unit for name, origin in self._provenance.items()}

    def in_base(self) -> dict[str, float]:
        """The constants in SI base units."""
        return {k: value * base_factor(self.units[k]) for k, value in self._values.items()}

    def parameters(self) -> dict[str, Parameter]:
        """The constants as parameters of a description, with their units."""
        return {name: Parameter(unit) for name, unit in self.units.items()}

    def to_tree(self) -> dict[str, Any]:
        """Plain mappings with value, mark and source."""
        return {
            name: FlowMapping(value=origin.value_text, mark=origin.mark, source=origin.source)
            for name, origin in self._provenance.items()
        }
