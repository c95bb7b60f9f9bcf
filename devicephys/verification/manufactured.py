r"""Order of convergence by manufactured solutions, on the real equations, Newton and stepper.

Smooth fields are chosen and the right-hand sides that make them solutions are computed from the
strong form of Eqs. (5)-(11) of Shi et al., Nat. Commun. 16, 913 (2025), with UFL's differentiation
and with the property laws written here anew, so that an error in the solver's laws shows up.
With L the layer pitch (8 nm; the TaOx has two), R the radius, rho = cos(pi r/R), tau = t/t_end

::

    V = Vc phi + 0.05 a ps rho           phi = (1 - cos(pi z/L))/2, Vc = 0.1 a [V]
    T = T0 + 40 a ps (1 + 0.3 cos(pi z/L)) (1 + 0.5 rho)                      [K]
    n = (0.5 + 0.2 a cos(pi z/L) (0.6 + 0.4 rho)) 1e27                        [1/m^3]
    ps = (1 - cos(2 pi z/L))/2

All z-derivatives vanish at the layers' interfaces and all r-derivatives at r = 0 and r = R: no
current, heat or vacancies cross interfaces and walls, whatever the properties of either side.

Space: a = 1 + tau/2. Formulas that are exact for linear functions of time (Euler, BDF2) leave the
error of space alone. Time: a = 1 + sin(3 tau)/2 on one mesh, the differences between runs of
halved steps (so that the error of space cancels).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import ufl

from devicephys.device import Device
from devicephys.fem.equations import SIGMA_SCALE, CellProblem, State, Terms
from devicephys.fem.mesh import constant
from devicephys.verification.cells import RADIUS, THICKNESS, Outcome, cell, run, uniform_grid
from devicephys.verification.table import Row, at_least

#: end of the runs [s]; heat capacities are chosen so that heat, too, is stored at this pace
END = 1e-9
PITCH = THICKNESS[0]
AMBIENT = 293.15
KB = 1.380649e-23 / 1.602176634e-19  # eV/K

_COMMON = {
    "conductivity_low": "1e3 S/m",
    "conduction_activation_low": "0.05 eV",
    "conduction_activation_high": "0 eV",
    "thermal_coefficient": "1e-3 1/K",
}
_MATERIALS = {
    "materials.HfOx.conductivity_high": "1e4 S/m",
    "materials.TaOx.conductivity_high": "8e3 S/m",
    "materials.HfOx.thermal_conductivity_low": "1 W/m/K",
    "materials.HfOx.thermal_conductivity_high": "5 W/m/K",
    "materials.TaOx.thermal_conductivity_low": "1.5 W/m/K",
    "materials.TaOx.thermal_conductivity_high": "4 W/m/K",
    "materials.TaOx.conduction_activation_saturation": "1.6e21 cm^-3",
    "materials.HfOx.volumetric_heat_capacity": "2e8 J/m^3/K",
    "materials.TaOx.volumetric_heat_capacity": "1.5e8 J/m^3/K",
    "materials.HfOx.diffusion_prefactor": "4e-4 m^2/s",
    "materials.TaOx.diffusion_prefactor": "6e-5 m^2/s",
    "materials.TaOx.diffusion_activation": "0.25 eV",
    "materials.TiN.electrical_conductivity": "2e4 S/m",
    "materials.TiN.thermal_conductivity": "4 W/m/K",
    "materials.TiN.volumetric_heat_capacity": "1e8 J/m^3/K",
    "vacancy.soret": "hot",
}
# Drift without Fick is upwinded, of first order in n, and V and T would inherit that through
# sigma(n) and k(n). With properties that do not depend on n their own order shows. Slower drift
# keeps the errors small enough for their order to show where vacancies converge.
_WITHOUT_FICK = {
    "materials.HfOx.diffusion_prefactor": "8e-5 m^2/s",
    "materials.TaOx.diffusion_prefactor": "1.2e-5 m^2/s",
} | {
    f"materials.{oxide}.{name}": value
    for oxide in ("HfOx", "TaOx")
    for name, value in {
        "conductivity_low": "6e3 S/m",
        "conductivity_high": "6e3 S/m",
        "conduction_activation_high": "0.05 eV",
        "thermal_conductivity_low": "3 W/m/K",
        "thermal_conductivity_high": "3 W/m/K",
    }.items()
}


@dataclass(frozen=True)
class Variant:
    """A choice of terms: name, terms of the equations, changes of the device.

    ``steps`` are the steps in time of the runs for the order in space, whatever the mesh.
    """

    name: str
    terms: Terms = field(default_factory=Terms)
    changes: Mapping[str, Any] = field(default_factory=dict)
    steps: int = 2

    @property
    def device(self) -> Device:
        """The cell of this variant."""
        return cell({**_MATERIALS, **self.changes}, both_oxides=_COMMON)


VARIANTS = (
    Variant("all terms"),
    Variant("without Fick", Terms(fick=0.0), _WITHOUT_FICK, steps=16),
    Variant("without drift", Terms(drift=0.0)),
    Variant("without Soret", changes={"vacancy.soret": "off"}),
    Variant("Soret to the cold side", changes={"vacancy.soret": "cold"}),
    Variant("without Joule heat", Terms(joule=0.0)),
    Variant("without site exclusion", changes={"vacancy.site_exclusion": False}),
    Variant(
        "with field-enhanced drift",
        changes={"vacancy.field_enhanced_drift": True, "vacancy.hop_distance": "1.5 nm"},
    ),
    Variant(
        "with the spread of hops",
        changes={"vacancy.hop_dispersion": True, "vacancy.hop_distance": "4 nm"},
    ),
    Variant(
        "with field-enhanced drift and the spread of hops",
        changes={
            "vacancy.field_enhanced_drift": True,
            "vacancy.hop_dispersion": True,
            "vacancy.hop_distance": "4 nm",
        },
    ),
    Variant(
        "with field-lowered conduction",
        changes={
            "materials.HfOx.conduction_field_lowering": "0.5 eV*nm/V",
            "materials.HfOx.conduction_field_rounding": "5 mV/nm",
        },
    ),
    Variant(
        "with a thermal conductivity that rises where vacancies are few",
        changes={
            "materials.HfOx.thermal_coefficient_low": "0.02 1/K",
            "materials.TaOx.thermal_coefficient_low": "0.01 1/K",
        },
    ),
    Variant(
        "with exchange of vacancies",
        changes={
            "materials.HfOx.exchange_prefactor": "5e9 1/s",
            "materials.HfOx.exchange_activation": "0.05 eV",
            "materials.HfOx.exchange_inner_radius": "8 nm",
            "materials.TaOx.exchange_prefactor": "2e9 1/s",
            "materials.TaOx.exchange_activation": "0.02 eV",
        },
    ),
    Variant(
        "with electrodes that conduct less when hot",
        changes={"materials.TiN.electrical_temperature_coefficient": "1e-2 1/K"},
    ),
)


@dataclass(frozen=True)
class Fields:
    """The chosen fields; ``m`` is ``numpy`` or ``ufl``, positions in nm, time in s."""

    wave: bool

    def pace(self, m: Any, time: Any) -> Any:
        """a(t)."""
        tau = time / END
        return 1.0 + (0.5 * m.sin(3.0 * tau) if self.wave else 0.5 * tau)

    def pace_rate(self, m: Any, time: Any) -> Any:
        """da/dt in 1/s."""
        return (1.5 * m.cos(3.0 * time / END) if self.wave else 0.5) / END

    def contact(self, time: float) -> float:
        """Potential of the top electrode in V."""
        return float(0.1 * self.pace(np, time))

    def potential(self, m: Any, r: Any, z: Any, a: Any) -> Any:
        """V at pace a, in V."""
        phi = 0.5 * (1.0 - m.cos(np.pi * z / PITCH))
        return a * (0.1 * phi + 0.05 * _bump(m, z) * m.cos(np.pi * r / RADIUS))

    def temperature(self, m: Any, r: Any, z: Any, a: Any) -> Any:
        """T at pace a, in K."""
        return AMBIENT + a * self._warm(m, r, z)

    def _warm(self, m: Any, r: Any, z: Any) -> Any:
        along = _bump(m, z) * (1.0 + 0.3 * m.cos(np.pi * z / PITCH))
        return 40.0 * along * (1.0 + 0.5 * m.cos(np.pi * r / RADIUS))

    def concentration(self, m: Any, r: Any, z: Any, a: Any) -> Any:
        """n at pace a, in 1e27 1/m^3."""
        return 0.5 + a * self._filled(m, r, z)

    def _filled(self, m: Any, r: Any, z: Any) -> Any:
        return 0.2 * m.cos(np.pi * z / PITCH) * (0.6 + 0.4 * m.cos(np.pi * r / RADIUS))

    def state(self, problem: CellProblem) -> State:
        """The fields at t = 0 in the solver's unknowns: nodal values, values at cell centres."""
        a = self.pace(np, 0.0)
        u = np.zeros(problem.nu)
        r, z = (x[: problem.nu // 2] for x in (problem.node_r, problem.node_z))
        u[0::2], u[1::2] = self.potential(np, r, z, a), self.temperature(np, r, z, a)
        rows, columns = (i[: problem.nc] for i in problem.cell_index)
        r, z = problem.grid.r_centre[columns] * 1e9, problem.grid.z_centre[rows] * 1e9
        n = np.where(problem.oxide_cells, self.concentration(np, r, z, a), 0.0)
        return State(u, n, self.contact(0.0))

    def sources(self, device: Device, terms: Terms) -> Any:
        """What ``CellProblem`` takes as ``sources``."""

        def build(mesh: Any, time: Any) -> Sequence[dict[str, Any]]:
            r, z = ufl.SpatialCoordinate(mesh)
            a, rate = self.pace(ufl, time), self.pace_rate(ufl, time)
            V = self.potential(ufl, r, z, a)
            T = self.temperature(ufl, r, z, a)
            n = self.concentration(ufl, r, z, a)
            dT, dn = rate * self._warm(ufl, r, z), rate * self._filled(ufl, r, z)
            grad = ufl.grad

            def div(q: Any) -> Any:
                return ufl.div(q) + q[0] / r

            result = []
            for layer in device.layers:
                material = device.materials[layer.material]
                number = _constants(mesh, material)
                if material.kind == "conductor":
                    rise = number["electrical_temperature_coefficient"] * (T - AMBIENT)
                    sigma = number["electrical_conductivity"] / (1.0 + rise)
                    k = number["thermal_conductivity"]
                else:
                    activation = _ramp(number, "conduction_activation", n)
                    if material.conduction_field_lowering:
                        e = number["conduction_field_rounding"] * 1e-9
                        size = ufl.sqrt(ufl.dot(grad(V), grad(V)) + e**2) - e
                        activation -= number["conduction_field_lowering"] * 1e9 * size
                    sigma = _ramp(number, "conductivity", n) * ufl.exp(-activation / (KB * T))
                    if material.thermal_coefficient_low:
                        rise = ufl.max_value(T - AMBIENT, 0.0)
                        number["thermal_conductivity_low"] *= (
                            1.0 + number["thermal_coefficient_low"] * rise
                        )
                    k = _ramp(number, "thermal_conductivity", n)
                    k = k * (1.0 + number["thermal_coefficient"] * (T - AMBIENT))
                heat = number["volumetric_heat_capacity"] * 1e-18 * dT - div(k * grad(T))
                joule = constant(mesh, terms.joule)
                source = {
                    "potential": -div(sigma * grad(V)) / SIGMA_SCALE,
                    "temperature": heat - joule * sigma * ufl.dot(grad(V), grad(V)),
                }
                if material.kind == "oxide":
                    flux = self._flux(device, terms, mesh, number, (V, T, n))
                    source["vacancy"] = dn + div(flux)
                    if material.exchange_prefactor:
                        rate = number["exchange_prefactor"] * ufl.exp(
                            -number["exchange_activation"] / (KB * T)
                        )
                        there = ufl.gt(r, number["exchange_inner_radius"] * 1e9)
                        lost = rate * (n - number["initial_concentration"] / 1e27)
                        source["vacancy"] += ufl.conditional(there, lost, 0.0)
                result.append(source)
            return result

        return build

    def _flux(self, device: Device, terms: Terms, mesh: Any, number: Any, fields: Any) -> Any:
        """N of Eq. (7), 1e27 1/m^3 nm/s. Field-enhanced drift acts along each axis by itself."""
        V, T, n = fields
        vacancy = device.vacancy
        activation = number["diffusion_activation"]
        diffusivity = number["diffusion_prefactor"] * 1e18 * ufl.exp(-activation / (KB * T))
        free = n
        if vacancy.site_exclusion:
            free = n * (1.0 - n / constant(mesh, vacancy.site_limit / 1e27))
        field_ = ufl.grad(V)
        drift = vacancy.charge_number / (KB * T) * field_
        if vacancy.field_enhanced_drift:
            hop = vacancy.hop_distance * 1e9
            x = [vacancy.charge_number * hop * field_[i] / (2.0 * KB * T) for i in range(2)]
            drift = ufl.as_vector([2.0 / hop * ufl.sinh(x[i]) for i in range(2)])
        sign = {"hot": -1.0, "cold": 1.0, "off": 0.0}[vacancy.soret]
        soret = constant(mesh, sign) * activation / (KB * T**2) * ufl.grad(T)
        drifting = constant(mesh, terms.drift) * drift + soret
        flux = -diffusivity * free * drifting
        spread = [1.0, 1.0]
        if vacancy.hop_dispersion:
            # (v a/2) coth(x) over D along each axis: v = 2 D x/a, or 2 D sinh(x)/a
            s = [drifting[i] * vacancy.hop_distance * 1e9 / 2.0 for i in range(2)]
            spread = [
                ufl.sqrt(1.0 + s[i] ** 2)
                if vacancy.field_enhanced_drift
                else s[i] * ufl.cosh(s[i]) / ufl.sinh(s[i])
                for i in range(2)
            ]
        fick = ufl.as_vector([spread[i] * ufl.grad(n)[i] for i in range(2)])
        return flux - diffusivity * fick if terms.fick else flux


def _bump(m: Any, z: Any) -> Any:
    return 0.5 * (1.0 - m.cos(2.0 * np.pi * z / PITCH))


def _constants(mesh: Any, material: Any) -> dict[str, Any]:
    return {
        name: constant(mesh, value)
        for name, value in material.model_dump().items()
        if isinstance(value, float)
    }


def _ramp(number: dict[str, Any], name: str, n: Any) -> Any:
    """Linear law below its saturation, which the chosen n does not reach."""
    low, high = number[f"{name}_low"], number[f"{name}_high"]
    return low + (high - low) * n / (number[f"{name}_saturation"] / 1e27)


def solve(variant: Variant, wave: bool, split: int, steps: int) -> Outcome:
    """The real solver on a manufactured problem; mesh of 2 nm cells divided ``split`` times."""
    fields, device = Fields(wave), variant.device
    return run(
        device,
        uniform_grid(device, 2.0, 2.0, split),
        (0.0, END),
        fields.contact,
        fixed=END / steps,
        terms=variant.terms,
        sources=fields.sources(device, variant.terms),
        initial=fields.state,
        tolerance=1e-4,
    )


def errors(outcome: Outcome, wave: bool = False) -> dict[str, float]:
    """L2 errors at the end, weighted by r, with three Gauss points a cell and axis.

    ``V`` [V], ``T`` [K], ``n`` [1e27 1/m^3] and ``n (means)``, the cell values against the means
    of the chosen n over the cells.
    """
    fields, grid = Fields(wave), outcome.problem.grid
    a = fields.pace(np, END)
    points, weights = np.polynomial.legendre.leggauss(3)
    s = 0.5 * (points + 1.0)
    r0, z0 = grid.r[:-1] * 1e9, grid.z[:-1] * 1e9
    dr, dz = np.diff(grid.r) * 1e9, np.diff(grid.z) * 1e9
    # axes: row, Gauss point along z, column, Gauss point along r
    z = (z0[:, None] + dz[:, None] * s)[:, :, None, None]
    r = (r0[:, None] + dr[:, None] * s)[None, None, :, :]
    weight = (dz[:, None] * weights)[:, :, None, None] * (dr[:, None] * weights) * r

    def bilinear(nodal: np.ndarray) -> np.ndarray:
        low = nodal[:-1, None] * (1.0 - s)[:, None] + nodal[1:, None] * s[:, None]
        return np.asarray(low[:, :, :-1, None] * (1.0 - s) + low[:, :, 1:, None] * s)

    def norm(values: np.ndarray, where: Any = slice(None)) -> float:
        return float(np.sqrt((weight * values**2)[where].sum() / weight[where].sum()))

    oxide = outcome.oxide
    exact = fields.concentration(np, r, z, a)
    n = outcome.concentration[:, None, :, None] / 1e27
    mean = (exact * weight).sum(axis=(1, 3)) / weight.sum(axis=(1, 3))
    return {
        "V": norm(bilinear(outcome.potential) - fields.potential(np, r, z, a)),
        "T": norm(bilinear(outcome.temperature) - fields.temperature(np, r, z, a)),
        "n": norm(n - exact, oxide),
        "n (means)": norm(n - mean[:, None, :, None] + 0.0 * exact, oxide),
    }


SPACE_TARGETS = {"V": 1.9, "T": 1.9, "n": 0.95, "n (means)": 0.95}
TIME_TARGETS = {"T": 1.8, "n": 1.8}


def space_orders(variant: Variant, splits: Sequence[int] = (1, 2, 4)) -> dict[str, float]:
    """Observed order of each field between the two finest of a sequence of halved meshes."""
    results = [errors(solve(variant, False, split, variant.steps)) for split in splits]
    return {key: float(np.log2(results[-2][key] / results[-1][key])) for key in SPACE_TARGETS}


def time_orders(variant: Variant, steps: Sequence[int] = (64, 128, 256)) -> dict[str, float]:
    """Observed order from the differences of runs with halved fixed steps, at the end."""
    runs = [solve(variant, True, 1, count) for count in steps]
    fields = {
        "T": [outcome.temperature for outcome in runs],
        "n": [outcome.concentration[outcome.oxide] for outcome in runs],
    }
    return {
        key: float(np.log2(np.abs(x[-2] - x[-3]).max() / np.abs(x[-1] - x[-2]).max()))
        for key, x in fields.items()
    }


def rows(quick: bool) -> list[Row]:
    """Orders in space and time, with each transport term switched on and off."""
    table = []
    for variant in VARIANTS:
        orders = space_orders(variant, (1, 2, 4) if quick else (1, 2, 4, 8))
        table += [
            at_least("Manufactured, space", f"order of {key}, {variant.name}", target, orders[key])
            for key, target in SPACE_TARGETS.items()
        ]
    for variant in VARIANTS[:1] if quick else VARIANTS:
        orders = time_orders(variant)
        table += [
            at_least("Manufactured, time", f"order of {key}, {variant.name}", target, orders[key])
            for key, target in TIME_TARGETS.items()
        ]
    return table
