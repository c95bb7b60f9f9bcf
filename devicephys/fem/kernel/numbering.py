"""Forms with their numbers and functions in an order that is the same for all devices of a kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ufl

#: counts that no other object is likely to have; all have equally many digits, because UFL sorts
#: the operands of a sum by the text of their counts
FIRST_COUNT = 10_000_000


@dataclass(frozen=True)
class Equations:
    """Residuals of (V, T) and of n in which functions and constants are numbered.

    ``residuals`` are UFL forms and ``fields`` (V, T) and n in them; ``coefficients`` and
    ``constants`` are the objects of the solver that stand for the numbers, in the order in which
    they were made, which is the same for every device of the same kinds of layers.
    """

    residuals: tuple[Any, ...]
    fields: tuple[Any, ...]
    coefficients: tuple[Any, ...]
    constants: tuple[Any, ...]
    layers: int

    @classmethod
    def of(cls, residuals: tuple[Any, ...], fields: tuple[Any, ...], layers: int) -> Equations:
        """Those that a problem has written."""
        functions = {f.count(): f for form in residuals for f in form.coefficients()}
        numbers = {c.count(): c for form in residuals for c in form.constants()}
        coefficients = tuple(functions[k] for k in sorted(functions))
        constants = tuple(numbers[k] for k in sorted(numbers))
        mapping: dict[Any, Any] = {
            f: ufl.Coefficient(f.ufl_function_space(), FIRST_COUNT + k)
            for k, f in enumerate(coefficients)
        }
        mapping |= {
            c: ufl.Constant(c.ufl_domain(), c.ufl_shape, FIRST_COUNT + k)
            for k, c in enumerate(constants)
        }
        return cls(
            tuple(ufl.replace(form, mapping) for form in residuals),
            tuple(mapping[field] for field in fields),
            coefficients,
            constants,
            layers,
        )

    @property
    def spaces(self) -> tuple[Any, ...]:
        """Function spaces of (V, T) and of n."""
        return tuple(field.ufl_function_space() for field in self.fields)

    @property
    def text(self) -> str:
        """What the forms say: equal for devices that differ in numbers and mesh only."""
        parts = [str(self.layers)]
        for form in self.residuals:
            numbers = [number_of(item) for item in (*form.coefficients(), *form.constants())]
            parts.append(f"{form.signature()} {numbers}")
        return "\n".join(parts)


def number_of(item: Any) -> int:
    """Number of a function or a constant of numbered equations."""
    return int(item.count() - FIRST_COUNT)
