"""Reading the keys of a pipeline file: each is known, of the right kind and within its range."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ddkbase.errors import InputError, closest, shorten
from ddkbase.units import to_si

__all__ = ["Keys"]

_LARGEST = 10**9


class Keys:
    """A mapping of a file whose values are asked for one by one.

    Parameters
    ----------
    data : object
        What the file holds at this place; nothing (an empty step) is an empty mapping.
    where : str
        The place, for errors; empty at the top of the file.
    known : iterable of str
        Keys that there may be.
    folder : Path or None, optional
        Folder from which relative paths are meant.

    Raises
    ------
    InputError
        Not a mapping, or a key that is not known; the closest is named.
    """

    def __init__(
        self, data: object, where: str, known: Iterable[str], folder: Path | None = None
    ) -> None:
        data = {} if data is None else data
        if not isinstance(data, Mapping):
            hint = "Write its keys below it, or leave the step out"
            raise InputError(f"{shorten(data)} is not a mapping", where, hint)
        known = tuple(known)
        for key in data:
            if not isinstance(key, str) or key not in known:
                raise InputError(f"unknown key {shorten(key)}", where, closest(str(key), known))
        self._data, self._where, self.folder = dict(data), where, folder

    def __contains__(self, key: str) -> bool:
        return key in self._data

    def place(self, key: str) -> str:
        """The place of a key in the file."""
        return f"{self._where}.{key}" if self._where else key

    def raw(self, key: str) -> Any:
        """The value as the file has it; None if it has none."""
        return self._data.get(key)

    def text(self, key: str, default: str | None = None) -> str | None:
        """A text; raises InputError if it is empty or something else."""
        if key not in self:
            return default
        value = self._data[key]
        if not isinstance(value, str) or not value.strip():
            raise InputError(f"{shorten(value)} is no text", self.place(key), f"Write '{key}: ...'")
        return " ".join(value.split())

    def quantity(self, key: str, unit: str) -> str | None:
        """A text with a unit, as text; raises InputError if it is none of ``unit``."""
        if key not in self:
            return None
        to_si(self._data[key], unit, self.place(key))
        return self.text(key)

    def whole(self, key: str, default: int | None = None, least: int = 0) -> int | None:
        """A whole number of at least ``least``; raises InputError if it is something else."""
        if key not in self:
            return default
        value = self._data[key]
        if type(value) is not int or not least <= value <= _LARGEST:
            hint = f"Write a whole number from {least} on"
            raise InputError(f"{shorten(value)} is no such number", self.place(key), hint)
        return value

    def number(self, key: str) -> float | None:
        """A positive number; raises InputError if it is something else."""
        if key not in self:
            return None
        value = self._data[key]
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e30:
            raise InputError(f"{shorten(value)} is no positive number", self.place(key))
        return float(value)

    def flag(self, key: str, default: bool = False) -> bool:
        """True or false; raises InputError if it is something else."""
        value = self._data.get(key, default)
        if not isinstance(value, bool):
            hint = "Write 'true' or 'false'"
            raise InputError(f"{shorten(value)} is no switch", self.place(key), hint)
        return value

    def choice(self, key: str, options: Sequence[str], default: str | None = None) -> str | None:
        """One of ``options``; raises InputError with the closest if it is something else."""
        if key not in self:
            return default
        value = self._data[key]
        if not isinstance(value, str) or value not in options:
            raise InputError(
                f"{shorten(value)} is no choice", self.place(key), closest(str(value), options)
            )
        return value

    def names(self, key: str, default: Sequence[str]) -> tuple[str, ...]:
        """Different texts, a list or a single one; raises InputError if it is something else."""
        if key not in self:
            return tuple(default)
        value = self._data[key]
        found = [value] if isinstance(value, str) else value
        if not isinstance(found, list) or not found:
            raise InputError(f"{shorten(value)} is no list", self.place(key), "Write e.g. [a, b]")
        for one in found:
            if not isinstance(one, str) or not one.strip():
                raise InputError(f"{shorten(one)} is no name", self.place(key))
            if found.count(one) > 1:
                raise InputError(f"{shorten(one)} is there twice", self.place(key), "Give it once")
        return tuple(one.strip() for one in found)

    def numbers(self, key: str) -> tuple[int, ...] | None:
        """A list of whole numbers from 1 on, or a single one; raises InputError otherwise."""
        if key not in self:
            return None
        value = self._data[key]
        found = value if isinstance(value, list) else [value]
        if not found or any(type(n) is not int or not 1 <= n <= 99_999 for n in found):
            hint = "Write e.g. [128, 64]"
            raise InputError(f"{shorten(value)} are no such numbers", self.place(key), hint)
        return tuple(found)

    def seeds(self, key: str, default: int) -> tuple[int, ...]:
        """How many seeds, or a list of them; raises InputError if it is something else."""
        value = self._data.get(key, default)
        if type(value) is int and 1 <= value <= 10_000:
            return tuple(range(value))
        good = isinstance(value, list) and 0 < len(value) <= 10_000
        if not good or any(type(s) is not int or not 0 <= s <= _LARGEST for s in value):
            hint = "Write how many, e.g. 3, or which, e.g. [0, 5, 8]"
            raise InputError(f"{shorten(value)} names no seeds", self.place(key), hint)
        if len(set(value)) < len(value):
            raise InputError("a seed is there twice", self.place(key), "Give it once")
        return tuple(value)

    def mapping(self, key: str) -> dict[str, Any]:
        """A mapping as it is; raises InputError if it is something else."""
        value = self._data.get(key)
        value = {} if value is None else value
        if not isinstance(value, Mapping) or any(not isinstance(k, str) for k in value):
            hint = f"Write keys below '{key}:'"
            raise InputError(f"{shorten(value)} is not a mapping", self.place(key), hint)
        return dict(value)

    def path(self, key: str) -> Path | None:
        """A path, meant from the folder of the file; raises InputError if it is no text."""
        text = self.text(key)
        return None if text is None else self.beside(text)

    def beside(self, text: str) -> Path:
        """The path that a text names, from the folder of the file."""
        path = Path(text).expanduser()
        return path if self.folder is None or path.is_absolute() else self.folder / path
