"""The face flux and its parts, evaluated as the solver evaluates them, against plain formulas."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("mpi4py.MPI")  # before dolfinx
pytest.importorskip("dolfinx")

import ufl

from devicephys.device import Device
from devicephys.fem import fluxes
from devicephys.fem.equations import CellProblem, State
from devicephys.fem.newton import NewtonSolver
from devicephys.verification.cells import cell, uniform_grid

pytestmark = pytest.mark.fem

KB = 1.380649e-23 / 1.602176634e-19


def value(function: Any, x: float) -> float:
    """A UFL function of a number, evaluated by UFL."""
    return float(function(ufl.as_ufl(x))(()))


def bernoulli(x: float) -> float:
    return 1.0 if x == 0.0 else x / math.expm1(x)


@pytest.mark.parametrize("x", [0.0, 1e-12, 1e-3, -1e-3, 9.99e-3, 1.01e-2, 0.5, -3.0, 40.0, -40.0])
def test_bernoulli(x: float) -> None:
    assert value(fluxes.bernoulli, x) == pytest.approx(bernoulli(x), rel=1e-12)
    # B(-x) - B(x) = x: without gradients of n, the flux is pure drift
    assert value(fluxes.bernoulli, -x) - value(fluxes.bernoulli, x) == pytest.approx(x, abs=1e-12)


def test_bernoulli_far_out() -> None:
    assert value(fluxes.bernoulli, 1e4) == pytest.approx(0.0, abs=1e-100)
    assert value(fluxes.bernoulli, -200.0) == pytest.approx(200.0)


@pytest.mark.parametrize("x", [0.0, 1e-3, -9.9e-3, 1.1e-2, 2.0, -10.0])
def test_sinh_ratio(x: float) -> None:
    expected = math.sinh(x) / x if x else 1.0
    assert value(fluxes.sinh_ratio, x) == pytest.approx(expected, rel=1e-10)


def residual_of_n(device: Device, size: float, state: Any) -> tuple[np.ndarray, CellProblem]:
    """Vacancy outflow of each cell per volume, (1e27 1/m^3)/s, with its problem."""
    from mpi4py import MPI

    problem = CellProblem(device, uniform_grid(device, size, 16.0), MPI.COMM_SELF)
    u, n = np.zeros(problem.nu), np.zeros(problem.nc)
    z = problem.node_z[: problem.nu // 2]
    centre = problem.grid.z_centre[problem.cell_index[0][: problem.nc]] * 1e9
    u[0::2], u[1::2], n[:] = state(z)[0], state(z)[1], state(centre)[2]
    problem.load_history(u, n, 1.0)
    problem.load(State(u, n, 0.0))
    volume = problem.cell_volume / (2.0 * np.pi) * 1e27
    return problem.raw_residual()[problem.nu :] / volume, problem


def smooth(z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """V [V], T [K], n [1e27 1/m^3] at heights z [nm]; not symmetric, nowhere at rest."""
    return 0.02 * z + 3e-4 * z**2, 400.0 + 2.0 * z - 0.03 * z**2, 0.3 + 0.2 * np.sin(0.2 * z)


def smooth_flux(z: float, exclusion: bool, hop: float | None, sign: float) -> float:
    """N of Eq. (7) for ``smooth``, written as it stands in the article."""
    T = 400.0 + 2.0 * z - 0.03 * z**2
    n = 0.3 + 0.2 * np.sin(0.2 * z)
    D = 1e-7 * 1e18 * math.exp(-0.3 / (KB * T))
    field = 0.02 + 6e-4 * z
    drift = field / (KB * T) if hop is None else 2.0 / hop * math.sinh(hop * field / (2 * KB * T))
    soret = -sign * 0.3 / (KB * T**2) * (2.0 - 0.06 * z)
    free = n * (1.0 - n / 1.2) if exclusion else n
    return -D * (0.04 * math.cos(0.2 * z) + free * (drift + soret))


@pytest.mark.parametrize("exclusion", [True, False])
@pytest.mark.parametrize("hop", [None, 1.5])
@pytest.mark.parametrize(("soret", "sign"), [("hot", 1.0), ("cold", -1.0), ("off", 0.0)])
def test_face_flux_is_the_continuum_flux(
    exclusion: bool, hop: float | None, soret: str, sign: float
) -> None:
    device = cell(
        {
            "vacancy.site_exclusion": exclusion,
            "vacancy.soret": soret,
            "vacancy.field_enhanced_drift": hop is not None,
            "vacancy.hop_distance": f"{hop or 0.25} nm",
        }
    )
    error = []
    for size in (1.0, 0.5):
        outflow, problem = residual_of_n(device, size, smooth)
        heights = problem.grid.z_centre[problem.cell_index[0][: problem.nc]] * 1e9
        # accumulated outflow of the cells below a height is the flux through it
        low = (heights > 8.0) & (heights < 12.0)
        column = low & (problem.cell_index[1][: problem.nc] == 0)
        flux = outflow[column].sum() * size
        expected = smooth_flux(12.0, exclusion, hop, sign)
        error.append(abs(flux / expected - 1.0))
    assert error[1] < 5e-3
    assert error[1] < 0.3 * error[0] or error[1] < 1e-6


def test_no_flux_enters_the_electrodes() -> None:
    outflow, problem = residual_of_n(cell(), 1.0, smooth)
    oxide = problem.oxide_cells
    assert np.abs(outflow[~oxide]).max() == 0.0
    total = (outflow * problem.cell_volume)[oxide]
    assert abs(total.sum()) < 1e-12 * np.abs(total).sum()


_STRESSED: list[tuple[CellProblem, NewtonSolver]] = []


def stressed() -> tuple[CellProblem, NewtonSolver]:
    """A bare cell of strong drift at 600 K, made once."""
    if not _STRESSED:
        from mpi4py import MPI

        device = cell({"ambient_temperature": "600 K", "vacancy.soret": "hot"})
        problem = CellProblem(device, uniform_grid(device, 1.0, 4.0), MPI.COMM_SELF)
        _STRESSED.append((problem, NewtonSolver(problem, 1e-3, max_iterations=40)))
    return _STRESSED[0]


@settings(max_examples=15)
@given(
    seed=st.integers(0, 2**32 - 1),
    voltage=st.sampled_from([-0.6, -0.2, 0.0, 0.3, 0.6]),
    diffusion_lengths=st.sampled_from([1e-2, 1.0, 1e3]),
)
def test_an_implicit_step_keeps_bounds_and_inventory(
    seed: int, voltage: float, diffusion_lengths: float
) -> None:
    """One Euler step of any length from any n within [0, n_max] stays there."""
    problem, solver = stressed()
    state = problem.initial_state()
    n = np.random.default_rng(seed).uniform(0.0, 1.2, problem.nc)
    state.n[:] = np.where(problem.oxide_cells, n, 0.0)
    before = state.copy()
    diffusivity = 1e-7 * 1e18 * math.exp(-0.3 / (KB * 600.0))
    length = diffusion_lengths / diffusivity
    problem.load_history(before.u, before.n, length)
    report = solver.solve(state, voltage)
    assert report.converged, report.reason
    assert state.n.min() >= -1e-9
    assert state.n.max() <= 1.2 + 1e-9
    inventory = problem.cell_volume @ before.n
    assert problem.cell_volume @ state.n == pytest.approx(inventory, rel=1e-10)
