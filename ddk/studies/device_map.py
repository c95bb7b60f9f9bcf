"""Feature maps by finite elements: every sample a real pulse on a simulated cell (Fig. 3b, 3c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

import devicephys
from ddkbase.units import exact_text
from network.features.equation_map import labelled
from network.features.table_map import fitted
from network.features.voltage import AMPLITUDES, voltages

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["by_device"]


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
    x : array_like, shape (utterances, pulses)
        Inputs from 0 to 1; see `network.features.inputs`.
    device : str or Device, default "tin-taox-hfox-tin"
        Name of a device of the library, or a ``devicephys.Device``.
    amplitude : pair of str, optional
        Amplitude of the pulses at x = 0 and x = 1; negative for RESET. The article's are 2 to 3 V,
        see `AMPLITUDES`.
    width : str, default "100 ns"
        Flat top of a pulse.
    initial_resistance : str or None, default "5 kohm"
        What the cell is brought to before each utterance; None: as it is.
    preset : {"quick", "default", "fine"}, default "quick"
        How finely mesh and time are resolved.
    seed : int or None, optional
        If given each utterance has its own cell, cycle by cycle drawn from the population.
    fit : bool, default True
        Whether alpha and beta of each utterance are fitted; see `fitted`.
    progress : callable or None, optional
        Called after each utterance with its number and how many there are.

    Returns
    -------
    xarray.Dataset
        Dataset on (utterance, pulse): ``input``, ``voltage`` [V], ``conductance`` [S] after each
        pulse, ``initial_conductance`` [S], ``energy`` [J], and what `fitted` adds.

    Raises
    ------
    InputError
        An argument out of range, or the cell cannot be brought to the resistance.
    SolverError
        No time step succeeds.
    InstallationError
        No finite-element stack.
    """
    heights = voltages(x, amplitude)
    cell = devicephys.load_device(device) if isinstance(device, str) else device
    settings = devicephys.Settings.preset(preset)
    traces = []
    for k, row in enumerate(heights):
        train = devicephys.PulseTrain(amplitude=[exact_text(v, "V") for v in row], width=width)
        traces.append(
            devicephys.simulate_pulses(
                cell,
                train,
                settings,
                initial_resistance=initial_resistance,
                seed=seed,
                cycle=0 if seed is None else k,
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
