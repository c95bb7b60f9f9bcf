"""The pages of the documentation as the tests see them: blocks, commands, headings, links."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = (ROOT / "README.md", *sorted(DOCS.glob("*.md")))

#: stands before a block that the tests do not run
NOT_RUN = re.compile(r"<!-- not run: *(?P<reason>.*?) *-->")
_FENCE = re.compile(r"(?P<fence>`{3,}|~{3,}|:{3,})(?P<language>[^`]*)")
_COMMAND = re.compile(r"(?:[A-Z_]+=\S+ +)*(?P<line>ddk-(?:device|compact|network)\b.*)")
_LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\((?P<target>[^()\s]+(?:\([^()\s]*\))?)\)")
_INCLUDE = re.compile(r"```\{include\} (?P<path>\S+)")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its first line in the page (from 1), its lines."""

    language: str
    line: int
    lines: tuple[str, ...]
    not_run: str | None

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"


def blocks(text: str) -> list[Block]:
    """All fenced blocks of a page."""
    found: list[Block] = []
    language, fence, start = "", "", 0
    held: list[str] = []
    reason: str | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if fence:
            if line.strip() == fence:
                found.append(Block(language, start, tuple(held), reason))
                fence, reason = "", None
            else:
                held.append(line)
        elif match := _FENCE.match(line):
            fence, language = match["fence"], match["language"].strip()
            start, held = number + 1, []
        elif match := NOT_RUN.search(line):
            reason = match["reason"]
        elif line.strip():
            reason = None
    assert not fence, f"the block of line {start - 1} does not end"
    return found


def prose(text: str) -> str:
    """A page without its fenced blocks and its code spans."""
    lines = text.splitlines()
    for block in blocks(text):
        for number in range(block.line - 2, block.line + len(block.lines)):
            lines[number] = ""
    return re.sub(r"`[^`\n]*`", "``", "\n".join(lines))


def commands(text: str) -> list[tuple[int, str]]:
    """Every line of a listing that calls ddk-..., with its number; continued lines are joined."""
    found = []
    lines = text.splitlines()
    listed = {
        block.line + i
        for block in blocks(text)
        if block.language in ("", "sh", "bash", "console", "text")
        for i in range(len(block.lines))
    }
    for number, line in enumerate(lines, 1):
        if not (line.startswith("    ") or number in listed):
            continue
        whole, following = line.strip(), number
        while whole.endswith("\\"):
            whole = whole[:-1] + lines[following].strip()
            following += 1
        if match := _COMMAND.match(whole.removeprefix("$ ")):
            found.append((number, match["line"]))
    return found


def slug(heading: str) -> str:
    """The anchor that GitHub and MyST give a heading."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").replace("*", "")
    return re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    """Anchors of a page: its headings, those of the pages it includes, its own labels."""
    text = page.read_text(encoding="utf-8")
    found = set(re.findall(r"^\(([\w-]+)\)=$", text, re.MULTILINE))
    for heading in re.findall(r"^#{1,6} +(.+?) *$", prose(text), re.MULTILINE):
        found.add(slug(heading))
    # code spans are part of a heading, and `prose` takes them out
    for heading in re.findall(r"^#{1,6} +(.*`.*)$", text, re.MULTILINE):
        found.add(slug(heading))
    for match in _INCLUDE.finditer(text):
        found |= anchors((page.parent / match["path"]).resolve())
    return found


def links(page: Path) -> list[str]:
    """Targets of the links and pictures of a page."""
    text = prose(page.read_text(encoding="utf-8"))
    return [match["target"] for match in _LINK.finditer(text)]
