"""The record of program-and-verify cycles, ``Endurance`` version 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from ddkbase.schemas import ANYWHERE, FLOAT, INT, NEVER, TEXT, Schema, VariableSpec, labelled
from devicephys.device import Device
from devicephys.protocol.endurance import EnduranceTest
from devicephys.simulation.provenance import provenance, warning_of
from devicephys.simulation.schemas import end_variables
from devicephys.simulation.settings import Settings

__all__ = ["COLUMNS", "ENDURANCE", "STATES", "endurance_dataset"]

STATES = ("high", "low")
#: variables on (cycle, state) in the order in which they are collected
COLUMNS = ("resistance", "pulses", "amplitude_largest", "temperature_max")
_GRID = ("cycle", "state")


def _check(ds: xr.Dataset) -> str | None:
    if not len(ds["cycle"]) or np.any(np.diff(ds["cycle"].values) != 1) or ds["cycle"][0] != 1:
        return "'cycle' must count from 1"
    if [str(state) for state in ds["state"].values] != list(STATES):
        return f"'state' must be {' and '.join(STATES)}"
    return None


ENDURANCE = Schema(
    name="Endurance",
    version=1,
    variables={
        "resistance": VariableSpec(_GRID, "ohm", FLOAT, ANYWHERE, "Resistance that was reached"),
        "pulses": VariableSpec(_GRID, "1", INT, NEVER, "Pulses that it took"),
        "amplitude_largest": VariableSpec(
            _GRID, "V", FLOAT, ANYWHERE, "Height of the largest pulse, with its sign"
        ),
        "temperature_max": VariableSpec(_GRID, "K", FLOAT, ANYWHERE, "Peak temperature"),
        "initial_resistance": VariableSpec((), "ohm", FLOAT, NEVER, "Resistance at the start"),
        "cycle": VariableSpec(("cycle",), "1", INT, NEVER, "Cycle"),
        "state": VariableSpec(("state",), "1", TEXT, NEVER, "State that was programmed"),
    },
    attrs=(
        "title",
        "device_yaml",
        "created",
        "voltage_reference",
        "method",
        "outcome",
        "ranks",
        "seed",
        "complete",
        "source_checksum",
    ),
    json_attrs=("settings_json", "protocol_json", "versions_json", "headline_json"),
    check=_check,
)


def endurance_dataset(
    device: Device,
    protocol: EnduranceTest,
    settings: Settings,
    table: np.ndarray,
    initial_resistance: float,
    outcome: str,
    end: Mapping[str, np.ndarray],
    *,
    ranks: int,
    seconds: Mapping[str, float],
    complete: bool,
) -> xr.Dataset:
    """The Endurance of the cycles done so far.

    ``table`` has shape (cycles, 2, len(COLUMNS)), NaN where a state was not reached; ``outcome``
    says why the cycles ended; ``end`` is the last state, as
    `devicephys.fem.grid_fields.end_fields` gives it.
    """
    arrays: dict[str, Any] = {name: table[..., k] for k, name in enumerate(COLUMNS)}
    arrays["pulses"] = np.nan_to_num(arrays["pulses"]).astype(int)
    arrays["initial_resistance"] = initial_resistance
    hottest = float(np.nanmax(table[..., COLUMNS.index("temperature_max")], initial=0.0))
    attrs = provenance(
        ENDURANCE,
        f"Endurance of {device.name}",
        device,
        settings,
        protocol.to_dict(),
        {"seconds": {name: round(spent, 4) for name, spent in seconds.items()}},
        ranks=ranks,
        complete=complete,
    )
    attrs |= {"outcome": outcome, **warning_of(hottest)}
    coords = labelled(
        ENDURANCE,
        {"cycle": np.arange(1, len(table) + 1), "state": np.array(STATES, dtype=object)},
    )
    return xr.Dataset(labelled(ENDURANCE, arrays), coords, attrs).assign(end_variables(end))
