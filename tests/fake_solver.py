"""``ddk-device`` with drawn results in place of the solver; tests run it as a process of its own.

``python -m tests.fake_solver BEHAVIOUR iv --out DIR ...`` (or ``pulses``, ``resume``) where
BEHAVIOUR is

* ``done``: the result comes out after some progress events;
* ``gives-up``: SolverError with a part of the result; ``gives-up-at-once``: without one;
* ``crash``: an exception nobody expects;
* ``slow``: events until Ctrl-C or SIGTERM, then Interrupted with a part of the result;
* ``slow-start``: a KeyboardInterrupt before the first step;
* ``steady``: one event every hundredth of a second, done after 100 of them.

``slow`` and ``steady`` save checkpoints, go on from them, and print "at K" before step K. The
environment may say after how many steps they stand still: ``FAKE_STEPS``.
"""

from __future__ import annotations

import itertools
import os
import sys
import time
import types
from typing import Any

import numpy as np

from ddkbase.errors import Interrupted, SolverError
from devicephys.run import kinds
from devicephys.simulation.iv_record import ProgressEvent
from tests.synthetic import iv_trace, pulse_trace

STEADY = 100


def tell(progress: Any, steps: int = 200) -> None:
    """Report ``steps`` accepted steps of a sweep of 68 ms."""
    for k in range(1, steps + 1):
        progress(step_event(k, steps))


def step_event(k: int, steps: int) -> ProgressEvent:
    return ProgressEvent(0.068 * k / steps, 0.068, -0.5, 3.4e-4, 320.0 + k, k, k // 50)


def pulse_event(k: int, count: int, preparing: bool = False) -> types.SimpleNamespace:
    return types.SimpleNamespace(
        pulse=k,
        count=count,
        amplitude=-2.0,
        conductance=2e-4 / k,
        temperature_max=500.0,
        steps=30 * k,
        rejected=k // 30,
        preparing=preparing,
    )


class Simulator:
    """Callable like ``devicephys.simulate``."""

    def __init__(self, behaviour: str) -> None:
        self.behaviour = behaviour

    def __call__(
        self,
        device: Any,
        protocol: Any = None,
        settings: Any = None,
        progress: Any = None,
        comm: Any = None,
        checkpoint: Any = None,
    ) -> Any:
        started = self.behave(
            progress,
            checkpoint,
            lambda k: step_event(k, STEADY),
            lambda: iv_trace(fine=4, frames=6, complete=False),
        )
        if progress is not None and not started:
            tell(progress)
        ds = iv_trace(fine=4, frames=6, loops=int(device.sweep.loops))
        return ds.assign_attrs(started=started)

    def behave(self, progress: Any, checkpoint: Any, event: Any, partial: Any) -> int:
        """Do what the behaviour says; return the step from which it went on."""
        if self.behaviour == "crash":
            raise ZeroDivisionError("no such\nthing")
        if self.behaviour == "gives-up-at-once":
            raise SolverError("the temperature did not converge", "t = 0 s", "Try --preset fine")
        if self.behaviour == "slow-start":
            print("started", flush=True)
            time.sleep(3600)
        if self.behaviour == "gives-up":
            if progress is not None:
                progress(event(1))
            raise SolverError(
                "the vacancy concentration did not converge",
                "t = 0.02 s, r = 1 nm, z = 31 nm",
                "Try --preset fine",
                partial=partial(),
                diagnosis={"field": "n", "residual": 3.0},
            )
        if self.behaviour in ("slow", "steady"):
            return self.step(progress, checkpoint, event, partial)
        return 0

    def step(self, progress: Any, checkpoint: Any, event: Any, partial: Any) -> int:
        found = None if checkpoint is None else checkpoint.load()
        started = 0 if found is None else int(found[0]["k"])
        try:
            for k in itertools.count(started + 1):
                if self.behaviour == "steady" and k > STEADY:
                    break
                if k > started + int(os.environ.get("FAKE_STEPS", "1000000")):
                    time.sleep(3600)
                print(f"at {k}", flush=True)  # a signal may come as soon as this is read
                time.sleep(0.01)
                progress(event(k))
                if checkpoint is not None and k % checkpoint.every == 0:
                    checkpoint.save({"k": np.array(k), "state": np.full(60_000, k)}, {"k": k})
        except KeyboardInterrupt:
            raise Interrupted("stopped by the user", partial=partial()) from None
        return started


class PulseSimulator(Simulator):
    """Callable like ``devicephys.simulation.simulate.simulate_pulses``."""

    def __call__(  # type: ignore[override]
        self,
        device: Any,
        train: Any,
        settings: Any = None,
        *,
        initial_resistance: str | None = None,
        variability: Any = None,
        seed: int | None = None,
        cycle: int = 0,
        device_number: int = 0,
        progress: Any = None,
        comm: Any = None,
        checkpoint: Any = None,
    ) -> Any:
        heights = train.amplitudes.tolist()
        started = self.behave(
            progress,
            checkpoint,
            lambda k: pulse_event(k, train.count),
            lambda: pulse_trace(heights, complete=False),
        )
        if progress is not None and not started:
            if initial_resistance is not None:
                progress(pulse_event(3, 0, preparing=True))
            for k in range(1, train.count + 1):
                progress(pulse_event(k, train.count))
        ds = pulse_trace(heights, wanted_resistance=5e3 if initial_resistance else np.nan)
        return ds.assign_attrs(
            started=started,
            seed="none: nothing is drawn" if seed is None else seed,
            cycle=cycle,
            device_number=device_number,
            spreads=str(variability),
        )


def install(behaviour: str) -> None:
    """Put the drawn results in place of the solver for the runs of this process."""
    kinds.simulate = Simulator(behaviour)
    kinds.simulate_pulses = PulseSimulator(behaviour)


if __name__ == "__main__":
    from devicephys import installation
    from devicephys.cli import main

    install(sys.argv.pop(1))
    # No finite-element stack and no MPI: these processes are also run with hardly any disk.
    installation.require_solver = lambda: None
    installation.versions = lambda: {"numpy": "of these tests"}

    main()
