"""A folder that appears whole or not at all: filled under another name beside it, then renamed."""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ddkbase.errors import StorageError

__all__ = ["check_place", "place_of", "whole_folder"]

_ABANDONED = 600.0  # s after which a folder that a killed process left is swept away


def place_of(path: Path) -> Path:
    """Where the folder itself is: a link is followed, so that it stays a link."""
    return Path(os.path.realpath(path))


def check_place(path: Path) -> None:
    """Try, before the work is done, whether the folder can be made.

    Raises
    ------
    StorageError
        The folder above is missing or may not be written, the name is taken by a file, or too long.
    """
    place = place_of(path)
    if not place.parent.is_dir():
        raise StorageError("there is no such folder", str(place.parent))
    if place.exists() and not place.is_dir():
        raise StorageError("there is a file of that name, not a folder", str(path))
    probe = _beside(place)
    try:
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        raise StorageError(
            f"the folder cannot be written: {error.strerror or error}",
            str(path),
            "Choose a folder you may write to, and a shorter name if it is long",
        ) from error


@contextmanager
def whole_folder(path: Path, overwrite: bool = False) -> Iterator[Path]:
    """A new folder to fill, which takes its place when the block ends without an error.

    Parameters
    ----------
    path : Path
        Path of the folder; it may be there if it is empty.
    overwrite : bool, default False
        Replace what is there, which is taken away after that.

    Raises
    ------
    StorageError
        The disk is full, it cannot be written, or another process has filled the folder meanwhile.
        Nothing is left behind.
    """
    place = place_of(path)
    _sweep(place)
    scratch = _beside(place)
    try:
        scratch.mkdir()
        yield scratch
        _put(scratch, place, overwrite)
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise StorageError(
            f"the folder cannot be written: {error.strerror or error}",
            str(path),
            "Choose a folder you may write to, on a disk with room",
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _beside(place: Path) -> Path:
    return place.with_name(f".{place.name}.{secrets.token_hex(6)}.part")


def _put(scratch: Path, place: Path, overwrite: bool) -> None:
    try:
        scratch.rename(place)  # replaces an empty folder, and in one step no other
        return
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
    if not overwrite:
        raise StorageError(
            "another process has filled the folder meanwhile", str(place), "Use another name"
        )
    old = _beside(place)
    place.rename(old)
    try:
        scratch.rename(place)
    except OSError:
        old.rename(place)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _sweep(place: Path) -> None:
    """Remove what a killed process left under this name some time ago."""
    left = re.compile(rf"\.{re.escape(place.name)}\.[0-9a-f]{{12}}\.part")
    for folder in place.parent.iterdir():
        if left.fullmatch(folder.name) and time.time() - folder.stat().st_mtime > _ABANDONED:
            shutil.rmtree(folder, ignore_errors=True)
