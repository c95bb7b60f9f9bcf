"""What is measured on an accepted step: currents, powers, balances, gap, fields on the grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from dolfinx import fem

from devicephys.device import Device
from devicephys.fem.equations import SIGMA_SCALE, CellProblem, State
from devicephys.fem.fluxes import CONCENTRATION
from devicephys.fem.grid_fields import collect_cells, collect_nodes, end_fields
from devicephys.fem.mesh import LENGTH, Grid
from devicephys.fem.newton import POWER_FLOOR
from devicephys.fem.stepper import Step

#: balances of current are relative to at least this, a hundred-thousandth of a switching cell's
#: current: at the zero of the voltage there is none to compare with (A)
CURRENT_FLOOR = 1e-9


@dataclass(frozen=True)
class Observation:
    """Figures of one accepted step, in SI units; balances are relative."""

    time: float
    step_size: float
    voltage: float
    device_voltage: float
    current: float
    temperature_max: float
    joule_power: float
    vacancy_total: float
    vacancy_imbalance: float
    current_imbalance: float
    energy_imbalance: float
    filament_gap: float
    newton_iterations: int


def electric_work(before: tuple[float, float], after: tuple[float, float], length: float) -> float:
    """Energy [J] of a time step from voltages [V] and currents [A] before and after.

    Both go linearly in between: on a flank from zero the trapezoids of their product would be half
    too large.
    """
    (v0, i0), (v1, i1) = before, after
    return length * (2 * v0 * i0 + 2 * v1 * i1 + v0 * i1 + v1 * i0) / 6


class Observer:
    """Measures steps of one problem; remembers how many vacancies there should be.

    That is the initial inventory less what was exchanged with the surroundings, if anything is.

    All sums use the same discrete fluxes that were solved: the current through a contact is the
    residual of the potential equation summed over the contact's nodes, the heat through the outer
    boundary that of the heat equation over the nodes held at T0.
    """

    def __init__(self, problem: CellProblem, initial: State):
        self.problem = problem
        self.inventory = self._before = self._inventory(initial.n)
        self._axis = _AxisGap(problem.device, problem.grid, problem)

    def _inventory(self, n: np.ndarray) -> float:
        problem = self.problem
        return problem.sum(problem.cell_volume @ n)[0] * CONCENTRATION

    def resume(self, inventory: float, state: State) -> None:
        """Go on from a state that should hold an inventory. Collective."""
        self.inventory, self._before = inventory, self._inventory(state.n)

    def _exchange(self, step: Step, inventory: float) -> None:
        """Count what a step gave to the surroundings. Collective."""
        # n - n_h = -g (div N + k (n - n_0)): what came and went until the step before lies in n_h
        lost = step.gamma_dt * self.problem.exchange_rate()
        self.inventory += self._inventory(step.n_hist) - self._before - lost
        self._before = inventory

    def gap(self, state: State) -> float:
        """Filament gap of a state in m. Collective."""
        return self._axis.gap(state)

    def fields(self, state: State) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """As `gather_fields`. Collective."""
        return gather_fields(self.problem, state)

    def end(self, state: State) -> np.ndarray:
        """``end_concentration`` of a record whose last state this is. Collective."""
        return end_fields(self.problem, state)["end_concentration"]

    def observe(self, step: Step, power_floor: float = POWER_FLOOR) -> Observation:
        """Figures of a step just accepted (its fields still loaded in the problem). Collective.

        The energy imbalance is relative to at least ``power_floor`` (W).
        """
        problem, state, raw = self.problem, step.state, step.report.raw
        assert raw is not None
        circumference = 2 * np.pi * LENGTH
        # The rate is that of the time formula, not (T - T_old)/h: with any other one the balance
        # would show an error that the solved equations do not have.
        u_change = (state.u - step.u_hist)[1::2] / step.gamma_dt
        inflow, outflow, heat_out, stored, joule, inventory = problem.sum(
            problem.current_vector @ state.u,
            # residuals of rows whose value is held are the fluxes that hold it
            -circumference * SIGMA_SCALE * raw[problem.bottom_v].sum(),
            -circumference * raw[problem.cold_t].sum(),
            problem.heat_capacity_vector[1::2] @ u_change,
            circumference * fem.assemble_scalar(problem.joule_form),
            problem.cell_volume @ state.n * CONCENTRATION,
        )
        if problem.exchange_form is not None:
            self._exchange(step, inventory)
        hottest = problem.maximum(state.u[1::2].max() if state.u.size else 0.0)[0]
        electric = inflow * state.contact
        return Observation(
            time=step.time,
            step_size=step.step_size,
            voltage=step.applied,
            device_voltage=state.contact,
            current=inflow,
            temperature_max=hottest,
            joule_power=joule,
            vacancy_total=inventory,
            vacancy_imbalance=abs(inventory - self.inventory) / self.inventory,
            current_imbalance=abs(inflow - outflow) / max(abs(inflow), CURRENT_FLOOR),
            energy_imbalance=abs(electric - heat_out - stored) / max(abs(electric), power_floor),
            filament_gap=self._axis.gap(state),
            newton_iterations=step.report.iterations,
        )


class _AxisGap:
    """Height on the axis, inside the filament, where n is below half of its initial value."""

    def __init__(self, device: Device, grid: Grid, problem: CellProblem):
        filament = device.filament
        index = [layer.name for layer in device.layers].index(filament.layer)
        rows, columns = (i[: problem.nc] for i in problem.cell_index)
        floor = sum(layer.thickness for layer in device.layers[:index])
        inside = grid.z_centre[rows] < floor + filament.height
        self.cells = np.flatnonzero((grid.layer[rows] == index) & (columns == 0) & inside)
        self.heights = np.diff(grid.z)[rows[self.cells]]
        self.half = 0.5 * filament.concentration / CONCENTRATION
        self.problem = problem

    def gap(self, state: State) -> float:
        # cells of the axis, not one connected gap: a filament may open in two places
        empty = state.n[self.cells] < self.half
        return self.problem.sum(float(self.heights[empty].sum()))[0]


def gather_fields(problem: CellProblem, state: State) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fields of a state on the whole grid, on every rank. Collective.

    Returns the vacancy concentration [1/m^3], shape (nz, nr), NaN in conductors, and the
    temperature [K] and the potential [V], shape (nz + 1, nr + 1).
    """
    potential, temperature = collect_nodes(problem, state.u)
    oxide = np.broadcast_to(problem.oxide_rows[:, None], problem.grid.volume.shape)
    concentration = collect_cells(problem, state.n) * CONCENTRATION
    return np.where(oxide, concentration, np.nan), temperature, potential
