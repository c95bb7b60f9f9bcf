"""One layer written into an array: cells as they are when the layer is used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from network.hardware.arrays.crossbar import Crossbar, CrossbarSettings
from network.hardware.cells.noise import with_faults
from network.hardware.cells.programming import Programming, write_and_verify
from network.hardware.settings import Hardware

__all__ = ["WrittenLayer", "write_layer"]


@dataclass(frozen=True)
class WrittenLayer:
    """An array in use; ``cells`` [S] (columns, inputs) as left by writing, before any drift."""

    crossbar: Crossbar
    cells: np.ndarray
    programming: Programming | None


def write_layer(
    hardware: Hardware,
    matrix: np.ndarray,
    rng: np.random.Generator,
    failed: np.ndarray | None,
    start: np.ndarray | None = None,
) -> WrittenLayer:
    """Write a matrix (outputs, inputs): errors or pulses, failed and worn cells, then drift.

    Parameters
    ----------
    failed : ndarray or None
        Map of failed cells as of `Faults.draw`, (columns, inputs).
    start : ndarray or None, S, optional
        Conductances of the cells before, where they are written by pulses.

    Raises
    ------
    InputError
        Weights beyond the window, targets that make no sense.
    """
    h = hardware
    ideal = Crossbar(matrix, CrossbarSettings(mapping=h.mapping, tile=h.tile))
    window = h.mapping.window
    worn = None if h.endurance is None else h.endurance.worn(h.cycles, h.pulse_width)
    cells = ideal.conductance
    if worn is not None:
        cells = np.clip(cells, worn.low, worn.high)
    programming = None
    if h.cells is not None:
        options: dict[str, Any] = dict(h.programming)
        programming = write_and_verify(
            h.cells, cells, rng=rng, start=start, failed=failed, read=h.read, **options
        )
        cells = programming.conductance
    elif h.write is not None:
        cells = h.write.written(cells, rng)
        if worn is not None:
            cells = np.clip(cells, worn.low, worn.high)
    cells = with_faults(cells, failed, window)
    used = cells
    if h.retention is not None:
        energies = h.retention.cells(cells.shape, rng) if h.retention.spread else None
        used = h.retention.after(cells, h.age, h.temperature or "20 degC", energies)
    settings = CrossbarSettings(
        mapping=h.mapping,
        tile=h.tile,
        lines=h.lines,
        solver=h.solver,
        access=h.access,
        read=h.read,
        subtract=h.subtract,
        temperature=h.temperature,
        conduction=h.conduction,
    )
    return WrittenLayer(ideal.rebuilt(used, failed, settings), cells, programming)
