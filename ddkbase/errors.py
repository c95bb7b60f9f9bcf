"""One family of errors: what happened, where, and what to try.

Every error that a person can meet prints as one line, and carries the exit code with which a
command line ends on it.
"""

from __future__ import annotations

import difflib
import os
import reprlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unicodedata import category

if TYPE_CHECKING:
    import xarray as xr


class DDKError(Exception):
    """Base of all errors of this toolkit.

    Parameters
    ----------
    what : str
        What happened, in words that need no knowledge of the code.
    where : str, default ""
        The key, file, field or instant concerned; may be empty.
    hint : str, default ""
        What to do about it; may be empty.

    Notes
    -----
    ``str()`` gives one line, ``what (where). hint``, whatever line breaks the parts contain. Of a
    part that is longer than 600 characters the middle is left out.
    """

    exit_code = 1

    def __init__(self, what: str, where: str = "", hint: str = "") -> None:
        self.what, self.where, self.hint = (cut(one_line(t)) for t in (what, where, hint))
        # OSError and ImportError would give these arguments a meaning of their own, so they get
        # none; args holds all three, with which pickle builds the error anew.
        super().__init__()
        self.args = (self.what, self.where, self.hint)

    def __str__(self) -> str:
        text = self.what.rstrip(".")
        if self.where:
            text += f" ({self.where})"
        if self.hint:
            text += f". {self.hint}"
        return text


class InputError(DDKError, ValueError):
    """What was asked for makes no sense: a wrong unit, an unknown key, an impossible geometry."""

    exit_code = 2


class SolverError(DDKError, RuntimeError):
    """The solver gave up.

    Parameters
    ----------
    what : str
        As for `DDKError`.
    where, hint : str, default ""
        As for `DDKError`.
    partial : xarray.Dataset or None, optional
        The dataset computed up to the last good state, or None.
    diagnosis : dict or None, optional
        Which field failed, where and when; free-form, for the log.
    """

    exit_code = 3

    def __init__(
        self,
        what: str,
        where: str = "",
        hint: str = "",
        *,
        partial: xr.Dataset | None = None,
        diagnosis: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(what, where, hint)
        self.partial = partial
        self.diagnosis: dict[str, Any] = dict(diagnosis or {})


class StorageError(DDKError, OSError):
    """A file could not be read or written, or does not hold what its schema promises."""

    exit_code = 4


class InstallationError(DDKError, ImportError):
    """The finite-element stack or the C compiler that it needs is missing."""

    exit_code = 2


class Interrupted(DDKError):
    """The user stopped a simulation.

    Parameters
    ----------
    what : str
        As for `DDKError`.
    where, hint : str, default ""
        As for `DDKError`.
    partial : xarray.Dataset or None, optional
        The dataset computed so far, or None.
    """

    exit_code = 130

    def __init__(
        self, what: str, where: str = "", hint: str = "", *, partial: xr.Dataset | None = None
    ) -> None:
        super().__init__(what, where, hint)
        self.partial = partial


def closest(word: str, known: Iterable[str]) -> str:
    """Hint that names the known word closest to `word`, or all known words if none is close."""
    words = sorted(known)
    matches = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    if matches:
        return f"Did you mean '{matches[0]}'?"
    if not words:
        return ""
    return "Known: " + ", ".join(words[:12]) + (", ..." if len(words) > 12 else "")


def similar_file(path: str | os.PathLike[str], otherwise: str = "") -> str:
    """Hint for a file or folder that is not there: the one beside it whose name is closest.

    Parameters
    ----------
    path : str or Path
        What was asked for.
    otherwise : str, default ""
        The hint where no name is close.
    """
    wanted = Path(path)
    if not wanted.parent.is_dir():
        return f"There is no folder '{wanted.parent}' either"
    try:
        there = os.listdir(wanted.parent)
    except OSError:  # a folder that may not be read
        return otherwise
    if wanted.name in there:
        return "It is a link that leads nowhere"
    found = difflib.get_close_matches(wanted.name, there, n=1, cutoff=0.75)
    return f"Did you mean '{wanted.parent / found[0]}'?" if found else otherwise


def shorten(value: object, length: int = 60) -> str:
    """`repr` of a value for an error message, cut to `length` characters.

    The work is bounded however large or nested the value is.
    """
    text = repr(value[: length + 1]) if isinstance(value, str) else _REPR.repr(value)
    return text if len(text) <= length else text[: length - 3] + "..."


def cut(text: str, length: int = 600) -> str:
    """The text, without its middle where it is longer than `length` characters.

    Names in a stranger's file may be as long as the file. What a message says of them stands before
    and after.

    >>> cut("the column 'aaaaaaaaaaaaaaaaaaaa' is empty", 31)
    "the column 'a ... aaa' is empty"
    """
    if len(text) <= length:
        return text
    half = (length - 5) // 2
    return f"{text[:half]} ... {text[-half:]}"


class _BoundedRepr(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxstring, self.maxother, self.maxlong = 4, 80, 200, 80

    def repr_int(self, x: int, level: int) -> str:
        # Python refuses to write out integers of thousands of digits.
        return repr(x) if x.bit_length() < 1000 else f"<integer of {x.bit_length()} bits>"


_REPR = _BoundedRepr()


def first_line(exc: BaseException) -> str:
    """First line of what an exception of another library says; its class if it says nothing."""
    text = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
    return text.splitlines()[0] if text else type(exc).__name__


def one_line(text: str) -> str:
    """The text with every run of white space made one space, and nothing that steers a terminal."""
    return visible(" ".join(str(text).split()))


def visible(text: str) -> str:
    r"""Return a text with what steers a terminal written out, line ends and tabs left.

    Names and texts of a stranger's file may hold escape sequences, marks that turn the direction of
    writing, or characters of no width: shown as they are they forge what a command says.

    >>> visible("a\x1b[2Jb\u202ec")
    'a\\x1b[2Jb\\u202ec'
    """
    if text.isprintable():
        return text
    return "".join(c if _is_shown(c) else c.encode("unicode_escape").decode() for c in text)


def _is_shown(character: str) -> bool:
    return character.isprintable() or character in "\n\t" or category(character) == "Zs"
