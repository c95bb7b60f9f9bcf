"""Pictures of a training run: learning curves, and where alpha and beta went."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import FuncFormatter, MaxNLocator

from compact.kinetics.stability_report import CONTRACTIVE, POSITIVE
from ddkbase.errors import InputError
from ddkbase.pictures import SERIES, new_figure, open_axes, style_axes
from ddkbase.pictures import save_figure as save

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from network.model.history import History

__all__ = ["curves_figure", "save", "trajectories_figure"]

# dashes and markers tell curves apart in grey
_DASHES = ("-", "--", "-.", ":")
_MANY = 12  # pairs that are drawn one by one; above, their spread


def curves_figure(histories: History | Mapping[str, History]) -> Figure:
    """Draw loss and accuracy against the epoch, of the training batches and the validation set.

    Parameters
    ----------
    histories : History or mapping of str to History
        One run, or several under their names, e.g. of the network and its controls.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.
    """
    named = _named(histories)
    figure = new_figure(9, 3.8)
    left, right = figure.subplots(1, 2)
    for index, (name, history) in enumerate(named.items()):
        colour = SERIES[index % len(SERIES)]
        for axes, key, factor in ((left, "loss", 1.0), (right, "accuracy", 100.0)):
            for which, description, dash in (
                ("", "training", "-"),
                ("validation_", "validation", "--"),
            ):
                if f"{which}{key}" not in history.dataset:
                    continue
                text = f"{name}, {description}" if name else description
                shade = colour if name or not which else SERIES[1]
                values = factor * history.dataset[f"{which}{key}"]
                _line(axes, history, values.values, text, shade, dash)
        if history.restored_epoch < history.epochs:
            for axes in (left, right):
                axes.axvline(history.restored_epoch, color="0.45", linewidth=0.9, linestyle=":")
    left.set_yscale("log")
    _plain(left)
    _style(left, "Cross-entropy (nat)", "a")
    _style(right, "Accuracy (%)", "b")
    right.legend(frameon=False, fontsize=9)
    return figure


def trajectories_figure(history: History) -> Figure:
    """Draw alpha and beta against the epoch, and r = alpha / (beta x_max)^2 at x_max = 1.

    Up to 12 pairs are drawn one by one; of more, the median and the middle 80 %.

    Parameters
    ----------
    history : History
        Course of the training.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    InputError
        The network has no DDK layer.
    """
    ds = history.dataset
    if not ds.sizes["pair"]:
        raise InputError("no layer has alpha and beta", "trajectories_figure")
    figure = new_figure(11, 3.6)
    epochs = np.concatenate([[0], ds["epoch"].values])
    courses = [
        np.concatenate([ds[f"{key}_start"].values[None], ds[key].values])
        for key in ("alpha", "beta")
    ]
    with np.errstate(divide="ignore"):
        courses.append(courses[0] / courses[1] ** 2)
    names = ("α per sample", "β per sample", "r = α / β² at a largest input of 1")
    panels = figure.subplots(1, 3)
    for axes, values, text, tag in zip(panels, courses, names, "abc", strict=True):
        _draw_pairs(axes, epochs, values)
        _style(axes, text, tag)
    stable = panels[2]
    stable.set_yscale("log")
    low, high = np.nanmin(courses[2]), np.nanmax(courses[2])
    stable.set_ylim(min(0.18, 0.8 * low), max(1.25, 1.25 * high))
    for level in (POSITIVE, CONTRACTIVE):
        stable.axhline(level, color="0.45", linewidth=1, linestyle=":")
    note = (
        f"dotted: above {CONTRACTIVE:.3f} gradients never grow,\n"
        f"below {POSITIVE:g} an explicit step can lead to y < 0"
    )
    stable.set_title(note, fontsize=8, loc="right", color="0.3")
    _plain(stable)
    if ds.sizes["pair"] > 1:
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right center", frameon=False, fontsize=9)
    return figure


def _draw_pairs(axes: Axes, epochs: np.ndarray, values: np.ndarray) -> None:
    pairs = values.shape[1]
    if pairs > _MANY:
        low, middle, high = np.quantile(values, [0.1, 0.5, 0.9], axis=1)
        axes.fill_between(epochs, low, high, color=SERIES[0], alpha=0.25, label="middle 80 %")
        axes.plot(epochs, middle, color=SERIES[0], linewidth=1.8, label=f"median of {pairs}")
        return
    for pair in range(pairs):
        axes.plot(
            epochs,
            values[:, pair],
            color=SERIES[pair % len(SERIES)],
            linestyle=_DASHES[pair // len(SERIES) % len(_DASHES)],
            linewidth=1.8,
            label=f"pair {pair + 1}",
        )


def _line(
    axes: Axes, history: History, values: np.ndarray, text: str, colour: str, dash: str
) -> None:
    marker: dict[str, Any] = {"marker": "o", "markersize": 3} if len(values) < 20 else {}
    epochs = history.dataset["epoch"].values
    axes.plot(epochs, values, dash, color=colour, linewidth=1.8, label=text, **marker)


def _plain(axes: Axes) -> None:
    """Write the numbers of a logarithmic axis out, of each decade 1, 2, 3 and 6."""

    def text(value: float, _: Any) -> str:
        digit = value / 10 ** np.floor(np.log10(value) + 1e-9)
        return f"{value:g}" if np.isclose(digit, (1, 2, 3, 6)).any() else ""

    axes.yaxis.set_major_formatter(FuncFormatter(text))
    axes.yaxis.set_minor_formatter(FuncFormatter(text))


def _named(histories: History | Mapping[str, History]) -> Mapping[str, History]:
    return histories if isinstance(histories, Mapping) else {"": histories}


def _style(axes: Axes, text: str, tag: str) -> None:
    style_axes(axes, "Epoch", text, tag)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    open_axes(axes)
