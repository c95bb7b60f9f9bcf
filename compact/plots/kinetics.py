"""Pictures of the kinetics: a fit, alpha and beta (Fig. S2), I-V loops, patterns (Figs. 1d, 1e)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from compact.kinetics import patterns
from compact.laws import linear_ion_drift
from ddkbase.pictures import BLUE, GREY, SERIES, VERMILLION, WARNING, new_figure, style_axes

_DASHES = ("-", "--", "-.", ":")
_MICRO = 1e6


class FittedTrain(Protocol):
    """What `fit_figure` draws: a `compact.AlphaBetaFit`, or anything with these attributes."""

    @property
    def conductance(self) -> np.ndarray: ...
    @property
    def fitted(self) -> np.ndarray: ...
    @property
    def units(self) -> str: ...
    @property
    def alpha(self) -> float: ...
    @property
    def alpha_stderr(self) -> float: ...
    @property
    def beta(self) -> float: ...
    @property
    def beta_stderr(self) -> float: ...
    @property
    def residual_sum(self) -> float: ...
    @property
    def method(self) -> str: ...
    @property
    def integrator(self) -> str: ...
    @property
    def note(self) -> str: ...


def fit_figure(fit: FittedTrain) -> Figure:
    """Draw a train with its curve (as Fig. 3c), and the residuals below, in per cent of the span.

    Conductances in S are drawn in uS, normalised ones as they are.

    Parameters
    ----------
    fit : AlphaBetaFit
        The fit.

    Returns
    -------
    Figure
        The picture.
    """
    factor, unit = (_MICRO, " (µS)") if fit.units == "S" else (1.0, " (normalised)")
    pulse = np.arange(fit.conductance.size)
    span = float(np.nanmax(fit.conductance) - np.nanmin(fit.conductance))
    figure = new_figure(7, 5.2)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    size = float(np.clip(400 / pulse.size, 1.5, 5))
    data = {"marker": "o", "linestyle": "none", "markersize": size, "color": BLUE}
    upper.plot(pulse, fit.conductance * factor, label="train", **data)
    text = f"α = {_number(fit.alpha, fit.alpha_stderr)}, β = {_number(fit.beta, fit.beta_stderr)}"
    upper.plot(pulse, fit.fitted * factor, color=VERMILLION, linewidth=1.8, label=text)
    upper.set_title(f"{fit.method}, {fit.integrator}: R = {fit.residual_sum:.3g}", loc="right")
    upper.legend(frameon=False, fontsize=9)
    style_axes(upper, "", f"Conductance{unit}")
    residual = 100 * (fit.conductance - fit.fitted) / span
    lower.axhline(0, color=VERMILLION, linewidth=1)
    lower.plot(pulse, residual, **data)
    style_axes(lower, "Pulse number", "Residual (%)")
    lower.xaxis.set_major_locator(MaxNLocator(integer=True))
    if fit.note:
        figure.supxlabel(fit.note, fontsize=9, color=WARNING)
    figure.align_ylabels()
    return figure


def alpha_beta_figure(curves: xr.Dataset | None = None) -> Figure:
    """Draw Fig. S2: (a) alpha changes and beta stays, (b) the other way round.

    Parameters
    ----------
    curves : xarray.Dataset or None, optional
        As `compact.simplified.alpha_beta_curves` returns them, which draws its own by default.

    Returns
    -------
    Figure
        The picture.
    """
    curves = linear_ion_drift.alpha_beta_curves() if curves is None else curves
    figure = new_figure(9, 3.8)
    axes = figure.subplots(1, 2, sharey=True)
    for ax, tag, varied, fixed in (
        (axes[0], "a", "alpha", "beta"),
        (axes[1], "b", "beta", "alpha"),
    ):
        middle = int(curves.sizes[fixed] // 2)
        name, other = _greek(varied), _greek(fixed)
        for k, value in enumerate(curves[varied].values):
            line = curves["state"].isel({varied: k, fixed: middle})
            ax.plot(
                line["pulse"],
                line,
                color=SERIES[k % len(SERIES)],
                linestyle=_DASHES[k % len(_DASHES)],
                label=f"{name} = {value:g}",
            )
        style_axes(ax, "Pulse number", "State y" if tag == "a" else "")
        ax.set_title(f"{tag}   {other} = {float(curves[fixed][middle]):g}", loc="left")
        ax.legend(
            frameon=False, fontsize=9, ncols=4, loc="upper center", bbox_to_anchor=(0.5, -0.2)
        )
        ax.set_ylim(bottom=0)
    return figure


def loops_figure() -> Figure:
    """Draw Figs. 1b, 1c and S1: state against time and current against voltage of three sweeps;
    the stretches of negative differential resistance are red.

    Returns
    -------
    Figure
        The picture.
    """
    figure = new_figure(11, 6)
    axes = figure.subplots(2, 3)
    loops = (
        ("hysteresis", linear_ion_drift.hysteresis()),
        ("abrupt switching", linear_ion_drift.abrupt_switching()),
        ("negative differential resistance", linear_ion_drift.negative_differential_resistance()),
    )
    for column, (name, loop) in enumerate(loops):
        top, bottom = axes[:, column]
        top.plot(loop["time"], loop["state"], color=BLUE)
        style_axes(top, "Time (s)", "w/L" if column == 0 else "")
        top.set_ylim(0, 1.05)
        top.set_title(f"{'abc'[column]}   {name}", loc="left", fontsize=10)
        voltage, current = loop["voltage"].values, loop["current"].values * 1e3
        bottom.plot(voltage, current, color=BLUE, linewidth=1.2)
        falling = linear_ion_drift.voltage_falls_while_current_rises(loop)
        red = np.where(np.append(falling, False) | np.append(False, falling), current, np.nan)
        bottom.plot(voltage, red, color=VERMILLION, linewidth=2)
        style_axes(bottom, "Voltage (V)", "Current (mA)" if column == 0 else "")
    return figure


def patterns_figure(repeats: int = 4) -> Figure:
    """Draw Figs. 1d, 1e: beats and the state that each meets; arrows where a pattern may begin.

    Parameters
    ----------
    repeats : int, default 4
        How often each pattern is played.

    Returns
    -------
    Figure
        The picture.
    """
    figure = new_figure(9, 4.6)
    axes = figure.subplots(2, 2, sharex="col", height_ratios=[1, 2.4])
    examples: tuple[tuple[str, Sequence[int]], ...] = (
        ("d   unambiguous", patterns.UNAMBIGUOUS),
        ("e   ambiguous", patterns.AMBIGUOUS),
    )
    for column, (title, pattern) in enumerate(examples):
        top, bottom = axes[:, column]
        y = patterns.response(pattern, repeats).ravel()
        beat = np.arange(1, y.size + 1)
        top.bar(beat, np.tile(pattern, repeats), width=0.7, color=GREY)
        top.set_yticks([0, 1])
        style_axes(top, "", "Sound" if column == 0 else "")
        top.set_title(title, loc="left", fontsize=10)
        bottom.plot(beat, y, color=BLUE, marker="o", markersize=3.5, linewidth=1)
        size = len(pattern)
        for start in patterns.beginnings(pattern):
            for k in range(start - 1 + size, y.size, size):  # the first round starts from y = 1
                bottom.annotate(
                    "",
                    (beat[k], y[k] + 0.02),
                    (beat[k], y[k] + 0.18),
                    arrowprops={"arrowstyle": "-|>", "color": VERMILLION},
                )
        style_axes(bottom, "Beat", "Response y" if column == 0 else "")
        bottom.set_ylim(0, max(1.15, y.max() + 0.25))
    return figure


def _number(value: float, error: float) -> str:
    return f"{value:.3g} ± {error:.1g}" if np.isfinite(error) else f"{value:.3g}"


def _greek(name: str) -> str:
    return {"alpha": "α", "beta": "β"}[name]
