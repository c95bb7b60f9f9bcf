"""Picture of a placement: which cells a layer takes, and what happens when."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_lowercase
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.patches import Rectangle

from ddkbase.pictures import AREAS, TITLE_TEXT, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from network.hardware.chip.layouts import Block
    from network.hardware.chip.placement import Placement

__all__ = ["placement_figure"]

# hatches tell them apart in grey
_HATCHES = ("", "//", "..", "xx", "\\\\", "++", "oo", "--")
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
    unit, factor = ("ns", 1e9) if end < 1e-6 else ("us", 1e6) if end < 1e-3 else ("ms", 1e3)
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
    axes.set_xlabel(f"time of one inference ({unit.replace('us', 'µs')})", fontsize=8)
    axes.tick_params(labelsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
