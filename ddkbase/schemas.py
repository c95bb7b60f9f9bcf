"""What each kind of record must hold: its variables, their units, and where NaN may stand.

``IVTrace`` version 1 is one or several current-voltage loops of one cell, ``PulseTrace`` version 1
one train of pulses with a read after each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

POINTS = ("A", "B", "C", "D", "E", "F", "G", "H")
"""Marked points of one loop: before, at the edge of, during, after RESET (A-D) and SET (E-H)."""

NEVER, ANYWHERE, ELECTRODES, NEAR_ZERO_VOLT = "never", "anywhere", "electrodes", "near 0 V"
FLOAT, INT, TEXT = "f", "iu", "OUT"  # NumPy dtype kinds


@dataclass(frozen=True)
class VariableSpec:
    """What a schema asks of one variable: dimensions, units, kind of number, where NaN may be.

    ``kind`` is `FLOAT`, `INT` or `TEXT`; ``nan`` is `NEVER`, `ANYWHERE`, `ELECTRODES` or
    `NEAR_ZERO_VOLT`. ``long_name`` is what its writer calls it; a reader takes any.
    """

    dims: tuple[str, ...]
    units: str
    kind: str = FLOAT
    nan: str = NEVER
    long_name: str = ""


@dataclass(frozen=True)
class Schema:
    """Name, version, variables and attributes of one kind of record.

    ``json_attrs`` are attributes that must parse as JSON objects; ``attrs`` must only be there;
    ``check`` looks at what the table of variables cannot say and returns a complaint or ``None``.
    """

    name: str
    version: int
    variables: Mapping[str, VariableSpec]
    attrs: tuple[str, ...] = ()
    json_attrs: tuple[str, ...] = ()
    check: Callable[[xr.Dataset], str | None] = field(default=lambda ds: None)


def _iv_trace_schema() -> Schema:
    node_map = ("z_node", "r_node")
    cell_map = ("z", "r")
    v = VariableSpec
    per_step = {
        "voltage": "V",
        "device_voltage": "V",
        "series_voltage": "V",
        "current": "A",
        "temperature_max": "K",
        "filament_gap": "m",
        "vacancy_total": "1",
        "vacancy_imbalance": "1",
        "current_imbalance": "1",
        "energy_imbalance": "1",
        "step_size": "s",
        "joule_power": "W",
    }
    variables = {name: v(("time",), units) for name, units in per_step.items()}
    variables |= {
        "time": v(("time",), "s"),
        "r": v(("r",), "m"),
        "z": v(("z",), "m"),
        "r_node": v(("r_node",), "m"),
        "z_node": v(("z_node",), "m"),
        "point": v(("point",), "1", TEXT),
        "time_point": v(("point",), "s"),
        "time_frame": v(("frame",), "s"),
        "resistance": v(("time",), "ohm", nan=NEAR_ZERO_VOLT),
        "newton_iterations": v(("time",), "1", INT),
        "loop": v(("time",), "1", INT),
        "rejected_time": v(("rejected",), "s"),
        "rejected_step_size": v(("rejected",), "s"),
        "rejected_reason": v(("rejected",), "1", TEXT),
        "vacancy_concentration": v(("point", *cell_map), "1/m^3", nan=ELECTRODES),
        "temperature": v(("point", *node_map), "K"),
        "potential": v(("point", *node_map), "V"),
        "vacancy_concentration_frame": v(("frame", *cell_map), "1/m^3", nan=ELECTRODES),
        "temperature_frame": v(("frame", *node_map), "K"),
        "potential_frame": v(("frame", *node_map), "V"),
    }
    return Schema(
        name="IVTrace",
        version=1,
        variables=variables,
        attrs=("device_yaml", "created", "voltage_reference", "method", "loops"),
        json_attrs=("settings_json", "protocol_json", "versions_json", "headline_json"),
        check=_check_iv_trace,
    )


def _check_iv_trace(ds: xr.Dataset) -> str | None:
    """Return what is wrong with the axes of an IVTrace, or ``None``."""
    if ds.sizes["time"] == 0:
        return "there is no time step in it"
    for name in ("time", "r", "z", "r_node", "z_node"):
        if np.any(np.diff(ds[name].values) <= 0):
            return f"'{name}' does not increase strictly"
    for axis in ("r", "z"):
        nodes, centres = ds[f"{axis}_node"].values, ds[axis].values
        if nodes.size != centres.size + 1:
            return f"{centres.size} cells along '{axis}' need {centres.size + 1} nodes"
        if np.any(centres <= nodes[:-1]) or np.any(centres >= nodes[1:]):
            return f"a cell centre '{axis}' lies outside its two nodes"
    labels = [str(p) for p in ds["point"].values]
    if labels != [p for p in POINTS if p in labels]:
        return f"the marked points must be among {POINTS[0]} to {POINTS[-1]}, in order"
    return None


def _pulse_trace_schema() -> Schema:
    v = VariableSpec
    per_pulse = {
        "conductance": "S",
        "read_current": "A",
        "voltage": "V",
        "device_voltage": "V",
        "current": "A",
        "temperature_max": "K",
        "filament_gap": "m",
        "energy": "J",
        "amplitude": "V",
        "width": "s",
        "vacancy_imbalance": "1",
        "current_imbalance": "1",
        "energy_imbalance": "1",
    }
    counts = ("accepted_steps", "rejected_steps", "newton_iterations", "factorisations")
    variables = {name: v(("pulse",), units) for name, units in per_pulse.items()}
    variables |= {name: v(("pulse",), "1", INT) for name in ("pulse", *counts)}
    variables |= {
        "initial_resistance": v((), "ohm"),
        "initial_conductance": v((), "S"),
        "wanted_resistance": v((), "ohm", nan=ANYWHERE),
        "preparation_pulses": v((), "1", INT),
    }
    return Schema(
        name="PulseTrace",
        version=1,
        variables=variables,
        attrs=(
            "title",
            "device_yaml",
            "created",
            "voltage_reference",
            "method",
            "ranks",
            "seed",
            "cycle",
            "device_number",
            "complete",
            "source_checksum",
        ),
        json_attrs=("settings_json", "protocol_json", "versions_json", "headline_json"),
        check=_check_pulse_trace,
    )


def _check_pulse_trace(ds: xr.Dataset) -> str | None:
    """Return what is wrong with the axis or the widths of a PulseTrace, or ``None``."""
    count = ds.sizes["pulse"]
    if count == 0:
        return "there is no pulse in it"
    if not np.array_equal(ds["pulse"].values, np.arange(1, count + 1)):
        return f"'pulse' does not count from 1 to {count}"
    if np.any(ds["width"].values <= 0):
        return "a 'width' is not positive"
    return None


SCHEMAS: dict[tuple[str, int], Schema] = {
    (schema.name, schema.version): schema for schema in (_iv_trace_schema(), _pulse_trace_schema())
}
"""Every schema this version reads and writes, by name and version."""
