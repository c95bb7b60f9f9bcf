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

_TERMINALS = (Restricted, Indexed, Grad, Coefficient, Constant, SpatialCoordinate)


class Printer:
    """Collects assignments; ``terminal`` gives the C text of a coefficient, constant, position."""

    def __init__(self, terminal: Callable[[Expr], str]) -> None:
        self.terminal = terminal
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
        if isinstance(expr, Power):
            return self._power(*expr.ufl_operands)
        return self._assigned(self._operation(expr))

    def _operation(self, expr: Expr) -> str:
        parts = [self.value(operand) for operand in expr.ufl_operands]
        if isinstance(expr, Sum):
            return " + ".join(parts)
        if isinstance(expr, Product):
            return " * ".join(parts)
        if isinstance(expr, Division):
            return " / ".join(parts)
        # of a NaN and a number both give the number, as fmax and fmin of C and of the forms do
        if isinstance(expr, MaxValue):
            return f"larger({parts[0]}, {parts[1]})"
        if isinstance(expr, MinValue):
            return f"smaller({parts[0]}, {parts[1]})"
        if isinstance(expr, Abs):
            return f"fabs({parts[0]})"
        if isinstance(expr, Conditional):
            return f"{parts[0]} ? {parts[1]} : {parts[2]}"
        if isinstance(expr, MathFunction) and expr._name in FUNCTIONS:
            return f"{'log' if expr._name == 'ln' else expr._name}({parts[0]})"
        if isinstance(expr, Condition):
            return self._condition(expr, parts)
        raise Unsupported(f"the operator {type(expr).__name__}")

    def _condition(self, expr: Any, parts: list[str]) -> str:
        if isinstance(expr, AndCondition):
            return f"{parts[0]} && {parts[1]}"
        if isinstance(expr, OrCondition):
            return f"{parts[0]} || {parts[1]}"
        if isinstance(expr, NotCondition):
            return f"!{parts[0]}"
        if getattr(expr, "_name", "") in COMPARISONS:
            return f"{parts[0]} {expr._name} {parts[1]}"
        raise Unsupported(f"the condition {type(expr).__name__}")

    def _power(self, base: Expr, exponent: Expr) -> str:
        name = self.value(base)
        if isinstance(exponent, ScalarValue) and float(exponent) in range(1, LARGEST_PRODUCT + 1):
            return self._product(name, int(float(exponent)))
        return self._assigned(f"pow({name}, {self.value(exponent)})")

    def _product(self, name: str, power: int) -> str:
        if power == 1:
            return name
        half = self._product(name, power // 2)
        square = self._assigned(f"{half} * {half}")
        return self._assigned(f"{square} * {name}") if power % 2 else square

    def _assigned(self, text: str) -> str:
        if text not in self._names:
            name = f"t{len(self.lines)}"
            self.lines.append(f"const double {name} = {text};")
            self._names[text] = name
        return self._names[text]
