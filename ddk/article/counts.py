"""The article's counts and ratios, from the structures, each beside the like-for-like figure.

Figures are those of Shi et al., Nat. Commun. 16, 913 (2025), Tables S3 and S5-S7 and the text. Like
for like means: products only (a batch norm is folded into the layer before it), MACs over MACs and
parameters over parameters, and both networks up to one decision (a clip of 16 frames, an object of
32 slices).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from ddkbase.errors import InputError
from network.counting.architectures import (
    bilstm_rcnn,
    c3d,
    ddk_architecture,
    lenet5,
    sample_cnn,
    transformer,
    voxnet,
)
from network.counting.count import BATCH_NORM_OPERATIONS, Architecture, Count

#: Note of a figure that contains batch norms.
_WITH_NORM = "counts batch norms, four operations an element; like for like without"

_UNITS = {"": 1.0, "%": 0.01, "k": 1e3, "M": 1e6, "G": 1e9}
_FIGURE = re.compile(r"(> )?([\d,]*\.?\d+) ?([%kMG]?)")


@dataclass(frozen=True)
class CountFigure:
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


def _full(network: Architecture) -> Count:
    """The count with batch norms, as the article's tools count them."""
    return network.count(batch_norm=BATCH_NORM_OPERATIONS)


class _Rows(list[CountFigure]):
    """Figures of one task, as they are gathered; ratios are taken to the network ``ddk``."""

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
        """One figure; see `CountFigure`. `like_for_like` is `computed` if it is left out."""
        like = computed if like_for_like is None else like_for_like
        self.append(
            CountFigure(self.task, network, quantity, given, computed, like, note, source=source)
        )

    def sizes(
        self, name: str, network: Architecture, parameters: str, macs: str, note: str = ""
    ) -> None:
        """Parameters and MACs of a network, with batch norms and, like for like, without."""
        with_norm, plain = _full(network), network.count()
        if not note and with_norm != plain:
            note = _WITH_NORM
        self.add(name, "parameters", parameters, with_norm.parameters)
        self.add(name, "MACs", macs, with_norm.macs, plain.macs, note)

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
        with_norm, plain = _full(network), network.count()
        mine, mine_plain = _full(self.ddk), self.ddk.count()
        if parameters:
            value = with_norm.parameters / mine.parameters
            self.add(name, "parameters ratio", parameters, value)
        if macs:
            like = plain.macs / mine_plain.macs
            self.add(name, "MACs ratio", macs, with_norm.macs / mine.macs, like)


@dataclass(frozen=True)
class Comparison:
    """One row of the article's table.

    Parameters
    ----------
    task : str
        What the networks classify.
    ddk : Architecture
        The DDK network, for one pass.
    others : tuple of Architecture
        What it is compared with.
    passes : int, default 1
        Passes of the DDK network to one decision of the other.
    """

    task: str
    ddk: Architecture
    others: tuple[Architecture, ...]
    passes: int = 1


#: The article's networks. The last two DDK networks have batch norms; with biases in the hidden
#: layers of one and none in the other they have the article's numbers of parameters.
ARTICLE_NETWORKS: dict[str, Comparison] = {
    "speakers": Comparison("10 speakers", ddk_architecture(128, [16], 10), (sample_cnn(),)),
    "mnist": Comparison("MNIST", ddk_architecture(784, [48], 10), (lenet5(),)),
    "ag_news": Comparison(
        "AG News",
        ddk_architecture(300, [128], 4, positions=64),
        (bilstm_rcnn(), transformer()),
    ),
    "actions": Comparison(
        "UCF action",
        ddk_architecture(80, [128] * 3, 10, channels=60, pairs=60, norm=True, last_bias=False),
        (c3d(),),
        passes=16,
    ),
    "voxels": Comparison(
        "ModelNet10",
        ddk_architecture(
            32, [128] * 3, 10, channels=32, pairs=32, norm=True, bias=False, last_bias=False
        ),
        (voxnet(),),
        passes=32,
    ),
}


def article_table(*, vocabulary: int = 20_000) -> list[CountFigure]:
    """Every parameter and MAC figure and ratio of the article, from the structures.

    Parameters
    ----------
    vocabulary : int, default 20_000
        Words of the embedding that the article leaves out of its counts for texts.

    Returns
    -------
    list of CountFigure
        The figures, in the order of the article's table; `CountFigure.reproduced` is false for
        those that do not come out.
    """
    return [
        *_speakers(),
        *_mnist(),
        *_texts(vocabulary),
        *_actions(),
        *_voxels(),
        *_mappings(),
    ]


def _speakers() -> _Rows:
    pair = ARTICLE_NETWORKS["speakers"]
    other, mine = pair.others[0], pair.ddk.count()
    rows = _Rows(pair.task, pair.ddk)
    rows.sizes("DDK", pair.ddk, "2,236", "2,464")
    rows.share("DDK", pair.ddk, "10.39 %")
    rows.sizes("SampleCNN", other, "662,656", "15.59 M")
    rows.share("SampleCNN", other, "> 98 %")
    rows.ratios("SampleCNN", other, "296")
    like = other.count().macs / mine.macs
    rows.add(
        "SampleCNN / DDK",
        "MACs ratio",
        "6,972",
        _full(other).macs / mine.parameters,
        like,
        "divides MACs by the number of parameters, and counts batch norms",
    )
    rows.add(
        "SampleCNN / DDK",
        "MACs ratio, MACs against MACs",
        "6,327",
        _full(other).macs / mine.macs,
        like,
        _WITH_NORM,
        "derived",
    )
    return rows


def _mnist() -> _Rows:
    pair = ARTICLE_NETWORKS["mnist"]
    rows = _Rows(pair.task, pair.ddk)
    rows.sizes("DDK", pair.ddk, "38,172", "39,680")
    rows.share("DDK", pair.ddk, "3.95 %")
    rows.sizes("LeNet-5, 3 x 3 kernels", pair.others[0], "60,074", "199,968")
    rows.share("LeNet-5, 3 x 3 kernels", pair.others[0], "70.5 %")
    rows.ratios("LeNet-5", pair.others[0], "1.6", "5.0")
    return rows


def _texts(vocabulary: int) -> _Rows:
    pair = ARTICLE_NETWORKS["ag_news"]
    lstm, encoder = pair.others
    rows = _Rows(pair.task, pair.ddk)
    once_a_word = "the last layer acts once, on the mean over the words; once a word gives 2.53 M"
    rows.sizes("DDK", pair.ddk, "39,046", "2.50 M", once_a_word)
    rows.share("DDK", pair.ddk, "1.54 %")
    rows.sizes("BiLSTM-RCNN", lstm, "4.01 M", "256 M")
    rows.share("BiLSTM-RCNN", lstm, "> 98 %")
    rows.ratios("BiLSTM-RCNN", lstm, "103", "103")

    mine, large = pair.ddk.count().parameters, encoder.count()
    shared = transformer(shared=True).count().parameters
    six = "counts shared weights once for each of six layers; like for like once"
    rows.add("Transformer", "parameters", "5.95 M", large.parameters, shared, six)
    rows.add("Transformer", "MACs", "389 M", large.macs)
    rows.share("Transformer", encoder, "> 98 %")
    ratio = large.parameters / mine
    rows.add("Transformer / DDK", "parameters ratio", "152", ratio, shared / mine, six, "derived")
    rows.ratios("Transformer", encoder, "", "156")

    note = f"leaves the embedding out; like for like with {vocabulary:,} words x 300 in both"
    embedding = 300 * vocabulary
    for name, given, size, distinct in (
        ("BiLSTM-RCNN", "103", lstm.count().parameters, lstm.count().parameters),
        ("Transformer", "152", large.parameters, shared),
    ):
        with_words = (distinct + embedding) / (mine + embedding)
        rows.add(
            f"{name} / DDK",
            "parameters ratio, embedding",
            given,
            size / mine,
            with_words,
            note,
            "derived",
        )

    other = "figure elsewhere in the article; contradicts the {} of its table"
    size = lstm.count().parameters
    rows.add("BiLSTM-RCNN", "parameters", "3.9 M", size, note=other.format("4.01 M"))
    rows.add("Transformer", "MACs", "1.6 G", large.macs, note=other.format("389 M"))
    return rows


def _actions() -> _Rows:
    pair = ARTICLE_NETWORKS["actions"]
    rows = _Rows(pair.task, pair.ddk)
    rows.sizes("DDK", pair.ddk, "649,720", "0.66 M")
    rows.share("DDK", pair.ddk, "1.46 %")
    rows.sizes("C3D", pair.others[0], "78.0 M", "38.5 G")
    rows.share("C3D", pair.others[0], "> 98 %")
    rows.ratios("C3D", pair.others[0], "120")
    _per_decision(rows, pair, "C3D", ("58,441", "3,653"), "frame against a clip")
    return rows


def _voxels() -> _Rows:
    pair = ARTICLE_NETWORKS["voxels"]
    rows = _Rows(pair.task, pair.ddk)
    with_norm, plain = _full(pair.ddk), pair.ddk.count()
    rows.add("DDK", "parameters", "165,952", plain.parameters)
    note = f"without batch norms; with them {with_norm.macs:,}, which the ratio contains"
    rows.add("DDK", "MACs", "0.167 M", plain.macs, note=note)
    rows.share("DDK", pair.ddk, "1.2 %")
    rows.sizes("VoxNet", pair.others[0], "917,866", "59.6 M")
    rows.share("VoxNet", pair.others[0], "> 98 %")
    rows.ratios("VoxNet", pair.others[0], "5.5")
    _per_decision(rows, pair, "VoxNet", ("354", "11"), "slice against an object")
    return rows


def _per_decision(
    rows: _Rows, pair: Comparison, name: str, given: tuple[str, str], unit: str
) -> None:
    other = pair.others[0]
    ratio = _full(other).macs / _full(pair.ddk).macs
    like = other.count().macs / (pair.passes * pair.ddk.count().macs)
    note = f"one {unit} of {pair.passes}, and counts batch norms"
    rows.add(f"{name} / DDK", "MACs ratio", given[0], ratio, like, note)
    rows.add(
        f"{name} / DDK",
        "MACs ratio, per decision",
        given[1],
        ratio / pair.passes,
        like,
        _WITH_NORM,
        "derived",
    )


def _mappings() -> _Rows:
    # Matrices (inputs, outputs) of both networks; a bias is one more input.
    pair = ARTICLE_NETWORKS["speakers"]
    rows = _Rows("10 speakers, tiles of 128 x 128", pair.ddk)
    devices, tiles, conversions = differential_mapping([(129, 16), (17, 10)])
    rows.add("DDK", "devices of the classifier", "4,468", devices, source="derived")
    rows.add("DDK", "tiles", "3", tiles, source="derived")
    rows.add("DDK", "conversions of column currents", "84", conversions, source="derived")
    rows.add("DDK", "conversions of DDK states", "128", 128, source="derived")
    widths = [1, 128, 128, 128, 256, 256]
    convolutions = [(3 * before, after) for before, after in itertools.pairwise(widths)]
    devices, tiles, _ = differential_mapping([*convolutions, (512, 512), (512, 10)])
    rows.add("SampleCNN", "devices", "1.3 M", devices, source="derived")
    rows.add("SampleCNN", "tiles", "86", tiles, source="derived")
    return rows
