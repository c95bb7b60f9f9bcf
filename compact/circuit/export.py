"""Fits and tables for others: circuit simulators (Verilog-A, ngspice), CSV and JSON.

Each function writes one file, whole or not at all, and returns its path. See docs/export.md.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import xarray as xr

from compact.circuit.cell import cell_of
from compact.circuit.spice import spice_text
from compact.circuit.text import csv_text, dataset_of_csv, dataset_of_json, json_text, text_of
from compact.circuit.verilog_a import verilog_text
from ddkbase.files import write_bytes

__all__ = ["from_csv", "from_json", "to_csv", "to_json", "to_spice", "to_verilog_a"]

PathLike = str | os.PathLike[str]


def to_spice(
    source: Any, path: PathLike, opposite: Any = None, *, overwrite: bool = False, **cell: Any
) -> Path:
    """An ngspice subcircuit ``name te be y`` of a fitted cell.

    Parameters
    ----------
    source : AlphaBetaFit or AlphaBetaTable
        The fit or table.
    path : str or Path
        The file to make.
    opposite : AlphaBetaFit, AlphaBetaTable or None, optional
        The fit or table of the other polarity.
    overwrite : bool, default False
        Replace an existing file.
    **cell : dict, optional
        Arguments of `compact.circuit.cell.cell_of`: width, amplitude, initial_resistance,
        conductance_min, ...

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        No cell can be made of it.
    StorageError
        The file exists or cannot be written.
    """
    return _write(spice_text(cell_of(source, opposite, **cell)), path, overwrite)


def to_verilog_a(
    source: Any, path: PathLike, opposite: Any = None, *, overwrite: bool = False, **cell: Any
) -> Path:
    """A Verilog-A module ``name(te, be, y)`` of a fitted cell, not compiled; as `to_spice`."""
    return _write(verilog_text(cell_of(source, opposite, **cell)), path, overwrite)


def to_csv(source: Any, path: PathLike, *, overwrite: bool = False) -> Path:
    """A fit or table as CSV, one row for each place; `from_csv` reads the same numbers back.

    Parameters
    ----------
    source : AlphaBetaFit, AlphaBetaTable or xarray.Dataset
        What to write.
    path : str or Path
        The file to make.
    overwrite : bool, default False
        Replace an existing file.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        ``source`` is neither a fit, a table nor a dataset.
    StorageError
        The file exists or cannot be written.
    """
    return _write(csv_text(source), path, overwrite)


def to_json(source: Any, path: PathLike, *, overwrite: bool = False) -> Path:
    """A fit or table as JSON; `from_json` reads the same dataset back; as `to_csv`."""
    return _write(json_text(source), path, overwrite)


def from_csv(path: PathLike) -> xr.Dataset:
    """The dataset of a file of `to_csv`, without what did not fit into it.

    Parameters
    ----------
    path : str or Path
        The file.

    Raises
    ------
    StorageError
        No such file, not one of `to_csv`, or damaged.
    """
    return dataset_of_csv(text_of(Path(path)), str(path))


def from_json(path: PathLike) -> xr.Dataset:
    """The dataset of a file of `to_json`; as `from_csv`."""
    return dataset_of_json(text_of(Path(path)), str(path))


def _write(text: str, path: PathLike, overwrite: bool) -> Path:
    return write_bytes(path, text.encode("utf-8"), overwrite)
