"""The loop as a film: maps beside a dot on the I-V curve, and a file that ParaView plays.

The maps are of vacancies and temperature. The file, for ParaView 5.12 or newer, is that of the
VTKHDF specification, version 2.0, "UnstructuredGrid" with steps
(https://docs.vtk.org/en/latest/vtk_file_formats/vtkhdf_file_format/). It is written with h5py
alone: neither VTK nor the finite-element stack is needed.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import h5py
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


NM = 1e9
_QUADRILATERAL = 9  # VTK_QUAD
_POINT_FIELDS = {"temperature": "temperature_frame", "potential": "potential_frame"}
_CELL_FIELDS = {"vacancy_concentration": "vacancy_concentration_frame"}


def write_vtkhdf(ds: xr.Dataset, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Write the frames of a loop as a temporal VTKHDF file, whole or not at all.

    The grid is the r-z half plane: r along x, z along y, both in nm (ParaView's picking and
    clipping lose their footing on coordinates of 1e-8).  Cell data: ``vacancy_concentration``
    [1/m^3], NaN in conductors.  Point data: ``temperature`` [K], ``potential`` [V].  The time
    of a step is in s.  The units also stand in the file, as attributes ``units`` of the arrays.

    Parameters
    ----------
    ds : xarray.Dataset
        An IVTrace v1 with at least one frame; maps of shape (frame, z, r) and (frame, z_node,
        r_node).
    path : str or Path
        The file to make; ParaView recognises the ending ``.vtkhdf``.
    overwrite : bool, default False
        Replace an existing file.

    Raises
    ------
    InputError
        There is no frame.
    StorageError
        As `ddkbase.records.write`.
    """
    steps = ds.sizes["frame"]
    if steps == 0:
        raise InputError("the record has no frame to write for ParaView")
    points, cells = _grid(ds)
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as handle:
        root = handle.create_group("VTKHDF")
        root.attrs["Version"] = np.array([2, 0])
        kind = b"UnstructuredGrid"
        root.attrs.create("Type", kind, dtype=h5py.string_dtype("ascii", len(kind)))
        _write_grid(root, points, cells)
        _write_steps(root, ds["time_frame"].values)
        _write_fields(root, "PointData", ds, _POINT_FIELDS, points.shape[0])
        _write_fields(root, "CellData", ds, _CELL_FIELDS, cells.shape[0])
    return write_bytes(path, buffer.getbuffer(), overwrite)


def _grid(ds: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Return points [nm], shape (nodes, 3), and the four nodes of each cell, shape (cells, 4).

    Nodes and cells are numbered as the maps are stored: r runs fastest.
    """
    r, z = ds["r_node"].values * NM, ds["z_node"].values * NM
    x, y = np.meshgrid(r, z)
    points = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1)
    node = np.arange(x.size).reshape(x.shape)
    corners = (node[:-1, :-1], node[:-1, 1:], node[1:, 1:], node[1:, :-1])  # counter-clockwise
    return points, np.stack([corner.ravel() for corner in corners], axis=1)


def _write_grid(root: h5py.Group, points: np.ndarray, cells: np.ndarray) -> None:
    """Write the geometry once; every step refers to it."""
    root["NumberOfPoints"] = np.array([points.shape[0]])
    root["NumberOfCells"] = np.array([cells.shape[0]])
    root["NumberOfConnectivityIds"] = np.array([cells.size])
    root["Points"] = points
    root["Points"].attrs["units"] = "nm"
    root["Connectivity"] = cells.ravel()
    root["Offsets"] = np.arange(cells.shape[0] + 1) * 4
    root["Types"] = np.full(cells.shape[0], _QUADRILATERAL, dtype=np.uint8)


def _write_steps(root: h5py.Group, times: np.ndarray) -> None:
    """Write the times, and for each that its geometry is part 0 from the start of the arrays."""
    steps = root.create_group("Steps")
    steps.attrs["NSteps"] = times.size
    steps["Values"] = times
    steps["Values"].attrs["units"] = "s"
    none = np.zeros(times.size, dtype=np.int64)
    steps["PartOffsets"] = none
    steps["NumberOfParts"] = none + 1
    steps["PointOffsets"] = none
    steps["CellOffsets"] = none[:, None]
    steps["ConnectivityIdOffsets"] = none[:, None]


def _write_fields(
    root: h5py.Group, kind: str, ds: xr.Dataset, fields: dict[str, str], size: int
) -> None:
    """Write maps one step after the other, and where each step begins."""
    group = root.create_group(kind)
    offsets = root["Steps"].create_group(f"{kind}Offsets")
    for name, variable in fields.items():
        values = ds[variable].values
        data = group.create_dataset(
            name,
            data=values.reshape(-1),
            chunks=(size,),
            compression="gzip",
            compression_opts=4,
            shuffle=True,
        )
        data.attrs["units"] = ds[variable].attrs["units"]
        offsets[name] = np.arange(values.shape[0], dtype=np.int64) * size
