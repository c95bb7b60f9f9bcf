"""Progress of a run, and its headline figures in words."""

from __future__ import annotations

import io
import json
from typing import Any

from rich.console import Console

from ddkbase.cli.progress import Display
from devicephys.run.figures import loop_figures
from devicephys.run.progress import Recorder, pulse_state, step_state
from tests import fake_solver


def test_on_a_terminal_progress_is_a_bar() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=120)
    logged: list[str] = []
    with Display(console, "preparing the solver") as display:
        fake_solver.tell(Recorder(step_state, logged.append, display), 30)
    assert "preparing the solver" in stream.getvalue()
    assert len(logged) == 30


def headline_rows(headline: dict[str, Any]) -> list[tuple[str, str]]:
    return [(figure.name, figure.text) for figure in loop_figures(headline) if figure.name]


def test_headline_rows_say_what_was_not_reached() -> None:
    rows = headline_rows({"set_voltage": None, "high_resistance": float("nan"), "mine": 3})
    assert rows == [("SET", "not reached"), ("High resistance", "not reached"), ("mine", "3")]
    json.dumps(rows)


def test_headline_rows_put_loops_and_seconds_into_words() -> None:
    loops = [
        {"reset_onset_voltage": -1.25, "set_voltage": 1.42},
        {"reset_onset_voltage": -1.234, "set_voltage": None},
    ]
    seconds = {"jacobian": 0.8, "factorisation": 1.5, "rest": 0.01, "solving": 2.31, "setup": 0.2}
    figures = {"cells": 550, "unknowns": 1782, "steps": 173, "loops": loops, "seconds": seconds}
    assert headline_rows(figures) == [
        ("Accepted steps", "173"),
        ("Cells of the mesh", "550"),
        ("Unknowns", "1782"),
        ("RESET onset, loops", "-1.25, -1.23 V"),
        ("SET, loops", "+1.42, not reached"),
        ("Time", "2.5 s (factorisation 1.5, Jacobian 0.8, setup 0.2)"),
    ]
    assert headline_rows({"loops": loops[:1], "mine": {}, "seconds": {}}) == []


def test_a_train_reports_pulses_and_what_was_rejected() -> None:
    stream, logged = io.StringIO(), list[str]()
    with Display(Console(file=stream, width=120), "preparing the solver") as display:
        reporter = Recorder(pulse_state, logged.append, display)
        assert reporter.idle
        reporter(fake_solver.pulse_event(4, 0, preparing=True))
        for k in range(1, 201):
            reporter(fake_solver.pulse_event(k, 200))
        assert not reporter.idle
    lines = stream.getvalue().splitlines()
    assert 5 <= len(lines) <= 20
    assert lines[0].startswith("  0 %  preparing, pulse 4 ")
    assert lines[-1].startswith(
        "100 %  pulse 200 of 200  -2.0000 V  G =     1 uS  T max =  226.9 °C"
    )
    assert len([line for line in logged if line.startswith("pulse ")]) == 200
    assert "rejected 1 step(s) before the end of pulse 30 of 200" in logged


def test_a_train_on_a_terminal_is_a_bar() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=120)
    with Display(console, "preparing the solver") as display:
        reporter = Recorder(pulse_state, lambda line: None, display)
        reporter(fake_solver.pulse_event(1, 2))
    assert "preparing the solver" in stream.getvalue()
    assert "pulse 1 of 2" in stream.getvalue()
