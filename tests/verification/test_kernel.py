"""The compiled kernel against the forms that it is translated from: entries, factors, runs."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy.sparse

pytest.importorskip("mpi4py.MPI")  # before dolfinx
pytest.importorskip("dolfinx")

import basix.ufl
import ufl
from mpi4py import MPI

from ddkbase.errors import InputError, InstallationError
from devicephys.device import Device, list_devices, load_device
from devicephys.device.ranges import random_device
from devicephys.fem import fluxes
from devicephys.fem import linear as systems
from devicephys.fem.assembly import follow_tangents, prepare, prepare_pulses
from devicephys.fem.equations import CellProblem, State
from devicephys.fem.kernel import cell_kernel, integrands
from devicephys.fem.kernel import source as translated
from devicephys.fem.kernel.band import Coupling, band_of
from devicephys.fem.kernel.cell_kernel import BandMatrix, compiled_kernel
from devicephys.fem.kernel.integrands import Equations
from devicephys.fem.kernel.source import signature, source
from devicephys.fem.linear import FormSystem
from devicephys.fem.mesh import Grid, make_grid
from devicephys.fem.newton import NewtonSolver
from devicephys.fem.staggered import StaggeredSolver
from devicephys.protocol.pulse_train import PulseTrain
from devicephys.protocol.waveform import IVSweep, Waveform
from devicephys.simulation.settings import Settings
from devicephys.simulation.simulate import simulate
from devicephys.verification.cells import cell, uniform_grid

pytestmark = pytest.mark.fem

QUICK = Settings.preset("quick")
COARSE = Settings.preset("quick", cell_size="0.2 nm", coarseness=2.0, cell_growth=0.5)
FORMS = COARSE.with_(kernel="forms")


def problem_of(device: Device, grid: Grid | None = None, kernel: str = "compiled") -> CellProblem:
    if grid is None:
        grid = make_grid(device, COARSE.cell_size, COARSE.cell_growth, 1, COARSE.coarseness)
    return CellProblem(device, grid, MPI.COMM_SELF, kernel=kernel)


def states_of_a_loop(device: Device, number: int = 5) -> list[State]:
    """States on the way through a sweep of the device, evenly spread over its steps."""
    _, stepper, initial = prepare(device, FORMS, MPI.COMM_SELF)
    sweep = IVSweep.from_device(device)
    first = 1e-3 * min(sweep.duration, np.diff(sweep.corners).min())
    steps = stepper.run(initial, sweep.voltage, sweep.corners, first)
    states = [step.state for step in steps]
    return [states[k] for k in np.linspace(1, len(states) - 1, number).astype(int)]


def states_of_a_pulse(device: Device, number: int = 3) -> list[State]:
    problem, stepper = prepare_pulses(device, FORMS, MPI.COMM_SELF)
    waveform = PulseTrain("-3 V", count=1).pulse(0)
    corners = waveform.corners
    steps = stepper.run_pulse(problem.initial_state(), waveform, soft=(corners[5], corners[7]))
    states = [step.state for step in steps]
    return [states[k] for k in np.linspace(0, len(states) - 1, number).astype(int)]


def wild_states(problem: CellProblem, seed: int = 0) -> Iterator[State]:
    """What Newton's method may come by: n below 0 or above its limit, T out of range."""
    rng = np.random.default_rng(seed)
    nodes = problem.nu // 2
    for low, high in ((200.0, 900.0), (-500.0, 9000.0)):
        u = np.empty(problem.nu)
        u[0::2], u[1::2] = rng.uniform(-2, 2, nodes), rng.uniform(low, high, nodes)
        yield State(u, rng.uniform(-0.3, 1.6, problem.nc), 1.3)
    # all alike: differences vanish, and series stand in for quotients
    yield State(np.tile([0.3, 500.0], nodes), np.full(problem.nc, 0.4), 0.3)


def entries(problem: CellProblem) -> np.ndarray:
    """The Jacobian of the forms, dense."""
    problem.assemble_jacobian()
    rows, columns, values = problem.matrix.getValuesCSR()
    count = problem.nu + problem.nc
    return scipy.sparse.csr_matrix((values, columns, rows), shape=(count, count)).toarray()


def residual_of_forms(problem: CellProblem) -> np.ndarray:
    kernel, problem.kernel = problem.kernel, None
    try:
        return problem.raw_residual()
    finally:
        problem.kernel = kernel


def band_of_problem(problem: CellProblem) -> BandMatrix:
    assert problem.kernel is not None
    matrix = BandMatrix(problem.kernel)
    problem.kernel.jacobian(problem.grid, matrix, problem.kernel.rows[problem.fixed])
    return matrix


def assert_equal_to_forms(problem: CellProblem, state: State, gamma_dt: float) -> None:
    problem.load(state)
    problem.load_history(1.01 * state.u, 0.9 * state.n, gamma_dt)
    full = entries(problem)
    scale = np.abs(full).max(axis=1)
    difference = np.abs(band_of_problem(problem).dense() - full)
    assert (difference <= 1e-10 * scale[:, None]).all()
    free = np.delete(np.arange(len(full)), problem.fixed)
    # of a row: what its terms would give without cancelling each other
    size = (np.abs(full) @ np.abs(np.concatenate([state.u, state.n])))[free]
    far = np.abs(problem.raw_residual() - residual_of_forms(problem))[free]
    assert np.isfinite(far).all() and (far <= 1e-10 * size).all()


def assert_all_states_equal(problem: CellProblem, states: list[State]) -> None:
    assert problem.kernel is not None
    for number, state in enumerate([*states, *wild_states(problem)]):
        assert_equal_to_forms(problem, state, 10.0 ** (-9 + 2 * (number % 5)))


# -- entries --------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", list_devices())
def test_entries_of_every_library_device(name: str) -> None:
    device = load_device(name)
    states = states_of_a_loop(device) + states_of_a_pulse(device)
    assert_all_states_equal(problem_of(device), states)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 2, 4])
def test_entries_of_random_devices(seed: int) -> None:
    device = random_device(np.random.default_rng(seed))
    assert_all_states_equal(problem_of(device), [])


SPECIAL: dict[str, Callable[[], Device]] = {
    "a conductivity of one's own": lambda: cell(
        {
            "materials.HfOx.conductivity": "s0*(1 + n/n0)**1.5*exp(-maximum(E_A - q_e*sqrt(E/E0)"
            "*U, 0.1*E_A)/(k_B*T))*(2 + tanh(T/T0 - 1))*log(2 + cosh(minimum(T/T0, 2)))",
            "materials.HfOx.constants.s0": "1e4 S/m",
            "materials.HfOx.constants.n0": "4e20 cm^-3",
            "materials.HfOx.constants.E_A": "0.1 eV",
            "materials.HfOx.constants.E0": "1 V/nm",
            "materials.HfOx.constants.U": "0.05 V",
            "materials.HfOx.constants.T0": "400 K",
            "materials.TaOx.conductivity": "s0*abs(-2)*pi/(1 + sinh(E/E0)**2)",
            "materials.TaOx.constants.s0": "5e3 S/m",
            "materials.TaOx.constants.E0": "1 V/nm",
        }
    ),
    "interfaces that resist heat": lambda: cell(
        {
            "layers.HfOx.thermal_boundary_resistance_below": "5e-9 m^2*K/W",
            "layers.TaOx.thermal_boundary_resistance_below": "2e-9 m^2*K/W",
            "layers.top_electrode.thermal_boundary_resistance_below": "1e-8 m^2*K/W",
        }
    ),
    "metals that exchange vacancies": lambda: cell(
        {
            "vacancy.soret": "cold",
            "materials.Ti.interface_exchange_prefactor": "1 m/s",
            "materials.Ti.interface_exchange_activation": "0.4 eV",
            "materials.Ti.interface_exchange_concentration": "2e20 cm^-3",
            "materials.Ti.electrical_temperature_coefficient": "2e-3 1/K",
        },
        metal={},
    ),
    "spread of hops": lambda: cell(
        {"vacancy.hop_dispersion": True, "vacancy.hop_distance": "3 nm", "vacancy.soret": "hot"}
    ),
    "spread of hops that the field helps": lambda: cell(
        {
            "vacancy.field_enhanced_drift": True,
            "vacancy.hop_dispersion": True,
            "vacancy.hop_distance": "3 nm",
            "vacancy.soret": "cold",
        }
    ),
    "no site limit, hops": lambda: cell(
        {
            "vacancy.site_exclusion": False,
            "vacancy.field_enhanced_drift": True,
            "vacancy.soret": "hot",
        },
        both_oxides={
            "conductivity_low": "10 S/m",
            "conduction_activation_low": "0.05 eV",
            "thermal_conductivity_low": "1 W/m/K",
            "thermal_coefficient": "0.01 1/K",
            "thermal_coefficient_low": "0.1 1/K",
        },
    ),
}


@pytest.mark.parametrize("name", SPECIAL)
def test_entries_of_special_cells(name: str) -> None:
    device = SPECIAL[name]()
    assert_all_states_equal(problem_of(device, uniform_grid(device, 2.0, 4.0)), [])


def test_entries_where_the_band_runs_along_the_radius() -> None:
    device = cell()
    grid = uniform_grid(device, 4.0, 0.5)
    assert len(grid.r) > 2 * len(grid.z)
    problem = problem_of(device, grid)
    assert_all_states_equal(problem, [])
    assert problem.kernel is not None
    # a band across it would be wider than all unknowns of a row of cells
    assert problem.kernel.band.width < 3 * len(grid.r)


def test_numbers_that_change_later_count() -> None:
    problem = problem_of(cell(), uniform_grid(cell(), 4.0, 4.0))
    state = next(wild_states(problem))
    problem.load(state)
    problem.load_history(state.u, state.n, 1e-6)
    before = problem.raw_residual()
    problem.transport.drift.value = 0.3
    problem.transport.prefactor.x.array[:] *= 2.0
    after = problem.raw_residual()
    assert not np.array_equal(before, after)
    assert_equal_to_forms(problem, state, 1e-6)


@pytest.mark.parametrize("field", ["V", "T", "n"])
def test_no_number_stays_none_in_the_same_rows(field: str) -> None:
    problem = problem_of(cell(), uniform_grid(cell(), 4.0, 4.0))
    state = next(wild_states(problem))
    values, index = {"V": (state.u, 24), "T": (state.u, 25), "n": (state.n, problem.nc // 2)}[field]
    values[index] = np.nan
    problem.load(state)
    problem.load_history(np.zeros(problem.nu), np.zeros(problem.nc), 1e-6)
    raw = problem.raw_residual()
    assert 0 < np.isnan(raw).sum() < len(raw)
    assert np.array_equal(np.isnan(raw), np.isnan(residual_of_forms(problem)))
    linear = systems.BandSystem(problem, lambda: FormSystem(problem))
    with pytest.raises(ArithmeticError):
        linear.renew()
    assert not linear.ready and linear.failures == 0


# -- factors --------------------------------------------------------------------------------------


def test_factors_solve_the_system() -> None:
    problem = problem_of(cell(), uniform_grid(cell(), 2.0, 2.0))
    rng = np.random.default_rng(3)
    for state in wild_states(problem):
        problem.load(state)
        problem.load_history(state.u, state.n, 1e-6)
        full = entries(problem)
        right = rng.normal(size=len(full)) * np.abs(full).max(axis=1)
        linear = systems.linear_system(problem)
        linear.renew()
        assert isinstance(linear, systems.BandSystem) and linear.failures == 0
        solution = linear.solve(right)
        # backward error of each row; that of dense factors with pivoting is no smaller
        assert (np.abs(full @ solution - right) <= 1e-11 * (np.abs(full) @ np.abs(solution))).all()


def test_a_lost_pivot_leaves_the_system_to_the_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = problem_of(cell(), uniform_grid(cell(), 2.0, 4.0))
    state = problem.initial_state()
    problem.load(state)
    problem.load_history(state.u, state.n, 1e-6)
    linear = systems.linear_system(problem)
    linear.renew()
    right = np.random.default_rng(4).normal(size=problem.nu + problem.nc)
    expected = linear.solve(right)
    monkeypatch.setattr(cell_kernel, "SMALLEST_PIVOT", 1.5)
    linear.renew()
    assert isinstance(linear, systems.BandSystem) and linear.failures == 1
    assert linear.solve(right) == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert {"jacobian", "factorisation", "back-substitution"} <= set(problem.watch.seconds)
    monkeypatch.undo()
    linear.renew()
    assert linear.failures == 1
    assert np.array_equal(linear.solve(right), expected)


def test_a_grid_too_large_for_a_band_has_sparse_factors(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = problem_of(cell(), uniform_grid(cell(), 4.0, 4.0))
    assert isinstance(systems.linear_system(problem), systems.BandSystem)
    monkeypatch.setattr(systems, "LARGEST_WORK", 1.0)
    assert isinstance(systems.linear_system(problem), FormSystem)


def test_a_band_holds_only_what_depends_on_each_other() -> None:
    grid = Grid(
        r=np.linspace(0, 4e-9, 5), z=np.linspace(0, 6e-9, 7), layer=np.zeros(6, int), wall_line=4
    )
    none, rows = np.zeros(6, bool), np.array([False, False, True, True, False, False])
    idle = band_of(grid, Coupling(none, none, none[1:]))
    assert sorted([*(idle.node.ravel()), *(idle.node.ravel() + 1), *idle.cell.ravel()]) == list(
        range(94)
    )
    # n that depends on nothing comes last, each its own
    assert idle.cell.min() == 70 and (idle.reach[70:] - np.arange(70, idle.size)).max() < 4
    busy = band_of(grid, Coupling(rows, rows, rows[1:] & rows[:-1]))
    assert busy.work > idle.work and busy.size == idle.size == 96


# -- runs -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_loop_is_the_same_with_both() -> None:
    device = load_device("tin-taox-hfox-tin")
    kernel, forms = (
        simulate(device, None, QUICK.with_(kernel=name)) for name in ("compiled", "forms")
    )
    assert kernel.sizes["time"] == forms.sizes["time"]
    assert int(kernel.newton_iterations.sum()) == int(forms.newton_iterations.sum())
    for name in ("time", "current", "temperature_max", "vacancy_total", "end_concentration"):
        assert kernel[name].values == pytest.approx(forms[name].values, rel=1e-9, abs=1e-15)


@pytest.mark.slow
@pytest.mark.parametrize("every_pulse", [True, False])
def test_a_train_is_the_same_with_both(every_pulse: bool) -> None:
    device = load_device("tin-taox-hfox-tin")
    kernel, forms = (
        simulate(
            device,
            PulseTrain("-2.5 V", count=12),
            QUICK.with_(kernel=name, every_pulse=every_pulse),
        )
        for name in ("compiled", "forms")
    )
    for name in ("conductance", "energy", "temperature_max", "end_concentration"):
        assert kernel[name].values == pytest.approx(forms[name].values, rel=1e-9, abs=1e-15)


def test_derivatives_of_a_run_are_the_same_with_both() -> None:
    device = load_device("tin-taox-hfox-tin")
    ramp = Waveform.from_si([0.0, 0.2], [0.0, -0.4])
    slopes = []
    for kernel in ("compiled", "forms"):
        settings = COARSE.with_(kernel=kernel)
        _, stepper, initial = prepare(device, settings, MPI.COMM_SELF)
        tangents = follow_tangents(stepper, settings, ["filament.radius", "outer_radius"])
        tangents.start(initial)
        run = stepper.run(initial, ramp.voltage, ramp.corners, 0.05)
        slopes.append([tangents.follow(step) for step in run])
    assert np.array(slopes[0]) == pytest.approx(np.array(slopes[1]), rel=1e-6)


@pytest.mark.parametrize("one_pass", [False, True])
def test_fields_in_turn_are_the_same_with_both(one_pass: bool) -> None:
    device = cell()
    ends = []
    for kernel in ("compiled", "forms"):
        problem = problem_of(device, uniform_grid(device, 2.0, 4.0), kernel)
        state = problem.initial_state()
        problem.load_history(state.u, state.n, 1e-6)
        report = StaggeredSolver(problem, 1e-3, one_pass=one_pass).solve(state, -0.2)
        assert report.converged, report
        ends.append(np.concatenate([state.u, state.n]))
    assert ends[0] == pytest.approx(ends[1], rel=1e-9, abs=1e-12)


# -- what serves ----------------------------------------------------------------------------------


def test_an_unknown_law_leaves_the_equations_to_the_forms(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    plain = fluxes.OxideLaws.conductivity

    def odd(self: Any, n: Any, temperature: Any, field_squared: Any = None) -> Any:
        return plain(self, n, temperature, field_squared) * (2.0 + ufl.erf(n))

    monkeypatch.setattr(fluxes.OxideLaws, "conductivity", odd)
    grid = uniform_grid(cell(), 4.0, 4.0)
    with caplog.at_level(logging.WARNING, logger="devicephys"):
        assert [problem_of(cell(), grid, "auto").kernel for _ in range(2)] == [None, None]
    (line,) = caplog.messages
    assert "Erf" in line
    with pytest.raises(InputError, match=r"Erf \(settings\.kernel\)"):
        problem_of(cell(), grid, "compiled")


def test_several_ranks_and_manufactured_sources_have_forms() -> None:
    ranks: Any = SimpleNamespace(comm=SimpleNamespace(size=2))
    assert compiled_kernel(ranks, "auto") is None
    with pytest.raises(InputError, match="more than one rank"):
        compiled_kernel(ranks, "compiled")
    device = cell()

    def sources(mesh: Any, time: Any) -> Any:
        return [{"temperature": ufl.SpatialCoordinate(mesh)[0]}] * 4

    grid = uniform_grid(device, 4.0, 4.0)
    problem = CellProblem(device, grid, MPI.COMM_SELF, sources=sources)
    assert problem.kernel is None


def test_newtons_method_takes_what_the_problem_has() -> None:
    grid = uniform_grid(cell(), 4.0, 4.0)
    assert isinstance(NewtonSolver(problem_of(cell(), grid)).linear, systems.BandSystem)
    assert isinstance(NewtonSolver(problem_of(cell(), grid, "forms")).linear, FormSystem)


# -- what is compiled -----------------------------------------------------------------------------


def written(device: Device) -> Equations:
    grid = uniform_grid(device, 4.0, 4.0)
    problem = CellProblem(device, grid, MPI.COMM_SELF, compiled=False)
    return Equations.of(problem.written[:2], (problem.u, problem.n), len(device.layers))


def test_devices_of_the_same_kind_share_a_library() -> None:
    other = cell({"materials.HfOx.conductivity_low": "7 S/m"}, radius=20.0)
    first, second = written(cell()), written(other)
    assert source(first) == source(second)
    assert signature(first) == signature(second)
    # UFL sorts by the text of counts that go on from device to device: 99 comes after 100
    assert {signature(written(cell())) for _ in range(12)} == {signature(first)}
    kind = written(cell({"vacancy.site_exclusion": False}))
    assert signature(kind) != signature(first)


_COMPILE = """
import devicephys.fem
from devicephys.fem.kernel.source import library
from tests.verification.test_kernel import cell, signature, source, written
equations = written(cell())
kernel = library(signature(equations), lambda: source(equations))
print([kernel.lib.ddk_coupled(layer) for layer in range(4)])
"""


@pytest.mark.slow
def test_two_processes_may_compile_at_once(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": str(root)}
    answers = [""] * 2

    def compile_one(number: int) -> None:
        done = subprocess.run(
            [sys.executable, "-c", _COMPILE], capture_output=True, text=True, env=environment
        )
        answers[number] = done.stdout or done.stderr

    threads = [threading.Thread(target=compile_one, args=(k,)) for k in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["[0, 1, 1, 0]\n"] * 2
    files = list(tmp_path.rglob("*ddk_kernel*"))
    assert len(files) == 1 and files[0].suffix == ".so"


def test_a_compiler_that_fails_says_so_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(translated.jit, "get_options", lambda: {"cache_dir": str(tmp_path)})
    with pytest.raises(InstallationError, match="the C compiler failed"):
        translated.library("0" * 40, lambda: "this is no C")
    assert list(tmp_path.iterdir()) == []
    assert "error" in capfd.readouterr().err


def test_what_many_terms_share_is_expanded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    visited = []
    visit = integrands.IndexExpander.visit
    monkeypatch.setattr(
        integrands.IndexExpander, "visit", lambda self, o: visited.append(o) or visit(self, o)
    )
    mesh = ufl.Mesh(basix.ufl.element("P", "quadrilateral", 1, shape=(2,)))
    x = ufl.SpatialCoordinate(mesh)[0]
    for _ in range(12):  # as a tree it has 2^12 leaves
        x = ufl.exp(x) * x
    integrands._lowered(x * ufl.dx(mesh))
    assert 12 < len(visited) < 100
