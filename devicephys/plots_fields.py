"""Maps of vacancies and temperature in the cell: at the marked points, and moving.

The maps are mirrored at the axis, so that the filament is seen whole.  The window shows the layer
of the filament and the lower part of the oxide above it, where the gap opens and closes.
"""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from devicephys import plots_style as style
from devicephys.errors import InputError
from devicephys.records import write_bytes

# Both maps are monotonic in lightness, so they survive a grey print.
VACANCY_MAP, TEMPERATURE_MAP = "cividis", "inferno"
_ELECTRODE_FACE = "#D9D9D9"
_ISOTHERM_STEP = 100.0  # degC
_FRAME_LIMIT = 60
_PIXELS = 240


@dataclass(frozen=True)
class _Window:
    """Part of the r-z plane that is shown, in nm."""

    left: float
    right: float
    bottom: float
    top: float

    @property
    def extent(self) -> tuple[float, float, float, float]:
        return self.left, self.right, self.bottom, self.top


def _window(ds: xr.Dataset, outline: style.Outline) -> _Window:
    """Half as wide again as the filament, from just below it to well above its layer."""
    rim = float(ds["r_node"].values[-1]) * style.NM
    half = min(rim, 1.5 * outline.radius)
    bottom = max(float(ds["z_node"].values[0]) * style.NM, outline.bottom - 0.4 * outline.radius)
    top = min(float(ds["z_node"].values[-1]) * style.NM, bottom + 2.1 * half)
    return _Window(-half, half, bottom, top)


def _norms(ds: xr.Dataset, suffix: str) -> tuple[LogNorm, Normalize]:
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
    line is the filament as it was formed, electrodes are grey.

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
    window = _window(ds, outline)
    norms = _norms(ds, "")
    columns = len(labels)
    figure = style.new_figure(2.6 + 1.78 * columns, 5.9)
    grid = figure.add_gridspec(2, columns + 1, width_ratios=[0.62, *[1.0] * columns])
    index = style.index_at(ds, ds["time_point"].values)
    voltage, resistance = ds["voltage"].values[index], ds["resistance"].values[index]

    rows = (
        (_draw_vacancies, norms[0], VACANCY_MAP, "vacancy_concentration", 0),
        (_draw_temperature, norms[1], TEMPERATURE_MAP, "temperature", min(1, columns - 1)),
    )
    names = ("Vacancy concentration (1/cm³)", "Temperature (°C)")
    for row, (draw, norm, colour_map, variable, whole) in enumerate(rows):
        panels = []
        overview = figure.add_subplot(grid[row, 0])
        image = draw(overview, ds, ds[variable].values[whole], norm, colour_map, None)
        _finish_overview(overview, ds, bands, outline, window, labels[whole])
        for column, name in enumerate(labels):
            ax = figure.add_subplot(grid[row, column + 1])
            image = draw(ax, ds, ds[variable].values[column], norm, colour_map, window)
            _draw_geometry(ax, bands, outline, window, names=column == 0, light=row == 1)
            _finish_panel(ax, first=column == 0, last_row=row == 1)
            if row == 0:
                heading = f"{name}  {style.POINT_MEANING[name]}\n{voltage[column]:+.2f} V"
                ohms = style.resistance_text(resistance[column])
                ax.set_title(
                    style.minus(heading) + (f", {ohms}" if ohms else ""), fontsize=10
                )
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


def _edges(ds: xr.Dataset, window: _Window | None) -> tuple[np.ndarray, np.ndarray, slice, slice]:
    """Return r and z nodes in nm inside the window, and the cells they bound."""
    r, z = ds["r_node"].values * style.NM, ds["z_node"].values * style.NM
    if window is None:
        return r, z, slice(0, r.size - 1), slice(0, z.size - 1)
    cut_r, cut_z = _cut(r, 0.0, window.right), _cut(z, window.bottom, window.top)
    return r[cut_r.start : cut_r.stop + 1], z[cut_z.start : cut_z.stop + 1], cut_r, cut_z


def _draw_vacancies(
    ax: Axes, ds: xr.Dataset, field: np.ndarray, norm: Any, colour_map: str, window: _Window | None
) -> Any:
    r, z, cut_r, cut_z = _edges(ds, window)
    values = np.ma.masked_invalid(field[cut_z, cut_r] * style.PER_CM3)
    ax.set_facecolor(_ELECTRODE_FACE)
    mirrored = np.ma.concatenate([values[:, ::-1], values], axis=1)
    return ax.pcolormesh(
        style.mirrored_line(r), z, mirrored, norm=norm, cmap=colour_map, rasterized=True
    )


def _draw_temperature(
    ax: Axes, ds: xr.Dataset, field: np.ndarray, norm: Any, colour_map: str, window: _Window | None
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


def _draw_geometry(
    ax: Axes,
    bands: list[style.LayerBand],
    outline: style.Outline,
    window: _Window,
    *,
    names: bool,
    light: bool,
) -> None:
    """Draw layer boundaries and the filament as formed; name the layers at the right edge."""
    colour = "white" if light else "black"
    for band in bands:
        if window.bottom < band.bottom < window.top:
            ax.axhline(band.bottom, color=colour, linewidth=0.8)
        low, high = max(band.bottom, window.bottom), min(band.top, window.top)
        if names and high - low > 0.08 * (window.top - window.bottom):
            ax.text(
                window.right - 0.04 * (window.right - window.left),
                (low + high) / 2,
                band.name.replace("_", " "),
                ha="right",
                va="center",
                fontsize=8,
                color=colour if light or band.is_electrode else "black",
            )
    ax.add_patch(
        Rectangle(
            (-outline.radius, outline.bottom),
            2 * outline.radius,
            outline.top - outline.bottom,
            fill=False,
            edgecolor="white",
            linestyle=(0, (4, 2.5)),
            linewidth=1.1,
        )
    )
    ax.set_xlim(window.left, window.right)
    ax.set_ylim(window.bottom, window.top)
    ax.set_aspect("equal")


def _finish_panel(ax: Axes, *, first: bool, last_row: bool) -> None:
    ax.tick_params(labelsize=8, direction="out", length=2.5)
    ax.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(5, steps=[1, 2, 5, 10]))
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
    window: _Window,
    point: str,
) -> None:
    rim = float(ds["r_node"].values[-1]) * style.NM
    whole = _Window(-rim, rim, bands[0].bottom, bands[-1].top)
    _draw_geometry(ax, bands, outline, whole, names=False, light=False)
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


def loop_animation(
    ds: xr.Dataset, path: str | os.PathLike[str], *, overwrite: bool = False
) -> Path:
    """Write the loop as an animated GIF: vacancies, temperature, and a dot moving on the I-V curve.

    At most 60 frames, 960 x 420 pixels, about 10 frames a second, fixed scales.

    Parameters
    ----------
    ds : an IVTrace v1 with at least one frame.
    path : the file to make.
    overwrite : replace an existing file.

    Raises
    ------
    InputError : no frame, or the device kept in the record cannot be read.
    StorageError : as `devicephys.records.write`.
    """
    from PIL import Image

    count = ds.sizes["frame"]
    if count == 0:
        raise InputError("the record has no frame to animate")
    film = _Film(ds)
    chosen = np.unique(np.linspace(0, count - 1, min(count, _FRAME_LIMIT)).round().astype(int))
    pictures = [Image.fromarray(film.frame(int(i))) for i in chosen]
    # One palette for all frames, from the coldest, the hottest and the emptiest of them: a palette
    # per frame would flicker and take more room.
    picks = [pictures[0], pictures[film.hottest(chosen)], pictures[len(pictures) // 2]]
    sheet = Image.new("RGB", (picks[0].width, picks[0].height * len(picks)))
    for k, picture in enumerate(picks):
        sheet.paste(picture, (0, k * picture.height))
    palette = sheet.quantize(colors=255, method=Image.Quantize.MEDIANCUT)
    reduced = [p.quantize(palette=palette, dither=Image.Dither.NONE) for p in pictures]
    buffer = io.BytesIO()
    reduced[0].save(
        buffer,
        format="GIF",
        save_all=True,
        append_images=reduced[1:],
        duration=100,
        loop=0,
        disposal=1,
    )
    return write_bytes(path, buffer.getbuffer(), overwrite)


class _Film:
    """Draws the frames of the animation.

    Axes, curve and scales are drawn once; a frame restores that background and draws only the two
    maps, the dot and the text, which is several times faster than drawing the figure anew.
    """

    def __init__(self, ds: xr.Dataset) -> None:
        self._ds = ds
        bands, outline = style.stack(ds)
        window = _window(ds, outline)
        self._n_norm, self._t_norm = _norms(ds, "_frame")
        self._step = style.index_at(ds, ds["time_frame"].values)
        figure = style.new_figure(9.6, 4.2)
        figure.set_dpi(100)
        axes = figure.subplots(1, 3, width_ratios=[1, 1, 1.25])
        self._canvas: Any = figure.canvas
        self._axes = axes
        self._prepare_sampling(window)
        self._images = [
            self._map(axes[0], window, self._n_norm, VACANCY_MAP),
            self._map(axes[1], window, self._t_norm, TEMPERATURE_MAP),
        ]
        titles = ("Vacancy concentration (1/cm³)", "Temperature (°C)")
        for k, (ax, image) in enumerate(zip(axes[:2], self._images, strict=True)):
            _draw_geometry(ax, bands, outline, window, names=k == 0, light=k == 1)
            _finish_panel(ax, first=k == 0, last_row=True)
            ax.set_title(titles[k], fontsize=10)
            bar = figure.colorbar(image, ax=ax, orientation="horizontal", aspect=24, pad=0.02)
            bar.ax.tick_params(labelsize=8)
        self._dot, self._text = self._draw_curve(axes[2])
        style.add_heading(figure, ds, fontsize=9)
        self._canvas.draw()
        self._background = self._canvas.copy_from_bbox(figure.bbox)
        self._overlays = [
            [artist for artist in (*ax.lines, *ax.texts, *ax.patches) if artist.get_visible()]
            for ax in axes[:2]
        ]

    def _prepare_sampling(self, window: _Window) -> None:
        """Where the pixels of a map lie on the grid: cells for n, weights between nodes for T."""
        r, z = self._ds["r_node"].values * style.NM, self._ds["z_node"].values * style.NM
        half = (np.arange(_PIXELS) + 0.5) / _PIXELS
        x = np.abs(window.left + half * (window.right - window.left))
        y = window.bottom + half * (window.top - window.bottom)
        self._cell = tuple(
            np.clip(np.searchsorted(nodes, at, side="right") - 1, 0, nodes.size - 2)
            for nodes, at in ((z, y), (r, x))
        )
        self._weights = tuple(_hat_weights(nodes, at) for nodes, at in ((z, y), (r, x)))

    def _map(self, ax: Axes, window: _Window, norm: Any, colour_map: str) -> AxesImage:
        ax.set_facecolor(_ELECTRODE_FACE)
        return ax.imshow(
            np.full((_PIXELS, _PIXELS), np.nan),
            origin="lower",
            extent=window.extent,
            norm=norm,
            cmap=colour_map,
            interpolation="nearest",
            animated=True,
        )

    def _draw_curve(self, ax: Axes) -> tuple[Any, Any]:
        voltage = self._ds["voltage"].values
        self._magnitude = np.abs(self._ds["current"].values) * style.MICROAMPERE
        positive = self._magnitude[self._magnitude > 0]
        top = float(positive.max()) if positive.size else 1.0
        floor = max(float(positive.min()) if positive.size else 0.1, top * 1e-4)
        self._magnitude = np.maximum(self._magnitude, floor)
        for loop, negative, outward, steps in style.branches(self._ds):
            colour = style.RESET_COLOUR if negative else style.SET_COLOUR
            ax.plot(
                voltage[steps],
                self._magnitude[steps],
                color=style.lighter(colour, 0.15 if loop == 0 else 0.6),
                linestyle="-" if outward else (0, (4, 1.6)),
                linewidth=1.6 if loop == 0 else 0.9,
            )
        ax.set_yscale("log")
        ax.set_ylim(floor * 0.6, top * 4.0)
        style.style_axes(ax, style.voltage_label(self._ds), "Magnitude of current (µA)")
        (dot,) = ax.plot(
            [],
            [],
            marker="o",
            markersize=10,
            color=style.ORANGE,
            markeredgecolor="black",
            animated=True,
        )
        text = ax.text(
            0.03,
            0.975,
            "",
            transform=ax.transAxes,
            va="top",
            fontsize=9,
            family="monospace",
            animated=True,
        )
        return dot, text

    def hottest(self, chosen: np.ndarray) -> int:
        """Position in ``chosen`` of the frame with the highest temperature."""
        return int(self._ds["temperature_frame"].values[chosen].max(axis=(1, 2)).argmax())

    def frame(self, index: int) -> np.ndarray:
        """Return frame ``index`` as RGB bytes, shape (height, width, 3)."""
        ds, step = self._ds, self._step[index]
        n = ds["vacancy_concentration_frame"].values[index] * style.PER_CM3
        celsius = ds["temperature_frame"].values[index] - style.CELSIUS_ZERO
        self._images[0].set_data(np.ma.masked_invalid(n[np.ix_(*self._cell)]))
        self._images[1].set_data(self._weights[0] @ celsius @ self._weights[1].T)
        voltage = float(ds["voltage"].values[step])
        self._dot.set_data([voltage], [self._magnitude[step]])
        time = float(ds["time"].values[step])
        peak = float(ds["temperature_max"].values[step]) - style.CELSIUS_ZERO
        self._text.set_text(
            style.minus(f"{voltage:+.2f} V  {time * 1e3:6.2f} ms  {peak:4.0f} °C")
        )
        self._canvas.restore_region(self._background)
        for ax, image, overlay in zip(self._axes[:2], self._images, self._overlays, strict=True):
            ax.draw_artist(image)
            for artist in overlay:  # boundaries and names lie on top of the map
                ax.draw_artist(artist)
        self._axes[2].draw_artist(self._dot)
        self._axes[2].draw_artist(self._text)
        return np.asarray(self._canvas.buffer_rgba())[:, :, :3].copy()


def _hat_weights(nodes: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Weights of linear interpolation between ``nodes`` at ``at``, shape (at, nodes)."""
    left = np.clip(np.searchsorted(nodes, at, side="right") - 1, 0, nodes.size - 2)
    share = np.clip((at - nodes[left]) / (nodes[left + 1] - nodes[left]), 0.0, 1.0)
    weights = np.zeros((at.size, nodes.size))
    rows = np.arange(at.size)
    weights[rows, left] = 1.0 - share
    weights[rows, left + 1] = share
    return weights
