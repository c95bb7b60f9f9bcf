"""Where the voltage of a cell falls: how many cells of the mesh carry it, and how strong its field.

Drift towards a blocking wall has no length of its own: the layer that carries the voltage of the
high state may be as thin as one cell of the mesh, and then the mesh decides the result. This is
looked at on the axis of every run, and said beside its figures.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import numpy as np

from devicephys.device import Device

__all__ = ["BREAKDOWN", "LATTICE_CONSTANT", "Localisation", "limits_of", "localisation"]

#: share of the voltage that is looked at
SHARE = 0.9
#: with fewer cells the mesh is not fine enough to say what the layer is like
FEWEST_CELLS = 4
#: of monoclinic HfO2, rounded (handbook value), m: below it there is no continuum
LATTICE_CONSTANT = 0.5e-9
#: breakdown field of films of HfO2 and Ta2O5 of a few nm, rounded up (handbook value), V/m
BREAKDOWN = 1e9


@dataclasses.dataclass(frozen=True)
class Localisation:
    """Where 90 % of a cell's voltage falls, on its axis.

    Attributes
    ----------
    localisation_cells : int
        Fewest cells of the mesh over which that much falls.
    localisation_thickness : float, m
        Their heights together.
    field_max : float, V/m
        Largest field on the axis.
    localisation_vacancies : float
        Vacancies in those layers of the mesh, out to the radius of the filament.
    """

    localisation_cells: int
    localisation_thickness: float
    field_max: float
    localisation_vacancies: float

    def warning(self) -> str:
        """A sentence if the mesh decides the layer, else an empty text."""
        if self.localisation_cells >= FEWEST_CELLS:
            return ""
        cells = f"{self.localisation_cells} cell{'s' if self.localisation_cells > 1 else ''}"
        return (
            f"90 % of the voltage falls across {cells} of the mesh"
            f" ({1e9 * self.localisation_thickness:.2g} nm): the high resistance may be the mesh's,"
            " compare with a finer preset"
        )


def localisation(
    device: Device,
    potential: np.ndarray,
    concentration: np.ndarray,
    z_node: np.ndarray,
    r_node: np.ndarray,
) -> Localisation | None:
    """Where the voltage of a state falls on the axis.

    Parameters
    ----------
    device : Device
        The cell, whose filament's radius is used.
    potential : ndarray of shape (nz + 1, nr + 1), V
        Potential at the nodes, or its column on the axis, of shape (nz + 1,).
    concentration : ndarray of shape (nz, nr), 1/m^3
        Vacancy concentration; NaN in conductors.
    z_node, r_node : ndarray of shape (nz + 1,) and (nr + 1,), m
        Lines of the mesh.

    Returns
    -------
    Localisation or None
        None where no voltage falls.
    """
    axis = potential if potential.ndim == 1 else potential[:, 0]
    height = np.diff(z_node)
    drop = np.abs(np.diff(axis))
    field = drop / height
    if not drop.sum() > 0:
        return None
    order = np.argsort(-field, kind="stable")
    reached = np.cumsum(drop[order])
    # rounding must not ask for one cell more
    count = int(np.searchsorted(reached, SHARE * reached[-1] * (1 - 1e-12))) + 1
    rows = order[:count]
    inner = np.minimum(r_node, device.filament.radius)
    area = np.pi * np.diff(inner**2)
    inside = np.nan_to_num(concentration[rows]) @ area
    return Localisation(
        localisation_cells=count,
        localisation_thickness=float(height[rows].sum()),
        field_max=float(field.max()),
        localisation_vacancies=float(inside @ height[rows]),
    )


def limits_of(device: Device, figures: Mapping[str, float | None]) -> list[str]:
    """Sentences on what of a run lies beyond what the model stands for.

    Parameters
    ----------
    device : Device
        The cell.
    figures : mapping of str to float or None
        ``device_voltage_max`` [V], if it is known.

    Returns
    -------
    list of str
        One sentence for layers below a lattice constant, one for a voltage that films as thick as
        all oxides of the cell together do not stand; none where nothing is to be said.
    """
    said = []
    for layer in device.layers:
        if layer.thickness < LATTICE_CONSTANT:
            said.append(
                f"the layer {layer.name} is {1e9 * layer.thickness:.2g} nm thick, less than a"
                f" lattice constant ({1e9 * LATTICE_CONSTANT:.2g} nm): there is no continuum"
            )
    stands = BREAKDOWN * math.fsum(layer.thickness for layer in device.oxide_layers)
    largest = figures.get("device_voltage_max") or 0.0
    if largest > stands:
        said.append(
            f"{largest:.3g} V across the memristor: {1e9 * stands / BREAKDOWN:.2g} nm of oxide"
            f" break down at about {stands:.2g} V"
        )
    return said
