"""The pictures of a run again, from the records in its folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ddkbase import records
from ddkbase.errors import StorageError, similar_file
from devicephys.run import switching_time as kinetics_run
from devicephys.run.folder import PULSE_RECORD, RECORD
from devicephys.run.loop import draw_loop
from devicephys.run.pulses import draw_train
from devicephys.simulation.switching_schema import SWITCHING_TIME

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["draw_again"]


def draw_again(folder: Path, pictures: str = "png") -> list[Path]:
    """Make the pictures of all records in a folder, in the place of those that are there.

    Parameters
    ----------
    pictures : {"png", "svg", "pdf"}, default "png"
        Format of the pictures; "svg" and "pdf" are drawn besides "png".

    Returns
    -------
    list of Path
        Their paths.

    Raises
    ------
    StorageError
        No such folder, no record in it, a damaged record, or no permission to write.
    """
    kinds: dict[str, tuple[str, Callable[..., list[Path]]]] = {
        RECORD: ("IVTrace", draw_loop),
        PULSE_RECORD: ("PulseTrace", draw_train),
        kinetics_run.RECORD: (SWITCHING_TIME.name, kinetics_run.draw),
    }
    if not folder.is_dir():
        hint = similar_file(folder, "Name the folder that followed --out")
        raise StorageError("there is no such folder", str(folder), hint)
    found = [name for name in kinds if (folder / name).exists()]
    if not found:
        *others, last = kinds
        raise StorageError(
            f"there is no such file: {', '.join(others)} or {last}",
            str(folder),
            "Name the folder that followed --out",
        )
    made = []
    for name in found:
        schema, draw = kinds[name]
        ds: xr.Dataset = records.read(folder / name, schema)
        made += draw(folder, ds, overwrite=True, pictures=pictures)
    return made
