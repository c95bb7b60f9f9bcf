"""What the shipped cell gains over the first one, and what it pays: both against the same aims.

``python tests/benchmarks/trade_off.py --picture trade_off.png`` simulates six loops, trains of a
hundred RESET pulses and a bake of both cells (preset "default") and prints how far each figure
lies from its aim, in units of what the aim allows; the picture shows the same.
"""

from __future__ import annotations

import argparse
import json
import math
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from markdown import number, table

import devicephys
from ddkbase.pictures import new_figure
from devicephys import Bake, Device, Settings
from devicephys.calibration import Figures, Target, pulse_figures

CELLS = {"tin-taox-hfox-tin-v1": "first cell", "tin-taox-hfox-tin": "shipped cell"}
YEAR, LOOPS = 365.25 * 86400.0, 6
#: aims: what it is called, the factor and the unit that it is printed with
AIMS = (
    (Target("reset_onset_voltage", -1.25, 0.03), "RESET onset", 1.0, "V"),
    (Target("temperature_reset_edge", 693.15, 10.0), "T at RESET", 1.0, "K"),
    (Target("set_voltage", 1.40, 0.05), "SET", 1.0, "V"),
    (Target("temperature_set_edge", 703.15, 15.0), "T at SET", 1.0, "K"),
    (Target("temperature_set_edge_last", 703.15, 15.0), "T at SET, loop 2", 1.0, "K"),
    (Target("low_resistance_before", 5000.0, 500.0), "low R before", 1e-3, "kΩ"),
    (Target("low_resistance_after", 5000.0, 500.0), "low R after", 1e-3, "kΩ"),
    (Target("resistance_ratio", 12.0, 1.0, "at least"), "high/low", 1.0, ""),
    (Target("window_kept", 0.77, 0.1, "at least"), "high R, loop 6 over 2", 1.0, ""),
    (Target("pulses_to_half_2V", 37.5, 22.5), "pulses to half, 2 V", 1.0, ""),
    (Target("pulses_to_half_3V", 5.5, 2.5), "pulses to half, 3 V", 1.0, ""),
    (Target("largest_pulse_3V", 0.2, 0.02, "at most"), "largest pulse, 3 V", 1.0, "of the window"),
    (Target("shape_2V", 0.45, 0.02, "at most"), "shape, 2 V", 1.0, ""),
    (Target("conductance_end_2V", 13e-6, 7e-6), "G at the end, 2 V", 1e6, "µS"),
    (Target("conductance_end_3V", 13e-6, 7e-6), "G at the end, 3 V", 1e6, "µS"),
    (Target("years", 1.0, 1.0, "at least"), "log10 of years at 85 °C", 1.0, ""),
)
#: the picture ends this many allowed deviations from an aim
FARTHEST = 10.0


def measured(device: Device, settings: Settings) -> Figures:
    """All figures of a cell that an aim asks for; None where there is no such event."""
    figures = pulse_figures(device, settings)
    loops = devicephys.simulate(device.with_({"sweep.loops": LOOPS}), settings=settings)
    high = [loop["high_resistance"] for loop in json.loads(loops.attrs["headline_json"])["loops"]]
    figures["window_kept"] = high[-1] / high[1]
    bake = devicephys.simulate(device, Bake("85 degC", "1000 year", first_read="1 ms"), settings)
    years = float(bake["time_geometric"].values[0]) / YEAR
    figures["years"] = math.log10(years) if years > 0 else None
    return figures


def draw(deviations: dict[str, list[float]], path: Path) -> None:
    """Deviations of both cells from each aim, those beyond the picture at its edge."""
    figure = new_figure(8.5, 9.0)
    axes = figure.add_subplot()
    rows = np.arange(len(AIMS))[::-1]
    axes.axvspan(-1.0, 1.0, color="0.88", lw=0)
    axes.axvline(0.0, color="0.6", lw=0.8)
    for (name, values), marker in zip(deviations.items(), ("o", "D"), strict=True):
        shown = np.clip(values, -FARTHEST, FARTHEST)
        axes.plot(
            shown, rows, marker, label=name, mfc="none" if marker == "o" else None, clip_on=False
        )
        for value, row in zip(values, rows, strict=True):
            if abs(value) > FARTHEST:
                side = math.copysign(FARTHEST, value)
                axes.annotate(
                    f"{value:+.0f}" + (" →" if value > 0 else ""),
                    (side, row),
                    (-8 if value > 0 else 8, 0),
                    textcoords="offset points",
                    ha="right" if value > 0 else "left",
                    va="center",
                )
    axes.set_yticks(rows, [name for _, name, *_ in AIMS])
    axes.set_xlim(-FARTHEST, FARTHEST)
    axes.set_xlabel("deviation from the aim, in units of its tolerance")
    axes.legend(loc="lower center", bbox_to_anchor=(0.35, 1.0), ncols=2, frameon=False)
    figure.savefig(path, dpi=120)


def main() -> None:
    """Simulate both cells, print, draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--preset", default="default")
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    settings = Settings.preset(options.preset)
    found = {name: measured(devicephys.load_device(name), settings) for name in CELLS}
    rows, deviations = [], {title: [] for title in CELLS.values()}
    for target, name, scale, unit in AIMS:
        limit = f"{target.limit} " if target.limit else ""
        allowed = "" if target.limit else f" ± {number(target.tolerance, '.3g', scale)}"
        row = [name, f"{limit}{number(target.value, '.4g', scale)}{allowed} {unit}".strip()]
        for cell, title in CELLS.items():
            deviation = target.residual(found[cell])
            deviations[title].append(deviation)
            row += [number(found[cell].get(target.figure), ".4g", scale), number(deviation, ".1f")]
        rows.append(row)
    head = ["what", "aim"] + [part for title in CELLS.values() for part in (title, "deviation")]
    print(table(head, rows))
    if options.picture:
        draw(deviations, options.picture)


if __name__ == "__main__":
    main()
