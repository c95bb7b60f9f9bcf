"""Points of a screening whose figures of merit are formulas of the cell, not a simulation.

With x the share of the way, by logarithms, from 8 to 10 nm of the radius of the filament and y that
from 280 to 300 K of the ambient temperature: SET is 1 + 0.5 x - 0.2 y [V], the high resistance
10^(4 + x) ohm, RESET sets in at -1 - x y [V], not at all for x = 1 and y = 1, and a cell with
x = 0 and y = 1 does not converge. A loop is that of `tests.synthetic` otherwise.
"""

from __future__ import annotations

import functools
import json
import math
from pathlib import Path
from typing import Any

import xarray as xr

from ddkbase import records
from ddkbase.errors import SolverError
from ddkbase.files import write_bytes
from devicephys.run.folder import REQUEST
from devicephys.run.request import Request
from tests.synthetic import iv_trace

RANGES = {"filament.radius": "8 nm, 10 nm", "ambient_temperature": "280 K, 300 K"}


@functools.cache
def loop() -> xr.Dataset:
    """The loop that all points have but for their figures."""
    return iv_trace(fine=4, frames=6)


def solve(folder: Path, request: Request, progress: Any = None) -> None:
    """Like `devicephys.parameter_sweep.worker.solve`: leaves request and record in a folder."""
    x = math.log(request.device.filament.radius / 8e-9) / math.log(10 / 8)
    y = (request.device.ambient_temperature - 280) / 20
    folder.mkdir(exist_ok=True)
    write_bytes(folder / REQUEST, request.to_json().encode(), overwrite=True)
    if math.isclose(x, 0, abs_tol=1e-6) and math.isclose(y, 1):
        raise SolverError("the temperature did not converge", "t = 1 ms", "Try --preset fine")
    headline = json.loads(loop().attrs["headline_json"])
    headline["set_voltage"] = 1 + 0.5 * x - 0.2 * y
    headline["high_resistance"] = 10 ** (4 + x)
    headline["reset_onset_voltage"] = None if x * y > 0.99 else -1 - x * y
    records.write(loop().assign_attrs(headline_json=json.dumps(headline)), folder / "iv.nc")
