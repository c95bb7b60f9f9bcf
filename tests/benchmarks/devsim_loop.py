"""One loop by the shipped solver and by DEVSIM: figures of merit, and seconds of whole processes.

``python tests/benchmarks/devsim_loop.py`` describes a cell (``devsim_cell.py``) and its sweep
(``devsim_march.py``) to DEVSIM on the lines of the preset's mesh, lets both solve the same loop
with the same allowed errors, and prints two Markdown tables: the figures of both and how far they
are apart, and the processor and wall seconds of whole processes, imports included, in turn and in
turned order. ``--splits`` divides the cells of the mesh, ``--preset`` takes another one.

DEVSIM (https://devsim.org) is no part of the installation. ``--python`` names the interpreter of an
environment that has it (``pip install devsim mkl``); by default it is the one that runs this.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")
#: where DEVSIM looks for BLAS, LAPACK and PARDISO, unless the environment says otherwise
os.environ.setdefault("DEVSIM_MATH_LIBS", "libmkl_rt.so.3:libmkl_rt.so.2:libmkl_rt.so")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
from figures import DEVICE
from markdown import number, table
from second_discretisation import COLUMNS, apart

import devicephys
from devicephys import Device, IVSweep, Settings
from devicephys.device import Conductor
from devicephys.fem.assembly import EMPTY, prepare
from devicephys.simulation.figures_of_merit import loop_figures
from devicephys.simulation.simulate import FIRST_STEP
from tests.verification.finite_volume.cell import refuse

WORKER = Path(__file__).with_name("devsim_march.py")
_OWN = """
import json, sys, devicephys
device, preset, split, out = sys.argv[1:]
device = devicephys.load_device(device).with_({"sweep.loops": 1})
settings = devicephys.Settings.preset(preset, mesh_split=int(split))
trace = devicephys.simulate(device, settings=settings)
open(out, "w").write(trace.attrs["headline_json"])
"""
_INSTALL = (
    "error: {python} cannot import devsim: `pip install devsim mkl` into an environment, "
    "and name its interpreter with --python"
)


@dataclasses.dataclass(frozen=True)
class Run:
    """What a process came to: its result, its processor and wall seconds."""

    result: dict[str, Any]
    processor: float
    wall: float


def wall_between(r: np.ndarray, wall: float) -> np.ndarray:
    """Lines ``r`` with two in place of that on the filament's wall, a quarter cell to each side.

    The quarter is that of the smaller cell at the wall, so that no line changes its place but it.
    """
    at = int(np.abs(r - wall).argmin())
    step = 0.25 * min(r[at] - r[at - 1], r[at + 1] - r[at])
    return np.concatenate([r[:at], [r[at] - step, r[at] + step], r[at + 1 :]])


def describe(device: Device, settings: Settings, between: bool = False) -> dict[str, Any]:
    """A cell, the lines of its mesh, one loop and the allowed errors, in SI, for JSON.

    ``between`` puts the filament's wall between two lines (``wall_between``).

    Raises NotImplementedError where the cell has a term that the description lacks.
    """
    refuse(device)
    for term, present in {
        "a line's resistance or capacitance": getattr(device.series, "line_resistance", 0.0)
        or device.series.capacitance,
        "a compliance": device.series.kind == "compliance",
        "exchange at a metal": any(
            isinstance(m, Conductor) and m.interface_exchange_prefactor
            for m in device.materials.values()
        ),
        "a thermal boundary resistance": any(
            layer.thermal_boundary_resistance_below for layer in device.layers
        ),
    }.items():
        if present:
            raise NotImplementedError(f"{device.name}: {term}")
    problem, _, _ = prepare(device, settings)
    r = problem.grid.r
    sweep = IVSweep.from_device(device.with_({"sweep.loops": 1}))
    times = [float(corner) for corner in sweep.corners]
    return {
        "r": (wall_between(r, device.filament.radius) if between else r).tolist(),
        "z": problem.grid.z.tolist(),
        "layers": [
            device.materials[layer.material].model_dump(exclude={"constants"})
            | {"name": layer.name, "thickness": layer.thickness}
            for layer in device.layers
        ],
        "ambient_temperature": device.ambient_temperature,
        "side_wall": device.side_wall,
        "filament": device.filament.model_dump(),
        "vacancy": device.vacancy.model_dump(),
        "series": device.series.model_dump(),
        "times": times,
        "voltages": [float(sweep.voltage(corner)) for corner in times],
        "first_step": FIRST_STEP * min(sweep.duration, *np.diff(times)),
        "voltage_step": settings.voltage_step,
        "concentration": settings.concentration_tolerance,
        "empty": EMPTY,
        "temperature": settings.temperature_tolerance,
    }


def process(command: list[str], text: str, out: Path) -> Run:
    """Run a command with a text as input; it writes its result to ``out``."""
    begun = time.perf_counter()
    with tempfile.TemporaryFile("w+") as given, tempfile.TemporaryFile("w+") as said:
        given.write(text)
        given.seek(0)
        child = subprocess.Popen([*command, str(out)], stdin=given, stdout=said, stderr=said)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - begun
        if child.returncode:
            said.seek(0)
            raise SystemExit(f"error: {command[1]} failed: {said.read()[-500:]}")
    result = json.loads(out.read_text(encoding="utf-8"))
    return Run(result, usage.ru_utime + usage.ru_stime, wall)


def figures_of(run: dict[str, Any], first: str) -> dict[str, float]:
    """Figures of merit of a loop as DEVSIM's worker wrote it."""
    traces = (np.array(run[name]) for name in ("voltage", "current", "temperature"))
    figures, _ = loop_figures(*traces, first)
    return dataclasses.asdict(figures)


def figure_rows(cells: int, own: dict[str, Any], other: dict[str, Any], first: str):
    """Rows of the table of figures: both solvers, and how far they are apart."""
    shipped = {k: np.nan if v is None else v for k, v in own["loops"][0].items()}
    figures = {k: np.nan if v is None else v for k, v in figures_of(other, first).items()}
    for name, values in (("finite elements", shipped), ("DEVSIM", figures)):
        texts = (number(values[k] + shift, form, scale) for _, k, form, scale, shift in COLUMNS)
        yield [name, f"{cells}", *texts]
    yield ["apart", "", *apart(figures, shipped)]


def cost_row(own: list[Run], other: list[Run]) -> list[str]:
    """Row of the table of seconds: medians of paired runs, and the range of their ratios."""
    row = []
    for key in ("unknowns", "steps", "newton_iterations"):
        row.append(f"{own[0].result[key]}, {other[0].result[key.removeprefix('newton_')]}")
    for seconds in ("processor", "wall"):
        pairs = [
            (getattr(a, seconds), getattr(b, seconds)) for a, b in zip(own, other, strict=True)
        ]
        ratios = sorted(b / a for a, b in pairs)
        row += [number(statistics.median(side), ".1f") for side in zip(*pairs, strict=True)]
        row.append(f"{statistics.median(ratios):.1f} ({ratios[0]:.1f} to {ratios[-1]:.1f})")
    return row


def main() -> None:
    """Read the options, run both, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--device", default=DEVICE)
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--splits", type=int, nargs="+", default=[1, 2, 3], metavar="N")
    parser.add_argument("--pairs", type=int, default=3, help="pairs of processes of each mesh")
    parser.add_argument("--python", default=sys.executable, help="interpreter that has DEVSIM")
    parser.add_argument(
        "--wall-between",
        action="store_true",
        help="two lines beside the filament's wall instead of the one on it, for DEVSIM",
    )
    options = parser.parse_args()
    test = [options.python, "-c", "import devsim"]
    if subprocess.run(test, capture_output=True, check=False).returncode:
        raise SystemExit(_INSTALL.format(python=options.python))
    device = devicephys.load_device(options.device)
    first = IVSweep.from_device(device).first
    figures, costs = [], []
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "result.json"
        own_command = [sys.executable, "-c", _OWN, options.device, options.preset]
        other_command = [options.python, str(WORKER)]
        process([*own_command, "1"], "", out)  # so that all is compiled
        for split in options.splits:
            settings = Settings.preset(options.preset, mesh_split=split)
            about = describe(device, settings, options.wall_between)
            cells = (len(about["r"]) - 1 - options.wall_between) * (len(about["z"]) - 1)
            runs: dict[str, list[Run]] = {"own": [], "other": []}
            commands = {"own": [*own_command, f"{split}"], "other": other_command}
            for pair in range(options.pairs):
                for side in ("own", "other") if pair % 2 == 0 else ("other", "own"):
                    runs[side].append(process(commands[side], json.dumps(about), out))
                    print(
                        f"{cells} cells, {side}: {runs[side][-1].processor:.1f} s",
                        file=sys.stderr,
                        flush=True,
                    )
            figures += figure_rows(cells, runs["own"][0].result, runs["other"][0].result, first)
            costs.append([f"{cells}", *cost_row(runs["own"], runs["other"])])
    linear = f"DEVSIM {runs['other'][0].result['version']}, {runs['other'][0].result['solver']}"
    print(f"\n{device.name}, preset {options.preset}; {linear}\n")
    print(table(("solver", "cells", *(title for title, *_ in COLUMNS)), figures))
    counts = ("unknowns", "steps", "Newton iterations")
    seconds = [f"{who} ({what})" for what in ("CPU s", "wall s") for who in ("shipped", "DEVSIM")]
    header = ("cells", *counts, *seconds[:2], "CPU ratio", *seconds[2:], "wall ratio")
    print("\n" + table(header, costs))


if __name__ == "__main__":
    main()
