"""Pages that list things list them all: commands, messages, pictures, cells of the library."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
import typer

from devicephys.device import list_devices
from tests.docs_pages import DOCS, ROOT

PACKAGES = ("ddkbase", "devicephys", "compact", "network", "ddk")


def extension() -> ModuleType:
    spec = importlib.util.spec_from_file_location("commands", DOCS / "_ext" / "commands.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


COMMANDS = extension()


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def test_the_page_of_commands_has_every_program() -> None:
    programs = re.findall(r'^(ddk[\w-]*) = "', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert sorted(COMMANDS.PROGRAMS) == sorted(programs)
    marks = [match["program"] for match in COMMANDS.MARK.finditer(page("commands.md"))]
    assert sorted(marks) == sorted(programs)


@pytest.mark.parametrize("program", ["ddk", "ddk-device", "ddk-compact", "ddk-network"])
def test_no_command_and_no_option_is_missing(program: str) -> None:
    module = importlib.import_module(COMMANDS.PROGRAMS[program])
    group = typer.main.get_command(module.app)
    text = COMMANDS.reference(program)
    sections = dict(re.findall(rf"^### {program} (\S+)\n(.*?)(?=^### |\Z)", text, re.M | re.S))
    own = set(group.commands)  # type: ignore[attr-defined]
    if program == "ddk":
        shown = COMMANDS.commands_of("ddk-network")
        assert {"lab", "pipeline"} <= set(shown)
        own -= {"device", "compact", "network", "lab", "pipeline"}
    assert set(sections) == own
    for name, section in sections.items():
        command = group.commands[name]  # type: ignore[attr-defined]
        assert command.help.split("\n")[0].split()[0] in section
        for parameter in command.params:
            for option in (text for text in parameter.opts if text.startswith("-")):
                assert f"`{option}`" in section, f"{program} {name}: {option}"
        if command.epilog:
            assert command.epilog.splitlines()[-1].strip() in section


def test_the_reference_names_choices_and_defaults() -> None:
    text = COMMANDS.reference("ddk-device")
    assert r"| `--preset` `quick\|default\|fine` |" in text
    assert (
        "| `--device` `NAME\\|FILE` | Library device, or a YAML file. | `tin-taox-hfox-tin` |"
        in text
    )
    assert "ddk-device iv --out DIR [options]" in text


def templates() -> list[str]:
    """Every text in the code, "…" where a value stands."""
    found = []
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    parts = [
                        str(part.value) if isinstance(part, ast.Constant) else "…"
                        for part in node.values
                    ]
                    found.append("".join(parts))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.append(node.value)
    return found


def messages() -> list[str]:
    return re.findall(r"^\| `([^`]+)` \|", page("troubleshooting.md"), re.MULTILINE)


def test_every_message_that_is_explained_is_in_the_code() -> None:
    texts = templates()
    assert len(messages()) >= 20
    missing = [message for message in messages() if not any(message in text for text in texts)]
    assert missing == []


def test_a_message_that_is_not_in_the_code_is_noticed() -> None:
    texts = templates()
    assert not any("the flux capacitor is empty" in text for text in texts)
    assert any("unknown key '…'" in text for text in texts)


def test_every_picture_of_the_pages_is_in_the_gallery() -> None:
    text = page("gallery.md")
    pictures = {path.name for path in DOCS.glob("*.png")}
    shown = re.findall(r"^!\[[^\]]+\]\(([\w.]+)\)$", text, re.MULTILINE)
    assert sorted(shown) == sorted(pictures)
    sections = re.split(r"^### ", text, flags=re.MULTILINE)[1:]
    for section in sections:
        makers = "    ddk-" in section or "```" in section or "tests/benchmarks/" in section
        assert makers, f"{section.splitlines()[0]}: nothing says how it was made"


def test_the_programs_that_the_gallery_names_are_there() -> None:
    for path in re.findall(r"tests/benchmarks/\w+\.py", page("gallery.md")):
        assert (ROOT / Path(path)).is_file(), path


def test_every_cell_of_the_library_has_a_section() -> None:
    sections = re.findall(r"^## (\S+)$", page("library.md"), re.MULTILINE)
    assert sorted(sections) == sorted(list_devices())


def test_the_glossary_has_the_words_of_the_field() -> None:
    words = " ".join(re.findall(r"^\| ([^|]+) \|", page("glossary.md"), re.MULTILINE))
    for word in (
        *("SET", "RESET", "forming", "compliance", "1T1R", "LTP", "LTD", "ISPP", "Soret"),
        *("cycle-to-cycle", "device-to-device", "held out", "window", "pulse", "read"),
    ):
        assert word in words, word
