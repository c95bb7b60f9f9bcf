"""Simulated loops beside measured ones: figures of the misfit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from ddkbase.errors import InputError
from devicephys.measured.ramps import RAMPS, band_of, log_misfit

__all__ = ["measured_band", "misfit_rows", "single_loops"]


def single_loops(ds: xr.Dataset) -> list[tuple[np.ndarray, np.ndarray]]:
    """Voltage [V] and current [A] of each loop, of a measured or a simulated record.

    Parameters
    ----------
    ds : xarray.Dataset
        What ``read_loop`` gives, or an ``IVTrace``.
    """
    number, v, i = (ds[name].values for name in ("loop", "voltage", "current"))
    return [(v[number == k], i[number == k]) for k in np.unique(number)]


def measured_band(measured: xr.Dataset) -> xr.Dataset:
    """Median and spread of measured loops; see `devicephys.measured.ramps.band_of`."""
    return band_of(single_loops(measured))


def misfit_rows(measured: xr.Dataset, runs: Mapping[str, xr.Dataset]) -> list[list[str]]:
    """Rows of a table: how far the first loop of each run is from the median of the measured ones.

    Parameters
    ----------
    measured : xarray.Dataset
        What ``read_loop`` gives.
    runs : mapping of str to xarray.Dataset
        Records of loops by the name of the run.

    Returns
    -------
    list of list of str
        Ramp, then for each run the root mean square of log10 of the current over the median, in
        decades; the last row is over all ramps.

    Raises
    ------
    InputError
        A record that is no loop.
    """
    band, found = measured_band(measured), []
    for name, ds in runs.items():
        if ds.attrs.get("schema") != "IVTrace" or not ds.attrs.get("loops", 0):
            raise InputError("is no current-voltage loop", name, "Name runs of 'ddk-device iv'")
        found.append(log_misfit(band, *single_loops(ds)[0]))
    rows = []
    for ramp in (*RAMPS, "all"):
        values = [misfit.get(ramp, float("nan")) for misfit in found]
        rows.append([ramp, *(f"{x:.3f}" if np.isfinite(x) else "–" for x in values)])
    return rows
