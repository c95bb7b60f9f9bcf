"""A device as names and numbers: for scripts, and for whoever varies its parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ddkbase.errors import InputError, closest, shorten
from ddkbase.units import to_si
from devicephys.device.model import Device

__all__ = ["checked_parameters", "device_entries", "parameter_value"]


def parameter_value(device: Device, path: str) -> float:
    """The number at a dotted path of a device, in the unit of the model.

    Parameters
    ----------
    device : Device
        The cell.
    path : str
        One of ``device.provenance``, of a parameter with a unit.

    Raises
    ------
    InputError
        An optional parameter that is not set.
    """
    *parents, key = path.split(".")
    description: Any = dict(device.parts())["".join(f"{name}." for name in parents)]
    value = description[key] if isinstance(description, Mapping) else getattr(description, key)
    if value is None:
        raise InputError("is not set", path, "Give it a value first")
    return float(value)


def checked_parameters(device: Device, paths: Sequence[str], where: str) -> tuple[str, ...]:
    """Dotted paths of numbers that describe the cell itself and are not zero.

    Parameters
    ----------
    device : Device
        The cell.
    paths : sequence of str
        What was asked for.
    where : str
        The argument or key it was asked with, for messages.

    Raises
    ------
    InputError
        No list of texts, an unknown path (the closest is named), one twice, one of a choice, of the
        sweep, or of a parameter that is zero, whose logarithm has no derivative.
    """
    if isinstance(paths, str) or not isinstance(paths, Sequence):
        raise InputError(
            f"{shorten(paths)} is no list of parameters", where, "Write e.g. ['filament.radius']"
        )
    known = device.provenance
    numbers = [p for p, origin in known.items() if origin.unit and not p.startswith("sweep.")]
    for path in paths:
        if path not in known:
            ends = [candidate for candidate in numbers if candidate.endswith(f".{path}")]
            hint = f"Did you mean '{ends[0]}'?" if ends else closest(str(path), numbers)
            raise InputError(f"unknown parameter {shorten(path)}", where, hint)
        if path not in numbers:
            what = "belongs to the sweep" if path.startswith("sweep.") else "is no number"
            raise InputError(f"'{path}' {what}", where, "Name a number of the cell itself")
        if paths.count(path) > 1:
            raise InputError(f"'{path}' is named twice", where, "Name it once")
        if parameter_value(device, path) == 0.0:
            raise InputError(
                f"'{path}' is 0, and derivatives are with respect to its logarithm",
                where,
                "Give it a value, or leave it out",
            )
    return tuple(paths)


def device_entries(device: Device) -> dict[str, Any]:
    """Every parameter of a device.

    Returns
    -------
    dict
        ``name``, ``description``, ``voltage_reference`` and ``parameters``: for each dotted path
        its ``value`` (a number in ``unit``, or a text where there is no unit), the ``text`` in the
        file, its ``mark`` and ``source``.
    """
    parameters = {}
    for row in device.table():
        path, text, unit, mark, source = row
        value: Any = text
        if unit:
            try:
                value = to_si(text, unit, path)
            except InputError:  # a word in place of a number
                value = text
        parameters[path] = {
            "value": value,
            "unit": unit or None,
            "text": text,
            "mark": mark,
            "source": source,
        }
    return {
        "name": device.name,
        "description": device.description or None,
        "voltage_reference": device.voltage_reference,
        "parameters": parameters,
    }
