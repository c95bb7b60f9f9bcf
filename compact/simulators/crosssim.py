"""Lookup tables of conductance steps for CrossSim's training on devices.

A file holds a line that is skipped, the conductances, the values of the cumulative distribution,
and for each of these the steps at all conductances (V. Agarwal et al., "Using floating-gate memory
to train ideal accuracy neural networks", IEEE JXCDC 5, 52 (2019); CrossSim's own examples). It
takes the entry nearest to a conductance.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import ndtri

from compact.simulators.steps import PulseSteps, largest_difference, pulse_steps, said
from ddkbase.folders import check_result_folder, new_folder

__all__ = ["FILES", "lookup_after", "lookup_tables", "to_crosssim"]

#: names that CrossSim looks for, by the sign of the pulses
FILES = {1: "dG_increasing.txt", -1: "dG_decreasing.txt"}
_README = "README.txt"
ENTRIES = 1001  # conductances; the nearest is half of a thousandth of the range away
QUANTILES = 101  # of the distribution, where there is one


def to_crosssim(
    source: Any,
    path: str | os.PathLike[str],
    opposite: Any = None,
    *,
    overwrite: bool = False,
    **options: Any,
) -> Path:
    """A folder of lookup tables for CrossSim: dG_increasing.txt, dG_decreasing.txt, README.txt.

    Parameters
    ----------
    source : AlphaBetaFit, AlphaBetaTable or xarray.Dataset
        The fit or table.
    path : str or Path
        The folder to make.
    opposite : AlphaBetaFit, AlphaBetaTable or None, optional
        The other polarity.
    overwrite : bool, default False
        Replace the folder of an earlier call.
    **options : dict, optional
        Further arguments of `pulse_steps`.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    InputError
        As of `pulse_steps`.
    StorageError
        The folder holds tables already or something else, or cannot be written.
    """
    steps = pulse_steps(source, opposite, **options)
    path = Path(path)
    check_result_folder(path, overwrite, {*FILES.values(), _README}, FILES[1])
    tables, heading = lookup_tables(steps)
    with new_folder(path, overwrite) as folder:
        for sign, name in FILES.items():
            (folder / name).write_text(tables[sign], encoding="utf-8")
        (folder / _README).write_text("\n".join(heading) + "\n", encoding="utf-8")
    return path


def lookup_tables(steps: PulseSteps) -> tuple[dict[int, str], list[str]]:
    """The two tables by sign, and the lines that say how exact they are."""
    grid = np.linspace(steps.low, steps.high, ENTRIES)
    spreads = {1: steps.rise_spread, -1: steps.fall_spread}
    noisy = any(np.isfinite(s) and s > 0 for s in spreads.values())
    cdf = np.linspace(0.0, 1.0, QUANTILES if noisy else 2)
    tables = {}
    for sign in (-1, 1):
        mean = steps.step(grid, sign)  # CrossSim itself stops at the ends
        spread = spreads[sign] if np.isfinite(spreads[sign]) else 0.0
        edge = 0.5 / (cdf.size - 1)
        around = spread * ndtri(cdf.clip(edge, 1 - edge)) if noisy else np.zeros(2)
        rows = [grid, cdf, *(mean[None, :] + around[:, None])]
        first = (
            f"ddk-toolkit: conductances [S]; cumulative distribution; steps [S] of {_WORD[sign]}"
        )
        tables[sign] = "\n".join([first, *(",".join(map(repr, r.tolist())) for r in rows)]) + "\n"

    def after(conductance: np.ndarray, sign: int) -> np.ndarray:
        return lookup_after(conductance, tables[sign], (steps.low, steps.high))

    lost = [
        "how a step depends on the amplitude and width of a pulse: they are those of the fit",
        "that a disturbed cycle stays disturbed: CrossSim draws each step anew",
    ]
    if not noisy:
        lost.append("the spread from cycle to cycle, which was not measured: all rows are alike")
    title = "CrossSim, lookup tables of steps, written by ddk-toolkit"
    return tables, said(steps, title, largest_difference(steps, after), lost, "#")


def lookup_after(conductance: np.ndarray, table: str, ends: tuple[float, float]) -> np.ndarray:
    """Mean conductance after one pulse as CrossSim takes it from a table.

    Parameters
    ----------
    conductance : ndarray, shape (...), S
        Before the pulse, within the table.
    table : str
        Text of one of the two files.
    ends : tuple of float, S
        Ends of the range, at which it is clipped.

    Returns
    -------
    ndarray, shape (...), S
        After it; the mean over the distribution, whose first and last rows count half.
    """
    rows = [np.array(line.split(","), float) for line in table.splitlines()[1:]]
    grid, cdf, matrix = rows[0], rows[1], np.array(rows[2:])
    weights = np.full(cdf.size, 1 / (cdf.size - 1))
    weights[[0, -1]] *= 0.5
    step = (grid[-1] - grid[0]) / (grid.size - 1)
    index = ((np.asarray(conductance, float) - (grid[0] - 0.5 * step)) / step).astype(int)
    moved = (weights @ matrix)[index.clip(0, grid.size - 1)]
    return np.asarray(np.clip(conductance + moved, *ends))


_WORD = {1: "SET", -1: "RESET"}
