"""The laws of the materials and the functions that fluxes are fitted with, with their slopes."""

from __future__ import annotations

import numpy as np

from tests.verification.finite_volume.cell import KB, Cell


def bernoulli(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """B(x) = x/(e^x - 1) and its derivative."""
    x = np.clip(x, -500.0, 500.0)
    near = np.abs(x) < 1e-3
    away = np.where(near, 1.0, x)
    less = np.expm1(away)
    value = np.where(near, 1.0 - x / 2.0 + x * x / 12.0, away / less)
    # (e^x - 1 - x e^x)/(e^x - 1)^2, without the square of what may be large
    slope = np.where(near, -0.5 + x / 6.0, (1.0 - value) / less - value)
    return value, slope


def hybrid(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """max(1 - x/2, 0, -x) and its derivative."""
    slope = np.where(x > 2.0, 0.0, np.where(x < -2.0, -1.0, -0.5))
    return np.maximum(np.maximum(1.0 - x / 2.0, 0.0), -x), slope


#: what weighs the concentrations of a face's two sides, by the name of the flux
FLUXES = {"fitted": bernoulli, "hybrid": hybrid}


def hop_spread(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The factor x coth x by which hops spread a drift, and its derivative."""
    near = np.abs(x) < 1e-3
    away = np.where(near, 1.0, np.clip(x, -300.0, 300.0))
    cotangent = 1.0 / np.tanh(away)
    slope = cotangent - away * (cotangent * cotangent - 1.0)
    return np.where(near, 1.0 + x * x / 3.0, away * cotangent), np.where(near, 2 * x / 3, slope)


def ramp(n: np.ndarray, low: np.ndarray, high: np.ndarray, saturation: np.ndarray):
    """Linear from ``low`` at 0 to ``high`` at the saturation, level outside; and its slope."""
    share = n / saturation
    inside = (share > 0.0) & (share < 1.0)
    return low + (high - low) * np.clip(share, 0.0, 1.0), inside * (high - low) / saturation


def conductivity(cell: Cell, t: np.ndarray, n: np.ndarray, square: np.ndarray):
    """Electrical conductivity, and its slopes with t, n and the squared field."""
    law = cell.law
    prefactor, prefactor_n = ramp(
        n, law["conductivity_low"], law["conductivity_high"], law["conductivity_saturation"]
    )
    barrier, barrier_n = ramp(
        n,
        law["conduction_activation_low"],
        law["conduction_activation_high"],
        law["conduction_activation_saturation"],
    )
    lowering, rounding = law["conduction_field_lowering"], law["conduction_field_rounding"]
    root = np.sqrt(square + rounding**2)
    lowered = barrier - lowering * (root - rounding)
    barrier_n = np.where(lowered > 0.0, barrier_n, np.where(lowering > 0.0, 0.0, barrier_n))
    with np.errstate(divide="ignore", invalid="ignore"):
        barrier_e = np.where((lowered > 0.0) & (lowering > 0), -lowering / (2.0 * root), 0.0)
    barrier = np.where(lowering > 0.0, np.maximum(lowered, 0.0), barrier)
    hot = np.clip(t, 150.0, 6000.0)
    factor = np.exp(-barrier / (KB * hot))
    sigma = prefactor * factor
    slope_t = sigma * barrier / (KB * hot**2) * (hot == t)
    slope_n = prefactor_n * factor - sigma * barrier_n / (KB * hot)
    slope_e = -sigma * barrier_e / (KB * hot)
    resistivity = 1.0 + law["metal_coefficient"] * (t - cell.device.ambient_temperature)
    resistivity = np.maximum(resistivity, 0.1)
    metal = law["metal_conductivity"] / np.where(cell.oxide, 1.0, resistivity)
    metal_t = -metal * law["metal_coefficient"] / resistivity
    oxide = cell.oxide
    return (
        np.where(oxide, sigma, metal),
        np.where(oxide, slope_t, metal_t),
        np.where(oxide, slope_n, 0.0),
        np.where(oxide, slope_e, 0.0),
    )


def thermal_conductivity(cell: Cell, t: np.ndarray, n: np.ndarray):
    """Thermal conductivity and its slopes with t and n."""
    law = cell.law
    above = t - cell.device.ambient_temperature
    low = law["thermal_conductivity_low"]
    rise = low * law["thermal_coefficient_low"]
    plain, plain_n = ramp(
        n,
        low + rise * np.maximum(above, 0.0),
        law["thermal_conductivity_high"],
        law["thermal_conductivity_saturation"],
    )
    coefficient = law["thermal_coefficient"]
    warm = 1.0 + coefficient * above
    # what is left of the value without vacancies at n, times its slope
    left = np.maximum(1.0 - n / law["thermal_conductivity_saturation"], 0.0)
    plain_t = np.where(above > 0.0, rise * left, 0.0)
    oxide = cell.oxide
    return (
        np.where(oxide, plain * warm, law["metal_thermal_conductivity"]),
        np.where(oxide, plain * coefficient + plain_t * warm, 0.0),
        np.where(oxide, plain_n * warm, 0.0),
    )
