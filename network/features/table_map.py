"""Feature maps by a table: every sample moves the conductance by the kinetics of its setting."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from compact.kinetics.equations import march
from ddkbase.errors import InputError
from ddkbase.records import label
from ddkbase.units import exact_text
from network.features.equation_map import labelled
from network.features.voltage import AMPLITUDES, voltages

if TYPE_CHECKING:
    import xarray as xr

    from compact.table.table import AlphaBetaTable

__all__ = ["by_table", "fitted"]

_GRID = 65  # amplitudes at which the table is asked; linear between them
_LOWEST = 1e-3  # share of a window that a state is kept away from its end


def by_table(
    x: ArrayLike,
    table: AlphaBetaTable,
    *,
    amplitude: tuple[str, str] = AMPLITUDES,
    width: str | None = None,
    initial_resistance: str | None = None,
    rng: np.random.Generator | None = None,
    kind: str | None = None,
    integrator: str | None = None,
) -> xr.Dataset:
    """Apply utterances as pulses to cells that behave as a table says.

    Alpha and beta of a pulse are those of its amplitude (at x = 1 of Eq. (4), for the table was
    fitted to trains of equal pulses), and so are the ends of the window in which its state y goes
    from 1 to 0. The conductance is what one pulse hands to the next. A pulse whose window ends
    above the present conductance changes nothing: a weaker pulse does not undo a stronger one.

    Parameters
    ----------
    x : array_like, shape (utterances, pulses)
        Inputs from 0 to 1; see `network.features.inputs`.
    table : AlphaBetaTable
        Table of trains that go down (RESET), or up (SET).
    amplitude : pair of str, optional
        Amplitude of the pulses at x = 0 and x = 1; both within the table.
    width, initial_resistance : str or None, optional
        Setting of the table; may be left out where it has one value.
    rng : numpy.random.Generator or None, optional
        If given each utterance meets a cell of its own, drawn with the spreads of the table.
    kind : {"cycle", "device", "cell"} or None, optional
        What is drawn, see ``AlphaBetaTable.sample``.
    integrator : str or None, optional
        How the equation is integrated; by default as the table was fitted.

    Returns
    -------
    xarray.Dataset
        Dataset on (utterance, pulse): ``input``, ``voltage`` [V], ``alpha``, ``beta``,
        ``conductance`` [S] after each pulse, ``feature``, the conductance as a share of the window
        of all pulses, and ``initial_conductance`` [S].

    Raises
    ------
    InputError
        Inputs out of range, a setting outside of the table, or no spread to draw from.
    """
    heights = voltages(x, amplitude)
    sign = 1 if heights.flat[0] > 0 else -1
    method = integrator or str(table.dataset.attrs["integrator"])
    rows = []
    for row in heights:
        cell = table.sample(rng, kind) if rng is not None else table
        grid, values = _curves(cell, (float(heights.min()), float(heights.max())), width,
                               initial_resistance)  # fmt: skip
        rows.append(np.stack([np.interp(row, grid, curve) for curve in values]))
    alpha, beta, low, high = np.stack(rows, axis=1)  # (utterances, pulses) each
    start, end = low.min(axis=1, keepdims=True), high.max(axis=1, keepdims=True)
    conductance = _walk(alpha, beta, low, high, (end if sign < 0 else start)[:, 0], method, sign)
    feature = (conductance - start) / (end - start)
    unit = str(table.dataset["conductance_min"].attrs["units"])
    return labelled(
        np.asarray(x, dtype=float),
        {
            "voltage": (heights, "V", "amplitude of the pulse"),
            "alpha": (alpha, "1", "alpha of the pulse's amplitude"),
            "beta": (beta, "1", "beta of the pulse's amplitude"),
            "conductance": (conductance, unit, "conductance after the pulse"),
            "feature": (feature, "1", "conductance, 0 to 1 over the window of all pulses"),
            "initial_conductance": ((end if sign < 0 else start)[:, 0], unit, "conductance before"),
        },
        {"method": f"table, {method} integrator", "table": str(table.dataset.attrs["title"])},
    )


def _curves(
    table: AlphaBetaTable,
    ends: tuple[float, float],
    width: str | None,
    initial_resistance: str | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Amplitudes [V], rising, and alpha, beta, smallest and largest conductance at them."""
    grid = np.linspace(*ends, _GRID) if ends[0] < ends[1] else np.array([ends[0]])
    names = ("alpha", "beta", "conductance_min", "conductance_max")
    values = np.empty((len(names), len(grid)))
    for k, height in enumerate(grid):
        setting = {"width": width, "initial_resistance": initial_resistance}
        if "amplitude" in table.varied or k == 0:
            entry = table.lookup(amplitude=exact_text(float(height), "V"), **setting)
        values[:, k] = [getattr(entry, name) for name in names]
    if not np.isfinite(values).all() or (values[3] <= values[2]).any():
        raise InputError("the table has no window of conductance at these settings", "table")
    return grid, values


def _walk(
    alpha: np.ndarray,
    beta: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    start: np.ndarray,
    method: str,
    sign: int,
) -> np.ndarray:
    """Conductances after each pulse, (utterances, pulses)."""
    # Every pulse has a window of its own: what is handed on is the conductance, not the state.
    now = start.copy()
    out = np.empty_like(alpha)
    for k in range(alpha.shape[1]):
        span = high[:, k] - low[:, k]
        state = (now - low[:, k]) / span
        y0 = np.maximum(state, _LOWEST)
        y, _ = march(method, alpha[:, k], beta[:, k], np.ones((1, len(now))), y0, sign=sign)
        after = low[:, k] + span * y[1]
        # diffusion keeps a state above the end of its window; from below it would leap there
        down = (
            np.minimum(after, now) if sign < 0 else np.maximum(np.minimum(after, high[:, k]), now)
        )
        now = np.where(state > _LOWEST, down, now) if sign < 0 else down
        out[:, k] = now
    return out


def fitted(
    ds: xr.Dataset, *, drive: str = "voltage", window: str = "free", integrator: str = "implicit"
) -> xr.Dataset:
    """Fit alpha and beta to each utterance of a map, as Fig. 3c.

    Parameters
    ----------
    ds : xarray.Dataset
        Dataset with ``input``, ``voltage``, ``conductance`` and ``initial_conductance``.
    drive : {"voltage", "input"}, default "voltage"
        What x of Eqs. (3), (4) is: "voltage", the amplitude as a share of the largest, or "input",
        the sample itself, with which the lowest pulse drives nothing.
    window : {"free", "data"}, default "free"
        Whether the smallest and largest conductance are fitted, or are those of the data.
    integrator : str, default "implicit"
        Integrator of the fit.

    Returns
    -------
    xarray.Dataset
        The dataset with ``fitted`` [S], ``alpha``, ``beta`` and ``residual``: R, the sum of squared
        residuals on the scale where the utterance spans 0 to 1. NaN where nothing could be fitted.

    Raises
    ------
    InputError
        An unknown drive or window.
    """
    # start-up: a map by a table needs no fits
    from compact.table.table import AlphaBetaTable

    if drive not in ("voltage", "input"):
        raise InputError(f"unknown drive '{drive}'", "drive", "voltage or input")
    height = np.abs(ds["voltage"].values)
    x = height / height.max() if drive == "voltage" else ds["input"].values
    direction = "down" if float(ds["voltage"].values.flat[0]) < 0 else "up"
    trains = ds[["conductance", "initial_conductance"]].rename(utterance="train")
    table = AlphaBetaTable.fit(
        trains, direction=direction, window=window, integrator=integrator, x=x
    )
    fit = table.dataset.isel(amplitude=0, width=0, initial_resistance=0, device=0)
    number = fit["cycle"].values.astype(int)
    count, pulses = ds["conductance"].shape
    curve = np.full((count, pulses), np.nan)
    curve[number] = fit["fitted"].values[:, 1 : pulses + 1]
    names = {"alpha": "alpha", "beta": "beta", "residual": "R, sum of squared residuals"}
    added = {"fitted": label(curve, ("utterance", "pulse"), "S", "conductance by Eq. (4)")}
    for name, long_name in names.items():
        values = np.full(count, np.nan)
        values[number] = fit[name].values
        added[name] = label(values, "utterance", "1", long_name)
    return ds.assign(added).assign_attrs(fit_drive=drive, fit_window=window)
