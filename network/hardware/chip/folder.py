"""The folder of a compiled network: placement and pulses, whole or not at all, then the picture."""

from __future__ import annotations

from pathlib import Path

from ddkbase.errors import StorageError
from ddkbase.folders import check_new_folder, drawn_after, kept_elsewhere, new_folder
from ddkbase.picture_names import PAPER, Pictures, as_format, in_formats
from ddkbase.pictures import save_figure
from network.hardware.chip.placement import Placement
from network.hardware.chip.pulse_list import write_pulses
from network.plots.placement import placement_figure

__all__ = ["PICTURE", "PLACEMENT", "PULSES", "check_free", "write_folder"]

PLACEMENT, PICTURE, PULSES = "placement.json", "placement.png", "pulses.csv"


def check_free(path: Path, overwrite: bool) -> None:
    """Refuse, before the work is done, a folder that cannot be made.

    Raises
    ------
    StorageError
        Something is there that is not to be replaced, or the folder above is missing.
    """
    check_new_folder(path)
    if path.is_dir() and any(path.iterdir()):
        ours = {PLACEMENT, PULSES, *(as_format(PICTURE, p) for p in Pictures if p != Pictures.none)}
        if {p.name for p in path.iterdir()} - ours - {PAPER}:
            raise StorageError("the folder holds something else", str(path), "Choose another name")
        if not overwrite:
            raise StorageError(
                "the folder holds a placement already", str(path), "Use --overwrite or another name"
            )


def write_folder(
    placement: Placement, path: Path, overwrite: bool = False, pictures: str = "png"
) -> Path:
    """Write placement, picture (as PNG and as ``pictures``) and list of pulses to a new folder.

    Raises
    ------
    StorageError
        See `check_free`; the disk is full. Placement and pulses are then in a temporary folder,
        which is named. If the picture alone cannot be drawn or written, all else is in the folder.
    """

    def fill(folder: Path) -> None:
        placement.write(folder / PLACEMENT)
        write_pulses(placement, folder / PULSES)

    with kept_elsewhere(fill, "ddk-network-"):
        check_free(path, overwrite)
        with new_folder(path, overwrite) as scratch:
            fill(scratch)
    for name in in_formats(PICTURE, pictures):
        with drawn_after(path / name):
            save_figure(placement_figure(placement), path / name)
    return path
