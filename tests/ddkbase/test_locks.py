"""Locks: what happens between opening a file and locking it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ddkbase.errors import StorageError
from ddkbase.folders import claimed, lock, new_folder

BUSY = StorageError("busy")


def before_the_first_lock(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> list[int]:
    """Call ``act`` between the first opening and its lock; the files locked are counted."""
    real, calls = fcntl.flock, []

    def flock(handle: int, how: int) -> None:
        calls.append(handle)
        if len(calls) == 1:
            act()
        real(handle, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    return calls


def test_a_file_that_was_removed_before_it_was_locked_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.lock"
    calls = before_the_first_lock(monkeypatch, path.unlink)
    with lock(path, BUSY, create=True) as held:
        assert len(calls) == 2 and held.real
        with pytest.raises(StorageError, match="busy"):  # what is locked is what stands there
            lock(path, BUSY, create=True)


def test_a_file_that_is_another_one_by_then_is_not_taken_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.lock"
    others: list[Any] = []

    def replaced() -> None:
        path.unlink()
        handle = os.open(path, os.O_RDWR | os.O_CREAT)
        monkeypatch.undo()
        fcntl.flock(handle, fcntl.LOCK_EX)
        others.append(handle)

    before_the_first_lock(monkeypatch, replaced)
    with pytest.raises(StorageError, match="busy"):
        lock(path, BUSY, create=True)
    os.close(others[0])


def test_without_create_a_removed_file_is_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.log"
    path.touch()
    before_the_first_lock(monkeypatch, path.unlink)
    with pytest.raises(StorageError, match="busy"):
        lock(path, BUSY)


def test_a_claim_puts_back_what_a_kill_left_aside(tmp_path: Path) -> None:
    aside = tmp_path / ".net.0123456789ab.old"
    aside.mkdir()
    (aside / "model").write_text("old")
    with claimed(tmp_path / "net"):
        assert (tmp_path / "net" / "model").read_text() == "old"
        with pytest.raises(StorageError, match="another process is at work"):
            claimed(tmp_path / "net").__enter__()
    aside.mkdir()  # the new one stands: the old one may go
    with new_folder(tmp_path / "net", overwrite=True) as scratch:
        (scratch / "model").write_text("new")
    assert (tmp_path / "net" / "model").read_text() == "new"
    assert os.listdir(tmp_path) == ["net"]
