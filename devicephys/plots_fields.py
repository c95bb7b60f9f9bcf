"""Maps of vacancies and temperature in the cell at the marked points, and how a map is drawn.

The maps are mirrored at the axis, so that the filament is seen whole.  The window shows the layer
of the filament and the lower part of the oxide above it, where the gap opens and closes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import AbstractPathEffect, Normal, Stroke
from matplotlib.ticker import MaxNLocator

from devicephys import plots_style as style
from devicephys.errors import InputError

# Both maps are monotonic in lightness, so they survive a grey print.
VACANCY_MAP, TEMPERATURE_MAP = "cividis", "inferno"
ELECTRODE_FACE = "white"
_ISOTHERM_STEP = 100.0  # degC


@dataclass(frozen=True)
class Window:
    """Part of the r-z plane that is shown, in nm."""

    left: float
    right: float
    bottom: float
    top: float

    @property
    def extent(self) -> tuple[float, float, float, float]:
        return self.left, self.right, self.bottom, self.top


def window_of(ds: xr.Dataset, outline: style.Outline) -> Window:
    """A third wider than the filament, from just below it to well above its layer."""
    rim = float(ds["r_node"].values[-1]) * style.NM
    half = min(rim, 1.3 * outline.radius)
    bottom = max(float(ds["z_node"].values[0]) * style.NM, outline.bottom - 0.4 * outline.radius)
    top = min(float(ds["z_node"].values[-1]) * style.NM, bottom + 2.0 * half)
    return Window(-half, half, bottom, top)


def shared_norms(ds: xr.Dataset, suffix: str) -> tuple[LogNorm, Normalize]:
    """Return the shared colour scales: concentration [1/cm^3] and temperature [degC]."""
    n = ds[f"vacancy_concentration{suffix}"].values * style.PER_CM3
    celsius = ds[f"temperature{suffix}"].values - style.CELSIUS_ZERO
    top = float(np.nanmax(n)) if np.isfinite(n).any() else 1e21
    top = max(top, 1.0)
    low = float(np.nanmin(np.where(n > 0, n, np.nan))) if (n > 0).any() else top * 1e-3
    # Four decades show gap and filament; what is emptier than that is drawn as empty.
    low = max(low, top * 1e-4)
    hottest = max(float(celsius.max()), float(celsius.min()) + 1.0)
    step = 10.0 if hottest > 60 else 1.0
    return (
        LogNorm(vmin=min(low, top * 0.5), vmax=top, clip=True),
        Normalize(vmin=float(celsius.min()), vmax=float(np.ceil(hottest / step) * step)),
    )


def fields_figure(ds: xr.Dataset) -> Figure:
    """Draw the maps at the marked points: vacancy concentration above, temperature below.

    The first column shows the whole stack with the names of its layers and, as a box, the window
    of the other columns.  One colour scale per row (1/cm^3, logarithmic; degC); thin lines in the
    temperature maps are isotherms every 100 degC.  Solid lines are layer boundaries, the dashed
    line is the filament as it was formed, electrodes are hatched.

    Parameters
    ----------
    ds : an IVTrace v1 with at least one marked point.

    Returns
    -------
    A matplotlib figure; `devicephys.plots.save_figure` writes it.

    Raises
    ------
    InputError : no marked point, or the device kept in the record cannot be read.
    """
    labels = [str(p) for p in ds["point"].values]
    if not labels:
        raise InputError(
            "the record has no marked point to draw",
            hint="The run stopped before the first one; let it run longer.",
        )
    bands, outline = style.stack(ds)
    window = window_of(ds, outline)
    norms = shared_norms(ds, "")
    columns = len(labels)
    figure = style.new_figure(2.6 + 1.78 * columns, 5.5)
    grid = figure.add_gridspec(2, columns + 1, width_ratios=[0.62, *[1.0] * columns])
    index = style.index_at(ds, ds["time_point"].values)
    voltage, resistance = ds["voltage"].values[index], ds["resistance"].values[index]

    rows = (
        (_draw_vacancies, norms[0], VACANCY_MAP, "vacancy_concentration", 0),
        (_draw_temperature, norms[1], TEMPERATURE_MAP, "temperature", min(1, columns - 1)),
    )
    names = ("Vacancies (1/cm³)", "Temperature (°C)")
    for row, (draw, norm, colour_map, variable, whole) in enumerate(rows):
        panels = []
        overview = figure.add_subplot(grid[row, 0])
        image = draw(overview, ds, ds[variable].values[whole], norm, colour_map, None)
        _finish_overview(overview, ds, bands, outline, window, labels[whole], light=row == 1)
        for column, name in enumerate(labels):
            ax = figure.add_subplot(grid[row, column + 1])
            image = draw(ax, ds, ds[variable].values[column], norm, colour_map, window)
            draw_geometry(ax, bands, outline, window, names=column == 0, light=row == 1)
            finish_panel(ax, first=column == 0, last_row=row == 1)
            if row == 0:
                heading = f"{name}  {style.POINT_MEANING[name]}\n{voltage[column]:+.2f} V"
                ohms = style.resistance_text(resistance[column])
                ax.set_title(style.minus(heading) + (f", {ohms}" if ohms else ""), fontsize=10)
            else:
                peak = ds["temperature_max"].values[index[column]] - style.CELSIUS_ZERO
                ax.set_title(f"peak {peak:.0f} °C", fontsize=9)
            panels.append(ax)
        bar = figure.colorbar(image, ax=panels, pad=0.008, fraction=0.03, aspect=22)
        bar.set_label(names[row], fontsize=10)
        bar.ax.tick_params(labelsize=9)
    style.add_heading(figure, ds)
    return figure


def _cut(nodes: np.ndarray, low: float, high: float) -> slice:
    """Cells of ``nodes`` that overlap the span from ``low`` to ``high``."""
    first = max(int(np.searchsorted(nodes, low, side="right")) - 1, 0)
    last = min(int(np.searchsorted(nodes, high, side="left")), nodes.size - 1)
    return slice(first, last)


def _edges(ds: xr.Dataset, window: Window | None) -> tuple[np.ndarray, np.ndarray, slice, slice]:
    """Return r and z nodes in nm inside the window, and the cells they bound."""
    r, z = ds["r_node"].values * style.NM, ds["z_node"].values * style.NM
    if window is None:
        return r, z, slice(0, r.size - 1), slice(0, z.size - 1)
    cut_r, cut_z = _cut(r, 0.0, window.right), _cut(z, window.bottom, window.top)
    return r[cut_r.start : cut_r.stop + 1], z[cut_z.start : cut_z.stop + 1], cut_r, cut_z


def _draw_vacancies(
    ax: Axes, ds: xr.Dataset, field: np.ndarray, norm: Any, colour_map: str, window: Window | None
) -> Any:
    r, z, cut_r, cut_z = _edges(ds, window)
    values = np.ma.masked_invalid(field[cut_z, cut_r] * style.PER_CM3)
    ax.set_facecolor(ELECTRODE_FACE)
    mirrored = np.ma.concatenate([values[:, ::-1], values], axis=1)
    return ax.pcolormesh(
        style.mirrored_line(r), z, mirrored, norm=norm, cmap=colour_map, rasterized=True
    )


def _draw_temperature(
    ax: Axes, ds: xr.Dataset, field: np.ndarray, norm: Any, colour_map: str, window: Window | None
) -> Any:
    r, z, cut_r, cut_z = _edges(ds, window)
    nodes = field[cut_z.start : cut_z.stop + 1, cut_r.start : cut_r.stop + 1]
    celsius = style.mirrored_nodes(nodes - style.CELSIUS_ZERO)
    line = style.mirrored_line(r)
    image = ax.pcolormesh(
        line, z, celsius, norm=norm, cmap=colour_map, shading="gouraud", rasterized=True
    )
    levels = np.arange(_ISOTHERM_STEP, norm.vmax, _ISOTHERM_STEP)
    levels = levels[(levels > celsius.min()) & (levels < celsius.max())]
    if levels.size:
        ax.contour(line, z, celsius, levels=levels, colors="white", linewidths=0.6, alpha=0.75)
    return image


def draw_geometry(
    ax: Axes,
    bands: list[style.LayerBand],
    outline: style.Outline,
    window: Window,
    *,
    names: bool,
    light: bool,
) -> None:
    """Draw layer boundaries and the filament as formed; name the layers at the right edge."""
    colour = "white" if light else "black"
    for band in bands:
        if band.is_electrode and not light:
            # no vacancies there; hatched, so that a grey print does not take it for a shade
            ax.add_patch(
                Rectangle(
                    (window.left, band.bottom),
                    window.right - window.left,
                    band.top - band.bottom,
                    facecolor=ELECTRODE_FACE,
                    edgecolor="0.65",
                    hatch="////",
                    linewidth=0,
                )
            )
        if window.bottom < band.bottom < window.top:
            ax.axhline(band.bottom, color=colour, linewidth=0.8)
        low, high = max(band.bottom, window.bottom), min(band.top, window.top)
        if names and high - low > 0.08 * (window.top - window.bottom):
            ax.text(
                0.0,
                (low + high) / 2,
                band.name.replace("_", " "),
                ha="center",
                va="center",
                fontsize=8,
                color=colour,
                path_effects=_halo("black" if light else "white"),
            )
    ax.add_patch(
        Rectangle(
            (-outline.radius, outline.bottom),
            2 * outline.radius,
            outline.top - outline.bottom,
            fill=False,
            edgecolor="white",
            linestyle=(0, (4, 2.5)),
            linewidth=1.2,
            path_effects=_halo("black", 2.2),
        )
    )
    ax.set_xlim(window.left, window.right)
    ax.set_ylim(window.bottom, window.top)
    ax.set_aspect("equal")


def _halo(colour: str, width: float = 2.0) -> list[AbstractPathEffect]:
    """An edge that keeps text and lines legible on light and on dark ground."""
    return [Stroke(linewidth=width, foreground=colour, alpha=0.7), Normal()]


def finish_panel(ax: Axes, *, first: bool, last_row: bool) -> None:
    ax.tick_params(labelsize=8, direction="out", length=2.5)
    ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    if last_row:
        ax.set_xlabel("r (nm)", fontsize=9)
    else:
        ax.tick_params(labelbottom=False)
    if first:
        ax.set_ylabel("z (nm)", fontsize=9)
    else:
        ax.tick_params(labelleft=False)


def _finish_overview(
    ax: Axes,
    ds: xr.Dataset,
    bands: list[style.LayerBand],
    outline: style.Outline,
    window: Window,
    point: str,
    *,
    light: bool,
) -> None:
    rim = float(ds["r_node"].values[-1]) * style.NM
    whole = Window(-rim, rim, bands[0].bottom, bands[-1].top)
    draw_geometry(ax, bands, outline, whole, names=False, light=light)
    for band in bands:
        ax.annotate(
            band.name.replace("_", "\n"),
            (0.0, (band.bottom + band.top) / 2),
            xycoords=("axes fraction", "data"),
            xytext=(-26, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            fontsize=8,
        )
    ax.add_patch(
        Rectangle(
            (window.left, window.bottom),
            window.right - window.left,
            window.top - window.bottom,
            fill=False,
            edgecolor=style.VERMILLION,
            linewidth=1.4,
        )
    )
    ax.tick_params(labelsize=8, length=2.5)
    ax.set_title(f"whole cell at {point}", fontsize=9)
    ax.set_xlabel("r (nm)", fontsize=9)
