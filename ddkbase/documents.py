"""YAML and JSON: read safely whoever wrote them, written whole; descriptions shipped by name."""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from ddkbase.errors import InputError, StorageError, closest, shorten, similar_file
from ddkbase.files import read_bytes, write_bytes


def write_json(content: Mapping[str, Any], path: Path, overwrite: bool = False) -> Path:
    """Write a JSON object, whole or not at all; NaN is refused.

    Raises StorageError: as `ddkbase.files.write_bytes`.
    """
    text = json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    return write_bytes(path, text.encode("utf-8"), overwrite)


def read_json(path: Path, hint: str = "") -> dict[str, Any]:
    """Read a JSON object; ``hint`` says what to do where it is damaged.

    Raises StorageError: no such file, not readable, not an object, or a number that is not finite,
    which `write_json` refuses as well.
    """
    try:
        text = read_bytes(path, hint).decode("utf-8")
    except FileNotFoundError:
        close = similar_file(path, "Name what an earlier command wrote")
        raise StorageError("there is no such file", str(path), close) from None
    except UnicodeDecodeError as error:
        raise StorageError(f"the file cannot be read: {error}", str(path), hint) from error
    try:
        content = json.loads(text, parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError) as error:
        raise StorageError(f"the file is damaged [{error}]", str(path), hint) from error
    if not isinstance(content, dict):
        raise StorageError("the file is damaged [not an object]", str(path), hint)
    return content


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is not finite")
    return value


def read_text(path: Path, largest: int) -> str:
    """The text in UTF-8 of a regular file of at most ``largest`` bytes, as a user names it.

    Raises InputError: no such file, not a regular file, too large, or no text in UTF-8;
    StorageError: it cannot be read.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would block, /dev/zero never ends
            raise InputError("is not a regular file", str(path))
        with path.open("rb") as file:
            content = file.read(largest + 1)
        if len(content) > largest:
            raise InputError(f"is larger than {largest} bytes", str(path))
        return content.decode("utf-8-sig")
    except FileNotFoundError:
        raise InputError("no such file", str(path), similar_file(path)) from None
    except UnicodeDecodeError:
        raise InputError("is not text in UTF-8", str(path)) from None
    except InputError:
        raise
    except ValueError as error:  # a null byte in the path
        raise InputError(f"not a path: {error}", shorten(str(path))) from error
    except OSError as error:
        raise StorageError(error.strerror or "cannot be read", str(path)) from error


def differences(
    old: Mapping[str, Any], new: Mapping[str, Any], above: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    """Dotted name and both values of each key in which two documents differ, sorted."""
    for key in sorted({*old, *new}):
        was, now = old.get(key), new.get(key)
        if isinstance(was, Mapping) and isinstance(now, Mapping):
            yield from differences(was, now, f"{above}{key}.")
        elif was != now:
            yield f"{above}{key}", was, now


def parse_yaml(text: str, where: str = "") -> object:
    """What a YAML text holds; ``where`` (the file) is named in errors.

    Raises InputError: not valid YAML, an anchor, alias or merge key, or a key given twice; with
    line and column.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # which is a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise InputError(
            f"not valid YAML: {error.problem or error.context}",
            ", ".join(part for part in (where, line) if part),
            "Correct this line",
        ) from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InputError(f"not valid YAML: {shorten(str(error))}", where) from error


class _Loader(yaml.SafeLoader):
    """Safe loader that refuses keys given twice, anchors, aliases and merge keys, and reads only
    true and false as switches.

    YAML 1.1 would read the choice `off` as the switch False. Nested aliases would let a few lines
    stand for more than any memory holds.
    """

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()
        if getattr(event, "anchor", None) is not None:  # an alias has one too
            raise yaml.composer.ComposerError(
                problem="anchors (&) and aliases (*) are not taken", problem_mark=event.start_mark
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(
                    problem="merge keys (<<) are not taken", problem_mark=key_node.start_mark
                )
            if isinstance(key_node, yaml.ScalarNode):
                if key_node.value in seen:
                    raise yaml.constructor.ConstructorError(
                        problem=f"key '{key_node.value}' is given twice",
                        problem_mark=key_node.start_mark,
                    )
                seen.add(key_node.value)
        return super().construct_mapping(node, deep)


_BOOL = "tag:yaml.org,2002:bool"


_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern)
        for tag, pattern in resolvers
        if tag != _BOOL or first in ("t", "T", "f", "F")
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


_LARGEST_FILE = 100_000  # bytes; a description takes some thousand


class Source(NamedTuple):
    """The text of a description, what errors call it, and the folder of its file, if it is one."""

    text: str
    where: str
    folder: Path | None


@dataclass(frozen=True)
class Library:
    """The YAML files in the folder ``library`` of a package, and others that are named by path.

    Attributes
    ----------
    package : str
        The package.
    kind : str
        What a file describes, for errors: "device".
    """

    package: str
    kind: str

    def names(self) -> list[str]:
        """Names of what ships with the package, sorted."""
        names = (entry.name for entry in self._folder().iterdir())
        return sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml"))

    def read(self, name_or_path: str | os.PathLike[str]) -> Source:
        """The text of a name, or of a file; what ends in .yaml, or has a folder in it, is a file.

        Raises InputError: no such name (the closest is said) or file, or not a text file;
        StorageError: the file exists but cannot be read.
        """
        given = os.fspath(name_or_path)
        if not isinstance(given, str) or not given.strip():
            what = f"{shorten(given)} is not a {self.kind}, no {self.kind} has this name"
            raise InputError(what, hint=self.hint())
        if given in self.names():
            text = (self._folder() / f"{given}.yaml").read_text(encoding="utf-8")
            return Source(text, given, None)
        is_path = isinstance(name_or_path, os.PathLike) or looks_like_path(given)
        if not is_path and not os.path.isfile(given):
            raise InputError(f"unknown {self.kind} {shorten(given)}", hint=self.hint(given))
        path = Path(given)
        return Source(description_text(path, self.kind, self.hint()), given, path.parent)

    def hint(self, name: str = "") -> str:
        """The shipped name closest to ``name``, or all of them."""
        return closest(name, self.names())

    def _folder(self) -> Traversable:
        return resources.files(self.package) / "library"


def description_text(path: Path, kind: str, hint: str) -> str:
    """The text of a description's file; errors name its ``kind``, ``hint`` is for one not there.

    Raises InputError: no such file, or not a text file of reasonable size; StorageError: the file
    exists but cannot be read.
    """
    where, name_one = str(path), f"Name a {kind} YAML file"
    try:
        if path.is_dir():
            raise InputError("is a folder, not a file", where, "Name the YAML file in it")
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would block, /dev/zero never ends
            raise InputError("is not a regular file", where, name_one)
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
        if len(content) > _LARGEST_FILE:
            raise InputError(f"is too large for a {kind}", where, name_one)
        return content.decode("utf-8-sig")
    except FileNotFoundError:
        raise InputError("no such file", where, similar_file(path, hint)) from None
    except UnicodeDecodeError:
        raise InputError("is not text", where, f"{name_one} in UTF-8") from None
    except InputError:
        raise
    except ValueError as error:  # a null byte in the path
        raise InputError(f"not a path: {error}", shorten(where)) from error
    except OSError as error:
        raise StorageError(error.strerror or "cannot be read", where) from error


def looks_like_path(name: str) -> bool:
    """Whether a text is meant as the path of a YAML file."""
    return name.lower().endswith((".yaml", ".yml")) or os.sep in name


def located(error: InputError, where: str) -> InputError:
    """The error with the file, or the key, before the place in it."""
    return InputError(error.what, ": ".join(x for x in (where, error.where) if x), error.hint)
