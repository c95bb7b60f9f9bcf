"""Balances, scaling invariance and one rank against two, on the shipped device."""

from __future__ import annotations

import pytest

pytest.importorskip("mpi4py.MPI")  # before dolfinx
pytest.importorskip("dolfinx")

from devicephys.verification import balances

pytestmark = pytest.mark.fem


@pytest.mark.parametrize("preset", ["quick", "default"])
def test_balances_hold_at_every_accepted_step(preset: str) -> None:
    found = balances.balances(preset)
    assert all(found[name] <= limit for name, limit in balances.BALANCES.items()), found
    assert 1e-12 < balances.exchanged(preset) <= balances.EXCHANGED


def test_scaling_conductivities_keeps_temperature_and_vacancies() -> None:
    found = balances.scaling()
    assert max(found.values()) < balances.SCALING, found


def test_one_rank_equals_two() -> None:
    if balances.find_mpiexec() is None:
        pytest.skip("no mpiexec")
    found = balances.ranks()
    assert max(found.values()) < balances.RANKS, found


def test_a_failing_rank_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(balances, "find_mpiexec", lambda: None)
    with pytest.raises(FileNotFoundError, match="mpiexec"):
        balances.ranks()
