"""The figures of a SwitchingTime: the time at each voltage, the slopes of each polarity."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import xarray as xr

from ddkbase.units import format_si
from devicephys.run.figure import Figure, Table, celsius, unit_of
from devicephys.simulation.schemas import SWITCHED

__all__ = ["scan_entries", "scan_figures", "scan_table"]


@dataclasses.dataclass(frozen=True)
class _Column:
    """A quantity of each voltage of a scan: its heading and text; "–" where there is none."""

    head: str
    text: Callable[[float], str]


_COLUMNS = {
    "applied_voltage": _Column("Voltage", lambda v: f"{v:+.4g} V"),
    "switching_time": _Column("Switching time", lambda t: format_si(t, "s")),
    "temperature_half": _Column("T at half time", celsius),
    "local_slope": _Column("Decades/V", lambda slope: f"{slope:.1f}"),
    "steps": _Column("Steps", lambda n: f"{n:.0f}"),
}
#: name, unit and digits of the figures of one polarity, as
#: `devicephys.simulation.switching_time.slope_figures` gives them
_SLOPES = {
    "decades": ("decades of time", "", ".2f"),
    "span_volts": ("span", "V", ".3g"),
    "mv_per_decade": ("voltage per decade", "mV", ".0f"),
    "steepest_mv": ("steepest", "mV", ".0f"),
    "flattest_mv": ("flattest", "mV", ".0f"),
    "activation_energy_ev": ("activation energy", "eV", ".2f"),
}


def scan_figures(ds: xr.Dataset) -> list[Figure]:
    """The figures of a SwitchingTime: of each polarity, then the time at each voltage."""
    figures = []
    for polarity, values in json.loads(ds.attrs["headline_json"]).items():
        name = polarity.upper()
        text = f"{values['switched']} of {values['voltages']} voltages"
        figures.append(Figure(f"{name}, switched", text))
        for key, (title, unit, digits) in _SLOPES.items():
            if values.get(key) is not None:
                text = f"{values[key]:{digits}} {unit}".rstrip()
                figures.append(Figure(f"{name}, {title}", text))
    for voltage, time, *_, reason in scan_table(ds).rows:
        figures.append(Figure(f"Switching time at {voltage}", reason or time))
    return figures


def _points(ds: xr.Dataset) -> list[xr.Dataset]:
    """A dataset for each polarity and voltage, in the order of the record."""
    grid = [(i, k) for i in range(ds.sizes["polarity"]) for k in range(ds.sizes["voltage"])]
    return [ds.isel(polarity=i, voltage=k) for i, k in grid]


def scan_table(ds: xr.Dataset) -> Table:
    """A row for each voltage, its last column why there is no time; a line for each polarity."""
    rows = []
    for point in _points(ds):
        status = str(point["status"].values)
        values = {name: float(point[name]) for name in _COLUMNS}
        texts = [
            column.text(values[name]) if math.isfinite(values[name]) else "–"
            for name, column in _COLUMNS.items()
        ]
        rows.append([*texts, "" if status == SWITCHED else status])
    heads = [*(column.head for column in _COLUMNS.values()), ""]
    headline = json.loads(ds.attrs["headline_json"])
    notes = [_polarity_line(polarity, figures) for polarity, figures in headline.items()]
    return Table(heads, rows, range(len(_COLUMNS)), notes)


def _polarity_line(polarity: str, figures: Mapping[str, Any]) -> str:
    line = f"{polarity.upper()}: {figures['switched']} of {figures['voltages']} voltages switched"
    if figures.get("mv_per_decade") is not None:
        slope = figures["mv_per_decade"]
        line += (
            f", {figures['decades']:.2f} decades of time in {figures['span_volts']:.3g} V,"
            f" {1e3 / slope:.2f} decades/V, {slope:.0f} mV per decade"
        )
    if figures.get("activation_energy_ev") is not None:
        line += f", activation energy {figures['activation_energy_ev']:.2f} eV"
    return line


def scan_entries(ds: xr.Dataset) -> dict[str, Any]:
    """The points and slopes of a SwitchingTime for scripts."""
    points = []
    for point in _points(ds):
        values = {name: float(point[name]) for name in _COLUMNS if name != "steps"}
        points.append(
            {
                "polarity": str(point["polarity"].values),
                "status": str(point["status"].values),
                "steps": int(point["steps"]),
                **{name: v if math.isfinite(v) else None for name, v in values.items()},
            }
        )
    units = {name: unit_of(ds, name) for name in _COLUMNS if name != "steps"}
    units |= {key: unit for key, (_, unit, _) in _SLOPES.items() if unit}
    return {"points": points, "figures": json.loads(ds.attrs["headline_json"]), "units": units}
