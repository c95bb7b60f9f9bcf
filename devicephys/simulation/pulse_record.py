"""The dataset of a pulse train: what was measured on each pulse, and where it came from."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from ddkbase.schemas import label, labelled
from devicephys.device import Device
from devicephys.protocol.pulse_train import PulseTrain
from devicephys.simulation.localisation import Localisation, limits_of
from devicephys.simulation.provenance import provenance, warning_of
from devicephys.simulation.schemas import PULSE_TRACE, end_variables
from devicephys.simulation.settings import Settings

#: variables on ``pulse`` that count something
COUNTS = ("accepted_steps", "rejected_steps", "newton_iterations", "factorisations")
#: variables on ``pulse`` in the order in which they are collected and kept in a checkpoint
COLUMNS = (
    "conductance",
    "read_current",
    "voltage",
    "device_voltage",
    "current",
    "temperature_max",
    "filament_gap",
    "energy",
    "amplitude",
    "width",
    *COUNTS,
    "vacancy_imbalance",
    "current_imbalance",
    "energy_imbalance",
)
#: what is kept of each pulse that was simulated in full to control a merged stretch
CONTROL_COLUMNS = {
    "control_pulse": ("1", "Pulses before the control"),
    "control_credit": ("s", "Flat top that the flanks are worth"),
    "control_energy": ("1", "Energy of the pulse over that of its flat top"),
    "control_miss": ("1", "Movement off the flat top, as a share of the pulse's"),
    "control_read_miss": ("1", "Conductance off the flat top, relative"),
    "control_rest": ("1", "Movement after the pulse, as a share of the pulse's"),
}


@dataclasses.dataclass(frozen=True)
class Origin:
    """What a train was simulated on: the device as drawn, and the numbers it was drawn from."""

    device: Device
    settings: Settings
    seed: int | None
    cycle: int
    device_number: int
    spreads: Mapping[str, Any] | None

    def numbers(self) -> list[int | None]:
        """Seed, cycle and device number."""
        return [
            None if self.seed is None else int(self.seed),
            int(self.cycle),
            int(self.device_number),
        ]


def pulse_dataset(
    figures: np.ndarray,
    train: PulseTrain,
    origin: Origin,
    *,
    initial_conductance: float,
    wanted_resistance: float | None,
    preparation_pulses: int,
    counts: Mapping[str, int],
    seconds: Mapping[str, float],
    complete: bool,
    fall: Localisation | None = None,
    end: Mapping[str, np.ndarray] | None = None,
    controls: np.ndarray | None = None,
) -> xr.Dataset:
    """Dataset of schema ``PulseTrace`` version 1.

    ``figures`` has shape (pulses, len(COLUMNS)), SI units, in the order of ``COLUMNS``; ``counts``
    holds the numbers of unknowns and ranks, ``seconds`` the wall-clock time by part; ``fall`` says
    where the voltage falls at the end of the last pulse's flat top; ``end`` holds the last state,
    as `devicephys.fem.grid_fields.end_fields` gives it. ``controls``
    has shape (controls, len(CONTROL_COLUMNS)); it is on the dimension ``control``, which a train
    without merged pulses does not have.
    """
    columns = {
        name: figures[:, k].astype(int if name in COUNTS else float)
        for k, name in enumerate(COLUMNS)
    }
    scalars = {
        "initial_conductance": initial_conductance,
        "initial_resistance": 1.0 / initial_conductance,
        "wanted_resistance": np.nan if wanted_resistance is None else wanted_resistance,
        "preparation_pulses": preparation_pulses,
    }
    headline = {
        "pulses": len(figures),
        "conductance_first": initial_conductance,
        "conductance_last": float(columns["conductance"][-1]),
        "newton_iterations_per_pulse": float(columns["newton_iterations"].mean()),
        "factorisations_per_pulse": float(columns["factorisations"].mean()),
        "steps_per_pulse": float(columns["accepted_steps"].mean()),
        **(dataclasses.asdict(fall) if fall is not None else {}),
        "unknowns": counts["unknowns"],
        "seconds": {name: round(spent, 4) for name, spent in seconds.items()},
    }
    largest = {"device_voltage_max": float(np.abs(columns["device_voltage"]).max())}
    attrs = provenance(
        PULSE_TRACE,
        f"Pulse train on {origin.device.name}",
        origin.device,
        origin.settings,
        train.to_dict(),
        headline,
        ranks=counts["ranks"],
        complete=complete,
        seed=origin.seed if origin.seed is not None else "none: the cell is the one described",
    )
    attrs |= {
        "variability_json": json.dumps(origin.spreads or {}),
        "cycle": origin.cycle,
        "device_number": origin.device_number,
        **warning_of(
            float(columns["temperature_max"].max()),
            *limits_of(origin.device, largest),
            fall.warning() if fall is not None else "",
        ),
    }
    number = {"pulse": np.arange(1, len(figures) + 1)}
    variables = labelled(PULSE_TRACE, {**columns, **scalars})
    if controls is not None and len(controls):
        variables |= {
            name: label(controls[:, k], "control", units, long_name)
            for k, (name, (units, long_name)) in enumerate(CONTROL_COLUMNS.items())
        }
    ds = xr.Dataset(variables, labelled(PULSE_TRACE, number), attrs)
    return ds if end is None else ds.assign(end_variables(end))
