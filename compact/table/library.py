"""Tables that ship with the toolkit, simulated and fitted; each says by which commands."""

from __future__ import annotations

import os
from pathlib import Path

from compact.table.table import AlphaBetaTable
from ddkbase.errors import InputError, closest, shorten, similar_file

__all__ = ["library_file", "list_tables", "load_table"]

_SUFFIX = ".nc"
_FOLDER = Path(__file__).parent / "library"


def list_tables() -> list[str]:
    """Names of the tables of the library, sorted.

    Each is that of a device of `devicephys`, with the campaign behind it where there are several.
    """
    return sorted(path.stem for path in _FOLDER.glob(f"*{_SUFFIX}"))


def library_file(name: str) -> Path | None:
    """The file of a table of the library; None if none has this name."""
    return _FOLDER / f"{name}{_SUFFIX}" if name in list_tables() else None


def load_table(name_or_path: str | os.PathLike[str]) -> AlphaBetaTable:
    """A table of the library by its name, or from a file by its path.

    Parameters
    ----------
    name_or_path : str or Path
        One of `list_tables`, or a NetCDF file that `AlphaBetaTable.write` wrote.

    Returns
    -------
    AlphaBetaTable
        Its dataset's attribute ``provenance_json`` says from what it was fitted.

    Raises
    ------
    InputError
        No such table or file.
    StorageError
        The file is damaged, or another record.

    Examples
    --------
    >>> table = load_table("tin-taox-hfox-tin")
    >>> table.lookup(amplitude="-2.5 V", width="100 ns", initial_resistance="10 kohm").beta
    """
    given = os.fspath(name_or_path) if isinstance(name_or_path, str | os.PathLike) else ""
    if not isinstance(given, str) or not given.strip():
        what = f"{shorten(name_or_path)} is neither name nor path of a table"
        raise InputError(what, "load_table", closest("", list_tables()))
    shipped = library_file(given)
    if shipped is not None:
        return AlphaBetaTable.read(shipped)
    path = Path(given)
    if not path.exists() and path.suffix != _SUFFIX and path.name == given:
        hint = similar_file(path, closest(given, list_tables()))
        raise InputError(f"unknown table {shorten(given)}", "load_table", hint)
    return AlphaBetaTable.read(path)
