"""The report of a run: one HTML file of what was asked and what came out; it needs nothing else.

Made from the record alone (and from the pictures that were drawn of it), so that ``ddk-device
plot`` makes it again.  A loop's report has a viewer of its fields (`devicephys.report.viewer`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from ddkbase import html as html_page
from ddkbase.errors import StorageError
from ddkbase.files import write_bytes
from ddkbase.html import Html
from ddkbase.units import format_si
from devicephys.plots import style
from devicephys.report import parts as report_parts
from devicephys.report import viewer as report_viewer
from devicephys.run import folder as runfolder
from devicephys.run.figures import table
from devicephys.simulation.checkpoint import CHECKPOINT

_PULSES = 40  # most pulses in the table of a train
_STILLS = (
    runfolder.CURVES,
    runfolder.TIME_CURVES,
    runfolder.MAPS,
    runfolder.PULSE_CURVES,
    runfolder.SCAN_CURVES,
    runfolder.BAKE_CURVES,
    runfolder.CYCLE_CURVES,
)
#: what a report links to if it is there
_FILES = {
    *runfolder.RUN_FILES,
    *(Path(name).with_suffix(suffix).name for name in _STILLS for suffix in (".svg", ".pdf")),
} - {runfolder.REPORT, CHECKPOINT}


def loop_text(ds: xr.Dataset, pictures: Mapping[str, bytes], files: Sequence[str] = ()) -> str:
    """The report of an IVTrace as HTML.

    Parameters
    ----------
    ds : xarray.Dataset
        The record.
    pictures : mapping of str to bytes
        PNG files as bytes, by name; those of `runfolder.LOOP_FILES` are shown.
    files : sequence of str, default ()
        Names of files that lie beside the report, to be linked.

    Raises
    ------
    InputError
        The device kept in the record cannot be read.
    """
    device = style.device_of(ds)
    content: list[str] = [
        *report_parts.warnings(ds),
        report_parts.request(ds, device),
        html_page.section("What came out", report_parts.figures(table(ds).rows)),
    ]
    has_fields = ds.sizes["frame"] + ds.sizes["point"] > 0
    if has_fields:
        shown = html_page.section("Fields over the loop", report_viewer.viewer(ds))
        content.append(Html(f'<div class="screen">{shown}</div>'))  # the pictures are for print
    content += report_parts.pictures(
        pictures,
        {
            runfolder.CURVES: "Current, resistance and peak temperature over the voltage",
            runfolder.TIME_CURVES: "Voltage, current, resistance and peak temperature over time",
            runfolder.MAPS: "Vacancies and temperature at the marked points, and profiles",
        },
    )
    rejected = [
        [*(html_page.signs(format_si(float(x), "s", 4)) for x in (time, size)), str(reason)]
        for time, size, reason in zip(
            *(ds[f"rejected_{name}"].values for name in ("time", "step_size", "reason")),
            strict=True,
        )
    ]
    content.append(report_parts.balances(ds, "every accepted step"))
    if rejected:
        heads = ("time", "length of the step", "reason")
        content += [
            Html(f"<details><summary>{len(rejected)} rejected steps</summary>"),
            html_page.table(heads, rejected),
            Html("</details>"),
        ]
    content += report_parts.origin(ds, device, runfolder.RECORD, files)
    return html_page.page(
        str(ds.attrs.get("title", f"Current-voltage loop of {device.name}")),
        content,
        scripts=report_viewer.scripts() if has_fields else (),
        style=report_viewer.STYLE if has_fields else "",
    )


def train_text(ds: xr.Dataset, pictures: Mapping[str, bytes], files: Sequence[str] = ()) -> str:
    """The report of a PulseTrace as HTML; parameters and errors as `loop_text`."""
    device = style.device_of(ds)
    content: list[str] = [*report_parts.warnings(ds), report_parts.request(ds, device)]
    content.append(html_page.section("What came out", report_parts.figures(table(ds).rows)))
    name = "Conductance after each pulse, peak temperature and current in the pulse"
    content += report_parts.pictures(pictures, {runfolder.PULSE_CURVES: name})
    content.append(html_page.section("Pulse by pulse", *_pulses(ds)))
    content.append(report_parts.balances(ds, "every pulse"))
    content += report_parts.origin(ds, device, runfolder.PULSE_RECORD, files)
    return html_page.page(f"{ds.attrs['title']}", content)


def kinetics_text(ds: xr.Dataset, pictures: Mapping[str, bytes], files: Sequence[str] = ()) -> str:
    """The report of a SwitchingTime as HTML; parameters and errors as `loop_text`."""
    device, shown = style.device_of(ds), table(ds)
    content: list[str] = [
        *report_parts.warnings(ds),
        report_parts.request(ds, device),
        html_page.section(
            "What came out",
            *map(html_page.signs, shown.notes),
            html_page.table(
                shown.heads,
                [list(map(html_page.signs, row)) for row in shown.rows],
                numbers=shown.right,
            ),
            f"Criterion: {ds.attrs['criterion']}.",
        ),
    ]
    name = "Switching time and its slope over the voltage, and over the temperature"
    content += report_parts.pictures(pictures, {runfolder.SCAN_CURVES: name})
    content += report_parts.origin(ds, device, runfolder.SCAN_RECORD, files)
    return html_page.page(str(ds.attrs["title"]), content)


def retention_text(ds: xr.Dataset, pictures: Mapping[str, bytes], files: Sequence[str] = ()) -> str:
    """The report of a Retention as HTML; parameters and errors as `loop_text`."""
    device, shown = style.device_of(ds), table(ds)
    content: list[str] = [
        *report_parts.warnings(ds),
        report_parts.request(ds, device),
        html_page.section(
            "What came out",
            *map(html_page.signs, shown.notes),
            html_page.table(
                shown.heads,
                [list(map(html_page.signs, row)) for row in shown.rows],
                numbers=shown.right,
            ),
        ),
    ]
    name = "Resistance over time at each temperature, and times over 1/kT"
    content += report_parts.pictures(pictures, {runfolder.BAKE_CURVES: name})
    content += report_parts.origin(ds, device, runfolder.BAKE_RECORD, files)
    return html_page.page(str(ds.attrs["title"]), content)


def endurance_text(ds: xr.Dataset, pictures: Mapping[str, bytes], files: Sequence[str] = ()) -> str:
    """The report of an Endurance as HTML; parameters and errors as `loop_text`."""
    device = style.device_of(ds)
    content: list[str] = [*report_parts.warnings(ds), report_parts.request(ds, device)]
    content.append(html_page.section("What came out", report_parts.figures(table(ds).rows)))
    name = "Resistances, pulses and their heights over the cycles"
    content += report_parts.pictures(pictures, {runfolder.CYCLE_CURVES: name})
    content += report_parts.origin(ds, device, runfolder.CYCLE_RECORD, files)
    return html_page.page(str(ds.attrs["title"]), content)


def write_report(
    folder: Path, ds: xr.Dataset, pictures: Sequence[Path], *, overwrite: bool = False
) -> Path:
    """Write ``report.html`` of a record into its folder, whole or not at all.

    Parameters
    ----------
    folder : Path
        Where the record lies.
    ds : xarray.Dataset
        An IVTrace, PulseTrace, SwitchingTime, Retention or Endurance.
    pictures : sequence of Path
        The PNG files that were just drawn of it.
    overwrite : bool, default False
        Replace an existing report.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    InputError
        The device kept in the record cannot be read.
    StorageError
        A picture cannot be read, or the file cannot be written.
    """
    make = {
        "IVTrace": loop_text,
        "PulseTrace": train_text,
        "SwitchingTime": kinetics_text,
        "Retention": retention_text,
        "Endurance": endurance_text,
    }
    try:
        shown = {path.name: path.read_bytes() for path in pictures if path.suffix == ".png"}
        files = sorted(path.name for path in folder.iterdir() if path.name in _FILES)
    except OSError as exc:
        raise StorageError(f"it cannot be read: {exc.strerror or exc}", str(folder)) from exc
    text = make[str(ds.attrs["schema"])](ds, shown, files)
    return write_bytes(folder / runfolder.REPORT, text.encode("utf-8"), overwrite)


def _pulses(ds: xr.Dataset) -> list[str]:
    count = ds.sizes["pulse"]
    # most happens in the first pulses
    numbers = np.unique(np.geomspace(1, count, _PULSES).round().astype(int)) - 1
    columns = {
        "amplitude": ("amplitude", "V"),
        "width": ("width", "s"),
        "conductance": ("conductance", "S"),
        "current": ("current in the pulse", "A"),
        "energy": ("energy", "J"),
        "filament_gap": ("gap", "m"),
    }
    heads = ["pulse", *(text for text, _ in columns.values()), "peak temperature"]
    rows = []
    for k in numbers:
        cells = [
            format_si(float(ds[name].values[k]), unit, 4) for name, (_, unit) in columns.items()
        ]
        celsius = float(ds["temperature_max"].values[k]) - style.CELSIUS_ZERO
        rows.append([str(k + 1), *map(html_page.signs, cells), f"{celsius:.0f} °C"])
    note = f"{numbers.size} of the {count} pulses; all are in {runfolder.PULSE_RECORD}."
    table = html_page.table(heads, rows, numbers=range(len(heads)))
    return [note, table]
