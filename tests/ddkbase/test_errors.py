"""The family of errors: one line each, exit codes, survival of process borders."""

from __future__ import annotations

import pickle

import pytest

from ddkbase.cli.application import message_and_code
from ddkbase.errors import (
    DDKError,
    InputError,
    InstallationError,
    Interrupted,
    SolverError,
    StorageError,
    closest,
    cut,
    shorten,
)

FAMILY = [DDKError, InputError, SolverError, StorageError, InstallationError, Interrupted]


@pytest.mark.parametrize("kind", FAMILY)
def test_prints_what_where_and_hint_as_one_line(kind: type[DDKError]) -> None:
    error = kind("it\nbroke.", "line 3", "Mend it")
    assert str(error) == "it broke (line 3). Mend it"
    assert str(kind("it broke")) == "it broke"
    assert (error.what, error.where, error.hint) == ("it broke.", "line 3", "Mend it")


@pytest.mark.parametrize("kind", FAMILY)
def test_survives_pickling(kind: type[DDKError]) -> None:
    copy = pickle.loads(pickle.dumps(kind("it broke", "line 3", "Mend it")))
    assert type(copy) is kind
    assert str(copy) == "it broke (line 3). Mend it"


@pytest.mark.parametrize(
    ("kind", "builtin", "exit_code"),
    [
        (InputError, ValueError, 2),
        (InstallationError, ImportError, 2),
        (SolverError, RuntimeError, 3),
        (StorageError, OSError, 4),
        (Interrupted, Exception, 130),
    ],
)
def test_exit_codes_and_builtin_kinds(
    kind: type[DDKError], builtin: type[Exception], exit_code: int
) -> None:
    assert issubclass(kind, builtin)
    assert kind.exit_code == exit_code


def test_solver_error_carries_diagnosis_through_pickling() -> None:
    error = SolverError("gave up", diagnosis={"field": "temperature"})
    assert pickle.loads(pickle.dumps(error)).diagnosis == {"field": "temperature"}
    assert SolverError("gave up").partial is None


@pytest.mark.parametrize("kind", FAMILY)
def test_long_names_are_cut_and_what_is_said_of_them_is_not(kind: type[DDKError]) -> None:
    error = kind(f"the column '{'a' * 10**6}' is empty", "b" * 5000, f"Take '{'c' * 5000}' away")
    assert len(str(error)) < 2000
    assert error.what.startswith("the column 'aaa") and error.what.endswith("aaa' is empty")
    assert " ... " in error.where and error.hint.endswith("' away")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    message = "x" * 600
    assert kind(message, message, message).what == message  # what is not too long stays


def test_a_text_that_is_not_too_long_is_not_cut() -> None:
    assert cut("a" * 30, 30) == "a" * 30
    assert cut("a" * 20 + "b" * 20, 29) == "a" * 12 + " ... " + "b" * 12


def test_closest_names_one_word_or_lists_all() -> None:
    assert closest("radus", ["radius", "height"]) == "Did you mean 'radius'?"
    assert closest("xyz", ["radius", "height"]) == "Known: height, radius"
    assert closest("xyz", []) == ""


def test_shorten_is_repr_cut_with_bounded_work() -> None:
    assert shorten("5 nm") == "'5 nm'"
    assert shorten([1, "a"]) == "[1, 'a']"
    bomb: list[object] = []
    for _ in range(12):
        bomb = [bomb] * 10
    for huge in (bomb, "x" * 10**8, dict.fromkeys(range(100), bomb), 10**6000, [10**6000]):
        text = shorten(huge)
        assert len(text) <= 60
    assert shorten("x" * 100).startswith("'xxx")
    assert shorten("x" * 100).endswith("...")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DDKError("x"), 1),
        (InputError("x"), 2),
        (SolverError("x"), 3),
        (StorageError("x"), 4),
        (InstallationError("x"), 2),
        (Interrupted("x"), 130),
        (KeyboardInterrupt(), 130),
        (MemoryError(), 1),
        (PermissionError(13, "Permission denied", "/x"), 4),
        (OSError(40, "Too many levels of symbolic links", "/x"), 4),
        (ZeroDivisionError("x"), 1),
    ],
)
def test_every_family_of_errors_has_its_exit_code(error: BaseException, code: int) -> None:
    message, found = message_and_code(error, "test")
    assert found == code and message and "\n" not in message
