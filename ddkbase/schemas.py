"""What each kind of record must hold: its variables, their units, and where NaN may stand.

A schema is the one table of its record: dimensions, unit, kind of number and long name of each
variable. The schemas themselves stand in the packages whose records they describe; `find_schema`
knows where, so that any record can be read without importing its package first.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

NEVER, ANYWHERE = "never", "anywhere"
FLOAT, INT, TEXT, TRUTH = "f", "iu", "OUT", "b"  # NumPy dtype kinds

#: where the schema of each record and version of this toolkit stands; read on demand
SCHEMAS: Mapping[tuple[str, int], str] = {
    ("IVTrace", 1): "devicephys.simulation.schemas:IV_TRACE",
    ("PulseTrace", 1): "devicephys.simulation.schemas:PULSE_TRACE",
    ("SwitchingTime", 1): "devicephys.simulation.schemas:SWITCHING_TIME",
    ("Retention", 1): "devicephys.reliability.retention_record:RETENTION",
    ("Endurance", 1): "devicephys.reliability.endurance:ENDURANCE",
    ("ParameterSweep", 1): "devicephys.parameter_sweep.record:PARAMETER_SWEEP",
    ("Screening", 1): "devicephys.screening.record:SCREENING",
    ("AlphaBetaTable", 1): "compact.table.schema:ALPHA_BETA_TABLE",
    ("AlphaBetaTableRelative", 1): "compact.table.schema:ALPHA_BETA_TABLE_RELATIVE",
    ("NetworkComparison", 1): "ddk.studies.comparison:NETWORK_COMPARISON",
}
#: group of entry points under which a package of a user's names its own, "NAME = module:ATTRIBUTE"
ENTRY_POINTS = "ddk.records"


@dataclass(frozen=True)
class VariableSpec:
    """What a schema says of one variable.

    Parameters
    ----------
    dims : tuple of str
        Dimensions.
    units : str
        SI unit; "1" for a pure number or text.
    kind : str, default FLOAT
        Kind of number: `FLOAT`, `INT`, `TEXT` or `TRUTH`.
    nan : str, default NEVER
        Where NaN may stand: `NEVER`, `ANYWHERE`, or a rule of the schema's ``nan_rules``.
    long_name : str, default ""
        What a plot writes on its axis, without the unit; empty where the writer says it.
    """

    dims: tuple[str, ...]
    units: str
    kind: str = FLOAT
    nan: str = NEVER
    long_name: str = ""


def _nothing_to_check(ds: xr.Dataset) -> str | None:
    """A record of whose values nothing more is asked."""
    return None


@dataclass(frozen=True)
class Schema:
    """One kind of record.

    Parameters
    ----------
    name : str
        What the attribute ``schema`` of a file says.
    version : int
        What its attribute ``schema_version`` says.
    variables : mapping of str to VariableSpec
        Every variable that must be there; others may be.
    attrs : tuple of str, default ()
        Attributes that must be there.
    json_attrs : tuple of str, default ()
        Attributes that must parse as JSON objects.
    check : callable, optional
        Looks at what the table of variables cannot say; returns a complaint or None.
    nan_rules : mapping of str to callable, optional
        For each further value of `VariableSpec.nan`, what looks at a dataset and at where a
        variable of it is NaN; returns a complaint or None.
    others : str, default NEVER
        Where NaN may stand in variables that are not listed.
    """

    name: str
    version: int
    variables: Mapping[str, VariableSpec]
    attrs: tuple[str, ...] = ()
    json_attrs: tuple[str, ...] = ()
    check: Callable[[xr.Dataset], str | None] = field(default_factory=lambda: _nothing_to_check)
    nan_rules: Mapping[str, Callable[[xr.Dataset, np.ndarray], str | None]] = field(
        default_factory=dict
    )
    others: str = NEVER


def find_schema(name: str, version: object) -> Schema | None:
    """The schema of a record, from this toolkit or from an installed package that declares it.

    Parameters
    ----------
    name : str
        Name of the record, e.g. "AlphaBetaTable".
    version : object
        Its version, a whole number or the text of one.

    Returns
    -------
    Schema or None
        None if nobody knows it.
    """
    text = str(version)
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1
    if (name, number) in SCHEMAS:
        module, _, attribute = SCHEMAS[name, number].partition(":")
        schema: Schema = getattr(importlib.import_module(module), attribute)
        return schema
    from importlib import metadata  # start-up: only records of somebody else need it

    for entry in metadata.entry_points(group=ENTRY_POINTS):
        schema = entry.load()
        if (schema.name, schema.version) == (name, number):
            return schema
    return None


def label(array: Any, dims: str | tuple[str, ...], units: str, long_name: str) -> xr.Variable:
    """Return ``array`` as a variable with dimensions, units and a name for axes.

    Parameters
    ----------
    array : array_like
        Anything NumPy turns into an array with ``len(dims)`` axes.
    dims : str or tuple of str
        Dimension names; a single text names one dimension.
    units : str
        SI unit as text ("V", "1/m^3"); "1" for a pure number or for text.
    long_name : str
        What a plot writes on its axis, without the unit.

    Raises
    ------
    ValueError
        If the number of dimensions differs, or a text is empty.
    """
    if not units or not long_name:
        raise ValueError("a variable needs both units and a long name")
    return xr.Variable(dims, np.asarray(array), {"units": units, "long_name": long_name})


def labelled(schema: Schema, arrays: Mapping[str, Any]) -> dict[str, xr.Variable]:
    """Arrays as the variables of a record: dimensions, units and long names of its schema.

    Parameters
    ----------
    schema : Schema
        The record.
    arrays : mapping of str to array_like
        Variables of the record, by name; text and truth values are stored as the schema says.

    Raises
    ------
    KeyError
        A name that the schema does not have.
    ValueError
        The number of dimensions differs, or the schema has no long name for it.
    """
    variables = {}
    for name, array in arrays.items():
        spec = schema.variables[name]
        values = np.asarray(array)
        if spec.kind == TEXT:
            values = values.astype(object)
        variables[name] = label(values, spec.dims, spec.units, spec.long_name)
    return variables
