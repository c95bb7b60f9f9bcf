"""The pictures of a run and its report, made of the record alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr

from ddkbase import records
from ddkbase.errors import StorageError, similar_file
from ddkbase.picture_names import as_format
from devicephys import plots, report
from devicephys.run import folder as names
from devicephys.run.kinds import KINDS
from devicephys.simulation.iv_record import is_sweep

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw", "read_records", "redraw"]


def draw(
    folder: Path, ds: xr.Dataset, *, overwrite: bool = False, pictures: str = "png"
) -> list[Path]:
    """Make pictures, ParaView file and report of a record in ``folder``; return their paths.

    With ``pictures`` "svg" or "pdf" those that stand still are made in that format as well, with
    "none" nothing is made.

    Raises
    ------
    StorageError
        A picture cannot be written; the others were made nevertheless.
    InputError
        One cannot be drawn; the others were made nevertheless.
    """
    if pictures == "none":
        return []
    stills: dict[str, Callable[[xr.Dataset], Figure]]
    films: dict[str, Callable[[Path], Path]] = {}
    if ds.attrs["schema"] == "IVTrace":
        stills = {names.CURVES: plots.iv_figure, names.MAPS: plots.fields_figure}
        if not is_sweep(ds):
            stills[names.TIME_CURVES] = plots.time_figure
        films = {
            names.FILM: lambda path: plots.loop_animation(ds, path, overwrite=overwrite),
            names.PARAVIEW: lambda path: plots.write_vtkhdf(ds, path, overwrite=overwrite),
        }
    elif ds.attrs["schema"] == "PulseTrace":
        stills = {names.PULSE_CURVES: plots.pulses_figure}
    elif ds.attrs["schema"] == "Endurance":
        stills = {names.CYCLE_CURVES: plots.endurance_figure}
    elif ds.attrs["schema"] == "Retention":
        stills = {names.BAKE_CURVES: plots.retention_figure}
    else:
        stills = {names.SCAN_CURVES: plots.switching_figure}
    paths: list[Path] = []

    def still(make: Callable[[xr.Dataset], Figure]) -> Callable[[Path], Path]:
        return lambda path: plots.save_figure(make(ds), path, overwrite=overwrite)

    jobs: dict[str, Callable[[Path], Path]] = {
        **{name: still(make) for name, make in stills.items()},
        **{as_format(name, pictures): still(make) for name, make in stills.items()},
        **films,
        # the last: it shows the pictures
        names.REPORT: lambda _: report.write_report(folder, ds, paths, overwrite=overwrite),
    }
    errors = []
    for name, make in jobs.items():
        try:
            paths.append(make(folder / name))
        except Exception as exc:
            errors.append(exc)
    if errors:
        raise errors[0]
    return paths


def redraw(folder: str | Path, pictures: str = "png") -> list[Path]:
    """Make the pictures of all records in a folder, in the place of those that are there.

    Parameters
    ----------
    folder : str or Path
        Folder of a run.
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
    folder, paths = Path(folder), []
    for ds in read_records(folder):
        with records.of_record(str(folder)):
            paths += draw(folder, ds, overwrite=True, pictures=pictures)
    return paths


def read_records(folder: Path) -> list[xr.Dataset]:
    """The records of the runs in a folder: loop, train, switching times.

    Raises
    ------
    StorageError
        No such folder, no record in it, or a damaged record.
    """
    hint = "Name the folder that followed --out"
    if not folder.is_dir():
        raise StorageError("there is no such folder", str(folder), similar_file(folder, hint))
    present = [kind for name, kind in KINDS.items() if (folder / name).exists()]
    if not present:
        *others, last = KINDS
        raise StorageError(
            f"there is no such file: {', '.join(others)} or {last}", str(folder), hint
        )
    return [records.read(folder / kind.record, kind.schema) for kind in present]
