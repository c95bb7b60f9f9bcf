"""The record of bakes, ``Retention`` version 1, and what is read off it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from ddkbase.schemas import ANYWHERE, FLOAT, INT, NEVER, TEXT, Schema, VariableSpec, labelled
from ddkbase.units import format_si
from devicephys.device import Device
from devicephys.protocol.bake import Bake
from devicephys.simulation.provenance import provenance
from devicephys.simulation.schemas import end_variables
from devicephys.simulation.settings import Settings

__all__ = [
    "COMPUTED",
    "NOT_COMPUTED",
    "RETENTION",
    "USE_TEMPERATURE",
    "BakeEvent",
    "arrhenius",
    "bake_dataset",
    "crossing_time",
    "duration_text",
]

COMPUTED, NOT_COMPUTED = "computed", "not computed"
#: ambient temperature for which retention is quoted, 85 degC, and how long it is to last, 10 years
USE_TEMPERATURE, TEN_YEARS = 358.15, 10 * 365.25 * 86400.0
BOLTZMANN_EV = 8.617333262e-5  # eV/K
_GRID = ("temperature", "time")


def _check(ds: xr.Dataset) -> str | None:
    time, temperature = ds["time"].values, ds["temperature"].values
    if len(time) < 2 or time[0] != 0 or np.any(np.diff(time) <= 0):
        return "'time' must begin at 0 and increase strictly"
    if not len(temperature) or temperature[0] <= 0 or np.any(np.diff(temperature) <= 0):
        return "'temperature' must be positive and increase strictly"
    return None


RETENTION = Schema(
    name="Retention",
    version=1,
    variables={
        "conductance": VariableSpec(_GRID, "S", FLOAT, ANYWHERE, "Conductance of the read"),
        "filament_gap": VariableSpec(_GRID, "m", FLOAT, ANYWHERE, "Filament gap"),
        "time_geometric": VariableSpec(
            ("temperature",), "s", FLOAT, ANYWHERE, "Time to the geometric mean of the window"
        ),
        "time_half": VariableSpec(
            ("temperature",), "s", FLOAT, ANYWHERE, "Time to the middle of the window"
        ),
        "steps": VariableSpec(("temperature",), "1", INT, NEVER, "Accepted steps"),
        "status": VariableSpec(("temperature",), "1", TEXT, NEVER, "Outcome"),
        "low_conductance": VariableSpec((), "S", FLOAT, NEVER, "Conductance of the high state"),
        "high_conductance": VariableSpec((), "S", FLOAT, NEVER, "Conductance of the low state"),
        "temperature": VariableSpec(("temperature",), "K", FLOAT, NEVER, "Ambient temperature"),
        "time": VariableSpec(("time",), "s", FLOAT, NEVER, "Time of the read"),
    },
    attrs=(
        "title",
        "device_yaml",
        "created",
        "voltage_reference",
        "method",
        "ranks",
        "seed",
        "complete",
        "source_checksum",
    ),
    json_attrs=("settings_json", "protocol_json", "versions_json", "headline_json"),
    check=_check,
)


@dataclasses.dataclass(frozen=True)
class BakeEvent:
    """A read of a bake: K, s, s, S, number of this read and of all, steps."""

    temperature: float
    time: float
    duration: float
    conductance: float
    read: int
    count: int
    steps: int


def crossing_time(time: np.ndarray, value: np.ndarray, target: float) -> float:
    """First time [s] at which a conductance passes a target; NaN if it does not within the reads.

    Log conductance is linear in log time between two reads; the read at time 0 stands for the
    start alone, and a crossing before the first read after it is put at that read.

    Parameters
    ----------
    time : ndarray of shape (reads,), s
        Times of the reads, the first of them 0.
    value : ndarray of shape (reads,), S
        Conductances; NaN where there is none.
    target : float, S
        The conductance that is waited for.
    """
    if not np.isfinite(value[0]) or value[0] == target:
        return math.nan
    beyond = (value >= target) if value[0] < target else (value <= target)
    hits = np.flatnonzero(beyond)
    if not hits.size:
        return math.nan
    k = int(hits[0])
    if k == 1:
        return float(time[1])
    (x0, x1), (y0, y1) = np.log(time[k - 1 : k + 1]), np.log(value[k - 1 : k + 1])
    return float(np.exp(x0 + (x1 - x0) * (math.log(target) - y0) / (y1 - y0)))


def arrhenius(temperature: np.ndarray, time: np.ndarray) -> tuple[float, float] | None:
    """Activation energy [eV] and prefactor [s] of t = t0 exp(Ea/kB T) through finite times.

    Parameters
    ----------
    temperature : ndarray of shape (temperatures,), K
        Ambient temperatures.
    time : ndarray of shape (temperatures,), s
        Times; NaN where there is none.

    Returns
    -------
    tuple of float or None
        None with fewer than two times.
    """
    valid = np.isfinite(time)
    if valid.sum() < 2:
        return None
    inverse = 1.0 / (BOLTZMANN_EV * temperature[valid])
    slope, offset = np.polyfit(inverse, np.log(time[valid]), 1)
    return float(slope), float(np.exp(offset))


def bake_dataset(
    device: Device,
    bake: Bake,
    settings: Settings,
    table: Mapping[str, np.ndarray],
    window: tuple[float, float],
    ends: list[Mapping[str, np.ndarray]],
    *,
    ranks: int,
    seconds: Mapping[str, float],
    complete: bool,
) -> xr.Dataset:
    """The Retention of the bakes done so far.

    ``table`` holds ``conductance`` and ``filament_gap`` of shape (temperatures, reads), ``steps``
    and ``status`` of shape (temperatures,); ``window`` the conductances of the high- and of the
    low-resistance state; ``ends`` the last states, as `devicephys.fem.grid_fields.end_fields`
    gives them, of which the record keeps that of a bake at one temperature.
    """
    low, high = window
    time, temperature = bake.read_times, np.array(bake.temperatures)
    targets = {"time_geometric": math.sqrt(low * high), "time_half": 0.5 * (low + high)}
    times = {
        name: np.array([crossing_time(time, row, target) for row in table["conductance"]])
        for name, target in targets.items()
    }
    arrays = {**table, **times, "low_conductance": low, "high_conductance": high}
    attrs = provenance(
        RETENTION,
        f"Retention of {device.name}",
        device,
        settings,
        bake.to_dict(),
        _headline(temperature, times["time_geometric"], bake)
        | {"seconds": {name: round(spent, 4) for name, spent in seconds.items()}},
        ranks=ranks,
        complete=complete,
    )
    data = labelled(RETENTION, arrays)
    data["status"] = data["status"].astype(object)  # text of any length
    coords = labelled(RETENTION, {"temperature": temperature, "time": time})
    ds = xr.Dataset(data, coords, attrs)
    return ds.assign(end_variables(ends[0])) if len(ends) == len(temperature) == 1 else ds


def _headline(temperature: np.ndarray, time: np.ndarray, bake: Bake) -> dict[str, Any]:
    """Arrhenius law of the times to the geometric mean, and what it says of 85 degC."""
    found = arrhenius(temperature, time)
    figures: dict[str, Any] = {
        "times": int(np.isfinite(time).sum()),
        "activation_energy_ev": None,
        "use_time": None,
        "use_time_origin": "",
        "ten_years_temperature": None,
        "duration": bake.duration,
    }
    at_use = np.isclose(temperature, USE_TEMPERATURE, atol=0.5) & np.isfinite(time)
    if at_use.any():
        figures |= {"use_time": float(time[at_use][0]), "use_time_origin": "simulated"}
    if found is None or not found[0] > 0:
        return figures
    energy, prefactor = found
    figures["activation_energy_ev"] = energy
    figures["ten_years_temperature"] = energy / (BOLTZMANN_EV * math.log(TEN_YEARS / prefactor))
    if not at_use.any():
        use = prefactor * math.exp(energy / (BOLTZMANN_EV * USE_TEMPERATURE))
        origin = f"extrapolated from {figures['times']} temperatures"
        figures |= {"use_time": use, "use_time_origin": origin}
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in figures.items()
    }


def duration_text(seconds: float) -> str:
    """A time as people say it: seconds with a prefix, hours, days or years."""
    for unit, length, least in (("years", 365.25 * 86400.0, 2.0), ("days", 86400.0, 2.0)):
        if seconds >= least * length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds / 3600.0:.3g} h" if seconds >= 7200.0 else format_si(seconds, "s", 3)
