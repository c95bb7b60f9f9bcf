"""The two networks for texts that are compared, as lists of counted layers.

Neither contains the embedding that turns words into vectors: it is the same for every network.
"""

from __future__ import annotations

from ddkbase.errors import InputError
from network.counting import count
from network.counting.count import Count
from network.counting.parts import Architecture, Part

__all__ = ["bilstm_rcnn", "transformer"]


def bilstm_rcnn(
    *,
    words: int = 64,
    dimension: int = 300,
    hidden: int = 512,
    dense: int = 512,
    classes: int = 4,
) -> Architecture:
    """Recurrent CNN for texts (Lai et al., AAAI 2015) on a bidirectional LSTM.

    The states of both directions and the word itself enter a dense layer with tanh, whose largest
    value over the words decides. An LSTM has two biases a gate, as PyTorch's.

    Parameters
    ----------
    words : int, default 64
        Words of a text.
    dimension : int, default 300
        Length of the vector of a word.
    hidden : int, default 512
        Width of the state of each direction.
    dense : int, default 512
        Width of the layer before the maximum.
    classes : int, default 4
        Number of outputs.
    """
    gates = 4 * hidden * (dimension + hidden)
    lstm = Count(gates + 8 * hidden, gates * words).copies(2)
    parts = (
        Part("LSTM, both directions", "features", lstm),
        Part(
            "dense, every word",
            "features",
            count.dense(2 * hidden + dimension, dense, positions=words),
        ),
        Part("dense", "classifier", count.dense(dense, classes)),
    )
    return Architecture("BiLSTM-RCNN", parts)


def transformer(
    *,
    words: int = 64,
    dimension: int = 300,
    heads: int = 5,
    hidden: int = 1024,
    layers: int = 6,
    classes: int = 4,
    shared: bool = False,
) -> Architecture:
    """Transformer encoder (Vaswani et al., NeurIPS 2017) with a dense layer on all words at once.


    Parameters
    ----------
    words : int, default 64
        Words of a text.
    dimension : int, default 300
        Length of the vector of a word.
    heads : int, default 5
        Number of heads of the attention; they share the dimension.
    hidden : int, default 1024
        Width of the feed-forward layer.
    layers : int, default 6
        Number of encoder layers.
    classes : int, default 4
        Number of outputs.
    shared : bool, default False
        Whether all layers use the same weights; the article counts them once for each.

    Raises
    ------
    InputError
        The heads do not divide the dimension.
    """
    if dimension % heads:
        raise InputError(f"{heads} heads do not divide {dimension}", "transformer")
    attention = count.dense(dimension, dimension, positions=words).copies(4)
    scores = Count(0, 2 * words * words * dimension)
    forward = count.dense(dimension, hidden, positions=words)
    forward += count.dense(hidden, dimension, positions=words)
    norms = Count(4 * dimension, 0)
    layer = attention + scores + forward + norms
    encoder = layer.times(layers) if shared else layer.copies(layers)
    parts = (
        Part(f"{layers} encoder layers", "features", encoder),
        Part("dense", "classifier", count.dense(words * dimension, classes)),
    )
    return Architecture("Transformer", parts)
