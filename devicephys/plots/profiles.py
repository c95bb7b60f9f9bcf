"""Profiles of the vacancy concentration over the height above the bottom electrode.

The gap is opened and closed within the first nanometre or so, too thin a layer for a map; on a
logarithmic height axis it is seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from devicephys.plots import style

_LOWEST, _HIGHEST = 0.01, 30.0  # nm above the bottom electrode, the widest span that is shown
_RIM_SHARE = 0.9  # of the filament's radius


@dataclass(frozen=True)
class _Stroke:
    colour: str
    line: Any
    marker: str
    width: float = 1.6


# Colours of Okabe and Ito; line and marker tell the same without colour.  The edges are thicker.
_STROKES = {
    "A": _Stroke("#000000", ":", "o"),
    "B": _Stroke(style.BLUE, "-", "s", 2.6),
    "C": _Stroke("#56B4E9", (0, (5, 1.5)), "^"),
    "D": _Stroke("#009E73", (0, (6, 1.5, 1.5, 1.5)), "D"),
    "E": _Stroke("#000000", (0, (6, 1.5, 1.5, 1.5)), "v"),
    "F": _Stroke(style.VERMILLION, "-", "s", 2.6),
    "G": _Stroke(style.ORANGE, (0, (5, 1.5)), "^"),
    "H": _Stroke("#CC79A7", ":", "o"),
}


def draw_profiles(
    axes: list[Axes],
    ds: xr.Dataset,
    names: list[str],
    bands: list[style.LayerBand],
    outline: style.Outline,
    *,
    top: float,
) -> None:
    """Draw n [1e21/cm^3] at the points ``names``: on the axis and near the filament's rim.

    The first of the two panels takes the innermost cells, the second those nearest to 0.9 of the
    filament's radius; ``bands`` and ``outline`` are those of `devicephys.plots.style.stack`,
    ``top`` is the upper end of the concentration axis, 1e21/cm^3.
    """
    radius = ds["r"].values * style.NM
    height = ds["z"].values * style.NM - bands[0].top
    rim = int(np.abs(radius - _RIM_SHARE * outline.radius).argmin())
    lowest = height[height > 0].min(initial=1.0)
    labels = [str(p) for p in ds["point"].values]
    panels = zip(axes, (0, rim), ("n on the axis", f"n at r = {radius[rim]:.1f} nm"), strict=True)
    for ax, ring, title in panels:
        for number, name in enumerate(names):
            n = ds["vacancy_concentration"].values[labels.index(name), :, ring]
            seen = np.isfinite(n) & (height > 0) & (height < 1.2 * _HIGHEST)
            stroke = _STROKES[name]
            ax.plot(
                height[seen],
                n[seen] * style.PER_1E21_CM3,
                color=stroke.colour,
                linestyle=stroke.line,
                linewidth=stroke.width,
                marker=stroke.marker,
                markersize=5.5,
                markeredgecolor="white",
                markeredgewidth=0.5,
                markevery=(number % 3, 3),
                label=name,
            )
        _finish(ax, bands, title, (max(_LOWEST, 0.7 * float(lowest)), _HIGHEST), top)
    axes[0].legend(
        loc="lower right",
        bbox_to_anchor=(1.0, 1.13),  # above the panel's title, beside the headings of the maps
        ncols=len(names),
        fontsize=11,
        frameon=False,
        handlelength=3.0,
        columnspacing=1.2,
        handletextpad=0.4,
        borderaxespad=0.0,
    )
    axes[0].tick_params(labelbottom=False)
    axes[1].set_xlabel("Height above the bottom electrode (nm)", fontsize=11)


def _finish(
    ax: Axes, bands: list[style.LayerBand], title: str, span: tuple[float, float], top: float
) -> None:
    ax.set_xscale("log")
    ax.set_xlim(*span)
    ax.set_ylim(0.0, top)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.set_ylabel("n (10²¹/cm³)", fontsize=11)
    ax.set_title(title, fontsize=12, loc="left")
    ax.tick_params(which="both", direction="in", top=True, right=True, labelsize=10)
    ax.grid(True, which="major", color="0.88", linewidth=0.6)
    for below, above in pairwise(bands[1:-1]):
        face = below.top - bands[0].top
        if not span[0] < face < span[1]:
            continue
        ax.axvline(face, color="0.35", linewidth=1.0, zorder=1)
        for text, shift, side in ((below.name, -3, "right"), (above.name, 3, "left")):
            ax.annotate(
                text,
                (face, 0.04),
                xycoords=("data", "axes fraction"),
                xytext=(shift, 0),
                textcoords="offset points",
                ha=side,
                fontsize=9,
                color="0.25",
            )
