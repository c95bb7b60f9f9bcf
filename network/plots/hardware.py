"""Pictures of hardware: cost, placement, accuracy on imprecise chips, wear, few reads, studies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from ddkbase.errors import InputError
from ddkbase.pictures import (
    AREAS,
    SERIES,
    TITLE_TEXT,
    new_figure,
    open_axes,
    style_axes,
    style_ticks,
)
from ddkbase.pictures import save_figure as save
from ddkbase.units import format_si

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from network.hardware.chip.cost import Cost
    from network.hardware.chip.layouts import Block
    from network.hardware.chip.placement import Placement

__all__ = [
    "accuracy_figure",
    "bars_figure",
    "cost_figure",
    "endurance_figure",
    "few_reads_figure",
    "placement_figure",
    "save",
    "study_figure",
]


# hatches and markers tell them apart in grey
_HATCHES = ("", "//", "..", "xx", "\\\\", "++", "oo", "--")
_MORE = (("#FFFFFF", ""), ("#333333", ""))  # for two parts more than there are colours
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_BESIDE = 0.008  # of the axis, from one error bar to the next


def cost_figure(costs: Mapping[str, Cost]) -> Figure:
    """Draw shares of the energy of one inference by part, a bar for each network or chip.

    Parameters
    ----------
    costs : mapping of str to Cost
        Costs by the names of networks or chips.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    InputError
        None is given.
    """
    if not costs:
        raise InputError("there is nothing to draw", "cost_figure")
    names = list(dict.fromkeys(p for c in costs.values() for p in c.parts))
    looks = [*zip(AREAS, _HATCHES, strict=True), *_MORE]
    figure = new_figure(9.0, 1.2 + 0.5 * len(costs))
    axes = figure.subplots()
    for k, (_, cost) in enumerate(costs.items()):
        left = 0.0
        for (colour, hatch), name in zip(looks, names, strict=False):
            share = 100 * cost.parts.get(name, 0.0) / cost.energy
            axes.barh(
                k,
                share,
                left=left,
                color=colour,
                hatch=hatch,
                edgecolor="black",
                linewidth=0.5,
                label=name if k == 0 else None,
            )
            left += share
        axes.text(101, k, format_si(cost.energy, "J", 3), va="center", fontsize=9)
    axes.set_yticks(range(len(costs)), list(costs))
    axes.invert_yaxis()
    axes.set_xlim(0, 112)
    axes.set_xlabel("Share of the energy of one inference (%)")
    axes.legend(frameon=False, fontsize=8, ncols=4, loc="lower left", bbox_to_anchor=(0, 1))
    open_axes(axes)
    return figure


def bars_figure(
    accuracies: Mapping[str, Mapping[int, float]], article: Mapping[str, float] | None = None
) -> Figure:
    """Draw accuracies by case as bars with every seed as a dot.

    Parameters
    ----------
    accuracies : mapping of str to mapping of int to float
        Accuracies (0 to 1) by case and seed, of `ddk.studies.hardware.hardware_study`.
    article : mapping of str to float or None, optional
        Values to compare with by case, in per cent.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.
    """
    figure = new_figure(max(6.0, 1.05 * len(accuracies)), 4.2)
    axes = figure.subplots()
    for k, (name, by_seed) in enumerate(accuracies.items()):
        values = 100 * np.array(list(by_seed.values()))
        anew = name.endswith("+statistics")
        axes.bar(
            k,
            values.mean(),
            width=0.7,
            color=AREAS[4] if anew else AREAS[0],
            hatch="//" if anew else "",
            edgecolor="black",
            linewidth=0.6,
        )
        axes.plot(np.full(values.size, k), values, "o", color="black", markersize=2.5)
        above: dict[str, Any] = {"xytext": (0, 4), "textcoords": "offset points", "ha": "center"}
        axes.annotate(f"{values.mean():.1f}", (k, values.max()), fontsize=9, **above)
        if article and name in article:
            axes.plot([k - 0.35, k + 0.35], [article[name]] * 2, color=AREAS[5], linewidth=2)
    names = [n.replace("+statistics", "\n+ statistics") for n in accuracies]
    axes.set_xticks(range(len(accuracies)), names, rotation=30, ha="right", fontsize=8)
    axes.set_ylabel("Accuracy on the test part (%)")
    axes.set_ylim(0, 114)
    if article:
        axes.plot([], [], color=AREAS[5], linewidth=2, label="article")
        axes.legend(frameon=False, fontsize=9, loc="lower left", bbox_to_anchor=(0, 1))
    open_axes(axes)
    return figure


def accuracy_figure(
    panels: Mapping[str, Mapping[str, tuple[Sequence[float], Sequence[float], Sequence[float]]]],
    x_labels: Mapping[str, str],
) -> Figure:
    """Draw accuracies against something, a panel for each thing.

    Parameters
    ----------
    panels : mapping of str to mapping
        By title, curves by name: places, means and standard deviations in per cent. Bars end at
        0 and 100 %, and stand beside each other where curves share a place.
    x_labels : mapping of str to str
        Labels of the axes by title, with the unit.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.
    """
    figure = new_figure(4.3 * len(panels), 3.9)
    every = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for axes, (title, curves) in zip(every, panels.items(), strict=True):
        places = [float(x) for xs, *_ in curves.values() for x in xs]
        step = _BESIDE * (max(places, default=0.0) - min(places, default=0.0))
        for k, (name, (x, mean, deviation)) in enumerate(curves.items()):
            anew = name.endswith("+ statistics")
            middle, half = np.asarray(mean, dtype=float), np.asarray(deviation, dtype=float)
            ends = np.array([np.minimum(half, middle), np.minimum(half, 100.0 - middle)])
            axes.errorbar(
                np.asarray(x, dtype=float) + step * (k - 0.5 * (len(curves) - 1)),
                middle,
                yerr=ends,
                color=AREAS[(k // 2 if any("statistics" in n for n in curves) else k) % 8],
                linestyle="--" if anew else "-",
                marker=_MARKERS[k % 8],
                markersize=4,
                markerfacecolor="white" if anew else None,
                capsize=2,
                linewidth=1.2,
                label=name,
            )
        if len(panels) > 1:
            axes.set_title(title, fontsize=10)
        axes.set_xlabel(x_labels[title])
        open_axes(axes)
    every[0].set_ylabel("Accuracy on the test part (%)\nmean and standard deviation")
    every[0].legend(frameon=False, fontsize=8)
    return figure


def study_figure(ds: xr.Dataset) -> Figure:
    """Draw accuracy, yield and energy of a `ddk.studies.device_study` against its parameter.

    Parameters
    ----------
    ds : xarray.Dataset
        What the study gave.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.
    """
    figure = new_figure(12.0, 3.8)
    panels = figure.subplots(1, 3)
    unit = str(ds["value"].attrs["units"])
    factor, shown = {"m": (1e9, "nm"), "s": (1e9, "ns")}.get(unit, (1.0, unit))
    x = factor * ds["value"].values
    label = f"{ds['value'].attrs['long_name']}" + (f" ({shown})" if shown != "1" else "")
    panel_curves = (
        (panels[0], (("software", "in software"), ("chip", "on the chip, tuned")), 100.0),
        (panels[1], (("yielded", "cells"),), 100.0),
        (panels[2], (("energy", "pulses"),), 1e9),
    )
    for axes, names, times in panel_curves:
        for k, (name, legend) in enumerate(names):
            values = times * ds[name].values
            axes.plot(
                x,
                [v[np.isfinite(v)].mean() if np.isfinite(v).any() else np.nan for v in values],
                marker=_MARKERS[k],
                color=AREAS[5 * k],
                linestyle=("-", "--")[k],
                label=legend,
            )
    style_axes(panels[0], label, "Accuracy on the test part (%)", "a")
    above: dict[str, Any] = {"loc": "lower right", "bbox_to_anchor": (1, 1), "borderaxespad": 0.2}
    panels[0].legend(frameon=False, fontsize=9, **above)
    style_axes(panels[1], label, "Cells that keep the accuracy (%)", "b")
    panels[1].set_ylim(-3, 103)
    style_axes(panels[2], label, "Pulse energy of one inference (nJ)", "c")
    panels[2].margins(y=0.12)
    panels[2].set_ylim(bottom=0)
    for axes in panels:
        open_axes(axes)
    return figure


def endurance_figure(courses: dict[str, xr.Dataset]) -> Figure:
    """Window and accuracy against cycles; one course of `against_cycles` for each name.

    Parameters
    ----------
    courses : dict of str to xarray.Dataset
        Datasets of `against_cycles` by name.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.
    """
    figure = new_figure(8.4, 3.4)
    left, right = figure.subplots(1, 2)
    colours, dashes, marks = (
        SERIES[:4],
        ["-", "--", "-.", ":"],
        "osD^",
    )
    drawn: list[np.ndarray] = []
    for k, (name, ds) in enumerate(courses.items()):
        x = ds["cycle"].values
        style: dict[str, Any] = {
            "color": colours[k % 4],
            "linestyle": dashes[k % 4],
            "marker": marks[k % 4],
            "markersize": 3.5,
            "linewidth": 1.4,
        }
        ends = np.stack([ds["conductance_min"].values, ds["conductance_max"].values]) * 1e6
        if not any(np.array_equal(ends, other) for other in drawn):  # several share one window
            drawn.append(ends)
            left.plot(x, ends.T, **style)
        right.plot(x, 100 * ds["accuracy"].values, label=name, **style)
    left.set_ylabel("ends of the window (µS)")
    right.set_ylabel("accuracy (%)")
    for ax in (left, right):
        ax.set_xscale("log")
        ax.set_xlabel("write cycles")
        style_ticks(ax)
    left.set_ylim(bottom=0)
    right.legend(frameon=False, fontsize=8.5)
    return figure


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


# hatches tell them apart in grey
_MOST_TILES = 24


def placement_figure(placement: Placement) -> Figure:
    """Draw which cells of which tile a layer takes, and what happens when in one inference.

    The first 24 tiles are drawn.

    Parameters
    ----------
    placement : Placement
        What `compile_network` or `read_placement` gives.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.
    """
    shown = min(placement.tiles, _MOST_TILES)
    across = min(shown, 6)
    down = -(-shown // across)
    figure = new_figure(max(2.1 * across, 7.0), 2.3 * down + 2.3)
    grid = figure.add_gridspec(down + 1, across, height_ratios=[*[2.3] * down, 1.5])
    layers = list(dict.fromkeys(b.layer for b in placement.blocks))
    height, width = (placement.chip.count(n) for n in ("rows", "columns"))
    for tile in range(shown):
        axes = figure.add_subplot(grid[tile // across, tile % across])
        for block in placement.blocks:
            if block.tile == tile:
                _block(axes, block, layers.index(block.layer))
        axes.set_xlim(0, width)
        axes.set_ylim(height, 0)
        axes.set_aspect("equal")
        axes.set_xticks([0, width])
        axes.set_yticks([0, height])
        axes.tick_params(labelsize=8)
        used = sum(_cells(b) for b in placement.blocks if b.tile == tile)
        share = f"tile {tile}: {100 * used / height / width:.0f} % in use"
        axes.set_title(f"{ascii_lowercase[tile]}   {share}", fontsize=8, loc="left")
        if tile == 0:
            axes.set_xlabel("column", fontsize=8)
            axes.set_ylabel("row", fontsize=8)
    times = figure.add_subplot(grid[down, :])
    times.set_title(ascii_lowercase[shown], fontsize=8, loc="left")
    _timeline(times, placement, layers)
    more = f", {shown} of them drawn" if shown < placement.tiles else ""
    figure.suptitle(
        f"{placement.chip.name}, layout '{placement.layout}': {placement.tiles} "
        f"{'tiles' if placement.tiles > 1 else 'tile'} of {height} x {width}{more}",
        fontsize=10,
        gid=TITLE_TEXT,
    )
    return figure


def _cells(block: Block) -> int:
    return block.height if block.kind == "ddk-diagonal" else block.height * block.width


def _block(axes: Axes, block: Block, index: int) -> None:
    colour, hatch = AREAS[index % 8], _HATCHES[index % 8]
    row, column, kind = block.row, block.column, block.kind
    height, width = block.height, block.width
    if kind == "ddk-diagonal":
        steps = np.arange(height)
        axes.plot(column + steps + 0.5, row + steps + 0.5, "s", color=colour, markersize=3)
        axes.add_patch(
            Rectangle((column, row), width, height, fill=False, edgecolor=colour, linestyle=":")
        )
        return
    axes.add_patch(
        Rectangle(
            (column, row),
            width,
            height,
            facecolor=colour,
            edgecolor=colour if width == 1 else "black",
            linewidth=1.5 if width == 1 else 0.6,
            hatch=hatch,
        )
    )


def _timeline(axes: Axes, placement: Placement, layers: Sequence[str]) -> None:
    steps = [s for s in placement.schedule if s["tiles"]]
    end = max((float(s["end_s"]) for s in placement.schedule), default=0.0)
    unit, factor = ("ns", 1e9) if end < 1e-6 else ("µs", 1e6) if end < 1e-3 else ("ms", 1e3)
    for k, step in enumerate(steps):
        index = layers.index(step["layer"])
        start, stop = factor * float(step["start_s"]), factor * float(step["end_s"])
        axes.barh(
            k,
            stop - start,
            left=start,
            color=AREAS[index % 8],
            edgecolor="black",
            linewidth=0.6,
            hatch=_HATCHES[index % 8],
        )
        uses = int(step["uses"])
        label = f" {stop - start:.3g} {unit}, {uses} {'reads' if uses > 1 else 'read'}"
        # beside the bar where there is room, on it where it is long
        right, left = stop < 0.75 * factor * end, start > 0.25 * factor * end
        x = stop if right else start if left else (start + stop) / 2
        side = "left" if right else "right" if left else "center"
        colour = "black" if right or left else "white"
        axes.text(x, k, label + " ", va="center", ha=side, fontsize=8, color=colour)
    axes.set_yticks(range(len(steps)), [str(s["layer"]) for s in steps], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(0, factor * end * 1.02)
    axes.set_xlabel(f"time of one inference ({unit})", fontsize=8)
    axes.tick_params(labelsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
