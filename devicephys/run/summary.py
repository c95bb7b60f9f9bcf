"""The figures of a run as names and numbers in SI units, for scripts."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["loop_entries", "pulse_entries", "switching_entries"]

#: unit of a headline figure by the words in its name
_UNITS = {
    "voltage": "V",
    "voltage_drift": "V",
    "range": "V",
    "temperature": "K",
    "resistance": "ohm",
    "seconds": "s",
}
_OF_RATIO = "resistance_ratio"


def loop_entries(ds: xr.Dataset) -> dict[str, Any]:
    """Headline figures of an IVTrace.

    Returns
    -------
    dict
        ``complete``, ``warning`` (or None), ``voltage_reference``, ``method``, ``figures`` (the
        headline figures; None for what the run did not reach, ``seconds`` by part of the solution
        and ``loops`` for each loop) and ``units`` of those that have one.
    """
    figures = json.loads(ds.attrs["headline_json"])
    named = {*figures, *(key for loop in figures.get("loops") or [] for key in loop)}
    units = {key: unit for key in sorted(named) if (unit := _unit(key))}
    return {**_of_run(ds), "figures": figures, "units": units}


def _unit(name: str) -> str:
    if name == _OF_RATIO:
        return ""
    return next((unit for word, unit in _UNITS.items() if word in name), "")


def pulse_entries(ds: xr.Dataset) -> dict[str, Any]:
    """Figures of a PulseTrace: ``complete``, ``figures`` and ``units`` as `loop_entries`.

    The figures are ``pulses``, ``conductance_start``, ``conductance_end``, ``conductance_min``,
    ``conductance_max`` [S], ``temperature_max`` [K] and ``hottest_pulse``, ``energy`` [J] of all
    pulses, ``wanted_resistance`` [ohm] and ``preparation_pulses``, means a pulse of what was
    computed, and ``seconds``.
    """
    conductance = ds["conductance"].values
    start = float(ds["initial_conductance"])
    hottest = int(ds["temperature_max"].values.argmax())
    figures: dict[str, Any] = {
        "pulses": int(ds.sizes["pulse"]),
        "conductance_start": start,
        "conductance_end": float(conductance[-1]),
        "conductance_min": min(start, float(conductance.min())),
        "conductance_max": max(start, float(conductance.max())),
        "temperature_max": float(ds["temperature_max"].values[hottest]),
        "hottest_pulse": hottest + 1,
        "energy": float(ds["energy"].values.sum()),
        "wanted_resistance": float(ds["wanted_resistance"]),
        "preparation_pulses": int(ds["preparation_pulses"]),
    }
    for name in ("accepted_steps", "rejected_steps", "newton_iterations"):
        figures[f"{name}_a_pulse"] = float(ds[name].values.mean())
    figures["seconds"] = json.loads(ds.attrs["headline_json"]).get("seconds")
    units = {name: "S" for name in figures if name.startswith("conductance_")}
    units |= {"temperature_max": "K", "energy": "J", "wanted_resistance": "ohm", "seconds": "s"}
    return {**_of_run(ds), "figures": figures, "units": units}


def switching_entries(ds: xr.Dataset) -> dict[str, Any]:
    """Switching times: ``points``, one for each polarity and voltage, and ``figures`` of each
    polarity (decades, span, slope in mV per decade, activation energy in eV)."""
    numbers = ("applied_voltage", "switching_time", "temperature_half", "local_slope")
    points = []
    for i, polarity in enumerate(ds["polarity"].values):
        for k in range(ds.sizes["voltage"]):
            point = ds.isel(polarity=i, voltage=k)
            points.append(
                {
                    "polarity": str(polarity),
                    "status": str(point["status"].values),
                    "steps": int(point["steps"]),
                    **{name: _finite(float(point[name])) for name in numbers},
                }
            )
    units = {name: str(ds[name].attrs["units"]) for name in numbers}
    units |= dict.fromkeys(("mv_per_decade", "steepest_mv", "flattest_mv"), "mV")
    units |= {"span_volts": "V", "activation_energy_ev": "eV"}
    return {
        **_of_run(ds),
        "points": points,
        "figures": json.loads(ds.attrs["headline_json"]),
        "units": units,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _of_run(ds: xr.Dataset) -> dict[str, Any]:
    keys = ("voltage_reference", "method")
    return {
        "complete": bool(ds.attrs.get("complete", 1)),
        "warning": ds.attrs.get("warning") or None,
        **{key: ds.attrs.get(key) for key in keys},
    }
