"""The record ``AlphaBetaTable`` version 1: alpha and beta at every pulse setting, cycle and device.

``AlphaBetaTableRelative`` is the same for conductances without a unit. Importing this module makes
both known to `ddkbase.records`. NaN stands where nothing was fitted (``valid`` False), in the
errors of parameters that were not fitted, and in a coordinate that is not known.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from ddkbase.records import SCHEMAS, Schema, VariableSpec

__all__ = ["AXES", "CONDUCTANCES", "POINT", "RELATIVE", "TABLE", "UNITS", "VALUES", "axis_text"]

TABLE, RELATIVE = "AlphaBetaTable", "AlphaBetaTableRelative"
AXES = ("amplitude", "width", "initial_resistance")
POINT = (*AXES, "cycle", "device")
UNITS = {"amplitude": "V", "width": "s", "initial_resistance": "ohm"}
VALUES = ("alpha", "beta", "conductance_min", "conductance_max")
CONDUCTANCES = (*VALUES[2:], "conductance_min_stderr", "conductance_max_stderr")
_FLOATS = (
    "alpha",
    "beta",
    "alpha_stderr",
    "beta_stderr",
    "correlation",
    "condition",
    "residual",
    "residual_autocorrelation",
    "durbin_watson",
)
_KINDS = {"f": "f", "bool": "b", "int": "iu", "text": "OUT"}
_NAN = "anywhere"


def axis_text(axis: str) -> str:
    """The axis in words."""
    return axis.replace("_", " ")


def _schema(name: str, unit: str) -> Schema:
    def spec(dims: tuple[str, ...], units: str = "1", kind: str = "f") -> VariableSpec:
        return VariableSpec(dims, units, _KINDS[kind], _NAN if kind == "f" else "never")

    variables = {axis: spec((axis,), units) for axis, units in UNITS.items()}
    variables |= {n: spec((n,), kind="int") for n in ("cycle", "device", "sample")}
    variables |= {n: spec((n,), kind="text") for n in ("parameter", "parameter_2")}
    variables |= {n: spec(POINT) for n in _FLOATS}
    variables |= {n: spec(POINT, unit) for n in CONDUCTANCES}
    variables |= {n: spec((*POINT, "sample"), unit) for n in ("conductance", "fitted")}
    variables |= {n: spec(POINT, kind="bool") for n in ("valid", "determined")}
    variables |= {n: spec(POINT, kind="text") for n in ("reason", "note", "direction")}
    variables |= {
        "n_pulses": spec(POINT, kind="int"),
        "at_bound": spec((*POINT, "parameter"), kind="bool"),
        "covariance": spec((*POINT, "parameter", "parameter_2")),
        "measured_initial_resistance": spec(POINT, "ohm"),
    }
    return Schema(
        name=name,
        version=1,
        variables=variables,
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
    return None


for _name, _unit in ((TABLE, "S"), (RELATIVE, "1")):
    SCHEMAS[_name, 1] = _schema(_name, _unit)
