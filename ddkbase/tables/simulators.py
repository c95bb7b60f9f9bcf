"""Texts of simulators: raw files of SPICE, DF-ISE, and the units that SPICE leaves out.

SPICE and its relatives write volts, amperes and seconds without saying so; what stands in brackets
behind ``v`` or ``i`` is a node or a device there, and no unit.
"""

from __future__ import annotations

import re
from itertools import batched

from ddkbase.errors import InputError
from ddkbase.tables.table import Table, looks_numeric
from ddkbase.tables.units import is_relative, is_unit

__all__ = ["simulated_lines", "spice_units"]

Line = tuple[int, str]
_KINDS = {"voltage": "V", "current": "A", "time": "s"}
_PROBE = re.compile(r"(?P<letter>[vi])[a-z]?\((?P<of>[^()]+)\)", re.IGNORECASE)
_STEPPED = 5  # lines within which the first run of a .step is named
_TEXT = "Write a table with a row a time"


def simulated_lines(lines: list[Line], path: str) -> list[Line]:
    """The lines of one table, headings first, of a raw file of SPICE or a DF-ISE text.

    Others are as they were.

    Raises
    ------
    InputError
        Numbers that are binary or complex, several plots, runs of a .step, values that do not fill
        their rows.
    """
    texts = [text.strip() for _, text in lines]
    if texts[0].startswith("Title:") and "Variables:" in texts:
        return _of_raw(lines, texts, path)
    if texts[0].startswith("DF-ISE"):
        return _of_ise(lines, texts, path)
    for number, text in lines[:_STEPPED]:
        if text.startswith("Step Information:"):
            raise InputError(
                "holds the runs of a .step of LTspice below each other",
                f"{path}, line {number}",
                "Export one run at a time, or take its lines into a file of its own",
            )
    return lines


def spice_units(table: Table) -> None:
    """Give columns such as "V(out)" and "I(R1)", and the time beside them, the units of SPICE."""
    probes = {c.number: _PROBE.fullmatch(c.heading.strip()) for c in table.columns}
    nodes = [m["of"].strip() for m in probes.values() if m is not None]
    if not any(not (looks_numeric(n) or is_relative(n) or is_unit(n)) for n in nodes):
        return
    for column in table.columns:
        probe = probes[column.number]
        if probe is not None:
            column.name, column.unit = column.heading, "VA"[probe["letter"] in "iI"]
        elif column.heading.strip().lower() == "time":
            column.unit = "s"
    table.assume("headings as of SPICE: V(...) taken as volts, I(...) as amperes, time as seconds")


def _of_raw(lines: list[Line], texts: list[str], path: str) -> list[Line]:
    flags = next((t for t in texts if t.startswith("Flags:")), "")
    if "complex" in flags or texts.count("Variables:") > 1 or "Values:" not in texts:
        what = "holds complex numbers" if "complex" in flags else "holds several plots"
        what = what if "Values:" in texts else "is a raw file of SPICE without values in ASCII"
        raise InputError(what, path, f"{_TEXT}, e.g. with wrdata, or set filetype=ascii")
    start, stop = texts.index("Variables:") + 1, texts.index("Values:")
    declared = [text.split() for text in texts[start:stop]]
    heads = [f"{words[1]} ({_KINDS.get(words[-1], '1')})" for words in declared if len(words) > 2]
    numbered = [(number, text) for number, text in lines[stop + 1 :]]
    points = list(batched(numbered, max(len(heads), 1)))
    rows = [
        (point[0][0], "\t".join(text.split()[-1] for _, text in point))
        for point in points
        if [len(text.split()) for _, text in point] == [2, *[1] * (len(heads) - 1)]
    ]
    if not heads or len(rows) != len(points):
        raise InputError("its values do not fill rows of its variables", path, _TEXT)
    return [(lines[0][0], "\t".join(heads)), *rows]


def _of_ise(lines: list[Line], texts: list[str], path: str) -> list[Line]:
    heads = re.findall(r'"([^"]*)"', " ".join(texts).partition("datasets")[2].partition("]")[0])
    start = next((k for k, text in enumerate(texts) if re.fullmatch(r"Data\s*\{", text)), None)
    if not heads or start is None:
        raise InputError("is a DF-ISE text, but no plot with its values", path, _TEXT)
    cells = [
        (number, word)
        for (number, _), text in zip(lines[start + 1 :], texts[start + 1 :], strict=True)
        for word in text.strip("}").split()
    ]
    rows = list(batched(cells, len(heads)))
    if not rows or len(rows[-1]) < len(heads):
        raise InputError("its values do not fill rows of its datasets", path, _TEXT)
    return [
        (lines[0][0], "\t".join(heads)),
        *((row[0][0], "\t".join(word for _, word in row)) for row in rows),
    ]
