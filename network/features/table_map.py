"""Feature maps: a waveform becomes states, by Eq. (4) itself or by a table of pulse settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from compact.kinetics.equations import integrate, march
from ddkbase.errors import InputError
from ddkbase.records import label
from ddkbase.units import exact_text, to_si
from network.features.waveform import normalise, split_utterances
from network.features.waveform import pool as average

if TYPE_CHECKING:
    import xarray as xr

    from compact.table.table import AlphaBetaTable

__all__ = ["AMPLITUDES", "by_table", "feature_map", "fitted", "inputs", "voltages"]


def inputs(waveform: ArrayLike, *, utterances: int = 8, pool: int = 60) -> np.ndarray:
    """What a cell gets of a waveform: utterances, pooled, each from 0 to 1.

    Parameters
    ----------
    waveform : array_like, shape (samples,)
        The waveform; the article takes 48,000.
    utterances : int, default 8
        Number of parts.
    pool : int, default 60
        Neighbours that are averaged.

    Returns
    -------
    ndarray of float, shape (utterances, samples // utterances // pool)
        The inputs, a row for each part.

    Raises
    ------
    InputError
        Too few samples, or NaN among them.
    """
    wave = np.asarray(waveform, dtype=float)
    if wave.ndim != 1:
        raise InputError(f"a waveform of shape {wave.shape}", "waveform", "Give one of (samples,)")
    return normalise(average(split_utterances(wave, count=utterances), pool))


def feature_map(
    waveform: ArrayLike,
    *,
    utterances: int = 8,
    pool: int = 60,
    alpha: ArrayLike = 0.7,
    beta: ArrayLike = 1.0,
    integrator: str = "implicit",
    initial: float = 1.0,
) -> xr.Dataset:
    """The map of a waveform by the algorithm, Fig. 3a.

    Parameters
    ----------
    waveform : array_like
        As for `inputs`.
    utterances : int, default 8
        As for `inputs`.
    pool : int, default 60
        As for `inputs`.
    alpha : array_like, default 0.7
        Diffusion of Eq. (4), one value, or one for each utterance.
    beta : array_like, default 1.0
        Drift of Eq. (4), likewise.
    integrator : {"implicit", "explicit", "exact"}, default "implicit"
        How the equation is integrated; the authors take "explicit".
    initial : float, default 1.0
        State before the first sample.

    Returns
    -------
    xarray.Dataset
        Dataset on (utterance, pulse): ``input`` and ``feature``, the state after each sample.

    Raises
    ------
    InputError
        Numbers out of range, or too few samples.
    """
    x = inputs(waveform, utterances=utterances, pool=pool)
    y = integrate(integrator, alpha, beta, x, initial)
    return labelled(x, {"feature": (y, "1", "state y")}, {"method": f"Eq. (4), {integrator}"})


def labelled(
    x: np.ndarray, more: dict[str, tuple[Any, str, str]], attrs: dict[str, Any]
) -> xr.Dataset:
    """A map as a dataset: the input, and further values on (utterance, pulse) or (utterance)."""
    # start-up: inputs alone need no xarray
    import xarray as xr

    dims = ("utterance", "pulse")
    data = {"input": label(x, dims, "1", "input, 0 to 1")}
    for name, (values, unit, long_name) in more.items():
        values = np.asarray(values)
        data[name] = label(values, dims[: values.ndim], unit, long_name)
    coords = {
        "utterance": label(np.arange(1, len(x) + 1), "utterance", "1", "utterance"),
        "pulse": label(np.arange(1, x.shape[1] + 1), "pulse", "1", "pulse"),
    }
    return xr.Dataset(data, coords, attrs)


#: Amplitudes at x = 0 and x = 1 with which the library's cell goes down step by step from 5 kohm in
#: the first 20 or so of 100 pulses of 100 ns, and Eq. (4) follows it (R 0.07 to 0.18 for a blue
#: whale). The article's 2 to 3 V finish the simulated cell with the first pulse. From -1.2 to -2 V
#: the fall takes all 100 pulses, but begins with a plateau that Eq. (4) does not know (R 0.3 to
#: 2.6).
AMPLITUDES = ("-2 V", "-3 V")


def voltages(x: ArrayLike, amplitude: tuple[str, str]) -> np.ndarray:
    """Inputs from 0 to 1, linearly mapped to pulse amplitudes [V].

    Parameters
    ----------
    x : array_like, shape (utterances, pulses)
        Inputs from 0 to 1.
    amplitude : pair of str
        Amplitude at x = 0 and at x = 1, of one sign: ("-2 V", "-3 V").

    Raises
    ------
    InputError
        An input outside of 0 to 1, an amplitude without unit, or two of different sign.
    """
    values = np.asarray(x, dtype=float)
    if values.ndim != 2 or not values.size:
        raise InputError(f"inputs of shape {values.shape}", "x", "Give (utterances, pulses)")
    if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1):
        raise InputError("an input is not between 0 and 1", "x", "Use network.features.normalise")
    if isinstance(amplitude, str) or len(amplitude) != 2:
        raise InputError("two amplitudes are needed", "amplitude", 'Give ("-2 V", "-3 V")')
    low, high = (to_si(a, "V", "amplitude") for a in amplitude)
    if not low * high > 0:
        raise InputError(f"{low:g} V and {high:g} V are not of one sign", "amplitude")
    return low + values * (high - low)


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
