"""Parts that the reports of loops, trains and switching times share; all made from the record."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from ddkbase import html as html_page
from ddkbase.html import Html, code
from ddkbase.units import format_si
from devicephys.device import Device, list_devices, load_device
from devicephys.report import repeat as report_repeat

#: largest imbalance that the verification allows a loop, as `devicephys.verification.balances`
ALLOWED = {"vacancy_imbalance": 1e-10, "current_imbalance": 1e-8, "energy_imbalance": 1e-4}


def warnings(ds: xr.Dataset) -> list[Html]:
    """What a reader must know before trusting the numbers: not complete, a warning."""
    sentences = []
    if not int(ds.attrs.get("complete", 1)):
        sentences.append("the run is not complete; this is what was computed before it stopped.")
    if ds.attrs.get("warning"):
        sentences.append(str(ds.attrs["warning"]))
    return [html_page.warning(text) for text in sentences]


def figures(rows: Sequence[Sequence[str]]) -> Html:
    """Names and texts as the command prints them, as a table."""
    return html_page.values([(name, html_page.signs(text)) for name, text in rows])


def request(ds: xr.Dataset, device: Device) -> Html:
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


def pictures(drawn: Mapping[str, bytes], names: Mapping[str, str]) -> list[Html]:
    """A section of those of ``drawn`` that have a text in ``names``; nothing if there is none."""
    shown = [
        html_page.image(drawn[name], text, wide=True, caption=f"{text} ({name}).")
        for name, text in names.items()
        if name in drawn
    ]
    return [html_page.section("Pictures", *shown)] if shown else []


def balances(ds: xr.Dataset, where: str) -> Html:
    """The largest imbalances of a record over ``where``, beside what the verification allows."""
    rows = []
    for name, allowed in ALLOWED.items():
        largest = float(np.abs(ds[name].values).max())
        kind, verdict = ("yes", "kept") if largest <= allowed else ("no", "not kept")
        mark = Html(f'<b class="{kind}">{verdict}</b>')
        rows.append([ds[name].attrs["long_name"], f"{largest:.1e}", f"{allowed:.0e}", mark])
    heads = (f"largest over {where}", "found", "allowed", "")
    return html_page.section("Balances", html_page.table(heads, rows, numbers=(1, 2)))


def origin(ds: xr.Dataset, device: Device, record: str, files: Sequence[str]) -> list[str]:
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
            Html("<details><summary>In Python</summary>"),
            script,
            Html("</details>"),
        ]
    versions = json.loads(ds.attrs["versions_json"])
    ranks = int(ds.attrs.get("ranks", 1))
    computed = f"Computed {ds.attrs['created']} on {ranks} rank{'s' if ranks > 1 else ''} with:"
    heads = ("parameter", "value", "mark", "source")
    parameters = [[row.path, row.value, row.mark, row.source] for row in device.table()]
    content: list[str] = [
        html_page.section("To repeat it", *repeat),
        Html("<details><summary>Versions</summary>"),
        html_page.paragraph(computed),
        html_page.values(versions),
        Html("</details>"),
        Html("<details><summary>All parameters of the device</summary>"),
        html_page.table(heads, parameters),
        Html("</details>"),
    ]
    if files:
        links = Html(", ".join(html_page.link(name, name) for name in files))
        content.append(html_page.section("Files", html_page.paragraph(links)))
    return content
