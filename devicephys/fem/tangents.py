"""Derivatives of a simulation with respect to parameters of its device, carried from step to step.

An accepted step solves F(x, p) = 0 for the fields x at its end, where F holds the equations, the
boundary rows, the load line and, through the time formula, the fields of earlier steps. With x the
tangent dx/dp follows from

    dF/dx dx/dp = -dF/dp

in which dF/dp is taken at fixed x and moves p together with the earlier fields, along their own
tangents. One factorisation a step serves all parameters. dF/dp is a central difference of the
assembled residual itself, of all that a parameter touches: laws, initial state, series element and,
for a length, the mesh, whose nodes move with it. So a new term of the equations needs nothing here.

The lengths of the steps are taken as given. The tangents are those of the discrete solution on the
grid of times that the run chose, which is what differences of two runs on that grid give.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from ddkbase.errors import InputError
from ddkbase.units import exact_text
from devicephys.device import Device
from devicephys.device.entries import checked_parameters, parameter_value
from devicephys.device.series import SeriesElement
from devicephys.fem.equations import CellProblem, State
from devicephys.fem.linear import linear_system
from devicephys.fem.mesh import Grid
from devicephys.fem.stepper import Step, Stepper, reach_of, top_of

#: change of the logarithm of a parameter in a difference of residuals: truncation, its square times
#: (Ea/kB T)^2, and rounding, 1e-16 over it, both stay below 1e-7
CHANGE = 1e-5
#: weights of the first derivative at multiples of the change: both sides, or one
_CENTRAL = {1: 0.5, -1: -0.5}
_BELOW = {0: 1.5, -1: -2.0, -2: 0.5}
_ABOVE = {0: -1.5, 1: 2.0, 2: -0.5}


class _Variant:
    """What differs in a problem when its device is a slightly different one."""

    def __init__(self, problem: CellProblem, device: Device, grid: Grid) -> None:
        other = CellProblem(device, grid, problem.comm, problem.terms, compiled=False)
        same = all(np.array_equal(a, b) for a, b in zip(
            (*problem.cell_index, *problem.node_index), (*other.cell_index, *other.node_index),
            strict=True,
        ))  # fmt: skip
        if not same:
            raise InputError("the mesh changes its lines", "sensitivities")
        self.device = device
        self.attributes = {"device": device, "grid": grid, "cell_volume": other.cell_volume}
        self.moved: list[tuple[np.ndarray, np.ndarray]] = []
        for mine, theirs in zip(_numbers(problem), _numbers(other), strict=True):
            if not np.array_equal(mine, theirs):
                self.moved.append((mine, theirs.copy()))
        with _swapped(problem, self):
            self.attributes["current_vector"] = problem.current_functional()


def _numbers(problem: CellProblem) -> list[np.ndarray]:
    """Every array that the forms of a problem read, but for state, history and time."""
    changing = {id(x) for x in (problem.u, problem.u_hist, problem.n, problem.n_hist)}
    changing |= {id(problem.gamma_dt), id(problem.time)}
    forms: list[Any] = [form for form in problem.written if form is not None]
    constants = {c.count(): c for form in forms for c in form.constants()}
    functions = {f.count(): f for form in forms for f in form.coefficients()}
    arrays = [problem.mesh.geometry.x]
    # in the order in which they were made, which is the same for every device of these layers
    arrays += [constants[k].value for k in sorted(constants) if id(constants[k]) not in changing]
    arrays += [functions[k].x.array for k in sorted(functions) if id(functions[k]) not in changing]
    return arrays


@contextmanager
def _swapped(problem: CellProblem, variant: _Variant | None) -> Iterator[None]:
    """The problem as that of another device, within the block."""
    if variant is None:
        yield
        return
    attributes = {name: getattr(problem, name) for name in (*variant.attributes, "series")}
    arrays = [mine.copy() for mine, _ in variant.moved]
    try:
        for name, value in variant.attributes.items():
            setattr(problem, name, value)
        for mine, theirs in variant.moved:
            mine[...] = theirs
        yield
    finally:
        for name, value in attributes.items():
            setattr(problem, name, value)
        for (mine, _), value in zip(variant.moved, arrays, strict=True):
            mine[...] = value


@dataclass(frozen=True)
class _Stencil:
    """Weight and variant at each multiple of ``CHANGE`` of the logarithm of a parameter, and the
    derivative of the largest concentration that a cell may hold."""

    points: dict[int, tuple[float, _Variant | None]]
    top_rate: float


@dataclass(frozen=True)
class _History:
    """Tangent of g, (V, T)_h and n_h of the time formula."""

    gamma_dt: float
    u: np.ndarray
    n: np.ndarray


@dataclass(frozen=True)
class _Rates:
    """Residual with boundary rows, current [A] and imbalance of the load line [A], or rates."""

    residual: np.ndarray
    current: float
    imbalance: float


class Tangents:
    """Follows a stepper; ``parameters`` are the dotted paths of numbers of its device.

    ``grid_of`` makes the mesh of a device. All derivatives are with respect to the logarithm of
    (the magnitude of) a parameter.

    Raises
    ------
    InputError
        An unknown path, one that is no number of the cell, one that is zero.
    """

    def __init__(
        self, stepper: Stepper, parameters: Sequence[str], grid_of: Callable[[Device], Grid]
    ) -> None:
        self.stepper, self.problem = stepper, stepper.problem
        self.parameters = checked_parameters(stepper.problem.device, parameters, "sensitivities")
        self.stencils = [self._stencil(path, grid_of) for path in self.parameters]
        # factors of its own, so that those and the steps of the stepper stay what they are
        self.linear = linear_system(self.problem, apart=True)
        self.drive(lambda device: device.series.swept())

    def drive(self, series: Callable[[Device], SeriesElement]) -> None:
        """Say what stands in series from now on: of the problem's device, so of its variants."""
        self._series, self._of_variant = series, dict[int, SeriesElement]()

    def _series_of(self, variant: _Variant) -> SeriesElement:
        key = id(variant)
        if key not in self._of_variant:
            self._of_variant[key] = self._series(variant.device)
        return self._of_variant[key]

    def _stencil(self, path: str, grid_of: Callable[[Device], Grid]) -> _Stencil:
        """Variants on both sides of a parameter; at a bound that it stands at, on one side."""
        device = self.problem.device
        unit, value = device.provenance[path].unit, parameter_value(device, path)

        def at(multiple: int) -> tuple[_Variant | None, float]:
            moved = value * np.exp(multiple * CHANGE)
            changed = device.with_({path: exact_text(moved, unit)}) if multiple else device
            variant = _Variant(self.problem, changed, grid_of(changed)) if multiple else None
            return variant, top_of(changed.vacancy)

        for weights in (_CENTRAL, _BELOW, _ABOVE):
            try:
                points = {k: (w / CHANGE, *at(k)) for k, w in weights.items()}
            except InputError as error:
                refused = error
                continue
            # infinite where nothing bounds the concentration
            rate = sum(w * top for w, _, top in points.values() if np.isfinite(top))
            return _Stencil({k: (w, variant) for k, (w, variant, _) in points.items()}, rate)
        raise InputError(
            f"has no derivative here: {refused.what}", f"sensitivities, {path}", refused.hint
        )

    def start(self, initial: State) -> None:
        """Give an initial state its tangents. Collective."""
        initial.tangents = tuple(self._initial(stencil) for stencil in self.stencils)

    def _initial(self, stencil: _Stencil) -> State:
        total = State(np.zeros(self.problem.nu), np.zeros(self.problem.nc), 0.0)
        for weight, variant in stencil.points.values():
            with _swapped(self.problem, variant):
                state = self.problem.initial_state()
            total.u += weight * state.u
            total.n += weight * state.n
        return total

    def follow(self, step: Step) -> np.ndarray:
        """Tangents of an accepted step, kept in its state; dI/d ln p [A], shape (parameters,).

        The step is the latest that the stepper has made. Collective.
        """
        problem, state = self.problem, step.state
        problem.load(state)
        problem.load_history(step.u_hist, step.n_hist, step.gamma_dt, step.time)
        self.linear.renew()
        tied = problem.series.kind != "none"
        answer = self.linear.solve(problem.top_indicator) if tied else None
        tangents, slopes = [], np.empty(len(self.stencils))
        for k, stencil in enumerate(self.stencils):
            rates = self._rates(step, k, stencil)
            moved = self.linear.solve(-rates.residual)
            along = problem.current(moved[: problem.nu])
            contact = 0.0
            if answer is not None:
                across = problem.current(answer[: problem.nu])
                slope = across + problem.load_line(step.applied, state.contact)[1]
                contact = -(along + rates.imbalance) / slope
                moved += answer * contact
                along += across * contact
            tangents.append(State(moved[: problem.nu], moved[problem.nu :], contact))
            slopes[k] = along + rates.current
        problem.load_history(step.u_hist, step.n_hist, step.gamma_dt, step.time)
        state.tangents = tuple(tangents)
        for _, older in step.past[1:]:
            older.tangents = ()  # the time formula looks back over two states
        return slopes

    def _rates(self, step: Step, k: int, stencil: _Stencil) -> _Rates:
        """How the equations of a step change with parameter k while its fields stay."""
        residual = np.zeros(self.problem.nu + self.problem.nc)
        current = imbalance = 0.0
        history = self._history(step, k, stencil.top_rate)
        for multiple, (weight, variant) in stencil.points.items():
            with _swapped(self.problem, variant):
                if variant is not None:
                    self.problem.series = self._series_of(variant)
                there = self._equations(step, history, multiple * CHANGE)
            residual += weight * there.residual
            current += weight * there.current
            imbalance += weight * there.imbalance
        return _Rates(residual, current, imbalance)

    def _equations(self, step: Step, history: _History, change: float) -> _Rates:
        """The equations of a step after its history moved along its own tangent."""
        problem, state = self.problem, step.state
        problem.load_history(
            step.u_hist + change * history.u,
            step.n_hist + change * history.n,
            step.gamma_dt + change * history.gamma_dt,
            step.time,
        )
        rows = problem.constrain(problem.raw_residual(), state)
        current = problem.current(state.u)
        tied = problem.series.kind != "none"
        through = problem.load_line(step.applied, state.contact)[0] if tied else 0.0
        return _Rates(rows, current, current - through)

    def _history(self, step: Step, k: int, top_rate: float) -> _History:
        """Tangent of what ``Stepper._history`` gives; ``top_rate`` is that of n_max. Collective."""
        (start, old), tangent = step.past[0], step.past[0][1].tangents[k]
        if not step.share:
            return _History(0.0, tangent.u, tangent.n)
        problem, share = self.problem, step.share
        (before, older), earlier = step.past[1], step.past[1][1].tangents[k]
        h1 = start - before
        ratio = (step.time - start) / h1
        b = ratio**2 / (1 + 2 * ratio)
        trend, trend_rate = b * (old.n - older.n), b * (tangent.n - earlier.n)
        share_rate = 0.0
        if share < 1.0:
            # the cell that is empty or full first decides, wherever it is
            vacancy = problem.device.vacancy
            reach = reach_of(old.n, trend, vacancy)
            first = np.flatnonzero(reach == share)
            rates = -share * trend_rate[first] / trend[first]
            full = trend[first] > 0
            rates += np.where(full, top_rate - tangent.n[first], -tangent.n[first]) / trend[first]
            total, count = problem.sum(float(rates.sum()), float(len(first)))
            share_rate = total / count if count else 0.0
        u = tangent.u + share * b * (tangent.u - earlier.u) + share_rate * b * (old.u - older.u)
        n = self._inside(
            old.n + share * trend, tangent.n + share * trend_rate + share_rate * trend, top_rate
        )
        return _History(-share_rate * b * h1, u, n)

    def _inside(self, n: np.ndarray, rate: np.ndarray, top_rate: float) -> np.ndarray:
        """Tangent of ``Stepper._inside``. Collective."""
        top, volume = top_of(self.problem.device.vacancy), self.problem.cell_volume
        cut = np.clip(n, 0.0, top)
        cut_rate = np.where(n < 0.0, 0.0, np.where(n > top, top_rate, rate))
        added, total, added_rate, total_rate = self.problem.sum(
            volume @ (cut - n), volume @ cut, volume @ (cut_rate - rate), volume @ cut_rate
        )
        if not added:
            return cut_rate
        taken, taken_rate = added / total, (added_rate - added / total * total_rate) / total
        return cut_rate * (1.0 - taken) - cut * taken_rate
