"""Loops and pulse trains of one device, as Markdown tables.

``python tests/benchmarks/cell_figures.py --device tin-taox-hfox-tin`` simulates six loops and
trains of 100 RESET pulses of 100 ns at five amplitudes (preset "default"); ``--only loops`` and
``--only trains`` do one of the two. Retention and switching times have commands of their own.
"""

from __future__ import annotations

import argparse
import json
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from figures import CELSIUS_ZERO, COLUMNS
from markdown import number

import compact
import devicephys
from devicephys import Device, PulseTrain, Settings

PARTS = ("loops", "trains")
LOOPS, PULSES, READS = 6, 100, (0, 1, 2, 5, 10, 20, 50, 100)
AMPLITUDES = (2.0, 2.25, 2.5, 2.75, 3.0)


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


def main() -> None:
    """Read the options, simulate, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--device", default="tin-taox-hfox-tin")
    parser.add_argument("--preset", default="default")
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--loops", type=int, default=LOOPS)
    parser.add_argument("--amplitudes", type=float, nargs="+", default=list(AMPLITUDES))
    options = parser.parse_args()
    device = devicephys.load_device(options.device)
    settings = Settings.preset(options.preset)
    for part in PARTS if options.only is None else (options.only,):
        print(f"\n{device.name}, preset {settings.name}: {part}\n", flush=True)
        if part == "loops":
            loops(device, settings, options.loops)
        else:
            trains(device, settings, options.amplitudes)


if __name__ == "__main__":
    main()
