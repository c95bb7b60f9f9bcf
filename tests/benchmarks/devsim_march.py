"""The worker of ``devsim_loop.py``: a cell in DEVSIM along a voltage sweep.

``python devsim_march.py OUT`` reads the cell, the lines of its mesh, the sweep and the tolerances
as JSON from standard input, and writes time, voltage, current and peak temperature of every step
and counts as JSON to the file OUT. Needs NumPy and DEVSIM alone.

Each step is one of DEVSIM's own BDF2 with all unknowns in one Newton iteration. Which steps are
taken, from what Newton's method starts and what error is allowed is as in
``devicephys.fem.stepper``: the distance to a parabola through the last states, corners hit, a
failed step repeated at a quarter of its length.
"""

from __future__ import annotations

import json
import math
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import devsim
import numpy as np
from devsim_cell import CELL, CONTACT, KELVIN, SWITCH, VOLT, Cell

#: what the last update of an iteration may be: 0.1 mV, 1 K, 1e24 1/m^3. With the exact Jacobian
#: what is left behind it is of second order in that
UPDATE = 1e-3
#: Newton iterations of a step; those that announce that a longer step would fail
_ITERATIONS, _MANY = 12, 6
#: share of a step's error aimed at, largest growth, and steps of smaller growth after a failure
_SAFETY, _GROWTH, _CAUTION, _CAUTIOUS = 0.8, 2.0, 8, 1.25
_SHORTEST = 1e-15
#: concentrations down to minus this (1e27 1/m^3) in the history of BDF2 are let pass
_FILL = 1e-5

State = dict[str, np.ndarray]
Past = list[tuple[float, State]]


@dataclass
class March:
    """A cell along its sweep: DEVSIM's BDF2 with the steps of ``devicephys.fem.stepper``."""

    cell: Cell
    record: dict[str, list[float]] = field(
        default_factory=lambda: {name: [] for name in ("time", "voltage", "current", "temperature")}
    )
    iterations: int = 0
    rejected: int = 0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        vacancy = self.cell.about["vacancy"]
        self.limit = vacancy["site_limit"] / 1e27 if vacancy["site_exclusion"] else math.inf

    def run(self) -> None:
        """Follow the sweep to its end."""
        about = self.cell.about
        self._start()
        past = [(0.0, self.state())]
        self._note(0.0)
        step, caution = about["first_step"], 0
        for begin, end in zip(about["times"], about["times"][1:], strict=False):
            kink, caution = True, 0
            slope = abs(self._applied(end) - self._applied(begin)) / (end - begin)
            while past[0][0] < end:
                now = past[0][0]
                step = min(step, about["voltage_step"] / slope)
                left = end - now
                planned, until = step, now + step
                if left <= step * (1 + 1e-9):
                    until = end
                elif left < 2 * step:
                    until = now + left / 2
                h = until - now
                error, most, power = self._attempt(past, until, kink)
                if error <= 1.0:
                    past = [(until, self.state()), *past[:2]]
                    self._note(until)
                    kink = False
                    caution = max(0, caution - 1)
                    grown = _SAFETY * max(error, 1e-9) ** (-1.0 / power)
                    grown = min(max(grown, 0.3), _CAUTIOUS if caution else _GROWTH)
                    if most > _MANY:
                        grown = min(grown, 1.0)
                    step = max(planned, h * grown) if grown >= 1.0 else h * grown
                    continue
                self.rejected += 1
                self._restore(past)
                if math.isinf(error):
                    caution, step = _CAUTION, 0.25 * h
                else:
                    step = h * max(0.1, _SAFETY * error ** (-1.0 / power))
                if step < _SHORTEST:
                    raise RuntimeError(f"no step succeeds at {now:.6g} s")

    def state(self) -> State:
        """All unknowns, region behind region."""
        fields = {
            unknown: np.concatenate(
                [r.values(unknown) for r in self.cell.regions.values() if unknown in r.unknowns]
            )
            for unknown in "VTn"
        }
        contact = devsim.get_circuit_node_value(node=CONTACT, solution="dcop")
        return fields | {CONTACT: np.array([contact])}

    def _set(self, state: State) -> None:
        at = dict.fromkeys("VTn", 0)
        for region in self.cell.regions.values():
            size = len(region.values("x"))
            for unknown in region.unknowns:
                part = state[unknown][at[unknown] : at[unknown] + size]
                devsim.set_node_values(**region.at, name=unknown, values=part.tolist())
                at[unknown] += size
        contact = float(state[CONTACT][0])
        devsim.set_circuit_node_value(node=CONTACT, solution="dcop", value=contact)
        near = [contact, devsim.get_parameter(device=SWITCH, name="applied") / VOLT]
        devsim.set_node_values(device=SWITCH, region="channel", name="V", values=near)

    def _restore(self, past: Past) -> None:
        """Back to the last states, whose charges become those that DEVSIM goes on from."""
        for _, state in reversed(past[:2]):
            self._set(state)
            parts = devsim.get_matrix_and_rhs(format="csr")
            static, dynamic = (parts[name]["rhs"] for name in ("static", "dynamic"))
            devsim.set_initial_condition(static_rhs=static, dynamic_rhs=dynamic)

    def _start(self) -> None:
        """The cell without voltage: its charges are those of the state as it stands."""
        # without an iteration, only so that the circuit node has a value
        devsim.solve(type="dc", maximum_iterations=0, info=True)
        self._restore([(0.0, self.state())])

    def _applied(self, when: float) -> float:
        return float(np.interp(when, self.cell.about["times"], self.cell.about["voltages"]))

    def _note(self, when: float) -> None:
        contact = f"level{len(self.cell.layers)}"
        current = devsim.get_contact_current(device=CELL, contact=contact, equation="current")
        hottest = max(r.values("T").max() for r in self.cell.regions.values())
        row = when, self._applied(when), current * 1e-6, hottest * KELVIN
        for name, value in zip(self.record, row, strict=True):
            self.record[name].append(float(value))

    def _attempt(self, past: Past, end: float, kink: bool) -> tuple[float, int, int]:
        """Error in units of what is allowed (infinite without solution), iterations, its power."""
        about = self.cell.about
        start, old = past[0]
        h = end - start
        predicted, constant = predict(past, end)
        guess = predicted
        if kink:
            before = self._applied(start)
            scale = self._applied(end) / before if before else 0.0
            guess = old | {
                "n": predicted["n"],
                "V": old["V"] * scale,
                CONTACT: old[CONTACT] * scale,
            }
        guess = guess | {"n": np.maximum(guess["n"], 0.0)}
        devsim.set_parameter(device=SWITCH, name="applied", value=self._applied(end))
        self._set(guess)
        method, lost = self._formula(past, h)
        begun = time.process_time()
        try:
            result = devsim.solve(
                **method,
                absolute_error=UPDATE,
                relative_error=1e30,
                charge_error=1e30,
                maximum_error=1e6,
                maximum_iterations=_ITERATIONS,
                info=True,
            )
        except devsim.error:
            return math.inf, _ITERATIONS, 3
        finally:
            self.seconds += time.process_time() - begun
        count = len(result["iterations"])
        self.iterations += count
        if not result["converged"]:
            return math.inf, count, 3
        new = self.state()
        if new["n"].min() < -_FILL:
            return math.inf, count, 3
        weight = 1.0 / np.minimum(1.0, about["empty"] + new["n"])
        error = constant * (weight * np.abs(new["n"] - predicted["n"])).max()
        if lost:
            # what is missing to BDF2 is made by implicit Euler, with its error h^2 n''/2
            before, h1 = past[1][1]["n"], start - past[1][0]
            bend = new["n"] - old["n"] - h / h1 * (old["n"] - before)
            error += 0.5 * constant * lost * (weight * np.abs(bend)).max()
        error /= about["concentration"]
        if not kink:
            heat = constant * np.abs(new["T"] - predicted["T"]).max() * KELVIN
            error = max(error, heat / about["temperature"])
        return float(error), count, 2 if len(past) == 1 else 3

    def _formula(self, past: Past, h: float) -> tuple[dict[str, Any], float]:
        """DEVSIM's BDF2, or as much of it as keeps the extrapolated n in its range; what lacks."""
        euler = {"type": "transient_bdf1", "tdelta": h, "gamma": 1.0}
        if len(past) == 1:
            return euler, 0.0
        n, h1 = past[0][1]["n"], past[0][0] - past[1][0]
        b = (h / h1) ** 2 / (1 + 2 * h / h1)
        trend = b * (n - past[1][1]["n"])
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = np.where(trend < 0, (n + _FILL) / -trend, (self.limit - n + _FILL) / trend)
        share = min(1.0, max(0.0, float(reach[trend != 0].min(initial=1.0))))
        b *= share
        g = h - b * h1
        # a share of the history is BDF2 behind another pair of steps
        ratio = b + math.sqrt(b * b + b)
        if ratio < 1e-6:
            return euler, 1.0 - share
        length = g * (1 + 2 * ratio) / (1 + ratio)
        before = length / ratio
        whole = length + before
        return {"type": "transient_bdf2", "tdelta": whole, "gamma": before / whole}, 1.0 - share


def predict(past: Past, end: float) -> tuple[State, float]:
    """A state extrapolated, and the share of its distance to the solution that is local error."""
    start, old = past[0]
    h = end - start
    if len(past) == 1:
        return old, 0.5
    h1 = start - past[1][0]
    if len(past) == 2:
        weights, constant = (1 + h / h1, -h / h1), h / (2 * h + h1)
    else:
        h2 = past[1][0] - past[2][0]
        t = (0.0, -h1, -h1 - h2)
        weights = tuple(
            math.prod((h - t[j]) / (t[i] - t[j]) for j in range(3) if j != i) for i in range(3)
        )
        c = h * (h + h1) / (2 * h + h1)
        constant = c / (h + h1 + h2 + c)
    states = [state for _, state in past[: len(weights)]]
    return (
        {name: sum(w * s[name] for w, s in zip(weights, states, strict=True)) for name in old},
        constant,
    )


def main() -> None:
    """Read the cell, run the sweep, write what was noted."""
    devsim.set_parameter(name="debug_level", value="info")
    cell = Cell(json.load(sys.stdin))
    march = March(cell)
    march.run()
    counts = {
        "unknowns": cell.unknowns,
        "steps": len(march.record["time"]) - 1,
        "iterations": march.iterations,
        "rejected": march.rejected,
        "solving": march.seconds,
        "version": devsim.__version__,
        "solver": devsim.get_parameter(name="direct_solver"),
    }
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        json.dump(march.record | counts, file)


if __name__ == "__main__":
    main()
