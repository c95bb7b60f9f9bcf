"""UFL expressions of numbers as C: one assignment an operation, none written twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ufl.classes import (
    Abs,
    AndCondition,
    Coefficient,
    Condition,
    Conditional,
    Constant,
    Division,
    Expr,
    Grad,
    Indexed,
    MathFunction,
    MaxValue,
    MinValue,
    NotCondition,
    OrCondition,
    Power,
    Product,
    Restricted,
    ScalarValue,
    SpatialCoordinate,
    Sum,
    Zero,
)

from devicephys.fem.kernel.integrands import Unsupported

#: functions that are called alike in UFL and in C
FUNCTIONS = {"exp", "sqrt", "ln", "sin", "cos", "tan", "sinh", "cosh", "tanh"}
COMPARISONS = {"==", "!=", "<", ">", "<=", ">="}
#: powers up to this one are products
LARGEST_PRODUCT = 8

_PATTERNS = {
    Sum: "{} + {}",
    Product: "{} * {}",
    # of a NaN and a number both give the number, as fmax and fmin of C and of the forms do
    MaxValue: "larger({}, {})",
    MinValue: "smaller({}, {})",
    Abs: "fabs({})",
    Conditional: "{} ? {} : {}",
    AndCondition: "{} && {}",
    OrCondition: "{} || {}",
    NotCondition: "!{}",
}

_TERMINALS = (Restricted, Indexed, Grad, Coefficient, Constant, SpatialCoordinate)


class Constants:
    """What follows from the numbers of the device alone: computed once for all cells and faces."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._names: dict[str, str] = {}

    def assigned(self, text: str) -> str:
        """Name under which the integrands read a text of constants."""
        if text not in self._names:
            number = len(self.lines)
            self.lines.append(f"c[{number}] = {text.replace('g->', '')};")
            self._names[text] = f"g->c[{number}]"
        return self._names[text]


def _constant(name: str) -> bool:
    """Whether a name or literal is the same in all cells."""
    return name.startswith(("g->p[", "g->c[", "(")) or name[0].isdigit()


class Printer:
    """Collects assignments; ``terminal`` gives the C text of a coefficient, constant, position."""

    def __init__(self, terminal: Callable[[Expr], str], constants: Constants) -> None:
        self.terminal, self.constants = terminal, constants
        self.lines: list[str] = []
        self._names: dict[str, str] = {}
        self._memo: dict[Expr, str] = {}

    def value(self, expr: Expr) -> str:
        """Name or literal of an expression, after the assignments it needs.

        Raises Unsupported for an operator that is not known here.
        """
        if expr not in self._memo:
            self._memo[expr] = self._value(expr)
        return self._memo[expr]

    def _value(self, expr: Expr) -> str:
        if isinstance(expr, Zero):
            return "0.0"
        if isinstance(expr, ScalarValue):
            number = float(expr)
            return f"({number!r})" if number < 0 else repr(number)
        if isinstance(expr, _TERMINALS):
            return self.terminal(expr)
        parts = [self.value(operand) for operand in expr.ufl_operands]
        if isinstance(expr, Power):
            return self._power(expr.ufl_operands[1], *parts)
        if isinstance(expr, Division):
            # quotients by the same number share its inverse; dividing is what costs most here
            return self._assigned("{} * {}", parts[0], self._assigned("1.0 / {}", parts[1]))
        return self._assigned(self._pattern(expr), *parts)

    def _pattern(self, expr: Any) -> str:
        for kind, pattern in _PATTERNS.items():
            if isinstance(expr, kind):
                return pattern
        if isinstance(expr, MathFunction) and expr._name in FUNCTIONS:
            return ("log" if expr._name == "ln" else expr._name) + "({})"
        if isinstance(expr, Condition) and getattr(expr, "_name", "") in COMPARISONS:
            return f"{{}} {expr._name} {{}}"
        raise Unsupported(f"the operator {type(expr).__name__}")

    def _power(self, exponent: Expr, base: str, power: str) -> str:
        if isinstance(exponent, ScalarValue) and float(exponent) in range(1, LARGEST_PRODUCT + 1):
            return self._product(base, int(float(exponent)))
        return self._assigned("pow({}, {})", base, power)

    def _product(self, name: str, power: int) -> str:
        if power == 1:
            return name
        half = self._product(name, power // 2)
        square = self._assigned("{} * {}", half, half)
        return self._assigned("{} * {}", square, name) if power % 2 else square

    def _assigned(self, pattern: str, *parts: str) -> str:
        text = pattern.format(*parts)
        if all(map(_constant, parts)):
            return self.constants.assigned(text)
        if text not in self._names:
            name = f"t{len(self.lines)}"
            self.lines.append(f"const double {name} = {text};")
            self._names[text] = name
        return self._names[text]
