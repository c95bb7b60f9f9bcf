"""Names of a package that are loaded on first use.

A package's public names stand once, in the stub ``__init__.pyi`` beside its ``__init__.py``, where
type checkers and editors read them; `attach` reads the same file when the package is imported.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["attach"]


def attach(
    package: str, file: str
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Functions ``__getattr__``, ``__dir__`` and the list ``__all__`` of a package with a stub.

    Parameters
    ----------
    package : str
        Its ``__name__``.
    file : str
        Its ``__file__``; every ``from m import a as b`` of the stub beside it makes ``b``
        a public name, ``from . import m as m`` a module.

    Returns
    -------
    tuple of (callable, callable, list of str)
        What the package assigns to ``__getattr__``, ``__dir__`` and ``__all__``.
    """
    tree = ast.parse(Path(file).with_suffix(".pyi").read_text(encoding="utf-8"))
    origins: dict[str, tuple[str, str]] = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            origins |= {alias.asname or alias.name: (base, alias.name) for alias in node.names}
    public = sorted(origins)

    def get(name: str) -> Any:
        if name not in origins:
            close = difflib.get_close_matches(name, public, 1)
            hint = f". Did you mean '{close[0]}'?" if close else ""
            raise AttributeError(f"module {package!r} has no attribute {name!r}{hint}")
        base, attribute = origins[name]
        try:
            value = vars(importlib.import_module(base))[attribute]
        except KeyError:  # lazy there, too, or a module that nobody has imported yet
            value = _of_package(base, attribute, package)
        # a module of the same name that was imported meanwhile must not stand in for the name
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        return public

    return get, names, public


def _of_package(base: str, attribute: str, package: str) -> Any:
    if base != package and attribute in getattr(sys.modules[base], "__all__", ()):
        return getattr(sys.modules[base], attribute)
    return importlib.import_module(f"{base}.{attribute}")
