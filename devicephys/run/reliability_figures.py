"""Figures of a SwitchingTime, a Retention and an Endurance.

Of scans: the time at each voltage, the slopes of each polarity. Of bakes: how long each temperature
leaves the window, the Arrhenius law. Of cycles: how many pulses each state takes, and what the last
cycle needed.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from ddkbase.units import format_si
from devicephys.reliability.retention_record import COMPUTED, duration_text
from devicephys.run.figure import Figure, Table, celsius, unit_of
from devicephys.simulation.schemas import SWITCHED

# scans of switching times


@dataclasses.dataclass(frozen=True)
class _Column:
    """A quantity of each voltage of a scan: its heading and text; "–" where there is none."""

    head: str
    text: Callable[[float], str]


_SCAN_COLUMNS = {
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
        values = {name: float(point[name]) for name in _SCAN_COLUMNS}
        texts = [
            column.text(values[name]) if math.isfinite(values[name]) else "–"
            for name, column in _SCAN_COLUMNS.items()
        ]
        rows.append([*texts, "" if status == SWITCHED else status])
    heads = [*(column.head for column in _SCAN_COLUMNS.values()), ""]
    headline = json.loads(ds.attrs["headline_json"])
    notes = [_polarity_line(polarity, figures) for polarity, figures in headline.items()]
    return Table(heads, rows, range(len(_SCAN_COLUMNS)), notes)


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
        values = {name: float(point[name]) for name in _SCAN_COLUMNS if name != "steps"}
        points.append(
            {
                "polarity": str(point["polarity"].values),
                "status": str(point["status"].values),
                "steps": int(point["steps"]),
                **{name: v if math.isfinite(v) else None for name, v in values.items()},
            }
        )
    units = {name: unit_of(ds, name) for name in _SCAN_COLUMNS if name != "steps"}
    units |= {key: unit for key, (_, unit, _) in _SLOPES.items() if unit}
    return {"points": points, "figures": json.loads(ds.attrs["headline_json"]), "units": units}


# bakes


_BAKE_HEADS = (
    "Ambient",
    "R, start",
    "R, end",
    "To the geometric mean",
    "To the middle",
    "Steps",
    "",
)


def retention_table(ds: xr.Dataset) -> Table:
    """A row for each temperature; notes on the window and on what was extrapolated."""
    headline = json.loads(ds.attrs["headline_json"])
    rows = []
    for k in range(ds.sizes["temperature"]):
        one = ds.isel(temperature=k)
        read = one["conductance"].values[~one["conductance"].isnull().values]
        ends = [format_si(1.0 / g, "ohm", 3) for g in read[[0, -1]]] if read.size else ["–", "–"]
        status = str(one["status"].values)
        times = [
            duration_text(float(one[name]))
            if math.isfinite(float(one[name]))
            else f"beyond {duration_text(headline['duration'])}"
            if status == COMPUTED
            else "–"
            for name in ("time_geometric", "time_half")
        ]
        row = [celsius(float(one["temperature"])), *ends, *times, f"{int(one['steps'])}"]
        rows.append([*row, "" if status == COMPUTED else status])
    return Table(_BAKE_HEADS, rows, range(len(_BAKE_HEADS) - 1), _bake_notes(ds, headline))


def _bake_notes(ds: xr.Dataset, headline: dict[str, Any]) -> list[str]:
    low, high = float(ds["low_conductance"]), float(ds["high_conductance"])
    notes = [
        f"Window: {format_si(1 / high, 'ohm', 3)} to {format_si(1 / low, 'ohm', 3)}, geometric mean"
        f" {format_si(1 / math.sqrt(low * high), 'ohm', 3)}, middle of the conductances"
        f" {format_si(2 / (low + high), 'ohm', 3)}"
    ]
    if headline["activation_energy_ev"] is not None:
        energy, count = headline["activation_energy_ev"], headline["times"]
        ten = headline["ten_years_temperature"]
        notes.append(
            f"Activation energy {energy:.2f} eV, of {count} temperatures; ten years to the"
            f" geometric mean at {celsius(ten)} by that law"
        )
    if headline["use_time"] is not None:
        notes.append(
            f"At 85 °C {duration_text(headline['use_time'])} to the geometric mean,"
            f" {headline['use_time_origin']}"
        )
    elif headline["times"] < 2:
        notes.append("Nothing is extrapolated: fewer than two temperatures lost the window")
    return notes


def retention_figures(ds: xr.Dataset) -> list[Figure]:
    """The times at each temperature, then the Arrhenius law, for comparisons."""
    shown = retention_table(ds)
    figures = []
    for k, (ambient, _, end, geometric, half, *_) in enumerate(shown.rows):
        one = ds.isel(temperature=k)
        # a bake each: its ambient temperature is part of the key
        suffix = ambient.replace(" °C", "C").replace("-", "m")
        reads = one["conductance"].values[~one["conductance"].isnull().values]
        for title, text, key, value, unit in (
            ("To the geometric mean at", geometric, "time_geometric", one["time_geometric"], "s"),
            ("To the middle at", half, "time_half", one["time_half"], "s"),
            ("Resistance at the end,", end, "resistance_end", _last_ohms(reads), "ohm"),
        ):
            name = f"{key}_{suffix}"
            figures.append(Figure(f"{title} {ambient}", text, {name: float(value)}, {name: unit}))
    headline = json.loads(ds.attrs["headline_json"])
    if headline["activation_energy_ev"] is not None:
        energy = headline["activation_energy_ev"]
        values, units = {"activation_energy": energy}, {"activation_energy": "eV"}
        figures.append(Figure("Activation energy", f"{energy:.2f} eV", values, units))
    if headline["use_time"] is not None:
        text = f"{duration_text(headline['use_time'])}, {headline['use_time_origin']}"
        values, units = {"use_time": headline["use_time"]}, {"use_time": "s"}
        figures.append(Figure("Geometric mean at 85 °C", text, values, units))
    return figures


def _last_ohms(reads: np.ndarray) -> float:
    """Resistance of the last read [ohm]; NaN without one."""
    return 1.0 / float(reads[-1]) if reads.size else math.nan


def retention_entries(ds: xr.Dataset) -> dict[str, Any]:
    """Points and figures of a Retention for scripts; None where a time was not reached."""
    points = []
    for k in range(ds.sizes["temperature"]):
        one = ds.isel(temperature=k)
        values = {name: float(one[name]) for name in ("temperature", "time_geometric", "time_half")}
        reads = [float(g) for g in one["conductance"].values]
        points.append(
            {
                **{name: v if math.isfinite(v) else None for name, v in values.items()},
                "steps": int(one["steps"]),
                "status": str(one["status"].values),
                "conductance": [g if math.isfinite(g) else None for g in reads],
            }
        )
    names = ("temperature", "time_geometric", "time_half", "conductance", "time")
    headline = json.loads(ds.attrs["headline_json"])
    figures = {key: value for key, value in headline.items() if key != "seconds"}
    return {
        "points": points,
        "time": [float(t) for t in ds["time"].values],
        "figures": figures,
        "units": {name: unit_of(ds, name) for name in names}
        | {"activation_energy_ev": "eV", "use_time": "s", "ten_years_temperature": "K"},
    }


# cycles of programming


def endurance_figures(ds: xr.Dataset) -> list[Figure]:
    """The figures of an Endurance, over its cycles."""
    reached = ds["resistance"].notnull().values
    cycles = int(reached.all(axis=1).sum())
    hottest = float(ds["temperature_max"].max())
    figures = [
        Figure("Cycles", f"{cycles}", {"cycles": cycles}),
        Figure("Outcome", str(ds.attrs["outcome"]), {"outcome": str(ds.attrs["outcome"])}),
    ]
    for k, name in enumerate(("high", "low")):
        pulses = ds["pulses"].values[reached[:, k], k]
        heights = ds["amplitude_largest"].values[reached[:, k], k]
        if not pulses.size:
            continue
        figures.append(
            Figure(
                f"Pulses to the {name} resistance",
                f"{np.median(pulses):g} in the median, {pulses.max()} at most",
                {
                    f"pulses_{name}_median": float(np.median(pulses)),
                    f"pulses_{name}_most": int(pulses.max()),
                },
            )
        )
        values = {
            f"amplitude_{name}_first": float(heights[0]),
            f"amplitude_{name}_last": float(heights[-1]),
        }
        text = f"{heights[0]:+.2f} V in cycle 1, {heights[-1]:+.2f} V in cycle {len(heights)}"
        named = f"Largest pulse to the {name} resistance"
        figures.append(Figure(named, text, values, dict.fromkeys(values, "V")))
    if math.isfinite(hottest):
        unit = {"temperature_max": "K"}
        figures.append(
            Figure("Peak temperature", celsius(hottest), {"temperature_max": hottest}, unit)
        )
    return figures
