"""Settings shared by all tests."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

# How long one example takes depends on who else uses the machine; a run on a server is to give
# the same result twice.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a command needs of the solver is drawn; what it changes is put back."""
    from devicephys import installation
    from devicephys.run import kinds
    from tests import fake_solver

    monkeypatch.setattr(kinds, "simulate", kinds.simulate)
    monkeypatch.setattr(kinds, "simulate_pulses", kinds.simulate_pulses)
    fake_solver.install("done")
    monkeypatch.setattr(installation, "require_solver", lambda: None)
    monkeypatch.setenv("PETSC_OPTIONS", "")
    monkeypatch.setenv("COLUMNS", "120")
