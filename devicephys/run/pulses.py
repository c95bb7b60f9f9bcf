"""A pulse train as a run: what is simulated, drawn and printed of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console

from ddkbase.picture_names import as_format
from ddkbase.units import format_si
from devicephys.protocol.pulse_train import PulseTrain
from devicephys.run import folder as runfolder
from devicephys.run.progress import PulseReporter, Reporter, celsius, time_text
from devicephys.run.run import Run
from devicephys.run.summary import pulse_entries

if TYPE_CHECKING:
    import xarray as xr

    from devicephys.simulation.checkpoint import Checkpoint


class PulseRun(Run):
    """One train of pulses with a read after each: ``pulses.nc``, picture, report."""

    record, schema = runfolder.PULSE_RECORD, "PulseTrace"
    files = runfolder.PULSE_FILES
    noun = "train"

    def simulate(self, progress: Any, checkpoint: Checkpoint | None) -> xr.Dataset:
        from devicephys.simulation.simulate import simulate_pulses

        asked = self.request
        assert isinstance(asked.protocol, PulseTrain)
        more: dict[str, Any] = {} if checkpoint is None else {"checkpoint": checkpoint}
        if asked.variability is not None:
            from devicephys.population.variability import Variability

            more["variability"] = Variability.from_mapping(dict(asked.variability))
        return simulate_pulses(
            asked.device,
            asked.protocol,
            asked.settings,
            initial_resistance=asked.initial_resistance,
            seed=asked.seed,
            cycle=asked.cycle,
            device_number=asked.device_number,
            progress=progress,
            **more,
        )

    def reporter(self, console: Console, log: Callable[[str], None]) -> Reporter:
        return PulseReporter(console, log)

    def reach(self, ds: xr.Dataset) -> tuple[float, str]:
        count = int(ds.sizes["pulse"])
        return count, f"{count} pulse{'s' if count > 1 else ''}"

    def draw(self, folder: Path, ds: xr.Dataset, *, overwrite: bool) -> list[Path]:
        return draw_train(folder, ds, overwrite=overwrite, pictures=self.pictures)

    def rows(self, ds: xr.Dataset) -> list[tuple[str, str]]:
        return pulse_rows(ds)

    def entries(self, ds: xr.Dataset) -> dict[str, Any]:
        return pulse_entries(ds)


def draw_train(
    folder: Path, ds: xr.Dataset, *, overwrite: bool, pictures: str = "png"
) -> list[Path]:
    """Make the picture of a train in ``folder``, as PNG and as ``pictures``, and its report;
    return the paths.

    Raises
    ------
    StorageError
        It cannot be written.
    InputError
        The device in the record cannot be read.
    """
    from devicephys.plots.pulses import pulses_figure
    from devicephys.plots.style import save_figure
    from devicephys.report.report import write_report

    names = dict.fromkeys((runfolder.PULSE_CURVES, as_format(runfolder.PULSE_CURVES, pictures)))
    drawn = [save_figure(pulses_figure(ds), folder / name, overwrite) for name in names]
    return [*drawn, write_report(folder, ds, drawn, overwrite=overwrite)]


def pulse_rows(ds: xr.Dataset) -> list[tuple[str, str]]:
    """Return the figures of a PulseTrace as pairs of name and text with unit."""
    conductance = ds["conductance"].values
    start, end = float(ds["initial_conductance"]), float(conductance[-1])
    low = min(start, float(conductance.min()))
    high = max(start, float(conductance.max()))
    hottest = int(ds["temperature_max"].values.argmax())
    count = int(ds.sizes["pulse"])
    rows = [
        ("Pulses", f"{count}"),
        ("Conductance, start", _conductance(start)),
        ("Conductance, end", _conductance(end)),
        ("Window", f"{format_si(low, 'S')} to {format_si(high, 'S')}{_ratio(high, low)}"),
        (
            "Peak temperature",
            f"{celsius(float(ds['temperature_max'].values[hottest]))} (pulse {hottest + 1})",
        ),
        ("Energy", format_si(float(ds["energy"].values.sum()), "J", 3)),
    ]
    wanted, preparation = float(ds["wanted_resistance"]), int(ds["preparation_pulses"])
    if not np.isnan(wanted):
        asked = format_si(wanted, "ohm", 3)
        rows.insert(1, ("Prepared", f"{asked} asked, {preparation} pulse(s)"))
    for name in ("accepted_steps", "rejected_steps", "newton_iterations"):
        each = float(ds[name].values.mean())
        rows.append((f"{name.replace('_', ' ').capitalize()} a pulse", f"{each:.1f}"))
    seconds = json.loads(ds.attrs["headline_json"]).get("seconds")
    if isinstance(seconds, dict) and seconds:
        rows.append(("Time", time_text(seconds)))
    return rows


def _conductance(value: float) -> str:
    if not value > 0:
        return format_si(value, "S")
    return f"{format_si(value, 'S')} ({format_si(1 / value, 'ohm')})"


def _ratio(high: float, low: float) -> str:
    return f" (factor {high / low:.3g})" if low > 0 else ""
