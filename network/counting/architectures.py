"""Parameters and MACs of the networks that are compared, from their structures by arithmetic.

No framework is needed: each architecture is a list of layers, each layer a matrix with the number
of times that one sample uses it. The same structures are built in PyTorch in `network.baselines`,
whose counting by hooks gives the same numbers, and `network.hardware.chip.loads` puts the matrices
on a chip. Structures are those that reproduce the article's counts (Shi et al., Nat. Commun. 16,
913 (2025), Tables S3 and S5-S7); where its counts leave a choice open the docstring says so. Those
for texts leave out the embedding that turns words into vectors: it is the same for every network.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace

from ddkbase.errors import InputError, closest
from network.counting import count
from network.counting.count import Architecture, ArchitectureLayer, Count

__all__ = [
    "ARCHITECTURES",
    "architecture",
    "bilstm_rcnn",
    "c3d",
    "c3d_plan",
    "ddk_architecture",
    "lenet5",
    "sample_cnn",
    "transformer",
    "voxnet",
]


def architecture(name: str, **options: object) -> Architecture:
    """An architecture by the name under which `network.baselines` builds it.

    Raises
    ------
    InputError
        There is no such architecture, or no such size.
    """
    if name not in ARCHITECTURES:
        raise InputError("there is no such architecture", name, closest(name, ARCHITECTURES))
    try:
        return ARCHITECTURES[name](**options)
    except TypeError as error:
        raise InputError(str(error), name) from error


def _matrix(
    name: str,
    inputs: int,
    outputs: int,
    uses: int = 1,
    *,
    bias: bool = True,
    stage: str = "features",
) -> ArchitectureLayer:
    # A layer whose matrix acts at `uses` positions of a sample, an activation after each output.
    size = count.dense(inputs, outputs, bias=bias, positions=uses)
    return ArchitectureLayer(
        name, stage, size, inputs + int(bias), outputs, uses, activations=outputs * uses
    )


def _dense(
    widths: Sequence[int],
    *,
    bias: bool = True,
    last_bias: bool | None = None,
    norm: bool = False,
    positions: int = 1,
) -> list[ArchitectureLayer]:
    # Dense layers one after the other. Hidden ones act at every position, and may have a batch
    # norm with gain and offset; the last one acts once, and no activation follows it.
    layers = []
    for number, (inputs, outputs) in enumerate(itertools.pairwise(widths), start=1):
        name = f"dense {number}"
        if number == len(widths) - 1:
            with_bias = bias if last_bias is None else last_bias
            layer = _matrix(name, inputs, outputs, bias=with_bias, stage="classifier")
            layers.append(replace(layer, activations=0))
            continue
        layer = _matrix(name, inputs, outputs, positions, bias=bias, stage="classifier")
        if norm:
            size = layer.size + Count(2 * outputs, 0)
            layer = replace(layer, size=size, normalised=outputs * positions)
        layers.append(layer)
    return layers


def ddk_architecture(
    steps: int,
    hidden: Sequence[int],
    classes: int,
    *,
    channels: int = 1,
    pairs: int = 1,
    positions: int = 1,
    bias: bool = True,
    last_bias: bool = True,
    norm: bool = False,
) -> Architecture:
    """A DDK layer that reads every state, then dense layers.

    Parameters
    ----------
    steps : int
        Time steps of the samples.
    channels : int, default 1
        Channels of the samples; steps times channels states enter the first dense layer.
    hidden : sequence of int
        Widths of the hidden layers.
    classes : int
        Number of outputs.
    pairs : int, default 1
        Pairs of alpha and beta.
    positions : int, default 1
        How often the layer and the hidden layers are used on one sample (words of a text); their
        mean enters the last layer.
    bias, last_bias : bool, default True
        Whether the hidden layers and the last one have a bias.
    norm : bool, default False
        Whether each hidden layer has a batch norm with gain and offset.
    """
    states = steps * channels
    layer = count.ddk(steps, elements=channels, pairs=pairs).times(positions)
    dense = _dense(
        [states, *hidden, classes], bias=bias, last_bias=last_bias, norm=norm, positions=positions
    )
    return Architecture("DDK network", (ArchitectureLayer("DDK", "features", layer), *dense))


def sample_cnn(
    *,
    samples: int = 1600,
    classes: int = 10,
    channels: Sequence[int] = (128, 128, 128, 256, 256),
    hidden: int = 512,
) -> Architecture:
    """Sample-level CNN (Kim, Lee, Nam, ICASSP 2018) in the article's size.

    A convolution of 3 at stride 3 with a margin of 1, pooling by 3, then convolutions of 3 at
    stride 1 with pooling by 3; each with a batch norm that has gain and offset. No layer has a
    bias. Convolutions at stride 3 in place of the poolings between would give the same counts.

    Parameters
    ----------
    samples : int, default 1600
        Length of the waveform.
    classes : int, default 10
        Number of outputs.
    channels : sequence of int, default (128, 128, 128, 256, 256)
        Channels of the convolutions.
    hidden : int, default 512
        Width of the dense layer before the last.

    Raises
    ------
    InputError
        The waveform is too short.
    """
    layers, before, length = [], 1, (samples - 1) // 3 + 1
    for number, after in enumerate(channels, start=1):
        layer = _matrix(f"convolution {number}", 3 * before, after, length, bias=False)
        with_norm = layer.size + Count(2 * after, 0)
        layers.append(replace(layer, size=with_norm, normalised=after * length))
        before, length = after, length // 3
    if length < 1:
        raise InputError(
            f"{samples} samples are too few for {len(channels)} poolings by 3", "samplecnn"
        )
    layers += _dense([before * length, hidden, classes], bias=False)
    return Architecture("SampleCNN", tuple(layers))


def lenet5(*, size: int = 28, kernel: int = 3, classes: int = 10) -> Architecture:
    """LeNet-5 (LeCun et al., Proc. IEEE 86, 2278 (1998)) with all feature maps connected.

    Parameters
    ----------
    size : int, default 28
        Edge of the image.
    kernel : int, default 3
        Edge of both kernels; 3 in the article's comparison, 5 in the original.
    classes : int, default 10
        Number of outputs.

    Raises
    ------
    InputError
        The image is too small.
    """
    first = size - kernel + 1
    second = first // 2 - kernel + 1
    edge = second // 2
    if edge < 1:
        raise InputError(f"images of {size} x {size} are too small", "lenet5")
    layers = (
        _matrix("convolution 1", kernel**2, 6, first**2),
        _matrix("convolution 2", 6 * kernel**2, 16, second**2),
        *_dense([16 * edge**2, 120, 84, classes]),
    )
    return Architecture("LeNet-5", layers)


def c3d(
    *,
    frames: int = 16,
    size: int = 112,
    width: int = 64,
    dense: int = 4096,
    channels: int = 3,
    classes: int = 10,
) -> Architecture:
    """C3D (Tran et al., ICCV 2015): eight convolutions of 3 x 3 x 3, five poolings, two dense.

    Parameters
    ----------
    frames : int, default 16
        Frames of a clip.
    size : int, default 112
        Edge of a frame.
    width : int, default 64
        Channels of the first convolution; the others are 2, 4 and 8 times as many.
    dense : int, default 4096
        Width of the two dense layers.
    channels : int, default 3
        Number of channels of the clip; 3 for colour.
    classes : int, default 10
        Number of outputs.

    Raises
    ------
    InputError
        The clip is too small.
    """
    plan = c3d_plan(width)
    layers, before, depth, edge = [], channels, frames, size
    for stage, (outputs, number) in enumerate(plan):
        for k in range(number):
            name = f"convolution {stage + 1}{'ab'[k] if number > 1 else ''}"
            layers.append(_matrix(name, before * 3**3, outputs, depth * edge**2))
            before = outputs
        depth = depth if stage == 0 else depth // 2
        # The last pooling has a margin of 1 in space.
        edge = (edge + 2 * (stage == len(plan) - 1)) // 2
    if depth < 1 or edge < 1:
        raise InputError(f"clips of {frames} frames of {size} x {size} are too small", "c3d")
    layers += _dense([before * depth * edge**2, dense, dense, classes])
    return Architecture("C3D", tuple(layers))


def c3d_plan(width: int) -> list[tuple[int, int]]:
    """Channels and number of the convolutions before each pooling of C3D."""
    return [(width, 1), (2 * width, 1), (4 * width, 2), (8 * width, 2), (8 * width, 2)]


def voxnet(
    *, size: int = 32, channels: int = 32, dense: int = 128, classes: int = 10
) -> Architecture:
    """VoxNet (Maturana and Scherer, IROS 2015).

    Parameters
    ----------
    size : int, default 32
        Edge of the grid of voxels.
    channels : int, default 32
        Channels of both convolutions, 5 x 5 x 5 at stride 2 and 3 x 3 x 3; pooling by 2 follows.
    dense : int, default 128
        Width of the dense layer.
    classes : int, default 10
        Number of outputs.

    Raises
    ------
    InputError
        The grid is too small.
    """
    first = (size - 5) // 2 + 1
    second = first - 2
    edge = second // 2
    if edge < 1:
        raise InputError(f"a grid of {size} x {size} x {size} is too small", "voxnet")
    layers = (
        _matrix("convolution 1", 5**3, channels, first**3),
        _matrix("convolution 2", channels * 3**3, channels, second**3),
        *_dense([channels * edge**3, dense, classes]),
    )
    return Architecture("VoxNet", layers)


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
    # Each direction multiplies the word and its own last state by the weights of four gates. Of the
    # two biases a gate one is enough on a chip; five activations a state: four gates and a tanh.
    weights = 4 * hidden * (dimension + hidden)
    lstm = ArchitectureLayer(
        "LSTM",
        "features",
        Count(weights + 8 * hidden, weights * words),
        dimension + hidden + 1,
        4 * hidden,
        words,
        activations=5 * hidden * words,
    )
    every = _matrix("dense, every word", 2 * hidden + dimension, dense, words)
    return Architecture("BiLSTM-RCNN", (lstm, lstm, every, *_dense([dense, classes])))


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
    stack: list[ArchitectureLayer] = []
    for number in range(1, layers + 1):
        encoder = [
            *(
                _matrix(f"{name} {number}", dimension, dimension, words)
                for name in ("query", "key", "value", "output")
            ),
            # query by key and scores by value: products of two activations, no matrix is learnt
            ArchitectureLayer(
                f"attention {number}", "features", Count(0, 2 * words * words * dimension)
            ),
            _matrix(f"wide {number}", dimension, hidden, words),
            _matrix(f"narrow {number}", hidden, dimension, words),
            ArchitectureLayer(f"norms {number}", "features", Count(4 * dimension, 0)),
        ]
        if shared and number > 1:
            encoder = [replace(layer, size=Count(0, layer.size.macs)) for layer in encoder]
        stack += encoder
    stack += _dense([words * dimension, classes])
    return Architecture("Transformer", tuple(stack))


#: Architectures by the names of `network.baselines`.
ARCHITECTURES: dict[str, Callable[..., Architecture]] = {
    "samplecnn": sample_cnn,
    "lenet5": lenet5,
    "lstm": bilstm_rcnn,
    "transformer": transformer,
    "c3d": c3d,
    "voxnet": voxnet,
}
