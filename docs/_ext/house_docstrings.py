"""The house style of docstrings as the pages show it.

Docstrings of this project are plain text with numpydoc's sections. Three things differ from what
Sphinx expects:

* A parameter stands on one line, ``alpha, beta : diffusion and drift``, where numpydoc would have
  the type behind the colon and the text below. Types come from the annotations, so the text
  behind the colon is the description: it moves to a line of its own.
* An indented paragraph is a formula or a listing: it is set as it stands.
* ``*``, ``|`` and a trailing ``_`` are what they are, not markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_SECTIONS = ("Parameters", "Attributes", "Raises")
_ENTRY = re.compile(r"(?P<names>[*\w]+(?:_\*)?(?:, [*\w]+)*) : (?P<text>.+)")
_RULE = re.compile(r"-{3,}")
_CODE = re.compile(r"(`+[^`]+`+)")
_MARKUP = re.compile(r"[*|]|(?<=\w)_(?!\w)")


def rendered(lines: list[str]) -> list[str]:
    """Lines of a docstring in the markup that Sphinx reads."""
    return list(_escaped(_listings(_entries(lines))))


def _entries(lines: list[str]) -> Iterator[str]:
    section = ""
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        if number < len(lines) and _RULE.fullmatch(lines[number].strip()):
            section = line.strip() if line.strip() in _SECTIONS else ""
        elif section and line.strip() and not line.startswith(" ") and not _RULE.fullmatch(line):
            entry = _ENTRY.fullmatch(line)
            if entry is not None:
                text = [f"    {entry['text']}"]
                while number < len(lines) and lines[number].startswith("    "):
                    text.append(lines[number])
                    number += 1
                # attributes that are described together: napoleon takes one name an entry
                names = entry["names"].split(", ") if section == "Attributes" else [entry["names"]]
                for name in names:
                    yield from (name, *text)
                continue
            section = ""  # a sentence for itself ends the list
        yield line


def _listings(lines: Iterator[str]) -> Iterator[str]:
    before, listing, section = "", False, False
    for line in lines:
        section = section or bool(_RULE.fullmatch(line.strip()))
        indented = line.startswith("    ")
        if not section and indented and not before.strip() and not listing:
            listing = True
            yield ".. code-block:: text"
            yield ""
        elif line.strip() and not indented:
            listing = False
        yield line
        before = line


def _escaped(lines: Iterator[str]) -> Iterator[str]:
    table = listing = False
    for line in lines:
        if line.startswith("=="):
            table = True
        elif not line.strip():
            table = False
        if line.startswith(".. code-block::"):
            listing = True
        elif line.strip() and not line.startswith(" "):
            listing = False
        if table or listing or line.lstrip().startswith((">>>", "...", "* ")):
            yield _bullet(line) if line.startswith("* ") else line
        else:
            yield _plain(line)


def _bullet(line: str) -> str:
    return "* " + _plain(line[2:])


def _plain(line: str) -> str:
    parts = _CODE.split(line)
    return "".join(p if p.startswith("`") else _MARKUP.sub(r"\\\g<0>", p) for p in parts)


def _process(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    lines[:] = rendered(lines)


def setup(app: Any) -> dict[str, bool]:
    from sphinx.ext import autosummary

    # a summary such as "The kinetics of the article, its Eqs. (3) and (4)." does not end at "Eqs."
    autosummary.WELL_KNOWN_ABBREVIATIONS += ("Eq.", "Eqs.", "Fig.", "Figs.", "Commun.")
    # before napoleon, which listens with the default priority of 500
    app.connect("autodoc-process-docstring", _process, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
