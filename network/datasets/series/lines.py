"""Lines of a text file, unpacked on the way, and the numbers that stand in them."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ddkbase.errors import InputError, shorten
from ddkbase.files import too_large, unpacked_limit
from ddkbase.tables.codings import decoded
from network.datasets.files import LARGEST, TIMES_TEXT, open_bytes

__all__ = ["first_line", "numbered_lines", "series_of"]

#: bytes of one line, beyond which a file is no text of series
_LONGEST = 1 << 28
_MISSING = ("?", "nan")


def numbered_lines(
    path: Path, comments: str = "", encoding: str | None = None
) -> Iterator[tuple[int, str]]:
    """Lines that are not blank and no comment, stripped, with their numbers from 1.

    Parameters
    ----------
    path : Path
        A text file, or one packed by gzip.
    comments : str, default ""
        Signs with which a comment begins.
    encoding : str or None, optional
        Its coding; default: UTF-8, or UTF-16 where it begins with the mark of that.

    Yields
    ------
    number : int
        Number of the line.
    line : str
        Its text.

    Raises
    ------
    InputError
        Not text in this coding, or a line that is too long.
    StorageError
        It is larger than `network.datasets.files.LARGEST`, or unpacks to far more than it is.
    """
    limit = unpacked_limit(path.stat().st_size, LARGEST, TIMES_TEXT)
    with open_bytes(path) as file:
        head = file.read(len(codecs.BOM_UTF16))
        if encoding is not None or head in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            file.seek(0)
            content = file.read(limit + 1)
            if len(content) > limit:
                raise too_large(str(path), limit)
            # not line by line: in UTF-16 the byte of a line's end stands in other signs as well
            file = io.BytesIO(decoded(content, str(path), encoding, []).encode("utf-8"))
        file.seek(0)
        total = 0
        for number, content in enumerate(_raw(file), start=1):
            total += len(content)
            if total > limit:
                raise too_large(f"{path}, line {number}", limit)
            if len(content) > _LONGEST:
                raise InputError("is too large", f"{path}, line {number}")
            if number == 1:
                content = content.removeprefix(b"\xef\xbb\xbf")
            try:
                line = content.decode("utf-8").strip()
            except UnicodeDecodeError:
                raise InputError(
                    "is not text in UTF-8",
                    f"{path}, line {number}",
                    "Pass encoding='latin-1' or what it is, or save it as UTF-8",
                ) from None
            if "\0" in line:
                raise InputError("is not text", f"{path}, line {number}")
            if line and not (comments and line.startswith(tuple(comments))):
                yield number, line


def _raw(file: BinaryIO) -> Iterator[bytes]:
    while content := file.readline(_LONGEST + 1):
        yield content


def first_line(path: Path, encoding: str | None = None) -> str:
    """The first line that is not blank; empty where there is none."""
    return next((line for _, line in numbered_lines(path, encoding=encoding)), "")


def series_of(text: str, where: str, delimiter: str | None = ",") -> np.ndarray:
    """The numbers of a line, NaN for "?" and "NaN".

    Parameters
    ----------
    text : str
        The numbers and what parts them.
    where : str
        File and line, for errors.
    delimiter : str or None, default ","
        What parts them; None: blanks.

    Returns
    -------
    ndarray of float64, shape (values,)
        The numbers.

    Raises
    ------
    InputError
        Something else than a number, or one that is not finite.
    """
    cells = text.split(delimiter)
    try:
        values = np.array(cells, dtype=float)
        plain = "_" not in text  # which Python takes for a sign between digits
    except ValueError:
        plain = False
    if not plain:
        values = np.array([_number(cell, k, where) for k, cell in enumerate(cells, start=1)])
    if np.isinf(values).any():
        k = int(np.isinf(values).argmax())
        raise InputError(f"{shorten(cells[k].strip())} is not finite", f"{where}, value {k + 1}")
    return values


def _number(cell: str, number: int, where: str) -> float:
    text = cell.strip()
    if text.lower() in _MISSING:
        return float("nan")
    if not re.fullmatch(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", text):
        what = f"{shorten(text)} is no number" if text else "there is no number"
        raise InputError(what, f"{where}, value {number}", "A gap is written as '?' or NaN")
    return float(text)
