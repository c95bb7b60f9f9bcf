"""Devices from YAML: those of the library that ships with the toolkit, and a user's own files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ddkbase.documents import Library, located, parse_yaml
from ddkbase.errors import InputError, shorten
from devicephys.device.model import Device

if TYPE_CHECKING:
    import xarray as xr

_LIBRARY = Library("devicephys.device", "device")


def list_devices() -> list[str]:
    """Names of the devices of the library, sorted."""
    return _LIBRARY.names()


def load_device(name_or_path: str | os.PathLike[str]) -> Device:
    """A device of the library by its name, or from a YAML file by its path.

    Parameters
    ----------
    name_or_path : str or Path
        One of `list_devices`, or a file with the keys of `Device`; what ends in .yaml, or has a
        folder in it, is a file.

    Raises
    ------
    InputError
        No such device or file, or the file does not describe a valid device.
    StorageError
        The file exists but cannot be read.
    """
    if not isinstance(name_or_path, str | os.PathLike):
        what = "a Device" if isinstance(name_or_path, Device) else shorten(name_or_path)
        raise InputError(
            f"{what} is neither name nor path of a device", "load_device", _LIBRARY.hint()
        )
    source = _LIBRARY.read(name_or_path)
    return device_from_yaml(source.text, source.where)


def device_from_yaml(text: str, where: str = "YAML text") -> Device:
    """A device from YAML text; `where` (the file) is named in errors.

    Raises
    ------
    InputError
        A YAML error, a key given twice, or no valid device.
    """
    data = parse_yaml(text, where)
    if not isinstance(data, dict):
        raise InputError(
            f"holds no device but {shorten(data)}",
            where,
            "Write 'name: ...' and the other keys of a device, as the library files do",
        )
    try:
        return Device.from_mapping(data)
    except InputError as error:
        raise located(error, where) from None
    except RecursionError:
        raise InputError("refers to itself", where, "Remove the YAML anchor") from None


def device_of(ds: xr.Dataset) -> Device:
    """The device kept in a record.

    Parameters
    ----------
    ds : xarray.Dataset
        A record of `devicephys`, e.g. what ``simulate`` returns.

    Returns
    -------
    Device
        As it was simulated.

    Raises
    ------
    InputError
        The text in the record describes no valid device.
    """
    return device_from_yaml(ds.attrs["device_yaml"], "attribute device_yaml")
