"""The schema ``SwitchingTime`` version 1: switching time on (polarity, voltage).

NaN stands in ``switching_time`` and ``temperature_half`` where the status is not "switched", in
``local_slope`` where no neighbour of a voltage switched either, and in the conductances of a
voltage that was not computed. Importing this module makes the schema known to `ddkbase.records`.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from ddkbase.schemas import ANYWHERE, INT, SCHEMAS, TEXT, Schema, VariableSpec

SWITCHED, NOT_SWITCHED, TOO_FAST = "switched", "not within the limit", "within the rise"
FAILED, NOT_COMPUTED = "solver failure", "not computed"
OUTCOMES = (SWITCHED, NOT_SWITCHED, TOO_FAST, FAILED, NOT_COMPUTED)

GRID = ("polarity", "voltage")
QUANTITIES = {
    "applied_voltage": ("V", "Applied voltage"),
    "switching_time": ("s", "Switching time"),
    "temperature_half": ("K", "Peak temperature at half of the switching time"),
    "start_conductance": ("S", "Conductance at the start"),
    "target_conductance": ("S", "Conductance at which the cell counts as switched"),
    "end_conductance": ("S", "Conductance at the end of the hold"),
    "local_slope": ("1/V", "Decades of time won per volt"),
}
COUNTS = {"steps": "Accepted steps", "newton_iterations": "Newton iterations"}
TEXTS = {"status": "Outcome", "reason": "Why it did not switch"}


def _schema() -> Schema:
    variables = {name: VariableSpec(GRID, units, nan=ANYWHERE) for name, (units, _) in _rest()}
    variables |= {name: VariableSpec(GRID, "1", INT) for name in COUNTS}
    variables |= {name: VariableSpec(GRID, "1", TEXT) for name in TEXTS}
    variables |= {
        "applied_voltage": VariableSpec(GRID, "V"),
        "polarity": VariableSpec(("polarity",), "1", TEXT),
        "voltage": VariableSpec(("voltage",), "V"),
    }
    return Schema(
        name="SwitchingTime",
        version=1,
        variables=variables,
        attrs=(
            "title",
            "device_yaml",
            "created",
            "voltage_reference",
            "method",
            "criterion",
            "ranks",
            "seed",
            "complete",
            "source_checksum",
        ),
        json_attrs=("settings_json", "protocol_json", "versions_json", "headline_json"),
        check=_check,
    )


def _rest() -> list[tuple[str, tuple[str, str]]]:
    return [(name, text) for name, text in QUANTITIES.items() if name != "applied_voltage"]


def _check(ds: xr.Dataset) -> str | None:
    """Complaint about a SwitchingTime whose times and outcomes do not belong together."""
    voltage = ds["voltage"].values
    if not len(voltage) or np.any(voltage <= 0) or np.any(np.diff(voltage) <= 0):
        return "'voltage' must be positive and increase strictly"
    status = ds["status"].values.astype(str)
    if not np.isin(status, OUTCOMES).all():
        return f"'status' must be one of {', '.join(OUTCOMES)}"
    for name in ("switching_time", "temperature_half"):
        if not np.array_equal(np.isfinite(ds[name].values), status == SWITCHED):
            return f"'{name}' must be there exactly where the cell switched"
    if np.any(ds["switching_time"].values[status == SWITCHED] <= 0):
        return "a 'switching_time' is not positive"
    return None


SWITCHING_TIME = _schema()
SCHEMAS[SWITCHING_TIME.name, SWITCHING_TIME.version] = SWITCHING_TIME
