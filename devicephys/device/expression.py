"""A user's expression for a material law: parsed, its units checked, evaluated; never executed.

The text is read by Python's own parser into a tree, of which only sums, products, powers, names,
numbers and a few functions are let in; what is computed is what this module computes from them. So
one text serves plain numbers and the solver's symbols alike.
"""

from __future__ import annotations

import ast
import functools
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from ddkbase.errors import InputError, closest, shorten
from ddkbase.units import Dimension, base_text, dimension

__all__ = ["CONSTANTS", "FUNCTIONS", "NAME", "VARIABLES", "Expression", "parsed"]

#: characters of a text, and operations within each other, at most
LONGEST, DEEPEST = 1000, 60
#: functions and how many arguments they take
FUNCTIONS = {
    **dict.fromkeys(("exp", "log", "sqrt", "sinh", "cosh", "tanh", "abs"), 1),
    "minimum": 2,
    "maximum": 2,
}
#: what a law depends on, with its unit
VARIABLES = {"n": "1/m^3", "T": "K", "E": "V/m"}
#: constants of nature (CODATA 2018, exact), in SI base units, with their units
CONSTANTS = {
    "k_B": (1.380649e-23, "J/K"),
    "q_e": (1.602176634e-19, "C"),
    "pi": (math.pi, "1"),
}
#: what the name of a constant of one's own may be
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,40}")

_OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.Pow: lambda a, b: a**b,
}
_EXAMPLE = "Write e.g. 'sigma_0*exp(-E_A/(k_B*T))', with functions " + ", ".join(FUNCTIONS)
_HINTS: dict[type, str] = {ast.BitXor: "Write ** for a power", ast.Mod: "Write * or /"}


class Expression:
    """An expression of names, numbers and functions, checked when it is made.

    Parameters
    ----------
    text : str
        E.g. "sigma_0*exp(-E_A/(k_B*T))".

    Raises
    ------
    InputError
        What is not let in, with its place in the text.
    """

    def __init__(self, text: str) -> None:
        self.text = " ".join(text.split())
        self._tree = self._parse()
        #: names in the text, in their order
        self.names: dict[str, int] = {}
        self._check(self._tree, 1)

    def _parse(self) -> ast.expr:
        if len(self.text) > LONGEST:
            raise InputError(f"is longer than {LONGEST} characters", hint="Write it shorter")
        if not self.text.isascii():
            odd = next(letter for letter in self.text if not letter.isascii())
            raise self._refused(f"'{odd}' is no ASCII", self.text.index(odd))
        try:
            return ast.parse(self.text, mode="eval").body
        except SyntaxError as error:
            place = (error.offset or 1) - 1
            raise self._refused("is no expression", place, _EXAMPLE) from None
        except (ValueError, MemoryError, RecursionError):
            raise InputError("is no expression", hint=_EXAMPLE) from None

    def _refused(self, what: str, place: int, hint: str = "") -> InputError:
        near = shorten(self.text[place : place + 20] or self.text)
        return InputError(f"{what}, at character {place + 1}, {near}", hint=hint)

    def _check(self, node: ast.expr, depth: int) -> None:
        place = node.col_offset
        if depth > DEEPEST:
            raise self._refused(f"more than {DEEPEST} operations within each other", place)
        match node:
            case ast.BinOp(op=op) if type(op) in _OPERATORS:
                parts = [node.left, node.right]
            case ast.UnaryOp(op=ast.USub() | ast.UAdd()):
                parts = [node.operand]
            case ast.Call(func=ast.Name(id=name), keywords=[]) if name in FUNCTIONS:
                parts = node.args
                if len(parts) != FUNCTIONS[name]:
                    count = FUNCTIONS[name]
                    what = f"'{name}' takes {count} argument{'s' if count > 1 else ''}"
                    raise self._refused(what, place)
            case ast.Call(func=ast.Name(id=name)) if name not in FUNCTIONS:
                raise self._refused(f"'{name}' is no function", place, closest(name, FUNCTIONS))
            case ast.Name(id=name):
                if name in FUNCTIONS:
                    raise self._refused(f"'{name}' is a function", place, f"Write {name}(...)")
                self.names.setdefault(name, place)
                return
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                if not _finite(value):
                    raise self._refused("a number that is not finite", place)
                return
            case _:
                hint = _HINTS.get(type(getattr(node, "op", None)), _EXAMPLE)
                raise self._refused("is not let in", place, hint)
        for part in parts:
            self._check(part, depth + 1)

    def check_units(self, units: Mapping[str, str], unit: str) -> None:
        """Whether the value has the dimension of ``unit`` where the names have theirs.

        Parameters
        ----------
        units : mapping of str to str
            Unit of each name.
        unit : str
            That of the value.

        Raises
        ------
        InputError
            An unknown name, what cannot be added or put into a function, or another dimension.
        """
        for name, place in self.names.items():
            if name not in units:
                hint = closest(name, units)
                if not hint.startswith("Did you mean"):
                    hint = f"Give it in 'constants', or use {', '.join(VARIABLES)}"
                raise self._refused(f"'{name}' is unknown", place, hint)
        found = self._dimension(self._tree, {name: dimension(units[name]) for name in self.names})
        if found != dimension(unit):
            given = "nothing but 0" if found is None else _unit_text(found)
            raise InputError(f"its value is {given}, not in {unit}", hint="Look at the units")

    def _dimension(self, node: ast.expr, of: Mapping[str, Dimension]) -> Dimension | None:
        """Dimension of a part; None of a zero, which has any."""
        match node:
            case ast.Name(id=name):
                return of[name]
            case ast.Constant(value=value):
                return None if value == 0 else {}
            case ast.UnaryOp():
                return self._dimension(node.operand, of)
            case ast.Call(func=ast.Name(id=name)):
                parts = [self._dimension(part, of) for part in node.args]
                if name in ("minimum", "maximum"):
                    return self._alike(node, *parts)
                if name in ("abs", "sqrt"):
                    return parts[0] and _scaled(parts[0], 0.5 if name == "sqrt" else 1.0)
                return self._bare(node, parts[0])
            case ast.BinOp(op=ast.Pow()):
                base = self._dimension(node.left, of)
                self._bare(node, self._dimension(node.right, of))
                return base and _scaled(base, self._exponent(node.right))
        assert isinstance(node, ast.BinOp)
        left, right = self._dimension(node.left, of), self._dimension(node.right, of)
        if isinstance(node.op, ast.Add | ast.Sub):
            return self._alike(node, left, right)
        if right is None and isinstance(node.op, ast.Div):
            raise self._refused("a division by 0", node.col_offset)
        if left is None or right is None:
            return None
        return _product(left, right, -1.0 if isinstance(node.op, ast.Div) else 1.0)

    def _alike(
        self, node: ast.expr, left: Dimension | None, right: Dimension | None
    ) -> Dimension | None:
        if left is None or right is None:
            return right if left is None else left
        if left != right:
            what = f"what is {_unit_text(left)} meets what is {_unit_text(right)}"
            raise self._refused(what, node.col_offset)
        return left

    def _bare(self, node: ast.expr, given: Dimension | None) -> Dimension:
        if given:
            what = f"an argument or exponent is in {base_text(given)}, and has to be a number"
            raise self._refused(what, node.col_offset)
        return {}

    def _exponent(self, node: ast.expr) -> float:
        """Value of an exponent that is written as a number."""
        try:
            return float(_value(node, {}, {}))
        except (KeyError, TypeError, ArithmeticError):
            what = "the exponent of what has a unit is no number"
            raise self._refused(what, node.col_offset) from None

    def evaluate(
        self, values: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]]
    ) -> Any:
        """The value, from those of the names and from what computes the functions.

        Parameters
        ----------
        values : mapping of str to object
            Numbers, arrays or symbols, by name, in SI base units.
        functions : mapping of str to callable
            One for each of ``FUNCTIONS``.

        Returns
        -------
        object
            What their sums, products and powers give, in SI base units.
        """
        return _value(self._tree, values, functions)


def _value(
    node: ast.expr, values: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]]
) -> Any:
    match node:
        case ast.Name(id=name):
            return values[name]
        case ast.Constant(value=int() | float() as value):
            return float(value)  # of whole numbers a power might not end
        case ast.UnaryOp(op=ast.USub()):
            return -_value(node.operand, values, functions)
        case ast.UnaryOp():
            return _value(node.operand, values, functions)
        case ast.Call(func=ast.Name(id=name)):
            return functions[name](*(_value(part, values, functions) for part in node.args))
    assert isinstance(node, ast.BinOp)
    left, right = (_value(part, values, functions) for part in (node.left, node.right))
    return _OPERATORS[type(node.op)](left, right)


def _unit_text(given: Dimension) -> str:
    return f"in {base_text(given)}" if given else "a plain number"


def _finite(value: float) -> bool:
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def _scaled(given: Dimension, factor: float) -> Dimension:
    return _rounded({name: power * factor for name, power in given.items()})


def _product(left: Dimension, right: Dimension, sign: float) -> Dimension:
    powers = {name: left.get(name, 0.0) + sign * right.get(name, 0.0) for name in {**left, **right}}
    return _rounded(powers)


def _rounded(powers: Dimension) -> Dimension:
    """Powers without the rounding of roots, and without those that are zero."""
    return {name: round(power, 9) for name, power in powers.items() if abs(power) > 1e-9}


@functools.lru_cache(maxsize=256)
def parsed(text: str) -> Expression:
    """The expression of a text; see ``Expression``."""
    return Expression(text)
