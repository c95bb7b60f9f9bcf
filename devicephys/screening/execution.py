"""A screening is carried out in a folder: the runs of a sweep, effects, a table, a picture."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from ddkbase import paper as papers  # loads matplotlib when it is used
from ddkbase import records
from ddkbase.cli.progress import State
from ddkbase.files import write_bytes
from devicephys.device import Device
from devicephys.parameter_sweep import worker
from devicephys.parameter_sweep.execution import draw_picture, run_sweep
from devicephys.plots.sweep import screening_figure
from devicephys.screening.description import Screening, plan_screening
from devicephys.screening.record import SCREENING, screening_csv, screening_dataset

__all__ = ["ScreeningOutcome", "redraw_screening", "run_screening", "screen"]

#: what a folder of a screening holds besides what that of a sweep does
RECORD, TABLE, PICTURE = "screening.nc", "screening.csv", "screening.png"


@dataclasses.dataclass(frozen=True)
class ScreeningOutcome:
    """What a screening left.

    Attributes
    ----------
    folder : Path
        Folder of the screening.
    dataset : xarray.Dataset
        The Screening.
    sweep : xarray.Dataset
        The ParameterSweep of its points.
    files : list of Path
        Records, tables and pictures.
    computed : int
        Points that were computed now; those that were done are not computed again.
    """

    folder: Path
    dataset: xr.Dataset
    sweep: xr.Dataset
    files: list[Path]
    computed: int


def screen(
    folder: str | Path,
    vary: Mapping[str, Any] | Sequence[str] | None = None,
    device: str | Device = "tin-taox-hfox-tin",
    run: str = "loops",
    *,
    within: object = None,
    trajectories: int = 10,
    levels: int = 4,
    seed: int = 0,
    changes: Mapping[str, Any] | None = None,
    follow: Mapping[str, str] | None = None,
    preset: str = "default",
    workers: int | None = None,
    checkpoint_every: int | None = None,
    retry_failed: bool = False,
    pictures: str = "png",
    progress: Callable[[State], None] | None = None,
    motion: bool = True,
) -> xr.Dataset:
    """Which parameters of a cell matter for which figure of merit, by elementary effects.

    Each trajectory moves the parameters one after the other, by a large step of its range, from
    a start drawn for all of them: one run more than there are parameters. An effect is the change
    of a figure over the step, scaled to the whole range; mu* is the mean of their sizes, mu their
    mean, sigma their standard deviation, which is large where the effect is not linear or depends
    on other parameters (Morris 1991; Campolongo et al. 2007).

    Parameters
    ----------
    folder : str or Path
        Folder to make; or that of the same screening, which goes on, also with more trajectories.
    vary : mapping, sequence of str or None, optional
        Parameters, keys as for `devicephys.sweep`; in a mapping each with both ends of its range
        ("8 nm, 10 nm"), a share around the value that the cell has ("5 %"), or None. By default
        every number of the cell that has a range in docs/ranges.md.
    device : str or Device, default "tin-taox-hfox-tin"
        The cell.
    run : {"loops", "pulses", "retention", "endurance"}, default "loops"
        What is done with each cell.
    within : str, float or None, optional
        Share around the cell's own values, e.g. "20 %", of parameters without a range here; by
        default they have those of docs/ranges.md, where one that is a share of another parameter
        is varied as that share. The scale, linear or logarithmic, is that of docs/ranges.md; a
        parameter that is not there has a linear one.
    trajectories : int, default 10
        How many trajectories.
    levels : int, default 4
        Levels of each parameter; even.
    seed : int, default 0
        Seed of the trajectories.
    changes : mapping or None, optional
        Other values of keys that do not vary.
    follow : mapping of str to str or None, optional
        Keys that take the value of a key that varies, as for `devicephys.sweep`.
    preset : {"default", "quick", "fine"}, default "default"
        How finely mesh and time are resolved.
    workers : int or None, optional
        Processes; by default one for each physical core.
    checkpoint_every : int or None, optional
        As of `devicephys.run.Request`.
    retry_failed : bool, default False
        Compute points that failed before once more.
    pictures : {"png", "svg", "pdf", "none"}, default "png"
        Format of the picture; "svg" and "pdf" are drawn besides "png".
    progress : callable or None, optional
        Called with a `devicephys.run.State`.
    motion : bool, default True
        Whether vacancies move; of loops and pulses they may be held.

    Returns
    -------
    xarray.Dataset
        A Screening v1: each figure of merit on ``statistic`` and ``parameter``, in its own unit;
        resistances and their ratios in decades. A step one end of which has failed, or did not
        reach the figure, gives no effect; ``effects`` counts those that are there.

    Raises
    ------
    InputError
        As `devicephys.screening.plan_screening`; nothing was simulated.
    StorageError
        The folder holds something else or cannot be written, or another process works on it.
    InstallationError
        No solver or no compiler.
    Interrupted
        Ctrl-C; every finished point is kept and is in the table.
    """
    screening = plan_screening(
        vary,
        device,
        run,
        within=within,
        trajectories=trajectories,
        levels=levels,
        seed=seed,
        changes=changes,
        follow=follow,
        preset=preset,
        checkpoint_every=checkpoint_every,
        motion=motion,
    )
    return run_screening(
        folder,
        screening,
        workers=workers,
        retry_failed=retry_failed,
        pictures=pictures,
        progress=progress,
    ).dataset


def run_screening(
    folder: str | Path,
    screening: Screening,
    *,
    workers: int | None = None,
    retry_failed: bool = False,
    pictures: str = "png",
    progress: Callable[[State], None] | None = None,
    solve: worker.Solve = worker.solve,
) -> ScreeningOutcome:
    """Carry out a screening that is checked, or go on with it; arguments and errors as `screen`.

    Parameters
    ----------
    folder : str or Path
        As for `screen`.
    screening : Screening
        From `plan_screening`.
    workers : int or None, optional
        As for `screen`.
    retry_failed : bool, default False
        As for `screen`.
    pictures : {"png", "svg", "pdf", "none"}, default "png"
        As for `screen`.
    progress : callable or None, optional
        As for `screen`.
    solve : callable, optional
        As for `devicephys.parameter_sweep.run_sweep`.

    Returns
    -------
    ScreeningOutcome
        The records and the files.

    Raises
    ------
    InputError
        No number of workers, or an MPI launcher.
    StorageError
        As `screen`.
    InstallationError
        As `screen`.
    Interrupted
        As `screen`.
    """
    written: list[xr.Dataset] = []

    def finish(
        path: Path, sweep: xr.Dataset, traces: Mapping[str, xr.Dataset], pictures: str
    ) -> list[Path]:
        ds = screening_dataset(screening, sweep)
        written.append(ds)
        files = [records.write(ds, path / RECORD, schema=SCREENING, overwrite=True)]
        files.append(write_bytes(path / TABLE, screening_csv(ds).encode("utf-8"), True))
        if traces:
            files += draw_picture(path, PICTURE, lambda: screening_figure(ds), pictures)
        return files

    outcome = run_sweep(
        folder,
        screening.sweep,
        workers=workers,
        retry_failed=retry_failed,
        pictures=pictures,
        progress=progress,
        solve=solve,
        finish=finish,
    )
    sweep = outcome.dataset
    return ScreeningOutcome(outcome.folder, written[-1], sweep, outcome.files, outcome.computed)


def redraw_screening(
    folder: str | Path, pictures: str = "png", paper: papers.PaperStyle | None = None
) -> list[Path]:
    """Draw the picture of a screening again, from its record.

    Parameters
    ----------
    folder : str or Path
        Folder of the screening.
    pictures : {"png", "svg", "pdf"}, default "png"
        As for `devicephys.run.redraw`.
    paper : PaperStyle or None, optional
        As for `devicephys.run.redraw`.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    StorageError
        No record of a screening, a damaged one, or no permission to write.
    InputError
        The picture does not have a panel that is asked for.
    """
    path = Path(folder)
    ds = records.read(path / RECORD, SCREENING.name)
    with records.of_record(str(path / RECORD)):
        return draw_picture(path, PICTURE, lambda: screening_figure(ds), pictures, paper)
