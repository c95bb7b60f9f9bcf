"""Feature maps by finite elements: every sample a real pulse on a simulated cell (Fig. 3b, 3c)."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from devicephys.errors import InputError
from devicephys.units import exact_text, to_si
from network.features.equation_map import labelled

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["AMPLITUDES", "by_device", "fitted", "voltages"]

#: Amplitudes at x = 0 and x = 1 with which the library's cell goes down step by step from 5 kohm in
#: the first 20 or so of 100 pulses of 100 ns, and Eq. (4) follows it (R 0.07 to 0.18 for a blue
#: whale). The article's 2 to 3 V finish the simulated cell with the first pulse. From -1.2 to -2 V
#: the fall takes all 100 pulses, but begins with a plateau that Eq. (4) does not know (R 0.3 to
#: 2.6).
AMPLITUDES = ("-1.6 V", "-2.2 V")


def voltages(x: ArrayLike, amplitude: tuple[str, str]) -> np.ndarray:
    """Inputs from 0 to 1, linearly mapped to pulse amplitudes [V].

    Parameters
    ----------
    x : (utterances, pulses).
    amplitude : at x = 0 and at x = 1, of one sign: ("-1.6 V", "-2.2 V").

    Raises
    ------
    InputError : an input outside of 0 to 1, an amplitude without unit, or two of different sign.
    """
    values = np.asarray(x, dtype=float)
    if values.ndim != 2 or not values.size:
        raise InputError(f"inputs of shape {values.shape}", "x", "Give (utterances, pulses)")
    if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1):
        raise InputError("an input is not between 0 and 1", "x", "Use network.features.normalise")
    if isinstance(amplitude, str) or len(amplitude) != 2:
        raise InputError("two amplitudes are needed", "amplitude", 'Give ("-1.6 V", "-2.2 V")')
    low, high = (to_si(a, "V", "amplitude") for a in amplitude)
    if not low * high > 0:
        raise InputError(f"{low:g} V and {high:g} V are not of one sign", "amplitude")
    return low + values * (high - low)


def by_device(
    x: ArrayLike,
    device: Any = "tin-taox-hfox-tin",
    *,
    amplitude: tuple[str, str] = AMPLITUDES,
    width: str = "100 ns",
    initial_resistance: str | None = "5 kohm",
    preset: str = "quick",
    seed: int | None = None,
    fit: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    """Apply utterances as pulse trains to a cell of finite elements, each to a fresh one.

    Parameters
    ----------
    x : inputs from 0 to 1, (utterances, pulses); see `network.features.inputs`.
    device : name of a device of the library, or a ``devicephys.Device``.
    amplitude : of the pulses at x = 0 and x = 1; negative for RESET. The article's are 2 to 3 V,
        see `AMPLITUDES`.
    width : flat top of a pulse.
    initial_resistance : what the cell is brought to before each utterance; None: as it is.
    preset : "quick", "default" or "fine".
    seed : if given each utterance has its own cell, cycle by cycle drawn from the population.
    fit : whether alpha and beta of each utterance are fitted; see `fitted`.
    progress : called after each utterance with its number and how many there are.

    Returns
    -------
    Dataset on (utterance, pulse): ``input``, ``voltage`` [V], ``conductance`` [S] after each pulse,
    ``initial_conductance`` [S], ``energy`` [J], and what `fitted` adds.

    Raises
    ------
    InputError : an argument out of range, or the cell cannot be brought to the resistance.
    SolverError : no time step succeeds.
    InstallationError : no finite-element stack.
    """
    heights = voltages(x, amplitude)
    # Reached by name: the finite elements are no part of this package and need not be there.
    physics: Any = importlib.import_module("devicephys")
    cell = physics.load_device(device) if isinstance(device, str) else device
    settings = physics.Settings.preset(preset)
    traces = []
    for k, row in enumerate(heights):
        train = physics.PulseTrain(amplitude=[exact_text(v, "V") for v in row], width=width)
        drawn = {} if seed is None else {"seed": seed, "cycle": k}
        traces.append(
            physics.simulate_pulses(
                cell, train, settings, initial_resistance=initial_resistance, **drawn
            )
        )
        if progress is not None:
            progress(k + 1, len(heights))

    def stacked(name: str) -> np.ndarray:
        return np.stack([trace[name].values for trace in traces])

    ds = labelled(
        np.asarray(x, dtype=float),
        {
            "voltage": (heights, "V", "amplitude of the pulse"),
            "conductance": (stacked("conductance"), "S", "conductance after the pulse"),
            "initial_conductance": (stacked("initial_conductance"), "S", "conductance before"),
            "energy": (stacked("energy"), "J", "energy of the pulse"),
        },
        {
            "method": f"finite elements, preset {preset}",
            "device": cell.name if hasattr(cell, "name") else str(device),
            "width": width,
            "initial_resistance": initial_resistance or "as the device is",
            "seed": -1 if seed is None else seed,
        },
    )
    return fitted(ds) if fit else ds


def fitted(
    ds: xr.Dataset, *, drive: str = "voltage", window: str = "free", integrator: str = "implicit"
) -> xr.Dataset:
    """Fit alpha and beta to each utterance of a map, as Fig. 3c.

    Parameters
    ----------
    ds : with ``input``, ``voltage``, ``conductance`` and ``initial_conductance``.
    drive : what x of Eqs. (3), (4) is: "voltage", the amplitude as a share of the largest, or
        "input", the sample itself, with which the lowest pulse drives nothing.
    window : "free" (smallest and largest conductance are fitted) or "data".
    integrator : of the fit.

    Returns
    -------
    The dataset with ``fitted`` [S], ``alpha``, ``beta`` and ``residual``: R, the sum of squared
    residuals on the scale where the utterance spans 0 to 1. NaN where nothing could be fitted.

    Raises
    ------
    InputError : an unknown drive or window.
    """
    from compact.table import AlphaBetaTable

    if drive not in ("voltage", "input"):
        raise InputError(f"unknown drive '{drive}'", "drive", "voltage or input")
    height = np.abs(ds["voltage"].values)
    x = height / height.max() if drive == "voltage" else ds["input"].values
    way = "down" if float(ds["voltage"].values.flat[0]) < 0 else "up"
    trains = ds[["conductance", "initial_conductance"]].rename(utterance="train")
    table = AlphaBetaTable.fit(trains, direction=way, window=window, integrator=integrator, x=x)
    found = table.dataset.isel(amplitude=0, width=0, initial_resistance=0, device=0)
    number = found["cycle"].values.astype(int)
    count, pulses = ds["conductance"].shape
    curve = np.full((count, pulses), np.nan)
    curve[number] = found["fitted"].values[:, 1 : pulses + 1]
    names = {"alpha": "alpha", "beta": "beta", "residual": "R, sum of squared residuals"}
    from devicephys.records import label

    added = {"fitted": label(curve, ("utterance", "pulse"), "S", "conductance by Eq. (4)")}
    for name, words in names.items():
        values = np.full(count, np.nan)
        values[number] = found[name].values
        added[name] = label(values, "utterance", "1", words)
    return ds.assign(added).assign_attrs(fit_drive=drive, fit_window=window)
