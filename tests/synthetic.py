"""Plausible records without a solver: the record, picture and command-line tests feed on them.

`iv_trace`: a gap of length g opens at the bottom of the filament from -1.25 V on and closes at
+1.40 V.  The numbers look like a loop of the cell; they are drawn, not computed from the device
equations.
`pulse_trace`: each pulse moves the conductance a share of the way to the end of its polarity.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from ddkbase.records import label
from devicephys.device import load_device
from devicephys.simulation.schemas import POINTS

AMBIENT = 293.15
RESET_ONSET, SET, STOP, RATE = -1.25, 1.40, 1.7, 100.0


def _grid(fine: int) -> tuple[np.ndarray, np.ndarray]:
    """Return r_node and z_node [m], finer near the filament's wall and its bottom."""
    r = np.concatenate([np.linspace(0, 12, 2 * fine + 1), np.linspace(12, 30, fine + 1)[1:]])
    z = np.concatenate(
        [
            np.linspace(0, 30, fine // 2 + 1),
            np.linspace(30, 39, 2 * fine + 1)[1:],
            np.linspace(39, 84, 2 * fine + 1)[1:],
            np.linspace(84, 114, fine // 2 + 1)[1:],
        ]
    )
    return r * 1e-9, z * 1e-9


def _voltage(phase: np.ndarray) -> np.ndarray:
    """Triangle: 0, -STOP, 0, +STOP, 0 for phase 0 to 4."""
    return np.interp(phase, [0, 1, 2, 3, 4], [0, -STOP, 0, STOP, 0])


def _gap(phase: np.ndarray, shift: float) -> np.ndarray:
    """Gap length [m] over the phase of a loop; ``shift`` [V] moves the onsets of later loops."""
    voltage = _voltage(phase)
    opening = np.clip((RESET_ONSET + shift - voltage) / (STOP + RESET_ONSET), 0, 1) ** 0.8
    gap = np.where(phase < 1, opening, 1.0)
    closing = 1 / (1 + np.exp(-(voltage - SET - shift) / 0.006))
    gap = np.where((phase > 2) & (phase <= 3), 1 - closing, gap)
    return 2.2e-9 * np.where(phase > 3, 0.0, gap)


def iv_trace(
    loops: int = 1,
    fine: int = 12,
    steps: int = 160,
    frames: int = 60,
    complete: bool = True,
    warning: str = "",
) -> xr.Dataset:
    """Return a valid IVTrace v1.

    ``loops`` loops of ``steps`` steps, ``frames`` animation frames; ``fine`` sets the grid,
    ``complete=False`` cuts it off after the first RESET half, as after Ctrl-C.
    """
    phase = np.concatenate(
        [[0.0], *[4 * (k + np.arange(1, steps + 1) / steps) for k in range(loops)]]
    )
    loop = np.minimum(phase // 4, loops - 1).astype(int)
    inner = phase - 4 * loop
    if not complete:
        keep = phase <= 2.4
        phase, loop, inner = phase[keep], loop[keep], inner[keep]
    time = phase * STOP / RATE
    voltage = _voltage(inner)
    gap = (
        _gap(inner, 0.0)
        if loops == 1
        else np.array(
            [float(_gap(np.array([p]), 0.004 * k)[0]) for p, k in zip(inner, loop, strict=True)]
        )
    )
    ideal = 4600.0 * np.exp(gap / 0.75e-9) * (1 - 0.06 * (voltage / STOP) ** 2)
    series = 600.0 + 250.0 * np.clip(voltage, 0, None)
    resistance = ideal + series
    current = voltage / resistance
    device_voltage = current * ideal
    # LRS: 400 K above ambient at the RESET onset; the gap concentrates the heat
    power = device_voltage * current
    heating = power * (400.0 / 2.75e-4) * (1 + gap / 0.5e-9)
    temperature_max = AMBIENT + np.minimum(heating, 900.0)
    resistance = np.where(np.abs(voltage) < 1e-3, np.nan, resistance)

    r_node, z_node = _grid(fine)
    r, z = (r_node[1:] + r_node[:-1]) / 2, (z_node[1:] + z_node[:-1]) / 2

    def vacancies(index: np.ndarray) -> np.ndarray:
        """Vacancy maps [1/m^3], shape (index, z, r)."""
        g = gap[index, None, None]
        height = (z - 30e-9)[None, :, None]
        wall = 0.5 * (1 - np.tanh((r - 9e-9) / 0.7e-9))[None, None, :]
        bottom = 0.5 * (1 + np.tanh((height - g) / 0.25e-9)) + (g == 0)
        filament = 1e24 + 1e27 * wall * np.clip(bottom, 3e-3, 1)
        halo = np.exp(-(((height - 9e-9) / 3e-9) ** 2)) * (g / 2.2e-9) * wall
        reservoir = 1e27 * (1 + 0.15 * halo)
        n = np.where(height < 9e-9, filament, reservoir)
        oxide = (z > 30e-9) & (z < 84e-9)
        return np.where(oxide[None, :, None], n, np.nan)

    def temperatures(index: np.ndarray) -> np.ndarray:
        """Temperature maps [K], shape (index, z_node, r_node)."""
        centre = 30e-9 + np.where(gap[index] > 1e-10, gap[index] / 2 + 2e-9, 14e-9)
        wide = np.where(gap[index] > 1e-10, 10e-9, 16e-9)[:, None]
        axial = np.exp(-(((z_node[None, :] - centre[:, None]) / wide) ** 2))
        radial = np.cos(np.pi / 2 * r_node / r_node[-1]) ** 2
        rise = (temperature_max[index] - AMBIENT)[:, None, None]
        return AMBIENT + rise * axial[:, :, None] * radial[None, None, :]

    def potentials(index: np.ndarray) -> np.ndarray:
        """Potential maps [V], shape (index, z_node, r_node)."""
        drop = np.clip((z_node - 30e-9) / 54e-9, 0, 1)[None, :]
        step = np.clip((z_node - 30e-9)[None, :] / np.maximum(gap[index], 1e-10)[:, None], 0, 1)
        share = np.where(gap[index] > 1e-10, 0.8, 0.0)[:, None]
        profile = device_voltage[index][:, None] * (share * step + (1 - share) * drop)
        return np.repeat(profile[:, :, None], r_node.size, axis=2)

    marked = _marked(inner, loop, voltage)
    labels = [p for p in POINTS if p in marked]
    at = np.array([marked[p] for p in labels], dtype=int)
    film = np.unique(np.linspace(0, time.size - 1, frames).round().astype(int))
    steps_s = np.diff(time, prepend=time[0])
    onset = {
        "reset_onset_voltage": RESET_ONSET,
        "reset_gradual_range": 0.42,
        "set_voltage": SET if complete else None,
        "temperature_reset_edge": 693.0,
        "temperature_set_edge": 703.0 if complete else None,
        "low_resistance_before": 5200.0,
        "low_resistance_after": 5200.0 if complete else None,
        "high_resistance": 86e3,
        "resistance_ratio": 16.6,
        "newton_iterations": int(3 * time.size),
        "rejected_steps": 2,
    }
    zero = np.zeros_like(time)
    ds = xr.Dataset(
        {
            "voltage": label(voltage, "time", "V", "Applied voltage"),
            "device_voltage": label(device_voltage, "time", "V", "Voltage across the memristor"),
            "series_voltage": label(voltage - device_voltage, "time", "V", "Series voltage"),
            "current": label(current, "time", "A", "Current"),
            "resistance": label(resistance, "time", "ohm", "Resistance"),
            "temperature_max": label(temperature_max, "time", "K", "Peak temperature"),
            "filament_gap": label(gap, "time", "m", "Filament gap"),
            "vacancy_total": label(zero + 2.5e5, "time", "1", "Vacancies in the oxide"),
            "vacancy_imbalance": label(zero + 1e-15, "time", "1", "Vacancy imbalance"),
            "current_imbalance": label(zero + 1e-12, "time", "1", "Current imbalance"),
            "energy_imbalance": label(zero + 1e-6, "time", "1", "Energy imbalance"),
            "step_size": label(steps_s, "time", "s", "Step size"),
            "newton_iterations": label(zero.astype(int) + 3, "time", "1", "Newton iterations"),
            "joule_power": label(power, "time", "W", "Joule power"),
            "loop": label(loop, "time", "1", "Loop"),
            "rejected_time": label(time[[40, 41]], "rejected", "s", "Time of a rejected step"),
            "rejected_step_size": label([1e-4, 5e-5], "rejected", "s", "Rejected step size"),
            "rejected_reason": label(
                ["Newton did not converge", "time error too large"],
                "rejected",
                "1",
                "Reason of the rejection",
            ),
            "vacancy_concentration": label(
                vacancies(at), ("point", "z", "r"), "1/m^3", "Vacancy concentration"
            ),
            "temperature": label(
                temperatures(at), ("point", "z_node", "r_node"), "K", "Temperature"
            ),
            "potential": label(potentials(at), ("point", "z_node", "r_node"), "V", "Potential"),
            "vacancy_concentration_frame": label(
                vacancies(film), ("frame", "z", "r"), "1/m^3", "Vacancy concentration"
            ),
            "temperature_frame": label(
                temperatures(film), ("frame", "z_node", "r_node"), "K", "Temperature"
            ),
            "potential_frame": label(
                potentials(film), ("frame", "z_node", "r_node"), "V", "Potential"
            ),
        },
        coords={
            "time": label(time, "time", "s", "Time"),
            "r": label(r, "r", "m", "Radius"),
            "z": label(z, "z", "m", "Height"),
            "r_node": label(r_node, "r_node", "m", "Radius"),
            "z_node": label(z_node, "z_node", "m", "Height"),
            "point": label(np.array(labels, dtype=str), "point", "1", "Marked point"),
            "time_point": label(time[at], "point", "s", "Time of a marked point"),
            "time_frame": label(time[film], "frame", "s", "Time of a frame"),
        },
        attrs={
            "schema": "IVTrace",
            "protocol_json": json.dumps({"rate": "100 V/s", "loops": loops}),
            "headline_json": json.dumps(onset),
            "loops": loops,
            "complete": int(complete),
            **_common_attrs(),
        },
    )
    if warning:
        ds.attrs["warning"] = warning
    return ds


def _marked(inner: np.ndarray, loop: np.ndarray, voltage: np.ndarray) -> dict[str, int]:
    """Index of each marked point of the first loop that the run reached."""
    first = loop == 0
    targets = {
        "A": (0, 1, RESET_ONSET / 2),
        "B": (0, 1, RESET_ONSET),
        "C": (0, 1, -1.45),
        "D": (1, 2, -1.69),
        "E": (2, 3, 0.7),
        "F": (2, 3, SET - 0.02),
        "G": (2, 3, SET + 0.03),
        "H": (3, 4, 0.1),
    }
    found = {}
    for name, (low, high, target) in targets.items():
        part = first & (inner >= low) & (inner <= high)
        if part.any() and inner[first].max() >= high - 0.4:
            index = np.flatnonzero(part)
            best = index[np.argmin(np.abs(voltage[index] - target))]
            if abs(voltage[best] - target) < 0.05:
                found[name] = int(best)
    return found


def pulse_trace(
    amplitudes: float | Sequence[float] = -2.0,
    count: int | None = None,
    start: float = 200e-6,
    complete: bool = True,
    wanted_resistance: float = np.nan,
    warning: str = "",
) -> xr.Dataset:
    """Return a valid PulseTrace v1.

    ``amplitudes`` [V], one for all ``count`` pulses (default 100) or one each; ``start`` is the
    conductance before the first pulse [S]; ``complete=False`` cuts the train off after 40 %.
    """
    if isinstance(amplitudes, int | float):
        amplitudes = [amplitudes] * (count or 100)
    amplitude = np.asarray(amplitudes, dtype=float)
    if not complete:
        amplitude = amplitude[: max(1, int(0.4 * amplitude.size))]
    conductance = np.empty(amplitude.size)
    g = start
    for k, height in enumerate(amplitude):  # low and high end: 12 and 230 uS
        goal = 12e-6 if height < 0 else 230e-6
        g += (goal - g) * (0.05 * min(abs(height) / 2, 2.0) ** 4)
        conductance[k] = g
    voltage_share = 1 / (1 + 600 * conductance)
    current = amplitude * voltage_share * conductance
    zero = np.zeros(amplitude.size)
    whole = zero.astype(int)

    def per_pulse(values: Any, units: str, name: str) -> xr.Variable:
        return label(values, "pulse", units, name)

    pulse = np.arange(1, amplitude.size + 1)
    return xr.Dataset(
        {
            "conductance": per_pulse(conductance, "S", "Conductance after the pulse"),
            "read_current": per_pulse(0.1 * conductance, "A", "Read current"),
            "voltage": per_pulse(amplitude, "V", "Applied voltage"),
            "device_voltage": per_pulse(amplitude * voltage_share, "V", "Voltage across the cell"),
            "current": per_pulse(current, "A", "Current at the end of the pulse"),
            "temperature_max": per_pulse(
                AMBIENT + 1.1e6 * np.abs(amplitude * current), "K", "Peak temperature"
            ),
            "filament_gap": per_pulse(0.3e-9 * np.log(240e-6 / conductance), "m", "Filament gap"),
            "energy": per_pulse(np.abs(amplitude * current) * 1e-7, "J", "Energy of the pulse"),
            "amplitude": per_pulse(amplitude, "V", "Amplitude"),
            "width": per_pulse(zero + 1e-7, "s", "Width"),
            "accepted_steps": per_pulse(whole + 30, "1", "Accepted steps"),
            "rejected_steps": per_pulse(whole + 1, "1", "Rejected steps"),
            "newton_iterations": per_pulse(whole + 90, "1", "Newton iterations"),
            "factorisations": per_pulse(whole + 90, "1", "Factorisations"),
            "vacancy_imbalance": per_pulse(zero + 1e-15, "1", "Vacancy imbalance"),
            "current_imbalance": per_pulse(zero + 1e-12, "1", "Current imbalance"),
            "energy_imbalance": per_pulse(zero + 1e-6, "1", "Energy imbalance"),
            "initial_resistance": label(1 / start, (), "ohm", "Resistance before the train"),
            "initial_conductance": label(start, (), "S", "Conductance before the train"),
            "wanted_resistance": label(wanted_resistance, (), "ohm", "Resistance wanted"),
            "preparation_pulses": label(
                0 if np.isnan(wanted_resistance) else 7, (), "1", "Pulses to get there"
            ),
        },
        coords={"pulse": per_pulse(pulse, "1", "Pulse number")},
        attrs={
            "schema": "PulseTrace",
            "title": "Pulse train",
            "protocol_json": json.dumps({"kind": "PulseTrain", "read_voltage": "100 mV"}),
            "headline_json": json.dumps({"seconds": {"solving": 2.0, "setup": 0.5, "rest": 2.0}}),
            "complete": int(complete),
            "ranks": 1,
            "seed": "none: no random numbers",
            "cycle": 0,
            "device_number": 0,
            "source_checksum": "none: drawn",
            **_common_attrs(),
            **({"warning": warning} if warning else {}),
        },
    )


def _common_attrs() -> dict[str, Any]:
    return {
        "schema_version": 1,
        "device_yaml": load_device("tin-taox-hfox-tin").to_yaml(),
        "settings_json": json.dumps({"preset": "quick"}),
        "versions_json": json.dumps({"numpy": np.__version__}),
        "created": "2025-01-01T00:00:00+00:00",
        "voltage_reference": "1T1R cell",
        "method": "monolithic",
    }
