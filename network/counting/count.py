"""How large a network is: the numbers it has to learn, and the products it has to form.

A parameter is a number that training changes. A MAC is one multiplication and one addition. The
article counts a step of the DDK layer as two MACs, one for alpha/y and one for beta x
(Shi et al., Nat. Commun. 16, 913 (2025), Table S6). Additions
of a bias, activations, pooling and a softmax are not counted, as usual.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod

__all__ = [
    "BATCH_NORM_OPERATIONS",
    "MACS_PER_DDK_STEP",
    "Architecture",
    "ArchitectureLayer",
    "Count",
    "convolution",
    "ddk",
    "dense",
    "total",
]

#: Operations an element of a batch norm, as common counting tools take it: two to normalise, two
#: for gain and offset. Three of the article's ratios contain them.
BATCH_NORM_OPERATIONS = 4

#: MACs of one step of one DDK element: alpha / y and beta x.
MACS_PER_DDK_STEP = 2


@dataclass(frozen=True)
class Count:
    """Parameters and MACs of a layer or of a network, for one sample.

    Parameters
    ----------
    parameters : int, default 0
        Numbers that training changes.
    macs : int, default 0
        Multiply-accumulate operations of one forward pass of one sample.

    Notes
    -----
    Counts add: ``Count(1, 2) + Count(3, 4) == Count(4, 6)``, and ``sum`` takes them.
    """

    parameters: int = 0
    macs: int = 0

    def __add__(self, other: Count) -> Count:
        if not isinstance(other, Count):
            return NotImplemented
        return Count(self.parameters + other.parameters, self.macs + other.macs)

    def __radd__(self, other: int | Count) -> Count:
        # sum() starts from the integer 0.
        return self if other == 0 else NotImplemented

    def times(self, repeats: int) -> Count:
        """The same layer used `repeats` times on one sample: parameters stay, MACs multiply.

        Parameters
        ----------
        repeats : int
            How often the layer is used on one sample.
        """
        return Count(self.parameters, self.macs * repeats)

    def copies(self, number: int) -> Count:
        """`number` layers like this one, each with parameters of its own.

        Parameters
        ----------
        number : int
            Number of layers.
        """
        return Count(self.parameters * number, self.macs * number)


def total(counts: Iterable[Count]) -> Count:
    """The sum of many counts; ``Count(0, 0)`` of none.

    Parameters
    ----------
    counts : iterable of Count
        The counts of the layers, in any order.
    """
    return sum(counts, Count())


def ddk(steps: int, *, elements: int = 1, pairs: int = 1) -> Count:
    """A DDK layer: two parameters a pair, two MACs a step of every element.

    Parameters
    ----------
    steps : int
        Time steps of one element.
    elements : int, default 1
        Elements run at once (channels times banks).
    pairs : int, default 1
        Pairs of alpha and beta that are learnt.
    """
    return Count(2 * pairs, MACS_PER_DDK_STEP * steps * elements)


def dense(inputs: int, outputs: int, *, bias: bool = True, positions: int = 1) -> Count:
    """A dense layer, applied at each of `positions`.

    Parameters
    ----------
    inputs, outputs : int
        Its width before and after.
    bias : bool, default True
        Whether it adds one number to each output.
    positions : int, default 1
        How many positions share it on one sample (words of a text, say).
    """
    return Count(inputs * outputs + (outputs if bias else 0), inputs * outputs * positions)


def convolution(
    channels_in: int,
    channels_out: int,
    kernel: tuple[int, ...],
    positions: tuple[int, ...],
    *,
    bias: bool = True,
) -> Count:
    """A convolution in any number of dimensions.

    Parameters
    ----------
    channels_in, channels_out : int
        Channels before and after.
    kernel : tuple of int
        Size of the kernel along each dimension.
    positions : tuple of int
        Size of the output along each dimension.
    bias : bool, default True
        Whether it adds one number to each output channel.
    """
    weights = channels_in * channels_out * prod(kernel)
    return Count(weights + (channels_out if bias else 0), weights * prod(positions))


@dataclass(frozen=True)
class ArchitectureLayer:
    """One layer of an architecture.

    Parameters
    ----------
    name : str
        What it is.
    stage : {"features", "classifier"}
        Which stage of the network it belongs to.
    size : Count
        Parameters and MACs, for one sample.
    inputs, outputs : int, default 0
        Its matrix, the bias being one more input where there is one; 0 without a matrix.
    uses : int, default 1
        Vectors that the matrix multiplies for one sample.
    activations : int, default 0
        Activation functions computed after it.
    normalised : int, default 0
        Elements that a batch norm of this layer touches; it forms no product that could not be
        folded into the layer, so they are kept apart.
    """

    name: str
    stage: str
    size: Count
    inputs: int = 0
    outputs: int = 0
    uses: int = 1
    activations: int = 0
    normalised: int = 0


@dataclass(frozen=True)
class Architecture:
    """A network as a list of counted layers.

    Parameters
    ----------
    name : str
        Name of the network.
    layers : tuple of ArchitectureLayer
        Its layers, in order.
    """

    name: str
    layers: tuple[ArchitectureLayer, ...]

    def count(self, *, batch_norm: int = 0, stage: str | None = None) -> Count:
        """Parameters and MACs of one sample.

        Parameters
        ----------
        batch_norm : int, default 0
            Operations for an element of a batch norm; 0 folds it into the layer before it.
        stage : {"features", "classifier"} or None, optional
            The stage that is counted; by default both.
        """
        layers = [layer for layer in self.layers if stage in (None, layer.stage)]
        normalised = batch_norm * sum(layer.normalised for layer in layers)
        return total(layer.size for layer in layers) + Count(0, normalised)

    def feature_share(self, *, batch_norm: int = 0) -> float:
        """Share of the MACs that is spent on features, 0 to 1.

        Parameters
        ----------
        batch_norm : int, default 0
            As for `count`.
        """
        features = self.count(batch_norm=batch_norm, stage="features").macs
        return features / self.count(batch_norm=batch_norm).macs
