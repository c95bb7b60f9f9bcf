"""Campaigns as YAML files: reading them safely, and checking every key."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from ddkbase.documents import parse_yaml
from ddkbase.errors import InputError, StorageError, closest, shorten
from ddkbase.units import exact_text
from devicephys.campaign.grid import AXES, MOST_POINTS, axis_values, whole_number
from devicephys.device import Device, list_devices, load_device
from devicephys.population.variability import Variability
from devicephys.protocol.pulse_train import PulseTrain
from devicephys.simulation.settings import PRESETS, Settings

KEYS = (
    "name",
    "description",
    "device",
    "set",
    "preset",
    "pulses",
    "grid",
    "initial_resistance",
    "cycles",
    "devices",
    "seed",
    "variability",
)
PULSE_KEYS = (
    "amplitude",
    "width",
    "count",
    "rise",
    "fall",
    "period",
    "read_voltage",
    "read_width",
    "read_edge",
)
_DEFAULT_DEVICE = "tin-taox-hfox-tin"
_LARGEST_FILE = 100_000  # bytes
_LARGEST_SEED = 2**32 - 1


def list_campaigns() -> list[str]:
    """Names of the campaigns that ship with the toolkit, sorted."""
    return sorted(
        entry.name.removesuffix(".yaml")
        for entry in _shipped().iterdir()
        if entry.name.endswith(".yaml")
    )


def _shipped() -> Any:
    return resources.files("devicephys.campaign") / "library"


def read_fields(name_or_path: str | os.PathLike[str]) -> dict[str, Any]:
    """Fields of the ``Campaign`` of a name or a file; raises what ``Campaign.from_file`` does."""
    given = os.fspath(name_or_path)
    if not isinstance(given, str) or not given.strip():
        raise InputError(f"{shorten(given)} is no campaign", hint=closest("", list_campaigns()))
    if given in list_campaigns():
        text, folder = (_shipped() / f"{given}.yaml").read_text(encoding="utf-8"), None
    else:
        looks_like_path = given.lower().endswith((".yaml", ".yml")) or os.sep in given
        if not looks_like_path and not os.path.isfile(given):
            hint = closest(given, list_campaigns())
            raise InputError(f"unknown campaign {shorten(given)}", hint=hint)
        text, folder = _read(Path(given)), Path(given).parent
    try:
        fields = mapping_fields(parse_yaml(text), folder)
    except InputError as error:
        place = ": ".join(part for part in (given, error.where) if part)
        raise InputError(error.what, place, error.hint) from None
    return {**fields, "source_checksum": hashlib.sha256(text.encode()).hexdigest()}


def _read(path: Path) -> str:
    where = str(path)
    try:
        if path.is_dir():
            raise InputError("is a folder, not a file", where, "Name the YAML file in it")
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would block, /dev/zero never ends
            raise InputError("is not a regular file", where, "Name a campaign YAML file")
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
        if len(content) > _LARGEST_FILE:
            raise InputError("is too large for a campaign", where, "Name a campaign YAML file")
        return content.decode("utf-8")
    except FileNotFoundError:
        raise InputError("no such file", where, closest("", list_campaigns())) from None
    except UnicodeDecodeError:
        raise InputError("is not text", where, "Name a campaign YAML file in UTF-8") from None
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise StorageError(error.strerror or "cannot be read", where) from error
    except ValueError as error:  # a null byte in the path
        if isinstance(error, InputError):
            raise
        raise InputError(f"not a path: {error}", shorten(where)) from error


def mapping_fields(data: object, folder: Path | None) -> dict[str, Any]:
    """Fields of the ``Campaign`` of a mapping; raises what ``Campaign.from_mapping`` does."""
    if not isinstance(data, Mapping):
        raise InputError(
            f"holds no campaign but {shorten(data)}", "", "Write 'name: ...' and the other keys"
        )
    _check_keys(data, KEYS, "")
    pulses = _mapping(data, "pulses")
    _check_keys(pulses, PULSE_KEYS, "pulses")
    grid = _mapping(data, "grid")
    _check_keys(grid, [axis.name for axis in AXES], "grid")
    pulses, axes = _axes(pulses, grid, data.get("initial_resistance"))
    fields = {
        "name": _text(data, "name", required=True),
        "description": _text(data, "description"),
        "device": _device(data, folder),
        "settings": _settings(data.get("preset", "default")),
        "pulses": pulses,
        **axes,
        "cycles": whole_number(data.get("cycles", 1), "cycles", 1, MOST_POINTS),
        "devices": whole_number(data.get("devices", 1), "devices", 1, MOST_POINTS),
        "seed": whole_number(data.get("seed", 0), "seed", 0, _LARGEST_SEED),
        "variability": _variability(data.get("variability", "default")),
    }
    points = fields["cycles"] * fields["devices"]
    for values in axes.values():
        points *= len(values)
    if points > MOST_POINTS:
        raise InputError(
            f"{points} points are too many",
            "grid, cycles, devices",
            f"Make several campaigns of at most {MOST_POINTS} points",
        )
    return fields


def _check_keys(data: Mapping[Any, Any], known: tuple[str, ...] | list[str], where: str) -> None:
    for key in data:
        if not isinstance(key, str) or key not in known:
            raise InputError(f"unknown key {shorten(key)}", where, closest(str(key), known))


def _mapping(data: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = data.get(key, {})
    if not isinstance(value, Mapping):
        raise InputError(f"{shorten(value)} is not a mapping", key, f"Write keys below '{key}:'")
    return dict(value)


def _text(data: Mapping[str, Any], key: str, required: bool = False) -> str:
    if key not in data and not required:
        return ""
    value = data.get(key)
    if not isinstance(value, str) or not value.strip():
        what = f"{shorten(value)} is no text" if key in data else "there is none"
        raise InputError(what, key, f"Write '{key}: ...'")
    return " ".join(value.split())


def _device(data: Mapping[str, Any], folder: Path | None) -> Device:
    given = data.get("device", _DEFAULT_DEVICE)
    if not isinstance(given, str) or not given.strip():
        hint = "Name a library device or a YAML file"
        raise InputError(f"{shorten(given)} is no name of a device", "device", hint)
    try:
        is_file = given not in list_devices() and folder is not None
        if is_file and (given.lower().endswith((".yaml", ".yml")) or os.sep in given):
            device = load_device(Path(folder or ".") / given)
        else:
            device = load_device(given)
    except InputError as error:
        place = "device" + (f": {error.where}" if error.where else "")
        raise InputError(error.what, place, error.hint) from None
    changes = _mapping(data, "set")
    try:
        return device.with_(changes) if changes else device
    except InputError as error:
        raise InputError(error.what, f"set: {error.where}", error.hint) from None


def _settings(preset: object) -> Settings:
    if not isinstance(preset, str) or preset not in PRESETS:
        hint = closest(str(preset), PRESETS)
        raise InputError(f"unknown preset {shorten(preset)}", "preset", hint)
    return Settings.preset(preset)


def _variability(given: object) -> Variability | None:
    if given == "none":
        return None
    if given == "default":
        return Variability()
    if not isinstance(given, Mapping):
        hint = "Write 'none', 'default' or a mapping of spreads"
        raise InputError(f"{shorten(given)} is no variability", "variability", hint)
    return Variability.from_mapping(given)


def _axes(
    pulses: dict[str, Any], grid: dict[str, Any], resistance: object
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What all trains share, and the three axes; every train is made once to see whether it is
    one."""
    both = [key for key in grid if key in pulses]
    both += (
        ["initial_resistance"] if resistance is not None and "initial_resistance" in grid else []
    )
    if both:
        place = both[0] if both[0] == "initial_resistance" else f"pulses.{both[0]}"
        raise InputError("is on the grid already", place, f"Give it here, or as grid.{both[0]}")
    pulses = dict(pulses)
    found: dict[str, tuple[float | None, ...]] = {}
    for axis in AXES:
        if axis.name in grid:
            found[axis.name] = axis_values(grid[axis.name], axis, f"grid.{axis.name}")
    if "initial_resistance" not in grid:
        found["initial_resistance"] = (None,)
        if resistance is not None:
            if not isinstance(resistance, str):
                raise InputError(
                    f"{shorten(resistance)} is no resistance",
                    "initial_resistance",
                    "Write e.g. '5 kohm', or a list as grid.initial_resistance",
                )
            found["initial_resistance"] = axis_values(resistance, AXES[2], "initial_resistance")
    for axis in AXES[:2]:
        if axis.name not in grid:
            found[axis.name] = _single(pulses, axis.name, axis.unit)
    _try_trains(pulses, found)
    return pulses, {f"{name}s": values for name, values in found.items()}


def _single(pulses: dict[str, Any], name: str, unit: str) -> tuple[float | None]:
    """The one value of an axis that is not on the grid, taken out of ``pulses``; (None,), and
    left there, if it is a list with one value for each pulse."""
    given = pulses.get(name)
    if isinstance(given, list):
        return (None,)
    pulses.pop(name, None)
    train = _train({} if given is None else {name: given})
    return (float(getattr(train, f"{name}s")[0]),)


def _try_trains(pulses: dict[str, Any], found: dict[str, tuple[float | None, ...]]) -> None:
    extremes: dict[str, list[float | None]] = {}
    for axis in AXES[:2]:
        values = [v for v in found[axis.name] if v is not None]
        extremes[axis.name] = [min(values), max(values)] if values else [None]
    for height in extremes["amplitude"]:
        for length in extremes["width"]:
            _train(train_arguments(pulses, height, length))


def _train(arguments: dict[str, Any]) -> PulseTrain:
    try:
        return PulseTrain(**arguments)
    except InputError as error:
        raise InputError(error.what, f"pulses.{error.where}", error.hint) from None


def train_arguments(
    pulses: Mapping[str, Any], amplitude: float | None, width: float | None
) -> dict[str, Any]:
    """Arguments of ``PulseTrain`` at one place of the grid."""
    arguments = dict(pulses)
    if amplitude is not None:
        arguments["amplitude"] = exact_text(amplitude, "V")
    if width is not None:
        arguments["width"] = exact_text(width, "s")
    return arguments
