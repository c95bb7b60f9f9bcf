"""Write the made-up data of ``ddk examples`` into ``ddk/samples``; the same numbers each time."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import devicephys
from compact.kinetics.equations import integrate

FOLDER = Path(__file__).resolve().parent.parent / "ddk" / "samples"
LOW, HIGH = 6e-6, 200e-6  # S
PULSES, CYCLES = 60, 4


def trains() -> str:
    """Trains of 60 pulses, RESET and SET by turns, by Eqs. (4) and (3), 1 % noise of each read."""
    rng = np.random.default_rng(1)
    rows = ["train,pulse,G (uS)"]
    for number in range(1, 2 * CYCLES + 1):
        sign = -1 if number % 2 else 1
        drift = (0.06 if sign < 0 else 0.0155) * (1 + 0.05 * rng.standard_normal())
        start = 1.0 if sign < 0 else 0.0
        diffusion = 0.004 if sign < 0 else 0.0005
        y = integrate("implicit", diffusion, drift, np.ones(PULSES), start, sign=sign)
        y = np.concatenate([[start], y])
        g = (LOW + (HIGH - LOW) * y) * (1 + 0.01 * rng.standard_normal(y.size))
        rows += [f"{number},{k},{1e6 * value:.3f}" for k, value in enumerate(g)]
    return "\n".join(rows) + "\n"


def loops() -> str:
    """Three loops of the shipped cell with oxides that conduct 20 % better, 2 % noise."""
    cell = devicephys.load_device("tin-taox-hfox-tin")
    better = {
        f"materials.{name}.conductivity_high": f"{1.2 * cell.materials[name].conductivity_high} S/m"
        for name in ("HfOx", "TaOx")
    }
    cell = cell.with_({**better, "sweep.loops": 3})
    trace = devicephys.simulate(cell, settings=devicephys.Settings.preset("quick"))
    rng = np.random.default_rng(2)
    time = np.linspace(0.0, float(trace.time[-1]), 3 * 240 + 1)[1:]
    voltage = np.interp(time, trace.time, trace.voltage)
    current = np.interp(time, trace.time, trace.current)
    current *= 1 + 0.02 * rng.standard_normal(time.size)
    rows = ["time (s),voltage (V),current (uA)"]
    rows += [
        f"{t:.4f},{v:.4f},{1e6 * i:.4f}" for t, v, i in zip(time, voltage, current, strict=True)
    ]
    return "\n".join(rows) + "\n"


def generator() -> str:
    """Five RESET pulses and a read after each, as a generator exports its corners."""
    rows, time = ["time (us),voltage (V)", "0,0"], 0.0
    for _ in range(5):
        for height, width in ((-2.5, 0.1), (0.1, 0.5)):
            for dt, v in ((0.5, 0.0), (0.01, height), (width, height), (0.01, 0.0)):
                time += dt
                rows.append(f"{time:.2f},{v}")
    return "\n".join([*rows, f"{time + 1:.2f},0"]) + "\n"


def triangles() -> str:
    """A RESET and a SET triangle and a slow read, of heights for a bare cell as "hfo2-ti"."""
    corners = ((0, 0), (1, -1.5), (2, 0), (3, 1.4), (4, 0), (4.5, -0.1), (5, 0))
    return "\n".join(["time (ms),voltage (V)", *(f"{t},{v}" for t, v in corners)]) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in {
        "lab.csv": trains(),
        "loops.csv": loops(),
        "generator.csv": generator(),
        "triangles.csv": triangles(),
    }.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
