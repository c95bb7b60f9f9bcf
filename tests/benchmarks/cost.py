"""What a loop costs: iterations, rejected steps, seconds by part, for the three schemes."""

from __future__ import annotations

import numpy as np
import xarray as xr
from figures import headline, run
from markdown import number, table

from devicephys import Device, Settings

SCHEMES = ("monolithic", "staggered", "one-pass")
NAMES = {
    "monolithic": "monolithic",
    "staggered": "staggered, converged",
    "one-pass": "staggered, one pass",
}
PARTS = ("residual", "jacobian", "factorisation", "back-substitution", "rest", "solving")
HEADER = (
    "preset",
    "scheme",
    "unknowns",
    "steps",
    "rejected",
    "iterations",
    "factorisations",
    *(f"{part} (s)" for part in PARTS),
    "to monolithic",
    "ΔT before RESET (K)",
    "Δ SET (mV)",
)
NOTE = """\
One loop of the shipped device on one core, the faster of two runs after a warm-up (compiled forms
are kept on disk; a single run of the staggered schemes at "default").
"iterations" counts linear systems solved: with all unknowns in the monolithic
scheme, with the unknowns of one block in the staggered ones. "solving" is all of the time
stepping, the parts before it its shares; making the mesh, loading the forms and writing files are
not in it. "ΔT before RESET" is the largest difference of the peak temperature to the monolithic
run of the same preset up to its RESET onset, "Δ SET" that of the SET voltage. The converged
staggered scheme solves the same equations on time steps of its own, so that its differences are
the time error of the preset.

**One pass is not a cheaper way to the same result.** Its fields do not belong to the same
instant: the energy balance of its steps is off by up to {one_pass:.0%} of the electric power,
against {monolithic:.0e} in the monolithic run. It is there for teaching."""


def best_of_two(device: Device, settings: Settings) -> xr.Dataset:
    """The faster of two equal runs."""
    runs = [run(device, settings) for _ in range(2)]
    return min(runs, key=lambda trace: headline(trace)["seconds"]["solving"])


def temperature_difference(trace: xr.Dataset, reference: xr.Dataset) -> float:
    """Largest difference of peak temperature up to the reference's RESET onset [K]."""
    onset = headline(reference).get("reset_onset_voltage")
    end = -(onset if onset is not None else float(reference.voltage.min()))
    times = np.linspace(0.0, 1.0, 400)
    stop = int(np.argmax(-reference.voltage.values >= end))
    times = times * float(reference.time[stop])
    one, other = (np.interp(times, t.time, t.temperature_max) for t in (trace, reference))
    return float(np.abs(one - other).max())


def row(preset: str, scheme: str, trace: xr.Dataset, reference: xr.Dataset) -> list[str]:
    """One line of the table."""
    found, base = headline(trace), headline(reference)
    seconds = found["seconds"]
    counts = ("unknowns", "steps", "rejected_steps", "newton_iterations", "factorisations")
    shift = None
    if found.get("set_voltage") is not None and base.get("set_voltage") is not None:
        shift = found["set_voltage"] - base["set_voltage"]
    same = trace is reference
    name = NAMES[scheme]
    if not trace.attrs["complete"]:
        name += f" (given up at {number(float(trace.voltage[-1]), '+.2f')} V)"
    return [
        preset,
        name,
        *(f"{found[key]}" for key in counts),
        *(f"{seconds[part]:.2f}" for part in PARTS),
        f"{seconds['solving'] / base['seconds']['solving']:.2f}",
        "" if same else number(temperature_difference(trace, reference), ".1f"),
        "" if same else number(shift, "+.0f", 1e3),
    ]


def report(device: Device, full: bool = False) -> str:
    """Markdown of the cost table; ``full`` adds the staggered schemes at "default"."""
    wanted = [("quick", SCHEMES), ("default", SCHEMES if full else SCHEMES[:1])]
    rows, energy = [], {}
    for preset, schemes in wanted:
        reference = None
        for scheme in schemes:
            settings = Settings.preset(preset, scheme=scheme)
            if scheme == "monolithic":
                run(device, settings)  # warm-up: compiles and loads the forms
            once = preset == "default" and scheme != "monolithic"
            trace = run(device, settings) if once else best_of_two(device, settings)
            reference = trace if reference is None else reference
            energy[preset, scheme] = float(trace.energy_imbalance.max())
            rows.append(row(preset, scheme, trace, reference))
    shares = {
        "one_pass": energy["quick", "one-pass"],
        "monolithic": energy["quick", "monolithic"],
    }
    return table(HEADER, rows, 2) + "\n\n" + NOTE.format(**shares)
