"""The folder of a compiled network: placement, picture and pulses, written whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

from devicephys.errors import StorageError
from network.hardware.placement import Placement

__all__ = ["PICTURE", "PLACEMENT", "PULSES", "check_free", "write_folder"]

PLACEMENT, PICTURE, PULSES = "placement.json", "placement.png", "pulses.csv"


def check_free(path: Path, overwrite: bool) -> None:
    """Tell before the work is done whether the folder can be made.

    Raises
    ------
    StorageError : something is there that is not to be replaced, or the folder above is missing.
    """
    above = path.absolute().parent
    if not above.is_dir():
        raise StorageError("there is no such folder", str(above))
    if path.exists() and not path.is_dir():
        raise StorageError("there is a file of that name, not a folder", str(path))
    if path.is_dir() and any(path.iterdir()):
        if {p.name for p in path.iterdir()} - {PLACEMENT, PICTURE, PULSES}:
            raise StorageError("the folder holds something else", str(path), "Choose another name")
        if not overwrite:
            raise StorageError(
                "the folder holds a placement already", str(path), "Use --overwrite or another name"
            )
    if not os.access(above, os.W_OK | os.X_OK):
        raise StorageError("the folder cannot be written", str(above), "Choose another")


def write_folder(placement: Placement, path: Path, overwrite: bool = False) -> Path:
    """Write placement, picture and list of pulses into a new folder.

    Raises
    ------
    StorageError : see `check_free`; the disk is full. Nothing is left behind.
    """
    from network.hardware.pulse_list import write_pulses
    from network.plots_hardware import save
    from network.plots_placement import placement_figure

    check_free(path, overwrite)
    scratch = path.absolute().with_name(f".{path.absolute().name}.{secrets.token_hex(6)}.part")
    try:
        scratch.mkdir()
        placement.write(scratch / PLACEMENT)
        write_pulses(placement, scratch / PULSES)
        save(placement_figure(placement), scratch / PICTURE)
        if path.is_dir():
            shutil.rmtree(path)
        os.rename(scratch, path)
    except OSError as error:
        raise StorageError(f"cannot be written: {error.strerror or error}", str(path)) from error
    finally:
        if scratch.is_dir():
            shutil.rmtree(scratch, ignore_errors=True)
    return path
