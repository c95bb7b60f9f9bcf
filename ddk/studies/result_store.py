"""A folder of finished runs, one small JSON file each: killed and started again, it goes on.

``request.json`` says what the folder is for; a run is in ``runs/`` whole or not at all. One process
at a time works in the folder; the lock goes with the process however that ends.
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from compact.table.table import AlphaBetaTable
from ddk.studies.tasks import with_states
from ddkbase.documents import differences, read_json, write_json
from ddkbase.errors import InputError, StorageError, shorten
from ddkbase.files import is_scratch, storage_errors, sweep
from ddkbase.folders import ClaimedFolder, lock
from ddkbase.records import fingerprint

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

        What is asked for is what JSON can hold, and objects as `identity` takes them. Raises
        StorageError: something else is there, it was made for something else (the key is named),
        another process is at work, or the folder cannot be written.
        """
        path = Path(path)
        asked = json.loads(json.dumps(identity(request)))
        message = "the folder cannot be made or written"
        with storage_errors(message, path, "Choose a folder you may write to"):
            if not path.exists() and path.is_symlink():
                raise StorageError("is a link to nothing", str(path), "Choose another name")
            if path.exists() and not path.is_dir():
                raise StorageError("there is a file of that name, not a folder", str(path))
            created = [] if path.is_dir() else [path]
            if not created and any(path.iterdir()):
                _same(path, asked, request)
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
        if self._created:
            with contextlib.suppress(OSError):
                names = {p.name for p in (*self.path.iterdir(), *(self.path / RUNS).iterdir())}
                if not names - {RUNS, REQUEST}:
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
        stored = read_json(path, "Remove it; the run is then computed anew")
        if stored.get("key") != key:
            raise StorageError(
                "it is the file of another run", str(path), "Remove it; it is then computed anew"
            )
        return stored

    def keep(self, key: str, result: Mapping[str, Any]) -> Path:
        """Write a finished run, whole or not at all; a run that is there is left alone.

        Raises StorageError: the disk is full or the folder cannot be written.
        """
        path = self.file(key)
        return path if path.exists() else write_json({"key": key, **result}, path)

    def keys(self) -> list[str]:
        """Keys of the finished runs, sorted."""
        return sorted(p.stem for p in (self.path / RUNS).glob("*.json"))


def identity(value: Any) -> Any:
    """What identifies a run, as JSON can hold it.

    Of a dataclass its name and those fields that differ from their defaults, so that a field that a
    later version adds leaves what was stored before known. Of a table its checksum.

    Parameters
    ----------
    value : object
        None, truth value, number, text; dataclass, `AlphaBetaTable`; mappings and sequences of
        these, and objects that hold a table as ``table``.

    Raises
    ------
    InputError
        Something else, of which nothing says what it depends on.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if hasattr(value, "item") and not getattr(value, "shape", ()):  # a number of NumPy
        return value.item()
    if isinstance(value, float):
        return value
    if isinstance(value, Mapping):
        return {str(key): identity(entry) for key, entry in value.items()}
    if isinstance(value, tuple | list):
        return [identity(entry) for entry in value]
    name = type(value).__name__
    if dataclasses.is_dataclass(value):
        fields = {f.name: (getattr(value, f.name), _default(f)) for f in dataclasses.fields(value)}
        given = {n: identity(entry) for n, (entry, default) in fields.items() if entry != default}
        return {"type": name, **given}
    if isinstance(value, AlphaBetaTable):
        ds = value.dataset
        columns = {str(n): ds[n].values.tolist() for n in ("alpha", "beta", "valid", *ds.coords)}
        return {
            "type": name,
            "checksum": fingerprint({str(k): repr(v) for k, v in columns.items()}),
        }
    if isinstance(getattr(value, "table", None), AlphaBetaTable):
        return {"type": name, "table": identity(value.table)}
    raise InputError(f"{shorten(value)} does not say what a result depends on", name)


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default  # MISSING, which equals nothing, where there is none


def _is_text_of(text: str, value: Any) -> bool:
    """Whether ``repr`` of an object gave this text, now or in a version with fewer fields."""
    try:
        return _describes(ast.parse(text, mode="eval").body, value)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def _describes(node: ast.expr, value: Any) -> bool:
    if dataclasses.is_dataclass(value):
        if not isinstance(node, ast.Call) or ast.unparse(node.func) != type(value).__qualname__:
            return False
        written = {k.arg: k.value for k in node.keywords}
        fields = {f.name: f for f in dataclasses.fields(value)}
        return (
            not node.args
            and written.keys() <= fields.keys()
            and all(
                _describes(written[name], getattr(value, name))
                if name in written
                else bool(getattr(value, name) == _default(f))  # a field of later versions
                for name, f in fields.items()
                if f.repr
            )
        )
    if isinstance(value, tuple | list):
        return (
            isinstance(node, ast.Tuple | ast.List)
            and len(node.elts) == len(value)
            and all(_describes(n, v) for n, v in zip(node.elts, value, strict=True))
        )
    if isinstance(node, ast.Call) and len(node.args) == 1:
        node = node.args[0]  # np.float64(0.5)
    if isinstance(value, float) and isinstance(node, ast.Name):
        return node.id == str(value)  # inf
    return bool(ast.literal_eval(node) == value)


def _same(path: Path, asked: dict[str, Any], request: Mapping[str, Any]) -> None:
    if not (path / REQUEST).is_file():
        names = {p.name for p in path.iterdir() if not is_scratch(p)}
        if names <= {RUNS} and not any((path / RUNS).iterdir()):
            return  # killed before the request was written
        raise StorageError(
            "the folder holds something else", str(path), "Choose another name after --out"
        )
    stored = read_json(path / REQUEST, "Choose another name after --out")
    for settings in (stored, asked):
        if isinstance(settings.get("task"), dict):
            settings["task"] = with_states(settings["task"])
    for key, value in request.items():
        # earlier versions stored the text of an object in Python
        if isinstance(stored.get(key), str) and _is_text_of(stored[key], value):
            stored[key] = asked[key]
    for key, was, now in differences(stored, asked):
        raise StorageError(
            f"the folder was made for other settings: {key} was {shorten(was)}, is {shorten(now)}",
            str(path),
            "Choose another name after --out",
        )
