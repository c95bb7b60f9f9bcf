"""Within which bounds each number of a device makes sense, and devices drawn at random from them.

`RANGES` holds one entry for every numeric parameter of a device file. Where a parameter is bound
to another one (a filament is no taller than its layer), its range is a share of that one, so that
whatever is drawn is a valid device. `docs/ranges.md` is written by `markdown()`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ddkbase.errors import InputError
from ddkbase.units import exact_text, format_si
from devicephys.device.entries import parameter_value
from devicephys.device.library import load_device
from devicephys.device.materials import EIGHT, FIELD, Oxide
from devicephys.device.model import Device
from devicephys.device.range_table import CHOICES, RANGES, USUAL_SHARE, Range

if TYPE_CHECKING:
    import numpy as np

#: device whose layers and materials a random device has, unless another one is given
DEFAULT = "tin-taox-hfox-tin"
_PLAIN_SERIES: dict[str, dict[str, str]] = {
    "none": {"kind": "none"},
    "resistor": {"kind": "resistor", "resistance": "1 kohm", "line_capacitance": "0 F"},
    "transistor": {
        "kind": "transistor",
        "gate_voltage": "1.5 V",
        "threshold_voltage": "0.5 V",
        "transconductance": "1e-3 A/V^2",
        "law": "square",
        "slope_factor": "1",
        "dibl": "0",
        "channel_modulation": "0 1/V",
        "reset_drive": "bit-line",
        "reset_gate_voltage": "1.5 V",
        "line_resistance": "0 ohm",
        "line_capacitance": "0 F",
    },
    "compliance": {
        "kind": "compliance",
        "compliance": "100 uA",
        "reset_compliance": "1 mA",
        "line_capacitance": "0 F",
    },
}
_HEAD = """\
# Ranges

<!-- written by devicephys.device.ranges.markdown(); change range_table.py beside it instead -->

Within these bounds the numbers of a device make sense for the model, and the solver is meant to
work. They are no limits: a device outside them is simulated all the same. Names in braces stand
for all layers or materials in that role: electrodes, metals between them, conductors (both),
layers that lie on another one (upper), oxides, the oxide that holds the filament, and the other
oxides (the reservoir). A parameter that is bound to another one is given as a share of it. The
devices of the library lie inside. The bounds are judgement, drawn around those devices and what is
usual for such cells, not measurements.

`ddk-device random-device --seed 1` prints a device drawn from these ranges;
`tests/benchmarks/random_devices.py` measures what share of them the solver finishes.
"""
_CHOICES_HEAD = "Choices of a random device:\n"
_DIGITS = 4  # of a drawn value


def ranges_of(device: Device) -> dict[str, Range]:
    """Dotted path of every numeric parameter of a device -> its range, roles replaced by names."""
    result: dict[str, Range] = {}
    have = device.provenance
    for entry in RANGES:
        for role, name in _names(device, entry.path):
            path = entry.path.replace(role, name)
            of = entry.of.replace(role, name) if role in entry.of else entry.of
            of = of.replace("{filament}", device.filament.layer)
            below = entry.below.replace(role, name) if role in entry.below else entry.below
            # where an expression stands in place of Eq. (8), its numbers bound nothing
            if path in have and (not of or of in have):
                result[path] = entry._replace(path=path, of=of, below=below)
    return result


def bounds(device: Device) -> dict[str, tuple[float, float]]:
    """Path of every numeric parameter -> its bounds in the unit of the model, shares worked out."""
    result = {}
    for path, entry in ranges_of(device).items():
        whole = parameter_value(device, entry.of) if entry.of else 1.0
        most = parameter_value(device, entry.below) if entry.below else math.inf
        result[path] = entry.lower * whole, min(entry.upper * whole, most)
    return result


def outside(device: Device) -> list[str]:
    """Paths of the parameters of a device that lie outside their ranges."""
    slack = 1e-9  # a value written in other units than the bounds may differ in the last digit
    ranges, result = ranges_of(device), []
    for path, (low, high) in bounds(device).items():
        value = parameter_value(device, path)
        within = low - slack * abs(low) <= value <= high + slack * abs(high)
        if not (within or value == ranges[path].usual == 0.0):
            result.append(path)
    return result


def random_device(rng: np.random.Generator, base: Device | None = None) -> Device:
    """A valid device whose numbers and choices are drawn from `RANGES` and `CHOICES`.

    Layers and materials are those of `base`, by default the shipped cell; terms that `base` leaves
    out are drawn, too. An expression for a conductivity stays as it is, with its constants and the
    thermal conductivity of the filament beside it. The same state of the generator gives the same
    device.

    Raises
    ------
    InputError
        `rng` is no random generator, or `base` no device.
    """
    if not callable(getattr(rng, "random", None)):
        raise InputError("no random generator", "random_device", "Give numpy.random.default_rng(1)")
    base = load_device(DEFAULT) if base is None else base
    if not isinstance(base, Device):
        raise InputError("no device", "random_device, base", "Give a Device, from load_device(...)")
    choices = {path: _choice(rng, odds) for path, odds in CHOICES.items()}
    kind = choices.pop("series.kind")
    start = _with_all_terms(base.with_({"series": _PLAIN_SERIES[kind]}))
    table = ranges_of(start)
    shares = {path: _share(entry, rng.random()) for path, entry in table.items()}
    values: dict[str, float] = {}

    def value(path: str) -> float:
        """Drawn value, after that of the parameter it is a share of."""
        if path not in values:
            if path not in table:
                return parameter_value(start, path)
            entry = table[path]
            whole = value(entry.of) if entry.of else 1.0
            # rounding must not carry it over a bound
            rounded = float(f"{shares[path] * whole:.{_DIGITS}g}")
            most = value(entry.below) if entry.below else math.inf
            values[path] = min(max(rounded, entry.lower * whole), entry.upper * whole, most)
        return values[path]

    units = {path: origin.unit for path, origin in start.provenance.items()}
    source = "drawn at random from its range, see docs/ranges.md"
    changes: dict[str, Any] = {
        path: {"value": exact_text(value(path), units[path]), "mark": "assumed", "source": source}
        for path in table
    }
    for path, text in {**choices, "sweep.loops": "1", "sweep.first": "reset"}.items():
        if path not in start.provenance:  # a choice of transistors
            continue
        changes[path] = {"value": text, "mark": "assumed", "source": source}
    changes["name"] = "random"
    changes["description"] = f"Drawn at random; layers and materials as in {base.name}."
    changes["voltage_reference"] = "1T1R cell" if kind == "transistor" else "bare cell"
    return start.with_(changes)


def markdown() -> str:
    """The text of docs/ranges.md."""
    lines = [_HEAD, "| parameter | from | to | scale | why |", "| --- | ---: | ---: | --- | --- |"]
    for entry in RANGES:
        low, high = _shown(entry.lower, entry.unit), _shown(entry.upper, entry.unit)
        of = f"<br>as a share of `{entry.of}`" if entry.of else ""
        of += f"<br>and below `{entry.below}`" if entry.below else ""
        why = entry.why
        if entry.usual is not None:
            why += f"; {USUAL_SHARE:.0%} of random devices: {_shown(entry.usual, entry.unit)}"
        lines.append(f"| `{entry.path}`{of} | {low} | {high} | {entry.scale} | {why} |")
    lines += ["", _CHOICES_HEAD, "| choice | probability in a random device |", "| --- | --- |"]
    for path, odds in CHOICES.items():
        shown = ", ".join(f"{name} {share:.0%}" for name, share in odds.items())
        lines.append(f"| `{path}` | {shown} |")
    return "\n".join(lines) + "\n"


def _with_all_terms(device: Device) -> Device:
    """The device with every number that its parts may leave out, so that it can be drawn."""
    absent = {
        prefix + name: marker.unit
        for prefix, part in device.parts()
        for name, marker in part.parameters().items()
        if marker.optional and marker.unit and prefix + name not in device.provenance
    }
    for name, material in device.materials.items():
        if isinstance(material, Oxide) and material.law is not None:
            for key in (*EIGHT, *FIELD):  # have no effect beside an expression
                absent.pop(f"materials.{name}.{key}", None)
    added = {}
    for entry in RANGES:
        for role, name in _names(device, entry.path):
            path = entry.path.replace(role, name)
            if path in absent:
                of = entry.of.replace(role, name).replace("{filament}", device.filament.layer)
                whole = parameter_value(device, of) if of else 1.0
                added[path] = exact_text(entry.lower * whole, absent[path])
    return device.with_(added)


def _names(device: Device, path: str) -> list[tuple[str, str]]:
    """(role in braces, name) of all layers or materials that a path of `RANGES` stands for."""
    role = path[path.index("{") : path.index("}") + 1] if "{" in path else ""
    if not role:
        return [("", "")]
    ends, oxides = (device.layers[0], device.layers[-1]), device.oxide_layers
    choices = {
        "{electrode}": ends,
        "{metal}": tuple(layer for layer in device.layers[1:-1] if layer not in oxides),
        "{conductor}": tuple(layer for layer in device.layers if layer not in oxides),
        "{upper}": device.layers[1:],
        "{oxide}": oxides,
        "{filament}": (device.filament_layer,),
        "{reservoir}": tuple(
            layer
            for layer in oxides
            if layer.name != device.filament.layer
            and (path.startswith("layers") or layer.material != device.filament_layer.material)
        ),
    }[role]
    names = [layer.name if path.startswith("layers") else layer.material for layer in choices]
    return [(role, name) for name in dict.fromkeys(names)]


def _share(entry: Range, u: float) -> float:
    """The value at the share `u` of the range, on its scale."""
    if entry.usual is not None:
        if u < USUAL_SHARE:
            return entry.usual
        u = (u - USUAL_SHARE) / (1.0 - USUAL_SHARE)
    if entry.scale == "log":
        return math.exp(math.log(entry.lower) * (1 - u) + math.log(entry.upper) * u)
    return entry.lower * (1 - u) + entry.upper * u


def _choice(rng: np.random.Generator, odds: dict[str, float]) -> str:
    """One of the names, with the given probabilities."""
    u = rng.random()
    for name, share in odds.items():
        if u < share:
            return name
        u -= share
    return name


def _shown(value: float, unit: str) -> str:
    return f"{value:.3g}" if unit == "1" else format_si(value, unit, 3)
