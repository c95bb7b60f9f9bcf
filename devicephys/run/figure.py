"""A figure of a run, and a table of figures: what all kinds of run give."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import xarray as xr

from ddkbase.units import CELSIUS_ZERO

__all__ = ["CELSIUS_ZERO", "Figure", "Table", "celsius", "unit_of"]


@dataclasses.dataclass(frozen=True)
class Figure:
    """A figure of a run.

    Parameters
    ----------
    name : str
        Name for people; empty if scripts alone get it.
    text : str
        Value and unit for people.
    values : mapping, optional
        Key and value, in SI units, of what scripts get.
    units : mapping of str to str, optional
        Unit symbol of each key that has one, also of keys within a value.
    numerical : bool, default False
        Whether it belongs to the calculation, not to the cell.
    """

    name: str
    text: str
    values: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    units: Mapping[str, str] = dataclasses.field(default_factory=dict)
    numerical: bool = False


@dataclasses.dataclass(frozen=True)
class Table:
    """Figures for people, as texts.

    Parameters
    ----------
    heads : sequence of str
        Headings of the columns.
    rows : sequence of sequence of str
        Texts of each row, one for each column.
    right : sequence of int, default ()
        Indices of the columns that are flush right.
    notes : sequence of str, default ()
        Lines below the table.
    """

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    right: Sequence[int] = ()
    notes: Sequence[str] = ()


def celsius(kelvin: float) -> str:
    """Return a temperature as text in whole °C."""
    return f"{kelvin - CELSIUS_ZERO:.0f} °C"


def unit_of(ds: xr.Dataset, name: str) -> str:
    return str(ds[name].attrs["units"])
