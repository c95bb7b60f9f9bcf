"""Every public name says what it is, what it takes, what comes back and what can go wrong."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

from ddkbase.errors import InputError, StorageError
from tests.docstring_rules import PACKAGES, faults, public

#: public names that break a rule on purpose, and why
EXCEPTIONS: dict[str, str] = {}
#: names that need a package which is not part of every installation
NEEDED = {"DDKClassifier": "sklearn", "DDKTransformer": "sklearn", "AlphaBetaRegressor": "sklearn"}


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_are_documented(package: str) -> None:
    if importlib.util.find_spec("sklearn") is None:
        pytest.skip("scikit-learn is not installed; some public names are its estimators")
    found = [
        str(fault)
        for name, one, owner in public(package)
        if name not in EXCEPTIONS
        for fault in faults(name, one, owner)
    ]
    assert not found, "\n" + "\n".join(found)


def test_exceptions_are_needed() -> None:
    names = {name: (one, owner) for package in PACKAGES for name, one, owner in public(package)}
    for name, reason in EXCEPTIONS.items():
        assert len(reason) > 10
        assert faults(name, *names[name]), f"{name} no longer breaks a rule"


def test_there_is_much_to_check() -> None:
    assert sum(1 for package in PACKAGES for _ in public(package)) > 150


def wrong_summary() -> int:
    """A number of things"""
    return 1


def silent_argument(path: str, count: int) -> str:
    """Text of the file at ``path``."""
    return path * count


def argument_without_text(path: str, *, count: int) -> None:
    """Print a text several times.

    Parameters
    ----------
    path : str
        Where the text is.
    count : int
    """
    print(path * count)


def silent_return(path: str) -> str:
    """Read the file at ``path``."""
    return path


def silent_error(path: str) -> None:
    """Check ``path``."""
    raise InputError("it is empty", path)


def half_silent_error(path: str) -> None:
    """Check a file.

    Parameters
    ----------
    path : str
        Where the file is.

    Raises
    ------
    InputError
        The name is empty.
    """
    if not path:
        raise InputError("the name is empty", path)
    raise StorageError("there is no such file", path)


def good(path: str, *, count: int = 1) -> str:
    """Read a file several times.

    Parameters
    ----------
    path : str
        Which file.
    count : int, default 1
        How often.

    Returns
    -------
    str
        Its text.

    Raises
    ------
    StorageError
        There is no such file.
    """
    if not count:
        raise StorageError("there is no such file", path)
    return path


@pytest.mark.parametrize(
    ("function", "complaint"),
    [
        (wrong_summary, "does not end with a full stop"),
        (silent_argument, "does not say what count is"),
        (argument_without_text, "does not say what count is"),
        (silent_return, "does not say what it returns"),
        (silent_error, "does not say that it raises InputError"),
        (half_silent_error, "does not say that it raises StorageError"),
        (good, None),
    ],
)
def test_the_checker_sees_what_is_missing(function: Any, complaint: str | None) -> None:
    found = [fault.what for fault in faults(function.__name__, function)]
    assert len(found) == (complaint is not None)
    assert complaint is None or complaint in found[0]
