"""Runs of the shipped device and their headline figures, as rows of tables."""

from __future__ import annotations

import json
import sys
from typing import Any

import xarray as xr
from markdown import number
from mpi4py import MPI

import devicephys
from devicephys import Device, Interrupted, Settings
from devicephys.simulation.iv_record import ProgressEvent

DEVICE = "tin-taox-hfox-tin"
CELSIUS_ZERO = 273.15  # K
MOST_STEPS = 4000

#: column of the tables in the docs: title, key of the headline figures, format, scale, shift before
#: scaling
COLUMNS = (
    ("RESET onset (V)", "reset_onset_voltage", ".4f", 1.0, 0.0),
    ("gradual over (V)", "reset_gradual_range", ".3f", 1.0, 0.0),
    ("SET (V)", "set_voltage", ".4f", 1.0, 0.0),
    ("T at RESET (°C)", "temperature_reset_edge", ".1f", 1.0, -CELSIUS_ZERO),
    ("T at SET (°C)", "temperature_set_edge", ".1f", 1.0, -CELSIUS_ZERO),
    ("low R before (kΩ)", "low_resistance_before", ".3f", 1e-3, 0.0),
    ("high R (kΩ)", "high_resistance", ".2f", 1e-3, 0.0),
    ("low R after (kΩ)", "low_resistance_after", ".3f", 1e-3, 0.0),
)


def run(device: Device, settings: Settings) -> xr.Dataset:
    """One run of the device's own sweep on this process alone, named on the error stream.

    Ends after ``MOST_STEPS`` steps with what there is: one-pass staggering may stop making
    progress once the fields pull on each other.
    """

    def watch(event: ProgressEvent) -> None:
        if event.steps >= MOST_STEPS:
            raise KeyboardInterrupt

    try:
        trace = devicephys.simulate(device, settings=settings, progress=watch, comm=MPI.COMM_SELF)
    except Interrupted as stopped:
        if stopped.partial is None or stopped.partial.sizes["time"] <= MOST_STEPS:
            raise  # by a person
        trace = stopped.partial
    seconds = headline(trace)["seconds"]["solving"]
    print(f"{settings.name}, {settings.scheme}: {seconds:.2f} s", file=sys.stderr)
    return trace


def headline(trace: xr.Dataset) -> dict[str, Any]:
    """Headline figures of a record, counts and seconds among them."""
    found: dict[str, Any] = json.loads(trace.attrs["headline_json"])
    return found


def cells(figures: dict[str, Any]) -> list[str]:
    """The headline figures as texts, one for each of ``COLUMNS``."""
    return [
        number(None if figures.get(key) is None else figures[key] + shift, form, scale)
        for _, key, form, scale, shift in COLUMNS
    ]
