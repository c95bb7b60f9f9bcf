"""A point of a parameter sweep with drawn results; worker processes import it by name.

The loop is that of `tests.synthetic` with its voltages moved by the radius of the filament; a
filament of 13 nm does not converge, one of 13.5 nm crashes. ``FAKE_LOG`` names a file that gets a
line for each point begun, ``FAKE_HOLD`` a radius [nm] at which a point waits for ever.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import xarray as xr

from ddkbase.errors import SolverError
from devicephys import installation
from devicephys.parameter_sweep import worker
from devicephys.run import kinds
from devicephys.run.request import Request
from tests.synthetic import iv_trace


def simulate(device: Any, *_: Any, **__: Any) -> xr.Dataset:
    """Like ``devicephys.simulate``."""
    radius = 1e9 * device.filament.radius
    if log := os.environ.get("FAKE_LOG"):
        with open(log, "a", encoding="utf-8") as file:
            file.write(f"{radius:g}\n")
    if os.environ.get("FAKE_HOLD") == f"{radius:g}":
        time.sleep(3600)
    if abs(radius - 13) < 0.01:
        raise SolverError("the temperature did not converge", "t = 1 ms", "Try --preset fine")
    if abs(radius - 13.5) < 0.01:
        raise ZeroDivisionError("no such\nthing")
    ds = iv_trace(fine=4, frames=6)
    headline = json.loads(ds.attrs["headline_json"])
    headline["set_voltage"] = 1.0 + 0.01 * radius
    return ds.assign_attrs(headline_json=json.dumps(headline))


def solve(folder: Path, request: Request, progress: Any = None) -> None:
    """Like `devicephys.parameter_sweep.worker.solve`, without the finite-element stack."""
    kinds.simulate = simulate
    installation.require_solver = lambda: None
    installation.versions = lambda: {"numpy": "of these tests"}
    worker.solve(folder, request, progress)
