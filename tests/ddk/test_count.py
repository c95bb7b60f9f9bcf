"""Counts: closed forms, the article's figures, and the networks of this package."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ddk.article.counts import (
    ARTICLE_NETWORKS,
    CountFigure,
    article_table,
    differential_mapping,
)
from ddkbase.errors import InputError
from network.counting import count
from network.counting.architectures import (
    ARCHITECTURES,
    architecture,
    c3d,
    ddk_architecture,
    lenet5,
    sample_cnn,
    transformer,
    voxnet,
)
from network.counting.count import Count
from network.model.network import ddk_network


def test_counts_add_and_repeat():
    assert Count(1, 2) + Count(3, 4) == Count(4, 6)
    assert sum([Count(1, 2), Count(3, 4)]) == Count(4, 6)
    assert count.total([]) == Count(0, 0)
    assert Count(2, 5).times(3) == Count(2, 15)
    assert Count(2, 5).copies(3) == Count(6, 15)
    with pytest.raises(TypeError):
        Count(1, 1) + 1


def test_layers_are_closed_forms():
    assert count.ddk(28, elements=56, pairs=2) == Count(4, 2 * 28 * 56)
    assert count.dense(3, 5) == Count(20, 15)
    assert count.dense(3, 5, bias=False, positions=7) == Count(15, 105)
    assert count.convolution(2, 4, (3, 3), (5, 6)) == Count(76, 72 * 30)


@pytest.mark.parametrize(
    ("network", "parameters", "macs", "share"),
    [
        ("speakers", 2_236, 2_464, 0.1039),
        ("mnist", 38_172, 39_680, 0.0395),
        ("ag_news", 39_046, 2_496_512, 0.0154),
        ("actions", 649_720, 658_048, 0.0146),
        ("voxels", 165_952, 167_168, 0.0123),
    ],
)
def test_the_article_s_ddk_networks(network, parameters, macs, share):
    ddk = ARTICLE_NETWORKS[network].ddk
    assert ddk.count() == Count(parameters, macs)
    assert ddk.feature_share() == pytest.approx(share, abs=5e-5)


def test_networks_compared_with():
    # Weights and positions written out by hand.
    convolutions = 3 * 128 * 534 + 3 * 128**2 * (178 + 59) + 3 * 128 * 256 * 19 + 3 * 256**2 * 6
    assert sample_cnn().count() == Count(662_656, convolutions + 512 * 512 + 5120)
    normalised = 128 * (534 + 178 + 59) + 256 * (19 + 6)
    assert sample_cnn().count(batch_norm=4).macs == sample_cnn().count().macs + 4 * normalised
    assert lenet5().count() == Count(60_074, 54 * 26**2 + 864 * 11**2 + 48_000 + 10_080 + 840)
    assert lenet5(size=32, kernel=5).count().parameters == 61_706  # the original, fully connected
    assert voxnet().count() == Count(917_866, 4000 * 14**3 + 27_648 * 12**3 + 884_736 + 1280)
    assert c3d(classes=487).count().parameters == 78_036_746 + 477 * 4097
    scores = 6 * 2 * 64 * 64 * 300
    weights = 6 * (4 * 300**2 + 2 * 300 * 1024)
    assert transformer().count().macs == 64 * weights + scores + 64 * 300 * 4
    shared = transformer(shared=True).count()
    assert shared.macs == transformer().count().macs
    assert transformer().count().parameters - shared.parameters == 5 * 978_124


def test_every_figure_but_the_two_contradictory_ones_is_reproduced():
    table = article_table()
    missed = {(row.network, row.quantity, row.given) for row in table if not row.reproduced}
    assert missed == {
        ("BiLSTM-RCNN", "parameters", "3.9 M"),
        ("Transformer", "MACs", "1.6 G"),
    }
    assert len(table) == 58
    # What does not come out, or differs like for like, is explained.
    for row in table:
        if not row.reproduced or abs(row.like_for_like / row.computed - 1) > 0.02:
            assert row.note, row


@pytest.mark.parametrize(
    ("network", "given", "like"),
    [
        ("SampleCNN / DDK", "6,972", 15_168_768 / 2_464),
        ("C3D / DDK", "58,441", 38_547_005_440 / (16 * 658_048)),
        ("VoxNet / DDK", "354", 59_637_760 / (32 * 167_168)),
        ("Transformer / DDK", "152", 1_054_928 / 39_046),
    ],
)
def test_like_for_like(network, given, like):
    row = next(r for r in article_table() if (r.network, r.given) == (network, given))
    assert row.like_for_like == pytest.approx(like, rel=1e-12)


def test_the_embedding_levels_the_texts():
    rows = [r for r in article_table(vocabulary=0) if "embedding" in r.quantity]
    assert [round(r.like_for_like, 1) for r in rows] == [102.8, 27.0]
    rows = [r for r in article_table(vocabulary=10**9) if "embedding" in r.quantity]
    assert [round(r.like_for_like, 3) for r in rows] == [1.0, 1.0]


@pytest.mark.parametrize(
    ("given", "computed", "reproduced"),
    [
        ("2,236", 2236, True),
        ("2,236", 2237, False),
        ("10.39 %", 0.10394, True),
        ("10.39 %", 0.10396, False),
        ("15.59 M", 15.5949e6, True),
        ("15.59 M", 15.596e6, False),
        ("5.0", 5.04, True),
        ("> 98 %", 0.9801, True),
        ("> 98 %", 0.9799, False),
    ],
)
def test_a_figure_is_reproduced_if_it_rounds_to_what_is_given(given, computed, reproduced):
    assert CountFigure("", "", "", given, computed, computed).reproduced is reproduced


def test_what_is_no_figure_is_refused():
    with pytest.raises(InputError, match="no figure"):
        _ = CountFigure("", "", "", "many", 1.0, 1.0).reproduced


def test_mapping_to_tiles():
    assert differential_mapping([(129, 16), (17, 10)]) == (4468, 3, 84)
    assert differential_mapping([(128, 64)]) == (2 * 128 * 64, 1, 128)


def test_unknown_names_and_sizes():
    with pytest.raises(InputError, match="lenet5"):
        architecture("lenet")
    with pytest.raises(InputError, match="siz"):
        architecture("voxnet", siz=3)
    for name, options in [
        ("samplecnn", {"samples": 100}),
        ("lenet5", {"size": 8}),
        ("voxnet", {"size": 8}),
        ("c3d", {"frames": 8}),
        ("transformer", {"heads": 7}),
    ]:
        with pytest.raises(InputError):
            architecture(name, **options)
    assert set(ARCHITECTURES) == {"samplecnn", "lenet5", "lstm", "transformer", "c3d", "voxnet"}


def test_the_numpy_network_counts_the_same():
    network = ddk_network((128,), [16], 10, standardise=False, seed=0)
    assert network.count() == ddk_architecture(128, [16], 10).count()
    network = ddk_network((28, 28), [48], 10, seed=0)
    assert network.count() == ddk_architecture(28, [48], 10, channels=28).count()


def test_counting_needs_no_heavy_package():
    program = (
        "import sys; from ddk.article.counts import article_table; article_table();"
        "from network import baselines; baselines.count('c3d');"
        "print([m for m in ('torch', 'scipy', 'dolfinx', 'matplotlib') if m in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert found.stdout.strip() == "[]"
