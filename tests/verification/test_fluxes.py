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


def smooth_flux(
    z: float, exclusion: bool, hop: float | None, sign: float, dispersion: bool
) -> float:
    """N of Eq. (7) for ``smooth``, written as it stands in the article."""
    T = 400.0 + 2.0 * z - 0.03 * z**2
    n = 0.3 + 0.2 * np.sin(0.2 * z)
    D = 1e-7 * 1e18 * math.exp(-0.3 / (KB * T))
    field = 0.02 + 6e-4 * z
    drift = field / (KB * T) if hop is None else 2.0 / hop * math.sinh(hop * field / (2 * KB * T))
    soret = -sign * 0.3 / (KB * T**2) * (2.0 - 0.06 * z)
    free = n * (1.0 - n / 1.2) if exclusion else n
    spread = 1.0
    if dispersion:
        # the variance of a walk on a lattice, (v a/2) coth(x), over D
        s = (drift + soret) * (hop or HOP) / 2.0
        spread = s / math.tanh(s) if hop is None else s / math.tanh(math.asinh(s))
    return -D * (spread * 0.04 * math.cos(0.2 * z) + free * (drift + soret))


#: a hop that is longer than the cells, nm
HOP = 6.0


def lattice_quotient(x: float, q: float, enhanced: bool) -> float:
    """tanh(w*/2) = q tanh(x), w* over w = 2 q s with s = x or sinh(x), evaluated by the solver."""
    s = math.sinh(x) if enhanced else x
    found = fluxes.lattice_quotient(ufl.as_ufl(s), ufl.as_ufl(q), enhanced)
    return 2.0 * q * s * float(found(()))


@pytest.mark.parametrize("enhanced", [False, True])
@pytest.mark.parametrize("q", [1e-3, 0.1, 0.5, 0.999, 1.0])
@pytest.mark.parametrize("x", [1e-6, 2.9e-3, -2.9e-3, 3.1e-3, 0.3, -2.0, 6.0])
def test_drift_spreads_as_hops_do(x: float, q: float, enhanced: bool) -> None:
    difference = lattice_quotient(x, q, enhanced)
    # exact to the digits that a plain formula keeps
    assert difference == pytest.approx(2.0 * math.atanh(q * math.tanh(x)), rel=2e-10, abs=0)


@pytest.mark.parametrize("x", [1e-3, 1.0, 20.0, 140.0, -140.0])
def test_a_mesh_as_fine_as_the_lattice_is_the_lattice(x: float) -> None:
    assert lattice_quotient(x, 1.0, False) == pytest.approx(2.0 * x, rel=1e-12, abs=0)


def test_steps_of_a_walk_on_a_lattice() -> None:
    # a walker that hops by a to the right with the share p, to the left with 1 - p, p from the
    # bias x: the mean and the variance of a hop, as the fitted flux has them
    a, x, q = 1.0, 0.8, 0.4
    right = math.exp(x) / (math.exp(x) + math.exp(-x))
    rate = 2.0 * math.cosh(x)  # of hops at D = a^2, so that v = 2 D sinh(x)/a
    hops = np.random.default_rng(1).random(400_000) < right
    drift = rate * a * (2.0 * hops.mean() - 1.0)
    variance = rate * a**2 / 2.0  # half of the mean square of a hop a second
    w = lattice_quotient(x, q, True)
    scaled = 2.0 * q * math.sinh(x) / w  # D*
    assert scaled / (q * a) * w == pytest.approx(drift, rel=0.01)
    spread = scaled * (w / 2.0) / math.tanh(w / 2.0)
    assert spread == pytest.approx(variance, rel=1e-9)


@pytest.mark.parametrize("exclusion", [True, False])
@pytest.mark.parametrize("dispersion", [False, True])
@pytest.mark.parametrize("hop", [None, 1.5])
@pytest.mark.parametrize(("soret", "sign"), [("hot", 1.0), ("cold", -1.0), ("off", 0.0)])
def test_face_flux_is_the_continuum_flux(
    exclusion: bool, dispersion: bool, hop: float | None, soret: str, sign: float
) -> None:
    device = cell(
        {
            "vacancy.site_exclusion": exclusion,
            "vacancy.soret": soret,
            "vacancy.field_enhanced_drift": hop is not None,
            "vacancy.hop_dispersion": dispersion,
            "vacancy.hop_distance": f"{hop or HOP} nm",
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
        expected = smooth_flux(12.0, exclusion, hop, sign, dispersion)
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
