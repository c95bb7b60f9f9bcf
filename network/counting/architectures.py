"""Parameters and MACs of the networks that are compared, from their structures by arithmetic.

No framework is needed: each architecture is a list of layers, each layer a closed form. The same
structures are built in PyTorch in `network.baselines`, whose counting by hooks gives the same
numbers. Structures are those that reproduce the article's counts (Shi et al., Nat. Commun. 16, 913
(2025), Tables S3 and S5-S7); where its counts leave a choice open the docstring says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from ddkbase.errors import InputError, closest
from network.counting import count
from network.counting.count import Count
from network.counting.parts import BATCH_NORM_OPERATIONS, Architecture, Part, dense_parts
from network.counting.texts import bilstm_rcnn, transformer

__all__ = [
    "ARCHITECTURES",
    "BATCH_NORM_OPERATIONS",
    "Architecture",
    "Part",
    "architecture",
    "bilstm_rcnn",
    "c3d",
    "c3d_plan",
    "ddk_network",
    "lenet5",
    "sample_cnn",
    "transformer",
    "voxnet",
]


def architecture(name: str, **options: object) -> Architecture:
    """An architecture by the name under which `network.baselines` builds it.

    Parameters
    ----------
    name : str
        A key of `ARCHITECTURES`.
    **options : dict, optional
        Sizes of the architecture.

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


def ddk_network(
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
    dense = dense_parts(
        [states, *hidden, classes], bias=bias, last_bias=last_bias, norm=norm, positions=positions
    )
    return Architecture("DDK network", (Part("DDK", "features", layer), *dense))


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
    parts, before, length = [], 1, (samples - 1) // 3 + 1
    for layer, after in enumerate(channels):
        size = count.convolution(before, after, (3,), (length,), bias=False) + Count(2 * after, 0)
        parts.append(Part(f"convolution {layer + 1}", "features", size, after * length))
        before, length = after, length // 3
    if length < 1:
        raise InputError(
            f"{samples} samples are too few for {len(channels)} poolings by 3", "samplecnn"
        )
    parts += dense_parts(
        [before * length, hidden, classes], bias=False, last_bias=False, norm=False
    )
    return Architecture("SampleCNN", tuple(parts))


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
    parts = [
        Part("convolution 1", "features", count.convolution(1, 6, (kernel,) * 2, (first,) * 2)),
        Part("convolution 2", "features", count.convolution(6, 16, (kernel,) * 2, (second,) * 2)),
        *dense_parts([16 * edge**2, 120, 84, classes], bias=True, last_bias=True, norm=False),
    ]
    return Architecture("LeNet-5", tuple(parts))


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
    parts, before, depth, edge = [], channels, frames, size
    for stage, (outputs, number) in enumerate(plan):
        for layer in range(number):
            parts.append(
                Part(
                    f"convolution {stage + 1}{'ab'[layer] if number > 1 else ''}",
                    "features",
                    count.convolution(before, outputs, (3, 3, 3), (depth, edge, edge)),
                )
            )
            before = outputs
        depth = depth if stage == 0 else depth // 2
        # The last pooling has a margin of 1 in space.
        edge = (edge + 2 * (stage == len(plan) - 1)) // 2
    if depth < 1 or edge < 1:
        raise InputError(f"clips of {frames} frames of {size} x {size} are too small", "c3d")
    parts += dense_parts(
        [before * depth * edge**2, dense, dense, classes], bias=True, last_bias=True, norm=False
    )
    return Architecture("C3D", tuple(parts))


def c3d_plan(width: int) -> list[tuple[int, int]]:
    """Channels and number of the convolutions before each pooling of C3D.

    Parameters
    ----------
    width : int
        Channels of the first convolution.
    """
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
    parts = [
        Part("convolution 1", "features", count.convolution(1, channels, (5,) * 3, (first,) * 3)),
        Part(
            "convolution 2",
            "features",
            count.convolution(channels, channels, (3,) * 3, (second,) * 3),
        ),
        *dense_parts(
            [channels * prod((edge,) * 3), dense, classes], bias=True, last_bias=True, norm=False
        ),
    ]
    return Architecture("VoxNet", tuple(parts))


#: Architectures by the names of `network.baselines`.
ARCHITECTURES: dict[str, Callable[..., Architecture]] = {
    "samplecnn": sample_cnn,
    "lenet5": lenet5,
    "lstm": bilstm_rcnn,
    "transformer": transformer,
    "c3d": c3d,
    "voxnet": voxnet,
}
