"""What the commands of all three command lines do with the texts that they are given."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import os
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any, get_type_hints

from ddkbase.errors import InputError, StorageError


def option_groups(function: Callable[..., None]) -> Callable[..., None]:
    """Let commands share options that are written once, as fields of a dataclass.

    Parameters
    ----------
    function : callable
        A command, below `ddkbase.cli.application.command`. Each of its parameters that has a
        dataclass for a type becomes the options that the fields describe, in its place; the
        function gets the object. It is a keyword (behind ``*``), because it has no default.
    """
    signature = inspect.signature(function, eval_str=True)
    groups: dict[str, Any] = {
        p.name: p.annotation
        for p in signature.parameters.values()
        if dataclasses.is_dataclass(p.annotation)
    }
    shown: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        if parameter.name not in groups:
            shown.append(parameter)
            continue
        types = get_type_hints(parameter.annotation, include_extras=True)
        shown += [
            parameter.replace(name=field.name, annotation=types[field.name], default=field.default)
            for field in dataclasses.fields(parameter.annotation)
        ]

    @functools.wraps(function)
    def run(**values: Any) -> None:
        for name, group in groups.items():
            fields = {f.name: values.pop(f.name) for f in dataclasses.fields(group)}
            values[name] = group(**fields)
        function(**values)

    run.__signature__ = signature.replace(parameters=shown)  # type: ignore[attr-defined]
    return run


def path_of(text: str, where: str, kind: str = "file") -> Path:
    """Return the path that a text names, of the option or argument ``where``.

    Raises InputError: the text is empty; ``kind`` says what it is to be.
    """
    if not text.strip():
        hint = "Write '.' for this folder" if kind == "folder" else "Write a name"
        raise InputError(f"the name of the {kind} is empty", where, hint)
    return Path(text)


def free_path(text: str, overwrite: bool, *sources: str, option: str = "--out") -> Path:
    """Return the path of a file to make; what cannot be written is told before the work is done.

    Parameters
    ----------
    *sources : str
        What is read, which it must not replace.

    Raises
    ------
    InputError
        An empty name.
    StorageError
        A folder, a device or a pipe, an existing file without ``overwrite``, a source, or no folder
        to write to.
    """
    path = path_of(text, option)
    if path.is_dir() or text.rstrip().endswith(("/", os.sep)):
        raise StorageError("is a folder", text, "Name a file")
    if os.path.lexists(path):
        if path.is_symlink():  # it would be replaced, not what it points to
            raise StorageError("is a link", str(path), "Name the file itself")
        if not path.is_file():
            raise StorageError("is not a regular file", str(path), "Name a file")
        if not overwrite:
            hint = "Use --overwrite or another name"
            raise StorageError("the file exists already", str(path), hint)
        if any(_is_same(path, source) for source in sources):
            raise StorageError(
                "is read from and cannot be replaced", str(path), "Name another file"
            )
    if not path.parent.is_dir():
        raise StorageError("there is no such folder", str(path.parent), "Make it first")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise StorageError(
            "nothing may be written to this folder", str(path.parent), "Name another folder"
        )
    return path


def _is_same(path: Path, other: str) -> bool:
    try:
        return path.samefile(other)
    except OSError:  # the other is not there, which its reader says
        return False


def given(**values: Any) -> dict[str, Any]:
    """Return those that were given, enumerations as texts.

    Raises InputError: an empty text; the option is named as its key, ``a_b`` as ``--a-b``.
    """
    found = {}
    for name, value in values.items():
        if value is None:
            continue
        if isinstance(value, str) and not value.strip():
            option = f"--{name.replace('_', '-')}"
            raise InputError("the value is empty", option, "Give it a value, or leave it out")
        found[name] = value.value if isinstance(value, StrEnum) else value
    return found
