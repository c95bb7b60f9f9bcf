"""What is simulated: layers, filament, property laws and series element of a memristor cell."""

from devicephys.device.library import list_devices, load_device
from devicephys.device.model import Conductor, Device, Filament, Layer, Oxide, SweepSpec, Vacancy
from devicephys.device.quantity import Provenance
from devicephys.device.series import NoSeries, Resistor, Transistor

__all__ = [
    "Conductor",
    "Device",
    "Filament",
    "Layer",
    "NoSeries",
    "Oxide",
    "Provenance",
    "Resistor",
    "SweepSpec",
    "Transistor",
    "Vacancy",
    "list_devices",
    "load_device",
]
