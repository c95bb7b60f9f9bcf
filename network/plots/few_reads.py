"""Memories that are read once, under what is not exact: accuracy against noise and bits."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ddkbase.pictures import SERIES, new_figure, open_axes, style_axes

__all__ = ["few_reads_figure"]

#: what is varied, its axis, and whether a number is a share
_PANELS = (
    ("train", "alpha and beta from train to train (%)", True),
    ("pulse", "alpha and beta from pulse to pulse (%)", True),
    ("read", "noise of a read (% of its range)", True),
    ("bits", "bits of the converter", False),
)
_MARKS = "osD^v"


def few_reads_figure(accuracies: Mapping[str, Mapping[int, float]]) -> Figure:
    """Draw mean accuracy and its deviation over seeds, a panel a disturbance, a curve a model.

    Parameters
    ----------
    accuracies : mapping of str to mapping of int to float
        By case (``model.disturbance``) and seed, shares of 1. What a panel does not vary for a
        model is drawn as a level.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.
    """
    models = list(dict.fromkeys(name.split(".")[0] for name in accuracies))
    figure = new_figure(11.0, 3.4)
    axes = figure.subplots(1, len(_PANELS), sharey=True)
    for ax, tag, (kind, title, share) in zip(axes, "abcd", _PANELS, strict=True):
        for index, model in enumerate(models):
            points = _points(accuracies, model, kind)
            colour, mark = SERIES[index % len(SERIES)], _MARKS[index % len(_MARKS)]
            exact = _mean(accuracies.get(f"{model}.exact", {}))
            if share and np.isfinite(exact[0]):
                points = {0.0: exact, **points}
            level = np.array([[100 * v if share else v, *both] for v, both in points.items()])
            if len(level) > 1:
                ax.errorbar(
                    level[:, 0], level[:, 1], yerr=level[:, 2], fmt=f"{mark}-", ms=4, lw=1.3,
                    capsize=2, color=colour, label=model,
                )  # fmt: skip
            elif np.isfinite(exact[0]):
                ax.axhline(exact[0], color=colour, lw=1, ls=":")
        style_axes(ax, title, "Accuracy on the test part (%)" if tag == "a" else "", tag)
        open_axes(ax)
    axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[-1].invert_xaxis()
    handles, labels = axes[2].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower right", ncols=5, frameon=False, fontsize=9)
    return figure


def _points(
    accuracies: Mapping[str, Mapping[int, float]], model: str, kind: str
) -> dict[float, tuple[float, float]]:
    start = f"{model}.{kind}-"
    found = {}
    for name, by_seed in accuracies.items():
        level = name.removeprefix(start)
        if level != name and level.replace(".", "", 1).isdigit():
            found[float(level)] = _mean(by_seed)
    return dict(sorted(found.items()))


def _mean(by_seed: Mapping[int, float]) -> tuple[float, float]:
    values = 100 * np.array(list(by_seed.values()))
    if not values.size:
        return float("nan"), 0.0
    return float(values.mean()), float(values.std(ddof=1)) if values.size > 1 else 0.0
