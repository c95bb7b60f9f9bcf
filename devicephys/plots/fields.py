"""Maps of vacancies and temperature in the cell at the marked points, and how a map is drawn.

The maps are mirrored at the axis, so that the filament is seen whole.  The window shows the layer
of the filament and the lower part of the oxide above it, where the gap opens and closes; what
happens in the first nanometre is in the profiles beside the maps. For one column of a paper there
are chosen points and two colour bars.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Rectangle
from matplotlib.patheffects import AbstractPathEffect, Normal, Stroke
from matplotlib.ticker import MaxNLocator

from ddkbase.errors import InputError
from devicephys.plots import style
from devicephys.plots.profiles import draw_profiles

# Both maps are monotonic in lightness, so they survive a grey print.
VACANCY_MAP, TEMPERATURE_MAP = "cividis", "inferno"
ELECTRODE_FACE = "white"
VACANCY_UNIT = "10²¹/cm³"
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
    """A third wider than the filament, from just below it to as much above its layer."""
    rim = float(ds["r_node"].values[-1]) * style.NM
    half = min(rim, 1.3 * outline.radius)
    bottom = max(float(ds["z_node"].values[0]) * style.NM, outline.bottom - 0.2 * outline.radius)
    top = min(float(ds["z_node"].values[-1]) * style.NM, outline.top + 0.9 * outline.radius)
    return Window(-half, half, bottom, top)


def shared_norms(ds: xr.Dataset, suffix: str) -> tuple[Normalize, Normalize]:
    """Return the shared linear colour scales: concentration [1e21/cm^3], temperature [degC]."""
    n = ds[f"vacancy_concentration{suffix}"].values * style.PER_1E21_CM3
    celsius = ds[f"temperature{suffix}"].values - style.CELSIUS_ZERO
    top = float(np.nanmax(n)) if np.isfinite(n).any() else 0.0
    hottest = max(float(celsius.max()), float(celsius.min()) + 1.0)
    step = 10.0 if hottest > 60 else 1.0
    return (
        Normalize(vmin=0.0, vmax=top if top > 0 else 1.0),
        Normalize(vmin=float(celsius.min()), vmax=float(np.ceil(hottest / step) * step)),
    )


def fields_figure(ds: xr.Dataset) -> Figure:
    """Draw maps of vacancies and temperature at the marked points, and profiles of the vacancies.

    RESET's points A-D above, SET's points E-H below: each half has a row of vacancy maps, a row
    of temperature maps, and at the right the vacancy concentration over the height above the
    bottom electrode, on the axis and near the filament's rim.  At the left the whole stack with
    the names of its layers and, as a box, the window of the maps.  One linear colour scale per
    quantity (1e21/cm^3; degC); thin lines in the temperature maps are isotherms every 100 degC.
    Solid lines are layer boundaries, the dashed line is the filament as it was formed, metals
    are hatched.

    Parameters
    ----------
    ds : xarray.Dataset
        An IVTrace v1 with at least one marked point.

    Returns
    -------
    Figure
        A matplotlib figure, 16 inches wide; `devicephys.plots.iv.save_figure` writes it.

    Raises
    ------
    InputError
        No marked point, or the device kept in the record cannot be read.
    """
    labels = [str(p) for p in ds["point"].values]
    if not labels:
        raise InputError(
            "the record has no marked point to draw",
            hint="The run stopped before the first one; let it run longer.",
        )
    halves = [half for names in ("ABCD", "EFGH") if (half := [p for p in labels if p in names])]
    # a single half still needs room for the title, the warning and the whole cell
    figure = style.new_figure(16, 9.1 if len(halves) == 2 else 6.2)
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.set(w_pad=0.03, h_pad=0.03, wspace=0.0, hspace=0.0)
    # whole cell, four maps, a little room, profiles
    widths = [0.66, 1, 1, 1, 1, 0.05, 1.8]
    grid = figure.add_gridspec(2 * len(halves), len(widths), width_ratios=widths)
    maps = Maps(ds)
    for number, half in enumerate(halves):
        maps.draw_half(figure, grid, 2 * number, half, last=number == len(halves) - 1)
    lower = 2 * len(halves) - 2
    if len(halves) == 2:
        maps.draw_whole(figure.add_subplot(grid[:2, 0]), 0, labels[0])
    hot = min(1, len(labels) - 1)
    maps.draw_whole(figure.add_subplot(grid[lower:, 0]), hot, labels[hot], temperature=True)
    style.add_heading(figure, ds, fontsize=14)
    return figure


class Maps:
    """Draws the panels of one record, all with the same window and the same two scales."""

    def __init__(self, ds: xr.Dataset) -> None:
        self._ds = ds
        self.bands, self.outline = style.stack(ds)
        self.window = window_of(ds, self.outline)
        self.norms = shared_norms(ds, "")

    def draw_half(
        self, figure: Figure, grid: GridSpec, row: int, names: list[str], *, last: bool
    ) -> None:
        """Draw one half of the loop into rows ``row`` and ``row`` + 1 of ``grid``."""
        for below, quantity in enumerate((f"n ({VACANCY_UNIT})", "T (°C)")):
            panels = []
            for column, name in enumerate(names):
                ax = figure.add_subplot(grid[row + below, column + 1])
                image = self.draw(ax, self.point(name), self.window, temperature=below == 1)
                draw_geometry(
                    ax,
                    self.bands,
                    self.outline,
                    self.window,
                    names=name == "A",
                    light=below == 1,
                )
                finish_panel(ax, first=column == 0, last_row=below == 1 and last, fontsize=11)
                ax.set_title(self._peak(name) if below else self._heading(name), fontsize=12)
                panels.append(ax)
            bar = figure.colorbar(image, ax=panels, pad=0.01, fraction=0.03, aspect=14)
            bar.set_label(quantity, fontsize=11)
            bar.ax.tick_params(labelsize=10)
        draw_profiles(
            [figure.add_subplot(grid[row + below, 6]) for below in (0, 1)],
            self._ds,
            names,
            self.bands,
            self.outline,
            top=1.07 * float(self.norms[0].vmax or 1.0),
        )

    def draw_whole(self, ax: Axes, point: int, name: str, *, temperature: bool = False) -> None:
        """Draw the whole stack at one point, with a box where the maps look."""
        self.draw(ax, point, None, temperature=temperature)
        rim = float(self._ds["r_node"].values[-1]) * style.NM
        whole = Window(-rim, rim, self.bands[0].bottom, self.bands[-1].top)
        draw_geometry(ax, self.bands, self.outline, whole, names=False, light=temperature)
        _finish_overview(ax, self.bands, self.window)
        ax.set_title(f"{'T' if temperature else 'n'}, whole cell\nat {name}", fontsize=12)

    def point(self, name: str) -> int:
        return int(np.flatnonzero(self._ds["point"].values == name)[0])

    def step(self, name: str) -> int:
        return int(style.index_at(self._ds, self._ds["time_point"].values[[self.point(name)]])[0])

    def _heading(self, name: str) -> str:
        step = self.step(name)
        ohms = style.resistance_text(float(self._ds["resistance"].values[step]))
        volts = f"{float(self._ds['voltage'].values[step]):+.2f} V"
        text = f"{name}  {style.point_meaning(self._ds, name)}\n{volts}"
        return style.minus(text) + (f", {ohms}" if ohms else "")

    def _peak(self, name: str) -> str:
        peak = float(self._ds["temperature_max"].values[self.step(name)]) - style.CELSIUS_ZERO
        return f"{name}  peak {peak:.0f} °C"

    def draw(self, ax: Axes, point: int, window: Window | None, *, temperature: bool) -> Any:
        if temperature:
            field = self._ds["temperature"].values[point]
            return _draw_temperature(ax, self._ds, field, self.norms[1], window)
        field = self._ds["vacancy_concentration"].values[point]
        return _draw_vacancies(ax, self._ds, field, self.norms[0], window)


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
    ax: Axes, ds: xr.Dataset, field: np.ndarray, norm: Normalize, window: Window | None
) -> Any:
    r, z, cut_r, cut_z = _edges(ds, window)
    values = np.ma.masked_invalid(field[cut_z, cut_r] * style.PER_1E21_CM3)
    ax.set_facecolor(ELECTRODE_FACE)
    mirrored = np.ma.concatenate([values[:, ::-1], values], axis=1)
    return ax.pcolormesh(
        style.mirrored_line(r), z, mirrored, norm=norm, cmap=VACANCY_MAP, rasterized=True
    )


def _draw_temperature(
    ax: Axes, ds: xr.Dataset, field: np.ndarray, norm: Normalize, window: Window | None
) -> Any:
    r, z, cut_r, cut_z = _edges(ds, window)
    nodes = field[cut_z.start : cut_z.stop + 1, cut_r.start : cut_r.stop + 1]
    celsius = style.mirrored_nodes(nodes - style.CELSIUS_ZERO)
    line = style.mirrored_line(r)
    image = ax.pcolormesh(
        line, z, celsius, norm=norm, cmap=TEMPERATURE_MAP, shading="gouraud", rasterized=True
    )
    levels = np.arange(_ISOTHERM_STEP, float(norm.vmax or 0.0), _ISOTHERM_STEP)
    levels = levels[(levels > celsius.min()) & (levels < celsius.max())]
    if levels.size:
        ax.contour(line, z, celsius, levels=levels, colors="white", linewidths=0.8, alpha=0.8)
    return image


def draw_geometry(
    ax: Axes,
    bands: list[style.LayerBand],
    outline: style.Outline,
    window: Window,
    *,
    names: bool,
    light: bool,
    fontsize: float = 9,
    thinnest: float = 0.08,
) -> None:
    """Draw layer boundaries and the filament as formed; name the layers in their middle.

    Layers that take a smaller share of the window than ``thinnest`` have no name.
    """
    colour = "white" if light else "black"
    for band in bands:
        if band.is_metal and not light:
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
            ax.axhline(band.bottom, color=colour, linewidth=0.8 * fontsize / 9)
        low, high = max(band.bottom, window.bottom), min(band.top, window.top)
        if names and high - low > thinnest * (window.top - window.bottom):
            ax.text(
                0.0,
                (low + high) / 2,
                band.name.replace("_", " "),
                ha="center",
                va="center",
                fontsize=fontsize,
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
            linewidth=1.2 * fontsize / 9,
            path_effects=_halo("black", 2.2 * fontsize / 9),
        )
    )
    ax.set_xlim(window.left, window.right)
    ax.set_ylim(window.bottom, window.top)
    ax.set_aspect("equal")


def _halo(colour: str, width: float = 2.0) -> list[AbstractPathEffect]:
    """An edge that keeps text and lines legible on light and on dark ground."""
    return [Stroke(linewidth=width, foreground=colour, alpha=0.7), Normal()]


def finish_panel(
    ax: Axes, *, first: bool, last_row: bool, fontsize: float = 9, ticks: int = 5
) -> None:
    ax.tick_params(labelsize=fontsize - 1, direction="out", length=2.5)
    ax.xaxis.set_major_locator(MaxNLocator(ticks, steps=[1, 2, 5, 10]))
    ax.yaxis.set_major_locator(MaxNLocator(ticks, steps=[1, 2, 5, 10]))
    if last_row:
        ax.set_xlabel("r (nm)", fontsize=fontsize)
    else:
        ax.tick_params(labelbottom=False)
    if first:
        ax.set_ylabel("z (nm)", fontsize=fontsize)
    else:
        ax.tick_params(labelleft=False)


def _finish_overview(ax: Axes, bands: list[style.LayerBand], window: Window) -> None:
    """Name the layers at the left; names of thin layers move apart and get a line to theirs."""
    whole = bands[-1].top - bands[0].bottom
    texts = [band.name.replace("_", "\n") for band in bands]
    middles = [(band.bottom + band.top) / 2 for band in bands]
    # a line of text takes about a twentieth of the panel's height
    rooms = [0.055 * whole * (1 + text.count("\n")) for text in texts]
    for text, middle, at in zip(texts, middles, spread(middles, rooms), strict=True):
        moved = abs(at - middle) > 0.01 * whole
        ax.annotate(
            text,
            (0.0, middle),
            xycoords=("axes fraction", "data"),
            xytext=(-0.42, at),
            textcoords=("axes fraction", "data"),
            ha="right",
            va="center",
            fontsize=10,
            arrowprops={"arrowstyle": "-", "color": "0.5", "linewidth": 0.8} if moved else None,
        )
    ax.add_patch(
        Rectangle(
            (window.left, window.bottom),
            window.right - window.left,
            window.top - window.bottom,
            fill=False,
            edgecolor=style.VERMILLION,
            linewidth=1.6,
        )
    )
    ax.tick_params(labelsize=10, length=2.5)
    ax.set_xlabel("r (nm)", fontsize=11)


def spread(middles: Sequence[float], rooms: Sequence[float]) -> list[float]:
    """Places near ``middles``, in their order, that leave each label its room.

    Neighbours that would overlap are moved apart about the middle they share.
    """
    groups: list[tuple[list[int], float]] = []  # which labels, and where their block begins
    for k, middle in enumerate(middles):
        group, begin = [k], middle - rooms[k] / 2
        while groups and groups[-1][1] + sum(rooms[i] for i in groups[-1][0]) > begin:
            group = groups.pop()[0] + group
            span = sum(rooms[i] for i in group)
            begin = sum(middles[i] for i in group) / len(group) - span / 2
        groups.append((group, begin))
    places: list[float] = []
    for group, begin in groups:
        for i in group:
            places.append(begin + rooms[i] / 2)
            begin += rooms[i]
    return places


_INCH = 0.0254  # m
_NARROWEST_MAP = 0.018  # m
_FONT = 7.0  # points
_LINE = 1.2  # height of a line over the size of its letters


def paper_fields_figure(
    ds: xr.Dataset, width: float = 0.085, points: Sequence[str] = (), fontsize: float = _FONT
) -> Figure:
    """Draw the maps at some of the marked points, in the width of a paper's column.

    A row of vacancy maps above one of temperature maps, mirrored at the axis, with the letter of
    the point and the applied voltage above each; one linear colour scale for each quantity, below.

    Parameters
    ----------
    ds : xarray.Dataset
        An IVTrace v1.
    width : float, default 0.085
        Width of the figure [m].
    points : sequence of str, default ()
        Letters of the points; empty: all that the record has.
    fontsize : float, default 7
        Size of its texts [points].

    Returns
    -------
    matplotlib.figure.Figure
        The picture.

    Raises
    ------
    InputError
        A point that the record does not have, or none at all.
    """
    labels = [str(p) for p in ds["point"].values]
    for point in points:
        if point not in labels:
            hint = f"It has {', '.join(labels)}" if labels else "The run stopped before the first"
            raise InputError(f"fields.png has no panel {point}", "--panels", hint)
    names = list(points or labels)
    if not names:
        raise InputError("the record has no marked point to draw", hint="Let the run go further.")
    columns = max(1, min(len(names), 4, int(width / _NARROWEST_MAP)))
    rows = [names[k : k + columns] for k in range(0, len(names), columns)]
    maps = Maps(ds)
    window, wide = maps.window, width / _INCH
    shape = (window.top - window.bottom) / (window.right - window.left)
    each = (wide - 0.45) / columns * shape + 0.16
    figure = style.new_figure(wide, len(rows) * (2 * each + 0.2) + 1.0)
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.set(w_pad=0.02, h_pad=0.02, wspace=0.0, hspace=0.0)
    room = 72 * (wide - 0.45) / columns  # points that a name has
    bands = [
        band if 0.58 * (fontsize - 1) * len(band.name) < room else replace(band, name="")
        for band in maps.bands
    ]
    grid = figure.add_gridspec(2 * len(rows), columns)
    panels, images = [], {}
    for number, row in enumerate(rows):
        for column, name in enumerate(row):
            for below in (False, True):
                ax = figure.add_subplot(grid[2 * number + below, column])
                images[below] = maps.draw(ax, maps.point(name), window, temperature=below)
                draw_geometry(
                    ax,
                    bands,
                    maps.outline,
                    window,
                    names=number == column == 0,
                    light=below,
                    fontsize=fontsize - 1,
                    thinnest=_LINE * fontsize / 72 / (each - 0.16),
                )
                last = below and number == len(rows) - 1
                finish_panel(ax, first=column == 0, last_row=last, fontsize=fontsize, ticks=3)
                if not below:
                    volts = float(ds["voltage"].values[maps.step(name)])
                    title = f"{name}  {style.minus(f'{volts:+.2f} V')}"
                    ax.set_title(title, fontsize=fontsize, pad=2)
                panels.append(ax)
    # the first stands lowest
    for below, text in ((True, "T (°C)"), (False, f"n ({VACANCY_UNIT})")):
        bar = figure.colorbar(images[below], ax=panels, location="bottom", aspect=40, pad=0.01)
        bar.set_label(text, fontsize=fontsize, labelpad=1)
        bar.ax.tick_params(labelsize=fontsize - 1, length=2, pad=1)
    return figure
