"""The report of a run: one HTML file of what was asked and what came out; it needs nothing else.

Made from the record alone (and from the pictures that were drawn of it), so that ``ddk-device
plot`` makes it again.  A loop's report has a viewer of its fields (`devicephys.report.viewer`).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ddkbase import html as html_page
from ddkbase.errors import StorageError
from ddkbase.files import write_bytes
from ddkbase.html import Html, code
from ddkbase.units import format_si
from devicephys.device import Device, list_devices, load_device
from devicephys.device.library import device_of
from devicephys.plots import style
from devicephys.report import repeat as report_repeat
from devicephys.report import viewer as report_viewer
from devicephys.run import folder as runfolder
from devicephys.run.figures import table
from devicephys.simulation.checkpoint import CHECKPOINT

#: largest imbalance that the verification allows a loop, as `devicephys.verification.balances`
ALLOWED = {"vacancy_imbalance": 1e-10, "current_imbalance": 1e-8, "energy_imbalance": 1e-4}
_PULSES = 40  # most pulses in the table of a train


def report_text(ds: xr.Dataset, pictures: Mapping[str, bytes], files: Sequence[str] = ()) -> str:
    """The report of a record as HTML.

    Of ``pictures``, PNG files by name, those that belong to the record are shown; ``files`` lie
    beside the report and are linked. Raises InputError: the device kept in the record cannot be
    read.
    """
    kind = _KINDS[str(ds.attrs["schema"])]
    device = device_of(ds)
    content: list[str] = [*_warnings(ds), _request(ds, device), _outcome(ds)]
    has_fields = ds.attrs["schema"] == "IVTrace" and ds.sizes["frame"] + ds.sizes["point"] > 0
    if has_fields:
        shown = html_page.section("Fields over the loop", report_viewer.viewer(ds))
        content.append(Html(f'<div class="screen">{shown}</div>'))  # the pictures are for print
    content += _pictures(pictures, kind.captions)
    content += kind.details(ds)
    content += _origin(ds, device, kind.record, files)
    return html_page.page(
        str(ds.attrs.get("title", f"Current-voltage loop of {device.name}")),
        content,
        scripts=report_viewer.scripts() if has_fields else (),
        style=report_viewer.STYLE if has_fields else "",
    )


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
    try:
        shown = {path.name: path.read_bytes() for path in pictures if path.suffix == ".png"}
        files = sorted(path.name for path in folder.iterdir() if path.name in _FILES)
    except OSError as exc:
        raise StorageError(f"it cannot be read: {exc.strerror or exc}", str(folder)) from exc
    text = report_text(ds, shown, files)
    return write_bytes(folder / runfolder.REPORT, text.encode("utf-8"), overwrite)


def _warnings(ds: xr.Dataset) -> list[Html]:
    """What a reader must know before trusting the numbers: not complete, a warning."""
    sentences = []
    if not int(ds.attrs.get("complete", 1)):
        sentences.append("the run is not complete; this is what was computed before it stopped.")
    if ds.attrs.get("warning"):
        sentences.append(str(ds.attrs["warning"]))
    return [html_page.warning(text) for text in sentences]


def _request(ds: xr.Dataset, device: Device) -> Html:
    """Device, protocol and settings, and where the device differs from that of the library."""
    protocol = json.loads(ds.attrs["protocol_json"])
    settings = json.loads(ds.attrs["settings_json"])
    lines: list[tuple[str, object]] = [
        ("device", device.name),
        ("voltages across", ds.attrs["voltage_reference"]),
        ("protocol", _listed({k: v for k, v in protocol.items() if k != "kind"})),
    ]
    if ds.attrs.get("started_from"):
        lines.append(("begins with the end of", str(ds.attrs["started_from"])))
    if "wanted_resistance" in ds and np.isfinite(target := float(ds["wanted_resistance"])):
        lines.append(("brought to", html_page.signs(format_si(target, "ohm", 3))))
    if not isinstance(ds.attrs.get("seed", ""), str):
        names = ("seed", "cycle", "device_number")
        drawn = {name.replace("_", " "): int(ds.attrs[name]) for name in names}
        lines.append(("drawn from a population", _listed(drawn)))
    lines.append(("preset", f"{settings.get('name', '?')}, {ds.attrs['method']}"))
    changed, sentence = _changes(device)
    table = html_page.table(("parameter", "here", "in the library", "mark"), changed)
    return html_page.section(
        "What was asked", html_page.values(lines), sentence, *([table] if changed else [])
    )


def _changes(device: Device) -> tuple[list[list[str]], str]:
    """Parameters that differ from the library's device of the same name, and a sentence."""
    if device.name not in list_devices():
        return [], "The device is not one of the library; all its parameters are listed below."
    library = {row.path: row.value for row in load_device(device.name).table()}
    rows = {row.path: row for row in device.table()}
    changed = [
        [path, row.value, library.get(path, "–"), row.mark]
        for path, row in rows.items()
        if library.get(path) != row.value
    ]
    changed += [[path, "–", value, ""] for path, value in library.items() if path not in rows]
    if not changed:
        return [], f"Every parameter is that of the library's device {device.name}."
    return changed, f"Changed against the library's device {device.name}:"


def _listed(values: Mapping[str, Any]) -> str:
    texts = []
    for name, value in values.items():
        several = isinstance(value, list)
        if several and len(value) > 8:
            value = f"{len(value)} values from {value[0]} to {value[-1]}"
        elif several:
            value = ", ".join(map(str, value))
        texts.append(f"{name.replace('_', ' ')} {html_page.signs(str(value))}")
    return "; ".join(texts)


def _pictures(drawn: Mapping[str, bytes], names: Mapping[str, str]) -> list[Html]:
    """A section of those of ``drawn`` that have a text in ``names``; nothing if there is none."""
    shown = [
        html_page.image(drawn[name], text, wide=True, caption=f"{text} ({name}).")
        for name, text in names.items()
        if name in drawn
    ]
    return [html_page.section("Pictures", *shown)] if shown else []


def _balances(ds: xr.Dataset, where: str) -> Html:
    """The largest imbalances of a record over ``where``, beside what the verification allows."""
    rows = []
    for name, allowed in ALLOWED.items():
        largest = float(np.abs(ds[name].values).max())
        kind, verdict = ("yes", "kept") if largest <= allowed else ("no", "not kept")
        mark = Html(f'<b class="{kind}">{verdict}</b>')
        rows.append([ds[name].attrs["long_name"], f"{largest:.1e}", f"{allowed:.0e}", mark])
    heads = (f"largest over {where}", "found", "allowed", "")
    return html_page.section("Balances", html_page.table(heads, rows, numbers=(1, 2)))


def _origin(ds: xr.Dataset, device: Device, record: str, files: Sequence[str]) -> list[str]:
    """How to repeat it, versions, all parameters, files."""
    command = report_repeat.command(ds, device)
    script = code(report_repeat.script(ds, record), block=True)
    repeat: list[str] = []
    if command is None:
        repeat += ["In Python, in the folder of the run:", script]
    else:
        repeat += [
            "In the folder of the run:",
            code(command, block=True),
            html_page.details("In Python", script),
        ]
    versions = json.loads(ds.attrs["versions_json"])
    ranks = int(ds.attrs.get("ranks", 1))
    computed = f"Computed {ds.attrs['created']} on {ranks} rank{'s' if ranks > 1 else ''} with:"
    heads = ("parameter", "value", "mark", "source")
    parameters = [[row.path, row.value, row.mark, row.source] for row in device.table()]
    content: list[str] = [
        html_page.section("To repeat it", *repeat),
        html_page.details("Versions", html_page.paragraph(computed), html_page.values(versions)),
        html_page.details("All parameters of the device", html_page.table(heads, parameters)),
    ]
    if files:
        links = Html(", ".join(html_page.link(name, name) for name in files))
        content.append(html_page.section("Files", html_page.paragraph(links)))
    return content


def _outcome(ds: xr.Dataset) -> Html:
    """What the command prints: names and texts, or a table with notes above it."""
    shown = table(ds)
    if ds.attrs["schema"] not in ("SwitchingTime", "Retention"):
        pairs = [(name, html_page.signs(text)) for name, text in shown.rows]
        return html_page.section("What came out", html_page.values(pairs))
    rows = [list(map(html_page.signs, row)) for row in shown.rows]
    content = [
        *map(html_page.signs, shown.notes),
        html_page.table(shown.heads, rows, numbers=shown.right),
    ]
    if ds.attrs["schema"] == "SwitchingTime":
        content.append(f"Criterion: {ds.attrs['criterion']}.")
    return html_page.section("What came out", *content)


def _rejected(ds: xr.Dataset) -> list[str]:
    """The balances of a loop, and the steps that were rejected."""
    rejected = [
        [*(html_page.signs(format_si(float(x), "s", 4)) for x in (time, size)), str(reason)]
        for time, size, reason in zip(
            *(ds[f"rejected_{name}"].values for name in ("time", "step_size", "reason")),
            strict=True,
        )
    ]
    content: list[str] = [_balances(ds, "every accepted step")]
    if rejected:
        steps = html_page.table(("time", "length of the step", "reason"), rejected)
        content.append(html_page.details(f"{len(rejected)} rejected steps", steps))
    return content


def _pulses(ds: xr.Dataset) -> list[str]:
    """What single pulses of a train did, and its balances."""
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
    pulses = html_page.table(heads, rows, numbers=range(len(heads)))
    section = html_page.section("Pulse by pulse", note, pulses)
    return [section, _balances(ds, "every pulse")]


@dataclasses.dataclass(frozen=True)
class _Kind:
    """What the report of a kind of record has of its own: pictures, and what stands below them."""

    record: str
    captions: Mapping[str, str]
    details: Callable[[xr.Dataset], list[str]] = lambda ds: []


_KINDS = {
    "IVTrace": _Kind(
        runfolder.RECORD,
        {
            runfolder.CURVES: "Current, resistance and peak temperature over the voltage",
            runfolder.TIME_CURVES: "Voltage, current, resistance and peak temperature over time",
            runfolder.MAPS: "Vacancies and temperature at the marked points, and profiles",
        },
        _rejected,
    ),
    "PulseTrace": _Kind(
        runfolder.PULSE_RECORD,
        {
            runfolder.PULSE_CURVES: "Conductance after each pulse, peak temperature and current"
            " in the pulse"
        },
        _pulses,
    ),
    "SwitchingTime": _Kind(
        runfolder.SCAN_RECORD,
        {
            runfolder.SCAN_CURVES: "Switching time and its slope over the voltage, and over the"
            " temperature"
        },
    ),
    "Retention": _Kind(
        runfolder.BAKE_RECORD,
        {runfolder.BAKE_CURVES: "Resistance over time at each temperature, and times over 1/kT"},
    ),
    "Endurance": _Kind(
        runfolder.CYCLE_RECORD,
        {runfolder.CYCLE_CURVES: "Resistances, pulses and their heights over the cycles"},
    ),
}
#: what a report links to if it is there
_FILES = {
    *runfolder.RUN_FILES,
    *(
        Path(name).with_suffix(suffix).name
        for kind in _KINDS.values()
        for name in kind.captions
        for suffix in (".svg", ".pdf")
    ),
} - {runfolder.REPORT, CHECKPOINT}
