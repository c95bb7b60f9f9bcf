"""What came out of a run: one list of figures, as rows for people and as entries for scripts.

Each figure stands once, with its name and text and with its keys, values and units; tables, logs,
reports, comparisons and ``--json`` documents are made from that list.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from ddkbase.units import format_si
from devicephys.simulation.schemas import SWITCHED

__all__ = ["Figure", "Table", "entries", "figures_of", "loop_figures", "table", "train_figures"]

CELSIUS_ZERO = 273.15  # K
_SECONDS = {"jacobian": "Jacobian"}  # names for people of parts of the time


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


def figures_of(ds: xr.Dataset) -> list[Figure]:
    """The figures of an IVTrace, a PulseTrace or a SwitchingTime.

    Parameters
    ----------
    ds : xarray.Dataset
        An IVTrace, PulseTrace or SwitchingTime.

    Returns
    -------
    list of Figure
        The figures, in the order in which they are shown.
    """
    if ds.attrs["schema"] == "IVTrace":
        return loop_figures(json.loads(ds.attrs["headline_json"]))
    return train_figures(ds) if ds.attrs["schema"] == "PulseTrace" else scan_figures(ds)


def table(ds: xr.Dataset) -> Table:
    """The figures of an IVTrace, PulseTrace or SwitchingTime as texts.

    Parameters
    ----------
    ds : xarray.Dataset
        An IVTrace, PulseTrace or SwitchingTime.

    Returns
    -------
    Table
        The figures with their units, one row for each quantity; of a SwitchingTime one row for
        each polarity and voltage.
    """
    if ds.attrs["schema"] == "SwitchingTime":
        return _scan_table(ds)
    rows = [(figure.name, figure.text) for figure in figures_of(ds) if figure.name]
    return Table(("Quantity", "Value"), rows, right=(1,))


def entries(ds: xr.Dataset) -> dict[str, Any]:
    """The figures of an IVTrace, PulseTrace or SwitchingTime as names and numbers in SI units.

    Parameters
    ----------
    ds : xarray.Dataset
        An IVTrace, PulseTrace or SwitchingTime.

    Returns
    -------
    dict
        ``complete``, ``warning`` (or None), ``voltage_reference``, ``method``, ``figures`` and
        ``units`` of those that have one; None for what the run did not reach. A SwitchingTime has
        ``points`` besides, one for each polarity and voltage, and ``figures`` of each polarity.
    """
    run = {
        "complete": bool(ds.attrs.get("complete", 1)),
        "warning": ds.attrs.get("warning") or None,
        **{key: ds.attrs.get(key) for key in ("voltage_reference", "method")},
    }
    if ds.attrs["schema"] == "SwitchingTime":
        return run | _scan_entries(ds)
    values: dict[str, Any] = {}
    units: dict[str, str] = {}
    for figure in figures_of(ds):
        values |= figure.values
        units |= figure.units
    return run | {"figures": values, "units": units}


# current-voltage loops


@dataclasses.dataclass(frozen=True)
class _Headline:
    """How a headline figure of a loop reads: its name, its unit, its text."""

    name: str
    unit: str
    text: Callable[[float], str]
    numerical: bool = False
    per_loop: str = ""  # name of the row with its values in the single loops


def _volts(value: float) -> str:
    return f"{value:+.3f} V"


def _ohms(value: float) -> str:
    return format_si(value, "ohm", 3)


def celsius(kelvin: float) -> str:
    """Return a temperature as text in whole °C."""
    return f"{kelvin - CELSIUS_ZERO:.0f} °C"


def _count(name: str) -> _Headline:
    return _Headline(name, "", lambda number: f"{number:.0f}", numerical=True)


_HEADLINES = {
    "reset_onset_voltage": _Headline("RESET onset", "V", _volts, per_loop="RESET onset, loops"),
    "reset_gradual_range": _Headline("RESET is gradual over", "V", lambda v: f"{v:.3f} V"),
    "set_voltage": _Headline("SET", "V", _volts, per_loop="SET, loops"),
    "temperature_reset_edge": _Headline("Peak temperature, edge of RESET", "K", celsius),
    "temperature_set_edge": _Headline("Peak temperature, edge of SET", "K", celsius),
    "temperature_max": _Headline("Peak temperature, whole run", "K", celsius),
    "low_resistance_before": _Headline("Low resistance, before", "ohm", _ohms),
    "high_resistance": _Headline("High resistance", "ohm", _ohms),
    "low_resistance_after": _Headline("Low resistance, after", "ohm", _ohms),
    "resistance_first": _Headline("Resistance, first read at 0.1 V", "ohm", _ohms),
    "resistance_last": _Headline("Resistance, last read at 0.1 V", "ohm", _ohms),
    "current_largest": _Headline("Largest current", "A", lambda i: format_si(i, "A", 3)),
    "energy": _Headline("Energy", "J", lambda e: format_si(e, "J", 3)),
    "resistance_ratio": _Headline("High / low resistance", "", lambda ratio: f"{ratio:.1f}"),
    "steps": _count("Accepted steps"),
    "rejected_steps": _count("Rejected steps"),
    "newton_iterations": _count("Newton iterations"),
    "factorisations": _count("Factorisations"),
    "cells": _count("Cells of the mesh"),
    "unknowns": _count("Unknowns"),
}


def loop_figures(headline: Mapping[str, Any]) -> list[Figure]:
    """The headline figures of an IVTrace, from its attribute ``headline_json``.

    A figure that the run did not reach (``None`` or NaN) reads "not reached"; one that is not
    listed here is shown under its own name if it is a number or a text. Of the list ``loops`` the
    voltages are shown if it has more than one loop; the mapping ``seconds`` becomes the row
    "Time", its largest part first.
    """
    figures = []
    for key, kind in _HEADLINES.items():
        if key in headline:
            value = headline[key]
            text = "not reached" if _is_missing(value) else kind.text(value)
            units = {key: kind.unit} if kind.unit else {}
            figures.append(Figure(kind.name, text, {key: value}, units, kind.numerical))
    for key, value in headline.items():
        if key not in _HEADLINES and not isinstance(value, dict | list):
            figures.append(Figure(key, str(value), {key: value}))
    loops = headline.get("loops")
    if loops is not None:
        figures += _loop_by_loop(loops)
    if "seconds" in headline:
        figures.append(_time(headline["seconds"]))
    return figures


def _loop_by_loop(loops: Sequence[Mapping[str, Any]]) -> list[Figure]:
    present = {key for loop in loops for key in loop}
    units = {key: _HEADLINES[key].unit for key in _HEADLINES if key in present}
    figures = [Figure("", "", {"loops": loops}, {key: unit for key, unit in units.items() if unit})]
    if len(loops) < 2:
        return figures
    for key, kind in _HEADLINES.items():
        if kind.per_loop:
            values = [loop.get(key) for loop in loops]
            texts = ["not reached" if _is_missing(v) else f"{v:+.2f}" for v in values]
            unit = "" if _is_missing(values[-1]) else f" {kind.unit}"
            figures.append(Figure(kind.per_loop, ", ".join(texts) + unit))
    return figures


def _is_missing(value: Any) -> bool:
    return not isinstance(value, int | float) or value != value


def _time(seconds: Any) -> Figure:
    """The wall-clock time of a run by part; nothing for people if there is none."""
    name, text = "", ""
    if isinstance(seconds, dict) and seconds:
        name, text = "Time", _time_text(seconds)
    return Figure(name, text, {"seconds": seconds}, {"seconds": "s"}, numerical=True)


def _time_text(seconds: Mapping[str, float]) -> str:
    """E.g. "3.3 s (factorisation 1.5, Jacobian 0.8, setup 0.2)": the total, its parts."""
    # "solving" is the sum of all others but "setup"
    shares = {key: value for key, value in seconds.items() if key != "solving"}
    largest = sorted(shares.items(), key=lambda item: -item[1])
    named = [f"{_SECONDS.get(key, key)} {value:.1f}" for key, value in largest if value >= 0.05]
    return f"{sum(shares.values()):.1f} s" + (f" ({', '.join(named)})" if named else "")


# pulse trains


def train_figures(ds: xr.Dataset) -> list[Figure]:
    """The figures of a PulseTrace."""
    conductance = ds["conductance"]
    siemens, kelvin = _unit(ds, "conductance"), _unit(ds, "temperature_max")
    start, end = float(ds["initial_conductance"]), float(conductance[-1])
    low, high = min(start, float(conductance.min())), max(start, float(conductance.max()))
    hottest = int(ds["temperature_max"].values.argmax())
    peak = float(ds["temperature_max"][hottest])
    energy = float(ds["energy"].values.sum())
    count = int(ds.sizes["pulse"])
    target, pulses = float(ds["wanted_resistance"]), int(ds["preparation_pulses"])
    prepared = {"wanted_resistance": target, "preparation_pulses": pulses}
    ohm = {"wanted_resistance": _unit(ds, "wanted_resistance")}
    figures = [Figure("Pulses", f"{count}", {"pulses": count})]
    if np.isnan(target):
        figures.append(Figure("", "", prepared, ohm))
    else:
        text = f"{format_si(target, 'ohm', 3)} asked, {pulses} pulse(s)"
        figures.append(Figure("Prepared", text, prepared, ohm))
    for when, value in (("start", start), ("end", end)):
        key = f"conductance_{when}"
        text = _conductance_text(value)
        figures.append(Figure(f"Conductance, {when}", text, {key: value}, {key: siemens}))
    factor = f" (factor {high / low:.3g})" if low > 0 else ""
    figures += [
        Figure(
            "Window",
            f"{format_si(low, 'S')} to {format_si(high, 'S')}{factor}",
            {"conductance_min": low, "conductance_max": high},
            {"conductance_min": siemens, "conductance_max": siemens},
        ),
        Figure(
            "Peak temperature",
            f"{celsius(peak)} (pulse {hottest + 1})",
            {"temperature_max": peak, "hottest_pulse": hottest + 1},
            {"temperature_max": kelvin},
        ),
        Figure(
            "Energy", format_si(energy, "J", 3), {"energy": energy}, {"energy": _unit(ds, "energy")}
        ),
    ]
    for name in ("accepted_steps", "rejected_steps", "newton_iterations"):
        mean = float(ds[name].values.mean())
        title = f"{name.replace('_', ' ').capitalize()} a pulse"
        figures.append(Figure(title, f"{mean:.1f}", {f"{name}_a_pulse": mean}, numerical=True))
    figures.append(_time(json.loads(ds.attrs["headline_json"]).get("seconds")))
    return figures


def _unit(ds: xr.Dataset, name: str) -> str:
    return str(ds[name].attrs["units"])


def _conductance_text(value: float) -> str:
    if not value > 0:
        return format_si(value, "S")
    return f"{format_si(value, 'S')} ({format_si(1 / value, 'ohm')})"


# switching times


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
#: `devicephys.simulation.switching_record.slope_figures` gives them
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
    for voltage, time, *_, reason in _scan_table(ds).rows:
        figures.append(Figure(f"Switching time at {voltage}", reason or time))
    return figures


def _points(ds: xr.Dataset) -> list[xr.Dataset]:
    """A dataset for each polarity and voltage, in the order of the record."""
    grid = [(i, k) for i in range(ds.sizes["polarity"]) for k in range(ds.sizes["voltage"])]
    return [ds.isel(polarity=i, voltage=k) for i, k in grid]


def _scan_table(ds: xr.Dataset) -> Table:
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


def _scan_entries(ds: xr.Dataset) -> dict[str, Any]:
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
    units = {name: _unit(ds, name) for name in _COLUMNS if name != "steps"}
    units |= {key: unit for key, (_, unit, _) in _SLOPES.items() if unit}
    return {"points": points, "figures": json.loads(ds.attrs["headline_json"]), "units": units}
