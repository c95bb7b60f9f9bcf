"""Equal pulses in stress time: one flat top with sampled reads instead of pulse after pulse.

Between cold rests the vacancies know only how long the voltage was on. A train of equal pulses is
therefore one flat top, hot from its first instant, cut into pieces: the n-th pulse ends after the
stress time n (width + credit). The *credit* is what the flanks of a pulse add to its flat top, or
take from it because the cell is still warming up. It is never fitted to an answer: one pulse is
simulated in full from a state of the flat top, flanks, rest and read included, and compared with a
flat top of the same width from the same state. The distance of the two concentrations along the
direction in which the flat top moves is the credit; what is left across it, and the difference of
the two conductances, is the *miss*. Such a control is made at the start, whenever the conductance
has changed by the factor `CONTROL`, and at the end; between controls the credit goes linearly.
Where a control misses, the train goes on pulse by pulse.

Reads are solved with the vacancies held, as the steady potential and temperature at the read
voltage: they move nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from typing import Any

import numpy as np
from scipy.integrate import cumulative_trapezoid
from scipy.interpolate import PchipInterpolator

from devicephys.fem.equations import CellProblem, State
from devicephys.fem.fluxes import CONCENTRATION
from devicephys.fem.grid_fields import collect_state, spread_state
from devicephys.fem.newton import NewtonSolver
from devicephys.fem.observables import Observer, electric_work
from devicephys.fem.pulses.stepper import FlatTop, FlatTopStepper, Memory, PulseStepper
from devicephys.fem.staggered import SteadyFields
from devicephys.fem.stepper import Position, Step
from devicephys.protocol.pulse_train import PulseTrain
from devicephys.protocol.waveform import Waveform

#: the local error allowed on the flat top, and in controls, as shares of that of single pulses:
#: errors of a long run add up, and a control stands for all pulses around it
TIGHTER, TIGHTEST = 0.1, 0.03
#: Newton's tolerance as a share of that of single pulses: a credit is a small difference of two
#: small movements
NEWTON = 0.1
#: a control after every factor of this size in the conductance
CONTROL = math.e
#: what a control may miss, as a share of what its pulse moved (concentration) and of the
#: conductance, and what may move after the pulse: beyond, pulses are simulated one by one
LARGEST_MISS, LARGEST_READ_MISS, LARGEST_REST = 0.03, 5e-3, 1e-2
#: share of the width that the first step of a flat top takes, before its error is known
FIRST_SHARE = 0.1
#: the flat top runs this much beyond the last pulse, whose credit is not known yet
MARGIN = 1.02
#: a movement (square of 1e21 cm^-3, times a volume in m^3) that is as good as none
TINY = 1e-60


@dataclass(frozen=True)
class Control:
    """A pulse simulated in full from a state of the flat top.

    ``position`` counts the pulses before it; ``credit`` [s] and ``energy`` [1] (energy of the pulse
    over that of its flat top) are what it teaches; ``miss``, ``read_miss`` and ``rest`` are shares,
    see `LARGEST_MISS`.
    """

    position: float
    credit: float
    energy: float
    miss: float
    read_miss: float
    rest: float

    @property
    def holds(self) -> bool:
        """Whether the flat top may stand for pulses here."""
        small = self.miss <= LARGEST_MISS and self.rest <= LARGEST_REST
        return small and abs(self.read_miss) <= LARGEST_READ_MISS


#: what is kept of each step along the flat top: pulses so far, logarithm of the conductance [S],
#: energy of the pulses so far [J], figures and balances of the step, its work
MEASURED = ("device_voltage", "current", "temperature_max", "filament_gap")
BALANCES = ("vacancy_imbalance", "current_imbalance", "energy_imbalance")
WORK = ("accepted_steps", "rejected_steps", "newton_iterations", "factorisations")
ROW = ("position", "log_conductance", "energy", *MEASURED, *BALANCES, *WORK)
_COLUMN = {name: k for k, name in enumerate(ROW)}
_WORK = slice(_COLUMN[WORK[0]], None)


class StressTrain:
    """A stretch of equal pulses of a train, computed from control to control.

    Parameters
    ----------
    problem : CellProblem
        The cell.
    stepper : PulseStepper
        The stepper of single pulses; its statistics are used, its limits made tighter.
    observer : Observer
        Measures steps.
    train : PulseTrain
        The train.
    first, count : int
        The first pulse of the stretch, from 0, and how many there are.
    """

    def __init__(
        self,
        problem: CellProblem,
        stepper: PulseStepper,
        observer: Observer,
        train: PulseTrain,
        first: int,
        count: int,
    ):
        self.problem, self.observer, self.train = problem, observer, train
        problem.series = problem.device.series.pulsed(train.drive, train.gate_voltage)
        self.first, self.count = first, count
        self.amplitude = float(train.amplitudes[first])
        self.width = float(train.widths[first])
        top, control = (
            replace(stepper.limits, concentration=share * stepper.limits.concentration)
            for share in (TIGHTER, TIGHTEST)
        )
        solver = NewtonSolver(
            problem, NEWTON * stepper.solver.tolerance, stepper.solver.max_iterations, frugal=True
        )
        self._pulses = PulseStepper(problem, solver, control)
        self._flat = FlatTopStepper(problem, solver, top)
        self.statistics = stepper.statistics
        self._pulses.statistics = self._flat.statistics = self.statistics
        self._steady = SteadyFields(problem)
        self._reading: State | None = None
        self._expected = observer.inventory
        self.rows = np.empty((0, len(ROW)))
        self.controls: list[Control] = []
        #: where the latest segment that was believed ended, and the next one begins
        self.top: FlatTop | None = None
        #: the cold cell after the whole pulses that are done
        self.whole: State | None = None
        #: whether the stretch is through, or was left because a control or a step failed
        self.ended = False

    @property
    def done(self) -> int:
        """Whole pulses of the stretch that are computed."""
        return min(self.count, int(self.rows[-1, 0] * (1 + 1e-12))) if len(self.rows) else 0

    @property
    def written(self) -> State | None:
        """Hot fields of the latest segment that was believed."""
        return self.top.hot if self.top is not None else None

    # -- segments ---------------------------------------------------------------------------

    def begin(self, cold: State) -> None:
        """Make the first control, from a cold state. Collective.

        Raises
        ------
        SolverError
            A step or a read fails.
        """
        before = self._work()
        conductance = self.read(cold.n)
        control, top = self._control(cold)
        self.controls.append(control)
        self.whole = cold
        if not control.holds:
            self.ended = True
            return
        hot, self.top = top.hot, top
        (hottest,) = self.problem.maximum(hot.u[1::2].max(initial=0.0))
        measured = [hot.contact, self.problem.current(hot.u), hottest, self.observer.gap(hot)]
        row = [0.0, math.log(conductance), 0.0, *measured, 0.0, 0.0, 0.0]
        self.rows = np.array([[*row, *(self._work() - before)]])

    def segment(self) -> None:
        """Follow the flat top to the next control, and make it. Collective.

        Raises
        ------
        SolverError
            A step or a read fails.
        """
        top, control, start = self.top, self.controls[-1], float(self.rows[-1, 0])
        assert top is not None
        self._expected = self.observer.inventory
        left, pulse = self.count - start, self.width + control.credit
        reference = self.rows[-1, _COLUMN["log_conductance"]]
        rows, times, fillings = [], [0.0], [top.hot.n]
        powers = [self._power(top.hot)]
        before = self._work()
        for step in self._along(top, 2.0 * left * pulse):
            seen = self.observer.observe(step)
            times.append(step.time)
            fillings.append(step.state.n)
            powers.append(self._power(step.state))
            logarithm = math.log(self.read(step.state.n))  # last: it loads fields of its own
            work = self._work()
            measured = [getattr(seen, name) for name in (*MEASURED, *BALANCES)]
            rows.append([0.0, logarithm, 0.0, *measured, *(work - before)])
            top, before = top.after(step, self._following), work
            far = abs(logarithm - reference) >= math.log(CONTROL)
            if far or step.time >= MARGIN * left * pulse:
                break
        hot = top.hot
        end, _ = self._control(self._cooled(hot.n), top)
        new = np.array(rows)
        new[-1, _WORK] += self._work() - before
        position = self._place(new, np.array(times), np.array(powers), control, end)
        self.controls.append(replace(end, position=position[-1]))
        if not end.holds:
            # what lies between the two controls is not believed: back to the last whole pulse
            whole = math.ceil(start)
            if whole > start:
                last = _between(position, [self.rows[-1], *new], whole)
                last[0], last[_WORK] = whole, new[new[:, 0] >= whole, _WORK].sum(axis=0)
                self.rows = np.concatenate([self.rows, new[new[:, 0] < whole], [last]])
            self._end(_between(position, fillings, whole), hot)
            return
        self.rows, self.top = np.concatenate([self.rows, new]), top
        filling = _between(position, fillings, self.done)
        self.whole = self._cooled(filling)
        if position[-1] >= self.count:
            self._end(filling, hot)

    def give_up(self) -> None:
        """End the stretch where its last segment began, on the last whole pulse. Collective."""
        assert self.whole is not None and self.top is not None
        self.observer.inventory = self._expected
        self._end(self.whole.n, self.top.hot)

    def _along(self, top: FlatTop, length: float) -> Iterator[Step]:
        """Steps along a flat top, whose times begin at 0."""
        self._flat.solver.forget()
        corners = np.array([0.0, length])
        waveform = Waveform.from_si(corners.tolist(), [self.amplitude] * 2)
        past = [(time - top.past[0][0], state) for time, state in top.past]
        return self._flat.resume(past, Position(1, top.step, 0), waveform.voltage, corners)

    @property
    def _following(self) -> float:
        """Length of the step after the latest one of the flat top [s]."""
        assert self._flat.position is not None
        return self._flat.position.step

    def _place(
        self, new: np.ndarray, times: np.ndarray, powers: np.ndarray, begin: Control, end: Control
    ) -> np.ndarray:
        """Pulses at the instants ``times`` of a segment, its beginning included.

        Written into the rows, and with them the energy of the pulses so far.
        """
        last = self.rows[-1]
        logarithms = np.concatenate([[last[1]], new[:, 1]])
        way = logarithms[-1] - logarithms[0]
        # the credit follows the state of the cell, or the time where that hardly changes
        share = (logarithms - logarithms[0]) / way if abs(way) > 0.05 else times / times[-1]
        share = np.clip(share, 0.0, 1.0)
        pulse = self.width + begin.credit + share * (end.credit - begin.credit)
        energy = begin.energy + share * (end.energy - begin.energy)
        position = last[0] + cumulative_trapezoid(1.0 / pulse, times, initial=0.0)
        each = self.width * energy * powers  # energy of one pulse
        spent = last[_COLUMN["energy"]] + cumulative_trapezoid(each, position, initial=0.0)
        new[:, 0], new[:, _COLUMN["energy"]] = position[1:], spent[1:]
        return position

    # -- one pulse in full ------------------------------------------------------------------

    def _control(self, cold: State, at: FlatTop | None = None) -> tuple[Control, FlatTop]:
        """Simulate a pulse in full from a cold state, and its flat top. Collective.

        ``at`` is the place on the flat top with the concentrations of the cold state, returned.
        """
        problem, volume = self.problem, self.problem.cell_volume
        waveform = self.train.pulse(self.first)
        corners = waveform.corners
        memory = self._pulses.memory
        self._pulses.memory = Memory(moved=memory.moved, largest=memory.largest)
        top, fallen, after, conductance = None, cold, cold, 0.0
        energy, driven, last = 0.0, (0.0, 0.0), 0.0
        for step in self._pulses.run_pulse(cold, waveform, soft=(corners[5], corners[7])):
            after = step.state
            current = self.problem.current(after.u)
            if step.time <= corners[3]:
                work_at = self._reported(after, step.applied), current
                energy += electric_work(driven, work_at, step.time - last)
                driven, last, fallen = work_at, step.time, after
            if step.time == corners[2]:
                top = after
            if step.time == corners[6]:
                conductance = current / self.train.read_voltage
        assert top is not None
        if at is None:
            hot = State(top.u.copy(), cold.n.copy(), top.contact)
            self._steady.find(hot, self.amplitude)
            at = FlatTop([(0.0, hot)], FIRST_SHARE * self.width)
        flat, before, work, power = at.hot, at.hot, 0.0, self._power(at.hot)
        # two steps or more: the last one has the direction of the end
        for step in self._along(replace(at, step=min(at.step, 0.5 * self.width)), self.width):
            before, flat = flat, step.state
            now = self._power(flat)
            work += 0.5 * (power + now) * step.step_size
            power, size = now, step.step_size
        # along the way of the flat top the difference of the two is time, across it a miss
        rate = (flat.n - before.n) / size
        moved, difference = after.n - cold.n, after.n - flat.n
        along, speed = problem.sum(volume @ (difference * rate), volume @ rate**2)
        credit = along / speed if speed else 0.0
        across = difference - credit * rate
        squares = problem.sum(
            volume @ moved**2, volume @ across**2, volume @ (after.n - fallen.n) ** 2
        )
        total = max(squares[0], TINY)
        read = self.read(np.clip(flat.n + credit * rate, 0.0, None))
        return (
            Control(
                position=0.0,
                credit=credit,
                energy=energy / work,
                miss=math.sqrt(squares[1] / total),
                read_miss=read / conductance - 1.0,
                # a line that is still charged is no rest either
                rest=max(math.sqrt(squares[2] / total), abs(after.contact / self.amplitude)),
            ),
            at,
        )

    # -- reads ------------------------------------------------------------------------------

    def read(self, filling: np.ndarray) -> float:
        """Conductance [S] of a cold cell with these concentrations at the read voltage. Collective.

        Raises
        ------
        SolverError
            Newton's method does not converge.
        """
        state = self._reading if self._reading is not None else self._cooled(filling)
        state.n = filling.copy()
        report = self._steady.find(state, self.train.read_voltage)
        self.statistics.newton_iterations += report.iterations
        self.statistics.factorisations += report.factorisations
        self._reading = state  # where the next read starts
        return self.problem.current(state.u) / self.train.read_voltage

    # -- what came out ----------------------------------------------------------------------

    def figures(self, first: int, last: int) -> list[dict[str, Any]]:
        """What each of the pulses ``first`` to ``last`` of the stretch (from 0, the last not
        included) did, by names of ``MEASURED``, ``BALANCES``, ``WORK`` and "conductance",
        "energy".
        """
        if last <= first:
            return []
        position = self.rows[:, 0]
        ends = np.arange(first, last + 1.0)
        # the last row may lie a rounding before the end of a whole pulse
        ends = np.minimum(ends, position[-1])

        def smooth(name: str) -> np.ndarray:
            return np.asarray(PchipInterpolator(position, self.rows[:, _COLUMN[name]])(ends))

        conductance = np.exp(smooth("log_conductance"))
        energy = np.diff(smooth("energy"))
        measured = {name: smooth(name) for name in MEASURED}
        result: list[dict[str, Any]] = []
        edges = np.searchsorted(position, ends, side="right")
        for k in range(last - first):
            # the steps that end in the pulse, or the one that it lies in
            inside = self.rows[edges[k] : edges[k + 1]]
            within = inside if len(inside) else self.rows[[min(edges[k], len(self.rows) - 1)]]
            values = {name: float(column[k + 1]) for name, column in measured.items()}
            hottest = measured["temperature_max"][k : k + 2].max()
            peaks = inside[:, _COLUMN["temperature_max"]]
            values["temperature_max"] = float(max(hottest, peaks.max(initial=0.0)))
            values |= {name: float(within[:, _COLUMN[name]].max()) for name in BALANCES}
            work = inside[:, _WORK].sum(axis=0)
            if first + k == 0:
                work = work + self.rows[0, _WORK]
            values |= dict(zip(WORK, map(int, work), strict=True))
            values |= {"conductance": float(conductance[k + 1]), "energy": float(energy[k])}
            result.append(values)
        return result

    # -- checkpoints ------------------------------------------------------------------------

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything a run needs to go on from here, the same on every rank. Collective."""
        arrays = {
            "stress_stretch": np.array([self.first, self.count]),
            "stress_rows": self.rows,
            "stress_controls": np.array([astuple(control) for control in self.controls]),
        }
        memory = self._pulses.memory
        arrays["stress_moved"] = np.array([memory.moved, memory.largest])
        states = {"whole": self.whole, "reading": self._reading}
        if self.top is not None:
            (now, states["hot"]), *older = self.top.past
            states |= {f"past_{k}": state for k, (_, state) in enumerate(older)}
            arrays["stress_times"] = np.array([self.top.step, *(time - now for time, _ in older)])
        for name, state in states.items():
            if state is not None:
                arrays |= collect_state(self.problem, state, f"stress_{name}_")
        return arrays

    def restore(self, arrays: Mapping[str, Any]) -> None:
        """Go back to what ``arrays`` put away.

        Raises
        ------
        KeyError
            The arrays are of another stretch.
        IndexError
            The arrays are of another grid.
        """
        self.rows = np.asarray(arrays["stress_rows"], dtype=float).reshape(-1, len(ROW))
        self.controls = [Control(*map(float, row)) for row in arrays["stress_controls"]]
        # checkpoints of earlier versions begin a segment without a history
        step, *times = map(float, arrays.get("stress_times", (FIRST_SHARE * self.width,)))
        names = ["whole", "reading", "hot", *(f"past_{k}" for k in range(len(times)))]
        self.whole, self._reading, *past = (
            spread_state(self.problem, dict(arrays), f"stress_{name}_") for name in names
        )
        self.top = FlatTop(list(zip([0.0, *times], past, strict=True)), step)
        self.observer.resume(self.observer.inventory, self.top.hot)
        moved, largest = map(float, arrays.get("stress_moved", (np.inf, 0.0)))
        self._pulses.memory = Memory(moved=moved, largest=largest)

    def _reported(self, state: State, applied: float) -> float:
        """The voltage that goes into the record: of a current limit that behind it."""
        return state.contact if self.problem.series.kind == "compliance" else applied

    def _power(self, hot: State) -> float:
        return self._reported(hot, self.amplitude) * self.problem.current(hot.u)

    def _end(self, filling: np.ndarray, hot: State) -> None:
        """End with the cell at rest after the last whole pulse, which may be before the hot state.

        Collective.
        """
        self.whole, self.ended = self._cooled(filling), True
        volume = self.problem.cell_volume
        # what was exchanged with the surroundings in between is taken back
        between = self.problem.sum(volume @ (filling - hot.n))[0] * CONCENTRATION
        self.observer.resume(self.observer.inventory + between, self.whole)

    def _cooled(self, filling: np.ndarray) -> State:
        u = np.zeros(self.problem.nu)
        u[1::2] = self.problem.device.ambient_temperature
        return State(u, filling.copy(), 0.0)

    def _work(self) -> np.ndarray:
        counted = self.statistics
        return np.array(
            [counted.steps, counted.rejected, counted.newton_iterations, counted.factorisations]
        )


def _between(
    position: Sequence[float] | np.ndarray, values: Sequence[np.ndarray], at: float
) -> np.ndarray:
    """Values at a position between those at ``position``, linearly."""
    k = int(np.clip(np.searchsorted(position, at), 1, len(position) - 1))
    share = np.interp(at, position[k - 1 : k + 1], [0.0, 1.0])
    return (1.0 - share) * values[k - 1] + share * values[k]
