"""The article's counts and ratios, from the structures, each beside the like-for-like figure.

Figures are those of Shi et al., Nat. Commun. 16, 913 (2025), Tables S3 and S5-S7 and the text. Like
for like means: products only (a batch norm is folded into the layer before it), MACs over MACs and
parameters over parameters, and both networks up to one decision (a clip of 16 frames, an object of
32 slices).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from ddk.article.count_figure import WITH_NORM, Figure, Rows, differential_mapping, full
from network.counting.architectures import (
    Architecture,
    bilstm_rcnn,
    c3d,
    ddk_network,
    lenet5,
    sample_cnn,
    transformer,
    voxnet,
)

__all__ = ["ARTICLE_NETWORKS", "Comparison", "article_table"]


@dataclass(frozen=True)
class Comparison:
    """One row of the article's table.

    Parameters
    ----------
    task : str
        What is told apart.
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
    "speakers": Comparison("10 speakers", ddk_network(128, [16], 10), (sample_cnn(),)),
    "mnist": Comparison("MNIST", ddk_network(784, [48], 10), (lenet5(),)),
    "ag_news": Comparison(
        "AG News",
        ddk_network(300, [128], 4, positions=64),
        (bilstm_rcnn(), transformer()),
    ),
    "actions": Comparison(
        "UCF action",
        ddk_network(80, [128] * 3, 10, channels=60, pairs=60, norm=True, last_bias=False),
        (c3d(),),
        passes=16,
    ),
    "voxels": Comparison(
        "ModelNet10",
        ddk_network(
            32, [128] * 3, 10, channels=32, pairs=32, norm=True, bias=False, last_bias=False
        ),
        (voxnet(),),
        passes=32,
    ),
}


def article_table(*, vocabulary: int = 20_000) -> list[Figure]:
    """Every parameter and MAC figure and ratio of the article, from the structures.

    Parameters
    ----------
    vocabulary : int, default 20_000
        Words of the embedding that the article leaves out of its counts for texts.

    Returns
    -------
    list of Figure
        The figures, in the order of the article's table; `Figure.reproduced` names those that do
        not come out.
    """
    return [
        *_speakers(),
        *_mnist(),
        *_texts(vocabulary),
        *_actions(),
        *_voxels(),
        *_mappings(),
    ]


def _speakers() -> Rows:
    pair = ARTICLE_NETWORKS["speakers"]
    other, mine = pair.others[0], pair.ddk.count()
    rows = Rows(pair.task, pair.ddk)
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
        full(other).macs / mine.parameters,
        like,
        "divides MACs by the number of parameters, and counts batch norms",
    )
    rows.add(
        "SampleCNN / DDK",
        "MACs ratio, MACs against MACs",
        "6,327",
        full(other).macs / mine.macs,
        like,
        WITH_NORM,
        "derived",
    )
    return rows


def _mnist() -> Rows:
    pair = ARTICLE_NETWORKS["mnist"]
    rows = Rows(pair.task, pair.ddk)
    rows.sizes("DDK", pair.ddk, "38,172", "39,680")
    rows.share("DDK", pair.ddk, "3.95 %")
    rows.sizes("LeNet-5, 3 x 3 kernels", pair.others[0], "60,074", "199,968")
    rows.share("LeNet-5, 3 x 3 kernels", pair.others[0], "70.5 %")
    rows.ratios("LeNet-5", pair.others[0], "1.6", "5.0")
    return rows


def _texts(vocabulary: int) -> Rows:
    pair = ARTICLE_NETWORKS["ag_news"]
    lstm, encoder = pair.others
    rows = Rows(pair.task, pair.ddk)
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


def _actions() -> Rows:
    pair = ARTICLE_NETWORKS["actions"]
    rows = Rows(pair.task, pair.ddk)
    rows.sizes("DDK", pair.ddk, "649,720", "0.66 M")
    rows.share("DDK", pair.ddk, "1.46 %")
    rows.sizes("C3D", pair.others[0], "78.0 M", "38.5 G")
    rows.share("C3D", pair.others[0], "> 98 %")
    rows.ratios("C3D", pair.others[0], "120")
    _per_decision(rows, pair, "C3D", ("58,441", "3,653"), "frame against a clip")
    return rows


def _voxels() -> Rows:
    pair = ARTICLE_NETWORKS["voxels"]
    rows = Rows(pair.task, pair.ddk)
    with_norm, plain = full(pair.ddk), pair.ddk.count()
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
    rows: Rows, pair: Comparison, name: str, given: tuple[str, str], words: str
) -> None:
    other = pair.others[0]
    ratio = full(other).macs / full(pair.ddk).macs
    like = other.count().macs / (pair.passes * pair.ddk.count().macs)
    note = f"one {words} of {pair.passes}, and counts batch norms"
    rows.add(f"{name} / DDK", "MACs ratio", given[0], ratio, like, note)
    rows.add(
        f"{name} / DDK",
        "MACs ratio, per decision",
        given[1],
        ratio / pair.passes,
        like,
        WITH_NORM,
        "derived",
    )


def _mappings() -> Rows:
    # Matrices (inputs, outputs) of both networks; a bias is one more input.
    pair = ARTICLE_NETWORKS["speakers"]
    rows = Rows("10 speakers, tiles of 128 x 128", pair.ddk)
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
