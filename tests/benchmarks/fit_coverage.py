"""How often intervals of a fit hold the truth: cells that are drawn, simulated, made noisy, fitted.

``python tests/benchmarks/fit_coverage.py --log coverage.jsonl`` draws 50 cells around the shipped
one, simulates a loop and a train of each, multiplies every value with noise of 2 %, fits five
parameters from the shipped cell's values, all with the real solver at preset "quick", and prints
how many of the true values lie within the 68 and 95 % intervals. One line a cell goes to the log,
and cells that are in it already are not fitted again; ``--first`` and ``--cells`` share the work,
``--starts 2`` searches each cell from two sides, ``--truth`` searches from the true cell, too, and
says where that ends at a likelier one: the first search has missed it. Cells of which a true value
lies more than three deviations off are named, and what the intervals of the others hold.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from markdown import table

import devicephys
from ddkbase.errors import DDKError
from ddkbase.units import exact_text
from devicephys.device.entries import parameter_value
from devicephys.fitting.data import read_data
from devicephys.fitting.description import read_description
from devicephys.fitting.search import Search

CELL = devicephys.load_device("tin-taox-hfox-tin")
#: the parameters, those after the first keep their ratio to it
FREE = {
    "conductivity": ["materials.HfOx.conductivity_high", "materials.TaOx.conductivity_high"],
    "diffusion": ["materials.HfOx.diffusion_prefactor", "materials.TaOx.diffusion_prefactor"],
    "radius": ["filament.radius"],
    "heat": [
        "materials.HfOx.thermal_conductivity_high",
        "materials.TaOx.thermal_conductivity_high",
    ],
    "transistor": ["series.transconductance"],
}
#: half width of the uniform logarithms that true values are drawn from, and the noise
SPREAD, NOISE = 0.15, 0.02
#: samples of the posterior
SAMPLES = 4000
#: time errors of what is measured, as shares of the preset's (a fit's are a 64th)
FINER = 512
AMPLITUDE, WIDTH, PULSES = "-2 V", "100 ns", 20


def fit_one(seed: int, folder: Path, starts: int, from_truth: bool) -> dict[str, Any]:
    """Draw, simulate, fit one cell; what became of each parameter."""
    rng = np.random.default_rng(seed)
    truth = dict(zip(FREE, rng.uniform(-SPREAD, SPREAD, len(FREE)), strict=True))
    changes = {}
    for name, paths in FREE.items():
        for path in paths:
            value = parameter_value(CELL, path) * np.exp(truth[name])
            changes[path] = exact_text(value, CELL.provenance[path].unit)
    cell = CELL.with_(changes)
    # other and finer time steps than those of the fit: what is measured has no error of them. The
    # mesh is the fit's: what another one moves, 1 to 2 % at "quick", is an error of the model
    preset = devicephys.Settings.preset("quick", voltage_step="20 mV")
    settings = dataclasses.replace(
        preset,
        concentration_tolerance=preset.concentration_tolerance / FINER,
        temperature_tolerance=preset.temperature_tolerance / FINER,
        mesh_of=CELL,
    )
    loop = devicephys.simulate(cell, settings=settings)
    train = devicephys.simulate(cell, devicephys.PulseTrain(AMPLITUDE, WIDTH, PULSES), settings)
    current = loop["current"].values * np.exp(NOISE * rng.normal(size=loop.sizes["time"]))
    columns = np.column_stack([loop["time"].values, loop["voltage"].values, current])
    head = "time (s),voltage (V),current (A)"
    np.savetxt(folder / "loop.csv", columns, "%.12g", ",", header=head, comments="")
    reads = train["conductance"].values * np.exp(NOISE * rng.normal(size=PULSES))
    np.savetxt(folder / "train.csv", reads, "%.12g", header="conductance (S)", comments="")
    begun = time.process_time()
    description = {
        "name": "drawn",
        "device": "tin-taox-hfox-tin",
        "refine": "none",  # what is measured was simulated on the mesh of the fit
        "data": [
            {"loop": str(folder / "loop.csv"), "error": NOISE},
            {
                "train": str(folder / "train.csv"),
                "protocol": {"amplitude": AMPLITUDE, "width": WIDTH},
                "error": NOISE,
            },
        ],
        "free": {name: bounds(paths) for name, paths in FREE.items()},
    }
    result = devicephys.fitting.fit_device(description | {"posterior": SAMPLES, "starts": starts})
    seconds = time.process_time() - begun
    inflation = float(result.parameters.attrs["inflation"])
    missed = _missed(description, result, truth) if from_truth else None
    parameters = {}
    for name, paths in FREE.items():
        one = result.parameters.sel(parameter=name)
        true = parameter_value(cell, paths[0])
        parameters[name] = {
            "off": float(np.log(one["value"] / true)),
            "deviation": float(np.log(one["high68"] / one["value"])),
            "half_width": float(np.log(one["posterior_high68"] / one["posterior_low68"]) / 2),
            **{
                f"{kind}{width}": bool(
                    one[f"{kind}low{width}"] <= true <= one[f"{kind}high{width}"]
                )
                for kind in ("", "posterior_")
                for width in ("68", "95")
            },
        }
    return {
        "seed": seed,
        "solves": result.solves,
        "reason": result.reason,
        "misfit": result.misfit,
        "emulator_error": result.posterior.attrs["emulator_error"],
        "inflation": inflation,
        "missed": missed,
        "seconds": seconds,
        "open": result.undetermined,
        "parameters": parameters,
    }


def _missed(
    description: dict[str, Any], result: devicephys.fitting.FitResult, truth: dict[str, float]
) -> float:
    """By how much more likely (logarithm) a search that begins with the true cell ends."""
    given, _ = read_description(description)
    data = read_data(given.data, None)
    search = Search(given, data, (), CELL, None, None)
    begin = np.array([truth[name] for name in search.names])
    search.minimise(begin, given.solves)
    assert search.best is not None
    at = np.log(result.parameters["value"].values / search.value)
    search.most = len(search.solves) + 1
    found = search.cost(search.solve(at), at)
    return float((found - search.best[0]) / search.information().dispersion)


def bounds(paths: list[str]) -> dict[str, Any]:
    """A factor of two to each side of the shipped cell's value."""
    value, unit = parameter_value(CELL, paths[0]), CELL.provenance[paths[0]].unit
    ends = sorted((value / 2.0, value * 2.0))
    low, high = (exact_text(end, unit) for end in ends)
    return {"paths": paths, "lower": low, "upper": high}


def report(lines: list[dict[str, Any]]) -> None:
    """Print the table of what stands in a log."""
    fitted = [line for line in lines if "parameters" in line]
    rows = []
    for name in [*FREE, "all"]:
        cells = [p for line in fitted for n, p in line["parameters"].items() if name in (n, "all")]
        z = np.array([p["off"] / p["deviation"] for p in cells])
        rows.append(
            [
                name,
                *(
                    f"{100 * np.mean([p[f'{kind}{width}'] for p in cells]):.0f} %"
                    for kind in ("", "posterior_")
                    for width in ("68", "95")
                ),
                f"{100 * np.median([p['deviation'] for p in cells]):.2g} %",
                f"{100 * np.median([p['half_width'] for p in cells]):.2g} %",
                f"{np.median(np.abs(z)):.2f}",
            ]
        )
    heads = ["within 68 %, Laplace", "95 %", "within 68 %, posterior", "95 %", "deviation, Laplace"]
    heads = ["parameter", *heads, "half of 68 %, posterior", "median abs. z, Laplace"]
    print(table(heads, rows))
    solves = [line["solves"] for line in fitted]
    seconds = np.mean([line["seconds"] for line in fitted])
    print(
        f"\n{len(fitted)} of {len(lines)} cells fitted; solves {np.median(solves):.0f} (median), "
        f"{max(solves)} (most); {seconds:.0f} CPU s a cell; errors enlarged "
        f"{np.median([line['inflation'] for line in fitted]):.2f} times (median)"
    )
    far = [
        line["seed"]
        for line in fitted
        if any(abs(p["off"]) > 3 * p["deviation"] for p in line["parameters"].values())
    ]
    near = [p for x in fitted if x["seed"] not in far for p in x["parameters"].values()]
    shares = ", ".join(
        f"{100 * np.mean([p[kind] for p in near]):.0f} %"
        for kind in ("68", "95", "posterior_68", "posterior_95")
    )
    print(f"beyond three deviations: seeds {far}; within those of the others: {shares}")
    for line in fitted:
        if (line.get("missed") or 0.0) > 0.5:
            print(f"seed {line['seed']}: from the true cell likelier by {line['missed']:.1f}")
    for line in lines:
        if "error" in line:
            print(f"seed {line['seed']}: {line['error']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=50)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--starts", type=int, default=1, help="searches of each cell")
    parser.add_argument("--truth", action="store_true", help="search from the true cell, too")
    asked = parser.parse_args()
    done = {}
    if asked.log.exists():
        done = {line["seed"]: line for line in map(json.loads, asked.log.read_text().splitlines())}
    for seed in range(asked.first, asked.first + asked.cells):
        if seed in done:
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                done[seed] = fit_one(seed, Path(folder), asked.starts, asked.truth)
            except DDKError as error:  # a cell that cannot be simulated, or a loop that is refused
                done[seed] = {"seed": seed, "error": str(error)}
        with asked.log.open("a") as log:
            log.write(json.dumps(done[seed]) + "\n")
        print(f"{len(done)} cells", file=sys.stderr)
    report(list(done.values()))


if __name__ == "__main__":
    main()
