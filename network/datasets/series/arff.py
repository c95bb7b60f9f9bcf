"""Series in .arff files of the UCR and UEA archives: an attribute a step, the class last.

Series of several channels are one relational attribute, its channels parted by a backslash and n
within a quoted cell. Of the format (https://waikato.github.io/weka-wiki/formats_and_processing/arff_stable/)
no more is read: no texts, dates, weights or sparse rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ddkbase.errors import InputError, closest, shorten
from network.datasets.series.lines import numbered_lines, series_of
from network.datasets.series.samples import Series

__all__ = ["read_arff"]

_NUMERIC = ("numeric", "real", "integer")
_ATTRIBUTE = re.compile(r"(?P<quote>['\"]?)(?P<name>.+?)(?P=quote)\s+(?P<kind>\{.*\}|\S+)\s*")
_QUOTED = re.compile(r"""\s*(?:'([^']*)'|"([^"]*)"|([^,'"]+))\s*(?:,|$)""")
_HINT = "Attributes are numbers, the last one names the class: @attribute class {a,b}"


@dataclass
class _Attributes:
    """What the heading says: steps of a series, whether in channels, and the classes."""

    steps: int = 0
    inside: bool = False  # the lines of a relational attribute are being read
    relation: str = ""
    classes: list[str] = field(default_factory=list)


def read_arff(path: Path, encoding: str | None = None) -> Series:
    """The series of an .arff file.

    Parameters
    ----------
    path : Path
        The file.
    encoding : str or None, optional
        Its coding; default: UTF-8, or UTF-16 where it begins with the mark of that.

    Raises
    ------
    InputError
        What is not understood, with its line; a last attribute that is no class.
    """
    lines = numbered_lines(path, comments="%", encoding=encoding)
    attributes = _heading(lines, path)
    values, labels, places = [], [], []
    for number, line in lines:
        where = f"{path}, line {number}"
        if line.startswith("{"):
            raise InputError("sparse rows are not read", where)
        text, label = _parted(line)
        if label not in attributes.classes:
            hint = closest(label, attributes.classes)
            raise InputError(f"{shorten(label)} is no class of the heading", where, hint)
        values.append(_sample(text.strip(), attributes, where))
        if values[-1].shape[0] != values[0].shape[0]:
            raise InputError(
                f"has {values[-1].shape[0]} channels, the first {values[0].shape[0]}", where
            )
        labels.append(label)
        places.append(f"line {number}")
    return Series(str(path), values, labels, places, tuple(attributes.classes))


def _words(text: str) -> list[str]:
    """What stands between commas, without quotation marks, within which a comma is a sign."""
    if "'" not in text and '"' not in text:
        return [word.strip() for word in text.split(",")]
    return [a or b or c.strip() for a, b, c in _QUOTED.findall(text)]


def _parted(line: str) -> tuple[str, str]:
    """The values of a row, and its class without quotation marks."""
    text, _, label = line.rpartition(",")
    if line[-1] in "'\"":
        before, quote, inside = line[:-1].rpartition(line[-1])
        if quote and before.rstrip().endswith(","):
            return before.rstrip()[:-1], inside
    return text, label.strip().strip("'\"")


def _heading(lines: Iterator[tuple[int, str]], path: Path) -> _Attributes:
    """The attributes, read up to the line @data."""
    attributes = _Attributes()
    for number, line in lines:
        where = f"{path}, line {number}"
        word, _, rest = line.partition(" ")
        if "\t" in word:
            word, _, rest = line.partition("\t")
        key = word.lower()
        if key == "@data":
            break
        if key == "@attribute":
            _add(attributes, rest.strip(), where)
        elif key == "@end" and attributes.inside:
            attributes.inside = False
        elif key != "@relation":
            raise InputError(f"{shorten(word)} is not expected", where, "It is no .arff file")
    else:
        raise InputError("holds no line @data", str(path), "It is no .arff file, or is cut off")
    if not attributes.classes or not attributes.steps:
        raise InputError("its last attribute names no classes", str(path), _HINT)
    return attributes


def _add(attributes: _Attributes, text: str, where: str) -> None:
    """Take an attribute in. InputError for one that is no step of a series and no class."""
    match = _ATTRIBUTE.fullmatch(text)
    if match is None:
        raise InputError(f"attribute {shorten(text)} is not understood", where, _HINT)
    name, kind = match["name"], match["kind"]
    if attributes.classes:
        raise InputError(f"attribute '{name}' stands behind that of the class", where, _HINT)
    if kind.startswith("{"):
        classes = _words(kind[1:-1])
        if len(set(classes)) < len(classes) or not all(classes):
            raise InputError(f"classes {shorten(kind)} are empty or stand twice", where)
        attributes.classes = classes
    elif kind.lower() == "relational" and not attributes.steps and not attributes.inside:
        attributes.inside, attributes.relation = True, name
    elif kind.lower() in _NUMERIC and (attributes.inside or not attributes.relation):
        attributes.steps += 1
    else:
        raise InputError(f"attribute '{name}' is of kind {shorten(kind)}", where, _HINT)


def _sample(text: str, attributes: _Attributes, where: str) -> np.ndarray:
    """The channels of a row, (channels, steps)."""
    if attributes.relation:
        if len(text) < 2 or text[0] not in "'\"" or text[-1] != text[0]:
            raise InputError("the series is not in quotation marks", where)
        channels = text[1:-1].split("\\n")
    else:
        channels = [text]
    rows = [series_of(channel, where) for channel in channels]
    for k, row in enumerate(rows, start=1):
        if len(row) != attributes.steps:
            of = f"channel {k} " if len(rows) > 1 else ""
            raise InputError(
                f"{of}has {len(row)} values, the heading {attributes.steps} attributes", where
            )
    return np.stack(rows)
