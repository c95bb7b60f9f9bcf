"""The field viewer of a loop's report: pick a point of the I-V curve, see n, T and V in the cell.

The fields are those of the record, at the marked points and at the frames between them, each field
as whole numbers of two bytes over its range in the loop.  The scripts that draw them are files of
this package.
"""

from __future__ import annotations

import base64
from importlib import resources
from typing import Any

import numpy as np
import xarray as xr
from matplotlib import colormaps

from ddkbase import html as html_page
from ddkbase.html import Html, escaped
from ddkbase.units import format_si
from devicephys.plots import style
from devicephys.plots.fields import window_of

#: what all fields may take in the page before instants are left out, bytes (a third more as text)
ROOM = 2_200_000
EMPTY = 65535  # stands for "no value"
SCRIPTS = ("report_maps.js", "report_viewer.js")
VACANCY_MAP, TEMPERATURE_MAP, POTENTIAL_MAP = "cividis", "inferno", "viridis"

STYLE = """
.viewer { border: 1px solid #ddd; border-radius: 6px; padding: .8em 1em; margin: 1em 0 }
.pane { display: grid; grid-template-columns: minmax(0, 3fr) minmax(0, 2fr); gap: .5em 1.5em }
.maps { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: .5em }
.maps figure { margin: 0; min-width: 0 } .maps figcaption { color: #222; text-align: center }
.maps canvas { display: block; width: 100%; cursor: crosshair; touch-action: pan-y }
#viewer-curve { display: block; width: 100%; cursor: pointer; touch-action: pan-y;
                user-select: none; -webkit-user-select: none }
#viewer-curve .grid { stroke: #e2e2e2; fill: none } #viewer-curve .grid rect { stroke: #777 }
#viewer-curve .words, #viewer-curve .letter { font: 12px system-ui, "DejaVu Sans", sans-serif }
#viewer-curve .letter { font-weight: 700; font-size: 11px }
#viewer-curve .dot { fill: #fff; stroke: #777 }
#viewer-curve .disc { fill: #fff; stroke-width: 1.4 }
#viewer-curve .ring { fill: #ffcf40; stroke: #222; stroke-width: 1.4 }
.bar { display: flex; flex-wrap: wrap; gap: .5em .9em; align-items: center; margin: .6em 0 }
.bar input[type=range] { flex: 1 1 12em; min-width: 8em; height: 2em }
.bar button, .bar select { font: inherit; padding: .35em .7em; min-height: 2.4em; color: #222;
                           background: #f4f4f2; border: 1px solid #aaa; border-radius: 4px }
.points { display: flex; flex-wrap: wrap; gap: .3em } .points button { min-width: 2.4em }
.bar button[aria-pressed=true] { background: #ffcf40; border-color: #222; font-weight: 600 }
#viewer-told { font-weight: 600; margin: .2em 0 }
#viewer-probed { min-height: 1.5em; margin: .6em 0 }
@media (max-width: 50em) {
  .viewer { padding: .6em } .maps { grid-template-columns: minmax(0, 1fr) }
  .viewer:not([hidden]) { display: flex; flex-direction: column }
  .pane, .side { display: contents } .side .wide { order: 1 } .viewer .note { order: 2 }
  #viewer-told { min-height: 3em } #viewer-probed { min-height: 4.5em }
}
"""


def viewer(ds: xr.Dataset) -> Html:
    """The viewer of a loop as part of a page that runs `scripts` and has `STYLE`.

    Raises InputError: the device kept in the record cannot be read.
    """
    instants, left_out = _instants(ds)
    content = _content(ds, instants)
    buttons = "".join(
        f'<button type="button" data-instant="{k}" title="{escaped(instant["meaning"])}" '
        f'aria-label="{escaped(instant["point"])}, {escaped(instant["meaning"])}">'
        f"{escaped(instant['point'])}</button>"
        for k, instant in enumerate(content["instants"])
        if instant["point"]
    )
    rows = "".join(
        f'<tr><th scope="row">{escaped(name)}</th>'
        f'<td id="viewer-value-{key}" class="number"></td></tr>'
        for key, name in _TEXTS.items()
    )
    maps = "".join(
        f"<figure><figcaption>{escaped(field['name'])} {escaped(field['symbol'])} "
        f"({escaped(field['unit'])})</figcaption>"
        f'<canvas id="viewer-map-{field["symbol"]}" tabindex="0" role="img"></canvas></figure>'
        for field in content["fields"]
    )
    last = len(instants) - 1
    note = (
        f"{len(instants)} of the {ds.sizes['time']} instants of the record have fields; "
        f"{left_out} more with fields are left out here to keep the page small. "
        if left_out
        else f"{len(instants)} of the {ds.sizes['time']} instants of the record have fields. "
    )
    return Html(
        '<div class="viewer" id="viewer" hidden>'
        '<div class="pane"><div>'
        '<svg id="viewer-curve" tabindex="0" role="slider" aria-label="Current-voltage curve" '
        f'aria-valuemin="1" aria-valuemax="{last + 1}"></svg></div>'
        '<div class="side"><p id="viewer-told" role="status"></p>'
        f'<div class="wide"><table><tbody>{rows}</tbody></table></div></div></div>'
        f'<div class="bar"><div class="points" role="group" aria-label="Marked points">{buttons}'
        '</div><button type="button" id="viewer-play">Play</button>'
        '<input type="range" id="viewer-instant" aria-label="Instant of the loop" '
        f'min="0" max="{last}" step="1"></div>'
        '<div class="bar"><label>Part shown <select id="viewer-part">'
        '<option value="filament">filament</option><option value="cell">whole cell</option>'
        "</select></label> "
        '<label>Colours <select id="viewer-scale"><option value="loop">one scale for the loop'
        '</option><option value="instant">scale of the instant</option></select></label></div>'
        f'<div class="maps">{maps}</div>'
        '<p id="viewer-probed"></p><p class="note"><small>'
        "Click or drag on the curve, or use the arrow keys there; click on a map, or use the arrow "
        "keys there, to set the cross. Solid lines bound the layers, the dashed line is the "
        "filament as formed; no vacancies in the hatched metals. "
        f"{note}Fields are kept to 1/65,534 of their range in the loop.</small></p>"
        "</div><noscript>"
        '<p class="warning">The field viewer needs JavaScript; the pictures below show the '
        "same fields at the marked points.</p></noscript>"
        + html_page.data_block("viewer-data", content)
    )


def scripts() -> list[str]:
    """Sources that a page with a viewer runs, in this order."""
    folder = resources.files("devicephys.report")
    return [(folder / name).read_text(encoding="utf-8") for name in SCRIPTS]


_TEXTS = {
    "voltage": "Applied voltage",
    "device_voltage": "Voltage across the memristor",
    "current": "Current",
    "resistance": "Resistance",
    "temperature": "Peak temperature",
    "gap": "Filament gap",
    "time": "Time",
    "loop": "Loop",
}


def _instants(ds: xr.Dataset) -> tuple[list[tuple[str, int, int]], int]:
    """Dimension, index there and step of each instant with fields, in order of time, and how many
    were left out; a marked point stands for the frame at the same step."""
    instants: dict[int, tuple[str, int, int]] = {}
    for dim in ("frame", "point"):
        for k, step in enumerate(style.index_at(ds, ds[f"time_{dim}"].values)):
            instants[int(step)] = (dim, k, int(step))
    size = 2 * (ds.sizes["z"] * ds.sizes["r"] + 2 * ds.sizes["z_node"] * ds.sizes["r_node"])
    most = max(ROOM // size, 1)
    points = [instant for instant in instants.values() if instant[0] == "point"][:most]
    frames = [instant for instant in instants.values() if instant[0] == "frame"]
    room = most - len(points)
    if len(frames) > room:
        even = np.linspace(0, len(frames) - 1, room).round().astype(int)
        frames = [frames[k] for k in np.unique(even)]
    shown = sorted([*points, *frames], key=lambda instant: instant[2])
    return shown, len(instants) - len(shown)


def _content(ds: xr.Dataset, instants: list[tuple[str, int, int]]) -> dict[str, Any]:
    bands, outline = style.stack(ds)
    r, z = ds["r_node"].values * style.NM, ds["z_node"].values * style.NM
    window = window_of(ds, outline)
    named = [_named(ds, instant) for instant in instants]
    marked = [k for k, name in enumerate(named) if name["point"]]
    return {
        "curve": {
            "voltage": _short(ds["voltage"].values, 7),
            "current": _short(ds["current"].values * style.MICROAMPERE, 6),
            "label": style.voltage_label(ds),
            "branches": [
                {
                    "start": steps.start,
                    "stop": steps.stop,
                    "colour": style.RESET_COLOUR if negative else style.SET_COLOUR,
                    "outward": outward,
                    "later": loop > 0,
                }
                for loop, negative, outward, steps in style.branches(ds)
            ],
        },
        "instants": named,
        "start": marked[min(1, len(marked) - 1)] if marked else 0,  # the edge of RESET
        "probe": {"r": 0.0, "z": _short([outline.bottom + 0.5], 6)[0]},
        "plane": {
            "r": _short(r, 7),
            "z": _short(z, 7),
            "parts": {
                "filament": [window.left, window.right, window.bottom, window.top],
                "cell": [-float(r[-1]), float(r[-1]), float(z[0]), float(z[-1])],
            },
            "layers": [
                {"name": band.name.replace("_", " "), "bottom": band.bottom, "top": band.top}
                for band in bands
            ],
            "filament": {key: getattr(outline, key) for key in ("radius", "bottom", "top")},
        },
        "fields": [
            _field(
                ds["vacancy_concentration"],
                ds["vacancy_concentration_frame"],
                instants,
                (style.PER_1E21_CM3, 0.0),
                name="Vacancy concentration",
                symbol="n",
                unit="10²¹/cm³",
                colours=VACANCY_MAP,
            ),
            _field(
                ds["temperature"],
                ds["temperature_frame"],
                instants,
                (1.0, -style.CELSIUS_ZERO),
                name="Temperature",
                symbol="T",
                unit="°C",
                colours=TEMPERATURE_MAP,
            ),
            _field(
                ds["potential"],
                ds["potential_frame"],
                instants,
                (1.0, 0.0),
                name="Potential",
                symbol="V",
                unit="V",
                colours=POTENTIAL_MAP,
            ),
        ],
    }


def _named(ds: xr.Dataset, instant: tuple[str, int, int]) -> dict[str, Any]:
    """An instant: its step, its letter, and what is told of it."""
    dim, k, step = instant
    point = str(ds["point"].values[k]) if dim == "point" else ""
    row = {
        name: float(ds[name].values[step])
        for name in ("time", "voltage", "device_voltage", "current", "resistance")
    }
    texts = {
        "voltage": style.minus(f"{row['voltage']:+.3f} V"),
        "device_voltage": style.minus(f"{row['device_voltage']:+.3f} V"),
        "current": style.minus(f"{row['current'] * style.MICROAMPERE:+.4g} µA"),
        "resistance": style.resistance_text(row["resistance"]) or "– (near 0 V)",
        "temperature": f"{float(ds['temperature_max'].values[step]) - style.CELSIUS_ZERO:.0f} °C",
        "gap": f"{float(ds['filament_gap'].values[step]) * style.NM:.2f} nm",
        "time": html_page.signs(format_si(row["time"], "s")),
        "loop": f"{int(ds['loop'].values[step]) + 1}",
    }
    return {
        "step": step,
        "point": point,
        "meaning": style.point_meaning(ds, point),
        "colour": style.RESET_COLOUR if point in "ABCD" else style.SET_COLOUR,
        "told": texts,
    }


def _field(
    at_points: xr.DataArray,
    at_frames: xr.DataArray,
    instants: list[tuple[str, int, int]],
    scale: tuple[float, float],
    *,
    colours: str,
    **names: str,
) -> dict[str, Any]:
    """A field at the instants, times and plus what ``scale`` says, as numbers of two bytes."""
    source = {"point": at_points.values, "frame": at_frames.values}
    values = np.stack([np.asarray(source[dim][k], dtype=float) for dim, k, _ in instants])
    values = values * scale[0] + scale[1]
    finite = np.isfinite(values)
    low = float(values[finite].min()) if finite.any() else 0.0
    high = float(values[finite].max()) if finite.any() else 1.0
    step = (high - low) / (EMPTY - 1) or 1.0
    codes = np.full(values.shape, EMPTY, dtype="<u2")
    codes[finite] = np.round((values[finite] - low) / step)
    table = (colormaps[colours](np.linspace(0, 1, 256))[:, :3] * 255).round().astype(np.uint8)
    return {
        **names,
        "on": "cells" if "r" in at_points.dims else "nodes",
        "low": low,
        "high": high,
        "codes": base64.b64encode(codes.tobytes()).decode("ascii"),
        "colours": base64.b64encode(table.tobytes()).decode("ascii"),
    }


def _short(values: Any, digits: int) -> list[float]:
    """Numbers with as many digits as a picture needs."""
    return [float(f"{value:.{digits}g}") for value in np.asarray(values, dtype=float)]
