"""A given figure beside the one computed from a structure, and the counts that a mapping needs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from ddkbase.errors import InputError
from network.counting.count import Count
from network.counting.parts import BATCH_NORM_OPERATIONS, Architecture

__all__ = ["WITH_NORM", "Figure", "Rows", "differential_mapping", "full"]

#: Note of a figure that contains batch norms.
WITH_NORM = "counts batch norms, four operations an element; like for like without"

_UNITS = {"": 1.0, "%": 0.01, "k": 1e3, "M": 1e6, "G": 1e9}
_FIGURE = re.compile(r"(> )?([\d,]*\.?\d+) ?([%kMG]?)")


@dataclass(frozen=True)
class Figure:
    """One given figure, computed anew.

    Parameters
    ----------
    task, network : str
        What it belongs to.
    quantity : str
        What is counted.
    given : str
        The figure as it is written.
    computed : float
        The same from the structure; a share is between 0 and 1.
    like_for_like : float
        The figure to compare by, from the same structure; equal to `computed` where nothing is to
        be put right.
    note : str, default ""
        What the given figure contains or leaves out; empty if nothing.
    source : {"article", "derived"}, default "article"
        Whether the figure is in the article, or is derived from its figures.
    """

    task: str
    network: str
    quantity: str
    given: str
    computed: float
    like_for_like: float
    note: str = ""
    source: str = "article"

    @property
    def reproduced(self) -> bool:
        """Whether `computed` rounds to the given figure (or lies above a bound, "> 98 %")."""
        bound, digits, unit = _parse(self.given)
        scale = _UNITS[unit]
        value = float(digits) * scale
        if bound:
            return self.computed > value
        decimals = len(digits.partition(".")[2])
        return abs(self.computed - value) <= 0.5 * scale * 10.0**-decimals * (1 + 1e-12)


def _parse(text: str) -> tuple[str, str, str]:
    match = _FIGURE.fullmatch(text)
    if match is None:
        raise InputError(f"{text!r} is no figure", "figure")
    return match[1] or "", match[2].replace(",", ""), match[3]


def differential_mapping(
    layers: Sequence[tuple[int, int]], tile: int = 128
) -> tuple[int, int, int]:
    """Weights as pairs of conductances on square tiles.

    Parameters
    ----------
    layers : sequence of pair of int
        (inputs, outputs) of each layer's matrix; a bias is one more input.
    tile : int, default 128
        Rows and columns of a tile.

    Returns
    -------
    devices : int
        Number of devices.
    tiles : int
        Number of tiles.
    conversions : int
        Conversions of column currents for one use of each layer.
    """
    devices = tiles = conversions = 0
    for inputs, outputs in layers:
        rows, columns = ceil(inputs / tile), ceil(2 * outputs / tile)
        devices += 2 * inputs * outputs
        tiles += rows * columns
        conversions += rows * 2 * outputs
    return devices, tiles, conversions


def full(network: Architecture) -> Count:
    """The count with batch norms, as the article's tools count them.

    Parameters
    ----------
    network : Architecture
        What is counted.
    """
    return network.count(batch_norm=BATCH_NORM_OPERATIONS)


class Rows(list[Figure]):
    """Figures of one task, as they are gathered.

    Parameters
    ----------
    task : str
        What the figures belong to.
    ddk : Architecture
        The DDK network that ratios are taken to.
    """

    def __init__(self, task: str, ddk: Architecture) -> None:
        super().__init__()
        self.task, self.ddk = task, ddk

    def add(
        self,
        network: str,
        quantity: str,
        given: str,
        computed: float,
        like_for_like: float | None = None,
        note: str = "",
        source: str = "article",
    ) -> None:
        """One figure; see `Figure`. `like_for_like` is `computed` if it is left out."""
        like = computed if like_for_like is None else like_for_like
        self.append(
            Figure(self.task, network, quantity, given, computed, like, note, source=source)
        )

    def sizes(
        self, name: str, network: Architecture, parameters: str, macs: str, note: str = ""
    ) -> None:
        """Parameters and MACs of a network, with batch norms and, like for like, without."""
        found, plain = full(network), network.count()
        if not note and found != plain:
            note = WITH_NORM
        self.add(name, "parameters", parameters, found.parameters)
        self.add(name, "MACs", macs, found.macs, plain.macs, note)

    def share(self, name: str, network: Architecture, given: str) -> None:
        """Share of the features in the MACs of a network."""
        self.add(
            name,
            "share of features in the MACs",
            given,
            network.feature_share(batch_norm=BATCH_NORM_OPERATIONS),
            network.feature_share(),
        )

    def ratios(self, name: str, network: Architecture, parameters: str, macs: str = "") -> None:
        """Parameters over parameters and MACs over MACs of the DDK network; "" leaves one out."""
        name = f"{name} / DDK"
        found, plain = full(network), network.count()
        mine, mine_plain = full(self.ddk), self.ddk.count()
        if parameters:
            value = found.parameters / mine.parameters
            self.add(name, "parameters ratio", parameters, value)
        if macs:
            like = plain.macs / mine_plain.macs
            self.add(name, "MACs ratio", macs, found.macs / mine.macs, like)
