"""Files on the ground floor: what is swept, counted in a checksum, read up to a limit, deferred."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import h5py
import numpy as np
import pytest

from ddkbase.errors import StorageError
from ddkbase.files import checksum, deferred, read_bytes, sweep, temporary_path
from ddkbase.folders import claimed, new_folder
from ddkbase.records import check_hdf5


def test_what_a_writer_may_still_be_at_work_on_is_left(tmp_path: Path) -> None:
    young, old, of_another = (temporary_path(tmp_path / name) for name in ("a", "a", "b"))
    for path in (young, old, of_another):
        path.mkdir()
        (path / "part").touch()
    (tmp_path / "a").touch()
    then = young.stat().st_mtime - 1000.0
    os.utime(old, (then, then))
    os.utime(of_another, (then, then))
    sweep(tmp_path, "a", age=500.0)
    assert {p.name for p in tmp_path.iterdir()} == {"a", young.name, of_another.name}
    sweep(tmp_path)  # without an age, and of anything
    assert os.listdir(tmp_path) == ["a"]


def test_a_checksum_is_of_names_and_content_and_of_nothing_in_the_making(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "x").write_text("one")
    before = checksum(folder)
    (folder / ".x.lock").write_text("held")
    temporary_path(folder / "y").write_text("half")
    assert checksum(folder) == before
    (folder / "deep" / "x").rename(folder / "x")
    moved = checksum(folder)
    (folder / "x").write_text("two")
    assert len({before, moved, checksum(folder)}) == 3


def test_the_limit_is_the_last_byte_that_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x"
    monkeypatch.setenv("DDK_READ_LIMIT", "100")
    path.write_bytes(b"x" * 100)
    assert len(read_bytes(path)) == 100
    path.write_bytes(b"x" * 101)
    with pytest.raises(StorageError, match="larger than 100 bytes"):
        read_bytes(path)


def test_datasets_together_are_held_to_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        for k in range(3):
            file[f"group {k}/values"] = np.zeros(50)
    monkeypatch.setenv("DDK_READ_LIMIT", "1200")  # three times 400 bytes
    check_hdf5(path, "x")
    monkeypatch.setenv("DDK_READ_LIMIT", "1199")
    with pytest.raises(StorageError, match="larger than 1,199 bytes"):
        check_hdf5(path, "x")


def test_a_first_signal_waits_and_a_second_does_not() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), deferred():
        signal.raise_signal(signal.SIGINT)
        done.append("after the first")
    with pytest.raises(KeyboardInterrupt), deferred():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        done.append("after the second")
    assert done == ["after the first"]


def test_of_several_that_were_set_aside_the_latest_comes_back(tmp_path: Path) -> None:
    for k, (mark, time) in enumerate((("a" * 12, 2000.0), ("b" * 12, 3000.0), ("c" * 12, 1000.0))):
        aside = tmp_path / f".net.{mark}.old"
        aside.mkdir()
        (aside / "model").write_text(str(k))
        os.utime(aside, (time, time))
    with claimed(tmp_path / "net"):
        assert (tmp_path / "net" / "model").read_text() == "1"
    assert os.listdir(tmp_path) == ["net"]  # and no lock stays


def test_a_folder_that_cannot_be_put_in_place_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "net"
    target.mkdir()
    (target / "model").write_text("old")
    real, calls = Path.rename, []

    def rename(self: Path, to: Path) -> Path:
        calls.append(self.name)
        if len(calls) == 3:  # not empty; the old one aside; then the new one into its place
            raise OSError(5, "the disk fails")
        return real(self, to)

    monkeypatch.setattr(Path, "rename", rename)
    with (
        pytest.raises(StorageError, match="the disk fails"),
        new_folder(target, overwrite=True) as scratch,
    ):
        (scratch / "model").write_text("new")
    assert (target / "model").read_text() == "old"
    assert os.listdir(tmp_path) == ["net"]
