"""Closed forms against the real solver, to 0.5 % and where the scheme is exact to rounding."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("mpi4py.MPI")  # before dolfinx
pytest.importorskip("dolfinx")

from devicephys.verification import burgers, closed_forms
from devicephys.verification.table import CLOSED_FORM

pytestmark = pytest.mark.fem


def test_every_closed_form_is_met() -> None:
    rows = closed_forms.rows()
    assert len(rows) == 16
    assert [row for row in rows if not row.passed] == []


def test_what_the_elements_represent_is_met_to_solver_accuracy() -> None:
    assert closed_forms.slab_heat() < 1e-7
    assert max(closed_forms.resistance()) < 1e-10


def test_interfaces_drop_the_temperature_by_their_resistance() -> None:
    error, imbalance = closed_forms.interface_heat()
    assert error < 1e-7 and imbalance < 1e-6


def test_heat_of_the_rows_at_interfaces_converges() -> None:
    errors = [closed_forms.interface_heat(size, hot_metals=True)[0] for size in (3.0, 1.5, 0.75)]
    assert errors[1] < 0.55 * errors[0] and errors[2] < 0.55 * errors[1]


@pytest.mark.parametrize("voltage", [-1.5, -0.3, 0.4, 1.3, 3.0])
@pytest.mark.parametrize("series", [closed_forms.RESISTOR, closed_forms.TRANSISTOR])
def test_load_line(series: dict[str, str], voltage: float) -> None:
    assert closed_forms.load_line(series, voltage) < 1e-9


@pytest.mark.parametrize("voltage", [-3.0, -1.5, -0.3])
def test_source_follower(voltage: float) -> None:
    assert closed_forms.source_follower(voltage) < 1e-9


@pytest.mark.parametrize("voltage", [0.1, 1.0, 2.0])
def test_conduction_that_the_field_helps(voltage: float) -> None:
    assert closed_forms.field_lowering(voltage) < 1e-8


def test_the_balance_counts_what_is_exchanged() -> None:
    error, imbalance = closed_forms.exchange()
    assert error < 1e-3
    assert imbalance < 1e-12


def test_coaxial_heat_converges() -> None:
    assert closed_forms.coaxial_heat(0.25) < 0.35 * closed_forms.coaxial_heat(0.5)


def test_profiles_at_rest_converge_with_the_mesh() -> None:
    assert closed_forms.boltzmann(1.0) < 0.35 * closed_forms.boltzmann(2.0)
    assert closed_forms.soret("hot", 1.0) < 0.35 * closed_forms.soret("hot", 2.0)


@pytest.mark.parametrize("share", burgers.SHARES.values(), ids=burgers.SHARES.keys())
@pytest.mark.parametrize("direction", [1, -1])
def test_burgers(share: float, direction: int) -> None:
    assert burgers.error(share, direction=direction) < CLOSED_FORM


def test_the_series_solution_keeps_vacancies_and_comes_to_rest() -> None:
    edges, D = np.linspace(0.0, 1.0, 101), 1.0
    for time in (1e-3, 1e-2, 0.1):
        mean = burgers.exact_means(edges, time, 1.0, D, 15.0).mean()
        assert mean == pytest.approx(burgers.FILLED, abs=1e-9)
    rest = burgers.exact_means(edges, 5.0, 1.0, D, 15.0)
    centre = 0.5 * (edges[1:] + edges[:-1])
    slope = np.diff(np.log(rest / (1.0 - rest))) / np.diff(centre)
    assert slope == pytest.approx(15.0, rel=5e-3)
