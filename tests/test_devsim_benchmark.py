"""The benchmark against DEVSIM: what it describes, what it refuses, and how it ends without it."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import devicephys
from devicephys import Settings

BENCHMARKS = Path(__file__).parent / "benchmarks"
#: an environment that has DEVSIM, for the test that runs it
PYTHON = os.environ.get("DDK_DEVSIM_PYTHON", sys.executable)
DEVICE = "tin-taox-hfox-tin"


@pytest.fixture
def loop(monkeypatch):
    """The module of the benchmark, whose neighbours it imports by their bare names."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("devsim_loop")


@pytest.fixture
def about(loop):
    """The shipped cell as it is described to DEVSIM, through JSON."""
    device = devicephys.load_device(DEVICE)
    return json.loads(json.dumps(loop.describe(device, Settings.preset("quick"))))


def test_without_devsim_one_line_says_how_to_install_it():
    command = [sys.executable, str(BENCHMARKS / "devsim_loop.py"), "--python"]
    done = subprocess.run(
        [*command, shutil.which("false") or "false"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stdout == ""
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1
    assert "pip install devsim" in lines[0]


def test_edges_of_layers_and_the_wall_are_on_described_lines(about):
    edges = np.cumsum([0.0, *(layer["thickness"] for layer in about["layers"])])
    r, z = np.array(about["r"]), np.array(about["z"])
    assert np.abs(z[:, None] - edges).min(axis=0).max() < 1e-15
    assert np.abs(r - about["filament"]["radius"]).min() < 1e-15
    assert about["times"][0] == 0.0 and about["voltages"][0] == 0.0


def test_wall_lies_halfway_between_two_lines(loop, about):
    r, wall = np.array(about["r"]), about["filament"]["radius"]
    lines = loop.wall_between(r, wall)
    assert len(lines) == len(r) + 1
    assert (np.diff(lines) > 0.0).all()
    middle = 0.5 * (lines[1:] + lines[:-1])
    assert np.abs(middle - wall).min() < 1e-15
    assert set(lines) >= set(np.delete(r, np.abs(r - wall).argmin()))


@pytest.mark.parametrize(
    ("change", "term"),
    [
        ({"series.line_resistance": "1 kohm"}, "a line"),
        ({"vacancy.field_enhanced_drift": True}, "field-enhanced"),
        ({"layers.TaOx.thermal_boundary_resistance_below": "1e-9 m^2*K/W"}, "thermal boundary"),
    ],
)
def test_terms_that_devsim_is_not_given_are_refused(loop, change, term):
    device = devicephys.load_device(DEVICE).with_(change)
    with pytest.raises(NotImplementedError, match=term):
        loop.describe(device, Settings.preset("quick"))


def test_devsim_gives_the_current_of_a_cold_cell(loop, about, tmp_path):
    probe = subprocess.run([PYTHON, "-c", "import devsim"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("DEVSIM is not installed (DDK_DEVSIM_PYTHON names an interpreter that has it)")
    about = loop.describe(devicephys.load_device(DEVICE), Settings.preset("quick"), between=True)
    about |= {"times": [0.0, 0.1], "voltages": [0.0, -0.1]}
    command = [PYTHON, str(BENCHMARKS / "devsim_march.py")]
    run = loop.process(command, json.dumps(about), tmp_path / "out.json").result
    waveform = devicephys.Waveform(["0 s", "0.1 s"], ["0 V", "-0.1 V"])
    trace = devicephys.simulate(
        devicephys.load_device(DEVICE), waveform, Settings.preset("quick", mesh_split=2)
    )
    assert run["time"][-1] == pytest.approx(0.1, abs=0)
    assert run["current"][-1] == pytest.approx(float(trace.current[-1]), rel=0.01, abs=0)
