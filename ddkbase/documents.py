"""YAML and JSON that somebody else may have written: read safely, compared, written whole."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from ddkbase.errors import InputError, StorageError, shorten, similar_file
from ddkbase.files import write_bytes

__all__ = ["differences", "parse_yaml", "read_json", "write_json"]


def write_json(content: Mapping[str, Any], path: Path, overwrite: bool = False) -> Path:
    """Write a JSON object, whole or not at all; NaN is refused.

    Raises
    ------
    StorageError
        As `ddkbase.files.write_bytes`.
    """
    text = json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    return write_bytes(path, text.encode("utf-8"), overwrite)


def read_json(path: Path, hint: str = "") -> dict[str, Any]:
    """Read a JSON object; ``hint`` says what to do where it is damaged.

    Raises
    ------
    StorageError
        No such file, not readable, not an object.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        close = similar_file(path, "Name what an earlier command wrote")
        raise StorageError("there is no such file", str(path), close) from None
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(f"the file cannot be read: {error}", str(path), hint) from error
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise StorageError(f"the file is damaged [{error}]", str(path), hint) from error
    if not isinstance(content, dict):
        raise StorageError("the file is damaged [not an object]", str(path), hint)
    return content


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

    Raises
    ------
    InputError
        Not valid YAML, an anchor or alias, or a key given twice; with line and column.
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
    """Safe loader that refuses keys given twice, anchors and aliases, and reads only true and
    false as switches.

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
            if isinstance(key_node, yaml.ScalarNode) and key_node.tag != "tag:yaml.org,2002:merge":
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
