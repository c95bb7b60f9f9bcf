"""A reader of the part of Verilog-A that the export uses: checks the syntax, evaluates the module.

Every name must be declared before it is used, every statement and bracket closed, every function
called with as many arguments as it has inputs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r"""\s+ | //[^\n]* | (?P<include>`include\s+"[\w.]+") | (?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?)
    | (?P<name>[A-Za-z_]\w*) | (?P<sign><\+|<=|>=|==|[-+*/()\[\];:,=<>])""",
    re.VERBOSE,
)
_MATH: dict[str, tuple[int, Callable[..., float]]] = {
    "tanh": (1, math.tanh),
    "sqrt": (1, math.sqrt),
    "min": (2, min),
    "max": (2, max),
}
_KEYWORDS = {
    "module", "endmodule", "inout", "input", "output", "electrical", "parameter", "real", "from",
    "analog", "function", "endfunction", "begin", "end", "if", "else", "inf",
}  # fmt: skip

Names = dict[str, float]
Expression = Callable[[Names], float]
Statement = Callable[[Names], None]


class SyntaxProblem(Exception):
    """What is wrong and where."""


@dataclass
class Function:
    name: str
    inputs: list[str] = field(default_factory=list)
    body: Statement = lambda names: None

    def __call__(self, *values: float) -> float:
        names = dict(zip(self.inputs, values, strict=True))
        self.body(names)
        return names[self.name]


@dataclass
class Module:
    """A parsed module; `evaluate` runs its analog block once."""

    name: str = ""
    ports: list[str] = field(default_factory=list)
    nodes: list[str] = field(default_factory=list)
    parameters: Names = field(default_factory=dict)
    variables: list[str] = field(default_factory=list)
    functions: dict[str, Function] = field(default_factory=dict)
    analog: Statement | None = None

    def evaluate(self, **known: float) -> Names:
        """Contributions such as "I(u)", with ``known`` such as V_te_be; ddt counts as 0."""
        assert self.analog is not None
        names = {**self.parameters, **known}
        self.analog(names)
        return names


class Parser:
    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str, int]] = []
        at = 0
        while at < len(text):
            match = _TOKEN.match(text, at)
            line = text.count("\n", 0, at) + 1
            if match is None:
                raise SyntaxProblem(f"line {line}: {text[at : at + 20]!r}")
            if match.lastgroup:
                self.tokens.append((match.lastgroup, match.group(), line))
            at = match.end()
        self.at = 0
        self.module = Module()
        self.scope: set[str] = set()

    # -- tokens
    def peek(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else "end of file"

    def fail(self, wanted: str) -> SyntaxProblem:
        line = self.tokens[min(self.at, len(self.tokens) - 1)][2]
        return SyntaxProblem(f"line {line}: {wanted} expected, not {self.peek()!r}")

    def take(self, *wanted: str) -> str:
        if self.peek() not in wanted:
            raise self.fail(" or ".join(wanted))
        self.at += 1
        return self.tokens[self.at - 1][1]

    def skip(self, word: str) -> bool:
        if self.peek() == word:
            self.at += 1
            return True
        return False

    def new_name(self, taken: set[str]) -> str:
        kind, name, _ = self.tokens[self.at]
        if kind != "name" or name in _KEYWORDS or name in _MATH or name in taken:
            raise self.fail("a new name")
        self.at += 1
        return name

    def names(self, taken: set[str]) -> list[str]:
        found = [self.new_name(taken)]
        while self.skip(","):
            found.append(self.new_name(taken))
        self.take(";")
        return found

    # -- module
    def parse(self) -> Module:
        m = self.module
        while self.peek().startswith("`include"):
            self.at += 1
        self.take("module")
        m.name = self.new_name(set())
        self.take("(")
        m.ports.append(self.new_name(set()))
        while self.skip(","):
            m.ports.append(self.new_name(set(m.ports)))
        self.take(")")
        self.take(";")
        while not self.skip("endmodule"):
            self.item()
        if self.at != len(self.tokens):
            raise self.fail("end of file")
        if m.analog is None or set(m.ports) - set(m.nodes):
            raise SyntaxProblem("no analog block, or a port without discipline")
        return m

    def item(self) -> None:
        m = self.module
        taken = {m.name, *m.nodes, *m.parameters, *m.variables, *m.functions}
        word = self.take("inout", "electrical", "parameter", "real", "analog")
        if word == "inout":
            for name in self.names(set()):
                if name not in m.ports:
                    raise SyntaxProblem(f"{name} is no port")
        elif word == "electrical":
            m.nodes += self.names(taken)
        elif word == "real":
            m.variables += self.names(taken)
        elif word == "parameter":
            self.take("real")
            name = self.new_name(taken)
            self.take("=")
            m.parameters[name] = self.expression()({})
            self.take("from")
            self.take("(", "[")
            self.expression()
            self.take(":")
            self.expression()
            self.take(")", "]")
            self.take(";")
        elif self.skip("function"):
            self.take("real")
            function = Function(self.new_name(taken))
            self.take(";")
            self.take("input")
            function.inputs = self.names(set())
            self.take("real")
            if self.names(set()) != function.inputs:
                raise SyntaxProblem(f"types of the inputs of {function.name}")
            self.scope = {*function.inputs, function.name}
            function.body = self.statement()
            self.scope = set()
            self.take("endfunction")
            m.functions[function.name] = function
        else:
            if m.analog is not None:
                raise self.fail("only one analog block")
            self.scope = {*m.parameters, *m.variables}
            m.analog = self.statement()
            self.scope = set()

    # -- statements
    def statement(self) -> Statement:
        if self.skip("begin"):
            body = []
            while not self.skip("end"):
                body.append(self.statement())

            def run(names: Names) -> None:
                for one in body:
                    one(names)

            return run
        if self.skip("if"):
            self.take("(")
            left, sign, right = self.expression(), self.take("<=", "<"), self.expression()
            self.take(")")
            yes = self.statement()
            no = self.statement() if self.skip("else") else lambda names: None

            def choose(names: Names) -> None:
                a, b = left(names), right(names)
                (yes if (a <= b if sign == "<=" else a < b) else no)(names)

            return choose
        if self.peek() in ("I", "V"):
            target = self.access()
            self.take("<+")
            value = self.expression()
            self.take(";")

            def contribute(names: Names) -> None:
                names[target] = names.get(target, 0.0) + value(names)

            return contribute
        kind, name, _ = self.tokens[self.at]
        if kind != "name" or name not in self.scope or name in self.module.parameters:
            raise self.fail("a variable")
        self.at += 1
        self.take("=")
        value = self.expression()
        self.take(";")

        def assign(names: Names) -> None:
            names[name] = value(names)

        return assign

    def access(self) -> str:
        """I(a, b) or V(a): its name in the table of values."""
        kind = self.take("I", "V")
        self.take("(")
        nodes = [self.take(*self.module.nodes)]
        if self.skip(","):
            nodes.append(self.take(*self.module.nodes))
        self.take(")")
        return "_".join([kind, *nodes])

    # -- expressions
    def expression(self) -> Expression:
        value = self.term()
        while self.peek() in ("+", "-"):
            value = _binary(self.take("+", "-"), value, self.term())
        return value

    def term(self) -> Expression:
        value = self.factor()
        while self.peek() in ("*", "/"):
            value = _binary(self.take("*", "/"), value, self.factor())
        return value

    def factor(self) -> Expression:
        if self.skip("-"):
            inner = self.factor()
            return lambda names: -inner(names)
        if self.skip("("):
            inner = self.expression()
            self.take(")")
            return inner
        if self.at >= len(self.tokens):
            raise self.fail("a value")
        kind, text, _ = self.tokens[self.at]
        if kind == "number":
            self.at += 1
            number = float(text)
            return lambda names: number
        if text == "inf":
            self.at += 1
            return lambda names: math.inf
        if text == "V" and self.scope:
            target = self.access()
            return lambda names: names[target]
        if text == "ddt":
            self.at += 1
            self.take("(")
            self.expression()
            self.take(")")
            return lambda names: 0.0
        if text in _MATH or text in self.module.functions:
            return self.call()
        if kind == "name" and text in self.scope:
            self.at += 1
            return lambda names: names[text]
        raise self.fail("a declared name")

    def call(self) -> Expression:
        name = self.tokens[self.at][1]
        self.at += 1
        function = self.module.functions.get(name)
        count, run = (len(function.inputs), function) if function else _MATH[name]
        self.take("(")
        arguments = [self.expression()]
        while self.skip(","):
            arguments.append(self.expression())
        self.take(")")
        if len(arguments) != count:
            raise SyntaxProblem(f"{name} takes {count} arguments")
        return lambda names: run(*(a(names) for a in arguments))


def _binary(sign: str, left: Expression, right: Expression) -> Expression:
    return {
        "+": lambda names: left(names) + right(names),
        "-": lambda names: left(names) - right(names),
        "*": lambda names: left(names) * right(names),
        "/": lambda names: left(names) / right(names),
    }[sign]


def parse(text: str) -> Module:
    """The module of a Verilog-A file; SyntaxProblem where it is none."""
    return Parser(text).parse()
