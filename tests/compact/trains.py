"""Synthetic pulse trains for the tests of the fit."""

from __future__ import annotations

import numpy as np
import xarray as xr

from compact.kinetics.equations import integrate
from ddkbase.records import label

LOW, HIGH = 20e-6, 200e-6


def falling(
    alpha: float | np.ndarray,
    beta: float | np.ndarray,
    noise: float = 0.0,
    seed: int = 0,
    pulses: int = 100,
    integrator: str = "implicit",
    x: np.ndarray | None = None,
) -> np.ndarray:
    """Conductances [S], (..., pulses + 1), from 200 uS towards 20 uS; noise in spans of 180 uS."""
    inputs = np.ones(pulses) if x is None else x
    y = integrate(integrator, alpha, beta, inputs)
    y = np.concatenate([np.ones((*y.shape[:-1], 1)), y], axis=-1)
    errors = noise * np.random.default_rng(seed).standard_normal(y.shape)
    return LOW + (HIGH - LOW) * (y + errors)


def rising(alpha: float, beta: float, noise: float = 0.0, pulses: int = 100) -> np.ndarray:
    """Conductances [S] of Eq. (3) from y = 0, the largest being 200 uS without noise."""
    y = integrate("implicit", alpha, beta, np.ones(pulses), 0.0, sign=1)
    y = np.concatenate([[0.0], y]) + noise * np.random.default_rng(1).standard_normal(pulses + 1)
    return LOW + (HIGH - LOW) * y


def pulse_trace(conductance: np.ndarray) -> xr.Dataset:
    """The variables of a PulseTrace that the fit reads; the first value is the initial one."""
    return xr.Dataset(
        {
            "conductance": label(conductance[1:], "pulse", "S", "conductance"),
            "initial_conductance": label(conductance[0], (), "S", "initial conductance"),
        }
    )
