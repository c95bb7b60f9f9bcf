"""What the fit of alpha and beta costs and how far it can be trusted, as tables of the docs.

    python tests/benchmarks/compact_fit.py            all tables, about two minutes
    python tests/benchmarks/compact_fit.py --speed    one of --speed, --recovery, --nist, --laws

Speed is measured on one core (set OPENBLAS_NUM_THREADS=1), both sides in one run. The measured
trains of the last table are read from the folder that DDK_DATA names, if it does.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from compact.fitting.fit import fit_many  # noqa: E402
from compact.fitting.least_squares import solve  # noqa: E402
from compact.laws.update_laws import compare_laws, laws_table  # noqa: E402
from tests.compact import nist_problems  # noqa: E402
from tests.compact.trains import HIGH, LOW, falling  # noqa: E402

TRAINS, PULSES, ONE_BY_ONE = 10_000, 100, 100
NAMES = ("alpha", "beta", "conductance_min", "conductance_max")


def speed() -> list[str]:
    """Many trains at once, against one SciPy call with finite differences per train.

    SciPy gets the same model and bounds, the recurrence as a loop over plain floats, which for one
    train is several times faster than NumPy, and one start; the batch two of its eight starts.
    """
    rng = np.random.default_rng(1)
    alpha = rng.uniform(0.005, 0.05, TRAINS)
    beta = alpha / rng.uniform(0.2, 0.9, TRAINS)
    trains = falling(alpha, beta, pulses=PULSES)
    trains += 0.01 * np.ptp(trains, axis=1)[:, None] * rng.standard_normal(trains.shape)
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        found = fit_many(trains, direction="down", starts=2)
        seconds.append(time.perf_counter() - begin)
    begin = time.perf_counter()
    costs = [_scipy(train, rng) for train in trains[:ONE_BY_ONE]]
    single = (time.perf_counter() - begin) / ONE_BY_ONE
    batch = min(seconds) / TRAINS
    as_good = np.sum(found["residual"].values[:ONE_BY_ONE] <= 1.0001 * np.array(costs))
    return [
        "| what | measured |",
        "|---|---|",
        f"| {TRAINS:,} trains of {PULSES} pulses, all at once | {min(seconds):.2f} s "
        f"(worst of three {max(seconds):.2f} s) |",
        f"| of them fitted | {int(found['valid'].sum()):,} |",
        f"| a train | {1e3 * batch:.3f} ms |",
        f"| SciPy least_squares, finite differences, one train | {1e3 * single:.2f} ms |",
        f"| ratio | {single / batch:.0f} |",
        f"| residual sum not above SciPy's | {as_good} of {ONE_BY_ONE} |",
    ]


def _scipy(train: np.ndarray, rng: np.random.Generator) -> float:
    from scipy.optimize import least_squares

    low, span = train.min(), np.ptp(train)
    scaled = (train - low) / span

    def residual(p: np.ndarray) -> np.ndarray:
        a, b = float(p[0]), float(p[1])
        y, curve = 1.0, [1.0]
        for _ in range(PULSES):
            c = y - b
            y = 0.5 * (c + math.sqrt(c * c + 4 * a))
            curve.append(y)
        return p[2] + (p[3] - p[2]) * np.array(curve) - scaled

    start = [*rng.uniform(0, 0.1, 2), -0.01, 1.0]
    bounds = ([0, 0, -low / span, 0], [10, 10, 1, 2])
    start[2] = max(start[2], bounds[0][2])
    found = least_squares(residual, start, bounds=bounds, x_scale="jac")
    return float(2 * found.cost)


def recovery() -> list[str]:
    """Truth within one standard error, and mean error in standard errors, over 1,000 seeds."""
    rows = [
        "| integrator | alpha | beta | interior | within 1 s.e., % (alpha, beta, G_min, G_max) | "
        "bias, s.e. (the same) |",
        "|---|---|---|---|---|---|",
    ]
    noise = np.array([np.random.default_rng(seed).standard_normal(101) for seed in range(1000)])
    points = ((0.01, 0.05), (0.004, 0.03), (0.002, 0.02), (0.02, 0.06), (0.05, 0.1))
    for integrator in ("explicit", "implicit", "exact"):
        for alpha, beta in points:
            trains = falling(alpha, beta, integrator=integrator) + 0.01 * (HIGH - LOW) * noise
            ds = fit_many(trains, direction="down", integrator=integrator)
            ds = ds.isel(train=np.flatnonzero(~ds["at_bound"].values.any(axis=1)))
            inside, bias = [], []
            for name, true in zip(NAMES, (alpha, beta, LOW, HIGH), strict=True):
                z = (ds[name].values - true) / ds[f"{name}_stderr"].values
                inside.append(f"{100 * np.mean(np.abs(z) < 1):.1f}")
                bias.append(f"{np.mean(z):+.2f}")
            rows.append(
                f"| {integrator} | {alpha:g} | {beta:g} | {ds.sizes['train'] / 10:.1f} % | "
                f"{', '.join(inside)} | {', '.join(bias)} |"
            )
    return rows


def nist() -> list[str]:
    """Correct digits of the worst parameter of each NIST problem, and what it took."""
    rows = ["| problem | start 1 | start 2 | steps from start 2 |", "|---|---|---|---|"]
    good = [0, 0]
    for name in sorted(nist_problems.MODELS):
        problem = nist_problems.read(name)
        cells, steps = [], 0
        for k, start in enumerate(problem.starts):
            found = solve(
                problem.model, start[None], [-np.inf], [np.inf], steps=1000, tolerance=1e-14
            )
            correct = nist_problems.digits(found.x[0], problem.certified)
            good[k] += correct >= 6
            cells.append(f"{correct:.1f}" if correct >= 1 else "elsewhere")
            steps = int(found.steps[0])
        rows.append(f"| {name} | {' | '.join(cells)} | {steps} |")
    rows.append(f"| 6 digits or more | {good[0]} of 27 | {good[1]} of 27 | |")
    return rows


def laws() -> list[str]:
    """Update laws on measured trains (Gong et al.), alpha and beta of which stand below."""
    folder = os.environ.get("DDK_DATA", "")
    path = Path(folder) / "reram_gong_aihwkit" / "gong_et_al.csv"
    if not folder or not path.is_file():
        return ["DDK_DATA does not name a folder with reram_gong_aihwkit: left out"]
    trains = np.loadtxt(path, delimiter=",", encoding="utf-8-sig").T
    compared = compare_laws(trains, normalised=True)
    rows = []
    for k, direction in enumerate(compared["direction"].values):
        rows += [f"{direction}:", "", laws_table(compared.isel(train=[k])), ""]
    rows += [
        "| train | method | alpha | beta | R | autocorrelation | remark |",
        "|---|---|---|---|---|---|---|",
    ]
    for method in ("article", "better"):
        ds = fit_many(trains, method=method, mirror=True, normalised=True)
        for k, direction in enumerate(ds["direction"].values):
            one = ds.isel(train=k)
            rows.append(
                f"| {direction} | {method} | {float(one['alpha']):.3g} ± "
                f"{float(one['alpha_stderr']):.1g} | {float(one['beta']):.3g} ± "
                f"{float(one['beta_stderr']):.1g} | {float(one['residual']):.3g} | "
                f"{float(one['residual_autocorrelation']):.2f} | "
                f"{one['reason'].item() or one['note'].item()} |"
            )
    return rows


TABLES: dict[str, tuple[str, Callable[[], list[str]]]] = {
    "speed": ("Speed", speed),
    "recovery": ("Recovery, 100 pulses, 1 % noise, 1,000 seeds", recovery),
    "nist": ("NIST StRD, non-linear regression", nist),
    "laws": ("Update laws on measured trains", laws),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in TABLES:
        parser.add_argument(f"--{name}", action="store_true")
    chosen = vars(parser.parse_args())
    for name, (title, table) in TABLES.items():
        if chosen[name] or not any(chosen.values()):
            print(f"### {title}\n")
            print("\n".join(table()) + "\n", flush=True)


if __name__ == "__main__":
    main()
