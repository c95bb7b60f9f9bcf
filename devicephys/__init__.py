"""What a filamentary memristor cell is, what is done to it, and how its fields answer.

>>> import devicephys
>>> device = devicephys.load_device("tin-taox-hfox-tin")
>>> loop = devicephys.simulate(device, devicephys.IVSweep.from_device(device))

Everything here is loaded on first use: the import takes no time, and the finite-element stack,
which takes seconds to import and is not there on every machine, is reached for by a simulation.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from . import hdf5_order

if TYPE_CHECKING:
    from .device import Device as Device
    from .device import Provenance as Provenance
    from .device import list_devices as list_devices
    from .device import load_device as load_device
    from .errors import DDKError as DDKError
    from .errors import InputError as InputError
    from .errors import InstallationError as InstallationError
    from .errors import Interrupted as Interrupted
    from .errors import SolverError as SolverError
    from .errors import StorageError as StorageError
    from .protocol import IVSweep as IVSweep
    from .protocol import Waveform as Waveform
    from .pulse_train import PulseTrain as PulseTrain
    from .settings import Settings as Settings
    from .simulation import simulate as simulate
    from .simulation import simulate_pulses as simulate_pulses

__version__ = "0.1.0"

_NAMES = {
    "DDKError": ".errors",
    "Device": ".device",
    "IVSweep": ".protocol",
    "InputError": ".errors",
    "InstallationError": ".errors",
    "Interrupted": ".errors",
    "Provenance": ".device",
    "PulseTrain": ".pulse_train",
    "Settings": ".settings",
    "SolverError": ".errors",
    "StorageError": ".errors",
    "Waveform": ".protocol",
    "list_devices": ".device",
    "load_device": ".device",
    "simulate": ".simulation",
    "simulate_pulses": ".simulation",
}

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

hdf5_order.watch()


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        value = getattr(importlib.import_module(_NAMES[name], __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
