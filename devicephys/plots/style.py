"""What all pictures of records share: axis names, layer geometry, the banner.

Colours, sizes, figures and saving are those of all pictures: `ddkbase.pictures`.
"""

from __future__ import annotations

import itertools
import json
import math
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from ddkbase.pictures import (
    BLUE,
    ORANGE,
    TITLE_TEXT,
    VERMILLION,
    WARNING,
    new_figure,
    save_figure,
    style_axes,
)
from ddkbase.units import CELSIUS_ZERO
from devicephys.device.library import device_of
from devicephys.simulation.iv_record import is_sweep

__all__ = [
    "BLUE",
    "CELSIUS_ZERO",
    "KILOOHM",
    "MICROAMPERE",
    "NM",
    "ORANGE",
    "PER_1E21_CM3",
    "POINT_MEANING",
    "RESET_COLOUR",
    "SET_COLOUR",
    "VERMILLION",
    "WARNING",
    "LayerBand",
    "Outline",
    "add_heading",
    "banner_text",
    "branches",
    "headline",
    "index_at",
    "lighter",
    "minus",
    "mirrored_line",
    "mirrored_nodes",
    "new_figure",
    "point_meaning",
    "resistance_text",
    "save_figure",
    "stack",
    "style_axes",
    "title_text",
    "voltage_label",
]

RESET_COLOUR, SET_COLOUR = BLUE, VERMILLION

NM = 1e9  # m -> nm
PER_1E21_CM3 = 1e-27  # 1/m^3 -> 1e21/cm^3
MICROAMPERE = 1e6  # A -> uA
KILOOHM = 1e-3  # ohm -> kohm

POINT_MEANING = {
    "A": "before RESET",
    "B": "edge of RESET",
    "C": "during RESET",
    "D": "after RESET",
    "E": "before SET",
    "F": "edge of SET",
    "G": "just after SET",
    "H": "after the loop",
}


@dataclass(frozen=True)
class LayerBand:
    """One layer of the stack, its lower and upper face in nm on the axis of the record."""

    name: str
    bottom: float
    top: float
    is_metal: bool


@dataclass(frozen=True)
class Outline:
    """The filament as formed: radius, lower and upper end in nm, on the axis of the record."""

    radius: float
    bottom: float
    top: float


def lighter(colour: str, share: float) -> tuple[float, float, float]:
    """Mix ``colour`` with white: ``share`` 0 leaves it, 1 gives white."""
    red, green, blue = (c + (1 - c) * share for c in to_rgb(colour))
    return red, green, blue


def voltage_label(ds: xr.Dataset) -> str:
    """Return the name of the voltage axis; it says between which terminals the voltage stands."""
    return f"Voltage across the {ds.attrs['voltage_reference']} (V)"


def headline(ds: xr.Dataset) -> dict[str, float]:
    """Return the finite headline figures of a record; what the run did not reach is left out."""
    figures = json.loads(ds.attrs["headline_json"])
    return {
        name: float(value)
        for name, value in figures.items()
        if isinstance(value, int | float) and math.isfinite(value)
    }


def minus(text: str) -> str:
    """Replace the hyphen of a number by the minus sign."""
    return text.replace("-", "\N{MINUS SIGN}")


def resistance_text(ohms: float) -> str:
    """Return a resistance for a label, e.g. "5.2 kΩ"."""
    if not math.isfinite(ohms):
        return ""
    scale, prefix = (1e-6, "M") if abs(ohms) >= 1e6 else (1e-3, "k")
    value = ohms * scale
    return f"{value:.1f} {prefix}Ω" if abs(value) < 100 else f"{value:.0f} {prefix}Ω"


def title_text(ds: xr.Dataset) -> str:
    """Return the picture's title: which device, how many loops, solved how."""
    loops = int(ds.attrs["loops"])
    count = "one loop" if loops == 1 else f"{loops} loops"
    if not is_sweep(ds):
        count = "a waveform"
    return f"{device_of(ds).name}: {count}, {ds.attrs['method']} solution"


def banner_text(ds: xr.Dataset) -> str:
    """Return what a reader must know before trusting the picture; empty if there is nothing."""
    sentences = []
    if not int(ds.attrs.get("complete", 1)):
        sentences.append("Run not complete: it shows what was computed before it stopped.")
    if ds.attrs.get("warning"):
        sentences.append(f"Warning: {ds.attrs['warning']}")
    return "  ".join(sentences)


def add_heading(figure: Figure, ds: xr.Dataset, fontsize: float = 12, title: str = "") -> None:
    """Write the title above the figure, and the warning in a box under it if there is one.

    Without a ``title`` it is that of a current-voltage loop.
    """
    width, height = figure.get_size_inches()
    line = 1.45 * fontsize / 72  # inches
    title = title or title_text(ds)
    at = 1 - 0.3 * line / height
    figure.text(0.5, at, title, ha="center", va="top", fontsize=fontsize, gid=TITLE_TEXT)
    used = 1.3 * line
    banner = banner_text(ds)
    if banner:
        letters = int(0.9 * width / (0.55 * 0.9 * fontsize / 72))
        wrapped = textwrap.wrap(banner, letters)
        figure.text(
            0.5,
            1 - (used + 0.3 * line) / height,
            "\n".join(wrapped),
            ha="center",
            va="top",
            fontsize=0.9 * fontsize,
            color=WARNING,
            bbox={"facecolor": "#FFF3E0", "edgecolor": VERMILLION, "boxstyle": "round,pad=0.25"},
        )
        used += (len(wrapped) + 0.7) * line
    # Free text takes no part in the automatic layout, so the panels are told where to end.
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.set(rect=(0, 0, 1, 1 - used / height))


def stack(ds: xr.Dataset) -> tuple[list[LayerBand], Outline]:
    """Return the layers from bottom to top and the filament's outline, in nm.

    Both come from the device kept in the record; the lowest node of the grid is the bottom of the
    stack.
    """
    device = device_of(ds)
    bottom = float(ds["z_node"].values[0]) * NM
    bands = []
    for layer in device.layers:
        top = bottom + layer.thickness * NM
        metal = device.materials[layer.material].kind == "conductor"
        bands.append(LayerBand(layer.name, bottom, top, metal))
        bottom = top
    foot = next(band.bottom for band in bands if band.name == device.filament.layer)
    filament = device.filament
    return bands, Outline(filament.radius * NM, foot, foot + filament.height * NM)


def mirrored_nodes(field: np.ndarray) -> np.ndarray:
    """Mirror a map of node values, shape (z_node, r_node), at the axis: (z_node, 2 r_node - 1)."""
    return np.concatenate([field[:, :0:-1], field], axis=1)


def mirrored_line(nodes: np.ndarray) -> np.ndarray:
    """Mirror the radial nodes, shape (r_node,), at the axis: shape (2 r_node - 1,)."""
    return np.concatenate([-nodes[:0:-1], nodes])


def point_meaning(ds: xr.Dataset, point: str) -> str:
    """What a marked point of a record stands for, in two words.

    Returns
    -------
    str
        Empty where the letter says nothing.
    """
    if is_sweep(ds):
        return POINT_MEANING.get(point, "")
    times = ds["time_point"].values[ds["point"].values == point]
    step = int(index_at(ds, times)[0]) if times.size else -1
    return "hottest" if step == int(np.argmax(ds["temperature_max"].values)) else ""


def index_at(ds: xr.Dataset, times: np.ndarray) -> np.ndarray:
    """Return the index of the accepted step nearest to each of ``times`` [s]."""
    time = ds["time"].values
    return np.abs(time[None, :] - np.asarray(times)[:, None]).argmin(axis=1)


def branches(ds: xr.Dataset) -> Iterator[tuple[int, bool, bool, slice]]:
    """Cut the trace where the sweep turns or crosses zero.

    Yields
    ------
    number : int
        Number of the loop.
    negative : bool
        Whether the voltage is negative.
    outward : bool
        Whether it moves away from zero.
    steps : slice
        The steps of this branch.
    """
    voltage, loop = ds["voltage"].values, ds["loop"].values
    if voltage.size < 2:
        return
    negative = (voltage[1:] + voltage[:-1]) / 2 < 0
    outward = np.diff(np.abs(voltage)) > 0
    turns = np.flatnonzero((np.diff(negative) != 0) | (np.diff(outward) != 0)) + 1
    for start, stop in itertools.pairwise([0, *turns.tolist(), negative.size]):
        # at its ends a branch shares a step with its neighbour, maybe of another loop
        number = int(loop[(start + stop + 1) // 2])
        yield number, bool(negative[start]), bool(outward[start]), slice(start, stop + 1)
