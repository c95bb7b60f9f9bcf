"""A folder of finished runs, one small JSON file each: killed and started again, it goes on.

``request.json`` says what the folder is for; a run is in ``runs/`` whole or not at all. One process
at a time works in the folder; the lock goes with the process however that ends.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from ddkbase.errors import StorageError, shorten, similar_file

__all__ = ["REQUEST", "RUNS", "ResultStore", "read_json", "write_json"]

REQUEST, RUNS = "request.json", "runs"

_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)
_KEY = re.compile(r"[a-z0-9][a-z0-9_.+-]*")
_LEFT_BEHIND = re.compile(r"\..+\.[0-9a-f]{12}\.part")  # a write that was killed


class ResultStore:
    """The folder of a comparison or a search; from `open`, then a context manager.

    Attributes
    ----------
    path : Path
        The folder.
    """

    def __init__(self, path: Path, lock: int | None, made: bool = False) -> None:
        self.path = path
        self._lock = lock
        self._made = made

    @classmethod
    def open(cls, path: str | os.PathLike[str], request: Mapping[str, Any]) -> Self:
        """Make the folder for ``request``, or go on in it if it was made for the same.

        Parameters
        ----------
        path : str or Path
            A folder that does not exist, is empty, or was made by this call before.
        request : mapping
            What is asked for, as JSON can hold it.

        Raises
        ------
        StorageError
            Something else is there, it was made for something else (the key is named), another
            process is at work, or the folder cannot be written.
        """
        path = Path(path)
        asked = json.loads(json.dumps(request))
        try:
            if not path.exists() and path.is_symlink():
                raise StorageError("is a link to nothing", str(path), "Choose another name")
            if path.exists() and not path.is_dir():
                raise StorageError("there is a file of that name, not a folder", str(path))
            made = not path.is_dir()
            there = not made and any(path.iterdir())
            if there:
                _same(path, asked)
            elif not path.absolute().parent.is_dir():
                raise StorageError("there is no such folder", str(path.absolute().parent))
            (path / RUNS).mkdir(parents=True, exist_ok=True)
            lock = _lock(path)
            if not (path / REQUEST).exists():
                write_json(asked, path / REQUEST)
            _sweep(path)
        except StorageError:
            raise
        except OSError as error:
            raise StorageError(
                f"the folder cannot be made or written: {error.strerror or error}",
                str(path),
                "Choose a folder you may write to",
            ) from error
        return cls(path, lock, made)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._made and not self.keys():
            self._unmake()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _unmake(self) -> None:
        """Take away a folder that was made for nothing: bad input, or stopped before a run."""
        with contextlib.suppress(OSError):
            if {p.name for p in self.path.iterdir()} - {RUNS, REQUEST}:
                return
            (self.path / RUNS).rmdir()
            (self.path / REQUEST).unlink(missing_ok=True)
            self.path.rmdir()

    def file(self, key: str) -> Path:
        """The file of a run. A key has lower-case letters, digits and -_.+ only."""
        if not _KEY.fullmatch(key):
            raise ValueError(f"not a key of a run: {key!r}")
        return self.path / RUNS / f"{key}.json"

    def get(self, key: str) -> dict[str, Any] | None:
        """A finished run, or None. Raises StorageError if its file is damaged."""
        path = self.file(key)
        if not path.exists():
            return None
        found = read_json(path, "Remove it; the run is then computed anew")
        if found.get("key") != key:
            raise StorageError(
                "it is the file of another run", str(path), "Remove it; it is then computed anew"
            )
        return found

    def keep(self, key: str, result: Mapping[str, Any]) -> Path:
        """Write a finished run, whole or not at all; a run that is there is left alone.

        Raises
        ------
        StorageError
            The disk is full or the folder cannot be written.
        """
        path = self.file(key)
        return path if path.exists() else write_json({"key": key, **result}, path)

    def keys(self) -> list[str]:
        """Keys of the finished runs, sorted."""
        return sorted(p.stem for p in (self.path / RUNS).glob("*.json"))


def write_json(content: Mapping[str, Any], path: Path, overwrite: bool = False) -> Path:
    """Write a JSON object, whole or not at all; NaN is refused. Raises StorageError."""
    from ddkbase.records import write_bytes

    text = json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    return write_bytes(path, text.encode("utf-8"), overwrite)


def read_json(path: Path, hint: str = "") -> dict[str, Any]:
    """Read a JSON object. Raises StorageError: no such file, not readable, not an object."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        told = similar_file(path, "Name what an earlier command wrote")
        raise StorageError("there is no such file", str(path), told) from None
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(f"the file cannot be read: {error}", str(path), hint) from error
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise StorageError(f"the file is damaged [{error}]", str(path), hint) from error
    if not isinstance(found, dict):
        raise StorageError("the file is damaged [not an object]", str(path), hint)
    return found


def _same(path: Path, asked: Mapping[str, Any]) -> None:
    if not (path / REQUEST).is_file():
        names = {p.name for p in path.iterdir()}
        if names <= {RUNS} and not any((path / RUNS).iterdir()):
            return  # killed before the request was written
        raise StorageError(
            "the folder holds something else", str(path), "Choose another name after --out"
        )
    found = read_json(path / REQUEST, "Choose another name after --out")
    for key, was, now in _differences(found, asked):
        raise StorageError(
            f"the folder was made for other settings: {key} was {shorten(was)}, is {shorten(now)}",
            str(path),
            "Choose another name after --out",
        )


def _differences(
    found: Mapping[str, Any], asked: Mapping[str, Any], above: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    for key in sorted({*found, *asked}):
        was, now = found.get(key), asked.get(key)
        if isinstance(was, dict) and isinstance(now, dict):
            yield from _differences(was, now, f"{above}{key}.")
        elif was != now:
            yield f"{above}{key}", was, now


def _lock(path: Path) -> int | None:
    handle = os.open(path / RUNS, os.O_RDONLY)  # a folder can be locked, too, and leaves no file
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise StorageError(
            "another process is at work in this folder", str(path), "Wait for its end, or stop it"
        ) from None
    except OSError as error:
        os.close(handle)
        if error.errno not in _NO_LOCKS:
            raise
        return None
    return handle


def _sweep(path: Path) -> None:
    for folder in (path, path / RUNS):
        for file in folder.iterdir():
            if _LEFT_BEHIND.fullmatch(file.name):
                file.unlink(missing_ok=True)
