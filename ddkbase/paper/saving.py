"""Drawing and writing a picture for a paper, and the numbers behind it."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection, PolyCollection, QuadMesh
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D

from ddkbase.errors import InputError
from ddkbase.files import storage_errors, write_bytes
from ddkbase.paper.fitting import fit_figure, panel_of
from ddkbase.paper.request import PaperStyle
from ddkbase.picture_names import as_format
from ddkbase.pictures import save_figure

_DPI = 600.0  # of a PNG for print
_HEADS = ("panel", "curve", "x", "y", "value", "x_label", "y_label")


def save_for_paper(
    make: Callable[[], Figure],
    path: str | os.PathLike[str],
    paper: PaperStyle,
    overwrite: bool = False,
    *,
    fitted: bool = False,
) -> list[Path]:
    """Draw a figure as a paper asks for it and write it, with its data where they are asked for.

    Parameters
    ----------
    make : callable
        Makes the figure; a function of ``plots`` with its arguments.
    path : str or Path
        The file to make; its suffix chooses the format.
    paper : PaperStyle
        From `paper_style`.
    overwrite : bool, default False
        Replace files.
    fitted : bool, default False
        Whether ``make`` does itself what the width and the panels ask for.

    Returns
    -------
    list of Path
        The picture; then the CSV file, of the same name.

    Raises
    ------
    InputError
        It does not have a panel that is asked for, or another suffix.
    StorageError
        As `ddkbase.pictures.save_figure`.
    """
    settings: Any = dict(paper.settings)
    with rc_context(settings):  # also while it is written: ticks are made then
        figure = make()
        if not fitted:
            figure = fit_figure(figure, paper, Path(path).name)
        files = [save_figure(figure, path, overwrite, dpi=_DPI)]
    if paper.data:
        content = figure_data(figure).encode("utf-8")
        files.append(write_bytes(as_format(str(path), "csv"), content, overwrite))
    return files


def save_picture(
    make: Callable[[], Figure],
    path: str | os.PathLike[str],
    paper: PaperStyle | None = None,
    overwrite: bool = False,
) -> list[Path]:
    """Draw a figure and write it, as a paper asks for it if one does.

    Parameters
    ----------
    make : callable
        As for `save_for_paper`.
    path : str or Path
        The file to make; its suffix chooses the format.
    paper : PaperStyle or None, optional
        From `paper_style`.
    overwrite : bool, default False
        Replace files.

    Returns
    -------
    list of Path
        As from `save_for_paper`.

    Raises
    ------
    InputError
        As `save_for_paper`.
    StorageError
        As `save_for_paper`.
    """
    if paper is None:
        return [save_figure(make(), path, overwrite)]
    return save_for_paper(make, path, paper, overwrite)


def save_pictures(
    makes: Mapping[str, Callable[[], Figure]],
    folder: str | os.PathLike[str],
    pictures: str = "png",
    paper: PaperStyle | None = None,
    *,
    fitted: Collection[str] = (),
) -> list[Path]:
    """Draw several figures into a folder, as a paper asks for them; those that are there go.

    Parameters
    ----------
    makes : mapping of str to callable
        By the name of its file, what makes a figure; as for `save_for_paper`.
    folder : str or Path
        The folder; made if there is none.
    pictures : {"png", "svg", "pdf"}, default "png"
        Format, whatever suffix the names have.
    paper : PaperStyle or None, optional
        From `paper_style`.
    fitted : collection of str, default ()
        Names of the figures that are made as wide as is asked, with the panels that are asked for.

    Returns
    -------
    list of Path
        The files. A picture that has none of the panels is left out.

    Raises
    ------
    InputError
        No picture has the panels that are asked for.
    StorageError
        As `save_for_paper`; the folder cannot be made.
    """
    folder, paths, lacking = Path(folder), list[Path](), list[InputError]()
    with storage_errors("the folder cannot be made", folder):
        folder.mkdir(exist_ok=True)
    for name, make in makes.items():
        path = folder / as_format(name, pictures)
        try:
            if paper is None:
                paths += save_picture(make, path, overwrite=True)
            else:
                paths += save_for_paper(make, path, paper, True, fitted=name in fitted)
        except InputError as error:
            if error.where != "--panels":
                raise
            lacking.append(error)
    if lacking and not paths:
        with suppress(OSError):  # one that an earlier call filled
            folder.rmdir()
        first = lacking[0]
        others = "; ".join(f"{e.what}. {e.hint}" for e in lacking[1:])
        raise InputError(first.what, first.where, "; ".join(filter(None, (first.hint, others))))
    return paths


def figure_data(figure: Figure) -> str:
    """The numbers that a figure shows, as CSV: one line for each point of each curve.

    Parameters
    ----------
    figure : Figure
        The figure.

    Returns
    -------
    str
        Columns panel, curve, x, y, value (of maps alone) and the names of both axes with their
        units. Lines that span the axes and marks of text are left out.

    Raises
    ------
    InputError
        It shows no curve and no map.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_HEADS)
    count = 0
    for number, ax in enumerate(figure.axes):
        if hasattr(ax, "_colorbar"):
            continue
        panel = panel_of(ax) or " ".join(ax.get_title().split()) or str(number + 1)
        labels = " ".join(ax.get_xlabel().split()), " ".join(ax.get_ylabel().split())
        for curve, columns in _curves(ax):
            for row in zip(*columns, strict=True):
                if len(row) == 3 and not np.isfinite(row[2]):  # nothing is drawn there
                    continue
                cells = [f"{value:.9g}" if np.isfinite(value) else "" for value in row]
                cells += [""] * (3 - len(cells))
                writer.writerow([panel, curve, *cells, *labels])
                count += 1
    if not count:
        raise InputError("the picture shows no curve", "--picture-data", "Leave it out")
    return text.getvalue()


def _curves(ax: Axes) -> Iterator[tuple[str, tuple[np.ndarray, ...]]]:
    """Name and columns of everything that is drawn by numbers of its axes."""
    for number, line in enumerate(ax.lines, start=1):
        if line.get_transform() == ax.transData:
            x, y = (np.atleast_1d(line.convert_xunits(v)) for v in _numbers(line))
            yield _name(str(line.get_label()), "curve", number), (x, y)
    for number, bars in enumerate(ax.containers, start=1):
        if isinstance(bars, BarContainer):
            ends = np.array([(bar.get_x() + bar.get_width() / 2, bar.get_height()) for bar in bars])
            yield _name(str(bars.get_label()), "bars", number), (ends[:, 0], ends[:, 1])
    for number, image in enumerate(ax.images, start=1):
        yield _name(str(image.get_label()), "map", number), _pixels(image)
    for number, shape in enumerate(ax.collections, start=1):
        name = _name(str(shape.get_label()), "map", number)
        if isinstance(shape, QuadMesh):
            yield name, _map(shape)
        elif isinstance(shape, PathCollection):  # points of a scatter
            points = np.ma.filled(np.ma.asarray(shape.get_offsets(), dtype=float), np.nan)
            yield name.replace("map", "points"), (points[:, 0], points[:, 1])
        elif isinstance(shape, PolyCollection):  # the edge of a band
            for path in shape.get_paths():
                vertices = np.asarray(path.vertices)
                yield name.replace("map", "band"), (vertices[:, 0], vertices[:, 1])


def _numbers(line: Line2D) -> tuple[np.ndarray, np.ndarray]:
    x, y = line.get_data()
    return np.asarray(x, dtype=float), np.ma.filled(np.ma.asarray(y, dtype=float), np.nan)


def _map(mesh: QuadMesh) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Middles of the cells of a map, or its nodes, and the values there."""
    corners = np.asarray(mesh.get_coordinates())
    values = np.ma.filled(np.ma.asarray(mesh.get_array(), dtype=float), np.nan)
    shape = (corners.shape[0], corners.shape[1])
    if values.size == shape[0] * shape[1]:  # shaded between nodes
        at = corners
    else:
        at = (corners[1:, 1:] + corners[:-1, :-1]) / 2
    return at[..., 0].ravel(), at[..., 1].ravel(), values.ravel()


def _pixels(image: AxesImage) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Middles of the pixels of a map, and the values there."""
    values = np.ma.filled(np.ma.asarray(image.get_array(), dtype=float), np.nan)
    rows, columns = values.shape
    left, right, first, last = image.get_extent()
    if image.origin == "upper":
        first, last = last, first
    x = left + (right - left) * (np.arange(columns) + 0.5) / columns
    y = first + (last - first) * (np.arange(rows) + 0.5) / rows
    across, down = np.meshgrid(x, y)
    return across.ravel(), down.ravel(), values.ravel()


def _name(label: str, kind: str, number: int) -> str:
    return f"{kind} {number}" if label.startswith("_") or not label else label
