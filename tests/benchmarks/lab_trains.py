"""Pulse trains for the figures of docs/howto_lab.md: ten cycles of LTP and LTD of one made-up cell.

A hundred pulses each way, NeuroSim's labels 2 and -4, every step with a scatter of 1 % of the
window that stays, from 5 to 50 uS:

    python tests/benchmarks/lab_trains.py ltp_ltd.csv
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from network.hardware import SynapticCells

PULSES, CYCLES, SCATTER, SEED = 100, 10, 0.01, 5


def trains(pulses: int = PULSES, cycles: int = CYCLES) -> str:
    """The file as text."""
    cells = SynapticCells.labelled(2, -4, pulses, SCATTER)
    rng = np.random.default_rng(SEED)
    lines = ["cycle,pulse,conductance (uS),amplitude (V),width (ns)"]
    for cycle in range(cycles):
        state = np.zeros(1)
        lines.append(f"{cycle},0,5,1.5,100")
        for pulse in range(1, 2 * pulses + 1):
            sign = 1 if pulse <= pulses else -1
            state = cells.moved(state, np.array([sign]), rng)
            lines.append(f"{cycle},{pulse},{5 + 45 * state[0]:.6f},{1.5 * sign},100")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="CSV file to make")
    parser.parse_args().file.write_text(trains(), encoding="utf-8")
