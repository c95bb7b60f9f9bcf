"""Simulated loops over the band of measured ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ddkbase.pictures import GREY, SERIES, SMALL
from devicephys.measured.comparison import measured_band, single_loops
from devicephys.plots.style import MICROAMPERE, new_figure, style_axes

__all__ = ["measured_figure"]


def measured_figure(measured: xr.Dataset, runs: Mapping[str, xr.Dataset]) -> Figure:
    """Draw simulated loops over measured ones, linear and logarithmic.

    Parameters
    ----------
    measured : xarray.Dataset
        What ``read_loop`` gives.
    runs : mapping of str to xarray.Dataset
        Records of loops by the name of the run; the first loop of each is drawn.

    Returns
    -------
    matplotlib.figure.Figure
        Current over voltage, and the logarithm of its size; grey is the band of the measured loops.
    """
    band = measured_band(measured)
    count = int(measured.attrs["loops"])
    figure = new_figure(10.0, 4.4)
    for number, tag in enumerate("ab"):
        ax = figure.add_subplot(1, 2, number + 1)
        logarithmic = tag == "b"
        for k in range(band.sizes["ramp"]):
            ramp = band.isel(ramp=k)
            v = ramp["voltage"].values
            side = 1.0 if logarithmic else np.sign(v)
            low, middle, high = (
                MICROAMPERE * side * ramp[name].values
                for name in ("current_low", "current", "current_high")
            )
            ax.fill_between(v, low, high, color="0.82", linewidth=0)
            loops = f"{count} loops: median and 16 to 84 %" if count > 1 else "one loop"
            label = f"measured, {loops}" if k == 0 else None
            ax.plot(v, middle, color=GREY, linewidth=1.0, label=label)
        for k, (name, ds) in enumerate(runs.items()):
            v, i = single_loops(ds)[0]
            # on the way to 0 V the logarithm would fall without end
            size = np.where(np.abs(v) < 0.01, np.nan, np.abs(i))
            flow = MICROAMPERE * (size if logarithmic else i)
            label = f"simulated, {Path(name).name}"
            ax.plot(v, flow, color=SERIES[k % len(SERIES)], linewidth=1.3, label=label)
        style_axes(ax, "Voltage (V)", "|Current| (µA)" if logarithmic else "Current (µA)", tag)
        if logarithmic:
            ax.set_yscale("log")
        else:
            ax.legend(fontsize=SMALL, frameon=False)
    return figure
