"""Cells for the tests of programming: a table made of the kinetics, and weak measured ones."""

from __future__ import annotations

import numpy as np

from compact.table.table import AlphaBetaTable
from network.hardware import ConductanceWindow, KineticCells
from tests.compact.table_data import campaign

WINDOW = ConductanceWindow(20e-6, 200e-6)


def law(amplitude: float, width: float, resistance: float, cell: float) -> tuple[float, float]:
    """Beta rising exponentially with the amplitude, from gentle to abrupt."""
    beta = 0.012 * np.exp(2.2 * (abs(amplitude) - 0.9))
    return 0.02 * float(beta) * (1 + 0.3 * cell), float(beta) * (1 + cell)


def table(cycles: int = 4, devices: int = 3) -> AlphaBetaTable:
    amplitudes = tuple(-a for a in np.linspace(0.9, 2.5, 7))
    return AlphaBetaTable.fit(
        campaign(amplitudes=amplitudes, cycles=cycles, devices=devices, law=law, pulses=60)
    )


def kinetic_cells(cycles: int = 4, devices: int = 3) -> KineticCells:
    return KineticCells.from_tables(table(cycles, devices), window=WINDOW)
