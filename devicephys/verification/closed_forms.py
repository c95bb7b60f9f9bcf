r"""Closed-form solutions against the real solver: heat, resistance, load lines, zero-flux profiles.

Uniform cells (sigma, k constant; r-z axisymmetric) of height H and radius R at the voltage U:

- slab: side adiabatic, T = T0 + sigma (U/H)^2 z (H - z)/(2 k);
- interfaces of thermal resistance R_i in such a slab: the heat flux is q z - c, the temperature
  falls by (q z_i - c) R_i at each; where the metals carry the current without heat, with the heat
  of the oxides alone;
- coaxial: side at T0, T = T0 + q (R^2 - r^2)/(4 k), q = sigma (U/H)^2, half-way up a tall cell;
- resistance: R_cell = sum of height/(sigma pi R^2) over the layers, Joule power U^2/R_cell;
- load line: I(U_cell) = U_cell/R_cell = I_series(U - U_cell), by an independent root search;
- the same with the transistor as source follower, its law (EKV) written here anew;
- conduction that the field helps: I = sigma(E_i) pi R^2 E_i in each layer, sum of E_i h_i = U,
  sigma = sigma0 exp(-(E_AC - p (sqrt(E^2 + e^2) - e))/(kB T)), by a root search;
- exchange of vacancies at rest and uniform T: n - n_0 ~ exp(-k t);
- vacancies at rest (N = 0 in Eq. 7) in the oxides at uniform T and field:
  n ~ exp(-z e V/(kB T)), with site exclusion n/(1 - n/n_max) ~ exp(-z e V/(kB T));
- the same at V = 0 in a temperature profile: n ~ exp(-Ea/(kB T)) for Soret to the hot side,
  n ~ exp(+Ea/(kB T)) to the cold side (Eqs. 10 and 11: dn/n = Ea/(kB T^2) dT).

Constants follow from the inventory, which no flux changes. Errors are the largest relative errors
over the cells or nodes concerned.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq

from devicephys.fem.equations import CellProblem, State, Terms
from devicephys.verification.cells import Outcome, cell, run, uniform_grid
from devicephys.verification.table import CLOSED_FORM, Row, at_most

KB = 1.380649e-23 / 1.602176634e-19  # eV/K
SIGMA, K, AMBIENT = 1e4, 2.0, 293.15
#: diffusion so slow that nothing moves
_FROZEN = {"diffusion_prefactor": "1e-40 m^2/s"}
_STACK = (30.0, 9.0, 45.0, 30.0)


def slab_heat(size: float = 1.0) -> float:
    """Error of the temperature rise in a slab with Joule heat; cells of ``size`` nm."""
    device = cell(both_oxides=_FROZEN, thickness=_STACK, radius=8.0)
    out = run(device, uniform_grid(device, size, 2.0), (0.0, 1.0), 0.2, fixed=1.0)
    z, height = out.z[1:-1], out.z[-1]
    rise = SIGMA * (0.2 / height) ** 2 * z * (height - z) / (2.0 * K)
    return _relative(out.temperature[1:-1] - AMBIENT, rise[:, None])


def interface_heat(size: float = 1.0, hot_metals: bool = False) -> tuple[float, float]:
    """Error of the temperature in a slab with thermal boundary resistances, and its energy balance.

    Without ``hot_metals`` those stand against metals that current does not heat, whose nodes are
    met exactly; with them also between the oxides, and all layers are heated alike: a row of cells
    that holds an interface then sends its own heat through half of it.
    """
    drops = {"HfOx": 5e-9, "top_electrode": 1e-8} | ({"TaOx": 4e-9} if hot_metals else {})
    changes = {
        f"layers.{name}.thermal_boundary_resistance_below": f"{value} m^2*K/W"
        for name, value in drops.items()
    }
    if not hot_metals:
        changes["materials.TiN.electrical_conductivity"] = "1e12 S/m"
    device = cell(changes, _FROZEN, _STACK, 8.0)
    out = run(device, uniform_grid(device, size, 2.0), (0.0, 1.0), 0.2, fixed=1.0)
    edges = dict(zip([layer.name for layer in device.layers], _edges(), strict=False))
    low, high = (0.0, out.z[-1]) if hot_metals else (edges["HfOx"], edges["top_electrode"])
    power = SIGMA * (0.2 / (high - low)) ** 2
    inside = np.clip(out.z - low, 0.0, high - low)
    # integral over z of the heat that is made below z
    heat = power * (0.5 * inside**2 + (high - low) * np.clip(out.z - high, 0.0, None))
    made = {name: power * float(np.clip(edges[name] - low, 0.0, high - low)) for name in drops}
    resistance = out.z[-1] / K + sum(drops.values())
    below = (heat[-1] / K + sum(made[name] * drops[name] for name in drops)) / resistance
    rise = (below * out.z - heat) / K
    for name, value in drops.items():
        # the node of an interface is that of the oxide, and of the lower one of two
        above = out.z > edges[name] + (-1e-12 if name == "HfOx" else 1e-12)
        rise += value * (below - made[name]) * above
    error = np.abs(out.temperature - AMBIENT - rise[:, None]).max() / rise.max()
    return float(error), out.figures.energy_imbalance


def _edges() -> np.ndarray:
    """Heights of the lower edges of the layers of ``_STACK``, m."""
    return np.concatenate([[0.0], np.cumsum(_STACK)[:-1]]) * 1e-9


def coaxial_heat(size: float = 0.5) -> float:
    """Error of the temperature rise across a tall cylinder; radial cells of ``size`` nm."""
    device = cell({"side_wall": "isothermal"}, _FROZEN, _STACK, 8.0)
    out = run(device, uniform_grid(device, 1.5, size), (0.0, 1.0), 0.2, fixed=1.0)
    # half-way up a stack of seven diameters the cold ends are not felt
    middle = int(np.argmin(np.abs(out.z - out.z[-1] / 2)))
    r = out.problem.grid.r
    rise = SIGMA * (0.2 / out.z[-1]) ** 2 * (r[-1] ** 2 - r**2) / (4.0 * K)
    return _relative(out.temperature[middle, :-1] - AMBIENT, rise[:-1])


_LAYERED = {
    "materials.TiN.electrical_conductivity": "1e6 S/m",
    "materials.HfOx.conductivity_low": "3e3 S/m",
    "materials.HfOx.conductivity_high": "3e3 S/m",
}


def _resistance(radius: float = 8e-9) -> float:
    heights = np.array(_STACK) * 1e-9
    return float((heights / np.array([1e6, 3e3, 1e4, 1e6])).sum() / (np.pi * radius**2))


def _layered(voltage: float, series: dict[str, str] | None = None, pulsed: bool = False) -> Outcome:
    device = cell(_LAYERED | {"series": series or {"kind": "none"}}, _FROZEN, _STACK, 8.0)
    grid = uniform_grid(device, 3.0, 2.0)
    return run(device, grid, (0.0, 1.0), voltage, fixed=1.0, pulsed=pulsed)


def resistance() -> tuple[float, float]:
    """Errors of the current and of the Joule power of a layered cell at 0.3 V."""
    out = _layered(0.3)
    current = 0.3 / _resistance()
    return (
        abs(out.figures.current / current - 1.0),
        abs(out.figures.joule_power / (0.3 * current) - 1.0),
    )


RESISTOR = {"kind": "resistor", "resistance": "40 kohm"}
TRANSISTOR = {
    "kind": "transistor",
    "gate_voltage": "1.5 V",
    "threshold_voltage": "0.5 V",
    "transconductance": "2e-5 A/V^2",
}


def _square_law(v: float) -> float:
    """Square-law transistor at the overdrive of 1 V: linear up to 1 V, then saturated."""
    return 2e-5 * (v - 0.5 * v**2) if v < 1.0 else 1e-5


def load_line(series: dict[str, str], voltage: float) -> float:
    """Error of the current of cell and series element at ``voltage`` (V)."""
    law = _square_law if series["kind"] == "transistor" else partial(np.multiply, 1 / 40e3)
    return _load_line(series, voltage, lambda contact: law(voltage - contact), pulsed=False)


def _load_line(
    series: dict[str, str], voltage: float, law: Callable[[float], float], pulsed: bool
) -> float:
    """The same for a law of the voltage of the cell."""
    cell_resistance = _resistance()

    def excess(contact: float) -> float:
        return float(contact / cell_resistance - law(contact))

    root = brentq(excess, min(0.0, voltage), max(0.0, voltage), xtol=1e-15, rtol=1e-14)
    outcome = _layered(voltage, series, pulsed)
    return abs(outcome.figures.current / (root / cell_resistance) - 1.0)


FOLLOWER = TRANSISTOR | {
    "law": "ekv",
    "slope_factor": "1.2",
    "dibl": "0.1",
    "channel_modulation": "0.05 1/V",
    "reset_drive": "source-line",
    "reset_gate_voltage": "1.2 V",
}


def source_follower(voltage: float = -2.0) -> float:
    """Error of the current of a cell that is RESET from the source line at ``voltage`` (V)."""

    def law(contact: float) -> float:
        # source line at -voltage, the cell's node at -contact, which is lower: the source
        phi, drop = KB * AMBIENT, contact - voltage
        size = np.hypot(drop, 1e-3) - 1e-3
        pinch = (1.2 - 0.5 + 0.1 * size) / 1.2
        ends = [np.logaddexp(0.0, (pinch - end) / (2.0 * phi)) ** 2 for end in (-contact, -voltage)]
        plain = 2.0 * 1.2 * 2e-5 * phi**2 * (ends[0] - ends[1])
        return float(-plain * (1.0 + 0.05 * size))

    return _load_line(FOLLOWER, voltage, law, pulsed=True)


# -- terms that are off by default ----------------------------------------------------------------


def field_lowering(voltage: float = 1.0) -> float:
    """Error of the current through a layer whose conduction the field helps, without heat."""
    changes = _LAYERED | {
        "materials.HfOx.conduction_activation_low": "0.2 eV",
        "materials.HfOx.conduction_activation_high": "0.2 eV",
        "materials.HfOx.conduction_field_lowering": "0.5 eV*nm/V",
        "materials.HfOx.conduction_field_rounding": "20 mV/nm",
    }
    device = cell(changes, _FROZEN, _STACK, 8.0)
    grid = uniform_grid(device, 3.0, 2.0)
    out = run(device, grid, (0.0, 1.0), voltage, fixed=1.0, terms=Terms(joule=0.0))
    heights, area = np.array(_STACK) * 1e-9, np.pi * 8e-9**2
    others = float((heights / np.array([1e6, np.inf, 1e4, 1e6])).sum() / area)

    def current(field: float) -> float:
        lowered = 0.2 - 0.5e-9 * (np.hypot(field, 2e7) - 2e7)
        # rounded off at zero within 0.1 meV, which at no field changes nothing
        barrier = 0.5 * (lowered + np.hypot(lowered, 1e-4)) - 0.5 * (np.hypot(0.2, 1e-4) - 0.2)
        return float(3e3 * np.exp(-barrier / (KB * AMBIENT)) * field * area)

    def excess(field: float) -> float:
        return field * heights[1] + current(field) * others - voltage

    root = brentq(excess, 0.0, voltage / heights[1], rtol=1e-14)
    return abs(out.figures.current / current(root) - 1.0)


def exchange() -> tuple[float, float]:
    """Error of n - n_0 after one decay time of the exchange, and of the balance that counts it."""
    rate = 2e3 * np.exp(-0.1 / (KB * AMBIENT))
    device = cell(
        {"vacancy.site_exclusion": False},
        _FROZEN | {"exchange_prefactor": "2e3 1/s", "exchange_activation": "0.1 eV"},
    )

    def filled(problem: CellProblem) -> State:
        state = problem.initial_state()
        state.n *= 2.5
        return state

    grid = uniform_grid(device, 4.0, 4.0)
    out = run(device, grid, (0.0, 1.0 / rate), 0.0, initial=filled, accuracy=1e-4)
    expected = 4e26 * (1.0 + 1.5 * np.exp(-1.0))
    return _relative(out.concentration[out.oxide], expected), out.figures.vacancy_imbalance


# -- vacancies at rest ----------------------------------------------------------------------


def _at_rest(changes: dict[str, object], voltage: float, terms: Terms, size: float) -> Outcome:
    """A cell left alone until its vacancies rest: 1000 diffusion times of the oxides."""
    device = cell(
        {"vacancy.site_exclusion": False} | changes,
        {"diffusion_activation": "0.3 eV", "diffusion_prefactor": "1e-7 m^2/s"},
        _STACK,
        4.0,
    )
    diffusivity = 1e-7 * np.exp(-0.3 / (KB * device.ambient_temperature))
    # adaptive steps: one of a thousand diffusion times would ask Newton for the whole way at once
    end = 1e3 * (54e-9) ** 2 / diffusivity
    return run(device, uniform_grid(device, size, 2.0), (0.0, end), voltage, terms=terms)


def _oxide_heights(out: Outcome) -> tuple[np.ndarray, float]:
    """Heights of the oxides' cell centres above the bottom electrode, and their sum [m]."""
    grid = out.problem.grid
    return grid.z_centre[out.oxide] - 30e-9, 54e-9


def boltzmann(size: float = 1.0) -> float:
    """Error of n ~ exp(-z e V/(kB T)) over the oxides; 0.3 V over the stack at 500 K."""
    out = _at_rest({"ambient_temperature": "500 K"}, 0.3, Terms(joule=0.0), size)
    z, height = _oxide_heights(out)
    slope = 0.3 / 114e-9 / (KB * 500.0)
    n = 4e26 * slope * height * np.exp(-slope * z) / -np.expm1(-slope * height)
    return _relative(out.concentration[out.oxide], n[:, None])


def fermi(size: float = 1.0) -> float:
    """Error of n/(1 - n/n_max) ~ exp(-z e V/(kB T)); 0.6 V over the stack at 500 K.

    With x = slope (z - middle), n = n_max/(1 + exp(x)); ``middle`` follows from the inventory.
    """
    changes = {"ambient_temperature": "500 K", "vacancy.site_exclusion": True}
    out = _at_rest(changes, 0.6, Terms(joule=0.0), size)
    z, height = _oxide_heights(out)
    slope = 0.6 / 114e-9 / (KB * 500.0)

    def excess(middle: float) -> float:
        ends = np.logaddexp(0.0, slope * (np.array([0.0, height]) - middle))
        return float(height - (ends[1] - ends[0]) / slope - height * 4e26 / 1.2e27)

    middle = brentq(excess, 0.0, height, xtol=1e-18)
    n = 1.2e27 / (1.0 + np.exp(slope * (z - middle)))
    return _relative(out.concentration[out.oxide], n[:, None])


def soret(sign: str, size: float = 1.0) -> float:
    """Error of n ~ exp(-+Ea/(kB T)), T the parabola of Joule heat at 0.3 V (drift off)."""
    out = _at_rest({"vacancy.soret": sign}, 0.3, Terms(drift=0.0), size)
    z, height = _oxide_heights(out)
    factor = {"hot": -1.0, "cold": 1.0}[sign] * 0.3 / KB

    def profile(z: np.ndarray | float) -> np.ndarray:
        up = np.asarray(z) + 30e-9
        rise = SIGMA * (0.3 / 114e-9) ** 2 * up * (114e-9 - up) / (2.0 * K)
        return np.exp(factor * (1.0 / (AMBIENT + rise) - 1.0 / AMBIENT))

    total = quad(lambda x: float(profile(x * 1e-9)), 0.0, height * 1e9, epsrel=1e-12)[0] * 1e-9
    n = 4e26 * height * profile(z) / total
    return _relative(out.concentration[out.oxide], n[:, None])


def _relative(measured: np.ndarray, exact: np.ndarray | float) -> float:
    return float(np.abs(measured / exact - 1.0).max())


def rows() -> list[Row]:
    """All closed forms, each to within 0.5 %."""
    current, power = resistance()
    errors = {
        "slab heat, T - T0; 1 nm cells": slab_heat(),
        "slab heat, thermal boundary resistances; 1 nm cells": interface_heat(hot_metals=True)[0],
        "coaxial heat, T - T0; 0.5 nm cells": coaxial_heat(),
        "resistance of a layered cell": current,
        "Joule power against U^2/R": power,
        "cell and resistor, 1 V": load_line(RESISTOR, 1.0),
        "cell and transistor, 0.6 V": load_line(TRANSISTOR, 0.6),
        "cell and transistor, saturated, 1.6 V": load_line(TRANSISTOR, 1.6),
        "cell and transistor, -1.2 V": load_line(TRANSISTOR, -1.2),
        "cell and source follower, -2 V": source_follower(),
        "conduction that the field helps, 1 V": field_lowering(),
        "exchange of vacancies, n - n0 ~ exp(-kt)": exchange()[0],
        "zero flux, n ~ exp(-zeV/kT); 1 nm cells": boltzmann(),
        "zero flux, n/(1 - n/n_max) ~ exp(-zeV/kT); 1 nm cells": fermi(),
        "zero flux, Soret hot, n ~ exp(-Ea/kT); 1 nm cells": soret("hot"),
        "zero flux, Soret cold, n ~ exp(Ea/kT); 1 nm cells": soret("cold"),
    }
    return [at_most("Closed form", name, CLOSED_FORM, error) for name, error in errors.items()]
