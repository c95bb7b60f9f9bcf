"""Integrands of forms, split into what multiplies each value of a test and a trial function.

What a form integrates is linear in its arguments. Here it is lowered to scalars as the form
compiler does it and split, so that only plain numbers are left to compute at a point: one for each
pair of values that occur in it. Nothing of the equations is written here or differentiated by
hand; what this code does not know it refuses. Numbers and functions of a form are in an order that
is the same for all devices of a kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import ufl
from ufl.algorithms.apply_algebra_lowering import apply_algebra_lowering
from ufl.algorithms.apply_derivatives import apply_derivatives
from ufl.algorithms.expand_indices import IndexExpander
from ufl.algorithms.transformer import apply_transformer
from ufl.classes import (
    Argument,
    Conditional,
    Division,
    Expr,
    FacetNormal,
    Grad,
    Indexed,
    NegativeRestricted,
    PositiveRestricted,
    Product,
    Restricted,
    Sum,
)
from ufl.constantvalue import as_ufl


class Unsupported(Exception):
    """A form holds what cannot be translated; the text says what."""


class Slot(NamedTuple):
    """A value of an argument: field (0: V, 1: T, 2: n), derivative (axis or -1), side of a face."""

    field: int
    derivative: int
    side: str


class Domain(NamedTuple):
    """Where an integral is taken: "cell" or "face", number of the layer or tag, axis of a face."""

    kind: str
    number: int
    axis: int


#: what multiplies each combination of slots, test function first
Split = dict[tuple[Slot, ...], Expr]

#: the same of a piece of an integrand, each slot with the number of its argument
Factors = dict[tuple[tuple[int, Slot], ...], Expr]

#: points of the rules that the loops are written for, as degrees: 2 x 2 in a cell, 1 on a face
DEGREES = {"cell": 2, "interior_facet": 1}
KINDS = {"cell": "cell", "interior_facet": "face"}


class _Splitter:
    """Splits one integrand; ``fields`` are the spaces of (V, T) and n, ``axis`` that of a face."""

    def __init__(self, spaces: tuple[Any, ...], axis: int) -> None:
        self.spaces, self.axis = spaces, axis
        self.memo: dict[tuple[Expr, str], Factors] = {}

    def split(self, expr: Expr, side: str = "") -> Factors:
        key = expr, side
        if key not in self.memo:
            self.memo[key] = self._split(expr, side)
        return self.memo[key]

    def _split(self, expr: Expr, side: str) -> Factors:
        if isinstance(expr, Restricted):
            return self.split(expr.ufl_operands[0], expr.side())
        slot = self._slot(expr, side)
        if slot is not None:
            return {(slot,): as_ufl(1)}
        if isinstance(expr, Indexed) and isinstance(expr.ufl_operands[0], FacetNormal):
            along = int(expr.ufl_operands[1][0]) == self.axis
            return {(): as_ufl((1 if side == "+" else -1) if along else 0)}
        if isinstance(expr, Indexed | Grad) or not expr.ufl_operands:
            return {(): _restricted(expr, side)}
        parts = [self.split(operand, side) for operand in expr.ufl_operands]
        if all(set(split) == {()} for split in parts):
            return {(): expr._ufl_expr_reconstruct_(*(split[()] for split in parts))}
        return self._linear(expr, parts)

    def _slot(self, expr: Expr, side: str) -> tuple[int, Slot] | None:
        """Number of the argument and what of it this is, None if it is none."""
        component, derivative, base = 0, -1, expr
        indices: tuple[int, ...] = ()
        if isinstance(base, Indexed):
            base, multi = base.ufl_operands
            indices = tuple(int(index) for index in multi)
        if isinstance(base, Grad):
            base, derivative, indices = base.ufl_operands[0], indices[-1], indices[:-1]
        if not isinstance(base, Argument):
            return None
        component = indices[0] if indices else 0
        if base.ufl_function_space() == self.spaces[0]:
            return base.number(), Slot(component, derivative, side)
        if base.ufl_function_space() == self.spaces[1] and derivative < 0:
            return base.number(), Slot(2, -1, side)
        raise Unsupported(f"the argument {expr}")

    def _linear(self, expr: Expr, parts: list[Any]) -> Factors:
        total: Factors = {}

        def add(key: tuple[tuple[int, Slot], ...], value: Expr) -> None:
            total[key] = total[key] + value if key in total else value

        if isinstance(expr, Sum):
            for split in parts:
                for key, value in split.items():
                    add(key, value)
        elif isinstance(expr, Product):
            for key, value in parts[0].items():
                for more, factor in parts[1].items():
                    add(tuple(sorted(key + more)), value * factor)
        elif isinstance(expr, Division) and set(parts[1]) == {()}:
            for key, value in parts[0].items():
                add(key, value / parts[1][()])
        elif isinstance(expr, Conditional) and set(parts[0]) == {()}:
            for key in {**parts[1], **parts[2]}:
                zero = as_ufl(0)
                yes, no = parts[1].get(key, zero), parts[2].get(key, zero)
                add(key, ufl.conditional(parts[0][()], yes, no))
        else:
            raise Unsupported(f"the operator {type(expr).__name__} of an argument")
        return total


def _restricted(expr: Expr, side: str) -> Expr:
    if side == "+":
        return PositiveRestricted(expr)
    return NegativeRestricted(expr) if side == "-" else expr


class _IndexExpander(IndexExpander):  # type: ignore[misc]
    """UFL's, but what is shared by many terms is expanded once.

    UFL's visits it again on every path that leads there: some hundred thousand where hops spread
    a drift by the sinh law, a minute for each form.
    """

    def __init__(self) -> None:
        super().__init__()
        self._expanded: dict[Expr, Expr] = {}

    def visit(self, o: Expr) -> Expr:
        if o.ufl_shape or o.ufl_free_indices:  # what they stand for depends on the path
            return super().visit(o)
        if o not in self._expanded:
            self._expanded[o] = super().visit(o)
        return self._expanded[o]


def _lowered(form: Any) -> Any:
    return apply_transformer(apply_derivatives(apply_algebra_lowering(form)), _IndexExpander())


def split_form(form: Any, spaces: tuple[Any, ...], layers: int) -> dict[Domain, Split]:
    """What a form integrates over each layer and through each kind of face, split by slots.

    Parameters: ``form`` in UFL, the ``spaces`` of (V, T) and of n, the number of ``layers``.
    Raises Unsupported for what the loops over cells and faces are not written for.
    """
    result: dict[Domain, Split] = {}
    for integral in _lowered(form).integrals():
        kind = integral.integral_type()
        if kind not in KINDS or integral.metadata().get("quadrature_degree") != DEGREES[kind]:
            raise Unsupported(f"an integral of type {kind}, {integral.metadata()}")
        for domain in _domains(integral, layers):
            parts = _Splitter(spaces, domain.axis).split(integral.integrand())
            target = result.setdefault(domain, {})
            for key, value in parts.items():
                slots = tuple(slot for _, slot in key)
                if value != 0:
                    target[slots] = target[slots] + value if slots in target else value
    return result


def _domains(integral: Any, layers: int) -> Iterator[Domain]:
    kind, where = KINDS[integral.integral_type()], integral.subdomain_id()
    if kind == "cell" and where == "everywhere":
        yield from (Domain(kind, layer, -1) for layer in range(layers))
        return
    for number in where if isinstance(where, tuple) else (where,):
        if not isinstance(number, int):
            raise Unsupported(f"an integral over {number}")
        yield from (Domain(kind, number, axis) for axis in ((-1,) if kind == "cell" else (0, 1)))


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
