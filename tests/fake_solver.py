"""``ddk-device`` with a drawn loop in place of the solver; tests run it as a process of its own.

``python -m tests.fake_solver BEHAVIOUR iv --out DIR ...`` where BEHAVIOUR is

* ``done``: the loop comes out after some progress events;
* ``gives-up``: SolverError with a part of the loop; ``gives-up-at-once``: without one;
* ``crash``: an exception nobody expects;
* ``slow``: events until Ctrl-C or SIGTERM, then Interrupted with a part of the loop;
* ``slow-start``: a KeyboardInterrupt before the first step.
"""

from __future__ import annotations

import sys
import time
import types
from typing import Any

from devicephys.errors import Interrupted, SolverError
from devicephys.trace import ProgressEvent
from tests.synthetic import iv_trace


def tell(progress: Any, steps: int = 200) -> None:
    """Report ``steps`` accepted steps of a sweep of 68 ms."""
    for k in range(1, steps + 1):
        progress(ProgressEvent(0.068 * k / steps, 0.068, -0.5, 3.4e-4, 320.0 + k, k, k // 50))


class Simulator:
    """Callable like ``devicephys.simulate``."""

    def __init__(self, behaviour: str) -> None:
        self.behaviour = behaviour

    def __call__(
        self, device: Any, protocol: Any = None, settings: Any = None, progress: Any = None
    ) -> Any:
        if self.behaviour == "crash":
            raise ZeroDivisionError("no such\nthing")
        if self.behaviour == "gives-up-at-once":
            raise SolverError("the temperature did not converge", "t = 0 s", "Try --preset fine")
        if self.behaviour == "slow-start":
            print("started", flush=True)
            time.sleep(60)
        if self.behaviour == "slow":
            self.until_stopped(progress)
        if progress is not None:
            tell(progress)
        if self.behaviour == "gives-up":
            raise SolverError(
                "the vacancy concentration did not converge",
                "t = 0.02 s, r = 1 nm, z = 31 nm",
                "Try --preset fine",
                partial=iv_trace(fine=4, frames=6, complete=False),
                diagnosis={"field": "n", "residual": 3.0},
            )
        return iv_trace(fine=4, frames=6, loops=int(device.sweep.loops))

    def until_stopped(self, progress: Any) -> None:
        try:
            print("started", flush=True)  # the signal may come as soon as this is read
            for k in range(1, 10_000):
                progress(ProgressEvent(1e-6 * k, 0.068, -0.5, 1e-6, 320.0, k, 0))
                time.sleep(0.01)
        except KeyboardInterrupt:
            raise Interrupted(
                "stopped by the user", partial=iv_trace(fine=4, frames=6, complete=False)
            ) from None


def module(behaviour: str) -> types.ModuleType:
    """Return what is to stand in ``sys.modules`` for ``devicephys.simulation``."""
    simulation: Any = types.ModuleType("devicephys.simulation")
    simulation.simulate = Simulator(behaviour)
    return simulation


if __name__ == "__main__":
    sys.modules["devicephys.simulation"] = module(sys.argv.pop(1))
    from devicephys import installation
    from devicephys.cli import main

    # No finite-element stack and no MPI: these processes are also run with hardly any disk.
    installation.require_solver = lambda: None
    installation.versions = lambda: {"numpy": "of these tests"}

    main()
