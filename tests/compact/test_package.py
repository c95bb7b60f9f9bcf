"""The package as a whole: quick to import, needs little, offers what it says."""

from __future__ import annotations

import subprocess
import sys

import pytest

import compact


def test_import_is_quick_and_brings_nothing_heavy() -> None:
    code = (
        "import sys, time; t = time.perf_counter(); import compact; "
        "print(time.perf_counter() - t, [m for m in "
        "('dolfinx', 'scipy', 'sklearn', 'matplotlib', 'pandas', 'xarray') if m in sys.modules])"
    )
    times = []
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        seconds, brought = done.stdout.split(maxsplit=1)
        assert brought.strip() == "[]"
        times.append(float(seconds))
    assert min(times) < 0.5


def test_everything_offered_is_there() -> None:
    for name in compact.__all__:
        if name == "AlphaBetaRegressor":
            pytest.importorskip("sklearn")
        assert getattr(compact, name) is not None
    assert dir(compact) == sorted(compact.__all__)
    with pytest.raises(AttributeError, match="no attribute 'fitt'"):
        _ = compact.fitt
