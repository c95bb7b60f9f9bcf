"""A current-voltage loop as a run: what is simulated, drawn and printed of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from ddkbase.picture_names import as_format
from devicephys.protocol.waveform import Waveform
from devicephys.run import folder as runfolder
from devicephys.run.progress import Reporter, headline_rows
from devicephys.run.run import Run
from devicephys.run.summary import loop_entries

if TYPE_CHECKING:
    import xarray as xr

    from devicephys.simulation.checkpoint import Checkpoint


class LoopRun(Run):
    """One or several current-voltage loops, or another waveform: ``iv.nc``, pictures, report."""

    record, schema = runfolder.RECORD, "IVTrace"
    files = runfolder.LOOP_FILES
    noun = "loop"

    def simulate(self, progress: Any, checkpoint: Checkpoint | None) -> xr.Dataset:
        from devicephys.simulation.simulate import simulate

        asked = self.request
        assert isinstance(asked.protocol, Waveform)
        more: dict[str, Any] = {} if checkpoint is None else {"checkpoint": checkpoint}
        return simulate(asked.device, asked.protocol, asked.settings, progress=progress, **more)

    def reporter(self, console: Console, log: Callable[[str], None]) -> Reporter:
        return Reporter(console, log)

    def reach(self, ds: xr.Dataset) -> tuple[float, str]:
        time, voltage = float(ds["time"].values[-1]), float(ds["voltage"].values[-1])
        return time, f"up to {1e3 * time:.4g} ms, {voltage:+.3f} V"

    def draw(self, folder: Path, ds: xr.Dataset, *, overwrite: bool) -> list[Path]:
        return draw_loop(folder, ds, overwrite=overwrite, pictures=self.pictures)

    def rows(self, ds: xr.Dataset) -> list[tuple[str, str]]:
        return headline_rows(json.loads(ds.attrs["headline_json"]))

    def entries(self, ds: xr.Dataset) -> dict[str, Any]:
        return loop_entries(ds)

    def details(self, ds: xr.Dataset) -> Iterator[str]:
        names = ("rejected_time", "rejected_step_size", "rejected_reason")
        for time, size, reason in zip(*(ds[name].values for name in names), strict=True):
            yield f"rejected  t = {time:.9g} s  dt = {size:.4g} s  {reason}"


def draw_loop(
    folder: Path, ds: xr.Dataset, *, overwrite: bool, pictures: str = "png"
) -> list[Path]:
    """Make pictures, ParaView file and report of a record in ``folder``; return their paths.

    With ``pictures`` "svg" or "pdf" the two that stand still are made in that format as well.

    Raises
    ------
    StorageError
        A picture cannot be written; the others were made nevertheless.
    InputError
        One cannot be drawn; the others were made nevertheless.
    """
    from devicephys.plots import iv as plots
    from devicephys.plots import paraview
    from devicephys.report import report

    paths: list[Path] = []
    errors = []

    def still(make: Callable[[Any], Any]) -> Callable[[Path], Path]:
        return lambda path: plots.save_figure(make(ds), path, overwrite=overwrite)

    stills = {runfolder.CURVES: plots.iv_figure, runfolder.MAPS: plots.fields_figure}
    jobs: dict[str, Callable[[Path], Path]] = {
        **{name: still(make) for name, make in stills.items()},
        **{as_format(name, pictures): still(make) for name, make in stills.items()},
        runfolder.FILM: lambda path: plots.loop_animation(ds, path, overwrite=overwrite),
        runfolder.PARAVIEW: lambda path: paraview.write_vtkhdf(ds, path, overwrite=overwrite),
        # the last: it shows the pictures
        runfolder.REPORT: lambda _: report.write_report(folder, ds, paths, overwrite=overwrite),
    }
    for name, make in jobs.items():
        try:
            paths.append(make(folder / name))
        except Exception as exc:
            errors.append(exc)
    if errors:
        raise errors[0]
    return paths
