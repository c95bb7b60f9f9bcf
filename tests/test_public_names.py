"""What a user can import, with its signature, is written down in ``tests/public_names.txt``.

A name that goes, moves or takes other arguments breaks somebody's script, so the list changes only
on purpose: ``python -m tests.test_public_names`` writes it anew. Public is what the stub
``__init__.pyi`` of a package says, and what the modules named there define without an underscore.
"""

from __future__ import annotations

import dataclasses
import difflib
import enum
import importlib
import inspect
import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LIST = Path(__file__).with_name("public_names.txt")
#: of a run, and of the steps of a pipeline
NAMESAKES = {"Outcome"}
PACKAGES = ("ddkbase", "devicephys", "compact", "network", "ddk")


def ours(value: Any) -> bool:
    return str(getattr(value, "__module__", "")).split(".")[0] in PACKAGES


def signature(value: Any) -> str:
    """Names, kinds and defaults of the arguments; how types are written differs between Pythons."""
    try:
        full = inspect.signature(value)
    except (TypeError, ValueError):
        return "(...)"
    arguments = []
    for argument in full.parameters.values():
        default = argument.default
        if default is not argument.empty and not isinstance(default, bool | int | float | str):
            default = Shown("None" if default is None else f"<{type(default).__name__}>")
        arguments.append(argument.replace(annotation=argument.empty, default=default))
    return str(full.replace(parameters=arguments, return_annotation=full.empty))


class Shown(str):
    """A default that stands as this text."""

    def __repr__(self) -> str:
        return str(self)


def members(cls: type) -> Iterator[str]:
    """Lines for what a class of ours has by itself or from a base of ours."""
    seen = {"model_config", "model_post_init"}  # pydantic's own
    if not issubclass(cls, tuple | enum.Enum | Exception):
        yield from (f"    {name}: field" for name in fields(cls))
        seen.update(fields(cls))
    for base in (base for base in cls.__mro__ if ours(base)):
        for name, value in vars(base).items():
            if name.startswith("_") or name in seen:
                continue
            seen.add(name)
            if isinstance(value, staticmethod | classmethod):
                yield f"    {name}{signature(getattr(cls, name))}"
            elif inspect.isfunction(value):
                yield f"    {name}{signature(value)}"
            else:
                yield f"    {name}"


def fields(cls: Any) -> list[str]:
    if hasattr(cls, "model_fields"):
        return list(cls.model_fields)
    if dataclasses.is_dataclass(cls):
        return [field.name for field in dataclasses.fields(cls) if not field.name.startswith("_")]
    return []


def names_of(module: types.ModuleType) -> list[str]:
    """Names that a module offers: its list, or what it defines itself."""
    if hasattr(module, "__all__"):
        return sorted(module.__all__)
    return sorted(
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", "") == module.__name__
    )


def describe(module: types.ModuleType, seen: set[Any]) -> Iterator[str]:
    """Lines for the names of a module and, below, of the modules among them."""
    yield f"== {module.__name__}"
    below = []
    for name in names_of(module):
        try:
            value = getattr(module, name)
        except ImportError:  # of an optional package, or of the finite-element stack
            yield f"{name} ?"
            continue
        if inspect.ismodule(value):
            yield f"{name}: module {value.__name__}"
            below.append(value)
        elif isinstance(value, type) and value in seen:
            yield f"class {name}, as above"
        elif isinstance(value, type):
            seen.add(value)
            model = hasattr(value, "model_fields")  # pydantic's signature repeats the fields
            yield f"class {name}{'' if model else signature(value)}"
            yield from sorted(members(value))
        elif callable(value):
            yield f"{name}{signature(value)}"
        else:
            yield f"{name}: {type(value).__name__}"
    for value in below:
        if value.__name__ not in seen:
            seen.add(value.__name__)
            yield ""
            yield from describe(value, seen)


def public_names() -> list[str]:
    lines: list[str] = []
    seen: set[Any] = set(PACKAGES)
    for package in PACKAGES:
        lines += [*describe(importlib.import_module(package), seen), ""]
    return lines[:-1]


def absent(lines: list[str]) -> set[tuple[str, str]]:
    """(module, name) of what cannot be imported here."""
    heading, result = "", set()
    for line in lines:
        if line.startswith("== "):
            heading = line
        elif line.endswith(" ?"):
            result.add((heading, line.removesuffix(" ?")))
    return result


def without(lines: list[str], names: set[tuple[str, str]]) -> list[str]:
    """The lines without those of names that are absent, and without modules that are."""
    heading, skipped, result = "", False, []
    modules = {f"{heading}.{name}" for heading, name in names}
    for line in lines:
        if line.startswith("== "):
            heading = line
        if not line.startswith("    "):
            name = re.split(r"[(:, ]", line.removeprefix("class "))[0]
            skipped = (heading, name) in names
        if not skipped and heading not in modules:
            result.append(line)
    return result


def test_public_names_and_signatures() -> None:
    lines = public_names()
    missing = absent(lines)
    expected = without(LIST.read_text(encoding="utf-8").splitlines(), missing)
    changes = difflib.unified_diff(expected, without(lines, missing), "written down", "now", n=0)
    text = "\n".join(changes)
    assert not text, f"{text}\nIf meant: python -m tests.test_public_names"


def test_a_name_stands_for_one_thing() -> None:
    """No two public things of one name, but for methods and modules."""
    heading, places = "", {}
    for line in LIST.read_text(encoding="utf-8").splitlines():
        if line.startswith("== "):
            heading = line.removeprefix("== ")
        elif line.startswith("class "):
            name = re.split(r"[(:, ]", line.removeprefix("class "))[0]
            places.setdefault(name, []).append(getattr(importlib.import_module(heading), name))
    twice = {name: values for name, values in places.items() if len(set(map(id, values))) > 1}
    assert set(twice) <= NAMESAKES, twice


if __name__ == "__main__":
    LIST.write_text("\n".join([*public_names(), ""]), encoding="utf-8")
    print(f"written: {LIST}")
