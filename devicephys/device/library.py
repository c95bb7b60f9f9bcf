"""Devices from YAML: those of the library that ships with the toolkit, and a user's own files."""

from __future__ import annotations

import os
import stat
from importlib import resources
from pathlib import Path

from ddkbase.documents import parse_yaml
from ddkbase.errors import InputError, StorageError, closest, shorten, similar_file
from devicephys.device.model import Device

_LARGEST_FILE = 100_000  # bytes; a device takes some thousand


def list_devices() -> list[str]:
    """Names of the devices of the library, sorted."""
    folder = resources.files(__package__) / "library"
    return sorted(
        entry.name.removesuffix(".yaml")
        for entry in folder.iterdir()
        if entry.name.endswith(".yaml")
    )


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
            f"{what} is neither name nor path of a device", "load_device", _library_hint("")
        )
    text = os.fspath(name_or_path)
    if not isinstance(text, str) or not text.strip():
        raise InputError(f"{shorten(text)} is not a device", hint=_library_hint(""))
    if text in list_devices():
        entry = resources.files(__package__) / "library" / f"{text}.yaml"
        return device_from_yaml(entry.read_text(encoding="utf-8"), text)
    looks_like_path = isinstance(name_or_path, os.PathLike) or (
        text.lower().endswith((".yaml", ".yml")) or os.sep in text
    )
    if not looks_like_path and not os.path.isfile(text):
        raise InputError(f"unknown device {shorten(text)}", hint=_library_hint(text))
    return device_from_yaml(_read(Path(text)), text)


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
        place = f"{where}: {error.where}" if error.where else where
        raise InputError(error.what, place, error.hint) from None
    except RecursionError:
        raise InputError("refers to itself", where, "Remove the YAML anchor") from None


def _read(path: Path) -> str:
    try:
        if path.is_dir():
            raise InputError("is a folder, not a file", str(path), "Name the YAML file in it")
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would block, /dev/zero never ends
            raise InputError("is not a regular file", str(path), "Name a device YAML file")
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
        if len(content) > _LARGEST_FILE:
            raise InputError("is too large for a device", str(path), "Name a device YAML file")
        return content.decode("utf-8")
    except FileNotFoundError:
        hint = similar_file(path, _library_hint(""))
        raise InputError("no such file", str(path), hint) from None
    except UnicodeDecodeError:
        raise InputError("is not text", str(path), "Name a device YAML file in UTF-8") from None
    except ValueError as error:  # a null byte in the path
        if isinstance(error, InputError):
            raise
        raise InputError(f"not a path: {error}", shorten(str(path))) from error
    except OSError as error:
        raise StorageError(error.strerror or "cannot be read", str(path)) from error


def _library_hint(name: str) -> str:
    return closest(name, list_devices())
