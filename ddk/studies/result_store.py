"""A folder of finished runs, one small JSON file each: killed and started again, it goes on.

``request.json`` says what the folder is for; a run is in ``runs/`` whole or not at all. One process
at a time works in the folder; the lock goes with the process however that ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from ddk.studies.task import with_states
from ddkbase.documents import differences, read_json, write_json
from ddkbase.errors import StorageError, shorten
from ddkbase.files import storage_errors, sweep
from ddkbase.folders import ClaimedFolder, lock

__all__ = ["REQUEST", "RUNS", "ResultStore"]

REQUEST, RUNS = "request.json", "runs"

_KEY = re.compile(r"[a-z0-9][a-z0-9_.+-]*")


class ResultStore(ClaimedFolder):
    """The folder of a comparison or a search; from `open`, then a context manager.

    Attributes
    ----------
    path : Path
        The folder.
    """

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
        message = "the folder cannot be made or written"
        with storage_errors(message, path, "Choose a folder you may write to"):
            if not path.exists() and path.is_symlink():
                raise StorageError("is a link to nothing", str(path), "Choose another name")
            if path.exists() and not path.is_dir():
                raise StorageError("there is a file of that name, not a folder", str(path))
            created = [] if path.is_dir() else [path]
            if not created and any(path.iterdir()):
                _same(path, asked)
            elif not path.absolute().parent.is_dir():
                raise StorageError("there is no such folder", str(path.absolute().parent))
            (path / RUNS).mkdir(parents=True, exist_ok=True)
            busy = StorageError(
                "another process is at work in this folder",
                str(path),
                "Wait for its end, or stop it",
            )
            with contextlib.ExitStack() as stack:
                held = stack.enter_context(lock(path / RUNS, busy))
                if not (path / REQUEST).exists():
                    write_json(asked, path / REQUEST)
                sweep(path)
                sweep(path / RUNS)
                stack.pop_all()
            return cls(path, held, created)

    def __exit__(self, *_: object) -> None:
        # a folder that was made for nothing: bad input, or stopped before a run
        if self._created and not self.keys():
            with contextlib.suppress(OSError):
                if not {p.name for p in self.path.iterdir()} - {RUNS, REQUEST}:
                    self.give_back((RUNS, REQUEST))
        self.close()

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


def _same(path: Path, asked: Mapping[str, Any]) -> None:
    if not (path / REQUEST).is_file():
        names = {p.name for p in path.iterdir()}
        if names <= {RUNS} and not any((path / RUNS).iterdir()):
            return  # killed before the request was written
        raise StorageError(
            "the folder holds something else", str(path), "Choose another name after --out"
        )
    found = read_json(path / REQUEST, "Choose another name after --out")
    if isinstance(found.get("task"), dict):
        found["task"] = with_states(found["task"])
    for key, was, now in differences(found, asked):
        raise StorageError(
            f"the folder was made for other settings: {key} was {shorten(was)}, is {shorten(now)}",
            str(path),
            "Choose another name after --out",
        )
