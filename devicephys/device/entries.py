"""A device as names and numbers, for scripts."""

from __future__ import annotations

from typing import Any

from ddkbase.errors import InputError
from ddkbase.units import to_si
from devicephys.device.model import Device

__all__ = ["device_entries"]


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
