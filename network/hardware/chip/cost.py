"""Energy, latency and area of one inference on a chip.

Every tile has a DAC and a pulse driver on each row, a sample-and-hold on each column, some ADCs
that columns share in turn, and a shift-and-add for each ADC. All tiles of a layer work at once,
layers and uses one after the other. A matrix is read in as many slices as inputs have DACs of;
partial sums of row tiles are added digitally. A DDK step sets a pulse up and gives it; where the
state is read it is converted too. A leaky integrator is a capacitor that a driver charges in each
step, as large as its thermal noise asks for. Not in it: clocks, leakage, wires between tiles,
writing the weights (`writing`).

An operation is a multiplication or an addition: two to a MAC, and a DDK step is two MACs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from ddkbase.errors import InputError, closest
from ddkbase.units import format_si
from network.hardware.chip.chip import Chip
from network.hardware.chip.layouts import LAYOUTS
from network.hardware.chip.loads import Load

__all__ = [
    "Cost",
    "LayerCost",
    "capacitance",
    "cost",
    "cost_rows",
    "ddk_step",
    "tile_area",
    "writing",
]

_DIAGONAL = ("separate", "packed")
_THERMAL = 1.380649e-23 * 300.0  # J


@dataclass(frozen=True)
class LayerCost:
    """Of one layer in one inference.

    Attributes
    ----------
    load : Load
        Work of the layer.
    energy : dict of str to float, J
        Energy by part.
    latency : float, s
        Time of one inference.
    tiles : int
        Tiles that the layer would take alone.
    devices : int
        Cells in use.
    conversions : int
        Conversions of its ADCs.
    """

    load: Load
    energy: dict[str, float]
    latency: float
    tiles: int
    devices: int
    conversions: int


@dataclass(frozen=True)
class Cost:
    """Of one inference.

    Attributes
    ----------
    chip : str
        Name of the chip.
    layers : tuple of LayerCost
        Figures of the layers of the network.
    tiles : int
        Tiles of the whole.
    area : float, m^2
        Area of the whole.
    """

    chip: str
    layers: tuple[LayerCost, ...]
    tiles: int
    area: float

    @property
    def parts(self) -> dict[str, float]:
        """Energy by part [J]."""
        energies: dict[str, float] = {}
        for layer in self.layers:
            for name, energy in layer.energy.items():
                energies[name] = energies.get(name, 0.0) + energy
        return energies

    @property
    def energy(self) -> float:
        """Of one inference [J]."""
        return sum(self.parts.values())

    @property
    def latency(self) -> float:
        """From the first sample to the answer [s]."""
        return sum(layer.latency for layer in self.layers)

    @property
    def macs(self) -> int:
        """Of one inference."""
        return sum(layer.load.macs for layer in self.layers)

    @property
    def devices(self) -> int:
        """Cells in use."""
        return sum(layer.devices for layer in self.layers)

    @property
    def conversions(self) -> int:
        """Of all ADCs in one inference."""
        return sum(layer.conversions for layer in self.layers)

    @property
    def tops_per_watt(self) -> float:
        """Operations of a whole inference over its whole energy [1e12/J]."""
        return 2 * self.macs / self.energy / 1e12 if self.energy else 0.0

    @property
    def tops(self) -> float:
        """Operations of an inference over its latency [1e12/s]."""
        return 2 * self.macs / self.latency / 1e12 if self.latency else 0.0

    def of(self, stage: str) -> float:
        """Energy of the layers of a stage, "features" or "classifier" [J]."""
        return sum(sum(x.energy.values()) for x in self.layers if x.load.stage == stage)


def cost(loads: Sequence[Load], chip: Chip, *, layout: str = "separate", tiles: Any = None) -> Cost:
    """Cost of one inference.

    Parameters
    ----------
    loads : sequence of Load
        Loads of `network.hardware.chip.loads`.
    chip : Chip
        Description of the chip.
    layout : str, default "separate"
        One of `LAYOUTS`; in "separate" and "packed" each DDK cell has a row and a column of its
        own, so that all are read at once; in the others they share a column and are read in turn.
    tiles : int or None, optional
        Tiles of the compiled network; None adds up those of the layers.

    Raises
    ------
    InputError
        No such layout, or nothing to cost.
    """
    if layout not in LAYOUTS:
        raise InputError(f"there is no layout '{layout}'", "layout", closest(layout, LAYOUTS))
    if not loads:
        raise InputError("there is no layer", "cost", "Pass the loads of a network")
    makers = {"matrix": _matrix, "ddk": _ddk, "digital": _digital}
    makers["capacitor"] = _capacitor
    layers = tuple(makers[load.kind](load, chip, layout) for load in loads)
    number = sum(layer.tiles for layer in layers) if tiles is None else int(tiles)
    return Cost(chip.name, layers, number, number * tile_area(chip)["tile"])


def tile_area(chip: Chip) -> dict[str, float]:
    """Area of one tile by part [m^2]; "tile" is the sum."""
    v = chip.value
    adcs = chip.count("adcs_per_tile")
    areas = {
        "cells": v("rows") * v("columns") * v("cell_area"),
        "ADCs": adcs * v("adc_area"),
        "DACs": v("rows") * v("dac_area"),
        "drivers": v("rows") * v("driver_area"),
        "sample-and-hold": v("columns") * v("hold_area"),
        "shift-and-add": adcs * v("shift_add_area"),
        "buffers": v("buffer_area"),
        "activation": v("activation_area"),
    }
    return {**areas, "tile": sum(areas.values())}


def ddk_step(chip: Chip) -> dict[str, tuple[float, float]]:
    """Energy [J] and time [s] of one DDK step of one cell, by part."""
    v = chip.value
    ohms, volts = v("pulse_resistance"), v("pulse_voltage")
    return {
        "pulse": (volts**2 / ohms * v("pulse_time"), v("pulse_time")),
        "driver": (v("driver_energy") + v("dac_energy"), v("driver_time")),
        "read": (v("read_voltage") ** 2 / ohms * v("read_time"), v("read_time")),
        "sample-and-hold": (v("hold_energy"), 0.0),
        "ADC": (v("adc_energy"), v("adc_time")),
        "buffer": (v("buffer_energy") * ceil(v("adc_bits") / 8), 0.0),
    }


def writing(loads: Sequence[Load], chip: Chip) -> tuple[float, float]:
    """Energy [J] and time [s], row by row, of writing all matrices once.

    Parameters
    ----------
    loads : sequence of Load
        Loads of the layers; only those of kind "matrix" have cells to write.
    chip : Chip
        The chip with its voltages, times and energies.

    Returns
    -------
    energy : float, J
        Energy of writing and verifying all cells.
    time : float, s
        Time of writing them, a row of cells at once and one row after the other.
    """
    v = chip.value
    middle = (v("conductance_low") + v("conductance_high")) / 2
    pulse = v("write_voltage") ** 2 * middle * v("write_time") + v("driver_energy")
    verify = v("read_voltage") ** 2 * middle * v("read_time") + v("adc_energy") + v("hold_energy")
    each = 2 if chip.scheme == "differential" else 1
    cells = sum(x.inputs * x.outputs * each for x in loads if x.kind == "matrix")
    rows = sum(x.inputs * x.outputs * each / v("columns") for x in loads if x.kind == "matrix")
    seconds = v("write_time") + v("read_time") + v("adc_time")
    number = v("write_pulses")
    return cells * number * (pulse + verify), ceil(rows) * number * seconds


def _matrix(load: Load, chip: Chip, layout: str) -> LayerCost:
    v = chip.value
    height, width = chip.count("rows"), chip.count("columns")
    pairs = chip.scheme == "differential"
    per_tile = width // 2 if pairs else width - 1
    row_tiles, column_tiles = ceil(load.inputs / height), ceil(load.outputs / per_tile)
    columns = 2 * load.outputs if pairs else load.outputs + column_tiles
    devices = columns * load.inputs
    reads = load.uses * chip.slices
    conversions = columns * row_tiles * reads
    span = v("conductance_high") - v("conductance_low")
    mean = v("conductance_low") + load.share * span
    # the mean square of a voltage that is uniform up to the largest is a third
    cells = devices * mean * v("read_voltage") ** 2 / 3 * v("read_time") * reads
    width_bytes = ceil(v("input_bits") / 8)
    energy = {
        "array": cells,
        "DAC": load.inputs * column_tiles * v("dac_energy") * reads,
        "sample-and-hold": conversions * v("hold_energy"),
        "ADC": conversions * v("adc_energy"),
        "shift-and-add": conversions * v("shift_add_energy"),
        "buffer": (load.inputs + load.outputs) * load.uses * width_bytes * v("buffer_energy"),
        "activation": load.activations * v("activation_energy"),
    }
    turns = ceil(min(columns, width) / v("adcs_per_tile"))
    latency = reads * (v("read_time") + turns * v("adc_time"))
    return LayerCost(load, energy, latency, row_tiles * column_tiles, devices, conversions)


def _ddk(load: Load, chip: Chip, layout: str) -> LayerCost:
    v = chip.value
    step = ddk_step(chip)
    number, converted = load.cells * load.steps, load.cells * _reads(load)
    energy = {
        "DDK pulses": number * step["pulse"][0],
        "driver": number * step["driver"][0],
        "array": converted * step["read"][0],
        "sample-and-hold": converted * step["sample-and-hold"][0],
        "ADC": converted * step["ADC"][0],
        "buffer": converted * step["buffer"][0],
    }
    side = min(chip.count("rows"), chip.count("columns"))
    own = layout in _DIAGONAL
    tiles = ceil(load.cells / side) if own else 0
    if own:
        turns = ceil(min(load.cells, side) / v("adcs_per_tile"))
        read = v("read_time") + turns * v("adc_time")
    else:
        read = load.cells * (v("read_time") + v("adc_time"))
    latency = load.steps * (v("driver_time") + v("pulse_time")) + _reads(load) * read
    return LayerCost(load, energy, latency, tiles, load.cells, converted)


def _reads(load: Load) -> int:
    return load.steps if load.reads is None else load.reads


def capacitance(chip: Chip) -> float:
    """Capacitance [F] on which thermal noise is as large as the rounding of the ADC.

    Parameters
    ----------
    chip : Chip
        Says the voltage of a read, which spans the range, and the bits.

    Notes
    -----
    kT/C = (V/2^bits)^2/12 at 300 K. A smaller one loses bits to its noise; a real one is larger, by
    what matching and leakage ask for.
    """
    step = chip.value("read_voltage") / 2 ** chip.value("adc_bits")
    return float(12 * _THERMAL / step**2)


def _capacitor(load: Load, chip: Chip, layout: str) -> LayerCost:
    v = chip.value
    step = ddk_step(chip)
    number, converted = load.cells * load.steps, load.cells * _reads(load)
    energy = {
        "capacitors": number * capacitance(chip) * v("read_voltage") ** 2,
        "driver": number * step["driver"][0],
        "sample-and-hold": converted * step["sample-and-hold"][0],
        "ADC": converted * step["ADC"][0],
        "buffer": converted * step["buffer"][0],
    }
    turns = ceil(load.cells / v("adcs_per_tile"))
    latency = load.steps * (v("driver_time") + v("pulse_time"))
    latency += _reads(load) * turns * v("adc_time")
    return LayerCost(load, energy, latency, 0, 0, converted)


def _digital(load: Load, chip: Chip, layout: str) -> LayerCost:
    v = chip.value
    # statistics of features are one multiplication and addition each, which no table counts
    products = load.macs or (load.uses if not load.activations else 0)
    energy = {"digital": products * v("mac_energy")}
    if load.activations:
        energy["activation"] = load.activations * v("activation_energy")
    return LayerCost(load, energy, 0.0, 0, 0, 0)


def cost_rows(cost: Cost) -> tuple[list[str], list[list[str]]]:
    """A table by layer, as texts, with the whole in the last row.

    Parameters
    ----------
    cost : Cost
        What is tabled.

    Returns
    -------
    heads : list of str
        Names of the columns.
    rows : list of list of str
        A row for each layer, then the whole inference.
    """
    heads = ["layer", "MACs", "tiles", "cells", "conversions", "energy", "latency", "most of it"]
    rows = []
    for x in cost.layers:
        total = sum(x.energy.values())
        most = max(x.energy, key=lambda k: x.energy[k])
        share = f"{most} {100 * x.energy[most] / total:.0f} %" if total else "-"
        numbers = [f"{n:,}" for n in (x.load.macs, x.tiles, x.devices, x.conversions)]
        rows.append(
            [x.load.name, *numbers, format_si(total, "J", 4), format_si(x.latency, "s", 4), share]
        )
    whole = (cost.macs, cost.tiles, cost.devices, cost.conversions)
    rows.append(
        [
            "whole inference",
            *[f"{n:,}" for n in whole],
            format_si(cost.energy, "J", 4),
            format_si(cost.latency, "s", 4),
            f"{cost.tops_per_watt:.3g} TOPS/W, {cost.area * 1e6:.3g} mm^2",
        ]
    )
    return heads, rows
