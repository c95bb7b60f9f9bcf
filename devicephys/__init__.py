"""What a filamentary memristor cell is, what is done to it, and how its fields answer.

>>> import devicephys
>>> device = devicephys.load_device("tin-taox-hfox-tin")
>>> loop = devicephys.simulate(device, devicephys.IVSweep.from_device(device))
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

# h5py brings an HDF5 library of its own, and PETSc another. Whichever is loaded first serves
# both; if that is PETSc's, every later write of a NetCDF file fails with "Not a datatype".
import h5py  # noqa: F401

from .device import Device, Provenance, list_devices, load_device
from .errors import (
    DDKError,
    InputError,
    InstallationError,
    Interrupted,
    SolverError,
    StorageError,
)
from .protocol import IVSweep, Waveform
from .pulse_train import PulseTrain

if TYPE_CHECKING:
    from .settings import Settings
    from .simulation import simulate, simulate_pulses

__version__ = "0.1.0"

__all__ = [
    "DDKError",
    "Device",
    "IVSweep",
    "InputError",
    "InstallationError",
    "Interrupted",
    "Provenance",
    "PulseTrain",
    "Settings",
    "SolverError",
    "StorageError",
    "Waveform",
    "__version__",
    "list_devices",
    "load_device",
    "simulate",
    "simulate_pulses",
]

# Loaded on first use: `simulation` reaches for the finite-element stack, which takes seconds to
# import and is not there on every machine.
_ON_FIRST_USE = {
    "Settings": ".settings",
    "simulate": ".simulation",
    "simulate_pulses": ".simulation",
}


def __getattr__(name: str) -> Any:
    if name in _ON_FIRST_USE:
        value = getattr(importlib.import_module(_ON_FIRST_USE[name], __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
