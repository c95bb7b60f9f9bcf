"""A campaign with a formula in place of the solver; tests run it as a process of its own.

``python -m tests.fake_pulses campaign FILE --out STORE ...``. The environment of the process, and
so of its workers, says more: ``FAKE_SLEEP`` [s] a point; ``FAKE_LOG`` a file that gets one byte
for every point begun; ``FAKE_HOLD`` a file for which points wait, of those in the log from number
``FAKE_HOLD_FROM`` on (by default 0), until it is gone; with ``FAKE_HOLD_STORE`` a new store, too,
waits for that file before it gets its name.
"""

from __future__ import annotations

import functools
import os
import signal
import time
from typing import Any

import numpy as np
import xarray as xr
import zarr

from ddkbase.errors import SolverError
from ddkbase.records import label
from ddkbase.units import to_si

#: heights of the write pulses at which something goes wrong
GIVES_UP, CRASHES, KILLS_ITS_WORKER, NOT_INSTALLED, TAKES_MEMORY = 7.0, 8.0, 9.0, 10.0, 11.0


def simulate(
    device: Any,
    train: Any,
    settings: Any,
    *,
    initial_resistance: str | None = None,
    variability: Any = None,
    seed: int | None = None,
    cycle: int = 0,
    device_number: int = 0,
) -> xr.Dataset:
    """Like ``simulate_pulses``: a conductance that decays, drawn from settings and seed."""
    number = 0
    if log := os.environ.get("FAKE_LOG"):
        with open(log, "ab", buffering=0) as file:  # appended at once: the end is this point's
            file.write(b".")
            number = file.tell() - 1
    if number >= int(os.environ.get("FAKE_HOLD_FROM", "0")):
        hold()
    time.sleep(float(os.environ.get("FAKE_SLEEP", "0")))
    height = abs(train.amplitudes[0])
    if height == GIVES_UP:
        raise SolverError("the temperature did not converge", "t = 3 ns", "Try --preset fine")
    if height == CRASHES:
        raise ZeroDivisionError("no such\nthing")
    if height == KILLS_ITS_WORKER:
        os.kill(os.getpid(), signal.SIGKILL)
    if height == NOT_INSTALLED:
        from ddkbase.errors import InstallationError

        raise InstallationError("no C compiler was found")
    if height == TAKES_MEMORY:
        hoard = np.ones(1_000_000_000 // 8)
        time.sleep(120)  # it is killed long before
        del hoard
    wanted = 5e3 if initial_resistance is None else to_si(initial_resistance, "ohm")
    spread = 0.0
    if variability is not None:
        place = np.random.SeedSequence(seed, spawn_key=(device_number, cycle))
        spread = 0.1 * np.random.Generator(np.random.Philox(place)).standard_normal()
    number = np.arange(1, train.count + 1)
    rate = 0.01 * height * np.exp(spread) * train.widths / 1e-7
    shape = np.exp(-rate * number)
    return trace(train, {"conductance": shape / wanted}, wanted)


def hold() -> None:
    """Wait until the file ``FAKE_HOLD`` is gone."""
    while os.path.exists(os.environ.get("FAKE_HOLD", "")):
        time.sleep(0.02)


def trace(train: Any, given: dict[str, np.ndarray], resistance: float) -> xr.Dataset:
    """A ``PulseTrace`` of which ``given`` is known; everything else follows from a formula."""
    from devicephys.campaign.layout import VARIABLES

    values: dict[str, xr.Variable] = {}
    for i, (name, variable) in enumerate(VARIABLES.items()):
        source = variable.source or name
        array = given.get(source, (i + 1.0) * np.linspace(1, 2, train.count) / resistance)
        if source in ("amplitude", "width"):
            array = getattr(train, f"{source}s")
        if not variable.per_pulse:
            array = np.array(resistance if source == "initial_resistance" else 3)
        dims = ("pulse",) if variable.per_pulse else ()
        values[source] = label(array, dims, variable.units, variable.long_name)
    return xr.Dataset(values, {"pulse": np.arange(1, train.count + 1)})


def main() -> None:
    """The command line with this module's ``simulate``."""
    from devicephys import campaign, cli, installation
    from tests import fake_pulses  # this module is __main__, which no worker can import

    if "FAKE_HOLD_STORE" in os.environ:
        consolidate = zarr.consolidate_metadata

        def later(*arguments: Any, **more: Any) -> Any:
            hold()
            return consolidate(*arguments, **more)

        zarr.consolidate_metadata = later
    installation.versions = lambda: {"numpy": "of these tests"}
    campaign.run = functools.partial(campaign.run, simulate=fake_pulses.simulate)
    cli.main()


if __name__ == "__main__":
    main()
