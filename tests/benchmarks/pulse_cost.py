"""What pulses cost: by amplitude, against the sweep's stepper, by number and by mesh; memory."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from figures import DEVICE
from markdown import number, table
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from mpi4py import MPI

import devicephys
from devicephys import Device, PulseTrain, Settings, Waveform
from devicephys.fem.assembly import prepare
from devicephys.fem.pulses.runner import PulseRunner
from devicephys.population.variability import Variability, draw_cell
from devicephys.simulation.pulses import PulseEvent

AMPLITUDES = ("-1.8 V", "-2 V", "-2.2 V", "-2.5 V", "-3 V")
#: trains whose error is measured: number of the drawn cell (0 is the one that is given), amplitude,
#: width, resistance before; SET pulses move nothing in a formed cell
MERGED = tuple(
    (0, amplitude, width, None)
    for width in ("100 ns", "20 ns", "1 us")
    for amplitude in ("-2 V", "-2.5 V", "-3 V")
)
MERGED_SET = tuple(
    (0, amplitude, width, "40 kohm")
    for width in ("100 ns", "20 ns", "1 us")
    for amplitude in ("2 V", "2.5 V", "3 V")
)
MERGED_DRAWN = tuple(
    (cell, amplitude, "100 ns", before)
    for cell in range(1, 6)
    for amplitude, before in (("-2 V", None), ("-3 V", None), ("2.5 V", "40 kohm"))
)
PARTS = ("residual", "jacobian", "factorisation", "back-substitution", "rest", "solving")
#: meshes of the cost against unknowns: preset and changes
MESHES: tuple[tuple[str, dict[str, float]], ...] = (
    ("quick", {}),
    ("default", {}),
    ("quick", {"mesh_split": 2}),
    ("default", {"mesh_split": 2}),
    ("default", {"mesh_split": 3}),
    ("quick", {"mesh_split": 5}),
)


def train(
    device: Device,
    amplitude: str,
    count: int,
    settings: Settings,
    width: str = "100 ns",
    before: str | None = None,
) -> xr.Dataset:
    """One train on this process alone, from a resistance that the cell is brought to before."""
    return devicephys.simulate_pulses(
        device,
        PulseTrain(amplitude, width, count=count),
        settings,
        initial_resistance=before,
        initial_tolerance=5e-4,
        comm=MPI.COMM_SELF,
    )


def merged(device: Device, trains: Sequence[tuple] = MERGED, count: int = 100) -> str:
    """Table: CPU and error of trains with merged pulses, against the same pulse by pulse.

    The reference of the error is pulse by pulse at a sixty-fourth of the tolerance.
    """
    drawn = {
        n: draw_cell(device, Variability(), 0, device_number=n).device for n in range(1, 6)
    } | {0: device}
    every = Settings.preset(every_pulse=True)
    fine = every.with_(pulse_tolerance=every.pulse_tolerance / 64)
    train(device, "-2 V", 1, every)  # compiled forms at hand
    rows = []
    for cell, amplitude, width, before in trains:
        seconds, traces = [], []
        for settings in (every, Settings.preset(), fine):
            begun = time.process_time()
            traces.append(train(drawn[cell], amplitude, count, settings, width, before))
            seconds.append(time.process_time() - begun)
        single, short, reference = (trace["conductance"].values for trace in traces)
        off, own = short / reference - 1, single / reference - 1
        controls = traces[1].sizes.get("control", 0)
        steps = [int(trace["accepted_steps"].sum()) for trace in traces[:2]]
        rows.append(
            [
                f"{cell}" if cell else "as given",
                amplitude.replace("-", "−"),
                width.replace("u", "µ"),
                f"{1e6 * reference[0]:.1f} to {1e6 * reference[-1]:.1f}",
                *(number(value, ".1f") for value in seconds[:2]),
                number(seconds[0] / seconds[1], ".1f"),
                *map(str, (*steps, controls)),
                *(number(float(np.abs(error).max()), ".2f", 100.0) for error in (off, own)),
                *(number(float(np.sqrt((e**2).mean())), ".2f", 100.0) for e in (off, own)),
            ]
        )
    header = (
        "drawn cell",
        "amplitude",
        "width",
        "first and last read (µS)",
        "each pulse (CPU s)",
        "merged (CPU s)",
        "ratio",
        "steps, each",
        "steps, merged",
        "controls",
        "largest error, merged (%)",
        "each (%)",
        "rms error, merged (%)",
        "each (%)",
    )
    title = f"{count} pulses with reads, merged in stress time, preset default"
    return f"{title}\n\n{table(header, rows)}"


def headline(trace: xr.Dataset) -> dict:
    """Counts and seconds of a train."""
    found: dict = json.loads(trace.attrs["headline_json"])
    return found


def by_amplitude(device: Device, count: int = 100) -> str:
    """Table: trains of RESET pulses at the preset "default"."""
    settings = Settings.preset(every_pulse=True)
    train(device, "-2 V", 1, settings)  # compiled forms at hand
    rows = []
    for amplitude in AMPLITUDES:
        trace = train(device, amplitude, count, settings)
        found, mean = headline(trace), trace.mean("pulse")
        rows.append(
            [
                amplitude.replace("-", "−"),
                number(float(trace.initial_conductance), ".1f", 1e6),
                *(number(float(trace.conductance[k]), ".2f", 1e6) for k in (0, 9, -1)),
                number(float(trace.temperature_max.max()), ".0f", 1.0),
                *(
                    number(float(mean[name]), ".1f")
                    for name in (
                        "accepted_steps",
                        "rejected_steps",
                        "newton_iterations",
                        "factorisations",
                    )
                ),
                *(number(found["seconds"][part], ".1f") for part in PARTS),
            ]
        )
    header = (
        "amplitude",
        "G at first (µS)",
        *(f"after {k}" for k in (1, 10, count)),
        "peak T (K)",
        *(f"{name} a pulse" for name in ("steps", "rejected", "iterations", "factorisations")),
        *(f"{part} (s)" for part in PARTS),
    )
    return f"{count} pulses of 100 ns with reads, preset default\n\n" + table(header, rows)


def against_sweep(device: Device, count: int = 10) -> str:
    """Table: the same train stepped as a sweep, and as pulses."""
    settings = Settings.preset()
    pulses = PulseTrain("-2 V", count=count)
    _, stepper, state = prepare(device, settings, MPI.COMM_SELF)
    started = time.perf_counter()
    for k in range(count):
        wave: Waveform = pulses.pulse(k)
        for step in stepper.run(state, wave.voltage, wave.corners, 1e-2 * pulses.rise):
            state = step.state
    seconds = time.perf_counter() - started
    swept = stepper.statistics
    trace = train(device, "-2 V", count, settings)
    found, total = headline(trace), trace.sum("pulse")
    rows = [
        [
            "stepper of sweeps",
            number(swept.steps / count, ".1f"),
            number(swept.rejected / count, ".1f"),
            number(swept.newton_iterations / count, ".1f"),
            number(swept.factorisations / count, ".1f"),
            number(seconds / count, ".0f", 1e3),
        ],
        [
            "stepper of pulses",
            *(
                number(float(total[name]) / count, ".1f")
                for name in (
                    "accepted_steps",
                    "rejected_steps",
                    "newton_iterations",
                    "factorisations",
                )
            ),
            number(found["seconds"]["solving"] / count, ".0f", 1e3),
        ],
    ]
    header = ("", "steps", "rejected", "iterations", "factorisations", "ms")
    return (
        f"The first {count} pulses of −2 V, each with its read, preset default, a pulse\n\n"
        + table(header, rows)
    )


def scaling(device: Device, picture: Path, count: int = 300) -> str:
    """Table and picture: seconds (of this process) against the number of pulses, and unknowns."""
    stamps: list[float] = []

    def stamp(_: PulseEvent) -> None:
        stamps.append(time.process_time())

    devicephys.simulate_pulses(
        device,
        PulseTrain("-2 V", count=count),
        Settings.preset(every_pulse=True),
        progress=stamp,
        comm=MPI.COMM_SELF,
    )
    seconds = np.array(stamps) - stamps[0]
    late = slice(count // 3, None)
    slope = np.polyfit(np.arange(count)[late], seconds[late], 1)
    straight = np.polyval(slope, np.arange(count)[late])
    apart = np.abs(seconds[late] - straight).max() / (seconds[-1] - seconds[late][0])
    rows, unknowns, costs, each = [], [], [], []
    for preset, changes in MESHES:
        runner = PulseRunner(device, Settings.preset(preset, **changes), MPI.COMM_SELF)
        pulses = PulseTrain("-2 V", count=4)
        runner.pulse(pulses, 0)
        started, iterations = time.process_time(), 0
        for k in range(1, 4):
            iterations += runner.pulse(pulses, k).newton_iterations
        spent = (time.process_time() - started) / 3
        unknowns.append(runner.problem.unknowns)
        costs.append(spent)
        each.append(spent / (iterations / 3))
        rows.append(
            [
                preset + "".join(f", {k} {v}" for k, v in changes.items()),
                str(unknowns[-1]),
                number(iterations / 3, ".1f"),
                number(spent, ".0f", 1e3),
                number(each[-1], ".1f", 1e3),
            ]
        )
    exponents = [np.polyfit(np.log(unknowns), np.log(y), 1)[0] for y in (costs, each)]
    _draw(picture, seconds, unknowns, costs, float(exponents[0]))
    header = ("mesh", "unknowns", "iterations a pulse", "ms a pulse", "ms an iteration")
    return (
        f"Seconds against pulses, {count} pulses of −2 V: {seconds[count // 3]:.1f} s for the "
        f"first {count // 3}, in which the cell still moves, {seconds[-1]:.1f} s for all. Over the "
        f"last two thirds {1e3 * slope[0]:.0f} ms a pulse; the largest distance from that line is "
        f"{100 * apart:.1f} % of their time.\n\n"
        f"Pulses 2 to 4 of −2 V against unknowns: exponent {exponents[0]:.2f} a pulse, "
        f"{exponents[1]:.2f} an iteration.\n\n" + table(header, rows)
    )


def _draw(
    picture: Path, seconds: np.ndarray, unknowns: list[int], costs: list[float], exponent: float
) -> None:
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    left.plot(np.arange(1, len(seconds) + 1), seconds, color="#0072B2")
    left.set_xlabel("pulses")
    left.set_ylabel("time (s)")
    left.set_title("time against pulses")
    right.loglog(unknowns, costs, "o", color="#0072B2", label="measured")
    line = np.geomspace(min(unknowns), max(unknowns), 2)
    middle = np.exp(np.mean(np.log(costs))), np.exp(np.mean(np.log(unknowns)))
    for power, style, name in (
        (exponent, "-", f"fit: unknowns$^{{{exponent:.2f}}}$"),
        (1.3, "--", "unknowns$^{1.3}$"),
    ):
        right.loglog(
            line, middle[0] * (line / middle[1]) ** power, style, color="#555555", label=name
        )
    right.set_xlim(1e3, 1e5)
    right.set_xlabel("unknowns")
    right.set_ylabel("time of a pulse (s)")
    right.set_title("time against unknowns")
    right.legend(frameon=False)
    for axes in (left, right):
        axes.grid(alpha=0.3)
    figure.savefig(picture, dpi=150)


def memory(device: Device, count: int = 10_000) -> str:
    """Largest resident memory after a tenth of a long train, and at its end."""
    peaks: dict[int, float] = {}

    def watch(event: PulseEvent) -> None:
        if event.pulse in (count // 10, count):
            peaks[event.pulse] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    started = time.perf_counter()
    devicephys.simulate_pulses(
        device,
        PulseTrain("-2 V", count=count),
        Settings.preset("quick", every_pulse=True),
        progress=watch,
        comm=MPI.COMM_SELF,
    )
    spent = time.perf_counter() - started
    texts = ", ".join(f"{peak:.0f} MiB after {pulse}" for pulse, peak in peaks.items())
    return f"Largest resident memory of a train of {count} pulses, quick: {texts}; {spent:.0f} s."


def window(device: Device) -> str:
    """Table: how far a train moves the cell, and how that depends on mesh and step."""
    rows = []
    for name, settings in (
        ("default", Settings.preset()),
        ("time step halved", Settings.preset(pulse_tolerance=Settings().pulse_tolerance / 8)),
        ("mesh halved", Settings.preset(mesh_split=2)),
        ("both halved", Settings.preset().halved()),
    ):
        trace = train(device, "-2 V", 20, settings.with_(every_pulse=True))
        rows.append(
            [
                name,
                number(float(trace.initial_conductance), ".2f", 1e6),
                *(
                    number(float(trace.conductance[k]), ".2f", 1e6)
                    for k in (0, 1, 2, 3, 4, 5, 9, 19)
                ),
                number(float(trace.temperature_max.max()), ".0f"),
            ]
        )
    header = ("", "before", *(f"after {k}" for k in (1, 2, 3, 4, 5, 6, 10, 20)), "peak T (K)")
    return "Conductance (µS), pulses of −2 V, 100 ns\n\n" + table(header, rows)


def isolated(device: Device) -> str:
    """Largest relative difference between pulses a second apart and pulses a microsecond apart."""
    far, near = (
        devicephys.simulate_pulses(
            device,
            PulseTrain("-3 V", width="1 ns", count=5, rise="0.1 ns", fall="0.1 ns", period=period),
            comm=MPI.COMM_SELF,
        ).conductance.values
        for period in ("1 s", "1 us")
    )
    texts = ", ".join(number(g, ".1f", 1e6) for g in far)
    return (
        f"Five pulses of 1 ns and −3 V, one a second: {texts} µS; one a microsecond: the same to "
        f"{np.abs(far / near - 1).max():.0e}."
    )


__all__ = [
    "DEVICE",
    "against_sweep",
    "by_amplitude",
    "isolated",
    "memory",
    "merged",
    "scaling",
    "window",
]
