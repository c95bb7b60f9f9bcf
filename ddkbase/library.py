"""Descriptions in YAML: those that ship with a package, by name, and a user's own files."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import NamedTuple

from ddkbase.errors import InputError, StorageError, closest, shorten, similar_file

__all__ = ["Library", "Source", "located"]

_LARGEST_FILE = 100_000  # bytes; a description takes some thousand


class Source(NamedTuple):
    """The text of a description, what errors call it, and the folder of its file, if it is one."""

    text: str
    where: str
    folder: Path | None


@dataclass(frozen=True)
class Library:
    """The YAML files in the folder ``library`` of a package, and others that are named by path.

    Attributes
    ----------
    package : str
        The package.
    kind : str
        What a file describes, for errors: "device".
    """

    package: str
    kind: str

    def names(self) -> list[str]:
        """Names of what ships with the package, sorted."""
        names = (entry.name for entry in self._folder().iterdir())
        return sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml"))

    def read(self, name_or_path: str | os.PathLike[str]) -> Source:
        """The text of a name, or of a file; what ends in .yaml, or has a folder in it, is a file.

        Raises
        ------
        InputError
            No such name (the closest is said) or file, or not a text file.
        StorageError
            The file exists but cannot be read.
        """
        given = os.fspath(name_or_path)
        if not isinstance(given, str) or not given.strip():
            what = f"{shorten(given)} is not a {self.kind}, no {self.kind} has this name"
            raise InputError(what, hint=self.hint())
        if given in self.names():
            text = (self._folder() / f"{given}.yaml").read_text(encoding="utf-8")
            return Source(text, given, None)
        is_path = isinstance(name_or_path, os.PathLike) or looks_like_path(given)
        if not is_path and not os.path.isfile(given):
            raise InputError(f"unknown {self.kind} {shorten(given)}", hint=self.hint(given))
        path = Path(given)
        return Source(self._read_file(path), given, path.parent)

    def hint(self, name: str = "") -> str:
        """The shipped name closest to ``name``, or all of them."""
        return closest(name, self.names())

    def _folder(self) -> Traversable:
        return resources.files(self.package) / "library"

    def _read_file(self, path: Path) -> str:
        where, hint = str(path), f"Name a {self.kind} YAML file"
        try:
            if path.is_dir():
                raise InputError("is a folder, not a file", where, "Name the YAML file in it")
            if not stat.S_ISREG(path.stat().st_mode):  # a pipe would block, /dev/zero never ends
                raise InputError("is not a regular file", where, hint)
            with path.open("rb") as file:
                content = file.read(_LARGEST_FILE + 1)
            if len(content) > _LARGEST_FILE:
                raise InputError(f"is too large for a {self.kind}", where, hint)
            return content.decode("utf-8-sig")
        except FileNotFoundError:
            raise InputError("no such file", where, similar_file(path, self.hint())) from None
        except UnicodeDecodeError:
            raise InputError("is not text", where, f"{hint} in UTF-8") from None
        except InputError:
            raise
        except ValueError as error:  # a null byte in the path
            raise InputError(f"not a path: {error}", shorten(where)) from error
        except OSError as error:
            raise StorageError(error.strerror or "cannot be read", where) from error


def looks_like_path(name: str) -> bool:
    """Whether a text is meant as the path of a YAML file."""
    return name.lower().endswith((".yaml", ".yml")) or os.sep in name


def located(error: InputError, where: str) -> InputError:
    """The error with the file, or the key, before the place in it."""
    return InputError(error.what, ": ".join(x for x in (where, error.where) if x), error.hint)
