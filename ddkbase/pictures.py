"""The one style of all pictures: colours, maps, sizes, axes, an empty figure, saving.

Only matplotlib's object interface is used, on the Agg canvas: no global figure state, so pictures
can be made in threads and without a display.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ddkbase.files import write_bytes
from ddkbase.picture_names import PICTURES, check_suffix

# Okabe and Ito, "Color universal design" (2008): told apart with any colour vision
BLUE, VERMILLION, ORANGE = "#0072B2", "#D55E00", "#E69F00"
GREEN, PINK, SKY, YELLOW = "#009E73", "#CC79A7", "#56B4E9", "#F0E442"
GREY, WARNING = "0.45", "#8A2B00"
#: colours of several curves, in an order in which neighbours differ in lightness, too
SERIES = (BLUE, VERMILLION, GREEN, PINK, ORANGE, SKY)
#: colours of filled areas, which hatches tell apart as well
AREAS = (BLUE, ORANGE, GREEN, PINK, SKY, VERMILLION, YELLOW, "#999999")
#: map of a quantity without a sign, perceptually uniform and the same for the colour-blind
SEQUENTIAL = "cividis"

INCH = 0.0254  # m
TITLE, LABEL, SMALL = 11, 10, 9  # points, for print and projection
#: mark of a figure's title, which a picture for a paper leaves to its caption
TITLE_TEXT = "title of the figure"

#: text in an SVG stays text, fonts in a PDF are TrueType: both can be searched and edited
_VECTOR: Any = {"svg.fonttype": "none", "pdf.fonttype": 42, "svg.hashsalt": "ddk-toolkit"}
_UNDATED: dict[str, dict[str, str | None]] = {
    ".svg": {"Date": None},
    ".pdf": {"CreationDate": None},
}


def new_figure(width: float, height: float) -> Figure:
    """Return an empty white figure of ``width`` x ``height`` inches on an Agg canvas."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def save_figure(
    figure: Figure, path: str | os.PathLike[str], overwrite: bool = False, *, dpi: float = 160
) -> Path:
    """Write a figure, whole or not at all, in the format that the suffix of ``path`` names.

    Parameters
    ----------
    path : str or Path
        The file to make; its name ends in .png, .svg or .pdf.
    dpi : float, default 160
        Resolution of a PNG, and of the maps within a vector picture.

    Raises
    ------
    InputError
        Another suffix.
    StorageError
        As `ddkbase.records.write`.
    """
    suffix = Path(path).suffix.lower()
    check_suffix(Path(path), PICTURES, "picture")
    buffer = io.BytesIO()
    if suffix == ".png":
        figure.savefig(buffer, format="png", dpi=dpi)
    else:
        with rc_context(_VECTOR):
            figure.savefig(buffer, format=suffix[1:], dpi=dpi, metadata=_UNDATED[suffix])
    return write_bytes(path, buffer.getbuffer(), overwrite)


def style_axes(ax: Axes, x_label: str, y_label: str, tag: str = "") -> None:
    """Name the axes, set sizes for print and projection, write the panel's tag top left."""
    ax.set_xlabel(x_label, fontsize=LABEL)
    ax.set_ylabel(y_label, fontsize=LABEL)
    style_ticks(ax)
    if tag:
        ax.set_title(tag, loc="left", fontsize=TITLE, fontweight="bold")


def style_ticks(ax: Axes) -> None:
    """Set ticks inside on all sides and a pale grid behind the curves."""
    ax.tick_params(which="both", direction="in", top=True, right=True, labelsize=SMALL)
    ax.grid(True, which="major", color="0.88", linewidth=0.6)
    ax.set_axisbelow(True)


def shared_legend(figure: Figure, panels: Iterable[Axes], columns: int, size: float) -> None:
    """Put one legend for all panels below them, each entry once."""
    entries: dict[str, Any] = {}
    for ax in panels:
        for handle, text in zip(*ax.get_legend_handles_labels(), strict=True):
            entries.setdefault(text, handle)
    style: dict[str, Any] = {"loc": "outside lower center", "frameon": False, "fontsize": size}
    figure.legend(entries.values(), entries.keys(), ncols=columns, **style)


def open_axes(ax: Axes) -> None:
    """Take away the upper and the right line, for pictures in which no value is read off there."""
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    ax.tick_params(which="both", top=False, right=False)
