"""A parameter sweep is carried out in a folder: a run for each point, a table, a picture."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from ddkbase import paper as papers  # loads matplotlib when it is used
from ddkbase import records
from ddkbase.cli.progress import State
from ddkbase.documents import read_json, write_json
from ddkbase.errors import InputError, InstallationError, Interrupted, StorageError
from ddkbase.files import deferred, is_scratch, storage_errors, write_bytes
from ddkbase.folders import lock
from ddkbase.installation import command_line
from ddkbase.picture_names import PAPER, in_formats
from devicephys import installation
from devicephys.campaign.cluster import check_workers, local_cluster, physical_cores
from devicephys.device import Device
from devicephys.parameter_sweep import worker
from devicephys.parameter_sweep.description import ParameterSweep, Point, plan_sweep
from devicephys.parameter_sweep.record import (
    DONE,
    FAILED,
    MISSING,
    PARAMETER_SWEEP,
    PointFigures,
    figures_at,
    sweep_csv,
    sweep_dataset,
)
from devicephys.plots.style import save_figure
from devicephys.plots.sweep import sweep_figure
from devicephys.run.folder import REQUEST
from devicephys.run.kinds import Run, run_of
from devicephys.run.pictures import read_records
from devicephys.run.request import Request

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["SweepOutcome", "draw_picture", "redraw_sweep", "run_sweep", "sweep"]

FORMAT = 1
#: what a folder of a sweep holds besides its runs
STATE, LOG, RECORD, TABLE, PICTURE = "sweep.json", "sweep.log", "sweep.nc", "sweep.csv", "sweep.png"
RUNS = "runs"

#: makes files of the folder, the record, what is drawn of each run, and the format of pictures
Finish = Callable[[Path, xr.Dataset, Mapping[str, xr.Dataset], str], list[Path]]


@dataclasses.dataclass(frozen=True)
class SweepOutcome:
    """What a sweep left.

    Attributes
    ----------
    folder : Path
        Folder of the sweep.
    dataset : xarray.Dataset
        The ParameterSweep.
    files : list of Path
        Record, table and pictures.
    computed : int
        Points that were computed now; those that were done are not computed again.
    """

    folder: Path
    dataset: xr.Dataset
    files: list[Path]
    computed: int


def sweep(
    folder: str | Path,
    vary: Mapping[str, str | Sequence[object]],
    device: str | Device = "tin-taox-hfox-tin",
    run: str = "loops",
    *,
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
    """Simulate a cell for each value of a parameter, or each point of a grid of several.

    Parameters
    ----------
    folder : str or Path
        Folder to make; or that of the same sweep, which goes on, also with more values.
    vary : mapping of str to str or sequence
        Values of each key, e.g. ``{"layers.HfOx.thickness": "8 nm, 9 nm"}``. A key is a dotted path
        of the device, or "protocol." and an argument of `PulseTrain` (besides
        ``initial_resistance``), `Bake` or `EnduranceTest`.
    device : str or Device, default "tin-taox-hfox-tin"
        The cell.
    run : {"loops", "pulses", "retention", "endurance"}, default "loops"
        What is done with each cell.
    changes : mapping or None, optional
        Other values of keys that do not vary.
    follow : mapping of str to str or None, optional
        Keys that take the value of a key that varies, or a factor times it, e.g.
        ``{"filament.height": "0.9*layers.HfOx.thickness"}``.
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
        A ParameterSweep v1: each figure of merit on ``point``, the keys as coordinates. A point
        that failed has NaN, its ``status`` and ``reason`` say so.

    Raises
    ------
    InputError
        As `devicephys.parameter_sweep.description.plan_sweep`; nothing was simulated.
    StorageError
        The folder holds something else or cannot be written, or another process works on it.
    InstallationError
        No solver or no compiler.
    Interrupted
        Ctrl-C; every finished point is kept and is in the table.
    """
    plan = plan_sweep(
        vary,
        device,
        run,
        changes=changes,
        follow=follow,
        preset=preset,
        checkpoint_every=checkpoint_every,
        motion=motion,
    )
    return run_sweep(
        folder,
        plan,
        workers=workers,
        retry_failed=retry_failed,
        pictures=pictures,
        progress=progress,
    ).dataset


def run_sweep(
    folder: str | Path,
    plan: ParameterSweep,
    *,
    workers: int | None = None,
    retry_failed: bool = False,
    pictures: str = "png",
    progress: Callable[[State], None] | None = None,
    solve: worker.Solve = worker.solve,
    finish: Finish | None = None,
) -> SweepOutcome:
    """Carry out a sweep that is checked, or go on with it; arguments and errors as `sweep`.

    Parameters
    ----------
    folder : str or Path
        As for `sweep`.
    plan : ParameterSweep
        From `plan_sweep`.
    workers : int or None, optional
        As for `sweep`.
    retry_failed : bool, default False
        As for `sweep`.
    pictures : {"png", "svg", "pdf", "none"}, default "png"
        As for `sweep`.
    progress : callable or None, optional
        As for `sweep`.
    solve : callable, optional
        A function of a module that carries out a point, in the place of
        `devicephys.parameter_sweep.worker.solve`.
    finish : callable or None, optional
        Makes further files of the folder, the record, what is drawn of each run, and ``pictures``
        ("none" after Ctrl-C), in the place of the picture of a sweep.

    Returns
    -------
    SweepOutcome
        The record and the files.

    Raises
    ------
    InputError
        No number of workers, or an MPI launcher.
    StorageError
        As `sweep`.
    InstallationError
        As `sweep`.
    Interrupted
        As `sweep`.
    """
    check_workers(workers)
    if installation.world() is not None:
        raise InputError("a sweep starts its own processes", "mpiexec", "Leave it out")
    path = Path(folder)
    with _claimed(path):
        this = _Run(path, plan, retry_failed, progress, solve, finish or _draw_done)
        count = min(workers or physical_cores(), len(this.points))
        try:
            if count == 1:
                this.compute_here()
            elif count:
                this.compute_on(count)
        except (KeyboardInterrupt, Interrupted):
            with deferred(), contextlib.suppress(KeyboardInterrupt):
                this.write("none")
            finished = sum(this.state_of(point) != MISSING for point in plan.points)
            raise Interrupted(
                f"stopped, {finished} of {len(plan.points)} points are finished",
                str(path),
                "The same command goes on from here",
            ) from None
        return this.write(pictures)


def redraw_sweep(
    folder: str | Path, pictures: str = "png", paper: papers.PaperStyle | None = None
) -> list[Path]:
    """Draw the picture of a sweep again, from its record and those of its runs.

    Parameters
    ----------
    folder : str or Path
        Folder of the sweep.
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
        No record of a sweep, a damaged one, or no permission to write.
    InputError
        The picture does not have a panel that is asked for.
    """
    path = Path(folder)
    ds = records.read(path / RECORD, PARAMETER_SWEEP.name)
    traces: dict[str, xr.Dataset] = {}
    for name in (str(text) for text in ds["folder"].values[ds["status"].values == DONE]):
        where = (path / name).resolve()
        if (
            where.is_relative_to(path.resolve()) and where.is_dir()
        ):  # the record may be a stranger's
            traces[where.name] = read_records(where)[0]
    with records.of_record(str(path / RECORD)):
        return draw_picture(path, PICTURE, lambda: sweep_figure(ds, traces), pictures, paper)


def draw_picture(
    path: Path,
    name: str,
    make: Callable[[], Figure],
    pictures: str,
    paper: papers.PaperStyle | None = None,
) -> list[Path]:
    """Write the one picture of a folder in the formats asked for, or as a paper wants it."""
    if paper is not None:
        return papers.save_pictures({name: make}, path / PAPER, pictures, paper)
    names = in_formats(name, pictures)
    if not names:
        return []
    figure = make()
    return [save_figure(figure, path / each, True) for each in names]


def _draw_done(
    path: Path, ds: xr.Dataset, traces: Mapping[str, xr.Dataset], pictures: str
) -> list[Path]:
    """The picture of a sweep, of which there is none before a point is done."""
    if not traces:
        return []
    return draw_picture(path, PICTURE, lambda: sweep_figure(ds, traces), pictures)


@contextlib.contextmanager
def _claimed(path: Path) -> Iterator[None]:
    """The folder of a sweep, for this process alone."""
    there = [*path.iterdir()] if path.is_dir() and not (path / STATE).exists() else []
    # what a process that was killed at the start left, or one that starts just now
    if not all(p.name in (RUNS, LOG) or is_scratch(p, STATE) for p in there):
        raise StorageError("the folder is not empty", str(path), "Choose another name after --out.")
    busy = StorageError(
        "another process is still at work in this folder", str(path), "Wait for its end."
    )
    with storage_errors("the folder cannot be made or written", path):
        (path / RUNS).mkdir(parents=True, exist_ok=True)
        held = lock(path / LOG, busy, create=True)
    with held:
        yield


class _Run:
    """Computes what is missing of a sweep, and writes what there is."""

    def __init__(
        self,
        path: Path,
        plan: ParameterSweep,
        retry_failed: bool,
        progress: Callable[[State], None] | None,
        solve: worker.Solve,
        finish: Finish,
    ) -> None:
        self._path, self._plan = path, plan
        self._progress, self._solve, self._finish = progress, solve, finish
        self._failed = self._read_failed()
        self._done: dict[str, PointFigures] = {}
        self._traces: dict[str, xr.Dataset] = {}
        for point in plan.points:
            self._check_request(point)
            self._read(point)
        if retry_failed:
            for point in plan.points:
                self._failed.pop(point.name, None)
        self.points = [point for point in plan.points if self.state_of(point) == MISSING]
        self._computed = 0
        self._keep_state()

    def _read_failed(self) -> dict[str, str]:
        if not (self._path / STATE).exists():
            return {}
        content = read_json(self._path / STATE, "Run the sweep again in another folder.")
        failed = content.get("failed")
        if content.get("format") != FORMAT or not isinstance(failed, dict):
            raise StorageError("it holds no sweep of this version", str(self._path / STATE))
        return {str(name): str(reason) for name, reason in failed.items()}

    def _folder(self, point: Point) -> Path:
        return self._path / RUNS / point.name

    def _check_request(self, point: Point) -> None:
        """StorageError if the run of that name in the folder is another one."""
        path = self._folder(point) / REQUEST
        if not path.exists():
            return
        with contextlib.suppress(OSError, UnicodeDecodeError):  # of which `read` makes one line
            # the texts are compared first: a request that is read is a device checked anew
            if path.read_text(encoding="utf-8") == point.request.to_json():
                return
        before = dataclasses.replace(
            Request.read(path), checkpoint_every=point.request.checkpoint_every
        )
        if before != point.request:
            raise StorageError(
                "the folder holds another sweep: its run of that name differs in more than what"
                " varies",
                str(path.parent),
                "Choose another name after --out.",
            )

    def _read(self, point: Point) -> None:
        """Take up the record of a point if it is complete."""
        run: Run = run_of(point.request)
        path = self._folder(point) / run.record
        if not path.exists():
            return
        ds = records.read(path, run.schema)
        if ds.attrs.get("complete", 1):
            self._done[point.name] = figures_at(ds)
            drawn = [n for n in ("voltage", "current", "loop", "conductance") if n in ds]
            self._traces[point.name] = ds[drawn]
            self._failed.pop(point.name, None)

    def state_of(self, point: Point) -> str:
        """Whether a point is done, has failed or is missing."""
        if point.name in self._done:
            return DONE
        return FAILED if point.name in self._failed else MISSING

    def compute_here(self) -> None:
        """Compute the points one after the other in this process."""
        installation.require_solver()
        for number, point in enumerate(self.points):
            began = number / len(self.points)

            def show(state: State, point: Point = point, began: float = began) -> None:
                text = point.title
                share = began + state.share / len(self.points)
                self._tell(share, f"{text}: {state.line}", f"{text}  {state.short}")

            folder = self._folder(point)
            run = lambda f=folder, r=point.request, s=show: self._solve(f, r, s)  # noqa: E731
            self._take(point, worker.point_run(run))

    def compute_on(self, count: int) -> None:
        """Compute the points on worker processes of this machine."""
        self._tell(0.0, f"{len(self.points)} points to compute; starting {count} processes", "")
        with local_cluster(count) as cluster:
            for answered in cluster.compute(
                worker.compute,
                self.points,
                lambda point: (worker.task(self._folder(point), point.request), self._solve),
                lambda point: f"sweep-{point.name}",
            ):
                if answered is not None:
                    self._answer(*answered)

    def _answer(self, point: Point, answer: Mapping[str, Any]) -> None:
        if "refused" in answer:
            raise InstallationError(f"a worker cannot compute: {answer['refused']}")
        self._take(point, str(answer["failed"]))
        share = self._computed / len(self.points)
        outcome = f"failed, {answer['failed']}" if answer["failed"] else "done"
        line = f"{self._computed} of {len(self.points)}  {point.title}: {outcome}"
        self._tell(share, line, line)

    def _take(self, point: Point, reason: str) -> None:
        """Keep the outcome of a point."""
        with deferred():
            if reason:
                self._failed[point.name] = reason
            else:
                self._read(point)
            self._computed += 1
            self._keep_state()
            stamp = datetime.now(UTC).isoformat(timespec="seconds")
            line = f"{stamp}  {point.name}: {reason or self.state_of(point)}\n"
            path = self._path / LOG
            with (
                storage_errors("the log cannot be written", path),
                path.open("a", encoding="utf-8") as file,
            ):
                file.write(line)

    def _tell(self, share: float, line: str, short: str) -> None:
        if self._progress is not None:
            self._progress(State(share, line, short or line))

    def _keep_state(self) -> None:
        content = {
            "format": FORMAT,
            "command": command_line(),
            **self._plan.asked(),
            "failed": self._failed,
        }
        write_json(content, self._path / STATE, overwrite=True)

    def write(self, pictures: str) -> SweepOutcome:
        """Write the record, the table and the picture of what there is."""
        ds = sweep_dataset(self._plan, self._done, self._failed)
        files = [records.write(ds, self._path / RECORD, schema=PARAMETER_SWEEP, overwrite=True)]
        files.append(write_bytes(self._path / TABLE, sweep_csv(ds).encode("utf-8"), True))
        files += self._finish(self._path, ds, self._traces, pictures)
        return SweepOutcome(self._path, ds, files, self._computed)
