"""Measure the solver on this machine and print Markdown tables for the docs.

``python tests/benchmarks/run.py`` prints the costs of one loop; ``--sensitivity``, ``--loops``,
``--balances``, ``--pulses`` and ``--memory`` print those tables instead, ``--pulse-scaling`` also
draws a picture. One process, one core. Tables are written nowhere unless ``--out`` names a file, to
which they are added.
"""

from __future__ import annotations

import argparse
import os
import platform
from pathlib import Path

# Before NumPy is loaded: threads inside small matrices only get in each other's way.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import cost
import pulse_cost
import sensitivity
from figures import DEVICE
from markdown import report

import devicephys


def arguments() -> argparse.Namespace:
    """What the person wants measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--device", default=DEVICE, help="library device or YAML file")
    parser.add_argument("--preset", default="default", help="for all tables but that of costs")
    parser.add_argument("--costs", action="store_true", help="costs (as without any choice)")
    parser.add_argument(
        "--full", action="store_true", help="costs: the staggered schemes at 'default' too"
    )
    parser.add_argument("--sensitivity", action="store_true", help="mesh and time step halved")
    parser.add_argument("--loops", action="store_true", help="figures of loops 1, 2, 3 and 10")
    parser.add_argument("--balances", action="store_true", help="largest imbalances of a loop")
    parser.add_argument(
        "--pulses", action="store_true", help="cost of pulse trains, their window, isolated pulses"
    )
    parser.add_argument(
        "--pulse-scaling",
        action="store_true",
        help="seconds of pulses against their number and against unknowns; draws PICTURES",
    )
    parser.add_argument("--memory", action="store_true", help="memory of 10,000 pulses; minutes")
    parser.add_argument(
        "--pictures", type=Path, default=Path("docs"), help="folder for what is drawn"
    )
    parser.add_argument("--out", type=Path, help="file to which the tables are added")
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    wanted = arguments()
    device = devicephys.load_device(wanted.device)
    others = wanted.sensitivity or wanted.loops or wanted.balances
    others = others or wanted.pulses or wanted.pulse_scaling or wanted.memory
    jobs = []
    if wanted.costs or wanted.full or not others:
        jobs.append(lambda: cost.report(device, wanted.full))
    if wanted.sensitivity:
        jobs.append(lambda: sensitivity.halving(device, wanted.preset))
    if wanted.loops:
        jobs.append(lambda: sensitivity.loops(device, wanted.preset))
    if wanted.balances:
        jobs.append(lambda: sensitivity.balances(device, wanted.preset))
    if wanted.pulses:
        for trains in (pulse_cost.MERGED, pulse_cost.MERGED_SET, pulse_cost.MERGED_DRAWN):
            jobs.append(lambda trains=trains: pulse_cost.merged(device, trains))
        jobs.append(lambda: pulse_cost.by_amplitude(device))
        jobs.append(lambda: pulse_cost.against_sweep(device))
        jobs.append(lambda: pulse_cost.window(device))
        jobs.append(lambda: pulse_cost.isolated(device))
    if wanted.pulse_scaling:
        jobs.append(lambda: pulse_cost.scaling(device, wanted.pictures / "pulse_cost.png"))
    if wanted.memory:
        jobs.append(lambda: pulse_cost.memory(device))
    heading = f"{device.name}, ddk-toolkit {devicephys.__version__}, {platform.machine()}, one core"
    report((lambda: heading, *jobs), wanted.out)


if __name__ == "__main__":
    main()
