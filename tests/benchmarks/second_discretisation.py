"""The shipped solver against a second discretisation, on the same lines and on finer ones.

``python tests/benchmarks/second_discretisation.py`` runs the sweep of a device with the shipped
solver (finite elements, its preset as it is) and with the finite volumes of
``tests/verification/finite_volume`` on the lines of the same mesh, and prints the figures of both
and how far they are apart, in per cent, as a Markdown table. ``--split 2`` halves the mesh of both,
``--device`` takes another cell, ``--pulses 20`` a train of so many RESET pulses of -2 V, 100 ns
instead of the sweep.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
from figures import DEVICE
from markdown import number

import devicephys
from devicephys import Device, IVSweep, PulseTrain, Settings, Waveform
from devicephys.simulation.figures_of_merit import loop_figures
from tests.verification.finite_volume.cell import Cell
from tests.verification.finite_volume.laws import FLUXES
from tests.verification.finite_volume.march import Limits, March
from tests.verification.finite_volume.residual import Equations

#: title, key, format, scale, shift: what is compared, and what in per cent of itself
COLUMNS = (
    ("RESET onset (V)", "reset_onset_voltage", ".4f", 1.0, 0.0),
    ("SET (V)", "set_voltage", ".4f", 1.0, 0.0),
    ("T at RESET (°C)", "temperature_reset_edge", ".1f", 1.0, -273.15),
    ("T at half the SET current (°C)", "temperature_set_current", ".1f", 1.0, -273.15),
    ("hottest (°C)", "temperature_max", ".0f", 1.0, -273.15),
    ("low R before (kΩ)", "low_resistance_before", ".3f", 1e-3, 0.0),
    ("high R (kΩ)", "high_resistance", ".2f", 1e-3, 0.0),
    ("low R after (kΩ)", "low_resistance_after", ".3f", 1e-3, 0.0),
)
SWEEP_LIMITS = Limits(concentration=0.003, voltage=0.05)
PULSE_LIMITS = Limits(concentration=0.005, temperature=5.0, voltage=1.0)
READS = (0, 1, 2, 5, 10, 15, 20)
Figures = dict[str, float]


def line(cells: list[str]) -> None:
    """Print one row of a table as soon as it is known."""
    print("| " + " | ".join(cells) + " |", flush=True)


def apart(figures: Figures, shipped: Figures, columns=COLUMNS) -> list[str]:
    """How far figures are from those of the shipped solver: per cent, temperatures in kelvin."""
    return [
        number(figures[k] / shipped[k] - 1.0, "+.1f", 100.0) + " %"
        if not shift
        else number(figures[k] - shipped[k], "+.1f") + " K"
        for _, k, _, _, shift in columns
    ]


def elements_sweep(
    device: Device, settings: Settings
) -> tuple[Figures, tuple[np.ndarray, np.ndarray], int]:
    """Figures of the shipped solver, the lines of its mesh, and its steps."""
    trace = devicephys.simulate(device.with_({"sweep.loops": 1}), settings=settings)
    figures = json.loads(trace.attrs["headline_json"])["loops"][0]
    lines = trace.r_node.values, trace.z_node.values
    plain = {key: np.nan if value is None else value for key, value in figures.items()}
    return plain, lines, trace.sizes["time"] - 1


def volumes_sweep(
    device: Device, lines: tuple[np.ndarray, np.ndarray], flux: str
) -> tuple[Figures, int]:
    """Figures of the finite volumes, and their steps."""
    march = March(Equations(Cell(device, *lines), flux), SWEEP_LIMITS)
    sweep = IVSweep.from_device(device.with_({"sweep.loops": 1}))
    march.run(sweep, 0.01 * sweep.corners[1])
    _, voltage, current, temperature = march.record.arrays()
    figures, _ = loop_figures(voltage, current, temperature, sweep.first)
    return dataclasses.asdict(figures), len(voltage) - 1


def elements_train(
    device: Device, train: PulseTrain, settings: Settings
) -> tuple[Figures, tuple[np.ndarray, np.ndarray], int | None]:
    """The same of a train, each pulse of which is simulated; figures are conductances in uS."""
    settings = settings.with_(every_pulse=True)
    trace = devicephys.simulate(device, train, settings)
    siemens = [float(trace.initial_conductance), *trace.conductance.values]
    figures = {f"{i}": 1e6 * g for i, g in enumerate(siemens)}
    figures["hottest"] = float(trace.temperature_max.max())
    start = devicephys.simulate(  # for the lines of the mesh, which records of trains do not hold
        device, Waveform(["0 s", "1 ns"], ["0 V", "1 mV"]), settings
    )
    return figures, (start.r_node.values, start.z_node.values), None


def volumes_train(
    device: Device, train: PulseTrain, lines: tuple[np.ndarray, np.ndarray], flux: str
) -> tuple[Figures, int]:
    """The same of the finite volumes: a read, then the pulses with their reads."""
    march = March(Equations(Cell(device, *lines), flux, pulses=True), PULSE_LIMITS)
    edge, top, height = train.read_edge, train.read_width, train.read_voltage
    at = np.cumsum([0.0, edge, top, edge, train.period / 2])
    march.run(Waveform.from_si(at, [0.0, height, height, 0.0, 0.0]), 0.1 * edge)
    reads = [at[2]]
    for index in range(train.count):
        reads.append(march.time + train.read_time(index))
        march.run(train.pulse(index), 0.1 * train.rise)
    moment, _, current, temperature = march.record.arrays()
    steps = [int(np.argmin(np.abs(moment - t))) for t in reads]
    figures = {f"{i}": 1e6 * current[k] / height for i, k in enumerate(steps)}
    figures["hottest"] = float(temperature.max())
    return figures, len(moment) - 1


def main() -> None:
    """Read the options, simulate, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--device", default=DEVICE)
    parser.add_argument("--preset", default="default")
    parser.add_argument(
        "--split", type=int, default=1, help="divide each cell of the mesh so often"
    )
    parser.add_argument("--flux", choices=[*FLUXES], nargs="+", default=[*FLUXES])
    parser.add_argument("--pulses", type=int, default=0, metavar="N", help="a train of N pulses")
    options = parser.parse_args()
    device = devicephys.load_device(options.device)
    settings = Settings.preset(options.preset, mesh_split=options.split)
    train = PulseTrain("-2 V", count=options.pulses) if options.pulses else None
    columns = COLUMNS
    if train is not None:
        numbers = sorted({*(i for i in READS if i < train.count), train.count})
        columns = (
            *((f"µS after {i}", f"{i}", ".1f", 1.0, 0.0) for i in numbers),
            ("hottest (°C)", "hottest", ".0f", 1.0, -273.15),
        )
    print(f"\n{device.name}, preset {options.preset}, cells divided by {options.split}\n")
    line(["solver", "cells", "steps", *(title for title, *_ in columns)])
    line(["---"] + ["---:"] * (2 + len(columns)))

    def row(name: str, cells: int, steps: int | None, figures: Figures) -> None:
        values = (number(figures[k] + shift, form, scale) for _, k, form, scale, shift in columns)
        line([name, f"{cells}", number(steps, ".0f"), *values])

    begin = time.process_time()
    if train is None:
        shipped, lines, steps = elements_sweep(device, settings)
    else:
        shipped, lines, steps = elements_train(device, train, settings)
    cells = (len(lines[0]) - 1) * (len(lines[1]) - 1)
    row("finite elements", cells, steps, shipped)
    for flux in options.flux:
        if train is None:
            figures, steps = volumes_sweep(device, lines, flux)
        else:
            figures, steps = volumes_train(device, train, lines, flux)
        row(f"finite volumes, {flux} flux", cells, steps, figures)
        line(["apart", "", "", *apart(figures, shipped, columns)])
    print(f"{time.process_time() - begin:.0f} s of one core", file=sys.stderr)


if __name__ == "__main__":
    main()
