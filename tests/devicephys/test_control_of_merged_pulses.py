"""What a control of merged pulses measures, by hand: one pulse and its flat top of known fields."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("mpi4py.MPI")  # before dolfinx
pytest.importorskip("dolfinx")

from devicephys import PulseTrain
from devicephys.fem.equations import State
from devicephys.fem.pulses.stress import StressTrain

pytestmark = pytest.mark.fem

TRAIN = PulseTrain("2 V", "100 ns", 1, rise="10 ns", fall="10 ns")
#: concentration along the flat top: what a second of it moves
SPEED = np.array([1e7, 2e7])
#: A at each moment: the current is read out of the field of the potential
CURRENT = 1e-4


def _state(n: list[float] | np.ndarray, current: float = CURRENT) -> State:
    return State(np.array([current, 0.0]), np.array(n, dtype=float), 0.0)


class _Problem(SimpleNamespace):
    cell_volume = np.array([1.0, 3.0])
    series = SimpleNamespace(kind="none")

    def current(self, u: np.ndarray) -> float:
        return float(u[0])

    def sum(self, *values: float) -> tuple[float, ...]:
        return values


def _train(after: list[float], rest: list[float], read: float) -> StressTrain:
    """A stretch whose pulse ends at ``after`` and moves to ``rest`` in the pause after it."""
    corners = TRAIN.pulse(0).corners
    train = StressTrain.__new__(StressTrain)
    train.problem, train.train, train.first = _Problem(), TRAIN, 0  # type: ignore[assignment]
    train.amplitude, train.width = 2.0, 100e-9

    def pulse(*_: Any, **__: Any) -> Any:
        applied = [2.0, 2.0, 0.0, 0.0, 0.1, 0.1, 0.0, 0.0]
        fields = [[0.0, 0.0], after, after, rest, rest, rest, rest, rest]
        currents = [CURRENT, CURRENT, 0.0, 0.0, read, read, 0.0, 0.0]
        for time, volts, n, current in zip(corners[1:], applied, fields, currents, strict=True):
            yield SimpleNamespace(time=time, applied=volts, state=_state(n, current))

    def along(hot: State, length: float) -> Any:
        for share in (0.5, 1.0):
            moved = _state(share * length * SPEED)
            yield SimpleNamespace(state=moved, step_size=0.5 * length)

    memory = SimpleNamespace(moved=np.inf, largest=0.0)  # of pulses before: none
    train._pulses = SimpleNamespace(run_pulse=pulse, memory=memory)  # type: ignore[assignment]
    train._steady = SimpleNamespace(find=lambda hot, applied: None)  # type: ignore[assignment]
    train._along = along  # type: ignore[method-assign]
    train.read = lambda filling: 2e-4  # type: ignore[method-assign]
    return train


def test_a_pulse_that_moves_as_its_flat_top_for_longer() -> None:
    after = (115e-9 * SPEED).tolist()
    control, _ = _train(after, after, read=2e-5)._control(_state([0.0, 0.0]))
    assert control.credit == pytest.approx(15e-9)
    assert control.miss == pytest.approx(0.0, abs=1e-9)
    assert control.rest == 0.0
    assert control.read_miss == pytest.approx(0.0, abs=1e-12)
    # V I over flanks of 10 ns, of which a third counts, and the flat top: 2 (100 + 2 10/3)/(2 100)
    assert control.energy == pytest.approx((100 + 20 / 3) / 100)


def test_what_moves_across_and_after_is_a_share_of_the_movement() -> None:
    # the pulse moves (1, 2) along the flat top; then (0.3, 0) more while it rests
    after, rest = (100e-9 * SPEED).tolist(), (100e-9 * SPEED + [0.3, 0.0]).tolist()
    control, _ = _train(after, rest, read=1.6e-5)._control(_state([0.0, 0.0]))
    moved = 1.3**2 + 3 * 2.0**2  # squares times volumes
    assert control.rest == pytest.approx(np.sqrt(0.3**2 / moved))
    along = 0.3 * 1.0 / (1.0**2 + 3 * 2.0**2)  # of 100 ns, by least squares
    assert control.credit == pytest.approx(along * 100e-9)
    across = np.array([0.3 - along, -2 * along])
    assert control.miss == pytest.approx(np.sqrt((across**2 @ [1.0, 3.0]) / moved))
    assert control.read_miss == pytest.approx(2e-4 / 1.6e-4 - 1)
