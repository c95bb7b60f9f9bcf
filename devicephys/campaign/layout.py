"""How a campaign lies in its zarr store, and how it is read: schema ``PulseCampaign`` version 1.

Dimensions: the three axes of the grid, ``cycle``, ``device`` and ``pulse``, each kept if it has
length 1. Every variable on ``pulse`` is one of ``PulseTrace``. What was not computed, or failed,
is NaN. A point is one chunk of every variable.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from ddkbase.errors import StorageError, first_line
from ddkbase.records import check_zarr
from devicephys.campaign.description import AXES, Campaign

SCHEMA, VERSION = "PulseCampaign", 1
POINT_DIMS = ("amplitude", "width", "initial_resistance", "cycle", "device")
MISSING, DONE, FAILED = 0, 1, 2
REASON_LENGTH = 240


class Variable(NamedTuple):
    """A variable of the store: units, name for plots, whether it has a value for each pulse, what
    it is called in ``PulseTrace``."""

    units: str
    long_name: str
    per_pulse: bool = True
    source: str = ""


VARIABLES: dict[str, Variable] = {
    "conductance": Variable("S", "conductance read after the pulse"),
    "read_current": Variable("A", "current of the read"),
    "voltage": Variable("V", "applied voltage at the end of the flat top"),
    "device_voltage": Variable("V", "voltage across the memristor at the end of the flat top"),
    "current": Variable("A", "current at the end of the flat top"),
    "temperature_max": Variable("K", "peak temperature within the pulse"),
    "filament_gap": Variable("m", "length of the filament's gap after the pulse"),
    "energy": Variable("J", "electric energy of the write pulse"),
    "pulse_amplitude": Variable("V", "height of the write pulse", source="amplitude"),
    "pulse_width": Variable("s", "flat top of the write pulse", source="width"),
    "accepted_steps": Variable("1", "accepted time steps"),
    "rejected_steps": Variable("1", "rejected time steps"),
    "newton_iterations": Variable("1", "Newton iterations"),
    "factorisations": Variable("1", "factorisations of a matrix"),
    "vacancy_imbalance": Variable("1", "largest imbalance of the vacancy inventory"),
    "current_imbalance": Variable("1", "largest imbalance of the current"),
    "energy_imbalance": Variable("1", "largest imbalance of the energy"),
    "measured_initial_resistance": Variable(
        "ohm", "resistance read before the first pulse", False, "initial_resistance"
    ),
    "preparation_pulses": Variable("1", "pulses that set the initial resistance", False),
}
STATUS = Variable("1", "0 missing, 1 done, 2 failed", False)
REASON = Variable("1", "why the point failed", False)
_LONG_NAMES = {
    "cycle": "cycle, counted from 0",
    "device": "number of the device, counted from 0",
    "pulse": "number of the pulse, counted from 1",
}


def point_variables() -> dict[str, Variable]:
    """Every variable of which a point has a chunk, ``status`` last."""
    return {**VARIABLES, "reason": REASON, "status": STATUS}


def coordinates(campaign: Campaign) -> dict[str, tuple[np.ndarray, str, str]]:
    """Values, units and long name of every coordinate; "as it is" is NaN."""
    values = (campaign.amplitudes, campaign.widths, campaign.initial_resistances)
    axes = {
        axis.name: (
            np.array([np.nan if v is None else v for v in of], dtype=float),
            axis.unit,
            axis.long_name,
        )
        for axis, of in zip(AXES, values, strict=True)
    }
    counts = {
        "cycle": np.arange(campaign.cycles),
        "device": np.arange(campaign.devices),
        "pulse": np.arange(1, campaign.pulse_count + 1),
    }
    return axes | {name: (array, "1", _LONG_NAMES[name]) for name, array in counts.items()}


def open_store(path: str | os.PathLike[str]) -> xr.Dataset:
    """The table of a campaign, finished or not, also while it is running.

    Values are read from the disk when they are asked for; ``.load()`` reads them all. A point is
    finished where ``status`` is 1.

    Returns
    -------
    xarray.Dataset
        Dataset of schema ``PulseCampaign`` version 1: on (amplitude [V], width [s],
        initial_resistance [ohm], cycle, device, pulse) what ``PulseTrace`` has on ``pulse``;
        without ``pulse`` ``status``, ``reason``, ``measured_initial_resistance`` [ohm] and
        ``preparation_pulses``.

    Raises
    ------
    StorageError
        No such store, not a store of a campaign, or of another version.
    """
    where = str(path)
    if not (Path(path) / "zarr.json").is_file():
        raise StorageError("there is no zarr store", where, "Name the folder given after --out")
    check_zarr(Path(path))
    try:
        ds = xr.open_zarr(path, chunks=None, consolidated=False)
    except Exception as error:  # zarr, xarray and numcodecs each have their own family
        raise StorageError(
            f"it cannot be read: damaged, or no zarr store [{first_line(error)}]", where
        ) from error
    check(ds, where)
    return ds


def check(ds: xr.Dataset, where: str) -> None:
    """Compare dimensions, units and attributes of a table with the schema.

    Raises StorageError: the first thing that differs.
    """
    check_schema(ds.attrs, where)
    for name in ("campaign_json", "device_yaml", "settings_json", "versions_json", "seed"):
        if name not in ds.attrs:
            raise StorageError(f"attribute '{name}' is missing", where)
    for name, variable in point_variables().items():
        if name not in ds.variables:
            raise StorageError(f"variable '{name}' is missing", where)
        dims = (*POINT_DIMS, "pulse") if variable.per_pulse else POINT_DIMS
        if ds[name].dims != dims:
            raise StorageError(f"variable '{name}' has dimensions {ds[name].dims}", where)
    for key, array in ds.variables.items():
        name = str(key)
        texts = [array.attrs.get(key) for key in ("units", "long_name")]
        if not all(isinstance(text, str) and text for text in texts):
            raise StorageError(f"variable '{name}' has no units or no long_name", where)
        spec = point_variables().get(name)
        if spec is not None and array.attrs["units"] != spec.units:
            raise StorageError(f"variable '{name}' is in '{array.attrs['units']}'", where)
    for name in (*POINT_DIMS, "pulse"):
        if name not in ds.coords:
            raise StorageError(f"coordinate '{name}' is missing", where)


def check_schema(attrs: Any, where: str) -> None:
    """Raises StorageError unless the attributes name this schema and version."""
    if attrs.get("schema") != SCHEMA:
        raise StorageError("it is not the store of a campaign", where, "Choose another --out")
    if attrs.get("schema_version") != VERSION:
        raise StorageError(
            f"version {attrs.get('schema_version')} of the store is not known here",
            where,
            f"This toolkit reads version {VERSION}",
        )
