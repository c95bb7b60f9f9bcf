"""The pictures of a run and its report, made of the record alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr

from ddkbase import paper as papers  # loads matplotlib when it is used
from ddkbase import records
from ddkbase.errors import StorageError, similar_file
from ddkbase.picture_names import PAPER, as_format
from devicephys import plots, report
from devicephys.run import folder as names
from devicephys.run.kinds import KINDS
from devicephys.simulation.iv_record import is_sweep

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(
    folder: Path, ds: xr.Dataset, *, overwrite: bool = False, pictures: str = "png"
) -> list[Path]:
    """Make pictures, ParaView file and report of a record in ``folder``; return their paths.

    With ``pictures`` "svg" or "pdf" those that stand still are made in that format as well, with
    "none" nothing is made.

    Raises StorageError: a picture cannot be written; the others were made nevertheless. InputError:
    one cannot be drawn; the others were made nevertheless.
    """
    if pictures == "none":
        return []
    films: dict[str, Callable[[Path], Path]] = {}
    if ds.attrs["schema"] == "IVTrace":
        films = {
            names.FILM: lambda path: plots.loop_animation(ds, path, overwrite=overwrite),
            names.PARAVIEW: lambda path: plots.write_vtkhdf(ds, path, overwrite=overwrite),
        }
    stills = _stills(ds)
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


def _stills(ds: xr.Dataset) -> dict[str, Callable[[xr.Dataset], Figure]]:
    """What draws the pictures of a record that stand still, by the names of their files."""
    if ds.attrs["schema"] == "IVTrace":
        over_time = {} if is_sweep(ds) else {names.TIME_CURVES: plots.time_figure}
        return {names.CURVES: plots.iv_figure, names.MAPS: plots.fields_figure, **over_time}
    others = {
        "PulseTrace": (names.PULSE_CURVES, plots.pulses_figure),
        "Endurance": (names.CYCLE_CURVES, plots.endurance_figure),
        "Retention": (names.BAKE_CURVES, plots.retention_figure),
    }
    return dict([others.get(ds.attrs["schema"], (names.SCAN_CURVES, plots.switching_figure))])


def redraw(
    folder: str | Path, pictures: str = "png", paper: papers.PaperStyle | None = None
) -> list[Path]:
    """Make the pictures of all records in a folder, in the place of those that are there.

    Parameters
    ----------
    folder : str or Path
        Folder of a run.
    pictures : {"png", "svg", "pdf"}, default "png"
        Format of the pictures; "svg" and "pdf" are drawn besides "png".
    paper : PaperStyle or None, optional
        From `ddkbase.paper.paper_style`: the pictures that stand still are drawn so into the
        folder ``paper`` below, in the one format; the others are left as they are.

    Returns
    -------
    list of Path
        Their paths.

    Raises
    ------
    StorageError
        No such folder, no record in it, a damaged record, or no permission to write.
    InputError
        No picture has a panel that is asked for.
    """
    folder, paths = Path(folder), []
    for ds in read_records(folder):
        with records.of_record(str(folder)):
            if paper is None:
                paths += draw(folder, ds, overwrite=True, pictures=pictures)
            else:
                paths += _draw_for_paper(folder / PAPER, ds, pictures, paper)
    return paths


def _draw_for_paper(
    folder: Path, ds: xr.Dataset, pictures: str, paper: papers.PaperStyle
) -> list[Path]:
    """Draw the pictures that have the panels which are asked for."""
    makes = {name: partial(make, ds) for name, make in _stills(ds).items()}
    fitted = names.MAPS in makes and (paper.width is not None or bool(paper.panels))
    if fitted:
        makes[names.MAPS] = partial(_paper_maps, ds, paper)
    return papers.save_pictures(
        makes, folder, pictures, paper, fitted=(names.MAPS,) if fitted else ()
    )


def _paper_maps(ds: xr.Dataset, paper: papers.PaperStyle) -> Figure:
    size = float(paper.settings.get("font.size", 7.0))
    width = 0.18 if paper.width is None else paper.width
    return plots.paper_fields_figure(ds, width, paper.panels, size)


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
