"""Scripted calibration of a device against the article's current-voltage loop.

A damped Gauss-Newton search with a line search over a few parameters, in their logarithms, that
brings the headline figures of one simulated loop to the targets. The Jacobian is by forward
differences, its columns computed by several processes. Every simulation and its figures are
written to a log, so that the path from the starting set to the shipped one can be read.

The targets are calibration targets: what the article states of its own simulation (Shi et al.,
Nat. Commun. 16, 913 (2025), section "Device modeling"), not validation.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import json
import multiprocessing
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ddkbase.errors import DDKError, InputError, StorageError
from ddkbase.files import write_bytes
from ddkbase.units import from_si
from devicephys.device import Device, load_device
from devicephys.device.entries import parameter_value
from devicephys.device.library import device_from_yaml
from devicephys.protocol.waveform import IVSweep
from devicephys.simulation.settings import Settings
from devicephys.simulation.simulate import simulate

#: headline figures by name; None where the loop does not show the event
Figures = dict[str, float | None]


@dataclasses.dataclass(frozen=True)
class Target:
    """A wanted figure: residual (figure - value)/tolerance, one-sided where ``at_least``."""

    figure: str
    value: float
    tolerance: float
    at_least: bool = False

    def residual(self, figures: Figures) -> float:
        """Signed misfit in tolerances; 5 where the loop does not show the event."""
        found = figures.get(self.figure)
        if found is None or not np.isfinite(found):
            return 5.0
        misfit = (found - self.value) / self.tolerance
        return min(misfit, 0.0) if self.at_least else misfit


#: damping of the Gauss-Newton matrix, and the shares of its step that are tried
DAMPING, LENGTHS = 0.3, (1.0, 0.6, 0.35, 0.2, 0.1, 0.05)

#: loops of each simulation: the drift is that from the first to the last
LOOPS = 2

#: library device the calibration starts from
START = "calibration-start"

#: The article's figures and how closely they are to be met (V, ohm, K)
TARGETS = (
    Target("reset_onset_voltage", -1.25, 0.03),
    Target("reset_gradual_range", 0.26, 0.01, at_least=True),
    Target("set_voltage", 1.40, 0.05),
    Target("temperature_reset_edge", 693.15, 10.0),
    Target("temperature_set_edge", 703.15, 15.0),
    Target("low_resistance_before", 5000.0, 500.0),
    Target("low_resistance_after", 5000.0, 500.0),
    Target("resistance_drift", 0.0, 0.10),
    Target("resistance_ratio", 16.0, 1.0, at_least=True),
    Target("reset_onset_voltage_drift", 0.0, 0.05),
    Target("set_voltage_drift", 0.0, 0.05),
)


@dataclasses.dataclass(frozen=True)
class Knob:
    """A calibrated parameter: the dotted paths that share its value, unit, and bounds."""

    name: str
    paths: tuple[str, ...]
    unit: str
    low: float
    high: float


def _both(key: str) -> tuple[str, ...]:
    return (f"materials.HfOx.{key}", f"materials.TaOx.{key}")


KNOBS = (
    Knob("conductivity_high", _both("conductivity_high"), "S/m", 8e3, 6e4),
    Knob("conductivity_low", _both("conductivity_low"), "S/m", 30.0, 5e3),
    Knob("conduction_activation", _both("conduction_activation_low"), "eV", 0.05, 0.2),
    Knob("thermal_conductivity_high", _both("thermal_conductivity_high"), "W/m/K", 2.0, 25.0),
    Knob("thermal_conductivity_low", _both("thermal_conductivity_low"), "W/m/K", 0.3, 6.0),
    Knob("diffusion_activation_HfOx", ("materials.HfOx.diffusion_activation",), "eV", 0.9, 1.15),
    Knob("diffusion_activation_TaOx", ("materials.TaOx.diffusion_activation",), "eV", 0.75, 1.1),
    Knob("site_limit", ("vacancy.site_limit",), "cm^-3", 1.02e21, 3e21),
    Knob("transconductance", ("series.transconductance",), "A/V^2", 1e-3, 3e-2),
    Knob("reset_voltage", ("sweep.reset_voltage",), "V", -1.8, -1.35),
    Knob("set_voltage", ("sweep.set_voltage",), "V", 1.45, 1.8),
)


def figures_of(device: Device, settings: Settings) -> Figures:
    """Headline figures of the first loop of a device and its drift to the last of ``LOOPS``.

    Empty where the solver refused.
    """
    try:
        sweep = IVSweep.from_device(device.with_({"sweep.loops": str(LOOPS)}))
        loop = simulate(device, sweep, settings)
    except DDKError:
        return {}
    figures = json.loads(loop.attrs["headline_json"])
    before, after = figures.get("low_resistance_before"), figures.get("low_resistance_after")
    figures["resistance_drift"] = after / before - 1.0 if before and after else None
    first, last = figures["loops"][0], figures["loops"][-1]
    for key in ("reset_onset_voltage", "set_voltage"):
        both = first[key] is not None and last[key] is not None
        figures[key + "_drift"] = last[key] - first[key] if both else None
    return figures


def _worker(task: tuple[str, dict[str, Any]]) -> Figures:
    text, settings = task
    return figures_of(device_from_yaml(text), Settings(**settings))


class Calibration:
    """One search; ``run`` returns the calibrated device and its figures.

    Parameters: ``start`` the device to begin with, ``settings`` how loops are solved, ``targets``
    and ``knobs`` as above, ``report`` a function that receives lines of text.
    """

    def __init__(
        self,
        start: Device,
        settings: Settings,
        targets: Sequence[Target] = TARGETS,
        knobs: Sequence[Knob] = KNOBS,
        report: Callable[[str], None] = print,
        workers: int | None = None,
    ):
        self.start, self.settings = start, settings
        self.targets, self.knobs, self.report = tuple(targets), tuple(knobs), report
        self.workers = workers or max(1, (os.cpu_count() or 1))

    def values(self, device: Device) -> np.ndarray:
        """Logarithms of the magnitudes of the knobs of a device, shape (knobs,)."""
        flat = {row[0]: row for row in device.table()}
        found = []
        for knob in self.knobs:
            path = knob.paths[0]
            if path not in flat:
                raise InputError(f"the device has no {path}", "calibration")
            found.append(np.log(abs(from_si(parameter_value(device, path), knob.unit))))
        return np.array(found)

    def device(self, logs: np.ndarray) -> Device:
        """The device with these knob values, marked calibrated."""
        changes = {}
        for knob, log in zip(self.knobs, logs, strict=True):
            sign = -1.0 if knob.high < 0 else 1.0
            text = f"{sign * np.exp(log):.4g} {knob.unit}"
            for path in knob.paths:
                changes[path] = {
                    "value": text,
                    "mark": "calibrated",
                    "source": "ddk-device calibrate, to the article's I-V loop",
                }
        return self.start.with_(changes)

    def _evaluate(
        self, pool: concurrent.futures.Executor, points: Sequence[np.ndarray]
    ) -> list[Figures]:
        tasks = [(self.device(p).to_yaml(), self.settings.to_dict()) for p in points]
        results = list(pool.map(_worker, tasks))
        for figures in results:
            self.report("  " + figures_line(figures))
        return results

    def residuals(self, figures: Figures) -> np.ndarray:
        """Misfits in tolerances, shape (targets,)."""
        return np.array([t.residual(figures) for t in self.targets])

    def run(self, iterations: int = 8, ridge: float = 0.3) -> tuple[Device, Figures]:
        """Search for at most ``iterations`` Gauss-Newton steps; the best device and its figures.

        ``ridge`` ties the logarithms to the start (1 would weigh a change by a factor e like a
        misfit of one tolerance). Ends early when every figure is within its tolerance.
        """
        bounds = np.sort(np.log([[abs(k.low), abs(k.high)] for k in self.knobs]), axis=1)
        origin = self.values(self.start)
        here = np.clip(origin, bounds[:, 0], bounds[:, 1])
        context = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(self.workers, mp_context=context) as pool:
            figures = self._evaluate(pool, [here])[0]
            best = self._cost(figures, here - origin, ridge)
            for iteration in range(iterations):
                residual = self.residuals(figures)
                self.report(
                    f"iteration {iteration}: cost {best:.3f}, misfits "
                    + " ".join(f"{r:+.2f}" for r in residual)
                )
                if np.abs(residual).max() < 1.0:
                    break
                delta = 0.03
                columns = self._evaluate(pool, [here + delta * e for e in np.eye(len(self.knobs))])
                jacobian = np.column_stack(
                    [(self.residuals(f) - residual) / delta for f in columns]
                )
                improved = False
                normal = jacobian.T @ jacobian + (ridge**2 + DAMPING) * np.eye(len(here))
                right = jacobian.T @ residual + ridge**2 * (here - origin)
                step = np.clip(-np.linalg.solve(normal, right), -0.25, 0.25)
                trials = [np.clip(here + a * step, bounds[:, 0], bounds[:, 1]) for a in LENGTHS]
                for trial, found in zip(trials, self._evaluate(pool, trials), strict=True):
                    cost = self._cost(found, trial - origin, ridge)
                    if cost < best:
                        best, here, figures, improved = cost, trial, found, True
                if not improved:
                    self.report("no step improves the fit")
                    break
        return self.device(here), figures

    def _cost(self, figures: Figures, shift: np.ndarray, ridge: float) -> float:
        return float((self.residuals(figures) ** 2).sum() + ridge**2 * (shift**2).sum())


def figures_line(figures: Figures) -> str:
    """One line of the headline figures, for the log."""
    if not figures:
        return "the solver refused"

    def show(key: str, form: str, scale: float = 1.0, shift: float = 0.0) -> str:
        value = figures.get(key)
        return "-" if value is None else format(value * scale + shift, form)

    return (
        f"RESET {show('reset_onset_voltage', '+.3f')} V at "
        f"{show('temperature_reset_edge', '.0f', shift=-273.15)} degC over "
        f"{show('reset_gradual_range', '.2f')} V; SET {show('set_voltage', '+.3f')} V at "
        f"{show('temperature_set_edge', '.0f', shift=-273.15)} degC; "
        f"{show('low_resistance_before', '.2f', 1e-3)} / "
        f"{show('high_resistance', '.1f', 1e-3)} / "
        f"{show('low_resistance_after', '.2f', 1e-3)} kohm, ratio "
        f"{show('resistance_ratio', '.1f')}; drift {show('reset_onset_voltage_drift', '+.3f')}, "
        f"{show('set_voltage_drift', '+.3f')} V; "
        f"{show('newton_iterations', '.0f')} Newton iterations"
    )


def main(
    out: Path,
    start: str = START,
    preset: str = "default",
    iterations: int = 6,
    report: Callable[[str], None] = print,
) -> Device:
    """Calibrate the start device and write the outcome into a folder.

    ``out`` then holds ``tin-taox-hfox-tin-v1.yaml`` (the device, ready for ``--device``) and
    ``calibration.log`` (every simulation). Raises StorageError where the folder cannot be written
    or already holds an outcome, before anything is computed.
    """
    target, log = out / "tin-taox-hfox-tin-v1.yaml", out / "calibration.log"
    try:
        out.mkdir(parents=True, exist_ok=True)
        stream = log.open("x")
    except FileExistsError:
        raise StorageError(
            "holds a calibration already", str(out), "Choose another folder"
        ) from None
    except OSError as error:
        raise StorageError(f"cannot be written: {error.strerror}", str(out)) from None
    with stream:

        def tell(line: str) -> None:
            report(line)
            stream.write(line + "\n")
            stream.flush()

        device, figures = Calibration(
            load_device(start).with_(name="tin-taox-hfox-tin-v1"),
            Settings.preset(preset),
            report=tell,
        ).run(iterations)
        tell("calibrated: " + figures_line(figures))
    write_bytes(target, device.to_yaml().encode())
    report(f"written: {target}")
    return device
