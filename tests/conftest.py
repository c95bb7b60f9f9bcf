"""Settings shared by all tests."""

from __future__ import annotations

import functools
import os
import signal
from typing import Any

import pytest
from hypothesis import settings

from ddkbase.installation import keep_petsc_from_signals

keep_petsc_from_signals()  # tests import dolfinx before the toolkit does

# How long one example takes depends on who else uses the machine; a run on a server is to give
# the same result twice.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A job in the background inherits that Ctrl-C is ignored, and so would what tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)

_approx = pytest.approx


@functools.wraps(_approx)
def _relative(expected: Any, rel: Any = None, abs: Any = None, nan_ok: bool = False) -> Any:
    """`pytest.approx` without its hidden ``abs=1e-12``, which any joule or ampere passes."""
    if abs is None:
        rel, abs = 1e-6 if rel is None else rel, 0.0
    return _approx(expected, rel=rel, abs=abs, nan_ok=nan_ok)


pytest.approx = _relative


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
