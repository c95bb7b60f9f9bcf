"""Loops, pulse trains and retention of one device, as Markdown tables.

``python tests/benchmarks/cell_figures.py --device tin-taox-hfox-tin-2`` simulates six loops,
trains of 100 RESET pulses of 100 ns at five amplitudes, and both states kept at 85 degC (preset
"default"). ``--only loops``, ``--only trains``, ``--only retention`` do one of them.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from figures import CELSIUS_ZERO, COLUMNS
from markdown import number

import compact
import devicephys
from devicephys import Device, PulseTrain, Settings, SwitchingScan
from devicephys.simulation.switching_bench import SolverBench
from devicephys.simulation.switching_time import crossing

PARTS = ("loops", "trains", "retention")
LOOPS, PULSES, READS = 6, 100, (0, 1, 2, 5, 10, 20, 50, 100)
AMPLITUDES = (2.0, 2.25, 2.5, 2.75, 3.0)
YEAR = 365.25 * 86400.0  # s
#: longest time at rest, s, and length of the first step
REST, FIRST = 1e12, 1.0


def line(cells: list[str]) -> None:
    """Print one row of a table as soon as it is known."""
    print("| " + " | ".join(cells) + " |", flush=True)


def loops(device: Device, settings: Settings, count: int) -> None:
    """Headline figures of each of several loops."""
    line(["loop", *(title for title, *_ in COLUMNS)])
    line(["---"] + ["---:"] * len(COLUMNS))
    trace = devicephys.simulate(device.with_({"sweep.loops": count}), settings=settings)
    for index, found in enumerate(json.loads(trace.attrs["headline_json"])["loops"], 1):
        values = (
            number(None if found[key] is None else found[key] + shift, form, scale)
            for _, key, form, scale, shift in COLUMNS
        )
        line([str(index), *values])


def trains(device: Device, settings: Settings, amplitudes: list[float]) -> None:
    """Conductance after so many pulses, the shape of the fall, and alpha and beta."""
    heads = [f"µS after {i}" for i in READS]
    heads += ["pulses to half", "to 20 / 50 / 80 % of the window", "largest pulse"]
    heads += ["hottest (°C)", "alpha", "beta", "R"]
    line(["amplitude (V)", *heads])
    line(["---"] + ["---:"] * len(heads))
    for amplitude in amplitudes:
        ds = devicephys.simulate(device, PulseTrain(f"-{amplitude} V", count=PULSES), settings)
        g = 1e6 * np.concatenate([[float(ds.initial_conductance)], ds.conductance.values])
        window, at = g[0] - g[-1], np.arange(len(g))
        falls = -np.diff(g) / window
        to = [np.interp(-(g[0] - share * window), -g, at) for share in (0.2, 0.5, 0.8)]
        found = compact.fit(g * 1e-6, direction="down")
        cells = [number(g[i], ".1f" if g[i] < 100 else ".0f") for i in READS]
        cells.append(number(np.interp(-0.5 * g[0], -g, at), ".1f"))
        cells.append(" / ".join(number(value, ".1f") for value in to))
        cells.append(number(falls.max(), ".3f") + ("" if (falls > 0).all() else " (not falling)"))
        cells.append(number(float(ds.temperature_max.max()) - CELSIUS_ZERO, ".0f"))
        cells += [
            number(found.alpha, ".5f"),
            number(found.beta, ".3f"),
            number(found.residual_sum, ".3f"),
        ]
        line([number(amplitude, ".2f"), *cells])


def kept(device: Device, settings: Settings, celsius: float) -> Iterator[list[str]]:
    """How long the high and the low state last at a temperature, to the mean of the window."""
    cold = SolverBench(device, settings, SwitchingScan())
    states = {"high": cold.start("set"), "low": cold.start("reset")}
    start = {name: cold.read(state) for name, state in states.items()}
    mean = float(np.sqrt(start["high"] * start["low"]))
    warm = device.with_({"ambient_temperature": f"{celsius + CELSIUS_ZERO!r} K"})
    for name, state in states.items():
        bench = SolverBench(warm, settings, SwitchingScan())
        rest = state.copy()
        rest.u[0::2], rest.u[1::2], rest.contact = 0.0, warm.ambient_temperature, 0.0
        times, values = [], []
        corners = np.array([0.0, REST])
        for step in bench.stepper.run(rest, lambda time: 0.0, corners, FIRST):
            times.append(step.time)
            values.append(cold.read(step.state))
            if (values[-1] - mean) * (start[name] - mean) <= 0:
                break
        years = crossing(np.array(times), np.array(values), mean) / YEAR
        end = f"more than {REST / YEAR:.0f}" if np.isnan(years) else f"{years:.3g}"
        yield [name, f"{celsius:g}", f"{1e-3 / start[name]:.2f}", f"{1e-3 / values[-1]:.2f}", end]


def retention(device: Device, settings: Settings, celsius: list[float]) -> None:
    """Both states at rest at some temperatures."""
    heads = ["state", "°C", "R at first (kΩ)", "R at last (kΩ)", "years to the geometric mean"]
    line(heads)
    line(["---"] + ["---:"] * (len(heads) - 1))
    for value in celsius:
        for cells in kept(device, settings, value):
            line(cells)


def main() -> None:
    """Read the options, simulate, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--device", default="tin-taox-hfox-tin-2")
    parser.add_argument("--preset", default="default")
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--loops", type=int, default=LOOPS)
    parser.add_argument("--amplitudes", type=float, nargs="+", default=list(AMPLITUDES))
    parser.add_argument("--celsius", type=float, nargs="+", default=[85.0])
    options = parser.parse_args()
    device = devicephys.load_device(options.device)
    settings = Settings.preset(options.preset)
    for part in PARTS if options.only is None else (options.only,):
        print(f"\n{device.name}, preset {settings.name}: {part}\n", flush=True)
        if part == "loops":
            loops(device, settings, options.loops)
        elif part == "trains":
            trains(device, settings, options.amplitudes)
        else:
            retention(device, settings, options.celsius)


if __name__ == "__main__":
    main()
