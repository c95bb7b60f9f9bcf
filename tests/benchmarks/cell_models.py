"""Laws x data sets: the shipped Verilog-A modules fitted to measured data, held-out errors.

``python tests/benchmarks/cell_models.py [LOOPS.csv ...]`` prints the table of docs/howto_models.md
for files of loops, and for the Knowm loops of the folder DDK_DATA where it is set; with
``--trains`` the table of pulse trains: two of the shipped cell, LTP and LTD that are made up, and
the trains of Gong et al. of the folder DDK_DATA. ``--law=vteam`` takes one law.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import xarray as xr
from lab_trains import trains as ltp_ltd

import compact
import devicephys
from compact.fitting.models import ModelFit, fit_model
from ddkbase.errors import DDKError
from devicephys.measured.loops import read_loop

SAMPLES = 120  # of each loop
PULSES = 40  # of each train
FREE = {
    "vteam": "r_on r_off k_on k_off v_on v_off w0",
    "yakopcic": "a1 a2 b ap an vp vn x0",
    "linear_ion_drift": "r_on r_off rate x0",
    "alpha_beta": "gmin gmax alpha beta v0 y0",
    "stanford": "i0 g0 v0 vel0 gamma0 gap_max gap_start",
    "jart_vcm": "n_start n_max barrier rth r_oxide",
}
#: trains cannot tell the conductance at y = 1 from the scale of y, so that is given
OF_TRAINS = FREE | {"alpha_beta": "gmin alpha beta v0 y0"}
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


def begun(
    high: float,
    low: float,
    top: float,
    once: float,
    share: float = 0.1,
    gap: float = 1.0,
    polarity: float = -1.0,
) -> dict[str, dict[str, float]]:
    """Values to start from, by law: conductances, voltage and rate of the data, state at first."""
    return {
        "vteam": {"r_on": 1 / high, "r_off": 1 / low, "k_on": once, "k_off": once,
                  "v_on": 0.3 * top, "v_off": 0.3 * top, "w0": 1 - share},
        "yakopcic": {"a1": high, "a2": high, "ap": once, "an": once, "vp": 0.3 * top,
                     "vn": 0.3 * top, "x0": share},
        "linear_ion_drift": {"r_on": 1 / high, "r_off": 1 / low, "rate": once / (high * top),
                             "x0": share},
        "alpha_beta": {"gmin": low, "gmax": high, "alpha": 0.01 * once, "beta": 0.1 * once,
                       "v0": 0.3 * top, "y0": share},
        # the conductance at the smallest gap, 0.2 nm, of a length g0 = 0.25 nm
        "stanford": {"i0": high * 0.25 * np.exp(0.8), "gap_max": 1.5, "gap_start": gap},
        "jart_vcm": {"polarity": polarity, "r_oxide": max(1 / high - 720, 100.0)},
    }  # fmt: skip


def starts(ds: xr.Dataset) -> dict[str, dict[str, float]]:
    v, i, t = (ds[n].values for n in ("voltage", "current", "time"))
    strong = np.abs(v) > 0.3 * np.abs(v).max()
    g = np.abs(i[strong] / v[strong])
    high, low, top = float(g.max()), float(g.min()), float(np.abs(v).max())
    # where SET is positive the way back at positive voltages carries more: the loop runs clockwise
    turned = float(np.sum((0.5 * (i[1:] + i[:-1]) * np.diff(v))[v[1:] > 0])) < 0
    return begun(high, low, top, 10.0 / float(t.max()), polarity=-1.0 if turned else 1.0)


def starts_of_trains(ds: xr.Dataset) -> dict[str, dict[str, float]]:
    """Values to start from: the range of the reads, and a tenth of a train to cross it."""
    g = ds["conductance"].values
    high, low = float(np.nanmax(g)), float(np.nanmin(g))
    share = min(max(float((g[0, 0] - low) / (high - low)), 0.01), 0.99)
    # the gap of Stanford's law at which the exponential has the first read
    gap = 0.25 + 0.25 * float(np.log(high / max(g[0, 0], 1.01 * low)))
    top = float(np.nanmax(np.abs(ds["amplitude"].values)))
    once = 10.0 / (g.shape[1] * float(np.nanmax(ds["width"].values)))
    return begun(high, low, top, once, share, gap)


def train_files(folder: Path) -> dict[str, Path]:
    """Files of trains, the last run of each is held out where there are several."""
    files = {}
    lines = ["run,pulse,conductance (S),amplitude (V),width (ns)"]
    settings = devicephys.Settings.preset("quick")
    cell = devicephys.load_device("tin-taox-hfox-tin")
    for run, amplitude in enumerate(("-2 V", "-2.5 V", "-2.25 V")):
        train = devicephys.simulate(
            cell, devicephys.PulseTrain(amplitude, "100 ns", PULSES), settings
        )
        reads = [1 / float(train["initial_resistance"]), *train["conductance"].values]
        lines += [
            f"{run},{k},{g:.8g},{amplitude.removesuffix(' V')},100" for k, g in enumerate(reads)
        ]
    name = "shipped cell, RESET at -2 and -2.5 V, held out -2.25 V"
    files[name] = folder / "shipped.csv"
    files[name].write_text("\n".join(lines) + "\n", encoding="utf-8")
    name = f"made-up LTP and LTD, {PULSES} pulses each, held out another cycle"
    files[name] = folder / "ltp_ltd.csv"
    files[name].write_text(ltp_ltd(PULSES, 2), encoding="utf-8")
    if "DDK_DATA" in os.environ:
        source = Path(os.environ["DDK_DATA"]) / "reram_gong_aihwkit" / "gong_et_al.csv"
        table = np.genfromtxt(source, delimiter=",", encoding="utf-8-sig")
        # no unit, amplitude or width is known: 1.5 V, 100 ns, and a range above zero are assumed
        up = 10 * (table[: 20 * PULSES : 10, 0] + 2)
        lines = ["run,pulse,conductance (uS),amplitude (V),width (ns)"]
        lines += [f"0,{k},{g:.6g},1.5,100" for k, g in enumerate(up)]
        name = f"Gong, every tenth of {20 * PULSES} SET pulses"
        files[name] = folder / "gong.csv"
        files[name].write_text("\n".join(lines) + "\n", encoding="utf-8")
    return files


def row(data: str, law: str, fit: ModelFit) -> str:
    wide = [n for n in fit.low if not fit.high[n] < 10 * fit.low[n] and not fit.at_bound[n]]
    ends = ", ".join(
        f"{n} {fit.values[n]:.3g} "
        + ("(bound)" if fit.at_bound[n] else f"[{fit.low[n]:.3g}, {fit.high[n]:.3g}]")
        for n in fit.low
        if n not in wide
    )
    open_ones = f"not determined: {', '.join(wide)}" if wide else ""
    held_out = "–" if np.isnan(fit.held_out_error) else f"{100 * fit.held_out_error:.1f} %"
    values = "; ".join(filter(None, [ends, open_ones]))
    return (
        f"| {data} | {law} | {100 * fit.error:.1f} % | {held_out} | {fit.durbin_watson:.2f} | "
        f"{values} |"
    )


def loops(files: list[str]) -> dict[str, tuple[xr.Dataset, int]]:
    """Data sets of loops, and how many of each are held out."""
    sets = {Path(p).stem: (thinned(read_loop(p)), 3) for p in files}
    if "DDK_DATA" in os.environ:
        folder = Path(os.environ["DDK_DATA"])
        for hertz in (10.0, 100.0):
            name = f"Knowm W-SDC, 0.8 V, {hertz:g} Hz"
            sets[name] = (thinned(knowm(folder, 0.8, hertz, 5000)), 2)
    return sets


def fit(ds: xr.Dataset, law: str, of_trains: bool, held_out: int) -> ModelFit:
    free = (OF_TRAINS if of_trains else FREE)[law].split()
    bounds = {n: SHARE for n in free if n in ("w0", "x0", "y0")}
    bounds |= {n: GAP for n in free if n.startswith("gap_")}
    start = (starts_of_trains if of_trains else starts)(ds)[law]
    data = {"loops": None, "trains": ds} if of_trains else {"loops": ds}
    return fit_model(
        model=law, free=free, start=start, bounds=bounds, held_out=held_out, most=25, **data
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", help="CSV files of loops")
    parser.add_argument("--trains", action="store_true", help="pulse trains instead of loops")
    parser.add_argument("--law", action="append", choices=list(FREE), help="this law alone")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.trains:
            files = train_files(Path(folder))
            sets = {name: (compact.read_pulses(path), 1) for name, path in files.items()}
        else:
            sets = loops(options.files)
    print("| data | law | misfit | held out | Durbin-Watson | values, 95 % intervals |")
    print("|---|---|---:|---:|---:|---|")
    for name, (ds, held_out) in sets.items():
        for law in options.law or FREE:
            try:
                print(row(name, law, fit(ds, law, options.trains, held_out)), flush=True)
            except DDKError as error:
                print(f"| {name} | {law} | {error} | | | |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
