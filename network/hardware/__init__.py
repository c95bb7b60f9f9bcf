"""The hardware that a network runs on: arrays, cells and their imprecision.

>>> from network.hardware import Crossbar, HardwareRealisation, article
>>> y = Crossbar(weights) @ x                                  # an ideal array
>>> chip = HardwareRealisation(article(), seed=1)              # the article's imprecision
>>> network.predict(x, realise=chip)

Everything here is loaded on first use. The cost of a network on a chip is
`network.hardware.cost.cost`, and of a compiled one `placement_cost`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from network.hardware.cells import KineticCells as KineticCells
    from network.hardware.chip import Chip as Chip
    from network.hardware.chip import load_chip as load_chip
    from network.hardware.compiler import compile_network as compile_network
    from network.hardware.compiler import placement_cost as placement_cost
    from network.hardware.conductance import ConductanceWindow as ConductanceWindow
    from network.hardware.conductance import ConductionActivation as ConductionActivation
    from network.hardware.conductance import Mapping as Mapping
    from network.hardware.converters import Converter as Converter
    from network.hardware.cost import Cost as Cost
    from network.hardware.crossbar import Crossbar as Crossbar
    from network.hardware.crossbar import CrossbarSettings as CrossbarSettings
    from network.hardware.endurance import Endurance as Endurance
    from network.hardware.kinetics_noise import KineticsNoise as KineticsNoise
    from network.hardware.kinetics_noise import TableKinetics as TableKinetics
    from network.hardware.lines import LineResistance as LineResistance
    from network.hardware.measured_cells import MeasuredCells as MeasuredCells
    from network.hardware.nodal import solve_array as solve_array
    from network.hardware.nodal import transfer_matrix as transfer_matrix
    from network.hardware.nodal_fast import approximate_transfer as approximate_transfer
    from network.hardware.noise import Faults as Faults
    from network.hardware.noise import ReadNoise as ReadNoise
    from network.hardware.noise import TelegraphNoise as TelegraphNoise
    from network.hardware.noise import WriteError as WriteError
    from network.hardware.placement import Placement as Placement
    from network.hardware.placement import read_placement as read_placement
    from network.hardware.programming import Programming as Programming
    from network.hardware.programming import write_and_verify as write_and_verify
    from network.hardware.quantisation import Quantisation as Quantisation
    from network.hardware.quantisation import fake_quantise as fake_quantise
    from network.hardware.quantisation import post_training as post_training
    from network.hardware.realisation import HardwareRealisation as HardwareRealisation
    from network.hardware.retention import Retention as Retention
    from network.hardware.settings import Hardware as Hardware
    from network.hardware.settings import article as article

_NAMES = {
    "Chip": "chip",
    "Cost": "cost",
    "Placement": "placement",
    "compile_network": "compiler",
    "load_chip": "chip",
    "placement_cost": "compiler",
    "read_placement": "placement",
    "Converter": "converters",
    "ConductanceWindow": "conductance",
    "ConductionActivation": "conductance",
    "Crossbar": "crossbar",
    "CrossbarSettings": "crossbar",
    "Endurance": "endurance",
    "Faults": "noise",
    "Hardware": "settings",
    "HardwareRealisation": "realisation",
    "KineticCells": "cells",
    "KineticsNoise": "kinetics_noise",
    "LineResistance": "lines",
    "Mapping": "conductance",
    "MeasuredCells": "measured_cells",
    "Programming": "programming",
    "Quantisation": "quantisation",
    "ReadNoise": "noise",
    "Retention": "retention",
    "TableKinetics": "kinetics_noise",
    "TelegraphNoise": "noise",
    "WriteError": "noise",
    "approximate_transfer": "nodal_fast",
    "article": "settings",
    "fake_quantise": "quantisation",
    "post_training": "quantisation",
    "solve_array": "nodal",
    "transfer_matrix": "nodal",
    "write_and_verify": "programming",
}

__all__ = sorted(_NAMES)


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        value = getattr(importlib.import_module(f"network.hardware.{_NAMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
