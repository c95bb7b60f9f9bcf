"""What pictures of tables share: an empty figure, saving."""

from __future__ import annotations

import io
import os
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

__all__ = ["new_figure", "save"]


def save(figure: Figure, path: str | os.PathLike[str], overwrite: bool = False) -> Path:
    """Write a figure as PNG, whole or not at all. Raises StorageError."""
    from devicephys.records import write_bytes

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=160)
    return write_bytes(path, buffer.getbuffer(), overwrite)


def new_figure(width: float, height: float) -> Figure:
    """An empty white figure of ``width`` x ``height`` inches on an Agg canvas."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure
