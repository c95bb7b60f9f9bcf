"""How far the headline figures move with mesh and time step, from loop to loop, and balances."""

from __future__ import annotations

import dataclasses

from figures import COLUMNS, cells, headline, run
from markdown import number, table

from devicephys import Device, Settings

#: relative to these the last line of the sensitivity table is given
_RESISTANCES = ("low_resistance_before", "high_resistance", "low_resistance_after")
BALANCES = {
    "vacancy_imbalance": ("vacancy inventory", 1e-10),
    "current_imbalance": ("current in and out", 1e-8),
    "energy_imbalance": ("energy", 1e-4),
}


def variants(settings: Settings) -> dict[str, Settings]:
    """The settings, with halved mesh, halved time step, and both."""
    both = settings.halved()
    mesh = dataclasses.replace(settings, mesh_split=both.mesh_split)
    return {
        "as they are": settings,
        "mesh halved": mesh,
        "time step halved": dataclasses.replace(both, mesh_split=settings.mesh_split),
        "both halved": both,
    }


def halving(device: Device, preset: str) -> str:
    """Markdown: headline figures of a preset and of its halved variants, and their changes."""
    rows, found = [], {}
    for name, settings in variants(Settings.preset(preset)).items():
        figures = found[name] = headline(run(device, settings))
        counts = [f"{figures['cells']}", f"{figures['steps']}"]
        rows.append([name, *counts, *cells(figures)])
    base, both = found["as they are"], found["both halved"]
    change = ["change, both halved", "", ""]
    for _, key, _, _, _ in COLUMNS:
        if base.get(key) is None or both.get(key) is None:
            change.append("–")
        elif key in _RESISTANCES:
            change.append(number(both[key] / base[key] - 1.0, "+.1f", 100.0) + " %")
        elif key.startswith("temperature"):
            change.append(number(both[key] - base[key], "+.1f") + " K")
        else:
            change.append(number(both[key] - base[key], "+.1f", 1e3) + " mV")
    header = (f"preset {preset}", "cells", "steps", *(title for title, *_ in COLUMNS))
    return table(header, [*rows, change])


def loops(device: Device, preset: str, last: int = 10) -> str:
    """Markdown: figures of the first three and the last of ``last`` loops without a pause."""
    trace = run(device.with_({"sweep.loops": last}), Settings.preset(preset))
    every = headline(trace)["loops"]
    rows = [[f"{i}", *cells(every[i - 1])] for i in (1, 2, 3, last)]
    return table(("loop", *(title for title, *_ in COLUMNS)), rows)


def balances(device: Device, preset: str) -> str:
    """Markdown: the largest imbalance of each kind over all accepted steps of a loop."""
    trace = run(device, Settings.preset(preset))
    rows = [
        [name, f"{limit:.0e}", f"{float(trace[key].max()):.1e}", f"{trace.sizes['time'] - 1}"]
        for key, (name, limit) in BALANCES.items()
    ]
    return table((f"balance, preset {preset}", "target", "largest", "steps"), rows)
