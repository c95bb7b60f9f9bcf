"""What a scan measured, its dataset ``SwitchingTime``, and slopes of time over voltage."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from ddkbase.schemas import TEXT, labelled
from devicephys.device import Device
from devicephys.protocol.switching_scan import SwitchingScan
from devicephys.simulation.provenance import provenance
from devicephys.simulation.schemas import GRID, NOT_COMPUTED, SWITCHING_TIME
from devicephys.simulation.settings import Settings

#: Boltzmann's constant, eV/K
BOLTZMANN_EV = 8.617333262e-5
CRITERION_TEXT = {
    "read": "in a read of the cold cell, RESET to half of the start's conductance, SET to the"
    " geometric mean of both states'",
    "applied": "at the applied voltage, RESET to half of the start's conductance, SET to ten times"
    " what a read of the start finds",
}


@dataclass
class Point:
    """Result for one polarity and voltage; times in s, conductances in S, NaN where unknown."""

    polarity: str
    voltage: float
    status: str = NOT_COMPUTED
    reason: str = ""
    switching_time: float = math.nan
    temperature_half: float = math.nan
    start_conductance: float = math.nan
    target_conductance: float = math.nan
    end_conductance: float = math.nan
    steps: int = 0
    newton_iterations: int = 0


@dataclass
class Results:
    """Points of a scan in the order in which they were measured, and how many there will be."""

    total: int
    points: list[Point] = field(default_factory=list)


def dataset(
    device: Device,
    scan: SwitchingScan,
    settings: Settings,
    points: Sequence[Point],
    ranks: int,
    complete: bool,
) -> xr.Dataset:
    """The SwitchingTime of the points measured so far; what is missing reads "not computed"."""
    shape = len(scan.polarities), len(scan.voltages)
    blank = Point("", 0.0)
    table = np.full(shape, blank, dtype=object)
    for point in points:
        where = scan.polarities.index(point.polarity), scan.voltages.index(point.voltage)
        table[where] = point
    columns = {
        name: np.array([[getattr(point, name) for point in row] for row in table])
        for name, spec in SWITCHING_TIME.variables.items()
        if spec.dims == GRID and name not in ("applied_voltage", "local_slope")
    }
    voltages = np.array(scan.voltages)
    sign = np.array([-1.0 if polarity == "reset" else 1.0 for polarity in scan.polarities])
    columns["applied_voltage"] = sign[:, None] * voltages[None, :]
    columns["local_slope"] = np.array(
        [local_slope(voltages, row) for row in columns["switching_time"]]
    )
    data = labelled(SWITCHING_TIME, columns)
    for name, variable in data.items():  # text of any length
        if SWITCHING_TIME.variables[name].kind == TEXT:
            data[name] = variable.astype(object)
    polarities = np.array(scan.polarities, dtype=object)
    coords = labelled(SWITCHING_TIME, {"polarity": polarities, "voltage": voltages})
    figures = {
        polarity: slope_figures(voltages, columns["switching_time"][i])
        | {
            "activation_energy_ev": activation_energy(
                columns["temperature_half"][i], columns["switching_time"][i]
            )
        }
        for i, polarity in enumerate(scan.polarities)
    }
    attrs = provenance(
        SWITCHING_TIME,
        f"Switching time of {device.name}",
        device,
        settings,
        scan.to_dict(),
        figures,
        ranks=ranks,
        complete=complete,
    )
    attrs["criterion"] = f"{scan.criterion}: {CRITERION_TEXT[scan.criterion]}"
    return xr.Dataset(data, coords, attrs)


def local_slope(voltage: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Decades of time won per volt [1/V] at each voltage, shape (voltages,).

    Difference quotient over the neighbours on both sides, at the ends over the one there is; NaN
    where the time is NaN or no neighbour has one.
    """
    out = np.full(len(voltage), np.nan)
    decades = np.log10(time)
    for k in np.flatnonzero(np.isfinite(decades)):
        near = [j for j in (k - 1, k, k + 1) if 0 <= j < len(voltage) and np.isfinite(decades[j])]
        first, last = near[0], near[-1]
        if first != last:
            out[k] = (decades[first] - decades[last]) / (voltage[last] - voltage[first])
    return out


def activation_energy(temperature: np.ndarray, time: np.ndarray) -> float | None:
    """Activation energy [eV] of a straight line through log time against 1/(kB T); None if fewer
    than three voltages switched."""
    valid = np.isfinite(time) & np.isfinite(temperature)
    inverse = 1.0 / (BOLTZMANN_EV * temperature[valid])
    if valid.sum() < 3 or np.ptp(inverse) == 0.0:
        return None
    return float(np.polynomial.Polynomial.fit(inverse, np.log(time[valid]), 1).convert().coef[1])


def slope_figures(voltage: np.ndarray, time: np.ndarray) -> dict[str, float | int | None]:
    """Headline figures of one polarity: how many voltages switched, the decades of time between
    the slowest and the fastest, the volts they span, and the quotient in mV per decade, over all
    and where it is smallest and largest between neighbours. None where there is nothing."""
    switched = np.flatnonzero(np.isfinite(time))
    figures: dict[str, float | int | None] = {"switched": len(switched), "voltages": len(voltage)}
    names = ("decades", "span_volts", "mv_per_decade", "steepest_mv", "flattest_mv")
    if len(switched) < 2:
        return figures | dict.fromkeys(names)
    decades = -np.diff(np.log10(time[switched]))
    volts = np.diff(voltage[switched])
    with np.errstate(divide="ignore"):
        pieces = 1e3 * volts / decades
    total = float(decades.sum())
    values = (
        total,
        float(volts.sum()),
        1e3 * float(volts.sum()) / total if total else math.inf,
        float(pieces.min()),
        float(pieces.max()),
    )
    finite = {n: (v if math.isfinite(v) else None) for n, v in zip(names, values, strict=True)}
    return figures | finite
