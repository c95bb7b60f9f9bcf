"""Cells and runs for verification: simple devices on uniform grids, the real solver.

All cells have the four layers of the real stack, so that they share its compiled equations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from devicephys.device import Device
from devicephys.fem.equations import CellProblem, State, Terms
from devicephys.fem.mesh import Grid, make_grid
from devicephys.fem.newton import NewtonSolver
from devicephys.fem.observables import Observation, Observer, gather_fields
from devicephys.fem.stepper import Step, StepLimits, Stepper

#: heights of the layers from bottom to top, nm
THICKNESS = (8.0, 8.0, 16.0, 8.0)
#: radius of the cell, nm
RADIUS = 16.0

_METAL = {
    "kind": "conductor",
    "electrical_conductivity": "1e4 S/m",
    "thermal_conductivity": "2 W/m/K",
    "volumetric_heat_capacity": "2.8e6 J/m^3/K",
}
_OXIDE = {
    "kind": "oxide",
    "conductivity_low": "1e4 S/m",
    "conductivity_high": "1e4 S/m",
    "conductivity_saturation": "2e21 cm^-3",
    "conduction_activation_low": "0 eV",
    "conduction_activation_high": "0 eV",
    "conduction_activation_saturation": "2e21 cm^-3",
    "thermal_conductivity_low": "2 W/m/K",
    "thermal_conductivity_high": "2 W/m/K",
    "thermal_conductivity_saturation": "2e21 cm^-3",
    "thermal_coefficient": "0 1/K",
    "volumetric_heat_capacity": "2.5e6 J/m^3/K",
    "diffusion_prefactor": "1e-7 m^2/s",
    "diffusion_activation": "0.3 eV",
    "initial_concentration": "4e20 cm^-3",
}


def cell(
    changes: Mapping[str, Any] | None = None,
    both_oxides: Mapping[str, str] | None = None,
    thickness: tuple[float, ...] = THICKNESS,
    radius: float = RADIUS,
    metal: Mapping[str, str] | None = None,
) -> Device:
    """A uniform cell: the same sigma (1e4 S/m), k (2 W/m/K) and n in all layers, side adiabatic.

    ``thickness`` and ``radius`` in nm; ``both_oxides`` replaces properties of the two oxides,
    ``changes`` anything by its dotted path, as ``Device.with_`` takes it. With ``metal``, its
    properties where they differ from those of TiN, a metal "Ti" takes the place of the upper oxide.
    """
    upper = "TaOx" if metal is None else "Ti"
    names = ("bottom_electrode", "HfOx", upper, "top_electrode")
    oxide = _OXIDE | dict(both_oxides or {})
    data = {
        "name": "verification",
        "voltage_reference": "bare cell",
        "outer_radius": f"{radius} nm",
        "side_wall": "adiabatic",
        "layers": [
            {"name": name, "material": material, "thickness": f"{height} nm"}
            for name, material, height in zip(
                names, ("TiN", "HfOx", upper, "TiN"), thickness, strict=True
            )
        ],
        "filament": {
            "layer": "HfOx",
            "radius": f"{radius / 2} nm",
            "height": f"{thickness[1]} nm",
            "concentration": oxide["initial_concentration"],
        },
        "materials": {
            "TiN": _METAL,
            "HfOx": oxide,
            upper: oxide if metal is None else _METAL | dict(metal),
        },
        "vacancy": {"site_limit": "1.2e21 cm^-3", "soret": "off"},
        "sweep": {"reset_voltage": "-1 V", "set_voltage": "1 V", "rate": "100 V/s"},
    }
    return Device.from_mapping(data).with_(dict(changes or {}))


def uniform_grid(device: Device, size: float, radial_size: float, split: int = 1) -> Grid:
    """Uniform grid, cells of ``size`` times ``radial_size`` nm, each divided ``split`` times."""
    return make_grid(device, size * 1e-9, 0.0, split=split, coarseness=radial_size)


@dataclass
class Outcome:
    """End of a run: fields on the grid (1/m^3, K, V), last step, its figures, the problem."""

    concentration: np.ndarray
    temperature: np.ndarray
    potential: np.ndarray
    figures: Observation
    step: Step
    problem: CellProblem

    @property
    def z(self) -> np.ndarray:
        """Heights of the grid lines above the bottom of the cell, m."""
        return self.problem.grid.z

    @property
    def oxide(self) -> np.ndarray:
        """Rows of cells that lie in an oxide."""
        return np.isfinite(self.concentration[:, 0])


def run(
    device: Device,
    grid: Grid,
    times: tuple[float, ...],
    voltage: float | Callable[[float], float],
    *,
    fixed: float | None = None,
    terms: Terms | None = None,
    sources: Any = None,
    initial: Callable[[CellProblem], State] | None = None,
    tolerance: float = 1e-3,
    accuracy: float = 1e-2,
    pulsed: bool = False,
) -> Outcome:
    """Run the real solver from times[0] to times[-1] (s), hitting each time.

    ``voltage`` in V, constant or of the time; ``fixed`` step (s) or adaptive steps of local error
    ``accuracy`` (in 1e21 cm^-3); ``tolerance`` as for ``NewtonSolver``; ``initial`` makes the
    initial state, by default that of the device; ``pulsed`` drives a transistor as pulses do.
    """
    from mpi4py import MPI  # optional: the finite-element stack

    problem = CellProblem(device, grid, MPI.COMM_SELF, terms or Terms(), sources)
    if pulsed:
        problem.series = device.series.pulsed()
    limits = StepLimits(
        concentration=accuracy, temperature=accuracy * 100.0, voltage=np.inf, fixed=fixed
    )
    stepper = Stepper(problem, NewtonSolver(problem, tolerance), limits)
    state = initial(problem) if initial else problem.initial_state()
    observer = Observer(problem, state)
    last, figures = None, None

    def applied(time: float) -> float:
        return voltage(time) if callable(voltage) else voltage

    for step in stepper.run(state, applied, np.array(times), 1e-4 * (times[-1] - times[0])):
        last, figures = step, observer.observe(step)
    assert last is not None and figures is not None
    return Outcome(*gather_fields(problem, last.state), figures, last, problem)
