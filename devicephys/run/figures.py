"""What came out of a run: one list of figures, as rows for people and as entries for scripts.

Each figure stands once, with its name and text and with its keys, values and units; tables, logs,
reports, comparisons of runs and ``--json`` documents are made from that list.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ddkbase.records import of_record
from ddkbase.units import format_si
from devicephys.device.library import device_of
from devicephys.run.figure import Figure, Table, celsius, unit_of
from devicephys.run.pictures import read_records
from devicephys.run.reliability_figures import (
    endurance_figures,
    retention_entries,
    retention_figures,
    retention_table,
    scan_entries,
    scan_figures,
    scan_table,
)
from devicephys.simulation.figures_of_merit import NO_RETURN
from devicephys.simulation.localisation import BREAKDOWN, LATTICE_CONSTANT
from devicephys.simulation.provenance import HOTTEST

__all__ = [
    "Figure",
    "Table",
    "compare_runs",
    "entries",
    "figures_of",
    "loop_figures",
    "table",
    "train_figures",
]


_SECONDS = {"jacobian": "Jacobian"}  # names for people of parts of the time


def figures_of(ds: xr.Dataset) -> list[Figure]:
    """The figures of the record of a run.

    Parameters
    ----------
    ds : xarray.Dataset
        An IVTrace, PulseTrace, SwitchingTime or Retention.

    Returns
    -------
    list of Figure
        The figures, in the order in which they are shown.
    """
    if ds.attrs["schema"] == "IVTrace":
        return loop_figures(json.loads(ds.attrs["headline_json"]))
    others = {
        "PulseTrace": train_figures,
        "SwitchingTime": scan_figures,
        "Retention": retention_figures,
        "Endurance": endurance_figures,
    }
    return others[ds.attrs["schema"]](ds)


@of_record()
def table(ds: xr.Dataset) -> Table:
    """The figures of a record of a run as texts.

    Parameters
    ----------
    ds : xarray.Dataset
        An IVTrace, PulseTrace, SwitchingTime or Retention.

    Returns
    -------
    Table
        The figures with their units, one row for each quantity; of a SwitchingTime one row for
        each polarity and voltage.
    """
    if ds.attrs["schema"] == "SwitchingTime":
        return scan_table(ds)
    if ds.attrs["schema"] == "Retention":
        return retention_table(ds)
    rows = [(figure.name, figure.text) for figure in figures_of(ds) if figure.name]
    return Table(("Quantity", "Value"), rows, right=(1,), notes=_gap(ds))


def _gap(ds: xr.Dataset) -> list[str]:
    """That a loop shows no SET since the filament does not reach through its layer."""
    headline = json.loads(ds.attrs.get("headline_json", "{}"))
    if not headline.get("undetermined", {}).get("set_voltage"):
        return []
    device = device_of(ds)
    filament = device.filament
    thickness = next(x.thickness for x in device.layers if x.name == filament.layer)
    if filament.height > thickness * (1 - 1e-9):
        return []
    height, whole = (format_si(x, "m") for x in (filament.height, thickness))
    return [
        f"The cell begins with a gap: its filament of {height} ends within {filament.layer}, "
        f'{whole} thick. A cell just formed has filament.height="{whole}"'
    ]


@of_record()
def entries(ds: xr.Dataset) -> dict[str, Any]:
    """The figures of a record of a run as names and numbers in SI units.

    Parameters
    ----------
    ds : xarray.Dataset
        An IVTrace, PulseTrace, SwitchingTime or Retention.

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
        return run | scan_entries(ds)
    if ds.attrs["schema"] == "Retention":
        return run | retention_entries(ds)
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


def _hottest(kelvin: float) -> str:
    return celsius(kelvin) + (" (the oxides melt)" if kelvin > HOTTEST else "")


def _returned(ratio: float) -> str:
    return f"{ratio:.2f}" + (" (the cell did not return)" if ratio > NO_RETURN else "")


def _count(name: str) -> _Headline:
    return _Headline(name, "", lambda number: f"{number:.0f}", numerical=True)


_HEADLINES = {
    "reset_onset_voltage": _Headline("RESET onset", "V", _volts, per_loop="RESET onset, loops"),
    "reset_gradual_range": _Headline("RESET is gradual over", "V", lambda v: f"{v:.3f} V"),
    "set_voltage": _Headline("SET", "V", _volts, per_loop="SET, loops"),
    "temperature_reset_edge": _Headline("Peak temperature, edge of RESET", "K", celsius),
    "temperature_set_edge": _Headline("Peak temperature, steepest step of SET", "K", celsius),
    "temperature_set_current": _Headline("Peak temperature, SET at half the limit", "K", celsius),
    "temperature_set_max": _Headline("Peak temperature, hottest of SET", "K", celsius),
    "set_current": _Headline("Half the limit of the current", "A", lambda i: format_si(i, "A", 3)),
    "temperature_max": _Headline("Peak temperature, whole run", "K", _hottest),
    "low_resistance_before": _Headline("Low resistance, before", "ohm", _ohms),
    "high_resistance": _Headline("High resistance", "ohm", _ohms),
    "low_resistance_after": _Headline("Low resistance, after", "ohm", _ohms),
    "resistance_first": _Headline("Resistance, first read at 0.1 V", "ohm", _ohms),
    "resistance_last": _Headline("Resistance, last read at 0.1 V", "ohm", _ohms),
    "current_largest": _Headline("Largest current", "A", lambda i: format_si(i, "A", 3)),
    "energy": _Headline("Energy", "J", lambda e: format_si(e, "J", 3)),
    "resistance_ratio": _Headline("High / low resistance", "", lambda ratio: f"{ratio:.1f}"),
    "return_ratio": _Headline("Low resistance, after / before", "", _returned),
    "reset_ripples": _count("Ripples of RESET, by the mesh"),
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
        # the cell's return is that of a loop whose RESET comes first
        if key in headline and (key != "return_ratio" or not _is_missing(headline[key])):
            value = headline[key]
            text = kind.text(value) if not _is_missing(value) else _missing(headline, key)
            units = {key: kind.unit} if kind.unit else {}
            figures.append(Figure(kind.name, text, {key: value}, units, kind.numerical))
    for key, value in headline.items():
        known = key in _HEADLINES or key in _LOCALISATION or key == "motion"
        if not known and not isinstance(value, dict | list):
            figures.append(Figure(key, str(value), {key: value}))
    figures += _held(headline)
    figures += localisation_figures(headline)
    loops = headline.get("loops")
    if loops is not None:
        figures += _loop_by_loop(loops)
    if "seconds" in headline:
        figures.append(_time(headline["seconds"]))
    return figures


def _held(headline: Mapping[str, Any]) -> list[Figure]:
    """That the vacancies did not move, if the record says so."""
    if headline.get("motion", True):
        return []
    return [Figure("Vacancies", "held where they are: heat and current alone", {"motion": False})]


def _missing(headline: Mapping[str, Any], key: str) -> str:
    """Why there is no value, if the record says so."""
    why = headline.get("undetermined", {})
    if key in why:
        return f"not determined: {why[key]}"
    event = "set_voltage" if "set_" in key.replace("reset", "") else "reset_onset_voltage"
    return "not determined" if event in why else "not reached"


#: where 90 % of the voltage falls, by `devicephys.simulation.localisation`, with units
_LOCALISATION = {
    "localisation_cells": "1",
    "localisation_thickness": "m",
    "field_max": "V/m",
    "localisation_vacancies": "1",
}


def localisation_figures(headline: Mapping[str, Any]) -> list[Figure]:
    """Where the voltage falls at the end of RESET; nothing of records that do not say it."""
    if any(_is_missing(headline.get(key)) for key in _LOCALISATION):
        return []
    values = {key: headline[key] for key in _LOCALISATION}
    cells, thickness, field, vacancies = values.values()
    thin = ", less than a lattice constant" if thickness < LATTICE_CONSTANT else ""
    strong = f" (films break down at about {BREAKDOWN * 1e-9:g})" if field > BREAKDOWN else ""
    keys = list(_LOCALISATION)
    units = {key: unit for key, unit in _LOCALISATION.items() if unit != "1"}
    return [
        Figure(
            "End of RESET, 90 % of the voltage",
            f"over {1e9 * thickness:.2g} nm, {cells:g} cell{'s' if cells > 1 else ''}{thin}",
            {key: values[key] for key in keys[:2]},
            {keys[1]: units[keys[1]]},
        ),
        Figure(
            "End of RESET, number of vacancies there",
            f"{float(f'{vacancies:.2g}'):g}",
            {keys[3]: vacancies},
        ),
        Figure(
            "End of RESET, largest field",
            f"{field * 1e-9:.2g} V/nm{strong}",
            {keys[2]: field},
            {keys[2]: units[keys[2]]},
        ),
    ]


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
    siemens, kelvin = unit_of(ds, "conductance"), unit_of(ds, "temperature_max")
    start, end = float(ds["initial_conductance"]), float(conductance[-1])
    low, high = min(start, float(conductance.min())), max(start, float(conductance.max()))
    hottest = int(ds["temperature_max"].values.argmax())
    peak = float(ds["temperature_max"][hottest])
    energy = float(ds["energy"].values.sum())
    count = int(ds.sizes["pulse"])
    target, pulses = float(ds["wanted_resistance"]), int(ds["preparation_pulses"])
    prepared = {"wanted_resistance": target, "preparation_pulses": pulses}
    ohm = {"wanted_resistance": unit_of(ds, "wanted_resistance")}
    figures = [Figure("Pulses", f"{count}", {"pulses": count})]
    if np.isnan(target):
        figures.append(Figure("", "", prepared, ohm))
    else:
        text = f"{format_si(target, 'ohm', 3)} asked, {pulses} pulse(s)"
        if not pulses:
            text += f"; taken as it is, {format_si(1 / start, 'ohm', 3)}"
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
            f"{_hottest(peak)} (pulse {hottest + 1})",
            {"temperature_max": peak, "hottest_pulse": hottest + 1},
            {"temperature_max": kelvin},
        ),
        Figure(
            "Energy",
            format_si(energy, "J", 3),
            {"energy": energy},
            {"energy": unit_of(ds, "energy")},
        ),
    ]
    if "control" in ds.sizes:
        miss = float(np.abs(ds["control_read_miss"].values).max())
        text = f"{ds.sizes['control']} pulse(s) in full, conductance off by up to {miss:.2%}"
        values = {"controls": int(ds.sizes["control"]), "control_read_miss": miss}
        figures.append(Figure("Controls of merged pulses", text, values, numerical=True))
    for name in ("accepted_steps", "rejected_steps", "newton_iterations"):
        mean = float(ds[name].values.mean())
        title = f"{name.replace('_', ' ').capitalize()} a pulse"
        figures.append(Figure(title, f"{mean:.1f}", {f"{name}_a_pulse": mean}, numerical=True))
    headline = json.loads(ds.attrs["headline_json"])
    figures += [*_held(headline), *localisation_figures(headline)]
    figures.append(_time(headline.get("seconds")))
    return figures


def _conductance_text(value: float) -> str:
    if not value > 0:
        return format_si(value, "S")
    return f"{format_si(value, 'S')} ({format_si(1 / value, 'ohm')})"


_NONE = "–"


@of_record()
def compare_runs(
    folders: Sequence[str | Path],
) -> tuple[list[list[str]], list[list[str]], list[Any]]:
    """Lay the figures of several runs side by side.

    Parameters
    ----------
    folders : sequence of str or Path
        Folders of loops, trains or scans; the first is the one that the others are held against.

    Returns
    -------
    differences : list of list of str
        Rows of what differs in the request: parameter, then its value in each run.
    figures : list of list of str
        Rows of figures: name, then its text of each run.
    entries : list
        For each run its entries as in its ``--json`` document.

    Raises
    ------
    StorageError
        No such folder, no record of a run in it, or a damaged one.
    """
    requests, figures, documents = [], [], []
    for folder in folders:
        ds = read_records(Path(folder))[0]
        figures.append({f.name: f.text for f in figures_of(ds) if f.name and not f.numerical})
        documents.append(entries(ds))
        requests.append(_request(ds))
    differences = [row for row in _side_by_side(requests) if len(set(row[1:])) > 1]
    return differences, _side_by_side(figures), documents


def _request(ds: xr.Dataset) -> dict[str, str]:
    """Preset, protocol and parameters of a run, as texts."""
    settings = json.loads(ds.attrs.get("settings_json", "{}"))
    protocol = json.loads(ds.attrs.get("protocol_json", "{}"))
    device = device_of(ds)
    request = {"device": device.name, "preset": str(settings.get("name", "?"))}
    request["vacancies"] = "move" if settings.get("motion", True) else "held"
    request |= {f"protocol.{name}": str(value) for name, value in protocol.items()}
    return request | {row.path: str(row.value) for row in device.table()}


def _side_by_side(runs: Sequence[dict[str, str]]) -> list[list[str]]:
    """A row for each name that any run has."""
    names = dict.fromkeys(name for run in runs for name in run)
    return [[name, *(run.get(name, _NONE) for run in runs)] for name in names]
