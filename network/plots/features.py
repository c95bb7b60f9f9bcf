"""Pictures of feature maps: by the equation, a table and finite elements; the fits of a map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from ddkbase.errors import InputError
from ddkbase.paper import chosen_panels
from ddkbase.pictures import BLUE, INCH, ORANGE, new_figure, shared_legend

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

_MICRO = 1e6
_NARROWEST = 0.02  # m, of a panel in a column of a paper
_DECADE = 10  # a conductance that spans more is shaded by its logarithm, or its tail is black


def comparison_figure(maps: Mapping[str, xr.Dataset], title: str = "") -> Figure:
    """Draw the input and the maps that were made of it in different ways, one panel each.

    Parameters
    ----------
    maps : mapping of str to xarray.Dataset
        What made it, and its dataset on (utterance, pulse) with ``input`` and ``feature`` or
        ``conductance`` [S]: from `network.features.feature_map` or `by_table`, or from
        `ddk.studies.by_device`, by real pulses. All of the same input.
    title : str, default ""
        Title above all panels.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    InputError
        No map, or maps of different inputs.
    """
    if not maps:
        raise InputError("there is no map to draw", "maps")
    first = next(iter(maps.values()))
    for name, ds in maps.items():
        if ds["input"].shape != first["input"].shape or not np.allclose(
            ds["input"], first["input"]
        ):
            raise InputError(f"map '{name}' is of another input", "maps")
    panels = [("Input", first["input"].values, "input, 0 to 1")]
    panels += [(name, *_values(ds)) for name, ds in maps.items()]
    columns = 2
    rows = -(-len(panels) // columns)
    figure = new_figure(9.6, 0.5 + 2.3 * rows)
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    count, pulses = first["input"].shape
    for ax, (name, values, quantity) in zip(axes.flat, panels, strict=False):
        wide = values.min() > 0 and values.max() > _DECADE * values.min()
        image = ax.imshow(
            values,
            norm=LogNorm() if wide else None,
            aspect="auto",
            cmap="viridis",
            interpolation="nearest",
            extent=(0.5, pulses + 0.5, count + 0.5, 0.5),
        )
        ax.set_title(name, fontsize=10, loc="left")
        figure.colorbar(image, ax=ax, pad=0.02).set_label(quantity, fontsize=8)
        ax.tick_params(labelsize=8)
        if count <= 12:
            ax.set_yticks(range(1, count + 1))
    for ax in axes.flat[len(panels) :]:
        ax.set_visible(False)
    for ax in axes[-1]:
        ax.set_xlabel("Pulse")
    for ax in axes[:, 0]:
        ax.set_ylabel("Utterance")
    if title:
        figure.suptitle(title, fontsize=11)
    return figure


def fits_figure(ds: xr.Dataset, title: str = "") -> Figure:
    """Draw the conductance of each utterance with the fitted curve and R, as Fig. 3c.

    Parameters
    ----------
    ds : xarray.Dataset
        From `ddk.studies.by_device`, with ``fitted``.
    title : str, default ""
        Title above all panels.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    InputError
        Nothing was fitted.
    """
    if "fitted" not in ds:
        raise InputError("the map has no fit", "ds", "Use network.features.fitted(ds)")
    count = ds.sizes["utterance"]
    columns = min(4, count)
    rows = -(-count // columns)
    figure = new_figure(2.6 * columns + 0.4, 2.2 * rows + 0.5)
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    pulse = ds["pulse"].values
    for k, ax in enumerate(axes.flat):
        if k >= count:
            ax.set_visible(False)
            continue
        train = ds.isel(utterance=k)
        ax.plot(pulse, _MICRO * train["conductance"], "o", ms=2.6, color=BLUE, label="simulated")
        alpha = float(train["alpha"])
        if np.isfinite(alpha):
            ax.plot(pulse, _MICRO * train["fitted"], color=ORANGE, lw=1.8, label="Eq. (4)")
            beta, residual = float(train["beta"]), float(train["residual"])
            text = f"α = {alpha:.3g}\nβ = {beta:.3g}\nR = {residual:.2g}"
        else:
            text = "not fitted"
        _corner(ax, text, float(train["conductance"][-1]), ds)
        ax.set_title(f"Utterance {int(train['utterance'])}", fontsize=9, loc="left")
        ax.tick_params(labelsize=8)
    for ax in axes[-1]:
        ax.set_xlabel("Pulse")
    for ax in axes[:, 0]:
        ax.set_ylabel("Conductance (µS)")
    shared_legend(figure, axes.flat[:count], 2, 8)
    if title:
        figure.suptitle(title, fontsize=11)
    return figure


def map_fits_figure(
    maps: xr.Dataset, width: float | None = None, panels: Sequence[str] = ()
) -> Figure:
    """Draw every row of the first sample of each class with its fitted curve and R, as Fig. 3c.

    Parameters
    ----------
    maps : xarray.Dataset
        From `ddk.studies.feature_maps.make_maps` with ``fit``.
    width : float or None, optional
        Width of the figure [m], in which rows that do not fit beside each other go on below; None:
        as wide as they need.
    panels : sequence of str, default ()
        Letters of the classes that are drawn, the first is "a"; empty: all.

    Returns
    -------
    matplotlib.figure.Figure
        The figure, of at most ten classes.

    Raises
    ------
    InputError
        Nothing was fitted; a letter without a class.
    """
    if "fitted" not in maps:
        raise InputError("the maps have no fit", "maps", "Use --fits, or make_maps(fit=True)")
    conductance = maps["device" if "device" in maps else "feature"]
    names = [str(n) for n in maps["class_name"].values]
    first = [names.index(n) for n in dict.fromkeys(names)][:10]
    first = [first[k] for k in chosen_panels(len(first), panels, "the picture of the fits")]
    count = across = maps.sizes["row"]
    if width is None:
        figure = new_figure(1.7 * count + 0.9, 1.75 * len(first) + 0.8)
    else:
        across = min(count, max(1, int(width / _NARROWEST)))
        down = len(first) * -(-count // across)
        figure = new_figure(width / INCH, min(width / INCH / across, 1.6) * down + 0.6)
    down = -(-count // across)
    axes = figure.subplots(len(first) * down, across, sharex=True, sharey=True, squeeze=False)
    axes[0, 0].set_yscale("log")  # once for all: each semilogy would set it anew in every panel
    axes[0, 0].yaxis.set_minor_locator(NullLocator())  # eight marks in each of eighty panels
    step = np.arange(1, maps.sizes["step"] + 1)
    for line, sample in enumerate(first):
        for row in range(count):
            place = line * down + row // across
            ax = axes[place, row % across]
            index = {"sample": sample, "row": row}
            simulated = _MICRO * conductance.isel(index)
            (dots,) = ax.plot(step, simulated, "o", ms=2, color=BLUE)
            (curve,) = ax.plot(step, _MICRO * maps["fitted"].isel(index), color=ORANGE, lw=1.6)
            residual = float(maps["residual"].isel(index))
            text = f"R = {residual:.2g}" if np.isfinite(residual) else "not fitted"
            ax.text(0.95, 0.93, text, transform=ax.transAxes, ha="right", va="top", fontsize=8)
            ax.tick_params(labelsize=8)
            if line == 0 or down > 1:
                ax.set_title(f"Utterance {row + 1}", fontsize=9)
            if row + across >= count and line + 1 == len(first):  # nothing is below
                ax.set_xlabel("Pulse", fontsize=9)
                ax.tick_params(labelbottom=True)
        for blank in axes[(line + 1) * down - 1, (count - 1) % across + 1 :]:
            blank.set_axis_off()
        axes[line * down, 0].set_ylabel(f"{names[sample]}\nConductance (µS)", fontsize=9)
    figure.legend(
        [dots, curve],
        ["finite elements", "Eq. (4), fitted"],
        loc="outside lower center",
        ncols=2,
        fontsize=9,
        frameon=False,
    )
    return figure


def _corner(ax: Axes, text: str, end: float, ds: xr.Dataset) -> None:
    """Write into the corner that a falling curve leaves free: above its end, or below its start."""
    middle = 0.5 * (float(ds["conductance"].min()) + float(ds["conductance"].max()))
    corner = (0.96, 0.95, "right", "top") if end < middle else (0.05, 0.07, "left", "bottom")
    ax.text(*corner[:2], text, transform=ax.transAxes, ha=corner[2], va=corner[3], fontsize=8)


def _values(ds: xr.Dataset) -> tuple[np.ndarray, str]:
    """What is drawn of a map, and its name with the unit."""
    if "conductance" in ds:
        return _MICRO * ds["conductance"].values, "conductance (µS)"
    return ds["feature"].values, str(ds["feature"].attrs["long_name"])
