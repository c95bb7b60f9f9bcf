"""A cell that another solver simulated, fitted with this one: are its parameters found?

``python tests/benchmarks/fit_other_solver.py`` changes the shipped cell (`TRUTH`), simulates a loop
and two trains of RESET pulses with the finite volumes of ``tests/verification/finite_volume``,
on the lines of preset ``--lines``, writes them as CSV, fits three parameters to the loop and the
weaker train with the shipped solver at ``--preset``, and prints what was found beside the truth,
and how far the other train, which is held out, was foretold.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
from fit_coverage import CELL, FREE, bounds
from markdown import table
from second_discretisation import SWEEP_LIMITS, volumes_train

import devicephys
from ddkbase.units import exact_text
from devicephys import IVSweep, PulseTrain, Settings, Waveform
from devicephys.device.entries import parameter_value
from devicephys.fitting import refined_text, together_text
from tests.verification.finite_volume.cell import Cell
from tests.verification.finite_volume.march import March
from tests.verification.finite_volume.residual import Equations

#: factors on parameters of the shipped cell
TRUTH = {"conductivity": 1.08, "diffusion": 0.85, "radius": 0.97}
FLUX, PULSES, FITTED, HELD_OUT = "hybrid", 20, "-2 V", "-2.5 V"


def simulated(folder: Path, preset: str) -> None:
    """Write the loop and the trains of the changed cell."""
    changes = {
        path: exact_text(parameter_value(CELL, path) * factor, CELL.provenance[path].unit)
        for name, factor in TRUTH.items()
        for path in FREE[name]
    }
    cell = CELL.with_({**changes, "sweep.loops": 1})
    # the lines of the mesh that a fit has
    settings = Settings.preset(preset, mesh_of=CELL)
    start = devicephys.simulate(cell, Waveform(["0 s", "1 ns"], ["0 V", "1 mV"]), settings)
    lines = start.r_node.values, start.z_node.values
    march = March(Equations(Cell(cell, *lines), FLUX), SWEEP_LIMITS)
    sweep = IVSweep.from_device(cell)
    march.run(sweep, 0.01 * sweep.corners[1])
    moment, voltage, current, _ = march.record.arrays()
    heads = "time (s),voltage (V),current (A)"
    columns = np.column_stack([moment, voltage, current])
    np.savetxt(folder / "loop.csv", columns, "%.9g", ",", header=heads, comments="")
    for amplitude in (FITTED, HELD_OUT):
        figures, _ = volumes_train(cell, PulseTrain(amplitude, count=PULSES), lines, FLUX)
        reads = [figures[f"{k + 1}"] for k in range(PULSES)]
        path = folder / f"train{amplitude.replace(' ', '')}.csv"
        np.savetxt(path, reads, "%.9g", header="conductance (uS)", comments="")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of the CSV files and solves"
    )
    parser.add_argument("--lines", default="default", help="preset of the other solver's mesh")
    parser.add_argument("--preset", default="quick", help="preset of the fit")
    parser.add_argument("--refine", default="default", help="preset of the mesh that it ends on")
    options = parser.parse_args()
    folder = options.out
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / f"train{HELD_OUT.replace(' ', '')}.csv").exists():
        simulated(folder, options.lines)
    trains = {
        amplitude: {
            "train": str(folder / f"train{amplitude.replace(' ', '')}.csv"),
            "protocol": {"amplitude": amplitude},
            "error": 0.02,
        }
        for amplitude in (FITTED, HELD_OUT)
    }
    begun = time.process_time()
    result = devicephys.fit_device(
        {
            "name": "other",
            "device": "tin-taox-hfox-tin",
            "preset": options.preset,
            "refine": options.refine,
            "data": [{"loop": str(folder / "loop.csv"), "error": 0.02}, trains[FITTED]],
            "predict": [trains[HELD_OUT]],
            "free": {name: bounds(FREE[name]) for name in TRUTH},
        },
        folder=folder / f"fit-{options.preset}",
        progress=lambda event: print(event, file=sys.stderr),
        warn=print,
    )
    rows = []
    for name, factor in TRUTH.items():
        one = result.parameters.sel(parameter=name)
        shipped = parameter_value(CELL, FREE[name][0])
        found, low, high = (float(one[key]) / shipped for key in ("value", "low95", "high95"))
        rows.append([name, f"{factor:.3f}", f"{found:.3f}", f"{low:.3f} to {high:.3f}"])
    print(table(["parameter", "truth over shipped", "found", "95 %"], rows))
    for one in [*result.data, *result.predicted]:
        off = 100.0 * np.log(one["simulated"] / one["measured"])
        print(f"{one.attrs['name']}: rms {np.sqrt(np.mean(off**2)):.2f} %", flush=True)
    print(together_text(result.parameters), refined_text(result.parameters), sep="\n")
    print(f"{result.solves} solves, {result.reason}, {time.process_time() - begun:.0f} CPU s")


if __name__ == "__main__":
    main()
