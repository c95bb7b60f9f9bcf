"""How many devices drawn at random from their ranges the solver finishes.

``python tests/benchmarks/random_devices.py`` simulates the I-V loop of each of 200 random devices
(``--kind pulses``: five RESET pulses of 2 to 3 V and 0.1 to 10 us) at preset "quick", each in a
process of its own with a time limit, and prints a Markdown table of what became of them, the seeds
of all that did not finish, and how long they took. They are drawn around the cells of the library
in turn (seed modulo their number), or around ``--device``. The figures of a finished one have to
make sense, see ``nonsense``. ``--log FILE`` keeps one line a device. One device alone: ``--only
SEED``; its file: ``ddk-device random-device --seed SEED --device CELL``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from markdown import table

from devicephys.simulation.provenance import HOTTEST

OUTCOMES = {
    "finished": "finished",
    "solver": "refused by the solver",
    "input": "refused as input",
    "nonsense": "figures that make no sense",
    "nan": "NaN or infinity in the record",
    "traceback": "traceback",
    "timeout": "beyond the time limit",
}
#: figures of a finished run: what it means if they exceed a limit, and the limit
EXTRA = {
    "change": ("conductance changes more than twofold", 2.0),
    "hottest": ("hotter than the oxides melt", HOTTEST),
}


def nonsense(device: Any, trace: Any) -> list[str]:
    """What of the figures of a loop cannot be, or is not said though it should be."""
    headline = json.loads(trace.attrs["headline_json"])
    wrong = []
    # the first point and other zero crossings carry no current worth a sign
    apart = np.abs(trace.device_voltage.values) > 1e-3
    if (trace.current.values * trace.device_voltage.values)[apart].min(initial=0.0) < -1e-15:
        wrong.append("current against the cell's voltage")
    if float(trace.temperature_max.min()) < device.ambient_temperature - 0.1:
        wrong.append("colder than its surroundings")
    for loop in headline["loops"]:
        figures = {key: value for key, value in loop.items() if value is not None}
        onset, rise = figures.get("reset_onset_voltage"), figures.get("set_voltage")
        if onset is not None and not device.sweep.reset_voltage <= onset < 0.0:
            wrong.append(f"RESET at {onset} V")
        if rise is not None and not 0.0 < rise <= device.sweep.set_voltage:
            wrong.append(f"SET at {rise} V")
        for key, value in figures.items():
            if "resistance" in key and not value > 0.0:
                wrong.append(f"{key} {value}")
            if key.startswith("temperature") and value < device.ambient_temperature - 0.1:
                wrong.append(f"{key} {value}")
    for key in ("reset_onset_voltage", "set_voltage"):
        if headline[key] is None and key not in headline["undetermined"]:
            wrong.append(f"{key} is missing without a word")
    if not headline.get("localisation_cells"):
        wrong.append("no localisation")
    return wrong


def one(kind: str, seed: int, preset: str, base: str | None = None) -> dict[str, Any]:
    """Simulate one device in this process; what became of it, as a plain mapping."""
    import devicephys
    from ddkbase import records
    from devicephys.device.ranges import random_device

    cells = devicephys.list_devices()
    base = cells[seed % len(cells)] if base is None else base
    found: dict[str, Any] = {"seed": seed, "base": base}
    settings = devicephys.Settings.preset(preset)
    started = time.perf_counter()
    try:
        device = random_device(np.random.default_rng(seed), devicephys.load_device(base))
        if kind == "iv":
            schema, trace = "IVTrace", devicephys.simulate(device, settings=settings)
            magnitude = np.abs(trace.voltage.values)
            conductance = (
                np.abs(trace.current.values[magnitude > 0.05]) / magnitude[magnitude > 0.05]
            )
            found["change"] = float(conductance.max() / conductance.min())
            found["figures"] = json.loads(trace.attrs["headline_json"])["loops"][0]
        else:
            from devicephys.protocol.pulse_train import PulseTrain
            from devicephys.simulation.simulate import simulate_pulses

            rng = np.random.default_rng([seed, 1])
            amplitude, width = -rng.uniform(2.0, 3.0), 10.0 ** rng.uniform(-7.0, -5.0)
            train = PulseTrain(f"{amplitude:.3g} V", f"{width:.3g} s", count=5)
            schema, trace = "PulseTrace", simulate_pulses(device, train, settings)
            conductance = np.append(trace.conductance.values, trace.initial_conductance)
            found["change"] = float(conductance.max() / conductance.min())
        wrong = nonsense(device, trace) if kind == "iv" else []
        found["outcome"] = "nonsense" if wrong else "finished"
        found["reason"] = ", ".join(wrong)
        found["hottest"] = float(trace.temperature_max.max())
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "record.nc"
            try:
                records.write(trace, path)
                records.read(path, schema)
            except devicephys.StorageError as error:
                found |= {"outcome": "nan", "reason": str(error)}
    except devicephys.SolverError as error:
        found |= {"outcome": "solver", "reason": str(error)}
    except devicephys.InputError as error:
        found |= {"outcome": "input", "reason": str(error)}
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(last.filename).name}:{last.lineno}"
        found |= {"outcome": "traceback", "reason": f"{type(error).__name__}: {error} ({place})"}
    found["seconds"] = time.perf_counter() - started
    return found


def run_all(
    options: list[str], seeds: list[int], limit: float, at_once: int, log: Path | None
) -> list[dict[str, Any]]:
    """Run the seeds, ``at_once`` processes at a time, each for at most ``limit`` seconds."""
    waiting, running, done = list(seeds), [], []
    while waiting or running:
        while waiting and len(running) < at_once:
            seed = waiting.pop(0)
            process = subprocess.Popen(
                [sys.executable, __file__, *options, "--only", str(seed)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            running.append((seed, process, time.monotonic()))
        time.sleep(0.05)
        for entry in list(running):
            seed, process, started = entry
            if process.poll() is None and time.monotonic() - started < limit:
                continue
            running.remove(entry)
            found = _outcome(seed, process, limit)
            done.append(found)
            line = json.dumps(found)
            if log is not None:
                with log.open("a", encoding="utf-8") as stream:
                    stream.write(line + "\n")
            if found["outcome"] != "finished":
                print(line, file=sys.stderr, flush=True)
    return sorted(done, key=lambda found: found["seed"])


def _outcome(seed: int, process: subprocess.Popen[str], limit: float) -> dict[str, Any]:
    """What a process reported; it is killed if it still runs."""
    if process.poll() is None:
        process.kill()
        process.communicate()
        return {"seed": seed, "outcome": "timeout", "seconds": limit, "reason": ""}
    out, err = process.communicate()
    try:
        found: dict[str, Any] = json.loads(out.splitlines()[-1])
        return found
    except (IndexError, ValueError):
        reason = f"exit code {process.returncode}: {err[-300:].strip()}"
        return {"seed": seed, "outcome": "traceback", "seconds": 0.0, "reason": reason}


def report(kind: str, done: list[dict[str, Any]]) -> str:
    """Markdown: counts, seconds, and the seed and reason of whatever did not finish."""
    rows = [
        [name, f"{count}", f"{count / len(done):.1%}"]
        for key, name in OUTCOMES.items()
        for count in [sum(found["outcome"] == key for found in done)]
    ]
    seconds = np.array([found["seconds"] for found in done if found["outcome"] == "finished"])
    for key, (what, limit) in EXTRA.items():
        count = sum(found["outcome"] == "finished" and found[key] > limit for found in done)
        rows.append([f"of these, {what}", f"{count}", f"{count / len(done):.1%}"])
    parts = [table((f"{kind}, {len(done)} random devices", "number", "share"), rows)]
    if seconds.size:
        figures = (np.median(seconds), np.quantile(seconds, 0.95), seconds.max())
        half, most, longest = (f"{figure:.1f} s" for figure in figures)
        parts.append(f"Finished ones: median {half}, 95 % within {most}, longest {longest}.")
    wrong = [
        [f"{found['seed']}", OUTCOMES[found["outcome"]], found.get("reason", "")]
        for found in done
        if found["outcome"] != "finished"
    ]
    if wrong:
        parts.append(table(("seed", "outcome", "reason"), wrong, 3))
    return "\n\n".join(parts)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kind", choices=("iv", "pulses"), default="iv")
    parser.add_argument("--devices", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="seed of the first device")
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--device", help="cell to draw around; by default those of the library")
    parser.add_argument("--limit", type=float, default=120.0, help="seconds a device")
    parser.add_argument("--at-once", type=int, choices=(1, 2), default=2, help="processes")
    parser.add_argument("--log", type=Path, help="file to which a line a device is added")
    parser.add_argument("--only", type=int, metavar="SEED", help="this one, in this process")
    wanted = parser.parse_args()
    if wanted.only is not None:
        print(json.dumps(one(wanted.kind, wanted.only, wanted.preset, wanted.device)))
        return
    seeds = list(range(wanted.first, wanted.first + wanted.devices))
    options = ["--kind", wanted.kind, "--preset", wanted.preset]
    options += ["--device", wanted.device] if wanted.device else []
    done = run_all(options, seeds, wanted.limit, wanted.at_once, wanted.log)
    print(report(wanted.kind, done))


if __name__ == "__main__":
    main()
