"""The loop as a film: maps of vacancies and temperature beside a dot on the I-V curve."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.image import AxesImage
from PIL import Image

from ddkbase.errors import InputError
from ddkbase.files import write_bytes
from devicephys.plots import style
from devicephys.plots.fields import (
    ELECTRODE_FACE,
    TEMPERATURE_MAP,
    VACANCY_MAP,
    VACANCY_UNIT,
    Window,
    draw_geometry,
    finish_panel,
    shared_norms,
    window_of,
)

_FRAME_LIMIT = 60
_PIXELS = 240


def loop_animation(
    ds: xr.Dataset, path: str | os.PathLike[str], *, overwrite: bool = False
) -> Path:
    """Write the loop as an animated GIF: vacancies, temperature, and a dot moving on the I-V curve.

    At most 60 frames, 960 x 420 pixels, about 10 frames a second, fixed scales.

    Parameters
    ----------
    ds : xarray.Dataset
        An IVTrace v1 with at least one frame.
    path : str or Path
        The file to make.
    overwrite : bool, default False
        Replace an existing file.

    Raises
    ------
    InputError
        No frame, or the device kept in the record cannot be read.
    StorageError
        As `ddkbase.records.write`.
    """
    count = ds.sizes["frame"]
    if count == 0:
        raise InputError("the record has no frame to animate")
    film = _Film(ds)
    shown = np.unique(np.linspace(0, count - 1, min(count, _FRAME_LIMIT)).round().astype(int))
    pictures = [Image.fromarray(film.frame(int(i))) for i in shown]
    palette = _palette()
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


def _palette() -> Image.Image:
    """One palette for all frames, of the colours that occur: per-frame palettes would flicker."""
    ramps = [colormaps[VACANCY_MAP](np.linspace(0, 1, 96))[:, :3]]
    ramps.append(colormaps[TEMPERATURE_MAP](np.linspace(0, 1, 120))[:, :3])
    ramps.append(np.linspace(0, 1, 16)[:, None] * np.ones(3))
    for colour in (style.RESET_COLOUR, style.SET_COLOUR, style.ORANGE):
        ramps.append(np.array([style.lighter(colour, share) for share in np.linspace(0, 0.9, 7)]))
    table = (np.concatenate(ramps) * 255).round().astype(np.uint8)
    image = Image.new("P", (1, 1))
    image.putpalette(table.tobytes())
    return image


class _Film:
    """Draws the frames of the animation.

    Axes, curve and scales are drawn once; a frame restores that background and draws only the two
    maps, the dot and the text, which is several times faster than drawing the figure anew.
    """

    def __init__(self, ds: xr.Dataset) -> None:
        self._ds = ds
        bands, outline = style.stack(ds)
        window = window_of(ds, outline)
        self._n_norm, self._t_norm = shared_norms(ds, "_frame")
        self._step = style.index_at(ds, ds["time_frame"].values)
        figure = style.new_figure(9.6, 4.2)
        figure.set_dpi(100)
        axes = figure.subplots(1, 3, width_ratios=[1.15, 1.15, 1.1])
        self._canvas = FigureCanvasAgg(figure)
        self._axes = axes
        self._prepare_sampling(window)
        self._images = [
            self._map(axes[0], window, self._n_norm, VACANCY_MAP),
            self._map(axes[1], window, self._t_norm, TEMPERATURE_MAP),
        ]
        titles = (f"Vacancy concentration ({VACANCY_UNIT})", "Temperature (°C)")
        for k, (ax, image) in enumerate(zip(axes[:2], self._images, strict=True)):
            draw_geometry(ax, bands, outline, window, names=k == 0, light=k == 1)
            finish_panel(ax, first=k == 0, last_row=True)
            ax.set_title(titles[k], fontsize=10)
            bar = figure.colorbar(image, ax=ax, orientation="horizontal", aspect=24, pad=0.02)
            bar.ax.tick_params(labelsize=8)
        self._dot, self._text = self._draw_curve(axes[2])
        style.add_heading(figure, ds, fontsize=9)
        self._canvas.draw()
        self._background = self._canvas.copy_from_bbox(figure.bbox)
        self._overlays = [
            [artist for artist in (*ax.patches, *ax.lines, *ax.texts) if artist.get_visible()]
            for ax in axes[:2]
        ]

    def _prepare_sampling(self, window: Window) -> None:
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

    def _map(self, ax: Axes, window: Window, norm: Any, colour_map: str) -> AxesImage:
        ax.set_facecolor(ELECTRODE_FACE)
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

    def frame(self, index: int) -> np.ndarray:
        """Return frame ``index`` as RGB bytes, shape (height, width, 3)."""
        ds, step = self._ds, self._step[index]
        n = ds["vacancy_concentration_frame"].values[index] * style.PER_1E21_CM3
        celsius = ds["temperature_frame"].values[index] - style.CELSIUS_ZERO
        self._images[0].set_data(np.ma.masked_invalid(n[np.ix_(*self._cell)]))
        self._images[1].set_data(self._weights[0] @ celsius @ self._weights[1].T)
        voltage = float(ds["voltage"].values[step])
        self._dot.set_data([voltage], [self._magnitude[step]])
        time = float(ds["time"].values[step])
        peak = float(ds["temperature_max"].values[step]) - style.CELSIUS_ZERO
        self._text.set_text(style.minus(f"{voltage:+.2f} V  {time * 1e3:6.2f} ms  {peak:4.0f} °C"))
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
