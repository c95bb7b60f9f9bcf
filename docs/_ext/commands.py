"""The reference of all commands, made of the applications themselves when the site is built.

A line ``<!-- commands: PROGRAM -->`` of a page stands for a section on each command of that
program: what it does, its arguments and options with their defaults, its examples.
"""

from __future__ import annotations

import enum
import importlib
import inspect
import re
import typing
from typing import Any

import typer

#: module with the application of each program
PROGRAMS = {
    "ddk": "ddk.cli.root",
    "ddk-device": "devicephys.cli.commands",
    "ddk-compact": "compact.cli.commands",
    "ddk-network": "ddk.cli.commands",
}
MARK = re.compile(r"^<!-- commands: (?P<program>[\w-]+) -->$", re.MULTILINE)
_OF_OTHERS = ("device", "compact", "network", "lab", "pipeline")  # of `ddk`, shown there


def commands_of(program: str) -> dict[str, Any]:
    """The commands of a program that are its own, by name, in the order of its help."""
    group: Any = typer.main.get_command(importlib.import_module(PROGRAMS[program]).app)
    names = group.list_commands(None)
    own = [name for name in names if program != "ddk" or name not in _OF_OTHERS]
    return {name: group.commands[name] for name in own}


def reference(program: str) -> str:
    """Markdown with a section for each command of a program."""
    commands = commands_of(program)
    lines = [f"| `{program}` | |", "|---|---|"]
    for name, command in commands.items():
        anchor = f"{program} {name}".replace(" ", "-")
        lines.append(f"| [`{name}`](#{anchor}) | {_cell(_paragraphs(command.help)[0])} |")
    text = "\n".join(lines) + "\n"
    return text + "".join(_section(program, name, c) for name, c in commands.items())


def _section(program: str, name: str, command: Any) -> str:
    words = _choices(command)
    arguments = [p for p in command.params if not _is_option(p)]
    options = [p for p in command.params if _is_option(p)]
    usage = " ".join(
        [
            f"{program} {name}",
            *(f"{_metavar(p, words)}" for p in arguments),
            *(f"{p.opts[0]} {_metavar(p, words)}" for p in options if p.required),
            "[options]",
        ]
    )
    parts = [f"### {program} {name}", *map(_escaped, _paragraphs(command.help))]
    parts.append(f"```text\n{usage}\n```")
    rows = [f"| `{_cell(_metavar(p, words))}` | {_cell(p.help or '')} | |" for p in arguments]
    for option in options:
        names = ", ".join(f"`{text}`" for text in (*option.opts, *option.secondary_opts))
        value = "" if _is_flag(option) else f" `{_cell(_metavar(option, words))}`"
        rows.append(f"| {names}{value} | {_cell(option.help or '')} | {_default(option)} |")
    if rows:
        parts.append(
            "\n".join(["| argument or option | what it is | default |", "|---|---|---|", *rows])
        )
    examples = [line.strip() for line in (command.epilog or "").splitlines()[1:]]
    if examples:
        parts.append("```sh\n" + "\n".join(examples) + "\n```")
    return "\n" + "\n\n".join(parts) + "\n"


def _is_option(parameter: Any) -> bool:
    return any(text.startswith("-") for text in parameter.opts)


def _is_flag(option: Any) -> bool:
    return bool(getattr(option, "is_flag", False))


def _metavar(parameter: Any, choices: dict[str, list[str]]) -> str:
    listed = choices.get(parameter.name)
    return "|".join(listed) if listed else str(parameter.metavar or parameter.name.upper())


def _choices(command: Any) -> dict[str, list[str]]:
    """The words that each parameter of a command takes, from the signature of its function."""
    found: dict[str, list[str]] = {}
    for parameter in inspect.signature(command.callback).parameters.values():
        for kind in _plain_types(parameter.annotation):
            if isinstance(kind, type) and issubclass(kind, enum.Enum):
                found[parameter.name] = [str(choice.value) for choice in kind]
            elif isinstance(kind, str):  # a word of a Literal
                found.setdefault(parameter.name, []).append(kind)
    return found


def _plain_types(annotation: Any) -> list[Any]:
    if typing.get_origin(annotation) is typing.Annotated:
        return _plain_types(typing.get_args(annotation)[0])
    inner = typing.get_args(annotation)
    return [kind for one in inner for kind in _plain_types(one)] if inner else [annotation]


def _default(option: Any) -> str:
    if option.required:
        return "required"
    value = option.default
    value = value.value if isinstance(value, enum.Enum) else value
    if _is_flag(option) or value is None or value in ((), []) or callable(value):
        return ""
    return f"`{_cell(str(value))}`"


def _paragraphs(text: str | None) -> list[str]:
    return [" ".join(part.split()) for part in (text or "").split("\n\n")]


def _escaped(text: str) -> str:
    """A text of the command line, so that Markdown shows it as it stands."""
    return re.sub(r"([\\`*_<>\[\]$|])", r"\\\1", text)


def _cell(text: str) -> str:
    """The same in a cell of a table; in a span of code a bar alone is escaped."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def _source_read(app: Any, name: str, source: list[str]) -> None:
    source[0] = MARK.sub(lambda match: reference(match["program"]), source[0])


def setup(app: Any) -> dict[str, bool]:
    app.connect("source-read", _source_read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
