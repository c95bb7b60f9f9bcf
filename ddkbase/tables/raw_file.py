"""Raw files of SPICE, of ngspice, LTspice and others: in ASCII or binary, one plot of real numbers.

LTspice writes its headings in UTF-16, all but the first variable in single precision unless it is
told otherwise, and on request each variable as a whole.
"""

from __future__ import annotations

from itertools import batched

import numpy as np

from ddkbase.errors import InputError
from ddkbase.tables.table import Column, FileOptions, Table

__all__ = ["BINARY", "raw_lines", "read_raw"]

Line = tuple[int, str]
BINARY = {b"Title:": b"\nBinary:", "Title:".encode("utf-16-le"): "\nBinary:".encode("utf-16-le")}
"""First bytes of binary raw files, and what stands before their numbers."""

_UNITS = {"voltage": "V", "current": "A", "device_current": "A", "time": "s"}
_TEXT = "Write a table with a row a time"


def raw_lines(lines: list[Line], texts: list[str], path: str) -> list[Line]:
    """The lines of a raw file in ASCII as those of a table, headings first.

    Raises InputError: complex numbers, several plots, numbers in binary, values that do not fill
    their rows.
    """
    _refuse(texts, path)
    if "Values:" not in texts:
        raise InputError("is a raw file of SPICE without values in ASCII", path, _ASCII)
    stop = texts.index("Values:")
    heads = _headings(texts[:stop])
    points = list(batched(lines[stop + 1 :], max(len(heads), 1)))
    rows = [
        (point[0][0], "\t".join(text.split()[-1] for _, text in point))
        for point in points
        if [len(text.split()) for _, text in point] == [2, *[1] * (len(heads) - 1)]
    ]
    if not heads or len(rows) != len(points):
        raise InputError("its values do not fill rows of its variables", path, _TEXT)
    return [(lines[0][0], "\t".join(heads)), *rows]


def read_raw(content: bytes, path: str, options: FileOptions) -> Table:
    """The variables of a binary raw file.

    Raises InputError: complex numbers, several plots, runs of a .step, a damaged file.
    """
    mark = next(mark for start, mark in BINARY.items() if content.startswith(start))
    coding = "utf-16-le" if b"\0" in mark else "utf-8"
    at = content.index(mark)
    texts = [line.strip() for line in content[:at].decode(coding, "replace").splitlines()]
    data = content[at + len(mark) :]
    end = "\n".encode(coding)
    data = data[data.find(end) + len(end) :]
    _refuse(texts, path)
    said = dict(text.lower().split(":", 1) for text in texts if ":" in text)
    flags = said.get("flags", "").split()
    if "stepped" in flags:
        what = "holds the runs of a .step of LTspice behind each other"
        raise InputError(what, path, "Run one value at a time")
    heads = _headings(texts)
    points = said.get("no. points", "").strip()
    count = int(points) if points.isdecimal() and len(points) < 10 else 0
    doubles = ["<f8"] * len(heads)
    singles = [*doubles[:1], *["<f4"] * (len(heads) - 1)]
    # files of old versions have no flag for the precision
    fits = [k for k in (doubles, singles) if count * sum(int(n[-1]) for n in k) == len(data)]
    if not heads or not count or not fits:
        if b"Plotname:" in data or "Plotname:".encode(coding) in data:
            raise InputError("holds several plots", path, _ASCII)
        raise InputError("its values do not fill rows of its variables", path, "Is it cut off?")
    kinds = fits[0]
    if "fastaccess" in flags:
        edges = np.cumsum([0, *(count * int(kind[-1]) for kind in kinds)])
        columns = [
            np.frombuffer(data, kind, count, start)
            for kind, start in zip(kinds, edges[:-1].tolist(), strict=True)
        ]
    else:
        rows = np.frombuffer(data, [(str(k), kind) for k, kind in enumerate(kinds)], count)
        columns = [rows[str(k)] for k in range(len(heads))]
    table = Table(path, [], range(1, count + 1), "point", False)
    for number, (head, values) in enumerate(zip(heads, columns, strict=True), start=1):
        name, _, unit = head.rpartition(" (")
        cells = values.astype(float)
        if unit == "s)":
            cells = np.abs(cells)  # a sign marks points that LTspice may draw as a curve
        table.columns.append(Column(name, unit[:-1], cells, number, head))
    return table


_ASCII = f"{_TEXT}, e.g. with wrdata, or set filetype=ascii"


def _headings(texts: list[str]) -> list[str]:
    """Names and units of the variables that the lines of a header declare."""
    if "Variables:" not in texts:
        return []
    declared = [text.split() for text in texts[texts.index("Variables:") + 1 :]]
    return [f"{w[1]} ({_UNITS.get(w[-1], '1')})" for w in declared if len(w) > 2]


def _refuse(texts: list[str], path: str) -> None:
    flags = next((t for t in texts if t.startswith("Flags:")), "")
    if "complex" in flags or texts.count("Variables:") > 1:
        what = "holds complex numbers" if "complex" in flags else "holds several plots"
        raise InputError(what, path, _ASCII)
