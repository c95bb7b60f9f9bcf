"""Draw how switching voltages and resistances go from loop to loop, for both Soret signs.

``python tests/benchmarks/loop_to_loop.py --out docs/loop_to_loop.png`` simulates ten loops of the
first cell with both Soret signs (preset "default"), draws both and prints the figures as a Markdown
table; ``--device`` takes another cell.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from markdown import number, table
from matplotlib.figure import Figure

import devicephys

COLOURS = {"cold": "#0072B2", "hot": "#D55E00"}
MARKERS = {"cold": "o", "hot": "s"}


def loops_of(name: str, sign: str, count: int, preset: str) -> list[dict[str, float | None]]:
    """Headline figures of each loop of a device with a Soret sign."""
    device = devicephys.load_device(name).with_({"vacancy.soret": sign, "sweep.loops": count})
    trace = devicephys.simulate(device, settings=devicephys.Settings.preset(preset))
    return list(json.loads(trace.attrs["headline_json"])["loops"])


def draw(found: dict[str, list[dict[str, float | None]]], path: Path) -> None:
    """Three panels: switching voltages, low resistances, ratio, against the number of the loop."""
    figure = Figure(figsize=(9, 3.9), layout="constrained")
    voltages, low, ratio = figure.subplots(1, 3)
    for sign, every in found.items():
        number_of = range(1, len(every) + 1)
        style = {"color": COLOURS[sign], "marker": MARKERS[sign], "markersize": 5}

        def series(key: str, scale: float = 1.0, every=every) -> list[float]:
            return [float("nan") if f[key] is None else abs(f[key]) * scale for f in every]

        voltages.plot(number_of, series("set_voltage"), label=f"SET, Soret {sign}", **style)
        voltages.plot(
            number_of,
            series("reset_onset_voltage"),
            ls="--",
            mfc="white",
            label=f"RESET onset, size, Soret {sign}",
            **style,
        )
        low.plot(number_of, series("low_resistance_before", 1e-3), **style)
        ratio.plot(number_of, series("resistance_ratio"), **style)
    voltages.axhspan(1.35, 1.45, color="0.9")
    voltages.axhspan(1.22, 1.28, color="0.9")
    voltages.set_ylabel("Voltage of the 1T1R cell (V)")
    low.set_ylabel("Low resistance at 0.1 V (kΩ)")
    low.axhspan(4.5, 5.5, color="0.9")
    ratio.set_ylabel("High / low resistance")
    ratio.axhline(15, color="0.6", lw=1)
    for axes in (voltages, low, ratio):
        axes.set_xlabel("Loop")
        axes.set_xticks(range(1, len(next(iter(found.values()))) + 1))
    figure.legend(loc="outside lower center", ncols=4, frameon=False)
    figure.suptitle("Grey: targets. Same device, both signs of the Soret flux")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Simulate, draw, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=Path("docs/loop_to_loop.png"))
    parser.add_argument("--device", default="tin-taox-hfox-tin-v1")
    parser.add_argument("--loops", type=int, default=10)
    parser.add_argument("--preset", default="default")
    wanted = parser.parse_args()
    found = {
        sign: loops_of(wanted.device, sign, wanted.loops, wanted.preset) for sign in ("cold", "hot")
    }
    draw(found, wanted.out)
    rows = [
        [
            sign,
            f"{i + 1}",
            number(every[i]["reset_onset_voltage"], "+.3f"),
            number(every[i]["set_voltage"], "+.3f"),
            number(every[i]["resistance_ratio"], ".1f"),
        ]
        for sign, every in found.items()
        for i in sorted({0, 1, 2, len(every) - 1})
    ]
    header = ("Soret", "loop", "RESET onset / V", "SET / V", "high / low")
    print(table(header, rows))
    print(f"\nwritten: {wanted.out}")


if __name__ == "__main__":
    main()
