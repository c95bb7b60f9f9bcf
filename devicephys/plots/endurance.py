"""The picture of program-and-verify cycles: resistances, pulses and heights over the cycle."""

from __future__ import annotations

import xarray as xr
from matplotlib.figure import Figure

from devicephys.plots import style

__all__ = ["endurance_figure"]


def endurance_figure(ds: xr.Dataset) -> Figure:
    """Draw cycles in three panels over their number.

    (a) the resistances that were reached, (b) the pulses that each took, (c) the size of the
    largest of them.

    Parameters
    ----------
    ds : xarray.Dataset
        An Endurance v1.

    Returns
    -------
    Figure
        A matplotlib figure of 11 x 4 inches; `save_figure` writes it.
    """
    figure = style.new_figure(11, 4)
    axes = figure.subplots(1, 3)
    panels = (
        ("resistance", "Resistance (kΩ)", style.KILOOHM),
        ("pulses", "Pulses", 1.0),
        ("amplitude_largest", "Largest height (V)", 1.0),
    )
    reached = ds["resistance"].notnull().values
    for ax, (name, text, scale), tag in zip(axes, panels, "abc", strict=True):
        for k, (state, colour) in enumerate(
            (("high, by RESET", style.RESET_COLOUR), ("low, by SET", style.SET_COLOUR))
        ):
            use = reached[:, k]
            values = abs(ds[name].values[use, k]) * scale
            ax.plot(ds["cycle"].values[use], values, "o-", color=colour, markersize=4, label=state)
        style.style_axes(ax, "Cycle", text, tag)
    axes[0].set_yscale("log")
    axes[0].legend(frameon=False)
    return figure
