"""Vacancies that come from elsewhere: from what surrounds the cell, and through surfaces of metals.

Both are written as UFL, in the scaled units of ``equations``, and counted by what measures a step
(``devicephys.fem.observables``). Both are off unless a material says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import ufl

from devicephys.device import Conductor, Device, Oxide
from devicephys.fem.fluxes import CONCENTRATION, KB_EV, VacancyTransport, clip
from devicephys.fem.mesh import LENGTH


def exchange_rates(
    device: Device,
    n: Any,
    temperature: Any,
    number: Callable[[float], Any],
    outside: Callable[[float, float], Any],
) -> dict[int, Any]:
    """Vacancies that a volume loses to what surrounds the cell, 1e27 1/m^3/s, by layer.

    k0 exp(-Ea/kB T) (n - n_0) with the initial concentration n_0. ``number`` puts a value into
    the forms, ``outside`` a value that is zero inside a radius [m].
    """
    rates: dict[int, Any] = {}
    for i, layer in enumerate(device.layers):
        material = device.materials[layer.material]
        if not isinstance(material, Oxide) or not material.exchange_prefactor:
            continue
        share = material.exchange_inner_share * device.filament.radius
        radius = max(material.exchange_inner_radius, share)
        prefactor = outside(radius, material.exchange_prefactor)
        barrier = number(material.exchange_activation) / (KB_EV * clip(temperature))
        rest = number(material.initial_concentration / CONCENTRATION)
        rates[i] = prefactor * ufl.exp(-barrier) * (n - rest)
    return rates


def exchanging(material: Conductor | Oxide) -> TypeGuard[Conductor]:
    """Whether vacancies go through the surfaces of a material: those of some conductors."""
    return isinstance(material, Conductor) and material.interface_exchange_prefactor > 0.0


@dataclass(frozen=True)
class MetalSurfaces:
    """What the metals beside the oxides do to vacancies: k0 exp(-Ea/kB T) (n - n_0) goes in.

    All are cell-wise constant: ``metal`` is 1 in metals that exchange vacancies and 0 elsewhere;
    ``prefactor`` in nm/s, ``activation`` in eV, ``rest`` n_0 are those of these metals.
    """

    metal: Any
    prefactor: Any
    activation: Any
    rest: Any

    @classmethod
    def of(cls, device: Device, cellwise: Callable[[Sequence[float]], Any]) -> MetalSurfaces | None:
        """Those of a device, None where all block; ``cellwise`` takes one value a layer."""
        rows = []
        for layer in device.layers:
            material = device.materials[layer.material]
            # elsewhere any numbers will do: ``metal`` takes out what they give
            row = (0.0, 1.0, 1.0, 0.0)
            if exchanging(material):
                row = (
                    1.0,
                    material.interface_exchange_prefactor / LENGTH,
                    material.interface_exchange_activation or 0.0,
                    (material.interface_exchange_concentration or 0.0) / CONCENTRATION,
                )
            rows.append(row)
        if not any(row[0] for row in rows):
            return None
        return cls(*(cellwise(column) for column in zip(*rows, strict=True)))

    def outflow(
        self, transport: VacancyTransport, n: Any, potential: Any, temperature: Any
    ) -> dict[str, Any]:
        """Flux out of the cell on each side of a face, zero on that of the metal."""
        result, normal = {}, ufl.FacetNormal(ufl.domain.extract_unique_domain(n))
        for side, other in (("+", "-"), ("-", "+")):
            barrier = self.activation(other) / (KB_EV * clip(temperature(other)))
            result[side] = self.metal(other) * transport.surface_flux(
                n,
                potential,
                temperature,
                normal,
                side,
                rate=self.prefactor(other) * ufl.exp(-barrier),
                rest=self.rest(other),
            )
        return result
