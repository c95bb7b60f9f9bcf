"""What repeats a run: the command if there is one, otherwise lines of Python; made from the record.

Both use the device.yaml that lies beside the report, or the device kept in the record.
"""

from __future__ import annotations

import json
import math
import shlex
from typing import Any

import numpy as np
import xarray as xr

from ddkbase.errors import DDKError
from devicephys.device import Device
from devicephys.population.variability import Variability
from devicephys.protocol.bake import Bake, EnduranceTest
from devicephys.protocol.pulse_train import PulseTrain
from devicephys.protocol.switching_scan import SwitchingScan
from devicephys.protocol.waveform import IVSweep
from devicephys.run.folder import DEVICE
from devicephys.simulation.pulses import FEWEST_MERGED
from devicephys.simulation.settings import PRESETS, Settings

OUT = "again"
_PROTOCOLS = {p.__name__: p for p in (PulseTrain, SwitchingScan, Bake, EnduranceTest)}
_WIDTH = 90  # of a command in one line
_NUMBERS = ("seed", "cycle", "device_number")  # of a cell that was drawn from a population


def command(ds: xr.Dataset, device: Device) -> str | None:
    """The command that computes an IVTrace, PulseTrace or SwitchingTime again, to be typed in the
    folder that holds the device file; None if the command line cannot say it."""
    try:
        protocol = json.loads(ds.attrs["protocol_json"])
        named = _options(ds, device, protocol)
        settings = json.loads(ds.attrs["settings_json"])
        every_pulse = settings.pop("every_pulse", False) or _was_single(ds)
        motion = settings.pop("motion", True)
        preset = _preset(settings)
        ranks = int(ds.attrs.get("ranks", 1))
    except (DDKError, KeyError, TypeError, ValueError, AttributeError):  # of another origin
        return None
    if named is None or preset is None:
        return None
    name, given = named
    if "scheme" in preset and name != "iv":  # which alone has that option
        return None
    start = f"ddk-device {name}"
    if ranks > 1:
        start = f"mpiexec -n {ranks} {start}"
    if ds.attrs.get("started_from"):
        given = {"from": ds.attrs["started_from"], **given}
    # "--name=value": a value may begin with a minus sign
    options = ["--every-pulse"] if every_pulse and name == "pulses" else []
    options += [] if motion else ["--no-motion"]
    options += [
        f"--{key.replace('_', '-')}={shlex.quote(str(value))}"
        for key, value in ({"device": DEVICE} | given | preset | {"out": OUT}).items()
    ]
    line = " ".join([start, *options])
    return line if len(line) <= _WIDTH else " \\\n    ".join([start, *options])


def _was_single(ds: xr.Dataset) -> bool:
    """Whether equal pulses were simulated one by one, as they all were before they were merged."""
    if ds.attrs["schema"] != "PulseTrace" or "control" in ds.sizes:
        return False
    equal = all(np.ptp(ds[name].values) == 0 for name in ("amplitude", "width"))
    return equal and ds.sizes["pulse"] >= FEWEST_MERGED


def _options(
    ds: xr.Dataset, device: Device, protocol: dict[str, Any]
) -> tuple[str, dict[str, Any]] | None:
    """Name of the command, and the options of its protocol that are not the command's own."""
    kind = protocol.pop("kind")
    if kind == "IVSweep":
        plain = IVSweep.from_device(device).to_dict()
        return ("iv", {}) if plain == {"kind": kind, **protocol} else None
    default = _PROTOCOLS[kind]().to_dict()
    changed = {name: value for name, value in protocol.items() if value != default.get(name)}
    for name in ("temperatures", "voltages"):
        if name in changed:
            changed[name] = ", ".join(changed[name])
    if kind == "EnduranceTest":
        return "endurance", changed
    if kind == "Bake":
        return "retention", changed
    if kind == "SwitchingScan":  # without an option for the read
        return None if "read_voltage" in changed else ("switching-time", changed)
    if any(isinstance(value, list) for value in changed.values()):
        return None
    if {"read_width", "read_edge"} & changed.keys():
        return None
    if "width" in changed:  # on which the command's own period depends
        changed["period"] = protocol["period"]
    resistance = float(ds["wanted_resistance"])
    if not math.isnan(resistance):
        changed["initial_resistance"] = f"{resistance:.17g} ohm"
    if not isinstance(ds.attrs["seed"], str):
        plain = json.loads(json.dumps(Variability().to_dict()))
        if json.loads(ds.attrs["variability_json"]) != plain:
            return None
        changed |= {name: int(ds.attrs[name]) for name in _NUMBERS}
    return "pulses", changed


def _preset(settings: dict[str, Any]) -> dict[str, str] | None:
    name, scheme = settings["name"], settings["scheme"]
    if name not in PRESETS or Settings.preset(name, scheme=scheme) != Settings(**settings):
        return None
    return {"preset": name} | ({} if scheme == "monolithic" else {"scheme": scheme})


def script(ds: xr.Dataset, record: str) -> str:
    """Lines of Python that compute a record again, from its file ``record`` alone; a cell that was
    drawn from a population needs the device file it was drawn from as well."""
    device, more = 'device_from_yaml(ds.attrs["device_yaml"])', []
    names = ["Settings", "device_from_yaml", "protocol_from_dict", "records", "simulate"]
    if ds.attrs["schema"] == "PulseTrace":
        resistance = float(ds["wanted_resistance"])
        if not math.isnan(resistance):
            more.append(f'    initial_resistance="{resistance!r} ohm",')
        if not isinstance(ds.attrs["seed"], str):
            device = f'load_device("{DEVICE}")'
            names = ["Settings", "Variability", "load_device", *names[2:]]
            more.append('    variability=Variability.from_mapping(stored("variability_json")),')
            more += [f"    {name}={int(ds.attrs[name])}," for name in _NUMBERS]
    if ds.attrs.get("started_from"):
        more.append(f"    start=end_of(Path({ds.attrs['started_from']!r})),")
    lines = [
        "import json",
        *(["from pathlib import Path"] if ds.attrs.get("started_from") else []),
        "",
        f"from devicephys import {', '.join(names)}",
        *(["from devicephys.run import end_of"] if ds.attrs.get("started_from") else []),
        "",
        f"ds = records.read({record!r})",
        "stored = lambda name: json.loads(ds.attrs[name])",
        "repeated = simulate(",
        f"    {device},",
        '    protocol_from_dict(stored("protocol_json")),',
        '    Settings(**stored("settings_json")),',
        *more,
        ")",
    ]
    return "\n".join(lines) + "\n"
