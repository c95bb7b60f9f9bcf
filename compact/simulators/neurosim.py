"""The parameters of NeuroSim's analog synapse (class ``RealDevice`` of MLP+NeuroSim)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar

from compact.laws.pulse_steps import LARGEST_LABEL, curvature_of, nonlinearity_label, saturation
from compact.simulators.steps import PulseSteps, largest_difference, pulse_steps, said
from ddkbase.files import write_bytes

__all__ = ["curve_after", "neurosim_text", "to_neurosim"]

SMALLEST_LABEL = 0.01
"""Of those that NeuroSim tabulates, and the step between them."""
_STEEPEST = 43.8  # 1/A at the largest label


def to_neurosim(
    source: Any,
    path: str | os.PathLike[str],
    opposite: Any = None,
    *,
    overwrite: bool = False,
    **options: Any,
) -> Path:
    """A block of parameters for NeuroSim: window, numbers of levels, nonlinearity, spread.

    Parameters
    ----------
    source : AlphaBetaFit, AlphaBetaTable or xarray.Dataset
        The fit or table.
    path : str or Path
        The file to make.
    opposite : AlphaBetaFit, AlphaBetaTable or None, optional
        The other polarity.
    overwrite : bool, default False
        Replace an existing file.
    **options : dict, optional
        Further arguments of `pulse_steps`.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        As of `pulse_steps`.
    StorageError
        The file exists or cannot be written.
    """
    text = neurosim_text(pulse_steps(source, opposite, **options))
    return write_bytes(path, text.encode("utf-8"), overwrite)


def neurosim_text(steps: PulseSteps) -> str:
    """The block as C++ assignments, with a heading that says how exact it is."""
    labels = {1: _label(steps.rise), -1: _label(steps.fall[::-1])}
    counts = {1: steps.rise.size - 1, -1: steps.fall.size - 1}

    def after(conductance: np.ndarray, sign: int) -> np.ndarray:
        return curve_after(conductance, sign, labels[sign], counts[sign], (steps.low, steps.high))

    lost = [
        "the shape: NeuroSim's step is linear in the conductance, that of the fit falls with "
        "alpha/y",
        "amplitude and width of a pulse: both are those of the fit",
    ]
    spreads = np.array([steps.rise_spread, steps.fall_spread])
    spread = float(np.nanmean(spreads)) if np.isfinite(spreads).any() else 0.0
    if np.isfinite(spreads).any():
        lost.append("the spread of SET apart from that of RESET: their mean is written")
    else:
        lost.append("the spread from cycle to cycle, which was not measured: 0 is written")
    title = "NeuroSim, class RealDevice, written by ddk-toolkit"
    heading = said(steps, title, largest_difference(steps, after), lost, "//")
    cell, share = steps.cell, spread / (steps.high - steps.low)
    lines = [
        *heading,
        "",
        f"maxConductance = {steps.high!r};  // S",
        f"minConductance = {steps.low!r};  // S",
        f"writeVoltageLTP = {cell.set.amplitudes[0]!r};  // V",
        f"writeVoltageLTD = {cell.reset.amplitudes[0]!r};  // V",
        f"writePulseWidthLTP = {cell.width!r};  // s",
        f"writePulseWidthLTD = {cell.width!r};  // s",
        f"maxNumLevelLTP = {counts[1]};",
        f"maxNumLevelLTD = {counts[-1]};",
        f"NL_LTP = {labels[1]:.2f};",
        f"NL_LTD = {labels[-1]:.2f};",
        "nonlinearWrite = true;",
        "sigmaDtoD = 0;",
        f"sigmaCtoC = {share:.6g} * (maxConductance - minConductance);",
    ]
    return "\n".join(lines) + "\n"


def curve_after(
    conductance: np.ndarray, sign: int, label: float, count: int, ends: tuple[float, float]
) -> np.ndarray:
    """Conductance after one pulse by NeuroSim's formula.

    Parameters
    ----------
    conductance : ndarray, shape (...), S
        Before the pulse.
    sign : {-1, 1}
        Down or up: against or along the curve.
    label : float
        Nonlinearity, NL_LTP or NL_LTD.
    count : int
        Number of levels.
    ends : tuple of float, S
        Smallest and largest conductance.

    Returns
    -------
    ndarray, shape (...), S
        After it, within the ends.

    Notes
    -----
    The position on the curve of `saturation` is looked up from the conductance, moved by one pulse
    and turned back. The positions being those of an exponential, a pulse multiplies the distance
    from its asymptote by exp(-k/N), k being the curvature of the label.
    """
    curvature = curvature_of(label)
    low, high = ends
    asymptote = low + (high - low) / -np.expm1(-curvature)
    factor = np.exp(-sign * curvature / count)
    moved = asymptote - (asymptote - np.asarray(conductance, float)) * factor
    return np.asarray(np.clip(moved, low, high))


def _label(curve: np.ndarray) -> float:
    """The label, of two decimals, whose curve is closest to a rising one in least squares."""
    height = (curve - curve[0]) / (curve[-1] - curve[0])
    share = np.linspace(0.0, 1.0, height.size)

    def misfit(curvature: float) -> float:
        return float(((saturation(share, curvature) - height) ** 2).sum())

    best = minimize_scalar(
        misfit, bounds=(-_STEEPEST, _STEEPEST), method="bounded", options={"xatol": 1e-9}
    )
    label = nonlinearity_label(best.x)
    size = min(max(round(abs(label), 2), SMALLEST_LABEL), LARGEST_LABEL)
    return float(np.copysign(size, label))
