"""The record ``AlphaBetaTable`` version 1: alpha and beta at every pulse setting, cycle and device.

``AlphaBetaTableRelative`` is the same for conductances without a unit. NaN stands where nothing
was fitted (``valid`` False), in the errors of parameters that were not fitted, and in a coordinate
that is not known.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import xarray as xr

from compact.kinetics import INTEGRATORS
from ddkbase.errors import shorten
from ddkbase.schemas import ANYWHERE, FLOAT, INT, NEVER, TEXT, TRUTH, Schema, VariableSpec, label

TABLE, RELATIVE = "AlphaBetaTable", "AlphaBetaTableRelative"
AXES = ("amplitude", "width", "initial_resistance")
POINT = (*AXES, "cycle", "device")
VALUES = ("alpha", "beta", "conductance_min", "conductance_max")


def _variable(
    dims: str | tuple[str, ...], units: str, long_name: str, kind: str = FLOAT
) -> VariableSpec:
    dims = (dims,) if isinstance(dims, str) else dims
    return VariableSpec(dims, units, kind, ANYWHERE if kind == FLOAT else NEVER, long_name)


#: all that a table holds; in a relative one, "1" stands for "S"
VARIABLES = {
    "amplitude": _variable("amplitude", "V", "pulse amplitude"),
    "width": _variable("width", "s", "pulse width"),
    "initial_resistance": _variable("initial_resistance", "ohm", "wanted initial resistance"),
    "cycle": _variable("cycle", "1", "cycle, counted from 0", INT),
    "device": _variable("device", "1", "number of the device, counted from 0", INT),
    "sample": _variable("sample", "1", "pulses applied", INT),
    "parameter": _variable("parameter", "1", "parameter", TEXT),
    "parameter_2": _variable("parameter_2", "1", "parameter", TEXT),
    "alpha": _variable(POINT, "1", "alpha"),
    "beta": _variable(POINT, "1", "beta"),
    "alpha_stderr": _variable(POINT, "1", "standard error of alpha"),
    "beta_stderr": _variable(POINT, "1", "standard error of beta"),
    "correlation": _variable(POINT, "1", "correlation of alpha and beta"),
    "condition": _variable(POINT, "1", "condition number of the scaled Jacobian"),
    "residual": _variable(POINT, "1", "sum of squared residuals, normalised"),
    "residual_autocorrelation": _variable(
        POINT, "1", "autocorrelation of the residuals from pulse to pulse"
    ),
    "durbin_watson": _variable(POINT, "1", "Durbin-Watson statistic"),
    "conductance_min": _variable(POINT, "S", "conductance at y = 0"),
    "conductance_max": _variable(POINT, "S", "conductance at y = 1"),
    "conductance_min_stderr": _variable(POINT, "S", "standard error of conductance at y = 0"),
    "conductance_max_stderr": _variable(POINT, "S", "standard error of conductance at y = 1"),
    "conductance": _variable((*POINT, "sample"), "S", "conductance"),
    "fitted": _variable((*POINT, "sample"), "S", "fitted conductance"),
    "valid": _variable(POINT, "1", "whether the train was fitted", TRUTH),
    "determined": _variable(POINT, "1", "whether the train determines both alpha and beta", TRUTH),
    "reason": _variable(POINT, "1", "why there are no numbers", TEXT),
    "note": _variable(POINT, "1", "why alpha and beta are not determined", TEXT),
    "direction": _variable(POINT, "1", "which way the conductance goes", TEXT),
    "n_pulses": _variable(POINT, "1", "number of pulses", INT),
    "at_bound": _variable((*POINT, "parameter"), "1", "whether the optimum is at a bound", TRUTH),
    "covariance": _variable((*POINT, "parameter", "parameter_2"), "1", "covariance, in SI units"),
    "measured_initial_resistance": _variable(
        POINT, "ohm", "resistance read before the first pulse"
    ),
}
UNITS = {axis: VARIABLES[axis].units for axis in AXES}


def axis_text(axis: str) -> str:
    """The axis in words."""
    return axis.replace("_", " ")


def labelled(name: str, values: np.ndarray, conductance: str = "S") -> xr.Variable:
    """Values as the variable ``name`` of a table, with its dimensions, unit and long name.

    Parameters
    ----------
    name : str
        A key of `VARIABLES`.
    values : ndarray
        The values.
    conductance : {"S", "1"}, default "S"
        Unit of the conductances of this table.
    """
    spec = _of_unit(VARIABLES[name], conductance)
    return label(values, spec.dims, spec.units, spec.long_name)


def _of_unit(spec: VariableSpec, conductance: str) -> VariableSpec:
    return dataclasses.replace(spec, units=conductance) if spec.units == "S" else spec


def _schema(name: str, conductance: str) -> Schema:
    return Schema(
        name=name,
        version=1,
        variables={key: _of_unit(spec, conductance) for key, spec in VARIABLES.items()},
        attrs=(
            "title",
            "created",
            "method",
            "integrator",
            "direction",
            "source",
            "source_checksum",
            "seed",
        ),
        json_attrs=("fit_json", "versions_json", "provenance_json"),
        check=_check,
    )


def _check(ds: xr.Dataset) -> str | None:
    """Complaint about axes out of order, or a valid entry without numbers."""
    for axis in AXES:
        values = ds[axis].values
        if not values.size:
            return f"'{axis}' is empty"
        if values.size > 1 and not (np.diff(values) > 0).all():
            return f"'{axis}' does not increase strictly"
    if (ds["width"].values <= 0).any() or (ds["initial_resistance"].values <= 0).any():
        return "a 'width' or 'initial_resistance' is not positive"
    valid = ds["valid"].values
    for name in VALUES:
        values = ds[name].values
        if np.isnan(values[valid]).any():
            return f"'{name}' is missing where 'valid' says it is there"
        if name in ("alpha", "beta") and (values[valid] < 0).any():
            return f"a negative '{name}'"
    low, high = (ds[f"conductance_{end}"].values[valid] for end in ("min", "max"))
    if (low >= high).any():
        return "a 'conductance_min' is not below its 'conductance_max'"
    if ds.attrs["integrator"] not in INTEGRATORS:
        return f"attribute 'integrator' is {shorten(ds.attrs['integrator'])}"
    return None


ALPHA_BETA_TABLE = _schema(TABLE, "S")
ALPHA_BETA_TABLE_RELATIVE = _schema(RELATIVE, "1")
