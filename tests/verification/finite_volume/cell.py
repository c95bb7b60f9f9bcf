"""What a device is on a grid: cells, faces between them, and numbers of the laws per cell.

SI throughout, but concentrations in 1e27 1/m^3. Cells are counted along r first; behind them come
three outer places, at which potential and temperature are given: bottom, top, side.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from devicephys import Device
from devicephys.device import Conductor

#: Boltzmann's constant, eV/K (CODATA 2018, exact)
KB = 8.617333262145179e-5
#: unit of concentration, 1/m^3
UNIT = 1e27

_LINEAR = (
    "conductivity_low",
    "conductivity_high",
    "conduction_activation_low",
    "conduction_activation_high",
    "thermal_conductivity_low",
    "thermal_conductivity_high",
)
_SATURATIONS = (
    "conductivity_saturation",
    "conduction_activation_saturation",
    "thermal_conductivity_saturation",
)
_PLAIN = (
    "thermal_coefficient",
    "thermal_coefficient_low",
    "diffusion_prefactor",
    "diffusion_activation",
    "conduction_field_lowering",
    "conduction_field_rounding",
    "exchange_activation",
)


def refuse(device: Device) -> None:
    """NotImplementedError where a device has a term that is not written here."""
    oxides = [m for m in device.materials.values() if not isinstance(m, Conductor)]
    missing = {
        "field-enhanced drift": device.vacancy.field_enhanced_drift,
        "no site exclusion": not device.vacancy.site_exclusion,
        "a conductivity of the user's": any(m.conductivity is not None for m in oxides),
        "a soft wall of the filament": device.filament.wall_width > 0.0,
    }
    for term, present in missing.items():
        if present:
            raise NotImplementedError(f"{device.name}: {term}")


@dataclass(frozen=True)
class Faces:
    """Faces between two cells, or a cell and an outer place; shape (faces,) each.

    ``left`` and ``right`` are the two sides, inwards and below before outwards and above;
    ``left_part`` and ``right_part`` [1/m] times a resistivity give the resistances of the two half
    cells; ``left_way`` and ``right_way`` [m] are their lengths, ``area`` [m^2] the face's.
    ``axial`` says along which axis, ``barrier`` [K/W] what an interface adds for the heat.
    """

    left: np.ndarray
    right: np.ndarray
    left_part: np.ndarray
    right_part: np.ndarray
    left_way: np.ndarray
    right_way: np.ndarray
    area: np.ndarray
    axial: np.ndarray
    barrier: np.ndarray

    def take(self, which: np.ndarray) -> Faces:
        """Some of the faces."""
        return Faces(**{name: values[which] for name, values in vars(self).items()})


@dataclass
class Cell:
    """Geometry and laws of a device on the lines ``r`` and ``z`` [m].

    Parameters
    ----------
    device : Device
        The cell.
    r, z : ndarray, m
        Lines of the grid; every edge of a layer and the filament's wall has to be on one.
    """

    device: Device
    r: np.ndarray
    z: np.ndarray
    law: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        refuse(self.device)
        device, r, z = self.device, self.r, self.z
        self.rings, self.rows = len(r) - 1, len(z) - 1
        self.count = self.rings * self.rows
        edges = np.cumsum([0.0, *(layer.thickness for layer in device.layers)])
        for edge in edges:
            assert np.abs(z - edge).min() < 1e-14, "an edge of a layer is on no line"
        middle = 0.5 * (z[1:] + z[:-1])
        self.row_layer = np.searchsorted(edges, middle) - 1
        self.layer = np.repeat(self.row_layer, self.rings)
        ring = np.pi * np.diff(r**2)
        self.volume = np.outer(np.diff(z), ring).ravel()
        self._set_laws()
        self._set_start(edges)
        self.faces = self._all_faces(0.5 * (r[1:] + r[:-1]), ring)
        side = self.count + 2
        self.electric = np.flatnonzero(self.faces.right != side)
        outer = self.faces.right == side
        heat = ~outer if device.side_wall == "adiabatic" else np.ones_like(outer)
        self.heat = np.flatnonzero(heat)
        oxide = np.append(self.oxide, [False] * 3)
        exchanging = np.append(self.law["surface_prefactor"] > 0.0, [False] * 3)
        beside = oxide[self.faces.left], oxide[self.faces.right]
        self.between_oxides = np.flatnonzero(beside[0] & beside[1])
        metal_right = beside[0] & exchanging[self.faces.right]
        metal_left = beside[1] & exchanging[self.faces.left]
        self.surfaces = np.flatnonzero(metal_right | metal_left)

    def _set_laws(self) -> None:
        """Numbers of the laws, one a cell; of metals those that leave the oxides' laws alone."""
        materials = [self.device.materials[layer.material] for layer in self.device.layers]
        self.oxide = np.array([not isinstance(m, Conductor) for m in materials])[self.layer]

        def spread(values: list[float]) -> np.ndarray:
            return np.array(values, dtype=float)[self.layer]

        for name in (*_LINEAR, *_PLAIN):
            self.law[name] = spread([getattr(m, name, 0.0) or 0.0 for m in materials])
        for name in _SATURATIONS:
            self.law[name] = spread([getattr(m, name, UNIT) / UNIT for m in materials])
        metals = {
            "metal_conductivity": "electrical_conductivity",
            "metal_thermal_conductivity": "thermal_conductivity",
            "metal_coefficient": "electrical_temperature_coefficient",
            "surface_prefactor": "interface_exchange_prefactor",
            "surface_activation": "interface_exchange_activation",
        }
        for name, key in metals.items():
            self.law[name] = spread([getattr(m, key, 0.0) or 0.0 for m in materials])
        rest = [getattr(m, "interface_exchange_concentration", 0.0) or 0.0 for m in materials]
        self.law["surface_rest"] = spread(rest) / UNIT
        self.law["heat_capacity"] = spread([m.volumetric_heat_capacity for m in materials])
        rate = np.zeros(self.count)
        for i, material in enumerate(materials):
            if isinstance(material, Conductor) or not material.exchange_prefactor:
                continue
            share = material.exchange_inner_share * self.device.filament.radius
            inside = self._share_inside(max(material.exchange_inner_radius, share))
            rate += np.where(self.layer == i, material.exchange_prefactor * (1.0 - inside), 0.0)
        self.law["exchange_rate"] = rate
        start = [getattr(m, "initial_concentration", 0.0) / UNIT for m in materials]
        self.law["exchange_rest"] = spread(start)

    def _share_inside(self, radius: float) -> np.ndarray:
        """Share of each cell's volume within a radius."""
        square = self.r**2
        inside = (np.clip(radius**2, square[:-1], square[1:]) - square[:-1]) / np.diff(square)
        return np.tile(inside, self.rows)

    def _set_start(self, edges: np.ndarray) -> None:
        """Concentration just after forming."""
        filament = self.device.filament
        index = [layer.name for layer in self.device.layers].index(filament.layer)
        top = edges[index] + filament.height
        height = (np.clip(top, self.z[:-1], self.z[1:]) - self.z[:-1]) / np.diff(self.z)
        share = np.repeat(height, self.rings) * self._share_inside(filament.radius)
        share = np.where(self.layer == index, share, 0.0)
        around = self.law["exchange_rest"]
        self.start = around + share * (filament.concentration / UNIT - around)

    def _all_faces(self, centre: np.ndarray, ring: np.ndarray) -> Faces:
        """Radial faces, axial faces, bottom, top and side."""
        r, z, rings, rows = self.r, self.z, self.rings, self.rows
        number = np.arange(self.count).reshape(rows, rings)
        dz, half = np.diff(z), 0.5 * np.diff(z)
        inner, outer = np.log(r[1:] / centre), np.log(centre[1:] / r[1:-1])
        bottom, top, side = self.count, self.count + 1, self.count + 2
        barrier = np.zeros(rows)
        for i, layer in enumerate(self.device.layers):
            if layer.thermal_boundary_resistance_below:
                first = int(np.flatnonzero(self.row_layer == i)[0])
                barrier[first] = layer.thermal_boundary_resistance_below

        def block(left, right, parts, ways, area, axial, resistance=0.0):
            shape = np.shape(left)
            columns = (left, right, *parts, *ways, area, axial, resistance)
            return [np.broadcast_to(c, shape).ravel() for c in columns]

        round_ = 2.0 * np.pi * dz[:, None]
        blocks = [
            block(
                number[:, :-1],
                number[:, 1:],
                (inner[:-1] / round_, outer / round_),
                (r[1:-1] - centre[:-1], centre[1:] - r[1:-1]),
                r[1:-1] * round_,
                False,
            ),
            block(
                number[:-1],
                number[1:],
                (half[:-1, None] / ring, half[1:, None] / ring),
                (half[:-1, None], half[1:, None]),
                ring,
                True,
                barrier[1:, None] / ring,
            ),
            block(
                np.full(rings, bottom), number[0], (0.0, half[0] / ring), (0.0, half[0]), ring, True
            ),
            block(
                number[-1], np.full(rings, top), (half[-1] / ring, 0.0), (half[-1], 0.0), ring, True
            ),
            block(
                number[:, -1],
                np.full(rows, side),
                (inner[-1] / round_[:, 0], 0.0),
                (r[-1] - centre[-1], 0.0),
                r[-1] * round_[:, 0],
                False,
            ),
        ]
        columns = [np.concatenate(parts) for parts in zip(*blocks, strict=True)]
        return Faces(*columns)
