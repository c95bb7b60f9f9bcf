"""What the compiled kernel saves: loops and trains with it and with the forms, in one process.

    python tests/benchmarks/kernel_cost.py

prints two Markdown tables, of runs and of the parts of one Newton iteration, and what a first run
compiles. Processor seconds, each pair one after the other, so that the ratio survives a machine
that others use, too.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

# Before NumPy is loaded: threads inside small matrices only get in each other's way.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import xarray as xr
from markdown import number, report, table

import devicephys
from devicephys import PulseTrain, Settings
from devicephys.fem.assembly import prepare
from devicephys.fem.timing import Stopwatch

DEVICE = "tin-taox-hfox-tin"
AMPLITUDES = ("-2 V", "-2.5 V", "-3 V")
KERNELS = ("forms", "compiled")
#: presets and divisions of the mesh of the table of parts
MESHES = (("quick", 1), ("default", 1), ("fine", 1), ("default", 2), ("default", 3))
REPEATS = 5

_FIRST = """
import sys, devicephys
from devicephys.fem.assembly import prepare
settings = devicephys.Settings.preset("quick", kernel=sys.argv[1])
problem, stepper, state = prepare(devicephys.load_device(sys.argv[2]), settings)
problem.load(state)
problem.load_history(state.u, state.n, 1.0)
problem.raw_residual()
stepper.solver.linear.renew()
"""


def paired(what: str, run: Callable[[Settings], xr.Dataset], settings: Settings) -> list[str]:
    """A row: processor seconds with the forms and with the kernel, and how far results differ."""
    seconds, traces = [], []
    for kernel in KERNELS:
        begun = time.process_time()
        traces.append(run(settings.with_(kernel=kernel)))
        seconds.append(time.process_time() - begun)
    name = "current" if "current" in traces[0] and "time" in traces[0].dims else "conductance"
    forms, kernel = (trace[name].values for trace in traces)
    steps = [
        int(trace.sizes.get("time", 0)) or int(trace["accepted_steps"].sum()) for trace in traces
    ]
    far = (
        np.abs(kernel - forms).max() / np.abs(forms).max() if len(forms) == len(kernel) else np.nan
    )
    return [
        what,
        settings.name + (", every pulse" if settings.every_pulse else ""),
        *(number(value, ".1f") for value in seconds),
        number(seconds[0] / seconds[1], ".1f"),
        *map(str, steps),
        f"{far:.0e}",
    ]


def cases(count: int) -> Iterator[tuple[str, Callable[[Settings], xr.Dataset], Settings]]:
    """What is run: its name, the run with given settings, the settings."""
    device, larentis = (devicephys.load_device(name) for name in (DEVICE, "larentis-stack"))
    presets = [Settings.preset(name) for name in ("quick", "default")]
    for settings in presets:
        yield "loop", lambda s: devicephys.simulate(device, None, s), settings
    yield "loop, larentis-stack", lambda s: devicephys.simulate(larentis, None, s), presets[1]
    for every_pulse in (True, False):
        for settings in presets:
            for amplitude in AMPLITUDES:
                train = PulseTrain(amplitude, count=count)
                yield (
                    f"{count} pulses of {amplitude.replace('-', '−')}",
                    lambda s, train=train: devicephys.simulate(device, train, s),
                    settings.with_(every_pulse=every_pulse),
                )


def runs(count: int) -> str:
    """Table: loops and trains with the forms and with the kernel."""
    rows: list[list[str]] = []
    for name in (DEVICE, "larentis-stack"):
        for kernel in KERNELS:  # so that all is compiled
            train = PulseTrain("-2 V", count=1)
            devicephys.simulate(
                devicephys.load_device(name), train, Settings.preset("quick", kernel=kernel)
            )
    for what, run, settings in cases(count):
        rows.append(paired(what, run, settings))
        print("  ".join(rows[-1]), file=sys.stderr, flush=True)
    header = (
        *("run", "preset", "forms (CPU s)", "kernel (CPU s)", "ratio"),
        *("steps, forms", "steps, kernel", "largest difference"),
    )
    return table(header, rows)


class ProcessorWatch(Stopwatch):
    """Processor seconds by part, whoever else uses the machine."""

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        start = time.process_time()
        try:
            yield
        finally:
            self.seconds[name] += time.process_time() - start


def fastest(job: Callable[[], object]) -> float:
    """Processor milliseconds of the fastest repetition of a job."""
    spent = []
    for _ in range(REPEATS):
        begun = time.process_time()
        job()
        spent.append(time.process_time() - begun)
    return 1e3 * min(spent[1:])


def parts() -> str:
    """Table: one residual, Jacobian, factorisation and back-substitution, forms and kernel."""
    device = devicephys.load_device(DEVICE)
    rows = []
    for preset, split in MESHES:
        row: list[str] = []
        for kernel in KERNELS:
            settings = Settings.preset(preset, mesh_split=split, kernel=kernel)
            problem, stepper, state = prepare(device, settings)
            problem.watch = ProcessorWatch()
            state.u[0::2], state.contact = -problem.node_z / problem.node_z.max(), -1.0
            problem.load(state)
            problem.load_history(state.u, state.n, 1e-8)
            linear, right = stepper.solver.linear, np.ones(problem.nu + problem.nc)
            linear.renew()
            shares = {"residual": fastest(problem.raw_residual)}
            for _ in range(REPEATS):
                problem.watch.seconds.clear()
                linear.renew()
                linear.solve(right)
                for name, value in problem.watch.seconds.items():
                    shares[name] = min(shares.get(name, np.inf), 1e3 * value)
            row = row or [f"{preset} x{split}", str(problem.unknowns)]
            names = ("residual", "jacobian", "factorisation", "back-substitution")
            row += [number(shares[name], ".2f") for name in names]
        rows.append(row)
    names = ("residual", "Jacobian", "factorisation", "back-substitution")
    header = ("mesh", "unknowns", *(f"{name}, {kernel}" for kernel in KERNELS for name in names))
    return f"Fastest of {REPEATS}, CPU ms\n\n{table(header, rows)}"


def first_runs() -> str:
    """Lines: what a process pays that finds nothing compiled."""
    lines = []
    for kernel in KERNELS:
        with tempfile.TemporaryDirectory() as folder:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(
                [sys.executable, "-c", _FIRST, kernel, DEVICE],
                check=True,
                env=os.environ | {"XDG_CACHE_HOME": folder},
            )
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        lines.append(f"A process that finds nothing compiled, {kernel}: {seconds:.0f} CPU s")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pulses", type=int, default=100, help="pulses of a train")
    parser.add_argument("--parts", action="store_true", help="the table of parts alone")
    parser.add_argument("--out", type=Path, help="file to which the tables are added")
    options = parser.parse_args()
    jobs = (lambda: runs(options.pulses), parts, first_runs)
    report(jobs[1:2] if options.parts else jobs, options.out)


if __name__ == "__main__":
    main()
