"""Pictures of write-and-verify, after Fig. S12: courses, targets met, errors, effort, products."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ddkbase.pictures import SERIES, new_figure, style_ticks
from network.hardware.cells.programming import Programming

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = (*SERIES, "#000000", "#8C510A")
_DASHES = ("-", "--", "-.", ":")
_BINS = 41
_PAPER: dict[str, Any] = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}


def programming_figure(programming: Programming, product: tuple[Any, Any] | None = None) -> Figure:
    """Six panels: courses of single cells, conductance against target, error, pulses, energy and,
    where given, a matrix product.

    Parameters
    ----------
    programming : Programming
        What `write_and_verify` returned.
    product : pair of array_like or None, optional
        Outputs wanted and as the written array gives them, of the same shape, in any unit.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.
    """
    figure = new_figure(10.5, 6.2)
    axes = figure.subplots(2, 3).ravel()
    ds, done = programming.dataset, programming.written
    _courses(axes[0], programming)
    _targets(axes[1], programming)
    _errors(axes[2], programming)
    _effort(axes[3], ds["pulses"].values, done, "pulses to a cell", False)
    _effort(axes[4], ds["energy"].values * 1e12, done, "energy of a cell (pJ)", True)
    if product is None:
        _effort(axes[5], ds["time"].values * 1e6, done, "time of a cell (µs)", True)
    else:
        _product(axes[5], *product)
    for tag, ax in zip("abcdef", axes, strict=True):
        ax.set_title(tag, loc="left", fontsize=11, weight="bold")
        style_ticks(ax)
    return figure


def _courses(ax: Axes, programming: Programming) -> None:
    ds = programming.dataset
    trace = ds["trace"].values * 1e6
    targets = ds["target"].values.ravel()[ds["traced"].values] * 1e6
    for k, (course, target) in enumerate(zip(trace, targets, strict=True)):
        colour = _COLOURS[k % len(_COLOURS)]
        ax.axhline(target, color=colour, linewidth=0.7, alpha=0.5)
        ax.plot(course, color=colour, linestyle=_DASHES[k % len(_DASHES)], linewidth=1.2)
        last = int(np.isfinite(course).sum()) - 1
        ax.plot(last, course[last], marker="o", markersize=3.5, color=colour)
    rounds = np.isfinite(trace).sum(1)
    if rounds.size and rounds.max() > 60:
        ax.set_xscale("symlog", linthresh=10)
    ax.set_xlim(left=0)
    ax.set_xlabel("pulses")
    ax.set_ylabel("conductance read (µS)")


def _targets(ax: Axes, programming: Programming) -> None:
    ds, done = programming.dataset, programming.written
    target, got = ds["target"].values * 1e6, ds["conductance"].values * 1e6
    # single points do not print as vectors of thousands
    style: dict[str, Any] = {"linestyle": "none", "rasterized": True}
    ax.plot(target[done], got[done], ".", ms=2, color=_COLOURS[0], label="written", **style)
    if (~done).any():
        ax.plot(target[~done], got[~done], "x", ms=5, color=_COLOURS[1], label="failed", **style)
    ends = [min(target.min(), got.min()), max(target.max(), got.max())]
    ax.plot(ends, ends, color="0.3", linewidth=0.8)
    ax.set_xlabel("target (µS)")
    ax.set_ylabel("conductance (µS)")
    ax.legend(frameon=False, fontsize=8.5, loc="lower right")


def _errors(ax: Axes, programming: Programming) -> None:
    # cells that needed no pulse would stand as a spike at 0
    pulsed = programming.written & (programming.dataset["pulses"].values > 0)
    error = programming.dataset["error"].values[pulsed] * 1e6
    limit = programming.tolerance * 1e6
    if error.size:
        reach = max(float(np.percentile(np.abs(error), 99.5)), 1.25 * limit)
        bins = np.linspace(-reach, reach, _BINS)
        ax.hist(error, bins.tolist(), color=_COLOURS[5], edgecolor="white", linewidth=0.4)
        text = f"mean {error.mean():.2f} µS\ndeviation {error.std():.2f} µS"
        ax.text(0.03, 0.96, text, transform=ax.transAxes, va="top", fontsize=8.5, bbox=_PAPER)
    for k, edge in enumerate((-limit, limit)):
        label = "tolerance" if k == 0 else None
        ax.axvline(edge, color="0.25", linestyle="--", linewidth=1, label=label)
    top = ax.get_ylim()[1]
    ax.set_ylim(0, 1.4 * top)
    ax.set_xlabel("conductance less target (µS)")
    ax.set_ylabel("written cells, at least one pulse")
    ax.legend(frameon=False, fontsize=8.5, loc="upper right")


def _effort(ax: Axes, values: np.ndarray, done: np.ndarray, name: str, log: bool) -> None:
    """Distribution over all cells, failed ones included."""
    for k, (selected, label) in enumerate(((np.ones_like(done), "all cells"), (done, "written"))):
        own = np.sort(values[selected].ravel())
        if not own.size or (k == 1 and done.all()):
            continue
        share = np.arange(1, own.size + 1) / own.size
        ax.step(own, share, color=_COLOURS[k], linestyle=_DASHES[k], linewidth=1.5, label=label)
    positive = values[values > 0]
    if log and positive.size and positive.max() > 2 * positive.min():
        ax.set_xscale("log")
    elif positive.size and positive.max() > 60:
        ax.set_xscale("symlog", linthresh=10)
    ax.set_ylim(0, 1.02)
    ax.set_xlabel(name)
    ax.set_ylabel("share of cells up to this")
    ax.legend(frameon=False, fontsize=8.5, loc="lower right")


def _product(ax: Axes, ideal: Any, measured: Any) -> None:
    x, y = np.ravel(ideal), np.ravel(measured)
    ax.plot(x, y, ".", ms=2, color=_COLOURS[2], linestyle="none", rasterized=True)
    ends = [min(x.min(), y.min()), max(x.max(), y.max())]
    ax.plot(ends, ends, color="0.3", linewidth=0.8)
    deviation = float(np.std(y - x))
    share = 100 * deviation / float(np.std(x)) if np.std(x) > 0 else np.nan
    text = f"error: {share:.2g} % of the\noutputs' own deviation"
    ax.text(0.03, 0.96, text, transform=ax.transAxes, va="top", fontsize=8.5)
    ax.set_xlabel("output wanted")
    ax.set_ylabel("output of the written array")
