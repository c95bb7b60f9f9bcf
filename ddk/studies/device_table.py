"""From the cell to a network: a table simulated here and now, and the pulses a network needs.

The finite-element solver is reached only inside `simulated_table`, and only when it is called.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ddkbase.errors import InputError

if TYPE_CHECKING:
    from compact.table.table import AlphaBetaTable
    from ddk.studies.result import Result

__all__ = ["settings_words", "simulated_table"]

DEVICE = "tin-taox-hfox-tin"
# From 2.5 V on the first pulse does the whole RESET of the shipped cell, so the grid stays below.
AMPLITUDES = ("-2 V", "-2.2 V")
WIDTHS = ("20 ns", "50 ns", "100 ns")


def simulated_table(
    device: str = DEVICE,
    *,
    amplitudes: Sequence[str] = AMPLITUDES,
    widths: Sequence[str] = WIDTHS,
    initial_resistance: str = "6 kohm",
    pulses: int = 50,
    cycles: int = 2,
    preset: str = "quick",
    seed: int = 1,
    progress: Callable[[str], None] | None = None,
) -> AlphaBetaTable:
    """Simulate pulse trains of a cell and fit alpha and beta: the table a network is shaped by.

    Parameters
    ----------
    device : str, optional
        Name of a device of the library, or a YAML file.
    amplitudes, widths : sequence of str, optional
        Pulses of the trains, every amplitude with every width.
    initial_resistance : str, default "6 kohm"
        Resistance before a train.
    pulses : int, default 50
        Number of pulses of a train.
    cycles : int, default 2
        Trains at each setting; each is of a cell drawn anew.
    preset : str, default "quick"
        How finely mesh and time are resolved.
    seed : int, default 1
        Seed of the cells.
    progress : callable or None, optional
        Called with a line of text for each train.

    Raises
    ------
    InputError
        A value makes no sense.
    InstallationError
        No finite-element stack.
    SolverError
        No time step succeeds.
    """
    from compact.table.table import AlphaBetaTable

    physics: Any = importlib.import_module("devicephys")
    settings = importlib.import_module("devicephys.simulation.settings").Settings.preset(preset)
    cell = physics.load_device(device)
    if cycles < 1:
        raise InputError(f"{cycles} cycles", "cycles", "Use 1 or more")
    wanted = [(a, w, c) for a in amplitudes for w in widths for c in range(cycles)]
    traces = []
    for number, (amplitude, width, cycle) in enumerate(wanted):
        train = physics.PulseTrain(amplitude, width=width, count=pulses)
        traces.append(
            physics.simulate_pulses(
                cell, train, settings, initial_resistance=initial_resistance, seed=seed, cycle=cycle
            )
        )
        if progress is not None:
            told = f"{amplitude}, {width}, cell {cycle}"
            progress(f"[{number + 1}/{len(wanted)}] {pulses} pulses of {told} simulated")
    return AlphaBetaTable.fit(traces, integrator="implicit")


def settings_words(table: AlphaBetaTable, result: Result) -> dict[str, str]:
    """The pulse settings that realise the alpha and beta of a network, as texts.

    One line for one pair; the range of settings, and of what they miss by, for several.
    """
    if result.network is None:
        return {}
    out: dict[str, str] = {}
    for name, (alpha, beta) in result.network.kinetics().items():
        pairs = np.unique(np.stack([np.ravel(alpha), np.ravel(beta)], axis=1), axis=0)
        found = [table.invert(alpha=float(a), beta=float(b)) for a, b in pairs]
        if len(found) == 1:
            out[f"pulses of layer {name}"] = str(found[0])
            continue
        amplitude = [f.at.amplitude for f in found]
        width = [f.at.width for f in found]
        worst = max(f.distance for f in found)
        out[f"pulses of layer {name}"] = (
            f"{len(found)} settings, {min(amplitude):.4g} to {max(amplitude):.4g} V, "
            f"{1e9 * min(width):.4g} to {1e9 * max(width):.4g} ns; misses by at most {worst:.1%}"
        )
    return out
