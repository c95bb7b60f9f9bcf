"""A small campaign made of the kinetics themselves, for the tests of the table."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import xarray as xr

from compact.kinetics.equations import integrate
from ddkbase.records import label
from tests.compact.trains import HIGH, LOW

AMPLITUDES = (-2.0, -2.5, -3.0)
WIDTHS = (20e-9, 200e-9)
RESISTANCES = (6e3, 15e3, 30e3)
UNITS = {"amplitude": "V", "width": "s", "initial_resistance": "ohm"}
Law = Callable[[float, float, float, float], tuple[float, float]]


def rule(amplitude: float, width: float, resistance: float, cell: float) -> tuple[float, float]:
    """Alpha flat; beta rising with each setting, saturating from 15 kohm. ``cell`` is about 0."""
    alpha = 0.02 * (1 + 0.3 * cell)
    steps = 0.1 * (abs(amplitude) - 2) + 0.05 * np.log10(width / 20e-9)
    beta = 0.15 + steps + 0.1 * min(resistance - 6e3, 9e3) / 9e3
    return alpha, float(beta * (1 + cell))


def campaign(
    amplitudes: tuple[float, ...] = AMPLITUDES,
    widths: tuple[float, ...] = (100e-9,),
    resistances: tuple[float, ...] = (6e3,),
    cycles: int = 6,
    devices: int = 1,
    law: Law = rule,
    pulses: int = 40,
    noise: float = 0.0,
) -> xr.Dataset:
    """A dataset as the store of a campaign holds it; G from 20 to 200 uS, alpha and beta by
    ``law``, cells that scatter by 5 %, the same at all settings."""
    rng = np.random.default_rng(5)
    cells = 0.05 * rng.standard_normal((cycles, devices))
    shape = (len(amplitudes), len(widths), len(resistances), cycles, devices)
    values = np.empty((*shape, pulses))
    for a, w, r, c, d in np.ndindex(*shape):
        alpha, beta = law(amplitudes[a], widths[w], resistances[r], cells[c, d])
        y = integrate("implicit", alpha, beta, np.ones(pulses))
        values[a, w, r, c, d] = LOW + (HIGH - LOW) * (y + noise * rng.standard_normal(pulses))
    axes = ("amplitude", "width", "initial_resistance", "cycle", "device")
    data = {
        "conductance": label(values, (*axes, "pulse"), "S", "conductance read after the pulse"),
        "measured_initial_resistance": label(
            np.full(shape, 1 / HIGH), axes, "ohm", "resistance read before the first pulse"
        ),
        "status": label(np.ones(shape, int), axes, "1", "0 missing, 1 done, 2 failed"),
        "reason": label(np.full(shape, "", dtype=object), axes, "1", "why the point failed"),
    }
    numbers = (amplitudes, widths, resistances, range(cycles), range(devices))
    coords = {
        name: label(np.array(of), name, UNITS.get(name, "1"), name)
        for name, of in zip(axes, numbers, strict=True)
    }
    coords["pulse"] = label(np.arange(1, pulses + 1), "pulse", "1", "number of the pulse")
    attrs = {
        "schema": "PulseCampaign",
        "schema_version": 1,
        "title": "made up",
        "campaign_json": json.dumps({"name": "made up"}),
        "source_checksum": "sha256:of the YAML",
        "seed": 5,
    }
    return xr.Dataset(data, coords, attrs)
