"""Pictures of results: confusion, comparison of models, inputs beside their features."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from ddk.studies.folds import Fold
from ddkbase.paper import chosen_panels
from ddkbase.pictures import (
    BLUE,
    GREY,
    INCH,
    SEQUENTIAL,
    TITLE_TEXT,
    VERMILLION,
    new_figure,
    open_axes,
)
from ddkbase.pictures import save_figure as save
from network.model.network import Network

__all__ = [
    "comparison_figure",
    "confusion_figure",
    "counted_epoch",
    "maps_figure",
    "samples_figure",
    "save",
]

_MAPS = 4  # samples in the picture of feature maps
_NARROWEST_MAP = 0.02  # m, of a sample in a column of a paper


def confusion_figure(table: xr.DataArray) -> Figure:
    """Draw counts (true, predicted): shade and number are shares of the true class, in per cent.

    Parameters
    ----------
    table : xarray.DataArray
        From `network.model.metrics.confusion`.

    Returns
    -------
    matplotlib.figure.Figure
        The figure, with the share that is right above it.
    """
    counts = table.values
    share = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    n = len(share)
    side = float(np.clip(1.6 + 0.46 * n, 4.2, 11))
    figure = new_figure(side + 1.0, side)
    ax = figure.subplots()
    image = ax.imshow(share, vmin=0, vmax=100, cmap="Blues")
    if n <= 20:
        for i, j in np.ndindex(*share.shape):
            if counts[i, j]:
                colour = "white" if share[i, j] > 55 else "black"
                ax.text(j, i, f"{share[i, j]:.0f}", ha="center", va="center", size=8, color=colour)
    names = [str(v) for v in table["true"].values]
    ax.set_xticks(range(n), names, rotation=90 if max(map(len, names)) > 3 else 0)
    ax.set_yticks(range(n), names)
    ax.set_xlabel("Predicted class")
    ax.set_ylabel("True class")
    bar = figure.colorbar(image, ax=ax, shrink=0.85)
    bar.set_label("Share of the true class (%)")
    right = 100 * np.trace(counts) / max(counts.sum(), 1)
    ax.set_title(f"{right:.1f} % of {counts.sum():,} right", loc="left", size=10)
    return figure


def comparison_figure(ds: xr.Dataset) -> Figure:
    """Draw the accuracy of every seed, and mean with standard deviation, a row a model.

    Parameters
    ----------
    ds : xarray.Dataset
        From `ddk.studies.runs.compare`.

    Returns
    -------
    matplotlib.figure.Figure
        The figure, a row for each model.
    """
    names = [str(v) for v in ds["model"].values]
    figure = new_figure(7.2, 1.5 + 0.42 * len(names))
    ax = figure.subplots()
    places = np.linspace(-0.34, 0.06, ds.sizes["seed"]) if ds.sizes["seed"] > 1 else np.zeros(1)
    for row, name in enumerate(names):
        values = 100 * ds["accuracy"].sel(model=name).values
        colour = VERMILLION if name.startswith("ddk") else BLUE
        ax.plot(values, row + places, "o", ms=3.5, color=colour, alpha=0.6, mec="none")
        good = values[np.isfinite(values)]
        if good.size:
            deviation = good.std(ddof=1) if good.size > 1 else 0.0
            ax.errorbar(
                good.mean(), row + 0.26, xerr=deviation, fmt="D", ms=5.5, color="black",
                mfc=colour, capsize=3, lw=1.2,
            )  # fmt: skip
    ax.plot([], [], "o", ms=3.5, color=GREY, label="single seeds")
    ax.errorbar(
        [], [], xerr=[], fmt="D", ms=5.5, color="black", mfc=GREY, capsize=3, lw=1.2,
        label="mean ± standard deviation",
    )  # fmt: skip
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.45, -0.55)
    voted = ds.attrs["vote"] and ds.attrs["headline"] == "vote"
    what = f"of votes over {ds.attrs['vote']}s, " if voted else ""
    ax.set_xlabel(f"Accuracy on the test part, {what}{counted_epoch(ds)} (%)")
    open_axes(ax)
    ax.grid(axis="x", color="0.9", lw=0.8)
    figure.suptitle(str(ds.attrs["title"]), x=0.02, ha="left", size=11, gid=TITLE_TEXT)
    figure.legend(loc="outside lower right", ncols=2, frameon=False, fontsize=9)
    return figure


def counted_epoch(ds: xr.Dataset) -> str:
    """Which state of the networks of a comparison counts, in two words."""
    task = json.loads(ds.attrs["task_json"])
    # a read-out by ridge regression has no epochs
    return "read once" if task.get("ddk", {}).get("readout") == "last" else "last epoch"


def maps_figure(
    network: Network, fold: Fold, dims: tuple[str, str] = ("step", "channel")
) -> Figure:
    """Draw samples of the test part above what the first layer makes of them.

    Sequences of one channel are lines, of several are maps; of several banks the first is drawn.

    Parameters
    ----------
    network : Network
        Network whose first layer is the feature layer.
    fold : Fold
        The data; one sample of each of the first classes is drawn.
    dims : pair of str, default ("step", "channel")
        Names of the axes of a map.

    Returns
    -------
    matplotlib.figure.Figure
        The figure, inputs in the upper row and features in the lower.
    """
    of_class = [np.flatnonzero(fold.test.y == k) for k in range(len(fold.classes))]
    index = [int(members[0]) for members in of_class if members.size][:_MAPS]
    x = fold.test.x[index].astype(np.float32)
    y = network.layers[0].forward(x)
    if y.ndim > x.ndim:
        y = y[:, 0]
    figure = new_figure(2.2 * len(index) + 1.2, 4.4)
    axes = figure.subplots(2, len(index), squeeze=False)
    for row, (values, name) in enumerate(((x, "Input x"), (y, "Feature y"))):
        low, high = float(values.min()), float(values.max())
        image: Any = None
        for column, sample in enumerate(values):
            ax = axes[row, column]
            if sample.ndim == 1:
                ax.plot(sample, color=BLUE if row == 0 else VERMILLION, lw=1.2)
                ax.set_ylim(low - 0.04 * (high - low or 1), high + 0.04 * (high - low or 1))
                open_axes(ax)
            else:
                image = ax.imshow(
                    sample.reshape(-1, sample.shape[-1]), vmin=low, vmax=high, cmap=SEQUENTIAL,
                    aspect="auto", interpolation="nearest",
                )  # fmt: skip
            if row == 0:
                ax.set_title(fold.classes[int(fold.test.y[index[column]])], size=10)
            else:
                ax.set_xlabel(dims[0].capitalize())
            if column == 0:
                ax.set_ylabel(name if sample.ndim == 1 else dims[1].capitalize())
            else:
                ax.tick_params(labelleft=False)
        if image is not None:
            figure.colorbar(image, ax=axes[row], shrink=0.9).set_label(name)
    return figure


def samples_figure(
    maps: xr.Dataset, width: float | None = None, panels: Sequence[str] = ()
) -> Figure:
    """Draw inputs above features, a column a sample; of several ways one row each.

    Parameters
    ----------
    maps : xarray.Dataset
        From `ddk.studies.feature_maps.make_maps`.
    width : float or None, optional
        Width of the figure [m], in which samples that do not fit beside each other go on below;
        None: as wide as they need.
    panels : sequence of str, default ()
        Letters of the samples that are drawn, the first is "a"; empty: all.

    Returns
    -------
    matplotlib.figure.Figure
        The figure, of at most ten samples.

    Raises
    ------
    InputError
        A letter without a sample.
    """
    chosen = chosen_panels(min(maps.sizes["sample"], 10), panels, "the picture of the maps")
    names = [n for n in ("input", "feature", "algorithm", "table", "device") if n in maps]
    across = len(chosen)
    if width is None:
        figure = new_figure(max(1.9 * across + 1.4, 6), 0.6 + 2.3 * len(names))
    else:
        across = min(across, max(1, int(width / _NARROWEST_MAP)))
        rows = len(names) * -(-len(chosen) // across)
        height = min(width / INCH / across, 1.4) * rows + 0.55 * len(names) + 0.5
        figure = new_figure(width / INCH, height)
    blocks = [chosen[k : k + across] for k in range(0, len(chosen), across)]
    axes = figure.subplots(len(blocks) * len(names), across, squeeze=False, sharex=True)
    # bars below each other are put from the lowest up
    order = list(enumerate(names)) if width is None else list(enumerate(names))[::-1]
    for row, name in order:
        images = [
            _map_row(axes[row + k * len(names)], maps, name, block)
            for k, block in enumerate(blocks)
        ]
        long_name = str(maps[name].attrs["long_name"])
        units = " (µS)" if maps[name].attrs["units"] == "S" else ""
        way = f"{_WAYS[name]}\n" if name in _WAYS else ""
        if width is None:
            bar = figure.colorbar(images[0], ax=axes[row], shrink=0.9)
        else:
            way = way.replace("\n", ": ")
            bar = figure.colorbar(images[0], ax=axes, location="bottom", aspect=40, pad=0.02)
        bar.set_label(way + long_name[:1].upper() + long_name[1:] + units, size=9)
    for k, block in enumerate(blocks):
        for column, ax in enumerate(axes[k * len(names)]):
            if column >= len(block):
                for blank in axes[k * len(names) :, column]:
                    blank.set_axis_off()
                continue
            ax.set_title(str(maps["class_name"].values[block[column]]), size=10)
            if k + 1 == len(blocks) or column >= len(blocks[k + 1]):  # nothing is below
                lowest = axes[(k + 1) * len(names) - 1, column]
                lowest.set_xlabel("Step")
                lowest.tick_params(labelbottom=True)
    how = "" if len(names) > 2 else f": {maps.attrs['method']}"
    figure.suptitle(f"{maps.attrs['title']}{how}", x=0.02, ha="left", size=10, gid=TITLE_TEXT)
    return figure


_WAYS = {"algorithm": "By Eq. (4)", "table": "By the table", "device": "By finite elements"}


def _map_row(axes: Any, maps: xr.Dataset, name: str, samples: Sequence[int]) -> Any:
    """One way, a panel a sample, all on one scale."""
    siemens = maps[name].attrs["units"] == "S"
    values = (1e6 if siemens else 1.0) * maps[name].values
    low, high = float(values.min()), float(values.max())
    # conductances span decades; states do not
    scale = LogNorm(low, high) if siemens and 0 < low < high else Normalize(low, high)
    image: Any = None
    for column, sample in enumerate(samples):
        ax = axes[column]
        image = ax.imshow(
            values[sample], norm=scale, cmap=SEQUENTIAL, aspect="auto", interpolation="nearest"
        )
        if column == 0:
            ax.set_ylabel("Row")
        else:
            ax.tick_params(labelleft=False)
    return image
