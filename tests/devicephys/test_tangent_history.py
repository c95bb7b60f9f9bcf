"""The tangent of the time formula's history, against differences of the history itself."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("mpi4py.MPI")  # before dolfinx
pytest.importorskip("dolfinx")

from devicephys.fem.equations import State
from devicephys.fem.stepper import StepLimits, Stepper
from devicephys.fem.tangents import Tangents
from tests.devicephys.test_solver_parts import Rates

pytestmark = pytest.mark.fem

#: of n and of (V, T), at the two past states, the latest first; the tangents likewise
TIMES, END = (0.3, 0.1), 0.7
U = ([0.1, 330.0], [0.3, 310.0])
U_TANGENT = ([0.7, -20.0], [-0.4, 11.0])
N_TANGENT = ([0.05, -0.3, 0.2], [-0.11, 0.4, 0.6])
TOP_RATE = 0.9


def stepper_of(past_n: Any, change: float, **vacancy: Any) -> tuple[Stepper, list[Any]]:
    """A stepper and its past states, moved along their tangents (and n_max along its own)."""
    if vacancy:
        vacancy["site_limit"] += 1e27 * change * TOP_RATE  # 1/m^3
    problem = Rates(lambda t: 0.0, cells=3, **vacancy)
    problem.cell_volume = np.array([1.0, 2.0, 0.5])
    past = []
    for k, time in enumerate(TIMES):
        u = np.array(U[k]) + change * np.array(U_TANGENT[k])
        n = np.array(past_n[k]) + change * np.array(N_TANGENT[k])
        past.append((time, State(u, n, 0.0)))
        tangent = State(np.array(U_TANGENT[k]), np.array(N_TANGENT[k]), 0.0)
        past[-1][1].tangents = (tangent,)
    return Stepper(problem, problem, StepLimits()), past  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("past_n", "vacancy", "whole"),
    [
        (([2.0, 3.0, 4.0], [2.1, 2.9, 4.3]), {}, True),
        # the first cell empties within the step, the last one fills
        (([0.02, 3.0, 4.0], [0.42, 2.9, 4.3]), {}, False),
        (
            ([2.0, 3.0, 4.98], [2.1, 2.9, 4.5]),
            {"site_exclusion": True, "site_limit": 5e27},
            False,
        ),
    ],
)
def test_it_is_the_slope_of_the_history(past_n: Any, vacancy: Any, whole: bool) -> None:
    def history(change: float) -> tuple[float, np.ndarray, np.ndarray, float]:
        stepper, past = stepper_of(past_n, change, **vacancy)
        return stepper._history(past, END - TIMES[0])

    stepper, past = stepper_of(past_n, 0.0, **vacancy)
    *_, share = stepper._history(past, END - TIMES[0])
    assert (share == 1.0) == whole and share > 0.0
    step = SimpleNamespace(past=past, share=share, time=END)
    tangents = Tangents.__new__(Tangents)
    tangents.problem = stepper.problem
    found = tangents._history(step, 0, TOP_RATE if vacancy else 0.0)  # type: ignore[arg-type]
    small = 1e-6
    sides = history(small), history(-small)
    g, u, n = ((a - b) / (2 * small) for a, b in list(zip(*sides, strict=True))[:3])
    assert found.gamma_dt == pytest.approx(g, rel=1e-6, abs=1e-8)
    assert (abs(g) > 0.01) != whole
    np.testing.assert_allclose(found.u, u, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(found.n, n, rtol=1e-6, atol=1e-7)
