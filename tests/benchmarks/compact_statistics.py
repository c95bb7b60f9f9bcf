"""How often intervals hold the truth, and which update law suits simulated trains.

python tests/benchmarks/compact_statistics.py --intervals     half a minute
python tests/benchmarks/compact_statistics.py --laws STORE    a store of `ddk-device campaign`
python tests/benchmarks/compact_statistics.py --levels TABLE  a table of `ddk-compact fit`
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from compact.fitting.fit import fit_many  # noqa: E402
from compact.fitting.model import PARAMETERS  # noqa: E402
from compact.fitting.profiles import profile_intervals  # noqa: E402
from compact.laws.update_laws import compare_laws, laws_table  # noqa: E402
from compact.table.source import gather  # noqa: E402
from compact.table.table import AlphaBetaTable  # noqa: E402
from ddkbase.units import format_si  # noqa: E402
from tests.compact.trains import HIGH, LOW, falling  # noqa: E402

POINTS = ((0.01, 0.05), (0.004, 0.03), (0.002, 0.02), (0.02, 0.06), (0.05, 0.1))
LEVEL = 0.6827


def coverage() -> list[str]:
    """68 % intervals of both kinds over all of 1,000 seeds, with and without the bound of G_min."""
    noise = np.array([np.random.default_rng(seed).standard_normal(101) for seed in range(1000)])
    rows = [
        "| alpha | beta | G_min ≥ 0 | at a bound | from G_min to it, s.e. | standard errors, "
        "the others, % | profiles, all, % | bias measured, s.e. | bias by Box | curvature |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for alpha, beta in POINTS:
        for free in (False, True):
            trains = falling(alpha, beta) + 0.01 * (HIGH - LOW) * noise
            fits = fit_many(trains, direction="down", normalised=free)
            found = profile_intervals(fits, level=LEVEL, parameters=PARAMETERS)
            away = ~fits["at_bound"].values.any(axis=1)
            own, profile, bias, box = [], [], [], []
            for name, true in zip(PARAMETERS, (alpha, beta, LOW, HIGH), strict=True):
                error = fits[name].values - true
                stderr = fits[f"{name}_stderr"].values
                own.append(f"{100 * np.mean(np.abs(error[away]) < stderr[away]):.1f}")
                one = found.sel(parameter=name)
                held = (one["lower"].values <= true) & (true <= one["upper"].values)
                profile.append(f"{100 * held.mean():.1f}")
                bias.append(f"{error.mean() / np.nanmedian(stderr):+.2f}")
                said = found["bias"].sel(fitted_parameter=name).median()
                box.append(f"{float(said):+.2f}")
            distance = found["bound_distance"].sel(fitted_parameter="conductance_min").median()
            rows.append(
                f"| {alpha:g} | {beta:g} | {'no' if free else 'yes'} | "
                f"{100 * (~away).mean():.1f} % | "
                f"{float(distance):.1f} | {', '.join(own)} | {', '.join(profile)} | "
                f"{', '.join(bias)} | {', '.join(box)} | "
                f"{float(found['curvature_parameter_effects'].median()):.1f} |"
            )
    return rows


def laws(store: str) -> list[str]:
    """Update laws on the trains of a campaign, by amplitude, then all."""
    trains = gather(store, {"amplitude": None, "width": None, "initial_resistance": None})
    flat = trains.conductance.reshape(-1, trains.conductance.shape[-1])
    compared = compare_laws(flat, direction="down")
    change = np.abs(flat[:, 1] - flat[:, 0]) / np.ptp(np.nan_to_num(flat), axis=1)
    rows = [f"All of {int(compared['valid'].sum())} trains:", "", laws_table(compared), ""]
    for low, high in ((0.0, 0.02), (0.02, 0.2), (0.2, 1.01)):
        part = np.flatnonzero((change >= low) & (change < high) & compared["valid"].values)
        if part.size:
            title = f"{low:.0%} to {min(high, 1):.0%} of the change by the first pulse"
            rows += [f"{title}, {part.size} trains:", ""]
            rows += [laws_table(compared.isel(train=part)), ""]
    return rows


def levels(path: str) -> list[str]:
    """Means of alpha and beta at every value of each axis, over what else varies."""
    ds = AlphaBetaTable.read(path).dataset
    valid = ds["valid"]
    rows = ["| axis | value | valid | alpha | beta | R, median |", "|---|---|---|---|---|---|"]
    for axis, unit in (("amplitude", "V"), ("width", "s"), ("initial_resistance", "ohm")):
        if ds.sizes[axis] < 2:
            continue
        for value in ds[axis].values:
            one = ds.sel({axis: value})
            good = valid.sel({axis: value})
            means = [float(one[name].where(good).mean()) for name in ("alpha", "beta")]
            rows.append(
                f"| {axis} | {format_si(value, unit)} | {int(good.sum())} of {good.size} | "
                f"{means[0]:.2g} | {means[1]:.2g} | "
                f"{float(one['residual'].where(good).median()):.2g} |"
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--intervals", action="store_true")
    parser.add_argument("--laws", metavar="STORE")
    parser.add_argument("--levels", metavar="TABLE")
    chosen = parser.parse_args()
    if chosen.intervals:
        print("\n".join(coverage()) + "\n", flush=True)
    if chosen.laws:
        print("\n".join(laws(chosen.laws)) + "\n", flush=True)
    if chosen.levels:
        print("\n".join(levels(chosen.levels)) + "\n", flush=True)


if __name__ == "__main__":
    main()
