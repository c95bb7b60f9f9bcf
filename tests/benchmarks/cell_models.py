"""Laws x data sets: the shipped Verilog-A modules fitted to measured loops, held-out errors.

``python tests/benchmarks/cell_models.py [LOOPS.csv ...]`` prints the table of docs/howto_models.md
for files of loops, and for the Knowm loops of the folder DDK_DATA where it is set.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import xarray as xr

from compact.fitting.models import ModelFit, fit_model
from ddkbase.errors import DDKError
from devicephys.measured.loops import read_loop

SAMPLES = 120  # of each loop
FREE = {
    "vteam": "r_on r_off k_on k_off v_on v_off w0",
    "yakopcic": "a1 a2 b ap an vp vn x0",
    "linear_ion_drift": "r_on r_off rate x0",
    "alpha_beta": "gmin gmax alpha beta v0 y0",
    "stanford": "i0 g0 v0 vel0 gamma0 gap_max gap_start",
    "jart_vcm": "n_start n_max barrier rth r_oxide",
}
SHARE = (1e-3, 0.999)  # bounds of a state
GAP = (0.21, 5.0)  # nm


def thinned(ds: xr.Dataset) -> xr.Dataset:
    numbers = ds["loop"].values
    picked = [
        np.flatnonzero(numbers == n)[
            np.unique(np.linspace(0, (numbers == n).sum() - 1, SAMPLES).astype(int))
        ]
        for n in np.unique(numbers)
    ]
    return ds.isel(sample=np.concatenate(picked))


def knowm(folder: Path, volts: float, hertz: float, series: float) -> xr.Dataset:
    """Loops of the three devices at one setting; the currents are taken for microamperes."""
    data = np.load(folder / "memristor_knowm_sdc" / "knowm_sdc_iv.npz")
    rows = []
    same = (data["amplitude_V"] == volts) & (data["freq_Hz"] == hertz)
    for k in np.flatnonzero(same & (data["series_ohm"] == series)):
        part = data["vi"][data["offsets"][k] : data["offsets"][k + 1]]
        time = np.arange(len(part)) / len(part) / hertz
        rows.append(np.column_stack([part[:, 0], part[:, 1] * 1e-6, time, np.full(len(part), k)]))
    columns = dict(zip(("voltage", "current", "time", "loop"), np.concatenate(rows).T, strict=True))
    return xr.Dataset({name: ("sample", values) for name, values in columns.items()})


def starts(ds: xr.Dataset) -> dict[str, dict[str, float]]:
    v, i, t = (ds[n].values for n in ("voltage", "current", "time"))
    strong = np.abs(v) > 0.3 * np.abs(v).max()
    g = np.abs(i[strong] / v[strong])
    high, low, top = float(g.max()), float(g.min()), float(np.abs(v).max())
    once = 10.0 / float(t.max())
    # where SET is positive the way back at positive voltages carries more: the loop runs clockwise
    turned = float(np.sum((0.5 * (i[1:] + i[:-1]) * np.diff(v))[v[1:] > 0])) < 0
    return {
        "vteam": {"r_on": 1 / high, "r_off": 1 / low, "k_on": once, "k_off": once,
                  "v_on": 0.3 * top, "v_off": 0.3 * top, "w0": 0.9},
        "yakopcic": {"a1": high, "a2": high, "ap": once, "an": once, "vp": 0.3 * top,
                     "vn": 0.3 * top, "x0": 0.1},
        "linear_ion_drift": {"r_on": 1 / high, "r_off": 1 / low, "rate": once / (high * top),
                             "x0": 0.1},
        "alpha_beta": {"gmin": low, "gmax": high, "alpha": 0.01 * once, "beta": 0.1 * once,
                       "v0": 0.3 * top, "y0": 0.1},
        # the conductance at the smallest gap, 0.2 nm, of a length g0 = 0.25 nm
        "stanford": {"i0": high * 0.25 * np.exp(0.8), "gap_max": 1.5, "gap_start": 1.0},
        "jart_vcm": {"polarity": -1.0 if turned else 1.0, "r_oxide": max(1 / high - 720, 100.0)},
    }  # fmt: skip


def row(data: str, law: str, fit: ModelFit) -> str:
    wide = [n for n in fit.low if not fit.high[n] < 10 * fit.low[n] and not fit.at_bound[n]]
    ends = ", ".join(
        f"{n} {fit.values[n]:.3g} "
        + ("(bound)" if fit.at_bound[n] else f"[{fit.low[n]:.3g}, {fit.high[n]:.3g}]")
        for n in fit.low
        if n not in wide
    )
    open_ones = f"; not determined: {', '.join(wide)}" if wide else ""
    return (
        f"| {data} | {law} | {100 * fit.error:.1f} % | {100 * fit.held_out_error:.1f} % | "
        f"{fit.durbin_watson:.2f} | {ends}{open_ones} |"
    )


def main() -> int:
    only = [a.removeprefix("--law=") for a in sys.argv[1:] if a.startswith("--law=")]
    files = [a for a in sys.argv[1:] if not a.startswith("--law=")]
    sets = {Path(p).stem: (thinned(read_loop(p)), 3) for p in files}
    if "DDK_DATA" in os.environ:
        folder = Path(os.environ["DDK_DATA"])
        for hertz in (10.0, 100.0):
            name = f"Knowm W-SDC, 0.8 V, {hertz:g} Hz"
            sets[name] = (thinned(knowm(folder, 0.8, hertz, 5000)), 2)
    print("| loops | law | misfit | held out | Durbin-Watson | values, 95 % intervals |")
    print("|---|---|---:|---:|---:|---|")
    for name, (ds, held_out) in sets.items():
        first = starts(ds)
        for law, names in FREE.items():
            if only and law not in only:
                continue
            free, start = names.split(), first[law]
            bounds = {n: SHARE for n in free if n in ("w0", "x0", "y0")}
            bounds |= {n: GAP for n in free if n.startswith("gap_")}
            try:
                fit = fit_model(
                    ds, law, free, start=start, bounds=bounds, held_out=held_out, most=25
                )
            except DDKError as error:
                print(f"| {name} | {law} | {error} | | | |", flush=True)
                continue
            print(row(name, law, fit), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
