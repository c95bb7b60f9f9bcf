"""Parts of the solver by themselves, on problems whose answers are known; no mesh is solved."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("mpi4py.MPI")  # before dolfinx
pytest.importorskip("dolfinx")

import ufl
from mpi4py import MPI

import devicephys
from ddkbase.errors import InputError
from devicephys.device.series import NoSeries
from devicephys.fem import observables
from devicephys.fem.equations import CellProblem, State, Terms, initial_concentration
from devicephys.fem.fluxes import exchange_rates
from devicephys.fem.mesh import LENGTH, make_grid
from devicephys.fem.newton import BALANCE, NewtonReport, NewtonSolver
from devicephys.fem.observables import Observer
from devicephys.fem.pulses.runner import PulseRunner
from devicephys.fem.pulses.stepper import COOLING, HEATING, PulseStepper
from devicephys.fem.stepper import FILL, Statistics, Step, StepLimits, Stepper
from devicephys.protocol.pulse_train import PulseTrain

pytestmark = pytest.mark.fem

SHIPPED = devicephys.load_device("tin-taox-hfox-tin")
Law = Callable[[float], float]


class Rates:
    """A cell of which the rates of n and T are given; stands for problem and solver."""

    extrapolates = True

    def __init__(self, n: Law, u: Law | None = None, cells: int = 1, **vacancy: Any) -> None:
        site = {"site_exclusion": False, "site_limit": np.inf, **vacancy}
        self.device = SimpleNamespace(
            vacancy=SimpleNamespace(**site), materials=SHIPPED.materials, ambient_temperature=300.0
        )
        self.rate_n, self.rate_u = n, u or (lambda t: 0.0)
        self.cell_volume, self.terms = np.ones(cells), Terms()
        self.series = NoSeries()

    def sum(self, *values: Any) -> tuple[float, ...]:
        return tuple(float(v) for v in values)

    maximum = sum

    def place_of_largest(self, change: State, which: str) -> None:
        return None

    def load_history(self, u: np.ndarray, n: np.ndarray, gamma_dt: float, end: float) -> None:
        self.history = u, n, gamma_dt, end

    def solve(self, guess: State, applied: float) -> NewtonReport:
        u, n, gamma_dt, end = self.history
        guess.n = n + gamma_dt * self.rate_n(end)
        guess.u = u.copy()
        guess.u[1::2] += gamma_dt * self.rate_u(end)
        return NewtonReport(converged=True, iterations=1)


def slope(law: Law) -> Law:
    """The derivative of a polynomial or another analytic function, by a complex step."""
    return lambda t: float(np.imag(law(t + 1e-30j)) / 1e-30)  # type: ignore[arg-type]


def state(n: float, temperature: float = 300.0) -> State:
    return State(np.array([0.0, temperature]), np.array([n]), 0.0)


def one_step(law: Law, times: list[float], end: float) -> tuple[Step, float]:
    """A step to ``end`` from exact values at ``times``, the latest first, and its true error."""
    problem = Rates(slope(law))
    limits = StepLimits(concentration=1.0, temperature=1e9)
    past = [(t, state(law(t))) for t in times]
    step = Stepper(problem, problem, limits)._attempt(past, end, lambda t: 0.0, kink=False)  # type: ignore[arg-type]
    assert isinstance(step, Step)
    return step, abs(step.state.n[0] - law(end))


@pytest.mark.parametrize("h", [0.5, 1.0, 1.7])
def test_the_estimated_error_of_a_step_is_the_true_one(h: float) -> None:
    """Of a parabola by implicit Euler and of a cubic by BDF2 the estimate is exact."""
    first, error = one_step(lambda t: 5 + t**2, [0.0], 0.1 * h)  # from rest
    assert first.error == pytest.approx(error, rel=1e-9) and error > 1e-3
    third, error = one_step(lambda t: 5 + t**3, [1.0, 0.9, 0.75], 1.0 + 0.1 * h)
    assert third.error == pytest.approx(error, rel=1e-9) and error > 1e-4
    # with two past states only: from above, and not by more than the term of Euler's method
    second, error = one_step(lambda t: 5 + t**2 + t**3, [1.0, 0.9], 1.0 + 0.1 * h)
    assert error < second.error < 0.5 * (2 + 6 * 1.2) * (0.1 * h) ** 2


def test_the_temperature_s_error_counts_by_its_own_tolerance() -> None:
    problem = Rates(lambda t: 0.0, slope(lambda t: 40 * t**2))
    stepper = Stepper(problem, problem, StepLimits(temperature=5.0))  # type: ignore[arg-type]
    step = stepper._attempt([(0.0, state(1.0))], 0.1, lambda t: 0.0, kink=False)
    assert isinstance(step, Step)
    assert step.error == pytest.approx(40 * 0.1**2 / 5.0)


@pytest.mark.parametrize("n", [0.07, 0.5, 1.3])
def test_where_little_is_left_less_error_is_allowed(n: float) -> None:
    """The allowed error is a share of what a cell holds, from an empty cell's to all of it."""

    def law(t: float) -> float:
        return n + t**2 - 0.01  # ends at n

    problem = Rates(slope(law))
    errors = []
    for empty in (0.03, 1.0):
        limits = StepLimits(concentration=0.2, empty=empty)
        step = Stepper(problem, problem, limits)._attempt(  # type: ignore[arg-type]
            [(0.0, state(law(0.0)))], 0.1, lambda t: 0.0, kink=False
        )
        assert isinstance(step, Step)
        errors.append(step.error)
        held = step.state.n[0]
    assert errors[0] / errors[1] == pytest.approx(1 / min(1.0, 0.03 + held), rel=1e-12)


def run(tolerance: float) -> tuple[float, float, int]:
    """Error at the end of an adaptive run, the sum of the estimated ones, and its steps."""
    law = lambda t: 0.5 + 0.3 * np.tanh(8 * (t - 0.5))  # noqa: E731
    problem = Rates(slope(law))
    stepper = Stepper(problem, problem, StepLimits(concentration=tolerance))  # type: ignore[arg-type]
    steps = list(stepper.run(state(law(0.0)), lambda t: 0.0, np.array([0.0, 1.0]), 1e-3))
    estimated = sum(step.error for step in steps) * tolerance
    assert all(step.error <= 1 for step in steps)
    worst = max(abs(step.state.n[0] - law(step.time)) for step in steps)
    return worst, estimated, len(steps)


def test_adaptive_runs_keep_their_error_and_shrink_it_with_the_tolerance() -> None:
    runs = [run(tolerance) for tolerance in (4e-3, 1e-3, 2.5e-4)]
    for worst, estimated, _ in runs:
        assert 0.02 * estimated < worst <= estimated
    for coarse, fine in itertools.pairwise(runs):
        # locally third order: a quarter of the error costs 1.6 times the steps
        assert fine[0] < 0.6 * coarse[0]
        assert 1.3 < fine[2] / coarse[2] < 2.0


def test_with_any_share_of_bdf2_a_line_is_followed_and_the_error_is_known() -> None:
    # the first cell empties to where a full share of BDF2 would leave less than nothing
    def law(t: float) -> np.ndarray:
        return np.array([0.02 - 0.1 * (t - 0.3), 5 + t**2])

    def past_state(t: float) -> State:
        more = np.array([0.0 if t == 0.3 else 0.4, 0.0])
        return State(np.array([0.0, 300 + 100 * t]), law(t) + more, 0.0)

    problem = Rates(lambda t: np.array([0.0, 2 * t]), lambda t: 100.0, cells=2)  # type: ignore[arg-type, return-value]
    limits = StepLimits(concentration=1.0, temperature=1e9)
    stepper = Stepper(problem, problem, limits)  # type: ignore[arg-type]
    past = [(t, past_state(t)) for t in (0.3, 0.1)]
    g, u, n, share = stepper._history(past, 0.4)
    assert share == pytest.approx((0.02 + FILL) / (0.42 * 4 / 5))  # w = 2: b = 4/5
    assert u[1] + g * 100.0 == pytest.approx(370.0, rel=1e-13)
    assert n.min() >= 0
    step = stepper._attempt(past, 0.7, lambda t: 0.0, kink=False)
    assert isinstance(step, Step)
    error = abs(step.state.n[1] - law(0.7)[1])
    assert 0.1 < error <= step.error < 4 * error


# -- pulses -------------------------------------------------------------------------------------


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_a_wrong_temperature_counts_by_what_it_moves(sign: float) -> None:
    def error(applied: tuple[float, float], kink: bool, allowed: float) -> float:
        problem = Rates(lambda t: 0.0)
        stepper = PulseStepper(problem, problem, StepLimits(concentration=allowed))  # type: ignore[arg-type]
        past = [(2.0, state(0.5, 600.0)), (1.0, state(0.4, 500.0))]
        new = state(0.53, 800.0)
        pair = (sign * applied[0], sign * applied[1])
        return stepper._temperature_error(4.0, past, new, pair, 0.5, kink)

    barrier = SHIPPED.materials["HfOx"].diffusion_activation  # type: ignore[union-attr]
    for allowed in (1e-2, 1e-3):
        flat = error((2.0, 2.0), False, allowed)
        assert flat == pytest.approx(0.5 * 4 * barrier / (8.617333262e-5 * 800**2) * 0.03 / allowed)
        assert error((2.0, 1.0), True, allowed) == pytest.approx(COOLING * 0.1 * 0.5 / allowed)
        assert error((1.0, 2.0), True, allowed) == pytest.approx(HEATING * 0.03 / allowed)


@pytest.mark.parametrize("amplitude", ["-2 V", "1.5 V"])
def test_energy_of_a_pulse_is_that_of_its_voltage_and_current(amplitude: str) -> None:
    """A current linear in time through flanks and top: the integral of V I is known."""
    train = PulseTrain(amplitude, width="100 ns", count=1)
    waveform = train.pulse(0)
    corners = waveform.corners
    top = float(train.amplitudes[0])

    def current(time: float) -> float:  # ramps with V, then rises along the top
        share = np.clip((time - corners[1]) / (corners[2] - corners[1]), 0, 1)
        return 1e-4 * waveform.voltage(time) * (1 + share)

    times = np.unique(np.concatenate([corners[1:], np.linspace(corners[0], corners[3], 4000)[1:]]))

    class Fake(PulseRunner):
        def __init__(self) -> None:
            self.state, self.tangents = state(0.5), None
            series = NoSeries()
            self.problem = SimpleNamespace(  # type: ignore[assignment]
                series=series, device=SimpleNamespace(series=series)
            )
            self.stepper = SimpleNamespace(statistics=Statistics(), run_pulse=self.steps)  # type: ignore[assignment]
            self.observer = SimpleNamespace(observe=self.observe)  # type: ignore[assignment]

        def steps(self, *_: Any, soft: Any) -> Iterator[Any]:
            for time in times:
                applied = waveform.voltage(float(time))
                yield SimpleNamespace(time=float(time), applied=applied, state=self.state)

        def observe(self, step: Any, floor: float) -> Any:
            zeros = {f.name: 0.0 for f in dataclasses.fields(observables.Observation)}
            flow = current(step.time)
            return observables.Observation(**{**zeros, "voltage": step.applied, "current": flow})

    up, along, down = np.diff(corners[:4])
    wanted = 1e-4 * top**2 * (up / 3 + 1.5 * along + 2 * down / 3)
    assert Fake().pulse(train, 0).energy == pytest.approx(wanted, rel=1e-5)


# -- balances -----------------------------------------------------------------------------------


@pytest.mark.parametrize("miss", [-0.3, 0.3])
def test_a_balance_is_missed_by_as_much_in_either_direction(
    miss: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1 V drives 2 mA in; what comes out, as current and as heat, misses that by 30 %."""
    inflow = 2e-3
    scale = 2 * np.pi * LENGTH
    raw = np.array([-inflow * (1 - miss), -inflow * (1 - miss)]) / scale
    raw[0] /= observables.SIGMA_SCALE
    problem = SimpleNamespace(
        sum=lambda *values: tuple(float(v) for v in values),
        maximum=lambda *values: tuple(float(v) for v in values),
        current_vector=np.array([inflow, 0.0]),
        bottom_v=np.array([0]),
        cold_t=np.array([1]),
        heat_capacity_vector=np.zeros(2),
        cell_volume=np.ones(1),
        joule_form=None,
        exchange_form=None,
    )
    monkeypatch.setattr(observables.fem, "assemble_scalar", lambda form: 0.0)
    observer = object.__new__(Observer)
    observer.problem, observer._axis = problem, SimpleNamespace(gap=lambda s: 0.0)  # type: ignore[assignment]
    now = State(np.array([1.0, 300.0]), np.array([1.0]), 1.0)
    observer.inventory = observer._inventory(now.n) / (1 - miss)
    report = NewtonReport(converged=True, raw=raw)
    step = Step(1.0, 1.0, 1.0, now, report, 2, 0.0, 1.0, now.u, now.n, [], 0.0)
    seen = observer.observe(step)
    assert seen.current == pytest.approx(inflow)
    assert seen.current_imbalance == pytest.approx(0.3)
    assert seen.energy_imbalance == pytest.approx(0.3)
    assert seen.vacancy_imbalance == pytest.approx(0.3)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_newton_is_not_done_while_heat_is_missing_or_left_over(sign: float) -> None:
    power = 2e-3
    solver = object.__new__(NewtonSolver)
    solver.problem = SimpleNamespace(  # type: ignore[assignment]
        nu=4,
        sum=lambda *values: tuple(float(v) for v in values),
        current_vector=np.array([power, 0.0, 0.0, 0.0]),
        top_v=np.array([0]),
        cold_t=np.array([1]),
    )
    now = State(np.array([1.0, 300.0, 0.0, 300.0]), np.array([1.0]), 1.0)
    missing = sign * BALANCE * power / (2 * np.pi * LENGTH)
    for share, balanced in ((0.9, True), (1.1, False), (100.0, False)):
        raw = np.array([0.0, 5.0, 0.0, share * missing])  # what holds T0 is no part of the sum
        assert solver._balanced(raw, now, 0.0) is balanced


# -- the filament's wall ------------------------------------------------------------------------


@pytest.mark.parametrize("width", [1.0, 3.0])
def test_the_wall_is_as_wide_as_it_is_said_to_be(width: float) -> None:
    # without hops, whose length decides the rings at the wall
    wall, hops = {"filament.wall_width": f"{width} nm"}, {"vacancy.hop_dispersion": False}
    device = SHIPPED.with_(wall | hops)
    grid = make_grid(device, 0.5e-9, 0.02)
    row = int(np.flatnonzero(grid.layer == 1)[2])
    profile = initial_concentration(device, grid)[row]
    outside = SHIPPED.materials["HfOx"].initial_concentration  # type: ignore[union-attr]
    share = (profile - outside) / (device.filament.concentration - outside)
    radius = device.filament.radius
    x = (grid.r_centre - radius) / (width * 1e-9)
    np.testing.assert_allclose(share, 1 / (1 + np.exp(4 * x)), rtol=1e-6, atol=1e-9)
    # 88 % half a width inside of the radius, 12 % half a width outside
    inner, outer = np.interp([-0.5, 0.5], x, share)
    assert inner == pytest.approx(0.88, abs=0.01) and outer == pytest.approx(0.12, abs=0.01)


# -- lengths that are free ----------------------------------------------------------------------


def test_a_stretched_mesh_keeps_its_cells_and_its_edges() -> None:
    like = make_grid(SHIPPED, 0.05e-9, 0.25)
    moved = SHIPPED.with_({"filament.radius": "6.1 nm", "layers.HfOx.thickness": "11.3 nm"})
    grid = make_grid(moved, 0.05e-9, 0.25, like=like)
    assert grid.r.shape == like.r.shape and np.array_equal(grid.layer, like.layer)
    assert grid.r[grid.wall_line] == 6.1e-9
    edges = np.cumsum([0.0, *(layer.thickness for layer in moved.layers)])
    assert np.abs(grid.z[:, None] - edges).min(axis=0).max() < 1e-21
    assert np.diff(grid.r).min() > 0 and np.diff(grid.z).min() > 0
    free = make_grid(moved, 0.05e-9, 0.25)
    assert len(free.r) != len(like.r) or len(free.z) != len(like.z)


def test_no_mesh_of_a_cell_with_other_layers() -> None:
    own = make_grid(SHIPPED, 0.05e-9, 0.25)
    like = dataclasses.replace(own, layer=np.minimum(own.layer, 2))  # three layers
    with pytest.raises(InputError, match="mesh_of"):
        make_grid(SHIPPED, 0.05e-9, 0.25, like=like)


@pytest.mark.parametrize("radius", [8.7, 9.0, 9.6])
def test_exchange_acts_on_the_volume_outside_its_radius(radius: float) -> None:
    device = SHIPPED.with_({"filament.radius": f"{radius} nm"})
    grid = make_grid(device, 0.5e-9, 0.25, coarseness=1.5)
    problem = CellProblem(device, grid, MPI.COMM_SELF)
    there = problem._outside(9e-9, 1.0).x.array
    height, width = grid.z[-1], device.outer_radius
    volume = float(np.sum(there * problem.cell_volume))
    exact = np.pi * height * (width**2 - 9e-9**2)
    assert volume == pytest.approx(exact, rel=1e-9)


def test_exchange_follows_the_filament_or_stays_where_it_was_put() -> None:
    radii: list[float] = []

    def outside(radius: float, value: float) -> float:
        radii.append(radius)
        return value

    for share, radius in ((1.0, 0.0), (0.5, 8.0), (1.0, 8.0)):
        device = SHIPPED.with_(
            {
                "filament.radius": "7 nm",
                "materials.HfOx.exchange_inner_share": str(share),
                "materials.HfOx.exchange_inner_radius": f"{radius} nm",
            }
        )
        exchange_rates(device, 1.0, ufl.as_ufl(300.0), float, outside)
    assert radii[::2] == pytest.approx([7e-9, 8e-9, 8e-9], rel=1e-12)
