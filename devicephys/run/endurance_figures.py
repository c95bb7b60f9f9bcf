"""The figures of an Endurance: how many pulses each state takes, and what the last cycle needed."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr

from devicephys.run.figure import Figure, celsius

__all__ = ["endurance_figures"]


def endurance_figures(ds: xr.Dataset) -> list[Figure]:
    """The figures of an Endurance, over its cycles."""
    reached = ds["resistance"].notnull().values
    cycles = int(reached.all(axis=1).sum())
    hottest = float(ds["temperature_max"].max())
    figures = [
        Figure("Cycles", f"{cycles}", {"cycles": cycles}),
        Figure("Outcome", str(ds.attrs["outcome"]), {"outcome": str(ds.attrs["outcome"])}),
    ]
    for k, name in enumerate(("high", "low")):
        pulses = ds["pulses"].values[reached[:, k], k]
        heights = ds["amplitude_largest"].values[reached[:, k], k]
        if not pulses.size:
            continue
        figures.append(
            Figure(
                f"Pulses to the {name} resistance",
                f"{np.median(pulses):g} in the median, {pulses.max()} at most",
                {
                    f"pulses_{name}_median": float(np.median(pulses)),
                    f"pulses_{name}_most": int(pulses.max()),
                },
            )
        )
        values = {
            f"amplitude_{name}_first": float(heights[0]),
            f"amplitude_{name}_last": float(heights[-1]),
        }
        text = f"{heights[0]:+.2f} V in cycle 1, {heights[-1]:+.2f} V in cycle {len(heights)}"
        named = f"Largest pulse to the {name} resistance"
        figures.append(Figure(named, text, values, dict.fromkeys(values, "V")))
    if math.isfinite(hottest):
        unit = {"temperature_max": "K"}
        figures.append(
            Figure("Peak temperature", celsius(hottest), {"temperature_max": hottest}, unit)
        )
    return figures
