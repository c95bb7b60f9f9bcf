"""Arrays with line resistance: how long the exact currents take, and how far the fast ones are off.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.array_solver [SIZES]

Cells uniform in 6.1-202.1 uS, 1 ohm a segment, normal inputs of both signs. Errors: largest over
columns relative to the largest current, median over 20 inputs. badcrossbar, where it is installed,
is timed on the same arrays.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from network.hardware import LineResistance, approximate_transfer, solve_array, transfer_matrix
from network.hardware.arrays.nodal import local_transfer

OHM = 1.0


def seconds(call: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def error(found: np.ndarray, exact: np.ndarray) -> float:
    return float(np.median(np.abs(found - exact).max(0) / np.abs(exact).max(0)))


def row(size: int) -> str:
    rng = np.random.default_rng(size)
    g = rng.uniform(6.1e-6, 202.1e-6, (size, size))
    volts = rng.standard_normal((size, 20))
    lines = LineResistance(OHM, OHM)
    one = volts[:, :1]
    t_lines, swept = seconds(lambda: solve_array(g, one, lines, "lines"))
    t_direct, direct = seconds(lambda: solve_array(g, one, lines, "direct"))
    exact = solve_array(g, volts, lines).currents
    agree = np.abs(swept.currents - direct.currents).max() / np.abs(direct.currents).max()
    t_matrix = seconds(lambda: transfer_matrix(g, lines))[0] if size <= 256 else np.nan
    t_fast, fast = seconds(lambda: approximate_transfer(g, lines, rng=rng, tests=0))
    errors = [error(m @ volts, exact) for m in (g.T, local_transfer(g, lines), fast.matrix)]
    try:
        import badcrossbar

        logging.disable(logging.INFO)
        t_other, other = seconds(
            lambda: badcrossbar.compute(one, 1 / g, r_i_word_line=OHM, r_i_bit_line=OHM)
        )
        currents = np.asarray(other.currents.output).T
        off = np.abs(currents - direct.currents).max() / np.abs(currents).max()
        reference = f"{t_other:.3g} s ({off:.0e})"
    except ImportError:
        reference = "not installed"
    return (
        f"| {size} x {size} | {t_lines:.3g} | {t_direct:.3g} | {agree:.0e} | {t_matrix:.3g} | "
        f"{t_fast:.3g} | {100 * errors[0]:.2g} | {100 * errors[1]:.2g} | {100 * errors[2]:.2g} | "
        f"{reference} |"
    )


def main() -> None:
    sizes = [int(n) for n in sys.argv[1:]] or [16, 32, 64, 128, 256, 512]
    seconds(lambda: solve_array(np.ones((4, 4)), np.ones(4), LineResistance(1.0, 1.0)))  # imports
    print(
        "| array | lines, s | direct, s | they differ | matrix, s | fast, s | ideal off, % | "
        "local off, % | fast off, % | badcrossbar |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for size in sizes:
        print(row(size), flush=True)


if __name__ == "__main__":
    main()
